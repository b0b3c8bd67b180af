/*
 * Full text over the store (dp/io/catalog_search.h): a table of FTS5, a row for each dataset (rowid twice its id) and each job (one more).
 *
 * A word is a phrase of the tokens in it, the last of them a beginning: "order_it" finds order_items.  Names are asked first, for whole words and then for beginnings, then names with
 * columns, tags and owners, then all, so that a hit in a name is before one in a column.  Within each of these the shorter name is first: more of it was asked for.  (bm25 says
 * nearly the same of names, and goes through all hits of each word before it ranks the first: 22 ms where 60,000 names have it.)
 */
#include <dp/io/catalog_search.h>

#include "catalog_priv.h"

#include <stdlib.h>

static const char *const make_sql = "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(name, columns, marks, text, tokenize = 'unicode61', prefix = '2 3')";
/* As a store that has none yet is told to read all again. */
static const char *const all_sql = "INSERT OR IGNORE INTO changed(kind, id) SELECT 'd', id FROM dataset UNION ALL SELECT 'j', id FROM job";

#define TAGS(kind, id) "coalesce((SELECT group_concat(key || ' ' || value, ' ') FROM tag t WHERE t.kind = '" kind "' AND t.owner = " id " AND t.until IS NULL), '')"
#define OWNERS(kind, id) "coalesce((SELECT group_concat(name || ' ' || coalesce(type, ''), ' ') FROM owner o WHERE o.kind = '" kind "' AND o.id = " id " AND o.until IS NULL), '')"
#define TOLD(kind, id) "coalesce((SELECT (SELECT json_extract(b.text, '$.description') FROM body b WHERE b.id = f.body) FROM facet f WHERE f.kind = '" kind "' AND f.owner = " id \
                       " AND f.key = 'documentation' ORDER BY f.at DESC LIMIT 1), '')"
static const char *const index_sql =
    "DELETE FROM words WHERE rowid IN (SELECT id * 2 + (kind = 'j') FROM changed);"
    "INSERT INTO words(rowid, name, columns, marks, text) SELECT d.id * 2, d.name || ' ' || d.ns,"
    " (SELECT group_concat(f.name, ' ') FROM field f WHERE f.dataset = d.id AND (f.schema IS NULL OR f.schema IS d.schema)), " TAGS("d", "d.id") " || ' ' || " OWNERS("d", "d.id") ", "
    TOLD("d", "d.id") " || ' ' || coalesce((SELECT group_concat(f.description, ' ') FROM field f WHERE f.dataset = d.id AND f.schema IS d.schema), '')"
    " FROM changed c JOIN dataset d ON d.id = c.id WHERE c.kind = 'd';"
    "INSERT INTO words(rowid, name, columns, marks, text) SELECT j.id * 2 + 1, j.name || ' ' || j.ns, '', " TAGS("j", "j.id") " || ' ' || " OWNERS("j", "j.id") ", " TOLD("j", "j.id")
    " FROM changed c JOIN job j ON j.id = c.id WHERE c.kind = 'j';"
    "DELETE FROM changed";

/* ---- the index ---- */

static enum dp_status has_index(struct dp_catalog *c, bool *has, struct dp_err *err) {
    long long n = 0;
    DP_TRY(dp_cat_number(c, "SELECT count(*) FROM sqlite_master WHERE name = 'words'", &n, err));
    *has = n > 0;
    return DP_OK;
}

static enum dp_status bring_up(struct dp_catalog *c, struct dp_err *err) {
    bool has;
    DP_TRY(has_index(c, &has, err));
    if (!has) {
        int rc = c->sq.exec(c->db, make_sql, NULL, NULL, NULL);
        if (rc != SQ_OK) return strstr(c->sq.errmsg(c->db), "no such module") ? dp_err_set(err, DP_UNSUPPORTED, "search needs an SQLite with FTS5") : dp_cat_failed(c, rc, err);
        DP_TRY(dp_cat_sql(c, all_sql, err));
    }
    return dp_cat_sql(c, index_sql, err);
}

enum dp_status dp_catalog_index(struct dp_catalog *c, struct dp_err *err) {
    enum dp_status status = DP_OK;
    if (!c->in_transaction) {
        DP_TRY(dp_cat_sql(c, "BEGIN IMMEDIATE", err));
        c->in_transaction = true;
    }
    status = bring_up(c, err);
    if (status == DP_OK || status == DP_UNSUPPORTED) return status;
    c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->in_transaction = false;
    dp_cat_forget(c);
    return status;
}

enum dp_status dp_catalog_index_is_old(struct dp_catalog *c, bool *is_old, struct dp_err *err) {
    long long n = 0;
    bool has;
    DP_TRY(has_index(c, &has, err));
    DP_TRY(dp_cat_number(c, "SELECT EXISTS (SELECT 1 FROM changed)", &n, err));
    *is_old = !has || n;
    return DP_OK;
}

/* ---- classes ---- */

static const char *const make_classes_sql = "CREATE TABLE IF NOT EXISTS classed(class TEXT NOT NULL, dataset INTEGER NOT NULL, PRIMARY KEY(class, dataset)) WITHOUT ROWID;"
                                            "CREATE TABLE IF NOT EXISTS classed_at(stamp TEXT NOT NULL);"
                                            "DELETE FROM classed; DELETE FROM classed_at";
/* All that classes are made of, in a few words: events are only added, and so are classes and tags; what is taken back gets an `until`. */
#define STAMP "SELECT coalesce((SELECT max(id) FROM event), 0) || ' ' || (SELECT count(*) || ' ' || count(until) FROM class) || ' '" \
              " || (SELECT count(*) || ' ' || count(until) || ' ' || coalesce(max(rowid), 0) FROM tag WHERE key = 'classification')"

enum dp_status dp_catalog_class_index_is_old(struct dp_catalog *c, bool *is_old, struct dp_err *err) {
    long long n = 0;
    *is_old = true;
    DP_TRY(dp_cat_number(c, "SELECT count(*) FROM sqlite_master WHERE name = 'classed_at'", &n, err));
    if (n) DP_TRY(dp_cat_number(c, "SELECT EXISTS (SELECT 1 FROM classed_at WHERE stamp = (" STAMP "))", &n, err));
    *is_old = !n;
    return DP_OK;
}

static enum dp_status keep_classes(struct dp_catalog *c, const struct dp_classes *cs, struct dp_err *err) {
    void *st;
    enum dp_status status = dp_cat_query(c, &st, err, "INSERT OR IGNORE INTO classed(class, dataset) VALUES (?1, ?2)", "");
    for (size_t i = 0; i < cs->n && status == DP_OK; i++) {
        if (!cs->v[i].word.p) continue;
        int rc = c->sq.bind_text(st, 1, cs->v[i].word.p, (int)cs->v[i].word.n, NULL);
        if (rc == SQ_OK) rc = c->sq.bind_int64(st, 2, cs->v[i].dataset);
        if (rc != SQ_OK) status = dp_cat_failed(c, rc, err);
        else (void)dp_cat_next(c, st, &status, err);
        c->sq.reset(st);
    }
    c->sq.finalize(st);
    return status == DP_OK ? dp_cat_sql(c, "INSERT INTO classed_at(stamp) " STAMP, err) : status;
}

enum dp_status dp_catalog_class_index(struct dp_catalog *c, struct dp_err *err) {
    struct dp_classes cs = {0};
    if (!c->in_transaction) {
        DP_TRY(dp_cat_sql(c, "BEGIN IMMEDIATE", err));
        c->in_transaction = true;
    }
    enum dp_status status = dp_catalog_classes(c, NULL, 0, &cs, err);
    if (status == DP_OK) status = dp_cat_sql(c, make_classes_sql, err);
    if (status == DP_OK) status = keep_classes(c, &cs, err);
    dp_classes_release(&cs);
    if (status == DP_OK) return DP_OK;
    c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->in_transaction = false;
    dp_cat_forget(c);
    return status;
}

static void add_id(struct dp_map *out, int64_t id) { dp_map_put(out, dp_str((const char *)&id, sizeof id), NULL); }

enum dp_status dp_catalog_of_class(struct dp_catalog *c, struct dp_str word, struct dp_map *out, struct dp_err *err) {
    bool is_old;
    void *st;
    DP_TRY(dp_catalog_class_index_is_old(c, &is_old, err));
    if (is_old) {
        struct dp_classes cs = {0};
        DP_TRY(dp_catalog_classes(c, NULL, 0, &cs, err));
        for (size_t i = 0; i < cs.n; i++)
            if (cs.v[i].word.p && dp_str_eq(cs.v[i].word, word)) add_id(out, cs.v[i].dataset);
        dp_classes_release(&cs);
        return DP_OK;
    }
    enum dp_status status = dp_cat_query(c, &st, err, "SELECT dataset FROM classed WHERE class = ?1", "s", word);
    while (dp_cat_next(c, st, &status, err)) add_id(out, dp_cat_i64(c, st, 0));
    c->sq.finalize(st);
    return status;
}

/* ---- questions ---- */

/* From the sharpest to the vaguest. */
static const struct pass { const char *columns; bool whole; enum dp_search_where where; } passes[] = {
    {"{name}: (", true, DP_FOUND_NAME}, {"{name}: (", false, DP_FOUND_NAME}, {"{name columns marks}: (", false, DP_FOUND_COLUMN}, {"(", false, DP_FOUND_TEXT}};
enum { PASSES = sizeof passes / sizeof passes[0], RANKED = 1000 }; /* of more hits of one pass than that the first are ranked: many say that the words are no good */

/* Words as FTS5 takes them: {columns}: ("word"* AND ...), whose quotes are doubled. */
static void add_match(const struct dp_search_conf *conf, const struct pass *pass, struct dp_buf *b) {
    dp_buf_addz(b, pass->columns);
    for (size_t i = 0; i < conf->n_words; i++) {
        dp_buf_addz(b, i ? " AND \"" : "\"");
        for (const char *p = conf->words[i]; *p; p++) dp_buf_addz(b, *p == '"' ? "\"" : ""), dp_buf_addc(b, *p);
        dp_buf_addz(b, pass->whole ? "\"" : "\"*");
    }
    dp_buf_addc(b, ')');
}

#define TAGGED "(SELECT owner * 2 + (kind = 'j') AS node FROM tag WHERE key = ?2 AND value = coalesce(?3, value) AND until IS NULL)"
#define OWNED "(SELECT id * 2 + (kind = 'j') AS node FROM owner WHERE name = ?4 AND until IS NULL)"

#define NODE_NAME "CASE node % 2 WHEN 1 THEN (SELECT name FROM job WHERE id = node / 2) ELSE (SELECT name FROM dataset WHERE id = node / 2) END"

/* Where nodes come from: the words, else the rarest that is asked for.  The + keeps a list from being a loop around the words: it is looked into for each hit. */
static void add_source(const struct dp_search_conf *conf, struct dp_buf *sql) {
    if (conf->n_words) dp_buf_addz(sql, "SELECT node FROM (SELECT node, " NODE_NAME " AS name FROM (SELECT rowid AS node FROM words WHERE words MATCH ?1");
    else if (conf->tag) dp_buf_addz(sql, "SELECT node FROM (SELECT DISTINCT node FROM " TAGGED ") WHERE ?1 IS NULL");
    else if (conf->owner) dp_buf_addz(sql, "SELECT node FROM (SELECT DISTINCT node FROM " OWNED ") WHERE ?1 IS NULL");
    else dp_buf_addz(sql, "SELECT node FROM (SELECT id * 2 AS node, name FROM dataset) WHERE ?1 IS NULL");
    dp_buf_addz(sql, " AND coalesce(?2, ?3, ?4, '') IS NOT NULL"); /* all are bound, whatever is asked */
    if (conf->kind) dp_buf_addf(sql, " AND node %% 2 = %d", conf->kind == 'j');
    if (conf->tag && conf->n_words) dp_buf_addz(sql, " AND +node IN " TAGGED);
    if (conf->owner && (conf->n_words || conf->tag)) dp_buf_addz(sql, " AND +node IN " OWNED);
}

static void add_order(const struct dp_search_conf *conf, struct dp_buf *sql) {
    bool bounded = conf->limit && !conf->among; /* who is not among them is told apart behind the query */
    if (conf->n_words && bounded) dp_buf_addf(sql, " LIMIT %lld", (long long)(conf->limit > RANKED ? conf->limit : RANKED));
    if (conf->n_words) dp_buf_addz(sql, ")) ORDER BY length(name), name, node");
    else if (!conf->tag && !conf->owner) dp_buf_addz(sql, " ORDER BY name, node");
    else dp_buf_addz(sql, " ORDER BY " NODE_NAME ", node");
    if (bounded) dp_buf_addf(sql, " LIMIT %lld", (long long)conf->limit);
}

static enum dp_status ask(struct dp_catalog *c, const struct dp_search_conf *conf, const struct pass *pass, struct dp_map *seen, struct dp_search *out, struct dp_err *err) {
    struct dp_buf match = {0}, sql = {0};
    void *st;
    if (conf->n_words) add_match(conf, pass, &match);
    add_source(conf, &sql);
    add_order(conf, &sql);
    enum dp_status status = dp_cat_query(c, &st, err, dp_buf_z(&sql), "ssss", conf->n_words ? dp_buf_str(&match) : dp_str(NULL, 0), conf->tag ? dp_str_z(conf->tag) : dp_str(NULL, 0),
                                         conf->value ? dp_str_z(conf->value) : dp_str(NULL, 0), conf->owner ? dp_str_z(conf->owner) : dp_str(NULL, 0));
    while ((!conf->limit || out->n < (size_t)conf->limit) && dp_cat_next(c, st, &status, err)) {
        int64_t node = dp_cat_i64(c, st, 0), id = node / 2;
        bool is_new;
        if (conf->among && (node % 2 || !dp_map_get(conf->among, dp_str((const char *)&id, sizeof id)))) continue;
        dp_map_put(seen, dp_str((const char *)&node, sizeof node), &is_new);
        if (!is_new) continue;
        out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = (struct dp_search_hit){.kind = node % 2 ? 'j' : 'd', .where = (uint8_t)pass->where, .id = id};
    }
    c->sq.finalize(st);
    dp_buf_release(&match), dp_buf_release(&sql);
    return status;
}

enum dp_status dp_catalog_search(struct dp_catalog *c, const struct dp_search_conf *conf, struct dp_search *out, struct dp_err *err) {
    struct dp_map seen = {0};
    enum dp_status status = DP_OK;
    *out = (struct dp_search){0};
    for (size_t i = 0; i < PASSES && status == DP_OK; i++) {
        if (i && (!conf->n_words || (conf->limit && out->n >= (size_t)conf->limit))) break;
        status = ask(c, conf, &passes[i], &seen, out, err);
    }
    dp_map_release(&seen);
    if (status) dp_search_release(out);
    return status;
}

void dp_search_release(struct dp_search *s) {
    free(s->v);
    *s = (struct dp_search){0};
}

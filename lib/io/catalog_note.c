/*
 * What people say of nodes of the store (dp/io/catalog_note.h): rows of tag, owner and class whose `event` is 0.
 *
 * A row holds from `at` to `until`; none is ever taken away, so that what held at some time can be told later.
 */
#include <dp/io/catalog_note.h>

#include "catalog_priv.h"

struct noting {
    struct dp_catalog *c;
    const struct dp_catalog_node *node;
    const struct dp_note *n;
    struct dp_err *err;
};

static struct dp_str kind_of(const struct dp_catalog_node *n) { return n->kind == 'j' ? DP_STR("j") : DP_STR("d"); }
static int64_t owner_of(const struct dp_catalog_node *n) { return n->kind == 'c' ? n->dataset : n->id; }
static struct dp_str field_of(const struct dp_catalog_node *n) { return n->kind == 'c' ? dp_str_z(n->field) : dp_str(NULL, 0); }

/* Which rows are meant: ?1 kind, ?2 id, ?3 column or null, ?4 key. */
static const char *const which[] = {
    [DP_NOTE_TAG] = "tag WHERE kind = ?1 AND owner = ?2 AND field IS ?3 AND key = ?4",
    [DP_NOTE_OWNER] = "owner WHERE kind = ?1 AND id = ?2 AND ?3 IS NULL AND name = ?4",
    [DP_NOTE_CLASS] = "class WHERE ?1 = 'd' AND dataset = ?2 AND field IS ?3 AND ?4 IS NULL"};
static const char *const value_is[] = {[DP_NOTE_TAG] = "value", [DP_NOTE_OWNER] = "type", [DP_NOTE_CLASS] = "class"};

static enum dp_status step(struct noting *g, void *st, enum dp_status status) {
    dp_cat_next(g->c, st, &status, g->err);
    g->c->sq.finalize(st);
    return status;
}

/* Does somebody say so now?  *same: with this value. */
static enum dp_status look(struct noting *g, bool by_event, bool *there, bool *same) {
    char sql[300];
    void *st;
    const struct dp_note *n = g->n;
    *there = *same = false;
    snprintf(sql, sizeof sql, "SELECT %s IS ?5 FROM %s AND until IS NULL%s", value_is[n->kind], which[n->kind], n->kind == DP_NOTE_CLASS ? "" : by_event ? " AND event = 1" : " AND event = 0");
    enum dp_status status = dp_cat_query(g->c, &st, g->err, sql, "sisss", kind_of(g->node), owner_of(g->node), field_of(g->node), n->key, n->value);
    while (dp_cat_next(g->c, st, &status, g->err)) *there = true, *same = *same || dp_cat_i64(g->c, st, 0);
    g->c->sq.finalize(st);
    return status;
}

static enum dp_status end_rows(struct noting *g) {
    char sql[300];
    void *st;
    const struct dp_note *n = g->n;
    snprintf(sql, sizeof sql, "UPDATE %.*s SET until = max(at, ?5) %s AND until IS NULL%s", (int)strcspn(which[n->kind], " "), which[n->kind], strchr(which[n->kind], ' '),
             n->kind == DP_NOTE_CLASS ? "" : " AND event = 0");
    enum dp_status status = dp_cat_query(g->c, &st, g->err, sql, "sissi", kind_of(g->node), owner_of(g->node), field_of(g->node), n->key, n->at);
    return step(g, st, status);
}

static enum dp_status put_row(struct noting *g) {
    static const char *const sql[] = {
        [DP_NOTE_TAG] = "INSERT INTO tag(kind, owner, field, key, value, source, at, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
        [DP_NOTE_OWNER] = "INSERT INTO owner(kind, id, name, type, source, at, event) SELECT ?1, ?2, ?4, ?5, ?6, ?7, 0 WHERE ?3 IS NULL",
        [DP_NOTE_CLASS] = "INSERT INTO class(dataset, field, class, source, at) SELECT ?2, ?3, ?5, ?6, ?7 WHERE ?1 = 'd' AND ?4 IS NULL"};
    void *st;
    const struct dp_note *n = g->n;
    enum dp_status status = dp_cat_query(g->c, &st, g->err, sql[n->kind], "sissssi", kind_of(g->node), owner_of(g->node), field_of(g->node), n->key, n->value, n->source, n->at);
    return step(g, st, status);
}

static enum dp_status note(struct noting *g, enum dp_note_done *done) {
    const struct dp_note *n = g->n;
    bool there, same, by_event;
    void *st;
    DP_TRY(look(g, false, &there, &same));
    if (n->remove) {
        if (!there && n->kind != DP_NOTE_CLASS) {
            DP_TRY(look(g, true, &by_event, &same));
            if (by_event) return dp_err_set(g->err, DP_USAGE, "%.*s is said by events: whoever sends them can take it back", DP_STR_FMT(n->key));
        }
        if (!there || (n->kind != DP_NOTE_CLASS && n->value.p && !same)) return DP_OK;
        *done = DP_NOTE_REMOVED;
    } else {
        if (same) return DP_OK;
        *done = there ? DP_NOTE_CHANGED : DP_NOTE_ADDED;
    }
    if (there) DP_TRY(end_rows(g));
    if (!n->remove) DP_TRY(put_row(g));
    enum dp_status status = dp_cat_query(g->c, &st, g->err, "INSERT OR IGNORE INTO changed(kind, id) VALUES (?1, ?2)", "si", kind_of(g->node), owner_of(g->node));
    return step(g, st, status);
}

enum dp_status dp_catalog_note(struct dp_catalog *c, const struct dp_catalog_node *node, const struct dp_note *n, enum dp_note_done *done, struct dp_err *err) {
    struct noting g = {.c = c, .node = node, .n = n, .err = err};
    *done = DP_NOTE_SAME;
    if (n->kind == DP_NOTE_OWNER && node->kind == 'c') return dp_err_set(err, DP_USAGE, "%s#%s: datasets and jobs have owners, columns have those of their dataset", node->name, node->field);
    if (n->kind == DP_NOTE_CLASS && node->kind == 'j') return dp_err_set(err, DP_USAGE, "%s is a job: datasets and columns are classified", node->name);
    enum dp_status status = DP_OK;
    if (!c->in_transaction) {
        status = dp_cat_sql(c, "BEGIN IMMEDIATE", err);
        if (status == DP_OK) c->in_transaction = true;
    }
    if (status == DP_OK) status = note(&g, done);
    if (status == DP_OK || !c->in_transaction) return status;
    c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->in_transaction = false;
    dp_cat_forget(c);
    return status;
}

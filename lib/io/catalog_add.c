/*
 * What an event adds to the store (dp/io/catalog.h).
 *
 * Each table is kept so that its content is a function of the set of events: times by the least and the greatest, what is overwritten by eventTime, counts by what is new.  Rows that were
 * met are remembered in memory as long as nobody else wrote (PRAGMA data_version), for most events say what was said before: a schema or a column lineage that is the same text costs
 * one look, not one for each column.
 */
#include "catalog_priv.h"

#include <stdlib.h>
#include <xxhash.h>

#define FEW_PAIRS 1000u /* datasets that can't make more than DP_LIMIT_LINEAGE_PAIRS, however many of them are inputs */

enum {
    ST_EVENT, ST_DATASET_GET, ST_DATASET_PUT, ST_DATASET_SET, ST_DATASET_LIFE, ST_DATASET_DROP, ST_JOB_GET, ST_JOB_PUT, ST_JOB_SET,
    ST_RUN_GET, ST_RUN_PUT, ST_RUN_NAMED, ST_RUN_SET, ST_RUN_PARENT, ST_RUN_JOB, ST_IO_COUNT, ST_IO_LIST, ST_IO_PUT, ST_IO_STAT, ST_IO_VERSION, ST_IO_FLOW, ST_EDGE_PUT, ST_EDGE_SPAN, ST_JOB_IO, ST_JOB_EDGE,
    ST_FIELD_GET, ST_FIELD_PUT, ST_FIELD_SEEN, ST_FIELD_SCHEMA, ST_FIELD_FLUSH, ST_FLOW_GET, ST_FLOW_PUT, ST_FLOW_SPAN, ST_FLOW_RUNS, ST_FLOW_AGAIN, ST_FLOW_DROP, ST_FLOW_DROP_SRC,
    ST_FLOW_SRC, ST_BODY_GET, ST_BODY_PUT, ST_FACET_LAST, ST_FACET_PUT, ST_FACET_SINCE, ST_SYMLINK_DROP, ST_SYMLINK_PUT, ST_RENAME, ST_TAG_DROP, ST_TAG_PUT, ST_OWNER_DROP,
    ST_OWNER_PUT, ST_CHANGED, ST_N
};
_Static_assert((int)ST_N <= (int)DP_CAT_ST_NAMES, "room for statements");

static const char *const statements[ST_N] = {
    [ST_EVENT] = "INSERT OR IGNORE INTO event(digest, at, type, run, job, dataset, size, body) VALUES (?1, ?2, ?3, nullif(?4, 0), nullif(?5, 0), nullif(?6, 0), ?7, ?8)",
    [ST_DATASET_GET] = "SELECT id, first_at, last_at, schema, schema_at, schema_from FROM dataset WHERE name = ?1 AND ns = ?2",
    [ST_DATASET_PUT] = "INSERT INTO dataset(name, ns, first_at, last_at) VALUES (?1, ?2, ?3, ?3)",
    [ST_DATASET_SET] = "UPDATE dataset SET first_at = ?2, last_at = ?3, schema = nullif(?4, 0), schema_at = CASE ?4 WHEN 0 THEN NULL ELSE ?5 END,"
                       " schema_from = CASE ?4 WHEN 0 THEN NULL ELSE ?6 END WHERE id = ?1",
    [ST_DATASET_LIFE] = "UPDATE dataset SET life = ?2, life_at = ?3 WHERE id = ?1 AND (life_at IS NULL OR life_at <= ?3)",
    [ST_DATASET_DROP] = "UPDATE dataset SET dropped_at = ?2, dropped_run = ?3 WHERE id = ?1 AND (dropped_at IS NULL OR dropped_at <= ?2)",
    [ST_JOB_GET] = "SELECT id, first_at, last_at FROM job WHERE name = ?1 AND ns = ?2",
    [ST_JOB_PUT] = "INSERT INTO job(name, ns, first_at, last_at) VALUES (?1, ?2, ?3, ?3)",
    [ST_JOB_SET] = "UPDATE job SET first_at = ?2, last_at = ?3 WHERE id = ?1",
    [ST_RUN_GET] = "SELECT id, job, state, state_at, started_at, ended_at, parent, root, parent_at, first_at, last_at FROM run WHERE uuid = ?1",
    [ST_RUN_PUT] = "INSERT INTO run(uuid, job, state, state_at, started_at, ended_at, first_at, last_at) VALUES (?1, nullif(?2, 0), ?3, ?4, nullif(?5, -9223372036854775808),"
                   " nullif(?6, -9223372036854775808), ?7, ?8)",
    [ST_RUN_NAMED] = "INSERT INTO run(uuid, state, first_at, last_at) VALUES (?1, ?2, ?3, ?3)",
    [ST_RUN_SET] = "UPDATE run SET job = nullif(?2, 0), state = ?3, state_at = ?4, started_at = nullif(?5, -9223372036854775808), ended_at = nullif(?6, -9223372036854775808),"
                   " first_at = ?7, last_at = ?8 WHERE id = ?1",
    [ST_RUN_PARENT] = "UPDATE run SET parent = nullif(?2, 0), root = nullif(?3, 0), parent_at = ?4 WHERE id = ?1 AND (parent_at IS NULL OR parent_at <= ?4)",
    [ST_RUN_JOB] = "UPDATE run SET job = ?2 WHERE id = ?1 AND job IS NULL",
    [ST_IO_COUNT] = "SELECT count(*) FROM run_io WHERE run = ?1",
    [ST_IO_LIST] = "SELECT dataset, side, flow, flow_at FROM run_io WHERE run = ?1",
    [ST_IO_PUT] = "INSERT INTO run_io(run, dataset, side, version, version_at, rows, bytes, files, stat_at, flow, flow_at) VALUES (?1, ?2, ?3, ?4, nullif(?5, -9223372036854775808),"
                  " nullif(?6, -1), nullif(?7, -1), nullif(?8, -1), nullif(?9, -9223372036854775808), nullif(?10, 0), nullif(?11, -9223372036854775808))",
    [ST_IO_STAT] = "UPDATE run_io SET rows = nullif(?4, -1), bytes = nullif(?5, -1), files = nullif(?6, -1), stat_at = ?7 WHERE run = ?1 AND dataset = ?2 AND side = ?3"
                   " AND (stat_at IS NULL OR stat_at <= ?7)",
    [ST_IO_VERSION] = "UPDATE run_io SET version = ?4, version_at = ?5 WHERE run = ?1 AND dataset = ?2 AND side = ?3 AND (version_at IS NULL OR version_at <= ?5)",
    [ST_IO_FLOW] = "UPDATE run_io SET flow = nullif(?4, 0), flow_at = ?5 WHERE run = ?1 AND dataset = ?2 AND side = ?3",
    [ST_EDGE_PUT] = "INSERT INTO edge(src, dst, job, first_at, last_at, runs, failed, said) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(src, dst, job) DO UPDATE SET"
                    " first_at = min(first_at, ?4), last_at = max(last_at, ?5), runs = runs + ?6, failed = failed + ?7, said = max(said, ?8)",
    [ST_EDGE_SPAN] = "UPDATE edge SET first_at = min(first_at, ?4), last_at = max(last_at, ?5) WHERE src = ?1 AND dst = ?2 AND job = ?3 AND (first_at > ?4 OR last_at < ?5)",
    [ST_JOB_IO] = "INSERT INTO job_io(job, dataset, side, first_at, last_at, runs, failed, said) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(job, side, dataset) DO UPDATE SET"
                  " first_at = min(first_at, ?4), last_at = max(last_at, ?5), runs = runs + ?6, failed = failed + ?7, said = max(said, ?8)",
    [ST_JOB_EDGE] = "INSERT INTO job_edge(src, dst, first_at, last_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT(src, dst) DO UPDATE SET first_at = min(first_at, ?3), last_at = max(last_at, ?3)",
    [ST_FIELD_GET] = "SELECT id, first_at FROM field WHERE dataset = ?1 AND name = ?2",
    [ST_FIELD_PUT] = "INSERT INTO field(dataset, name, first_at, type, ordinal, description, schema, schema_at) VALUES (?1, ?2, ?3, ?4, nullif(?5, -1), ?6, nullif(?7, 0),"
                     " CASE ?7 WHEN 0 THEN NULL ELSE ?3 END)",
    [ST_FIELD_SEEN] = "UPDATE field SET first_at = min(first_at, ?2) WHERE id = ?1",
    /* What is the dataset's schema holds since that was said last, whatever the column's own time says. */
    [ST_FIELD_SCHEMA] = "UPDATE field SET type = ?2, ordinal = nullif(?3, -1), description = ?4, schema = ?5, schema_at = ?6 WHERE id = ?1"
                        " AND (schema IS NULL OR CASE schema WHEN ?7 THEN max(?8, schema_at) ELSE schema_at END <= ?6)",
    [ST_FIELD_FLUSH] = "UPDATE field SET schema_at = max(schema_at, ?3) WHERE dataset = ?1 AND schema = ?2",
    [ST_FLOW_GET] = "SELECT id FROM flow WHERE dataset = ?1 AND job = ?2 AND digest = ?3",
    [ST_FLOW_PUT] = "INSERT INTO flow(dataset, job, digest, first_at, last_at, runs, edges) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
    [ST_FLOW_SPAN] = "UPDATE flow SET first_at = min(first_at, ?2), last_at = max(last_at, ?3) WHERE id = ?1 AND (first_at > ?2 OR last_at < ?3)",
    [ST_FLOW_RUNS] = "UPDATE flow SET runs = runs + ?2 WHERE id = ?1",
    [ST_FLOW_AGAIN] = "UPDATE flow SET (first_at, last_at) = (SELECT min(run.first_at), max(run.last_at) FROM run_io JOIN run ON run.id = run_io.run WHERE run_io.flow = ?1)"
                      " WHERE id = ?1 AND runs > 0",
    [ST_FLOW_DROP] = "DELETE FROM flow WHERE id = ?1 AND runs = 0",
    [ST_FLOW_DROP_SRC] = "DELETE FROM flow_src WHERE flow = ?1 AND NOT EXISTS (SELECT 1 FROM flow WHERE id = ?1)",
    [ST_FLOW_SRC] = "INSERT OR IGNORE INTO flow_src(src, flow) VALUES (?1, ?2)",
    [ST_BODY_GET] = "SELECT id FROM body WHERE digest = ?1",
    [ST_BODY_PUT] = "INSERT INTO body(digest, text) VALUES (?1, ?2)",
    [ST_FACET_LAST] = "SELECT at, body FROM facet WHERE kind = ?1 AND owner = ?2 AND key = ?3 ORDER BY at DESC LIMIT 1",
    [ST_FACET_PUT] = "INSERT OR REPLACE INTO facet(kind, owner, key, at, run, body) VALUES (?1, ?2, ?3, ?4, nullif(?5, 0), nullif(?6, 0))",
    [ST_FACET_SINCE] = "SELECT min(at) FROM facet WHERE kind = ?1 AND owner = ?2 AND key = ?3 AND body = ?4",
    [ST_SYMLINK_DROP] = "DELETE FROM symlink WHERE dataset = ?1",
    [ST_SYMLINK_PUT] = "INSERT OR REPLACE INTO symlink(dataset, other, type, at) VALUES (?1, ?2, ?3, ?4)",
    [ST_RENAME] = "INSERT INTO rename(old, new, at) VALUES (?1, ?2, ?3) ON CONFLICT(old, new) DO UPDATE SET at = min(at, ?3)",
    [ST_TAG_DROP] = "DELETE FROM tag WHERE kind = ?1 AND owner = ?2 AND event = 1",
    [ST_TAG_PUT] = "INSERT INTO tag(kind, owner, field, key, value, source, at, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
    [ST_OWNER_DROP] = "DELETE FROM owner WHERE kind = ?1 AND id = ?2 AND event = 1",
    [ST_OWNER_PUT] = "INSERT INTO owner(kind, id, name, type, at, event) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
    [ST_CHANGED] = "INSERT OR IGNORE INTO changed(kind, id) VALUES (?1, ?2)",
};

/* Rows in memory. */
struct node {
    int64_t id, first_at, last_at, schema, schema_at, schema_from;
    bool is_job, is_fresh; /* fresh: nobody had it before us, so that what is not remembered of it is not there */
    bool is_met;            /* an event of the job was added */
    bool is_listed, is_told, is_dirty; /* until the transaction ends: among those that something is to be done for; `changed` names it; its row is to be written */
};

/* What a transaction has to say of an edge, or of a job and a dataset, once at its end. */
struct span { int64_t key[3], first_at, last_at, runs, failed, said; };

struct io {
    int64_t dataset, flow, flow_at, version_at, stat_at, rows, bytes, files;
    struct dp_str version;
    int side;
    bool is_new, is_written;
};
#define SIDE_SAID 2 /* a row that only carries a column lineage: of an input, or said by a lineage facet of the job */

/* One event on its way in. */
struct adding {
    struct dp_catalog *c;
    struct dp_cat_event *e;
    struct dp_err *err;
    int64_t job, run;
    int64_t old[11]; /* the run's row, and was it there? */
    bool run_found, job_is_new;
    bool had_failed, has_failed; /* the run, before this event and with it */
    size_t n_flows; /* made or found for it */
    int64_t first_at, last_at; /* of the run */
    bool span_grew;
    struct io *io;
    size_t n_io, cap_io;
    struct dp_map io_of; /* (dataset, side) -> index, where they are many */
};

/* ---- statements ---- */

/* Binds and takes the first step: SQ_ROW, SQ_DONE or a fault. The caller resets. */
static int start(struct dp_catalog *c, int which, const char *form, va_list ap) {
    int rc = dp_cat_kept(c, which, statements[which]);
    if (rc == SQ_OK) rc = dp_cat_bind(c, c->st[which], form, ap);
    return rc == SQ_OK ? c->sq.step(c->st[which]) : rc;
}

static enum dp_status done(struct adding *a, int which, int rc) {
    enum dp_status status = rc == SQ_ROW || rc == SQ_DONE ? DP_OK : dp_cat_failed(a->c, rc, a->err);
    if (a->c->st[which]) a->c->sq.reset(a->c->st[which]);
    return status;
}

static enum dp_status run_st(struct adding *a, int which, const char *form, ...) {
    va_list ap;
    va_start(ap, form);
    int rc = start(a->c, which, form, ap);
    va_end(ap);
    return done(a, which, rc);
}

/* Up to n numbers of the first row, 0 for null; *found. */
static enum dp_status get_row(struct adding *a, int which, int64_t *v, int n, bool *found, const char *form, ...) {
    va_list ap;
    va_start(ap, form);
    int rc = start(a->c, which, form, ap);
    va_end(ap);
    *found = rc == SQ_ROW;
    for (int i = 0; i < n && *found; i++) v[i] = a->c->sq.column_int64(a->c->st[which], i);
    return done(a, which, rc);
}

/* ---- what is written at the transaction's end ---- */

static void list(struct dp_catalog *c, struct node *n) {
    if (n->is_listed) return;
    n->is_listed = true;
    c->dirty = dp_grow(c->dirty, &c->cap_dirty, c->n_dirty + 1, sizeof *c->dirty);
    c->dirty[c->n_dirty++] = n;
}

static void set_dirty(struct dp_catalog *c, struct node *n) {
    n->is_dirty = true;
    list(c, n);
}

static struct span *span_of(struct dp_catalog *c, struct dp_map *of, int64_t x, int64_t y, int64_t z, bool make) {
    const int64_t key[3] = {x, y, z};
    struct dp_str bytes = dp_str((const char *)key, sizeof key);
    struct dp_map_item *it = make ? dp_map_put(of, bytes, NULL) : dp_map_get(of, bytes);
    if (it && !it->v.p) {
        struct span *s = it->v.p = dp_arena_calloc(&c->cache_arena, 1, sizeof *s);
        *s = (struct span){.key = {x, y, z}, .first_at = INT64_MAX, .last_at = INT64_MIN};
    }
    return it ? it->v.p : NULL;
}

static void widen(struct span *s, int64_t first_at, int64_t last_at) {
    if (first_at < s->first_at) s->first_at = first_at;
    if (last_at > s->last_at) s->last_at = last_at;
}

static int by_key(const void *x, const void *y) {
    const struct span *p = *(struct span *const *)x, *q = *(struct span *const *)y;
    for (int i = 0; i < 3; i++)
        if (p->key[i] != q->key[i]) return p->key[i] < q->key[i] ? -1 : 1;
    return 0;
}

/* In the order of their keys, which is that of the pages they go to. */
static enum dp_status write_spans(struct adding *a, struct dp_map *of, bool edges) {
    struct span **v = dp_calloc(of->n + 1, sizeof(struct span *));
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < of->n; i++) v[i] = of->items[i].v.p;
    qsort(v, of->n, sizeof *v, by_key);
    for (size_t i = 0; i < of->n && status == DP_OK; i++) {
        const struct span *s = v[i];
        if (edges) status = run_st(a, ST_EDGE_PUT, "iiiiiiii", s->key[0], s->key[1], s->key[2], s->first_at, s->last_at, s->runs, s->failed, s->said);
        else status = run_st(a, ST_JOB_IO, "iiiiiiii", s->key[0], s->key[2], s->key[1], s->first_at, s->last_at, s->runs, s->failed, s->said);
    }
    free(v);
    dp_map_reset(of);
    return status;
}

static int by_id(const void *x, const void *y) {
    const struct node *p = *(struct node *const *)x, *q = *(struct node *const *)y;
    return p->id < q->id ? -1 : p->id > q->id;
}

enum dp_status dp_cat_flush(struct dp_catalog *c, struct dp_err *err) {
    struct adding a = {.c = c, .err = err};
    if (c->n_dirty) qsort(c->dirty, c->n_dirty, sizeof *c->dirty, by_id);
    for (size_t i = 0; i < c->n_dirty; i++) {
        struct node *n = c->dirty[i];
        bool is_dirty = n->is_dirty;
        n->is_dirty = n->is_told = n->is_listed = false;
        if (!is_dirty) continue;
        if (n->is_job) DP_TRY(run_st(&a, ST_JOB_SET, "iii", n->id, n->first_at, n->last_at));
        else DP_TRY(run_st(&a, ST_DATASET_SET, "iiiiii", n->id, n->first_at, n->last_at, n->schema, n->schema_at, n->schema_from));
    }
    c->n_dirty = 0;
    DP_TRY(write_spans(&a, &c->job_ios, false));
    return write_spans(&a, &c->edges, true);
}

static int64_t last_id(const struct adding *a) { return a->c->sq.last_insert_rowid(a->c->db); }
static int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t greatest(int64_t x, int64_t y) { return x > y ? x : y; }

static enum dp_status changed(struct adding *a, struct node *n) {
    if (n->is_told) return DP_OK;
    list(a->c, n);
    n->is_told = true;
    return run_st(a, ST_CHANGED, "si", dp_str_z(n->is_job ? "j" : "d"), n->id);
}

/* ---- nodes ---- */

static struct dp_str key_of(struct dp_catalog *c, struct dp_cat_name n) {
    dp_buf_reset(&c->work);
    dp_buf_adds(&c->work, n.name), dp_buf_addc(&c->work, 0), dp_buf_adds(&c->work, n.ns);
    return dp_buf_str(&c->work);
}

static void seen_at(struct adding *a, struct node *v, int64_t at) {
    if (at >= v->first_at && at <= v->last_at) return;
    v->first_at = least(v->first_at, at), v->last_at = greatest(v->last_at, at);
    set_dirty(a->c, v);
}

/* A dataset or job that was seen at the event's time. */
static enum dp_status node_at(struct adding *a, bool is_job, struct dp_cat_name n, struct node **out) {
    struct dp_catalog *c = a->c;
    bool is_new, found = true;
    int64_t at = a->e->at;
    struct dp_map_item *it = dp_map_put(is_job ? &c->jobs : &c->datasets, key_of(c, n), &is_new);
    struct node *v = *out = is_new ? dp_arena_calloc(&c->cache_arena, 1, sizeof *v) : it->v.p;
    it->v.p = v;
    v->is_job = is_job;
    if (is_new) DP_TRY(get_row(a, is_job ? ST_JOB_GET : ST_DATASET_GET, &v->id, is_job ? 3 : 6, &found, "ss", n.name, n.ns));
    if (!found) {
        DP_TRY(run_st(a, is_job ? ST_JOB_PUT : ST_DATASET_PUT, "ssi", n.name, n.ns, at));
        v->id = last_id(a), v->first_at = v->last_at = at;
        v->is_fresh = true;
        return changed(a, v);
    }
    seen_at(a, v, at);
    return DP_OK;
}

struct column { int64_t id, first_at; };

/* What a schema says of a column; schema 0: it is none that does. */
struct said { struct dp_str type, description; int64_t ordinal, schema; };

/* *made (may be NULL): it is new, and is as it is said. */
static enum dp_status field_at(struct adding *a, const struct node *of, struct dp_str name, const struct said *said, int64_t *id, bool *made) {
    static const struct said nothing = {.ordinal = -1};
    int64_t dataset = of->id;
    struct dp_catalog *c = a->c;
    bool is_new, found = true;
    dp_buf_reset(&c->work);
    dp_buf_add(&c->work, &dataset, sizeof dataset), dp_buf_adds(&c->work, name);
    struct dp_map_item *it = dp_map_put(&c->fields, dp_buf_str(&c->work), &is_new);
    struct column *v = is_new ? dp_arena_calloc(&c->cache_arena, 1, sizeof *v) : it->v.p;
    it->v.p = v;
    if (is_new && of->is_fresh) found = false;
    else if (is_new) DP_TRY(get_row(a, ST_FIELD_GET, &v->id, 2, &found, "is", dataset, name));
    if (!said) said = &nothing;
    if (made) *made = !found;
    if (!found) {
        DP_TRY(run_st(a, ST_FIELD_PUT, "isisisi", dataset, name, a->e->at, said->type, said->ordinal, said->description, said->schema));
        v->id = last_id(a), v->first_at = a->e->at;
        if (!of->is_fresh && !said->schema) DP_TRY(run_st(a, ST_CHANGED, "si", DP_STR("d"), dataset)); /* a schema says so itself */
    } else if (a->e->at < v->first_at) {
        v->first_at = a->e->at;
        DP_TRY(run_st(a, ST_FIELD_SEEN, "ii", v->id, a->e->at));
    }
    *id = v->id;
    return *id <= UINT32_MAX ? DP_OK : dp_err_set(a->err, DP_LIMIT, "store %s: more than %u columns", c->path, UINT32_MAX);
}

/* ---- facets ---- */

/* Of column lineage only that it is the same again: what it says is in flow, its words in the event, and it is the longest of all. */
static enum dp_status body_of(struct adding *a, struct dp_str text, bool is_flow, int64_t *id) {
    bool is_new, found = true;
    XXH128_hash_t h = XXH3_128bits(text.p, text.n);
    struct dp_str digest = dp_str((const char *)&h, sizeof h);
    struct dp_map_item *it = dp_map_put(&a->c->bodies, digest, &is_new);
    if (is_new) {
        DP_TRY(get_row(a, ST_BODY_GET, &it->v.i, 1, &found, "b", digest));
        if (!found) {
            DP_TRY(run_st(a, ST_BODY_PUT, "bs", digest, is_flow ? DP_STR("") : text));
            it->v.i = last_id(a);
        }
        a->c->cache_arena.used += 64; /* so that the cache is emptied some time */
    }
    *id = it->v.i;
    return DP_OK;
}

static uint32_t list_of(const struct dp_cat_event *e, uint32_t facet, const char *name) {
    uint32_t list = facet ? dp_json_member(e->r, facet, name) : 0;
    return dp_cat_is(e, list, DP_KIND_ARRAY) ? list : 0;
}

/* Tags, owners and other names are those of the latest facet; `since`: when it was first said as it is. */
static enum dp_status derive(struct adding *a, const char *kind, int64_t owner, struct dp_str key, uint32_t facet, int64_t since) {
    struct dp_cat_event *e = a->e;
    struct dp_str k = dp_str_z(kind);
    bool tags = dp_str_eqz(key, "tags"), owners = dp_str_eqz(key, "ownership"), links = dp_str_eqz(key, "symlinks") && *kind == 'd';
    if (!tags && !owners && !links) return DP_OK;
    if (links) DP_TRY(run_st(a, ST_SYMLINK_DROP, "i", owner));
    else DP_TRY(run_st(a, tags ? ST_TAG_DROP : ST_OWNER_DROP, "si", k, owner));
    uint32_t list = list_of(e, facet, tags ? "tags" : owners ? "owners" : "identifiers");
    for (uint32_t i = list + 1; list && i < e->r->nodes[list].next; i = e->r->nodes[i].next) {
        if (!dp_cat_is(e, i, DP_KIND_OBJECT)) continue;
        struct dp_str name = dp_cat_member_text(e, i, tags ? "key" : "name"), value = dp_cat_member_text(e, i, tags ? "value" : "namespace"), type = dp_cat_member_text(e, i, "type");
        if (!name.p || (!owners && !value.p)) continue;
        if (tags) {
            DP_TRY(run_st(a, ST_TAG_PUT, "sissssi", k, owner, dp_cat_member_text(e, i, "field"), name, value, dp_cat_member_text(e, i, "source"), since));
        } else if (owners) {
            DP_TRY(run_st(a, ST_OWNER_PUT, "sissi", k, owner, name, type, since));
        } else {
            struct node *other;
            DP_TRY(node_at(a, false, (struct dp_cat_name){value, name}, &other));
            if (other->id != owner) DP_TRY(run_st(a, ST_SYMLINK_PUT, "iisi", owner, other->id, type, since));
        }
    }
    return DP_OK;
}

struct latest { int64_t at, body; bool found; };

/* When a facet was said last, and what; owned by the store's memory but for that of a run, which is *own. */
static enum dp_status latest_of(struct adding *a, const char *kind, int64_t owner, const struct node *of, struct dp_str key, struct latest *own, struct latest **out) {
    struct dp_catalog *c = a->c;
    int64_t v[2] = {0};
    bool is_new, none = *kind == 'r' ? !a->run_found : of && of->is_fresh;
    *out = own, *own = (struct latest){0};
    if (*kind != 'r') {
        dp_buf_reset(&c->work);
        dp_buf_add(&c->work, &owner, sizeof owner), dp_buf_addc(&c->work, *kind), dp_buf_adds(&c->work, key);
        struct dp_map_item *it = dp_map_put(&c->facets, dp_buf_str(&c->work), &is_new);
        if (is_new) it->v.p = dp_arena_calloc(&c->cache_arena, 1, sizeof **out);
        *out = it->v.p;
        if (!is_new) return DP_OK;
    }
    if (!none) DP_TRY(get_row(a, ST_FACET_LAST, v, 2, &(*out)->found, "sis", dp_str_z(kind), owner, key));
    (*out)->at = v[0], (*out)->body = v[1];
    return DP_OK;
}

/* `of`: the dataset or job, NULL of a run. */
static enum dp_status facet_at(struct adding *a, const char *kind, int64_t owner, struct node *of, struct dp_str key, uint32_t facet) {
    struct dp_str k = dp_str_z(kind);
    int64_t body = 0, since = a->e->at;
    struct latest own, *now;
    bool any;
    bool is_flow = dp_str_eqz(key, "columnLineage");
    if (!dp_cat_is_deleted(a->e, facet)) DP_TRY(body_of(a, dp_node_str(a->e->r, facet), is_flow, &body));
    DP_TRY(latest_of(a, kind, owner, of, key, &own, &now));
    const int64_t last[2] = {now->at, now->body};
    bool found = now->found;
    if (found && last[0] == a->e->at && last[1] == body) return DP_OK;
    DP_TRY(run_st(a, ST_FACET_PUT, "sisiii", k, owner, key, a->e->at, a->run, body));
    if (!found || a->e->at >= last[0]) *now = (struct latest){a->e->at, body, true};
    if (*kind != 'd' && *kind != 'j') return DP_OK;
    if (found && last[1] == body && a->e->at > last[0]) return DP_OK; /* said again */
    if (found && a->e->at < last[0] && last[1] != body) return DP_OK;     /* overwritten already */
    if (body && found) DP_TRY(get_row(a, ST_FACET_SINCE, &since, 1, &any, "sisi", k, owner, key, body));
    DP_TRY(changed(a, of));
    return derive(a, kind, owner, key, body ? facet : 0, since);
}

static enum dp_status facets_at(struct adding *a, const char *kind, int64_t owner, struct node *of, uint32_t facets) {
    const struct dp_cat_event *e = a->e;
    for (uint32_t k = facets + 1; facets && k < e->r->nodes[facets].next; k = e->r->nodes[k].next)
        if (dp_cat_is(e, k + 1, DP_KIND_OBJECT)) DP_TRY(facet_at(a, kind, owner, of, dp_cat_text(e, k), k + 1));
    return DP_OK;
}

/* ---- schemas ---- */

static enum dp_status fields_at(struct adding *a, const struct node *d, uint32_t list, struct dp_str prefix, int64_t body, const struct node *now, unsigned depth) {
    struct dp_cat_event *e = a->e;
    int64_t place = 0;
    for (uint32_t i = list + 1; list && i < e->r->nodes[list].next; i = e->r->nodes[i].next) {
        int64_t id, ordinal = -1;
        place++;
        struct dp_str name = dp_cat_is(e, i, DP_KIND_OBJECT) ? dp_cat_member_text(e, i, "name") : dp_str(NULL, 0);
        if (!name.p) continue;
        if (prefix.p) {
            char *path = dp_arena_alloc(e->arena, prefix.n + name.n + 1);
            memcpy(path, prefix.p, prefix.n), path[prefix.n] = '.', memcpy(path + prefix.n + 1, name.p, name.n);
            name = dp_str(path, prefix.n + name.n + 1);
        }
        uint32_t at = dp_json_member(e->r, i, "ordinal_position"), inner = list_of(e, i, "fields");
        if (!at || !dp_json_get_i64(e->r, at, &ordinal) || ordinal < 0) ordinal = place;
        const struct said said = {dp_cat_member_text(e, i, "type"), dp_cat_member_text(e, i, "description"), ordinal, body};
        bool made;
        DP_TRY(field_at(a, d, name, &said, &id, &made));
        if (!made) DP_TRY(run_st(a, ST_FIELD_SCHEMA, "isisiiii", id, said.type, ordinal, said.description, body, e->at, now->schema, now->schema_at));
        if (inner && depth < DP_LIMIT_SCHEMA_DEPTH) DP_TRY(fields_at(a, d, inner, name, body, now, depth + 1));
    }
    return DP_OK;
}

/*
 * The dataset's schema is the one said latest.  Said again at the same or a later time it costs its time alone: a column of it holds as long as the schema does.  When another follows,
 * columns get the time at which they were seen last.
 */
static enum dp_status schema_at(struct adding *a, struct node *d, uint32_t facets) {
    struct dp_cat_event *e = a->e;
    uint32_t facet = facets ? dp_json_member(e->r, facets, "schema") : 0;
    int64_t body = 0;
    struct node before = *d;
    if (!dp_cat_is(e, facet, DP_KIND_OBJECT)) return DP_OK;
    bool gone = dp_cat_is_deleted(e, facet);
    if (!gone) DP_TRY(body_of(a, dp_node_str(e->r, facet), false, &body));
    else body = -1;
    if (d->schema == body && e->at >= d->schema_from) {
        if (e->at <= d->schema_at) return DP_OK;
        d->schema_at = e->at;
    } else if (!d->schema || e->at >= d->schema_at) {
        if (d->schema) DP_TRY(run_st(a, ST_FIELD_FLUSH, "iii", d->id, d->schema, d->schema_at));
        d->schema = body, d->schema_at = d->schema_from = e->at;
        DP_TRY(changed(a, d));
        before.schema = 0;
        if (!gone) DP_TRY(fields_at(a, d, list_of(e, facet, "fields"), dp_str(NULL, 0), body, &before, 0));
    } else {
        if (d->schema == body) d->schema_from = e->at;
        if (!gone) DP_TRY(fields_at(a, d, list_of(e, facet, "fields"), dp_str(NULL, 0), body, &before, 0));
        if (d->schema != body) return DP_OK;
    }
    set_dirty(a->c, d);
    return DP_OK;
}

/* ---- runs ---- */

static int weight(enum dp_catalog_state s) { return s >= DP_STATE_COMPLETE ? 2 : s >= DP_STATE_START ? 1 : 0; }

enum { RUN_ID, RUN_JOB, RUN_STATE, RUN_STATE_AT, RUN_STARTED, RUN_ENDED, RUN_PARENT, RUN_ROOT, RUN_PARENT_AT, RUN_FIRST, RUN_LAST, RUN_N };
_Static_assert(RUN_N == sizeof ((struct adding *)0)->old / sizeof(int64_t), "a run's row");

static enum dp_status find_run(struct adding *a, struct dp_str uuid) { return get_row(a, ST_RUN_GET, a->old, RUN_N, &a->run_found, "s", uuid); }

/* Its row as it is now. */
static enum dp_status write_run(struct adding *a, struct dp_str uuid, int64_t job, int64_t state, int64_t state_at, int64_t started, int64_t ended) {
    if (a->run_found) return run_st(a, ST_RUN_SET, "iiiiiiii", a->run, job, state, state_at, started, ended, a->first_at, a->last_at);
    DP_TRY(run_st(a, ST_RUN_PUT, "siiiiiii", uuid, job, state, state_at, started, ended, a->first_at, a->last_at));
    a->run = last_id(a);
    return DP_OK;
}

/* The run that was found, or not; what was declared without a run has one of its own. */
static enum dp_status run_at(struct adding *a, struct dp_str uuid) {
    const struct dp_cat_event *e = a->e;
    int64_t *v = a->old;
    bool found = a->run_found;
    a->run = v[RUN_ID];
    bool met = found && v[RUN_STATE_AT]; /* it was not only named as a parent */
    a->span_grew = found && (e->at < v[RUN_FIRST] || e->at > v[RUN_LAST]);
    a->first_at = met ? least(v[RUN_FIRST], e->at) : e->at, a->last_at = met ? greatest(v[RUN_LAST], e->at) : e->at;
    if (e->kind != DP_CAT_RUN_EVENT) return write_run(a, uuid, a->job, DP_STATE_DECLARED, e->at, INT64_MIN, INT64_MIN);
    a->had_failed = met && v[RUN_STATE] >= DP_STATE_FAIL;
    int was = met ? weight((enum dp_catalog_state)v[RUN_STATE]) : -1, is = weight(e->type);
    int64_t job = !met || e->at >= v[RUN_STATE_AT] || !v[RUN_JOB] ? a->job : v[RUN_JOB];
    if (is > was || (is == was && e->at >= v[RUN_STATE_AT])) {
        v[RUN_STATE] = e->type, v[RUN_STATE_AT] = e->at;
        v[RUN_ENDED] = is == 2 ? e->at : INT64_MIN;
    } else if (was < 2) {
        v[RUN_ENDED] = INT64_MIN;
    }
    a->has_failed = v[RUN_STATE] >= DP_STATE_FAIL;
    if (e->type == DP_STATE_START) v[RUN_STARTED] = met && v[RUN_STARTED] ? least(v[RUN_STARTED], e->at) : e->at;
    if (!v[RUN_STARTED]) v[RUN_STARTED] = INT64_MIN;
    return write_run(a, uuid, job, v[RUN_STATE], v[RUN_STATE_AT], v[RUN_STARTED], v[RUN_ENDED]);
}

/* A run that another names as its parent or root. */
static enum dp_status named_run(struct adding *a, struct dp_str uuid, struct dp_cat_name job, int64_t *id) {
    int64_t v[2] = {0};
    bool found;
    struct node *j = NULL;
    DP_TRY(get_row(a, ST_RUN_GET, v, 2, &found, "s", uuid));
    if (!found) {
        DP_TRY(run_st(a, ST_RUN_NAMED, "sii", uuid, (int64_t)DP_STATE_OTHER, a->e->at));
        v[0] = last_id(a);
    }
    *id = v[0];
    if (v[1] || !job.name.p) return DP_OK;
    DP_TRY(node_at(a, true, job, &j));
    return run_st(a, ST_RUN_JOB, "ii", v[0], j->id);
}

static enum dp_status parents_at(struct adding *a) {
    const struct dp_cat_event *e = a->e;
    int64_t parent = 0, root = 0;
    if (!e->parent.p) return DP_OK;
    DP_TRY(named_run(a, e->parent, e->parent_job, &parent));
    if (e->root.p) DP_TRY(named_run(a, e->root, e->root_job, &root));
    return run_st(a, ST_RUN_PARENT, "iiii", a->run, parent == a->run ? (int64_t)0 : parent, root, e->at);
}

/* ---- what a run reads and writes ---- */

static struct io *find_io(struct adding *a, int64_t dataset, int side) {
    if (a->n_io < 32) {
        for (size_t i = 0; i < a->n_io; i++)
            if (a->io[i].dataset == dataset && a->io[i].side == side) return &a->io[i];
        return NULL;
    }
    while (a->io_of.n < a->n_io) { /* catches up */
        const struct io *x = &a->io[a->io_of.n];
        int64_t key[2] = {x->dataset, x->side};
        dp_map_put(&a->io_of, dp_str((const char *)key, sizeof key), NULL)->v.u = a->io_of.n - 1;
    }
    int64_t key[2] = {dataset, side};
    struct dp_map_item *it = dp_map_get(&a->io_of, dp_str((const char *)key, sizeof key));
    return it ? &a->io[it->v.u] : NULL;
}

static struct io *append_io(struct adding *a, struct io x) {
    a->io = dp_grow(a->io, &a->cap_io, a->n_io + 1, sizeof *a->io);
    a->io[a->n_io] = x;
    return &a->io[a->n_io++];
}

static enum dp_status load_io(struct adding *a) {
    struct dp_catalog *c = a->c;
    int64_t v[4];
    enum dp_status status = DP_OK;
    int rc = dp_cat_kept(c, ST_IO_LIST, statements[ST_IO_LIST]);
    if (rc != SQ_OK) return dp_cat_failed(c, rc, a->err);
    void *st = c->st[ST_IO_LIST];
    c->sq.bind_int64(st, 1, a->run);
    while (dp_cat_next(c, st, &status, a->err)) {
        for (int i = 0; i < 4; i++) v[i] = c->sq.column_int64(st, i);
        append_io(a, (struct io){.dataset = v[0], .side = (int)v[1], .flow = v[2], .flow_at = c->sq.column_type(st, 3) == SQ_NULL ? INT64_MIN : v[3], .is_written = true});
    }
    c->sq.reset(st);
    return status;
}

/* A job that read or wrote a dataset. */
static void job_io_at(struct adding *a, int64_t job, int64_t dataset, int64_t side) { widen(span_of(a->c, &a->c->job_ios, job, side, dataset, true), a->e->at, a->e->at); }

/* What is new of the run, once all of it is known. */
static enum dp_status write_io(struct adding *a) {
    for (size_t i = 0; i < a->n_io; i++) {
        struct io *x = &a->io[i];
        if (x->is_written) continue;
        x->is_written = true;
        DP_TRY(run_st(a, ST_IO_PUT, "iiisiiiiiii", a->run, x->dataset, (int64_t)x->side, x->version, x->version_at, x->rows, x->bytes, x->files, x->stat_at, x->flow, x->flow_at));
    }
    return DP_OK;
}

static struct io *io_at(struct adding *a, int64_t dataset, int side) {
    struct io *x = find_io(a, dataset, side);
    if (!x)
        x = append_io(a, (struct io){.dataset = dataset, .side = side, .flow_at = INT64_MIN, .version_at = INT64_MIN, .stat_at = INT64_MIN, .rows = -1, .bytes = -1, .files = -1, .is_new = true});
    if (a->job && side != SIDE_SAID) job_io_at(a, a->job, dataset, side);
    return x;
}

/* What is declared holds, whatever becomes of runs; so does what an event says that does not tell of a failure. */
static bool is_said(const struct adding *a) { return a->e->kind != DP_CAT_RUN_EVENT || a->e->type < DP_STATE_FAIL; }

/* An edge that was said as such. */
static void edge_at(struct adding *a, int64_t src, int64_t dst, int64_t job) {
    struct span *s = span_of(a->c, &a->c->edges, src, dst, job, true);
    widen(s, a->e->at, a->e->at);
    s->said |= is_said(a);
}

static void job_io_said(struct adding *a, int64_t job, int64_t dataset, int64_t side) {
    job_io_at(a, job, dataset, side);
    span_of(a->c, &a->c->job_ios, job, side, dataset, true)->said |= is_said(a);
}

/* By how much this event changes the number of failed runs of what the run has. */
static int more_failed(const struct adding *a, bool is_new) { return (int)a->has_failed - (int)(!is_new && a->had_failed); }

static void count(struct adding *a, struct span *s, bool is_new) {
    bool is_run = a->e->kind == DP_CAT_RUN_EVENT;
    s->runs += is_new && is_run;
    s->failed += more_failed(a, is_new);
    s->said |= !is_run;
}

/* The run's own, which is there already where neither end is new. */
static enum dp_status run_edge(struct adding *a, int64_t src, int64_t dst, bool is_new) {
    bool counts = is_new || more_failed(a, false);
    struct span *s = span_of(a->c, &a->c->edges, src, dst, a->job, counts);
    if (!counts && !a->span_grew) return DP_OK;
    if (!s) return run_st(a, ST_EDGE_SPAN, "iiiii", src, dst, a->job, a->first_at, a->last_at);
    widen(s, a->first_at, a->last_at);
    if (counts) count(a, s, is_new);
    return DP_OK;
}

/* From each input of the run to each of its outputs. */
static enum dp_status edges_at(struct adding *a) {
    uint64_t n[3] = {0};
    for (size_t i = 0; i < a->n_io; i++) n[a->io[i].side]++;
    if (n[DP_SIDE_IN] * n[DP_SIDE_OUT] > DP_LIMIT_LINEAGE_PAIRS)
        return dp_err_set(a->err, DP_LIMIT, "a run of %llu inputs and %llu outputs: more than %u pairs (DP_LIMIT_LINEAGE_PAIRS)", (unsigned long long)n[DP_SIDE_IN], (unsigned long long)n[DP_SIDE_OUT], DP_LIMIT_LINEAGE_PAIRS);
    for (size_t i = 0; i < a->n_io; i++) {
        const struct io *in = &a->io[i];
        bool counts = a->job && in->side != SIDE_SAID && (in->is_new || more_failed(a, false));
        if (counts) count(a, span_of(a->c, &a->c->job_ios, a->job, in->side, in->dataset, true), in->is_new);
        if (in->flow && a->span_grew) DP_TRY(run_st(a, ST_FLOW_SPAN, "iii", in->flow, a->first_at, a->last_at));
        for (size_t k = 0; in->side == DP_SIDE_IN && k < a->n_io; k++) {
            const struct io *out = &a->io[k];
            if (out->side != DP_SIDE_OUT) continue;
            DP_TRY(run_edge(a, in->dataset, out->dataset, in->is_new || out->is_new));
        }
    }
    return DP_OK;
}

/* ---- column lineage ---- */

/* What a text of column lineage came to, for the next event that says it. */
struct flow { int64_t id, least_at; size_t n_src; struct node **src; };

static int by_place(const void *x, const void *y) {
    const struct dp_catalog_flow_edge *p = x, *q = y;
    if (p->dst != q->dst) return p->dst < q->dst ? -1 : 1;
    return p->src < q->src ? -1 : p->src > q->src;
}

static bool carries(uint32_t how) { return (how & (DP_HOW_IDENTITY | DP_HOW_TRANSFORMATION | DP_HOW_AGGREGATION)) || !(how & DP_HOW_ALL_INDIRECT); }

/* Two ways between the same columns: masked where each that carries values is; one that only chooses rows shows none. */
static uint32_t both(uint32_t x, uint32_t y) {
    uint32_t mask = carries(x) == carries(y) ? x & y : carries(x) ? x : y;
    return ((x | y) & ~(uint32_t)DP_HOW_MASKING) | (mask & DP_HOW_MASKING);
}

/* Sorted, each pair once: all ways together. */
static size_t pack(struct dp_catalog_flow_edge *v, size_t n) {
    size_t k = 0;
    qsort(v, n, sizeof *v, by_place);
    for (size_t i = 0; i < n; i++) {
        if (!k || by_place(&v[k - 1], &v[i])) v[k++] = v[i];
        else v[k - 1].how = both(v[k - 1].how, v[i].how);
    }
    return k;
}

static enum dp_status edges_of(struct adding *a, const struct dp_cat_dataset *d, const struct node *dataset, struct dp_buf *edges, struct flow *f) {
    struct dp_map seen = {0};
    enum dp_status status = DP_OK;
    f->src = dp_arena_alloc(&a->c->cache_arena, (d->n_refs + d->n_from + 1) * sizeof *f->src);
    for (size_t i = 0; i < d->n_refs + d->n_from && status == DP_OK; i++) {
        const struct dp_cat_ref *ref = i < d->n_refs ? &d->refs[i] : NULL;
        struct node *from;
        int64_t src = 0, dst = 0;
        bool is_new;
        status = node_at(a, false, ref ? ref->from : d->from[i - d->n_refs], &from);
        if (status == DP_OK && ref) status = field_at(a, from, ref->field, NULL, &src, NULL);
        if (status == DP_OK && ref && ref->to.p) status = field_at(a, dataset, ref->to, NULL, &dst, NULL);
        if (status) break;
        dp_map_put(&seen, dp_str((const char *)&from->id, sizeof from->id), &is_new);
        if (is_new) f->src[f->n_src++] = from;
        struct dp_catalog_flow_edge edge = {(uint32_t)dst, (uint32_t)src, (uint32_t)from->id, ref ? ref->how : 0};
        if (ref) dp_buf_add(edges, &edge, sizeof edge);
    }
    dp_map_release(&seen);
    if (edges->n) edges->n = pack((struct dp_catalog_flow_edge *)(void *)edges->p, edges->n / sizeof(struct dp_catalog_flow_edge)) * sizeof(struct dp_catalog_flow_edge);
    return status;
}

/* *made: it is new, and counts the run. */
static enum dp_status flow_row(struct adding *a, int64_t dataset, int64_t job, const struct dp_buf *edges, const struct flow *f, int64_t *id, bool *made) {
    bool found = false;
    XXH128_hash_t h = XXH3_128bits(edges->p, edges->n);
    struct dp_str digest = dp_str((const char *)&h, sizeof h);
    *id = 0;
    if (!edges->n) return DP_OK;
    if (!job || !a->job_is_new || a->n_flows++) DP_TRY(get_row(a, ST_FLOW_GET, id, 1, &found, "iib", dataset, job, digest));
    if (found) return DP_OK;
    *made = true;
    DP_TRY(run_st(a, ST_FLOW_PUT, "iibiib", dataset, job, digest, a->first_at, a->last_at, dp_buf_str(edges)));
    *id = last_id(a);
    for (size_t i = 0; i < f->n_src; i++) DP_TRY(run_st(a, ST_FLOW_SRC, "ii", f->src[i]->id, *id));
    return DP_OK;
}

static enum dp_status let_go(struct adding *a, int64_t flow) {
    dp_map_reset(&a->c->flows); /* its id may be gone */
    DP_TRY(write_io(a));
    DP_TRY(run_st(a, ST_FLOW_RUNS, "ii", flow, (int64_t)-1));
    DP_TRY(run_st(a, ST_FLOW_DROP, "i", flow));
    DP_TRY(run_st(a, ST_FLOW_DROP_SRC, "i", flow));
    return run_st(a, ST_FLOW_AGAIN, "i", flow);
}

static struct dp_str flow_key(struct adding *a, const struct dp_cat_dataset *d, int64_t dataset, int64_t job) {
    const struct dp_cat_event *e = a->e;
    dp_buf_reset(&a->c->work);
    dp_buf_add(&a->c->work, &dataset, sizeof dataset), dp_buf_add(&a->c->work, &job, sizeof job);
    for (int i = 0; i < 2; i++) {
        uint32_t f = dp_json_member(e->r, d->facets, i ? "lineage" : "columnLineage");
        struct dp_str text = f ? dp_node_str(e->r, f) : DP_STR("");
        XXH128_hash_t h = XXH3_128bits(text.p, text.n);
        dp_buf_add(&a->c->work, &h, sizeof h);
    }
    return dp_buf_str(&a->c->work);
}

/* Which the run has now; what it had is let go. */
static enum dp_status set_flow(struct adding *a, size_t io, int64_t job, struct flow *f, const struct dp_buf *edges) {
    struct io *x = &a->io[io];
    int64_t old = x->flow, id = f->id;
    bool made = false;
    if (a->e->at < x->flow_at) return DP_OK;
    if (!id && edges) DP_TRY(flow_row(a, x->dataset, job, edges, f, &id, &made));
    f->id = id;
    if (id == old && x->flow_at != INT64_MIN && a->e->at == x->flow_at) return DP_OK;
    x->flow = id, x->flow_at = a->e->at;
    if (x->is_written) DP_TRY(run_st(a, ST_IO_FLOW, "iiiii", a->run, x->dataset, (int64_t)x->side, id, a->e->at));
    if (id == old) return DP_OK;
    if (id && !made) DP_TRY(run_st(a, ST_FLOW_RUNS, "ii", id, (int64_t)1));
    if (id && !made) DP_TRY(run_st(a, ST_FLOW_SPAN, "iii", id, a->first_at, a->last_at));
    return old ? let_go(a, old) : DP_OK;
}

static enum dp_status flow_at(struct adding *a, const struct dp_cat_dataset *d, const struct node *own_node) {
    int64_t dataset = own_node->id;
    struct dp_catalog *c = a->c;
    bool said = d->inner || (d->side == DP_SIDE_IN && a->e->kind != DP_CAT_DATASET_EVENT), is_new = true;
    int64_t job = d->side == DP_SIDE_IN ? 0 : a->job;
    struct dp_buf edges = {0};
    struct flow own = {0}, *f = &own;
    enum dp_status status = DP_OK;
    if (!d->says_flow) return DP_OK;
    if (!d->inner) {
        struct dp_map_item *it = dp_map_put(&c->flows, flow_key(a, d, dataset, job), &is_new);
        if (is_new) it->v.p = dp_arena_calloc(&c->cache_arena, 1, sizeof *f);
        f = it->v.p;
    }
    bool known = !is_new && f->least_at <= a->e->at && f->id;
    if (!known) {
        *f = (struct flow){.least_at = a->e->at};
        DP_TRY_OUT(edges_of(a, d, own_node, &edges, f));
    }
    for (size_t i = 0; i < f->n_src; i++) {
        struct node *n = f->src[i];
        if (known) seen_at(a, n, a->e->at);
        if (said) edge_at(a, n->id, dataset, job);
        else io_at(a, n->id, DP_SIDE_IN);
    }
    struct io *x = io_at(a, dataset, said ? SIDE_SAID : DP_SIDE_OUT);
    status = set_flow(a, (size_t)(x - a->io), job, f, known ? NULL : &edges);
out:
    dp_buf_release(&edges);
    return status;
}

/* ---- datasets ---- */

static int64_t number_of(const struct dp_cat_event *e, uint32_t facet, const char *name) {
    int64_t v;
    uint32_t node = dp_json_member(e->r, facet, name);
    return node && dp_json_get_i64(e->r, node, &v) && v >= 0 ? v : -1;
}

static enum dp_status figures_at(struct adding *a, const struct dp_cat_dataset *d, struct io *x) {
    int64_t dataset = x->dataset;
    const struct dp_cat_event *e = a->e;
    int64_t side = d->side;
    uint32_t version = d->facets ? dp_json_member(e->r, d->facets, "version") : 0;
    if (dp_cat_is(e, version, DP_KIND_OBJECT)) {
        struct dp_str text = dp_cat_member_text(e, version, "datasetVersion");
        if (text.p && !x->is_written) x->version = text, x->version_at = e->at;
        else if (text.p) DP_TRY(run_st(a, ST_IO_VERSION, "iiisi", a->run, dataset, side, text, e->at));
    }
    uint32_t stat = d->io_facets ? dp_json_member(e->r, d->io_facets, side ? "outputStatistics" : "inputStatistics") : 0;
    bool metrics = !stat && d->io_facets && !side;
    if (metrics) stat = dp_json_member(e->r, d->io_facets, "dataQualityMetrics");
    if (!dp_cat_is(e, stat, DP_KIND_OBJECT)) return DP_OK;
    int64_t rows = number_of(e, stat, "rowCount"), bytes = number_of(e, stat, metrics ? "bytes" : "size"), files = number_of(e, stat, "fileCount");
    if (rows < 0 && bytes < 0 && files < 0) return DP_OK;
    if (!x->is_written) return x->rows = rows, x->bytes = bytes, x->files = files, x->stat_at = e->at, DP_OK;
    return run_st(a, ST_IO_STAT, "iiiiiii", a->run, dataset, side, rows, bytes, files, e->at);
}

static enum dp_status life_at(struct adding *a, const struct dp_cat_dataset *d, int64_t dataset) {
    const struct dp_cat_event *e = a->e;
    uint32_t life = d->facets ? dp_json_member(e->r, d->facets, "lifecycleStateChange") : 0;
    if (!dp_cat_is(e, life, DP_KIND_OBJECT)) return DP_OK;
    struct dp_str word = dp_cat_member_text(e, life, "lifecycleStateChange");
    if (!word.p) return DP_OK;
    DP_TRY(run_st(a, ST_DATASET_LIFE, "isi", dataset, word, e->at));
    if (dp_str_eqz(word, "DROP")) return run_st(a, ST_DATASET_DROP, "iii", dataset, e->at, a->run);
    uint32_t before = dp_str_eqz(word, "RENAME") ? dp_json_member(e->r, life, "previousIdentifier") : 0;
    if (!dp_cat_is(e, before, DP_KIND_OBJECT)) return DP_OK;
    struct dp_cat_name n = {dp_cat_member_text(e, before, "namespace"), dp_cat_member_text(e, before, "name")};
    struct node *old;
    if (!n.ns.p || !n.name.p) return DP_OK;
    DP_TRY(node_at(a, false, n, &old));
    if (old->id == dataset) return DP_OK;
    DP_TRY(run_st(a, ST_RENAME, "iii", old->id, dataset, e->at));
    edge_at(a, old->id, dataset, a->job);
    return run_st(a, ST_DATASET_DROP, "iii", old->id, e->at, a->run);
}

static enum dp_status dataset_at(struct adding *a, const struct dp_cat_dataset *d) {
    struct node *n;
    DP_TRY(node_at(a, false, d->id, &n));
    if (!d->inner) {
        struct io *x = io_at(a, n->id, (int)d->side);
        DP_TRY(figures_at(a, d, x));
        DP_TRY(facets_at(a, "d", n->id, n, d->facets));
        DP_TRY(facets_at(a, d->side ? "o" : "i", n->id, n, d->io_facets));
        DP_TRY(schema_at(a, n, d->facets));
        DP_TRY(life_at(a, d, n->id));
    }
    return flow_at(a, d, n);
}

static enum dp_status link_end(struct adding *a, struct dp_cat_name n, bool is_job, int64_t *id) {
    struct node *v;
    *id = a->job;
    if (!n.name.p) return DP_OK;
    DP_TRY(node_at(a, is_job, n, &v));
    *id = v->id;
    return DP_OK;
}

static enum dp_status links_at(struct adding *a) {
    const struct dp_cat_event *e = a->e;
    for (size_t i = 0; i < e->n_links; i++) {
        const struct dp_cat_link *l = &e->links[i];
        int64_t from, to, at = e->at;
        DP_TRY(link_end(a, l->from, l->from_job, &from));
        DP_TRY(link_end(a, l->to, l->to_job, &to));
        if (!from || !to) continue; /* "the event's own job" of an event that has none */
        if (l->from_job && l->to_job) {
            if (from != to) DP_TRY(run_st(a, ST_JOB_EDGE, "iii", from, to, at));
        } else if (l->from_job) {
            job_io_said(a, from, to, DP_SIDE_OUT);
        } else if (l->to_job) {
            job_io_said(a, to, from, DP_SIDE_IN);
        } else {
            edge_at(a, from, to, a->job);
            if (a->job) job_io_said(a, a->job, from, DP_SIDE_IN), job_io_said(a, a->job, to, DP_SIDE_OUT);
        }
    }
    return DP_OK;
}

/* ---- the event ---- */

static enum dp_status keep_event(struct adding *a, int64_t dataset, bool *is_new) {
    const struct dp_cat_event *e = a->e;
    DP_TRY(run_st(a, ST_EVENT, "biiiiiib", dp_str((const char *)e->digest, sizeof e->digest), e->at, (int64_t)e->type, e->kind == DP_CAT_RUN_EVENT ? a->run : (int64_t)0, a->job, dataset,
                  (int64_t)e->r->raw_n, e->packed));
    *is_new = a->c->sq.changes(a->c->db) > 0;
    return DP_OK;
}

static enum dp_status apply(struct adding *a) {
    const struct dp_cat_event *e = a->e;
    struct node *job = NULL, *own = NULL;
    bool is_new;
    char declared[32];
    if (e->kind != DP_CAT_DATASET_EVENT) {
        DP_TRY(node_at(a, true, e->job, &job));
        a->job = job->id;
        a->job_is_new = job->is_fresh && !job->is_met;
        job->is_met = true;
    } else {
        DP_TRY(node_at(a, false, e->datasets[0].id, &own));
    }
    snprintf(declared, sizeof declared, "%s %lld", job ? "job" : "dataset", (long long)(job ? job->id : own->id));
    if (e->kind != DP_CAT_RUN_EVENT) DP_TRY(find_run(a, dp_str_z(declared)));
    DP_TRY(run_at(a, e->kind == DP_CAT_RUN_EVENT ? e->uuid : dp_str_z(declared)));
    DP_TRY(keep_event(a, own ? own->id : 0, &is_new));
    if (!is_new) {
        a->c->repeated++;
        return DP_OK;
    }
    if (e->kind == DP_CAT_RUN_EVENT) DP_TRY(parents_at(a));
    if (job) DP_TRY(facets_at(a, "j", job->id, job, e->job_facets));
    if (e->run_facets) DP_TRY(facets_at(a, "r", a->run, NULL, e->run_facets));
    if (a->run_found) DP_TRY(load_io(a));
    for (size_t i = 0; i < e->n_datasets; i++) DP_TRY(dataset_at(a, &e->datasets[i]));
    DP_TRY(links_at(a));
    DP_TRY(write_io(a));
    return edges_at(a);
}

static enum dp_status begin(struct adding *a) {
    struct dp_catalog *c = a->c;
    long long version;
    if (c->in_transaction) return DP_OK;
    DP_TRY(dp_cat_sql(c, "BEGIN IMMEDIATE", a->err));
    c->in_transaction = true;
    DP_TRY(dp_cat_number(c, "PRAGMA data_version", &version, a->err));
    if (version != c->data_version) dp_cat_forget(c);
    c->data_version = version;
    return DP_OK;
}

/* Could it have more pairs than are allowed?  Then what it writes is made so that it can be undone alone. */
static enum dp_status is_wide(struct adding *a, bool *wide) {
    const struct dp_cat_event *e = a->e;
    int64_t n = 0;
    bool found;
    if (e->kind == DP_CAT_RUN_EVENT) DP_TRY(find_run(a, e->uuid));
    if (a->run_found) DP_TRY(get_row(a, ST_IO_COUNT, &n, 1, &found, "i", a->old[0]));
    uint64_t most = (uint64_t)n + e->n_datasets;
    for (size_t i = 0; i < e->n_datasets; i++) most += e->datasets[i].n_refs + e->datasets[i].n_from;
    *wide = most >= FEW_PAIRS || e->kind != DP_CAT_RUN_EVENT;
    return DP_OK;
}

/* *refused: the event alone is undone. */
static enum dp_status add(struct adding *a, bool *refused) {
    bool wide;
    DP_TRY(begin(a));
    DP_TRY(is_wide(a, &wide));
    if (wide) DP_TRY(dp_cat_flush(a->c, a->err)); /* so that what is remembered is this event's alone */
    if (wide) DP_TRY(dp_cat_sql(a->c, "SAVEPOINT one", a->err));
    enum dp_status status = apply(a);
    if (wide && status == DP_LIMIT) {
        struct dp_err none = DP_ERR_INIT;
        dp_cat_forget(a->c);
        *refused = dp_cat_sql(a->c, "ROLLBACK TO one; RELEASE one", &none) == DP_OK;
    }
    if (wide && status == DP_OK) status = dp_cat_sql(a->c, "RELEASE one", a->err);
    return status;
}

enum dp_status dp_catalog_put(struct dp_catalog *c, struct dp_cat_event *e, struct dp_err *err) {
    struct dp_err none = DP_ERR_INIT, fault = DP_ERR_INIT;
    struct adding a = {.c = c, .e = e, .err = &fault};
    bool refused = false;
    if (!err) err = &none;
    enum dp_status status = add(&a, &refused);
    free(a.io);
    dp_map_release(&a.io_of);
    if (status == DP_OK) return DP_OK;
    *err = fault;
    if (refused) return err->status = DP_FORMAT;
    if (c->in_transaction) c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->in_transaction = false;
    dp_cat_forget(c);
    return status == DP_FORMAT ? (err->status = DP_IO) : status; /* a store that is damaged is no fault of the event */
}

enum dp_status dp_catalog_add(struct dp_catalog *c, struct dp_str event, bool strict, size_t *warnings, struct dp_err *err) {
    struct dp_record r;
    struct dp_cat_event *e;
    struct dp_err none = DP_ERR_INIT;
    if (!err) err = &none;
    if (warnings) *warnings = 0;
    if (event.n > DP_LIMIT_RECORD_MAX) return dp_err_set(err, DP_FORMAT, "an event of more than %u bytes", DP_LIMIT_RECORD_MAX);
    if (!c->scan) c->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    if (!c->codec) c->codec = dp_codec_open();
    dp_arena_reset(&c->event_arena);
    dp_buf_reset(&c->text);
    dp_buf_adds(&c->text, event);
    memset(dp_buf_reserve(&c->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(c->scan, c->text.p, c->text.n, &r, err) != DP_OK) return err->status = DP_FORMAT;
    DP_TRY(dp_cat_event_ready(c->codec, &r, &c->event_arena, strict, &e, err));
    if (warnings) *warnings = e->warnings;
    return dp_catalog_put(c, e, err);
}

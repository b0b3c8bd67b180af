/*
 * The store of lineage as a graph (dp/io/catalog_graph.h): a query for each of its parts, filtered by time.
 * Facets are read with SQLite's own JSON functions: they were checked when they came.
 */
#include "catalog_priv.h"

#include <dp/io/catalog_graph.h>

#include <stdlib.h>
#include <string.h>

_Static_assert(DP_GRAPH_IDENTITY == (int)DP_HOW_IDENTITY && DP_GRAPH_JOIN == (int)DP_HOW_JOIN && DP_GRAPH_INDIRECT == (int)DP_HOW_INDIRECT, "one set of bits");

/* Numbers in the graph by those of the store. */
struct ids {
    uint32_t *of;
    size_t cap;
};

struct filling {
    struct dp_catalog *c;
    const struct dp_catalog_graph_conf *conf;
    struct dp_graph *g;
    struct ids datasets, jobs, fields;
    struct dp_err *err;
};

static void keep(struct ids *ids, int64_t id, uint32_t node) {
    if (id <= 0 || id >= INT32_MAX) return;
    size_t before = ids->cap;
    ids->of = dp_grow(ids->of, &ids->cap, (size_t)id + 1, sizeof *ids->of);
    for (size_t i = before; i < ids->cap; i++) ids->of[i] = DP_GRAPH_NONE;
    ids->of[id] = node;
}

static uint32_t node_of(const struct ids *ids, int64_t id) { return id > 0 && (uint64_t)id < ids->cap ? ids->of[id] : DP_GRAPH_NONE; }

static struct dp_str text_at(struct filling *f, void *st, int column) {
    struct dp_str s = dp_cat_str(f->c, st, column);
    return s.p ? dp_graph_text(f->g, s) : DP_STR("");
}

static int64_t until(const struct filling *f, int64_t at) { return at > f->conf->as_of ? f->conf->as_of : at; }

/* One row of an answer. */
typedef void row_fn(struct filling *f, void *st);

static enum dp_status each(struct filling *f, row_fn *fn, const char *sql) {
    void *st = NULL;
    enum dp_status status = dp_cat_query(f->c, &st, f->err, sql, "");
    const int64_t values[] = {f->conf->as_of, f->conf->runs, f->conf->with_failed};
    for (int i = 0; i < 3 && status == DP_OK; i++) f->c->sq.bind_int64(st, i + 1, values[i]); /* those that it has not are passed over */
    while (status == DP_OK && dp_cat_next(f->c, st, &status, f->err)) fn(f, st);
    f->c->sq.finalize(st);
    return status;
}

/* ---- nodes ---- */

static void on_dataset(struct filling *f, void *st) {
    uint32_t v = dp_graph_node(f->g, DP_GRAPH_DATASET, text_at(f, st, 1), text_at(f, st, 2));
    struct dp_graph_node *n = &f->g->nodes[v];
    keep(&f->datasets, dp_cat_i64(f->c, st, 0), v);
    n->first_at = dp_cat_i64(f->c, st, 3);
    n->state = dp_cat_i64(f->c, st, 4) ? DP_STR("dropped") : DP_STR("live");
    n->last_at = until(f, dp_cat_i64(f->c, st, 5));
}

static void on_job(struct filling *f, void *st) {
    static const char *const states[] = {"declared", "other", "start", "running", "complete", "fail", "abort"};
    uint32_t v = dp_graph_node(f->g, DP_GRAPH_JOB, text_at(f, st, 1), text_at(f, st, 2));
    struct dp_graph_node *n = &f->g->nodes[v];
    int64_t state = dp_cat_i64(f->c, st, 5);
    keep(&f->jobs, dp_cat_i64(f->c, st, 0), v);
    n->first_at = dp_cat_i64(f->c, st, 3);
    n->last_at = until(f, dp_cat_i64(f->c, st, 4));
    n->state = dp_str_z(states[state >= 0 && state <= 6 ? state : 0]);
}

static void on_field(struct filling *f, void *st) {
    uint32_t d = node_of(&f->datasets, dp_cat_i64(f->c, st, 1));
    if (d == DP_GRAPH_NONE) return;
    uint32_t v = dp_graph_column(f->g, d, text_at(f, st, 2));
    struct dp_graph_node *n = &f->g->nodes[v];
    keep(&f->fields, dp_cat_i64(f->c, st, 0), v);
    n->type = text_at(f, st, 3);
    n->ordinal = (uint32_t)dp_cat_i64(f->c, st, 4);
    n->text = text_at(f, st, 5);
    if (dp_cat_i64(f->c, st, 6)) n->state = DP_STR("gone");
}

static enum dp_status fill_nodes(struct filling *f) {
    DP_TRY(each(f, on_dataset,
        "SELECT d.id, d.ns, d.name, d.first_at, " GONE("d") " AND d.dropped_at <= ?1, coalesce((SELECT max(coalesce(r.ended_at, r.last_at)) FROM run_io i JOIN run r ON r.id = i.run"
        " WHERE i.dataset = d.id AND i.side = 1 AND r.state BETWEEN 2 AND 4 AND r.first_at <= ?1), 0) FROM dataset d WHERE d.first_at <= ?1"));
    DP_TRY(each(f, on_job,
        "SELECT j.id, j.ns, j.name, j.first_at, j.last_at, coalesce((SELECT r.state FROM run r WHERE r.job = j.id AND r.state > 0 AND r.first_at <= ?1"
        " ORDER BY r.first_at DESC, r.id DESC LIMIT 1), 0) FROM job j WHERE j.first_at <= ?1"));
    if (!f->conf->columns) return DP_OK;
    return each(f, on_field,
        "SELECT f.id, f.dataset, f.name, f.type, coalesce(f.ordinal, 0), f.description, f.schema IS NOT NULL AND f.schema IS NOT d.schema FROM field f JOIN dataset d ON d.id = f.dataset"
        " WHERE f.first_at <= ?1");
}

/* ---- edges ---- */

static void on_edge(struct filling *f, void *st) {
    struct dp_graph_edge e = {.src = node_of(&f->datasets, dp_cat_i64(f->c, st, 0)), .dst = node_of(&f->datasets, dp_cat_i64(f->c, st, 1)), .job = node_of(&f->jobs, dp_cat_i64(f->c, st, 2)),
        .first_at = dp_cat_i64(f->c, st, 3), .last_at = until(f, dp_cat_i64(f->c, st, 4)), .runs = (uint64_t)dp_cat_i64(f->c, st, 5)};
    dp_graph_edge(f->g, &e);
}

/* A job that only read, or only wrote. */
static void on_half(struct filling *f, void *st) {
    bool is_out = dp_cat_i64(f->c, st, 2) == DP_SIDE_OUT;
    uint32_t d = node_of(&f->datasets, dp_cat_i64(f->c, st, 1));
    struct dp_graph_edge e = {.src = is_out ? DP_GRAPH_NONE : d, .dst = is_out ? d : DP_GRAPH_NONE, .job = node_of(&f->jobs, dp_cat_i64(f->c, st, 0)),
        .first_at = dp_cat_i64(f->c, st, 3), .last_at = until(f, dp_cat_i64(f->c, st, 4))};
    dp_graph_edge(f->g, &e);
}

static void on_flow(struct filling *f, void *st) {
    struct dp_str packed = dp_cat_str(f->c, st, 2);
    uint32_t dataset = node_of(&f->datasets, dp_cat_i64(f->c, st, 0)), job = node_of(&f->jobs, dp_cat_i64(f->c, st, 1));
    for (size_t i = 0; dataset != DP_GRAPH_NONE && i + sizeof(struct dp_catalog_flow_edge) <= packed.n; i += sizeof(struct dp_catalog_flow_edge)) {
        struct dp_catalog_flow_edge e;
        memcpy(&e, packed.p + i, sizeof e);
        struct dp_graph_edge to = {.src = node_of(&f->fields, e.src), .dst = e.dst ? node_of(&f->fields, e.dst) : dataset, .job = job, .how = e.how & (DP_GRAPH_INDIRECT * 2u - 1),
            .masking = e.how & DP_HOW_MASKING, .first_at = dp_cat_i64(f->c, st, 3), .last_at = until(f, dp_cat_i64(f->c, st, 4))};
        if (to.src != DP_GRAPH_NONE && to.dst != DP_GRAPH_NONE) dp_graph_edge(f->g, &to);
    }
}

/* The latest run of each job, as a table of its own in a query. */
#define LATEST "WITH latest AS (SELECT job, run FROM (SELECT job, id AS run, row_number() OVER (PARTITION BY job ORDER BY first_at DESC, id DESC) AS place FROM run" \
               " WHERE job > 0 AND state > 0 AND (?3 OR state < 5) AND first_at <= ?1) WHERE place = 1) "

static enum dp_status fill_current(struct filling *f) {
    DP_TRY(each(f, on_edge,
        LATEST "SELECT e.src, e.dst, e.job, e.first_at, e.last_at, e.runs FROM latest l JOIN run_io i ON i.run = l.run AND i.side = 0 JOIN run_io o ON o.run = l.run AND o.side = 1"
               " JOIN edge e ON e.src = i.dataset AND e.dst = o.dataset AND e.job = l.job"));
    DP_TRY(each(f, on_half,
        LATEST "SELECT l.job, i.dataset, i.side, i.version_at, r.last_at FROM latest l JOIN run r ON r.id = l.run JOIN run_io i ON i.run = l.run"
               " WHERE NOT EXISTS (SELECT 1 FROM run_io o WHERE o.run = l.run AND o.side = 1 - i.side)"));
    if (!f->conf->columns) return DP_OK;
    return each(f, on_flow, LATEST "SELECT w.dataset, w.job, w.edges, w.first_at, w.last_at FROM latest l JOIN run_io i ON i.run = l.run JOIN flow w ON w.id = i.flow");
}

static enum dp_status fill_edges(struct filling *f) {
    if (f->conf->current) return fill_current(f);
    DP_TRY(each(f, on_edge, "SELECT src, dst, job, first_at, last_at, runs FROM edge e WHERE first_at <= ?1 AND (?3 OR " HOLDS("e") ")"));
    DP_TRY(each(f, on_half,
        "SELECT job, dataset, side, first_at, last_at FROM job_io x WHERE first_at <= ?1 AND (?3 OR " HOLDS("x") ")"
        " AND NOT EXISTS (SELECT 1 FROM job_io y WHERE y.job = x.job AND y.side = 1 - x.side AND y.first_at <= ?1 AND (?3 OR " HOLDS("y") "))"));
    if (!f->conf->columns) return DP_OK;
    return each(f, on_flow, "SELECT dataset, job, edges, first_at, last_at FROM flow w WHERE first_at <= ?1 AND (?3 OR " FLOW_HOLDS("w") ")");
}

/* ---- what is said of them ---- */

/* A dataset, one of its columns, or a job: kind, id, column's name. */
static uint32_t subject(struct filling *f, void *st) {
    struct dp_str kind = dp_cat_str(f->c, st, 0), field = dp_cat_str(f->c, st, 2);
    if (dp_str_eqz(kind, "j")) return node_of(&f->jobs, dp_cat_i64(f->c, st, 1));
    if (!dp_str_eqz(kind, "d")) return DP_GRAPH_NONE;
    uint32_t d = node_of(&f->datasets, dp_cat_i64(f->c, st, 1));
    return d == DP_GRAPH_NONE || !field.n ? d : dp_graph_find_column(f->g, d, field);
}

static void note(struct filling *f, void *st, enum dp_graph_what what) {
    uint32_t v = subject(f, st);
    if (v != DP_GRAPH_NONE) dp_graph_note(f->g, v, what, text_at(f, st, 3), text_at(f, st, 4));
}
static void on_tag(struct filling *f, void *st) { note(f, st, DP_GRAPH_TAG); }
static void on_owner(struct filling *f, void *st) { note(f, st, DP_GRAPH_OWNER); }
static void on_class(struct filling *f, void *st) { note(f, st, DP_GRAPH_CLASS); }

static void on_facet(struct filling *f, void *st) {
    uint32_t v = subject(f, st);
    if (v == DP_GRAPH_NONE) return;
    struct dp_str key = dp_cat_str(f->c, st, 3);
    if (dp_str_eqz(key, "documentation")) f->g->nodes[v].text = text_at(f, st, 4);
    else f->g->nodes[v].type = text_at(f, st, 4);
}

static enum dp_status fill_notes(struct filling *f) {
    DP_TRY(each(f, on_tag, "SELECT kind, owner, field, key, value FROM tag WHERE at <= ?1 AND (until IS NULL OR until > ?1)"));
    DP_TRY(each(f, on_owner, "SELECT kind, id, NULL, name, type FROM owner WHERE at <= ?1 AND (until IS NULL OR until > ?1)"));
    DP_TRY(each(f, on_class, "SELECT 'd', dataset, field, class, NULL FROM class WHERE at <= ?1 AND (until IS NULL OR until > ?1)"));
    return each(f, on_facet,
        "SELECT kind, owner, NULL, key, CASE key WHEN 'documentation' THEN json_extract(text, '$.description') WHEN 'storage' THEN"
        " lower(coalesce(json_extract(text, '$.storageLayer'), json_extract(text, '$.fileFormat'))) ELSE lower(json_extract(text, '$.processingType')) END"
        " FROM (SELECT kind, owner, key, body, row_number() OVER (PARTITION BY kind, owner, key ORDER BY at DESC) AS place FROM facet"
        " WHERE kind IN ('d', 'j') AND key IN ('documentation', 'storage', 'jobType') AND at <= ?1) JOIN body ON body.id = body WHERE place = 1");
}

/* ---- runs ---- */

static void on_run(struct filling *f, void *st) {
    static const char *const states[] = {"declared", "other", "start", "running", "complete", "fail", "abort"};
    bool of_dataset = dp_cat_i64(f->c, st, 0) != 0;
    int64_t state = dp_cat_i64(f->c, st, 3), rows = dp_cat_i64(f->c, st, 6), bytes = dp_cat_i64(f->c, st, 7);
    struct dp_graph_run r = {.node = node_of(of_dataset ? &f->datasets : &f->jobs, dp_cat_i64(f->c, st, 1)), .id = dp_cat_str(f->c, st, 2),
        .state = dp_str_z(states[state >= 0 && state <= 6 ? state : 0]), .started_at = dp_cat_i64(f->c, st, 4), .ended_at = dp_cat_i64(f->c, st, 5),
        .rows = rows < 0 ? UINT64_MAX : (uint64_t)rows, .bytes = bytes < 0 ? UINT64_MAX : (uint64_t)bytes};
    if (r.node != DP_GRAPH_NONE) dp_graph_run(f->g, &r);
}

static enum dp_status fill_runs(struct filling *f) {
    if (!f->conf->runs) return DP_OK;
    DP_TRY(each(f, on_run,
        "SELECT 0, job, uuid, state, coalesce(started_at, first_at), coalesce(ended_at, 0), -1, -1 FROM"
        " (SELECT *, row_number() OVER (PARTITION BY job ORDER BY first_at DESC, id DESC) AS place FROM run WHERE job > 0 AND state > 0 AND first_at <= ?1) WHERE place <= ?2"));
    return each(f, on_run,
        "SELECT 1, dataset, uuid, state, coalesce(started_at, first_at), coalesce(ended_at, 0), coalesce(rows, -1), coalesce(bytes, -1) FROM"
        " (SELECT i.dataset, i.rows, i.bytes, r.*, row_number() OVER (PARTITION BY i.dataset ORDER BY r.first_at DESC, r.id DESC) AS place FROM run_io i JOIN run r ON r.id = i.run"
        " WHERE i.side = 1 AND r.state > 0 AND r.first_at <= ?1) WHERE place <= ?2");
}

static void on_moment(struct filling *f, void *st) { f->g->as_of = dp_cat_i64(f->c, st, 0); }

enum dp_status dp_catalog_graph(struct dp_catalog *c, const struct dp_catalog_graph_conf *conf, struct dp_graph *g, struct dp_err *err) {
    struct filling f = {.c = c, .conf = conf, .g = g, .err = err};
    enum dp_status status = each(&f, on_moment, "SELECT coalesce(max(at), 0) FROM event WHERE at <= ?1");
    g->most_runs = (size_t)conf->runs;
    if (status == DP_OK) status = fill_nodes(&f);
    if (status == DP_OK) status = fill_edges(&f);
    if (status == DP_OK) status = fill_notes(&f);
    if (status == DP_OK) status = fill_runs(&f);
    free(f.datasets.of);
    free(f.jobs.of);
    free(f.fields.of);
    return status;
}

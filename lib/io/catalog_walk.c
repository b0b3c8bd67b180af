/*
 * Walks over the graph (dp/io/catalog_query.h): breadth first, from datasets or jobs along edges, from columns along the column edges of flows.
 *
 * A flow (the column edges that one job has into one dataset) is read once and its edges are hung to the columns that they leave from, so that a walk over a million of them is a
 * matter of milliseconds.  A column that is reached in a better way than before (its values, not only its rows) is gone on from again, at most once for each level.
 */
#include "catalog_priv.h"

#include <stdlib.h>

enum { Q_EDGE_DOWN, Q_EDGE_UP, Q_JOBS, Q_ENDS, Q_JOB_IO, Q_JOB_DOWN, Q_JOB_UP, Q_FLOW_DOWN, Q_FLOW_UP, Q_HAS_FLOW, Q_ALIAS, Q_LATEST, Q_LATEST_IO, Q_N };

static const char *const sqls[Q_N] = {
    [Q_EDGE_DOWN] = "SELECT dst, job, runs FROM edge e WHERE src = ?1 AND first_at <= ?2 AND (?4 OR " HOLDS("e") ")",
    [Q_EDGE_UP] = "SELECT src, job, 0 FROM edge e INDEXED BY edge_dst WHERE dst = ?1 AND first_at <= ?2 AND (?4 OR " HOLDS("e") ")",
    [Q_JOBS] = "SELECT job FROM job_io x INDEXED BY job_io_dataset WHERE dataset = ?1 AND side = ?3 AND first_at <= ?2 AND (?4 OR " HOLDS("x") ")",
    [Q_ENDS] = "SELECT job FROM job_io x INDEXED BY job_io_dataset WHERE dataset = ?1 AND side = 0 AND first_at <= ?2 AND (?4 OR " HOLDS("x") ")"
               " AND NOT EXISTS (SELECT 1 FROM job_io y WHERE y.job = x.job AND y.side = 1 AND y.first_at <= ?2 AND (?4 OR " HOLDS("y") "))",
    [Q_JOB_IO] = "SELECT dataset FROM job_io x WHERE job = ?1 AND side = ?3 AND first_at <= ?2 AND (?4 OR " HOLDS("x") ")",
    [Q_JOB_DOWN] = "SELECT dst FROM job_edge WHERE src = ?1 AND first_at <= ?2",
    [Q_JOB_UP] = "SELECT src FROM job_edge WHERE dst = ?1 AND first_at <= ?2",
    [Q_FLOW_DOWN] = "SELECT f.id, f.dataset, f.job, f.edges FROM flow_src s CROSS JOIN flow f ON f.id = s.flow WHERE s.src = ?1 AND f.first_at <= ?2 AND (?4 OR " FLOW_HOLDS("f") ")",
    [Q_FLOW_UP] = "SELECT id, dataset, job, edges FROM flow f WHERE dataset = ?1 AND first_at <= ?2 AND (?4 OR " FLOW_HOLDS("f") ")",
    [Q_HAS_FLOW] = "SELECT 1 FROM flow f WHERE dataset = ?1 AND first_at <= ?2 AND job = ?3 AND (?4 OR " FLOW_HOLDS("f") ") LIMIT 1",
    [Q_ALIAS] = "SELECT id FROM field WHERE dataset = ?1 AND name = (SELECT name FROM field WHERE id = ?2)",
    [Q_LATEST] = "SELECT id FROM run WHERE job = ?1 AND state > 0 AND (?4 OR state < 5) AND first_at <= ?2 ORDER BY first_at DESC, id DESC LIMIT 1",
    [Q_LATEST_IO] = "SELECT dataset, side, coalesce(flow, 0) FROM run_io WHERE run = ?1"};

struct link { int64_t to; uint32_t next, how, dataset, flow; }; /* of a column, or of all rows of a dataset; next: index + 1 */
struct flow { int64_t dataset, job; };
struct alias { int64_t a, b; bool rename; };
struct item { int64_t id; uint8_t level; }; /* id: a column; negative: all rows of a dataset */

struct walking {
    struct dp_catalog *c;
    const struct dp_walk_conf *conf;
    struct dp_walk *w;
    struct dp_err *err;
    uint32_t *dataset_at, *job_at, *field_at; /* index in w + 1; starts UINT32_MAX */
    uint32_t *of_field, *of_rows;             /* first link + 1 */
    uint8_t *loaded, *rows_level;             /* of datasets */
    int64_t max_dataset, max_job, max_field, max_flow;
    struct link *links;
    size_t n_links, cap_links;
    struct flow *flows;                        /* by id; dataset 0: not read */
    struct alias *aliases;
    size_t n_aliases, cap_aliases;
    struct dp_map current; /* (job, dataset, side) of latest runs -> flow; (job) alone -> it was looked at */
    bool has_job_edges, asks_silent; /* asks: what jobs did that say nothing of columns is told */
    struct item *queue;
    size_t n_queue, cap_queue;
};

/* ---- statements ---- */

static void *start(struct walking *k, int q, int64_t a, enum dp_status *status) {
    void *st = dp_cat_ask(k->c, DP_CAT_ST_WALKS + q, sqls[q], status, k->err);
    if (!st) return NULL;
    k->c->sq.bind_int64(st, 1, a);
    k->c->sq.bind_int64(st, 2, k->conf->as_of);
    k->c->sq.bind_int64(st, 4, k->conf->with_failed); /* statements without it pass it over */
    return st;
}

/* ---- the latest run of each job ---- */

static enum dp_status load_latest(struct walking *k, int64_t job) {
    int64_t key[3] = {job, -1, -1}, run = 0;
    bool is_new;
    enum dp_status status = DP_OK;
    dp_map_put(&k->current, dp_str((const char *)key, sizeof key), &is_new);
    if (!is_new) return DP_OK;
    void *st = start(k, Q_LATEST, job, &status);
    if (dp_cat_next_kept(k->c, st, &status, k->err)) run = dp_cat_i64(k->c, st, 0);
    if (status == DP_OK) st = start(k, Q_LATEST_IO, run, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        key[1] = dp_cat_i64(k->c, st, 0), key[2] = dp_cat_i64(k->c, st, 1);
        dp_map_put(&k->current, dp_str((const char *)key, sizeof key), NULL)->v.i = dp_cat_i64(k->c, st, 2);
    }
    return status;
}

static bool in_latest(struct walking *k, int64_t job, int64_t dataset, int64_t side, int64_t flow) {
    int64_t key[3] = {job, dataset, side};
    struct dp_map_item *it = dp_map_get(&k->current, dp_str((const char *)key, sizeof key));
    return it && (!flow || it->v.i == flow);
}

/* Is an edge (flow 0) or a flow among those that are asked for?  What no job did is always. */
static enum dp_status is_wanted(struct walking *k, int64_t job, int64_t src, int64_t dst, int64_t flow, bool *wanted) {
    *wanted = true;
    if (!k->conf->current || !job) return DP_OK;
    DP_TRY(load_latest(k, job));
    *wanted = (flow ? in_latest(k, job, dst, DP_SIDE_OUT, flow) || in_latest(k, job, dst, 2, flow) : in_latest(k, job, dst, DP_SIDE_OUT, 0) && in_latest(k, job, src, DP_SIDE_IN, 0));
    return DP_OK;
}

/* ---- nodes ---- */

static void better(struct dp_walk_node *v, uint8_t level) {
    if (level > v->level) v->level = level;
}

static uint32_t *place_of(struct walking *k, char kind, int64_t id) {
    if (id <= 0 || id > (kind == 'd' ? k->max_dataset : kind == 'j' ? k->max_job : k->max_field)) return NULL;
    return kind == 'd' ? &k->dataset_at[id] : kind == 'j' ? &k->job_at[id] : &k->field_at[id];
}

/* True: it is new.  Ids that the store does not have are passed over. */
static bool reach(struct walking *k, struct dp_walk_node n) {
    uint32_t *at = place_of(k, n.kind, n.id);
    if (!at || *at == UINT32_MAX) return false;
    if (*at) {
        better(&k->w->v[*at - 1], n.level);
        return false;
    }
    k->w->v = dp_grow(k->w->v, &k->w->cap, k->w->n + 1, sizeof *k->w->v);
    k->w->v[k->w->n++] = n;
    *at = (uint32_t)k->w->n;
    return true;
}

static void push(struct walking *k, int64_t id, uint8_t level) {
    k->queue = dp_grow(k->queue, &k->cap_queue, k->n_queue + 1, sizeof *k->queue);
    k->queue[k->n_queue++] = (struct item){id, level};
}

static int32_t depth_of(struct walking *k, char kind, int64_t id) {
    uint32_t *at = place_of(k, kind, id);
    return at && *at && *at != UINT32_MAX ? k->w->v[*at - 1].depth : 0;
}

/* ---- datasets and jobs ---- */

static void reach_dataset(struct walking *k, int64_t id, int32_t depth, int64_t from, int64_t job) {
    if (job) reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = depth, .level = DP_WALK_DIRECT, .from = from});
    if (reach(k, (struct dp_walk_node){.kind = 'd', .id = id, .depth = depth, .level = DP_WALK_DIRECT, .from = from, .by = job})) push(k, id, DP_WALK_DIRECT);
}

/* Datasets that a job writes (or reads), and those of jobs that follow it. */
static enum dp_status expand_job(struct walking *k, int64_t job, int32_t depth, int64_t from) {
    enum dp_status status = DP_OK;
    void *st = start(k, Q_JOB_IO, job, &status);
    if (st) k->c->sq.bind_int64(st, 3, k->conf->down ? DP_SIDE_OUT : DP_SIDE_IN);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t d = dp_cat_i64(k->c, st, 0);
        bool wanted = true;
        if (k->conf->current) {
            status = load_latest(k, job);
            wanted = in_latest(k, job, d, k->conf->down ? DP_SIDE_OUT : DP_SIDE_IN, 0);
        }
        if (wanted) reach_dataset(k, d, depth, from, job);
    }
    return status;
}

/* Jobs that hang on jobs are few: gone through from the first to those behind it. */
static enum dp_status follow_jobs(struct walking *k, size_t from) {
    enum dp_status status = DP_OK;
    for (size_t i = from; i < k->w->n && status == DP_OK && k->has_job_edges; i++) {
        struct dp_walk_node n = k->w->v[i];
        if (n.kind != 'j' || (k->conf->depth && n.depth >= k->conf->depth)) continue;
        void *st = start(k, k->conf->down ? Q_JOB_DOWN : Q_JOB_UP, n.id, &status);
        while (dp_cat_next_kept(k->c, st, &status, k->err)) {
            int64_t job = dp_cat_i64(k->c, st, 0);
            if (!reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = n.depth + 1, .level = DP_WALK_DIRECT, .by = n.id})) continue;
            struct dp_walk_node behind = k->w->v[k->w->n - 1];
            status = expand_job(k, behind.id, behind.depth, 0);
        }
    }
    return status;
}

static enum dp_status expand_dataset(struct walking *k, int64_t id, int32_t depth) {
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < k->n_aliases; i++)
        if (!k->aliases[i].rename && (k->aliases[i].a == id || k->aliases[i].b == id))
            reach_dataset(k, k->aliases[i].a == id ? k->aliases[i].b : k->aliases[i].a, depth, id, 0);
    if (k->conf->depth && depth >= k->conf->depth) return DP_OK;
    void *st = start(k, k->conf->down ? Q_EDGE_DOWN : Q_EDGE_UP, id, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t other = dp_cat_i64(k->c, st, 0), job = dp_cat_i64(k->c, st, 1);
        bool wanted;
        status = is_wanted(k, job, k->conf->down ? id : other, k->conf->down ? other : id, 0, &wanted);
        if (status == DP_OK && wanted) reach_dataset(k, other, depth + 1, id, job);
    }
    if (status == DP_OK) st = start(k, Q_JOBS, id, &status);
    if (status == DP_OK) k->c->sq.bind_int64(st, 3, k->conf->down ? DP_SIDE_IN : DP_SIDE_OUT);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t job = dp_cat_i64(k->c, st, 0);
        bool wanted = true;
        if (k->conf->current) {
            status = load_latest(k, job);
            wanted = in_latest(k, job, id, k->conf->down ? DP_SIDE_IN : DP_SIDE_OUT, 0);
        }
        if (wanted) reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = depth + 1, .level = DP_WALK_DIRECT, .from = id});
    }
    return status;
}

static enum dp_status walk_datasets(struct walking *k, const struct dp_catalog_node *starts, size_t n) {
    size_t jobs_at = 0;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        uint32_t *at = place_of(k, starts[i].kind == 'j' ? 'j' : 'd', starts[i].kind == 'j' ? starts[i].id : starts[i].dataset);
        if (at) *at = UINT32_MAX;
    }
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        if (starts[i].kind != 'j') {
            push(k, starts[i].dataset, DP_WALK_DIRECT);
            continue;
        }
        status = expand_job(k, starts[i].id, 1, 0);
        void *st = start(k, k->conf->down ? Q_JOB_DOWN : Q_JOB_UP, starts[i].id, &status);
        while (dp_cat_next_kept(k->c, st, &status, k->err)) {
            int64_t job = dp_cat_i64(k->c, st, 0);
            if (reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = 1, .level = DP_WALK_DIRECT, .by = starts[i].id})) status = expand_job(k, job, 1, 0);
        }
    }
    for (size_t i = 0; status == DP_OK; i++) {
        if (i == k->n_queue) { /* then what follows by jobs, which may lead to more datasets */
            size_t from = jobs_at;
            jobs_at = k->w->n;
            status = follow_jobs(k, from);
            if (i == k->n_queue) break;
        }
        if (status == DP_OK) status = expand_dataset(k, k->queue[i].id, depth_of(k, 'd', k->queue[i].id));
    }
    return status;
}

/* ---- columns ---- */

static void hang(struct walking *k, uint32_t *first, struct link l) {
    k->links = dp_grow(k->links, &k->cap_links, k->n_links + 1, sizeof *k->links);
    l.next = *first;
    k->links[k->n_links++] = l;
    *first = (uint32_t)k->n_links;
}

static void hang_flow(struct walking *k, int64_t flow, int64_t dataset, struct dp_str edges) {
    for (size_t i = 0; i + sizeof(struct dp_catalog_flow_edge) <= edges.n; i += sizeof(struct dp_catalog_flow_edge)) {
        struct dp_catalog_flow_edge e;
        memcpy(&e, edges.p + i, sizeof e);
        if (e.src > k->max_field || e.dst > k->max_field || !e.src || e.src_dataset > k->max_dataset) continue;
        struct link l = {.how = e.how, .flow = (uint32_t)flow};
        if (k->conf->down) {
            l.to = e.dst ? (int64_t)e.dst : -dataset;
            l.dataset = (uint32_t)dataset;
            hang(k, &k->of_field[e.src], l);
        } else {
            l.to = e.src;
            l.dataset = e.src_dataset;
            hang(k, e.dst ? &k->of_field[e.dst] : &k->of_rows[dataset], l);
        }
    }
}

static enum dp_status load_flows(struct walking *k, int64_t dataset) {
    enum dp_status status = DP_OK;
    if (k->loaded[dataset]) return DP_OK;
    k->loaded[dataset] = 1;
    void *st = start(k, k->conf->down ? Q_FLOW_DOWN : Q_FLOW_UP, dataset, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t id = dp_cat_i64(k->c, st, 0), to = dp_cat_i64(k->c, st, 1), job = dp_cat_i64(k->c, st, 2);
        bool wanted = true;
        if (id <= 0 || id > k->max_flow || to <= 0 || to > k->max_dataset || k->flows[id].dataset) continue;
        if (k->conf->current) status = is_wanted(k, job, dataset, to, id, &wanted);
        if (status || !wanted) continue;
        k->flows[id] = (struct flow){to, job};
        hang_flow(k, id, to, dp_cat_str(k->c, st, 3));
    }
    return status;
}

static uint8_t level_by(uint8_t level, uint32_t how) {
    uint8_t most = (how & ~(uint32_t)(DP_HOW_ALL_INDIRECT | DP_HOW_MASKING)) == 0 && (how & DP_HOW_ALL_INDIRECT) ? DP_WALK_INDIRECT : how & DP_HOW_MASKING ? DP_WALK_MASKED : DP_WALK_DIRECT;
    return level < most ? level : most;
}

/* A column at a level that is better than it had goes on its way. */
static void reach_column(struct walking *k, int64_t id, int64_t dataset, uint8_t level, int32_t depth, int64_t from, int64_t job) {
    uint32_t *at = place_of(k, 'c', id);
    if (!at || *at == UINT32_MAX) return;
    uint8_t before = *at ? k->w->v[*at - 1].level : 0;
    if (job) reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = depth, .level = level, .from = from});
    reach(k, (struct dp_walk_node){.kind = 'd', .id = dataset, .depth = depth, .level = level, .by = job});
    reach(k, (struct dp_walk_node){.kind = 'c', .id = id, .dataset = dataset, .depth = depth, .level = level, .from = from, .by = job});
    if (level > before) push(k, id, level);
}

static void reach_rows(struct walking *k, int64_t dataset, uint8_t level, int32_t depth, int64_t from, int64_t job) {
    if (job) reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = depth, .level = level, .from = from});
    if (dataset <= 0 || dataset > k->max_dataset) return;
    reach(k, (struct dp_walk_node){.kind = 'd', .id = dataset, .depth = depth, .level = level, .by = job});
    if (level <= k->rows_level[dataset]) return;
    k->rows_level[dataset] = level;
    push(k, -dataset, level);
}

static void follow(struct walking *k, uint32_t first, uint8_t level, int32_t depth, int64_t from) {
    for (uint32_t i = first; i; i = k->links[i - 1].next) {
        const struct link l = k->links[i - 1];
        const struct flow *f = &k->flows[l.flow];
        uint8_t to = level_by(level, l.how);
        if (k->conf->values && (to == DP_WALK_INDIRECT || (l.to < 0 && to > DP_WALK_INDIRECT))) continue;
        if (l.to < 0) reach_rows(k, -l.to, to < DP_WALK_INDIRECT ? to : DP_WALK_INDIRECT, depth + 1, from, f->job);
        else reach_column(k, l.to, l.dataset, to, depth + 1, from, f->job);
    }
}

/* Jobs that read the dataset: those that wrote another without a word of columns may have put anything into it; those that wrote nothing still read it. */
static enum dp_status follow_silent(struct walking *k, int64_t dataset, int32_t depth) {
    if (!k->asks_silent) return DP_OK;
    struct { int64_t dst, job; } *silent = NULL;
    size_t n = 0, cap = 0;
    enum dp_status status = DP_OK;
    void *st = start(k, k->conf->down ? Q_EDGE_DOWN : Q_EDGE_UP, dataset, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        bool wanted;
        int64_t other = dp_cat_i64(k->c, st, 0), job = dp_cat_i64(k->c, st, 1);
        status = is_wanted(k, job, k->conf->down ? dataset : other, k->conf->down ? other : dataset, 0, &wanted);
        if (status || !wanted) continue;
        silent = dp_grow(silent, &cap, n + 1, sizeof *silent);
        silent[n].dst = other, silent[n++].job = job;
    }
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        bool renamed = false;
        for (size_t x = 0; x < k->n_aliases; x++) renamed = renamed || (k->aliases[x].rename && k->aliases[x].a == (k->conf->down ? dataset : silent[i].dst));
        if (renamed) continue;
        st = start(k, Q_HAS_FLOW, k->conf->down ? silent[i].dst : dataset, &status);
        if (status) break;
        k->c->sq.bind_int64(st, 3, silent[i].job);
        bool told = dp_cat_next_kept(k->c, st, &status, k->err);
        if (status == DP_OK && !told) reach_rows(k, silent[i].dst, DP_WALK_UNKNOWN, depth + 1, 0, silent[i].job);
        k->c->sq.reset(st);
    }
    free(silent);
    if (status || !k->conf->down) return status;
    /* A job that wrote was told of above, or said which columns it takes. */
    st = start(k, Q_ENDS, dataset, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t job = dp_cat_i64(k->c, st, 0);
        bool wanted = true;
        if (k->conf->current) {
            status = load_latest(k, job);
            wanted = in_latest(k, job, dataset, DP_SIDE_IN, 0);
        }
        if (wanted) reach(k, (struct dp_walk_node){.kind = 'j', .id = job, .depth = depth + 1, .level = DP_WALK_UNKNOWN});
    }
    return status;
}

/* The column of the same name in what is the same dataset, or was it before. */
static enum dp_status follow_aliases(struct walking *k, int64_t field, int64_t dataset, uint8_t level, int32_t depth) {
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < k->n_aliases && status == DP_OK; i++) {
        const struct alias *x = &k->aliases[i];
        int64_t other = x->a == dataset ? x->b : x->b == dataset ? x->a : 0;
        if (!other || (x->rename && (k->conf->down ? x->a : x->b) != dataset)) continue;
        if (x->rename && k->conf->depth && depth >= k->conf->depth) continue;
        int32_t there = depth + x->rename;
        if (field < 0) {
            reach_rows(k, other, level, there, 0, 0);
            continue;
        }
        void *st = start(k, Q_ALIAS, other, &status);
        if (status == DP_OK) k->c->sq.bind_int64(st, 2, field);
        if (status == DP_OK && dp_cat_next_kept(k->c, st, &status, k->err)) {
            int64_t same = dp_cat_i64(k->c, st, 0);
            k->c->sq.reset(st);
            reach_column(k, same, other, level, there, field, 0);
        }
    }
    return status;
}

/* All columns of a dataset whose rows depend on the start, and all that is made of them. */
static enum dp_status expand_rows(struct walking *k, int64_t dataset, uint8_t level, int32_t depth) {
    enum dp_status status = follow_aliases(k, -1, dataset, level, depth);
    if (status || (k->conf->depth && depth >= k->conf->depth)) return status;
    DP_TRY(load_flows(k, dataset));
    if (!k->conf->down) return follow(k, k->of_rows[dataset], level, depth, 0), follow_silent(k, dataset, depth);
    if (k->conf->values && level == DP_WALK_INDIRECT) return follow_silent(k, dataset, depth);
    /* downwards every flow out of it is one of the flows that were read for it: by its targets' datasets */
    void *st = start(k, Q_FLOW_DOWN, dataset, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t id = dp_cat_i64(k->c, st, 0);
        if (id > 0 && id <= k->max_flow && k->flows[id].dataset) reach_rows(k, k->flows[id].dataset, level, depth + 1, 0, k->flows[id].job);
    }
    return status ? status : follow_silent(k, dataset, depth);
}

static enum dp_status expand_column(struct walking *k, struct item x) {
    uint32_t at = k->field_at[x.id];
    struct dp_walk_node n = at == UINT32_MAX ? (struct dp_walk_node){0} : k->w->v[at - 1];
    if (at != UINT32_MAX && n.level > x.level) return DP_OK; /* it is there again, better */
    DP_TRY(follow_aliases(k, x.id, n.dataset, x.level, n.depth));
    if (k->conf->depth && n.depth >= k->conf->depth) return DP_OK;
    bool first = !k->loaded[n.dataset];
    DP_TRY(load_flows(k, n.dataset));
    follow(k, k->of_field[x.id], x.level, n.depth, x.id);
    if (!k->conf->down) follow(k, k->of_rows[n.dataset], x.level, n.depth, x.id);
    return first ? follow_silent(k, n.dataset, n.depth) : DP_OK;
}

static enum dp_status walk_columns(struct walking *k, const struct dp_catalog_node *starts, size_t n) {
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        if (starts[i].kind == 'c') {
            /* a start has its dataset in the walk's nodes for as long as it is gone on from */
            k->field_at[starts[i].id] = 0;
            reach(k, (struct dp_walk_node){.kind = 'c', .id = starts[i].id, .dataset = starts[i].dataset, .level = DP_WALK_DIRECT});
            push(k, starts[i].id, DP_WALK_DIRECT);
        } else if (starts[i].kind == 'd') {
            void *st;
            reach(k, (struct dp_walk_node){.kind = 'd', .id = starts[i].id, .level = DP_WALK_DIRECT});
            status = dp_cat_query(k->c, &st, k->err, "SELECT id FROM field WHERE dataset = ?1", "i", starts[i].id);
            while (dp_cat_next(k->c, st, &status, k->err)) {
                int64_t field = dp_cat_i64(k->c, st, 0);
                reach(k, (struct dp_walk_node){.kind = 'c', .id = field, .dataset = starts[i].id, .level = DP_WALK_DIRECT});
                push(k, field, DP_WALK_DIRECT);
            }
            k->c->sq.finalize(st);
            push(k, -starts[i].id, k->rows_level[starts[i].id] = DP_WALK_INDIRECT);
        }
    }
    size_t starting = k->w->n;
    for (size_t i = 0; i < k->n_queue && status == DP_OK; i++) {
        struct item x = k->queue[i];
        if (x.id >= 0) status = expand_column(k, x);
        else if (k->rows_level[-x.id] == x.level) status = expand_rows(k, -x.id, x.level, depth_of(k, 'd', -x.id));
    }
    memmove(k->w->v, k->w->v + starting, (k->w->n - starting) * sizeof *k->w->v);
    k->w->n -= starting;
    return status;
}

/* ---- the walk ---- */

static enum dp_status load_aliases(struct walking *k) {
    void *st;
    enum dp_status status = dp_cat_query(k->c, &st, k->err, k->conf->apart ? "SELECT old, new, 1 FROM rename WHERE at <= ?1" : "SELECT dataset, other, 0 FROM symlink WHERE at <= ?1 UNION ALL SELECT old, new, 1 FROM rename WHERE at <= ?1", "i", k->conf->as_of);
    while (dp_cat_next(k->c, st, &status, k->err)) {
        k->aliases = dp_grow(k->aliases, &k->cap_aliases, k->n_aliases + 1, sizeof *k->aliases);
        k->aliases[k->n_aliases++] = (struct alias){dp_cat_i64(k->c, st, 0), dp_cat_i64(k->c, st, 1), dp_cat_i64(k->c, st, 2)};
    }
    k->c->sq.finalize(st);
    return status;
}

static enum dp_status prepare(struct walking *k, bool columns) {
    static const char *const most[] = {"SELECT max(id) FROM dataset", "SELECT max(id) FROM job", "SELECT max(id) FROM field", "SELECT max(id) FROM flow", "SELECT EXISTS(SELECT 1 FROM job_edge)"};
    long long v[5] = {0};
    for (size_t i = 0; i < 5; i++) {
        DP_TRY(dp_cat_number(k->c, most[i], &v[i], k->err));
        if (v[i] < 0 || v[i] >= UINT32_MAX) return dp_err_set(k->err, DP_LIMIT, "store %s: ids up to %lld", k->c->path, v[i]);
    }
    k->max_dataset = v[0], k->max_job = v[1], k->max_field = v[2], k->max_flow = v[3], k->has_job_edges = v[4];
    k->dataset_at = dp_calloc((size_t)v[0] + 1, sizeof *k->dataset_at);
    k->job_at = dp_calloc((size_t)v[1] + 1, sizeof *k->job_at);
    if (columns) {
        k->field_at = dp_calloc((size_t)v[2] + 1, sizeof *k->field_at);
        k->of_field = dp_calloc((size_t)v[2] + 1, sizeof *k->of_field);
        k->of_rows = dp_calloc((size_t)v[0] + 1, sizeof *k->of_rows);
        k->flows = dp_calloc((size_t)v[3] + 1, sizeof *k->flows);
        k->loaded = dp_calloc((size_t)v[0] + 1, 1);
        k->rows_level = dp_calloc((size_t)v[0] + 1, 1);
    }
    return load_aliases(k);
}

enum dp_status dp_catalog_walk(struct dp_catalog *c, const struct dp_catalog_node *starts, size_t n, const struct dp_walk_conf *conf, struct dp_walk *w, struct dp_err *err) {
    struct walking k = {.c = c, .conf = conf, .w = w, .err = err};
    bool columns = conf->columns;
    for (size_t i = 0; i < n; i++) columns = columns || starts[i].kind == 'c';
    for (size_t i = 0; i < n; i++) columns = columns && starts[i].kind != 'j';
    w->n = 0;
    k.asks_silent = !conf->values;
    for (size_t i = 0; i < n; i++) k.asks_silent = k.asks_silent || starts[i].kind == 'd';
    enum dp_status status = prepare(&k, columns);
    if (status == DP_OK) status = columns ? walk_columns(&k, starts, n) : walk_datasets(&k, starts, n);
    for (size_t i = 0; columns && conf->down && !conf->values && i < w->n; i++)
        if (w->v[i].kind == 'd') w->v[i].rows = k.rows_level[w->v[i].id];
    free(k.dataset_at), free(k.job_at), free(k.field_at), free(k.of_field), free(k.of_rows), free(k.loaded), free(k.rows_level);
    free(k.links), free(k.flows), free(k.aliases), free(k.queue);
    dp_map_release(&k.current);
    return status;
}

void dp_walk_release(struct dp_walk *w) {
    free(w->v);
    *w = (struct dp_walk){0};
}

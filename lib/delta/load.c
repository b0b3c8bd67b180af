/*
 * Reading the log on all threads (digest sections 2 and 6): commits some at a time, checkpoints batch by batch.  Parsing is what costs, and each
 * thread does it into an arena of its own; what comes out is delivered in order.
 * What it does not do: decide which action wins (snapshot.c).
 */
#include "action_priv.h"
#include "load_priv.h"
#include <dp/base/file.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/path.h>
#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>
#include <stdlib.h>

#define BATCH_ROWS 4096
#define FEW_COMMITS 4  /* are read before a thread has been started */
#define MAX_COMMITS 32 /* of one job: many small ones cost more to hand round than to read */

struct delta_load_worker {
    struct dp_arena arena;
    struct dp_delta_lines *lines; /* NULL: none was needed yet */
    struct dp_buf key;
};

struct entry {
    const struct dp_delta_action *action;
    struct dp_str key;
};

/* What one job holds, in order. */
struct entries {
    struct delta_load_worker *worker; /* that reads them */
    struct entry *v;
    size_t n, cap;
};

void delta_load_open(struct delta_load *l, struct dp_pool *pool, unsigned without, delta_load_fn fn, void *ctx) {
    *l = (struct delta_load){.alone = dp_pool_open(1), .without = without, .fn = fn, .ctx = ctx};
    l->pool = pool ? pool : l->alone;
    l->n_workers = dp_pool_threads(l->pool);
    l->workers = dp_calloc(l->n_workers, sizeof *l->workers);
}

void delta_load_close(struct delta_load *l, struct dp_arena **arenas, size_t *n) {
    *arenas = dp_calloc(l->n_workers, sizeof **arenas);
    *n = l->n_workers;
    for (unsigned i = 0; i < l->n_workers; i++) {
        (*arenas)[i] = l->workers[i].arena;
        dp_delta_lines_close(l->workers[i].lines);
        dp_buf_release(&l->workers[i].key);
    }
    free(l->workers);
    dp_pool_close(l->alone);
}

/* Most paths have nothing to decode and are their own key. */
static struct dp_str key_of(struct delta_load_worker *w, const struct dp_delta_file *f) {
    if (!f->dv.storage.p && !memchr(f->path.p, '%', f->path.n) && !memchr(f->path.p, ':', f->path.n)) return f->path;
    dp_buf_reset(&w->key);
    dp_delta_file_key(f, &w->key);
    return dp_arena_str(&w->arena, dp_buf_str(&w->key));
}

static enum dp_status collect(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct entries *e = ctx;
    (void)err;
    struct dp_delta_action *kept = dp_arena_alloc(&e->worker->arena, sizeof *kept);
    *kept = *a;
    e->v = dp_grow(e->v, &e->cap, e->n + 1, sizeof *e->v);
    bool is_file = a->kind == DP_DELTA_ADD || a->kind == DP_DELTA_REMOVE;
    e->v[e->n++] = (struct entry){kept, is_file ? key_of(e->worker, &kept->u.file) : (struct dp_str){0}};
    return DP_OK;
}

static enum dp_status deliver(struct delta_load *l, const struct entries *e, struct dp_err *err) {
    for (size_t i = 0; i < e->n; i++) DP_TRY(l->fn(l->ctx, e->v[i].action, e->v[i].key, err));
    return DP_OK;
}

static enum dp_status read_lines(struct delta_load *l, unsigned worker, const char *path, struct entries *e, struct dp_err *err) {
    struct delta_load_worker *w = e->worker = &l->workers[worker];
    if (!w->lines) w->lines = dp_delta_lines_open(l->without);
    return dp_delta_lines_file(w->lines, path, &w->arena, collect, e, err);
}

/* ---- commits ---- */

struct commits {
    struct delta_load *load;
    const char *table;
    int64_t next, to, step;
};

struct commits_job {
    struct entries entries;
    int64_t from, to;
};

static enum dp_status next_commits(void *ctx, void *job, struct dp_err *err) {
    struct commits *c = ctx;
    struct commits_job *j = job;
    (void)err;
    if (c->next > c->to) return DP_END;
    j->from = c->next;
    j->to = c->to - c->next < c->step ? c->to : c->next + c->step - 1;
    c->next = j->to + 1;
    return DP_OK;
}

static enum dp_status parse_commits(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct commits *c = ctx;
    struct commits_job *j = job;
    enum dp_status status = DP_OK;
    j->entries.n = 0;
    for (int64_t v = j->from; v <= j->to && status == DP_OK; v++) {
        char *path = dp_delta_commit_path(c->table, v);
        status = read_lines(c->load, worker, path, &j->entries, err);
        free(path);
    }
    return status;
}

static enum dp_status deliver_commits(void *ctx, void *job, struct dp_err *err) {
    return deliver(((struct commits *)ctx)->load, &((struct commits_job *)job)->entries, err);
}

static void free_commits(void *ctx, void *job) {
    (void)ctx;
    free(((struct commits_job *)job)->entries.v);
}

enum dp_status delta_load_commits(struct delta_load *l, const char *table, int64_t from, int64_t to, struct dp_err *err) {
    static const struct dp_pool_ops ops = {sizeof(struct commits_job), next_commits, parse_commits, deliver_commits, free_commits};
    int64_t step = (to - from) / 8 / l->n_workers + 1;
    struct commits c = {l, table, from, to, step > MAX_COMMITS ? MAX_COMMITS : step};
    return dp_pool_run(to - from < FEW_COMMITS ? l->alone : l->pool, &ops, &c, err);
}

enum dp_status delta_load_lines(struct delta_load *l, const char *path, struct dp_err *err) {
    struct entries e = {0};
    enum dp_status status = read_lines(l, 0, path, &e, err);
    if (status == DP_OK) status = deliver(l, &e, err);
    free(e.v);
    return status;
}

/* ---- checkpoints ---- */

struct checkpoint {
    struct delta_load *load;
    struct dp_pq_reader *reader;
    struct delta_rows *rows;
    size_t group, n_groups; /* group: the next one */
    bool in_group;
    char **sidecars; /* file names */
    size_t n_sidecars, cap;
};

struct rows_job {
    struct entries entries;
    struct dp_batch batch;
    bool has_batch;
};

static enum dp_status next_rows(void *ctx, void *job, struct dp_err *err) {
    struct checkpoint *c = ctx;
    struct rows_job *j = job;
    if (!j->has_batch) dp_batch_init(&j->batch, dp_pq_reader_schema(c->reader));
    j->has_batch = true;
    for (;;) {
        if (!c->in_group) {
            if (c->group == c->n_groups) return DP_END;
            DP_TRY(dp_pq_reader_seek(c->reader, c->group++, err));
            c->in_group = true;
        }
        enum dp_status status = dp_pq_reader_next(c->reader, BATCH_ROWS, &j->batch, err);
        if (status != DP_END) return status;
        c->in_group = false;
    }
}

static enum dp_status parse_rows(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct checkpoint *c = ctx;
    struct rows_job *j = job;
    j->entries.n = 0;
    j->entries.worker = &c->load->workers[worker];
    return delta_rows_each(c->rows, &j->batch, &j->entries.worker->arena, collect, &j->entries, err);
}

static void note_sidecar(struct checkpoint *c, struct dp_str path) {
    path = delta_sidecar_name(path);
    c->sidecars = dp_grow(c->sidecars, &c->cap, c->n_sidecars + 1, sizeof *c->sidecars);
    c->sidecars[c->n_sidecars++] = dp_strndup(path.p, path.n);
}

static enum dp_status deliver_rows(void *ctx, void *job, struct dp_err *err) {
    struct checkpoint *c = ctx;
    const struct entries *e = &((struct rows_job *)job)->entries;
    for (size_t i = 0; i < e->n; i++)
        if (e->v[i].action->kind == DP_DELTA_SIDECAR) note_sidecar(c, e->v[i].action->u.sidecar.path);
    return deliver(c->load, e, err);
}

static void free_rows(void *ctx, void *job) {
    struct rows_job *j = job;
    (void)ctx;
    free(j->entries.v);
    if (j->has_batch) dp_batch_release(&j->batch);
}

static size_t known_columns(const struct dp_type *schema, const char **out) {
    static const char *const names[] = {"txn", "add", "remove", "metaData", "protocol", "domainMetadata", "sidecar"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (dp_type_child(schema, dp_str_z(names[i]))) out[n++] = names[i];
    return n;
}

static enum dp_status read_parquet(struct checkpoint *c, const char *path, struct dp_err *err) {
    static const struct dp_pool_ops ops = {sizeof(struct rows_job), next_rows, parse_rows, deliver_rows, free_rows};
    struct dp_pq_file *file = NULL;
    const char *columns[8];
    enum dp_status status = dp_pq_open(path, &file, err);
    if (status != DP_OK) return status;
    size_t n = known_columns(dp_pq_schema(file), columns);
    if (n == 0) status = dp_err_set(err, DP_FORMAT, "%s: the checkpoint has none of the columns of actions", path);
    if (status == DP_OK) status = dp_pq_reader_open(file, columns, n, &c->reader, err);
    if (status == DP_OK) {
        c->rows = delta_rows_open(dp_pq_reader_schema(c->reader), c->load->without);
        c->group = 0;
        c->n_groups = dp_pq_meta(file)->n_row_groups;
        c->in_group = false;
        status = dp_pool_run(dp_pq_meta(file)->num_rows <= BATCH_ROWS ? c->load->alone : c->load->pool, &ops, c, err);
        if (status != DP_OK) dp_err_at(err, path, 0, DP_NO_OFFSET);
        delta_rows_close(c->rows);
        dp_pq_reader_close(c->reader);
    }
    dp_pq_close(file);
    return status;
}

/* Lines may name sidecars too. */
static enum dp_status read_json(struct checkpoint *c, const char *path, struct dp_err *err) {
    struct rows_job j = {0};
    enum dp_status status = read_lines(c->load, 0, path, &j.entries, err);
    if (status == DP_OK) status = deliver_rows(c, &j, err);
    free_rows(NULL, &j);
    return status;
}

enum dp_status delta_load_checkpoint(struct delta_load *l, const char *table, const struct dp_delta_checkpoint_ref *ref, struct dp_err *err) {
    struct checkpoint c = {.load = l};
    enum dp_status status = DP_OK;
    char *dir = dp_path_join(table, "_delta_log"), *sidecars = dp_path_join(dir, "_sidecars");
    for (size_t i = 0; i < ref->n_names && status == DP_OK; i++) {
        char *path = dp_path_join(dir, ref->names[i]);
        status = ref->form == DP_DELTA_UUID_JSON ? read_json(&c, path, err) : read_parquet(&c, path, err);
        free(path);
    }
    size_t n = c.n_sidecars;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        char *path = dp_path_join(sidecars, c.sidecars[i]);
        status = read_parquet(&c, path, err);
        if (status == DP_OK && c.n_sidecars != n) status = dp_err_set(err, DP_FORMAT, "%s: a sidecar names sidecars", path);
        free(path);
    }
    for (size_t i = 0; i < c.n_sidecars; i++) free(c.sidecars[i]);
    free(c.sidecars);
    free(sidecars);
    free(dir);
    return status;
}

/* ---- one checkpoint by itself ---- */

struct plain {
    dp_delta_action_fn fn;
    void *ctx;
};

static enum dp_status pass_on(void *ctx, const struct dp_delta_action *a, struct dp_str key, struct dp_err *err) {
    struct plain *p = ctx;
    (void)key;
    return a->kind == DP_DELTA_SIDECAR ? DP_OK : p->fn(p->ctx, a, err);
}

enum dp_status dp_delta_checkpoint_read(const char *table, const struct dp_delta_checkpoint_ref *c, struct dp_arena *arena,
                                        dp_delta_action_fn fn, void *ctx, struct dp_err *err) {
    struct delta_load load;
    struct plain p = {fn, ctx};
    struct dp_arena *arenas;
    size_t n;
    delta_load_open(&load, NULL, 0, pass_on, &p);
    load.workers[0].arena = *arena;
    enum dp_status status = delta_load_checkpoint(&load, table, c, err);
    delta_load_close(&load, &arenas, &n);
    *arena = arenas[0];
    free(arenas);
    return status;
}

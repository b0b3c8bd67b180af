/*
 * Files that are to be committed, held to what the table demands of its rows (dp/delta/constraint.h): those whose statistics leave anything open are read, in
 * the columns that matter, row group by row group.
 */
#include "constraint_priv.h"

#include <dp/delta/scan.h>

#include <stdlib.h>

enum { ROWS = 4096 };

struct reading {
    struct dp_delta_checks *checks;   /* of the columns that are read */
    struct dp_delta_scan *scan;
    struct dp_delta_checker **checkers; /* by worker */
};

struct job { struct dp_delta_task *task; };

static enum dp_status produce(void *ctx, void *mem, struct dp_err *err) { return dp_delta_scan_next(((struct reading *)ctx)->scan, &((struct job *)mem)->task, err); }

static enum dp_status work(void *ctx, unsigned worker, void *mem, struct dp_err *err) {
    struct reading *g = ctx;
    struct job *j = mem;
    struct dp_delta_read *read = NULL;
    struct dp_batch b;
    int64_t row = dp_delta_task_first_row(j->task) + 1;
    if (!g->checkers[worker]) g->checkers[worker] = dp_delta_checker_open(g->checks);
    dp_batch_init(&b, dp_delta_scan_schema(g->scan));
    enum dp_status status = dp_delta_read_open(j->task, &read, err);
    while (status == DP_OK && (status = dp_delta_read_next(read, ROWS, &b, err)) == DP_OK) {
        status = dp_delta_checker_batch(g->checkers[worker], &b, row, err);
        if (status == DP_RULE || status == DP_UNSUPPORTED) dp_err_prefix(err, "%s: ", dp_delta_task_path(j->task));
        row += b.length;
    }
    dp_delta_read_close(read);
    dp_batch_release(&b);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status consume(void *ctx, void *mem, struct dp_err *err) {
    struct job *j = mem;
    (void)ctx, (void)err;
    dp_delta_task_release(j->task);
    j->task = NULL;
    return DP_OK;
}

static void release(void *ctx, void *mem) {
    (void)ctx;
    dp_delta_task_release(((struct job *)mem)->task);
}

/* Do statistics, or the file's own schema, prove all of it? */
static bool is_proven(const struct dp_delta_checks *c, struct dp_delta_skipper *const *skippers, const struct dp_delta_landing *l, size_t i) {
    for (size_t k = 0; k < c->n; k++) {
        const struct check *x = &c->v[k];
        if (x->kind == CHECK_REQUIRED && dp_delta_landing_requires(l, i)) continue;
        if (!skippers[k] || dp_delta_skipper_ask(skippers[k], &dp_delta_landing_files(l)[i]) != DP_ALWAYS) return false;
    }
    return true;
}

static enum dp_status read_files(const struct dp_delta_snapshot *s, const struct dp_delta_checks *all, const struct dp_delta_file *files, const char *const *paths, size_t n,
                                 struct dp_pool *pool, uint64_t memory, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    struct reading g = {0};
    unsigned threads = pool ? dp_pool_threads(pool) : 1;
    struct dp_pool *own = pool ? NULL : dp_pool_open(1);
    const char **names = dp_calloc(s->schema->n_children + 1, sizeof *names);
    size_t n_names = 0;
    enum dp_status status;
    for (size_t i = 0; i < s->schema->n_children; i++)
        if (dp_delta_checks_read(all, i)) names[n_names++] = s->schema->children[i]->name;
    if (!n_names && s->schema->n_children) names[n_names++] = s->schema->children[0]->name; /* `1 = 1` reads none: rows have to be counted all the same */
    g.checkers = dp_calloc(threads, sizeof(struct dp_delta_checker *));
    DP_TRY_OUT(dp_delta_scan_open(s, names, n_names, NULL, &g.scan, err));
    dp_delta_scan_bound(g.scan, memory);
    dp_delta_scan_only(g.scan, files, paths, n);
    DP_TRY_OUT(dp_delta_checks_open(s, dp_delta_scan_schema(g.scan), &g.checks, err));
    status = dp_pool_run(own ? own : pool, &ops, &g, err);
out:
    for (unsigned i = 0; i < threads; i++) dp_delta_checker_close(g.checkers[i]);
    dp_delta_checks_close(g.checks);
    dp_delta_scan_close(g.scan);
    dp_pool_close(own);
    free(g.checkers);
    free(names);
    return status;
}

enum dp_status dp_delta_landing_check(const struct dp_delta_landing *l, struct dp_pool *pool, uint64_t memory, size_t *read, struct dp_err *err) {
    const struct dp_delta_snapshot *s = dp_delta_landing_snapshot(l);
    struct dp_delta_checks *checks = NULL;
    size_t n = dp_delta_landing_count(l), open = 0;
    if (read) *read = 0;
    if (!s || !n) return DP_OK;
    DP_TRY(dp_delta_checks_open(s, NULL, &checks, err));
    if (!checks) return DP_OK;
    struct dp_delta_file *files = dp_calloc(n, sizeof *files);
    const char **paths = dp_calloc(n, sizeof *paths);
    struct dp_delta_skipper **skippers = dp_calloc(checks->n + 1, sizeof *skippers); /* of each check, NULL: statistics can't prove it */
    for (size_t k = 0; k < checks->n; k++)
        if (checks->v[k].filter) skippers[k] = dp_delta_skipper_open(s, checks->v[k].filter);
    for (size_t i = 0; i < n; i++) {
        if (is_proven(checks, skippers, l, i)) continue;
        files[open] = dp_delta_landing_files(l)[i];
        paths[open++] = dp_delta_landing_path(l, i);
    }
    for (size_t k = 0; k < checks->n; k++) dp_delta_skipper_close(skippers[k]);
    free(skippers);
    enum dp_status status = open ? read_files(s, checks, files, paths, open, pool, memory, err) : DP_OK;
    if (read) *read = open;
    dp_delta_checks_close(checks);
    free(files);
    free(paths);
    return status;
}

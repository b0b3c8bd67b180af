/*
 * dp-lineage ingest: OpenLineage events into the store.
 *
 * Events come as records do: NDJSON, JSON documents, arrays of them, compressed or not.  They are read on all threads and put into the store by one at a time, in the order of
 * the input, some hundred to a transaction, so that others get at the store in between.  What is no event is a reject.
 */
#include "lineage.h"

#include <dp/base/time.h>

#include <time.h>

struct ingest_conf {
    const char *store;
    bool strict;
};

static const struct dp_opt ingest_options[] = {
    LINEAGE_STORE(ingest_conf),
    DP_OPT_FLAG(ingest_conf, strict, "strict", 0, "refuse what the schemas don't allow, facets too; else what emitters lack is warned of"),
    DP_OPT_END};

enum { EVENTS_AT_ONCE = 1000, MILLIS_AT_ONCE = 200 };

struct ingesting {
    struct dp_cli *cli;
    struct dp_catalog *c;
    bool strict;
    uint64_t added, warned, in_transaction;
    int64_t began;
};

/* Events of one chunk that wait to be put, in order: all that is on hold. */
struct ready {
    struct dp_arena arena;
    struct waiting *v;
    size_t n, cap, next;
};
struct waiting { struct dp_cat_event *e; struct dp_str warning; };

struct reading { struct dp_catalog_reader *reader; };

static enum dp_status open_worker(void *ctx, void *mem, struct dp_err *err) {
    (void)ctx, (void)err;
    ((struct reading *)mem)->reader = dp_catalog_reader_open();
    return DP_OK;
}

static void close_worker(void *ctx, void *mem) {
    (void)ctx;
    dp_catalog_reader_close(((struct reading *)mem)->reader);
}

static void close_job(void *ctx, void *mem) {
    struct ready *ready = mem;
    (void)ctx;
    dp_arena_release(&ready->arena);
    free(ready->v);
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct ready *ready = j->mem;
    (void)ctx, (void)err;
    ready->n = ready->next = 0;
    dp_arena_reset(&ready->arena);
    return DP_OK;
}

static void reject(struct dp_job *j, const struct dp_record *r, const struct dp_err *why) { dp_job_reject(j, r, "event", NULL, "an OpenLineage event", "%s", why->msg); }

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    const struct ingesting *g = ctx;
    struct ready *ready = j->mem;
    struct dp_err why = DP_ERR_INIT;
    struct waiting w = {.e = NULL};
    size_t warnings = 0;
    enum dp_status status = dp_catalog_read(((struct reading *)j->worker_mem)->reader, r, g->strict, &ready->arena, &w.e, &warnings, &why);
    if (status == DP_FORMAT) return reject(j, r, &why), DP_OK;
    if (status) {
        if (err) *err = why;
        return status;
    }
    if (warnings) w.warning = dp_arena_str(&ready->arena, dp_str_z(why.msg));
    ready->v = dp_grow(ready->v, &ready->cap, ready->n + 1, sizeof *ready->v);
    ready->v[ready->n++] = w;
    dp_job_hold(j, r);
    return DP_OK;
}

static enum dp_status commit(struct ingesting *g, struct dp_err *err) {
    DP_TRY(dp_catalog_commit(g->c, err));
    g->in_transaction = 0;
    nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL); /* whoever waits may go first */
    return DP_OK;
}

static void warn(struct ingesting *g, struct dp_job *j, const struct dp_record *r, struct dp_str words) {
    uint64_t line, offset;
    if (!words.n || g->warned++) return;
    dp_job_place(j, r, &line, &offset);
    dp_run_log(&g->cli->run, DP_LOG_WARN, "%s:%llu: %.*s (further ones are only counted)", j->chunk->origin ? j->chunk->origin->name : "-", (unsigned long long)line, DP_STR_FMT(words));
}

static enum dp_status on_decide(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct ingesting *g = ctx;
    struct ready *ready = j->mem;
    struct dp_record r;
    while (dp_job_next_held(j, &r)) {
        struct dp_err why = DP_ERR_INIT;
        const struct waiting *w = &ready->v[ready->next++];
        if (!g->in_transaction++) g->began = dp_time_monotonic_ms();
        enum dp_status status = dp_catalog_put(g->c, w->e, &why);
        if (status == DP_FORMAT) {
            reject(j, &r, &why);
            continue;
        }
        if (status) {
            if (err) *err = why;
            return status;
        }
        dp_job_use(j);
        g->added++;
        warn(g, j, &r, w->warning);
        if (g->in_transaction >= EVENTS_AT_ONCE || dp_time_monotonic_ms() - g->began >= MILLIS_AT_ONCE) DP_TRY(commit(g, err));
    }
    return DP_OK;
}

/* So that a search need not.  Without FTS5 there is none. */
static enum dp_status index_words(struct dp_catalog *c, struct dp_err *err) {
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = dp_catalog_index(c, &why);
    if (status == DP_OK || status == DP_UNSUPPORTED) status = dp_catalog_commit(c, &why);
    if (status && err) *err = why;
    return status;
}

static enum dp_status run_ingest(struct dp_cli *cli, struct dp_err *err) {
    const struct ingest_conf *conf = cli->conf;
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct reading), .worker_open = open_worker, .worker_close = close_worker, .job_size = sizeof(struct ready),
                                             .job_close = close_job, .chunk_begin = on_chunk, .record = on_record, .decide = on_decide};
    const struct dp_stream_conf stream = {.decides = true, .sink = true, .sources = {.paths = DP_PATHS_OPEN}};
    struct ingesting g = {.cli = cli, .strict = conf->strict};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_WRITE, &g.c, err);
    if (status == DP_OK) status = dp_cli_stream(cli, &stream, &ops, &g, err);
    /* Events before the one that ended the run are as good as those of a run that went on: they are kept. */
    if (g.c && status != DP_IO) {
        struct dp_err late = DP_ERR_INIT;
        enum dp_status last = cli->run.dry_run ? DP_OK : dp_catalog_commit(g.c, status ? &late : err);
        if (last == DP_OK && !cli->run.dry_run) last = index_words(g.c, status ? &late : err);
        if (status == DP_OK) status = last;
    }
    dp_cli_report_u64(cli, "events", g.added);
    dp_cli_report_u64(cli, "repeated", g.c ? dp_catalog_repeated(g.c) : 0);
    dp_cli_report_u64(cli, "with_warnings", g.warned);
    if (status == DP_OK)
        status = dp_cli_say(cli, err, "%llu events, %llu of them known already, %llu with warnings\n", (unsigned long long)g.added, (unsigned long long)(g.c ? dp_catalog_repeated(g.c) : 0), (unsigned long long)g.warned);
    dp_catalog_close(g.c);
    return status;
}

const struct dp_tool lineage_ingest = {
    .name = "ingest", .summary = "take OpenLineage events into the store", .args = "SOURCE", .synopsis = "[--strict] [SOURCE...]", .options = ingest_options, .conf_size = sizeof(struct ingest_conf),
    .common = DP_COMMON_REJECTS | DP_COMMON_JSON | DP_COMMON_EMPTY | DP_COMMON_RECORDS | DP_COMMON_PROGRESS | DP_COMMON_MEMORY | DP_COMMON_THREADS, .min_args = 0, .max_args = -1, .run = run_ingest};

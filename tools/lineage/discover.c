/*
 * dp-lineage discover: what lies in a lake, as DatasetEvents into the store, or to standard output.
 *
 * An event has the time of what it tells of, so that one for what did not change is there already; what is known to the store and is there no more is told, and dropped.
 */
#include "lineage.h"

#include <dp/base/map.h>
#include <dp/base/time.h>
#include <dp/io/lake.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct discover_conf {
    const char *store;
    int to;
};

static const char *const forms[] = {"store", "events", NULL};
static const struct dp_opt discover_options[] = {LINEAGE_STORE(discover_conf), DP_OPT_ENUM(discover_conf, to, "to", 0, "WHERE", "into the store, or events to standard output", forms), DP_OPT_END};

enum { EVENTS_AT_ONCE = 2000, MILLIS_AT_ONCE = 500 }; /* of a transaction: others wait for it, and what it has written is in memory */

struct discovering {
    struct dp_cli *cli;
    struct dp_catalog *c; /* NULL: events are printed */
    struct dp_buf event;
    const char *dir;      /* as the store names it */
    struct dp_map dropped; /* what the store holds for gone */
    char **gone;
    size_t n_gone, cap_gone;
    size_t in_transaction;
    int64_t began; /* monotonic, ms */
    uint64_t found, changed, contracts, faults;
};

/* Into the store or out; *is_new: it was not there before. */
static enum dp_status send(struct discovering *g, bool *is_new, struct dp_err *err) {
    *is_new = true;
    if (!g->c) return dp_out_write(g->cli->run.out, g->event.p, g->event.n, err);
    uint64_t before = dp_catalog_repeated(g->c);
    DP_TRY(dp_catalog_add(g->c, dp_str(g->event.p, g->event.n - 1), true, NULL, err));
    *is_new = dp_catalog_repeated(g->c) == before;
    if (!g->in_transaction++) g->began = dp_time_monotonic_ms();
    if (g->cli->run.dry_run || (g->in_transaction < EVENTS_AT_ONCE && dp_time_monotonic_ms() - g->began < MILLIS_AT_ONCE)) return DP_OK;
    g->in_transaction = 0;
    return dp_catalog_commit(g->c, err);
}

/* That a dataset is there, or gone, from now on. */
static enum dp_status send_life(struct discovering *g, const char *path, enum dp_ol_lifecycle life, struct dp_err *err) {
    struct dp_ol_dataset d = {.rows = UINT64_MAX, .bytes = UINT64_MAX, .files = UINT64_MAX, .lifecycle = life};
    bool is_new;
    enum dp_status status = dp_ol_name_of(path, "/", &d.id, err);
    dp_buf_reset(&g->event);
    if (status == DP_OK) dp_ol_print_dataset(&d, g->cli->run.now_micros, &g->event);
    dp_ol_dataset_release(&d);
    return status == DP_OK ? send(g, &is_new, err) : status;
}

static enum dp_status on_dropped(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct discovering *g = ctx;
    (void)n, (void)err;
    dp_map_put(&g->dropped, cells[0].text, NULL);
    return DP_OK;
}

static enum dp_status on_found(void *ctx, const struct dp_lake_found *f, struct dp_err *err) {
    struct discovering *g = ctx;
    bool is_new;
    if (f->fault) {
        g->faults++;
        dp_run_log(&g->cli->run, DP_LOG_WARN, "%s: %s", f->path, f->fault);
    }
    if (!f->d) return DP_OK;
    g->found++, g->contracts += f->contract != NULL;
    dp_buf_reset(&g->event);
    dp_ol_print_dataset(f->d, f->at, &g->event);
    DP_TRY(send(g, &is_new, err));
    if (g->c && dp_map_get(&g->dropped, dp_str_z(f->d->id.name))) {
        DP_TRY(send_life(g, f->path, DP_OL_CREATE, err));
        is_new = true;
    }
    g->changed += is_new;
    if (!g->c || !is_new) return DP_OK;
    return dp_cli_say(g->cli, err, "found\t%s\t%.900s\n", f->d->layer ? f->d->layer : f->d->format, f->path);
}

static enum dp_status on_known(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct discovering *g = ctx;
    struct stat st;
    size_t m = strlen(g->dir);
    (void)n, (void)err;
    if (cells[0].text.n <= m || memcmp(cells[0].text.p, g->dir, m) != 0 || (m > 1 && cells[0].text.p[m] != '/')) return DP_OK;
    char *name = dp_strndup(cells[0].text.p, cells[0].text.n);
    if (lstat(name, &st) == 0 || (errno != ENOENT && errno != ENOTDIR)) {
        free(name);
        return DP_OK;
    }
    g->gone = dp_grow(g->gone, &g->cap_gone, g->n_gone + 1, sizeof *g->gone);
    g->gone[g->n_gone++] = name;
    return DP_OK;
}

static enum dp_status drop_gone(struct discovering *g, struct dp_err *err) {
    const struct dp_catalog_args args = {0};
    DP_TRY(dp_catalog_ask(g->c, DP_ASK_FILES, &args, on_known, g, err));
    for (size_t i = 0; i < g->n_gone; i++) {
        DP_TRY(send_life(g, g->gone[i], DP_OL_DROP, err));
        DP_TRY(dp_cli_say(g->cli, err, "gone\t-\t%.900s\n", g->gone[i]));
    }
    return DP_OK;
}

static enum dp_status run_discover(struct dp_cli *cli, struct dp_err *err) {
    const struct discover_conf *conf = cli->conf;
    struct discovering g = {.cli = cli};
    const struct dp_catalog_args args = {0};
    enum dp_status status = DP_OK;
    char *dir = realpath(cli->args[0], NULL);
    if (!dir) return dp_err_sys(err, DP_IO, "can't open directory %s", cli->args[0]);
    g.dir = dir;
    if (conf->to == 0) status = lineage_open(conf->store, DP_CATALOG_WRITE, &g.c, err);
    if (status == DP_OK && g.c) status = dp_catalog_ask(g.c, DP_ASK_FILES_GONE, &args, on_dropped, &g, err);
    if (status == DP_OK) status = dp_lake_walk(&cli->run, dir, on_found, &g, err);
    if (status == DP_OK && g.c) status = drop_gone(&g, err);
    if (status == DP_OK && g.c && !cli->run.dry_run) status = dp_catalog_commit(g.c, err);
    dp_cli_report_u64(cli, "found", g.found), dp_cli_report_u64(cli, "changed", g.changed);
    dp_cli_report_u64(cli, "gone", g.n_gone), dp_cli_report_u64(cli, "contracts", g.contracts), dp_cli_report_u64(cli, "faults", g.faults);
    if (status == DP_OK && g.c) status = dp_cli_say(cli, err, "%llu datasets, %llu new or changed, %zu gone\n", (unsigned long long)g.found, (unsigned long long)g.changed, g.n_gone);
    for (size_t i = 0; i < g.n_gone; i++) free(g.gone[i]);
    free(g.gone);
    dp_map_release(&g.dropped);
    free(dir);
    dp_buf_release(&g.event);
    dp_catalog_close(g.c);
    return status;
}

const struct dp_tool lineage_discover = {
    .name = "discover", .summary = "take what lies in a lake into the store", .args = "DIR", .synopsis = "DIR [--to WHERE]", .options = discover_options,
    .conf_size = sizeof(struct discover_conf), .common = DP_COMMON_JSON | DP_COMMON_DRY_RUN, .min_args = 1, .max_args = 1, .run = run_discover};

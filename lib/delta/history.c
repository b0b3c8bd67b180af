/*
 * History of a table, and the version that an instant names (digest sections 3 and 15).
 */
#include "mtime_priv.h"
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/path.h>
#include <dp/delta/snapshot.h>
#include <stdlib.h>

static enum dp_status sum_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct dp_delta_history *h = ctx;
    (void)err;
    if (a->kind == DP_DELTA_COMMIT_INFO) {
        h->info = a->u.commit_info;
    } else if (a->kind == DP_DELTA_ADD) {
        int64_t rows = dp_delta_file_rows(&a->u.file);
        h->adds++;
        h->bytes_added += a->u.file.size > 0 ? a->u.file.size : 0;
        if (rows < 0 || h->rows_added < 0) h->rows_added = -1;
        else h->rows_added += rows;
    } else if (a->kind == DP_DELTA_REMOVE) {
        h->removes++;
    }
    return DP_OK;
}

/* In-commit timestamps where the commit has one, else mtimes made monotonic. */
static void settle_times(struct dp_delta_history *h, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (h[i].info.in_commit_timestamp != DP_DELTA_UNSET) h[i].timestamp_ms = h[i].info.in_commit_timestamp;
        else if (i && h[i].timestamp_ms <= h[i - 1].timestamp_ms) h[i].timestamp_ms = h[i - 1].timestamp_ms + 1;
    }
}

enum dp_status dp_delta_history_read(const char *table, struct dp_arena *arena, struct dp_delta_history **out, size_t *n, struct dp_err *err) {
    struct dp_delta_log log;
    DP_TRY(dp_delta_log_list(table, &log, err));
    struct dp_delta_history *h = dp_arena_calloc(arena, log.n_commits + 1, sizeof *h);
    struct dp_delta_lines *lines = dp_delta_lines_open(0);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < log.n_commits && status == DP_OK; i++) {
        char *path = dp_delta_commit_path(table, log.commits[i]);
        h[i].version = log.commits[i];
        h[i].timestamp_ms = delta_mtime_ms(path, 0);
        h[i].info.in_commit_timestamp = h[i].info.timestamp = DP_DELTA_UNSET;
        status = dp_delta_lines_file(lines, path, arena, sum_action, &h[i], err);
        free(path);
    }
    *n = log.n_commits;
    *out = h;
    dp_delta_lines_close(lines);
    dp_delta_log_release(&log);
    if (status == DP_OK) settle_times(h, *n);
    return status;
}

/* ---- as of ---- */

bool dp_delta_instant(struct dp_str text, int64_t *ms) {
    struct dp_timestamp ts;
    int32_t days;
    int64_t micros;
    if (dp_date_parse(text, &days)) micros = (int64_t)days * 86400000000;
    else if (!dp_time_parse(text, true, true, &ts) || !dp_time_micros(&ts, &micros)) return false;
    *ms = micros / 1000 - (micros % 1000 < 0);
    return true;
}

/* The first version from which every later one can be rebuilt. */
static int64_t oldest_version(const struct dp_delta_log *log) {
    int64_t from = log->n_checkpoints ? log->checkpoints[0].version : 0;
    return dp_delta_log_has_commit(log, 0) ? 0 : from;
}

enum dp_status dp_delta_as_of(const char *table, struct dp_str text, int64_t *version, struct dp_err *err) {
    int64_t want;
    if (dp_parse_i64(text, version)) {
        if (*version >= 0) return DP_OK;
        return dp_err_set(err, DP_USAGE, "version %.*s: versions begin with 0", DP_STR_FMT(text));
    }
    if (!dp_delta_instant(text, &want)) return dp_err_set(err, DP_USAGE, "\"%.*s\" is neither a version nor a time (RFC 3339)", DP_STR_FMT(text));
    struct dp_arena arena = {0};
    struct dp_delta_log log;
    struct dp_delta_history *h;
    size_t n;
    DP_TRY(dp_delta_log_list(table, &log, err));
    int64_t oldest = oldest_version(&log);
    dp_delta_log_release(&log);
    enum dp_status status = dp_delta_history_read(table, &arena, &h, &n, err);
    if (status == DP_OK) {
        int64_t found = -1;
        for (size_t i = 0; i < n; i++)
            if (h[i].version >= oldest && h[i].timestamp_ms <= want) found = h[i].version;
        if (found < 0)
            status = dp_err_set(err, DP_USAGE, "%s: \"%.*s\" is before the oldest version that can be read", table, DP_STR_FMT(text));
        else if (n && h[n - 1].timestamp_ms < want && found == h[n - 1].version)
            status = dp_err_set(err, DP_USAGE, "%s: \"%.*s\" is after the latest version (%lld)", table, DP_STR_FMT(text), (long long)found);
        *version = found;
    }
    dp_arena_release(&arena);
    return status;
}

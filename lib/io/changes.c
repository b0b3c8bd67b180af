/* Where a feed begins (dp/io/changes.h). */
#include <dp/io/changes.h>

#include <dp/base/num.h>
#include <dp/delta/changes.h>
#include <dp/delta/commit.h>

/* Behind what the target has of this table under this job. */
static enum dp_status since_target(const struct dp_run *run, const char *table, const char *target, struct dp_changes_start *out, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL, *t = NULL;
    struct dp_buf id = {0}, app = {0};
    const struct dp_delta_how how = {.skip_stats = true}; /* nothing is asked of files */
    enum dp_status status = dp_delta_open_how(table, -1, &how, &s, err);
    if (status == DP_OK) status = dp_delta_open_how(target, -1, &how, &t, err);
    if (status == DP_OK) {
        dp_changes_source_id(s->metadata.id.p ? s->metadata.id.p : "", &id);
        dp_delta_app_id(run->job, dp_buf_z(&id), "0", &app);
        bool is_known = dp_delta_txn_version(t, dp_buf_str(&app), run->now_micros / 1000, &out->since);
        if (!is_known) status = dp_delta_feed_start(table, &out->since, err);
        out->target_version = t->version;
        dp_positions_of_table(&out->positions, t, run->job, &(struct dp_str){app.p, app.n}, run->now_micros / 1000);
        if (status == DP_OK && out->since > s->version + 1)
            status = dp_err_set(err, DP_SCHEMA, "%s has taken the changes of %s up to version %lld, which is only at version %lld: it was put back to an older state from outside", target, table,
                                (long long)out->since - 1, (long long)s->version);
    }
    dp_delta_close(s);
    dp_delta_close(t);
    dp_buf_release(&id);
    dp_buf_release(&app);
    return status;
}

enum dp_status dp_changes_since(const struct dp_run *run, const char *table, const char *text, struct dp_changes_start *out, struct dp_err *err) {
    *out = (struct dp_changes_start){.since = 0, .target_version = -1};
    if (!text) return dp_delta_feed_start(table, &out->since, err);
    int64_t instant;
    bool is_number = dp_parse_i64(dp_str_z(text), &instant);
    if (!is_number && !dp_delta_instant(dp_str_z(text), &instant)) {
        if (dp_delta_is_table(text)) return since_target(run, table, text, out, err);
        return dp_err_set(err, DP_USAGE, "--since %s: neither a version, a time (RFC 3339) nor a table", text);
    }
    return dp_delta_since(table, dp_str_z(text), &out->since, err);
}

/*
 * Commits of streams (dp/io/commit.h): paths and positions from the pipe, the verdict whether the batch is new, landing, publication, and what is
 * tidied and checkpointed behind it.  In parts: the same again behind a checkpoint (the last of its row), when its time has come.
 * What it does not do: read rows.
 */
#include "commit_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/constraint.h>
#include <dp/delta/land.h>
#include <dp/io/commit.h>
#include <dp/io/create.h>
#include <dp/io/datasets.h>
#include <dp/io/stream.h>

#include <stdlib.h>

enum { LOST_TRIES = 20 };

/* One commit in the making. */
struct commit {
    struct dp_run *run;
    const struct dp_commit_opts *o;
    struct dp_committed *out;
    const char *table;
    struct commit_batch b;
    struct dp_dataset *output;   /* the table, for lineage */
    char **paths;
    size_t n_paths, cap_paths;
    int64_t next_part;           /* clock in ms before which no part is published */
    bool covered;                /* checkpoints cover every path so far */
    uint64_t n_checkpoints;
    struct dp_delta_snapshot *snapshot; /* NULL: the table does not exist */
    struct dp_delta_landing *landing;
    struct dp_delta_evolved *evolved; /* NULL: the schema stays */
    bool lost;                   /* the race for the next version, to a commit that is in conflict */
};

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct commit *c = ctx;
    (void)err;
    commit_batch_begin(&c->b, begin);
    return DP_OK;
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct commit *c = ctx;
    (void)err;
    dp_dataset_header(c->output, begin);
    return DP_OK;
}

static enum dp_status on_path(void *ctx, struct dp_str path, struct dp_err *err) {
    struct commit *c = ctx;
    (void)err;
    c->paths = dp_grow(c->paths, &c->cap_paths, c->n_paths + 1, sizeof *c->paths);
    c->paths[c->n_paths++] = dp_strndup(path.p, path.n);
    c->covered = false;
    return DP_OK;
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct commit *c = ctx;
    (void)err;
    commit_batch_end(&c->b, dp_stream_end(dp_stream_of(c->run)));
    return DP_OK;
}

static void set_done(struct commit *c, int64_t version) {
    c->out->result = DP_COMMIT_ALREADY;
    c->out->version = version;
}

/* *go: the batch is new. */
static enum dp_status judge(struct commit *c, bool *go, struct dp_err *err) {
    enum dp_delta_batch verdict;
    size_t which = 0;
    int64_t have = 0, version;
    *go = true;
    if (!c->snapshot || !c->b.n_txns) return DP_OK;
    DP_TRY(dp_delta_judge(c->snapshot, c->b.txns, c->b.n_txns, c->b.seen_version, c->b.now_ms, &verdict, &which, &have, err));
    if (verdict == DP_DELTA_BATCH_NEW) return DP_OK;
    *go = false;
    if (verdict == DP_DELTA_BATCH_DONE) {
        if (!c->n_paths && !c->o->txn) return dp_err_set(err, DP_EMPTY, "nothing new");
        DP_TRY(dp_delta_txn_commit(c->table, c->b.txns[0].app_id, c->b.txns[0].version, c->snapshot->version, &version, err));
        set_done(c, version);
        return DP_OK;
    }
    if (c->o->skip_older) {
        c->out->result = DP_COMMIT_OLDER;
        c->out->app_id = dp_strndup(c->b.txns[which].app_id.p, c->b.txns[which].app_id.n);
        c->out->app_version = c->b.txns[which].version, c->out->table_has = have;
        return DP_OK;
    }
    return dp_err_set(err, DP_RULE, "%s: batch %.*s:%lld is older than the table's %lld (--txn-older skip passes it over)", c->table,
                      DP_STR_FMT(c->b.txns[which].app_id), (long long)c->b.txns[which].version, (long long)have);
}

/* A table that is not there yet is made of what the files say of themselves. */
static enum dp_status describe_new(struct commit *c, struct dp_delta_change *change, struct dp_delta_protocol *protocol,
                                   struct dp_delta_metadata *metadata, struct dp_err *err) {
    struct dp_delta_pairs none = {0};
    struct dp_str cause;
    if (c->snapshot) return DP_OK;
    struct dp_delta_new wanted = {.schema = dp_delta_landing_schema(c->landing), .partition_columns = dp_delta_landing_partition_columns(c->landing),
                                  .configuration = &none, .names_are_physical = true, .now_ms = c->b.now_ms};
    if (!wanted.schema) return dp_err_set(err, DP_IO, "%s is not a table, and there are no files to make one of", c->table);
    DP_TRY(dp_delta_new_table(&wanted, &c->b.arena, protocol, metadata, &cause, err));
    dp_create_warn(c->run, c->table, cause);
    change->protocol = protocol;
    change->metadata = metadata;
    return DP_OK;
}

static void print_parameters(const struct commit *c, struct dp_buf *out) {
    static const char *const modes[] = {"Append", "Overwrite", "Overwrite"};
    const struct dp_delta_strs *by = dp_delta_landing_partition_columns(c->landing);
    struct dp_buf list = {0};
    dp_buf_addc(&list, '[');
    for (size_t i = 0; i < by->n; i++) {
        if (i) dp_buf_addc(&list, ',');
        dp_json_add_string(&list, by->v[i]);
    }
    dp_buf_addc(&list, ']');
    dp_buf_addf(out, "{\"mode\":\"%s\",\"partitionBy\":", modes[c->o->mode]);
    dp_json_add_string(out, dp_buf_str(&list));
    if (c->o->mode == DP_DELTA_REPLACE) dp_buf_addz(out, ",\"partitionOverwriteMode\":\"dynamic\"");
    dp_buf_addc(out, '}');
    dp_buf_release(&list);
}

void commit_after(struct dp_run *run, const char *table, int64_t now_ms, int64_t version, const struct dp_err *after) {
    dp_delta_staging_sweep(table, now_ms / 1000, 86400);
    if (after->status != DP_OK) /* the next checkpoint that is due makes up for it */
        dp_run_log(run, DP_LOG_WARN, "no checkpoint at version %lld: %s", (long long)version, after->msg);
}

static void note_published(struct commit *c, const struct dp_delta_change *change, int64_t version) {
    uint64_t bytes = 0;
    const struct dp_delta_snapshot *s = dp_delta_landing_snapshot(c->landing);
    if (!c->output) return;
    for (size_t i = 0; i < change->n_adds; i++) bytes += (uint64_t)change->adds[i].size;
    dp_dataset_version(c->output, version);
    dp_dataset_count(c->output, change->rows >= 0 ? (uint64_t)change->rows : UINT64_MAX, bytes, change->n_adds);
    dp_dataset_schema(c->output, s ? s->schema : dp_delta_landing_schema(c->landing));
    dp_dataset_about(c->output, s);
    if (!c->snapshot) dp_dataset_lifecycle(c->output, DP_OL_CREATE);
    else if (c->o->mode != DP_DELTA_APPEND) dp_dataset_lifecycle(c->output, DP_OL_OVERWRITE);
    else if (change->metadata) dp_dataset_lifecycle(c->output, DP_OL_ALTER);
}

static enum dp_status publish(struct commit *c, struct dp_err *err) {
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_delta_change change = {.mode = c->o->mode, .operation = "WRITE", .checked = true, .txns = c->b.txns, .n_txns = c->b.n_txns,
                                     .rows = dp_delta_landing_rows(c->landing), .now_ms = c->b.now_ms};
    struct dp_buf parameters = {0}, extra = {0};
    struct dp_err after = DP_ERR_INIT;
    int64_t version = -1;
    change.after = &after;
    print_parameters(c, &parameters);
    commit_batch_print(&c->b, &extra);
    change.parameters = dp_buf_z(&parameters);
    change.extra = dp_buf_z(&extra);
    enum dp_status status = describe_new(c, &change, &protocol, &metadata, err);
    if (c->evolved) change.metadata = dp_delta_evolve_metadata(c->evolved), change.protocol = dp_delta_evolve_protocol(c->evolved);
    if (status == DP_OK) status = dp_delta_landing_place(c->landing, &change.adds, &change.n_adds, err);
    if (status == DP_OK) status = dp_delta_publish(c->table, c->snapshot, &change, &version, err), c->lost = status == DP_AGAIN;
    if (status == DP_OK) {
        dp_delta_landing_tidy(c->landing);
        commit_after(c->run, c->table, c->b.now_ms, version, &after);
        c->out->result = DP_COMMIT_DONE;
        c->out->version = version, c->out->files = change.n_adds, c->out->rows = change.rows;
        note_published(c, &change, version);
    }
    dp_buf_release(&parameters);
    dp_buf_release(&extra);
    return status;
}

static enum dp_status check_files(struct commit *c, struct dp_err *err) {
    struct dp_delta_intent intent = {.removes = c->o->mode != 0, .writes = c->n_paths > 0, .checks = true};
    if (c->snapshot)
        DP_TRY(dp_delta_check_write(&c->snapshot->protocol, &c->snapshot->metadata, c->snapshot->schema, &intent, err));
    c->landing = dp_delta_landing_open(c->table, c->snapshot);
    if (c->snapshot && c->o->evolve) {
        c->evolved = dp_delta_evolve_open(c->snapshot, c->o->evolve);
        dp_delta_landing_evolve(c->landing, c->evolved);
    }
    for (size_t i = 0; i < c->n_paths; i++) {
        if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
        DP_TRY(dp_delta_landing_add(c->landing, c->paths[i], err));
    }
    if (dp_delta_landing_known(c->landing) && dp_delta_landing_count(c->landing))
        return dp_err_set(err, DP_RULE, "%s: %zu of %zu files are in the table already", c->table, dp_delta_landing_known(c->landing), c->n_paths);
    bool is_new = !dp_delta_landing_known(c->landing);
    if (is_new) DP_TRY(dp_delta_landing_check(c->landing, c->run->pool, c->run->memory, NULL, err));
    dp_buf_reset(&c->out->evolved);
    if (c->evolved) dp_delta_evolve_print(c->evolved, &c->out->evolved);
    return c->o->check_contract && is_new ? dp_commit_check(c->run, c->table, dp_delta_landing_snapshot(c->landing), c->landing, c->o->verdict, err) : DP_OK;
}

static enum dp_status commit_once(struct commit *c, struct dp_err *err) {
    bool go;
    if (dp_delta_is_table(c->table)) DP_TRY(dp_delta_open(c->table, -1, &c->snapshot, err));
    DP_TRY(judge(c, &go, err));
    if (!go) return DP_OK;
    DP_TRY(check_files(c, err));
    if (dp_delta_landing_known(c->landing)) {
        set_done(c, c->snapshot->version);
        return DP_OK;
    }
    if (!dp_delta_landing_count(c->landing) && !c->b.n_txns && c->o->mode != DP_DELTA_OVERWRITE) return dp_err_set(err, DP_EMPTY, "no files came");
    if (c->run->dry_run) {
        c->out->result = DP_COMMIT_DRY;
        c->out->files = dp_delta_landing_count(c->landing), c->out->rows = dp_delta_landing_rows(c->landing);
        return DP_OK;
    }
    return publish(c, err);
}

static void forget_attempt(struct commit *c) {
    dp_delta_landing_close(c->landing);
    dp_delta_evolve_close(c->evolved);
    dp_delta_close(c->snapshot);
    c->landing = NULL;
    c->evolved = NULL;
    c->snapshot = NULL;
}

/*
 * Reads the table again where a concurrent commit is in conflict or carries our transaction, and decides again: the files are checked against what the table
 * is by then, and its schema may have grown by the very columns that they bring.
 */
static enum dp_status commit_now(struct commit *c, struct dp_err *err) {
    enum dp_status status = commit_once(c, err);
    for (unsigned tries = 1; (status == DP_END || (status == DP_AGAIN && c->lost)) && tries < LOST_TRIES; tries++) {
        c->lost = false;
        forget_attempt(c);
        if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
        status = commit_once(c, err);
    }
    if (status == DP_END) status = dp_err_set(err, DP_AGAIN, "%s: concurrent commits carry the same transactions", c->table);
    forget_attempt(c);
    if (status != DP_OK) return status;
    bool is_published = c->out->result == DP_COMMIT_DONE;
    if (is_published) c->b.seen_version = c->out->version; /* our positions are where we put them */
    if (is_published || c->out->result == DP_COMMIT_DRY) {
        c->out->commits += is_published;
        c->out->all_files += c->out->files;
        c->out->all_rows += c->out->rows;
    }
    return DP_OK;
}

static void forget_batch(struct commit *c) {
    for (size_t i = 0; i < c->n_paths; i++) free(c->paths[i]);
    c->n_paths = 0;
    commit_batch_forget(&c->b);
}

/* Everything before here is covered by positions, and it is time: a version of its own. */
static enum dp_status commit_part(struct commit *c, struct dp_err *err) {
    int64_t now = dp_time_monotonic_ms();
    if (!c->o->in_parts || !c->covered || !c->b.n_txns || now < c->next_part) return DP_OK;
    if (!c->run->now_fixed) c->b.now_ms = dp_time_now_micros() / 1000;
    enum dp_status status = commit_now(c, err);
    if (status == DP_EMPTY) { /* positions that the table has already, and no files */
        status = DP_OK;
    } else if (status == DP_OK && c->o->each) {
        status = c->o->each(c->o->each_ctx, c->out, err);
    }
    forget_batch(c);
    free(c->out->app_id);
    c->out->app_id = NULL;
    c->next_part = now + c->o->commit_every;
    return status;
}

static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct commit *c = ctx;
    *pass = false;
    if (m->kind == DP_MARK_CHECKPOINT) {
        DP_TRY(commit_batch_position(&c->b, m, err));
        c->covered = !m->more;
        c->n_checkpoints++;
    }
    return commit_part(c, err);
}

/* What stands behind the last part, or all of it. */
static enum dp_status commit_rest(struct commit *c, struct dp_err *err) {
    c->out->has_rest = true;
    if (c->o->in_parts && !c->n_checkpoints && c->n_paths)
        dp_run_log(c->run, DP_LOG_INFO, "no checkpoint came: --commit-every had nothing to go by, and all is one commit");
    if (!c->run->now_fixed) c->b.now_ms = dp_time_now_micros() / 1000;
    DP_TRY(commit_batch_name(&c->b, c->o->txn, c->n_paths > 0, err));
    bool had_parts = c->out->commits || c->out->all_files;
    enum dp_status status = commit_now(c, err);
    if (status != DP_EMPTY || !had_parts) return status;
    c->out->has_rest = false;
    return DP_OK;
}

enum dp_status dp_commit_stream(struct dp_run *run, const struct dp_commit_opts *o, struct dp_committed *out, struct dp_err *err) {
    struct commit c = {.run = run, .o = o, .out = out, .table = o->table, .b = {.run = run, .now_ms = run->now_micros / 1000, .seen_version = -1}};
    struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_PASS}, .sink = true, .strict = !o->eof_commits};
    struct dp_stream_ops ops = {.begin = on_begin, .header = on_header, .path = on_path, .mark = on_mark, .finish = on_finish};
    *out = (struct dp_committed){0};
    c.next_part = dp_time_monotonic_ms() + o->commit_every;
    c.output = dp_dataset_output(run, o->table);
    dp_dataset_storage(c.output, "delta", "parquet");
    enum dp_status status = dp_stream_run(run, NULL, 0, &conf, &ops, &c, err);
    if (status == DP_OK) status = commit_rest(&c, err);
    forget_attempt(&c);
    forget_batch(&c);
    free(c.paths);
    commit_batch_release(&c.b);
    return status;
}

/*
 * Commits (digest section 5): the entry is written whole under a hidden name, synced, and linked to the next version, which must not exist.
 *
 * Who loses the race reads what won, and goes on at the version after it when nothing there is in conflict (conflict.c).  What depends on the version (row ids,
 * in-commit timestamps) is made anew for each attempt.  Among processes of dp a lock on the log directory makes them take turns, so that no one syncs an entry
 * which can only lose; it is a courtesy: the link alone decides, and who waits too long goes on without.
 * What it does not do: checks of rows.
 */
#include "commit_priv.h"
#include "mtime_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/log.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ICT_VERSION "delta.inCommitTimestampEnablementVersion"
#define ICT_TIME "delta.inCommitTimestampEnablementTimestamp"

/* What a file's partition is, as a key. */
static void partition_key(const struct dp_delta_strs *columns, const struct dp_delta_pairs *values, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t i = 0; i < columns->n; i++) {
        const struct dp_delta_pair *v = dp_delta_pairs_get(values, columns->v[i]);
        bool null = !v || v->is_null || !v->value.n;
        dp_buf_addf(out, "%c%zu:", null ? 'n' : 'v', null ? 0 : v->value.n);
        if (!null) dp_buf_adds(out, v->value);
    }
}

bool dp_delta_is_touched(const struct dp_delta_publication *p, const struct dp_delta_file *f) {
    if (p->change->mode == DP_DELTA_APPEND || !p->base) return false;
    if (p->change->mode == DP_DELTA_OVERWRITE || !p->base->metadata.partition_columns.n) return true;
    struct dp_buf key = {0};
    partition_key(&p->base->partition_keys, &f->partition_values, &key);
    bool is = dp_map_get(&p->touched, dp_buf_str(&key)) != NULL;
    dp_buf_release(&key);
    return is;
}

void dp_delta_settle_duties(struct dp_delta_publication *p) {
    p->ict = p->protocol && dp_delta_has_feature(p->protocol, "inCommitTimestamp") && dp_delta_is_on(p->metadata, "delta.enableInCommitTimestamps");
    p->row_ids = p->protocol && dp_delta_has_feature(p->protocol, "rowTracking") && !dp_delta_is_on(p->metadata, "delta.rowTrackingSuspended");
}

enum dp_status dp_delta_check_intent(const struct dp_delta_publication *p, struct dp_err *err) {
    const struct dp_delta_change *c = p->change;
    if (!p->base) return DP_OK;
    struct dp_delta_intent intent = {.removes = !c->rearranges && (c->mode != DP_DELTA_APPEND || c->n_removes), .checks = c->checked};
    for (size_t i = 0; i < c->n_adds; i++) {
        if (dp_delta_readded(p, &c->adds[i])) continue; /* the same rows, or fewer */
        if (c->rearranges) intent.copies = true;
        else intent.writes = true;
    }
    return dp_delta_check_write(p->protocol, p->metadata, p->base->schema, &intent, err);
}

/* ---- the entry's text ---- */

static int64_t in_commit_time(const struct dp_delta_publication *p) {
    int64_t now = p->change->now_ms;
    return p->previous_time != DP_DELTA_UNSET && p->previous_time >= now ? p->previous_time + 1 : now;
}

/* Under enabled tracking readers of changes ask whether rows kept their ids. */
static void print_preserved(const struct dp_delta_publication *p, size_t n_removes, struct dp_buf *b) {
    const struct dp_delta_change *c = p->change;
    bool fresh = false;
    if (!p->row_ids || !dp_delta_is_on(p->metadata, "delta.enableRowTracking")) return;
    for (size_t i = 0; i < c->n_adds && !fresh; i++) fresh = !dp_delta_readded(p, &c->adds[i]);
    bool keeps = c->keeps_row_ids || !fresh || (!n_removes && !c->rearranges) || c->mode != DP_DELTA_APPEND;
    dp_buf_addf(b, ",\"tags\":{\"delta.rowTracking.preserved\":\"%s\"}", keeps ? "true" : "false");
}

static void print_commit_info(const struct dp_delta_publication *p, size_t n_removes, struct dp_buf *b) {
    static const char *const levels[] = {"Serializable", "WriteSerializable", "SnapshotIsolation"};
    const struct dp_delta_change *c = p->change;
    int64_t bytes = 0;
    for (size_t i = 0; i < c->n_adds; i++) bytes += c->adds[i].size;
    dp_buf_addz(b, "{\"commitInfo\":{");
    if (p->ict) dp_buf_addf(b, "\"inCommitTimestamp\":%lld,", (long long)in_commit_time(p));
    dp_buf_addf(b, "\"timestamp\":%lld,\"operation\":\"%s\",\"operationParameters\":%s", (long long)c->now_ms, c->operation, c->parameters);
    if (p->base) dp_buf_addf(b, ",\"readVersion\":%lld", (long long)p->read_version);
    dp_buf_addf(b, ",\"isolationLevel\":\"%s\",\"isBlindAppend\":%s,\"operationMetrics\":{\"numFiles\":\"%zu\"",
                levels[dp_delta_level_of(p)], dp_delta_is_blind(c) ? "true" : "false", c->n_adds);
    if (n_removes) dp_buf_addf(b, ",\"numRemovedFiles\":\"%zu\"", n_removes);
    if (c->rows >= 0) dp_buf_addf(b, ",\"numOutputRows\":\"%lld\"", (long long)c->rows);
    dp_buf_addf(b, ",\"numOutputBytes\":\"%lld\"%s}", (long long)bytes, c->metrics ? c->metrics : "");
    print_preserved(p, n_removes, b);
    dp_buf_addf(b, ",\"engineInfo\":\"dp/" DP_VERSION "\",\"txnId\":\"%s\"%s}}\n", p->txn_id, c->extra ? c->extra : "");
}

static void print_remove(const struct dp_delta_publication *p, const struct dp_delta_file *f, struct dp_buf *b) {
    struct dp_delta_file gone = *f;
    gone.deletion_timestamp = p->change->now_ms;
    gone.data_change = !p->change->rearranges;
    gone.extended = true;
    gone.stats = (struct dp_str){0};
    dp_delta_remove_print(&gone, b);
}

static size_t print_removes(const struct dp_delta_publication *p, struct dp_buf *b) {
    size_t n = p->change->n_removes, cursor = 0;
    const struct dp_delta_file *f;
    for (size_t i = 0; i < n; i++) print_remove(p, p->change->removes[i], b);
    while (p->base && p->change->mode != DP_DELTA_APPEND && (f = dp_delta_next_file(p->base, &cursor)) != NULL)
        if (dp_delta_is_touched(p, f)) print_remove(p, f, b), n++;
    return n;
}

/* The change's metaData; the one that turns in-commit timestamps on for a table that is there says from where on they count. */
static void print_metadata(const struct dp_delta_publication *p, int64_t version, struct dp_buf *b) {
    struct dp_delta_metadata m = *p->change->metadata;
    bool had = p->base && dp_delta_has_feature(&p->base->protocol, "inCommitTimestamp") && dp_delta_is_on(&p->base->metadata, "delta.enableInCommitTimestamps");
    char at[24], when[24];
    if (!p->ict || had || !p->base) {
        dp_delta_metadata_print(&m, b);
        return;
    }
    const struct dp_delta_pairs *given = &p->change->metadata->configuration;
    m.configuration = (struct dp_delta_pairs){dp_calloc(given->n + 2, sizeof *given->v), 0};
    for (size_t i = 0; i < given->n; i++)
        if (!dp_str_eqz(given->v[i].key, ICT_VERSION) && !dp_str_eqz(given->v[i].key, ICT_TIME)) m.configuration.v[m.configuration.n++] = given->v[i];
    m.configuration.v[m.configuration.n++] = (struct dp_delta_pair){DP_STR(ICT_VERSION), dp_str(at, dp_print_i64(at, version)), false};
    m.configuration.v[m.configuration.n++] = (struct dp_delta_pair){DP_STR(ICT_TIME), dp_str(when, dp_print_i64(when, in_commit_time(p))), false};
    dp_delta_metadata_print(&m, b);
    free(m.configuration.v);
}

static enum dp_status print_adds(const struct dp_delta_publication *p, int64_t version, int64_t *mark, struct dp_buf *b, struct dp_err *err) {
    for (size_t i = 0; i < p->change->n_adds; i++) {
        struct dp_delta_file add = p->change->adds[i];
        add.data_change = !p->change->rearranges;
        DP_TRY(dp_delta_number_rows(p, version, &add, mark, err));
        dp_delta_add_print(&add, b);
    }
    return DP_OK;
}

static void print_domains(const struct dp_delta_publication *p, int64_t mark, struct dp_buf *b) {
    const struct dp_delta_change *c = p->change;
    for (size_t i = 0; i < c->n_domains; i++)
        if (!dp_str_eqz(c->domains[i].domain, DP_DELTA_ROW_DOMAIN)) dp_delta_domain_print(&c->domains[i], b);
    if (mark <= p->high_water) return;
    char text[64];
    snprintf(text, sizeof text, "{\"rowIdHighWaterMark\":%lld}", (long long)mark);
    dp_delta_domain_print(&(struct dp_delta_domain){DP_STR(DP_DELTA_ROW_DOMAIN), dp_str_z(text), false}, b);
}

static enum dp_status print_entry(const struct dp_delta_publication *p, int64_t version, struct dp_buf *b, struct dp_err *err) {
    const struct dp_delta_change *c = p->change;
    struct dp_buf removes = {0};
    size_t n_removes = print_removes(p, &removes);
    int64_t mark = p->high_water;
    print_commit_info(p, n_removes, b);
    if (c->protocol) dp_delta_protocol_print(c->protocol, b);
    if (c->metadata) print_metadata(p, version, b);
    for (size_t i = 0; i < c->n_txns; i++) dp_delta_txn_print(&c->txns[i], b);
    dp_buf_adds(b, dp_buf_str(&removes));
    dp_buf_release(&removes);
    DP_TRY(print_adds(p, version, &mark, b, err));
    for (size_t i = 0; i < c->n_cdcs; i++) dp_delta_cdc_print(&c->cdcs[i], b);
    print_domains(p, mark, b);
    return DP_OK;
}

/*
 * DP_AGAIN: the version is taken.  The entry is built in the table's staging directory, on the same file system: whatever is left of a killed
 * process is swept there, and _delta_log holds nothing but whole entries.
 */
static enum dp_status link_entry(const struct dp_delta_publication *p, int64_t version, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct dp_buf text = {0};
    char *path = dp_delta_commit_path(p->table, version), *dir = dp_path_dir(path);
    char *staging = dp_path_join(p->table, DP_DELTA_STAGING), *draft = dp_path_join(staging, "entry");
    enum dp_status status = print_entry(p, version, &text, err);
    if (status == DP_OK) status = dp_mkdirs(staging, err);
    if (status == DP_OK && text.n > DP_LIMIT_COMMIT_BYTES)
        status = dp_err_set(err, DP_LIMIT, "the log entry is larger than %u bytes", DP_LIMIT_COMMIT_BYTES);
    if (status == DP_OK) status = dp_newfile_open(&file, draft, 0666, err);
    if (status == DP_OK) status = dp_fd_write(file.fd, text.p, text.n, err);
    if (status == DP_OK && fsync(file.fd) != 0) status = dp_err_sys(err, DP_IO, "cannot sync %s", file.tmp);
    if (status == DP_OK && link(file.tmp, path) != 0)
        status = errno == EEXIST ? dp_err_set(err, DP_AGAIN, "%s exists already", path) : dp_err_sys(err, DP_IO, "cannot link %s", path);
    if (status == DP_OK) status = dp_fsync_dir(dir, err);
    dp_newfile_abort(&file);
    dp_buf_release(&text);
    free(draft), free(staging), free(dir), free(path);
    return status;
}

/* ---- taking turns ---- */

#define TURN_WAIT_MS 2000

/* The lock, -1 without it: nobody must wait for ever for a process that was stopped. */
static int take_turn(const char *table) {
    char *log = dp_path_join(table, "_delta_log");
    int fd = open(log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(log);
    for (unsigned waited_us = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;) {
        uint16_t r;
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited_us > TURN_WAIT_MS * 1000) {
            close(fd);
            return -1;
        }
        dp_random(&r, sizeof r);
        unsigned us = 200 + r % 1800u;
        nanosleep(&(struct timespec){0, (long)us * 1000}, NULL);
        waited_us += us;
    }
    return fd;
}

/* ---- publishing ---- */

static enum dp_status see_info(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    (void)err;
    if (a->kind == DP_DELTA_COMMIT_INFO) *(int64_t *)ctx = a->u.commit_info.in_commit_timestamp;
    return DP_OK;
}

/* The time that the new entry's must exceed: the base version's own, or its file's when it is from before in-commit timestamps. */
static enum dp_status read_previous_time(struct dp_delta_publication *p, struct dp_err *err) {
    struct dp_err ignored = DP_ERR_INIT;
    char *path = dp_delta_commit_path(p->table, p->base->version);
    enum dp_status status = dp_delta_actions_file(path, &p->arena, see_info, &p->previous_time, &ignored);
    if (status == DP_OK && p->previous_time == DP_DELTA_UNSET) p->previous_time = delta_mtime_ms(path, DP_DELTA_UNSET);
    if (status == DP_IO && ignored.sys_errno == ENOENT) status = DP_OK; /* only the checkpoint is left of it */
    else if (status != DP_OK && err) *err = ignored;
    free(path);
    return status;
}

static int64_t base_high_water(const struct dp_delta_snapshot *base) {
    const struct dp_map_item *item = dp_map_get(&base->domains, DP_STR(DP_DELTA_ROW_DOMAIN));
    return item ? dp_delta_high_water(((const struct dp_delta_domain *)item->v.p)->configuration) : -1;
}

/* Two actions of one entry must not reconcile with each other, and a deletion vector needs its feature and an exact number of rows. */
static enum dp_status check_actions(const struct dp_delta_publication *p, struct dp_err *err) {
    const struct dp_delta_change *c = p->change;
    struct dp_map adds = {0};
    struct dp_buf key = {0};
    enum dp_status status = p->removed.live == c->n_removes ? DP_OK : dp_err_set(err, DP_BUG, "a commit removes one file twice");
    for (size_t i = 0; i < c->n_adds && status == DP_OK; i++) {
        const struct dp_delta_file *f = &c->adds[i];
        bool is_new;
        dp_buf_reset(&key);
        dp_delta_path_key(f->path, &key);
        dp_map_put(&adds, dp_buf_str(&key), &is_new);
        if (!is_new) status = dp_err_set(err, DP_BUG, "a commit adds %.*s twice", DP_STR_FMT(f->path));
        if (status != DP_OK || !f->dv.storage.p) continue;
        if (!dp_delta_has_feature(p->protocol, "deletionVectors"))
            status = dp_err_set(err, DP_UNSUPPORTED, "the table's protocol does not carry deletionVectors");
        else if (dp_delta_file_rows(f) < 0)
            status = dp_err_set(err, DP_UNSUPPORTED, "%.*s has a deletion vector and no number of rows in its statistics", DP_STR_FMT(f->path));
    }
    dp_buf_release(&key);
    dp_map_release(&adds);
    return status;
}

static enum dp_status prepare(struct dp_delta_publication *p, struct dp_err *err) {
    const struct dp_delta_change *c = p->change;
    struct dp_buf key = {0};
    dp_uuid(p->txn_id);
    p->previous_time = DP_DELTA_UNSET;
    p->high_water = p->base ? base_high_water(p->base) : -1;
    p->read_version = p->base ? p->base->version : -1;
    for (size_t i = 0; p->base && c->mode == DP_DELTA_REPLACE && i < c->n_adds; i++) {
        partition_key(&p->base->partition_keys, &c->adds[i].partition_values, &key);
        dp_map_put(&p->touched, dp_buf_str(&key), NULL);
    }
    for (size_t i = 0; i < c->n_removes; i++) {
        dp_buf_reset(&key);
        dp_delta_path_key(c->removes[i]->path, &key);
        dp_map_put(&p->removed, dp_buf_str(&key), NULL)->v.p = (void *)(uintptr_t)c->removes[i];
    }
    dp_buf_release(&key);
    p->protocol = p->base ? &p->base->protocol : NULL;
    p->metadata = p->base ? &p->base->metadata : NULL;
    DP_TRY(dp_delta_check_intent(p, err)); /* of the table as it is: what was refused for it stays refused */
    if (c->protocol) p->protocol = c->protocol;
    if (c->metadata) p->metadata = c->metadata;
    dp_delta_settle_duties(p);
    DP_TRY(check_actions(p, err));
    if (p->base) return p->ict ? read_previous_time(p, err) : DP_OK;
    if (dp_delta_is_table(p->table)) return dp_err_set(err, DP_AGAIN, "%s: a concurrent commit created the table", p->table);
    char *dir = dp_path_join(p->table, "_delta_log");
    enum dp_status status = dp_mkdirs(dir, err);
    free(dir);
    return status;
}

static bool is_taken(const char *table, int64_t version) {
    char *path = dp_delta_commit_path(table, version);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* A version is only ever linked behind one that is there: the log may have been cleaned far beyond the base. */
static enum dp_status check_previous(const struct dp_delta_publication *p, int64_t version, struct dp_err *err) {
    struct dp_delta_log log;
    if (version == 0 || is_taken(p->table, version - 1)) return DP_OK;
    DP_TRY(dp_delta_log_list(p->table, &log, err));
    int64_t latest = dp_delta_log_latest(&log);
    dp_delta_log_release(&log);
    if (latest == version - 1) return DP_OK;
    return dp_err_set(err, DP_AGAIN, "%s: the log was cleaned beyond version %lld, which this commit was made against", p->table, (long long)version - 1);
}

/* *version: the first to try, then what was published.  DP_AGAIN with *lost: somebody was faster once more. */
static enum dp_status try_once(struct dp_delta_publication *p, int64_t *version, bool *lost, struct dp_err *err) {
    bool ours = false;
    *lost = false;
    while (is_taken(p->table, *version)) {
        DP_TRY(dp_delta_check_winner(p, *version, &ours, err));
        if (ours) return DP_OK;
        ++*version;
    }
    DP_TRY(check_previous(p, *version, err));
    enum dp_status status = link_entry(p, *version, err);
    *lost = status == DP_AGAIN && is_taken(p->table, *version);
    return status;
}

/* The commit is published already: a checkpoint that fails is told, and the next one that is due makes up for it. */
static void follow_up(const struct dp_delta_publication *p, int64_t version) {
    struct dp_err failed = DP_ERR_INIT;
    if (dp_delta_checkpoint_follow(p->table, &p->metadata->configuration, version, p->change->now_ms, &failed) == DP_OK || !p->change->after) return;
    *p->change->after = failed;
}

enum dp_status dp_delta_publish(const char *table, const struct dp_delta_snapshot *base, const struct dp_delta_change *change, int64_t *version,
                                struct dp_err *err) {
    struct dp_delta_publication p = {.table = table, .base = base, .change = change};
    unsigned tries = change->max_retries ? change->max_retries : 200;
    int64_t v = base ? base->version + 1 : 0;
    bool lost = true;
    enum dp_status status = prepare(&p, err);
    while (status == DP_OK && lost) {
        int turn = change->alone ? -1 : take_turn(table);
        status = try_once(&p, &v, &lost, err);
        if (turn >= 0) close(turn);
        if (lost && tries-- == 0) {
            status = dp_err_set(err, DP_AGAIN, "%s: other commits won every time up to version %lld", table, (long long)v);
            break;
        }
        if (lost) status = DP_OK;
    }
    if (status == DP_OK) {
        *version = v;
        follow_up(&p, v);
    }
    dp_map_release(&p.touched);
    dp_map_release(&p.removed);
    dp_map_release(&p.won);
    dp_delta_skipper_close(p.skipper);
    dp_arena_release(&p.arena);
    return status;
}

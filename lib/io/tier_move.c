/*
 * Moving files of a table (lib/io/tier_move.h).
 * What it does not do: decide which, and copy deletion vectors, which stay in the table.
 */
#include "tier_move.h"

#include "commit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/delta/commit.h>
#include <dp/delta/hold.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, TRIES = 50, HEX = 2 * DP_SHA256_SIZE + 1 };

/* A copy that is whole, under its name. */
struct tier_copy {
    const char *to, *rel;
    int64_t size;
    char sha256[HEX];
    bool is_new, is_used;  /* made by this process; named by the commit */
};

/* ---- drafts ---- */

static void sweep(const char *dir, bool all) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (!all && !strcmp(e->d_name, DP_DELTA_STAGING_LOCK))) continue;
        char *path = dp_path_join(dir, e->d_name);
        (void)unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

enum dp_status tier_drafts_open(const char *dir, int *lock, struct dp_err *err) {
    DP_TRY(dp_mkdirs(dir, err));
    char *path = dp_path_join(dir, DP_DELTA_STAGING_LOCK);
    enum dp_status status = DP_OK;
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0) status = dp_err_sys(err, DP_IO, "can't open %s", path);
    else if (flock(*lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) status = dp_err_set(err, DP_AGAIN, "%s: another process moves files there", dir);
    if (status == DP_OK) sweep(dir, false);
    else if (*lock >= 0) close(*lock), *lock = -1;
    free(path);
    return status;
}

void tier_drafts_close(const char *dir, int lock) {
    if (lock < 0) return;
    sweep(dir, true);
    (void)rmdir(dir);
    close(lock);
}

/* ---- one copy ---- */

static enum dp_status open_source(const char *path, int64_t size, int *fd, struct dp_err *err) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return dp_err_sys(err, DP_IO, "can't open %s", path);
    if (fstat(*fd, &st) != 0) return dp_err_sys(err, DP_IO, "%s", path);
    if (!S_ISREG(st.st_mode)) return dp_err_set(err, DP_UNSUPPORTED, "%s is no regular file", path);
    if (st.st_size != size) return dp_err_set(err, DP_FORMAT, "%s has %lld bytes, and the log says %lld", path, (long long)st.st_size, (long long)size);
    return DP_OK;
}

/* Reads a file of `size` bytes; writes it to `to` where that is not -1; its digest comes out. */
static enum dp_status read_through(struct tier_moving *m, const char *path, int64_t size, int to, char hex[HEX], struct dp_err *err) {
    uint8_t hash[DP_SHA256_SIZE];
    int fd = -1;
    struct dp_sha256_state sum;
    enum dp_status status = open_source(path, size, &fd, err);
    if (!m->block) m->block = dp_alloc(BLOCK);
    dp_sha256_begin(&sum);
    for (int64_t at = 0; status == DP_OK && at < size;) {
        size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        if (dp_run_stopped(m->run, err)) status = DP_SIGNALLED;
        if (status == DP_OK && (status = dp_fd_pread(fd, m->block, n, (uint64_t)at, err)) != DP_OK) dp_err_at(err, path, 0, DP_NO_OFFSET);
        if (status == DP_OK && to >= 0) status = dp_fd_write(to, m->block, n, err);
        dp_sha256_add(&sum, m->block, n);
        at += (int64_t)n;
    }
    dp_sha256_end(&sum, hash);
    hex[dp_hex_print(hex, hash, sizeof hash)] = 0;
    if (fd >= 0) close(fd);
    return status;
}

static enum dp_status check_digest(const struct tier_item *item, const char *hex, struct dp_err *err) {
    if (!item->sha256.n || dp_str_eqz(item->sha256, hex)) return DP_OK;
    return dp_err_set(err, DP_FORMAT, "%s is not the file that was moved: its SHA-256 is %s, and the log says %.*s", item->from, hex, DP_STR_FMT(item->sha256));
}

static enum dp_status place(struct dp_newfile *f, const char *to, const char *root, struct dp_err *err) {
    char *dir = dp_path_dir(to);
    enum dp_status status = dp_mkdirs_unsynced(dir, err);
    free(dir);
    DP_TRY(status);
    free(f->final);
    f->final = dp_strdup(to);
    DP_TRY(dp_newfiles_sync(&f, 1, err));
    return dp_newfiles_publish(&f, 1, root, err);
}

static enum dp_status make_copy(struct tier_moving *m, const struct tier_item *item, struct tier_copy *c, struct dp_err *err) {
    struct dp_newfile f = {0};
    char *draft = dp_path_join(item->drafts, "copy");
    enum dp_status status = dp_newfile_open(&f, draft, 0666, err);
    if (status == DP_OK) status = read_through(m, item->from, c->size, f.fd, c->sha256, err);
    if (status == DP_OK) status = check_digest(item, c->sha256, err);
    if (status == DP_OK) status = place(&f, c->to, item->root, err);
    if (!f.tmp) free(f.final);
    else dp_newfile_abort(&f);
    free(draft);
    c->is_new = status == DP_OK;
    return status;
}

/* The names up to `top` are on disk, too: who made the copy may have died before that. */
static enum dp_status sync_names(const char *path, const char *top, struct dp_err *err) {
    char *dir = dp_path_dir(path);
    enum dp_status status = DP_OK;
    for (bool more = true; status == DP_OK && more;) {
        char *up = dp_path_dir(dir);
        status = dp_fsync_dir(dir, err);
        more = strlen(up) >= strlen(top) && strcmp(up, dir) != 0;
        free(dir);
        dir = up;
    }
    free(dir);
    return status;
}

/* Something stands at c->to: *same, it is this file. */
static enum dp_status compare(struct tier_moving *m, const struct tier_item *item, struct tier_copy *c, bool *same, struct dp_err *err) {
    struct stat st;
    char hex[HEX];
    *same = false;
    if (!c->sha256[0]) {
        DP_TRY(read_through(m, item->from, c->size, -1, c->sha256, err));
        DP_TRY(check_digest(item, c->sha256, err));
    }
    if (stat(c->to, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != c->size) return DP_OK;
    DP_TRY(read_through(m, c->to, c->size, -1, hex, err));
    *same = !strcmp(hex, c->sha256);
    return *same ? sync_names(c->to, item->root, err) : DP_OK;
}

/* Under the name that is wanted, or, where another file has that, one that begins with its digest. */
static enum dp_status copy_item(struct tier_moving *m, const struct tier_item *item, struct tier_copy *c, struct dp_err *err) {
    for (int i = 0; i < 2; i++) {
        struct stat st;
        bool same;
        if (i) {
            const char *slash = strrchr(item->rel, '/'), *base = slash ? slash + 1 : item->rel;
            c->rel = dp_arena_printf(&m->arena, "%.*s%.16s-%s", (int)(base - item->rel), item->rel, c->sha256, base);
        }
        c->to = dp_arena_printf(&m->arena, "%s/%s", item->root, c->rel);
        if (lstat(c->to, &st) != 0) return make_copy(m, item, c, err);
        DP_TRY(compare(m, item, c, &same, err));
        if (same) return DP_OK;
    }
    return dp_err_set(err, DP_FORMAT, "%s: another file stands there", c->to);
}

/* ---- the whole ---- */

void tier_moving_add(struct tier_moving *m, const struct tier_item *item) {
    struct tier_item *x;
    m->items = dp_grow(m->items, &m->cap, m->n + 1, sizeof *m->items);
    x = &m->items[m->n++];
    *x = *item;
    x->from = dp_arena_strdup(&m->round, item->from), x->root = dp_arena_strdup(&m->round, item->root), x->rel = dp_arena_strdup(&m->round, item->rel);
    x->drafts = dp_arena_strdup(&m->round, item->drafts);
    if (item->tier) x->tier = dp_arena_strdup(&m->round, item->tier);
}

static struct tier_copy *copy_of(const struct tier_moving *m, const struct tier_item *item) {
    const struct dp_map_item *it = dp_map_get(&m->copies, dp_str_z(item->from));
    return it ? it->v.p : NULL;
}

static enum dp_status copy_all(struct tier_moving *m, struct dp_err *err) {
    for (size_t i = 0; i < m->n; i++) {
        if (copy_of(m, &m->items[i])) continue;
        struct tier_copy *c = dp_arena_calloc(&m->arena, 1, sizeof *c);
        c->size = m->items[i].file->size;
        c->rel = dp_arena_strdup(&m->arena, m->items[i].rel);
        DP_TRY(copy_item(m, &m->items[i], c, err));
        dp_map_put(&m->copies, dp_str_z(m->items[i].from), NULL)->v.p = c;
        if (m->run->tick) m->run->tick(m->run);
    }
    return DP_OK;
}

/* While no vacuum deletes: are they all there?  One that is not is forgotten. */
static bool are_there(struct tier_moving *m) {
    bool all = true;
    for (size_t i = 0; i < m->n; i++) {
        struct stat st;
        struct tier_copy *c = copy_of(m, &m->items[i]);
        if (c && stat(c->to, &st) == 0 && st.st_size == c->size) continue;
        dp_map_remove(&m->copies, dp_str_z(m->items[i].from));
        all = false;
    }
    return all;
}

static struct dp_str text_in(struct tier_moving *m, const char *z) { return dp_str_z(dp_arena_strdup(&m->round, z)); }

/* The add of a file in its new place. */
static struct dp_delta_file moved(struct tier_moving *m, const struct tier_item *item, struct tier_copy *c) {
    struct dp_delta_file f = *item->file;
    struct dp_buf path = {0};
    if (item->tier) dp_delta_path_uri(dp_str_z(c->to), &path);
    else dp_delta_path_encode(dp_str_z(c->rel), &path);
    f.path = dp_arena_str(&m->round, dp_buf_str(&path));
    f.data_change = false;
    f.tags = (struct dp_delta_pairs){dp_arena_calloc(&m->round, item->file->tags.n + 2, sizeof *f.tags.v), 0};
    for (size_t i = 0; i < item->file->tags.n; i++)
        if (!dp_str_eqz(item->file->tags.v[i].key, DP_DELTA_TAG_TIER) && !dp_str_eqz(item->file->tags.v[i].key, DP_DELTA_TAG_SHA256)) f.tags.v[f.tags.n++] = item->file->tags.v[i];
    if (item->tier) {
        f.tags.v[f.tags.n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_TAG_TIER), dp_str_z(item->tier), false};
        f.tags.v[f.tags.n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_TAG_SHA256), text_in(m, c->sha256), false};
    }
    c->is_used = true;
    dp_buf_release(&path);
    return f;
}

static enum dp_status publish(struct tier_moving *m, const struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_delta_file **removes = dp_arena_calloc(&m->round, m->n + 1, sizeof *removes);
    struct dp_delta_file *adds = dp_arena_calloc(&m->round, m->n + 1, sizeof *adds);
    const struct dp_delta_txn txn = {.app_id = m->app_id, .version = m->txn_version, .last_updated = m->run->now_micros / 1000};
    struct dp_buf metrics = {0};
    struct dp_err after = DP_ERR_INIT;
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->copies.n; i++)
        if (!m->copies.items[i].dead) ((struct tier_copy *)m->copies.items[i].v.p)->is_used = false;
    for (size_t i = 0; i < m->n; i++) {
        removes[i] = m->items[i].file;
        adds[i] = moved(m, &m->items[i], copy_of(m, &m->items[i]));
        bytes += (uint64_t)adds[i].size;
    }
    dp_buf_addf(&metrics, ",\"numMovedFiles\":\"%zu\",\"numMovedBytes\":\"%llu\"", m->n, (unsigned long long)bytes);
    const struct dp_delta_change change = {.mode = DP_DELTA_APPEND, .rearranges = true, .keeps_row_ids = true, .checked = true, .removes = removes, .n_removes = m->n, .adds = adds,
                                           .n_adds = m->n, .txns = &txn, .n_txns = m->app_id.n > 0, .operation = m->operation, .parameters = m->parameters, .rows = -1,
                                           .metrics = dp_buf_z(&metrics), .now_ms = m->run->now_micros / 1000, .after = &after};
    enum dp_status status = dp_delta_publish(m->table, s, &change, &m->version, err);
    if (status == DP_OK) {
        m->files = m->n, m->bytes = bytes;
        commit_after(m->run, m->table, m->run->now_micros / 1000, m->version, &after);
    }
    dp_buf_release(&metrics);
    return status;
}

/* One try.  DP_AGAIN: look at the table again. */
static enum dp_status move_round(struct tier_moving *m, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_delta_hold hold = DP_DELTA_HOLD_INIT;
    int64_t have;
    m->n = 0;
    dp_arena_reset(&m->round);
    if (m->app_id.n && dp_delta_txn_version(s, m->app_id, m->run->now_micros / 1000, &have) && have >= m->txn_version) return DP_END;
    DP_TRY(m->choose(m->ctx, m, s, err));
    m->files = m->n, m->bytes = 0;
    for (size_t i = 0; i < m->n; i++) m->bytes += (uint64_t)m->items[i].file->size;
    if (!m->n || m->run->dry_run) return DP_OK;
    DP_TRY(copy_all(m, err));
    DP_TRY(dp_delta_hold(m->table, &hold, err));
    enum dp_status status = are_there(m) ? publish(m, s, err) : dp_err_set(err, DP_AGAIN, "%s: a vacuum takes the copies", m->table);
    dp_delta_hold_release(&hold);
    return status;
}

enum dp_status tier_move(struct tier_moving *m, struct dp_err *err) {
    enum dp_status status = DP_AGAIN;
    m->version = -1;
    for (int i = 0; i < TRIES && status == DP_AGAIN; i++) {
        struct dp_delta_snapshot *s = NULL;
        status = dp_delta_open(m->table, -1, &s, err);
        if (status == DP_OK) status = move_round(m, s, err);
        dp_delta_close(s);
    }
    for (size_t i = 0; status == DP_OK && i < m->copies.n; i++) { /* those whose file was removed meanwhile */
        const struct tier_copy *c = m->copies.items[i].v.p;
        if (!m->copies.items[i].dead && c->is_new && !c->is_used) (void)unlink(c->to);
    }
    dp_map_release(&m->copies);
    dp_arena_release(&m->arena);
    dp_arena_release(&m->round);
    free(m->items), free(m->block);
    return status;
}

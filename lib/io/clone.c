/*
 * Clones (dp/io/clone.h).  Copies are drafts in DEST/_dp_staging/clone, synced some dozens at once, and renamed to their places; one that stands there with the
 * size that the log says is whole.  A file beside the drafts says whose clone it is, so that nobody goes on with another one's.
 * What it does not do: keep the source from being vacuumed under a shallow clone, of which nothing in the source's log tells.
 */
#include <dp/io/clone.h>

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/dv.h>
#include <dp/delta/feature.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/io/datasets.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FEED "delta.enableChangeDataFeed"
#ifdef __linux__
#define CLONE_RANGE _IOW(0x94, 9, int) /* FICLONE of linux/fs.h: file systems that can, share the blocks */
#endif

enum { BATCH = 64, BLOCK = 1 << 20 };

struct clone {
    struct dp_run *run;
    const struct dp_clone_opts *o;
    struct dp_cloned *out;
    struct dp_delta_snapshot *s;
    char root[PATH_MAX];          /* of the source, absolute */
    struct dp_arena arena;
    struct dp_delta_file *adds;
    size_t n_adds;
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_delta_domain *clustering; /* or NULL */
    /* deep */
    struct dp_map targets;        /* path relative to DEST -> 1 */
    struct dp_map vectors;        /* file of deletion vectors -> pathOrInlineDv */
    char *staging;
    int lock;
    struct dp_newfile batch[BATCH];
    size_t n_batch;
    char *block;
};

char *dp_branch_dest(const char *table, const char *name) {
    struct dp_buf b = {0};
    size_t n = strlen(table);
    while (n > 1 && table[n - 1] == '/') n--;
    if (strchr(name, '/')) return dp_strdup(name);
    dp_buf_add(&b, table, n);
    dp_buf_addf(&b, "@%s", name);
    return dp_buf_detach(&b);
}

/* ---- the description of the new table ---- */

/* Catalogs, and the times of the source's own versions, are not the clone's. */
static bool is_copied(struct dp_str key) {
    return !dp_str_starts(key, DP_STR("delta.coordinatedCommits.")) && !dp_str_starts(key, DP_STR("delta.feature.")) && !dp_str_starts(key, DP_STR("dp.branch.")) &&
           !dp_str_eqz(key, "delta.inCommitTimestampEnablementVersion") && !dp_str_eqz(key, "delta.inCommitTimestampEnablementTimestamp") &&
           !dp_str_eqz(key, DP_DELTA_KEY_ROW_ID) && !dp_str_eqz(key, DP_DELTA_KEY_ROW_VERSION) && /* rows are numbered afresh: ids in the source's files are not the clone's */
           !dp_str_eqz(key, "io.unitycatalog.tableId") && !dp_str_eqz(key, "ucTableId");
}

static void put(struct clone *c, const char *key, struct dp_str value) {
    struct dp_delta_pairs *p = &c->metadata.configuration;
    for (size_t i = 0; i < p->n; i++)
        if (dp_str_eqz(p->v[i].key, key)) {
            p->v[i].value = dp_arena_str(&c->arena, value);
            return;
        }
    p->v[p->n++] = (struct dp_delta_pair){dp_str_z(key), dp_arena_str(&c->arena, value), false};
}

static enum dp_status note_branch(struct clone *c, struct dp_err *err) {
    const char *features[] = {"changeDataFeed"};
    char text[24];
    bool changed;
    put(c, DP_BRANCH_SOURCE, dp_str_z(c->root));
    put(c, DP_BRANCH_VERSION, dp_str(text, dp_print_i64(text, c->s->version)));
    put(c, KEY_FEED, DP_STR("true"));
    DP_TRY(dp_delta_upgrade_protocol(&c->s->protocol, features, 1, &c->arena, &c->protocol, &changed, err));
    return dp_delta_check_feed(&c->protocol, &c->metadata, c->s->schema, err);
}

static enum dp_status describe(struct clone *c, struct dp_err *err) {
    const struct dp_delta_pairs *from = &c->s->metadata.configuration;
    const struct dp_map_item *domain = dp_map_get(&c->s->domains, DP_STR(DP_DELTA_CLUSTERING));
    char id[37];
    dp_uuid(id);
    c->protocol = c->s->protocol;
    c->metadata = c->s->metadata;
    c->metadata.id = dp_arena_str(&c->arena, dp_str_z(id));
    c->metadata.created_time = c->run->now_micros / 1000;
    c->metadata.configuration = (struct dp_delta_pairs){dp_arena_calloc(&c->arena, from->n + 6, sizeof *from->v), 0};
    for (size_t i = 0; i < from->n; i++)
        if (is_copied(from->v[i].key)) c->metadata.configuration.v[c->metadata.configuration.n++] = from->v[i];
    if (dp_delta_is_on(&c->metadata, "delta.enableRowTracking")) dp_delta_name_row_columns(&c->metadata.configuration, &c->arena);
    c->clustering = domain ? domain->v.p : NULL;
    return c->o->branch ? note_branch(c, err) : DP_OK;
}

/* ---- files: named where they are, or copied ---- */

static void absolute_uri(struct clone *c, const char *path, struct dp_str *out) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, "file://");
    dp_delta_path_encode(dp_str_z(path), &b);
    *out = dp_arena_str(&c->arena, dp_buf_str(&b));
    dp_buf_release(&b);
}

/* Files of a deletion vector's storage type u and p to one of type p. */
static enum dp_status name_shallow(struct clone *c, struct dp_delta_file *f, struct dp_err *err) {
    struct dp_buf path = {0};
    enum dp_status status = dp_delta_path_resolve(c->root, f->path, &path, err);
    if (status == DP_OK) absolute_uri(c, dp_buf_z(&path), &f->path);
    dp_buf_reset(&path);
    if (status == DP_OK) status = dp_delta_dv_path(c->root, &f->dv, &path, err);
    if (status == DP_OK && path.n) {
        absolute_uri(c, dp_buf_z(&path), &f->dv.path);
        f->dv.storage = DP_STR("p");
        if (f->dv.offset == DP_DELTA_UNSET) f->dv.offset = 1;
    }
    dp_buf_release(&path);
    return status;
}

/* A path below DEST that no other file of the clone has: as in the source, or the bare name of one that stands outside. */
static void choose_target(struct clone *c, const char *path, struct dp_buf *out) {
    size_t n = strlen(c->root);
    bool is_inside = strncmp(path, c->root, n) == 0 && path[n] == '/';
    bool is_new = false;
    for (unsigned i = 0; !is_new; i++) {
        dp_buf_reset(out);
        if (is_inside && !i) dp_buf_addz(out, path + n + 1);
        else if (!i) dp_buf_addz(out, dp_path_base(path));
        else dp_buf_addf(out, "%u-%s", i, dp_path_base(path));
        dp_map_put(&c->targets, dp_buf_str(out), &is_new);
    }
}

static enum dp_status flush_batch(struct clone *c, struct dp_err *err) {
    struct dp_newfile *f[BATCH];
    for (size_t i = 0; i < c->n_batch; i++) f[i] = &c->batch[i];
    enum dp_status status = dp_newfiles_sync(f, c->n_batch, err);
    if (status == DP_OK) status = dp_newfiles_publish(f, c->n_batch, c->o->dest, err);
    for (size_t i = 0; i < c->n_batch; i++) {
        if (status != DP_OK && c->batch[i].tmp) dp_newfile_abort(&c->batch[i]);
        else free(c->batch[i].final);
        c->batch[i] = (struct dp_newfile){0};
    }
    c->n_batch = 0;
    return status;
}

static enum dp_status copy_bytes(struct clone *c, int from, int to, const char *path, int64_t size, struct dp_err *err) {
#ifdef __linux__
    if (ioctl(to, CLONE_RANGE, from) == 0) return DP_OK;
#endif
    if (!c->block) c->block = dp_alloc(BLOCK);
    for (int64_t at = 0; at < size;) {
        size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
        enum dp_status status = dp_fd_pread(from, c->block, n, (uint64_t)at, err);
        if (status != DP_OK) return dp_err_at(err, path, 0, DP_NO_OFFSET), status;
        DP_TRY(dp_fd_write(to, c->block, n, err));
        at += (int64_t)n;
    }
    return DP_OK;
}

static enum dp_status draft_copy(struct clone *c, int from, const char *path, const char *target, int64_t size, struct dp_err *err) {
    struct dp_newfile *f = &c->batch[c->n_batch];
    char *draft = dp_path_join(c->staging, "copy"), *dir = dp_path_dir(target);
    enum dp_status status = dp_newfile_open(f, draft, 0666, err);
    if (status == DP_OK) {
        c->n_batch++;
        status = copy_bytes(c, from, f->fd, path, size, err);
    }
    if (status == DP_OK) status = dp_mkdirs_unsynced(dir, err);
    if (status == DP_OK) {
        free(f->final);
        f->final = dp_strdup(target);
    }
    free(draft);
    free(dir);
    return status == DP_OK && c->n_batch == BATCH ? flush_batch(c, err) : status;
}

/* size: what it must have, -1: what it has. */
static enum dp_status copy_file(struct clone *c, const char *path, const char *relative, int64_t size, struct dp_err *err) {
    struct stat st, there;
    char *target = dp_path_join(c->o->dest, relative);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum dp_status status = DP_OK;
    if (fd < 0 || fstat(fd, &st) != 0) status = dp_err_sys(err, DP_IO, "can't open %s", path);
    else if (!S_ISREG(st.st_mode)) status = dp_err_set(err, DP_UNSUPPORTED, "%s is no regular file", path);
    else if (size >= 0 && st.st_size != size) status = dp_err_set(err, DP_FORMAT, "%s has %lld bytes, and the log says %lld", path, (long long)st.st_size, (long long)size);
    bool is_there = status == DP_OK && stat(target, &there) == 0 && there.st_size == st.st_size;
    if (status == DP_OK && !is_there && !c->run->dry_run) {
        status = draft_copy(c, fd, path, target, st.st_size, err);
        c->out->copied++;
        c->out->copied_bytes += st.st_size;
    }
    if (fd >= 0) close(fd);
    free(target);
    return status;
}

/* The 16 bytes of "deletion_vector_<uuid>.bin", false: it is named otherwise. */
static bool uuid_of(const char *name, unsigned char out[16]) {
    static const char prefix[] = "deletion_vector_";
    size_t k = 0;
    if (strncmp(name, prefix, sizeof prefix - 1)) return false;
    const char *p = name + sizeof prefix - 1;
    for (; *p && k < 32; p++) {
        int v = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10 : -1;
        if (*p == '-') continue;
        if (v < 0) return false;
        out[k / 2] = (unsigned char)(k % 2 ? out[k / 2] | v : v << 4);
        k++;
    }
    return k == 32 && !strcmp(p, ".bin");
}

/* A vector's file gets a name of its own kind at DEST's root, once for all vectors in it. */
static enum dp_status copy_vector(struct clone *c, struct dp_delta_dv *dv, struct dp_err *err) {
    struct dp_buf path = {0}, id = {0}, name = {0};
    unsigned char uuid[16];
    bool is_new = false;
    enum dp_status status = dp_delta_dv_path(c->root, dv, &path, err);
    if (status == DP_OK && path.n) {
        struct dp_map_item *it = dp_map_put(&c->vectors, dp_buf_str(&path), &is_new);
        if (is_new) {
            if (!uuid_of(dp_path_base(dp_buf_z(&path)), uuid)) dp_random(uuid, sizeof uuid);
            (void)dp_z85_encode(dp_str((const char *)uuid, sizeof uuid), &id); /* 16 is a multiple of four */
            it->v.p = dp_arena_strdup(&c->arena, dp_buf_z(&id));
            if (!dp_delta_dv_name(dp_buf_str(&id), &name)) status = dp_err_set(err, DP_BUG, "a deletion vector's name can't be made");
            else status = copy_file(c, dp_buf_z(&path), dp_buf_z(&name), -1, err);
        }
        dv->path = dp_str_z(it->v.p);
        dv->storage = DP_STR("u");
        if (dv->offset == DP_DELTA_UNSET) dv->offset = 1;
    }
    dp_buf_release(&path);
    dp_buf_release(&id);
    dp_buf_release(&name);
    return status;
}

static enum dp_status name_deep(struct clone *c, struct dp_delta_file *f, struct dp_err *err) {
    struct dp_buf path = {0}, relative = {0}, encoded = {0};
    enum dp_status status = dp_delta_path_resolve(c->root, f->path, &path, err);
    if (status == DP_OK) {
        choose_target(c, dp_buf_z(&path), &relative);
        status = copy_file(c, dp_buf_z(&path), dp_buf_z(&relative), f->size, err);
        dp_delta_path_encode(dp_buf_str(&relative), &encoded);
        f->path = dp_arena_str(&c->arena, dp_buf_str(&encoded));
    }
    if (status == DP_OK) status = copy_vector(c, &f->dv, err);
    dp_buf_release(&path);
    dp_buf_release(&relative);
    dp_buf_release(&encoded);
    return status;
}

static enum dp_status take_files(struct clone *c, struct dp_err *err) {
    const struct dp_delta_file *f;
    c->adds = dp_calloc(c->s->n_files + 1, sizeof *c->adds);
    for (size_t cursor = 0; (f = dp_delta_next_file(c->s, &cursor)) != NULL;) {
        struct dp_delta_file *add = &c->adds[c->n_adds];
        if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
        *add = *f;
        add->base_row_id = add->default_row_commit_version = DP_DELTA_UNSET; /* assigned afresh where there are any */
        DP_TRY(c->o->deep ? name_deep(c, add, err) : name_shallow(c, add, err));
        c->n_adds++;
        c->out->files++;
        c->out->bytes += f->size > 0 ? f->size : 0;
    }
    return c->n_batch ? flush_batch(c, err) : DP_OK;
}

/* ---- DEST ---- */

/* Does DEST hold nothing but what an earlier attempt at a clone left? */
static enum dp_status check_dest(const struct clone *c, struct dp_err *err) {
    const char *dest = c->o->dest;
    char *note = dp_path_join(dest, DP_DELTA_STAGING "/clone/source");
    struct dp_buf text = {0};
    bool is_ours = dp_file_read(note, PATH_MAX + 64, &text, NULL) == DP_OK && dp_str_eqz(dp_buf_str(&text), c->root);
    enum dp_status status = DP_OK;
    free(note);
    dp_buf_release(&text);
    if (dp_delta_is_table(dest)) return dp_err_set(err, DP_USAGE, "%s is a table already", dest);
    DIR *d = opendir(dest);
    if (!d) return errno == ENOENT ? DP_OK : dp_err_sys(err, DP_IO, "can't open %s", dest);
    for (struct dirent *e; status == DP_OK && !is_ours && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, DP_DELTA_STAGING) && strcmp(e->d_name, "_delta_log"))
            status = dp_err_set(err, DP_USAGE, "%s is not empty (%s), and no clone of %s has begun there: name a new directory", dest, e->d_name, c->o->source);
    closedir(d);
    return status;
}

/* A clone within its source would be part of it. */
static enum dp_status check_apart(const struct clone *c, struct dp_err *err) {
    char *dir = dp_path_dir(c->o->dest), full[PATH_MAX];
    size_t n = strlen(c->root);
    bool is_there = realpath(c->o->dest, full) || realpath(dir, full);
    free(dir);
    if (is_there && strncmp(full, c->root, n) == 0 && (full[n] == '/' || !full[n]))
        return dp_err_set(err, DP_USAGE, "%s is inside of %s, whose vacuum would delete its files", c->o->dest, c->o->source);
    return DP_OK;
}

/* Whose clone it is, and the lock of whoever works on it. */
static enum dp_status open_staging(struct clone *c, struct dp_err *err) {
    c->staging = dp_path_join(c->o->dest, DP_DELTA_STAGING "/clone");
    DP_TRY(dp_mkdirs(c->staging, err));
    char *lock = dp_path_join(c->staging, DP_DELTA_STAGING_LOCK), *note = dp_path_join(c->staging, "source");
    struct dp_newfile f = {0};
    enum dp_status status = DP_OK;
    c->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->lock < 0) status = dp_err_sys(err, DP_IO, "can't open %s", lock);
    else if (flock(c->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) status = dp_err_set(err, DP_AGAIN, "%s: another clone is at work there", c->o->dest);
    if (status == DP_OK) status = dp_newfile_open(&f, note, 0666, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, c->root, strlen(c->root), err);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    free(lock);
    free(note);
    return status;
}

static void remove_staging(struct clone *c) {
    static const char *const names[] = {"source", DP_DELTA_STAGING_LOCK};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = dp_path_join(c->staging, names[i]);
        (void)unlink(path);
        free(path);
    }
    (void)rmdir(c->staging);
}

static enum dp_status publish(struct clone *c, struct dp_err *err) {
    struct dp_buf parameters = {0};
    struct dp_delta_change change = {.reads = DP_DELTA_READ_TABLE, .operation = "CLONE", .protocol = &c->protocol, .metadata = &c->metadata, .adds = c->adds, .n_adds = c->n_adds,
                                     .domains = c->clustering, .n_domains = c->clustering != NULL, .rows = -1, .now_ms = c->run->now_micros / 1000};
    struct dp_str source;
    absolute_uri(c, c->root, &source);
    dp_buf_addz(&parameters, "{\"source\":");
    dp_json_add_string(&parameters, source);
    dp_buf_addf(&parameters, ",\"sourceVersion\":\"%lld\",\"isShallow\":\"%s\"}", (long long)c->s->version, c->o->deep ? "false" : "true");
    change.parameters = dp_buf_z(&parameters);
    enum dp_status status = dp_delta_publish(c->o->dest, NULL, &change, &c->out->version, err);
    dp_buf_release(&parameters);
    return status;
}

static enum dp_status clone(struct clone *c, struct dp_err *err) {
    const struct dp_clone_opts *o = c->o;
    struct dp_delta_intent intent = {0};
    int64_t version = -1;
    if (o->as_of) DP_TRY(dp_delta_as_of(o->source, dp_str_z(o->as_of), &version, err));
    DP_TRY(dp_delta_open(o->source, version, &c->s, err));
    DP_TRY(dp_delta_check_write(&c->s->protocol, &c->s->metadata, c->s->schema, &intent, err));
    if (!realpath(o->source, c->root)) return dp_err_sys(err, DP_IO, "%s", o->source);
    c->out->source_version = c->s->version;
    DP_TRY(check_dest(c, err));
    DP_TRY(check_apart(c, err));
    DP_TRY(describe(c, err));
    if (o->deep && !c->run->dry_run) DP_TRY(open_staging(c, err));
    DP_TRY(take_files(c, err));
    if (c->run->dry_run) return DP_OK;
    DP_TRY(publish(c, err));
    struct dp_dataset *d = dp_dataset_copied(c->run, o->source, o->dest, c->s->schema);
    dp_dataset_table(dp_dataset_input(c->run, o->source), c->s);
    dp_dataset_version(d, c->out->version);
    dp_dataset_lifecycle(d, DP_OL_CREATE);
    dp_dataset_count(d, UINT64_MAX, (uint64_t)c->out->bytes, c->out->files);
    if (o->deep) remove_staging(c);
    return DP_OK;
}

enum dp_status dp_clone_table(struct dp_run *run, const struct dp_clone_opts *o, struct dp_cloned *out, struct dp_err *err) {
    struct clone c = {.run = run, .o = o, .out = out, .lock = -1};
    *out = (struct dp_cloned){0};
    enum dp_status status = clone(&c, err);
    for (size_t i = 0; i < c.n_batch; i++) dp_newfile_abort(&c.batch[i]);
    if (c.lock >= 0) close(c.lock);
    dp_map_release(&c.targets);
    dp_map_release(&c.vectors);
    dp_delta_close(c.s);
    dp_arena_release(&c.arena);
    free(c.adds), free(c.block), free(c.staging);
    return status;
}

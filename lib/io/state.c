/*
 * A durable state's directory (dp/io/state.h): its lock, its checkpoints and their descent, restoring one, writing the next, removing what nobody can ask for.
 *
 * Files are looked at in full only when they are restored: first all of a chain is read and checked, then it is read again and merged, so that `each` never gets an entry
 * of a chain that turns out to be damaged.
 */
#include "state_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36 /* Linux; their names need _GNU_SOURCE until POSIX.1-2024 is there */
#define F_OFD_SETLK 37
#endif

enum { DIGITS = 12, NAME = 2 * DIGITS + 4, CHAIN = 128 };
#define NUMBER_MAX UINT64_C(999999999999)
#define SORT_LEAST (UINT64_C(256) << 10)
#define SORT_MOST (UINT64_C(64) << 20)

enum known { HEAD_READ, WHOLE, DAMAGED };

struct file {
    uint64_t number, parent, bytes;
    char *id;
    bool is_full, is_live, keep;
    enum known known;
    uint64_t entries, check, parent_check;
};

struct dp_state {
    struct dp_run *run;
    char *dir;
    struct dp_buf description;
    struct dp_str query;
    uint64_t name; /* hash of the state's own */
    int lock;      /* -1: none */
    bool read_only, is_held;
    struct file *files; /* ascending numbers */
    size_t n, cap;
    uint64_t next;       /* number */
    uint64_t at;         /* the next one goes on from it; 0: nothing */
    uint64_t restored;
    uint64_t last_line;  /* the newest when it was opened */
    bool needs_all;      /* what changed was handed out, and lost */
    /* the one that was begun */
    bool is_begun, begun_all;
    char *begun_id;
    struct dp_state_sort sort;
};

static struct file *find(const struct dp_state *s, uint64_t number) {
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->files[mid].number < number) low = mid + 1;
        else high = mid;
    }
    return number && low < s->n && s->files[low].number == number ? &s->files[low] : NULL;
}

static char *path_of(const struct dp_state *s, const struct file *f) {
    char name[64];
    (void)snprintf(name, sizeof name, "%012llu-%012llu.ck", (unsigned long long)f->number, (unsigned long long)f->parent);
    return dp_path_join(s->dir, name);
}

/* ---- opening ---- */

static bool read_number(const char *p, uint64_t *out) {
    uint64_t v = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        v = v * 10 + (uint64_t)(p[i] - '0');
    }
    *out = v;
    return true;
}

static bool read_name(const char *name, struct file *f) {
    if (strlen(name) != NAME || name[DIGITS] != '-' || strcmp(name + NAME - 3, ".ck") != 0) return false;
    return read_number(name, &f->number) && read_number(name + DIGITS + 1, &f->parent) && f->parent < f->number;
}

/* c is to be closed in any case. */
static enum dp_status open_cursor(const struct dp_state *s, struct file *f, struct dp_state_cursor *c, struct dp_err *err) {
    struct dp_state_head head = {0};
    struct stat st;
    char *path = path_of(s, f);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum dp_status status = DP_OK;
    *c = (struct dp_state_cursor){.fd = fd};
    if (fd < 0) DP_TRY_OUT(dp_err_sys(err, DP_IO, "can't open it"));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) DP_TRY_OUT(dp_err_set(err, DP_FORMAT, "it is no regular file"));
    DP_TRY_OUT(dp_state_cursor_open(c, fd, (uint64_t)st.st_size, s->name, f->number, &head, err));
    if (head.parent != f->parent) DP_TRY_OUT(dp_err_set(err, DP_FORMAT, "its name"));
    free(f->id);
    f->id = head.id;
    head.id = NULL;
    f->is_full = head.is_full;
    f->parent_check = head.parent_check;
    f->bytes = (uint64_t)st.st_size;
out:
    free(head.id);
    free(path);
    return status;
}

static void close_cursor(struct dp_state_cursor *c) {
    if (c->fd >= 0) close(c->fd);
    dp_state_cursor_release(c);
}

/* What the first block says, and from where it should stand the number of entries: it is believed once the file is checked. */
static void read_head(const struct dp_state *s, struct file *f) {
    struct dp_state_cursor c;
    struct dp_err why = DP_ERR_INIT;
    unsigned char end[24];
    enum dp_status status = open_cursor(s, f, &c, &why);
    f->known = status == DP_OK ? HEAD_READ : DAMAGED;
    if (status == DP_OK && c.size > sizeof end && dp_fd_pread(c.fd, end, sizeof end, c.size - sizeof end, &why) == DP_OK)
        for (int i = 7; i >= 0; i--) f->entries = f->entries << 8 | end[i];
    close_cursor(&c);
}

static int by_number(const void *a, const void *b) {
    const struct file *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* The files that are there; temporaries of a killed process are removed. *others: something that is no state's. */
static enum dp_status list(struct dp_state *s, bool *others, struct dp_err *err) {
    DIR *d = opendir(s->dir);
    if (!d) return dp_err_sys(err, DP_IO, "can't open the state %s", s->dir);
    for (struct dirent *e; (e = readdir(d));) {
        struct file f = {.known = DAMAGED};
        if (read_name(e->d_name, &f)) {
            s->files = dp_grow(s->files, &s->cap, s->n + 1, sizeof *s->files);
            s->files[s->n++] = f;
        } else if (dp_newfile_is_tmp(dp_str_z(e->d_name)) && !s->read_only) {
            char *path = dp_path_join(s->dir, e->d_name);
            (void)unlink(path);
            free(path);
        } else if (*e->d_name != '.' && strcmp(e->d_name, "state.json") != 0) {
            *others = true;
        }
    }
    closedir(d);
    if (s->n) qsort(s->files, s->n, sizeof *s->files, by_number);
    for (size_t i = 1; i < s->n; i++)
        if (s->files[i].number == s->files[i - 1].number) return dp_err_set(err, DP_FORMAT, "the state %s has two checkpoints of number %llu", s->dir, (unsigned long long)s->files[i].number);
    return DP_OK;
}

/* The directory is 0700: a state holds keys and values of records. */
static enum dp_status make_dir(const char *dir, struct dp_err *err) {
    if (access(dir, F_OK) == 0) return DP_OK;
    char *parent = dp_path_dir(dir);
    enum dp_status status = dp_mkdirs(parent, err);
    if (status == DP_OK && mkdir(dir, 0700) && errno != EEXIST) status = dp_err_sys(err, DP_IO, "can't make the state %s", dir);
    if (status == DP_OK) status = dp_fsync_dir(parent, err);
    free(parent);
    return status;
}

static enum dp_status take_lock(struct dp_state *s, struct dp_err *err) {
    struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = dp_path_join(s->dir, ".lock");
    enum dp_status status = DP_OK;
    s->lock = open(path, (s->read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NOCTTY, 0600);
    if (s->read_only) {
        if (s->lock >= 0 && fcntl(s->lock, F_OFD_GETLK, &f) == 0) s->is_held = f.l_type != F_UNLCK;
        if (s->lock >= 0) close(s->lock);
        s->lock = -1;
    } else if (s->lock < 0) {
        status = dp_err_sys(err, DP_IO, "can't open %s", path);
    } else if (fcntl(s->lock, F_OFD_SETLK, &f)) {
        if (errno == EAGAIN || errno == EACCES) status = dp_err_set(err, DP_AGAIN, "another process works on the state %s", s->dir);
        else status = dp_err_sys(err, DP_IO, "can't lock %s", path);
    }
    free(path);
    return status;
}

static enum dp_status write_description(struct dp_state *s, const char *path, const char *program, struct dp_str query, struct dp_err *err) {
    struct dp_newfile f;
    char name[37];
    dp_uuid(name);
    dp_state_describe(program, name, query, &s->description);
    DP_TRY(dp_newfile_open(&f, path, 0600, err));
    enum dp_status status = dp_fd_write(f.fd, s->description.p, s->description.n, err);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    if (status != DP_OK) dp_newfile_abort(&f);
    return status;
}

static enum dp_status describe(struct dp_state *s, const char *program, struct dp_str query, bool others, struct dp_err *err) {
    char *path = dp_path_join(s->dir, "state.json");
    struct dp_buf name = {0}, what = {0};
    enum dp_status status = DP_OK;
    if (access(path, F_OK) == 0) {
        status = dp_file_read_regular(path, DP_LIMIT_STATE_QUERY, &s->description, err);
        if (status == DP_LIMIT) status = dp_err_set(err, DP_FORMAT, "%s is damaged: more than %u bytes", path, DP_LIMIT_STATE_QUERY);
    } else if (others) {
        status = dp_err_set(err, DP_USAGE, "%s is no state: it has other files", s->dir);
    } else if (s->n) {
        status = dp_err_set(err, DP_FORMAT, "the state %s is damaged: it has checkpoints and no state.json", s->dir);
    } else if (s->read_only) {
        status = dp_err_set(err, DP_USAGE, "%s is no state: it has no state.json", s->dir);
    } else if (query.n >= DP_LIMIT_STATE_QUERY / 2) {
        status = dp_err_set(err, DP_LIMIT, "the description of the query has %zu bytes", query.n);
    } else {
        status = write_description(s, path, program, query, err);
    }
    if (status == DP_OK) status = dp_state_read_description(s->dir, program, &s->description, &name, &s->query, err);
    if (status == DP_OK) s->name = XXH3_64bits(name.p, name.n);
    dp_buf_addf(&what, "the state %.200s", s->dir);
    if (status == DP_OK && !(s->read_only && !query.n)) status = dp_state_same_query(dp_buf_z(&what), s->query, query, NULL, err);
    dp_buf_release(&name), dp_buf_release(&what);
    free(path);
    return status;
}

/* Marks the checkpoints that the newest goes on from. */
static void mark_line(struct dp_state *s) {
    for (size_t i = 0; i < s->n; i++) s->files[i].is_live = false;
    for (struct file *f = s->n ? &s->files[s->n - 1] : NULL; f; f = find(s, f->parent)) f->is_live = true;
}

enum dp_status dp_state_open(struct dp_run *run, const char *dir, const char *program, struct dp_str query, bool read_only, struct dp_state **out, struct dp_err *err) {
    struct dp_state *s = dp_calloc(1, sizeof *s);
    enum dp_status status = DP_OK;
    bool others = false;
    *s = (struct dp_state){.run = run, .dir = dp_strdup(dir), .read_only = read_only, .lock = -1};
    s->sort.memory = run->memory / 16; /* a buffer that grows is there twice for a moment */
    if (s->sort.memory < SORT_LEAST) s->sort.memory = SORT_LEAST;
    if (s->sort.memory > SORT_MOST) s->sort.memory = SORT_MOST;
    *out = NULL;
    if (!read_only) DP_TRY_OUT(make_dir(dir, err));
    DP_TRY_OUT(take_lock(s, err));
    DP_TRY_OUT(list(s, &others, err));
    DP_TRY_OUT(describe(s, program, query, others, err));
    for (size_t i = 0; i < s->n; i++) read_head(s, &s->files[i]);
    mark_line(s);
    s->last_line = s->n ? s->files[s->n - 1].number : 0;
    s->next = s->last_line + 1;
out:
    if (status != DP_OK) dp_state_close(s);
    else *out = s;
    return status;
}

void dp_state_close(struct dp_state *s) {
    if (!s) return;
    dp_state_abort(s);
    dp_state_sort_release(&s->sort);
    for (size_t i = 0; i < s->n; i++) free(s->files[i].id);
    free(s->files);
    dp_buf_release(&s->description);
    if (s->lock >= 0) close(s->lock);
    free(s->dir);
    free(s);
}

bool dp_state_is_held(const struct dp_state *s) { return s->is_held; }
struct dp_str dp_state_query(const struct dp_state *s) { return s->query; }

static struct dp_state_point point_of(const struct file *f) {
    return (struct dp_state_point){f->number, f->parent, f->id ? f->id : "", f->is_full, f->is_live, f->known == DAMAGED, f->entries, f->bytes};
}

bool dp_state_list(const struct dp_state *s, size_t i, struct dp_state_point *out) {
    if (i >= s->n) return false;
    *out = point_of(&s->files[i]);
    return true;
}

/* ---- restoring ---- */

/* Reads all of a file. */
static void check_file(const struct dp_state *s, struct file *f) {
    struct dp_state_cursor c;
    struct dp_err why = DP_ERR_INIT;
    if (f->known != HEAD_READ) return;
    enum dp_status status = open_cursor(s, f, &c, &why);
    while (status == DP_OK) status = dp_state_cursor_next(&c, &why);
    f->known = status == DP_END ? WHOLE : DAMAGED;
    if (status == DP_END) f->entries = c.entries, f->check = c.check;
    else dp_run_log(s->run, DP_LOG_VERBOSE, "%s: checkpoint %llu is damaged: %s", s->dir, (unsigned long long)f->number, why.msg);
    close_cursor(&c);
}

/* How many files a checkpoint is made of, back to one with all entries; 0: one of them is missing or damaged. */
static size_t chain_of(const struct dp_state *s, struct file *f) {
    for (size_t n = 1;; n++) {
        check_file(s, f);
        if (f->known != WHOLE) return 0;
        if (f->is_full) return n;
        struct file *parent = find(s, f->parent);
        if (!parent) return 0;
        check_file(s, parent);
        if (parent->known != WHOLE || parent->check != f->parent_check) return 0;
        f = parent;
    }
}

struct restoring {
    enum dp_status (*each)(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err);
    void *ctx;
};

static enum dp_status hand_out(void *ctx, const struct dp_state_cursor *c, struct dp_err *err) {
    struct restoring *r = ctx;
    return c->now.is_gone ? DP_OK : r->each(r->ctx, c->now.key, c->now.value, err);
}

static enum dp_status merge_chain(const struct dp_state *s, struct file *f, size_t n, struct restoring *r, struct dp_err *err) {
    struct dp_state_cursor *c = dp_calloc(n, sizeof *c); /* the newest first: it has the word */
    enum dp_status status = DP_OK;
    size_t n_open = 0;
    for (struct file *x = f; n_open < n && status == DP_OK; x = find(s, x->parent)) status = open_cursor(s, x, &c[n_open++], err);
    if (status != DP_OK) (void)dp_err_prefix(err, "a checkpoint of the state %.200s: ", s->dir);
    else status = dp_state_merge(c, n, hand_out, r, NULL, err);
    for (size_t i = 0; i < n_open; i++) close_cursor(&c[i]);
    free(c);
    return status;
}

/* Names some that are whole, the newest first. */
static void name_whole(struct dp_state *s, struct dp_buf *out) {
    size_t named = 0;
    for (size_t i = s->n; i-- > 0 && named < 5;) {
        struct file *f = &s->files[i];
        if (!chain_of(s, f)) continue;
        dp_buf_addf(out, "%s", named++ ? ", " : "");
        if (f->id && *f->id) dp_buf_addf(out, "\"%.60s\"", f->id);
        else dp_buf_addf(out, "number %llu", (unsigned long long)f->number);
    }
    if (!named) dp_buf_addz(out, "none");
}

static enum dp_status find_id(struct dp_state *s, const char *id, struct file **out, size_t *n, struct dp_err *err) {
    bool is_there = false;
    for (size_t i = s->n; i-- > 0;) {
        struct file *f = &s->files[i];
        if (!f->id || strcmp(f->id, id) != 0) continue;
        is_there = true;
        *n = chain_of(s, f);
        if (*n) return *out = f, DP_OK;
    }
    struct dp_buf whole = {0};
    name_whole(s, &whole);
    enum dp_status status = dp_err_set(err, DP_FORMAT, "checkpoint \"%.100s\" of the state %.200s is %s; whole are: %s", id, s->dir, is_there ? "damaged" : "not there", dp_buf_z(&whole));
    dp_buf_release(&whole);
    return status;
}

static enum dp_status find_newest(struct dp_state *s, struct file **out, size_t *n, struct dp_err *err) {
    struct file *newest = s->n ? &s->files[s->n - 1] : NULL;
    for (struct file *f = newest; f; f = find(s, f->parent)) {
        *n = chain_of(s, f);
        if (!*n) continue;
        if (f != newest)
            dp_run_log(s->run, DP_LOG_WARN, "the newest checkpoint of the state %s (number %llu) is damaged; going on from number %llu: what came between them is not in it", s->dir,
                       (unsigned long long)newest->number, (unsigned long long)f->number);
        return *out = f, DP_OK;
    }
    return newest ? dp_err_set(err, DP_FORMAT, "no checkpoint of the state %s is whole", s->dir) : DP_OK;
}

enum dp_status dp_state_restore(struct dp_state *s, const char *id, enum dp_status (*each)(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err), void *ctx,
                                struct dp_state_point *point, struct dp_err *err) {
    struct restoring r = {each, ctx};
    struct file *f = NULL;
    size_t n = 0;
    if (point) *point = (struct dp_state_point){.id = ""};
    s->at = s->restored = 0;
    s->needs_all = true; /* until what is there has been handed out */
    if (id && *id) DP_TRY(find_id(s, id, &f, &n, err));
    else if (!id) DP_TRY(find_newest(s, &f, &n, err));
    if (!f) return DP_OK;
    DP_TRY(merge_chain(s, f, n, &r, err));
    s->at = s->restored = f->number;
    s->needs_all = false;
    if (point) *point = point_of(f);
    return DP_OK;
}

/* ---- what is kept ---- */

static void keep_chain(struct dp_state *s, struct file *f) {
    for (; f && !f->keep; f = f->is_full ? NULL : find(s, f->parent)) f->keep = true;
}

/* The latest of a line. */
static void keep_line(struct dp_state *s, uint64_t newest) {
    uint64_t bytes = 0;
    struct file *f = find(s, newest);
    for (size_t n = 0; f && n < DP_STATE_KEEP_MOST; n++, f = find(s, f->parent)) {
        bytes += f->bytes;
        if (n >= DP_STATE_KEEP_LEAST && bytes > DP_STATE_KEEP_BYTES) return;
        keep_chain(s, f);
    }
}

static void remove_unneeded(struct dp_state *s) {
    for (size_t i = 0; i < s->n; i++) s->files[i].keep = false;
    keep_line(s, s->at);
    keep_line(s, s->last_line);
    keep_chain(s, find(s, s->restored));
    struct file *f = find(s, s->at);
    while (f && !f->is_full) f = find(s, f->parent);
    if (f) keep_chain(s, find(s, f->parent));
    size_t n = s->n;
    for (size_t i = s->n; i-- > 0;) { /* the newest first: what builds on a file goes before it */
        if (s->files[i].keep) continue;
        char *path = path_of(s, &s->files[i]);
        if (unlink(path) && errno != ENOENT) s->files[i].keep = true; /* tried again behind the next one */
        free(path);
    }
    s->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->files[i].keep) s->files[s->n++] = s->files[i];
        else free(s->files[i].id);
    }
}

/* ---- the next one ---- */

/* Is it time for one that has all entries? */
static bool is_time_for_all(const struct dp_state *s) {
    uint64_t changes = 0;
    size_t n = 1;
    if (s->needs_all) return true;
    for (struct file *f = find(s, s->at); f; f = find(s, f->parent), n++) {
        if (f->is_full) return n >= CHAIN || changes > 2 * f->bytes;
        changes += f->bytes;
    }
    return true;
}

enum dp_status dp_state_begin(struct dp_state *s, const char *id, bool *all, struct dp_err *err) {
    if (s->is_begun || s->read_only) return dp_err_set(err, DP_BUG, "a checkpoint of the state %s was begun %s", s->dir, s->read_only ? "for reading" : "twice");
    if (s->next > NUMBER_MAX) return dp_err_set(err, DP_LIMIT, "the state %s has had %llu checkpoints", s->dir, (unsigned long long)NUMBER_MAX);
    s->begun_all = *all = is_time_for_all(s);
    s->begun_id = dp_strdup(id);
    s->is_begun = true;
    return DP_OK;
}

enum dp_status dp_state_put(struct dp_state *s, struct dp_str key, const struct dp_str *value, struct dp_err *err) {
    if (!s->is_begun) return dp_err_set(err, DP_BUG, "an entry of the state %s behind its checkpoint", s->dir);
    if (!value && s->begun_all) return DP_OK;
    return dp_state_sort_put(&s->sort, key, value, err);
}

static enum dp_status write_file(struct dp_state *s, struct dp_newfile *out, struct file *f, struct dp_err *err) {
    struct dp_state_writer w;
    struct dp_state_head head = {f->number, f->parent, f->parent_check, f->is_full, f->id};
    dp_state_writer_init(&w, out->fd, s->name, f->number);
    enum dp_status status = dp_state_write_head(&w, &head, err);
    if (status == DP_OK) status = dp_state_sort_write(&s->sort, &w, err);
    if (status == DP_OK) status = dp_state_write_end(&w, err);
    f->bytes = w.bytes, f->entries = w.entries, f->check = w.check;
    dp_state_writer_release(&w);
    return status;
}

enum dp_status dp_state_commit(struct dp_state *s, struct dp_err *err) {
    struct dp_newfile out = {.slot = -1};
    if (!s->is_begun) return dp_err_set(err, DP_BUG, "no checkpoint of the state %s was begun", s->dir);
    struct file *parent = find(s, s->at);
    struct file f = {.number = s->next++, .parent = s->at, .is_full = s->begun_all, .known = WHOLE, .id = s->begun_id};
    if (!f.is_full && parent) f.parent_check = parent->check;
    s->begun_id = NULL;
    char *path = path_of(s, &f);
    enum dp_status status = dp_newfile_open(&out, path, 0600, err);
    if (status == DP_OK) status = write_file(s, &out, &f, err);
    if (status == DP_OK) status = dp_newfile_commit(&out, err);
    if (status != DP_OK) {
        dp_newfile_abort(&out);
        free(f.id);
        dp_state_abort(s);
        (void)dp_err_prefix(err, "writing a checkpoint of the state %.200s: ", s->dir);
    } else {
        s->files = dp_grow(s->files, &s->cap, s->n + 1, sizeof *s->files);
        s->files[s->n++] = f;
        s->at = f.number;
        s->is_begun = s->needs_all = false;
        dp_state_sort_reset(&s->sort);
        mark_line(s);
        remove_unneeded(s);
    }
    free(path);
    return status;
}

void dp_state_abort(struct dp_state *s) {
    if (!s->is_begun) return;
    s->is_begun = false;
    s->needs_all = true;
    free(s->begun_id);
    s->begun_id = NULL;
    dp_state_sort_reset(&s->sort);
}

/*
 * Files that grow (dp/io/source.h, "Following"): each is a tail with a descriptor of its own and the byte behind its last whole record.  What is read
 * is read from there, and what follows the last whole record is read again when there is more: nothing is carried over but the position.
 *
 * Who a file is: its inode tells a renamed file (read to its end, and for a minute after the last byte, while its name's new file is begun); its first
 * bytes, compared behind each read, tell one that was cut short and written anew.  A file that takes a name which this run has read under is
 * compared with what was there: it is a new source with a fingerprint that reaches beyond what both have in common; as long as all that it has
 * stood there too, nobody can tell, and it waits.  Only where the old file is gone and all of it is in the new one (a longer copy put in its place), or
 * where 4096 bytes are the same, it is the same source and goes on where that stopped.
 *
 * What it does not do: see what was written between two looks and gone before the second (a file that is cut short loses what nobody read, as with
 * any reader), or find a file again that was renamed while nobody followed.
 */
#include "source_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,         /* between two rows of checkpoints */
    TICK_BYTES = 64 << 20,  /* or so much data */
    IDLE_MS = 5000,         /* without a byte from anywhere */
    LEFT_MS = 60000,        /* a file that has lost its name is closed so long after its last byte */
    SCAN_MS = 50,           /* operands are not expanded more often */
    TURN_CHUNKS = 64,       /* of one file before the next has its turn */
    LOOK = 64 << 10         /* at the beginning, for whole lines */
};
#define HEAD sizeof(((struct dp_origin *)0)->head)

/* What stood under a name before its present file. */
struct past {
    struct dp_reading *reading;
    uint64_t end;
    bool is_gone;           /* the file itself: neither renamed nor cut short */
    size_t head_n;
    char head[HEAD];
};

struct tail {
    char *name;
    int fd;                 /* -1: there is none, or nothing to tell it by yet */
    dev_t dev;
    ino_t ino;
    struct dp_reading *reading;
    uint64_t base;          /* bytes of the byte order mark: positions begin behind it */
    uint64_t offset, line;  /* behind the last whole record */
    uint64_t marked;        /* position of the latest checkpoint */
    uint64_t looked;        /* size at which there was nothing more to have */
    uint64_t scanned;       /* up to here there is no newline in a line that is too long; 0: no such line */
    uint64_t last_byte_ms;
    int64_t mtime;          /* of the latest look, in microseconds; 0: too young to tell of a later write */
    bool left;              /* its name is another file's, or nobody's */
    bool refused;           /* passed over, with a word */
    bool held;              /* it begins as what was there before, which was told */
    size_t head_n;
    char head[HEAD];        /* as far as it was read */
};

enum kinship { STRANGER, SAME, OTHER, UNCLEAR };

struct dp_follow {
    struct dp_watch watch;
    struct tail **tails;
    size_t n, cap, turn, turn_chunks;
    struct dp_map by_name;  /* name -> its tail */
    struct dp_map pasts;    /* name -> struct past */
    const struct past *past; /* of the file that is being opened, and how they relate */
    enum kinship kinship;
    size_t common;
    bool is_begun, scan_due, is_idle;
    uint64_t last_scan, last_tick, last_byte, bytes;
    struct dp_mark *queue;
    size_t n_queue, cap_queue, queue_at;
    struct dp_mark *owed;   /* checkpoints of what was cut short before the next row */
    size_t n_owed, cap_owed;
    struct dp_chunk stash;  /* records that wait for the marks before them */
    bool has_stash;
};

/* ---- open and close ---- */

enum dp_status dp_follow_open(struct dp_sources *s, struct dp_err *err) {
    (void)err;
    dp_fd_raise_limit(); /* one descriptor a file */
    s->follow = dp_calloc(1, sizeof *s->follow);
    dp_watch_open(&s->follow->watch);
    s->follow->last_tick = s->follow->last_byte = dp_sources_clock();
    return DP_OK;
}

void dp_follow_watch(struct dp_sources *s, const char *dir) {
    if (s->follow) dp_watch_dir(&s->follow->watch, dir);
}

bool dp_follow_is_one_file(const struct dp_sources *s) {
    struct stat st;
    if (s->n_specs != 1 || (stat(s->specs[0], &st) == 0 && S_ISDIR(st.st_mode))) return false;
    return !strpbrk(s->specs[0], "*?[") || stat(s->specs[0], &st) == 0;
}

static void free_tail(struct tail *t) {
    if (t->fd >= 0) close(t->fd);
    free(t->name);
    free(t);
}

void dp_follow_close(struct dp_follow *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n; i++) free_tail(f->tails[i]);
    for (size_t i = 0; i < f->pasts.n; i++) free(f->pasts.items[i].v.p);
    for (size_t i = f->queue_at; i < f->n_queue; i++) dp_mark_release(&f->queue[i]);
    for (size_t i = 0; i < f->n_owed; i++) dp_mark_release(&f->owed[i]);
    dp_chunk_release(&f->stash);
    dp_watch_close(&f->watch);
    dp_map_release(&f->by_name);
    dp_map_release(&f->pasts);
    free(f->tails), free(f->queue), free(f->owed), free(f);
}

/* ---- what may be followed ---- */

static enum dp_status refuse(const struct dp_sources *s, const char *what, struct dp_err *err) {
    return dp_err_set(err, DP_UNSUPPORTED, "--follow reads NDJSON, CSV and TSV in UTF-8 as they grow; %.200s is %s", s->name ? s->name : "-", what);
}

enum dp_status dp_follow_check(struct dp_sources *s, enum dp_source_format format, struct dp_err *err) {
    size_t skip;
    uint64_t size;
    char what[160];
    if (*dp_input_layers(s->in)) {
        (void)snprintf(what, sizeof what, "compressed or an archive (%.100s)", dp_input_layers(s->in));
        return refuse(s, what, err);
    }
    if (dp_input_fd(s->in, &size) < 0) return refuse(s, "no regular file", err);
    if (format == DP_SOURCE_PARQUET) return refuse(s, "Parquet", err);
    if (format == DP_SOURCE_DOCUMENTS) return refuse(s, "JSON that is not one object a line (-f ndjson, if it is)", err);
    if (format != DP_SOURCE_EMPTY && s->text && !dp_text_is_plain(s->text, &skip)) {
        (void)snprintf(what, sizeof what, "%.100s", dp_text_encoding(s->text));
        return refuse(s, what, err);
    }
    return DP_OK;
}

/* Where to begin: what this run knows of the name goes before what the table or the ledger says. */
enum dp_status dp_follow_resume(struct dp_sources *s, struct dp_origin *o, uint64_t *from, struct dp_err *err) {
    const struct dp_follow *f = s->follow;
    if (s->surveying) return DP_OK;
    if (f->kinship == SAME && dp_origin_adopt(o, f->past->reading->origin->position_id)) {
        dp_run_log(s->run, DP_LOG_WARN, "%s begins as the file that was there before, and goes on where that ended, at byte %llu", o->name,
                   (unsigned long long)f->past->end);
        *from = f->past->end;
        return DP_OK;
    }
    if (!s->opts->resume) return DP_OK;
    char *own = dp_strdup(o->position_id);
    enum dp_status status = s->opts->resume(s->opts->resume_ctx, o, from, err);
    if (!status && f->kinship == OTHER && *from && dp_origin_reach(o->position_id) <= f->common) { /* the id of what was there before, which this is not */
        char *adopted = o->position_id;
        o->position_id = own, own = adopted;
        *from = 0;
    }
    free(own);
    return status;
}

/* ---- a file's beginning ---- */

/* Is there enough to tell a format by: a line of JSON, a header and a record of CSV?  What is no text is ready to be refused. */
static bool is_ready(const struct dp_sources *s, const char *p, size_t n) {
    size_t lines = dp_count_byte(p, n, '\n'), need = 1, i = 0;
    if (n == LOOK) return true;
    for (size_t k = 0; k < n && k < 64; k++) {
        unsigned char c = (unsigned char)p[k];
        if (c < 9 || (c > 13 && c < 32 && c != 27) || c >= 0xf8) return true;
    }
    while (i < n && memchr(" \t\r\n", p[i], 4)) i++;
    bool json = s->opts->format && (strcmp(s->opts->format, "ndjson") == 0 || strcmp(s->opts->format, "jsonl") == 0 || strcmp(s->opts->format, "json") == 0);
    bool is_csv = s->opts->format && (strcmp(s->opts->format, "csv") == 0 || strcmp(s->opts->format, "tsv") == 0);
    if (!json && (is_csv || (i < n && p[i] != '{' && p[i] != '[')))
        need = (s->dialect.header == DP_CSV_HEADER_NO ? 1 : 2) + (s->dialect.skip > 0 ? (size_t)s->dialect.skip : 0);
    return (lines ? lines : dp_count_byte(p, n, '\r')) >= need;
}

static enum kinship compare(const struct past *p, const char *head, size_t n, uint64_t size, size_t *common) {
    size_t d = 0;
    if (!p || !p->head_n) return STRANGER;
    while (d < n && d < p->head_n && head[d] == p->head[d]) d++;
    *common = d;
    if (d == HEAD || (d == p->head_n && p->is_gone)) return size >= p->end ? SAME : UNCLEAR;
    return d == n ? UNCLEAR : OTHER;
}

/* Looks at what has the name.  DP_AGAIN: there is nothing to begin with yet. */
static enum dp_status inspect(struct dp_sources *s, struct tail *t, struct stat *st, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    if (stat(t->name, st) != 0) return t->looked = 0, DP_AGAIN;
    if (t->refused && st->st_dev == t->dev && st->st_ino == t->ino) return DP_AGAIN;
    s->name = t->name;
    t->dev = st->st_dev, t->ino = st->st_ino;
    t->refused = false;
    if (S_ISDIR(st->st_mode)) return refuse(s, "a table", err);
    if (!S_ISREG(st->st_mode)) return refuse(s, "no regular file", err);
    if (st->st_size == 0 || (uint64_t)st->st_size == t->looked) return DP_AGAIN;
    t->looked = (uint64_t)st->st_size;
    int fd = open(t->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return errno == ENOENT ? DP_AGAIN : dp_err_sys(err, DP_IO, "can't open %s", t->name);
    char *look = dp_alloc(LOOK);
    ssize_t n = pread(fd, look, LOOK, 0);
    close(fd);
    size_t got = n > 0 ? (size_t)n : 0, head_n = got < HEAD ? got : HEAD;
    bool ready = is_ready(s, look, got);
    const struct dp_map_item *it = dp_map_get(&f->pasts, dp_str_z(t->name));
    f->past = it ? it->v.p : NULL;
    f->kinship = compare(f->past, look, head_n, (uint64_t)st->st_size, &f->common);
    free(look);
    if (!ready) return DP_AGAIN;
    if (f->kinship != UNCLEAR) return DP_OK;
    if (!t->held)
        dp_run_log(s->run, DP_LOG_WARN, "%s was written anew and begins as before: it is read once it can be told apart from what was there", t->name);
    t->held = true;
    return DP_AGAIN;
}

/* DP_AGAIN: not yet. */
static enum dp_status begin_tail(struct dp_sources *s, struct tail *t, struct dp_err *err) {
    struct stat st, now;
    uint64_t size;
    size_t skip = 0;
    DP_TRY(inspect(s, t, &st, err));
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = dp_sources_open_name(s, t->name, &why);
    if (status == DP_IO && why.sys_errno == ENOENT) return DP_AGAIN;
    if (!status) status = dp_sources_open_member(s, &why);
    if (!status && s->reading->format == DP_SOURCE_EMPTY) status = DP_AGAIN;
    int fd = status ? -1 : dp_input_fd(s->in, &size);
    if (!status && (fstat(fd, &now) != 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev)) t->looked = 0, status = DP_AGAIN; /* another one by now */
    if (!status && (t->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) status = dp_err_sys(&why, DP_IO, "%s", t->name);
    if (!status) {
        (void)dp_text_is_plain(s->text, &skip);
        t->base = skip;
        t->reading = s->reading;
        t->offset = t->marked = s->offset;
        t->line = s->line;
        t->looked = t->scanned = 0;
        t->last_byte_ms = dp_sources_clock();
        t->mtime = 0;
        t->held = false;
        t->head_n = 0;
        dp_run_log(s->run, DP_LOG_VERBOSE, "%s: followed from byte %llu", t->name, (unsigned long long)t->offset);
    } else if (status != DP_AGAIN) {
        if (why.source[0] == '\0') (void)dp_sources_place(s, &why);
        if (err) *err = why;
    }
    dp_sources_close_member(s);
    dp_input_close(s->in);
    s->in = NULL;
    return status;
}

/* A file that came later and can't be followed is passed over, for an archiver may work beside us; one that was there from the start ends the run. */
static enum dp_status try_begin(struct dp_sources *s, struct tail *t, struct dp_err *err) {
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = begin_tail(s, t, &why);
    if (status == DP_UNSUPPORTED && s->follow->is_begun) {
        t->refused = true;
        dp_run_log(s->run, DP_LOG_WARN, "passed over: %s", why.msg);
        return DP_AGAIN;
    }
    if (status && status != DP_AGAIN && err) *err = why;
    return status;
}

/* ---- names ---- */

/* What is known of the file that had this name. */
static void remember(struct dp_follow *f, const struct tail *t, bool is_gone) {
    struct dp_map_item *it = dp_map_put(&f->pasts, dp_str_z(t->name), NULL);
    if (!t->reading || !t->head_n) return;
    struct past *p = it->v.p ? it->v.p : (it->v.p = dp_calloc(1, sizeof *p));
    p->reading = t->reading;
    p->end = t->offset;
    p->is_gone = is_gone;
    p->head_n = t->head_n;
    memcpy(p->head, t->head, t->head_n);
}

static bool is_followed(const struct dp_follow *f, const struct stat *st) {
    for (size_t i = 0; i < f->n; i++)
        if (f->tails[i]->fd >= 0 && f->tails[i]->ino == st->st_ino && f->tails[i]->dev == st->st_dev) return true;
    return false;
}

static void add_names(struct dp_sources *s) {
    struct dp_follow *f = s->follow;
    for (size_t i = 0; i < s->n_names; i++) {
        struct stat st;
        bool is_new;
        struct dp_map_item *it = dp_map_get(&f->by_name, dp_str_z(s->names[i]));
        if (it || stat(s->names[i], &st) != 0 || is_followed(f, &st)) continue; /* a followed file under another name: renamed, or linked */
        it = dp_map_put(&f->by_name, dp_str_z(s->names[i]), &is_new);
        struct tail *t = dp_calloc(1, sizeof *t);
        t->name = dp_strdup(s->names[i]);
        t->fd = -1;
        it->v.p = t;
        f->tails = dp_grow(f->tails, &f->cap, f->n + 1, sizeof *f->tails);
        f->tails[f->n++] = t;
    }
}

static enum dp_status scan(struct dp_sources *s, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    f->scan_due = false;
    f->last_scan = dp_sources_clock();
    DP_TRY(dp_sources_expand_specs(s, err));
    add_names(s);
    return DP_OK;
}

static void leave(struct dp_follow *f, struct tail *t, bool is_gone) {
    t->left = f->scan_due = true;
    f->last_scan = 0;
    remember(f, t, is_gone);
    dp_map_remove(&f->by_name, dp_str_z(t->name));
}

/* At its end: is the name still its own? */
static void check_name(struct dp_follow *f, struct tail *t, const struct stat *own) {
    struct stat st;
    if (t->left) return;
    bool is_there = stat(t->name, &st) == 0;
    if (is_there && st.st_ino == own->st_ino && st.st_dev == own->st_dev) return;
    if (is_there || own->st_nlink == 0) leave(f, t, own->st_nlink == 0); /* renamed without a successor: it may be written to for long */
}

/* ---- reading ---- */

static struct dp_mark checkpoint_of(struct tail *t) {
    char text[24];
    t->marked = t->offset;
    return (struct dp_mark){.kind = DP_MARK_CHECKPOINT, .table_version = -1, .source = dp_strdup(t->reading->origin->position_id),
                            .partition = dp_strdup("0"), .position = dp_strndup(text, dp_print_u64(text, t->offset))};
}

/* Written anew in its place: whatever comes now is another source, or the same again. */
static void start_over(struct dp_sources *s, struct tail *t) {
    remember(s->follow, t, false);
    dp_run_log(s->run, DP_LOG_INFO, "%s was cut short and is read from its beginning", t->name);
    if (t->offset != t->marked) {
        s->follow->owed = dp_grow(s->follow->owed, &s->follow->cap_owed, s->follow->n_owed + 1, sizeof *s->follow->owed);
        s->follow->owed[s->follow->n_owed++] = checkpoint_of(t);
    }
    close(t->fd);
    t->fd = -1;
    t->reading = NULL;
    t->looked = 0;
}

/* Are the first bytes those that were there?  Those that were read since become part of them. */
static bool is_same_head(struct tail *t, uint64_t end) {
    char now[HEAD];
    size_t want = end < HEAD ? (size_t)end : HEAD;
    ssize_t n = pread(t->fd, now, want, 0);
    if (n < (ssize_t)t->head_n || memcmp(now, t->head, t->head_n) != 0) return false;
    memcpy(t->head, now, (size_t)n);
    t->head_n = (size_t)n;
    return true;
}

/* The size says that there is nothing new: was it written anew, as long as before? */
static bool is_rewritten(struct tail *t, const struct stat *st) {
    int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    if (mtime == t->mtime) return false;
    t->mtime = dp_time_now_micros() - mtime > 100000 ? mtime : 0; /* clocks of file systems are coarse */
    return !is_same_head(t, t->base + t->offset);
}

/* A line that is longer than a record may be, of NDJSON: one bad record as soon as its end is there. */
static enum dp_status pass_long(struct dp_sources *s, struct tail *t, struct dp_chunk *c, uint64_t size, struct dp_err *err) {
    uint64_t at = t->scanned ? t->scanned : t->base + t->offset + c->raw.n;
    while (at < size) {
        c->raw.n = 0;
        char *p = dp_buf_reserve(&c->raw, 1 << 20);
        ssize_t n = pread(t->fd, p, 1 << 20, (off_t)at);
        if (n < 0) return dp_err_sys(err, DP_IO, "%s", t->name);
        if (n == 0) break;
        const char *nl = memchr(p, '\n', (size_t)n);
        if (nl) {
            dp_sources_too_long(s, c);
            s->offset = at - t->base + (uint64_t)(nl - p) + 1;
            s->line++;
            c->end_offset = s->offset;
            t->scanned = 0;
            return DP_OK;
        }
        t->scanned = at += (uint64_t)n;
    }
    t->looked = size;
    return DP_AGAIN;
}

/* Whole records from where the tail stands; with `last` what is behind them too. */
static enum dp_status read_records(struct dp_sources *s, struct tail *t, struct dp_chunk *c, uint64_t size, bool last, struct dp_err *err) {
    uint64_t at = t->base + t->offset, left = size - at;
    bool is_csv = s->reading->format == DP_SOURCE_CSV;
    for (size_t want = dp_sources_chunk_bytes(s), end = 0;; want *= 2) {
        if (want > left) want = (size_t)left;
        if (!t->scanned && c->raw.n < want) {
            char *p = dp_buf_reserve(&c->raw, want - c->raw.n + DP_SCAN_PAD);
            ssize_t n = pread(t->fd, p, want - c->raw.n, (off_t)(at + c->raw.n));
            if (n < 0) return dp_err_sys(err, DP_IO, "%s", t->name);
            c->raw.n += (size_t)n;
            if (n == 0) want = c->raw.n, left = want; /* shorter by now, which the head will tell */
        }
        s->csv_cut = (struct dp_csv_cut){0};
        s->cut_from = s->offset;
        if (!t->scanned) DP_TRY(dp_sources_find_end(s, c->raw.p, 0, c->raw.n, &end, err));
        if (!end && last && want == left) end = c->raw.n;
        if (end) return dp_sources_end_chunk(s, c, end), DP_OK;
        if (t->scanned || c->raw.n > s->run->max_record) return is_csv ? dp_sources_endless_record(s, err) : pass_long(s, t, c, size, err);
        if (want == left) return t->looked = size, DP_AGAIN;
    }
}

/* The end of a file that has lost its name: a last record without its newline, if it is whole. */
static bool has_last_record(struct dp_sources *s, struct tail *t, uint64_t size) {
    uint64_t n = size - t->base - t->offset;
    struct dp_record r;
    struct dp_buf b = {0};
    if (!n || n > s->run->max_record) return false;
    dp_buf_reserve(&b, (size_t)n + DP_SCAN_PAD);
    bool whole = dp_fd_pread(t->fd, b.p, (size_t)n, t->base + t->offset, NULL) == DP_OK;
    b.n = whole ? (size_t)n : 0;
    if (whole && t->reading->format == DP_SOURCE_CSV) {
        struct dp_csv_cut cut = {0};
        (void)dp_csv_cut(dp_csv_table_dialect(t->reading->table), &cut, b.p, b.n);
        whole = !cut.in_quotes;
    } else if (whole) {
        struct dp_scan *scan_ = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE);
        memset(b.p + b.n, 0, DP_SCAN_PAD);
        whole = dp_scan_value(scan_, b.p, b.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT;
        dp_scan_close(scan_);
    }
    dp_buf_release(&b);
    if (!whole)
        dp_run_log(s->run, DP_LOG_WARN, "%s: the file that had this name ends in the middle of a record: its last %llu bytes are not read", t->name,
                   (unsigned long long)n);
    return whole;
}

/* One chunk of one file.  DP_AGAIN: none now; DP_END: it is done and may be forgotten. */
static enum dp_status read_tail(struct dp_sources *s, struct tail *t, struct dp_chunk *c, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    struct stat st;
    bool last = false;
    if (t->fd < 0 && t->left) return DP_END; /* cut short when it had lost its name already */
    if (t->fd < 0) DP_TRY(try_begin(s, t, err));
    if (fstat(t->fd, &st) != 0) return dp_err_sys(err, DP_IO, "%s", t->name);
    uint64_t size = (uint64_t)st.st_size, at = t->base + t->offset;
    if (size < at || (size < t->head_n)) return start_over(s, t), f->scan_due = true, DP_AGAIN;
    if (size == at || size == t->looked) {
        if (is_rewritten(t, &st)) return start_over(s, t), f->scan_due = true, DP_AGAIN;
        check_name(f, t, &st);
        if (!t->left || t->offset != t->marked || dp_sources_clock() - t->last_byte_ms < LEFT_MS) return DP_AGAIN;
        last = size > at && has_last_record(s, t, size);
        if (!last) return DP_END;
    }
    s->reading = t->reading;
    s->name = t->name;
    s->line = t->line, s->offset = t->offset;
    dp_sources_begin_chunk(s, c);
    enum dp_status status = read_records(s, t, c, size, last, err);
    if (status && status != DP_AGAIN && err && !err->source[0]) (void)dp_err_at(err, t->name, s->line, DP_NO_OFFSET);
    s->reading = NULL;
    if (status == DP_AGAIN) { /* half a line */
        t->last_byte_ms = dp_sources_clock();
        return is_same_head(t, t->base + t->offset) ? DP_AGAIN : (start_over(s, t), f->scan_due = true, DP_AGAIN);
    }
    if (status) return status;
    if (!is_same_head(t, t->base + s->offset)) return start_over(s, t), f->scan_due = true, DP_AGAIN;
    t->offset = s->offset, t->line = s->line;
    t->last_byte_ms = f->last_byte = dp_sources_clock();
    f->bytes += c->n;
    return DP_OK;
}

/* ---- marks ---- */

static struct dp_mark *push(struct dp_follow *f, enum dp_mark_kind kind) {
    f->queue = dp_grow(f->queue, &f->cap_queue, f->n_queue + 1, sizeof *f->queue);
    f->queue[f->n_queue] = (struct dp_mark){.kind = kind, .table_version = -1};
    return &f->queue[f->n_queue++];
}

/* Checkpoints of all that moved, as one row; then what time it is here. */
static void tick(struct dp_sources *s, uint64_t now) {
    struct dp_follow *f = s->follow;
    struct dp_mark *m = NULL;
    char text[40];
    for (size_t i = 0; i < f->n_owed + f->n; i++) {
        struct tail *t = i < f->n_owed ? NULL : f->tails[i - f->n_owed];
        if (t && (!t->reading || t->offset == t->marked)) continue;
        if (m) m->more = true;
        m = push(f, DP_MARK_CHECKPOINT);
        *m = t ? checkpoint_of(t) : f->owed[i];
    }
    f->n_owed = 0;
    if (now - f->last_byte >= IDLE_MS && !f->is_idle) {
        push(f, DP_MARK_IDLE);
        f->is_idle = true;
    }
    m = push(f, DP_MARK_HEARTBEAT);
    m->time = dp_strndup(text, dp_time_print_micros(text, s->run->now_fixed ? s->run->now_micros : dp_time_now_micros(), true, 3));
    f->last_tick = now;
    f->bytes = 0;
}

static bool pop(struct dp_follow *f, struct dp_chunk *c) {
    if (f->queue_at == f->n_queue) return f->n_queue = f->queue_at = 0, false;
    dp_mark_release(&c->mark);
    c->kind = DP_CHUNK_MARK;
    c->mark = f->queue[f->queue_at++];
    c->origin = NULL, c->source = NULL;
    c->raw.n = c->converted.n = c->bad_lines.n = 0;
    c->text = "", c->n = 0;
    c->bad = c->bad_malformed = c->coerced = 0;
    c->passed_over = dp_str(NULL, 0);
    return true;
}

static void swap_chunk(struct dp_follow *f, struct dp_chunk *c) {
    struct dp_chunk other = f->stash;
    f->stash = *c;
    *c = other;
}

/* ---- waiting ---- */

static enum dp_status wait_for_news(struct dp_sources *s, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    uint64_t until = f->last_tick + TICK_MS;
    if (f->scan_due && until > f->last_scan + SCAN_MS) until = f->last_scan + SCAN_MS;
    DP_TRY(dp_watch_wait(&f->watch, s, until, err));
    if (dp_watch_news(&f->watch)) f->scan_due = true;
    return DP_OK;
}

/* ---- the next chunk ---- */

static void forget(struct dp_follow *f, size_t i) {
    free_tail(f->tails[i]);
    memmove(f->tails + i, f->tails + i + 1, (f->n - i - 1) * sizeof *f->tails);
    f->n--;
    if (f->turn > i) f->turn--;
    f->turn_chunks = 0;
}

/* Goes round once from the file whose turn it is.  DP_AGAIN: nothing anywhere. */
static enum dp_status go_round(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    if (f->turn_chunks >= TURN_CHUNKS) f->turn++, f->turn_chunks = 0;
    for (size_t k = f->n; k > 0; k--) {
        if (f->turn >= f->n) f->turn = 0;
        enum dp_status status = read_tail(s, f->tails[f->turn], c, err);
        if (status == DP_OK) return f->turn_chunks++, DP_OK;
        if (status == DP_END) {
            forget(f, f->turn);
            continue;
        }
        if (status != DP_AGAIN) return status;
        f->turn++, f->turn_chunks = 0;
    }
    return DP_AGAIN;
}

enum dp_status dp_follow_next(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    struct dp_follow *f = s->follow;
    if (!f->is_begun && !f->n) {
        DP_TRY(dp_sources_learn(s, err));
        f->last_scan = dp_sources_clock();
        add_names(s);
    }
    for (;;) {
        if (pop(f, c)) return DP_OK;
        if (f->has_stash) return f->has_stash = false, swap_chunk(f, c), DP_OK;
        uint64_t now = dp_sources_clock();
        if (now >= f->last_tick + TICK_MS || f->bytes >= TICK_BYTES) {
            tick(s, now);
            continue;
        }
        if (now >= f->last_scan + TICK_MS || (f->scan_due && now >= f->last_scan + SCAN_MS)) DP_TRY(scan(s, err));
        enum dp_status status = go_round(s, c, err);
        if (status == DP_OK && f->is_idle) { /* one goes on: the word comes first, and its records next time */
            swap_chunk(f, c);
            f->is_idle = false, f->has_stash = true;
            push(f, DP_MARK_ACTIVE);
            continue;
        }
        if (status != DP_AGAIN) return status;
        f->is_begun = true;
        if (f->scan_due && dp_sources_clock() >= f->last_scan + SCAN_MS) continue;
        DP_TRY(wait_for_news(s, err));
    }
}

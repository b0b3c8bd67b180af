/*
 * The search for traces of a subject (dp/io/traces.h): which files there are, and each file by what it is.
 *
 * The names of a table's files are gathered first, those that its log names elsewhere with them; then each is searched on a thread of its own.
 */
#include "subject_priv.h"
#include "traces_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/delta/lives.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/parquet/reader.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, DEPTH = 100 };

const char *const dp_trace_words[DP_TRACE_KINDS] = {"name", "row", "page", "statistics", "bloom", "bytes", "unread"};

struct finding {
    struct dp_run *run;
    struct trace_set set;
    struct dp_map paths;          /* in their order; value: is it a plain file? */
    size_t next;
    struct dp_traces_totals *out;
    enum dp_status (*say)(void *ctx, const struct dp_trace *t, struct dp_err *err);
    void *ctx;
    struct trace_search *searches; /* one for each thread */
    /* of a file that is no table's */
    uint64_t *records;             /* counts by its records; NULL: they are not read */
    struct dp_buf why;
};

struct job {
    const char *path;
    bool is_file;
    uint64_t *counts;
    uint64_t rows, bytes;
    struct dp_buf why;
};

/* ---- which files ---- */

static void add_path(struct finding *f, const char *path, bool is_file) {
    struct dp_map_item *it = dp_map_put(&f->paths, dp_str_z(path), NULL);
    it->v.u |= is_file;
}

static enum dp_status walk(struct finding *f, const char *dir, unsigned depth, struct dp_err *err) {
    if (depth == DEPTH) return dp_err_set(err, DP_LIMIT, "%s: more than %d directories in each other", dir, DEPTH);
    DIR *d = opendir(dir);
    enum dp_status status = DP_OK;
    if (!d) return dp_err_sys(err, DP_IO, "can't read directory %s", dir);
    for (struct dirent *e; status == DP_OK && (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *path = dp_path_join(dir, e->d_name);
        struct stat st;
        if (lstat(path, &st) != 0) {
            if (errno != ENOENT) status = dp_err_sys(err, DP_IO, "cannot look at %s", path);
        } else {
            add_path(f, path, S_ISREG(st.st_mode));
            if (S_ISDIR(st.st_mode)) status = walk(f, path, depth + 1, err);
        }
        free(path);
    }
    closedir(d);
    return status;
}

/* What stands in the tiers that the table has, named by the log or not. */
static enum dp_status add_homes(struct finding *f, const struct dp_delta_snapshot *s, struct dp_err *err) {
    char **homes = NULL;
    size_t n = 0;
    enum dp_status status = dp_delta_tier_homes(s->table, s->metadata.id, &homes, &n, err);
    for (size_t i = 0; i < n; i++) {
        if (status == DP_OK) status = walk(f, homes[i], 0, err);
        free(homes[i]);
    }
    free(homes);
    return status;
}

/* Files that the log names by absolute paths, in whatever version it still tells. */
static enum dp_status add_absolute(struct finding *f, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_delta_lives lives = {0};
    struct dp_buf path = {0};
    enum dp_status status = dp_delta_lives_read(s, &lives, err);
    for (size_t i = 0; i < lives.n_all && status == DP_OK; i++) {
        if (!dp_delta_path_is_absolute(lives.all[i].file->path)) continue;
        dp_buf_reset(&path);
        status = dp_delta_path_resolve(s->table, lives.all[i].file->path, &path, err);
        if (status == DP_OK) add_path(f, dp_buf_z(&path), true);
    }
    dp_delta_lives_release(&lives);
    dp_buf_release(&path);
    return status;
}

/* An identifier under the physical name of the column that it names. */
static void add_alias(const struct dp_delta_snapshot *s, const struct dp_trace_value *v, size_t number, struct dp_trace_value *aliases, size_t *of, size_t *n) {
    for (size_t i = 0; i < s->schema->n_children && i < s->physical->n_children; i++) {
        const struct dp_type *shown = s->schema->children[i], *stored = s->physical->children[i];
        if (!trace_is_name(dp_str(shown->name, shown->name_n), v->name) || trace_is_name(dp_str(stored->name, stored->name_n), v->name)) continue;
        aliases[*n] = (struct dp_trace_value){dp_str(stored->name, stored->name_n), v->text};
        of[(*n)++] = number;
    }
}

static void make_set(struct finding *f, const struct dp_delta_snapshot *s, const struct dp_trace_value *values, size_t n) {
    struct dp_trace_value *aliases = dp_calloc(n + 1, sizeof *aliases);
    size_t *of = dp_calloc(n + 1, sizeof *of), n_aliases = 0;
    for (size_t i = 0; s && i < n; i++) add_alias(s, &values[i], i, aliases, of, &n_aliases);
    trace_set_make(&f->set, values, n, aliases, of, n_aliases);
    free(aliases), free(of);
}

/* ---- one file ---- */

/* Compressed files are not looked into: their bytes say nothing. */
static const char *compressed(const uint8_t *p, size_t n) {
    static const struct { const char *magic, *what; size_t n; } known[] = {
        {"\x1f\x8b", "gzip", 2}, {"\x28\xb5\x2f\xfd", "zstd", 4}, {"BZh", "bzip2", 3}, {"\xfd" "7zXZ", "xz", 5}, {"PK\x03\x04", "zip", 4}, {"\x04\x22\x4d\x18", "lz4", 4}, {"7z\xbc\xaf", "7z", 4}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].n && !memcmp(p, known[i].magic, known[i].n)) return known[i].what;
    return NULL;
}

/* The bytes of a file in blocks that overlap by as much as a pattern may lie across; records too where it is lines of JSON, as long as a line fits. */
static enum dp_status search_bytes(struct trace_search *s, int fd, struct dp_err *err) {
    struct dp_buf b = {0};
    bool is_lines = false, is_first = true;
    size_t kept = 0; /* of the block before */
    enum dp_status status = DP_OK;
    for (;;) {
        char *to = dp_buf_reserve(&b, BLOCK + DP_SCAN_PAD);
        ssize_t got = read(fd, to, BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = dp_err_sys(err, DP_IO, "cannot read");
        if (got <= 0) break;
        if (is_first) {
            size_t blank = 0;
            while (blank < (size_t)got && (to[blank] == ' ' || to[blank] == '\n' || to[blank] == '\r' || to[blank] == '\t')) blank++;
            is_lines = blank < (size_t)got && to[blank] == '{';
            const char *what = compressed((const uint8_t *)to, (size_t)got);
            if (what) dp_buf_addf(&s->why, "it is compressed (%s) and not looked into", what);
            is_first = false;
        }
        b.n += (size_t)got;
        s->bytes += (uint64_t)got;
        if (dp_run_stopped(s->run, err)) status = DP_SIGNALLED;
        if (status != DP_OK) break;
        const char *end = is_lines ? dp_str_last(dp_buf_str(&b), '\n') : NULL;
        if (end) {
            size_t n = (size_t)(end - b.p) + 1;
            trace_lines(s, dp_str(b.p, n));
            memmove(b.p, b.p + n, b.n - n);
            b.n -= n, kept = 0;
        } else if (!is_lines || b.n > s->run->max_record) {
            if (is_lines) dp_buf_addz(&s->why, "a line is longer than a record may be: only its bytes were searched");
            is_lines = false;
            trace_bytes(s, dp_buf_str(&b), kept, DP_TRACE_BYTES);
            kept = s->set->longest ? s->set->longest - 1 : 0;
            if (kept > b.n) kept = b.n;
            memmove(b.p, b.p + b.n - kept, kept);
            b.n = kept;
        }
    }
    if (status == DP_OK && is_lines && b.n) {
        memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        trace_lines(s, dp_buf_str(&b));
    }
    dp_buf_release(&b);
    return status;
}

static enum dp_status search_file(struct trace_search *s, const char *path, struct dp_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open it");
    bool is_parquet = dp_pq_is(fd);
    enum dp_status status = search_bytes(s, fd, err);
    close(fd);
    if (status == DP_OK && is_parquet) status = trace_parquet(s, path, err);
    return status;
}

/* ---- the files of a table on all threads ---- */

static enum dp_status produce(void *ctx, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct job *job = slot;
    if (dp_run_stopped(f->run, err)) return DP_SIGNALLED;
    if (f->next == f->paths.n) return DP_END;
    const struct dp_map_item *it = &f->paths.items[f->next++];
    size_t n = DP_TRACE_KINDS * f->set.n_asked;
    job->path = it->key.p, job->is_file = it->v.u;
    if (!job->counts) job->counts = dp_calloc(n + 1, sizeof *job->counts);
    memset(job->counts, 0, n * sizeof *job->counts);
    job->rows = job->bytes = 0;
    dp_buf_reset(&job->why);
    return DP_OK;
}

static enum dp_status work(void *ctx, unsigned worker, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct job *job = slot;
    struct trace_search *s = &f->searches[worker];
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = DP_OK;
    s->counts = job->counts, s->rows = s->bytes = 0;
    dp_buf_reset(&s->why);
    trace_name(s, dp_str_z(job->path));
    if (job->is_file) status = search_file(s, job->path, &why);
    job->rows = s->rows, job->bytes = s->bytes;
    dp_buf_adds(&job->why, dp_buf_str(&s->why));
    if (status == DP_SIGNALLED && err) *err = why;
    if (status == DP_SIGNALLED) return status;
    if (status != DP_OK) dp_buf_reset(&job->why), dp_buf_addz(&job->why, why.msg);
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct job *job = slot;
    bool sure = false, perhaps = false;
    for (size_t i = 0; f->records && i < DP_TRACE_KINDS * f->set.n_asked; i++) job->counts[i] += f->records[i];
    if (!job->why.n) dp_buf_adds(&job->why, dp_buf_str(&f->why));
    f->out->files += job->is_file, f->out->rows += job->rows, f->out->bytes += job->bytes;
    for (size_t k = 0; k < DP_TRACE_KINDS; k++)
        for (size_t i = 0; i < f->set.n_asked; i++) {
            uint64_t n = job->counts[k * f->set.n_asked + i];
            if (!n) continue;
            sure |= k != DP_TRACE_BLOOM, perhaps |= k == DP_TRACE_BLOOM;
            DP_TRY(f->say(f->ctx, &(struct dp_trace){.path = job->path, .kind = (enum dp_trace_kind)k, .value = &f->set.v[i], .n = n}, err));
        }
    f->out->found += sure, f->out->perhaps += perhaps && !sure;
    if (job->why.n) {
        f->out->unread++;
        DP_TRY(f->say(f->ctx, &(struct dp_trace){.path = job->path, .kind = DP_TRACE_UNREAD, .n = 1, .why = dp_buf_z(&job->why)}, err));
    }
    if (f->run->tick) f->run->tick(f->run);
    return DP_OK;
}

static void release(void *ctx, void *slot) {
    struct job *job = slot;
    (void)ctx;
    free(job->counts);
    dp_buf_release(&job->why);
}

static int by_path(const void *a, const void *b) { return dp_str_cmp(((const struct dp_map_item *)a)->key, ((const struct dp_map_item *)b)->key); }

/* All that was gathered, and forgets it. */
static enum dp_status search_paths(struct finding *f, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    unsigned threads = dp_pool_threads(f->run->pool);
    if (f->paths.n) qsort(f->paths.items, f->paths.n, sizeof *f->paths.items, by_path); /* nothing is looked up by key any more */
    f->searches = dp_calloc(threads, sizeof *f->searches);
    for (unsigned i = 0; i < threads; i++) trace_search_open(&f->searches[i], f->run, &f->set);
    enum dp_status status = dp_pool_run(f->run->pool, &ops, f, err);
    for (unsigned i = 0; i < threads; i++) trace_search_close(&f->searches[i]);
    free(f->searches);
    return status;
}

static void forget(struct finding *f) {
    trace_set_release(&f->set);
    dp_map_release(&f->paths);
    free(f->records);
    f->records = NULL;
    dp_buf_reset(&f->why);
    f->next = 0;
}

static enum dp_status search_table(struct finding *f, const char *table, const struct dp_trace_value *values, size_t n, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    enum dp_status status = dp_delta_open_how(table, -1, &(struct dp_delta_how){.skip_stats = true}, &s, err);
    if (status != DP_OK) return status;
    make_set(f, s, values, n);
    status = walk(f, table, 0, err);
    if (status == DP_OK) status = add_homes(f, s, err);
    if (status == DP_OK) status = add_absolute(f, s, err);
    if (status == DP_OK) status = search_paths(f, err);
    forget(f);
    dp_delta_close(s);
    if (status == DP_OK) f->out->tables++;
    return status;
}

/* ---- files that are no table's ---- */

static enum dp_status on_text(void *ctx, struct dp_job *j, struct dp_err *err) {
    (void)err;
    trace_lines(ctx, dp_str(j->chunk->text, j->chunk->n));
    return DP_OK;
}

/* Of CSV the records: a value in a column of its name says more than bytes do. */
static enum dp_status read_records(struct finding *f, const char *path, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.emit = on_text};
    const struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_REFUSE}, .keep_text = true, .sink = true, .no_checkpoints = true, .keeps_chunks = true};
    struct dp_run own = subject_run(f->run);
    struct trace_search s;
    struct dp_err why = DP_ERR_INIT;
    f->records = dp_calloc(DP_TRACE_KINDS * f->set.n_asked + 1, sizeof *f->records);
    trace_search_open(&s, f->run, &f->set);
    s.counts = f->records;
    enum dp_status status = subject_stream(&own, path, &conf, &ops, &s, &why);
    trace_search_close(&s);
    if (status == DP_OK && own.books.rejected) dp_buf_addf(&f->why, "%llu of its records can't be read", (unsigned long long)own.books.rejected);
    if (status != DP_OK && status != DP_SIGNALLED) dp_buf_addz(&f->why, why.msg);
    if (status == DP_SIGNALLED && err) *err = why;
    return status == DP_SIGNALLED ? status : DP_OK;
}

static enum dp_status search_plain(struct finding *f, const char *path, const struct dp_trace_value *values, size_t n, struct dp_err *err) {
    enum dp_status status = DP_OK;
    make_set(f, NULL, values, n);
    add_path(f, path, true);
    if (subject_is_csv(path)) status = read_records(f, path, err);
    if (status == DP_OK) status = search_paths(f, err);
    forget(f);
    return status;
}

struct dp_trace_value *dp_traces_of(const struct dp_subject *s) {
    struct dp_trace_value *values = dp_calloc(s->n + 1, sizeof *values);
    for (size_t i = 0; i < s->n; i++) values[i] = (struct dp_trace_value){dp_str_z(s->v[i].name), dp_str_z(s->v[i].value)};
    return values;
}

enum dp_status dp_traces_find(struct dp_run *run, const char *const *tables, size_t n, const struct dp_trace_value *values, size_t n_values,
                              enum dp_status (*say)(void *ctx, const struct dp_trace *t, struct dp_err *err), void *ctx, struct dp_traces_totals *out, struct dp_err *err) {
    struct finding f = {.run = run, .out = out, .say = say, .ctx = ctx};
    enum dp_status status = DP_OK;
    *out = (struct dp_traces_totals){0};
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        bool is_plain = stat(tables[i], &st) == 0 && S_ISREG(st.st_mode);
        if (status == DP_OK) status = is_plain ? search_plain(&f, tables[i], values, n_values, err) : search_table(&f, tables[i], values, n_values, err);
    }
    dp_buf_release(&f.why);
    return status;
}

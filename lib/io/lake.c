/*
 * A walk over a lake (dp/io/lake.h), depth first, the names of a directory in order: once for contracts, once for datasets.
 */
#include "lake_priv.h"

#include <dp/io/lake.h>

#include <dp/base/buf.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/snapshot.h>
#include <dp/io/datasets.h>
#include <dp/io/source.h>
#include <dp/io/typed.h>
#include <dp/record/infer.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEARN_FROM = 1000 }; /* records of a file without types */

struct walking {
    struct dp_run *run;
    dp_lake_fn fn;
    void *ctx;
    struct dp_err *err;
    struct dp_buf path;
    unsigned depth;
    bool wants_contracts;       /* the first walk; the second is for datasets */
    struct lake_contracts contracts;
    bool in_parts, parts_known; /* below a KEY=VALUE directory; its dataset was told already */
    size_t parts_path;          /* how long the path of that dataset is */
};

static int64_t micros_of(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000; }

/* What a file's name says that it is; NULL: nothing. */
struct form { const char *end, *format; };
static const struct form *form_of(const char *name) {
    static const struct form forms[] = {{".parquet", "parquet"}, {".csv", "csv"}, {".csv.gz", "csv"}, {".csv.zst", "csv"}, {".tsv", "csv"}, {".tsv.gz", "csv"}, {".ndjson", "json"}, {".jsonl", "json"},
        {".ndjson.gz", "json"}, {".ndjson.zst", "json"}, {".jsonl.gz", "json"}, {".jsonl.zst", "json"}, {".avro", "avro"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (dp_str_ends(dp_str_z(name), dp_str_z(forms[i].end))) return &forms[i];
    return NULL;
}

/* ---- datasets ---- */

/* `about`: what its contract says, or NULL. */
static enum dp_status tell(struct walking *k, struct dp_lake_found *f, struct dp_ol_dataset *d, const struct dp_ol_about *about, const struct dp_err *why) {
    if (about) dp_ol_about_dataset(about, d);
    enum dp_status status = dp_ol_name_of(f->path, "/", &d->id, k->err);
    f->d = d;
    f->fault = why->status ? why->msg : NULL;
    if (status == DP_OK) status = k->fn(k->ctx, f, k->err);
    dp_ol_dataset_release(d);
    return status;
}

/* By the contract that lies nearest. */
static const struct dp_ol_about *about_of(const struct walking *k, struct dp_lake_found *f, const char *suffix) {
    const struct lake_contract *c = lake_contracts_find(&k->contracts, f->path, suffix);
    if (!c) return NULL;
    f->contract = c->path;
    if (c->at > f->at) f->at = c->at;
    return &c->about;
}

static enum dp_status take_commit_time(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    (void)err;
    if (a->kind != DP_DELTA_COMMIT_INFO) return DP_OK;
    *(int64_t *)ctx = a->u.commit_info.in_commit_timestamp;
    return DP_END;
}

/* When the version was committed: what the commit says, where it says it, else when its file was written, or the log. */
static int64_t commit_time(const char *table, int64_t version) {
    struct dp_arena arena = {0};
    struct dp_buf log = {0};
    struct dp_err none = DP_ERR_INIT;
    struct stat st = {0};
    int64_t ms = DP_DELTA_UNSET;
    dp_buf_addf(&log, "%s/_delta_log/%020lld.json", table, (long long)version);
    if (version >= 0) (void)!dp_delta_actions_file(dp_buf_z(&log), &arena, take_commit_time, &ms, &none);
    if (ms == DP_DELTA_UNSET && (version < 0 || stat(dp_buf_z(&log), &st) != 0)) {
        dp_buf_reset(&log);
        dp_buf_addf(&log, "%s/_delta_log", table);
        if (stat(dp_buf_z(&log), &st) != 0) st = (struct stat){0};
    }
    dp_arena_release(&arena);
    dp_buf_release(&log);
    int64_t at;
    return ms == DP_DELTA_UNSET || __builtin_mul_overflow(ms, 1000, &at) ? micros_of(&st) : at;
}

static enum dp_status tell_table(struct walking *k, const char *path) {
    struct dp_ol_dataset d = {.rows = UINT64_MAX, .bytes = UINT64_MAX, .files = UINT64_MAX, .layer = dp_strdup("delta"), .format = dp_strdup("parquet")};
    struct dp_lake_found f = {.path = path};
    struct dp_delta_snapshot *s = NULL;
    struct dp_err why = DP_ERR_INIT;
    struct dp_ol_about own = {.schema = NULL};
    char version[24];
    bool has_own = false;
    if (dp_delta_open_how(path, -1, &(struct dp_delta_how){.skip_stats = true}, &s, &why) == DP_OK) {
        d.schema = dp_type_copy(s->schema);
        (void)snprintf(version, sizeof version, "%lld", (long long)s->version);
        d.version = dp_strdup(version);
        has_own = dp_dataset_own_contract(s, &own);
    }
    f.at = commit_time(path, s ? s->version : -1);
    dp_delta_close(s);
    if (has_own) f.contract = "dp.contract";
    enum dp_status status = tell(k, &f, &d, has_own ? &own : about_of(k, &f, NULL), &why);
    dp_ol_about_release(&own);
    return status;
}

/* Types of the first records: of files that have none. */
static enum dp_status infer(struct dp_sources *s, struct dp_type **schema, struct dp_err *why) {
    struct dp_chunk chunk = {.n = 0};
    enum dp_status status = dp_sources_next(s, &chunk, why);
    if (status == DP_OK) status = dp_sources_convert(s, 0, &chunk, why);
    if (status == DP_OK) {
        struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
        struct dp_infer *seen = dp_infer_open();
        struct dp_record r;
        struct dp_err bad = DP_ERR_INIT;
        dp_scan_begin(scan, chunk.text, chunk.n);
        for (enum dp_status one; dp_infer_count(seen) < LEARN_FROM && (one = dp_scan_next(scan, &r, &bad)) != DP_END;) {
            if (one == DP_OK) dp_infer_record(seen, &r);
            else if (one != DP_RECORD) break;
        }
        if (dp_infer_count(seen)) *schema = dp_infer_schema(seen);
        else if (bad.status) status = dp_err_set(why, DP_FORMAT, "%s", bad.msg);
        dp_infer_close(seen);
        dp_scan_close(scan);
    }
    dp_chunk_release(&chunk);
    return status == DP_END ? DP_OK : status;
}

enum dp_status lake_learn(struct dp_run *run, const char *file, const char *format, struct dp_type **schema, struct dp_err *why) {
    if (!strcmp(format, "parquet")) {
        struct dp_typed *t = NULL;
        const struct dp_typed_opts opts = {0};
        DP_TRY(dp_typed_open(run, &file, 1, &opts, &t, why));
        *schema = dp_type_copy(dp_typed_schema(t));
        dp_typed_close(t);
        return DP_OK;
    }
    if (!strcmp(format, "avro")) return DP_OK; /* dp does not read it */
    struct dp_sources *s = NULL;
    const struct dp_source_opts opts = {.own_types = true, .chunk_bytes = 64 << 10};
    DP_TRY(dp_sources_open(run, &file, 1, &opts, &s, why));
    enum dp_status status = dp_sources_survey(s, schema, why);
    if (status == DP_OK && !*schema) status = infer(s, schema, why);
    dp_sources_close(s);
    return status;
}

/* `file`: whose schema it is; `path`: the file, or the directory that it is a part of. */
static enum dp_status tell_file(struct walking *k, const char *path, const char *file, const struct form *form, const struct stat *st) {
    struct dp_ol_dataset d = {.rows = UINT64_MAX, .bytes = UINT64_MAX, .files = UINT64_MAX, .format = dp_strdup(form->format)};
    struct dp_lake_found f = {.path = path, .at = micros_of(st)};
    struct dp_err why = DP_ERR_INIT;
    if (lake_learn(k->run, file, form->format, &d.schema, &why) != DP_OK && why.status == DP_SIGNALLED) {
        dp_ol_dataset_release(&d);
        return dp_err_set(k->err, DP_SIGNALLED, "%s", why.msg);
    }
    return tell(k, &f, &d, about_of(k, &f, path == file ? form->end : NULL), &why);
}

/* A contract's objects are kept, its faults told. */
static enum dp_status take_contract(struct walking *k, const struct stat *st) {
    struct dp_err why = DP_ERR_INIT;
    struct dp_lake_found f = {.path = dp_buf_z(&k->path), .at = micros_of(st)};
    DP_TRY(lake_contracts_add(&k->contracts, f.path, f.at, &why, k->err));
    if (!why.status) return DP_OK;
    f.fault = why.msg;
    return k->fn(k->ctx, &f, k->err);
}

/* ---- directories ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Is it for this walk, by its name and what the directory says that it is?  Where the file system does not say it, lstat will. */
static bool is_wanted(const struct walking *k, const struct dirent *e) {
    if (e->d_name[0] == '.' || (e->d_name[0] == '_' && strcmp(e->d_name, "_delta_log") != 0)) return false;
    if (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) return true;
    if (e->d_type != DT_REG) return false;
    return k->wants_contracts ? lake_names_contract(e->d_name) : form_of(e->d_name) != NULL;
}

static bool is_part(const struct walking *k, const char *name) { return form_of(name) && (k->in_parts || !strncmp(name, "part-", 5)); }

/* The names in order; of parts the first alone. */
static enum dp_status list(struct walking *k, int fd, char ***out, size_t *n) {
    char **v = NULL;
    size_t cap = 0, part = SIZE_MAX;
    struct dirent *e;
    DIR *d = fdopendir(fd);
    enum dp_status status = DP_OK;
    *n = 0, *out = NULL;
    if (!d) {
        close(fd);
        return dp_err_sys(k->err, DP_IO, "can't read directory %s", dp_buf_z(&k->path));
    }
    while ((errno = 0, e = readdir(d))) {
        bool of_many = is_part(k, e->d_name);
        if (!is_wanted(k, e)) continue;
        if (of_many && part != SIZE_MAX) {
            if (strcmp(e->d_name, v[part]) < 0) free(v[part]), v[part] = dp_strdup(e->d_name);
            continue;
        }
        if (*n == DP_LIMIT_LAKE_NAMES) {
            status = dp_err_set(k->err, DP_LIMIT, "%s: more than %u names in one directory", dp_buf_z(&k->path), DP_LIMIT_LAKE_NAMES);
            break;
        }
        if (of_many) part = *n;
        v = dp_grow(v, &cap, *n + 1, sizeof *v);
        v[(*n)++] = dp_strdup(e->d_name);
    }
    if (status == DP_OK && errno) status = dp_err_sys(k->err, DP_IO, "can't read directory %s", dp_buf_z(&k->path));
    closedir(d);
    if (*n) qsort(v, *n, sizeof *v, by_name);
    *out = v;
    return status;
}

static enum dp_status walk(struct walking *k);

static enum dp_status walk_file(struct walking *k, size_t dir_n, const char *name, const struct stat *st) {
    if (k->wants_contracts) return lake_names_contract(name) ? take_contract(k, st) : DP_OK;
    const struct form *form = form_of(name);
    if (!form) return DP_OK;
    const char *path = dp_buf_z(&k->path);
    if (!is_part(k, name)) return tell_file(k, path, path, form, st);
    if (k->parts_known) return DP_OK;
    k->parts_known = true;
    size_t n = k->in_parts ? k->parts_path : dir_n;
    char *dir = dp_strndup(k->path.p, n);
    enum dp_status status = tell_file(k, dir, path, form, st);
    free(dir);
    return status;
}

static enum dp_status walk_dir(struct walking *k, size_t dir_n, const char *name) {
    bool in_parts = k->in_parts, known = k->parts_known;
    if (k->depth == DP_LIMIT_LAKE_DEPTH) return dp_err_set(k->err, DP_LIMIT, "%s: more than %u directories in each other", dp_buf_z(&k->path), DP_LIMIT_LAKE_DEPTH);
    if (!in_parts && strchr(name, '=')) k->in_parts = true, k->parts_path = dir_n;
    else if (!in_parts) k->parts_known = false;
    k->depth++;
    enum dp_status status = walk(k);
    k->depth--;
    if (!in_parts && !k->in_parts) k->parts_known = known;
    k->in_parts = in_parts;
    return status;
}

/* The directory whose path is k->path. */
static enum dp_status walk(struct walking *k) {
    char **names = NULL;
    size_t n = 0, dir_n = k->path.n;
    int fd = open(dir_n ? dp_buf_z(&k->path) : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC | (k->depth ? O_NOFOLLOW : 0));
    if (fd < 0) return dp_err_sys(k->err, DP_IO, "can't open directory %s", dp_buf_z(&k->path));
    enum dp_status status = list(k, fd, &names, &n);
    bool is_table = false;
    for (size_t i = 0; i < n; i++) is_table = is_table || !strcmp(names[i], "_delta_log");
    if (status == DP_OK && is_table && !k->wants_contracts) status = tell_table(k, dp_buf_z(&k->path));
    for (size_t i = 0; i < n && status == DP_OK && !is_table; i++) {
        struct stat st;
        if (dp_run_stopped(k->run, k->err)) {
            status = DP_SIGNALLED;
            break;
        }
        dp_buf_addc(&k->path, '/'), dp_buf_addz(&k->path, names[i]);
        if (lstat(dp_buf_z(&k->path), &st) == 0) {
            if (S_ISDIR(st.st_mode)) status = walk_dir(k, dir_n, names[i]);
            else if (S_ISREG(st.st_mode)) status = walk_file(k, dir_n, names[i], &st);
        }
        k->path.n = dir_n;
    }
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    return status;
}

enum dp_status dp_lake_walk(struct dp_run *run, const char *dir, dp_lake_fn fn, void *ctx, struct dp_err *err) {
    struct walking k = {.run = run, .fn = fn, .ctx = ctx, .err = err, .wants_contracts = true};
    char *real = realpath(dir, NULL);
    if (!real) return dp_err_sys(err, DP_IO, "can't open directory %s", dir);
    dp_buf_addz(&k.path, strcmp(real, "/") != 0 ? real : "");
    free(real);
    enum dp_status status = walk(&k);
    k.wants_contracts = false;
    if (status == DP_OK) status = walk(&k);
    lake_contracts_release(&k.contracts);
    dp_buf_release(&k.path);
    return status;
}

/*
 * Listing of _delta_log (digest section 1).  All names are read: on a local file system that costs less than the hint in _last_checkpoint saves,
 * and a hint may be stale or corrupt.
 */
#include <dp/delta/log.h>
#include <dp/base/file.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct part {
    int64_t version, of;
    int64_t no;
    char *name;
};

struct listing {
    struct dp_delta_log *log;
    size_t cap_commits, cap_checkpoints, cap_compactions;
    struct part *parts;
    size_t n_parts, cap_parts;
};

/* `digits` decimal digits at *s, which moves behind them. */
static bool take_digits(const char **s, int digits, int64_t *out) {
    int64_t v = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*s)[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, c - '0', &v)) return false;
    }
    *s += digits;
    *out = v;
    return true;
}

static bool is_uuid(const char *s, size_t n) {
    if (n != 36) return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f') || (s[i] >= 'A' && s[i] <= 'F');
        if (dash ? s[i] != '-' : !hex) return false;
    }
    return true;
}

static void add_checkpoint(struct listing *l, int64_t version, enum dp_delta_checkpoint_form form, const char *name) {
    struct dp_delta_log *log = l->log;
    log->checkpoints = dp_grow(log->checkpoints, &l->cap_checkpoints, log->n_checkpoints + 1, sizeof *log->checkpoints);
    struct dp_delta_checkpoint_ref *c = &log->checkpoints[log->n_checkpoints++];
    *c = (struct dp_delta_checkpoint_ref){.version = version, .form = form};
    if (!name) return;
    c->names = dp_alloc(sizeof *c->names);
    c->names[0] = dp_strdup(name);
    c->n_names = 1;
}

static void take_checkpoint(struct listing *l, int64_t version, const char *rest, const char *name) {
    int64_t no, of;
    const char *s = rest;
    if (!strcmp(rest, "parquet")) {
        add_checkpoint(l, version, DP_DELTA_CLASSIC, name);
    } else if (take_digits(&s, 10, &no) && *s++ == '.' && take_digits(&s, 10, &of) && !strcmp(s, ".parquet")) {
        l->parts = dp_grow(l->parts, &l->cap_parts, l->n_parts + 1, sizeof *l->parts);
        l->parts[l->n_parts++] = (struct part){version, of, no, dp_strdup(name)};
    } else {
        size_t n = strcspn(rest, ".");
        if (!is_uuid(rest, n)) return;
        if (!strcmp(rest + n, ".parquet")) add_checkpoint(l, version, DP_DELTA_UUID_PARQUET, name);
        else if (!strcmp(rest + n, ".json")) add_checkpoint(l, version, DP_DELTA_UUID_JSON, name);
    }
}

static void take_name(struct listing *l, const char *name) {
    struct dp_delta_log *log = l->log;
    int64_t version, to;
    const char *s = name;
    if (!take_digits(&s, 20, &version) || *s++ != '.') {
        if (!strcmp(name, "_staged_commits") || !strcmp(name, "_commits")) log->has_staged_commits = true;
        return;
    }
    if (!strcmp(s, "json")) {
        log->commits = dp_grow(log->commits, &l->cap_commits, log->n_commits + 1, sizeof *log->commits);
        log->commits[log->n_commits++] = version;
    } else if (!strncmp(s, "checkpoint.", 11)) {
        take_checkpoint(l, version, s + 11, name);
    } else if (take_digits(&s, 20, &to) && !strcmp(s, ".compacted.json") && to > version) {
        log->compactions = dp_grow(log->compactions, &l->cap_compactions, log->n_compactions + 1, sizeof *log->compactions);
        log->compactions[log->n_compactions++] = (struct dp_delta_compaction_ref){version, to, dp_strdup(name)};
    }
}

static int cmp_i64(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int cmp_part(const void *a, const void *b) {
    const struct part *x = a, *y = b;
    if (x->version != y->version) return x->version < y->version ? -1 : 1;
    if (x->of != y->of) return x->of < y->of ? -1 : 1;
    return (x->no > y->no) - (x->no < y->no);
}

static int cmp_checkpoint(const void *a, const void *b) {
    const struct dp_delta_checkpoint_ref *x = a, *y = b;
    if (x->version != y->version) return x->version < y->version ? -1 : 1;
    if (x->form != y->form) return x->form < y->form ? -1 : 1;
    return strcmp(x->names[0], y->names[0]);
}

static int cmp_compaction(const void *a, const void *b) {
    const struct dp_delta_compaction_ref *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->to < y->to) - (x->to > y->to);
}

/* Only sets of parts of which none is missing are a checkpoint. */
static void join_parts(struct listing *l) {
    if (l->n_parts) qsort(l->parts, l->n_parts, sizeof *l->parts, cmp_part);
    for (size_t i = 0; i < l->n_parts;) {
        size_t j = i;
        while (j < l->n_parts && l->parts[j].version == l->parts[i].version && l->parts[j].of == l->parts[i].of) j++;
        bool whole = l->parts[i].of > 0 && (uint64_t)l->parts[i].of == j - i;
        for (size_t k = i; k < j && whole; k++) whole = l->parts[k].no == (int64_t)(k - i) + 1;
        if (whole) {
            add_checkpoint(l, l->parts[i].version, DP_DELTA_MULTI_PART, NULL);
            struct dp_delta_checkpoint_ref *c = &l->log->checkpoints[l->log->n_checkpoints - 1];
            c->names = dp_calloc(j - i, sizeof *c->names);
            c->n_names = j - i;
            for (size_t k = i; k < j; k++) c->names[k - i] = l->parts[k].name, l->parts[k].name = NULL;
        }
        i = j;
    }
    for (size_t i = 0; i < l->n_parts; i++) free(l->parts[i].name);
    free(l->parts);
}

/*
 * A directory that is written to while it is read may show a newer entry and not an older one.  Entries are linked one behind the other, so what seems to be
 * missing in between is looked for by name.
 */
static void fill_gaps(struct listing *l) {
    enum { MAX_GAP = 4096 };
    struct dp_delta_log *log = l->log;
    size_t n = log->n_commits;
    char name[32];
    for (size_t i = 0; i + 1 < n; i++) {
        int64_t from = log->commits[i] + 1, to = log->commits[i + 1];
        for (int64_t v = from; v < to && to - from <= MAX_GAP; v++) {
            snprintf(name, sizeof name, "%020lld.json", (long long)v);
            char *path = dp_path_join(log->dir, name);
            if (access(path, F_OK) == 0) {
                log->commits = dp_grow(log->commits, &l->cap_commits, log->n_commits + 1, sizeof *log->commits);
                log->commits[log->n_commits++] = v;
            }
            free(path);
        }
    }
    if (log->n_commits > n) qsort(log->commits, log->n_commits, sizeof *log->commits, cmp_i64);
}

enum dp_status dp_delta_log_list(const char *table, struct dp_delta_log *log, struct dp_err *err) {
    memset(log, 0, sizeof *log);
    log->dir = dp_path_join(table, "_delta_log");
    DIR *d = opendir(log->dir);
    if (!d) {
        enum dp_status status = errno == ENOENT || errno == ENOTDIR ? dp_err_set(err, DP_IO, "%s is not a Delta table: it has no _delta_log", table)
                                                                    : dp_err_sys(err, DP_IO, "cannot list %s", log->dir);
        dp_delta_log_release(log);
        return status;
    }
    struct listing l = {.log = log};
    errno = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL; errno = 0) take_name(&l, e->d_name);
    int failed = errno;
    closedir(d);
    join_parts(&l);
    if (log->n_commits) qsort(log->commits, log->n_commits, sizeof *log->commits, cmp_i64);
    fill_gaps(&l);
    if (log->n_checkpoints) qsort(log->checkpoints, log->n_checkpoints, sizeof *log->checkpoints, cmp_checkpoint);
    if (log->n_compactions) qsort(log->compactions, log->n_compactions, sizeof *log->compactions, cmp_compaction);
    enum dp_status status = DP_OK;
    if (failed) {
        errno = failed;
        status = dp_err_sys(err, DP_IO, "cannot list %s", log->dir);
    } else if (!log->n_commits && !log->n_checkpoints) {
        status = dp_err_set(err, DP_IO, "%s is not a Delta table: its _delta_log holds neither commits nor checkpoints", table);
    }
    if (status != DP_OK) dp_delta_log_release(log);
    return status;
}

void dp_delta_log_release(struct dp_delta_log *log) {
    for (size_t i = 0; i < log->n_checkpoints; i++) {
        for (size_t k = 0; k < log->checkpoints[i].n_names; k++) free(log->checkpoints[i].names[k]);
        free(log->checkpoints[i].names);
    }
    for (size_t i = 0; i < log->n_compactions; i++) free(log->compactions[i].name);
    free(log->checkpoints);
    free(log->compactions);
    free(log->commits);
    free(log->dir);
    memset(log, 0, sizeof *log);
}

int64_t dp_delta_log_latest(const struct dp_delta_log *log) {
    int64_t v = log->n_commits ? log->commits[log->n_commits - 1] : -1;
    if (log->n_checkpoints && log->checkpoints[log->n_checkpoints - 1].version > v) v = log->checkpoints[log->n_checkpoints - 1].version;
    return v;
}

int64_t dp_delta_log_oldest(const struct dp_delta_log *log, int64_t latest) {
    int64_t from = latest + 1;
    for (size_t i = log->n_commits; i-- > 0;) {
        if (log->commits[i] > latest) continue;
        if (log->commits[i] != from - 1) break;
        from = log->commits[i];
    }
    if (from == 0) return 0;
    for (size_t i = 0; i < log->n_checkpoints; i++)
        if (log->checkpoints[i].version >= from - 1 && log->checkpoints[i].version <= latest) return log->checkpoints[i].version;
    return latest;
}

bool dp_delta_log_has_commit(const struct dp_delta_log *log, int64_t version) {
    return log->n_commits && bsearch(&version, log->commits, log->n_commits, sizeof *log->commits, cmp_i64);
}

bool dp_delta_is_table(const char *table) {
    struct dp_delta_log log;
    struct dp_err ignored = DP_ERR_INIT;
    if (dp_delta_log_list(table, &log, &ignored) != DP_OK) return false;
    dp_delta_log_release(&log);
    return true;
}

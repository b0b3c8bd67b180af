/*
 * Parquet files and Delta tables as batches (dp/io/typed.h): tables through dp/delta/scan.h, plain files by their own columns.
 * Does not test rows.
 */
#include <dp/io/typed.h>

#include <dp/delta/scan.h>
#include <dp/parquet/reader.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept { struct kept *next; struct dp_type *schema; };

/* A table that is being read. */
struct table { struct dp_delta_snapshot *snapshot; struct dp_delta_scan *scan; struct dp_delta_task *task; struct dp_delta_read *read; };

struct dp_typed {
    const char *const *names;
    size_t n_names, next_name;
    const struct dp_typed_opts *opts;
    const char *name;                   /* operand at hand */
    struct table table;                 /* scan NULL: none */
    struct dp_pq_file *file;            /* or a plain file, NULL: none */
    struct dp_pq_reader *reader;
    size_t group;                       /* its next row group */
    bool in_group;
    struct dp_type *schema;             /* of batches now */
    struct kept *kept;                  /* all schemas so far */
    struct dp_typed_counts counts;      /* of what is closed, and of plain files */
};

/* ---- names ---- */

static bool is_parquet(const char *name) {
    struct stat st;
    char head[4];
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool yes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, head, 4, 0) == 4 && (!memcmp(head, "PAR1", 4) || !memcmp(head, "PARE", 4));
    close(fd);
    return yes;
}

bool dp_typed_is(const char *name) { return dp_delta_is_table(name) || is_parquet(name); }

/* ---- what is read ---- */

struct picked { const char **v; size_t n, cap; };

static void pick(struct picked *p, const char *name) {
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->v[i], name)) return;
    p->v = dp_grow(p->v, &p->cap, p->n + 1, sizeof *p->v);
    p->v[p->n++] = name;
}

/* Names of the columns to read, out of those that `schema` has; none: all. */
static enum dp_status choose(const struct dp_typed *t, const struct dp_type *schema, struct picked *p, struct dp_err *err) {
    const struct dp_typed_opts *o = t->opts;
    for (size_t i = 0; o->columns && i < o->n_columns; i++) {
        if (!dp_type_child(schema, dp_str_z(o->columns[i]))) {
            const char *near = dp_type_nearest(schema, dp_str_z(o->columns[i]));
            dp_err_set(err, DP_SCHEMA, "no column %.200s%s%.100s%s", o->columns[i], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
            return dp_err_at(err, t->name, 0, DP_NO_OFFSET);
        }
        pick(p, o->columns[i]);
    }
    for (size_t i = 0; o->columns && i < o->n_extra; i++)
        if (dp_type_child(schema, dp_str_z(o->extra[i]))) pick(p, o->extra[i]);
    return DP_OK;
}

/* Batches may outlive the source that their schema came from. */
static void keep_schema(struct dp_typed *t, const struct dp_type *schema) {
    struct kept *k = dp_calloc(1, sizeof *k);
    k->schema = t->schema = dp_type_copy(schema);
    k->next = t->kept;
    t->kept = k;
}

static void close_task(struct table *b) {
    dp_delta_read_close(b->read);
    dp_delta_task_release(b->task);
    b->read = NULL;
    b->task = NULL;
}

static void close_source(struct dp_typed *t) {
    t->counts = dp_typed_counts(t);
    close_task(&t->table);
    dp_delta_scan_close(t->table.scan);
    dp_delta_close(t->table.snapshot);
    t->table = (struct table){0};
    dp_pq_reader_close(t->reader);
    dp_pq_close(t->file);
    t->reader = NULL;
    t->file = NULL;
    t->group = 0;
    t->in_group = false;
}

static enum dp_status open_table(struct dp_typed *t, struct dp_err *err) {
    struct picked p = {0};
    int64_t version = -1;
    if (t->opts->as_of) DP_TRY(dp_delta_as_of(t->name, dp_str_z(t->opts->as_of), &version, err));
    DP_TRY(dp_delta_open(t->name, version, &t->table.snapshot, err));
    enum dp_status status = choose(t, t->table.snapshot->schema, &p, err);
    if (status == DP_OK) status = dp_delta_scan_open(t->table.snapshot, t->opts->columns ? p.v : NULL, p.n, t->opts->where, &t->table.scan, err);
    if (status == DP_OK) keep_schema(t, dp_delta_scan_schema(t->table.scan));
    free(p.v);
    return status;
}

static enum dp_status open_file(struct dp_typed *t, struct dp_err *err) {
    struct picked p = {0};
    if (t->opts->as_of) return dp_err_set(err, DP_USAGE, "--as-of: %s is not a table", t->name);
    t->counts.files++;
    DP_TRY(dp_pq_open(t->name, &t->file, err));
    enum dp_status status = choose(t, dp_pq_schema(t->file), &p, err);
    if (status == DP_OK) status = dp_pq_reader_open(t->file, t->opts->columns ? p.v : NULL, p.n, &t->reader, err);
    if (status == DP_OK) keep_schema(t, dp_pq_reader_schema(t->reader));
    free(p.v);
    return status;
}

/* Makes the next operand current; DP_END: no more. */
static enum dp_status next_source(struct dp_typed *t, struct dp_err *err) {
    close_source(t);
    if (t->next_name == t->n_names) return DP_END;
    t->name = t->names[t->next_name++];
    return dp_delta_is_table(t->name) ? open_table(t, err) : open_file(t, err);
}

/* ---- batches ---- */

/* DP_END: the table is done. */
static enum dp_status next_of_table(struct table *s, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    for (;;) {
        if (!s->read) {
            DP_TRY(dp_delta_scan_next(s->scan, &s->task, err));
            DP_TRY(dp_delta_read_open(s->task, &s->read, err));
        }
        enum dp_status status = dp_delta_read_next(s->read, max_rows, b, err);
        if (status == DP_OK && b->length == 0) continue; /* all of them are deleted */
        if (status != DP_END) return status;
        close_task(s);
    }
}

/* Positions at the file's next row group that may hold rows; DP_END: the file is done. */
static enum dp_status next_group(struct dp_typed *t, struct dp_err *err) {
    for (; t->group < dp_pq_meta(t->file)->n_row_groups; t->counts.groups_skipped++) {
        size_t g = t->group++;
        t->counts.groups++;
        if (t->opts->where && dp_pq_skip(t->file, g, t->opts->where, NULL, NULL) == DP_NEVER) continue;
        t->in_group = true;
        return dp_pq_reader_seek(t->reader, g, err);
    }
    return DP_END;
}

static enum dp_status next_of_file(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    for (;;) {
        if (!t->in_group) DP_TRY(next_group(t, err));
        enum dp_status status = dp_pq_reader_next(t->reader, max_rows, b, err);
        if (status != DP_END) return status;
        t->in_group = false;
    }
}

enum dp_status dp_typed_next(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    for (;;) {
        if (t->table.scan || t->file) {
            if (b->schema != t->schema) {
                if (b->schema) dp_batch_release(b);
                dp_batch_init(b, t->schema);
            }
            enum dp_status status = t->file ? next_of_file(t, max_rows, b, err) : next_of_table(&t->table, max_rows, b, err);
            if (status != DP_END) return status;
        }
        DP_TRY(next_source(t, err));
    }
}

static enum dp_status skip_in_file(struct dp_typed *t, int64_t rows, int64_t *skipped) {
    *skipped = 0;
    for (; t->group < dp_pq_meta(t->file)->n_row_groups; t->group++) {
        int64_t n = dp_pq_meta(t->file)->row_groups[t->group].num_rows;
        if (n > rows - *skipped) return DP_OK;
        *skipped += n;
    }
    return DP_END;
}

enum dp_status dp_typed_skip(struct dp_typed *t, int64_t rows, int64_t *skipped, struct dp_err *err) {
    *skipped = 0;
    for (;;) {
        int64_t n = 0;
        enum dp_status status = t->file         ? skip_in_file(t, rows - *skipped, &n)
                                : t->table.scan ? dp_delta_scan_skip(t->table.scan, rows - *skipped, &n, err)
                                                : DP_END;
        *skipped += n;
        if (status == DP_END) status = next_source(t, err);
        else return status;
        if (status != DP_OK) return status == DP_END ? DP_OK : status;
    }
}

enum dp_status dp_typed_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_typed_opts *opts, struct dp_typed **out,
                             struct dp_err *err) {
    (void)run;
    (void)err;
    struct dp_typed *t = dp_calloc(1, sizeof *t);
    t->names = names;
    t->n_names = n;
    t->opts = opts;
    *out = t;
    return DP_OK;
}

void dp_typed_close(struct dp_typed *t) {
    if (!t) return;
    close_source(t);
    for (struct kept *k = t->kept, *next; k; k = next) {
        next = k->next;
        dp_type_free(k->schema);
        free(k);
    }
    free(t);
}

struct dp_typed_counts dp_typed_counts(const struct dp_typed *t) {
    struct dp_typed_counts n = t->counts;
    if (!t->table.scan) return n;
    struct dp_delta_scan_counts s = dp_delta_scan_counts(t->table.scan);
    return (struct dp_typed_counts){n.files + s.files, n.files_skipped + s.files_skipped, n.groups + s.groups, n.groups_skipped + s.groups_skipped};
}

bool dp_typed_key_value(const struct dp_typed *t, const char *key, struct dp_str *value) {
    const struct dp_pq_meta *m = t->file ? dp_pq_meta(t->file) : NULL;
    for (size_t i = 0; m && i < m->n_kv; i++) {
        if (!m->kv[i].has_value || !dp_str_eqz(m->kv[i].key, key)) continue;
        *value = m->kv[i].value;
        return true;
    }
    return false;
}

/*
 * Parquet files and Delta tables as batches (dp/io/typed.h): opening, skipping by statistics, a table's names and partition columns.
 * Does not apply deletion vectors and does not test rows.
 */
#include "typed_priv.h"

#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a column of a batch comes from. */
struct origin_column {
    int file_column;        /* of the reader's batch; -1: not in the file */
    bool widen;             /* the table's type is wider than the file's */
    struct dp_batch value;  /* partition column: one row */
};

struct kept { struct kept *next; struct dp_type *schema; };

struct dp_typed {
    struct dp_run *run;
    const char *const *names;
    size_t n_names, next_name;
    const struct dp_typed_opts *opts;
    const char *name;                   /* operand at hand */
    struct dp_delta_snapshot *table;    /* NULL: a plain file */
    size_t cursor;
    struct dp_pq_file *file;
    struct dp_pq_reader *reader;
    size_t group;                       /* next row group */
    bool in_group;
    struct dp_type *schema;             /* of batches now */
    struct kept *kept;                  /* all schemas so far */
    struct origin_column *columns;      /* table: by column of the batch */
    size_t n_columns;
    struct dp_batch raw;                /* table: what the reader gives */
    const struct dp_delta_file *add;
    struct dp_typed_counts counts;
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

static struct dp_str type_name(const struct dp_type *t) { return dp_str(t->name, t->name_n); }

static void rename_type(struct dp_type *t, struct dp_str name) {
    char *z = dp_strndup(name.p, name.n);
    free(t->name);
    t->name = z;
    t->name_n = name.n;
}

/* A data file's names to the table's: physical and logical are the same tree with the two kinds of names. */
static void to_logical(struct dp_type *t, const struct dp_type *physical, const struct dp_type *logical) {
    if (t->id != physical->id || logical->id != physical->id) return;
    for (size_t i = 0; i < t->n_children; i++) {
        struct dp_type *c = t->children[i];
        size_t k = i;
        if (t->id == DP_TYPE_STRUCT)
            for (k = 0; k < physical->n_children && !dp_str_eq(type_name(c), type_name(physical->children[k]));) k++;
        if (k >= physical->n_children) continue;
        to_logical(c, physical->children[k], logical->children[k]);
        if (t->id == DP_TYPE_STRUCT) rename_type(c, type_name(logical->children[k]));
    }
}

/* ---- what is read of a file ---- */

struct picked { const char **v; size_t n, cap; };

static void pick(struct picked *p, const char *name) {
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->v[i], name)) return;
    p->v = dp_grow(p->v, &p->cap, p->n + 1, sizeof *p->v);
    p->v[p->n++] = name;
}

/* Names of the columns of the output, out of those that `schema` has. */
static enum dp_status choose(const struct dp_typed *t, const struct dp_type *schema, struct picked *p, struct dp_err *err) {
    const struct dp_typed_opts *o = t->opts;
    if (!o->columns) {
        for (size_t i = 0; i < schema->n_children; i++) pick(p, schema->children[i]->name);
        return DP_OK;
    }
    for (size_t i = 0; i < o->n_columns; i++) {
        if (!dp_type_child(schema, dp_str_z(o->columns[i]))) {
            const char *near = dp_type_nearest(schema, dp_str_z(o->columns[i]));
            dp_err_set(err, DP_SCHEMA, "no column %.200s%s%.100s%s", o->columns[i], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
            return dp_err_at(err, t->name, 0, DP_NO_OFFSET);
        }
        pick(p, o->columns[i]);
    }
    for (size_t i = 0; i < o->n_extra; i++)
        if (dp_type_child(schema, dp_str_z(o->extra[i]))) pick(p, o->extra[i]);
    return DP_OK;
}

static void keep_schema(struct dp_typed *t, struct dp_type *schema) {
    struct kept *k = dp_calloc(1, sizeof *k);
    k->schema = t->schema = schema;
    k->next = t->kept;
    t->kept = k;
}

static void close_file(struct dp_typed *t) {
    for (size_t i = 0; i < t->n_columns; i++) dp_batch_release(&t->columns[i].value);
    free(t->columns);
    t->columns = NULL;
    t->n_columns = 0;
    if (t->raw.schema) dp_batch_release(&t->raw);
    memset(&t->raw, 0, sizeof t->raw);
    dp_pq_reader_close(t->reader);
    dp_pq_close(t->file);
    t->reader = NULL;
    t->file = NULL;
    t->group = 0;
    t->in_group = false;
}

static enum dp_status read_plain(struct dp_typed *t, struct dp_err *err) {
    struct picked p = {0};
    enum dp_status status = choose(t, dp_pq_schema(t->file), &p, err);
    if (status == DP_OK) status = dp_pq_reader_open(t->file, t->opts->columns ? p.v : NULL, p.n, &t->reader, err);
    if (status == DP_OK) keep_schema(t, dp_type_copy(dp_pq_reader_schema(t->reader)));
    free(p.v);
    return status;
}

/* The one row of a partition column's value. */
static enum dp_status partition_value(struct dp_typed *t, const struct dp_type *column, struct origin_column *out, struct dp_err *err) {
    const struct dp_delta_pairs *values = &t->add->partition_values;
    const struct dp_type *physical = t->table->physical->children[0];
    struct dp_str text = {NULL, 0};
    bool is_null = true;
    for (size_t i = 0; i < t->table->schema->n_children; i++)
        if (dp_str_eq(type_name(t->table->schema->children[i]), type_name(column))) physical = t->table->physical->children[i];
    for (size_t i = 0; i < values->n; i++)
        if (dp_str_eq(values->v[i].key, type_name(physical))) text = values->v[i].value, is_null = values->v[i].is_null;
    struct dp_type *one = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    one->nullable = false;
    dp_type_add(one, dp_type_copy(column));
    one->children[0]->nullable = true;
    struct kept *k = dp_calloc(1, sizeof *k); /* the batch borrows it */
    *k = (struct kept){t->kept, one};
    t->kept = k;
    dp_batch_init(&out->value, one);
    struct dp_buf json = {0};
    dp_buf_addc(&json, '{');
    dp_json_add_string(&json, type_name(column));
    dp_buf_addc(&json, ':');
    enum dp_status status = dp_delta_partition_json(column, text, is_null, &json, err);
    dp_buf_addc(&json, '}');
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_PORTABLE);
    struct dp_shred *shred = dp_shred_open(one, false);
    if (status == DP_OK) {
        struct dp_record r;
        struct dp_shred_reject why;
        dp_buf_reserve(&json, DP_SCAN_PAD);
        status = dp_scan_value(scan, json.p, json.n, &r, err);
        if (status == DP_OK && dp_shred_record(shred, &r, &out->value, &why) != DP_OK)
            status = dp_err_set(err, DP_FORMAT, "partition value of %.*s: %s", DP_STR_FMT(type_name(column)), why.reason);
    }
    dp_shred_close(shred);
    dp_scan_close(scan);
    dp_buf_release(&json);
    return status;
}

/* Column of the file that holds the table's column i, by name or, where the table is mapped by id, by id. */
static const struct dp_type *in_file(const struct dp_typed *t, size_t i) {
    const struct dp_type *file = dp_pq_schema(t->file), *want = t->table->physical->children[i];
    if (t->table->mapping == DP_DELTA_MAPPING_ID && want->field_id >= 0)
        for (size_t k = 0; k < file->n_children; k++)
            if (file->children[k]->field_id == want->field_id) return file->children[k];
    return dp_type_child(file, type_name(want));
}

static enum dp_status read_of_table(struct dp_typed *t, struct dp_err *err) {
    struct picked p = {0}, names = {0};
    const struct dp_type *logical = t->table->schema, *physical = t->table->physical;
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    schema->nullable = false;
    keep_schema(t, schema);
    enum dp_status status;
    DP_TRY_OUT(choose(t, logical, &p, err));
    t->columns = dp_calloc(p.n + 1, sizeof *t->columns);
    t->n_columns = p.n;
    for (size_t c = 0; c < p.n; c++) {
        size_t i = 0;
        while (!dp_str_eqz(type_name(logical->children[i]), p.v[c])) i++;
        struct origin_column *o = &t->columns[c];
        bool partition = dp_delta_is_partition(t->table, type_name(logical->children[i]));
        const struct dp_type *have = partition ? NULL : in_file(t, i);
        o->widen = have && dp_typed_widens(have, logical->children[i]);
        struct dp_type *type = dp_type_copy(have && !o->widen ? have : logical->children[i]);
        o->file_column = -1;
        if (have) {
            o->file_column = (int)names.n;
            pick(&names, have->name);
        }
        if (have && !o->widen) {
            to_logical(type, physical->children[i], logical->children[i]);
            rename_type(type, type_name(logical->children[i]));
        }
        dp_type_add(schema, type);
        if (!have) type->nullable = true;
        if (partition) DP_TRY_OUT(partition_value(t, logical->children[i], o, err));
    }
    DP_TRY_OUT(dp_pq_reader_open(t->file, names.v ? names.v : (const char *const[]){""}, names.n, &t->reader, err));
    dp_batch_init(&t->raw, dp_pq_reader_schema(t->reader));
out:
    free(p.v);
    free(names.v);
    return status;
}

/* ---- the next file ---- */

static enum dp_status open_table(struct dp_typed *t, struct dp_err *err) {
    int64_t version = -1;
    if (t->opts->as_of) DP_TRY(dp_delta_as_of(t->name, dp_str_z(t->opts->as_of), &version, err));
    t->cursor = 0;
    return dp_delta_open(t->name, version, &t->table, err);
}

static enum dp_status open_add(struct dp_typed *t, struct dp_err *err) {
    struct dp_buf path = {0};
    if (t->add->dv.storage.p)
        return dp_err_set(err, DP_UNSUPPORTED, "%s: file %.*s has a deletion vector, which is not supported", t->name, DP_STR_FMT(t->add->path));
    enum dp_status status = dp_delta_path_resolve(t->name, t->add->path, &path, err);
    if (status == DP_OK) status = dp_pq_open(dp_buf_z(&path), &t->file, err);
    if (status == DP_OK) status = read_of_table(t, err);
    dp_buf_release(&path);
    return status;
}

/* Makes the next file current; DP_END: no more. */
static enum dp_status next_file(struct dp_typed *t, struct dp_err *err) {
    close_file(t);
    for (;;) {
        if (t->table) {
            t->add = dp_delta_next_file(t->table, &t->cursor);
            if (!t->add) {
                dp_delta_close(t->table);
                t->table = NULL;
                continue;
            }
            t->counts.files++;
            if (t->opts->where && dp_delta_file_skip(t->table, t->add, t->opts->where) == DP_NEVER) {
                t->counts.files_skipped++;
                continue;
            }
            return open_add(t, err);
        }
        if (t->next_name == t->n_names) return DP_END;
        t->name = t->names[t->next_name++];
        if (dp_delta_is_table(t->name)) {
            DP_TRY(open_table(t, err));
            continue;
        }
        if (t->opts->as_of) return dp_err_set(err, DP_USAGE, "--as-of: %s is not a table", t->name);
        t->counts.files++;
        DP_TRY(dp_pq_open(t->name, &t->file, err));
        return read_plain(t, err);
    }
}

/* ---- passing over row groups ---- */

struct asked {
    struct dp_typed *t;
    size_t group;
    struct dp_buf *texts; /* kept until the question is answered */
    size_t n, cap;
};

static enum dp_kind bounds_kind(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP: return DP_KIND_STRING;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32:
    case DP_TYPE_UINT64: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: return DP_KIND_NUMBER;
    default: return DP_KIND_NONE;
    }
}

/* Leaf of a top-level column that is no group; -1: none. */
static int find_leaf(const struct dp_pq_meta *m, struct dp_str name) {
    for (size_t i = 0; i < m->n_leaves; i++) {
        const struct dp_pq_element *e = &m->elements[m->leaves[i]];
        if (e->parent == 0 && dp_str_eq(e->name, name)) return (int)i;
    }
    return -1;
}

static bool group_bounds(void *ctx, struct dp_str field, struct dp_expr_bounds *out) {
    struct asked *a = ctx;
    const struct dp_pq_meta *m = dp_pq_meta(a->t->file);
    const struct dp_type *schema = dp_pq_schema(a->t->file);
    *out = (struct dp_expr_bounds){.nulls = -1, .rows = m->row_groups[a->group].num_rows};
    if (a->t->table) {
        size_t i = 0;
        while (i < a->t->table->schema->n_children && !dp_str_eq(type_name(a->t->table->schema->children[i]), field)) i++;
        if (i == a->t->table->schema->n_children) return false;
        const struct dp_type *have = in_file(a->t, i);
        if (!have) return false;
        field = type_name(have);
    }
    const struct dp_type *type = dp_type_child(schema, field);
    int leaf = find_leaf(m, field);
    if (!type || leaf < 0 || bounds_kind(type) == DP_KIND_NONE) return false;
    a->texts = dp_grow(a->texts, &a->cap, a->n + 2, sizeof *a->texts);
    struct dp_buf *min = &a->texts[a->n], *max = min + 1;
    memset(min, 0, 2 * sizeof *min);
    a->n += 2;
    bool both = dp_pq_bounds(m, a->group, (size_t)leaf, min, max, &out->nulls);
    out->known = both || out->nulls >= 0;
    /* may_nan stays false: a float chunk has bounds only where its NaN count is 0 and they are finite (dp_pq_bounds) */
    if (both) out->kind = bounds_kind(type), out->min = dp_buf_str(min), out->max = dp_buf_str(max);
    return out->known;
}

static bool can_skip(struct dp_typed *t, size_t group) {
    if (!t->opts->where) return false;
    struct asked a = {.t = t, .group = group};
    bool never = dp_expr_skip(t->opts->where, group_bounds, &a) == DP_NEVER;
    for (size_t i = 0; i < a.n; i++) dp_buf_release(&a.texts[i]);
    free(a.texts);
    return never;
}

/* Positions at the next row group that may hold rows; DP_END: no more anywhere. */
static enum dp_status next_group(struct dp_typed *t, struct dp_err *err) {
    for (;;) {
        if (!t->file || t->group == dp_pq_meta(t->file)->n_row_groups) {
            DP_TRY(next_file(t, err));
            continue;
        }
        size_t g = t->group++;
        t->counts.groups++;
        if (can_skip(t, g)) {
            t->counts.groups_skipped++;
            continue;
        }
        DP_TRY(dp_pq_reader_seek(t->reader, g, err));
        t->in_group = true;
        return DP_OK;
    }
}

/* ---- batches ---- */

static void retype(struct dp_column *c, const struct dp_type *t) {
    c->type = t;
    for (size_t i = 0; i < c->n_children; i++) retype(&c->children[i], t->children[i]);
}

/* The reader's columns, partition values and nulls side by side in b. */
static enum dp_status to_table_rows(struct dp_typed *t, struct dp_batch *b, struct dp_err *err) {
    enum dp_status status = DP_OK;
    int64_t rows = t->raw.length;
    const struct dp_type *raw_types = t->raw.schema;
    uint32_t *zeros = NULL;
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct origin_column *o = &t->columns[i];
        struct dp_column *to = &b->columns[i];
        if (o->widen) {
            if (status == DP_OK) status = dp_typed_widen(&t->raw.columns[o->file_column], to, err);
        } else if (o->file_column >= 0) {
            struct dp_column swap = *to, *from = &t->raw.columns[o->file_column];
            *to = *from;
            *from = swap;
            retype(to, t->schema->children[i]);
            retype(from, raw_types->children[o->file_column]);
        } else if (o->value.schema) {
            struct dp_batch one = {.schema = o->value.schema, .columns = to, .n_columns = 1};
            if (!zeros) zeros = dp_calloc((size_t)rows + 1, sizeof *zeros);
            dp_batch_gather(&one, &o->value, zeros, (size_t)rows);
        } else {
            for (int64_t k = 0; k < rows; k++) dp_column_append_null(to);
        }
    }
    free(zeros);
    b->length = rows;
    return status;
}

enum dp_status dp_typed_next(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    for (;;) {
        if (!t->in_group) DP_TRY(next_group(t, err));
        if (b->schema != t->schema) {
            if (b->schema) dp_batch_release(b);
            dp_batch_init(b, t->schema);
        }
        if (t->columns) dp_batch_reset(b);
        enum dp_status status = dp_pq_reader_next(t->reader, max_rows, t->columns ? &t->raw : b, err);
        if (status == DP_OK && t->columns) status = to_table_rows(t, b, err);
        if (status != DP_END) return status;
        t->in_group = false;
    }
}

enum dp_status dp_typed_skip(struct dp_typed *t, int64_t rows, int64_t *skipped, struct dp_err *err) {
    *skipped = 0;
    for (;;) {
        if (!t->file || t->group == dp_pq_meta(t->file)->n_row_groups) {
            enum dp_status status = next_file(t, err);
            if (status != DP_OK) return status == DP_END ? DP_OK : status;
            continue;
        }
        int64_t n = dp_pq_meta(t->file)->row_groups[t->group].num_rows;
        if (n > rows - *skipped) return DP_OK;
        *skipped += n;
        t->group++;
    }
}

enum dp_status dp_typed_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_typed_opts *opts, struct dp_typed **out,
                             struct dp_err *err) {
    (void)err;
    struct dp_typed *t = dp_calloc(1, sizeof *t);
    t->run = run;
    t->names = names;
    t->n_names = n;
    t->opts = opts;
    *out = t;
    return DP_OK;
}

void dp_typed_close(struct dp_typed *t) {
    if (!t) return;
    close_file(t);
    dp_delta_close(t->table);
    for (struct kept *k = t->kept, *next; k; k = next) {
        next = k->next;
        dp_type_free(k->schema);
        free(k);
    }
    free(t);
}

struct dp_typed_counts dp_typed_counts(const struct dp_typed *t) { return t->counts; }

/*
 * Sets of files whose schemas differ (dp/io/evolve.h): what they have together, and each one's batches as the set's.
 * Schemas are joined in the order of the names.  What it does not do: rename columns (a field id that moved to another name is another column).
 */
#include <dp/io/evolve.h>

#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>
#include <dp/record/cast.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the schema of a set ---- */

/* A named pipe is not opened: whoever writes to it would lose its reader when we close it. */
static bool is_parquet(const char *name) {
    struct stat st;
    int fd = stat(name, &st) == 0 && S_ISREG(st.st_mode) ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0) return false;
    bool yes = dp_pq_is(fd);
    close(fd);
    return yes;
}

bool dp_typed_is(const char *name) { return dp_delta_is_table(name) || is_parquet(name); }

static enum dp_status schema_of(const char *name, const char *as_of, struct dp_type **out, struct dp_err *err) {
    if (dp_delta_is_table(name)) {
        struct dp_delta_snapshot *s;
        int64_t version = -1;
        if (as_of) DP_TRY(dp_delta_as_of(name, dp_str_z(as_of), &version, err));
        DP_TRY(dp_delta_open(name, version, &s, err));
        *out = dp_delta_schema_unfit(s->schema);
        dp_delta_close(s);
        return DP_OK;
    }
    struct dp_pq_file *f;
    enum dp_status status = dp_pq_open(name, &f, err);
    if (status != DP_OK) return dp_err_at(err, name, 0, DP_NO_OFFSET);
    *out = dp_type_copy(dp_pq_schema(f));
    dp_pq_close(f);
    return DP_OK;
}

struct set {
    const char *const *names;
    const char *as_of;
    struct dp_type *schema, *last; /* of all so far; of the one before */
};

/* Which source before number `at` is it that has the other type?  They are read again: nothing is kept of each. */
static enum dp_status conflict(const struct set *s, size_t at, const struct dp_type *one, struct dp_cast_clash *joined, struct dp_err *err) {
    for (size_t i = 0; i < at; i++) {
        struct dp_cast_clash clash = {0};
        struct dp_type *other = NULL, *both = NULL;
        if (!dp_typed_is(s->names[i]) || schema_of(s->names[i], s->as_of, &other, NULL) != DP_OK) continue;
        both = dp_cast_common(other, one, &clash);
        bool found = !both;
        if (found)
            dp_err_set(err, DP_SCHEMA, "column %.100s: %.120s has %.60s, %.120s has %.60s, and no type holds both", dp_buf_z(&clash.path), s->names[i], dp_buf_z(&clash.a),
                       s->names[at], dp_buf_z(&clash.b));
        dp_type_free(both);
        dp_type_free(other);
        dp_cast_clash_release(&clash);
        if (found) return DP_SCHEMA;
    }
    return dp_err_set(err, DP_SCHEMA, "column %.100s: the files from %.120s on have %.60s together, %.120s has %.60s, and no type holds both", dp_buf_z(&joined->path), s->names[0],
                      dp_buf_z(&joined->a), s->names[at], dp_buf_z(&joined->b));
}

/* Takes `one` over. */
static enum dp_status join(struct set *s, size_t at, struct dp_type *one, struct dp_err *err) {
    if (!s->schema) {
        s->schema = dp_type_copy(one);
    } else if (!s->last || !dp_type_equal(s->last, one)) {
        struct dp_cast_clash clash = {0};
        struct dp_type *both = dp_cast_common(s->schema, one, &clash);
        enum dp_status status = both ? DP_OK : conflict(s, at, one, &clash, err);
        dp_cast_clash_release(&clash);
        if (status != DP_OK) return dp_type_free(one), status;
        dp_type_free(s->schema);
        s->schema = both;
    }
    dp_type_free(s->last);
    s->last = one;
    return DP_OK;
}

enum dp_status dp_evolve_schema(const struct dp_run *run, const char *const *names, size_t n, const char *as_of, bool readable_only,
                                struct dp_type **schema, struct dp_err *err) {
    struct set s = {.names = names, .as_of = as_of, .schema = *schema ? dp_type_copy(*schema) : NULL};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        struct dp_type *one;
        if (run && dp_run_stopped(run, err)) status = DP_SIGNALLED;
        if (status != DP_OK || !dp_typed_is(names[i])) continue;
        status = schema_of(names[i], as_of, &one, err);
        if (status != DP_OK && readable_only) status = DP_OK;
        else if (status == DP_OK) status = join(&s, i, one, err);
    }
    dp_type_free(s.last);
    struct dp_type *drop = status == DP_OK ? *schema : s.schema;
    if (status == DP_OK) *schema = s.schema;
    dp_type_free(drop);
    return status;
}

static bool add_once(struct dp_type *out, const struct dp_type *schema, const char *name) {
    const struct dp_type *c = dp_type_child(schema, dp_str_z(name));
    if (c && !dp_type_child(out, dp_str_z(name))) dp_type_add(out, dp_type_copy(c));
    return c != NULL;
}

enum dp_status dp_evolve_choose(const struct dp_type *schema, const char *const *columns, size_t n, const char *const *extra, size_t n_extra, struct dp_type **out,
                                struct dp_err *err) {
    *out = NULL;
    if (!columns) return *out = dp_type_copy(schema), DP_OK;
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    t->nullable = false;
    for (size_t i = 0; i < n; i++) {
        if (add_once(t, schema, columns[i])) continue;
        const char *near = dp_type_nearest(schema, dp_str_z(columns[i]));
        dp_type_free(t);
        return dp_err_set(err, DP_SCHEMA, "no column %.200s%s%.100s%s", columns[i], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    for (size_t i = 0; i < n_extra; i++) (void)add_once(t, schema, extra[i]);
    return *out = t, DP_OK;
}

bool dp_evolve_covers(const struct dp_type *schema, const struct dp_type *source) {
    if (!dp_type_is_nested(schema) || schema->id != source->id) return dp_cast_widens(schema, source);
    for (size_t i = 0; i < source->n_children; i++) {
        const struct dp_type *c = source->children[i];
        const struct dp_type *in = schema->id == DP_TYPE_STRUCT ? dp_type_child(schema, dp_str(c->name, c->name_n)) : i < schema->n_children ? schema->children[i] : NULL;
        if (!in || !dp_evolve_covers(in, c)) return false;
    }
    return true;
}

/* ---- one source of it ---- */

/* The same but for nullability: batches of both look alike. */
static bool is_alike(const struct dp_type *a, const struct dp_type *b) {
    if (a->id != b->id || a->n_children != b->n_children || a->utc != b->utc || a->unit != b->unit || a->precision != b->precision || a->scale != b->scale || a->width != b->width)
        return false;
    for (size_t i = 0; i < a->n_children; i++) {
        const struct dp_type *x = a->children[i], *y = b->children[i];
        bool named = a->id == DP_TYPE_STRUCT && (x->name_n != y->name_n || memcmp(x->name, y->name, x->name_n));
        if (named || !is_alike(x, y)) return false;
    }
    return true;
}

static int find(const struct dp_type *in, const struct dp_type *column) {
    for (size_t i = 0; i < in->n_children; i++)
        if (in->children[i]->name_n == column->name_n && !memcmp(in->children[i]->name, column->name, column->name_n)) return (int)i;
    return -1;
}

void dp_evolve_open(struct dp_evolve *e, const struct dp_type *schema, const struct dp_type *source) {
    *e = (struct dp_evolve){.schema = schema, .plain = true, .whole = schema->n_children == source->n_children};
    e->names = dp_calloc(schema->n_children + 1, sizeof *e->names);
    e->at = dp_calloc(schema->n_children + 1, sizeof *e->at);
    for (size_t i = 0; i < schema->n_children; i++) {
        bool same_place = i < source->n_children && source->children[i]->name_n == schema->children[i]->name_n &&
                          !memcmp(source->children[i]->name, schema->children[i]->name, schema->children[i]->name_n);
        int at = same_place ? (int)i : find(source, schema->children[i]);
        e->at[i] = at < 0 ? -1 : (int)e->n_names;
        e->plain = e->plain && at >= 0 && is_alike(schema->children[i], source->children[at]);
        e->whole = e->whole && same_place;
        if (at >= 0) e->names[e->n_names++] = source->children[at]->name;
    }
}

void dp_evolve_release(struct dp_evolve *e) {
    if (e->raw.schema) dp_batch_release(&e->raw);
    free(e->names);
    free(e->at);
    *e = (struct dp_evolve){0};
}

struct dp_batch *dp_evolve_target(struct dp_evolve *e, const struct dp_type *reader, struct dp_batch *b) {
    if (e->plain) return b;
    if (!e->raw.schema) dp_batch_init(&e->raw, reader);
    return &e->raw;
}

enum dp_status dp_evolve_batch(struct dp_evolve *e, struct dp_batch *b, struct dp_err *err) {
    static const struct dp_cast_rules rules = {0};
    if (e->plain) return DP_OK;
    dp_batch_reset(b);
    for (size_t i = 0; i < b->n_columns; i++) {
        if (e->at[i] < 0) dp_column_append_nulls(&b->columns[i], e->raw.length);
        else DP_TRY(dp_cast_column(&rules, &b->columns[i], NULL, &e->raw.columns[e->at[i]], err));
    }
    b->length = e->raw.length;
    return DP_OK;
}

bool dp_evolve_keeps_bounds(const struct dp_type *to, const struct dp_type *from) {
    if (!dp_type_is_nested(to)) return dp_cast_keeps_bounds(to, from);
    if (to->id != from->id) return false;
    for (size_t i = 0; i < from->n_children; i++) {
        int at = to->id == DP_TYPE_STRUCT ? find(to, from->children[i]) : i < to->n_children ? (int)i : -1;
        if (at >= 0 && !dp_evolve_keeps_bounds(to->children[at], from->children[i])) return false;
    }
    return true;
}

const struct dp_type *dp_evolve_bounded(const struct dp_type *schema, const struct dp_type *source, const struct dp_str *path, size_t n) {
    static const struct dp_type none = {.id = DP_TYPE_NONE};
    const struct dp_type *from = source, *to = schema;
    for (size_t i = 0; i < n; i++) {
        if (from->id != DP_TYPE_STRUCT || (to && to->id != DP_TYPE_STRUCT)) return NULL;
        from = dp_type_child(from, path[i]);
        to = to ? dp_type_child(to, path[i]) : NULL;
        if (!from) return &none;
    }
    return !to || dp_evolve_keeps_bounds(to, from) ? from : NULL;
}

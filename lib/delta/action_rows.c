/*
 * Rows of a Parquet checkpoint as actions (digest section 6), column by column, by the tables of fields in action.c.
 * What it does not do: open files (load.c), or decide which action wins (snapshot.c).
 */
#include "action_priv.h"
#include <stdlib.h>

#define MAX_FIELDS 16 /* of an action */

/* An action whose column is in the file: the children that are fields of it, in the order of the table. */
struct bound {
    const struct delta_action_form *form;
    size_t column;
    size_t n;
    struct {
        const struct delta_field *field;
        size_t child;
    } v[MAX_FIELDS];
    const char *missing; /* a required field that is no column */
};

struct delta_rows {
    struct bound *actions;
    size_t n;
};

static size_t child_number(const struct dp_type *t, const char *name) {
    size_t i = 0;
    while (i < t->n_children && !dp_str_eqz(dp_str(t->children[i]->name, t->children[i]->name_n), name)) i++;
    return i;
}

static void bind(struct bound *b, const struct dp_type *t, unsigned without) {
    for (const struct delta_field *f = b->form->fields; f->name; f++) {
        size_t child = child_number(t, f->name);
        if (without & DP_DELTA_NO_STATS && f->flags & F_STATS) continue;
        if (child == t->n_children) {
            if (f->flags & F_REQUIRED && !b->missing) b->missing = f->name;
            continue;
        }
        b->v[b->n].field = f;
        b->v[b->n++].child = child;
    }
}

struct delta_rows *delta_rows_open(const struct dp_type *schema, unsigned without) {
    struct delta_rows *r = dp_calloc(1, sizeof *r);
    r->actions = dp_calloc(schema->n_children + 1, sizeof *r->actions);
    for (const struct delta_action_form *a = delta_actions; a->name; a++) {
        size_t column = child_number(schema, a->name);
        if (!a->fields || column == schema->n_children || schema->children[column]->id != DP_TYPE_STRUCT) continue;
        struct bound *b = &r->actions[r->n++];
        b->form = a;
        b->column = column;
        bind(b, schema->children[column], without);
    }
    return r;
}

void delta_rows_close(struct delta_rows *r) {
    if (!r) return;
    free(r->actions);
    free(r);
}

static struct dp_str bytes_at(const struct dp_column *c, int64_t row) {
    return dp_str((const char *)c->data + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row]));
}

static enum dp_status read_text(const char *name, const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_str *out, struct dp_err *err) {
    if (!dp_type_is_bytes(c->type)) return delta_wrong_kind(name, "a string", err);
    *out = dp_arena_str(arena, bytes_at(c, row));
    return DP_OK;
}

static enum dp_status read_long(const char *name, const struct dp_column *c, int64_t row, int64_t *out, struct dp_err *err) {
    size_t i = (size_t)row;
    int32_t v32;
    int16_t v16;
    switch (c->type->id) {
    case DP_TYPE_INT64: memcpy(out, c->data + 8 * i, 8); return DP_OK;
    case DP_TYPE_INT32: memcpy(&v32, c->data + 4 * i, 4); *out = v32; return DP_OK;
    case DP_TYPE_INT16: memcpy(&v16, c->data + 2 * i, 2); *out = v16; return DP_OK;
    case DP_TYPE_INT8: *out = ((const int8_t *)c->data)[i]; return DP_OK;
    default: return delta_wrong_kind(name, "a 64-bit integer", err);
    }
}

static enum dp_status read_pairs(const char *name, const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_delta_pairs *out,
                                 struct dp_err *err) {
    if (c->type->id != DP_TYPE_MAP || !dp_type_is_bytes(c->type->children[0]) || !dp_type_is_bytes(c->type->children[1]))
        return delta_wrong_kind(name, "a map of strings", err);
    int32_t from = c->offsets[row], to = c->offsets[row + 1];
    out->v = dp_arena_calloc(arena, (size_t)(to - from) + 1, sizeof *out->v);
    out->n = (size_t)(to - from);
    for (int32_t i = from; i < to; i++) {
        struct dp_delta_pair *p = &out->v[i - from];
        p->key = dp_arena_str(arena, bytes_at(&c->children[0], i));
        p->is_null = !dp_column_is_valid(&c->children[1], i);
        if (!p->is_null) p->value = dp_arena_str(arena, bytes_at(&c->children[1], i));
    }
    return DP_OK;
}

static enum dp_status read_list(const char *name, const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_delta_strs *out,
                                struct dp_err *err) {
    if (c->type->id != DP_TYPE_LIST || !dp_type_is_bytes(c->type->children[0])) return delta_wrong_kind(name, "an array of strings", err);
    int32_t from = c->offsets[row], to = c->offsets[row + 1];
    *out = (struct dp_delta_strs){dp_arena_calloc(arena, (size_t)(to - from) + 1, sizeof *out->v), (size_t)(to - from), true};
    for (int32_t i = from; i < to; i++) {
        if (!dp_column_is_valid(&c->children[0], i)) return delta_wrong_kind(name, "an array of strings", err);
        out->v[i - from] = dp_arena_str(arena, bytes_at(&c->children[0], i));
    }
    return DP_OK;
}

/* The valid child of a struct; NULL when there is none. */
static const struct dp_column *child_at(const struct dp_column *c, const char *name, int64_t row) {
    size_t i = child_number(c->type, name);
    return i < c->n_children && dp_column_is_valid(&c->children[i], row) ? &c->children[i] : NULL;
}

static enum dp_status read_format(const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_delta_metadata *m, struct dp_err *err) {
    const struct dp_column *provider = c->type->id == DP_TYPE_STRUCT ? child_at(c, "provider", row) : NULL;
    const struct dp_column *options = provider ? child_at(c, "options", row) : NULL;
    if (!provider) return delta_wrong_kind("format.provider", "a string", err);
    DP_TRY(read_text("format.provider", provider, row, arena, &m->provider, err));
    return options ? read_pairs("format.options", options, row, arena, &m->options, err) : DP_OK;
}

/* A struct column that is there with nothing in it is no deletion vector. */
static enum dp_status read_dv(const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_delta_dv *dv, struct dp_err *err) {
    if (c->type->id != DP_TYPE_STRUCT) return delta_wrong_kind("deletionVector", "an object", err);
    if (!child_at(c, "storageType", row)) return DP_OK;
    for (const struct delta_field *f = delta_dv_fields; f->name; f++) {
        const struct dp_column *child = child_at(c, f->name, row);
        void *to = (char *)dv + f->off;
        if (!child && f->flags & F_REQUIRED) return dp_err_set(err, DP_FORMAT, "%s is missing", f->name);
        if (!child) continue;
        if (f->kind == F_TEXT) DP_TRY(read_text(f->name, child, row, arena, to, err));
        else DP_TRY(read_long(f->name, child, row, to, err));
    }
    return DP_OK;
}

/* Statistics of which only the struct is there. */
static void read_raw(const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_str *out) {
    struct dp_buf b = {0};
    dp_column_print(c, row, NULL, &b);
    *out = dp_arena_str(arena, dp_buf_str(&b));
    dp_buf_release(&b);
}

static enum dp_status read_field(const struct delta_field *f, const struct dp_column *c, int64_t row, struct dp_arena *arena, void *base, struct dp_err *err) {
    void *to = (char *)base + f->off;
    switch ((enum delta_field_kind)f->kind) {
    case F_TEXT: return read_text(f->name, c, row, arena, to, err);
    case F_LONG: return read_long(f->name, c, row, to, err);
    case F_BOOL:
        if (c->type->id != DP_TYPE_BOOLEAN) return delta_wrong_kind(f->name, "a boolean", err);
        *(bool *)to = c->data[row >> 3] >> (row & 7) & 1;
        return DP_OK;
    case F_PAIRS: return read_pairs(f->name, c, row, arena, to, err);
    case F_LIST: return read_list(f->name, c, row, arena, to, err);
    case F_DV: return read_dv(c, row, arena, to, err);
    case F_FORMAT: return read_format(c, row, arena, base, err);
    case F_RAW:
        if (!((const struct dp_delta_file *)base)->stats.n) read_raw(c, row, arena, to);
        return DP_OK;
    }
    return dp_err_set(err, DP_BUG, "unknown kind of field");
}

/* Is there an action in this row?  Some writers make structs that are there with nothing in them. */
static bool has_content(const struct bound *b, const struct dp_column *c, int64_t row) {
    if (!dp_column_is_valid(c, row)) return false;
    if (b->n && b->v[0].field == b->form->fields) return dp_column_is_valid(&c->children[b->v[0].child], row);
    for (size_t i = 0; i < c->n_children; i++)
        if (dp_column_is_valid(&c->children[i], row)) return true;
    return false;
}

static enum dp_status read_action(const struct bound *b, const struct dp_column *c, int64_t row, struct dp_arena *arena, struct dp_delta_action *out,
                                  struct dp_err *err) {
    if (b->missing) return dp_err_set(err, DP_FORMAT, "%s: %s is missing", b->form->name, b->missing);
    delta_action_init(b->form->kind, out);
    for (size_t i = 0; i < b->n; i++) {
        const struct delta_field *f = b->v[i].field;
        const struct dp_column *child = &c->children[b->v[i].child];
        enum dp_status status = DP_OK;
        if (dp_column_is_valid(child, row)) status = read_field(f, child, row, arena, &out->u, err);
        else if (f->flags & F_REQUIRED) status = dp_err_set(err, DP_FORMAT, "%s is missing", f->name);
        if (status != DP_OK) return dp_err_prefix(err, "%s: ", b->form->name);
    }
    return DP_OK;
}

enum dp_status delta_rows_each(const struct delta_rows *r, const struct dp_batch *batch, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx,
                               struct dp_err *err) {
    struct dp_delta_action action;
    for (int64_t row = 0; row < batch->length; row++) {
        action.kind = DP_DELTA_NONE;
        for (size_t i = 0; i < r->n; i++) {
            const struct bound *b = &r->actions[i];
            const struct dp_column *c = &batch->columns[b->column];
            if (!has_content(b, c, row)) continue;
            if (action.kind != DP_DELTA_NONE) return dp_err_set(err, DP_FORMAT, "two actions in one row");
            DP_TRY(read_action(b, c, row, arena, &action, err));
        }
        if (action.kind != DP_DELTA_NONE) DP_TRY(fn(ctx, &action, err));
    }
    return DP_OK;
}

/*
 * Columns of a batch to what a column chunk holds: definition and repetition levels and the dense array of present values in their physical
 * form (spec: Parquet Nested Encoding; LogicalTypes).  Flat columns take a short way; nested ones go down one node of the path at a time.
 */
#include "enc_priv.h"

static void *room(struct dp_buf *b, size_t n) {
    dp_buf_reset(b);
    return dp_buf_reserve(b, n ? n : 1);
}

/* ---- levels ---- */

struct entries {
    size_t n;
    uint8_t *def, *rep;
    int32_t *index; /* row in the column at hand; -1: the entry ended above */
};

static enum dp_status null_in_required(const struct dp_pq_node *node, struct dp_err *err) {
    return dp_err_set(err, DP_SCHEMA, "column %.*s is required and has a null", DP_STR_FMT(dp_str(node->type->name, node->type->name_n)));
}

/* All that are still there have a value: whole blocks are one store when none of theirs ended above. */
static void mark_present(struct entries *x, uint8_t def) {
    size_t i = 0;
    for (; i + 8 <= x->n; i += 8) {
        int32_t row[8], ended = 0;
        memcpy(row, x->index + i, sizeof row);
        for (size_t k = 0; k < 8; k++) ended |= row[k];
        if (ended >= 0) memset(x->def + i, def, 8);
        else
            for (size_t k = 0; k < 8; k++) x->def[i + k] = row[k] < 0 ? x->def[i + k] : def;
    }
    for (; i < x->n; i++) x->def[i] = x->index[i] < 0 ? x->def[i] : def;
}

/* Marks which entries are present at this node.  No branches on what is there: nulls come as they like. */
static enum dp_status apply_validity(struct entries *x, const struct dp_column *c, const struct dp_pq_node *node, struct dp_err *err) {
    bool none = node->type->id == DP_TYPE_NONE, nullable = node->type->nullable || none;
    uint8_t def = (uint8_t)node->def;
    int32_t missing = 0;
    if (!none && !c->validity) {
        mark_present(x, def);
        return DP_OK;
    }
    if (c->length == 0) return DP_OK; /* all entries ended above */
    for (size_t i = 0; i < x->n; i++) {
        int32_t row = x->index[i], here = row >= 0, at = here ? row : 0, valid = none ? 0 : here & c->validity[at >> 3] >> (at & 7);
        missing |= here & ~valid;
        x->def[i] = valid ? def : x->def[i];
        x->index[i] = valid ? row : -1;
    }
    return missing && !nullable ? null_in_required(node, err) : DP_OK;
}

#define AT_ONCE 8 /* entries that are laid down together, whether they are all needed or not: lists are short */

/* Each present list or map becomes its entries; `out` has room for AT_ONCE more. */
static void expand(struct entries *x, const struct dp_column *c, const struct dp_pq_node *node, struct entries *out) {
    const int32_t *offsets = c->offsets;
    uint8_t def = (uint8_t)node->entry_def, *defs = out->def, *reps = out->rep;
    int32_t *index = out->index;
    uint64_t all_def = def * UINT64_C(0x0101010101010101), all_rep = (uint64_t)node->entry_rep * UINT64_C(0x0101010101010101);
    size_t k = 0;
    for (size_t i = 0; i < x->n; i++) {
        int32_t row = x->index[i], from = row < 0 ? 0 : offsets[row], n = row < 0 ? 0 : offsets[row + 1] - from, done = 0;
        size_t first = k;
        do {
            memcpy(defs + k, &all_def, AT_ONCE);
            memcpy(reps + k, &all_rep, AT_ONCE);
            for (int32_t j = 0; j < AT_ONCE; j++) index[k + (size_t)j] = from + done + j;
            done += AT_ONCE;
            k += AT_ONCE;
        } while (done < n);
        defs[first] = n ? def : x->def[i];
        reps[first] = x->rep[i];
        index[first] = n ? from : -1;
        k = first + (n ? (size_t)n : 1);
    }
    out->n = k;
}

static size_t expanded_size(const struct entries *x, const struct dp_column *c) {
    size_t n = x->n;
    for (size_t i = 0; i < x->n; i++) {
        if (x->index[i] >= 0) n += (size_t)(c->offsets[x->index[i] + 1] - c->offsets[x->index[i]]);
    }
    return n;
}

static void entries_in(struct entries *x, struct dp_buf *def, struct dp_buf *rep, struct dp_buf *index, size_t n) {
    n += AT_ONCE;
    x->def = room(def, n), x->rep = room(rep, n), x->index = room(index, n * sizeof(int32_t));
}

static enum dp_status shred_nested(const struct dp_batch *b, const uint32_t *steps, const struct dp_pq_path *path, struct dp_pq_scratch *s,
                                   struct entries *x, const struct dp_column **leaf, struct dp_err *err) {
    const struct dp_column *c = &b->columns[steps[0]];
    bool second = false;
    x->n = (size_t)b->length;
    entries_in(x, &s->def, &s->rep, &s->index, x->n);
    memset(x->def, 0, x->n), memset(x->rep, 0, x->n);
    for (size_t i = 0; i < x->n; i++) x->index[i] = (int32_t)i;
    for (size_t k = 0; k < path->n; k++) {
        const struct dp_pq_node *node = path->nodes[k];
        if (k > 0) c = &c->children[steps[k]];
        DP_TRY(apply_validity(x, c, node, err));
        if (node->type->id != DP_TYPE_LIST && node->type->id != DP_TYPE_MAP) continue;
        struct entries y;
        if (second) entries_in(&y, &s->def, &s->rep, &s->index, expanded_size(x, c));
        else entries_in(&y, &s->def2, &s->rep2, &s->index2, expanded_size(x, c));
        expand(x, c, node, &y);
        *x = y;
        second = !second;
    }
    *leaf = c;
    return DP_OK;
}

/* Positions of present values among n entries; 0 when the result is all of them in place. */
static size_t present(const struct entries *x, int32_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        out[n] = x->index[i];
        n += x->index[i] >= 0;
    }
    return n;
}

/* ---- values ---- */

static void spans_of(const struct dp_column *c, const int32_t *index, struct dp_pq_scratch *s, struct dp_pq_values *v) {
    struct dp_pq_span *out = room(&s->dense, v->n * sizeof *out);
    const int32_t *off = c->offsets;
    if (!index) {
        for (size_t i = 0; i < v->n; i++) out[i] = (struct dp_pq_span){(uint32_t)off[i], (uint32_t)(off[i + 1] - off[i])};
    } else {
        for (size_t i = 0; i < v->n; i++) {
            int32_t k = index[i];
            out[i] = (struct dp_pq_span){(uint32_t)off[k], (uint32_t)(off[k + 1] - off[k])};
        }
    }
    v->spans = out;
    v->bytes = c->data;
    v->n_bytes = c->data_n;
}

#define WIDEN(from_type, to_type)                                                                                                                    \
    do {                                                                                                                                             \
        const from_type *in = (const from_type *)(const void *)c->data;                                                                              \
        to_type *to = (to_type *)(void *)out;                                                                                                        \
        for (size_t i = 0; i < v->n; i++) to[i] = (to_type)in[index ? index[i] : (int32_t)i];                                                         \
    } while (0)

static void decimals_of(const struct dp_column *c, const int32_t *index, struct dp_pq_values *v, uint8_t *out) {
    for (size_t i = 0; i < v->n; i++) {
        const uint8_t *in = c->data + 16 * (size_t)(index ? index[i] : (int32_t)i);
        if (v->type != DP_PQ_FLBA) memcpy(out + i * (size_t)v->width, in, (size_t)v->width);
        else {
            for (int k = 0; k < v->width; k++) out[i * (size_t)v->width + (size_t)k] = in[v->width - 1 - k];
        }
    }
}

static void gather(const struct dp_column *c, const int32_t *index, size_t width, size_t n, uint8_t *out) {
    const uint8_t *in = c->data;
    if (width == 8) {
        for (size_t i = 0; i < n; i++) memcpy(out + 8 * i, in + 8 * (size_t)index[i], 8);
    } else if (width == 4) {
        for (size_t i = 0; i < n; i++) memcpy(out + 4 * i, in + 4 * (size_t)index[i], 4);
    } else {
        for (size_t i = 0; i < n; i++) memcpy(out + width * i, in + width * (size_t)index[i], width);
    }
}

static int physical_width(const struct dp_pq_element *e) {
    switch (e->type) {
    case DP_PQ_BOOLEAN: return 1;
    case DP_PQ_INT32:
    case DP_PQ_FLOAT: return 4;
    case DP_PQ_INT64:
    case DP_PQ_DOUBLE: return 8;
    case DP_PQ_INT96: return 12;
    case DP_PQ_BYTE_ARRAY: return 0;
    case DP_PQ_FLBA: return e->type_length;
    }
    return 0;
}

static void values_of(const struct dp_column *c, const struct dp_type *t, const struct dp_pq_element *e, const int32_t *index, struct dp_pq_scratch *s,
                      struct dp_pq_values *v) {
    v->type = e->type;
    v->width = physical_width(e);
    if (v->n == 0) return;
    if (v->type == DP_PQ_BYTE_ARRAY) {
        spans_of(c, index, s, v);
        return;
    }
    if (!index && (int)dp_type_width(t) == v->width && t->id != DP_TYPE_DECIMAL) {
        v->fixed = c->data;
        return;
    }
    uint8_t *out = room(&s->dense, v->n * (size_t)v->width);
    v->fixed = out;
    if (t->id == DP_TYPE_BOOLEAN) {
        for (size_t i = 0; i < v->n; i++) {
            size_t k = index ? (size_t)index[i] : i;
            out[i] = c->data[k >> 3] >> (k & 7) & 1;
        }
    } else if (t->id == DP_TYPE_INT8) WIDEN(int8_t, int32_t);
    else if (t->id == DP_TYPE_INT16) WIDEN(int16_t, int32_t);
    else if (t->id == DP_TYPE_UINT8) WIDEN(uint8_t, int32_t);
    else if (t->id == DP_TYPE_UINT16) WIDEN(uint16_t, int32_t);
    else if (t->id == DP_TYPE_TIME && v->width == 4) WIDEN(int64_t, int32_t);
    else if (t->id == DP_TYPE_DECIMAL) decimals_of(c, index, v, out);
    else gather(c, index, (size_t)v->width, v->n, out);
}

static enum dp_status shred_flat(const struct dp_column *c, const struct dp_pq_node *node, const struct dp_pq_element *e, struct dp_pq_scratch *s,
                                 struct dp_pq_levels *levels, struct dp_pq_values *values, struct dp_err *err) {
    size_t n = levels->n;
    bool none = node->type->id == DP_TYPE_NONE;
    if (!none && (!c->validity || dp_bits_count(c->validity, 0, (int64_t)n) == (int64_t)n)) {
        values->n = n;
        values_of(c, node->type, e, NULL, s, values);
        return DP_OK;
    }
    if (levels->max_def == 0) return null_in_required(node, err);
    uint8_t *def = room(&s->def, n);
    int32_t *index = room(&s->index, (n + 1) * sizeof *index);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t valid = (uint8_t)(none ? 0 : c->validity[i >> 3] >> (i & 7) & 1);
        def[i] = valid;
        index[k] = (int32_t)i;
        k += valid;
    }
    levels->def = def;
    values->n = k;
    values_of(c, node->type, e, index, s, values);
    return DP_OK;
}

enum dp_status dp_pq_shred(const struct dp_batch *b, const uint32_t *steps, const struct dp_pq_path *path, const struct dp_pq_element *e,
                           struct dp_pq_scratch *s, struct dp_pq_levels *levels, struct dp_pq_values *values, struct dp_err *err) {
    *levels = (struct dp_pq_levels){.n = (size_t)b->length, .max_def = e->max_def, .max_rep = e->max_rep};
    *values = (struct dp_pq_values){0};
    if (path->n == 1) return shred_flat(&b->columns[steps[0]], path->nodes[0], e, s, levels, values, err);
    struct entries x;
    const struct dp_column *leaf = NULL;
    DP_TRY(shred_nested(b, steps, path, s, &x, &leaf, err));
    levels->n = x.n;
    levels->def = e->max_def ? x.def : NULL;
    levels->rep = e->max_rep ? x.rep : NULL;
    /* the list of present rows goes where the other set of entries was */
    struct dp_buf *spare = x.index == (int32_t *)(void *)s->index.p ? &s->index2 : &s->index;
    int32_t *index = room(spare, (x.n + 1) * sizeof *index);
    values->n = present(&x, index);
    bool in_place = values->n > 0 && index[0] == 0 && index[values->n - 1] == (int32_t)(values->n - 1); /* their numbers grow: none is left out */
    values_of(leaf, path->nodes[path->n - 1]->type, e, in_place ? NULL : index, s, values);
    return DP_OK;
}

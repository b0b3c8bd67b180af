/*
 * Lists, maps and structs out of levels (spec: README.md of parquet-format, "Nested Encoding"; LogicalTypes.md, "Nested Types").
 * The first leaf below a node says what there is; every other leaf must say the same, so that no damaged column can
 * pull offsets and values apart.  Which legacy form is a list of what is schema.c's business.
 */
#include "reader_priv.h"

static struct pq_leaf *leaf_of(const struct dp_pq_reader *r, const struct dp_pq_node *n) { return &r->leaves[r->leaf_at[n->leaf]]; }

static const struct dp_pq_node *first_leaf(const struct dp_pq_node *n) {
    while (n->leaf < 0) n = n->children;
    return n;
}

static const struct dp_pq_node *last_leaf(const struct dp_pq_node *n) {
    while (n->leaf < 0) {
        const struct dp_pq_node *c = &n->children[n->n_children - 1];
        n = c->element < 0 ? n->children : c; /* a map without values ends with its key */
    }
    return n;
}

static bool is_list(const struct dp_pq_node *n) { return n->type->id == DP_TYPE_LIST || n->type->id == DP_TYPE_MAP; }

/* ---- once ---- */

struct above {
    int16_t slot_def;
    bool optional_group;
    uint8_t list_def[DP_LIMIT_SCHEMA_DEPTH * 2 + 2];
};

static void setup(struct dp_pq_reader *r, const struct dp_pq_node *n, struct above a) {
    if (n->element < 0) return;
    if (n->leaf >= 0) {
        struct pq_leaf *l = leaf_of(r, n);
        l->slot_def = (uint8_t)a.slot_def;
        l->keep_levels = l->max_rep > 0 || a.optional_group;
        memcpy(l->list_def, a.list_def, sizeof l->list_def);
        return;
    }
    a.optional_group |= n->def > a.slot_def;
    if (is_list(n)) {
        a.slot_def = n->entry_def;
        a.list_def[n->entry_rep] = (uint8_t)n->entry_def;
    }
    for (size_t i = 0; i < n->n_children; i++) setup(r, &n->children[i], a);
}

void pq_nodes_setup(struct dp_pq_reader *r) {
    for (size_t i = 0; i < r->schema->n_children; i++) setup(r, r->tops[i], (struct above){0});
}

static void bind(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c) {
    if (n->element < 0) return;
    if (n->leaf >= 0) {
        leaf_of(r, n)->col = c;
        leaf_of(r, n)->region = r->region;
        return;
    }
    if (n->raw) { /* used again and again: its memory is its own */
        struct dp_column *raw = &r->variants[r->variant_at++].raw;
        struct pq_region *region = r->region;
        r->region = NULL;
        dp_column_reset(raw);
        bind(r, n->children, raw);
        r->region = region;
        return;
    }
    for (size_t i = 0; i < n->n_children; i++) bind(r, &n->children[i], &c->children[i]);
}

void pq_nodes_bind(struct dp_pq_reader *r, struct dp_batch *b) {
    r->variant_at = 0;
    for (size_t i = 0; i < b->n_columns; i++) bind(r, r->tops[i], &b->columns[i]);
}

static size_t count_variants(const struct dp_pq_node *n) {
    size_t count = n->raw ? 1 : 0;
    for (size_t i = 0; i < n->n_children; i++) count += count_variants(&n->children[i]);
    return count;
}

static void go_to_variants(struct dp_pq_reader *r, size_t column) {
    r->variant_at = 0;
    for (size_t i = 0; r->n_variants && i < column; i++) r->variant_at += count_variants(r->tops[i]);
}

void pq_node_bind(struct dp_pq_reader *r, size_t column, struct dp_column *c) {
    go_to_variants(r, column);
    bind(r, r->tops[column], c);
}

/* ---- for each batch ---- */

/* Where a node stands: entries with rep <= rep and def >= def are its slots; its parent is there from parent_def. */
struct place {
    int16_t def, rep, parent_def;
};

/* Slots of the node as one leaf sees them: valid[i] and, for lists, offsets; returns their number, *entries of all lists together. */
static size_t shape(const struct pq_leaf *l, const struct dp_pq_node *n, struct place at, uint8_t *valid, int32_t *offsets, int32_t *entries) {
    const uint8_t *rep = l->max_rep ? (const uint8_t *)l->reps.p : NULL, *def = (const uint8_t *)l->defs.p;
    size_t slots = 0, all = l->defs.n;
    int32_t count = 0;
    *entries = 0;
    if (!rep && !offsets && at.def == 0) {
        pq_at_least(def, (uint8_t)n->def, all, valid);
        return all;
    }
    if (!offsets) {
        for (size_t i = 0; i < all; i++) {
            valid[slots] = def[i] >= n->def;
            slots += (rep ? rep[i] : 0) <= at.rep && def[i] >= at.def;
        }
        return slots;
    }
    /* No branch: lists are of random lengths.  What is no slot is overwritten by the next that is one. */
    for (size_t i = 0; i < all; i++) {
        unsigned level = rep ? rep[i] : 0, d = def[i];
        bool starts = (int)level <= at.rep, slot = starts & ((int)d >= at.def), goes_on = !starts & ((int)level == n->entry_rep);
        offsets[slots] = count;
        valid[slots] = (int)d >= n->def;
        slots += slot;
        count += (slot | goes_on) & ((int)d >= n->entry_def);
    }
    offsets[slots] = count;
    *entries = count;
    return slots;
}

/* Leaves with the same repetition levels say the same of a node when their definition levels do as far as the node looks at them. */
static bool same_levels(const struct pq_leaf *a, const struct pq_leaf *b, const struct dp_pq_node *n) {
    int16_t top = n->def > n->entry_def ? n->def : n->entry_def;
    if (a->defs.n != b->defs.n || (a->max_rep > 0) != (b->max_rep > 0)) return false;
    if (a->max_rep && a->defs.n && memcmp(a->reps.p, b->reps.p, a->reps.n)) return false;
    return pq_same_below((const uint8_t *)a->defs.p, (const uint8_t *)b->defs.p, (uint8_t)top, a->defs.n);
}

/* Do all leaves below agree with what the first one said? */
static enum dp_status agree(struct dp_pq_reader *r, const struct dp_pq_node *n, struct place at, const uint8_t *valid, const int32_t *offsets,
                            size_t slots, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_buf v = {0}, o = {0};
    const struct pq_leaf *first = leaf_of(r, first_leaf(n)), *last = leaf_of(r, last_leaf(n));
    for (const struct pq_leaf *l = first + 1; l <= last; l++) {
        int32_t entries;
        if (same_levels(first, l, n)) continue;
        uint8_t *valid2 = (uint8_t *)dp_buf_reserve(&v, l->defs.n + 1);
        int32_t *offsets2 = offsets ? (int32_t *)(void *)dp_buf_reserve(&o, (l->defs.n + 1) * 4) : NULL;
        bool same = shape(l, n, at, valid2, offsets2, &entries) == slots && !memcmp(valid, valid2, slots);
        if (same && offsets && memcmp(offsets, offsets2, (slots + 1) * 4)) same = false;
        if (same) continue;
        status = pq_fail_chunk(l, err, DP_FORMAT, "its levels disagree with those of its sibling columns");
        break;
    }
    dp_buf_release(&v);
    dp_buf_release(&o);
    return status;
}

static void set_validity(struct dp_pq_reader *r, struct dp_column *c, const uint8_t *valid, size_t slots) {
    size_t nulls = slots - pq_count_ones(valid, slots);
    c->null_count = (int64_t)nulls;
    for (size_t i = 0; nulls && i < slots; i += PQ_BLOCK)
        pq_column_validity(c, r->region, (int64_t)i, valid + i, slots - i < PQ_BLOCK ? slots - i : PQ_BLOCK, (int64_t)slots);
}

static enum dp_status finish(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c, struct place at, struct dp_err *err);

static enum dp_status finish_list(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c, struct place at, struct dp_err *err) {
    enum dp_status status = DP_OK;
    const struct pq_leaf *l = leaf_of(r, first_leaf(n));
    struct dp_buf v = {0};
    uint8_t *valid = (uint8_t *)dp_buf_reserve(&v, l->defs.n + 1);
    int32_t *offsets = pq_column_offsets(c, r->region, l->defs.n + 1, 1), entries;
    size_t slots = shape(l, n, at, valid, offsets, &entries);
    if (r->region) pq_region_trim(r->region, offsets, &c->offsets_cap, (slots + 1) * 4);
    DP_TRY_OUT(agree(r, n, at, valid, offsets, slots, err));
    set_validity(r, c, valid, slots);
    c->length = (int64_t)slots;
    struct place below = {.def = n->entry_def, .rep = n->entry_rep, .parent_def = n->entry_def};
    for (size_t i = 0; i < n->n_children; i++) {
        struct dp_column *child = &c->children[i];
        if (n->children[i].element < 0) child->length = child->null_count = entries;
        else DP_TRY_OUT(finish(r, &n->children[i], child, below, err));
        if (child->length != entries) DP_TRY_OUT(pq_fail_chunk(l, err, DP_FORMAT, "a list's elements do not add up"));
    }
    if (c->type->id == DP_TYPE_MAP && c->children[0].null_count) status = pq_fail_chunk(l, err, DP_FORMAT, "a map with a null key");
out:
    dp_buf_release(&v);
    return status;
}

static enum dp_status finish_struct(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c, struct place at, struct dp_err *err) {
    enum dp_status status = DP_OK;
    const struct pq_leaf *l = leaf_of(r, first_leaf(n));
    struct dp_buf v = {0};
    struct place below = {.def = at.def, .rep = at.rep, .parent_def = n->def};
    for (size_t i = 0; i < n->n_children; i++) {
        DP_TRY_OUT(finish(r, &n->children[i], &c->children[i], below, err));
        if (c->children[i].length != c->children[0].length) DP_TRY_OUT(pq_fail_chunk(l, err, DP_FORMAT, "a struct's fields are of different lengths"));
    }
    c->length = c->children[0].length;
    if (n->def > at.parent_def) {
        int32_t entries;
        uint8_t *valid = (uint8_t *)dp_buf_reserve(&v, l->defs.n + 1);
        size_t slots = shape(l, n, at, valid, NULL, &entries);
        DP_TRY_OUT(agree(r, n, at, valid, NULL, slots, err));
        if ((int64_t)slots != c->length) DP_TRY_OUT(pq_fail_chunk(l, err, DP_FORMAT, "a struct and its fields are of different lengths"));
        set_validity(r, c, valid, slots);
    }
out:
    dp_buf_release(&v);
    return status;
}

/* The group as the struct that it is, and its rows to JSON. */
static enum dp_status finish_variant(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c, struct place at, struct dp_err *err) {
    struct dp_variant_column *v = &r->variants[r->variant_at++];
    const struct pq_leaf *l = leaf_of(r, first_leaf(n));
    int64_t at_row;
    struct pq_region *region = r->region;
    r->region = NULL;
    enum dp_status status = finish_struct(r, n->children, &v->raw, at, err);
    r->region = region;
    DP_TRY(status);
    if (dp_variant_finish(v, c, l->cap, &at_row)) return DP_OK;
    r->over |= v->out.over;
    at_row += r->file->meta.row_groups[r->row_group].num_rows - r->rows_left;
    if (l->max_rep) return pq_fail_chunk(l, err, v->out.over ? DP_LIMIT : DP_FORMAT, "a Variant that can't be read: %s", v->out.why);
    return pq_fail_chunk(l, err, v->out.over ? DP_LIMIT : DP_FORMAT, "row %lld: a Variant that can't be read: %s", (long long)at_row, v->out.why);
}

static enum dp_status finish(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_column *c, struct place at, struct dp_err *err) {
    if (n->leaf >= 0) return DP_OK;
    if (n->raw) return finish_variant(r, n, c, at, err);
    return is_list(n) ? finish_list(r, n, c, at, err) : finish_struct(r, n, c, at, err);
}

static enum dp_status finish_top(struct dp_pq_reader *r, size_t i, struct dp_column *c, int64_t rows, struct dp_err *err) {
    DP_TRY(finish(r, r->tops[i], c, (struct place){0}, err));
    if (c->length == rows) return DP_OK;
    return pq_fail_chunk(leaf_of(r, first_leaf(r->tops[i])), err, DP_FORMAT, "the column has another number of rows than the row group");
}

enum dp_status pq_nodes_finish(struct dp_pq_reader *r, struct dp_batch *b, int64_t rows, struct dp_err *err) {
    r->variant_at = 0;
    for (size_t i = 0; i < b->n_columns; i++) DP_TRY(finish_top(r, i, &b->columns[i], rows, err));
    return DP_OK;
}

enum dp_status pq_node_finish(struct dp_pq_reader *r, size_t column, struct dp_column *c, int64_t rows, struct dp_err *err) {
    go_to_variants(r, column);
    return finish_top(r, column, c, rows, err);
}

/*
 * What a caller asks of single columns: names to leaf numbers, words to encodings, and which encoding a physical type can have (spec: Parquet
 * Encodings).  A boolean never gets a dictionary, though the tables allow one: nobody writes it.
 */
#include "enc_priv.h"

#include <dp/record/field.h>

/* ---- names ---- */

static bool is_step(const struct dp_step *s, const char *name) { return s->kind == DP_STEP_KEY && dp_str_eqz(dp_str(s->key, s->key_n), name); }

static enum dp_status no_such(const struct dp_type *t, const struct dp_step *s, struct dp_str path, struct dp_err *err) {
    if (s->kind != DP_STEP_KEY) return dp_err_set(err, DP_USAGE, "column %.*s: an index is no part of a column's name", DP_STR_FMT(path));
    const char *near = t->id == DP_TYPE_STRUCT ? dp_type_nearest(t, dp_str(s->key, s->key_n)) : NULL;
    if (t->id == DP_TYPE_MAP) near = "key or value";
    return dp_err_set(err, DP_USAGE, "no column %.*s%s%s%s", DP_STR_FMT(path), near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Moves *t to its child number i, and *leaf with it. */
static void go_down(const struct dp_type **t, size_t i, size_t *leaf) {
    for (size_t k = 0; k < i; k++) *leaf += dp_type_leaves((*t)->children[k]);
    *t = (*t)->children[i];
}

static enum dp_status one_step(const struct dp_type **t, const struct dp_step *s, struct dp_str path, size_t *leaf, struct dp_err *err) {
    while ((*t)->id == DP_TYPE_LIST && !is_step(s, "element")) go_down(t, 0, leaf);
    if ((*t)->id == DP_TYPE_LIST) return go_down(t, 0, leaf), DP_OK;
    if ((*t)->id == DP_TYPE_MAP && (is_step(s, "key") || is_step(s, "value"))) return go_down(t, is_step(s, "value"), leaf), DP_OK;
    for (size_t i = 0; (*t)->id == DP_TYPE_STRUCT && s->kind == DP_STEP_KEY && i < (*t)->n_children; i++) {
        const struct dp_type *c = (*t)->children[i];
        if (!dp_str_eq(dp_str(c->name, c->name_n), dp_str(s->key, s->key_n))) continue;
        return go_down(t, i, leaf), DP_OK;
    }
    return no_such(*t, s, path, err);
}

enum dp_status dp_pq_find_column(const struct dp_type *schema, struct dp_str path, size_t *leaf, size_t *n_leaves, struct dp_err *err) {
    struct dp_path steps = {0};
    const struct dp_type *t = schema;
    enum dp_status status = dp_path_parse(path, &steps, err);
    *leaf = 0;
    for (size_t i = 0; i < steps.n && status == DP_OK; i++) status = one_step(&t, &steps.steps[i], path, leaf, err);
    if (status == DP_OK && steps.n == 0) status = dp_err_set(err, DP_USAGE, "no column is named by '%.*s'", DP_STR_FMT(path));
    dp_path_release(&steps);
    *n_leaves = dp_type_leaves(t);
    return status;
}

/* ---- encodings ---- */

static const struct { const char *word; enum dp_pq_encoding encoding; } words[] = {
    {"plain", DP_PQ_PLAIN}, {"dictionary", DP_PQ_RLE_DICTIONARY}, {"delta_binary_packed", DP_PQ_DELTA_BINARY_PACKED},
    {"delta_length_byte_array", DP_PQ_DELTA_LENGTH_BYTE_ARRAY}, {"delta_byte_array", DP_PQ_DELTA_BYTE_ARRAY},
    {"byte_stream_split", DP_PQ_BYTE_STREAM_SPLIT}, {"rle", DP_PQ_RLE},
};
#define N_WORDS (sizeof words / sizeof *words)

static const char *word_of(enum dp_pq_encoding e) {
    for (size_t i = 0; i < N_WORDS; i++)
        if (words[i].encoding == e) return words[i].word;
    return "unknown";
}

enum dp_status dp_pq_encoding_parse(struct dp_str word, enum dp_pq_encoding *out, struct dp_err *err) {
    const char *list[N_WORDS + 1] = {NULL};
    char name[32];
    for (size_t i = 0; i < N_WORDS; i++) {
        list[i] = words[i].word;
        if (dp_str_eqz(word, words[i].word)) return *out = words[i].encoding, DP_OK;
    }
    size_t n = word.n < sizeof name ? word.n : sizeof name - 1;
    if (n) memcpy(name, word.p, n);
    name[n] = 0;
    const char *near = dp_str_nearest(name, list);
    return dp_err_set(err, DP_USAGE, "no encoding \"%.*s\"%s%s%s", DP_STR_FMT(word),
                      near ? "; did you mean " : " (plain, dictionary, delta_binary_packed, delta_length_byte_array, delta_byte_array, byte_stream_split, rle)",
                      near ? near : "", near ? "?" : "");
}

#define BIT(e) (1u << (e))

static uint32_t encodings_of(enum dp_pq_type t) {
    switch (t) {
    case DP_PQ_BOOLEAN: return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE);
    case DP_PQ_INT32:
    case DP_PQ_INT64: return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE_DICTIONARY) | BIT(DP_PQ_DELTA_BINARY_PACKED) | BIT(DP_PQ_BYTE_STREAM_SPLIT);
    case DP_PQ_INT96: return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE_DICTIONARY);
    case DP_PQ_FLOAT:
    case DP_PQ_DOUBLE: return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE_DICTIONARY) | BIT(DP_PQ_BYTE_STREAM_SPLIT);
    case DP_PQ_BYTE_ARRAY:
        return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE_DICTIONARY) | BIT(DP_PQ_DELTA_LENGTH_BYTE_ARRAY) | BIT(DP_PQ_DELTA_BYTE_ARRAY);
    case DP_PQ_FLBA: return BIT(DP_PQ_PLAIN) | BIT(DP_PQ_RLE_DICTIONARY) | BIT(DP_PQ_DELTA_BYTE_ARRAY) | BIT(DP_PQ_BYTE_STREAM_SPLIT);
    }
    return BIT(DP_PQ_PLAIN);
}

static enum dp_status check_encoding(const struct dp_pq_meta *meta, size_t leaf, enum dp_pq_encoding e, struct dp_err *err) {
    const struct dp_pq_element *x = &meta->elements[meta->leaves[leaf]];
    uint32_t can = encodings_of(x->type);
    struct dp_buf path = {0}, list = {0};
    if ((unsigned)e < 32 && can >> e & 1) return DP_OK;
    dp_pq_leaf_path(meta, leaf, &path);
    for (size_t i = 0; i < N_WORDS; i++)
        if (can >> words[i].encoding & 1) dp_buf_addf(&list, "%s%s", list.n ? ", " : "", words[i].word);
    dp_err_set(err, DP_USAGE, "column %s: %s values can't be encoded as %s, only as %s", dp_buf_z(&path), dp_pq_type_name(x->type), word_of(e),
               dp_buf_z(&list));
    dp_buf_release(&path);
    dp_buf_release(&list);
    return DP_USAGE;
}

enum dp_status dp_pq_leaf_opts(const struct dp_pq_writer_opts *o, const struct dp_pq_meta *meta, size_t leaf, struct dp_pq_leaf_opts *out,
                               struct dp_err *err) {
    *out = (struct dp_pq_leaf_opts){.codec = o->codec, .level = o->level, .no_dictionary = o->no_dictionary, .split_floats = o->split_floats};
    for (size_t i = 0; i < o->n_columns; i++) {
        const struct dp_pq_column_opts *c = &o->columns[i];
        if (leaf < c->leaf || leaf - c->leaf >= c->n_leaves) continue;
        if (c->set_encoding) out->set_encoding = true, out->encoding = c->encoding;
        if (c->set_codec) out->codec = c->codec, out->level = c->level;
        if (c->bloom) out->bloom = true, out->bloom_fpp = c->bloom_fpp > 0 ? c->bloom_fpp : 0.01;
        if (c->bloom && c->bloom_fpp >= 1) return dp_err_set(err, DP_USAGE, "a bloom filter's share of false hits is below 1, not %g", c->bloom_fpp);
    }
    if (meta->elements[meta->leaves[leaf]].type == DP_PQ_BOOLEAN) out->bloom = false; /* two values: it would say nothing */
    return out->set_encoding ? check_encoding(meta, leaf, out->encoding, err) : DP_OK;
}

/*
 * Writing: what the encoders, statistics and the chunk writer share.  A column chunk is first turned into level arrays and a dense array of
 * its present values in Parquet's physical form (shred.c), then encoded page by page (chunk.c).
 */
#ifndef DP_PARQUET_ENC_PRIV_H
#define DP_PARQUET_ENC_PRIV_H

#include <dp/parquet/writer.h>

#include "meta_priv.h"

struct dp_pq_span { uint32_t off, len; };

/* Present values, dense. */
struct dp_pq_values {
    enum dp_pq_type type;
    int width;                      /* bytes of a fixed value, BOOLEAN 1; 0: BYTE_ARRAY */
    size_t n;
    const uint8_t *fixed;           /* n * width bytes, little endian but for FLBA; BOOLEAN one byte each */
    const struct dp_pq_span *spans; /* BYTE_ARRAY: into bytes */
    const uint8_t *bytes;
    size_t n_bytes;
};

/* Level entries of a chunk; def NULL: all at the maximum, rep NULL: all 0. */
struct dp_pq_levels {
    size_t n;
    const uint8_t *def, *rep;
    int max_def, max_rep;
};

/* Memory of one thread, reused from chunk to chunk. Buffers hold arrays. */
struct dp_pq_scratch {
    struct dp_codec *codec;
    struct dp_buf def, rep, index, def2, rep2, index2, dense; /* shred.c */
    struct dp_buf slots, dict, codes, stamps;                 /* enc_dict.c */
    struct dp_buf body, sample, packed, aux;                  /* chunk.c */
    struct dp_buf pages;                                      /* chunk.c: page plan */
};

/* What is asked of one leaf. */
struct dp_pq_leaf_opts {
    enum dp_pq_codec codec;
    int level;
    bool no_dictionary, split_floats;
    bool set_encoding;
    enum dp_pq_encoding encoding;
    bool bloom;
    double bloom_fpp;
};

/* ---- columns.c ---- */
/* The options of leaf number `leaf`; DP_USAGE where its type can't have the encoding that was asked for. */
enum dp_status dp_pq_leaf_opts(const struct dp_pq_writer_opts *o, const struct dp_pq_meta *meta, size_t leaf, struct dp_pq_leaf_opts *out,
                               struct dp_err *err) DP_MUST_CHECK;

/* ---- shred.c ---- */
struct dp_pq_path { const struct dp_pq_node **nodes; size_t n; }; /* from below the root to the leaf */
/* DP_SCHEMA when a required value is null. Results point into the batch and the scratch. */
enum dp_status dp_pq_shred(const struct dp_batch *b, const uint32_t *steps, const struct dp_pq_path *path, const struct dp_pq_element *e,
                           struct dp_pq_scratch *s, struct dp_pq_levels *levels, struct dp_pq_values *values, struct dp_err *err) DP_MUST_CHECK;

/* ---- enc_bits.c: each appends to out ---- */
/* RLE/bit-packed hybrid without length prefix or width byte. */
void dp_pq_put_hybrid(struct dp_buf *out, const uint32_t *v, size_t n, unsigned width);
void dp_pq_put_hybrid8(struct dp_buf *out, const uint8_t *v, size_t n, unsigned width);
void dp_pq_put_hybrid_run(struct dp_buf *out, uint32_t value, size_t n, unsigned width);
void dp_pq_put_delta32(struct dp_buf *out, const int32_t *v, size_t n);
void dp_pq_put_delta64(struct dp_buf *out, const int64_t *v, size_t n);
/* Bytes that delta binary packing would take, about. */
size_t dp_pq_delta_size(const struct dp_pq_values *v);
void dp_pq_put_split(struct dp_buf *out, const uint8_t *p, size_t n, size_t width); /* BYTE_STREAM_SPLIT */

/* ---- enc_plain.c ---- */
/* Values [from, from + n) in an encoding other than the dictionary ones. */
void dp_pq_put_values(struct dp_buf *out, enum dp_pq_encoding encoding, const struct dp_pq_values *v, size_t from, size_t n, struct dp_buf *aux);

/* ---- enc_dict.c ---- */
struct dp_pq_dict {
    size_t n;            /* distinct values */
    size_t bytes;        /* of the PLAIN dictionary page */
    const uint32_t *codes; /* one for each value */
    const uint8_t *fixed;  /* n * width; BYTE_ARRAY: NULL */
    const struct dp_pq_span *spans;
};
/* False: over max_bytes, or, unless `always`, it does not pay (too many distinct values). The result points into the scratch. */
bool dp_pq_dict_build(const struct dp_pq_values *v, size_t max_bytes, bool always, struct dp_pq_scratch *s, struct dp_pq_dict *out);
struct dp_pq_values dp_pq_dict_values(const struct dp_pq_dict *d, const struct dp_pq_values *v);

/* ---- stats.c ---- */
enum dp_pq_compare { DP_PQ_CMP_NONE, DP_PQ_CMP_SIGNED, DP_PQ_CMP_UNSIGNED, DP_PQ_CMP_FLOAT, DP_PQ_CMP_BYTES, DP_PQ_CMP_BIG_SIGNED, DP_PQ_CMP_BOOL };
enum dp_pq_compare dp_pq_compare_of(const struct dp_pq_element *e);
/* Bounds as places in the values; floats come normalised. */
struct dp_pq_bounds_acc {
    bool has;
    size_t min, max;     /* positions of the values; floats: unused */
    double fmin, fmax;   /* FLOAT, DOUBLE, FLOAT16 */
    int64_t nans;
};
void dp_pq_bounds_of(enum dp_pq_compare c, const struct dp_pq_values *v, size_t from, size_t n, struct dp_pq_bounds_acc *out);
/* The PLAIN bytes of a bound, cut to max_bytes where it is a BYTE_ARRAY; `text`: cut between code points. *exact false when it was cut; false: none can be written. */
bool dp_pq_bound_bytes(enum dp_pq_compare c, const struct dp_pq_values *v, const struct dp_pq_bounds_acc *b, bool is_max, bool text, size_t max_bytes,
                       struct dp_arena *a, struct dp_str *out, bool *exact);
int dp_pq_bound_cmp(enum dp_pq_compare c, enum dp_pq_type type, struct dp_str a, struct dp_str b);

/* ---- bloom.c ---- */
/* Header and bit set of a split-block filter over the values, as small as the share of false hits allows. */
void dp_pq_bloom_write(const struct dp_pq_values *v, double fpp, struct dp_buf *out);

/* ---- chunk.c ---- */
struct dp_pq_choice { bool set; enum dp_pq_encoding encoding; bool store; int level; unsigned uses; }; /* remembered from row group to row group */
struct dp_pq_encoded {
    struct dp_buf pages;              /* dictionary and data pages; offsets below count from its start */
    struct dp_pq_chunk meta;          /* offsets relative to pages */
    struct dp_arena arena;            /* of meta and the indexes */
    struct dp_pq_offset_index offsets;
    struct dp_pq_column_index index;
    bool has_index;
    struct dp_buf bloom;
};
enum dp_status dp_pq_chunk_encode(const struct dp_pq_writer_opts *o, const struct dp_pq_leaf_opts *lo, const struct dp_pq_element *e,
                                  const struct dp_pq_levels *levels, const struct dp_pq_values *values, size_t n_rows, struct dp_pq_choice *choice, struct dp_pq_scratch *s,
                                  struct dp_pq_encoded *out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_scratch_release(struct dp_pq_scratch *s);
/* Gives back what a huge value took. */
void dp_pq_scratch_trim(struct dp_pq_scratch *s);

#endif

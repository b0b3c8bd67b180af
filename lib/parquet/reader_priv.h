/*
 * The reader's parts: file, leaf (one column chunk after the other), values of a page, node (how leaves make a column).
 *
 * A leaf streams: page.c makes the next page current, dec_values.c decodes its values into a column, reader_leaf.c drives both by rows,
 * reader_nest.c turns levels into offsets and validity.  What a page claims is never a size of anything before it has been compared with the bytes that are there.
 */
#ifndef DP_PARQUET_READER_PRIV_H
#define DP_PARQUET_READER_PRIV_H

#include "dec_priv.h"
#include "variant_priv.h"
#include <dp/base/limits.h>
#include <dp/parquet/reader.h>
#include <dp/record/json.h>

#define PQ_SPARES 8
#define PQ_PREFIX 4
#define PQ_SLACK 64                      /* bytes that can be read behind pages, and written behind what is asked of pq_column_data */
#define PQ_BLOCK ((size_t)2048)          /* entries handled at once; every call below takes at most so many */
#define PQ_BATCH_BYTES (32u << 20)       /* bytes of one column of a batch; a batch has fewer rows where they do not fit */
#define PQ_WIDE_BYTES DP_PQ_WIDE_BYTES
#define PQ_WIDE_TEXT DP_PQ_WIDE_TEXT
#define PQ_BATCH_ENTRIES (4u << 20)      /* level entries of one leaf in a batch, likewise */

struct dp_pq_file {
    char *name;
    int fd;              /* -1: memory */
    const uint8_t *mem;
    uint64_t size;
    uint64_t data_end;   /* where the footer begins */
    struct dp_pq_meta meta;
    struct dp_type *schema;
    struct dp_pq_node *root; /* in meta.arena */
    uint64_t bound;        /* bytes that one reader may hold; 0: none */
    bool chained_prefixes; /* parquet-mr before 1.8.0: DELTA_BYTE_ARRAY goes on over page borders */
};

/* How a stored value becomes a batch's value. */
enum pq_form {
    PQ_FORM_NONE,      /* type UNKNOWN: all null, values are not looked at */
    PQ_FORM_BOOL,
    PQ_FORM_COPY,      /* same bytes */
    PQ_FORM_TO8, PQ_FORM_TO16, PQ_FORM_TO64, /* from INT32 */
    PQ_FORM_DECIMAL32, PQ_FORM_DECIMAL64, PQ_FORM_DECIMAL_FIXED,
    PQ_FORM_INT96,
    PQ_FORM_BYTES,     /* offsets and data */
    PQ_FORM_BYTES_DECIMAL
};

struct pq_values {
    enum dp_pq_encoding encoding;
    const uint8_t *p, *end;
    bool started;
    struct dp_hybrid index;      /* dictionary, RLE booleans */
    struct dp_delta delta;
    struct dp_delta_bytes bytes;
    size_t pos, total;           /* booleans: bit; byte stream split: value */
};

struct pq_dictionary {
    bool present;
    uint64_t off;          /* of its page's header; 0: none */
    uint32_t n;
    struct dp_buf fixed;   /* n * out_width bytes, converted */
    struct dp_buf offsets; /* PQ_FORM_BYTES: uint32_t[n + 1]: where values begin in bytes; a value ends PQ_PREFIX bytes before the next begins */
    struct dp_buf bytes;   /* PQ_FORM_BYTES: the page as it is, PQ_SLACK bytes more can be read */
    uint32_t longest;      /* PQ_FORM_BYTES: bytes of the longest value */
};

/* Memory of a table (region.c). */
struct pq_piece {
    void *map;
    size_t map_n; /* 0: from dp_alloc */
    uint8_t *from, *end;
};
struct pq_region {
    struct pq_piece *pieces;
    size_t n, cap;
    uint8_t *at, *end; /* of the last piece, what is left */
};

/* A place to come back to. */
struct pq_mark {
    uint64_t page_off;      /* header of the current page; 0: none */
    uint64_t next_off;
    int64_t entries_left;
    int64_t consumed;       /* entries of the page */
    int32_t page_no;
};

struct pq_leaf {
    const struct dp_pq_file *file;
    size_t number;            /* of the leaf in the file */
    const struct dp_type *type;
    enum pq_form form;
    size_t in_width, out_width;
    uint8_t max_def, max_rep, slot_def; /* an entry with def >= slot_def is a slot of the column */
    uint8_t list_def[DP_LIMIT_SCHEMA_DEPTH * 2 + 2]; /* by repetition level: def from which its element exists */
    bool keep_levels, check_text;
    bool is_wide;             /* decimals of more than 38 digits, to be JSON */

    bool jumps;               /* pages are reached by the offset index, which is held against each page that is read */
    struct dp_pq_offset_index pages;
    size_t page_at;           /* jumps: place of the next page in it */
    int64_t page_rows;        /* jumps, nested: rows of the page that have begun; -1: not counted */
    uint64_t want_end;        /* bytes from here on belong to no range that is read; 0: all may */

    size_t row_group;
    const struct dp_pq_chunk *chunk;
    uint64_t chunk_end, hard_end, next_off;
    int64_t entries_total, entries_left; /* of the chunk; in pages not begun */
    int32_t page_no;
    uint64_t page_off;
    int64_t page_entries, page_left;
    struct dp_levels rep, def;
    struct pq_values values;
    struct pq_dictionary dict;

    struct dp_buf win;        /* bytes of the file from win_off */
    uint64_t win_off;
    size_t read_ahead;
    struct dp_buf page;       /* decompressed */
    struct dp_buf previous;   /* DELTA_BYTE_ARRAY: the value before */

    uint8_t *ahead_rep, *ahead_def; /* nested: levels decoded, not used */
    size_t ahead_pos, ahead_n;
    uint8_t last_def;
    bool row_begun;           /* an entry of this chunk has been seen */
    struct dp_buf reps, defs; /* of the batch, where keep_levels */

    struct dp_column *col;
    struct pq_region *region; /* where col's memory comes from; NULL: dp_alloc */
    int64_t slots, nulls, expected; /* expected: so many slots at least, as far as is known */
    size_t cap;               /* bytes that col may take */
    size_t entry_cap;
    bool over;                /* a cap was met */
    bool shed;                /* its memory was given back: to be read again from a mark */
    bool inflated;            /* the page in hand stands in `page`, levels too: nothing in the window is needed */
    bool stale;               /* it read for a batch that did not fit, likewise */
    struct dp_pq_reader *reader;
};

struct dp_pq_reader {
    const struct dp_pq_file *file;
    struct dp_type *schema;   /* projected */
    struct pq_leaf *leaves;
    size_t n_leaves;
    const struct dp_pq_node **tops; /* node of each column */
    size_t *top_leaf;         /* its first one in leaves; as many as columns, and one */
    struct pq_region *region; /* a whole table is read into */
    uint32_t *leaf_at;        /* by leaf number of the file: its place in leaves */
    struct dp_variant_column *variants; /* in the order of the tree */
    size_t n_variants, variants_cap, variant_at;
    struct dp_arena arena;    /* plans of the variants */
    bool over;                /* their text met the cap */
    size_t row_group;
    bool positioned, selected;
    int64_t rows_left, row_hint; /* hint: what fitted last time a batch did not fit */
    int64_t row, batch_row;   /* row of the row group that comes next; that the last batch began with */
    struct dp_pq_ranges ranges; /* selected */
    size_t range;
    struct dp_arena indexes;  /* of the leaves */
    struct dp_pq_read_counts counts;
    struct dp_codec *codec;
    struct pq_mark *marks;    /* by leaf */
    size_t held;              /* bytes of windows, pages and dictionaries */
    struct dp_buf spares[PQ_SPARES]; /* buffers that were given back, for the next who wants such: fresh ones cost a fault for each page of memory */
    size_t spare;             /* bytes of spares; with `held` within the file's bound */
    uint32_t index[PQ_BLOCK]; /* scratch */
    uint8_t levels[PQ_BLOCK], valid[PQ_BLOCK];
    struct dp_buf scratch;
};

/* DP_FORMAT and the like with "row group R, column a.b, page P: " in front (no page before the first one). */
enum dp_status pq_fail(const struct pq_leaf *l, struct dp_err *err, enum dp_status status, const char *fmt, ...) DP_PRINTF(4, 5);
/* The same without the page, for what is found when all pages of a batch are read. */
enum dp_status pq_fail_chunk(const struct pq_leaf *l, struct dp_err *err, enum dp_status status, const char *fmt, ...) DP_PRINTF(4, 5);

/* ---- reader.c ---- */
enum dp_status pq_read_at(const struct dp_pq_file *f, void *p, size_t n, uint64_t off, struct dp_err *err) DP_MUST_CHECK;

/* ---- region.c ---- */
/* A buffer of at least `want` bytes with the first `used` of p's; p may come from elsewhere (freed where *cap says that it is owned). */
void *pq_region_grow(struct pq_region *r, void *p, size_t used, size_t *cap, size_t want);
bool pq_region_has(const struct pq_region *r, const void *p);
/* Gives back what is behind `used` bytes of p, if p is the last one. */
void pq_region_trim(struct pq_region *r, const void *p, size_t *cap, size_t used);
void pq_region_release(struct pq_region *r);
/* *n bytes or more (which *n becomes) in huge pages of their own, freed by free. */
void *pq_huge_alloc(size_t *n);

/* ---- reader.c ---- */
/* All rows of a column of a row group into an empty column, in r->region. */
enum dp_status pq_read_column(struct dp_pq_reader *r, size_t row_group, size_t column, struct dp_column *c, struct dp_err *err) DP_MUST_CHECK;

/* ---- page.c ---- */
enum dp_status pq_chunk_begin(struct pq_leaf *l, size_t row_group, struct dp_err *err) DP_MUST_CHECK;
/* Makes the next data page with entries current; the chunk must have entries left. */
enum dp_status pq_page_next(struct pq_leaf *l, struct dp_err *err) DP_MUST_CHECK;
/* Passes over the next data page by its header where it has at most `most` entries; *passed: how many, 0 where it has more.  Loads a dictionary. */
enum dp_status pq_page_pass(struct pq_leaf *l, int64_t most, int64_t *passed, struct dp_err *err) DP_MUST_CHECK;
/* Loads what stands before the first page of the offset index. */
enum dp_status pq_page_prelude(struct pq_leaf *l, struct dp_err *err) DP_MUST_CHECK;

/* ---- reader_select.c ---- */
/* The page that was just begun at `off` must be the one that the offset index says. */
enum dp_status pq_select_page(struct pq_leaf *l, uint64_t off, struct dp_err *err) DP_MUST_CHECK;
/* k more entries of the page are in ahead_rep. */
enum dp_status pq_select_rows(struct pq_leaf *l, size_t k, struct dp_err *err) DP_MUST_CHECK;
/* After a rewind. */
void pq_select_again(struct pq_leaf *l);
/* Makes the next selected range current. */
enum dp_status pq_select_next(struct dp_pq_reader *r, struct dp_err *err) DP_MUST_CHECK;
/* Loads the dictionary page that was loaded before. */
enum dp_status pq_dictionary_again(struct pq_leaf *l, struct dp_err *err) DP_MUST_CHECK;
/* Room of `want` bytes in a buffer (its content goes); DP_LIMIT: the reader holds too much then. */
enum dp_status pq_claim(struct pq_leaf *l, struct dp_buf *b, size_t want, const char *what, struct dp_err *err) DP_MUST_CHECK;
/* Gives the leaf's memory back; it goes on by pq_leaf_rewind alone. */
void pq_leaf_shed(struct pq_leaf *l);
/* The same, all of it: the next leaf takes the buffers over while they are still in the processor's caches. */
void pq_leaf_done(struct pq_leaf *l);
void pq_drop_spares(struct dp_pq_reader *r); /* frees the buffers that wait for another leaf */

/* ---- dec_values.c ---- */
void pq_values_begin(struct pq_leaf *l, enum dp_pq_encoding encoding, const uint8_t *p, size_t n);
/* p: n bytes, those of l->page or others; of l->page the memory is kept. */
enum dp_status pq_dictionary_load(struct pq_leaf *l, const uint8_t *p, size_t n, int32_t count, struct dp_err *err) DP_MUST_CHECK;
/* Appends `k` slots of which those with valid[i] have a value (`nn` of them; valid NULL: all). */
enum dp_status pq_values_append(struct pq_leaf *l, const uint8_t *valid, size_t k, size_t nn, struct dp_err *err) DP_MUST_CHECK;
enum dp_status pq_values_skip(struct pq_leaf *l, size_t n, struct dp_err *err) DP_MUST_CHECK;

/* ---- reader_leaf.c ---- */
/* Reads `rows` rows into l->col (empty before).  DP_LIMIT with l->over: a cap was met behind *whole rows. */
enum dp_status pq_leaf_read(struct pq_leaf *l, int64_t rows, int64_t *whole, struct dp_err *err) DP_MUST_CHECK;
/* Passes over rows without making anything of them. */
enum dp_status pq_leaf_pass(struct pq_leaf *l, int64_t rows, struct dp_err *err) DP_MUST_CHECK;
struct pq_mark pq_leaf_mark(const struct pq_leaf *l);
enum dp_status pq_leaf_rewind(struct pq_leaf *l, struct pq_mark m, struct dp_err *err) DP_MUST_CHECK;
void pq_leaf_release(struct pq_leaf *l);

/* ---- reader_nest.c ---- */
/* What each leaf has to know of the groups above it; all leaves of the tops must be in r->leaves. */
void pq_nodes_setup(struct dp_pq_reader *r);
/* Gives each leaf its column. */
void pq_nodes_bind(struct dp_pq_reader *r, struct dp_batch *b);
/* One column alone: its Variants are those from r->variant_at on. */
void pq_node_bind(struct dp_pq_reader *r, size_t column, struct dp_column *c);
enum dp_status pq_node_finish(struct dp_pq_reader *r, size_t column, struct dp_column *c, int64_t rows, struct dp_err *err) DP_MUST_CHECK;
/* Offsets, validity and lengths of lists and structs, once all leaves are read. */
enum dp_status pq_nodes_finish(struct dp_pq_reader *r, struct dp_batch *b, int64_t rows, struct dp_err *err) DP_MUST_CHECK;

/* ---- levels by the block: sixteen at once, in whatever registers the compiler has for that ---- */

typedef uint8_t pq_bytes16 __attribute__((vector_size(16)));

static inline pq_bytes16 pq_load16(const uint8_t *p) {
    pq_bytes16 v;
    memcpy(&v, p, 16);
    return v;
}

/* out[i] = p[i] == v, as 0 or 1; out may be p. */
static inline void pq_equal(const uint8_t *p, uint8_t v, size_t n, uint8_t *out) {
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        pq_bytes16 is = (pq_bytes16)(pq_load16(p + i) == v) & 1;
        memcpy(out + i, &is, 16);
    }
    for (; i < n; i++) out[i] = p[i] == v;
}

/* out[i] = p[i] >= v, likewise. */
static inline void pq_at_least(const uint8_t *p, uint8_t v, size_t n, uint8_t *out) {
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        pq_bytes16 is = (pq_bytes16)(pq_load16(p + i) >= v) & 1;
        memcpy(out + i, &is, 16);
    }
    for (; i < n; i++) out[i] = p[i] >= v;
}

/* Sum of bytes that are 0 or 1. */
static inline size_t pq_count_ones(const uint8_t *p, size_t n) {
    size_t i = 0, sum = 0;
    while (n - i >= 16) {
        pq_bytes16 lanes = {0};
        uint8_t each[16];
        for (unsigned k = 0; k < 255 && n - i >= 16; k++, i += 16) lanes += pq_load16(p + i);
        memcpy(each, &lanes, 16);
        for (unsigned k = 0; k < 16; k++) sum += each[k];
    }
    for (; i < n; i++) sum += p[i];
    return sum;
}

static inline size_t pq_count_nonzero(const uint8_t *p, size_t n) {
    size_t i = 0, sum = 0;
    while (n - i >= 16) {
        pq_bytes16 lanes = {0};
        uint8_t each[16];
        for (unsigned k = 0; k < 255 && n - i >= 16; k++, i += 16) lanes += (pq_bytes16)(pq_load16(p + i) != 0) & 1;
        memcpy(each, &lanes, 16);
        for (unsigned k = 0; k < 16; k++) sum += each[k];
    }
    for (; i < n; i++) sum += p[i] != 0;
    return sum;
}

/* Are the bytes equal, but for those that are at least `top` in both? */
static inline bool pq_same_below(const uint8_t *a, const uint8_t *b, uint8_t top, size_t n) {
    size_t i = 0;
    uint64_t w[2] = {0, 0};
    for (; n - i >= 16 && !(w[0] | w[1]); i += 16) {
        pq_bytes16 x = pq_load16(a + i), y = pq_load16(b + i), differ = (pq_bytes16)((x != y) & ((x < top) | (y < top)));
        memcpy(w, &differ, 16);
    }
    if (w[0] | w[1]) return false;
    for (; i < n; i++)
        if (a[i] != b[i] && (a[i] < top || b[i] < top)) return false;
    return true;
}

/* ---- column memory (dec_column.c) ---- */
uint8_t *pq_column_data(struct dp_column *c, struct pq_region *region, size_t bytes);
/* Room for `count` of them, of which `used` are there. */
int32_t *pq_column_offsets(struct dp_column *c, struct pq_region *region, size_t count, size_t used);
/* Bits [from, from + n) of the validity: from valid[] (0 or 1), or all set where valid is NULL. Made at the first null, for `expected` rows at least. */
void pq_column_validity(struct dp_column *c, struct pq_region *region, int64_t from, const uint8_t *valid, size_t n, int64_t expected);
/* Its memory in the region is the region's from now on; what is left over behind its last buffer is given back. */
void pq_column_settle(struct dp_column *c, struct pq_region *region);
/* The same for any bits. */
void pq_bits_put(uint8_t *bits, int64_t from, const uint8_t *v, size_t n);
void pq_spread(uint8_t *p, size_t width, const uint8_t *valid, size_t k, size_t nn);
void pq_spread_offsets(int32_t *offsets, const uint8_t *valid, size_t k, size_t nn);

#endif

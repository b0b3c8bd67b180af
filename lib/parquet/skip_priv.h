/* What skipping shares: bounds as records spell them, page indexes, bloom filters.  Indexes and filters are hints: what is wrong with one makes it absent. */
#ifndef DP_PARQUET_SKIP_PRIV_H
#define DP_PARQUET_SKIP_PRIV_H

#include "meta_priv.h"
#include "reader_priv.h"

/* ---- bounds.c ---- */
/* Kind of the bounds (NUMBER, STRING, FALSE for booleans), NONE where there are none to be trusted. */
enum dp_kind pq_spell_bounds(const struct dp_pq_meta *meta, size_t leaf, const struct dp_pq_stats *s, struct dp_buf *min, struct dp_buf *max, bool *may_nan);

/* ---- page_index.c ---- */
/* Pages one behind the other within their chunk, rows within the row group; in the arena. */
bool pq_offset_index(const struct dp_pq_file *f, size_t group, size_t leaf, struct dp_arena *a, struct dp_pq_offset_index *out);
/* Of n_pages pages, as the offset index says. */
bool pq_column_index(const struct dp_pq_file *f, size_t group, size_t leaf, size_t n_pages, struct dp_arena *a, struct dp_pq_column_index *out);
/* Rows [*from, *to) of a page. */
struct dp_pq_range pq_page_rows(const struct dp_pq_offset_index *x, size_t page, int64_t n_rows);
/* The page that holds a row. */
size_t pq_page_of(const struct dp_pq_offset_index *x, int64_t row);

/* ---- bloom_read.c ---- */
struct pq_bloom { uint64_t at; uint32_t n_bytes; }; /* the bit set */
bool pq_bloom_open(const struct dp_pq_file *f, size_t group, size_t leaf, struct pq_bloom *out);
/* Is it sure that no stored value is spelled like this? */
bool pq_bloom_lacks(const struct dp_pq_file *f, const struct pq_bloom *b, size_t leaf, const struct dp_type *type, enum dp_kind kind, struct dp_str value);

#endif

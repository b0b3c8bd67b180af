/*
 * What the pages of a Parquet file hold, decompressed and not decoded, and what its bloom filters answer: for who must know whether bytes are still there, in whatever row,
 * dictionary or filter, and not what the rows are (parquet-format README.md, "Column chunks"; BloomFilter.md).
 */
#ifndef DP_PARQUET_PAGES_H
#define DP_PARQUET_PAGES_H

#include <dp/parquet/reader.h>
#include <dp/record/json.h>

struct dp_pq_page_bytes {
    size_t row_group, leaf;
    uint64_t offset;        /* of the page's header in the file */
    bool is_dictionary;
    int32_t num_values;
    struct dp_str bytes;    /* levels and values; borrowed for the call */
};

/*
 * Calls fn with each dictionary and data page, in the order of row groups and columns.  Checksums are not looked at.  Failure of fn ends it.  DP_FORMAT: pages don't fit their
 * column chunk or don't decompress; DP_UNSUPPORTED: a codec, an encrypted column; DP_LIMIT: a page that is larger than the file's bound.
 */
enum dp_status dp_pq_each_page(const struct dp_pq_file *f, enum dp_status (*fn)(void *ctx, const struct dp_pq_page_bytes *p, struct dp_err *err), void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* What the bloom filter of a leaf says of a value as records spell it: DP_MAYBE, it may be among those that were put in (or the leaf's type is one that can't be asked); DP_NEVER, it
   is not; DP_ALWAYS, there is no filter. */
enum dp_maybe dp_pq_bloom_ask(const struct dp_pq_file *f, size_t row_group, size_t leaf, enum dp_kind kind, struct dp_str value);

#endif

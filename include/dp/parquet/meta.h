/*
 * Parquet metadata (spec: Apache Parquet format, thrift definitions of FileMetaData and below), parsed with every
 * size checked, and written.  One struct for each thrift struct that is used; optional fields have a `has_` flag or a negative value.
 */
#ifndef DP_PARQUET_META_H
#define DP_PARQUET_META_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>
#include <dp/record/type.h>

enum dp_pq_type { DP_PQ_BOOLEAN, DP_PQ_INT32, DP_PQ_INT64, DP_PQ_INT96, DP_PQ_FLOAT, DP_PQ_DOUBLE, DP_PQ_BYTE_ARRAY, DP_PQ_FLBA };
enum dp_pq_repetition { DP_PQ_REQUIRED, DP_PQ_OPTIONAL, DP_PQ_REPEATED };
enum dp_pq_encoding { DP_PQ_PLAIN = 0, DP_PQ_PLAIN_DICTIONARY = 2, DP_PQ_RLE = 3, DP_PQ_BIT_PACKED = 4, DP_PQ_DELTA_BINARY_PACKED = 5,
    DP_PQ_DELTA_LENGTH_BYTE_ARRAY = 6, DP_PQ_DELTA_BYTE_ARRAY = 7, DP_PQ_RLE_DICTIONARY = 8, DP_PQ_BYTE_STREAM_SPLIT = 9, DP_PQ_ALP = 10 };
enum dp_pq_codec { DP_PQ_UNCOMPRESSED, DP_PQ_SNAPPY, DP_PQ_GZIP, DP_PQ_LZO, DP_PQ_BROTLI, DP_PQ_LZ4, DP_PQ_ZSTD, DP_PQ_LZ4_RAW };
enum dp_pq_page { DP_PQ_DATA_PAGE, DP_PQ_INDEX_PAGE, DP_PQ_DICTIONARY_PAGE, DP_PQ_DATA_PAGE_V2 };
enum dp_pq_order { DP_PQ_UNORDERED, DP_PQ_ASCENDING, DP_PQ_DESCENDING };
enum dp_pq_column_order { DP_PQ_ORDER_NONE, DP_PQ_ORDER_TYPE, DP_PQ_ORDER_IEEE754, DP_PQ_ORDER_INT96 };

/* One node of the schema tree, flattened depth first; element 0 is the root. */
struct dp_pq_element {
    struct dp_str name;
    bool is_group;
    enum dp_pq_type type;
    int32_t type_length;
    enum dp_pq_repetition repetition;
    int32_t n_children;
    int32_t converted;      /* ConvertedType, -1 = none */
    int32_t scale, precision;
    int32_t field_id;       /* -1 = none */
    int32_t logical;        /* LogicalType member id, 0 = none */
    bool utc;               /* TIME, TIMESTAMP */
    int32_t unit;           /* 1 millis, 2 micros, 3 nanos; 0 unknown */
    int32_t bit_width;      /* INTEGER */
    bool is_signed;
    /* derived */
    int32_t parent, leaf;   /* leaf number or -1 */
    int16_t max_def, max_rep;
};

struct dp_pq_stats {
    bool has_min, has_max;          /* min_value, max_value */
    struct dp_str min, max;
    bool has_old_min, has_old_max;  /* deprecated fields 1 and 2 */
    struct dp_str old_min, old_max;
    int64_t null_count;             /* -1 = absent */
    int64_t distinct_count;         /* -1 = absent */
    int64_t nan_count;              /* -1 = absent */
    int8_t min_exact, max_exact;    /* -1 = absent */
};

struct dp_pq_chunk {
    enum dp_pq_type type;
    enum dp_pq_codec codec;
    uint32_t encodings;             /* bit set by encoding number */
    int64_t num_values;
    int64_t total_uncompressed, total_compressed;
    int64_t data_page_offset, dictionary_page_offset; /* the latter -1 = absent */
    int64_t bloom_offset; int32_t bloom_length;        /* -1 = absent */
    int64_t column_index_offset, offset_index_offset;  /* -1 = absent */
    int32_t column_index_length, offset_index_length;
    struct dp_pq_stats stats;
    bool encrypted;
    struct dp_str file_path;
    /* size statistics; NULL / -1 = absent */
    int64_t unencoded_bytes;
    int64_t *rep_histogram, *def_histogram; size_t n_rep_histogram, n_def_histogram;
    struct { int8_t page_type; int8_t encoding; int32_t count; } *encoding_stats; size_t n_encoding_stats;
};

struct dp_pq_sorting { int32_t column; bool descending, nulls_first; };

struct dp_pq_row_group {
    struct dp_pq_chunk *chunks; size_t n_chunks;
    int64_t total_byte_size, num_rows, total_compressed;
    struct dp_pq_sorting *sorting; size_t n_sorting;
};

struct dp_pq_key_value { struct dp_str key, value; bool has_value; };

struct dp_pq_meta {
    struct dp_arena arena;          /* owns everything below */
    int32_t version;
    struct dp_pq_element *elements; size_t n_elements;
    int32_t *leaves; size_t n_leaves; /* element number of each leaf */
    int64_t num_rows;
    struct dp_pq_row_group *row_groups; size_t n_row_groups;
    struct dp_pq_key_value *kv; size_t n_kv;
    struct dp_str created_by;
    uint8_t *column_orders;         /* enum dp_pq_column_order by leaf; all NONE when absent or of the wrong length */
    bool footer_signed;             /* encryption_algorithm set */
};

/* Parses and checks FileMetaData against the file's size. Everything is copied into meta->arena. Release also after a failure. */
enum dp_status dp_pq_meta_parse(const void *p, size_t n, uint64_t file_size, struct dp_pq_meta *meta, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_meta_release(struct dp_pq_meta *meta);
void dp_pq_meta_write(const struct dp_pq_meta *meta, struct dp_buf *out);

/* Parquet schema <-> dp types (logical types, legacy list and map forms). */
enum dp_status dp_pq_to_schema(const struct dp_pq_meta *meta, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_pq_from_schema(const struct dp_type *schema, struct dp_pq_meta *meta, struct dp_err *err) DP_MUST_CHECK;

#endif

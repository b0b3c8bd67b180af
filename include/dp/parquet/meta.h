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
    struct dp_pq_encoding_stats { int8_t page_type; int8_t encoding; int32_t count; } *encoding_stats; size_t n_encoding_stats;
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
/* The same within `memory` bytes for what is made of it, 0: no bound; DP_LIMIT where they do not do. */
enum dp_status dp_pq_meta_parse_within(const void *p, size_t n, uint64_t file_size, uint64_t memory, struct dp_pq_meta *meta, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_meta_release(struct dp_pq_meta *meta);
int64_t dp_pq_meta_rows(const struct dp_pq_meta *meta); /* of its row groups, whatever num_rows says */
void dp_pq_meta_write(const struct dp_pq_meta *meta, struct dp_buf *out);

/* ---- pages and indexes ---- */

struct dp_pq_page_header {
    int32_t type;           /* enum dp_pq_page, or a number that is not known: skip that page */
    int32_t uncompressed_size, compressed_size; /* both >= 0, without this header */
    bool has_crc;
    uint32_t crc;
    int32_t num_values;     /* data and dictionary pages */
    int32_t encoding;       /* enum dp_pq_encoding, or a number that is not known */
    int32_t def_encoding, rep_encoding; /* V1 */
    int32_t num_nulls, num_rows;        /* V2 */
    int32_t def_bytes, rep_bytes;       /* V2 */
    bool is_compressed;                 /* V2; true when absent */
    bool is_sorted;                     /* dictionary */
};

/* Parses one header at p; *used = its length. DP_FORMAT also when the struct for its type is missing. */
enum dp_status dp_pq_page_header_parse(const void *p, size_t n, struct dp_pq_page_header *h, size_t *used, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_page_header_write(const struct dp_pq_page_header *h, struct dp_buf *out);

struct dp_pq_page_location { int64_t offset; int32_t compressed_size; int64_t first_row; };
struct dp_pq_offset_index {
    struct dp_pq_page_location *pages; size_t n_pages;
    int64_t *unencoded_bytes; /* n_pages of them, or NULL */
};
struct dp_pq_column_index {
    size_t n_pages;
    bool *null_pages;
    struct dp_str *min, *max;
    enum dp_pq_order order;
    int64_t *null_counts;     /* n_pages, or NULL */
    int64_t *rep_histograms, *def_histograms; size_t n_rep_histograms, n_def_histograms;
    int64_t *nan_counts;      /* n_pages, or NULL */
};
/* Everything is copied into the arena.  Offsets are checked to grow and first rows to rise from 0, not against the file. */
enum dp_status dp_pq_offset_index_parse(const void *p, size_t n, struct dp_arena *a, struct dp_pq_offset_index *out, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_pq_column_index_parse(const void *p, size_t n, struct dp_arena *a, struct dp_pq_column_index *out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_offset_index_write(const struct dp_pq_offset_index *x, struct dp_buf *out);
void dp_pq_column_index_write(const struct dp_pq_column_index *x, struct dp_buf *out);

/* Parquet schema <-> dp types (logical types, legacy list and map forms).  INT96 is an instant in micros. */

/*
 * A dp type with the Parquet nodes that it came from: what the reader assembles by and the writer shreds by.
 * Children are the fields of a STRUCT, the element of a LIST, key and value of a MAP.  A VARIANT is a JSON type whose only child is its group.
 */
struct dp_pq_node {
    const struct dp_type *type;
    int32_t element;     /* number of its element: the outermost group of a LIST or MAP; a leaf's own; -1 = the value of a map that has none */
    int32_t leaf;        /* leaf number, -1 for groups */
    int16_t def;         /* definition level from which this value is present (equal to its parent's when required) */
    int16_t rep;         /* repetition level of what surrounds it */
    int16_t entry_def;   /* LIST, MAP: definition level from which an entry exists */
    int16_t entry_rep;   /* LIST, MAP: repetition level of a further entry */
    struct dp_pq_node *children; size_t n_children;
    struct dp_type *raw; /* VARIANT: its group as a struct, owned; else NULL */
};
/* Schema (caller releases with dp_type_free) and its node tree (in the arena, but call dp_pq_unmap; node->type borrows from the schema). */
enum dp_status dp_pq_map(const struct dp_pq_meta *meta, struct dp_arena *a, struct dp_type **schema, struct dp_pq_node **root, struct dp_err *err) DP_MUST_CHECK;
/* Frees what the nodes own (NULL is legal); before the arena goes. */
void dp_pq_unmap(struct dp_pq_node *root);
enum dp_status dp_pq_to_schema(const struct dp_pq_meta *meta, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
/* Fills meta->elements, leaves and column_orders (the rest is left alone). A struct without fields is DP_UNSUPPORTED by name. */
enum dp_status dp_pq_from_schema(const struct dp_type *schema, struct dp_pq_meta *meta, struct dp_err *err) DP_MUST_CHECK;

/* A value of the file's metadata by key, borrowed from it; false: there is none. */
bool dp_pq_find_value(const struct dp_pq_meta *meta, const char *key, struct dp_str *value);

const char *dp_pq_type_name(enum dp_pq_type t);           /* "INT64" */
const char *dp_pq_encoding_name(int encoding);            /* "PLAIN"; "UNKNOWN" */
/* Dotted path of a leaf for messages (names may hold dots themselves). */
void dp_pq_leaf_path(const struct dp_pq_meta *meta, size_t leaf, struct dp_buf *out);

#endif

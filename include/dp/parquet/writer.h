/*
 * Parquet writer: batches in, one file out, row group by row group.  Encoding is chosen per column chunk from the data (dictionary, delta, plain,
 * where it is allowed byte-stream-split) among those that all of DuckDB, Arrow, polars and Spark read, or as asked; the columns of a row group are encoded on all threads of the pool.  The same rows give the same bytes, whatever the batches' sizes and the threads.
 */
#ifndef DP_PARQUET_WRITER_H
#define DP_PARQUET_WRITER_H

#include <dp/base/pool.h>
#include <dp/parquet/codec.h>
#include <dp/record/batch.h>

/* What is asked of some columns in particular; of a leaf that two entries name the later one holds for what it sets. */
struct dp_pq_column_opts {
    size_t leaf, n_leaves;      /* leaf numbers from, and how many: dp_pq_find_column */
    bool set_encoding;          /* of data pages; else it is chosen from the data */
    enum dp_pq_encoding encoding; /* RLE_DICTIONARY holds as long as the dictionary stays within 1 MiB, behind that PLAIN */
    bool set_codec;
    enum dp_pq_codec codec;
    int level;                  /* -1 default */
    bool bloom;                 /* a bloom filter */
    double bloom_fpp;           /* its share of false hits, over 0 and below 1; 0: 0.01 */
};

struct dp_pq_writer_opts {
    enum dp_pq_codec codec;     /* from dp_codec_parse; UNCOMPRESSED is the zero value, so set it */
    int level;                  /* -1 default; an upper bound of effort: where zstd's level 1 gives the same size in a trial, it is used, and a
                                   chunk that no codec makes smaller is stored as it is */
    int64_t row_group_rows;     /* 0 = 122880 */
    int64_t row_group_bytes;    /* 0 = 128 MiB: of column memory and of what encoding it takes on one thread; a row group ends behind it */
    size_t page_bytes;          /* 0 = 1 MiB uncompressed */
    int64_t page_rows;          /* 0 = 20000 */
    bool page_v2;               /* data page version 2 */
    bool no_dictionary, no_page_index;
    bool split_floats;          /* BYTE_STREAM_SPLIT may be chosen for floats; Spark's own reader (4.2) refuses it, so else it must be asked for */
    bool crc;                   /* page checksums */
    bool json_as_string;        /* JSON columns are annotated as strings: some readers of Delta take the annotation JSON for bytes */
    struct dp_pq_work *work;    /* of several writers of one schema, of which one at a time has rows that wait; NULL: its own */
    const struct dp_pq_column_opts *columns; size_t n_columns; /* read at open */
    const struct dp_pq_sorting *sorting; size_t n_sorting;    /* leaf numbers; says that rows are sorted so */
    bool keep_codec;            /* chunks that are copied (dp_pq_writer_copy) may have another codec */
    const char *created_by;     /* NULL = "dp version X" */
    const struct dp_pq_key_value *kv; size_t n_kv;            /* copied */
};

/*
 * The leaves of a column, for dp_pq_column_opts and dp_pq_sorting: `path` is `a`, `.a.b` or `."odd name".b` (dp_path_parse); a nested column means
 * all leaves below it, the step into a list's element may be left out, a map's are key and value.  DP_USAGE names the nearest right word.
 */
enum dp_status dp_pq_find_column(const struct dp_type *schema, struct dp_str path, size_t *leaf, size_t *n_leaves, struct dp_err *err) DP_MUST_CHECK;
/* plain, dictionary, delta_binary_packed, delta_length_byte_array, delta_byte_array, byte_stream_split, rle; DP_USAGE names the nearest right word. */
enum dp_status dp_pq_encoding_parse(struct dp_str word, enum dp_pq_encoding *out, struct dp_err *err) DP_MUST_CHECK;

struct dp_pq_writer;

/*
 * Working memory: the rows of the row group that is being filled, each thread's scratch, encoded pages.  At most `lanes` columns are encoded
 * at once (0: as many as there are threads), for each takes some megabytes.  `frugal`: the columns' memory is given back one by one as they are
 * encoded, and that of their pages as they are written, which costs some time.
 */
struct dp_pq_work;
struct dp_pq_work *dp_pq_work_open(unsigned lanes, bool frugal);
void dp_pq_work_close(struct dp_pq_work *w); /* behind its writers; NULL is legal */

/* Where bytes go: append-only. Returning anything but DP_OK ends the writer. */
typedef enum dp_status (*dp_pq_sink)(void *ctx, const void *p, size_t n, struct dp_err *err);

/* schema and pool (NULL: this thread alone) are borrowed until close.  DP_USAGE: an encoding that a column's type can't have. */
enum dp_status dp_pq_writer_open(const struct dp_type *schema, const struct dp_pq_writer_opts *opts, struct dp_pool *pool, dp_pq_sink sink, void *ctx,
                                 struct dp_pq_writer **out, struct dp_err *err) DP_MUST_CHECK;
/* Adds rows; writes row groups as they fill. The batch is copied from, the caller keeps it. */
enum dp_status dp_pq_writer_add(struct dp_pq_writer *w, const struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/* The same for up to n rows from `from` on; stops behind a row group that became full. *taken says how many were taken. */
enum dp_status dp_pq_writer_add_some(struct dp_pq_writer *w, const struct dp_batch *b, int64_t from, int64_t n, int64_t *taken, struct dp_err *err) DP_MUST_CHECK;
int64_t dp_pq_writer_pending(const struct dp_pq_writer *w); /* rows of the row group that is not yet written */
/* These rows, borrowed; and the writer has none any more: a caller with many writers holds such rows itself. */
const struct dp_batch *dp_pq_writer_pending_rows(const struct dp_pq_writer *w);
void dp_pq_writer_drop_pending(struct dp_pq_writer *w);
/* Writes the last row group, indexes and the footer. */
enum dp_status dp_pq_writer_finish(struct dp_pq_writer *w, struct dp_err *err) DP_MUST_CHECK;
/* After finish: the metadata as written (for Delta stats), borrowed until close; and the file's size. */
const struct dp_pq_meta *dp_pq_writer_meta(const struct dp_pq_writer *w);
uint64_t dp_pq_writer_size(const struct dp_pq_writer *w);
size_t dp_pq_writer_memory(const struct dp_pq_writer *w); /* bytes buffered now */
void dp_pq_writer_close(struct dp_pq_writer *w); /* any time; does not finish */

/*
 * ---- row groups that are put together ----
 *
 * Of encoded columns and of chunks copied as they stand from a row group of an open file:
 *
 *     dp_pq_writer_begin(w, rows)
 *     for each column of the schema, in order: dp_pq_writer_piece(w, piece) one or more times, or dp_pq_writer_copy(w, file, row_group, its column there)
 *     dp_pq_writer_end(w)                    or dp_pq_writer_undo(w)
 *
 * Pieces are encoded on any thread, apart from the writer.  Such row groups and rows (dp_pq_writer_add) may take turns.
 */
struct dp_pq_file;    /* dp/parquet/reader.h */
struct dp_pq_encoder; /* of one thread */
struct dp_pq_piece;   /* rows of one top-level column, encoded */

/* The schema and options of the writers that will take its pieces; both borrowed until close. */
enum dp_status dp_pq_encoder_open(const struct dp_type *schema, const struct dp_pq_writer_opts *opts, struct dp_pq_encoder **out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_encoder_close(struct dp_pq_encoder *e); /* NULL is legal */
/*
 * Rows of column number `column`; caller releases with dp_pq_piece_free.  whole: these are all rows of the row group; otherwise the column must have one leaf,
 * and gets no dictionary and no bloom filter.
 */
enum dp_status dp_pq_encode(struct dp_pq_encoder *e, size_t column, const struct dp_column *rows, bool whole, struct dp_pq_piece **out,
                            struct dp_err *err) DP_MUST_CHECK;
void dp_pq_piece_free(struct dp_pq_piece *p); /* NULL is legal */
size_t dp_pq_piece_bytes(const struct dp_pq_piece *p);

/*
 * May the chunks of column `from` in a row group of an open file stand as column number `column` in files of this schema and these options?  NULL: yes;
 * else why not.  Yes means: the same physical type, levels and meaning, a codec that may be (opts->keep_codec), nothing that the writer would never write
 * (INT96, Hadoop's LZ4, prefixes chained over pages), nothing encrypted, no data in another file.
 */
const char *dp_pq_cant_copy(const struct dp_pq_encoder *e, size_t column, const struct dp_pq_file *f, size_t row_group, size_t from);

/* Rows that wait become a row group of their own before. */
enum dp_status dp_pq_writer_begin(struct dp_pq_writer *w, int64_t rows, struct dp_err *err) DP_MUST_CHECK;
/* Takes ownership of the piece, also when it fails. */
enum dp_status dp_pq_writer_piece(struct dp_pq_writer *w, struct dp_pq_piece *p, struct dp_err *err) DP_MUST_CHECK;
/*
 * Pages, statistics and bloom filter of the next column, which dp_pq_cant_copy allowed; page headers, sizes and checksums are checked on the way: a fault is
 * DP_FORMAT with the source's name.  Bounds whose order is not known, and indexes that contradict the pages, are left out.
 */
enum dp_status dp_pq_writer_copy(struct dp_pq_writer *w, const struct dp_pq_file *f, size_t row_group, size_t from, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_pq_writer_end(struct dp_pq_writer *w, struct dp_err *err) DP_MUST_CHECK;
/* As if there had been no begin: the caller cuts what it wrote to dp_pq_writer_size bytes. */
void dp_pq_writer_undo(struct dp_pq_writer *w);

#endif

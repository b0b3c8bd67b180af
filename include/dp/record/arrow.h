/*
 * The Arrow C data interface (stable ABI; structures as the Arrow documentation defines them): the public face of dp_batch.
 */
#ifndef DP_RECORD_ARROW_H
#define DP_RECORD_ARROW_H

#include <dp/record/batch.h>

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

/* Exports a schema as a struct; the caller calls out->release. Times in milliseconds become microseconds. */
void dp_arrow_export_schema(const struct dp_type *schema, struct ArrowSchema *out);
/* Moves the batch's buffers out (the batch is empty afterwards, its schema unchanged); the caller calls out->release. */
void dp_arrow_export_batch(struct dp_batch *b, struct ArrowArray *out);
/*
 * Copies a schema or the rows of an array in (rows are appended to b, whose schema was imported from s).  The caller keeps and releases what
 * it passed.  Taken beyond what export makes: large strings, binaries and lists, fixed-size lists, date64, time32, seconds.  Dictionaries,
 * unions, views, run-end encoding, durations and Arrow's intervals are DP_UNSUPPORTED by name.
 */
enum dp_status dp_arrow_import_schema(const struct ArrowSchema *in, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_arrow_import_batch(const struct ArrowSchema *s, const struct ArrowArray *in, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;

#endif

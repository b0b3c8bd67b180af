/*
 * Columns of one type made into those of another without loss: what files of a set whose schema grew, and files of a table whose types were widened, need.
 *
 * The lattice.  Integers to wider ones (unsigned ones to the next wider signed type; uint64 with a signed one: decimal(20,0)); integers of at most 24 and 53
 * bits to float and double, float16 to float to double; integers and decimals to decimals of as many digits on both sides of the point; dates to local timestamps;
 * times and timestamps of the same kind to the finer unit (a timestamp that nanoseconds can't hold is an error when it is met);
 * enums and JSON to strings; fixed widths to binary; void to anything.  Structs are the union by name, fields that one side lacks null; elements, keys and values by
 * the same rules.  Nothing else: no text to numbers, no int64 to double, no binary to strings, no local times to instants.
 */
#ifndef DP_RECORD_CAST_H
#define DP_RECORD_CAST_H

#include <dp/record/batch.h>

/* Where two types are in each other's way: "a.b[]", and what each side has there. */
struct dp_cast_clash { struct dp_buf path, a, b; };
void dp_cast_clash_release(struct dp_cast_clash *c);

/* The narrowest type that holds both, with a's name; NULL: there is none, *clash (may be NULL) says where.  Caller releases with dp_type_free. */
struct dp_type *dp_cast_common(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash);
/* Is a leaf of the type `from` one of the type `to` by the lattice? */
bool dp_cast_widens(const struct dp_type *to, const struct dp_type *from);
/* Are bounds of a column of the type `from`, as records spell them, bounds of the same column cast to `to`? */
bool dp_cast_keeps_bounds(const struct dp_type *to, const struct dp_type *from);

/* Which field and which leaf is taken; the zero value: fields by exact name, leaves by the lattice. */
struct dp_cast_rules {
    int (*find)(const void *ctx, const struct dp_type *from, const struct dp_type *field); /* the field's place in the struct `from`; -1: it is not there */
    bool (*takes)(const void *ctx, const struct dp_type *to, const struct dp_type *from);   /* a leaf; what is allowed beyond the lattice is named at cast.c's end */
    const void *ctx;
    enum dp_status misfit;                                                                  /* of a value that the type can't hold; 0: DP_SCHEMA */
};

/*
 * dst (empty) takes the rows of src, whose buffers it may swap in; `names` is dst's type with the names that `find` knows (NULL: its own).
 * DP_SCHEMA: src's type is not taken.  DP_FORMAT: bytes that are to be text are not UTF-8.
 */
enum dp_status dp_cast_column(const struct dp_cast_rules *rules, struct dp_column *dst, const struct dp_type *names, struct dp_column *src,
                              struct dp_err *err) DP_MUST_CHECK;

#endif

/* A column of a data file made into the table's: names, order, missing fields, widened types.  Between scan.c and adapt.c. */
#ifndef DP_DELTA_ADAPT_PRIV_H
#define DP_DELTA_ADAPT_PRIV_H

#include <dp/delta/feature.h>
#include <dp/record/batch.h>

struct adapt {
    enum dp_delta_mapping mapping;
    bool widening; /* the table has the typeWidening feature */
};

/* Are the names the same when the case of ASCII letters is ignored? */
bool adapt_same_name(const struct dp_type *a, const struct dp_type *b);
/* The field of a file that holds the table's (physical) one: by field id with id mapping, by name, at last ignoring case; -1: there is none. */
int adapt_find(const struct adapt *a, const struct dp_type *file, const struct dp_type *field);

/*
 * dst (of the table's type, empty) takes the rows of src, whose buffers it may swap in.  `physical` is the table's type with physical names.
 * DP_SCHEMA: the file's type is neither the table's nor one that it was widened from.
 */
enum dp_status adapt_column(const struct adapt *a, struct dp_column *dst, const struct dp_type *physical, struct dp_column *src, struct dp_err *err) DP_MUST_CHECK;
/* Is a file's column the table's but for names? */
bool adapt_is_same(const struct adapt *a, const struct dp_type *table, const struct dp_type *physical, const struct dp_type *file);

#endif

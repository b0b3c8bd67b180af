/*
 * Making a table from a contract: its columns, partition columns and properties as one log entry.
 */
#ifndef DP_IO_CREATE_H
#define DP_IO_CREATE_H

#include <dp/delta/commit.h>
#include <dp/io/run.h>

struct dp_create_opts {
    const char *table, *contract;                   /* contract: FILE or FILE#OBJECT */
    const char *name;                               /* NULL: the contract's object */
    const char *const *by; size_t n_by;             /* keys as dp/rules/layout.h reads them; none: the contract's */
    const char *const *property; size_t n_property; /* "KEY=VALUE" */
};

struct dp_created {
    bool existed;            /* with this schema and these partition columns; nothing was done */
    int64_t version;
    size_t columns, partition_columns;
};

/* With run->dry_run nothing is made.  DP_SCHEMA: a table with another schema is there, or names or types that no table can have. */
enum dp_status dp_create_table(struct dp_run *run, const struct dp_create_opts *o, struct dp_created *out, struct dp_err *err) DP_MUST_CHECK;

/* The warning that a table made now is mapped because of this column (cause.p NULL: none is due). */
void dp_create_warn(struct dp_run *run, const char *table, struct dp_str cause);

#endif

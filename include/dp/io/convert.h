/*
 * A directory of Parquet files becomes a table where it stands (digest section 18; dp-table(1), convert): version 0 adds the files as they are, with statistics from
 * their footers and the partition values of name=value directories.  Nothing is moved, copied or rewritten.
 */
#ifndef DP_IO_CONVERT_H
#define DP_IO_CONVERT_H

#include <dp/io/run.h>

struct dp_convert_opts {
    const char *dir;
    const char *by;        /* "day date, hour int32": types of the partition columns; NULL: the contract's, else what all values are */
    const char *contract;  /* FILE[#OBJECT] or NULL */
};

struct dp_converted {
    size_t files, columns, partition_columns, passed_over; /* passed_over: files that are not Parquet */
    int64_t rows, bytes;
};

/* With run->dry_run nothing is made.  DP_USAGE: it is a table already; DP_SCHEMA: the files have no common schema, or directories differ in their keys. */
enum dp_status dp_convert_directory(struct dp_run *run, const struct dp_convert_opts *o, struct dp_converted *out, struct dp_err *err) DP_MUST_CHECK;

#endif

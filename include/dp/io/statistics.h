/*
 * What the footers of Parquet files, and of the live files of Delta tables, say of columns over all rows.  No data page is read.
 * Rows that deletion vectors delete are not counted; their values widen bounds, so times are not exact then, and nulls only known where there are none.
 */
#ifndef DP_IO_STATISTICS_H
#define DP_IO_STATISTICS_H

#include <dp/io/run.h>
#include <dp/rules/check_stats.h>

struct dp_statistics;

/* All names must be Parquet files or tables (dp_typed_is). */
enum dp_status dp_statistics_open(struct dp_run *run, const char *const *names, size_t n, struct dp_statistics **out, struct dp_err *err) DP_MUST_CHECK;
void dp_statistics_close(struct dp_statistics *s); /* NULL is legal */
/* For dp_check_answer; borrowed until close. */
struct dp_check_stats dp_statistics_view(struct dp_statistics *s);
/* Is there a column of this name in every source? */
bool dp_statistics_everywhere(const struct dp_statistics *s, const char *name);

#endif

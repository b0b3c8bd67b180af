/* The parts of verification: the log (verify_log.c), the statistics of a file (verify_stats.c), the files (verify.c). */
#ifndef DP_DELTA_VERIFY_PRIV_H
#define DP_DELTA_VERIFY_PRIV_H

#include <dp/base/num.h>
#include <dp/delta/verify.h>

struct dp_pq_file;

struct verify {
    const char *table;
    const struct dp_delta_verify_opts *o;
    struct dp_delta_verified *out;
    struct dp_delta_lines *lines; /* read the commits, statistics too: each entry is to be readable as it stands */
};

enum dp_status verify_found(struct verify *v, const char *what, struct dp_err *err, const char *fmt, ...) DP_PRINTF(4, 5) DP_MUST_CHECK;

/* The log up to a version (-1: the latest). */
enum dp_status verify_log(struct verify *v, int64_t version, struct dp_err *err) DP_MUST_CHECK;

/* What a column of a file is said to hold: of the log. */
enum bound_form { BOUND_NONE, BOUND_INT, BOUND_DOUBLE, BOUND_TEXT };
struct bound {
    enum bound_form form;
    dp_i128 i;      /* integers, days, microseconds, unscaled decimals */
    double d;
    struct dp_str s;
};
struct leaf_stats {
    struct bound min, max;
    int64_t nulls;  /* -1: nothing is said, or nothing that counts */
};
struct file_stats {
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record rec;
    struct dp_arena arena;
    int64_t rows;   /* numRecords, -1 absent */
    bool tight; /* min, max and null counts are exact */
};

/* False: there are none, or they are no JSON object (*broken). */
bool file_stats_open(const struct dp_delta_file *f, struct file_stats *s, bool *broken);
void file_stats_close(struct file_stats *s);
/* Against the footer: texts of what is wrong, each with a newline behind. */
void file_stats_against_footer(const struct dp_delta_snapshot *t, struct file_stats *s, const struct dp_pq_file *pq, struct dp_buf *out);
/* Against the rows of a file, all of them (deleted ones too): decodes it.  *rows: how many there are. */
enum dp_status file_stats_against_rows(const struct dp_delta_snapshot *t, struct file_stats *s, const struct dp_delta_file *f, const char *path, uint64_t memory,
                                       int64_t *rows, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#endif

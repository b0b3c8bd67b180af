/* What the files of the ledger share: ledger.c (the file, its locks, positions), ledger_points.c (its earlier commits). */
#ifndef DP_IO_LEDGER_PRIV_H
#define DP_IO_LEDGER_PRIV_H

#include "sqlite_priv.h"

#include <dp/base/map.h>
#include <dp/io/ledger.h>

#include <pthread.h>

struct noted {
    char *old_id, *id; /* the row that is replaced, and its new id */
    uint64_t position;
    bool is_written;
};

struct dp_ledger {
    struct dp_sqlite sq;
    char *path, *job;
    bool read_only;
    int64_t wait_ms;
    int fd;       /* for the locks; -1: none */
    void *db;     /* NULL: nothing there to read */
    int version;  /* of the tables; 0: there are none */
    long long told; /* the point whose positions were told, -1: none */
    size_t n_locked;
    bool all_locked;
    struct dp_map noted; /* source -> struct noted */
    pthread_mutex_t lock; /* of the database: a file may join while another's position is written */
};

/* What SQLite's code means; its own calls. */
enum dp_status ledger_failed(const struct dp_ledger *l, int rc, struct dp_err *err);
enum dp_status ledger_sql(struct dp_ledger *l, const char *sql, struct dp_err *err) DP_MUST_CHECK;
/* The first column of the first row, 0 where there is none. ?1 is the job, ?2 text (NULL: none), ?3 n. */
enum dp_status ledger_number(struct dp_ledger *l, const char *sql, const char *text, long long n, long long *v, struct dp_err *err) DP_MUST_CHECK;

/* ---- ledger_points.c; inside a transaction of the caller, but for the last ---- */

extern const char ledger_points_tables[];
enum dp_status ledger_point_next(struct dp_ledger *l, long long *seq, struct dp_err *err) DP_MUST_CHECK;
/* And drops those that are too old. */
enum dp_status ledger_point_add(struct dp_ledger *l, long long seq, const char *id, const char *run, const char *time, struct dp_err *err) DP_MUST_CHECK;
/* DP_AGAIN: another run has read the source since our positions were told. */
enum dp_status ledger_check_moved(struct dp_ledger *l, const char *source, struct dp_err *err) DP_MUST_CHECK;

#endif

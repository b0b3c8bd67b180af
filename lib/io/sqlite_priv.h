/* SQLite, opened with dlopen at first use: the few functions of its ABI that are used, declared here.  Private to lib/io. */
#ifndef DP_IO_SQLITE_PRIV_H
#define DP_IO_SQLITE_PRIV_H

#include <dp/base/status.h>

enum { SQ_OK = 0, SQ_BUSY = 5, SQ_LOCKED = 6, SQ_READONLY = 8, SQ_CORRUPT = 11, SQ_NOTADB = 26, SQ_ROW = 100, SQ_DONE = 101 };
enum { SQ_FULL = 13, SQ_CANTOPEN = 14 };
enum { SQ_CONFIG_NO_CKPT_ON_CLOSE = 1006 };
enum { SQ_OPEN_READONLY = 1, SQ_OPEN_READWRITE = 2, SQ_OPEN_CREATE = 4, SQ_OPEN_URI = 64, SQ_OPEN_NOMUTEX = 0x8000 /* one thread at a time has it: the caller sees to that */ };
enum { SQ_INTEGER = 1, SQ_FLOAT = 2, SQ_TEXT = 3, SQ_BLOB = 4, SQ_NULL = 5 };

/* Zero value is closed. */
struct dp_sqlite {
    void *lib;
    int (*open)(const char *, void **, int, const char *);
    int (*close)(void *);
    int (*busy_timeout)(void *, int);
    int (*config)(void *, int, ...); /* sqlite3_db_config */
    int (*busy_handler)(void *, int (*)(void *, int), void *);
    int (*changes)(void *);
    long long (*last_insert_rowid)(void *);
    int (*autocommit)(void *);
    int (*exec)(void *, const char *, int (*)(void *, int, char **, char **), void *, char **);
    int (*prepare)(void *, const char *, int, void **, const char **);
    int (*bind_text)(void *, int, const char *, int, void (*)(void *));
    int (*bind_int64)(void *, int, long long);
    int (*bind_blob)(void *, int, const void *, int, void (*)(void *));
    int (*bind_null)(void *, int);
    int (*step)(void *);
    int (*reset)(void *);
    int (*finalize)(void *);
    int (*column_count)(void *);
    int (*column_type)(void *, int);
    int (*column_bytes)(void *, int);
    const char *(*column_name)(void *, int);
    const void *(*column_blob)(void *, int);
    const unsigned char *(*column_text)(void *, int);
    long long (*column_int64)(void *, int);
    double (*column_double)(void *, int);
    const char *(*errmsg)(void *);
};

/* `what` needs it ("a ledger"). DP_UNSUPPORTED: it is not there. */
enum dp_status dp_sqlite_load(struct dp_sqlite *sq, const char *what, struct dp_err *err) DP_MUST_CHECK;
void dp_sqlite_unload(struct dp_sqlite *sq);

#endif

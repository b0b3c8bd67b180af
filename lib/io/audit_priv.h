/* What the files of the audit log share (dp/io/audit.h). */
#ifndef DP_IO_AUDIT_PRIV_H
#define DP_IO_AUDIT_PRIV_H

#include <dp/base/limits.h>
#include <dp/io/audit.h>

#define AUDIT_EXPIRED "expired.ndjson"
#define AUDIT_ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_NAME 48 /* bytes of a segment's name */

/* The numbers of the segments that are there, ascending. */
struct audit_list {
    uint64_t *v;
    size_t n, cap;
};
enum dp_status audit_list(const char *dir, struct audit_list *l, struct dp_err *err) DP_MUST_CHECK;
void audit_name(char out[AUDIT_NAME], uint64_t segment);
char *audit_path(const char *dir, uint64_t segment); /* caller frees */

/* One line by its bytes: parts are borrowed from it. */
struct audit_line {
    bool is_head;
    uint64_t seq, segment; /* segment: of a head */
    struct dp_str log;     /* of a head */
    struct dp_str time, kind, action;  /* kind and action: of an entry */
    struct dp_str prev, hash;
};
/* NULL: it is one, and its hash holds; else what is wrong.  out->hash and out->seq are set as far as they can be read (hash.n, seq not 0). */
const char *audit_parse(struct dp_str line, struct audit_line *out);
/* Adds `,"prev":…,"hash":…}` and the newline behind what stands in b from `from` on. */
void audit_seal(struct dp_buf *b, size_t from, const char *prev, char hash[DP_AUDIT_HASH]);

/* Text into `cap` bytes, NUL behind it. */
void audit_copy(char *to, size_t cap, struct dp_str s);

/* A tombstone; its line is that of expired.ndjson. */
struct audit_tomb {
    uint64_t segment, first, last;
    char log[DP_AUDIT_ID], from[41], to[41], prev[DP_AUDIT_HASH], end[DP_AUDIT_HASH];
};
void audit_tomb_print(struct dp_buf *b, const struct audit_tomb *t);
const char *audit_tomb_parse(struct dp_str line, struct audit_tomb *t); /* NULL, or what is wrong */
/* The file's bytes, empty where there is none. */
enum dp_status audit_tombs_read(const char *dir, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;

/* ---- reading (audit_read.c) ---- */

/* dp_audit_read; `lines` NULL, or called with each line that holds, heads too.  `locked`: the caller has the lock. */
struct audit_lines {
    void *ctx;
    void (*line)(void *ctx, uint64_t segment, const struct audit_line *l);
};
enum dp_status audit_read(const char *dir, const struct dp_audit_reader *r, const struct audit_lines *lines, bool locked, struct dp_audit_seen *seen, struct dp_err *err) DP_MUST_CHECK;
/* One segment from a file, as the first of a log (for tests by bytes). */
enum dp_status audit_read_segment(int fd, uint64_t size, const struct dp_audit_reader *r, struct dp_audit_seen *seen, struct dp_err *err) DP_MUST_CHECK;

/* ---- the log under its lock (audit.c) ---- */

/* How it ends. */
struct audit_tip {
    uint64_t segment;        /* 0: there is none */
    uint64_t first, seq;     /* of the segment's first entry to be; of the last entry, 0: none */
    uint64_t size, torn;     /* bytes of whole lines in the segment, and of a torn one behind them */
    char log[DP_AUDIT_ID], hash[DP_AUDIT_HASH], time[41]; /* hash and time of the last line */
    int fd;                  /* of the segment, -1 */
};

struct ticket {
    uint64_t seq;
    char *action, *object; /* object may be NULL */
};

struct dp_audit {
    const struct dp_run *run;
    char *dir;
    int dir_fd;              /* what is locked */
    unsigned mode;           /* of files */
    uint64_t segment_bytes, segment_entries;
    char *login, *host;
    struct audit_tip tip;
    struct ticket *open;
    size_t n_open, cap_open;
};

enum dp_status audit_lock(struct dp_audit *a, struct dp_err *err) DP_MUST_CHECK; /* and looks where the log ends */
void audit_unlock(struct dp_audit *a);
/* Under the lock.  `of` 0: no end. */
struct audit_add {
    const char *kind;
    const struct dp_audit_intent *intent;
    uint64_t of;
    enum dp_status outcome;
};
enum dp_status audit_append(struct dp_audit *a, const struct audit_add *add, uint64_t *seq, struct dp_err *err) DP_MUST_CHECK;
/* Under the lock: where a torn line is, an entry over it. */
enum dp_status audit_repair(struct dp_audit *a, struct dp_err *err) DP_MUST_CHECK;
/* Under the lock: the next segment, which closes the one before. */
enum dp_status audit_rotate(struct dp_audit *a, struct dp_err *err) DP_MUST_CHECK;

#endif

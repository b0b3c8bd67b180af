/*
 * The audit log: who did what to which data, when and why.  Append-only, each entry chained to the one before it by SHA-256.
 *
 * A directory of segments, segment-000001.ndjson and on: lines of JSON, LF at the end of each.  The first line of a segment is its head
 *
 *     {"dp_audit":1,"log":"UUID","segment":1,"seq":1,"time":"…","prev":"…","hash":"…"}
 *
 * (`seq` is that of the first entry behind it), every other line is an entry
 *
 *     {"seq":1,"time":"…","kind":"begin","action":"table.vacuum","object":"file:///lake/orders","actor":{"uid":0,"login":"ann","host":"h","pid":7,"as":"…"},
 *      "program":"dp-table","version":"0.1.0","run":"…","why":"…","what":{…},"prev":"…","hash":"…"}
 *
 * `prev` is the hash of the line before, across segments (zeros in the first), `hash` the SHA-256 of all bytes of the line in front of `,"hash"`.  `as` is what DP_ACTOR says, `now`
 * what --now said: claims, kept as such.  A segment that has 4 MiB (or DP_AUDIT_SEGMENT) or 10,000 entries is closed by the next one's head.
 *
 * What is audited begins before it acts (on disk when dp_audit_begin returns; where that fails the command must not run) and ends afterwards.  A begin without an end is one
 * whose process died, and shows as open.  No personal data stands in an entry: the subject of one is given as a keyed or salted digest.
 *
 * Several processes append at once (flock of the directory).  A kill can leave a torn last line and no more; the next append writes an entry of kind `repair` over it, with the
 * length and the digest of what was there.  An append that fails leaves the log as it was.
 *
 * Retention of the log itself: whole segments go, oldest first, and leave a tombstone each in expired.ndjson, so that the chain can still be checked; the tombstones are covered by
 * the entry that says who removed them.
 *
 * A reader finds any changed byte, and each entry or segment that was removed, swapped, repeated or put in.  Without an anchor nobody can find that whole entries were cut
 * from the end, that the log was written anew from some entry on, or that it is another one; with an anchor, kept elsewhere, that is found for all that it covers.
 *
 *     struct dp_audit *log = NULL; uint64_t ticket;
 *     DP_TRY(dp_audit_open(run, conf->audit, &log, err));
 *     status = dp_audit_begin(log, &(struct dp_audit_intent){.action = "table.vacuum", .object = uri, .why = conf->reason}, &ticket, err);
 *     if (status == DP_OK) status = act(...), status = dp_audit_end(log, ticket, status, what, err);
 *     dp_audit_close(log);
 */
#ifndef DP_IO_AUDIT_H
#define DP_IO_AUDIT_H

#include <dp/io/run.h>

#define DP_AUDIT_HASH 65 /* hex and its NUL */
#define DP_AUDIT_ID 37   /* a log's id and its NUL */

/* ---- writing ---- */

struct dp_audit;

struct dp_audit_intent {
    const char *action;  /* "table.vacuum": program's object and verb */
    const char *object;  /* dataset, as a URI (dp_audit_object); NULL: none */
    const char *why;     /* --reason; NULL: not given */
    struct dp_str what;  /* a JSON object on one line: counts, versions, digests, the case; empty: nothing */
};

/* Where the log is: `dir`, or (NULL or empty) $XDG_STATE_HOME/dp/audit, else ~/.local/state/dp/audit.  NULL: nobody knows a home.  Caller frees. */
char *dp_audit_directory(const char *dir);
/* A table or file by path as object of an entry: file:// and its absolute path.  Caller frees. */
char *dp_audit_object(const char *path);

/* Makes the directory (0700) where there is none.  DP_IO: it can't be used, the command must not run. */
enum dp_status dp_audit_open(const struct dp_run *run, const char *dir, struct dp_audit **out, struct dp_err *err) DP_MUST_CHECK;
/* What began and did not end stays open.  NULL is legal. */
void dp_audit_close(struct dp_audit *a);
/* Closes segments at other sizes than the usual; 0: as it is. */
void dp_audit_set_segment(struct dp_audit *a, uint64_t bytes, uint64_t entries);

/* The intent is copied.  DP_IO, DP_AGAIN (another process held the log for 10 s), DP_LIMIT (an entry over 64 KiB), DP_FORMAT (the log's end is damaged): nothing was written. */
enum dp_status dp_audit_begin(struct dp_audit *a, const struct dp_audit_intent *i, uint64_t *ticket, struct dp_err *err) DP_MUST_CHECK;
/* What came of it: `outcome` is that of the act, whose message is not kept.  Returns outcome where that is a failure, else whether the entry was written. */
enum dp_status dp_audit_end(struct dp_audit *a, uint64_t ticket, enum dp_status outcome, struct dp_str what, struct dp_err *err) DP_MUST_CHECK;
/* An entry of its own, for what is done in one step. */
enum dp_status dp_audit_note(struct dp_audit *a, const struct dp_audit_intent *i, struct dp_err *err) DP_MUST_CHECK;

/* ---- reading ---- */

struct dp_audit_entry {
    uint64_t seq;
    const char *segment;  /* name of its file */
    uint64_t line;
    struct dp_str text;   /* without the newline */
};

struct dp_audit_anchor {
    char log[DP_AUDIT_ID], hash[DP_AUDIT_HASH], time[41];
    uint64_t seq;
    const char *source;   /* borrowed; for findings */
    uint64_t line;
};

/* What a read met.  Zeroed by the reader. */
struct dp_audit_seen {
    char log[DP_AUDIT_ID];
    uint64_t segments, entries, first, last;        /* entries that are there; 0: none */
    uint64_t expired_segments, expired_entries;
    uint64_t repairs;
    uint64_t findings;
    uint64_t anchors, anchors_expired;              /* that hold; that are of entries which expired */
    bool torn;                                      /* the last line has no end: one of the findings */
    char hash[DP_AUDIT_HASH], time[41];             /* of the last entry */
};

struct dp_audit_reader {
    void *ctx;
    /* Borrowed until it returns; only entries that hold.  NULL: only checked. */
    enum dp_status (*entry)(void *ctx, const struct dp_audit_entry *e, struct dp_err *err);
    /* NULL: the first finding ends the read with DP_FORMAT. `line` 0: not of a line. */
    enum dp_status (*finding)(void *ctx, const char *source, uint64_t line, const char *text, struct dp_err *err);
    const struct dp_audit_anchor *anchors;          /* in any order */
    size_t n_anchors;
};

/* Reads the whole log as it is at this moment, and checks it.  Memory is bounded by the longest line.  DP_IO: there is none.  Findings alone are DP_OK where `finding` is there. */
enum dp_status dp_audit_read(const char *dir, const struct dp_audit_reader *r, struct dp_audit_seen *seen, struct dp_err *err) DP_MUST_CHECK;

/* ---- anchors ---- */

struct dp_sign_key;
struct dp_sign_public;

/* The line to keep elsewhere, of the last entry that was seen:  dp-audit 1 LOG SEQ HASH TIME [ed25519 KEY-ID SIGNATURE]  and its newline.  Key NULL: not signed. */
enum dp_status dp_audit_anchor_print(const struct dp_audit_seen *seen, const struct dp_sign_key *key, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;
/* Adds those of a text, a line each; blank ones and those that begin with # are passed over.  `source` is borrowed by each.  Key NULL: signatures are not looked at; else each
   must have one of it (DP_FORMAT).  Caller frees *v. */
struct dp_audit_anchors {
    struct dp_audit_anchor *v;
    size_t n, cap;
};
enum dp_status dp_audit_anchors_add(struct dp_audit_anchors *a, struct dp_str text, const char *source, const struct dp_sign_public *key, struct dp_err *err) DP_MUST_CHECK;

/* ---- retention of the log ---- */

struct dp_audit_expired {
    uint64_t segments, entries, bytes;
    uint64_t first, last;  /* entries that went */
};
/* Removes the segments whose entries are all older than `before`; the log is read and checked first, a damaged one is left alone (DP_FORMAT).  The newest segment is closed
   where it is old too.  An expiry that was interrupted is finished by the next. */
enum dp_status dp_audit_expire(struct dp_audit *a, int64_t before_micros, const char *why, bool dry_run, struct dp_audit_expired *out, struct dp_err *err) DP_MUST_CHECK;

#endif

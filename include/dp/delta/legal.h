/*
 * Legal holds: what has to be kept for a case, whatever rules, vacuum and erasure say.
 *
 * A hold of a table is a file of it, T/_dp_holds/CASE.json (0600: it names people), one object of JSON:
 *
 *     {"dp_legal_hold":1,"case":"C-7","reason":"...","who":"ann","time":"2026-01-02T03:04:05.000000Z","whole":false,
 *      "partitions":[{"column":"day","value":"2026-01-01"}],"subjects":[{"column":"email","value":"x@example.org"}]}
 *
 * Each of several cases holds for itself.  What can't be read or understood in T/_dp_holds holds the whole table.
 *
 * Held physically (vacuum): by a whole table or a subject all files; by partitions those that are not sure to be of others.  The log is not cleaned while there is any hold.
 * Held from rules: the rows of the partitions and subjects.  A hold is written and removed while nobody places or deletes files (dp/delta/hold.h), so who
 * deletes asks under the same lock.
 */
#ifndef DP_DELTA_LEGAL_H
#define DP_DELTA_LEGAL_H

#include <dp/delta/snapshot.h>

#define DP_LEGAL_DIR "_dp_holds"

struct dp_legal_scope {
    struct dp_str column, value;
};

struct dp_legal_hold {
    struct dp_str name;                     /* the case; of what can't be read the file */
    struct dp_str reason, who, time;
    const char *trouble;                    /* why the file can't be read, NULL: it can */
    bool whole;
    struct dp_legal_scope *partitions, *subjects;
    size_t n_partitions, n_subjects;
};

/* The holds of one table, by name.  Zero value: none. */
struct dp_legal {
    struct dp_legal_hold *v;
    size_t n, cap;
    bool whole;                             /* some hold is of the whole table */
    bool subjects;                          /* some is of subjects */
    struct dp_arena arena;
};

/* Letters, digits, dots, underscores and hyphens, the first a letter or a digit, at most DP_LIMIT_HOLD_CASE bytes. */
bool dp_legal_case_ok(struct dp_str name);
/* Of a file's text; everything is copied into the arena.  DP_FORMAT, DP_UNSUPPORTED: another version. */
enum dp_status dp_legal_parse(struct dp_str text, struct dp_arena *arena, struct dp_legal_hold *out, struct dp_err *err) DP_MUST_CHECK;
/* The object and a newline behind b's content. */
void dp_legal_print(const struct dp_legal_hold *h, struct dp_buf *b);

/* Reads the holds of a table; never fails: what can't be read is a hold of the whole table. */
void dp_legal_read(const char *table, struct dp_legal *out);
void dp_legal_release(struct dp_legal *l); /* frees what was read; ends no hold */
/* "case A, case B, and _dp_holds/x, which can't be read (why)" behind b's content. */
void dp_legal_names(const struct dp_legal *l, struct dp_buf *b);
/* DP_RULE: "TABLE: WHAT: held by case A, case B". */
enum dp_status dp_legal_refuse(const struct dp_legal *l, const char *table, const char *what, struct dp_err *err);

/* May this file of the table have something of a held partition?  True also where a whole table is held. */
bool dp_legal_holds_file(const struct dp_legal *l, const struct dp_delta_snapshot *s, const struct dp_delta_file *f);
/* The rows of held subjects as an expression behind out's content, nothing where there are none; false: it can't be said of this schema, so all rows are held. */
bool dp_legal_rows(const struct dp_legal *l, const struct dp_type *schema, struct dp_buf *out);
/* The question of who erases: do holds keep this subject's rows?  Their cases, with ", " between, behind `cases` (may be NULL).  A held partition may have rows of it: it counts. */
bool dp_legal_holds_subject(const struct dp_legal *l, struct dp_str column, struct dp_str value, struct dp_buf *cases);

/*
 * Adds a hold, or widens the one of this case; waits for who deletes.  Columns are looked up in the latest version: DP_USAGE for one that is not there or (partitions) does not
 * partition, DP_UNSUPPORTED for a subject's column that is neither text nor integer.  DP_RULE: what is there under the name can't be read.  Killed anywhere it holds or it doesn't.
 */
enum dp_status dp_legal_add(const char *table, const struct dp_legal_hold *h, struct dp_err *err) DP_MUST_CHECK;
/* Looks what dp_legal_add would refuse, and changes nothing. */
enum dp_status dp_legal_check(const char *table, const struct dp_legal_hold *h, struct dp_err *err) DP_MUST_CHECK;
/* Ends one.  DP_RULE: there is none of this name. */
enum dp_status dp_legal_remove(const char *table, struct dp_str name, struct dp_err *err) DP_MUST_CHECK;
/* Adds the holds of a table to its copy; nothing there is removed.  DP_FORMAT: one can't be read. */
enum dp_status dp_legal_copy(const char *from, const char *to, struct dp_err *err) DP_MUST_CHECK;

#endif

/*
 * A person in the data: by which identifiers, in which columns of which datasets, and in which rows.
 *
 *     struct dp_subject s = {0};
 *     dp_subject_add_word(&s, "customer_id=42", err); dp_subject_close_over(run, &s, "graph.ndjson", err);   who
 *     dp_subject_find(run, &s, &where, &places, err);                                                         where
 *     for each place: dp_subject_read(run, &s, place, fn, ctx, err);                                          what
 *
 * An identifier is a name and a value as text.  Names are told apart without case (ASCII), values by every byte; in data a number equals the identifier whose value spells it, by
 * its digits (42 is 42.0, and no double comes between), and so does the string.
 * Released with dp_subject_release, dp_subject_places_release.
 */
#ifndef DP_IO_SUBJECT_H
#define DP_IO_SUBJECT_H

#include <dp/base/map.h>
#include <dp/io/run.h>
#include <dp/record/type.h>

/* ---- who ---- */

struct dp_subject_id { char *name, *value; bool is_given; };
/* Zero value is nobody. */
struct dp_subject {
    struct dp_subject_id *v; /* n of them, as they came; those that the graph added behind those given */
    size_t n, cap;
    struct dp_map known;     /* name in lower case, NUL, value -> index */
};
void dp_subject_release(struct dp_subject *s);
/* Copies; one that is known already changes nothing.  DP_USAGE: an empty name or value, or one with a control byte or that is no UTF-8; DP_LIMIT: more than DP_LIMIT_SUBJECT_IDS of
   them, more names than DP_LIMIT_SUBJECT_NAMES, or a value over DP_LIMIT_SUBJECT_VALUE bytes. */
enum dp_status dp_subject_add(struct dp_subject *s, struct dp_str name, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;
/* NAME=VALUE. */
enum dp_status dp_subject_add_word(struct dp_subject *s, struct dp_str word, struct dp_err *err) DP_MUST_CHECK;
/* A file of such lines; blank ones and those that begin with # are passed over.  "-": standard input. */
enum dp_status dp_subject_add_file(struct dp_subject *s, const char *path, struct dp_err *err) DP_MUST_CHECK;
/*
 * Adds what a graph of identifiers says of the same person: `source` is anything that dp reads; the members of a record that are strings, numbers or arrays of them are identifiers of one
 * person.  Records that share one with what is known add theirs, until none does; the source is read once more than the chain is long.  DP_LIMIT: more identifiers than one
 * person has, so that a value is shared by many; names the field that brought most records in.  DP_FORMAT: a record that can't be read.
 */
enum dp_status dp_subject_close_over(struct dp_run *run, struct dp_subject *s, const char *source, struct dp_err *err) DP_MUST_CHECK;
/* Salted: SHA-256 with a key of 16 random bytes over the identifiers that were given, in order of their keys.  Hex and NUL. */
void dp_subject_digest(const struct dp_subject *s, char salt[33], char digest[65]);

/* ---- where ---- */

enum dp_subject_why { DP_SUBJECT_NAMED, DP_SUBJECT_TOLD, DP_SUBJECT_COPIED };
struct dp_subject_column {
    char *column;              /* "customer.email", "ids[]" */
    char *id;                  /* name of the identifiers that stand in it */
    enum dp_subject_why why;   /* it has that name; --column says so; lineage says that its values came from such a column or went there */
};
enum dp_subject_state {
    DP_SUBJECT_SEARCHED,
    DP_SUBJECT_NO_COLUMN,      /* it holds none of the identifiers by what is known of its columns */
    DP_SUBJECT_GONE,           /* lineage knows it, and it is not there any more */
    DP_SUBJECT_UNREACHABLE     /* on another system, or can't be read: `fault` says why */
};
struct dp_subject_place {
    char *name;                        /* path, or NAMESPACE/NAME */
    int64_t dataset;                   /* of the store; 0: not known there */
    enum dp_subject_state state;
    char *fault;                       /* or NULL */
    struct dp_type *schema;            /* or NULL */
    struct dp_subject_column *columns; /* to search */
    size_t n_columns, cap_columns;
    const char *as_of;                 /* of a table: the version to read (NULL: the latest); borrowed */
    char **masked;                     /* columns that hold what came of them through a mask: not found by clear values */
    size_t n_masked, cap_masked;
};
/* Zero value is none.  In the order of names. */
struct dp_subject_places { struct dp_subject_place *v; size_t n, cap; };
struct dp_catalog;
struct dp_subject_where {
    struct dp_catalog *store;                 /* of lineage, or NULL */
    const char *const *operands; size_t n_operands; /* files, tables, directories of both */
    const char *const *columns; size_t n_columns;   /* DATASET#COLUMN=NAME */
    bool only_columns;                        /* names of columns mean nothing: only `columns`, and copies of those */
};
/* DP_USAGE: a word of `columns` that is none, or that names a place which is not there. */
enum dp_status dp_subject_find(struct dp_run *run, const struct dp_subject *s, const struct dp_subject_where *w, struct dp_subject_places *out, struct dp_err *err) DP_MUST_CHECK;
void dp_subject_places_release(struct dp_subject_places *p);

/* ---- what ---- */

struct dp_subject_seen { uint64_t rows, found, unreadable; }; /* rows that were looked at (what statistics exclude is not); the subject's; that are no records */
typedef enum dp_status (*dp_subject_fn)(void *ctx, struct dp_str lines, uint64_t n, struct dp_err *err);
/* The rows of a place that is SEARCHED, as n lines of NDJSON, in their order.  A record that can't be read is counted and passed over.  DP_LIMIT: more
   identifiers than a condition over its columns holds (DP_LIMIT_EXPR_BYTES). */
enum dp_status dp_subject_read(struct dp_run *run, const struct dp_subject *s, const struct dp_subject_place *place, dp_subject_fn fn, void *ctx, struct dp_subject_seen *seen, struct dp_err *err) DP_MUST_CHECK;

#endif

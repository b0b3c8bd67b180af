/*
 * All that is known of a person as one zip that a person can open (GDPR articles 15 and 20, CCPA 1798.110): index.html, which explains it, data/NAME.csv and data/NAME.json for
 * each dataset with rows of the person, manifest.json with the digests of these.
 *
 * With `history` rows that only older versions of a table have, as far as these can be read, are a dataset of their own, NAME-history, each once with a version that has it.
 *
 * The audit log is written before anything of the person is read, and where that can't be nothing is.  The package has mode 0600, is visible under its name only when it is whole, and
 * never takes the place of a file that is there.  The same data, options and --now give the same bytes.
 */
#ifndef DP_IO_EXPORT_H
#define DP_IO_EXPORT_H

#include <dp/io/subject.h>

enum dp_export_law { DP_EXPORT_GDPR, DP_EXPORT_CCPA };

struct dp_export_opts {
    struct dp_subject *subject;                   /* those given; what the graph says is added */
    const char *const *graphs; size_t n_graphs;   /* of identifiers */
    struct dp_subject_where where;                /* its store is opened by the caller */
    bool history;                                 /* older versions of tables too */
    const char *const *contracts; size_t n_contracts; /* FILE[#OBJECT] */
    const char *const *redact; size_t n_redact;   /* COLUMN or DATASET#COLUMN, top-level, whose values are not shown */
    const char *output;                           /* the zip */
    const char *audit, *why, *request;            /* directory of the log or NULL; --reason; the request's number or NULL */
    enum dp_export_law law;
    int64_t received;                             /* micros; INT64_MIN: run->now_micros */
};

struct dp_export_result {
    uint64_t identifiers;                         /* with those of the graph */
    uint64_t searched, tables, rows;              /* datasets; of them with rows of the person; those rows */
    uint64_t without_column, gone, unreachable;   /* datasets that could not hold them by their columns; that are not there any more; that could not be searched, or not wholly */
    uint64_t history_rows;                        /* of `rows`: those of older versions */
    uint64_t unreadable;                          /* records that could not be read */
    uint64_t bytes;                               /* of the package */
    char sha256[65];
    char received[41], due[41], extended[41];     /* dates: the answer is due at the end of that day (UTC); extended where the law's extension was told the person */
    int64_t days_left;                            /* negative: late */
};

/* DP_USAGE: the output is there already, or there is nothing to search; DP_IO: no audit log, and nothing was read.  What can't be searched is told in the package, counted, no failure. */
enum dp_status dp_export(struct dp_run *run, const struct dp_export_opts *o, struct dp_export_result *out, struct dp_err *err) DP_MUST_CHECK;

#endif

/*
 * OpenLineage 2-0-2: names of datasets, ids of runs, and events as one line of JSON.
 *
 * A dataset is known by two strings, compared byte for byte, so each has one way to be written (spec, Naming).  An event that is printed has no value
 * out of any row.  Facets carry their own versions: schema 1-2-0, columnLineage 1-2-0, dataQualityMetrics 1-0-3, dataQualityAssertions 1-1-0,
 * inputStatistics 1-0-0, outputStatistics 1-0-2, lifecycleStateChange 1-0-1, parent 1-2-0, errorMessage 1-0-1, nominalTime 1-0-1, jobType 2-0-4,
 * processing_engine 1-1-1, and the others as the table in lib/rules/openlineage.c lists them.
 */
#ifndef DP_RULES_OPENLINEAGE_H
#define DP_RULES_OPENLINEAGE_H

#include <dp/base/buf.h>
#include <dp/record/type.h>

/* ---- names ---- */

/* Zero value is none; strings owned, dp_ol_name_release. */
struct dp_ol_name { char *ns, *name; };
/*
 * The identity of what a path, a file: URL or another URL names.  Paths are made absolute by `cwd` and cleaned in text (".", "..", "//", a slash at the end); hosts go to lower
 * case, default ports are written out, user and password are left out, of several Kafka brokers the first counts.  DP_USAGE: no name can be made of it.
 */
enum dp_status dp_ol_name_of(const char *what, const char *cwd, struct dp_ol_name *out, struct dp_err *err) DP_MUST_CHECK;
void dp_ol_name_release(struct dp_ol_name *n);

/* ---- ids: 36 characters and NUL ---- */

/* Version 7 (RFC 9562): ordered by time. */
void dp_ol_uuid7(int64_t now_micros, char out[37]);
/* Version 5 of a text in the URL namespace: the same text, the same id.  A text that is a UUID already stays it, in lower case. */
void dp_ol_uuid_of(struct dp_str text, char out[37]);
/* Version 7 of a time, with a hash of it and the text for what is random else: as OpenLineage's Python client makes ids that can be made again (Airflow's runs). */
void dp_ol_uuid_at(int64_t micros, struct dp_str text, char out[37]);

/* ---- what an event says ---- */

enum dp_ol_event { DP_OL_START, DP_OL_RUNNING, DP_OL_COMPLETE, DP_OL_FAIL, DP_OL_ABORT, DP_OL_OTHER };
enum dp_ol_lifecycle { DP_OL_LIFE_NONE, DP_OL_ALTER, DP_OL_CREATE, DP_OL_DROP, DP_OL_OVERWRITE, DP_OL_RENAME, DP_OL_TRUNCATE };

/* Zero value is one without rows; everything owned, dp_ol_dataset_release. A further facet of a key stands for ours of that key. */
struct dp_ol_dataset {
    struct dp_ol_name id;
    bool is_output;
    struct dp_type *schema;      /* NULL: not known */
    char *columns;               /* outputs: `fields` of a columnLineage facet as JSON object text, and */
    char *columns_all;           /* its `dataset` as JSON array text; NULL: not known */
    char *version;               /* datasetVersion; NULL */
    char *layer, *format;        /* storage: "delta", "parquet"; NULL */
    enum dp_ol_lifecycle lifecycle;
    struct dp_ol_name previous;  /* DP_OL_RENAME */
    uint64_t rows, bytes, files; /* inputStatistics, outputStatistics; UINT64_MAX: not known, and what release leaves */
    char **parts;                /* files or partitions of it that this run touched (subset), n_parts of them */
    size_t n_parts;
    struct dp_buf facets;        /* further facets, each ",\"key\":{...}": of the dataset, and */
    struct dp_buf io_facets;     /* of it as input or output (inputFacets, outputFacets) */
};
void dp_ol_dataset_release(struct dp_ol_dataset *d);

struct dp_ol_ref { char *run, *ns, *job; }; /* a run and its job; run NULL: none */

/* Zero value is empty; strings owned, dp_ol_run_release. */
struct dp_ol_run {
    char id[37];
    char *ns, *job;
    struct dp_ol_ref parent, root;
    int64_t nominal_start, nominal_end; /* microseconds; 0: none */
    bool streaming;
    char *error;                 /* FAIL, ABORT: scrubbed message */
    struct dp_buf facets;        /* further facets of the run, each ",\"key\":{...}", and */
    struct dp_buf job_facets;    /* of the job */
};
void dp_ol_run_release(struct dp_ol_run *r);

/* Appends a facet's head, `,"key":{"_producer":...,"_schemaURL":...`, by the key and place (dataset, input, output, run, job) that the table of facets knows; the caller adds members and `}`. */
enum dp_ol_place { DP_OL_OF_DATASET, DP_OL_OF_INPUT, DP_OL_OF_OUTPUT, DP_OL_OF_RUN, DP_OL_OF_JOB };
void dp_ol_facet(struct dp_buf *b, enum dp_ol_place place, const char *key);
/* Does a facet of this key stand among these? */
bool dp_ol_has_facet(const struct dp_buf *further, const char *key);
/* A JSON string; bytes that are no UTF-8, as names of files may have, become U+FFFD. */
void dp_ol_text(struct dp_buf *b, const char *text);
/* A DatasetEvent: what is known of a dataset apart from any run. */
void dp_ol_print_dataset(const struct dp_ol_dataset *d, int64_t at_micros, struct dp_buf *b);
/* Appends the event as one line with its newline. */
void dp_ol_print(const struct dp_ol_run *r, enum dp_ol_event type, int64_t at_micros, const struct dp_ol_dataset *datasets, size_t n, struct dp_buf *b);

#endif

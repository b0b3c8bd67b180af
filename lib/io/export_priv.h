/* What the parts of an export share (dp/io/export.h).  Private to lib/io. */
#ifndef DP_IO_EXPORT_PRIV_H
#define DP_IO_EXPORT_PRIV_H

#include <dp/format/zip.h>
#include <dp/io/catalog_query.h>
#include <dp/io/export.h>
#include <dp/rules/contract.h>

struct export_names { char **v; size_t n, cap; };

/* One dataset with what is told of it. */
struct export_table {
    const struct dp_subject_place *place;
    const struct export_table *latest; /* of the older versions of a table: what its latest one has; else NULL */
    struct dp_subject_seen seen;
    uint64_t from, to;               /* its rows in the spool */
    struct dp_map columns;           /* of them, in the order of their arrival; 1: not to be shown */
    char *member;                    /* name of its files in the package, without suffix */
    char *description, *purpose, *retention; /* or NULL */
    struct export_names sources, recipients;
};

struct export_file { char *name; struct dp_zip_member m; };

struct export {
    struct dp_run *run;
    const struct dp_export_opts *o;
    struct dp_export_result *out;
    struct dp_subject_places places;
    struct export_table *tables;     /* one for each place */
    struct dp_contract *contracts;
    const struct dp_contract_object **objects; /* of each: the only one that is meant, or NULL */
    struct dp_map members;           /* names that are taken */
    int spool;
    uint64_t spooled;
    bool spool_failed;               /* ours, not the dataset's */
    struct dp_scan *scan;
    struct dp_zip *zip;
    struct export_file *files;
    size_t n_files, cap_files;
    struct dp_buf text;              /* on its way into the member */
};

/* Rows of t into the spool, redacted, with their columns.  With `told` those alone that it does not have, and `version` in a column of its own; behind what t has already. */
enum dp_status export_collect(struct export *x, struct export_table *t, struct dp_map *told, int64_t version, struct dp_err *err) DP_MUST_CHECK;
/* Notes a row's digest.  DP_LIMIT: they are more than fit into memory. */
enum dp_status export_note(struct export *x, const struct export_table *t, const struct dp_record *r, struct dp_map *told, bool *is_new, struct dp_err *err) DP_MUST_CHECK;
/* The same for all older versions. */
enum dp_status export_history(struct export *x, struct export_table *t, struct dp_err *err) DP_MUST_CHECK;
#define EXPORT_VERSION "_dp_version"
typedef enum dp_status (*export_row_fn)(void *ctx, const struct dp_record *r, struct dp_err *err);
/* The first `most` rows of t. */
enum dp_status export_rows(struct export *x, const struct export_table *t, uint64_t most, export_row_fn fn, void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* The value of a column as a node; 0: the row has none. */
uint32_t export_value(const struct dp_record *r, struct dp_str column);
/* Strings decoded, anything else as it is spelled; null and nothing are empty. */
void export_cell(const struct dp_record *r, uint32_t node, struct dp_buf *out);

/* Member by member. */
enum dp_status export_begin(struct export *x, const char *name, uint64_t most, struct dp_err *err) DP_MUST_CHECK;
enum dp_status export_flush(struct export *x, bool all, struct dp_err *err) DP_MUST_CHECK; /* x->text, when it is large or `all` */
enum dp_status export_end(struct export *x, struct dp_err *err) DP_MUST_CHECK;

enum dp_status export_csv(struct export *x, const struct export_table *t, struct dp_err *err) DP_MUST_CHECK;
enum dp_status export_json(struct export *x, const struct export_table *t, struct dp_err *err) DP_MUST_CHECK;
enum dp_status export_page(struct export *x, struct dp_err *err) DP_MUST_CHECK;
enum dp_status export_manifest(struct export *x, struct dp_err *err) DP_MUST_CHECK;

/* What contracts and lineage say of it. */
enum dp_status export_about(struct export *x, struct export_table *t, struct dp_err *err) DP_MUST_CHECK;
enum dp_status export_contracts(struct export *x, struct dp_err *err) DP_MUST_CHECK;
void export_clock(struct export *x);

#endif

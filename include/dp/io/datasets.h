/*
 * What a run reads and writes, noted where it is opened, for the lineage events that cli sends.
 *
 * run->datasets is NULL where nobody wants events: then each function here does nothing and costs a test.  Any thread; a dataset that is noted twice is one,
 * its figures add up.  A directory or glob that is given as one operand is one dataset, its files are parts of it.
 * Column lineage is made of the stream's header (dp/record/lineage.h): `fields` names origins by column, begin's `origins` says which datasets those stand in.
 */
#ifndef DP_IO_DATASETS_H
#define DP_IO_DATASETS_H

#include <dp/io/run.h>
#include <dp/rules/openlineage_contract.h>

struct dp_datasets;
struct dp_delta_snapshot;
struct dp_dataset; /* one of them; NULL is legal in all functions below, and what they get where run->datasets is NULL */

struct dp_datasets *dp_datasets_open(void);
void dp_datasets_close(struct dp_datasets *d); /* NULL is legal */

/* `what` is a path or URL as the user gave it, taken from the working directory; the table's or directory's, not that of each file in it. */
struct dp_dataset *dp_dataset_input(struct dp_run *run, const char *what);
struct dp_dataset *dp_dataset_output(struct dp_run *run, const char *what);
/* Column lineage of output out of a begin mark as it stands behind this program's own amendments; a column without entry comes from that of its name. */
void dp_dataset_header(struct dp_dataset *d, const struct dp_mark *begin);
void dp_dataset_schema(struct dp_dataset *d, const struct dp_type *schema); /* copied */
void dp_dataset_storage(struct dp_dataset *d, const char *layer, const char *format);
void dp_dataset_version(struct dp_dataset *d, int64_t version);
/* What the contract that a table keeps (properties dp.contract, dp.contract.object) says of it: documentation, owners, tags, descriptions of columns. */
void dp_dataset_about(struct dp_dataset *d, const struct dp_delta_snapshot *s);
/* A table that is read, as of a snapshot: the four above. */
void dp_dataset_table(struct dp_dataset *d, const struct dp_delta_snapshot *s);
/* The input that was noted under this name, NULL: none was. */
struct dp_dataset *dp_dataset_noted(struct dp_run *run, const char *what);
/* The contract that a table keeps itself; false: it has none that can be read.  Caller releases with dp_ol_about_release. */
bool dp_dataset_own_contract(const struct dp_delta_snapshot *s, struct dp_ol_about *about);
void dp_dataset_lifecycle(struct dp_dataset *d, enum dp_ol_lifecycle what);
void dp_dataset_part(struct dp_dataset *d, const char *name); /* the first 100 are kept */
void dp_dataset_count(struct dp_dataset *d, uint64_t rows, uint64_t bytes, uint64_t files); /* added */
/* A further facet: members behind its head, without braces (`"description":"..."`). of_side: of it as input or output, else of the dataset.  One of the same key is replaced. */
void dp_dataset_facet(struct dp_dataset *d, bool of_side, const char *key, struct dp_str members);
size_t dp_datasets_inputs(struct dp_run *run); /* how many were noted so far */
/* The same for all inputs that were noted so far. */
void dp_datasets_inputs_facet(struct dp_run *run, bool of_side, const char *key, struct dp_str members);
/* A further facet of the run or the job. */
void dp_datasets_run_facet(struct dp_run *run, bool of_job, const char *key, struct dp_str members);

/* Adds to `origins` of a begin mark of our own the datasets that its records come from (no source), or those that a source of `fields` names.
   `has`: its columns, told where the mark's schema has others too; NULL: not known. */
void dp_datasets_origin(struct dp_mark *begin, const char *source, const char *what, const struct dp_type *has);
/* Notes what a header that came from elsewhere names in `origins` as inputs of this run: its records are read here, though opened upstream. */
void dp_datasets_of_header(struct dp_run *run, const struct dp_mark *begin);

/* For who reads operands without a stream (dp/io/stream.h does both itself): they are noted as inputs, and as the origins of what comes of them. */
void dp_datasets_operands(struct dp_run *run, const char *const *names, size_t n, struct dp_mark *begin);
/* The table `to` as a copy of `from` (which may be itself), of these columns: both noted, each column from that of its name.  NULL: nobody wants to know. */
struct dp_dataset *dp_dataset_copied(struct dp_run *run, const char *from, const char *to, const struct dp_type *schema);

/* ---- for cli ---- */
/* Copies of all that was noted so far, inputs before outputs, in order of their names; n of them, caller releases each and frees the array. */
struct dp_ol_dataset *dp_datasets_list(struct dp_datasets *d, size_t *n);
/* Appends `"inputs":[...],"outputs":[...]`: each with namespace, name and, as far as known, rows, bytes, files, in order of their names. */
void dp_datasets_print(const struct dp_datasets *d, struct dp_buf *out);
/* Notes what such an object says; of figures that both know the greater.  What is none is left out. */
void dp_datasets_take(struct dp_datasets *d, struct dp_str json);
/* Moves the facets noted for run and job to those of `r`. */
void dp_datasets_facets(struct dp_datasets *d, struct dp_ol_run *r);

#endif

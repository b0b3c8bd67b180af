/*
 * Foreign keys: the set of keys that a relationship of a contract points to, read from a Parquet file, CSV, NDJSON, Delta table, whatever dp/io/source.h
 * opens.  Where an object's data is comes from whoever runs the program ("--reference customers=lake/customers"), never from the contract: neither
 * its servers nor a URL in a reference is followed.  A contract of the same folder or below is read where a reference names it by ids.
 *
 * Keys are the canonical bytes of dp_tuple_bytes, so 1.0 is 1 and "\u0041" is "A"; a tuple with a null in it is in no set.
 */
#ifndef DP_IO_REFSET_H
#define DP_IO_REFSET_H

#include <dp/io/keyset.h>
#include <dp/io/run.h>
#include <dp/rules/reference.h>

struct dp_refset;

struct dp_refset_opts {
    const char *const *references; size_t n_references; /* "OBJECT=SOURCE": the object by name, physicalName or id */
    uint64_t memory;                                    /* for the keys of this set */
};

/* DP_USAGE: one of them is not OBJECT=SOURCE, or an object is there twice. */
enum dp_status dp_refset_check(const struct dp_refset_opts *opts, struct dp_err *err) DP_MUST_CHECK;
/* DP_USAGE: none of these relationships points to an object of the options; the nearest name is told. */
enum dp_status dp_refset_check_used(const struct dp_contract *c, const struct dp_contract_relationship *const *rels, size_t n_rels,
                                    const struct dp_refset_opts *opts, struct dp_err *err) DP_MUST_CHECK;
/*
 * Reads the set that a relationship points to; `from` is the property that it stands at, NULL where it names its own.  *out NULL: not supported, and *why (of the
 * arena) says what to give.  DP_SCHEMA: the source has no such column.  DP_FORMAT: a record of it is bad.
 */
enum dp_status dp_refset_open(struct dp_run *run, const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_contract_property *from,
                              const struct dp_contract_relationship *rel, const struct dp_refset_opts *opts, struct dp_arena *arena,
                              struct dp_refset **out, const char **why, struct dp_err *err) DP_MUST_CHECK;
/*
 * The keys that stand at `paths` (each begins with a name; borrowed until close) in the records of a source; `where` (NULL: all) says of which: files, row groups
 * and pages that have none are passed over.  DP_SCHEMA: no record has such a column.
 */
enum dp_status dp_refset_read(struct dp_run *run, const char *source, const struct dp_path *paths, size_t n, const char *where, uint64_t memory,
                              struct dp_refset **out, struct dp_err *err) DP_MUST_CHECK;
void dp_refset_close(struct dp_refset *r); /* NULL is legal */
/* What the set holds for a tuple's bytes; any thread. */
struct dp_key dp_refset_key(const struct dp_refset *r, struct dp_str bytes);
/* Are they in the set?  Any number of threads. */
enum dp_status dp_refset_find(struct dp_refset *r, const struct dp_key *keys, size_t n, bool *has, struct dp_err *err) DP_MUST_CHECK;
uint64_t dp_refset_count(const struct dp_refset *r);
uint64_t dp_refset_spilled(const struct dp_refset *r); /* bytes */
const char *dp_refset_name(const struct dp_refset *r); /* "customers.id" */

#endif

/*
 * Masks: what a contract's classification, a policy and a role make of each field, compiled once, run on records in place and on batches.
 *
 *   compile ──► struct dp_mask (immutable once keys are set) ──► one dp_mask_run per thread ──► dp_mask_record, dp_mask_batch
 *
 * Which rule a field gets: the first of its column's, a tag's, its classification's; of each the role's before everybody's; else, where it is classified, a token
 * for a string and null for another type; else it passes.  A value whose JSON form is not that of the contract's type where a rule has to look inside it
 * never passes: the record is a reject.  No text that comes out of here (reasons, errors) holds a value.
 *
 * A null stays null; an empty string stays empty under token, hmac and keep.
 */
#ifndef DP_RULES_MASK_H
#define DP_RULES_MASK_H

#include <dp/record/batch.h>
#include <dp/record/mark.h>
#include <dp/rules/contract.h>
#include <dp/rules/keyring.h>
#include <dp/rules/policy.h>

enum dp_mask_unknown { DP_MASK_UNKNOWN_FAIL, DP_MASK_UNKNOWN_DROP, DP_MASK_UNKNOWN_PASS };

struct dp_mask;
struct dp_mask_run;

/* policy and role may be NULL.  Contract and policy are borrowed until dp_mask_free.  DP_USAGE: a rule that does not fit, by column, file and line. */
enum dp_status dp_mask_compile(const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_policy *policy, const char *role,
                               enum dp_mask_unknown unknown, struct dp_mask **out, struct dp_err *err) DP_MUST_CHECK;
void dp_mask_free(struct dp_mask *m); /* wipes its keys; NULL is legal */

/* Tags and classifications of the policy that no column of the contract has, each as a message with file and line; borrowed until free. */
size_t dp_mask_unused(const struct dp_mask *m, const char *const **words);
/* The first column that needs a key; NULL: none does. */
const char *dp_mask_needs_key(const struct dp_mask *m);
/* Derives a key for each of them from the ring's active one. DP_USAGE: none is active. */
enum dp_status dp_mask_set_key(struct dp_mask *m, const struct dp_keyring *ring, struct dp_err *err) DP_MUST_CHECK;

/*
 * Turns a mask that was just compiled into its way back, instead of dp_mask_set_key: records that came from it go through dp_mask_record, and what was encrypted is clear again, with whichever key of
 * the ring; all else stays as it comes.  A number comes back in plain decimals without zeros that say nothing.  A value that was not encrypted so is a reject.  DP_USAGE: no column is encrypted.
 */
enum dp_status dp_mask_reverse(struct dp_mask *m, const struct dp_keyring *ring, struct dp_err *err) DP_MUST_CHECK;
/* The stream's header behind it: types as in the contract, clear values where they were masked. */
void dp_mask_reverse_header(const struct dp_mask *m, const char *program, struct dp_mark *begin);

/* A field that does not pass as it is, or that passes though it is classified. */
struct dp_mask_column {
    const char *path;           /* "items[].email" */
    const char *top;            /* its column: "items" */
    const char *technique;      /* "token" */
    const char *domain;         /* NULL: none */
    const char *classification; /* in the contract; NULL */
    bool anonymous;             /* nothing of the value is left: its classification ends here */
    bool dropped;
    bool leaves_clear;          /* some values come out as they are */
    bool passes;
};
size_t dp_mask_columns(const struct dp_mask *m, const struct dp_mask_column **out);
/* Does a reject show too much?  Something is masked or classified. */
bool dp_mask_hides(const struct dp_mask *m);
/* Row filters (everybody's, the role's), at most two. */
size_t dp_mask_rows(const struct dp_mask *m, const char *rows[2]);
/* Types and nullability of the contract's columns; borrowed. */
const struct dp_type *dp_mask_contract_schema(const struct dp_mask *m);

/*
 * A schema as it is behind the mask; caller releases with dp_type_free.  DP_SCHEMA: a column that the contract does not know (unknown is FAIL), or one
 * of a type that its technique does not take.
 */
enum dp_status dp_mask_schema(const struct dp_mask *m, const struct dp_type *in, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;
/* Does a column of a schema that dp_mask_schema took pass as it is, with all that is in it?  Then its bytes may be copied. */
bool dp_mask_passes(const struct dp_mask *m, const struct dp_type *column);
/* The stream's header behind the mask: schema, and for each masked column what was done (dp-records(5)). */
enum dp_status dp_mask_header(const struct dp_mask *m, const char *program, struct dp_mark *begin, struct dp_err *err) DP_MUST_CHECK;

struct dp_mask_run *dp_mask_run_open(const struct dp_mask *m);
void dp_mask_run_close(struct dp_mask_run *r); /* wipes what it remembers; NULL is legal */
/* Before the first record of each dp_scan_begin: names are remembered from one line to the next. */
void dp_mask_run_reset(struct dp_mask_run *r);

struct dp_mask_reject {
    const char *rule;     /* "type", "unknown-field", "mask" */
    const char *expected; /* or NULL */
    char path[256];
    char reason[200];
};

/* The record as it is behind the mask, with a newline, behind out.  DP_RECORD: *why; out is as it was. Records with duplicate keys must not come here. */
enum dp_status dp_mask_record(struct dp_mask_run *r, const struct dp_record *rec, struct dp_buf *out, struct dp_mask_reject *why) DP_MUST_CHECK;

/*
 * All rows of `in` into `out`, whose schema is dp_mask_schema of in's and which is reset first.  Columns that pass are copied.
 * A row with a value that its technique can't read is told to `bad` (perhaps more than once) and has nulls: the caller drops it.
 */
typedef void (*dp_mask_bad)(void *ctx, int64_t row, const struct dp_mask_reject *why);
enum dp_status dp_mask_batch(struct dp_mask_run *r, const struct dp_batch *in, struct dp_batch *out, dp_mask_bad bad, void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif

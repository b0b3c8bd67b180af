/*
 * Can a reader with one contract read what was written under another?  Rules in ODCS terms, property by property at every depth:
 * types and their widening, required, keys, ranges of values, rules of quality, objects that are gone, promises (SLA) that got weaker.
 *
 *   BACKWARD  the new contract reads what the old one wrote      (reader: new, writer: old)
 *   FORWARD   the old contract reads what the new one writes     (reader: old, writer: new)
 *   FULL      both
 *
 * against the last version, _TRANSITIVE against all.  Properties and objects are matched by physicalName, else name: a rename is a
 * removal and an addition.  Data is open (a property that the reader does not know is passed over) unless `closed`.
 */
#ifndef DP_RULES_COMPAT_H
#define DP_RULES_COMPAT_H

#include <dp/rules/contract.h>

enum dp_compat_mode { DP_COMPAT_BACKWARD, DP_COMPAT_FORWARD, DP_COMPAT_FULL, DP_COMPAT_BACKWARD_TRANSITIVE, DP_COMPAT_FORWARD_TRANSITIVE,
                      DP_COMPAT_FULL_TRANSITIVE, DP_COMPAT_NONE };
enum dp_compat_direction { DP_COMPAT_IS_BACKWARD, DP_COMPAT_IS_FORWARD };
enum dp_compat_class { DP_COMPAT_DATA, DP_COMPAT_SLA, DP_COMPAT_GOVERNANCE, DP_COMPAT_LAYOUT }; /* LAYOUT: physicalType, order of a key */

extern const char *const dp_compat_mode_names[]; /* by enum, NULL at the end */

/* One thing that stands in the way, or (is_warning) that one should know. Strings live in the result's arena. */
struct dp_compat_reason {
    const char *path;        /* "/orders/items/[]/qty": names; "/" for the contract as a whole */
    const char *text;        /* "required by the reader, absent in the writer" */
    const char *key;         /* what it is about: "required", "type", "maxLength", "quality" ... static text */
    enum dp_compat_class class_;
    bool is_warning;
    enum dp_compat_direction direction;
    size_t version;          /* which of the older contracts: index from 0 */
    uint32_t line;           /* in the reader's document; 0: not known */
};

/* Zero value is empty; results of several calls add up. */
struct dp_compat {
    struct dp_arena arena;
    struct dp_compat_reason *v;
    size_t n, cap, n_errors;
    bool closed;             /* set by the caller: a property that the reader does not know is in the way */
    bool schema_only;        /* set by the caller: columns, types and required alone, for sides that tell nothing else (a table's schema) */
};

void dp_compat_release(struct dp_compat *k);
/* A mode by its name in any case, also with - for _. */
bool dp_compat_mode_find(const char *word, enum dp_compat_mode *out);

/* Adds what stands in the way of one direction between two versions; `version` is kept in the reasons. */
void dp_compat_read(const struct dp_contract *old, const struct dp_contract *new_, enum dp_compat_direction direction, size_t version, struct dp_compat *k);
/* A candidate against the versions before it, oldest first, by mode.  True: compatible (k->n_errors is still 0). */
bool dp_compat_check(const struct dp_contract *const *versions, size_t n, const struct dp_contract *candidate, enum dp_compat_mode mode, struct dp_compat *k);

/*
 * The schemas that a Delta table has had, oldest first, as contracts with one object of that name; a schema that comes again without another between
 * is there once.  Versions whose log is gone are not there: the oldest is the first that can still be read.  Compare them with schema_only.
 */
struct dp_compat_history {
    struct dp_contract *contracts;
    int64_t *versions; /* of the table, at which the schema came */
    size_t n;
};
enum dp_status dp_compat_history_read(const char *table, const char *object, struct dp_compat_history *out, struct dp_err *err) DP_MUST_CHECK;
void dp_compat_history_release(struct dp_compat_history *h);

/*
 * What a property is, also where logicalType is left out or means more than one thing (date in 3.0): from physicalType and format.
 * NONE: not known, or JSON.
 */
enum dp_logical dp_contract_logical(const struct dp_contract *c, const struct dp_contract_property *p);

#endif

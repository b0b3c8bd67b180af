/*
 * A policy of naming and tagging for the catalog, as YAML, and what breaks it (man/dp-lineage.1, POLICY).
 *
 * A rule says of which datasets or jobs it speaks (patterns of their names as they are printed, a tag) and what they must have.  Beside the rules stands what no policy is needed for:
 * a column that somebody gave a weaker class than it has from what it was made from.
 */
#ifndef DP_IO_CATALOG_POLICY_H
#define DP_IO_CATALOG_POLICY_H

#include <dp/io/catalog_note.h>

struct dp_catalog_policy;

/* `path` NULL: without rules, classes alone are looked at. DP_USAGE with file, line and key: a rule file that is wrong. */
enum dp_status dp_catalog_policy_read(const char *path, struct dp_catalog_policy **out, struct dp_err *err) DP_MUST_CHECK;
void dp_catalog_policy_free(struct dp_catalog_policy *p); /* NULL is legal */
/* Names of the rules in their order, NULL behind the last; the one of weaker classes is the first.  Borrowed. */
const char *const *dp_catalog_policy_rules(const struct dp_catalog_policy *p);

/* Borrowed for the call. */
struct dp_catalog_policy_finding {
    size_t rule;       /* its place in dp_catalog_policy_rules */
    bool is_warning;
    char kind;         /* of the node: 'd', 'c', 'j' */
    int64_t id;
    const char *what;  /* is missing, or is wrong */
};
/* Datasets by name, then jobs; of each the rules in their order.  Of a store that is read; what was dropped is left out.  *checked: datasets and jobs that a rule speaks of. */
enum dp_status dp_catalog_policy_check(const struct dp_catalog_policy *p, struct dp_catalog *c, enum dp_status (*fn)(void *ctx, const struct dp_catalog_policy_finding *f, struct dp_err *err), void *ctx, uint64_t *checked,
                               struct dp_err *err) DP_MUST_CHECK;

#endif

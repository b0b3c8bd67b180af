/* What the parts of the contract reader share: versions, places, and the two passes over a document (keys, then meaning). */
#ifndef DP_RULES_CONTRACT_PRIV_H
#define DP_RULES_CONTRACT_PRIV_H

#include <dp/rules/lint.h>

/* Versions of the standard, as bits. */
enum { DP_ODCS_300 = 1, DP_ODCS_301 = 2, DP_ODCS_302 = 4, DP_ODCS_310 = 8, DP_ODCS_320 = 16, DP_ODCS_30 = 7, DP_ODCS_31 = 24, DP_ODCS_ALL = 31 };

/* Where a walk is: the chain of keys and indexes from the root, on the stack. */
struct contract_place {
    const struct contract_place *up;
    const char *key; /* NULL: an index */
    size_t index;
};

struct contract_walk {
    const struct dp_yaml *doc;
    unsigned version; /* one of the bits */
    const char *api_version;
    struct dp_findings *out;
    bool done;        /* the first error was found and one is enough */
};

/* One finding at a node. `meant` is NULL or whole text. */
void contract_find(struct contract_walk *w, enum dp_finding_level level, const char *rule, const struct contract_place *at, const struct dp_yaml_node *node,
                   const char *key, const char *meant, const char *fmt, ...) DP_PRINTF(8, 9);
/* "did you mean \"x\"?" in the findings' arena, or NULL. */
const char *contract_near(struct contract_walk *w, const char *word, const char *const *words);

/* The version of a document and its bit; false: a finding says why not. */
bool contract_version(struct contract_walk *w, const struct dp_yaml_node *root);
/* Every key of the document against the tables of its version. */
void contract_check_keys(struct contract_walk *w, const struct dp_yaml_node *root);
/* One error into err. */
enum dp_status contract_fault(const struct dp_yaml *doc, const struct dp_finding *f, struct dp_err *err);

/* Fills *c from a document whose keys are right; findings of meaning (a column twice, a position). */
void contract_build(struct contract_walk *w, struct dp_contract *c);
/* An entry of quality, relationships, slaProperties into its struct. */
void contract_fill_quality(struct dp_contract *c, const struct dp_yaml_node *list, const char *path, struct dp_contract_quality **out, size_t *n);
void contract_fill_relationships(struct dp_contract *c, const struct dp_yaml_node *list, const char *path, struct dp_contract_relationship **out, size_t *n);
void contract_fill_sla(struct dp_contract *c, const struct dp_yaml_node *list);

/* Pieces of the walk. */
void contract_wrong_kind(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key, const char *want);
bool contract_need_string(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key);
void contract_check_word(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key, const char *const *words);
bool contract_is_integer(const struct dp_yaml_node *n); /* as JSON Schema has it: 5.0 is one */
const char *contract_first_version(unsigned in);        /* the earliest of some versions, by name */
bool contract_is_server_key(const struct contract_walk *w, const char *key); /* one that every server may have */
void contract_more_quality(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
void contract_more_object_relation(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
void contract_more_property_relation(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
void contract_more_server(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);

extern const char *const contract_logical_words[];   /* by enum dp_logical, from STRING; NULL at the end */
extern const char *const contract_metric_words[];    /* by enum dp_metric, from NULL_VALUES */
extern const char *const contract_operator_words[];  /* by enum dp_operator, from BE */

#endif

/* What the parts of lint share. */
#ifndef DP_RULES_CONTRACT_LINT_PRIV_H
#define DP_RULES_CONTRACT_LINT_PRIV_H

#include "contract_priv.h"

struct lint {
    struct contract_walk w;
    struct dp_contract c;
};

/* Value of a key when it has that kind, else NULL. */
const struct dp_yaml_node *lint_get(const struct dp_yaml_node *map, const char *key, enum dp_yaml_kind kind);
bool lint_is_number(const struct dp_yaml_node *n);
void lint_pattern_of(struct lint *l, const char *path, const struct dp_yaml_node *n);

/* p NULL: at the object. */
void lint_quality(struct lint *l, const struct dp_contract_object *o, const struct dp_contract_property *p, const struct dp_contract_quality *q, size_t n);
void lint_relationships(struct lint *l, const struct dp_contract_object *o, const struct dp_contract_property *p, const struct dp_contract_relationship *r, size_t n);
void lint_sla(struct lint *l);

#endif

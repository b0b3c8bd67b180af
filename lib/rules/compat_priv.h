/* What the parts of the compatibility check share. */
#ifndef DP_RULES_COMPAT_PRIV_H
#define DP_RULES_COMPAT_PRIV_H

#include <dp/base/map.h>
#include <dp/rules/compat.h>

/* One comparison: the reader's side and the writer's. */
struct comparing {
    struct dp_compat *k;
    const struct dp_contract *reader, *writer;
    enum dp_compat_direction direction;
    size_t version;
};

void compat_add(struct comparing *c, bool warning, enum dp_compat_class class_, const char *path, const char *key, const struct dp_yaml_node *at,
                const char *fmt, ...) DP_PRINTF(7, 8);

/* Objects of a contract, to be found by what another contract's object is: by physicalName and name, by physicalName, by name. */
struct compat_index {
    struct dp_map by_key, by_name;
};
void compat_index_make(struct compat_index *x, const struct dp_contract *c);
void compat_index_release(struct compat_index *x);
const struct dp_contract_object *compat_object(const struct compat_index *x, const struct dp_contract_object *o);

void compat_quality(struct comparing *c, const char *path, const struct dp_contract_quality *r, size_t n_r, const struct dp_contract_quality *w, size_t n_w);
void compat_sla(struct comparing *c);

/* Ranges of logicalTypeOptions, enum, formats. */
void compat_options(struct comparing *c, const char *path, const struct dp_contract_property *r, const struct dp_contract_property *w);

/* Whole-tree equality of two nodes (NULL: absent). */
bool compat_same(const struct dp_yaml_node *a, const struct dp_yaml_node *b);

#endif

/*
 * Masking policies (YAML, dp-policy(5)): what becomes of which column, tag or classification, for everybody and for each role, and which rows
 * a role sees.  Read strictly: a key that is not known is DP_USAGE with file, line and the nearest right word.
 *
 * A policy knows no contract: whether its columns exist and its techniques fit their types is for dp_mask_compile.
 */
#ifndef DP_RULES_POLICY_H
#define DP_RULES_POLICY_H

#include <dp/base/decimal.h>
#include <dp/format/yaml.h>

struct dp_mask_technique; /* one row of the table in lib/rules/mask_technique.c */

enum dp_mask_unit { DP_MASK_SECOND, DP_MASK_MINUTE, DP_MASK_HOUR, DP_MASK_DAY, DP_MASK_MONTH, DP_MASK_QUARTER, DP_MASK_YEAR, DP_MASK_DECADE };
enum dp_mask_text { DP_MASK_HEX, DP_MASK_BASE64URL };

/* One rule: the technique and its parameters, those not given at their defaults.  Strings are borrowed from the policy. */
struct dp_mask_rule {
    const struct dp_mask_technique *technique;
    const struct dp_yaml_node *node;  /* where it stands; NULL: a default of ours */
    const char *domain;               /* token, hmac, encrypt; NULL: the field's name */
    int64_t bits;                     /* token, hmac */
    int encoding;                     /* hmac: enum dp_mask_text */
    bool trim, lower;                 /* token, hmac: blanks around and ASCII letters, before hashing */
    int64_t first, last;              /* keep: code points */
    const char *text;                 /* redact; keep: what stands for a masked one */
    const struct dp_yaml_node *value; /* fixed */
    struct dp_decimal width, from;    /* band */
    int unit;                         /* date, truncate: enum dp_mask_unit */
    int64_t digits;                   /* zip */
    const char *file;                 /* zip: areas that become 000; hierarchy */
    int64_t level;                    /* hierarchy */
    int64_t v4, v6;                   /* ip: bits that stay */
    const char *at;                   /* top: the number */
    bool or_null;                     /* what the technique can't read becomes null, else it is a reject */
};

struct dp_policy_entry {
    const char *name; /* path of a column, tag, classification */
    const struct dp_yaml_node *at;
    struct dp_mask_rule rule;
};

struct dp_policy_view {
    const char *role; /* NULL: everybody */
    struct dp_policy_entry *columns, *tags, *classifications;
    size_t n_columns, n_tags, n_classifications;
    const char *rows; /* an expression that a row must meet, or NULL */
    const struct dp_yaml_node *rows_at;
};

struct dp_policy {
    struct dp_yaml doc;
    struct dp_arena arena;
    struct dp_policy_view all;
    struct dp_policy_view *roles;
    size_t n_roles;
};

enum dp_status dp_policy_parse(struct dp_str text, const char *source, struct dp_policy *p, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_policy_read(const char *path, struct dp_policy *p, struct dp_err *err) DP_MUST_CHECK;
void dp_policy_release(struct dp_policy *p); /* the zero value is legal */
/* A role's view; DP_USAGE names those that there are. */
enum dp_status dp_policy_role(const struct dp_policy *p, const char *role, const struct dp_policy_view **out, struct dp_err *err) DP_MUST_CHECK;

#endif

/* What the readers of retention rules share (dp/rules/retention.h). */
#ifndef DP_RULES_RETENTION_PRIV_H
#define DP_RULES_RETENTION_PRIV_H

#include <dp/rules/retention.h>

/* One file that is read: its rules are copied into the arena of `r`. */
struct retain_reading {
    struct dp_retain_rules *r;
    const struct dp_yaml *doc;
    const char *source;      /* in the arena */
    struct dp_err *err;
};

/* A rule that applies to all tables, enabled, in UTC, with nothing to do; borrowed until the next one. */
struct dp_retain_rule *retain_add(struct retain_reading *in, const struct dp_yaml_node *at);
/* Its id must be another one than those before it. */
enum dp_status retain_take_id(struct retain_reading *in, struct dp_retain_rule *rule, const struct dp_yaml_node *at, const char *id);
void retain_note(struct retain_reading *in, const struct dp_yaml_node *at, const char *rule, const char *fmt, ...) DP_PRINTF(4, 5);
/* Zones are kept with the rules. */
enum dp_status retain_zone(struct retain_reading *in, const struct dp_yaml_node *at, const char *name, const struct dp_zone **out);

/* "/cold/" to "/cold", in the arena; NULL: not a directory that is named the same way from everywhere. */
const char *retain_directory(struct retain_reading *in, struct dp_str text);

/* The readers of the two forms. */
enum dp_status retain_read_yaml(struct retain_reading *in);
enum dp_status retain_read_s3(struct retain_reading *in);

/* A scalar's text in the arena of the rules. */
static inline const char *retain_text(struct retain_reading *in, const struct dp_yaml_node *n) {
    return dp_arena_str(&in->r->arena, n->text).p;
}

#endif

/*
 * YAML documents as a bounded tree, each node with its place in the file: contracts, policies, rule files.
 *
 * YAML 1.2 core schema on libyaml's events: plain null, true/false, integers and floats have those types, everything else is a string
 * (no, off, y, 2022-05-12, 3:25:45 stay strings).  One document; keys are scalars and unique; anchors and aliases are allowed and
 * share their nodes; an explicit tag must be one of the core schema's.  No merge keys.  Errors are DP_USAGE with file and line, for such files are
 * options written down; size, depth and nodes (counted as if aliases were written out) past a named limit are DP_LIMIT.
 */
#ifndef DP_FORMAT_YAML_H
#define DP_FORMAT_YAML_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>

enum dp_yaml_kind { DP_YAML_NULL, DP_YAML_BOOL, DP_YAML_INT, DP_YAML_FLOAT, DP_YAML_STRING, DP_YAML_LIST, DP_YAML_MAP };

struct dp_yaml_node {
    enum dp_yaml_kind kind;
    uint32_t line, column;             /* from 1; of an alias's target, where it was written first */
    struct dp_str text;                /* scalars: the value as text, NUL behind it */
    const struct dp_yaml_node **items; /* LIST: n values; MAP: n keys and values in turn, 2 n nodes */
    size_t n;
    uint32_t weight;                   /* nodes below and itself, aliases written out */
    uint32_t height;                   /* levels, 1 for a scalar */
};

/* Zero value is empty. Everything borrowed from it lives until dp_yaml_release. */
struct dp_yaml {
    struct dp_arena arena;
    const struct dp_yaml_node *root;
    const char *source; /* for messages */
};

enum dp_status dp_yaml_parse(struct dp_str text, const char *source, struct dp_yaml *doc, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_yaml_read(const char *path, struct dp_yaml *doc, struct dp_err *err) DP_MUST_CHECK;
void dp_yaml_release(struct dp_yaml *doc);

/* Value of a key of a map, NULL when absent (or when `map` is none); a null value is a node. */
const struct dp_yaml_node *dp_yaml_get(const struct dp_yaml_node *map, const char *key);
/* "a string", "a list" ... for messages */
const char *dp_yaml_kind_name(enum dp_yaml_kind kind);
/* DP_USAGE at a node: sets source and line. */
enum dp_status dp_yaml_error(const struct dp_yaml *doc, const struct dp_yaml_node *at, struct dp_err *err, const char *fmt, ...) DP_PRINTF(4, 5);
/* Each key of `map` must be one of `keys` (NULL-terminated); the message names the nearest. `what` = "a property". */
enum dp_status dp_yaml_known_keys(const struct dp_yaml *doc, const struct dp_yaml_node *map, const char *const *keys, const char *what,
                                  struct dp_err *err) DP_MUST_CHECK;

/* ---- writing ---- */

/* A scalar that reads back as this string: bare where that is safe, else in double quotes. */
void dp_yaml_add_scalar(struct dp_buf *b, struct dp_str s);

#endif

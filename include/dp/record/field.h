/*
 * Fields by name: lookups that cost one comparison while records keep the same key order, and paths
 * (.a.b[0]) into nested values.
 */
#ifndef DP_RECORD_FIELD_H
#define DP_RECORD_FIELD_H

#include <dp/record/json.h>

#define DP_STEP_KEY 0
#define DP_STEP_INDEX 1

struct dp_step {
    int kind;       /* DP_STEP_KEY or DP_STEP_INDEX */
    char *key;      /* decoded name, owned */
    size_t key_n;
    int64_t index;  /* negative counts from the end */
};

/* A compiled path.  Not shared between threads when used with hints: each thread has its own struct dp_path_hint. */
struct dp_path {
    struct dp_step *steps;
    size_t n;
};

/* Where each step was found last time. Zero-initialise; one for each path and thread. */
struct dp_path_hint {
    uint32_t node[4]; /* for the first four steps */
};

/* jq's path syntax: `.a.b`, `."odd name"`, `.["odd name"]`, `.a[0].b`; a bare `a.b` is taken as `.a.b`. DP_USAGE otherwise. */
enum dp_status dp_path_parse(struct dp_str text, struct dp_path *path, struct dp_err *err) DP_MUST_CHECK;
/* One key step whose name is exactly `name`. */
void dp_path_key(struct dp_path *path, struct dp_str name);
void dp_path_release(struct dp_path *path);
void dp_path_print(const struct dp_path *path, struct dp_buf *b);

/* Node index of the value; 0: absent (or a step into something else than an object or array). */
uint32_t dp_path_find(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r);

#endif

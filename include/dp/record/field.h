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

/* Where each step was found last time, and what was found in records of a shape. Zero-initialise; one for each path and thread. */
struct dp_path_hint {
    uint32_t node[4]; /* for the first four steps */
    uint32_t found;
    uint64_t shape;
};

/* jq's path syntax: `.a.b`, `."odd name"`, `.["odd name"]`, `.a[0].b`; a bare `a.b` is taken as `.a.b`. DP_USAGE otherwise. */
enum dp_status dp_path_parse(struct dp_str text, struct dp_path *path, struct dp_err *err) DP_MUST_CHECK;
/*
 * "A,.b.c,."odd,name"": paths with commas between, for options that name fields.  DP_USAGE: one of them is wrong, empty or there twice.
 * Caller releases with dp_paths_free, also after a failure.
 */
enum dp_status dp_paths_parse(struct dp_str list, struct dp_path **out, size_t *n, struct dp_err *err) DP_MUST_CHECK;
void dp_paths_free(struct dp_path *paths, size_t n); /* NULL is legal */
/* One key step whose name is exactly `name`. */
void dp_path_key(struct dp_path *path, struct dp_str name);
void dp_path_release(struct dp_path *path);
void dp_path_print(const struct dp_path *path, struct dp_buf *b);

/* dp_path_find in a record whose shape is another than the hint's; and that by comparing names, step by step. */
uint32_t dp_path_seek(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r);
uint32_t dp_path_walk(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r);
/* Node index of the value; 0: absent (or a step into something else than an object or array). */
static inline uint32_t dp_path_find(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r) {
    return hint && hint->shape == r->shape && r->shape ? hint->found : dp_path_seek(path, hint, r);
}

#endif

/*
 * An entry of the log told anew from any bytes, with inline deletion vectors among them: no crash; what comes out of an entry that can be read can be read, and has nothing left to be told anew.
 */
#include "../../lib/delta/amend_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t gone[] = {0, 3, 4, 99};
static const struct dp_delta_twin twin = {.path = {"d/twin.parquet", 14}, .size = 5, .rows = 100, .gone = gone, .n_gone = 4, .stats = {"{\"numRecords\":96}", 17}, .sha256 = {"00", 2}};
static const struct dp_delta_twin none = {.rows = 100};

/* By their first letter; what a twin is called is no such name. */
static const struct dp_delta_twin *twin_of(void *ctx, struct dp_str path) {
    (void)ctx;
    return path.n && path.p[0] == 'a' ? &twin : path.n && path.p[0] == 'b' ? &none : NULL;
}

static bool redact(void *ctx, struct dp_str text, bool is_parameter, struct dp_buf *out) {
    (void)ctx;
    if (!is_parameter || !dp_str_find(text, DP_STR("42"))) return false;
    dp_buf_addz(out, "***");
    return true;
}

static enum dp_status see(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    (void)err;
    if ((a->kind == DP_DELTA_ADD || a->kind == DP_DELTA_REMOVE || a->kind == DP_DELTA_CDC) && twin_of(NULL, a->u.file.path)) *(bool *)ctx = true;
    return DP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_arena arena = {0};
    struct dp_delta_vectors *vectors = dp_delta_vectors_open("/nonexistent", &arena);
    const struct dp_delta_amend a = {.table = "/nonexistent", .twin = twin_of, .redact = redact, .vectors = vectors};
    struct dp_delta_amended out = {0};
    struct amending m = {.a = &a, .out = &out, .vectors = vectors};
    struct dp_buf fresh = {0}, again = {0};
    struct dp_str text = dp_str((const char *)data, size);
    bool changed = false, met = false, readable = dp_delta_actions_each(text, "entry", &arena, see, &met, NULL) == DP_OK;
    if (amend_entry(&m, text, "entry", &fresh, &changed, NULL) == DP_OK && readable) {
        bool left = false;
        if (met && !changed) abort();
        if (changed && (dp_delta_actions_each(dp_buf_str(&fresh), "entry", &arena, see, &left, NULL) != DP_OK || left)) abort();
        if (changed && (amend_entry(&m, dp_buf_str(&fresh), "entry", &again, &changed, NULL) != DP_OK || changed)) abort();
    }
    dp_delta_vectors_close(vectors);
    dp_delta_amended_release(&out);
    dp_buf_release(&fresh), dp_buf_release(&again);
    dp_arena_release(&arena);
    return 0;
}

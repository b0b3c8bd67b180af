/*
 * File actions as they are for the twin of a file (dp/delta/amend.h): another path, size and digest, statistics of its own, and deletion vectors in which the rows that it lacks are
 * counted out.
 */
#include "amend_priv.h"

#include <dp/delta/dv.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>

#include <stdlib.h>

struct dp_delta_vectors {
    const char *table;
    struct dp_arena *arena;
    struct dp_delta_dv_file *file; /* NULL: none is open */
    struct dp_map made;            /* twin and vector -> struct dp_delta_dv * */
};

struct dp_delta_vectors *dp_delta_vectors_open(const char *table, struct dp_arena *arena) {
    struct dp_delta_vectors *v = dp_calloc(1, sizeof *v);
    v->table = table, v->arena = arena;
    return v;
}

void dp_delta_vectors_close(struct dp_delta_vectors *v) {
    if (!v) return;
    dp_delta_dv_file_close(v->file);
    dp_map_release(&v->made);
    free(v);
}

enum dp_status dp_delta_vectors_finish(struct dp_delta_vectors *v, struct dp_err *err) {
    if (!v->file) return DP_OK;
    enum dp_status status = dp_delta_dv_file_finish(v->file, err);
    if (status == DP_OK) dp_delta_dv_file_keep(v->file);
    dp_delta_dv_file_close(v->file);
    v->file = NULL;
    return status;
}

/* Rows that are deleted and still there, by their new numbers. */
static void shift(const struct dp_delta_twin *t, const struct dp_delta_deleted *old, struct dp_delta_deleted *out) {
    size_t k = 0;
    dp_delta_deleted_open(out, t->rows - (int64_t)t->n_gone);
    for (int64_t row = 0; row < t->rows; row++) {
        if (k < t->n_gone && t->gone[k] == row) k++;
        else if (dp_delta_is_deleted(old, row)) (void)dp_delta_deleted_add(out, row - (int64_t)k);
    }
}

static enum dp_status make(struct dp_delta_vectors *v, const struct dp_delta_twin *t, const struct dp_delta_dv *dv, struct dp_delta_dv *out, struct dp_err *err) {
    struct dp_delta_deleted old, fresh;
    DP_TRY(dp_delta_dv_read(v->table, dv, t->rows, &old, err));
    shift(t, &old, &fresh);
    dp_delta_deleted_release(&old);
    enum dp_status status = DP_OK;
    *out = (struct dp_delta_dv){.offset = DP_DELTA_UNSET};
    if (fresh.count) {
        if (!v->file) v->file = dp_delta_dv_file_open(v->table);
        status = dp_delta_dv_file_add(v->file, &fresh, v->arena, out, err);
    }
    dp_delta_deleted_release(&fresh);
    return status;
}

enum dp_status dp_delta_vectors_shift(struct dp_delta_vectors *v, const struct dp_delta_twin *t, const struct dp_delta_dv *dv, struct dp_delta_dv *out, struct dp_err *err) {
    struct dp_buf key = {0};
    bool is_new;
    if (!dv->storage.p) {
        *out = *dv;
        return DP_OK;
    }
    dp_buf_addf(&key, "%p %.*s %.*s %lld", (const void *)t, DP_STR_FMT(dv->storage), (int)dv->path.n, dv->path.p, (long long)dv->offset);
    struct dp_map_item *it = dp_map_put(&v->made, dp_buf_str(&key), &is_new);
    dp_buf_release(&key);
    enum dp_status status = DP_OK;
    if (is_new) {
        struct dp_delta_dv *made = it->v.p = dp_arena_calloc(v->arena, 1, sizeof *made);
        status = make(v, t, dv, made, err);
    }
    *out = *(struct dp_delta_dv *)it->v.p;
    return status;
}

/* As the log spells it. */
static struct dp_str twin_path(const struct dp_delta_twin *t, struct dp_arena *arena) {
    struct dp_buf b = {0};
    if (t->path.p[0] == '/') dp_delta_path_uri(t->path, &b);
    else dp_delta_path_encode(t->path, &b);
    struct dp_str s = dp_arena_str(arena, dp_buf_str(&b));
    dp_buf_release(&b);
    return s;
}

/* Beside a vector the bounds are wider than the rows that are left. */
static struct dp_str twin_stats(const struct dp_delta_twin *t, bool has_vector, struct dp_arena *arena) {
    if (!t->stats.n || !has_vector) return t->stats;
    return dp_str_z(dp_arena_printf(arena, "{\"tightBounds\":false%s%.*s", t->stats.n > 2 ? "," : "", (int)t->stats.n - 1, t->stats.p + 1));
}

static void twin_tags(const struct dp_delta_pairs *tags, const struct dp_delta_twin *t, struct dp_arena *arena, struct dp_delta_pairs *out) {
    *out = (struct dp_delta_pairs){dp_arena_calloc(arena, tags->n + 1, sizeof *out->v), 0};
    for (size_t i = 0; i < tags->n; i++) {
        struct dp_delta_pair p = tags->v[i];
        if (dp_str_eqz(p.key, DP_DELTA_TAG_SHA256)) {
            if (!t->sha256.n) continue;
            p.value = t->sha256;
        }
        out->v[out->n++] = p;
    }
}

enum dp_status dp_delta_twin_action(const struct dp_delta_file *f, const struct dp_delta_twin *t, struct dp_delta_vectors *v, struct dp_arena *arena, struct dp_delta_file *out,
                                    struct dp_err *err) {
    *out = *f;
    out->path = twin_path(t, arena);
    out->size = t->size;
    twin_tags(&f->tags, t, arena, &out->tags);
    DP_TRY(dp_delta_vectors_shift(v, t, &f->dv, &out->dv, err));
    out->stats = twin_stats(t, out->dv.storage.p != NULL, arena);
    out->stats_parsed = (struct dp_str){0};
    return DP_OK;
}

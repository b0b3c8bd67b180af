/* Rows of one chunk and the partitions that they belong to, on any thread. */
#include "lay_priv.h"

#include <dp/delta/partition.h>

#include <stdlib.h>

void dp_lay_rows_open(const struct dp_lay_opts *o, struct dp_lay_rows *r) {
    dp_batch_init(&r->rows, o->schema);
    dp_batch_init(&r->keys, o->layout->schema);
    r->is_open = true;
}

void dp_lay_rows_release(struct dp_lay_rows *r) {
    if (!r->is_open) return;
    dp_batch_release(&r->rows);
    dp_batch_release(&r->keys);
    dp_map_release(&r->groups);
    dp_buf_release(&r->key);
    free(r->group_of);
    free(r->first);
    *r = (struct dp_lay_rows){0};
}

/* A partition's key as bytes: for each column a mark for null, else text and length. */
enum dp_status dp_lay_key_bytes(const struct dp_batch *keys, int64_t row, struct dp_buf *out, struct dp_err *err) {
    dp_buf_reset(out);
    for (size_t i = 0; i < keys->n_columns; i++) {
        bool is_null = false;
        size_t at = out->n;
        uint32_t n = UINT32_MAX;
        dp_buf_add(out, &n, 4);
        DP_TRY(dp_delta_partition_text(&keys->columns[i], row, out, &is_null, err));
        bool valid = dp_column_is_valid(&keys->columns[i], row);
        if (valid) n = (uint32_t)(out->n - at - 4);
        memcpy(out->p + at, &n, 4);
    }
    return DP_OK;
}

static bool same_key(const struct dp_batch *keys, int64_t a, int64_t b) {
    for (size_t i = 0; i < keys->n_columns; i++) {
        const struct dp_column *c = &keys->columns[i];
        bool va = dp_column_is_valid(c, a), vb = dp_column_is_valid(c, b);
        if (va != vb) return false;
        if (!va) continue;
        if (c->offsets) {
            int32_t n = c->offsets[a + 1] - c->offsets[a];
            if (n != c->offsets[b + 1] - c->offsets[b] || (n && memcmp(c->data + c->offsets[a], c->data + c->offsets[b], (size_t)n) != 0)) return false;
        } else if (c->type->id == DP_TYPE_BOOLEAN) {
            if ((c->data[a >> 3] >> (a & 7) & 1) != (c->data[b >> 3] >> (b & 7) & 1)) return false;
        } else {
            size_t w = c->length ? c->data_n / (size_t)c->length : 0;
            if (memcmp(c->data + (size_t)a * w, c->data + (size_t)b * w, w) != 0) return false;
        }
    }
    return true;
}

enum dp_status dp_lay_group(const struct dp_lay_opts *o, struct dp_lay_rows *r, struct dp_err *err) {
    size_t n = (size_t)r->rows.length;
    dp_map_reset(&r->groups);
    if (o->layout->n == 0 || n == 0) return DP_OK;
    DP_TRY(dp_layout_keys(o->layout, &r->rows, &r->keys, err));
    r->group_of = dp_grow(r->group_of, &r->group_cap, n, sizeof *r->group_of);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && same_key(&r->keys, (int64_t)i, (int64_t)i - 1)) {
            r->group_of[i] = r->group_of[i - 1];
            continue;
        }
        bool is_new;
        DP_TRY(dp_lay_key_bytes(&r->keys, (int64_t)i, &r->key, err));
        struct dp_map_item *item = dp_map_put(&r->groups, dp_buf_str(&r->key), &is_new);
        if (is_new) {
            item->v.u = r->groups.n - 1;
            r->first = dp_grow(r->first, &r->first_cap, r->groups.n, sizeof *r->first);
            r->first[item->v.u] = (uint32_t)i;
        }
        r->group_of[i] = (uint32_t)item->v.u;
    }
    return DP_OK;
}

/*
 * Partitions whose rows are ordered along a Z-curve (dp/io/lay.h, cluster).  The ranges of the curve come from a sample of all rows of the partition, so rows wait, spilled
 * where they are many, until the last one has come; then they are read twice: for the sample, and for their places, sorted runs of which go to the merge (lay_merge.c).
 * The sample is every so-many-th row in the order of arrival: what is written depends on the rows and their order alone.
 */
#include "lay_priv.h"

#include <stdlib.h>

#define SAMPLE_VALUES 150000 /* of all columns of the curve together, at most */
#define SAMPLE_ROWS 50000

static enum dp_status learn(struct dp_lay *l, const struct dp_lay_part *p, struct dp_err *err) {
    const size_t *columns;
    size_t n = curve_columns(l->curve, &columns), most = SAMPLE_VALUES / n < SAMPLE_ROWS ? SAMPLE_VALUES / n : SAMPLE_ROWS, skip = 0;
    size_t stride = ((size_t)p->rows + most - 1) / most, cap = 0;
    uint32_t *pick = NULL;
    enum dp_status status = DP_OK;
    curve_forget(l->curve);
    for (size_t i = 0; i < p->n_extents && status == DP_OK; i++) {
        size_t found = 0, row = skip;
        status = dp_lay_store_view(&l->store, &p->extents[i], &l->view, NULL, err);
        if (status != DP_OK) break;
        pick = dp_grow(pick, &cap, (size_t)l->view.length + 1, sizeof *pick);
        for (; row < (size_t)l->view.length; row += stride) pick[found++] = (uint32_t)row;
        skip = row - (size_t)l->view.length;
        dp_lay_empty_piece(l);
        dp_batch_gather(&l->piece, &l->view, pick, found);
        for (size_t k = 0; k < n; k++) curve_learn(l->curve, k, &l->piece.columns[columns[k]]);
    }
    curve_settle(l->curve);
    free(pick);
    return status;
}

/* Rows of the view, with their places, to the stage. */
static void stage(struct dp_lay *l) {
    size_t at = (size_t)l->stage.length, last = l->stage.n_columns - 1;
    dp_column_reset(&l->places);
    curve_places(l->curve, &l->view, &l->places);
    dp_batch_append(&l->stage, &l->view, 0, l->view.length);
    if (l->view.length) memcpy(l->stage.columns[last].data + 8 * at, l->places.data, 8 * (size_t)l->view.length);
}

static enum dp_status put_run(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    size_t n = (size_t)l->stage.length;
    l->order = dp_grow(l->order, &l->order_cap, n + 1, sizeof *l->order);
    l->spare = dp_grow(l->spare, &l->spare_cap, n + 1, sizeof *l->spare);
    for (size_t i = 0; i < n; i++) l->order[i] = (uint32_t)i;
    DP_TRY(dp_lay_put_run(l, p, l->order, n, err));
    dp_batch_reset(&l->stage);
    return DP_OK;
}

enum dp_status dp_lay_cluster(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    size_t n = p->n_extents;
    if (!n) return DP_OK;
    DP_TRY(learn(l, p, err));
    for (size_t i = 0; i < n; i++) {
        if (dp_run_stopped(l->run, err)) return DP_SIGNALLED;
        DP_TRY(dp_lay_store_view(&l->store, &p->extents[i], &l->view, NULL, err));
        stage(l);
        dp_lay_drop_extents(l, p, i, 1);
        if (dp_batch_bytes(&l->stage) + DP_LAY_SORT_BYTES * (size_t)l->stage.length >= l->stage_max || i + 1 == n) DP_TRY(put_run(l, p, err));
    }
    memmove(p->extents, p->extents + n, (p->n_extents - n) * sizeof *p->extents);
    p->n_extents -= n;
    for (size_t i = 0; i < p->n_runs; i++) p->runs[i].first -= n;
    return DP_OK;
}

/*
 * Which sidecars a checkpoint names (digest section 6), without reading its other rows where they are columns.
 */
#include "action_priv.h"
#include "load_priv.h"

#include <dp/base/file.h>
#include <dp/delta/checkpoint.h>
#include <dp/parquet/reader.h>
#include <stdlib.h>

#define BATCH_ROWS 4096

struct naming {
    enum dp_status (*fn)(void *ctx, struct dp_str name, struct dp_err *err);
    void *ctx;
    struct dp_arena arena;
};

struct dp_str delta_sidecar_name(struct dp_str path) {
    size_t i = path.n;
    while (i > 0 && path.p[i - 1] != '/') i--;
    return dp_str(path.p + i, path.n - i);
}

static enum dp_status take_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct naming *r = ctx;
    return a->kind == DP_DELTA_SIDECAR ? r->fn(r->ctx, delta_sidecar_name(a->u.sidecar.path), err) : DP_OK;
}

static enum dp_status read_rows(struct dp_pq_reader *reader, const struct delta_rows *rows, size_t row_group, struct naming *r, struct dp_err *err) {
    struct dp_batch batch;
    dp_batch_init(&batch, dp_pq_reader_schema(reader));
    enum dp_status status = dp_pq_reader_seek(reader, row_group, err);
    while (status == DP_OK) {
        status = dp_pq_reader_next(reader, BATCH_ROWS, &batch, err);
        if (status != DP_OK) break;
        status = delta_rows_each(rows, &batch, &r->arena, take_action, r, err);
        dp_arena_reset(&r->arena);
    }
    dp_batch_release(&batch);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status read_parquet(const char *path, struct naming *r, struct dp_err *err) {
    static const char *const column = "sidecar";
    struct dp_pq_file *file = NULL;
    struct dp_pq_reader *reader = NULL;
    DP_TRY(dp_pq_open(path, &file, err));
    enum dp_status status = DP_OK;
    if (dp_type_child(dp_pq_schema(file), dp_str_z(column))) {
        status = dp_pq_reader_open(file, &column, 1, &reader, err);
        struct delta_rows *rows = status == DP_OK ? delta_rows_open(dp_pq_reader_schema(reader), 0) : NULL;
        for (size_t i = 0; status == DP_OK && i < dp_pq_meta(file)->n_row_groups; i++) status = read_rows(reader, rows, i, r, err);
        if (status != DP_OK) dp_err_at(err, path, 0, DP_NO_OFFSET);
        delta_rows_close(rows);
    }
    dp_pq_reader_close(reader);
    dp_pq_close(file);
    return status;
}

enum dp_status dp_delta_checkpoint_sidecars(const char *table, const struct dp_delta_checkpoint_ref *c, enum dp_status (*fn)(void *ctx, struct dp_str name, struct dp_err *err),
                                            void *ctx, struct dp_err *err) {
    struct naming r = {.fn = fn, .ctx = ctx};
    enum dp_status status = DP_OK;
    char *dir = dp_path_join(table, "_delta_log");
    for (size_t i = 0; i < c->n_names && status == DP_OK; i++) {
        char *path = dp_path_join(dir, c->names[i]);
        status = c->form == DP_DELTA_UUID_JSON ? dp_delta_actions_file(path, &r.arena, take_action, &r, err) : read_parquet(path, &r, err);
        free(path);
    }
    free(dir);
    dp_arena_release(&r.arena);
    return status;
}

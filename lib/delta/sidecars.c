/*
 * Which sidecars a checkpoint names (digest section 6), without reading its other rows where they are columns.
 */
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

static enum dp_status take_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct naming *r = ctx;
    struct dp_str path = a->u.sidecar.path;
    if (a->kind != DP_DELTA_SIDECAR) return DP_OK;
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '/') {
            path = dp_str(path.p + i + 1, path.n - i - 1);
            break;
        }
    return r->fn(r->ctx, path, err);
}

static enum dp_status read_rows(struct dp_pq_reader *reader, const char *path, size_t row_group, struct naming *r, struct dp_err *err) {
    struct dp_batch batch;
    struct dp_buf text = {0};
    struct dp_print_opts opts = {0};
    dp_batch_init(&batch, dp_pq_reader_schema(reader));
    enum dp_status status = dp_pq_reader_seek(reader, row_group, err);
    while (status == DP_OK) {
        status = dp_pq_reader_next(reader, BATCH_ROWS, &batch, err);
        if (status != DP_OK) break;
        dp_buf_reset(&text);
        dp_batch_print(&batch, 0, batch.length, &opts, &text);
        status = dp_delta_actions_each(dp_buf_str(&text), path, &r->arena, take_action, r, err);
        dp_arena_reset(&r->arena);
    }
    dp_buf_release(&text);
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
        for (size_t i = 0; status == DP_OK && i < dp_pq_meta(file)->n_row_groups; i++) status = read_rows(reader, path, i, r, err);
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

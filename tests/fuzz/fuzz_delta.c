/* Fuzz target: a log entry (actions, statistics, schema) or, when the first byte is 0, a deletion vector. */
#include <dp/delta/action.h>
#include <dp/delta/dv.h>
#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum dp_status look(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct dp_buf *b = ctx;
    struct dp_type *schema = NULL;
    dp_buf_reset(b);
    if (a->kind == DP_DELTA_METADATA && dp_delta_schema_parse(a->u.metadata.schema_string, &schema, err) == DP_OK) dp_delta_schema_print(schema, b);
    if (a->kind == DP_DELTA_ADD) {
        dp_delta_file_key(&a->u.file, b);
        dp_delta_add_print(&a->u.file, b);
        (void)dp_delta_file_rows(&a->u.file);
    }
    if (a->kind == DP_DELTA_PROTOCOL && dp_delta_check_read(&a->u.protocol, err) == DP_OK) dp_delta_protocol_print(&a->u.protocol, b);
    dp_type_free(schema);
    return DP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dp_err err = DP_ERR_INIT;
    if (n && data[0] == 0) {
        struct dp_delta_deleted d = {0};
        if (dp_delta_dv_parse(dp_str((const char *)data + 1, n - 1), 100000, &d, &err) == DP_OK) dp_delta_deleted_release(&d);
        return 0;
    }
    struct dp_arena arena = {0};
    struct dp_buf b = {0};
    if (dp_delta_actions_each(dp_str((const char *)data, n), "fuzz", &arena, look, &b, &err) != DP_OK) err.msg[0] = 0;
    dp_buf_release(&b);
    dp_arena_release(&arena);
    return 0;
}

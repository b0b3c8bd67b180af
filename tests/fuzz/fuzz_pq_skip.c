/*
 * Fuzz target: bytes as a Parquet file of which an expression over its own columns is asked and some rows are selected: statistics, page indexes, bloom
 * filters, and pages that are passed over.  Anything but a crash, a hang or a leak is right.
 */
#include <dp/parquet/reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Each of the first columns compared with constants of all kinds, `.a.b` for those within groups. */
static void put_expr(const struct dp_type *schema, struct dp_buf *out) {
    static const char *const tests[] = {"== 5", "== \"a\"", "< 1.5", ">= \"2020-01-01\"", "== true", "!= null", "== \"2020-01-01T00:00:00Z\"", "== 0"};
    dp_buf_addz(out, "(false");
    for (size_t i = 0; i < schema->n_children && i < 6; i++) {
        const struct dp_type *t = schema->children[i];
        for (size_t k = 0; k < 3; k++) {
            dp_buf_addz(out, k == 1 ? " and .[" : " or .[");
            dp_json_add_string(out, dp_str(t->name, t->name_n));
            dp_buf_addc(out, ']');
            if (t->id == DP_TYPE_STRUCT) {
                dp_buf_addz(out, ".[");
                dp_json_add_string(out, dp_str(t->children[0]->name, t->children[0]->name_n));
                dp_buf_addc(out, ']');
            }
            dp_buf_addf(out, " %s", tests[(i + k * 3) % (sizeof tests / sizeof *tests)]);
        }
    }
    dp_buf_addz(out, ") | not");
}

static void read_some(struct dp_pq_reader *r, size_t g, const struct dp_pq_range *v, size_t n, struct dp_batch *b) {
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_pq_reader_seek(r, g, &err);
    if (status == DP_OK) status = dp_pq_reader_select(r, v, n, &err);
    for (int i = 0; status == DP_OK && i < 8; i++) status = dp_pq_reader_next(r, 1 + i * 500, b, &err);
}

static void ask(const struct dp_pq_file *f, struct dp_pq_reader *r, const struct dp_expr *e, size_t g, struct dp_batch *b) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    int64_t rows = m->row_groups[g].num_rows;
    struct dp_pq_ranges left = {0};
    struct dp_buf min = {0}, max = {0};
    if (dp_pq_skip(f, g, e, NULL, NULL, &left) != DP_NEVER) read_some(r, g, left.v, left.n, b);
    if (rows > 9) read_some(r, g, (const struct dp_pq_range[]){{1, 2}, {rows / 2, rows / 2 + 2}, {rows - 1, rows}}, 3, b);
    for (size_t i = 0; i < m->n_leaves && i < 64; i++) {
        struct dp_arena a = {0};
        struct dp_pq_offset_index pages;
        struct dp_pq_column_index index;
        if (dp_pq_pages(f, g, i, &a, &pages, &index))
            for (size_t k = 0; k < pages.n_pages && k < 64; k++) (void)dp_pq_page_bounds(m, i, &index, k, &min, &max);
        dp_arena_release(&a);
    }
    dp_pq_ranges_release(&left);
    dp_buf_release(&min);
    dp_buf_release(&max);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    struct dp_pq_reader *r = NULL;
    struct dp_expr *e = NULL;
    struct dp_buf text = {0};
    if (dp_pq_open_memory(p, n, "fuzz", &f, &err) != DP_OK) return 0;
    put_expr(dp_pq_schema(f), &text);
    if (dp_pq_reader_open(f, NULL, 0, &r, &err) == DP_OK && dp_expr_compile(dp_buf_str(&text), &e, &err) == DP_OK) {
        struct dp_batch b;
        dp_batch_init(&b, dp_pq_reader_schema(r));
        for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups && g < 8; g++) ask(f, r, e, g, &b);
        dp_batch_release(&b);
    }
    dp_buf_reset(&text);
    dp_pq_schema_text(dp_pq_meta(f), &text);
    dp_buf_release(&text);
    dp_expr_free(e);
    dp_pq_reader_close(r);
    dp_pq_close(f);
    return 0;
}

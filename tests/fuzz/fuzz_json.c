/*
 * The NDJSON scanner on any bytes: the engines that run here must agree on each node and each error, lines must not be
 * lost, and what is taken must print and decode.
 */
#include <dp/record/field.h>
#include <dp/record/json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) abort();
}

static void same_record(enum dp_status sa, const struct dp_record *a, const struct dp_err *ea, enum dp_status sb,
                        const struct dp_record *b, const struct dp_err *eb) {
    must(sa == sb);
    if (sa == DP_END) return;
    must(a->raw == b->raw && a->raw_n == b->raw_n && a->index == b->index && a->line_off == b->line_off);
    if (sa != DP_OK) {
        must(strcmp(ea->msg, eb->msg) == 0 && ea->offset == eb->offset);
        return;
    }
    must(a->n_nodes == b->n_nodes && a->n_members == b->n_members && a->same_keys == b->same_keys);
    must(a->duplicate_keys == b->duplicate_keys && a->dup_node == b->dup_node);
    must(memcmp(a->nodes, b->nodes, a->n_nodes * sizeof *a->nodes) == 0);
}

/* Reads every string of a record. */
static void read_all(const struct dp_record *r, struct dp_buf *b) {
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        const struct dp_node *n = &r->nodes[i];
        must(n->next > i && n->next <= r->n_nodes);
        if (n->kind != DP_KIND_STRING) continue;
        dp_buf_reset(b);
        must(dp_json_get_string(r, i, b));
        must(dp_json_equal(dp_node_str(r, i), n->flags, dp_buf_str(b)));
        must(dp_utf8_valid(b->p, b->n, NULL));
        must(dp_json_length(dp_node_str(r, i), n->flags) <= n->len);
    }
}

static void scan_lines(struct dp_scan *a, struct dp_scan *b, const char *p, size_t n, struct dp_buf *text) {
    struct dp_record ra = {0}, rb = {0};
    struct dp_err ea = DP_ERR_INIT, eb = DP_ERR_INIT;
    size_t lines = 0, lf = 0;
    dp_scan_begin(a, p, n);
    dp_scan_begin(b, p, n);
    for (;;) {
        enum dp_status sa = dp_scan_next(a, &ra, &ea), sb = dp_scan_next(b, &rb, &eb);
        same_record(sa, &ra, &ea, sb, &rb, &eb);
        if (sa == DP_END) break;
        must(ra.index >= lines);
        lines = (size_t)ra.index + 1;
        if (sa == DP_OK) read_all(&ra, text);
    }
    for (size_t i = 0; i < n; i++) lf += p[i] == '\n';
    must(lines <= lf + 1);
}

/* The same often enough that blocks come in groups. */
static void scan_many(struct dp_scan *a, struct dp_scan *b, const uint8_t *data, size_t size, struct dp_buf *text) {
    struct dp_buf many = {0};
    while (many.n < 1200) dp_buf_add(&many, data, size);
    memset(dp_buf_reserve(&many, DP_SCAN_PAD), '\n', DP_SCAN_PAD);
    scan_lines(a, b, many.p, many.n, text);
    struct dp_record ra, rb;
    struct dp_err ea = DP_ERR_INIT, eb = DP_ERR_INIT;
    enum dp_status sa = dp_scan_value(a, many.p, many.n, &ra, &ea), sb = dp_scan_value(b, many.p, many.n, &rb, &eb);
    same_record(sa, &ra, &ea, sb, &rb, &eb);
    dp_buf_release(&many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum dp_scan_engine engines[] = {DP_SCAN_SSE42, DP_SCAN_AVX2, DP_SCAN_AVX512, DP_SCAN_AVX512_WIDE, DP_SCAN_NEON};
    char *p = malloc(size + DP_SCAN_PAD);
    struct dp_buf text = {0};
    if (!p) return 0;
    if (size) memcpy(p, data, size);
    memset(p + size, size % 2 ? '"' : '\n', DP_SCAN_PAD);
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++) {
        struct dp_scan *a = dp_scan_open(8192, DP_SCAN_PORTABLE), *b = dp_scan_open(8192, engines[e]);
        for (int round = 0; round < 3; round++) scan_lines(a, b, p, size, &text); /* walked, learnt, laid out */
        struct dp_record ra, rb;
        struct dp_err ea = DP_ERR_INIT, eb = DP_ERR_INIT;
        enum dp_status sa = dp_scan_value(a, p, size, &ra, &ea), sb = dp_scan_value(b, p, size, &rb, &eb);
        same_record(sa, &ra, &ea, sb, &rb, &eb);
        if (sa == DP_OK) read_all(&ra, &text);
        if (size && size < 600) scan_many(a, b, data, size, &text);
        dp_scan_close(a);
        dp_scan_close(b);
    }
    struct dp_path path;
    if (dp_path_parse(dp_str(p, size), &path, NULL) == DP_OK) dp_path_release(&path);
    dp_buf_release(&text);
    free(p);
    return 0;
}

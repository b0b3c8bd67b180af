/*
 * CSV from any bytes: the first byte picks dialect and types, the rest is the text.  No crash; what is converted by separators is what comes
 * out cell by cell; the cut is the same in one piece and in two; each line that comes out is a JSON object.
 */
#include <dp/format/csv.h>
#include <dp/record/json.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *ctx, const struct dp_csv_reject *r) {
    dp_buf_addf(ctx, "!%s %llu %zu %zu %s\n", r->rule, (unsigned long long)r->line, r->offset, r->raw.n, r->reason);
}

static void convert(struct dp_csv_dialect d, struct dp_str text, struct dp_buf *out, struct dp_buf *notes) {
    struct dp_csv_table *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    size_t at;
    uint64_t lines;
    out->n = notes->n = 0;
    if (dp_csv_table_open(&d, text, &t, &at, &lines, NULL, NULL) == DP_OK && at <= text.n) {
        dp_csv_table_learn(t, text.p + at, (text.n - at) / 2);
        if (dp_csv_table_decide(t, NULL, NULL) != DP_OK) abort();
        struct dp_csv_converter *c = dp_csv_converter_open(t);
        struct dp_csv_result r = {0};
        enum dp_status status = dp_csv_convert(c, text.p + at, text.n - at, out, &r, note, notes, &err);
        dp_buf_addf(notes, "%d %s %llu %llu\n", status, err.msg, (unsigned long long)r.records, (unsigned long long)r.coerced);
        dp_csv_converter_close(c);
    }
    dp_csv_table_close(t);
}

static void check_records(struct dp_buf *out) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE);
    struct dp_record r;
    enum dp_status status;
    size_t n = out->n;
    memset(dp_buf_reserve(out, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, out->p, n);
    while ((status = dp_scan_next(scan, &r, NULL)) == DP_OK)
        if (r.duplicate_keys) abort();
    if (status != DP_END) abort();
    dp_scan_close(scan);
}

static void check_cut(const struct dp_csv_dialect *d, struct dp_str text) {
    struct dp_csv_cut one = {0}, two = {0};
    size_t half = text.n / 3, whole = dp_csv_cut(d, &one, text.p, text.n), a = dp_csv_cut(d, &two, text.p, half);
    size_t b = dp_csv_cut(d, &two, text.p + half, text.n - half), split = b ? half + b : a;
    if (d->newline == DP_CSV_NEWLINE_ANY) return; /* a CR at the border ends a record before its LF is seen */
    if (whole != split || one.in_quotes != two.in_quotes || (one.in_quotes && one.open_at != two.open_at)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_buf text = {0}, out[2] = {{0}, {0}}, notes[2] = {{0}, {0}};
    struct dp_csv_dialect d;
    if (!size) return 0;
    unsigned how = data[0];
    dp_csv_dialect_init(&d);
    if (how & 1) d.delimiter = ';';
    if (how & 2) d.all_strings = true;
    if (how & 4) d.ragged = DP_CSV_RAGGED_PAD;
    if (how & 8) d.header = DP_CSV_HEADER_NO;
    if (how & 16) d.quote = '\'';
    if (how & 32) d.skip = 0;
    dp_buf_add(&text, data + 1, size - 1);
    memset(dp_buf_reserve(&text, 64), 0, 64);
    if (dp_csv_sniff(&d, dp_buf_str(&text), true, NULL) == DP_OK) {
        check_cut(&d, dp_buf_str(&text));
        convert(d, dp_buf_str(&text), &out[0], &notes[0]);
        check_records(&out[0]);
        if (!memchr(text.p, 1, text.n)) {
            d.comment = 1; /* never comes, but its dialect goes cell by cell */
            convert(d, dp_buf_str(&text), &out[1], &notes[1]);
            if (strcmp(dp_buf_z(&out[0]), dp_buf_z(&out[1])) || strcmp(dp_buf_z(&notes[0]), dp_buf_z(&notes[1]))) abort();
        }
    }
    dp_buf_release(&text);
    for (int i = 0; i < 2; i++) dp_buf_release(&out[i]), dp_buf_release(&notes[i]);
    return 0;
}

/*
 * States of aggregates from any bytes, and their text: the first byte picks a list of aggregates and whether rows may be taken out, the rest is a state to load (first byte 255: the text
 * of aggregates).  What is loaded can be printed, saved, merged and added to; what it saves loads again and prints the same.
 */
#include <dp/rules/agg.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const specs[] = {
    "n=count(),c=count(v),s=sum(v),m=mean(v)",
    "a=var_samp(v),b=stddev_pop(v)",
    "l=min(v),h=max(v)",
    "q=quantile(v,0.95),m=median(v)",
    "q=quantile_approx(v,0.5)",
    "t=top(v,3)",
    "d=distinct(v),m=most(v,3)",
    "d=distinct_approx(v)",
    "f=first(v),l=last(v),c=collect(v)",
    "d=delta(v),r=rate(v)",
    "n=count() where .v > 1,e=.n + 1,s=sum(v)",
};
#define N_SPECS (sizeof specs / sizeof *specs)

static void parse_text(struct dp_str text) {
    char *z = dp_strndup(text.p, text.n);
    const char *const *texts = (const char *const *)&z;
    struct dp_aggs *a = NULL, *b = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf once = {0};
    if (dp_aggs_parse(texts, 1, NULL, &a, &err) == DP_OK) {
        dp_aggs_describe(a, &once); /* which reads back as the same */
        const char *again = dp_buf_z(&once);
        struct dp_buf twice = {0};
        if (dp_aggs_parse(&again, 1, NULL, &b, &err) != DP_OK) abort();
        dp_aggs_describe(b, &twice);
        if (!dp_str_eq(dp_buf_str(&once), dp_buf_str(&twice))) abort();
        dp_aggs_free(b);
        dp_buf_release(&twice);
    }
    dp_aggs_free(a);
    dp_buf_release(&once);
    free(z);
}

static void print(const struct dp_aggs *a, const void *state, struct dp_buf *out) {
    struct dp_agg_printer *p = dp_agg_printer_open(a);
    struct dp_err err = DP_ERR_INIT;
    out->n = 0;
    if (dp_agg_print(p, state, 0, out, &err) != DP_OK) dp_buf_addz(out, err.msg);
    dp_agg_printer_close(p);
}

static void add_row(const struct dp_aggs *a, void *state, bool sub, struct dp_agg_mem *mem) {
    static const char record[] = "{\"v\":1.5}";
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_PORTABLE);
    struct dp_agg_reader *reader = dp_agg_reader_open(a);
    struct dp_buf text = {0}, row = {0};
    struct dp_record rec;
    dp_buf_addz(&text, record);
    dp_scan_begin(scan, memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD) ? text.p : NULL, text.n);
    if (dp_scan_next(scan, &rec, NULL) != DP_OK || dp_agg_read(reader, &rec, NULL, &row, NULL) != DP_OK) abort();
    dp_agg_add(a, state, dp_buf_str(&row), (struct dp_agg_at){5, 7}, mem);
    if (sub && !dp_agg_sub(a, state, dp_buf_str(&row), (struct dp_agg_at){5, 7}, mem)) abort();
    dp_buf_release(&text), dp_buf_release(&row);
    dp_agg_reader_close(reader);
    dp_scan_close(scan);
}

static void use(const struct dp_aggs *a, void *state, bool sub, struct dp_agg_mem *mem) {
    struct dp_buf first = {0}, second = {0}, saved = {0};
    struct dp_err err = DP_ERR_INIT;
    void *other = dp_calloc(1, dp_agg_size(a));
    print(a, state, &first);
    dp_agg_save(a, state, &saved);
    struct dp_str in = dp_buf_str(&saved);
    if (dp_agg_load(a, other, &in, mem, &err) != DP_OK || in.n) abort();
    print(a, other, &second);
    if (!dp_str_eq(dp_buf_str(&first), dp_buf_str(&second))) abort();
    add_row(a, state, sub, mem);
    dp_agg_merge(a, state, other, mem);
    print(a, state, &second);
    dp_buf_release(&first), dp_buf_release(&second), dp_buf_release(&saved);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    struct dp_str in = dp_str((const char *)data + 1, size - 1);
    if (data[0] == 255) {
        parse_text(in);
        return 0;
    }
    const char *spec = specs[data[0] / 2 % N_SPECS];
    struct dp_aggs *a = NULL;
    struct dp_agg_mem mem = {0};
    struct dp_err err = DP_ERR_INIT;
    if (dp_aggs_parse(&spec, 1, NULL, &a, &err) != DP_OK) abort();
    if (data[0] & 1) dp_aggs_allow_sub(a);
    void *state = dp_calloc(1, dp_agg_size(a));
    if (dp_agg_load(a, state, &in, &mem, &err) == DP_OK) use(a, state, data[0] & 1, &mem);
    dp_agg_release(a, state, &mem);
    if (mem.bytes) abort();
    free(state);
    dp_aggs_free(a);
    return 0;
}

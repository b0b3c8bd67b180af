/* A Variant of hostile bytes: what is printed must be one JSON value of bounded size.  input: length of the metadata, then it, then the value. */
#include "../../lib/parquet/variant_priv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_buf text = {0};
    struct dp_variant_out o = {.to = &text, .most = MOST};
    if (n < 1) return 0;
    size_t head = p[0];
    p++, n--;
    if (head > n) head = n;
    if (dp_variant_begin(&o, dp_str((const char *)p, head)) && dp_variant_put(&o, p + head, n - head, 0)) {
        struct dp_scan *scan = dp_scan_open(1 << 24, DP_SCAN_AUTO);
        struct dp_record r;
        struct dp_err err = DP_ERR_INIT;
        size_t bytes = text.n;
        memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        if (dp_scan_value(scan, text.p, bytes, &r, &err) != DP_OK) abort();
        dp_scan_close(scan);
    } else if (!o.why) {
        abort();
    }
    dp_buf_release(&o.fields);
    dp_buf_release(&text);
    return 0;
}

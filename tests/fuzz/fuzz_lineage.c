/*
 * Events of lineage from any bytes, read strictly and not: no crash, and what is no event says why.  What is one is read again to the same number of datasets and column edges, and
 * each of them has a name.
 */
#include "../../lib/io/catalog_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_once(const struct dp_record *r, bool strict, bool *good) {
    struct dp_arena arena = {0};
    struct dp_cat_event e;
    struct dp_err err = DP_ERR_INIT;
    size_t n = 0;
    enum dp_status status = dp_cat_event_read(r, &arena, strict, &e, &err);
    *good = status == DP_OK;
    if (status != DP_OK && (status != DP_FORMAT || !err.msg[0])) abort();
    if (strict && *good && e.warnings) abort();
    for (size_t i = 0; *good && i < e.n_datasets; i++) {
        const struct dp_cat_dataset *d = &e.datasets[i];
        if (!d->id.ns.p || !d->id.name.p) abort();
        for (size_t k = 0; k < d->n_refs; k++)
            if (!d->refs[k].from.name.p || !d->refs[k].field.p || !d->refs[k].how) abort();
        n += 1 + d->n_refs;
    }
    dp_arena_release(&arena);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_scan *s = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record r;
    dp_buf_add(&text, data, size);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(s, text.p, text.n, &r, NULL) == DP_OK) {
        bool lax, strict;
        size_t n = read_once(&r, false, &lax), m = read_once(&r, true, &strict);
        if (strict && (!lax || n != m)) abort();
    }
    dp_scan_close(s);
    dp_buf_release(&text);
    return 0;
}

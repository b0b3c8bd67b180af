/* Rules of retention from any bytes, YAML or S3 JSON: no crash; what is read has an id, and its times end. */
#include <dp/rules/retention.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_keep(const struct dp_retain_keep *k, const struct dp_zone *zone) {
    const int64_t now = INT64_C(1768000000000000);
    int64_t cut = dp_retain_cut(k, zone, now);
    if (k->is_given && cut > now) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_retain_rules r = {0};
    if (dp_retain_parse(&r, DP_STR("version: 1\nstorage-classes: {GLACIER: /cold, G: /c}\n"), "classes", NULL) != DP_OK) abort();
    if (dp_retain_parse(&r, dp_str((const char *)data, size), "fuzz", NULL) == DP_OK) {
        for (size_t i = 0; i < r.n; i++) {
            const struct dp_retain_rule *x = &r.v[i];
            if (!x->id || !*x->id || !x->zone) abort();
            check_keep(&x->rows, x->zone), check_keep(&x->versions, x->zone), check_keep(&x->leftovers, x->zone), check_keep(&x->tier, x->zone);
            if (x->has_tier && (!x->tier_to || x->tier_to[0] != '/' || !x->tier_name)) abort();
        }
    }
    dp_retain_rules_release(&r);
    return 0;
}

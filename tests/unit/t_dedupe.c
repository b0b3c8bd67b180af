/* The parts of dedupe against slow models: keys with times that are forgotten and spilled, the best record of each key, lines that wait. */
#include "dpt.h"

#include "../../lib/io/dedupe_priv.h"

#include <dp/base/mem.h>

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct dp_key key_of(uint64_t v) { return (struct dp_key){{mix(2 * v + 1), mix(2 * v + 2)}}; }

/* ---- times ---- */

/* n records of `values` keys, each a step later and up to `disorder` back; the model has a list of kept times for each key. */
static void times(uint64_t n, uint64_t values, int64_t within, int64_t step, int64_t disorder, int64_t origin, bool forgets, bool spills) {
    enum { KEPT = 64 };
    struct dedupe_recent *r = dedupe_recent_open(0, within);
    struct dp_err err = DP_ERR_INIT;
    int64_t *kept = dp_calloc((size_t)values * KEPT, sizeof *kept), highest = INT64_MIN;
    uint8_t *first = dp_calloc((size_t)values, 1), *have = dp_calloc((size_t)values, 1); /* a ring of the latest ones */
    uint64_t wrong = 0, count = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = mix(i) % values;
        int64_t t = origin + (int64_t)i * step - (int64_t)(mix(i + n) % (uint64_t)(disorder + 1));
        bool near, want = false;
        if (dedupe_recent_add(r, key_of(v), t, &near, &err) != DP_OK) fail_msg("%s", err.msg);
        for (size_t k = 0; k < have[v]; k++) {
            int64_t at = kept[v * KEPT + k];
            want = want || (t > at ? t - at : at - t) <= within;
        }
        wrong += near != want;
        if (!want) {
            kept[v * KEPT + first[v]] = t;
            first[v] = (uint8_t)((first[v] + 1) % KEPT);
            have[v] = (uint8_t)(have[v] < KEPT ? have[v] + 1 : KEPT);
            count++;
        }
        if (t > highest) highest = t;
        if (forgets) dedupe_recent_forget(r, highest - disorder - within);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(dedupe_recent_count(r), count);
    assert_int_equal(dedupe_recent_spilled(r) > 0, spills);
    free(kept);
    free(first);
    free(have);
    dedupe_recent_close(r);
}

static void recent(void **state) {
    (void)state;
    times(0, 1, 10, 1, 0, 0, true, false);
    times(5000, 50, 0, 1, 3, 0, false, false);
    times(5000, 50, 7, 1, 30, -2500, true, false);
    times(20000, 900, 1000, 3, 500, INT64_MIN / 2, true, false);
    times(20000, 900, 1000, 3, 500, INT64_MAX / 2, false, true);
    times(300000, 250000, 5000, 1, 100, 0, true, false); /* what is alive fits */
    times(600000, 400000, 10000000, 1, 100, 0, false, true);
    times(900000, 700000, 150000, 1, 1000, 0, true, true);
}

/* The far ends of time, where a span beside the own one is none. */
static void ends_of_time(void **state) {
    (void)state;
    static const int64_t at[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    for (int64_t within = 0; within < 3; within++) {
        struct dedupe_recent *r = dedupe_recent_open(0, within);
        struct dp_err err = DP_ERR_INIT;
        bool near, kept[7] = {false};
        for (size_t i = 0; i < 7; i++) {
            bool want = false;
            for (size_t k = 0; k < i; k++) want = want || (kept[k] && (uint64_t)at[i] - (uint64_t)at[k] <= (uint64_t)within);
            assert_int_equal(dedupe_recent_add(r, key_of(1), at[i], &near, &err), DP_OK);
            assert_int_equal(near, want);
            kept[i] = !near;
        }
        dedupe_recent_close(r);
    }
}

/* ---- the best ---- */

static int by_bytes(struct dp_str a, struct dp_str b) { return dp_str_cmp(a, b); }

static void best(uint64_t n, uint64_t values, size_t longest, bool spills) {
    struct dedupe_best *b = dedupe_best_open(0, by_bytes);
    struct dp_err err = DP_ERR_INIT;
    struct dedupe_bits bits = {0};
    char (*value)[64] = dp_calloc((size_t)values, sizeof *value), text[64];
    uint64_t *number = dp_calloc((size_t)values, sizeof *number), count = 0, wrong = 0; /* of the best, from 1 */
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = mix(i) % values, x = mix(i * 3 + 1) % 100;
        size_t len = longest ? (size_t)(mix(i * 5) % longest) : 0;
        (void)snprintf(text, sizeof text, "%0*llu", (int)len, (unsigned long long)(longest ? x : 0));
        if (dedupe_best_add(b, key_of(v), dp_str_z(text), i, &err) != DP_OK) fail_msg("%s", err.msg);
        count += !number[v];
        if (!number[v] || strcmp(text, value[v]) >= 0) {
            memcpy(value[v], text, sizeof text);
            number[v] = i + 1;
        }
    }
    if (dedupe_best_finish(b, &bits, &err) != DP_OK) fail_msg("%s", err.msg);
    for (uint64_t i = 0; i < n; i++) wrong += dedupe_bits_has(&bits, i) != (number[mix(i) % values] == i + 1);
    assert_int_equal(wrong, 0);
    assert_int_equal(dedupe_best_count(b), count);
    assert_int_equal(dedupe_best_spilled(b) > 0, spills);
    assert_false(dedupe_bits_has(&bits, n + 1000));
    free(bits.p);
    free(value);
    free(number);
    dedupe_best_close(b);
}

static void best_of_each(void **state) {
    (void)state;
    best(0, 1, 0, false);
    best(1, 1, 10, false);
    best(10000, 300, 40, false);
    best(10000, 5000, 0, false);
    best(400000, 250000, 0, true);   /* the last */
    best(400000, 250000, 40, true);
    best(400000, 30, 60, false);
}

/* What each hands out, put into another one, is what it knew; in memory and from runs. */
static enum dp_status load_one(void *ctx, const struct dedupe_entry *e, struct dp_err *err) { return dedupe_recent_load(ctx, e, err); }

static void checkpoint(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    const uint64_t sizes[] = {10, 60000}; /* the second spills */
    for (size_t k = 0; k < 2; k++) {
        struct dedupe_recent *r = dedupe_recent_open(0, 100), *copy = dedupe_recent_open(0, 100);
        const uint64_t n = sizes[k], half = n / 2;
        bool near, there;
        for (uint64_t i = 0; i < n; i++) {
            assert_int_equal(dedupe_recent_add(r, key_of(i), (int64_t)i, &near, &err), DP_OK);
            const struct dedupe_entry e = dedupe_recent_entry(r, key_of(i), (int64_t)i);
            assert_true(e.t == (int64_t)i);
        }
        assert_int_equal(dedupe_recent_spilled(r) > 0, k == 1);
        dedupe_recent_forget(r, (int64_t)half);
        assert_int_equal(dedupe_recent_each(r, load_one, copy, &err), DP_OK);
        assert_int_equal(dedupe_recent_count(copy), n - half);
        for (uint64_t i = half; i < n; i += n / 10) {
            assert_int_equal(dedupe_recent_add(copy, key_of(i), (int64_t)i + 100, &there, &err), DP_OK);
            assert_true(there);
        }
        assert_int_equal(dedupe_recent_add(copy, key_of(0), 0, &there, &err), DP_OK);
        assert_false(there);
        dedupe_recent_close(r);
        dedupe_recent_close(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(checkpoint), cmocka_unit_test(recent), cmocka_unit_test(ends_of_time), cmocka_unit_test(best_of_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

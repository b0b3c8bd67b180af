/*
 * Masks without a program: what compile refuses, records one after the other with other keys, batches that give what records give,
 * and the limits of remembering.
 */
#include "dpt.h"

#include <dp/rules/mask.h>

static struct {
    struct dp_contract contract;
    struct dp_policy policy;
    struct dp_mask *mask;
    struct dp_mask_run *run;
} t;

static void start(const char *properties, const char *policy, enum dp_mask_unknown unknown) {
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_keyring *ring = NULL;
    const struct dp_contract_object *o;
    dp_buf_addf(&b, "apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema: [{name: t, properties: [%s]}]\n", properties);
    assert_int_equal(dp_contract_parse(dp_buf_str(&b), "c", &t.contract, &err), DP_OK);
    assert_int_equal(dp_contract_object(&t.contract, NULL, &o, &err), DP_OK);
    if (policy && dp_policy_parse(dp_str_z(policy), "p", &t.policy, &err) != DP_OK) fail_msg("%s", err.msg);
    if (dp_mask_compile(&t.contract, o, policy ? &t.policy : NULL, NULL, unknown, &t.mask, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_int_equal(dp_keyring_parse(DP_STR("demo:00112233445566778899aabbccddeeff"), "key", &ring, &err), DP_OK);
    assert_int_equal(dp_mask_set_key(t.mask, ring, &err), DP_OK);
    dp_keyring_free(ring);
    t.run = dp_mask_run_open(t.mask);
    dp_buf_release(&b);
}

static void stop(void) {
    dp_mask_run_close(t.run);
    dp_mask_free(t.mask);
    dp_policy_release(&t.policy);
    dp_contract_release(&t.contract);
    memset(&t, 0, sizeof t);
}

/* All lines through the mask; those that are refused leave "! RULE PATH". `only`: every second line is given to it, as behind a filter. */
static char *lines(const char *text, bool only) {
    struct dp_buf in = {0}, out = {0};
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_mask_reject why;
    struct dp_scan *s = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_buf_addz(&in, text);
    dp_buf_reserve(&in, DP_SCAN_PAD);
    dp_scan_begin(s, in.p, in.n);
    dp_mask_run_reset(t.run);
    while (dp_scan_next(s, &r, &err) == DP_OK) {
        if (only && r.index % 2) continue;
        if (dp_mask_record(t.run, &r, &out, &why) == DP_RECORD) dp_buf_addf(&out, "! %s %s\n", why.rule, why.path);
    }
    dp_scan_close(s);
    dp_buf_release(&in);
    return dp_buf_detach(&out);
}

static void same(const char *text, bool only, const char *want) {
    char *got = lines(text, only);
    assert_string_equal(got, want);
    free(got);
}

/* Names of a line that was passed over must not stand for those of the next. */
static void keys_change(void **state) {
    (void)state;
    start("{name: a, logicalType: string}, {name: b, logicalType: string, classification: restricted}", "version: 1\nclassifications: {restricted: redact}\n", DP_MASK_UNKNOWN_FAIL);
    same("{\"a\":\"1\",\"b\":\"2\"}\n{\"b\":\"2\",\"a\":\"1\"}\n{\"b\":\"2\",\"a\":\"1\"}\n{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"1\",\"b\":\"2\"}\n", true,
         "{\"a\":\"1\",\"b\":\"***\"}\n{\"b\":\"***\",\"a\":\"1\"}\n{\"a\":\"1\",\"b\":\"***\"}\n");
    same("{\"a\":\"1\",\"b\":\"2\"}\n\n\n{\"a\":\"1\",\"b\":\"2\"}\n{\"c\":1}\n{\"a\":\"1\",\"b\":\"2\"}\n{\"b\":\"1\"}\n", false,
         "{\"a\":\"1\",\"b\":\"***\"}\n{\"a\":\"1\",\"b\":\"***\"}\n! unknown-field c\n{\"a\":\"1\",\"b\":\"***\"}\n{\"b\":\"***\"}\n");
    stop();
}

/* Values longer than what is remembered, many values, and the same text in two domains. */
static void remembering(void **state) {
    (void)state;
    start("{name: a, logicalType: string, classification: restricted}, {name: b, logicalType: string, classification: restricted}", NULL, DP_MASK_UNKNOWN_FAIL);
    struct dp_buf in = {0};
    for (int i = 0; i < 20000; i++) dp_buf_addf(&in, "{\"a\":\"v%0*d\",\"b\":\"v%0*d\"}\n", i % 70 + 1, i % 5000, i % 70 + 1, i % 5000);
    char *once = lines(dp_buf_z(&in), false), *again = lines(dp_buf_z(&in), false);
    assert_string_equal(once, again);
    dp_mask_run_close(t.run);
    t.run = dp_mask_run_open(t.mask);
    char *fresh = lines(dp_buf_z(&in), false), *line = once;
    assert_string_equal(once, fresh);
    for (int i = 0; i < 100; i++) {
        char *a = strstr(line, "v1:demo:"), *b = strstr(a + 1, "v1:demo:");
        assert_true(memcmp(a, b, 30) != 0);
        line = strchr(line, '\n') + 1;
    }
    free(once), free(again), free(fresh);
    dp_buf_release(&in);
    stop();
}

static void on_bad(void *ctx, int64_t row, const struct dp_mask_reject *why) {
    (void)why;
    *(int64_t *)ctx = row;
}

/* Records to a batch, through the mask, to records: what the records' own way gives. */
static void batches(void **state) {
    (void)state;
    static const char in[] = "{\"a\":\"x\",\"n\":34,\"t\":\"1969-12-31T23:59:59.5Z\",\"d\":\"1969-11-30\",\"l\":[{\"a\":\"\\u00e9\\\"\",\"b\":\"c\"},null],\"x\":7.10}\n"
                             "{\"a\":null,\"n\":-1,\"t\":null,\"d\":null,\"l\":null,\"x\":null}\n"
                             "{\"a\":\"\",\"n\":0,\"t\":\"2026-08-09T10:11:12Z\",\"d\":\"2024-02-29\",\"l\":[],\"x\":0.00}\n";
    start("{name: a, logicalType: string, classification: restricted}, {name: n, logicalType: integer}, {name: t, logicalType: timestamp}, {name: d, logicalType: date},"
          "{name: l, logicalType: array, items: {logicalType: object, properties: [{name: a, logicalType: string, classification: restricted}, {name: b, logicalType: string}]}},"
          "{name: x, logicalType: number, physicalType: 'decimal(10,2)'}",
          "version: 1\ncolumns: {n: {mask: band, width: 10}, t: {mask: truncate, to: month}, d: {mask: truncate, to: quarter}, x: {mask: hmac}}\n", DP_MASK_UNKNOWN_FAIL);
    struct dp_err err = DP_ERR_INIT;
    struct dp_type *schema = NULL;
    struct dp_batch b, masked;
    struct dp_shred_reject why;
    struct dp_record r;
    struct dp_buf text = {0}, out = {0};
    int64_t bad = -1;
    assert_int_equal(dp_mask_schema(t.mask, dp_mask_contract_schema(t.mask), &schema, &err), DP_OK);
    dp_batch_init(&b, dp_mask_contract_schema(t.mask));
    dp_batch_init(&masked, schema);
    struct dp_shred *shred = dp_shred_open(b.schema, true);
    struct dp_scan *s = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_buf_addz(&text, in);
    dp_buf_reserve(&text, DP_SCAN_PAD);
    dp_scan_begin(s, text.p, text.n);
    while (dp_scan_next(s, &r, &err) == DP_OK) assert_int_equal(dp_shred_record(shred, &r, &b, &why), DP_OK);
    for (int i = 0; i < 2; i++) { /* and once more, over what is there */
        dp_buf_reset(&out);
        assert_int_equal(dp_mask_batch(t.run, &b, &masked, on_bad, &bad, &err), DP_OK);
        assert_int_equal(bad, -1);
        dp_batch_print(&masked, 0, masked.length, NULL, &out);
        char *want = lines("{\"a\":\"x\",\"n\":34,\"t\":\"1969-12-31T23:59:59Z\",\"d\":\"1969-11-30\",\"l\":[{\"a\":\"\\u00e9\\\"\",\"b\":\"c\"},null],\"x\":7.10}\n"
                           "{\"a\":null,\"n\":-1,\"t\":null,\"d\":null,\"l\":null,\"x\":null}\n"
                           "{\"a\":\"\",\"n\":0,\"t\":\"2026-08-09T10:11:12Z\",\"d\":\"2024-02-29\",\"l\":[],\"x\":0.00}\n", false);
        assert_string_equal(dp_buf_z(&out), want);
        free(want);
    }
    dp_shred_close(shred);
    dp_scan_close(s);
    dp_batch_release(&b);
    dp_batch_release(&masked);
    dp_type_free(schema);
    dp_buf_release(&text);
    dp_buf_release(&out);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_change), cmocka_unit_test(remembering), cmocka_unit_test(batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Compatibility of contracts: the corpus's chains word for word, and the rules that it leaves out. */
#include "dpt.h"

#include <dp/record/json.h>
#include <dp/rules/compat.h>

#define FRAME(api, version) "{\"apiVersion\":\"" api "\",\"kind\":\"DataContract\",\"id\":\"c\",\"version\":\"" version "\",\"status\":\"active\","

static void parse(const char *text, struct dp_contract *c) {
    struct dp_err err = DP_ERR_INIT;
    if (dp_contract_parse(dp_str_z(text), "c", c, &err) != DP_OK) fail_msg("%s: %s", text, err.msg);
}

/* ---- the corpus ---- */

static void check_mode(const struct dp_contract *const *v, size_t n, const char *word, bool want, const char *id) {
    struct dp_compat k = {0};
    enum dp_compat_mode mode;
    assert_true(dp_compat_mode_find(word, &mode));
    if (dp_compat_check(v, n - 1, v[n - 1], mode, &k) != want) fail_msg("%s %s: %s", id, word, k.n ? k.v[0].text : "compatible");
    dp_compat_release(&k);
}

static void check_reasons(const struct dp_record *r, uint32_t list, const struct dp_contract *const *v, size_t n, enum dp_compat_mode mode, const char *id) {
    struct dp_compat k = {0};
    struct dp_buf want = {0}, got = {0};
    (void)dp_compat_check(v, n - 1, v[n - 1], mode, &k);
    for (uint32_t i = list + 1; i < r->nodes[list].next; i = r->nodes[i].next) {
        assert_true(dp_json_get_string(r, i, &want));
        dp_buf_addc(&want, '\n');
    }
    for (size_t i = 0; i < k.n; i++)
        if (!k.v[i].is_warning) dp_buf_addf(&got, "%s: %s\n", k.v[i].path, k.v[i].text);
    if (strcmp(dp_buf_z(&want), dp_buf_z(&got)) != 0) fail_msg("%s: wanted %s, got %s", id, want.p, got.p);
    dp_buf_release(&want), dp_buf_release(&got);
    dp_compat_release(&k);
}

static void check_chain(const struct dp_record *r) {
    struct dp_contract c[8];
    const struct dp_contract *v[8];
    size_t n = 0;
    struct dp_buf id = {0};
    assert_true(dp_json_get_string(r, dp_json_member(r, 0, "id"), &id));
    uint32_t versions = dp_json_member(r, 0, "versions"), expected = dp_json_member(r, 0, "expected"), reasons = dp_json_member(r, 0, "reasons");
    for (uint32_t i = versions + 1; i < r->nodes[versions].next; i = r->nodes[i].next, n++) {
        struct dp_buf b = {0};
        struct dp_str raw = dp_node_str(r, i);
        assert_true(n < 8);
        dp_buf_addz(&b, FRAME("v3.2.0", "1.0.0") "\"schema\":");
        dp_buf_add(&b, raw.p, raw.n);
        dp_buf_addc(&b, '}');
        parse(dp_buf_z(&b), &c[n]);
        v[n] = &c[n];
        dp_buf_release(&b);
    }
    for (int i = 0; dp_compat_mode_names[i] && strcmp(dp_compat_mode_names[i], "NONE") != 0; i++) {
        bool want;
        assert_true(dp_json_get_bool(r, dp_json_member(r, expected, dp_compat_mode_names[i]), &want));
        check_mode(v, n, dp_compat_mode_names[i], want, dp_buf_z(&id));
    }
    check_reasons(r, dp_json_member(r, reasons, "backward"), v, n, DP_COMPAT_BACKWARD, dp_buf_z(&id));
    check_reasons(r, dp_json_member(r, reasons, "forward"), v, n, DP_COMPAT_FORWARD, dp_buf_z(&id));
    for (size_t i = 0; i < n; i++) dp_contract_release(&c[i]);
    dp_buf_release(&id);
}

static void corpus_chains(void **state) {
    (void)state;
    char path[1024];
    dpt_shared(path, "corpus/contract/compat.ndjson");
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r;
    int n = 0;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    for (size_t got; (got = fread(dp_buf_reserve(&b, 1 << 16), 1, 1 << 16, f)) > 0;) b.n += got;
    fclose(f);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, b.p, b.n);
    for (; dp_scan_next(scan, &r, NULL) == DP_OK; n++) check_chain(&r);
    assert_int_equal(n, 27);
    dp_buf_release(&b);
    dp_scan_close(scan);
}

/* ---- one property each ---- */

/* Keys of the property `a` before and after; what BACKWARD and FORWARD say ("" nothing; a part of the first error). */
static void property_rules(void **state) {
    (void)state;
    static const struct {
        const char *old, *new_, *backward, *forward;
    } cases[] = {
        {"\"logicalType\":\"string\"", "\"logicalType\":\"string\",\"description\":\"x\"", "", ""},
        {"\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"i16\"}", "\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"i32\"}", "",
         "/t/a: format narrower in the reader"},
        {"\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"u16\"}", "\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"i16\"}",
         "/t/a: format narrower", "/t/a: format narrower"},
        {"\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"u16\"}", "\"logicalType\":\"integer\",\"logicalTypeOptions\":{\"format\":\"i32\"}", "", "/t/a: format"},
        {"\"logicalType\":\"number\",\"logicalTypeOptions\":{\"minimum\":0}", "\"logicalType\":\"number\",\"logicalTypeOptions\":{\"exclusiveMinimum\":0}",
         "/t/a: exclusiveMinimum narrower", ""},
        {"\"logicalType\":\"number\",\"logicalTypeOptions\":{\"maximum\":1.50}", "\"logicalType\":\"number\",\"logicalTypeOptions\":{\"maximum\":1.5}", "", ""},
        {"\"logicalType\":\"number\",\"logicalTypeOptions\":{\"multipleOf\":0.5}", "\"logicalType\":\"number\",\"logicalTypeOptions\":{\"multipleOf\":0.1}", "", "/t/a: multipleOf"},
        {"\"logicalType\":\"string\",\"logicalTypeOptions\":{\"pattern\":\"^a$\"}", "\"logicalType\":\"string\",\"logicalTypeOptions\":{\"pattern\":\"^b$\"}", "/t/a: pattern", "/t/a: pattern"},
        {"\"logicalType\":\"string\",\"logicalTypeOptions\":{\"pattern\":\"^a$\"}", "\"logicalType\":\"string\"", "", "/t/a: pattern in the reader only"},
        {"\"logicalType\":\"string\",\"logicalTypeOptions\":{\"format\":\"email\"}", "\"logicalType\":\"string\"", "", "/t/a: format in the reader only"},
        {"\"logicalType\":\"array\",\"items\":{\"logicalType\":\"string\"}", "\"logicalType\":\"array\",\"items\":{\"logicalType\":\"string\"},\"logicalTypeOptions\":{\"uniqueItems\":true}",
         "/t/a: uniqueItems in the reader only", ""},
        {"\"logicalType\":\"string\"", "\"logicalType\":\"string\",\"primaryKey\":true", "/t/a: required by the reader, optional in the writer", ""},
        {"\"logicalType\":\"string\",\"classification\":\"public\"", "\"logicalType\":\"string\",\"classification\":\"restricted\"", "", ""},
        {"\"logicalType\":\"string\",\"physicalType\":\"varchar(10)\"", "\"logicalType\":\"string\",\"physicalType\":\"varchar(20)\"", "", ""},
        {"\"physicalType\":\"bigint\"", "\"logicalType\":\"integer\"", "", ""},
        {"\"physicalType\":\"bigint\"", "\"logicalType\":\"string\"", "/t/a: type integer cannot be read as string", "/t/a: type string"},
        {"\"logicalType\":\"object\",\"properties\":[{\"name\":\"x\",\"logicalType\":\"string\"}]",
         "\"logicalType\":\"object\",\"logicalTypeOptions\":{\"required\":[\"x\"]},\"properties\":[{\"name\":\"x\",\"logicalType\":\"string\"}]", "/t/a/x: required by the reader, optional", ""},
        {"\"logicalType\":\"string\"", "\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBe\":0}]", "/t/a: quality nullValues in the reader only", ""},
        {"\"logicalType\":\"string\"", "\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBe\":0,\"severity\":\"warning\"}]", "", ""},
        {"\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBeLessThan\":10}]",
         "\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBeLessOrEqualTo\":10}]", "", "/t/a: quality nullValues stricter"},
        {"\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBe\":0}]",
         "\"logicalType\":\"string\",\"quality\":[{\"metric\":\"nullValues\",\"mustBe\":0,\"unit\":\"percent\"}]", "", ""},
        {"\"logicalType\":\"string\",\"quality\":[{\"metric\":\"invalidValues\",\"arguments\":{\"validValues\":[\"a\"]},\"mustBe\":0}]",
         "\"logicalType\":\"string\",\"quality\":[{\"metric\":\"invalidValues\",\"arguments\":{\"validValues\":[\"a\",\"b\"]},\"mustBe\":0}]", "", "/t/a: quality invalidValues stricter"},
        {"\"logicalType\":\"string\"", "\"logicalType\":\"string\",\"quality\":[{\"type\":\"sql\",\"query\":\"select 1\",\"mustBe\":0}]", "", ""},
        {"\"logicalType\":\"map\",\"map\":{\"key\":{\"logicalType\":\"string\"},\"value\":{\"logicalType\":\"integer\"}}",
         "\"logicalType\":\"map\",\"map\":{\"key\":{\"logicalType\":\"string\"},\"value\":{\"logicalType\":\"number\"}}", "", "/t/a/{value}: type number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_contract c[2];
        const char *keys[2] = {cases[i].old, cases[i].new_}, *want[2] = {cases[i].backward, cases[i].forward};
        for (int k = 0; k < 2; k++) {
            struct dp_buf b = {0};
            dp_buf_addf(&b, FRAME("v3.2.0", "1.0.0") "\"schema\":[{\"name\":\"t\",\"properties\":[{\"name\":\"a\",%s}]}]}", keys[k]);
            parse(dp_buf_z(&b), &c[k]);
            dp_buf_release(&b);
        }
        for (int k = 0; k < 2; k++) {
            struct dp_compat found = {0};
            dp_compat_read(&c[0], &c[1], k ? DP_COMPAT_IS_FORWARD : DP_COMPAT_IS_BACKWARD, 0, &found);
            struct dp_buf got = {0};
            for (size_t n = 0; n < found.n && !got.n; n++)
                if (!found.v[n].is_warning) dp_buf_addf(&got, "%s: %s", found.v[n].path, found.v[n].text);
            if (*want[k] ? strncmp(dp_buf_z(&got), want[k], strlen(want[k])) != 0 : got.n != 0) fail_msg("%s -> %s: %d: %s", cases[i].old, cases[i].new_, k, dp_buf_z(&got));
            dp_buf_release(&got);
            dp_compat_release(&found);
        }
        dp_contract_release(&c[0]), dp_contract_release(&c[1]);
    }
}

/* Parts of the document beside properties. */
static void whole_rules(void **state) {
    (void)state;
    static const struct {
        const char *old, *new_, *forward;
    } cases[] = {
        {"\"slaProperties\":[{\"property\":\"latency\",\"value\":4,\"unit\":\"h\"}]", "\"slaProperties\":[{\"property\":\"ly\",\"value\":1,\"unit\":\"d\"}]", "SLA latency weaker: 1 d was 4 h"},
        {"\"slaProperties\":[{\"property\":\"latency\",\"value\":1,\"unit\":\"d\"}]", "\"slaProperties\":[{\"property\":\"latency\",\"value\":24,\"unit\":\"h\"}]", ""},
        {"\"slaProperties\":[{\"property\":\"retention\",\"value\":3,\"unit\":\"y\"}]", "\"slaProperties\":[{\"property\":\"retention\",\"value\":2,\"unit\":\"y\"}]", "SLA retention weaker"},
        {"\"slaProperties\":[{\"property\":\"endOfLife\",\"value\":\"2027-01-01\"}]", "\"slaProperties\":[{\"property\":\"endOfLife\",\"value\":\"2026-06-01\"}]", "SLA endOfLife weaker"},
        {"\"slaProperties\":[{\"property\":\"retention\",\"value\":3}]", "\"slaProperties\":[]", "SLA retention removed"},
        {"\"name\":\"x\"", "\"name\":\"y\"", ""},
        {"\"name\":\"x\"", "\"name\":\"x\",\"price\":{\"priceAmount\":9}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_contract a, b;
        char text[1000];
        struct dp_compat found = {0};
        (void)snprintf(text, sizeof text, FRAME("v3.1.0", "1.0.0") "%s}", cases[i].old);
        parse(text, &a);
        (void)snprintf(text, sizeof text, FRAME("v3.1.0", "1.0.0") "%s}", cases[i].new_);
        parse(text, &b);
        dp_compat_read(&a, &b, DP_COMPAT_IS_FORWARD, 0, &found);
        if (*cases[i].forward ? !found.n_errors || !strstr(found.v[0].text, cases[i].forward) : found.n_errors != 0) fail_msg("%s: %s", cases[i].new_, found.n ? found.v[0].text : "nothing");
        dp_compat_release(&found);
        dp_contract_release(&a), dp_contract_release(&b);
    }
}

static void modes(void **state) {
    (void)state;
    enum dp_compat_mode m;
    assert_true(dp_compat_mode_find("backward", &m) && m == DP_COMPAT_BACKWARD);
    assert_true(dp_compat_mode_find("Full-Transitive", &m) && m == DP_COMPAT_FULL_TRANSITIVE);
    assert_true(dp_compat_mode_find("NONE", &m) && m == DP_COMPAT_NONE);
    assert_false(dp_compat_mode_find("FULL_", &m));
    assert_false(dp_compat_mode_find("", &m));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_chains), cmocka_unit_test(property_rules), cmocka_unit_test(whole_rules), cmocka_unit_test(modes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Printing of columns against plain references: text of all lengths in memory that ends with it, numbers, times in any order; the
 * sixteen-byte masks against their portable twins.
 */
#include "../../lib/record/simd_text.h"

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <dp/record/batch.h>
#include <dp/record/json.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t dice_state = 88172645463325252u;

static uint64_t dice64(void) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    return dice_state ^= dice_state << 17;
}

static unsigned dice(unsigned n) { return (unsigned)(dice64() >> 33) % n; }

static void test_masks(void **state) {
    (void)state;
    static const char some[] = "\"\\,\n\r\x1f\x01 ab!#[]\x7f\x80\xff\xa2\xdc";
    for (unsigned round = 0; round < 20000; round++) {
        char block[16];
        for (unsigned i = 0; i < 16; i++) block[i] = round % 3 ? some[dice(sizeof some)] : (char)dice(256);
        uint64_t escapes = dp_text_escapes_portable(block), marks = dp_text_csv_portable(block);
        uint64_t a = dp_text_escapes(dp_text_load(block)), b = dp_text_csv(dp_text_load(block));
        for (unsigned i = 0; i < 16; i++) {
            assert_int_equal(a >> (i << DP_TEXT_SHIFT) & 1, escapes >> i & 1);
            assert_int_equal(b >> (i << DP_TEXT_SHIFT) & 1, marks >> i & 1);
            assert_int_equal((a & dp_text_below(i)) >> (i << DP_TEXT_SHIFT), 0);
        }
    }
}

/* One value by the rules of RFC 8259 and RFC 4180. */
static void plain_value(struct dp_buf *out, const char *p, size_t n, bool csv) {
    bool quotes = !csv || n == 0;
    for (size_t i = 0; i < n; i++) quotes |= p[i] == '"' || p[i] == ',' || p[i] == '\n' || p[i] == '\r';
    if (quotes) dp_buf_addc(out, '"');
    for (size_t i = 0; i < n; i++) {
        static const char shorts[] = "btn\x0b" "fr";
        unsigned char c = (unsigned char)p[i];
        if (csv && c == '"') dp_buf_addc(out, '"');
        if (csv || (c >= 0x20 && c != '"' && c != '\\')) dp_buf_addc(out, (char)c);
        else if (c == '"' || c == '\\') dp_buf_addf(out, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11) dp_buf_addf(out, "\\%c", shorts[c - 8]);
        else dp_buf_addf(out, "\\u%04x", c);
    }
    if (quotes) dp_buf_addc(out, '"');
}

static void test_text(void **state) {
    (void)state;
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR("")), *t = dp_type_new(DP_TYPE_STRING, DP_STR("a"));
    dp_type_add(schema, t);
    for (unsigned round = 0; round < 400; round++) {
        int32_t offsets[31] = {0};
        char text[30 * 80];
        for (int i = 0; i < 30; i++) {
            unsigned n = dice(80);
            for (unsigned k = 0; k < n; k++) text[(unsigned)offsets[i] + k] = dice(40) ? (char)(' ' + 1 + dice(90)) : (char)(1 + dice(34));
            offsets[i + 1] = offsets[i] + (int32_t)n;
        }
        size_t n = (size_t)offsets[30];
        uint8_t *exact = malloc(n ? n : 1); /* the sanitizer watches its end */
        memcpy(exact, text, n);
        struct dp_column c = {.type = t, .length = 30, .offsets = offsets, .data = exact, .data_n = n};
        struct dp_batch b = {.schema = schema, .length = 30, .columns = &c, .n_columns = 1};
        struct dp_buf out = {0}, want = {0};
        for (int csv = 0; csv < 2; csv++) {
            dp_buf_reset(&out), dp_buf_reset(&want);
            for (int i = 0; i < 30; i++) {
                dp_buf_addz(&want, csv ? "" : "{\"a\":");
                plain_value(&want, text + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), csv);
                dp_buf_addz(&want, csv ? "\n" : "}\n");
            }
            if (csv) dp_batch_print_csv(&b, 0, 30, NULL, NULL, &out);
            else dp_batch_print(&b, 0, 30, NULL, &out);
            assert_int_equal(out.n, want.n);
            assert_memory_equal(out.p, want.p, want.n);
        }
        dp_buf_release(&out);
        dp_buf_release(&want);
        free(exact);
    }
    dp_type_free(schema);
}

/* Prints value `row` of a column of 8 or 16 bytes a value. */
static const char *printed(const struct dp_column *c, int64_t row, struct dp_buf *b) {
    dp_buf_reset(b);
    dp_column_print(c, row, NULL, b);
    return dp_buf_z(b);
}

static void test_numbers(void **state) {
    (void)state;
    struct dp_type *d = dp_type_new(DP_TYPE_DOUBLE, DP_STR("d")), *m = dp_type_new(DP_TYPE_DECIMAL, DP_STR("m")), *i64 = dp_type_new(DP_TYPE_INT64, DP_STR("i"));
    struct dp_buf b = {0};
    char want[64];
    for (unsigned round = 0; round < 60000; round++) {
        static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e-3};
        double v = (double)(int64_t)(dice64() >> (20 + dice(40))) / powers[dice(10)];
        if (dice(2)) v = -v;
        if (dice(8) == 0) memcpy(&v, &(uint64_t){dice64()}, 8);
        struct dp_column c = {.type = d, .length = 1, .data = (uint8_t *)&v};
        want[dp_print_double(want, v)] = '\0';
        if (v == v && v - v == 0) assert_string_equal(printed(&c, 0, &b), want);
        int64_t n = (int64_t)(dice64() >> dice(64)) * (dice(2) ? 1 : -1);
        dp_i128 wide = round % 7 ? (dp_i128)n : (dp_i128)n * 1000000007 * 1000003;
        m->scale = (int)dice(round % 2 ? 10 : 20);
        c = (struct dp_column){.type = m, .length = 1, .data = (uint8_t *)&wide};
        want[dp_decimal_print(want, wide, m->scale)] = '\0';
        assert_string_equal(printed(&c, 0, &b), want);
        c = (struct dp_column){.type = i64, .length = 1, .data = (uint8_t *)&n};
        (void)snprintf(want, sizeof want, "%" PRId64, n);
        assert_string_equal(printed(&c, 0, &b), want);
    }
    for (unsigned e = 0; e < 20; e++) /* around each power of ten */
        for (int k = -1; k <= 1; k++) {
            uint64_t v = k < 0 ? 0 : 1;
            for (unsigned i = 0; k >= 0 && i < e; i++) v *= 10;
            v += (uint64_t)(int64_t)k;
            char got[24];
            got[dp_print_u64(got, v)] = '\0';
            (void)snprintf(want, sizeof want, "%" PRIu64, v);
            assert_string_equal(got, want);
            v -= 2;
            got[dp_print_u64(got, v)] = '\0';
            (void)snprintf(want, sizeof want, "%" PRIu64, v);
            assert_string_equal(got, want);
        }
    dp_buf_release(&b);
    dp_type_free(d), dp_type_free(m), dp_type_free(i64);
}

/* What is kept of the value before changes nothing: a batch prints what its values print one by one. */
static void test_times(void **state) {
    (void)state;
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR("")), *t = dp_type_new(DP_TYPE_TIMESTAMP, DP_STR("t"));
    dp_type_add(schema, t);
    struct dp_buf all = {0}, one = {0}, lines = {0};
    for (unsigned round = 0; round < 60; round++) {
        int64_t v[64], base = (int64_t)dice64() >> dice(40);
        for (unsigned i = 0; i < 64; i++) v[i] = dice(4) ? (int64_t)((uint64_t)base + dice64() % 120000000) : (int64_t)dice64() >> dice(64);
        t->unit = (enum dp_time_unit[]){DP_UNIT_MICROS, DP_UNIT_MILLIS, DP_UNIT_NANOS}[round % 3];
        t->utc = round & 1;
        struct dp_column c = {.type = t, .length = 64, .data = (uint8_t *)v};
        struct dp_batch b = {.schema = schema, .length = 64, .columns = &c, .n_columns = 1};
        dp_buf_reset(&all), dp_buf_reset(&lines);
        dp_batch_print(&b, 0, 64, NULL, &all);
        for (int64_t i = 0; i < 64; i++) dp_buf_addf(&lines, "{\"t\":%s}\n", printed(&c, i, &one));
        assert_string_equal(dp_buf_z(&all), dp_buf_z(&lines));
    }
    dp_buf_release(&all);
    dp_buf_release(&one);
    dp_buf_release(&lines);
    dp_type_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_masks), cmocka_unit_test(test_text), cmocka_unit_test(test_numbers), cmocka_unit_test(test_times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

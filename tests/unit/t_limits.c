/* Limits of dp/base/limits.h that no other unit test meets: what asks for just so much, and for one more.  Those of programs: tests/cli/limits.bats. */
#include <dp/base/buf.h>
#include <dp/base/limits.h>
#include <dp/format/yaml.h>
#include <dp/parquet/reader.h>
#include <dp/record/expr.h>
#include <dp/record/json.h>
#include <dp/record/type.h>

#include "dpt.h"

/* Compiles text and runs it over one record; the message of what refused it stays in err. */
static enum dp_status run(const char *text, const char *record, struct dp_buf *out, struct dp_err *err) {
    struct dp_expr *e = NULL;
    enum dp_status status = dp_expr_compile(dp_str_z(text), &e, err);
    if (status == DP_OK) {
        struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
        struct dp_expr_run *r = dp_expr_run_open(e);
        struct dp_buf b = {0};
        struct dp_record rec;
        size_t n;
        dp_buf_addz(&b, record);
        memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        assert_int_equal(dp_scan_value(scan, b.p, b.n, &rec, err), DP_OK);
        status = dp_expr_apply(r, &rec, out, &n, err);
        dp_expr_run_close(r);
        dp_scan_close(scan);
        dp_buf_release(&b);
    }
    dp_expr_free(e);
    return status;
}

static void expressions(void **state) {
    (void)state;
    static const struct {
        const char *format;     /* of the program, with one number */
        unsigned long at, past; /* the number that passes, and one that does not */
        enum dp_status status;
        const char *words;
    } cases[] = {
        {".a[%lu] = 1 | .a | length", DP_LIMIT_EXPR_INDEX, DP_LIMIT_EXPR_INDEX + 1, DP_RECORD, "an index is over"},
        {"[range(%lu)] | length", DP_LIMIT_EXPR_LOOPS - 1, DP_LIMIT_EXPR_LOOPS, DP_RECORD, "turns for one record"}, /* in libjq */
        {"any(.l[:%lu][] as $x | .l[] as $y | .l[] as $z | $x + $y; . == 1)", 10, 300, DP_RECORD, "steps for one record"}, /* DP_LIMIT_EXPR_STEPS: 300^3 above */
        {"reduce range(%lu) as $i ([]; . + [$i]) | length", 100, 200000, DP_RECORD, "ms of processor time"}, /* DP_LIMIT_EXPR_MILLIS */
        {"[range(%lu)] as $r | $r | sort_by($r | map($r | length)) | length", 10, 2000, DP_RECORD, "for one record"},
        {".s * %lu | length", DP_LIMIT_EXPR_MEMORY / 64, DP_LIMIT_EXPR_MEMORY + 1, DP_RECORD, "for one record"},
    };
    struct dp_buf record = {0};
    dp_buf_addz(&record, "{\"a\":[],\"s\":\"x\",\"l\":[0");
    for (int i = 1; i < 300; i++) dp_buf_addz(&record, ",0");
    dp_buf_addz(&record, "]}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int over = 0; over < 2; over++) {
            struct dp_buf text = {0}, out = {0};
            struct dp_err err = DP_ERR_INIT;
            dp_buf_addf(&text, cases[i].format, over ? cases[i].past : cases[i].at);
            enum dp_status status = run(dp_buf_z(&text), dp_buf_z(&record), &out, &err);
            if (status != (over ? cases[i].status : DP_OK) || (over && !strstr(err.msg, cases[i].words))) fail_msg("%s: %d %s", dp_buf_z(&text), status, err.msg);
            dp_buf_release(&text);
            dp_buf_release(&out);
        }
    dp_buf_release(&record);
}

/* Brackets around a value: each is one level, and so is the value. */
static void expression_depth(void **state) {
    (void)state;
    bool refused = false;
    for (unsigned n = 1; n <= DP_LIMIT_EXPR_DEPTH + 1; n++) {
        struct dp_buf text = {0};
        struct dp_expr *e = NULL;
        struct dp_err err = DP_ERR_INIT;
        for (unsigned i = 0; i < n; i++) dp_buf_addc(&text, '(');
        dp_buf_addc(&text, '1');
        for (unsigned i = 0; i < n; i++) dp_buf_addc(&text, ')');
        bool taken = dp_expr_compile(dp_buf_str(&text), &e, &err) == DP_OK;
        assert_false(taken && refused); /* once too deep, deeper is too */
        refused = !taken;
        if (refused) assert_non_null(strstr(err.msg, "nested deeper"));
        dp_expr_free(e);
        dp_buf_release(&text);
    }
    assert_true(refused);
}

static void yaml_bytes(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        dp_buf_addz(&b, "a: 1\n#");
        memset(dp_buf_reserve(&b, DP_LIMIT_YAML_BYTES), 'x', DP_LIMIT_YAML_BYTES);
        b.n = DP_LIMIT_YAML_BYTES + over;
        assert_int_equal(dp_yaml_parse(dp_buf_str(&b), "x.yaml", &doc, NULL), over ? DP_LIMIT : DP_OK);
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

static void columns(void **state) {
    (void)state;
    for (unsigned n = DP_LIMIT_COLUMNS; n <= DP_LIMIT_COLUMNS + 1; n++) {
        enum dp_status want = n > DP_LIMIT_COLUMNS ? DP_LIMIT : DP_OK;
        struct dp_buf text = {0};
        struct dp_type *t = NULL;
        dp_buf_addz(&text, "struct<");
        for (unsigned i = 0; i < n; i++) dp_buf_addf(&text, "%sc%u:int64", i ? "," : "", i);
        dp_buf_addc(&text, '>');
        assert_int_equal(dp_type_parse(dp_buf_str(&text), &t, NULL), want);
        dp_type_free(t);
        dp_buf_release(&text);
    }
}

/* A file of n bytes that ends in a footer's length and the magic; its bytes are those of a hole. */
static void footers(void **state) {
    (void)state;
    for (uint32_t over = 0; over < 2; over++) {
        char name[] = "/tmp/dp-limits-XXXXXX";
        uint32_t n = DP_LIMIT_FOOTER + over;
        unsigned char tail[8] = {(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16), (unsigned char)(n >> 24), 'P', 'A', 'R', '1'};
        struct dp_pq_file *f = NULL;
        struct dp_err err = DP_ERR_INIT;
        int fd = mkstemp(name);
        assert_true(fd >= 0);
        off_t size = (off_t)DP_LIMIT_FOOTER + 100;
        assert_int_equal(pwrite(fd, "PAR1", 4, 0), 4);
        assert_int_equal(pwrite(fd, tail, 8, size - 8), 8);
        close(fd);
        enum dp_status status = dp_pq_open(name, &f, &err);
        unlink(name);
        assert_int_equal(status, over ? DP_LIMIT : DP_FORMAT); /* at the limit it is read, and is no footer */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(expressions), cmocka_unit_test(expression_depth), cmocka_unit_test(yaml_bytes), cmocka_unit_test(columns),
                                       cmocka_unit_test(footers)};
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}

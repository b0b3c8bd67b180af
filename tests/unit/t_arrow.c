/* The Arrow C data interface: what goes out comes back in; foreign widths, offsets and refusals. */
#include <dp/record/arrow.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char schema_text[] = "struct<a:int64 not null,b:string,c:list<struct<d:boolean,e:decimal(20,2)>>,m:map<string,double>,j:json,u:uuid,"
                                  "t:timestamp(ms),n:timestamp_ntz,x:date,h:time(ns),f:fixed(3),v:void,z:binary,i:interval,k:float16>";
static const char lines[] =
    "{\"a\":1,\"b\":\"x\",\"c\":[{\"d\":true,\"e\":1.50},null],\"m\":{\"p\":1.5},\"j\":{\"q\":1},\"u\":\"01234567-89ab-cdef-0123-456789abcdef\","
    "\"t\":\"2026-01-02T03:04:05.678Z\",\"n\":\"2026-01-02T03:04:05\",\"x\":\"2026-01-02\",\"h\":\"01:02:03\",\"f\":\"AAEC\",\"v\":null,"
    "\"z\":\"/w==\",\"i\":\"P1D\",\"k\":0.5}\n"
    "{\"a\":2,\"b\":null,\"c\":null,\"m\":null,\"j\":null,\"u\":null,\"t\":null,\"n\":null,\"x\":null,\"h\":null,\"f\":null,\"v\":null,"
    "\"z\":null,\"i\":null,\"k\":null}\n"
    "{\"a\":3,\"b\":\"\",\"c\":[],\"m\":{},\"j\":\"s\",\"u\":null,\"t\":null,\"n\":null,\"x\":\"1969-12-31\",\"h\":null,\"f\":null,\"v\":null,"
    "\"z\":\"\",\"i\":null,\"k\":\"NaN\"}\n";

static void fill(struct dp_batch *b, const struct dp_type *t) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_shred *shred = dp_shred_open(t, true);
    struct dp_shred_reject why;
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    char copy[sizeof lines + DP_SCAN_PAD] = {0};
    memcpy(copy, lines, sizeof lines);
    dp_batch_init(b, t);
    dp_scan_begin(scan, copy, sizeof lines - 1);
    while (dp_scan_next(scan, &r, &err) == DP_OK)
        if (dp_shred_record(shred, &r, b, &why) != DP_OK) fail_msg("%s: %s", why.path, why.reason);
    assert_int_equal(b->length, 3);
    dp_shred_close(shred);
    dp_scan_close(scan);
}

static void round_trip(void **state) {
    (void)state;
    struct dp_type *t = NULL, *u = NULL;
    struct dp_batch b, c;
    struct ArrowSchema s;
    struct ArrowArray a;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf out = {0};
    assert_int_equal(dp_type_parse(dp_str_z(schema_text), &t, NULL), DP_OK);
    t->nullable = false;
    fill(&b, t);
    dp_arrow_export_schema(t, &s);
    dp_arrow_export_batch(&b, &a);
    assert_int_equal(b.length, 0);
    assert_string_equal(s.format, "+s");
    assert_string_equal(s.children[2]->children[0]->children[1]->format, "d:20,2");
    assert_string_equal(s.children[3]->children[0]->name, "entries");
    assert_int_equal(a.children[3]->children[0]->length, 1);
    if (dp_arrow_import_schema(&s, &u, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_batch_init(&c, u);
    for (int i = 0; i < 2; i++)
        if (dp_arrow_import_batch(&s, &a, &c, &err) != DP_OK) fail_msg("%s", err.msg);
    struct dp_type *was = u->children[13];
    assert_int_equal(was->id, DP_TYPE_FIXED); /* an interval has no format of its own */
    was->id = DP_TYPE_INTERVAL;
    assert_true(dp_type_equal(t, u));
    dp_batch_print(&c, 3, 3, NULL, &out);
    assert_string_equal(dp_buf_z(&out), lines);
    a.release(&a);
    s.release(&s);
    dp_batch_release(&b), dp_batch_release(&c);
    dp_type_free(t), dp_type_free(u);
    dp_buf_release(&out);
}

/* A hand-made struct of one column. */
struct hand {
    struct ArrowSchema s, child, *children[1];
    struct ArrowArray a, data, *arrays[1];
};

static void hand_made(struct hand *h, const char *format, int64_t length, int64_t n_buffers, const void **buffers) {
    memset(h, 0, sizeof *h);
    h->children[0] = &h->child;
    h->s = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = h->children};
    h->child = (struct ArrowSchema){.format = format, .name = "c", .flags = ARROW_FLAG_NULLABLE};
    h->arrays[0] = &h->data;
    static const void *none[1];
    h->a = (struct ArrowArray){.length = length, .n_buffers = 1, .buffers = none, .n_children = 1, .children = h->arrays};
    h->data = (struct ArrowArray){.length = length, .n_buffers = n_buffers, .buffers = buffers};
}

static void expect_import(struct hand *h, const char *want) {
    struct dp_type *t = NULL;
    struct dp_batch b;
    struct dp_buf out = {0};
    struct dp_err err = DP_ERR_INIT;
    if (dp_arrow_import_schema(&h->s, &t, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_batch_init(&b, t);
    if (dp_arrow_import_batch(&h->s, &h->a, &b, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_batch_print(&b, 0, b.length, NULL, &out);
    assert_string_equal(dp_buf_z(&out), want);
    dp_buf_release(&out);
    dp_batch_release(&b);
    dp_type_free(t);
}

static void foreign_forms(void **state) {
    (void)state;
    struct hand h;
    int64_t large[] = {0, 1, 3};
    hand_made(&h, "U", 2, 3, (const void *[]){NULL, large, "abc"});
    expect_import(&h, "{\"c\":\"a\"}\n{\"c\":\"bc\"}\n");
    int64_t date64[] = {86400000, -86400000};
    hand_made(&h, "tdm", 2, 2, (const void *[]){NULL, date64});
    expect_import(&h, "{\"c\":\"1970-01-02\"}\n{\"c\":\"1969-12-31\"}\n");
    int32_t seconds[] = {1, 3600};
    hand_made(&h, "tts", 2, 2, (const void *[]){NULL, seconds});
    expect_import(&h, "{\"c\":\"00:00:01\"}\n{\"c\":\"01:00:00\"}\n");
    int64_t stamps[] = {0, 1};
    hand_made(&h, "tss:Europe/Paris", 2, 2, (const void *[]){NULL, stamps});
    expect_import(&h, "{\"c\":\"1970-01-01T00:00:00Z\"}\n{\"c\":\"1970-01-01T00:00:01Z\"}\n");
    int32_t numbers[] = {9, 1, 2, 3};
    uint8_t valid[] = {0x0b};
    hand_made(&h, "i", 2, 2, (const void *[]){valid, numbers});
    h.a.offset = 1, h.data.offset = 1, h.data.length = 3; /* both offsets count */
    expect_import(&h, "{\"c\":null}\n{\"c\":3}\n");
}

static void refused(void **state) {
    (void)state;
    static const char *const formats[] = {"tDn", "tiM", "vu", "+us:0", "d:76,2,256", "+r", "x", "", "w:0"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct hand h;
        struct dp_type *t = NULL;
        hand_made(&h, formats[i], 0, 2, NULL);
        assert_int_equal(dp_arrow_import_schema(&h.s, &t, NULL), DP_UNSUPPORTED);
    }
    struct hand h;
    struct dp_type *t = NULL;
    struct dp_batch b;
    int32_t backwards[] = {0, 2, 1};
    hand_made(&h, "u", 2, 3, (const void *[]){NULL, backwards, "abc"});
    assert_int_equal(dp_arrow_import_schema(&h.s, &t, NULL), DP_OK);
    dp_batch_init(&b, t);
    assert_int_equal(dp_arrow_import_batch(&h.s, &h.a, &b, NULL), DP_FORMAT);
    h.data.length = 1;
    assert_int_equal(dp_arrow_import_batch(&h.s, &h.a, &b, NULL), DP_FORMAT);
    assert_int_equal(b.columns[0].length, 0);
    dp_batch_release(&b);
    dp_type_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(foreign_forms), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

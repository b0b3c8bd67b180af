/* Foreign keys: sets read from NDJSON and CSV by the contract's types, references in all spellings, what can't be told, what is wrong. */
#include "dpt.h"

#include <dp/io/refset.h>
#include <dp/rules/check.h>

static char dir[] = "/tmp/t_refset-XXXXXX";

static void write_file(const char *name, const char *text) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    write_file("c.yaml", "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n"
                         "  - id: orders_tbl\n    name: orders\n    logicalType: object\n    properties:\n"
                         "      - name: customer\n        logicalType: string\n        relationships:\n"
                         "          - to: customers.id\n          - to: schema/customers_tbl/properties/cid\n          - to: other.yaml#/schema/o_tbl/properties/oid\n"
                         "          - to: other.yaml#/schema/o_tbl/properties/oid\n          - to: 'https://example.com/x.yaml#/schema/a/properties/b'\n          - to: elsewhere.code\n"
                         "          - to: ../other.yaml#/schema/o_tbl/properties/oid\n          - to: elsewhere.address.street\n          - to: customers.nothing\n"
                         "      - {name: line, logicalType: integer}\n"
                         "    relationships:\n      - {from: [orders.customer, orders.line], to: [customers.id, customers.n]}\n"
                         "      - {from: [orders.customer, orders.line], to: [customers.id, elsewhere.n]}\n"
                         "  - id: customers_tbl\n    name: customers\n    physicalName: db.cust\n    logicalType: object\n    properties:\n"
                         "      - {id: cid, name: id, logicalType: string, required: true}\n      - {name: n, logicalType: integer}\n"
                         "      - {name: away, logicalType: string, required: true}\n");
    write_file("other.yaml", "apiVersion: v3.1.0\nkind: DataContract\nid: o\nversion: 1.0.0\nstatus: active\nschema:\n  - id: o_tbl\n    name: others\n"
                             "    logicalType: object\n    properties: [{id: oid, name: key, logicalType: string}]\n");
    write_file("cust.csv", "id,n\n007,1\n8,2\n,3\n9,\n");
    write_file("keys.ndjson", "{\"key\":\"7\",\"code\":\"a\",\"address\":{\"street\":\"x\"}}\n{\"key\":\"\\u0041\",\"code\":null}\n");
    write_file("bad.ndjson", "{\"id\":\"1\"}\n{\"id\":\n");
    write_file("twice.ndjson", "{\"id\":\"1\",\"id\":\"2\"}\n");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    static const char *const names[] = {"c.yaml", "other.yaml", "cust.csv", "keys.ndjson", "bad.ndjson", "twice.ndjson"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

static struct dp_run run = {.program = "t", .threads = 1, .memory = 16 << 20, .max_record = 1 << 20, .stop_fd = -1, .wake_fd = -1};

static bool has(struct dp_refset *r, const char *record, const char *const *fields) {
    struct dp_scan *s = dp_scan_open(0, DP_SCAN_PORTABLE);
    struct dp_record rec;
    struct dp_err err = DP_ERR_INIT;
    struct dp_path paths[4] = {0};
    struct dp_buf bytes = {0}, text = {0};
    size_t n = 0;
    for (; fields[n]; n++) dp_path_key(&paths[n], dp_str_z(fields[n]));
    dp_buf_addz(&text, record);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    assert_int_equal(dp_scan_value(s, text.p, text.n, &rec, &err), DP_OK);
    assert_true(dp_tuple_bytes(paths, n, NULL, &rec, &bytes));
    struct dp_key key = dp_refset_key(r, dp_buf_str(&bytes));
    bool out = false;
    assert_int_equal(dp_refset_find(r, &key, 1, &out, &err), DP_OK);
    for (size_t i = 0; i < n; i++) dp_path_release(&paths[i]);
    dp_buf_release(&bytes);
    dp_buf_release(&text);
    dp_scan_close(s);
    return out;
}

/* The set of relationship `which` (of the property, then of the object) with one reference. */
static enum dp_status open_set(size_t which, const char *object, const char *file, struct dp_arena *a, struct dp_refset **out, const char **why, struct dp_err *err) {
    struct dp_contract c;
    char path[256], reference[300];
    const char *const references[] = {reference};
    (void)snprintf(path, sizeof path, "%s/c.yaml", dir);
    (void)snprintf(reference, sizeof reference, "%s=%s/%s", object, dir, file);
    if (dp_contract_read(path, &c, err) != DP_OK) fail_msg("%s", err->msg);
    const struct dp_contract_object *o = &c.objects[0];
    const struct dp_contract_property *p = &o->properties[0];
    bool of_property = which < p->n_relationships;
    struct dp_refset_opts opts = {references, 1, 1 << 20};
    assert_int_equal(dp_refset_check(&opts, err), DP_OK);
    enum dp_status status = dp_refset_open(&run, &c, o, of_property ? p : NULL, of_property ? &p->relationships[which] : &o->relationships[which - p->n_relationships],
                                           &opts, a, out, why, err);
    dp_contract_release(&c);
    return status;
}

static void sets(void **state) {
    (void)state;
    static const struct { size_t which; const char *object, *file, *yes, *no; const char *fields[3]; uint64_t count; } cases[] = {
        {0, "customers", "cust.csv", "{\"c\":\"007\"}", "{\"c\":\"7\"}", {"c"}, 3}, {1, "customers", "cust.csv", "{\"c\":\"9\"}", "{\"c\":9}", {"c"}, 3},
        {1, "db.cust", "cust.csv", "{\"c\":\"8\"}", "{\"c\":\"\"}", {"c"}, 3}, {0, "customers_tbl", "cust.csv", "{\"c\":\"8\"}", "{\"c\":\"x\"}", {"c"}, 3},
        {2, "others", "keys.ndjson", "{\"c\":\"A\"}", "{\"c\":\"a\"}", {"c"}, 2}, {3, "others", "keys.ndjson", "{\"c\":\"7\"}", "{\"c\":7}", {"c"}, 2},
        {5, "elsewhere", "keys.ndjson", "{\"c\":\"a\"}", "{\"c\":\"b\"}", {"c"}, 1}, {7, "elsewhere", "keys.ndjson", "{\"c\":\"x\"}", "{\"c\":\"y\"}", {"c"}, 1},
        {9, "customers", "cust.csv", "{\"c\":\"007\",\"l\":1}", "{\"c\":\"007\",\"l\":2}", {"c", "l"}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_refset *r = NULL;
        struct dp_arena a = {0};
        const char *why = NULL;
        struct dp_err err = DP_ERR_INIT;
        if (open_set(cases[i].which, cases[i].object, cases[i].file, &a, &r, &why, &err) != DP_OK) fail_msg("case %zu: %s", i, err.msg);
        if (!r) fail_msg("case %zu: %s", i, why);
        assert_int_equal(dp_refset_count(r), cases[i].count);
        if (!has(r, cases[i].yes, cases[i].fields)) fail_msg("case %zu: %s is not there", i, cases[i].yes);
        if (has(r, cases[i].no, cases[i].fields)) fail_msg("case %zu: %s is there", i, cases[i].no);
        dp_refset_close(r);
        dp_arena_release(&a);
    }
}

static void refusals(void **state) {
    (void)state;
    static const struct { size_t which; const char *object, *file; enum dp_status status; const char *say; } cases[] = {
        {0, "others", "cust.csv", DP_OK, "--reference customers=SOURCE"}, {4, "a", "cust.csv", DP_OK, "is not in this one's folder"},
        {6, "o_tbl", "keys.ndjson", DP_OK, "is not in this one's folder"}, {4, "b", "cust.csv", DP_OK, "--reference a=SOURCE"},
        {0, "customers", "bad.ndjson", DP_FORMAT, "reading the keys of customers.id"}, {0, "customers", "twice.ndjson", DP_FORMAT, "twice"},
        {0, "customers", "absent.ndjson", DP_IO, "absent.ndjson"}, {8, "customers", "cust.csv", DP_SCHEMA, "no record has .nothing"},
        {10, "customers", "cust.csv", DP_OK, "--reference elsewhere=SOURCE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_refset *r = NULL;
        struct dp_arena a = {0};
        const char *why = NULL;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = open_set(cases[i].which, cases[i].object, cases[i].file, &a, &r, &why, &err);
        assert_null(r);
        const char *said = status == DP_OK ? why : err.msg;
        if (status != cases[i].status || !said || (!strstr(said, cases[i].say) && !strstr(err.source, cases[i].say)))
            fail_msg("case %zu: status %d, %s (%s)", i, (int)status, said ? said : "nothing", err.source);
        dp_arena_release(&a);
    }
}

static void options(void **state) {
    (void)state;
    static const char *const bad[][2] = {{"customers", NULL}, {"=x", NULL}, {"a=", NULL}, {"a=-", NULL}, {"a=b", "a=c"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dp_refset_opts opts = {bad[i], bad[i][1] ? 2 : 1, 0};
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_refset_check(&opts, &err), DP_USAGE);
    }
    static const char *const good[] = {"a=b", "ab=c", "b=a=b"};
    struct dp_refset_opts opts = {good, 3, 0};
    assert_int_equal(dp_refset_check(&opts, NULL), DP_OK);
}

/* By paths, without a contract; and of some records only. */
static void by_paths(void **state) {
    (void)state;
    static const struct { const char *keys, *where, *yes, *no; uint64_t count; } cases[] = {
        {"key", NULL, "{\"key\":\"A\"}", "{\"key\":\"B\"}", 2}, {"key", ".code == \"a\"", "{\"key\":\"7\"}", "{\"key\":\"A\"}", 1},
        {"address.street,key", NULL, "{\"key\":\"7\",\"address\":{\"street\":\"x\"}}", "{\"key\":\"A\",\"address\":{\"street\":\"x\"}}", 1},
    };
    char path[256];
    (void)snprintf(path, sizeof path, "%s/keys.ndjson", dir);
    struct dp_scan *scan = dp_scan_open(0, DP_SCAN_PORTABLE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_refset *r = NULL;
        struct dp_path *paths;
        size_t n;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_paths_parse(dp_str_z(cases[i].keys), &paths, &n, &err), DP_OK);
        if (dp_refset_read(&run, path, paths, n, cases[i].where, 1 << 20, &r, &err) != DP_OK) fail_msg("case %zu: %s", i, err.msg);
        assert_int_equal(dp_refset_count(r), cases[i].count);
        assert_int_equal(dp_refset_spilled(r), 0);
        for (int side = 0; side < 2; side++) {
            struct dp_record rec;
            struct dp_buf text = {0}, bytes = {0};
            bool found = false;
            dp_buf_addz(&text, side ? cases[i].no : cases[i].yes);
            memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
            assert_int_equal(dp_scan_value(scan, text.p, text.n, &rec, &err), DP_OK);
            assert_true(dp_tuple_bytes(paths, n, NULL, &rec, &bytes));
            struct dp_key key = dp_refset_key(r, dp_buf_str(&bytes));
            assert_int_equal(dp_refset_find(r, &key, 1, &found, &err), DP_OK);
            assert_int_equal(found, !side);
            dp_buf_release(&text);
            dp_buf_release(&bytes);
        }
        dp_refset_close(r);
        dp_paths_free(paths, n);
    }
    dp_scan_close(scan);
    struct dp_refset *r = NULL;
    struct dp_path path_of;
    struct dp_err err = DP_ERR_INIT;
    dp_path_key(&path_of, DP_STR("nothing"));
    assert_int_equal(dp_refset_read(&run, path, &path_of, 1, NULL, 1 << 20, &r, &err), DP_SCHEMA);
    assert_int_equal(dp_refset_read(&run, path, &path_of, 1, ".a +", 1 << 20, &r, &err), DP_USAGE);
    assert_null(r);
    dp_path_release(&path_of);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sets), cmocka_unit_test(refusals), cmocka_unit_test(options), cmocka_unit_test(by_paths)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

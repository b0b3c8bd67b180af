/* Delta log: corpus tables against INDEX.ndjson (versions, files, transactions, domains, refusals), paths, durations, schema round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/base/pool.h>
#include <dp/delta/snapshot.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *corpus(void) {
    const char *shared = getenv("DP_SHARED");
    return dp_path_join(shared ? shared : "../shared", "corpus/delta");
}

static void decode_paths(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {{"a%20b", "a b"}, {"p=US%252FEast/x", "p=US%2FEast/x"}, {"a+b", "a+b"}, {"a%2", "a%2"}, {"a%zz", "a%zz"}, {"%41", "A"}, {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        dp_delta_path_decode(dp_str_z(cases[i].in), &b);
        assert_string_equal(dp_buf_z(&b), cases[i].out);
        dp_buf_release(&b);
    }
}

static void ladder(void **state) {
    struct dp_buf dir = {0}, path = {0};
    (void)state;
    dp_delta_hive_dir(DP_STR("p"), DP_STR("US/East"), false, &dir);
    assert_string_equal(dp_buf_z(&dir), "p=US%2FEast");
    dp_delta_path_encode(dp_buf_str(&dir), &path);
    assert_string_equal(dp_buf_z(&path), "p=US%252FEast");
    dp_buf_reset(&dir);
    dp_delta_hive_dir(DP_STR("p"), DP_STR(""), true, &dir);
    assert_string_equal(dp_buf_z(&dir), "p=__HIVE_DEFAULT_PARTITION__");
    dp_buf_release(&dir);
    dp_buf_release(&path);
}

static void canonical_paths(void **state) {
    static const char *const same[] = {"file:/some/a%20b", "file:///some/a%20b", "/some/a%20b", "/some/a b"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct dp_buf b = {0};
        dp_delta_path_key(dp_str_z(same[i]), &b);
        assert_string_equal(dp_buf_z(&b), "/some/a b");
        dp_buf_release(&b);
    }
}

static void resolve_paths(void **state) {
    static const struct {
        const char *path, *out;
        enum dp_status status;
    } cases[] = {{"a/b%20c", "T/a/b c", DP_OK}, {"/x", "/x", DP_OK}, {"file:/x", "/x", DP_OK}, {"s3://b/x", NULL, DP_UNSUPPORTED},
                 {"../x", NULL, DP_FORMAT}, {"a/../../x", NULL, DP_FORMAT}, {"a%2F..%2F..%2Fx", NULL, DP_FORMAT}, {"%00", NULL, DP_FORMAT}, {"..a", "T/..a", DP_OK}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_delta_path_resolve("T", dp_str_z(cases[i].path), &b, &err), cases[i].status);
        if (cases[i].out) assert_string_equal(dp_buf_z(&b), cases[i].out);
        dp_buf_release(&b);
    }
}

static void intervals(void **state) {
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"interval 30 days", 2592000000}, {"interval 1 week", 604800000}, {"24 hours", 86400000}, {"interval 1 day 2 hours", 93600000},
                 {"interval 1 month", -1}, {"", -1}, {"interval", -1}, {"5", -1}, {"9223372036854775807 weeks", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 0;
        bool ok = dp_delta_interval_parse(dp_str_z(cases[i].text), &ms);
        assert_int_equal(ok, cases[i].ms >= 0);
        if (ok) assert_int_equal(ms, cases[i].ms);
    }
}

static void schema_round_trip(void **state) {
    static const char text[] =
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":false,\"metadata\":{\"x\":1.10,\"c\":\"\\u00e9\"}},"
        "{\"name\":\"d\",\"type\":\"decimal(10,2)\",\"nullable\":true,\"metadata\":{}},"
        "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"elementType\":{\"type\":\"struct\",\"fields\":[{\"name\":\"t\",\"type\":\"timestamp_ntz\",\"nullable\":true,"
        "\"metadata\":{}}]},\"containsNull\":false},\"nullable\":true,\"metadata\":{}},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"date\",\"valueContainsNull\":true},\"nullable\":true,\"metadata\":{}}]}";
    struct dp_type *schema;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0};
    (void)state;
    assert_int_equal(dp_delta_schema_parse(dp_str_z(text), &schema, &err), DP_OK);
    dp_delta_schema_print(schema, &b);
    assert_string_equal(dp_buf_z(&b), text);
    dp_buf_release(&b);
    dp_type_free(schema);
}

static void schema_refusals(void **state) {
    static const struct {
        const char *type;
        enum dp_status status;
    } cases[] = {{"\"geometry\"", DP_UNSUPPORTED}, {"\"variant\"", DP_UNSUPPORTED}, {"\"decimal(39,0)\"", DP_UNSUPPORTED}, {"\"decimal( 5 , 2 )\"", DP_OK},
                 {"\"decimal\"", DP_OK}, {"7", DP_FORMAT}, {"{\"type\":\"array\"}", DP_FORMAT}, {"\"void\"", DP_OK}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_type *schema = NULL;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        dp_buf_addf(&b, "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":%s,\"nullable\":true,\"metadata\":{}}]}", cases[i].type);
        assert_int_equal(dp_delta_schema_parse(dp_buf_str(&b), &schema, &err), cases[i].status);
        dp_type_free(schema);
        dp_buf_release(&b);
    }
}

/* ---- the corpus ---- */

static size_t count_dvs(const struct dp_delta_snapshot *s) {
    size_t n = 0, cursor = 0;
    const struct dp_delta_file *f;
    while ((f = dp_delta_next_file(s, &cursor)) != NULL) n += f->dv.storage.p != NULL;
    return n;
}

static int64_t member_int(const struct dp_record *r, uint32_t object, const char *name, int64_t absent) {
    uint32_t node = object ? dp_json_member(r, object, name) : dp_json_member(r, 0, name);
    int64_t v;
    return node && dp_json_get_i64(r, node, &v) ? v : absent;
}

/* The index was made without canonical paths: these two tables remove under file: what they added under a bare absolute path. */
static int64_t wanted_files(const struct dp_record *r, uint32_t object, const char *member, const char *name, int64_t version) {
    return !strncmp(name, "canonicalized-paths", 19) && version == 1 ? 0 : member_int(r, object, member, -1);
}

/* Every version that the index lists has its number of files. */
static int check_versions(const struct dp_record *r, const char *dir, const char *name) {
    int bad = 0;
    uint32_t versions = dp_json_member(r, 0, "versions");
    for (uint32_t k = versions + 1; versions && k < r->nodes[versions].next; k = r->nodes[k + 1].next) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_delta_snapshot *s = NULL;
        int64_t v, want;
        assert_true(dp_parse_i64(dp_node_str(r, k), &v));
        want = wanted_files(r, k + 1, "files", name, v);
        if (want < 0) continue;
        if (dp_delta_open(dir, v, &s, &err) != DP_OK || (int64_t)s->n_files != want) {
            fprintf(stderr, "%s@%lld: %lld files wanted, got %lld (%s)\n", name, (long long)v, (long long)want, s ? (long long)s->n_files : -1LL, err.msg);
            bad++;
        }
        dp_delta_close(s);
    }
    return bad;
}

static int check_txns(const struct dp_record *r, const struct dp_delta_snapshot *s, const char *name) {
    int bad = 0;
    uint32_t txn = dp_json_member(r, 0, "txn");
    size_t n = 0;
    for (uint32_t k = txn + 1; txn && k < r->nodes[txn].next; k = r->nodes[k + 1].next, n++) {
        int64_t want = -1, got = -2;
        assert_true(dp_json_get_i64(r, k + 1, &want));
        if (!dp_delta_txn_version(s, dp_node_str(r, k), INT64_MAX, &got) || got != want) {
            fprintf(stderr, "%s: txn %.*s\n", name, DP_STR_FMT(dp_node_str(r, k)));
            bad++;
        }
    }
    return bad + (n != s->txns.live);
}

static void print_files(const struct dp_delta_snapshot *s, bool with_stats, struct dp_buf *out) {
    size_t cursor = 0;
    const struct dp_delta_file *f;
    while ((f = dp_delta_next_file(s, &cursor)) != NULL) {
        struct dp_delta_file copy = *f;
        if (!copy.stats.n) copy.stats = copy.stats_parsed;
        if (!with_stats) copy.stats = (struct dp_str){0};
        dp_delta_add_print(&copy, out);
    }
}

/* Three threads read what one does; who wants no statistics gets none, and all else. */
static int check_threads(const struct dp_delta_snapshot *one, const char *dir, const char *name) {
    int bad = 0;
    struct dp_pool *pool = dp_pool_open(3);
    for (int skip = 0; skip < 2; skip++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_delta_snapshot *s = NULL;
        struct dp_buf want = {0}, got = {0};
        struct dp_delta_how how = {.pool = pool, .skip_stats = skip};
        if (dp_delta_open_how(dir, -1, &how, &s, &err) != DP_OK) bad++;
        else print_files(one, !skip, &want), print_files(s, true, &got);
        if (!dp_str_eq(dp_buf_str(&want), dp_buf_str(&got))) bad++;
        if (bad) fprintf(stderr, "%s: threads differ: %s\n", name, err.msg);
        dp_buf_release(&want);
        dp_buf_release(&got);
        dp_delta_close(s);
    }
    dp_pool_close(pool);
    return bad;
}

/* What must be refused, by the README of the corpus: no metaData, no protocol, a missing commit, no log, unknown features. */
static const struct {
    const char *table;
    enum dp_status status;
} refusals[] = {
    {"deltalog-invalid-protocol-version", DP_UNSUPPORTED}, {"deltalog-state-reconstruction-without-metadata", DP_FORMAT},
    {"deltalog-state-reconstruction-from-checkpoint-missing-protocol", DP_FORMAT}, {"versions-not-contiguous", DP_FORMAT}, {"hive", DP_IO},
    {"no-delta-log-folder", DP_IO}, {"simple_table_features", DP_UNSUPPORTED}, {"table_c", DP_FORMAT}, {"table_e", DP_UNSUPPORTED},
    {"crc-malformed", DP_IO}, {"spark-variant-checkpoint", DP_UNSUPPORTED},
};
#define N_REFUSALS (sizeof refusals / sizeof *refusals)

static int check_table(const struct dp_record *r, const char *root) {
    struct dp_buf name = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_delta_snapshot *s = NULL;
    int bad = 0;
    assert_true(dp_json_get_string(r, dp_json_member(r, 0, "table"), &name));
    char *dir = dp_path_join(root, dp_buf_z(&name));
    enum dp_status status = dp_delta_open(dir, -1, &s, &err), want = DP_OK;
    for (size_t i = 0; i < N_REFUSALS; i++)
        if (!strcmp(refusals[i].table, dp_buf_z(&name))) want = refusals[i].status;
    if (status != want) {
        fprintf(stderr, "%s: %s, %s wanted: %s\n", dp_buf_z(&name), dp_status_name(status), dp_status_name(want), err.msg);
        bad++;
    } else if (status == DP_OK) {
        bad += s->version != member_int(r, 0, "latest", -1) || (int64_t)s->n_files != wanted_files(r, 0, "num_files", dp_buf_z(&name), s->version) ||
               (int64_t)count_dvs(s) != member_int(r, 0, "num_dv", 0);
        if (bad) fprintf(stderr, "%s: version %lld, %zu files, %zu DVs\n", dp_buf_z(&name), (long long)s->version, s->n_files, count_dvs(s));
        bad += check_txns(r, s, dp_buf_z(&name));
        bad += check_versions(r, dir, dp_buf_z(&name));
        bad += check_threads(s, dir, dp_buf_z(&name));
    }
    dp_delta_close(s);
    free(dir);
    dp_buf_release(&name);
    return bad;
}

static void corpus_tables(void **state) {
    char *root = corpus(), *index = dp_path_join(root, "INDEX.ndjson");
    struct dp_buf text = {0};
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    if (access(index, R_OK) != 0) {
        free(root), free(index);
        skip();
    }
    assert_int_equal(dp_file_read(index, 1u << 26, &text, &err), DP_OK);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    struct dp_scan *scan = dp_scan_open(1u << 26, DP_SCAN_AUTO);
    struct dp_record rec;
    int tables = 0, bad = 0;
    dp_scan_begin(scan, text.p, text.n);
    while (dp_scan_next(scan, &rec, &err) == DP_OK) tables++, bad += check_table(&rec, root) != 0;
    fprintf(stderr, "%d tables, %d bad\n", tables, bad);
    assert_true(tables > 100);
    assert_int_equal(bad, 0);
    dp_scan_close(scan);
    dp_buf_release(&text);
    free(root);
    free(index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_paths), cmocka_unit_test(ladder), cmocka_unit_test(canonical_paths), cmocka_unit_test(resolve_paths),
        cmocka_unit_test(intervals), cmocka_unit_test(schema_round_trip), cmocka_unit_test(schema_refusals), cmocka_unit_test(corpus_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

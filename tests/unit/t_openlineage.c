/* Names, ids and events of OpenLineage: the corpus's table of names, ids that other clients make, and every facet against its published schema. */
#include "dpt.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/sha1.h>
#include <dp/base/time.h>
#include <dp/record/json.h>
#include <dp/rules/openlineage.h>

/* ---- hashes and ids ---- */

static void hashes(void **state) {
    (void)state;
    static const struct { char c; size_t n; const char *hex; } cases[] = {
        {'a', 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},    {'a', 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {'a', 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},   {'a', 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {'a', 1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000], hex[41];
        uint8_t sum[DP_SHA1_SIZE];
        memset(text, cases[i].c, sizeof text);
        dp_sha1(dp_str(text, cases[i].n / 3), dp_str(text, cases[i].n - cases[i].n / 3), sum);
        hex[dp_hex_print(hex, sum, sizeof sum)] = '\0';
        assert_string_equal(hex, cases[i].hex);
    }
}

static int64_t micros(const char *text) {
    struct dp_timestamp t;
    int64_t out = 0;
    assert_true(dp_time_parse(dp_str_z(text), false, false, &t) && dp_time_micros(&t, &out));
    return out;
}

static void ids(void **state) {
    (void)state;
    char a[37], b[37];
    dp_ol_uuid_of(DP_STR("python.org"), a);
    assert_string_equal(a, "7af94e2b-4dd9-50f0-9c9a-8a48519bdef0");
    dp_ol_uuid_of(DP_STR("7AF94E2B-4dd9-50f0-9c9a-8a48519bdef0"), a);
    assert_string_equal(a, "7af94e2b-4dd9-50f0-9c9a-8a48519bdef0");
    dp_ol_uuid_of(DP_STR("7AF94E2B-4dd9-50f0-9c9a-8a48519bdefg"), a);
    assert_int_equal(a[14], '5');
    dp_ol_uuid7(micros("2026-01-02T03:04:05.678Z"), a);
    dp_ol_uuid7(micros("2026-01-02T03:04:05.679Z"), b);
    assert_memory_equal(a, "019b7ca9-8f2e-7", 15);
    assert_true(strcmp(a, b) < 0 && strlen(a) == 36 && strchr("89ab", a[19]));
    dp_ol_uuid7(micros("2026-01-02T03:04:05.679Z"), a);
    assert_string_not_equal(a, b);
    /* as OpenLineage's Python client makes them for Airflow */
    dp_ol_uuid_at(micros("2026-01-02T00:00:00Z"), DP_STR("default.shop.load.1.-1"), a);
    assert_string_equal(a, "019b7c01-0400-75fc-9288-1a9ac4fdd656");
    dp_ol_uuid_at(micros("2026-01-02T03:04:05.678901Z"), DP_STR("default.shop.0"), a);
    assert_string_equal(a, "019b7ca9-8f2e-7953-af02-d5aeccc29c23");
}

/* ---- names ---- */

static void check_name(const char *what, const char *cwd, const char *ns, const char *name) {
    struct dp_ol_name n;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_ol_name_of(what, cwd, &n, &err);
    if (!ns) {
        assert_int_equal(status, DP_USAGE);
        assert_null(n.ns);
        return;
    }
    if (status != DP_OK || strcmp(n.ns, ns) != 0 || strcmp(n.name, name) != 0)
        fail_msg("%s: %s %s (%s), not %s %s", what, n.ns ? n.ns : "-", n.name ? n.name : "-", status ? err.msg : "", ns, name);
    dp_ol_name_release(&n);
}

static void names(void **state) {
    (void)state;
    static const struct { const char *what, *cwd, *ns, *name; } cases[] = {
        {"a.csv", "/data", "file", "/data/a.csv"},
        {"./a.csv", "/data/", "file", "/data/a.csv"},
        {"../a.csv", "/data/x", "file", "/data/a.csv"},
        {"../../../a.csv", "/data/x", "file", "/a.csv"},
        {".", "/data", "file", "/data"},
        {"/", "/data", "file", "/"},
        {"lake//orders/", "/data", "file", "/data/lake/orders"},
        {"/lake/..", "/data", "file", "/"},
        {"...", "/", "file", "/..."},
        {"a:b.csv", "/data", "file", "/data/a:b.csv"},
        {"1://x", "/data", "file", "/data/1:/x"},
        {"bigquery:file", "/data", "file", "/data/bigquery:file"},
        {"file:/srv/a%20b.csv", "/data", "file", "/srv/a b.csv"},
        {"file://localhost/srv/a", "/data", "file", "/srv/a"},
        {"FILE:///srv/%00%zz", "/data", "file", "/srv/%00%zz"},
        {"file://NAS1/vol/../a/", "/data", "file://nas1", "/a"},
        {"s3a://bucket/a/", NULL, "s3://bucket", "a"},
        {"S3://Bucket", NULL, "s3://bucket", "/"},
        {"s3://key:secret@bucket/a?X-Amz-Signature=abc", NULL, "s3://bucket", "a"},
        {"abfss://box@Account.dfs.core.windows.net/lake/./t", NULL, "abfss://box@account.dfs.core.windows.net", "/lake/t"},
        {"hdfs://NN/warehouse/t/", NULL, "hdfs://nn:8020", "/warehouse/t"},
        {"hdfs:///t", NULL, "hdfs://", "/t"},
        {"kafka://u:p@B1,b2:9093/orders", NULL, "kafka://b1:9092", "orders"},
        {"postgresql://me:pw@db/shop/public/orders?sslmode=require", NULL, "postgres://db:5432", "shop.public.orders"},
        {"mysql://m:3307/shop/orders", NULL, "mysql://m:3307", "shop.orders"},
        {"bigquery://proj/ds/t", NULL, "bigquery", "proj.ds.t"},
        {"https://me:pw@Example.org/Data/a.csv?token=s#x", NULL, "https://example.org:443", "/Data/a.csv"},
        {"http://[::1]/a", NULL, "http://[::1]:80", "/a"},
        {"odd+x://Host:1/a", NULL, "odd+x://host:1", "/a"},
        {"kafka://b1", NULL, NULL, NULL},
        {"postgres://h", NULL, NULL, NULL},
        {"file://host", NULL, NULL, NULL},
        {"-", "/data", NULL, NULL},
        {"", "/data", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_name(cases[i].what, cases[i].cwd, cases[i].ns, cases[i].name);
}

/* What the corpus says in words, as the one word that names it. */
static const char *as_url(const char *words) {
    static const char *const said[][2] = {
        {"kafka topic orders on B1:9092,b2:9092", "kafka://B1:9092,b2:9092/orders"},
        {"postgres host db.example.org, database shop, schema public, table orders", "postgres://db.example.org/shop/public/orders"},
        {"mysql host m, database shop, table orders", "mysql://m/shop/orders"},
        {"bigquery proj.ds.t", "bigquery:proj.ds.t"},
        {"orders.csv, cwd /data", "orders.csv"}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strcmp(words, said[i][0]) == 0) return said[i][1];
    return words;
}

static void read_json(const char *path, struct dp_buf *b) {
    struct dp_err err = DP_ERR_INIT;
    if (dp_file_read(path, 1 << 20, b, &err) != DP_OK) fail_msg("%s: %s", path, err.msg);
    memset(dp_buf_reserve(b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
}

static void corpus_names(void **state) {
    (void)state;
    char path[1024];
    struct dp_buf file = {0}, w = {0}, ns = {0}, name = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_record r;
    int n = 0;
    read_json(dpt_shared(path, "corpus/lineage/naming.ndjson"), &file);
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_scan_begin(scan, file.p, file.n);
    while (dp_scan_next(scan, &r, &err) == DP_OK) {
        w.n = ns.n = name.n = 0;
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "input"), &w));
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "namespace"), &ns));
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "name"), &name));
        check_name(as_url(dp_buf_z(&w)), "/data", dp_buf_z(&ns), dp_buf_z(&name));
        n++;
    }
    assert_int_equal(n, 12);
    dp_scan_close(scan);
    dp_buf_release(&file), dp_buf_release(&w), dp_buf_release(&ns), dp_buf_release(&name);
}

/* ---- events ---- */

static struct dp_type *some_schema(void) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_type *t = NULL;
    assert_int_equal(dp_type_parse(DP_STR("struct<id:int64 not null,price:decimal(12,2),tags:list<string>,at:struct<x:double,m:map<string,date>>>"), &t, &err), DP_OK);
    t->children[0]->metadata = dp_strdup("{\"comment\":\"the \\\"key\\\"\"}");
    return t;
}

static void add_facet(struct dp_buf *b, enum dp_ol_place place, const char *key, const char *members) {
    dp_ol_facet(b, place, key);
    dp_buf_addf(b, ",%s}", members);
}

static const char assertions[] = "\"assertions\":[{\"assertion\":\"not_null\",\"success\":false,\"column\":\"id\",\"severity\":\"error\"}]";
static const char metrics[] = "\"rowCount\":2,\"columnMetrics\":{\"id\":{\"nullCount\":0}}";

/* A run with everything that can be said. */
static void fill_run(struct dp_ol_run *r) {
    *r = (struct dp_ol_run){.ns = dp_strdup("shop"), .job = dp_strdup("load.dp-ingest"), .error = dp_strdup("a \"bad\" \xff line"),
                            .nominal_start = micros("2026-01-01T00:00:00Z"), .nominal_end = micros("2026-01-02T00:00:00Z"),
                            .parent = {dp_strdup("019b7ca9-8f2e-7000-8000-000000000001"), dp_strdup("shop"), dp_strdup("load")},
                            .root = {dp_strdup("019b7ca9-8f2e-7000-8000-000000000002"), dp_strdup("af"), dp_strdup("dag")}};
    dp_ol_uuid7(micros("2026-01-02T03:04:05.678Z"), r->id);
    add_facet(&r->facets, DP_OL_OF_RUN, "environmentVariables", "\"environmentVariables\":[{\"name\":\"A\",\"value\":\"b\"}]");
    add_facet(&r->facets, DP_OL_OF_RUN, "executionParameters", "\"parameters\":[{\"key\":\"threads\",\"value\":\"2\"}]");
    add_facet(&r->facets, DP_OL_OF_RUN, "externalQuery", "\"externalQueryId\":\"q\",\"source\":\"s\"");
    add_facet(&r->facets, DP_OL_OF_RUN, "tags", "\"tags\":[{\"key\":\"a\",\"value\":\"b\",\"source\":\"USER\"}]");
    add_facet(&r->facets, DP_OL_OF_RUN, "test", "\"tests\":[{\"name\":\"r1\",\"status\":\"fail\",\"severity\":\"error\"}]");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "documentation", "\"description\":\"d\"");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "ownership", "\"owners\":[{\"name\":\"n\",\"type\":\"t\"}]");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "sourceCode", "\"language\":\"sh\",\"sourceCode\":\"true\"");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "sourceCodeLocation", "\"type\":\"git\",\"url\":\"https://example.org/a\",\"version\":\"1\"");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "sql", "\"query\":\"select 1\"");
    add_facet(&r->job_facets, DP_OL_OF_JOB, "tags", "\"tags\":[{\"key\":\"a\",\"value\":\"b\"}]");
}

static void fill_dataset(struct dp_ol_dataset *d, bool is_output) {
    *d = (struct dp_ol_dataset){.id = {dp_strdup("s3://b"), dp_strdup("k\xfe")}, .is_output = is_output, .schema = some_schema(), .rows = 3, .bytes = 0, .files = UINT64_MAX};
    d->columns = is_output ? dp_strdup("{\"id\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a\",\"field\":\"id\"}]}}") : NULL;
    d->columns_all = is_output ? dp_strdup("[{\"namespace\":\"file\",\"name\":\"/a\",\"field\":\"day\"}]") : NULL;
    d->version = dp_strdup("7"), d->layer = dp_strdup("delta"), d->format = dp_strdup("parquet");
    d->lifecycle = is_output ? DP_OL_RENAME : DP_OL_LIFE_NONE;
    if (is_output) d->previous = (struct dp_ol_name){dp_strdup("file"), dp_strdup("/old")};
    d->parts = dp_calloc(2, sizeof *d->parts), d->n_parts = 2;
    d->parts[0] = dp_strdup("day=1"), d->parts[1] = dp_strdup("day=2");
    add_facet(&d->facets, DP_OL_OF_DATASET, "catalog", "\"framework\":\"f\",\"type\":\"t\",\"name\":\"n\"");
    add_facet(&d->facets, DP_OL_OF_DATASET, "documentation", "\"description\":\"d\"");
    add_facet(&d->facets, DP_OL_OF_DATASET, "hierarchy", "\"hierarchy\":[{\"type\":\"t\",\"name\":\"n\"}]");
    add_facet(&d->facets, DP_OL_OF_DATASET, "ownership", "\"owners\":[{\"name\":\"n\"}]");
    add_facet(&d->facets, DP_OL_OF_DATASET, "symlinks", "\"identifiers\":[{\"namespace\":\"file\",\"name\":\"/b\",\"type\":\"LOCATION\"}]");
    add_facet(&d->facets, DP_OL_OF_DATASET, "tags", "\"tags\":[{\"key\":\"a\",\"value\":\"b\",\"field\":\"id\"}]");
    add_facet(&d->facets, DP_OL_OF_DATASET, "dataQualityAssertions", assertions);
    add_facet(&d->facets, DP_OL_OF_DATASET, "dataQualityMetrics", metrics);
    if (is_output) return;
    add_facet(&d->io_facets, DP_OL_OF_INPUT, "dataQualityAssertions", assertions);
    add_facet(&d->io_facets, DP_OL_OF_INPUT, "dataQualityMetrics", metrics);
}

struct schema { struct dp_scan *scan; struct dp_buf text; struct dp_record r; };

static void open_json(struct schema *s, struct dp_str text) {
    struct dp_err err = DP_ERR_INIT;
    *s = (struct schema){.scan = dp_scan_open(1 << 20, DP_SCAN_AUTO)};
    dp_buf_adds(&s->text, text);
    memset(dp_buf_reserve(&s->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(s->scan, s->text.p, s->text.n, &s->r, &err) != DP_OK) fail_msg("no JSON (%s): %.*s", err.msg, (int)text.n, text.p);
}
static void close_json(struct schema *s) { dp_scan_close(s->scan), dp_buf_release(&s->text); }

static const char *text_of(const struct dp_record *r, uint32_t node, struct dp_buf *b) {
    b->n = 0;
    assert_true(node && dp_json_get_string(r, node, b));
    return dp_buf_z(b);
}

/* The properties and required words that a definition names itself or in its allOf. */
static void check_object(const struct dp_record *s, uint32_t def, const struct dp_record *e, uint32_t object, const char *what) {
    struct dp_buf word = {0};
    uint32_t all = dp_json_member(s, def, "allOf");
    uint32_t part = all ? all + 1 : def, end = all ? s->nodes[all].next : s->nodes[def].next;
    bool known_all = true;
    for (uint32_t k = object + 1; k < e->nodes[object].next; k = e->nodes[k + 1].next) {
        struct dp_str key = dp_node_str(e, k);
        bool known = key.p[0] == '_';
        for (uint32_t p = part; p < end && !known; p = s->nodes[p].next) {
            uint32_t props = dp_json_member(s, p, "properties");
            for (uint32_t q = props ? props + 1 : 0; q && q < s->nodes[props].next; q = s->nodes[q + 1].next) known = known || dp_str_eq(dp_node_str(s, q), key);
        }
        if (!known) print_message("%s: \"%.*s\" is not in its schema\n", what, DP_STR_FMT(key));
        known_all = known_all && known;
    }
    assert_true(known_all);
    for (uint32_t p = part; p < end; p = s->nodes[p].next) {
        uint32_t required = dp_json_member(s, p, "required");
        for (uint32_t q = required ? required + 1 : 0; q && q < s->nodes[required].next; q = s->nodes[q].next)
            if (!dp_json_member(e, object, text_of(s, q, &word))) fail_msg("%s: no \"%s\"", what, dp_buf_z(&word));
    }
    dp_buf_release(&word);
}

/* One facet against the file that its _schemaURL names: file, version and definition exist, what is required is there, nothing else is. */
static void check_facet(const struct dp_record *e, uint32_t key, const char *what) {
    struct dp_buf url = {0}, b = {0}, file = {0};
    char path[1024], part[200];
    struct schema s;
    uint32_t facet = key + 1;
    text_of(e, dp_json_member(e, facet, "_schemaURL"), &url);
    assert_string_equal(text_of(e, dp_json_member(e, facet, "_producer"), &b), "urn:dp:toolkit:" DP_VERSION);
    char *hash = strstr(dp_buf_z(&url), "#/$defs/");
    assert_non_null(hash);
    *hash = '\0';
    (void)snprintf(part, sizeof part, "corpus/lineage/schema/facets%s", strrchr(url.p, '/'));
    read_json(dpt_shared(path, part), &file);
    open_json(&s, dp_buf_str(&file));
    assert_string_equal(text_of(&s.r, dp_json_member(&s.r, 0, "$id"), &b), url.p);
    uint32_t def = dp_json_member(&s.r, dp_json_member(&s.r, 0, "$defs"), hash + 8);
    if (!def) fail_msg("%s: no definition %s", what, hash + 8);
    check_object(&s.r, def, e, facet, what);
    close_json(&s);
    dp_buf_release(&url), dp_buf_release(&b), dp_buf_release(&file);
}

static size_t check_facets(const struct dp_record *e, uint32_t facets, const char *where) {
    size_t n = 0;
    char what[200];
    if (!facets) return 0;
    for (uint32_t k = facets + 1; k < e->nodes[facets].next; k = e->nodes[k + 1].next, n++) {
        (void)snprintf(what, sizeof what, "%s.%.*s", where, DP_STR_FMT(dp_node_str(e, k)));
        check_facet(e, k, what);
    }
    return n;
}

static void events(void **state) {
    (void)state;
    struct dp_ol_run r;
    struct dp_ol_dataset d[2];
    struct dp_buf b = {0};
    struct schema s;
    char path[1024];
    (void)dpt_shared(path, "corpus/lineage/schema/OpenLineage.json");
    fill_run(&r);
    fill_dataset(&d[0], false);
    fill_dataset(&d[1], true);
    dp_ol_print(&r, DP_OL_FAIL, micros("2026-01-02T03:04:06Z"), d, 2, &b);
    assert_int_equal(b.p[b.n - 1], '\n');
    assert_ptr_equal(memchr(b.p, '\n', b.n), b.p + b.n - 1);
    assert_true(dp_utf8_valid(b.p, b.n, NULL));
    open_json(&s, dp_buf_str(&b));
    assert_false(s.r.duplicate_keys);
    uint32_t run = dp_json_member(&s.r, 0, "run"), job = dp_json_member(&s.r, 0, "job"), in = dp_json_member(&s.r, 0, "inputs"), out = dp_json_member(&s.r, 0, "outputs");
    size_t n = check_facets(&s.r, dp_json_member(&s.r, run, "facets"), "run") + check_facets(&s.r, dp_json_member(&s.r, job, "facets"), "job") +
               check_facets(&s.r, dp_json_member(&s.r, in + 1, "facets"), "input") + check_facets(&s.r, dp_json_member(&s.r, in + 1, "inputFacets"), "inputFacets") +
               check_facets(&s.r, dp_json_member(&s.r, out + 1, "facets"), "output") + check_facets(&s.r, dp_json_member(&s.r, out + 1, "outputFacets"), "outputFacets");
    assert_int_equal(n, 9 + 7 + 13 + 4 + 15 + 2);
    close_json(&s);
    dp_ol_run_release(&r);
    dp_ol_dataset_release(&d[0]);
    dp_ol_dataset_release(&d[1]);
    dp_buf_release(&b);
}

/* What is not known is not said. */
static void spare(void **state) {
    (void)state;
    struct dp_ol_run r = {.id = "019b7ca9-8f2e-7000-8000-000000000001", .ns = dp_strdup("default"), .job = dp_strdup("dp-cat:a.csv"), .streaming = true};
    struct dp_ol_dataset d = {.id = {NULL, NULL}};
    struct dp_buf b = {0};
    dp_ol_dataset_release(&d);
    d.id = (struct dp_ol_name){dp_strdup("file"), dp_strdup("/a.csv")};
    dp_ol_print(&r, DP_OL_START, micros("2026-01-02T03:04:06Z"), &d, 1, &b);
    assert_non_null(strstr(dp_buf_z(&b), "{\"eventType\":\"START\",\"eventTime\":\"2026-01-02T03:04:06.000Z\",\"run\":{\"runId\":\"019b7ca9-"));
    assert_non_null(strstr(b.p, ",\"inputs\":[{\"namespace\":\"file\",\"name\":\"/a.csv\"}],\"outputs\":[],\"producer\":"));
    assert_non_null(strstr(b.p, "\"processingType\":\"STREAMING\""));
    assert_null(strstr(b.p, "parent"));
    /* a further facet stands for ours */
    d.schema = some_schema();
    add_facet(&d.facets, DP_OL_OF_DATASET, "schema", "\"fields\":[]");
    b.n = 0;
    dp_ol_print(&r, DP_OL_START, 0, &d, 1, &b);
    assert_non_null(strstr(dp_buf_z(&b), "SchemaDatasetFacet\",\"fields\":[]}}}]"));
    dp_buf_release(&d.facets);
    b.n = 0;
    dp_ol_print(&r, DP_OL_START, 0, &d, 1, &b);
    assert_non_null(strstr(dp_buf_z(&b), "\"fields\":[{\"name\":\"id\",\"type\":\"int64\",\"ordinal_position\":1,\"description\":\"the \\\"key\\\"\"},"));
    assert_non_null(strstr(b.p, "{\"name\":\"m\",\"type\":\"map\",\"ordinal_position\":2,\"fields\":[{\"name\":\"key\",\"type\":\"string\"},{\"name\":\"value\",\"type\":\"date\"}]}"));
    dp_ol_run_release(&r);
    dp_ol_dataset_release(&d);
    dp_buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes), cmocka_unit_test(ids),    cmocka_unit_test(names),
                                       cmocka_unit_test(corpus_names), cmocka_unit_test(events), cmocka_unit_test(spare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

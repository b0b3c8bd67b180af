/* Contracts: reading, faults with their line, types, choosing, and writing what reads back as the same types. */
#include "dpt.h"

#include <dp/rules/contract.h>
#include <dp/record/json.h>

#include <dirent.h>

#define FRAME(v) "apiVersion: " v "\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
#define TABLE "schema:\n  - name: t\n    properties:\n"

static enum dp_status parse(const char *text, struct dp_contract *c, struct dp_err *err) {
    return dp_contract_parse(dp_str_z(text), "c.yaml", c, err);
}

static void frame_faults(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        unsigned line;
    } cases[] = {
        {"[]", "must be a map", 1},
        {"kind: DataContract\n", "apiVersion: a contract needs this key", 1},
        {FRAME("v4.0.0"), "none of v3.0.0", 1},
        {FRAME("v2.2.2"), "convert", 1},
        {FRAME("v3.1.0") "nme: x\n", "nme: a contract has no such key; did you mean \"name\"?", 6},
        {"apiVersion: v3.1.0\nkind: Contract\nid: c\nversion: 1.0.0\nstatus: a\n", "it must be DataContract", 2},
        {"apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0\nstatus: a\n", "write \"1.0\" in quotes", 4},
        {FRAME("v3.1.0") "schema: {}\n", "schema: must be a list, got a map", 6},
        {FRAME("v3.1.0") "schema:\n  - nam: t\n", "nam: a schema object has no such key; did you mean \"name\"?", 7},
        {FRAME("v3.1.0") "schema:\n  - name: t\n  - name: t\n", "there twice", 8},
        {FRAME("v3.1.0") TABLE "      - name: a\n        requierd: true\n", "requierd: a property has no such key; did you mean \"required\"?", 10},
        {FRAME("v3.1.0") TABLE "      - name: a\n        required: yes\n", "required: must be true or false, got a string; write true", 10},
        {FRAME("v3.1.0") TABLE "      - name: a\n        logicalType: strin\n", "did you mean \"string\"?", 10},
        {FRAME("v3.0.2") TABLE "      - name: a\n        logicalType: timestamp\n", "needs apiVersion v3.1.0", 10},
        {FRAME("v3.1.0") TABLE "      - name: a\n        primaryKeyPosition: 0\n", "a position from 1", 10},
        {FRAME("v3.1.0") TABLE "      - name: a\n      - name: b\n        physicalName: a\n", "column \"a\" is there twice", 10},
        {FRAME("v3.1.0") TABLE "      - logicalType: string\n", "name: a property needs this key", 9},
        {FRAME("v3.0.0") TABLE "      - name: a\n        relationships: []\n", "relationships: a property has no such key in v3.0.0; it came with apiVersion v3.1.0", 10},
        {FRAME("v3.1.0") TABLE "      - name: a\n        logicalType: string\n        items: {}\n", "only logicalType array has items", 11},
        {FRAME("v3.1.0") TABLE "      - name: a\n        name: b\n", "duplicate key", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_contract c;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(parse(cases[i].text, &c, &err), DP_USAGE);
        assert_string_equal(err.source, "c.yaml");
        if (err.line != cases[i].line || !strstr(err.msg, cases[i].part)) fail_msg("%s: line %u: %s", cases[i].text, (unsigned)err.line, err.msg);
    }
}

/* Keys of one property, their column type. */
static void types(void **state) {
    (void)state;
    static const struct {
        const char *api, *keys, *want; /* want begins with '!': the message */
    } cases[] = {
        {"v3.1.0", "logicalType: string", "string"},
        {"v3.1.0", "logicalType: string, physicalType: 'varchar(20)'", "string"},
        {"v3.1.0", "logicalType: string, physicalType: bytea", "binary"},
        {"v3.1.0", "logicalType: string, logicalTypeOptions: {format: byte}", "binary"},
        {"v3.1.0", "logicalType: string, physicalType: JSON", "json"},
        {"v3.1.0", "physicalType: json", "json"},
        {"v3.1.0", "logicalType: integer", "int64"},
        {"v3.1.0", "logicalType: integer, physicalType: INT", "int32"},
        {"v3.1.0", "logicalType: integer, physicalType: smallint", "int16"},
        {"v3.1.0", "logicalType: integer, physicalType: 'NUMBER(38, 0)'", "decimal(38,0)"},
        {"v3.1.0", "logicalType: integer, physicalType: NUMBER", "int64"},
        {"v3.1.0", "logicalType: integer, physicalType: 'decimal(5,2)'", "!fraction"},
        {"v3.1.0", "logicalType: integer, physicalType: double", "!floating"},
        {"v3.1.0", "logicalType: integer, logicalTypeOptions: {format: u32}", "int64"},
        {"v3.1.0", "logicalType: integer, logicalTypeOptions: {format: u64}", "decimal(20,0)"},
        {"v3.1.0", "logicalType: number", "double"},
        {"v3.1.0", "logicalType: number, physicalType: 'DECIMAL(12, 2)'", "decimal(12,2)"},
        {"v3.1.0", "logicalType: number, physicalType: 'numeric(9)'", "decimal(9,0)"},
        {"v3.1.0", "logicalType: number, physicalType: 'decimal(39,2)'", "!1 to 38"},
        {"v3.1.0", "logicalType: number, physicalType: decimal", "double"},
        {"v3.1.0", "logicalType: number, physicalType: real", "float"},
        {"v3.1.0", "logicalType: number, physicalType: bigint", "int64"},
        {"v3.1.0", "logicalType: boolean, physicalType: whatever", "boolean"},
        {"v3.1.0", "logicalType: date, physicalType: timestamp", "date"},
        {"v3.0.2", "logicalType: date, physicalType: timestamp", "timestamp"},
        {"v3.0.2", "logicalType: date, physicalType: datetime", "timestamp_ntz"},
        {"v3.0.2", "logicalType: date, logicalTypeOptions: {format: \"yyyy-MM-dd'T'HH:mm:ss\"}", "timestamp"},
        {"v3.0.2", "logicalType: date", "date"},
        {"v3.1.0", "logicalType: timestamp", "timestamp"},
        {"v3.1.0", "logicalType: timestamp, physicalType: timestamp_ntz", "timestamp_ntz"},
        {"v3.1.0", "logicalType: timestamp, logicalTypeOptions: {timezone: false}", "timestamp_ntz"},
        {"v3.1.0", "logicalType: time", "time"},
        {"v3.1.0", "logicalType: object", "json"},
        {"v3.1.0", "logicalType: array", "json"},
        {"v3.1.0", "logicalType: object, properties: [{name: x, logicalType: integer, required: true}, {name: y, physicalType: date}]",
         "struct<x:int64 not null,y:date>"},
        {"v3.1.0", "logicalType: array, items: {logicalType: object, properties: [{name: x, physicalName: z, logicalType: string}]}", "list<struct<z:string>>"},
        {"v3.1.0", "logicalType: array, items: {logicalType: number, required: true}", "list<double not null>"},
        {"v3.1.0", "physicalType: varchar", "string"},
        {"v3.1.0", "description: x", "!needs a logicalType"},
        {"v3.1.0", "physicalType: geography", "!does not know"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_buf b = {0}, got = {0};
        struct dp_contract c;
        struct dp_err err = DP_ERR_INIT;
        struct dp_type *t = NULL;
        const struct dp_contract_object *o;
        dp_buf_addf(&b, "apiVersion: %s\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: a\n" TABLE "      - {name: v, %s}\n", cases[i].api, cases[i].keys);
        if (parse(dp_buf_z(&b), &c, &err) != DP_OK) fail_msg("%s: %s", cases[i].keys, err.msg);
        assert_int_equal(dp_contract_object(&c, NULL, &o, NULL), DP_OK);
        enum dp_status st = dp_contract_schema(&c, o, &t, &err);
        if (*cases[i].want == '!') {
            assert_int_equal(st, DP_USAGE);
            if (!strstr(err.msg, cases[i].want + 1) || err.line != 9) fail_msg("%s: %s", cases[i].keys, err.msg);
        } else {
            if (st != DP_OK) fail_msg("%s: %s", cases[i].keys, err.msg);
            dp_type_print(t->children[0], &got);
            if (strcmp(dp_buf_z(&got), cases[i].want) != 0) fail_msg("%s: %s", cases[i].keys, got.p);
        }
        dp_type_free(t);
        dp_contract_release(&c);
        dp_buf_release(&b), dp_buf_release(&got);
    }
}

static void keys_and_partitions(void **state) {
    (void)state;
    struct dp_contract c;
    const struct dp_contract_object *o;
    struct dp_type *t = NULL;
    size_t index[4];
    static const char text[] = FRAME("v3.1.0") "schema:\n  - name: t\n    physicalName: phys\n    properties:\n"
                                               "      - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2, description: 'the \"a\"'}\n"
                                               "      - {name: b, logicalType: string, partitioned: true, classification: restricted}\n"
                                               "      - {name: d, logicalType: string, primaryKey: true, primaryKeyPosition: 1, classification: public}\n"
                                               "      - {name: e, logicalType: string, partitioned: true, partitionKeyPosition: 7, primaryKeyPosition: -1}\n"
                                               "  - name: u\n";
    assert_int_equal(parse(text, &c, NULL), DP_OK);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_contract_object(&c, NULL, &o, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "FILE#OBJECT; t, u"));
    assert_int_equal(dp_contract_object(&c, "v", &o, &err), DP_USAGE);
    assert_int_equal(dp_contract_object(&c, "u", &o, &err), DP_OK);
    assert_int_equal(dp_contract_schema(&c, o, &t, &err), DP_USAGE);
    assert_int_equal(dp_contract_object(&c, "phys", &o, &err), DP_OK);
    assert_int_equal(dp_contract_primary_key(o, index, 4), 2);
    assert_int_equal(index[0], 2);
    assert_int_equal(index[1], 0);
    assert_int_equal(dp_contract_partitions(o, index, 1), 2);
    assert_int_equal(index[0], 3);
    assert_true(dp_contract_is_classified(&o->properties[1]));
    assert_false(dp_contract_is_classified(&o->properties[2]));
    assert_false(dp_contract_is_classified(&o->properties[0]));
    assert_int_equal(dp_contract_schema(&c, o, &t, NULL), DP_OK);
    assert_false(t->children[0]->nullable);
    assert_true(t->children[1]->nullable);
    assert_string_equal(t->children[0]->metadata, "{\"comment\":\"the \\\"a\\\"\"}");
    dp_type_free(t);
    dp_contract_release(&c);
}

static void written_reads_back(void **state) {
    (void)state;
    static const char schema[] = "struct<id:int64 not null,`odd: name`:string,no:boolean,price:double,d:decimal(12,2),t:timestamp,n:timestamp_ntz,day:date,"
                                 "j:json,o:struct<a:int64 not null,b:list<struct<c:string,e:list<double not null>>>>,s:int16,i:int32,f:float,z:binary,h:time>";
    struct dp_type *t = NULL, *u = NULL;
    struct dp_contract c;
    const struct dp_contract_object *o;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0}, got = {0};
    assert_int_equal(dp_type_parse(dp_str_z(schema), &t, NULL), DP_OK);
    dp_contract_write(&(struct dp_contract_draft){.id = "x", .name = "no", .schema = t}, &b);
    if (parse(dp_buf_z(&b), &c, &err) != DP_OK) fail_msg("%s:%u: %s", b.p, (unsigned)err.line, err.msg);
    assert_int_equal(dp_contract_object(&c, "no", &o, NULL), DP_OK);
    if (dp_contract_schema(&c, o, &u, &err) != DP_OK) fail_msg("%s: %s", b.p, err.msg);
    dp_type_print(u, &got);
    assert_string_equal(dp_buf_z(&got), schema);
    assert_non_null(strstr(b.p, "partitionKeyPosition: 1): day\n"));
    assert_non_null(strstr(b.p, "day(COLUMN)'): t, \"n\"\n"));
    dp_type_free(t), dp_type_free(u);
    dp_contract_release(&c);
    dp_buf_release(&b), dp_buf_release(&got);
}

static void evidence_becomes_required(void **state) {
    (void)state;
    static const char lines[] = "{\"id\":1,\"o\":{\"x\":1},\"l\":[{\"q\":1}],\"e\":[]}\n{\"id\":2,\"s\":\"a\",\"o\":{\"x\":2,\"y\":3},\"l\":[],\"e\":[]}\n";
    char copy[sizeof lines + DP_SCAN_PAD] = {0};
    memcpy(copy, lines, sizeof lines);
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_infer *in = dp_infer_open();
    struct dp_record r;
    dp_scan_begin(scan, copy, sizeof lines - 1);
    while (dp_scan_next(scan, &r, NULL) == DP_OK) dp_infer_record(in, &r);
    struct dp_type *t = dp_infer_schema(in);
    struct dp_contract_draft d = {.id = "x", .name = "x", .schema = t, .records = 2};
    d.n_fields = dp_infer_fields(in, &d.fields);
    struct dp_buf b = {0};
    dp_contract_write(&d, &b);
    assert_string_equal(dp_buf_z(&b),
                        "# Inferred from 2 records: a first draft to read and amend.\n"
                        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 0.1.0\nstatus: draft\nschema:\n"
                        "  - name: x\n    logicalType: object\n    physicalType: table\n    properties:\n"
                        "      - name: id\n        logicalType: integer\n        physicalType: bigint\n        required: true\n"
                        "      - name: o\n        logicalType: object\n        physicalType: struct\n        required: true\n        properties:\n"
                        "          - name: x\n            logicalType: integer\n            physicalType: bigint\n            required: true\n"
                        "          - name: \"y\"\n            logicalType: integer\n            physicalType: bigint\n"
                        "      - name: l\n        logicalType: array\n        physicalType: array\n        required: true\n        items:\n"
                        "          logicalType: object\n          physicalType: struct\n          required: true\n          properties:\n"
                        "            - name: q\n              logicalType: integer\n              physicalType: bigint\n              required: true\n"
                        "      - name: e\n        logicalType: array\n        physicalType: array\n        required: true\n        items:\n"
                        "          logicalType: string\n          physicalType: string\n"
                        "      - name: s\n        logicalType: string\n        physicalType: string\n");
    dp_buf_release(&b);
    dp_type_free(t);
    dp_infer_close(in);
    dp_scan_close(scan);
}

/* ---- the corpus ---- */

static struct dp_record document(struct dp_scan *scan, const char *path, struct dp_buf *b) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n;
    while ((n = fread(dp_buf_reserve(b, 1 << 16), 1, 1 << 16, f)) > 0) b->n += n;
    fclose(f);
    memset(dp_buf_reserve(b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, b->p, b->n);
    return (struct dp_record){0};
}

static void corpus_files(void **state) {
    (void)state;
    char index[1024], path[1400];
    dpt_shared(index, "corpus/contract/index.ndjson");
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r = document(scan, index, &b);
    int right = 0, refused = 0;
    while (dp_scan_next(scan, &r, NULL) == DP_OK) {
        struct dp_buf file = {0};
        struct dp_contract c;
        struct dp_err err = DP_ERR_INIT;
        bool valid = false;
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "file"), &file));
        assert_true(dp_json_get_bool(&r, dp_json_member(&r, 0, "expect_schema_valid_for_own_apiVersion"), &valid));
        (void)snprintf(path, sizeof path, "%.*scontract/files/%s", (int)(strstr(index, "contract/") - index), index, dp_buf_z(&file));
        enum dp_status st = dp_contract_read(path, &c, &err);
        if (valid && st != DP_OK) fail_msg("%s:%u: %s", file.p, (unsigned)err.line, err.msg);
        if (!valid && st != DP_USAGE) fail_msg("%s should be refused", file.p);
        right++, refused += !valid;
        dp_contract_release(&c);
        dp_buf_release(&file);
    }
    assert_int_equal(right, 119);
    assert_int_equal(refused, 34);
    dp_buf_release(&b);
    dp_scan_close(scan);
}

static void corpus_traps(void **state) {
    (void)state;
    char path[1024];
    dpt_shared(path, "corpus/contract/yaml-traps.ndjson");
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r = document(scan, path, &b);
    int n = 0;
    for (; dp_scan_next(scan, &r, NULL) == DP_OK; n++) {
        struct dp_buf text = {0}, expect = {0};
        struct dp_contract c;
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "yaml"), &text));
        assert_true(dp_json_get_string(&r, dp_json_member(&r, 0, "expect"), &expect));
        enum dp_status st = parse(dp_buf_z(&text), &c, NULL);
        assert_int_equal(st == DP_OK, !strcmp(dp_buf_z(&expect), "valid"));
        dp_contract_release(&c);
        dp_buf_release(&text), dp_buf_release(&expect);
    }
    assert_int_equal(n, 4);
    dp_buf_release(&b);
    dp_scan_close(scan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_faults),       cmocka_unit_test(types),        cmocka_unit_test(keys_and_partitions),
        cmocka_unit_test(written_reads_back), cmocka_unit_test(evidence_becomes_required),
        cmocka_unit_test(corpus_files),       cmocka_unit_test(corpus_traps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* YAML: types of scalars, places, duplicate keys, aliases and their limits, texts that readers get wrong, writing scalars. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/format/yaml.h>

static enum dp_status parse(const char *text, struct dp_yaml *doc, struct dp_err *err) {
    return dp_yaml_parse(dp_str_z(text), "x.yaml", doc, err);
}

static void scalar_types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum dp_yaml_kind kind;
    } cases[] = {
        {"null", DP_YAML_NULL},       {"~", DP_YAML_NULL},          {"", DP_YAML_NULL},          {"true", DP_YAML_BOOL},
        {"FALSE", DP_YAML_BOOL},      {"no", DP_YAML_STRING},       {"NO", DP_YAML_STRING},      {"off", DP_YAML_STRING},
        {"y", DP_YAML_STRING},        {"tRue", DP_YAML_STRING},     {"12", DP_YAML_INT},         {"-12", DP_YAML_INT},
        {"+1", DP_YAML_INT},          {"0x1F", DP_YAML_INT},        {"0o17", DP_YAML_INT},       {"0o18", DP_YAML_STRING},
        {"012", DP_YAML_INT},         {"1_000", DP_YAML_STRING},    {"1.0", DP_YAML_FLOAT},      {"1.", DP_YAML_FLOAT},
        {".5", DP_YAML_FLOAT},        {".", DP_YAML_STRING},        {"1e3", DP_YAML_FLOAT},      {"1e", DP_YAML_STRING},
        {"-.inf", DP_YAML_FLOAT},     {".nan", DP_YAML_FLOAT},      {"1.0.0", DP_YAML_STRING},   {"2022-05-12", DP_YAML_STRING},
        {"3:25:45", DP_YAML_STRING},  {"09:00-08:00", DP_YAML_STRING}, {"\"12\"", DP_YAML_STRING}, {"'true'", DP_YAML_STRING},
        {"!!str 12", DP_YAML_STRING}, {"!!float 12", DP_YAML_FLOAT}, {"! 12", DP_YAML_STRING},   {"-", DP_YAML_LIST},
        {"2022-05-12T09:30:10-08:00", DP_YAML_STRING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        struct dp_err err = DP_ERR_INIT;
        dp_buf_addf(&b, cases[i].kind == DP_YAML_LIST ? "v:\n  %s\n" : "v: %s\n", cases[i].text);
        if (parse(dp_buf_z(&b), &doc, &err) != DP_OK) fail_msg("%s: %s", cases[i].text, err.msg);
        const struct dp_yaml_node *n = dp_yaml_get(doc.root, "v");
        if (n->kind != cases[i].kind) fail_msg("%s: got %s", cases[i].text, dp_yaml_kind_name(n->kind));
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

static void places(void **state) {
    (void)state;
    struct dp_yaml doc;
    assert_int_equal(parse("a: 1\nlist:\n  - x: &anchor [1, 2]\n    y: *anchor\n", &doc, NULL), DP_OK);
    const struct dp_yaml_node *list = dp_yaml_get(doc.root, "list");
    assert_int_equal(list->n, 1);
    const struct dp_yaml_node *x = dp_yaml_get(list->items[0], "x"), *y = dp_yaml_get(list->items[0], "y");
    assert_int_equal(x->line, 3);
    assert_int_equal(x->column, 8);
    assert_ptr_equal(x, y);
    assert_int_equal(doc.root->weight, 14);
    assert_null(dp_yaml_get(doc.root, "zz"));
    assert_null(dp_yaml_get(x, "a"));
    dp_yaml_release(&doc);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        unsigned line;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "duplicate key \"a\"", 3},
        {"a: 1\n\"a\": 3\n", "duplicate key", 2},
        {"? [x]\n: 1\n", "key must be a scalar", 1},
        {"a: *x\n", "alias without its anchor", 1},
        {"a: &x [*x]\n", "inside what it names", 1},
        {"a: 1\n---\nb: 2\n", "second document", 2},
        {"", "empty document", 0},
        {"a: !!int x\n", "tag", 1},
        {"a: !!set {x}\n", "tag", 1},
        {"a: !python/object x\n", "tag", 1},
        {"a:\n\tb: 1\n", "a tab can't indent YAML: write spaces instead (column 1)", 2},
        {"a:\n  b: 1\n  \tc: 2\n", "a tab can't indent YAML: write spaces instead (column 3)", 3},
        {"a:\n  - b: 1\n\t- c: 2\n", "a tab", 3},
        {"a: 1\n\nb: x\n\tc: 2\n", "a tab", 4},
        {"a: [1\n", "", 2},
        {"a: \"\xff\"\n", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_yaml doc;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(parse(cases[i].text, &doc, &err), DP_USAGE);
        assert_string_equal(err.source, "x.yaml");
        if (err.line != cases[i].line || !strstr(err.msg, cases[i].part)) fail_msg("%s: line %u: %s", cases[i].text, (unsigned)err.line, err.msg);
    }
}

static void depth_limit(void **state) {
    (void)state;
    for (unsigned n = DP_LIMIT_YAML_DEPTH; n <= DP_LIMIT_YAML_DEPTH + 1; n++) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        for (unsigned i = 0; i < n; i++) dp_buf_addc(&b, '[');
        for (unsigned i = 0; i < n; i++) dp_buf_addc(&b, ']');
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(parse(dp_buf_z(&b), &doc, &err), n <= DP_LIMIT_YAML_DEPTH ? DP_OK : DP_LIMIT);
        if (n > DP_LIMIT_YAML_DEPTH) assert_non_null(strstr(err.msg, "nested deeper than 64 levels"));
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

/* Ten aliases of ten aliases of ...: few bytes, 10^n nodes. */
static void laughs(void **state) {
    (void)state;
    for (int levels = 4; levels <= 12; levels += 8) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        dp_buf_addz(&b, "a0: &a0 x\n");
        for (int i = 1; i <= levels; i++) {
            dp_buf_addf(&b, "a%d: &a%d [", i, i);
            for (int k = 0; k < 10; k++) dp_buf_addf(&b, "%s*a%d", k ? "," : "", i - 1);
            dp_buf_addz(&b, "]\n");
        }
        assert_int_equal(parse(dp_buf_z(&b), &doc, NULL), levels == 4 ? DP_OK : DP_LIMIT);
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

static void node_limit(void **state) {
    (void)state;
    for (unsigned n = DP_LIMIT_YAML_NODES; n <= DP_LIMIT_YAML_NODES + 1; n++) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        dp_buf_addz(&b, "[0");
        for (unsigned i = 2; i < n; i++) dp_buf_addz(&b, ",0"); /* and the list itself */
        dp_buf_addc(&b, ']');
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(parse(dp_buf_z(&b), &doc, &err), n <= DP_LIMIT_YAML_NODES ? DP_OK : DP_LIMIT);
        if (n > DP_LIMIT_YAML_NODES) assert_null(strstr(err.msg, "DP_"));
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

static void known_keys(void **state) {
    (void)state;
    static const char *const keys[] = {"required", "unique", NULL};
    struct dp_yaml doc;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(parse("required: 1\nuniqe: 2\n", &doc, NULL), DP_OK);
    assert_int_equal(dp_yaml_known_keys(&doc, doc.root, keys, "a property", &err), DP_USAGE);
    assert_string_equal(err.msg, "a property has no key \"uniqe\", did you mean \"unique\"?");
    assert_int_equal(err.line, 2);
    dp_yaml_release(&doc);
}

static void written_scalars_read_back(void **state) {
    (void)state;
    static const char *const texts[] = {"plain", "two words", "", "no", "y", "null", "1.0", "12", "true", "a: b", "a #b", " x", "x ", "-", "- x", "[a", "{a",
                                        "\"q\"", "back\\slash", "line\nend", "tab\there", "\xc3\xa4", "@x", "a,b", "a, b", "%x", "x:", "decimal(12,2)",
                                        "2026-01-02", "!x", "&x", "*x", "|", ">", "0x1f", "~", "a'b", "\x01", "<<"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct dp_buf b = {0};
        struct dp_yaml doc;
        struct dp_err err = DP_ERR_INIT;
        dp_buf_addz(&b, "k: ");
        dp_yaml_add_scalar(&b, dp_str_z(texts[i]));
        dp_buf_addz(&b, "\nl: [");
        dp_yaml_add_scalar(&b, dp_str_z(texts[i]));
        dp_buf_addz(&b, "]\n");
        if (parse(dp_buf_z(&b), &doc, &err) != DP_OK) fail_msg("%s: %s", b.p, err.msg);
        const struct dp_yaml_node *n = dp_yaml_get(doc.root, "k"), *l = dp_yaml_get(doc.root, "l");
        assert_int_equal(n->kind, DP_YAML_STRING);
        assert_string_equal(n->text.p, texts[i]);
        if (!strchr(texts[i], ',') || strstr(texts[i], ", ")) assert_string_equal(l->items[0]->text.p, texts[i]);
        dp_yaml_release(&doc);
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_types), cmocka_unit_test(places),     cmocka_unit_test(refused),    cmocka_unit_test(depth_limit),
        cmocka_unit_test(laughs),       cmocka_unit_test(node_limit), cmocka_unit_test(known_keys), cmocka_unit_test(written_scalars_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

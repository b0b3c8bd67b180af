/*
 * Expressions: tables of program, record and output; what is refused and where; bytes that are kept; limits; which fields are
 * read; what statistics say.  The comparison with jq is in t_expr_diff.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <dp/record/expr.h>
#include <string.h>

static bool have_libjq(void) {
    static int known;
    if (!known) {
        void *lib = dlopen("libjq.so.1", RTLD_NOW | RTLD_NODELETE);
        known = lib ? 1 : 2;
        if (lib) dlclose(lib);
    }
    return known == 1;
}

/* Runs a program over one record's text; the outputs are lines.  The text need not be padded. */
static enum dp_status apply(struct dp_expr *e, const char *record, struct dp_buf *out, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(0, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record r;
    dp_buf_addz(&text, record);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, text.p, text.n);
    assert_int_equal(dp_scan_next(scan, &r, err), DP_OK);
    struct dp_expr_run *run = dp_expr_run_open(e);
    size_t n = 99, lines = 0;
    enum dp_status status = dp_expr_apply(run, &r, out, &n, err);
    for (size_t i = 0; i < out->n; i++) lines += out->p[i] == '\n';
    assert_int_equal(n, lines);
    bool yes;
    struct dp_err err2 = DP_ERR_INIT;
    if (dp_expr_is_compiled(e)) assert_int_equal(dp_expr_test(run, &r, &yes, &err2), status);
    dp_expr_run_close(run);
    dp_scan_close(scan);
    dp_buf_release(&text);
    return status;
}

struct row {
    const char *program, *record, *out; /* out: outputs, each with a newline; "!text": an error with this text in it */
};

static void check_rows(const struct row *rows, size_t n, bool compiled) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_expr *e = NULL;
        struct dp_buf out = {0};
        enum dp_status status = dp_expr_compile(dp_str_z(rows[i].program), &e, &err);
        if (status == DP_OK && dp_expr_is_compiled(e) != compiled) {
            printf("%s: %s\n", rows[i].program, compiled ? dp_expr_why(e) : "is compiled");
            bad++;
        }
        if (status == DP_OK) status = apply(e, rows[i].record, &out, &err);
        bool ok = rows[i].out[0] == '!' ? status != DP_OK && strstr(err.msg, rows[i].out + 1)
                                        : status == DP_OK && !strcmp(dp_buf_z(&out), rows[i].out);
        if (!ok) {
            printf("%s over %s:\n  got %s %s %s\n  not %s\n", rows[i].program, rows[i].record, dp_status_name(status), err.msg, dp_buf_z(&out), rows[i].out);
            bad++;
        }
        dp_buf_release(&out);
        dp_expr_free(e);
    }
    assert_int_equal(bad, 0);
}

#define LONE "{\"s\":\"\\ud800x\"}"

static const struct row compiled_rows[] = {
    /* bytes are kept */
    {".", "{ \"a\" : 1.10, \"b\":\"\\u0041\" }", "{ \"a\" : 1.10, \"b\":\"\\u0041\" }\n"},
    {".a", "{\"a\":9007199254740993}", "9007199254740993\n"},
    {"{a,b}", "{\"b\":[1, 2],\"a\":1.10}", "{\"a\":1.10,\"b\":[1, 2]}\n"},
    {"{a,zz}", "{\"a\":\"\\u00e9\"}", "{\"a\":\"\\u00e9\",\"zz\":null}\n"},
    {".a = 1", "{ \"x\": 1.0 , \"a\" : 5 , \"b\":2 }", "{ \"x\": 1.0 , \"a\" : 1 , \"b\":2 }\n"},
    {".n = 1", "{ \"x\": 1.0 }", "{ \"x\": 1.0,\"n\":1}\n"},
    {".n = 1", "{ }", "{\"n\":1}\n"},
    {".a.b = 1", "{\"a\": {\"b\": 2 , \"c\":1e5},\"z\" :1}", "{\"a\": {\"b\": 1 , \"c\":1e5},\"z\" :1}\n"},
    {".a[1].x |= . + 1", "{\"a\": [ {\"x\":1}, {\"x\": 2 } ] }", "{\"a\": [ {\"x\":1}, {\"x\": 3 } ] }\n"},
    {"del(.x)", "{\"a\": 1.10, \"x\": 2, \"c\" :3}", "{\"a\": 1.10,\"c\" :3}\n"},
    {"del(.a)", "{ \"a\": 1.10 , \"x\": 2 }", "{\"x\": 2 }\n"},
    {"del(.x)", "{ \"a\": 1.10 , \"x\": 2 }", "{ \"a\": 1.10}\n"},
    {"del(.a.b, .c)", "{\"a\":{\"b\":1,\"d\":\"\\/\"},\"c\":2}", "{\"a\":{\"d\":\"\\/\"}}\n"},
    {"del(.zz)", "{ \"a\": 1 }", "{ \"a\": 1 }\n"},
    {"del(.a)", "{\"\\u0061\":1}", "{}\n"},
    {". + {b: 2}", "{ \"a\" : 1.0, \"b\": 1 }", "{ \"a\" : 1.0, \"b\": 2 }\n"},
    {". + {\"c\": \"\\n\"}", "{\"a\": 1.0}", "{\"a\": 1.0,\"c\":\"\\n\"}\n"},
    {"select(.a > 1)", "{ \"a\": 1.10 }", "{ \"a\": 1.10 }\n"},
    {"select(.a > 2)", "{ \"a\": 1.10 }", ""},
    {"select(.a == 1) | {b}", "{\"a\":1.0,\"b\":2.50}", "{\"b\":2.50}\n"},
    {"if .a then .b else . end", "{\"a\":false,\"b\":1}", "{\"a\":false,\"b\":1}\n"},
    {".a // .b", "{\"a\":null,\"b\":1.50}", "1.50\n"},
    {"to_entries", "{\"a\": 1.10}", "[{\"key\":\"a\",\"value\":1.10}]\n"},
    {".a |= tostring", "{\"a\":1.10}", "{\"a\":\"1.10\"}\n"},
    {".\"odd name\".x", "{\"odd name\":{\"x\":1}}", "1\n"},
    {".[\"\\u00e9\"]", "{\"\\u00e9\":1}", "1\n"},
    /* as jq has it: a fraction of an index is cut off where it is checked or assigned */
    {".a | has(1.9), has(-0.5), has(2)", "{\"a\":[1,2]}", "true\ntrue\nfalse\n"},
    {".a[1.2] = 5", "{\"a\":[1,2,3]}", "{\"a\":[1,5,3]}\n"},
    {"del(.a[1.2])", "{\"a\":[1,2,3]}", "{\"a\":[1,3]}\n"},
    {"null | has([1]), has(\"a\"), has(true)", "{}", "false\nfalse\nfalse\n"},
    {"false | contains(true)", "{}", "!containment"},
    {"[false] | contains([true])", "{}", "false\n"},
    {"null[null]", "{}", "!indexed"},
    /* several outputs */
    {".a[]", "{\"a\":[1,[2],{\"x\":3}]}", "1\n[2]\n{\"x\":3}\n"},
    {".a[] | select(. > 1)", "{\"a\":[1,2,3]}", "2\n3\n"},
    {".id as $i | .a[] | {i: $i, v: .}", "{\"id\":7.0,\"a\":[1,2]}", "{\"i\":7.0,\"v\":1}\n{\"i\":7.0,\"v\":2}\n"},
    {"(1,2) + (10,20)", "{}", "11\n12\n21\n22\n"},
    {"{a:(1,2),b:(3,4)}", "{}", "{\"a\":1,\"b\":3}\n{\"a\":1,\"b\":4}\n{\"a\":2,\"b\":3}\n{\"a\":2,\"b\":4}\n"},
    {"empty", "{}", ""},
    {".a[]?", "{\"a\":1}", ""},
    {"[.a[] | (.x?, 0)]", "{\"a\":[1,{\"x\":2}]}", "[0,2,0]\n"},
    {"first(.a[])", "{\"a\":[5,6]}", "5\n"},
    {"(1,2)? | if . == 2 then error(\"x\") else . end", "{}", "!error: x"},
    /* numbers */
    {".a == .b", "{\"a\":9007199254740993,\"b\":9007199254740992}", "false\n"},
    {".a == 1.1", "{\"a\":1.10}", "true\n"},
    {".a < .b", "{\"a\":1e400,\"b\":1e401}", "true\n"},
    {".a == 0", "{\"a\":-0}", "true\n"},
    {".a > 50", "{\"a\":50.0000000000000000001}", "true\n"},
    {".a > 50, .a >= 50, .a < 50, .a <= 50, .a == 50, .a != 50", "{\"a\":50.00}", "false\ntrue\nfalse\ntrue\ntrue\nfalse\n"},
    {".a > 50, .a < 50", "{\"a\":5.5e1}", "true\nfalse\n"},
    {".a > -50, .a < -50", "{\"a\":-50.5}", "false\ntrue\n"},
    {".a > 5", "{\"a\":6.5e-3}", "false\n"},
    {"0.1 + 0.2", "{}", "0.3\n"},
    {".a + 1", "{\"a\":9007199254740993}", "9007199254740994\n"},
    {".a * 3", "{\"a\":1.10}", "3.3\n"},
    {"1 / 3", "{}", "0.3333333333333333\n"},
    {"10 / 4, 9007199254740993 / 1, 0.3 / 0.1, 100 / 10", "{}", "2.5\n9007199254740993\n3\n10\n"},
    {"1 / .a", "{\"a\":0}", "!division by zero"},
    {"1 % .a", "{\"a\":0.5}", "!division by zero"},
    {"5 % 3, -5 % 3, 5 % -3, 5.9 % 2.1", "{}", "2\n-2\n2\n1\n"},
    {".a * 10", "{\"a\":1e308}", "!out of range"},
    {".a + 1", "{\"a\":1e400}", "!out of range"},
    {"9223372036854775807 + 1", "{}", "9223372036854775808\n"},
    {"-.a, -(0)", "{\"a\":1.50}", "-1.50\n0\n"},
    {"[.a[] | floor, ceil, round]", "{\"a\":[1.5,-1.5,2.4,-2.6,7]}", "[1,2,2,-2,-1,-2,2,3,2,-3,-2,-3,7,7,7]\n"},
    {"[.a[] | tonumber]", "{\"a\":[\"007\",\"+1\",\".5\",\"5.\",\"1.10\",\"1E5\",\"-00.5\"]}", "[7,1,0.5,5,1.10,1E5,-0.5]\n"},
    {".a | tonumber", "{\"a\":\" 1\"}", "!number"},
    {".a | tonumber", "{\"a\":\"nan\"}", "!number"},
    {"1 - -1, - 2 * 3, 2 - 3 - 4", "{}", "2\n-6\n-5\n"},
    /* null */
    {".a < 1, .a <= null, .a > 0, 1 < .a, null >= null", "{}", "false\nfalse\nfalse\nfalse\nfalse\n"},
    {".a == null, .a != null, null == .zz", "{}", "true\nfalse\ntrue\n"},
    {".b.c.d", "{\"b\":null}", "null\n"},
    {".b.c", "{\"b\":1}", "!number cannot be indexed with a string"},
    {".b.c?", "{\"b\":1}", ""},
    {".b[0]", "{\"b\":{}}", "!object cannot be indexed with a number"},
    {".b.x", "{\"b\":[]}", "!array cannot be indexed with a string"},
    {".b[1], .b[-1], .b[5], .b[-9]", "{\"b\":[1,2]}", "2\n2\nnull\nnull\n"},
    {"(.b.c)?, 1", "{\"b\":1}", "1\n"},
    {"try .b.c catch \"bad\"", "{\"b\":1}", "\"bad\"\n"},
    /* order of kinds */
    {".a < \"x\", .a < [], .a < {}, \"x\" < [], [] < {}, true > false", "{\"a\":5}", "true\ntrue\ntrue\ntrue\ntrue\ntrue\n"},
    {"[1,2] < [1,3], {\"a\":1} < {\"a\":2}, {\"b\":1} < {\"a\":2}", "{}", "true\ntrue\nfalse\n"},
    {".a == {\"y\":1,\"x\":[2]}", "{\"a\":{\"x\":[2.0],\"y\":1e0}}", "true\n"},
    {".a | sort", "{\"a\":[{},[],\"a\",2,1,true,false,null]}", "[null,false,true,1,2,\"a\",[],{}]\n"},
    {".a | unique, min, max, add, reverse, first, last", "{\"a\":[2,1,2.0]}", "[1,2]\n1\n2.0\n5\n[2.0,1,2]\n2\n2.0\n"},
    /* strings */
    {".a == \"\\u00e9\"", "{\"a\":\"\\u00e9\"}", "true\n"},
    {".a == \"A\"", "{\"a\":\"\\u0041\"}", "true\n"},
    {".a + \"\\n\"", "{\"a\":\"\\u0041\"}", "\"A\\n\"\n"},
    {".s | length", LONE, "2\n"},
    {".a | length", "{\"a\":\"\\ud83d\\ude00x\"}", "2\n"},
    {"\"v=\\(.a) \\(.b)\"", "{\"a\":1.10,\"b\":[1, \"x\"]}", "\"v=1.10 [1,\\\"x\\\"]\"\n"},
    {"@json \"v=\\(.a)\"", "{\"a\":\"x\"}", "\"v=\\\"x\\\"\"\n"},
    {".a | startswith(\"a\"), endswith(\"c\"), ltrimstr(\"a\"), rtrimstr(\"c\"), ascii_upcase", "{\"a\":\"abc\"}", "true\ntrue\n\"bc\"\n\"ab\"\n\"ABC\"\n"},
    {".a | startswith(\"a\")", "{\"a\":1}", "!needs strings"},
    {".a | split(\",\"), join(\"-\")?", "{\"a\":\"x,,y\"}", "[\"x\",\"\",\"y\"]\n"},
    {".a | join(\",\")", "{\"a\":[1.10,null,\"x\",true]}", "\"1.10,,x,true\"\n"},
    {".a[1:2], .a[:1], .a[-1:]", "{\"a\":\"h\\u00e9j\"}", "\"\xc3\xa9\"\n\"h\"\n\"j\"\n"},
    {".a[1:], .a[:-1]", "{\"a\":[1.0,2,3]}", "[2,3]\n[1.0,2]\n"},
    {".a | test(\"^b\\\\d+$\"), test(\"B\"; \"i\")", "{\"a\":\"b12\"}", "true\ntrue\n"},
    {".a | test(\"\\\\w\")", "{\"a\":\"\xc3\xa9\"}", "true\n"},
    {".a * 2, .a * 0, .a * 0.5, .a * 1.5", "{\"a\":\"ab\"}", "\"abab\"\nnull\n\"ab\"\n\"ab\"\n"},
    {".a / \",\"", "{\"a\":\"x,y\"}", "[\"x\",\"y\"]\n"},
    {".a | contains(\"b\"), inside(\"abc\")", "{\"a\":\"b\"}", "true\ntrue\n"},
    {".a | contains([\"ba\"]), has(0), has(2), (1 | IN(1, 2)), (\"x\" | in({\"x\": 1}))", "{\"a\":[\"bar\",1]}", "true\ntrue\nfalse\ntrue\ntrue\n"},
    {"keys, keys_unsorted, length, type", "{\"b\":1,\"a\":2}", "[\"a\",\"b\"]\n[\"b\",\"a\"]\n2\n\"object\"\n"},
    {".a | tojson, tostring", "{\"a\":{\"x\" : [1.0, \"\\u0041\"]}}", "\"{\\\"x\\\":[1.0,\\\"\\\\u0041\\\"]}\"\n\"{\\\"x\\\":[1.0,\\\"\\\\u0041\\\"]}\"\n"},
    /* dates */
    {".a | fromdate", "{\"a\":\"2015-03-05T23:51:47Z\"}", "1425599507\n"},
    {".a | fromdate", "{\"a\":\"2015-03-05T23:51:47.250+01:00\"}", "1425595907.25\n"},
    {".a | todate", "{\"a\":1425599621.678}", "\"2015-03-05T23:53:41Z\"\n"},
    {".a | fromdate", "{\"a\":\"2015-03-05\"}", "!RFC 3339"},
    {".a | todate", "{\"a\":1e12}", "!years"},
    /* any, all, map */
    {"any(.a[]; . > 2), all(.a[]; . > 0), (.a | any), (.a | all(. < 3))", "{\"a\":[1,2,3]}", "true\ntrue\ntrue\nfalse\n"},
    {"any(1, error(\"no\"); . == 1)", "{}", "true\n"},
    {".a | map(. * 2), map_values(. + 1)", "{\"a\":[1,2]}", "[2,4]\n[2,3]\n"},
    {".a |= map(select(. != 1))", "{\"a\":[1, 2.0]}", "{\"a\":[2.0]}\n"},
    {"IN(.a[]; 3, 4)", "{\"a\":[1,3]}", "true\n"},
    /* among many constants */
    {".a[] | IN(9, 8.50, \"x\", 7, null, \"\u00e9\", true, \"b\", 1e2, -3, \"\")",
     "{\"a\":[8.5,100,9.0,\"\\u00e9\",\"\\u0078\",\"\",null,true,-3.0, 8,\"xx\",false,\"9\",[9],{}]}", "true\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue\nfalse\nfalse\nfalse\nfalse\nfalse\nfalse\n"},
    {"IN(.a[], .b; 1, 2, 3, 4, 5, 6, 7, 8, 9), IN(.b; 1, 2, 3, 4, 5, 6, 7, 8, 9)", "{\"a\":[0,9.0],\"b\":[1]}", "true\nfalse\n"},
    {"IN(.b; 1, 2, 3, 4, 5, 6, 7, 8, .a), IN(.b; 1, 2, 3, 4, 5, 6, 7, 8, [1])", "{\"a\":[1],\"b\":[1]}", "true\ntrue\n"},
    {".a | values, nulls, numbers, scalars", "{\"a\":1}", "1\n1\n1\n"},
    /* updates */
    {".a += 1, .a -= 1, .a *= 2, .a /= 2, .a %= 2, .b //= 5", "{\"a\":3}",
     "{\"a\":4}\n{\"a\":2}\n{\"a\":6}\n{\"a\":1.5}\n{\"a\":1}\n{\"a\":3,\"b\":5}\n"},
    {".a = (1, 2)", "{}", "{\"a\":1}\n{\"a\":2}\n"},
    {".a[2] = 1", "{}", "{\"a\":[null,null,1]}\n"},
    {".a[-5] = 1", "{\"a\":[]}", "!negative index"},
    {".a[1048577] = 1", "{}", "!index"},
    {".items[].price |= . * 2", "{\"items\":[ {\"price\":1.10}, {\"price\": 2 } ]}", "{\"items\":[ {\"price\":2.2}, {\"price\": 4 } ]}\n"},
    {"(.items[] | select(.x == 1) | .y) = 0", "{\"items\":[{\"x\":1},{\"x\":2}]}", "{\"items\":[{\"x\":1,\"y\":0},{\"x\":2}]}\n"},
    {".a.b.c = 1", "{\"a\":1}", "!cannot be indexed"},
    {".[\"a\"] = .b", "{\"b\":{\"x\": 1}}", "{\"b\":{\"x\": 1},\"a\":{\"x\": 1}}\n"},
    {". * {a: {c: 1}}", "{\"a\":{\"b\":1.0}}", "{\"a\":{\"b\":1.0,\"c\":1}}\n"},
    {"[1,2,1] - [1], [1] + [2], {} + {a: 1}, null + 1", "{}", "[2]\n[1,2]\n{\"a\":1}\n1\n"},
    /* grammar */
    {"if .a then 1 end", "{\"a\":false}", "{\"a\":false}\n"},
    {"if .a then 1 elif .b then 2 else 3 end", "{\"b\":1}", "2\n"},
    {"1, 2 | . + 1", "{}", "2\n3\n"},
    {". as $x | 1 + 2 as $y | $y", "{}", "3\n"},
    {"1 + . as $y | 3", "{}", "4\n"},
    {"true and false or true, (true | not)", "{}", "true\nfalse\n"},
    {"false // null // 3", "{}", "3\n"},
    {"# a comment\n.a # and one more\n", "{\"a\":1}", "1\n"},
    {"{\"a\": 1 | 2, \"b\\(1)\": -1, (\"c\"): .}", "{}", "{\"a\":2,\"b1\":-1,\"c\":{}}\n"},
    {"{a: 1, a: 2}", "{}", "{\"a\":2}\n"},
    {"{if: 1} | .if", "{}", "1\n"},
    {".a?//1", "{}", "1\n"},
    {".a.[0]", "{\"a\":[4]}", "4\n"},
    {"error", "{}", "!no string"},
    {"error(\"why\")", "{}", "!error: why"},
    {".a", "{\"a\":1,\"b\":{\"x\":1,\"\\u0078\":2}}", "!twice"},
};

static void test_compiled(void **state) {
    (void)state;
    check_rows(compiled_rows, sizeof compiled_rows / sizeof compiled_rows[0], true);
}

static const struct row jq_rows[] = {
    {"reduce .a[] as $x (0; . + $x)", "{\"a\":[1,2]}", "3\n"},
    {"[foreach .a[] as $x (0; . + $x; [., $x])]", "{\"a\":[1,2]}", "[[1,1],[3,2]]\n"},
    {"def f(x): x * 2; f(.a)", "{\"a\":3}", "6\n"},
    {"def f($x; y): $x + y; f(.a; 1)", "{\"a\":3}", "4\n"},
    {"[..] | length", "{\"a\":[1]}", "3\n"},
    {"[.a[] as [$x, {y: $z}] | $x + $z]", "{\"a\":[[1,{\"y\":2}]]}", "[3]\n"},
    {"[.[] as [$a] ?// $a | $a]", "{\"x\":[1],\"y\":5}", "[1,5]\n"},
    {"label $out | 1, break $out, 2", "{}", "1\n"},
    {"try error(\"x\") catch .", "{}", "\"x\"\n"},
    {"@base64 \"x\\(.a)\", (.a | @base64)", "{\"a\":\"hi\"}", "\"xaGk=\"\n\"aGk=\"\n"},
    {"with_entries(.value += 1)", "{\"a\":1}", "{\"a\":2}\n"},
    {".a | sub(\"b\"; \"x\")", "{\"a\":\"abc\"}", "\"axc\"\n"},
    {"[range(3)], [range(1;3)], [range(5;0;-2)], [limit(2; 1 | repeat(. * 2))]", "{}", "[0,1,2]\n[1,2]\n[5,3,1]\n[1,2]\n"},
    {"[range(0,1;3,4)]", "{}", "[0,1,2,0,1,2,3,1,2,1,2,3]\n"},
    {"[recurse(if . < 2 then . + 1 else empty end)] | add", "{}", "{}\n"},
    {"[.a | recurse(if . < 2 then . + 1 else empty end)] | add", "{\"a\":0}", "3\n"},
    {"[.[] | while(. < 3; . + 1)], (.a | until(. > 5; . + 1))", "{\"a\":1}", "[1,2]\n6\n"},
    {"def f: .a; [1 < null, null <= null, 1 >= 1, (null, 2 | . > 1)]", "{}", "[false,false,true,false,true]\n"},
    {"def f: 1; .a", "{\"a\":9007199254740993}", "!not exact"},
    {"def f: 1; .a", "{\"a\":1e400}", "!not exact"},
    {"def f: 1; .a", "{\"a\":1.10}", "1.1\n"},
    {"def f: 1; .a", "{\"a\":0.1000000000000000055511151231257827}", "!not exact"},
    {"def f: 1; .a", "{\"a\":123456789012345678}", "!not exact"},
    {"def f: 1; .", "{\"b\":\"\\u0041/\",\"a\":[true,null,1e3]}", "{\"b\":\"A/\",\"a\":[true,null,1000]}\n"},
    {"def f: 1; .a", "{\"a\":1,\"\\u0061\":2}", "!twice"},
    {"[65] | implode", "{}", "\"A\"\n"},
    {"[-1] | implode", "{}", "!code points"},
    {"[55296] | implode", "{}", "!code points"},
    {"nan", "{}", "!out of range"},
    {"infinite", "{}", "!out of range"},
    {"1, error(\"late\")  | ascii", "{}", "!"},
    {"[1, 2 | (., error(\"late\"))] | @csv", "{}", "!late"},
    {"def f: 1; .a += 1 | .b |= . + 1 | .c -= 1 | .d *= 2 | .e /= 2 | .f %= 3 | .g //= 7 | .h = 8 | (.l[] | select(. == 1)) |= empty",
     "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":7,\"l\":[1,2]}", "{\"a\":2,\"b\":2,\"c\":0,\"d\":2,\"e\":0.5,\"f\":1,\"l\":[2],\"g\":7,\"h\":8}\n"},
    {"def f: .a; f | todate", "{\"a\":1e20}", "!years"},
    {"def f: .a; f | strftime(\"%Y\"), (gmtime | mktime)", "{\"a\":0}", "\"1970\"\n0\n"},
    {"def f: .a; f % -1", "{\"a\":-1e30}", "!out of range"},
    {"def f: .a; .a %= -1", "{\"a\":-1e30}", "!out of range"},
    /* bounded */
    {"def f: f; f", "{}", "!for one record"},
    {"[repeat(1)] | tojson", "{}", "!for one record"},
    {"reduce range(1000000000000) as $i (0; . + 1)", "{}", "!for one record"},
    {"last(recurse(.))", "{}", "!for one record"},
    {"0 | until(false; .)", "{}", "!for one record"},
    {"def f: try error(1) catch f; f", "{}", "!for one record"},
    {"reduce range(64) as $i (\"x\"; . + .)", "{}", "!too long"},
    {"reduce range(64) as $i (\"x\"; . * 2)", "{}", "!too long"},
    {"reduce range(64) as $i ({x: \"x\"}; .x += .x)", "{}", "!too long"},
    {"reduce range(64) as $i (\"x\" * 4000; [., .]) | .", "{}", "!larger"},
    {".a[100000000] = 1 | .a | @csv", "{}", "!over"},
};

static void test_libjq(void **state) {
    (void)state;
    if (!have_libjq()) skip();
    check_rows(jq_rows, sizeof jq_rows / sizeof jq_rows[0], false);
}

/* Usage errors: the text of the message, with its column. */
static const struct row usage_rows[] = {
    {"", NULL, "it is empty"},
    {"  # only a comment", NULL, "it is empty"},
    {".a ==", NULL, "column 6: it ends where a value"},
    {".a = = 1", NULL, "column 6: unexpected '='"},
    {"1 == 1 == 1", NULL, "column 8: unexpected '=='"},
    {".a = 1 = 2", NULL, "unexpected '='"},
    {"{a: 1 + 2}", NULL, "parentheses"},
    {"[1", NULL, "']'"},
    {"(1", NULL, "')'"},
    {"{a", NULL, "','"},
    {"\"abc", NULL, "closing quote"},
    {"\"\\x\"", NULL, "bad escape"},
    {"\"\\ud800\"", NULL, "surrogate"},
    {"\"a\\(1\"", NULL, "')'"},
    {"if 1 then 2", NULL, "end"},
    {".a & .b", NULL, "column 4: unexpected '&'"},
    {"1\n+ &", NULL, "line 2, column 3"},
    {"\xff", NULL, "UTF-8"},
    {"env", NULL, "column 1: env is refused"},
    {".a | env.PATH", NULL, "env is refused"},
    {"$ENV.PATH", NULL, "ENV is refused"},
    {"input", NULL, "input is refused"},
    {"[inputs]", NULL, "inputs is refused"},
    {"def f: debug; f", NULL, "debug is refused"},
    {"\"\\(input)\"", NULL, "input is refused"},
    {"{(env | .x): 1}", NULL, "env is refused"},
    {"[.[] as {(input): $x} | $x]", NULL, "input is refused"},
    {"stderr", NULL, "stderr is refused"},
    {"input_filename", NULL, "refused"},
    {"input_line_number", NULL, "refused"},
    {"$__loc__", NULL, "refused"},
    {"{$__loc__}", NULL, "refused"},
    {"now", NULL, "now is refused"},
    {"localtime", NULL, "refused"},
    {"strflocaltime(\"%H\")", NULL, "refused"},
    {"halt", NULL, "refused"},
    {"halt_error", NULL, "refused"},
    {"halt_error(3)", NULL, "refused"},
    {"modulemeta", NULL, "refused"},
    {"get_search_list", NULL, "refused"},
    {"import \"a\" as a; 1", NULL, "import is refused"},
    {"include \"a\"; 1", NULL, "include is refused"},
    {"module {}; 1", NULL, "module is refused"},
    {"a::b", NULL, "no modules"},
    {"_modify(.a; 1)", NULL, "underscore"},
    {"__dp_tick", NULL, "underscore"},
    {"def _f: 1; _f", NULL, "underscore"},
    {"def f(input): input; f(1)", NULL, "refused"},
};

static void test_usage(void **state) {
    (void)state;
    int bad = 0;
    for (size_t i = 0; i < sizeof usage_rows / sizeof usage_rows[0]; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_expr *e = NULL;
        enum dp_status status = dp_expr_compile(dp_str_z(usage_rows[i].program), &e, &err);
        if (status != DP_USAGE || !strstr(err.msg, usage_rows[i].out)) {
            printf("%s: %s %s\n", usage_rows[i].program, dp_status_name(status), err.msg);
            bad++;
        }
        dp_expr_free(e);
    }
    assert_int_equal(bad, 0);
}

static void test_unknown_names(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e = NULL;
    if (!have_libjq()) skip();
    assert_int_equal(dp_expr_compile(DP_STR("nosuch(.a)"), &e, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "nosuch/1 is not defined"));
    assert_int_equal(dp_expr_compile(DP_STR(".a + $x"), &e, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "$x is not defined"));
    assert_int_equal(dp_expr_compile(DP_STR("def f: 1; 9007199254740993"), &e, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "not exact"));
}

/* Text of n copies of `open`, a middle, n copies of `close`. */
static char *nested(const char *open, size_t n, const char *middle, const char *close) {
    struct dp_buf b = {0};
    for (size_t i = 0; i < n; i++) dp_buf_addz(&b, open);
    dp_buf_addz(&b, middle);
    for (size_t i = 0; i < n; i++) dp_buf_addz(&b, close);
    return dp_buf_detach(&b);
}

static enum dp_status compile_only(const char *text) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e = NULL;
    enum dp_status status = dp_expr_compile(dp_str_z(text), &e, &err);
    dp_expr_free(e);
    return status;
}

static void test_limits(void **state) {
    (void)state;
    const struct {
        const char *open, *middle, *close;
        size_t n;
        enum dp_status status;
    } t[] = {
        {"(", "1", ")", 40, DP_OK},        {"(", "1", ")", 40000 / 2, DP_USAGE}, {"[", "", "]", 30000, DP_USAGE},
        {"-", "1", "", 60000, DP_USAGE},   {"1|", "1", "", 1000, DP_OK},         {"1|", "1", "", 30000, DP_USAGE},
        {"1+", "1", "", 1000, DP_OK},      {"1+", "1", "", 30000, DP_USAGE},     {".a", "", "", 1400, DP_OK},
        {".a", "", "", 30000, DP_USAGE},   {"1 as $x|", "1", "", 7000, DP_USAGE}, {"1//", "1", "", 20000, DP_USAGE},
        {"\"\\(", "1", ")\"", 9000, DP_USAGE}, {"{a:", "1", "}", 9000, DP_USAGE},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char *text = nested(t[i].open, t[i].n, t[i].middle, t[i].close);
        assert_int_equal(compile_only(text), t[i].status);
        free(text);
    }
    char *text = nested(" ", DP_LIMIT_EXPR_BYTES - 1, ".", "");
    assert_int_equal(compile_only(text), DP_OK);
    free(text);
    text = nested(" ", DP_LIMIT_EXPR_BYTES, ".", "");
    assert_int_equal(compile_only(text), DP_USAGE);
    free(text);
}

/* Cartesian products are cut off. */
static void test_bounded(void **state) {
    (void)state;
    struct dp_buf rec = {0}, out = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e = NULL;
    dp_buf_addz(&rec, "{\"a\":[0");
    for (int i = 0; i < 20000; i++) dp_buf_addz(&rec, ",0");
    dp_buf_addz(&rec, "]}");
    assert_int_equal(dp_expr_compile(DP_STR("any(.a[] as $x | .a[] as $y | .a[] as $z | $x + $y; . == 1)"), &e, &err), DP_OK);
    assert_int_equal(apply(e, dp_buf_z(&rec), &out, &err), DP_RECORD);
    assert_non_null(strstr(err.msg, "steps"));
    dp_expr_free(e);
    dp_buf_release(&rec);
    dp_buf_release(&out);
}

static void test_depth(void **state) {
    (void)state;
    char *inner = nested("[", 500, "1", "]");
    struct dp_buf rec = {0}, out = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e = NULL;
    dp_buf_addf(&rec, "{\"a\":%s,\"b\": %s}", inner, inner);
    assert_int_equal(dp_expr_compile(DP_STR("[.a == .b, .a < .b, (.a | contains(.)), (.a | tojson | length)]"), &e, &err), DP_OK);
    assert_int_equal(apply(e, dp_buf_z(&rec), &out, &err), DP_OK);
    assert_string_equal(dp_buf_z(&out), "[true,false,true,1001]\n");
    dp_expr_free(e);
    dp_buf_release(&rec);
    dp_buf_release(&out);
    free(inner);
}

static void test_fields(void **state) {
    (void)state;
    const struct {
        const char *program, *fields; /* NULL: all */
    } t[] = {
        {".a", "a"},
        {".a == 1 and .b.c > 2", "a b"},
        {"{a, b, c: .d.e}", "a b d"},
        {"select(.a) | {b}", "a b"},
        {"select(.a)", NULL},
        {".", NULL},
        {".[]", NULL},
        {"keys", NULL},
        {".a | keys", "a"},
        {".a as $x | .b | . + $x", "a b"},
        {". as $x | .b", NULL},
        {"[.a[] | .z]", "a"},
        {".[\"a\"]", "a"},
        {".[.a]", NULL},
        {".a = 1", NULL},
        {"if .a then .b else .c end", "a b c"},
        {"if .a then . else .c end | .d", "a c d"},
        {"1", ""},
        {"any(.a[]; . == 1), (.b | IN(1, 2))", "a b"},
        {"\"\\(.a)\"", "a"},
        {".a // .b", "a b"},
        {"first(.a[]) | .x", "a"},
        {"..", NULL},
        {"def f: .a; f", NULL},
        {"reduce .a[] as $x (0; . + $x)", NULL},
        {".a | reduce .[] as $x (0; . + $x)", "a"},
        {"try .a catch 1", "a"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_expr *e = NULL;
        enum dp_status status = dp_expr_compile(dp_str_z(t[i].program), &e, &err);
        if (status == DP_UNSUPPORTED) continue;
        assert_int_equal(status, DP_OK);
        const char *const *fields;
        size_t n;
        struct dp_buf b = {0};
        bool some = dp_expr_fields(e, &fields, &n);
        for (size_t k = 0; some && k < n; k++) dp_buf_addf(&b, "%s%s", k ? " " : "", fields[k]);
        if (!some != !t[i].fields || (some && strcmp(dp_buf_z(&b), t[i].fields))) fail_msg("%s: %s", t[i].program, some ? dp_buf_z(&b) : "all");
        dp_buf_release(&b);
        dp_expr_free(e);
    }
}

/* ---- statistics ---- */

/*
 * n, o.n: 5..10 without nulls; s: "bee".."bus"; sn: the same with nulls; k: 7 in each row; z: only nulls; m: 5..10 with nulls; f: 5..10 that may hold NaN;
 * y: true in each row; b: both; bn: true or null.  No row has 6, 6.5 or "bulk" anywhere.
 */
static bool sample_bounds(void *ctx, const struct dp_str *path, size_t n, struct dp_expr_bounds *out) {
    (void)ctx;
    struct dp_str field = path[n - 1];
    if (n == 2 && dp_str_eqz(path[0], "o") && dp_str_eqz(field, "n")) n = 1;
    if (n != 1) return false;
    out->known = true, out->rows = 10, out->nulls = 0, out->kind = DP_KIND_NUMBER;
    out->min = DP_STR("5"), out->max = DP_STR("10");
    if (dp_str_eqz(field, "n")) return true;
    if (dp_str_eqz(field, "s")) return out->kind = DP_KIND_STRING, out->min = DP_STR("bee"), out->max = DP_STR("bus"), true;
    if (dp_str_eqz(field, "sn")) return out->kind = DP_KIND_STRING, out->min = DP_STR("bee"), out->max = DP_STR("bus"), out->nulls = 3, true;
    if (dp_str_eqz(field, "y")) return out->kind = DP_KIND_FALSE, out->min = out->max = DP_STR("true"), true;
    if (dp_str_eqz(field, "b")) return out->kind = DP_KIND_FALSE, out->min = DP_STR("false"), out->max = DP_STR("true"), true;
    if (dp_str_eqz(field, "bn")) return out->kind = DP_KIND_FALSE, out->min = out->max = DP_STR("true"), out->nulls = 1, true;
    if (dp_str_eqz(field, "k")) return out->min = out->max = DP_STR("7"), true;
    if (dp_str_eqz(field, "z")) return out->nulls = 10, true;
    if (dp_str_eqz(field, "m")) return out->nulls = 3, true;
    if (dp_str_eqz(field, "u")) return out->nulls = -1, true;
    if (dp_str_eqz(field, "f")) return out->may_nan = true, true;
    return false;
}

static bool sample_lacks(void *ctx, const struct dp_str *path, size_t n, enum dp_kind kind, struct dp_str value) {
    (void)ctx, (void)path, (void)n;
    return kind == DP_KIND_NUMBER ? dp_str_eqz(value, "6") || dp_str_eqz(value, "6.5") : dp_str_eqz(value, "bulk");
}

static void test_skip(void **state) {
    (void)state;
    const struct {
        const char *program;
        enum dp_maybe verdict;
    } t[] = {
        {".n > 10", DP_NEVER},          {".n >= 10", DP_MAYBE},        {".n >= 5", DP_ALWAYS},          {".n < 5", DP_NEVER},
        {".n <= 10", DP_ALWAYS},        {".n == 4.9", DP_NEVER},       {".n == 5", DP_MAYBE},           {".n != 4", DP_ALWAYS},
        {"10 < .n", DP_NEVER},          {"5 <= .n", DP_ALWAYS},        {".k == 7.0", DP_ALWAYS},        {".k != 7", DP_NEVER},
        {".k == 8", DP_NEVER},          {".s < \"a\"", DP_NEVER},      {".s == \"bull\"", DP_MAYBE},    {".s >= \"bee\"", DP_ALWAYS},
        {".s > 1", DP_ALWAYS},          {".s == 1", DP_NEVER},         {".n == \"x\"", DP_NEVER},       {".z > 1", DP_NEVER},
        {".z == null", DP_ALWAYS},      {".z != null", DP_NEVER},      {".z == 1", DP_NEVER},           {".n == null", DP_NEVER},
        {".n != null", DP_ALWAYS},      {".m != null", DP_MAYBE},      {".m >= 5", DP_MAYBE},           {".m > 10", DP_NEVER},
        {".m != 50", DP_ALWAYS},        {".u >= 5", DP_MAYBE},         {".u > 10", DP_NEVER},           {".x == 1", DP_MAYBE},
        {".f > 10", DP_MAYBE},          {".f < 5", DP_NEVER},          {".f == 4", DP_NEVER},           {".f >= 5", DP_ALWAYS},
        {".n > 10 and .x == 1", DP_NEVER}, {".n > 10 or .x == 1", DP_MAYBE}, {".n > 10 or .n < 5", DP_NEVER}, {".n >= 5 or .x", DP_ALWAYS},
        {".n >= 5 and .k == 7", DP_ALWAYS}, {".n > 10 | not", DP_ALWAYS}, {"(.n >= 5) | not", DP_NEVER}, {".n | IN(1, 2, 3)", DP_NEVER},
        {".n | IN(1, 7)", DP_MAYBE},    {".k | IN(1, 7)", DP_ALWAYS},  {".s | startswith(\"c\")", DP_NEVER}, {".s | startswith(\"b\")", DP_ALWAYS},
        {".s | startswith(\"bu\")", DP_MAYBE}, {".z | startswith(\"c\")", DP_MAYBE}, {".n", DP_ALWAYS}, {".z", DP_NEVER}, {".m", DP_MAYBE},
        {"true", DP_ALWAYS},            {"false", DP_NEVER},           {"select(.n > 10)", DP_NEVER},   {".n.x > 10", DP_MAYBE},
        {".o.n > 10", DP_NEVER},        {".o.n", DP_ALWAYS},           {".o.k > 10", DP_MAYBE},        {".n[0] > 10", DP_MAYBE},
        {".y", DP_ALWAYS},              {".y | not", DP_NEVER},        {".y == false", DP_NEVER},      {".y != true", DP_NEVER},
        {".y < true", DP_NEVER},        {".y == \"true\"", DP_NEVER},  {".b", DP_MAYBE},               {".b == true", DP_MAYBE},
        {".b == null", DP_NEVER},       {".bn", DP_MAYBE},             {".bn == false", DP_NEVER},     {".bn == true", DP_MAYBE},
        {".b // true", DP_MAYBE},       {"(.bn // false) == true", DP_MAYBE}, {"(.m // 0) > 10", DP_NEVER}, {"(.m // 20) > 10", DP_MAYBE},
        {"(.m // 7) >= 5", DP_ALWAYS},  {"(.m // \"\") > 10", DP_MAYBE}, {"(.z // 3) == 3", DP_ALWAYS}, {"(.z // null) == 3", DP_NEVER},
        {".sn | startswith(\"c\")", DP_MAYBE}, {".sn // \"\" | startswith(\"c\")", DP_NEVER}, {".sn // \"ca\" | startswith(\"c\")", DP_MAYBE},
        {".s | test(\"^c\")", DP_NEVER}, {".s | test(\"^bu\")", DP_MAYBE}, {".s | test(\"^b\")", DP_MAYBE}, {".s | test(\"c\")", DP_MAYBE},
        {".s | test(\"^c?b\")", DP_MAYBE}, {".s | test(\"^c|b\")", DP_MAYBE}, {".s | test(\"^cc*\")", DP_NEVER}, {".s | test(\"^c{0}\")", DP_MAYBE},
        {".s | test(\"^c+\")", DP_NEVER}, {".s | test(\"^(?i)C\")", DP_MAYBE}, {".s | test(\"^c\"; \"i\")", DP_MAYBE}, {".s | test(\"^\\\\.b\")", DP_NEVER},
        {".s | test(\"^\\\\wb\")", DP_MAYBE}, {".s | test(\"^\u00e9?b\")", DP_MAYBE}, {".sn | test(\"^c\")", DP_MAYBE}, {"IN(.n; 1, 2)", DP_NEVER},
        {".n == 6", DP_NEVER},          {".n != 6", DP_ALWAYS},        {".n == 7", DP_MAYBE},          {".n | IN(6, 6.5, 11)", DP_NEVER},
        {".m == 6", DP_NEVER},          {".m != 6", DP_ALWAYS},        {".u != 6", DP_ALWAYS},         {".x == 6", DP_NEVER},
        {".x.y == \"bulk\"", DP_NEVER}, {".x == \"bull\"", DP_MAYBE}, {"(.x // 6) == 6", DP_MAYBE},  {".n < 6", DP_MAYBE},
        {".n > .k", DP_MAYBE},          {".n > null", DP_NEVER},       {".n > [1]", DP_MAYBE},          {".n < true", DP_NEVER},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_expr *e = NULL;
        assert_int_equal(dp_expr_compile(dp_str_z(t[i].program), &e, &err), DP_OK);
        enum dp_maybe v = dp_expr_skip(e, &(struct dp_expr_facts){.bounds = sample_bounds, .lacks = sample_lacks});
        if (v != t[i].verdict) fail_msg("%s: %d", t[i].program, (int)v);
        dp_expr_free(e);
    }
}

static enum dp_maybe verdict_of(const char *program) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e = NULL;
    if (dp_expr_compile(dp_str_z(program), &e, &err) != DP_OK) fail_msg("%s: %s", program, err.msg);
    enum dp_maybe v = dp_expr_skip(e, &(struct dp_expr_facts){.bounds = sample_bounds, .lacks = sample_lacks});
    dp_expr_free(e);
    return v;
}

/* Among many constants the verdict is that of comparing with each. */
static void test_skip_many(void **state) {
    static const char *const fields[] = {".n", ".s", ".sn", ".k", ".z", ".m", ".u", ".f", ".x", ".b", ".bn", ".y", "(.m // 7)", "(.s // \"bulk\")", ".o.n"};
    static const char *const lists[][10] = {
        {"1", "2", "3", "4", "11", "12", "13", "14", "15", "16"},       {"1", "2", "3", "5", "6", "12", "13", "14", "15", "10"},
        {"1", "2", "3", "6", "6.5", "12", "13", "14", "15", "16"},      {"7", "8", "9", "10", "11", "12", "13", "14", "\"bull\"", "16"},
        {"null", "2", "3", "4", "11", "12", "13", "14", "15", "16"},    {"\"a\"", "\"b\"", "\"bed\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "1", "2", "null"},
        {"\"a\"", "\"bulk\"", "\"bed\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "1", "2", "3"}, {"true", "false", "3", "4", "11", "12", "13", "14", "15", "\"bus\""},
        {"true", "null", "1", "2", "\"bee\"", "\"bef\"", "7", "7.0", "9", "\"z\""},
    };
    (void)state;
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
            struct dp_buf in = {0}, two = {0}, chain = {0};
            dp_buf_addf(&in, "%s | IN(", fields[f]), dp_buf_addf(&two, "IN(%s; ", fields[f]);
            for (size_t i = 0; i < 10; i++) {
                dp_buf_addf(&in, "%s%s", i ? ", " : "", lists[l][i]), dp_buf_addf(&two, "%s%s", i ? ", " : "", lists[l][i]);
                dp_buf_addf(&chain, "%s%s == %s", i ? " or " : "", fields[f], lists[l][i]);
            }
            dp_buf_addc(&in, ')'), dp_buf_addc(&two, ')');
            enum dp_maybe want = verdict_of(dp_buf_z(&chain));
            if (verdict_of(dp_buf_z(&in)) != want || verdict_of(dp_buf_z(&two)) != want) fail_msg("%s: not %d", dp_buf_z(&in), (int)want);
            dp_buf_release(&in), dp_buf_release(&two), dp_buf_release(&chain);
        }
    }
}

/* What a filter needs of a record, so that others may be passed over unseen; "-": nothing. */
static void test_needs(void **state) {
    static const char *const rows[][2] = {
        {".c == \"DE\"", "c=DE"}, {"\"DE\" == .c and .p > 5", "c=DE"}, {".p > 5 and .c == \"DE\"", "c=DE"},
        {".c == \"DE\" and (.a.b | length) == 1", "c=DE"}, {".[\"x y\"] == \"a\\\"b\"", "x y=a\"b"}, {".c != \"DE\"", "-"},
        {".c == \"DE\" or .p > 5", "-"}, {".a.b == 1 and .c == \"DE\"", "-"}, {".c == 5", "-"}, {".c == null", "-"},
        {"(.c == \"DE\") | not", "-"}, {"(.a | error) and .c == \"DE\"", "-"}, {".a[0] == \"DE\"", "-"}, {".c.d == \"DE\"", "-"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dp_expr *e = NULL;
        struct dp_err err = DP_ERR_INIT;
        struct dp_str name = {0}, text = {0};
        char got[100] = "-";
        assert_int_equal(dp_expr_compile(dp_str_z(rows[i][0]), &e, &err), DP_OK);
        if (dp_expr_needs(e, &name, &text)) (void)snprintf(got, sizeof got, "%.*s=%.*s", DP_STR_FMT(name), DP_STR_FMT(text));
        if (strcmp(got, rows[i][1]) != 0) fail_msg("`%s` needs %s", rows[i][0], got);
        dp_expr_free(e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compiled), cmocka_unit_test(test_skip_many), cmocka_unit_test(test_libjq),  cmocka_unit_test(test_usage), cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_bounded), cmocka_unit_test(test_depth), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_skip),     cmocka_unit_test(test_needs),
    };
    return cmocka_run_group_tests_name("expr", tests, NULL, NULL);
}

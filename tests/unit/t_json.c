/*
 * The NDJSON scanner: conformance cases of others, errors with their places, limits, alignment, and that all engines
 * agree on every node and every error, also on broken input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <dp/record/json.h>
#include <stdint.h>
#include <string.h>

static const enum dp_scan_engine engines[] = {DP_SCAN_PORTABLE, DP_SCAN_SSE42, DP_SCAN_AVX2, DP_SCAN_AVX512, DP_SCAN_AVX512_WIDE, DP_SCAN_NEON};
#define N_ENGINES (sizeof engines / sizeof engines[0])

static const char *shared(void) {
    const char *dir = getenv("DP_SHARED");
    return dir ? dir : "../shared";
}

/* Text with the pad behind it, filled with bytes that would be errors if they counted. */
static char *padded(const char *p, size_t n) {
    char *t = malloc(n + DP_SCAN_PAD);
    if (n) memcpy(t, p, n);
    memset(t + n, '"', DP_SCAN_PAD);
    return t;
}

static char *slurp(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    struct dp_buf b = {0};
    size_t got;
    while ((got = fread(dp_buf_reserve(&b, 65536), 1, 65536, f)) > 0) b.n += got;
    fclose(f);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    *n = b.n;
    return b.p;
}

/* ---- one line ---- */

struct line {
    const char *text;
    enum dp_status status;
    long offset;     /* of the error; -1: not looked at */
    const char *msg; /* part of the message */
};

static const struct line lines[] = {
    {"{}", DP_OK, -1, NULL},
    {" {} ", DP_OK, -1, NULL},
    {"\t{ }\r", DP_OK, -1, NULL},
    {"{\"a\":1}", DP_OK, -1, NULL},
    {"{ \"a\" : 1 , \"b\" : [ ] }", DP_OK, -1, NULL},
    {"{\"a\":-0,\"b\":-0.0,\"c\":0e0,\"d\":1E+05,\"e\":1e-05,\"f\":10,\"g\":0.05,\"h\":-1.25e007}", DP_OK, -1, NULL},
    {"{\"a\":null ,\"b\":true\t,\"c\":false }", DP_OK, -1, NULL},
    {"{\"a\":\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", DP_OK, -1, NULL},
    {"{\"a\":\"\\ud800\"}", DP_OK, -1, NULL},
    {"{\"a\":\"\x7f\"}", DP_OK, -1, NULL},
    {"{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}", DP_OK, -1, NULL},
    {"[]", DP_RECORD, 0, "not an object"},
    {"x", DP_RECORD, 0, "not an object"},
    {"  \"a\"", DP_RECORD, 2, "not an object"},
    {"{\"a\"1}", DP_RECORD, 4, "expected ':' after a key, got '1'"},
    {"{\"a\" 1}", DP_RECORD, 5, "expected ':' after a key"},
    {"{\"a\":}", DP_RECORD, 5, "expected a value, got '}'"},
    {"{\"a\":1,}", DP_RECORD, 7, "expected a key"},
    {"{,}", DP_RECORD, 1, "a key or '}'"},
    {"{\"a\":1", DP_RECORD, 6, "expected ',' or '}', got the end"},
    {"{\"a\":[1 2]}", DP_RECORD, 8, "expected ',' or ']', got '2'"},
    {"{\"a\":[1}", DP_RECORD, 7, "expected ',' or ']', got '}'"},
    {"{}{}", DP_RECORD, 2, "expected the end of the text"},
    {"{}x", DP_RECORD, 2, "expected the end of the text"},
    {"{\"a\":01}", DP_RECORD, 5, "begins with a zero"},
    {"{\"a\":-01}", DP_RECORD, 5, "begins with a zero"},
    {"{\"a\":-}", DP_RECORD, 6, "a digit behind '-'"},
    {"{\"a\":- 1}", DP_RECORD, -1, "a digit behind '-'"},
    {"{\"a\":--1}", DP_RECORD, 6, "a digit behind '-'"},
    {"{\"a\":1-1}", DP_RECORD, 6, "expected ','"},
    {"{\"a\":1.}", DP_RECORD, 7, "a digit behind the point"},
    {"{\"a\":1 .5}", DP_RECORD, 7, "expected ','"},
    {"{\"a\":.5}", DP_RECORD, 5, "expected a value"},
    {"{\"a\":1.5.5}", DP_RECORD, 8, "expected ','"},
    {"{\"a\":1e}", DP_RECORD, 7, "exponent"},
    {"{\"a\":1e+}", DP_RECORD, 8, "exponent"},
    {"{\"a\":1e1.5}", DP_RECORD, 8, "expected ','"},
    {"{\"a\":+1}", DP_RECORD, 5, "expected a value"},
    {"{\"a\":nul}", DP_RECORD, 5, "expected a value"},
    {"{\"a\":nu ll}", DP_RECORD, 5, "expected a value"},
    {"{\"a\":nulll}", DP_RECORD, 9, "expected ','"},
    {"{\"a\":true1}", DP_RECORD, 9, "expected ','"},
    {"{\"a\":NaN}", DP_RECORD, 5, "expected a value"},
    {"{\"a\":'x'}", DP_RECORD, 5, "expected a value, got '''"},
    {"{\"a\":\"x\ty\"}", DP_RECORD, 7, "control byte 0x09 in a string"},
    {"{\"a\":\"x", DP_RECORD, 5, "a string is not closed"},
    {"{\"a\":\"x\\\"}", DP_RECORD, 5, "a string is not closed"},
    {"{\"a\":\"\\x\"}", DP_RECORD, 6, "unknown escape"},
    {"{\"a\":\"\\u12g4\"}", DP_RECORD, 6, "four hex digits"},
    {"{\"a\":\"\\u123\"}", DP_RECORD, 6, "four hex digits"},
    {"{\\\"a\":1}", DP_RECORD, 1, "a key"},
    {"{\"a\":1}\\", DP_RECORD, 7, "the end of the text"},
    {"{\"a\":\"\xc3\"}", DP_RECORD, 6, "invalid UTF-8"},
    {"{\"a\":\"\xc0\x80\"}", DP_RECORD, 6, "invalid UTF-8"},
    {"{\"a\":\"\xed\xa0\x80\"}", DP_RECORD, 6, "invalid UTF-8"},
    {"{\"a\":\"\xf4\x90\x80\x80\"}", DP_RECORD, 6, "invalid UTF-8"},
    {"{\"a\":\"\xe2\x82\"}", DP_RECORD, 6, "invalid UTF-8"},
    {"{\"\xff\":1}", DP_RECORD, 2, "invalid UTF-8"},
    {"{\"a\":\xc3\xa4}", DP_RECORD, 5, "expected a value, got byte 0xc3"},
    {"{\"a\":1\x01}", DP_RECORD, 6, "got byte 0x01"},
    {"{\x0c}", DP_RECORD, 1, "got byte 0x0c"},
};

static void test_lines(void **state) {
    (void)state;
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            /* between two good lines, behind 0..70 bytes of blanks, so that every bit of a block is met */
            for (size_t shift = 0; shift < 71; shift += i % 3 + 1) {
                struct dp_buf b = {0};
                for (size_t k = 0; k < shift; k++) dp_buf_addc(&b, ' ');
                dp_buf_addz(&b, "{\"first\":[1]}\n");
                size_t start = b.n;
                dp_buf_addz(&b, lines[i].text);
                size_t end = b.n;
                dp_buf_addz(&b, "\n{\"last\":\"x\"}\n");
                char *p = padded(b.p, b.n);
                struct dp_record r;
                struct dp_err err = DP_ERR_INIT;
                dp_scan_begin(s, p, b.n);
                assert_int_equal(dp_scan_next(s, &r, &err), DP_OK);
                enum dp_status st = dp_scan_next(s, &r, &err);
                if (st != lines[i].status) fail_msg("%s: `%s`: status %d %s", dp_scan_engine_name(s), lines[i].text, st, err.msg);
                assert_int_equal(r.index, 1);
                assert_int_equal(r.line_off, start);
                assert_true(r.raw >= p + start && r.raw + r.raw_n <= p + end);
                if (st != DP_OK) {
                    if (lines[i].offset >= 0 && err.offset != start + (size_t)lines[i].offset)
                        fail_msg("`%s`: offset %d", lines[i].text, (int)(err.offset - start));
                    if (!strstr(err.msg, lines[i].msg)) fail_msg("`%s`: %s", lines[i].text, err.msg);
                }
                st = dp_scan_next(s, &r, &err);
                if (st != DP_OK) fail_msg("the line behind `%s` is lost at %zu: %s", lines[i].text, shift, err.msg);
                assert_int_equal(r.n_nodes, 3);
                assert_int_equal(dp_scan_next(s, &r, &err), DP_END);
                assert_int_equal(dp_scan_next(s, &r, &err), DP_END);
                free(p);
                dp_buf_release(&b);
            }
        }
        dp_scan_close(s);
    }
}

/* ---- nodes ---- */

static void test_nodes(void **state) {
    (void)state;
    const char *text = "{\"a\":[1,2.5,{\"b\":null}],\"\\u0063\":\"x\\n\xc3\xa4\"}";
    char *p = padded(text, strlen(text));
    static const struct { unsigned kind, flags, depth, next; const char *text; } want[] = {
        {DP_KIND_OBJECT, 0, 0, 10, NULL},
        {DP_KIND_STRING, DP_NODE_KEY | DP_NODE_ASCII, 1, 8, "a"},
        {DP_KIND_ARRAY, 0, 1, 8, "[1,2.5,{\"b\":null}]"},
        {DP_KIND_NUMBER, DP_NODE_INTEGER, 2, 4, "1"},
        {DP_KIND_NUMBER, 0, 2, 5, "2.5"},
        {DP_KIND_OBJECT, 0, 2, 8, "{\"b\":null}"},
        {DP_KIND_STRING, DP_NODE_KEY | DP_NODE_ASCII, 3, 8, "b"},
        {DP_KIND_NULL, 0, 3, 8, "null"},
        {DP_KIND_STRING, DP_NODE_KEY | DP_NODE_ESCAPED | DP_NODE_ASCII, 1, 10, "\\u0063"},
        {DP_KIND_STRING, DP_NODE_ESCAPED, 1, 10, "x\\n\xc3\xa4"},
    };
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        for (int round = 0; round < 5; round++) { /* walked, then laid out from the shape */
            struct dp_record r;
            struct dp_err err = DP_ERR_INIT;
            dp_scan_begin(s, p, strlen(text));
            assert_int_equal(dp_scan_next(s, &r, &err), DP_OK);
            assert_int_equal(r.n_nodes, 10);
            assert_int_equal(r.n_members, 2);
            assert_false(r.same_keys);
            for (uint32_t i = 0; i < r.n_nodes; i++) {
                assert_int_equal(r.nodes[i].kind, want[i].kind);
                assert_int_equal(r.nodes[i].flags, want[i].flags);
                assert_int_equal(r.nodes[i].depth, want[i].depth);
                assert_int_equal(r.nodes[i].next, want[i].next);
                if (want[i].text) assert_true(dp_str_eqz(dp_node_str(&r, i), want[i].text));
            }
            assert_int_equal(dp_json_member(&r, 0, "c"), 9);
            assert_int_equal(dp_json_member(&r, 0, "b"), 0);
            assert_int_equal(dp_json_member(&r, 5, "b"), 7);
            assert_int_equal(dp_json_length(dp_node_str(&r, 9), r.nodes[9].flags), 3);
        }
        dp_scan_close(s);
    }
    free(p);
}

static void test_ends(void **state) {
    (void)state;
    static const struct { const char *text; size_t n; int good, bad; uint32_t last_index; } cases[] = {
        {"", 0, 0, 0, 0},
        {"\n\n", 2, 0, 0, 0},
        {" \t\r\n\r\n \n", 8, 0, 0, 0},
        {"{}\r\n{}\r\n", 8, 2, 0, 1},
        {"\n\n{}", 4, 1, 0, 2},
        {"{}\n\n \n{}", 8, 2, 0, 3},
        {"{\n}\n{}\n", 7, 1, 2, 2},
        {"{\"a\":\"\n\"}\n{}\n{\"", 15, 1, 3, 3},
        {"\"\\\n{}\n", 6, 1, 1, 1},
        {"{\"\0\":1}\n{}", 10, 1, 1, 1},
        {"\0\n{}", 4, 1, 1, 1},
        {"{}\0\n{}", 6, 1, 1, 1},
    };
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char *p = padded(cases[i].text, cases[i].n);
            struct dp_record r = {0};
            struct dp_err err = DP_ERR_INIT;
            int good = 0, bad = 0;
            uint32_t last = 0;
            enum dp_status st;
            dp_scan_begin(s, p, cases[i].n);
            while ((st = dp_scan_next(s, &r, &err)) != DP_END) st == DP_OK ? good++ : bad++, last = r.index;
            if (good != cases[i].good || bad != cases[i].bad || last != cases[i].last_index)
                fail_msg("case %zu: %d good, %d bad, last %u", i, good, bad, last);
            free(p);
        }
        dp_scan_close(s);
    }
}

/* ---- keys ---- */

static void test_keys(void **state) {
    (void)state;
    static const struct { const char *text; bool same, dup; uint32_t node; } steps[] = {
        {"{\"a\":1,\"b\":2}", false, false, 0},
        {"{\"a\":3,\"b\":\"x\"}", true, false, 0},
        {"{\"b\":3,\"a\":\"x\"}", false, false, 0},
        {"{\"b\":3,\"a\":[{\"x\":1,\"x\":2}]}", true, true, 8},
        {"{\"b\":3,\"a\":[{\"x\":1,\"y\":2}]}", true, false, 0},
        {"{\"b\":3,\"a\":[{\"x\":1,\"\\u0078\":2}]}", true, true, 8},
        {"{\"b\":3,\"a\":[{\"x\":1,\"x\":2}]}", true, true, 8},
        {"{\"a\":1,\"a\":2}", false, true, 3},
        {"{\"a\":1,\"a\":2}", true, true, 3},
        {"{\"a\":1,\"b\":2}", false, false, 0},
        {"{\"a\":1,\"b\":2,\"c\":3}", false, false, 0},
        {"{\"a\":{\"q\":1,\"q\":1},\"b\":2,\"b\":3}", false, true, 5},
        {"{}", false, false, 0},
        {"{}", true, false, 0},
    };
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        struct dp_buf b = {0};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) dp_buf_addz(&b, steps[i].text), dp_buf_addc(&b, '\n');
        char *p = padded(b.p, b.n);
        for (int round = 0; round < 4; round++) {
            struct dp_record r;
            struct dp_err err = DP_ERR_INIT;
            dp_scan_begin(s, p, b.n);
            for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
                assert_int_equal(dp_scan_next(s, &r, &err), DP_OK);
                if (r.same_keys != steps[i].same || r.duplicate_keys != steps[i].dup || (r.duplicate_keys && r.dup_node != steps[i].node))
                    fail_msg("%s round %d: same %d dup %d node %u", steps[i].text, round, r.same_keys, r.duplicate_keys, r.dup_node);
            }
        }
        free(p);
        dp_buf_release(&b);
        dp_scan_close(s);
    }
}

/* Many keys: all differ, then the last is the first again. */
static void test_many_keys(void **state) {
    (void)state;
    struct dp_scan *s = dp_scan_open(0, DP_SCAN_AUTO);
    static const unsigned counts[] = {2, 63, 64, 65, 66, 1000, DP_LIMIT_KEYS, DP_LIMIT_KEYS + 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int dup = 0; dup < 2; dup++) {
            struct dp_buf b = {0};
            dp_buf_addc(&b, '{');
            for (unsigned k = 0; k < counts[i]; k++)
                dp_buf_addf(&b, "%s\"key%u\":0", k ? "," : "", dup && k == counts[i] - 1 ? 0 : k);
            dp_buf_addc(&b, '}');
            char *p = padded(b.p, b.n);
            struct dp_record r;
            struct dp_err err = DP_ERR_INIT;
            dp_scan_begin(s, p, b.n);
            enum dp_status st = dp_scan_next(s, &r, &err);
            if (counts[i] > DP_LIMIT_KEYS) {
                assert_int_equal(st, DP_RECORD);
                assert_non_null(strstr(err.msg, "too many keys"));
            } else {
                assert_int_equal(st, DP_OK);
                assert_int_equal(r.n_members, counts[i]);
                assert_int_equal(r.duplicate_keys, dup);
                if (dup) assert_int_equal(r.dup_node, 2 * counts[i] - 1);
            }
            free(p);
            dp_buf_release(&b);
        }
    dp_scan_close(s);
}

/* ---- limits ---- */

static void test_depth(void **state) {
    (void)state;
    for (size_t e = 0; e < N_ENGINES; e++)
        for (unsigned depth = DP_LIMIT_DEPTH - 1; depth <= DP_LIMIT_DEPTH + 1; depth++)
            for (int object = 0; object < 2; object++) {
                struct dp_buf b = {0};
                dp_buf_addz(&b, "{\"a\":");
                for (unsigned i = 1; i < depth; i++) dp_buf_addz(&b, object ? "{\"a\":" : "[");
                dp_buf_addc(&b, '1');
                for (unsigned i = 1; i < depth; i++) dp_buf_addc(&b, object ? '}' : ']');
                dp_buf_addz(&b, "}\n{}\n");
                char *p = padded(b.p, b.n);
                struct dp_scan *s = dp_scan_open(0, engines[e]);
                for (int round = 0; round < 3; round++) {
                    struct dp_record r;
                    struct dp_err err = DP_ERR_INIT;
                    dp_scan_begin(s, p, b.n);
                    assert_int_equal(dp_scan_next(s, &r, &err), depth <= DP_LIMIT_DEPTH ? DP_OK : DP_RECORD);
                    if (depth <= DP_LIMIT_DEPTH) assert_int_equal(r.nodes[r.n_nodes - 1].depth, depth);
                    assert_int_equal(dp_scan_next(s, &r, &err), DP_OK);
                    assert_int_equal(dp_scan_next(s, &r, &err), DP_END);
                }
                dp_scan_close(s);
                free(p);
                dp_buf_release(&b);
            }
}

static void add_record(struct dp_buf *b, size_t n) {
    dp_buf_addz(b, "{\"a\":\"");
    for (size_t i = 8; i < n; i++) dp_buf_addc(b, 'x');
    dp_buf_addz(b, "\"}");
}

static void test_max_record(void **state) {
    (void)state;
    static const size_t limits[] = {100, 40000};
    for (size_t e = 0; e < N_ENGINES; e++)
        for (size_t l = 0; l < 2; l++) {
            struct dp_buf b = {0};
            size_t limit = limits[l];
            static const int plus[] = {0, 1, 0, 100000, -1, 5};
            for (size_t i = 0; i < 6; i++) {
                for (size_t k = 0; k < 50000 * (i == 2); k++) dp_buf_addc(&b, ' ');
                add_record(&b, (size_t)((long)limit + plus[i]));
                dp_buf_addz(&b, i == 5 ? "" : i % 2 ? "\r\n" : "\n");
            }
            char *p = padded(b.p, b.n);
            struct dp_scan *s = dp_scan_open(limit, engines[e]);
            struct dp_record r;
            struct dp_err err = DP_ERR_INIT;
            dp_scan_begin(s, p, b.n);
            for (uint32_t i = 0; i < 6; i++) {
                assert_int_equal(dp_scan_next(s, &r, &err), plus[i] <= 0 ? DP_OK : DP_RECORD);
                assert_int_equal(r.raw_n, (long)limit + plus[i]);
                assert_int_equal(r.index, i);
                if (plus[i] <= 0) assert_int_equal(r.nodes[2].len, r.raw_n - 8);
                else assert_non_null(strstr(err.msg, "limit"));
            }
            assert_int_equal(dp_scan_next(s, &r, &err), DP_END);
            dp_scan_close(s);
            free(p);
            dp_buf_release(&b);
        }
}

/* ---- the tape holds everything ---- */

/* Prints the nodes as compact JSON; for text without blanks that is the text itself. */
static uint32_t print_node(const struct dp_record *r, uint32_t i, struct dp_buf *b) {
    const struct dp_node *n = &r->nodes[i];
    if (n->kind == DP_KIND_STRING) {
        dp_buf_addc(b, '"');
        dp_buf_adds(b, dp_node_str(r, i));
        dp_buf_addc(b, '"');
    } else if (n->kind == DP_KIND_OBJECT || n->kind == DP_KIND_ARRAY) {
        bool object = n->kind == DP_KIND_OBJECT;
        dp_buf_addc(b, object ? '{' : '[');
        for (uint32_t k = i + 1; k < n->next; k = r->nodes[k].next) {
            if (k > i + 1) dp_buf_addc(b, ',');
            assert_int_equal(r->nodes[k].depth, n->depth + 1);
            print_node(r, k, b);
            if (object) {
                assert_true(r->nodes[k].flags & DP_NODE_KEY);
                assert_int_equal(r->nodes[k].next, r->nodes[k + 1].next);
                dp_buf_addc(b, ':');
                print_node(r, k + 1, b);
            }
        }
        dp_buf_addc(b, object ? '}' : ']');
    } else {
        dp_buf_adds(b, dp_node_str(r, i));
    }
    return n->next;
}

static void test_round_trip(void **state) {
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/data/github/gh-first-1000.ndjson", shared());
    size_t n;
    char *p = slurp(path, &n);
    if (!p) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        struct dp_buf b = {0};
        struct dp_record r;
        struct dp_err err = DP_ERR_INIT;
        for (int round = 0; round < 2; round++) {
            dp_buf_reset(&b);
            dp_scan_begin(s, p, n);
            enum dp_status st;
            while ((st = dp_scan_next(s, &r, &err)) == DP_OK) {
                print_node(&r, 0, &b);
                dp_buf_addc(&b, '\n');
            }
            assert_int_equal(st, DP_END);
            assert_int_equal(b.n, n);
            assert_memory_equal(b.p, p, n);
        }
        dp_buf_release(&b);
        dp_scan_close(s);
    }
    free(p);
}

/* ---- the suite ---- */

static void check_case(const char *name, const char *p, size_t n) {
    char *text = padded(p, n);
    bool one_line = n && !memchr(p, '\n', n) && !memchr(p, 0, n);
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        struct dp_record r;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status st = dp_scan_value(s, text, n, &r, &err);
        if (name[0] == 'y' && st != DP_OK) fail_msg("%s refused: %s", name, err.msg);
        if (name[0] == 'n' && st != DP_RECORD) fail_msg("%s taken", name);
        if (one_line) {
            struct dp_buf b = {0};
            dp_buf_addz(&b, "{\"a\":");
            dp_buf_add(&b, p, n);
            dp_buf_addz(&b, "}\n{}");
            char *line = padded(b.p, b.n);
            for (int round = 0; round < 3; round++) {
                dp_scan_begin(s, line, b.n);
                enum dp_status in_line = dp_scan_next(s, &r, &err);
                /* two texts that close the wrapper are another text then */
                if (in_line != st && strcmp(name, "n_structure_object_followed_by_closing_object.json") != 0)
                    fail_msg("%s: alone %d, in a line %d %s", name, st, in_line, err.msg);
                assert_int_equal(dp_scan_next(s, &r, &err), DP_OK);
                assert_int_equal(dp_scan_next(s, &r, &err), DP_END);
            }
            free(line);
            dp_buf_release(&b);
        }
        dp_scan_close(s);
    }
    free(text);
}

static void test_suite(void **state) {
    (void)state;
    char dir[4000], path[4400];
    snprintf(dir, sizeof dir, "%s/corpus/json/JSONTestSuite/test_parsing", shared());
    DIR *d = opendir(dir);
    if (!d) {
        print_message("skipped: %s is not there\n", dir);
        skip();
    }
    unsigned count = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        size_t n;
        char *p = slurp(path, &n);
        assert_non_null(p);
        check_case(e->d_name, p, n);
        free(p);
        count++;
    }
    closedir(d);
    assert_true(count > 100);
}

/* ---- engines agree ---- */

static void same_result(struct dp_scan *a, struct dp_scan *b, const char *p, size_t n) {
    struct dp_record ra, rb;
    struct dp_err ea = DP_ERR_INIT, eb = DP_ERR_INIT;
    dp_scan_begin(a, p, n);
    dp_scan_begin(b, p, n);
    for (;;) {
        enum dp_status sa = dp_scan_next(a, &ra, &ea), sb = dp_scan_next(b, &rb, &eb);
        assert_int_equal(sa, sb);
        if (sa == DP_END) break;
        assert_int_equal(ra.index, rb.index);
        assert_int_equal(ra.line_off, rb.line_off);
        assert_ptr_equal(ra.raw, rb.raw);
        assert_int_equal(ra.raw_n, rb.raw_n);
        if (sa == DP_RECORD) {
            assert_string_equal(ea.msg, eb.msg);
            assert_int_equal(ea.offset, eb.offset);
            continue;
        }
        assert_int_equal(ra.n_nodes, rb.n_nodes);
        assert_int_equal(ra.n_members, rb.n_members);
        assert_int_equal(ra.same_keys, rb.same_keys);
        assert_int_equal(ra.duplicate_keys, rb.duplicate_keys);
        assert_int_equal(ra.dup_node, rb.dup_node);
        assert_memory_equal(ra.nodes, rb.nodes, ra.n_nodes * sizeof *ra.nodes);
    }
    enum dp_status sa = dp_scan_value(a, p, n, &ra, &ea), sb = dp_scan_value(b, p, n, &rb, &eb);
    assert_int_equal(sa, sb);
    if (sa == DP_OK) {
        assert_int_equal(ra.n_nodes, rb.n_nodes);
        assert_memory_equal(ra.nodes, rb.nodes, ra.n_nodes * sizeof *ra.nodes);
    } else {
        assert_string_equal(ea.msg, eb.msg);
        assert_int_equal(ea.offset, eb.offset);
    }
}

static uint64_t seed = 88172645463325252u;
static unsigned dice(unsigned n) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 32) % n;
}

/* Random edits of a text: bytes that matter, cuts, repeats. */
static size_t mutate(char *p, size_t n) {
    static const char bytes[] = "\"\"\"\\\\\n\n{}[]:,, \t\r0019-+.eEtrufalsn\x01\x1f\x7f\x80\xc3\xa4\xe2\xff/bu";
    unsigned edits = 1 + dice(8);
    for (unsigned i = 0; i < edits && n > 2; i++) {
        size_t at = dice((unsigned)n), len = 1 + dice(40);
        if (at + len > n) len = n - at;
        switch (dice(4)) {
        case 0: memmove(p + at, p + at + len, n - at - len), n -= len; break;
        case 1: memmove(p + at, p + dice((unsigned)(n - len + 1)), len); break;
        case 2: p[at] = (char)dice(256); break;
        default: p[at] = bytes[dice(sizeof bytes - 1)];
        }
    }
    return n;
}

static void agree_on(const char *text, size_t n, unsigned rounds, unsigned piece) {
    struct dp_scan *plain = dp_scan_open(4096, DP_SCAN_PORTABLE);
    struct dp_scan *other[N_ENGINES];
    for (size_t e = 0; e < N_ENGINES; e++) other[e] = dp_scan_open(4096, engines[e]);
    char *p = malloc(piece + DP_SCAN_PAD);
    for (unsigned i = 0; i < rounds; i++) {
        size_t take = n < piece ? n : piece, from = n > take ? dice((unsigned)(n - take)) : 0;
        memcpy(p, text + from, take);
        size_t len = i ? mutate(p, take) : take;
        memset(p + len, "\"\n\\5\x80"[dice(5)], DP_SCAN_PAD);
        for (size_t e = 0; e < N_ENGINES; e++) same_result(plain, other[e], p, len);
    }
    free(p);
    dp_scan_close(plain);
    for (size_t e = 0; e < N_ENGINES; e++) dp_scan_close(other[e]);
}

static void test_engines(void **state) {
    (void)state;
    struct dp_buf b = {0};
    for (unsigned i = 0; i < 3000; i++)
        dp_buf_addf(&b, "{\"id\":%u,\"name\":\"%s\",\"price\":%s%u.%u,\"tags\":[\"a\",\"b\\n\"],\"ok\":%s,\"in\":{\"x\":null,\"y\":1e-0%u}}%s", i,
                    i % 17 ? "abc def" : "\xc3\xa4\xe2\x82\xac", i % 3 ? "" : "-", i % 100, i % 7, i % 5 ? "true" : "false", i % 10,
                    i % 41 ? "\n" : "\r\n");
    agree_on(b.p, b.n, 1, (unsigned)b.n);
    agree_on(b.p, b.n, 1500, 700);
    agree_on(b.p, b.n, 20, 60000);
    dp_buf_release(&b);
    char path[4096];
    snprintf(path, sizeof path, "%s/data/github/gh-first-1000.ndjson", shared());
    size_t n;
    char *p = slurp(path, &n);
    if (!p) {
        print_message("skipped: %s is not there\n", path);
        return;
    }
    agree_on(p, n, 1, (unsigned)n);
    agree_on(p, n, 600, 9000);
    free(p);
}

/* ---- records that are not asked for ---- */

/* Is the top-level field "c" the string "DE"?  The first of equal keys counts. */
static bool is_wanted(const struct dp_record *r) {
    uint32_t v = dp_json_member(r, 0, "c");
    return v && r->nodes[v].kind == DP_KIND_STRING && dp_json_equal(dp_node_str(r, v), r->nodes[v].flags, DP_STR("DE"));
}

/* A scanner that skips gives the same lines, the same errors, and the same nodes of what it does not skip. */
static size_t same_but_skipped(struct dp_scan *all, struct dp_scan *some, const char *p, size_t n) {
    struct dp_record ra, rb;
    struct dp_err ea = DP_ERR_INIT, eb = DP_ERR_INIT;
    size_t skipped = 0;
    dp_scan_begin(all, p, n);
    dp_scan_begin(some, p, n);
    for (;;) {
        enum dp_status sa = dp_scan_next(all, &ra, &ea), sb = dp_scan_next(some, &rb, &eb);
        assert_int_equal(sa, sb);
        if (sa == DP_END) return skipped;
        assert_int_equal(ra.index, rb.index);
        assert_int_equal(ra.line_off, rb.line_off);
        assert_ptr_equal(ra.raw, rb.raw);
        assert_int_equal(ra.raw_n, rb.raw_n);
        if (sa == DP_RECORD) {
            assert_string_equal(ea.msg, eb.msg);
            assert_int_equal(ea.offset, eb.offset);
            continue;
        }
        assert_int_equal(ra.same_keys, rb.same_keys);
        assert_int_equal(ra.n_members, rb.n_members);
        assert_int_equal(ra.duplicate_keys, rb.duplicate_keys);
        assert_false(ra.skipped);
        if (rb.skipped) {
            skipped++;
            assert_false(is_wanted(&ra));
            assert_false(ra.duplicate_keys);
            continue;
        }
        assert_int_equal(ra.n_nodes, rb.n_nodes);
        assert_memory_equal(ra.nodes, rb.nodes, ra.n_nodes * sizeof *ra.nodes);
    }
}

static void test_need(void **state) {
    static const char *const values[] = {"\"DE\"", "\"FR\"", "\"D\\u0045\"", "null", "17", "\"\"", "\"\xc3\xa4\"", "\"GB\"", "{\"c\":\"DE\"}", "[\"DE\"]"};
    static const char *const forms[] = {"{\"a\":%u,\"c\":%s,\"in\":{\"c\":\"DE\"}}\n", "{\"a\":%u,\"c\":%s,\"in\":{\"c\":\"DE\"}}\n",
                                        "{\"b\":%u,\"\\u0063\":%s}\n", "{\"a\":%u,\"in\":%s}\r\n", "{\"c\":%u,\"c\":%s}\n", "{\"a\":%u \"c\":%s}\n"};
    struct dp_buf b = {0};
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        char line[200];
        const char *v = values[dice(3) ? dice(2) : dice(sizeof values / sizeof values[0])];
        (void)snprintf(line, sizeof line, forms[dice(8) ? 0 : dice(sizeof forms / sizeof forms[0])], dice(100), v);
        dp_buf_addz(&b, line);
    }
    char *p = malloc(b.n + DP_SCAN_PAD);
    for (size_t e = 0; e < N_ENGINES; e++) {
        struct dp_scan *all = dp_scan_open(4096, DP_SCAN_PORTABLE), *some = dp_scan_open(4096, engines[e]);
        dp_scan_need(some, DP_STR("c"), DP_STR("DE"));
        char *whole = padded(b.p, b.n);
        assert_true(same_but_skipped(all, some, whole, b.n) > 1000);
        free(whole);
        for (unsigned i = 0; i < 600; i++) {
            size_t take = 1500, from = dice((unsigned)(b.n - take));
            memcpy(p, b.p + from, take);
            size_t n = mutate(p, take);
            memset(p + n, "\"\n\\5\x80"[dice(5)], DP_SCAN_PAD);
            (void)same_but_skipped(all, some, p, n);
        }
        dp_scan_close(all);
        dp_scan_close(some);
    }
    free(p);
    dp_buf_release(&b);
}

/* ---- text ---- */

static void test_decode(void **state) {
    (void)state;
    static const struct { const char *raw, *text; size_t length; } cases[] = {
        {"", "", 0},
        {"abc", "abc", 3},
        {"a\\n\\t\\\"\\\\\\/\\b\\f\\r", "a\n\t\"\\/\b\f\r", 9},
        {"\\u00e4\\u20ac\\u0041", "\xc3\xa4\xe2\x82\xac" "A", 3},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", 1},
        {"\\ud83d", "\xef\xbf\xbd", 1},
        {"\\ude00x", "\xef\xbf\xbdx", 2},
        {"\\ud83d\\u0041", "\xef\xbf\xbd" "A", 2},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 2},
        {"\xc3\xa4\\uD83D\\uDE00", "\xc3\xa4\xf0\x9f\x98\x80", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_buf b = {0};
        struct dp_str raw = dp_str_z(cases[i].raw), text = dp_str_z(cases[i].text);
        uint8_t flags = strchr(cases[i].raw, '\\') ? DP_NODE_ESCAPED : 0;
        dp_json_decode(raw, &b);
        assert_true(dp_str_eq(dp_buf_str(&b), text));
        assert_true(dp_json_equal(raw, flags, text));
        assert_false(dp_json_equal(raw, flags, dp_str_z("other")));
        if (text.n) assert_false(dp_json_equal(raw, flags, dp_str(text.p, text.n - 1)));
        assert_int_equal(dp_json_length(raw, flags), cases[i].length);
        dp_buf_release(&b);
    }
}

/* By the table of the Unicode standard (well-formed byte sequences), written independently of the code. */
static bool plain_utf8(const unsigned char *p, size_t n, size_t *bad) {
    for (size_t i = 0; i < n;) {
        uint32_t c = p[i];
        unsigned len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
        bool ok = len != 0 && len <= n - i;
        uint32_t v = len == 2 ? c & 31 : len == 3 ? c & 15 : len == 4 ? c & 7 : c;
        for (unsigned k = 1; ok && k < len; k++) {
            ok = p[i + k] >> 6 == 2;
            v = v << 6 | (p[i + k] & 63);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (ok && (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))) ok = false;
        if (!ok) {
            *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

static void test_utf8(void **state) {
    (void)state;
    unsigned char text[400];
    for (unsigned round = 0; round < 40000; round++) {
        size_t n = dice(300), bad = 0, want = 0;
        static const unsigned char some[] = {0x80, 0xbf, 0x9f, 0xa0, 0x8f, 0x90, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
        for (size_t i = 0; i < n;) { /* valid characters of all lengths */
            static const char *const chars[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
            const char *c = chars[dice(6)];
            if (round % 5 == 0) c = "a";
            for (; *c && i < n; c++) text[i++] = (unsigned char)*c;
        }
        if (n && round % 3) text[dice((unsigned)n)] = some[dice(sizeof some)];
        bool ok = plain_utf8(text, n, &want);
        char *copy = malloc(n ? n : 1); /* no pad here: the sanitizer watches the end */
        memcpy(copy, text, n);
        if (dp_utf8_valid(copy, n, &bad) != ok || (!ok && bad != want)) fail_msg("round %u: byte %zu, expected %zu", round, bad, want);
        bool ascii = true;
        for (size_t i = 0; i < n; i++) ascii = ascii && text[i] < 0x80;
        assert_int_equal(dp_is_ascii(copy, n), ascii);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_nodes),      cmocka_unit_test(test_ends),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_many_keys),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_max_record), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_suite),
        cmocka_unit_test(test_engines),    cmocka_unit_test(test_need),
        cmocka_unit_test(test_decode),     cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

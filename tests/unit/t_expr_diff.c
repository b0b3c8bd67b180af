/*
 * 10,000 generated expressions, compiled here and in jq itself (libjq, without our rewriting), over awkward records.  Each
 * difference must follow from a rule below that bears a name of the list in dp/record/expr.h; the counts are printed.
 *
 * jq gets a batch of expressions as one program, each twice: as it is, and with null-safe orderings and with `?` that
 * catches its own body only (those two differences are then exact).  The numeric ones are told apart by running both sides on
 * the record again with its numbers respelled as jq reads them, and with small whole numbers in their place.
 * jq binds each of its own functions through the whole of a program: a larger batch pays its library less often, a smaller one stays in
 * the cache.
 */
#include "../../lib/record/expr_priv.h"
#include "dpt.h"

#include <dlfcn.h>
#include <dp/base/decimal.h>
#include <math.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARES 4 /* processes, each with a seed of its own: jq's compiler is what takes the time */
#define BATCHES 25
#define PER_BATCH 100
#define RECORDS 3 /* for each batch */

enum diff { SAME, EXACT_NUMBER, EXACT_ARITH, NULL_ORDER, SPELLING, RANGE, OWN_ERRORS, DUPLICATE_KEY, SURROGATE, TONUMBER, DATES, SEARCH, NULL_ERROR, UNNAMED, N_DIFF };
static const char *const diff_names[] = {"the same", "exact-compare", "exact-arith", "null-order", "spelling", "range", "own-errors",
                                         "duplicate-key", "surrogate", "tonumber", "dates", "search", "null-error", "NOT NAMED"};

static uint64_t seed = 0x9e3779b97f4a7c15u;
static unsigned pick(unsigned n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

#define PICK(list) list[pick(sizeof list / sizeof list[0])]

/* ---- expressions ---- */

struct text {
    struct dp_buf raw, safe; /* as it is; with safe orderings and `?` */
};

static void put(struct text *t, const char *s) {
    dp_buf_addz(&t->raw, s);
    dp_buf_addz(&t->safe, s);
}

static void gen(struct text *t, int depth);

static void gen_two(struct text *t, int depth, const char *before, const char *between, const char *after) {
    put(t, before);
    gen(t, depth - 1);
    put(t, between);
    gen(t, depth - 1);
    put(t, after);
}

static void gen_leaf(struct text *t) {
    static const char *const leaves[] = {".", ".a", ".b", ".c", ".n", ".m", ".s", ".t", ".o", ".o.x", ".o.y", ".l", ".l[0]", ".l[-1]", ".zz",
                                         ".[\"odd key\"]", ".\"\\u00e9\"", "null", "true", "false", "0", "1", "2", "-1", "1.5", "100", "\"a\"",
                                         "\"\"", "\"\\u00e9\\n\"", "[]", "{}", "[1, 2]", "{\"a\": 1}", "\"x,y\"", ".a.b?", ".l[1:]", ".s[:1]"};
    put(t, PICK(leaves));
}

static void gen_order(struct text *t, int depth) {
    static const char *const ops[][2] = {{" < ", "lt("}, {" <= ", "le("}, {" > ", "gt("}, {" >= ", "ge("}};
    unsigned k = pick(4);
    struct text a = {0}, b = {0};
    gen(&a, depth - 1);
    gen(&b, depth - 1);
    dp_buf_addf(&t->raw, "(%s", dp_buf_z(&a.raw));
    dp_buf_addf(&t->raw, "%s%s)", ops[k][0], dp_buf_z(&b.raw));
    dp_buf_addf(&t->safe, "%s", ops[k][1]);
    dp_buf_addf(&t->safe, "%s", dp_buf_z(&a.safe));
    dp_buf_addf(&t->safe, ";%s)", dp_buf_z(&b.safe));
    dp_buf_release(&a.raw), dp_buf_release(&a.safe), dp_buf_release(&b.raw), dp_buf_release(&b.safe);
}

/* Without todate: jq 1.6 dies of times that its calendar does not hold. */
static void gen_call(struct text *t, int depth) {
    static const char *const plain[] = {"length", "not", "type", "keys", "to_entries", "tostring", "tojson", "tonumber", "floor", "ceil", "round",
                                        "fabs", "add", "any", "all", "first", "last", "min", "max", "sort", "unique", "reverse", "ascii_downcase",
                                        "ascii_upcase", "values", "nulls", "strings", "numbers", "arrays", "objects", "scalars", "iterables", "booleans",
                                        "fromdate", "empty", "error", "keys_unsorted", "@json", "@text"};
    static const char *const with[] = {"has", "contains", "inside", "startswith", "endswith", "ltrimstr", "rtrimstr", "split", "join", "select", "map",
                                       "any", "all", "first", "IN", "map_values", "in"};
    static const char *const fixed[] = {"test(\"a\")", "test(\"^[0-9]+$\")", "del(.a)", "del(.o.x, .b)", "del(.l[0])", "error(\"x\")", "split(\",\")", "join(\"-\")"};
    put(t, "(");
    if (pick(3)) {
        gen(t, depth - 1);
    } else { /* records have few arrays of several values */
        put(t, pick(2) ? "[3, " : "[\"b,a\", ");
        gen_leaf(t);
        put(t, ", ");
        gen_leaf(t);
        put(t, "]");
    }
    put(t, " | ");
    unsigned k = pick(8);
    if (k < 4) {
        put(t, PICK(plain));
    } else if (k < 7) {
        put(t, PICK(with));
        put(t, "(");
        gen(t, depth - 2);
        put(t, ")");
    } else {
        put(t, PICK(fixed));
    }
    put(t, ")");
}

/* What meets a named difference too seldom by chance. */
static void gen_aimed(struct text *t) {
    static const char *const aimed[] = {"(.s | tonumber)", "(.t | tonumber)", "(.a | tonumber)", "(.t | fromdate)", "(.s | fromdate)", "(.b | fromdate)",
                                        ".l[.l]", ".l[.o]", ".a[.b]", "(1425599621 | todate)", "(1425599621.5 | todate)", "(-1 | todate)",
                                        "(null | error)", "[.[]] | length", "(.l | length)"};
    const char *s = PICK(aimed);
    put(t, "(");
    put(t, s);
    put(t, ")");
}

static void gen_assign(struct text *t, int depth) {
    static const char *const paths[] = {".a", ".b.c", ".o.x", ".l[0]", ".l[]", ".new", ".o", "(.l[] | select(. == 1))", ".[\"odd key\"]"};
    static const char *const ops[] = {" = ", " |= ", " += ", " -= ", " *= ", " //= ", " /= "};
    put(t, "(");
    put(t, PICK(paths));
    put(t, PICK(ops));
    gen_two(t, depth - 1, "(", " // ", "))");
}

static void gen_try(struct text *t, int depth) {
    struct text a = {0};
    gen(&a, depth - 1);
    dp_buf_addf(&t->raw, "(%s", dp_buf_z(&a.raw));
    dp_buf_addz(&t->raw, ")?");
    dp_buf_addf(&t->safe, "([(%s", dp_buf_z(&a.safe));
    dp_buf_addz(&t->safe, ")?][])");
    dp_buf_release(&a.raw), dp_buf_release(&a.safe);
}

static void gen(struct text *t, int depth) {
    static const char *const arith[] = {" + ", " - ", " * ", " / "};
    if (depth <= 0) {
        gen_leaf(t);
        return;
    }
    switch (pick(24)) {
    case 23: gen_aimed(t); return;
    case 0: gen_leaf(t); return;
    case 1: /* constants only on the right: jq 1.6 dies of the smallest integer % -1 */
        put(t, "(");
        gen(t, depth - 1);
        put(t, pick(2) ? " % 7)" : " % -2)");
        return;
    case 2:
    case 3: gen_two(t, depth, "(", PICK(arith), ")"); return;
    case 4: gen_two(t, depth, "(", " == ", ")"); return;
    case 5: gen_two(t, depth, "(", " != ", ")"); return;
    case 6: gen_order(t, depth); return;
    case 7: gen_two(t, depth, "(", " and ", ")"); return;
    case 8: gen_two(t, depth, "(", " or ", ")"); return;
    case 9: gen_two(t, depth, "(", " // ", ")"); return;
    case 10: gen_two(t, depth, "(", " | ", ")"); return;
    case 11: gen_two(t, depth, "(", ", ", ")"); return;
    case 12: gen_two(t, depth, "[", ", ", "]"); return;
    case 13: gen_two(t, depth, "{a: (", "), \"k\": (", ")}"); return;
    case 14: gen_two(t, depth, "(if ", " then . else ", " end)"); return;
    case 15: gen_two(t, depth, "((", ") as $x | [$x, ", "])"); return;
    case 16: gen_two(t, depth, "((", ")[]? | (", "))"); return;
    case 17: gen_assign(t, depth); return;
    case 18: gen_try(t, depth); return;
    default: gen_call(t, depth); return;
    }
}

/* ---- records ---- */

/* n levels; jq counts an object as two and reads 256. */
static void deep(struct dp_buf *b, int n) {
    for (int i = 0; i < n; i++) dp_buf_addz(b, i % 10 ? "[" : "{\"x\":");
    dp_buf_addz(b, "1");
    for (int i = n; i--;) dp_buf_addz(b, i % 10 ? "]" : "}");
}

/* How a record differs from a tame one. */
struct rec {
    struct dp_buf text;   /* as it is */
    struct dp_buf spelled; /* numbers as jq reads them, halves of surrogate pairs as U+FFFD */
    struct dp_buf tame;   /* small whole numbers */
    bool duplicate, surrogate, deep, missing;
};

static void put_number(struct rec *r, const char *s) {
    double d = strtod(s, NULL);
    char text[32];
    dp_buf_addz(&r->text, s);
    if (!isfinite(d)) d = copysign(1.7976931348623157e308, d);
    if (d == floor(d) && fabs(d) < 1e17) snprintf(text, sizeof text, "%.0f", d);
    else text[dp_print_double(text, d)] = 0;
    dp_buf_addz(&r->spelled, text);
    snprintf(text, sizeof text, "%d", d == 0 ? 0 : (int)fmod(floor(fabs(d)), 90) + 1);
    dp_buf_addz(&r->tame, text);
}

static void put_all(struct rec *r, const char *s) {
    dp_buf_addz(&r->text, s);
    dp_buf_addz(&r->spelled, s);
    dp_buf_addz(&r->tame, s);
}

static void put_value(struct rec *r, int depth) {
    static const char *const numbers[] = {"9007199254740993", "1.10", "-0", "1e400", "0", "1", "2", "-1", "1.5", "0.1", "1e3", "123456789012345678901234567890",
                                          "1E-3", "-2.50", "100", "0.30000000000000004", "1e17", "9007199254740992", "3"};
    static const char *const others[] = {"null", "true", "false", "\"\"", "\"a\"", "\"x,y,\"", "\"\\u0041\\/\"", "\"\\ud83d\\ude00\\n\\\"\"", "\"\\u0000\"",
                                         "\"7\"", "\" 7\"", "\"1.10\"", "\"2015-03-05T23:51:47Z\"", "\"2015-03-05T23:51:47.5+01:00\"", "\"\xc3\xa9\"", "[]", "{}",
                                         "\"nan\"", "\"b\\u0000c\""};
    switch (pick(depth > 0 ? 12 : 9)) {
    case 0:
    case 1:
    case 2:
    case 3: put_number(r, PICK(numbers)); return;
    case 9:
        put_all(r, "[");
        for (unsigned i = pick(4); i > 0; i--) {
            put_value(r, depth - 1);
            put_all(r, i > 1 ? " , " : "");
        }
        put_all(r, "]");
        return;
    case 10:
        put_all(r, "{\"x\": ");
        put_value(r, depth - 1);
        put_all(r, ",\"y\" :");
        put_value(r, depth - 1);
        put_all(r, "}");
        return;
    case 11:
        if (pick(6) == 0) {
            struct dp_buf b = {0};
            deep(&b, 200);
            r->deep = true;
            put_all(r, dp_buf_z(&b));
            dp_buf_release(&b);
            return;
        }
        put_all(r, "[1,2,3]");
        return;
    default: put_all(r, PICK(others)); return;
    }
}

static void make_record(struct rec *r) {
    static const char *const keys[] = {"a", "b", "c", "n", "m", "s", "t", "o", "l", "odd key", "\\u00e9", "\\u007a"};
    put_all(r, "{");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (pick(6) == 0) {
            r->missing = true;
            continue;
        }
        put_all(r, "\"");
        put_all(r, keys[i]);
        put_all(r, "\":");
        put_value(r, 3);
        put_all(r, ",");
    }
    if (pick(12) == 0) {
        r->surrogate = true;
        dp_buf_addz(&r->text, "\"h\":\"\\ud800\\ud800\",");
        dp_buf_addz(&r->spelled, "\"h\":\"\\ufffd\\ufffd\",");
        dp_buf_addz(&r->tame, "\"h\":\"\\ufffd\\ufffd\",");
    }
    if (pick(12) == 0) {
        r->duplicate = true;
        put_all(r, "\"q\":1,\"\\u0071\":2,");
    }
    put_all(r, "\"end\": null }");
}

/* ---- comparing ---- */

struct doc {
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record r;
};

static bool parse(struct doc *d, struct dp_str text) {
    struct dp_err err = DP_ERR_INIT;
    if (!d->scan) d->scan = dp_scan_open(0, DP_SCAN_AUTO);
    dp_buf_reset(&d->text);
    dp_buf_adds(&d->text, text);
    memset(dp_buf_reserve(&d->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    return dp_scan_value(d->scan, d->text.p, d->text.n, &d->r, &err) == DP_OK;
}

static bool near(double a, double b) { return a == b || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)); }

/* Equal texts but for the spelling of numbers in them. */
static bool same_text(struct dp_str a, struct dp_str b) {
    size_t i = 0, j = 0;
    static const char digits[] = "0123456789+-.eE";
    char x[64], y[64];
    while (i < a.n && j < b.n) {
        if (a.p[i] == b.p[j] && !memchr(digits, a.p[i], 15)) {
            i++, j++;
            continue;
        }
        size_t n = 0, m = 0;
        while (i < a.n && n < 63 && a.p[i] && memchr(digits, a.p[i], 15)) x[n++] = a.p[i++];
        while (j < b.n && m < 63 && b.p[j] && memchr(digits, b.p[j], 15)) y[m++] = b.p[j++];
        if (!n || !m) return false;
        x[n] = y[m] = 0;
        if (strcmp(x, y) && !near(strtod(x, NULL), strtod(y, NULL))) return false;
    }
    return i == a.n && j == b.n;
}

static bool same(const struct dp_record *a, uint32_t i, const struct dp_record *b, uint32_t j, bool loose) {
    const struct dp_node *x = &a->nodes[i], *y = &b->nodes[j];
    if (x->kind != y->kind) return false;
    if (x->kind == DP_KIND_NUMBER) {
        if (!loose) return dp_number_cmp(dp_node_str(a, i), dp_node_str(b, j)) == 0;
        double u = 0, v = 0;
        return dp_parse_double(dp_node_str(a, i), &u) && dp_parse_double(dp_node_str(b, j), &v) && near(u, v);
    }
    if (x->kind == DP_KIND_STRING) {
        struct dp_buf u = {0}, v = {0};
        dp_json_decode(dp_node_str(a, i), &u);
        dp_json_decode(dp_node_str(b, j), &v);
        bool eq = loose ? same_text(dp_buf_str(&u), dp_buf_str(&v)) : dp_str_eq(dp_buf_str(&u), dp_buf_str(&v));
        if (loose && !eq) { /* JSON in a string: its escapes may be spelled otherwise */
            struct dp_buf p = {0}, q = {0};
            dp_json_decode(dp_buf_str(&u), &p);
            dp_json_decode(dp_buf_str(&v), &q);
            eq = same_text(dp_buf_str(&p), dp_buf_str(&q));
            dp_buf_release(&p), dp_buf_release(&q);
        }
        dp_buf_release(&u), dp_buf_release(&v);
        return eq;
    }
    if (x->kind < DP_KIND_OBJECT) return true;
    bool object = x->kind == DP_KIND_OBJECT;
    uint32_t p = i + 1, q = j + 1;
    while (p < x->next && q < y->next) {
        if (object && !same(a, p, b, q, loose)) return false; /* the order of keys too */
        if (!same(a, p + object, b, q + object, loose)) return false;
        p = a->nodes[p].next, q = b->nodes[q].next;
    }
    return p >= x->next && q >= y->next;
}

/* ---- the two sides ---- */

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

struct side {
    bool failed;
    struct dp_buf text; /* JSON array of the outputs */
    char message[512];
};

static void run_compiled(struct dp_expr_run *run, const char *record, struct doc *d, struct side *s) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf out = {0};
    dp_buf_reset(&s->text);
    assert_true(parse(d, dp_str_z(record)));
    s->failed = dp_expr_apply(run, &d->r, &out, NULL, &err) != DP_OK;
    snprintf(s->message, sizeof s->message, "%s", s->failed ? err.msg : "");
    dp_buf_addc(&s->text, '[');
    for (size_t i = 0; i + 1 < out.n; i++) dp_buf_addc(&s->text, out.p[i] == '\n' ? ',' : out.p[i]);
    dp_buf_addc(&s->text, ']');
    dp_buf_release(&out);
}

struct batch {
    struct text programs[PER_BATCH];
    struct dp_expr *e[PER_BATCH];
    struct dp_expr_run *run[PER_BATCH];
    struct dp_jq *jq;
    struct side j[2 * PER_BATCH], tame[2 * PER_BATCH];
};

/* One line for each expression and form: "E" or the JSON text of [outputs] as a string. */
static size_t run_jq(struct batch *b, const char *record, struct doc *d, struct side *sides) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf out = {0};
    size_t n = 0, k = 0;
    assert_true(parse(d, dp_str_z(record)));
    if (dp_jq_apply(b->jq, &d->r, false, &out, &n, &err) != DP_OK) {
        if (!has(err.msg, "urrogate")) fail_msg("jq: %s over %s", err.msg, record);
        n = 0;
    }
    for (size_t at = 0; n && at < out.n; k++) {
        const char *end = memchr(out.p + at, '\n', out.n - at);
        dp_buf_reset(&sides[k].text);
        dp_json_decode(dp_str(out.p + at + 1, (size_t)(end - (out.p + at)) - 2), &sides[k].text);
        sides[k].failed = sides[k].text.n == 1;
        at = (size_t)(end - out.p) + 1;
        const struct text *t = &b->programs[k / 2];
        if (k % 2 == 0 && dp_str_eq(dp_buf_str(&t->raw), dp_buf_str(&t->safe))) {
            k++;
            dp_buf_reset(&sides[k].text);
            dp_buf_adds(&sides[k].text, dp_buf_str(&sides[k - 1].text));
            sides[k].failed = sides[k - 1].failed;
        }
    }
    dp_buf_release(&out);
    if (n) assert_int_equal(k, 2 * PER_BATCH);
    return n;
}

static bool agree(const struct side *a, const struct side *b, bool loose) {
    static struct doc x, y;
    if (a->failed || b->failed) return a->failed == b->failed;
    if (!parse(&x, dp_buf_str(&a->text)) || !parse(&y, dp_buf_str(&b->text))) return false;
    return same(&x.r, 0, &y.r, 0, loose);
}

/* Why do the compiled result and jq's (with safe orderings) differ? */
static enum diff classify(const char *program, const struct side *c, const struct side *j, const struct side *c_spelled, const struct side *c_tame,
                          const struct side *j_tame) {
    bool texts = has(program, "tostring") || has(program, "tojson") || has(program, "join") || has(program, "@json") || has(program, "@text");
    bool arith = has(program, " + ") || has(program, " - ") || has(program, " * ") || has(program, " / ") || has(program, " % ") ||
                 has(program, "add") || has(program, "+=") || has(program, "-=") || has(program, "*=") || has(program, "/=") || has(program, "%=");
    if (agree(c, j, false)) return SAME;
    if (c->failed && has(c->message, "out of range")) return RANGE;
    if (c->failed && has(c->message, "a string cannot be read as a number")) return TONUMBER;
    if (c->failed && has(c->message, "is not an index")) return SEARCH;
    if (has(program, ")?") && (has(program, ".l[.l]") || has(program, ".l[.o]") || has(program, ".a[.b]"))) return SEARCH; /* and the error was caught */
    if (c->failed && has(c->message, "no string") && has(program, "error")) return NULL_ERROR;
    if (has(program, "fromdate") || has(program, "todate")) return DATES;
    if (agree(c, j, true)) return texts ? SPELLING : arith ? EXACT_ARITH : EXACT_NUMBER;
    if (agree(c_spelled, j, false)) return texts ? SPELLING : EXACT_NUMBER;
    if (agree(c_tame, j_tame, true)) return texts ? SPELLING : arith ? EXACT_ARITH : EXACT_NUMBER;
    if (c_spelled->failed && has(c_spelled->message, "out of range")) return RANGE;
    return UNNAMED;
}

static const char prelude[] = "def lt(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a < $b end;"
                              "def le(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a <= $b end;"
                              "def gt(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a > $b end;"
                              "def ge(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a >= $b end;"
                              "def T(f): try ([f] | tojson) catch \"E\";";


/* Expressions that jq refuses when it folds constants are left out, as both sides then err at different times. */
static bool usable(const char *program) { return !has(program, "0 / 0") && !has(program, "/ 0)") && !has(program, "% 0)"); }

static void open_batch(struct batch *b) {
    static const int depths[] = {1, 1, 1, 2, 2, 3}; /* jq compiles in the square of a program's size */
    struct dp_buf all = {0};
    struct dp_err err = DP_ERR_INIT;
    dp_buf_addz(&all, prelude);
    for (size_t i = 0; i < PER_BATCH;) {
        struct text *t = &b->programs[i];
        dp_buf_reset(&t->raw), dp_buf_reset(&t->safe);
        gen(t, PICK(depths));
        enum dp_status status = usable(dp_buf_z(&t->raw)) ? dp_expr_compile(dp_buf_str(&t->raw), &b->e[i], &err) : DP_END;
        if (status != DP_OK && status != DP_END) fail_msg("%s: %s", dp_buf_z(&t->raw), err.msg);
        if (status != DP_OK) continue;
        if (!dp_expr_is_compiled(b->e[i])) { /* a computed path, several outputs in map_values */
            dp_expr_free(b->e[i]);
            continue;
        }
        b->run[i] = dp_expr_run_open(b->e[i]);
        dp_buf_addz(&all, i ? ", T(" : "T(");
        dp_buf_adds(&all, dp_buf_str(&t->raw));
        dp_buf_addz(&all, ")");
        if (!dp_str_eq(dp_buf_str(&t->raw), dp_buf_str(&t->safe))) { /* else one result serves for both */
            dp_buf_addz(&all, ", T(");
            dp_buf_adds(&all, dp_buf_str(&t->safe));
            dp_buf_addz(&all, ")");
        }
        dp_buf_addz(&all, "\n");
        i++;
    }
    if (dp_jq_open(dp_buf_z(&all), &b->jq, &err) != DP_OK) fail_msg("jq: %s", err.msg);
    dp_buf_release(&all);
}

static void close_batch(struct batch *b) {
    dp_jq_close(b->jq);
    for (size_t i = 0; i < PER_BATCH; i++) {
        dp_expr_run_close(b->run[i]);
        dp_expr_free(b->e[i]);
    }
}

/* What all the processes count together. */
struct tally {
    uint64_t diffs[N_DIFF];
    uint64_t deep, missing, duplicate, surrogate; /* records */
};

static void compare_record(struct batch *b, struct rec *r, struct doc *d, uint64_t *counts) {
    struct side c = {0}, spelled = {0}, tame = {0};
    const char *text = dp_buf_z(&r->text);
    bool jq_reads = run_jq(b, text, d, b->j) > 0;
    if (!jq_reads) { /* then jq gets the record that it would read if it read surrogates as we do */
        assert_true(r->surrogate);
        assert_true(run_jq(b, dp_buf_z(&r->spelled), d, b->j) > 0);
    }
    assert_true(run_jq(b, dp_buf_z(&r->tame), d, b->tame) > 0);
    for (size_t i = 0; i < PER_BATCH; i++) {
        const char *program = dp_buf_z(&b->programs[i].raw);
        const struct side *raw = &b->j[2 * i], *safe = &b->j[2 * i + 1];
        run_compiled(b->run[i], text, d, &c);
        if (r->duplicate) {
            assert_true(c.failed && has(c.message, "twice"));
            counts[DUPLICATE_KEY]++;
            continue;
        }
        if (!jq_reads) counts[SURROGATE]++;
        enum diff k = SAME;
        if (!agree(&c, safe, false)) {
            run_compiled(b->run[i], dp_buf_z(&r->spelled), d, &spelled);
            run_compiled(b->run[i], dp_buf_z(&r->tame), d, &tame);
            k = classify(program, &c, safe, &spelled, &tame, &b->tame[2 * i + 1]);
        }
        counts[k]++;
        if (!agree(raw, safe, false)) {
            bool orders = has(program, " < ") || has(program, " <= ") || has(program, " > ") || has(program, " >= ");
            counts[orders ? NULL_ORDER : has(program, ")?") ? OWN_ERRORS : UNNAMED]++;
        }
        if (k == UNNAMED && counts[UNNAMED] <= 10)
            printf("%s\n  over %s\n  compiled %s%s\n  jq       %s\n", program, text, dp_buf_z(&c.text), c.message, dp_buf_z((struct dp_buf *)&safe->text));
    }
    dp_buf_release(&c.text), dp_buf_release(&spelled.text), dp_buf_release(&tame.text);
}

static bool have_libjq(void) {
    void *lib = dlopen("libjq.so.1", RTLD_NOW | RTLD_NODELETE);
    if (lib) dlclose(lib);
    return lib != NULL;
}

static void run_share(struct tally *t) {
    static struct batch b;
    struct doc d = {0};
    for (int i = 0; i < BATCHES; i++) {
        open_batch(&b);
        for (int k = 0; k < RECORDS; k++) {
            struct rec r = {0};
            make_record(&r);
            compare_record(&b, &r, &d, t->diffs);
            t->deep += r.deep, t->missing += r.missing, t->duplicate += r.duplicate, t->surrogate += r.surrogate;
            dp_buf_release(&r.text), dp_buf_release(&r.spelled), dp_buf_release(&r.tame);
        }
        close_batch(&b);
    }
    dp_scan_close(d.scan);
    dp_buf_release(&d.text);
}

static void start_share(struct tally *t, unsigned share) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid) return;
    seed += share * 0xda942042e4dd58b5u;
    run_share(t); /* a failed assertion ends this process by its own summary, with a code that is not 0 */
    fflush(NULL);
    _exit(0);
}

static void print_tally(const struct tally *t) {
    print_message("%d expressions over %d records each:\n", SHARES * BATCHES * PER_BATCH, RECORDS);
    for (int k = 0; k < N_DIFF; k++) print_message("%10llu %s\n", (unsigned long long)t->diffs[k], diff_names[k]);
    print_message("records: %llu with a value 200 deep, %llu with keys missing, %llu with a key twice, %llu with half a surrogate pair\n",
                  (unsigned long long)t->deep, (unsigned long long)t->missing, (unsigned long long)t->duplicate, (unsigned long long)t->surrogate);
}

static void test_against_jq(void **state) {
    (void)state;
    if (!have_libjq()) {
        print_message("SKIP: libjq is not there\n");
        skip();
    }
    struct tally *shares = mmap(NULL, SHARES * sizeof *shares, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), all = {0};
    assert_true(shares != MAP_FAILED);
    for (unsigned i = 0; i < SHARES; i++) start_share(&shares[i], i);
    int status, bad = 0;
    while (wait(&status) > 0) bad += status != 0;
    for (unsigned i = 0; i < SHARES; i++) {
        for (int k = 0; k < N_DIFF; k++) all.diffs[k] += shares[i].diffs[k];
        all.deep += shares[i].deep, all.missing += shares[i].missing, all.duplicate += shares[i].duplicate, all.surrogate += shares[i].surrogate;
    }
    munmap(shares, SHARES * sizeof *shares);
    print_tally(&all);
    assert_int_equal(bad, 0);
    assert_int_equal(all.diffs[UNNAMED], 0);
    assert_true(all.diffs[SAME] > 2 * SHARES * BATCHES * PER_BATCH);
    for (int k = 0; k < UNNAMED; k++)
        if (!all.diffs[k]) fail_msg("no case of %s", diff_names[k]);
    assert_true(all.deep && all.missing && all.duplicate && all.surrogate);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_jq)};
    return cmocka_run_group_tests_name("expr_diff", tests, NULL, NULL);
}

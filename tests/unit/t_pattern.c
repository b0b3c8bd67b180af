/* Patterns of contracts: ECMA's sense where PCRE2's differs, what is refused and how, plain patterns against PCRE2, and the match limit. */
#include <dp/base/limits.h>

#include "dpt.h"

#include "../../lib/rules/pattern_priv.h"
#include <dp/rules/pattern.h>

static bool matches(struct dp_pattern *p, struct dp_str text) {
    struct dp_pattern_run *r = dp_pattern_run_open();
    struct dp_err err = DP_ERR_INIT;
    bool yes = false;
    assert_int_equal(dp_pattern_match(p, r, text, &yes, &err), DP_OK);
    dp_pattern_run_close(r);
    return yes;
}

static void sense(void **state) {
    (void)state;
#define T(s) s, sizeof(s) - 1
    static const struct { const char *pattern; size_t pn; const char *text; size_t n; bool yes; } cases[] = {
        {T("b"), T("abc"), true}, {T("^b"), T("abc"), false}, {T("^a$"), T("a\n"), false}, {T("a$"), T("xa"), true}, {T(""), T(""), true},
        {T("^\\d+$"), T("123"), true}, {T("^\\d+$"), T("\xd9\xa1"), false}, {T("^\\w$"), T("\xc3\xa9"), false}, {T("^\\s$"), T("\xc2\xa0"), true},
        {T("^\\s$"), T("\xef\xbb\xbf"), true}, {T("^\\S$"), T("\xe3\x80\x80"), false}, {T("^[\\S]$"), T("\xe3\x80\x80"), false},
        {T("^[^\\S]$"), T("\xe3\x80\x80"), true}, {T("^[\\s,]+$"), T(" ,\v"), true}, {T("^.$"), T("\xe2\x80\xa8"), false}, {T("^.$"), T("\r"), false},
        {T("^.$"), T("\xc2\x85"), true}, {T("^.$"), T("\xf0\x9f\x98\x80"), true}, {T("^\\uD83D\\uDE00$"), T("\xf0\x9f\x98\x80"), true},
        {T("^\\u{1F600}$"), T("\xf0\x9f\x98\x80"), true}, {T("^\\u00e9$"), T("\xc3\xa9"), true}, {T("^[\\u00e0-\\u00ff]$"), T("\xc3\xa9"), true},
        {T("\\uD83D"), T("\xf0\x9f\x98\x80"), false}, {T("^[\\uD800]$"), T("x"), false}, {T("^[^\\uD800]$"), T("\n"), true},
        {T("^[]$"), T("]"), false}, {T("^[^]$"), T("\n"), true}, {T("^\\cJ$"), T("\n"), true}, {T("^\\0$"), T("\0"), true}, {T("^\\x41$"), T("A"), true},
        {T("^[[:alpha:]]$"), T("a]"), true}, {T("^[\\w-]+$"), T("a-b"), true}, {T("^[\\w-.]+$"), T("a-.b"), true}, {T("^[a-c-e]+$"), T("b-e"), true},
        {T("^[\\b]$"), T("\b"), true}, {T("\\bb"), T("a b"), true}, {T("^a{,2}$"), T("a{,2}"), true}, {T("^a{2}$"), T("aa"), true},
        {T("^{}]$"), T("{}]"), true}, {T("^(?=a)a$"), T("a"), true}, {T("^(?<y>\\d)-\\k<y>$"), T("1-1"), true}, {T("^(a)?\\1b$"), T("b"), true},
        {T("^\\1(a)$"), T("a"), true}, {T("(?<!x)b"), T("xb"), false}, {T("^(?i:AB)c$"), T("abc"), true}, {T("^\\p{L}+$"), T("\xc3\xa9""a"), true},
        {T("^\\p{Uppercase_Letter}$"), T("A"), true}, {T("^\\p{Script=Greek}+$"), T("\xce\xb1"), true}, {T("^\\P{Lu}$"), T("a"), true},
        {T("^a#b c$"), T("a#b c"), true}, {T("^\\/\\-\\_\\@$"), T("/-_@"), true}, {T("^a|b$"), T("ax"), true}, {T("^a.c$"), T("a\xc3\xa9""c"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_pattern *p = NULL;
        struct dp_err err = DP_ERR_INIT;
        if (dp_pattern_compile(dp_str(cases[i].pattern, cases[i].pn), &p, &err) != DP_OK) fail_msg("%s: %s", cases[i].pattern, err.msg);
        if (matches(p, dp_str(cases[i].text, cases[i].n)) != cases[i].yes) fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        dp_pattern_free(p);
    }
}

static void refused(void **state) {
    (void)state;
    static const struct { const char *pattern, *says; } cases[] = {
        {"a\\", "column 2: a backslash at the end"}, {"[a", "column 1: a class is not closed"}, {"a++", "column 3"}, {"*a", "column 1: there is nothing to repeat"},
        {"(*ACCEPT)", "(* has nothing to repeat"}, {"(?i)a", "write (?i:...)"}, {"(?>a)", "a group of this kind"}, {"(?R)", "a group of this kind"},
        {"(?P<n>a)", "a group of this kind"}, {"(?(1)a|b)", "a group of this kind"}, {"\\Aab", "write ^"}, {"ab\\Z", "write $"}, {"\\Qa\\E", "escape each"},
        {"a\\Kb", "\\K is not ECMA-262"}, {"\\2(a)", "no such group"}, {"[b-a]", "backwards"}, {"\\u12", "four hexadecimal digits"}, {"\\u{110000}", "code point"},
        {"(a", "not a pattern"}, {"a)", "not a pattern"}, {"a{2}{3}", "nothing to repeat"}, {"\\p{Nonsense}", "not a pattern"}, {"[\\1]", "\\xHH"}, {"\xff", "not a pattern"},
        {"^*", "nothing to repeat"}, {"a{70000}", "not a pattern"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_pattern *p = NULL;
        struct dp_err err = DP_ERR_INIT;
        if (dp_pattern_compile(dp_str_z(cases[i].pattern), &p, &err) != DP_USAGE) fail_msg("%s was taken", cases[i].pattern);
        if (!strstr(err.msg, cases[i].says)) fail_msg("%s: %s", cases[i].pattern, err.msg);
    }
}

/* Plain patterns say what PCRE2 says, on texts near to matching. */
static void plain(void **state) {
    (void)state;
    static const struct { const char *pattern; bool plain; } cases[] = {
        {"^[^@ ]+@[^@ ]+[.][a-z]+$", true}, {"^[0-9a-f]{2}-[0-9a-f]{1,3}$", true}, {"^a*b?c+$", true}, {"^[A-Z]{2}", true}, {"^\\d{1,2}\\.\\d*$", true},
        {"^[^,]*,$", true}, {"^ab?$", true}, {"^\\w+-\\w+$", true}, {"^a+a$", true}, {"^[^a]{2}$", false}, {"^(a)$", false}, {"a", false}, {"^a.b$", false},
        {"^a*ab*$", true}, {"^-{0}a$", true}, {"^[a-c]?[x-z]?$", true}, {"^a?a$", true}, {"^a+ba*b?$", true}, {"^a+b?a+$", false}, {"^[ab]+[bc]+[ab]+$", false},
    };
    static const char *const pieces[] = {"a", "b", "c", "@", ".", "-", " ", "0", "f", "A", "\xc3\xa9", ",", "com", "\n", "ab", "x"};
    struct dp_err err = DP_ERR_INIT;
    struct dp_pattern_run *r = dp_pattern_run_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_plain *p = dp_plain_compile(dp_str_z(cases[i].pattern));
        if ((p != NULL) != cases[i].plain) fail_msg("%s", cases[i].pattern);
        if (!p) continue;
        struct dp_pattern *re = NULL; /* the same in a group, which is not plain */
        struct dp_buf b = {0};
        dp_buf_addf(&b, "(?:%s)", cases[i].pattern);
        assert_int_equal(dp_pattern_compile(dp_buf_str(&b), &re, &err), DP_OK);
        uint32_t seed = 1;
        for (int k = 0; k < 20000; k++) {
            bool yes;
            dp_buf_reset(&b);
            for (uint32_t n = (seed = seed * 1664525u + 1013904223u) >> 28; n > 4; n -= 2) dp_buf_addz(&b, pieces[(seed = seed * 1664525u + 1013904223u) >> 28]);
            assert_int_equal(dp_pattern_match(re, r, dp_buf_str(&b), &yes, &err), DP_OK);
            if (dp_plain_match_bytes(p, dp_buf_str(&b)) != yes) fail_msg("%s on '%s'", cases[i].pattern, dp_buf_z(&b));
            if (dp_plain_match(p, dp_buf_str(&b)) != yes) fail_msg("%s on '%s', many bytes at once", cases[i].pattern, dp_buf_z(&b));
        }
        dp_buf_release(&b);
        dp_pattern_free(re);
        dp_plain_free(p);
    }
    dp_pattern_run_close(r);
}

/* The twins agree at every length around their blocks, with a wrong byte at every place, and nothing behind the text is read. */
static void twins(void **state) {
    (void)state;
    static const struct { const char *pattern, *text; } cases[] = {
        {"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "0123abcd-4567-89ef-fedc-ba9876543210"}, {"^[0-9]{16}$", "0123456789012345"},
        {"^[0-9]{15}$", "012345678901234"}, {"^[a-z]{17}", "abcdefghijklmnopq"}, {"^\\d{4}-\\d{2}-\\d{2}$", "2026-01-02"}, {"^[A-Z]{2}$", "DE"}, {"^[^,]*,\\w+$", ",a"},
        {"^[^@ ]+@[^@ ]+[.][a-z]+$", "somebody.with.a.long.name@a-long-domain-name.of-many-parts.example"}, {"^a{64}$", NULL}, {"^[ab]+$", NULL}, {"^[^b]*$", NULL},
        {"^[a-z]+[0-9]*$", NULL}, {"^a{63}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_plain *p = dp_plain_compile(dp_str_z(cases[i].pattern));
        assert_non_null(p);
        for (size_t n = 0; n <= 70; n++) {
            char *text = malloc(n ? n : 1); /* of that size, so that a sanitizer sees what is read behind it */
            size_t m = cases[i].text ? strlen(cases[i].text) : 0;
            for (size_t k = 0; k < n; k++) text[k] = m ? cases[i].text[k % m] : 'a';
            for (size_t wrong = 0; wrong <= n; wrong++) {
                static const char odd[] = {'b', '\0', '\x80', '\xff', '@', '9', ' '};
                char was = wrong < n ? text[wrong] : 0;
                for (size_t k = 0; k < sizeof odd; k++) {
                    if (wrong < n) text[wrong] = odd[k];
                    struct dp_str s = dp_str(text, n);
                    if (dp_plain_match(p, s) != dp_plain_match_bytes(p, s)) fail_msg("%s: length %zu, byte %zu", cases[i].pattern, n, wrong);
                }
                if (wrong < n) text[wrong] = was;
            }
            free(text);
        }
        dp_plain_free(p);
    }
}

/* Each letter doubles the work: up to some length all match or not, beyond it the limit ends all.  `before` letters in front make the limit larger. */
static void limited(size_t before, uint64_t limit, const char *says) {
    struct dp_pattern *p = NULL;
    struct dp_pattern_run *r = dp_pattern_run_open();
    struct dp_buf b = {0};
    unsigned refused = 0;
    assert_int_equal(dp_pattern_compile(DP_STR("^b*c(a|a)+$"), &p, NULL), DP_OK);
    for (unsigned n = 1; n <= 30; n++) {
        struct dp_err err = DP_ERR_INIT;
        bool yes = true;
        dp_buf_reset(&b);
        for (size_t i = 0; i < before; i++) dp_buf_addc(&b, 'b');
        dp_buf_addc(&b, 'c');
        for (unsigned i = 0; i < n; i++) dp_buf_addc(&b, 'a');
        dp_buf_addc(&b, '!');
        enum dp_status status = dp_pattern_match(p, r, dp_buf_str(&b), &yes, &err);
        assert_int_equal(status, status == DP_OK && !refused ? DP_OK : DP_LIMIT);
        if (status == DP_OK) assert_false(yes);
        else if (!refused) refused = n, assert_non_null(strstr(err.msg, says));
    }
    assert_in_range(1u << refused, limit / 8, 8 * limit); /* the first that was too long */
    dp_buf_release(&b);
    dp_pattern_free(p);
    dp_pattern_run_close(r);
}

static void match_limit(void **state) {
    (void)state;
    limited(0, 30 * DP_LIMIT_PCRE_MATCH_BYTE, "match limit"); /* a dozen letters, and 16 more */
    limited(2000, DP_LIMIT_PCRE_MATCH, "match limit 1000000");
}

static void explodes(void **state) {
    (void)state;
    struct dp_pattern *p = NULL;
    struct dp_pattern_run *r = dp_pattern_run_open();
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0};
    bool yes;
    assert_int_equal(dp_pattern_compile(DP_STR("^(a+)+$"), &p, &err), DP_OK);
    for (int i = 0; i < 60; i++) dp_buf_addc(&b, 'a');
    assert_int_equal(dp_pattern_match(p, r, dp_buf_str(&b), &yes, &err), DP_OK);
    assert_true(yes);
    dp_buf_addc(&b, '!');
    assert_int_equal(dp_pattern_match(p, r, dp_buf_str(&b), &yes, &err), DP_LIMIT);
    dp_pattern_free(p);
    dp_buf_reset(&b);
    for (int i = 0; i < 400; i++) dp_buf_addc(&b, '(');
    for (int i = 0; i < 400; i++) dp_buf_addc(&b, ')');
    assert_int_equal(dp_pattern_compile(dp_buf_str(&b), &p, &err), DP_USAGE);
    dp_buf_release(&b);
    dp_pattern_run_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sense), cmocka_unit_test(refused), cmocka_unit_test(plain), cmocka_unit_test(twins), cmocka_unit_test(match_limit), cmocka_unit_test(explodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

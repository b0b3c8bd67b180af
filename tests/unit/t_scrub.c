/* Text that may be shown: user and password of URLs, secrets in their parameters, and those behind words that announce them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/base/scrub.h>
#include <string.h>

struct row {
    const char *text, *urls, *words; /* words NULL: as urls */
};

static void check(const char *text, enum dp_scrub how, const char *want) {
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addz(&b, "x"); /* appended */
    dp_scrub(dp_str_z(text), how, &b);
    assert_string_equal(dp_buf_z(&b) + 1, want);
    dp_buf_release(&b);
}

static void rows(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", "", NULL},
        {"nothing of it", "nothing of it", NULL},
        {"no file matches http://u:hush@h/x", "no file matches http://h/x", NULL},
        {"http://u@h:80/x@y", "http://h:80/x@y", NULL},
        {"\"https://u:p@ss@h/\" and ftp://v:w@g", "\"https://h/\" and ftp://g", NULL},
        {"http://u:p,w;(x)@h/", "http://h/", NULL},
        {"http://u:a/b@h/x", "http://h/x", NULL},        /* a slash that should have been written %2F */
        {"http://u:a?b#c@h/x", "http://h/x", NULL},
        {"http://h:80/a@b", "http://h:80/a@b", NULL},
        {"http://[::1]:80/a@b", "http://[::1]:80/a@b", NULL},
        {"expected http://HOST[:PORT][/PATH]", "expected http://HOST[:PORT][/PATH]", NULL},
        {"http://HOST:PORT", "http://HOST:PORT", NULL},  /* short, so it is whole */
        {"s3://b/k?X-Amz-Signature=abc&x=1", "s3://b/k?X-Amz-Signature=***&x=1", NULL},
        {"https://h/p?sig=a%2Bb,c;d&sv=1 is away", "https://h/p?sig=***&sv=1 is away", NULL},
        {"https://h/?ACCESS_TOKEN=a#id_token=b", "https://h/?ACCESS_TOKEN=***#id_token=***", NULL},
        {"https://h/?key=a&auth=b&code=c&monkey=d&keys=e", "https://h/?key=***&auth=***&code=***&monkey=d&keys=e", NULL},
        {"https://h/token=a/x", "https://h/token=a/x", NULL}, /* a path, no parameter */
        {"c.yaml:7: token: expected a text", "c.yaml:7: token: expected a text", "c.yaml:7: token: *** a text"},
        {"password=hush rest", "password=hush rest", "password=*** rest"},
        {"Authorization: Bearer abc", "Authorization: Bearer abc", "Authorization: Bearer ***"},
        {"api_key: \"abc\", b", "api_key: \"abc\", b", "api_key: \"***\", b"},
        {"://", "://", NULL},
        {"a://@", "a://", NULL},
        {"mytoken: x", "mytoken: x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].text, DP_SCRUB_URLS, rows[i].urls);
        check(rows[i].text, DP_SCRUB_WORDS, rows[i].words ? rows[i].words : rows[i].urls);
    }
}

/* A message that was cut in the middle of a password has no @. */
static void cut(void **state) {
    (void)state;
    struct dp_buf text = {NULL, 0, 0}, want = {NULL, 0, 0};
    for (int i = 0; i < 250; i++) dp_buf_addc(&text, 'a');
    dp_buf_adds(&want, dp_buf_str(&text));
    dp_buf_addz(&text, " http://u:hus");
    dp_buf_addz(&want, " http://***");
    check(dp_buf_z(&text), DP_SCRUB_URLS, dp_buf_z(&want));
    dp_buf_release(&text);
    dp_buf_release(&want);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

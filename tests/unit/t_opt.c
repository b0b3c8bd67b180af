/* The option table: words to fields, defaults, environment, error texts. */
#include <dp/cli/opt.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const codecs[] = {"zstd", "snappy", "none", NULL};

struct conf {
    bool check, quick;
    int mode, codec;
    const char *since, *text;
    int64_t batch, delay, at;
    uint64_t size;
    struct dp_opt_list by;
    struct dp_tolerance max;
};

static const struct dp_opt options[] = {
    DP_OPT_FLAG(conf, check, "check", 'k', "a flag", .conflicts = "since,text"),
    DP_OPT_FLAG(conf, quick, "quick", 'q', "another", .needs = "batch", .env = "DP_T_QUICK"),
    DP_OPT_SET(conf, mode, "flush", 0, "one", 1),
    DP_OPT_SET(conf, mode, "no-flush", 0, "two", 2),
    DP_OPT_PATH(conf, since, "since", 's', "TABLE", "a path"),
    DP_OPT_STRING(conf, text, "text", 't', "TEXT", "a string"),
    DP_OPT_INT(conf, batch, "batch", 'b', "N", "an integer", 1, 1000, .def = "10", .env = "DP_T_BATCH"),
    DP_OPT_ENUM(conf, codec, "codec", 'c', "NAME", "a choice", codecs),
    DP_OPT_SIZE(conf, size, "size", 'm', "SIZE", "a size", 1024, 1 << 20),
    DP_OPT_DURATION(conf, delay, "delay", 'd', "D", "a duration", -60000, 0),
    DP_OPT_LIST(conf, by, "by", 'y', "SPEC", "a list"),
    DP_OPT_TOLERANCE(conf, max, "max", 'x', "N|N%", "a tolerance"),
    DP_OPT_TIME(conf, at, "at", 0, "TIME", "a time"),
    DP_OPT_TIME(conf, at, "till", 0, "TIME", "up to a time", .up_to = true),
    DP_OPT_END};

struct parsed {
    struct conf conf;
    bool given[16];
    char *argv[16];
    size_t n_args;
    enum dp_status status;
    struct dp_err err;
};

/* Words are parted by one blank. */
static struct parsed *parse(const char *words) {
    static struct parsed p;
    static char text[400];
    int argc = 1;
    memset(&p, 0, sizeof p);
    snprintf(text, sizeof text, "%s", words);
    p.argv[0] = text + sizeof text - 1;
    for (char *w = text; *w && argc < 16;) {
        p.argv[argc++] = w;
        w += strcspn(w, " ");
        if (*w) *w++ = '\0';
    }
    struct dp_opt_set set = {options, &p.conf, p.given};
    p.status = dp_opt_parse(&set, 1, argc, p.argv, &p.n_args, &p.err);
    if (p.status == DP_OK) p.status = dp_opt_check(&set, 1, &p.err);
    return &p;
}

static void release(struct parsed *p) {
    struct dp_opt_set set = {options, &p->conf, p->given};
    dp_opt_release(&set, 1);
}

static void test_words(void **state) {
    (void)state;
    struct parsed *p = parse("a -qb7 --codec=snappy -t x - --by 1 -y2 --delay -30s -- --check");
    assert_int_equal(p->status, DP_OK);
    assert_true(p->conf.quick && !p->conf.check);
    assert_int_equal(p->conf.batch, 7);
    assert_int_equal(p->conf.codec, 1);
    assert_string_equal(p->conf.text, "x");
    assert_int_equal(p->conf.delay, -30000);
    assert_int_equal(p->conf.by.n, 2);
    assert_string_equal(p->conf.by.v[1], "2");
    assert_int_equal(p->n_args, 3);
    assert_string_equal(p->argv[1], "a");
    assert_string_equal(p->argv[2], "-");
    assert_string_equal(p->argv[3], "--check");
    release(p);
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *words, *message;
    } cases[] = {
        {"--chek", "unknown option --chek; did you mean --check?"},
        {"--che", "unknown option --che"},
        {"-z", "unknown option -z (--help lists them)"},
        {"-check", "unknown option -check; did you mean --check?"},
        {"--check=1", "--check takes no value"},
        {"--batch", "--batch needs a value: --batch=N"},
        {"-b", "-b needs a value: -b N"},
        {"--batch=0", "--batch: expected a whole number from 1 to 1000, got \"0\""},
        {"--batch=1001", "--batch: expected a whole number from 1 to 1000, got \"1001\""},
        {"--batch=9223372036854775808", "--batch: expected a whole number from 1 to 1000"},
        {"--batch=", "--batch: expected a whole number"},
        {"--codec=snapy", "--codec: no such choice \"snapy\" (zstd|snappy|none); did you mean \"snappy\"?"},
        {"--since=", "--since: an empty name"},
        {"-m 512", "--size: expected a size from 1024 to 1048576 bytes, got \"512\""},
        {"-m 1048577", "--size: expected a size from 1024"},
        {"-m 12Q", "--size: "},
        {"-m -1", "--size: "},
        {"--delay=5", "--delay: "},
        {"--delay=-2m", "--delay: expected a duration of at least -60000 ms, got \"-2m\""},
        {"--max=1.5", "--max: expected a count (10) or a percentage from 0% to 100% (0.5%), got \"1.5\""},
        {"--max=101%", "--max: expected"},
        {"--max=%", "--max: expected"},
        {"--max=-1", "--max: expected"},
        {"--max=0.00001%", "--max: expected"},
        {"--at=yesterday", "--at: expected a time"},
        {"--check --since=x", "--check and --since can't be used together"},
        {"--quick", "--quick needs --batch"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed *p = parse(cases[i].words);
        if (p->status != DP_USAGE || strncmp(p->err.msg, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s \"%s\"", cases[i].words, dp_status_name(p->status), p->err.msg);
        release(p);
    }
}

static void test_values(void **state) {
    (void)state;
    struct parsed *p = parse("--max=0.0001% --at=2026-01-02T03:04:05.5Z -m 1M --no-flush --flush");
    assert_int_equal(p->status, DP_OK);
    assert_true(p->conf.max.is_percent && p->conf.max.ppm == 1);
    assert_int_equal(p->conf.at, 1767323045500000);
    assert_int_equal(p->conf.size, 1 << 20);
    assert_int_equal(p->conf.mode, 1);
    assert_int_equal(p->conf.batch, 10);
    p = parse("--max=100% --at=-1 --batch 1000");
    assert_int_equal(p->conf.max.ppm, 1000000);
    assert_int_equal(p->conf.at, -1000);
    static const struct { const char *words; int64_t at; } days[] = {
        {"--at=1970-01-02", 86400000000}, {"--till=1970-01-02", 172799999999}, {"--at=1969-12-31", -86400000000}, {"--till=1969-12-31", -1}, {"--till=1970-01-02T00:00:00Z", 86400000000}, {"--till=1", 1000}};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        p = parse(days[i].words);
        assert_int_equal(p->status, DP_OK);
        assert_int_equal(p->conf.at, days[i].at);
    }
    assert_int_equal(parse("--till=2026-02-29")->status, DP_USAGE);
    p = parse("--max 18446744073709551615");
    assert_true(!p->conf.max.is_percent && p->conf.max.count == UINT64_MAX);
}

static void test_environment(void **state) {
    (void)state;
    setenv("DP_T_BATCH", "99", 1);
    setenv("DP_T_QUICK", "1", 1);
    struct parsed *p = parse("");
    assert_int_equal(p->conf.batch, 99);
    assert_true(p->conf.quick);
    p = parse("-b 5");
    assert_int_equal(p->conf.batch, 5);
    setenv("DP_T_QUICK", "0", 1);
    setenv("DP_T_BATCH", "many", 1);
    p = parse("");
    assert_int_equal(p->status, DP_USAGE);
    assert_non_null(strstr(p->err.msg, "environment variable DP_T_BATCH"));
    assert_false(p->conf.quick);
    unsetenv("DP_T_BATCH");
    unsetenv("DP_T_QUICK");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_errors), cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_environment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Time zones: files that are made here, the system's own, damaged ones, and calendar periods. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/base/zone.h>

/* ---- zoneinfo files ---- */

struct step { int64_t at; int type; };
struct file {
    char version;
    int32_t types[4];
    size_t n_types;
    struct step steps[8];
    size_t n_steps;
    const char *footer; /* NULL: none at all */
    unsigned leaps;
};

static void add_int(struct dp_buf *b, uint64_t v, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) dp_buf_addc(b, (char)(v >> (8 * i)));
}

static void add_block(struct dp_buf *b, const struct file *f, bool is_empty, int width) {
    uint32_t n = is_empty ? 0 : (uint32_t)f->n_steps, types = is_empty ? 1 : (uint32_t)f->n_types, leaps = is_empty ? 0 : f->leaps;
    dp_buf_addz(b, "TZif");
    dp_buf_addc(b, f->version);
    for (int i = 0; i < 15; i++) dp_buf_addc(b, 0);
    const uint32_t counts[] = {0, 0, leaps, n, types, 4};
    for (int i = 0; i < 6; i++) add_int(b, counts[i], 4);
    for (uint32_t i = 0; i < n; i++) add_int(b, (uint64_t)f->steps[i].at, width);
    for (uint32_t i = 0; i < n; i++) dp_buf_addc(b, (char)f->steps[i].type);
    for (uint32_t i = 0; i < types; i++) add_int(b, is_empty ? 0 : (uint32_t)f->types[i], 4), add_int(b, 0, 2);
    dp_buf_add(b, "XXX\0", 4);
    for (uint32_t i = 0; i < leaps; i++) add_int(b, i, width), add_int(b, i, 4);
}

static void build(const struct file *f, struct dp_buf *b) {
    if (f->version == '\0') {
        add_block(b, f, false, 4);
        return;
    }
    add_block(b, f, true, 4);
    add_block(b, f, false, 8);
    if (f->footer) dp_buf_addf(b, "\n%s\n", f->footer);
}

static struct dp_zone *made(const struct file *f) {
    struct dp_buf b = {0};
    struct dp_zone *z = NULL;
    struct dp_err err = DP_ERR_INIT;
    build(f, &b);
    if (dp_zone_read("Made/Up", dp_buf_str(&b), &z, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_buf_release(&b);
    return z;
}

/* A zone with a rule alone. */
static struct dp_zone *ruled(const char *footer) {
    return made(&(struct file){.version = '2', .types = {0}, .n_types = 1, .footer = footer});
}

static int64_t at(const char *text) {
    struct dp_timestamp t;
    if (!dp_time_parse(dp_str_z(text), true, true, &t)) fail_msg("%s", text);
    return t.seconds;
}

static void transitions(void **state) {
    (void)state;
    const struct file f = {.version = '2', .types = {-600, 3600, 7200}, .n_types = 3, .steps = {{-1000, 1}, {0, 2}, {5000, 1}}, .n_steps = 3, .footer = ""};
    struct dp_zone *z = made(&f);
    static const struct { int64_t at; int32_t offset; } cases[] = {{INT64_MIN, -600}, {-1001, -600}, {-1000, 3600}, {-1, 3600},        {0, 7200},
                                                                   {4999, 7200},      {5000, 3600},  {5001, 3600},  {INT64_MAX, 3600}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_int_equal(dp_zone_offset(z, cases[i].at), cases[i].offset);
    assert_string_equal(dp_zone_name(z), "Made/Up");
    assert_int_equal(dp_zone_instant(z, -1000 - 600), -1000 - 600 + 600); /* the last second before, +1: where the gap begins */
    assert_int_equal(dp_zone_instant(z, -1000), -1000);                   /* in the gap: its end */
    assert_int_equal(dp_zone_instant(z, 2599), -1000);
    assert_int_equal(dp_zone_instant(z, 2601), -999);
    assert_int_equal(dp_zone_instant(z, 3600 + 5000), 3600 + 5000 - 7200); /* twice: the earlier */
    assert_int_equal(dp_zone_instant(z, 5000 + 7200), 8600);               /* behind what is there twice */
    assert_int_equal(dp_zone_instant(z, INT64_MIN), INT64_MIN + 600);
    dp_zone_close(z);
    struct file old = f; /* 32 bits, no footer */
    old.version = '\0';
    z = made(&old);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_int_equal(dp_zone_offset(z, cases[i].at), cases[i].offset);
    dp_zone_close(z);
}

static void rules(void **state) {
    (void)state;
    static const struct { const char *rule, *at; int32_t offset; } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T00:59:59Z", 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T01:00:00Z", 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T00:59:59Z", 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T01:00:00Z", 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2525-03-25T00:59:59Z", 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2525-03-25T01:00:00Z", 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "0004-07-01T00:00:00Z", 7200},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-04-06T14:59:59Z", 39600},   /* half an hour */
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-04-06T15:00:00Z", 37800},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-12-31T23:00:00Z", 39600},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-01-01T00:00:00Z", 0},                 /* winter is the exception */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-06-01T00:00:00Z", 3600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T00:59:59Z", -7200},        /* at -1: the evening before */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T01:00:00Z", -3600},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2024-03-29T23:59:59Z", 7200},          /* two days behind a Thursday */
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2024-03-30T00:00:00Z", 10800},
        {"XXX3EDT4,0/0,J365/23", "2024-01-01T02:00:00Z", -14400},                  /* all the year */
        {"XXX3EDT4,0/0,J365/23", "2024-12-31T23:59:59Z", -14400},
        {"XXX3EDT4,0/0,J365/23", "2025-01-01T03:00:00Z", -14400},
        {"AAA0BBB,J60/0,J61/0", "2024-03-01T00:00:00Z", 3600},                     /* J60 is the first of March, leap year or not */
        {"AAA0BBB,J60/0,J61/0", "2023-03-01T00:00:00Z", 3600},
        {"AAA0BBB,J60/0,J61/0", "2024-02-29T23:59:59Z", 0},
        {"AAA0BBB,59/0,60/0", "2024-02-29T00:00:00Z", 3600},                       /* 59 counts it */
        {"AAA0BBB,59/0,60/0", "2023-03-01T00:00:00Z", 3600},
        {"JST-9", "2400-01-01T00:00:00Z", 32400},
        {"<+0530>-5:30", "2400-01-01T00:00:00Z", 19800},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_zone *z = ruled(cases[i].rule);
        if (dp_zone_offset(z, at(cases[i].at)) != cases[i].offset) fail_msg("%s at %s: %d", cases[i].rule, cases[i].at, dp_zone_offset(z, at(cases[i].at)));
        dp_zone_close(z);
    }
}

static void far_away(void **state) {
    (void)state;
    struct dp_zone *z = ruled("CET-1CEST,M3.5.0,M10.5.0/3");
    int64_t summer = at("2024-07-01T00:00:00Z"), cycle = INT64_C(146097) * 86400, s, e;
    for (int64_t k = -700000; k <= 700000; k += 1399) {
        assert_int_equal(dp_zone_offset(z, summer + k * cycle), 7200);
        assert_true(dp_zone_period(z, DP_CALENDAR_DAY, 1, (at("2024-03-31T00:00:00Z") + k * cycle) * 1000, &s, &e));
        assert_int_equal(e - s, 23 * 3600000);
    }
    (void)dp_zone_offset(z, INT64_MIN), (void)dp_zone_offset(z, INT64_MAX);
    (void)dp_zone_instant(z, INT64_MIN), (void)dp_zone_instant(z, INT64_MAX);
    assert_false(dp_zone_period(z, DP_CALENDAR_MONTH, 1, INT64_MAX, &s, &e));
    assert_false(dp_zone_period(z, DP_CALENDAR_MONTH, 1, INT64_MIN, &s, &e));
    dp_zone_close(z);
}

static void damaged(void **state) {
    (void)state;
    static const char *const rules_bad[] = {"CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-25", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
                                            "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,J366,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0", "<CET-1", "-1", "CET-1:60"};
    const struct file good = {.version = '2', .types = {0, 3600}, .n_types = 2, .steps = {{0, 1}, {5000, 0}}, .n_steps = 2, .footer = "CET-1CEST,M3.5.0,M10.5.0/3"};
    struct dp_zone *z = NULL;
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    for (size_t i = 0; i < sizeof rules_bad / sizeof rules_bad[0]; i++) {
        struct file f = good;
        f.footer = rules_bad[i];
        dp_buf_reset(&b);
        build(&f, &b);
        if (dp_zone_read("Z", dp_buf_str(&b), &z, &err) != DP_FORMAT) fail_msg("%s", rules_bad[i]);
        assert_null(z);
    }
    struct file f[] = {good, good, good, good, good, good};
    f[0].steps[1].at = 0;
    f[1].steps[1].type = 2;
    f[2].n_types = 0;
    f[3].types[1] = 26 * 3600;
    f[4].footer = NULL;
    f[5].version = '1';
    for (size_t i = 0; i < 6; i++) {
        dp_buf_reset(&b);
        build(&f[i], &b);
        if (dp_zone_read("Z", dp_buf_str(&b), &z, &err) != DP_FORMAT) fail_msg("file %zu", i);
    }
    f[0] = good, f[0].leaps = 2;
    dp_buf_reset(&b), build(&f[0], &b);
    assert_int_equal(dp_zone_read("Z", dp_buf_str(&b), &z, &err), DP_UNSUPPORTED);
    dp_buf_reset(&b), build(&good, &b);
    for (size_t n = 0; n < b.n; n++) { /* cut anywhere, in memory of its own */
        char *cut = malloc(n + 1);
        memcpy(cut, b.p, n);
        assert_int_equal(dp_zone_read("Z", dp_str(cut, n), &z, &err), DP_FORMAT);
        free(cut);
    }
    for (size_t i = 0; i < 6; i++) { /* counts that promise too much */
        struct dp_buf x = {0};
        dp_buf_adds(&x, dp_buf_str(&b));
        memset(x.p + 20 + 4 * i, 0xff, 4);
        assert_int_equal(dp_zone_read("Z", dp_buf_str(&x), &z, &err), DP_FORMAT);
        dp_buf_release(&x);
    }
    dp_buf_release(&b);
}

static void editions(void **state) {
    (void)state;
    const char *rule = "CET-1CEST,M3.5.0,M10.5.0/3";
    int64_t a = at("2020-03-29T01:00:00Z"), b = at("2020-10-25T01:00:00Z"), c = at("2021-03-28T01:00:00Z"), d = at("2021-10-31T01:00:00Z");
    struct file slim = {.version = '2', .types = {1000, 3600, 7200}, .n_types = 3, .steps = {{0, 1}, {a, 2}, {b, 1}}, .n_steps = 3, .footer = rule}, fat = slim, gap = slim, other = slim;
    fat.n_steps = 5, fat.steps[3] = (struct step){c, 2}, fat.steps[4] = (struct step){d, 1};
    gap.n_steps = 5, gap.steps[3] = (struct step){at("2022-03-27T01:00:00Z"), 2}, gap.steps[4] = (struct step){at("2022-10-30T01:00:00Z"), 1}; /* no summer of 2021 */
    other.footer = "CET-1CEST,M3.5.0,M10.4.0/3";
    struct dp_zone *z[] = {made(&slim), made(&fat), made(&gap), made(&other)};
    assert_true(dp_zone_edition(z[0]) == dp_zone_edition(z[1]));
    assert_true(dp_zone_edition(z[0]) != dp_zone_edition(z[2]));
    assert_true(dp_zone_edition(z[0]) != dp_zone_edition(z[3]));
    for (size_t i = 0; i < 4; i++) dp_zone_close(z[i]);
}

static void names(void **state) {
    (void)state;
    static const char *const odd[] = {"", "/etc/passwd", "../x", "Europe/../../etc/passwd", "Europe/Ber lin", ":x", "zone.tab", "Europe/Berlin\n", "+8:00", "+24:00", "+08:60", "+0800", "+08:0x"};
    struct dp_zone *z;
    struct dp_err err = DP_ERR_INIT;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        if (dp_zone_open(odd[i], &z, &err) != DP_USAGE) fail_msg("%s", odd[i]);
    static const struct { const char *name; int32_t offset; } fixed[] = {{"UTC", 0}, {"+08:00", 28800}, {"-03:30", -12600}, {"+00:00", 0}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(dp_zone_open(fixed[i].name, &z, &err), DP_OK);
        assert_int_equal(dp_zone_offset(z, 12345), fixed[i].offset);
        assert_int_equal(dp_zone_instant(z, 0), -fixed[i].offset);
        dp_zone_close(z);
    }
    char dir[] = "/tmp/dp-zone-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("TZDIR", dir, 1), 0);
    assert_int_equal(dp_zone_open("Here", &z, &err), DP_IO); /* nothing is there at all */
    assert_non_null(strstr(err.msg, "tzdata"));
    (void)snprintf(path, sizeof path, "%s/Here", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("no zone", f), fclose(f);
    assert_int_equal(dp_zone_open("Here", &z, &err), DP_FORMAT);
    assert_int_equal(dp_zone_open("Hear", &z, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "did you mean Here?"));
    f = fopen(path, "w");
    assert_non_null(f);
    for (unsigned i = 0; i <= DP_LIMIT_ZONE; i++) fputc('x', f);
    fclose(f);
    assert_int_equal(dp_zone_open("Here", &z, &err), DP_LIMIT);
    assert_int_equal(truncate(path, DP_LIMIT_ZONE), 0);
    assert_int_equal(dp_zone_open("Here", &z, &err), DP_FORMAT);
    unlink(path), rmdir(dir);
    unsetenv("TZDIR");
}

/* ---- periods ---- */

static void period_is(const struct dp_zone *z, enum dp_calendar unit, int week_start, const char *t, const char *start, const char *end) {
    int64_t s, e;
    char text[2][40] = {{0}};
    assert_true(dp_zone_period(z, unit, week_start, at(t) * 1000, &s, &e));
    dp_time_print_micros(text[0], s * 1000, true, 0), dp_time_print_micros(text[1], e * 1000, true, 0);
    if (strcmp(text[0], start) != 0 || strcmp(text[1], end) != 0) fail_msg("%s %s: %s to %s", dp_zone_name(z), t, text[0], text[1]);
}

static void periods(void **state) {
    (void)state;
    struct dp_zone *z = ruled("UTC0");
    period_is(z, DP_CALENDAR_DAY, 1, "2024-02-29T12:00:00Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z");
    period_is(z, DP_CALENDAR_DAY, 1, "1969-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
    period_is(z, DP_CALENDAR_WEEK, 1, "2024-02-29T12:00:00Z", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z");
    period_is(z, DP_CALENDAR_WEEK, 7, "2024-02-29T12:00:00Z", "2024-02-25T00:00:00Z", "2024-03-03T00:00:00Z");
    period_is(z, DP_CALENDAR_WEEK, 4, "2024-02-29T12:00:00Z", "2024-02-29T00:00:00Z", "2024-03-07T00:00:00Z");
    period_is(z, DP_CALENDAR_WEEK, 5, "2024-02-29T12:00:00Z", "2024-02-23T00:00:00Z", "2024-03-01T00:00:00Z");
    period_is(z, DP_CALENDAR_WEEK, 3, "1960-01-01T00:00:00Z", "1959-12-30T00:00:00Z", "1960-01-06T00:00:00Z");
    period_is(z, DP_CALENDAR_MONTH, 1, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
    period_is(z, DP_CALENDAR_MONTH, 1, "1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z");
    period_is(z, DP_CALENDAR_MONTH, 1, "2023-12-31T23:59:59Z", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z");
    dp_zone_close(z);
    /* clocks go back over midnight: 00:01 to 23:01 of the day before, which then belongs to the day that had begun */
    z = ruled("NST3:30NDT,M4.1.0/0:01,M10.5.0/0:01");
    period_is(z, DP_CALENDAR_DAY, 1, "2005-10-30T02:29:59Z", "2005-10-29T02:30:00Z", "2005-10-30T02:30:00Z");
    period_is(z, DP_CALENDAR_DAY, 1, "2005-10-30T02:45:00Z", "2005-10-30T02:30:00Z", "2005-10-31T03:30:00Z");
    period_is(z, DP_CALENDAR_DAY, 1, "2005-10-30T03:45:00Z", "2005-10-30T02:30:00Z", "2005-10-31T03:30:00Z");
    dp_zone_close(z);
}

static struct dp_zone *installed(const char *name) {
    struct dp_zone *z = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK)) {
        print_message("SKIP: no zoneinfo files here (package tzdata)\n");
        skip();
    }
    if (dp_zone_open(name, &z, &err) != DP_OK) fail_msg("%s", err.msg);
    return z;
}

static void system_zones(void **state) {
    (void)state;
    static const struct { const char *zone, *t, *start, *end; } days[] = {
        {"Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},          /* 23 h */
        {"America/New_York", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"},       /* 25 h */
        {"Australia/Lord_Howe", "2024-04-07T00:00:00Z", "2024-04-06T13:00:00Z", "2024-04-07T13:30:00Z"},    /* 24.5 h */
        {"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},      /* begins at 01:00 */
        {"America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
        {"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},           /* the 29th */
        {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},           /* the 31st */
        {"Europe/Berlin", "2200-03-30T12:00:00Z", "2200-03-29T23:00:00Z", "2200-03-30T22:00:00Z"},          /* by the footer */
        {"Asia/Shanghai", "2024-03-31T12:00:00Z", "2024-03-30T16:00:00Z", "2024-03-31T16:00:00Z"},
        {"Europe/Berlin", "1800-06-01T12:00:00Z", "1800-05-31T23:06:32Z", "1800-06-01T23:06:32Z"},          /* before clocks had zones */
    };
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct dp_zone *z = installed(days[i].zone);
        period_is(z, DP_CALENDAR_DAY, 1, days[i].t, days[i].start, days[i].end);
        dp_zone_close(z);
    }
    struct dp_zone *z = installed("Europe/Berlin");
    period_is(z, DP_CALENDAR_WEEK, 1, "2024-03-31T12:00:00Z", "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z");
    period_is(z, DP_CALENDAR_MONTH, 1, "2024-03-31T12:00:00Z", "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z");
    dp_zone_close(z);
    z = installed("Pacific/Apia");
    period_is(z, DP_CALENDAR_WEEK, 5, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2012-01-05T10:00:00Z"); /* its Friday does not exist */
    dp_zone_close(z);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_zone_open("Europe/Berln", &z, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "Europe/Berlin"));
    assert_int_equal(dp_zone_open("Europe", &z, &err), DP_USAGE);
}

/* Over many zones: periods follow each other without gap or overlap, and each time in one gives that one. */
static void tiling(void **state) {
    (void)state;
    static const char *const zones[] = {"Africa/Cairo", "America/Godthab", "America/St_Johns", "America/Havana", "Antarctica/Troll", "Asia/Gaza", "Asia/Manila", "Asia/Tehran",
                                        "Atlantic/Azores", "Europe/Dublin", "Pacific/Kwajalein", "Africa/Casablanca"};
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct dp_zone *z = installed(zones[i]);
        for (int unit = DP_CALENDAR_DAY; unit <= DP_CALENDAR_MONTH; unit++) {
            int64_t t = INT64_C(-3000000000000), last = t, s, e;
            for (int n = 0; n < (unit ? 1000 : 30000); n++, t = last) {
                assert_true(dp_zone_period(z, (enum dp_calendar)unit, 3, t, &s, &e));
                assert_true(s <= t && t < e && (!n || s == last));
                int64_t s2, e2;
                assert_true(dp_zone_period(z, (enum dp_calendar)unit, 3, e - 1, &s2, &e2));
                assert_true(s2 == s && e2 == e);
                last = e;
            }
        }
        dp_zone_close(z);
    }
}

int main(void) {
    unsetenv("TZDIR");
    const struct CMUnitTest tests[] = {cmocka_unit_test(transitions), cmocka_unit_test(rules),   cmocka_unit_test(far_away),     cmocka_unit_test(damaged), cmocka_unit_test(editions),
                                       cmocka_unit_test(names),       cmocka_unit_test(periods), cmocka_unit_test(system_zones), cmocka_unit_test(tiling)};
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}

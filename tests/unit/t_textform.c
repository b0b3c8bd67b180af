/* Formats of strings and of times: texts at the borders of each grammar. */
#include "dpt.h"

#include <dp/base/time.h>
#include <dp/rules/textform.h>

static void strings(void **state) {
    (void)state;
    static const struct { const char *form, *text; bool yes; } cases[] = {
        {"email", "a@b.co", true}, {"email", "first.last+tag@sub.example.org", true}, {"email", "\"a b\\\"c\"@x.org", true}, {"email", "a@[192.0.2.1]", true},
        {"email", "a@[IPv6:2001:db8::1]", true}, {"email", "\xc3\xbc@b\xc3\xbc""cher.example", true}, {"email", "a@b", false}, {"email", "a b@c.de", false},
        {"email", ".a@b.de", false}, {"email", "a..b@c.de", false}, {"email", "a.@b.de", false}, {"email", "a@b..de", false}, {"email", "a@-b.de", false},
        {"email", "@b.de", false}, {"email", "a@", false}, {"email", "a@b@c.de", false}, {"email", "a@b.de ", false}, {"email", "a@1.2", false}, {"email", "", false},
        {"uuid", "123e4567-e89b-12d3-a456-426614174000", true}, {"uuid", "123E4567-E89B-12D3-A456-426614174000", true},
        {"uuid", "123e4567e89b12d3a456426614174000", false}, {"uuid", "123e4567-e89b-12d3-a456-42661417400g", false}, {"uuid", "{23e4567-e89b-12d3-a456-426614174000", false},
        {"uri", "https://example.org/a?b=c#d", true}, {"uri", "urn:isbn:0451450523", true}, {"uri", "mailto:a@b.de", true}, {"uri", "file:///etc/hosts", true},
        {"uri", "http://u:p@[::1]:80/", true}, {"uri", "http://a/%41", true}, {"uri", "http://a/%4", false}, {"uri", "/relative", false}, {"uri", "a b:c", false},
        {"uri", "http://a b", false}, {"uri", "http://[::1", false}, {"uri", "http://a:8x/", false}, {"uri", "1a:b", false}, {"uri", ":a", false}, {"uri", "x:", true},
        {"uri", "http://a/<b>", false}, {"uri", "http://a#b#c", false}, {"hostname", "example.org", true}, {"hostname", "a", true}, {"hostname", "3com.com.", true},
        {"hostname", "-a.de", false}, {"hostname", "a-.de", false}, {"hostname", "a..b", false}, {"hostname", "a_b", false}, {"hostname", "", false}, {"hostname", ".", false},
        {"ipv4", "192.0.2.255", true}, {"ipv4", "0.0.0.0", true}, {"ipv4", "256.0.0.1", false}, {"ipv4", "01.2.3.4", false}, {"ipv4", "1.2.3", false}, {"ipv4", "1.2.3.4.5", false},
        {"ipv4", "1.2.3.4 ", false}, {"ipv4", "1..2.3", false}, {"ipv6", "::", true}, {"ipv6", "::1", true}, {"ipv6", "2001:db8::8:800:200c:417a", true},
        {"ipv6", "1:2:3:4:5:6:7:8", true}, {"ipv6", "::ffff:192.0.2.1", true}, {"ipv6", "1:2:3:4:5:6:1.2.3.4", true}, {"ipv6", "1::8:", false}, {"ipv6", ":1::", false},
        {"ipv6", "1:2:3:4:5:6:7", false}, {"ipv6", "1:2:3:4:5:6:7:8:9", false}, {"ipv6", "1::2::3", false}, {"ipv6", "12345::", false}, {"ipv6", "fe80::1%eth0", false},
        {"ipv6", "1:2:3:4:5:6:7::", true}, {"ipv6", "1:2:3:4:5:6:7:8::", false}, {"ipv6", "::1.2.3", false}, {"ipv6", ":::", false}, {"ipv6", "", false}, {"ipv6", "1:2:3:4:5:6:7:1.2.3.4", false},
        {"byte", "", true}, {"byte", "QQ==", true}, {"byte", "QUI=", true}, {"byte", "QUJD", true}, {"byte", "QUJ", false}, {"byte", "Q=I=", false}, {"byte", "Q-JD", false}, {"byte", "====", false},
        {"binary", "anything", true}, {"password", "anything", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum dp_textform form = dp_textform_find(cases[i].form);
        assert_int_not_equal(form, DP_TEXTFORM_NONE);
        if (dp_textform_matches(form, dp_str_z(cases[i].text)) != cases[i].yes) fail_msg("%s: %s", cases[i].form, cases[i].text);
    }
    assert_int_equal(dp_textform_find("Email"), DP_TEXTFORM_NONE);
    assert_int_equal(dp_textform_find(""), DP_TEXTFORM_NONE);
}

static void times(void **state) {
    (void)state;
    static const struct { const char *form, *text, *value; } cases[] = { /* value NULL: refused */
        {"yyyy-MM-dd", "2024-02-29", "2024-02-29T00:00:00"}, {"yyyy-MM-dd", "2023-02-29", NULL}, {"yyyy-MM-dd", "2023-2-9", NULL}, {"yyyy-M-d", "2023-2-9", "2023-02-09T00:00:00"},
        {"yyyy-MM-dd", "2023-04-31", NULL}, {"yyyy-MM-dd", "2023-13-01", NULL}, {"yyyy-MM-dd", "2023-01-01 ", NULL}, {"yyyy-MM-dd", "12023-01-01", NULL},
        {"yyyyMMdd", "20240229", "2024-02-29T00:00:00"}, {"yyyyMMdd", "2024022", NULL}, {"yyyyMMddHHmmss", "20240229235959", "2024-02-29T23:59:59"},
        {"dd/MM/yy", "01/02/99", "2099-02-01T00:00:00"}, {"d MMM yyyy", "1 Feb 2020", "2020-02-01T00:00:00"}, {"MMMM d, yyyy", "February 1, 2020", "2020-02-01T00:00:00"},
        {"EEE, d MMM yyyy", "Sat, 1 Feb 2020", "2020-02-01T00:00:00"}, {"EEE, d MMM yyyy", "Sun, 1 Feb 2020", NULL}, {"EEEE", "Thursday", "1970-01-01T00:00:00"},
        {"yyyy-MM-dd'T'HH:mm:ss", "2020-01-02T03:04:05", "2020-01-02T03:04:05"}, {"yyyy-MM-dd'T'HH:mm:ss'Z'", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05"},
        {"yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-02T03:04:05+02:00", "2020-01-02T01:04:05Z"}, {"yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"},
        {"yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-02T03:04:05+0200", NULL}, {"yyyy-MM-dd HH:mm:ssZ", "2020-01-02 03:04:05-0130", "2020-01-02T04:34:05Z"},
        {"yyyy-MM-dd'T'HH:mm[:ss[.SSS]]", "2020-01-02T03:04", "2020-01-02T03:04:00"}, {"yyyy-MM-dd'T'HH:mm[:ss[.SSS]]", "2020-01-02T03:04:05", "2020-01-02T03:04:05"},
        {"yyyy-MM-dd'T'HH:mm[:ss[.SSS]]", "2020-01-02T03:04:05.678", "2020-01-02T03:04:05.678"}, {"yyyy-MM-dd'T'HH:mm[:ss[.SSS]]", "2020-01-02T03:04:05.67", NULL},
        {"HH:mm:ss", "23:59:59", "1970-01-01T23:59:59"}, {"HH:mm:ss", "24:00:00", NULL}, {"HH:mm", "23:60", NULL}, {"h:mm a", "12:30 AM", "1970-01-01T00:30:00"},
        {"h:mm a", "12:30 PM", "1970-01-01T12:30:00"}, {"h:mm a", "13:30 PM", NULL}, {"HH:mm a", "13:30 AM", NULL}, {"yyyy-DDD", "2024-366", "2024-12-31T00:00:00"},
        {"yyyy-DDD", "2023-366", NULL}, {"yyyy-MM", "2023-07", "2023-07-01T00:00:00"}, {"yyyy", "2023", "2023-01-01T00:00:00"}, {"yyyy-'Q'Q", "2023-Q3", "2023-07-01T00:00:00"},
        {"uuuu-MM-dd", "-0001-01-01", "-0001"}, {"yyyy-MM-dd", "-0001-01-01", NULL}, {"yyyy-MM-dd", "0000-01-01", NULL}, {"yyyy", "+12023", "+12023"},
        {"HHmmssSSS", "010203004", "1970-01-01T01:02:03.004"}, {"yyyy''MM", "2020'05", "2020-05-01T00:00:00"}, {"yyyy 'o''clock'", "2020 o'clock", "2020-01-01T00:00:00"},
        {"HH:mm O", "10:00 GMT+2", "1970-01-01T08:00:00Z"}, {"yyyy-MM-dd G", "2020-01-01 AD", "2020-01-01T00:00:00"}, {"", NULL, NULL},
    };
    for (size_t i = 0; cases[i].text; i++) {
        struct dp_timeform *f = NULL;
        struct dp_err err = DP_ERR_INIT;
        int64_t micros = 0;
        bool zone = false;
        char text[41] = "";
        if (dp_timeform_compile(dp_str_z(cases[i].form), &f, &err) != DP_OK) fail_msg("%s: %s", cases[i].form, err.msg);
        bool ok = dp_timeform_read(f, dp_str_z(cases[i].text), &micros, &zone);
        if (ok) text[dp_time_print_micros(text, micros, zone, -1)] = 0;
        bool years = cases[i].value && (cases[i].value[0] == '+' || cases[i].value[0] == '-'); /* beyond what is printed */
        if (ok != (cases[i].value != NULL) || (ok && !years && strcmp(text, cases[i].value) != 0)) fail_msg("%s on %s: %s", cases[i].form, cases[i].text, text);
        dp_timeform_free(f);
    }
}

static void refused(void **state) {
    (void)state;
    static const struct { const char *form; enum dp_status status; const char *says; } cases[] = {
        {"", DP_USAGE, "empty"}, {"yyyy-MM-dd'T", DP_USAGE, "column 11: a quote"}, {"yyyy-ww", DP_UNSUPPORTED, "\"w\""}, {"HH:mm z", DP_UNSUPPORTED, "\"z\""}, {"yyyy-MM-ddTHH", DP_USAGE, "column 11: no letter"},
        {"ddd", DP_USAGE, "too often"}, {"yyyy]", DP_USAGE, "was not opened"}, {"{yyyy}", DP_USAGE, "reserved"}, {"[[[[[[[[[y", DP_USAGE, "too many"}, {"YYYY-MM-DD", DP_UNSUPPORTED, "\"Y\""},
        {"aaaaaaaaaa-----------------------------------------------------------------------", DP_USAGE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_timeform *f = NULL;
        struct dp_err err = DP_ERR_INIT;
        if (dp_timeform_compile(dp_str_z(cases[i].form), &f, &err) != cases[i].status) fail_msg("%s: %s", cases[i].form, err.msg);
        if (!strstr(err.msg, cases[i].says)) fail_msg("%s: %s", cases[i].form, err.msg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(strings), cmocka_unit_test(times), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Protocols: upgrading to carry a feature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dp/delta/feature.h>
#include <stdlib.h>
#include <string.h>

/* "a b c" as a list; NULL: absent. */
static struct dp_delta_strs list(struct dp_arena *arena, const char *words) {
    struct dp_delta_strs out = {.is_set = words != NULL};
    out.v = dp_arena_calloc(arena, 40, sizeof *out.v);
    while (words && *words) {
        size_t n = strcspn(words, " ");
        out.v[out.n++] = dp_str(words, n);
        words += n + (words[n] == ' ');
    }
    return out;
}

static void join(const struct dp_delta_strs *l, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t i = 0; i < l->n; i++) {
        if (i) dp_buf_addc(out, ' ');
        dp_buf_adds(out, l->v[i]);
    }
}

static void upgrades(void **state) {
    static const struct {
        int64_t r, w;
        const char *rf, *wf;
        const char *names[3];
        enum dp_status status;
        bool changed;
        int64_t to_r, to_w;
        const char *to_rf, *to_wf;
    } cases[] = {
        {1, 2, NULL, NULL, {"appendOnly"}, DP_OK, false, 1, 2, "", ""},
        {1, 2, NULL, NULL, {"changeDataFeed"}, DP_OK, true, 1, 4, "", ""},
        {1, 1, NULL, NULL, {"invariants"}, DP_OK, true, 1, 2, "", ""},
        {1, 4, NULL, NULL, {"changeDataFeed"}, DP_OK, false, 1, 4, "", ""},
        {1, 2, NULL, NULL, {"columnMapping"}, DP_OK, true, 2, 5, "", ""},
        {1, 6, NULL, NULL, {"changeDataFeed"}, DP_OK, false, 1, 6, "", ""},
        {1, 2, NULL, NULL, {"deletionVectors"}, DP_OK, true, 3, 7, "deletionVectors", "appendOnly invariants deletionVectors"},
        {1, 2, NULL, NULL, {"deletionVectors", "changeDataFeed"}, DP_OK, true, 3, 7, "deletionVectors", "appendOnly invariants changeDataFeed deletionVectors"},
        {2, 5, NULL, NULL, {"deletionVectors"}, DP_OK, true, 3, 7, "columnMapping deletionVectors",
         "appendOnly invariants checkConstraints changeDataFeed generatedColumns columnMapping deletionVectors"},
        {1, 2, NULL, NULL, {"clustering"}, DP_OK, true, 1, 7, "", "appendOnly invariants domainMetadata clustering"},
        {2, 5, NULL, NULL, {"inCommitTimestamp"}, DP_OK, true, 2, 7, "",
         "appendOnly invariants checkConstraints changeDataFeed generatedColumns columnMapping inCommitTimestamp"},
        {1, 7, NULL, "appendOnly", {"columnMapping"}, DP_OK, true, 2, 7, "", "appendOnly columnMapping"},
        {2, 7, NULL, "columnMapping", {"v2Checkpoint"}, DP_OK, true, 3, 7, "columnMapping v2Checkpoint", "columnMapping v2Checkpoint"},
        {3, 7, "timestampNtz", "timestampNtz invariants", {"changeDataFeed"}, DP_OK, true, 3, 7, "timestampNtz", "timestampNtz invariants changeDataFeed"},
        {3, 7, "deletionVectors", "deletionVectors", {"deletionVectors"}, DP_OK, false, 3, 7, "deletionVectors", "deletionVectors"},
        {3, 7, "", "", {"deletionVectors"}, DP_OK, true, 3, 7, "deletionVectors", "deletionVectors"},
        {1, 2, NULL, NULL, {"collations"}, DP_UNSUPPORTED, false, 0, 0, "", ""},
        {1, 2, NULL, NULL, {"noSuchThing"}, DP_UNSUPPORTED, false, 0, 0, "", ""},
    };
    struct dp_buf b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_arena arena = {0};
        struct dp_err err = DP_ERR_INIT;
        struct dp_delta_protocol from = {cases[i].r, cases[i].w, list(&arena, cases[i].rf), list(&arena, cases[i].wf)}, to;
        size_t n = 0;
        bool changed;
        while (n < 3 && cases[i].names[n]) n++;
        assert_int_equal(dp_delta_upgrade_protocol(&from, cases[i].names, n, &arena, &to, &changed, &err), cases[i].status);
        if (cases[i].status == DP_OK) {
            assert_int_equal(changed, cases[i].changed);
            assert_int_equal(to.min_reader, cases[i].to_r);
            assert_int_equal(to.min_writer, cases[i].to_w);
            join(&to.reader_features, &b);
            assert_string_equal(dp_buf_z(&b), cases[i].to_rf);
            join(&to.writer_features, &b);
            assert_string_equal(dp_buf_z(&b), cases[i].to_wf);
            assert_int_equal(dp_delta_protocol_check(&to, &err), DP_OK);
            for (size_t k = 0; k < n; k++) assert_true(dp_delta_has_feature(&to, cases[i].names[k]) || cases[i].r == 1);
        }
        dp_arena_release(&arena);
    }
    dp_buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(upgrades)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Checkpoints that are written: what they keep and leave out, in every form; the hint's checksum; clean-up of the log. */
#include "tabledir.h"

#include "../../lib/delta/checkpoint_priv.h"

#include <fcntl.h>
#include <dp/base/md5.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/logclean.h>
#include <sys/stat.h>
#include <time.h>

#define DAY 86400000LL
#define NOW (100 * DAY)

static struct dp_delta_snapshot *latest(void) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_delta_open(dir, -1, &s, &err) != DP_OK) fail_msg("%s: %s", err.source, err.msg);
    return s;
}

/* Files of the log (or of a directory in it) whose names hold a word. */
static size_t count(const char *sub, const char *word) {
    char *log = dp_path_join(dir, "_delta_log"), *path = *sub ? dp_path_join(log, sub) : dp_strdup(log);
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) n += e->d_name[0] != '.' && strstr(e->d_name, word) != NULL;
    if (d) closedir(d);
    free(log), free(path);
    return n;
}

#define V2 "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\",\"deletionVectors\"]," \
           "\"writerFeatures\":[\"v2Checkpoint\",\"deletionVectors\",\"domainMetadata\",\"rowTracking\"]}}\n"
#define FIELD(name, type) "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}"

static void make_table(const char *configuration) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, V2 "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
                FIELD("id", "long") "," FIELD("d", "date") "," FIELD("at", "timestamp") "," FIELD("m", "decimal(9,2)") "," FIELD("s", "string") "," FIELD("p", "integer") "]}\","
                "\"partitionColumns\":[\"p\"],\"configuration\":{\"delta.setTransactionRetentionDuration\":\"interval 10 days\"%s%s}}}\n", *configuration ? "," : "", configuration);
    for (int i = 0; i < 7; i++)
        dp_buf_addf(&b, "{\"add\":{\"path\":\"f%d\",\"partitionValues\":{\"p\":%s},\"size\":%d,\"modificationTime\":1,\"dataChange\":true,\"baseRowId\":%d,\"defaultRowCommitVersion\":0,"
                    "\"stats\":\"{\\\"numRecords\\\":%d,\\\"minValues\\\":{\\\"id\\\":%d,\\\"d\\\":\\\"2024-01-01\\\",\\\"at\\\":\\\"2024-01-01T00:00:00.000Z\\\",\\\"m\\\":1.50,\\\"s\\\":\\\"a\\\"},"
                    "\\\"maxValues\\\":{\\\"id\\\":%d,\\\"d\\\":\\\"2024-02-01\\\",\\\"at\\\":\\\"2024-01-01T00:00:00.999Z\\\",\\\"m\\\":2.50,\\\"s\\\":\\\"b\\\"},\\\"nullCount\\\":{\\\"id\\\":0}}\"}}\n",
                    i, i == 3 ? "null" : "\"5\"", 100 + i, i * 10, i + 1, i, i + 10);
    /* Statistics of a type that the column does not have (any more). */
    dp_buf_addz(&b, "{\"add\":{\"path\":\"odd\",\"partitionValues\":{\"p\":\"5\"},\"size\":1,\"modificationTime\":1,\"dataChange\":true,"
                "\"stats\":\"{\\\"numRecords\\\":42,\\\"minValues\\\":{\\\"d\\\":\\\"no date\\\"}}\"}}\n");
    put_commit(0, dp_buf_z(&b));
    dp_buf_reset(&b);
    dp_buf_addf(&b, "{\"remove\":{\"path\":\"f0\",\"deletionTimestamp\":%lld,\"dataChange\":true,\"baseRowId\":0,\"defaultRowCommitVersion\":0}}\n", NOW - DAY);
    dp_buf_addf(&b, "{\"remove\":{\"path\":\"f1\",\"deletionTimestamp\":%lld,\"dataChange\":true}}\n", NOW - 8 * DAY);
    dp_buf_addz(&b, "{\"remove\":{\"path\":\"f2\",\"dataChange\":true}}\n");
    dp_buf_addf(&b, "{\"txn\":{\"appId\":\"young\",\"version\":5,\"lastUpdated\":%lld}}\n", NOW - DAY);
    dp_buf_addf(&b, "{\"txn\":{\"appId\":\"old\",\"version\":6,\"lastUpdated\":%lld}}\n", NOW - 11 * DAY);
    dp_buf_addz(&b, "{\"txn\":{\"appId\":\"timeless\",\"version\":7}}\n{\"domainMetadata\":{\"domain\":\"live\",\"configuration\":\"{}\",\"removed\":false}}\n"
                "{\"domainMetadata\":{\"domain\":\"gone\",\"configuration\":\"{}\",\"removed\":true}}\n{\"commitInfo\":{\"operation\":\"DELETE\"}}\n");
    put_commit(1, dp_buf_z(&b));
    dp_buf_release(&b);
}

static const struct dp_delta_file *live(const struct dp_delta_snapshot *s, const char *path) {
    const struct dp_map_item *item = dp_map_get(&s->files, dp_str_z(path));
    assert_non_null(item);
    return item->v.p;
}

static void forms(void **state) {
    static const struct {
        const char *configuration;
        enum dp_delta_checkpoint_policy form;
        int64_t sidecar_actions;
        size_t classic, uuid, sidecars;
        bool json;
    } cases[] = {
        {"", DP_DELTA_FORM_AUTO, 0, 1, 0, 0, true},
        {"\"delta.checkpointPolicy\":\"v2\"", DP_DELTA_FORM_AUTO, 0, 0, 1, 0, true},
        {"\"delta.checkpointPolicy\":\"v2\"", DP_DELTA_FORM_CLASSIC, 0, 1, 0, 0, true},
        {"", DP_DELTA_FORM_V2, 2, 0, 1, 3, true},
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\"", DP_DELTA_FORM_AUTO, 0, 1, 0, 0, true},
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\",\"delta.checkpoint.writeStatsAsJson\":\"false\"", DP_DELTA_FORM_AUTO, 0, 1, 0, 0, false},
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\",\"delta.checkpoint.writeStatsAsJson\":\"false\"", DP_DELTA_FORM_V2, 3, 0, 1, 2, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_expr *e = NULL;
        remove_tree(dir);
        make_table(cases[i].configuration);
        struct dp_delta_snapshot *s = latest();
        struct dp_delta_checkpoint_opts o = {.form = cases[i].form, .now_ms = NOW, .sidecar_actions = cases[i].sidecar_actions};
        if (dp_delta_checkpoint_make(s, &o, &err) != DP_OK) fail_msg("case %zu: %s", i, err.msg);
        dp_delta_close(s);
        assert_int_equal(count("", "1.checkpoint.parquet"), cases[i].classic);
        assert_int_equal(count("", "1.checkpoint."), 1);
        assert_int_equal(count("_sidecars", ".parquet"), cases[i].sidecars);
        for (int64_t v = 0; v < 2; v++) {
            char *path = dp_delta_commit_path(dir, v);
            unlink(path);
            free(path);
        }
        s = latest();
        assert_int_equal(s->version, 1);
        assert_int_equal(s->n_files, 5);
        assert_int_equal(s->tombstones.live, 1);
        assert_int_equal(s->txns.live, 2);
        assert_null(dp_map_get(&s->txns, DP_STR("old")));
        assert_int_equal(s->domains.live, 1);
        const struct dp_delta_file *f = live(s, "f6"), *odd = live(s, "odd"), *null = live(s, "f3");
        assert_int_equal(f->base_row_id, 60);
        assert_int_equal(f->default_row_commit_version, 0);
        assert_int_equal(f->stats.n > 0, cases[i].json);
        assert_int_equal(dp_delta_file_rows(f), 7);
        assert_int_equal(dp_delta_file_rows(odd), 42);
        assert_true(null->partition_values.v[0].is_null);
        assert_int_equal(dp_expr_compile(DP_STR(".id > 16 or .d < \"2024-01-01\" or .m > 2.5 or .at > \"2024-01-01T00:00:05Z\""), &e, &err), DP_OK);
        assert_int_equal(dp_delta_file_skip(s, f, e), DP_NEVER);
        dp_expr_free(e);
        assert_int_equal(dp_expr_compile(DP_STR(".id == 16"), &e, &err), DP_OK);
        assert_int_not_equal(dp_delta_file_skip(s, f, e), DP_NEVER);
        dp_expr_free(e);
        dp_delta_close(s);
    }
}

static void form_needs_its_feature(void **state) {
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    make_table("");
    struct dp_delta_snapshot *s = latest();
    s->protocol.writer_features.v[0] = DP_STR("other");
    assert_int_equal(dp_delta_checkpoint_make(s, &(struct dp_delta_checkpoint_opts){.form = DP_DELTA_FORM_V2, .now_ms = NOW}, &err), DP_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "v2Checkpoint"));
    dp_delta_close(s);
}

/* ---- the hint ---- */

static void checksum(const char *json, char out[33], struct dp_buf *canonical) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    dp_buf_addz(&text, json);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    assert_int_equal(dp_scan_value(scan, text.p, text.n, &r, &err), DP_OK);
    dp_buf_reset(canonical);
    dp_delta_hint_canonical(&r, canonical);
    dp_md5_hex(dp_buf_str(canonical), out);
    dp_scan_close(scan);
    dp_buf_release(&text);
}

static void md5(void **state) {
    static const struct {
        const char *text, *sum;
    } cases[] = {{"", "d41d8cd98f00b204e9800998ecf8427e"}, {"abc", "900150983cd24fb0d6963f7d28e17f72"},
                 {"12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"}};
    char sum[33];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dp_md5_hex(dp_str_z(cases[i].text), sum);
        assert_string_equal(sum, cases[i].sum);
    }
}

static void hint_checksum(void **state) {
    struct dp_buf canonical = {0}, text = {0};
    char sum[33];
    (void)state;
    checksum("{\"k0\":\"'v 0'\",\"checksum\":\"x\",\"k1\":{\"k2\":2,\"k3\":[\"v3\",[1,2],{\"k4\":\"v4\",\"k5\":[\"v5\",\"v6\",\"v7\"]}]}}", sum, &canonical);
    assert_string_equal(sum, "6a92d155a59bf2eecbd4b4ec7fd1f875");
    dp_delta_hint_print(&(struct dp_delta_checkpoint_hint){.version = 3, .actions = 9, .adds = 5, .size_bytes = 77, .v2_path = DP_STR("x.parquet"), .v2_size = 7, .v2_modified = 8}, &text);
    assert_true(dp_str_starts(dp_buf_str(&text), DP_STR("{\"version\":3,\"size\":9,\"sizeInBytes\":77,\"numOfAddFiles\":5,\"v2Checkpoint\":{\"path\":\"x.parquet\",")));
    checksum(dp_buf_z(&text), sum, &canonical);
    assert_non_null(strstr(dp_buf_z(&text), sum));
    dp_buf_release(&canonical);
    dp_buf_release(&text);
}

/* ---- clean-up ---- */

static void age(const char *path, int64_t ms) {
    struct timespec t[2] = {{(time_t)(ms / 1000), 0}, {(time_t)(ms / 1000), 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* Versions 0 to 6, one a day up to `newest`, with checkpoints at 2 and 5. */
static void make_history(const char *configuration, int64_t newest) {
    struct dp_err err = DP_ERR_INIT;
    make_table(configuration);
    for (int64_t v = 2; v < 7; v++) {
        put_commit(v, "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n");
        if (v != 2 && v != 5) continue;
        struct dp_delta_snapshot *s = latest();
        assert_int_equal(dp_delta_checkpoint_make(s, &(struct dp_delta_checkpoint_opts){.form = v == 2 ? DP_DELTA_FORM_V2 : DP_DELTA_FORM_AUTO, .now_ms = NOW, .sidecar_actions = 2}, &err), DP_OK);
        dp_delta_close(s);
    }
    for (int64_t v = 0; v < 7; v++) {
        char *path = dp_delta_commit_path(dir, v);
        age(path, newest - (6 - v) * DAY);
        free(path);
    }
}

static void cleaning(void **state) {
    static const struct {
        const char *configuration;
        int64_t days;          /* age of the newest entry */
        bool dry_run;
        int64_t oldest;
        size_t commits, checkpoints, sidecars;
    } cases[] = {
        {"", 20, false, -1, 7, 2, 3},                        /* young */
        {"", 31, false, 5, 2, 1, 0},                         /* all old: the entries from the newest checkpoint on stay */
        {"", 31, true, 5, 7, 2, 3},
        {"", 28, false, 2, 5, 2, 3},                         /* version 5 is not old enough, so the checkpoint of 2 stays */
        {"\"delta.logRetentionDuration\":\"interval 60 days\"", 31, false, -1, 7, 2, 3},
        {"\"delta.logRetentionDuration\":\"interval 1 day\"", 3, false, 5, 2, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_delta_cleaned done;
        int64_t now = NOW + 40 * DAY;
        remove_tree(dir);
        make_history(cases[i].configuration, now - cases[i].days * DAY);
        struct dp_delta_snapshot *s = latest();
        char *log = dp_path_join(dir, "_delta_log"), *sidecars = dp_path_join(log, "_sidecars");
        DIR *d = opendir(sidecars);
        for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
            char *path = dp_path_join(sidecars, e->d_name);
            if (e->d_name[0] != '.') age(path, now - 2 * DAY);
            free(path);
        }
        closedir(d);
        assert_int_equal(dp_delta_log_clean(s, &(struct dp_delta_clean_opts){.now_ms = now, .dry_run = cases[i].dry_run}, &done, &err), DP_OK);
        assert_int_equal(done.oldest, cases[i].oldest);
        assert_int_equal(count("", ".json"), cases[i].commits);
        assert_int_equal(count("", ".checkpoint."), cases[i].checkpoints);
        assert_int_equal(count("_sidecars", ".parquet"), cases[i].sidecars);
        dp_delta_close(s);
        s = latest();
        assert_int_equal(s->version, 6);
        assert_int_equal(s->n_files, 5);
        dp_delta_close(s);
        free(log), free(sidecars);
    }
}

/* A checkpoint that can't be read holds nothing up. */
static void cleaning_reads_what_stays(void **state) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_delta_cleaned done;
    int64_t now = NOW + 40 * DAY;
    struct dp_buf path = {0};
    (void)state;
    make_history("", now - 31 * DAY);
    dp_buf_addf(&path, "%s/_delta_log/%020d.checkpoint.parquet", dir, 5);
    assert_int_equal(truncate(dp_buf_z(&path), 100), 0);
    struct dp_delta_snapshot *s = latest();
    assert_int_equal(dp_delta_log_clean(s, &(struct dp_delta_clean_opts){.now_ms = now}, &done, &err), DP_OK);
    assert_int_equal(done.oldest, 2);
    assert_int_equal(count("", ".json"), 5);
    dp_delta_close(s);
    dp_buf_release(&path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, in_new_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(md5), cmocka_unit_test(hint_checksum), TEST(forms), TEST(form_needs_its_feature), TEST(cleaning),
                                       TEST(cleaning_reads_what_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

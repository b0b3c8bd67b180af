/* Concurrent commits: each rule of conflict both ways, and what an entry gets anew when it goes behind another. */
#include "tabledir.h"

#include <dp/delta/commit.h>

static void get_commit(int64_t version, struct dp_buf *text) {
    struct dp_err err = DP_ERR_INIT;
    char *path = dp_delta_commit_path(dir, version);
    dp_buf_reset(text);
    assert_int_equal(dp_file_read(path, 1u << 20, text, &err), DP_OK);
    free(path);
}

static struct dp_delta_snapshot *latest(void) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_delta_open(dir, -1, &s, &err) != DP_OK) fail_msg("%s: %s", err.source, err.msg);
    return s;
}

/* ---- the table ---- */

#define FIELDS "{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{%s}}," \
               "{\\\"name\\\":\\\"p\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{%s}}"

static void print_metadata(const char *configuration, const char *id_meta, const char *p_meta, struct dp_buf *b) {
    dp_buf_addf(b, "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" FIELDS
                "]}\",\"partitionColumns\":[\"p\"],\"configuration\":{%s}}}\n", id_meta, p_meta, configuration);
}

#define ADD(path, p, lo, hi) "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{\"p\":\"" p "\"},\"size\":1,\"modificationTime\":1,\"dataChange\":true," \
    "\"stats\":\"{\\\"numRecords\\\":10,\\\"minValues\\\":{\\\"id\\\":" #lo "},\\\"maxValues\\\":{\\\"id\\\":" #hi "},\\\"nullCount\\\":{\\\"id\\\":0}}\"}}\n"
#define REMOVE(path, p) "{\"remove\":{\"path\":\"" path "\",\"deletionTimestamp\":5,\"dataChange\":true,\"extendedFileMetadata\":true,\"partitionValues\":{\"p\":\"" p "\"},\"size\":1}}\n"
#define INFO(blind) "{\"commitInfo\":{\"operation\":\"WRITE\",\"isBlindAppend\":" blind "}}\n"
#define OLD "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define NEW(r, w) "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[" r "],\"writerFeatures\":[\"appendOnly\",\"invariants\"" w "]}}\n"

/* Version 0 with a1 (p=1, ids 0 to 9), a2 (p=2, 10 to 19) and b2 (p=2, 20 to 29). */
static void make_table(const char *protocol, const char *configuration) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, protocol);
    print_metadata(configuration, "", "", &b);
    dp_buf_addz(&b, ADD("a1", "1", 0, 9) ADD("a2", "2", 10, 19) ADD("b2", "2", 20, 29));
    put_commit(0, dp_buf_z(&b));
    dp_buf_release(&b);
}

static const struct dp_delta_file *live(const struct dp_delta_snapshot *s, const char *path) {
    const struct dp_map_item *item = dp_map_get(&s->files, dp_str_z(path));
    assert_non_null(item);
    return item->v.p;
}

static struct dp_delta_file new_file(const char *path, struct dp_delta_pair *pair) {
    return (struct dp_delta_file){.path = dp_str_z(path), .partition_values = {pair, 1}, .size = 10, .deletion_timestamp = DP_DELTA_UNSET, .data_change = true,
                                  .stats = DP_STR("{\"numRecords\":10}"), .dv.offset = DP_DELTA_UNSET, .base_row_id = DP_DELTA_UNSET,
                                  .default_row_commit_version = DP_DELTA_UNSET};
}

/* ---- the rules ---- */

enum { NOTHING = DP_DELTA_READ_NOTHING, WHERE = DP_DELTA_READ_WHERE, TABLE = DP_DELTA_READ_TABLE };

struct rule {
    const char *name;
    /* mine */
    enum dp_delta_mode mode;
    int reads;
    const char *where;
    bool rearranges;
    const char *removes;       /* a path */
    const char *add;           /* a partition; NULL: none */
    bool metadata, protocol;
    const char *domain, *app;
    const char *configuration; /* of the table */
    /* theirs, in one or two commits */
    const char *winner, *second;
    enum dp_status status;
    const char *words;         /* part of the message */
};

#define SERIAL ""
#define WS "\"delta.isolationLevel\":\"WriteSerializable\""

static const struct rule rules[] = {
    /* appends */
    {.name = "append behind append", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "append behind removal", .add = "1", .winner = INFO("false") REMOVE("a1", "1"), .status = DP_OK},
    {.name = "append behind overwrite", .add = "1", .winner = INFO("false") REMOVE("a1", "1") REMOVE("a2", "2") REMOVE("b2", "2") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "append behind a transaction", .add = "1", .app = "x", .winner = "{\"txn\":{\"appId\":\"y\",\"version\":1}}\n", .status = DP_OK},
    {.name = "append behind its transaction", .add = "1", .app = "x", .winner = "{\"txn\":{\"appId\":\"x\",\"version\":1}}\n", .status = DP_END},
    /* protocol */
    {.name = "protocol with a duty", .add = "1", .winner = NEW("", ",\"clustering\",\"domainMetadata\""), .status = DP_AGAIN, .words = "protocol"},
    {.name = "protocol unknown", .add = "1", .winner = NEW("", ",\"somethingNew\""), .status = DP_AGAIN, .words = "protocol"},
    {.name = "protocol drops a feature", .add = "1", .winner = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":1}}\n", .status = DP_AGAIN, .words = "protocol"},
    {.name = "protocol widens", .add = "1", .winner = NEW("\"deletionVectors\"", ",\"deletionVectors\""), .status = DP_OK},
    {.name = "protocol by number", .add = "1", .winner = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":4}}\n", .status = DP_OK},
    {.name = "protocol and mine", .protocol = true, .winner = NEW("\"deletionVectors\"", ",\"deletionVectors\""), .status = DP_AGAIN, .words = "protocol"},
    /* domains */
    {.name = "domain the same", .domain = "d", .winner = "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\",\"removed\":false}}\n", .status = DP_AGAIN, .words = "domain"},
    {.name = "domain another", .domain = "d", .winner = "{\"domainMetadata\":{\"domain\":\"e\",\"configuration\":\"{}\",\"removed\":false}}\n", .status = DP_OK},
    {.name = "domain of row ids", .domain = "delta.rowTracking", .winner = "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{}\",\"removed\":false}}\n", .status = DP_OK},
    /* added to what was read */
    {.name = "added, table read", .reads = TABLE, .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "added elsewhere by value", .reads = WHERE, .where = ".p == \"1\"", .add = "1", .winner = INFO("true") ADD("n", "2", 0, 9), .status = DP_OK},
    {.name = "added there by value", .reads = WHERE, .where = ".p == \"1\"", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "added elsewhere by statistics", .reads = WHERE, .where = ".id > 100", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 100), .status = DP_OK},
    {.name = "added there by statistics", .reads = WHERE, .where = ".id > 100", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 101), .status = DP_AGAIN, .words = "added files"},
    {.name = "blind, write serializable", .reads = TABLE, .add = "1", .configuration = WS, .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "not blind, write serializable", .reads = TABLE, .add = "1", .configuration = WS, .winner = INFO("false") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "not said, write serializable", .reads = TABLE, .add = "1", .configuration = WS, .winner = ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "blind, write serializable, metadata", .reads = TABLE, .metadata = true, .configuration = WS, .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "rearranged and added", .reads = TABLE, .rearranges = true, .removes = "a1", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "rearranged and added, domain", .reads = TABLE, .rearranges = true, .removes = "a1", .add = "1", .domain = "d", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    /* removed of what was read */
    {.name = "removed, table read", .reads = TABLE, .add = "1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_AGAIN, .words = "has read"},
    {.name = "removed, table read, write serializable", .reads = TABLE, .add = "1", .configuration = WS, .winner = INFO("false") REMOVE("a2", "2"), .status = DP_AGAIN, .words = "has read"},
    {.name = "removed elsewhere by value", .reads = WHERE, .where = ".p == \"1\"", .add = "1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_OK},
    {.name = "removed elsewhere by statistics", .reads = WHERE, .where = ".id >= 20", .add = "1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_OK},
    {.name = "removed there by statistics", .reads = WHERE, .where = ".id >= 19", .add = "1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_AGAIN, .words = "has read"},
    {.name = "removed what came between", .reads = WHERE, .where = ".id > 100", .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .second = REMOVE("n", "1") ADD("m", "1", 0, 9), .status = DP_OK},
    {.name = "rearranged and removed elsewhere", .reads = TABLE, .rearranges = true, .removes = "a1", .add = "1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_OK},
    /* removed twice */
    {.name = "removed twice", .removes = "a1", .winner = INFO("false") REMOVE("a1", "1"), .status = DP_AGAIN, .words = "replaces"},
    {.name = "removed twice, rearranged", .rearranges = true, .removes = "a1", .add = "1", .winner = REMOVE("a1", "1") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "replaces"},
    {.name = "removed twice, write serializable", .removes = "a1", .configuration = WS, .winner = REMOVE("a1", "1"), .status = DP_AGAIN, .words = "replaces"},
    {.name = "removed another", .removes = "a1", .winner = INFO("false") REMOVE("a2", "2"), .status = DP_OK},
    {.name = "re-added what mine removes", .removes = "a1", .winner = ADD("a1", "1", 0, 9), .status = DP_AGAIN, .words = "replaces"},
    /* modes */
    {.name = "overwrite and added", .mode = DP_DELTA_OVERWRITE, .add = "1", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "overwrite and added, write serializable", .mode = DP_DELTA_OVERWRITE, .add = "1", .configuration = WS, .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "overwrite and removed", .mode = DP_DELTA_OVERWRITE, .add = "1", .winner = REMOVE("a1", "1"), .status = DP_AGAIN, .words = "replaces"},
    {.name = "replace and added there", .mode = DP_DELTA_REPLACE, .add = "2", .winner = INFO("true") ADD("n", "2", 0, 9), .status = DP_AGAIN, .words = "added files"},
    {.name = "replace and added elsewhere", .mode = DP_DELTA_REPLACE, .add = "2", .winner = INFO("true") ADD("n", "1", 0, 9), .status = DP_OK},
    {.name = "replace and removed elsewhere", .mode = DP_DELTA_REPLACE, .add = "2", .winner = REMOVE("a1", "1"), .status = DP_OK},
};

static enum dp_status publish(const struct dp_delta_snapshot *base, const struct rule *r, int64_t *version, struct dp_err *err) {
    struct dp_delta_pair pair = {DP_STR("p"), dp_str_z(r->add ? r->add : ""), false};
    struct dp_delta_file f = new_file("mine", &pair);
    const struct dp_delta_file *gone = r->removes ? live(base, r->removes) : NULL;
    struct dp_delta_domain d = {dp_str_z(r->domain ? r->domain : ""), DP_STR("{}"), false};
    struct dp_delta_txn t = {dp_str_z(r->app ? r->app : ""), 1, 5000};
    struct dp_expr *where = NULL;
    if (r->where) assert_int_equal(dp_expr_compile(dp_str_z(r->where), &where, err), DP_OK);
    struct dp_delta_change c = {.mode = r->mode, .reads = (enum dp_delta_reads)r->reads, .where = where, .rearranges = r->rearranges, .removes = &gone, .n_removes = gone != NULL,
                                .adds = &f, .n_adds = r->add != NULL, .domains = &d, .n_domains = r->domain != NULL, .txns = &t, .n_txns = r->app != NULL,
                                .metadata = r->metadata ? &base->metadata : NULL, .protocol = r->protocol ? &base->protocol : NULL,
                                .operation = "WRITE", .parameters = "{}", .rows = -1, .now_ms = 5000};
    enum dp_status status = dp_delta_publish(dir, base, &c, version, err);
    dp_expr_free(where);
    return status;
}

static void rules_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        struct dp_err err = DP_ERR_INIT;
        int64_t version = -1;
        remove_tree(dir);
        make_table(OLD, r->configuration ? r->configuration : SERIAL);
        struct dp_delta_snapshot *base = latest();
        put_commit(1, r->winner);
        if (r->second) put_commit(2, r->second);
        enum dp_status status = publish(base, r, &version, &err);
        if (status != r->status) fail_msg("%s: status %d (%s), wanted %d", r->name, (int)status, err.msg, (int)r->status);
        if (r->words && !strstr(err.msg, r->words)) fail_msg("%s: \"%s\" does not say \"%s\"", r->name, err.msg, r->words);
        if (status == DP_OK) assert_int_equal(version, r->second ? 3 : 2);
        dp_delta_close(base);
    }
}

/* ---- metaData of a winner ---- */

#define FULL NEW("\"deletionVectors\",\"v2Checkpoint\",\"columnMapping\"", ",\"deletionVectors\",\"v2Checkpoint\",\"columnMapping\",\"rowTracking\",\"domainMetadata\",\"inCommitTimestamp\"")
#define MAPPED(id, name) "\\\"delta.columnMapping.id\\\":" #id ",\\\"delta.columnMapping.physicalName\\\":\\\"" name "\\\""

static void metadata_of_winner(void **state) {
    static const struct {
        const char *before, *after, *id_meta, *p_meta;
        bool mine;
        enum dp_status status;
    } cases[] = {
        {"", "", "", "", false, DP_OK},
        {"", "", "", "", true, DP_AGAIN},
        {"", "\"dp.note\":\"x\"", "", "", false, DP_AGAIN},
        {"\"dp.note\":\"x\"", "", "", "", false, DP_AGAIN},
        {"", "\"delta.enableDeletionVectors\":\"true\"", "", "", false, DP_OK},
        {"", "\"delta.checkpointPolicy\":\"v2\"", "", "", false, DP_OK},
        {"", "\"delta.enableRowTracking\":\"true\",\"delta.rowTracking.materializedRowIdColumnName\":\"r\"", "", "", false, DP_OK},
        {"", "\"delta.enableInCommitTimestamps\":\"true\"", "", "", false, DP_OK},
        {"", "\"delta.enableChangeDataFeed\":\"true\"", "", "", false, DP_AGAIN},
        {"", "", "\\\"comment\\\":\\\"c\\\"", "", false, DP_AGAIN},
        {"", "\"delta.columnMapping.mode\":\"name\",\"delta.columnMapping.maxColumnId\":\"2\"", MAPPED(1, "id"), MAPPED(2, "p"), false, DP_OK},
        {"", "\"delta.columnMapping.mode\":\"name\",\"delta.columnMapping.maxColumnId\":\"2\"", MAPPED(1, "col-1"), MAPPED(2, "p"), false, DP_AGAIN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        int64_t version;
        remove_tree(dir);
        make_table(FULL, cases[i].before);
        struct dp_delta_snapshot *base = latest();
        print_metadata(cases[i].after, cases[i].id_meta, cases[i].p_meta, &b);
        put_commit(1, dp_buf_z(&b));
        enum dp_status status = publish(base, &(struct rule){.add = "1", .metadata = cases[i].mine}, &version, &err);
        if (status != cases[i].status) fail_msg("case %zu: status %d (%s)", i, (int)status, err.msg);
        dp_delta_close(base);
        dp_buf_release(&b);
    }
}

/* ---- what is made anew ---- */

static void row_ids(void **state) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf text = {0};
    int64_t version;
    (void)state;
    make_table(NEW("", ",\"rowTracking\",\"domainMetadata\""), "");
    put_commit(1, "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{\\\"rowIdHighWaterMark\\\":99}\",\"removed\":false}}\n");
    struct dp_delta_snapshot *base = latest();
    put_commit(2, "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{\\\"rowIdHighWaterMark\\\":149}\",\"removed\":false}}\n");
    assert_int_equal(publish(base, &(struct rule){.add = "1"}, &version, &err), DP_OK);
    assert_int_equal(version, 3);
    get_commit(3, &text);
    assert_non_null(strstr(dp_buf_z(&text), "\"baseRowId\":150,\"defaultRowCommitVersion\":3"));
    assert_non_null(strstr(dp_buf_z(&text), "{\\\"rowIdHighWaterMark\\\":159}"));
    dp_delta_close(base);

    /* The same path with a deletion vector keeps what it had, and its removal repeats it. */
    put_commit(4, NEW("\"deletionVectors\"", ",\"rowTracking\",\"domainMetadata\",\"deletionVectors\""));
    base = latest();
    const struct dp_delta_file *was = live(base, "mine");
    struct dp_delta_file with = *was;
    with.dv = (struct dp_delta_dv){DP_STR("i"), DP_STR("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), DP_DELTA_UNSET, 40, 6};
    with.base_row_id = with.default_row_commit_version = DP_DELTA_UNSET;
    struct dp_delta_change c = {.removes = &was, .n_removes = 1, .adds = &with, .n_adds = 1, .operation = "DELETE", .parameters = "{}", .rows = -1, .now_ms = 6000};
    assert_int_equal(dp_delta_publish(dir, base, &c, &version, &err), DP_OK);
    get_commit(version, &text);
    const char *first = strstr(dp_buf_z(&text), "\"baseRowId\":150,\"defaultRowCommitVersion\":3");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "\"baseRowId\":150,\"defaultRowCommitVersion\":3"));
    assert_null(strstr(dp_buf_z(&text), "rowIdHighWaterMark"));
    dp_delta_close(base);
    dp_buf_release(&text);
}

static void row_ids_suspended(void **state) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf text = {0};
    int64_t version;
    (void)state;
    make_table(NEW("", ",\"rowTracking\",\"domainMetadata\""), "\"delta.rowTrackingSuspended\":\"true\"");
    struct dp_delta_snapshot *base = latest();
    assert_int_equal(publish(base, &(struct rule){.add = "1"}, &version, &err), DP_OK);
    get_commit(1, &text);
    assert_null(strstr(dp_buf_z(&text), "baseRowId"));
    assert_null(strstr(dp_buf_z(&text), "domainMetadata"));
    dp_delta_close(base);
    dp_buf_release(&text);
}

static void in_commit_timestamps(void **state) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf text = {0};
    int64_t version;
    (void)state;
    make_table(NEW("", ",\"inCommitTimestamp\""), "\"delta.enableInCommitTimestamps\":\"true\"");
    struct dp_delta_snapshot *base = latest();
    put_commit(1, "{\"commitInfo\":{\"inCommitTimestamp\":4102444800000,\"timestamp\":1,\"operation\":\"WRITE\"}}\n" ADD("n", "1", 0, 9));
    assert_int_equal(publish(base, &(struct rule){.add = "1"}, &version, &err), DP_OK);
    get_commit(2, &text);
    assert_true(dp_str_starts(dp_buf_str(&text), DP_STR("{\"commitInfo\":{\"inCommitTimestamp\":4102444800001,")));
    dp_delta_close(base);
    dp_buf_release(&text);
}

/* The commit that turns them on says so itself, with its own version and time. */
static void in_commit_timestamps_enabled(void **state) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf text = {0};
    int64_t version;
    (void)state;
    make_table(NEW("", ",\"inCommitTimestamp\""), "");
    struct dp_delta_snapshot *base = latest();
    put_commit(1, INFO("true") ADD("n", "1", 0, 9));
    struct dp_delta_metadata m = base->metadata;
    struct dp_delta_pair on = {DP_STR("delta.enableInCommitTimestamps"), DP_STR("true"), false};
    m.configuration = (struct dp_delta_pairs){&on, 1};
    struct dp_delta_change c = {.metadata = &m, .operation = "SET TBLPROPERTIES", .parameters = "{}", .rows = -1, .now_ms = 4102444800000};
    assert_int_equal(dp_delta_publish(dir, base, &c, &version, &err), DP_OK);
    get_commit(2, &text);
    assert_true(dp_str_starts(dp_buf_str(&text), DP_STR("{\"commitInfo\":{\"inCommitTimestamp\":4102444800000,")));
    assert_non_null(strstr(dp_buf_z(&text), "\"delta.inCommitTimestampEnablementVersion\":\"2\",\"delta.inCommitTimestampEnablementTimestamp\":\"4102444800000\""));
    dp_delta_close(base);
    dp_buf_release(&text);
}

/* A log that was cleaned while the change was made has no place for it behind its base. */
static void cleaned_log(void **state) {
    struct dp_err err = DP_ERR_INIT;
    int64_t version;
    (void)state;
    make_table(OLD, "");
    struct dp_delta_snapshot *base = latest();
    put_commit(7, INFO("true"));
    char *first = dp_delta_commit_path(dir, 0);
    unlink(first);
    free(first);
    assert_int_equal(publish(base, &(struct rule){.add = "1"}, &version, &err), DP_AGAIN);
    assert_non_null(strstr(err.msg, "cleaned"));
    dp_delta_close(base);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, in_new_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(rules_both_ways), TEST(metadata_of_winner), TEST(row_ids), TEST(row_ids_suspended), TEST(in_commit_timestamps),
                                       TEST(in_commit_timestamps_enabled), TEST(cleaned_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a job is called: the same tomorrow, whatever the date, the part or the descriptor; and what of an error leaves the machine. */
#include "dpt.h"

#include "../../lib/cli/lineage_priv.h"

static const struct dp_tool map = {.name = "dp-map"}, table = {.name = "dp-table"}, commit = {.name = "commit", .args = "TABLE"},
                            clone = {.name = "clone", .args = "TABLE", .second = "DEST"};

static void test_names_of_jobs(void **state) {
    (void)state;
    static const struct {
        const struct dp_tool *root, *tool;
        const char *job, *output, *args[3], *name;
    } cases[] = {
        {&map, &map, "dp", NULL, {NULL}, "dp-map"},
        {&map, &map, "shop", NULL, {"s3://b/orders"}, "shop.dp-map"},
        {&map, &map, "shop", "/lake", {NULL}, "shop.dp-map"},
        {&table, &commit, "shop", NULL, {"/lake"}, "shop.dp-table-commit"},
        {&table, &commit, "dp", NULL, {"/lake/orders/"}, "dp-table-commit:/lake/orders"},
        {&table, &commit, "dp", NULL, {"/lake/./x/../orders"}, "dp-table-commit:/lake/orders"},
        {&table, &clone, "dp", NULL, {"/lake/a", "/lake/b"}, "dp-table-clone:/lake/b"},
        {&map, &map, "dp", "/out", {"s3://b/in"}, "dp-map:/out"},
        {&map, &map, "dp", NULL, {"/no/such/file"}, "dp-map"},
        /* parts that pass: dates, long numbers, patterns */
        {&table, &commit, "dp", NULL, {"/lake/day=2026-01-02/x"}, "dp-table-commit:/lake"},
        {&table, &commit, "dp", NULL, {"/lake/2026.01/x"}, "dp-table-commit:/lake"},
        {&table, &commit, "dp", NULL, {"/lake/part-00001"}, "dp-table-commit:/lake"},
        {&map, &map, "dp", NULL, {"/lake/*.csv"}, "dp-map:/lake"},
        {&map, &map, "dp", NULL, {"/lake/a?.csv"}, "dp-map:/lake"},
        /* and those that last: a year, a version, four digits */
        {&table, &commit, "dp", NULL, {"/lake/2026/x"}, "dp-table-commit:/lake/2026/x"},
        {&table, &commit, "dp", NULL, {"/lake/v12/1234"}, "dp-table-commit:/lake/v12/1234"},
        {&table, &commit, "dp", NULL, {"/lake/2026-1x"}, "dp-table-commit:/lake/2026-1x"},
        /* nothing is left */
        {&table, &commit, "dp", NULL, {"/20260102"}, "dp-table-commit"},
        {&table, &commit, "dp", NULL, {"/"}, "dp-table-commit"},
        {&table, &commit, "dp", NULL, {"/dev/fd/63"}, "dp-table-commit"},
        {&table, &commit, "dp", NULL, {"/proc/self/fd/0"}, "dp-table-commit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_cli cli = {.root = cases[i].root, .tool = cases[i].tool, .args = cases[i].args};
        while (cli.n_args < 3 && cases[i].args[cli.n_args]) cli.n_args++;
        snprintf(cli.run.job, sizeof cli.run.job, "%s", cases[i].job);
        cli.common.output = cases[i].output;
        char *name = lineage_job_name(&cli);
        if (strcmp(name, cases[i].name) != 0) fail_msg("case %zu: %s, not %s", i, name, cases[i].name);
        free(name);
    }
}

static void test_texts_of_errors(void **state) {
    (void)state;
    static const struct {
        enum dp_status status;
        const char *source, *msg, *text;
        uint64_t line;
    } cases[] = {
        {DP_IO, "a.csv", "No such file or directory", "a.csv: No such file or directory", 0},
        {DP_IO, "", "disk (full)", "disk (full)", 0}, /* no data is at fault: all of it is told */
        {DP_FORMAT, "a.csv", "field 3: \"Ann\" is no number", "a.csv:7: field 3 ...", 7},
        {DP_RECORD, "a.csv", "id: expected integer, got Ann", "a.csv:7: id: expected integer ...", 7},
        {DP_SCHEMA, "", "id (Ann) is not there", "id ...", 0},
        {DP_IO, "", "one\ntwo\tthree\x7f", "one two three ", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_cli cli = {.root = &map, .tool = &map};
        struct dp_err err = DP_ERR_INIT;
        err.status = cases[i].status, err.line = cases[i].line;
        snprintf(err.source, sizeof err.source, "%s", cases[i].source);
        snprintf(err.msg, sizeof err.msg, "%s", cases[i].msg);
        char *text = lineage_error_text(&cli, &err);
        if (strcmp(text, cases[i].text) != 0) fail_msg("case %zu: %s, not %s", i, text, cases[i].text);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_of_jobs), cmocka_unit_test(test_texts_of_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

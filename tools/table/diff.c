/*
 * dp-table diff: what makes two versions of a table, or two tables, differ.
 *
 * With --rows the rows that only one has, as records; with --marks a stream, which can be merged.
 */
#include "table.h"

#include <dp/delta/changes.h>
#include <dp/io/datasets.h>
#include <dp/io/lines.h>
#include <dp/io/table_diff.h>

#include <stdlib.h>
#include <sys/stat.h>

struct diff_conf {
    bool rows;
};

static const struct dp_opt diff_options[] = {
    DP_OPT_FLAG(diff_conf, rows, "rows", 0, "print the rows that only one has, with _change_type delete or insert, instead"),
    DP_OPT_END};

/* Output of --rows. */
struct printing {
    struct dp_cli *cli;
    struct dp_lines out;
    struct dp_buf line;
    uint64_t deletes, inserts;
};

static enum dp_status begin(struct printing *p, const struct dp_table_diff *d, struct dp_err *err) {
    struct dp_type *schema = dp_type_copy(d->both);
    dp_type_add(schema, dp_type_new(DP_TYPE_STRING, DP_STR(DP_DELTA_CHANGE_TYPE)));
    struct dp_mark m = {.source = d->b->table, .table_version = -1, .schema = schema};
    dp_datasets_operands(&p->cli->run, (const char *const *)&d->a->table, 1, &m);
    dp_datasets_operands(&p->cli->run, (const char *const *)&d->b->table, 1, &m);
    enum dp_status status = dp_lines_begin(&p->out, &m, err);
    free(m.origins);
    dp_type_free(schema);
    return status;
}

static enum dp_status print_row(void *ctx, struct dp_str line, int64_t n, struct dp_err *err) {
    struct printing *p = ctx;
    if (dp_run_stopped(&p->cli->run, err)) return DP_SIGNALLED;
    dp_buf_reset(&p->line);
    dp_buf_add(&p->line, line.p, line.n - 1);
    dp_buf_addf(&p->line, "%s\"_change_type\":\"%s\"}\n", line.n > 2 ? "," : "", n < 0 ? "delete" : "insert");
    *(n < 0 ? &p->deletes : &p->inserts) += (uint64_t)(n < 0 ? -n : n);
    for (int64_t i = n < 0 ? n : -n; i < 0; i++) DP_TRY(dp_lines_write(&p->out, p->line.p, p->line.n, 1, err));
    return DP_OK;
}

/* A stream that is whole is no failure of a pipeline: with marks the exit code is 0 also where they differ. */
static enum dp_status print_rows(struct dp_cli *cli, struct dp_table_diff *d, const char *names, struct dp_err *err) {
    struct printing p = {.cli = cli, .out = {.run = &cli->run}};
    enum dp_status status = dp_table_diff_schema(d, err);
    if (status == DP_OK) status = begin(&p, d, err);
    if (status == DP_OK) status = dp_table_diff_rows(d, print_row, &p, err);
    if (status == DP_OK) status = dp_lines_end(&p.out, err);
    cli->run.books.in = cli->run.books.used = p.deletes + p.inserts;
    if (status == DP_OK && !p.out.hash && p.deletes + p.inserts)
        status = dp_err_set(err, DP_RULE, "%s differ: %llu rows only in the first, %llu only in the second", names, (unsigned long long)p.deletes, (unsigned long long)p.inserts);
    dp_lines_release(&p.out);
    dp_buf_release(&p.line);
    return status;
}

static enum dp_status say_list(struct dp_cli *cli, const char *key, const struct dp_table_diff_list *l, struct dp_err *err) {
    static const char *const words[] = {"removed", "added", "changed"};
    static const char signs[] = "-+~";
    struct dp_buf json = {0}, line = {0};
    enum dp_status status = DP_OK;
    dp_buf_addc(&json, '[');
    for (size_t i = 0; i < l->n && status == DP_OK; i++) {
        const struct dp_table_diff_item *x = &l->v[i];
        dp_buf_addf(&json, "%s{\"%s\":", i ? "," : "", words[x->sign]);
        dp_json_add_string(&json, dp_str_z(x->text));
        dp_buf_addc(&json, '}');
        dp_buf_reset(&line);
        dp_buf_addf(&line, "%c ", signs[x->sign]);
        table_add_name(&line, x->text);
        dp_buf_addc(&line, '\n');
        if (!cli->common.json) status = dp_out_write(cli->run.out, line.p, line.n, err);
    }
    dp_buf_addc(&json, ']');
    dp_cli_report(cli, key, dp_buf_str(&json));
    dp_buf_release(&json);
    dp_buf_release(&line);
    return status;
}

static enum dp_status say_diff(struct dp_cli *cli, const struct dp_table_diff *d, const char *names, struct dp_err *err) {
    dp_cli_report(cli, "differ", dp_table_diff_is_any(d) ? DP_STR("true") : DP_STR("false"));
    DP_TRY(say_list(cli, "schema", &d->schema, err));
    DP_TRY(say_list(cli, "properties", &d->properties, err));
    DP_TRY(say_list(cli, "files", &d->files, err));
    dp_cli_report_u64(cli, "files_added", d->files_added);
    dp_cli_report_u64(cli, "files_removed", d->files_removed);
    dp_cli_report_u64(cli, "files_changed", d->files_changed);
    if (!dp_table_diff_is_any(d)) return DP_OK;
    return dp_err_set(err, DP_RULE, "%s differ: %llu files only in the first, %llu only in the second, %llu with other rows deleted, %zu differences of schema and properties", names,
                      (unsigned long long)d->files_removed, (unsigned long long)d->files_added, (unsigned long long)d->files_changed, d->schema.n + d->properties.n);
}

/* "TABLE A B", "TABLE A" (with the latest version), "TABLE TABLE". */
static enum dp_status open_both(struct dp_cli *cli, struct dp_delta_snapshot **a, struct dp_delta_snapshot **b, struct dp_buf *names, struct dp_err *err) {
    const char *const *w = cli->args;
    struct stat st;
    bool is_table = cli->n_args == 2 && stat(w[1], &st) == 0 && S_ISDIR(st.st_mode);
    DP_TRY(table_open(w[0], is_table ? NULL : w[1], a, err));
    DP_TRY(table_open(is_table ? w[1] : w[0], cli->n_args == 3 ? w[2] : NULL, b, err));
    if (is_table) dp_buf_addf(names, "%s and %s", w[0], w[1]);
    else dp_buf_addf(names, "%s: versions %lld and %lld", w[0], (long long)(*a)->version, (long long)(*b)->version);
    return DP_OK;
}

static enum dp_status run_diff(struct dp_cli *cli, struct dp_err *err) {
    const struct diff_conf *conf = cli->conf;
    struct dp_delta_snapshot *a = NULL, *b = NULL;
    struct dp_table_diff *d = NULL;
    struct dp_buf names = {0};
    if (conf->rows && cli->common.json) return dp_err_set(err, DP_USAGE, "--rows prints records: --json has no line of its own then (--report FILE has one)");
    enum dp_status status = open_both(cli, &a, &b, &names, err);
    if (status == DP_OK) status = dp_table_diff_open(&cli->run, a, b, &d, err);
    if (status == DP_OK) status = conf->rows ? print_rows(cli, d, dp_buf_z(&names), err) : say_diff(cli, d, dp_buf_z(&names), err);
    dp_table_diff_close(d);
    dp_delta_close(a);
    dp_delta_close(b);
    dp_buf_release(&names);
    return status;
}

const struct dp_tool table_diff = {
    .name = "diff", .summary = "tell what makes two versions, or two tables, differ", .args = "TABLE", .second = "a version, a time or a second TABLE", .synopsis = "TABLE A [B] [--rows]\nTABLE-A TABLE-B [--rows]",
    .options = diff_options, .conf_size = sizeof(struct diff_conf), .common = DP_COMMON_JSON | DP_COMMON_MEMORY | DP_COMMON_MARKS, .is_stream = true, .min_args = 2, .max_args = 3,
    .no_lineage = "*", .run = run_diff};

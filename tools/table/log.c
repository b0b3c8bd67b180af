/* dp-table log: the table's history, newest first. */
#include "table.h"

#include <dp/base/time.h>
#include <dp/delta/snapshot.h>

struct log_conf {
    int64_t limit;
};

static const struct dp_opt log_options[] = {
    DP_OPT_INT(log_conf, limit, "limit", 0, "N", "only the newest N versions", 0, INT32_MAX),
    DP_OPT_END};

static void print_entry_text(const struct dp_delta_history *h, struct dp_buf *out) {
    char when[40];
    size_t n = dp_time_print_micros(when, h->timestamp_ms * 1000, true, 3);
    dp_buf_addf(out, "%lld\t%.*s\t", (long long)h->version, (int)n, when);
    dp_buf_adds(out, h->info.operation.p ? h->info.operation : DP_STR("-"));
    dp_buf_addf(out, "\t+%llu -%llu files\t", (unsigned long long)h->adds, (unsigned long long)h->removes);
    if (h->rows_added >= 0) dp_buf_addf(out, "%lld rows\t", (long long)h->rows_added);
    else dp_buf_addz(out, "- rows\t");
    dp_buf_addf(out, "%lld bytes\n", (long long)h->bytes_added);
}

static void print_entry_json(const struct dp_delta_history *h, struct dp_buf *out) {
    char when[40];
    size_t n = dp_time_print_micros(when, h->timestamp_ms * 1000, true, 3);
    dp_buf_addf(out, "{\"version\":%lld,\"time\":\"%.*s\",\"operation\":", (long long)h->version, (int)n, when);
    if (h->info.operation.p) dp_json_add_string(out, h->info.operation);
    else dp_buf_addz(out, "null");
    dp_buf_addf(out, ",\"filesAdded\":%llu,\"filesRemoved\":%llu,\"rowsAdded\":", (unsigned long long)h->adds, (unsigned long long)h->removes);
    if (h->rows_added >= 0) dp_buf_addf(out, "%lld", (long long)h->rows_added);
    else dp_buf_addz(out, "null");
    dp_buf_addf(out, ",\"bytesAdded\":%lld,\"commitInfo\":", (long long)h->bytes_added);
    if (h->info.raw.p) dp_buf_adds(out, h->info.raw);
    else dp_buf_addz(out, "null");
    dp_buf_addc(out, '}');
}

static enum dp_status run_log(struct dp_cli *cli, struct dp_err *err) {
    const struct log_conf *conf = cli->conf;
    struct dp_arena arena = {0};
    struct dp_buf text = {0};
    struct dp_delta_history *h = NULL;
    size_t n = 0;
    enum dp_status status = dp_delta_history_read(cli->args[0], &arena, &h, &n, err);
    size_t from = conf->limit > 0 && (size_t)conf->limit < n ? n - (size_t)conf->limit : 0;
    if (status == DP_OK && cli->common.json) dp_buf_addc(&text, '[');
    for (size_t i = n; status == DP_OK && i-- > from;) {
        if (!cli->common.json) print_entry_text(&h[i], &text);
        else print_entry_json(&h[i], &text);
        if (cli->common.json && i > from) dp_buf_addc(&text, ',');
    }
    if (status == DP_OK && cli->common.json) {
        dp_buf_addc(&text, ']');
        dp_cli_report(cli, "versions", dp_buf_str(&text));
    } else if (status == DP_OK) {
        status = dp_out_write(cli->run.out, text.p, text.n, err);
    }
    dp_buf_release(&text);
    dp_arena_release(&arena);
    return status;
}

const struct dp_tool table_log = {
    .name = "log", .summary = "print the table's history, newest first", .args = "TABLE", .synopsis = "TABLE [--limit N] [--json]",
    .options = log_options, .conf_size = sizeof(struct log_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_log};

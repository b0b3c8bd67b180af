/*
 * dp-dedupe: each key once, over a whole stream, within a time, or against a table.  Of the records with equal keys one goes out as it came in: the first, the last, or
 * the one with the highest value of a field.
 *
 *   dp-ingest events.ndjson | dp-dedupe --key event_id --against lake/events | dp-partition -o lake/events | dp-table commit lake/events
 *   dp-ingest --follow clicks.ndjson | dp-dedupe --key id --time ts --within 10m --delay 1m | dp-window ...
 *
 * The first goes out at once, so that streams may be endless; what is last or highest is known at the end of the input, and goes out then.
 */
#include <dp/cli/cli.h>
#include <dp/io/dedupe.h>

#include <stdio.h>

struct conf {
    const char *key, *keep, *time, *against, *against_where, *timezone, *late, *state;
    int64_t within, delay, max_future;
    int null_keys;
};

static const char *const null_names[] = {"reject", "pass", NULL};

static const struct dp_opt options[] = {
    DP_OPT_STRING(conf, key, "key", 0, "KEYS", "fields that make the key, with commas between; . is the whole record"),
    DP_OPT_STRING(conf, keep, "keep", 0, "WHICH", "of the records with a key: first, last, max:FIELD or min:FIELD", .def = "first"),
    DP_OPT_DURATION(conf, within, "within", 0, "D", "only records at most D of event time apart are duplicates", 0, 0, .needs = "time"),
    DP_OPT_STRING(conf, time, "time", 0, "FIELD", "the event time: RFC 3339, or integer ms", .needs = "within"),
    DP_OPT_DURATION(conf, delay, "delay", 0, "D", "keys are forgotten by a watermark this far behind the highest time; default: by watermark marks", 0, 0, .needs = "within"),
    DP_OPT_STRING(conf, timezone, "timezone", 0, "ZONE", "where times without an offset are", .needs = "within"),
    DP_OPT_DURATION(conf, max_future, "max-future", 0, "D", "records so far ahead of the clock are rejected", 0, 0, .needs = "within"),
    DP_OPT_PATH(conf, late, "late", 0, "FILE", "where records go that came too late", .needs = "within"),
    DP_OPT_DIR(conf, state, "state", 0, "DIR", "keep the keys that went out in DIR, and go on from there"),
    DP_OPT_PATH(conf, against, "against", 0, "TABLE", "drop records whose key this table (or file) has"),
    DP_OPT_STRING(conf, against_where, "against-where", 0, "EXPR", "of its rows look only at those for which this is true", .needs = "against"),
    DP_OPT_ENUM(conf, null_keys, "null-keys", 0, "HOW", "a record whose key lacks a value: reject, or pass, as no other's duplicate", null_names),
    DP_OPT_END};

static void report(struct dp_cli *cli, const struct conf *f, const struct dp_dedupe *d) {
    const struct dp_dedupe_counts c = dp_dedupe_count(d);
    char odds[40];
    dp_cli_report_u64(cli, "keys", c.keys);
    if (f->against) dp_cli_report_u64(cli, "against_keys", c.against);
    if (f->state) dp_cli_report_u64(cli, "checkpoints", c.checkpoints);
    dp_cli_report_u64(cli, "spilled_bytes", c.spilled);
    int n = snprintf(odds, sizeof odds, "%.2g", c.odds);
    dp_cli_report(cli, "collision_odds", dp_str(odds, (size_t)n));
    dp_run_log(&cli->run, DP_LOG_VERBOSE, "%llu keys; the odds that two of them were taken for one are at most %s; %llu bytes were spilled", (unsigned long long)c.keys, odds,
               (unsigned long long)c.spilled);
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *f = cli->conf;
    const struct dp_dedupe_opts opts = {.key = f->key, .keep = f->keep, .null_passes = f->null_keys == 1, .has_within = dp_cli_given(cli, "within"), .within = f->within,
        .time = f->time, .timezone = f->timezone, .max_future = dp_cli_given(cli, "max-future") ? f->max_future : -1, .late = f->late, .state = f->state,
        .names = cli->args, .n_names = cli->n_args, .has_delay = dp_cli_given(cli, "delay"), .delay = f->delay, .against = f->against, .against_where = f->against_where};
    struct dp_stream_conf stream = {.decides = true, .sources = {.print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}}};
    struct dp_dedupe *d = NULL;
    DP_TRY(dp_dedupe_open(&cli->run, &opts, &d, err));
    enum dp_status status = dp_dedupe_sources(d, &stream.sources, err);
    if (status == DP_OK) status = dp_cli_stream(cli, &stream, dp_dedupe_ops(d), d, err);
    if (status == DP_SIGNALLED) dp_dedupe_stopped(d);
    report(cli, f, d);
    dp_dedupe_close(d);
    return status;
}

static const struct dp_tool tool = {.name = "dp-dedupe",
                                    .summary = "each key once: in a stream, within a time, or against a table",
                                    .synopsis = "--key KEYS [--within D --time FIELD] [--keep WHICH] [--against TABLE] [--state DIR] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run};
DP_MAIN(tool)

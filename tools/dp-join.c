/*
 * dp-join: records with what another source knows of their keys.
 *
 * Reads records, and first the source that --with names: a file or table.  Each record goes out with the columns of its match behind its own bytes, once for each match;
 * without one it is dropped, kept with nulls, or (anti) it alone goes out.  --within matches by an interval of time, --as-of with the latest that was known at the time.
 * What does not fit in memory waits in $TMPDIR; output is in the order of the input.
 *
 *   dp-ingest --marks orders.csv | dp-join --with lake/customers --on customer=id --take tier | dp-partition -o lake/orders
 */
#include <dp/cli/cli.h>
#include <dp/io/join.h>

struct conf {
    const char *with, *on, *within, *as_of, *time, *with_time, *take, *prefix, *with_version, *timezone;
    int kind;
    bool require, unique, follow;
    int64_t delay, reload;
};

static const char *const kind_names[] = {"inner", "left", "anti", NULL};

static const struct dp_opt options[] = {
    DP_OPT_PATH(conf, with, "with", 0, "SOURCE", "the other source: a file, glob, directory or table; FILE#TABLE of an SQLite database", .required = true),
    DP_OPT_STRING(conf, on, "on", 0, "KEYS", "fields that must be equal, comma between; LEFT=RIGHT where their names differ", .required = true),
    DP_OPT_ENUM(conf, kind, "kind", 0, "KIND", "without a match a record is dropped (inner) or kept (left); anti: only those without", kind_names),
    DP_OPT_STRING(conf, within, "within", 0, "D|FROM,TO", "match times that are at most D apart, or FROM to TO behind the record's (-1m,10m)", .conflicts = "as-of"),
    DP_OPT_STRING(conf, as_of, "as-of", 0, "TIME[,within D]", "match the latest time that is not later than the record's TIME (LEFT=RIGHT where names differ), nor older than D"),
    DP_OPT_STRING(conf, time, "time", 0, "FIELD", "with --within: the record's time", .needs = "within"),
    DP_OPT_STRING(conf, with_time, "with-time", 0, "FIELD", "with --within: the other source's time, where its name differs", .needs = "within"),
    DP_OPT_STRING(conf, timezone, "timezone", 0, "ZONE", "where times without an offset are; without it they match local times only"),
    DP_OPT_STRING(conf, take, "take", 0, "A,B", "columns to take of the other source (all but the keys)"),
    DP_OPT_STRING(conf, prefix, "prefix", 0, "P", "put P in front of their names"),
    DP_OPT_STRING(conf, with_version, "with-version", 0, "VERSION|TIME", "read a table as it was then"),
    DP_OPT_FLAG(conf, require, "require", 0, "a record without a match is a reject instead of being dropped"),
    DP_OPT_FLAG(conf, unique, "unique", 0, "fail where a key stands twice in the other source"),
    DP_OPT_DURATION(conf, delay, "delay", 0, "D", "with --within: both sides are streams whose times go back by no more than D", 0, 0, .def = NULL, .needs = "within"),
    DP_OPT_FLAG(conf, follow, "follow", 0, "read the other source as it grows, without an end", .needs = "delay"),
    DP_OPT_DURATION(conf, reload, "reload", 0, "D", "how often to look for a newer version of the other source (1s of records from a pipe, else never; 0s: never)", 0, 0, .conflicts = "within,with-version"),
    DP_OPT_END};

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *c = cli->conf;
    const struct dp_stream_conf stream = {.decides = true};
    bool piped = !cli->n_args || !strcmp(cli->args[0], "-");
    const struct dp_join_words words = {.with = c->with, .on = c->on, .kind = (enum dp_join_kind)c->kind, .within = c->within, .as_of = c->as_of, .time = c->time,
                                        .with_time = c->with_time, .timezone = c->timezone, .take = c->take, .prefix = c->prefix, .with_version = c->with_version, .require = c->require, .unique = c->unique,
                                        .follow = c->follow, .delay_ms = dp_cli_given(cli, "delay") ? c->delay : -1,
                                        .reload_ms = dp_cli_given(cli, "reload") ? c->reload : -1, .piped = piped};
    struct dp_join *j = NULL;
    DP_TRY(dp_join_open(&cli->run, &words, &j, err));
    enum dp_status status = dp_cli_stream(cli, &stream, dp_join_ops(), j, err);
    struct dp_join_counts n = dp_join_counts(j);
    dp_cli_report_u64(cli, "with_records", n.records);
    dp_cli_report_u64(cli, "with_without_key", n.no_key);
    if (words.delay_ms >= 0) dp_cli_report_u64(cli, "with_late", n.late);
    if (words.reload_ms) dp_cli_report_u64(cli, "with_reloads", n.reloads);
    dp_cli_report_u64(cli, "spilled_bytes", n.spilled);
    if (status == DP_OK && n.no_key) dp_run_log(&cli->run, DP_LOG_VERBOSE, "%llu records of %s have no key or no time, and match nothing", (unsigned long long)n.no_key, c->with);
    if (status == DP_OK && n.late) dp_run_log(&cli->run, DP_LOG_WARN, "%llu records of %s were late: behind others by more than --delay", (unsigned long long)n.late, c->with);
    dp_join_close(j);
    return status;
}

static const struct dp_tool tool = {.name = "dp-join",
                                    .summary = "join records with a table, another stream, or what was known at the time",
                                    .synopsis = "--with SOURCE --on KEYS [--kind KIND] [--within D | --as-of TIME[,within D]] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run};
DP_MAIN(tool)

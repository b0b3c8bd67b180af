/*
 * dp-window: records into windows of event time, and one record of aggregates out for each window and key.
 *
 * Time is what the records say, not the clock: a watermark (--delay, or marks in the stream) tells how far it has come, a window fires when it has passed its end, and
 * what comes too late is kept apart (--late).  So the rows of an endless stream are those of the same records in a file, whatever their disorder within the delay.
 * Memory is bounded; with --state the windows outlive the program, and with dp-table commit behind it each row is in the table once, whatever is killed when.
 *
 *     dp-run -- 'dp-ingest --since lake/hourly events/ | dp-window --time ts --key country --tumble 1h --delay 5m --agg "n=count(),sales=sum(price)" --state hourly.state
 *                | dp-partition -o lake/hourly | dp-table commit lake/hourly'
 */
#include <dp/base/num.h>
#include <dp/cli/cli.h>
#include <dp/io/window.h>

#include <stdlib.h>
#include <string.h>

struct conf {
    const char *time, *key, *hop, *count, *timezone, *source, *part, *late, *state;
    int64_t tumble, session, slide, absent, offset, delay, lateness, idle, max_future, early, week_start;
    int calendar, unit, emit, panes, flush, epoch;
    bool gap_exclusive, changes;
    bool inspect;
    struct dp_opt_list agg, from_state;
};

static const char *const calendars[] = {"none", "day", "week", "month", NULL};
static const char *const units[] = {"ms", "s", "us", "ns", NULL};
static const char *const emits[] = {"final", "update", "changelog", NULL};
static const char *const panes[] = {"accumulating", "discarding", NULL};
static const char *const epochs[] = {"no", "ms", NULL};

#define G_WINDOW "Windows"
#define G_TIME "Time"

static const struct dp_opt options[] = {
    DP_OPT_STRING(conf, time, "time", 0, "FIELD", "the field that says when a record happened"),
    DP_OPT_STRING(conf, key, "key", 0, "A,B", "fields that each have windows of their own"),
    DP_OPT_LIST(conf, agg, "agg", 0, "NAME=CALL,...", "what a row says of its records (default: n=count())"),
    DP_OPT_DURATION(conf, tumble, "tumble", 0, "D", "windows of this size, one behind the other", 1, 0, .group = G_WINDOW),
    DP_OPT_STRING(conf, hop, "hop", 0, "D,SLIDE", "windows of size D, one beginning every SLIDE", .group = G_WINDOW),
    DP_OPT_DURATION(conf, session, "session", 0, "GAP", "windows that end when nothing came for GAP", 1, 0, .group = G_WINDOW),
    DP_OPT_DURATION(conf, slide, "slide", 0, "D", "each set of records that lie within D of each other", 1, 0, .group = G_WINDOW),
    DP_OPT_STRING(conf, count, "count", 0, "N[,M]", "windows of N records, one every M, in the order of arrival", .group = G_WINDOW),
    DP_OPT_ENUM(conf, calendar, "calendar", 0, "UNIT", "local days, weeks or months of --timezone", calendars, .group = G_WINDOW),
    DP_OPT_DURATION(conf, absent, "absent", 0, "D", "a row for each key of which nothing came for D", 1, 0, .group = G_WINDOW),
    DP_OPT_DURATION(conf, offset, "offset", 0, "D", "windows begin so much later (or earlier, with -)", INT64_MIN, 0, .group = G_WINDOW),
    DP_OPT_STRING(conf, timezone, "timezone", 0, "ZONE", "where local days and times without an offset are", .group = G_WINDOW),
    DP_OPT_INT(conf, week_start, "week-start", 0, "DAY", "first day of a week, 1 (Monday) to 7", 1, 7, .def = "1", .group = G_WINDOW),
    DP_OPT_FLAG(conf, gap_exclusive, "gap-exclusive", 0, "records just GAP apart are of two sessions", .group = G_WINDOW),
    DP_OPT_ENUM(conf, unit, "unit", 0, "UNIT", "of times that are numbers", units, .group = G_TIME),
    DP_OPT_DURATION(conf, delay, "delay", 0, "D", "records come at most so much behind the latest", 0, 0, .group = G_TIME),
    DP_OPT_DURATION(conf, lateness, "lateness", 0, "D", "windows that have fired take records for so long", 0, 0, .group = G_TIME),
    DP_OPT_DURATION(conf, idle, "idle", 0, "D", "a source that is silent for so long holds nobody up", 1, 0, .group = G_TIME),
    DP_OPT_DURATION(conf, max_future, "max-future", 0, "D", "records so far ahead of the clock are rejected", 0, 0, .group = G_TIME),
    DP_OPT_STRING(conf, source, "source", 0, "FIELD[:A,B]", "the field that names a record's source; A and B are waited for", .group = G_TIME),
    DP_OPT_ENUM(conf, emit, "emit", 0, "MODE", "each window once, also its updates, also what is taken back", emits),
    DP_OPT_ENUM(conf, panes, "panes", 0, "HOW", "an update has all records of its window, or the new ones", panes),
    DP_OPT_DURATION(conf, early, "early", 0, "D", "print windows that have not fired every D of the clock", 1, 0),
    DP_OPT_FLAG(conf, changes, "changes", 0, "records are changes of a table: those deleted are taken back"),
    DP_OPT_STRING(conf, part, "part", 0, "I/N", "only the Ith of N parts of the keys"),
    DP_OPT_PATH(conf, late, "late", 0, "FILE", "where records go that came too late"),
    DP_OPT_DIR(conf, state, "state", 0, "DIR", "keep open windows in DIR, and go on from there"),
    DP_OPT_LIST(conf, from_state, "from-state", 0, "DIR", "take keys from this state, where --state has none yet"),
    DP_OPT_FLAG(conf, inspect, "inspect", 0, "print what is in --state, and do nothing else"),
    DP_OPT_SET(conf, flush, "flush", 0, "the end of input fires what is open, also with --state", 1, .conflicts = "no-flush"),
    DP_OPT_SET(conf, flush, "no-flush", 0, "the end of input fires nothing", 2),
    DP_OPT_ENUM(conf, epoch, "epoch", 0, "UNIT", "print times as integers", epochs),
    DP_OPT_END};

/* "A,B" as two durations. */
static enum dp_status parse_hop(const char *text, struct dp_window_spec *s, struct dp_err *err) {
    const char *comma = strchr(text, ',');
    if (!comma) return dp_err_set(err, DP_USAGE, "--hop %s: D,SLIDE is wanted, as in 10m,1m", text);
    if (dp_parse_duration(dp_str(text, (size_t)(comma - text)), &s->size, err) != DP_OK || dp_parse_duration(dp_str_z(comma + 1), &s->slide, err) != DP_OK)
        return dp_err_prefix(err, "--hop: ");
    return DP_OK;
}

static enum dp_status parse_count(const char *text, struct dp_window_spec *s, struct dp_err *err) {
    const char *comma = strchr(text, ',');
    size_t n = comma ? (size_t)(comma - text) : strlen(text);
    if (!dp_parse_i64(dp_str(text, n), &s->count) || s->count < 1 || (comma && (!dp_parse_i64(dp_str_z(comma + 1), &s->every) || s->every < 1)))
        return dp_err_set(err, DP_USAGE, "--count %s: N or N,M is wanted, whole numbers from 1 on", text);
    if (!comma) s->every = s->count;
    return DP_OK;
}

/* Which kind of window: exactly one is given. */
static enum dp_status choose_window(const struct dp_cli *cli, struct dp_windowing *o, struct dp_err *err) {
    const struct conf *f = cli->conf;
    static const struct { const char *name; enum dp_window_kind kind; } kinds[] = {{"tumble", DP_WINDOW_TUMBLE}, {"hop", DP_WINDOW_HOP}, {"session", DP_WINDOW_SESSION},
        {"slide", DP_WINDOW_SLIDE}, {"count", DP_WINDOW_COUNT}, {"calendar", DP_WINDOW_CALENDAR}, {"absent", DP_WINDOW_SESSION}};
    const char *given = NULL;
    struct dp_window_spec *s = &o->window;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!dp_cli_given(cli, kinds[i].name)) continue;
        if (given) return dp_err_set(err, DP_USAGE, "--%s and --%s: one kind of window at a time", given, kinds[i].name);
        given = kinds[i].name;
        s->kind = kinds[i].kind;
    }
    if (!given || (!strcmp(given, "calendar") && !f->calendar))
        return dp_err_set(err, DP_USAGE, "which windows? --tumble, --hop, --session, --slide, --count, --calendar or --absent says so");
    o->is_absence = dp_cli_given(cli, "absent");
    if (f->offset && s->kind != DP_WINDOW_TUMBLE && s->kind != DP_WINDOW_HOP) return dp_err_set(err, DP_USAGE, "--offset is for --tumble and --hop");
    if (f->source && s->kind == DP_WINDOW_COUNT) return dp_err_set(err, DP_USAGE, "--count goes by the order of one input: not with --source");
    if (f->gap_exclusive && s->kind != DP_WINDOW_SESSION) return dp_err_set(err, DP_USAGE, "--gap-exclusive is for --session");
    if (dp_cli_given(cli, "week-start") && f->calendar != 2) return dp_err_set(err, DP_USAGE, "--week-start is for --calendar week");
    if (dp_cli_given(cli, "panes") && !f->emit) return dp_err_set(err, DP_USAGE, "--panes is about updates: it goes with --emit update or changelog");
    static const char *const by_time[] = {"delay", "lateness", "idle"};
    for (size_t i = 0; i < sizeof by_time / sizeof *by_time && s->kind == DP_WINDOW_COUNT; i++)
        if (dp_cli_given(cli, by_time[i])) return dp_err_set(err, DP_USAGE, "--%s is about event time: --count goes by the order of the input", by_time[i]);
    if (o->is_absence && (f->emit || f->early)) return dp_err_set(err, DP_USAGE, "--absent tells of each silence once: not with --emit or --early");
    if (s->kind == DP_WINDOW_TUMBLE) s->size = f->tumble;
    if (s->kind == DP_WINDOW_SESSION) s->size = o->is_absence ? f->absent : f->session;
    if (s->kind == DP_WINDOW_SLIDE) s->size = f->slide;
    if (s->kind == DP_WINDOW_CALENDAR) s->unit = (enum dp_calendar)(f->calendar - 1);
    if (s->kind == DP_WINDOW_HOP) DP_TRY(parse_hop(f->hop, s, err));
    return s->kind == DP_WINDOW_COUNT ? parse_count(f->count, s, err) : DP_OK;
}

static void report(struct dp_cli *cli, const struct dp_windowed *d) {
    const struct dp_books *b = &cli->run.books;
    bool has_come = d->watermark != DP_WATERMARK_NONE && d->watermark != INT64_MAX;
    dp_cli_report_u64(cli, "rows", d->rows);
    if (has_come) {
        int64_t now = cli->run.now_micros / 1000, lag;
        dp_cli_report_i64(cli, "watermark", d->watermark);
        if (!__builtin_sub_overflow(now, d->watermark, &lag)) dp_cli_report_i64(cli, "watermark_lag_ms", lag);
    } else {
        dp_cli_report(cli, "watermark", DP_STR("null"));
    }
    dp_cli_report_u64(cli, "open_windows", d->windows);
    dp_cli_report_u64(cli, "open_keys", d->keys);
    if (d->unknown) dp_cli_report_u64(cli, "unknown", d->unknown);
    if (d->part_of_others) dp_cli_report_u64(cli, "other_parts", d->part_of_others);
    if (d->has_state) dp_cli_report_u64(cli, "checkpoints", d->checkpoints);
    dp_run_log(&cli->run, DP_LOG_VERBOSE, "%llu windowed, %llu late, %llu rejected, %llu unassigned; %llu rows", (unsigned long long)b->used, (unsigned long long)b->late,
               (unsigned long long)b->rejected, (unsigned long long)b->unassigned, (unsigned long long)d->rows);
}

static enum dp_status inspect(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *f = cli->conf;
    if (!f->state) return dp_err_set(err, DP_USAGE, "--inspect needs --state: what to look into");
    if (cli->n_args) return dp_err_set(err, DP_USAGE, "--inspect reads no source");
    return dp_windowing_inspect(&cli->run, f->state, NULL, err);
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *f = cli->conf;
    struct dp_windowed done;
    struct dp_windowing o = {.window = {.offset = f->offset, .gap_exclusive = f->gap_exclusive, .week_start = (int)f->week_start, .lateness = f->lateness,
                                        .emit = (enum dp_window_emit)f->emit, .panes = (enum dp_window_panes)f->panes},
        .time = f->time, .unit = (enum dp_event_unit)f->unit, .key = f->key, .source = f->source, .timezone = f->timezone, .part = f->part,
        .aggs = (const char *const *)f->agg.v, .n_aggs = f->agg.n, .has_delay = dp_cli_given(cli, "delay"), .delay = f->delay, .idle = f->idle, .early = f->early,
        .max_future = dp_cli_given(cli, "max-future") ? f->max_future : -1, .late = f->late, .state = f->state,
        .from_state = (const char *const *)f->from_state.v, .n_from_state = f->from_state.n, .flush = (enum dp_windowing_flush)f->flush,
        .epoch_ms = f->epoch == 1, .changes = f->changes, .print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}};
    if (f->inspect) return inspect(cli, err);
    DP_TRY(choose_window(cli, &o, err));
    enum dp_status status = dp_windowing_run(&cli->run, cli->args, cli->n_args, &o, &done, err);
    report(cli, &done);
    if (status == DP_OK && cli->run.books.late && !f->late)
        dp_run_log(&cli->run, DP_LOG_INFO, "%llu records came too late and are in no window (--late FILE keeps them)", (unsigned long long)cli->run.books.late);
    if (status == DP_OK && done.unknown)
        dp_run_log(&cli->run, DP_LOG_WARN, "%llu records were to be taken back that are in no window", (unsigned long long)done.unknown);
    return status;
}

static const struct dp_tool tool = {.name = "dp-window",
                                    .summary = "event-time windows over an endless or finite stream",
                                    .synopsis = "--time FIELD [--key A,B] (--tumble D | --hop D,SLIDE | --session GAP | --slide D | --count N[,M] |\n"
                                                "--calendar UNIT --timezone ZONE | --absent D) [--agg NAME=CALL,...] [--delay D] [--state DIR] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .no_lineage = "inspect",
                                    .run = run};
DP_MAIN(tool)

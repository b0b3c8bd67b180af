/*
 * dp-retain cost: what tables hold and cost, by table, tag, owner or tier; what pipelines took, by their reports; and what compaction, retention and tiering would save.  Nothing is changed.
 *
 *     dp-retain cost --prices prices.yaml -r rules.yaml --reports reports lake
 */
#include "cost.h"
#include "retain.h"

#include <dp/base/map.h>
#include <dp/record/json.h>

#include <stdlib.h>

struct cost_conf {
    int by, to;
    struct dp_opt_list rules, reports;
    const char *prices, *store;
    uint64_t target_size;
};

static const char *const bys[] = {"table", "tag", "owner", "tier", "pipeline", NULL};
static const char *const forms[] = {"table", "csv", "prometheus", "records", NULL};

static const struct dp_opt cost_options[] = {
    DP_OPT_ENUM(cost_conf, by, "by", 0, "WHAT", "what a row is about", bys),
    DP_OPT_ENUM(cost_conf, to, "to", 0, "FORM", "how it is printed", forms),
    DP_OPT_PATH(cost_conf, prices, "prices", 0, "FILE", "prices of storage and processor time, YAML"),
    DP_OPT_LIST(cost_conf, rules, "rules", 'r', "FILE", "rules of retention whose savings are told"),
    DP_OPT_LIST(cost_conf, reports, "reports", 0, "FILE|DIR", "reports of runs, for the time of pipelines"),
    DP_OPT_PATH(cost_conf, store, "store", 0, "DB", "the lineage store whose tags and owners count"),
    DP_OPT_SIZE(cost_conf, target_size, "target-size", 0, "SIZE", "size of the files that compaction would write", 4096, UINT64_C(1) << 40, .def = "128M"),
    DP_OPT_END};

struct gathering {
    struct dp_cli *cli;
    struct cost_sums s;
    struct dp_map times;         /* path -> struct dp_cost_time *, NULL: a table took it */
    struct dp_cost_time rest;    /* of runs that no table of those told took */
};

/* A copy that is UTF-8: in a name that is not, such bytes are %XX. */
static char *utf8(const char *name) {
    struct dp_buf b = {0};
    if (dp_utf8_valid(name, strlen(name), NULL)) return dp_strdup(name);
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p >= 0x80) dp_buf_addf(&b, "%%%02X", (unsigned char)*p);
        else dp_buf_addc(&b, *p);
    }
    return dp_buf_detach(&b);
}

static void add_time(struct dp_cost_time *to, const struct dp_cost_time *t) {
    to->runs += t->runs, to->user_us += t->user_us, to->system_us += t->system_us;
}

static void add(struct cost_group *g, const struct dp_cost_table *t, const struct dp_cost_time *cpu) {
    add_time(&g->cpu, cpu);
    g->tables++, g->rows_unknown += t->rows_unknown;
    for (int i = 0; i < DP_COST_KINDS; i++) {
        const struct dp_cost_amount *a = &t->kinds[i];
        g->kinds[i].files += a->files, g->kinds[i].bytes += a->bytes, g->kinds[i].rows += a->rows;
        g->all.files += a->files, g->all.bytes += a->bytes;
    }
    g->all.rows = g->kinds[DP_COST_LIVE].rows;
    g->month = dp_price_add(g->month, t->month);
    for (int i = 0; i < DP_COST_WAYS; i++) {
        struct dp_cost_saving *to = &g->savings[i];
        to->files += t->savings[i].files, to->bytes += t->savings[i].bytes;
        to->month = dp_price_add(to->month, t->savings[i].month);
        to->is_estimate |= t->savings[i].is_estimate;
    }
}

static struct cost_group *group_of(struct cost_sums *s, const char *name, bool is_rest) {
    char *copy = utf8(name);
    for (size_t i = 0; s->by != BY_TABLE && i < s->n; i++)
        if (s->v[i].is_rest == is_rest && !strcmp(s->v[i].name, copy)) return free(copy), &s->v[i];
    s->v = dp_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n] = (struct cost_group){.name = copy, .is_rest = is_rest};
    return &s->v[s->n++];
}

static void add_names(struct cost_sums *s, const struct dp_cost_names *names, const char *none, const struct dp_cost_table *t, const struct dp_cost_time *cpu) {
    for (size_t i = 0; i < names->n; i++) add(group_of(s, names->v[i], false), t, cpu);
    if (!names->n) add(group_of(s, none, true), t, cpu);
    s->overlaps |= names->n > 1;
}

/* What runs took for this table: once. */
static struct dp_cost_time take_time(struct gathering *g, const char *real) {
    struct dp_map_item *item = dp_map_get(&g->times, dp_str_z(real));
    struct dp_cost_time t = item && item->v.p ? *(struct dp_cost_time *)item->v.p : (struct dp_cost_time){0};
    if (item) free(item->v.p), item->v.p = NULL;
    return t;
}

static enum dp_status on_table(void *ctx, const struct dp_cost_table *t, struct dp_err *err) {
    struct gathering *g = ctx;
    struct cost_sums *s = &g->s;
    struct dp_cost_time cpu;
    (void)err;
    if (t->fault) {
        bool is_named = strstr(t->fault, t->path) != NULL;
        dp_run_log(&g->cli->run, DP_LOG_WARN, "%s%s%s", is_named ? "" : t->path, is_named ? "" : ": ", t->fault);
        return DP_OK;
    }
    cpu = take_time(g, t->real);
    add(&s->total, t, &cpu);
    switch (s->by) {
    case BY_TAG: add_names(s, &t->tags, "(untagged)", t, &cpu); break;
    case BY_OWNER: add_names(s, &t->owners, "(no owner)", t, &cpu); break;
    case BY_TIER: add(group_of(s, s->prices->n ? s->prices->tiers[t->tier].name : "(no prices)", !s->prices->n), t, &cpu); break;
    case BY_TABLE: {
        struct cost_group *row = group_of(s, t->path, false);
        add(row, t, &cpu);
        for (int i = 0; i < DP_COST_WAYS; i++) row->savings[i].rule = t->savings[i].rule ? utf8(t->savings[i].rule) : NULL;
        break;
    }
    case BY_PIPELINE: break;
    }
    return DP_OK;
}

static enum dp_status on_run(void *ctx, const char *job, const struct dp_cost_pipeline *p, struct dp_err *err) {
    struct cost_sums *s = &((struct gathering *)ctx)->s;
    struct dp_cost_pipeline *a = &s->all_runs;
    (void)err;
    s->runs = dp_grow(s->runs, &s->cap_runs, s->n_runs + 1, sizeof *s->runs);
    s->runs[s->n_runs++] = (struct cost_pipeline){utf8(job), *p};
    a->runs += p->runs, a->cpu_user_us += p->cpu_user_us, a->cpu_system_us += p->cpu_system_us, a->unmeasured += p->unmeasured;
    a->files += p->files, a->bytes_in += p->bytes_in, a->bytes_out += p->bytes_out, a->rows += p->rows;
    if (p->peak > a->peak) a->peak = p->peak;
    return DP_OK;
}

static enum dp_status on_data(void *ctx, const char *path, const struct dp_cost_time *t, struct dp_err *err) {
    struct gathering *g = ctx;
    (void)err;
    if (!path) return add_time(&g->rest, t), DP_OK;
    struct dp_cost_time *copy = dp_calloc(1, sizeof *copy);
    *copy = *t;
    dp_map_put(&g->times, dp_str_z(path), NULL)->v.p = copy;
    return DP_OK;
}

/* What runs took that is of none of the tables: a row of its own, behind the others. */
static void add_rest(struct gathering *g) {
    struct cost_sums *s = &g->s;
    for (size_t i = 0; i < g->times.n; i++) {
        struct dp_cost_time *t = g->times.items[i].v.p;
        if (t) add_time(&g->rest, t);
        free(t);
    }
    dp_map_release(&g->times);
    add_time(&s->total.cpu, &g->rest);
    s->total.cpu.runs = s->all_runs.runs - s->all_runs.unmeasured; /* a run may be of several tables */
    if (g->rest.runs && s->total.tables && s->by != BY_PIPELINE) group_of(s, "(no table of these)", true)->cpu = g->rest;
}

/* Rows without tables stand last, before them those of tables without a name. */
static int by_name(const void *a, const void *b) {
    const struct cost_group *x = a, *y = b;
    if (x->is_rest != y->is_rest) return x->is_rest ? 1 : -1;
    if (!x->tables != !y->tables) return x->tables ? -1 : 1;
    return strcmp(x->name, y->name);
}

static enum dp_status print(struct dp_cli *cli, struct cost_sums *s, int form, struct dp_err *err) {
    static void (*const how[])(const struct cost_sums *, struct dp_buf *) = {cost_print_table, cost_print_csv, cost_print_prometheus, cost_print_records};
    struct dp_buf text = {0};
    if (s->by != BY_TABLE && s->n) qsort(s->v, s->n, sizeof *s->v, by_name);
    how[form](s, &text);
    enum dp_status status = dp_out_write(cli->run.out, text.p, text.n, err);
    dp_buf_release(&text);
    return status;
}

static void release(struct gathering *g) {
    struct cost_sums *s = &g->s;
    for (size_t i = 0; i < g->times.n; i++) free(g->times.items[i].v.p);
    dp_map_release(&g->times);
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].name);
        for (int k = 0; k < DP_COST_WAYS; k++) free(s->v[i].savings[k].rule);
    }
    for (size_t i = 0; i < s->n_runs; i++) free(s->runs[i].name);
    free(s->v), free(s->runs);
}

static void report(struct dp_cli *cli, const struct cost_sums *s) {
    const struct cost_group *t = &s->total;
    dp_cli_report_u64(cli, "tables", t->tables);
    dp_cli_report_u64(cli, "files", t->all.files);
    dp_cli_report_u64(cli, "bytes", t->all.bytes);
    dp_cli_report_u64(cli, "rows", t->all.rows);
    if (s->with_runs) dp_cli_report_u64(cli, "runs", s->all_runs.runs);
}

static enum dp_status check(const struct dp_cli *cli, const struct cost_conf *conf, struct dp_err *err) {
    if (conf->by == BY_PIPELINE && !conf->reports.n) return dp_err_set(err, DP_USAGE, "--by pipeline needs --reports FILE|DIR: reports of runs");
    if (!cli->n_args && !conf->reports.n) return dp_err_set(err, DP_USAGE, "a table or a directory of tables is needed, or --reports");
    if (conf->by == BY_TIER && !conf->prices) return dp_err_set(err, DP_USAGE, "--by tier needs --prices FILE, which names the tiers");
    return DP_OK;
}

static enum dp_status run_cost(struct dp_cli *cli, struct dp_err *err) {
    const struct cost_conf *conf = cli->conf;
    struct dp_prices prices = {.cpu_hour = -1};
    struct gathering g = {.cli = cli, .s = {.by = (enum cost_by)conf->by, .prices = &prices, .with_runs = conf->reports.n > 0}};
    const struct dp_cost_runs_opts runs = {.names = conf->reports.v, .n = conf->reports.n, .each = on_run, .each_data = on_data, .ctx = &g};
    const struct dp_cost_opts o = {.tables = cli->args, .n_tables = cli->n_args, .rules = conf->rules.v, .n_rules = conf->rules.n, .contract = cli->common.contract, .store = conf->store,
                                   .prices = &prices, .target_size = conf->target_size, .each = on_table, .ctx = &g};
    enum dp_status worst = DP_OK, status;
    DP_TRY(check(cli, conf, err));
    if (conf->prices) DP_TRY(dp_prices_read(&prices, conf->prices, err));
    if (g.s.with_runs) DP_TRY_OUT(dp_cost_runs(&cli->run, &runs, err));
    if (cli->n_args && conf->by != BY_PIPELINE) DP_TRY_OUT(dp_cost_tables(&cli->run, &o, &worst, err));
    add_rest(&g);
    DP_TRY_OUT(print(cli, &g.s, conf->to, err));
    report(cli, &g.s);
    status = worst == DP_OK ? DP_OK : dp_err_set(err, worst, "not all tables could be read; those that could are told");
out:
    release(&g);
    dp_prices_release(&prices);
    return status;
}

const struct dp_tool retain_cost = {
    .name = "cost", .summary = "what tables hold and cost, and what could be saved", .args = "TABLE", .synopsis = "[--by WHAT] [--to FORM] [--prices FILE] [-r FILE]... [--reports FILE|DIR]... [--store DB] [TABLE|DIR...]",
    .options = cost_options, .conf_size = sizeof(struct cost_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_PROGRESS,
    .min_args = 0, .max_args = -1, .no_lineage = "*", .run = run_cost};

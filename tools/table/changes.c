/*
 * dp-table changes: the change data feed as records.
 *
 * With --marks a checkpoint stands behind each version, so that what is made of the changes can be committed with the position up to which it is made:
 * --since TABLE goes on there.
 */
#include "table.h"

#include <dp/io/changes.h>
#include <dp/delta/changes.h>
#include <dp/record/lineage.h>

#include <stdlib.h>

struct changes_conf {
    const char *since, *until, *columns;
    bool follow, from_files;
};

static const struct dp_opt changes_options[] = {
    DP_OPT_STRING(changes_conf, since, "since", 0, "VERSION|TIME|TABLE", "the first version; of a table: behind the changes that it was made from (default: all of the feed)"),
    DP_OPT_STRING(changes_conf, until, "until", 0, "VERSION|TIME", "the last version (default: the latest)", .conflicts = "follow"),
    DP_OPT_FLAG(changes_conf, follow, "follow", 0, "wait for new versions, without an end"),
    DP_OPT_STRING(changes_conf, columns, "columns", 0, "A,B", "only these columns of the table, in this order"),
    DP_OPT_FLAG(changes_conf, from_files, "from-files", 0, "where the feed is off, make the changes of the files that came and went"),
    DP_OPT_END};

struct changes {
    struct dp_changes_start start;
    char *names;               /* conf->columns, cut at commas */
    const char **columns;      /* NULL: all */
    size_t n_columns;
    struct dp_expr *where;
    const char **extra;        /* columns that --where reads and nobody wants */
    size_t n_extra;
    struct dp_type *schema;    /* of the table, where --where may read all of it */
    size_t n_printed;          /* members of a record that go out; 0: all */
};

static enum dp_status parse_columns(struct changes *c, const char *text, struct dp_err *err) {
    size_t n = 1;
    if (!text) return DP_OK;
    for (const char *p = text; *p; p++) n += *p == ',';
    c->names = dp_strdup(text);
    c->columns = dp_calloc(n, sizeof *c->columns);
    for (char *p = c->names, *comma; p; p = comma ? comma + 1 : NULL) {
        comma = strchr(p, ',');
        if (comma) *comma = 0;
        if (!*p) return dp_err_set(err, DP_USAGE, "--columns: an empty name in '%.200s'", text);
        for (size_t i = 0; i < c->n_columns; i++)
            if (!strcmp(c->columns[i], p)) return dp_err_set(err, DP_USAGE, "--columns: %.200s is named twice", p);
        c->columns[c->n_columns++] = p;
    }
    return DP_OK;
}

static void need(struct changes *c, const char *name) {
    for (size_t i = 0; i < c->n_columns; i++)
        if (!strcmp(c->columns[i], name)) return;
    c->extra[c->n_extra++] = name;
}

static bool is_wanted(const struct changes *c, const char *name) {
    for (size_t i = 0; i < c->n_columns; i++)
        if (!strcmp(c->columns[i], name)) return true;
    return false;
}

/* What --where reads beside the columns that are wanted: columns of the range's last version, or the feed's own. */
static enum dp_status find_extra(struct changes *c, const char *table, int64_t until, const char *where, struct dp_err *err) {
    static const char *const own[] = {DP_DELTA_CHANGE_TYPE, DP_DELTA_COMMIT_VERSION, DP_DELTA_COMMIT_TIMESTAMP, NULL};
    const char *const *fields;
    size_t n;
    struct dp_delta_snapshot *s = NULL;
    const struct dp_delta_how how = {.skip_stats = true};
    if (!where) return DP_OK;
    DP_TRY(dp_expr_compile(dp_str_z(where), &c->where, err));
    DP_TRY(dp_delta_open_how(table, until, &how, &s, err));
    c->schema = dp_type_copy(s->schema);
    dp_delta_close(s);
    DP_TRY(table_check_where(table, c->schema, c->where, own, err));
    if (!c->columns) return DP_OK;
    if (!dp_expr_fields(c->where, &fields, &n)) {
        c->extra = dp_calloc(c->schema->n_children + 1, sizeof *c->extra);
        for (size_t i = 0; i < c->schema->n_children; i++) need(c, c->schema->children[i]->name);
    } else {
        c->extra = dp_calloc(n + 1, sizeof *c->extra);
        for (size_t i = 0; i < n; i++) need(c, fields[i]);
    }
    c->n_printed = c->n_columns;
    for (size_t i = 0; own[i]; i++) c->n_printed += !is_wanted(c, own[i]);
    return DP_OK;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    const struct changes *c = ctx;
    (void)err;
    begin->table_version = c->start.target_version;
    return DP_OK;
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    const struct changes *c = ctx;
    (void)err;
    while (c->n_printed && begin->schema && begin->schema->n_children > c->n_printed) {
        struct dp_type *gone = begin->schema->children[--begin->schema->n_children];
        const struct dp_lineage_done done = {.field = dp_str(gone->name, gone->name_n), .dropped = true};
        dp_lineage_done(begin, "dp-table", &done, 1);
        dp_type_free(gone);
    }
    return DP_OK;
}

/* Without the members that only --where has read: they stand last. */
static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    const struct changes *c = ctx;
    (void)err;
    if (!c->n_printed || r->n_members <= c->n_printed) return dp_job_pass(j, r), DP_OK;
    uint32_t at = 1; /* a key, then its value */
    for (size_t i = 0; i < c->n_printed; i++) at = r->nodes[at].next;
    const char *end = r->base + r->nodes[at].off - 1; /* the quote of the first key that stays here, behind its comma */
    dp_buf_add(&j->out, r->raw, (size_t)(end - r->raw) - 1);
    dp_buf_addz(&j->out, "}\n");
    dp_job_use(j);
    return DP_OK;
}

static enum dp_status run_changes(struct dp_cli *cli, struct dp_err *err) {
    const struct changes_conf *f = cli->conf;
    const char *table = cli->args[0];
    struct changes c = {.start.target_version = -1};
    int64_t until = -1;
    enum dp_status status = parse_columns(&c, f->columns, err);
    if (status == DP_OK) status = dp_changes_since(&cli->run, table, f->since, &c.start, err);
    if (status == DP_OK && f->until) status = dp_delta_as_of(table, dp_str_z(f->until), &until, err);
    if (status == DP_OK && f->until && until < c.start.since)
        status = dp_err_set(err, DP_USAGE, "--until %s is version %lld, which is before the first one, %lld", f->until, (long long)until, (long long)c.start.since);
    if (status == DP_OK) status = find_extra(&c, table, until, cli->common.where, err);
    if (status == DP_OK) {
        struct dp_source_changes wanted = {.since = c.start.since, .until = until, .from_files = f->from_files, .extra = c.extra, .n_extra = c.n_extra};
        struct dp_stream_conf conf = {.sources = {.changes = &wanted, .follow = f->follow, .columns = c.columns, .n_columns = c.n_columns,
                                                  .print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}},
                                      .no_checkpoints = true, .resumes = c.start.target_version >= 0 ? &c.start.positions : NULL};
        const struct dp_stream_ops ops = {.begin = on_begin, .header = on_header, .record = on_record};
        status = dp_cli_stream(cli, &conf, &ops, &c, err);
        if (status == DP_OK && !cli->run.books.in && cli->common.skip_empty) status = dp_err_set(err, DP_EMPTY, "no changes");
    }
    dp_positions_release(&c.start.positions);
    dp_expr_free(c.where);
    dp_type_free(c.schema);
    free(c.extra), free(c.columns), free(c.names);
    return status;
}

const struct dp_tool table_changes = {
    .name = "changes", .summary = "print what became of the rows, version by version (change data feed)", .args = "TABLE",
    .synopsis = "TABLE [--since VERSION|TIME|TABLE] [--until VERSION|TIME | --follow] [--columns A,B] [--from-files]", .options = changes_options,
    .conf_size = sizeof(struct changes_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_EMPTY | DP_COMMON_MARKS | DP_COMMON_FORMATS | DP_COMMON_RECORDS, .is_stream = true,
    .min_args = 1, .max_args = 1, .run = run_changes};

/*
 * dp-ingest: raw input of any shape to records.
 *
 * Reads CSV, TSV, JSON documents, NDJSON and Parquet, inside any compression or archive, in UTF-8, UTF-16, Latin-1, Windows-1252 or what
 * --encoding names; format, dialect and types are told by content and printed by -v as the options that force them.  Numbers keep their digits.  What does
 * not fit is a reject with its line and reason.  With --since TABLE each source starts where the table's last commit from it ended, so that the same command
 * run twice adds nothing.  Standard input is raw bytes here, never a stream with marks.
 *
 *     dp-run -- 'dp-ingest --since lake/orders orders/ | dp-partition -o lake/orders | dp-table commit lake/orders'
 */
#include <dp/cli/cli.h>
#include <dp/delta/snapshot.h>
#include <dp/rules/contract.h>

#include <stdlib.h>

struct conf {
    int format;
    const char *member, *files_from, *encoding, *since;
    const char *delimiter, *quote, *escape, *comment;
    int newline, header, ragged;
    int64_t skip;
    struct dp_opt_list nulls, types;
};

static const char *const formats[] = {"auto", "csv", "tsv", "json", "ndjson", "jsonl", "parquet", NULL};
static const char *const newlines[] = {"auto", "lf", "cr", "any", NULL};
static const char *const headers[] = {"auto", "yes", "no", NULL};
static const char *const raggeds[] = {"reject", "pad", "fail", NULL};

static const struct dp_opt options[] = {
    DP_OPT_ENUM(conf, format, "format", 'f', "FORMAT", "what the sources are; auto: told by content", formats),
    DP_OPT_DIR(conf, since, "since", 0, "TABLE", "start each source where the last commit from it to TABLE ended"),
    DP_OPT_STRING(conf, member, "member", 0, "GLOB", "only members of archives whose names match"),
    DP_OPT_PATH(conf, files_from, "files-from", 0, "FILE", "read names of sources from FILE, one a line; - is standard input"),
    DP_OPT_STRING(conf, encoding, "encoding", 0, "NAME", "encoding of text", .def = "auto"),
    DP_OPT_LIST(conf, types, "types", 0, "COLUMN=TYPE,...", "types of CSV columns; none: all are strings", .group = "CSV options"),
    DP_OPT_LIST(conf, nulls, "null", 0, "WORD", "an unquoted cell that is WORD is null", .group = "CSV options"),
    DP_OPT_STRING(conf, delimiter, "delimiter", 0, "C", "between cells: a character, tab or space", .group = "CSV options"),
    DP_OPT_STRING(conf, quote, "quote", 0, "C", "around cells: a character, or none", .group = "CSV options"),
    DP_OPT_STRING(conf, escape, "escape", 0, "C", "in quoted cells: a character, or none but the doubled quote", .group = "CSV options"),
    DP_OPT_STRING(conf, comment, "comment", 0, "C", "lines that begin with C are passed over", .group = "CSV options"),
    DP_OPT_ENUM(conf, newline, "newline", 0, "WHICH", "what ends a record", newlines, .group = "CSV options"),
    DP_OPT_ENUM(conf, header, "header", 0, "WHICH", "is the first record the names of the columns", headers, .group = "CSV options"),
    DP_OPT_INT(conf, skip, "skip", 0, "N", "lines in front of the header; -1: told by content", -1, 1000000, .def = "-1", .group = "CSV options"),
    DP_OPT_ENUM(conf, ragged, "ragged", 0, "HOW", "records with too few or too many cells", raggeds, .group = "CSV options"),
    DP_OPT_END};

struct ingest {
    struct dp_cli *cli;
    struct dp_delta_snapshot *table;
    const char **types;
    size_t n_types, cap_types;
};

/* ---- options ---- */

static enum dp_status parse_byte(const char *option, const char *text, bool none, int *out, struct dp_err *err) {
    static const struct {
        const char *word;
        int c;
    } words[] = {{"tab", '\t'}, {"\\t", '\t'}, {"space", ' '}, {"comma", ','}, {"semicolon", ';'}, {"pipe", '|'}};
    if (!text) return DP_OK;
    if (none && strcmp(text, "none") == 0) return *out = -1, DP_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0) return *out = words[i].c, DP_OK;
    if (strlen(text) != 1 || (unsigned char)text[0] >= 0x80 || text[0] == '\n' || text[0] == '\r')
        return dp_err_set(err, DP_USAGE, "--%s: '%.20s' is not one ASCII character%s", option, text, none ? " or none" : "");
    *out = text[0];
    return DP_OK;
}

/* "a=int64,b=decimal(10,2)" at commas outside of brackets. */
static enum dp_status add_types(struct ingest *g, struct dp_csv_dialect *d, const char *text, struct dp_err *err) {
    if (strcmp(text, "none") == 0) return d->all_strings = true, DP_OK;
    int depth = 0;
    for (const char *p = text, *from = text;; p++) {
        depth += *p == '(' || *p == '<';
        depth -= *p == ')' || *p == '>';
        if (*p && (*p != ',' || depth > 0)) continue;
        if (!memchr(from, '=', (size_t)(p - from)))
            return dp_err_set(err, DP_USAGE, "--types: expected COLUMN=TYPE, got '%.*s'", (int)(p - from), from);
        g->types = dp_grow(g->types, &g->cap_types, g->n_types + 2, sizeof *g->types);
        g->types[g->n_types++] = dp_strndup(from, (size_t)(p - from));
        g->types[g->n_types] = NULL;
        if (!*p) return DP_OK;
        from = p + 1;
    }
}

static enum dp_status dialect_of(struct ingest *g, struct conf *f, struct dp_csv_dialect *d, struct dp_err *err) {
    dp_csv_dialect_init(d);
    DP_TRY(parse_byte("delimiter", f->delimiter, false, &d->delimiter, err));
    DP_TRY(parse_byte("quote", f->quote, true, &d->quote, err));
    DP_TRY(parse_byte("escape", f->escape, true, &d->escape, err));
    DP_TRY(parse_byte("comment", f->comment, false, &d->comment, err));
    if (d->delimiter && d->delimiter == d->quote) return dp_err_set(err, DP_USAGE, "--delimiter and --quote are the same character");
    d->newline = (enum dp_csv_newline)f->newline;
    d->header = (enum dp_csv_header)f->header;
    d->ragged = (enum dp_csv_ragged)f->ragged;
    d->skip = (int)f->skip;
    for (size_t i = 0; i < f->types.n; i++) DP_TRY(add_types(g, d, f->types.v[i], err));
    d->types = g->types;
    if (f->nulls.n) {
        f->nulls.v = dp_grow(f->nulls.v, &f->nulls.cap, f->nulls.n + 1, sizeof *f->nulls.v);
        f->nulls.v[f->nulls.n] = NULL;
        d->nulls = f->nulls.v;
    }
    return DP_OK;
}

/* ---- --since ---- */

/* The position that the table has of this source; transactions of files are named JOB/NAME@LENGTH:HASH/0. */
static uint64_t resume(void *ctx, struct dp_origin *o) {
    struct ingest *g = ctx;
    const struct dp_run *run = &g->cli->run;
    struct dp_str job = dp_str_z(run->job);
    uint64_t at = 0;
    for (size_t i = 0; i < g->table->txns.n; i++) {
        const struct dp_map_item *it = &g->table->txns.items[i];
        int64_t version;
        if (it->dead || it->key.n < job.n + 4 || !dp_str_starts(it->key, job) || it->key.p[job.n] != '/' || !dp_str_ends(it->key, DP_STR("/0"))) continue;
        char *id = dp_strndup(it->key.p + job.n + 1, it->key.n - job.n - 3);
        if (dp_origin_adopt(o, id) && dp_delta_txn_version(g->table, it->key, run->now_micros / 1000, &version) && version > 0)
            at = (uint64_t)version;
        free(id);
        if (at) break;
    }
    if (at) dp_run_log(run, DP_LOG_VERBOSE, "%s: from %llu, where version %lld of %s ends", o->name, (unsigned long long)at, (long long)g->table->version, g->table->table);
    return at;
}

static enum dp_status begin(void *ctx, struct dp_mark *m, struct dp_err *err) {
    struct ingest *g = ctx;
    (void)err;
    if (g->table) m->table_version = g->table->version;
    return DP_OK;
}

/* ---- the program ---- */

static enum dp_status contract_types(const struct dp_cli *cli, struct dp_type **schema, struct dp_err *err) {
    struct dp_contract c = {0};
    const struct dp_contract_object *o;
    enum dp_status status = dp_contract_load(cli->common.contract, &c, &o, err);
    if (!status) status = dp_contract_schema(&c, o, schema, err);
    dp_contract_release(&c);
    return status;
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    struct conf *f = cli->conf;
    struct ingest g = {.cli = cli};
    struct dp_csv_dialect dialect;
    struct dp_type *schema = NULL;
    enum dp_status status;
    DP_TRY_OUT(dialect_of(&g, f, &dialect, err));
    if (cli->common.contract) DP_TRY_OUT(contract_types(cli, &schema, err));
    if (f->since) DP_TRY_OUT(dp_delta_open(f->since, -1, &g.table, err));
    struct dp_stream_conf conf = {
        .sources = {.raw_stdin = true, .format = formats[f->format], .member = f->member, .files_from = f->files_from, .csv = &dialect, .schema = schema,
                    .encoding = f->encoding, .print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}}};
    if (g.table) conf.sources.resume = resume, conf.sources.resume_ctx = &g;
    const struct dp_stream_ops ops = {.begin = begin};
    status = dp_cli_stream(cli, &conf, &ops, &g, err);
out:
    dp_delta_close(g.table);
    dp_type_free(schema);
    for (size_t i = 0; i < g.n_types; i++) free((char *)(uintptr_t)g.types[i]);
    free(g.types);
    return status;
}

static const struct dp_tool tool = {.name = "dp-ingest", .summary = "raw input of any shape to records",
    .synopsis = "[-f FORMAT] [-c CONTRACT] [--since TABLE] [--member GLOB] [--files-from FILE] [SOURCE...]",
    .options = options, .conf_size = sizeof(struct conf), .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_FORMATS, .is_stream = true,
    .min_args = 0, .max_args = -1, .args = "SOURCE", .run = run};

DP_MAIN(tool)

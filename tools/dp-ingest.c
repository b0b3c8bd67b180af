/*
 * dp-ingest: raw input of any shape to records.
 *
 * Reads CSV, TSV, JSON documents, NDJSON and Parquet, inside any compression or archive, in UTF-8, UTF-16, Latin-1, Windows-1252 or what
 * --encoding names; format, dialect and types are told by content and printed by -v as the options that force them.  Numbers keep their digits.  What does
 * not fit is a reject with its line and reason; with a contract, so is what breaks its types or lacks what it requires.  With --since TABLE each source
 * starts where the table's last commit from it ended, so that the same command run twice adds nothing; --ledger FILE does so without a table;
 * --retry-rejects takes mended rejects in again.  --follow goes on as files grow.  Standard input is raw bytes here, never a stream with marks.
 *
 *     dp-run -- 'dp-ingest --since lake/orders orders/ | dp-partition -o lake/orders | dp-table commit lake/orders'
 */
#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/cli/cli.h>
#include <dp/delta/snapshot.h>
#include <dp/io/ledger.h>
#include <dp/io/state.h>
#include <dp/rules/contract.h>

#include <limits.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf {
    int format;
    const char *member, *files_from, *encoding, *since, *ledger, *since_state;
    bool retry_rejects, follow;
    struct dp_ledger *open_ledger; /* from run to settle */
    char checkpoint[24];           /* id of the latest that went out */
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
    DP_OPT_PATH(conf, ledger, "ledger", 0, "FILE", "start each source where the last run that FILE knows of ended", .conflicts = "since"),
    DP_OPT_DIR(conf, since_state, "since-state", 0, "DIR", "start each source where the newest checkpoint in DIR, the --state of a program behind, ended", .needs = "ledger"),
    DP_OPT_FLAG(conf, follow, "follow", 0, "go on as the files grow, are rotated, and new ones come", .conflicts = "retry-rejects,member"),
    DP_OPT_FLAG(conf, retry_rejects, "retry-rejects", 0, "sources are files of rejects: records come from what they hold", .conflicts = "since,ledger"),
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

enum { LEDGER_WAIT_MS = 10000 };

struct ingest {
    struct dp_cli *cli;
    struct dp_delta_snapshot *table;
    struct dp_positions positions; /* that the table or the ledger has */
    struct dp_ledger *ledger;
    const char **types;
    size_t n_types, cap_types;
    struct dp_contract contract;
    const struct dp_contract_object *object;
    struct dp_type *schema;         /* of the contract */
    struct dp_buf fields;           /* for the header: classifications */
    const char **hidden;            /* top-level columns that are classified, NULL behind them; names are the contract's */
    size_t n_hidden, cap_hidden;
};

/* What a thread checks records by. */
struct worker {
    struct dp_shred *shred;
    struct dp_batch rows;
    bool is_open;
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

/* ---- positions: --since, --ledger ---- */

/* The position that the table has of this source; transactions of files are named JOB/NAME@LENGTH:HASH/0. */
static uint64_t position_in_table(const struct ingest *g, struct dp_origin *o) {
    const struct dp_run *run = &g->cli->run;
    struct dp_str job = dp_str_z(run->job);
    uint64_t at = 0;
    char *best = NULL;
    for (size_t i = 0; i < g->table->txns.n; i++) {
        const struct dp_map_item *it = &g->table->txns.items[i];
        int64_t version;
        if (it->dead || it->key.n < job.n + 4 || !dp_str_starts(it->key, job) || it->key.p[job.n] != '/' || !dp_str_ends(it->key, DP_STR("/0"))) continue;
        char *id = dp_strndup(it->key.p + job.n + 1, it->key.n - job.n - 3);
        /* Of those that hold, the one whose fingerprint reaches farthest: shorter ones may be of files that began alike. */
        bool is_farther = !best || dp_origin_reach(id) > dp_origin_reach(best);
        if (is_farther && dp_delta_txn_version(g->table, it->key, run->now_micros / 1000, &version) && version > 0 && dp_origin_adopt(o, id)) {
            at = (uint64_t)version;
            free(best);
            best = dp_strdup(id);
        }
        free(id);
    }
    free(best);
    return at;
}

static enum dp_status resume(void *ctx, struct dp_origin *o, uint64_t *from, struct dp_err *err) {
    struct ingest *g = ctx;
    const struct dp_run *run = &g->cli->run;
    if (g->ledger) DP_TRY(dp_ledger_find(g->ledger, o, from, err));
    else *from = position_in_table(g, o);
    if (!*from) return DP_OK;
    if (g->ledger) dp_run_log(run, DP_LOG_VERBOSE, "%s: from %llu, where the ledger has it", o->name, (unsigned long long)*from);
    else dp_run_log(run, DP_LOG_VERBOSE, "%s: from %llu, where version %lld of %s ends", o->name, (unsigned long long)*from, (long long)g->table->version, g->table->table);
    return DP_OK;
}

/* The name of the job in the ledger: what went into one state says nothing of another. */
static char *ledger_job(const struct dp_cli *cli, const char *state) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, cli->run.job);
    if (state) {
        char full[PATH_MAX], *parent = dp_path_dir(state);
        const char *name = strrchr(state, '/');
        dp_buf_addf(&b, "@%s/%s", realpath(parent, full) ? full : parent, name ? name + 1 : state);
        free(parent);
    }
    return dp_buf_detach(&b);
}

/* Back to the newest checkpoint of the state behind that the ledger knows; it goes on from there. */
static enum dp_status go_back(struct ingest *g, const char *dir, struct dp_err *err) {
    struct dp_state *s = NULL;
    struct dp_state_point p;
    struct dp_err why = DP_ERR_INIT;
    size_t n = 0, live = 0;
    bool found = false;
    enum dp_status status = DP_OK;
    char *path = dp_path_join(dir, "state.json");
    bool is_there = access(path, F_OK) == 0;
    int why_not = is_there ? 0 : errno;
    free(path);
    if (!is_there && why_not != ENOENT) {
        errno = why_not;
        return dp_err_sys(err, DP_IO, "--since-state: can't look into %s", dir);
    }
    if (is_there && dp_state_open(&g->cli->run, dir, "", DP_STR(""), true, &s, &why) != DP_OK)
        return dp_err_set(err, why.status, "--since-state: %s", why.msg);
    while (s && dp_state_list(s, n, &p)) n++;
    for (size_t i = n; i-- > 0 && !found && status == DP_OK;) {
        if (!dp_state_list(s, i, &p) || !p.is_live || p.is_damaged || !*p.id) continue;
        live++;
        status = dp_ledger_back(g->ledger, p.id, &found, err);
    }
    dp_state_close(s);
    if (status != DP_OK || found) return status;
    if (!live) DP_TRY(dp_ledger_begin(g->ledger, g->cli->run.run_id, g->cli->run.now_micros, &found, err));
    if (!found) DP_TRY(dp_ledger_back(g->ledger, "", &found, err)); /* the run that began it may have ended before anything was noted */
    if (found) return DP_OK;
    return dp_err_set(err, DP_USAGE, "--since-state: the ledger knows none of the checkpoints of %s, nor its beginning: it is not the one that this job and state began with", dir);
}

static enum dp_status open_ledger(struct ingest *g, struct conf *f, struct dp_err *err) {
    struct dp_cli *cli = g->cli;
    char *job = ledger_job(cli, f->since_state);
    enum dp_status status = dp_ledger_open(f->ledger, job, cli->run.dry_run, LEDGER_WAIT_MS, &f->open_ledger, err);
    free(job);
    DP_TRY(status);
    g->ledger = f->open_ledger;
    if (f->since_state) DP_TRY(go_back(g, f->since_state, err));
    return cli->run.marks ? dp_ledger_positions(g->ledger, cli->run.job, &g->positions, err) : DP_OK;
}

static enum dp_status emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct ingest *g = ctx;
    (void)err;
    if (g->ledger) dp_ledger_note(g->ledger, j->chunk->origin, j->chunk->end_offset);
    return DP_OK;
}

/* A file that was written to must be as lasting as the ledger's word for it. */
static enum dp_status sync_output(struct dp_err *err) {
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && fsync(STDOUT_FILENO) != 0) return dp_err_sys(err, DP_IO, "standard output");
    return DP_OK;
}

/* A checkpoint. Of files that are followed what stands before it is as good as done. */
static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct ingest *g = ctx;
    struct dp_run *run = &g->cli->run;
    struct conf *f = g->cli->conf;
    (void)pass;
    if (m->kind != DP_MARK_CHECKPOINT || m->more) return DP_OK;
    snprintf(f->checkpoint, sizeof f->checkpoint, "%s", m->id ? m->id : "");
    if (!f->follow) return DP_OK; /* it is done when all of it is */
    if (run->rejects) DP_TRY(dp_rejects_flush(run->rejects, err));
    if (!g->ledger) return DP_OK;
    DP_TRY(dp_out_flush(run->out, err));
    DP_TRY(sync_output(err));
    return dp_ledger_commit(g->ledger, f->checkpoint, run->run_id, run->now_fixed ? run->now_micros : dp_time_now_micros(), err);
}

/* Rejects are published, the output is out: now the ledger may say so. */
static enum dp_status settle(struct dp_cli *cli, enum dp_status status, struct dp_err *err) {
    struct conf *f = cli->conf;
    if (status == DP_OK && f->open_ledger) {
        status = sync_output(err);
        if (status == DP_OK) status = dp_ledger_commit(f->open_ledger, f->checkpoint, cli->run.run_id, cli->run.now_micros, err);
    } else {
        status = DP_OK;
    }
    dp_ledger_close(f->open_ledger);
    f->open_ledger = NULL;
    return status;
}

/* ---- the contract ---- */

/* Classifications go into the header, so that programs behind hide what must be hidden. */
static void note_classified(struct ingest *g) {
    for (size_t i = 0; i < g->object->n_properties; i++) {
        const struct dp_contract_property *p = &g->object->properties[i];
        if (!dp_contract_holds_classified(p)) continue;
        g->hidden = dp_grow(g->hidden, &g->cap_hidden, g->n_hidden + 2, sizeof *g->hidden);
        g->hidden[g->n_hidden++] = p->name;
        g->hidden[g->n_hidden] = NULL;
    }
    dp_contract_header_fields(g->object, &g->fields);
    if (g->n_hidden) g->cli->run.hide_raw = true;
}

static enum dp_status open_contract(struct ingest *g, struct dp_err *err) {
    const struct dp_common *c = &g->cli->common;
    if (!c->contract) return DP_OK;
    if (c->binary || c->decimal) return dp_err_set(err, DP_USAGE, "--contract with --binary hex or --decimal string: records so spelled can't be checked");
    DP_TRY(dp_contract_load(c->contract, &g->contract, &g->object, err));
    DP_TRY(dp_contract_schema(&g->contract, g->object, &g->schema, err));
    note_classified(g);
    return DP_OK;
}

static bool is_hidden(const struct ingest *g, const char *path) {
    size_t n = strcspn(path, ".[");
    for (size_t i = 0; i < g->n_hidden && !g->cli->run.rejects_clear; i++)
        if (strlen(g->hidden[i]) == n && memcmp(g->hidden[i], path, n) == 0) return true;
    return false;
}

/* Types and required fields, as the program that lays the records out will ask for them. */
static enum dp_status check(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct ingest *g = ctx;
    struct worker *w = j->worker_mem;
    struct dp_shred_reject why;
    if (!w->is_open) {
        w->shred = dp_shred_open(g->schema, false);
        dp_batch_init(&w->rows, g->schema);
        w->is_open = true;
    }
    if (w->rows.length >= 4096) dp_batch_reset(&w->rows);
    enum dp_status status = dp_shred_record(w->shred, r, &w->rows, &why);
    if (status == DP_LIMIT) {
        dp_batch_reset(&w->rows);
        status = dp_shred_record(w->shred, r, &w->rows, &why);
    }
    if (status == DP_OK) return dp_job_pass(j, r), DP_OK;
    if (status != DP_RECORD) return dp_err_set(err, status, "%s", why.reason);
    if (is_hidden(g, why.path) && strcmp(why.rule, "required") != 0) dp_job_reject(j, r, why.rule, why.path, why.expected, "expected %s", why.expected);
    else dp_job_reject(j, r, why.rule, why.path, why.expected, "%s", why.reason);
    return DP_OK;
}

static void close_worker(void *ctx, void *mem) {
    struct worker *w = mem;
    (void)ctx;
    if (!w->is_open) return;
    dp_shred_close(w->shred);
    dp_batch_release(&w->rows);
}

/* ---- the program ---- */

static enum dp_status begin(void *ctx, struct dp_mark *m, struct dp_err *err) {
    struct ingest *g = ctx;
    (void)err;
    if (g->table) m->table_version = g->table->version;
    if (g->fields.n && !m->fields) m->fields = dp_strdup(dp_buf_z(&g->fields));
    return DP_OK;
}

/* What was set aside again must not replace what is being read. */
static enum dp_status check_retry(const struct dp_cli *cli, struct dp_err *err) {
    struct stat a, b;
    const char *to = cli->common.rejects;
    for (size_t i = 0; to && i < cli->n_args; i++)
        if (stat(to, &a) == 0 && stat(cli->args[i], &b) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return dp_err_set(err, DP_USAGE, "--retry-rejects reads %s, so --rejects must name another file", cli->args[i]);
    return DP_OK;
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    struct conf *f = cli->conf;
    struct ingest g = {.cli = cli};
    struct dp_csv_dialect dialect;
    enum dp_status status;
    if (f->follow && cli->common.max_rejects.is_percent)
        return dp_err_set(err, DP_USAGE, "--max-rejects N%% is judged at the end of input, and --follow has none: give a number");
    DP_TRY_OUT(dialect_of(&g, f, &dialect, err));
    DP_TRY_OUT(open_contract(&g, err));
    if (f->retry_rejects) DP_TRY_OUT(check_retry(cli, err));
    if (f->since) DP_TRY_OUT(dp_delta_open(f->since, -1, &g.table, err));
    if (f->ledger) DP_TRY_OUT(open_ledger(&g, f, err));
    dialect.hidden = cli->run.rejects_clear ? NULL : g.hidden;
    struct dp_stream_conf conf = {
        .decides = g.schema != NULL,
        .sources = {.raw_stdin = true, .format = formats[f->format], .member = f->member, .files_from = f->files_from, .csv = &dialect, .schema = g.schema,
                    .follow = f->follow, .retry_rejects = f->retry_rejects, .encoding = f->encoding,
                    .print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}}};
    if (g.table || g.ledger) conf.sources.resume = resume, conf.sources.resume_ctx = &g;
    if (g.table) dp_positions_of_table(&g.positions, g.table, cli->run.job, NULL, cli->run.now_micros / 1000);
    if (g.table || g.ledger) conf.resumes = &g.positions;
    const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .worker_close = close_worker, .begin = begin, .emit = emit, .mark = f->follow || g.ledger ? on_mark : NULL,
                                      .record = g.schema ? check : NULL};
    status = dp_cli_stream(cli, &conf, &ops, &g, err);
out:
    dp_delta_close(g.table);
    dp_positions_release(&g.positions);
    dp_type_free(g.schema);
    dp_contract_release(&g.contract);
    dp_buf_release(&g.fields);
    free(g.hidden);
    for (size_t i = 0; i < g.n_types; i++) free((char *)(uintptr_t)g.types[i]);
    free(g.types);
    return status;
}

static const struct dp_tool tool = {.name = "dp-ingest", .summary = "raw input of any shape to records",
    .synopsis = "[-f FORMAT] [-c CONTRACT] [--since TABLE | --ledger FILE [--since-state DIR]] [--follow | --retry-rejects] [--member GLOB] [--files-from FILE] [SOURCE...]",
    .options = options, .conf_size = sizeof(struct conf), .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_FORMATS, .is_stream = true,
    .min_args = 0, .max_args = -1, .args = "SOURCE", .run = run, .settle = settle};

DP_MAIN(tool)

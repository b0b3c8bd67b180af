/*
 * dp-mask: personal data out of records.
 *
 *   dp-ingest --marks orders.csv | dp-mask -c orders.odcs.yaml -p masks.yaml --role analyst --key-file ring | dp-partition -o lake/orders
 *
 * Reads records, prints them with what the contract classifies, or the policy names, masked in place; all other bytes stay.  With -o it reads Parquet files
 * and tables, by operands or as paths in the pipe, and writes Parquet with the columns masked.  A field that the contract does not know is refused, and so is a
 * value whose form is not the contract's: nothing passes by accident.  Keyed techniques need a key ring (keygen makes one); no value of a masked
 * column and no key stands in any message, reject or report.
 */
#include "mask/mask.h"

#include <dp/delta/log.h>
#include <dp/io/datasets.h>
#include <dp/io/lines.h>
#include <dp/io/mask_files.h>
#include <dp/record/lineage.h>

#include <stdlib.h>

struct conf {
    const char *policy, *role, *key_file, *codec;
    int unknown;
};

static const char *const unknowns[] = {"fail", "drop", "pass", NULL};
static const struct dp_opt options[] = {
    DP_OPT_PATH(conf, policy, "policy", 'p', "FILE", "what becomes of which column, by role (dp-policy(5))"),
    DP_OPT_STRING(conf, role, "role", 0, "NAME", "the view of this role of the policy"),
    DP_OPT_PATH(conf, key_file, "key-file", 0, "FILE", "key ring for tokens and keyed hashes (default: $DP_MASK_KEY_FILE, or the key itself in $DP_MASK_KEY)"),
    DP_OPT_ENUM(conf, unknown, "unknown", 0, "HOW", "a field that the contract does not know", unknowns),
    DP_OPT_STRING(conf, codec, "codec", 0, "NAME", "with -o: compression: zstd[:LEVEL], snappy, gzip, lz4_raw, brotli, none (default: zstd:3, and what passes keeps its own)"),
    DP_OPT_END};

struct masking {
    struct dp_cli *cli;
    struct dp_contract contract;
    struct dp_policy policy;
    struct dp_mask *mask;
    struct dp_expr *rows_expr[2];
    size_t n_rows;
    char key_id[33];
    /* -o */
    struct dp_expr *where;
    struct dp_mask_files *files;
    struct dp_opt_list names;    /* paths of the pipe */
    struct dp_lines lines;       /* of a stream that we begin */
    uint64_t n_files, rows, bytes;
    struct dp_dataset *output;
    bool has_header;
};

struct worker {
    struct dp_mask_run *run;
    struct dp_expr_run *rows[2];
};

/* ---- records ---- */

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    struct masking *m = ctx;
    struct worker *w = mem;
    (void)err;
    w->run = dp_mask_run_open(m->mask);
    for (size_t i = 0; i < m->n_rows; i++) w->rows[i] = dp_expr_run_open(m->rows_expr[i]);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    struct masking *m = ctx;
    struct worker *w = mem;
    dp_mask_run_close(w->run);
    for (size_t i = 0; i < m->n_rows; i++) dp_expr_run_close(w->rows[i]);
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    (void)ctx, (void)err;
    dp_mask_run_reset(((struct worker *)j->worker_mem)->run);
    return DP_OK;
}

/* The rows that the view shows, judged by their clear values. What an expression says of a value is not repeated. */
static enum dp_status row_passes(const struct masking *m, struct worker *w, const struct dp_record *r, bool *yes, struct dp_err *err) {
    *yes = true;
    for (size_t i = 0; i < m->n_rows && *yes; i++) DP_TRY(dp_expr_test(w->rows[i], r, yes, err));
    return DP_OK;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    const struct masking *m = ctx;
    struct worker *w = j->worker_mem;
    struct dp_mask_reject why;
    bool yes = true;
    if (m->n_rows) {
        struct dp_err own = DP_ERR_INIT;
        enum dp_status status = row_passes(m, w, r, &yes, &own);
        if (status == DP_RECORD) {
            dp_job_reject(j, r, "rows", NULL, NULL, "the row filter of the policy errs on this record");
            return DP_OK;
        }
        if (status != DP_OK) {
            if (err) *err = own;
            return status;
        }
    }
    if (!yes) {
        dp_job_filter(j);
        return DP_OK;
    }
    if (dp_mask_record(w->run, r, &j->out, &why) == DP_OK) dp_job_use(j);
    else dp_job_reject(j, r, why.rule, why.path, why.expected, "%s", why.reason);
    return DP_OK;
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct masking *m = ctx;
    for (size_t i = 0; i < m->n_rows; i++) dp_lineage_where(m->rows_expr[i], begin);
    if (m->where) dp_lineage_where(m->where, begin);
    DP_TRY(dp_mask_header(m->mask, "dp-mask", begin, err));
    dp_dataset_header(m->output, begin);
    m->has_header = true;
    return DP_OK;
}

static enum dp_status mask_records(struct masking *m, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .worker_open = worker_open, .worker_close = worker_close, .chunk_begin = on_chunk,
                                             .record = on_record, .header = on_header};
    const struct dp_mask_column *c;
    size_t n = dp_mask_columns(m->mask, &c);
    const char **hidden = dp_calloc(n + 1, sizeof *hidden);
    struct dp_csv_dialect csv;
    for (size_t i = 0; i < n; i++) hidden[i] = c[i].top;
    dp_csv_dialect_init(&csv);
    if (!m->cli->run.rejects_clear) csv.hidden = hidden;
    /* cells of CSV are read as the contract's types, not by what they look like */
    const struct dp_stream_conf stream = {.sources = {.schema = dp_mask_contract_schema(m->mask), .csv = &csv}, .decides = true};
    enum dp_status status = dp_cli_stream(m->cli, &stream, &ops, m, err);
    free(hidden);
    return status;
}

/* ---- Parquet and tables ---- */

/* One whole file: its path goes out. */
static enum dp_status on_file(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct masking *m = ctx;
    struct dp_buf line = {0};
    struct dp_stream *s = dp_stream_of(&m->cli->run);
    m->n_files++, m->rows += (uint64_t)rows, m->bytes += bytes;
    dp_buf_addf(&line, "%s%s\n", path[0] == '{' ? "./" : "", path);
    enum dp_status status = s ? dp_stream_write(s, line.p, line.n, err) : dp_lines_write(&m->lines, line.p, line.n, 1, err);
    dp_buf_release(&line);
    return status;
}

/* Operands are opened by us, so begin and end are ours to write. */
static enum dp_status mask_operands(struct masking *m, struct dp_err *err) {
    struct dp_run *run = &m->cli->run;
    struct dp_mark begin = {.table_version = -1};
    struct dp_err own = DP_ERR_INIT;
    dp_datasets_operands(run, (const char *const *)m->cli->args, m->cli->n_args, &begin);
    enum dp_status status = run->marks ? on_header(m, &begin, err) : DP_OK;
    if (!run->marks && run->datasets) (void)on_header(m, &begin, &own);
    if (!status) status = dp_lines_begin(&m->lines, &begin, err);
    if (status) goto out;
    DP_TRY_OUT(dp_mask_files_add(m->files, (const char *const *)m->cli->args, m->cli->n_args, err));
    DP_TRY_OUT(dp_mask_files_finish(m->files, err));
    DP_TRY_OUT(dp_lines_end(&m->lines, err));
    status = dp_out_flush(run->out, err);
out:
    free(begin.fields), free(begin.origins);
    dp_lines_release(&m->lines);
    return status;
}

static enum dp_status on_path(void *ctx, struct dp_str path, struct dp_err *err) {
    struct masking *m = ctx;
    (void)err;
    m->names.v = dp_grow(m->names.v, &m->names.cap, m->names.n + 1, sizeof *m->names.v);
    m->names.v[m->names.n++] = dp_strndup(path.p, path.n);
    return DP_OK;
}

static enum dp_status no_records(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    (void)ctx, (void)j, (void)r;
    return dp_err_set(err, DP_USAGE, "-o reads Parquet files and tables: of records, `dp-mask | dp-partition -o DIR` makes files");
}

/* The pipe was whole: what it named is read.  The books count rows, not paths. */
static enum dp_status on_paths_end(void *ctx, struct dp_err *err) {
    struct masking *m = ctx;
    struct dp_books *b = &m->cli->run.books;
    b->in -= m->names.n, b->used -= m->names.n;
    if (m->cli->run.datasets && !m->has_header) { /* nobody says where the files came from: they are what is read */
        struct dp_mark begin = {.table_version = -1};
        struct dp_err own = DP_ERR_INIT;
        dp_datasets_operands(&m->cli->run, (const char *const *)m->names.v, m->names.n, &begin);
        (void)on_header(m, &begin, &own);
        free(begin.fields), free(begin.origins);
    }
    DP_TRY(dp_mask_files_add(m->files, (const char *const *)m->names.v, m->names.n, err));
    return dp_mask_files_finish(m->files, err);
}

/* -n -o: what would have been written. */
static void tell_files(struct masking *m) {
    struct dp_mask_files_counts c = dp_mask_files_counts(m->files);
    dp_run_log(&m->cli->run, DP_LOG_INFO, "would write %llu rows to %s; of %llu row groups %llu columns would be copied as they stand", (unsigned long long)c.rows, m->cli->common.output,
               (unsigned long long)c.groups_copied, (unsigned long long)c.chunks_copied);
}

static enum dp_status mask_files(struct masking *m, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.record = no_records, .path = on_path, .header = on_header, .finish = on_paths_end};
    const struct dp_stream_conf stream = {.sources = {.paths = DP_PATHS_PASS}};
    const struct conf *c = m->cli->conf;
    struct dp_run *run = &m->cli->run;
    struct dp_mask_files_opts o = {.mask = m->mask, .dir = m->cli->common.output, .codec = c->codec};
    bool piped = !m->cli->n_args || (m->cli->n_args == 1 && !strcmp(m->cli->args[0], "-"));
    enum dp_status status = DP_OK;
    if (c->codec) DP_TRY(dp_lay_check_codec(c->codec, err));
    m->output = dp_dataset_output(run, o.dir);
    dp_dataset_storage(m->output, dp_delta_is_table(o.dir) ? "delta" : NULL, "parquet");
    if (run->where && dp_expr_compile(dp_str_z(run->where), &m->where, err) != DP_OK) return dp_err_prefix(err, "--where: ");
    if (m->where) o.filters[o.n_filters++] = (struct dp_mask_filter){m->where, "where"};
    for (size_t i = 0; i < m->n_rows; i++) o.filters[o.n_filters++] = (struct dp_mask_filter){m->rows_expr[i], "rows"};
    run->where = NULL; /* rows are tested here, paths are not */
    DP_TRY_OUT(dp_mask_files_open(run, &o, on_file, m, &m->files, err));
    status = piped ? dp_cli_stream(m->cli, &stream, &ops, m, err) : mask_operands(m, err);
    if (status == DP_OK) dp_mask_files_keep(m->files);
    if (status == DP_OK && run->dry_run) tell_files(m);
    dp_dataset_count(m->output, m->rows, m->bytes, m->n_files);
    dp_cli_report_u64(m->cli, "files", m->n_files);
    dp_cli_report_u64(m->cli, "rows", m->rows);
    dp_cli_report_u64(m->cli, "bytes", m->bytes);
    dp_cli_report_u64(m->cli, "columns_copied", m->files ? dp_mask_files_counts(m->files).chunks_copied : 0);
out:
    dp_mask_files_close(m->files);
    for (size_t i = 0; i < m->names.n; i++) free((char *)m->names.v[i]);
    free(m->names.v);
    dp_expr_free(m->where);
    return status;
}

/* ---- keys ---- */

static enum dp_status set_key(struct masking *m, struct dp_err *err) {
    const struct conf *c = m->cli->conf;
    struct dp_keyring *ring;
    enum dp_status status = mask_read_ring(c->key_file, dp_mask_needs_key(m->mask), &ring, err);
    if (status == DP_OK && dp_mask_needs_key(m->mask)) {
        status = dp_mask_set_key(m->mask, ring, err);
        if (status == DP_OK) snprintf(m->key_id, sizeof m->key_id, "%s", dp_keyring_active(ring)->id);
    }
    dp_keyring_free(ring);
    return status;
}

/* ---- the run ---- */

static enum dp_status compile_rows(struct masking *m, struct dp_err *err) {
    const char *rows[2];
    size_t n = dp_mask_rows(m->mask, rows);
    for (size_t i = 0; i < n; i++) {
        if (dp_expr_compile(dp_str_z(rows[i]), &m->rows_expr[i], err) != DP_OK) {
            dp_err_prefix(err, "rows: ");
            return dp_err_at(err, m->cli->conf ? ((const struct conf *)m->cli->conf)->policy : NULL, 0, DP_NO_OFFSET);
        }
        m->n_rows++;
    }
    return DP_OK;
}

/* A word of the policy that names no column may be a slip. */
static void warn_unused(struct masking *m) {
    const char *const *words;
    size_t n = dp_mask_unused(m->mask, &words);
    for (size_t i = 0; i < n; i++) dp_run_log(&m->cli->run, DP_LOG_WARN, "%s", words[i]);
}

static enum dp_status prepare(struct masking *m, struct dp_err *err) {
    const struct conf *c = m->cli->conf;
    const struct dp_contract_object *o;
    if (!m->cli->common.contract) return dp_err_set(err, DP_USAGE, "-c CONTRACT is needed: it says what is classified (`dp-contract infer` writes a first one)");
    if (c->role && !c->policy) return dp_err_set(err, DP_USAGE, "--role needs the policy that has it (-p FILE)");
    DP_TRY(dp_contract_load(m->cli->common.contract, &m->contract, &o, err));
    if (c->policy) DP_TRY(dp_policy_read(c->policy, &m->policy, err));
    DP_TRY(dp_mask_compile(&m->contract, o, c->policy ? &m->policy : NULL, c->role, (enum dp_mask_unknown)c->unknown, &m->mask, err));
    DP_TRY(compile_rows(m, err));
    warn_unused(m);
    m->cli->run.hide_raw = m->cli->run.hide_raw || dp_mask_hides(m->mask);
    return set_key(m, err);
}

/* What is done to which column, with the key's id: no value, no key. */
static void report(struct masking *m) {
    const struct dp_mask_column *c;
    size_t n = dp_mask_columns(m->mask, &c);
    struct dp_buf b = {0};
    dp_buf_addc(&b, '[');
    for (size_t i = 0; i < n; i++) {
        dp_buf_addz(&b, i ? ",{\"path\":" : "{\"path\":");
        dp_json_add_string(&b, dp_str_z(c[i].path));
        dp_buf_addf(&b, ",\"technique\":\"%s\"", c[i].technique);
        if (c[i].domain) dp_buf_addz(&b, ",\"domain\":"), dp_json_add_string(&b, dp_str_z(c[i].domain));
        dp_buf_addz(&b, ",\"classification\":");
        if (c[i].classification) dp_json_add_string(&b, dp_str_z(c[i].classification));
        else dp_buf_addz(&b, "null");
        dp_buf_addc(&b, '}');
        dp_run_log(&m->cli->run, DP_LOG_VERBOSE, "%s: %s%s%s%s", c[i].path, c[i].technique, c[i].domain ? " in domain \"" : "", c[i].domain ? c[i].domain : "", c[i].domain ? "\"" : "");
    }
    dp_buf_addc(&b, ']');
    dp_cli_report(m->cli, "masked", dp_buf_str(&b));
    if (*m->key_id) dp_cli_report_str(m->cli, "key_id", dp_str_z(m->key_id));
    dp_buf_release(&b);
}

/* -n: what becomes of which column and of which rows. */
static void tell_plan(struct masking *m) {
    const struct dp_run *run = &m->cli->run;
    const struct dp_mask_column *c;
    const char *rows[2];
    size_t n = dp_mask_columns(m->mask, &c), n_rows = dp_mask_rows(m->mask, rows);
    for (size_t i = 0; i < n; i++) {
        const char *why = c[i].classification ? c[i].classification : "";
        dp_run_log(run, DP_LOG_INFO, "%s %s: %s%s%s%s%s%s", c[i].passes ? "would let pass" : c[i].dropped ? "would drop" : "would mask", c[i].path, c[i].technique,
                   c[i].domain ? " in domain \"" : "", c[i].domain ? c[i].domain : "", c[i].domain ? "\"" : "", *why ? ", classified " : "", why);
    }
    dp_run_log(run, DP_LOG_INFO, "would let every other column of the contract pass as it is");
    if (run->where) dp_run_log(run, DP_LOG_INFO, "would leave out rows for which this is not true: %s", run->where);
    for (size_t i = 0; i < n_rows; i++) dp_run_log(run, DP_LOG_INFO, "would leave out rows for which this is not true: %s", rows[i]);
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    struct masking m = {.cli = cli, .lines = {.run = &cli->run}};
    dp_secret_guard();
    enum dp_status status = prepare(&m, err);
    if (status == DP_OK) report(&m);
    if (status == DP_OK && cli->run.dry_run) tell_plan(&m);
    if (status == DP_OK) status = cli->common.output ? mask_files(&m, err) : mask_records(&m, err);
    for (size_t i = 0; i < m.n_rows; i++) dp_expr_free(m.rows_expr[i]);
    dp_mask_free(m.mask);
    dp_policy_release(&m.policy);
    dp_contract_release(&m.contract);
    return status;
}

static const struct dp_tool *const commands[] = {&mask_keygen, &mask_reveal, NULL};

static const struct dp_tool tool = {.name = "dp-mask",
                                    .summary = "mask personal data in records, by contract, policy and role",
                                    .synopsis = "-c CONTRACT [-p POLICY] [--role NAME] [--key-file FILE] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_OUTPUT | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run,
                                    .commands = commands};
DP_MAIN(tool)

/*
 * dp-map: one jq program over each record.  Reads records and writes what the program makes of each: no output drops the record,
 * several are several records; an output that is no object is a reject.  Fields that the program passes on keep their bytes.
 * The header says of each field what the program made it of; where that can't be told, it has no schema.
 *
 *   dp-ingest --marks orders.csv | dp-map 'del(.card) | .total = .price * .quantity' | dp-partition -o lake/orders
 */
#include <dp/base/file.h>
#include <dp/cli/cli.h>
#include <dp/record/lineage.h>

struct conf {
    const char *file;
};

static const struct dp_opt options[] = {DP_OPT_PATH(conf, file, "file", 'f', "FILE", "read the program from FILE"), DP_OPT_END};

struct map {
    struct dp_expr *program;
};

struct worker {
    struct dp_expr_run *run;
    struct dp_scan *scan;
    struct dp_buf line;
    struct dp_err err; /* of the program: set where it fails */
};

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    struct map *m = ctx;
    struct worker *w = mem;
    (void)err;
    w->run = dp_expr_run_open(m->program);
    w->err = (struct dp_err)DP_ERR_INIT;
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    struct worker *w = mem;
    (void)ctx;
    dp_expr_run_close(w->run);
    dp_scan_close(w->scan);
    dp_buf_release(&w->line);
}

/* Would this output be read as a mark, or refused for its key?  The key may be spelled with escapes. */
static bool has_mark_key(struct worker *w, struct dp_str line) {
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    if (!memchr(line.p, '$', line.n) && !memchr(line.p, '\\', line.n)) return false;
    if (!w->scan) w->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    dp_buf_reset(&w->line);
    dp_buf_adds(&w->line, line);
    memset(dp_buf_reserve(&w->line, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    return dp_scan_value(w->scan, w->line.p, w->line.n, &r, &err) == DP_OK && dp_json_member(&r, 0, "$dp") != 0;
}

/* Why an output is no record; NULL: it is one. */
static const char *refuse_output(struct worker *w, struct dp_str lines) {
    while (lines.n) {
        const char *end = memchr(lines.p, '\n', lines.n);
        size_t n = end ? (size_t)(end - lines.p) : lines.n;
        if (!n || lines.p[0] != '{') return "an output is not an object";
        if (has_mark_key(w, dp_str(lines.p, n))) return "an output has the key \"$dp\", which is kept for marks";
        n += end != NULL;
        lines.p += n, lines.n -= n;
    }
    return NULL;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct worker *w = j->worker_mem;
    size_t start = j->out.n, n = 0;
    (void)ctx;
    enum dp_status status = dp_expr_apply(w->run, r, &j->out, &n, &w->err);
    if (status == DP_RECORD) {
        bool hide = j->run->hide_raw && !j->run->rejects_clear; /* what a program says may quote a classified value */
        dp_job_reject(j, r, "map", NULL, NULL, "%s", hide ? "the program errs on this record" : w->err.msg);
        return DP_OK;
    }
    if (status != DP_OK) {
        if (err) *err = w->err;
        return status;
    }
    const char *why = n ? refuse_output(w, dp_str(j->out.p + start, j->out.n - start)) : NULL;
    if (why) {
        j->out.n = start;
        dp_job_reject(j, r, "map", NULL, "an object", "%s", why);
    } else if (n) {
        dp_job_use(j);
    } else {
        dp_job_filter(j);
    }
    return DP_OK;
}

/* The header behind us: names, types and origins of the fields that the program makes. */
static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct map *m = ctx;
    (void)err;
    dp_lineage_map(m->program, "dp-map", begin);
    return DP_OK;
}

static enum dp_status read_program(struct dp_cli *cli, const struct conf *conf, struct dp_buf *text, struct dp_err *err) {
    if (conf->file) return dp_file_read(conf->file, DP_LIMIT_EXPR_BYTES, text, err);
    if (!cli->n_args) return dp_err_set(err, DP_USAGE, "a program is missing: give it as the first argument or with --file FILE");
    dp_buf_addz(text, cli->args[0]);
    cli->args++, cli->n_args--;
    return DP_OK;
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .worker_open = worker_open, .worker_close = worker_close,
                                      .record = on_record, .header = on_header};
    const struct dp_stream_conf stream = {.decides = true};
    struct map m = {0};
    struct dp_buf text = {0};
    enum dp_status status;
    DP_TRY_OUT(read_program(cli, cli->conf, &text, err));
    DP_TRY_OUT(dp_expr_compile(dp_buf_str(&text), &m.program, err));
    if (!dp_expr_is_compiled(m.program)) dp_run_log(&cli->run, DP_LOG_VERBOSE, "the program runs in libjq: %s", dp_expr_why(m.program));
    status = dp_cli_stream(cli, &stream, &ops, &m, err);
out:
    dp_expr_free(m.program);
    dp_buf_release(&text);
    return status;
}

static const struct dp_tool tool = {.name = "dp-map",
                                    .summary = "run a jq program over each record",
                                    .synopsis = "(-f FILE | PROGRAM) [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_FORMATS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .first_for = "file",
                                    .run = run};
DP_MAIN(tool)

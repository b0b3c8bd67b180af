/*
 * dp-contract: data contracts.
 *
 * infer  reads records, CSV, JSON, Parquet (whatever dp reads), and prints a first contract (ODCS 3.1, YAML) for them on standard output:
 *        types, what is required because it was always there, columns fit for partitions as a comment.  Typed sources keep their types;
 *        otherwise a type holds every value looked at exactly.  Keys, uniqueness and classifications are left to a person.
 *
 *     dp-contract infer --name orders orders.csv.gz >orders.odcs.yaml
 *
 * It looks at the first 32 MiB of records unless told otherwise; the comment at the top says at how many.
 */
#include <dp/cli/cli.h>

#include <dp/base/file.h>
#include <dp/record/infer.h>
#include <dp/rules/lint.h>
#include <dp/rules/profile.h>
#include <stdlib.h>
#include <string.h>

struct conf {
    int format;
    const char *name, *id, *member;
    uint64_t sample;
    bool all;
    int rules;
};

static const char *const formats[] = {"auto", "csv", "tsv", "json", "ndjson", "jsonl", "parquet", NULL};
static const char *const rules_words[] = {"loose", "none", "exact", NULL};
static const enum dp_contract_rules rules_values[] = {DP_CONTRACT_RULES_LOOSE, DP_CONTRACT_RULES_NONE, DP_CONTRACT_RULES_EXACT};
static const struct dp_opt options[] = {
    DP_OPT_STRING(conf, name, "name", 0, "NAME", "name of the contract and its table (default: from the first SOURCE's name)"),
    DP_OPT_STRING(conf, id, "id", 0, "ID", "id of the contract (default: its name)"),
    DP_OPT_ENUM(conf, format, "format", 'f', "FORMAT", "what every SOURCE is; auto: told by content", formats),
    DP_OPT_STRING(conf, member, "member", 0, "GLOB", "only members of archives whose name matches GLOB"),
    DP_OPT_SIZE(conf, sample, "sample", 0, "SIZE", "look at the first SIZE bytes of records", 1, 0, .def = "32M"),
    DP_OPT_FLAG(conf, all, "all", 0, "look at all records", .conflicts = "sample"),
    DP_OPT_ENUM(conf, rules, "rules", 0, "HOW", "rules from what was seen: with room for more, none, or exactly", rules_words),
    DP_OPT_END};

struct inference {
    struct dp_cli *cli;
    struct dp_infer *infer;
    const struct dp_origin *origin; /* of the latest chunk */
    struct dp_type *typed;          /* what typed sources and the header say together */
    bool untyped, conflict;         /* a source without types was read; sources disagree */
    uint64_t limit, bytes;          /* of records */
};

/* Types of sources and of the header win over what the records look like, as long as they agree. */
static void add_types(struct inference *in, const struct dp_type *schema) {
    if (!schema) {
        in->untyped = true;
        return;
    }
    struct dp_type *both = in->typed ? dp_type_unify(in->typed, schema) : dp_type_copy(schema);
    if (!both) {
        in->conflict = true;
        return;
    }
    dp_type_free(in->typed);
    in->typed = both;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct inference *in = ctx;
    (void)err;
    if (begin->schema) add_types(in, begin->schema);
    return DP_OK;
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct inference *in = ctx;
    (void)err;
    if (j->chunk->origin == in->origin) return DP_OK;
    in->origin = j->chunk->origin;
    struct dp_stream *s = dp_stream_of(j->run);
    const struct dp_mark *begin = dp_stream_is_piped(s) ? dp_stream_begin(s) : NULL;
    if (!begin || !begin->schema) add_types(in, in->origin ? in->origin->schema : NULL);
    return DP_OK;
}

/* Without --threads there is one worker: records come in order. */
static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct inference *in = ctx;
    (void)err;
    if (in->limit && in->bytes >= in->limit) {
        dp_job_filter(j);
        return DP_OK;
    }
    dp_infer_record(in->infer, r);
    in->bytes += r->raw_n + 1;
    dp_job_use(j);
    return DP_OK;
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct inference *in = ctx;
    (void)err;
    if (in->limit && in->bytes >= in->limit) dp_stream_stop(j->stream);
    return DP_OK;
}

/* "data/orders-2026.csv.gz" names orders-2026; standard input names nothing. */
static char *default_name(const struct dp_cli *cli) {
    if (!cli->n_args || !strcmp(cli->args[0], "-")) return dp_strdup("data");
    char *path = dp_strdup(cli->args[0]);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    const char *base = dp_path_base(path);
    size_t len = strcspn(base, ".");
    struct dp_buf b = {0};
    for (size_t i = 0; i < len; i++) {
        char c = base[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (word) dp_buf_addc(&b, c);
    }
    if (!b.n) dp_buf_addz(&b, "data");
    free(path);
    return dp_buf_detach(&b);
}

static enum dp_status print_contract(struct inference *in, struct dp_err *err) {
    struct dp_cli *cli = in->cli;
    const struct conf *conf = cli->conf;
    bool typed = in->typed && !in->untyped && !in->conflict;
    char *name = conf->name ? dp_strdup(conf->name) : default_name(cli);
    struct dp_type *schema = dp_infer_schema(in->infer);
    if (typed) {
        struct dp_type *filled = dp_type_is_complete(in->typed) ? dp_type_copy(in->typed) : dp_type_fill(in->typed, schema);
        dp_type_free(schema);
        schema = filled;
    }
    struct dp_contract_draft d = {.id = conf->id ? conf->id : name, .name = name, .schema = schema, .records = dp_infer_count(in->infer),
                                 .rules = rules_values[conf->rules]};
    struct dp_buf b = {0};
    d.n_fields = dp_infer_fields(in->infer, &d.fields);
    if (in->conflict) dp_run_log(&cli->run, DP_LOG_WARN, "the sources' types disagree: types are inferred from the records");
    else dp_run_log(&cli->run, DP_LOG_VERBOSE, typed ? "types are the sources' own" : "types are inferred from the records");
    dp_contract_write(&d, &b);
    dp_cli_report_u64(cli, "looked_at", d.records);
    dp_cli_report_u64(cli, "columns", schema->n_children);
    enum dp_status status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    dp_type_free(schema);
    free(name);
    return status;
}

static enum dp_status infer(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *conf = cli->conf;
    struct inference in = {.cli = cli, .infer = conf->rules == 1 ? dp_infer_open() : dp_infer_open_watched(&dp_profile_watch), .limit = conf->all ? 0 : conf->sample};
    struct dp_stream_conf stream = {.sources = {.format = formats[conf->format], .member = conf->member}, .decides = true, .sink = true};
    static const struct dp_stream_ops ops = {.chunk_begin = on_chunk, .record = on_record, .emit = on_emit, .begin = on_begin};
    enum dp_status status = dp_cli_stream(cli, &stream, &ops, &in, err);
    if (status == DP_OK) status = print_contract(&in, err);
    dp_type_free(in.typed);
    dp_infer_close(in.infer);
    return status;
}

/* ---- lint ---- */

struct lint_conf {
    int form, fail_on;
};

enum { FAIL_ON_ERROR, FAIL_ON_WARNING, FAIL_ON_NEVER };
static const char *const lint_forms[] = {"text", "json", "github", "sarif", NULL};
static const char *const fail_words[] = {"error", "warning", "never", NULL};
static const struct dp_opt lint_options[] = {
    DP_OPT_ENUM(lint_conf, form, "to", 0, "FORM", "how findings are printed", lint_forms),
    DP_OPT_ENUM(lint_conf, fail_on, "fail-on", 0, "LEVEL", "what makes the exit status 2", fail_words),
    DP_OPT_END};

static enum dp_status lint_verdict(struct dp_cli *cli, const uint64_t *counts, size_t wrong, struct dp_err *err) {
    const struct lint_conf *conf = cli->conf;
    dp_cli_report_u64(cli, "files", cli->n_args);
    dp_cli_report_u64(cli, "wrong_files", wrong);
    dp_cli_report_u64(cli, "errors", counts[DP_FINDING_ERROR]);
    dp_cli_report_u64(cli, "warnings", counts[DP_FINDING_WARNING]);
    dp_cli_report_u64(cli, "notes", counts[DP_FINDING_NOTE]);
    bool failed = conf->fail_on != FAIL_ON_NEVER && (counts[DP_FINDING_ERROR] || (conf->fail_on == FAIL_ON_WARNING && counts[DP_FINDING_WARNING]));
    if (!failed) return DP_OK;
    return dp_err_set(err, DP_USAGE, "%llu errors, %llu warnings in %zu files", (unsigned long long)counts[DP_FINDING_ERROR], (unsigned long long)counts[DP_FINDING_WARNING],
                      cli->n_args);
}

static enum dp_status lint(struct dp_cli *cli, struct dp_err *err) {
    const struct lint_conf *conf = cli->conf;
    enum dp_lint_form form = (enum dp_lint_form)conf->form;
    uint64_t counts[DP_FINDING_NOTE + 1] = {0};
    size_t printed = 0, wrong = 0;
    struct dp_buf b = {0}, all = {0};
    enum dp_status status = DP_OK;
    dp_lint_print_begin(form, &b);
    for (size_t i = 0; i < cli->n_args && status == DP_OK; i++) {
        struct dp_findings found = {0};
        status = dp_contract_lint(cli->args[i], &found, err);
        for (size_t k = 0; k <= DP_FINDING_NOTE; k++) counts[k] += found.n_levels[k];
        wrong += found.n_levels[DP_FINDING_ERROR] > 0;
        dp_lint_print(form, cli->args[i], &found, cli->common.verbose || form != DP_LINT_TEXT, &printed, &b);
        if (cli->common.json || cli->common.report) {
            size_t n = all.n;
            dp_lint_print(DP_LINT_JSON, cli->args[i], &found, true, &(size_t){0}, &all);
            for (; n < all.n; n++)
                if (all.p[n] == '\n') all.p[n] = ',';
        }
        dp_findings_release(&found);
        if (status == DP_OK && form != DP_LINT_SARIF) {
            status = dp_out_write(cli->run.out, b.p, b.n, err);
            b.n = 0;
        }
    }
    if (status == DP_OK) {
        dp_lint_print_end(form, &b);
        status = dp_out_write(cli->run.out, b.p, b.n, err);
    }
    if (cli->common.json || cli->common.report) {
        struct dp_buf list = {0};
        dp_buf_addc(&list, '[');
        dp_buf_add(&list, all.p, all.n ? all.n - 1 : 0);
        dp_buf_addc(&list, ']');
        dp_cli_report(cli, "findings", dp_buf_str(&list));
        dp_buf_release(&list);
    }
    dp_buf_release(&b), dp_buf_release(&all);
    return status == DP_OK ? lint_verdict(cli, counts, wrong, err) : status;
}

static const struct dp_tool infer_tool = {.name = "infer",
                                          .summary = "print a first contract for data",
                                          .synopsis = "[SOURCE...]",
                                          .options = options,
                                          .conf_size = sizeof(struct conf),
                                          .common = DP_COMMON_WHERE | DP_COMMON_REJECTS | DP_COMMON_EMPTY | DP_COMMON_RECORDS,
                                          .max_args = -1,
                                          .args = "SOURCE",
                                          .run = infer};
static const struct dp_tool lint_tool = {.name = "lint",
                                         .summary = "say everything that is wrong in contracts",
                                         .synopsis = "lint FILE...",
                                         .options = lint_options,
                                         .conf_size = sizeof(struct lint_conf),
                                         .common = DP_COMMON_JSON,
                                         .min_args = 1,
                                         .max_args = -1,
                                         .args = "FILE",
                                         .run = lint};
static const struct dp_tool *const commands[] = {&infer_tool, &lint_tool, NULL};
static const struct dp_tool tool = {.name = "dp-contract", .summary = "data contracts: infer, lint, diff, compatibility", .synopsis = "infer [SOURCE...]\nlint FILE...", .commands = commands};

DP_MAIN(tool)

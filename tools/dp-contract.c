/*
 * dp-contract: data contracts.
 *
 * infer  reads records, CSV, JSON, Parquet (whatever dp reads), and prints a first contract (ODCS 3.1, YAML) for them on standard output:
 *        types, what is required because it was always there, columns fit for partitions as a comment.  Typed sources keep their types;
 *        otherwise a type holds every value looked at exactly.  Keys, uniqueness and classifications are left to a person.
 *
 *     dp-contract infer --name orders orders.csv.gz >orders.odcs.yaml
 *
 * lint   says everything that is wrong, or not as meant, in contracts: text, JSON, GitHub annotations, SARIF.
 * diff   says what changed between two, breaking changes first, and which step of the version that asks for.
 * compat says whether one can read what others wrote: contracts, or the schemas of a table over its versions.
 *
 * infer looks at the first 32 MiB of records unless told otherwise; the comment at the top says at how many.
 */
#include <dp/cli/cli.h>

#include <dp/base/file.h>
#include <dp/delta/log.h>
#include <dp/record/infer.h>
#include <dp/record/json.h>
#include <dp/rules/compat.h>
#include <dp/rules/diff.h>
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
    return dp_err_set(err, DP_USAGE, "errors %llu, warnings %llu, files %zu", (unsigned long long)counts[DP_FINDING_ERROR], (unsigned long long)counts[DP_FINDING_WARNING], cli->n_args);
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

/* ---- diff ---- */

struct diff_conf {
    int form, fail_on;
    const char *mode;
};

enum { DIFF_FAIL_NEVER, DIFF_FAIL_VERSION, DIFF_FAIL_BREAKING };
static const char *const diff_forms[] = {"text", "markdown", "json", NULL};
static const char *const diff_fail_words[] = {"never", "version", "breaking", NULL};
static const struct dp_opt diff_options[] = {
    DP_OPT_ENUM(diff_conf, form, "to", 0, "FORM", "how changes are printed", diff_forms),
    DP_OPT_STRING(diff_conf, mode, "mode", 0, "MODE", "for whom a change may be breaking: BACKWARD, FORWARD or FULL", .def = "FULL"),
    DP_OPT_ENUM(diff_conf, fail_on, "fail-on", 0, "WHAT", "what makes the exit status 1: a version that rose too little, a breaking change", diff_fail_words),
    DP_OPT_END};

static enum dp_status find_mode(const char *word, enum dp_compat_mode *mode, struct dp_err *err) {
    if (dp_compat_mode_find(word, mode)) return DP_OK;
    char upper[64];
    size_t n = 0;
    for (; word[n] && n < sizeof upper - 1; n++) upper[n] = (char)(word[n] >= 'a' && word[n] <= 'z' ? word[n] - 32 : word[n]);
    upper[n] = 0;
    const char *near = dp_str_nearest(upper, dp_compat_mode_names);
    return dp_err_set(err, DP_USAGE, "--mode %.60s: no such mode%s%s%s", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum dp_status diff_verdict(struct dp_cli *cli, const struct dp_diff *d, struct dp_err *err) {
    const struct diff_conf *conf = cli->conf;
    dp_cli_report_u64(cli, "breaking", d->n_class[DP_CHANGE_BREAKING]);
    dp_cli_report_u64(cli, "compatible", d->n_class[DP_CHANGE_COMPATIBLE]);
    dp_cli_report_u64(cli, "governance", d->n_class[DP_CHANGE_GOVERNANCE]);
    dp_cli_report_u64(cli, "documentation", d->n_class[DP_CHANGE_DOCS]);
    dp_cli_report_str(cli, "needed", dp_str_z(dp_version_step_name(d->needed)));
    if (d->suggested) dp_cli_report_str(cli, "suggested", dp_str_z(d->suggested));
    dp_cli_report(cli, "version_is_right", d->version_is_right ? DP_STR("true") : DP_STR("false"));
    if (conf->fail_on == DIFF_FAIL_BREAKING && d->n_class[DP_CHANGE_BREAKING])
        return dp_err_set(err, DP_SCHEMA, "%zu breaking changes", d->n_class[DP_CHANGE_BREAKING]);
    if (conf->fail_on == DIFF_FAIL_VERSION && !d->version_is_right)
        return dp_err_set(err, DP_SCHEMA, "the version rose too little: a %s step is needed", dp_version_step_name(d->needed));
    return DP_OK;
}

static enum dp_status diff(struct dp_cli *cli, struct dp_err *err) {
    const struct diff_conf *conf = cli->conf;
    struct dp_contract old = {0}, new_ = {0};
    struct dp_diff d = {0};
    struct dp_buf b = {0};
    enum dp_compat_mode mode;
    enum dp_status status = find_mode(conf->mode, &mode, err);
    if (status == DP_OK) status = dp_contract_read(cli->args[0], &old, err);
    if (status == DP_OK) status = dp_contract_read(cli->args[1], &new_, err);
    if (status == DP_OK) {
        dp_diff_contracts(&old, &new_, mode, &d);
        dp_diff_print((enum dp_diff_form)conf->form, &old, &new_, cli->args[0], cli->args[1], &d, &b);
        status = dp_out_write(cli->run.out, b.p, b.n, err);
    }
    if (status == DP_OK) status = diff_verdict(cli, &d, err);
    dp_buf_release(&b);
    dp_diff_release(&d);
    dp_contract_release(&old), dp_contract_release(&new_);
    return status;
}

/* ---- compat ---- */

struct compat_conf {
    const char *mode;
    int form;
    bool closed;
};

static const char *const compat_forms[] = {"text", "json", NULL};
static const struct dp_opt compat_options[] = {
    DP_OPT_STRING(compat_conf, mode, "mode", 0, "MODE", "BACKWARD, FORWARD or FULL, with _TRANSITIVE against all versions; NONE", .def = "BACKWARD"),
    DP_OPT_FLAG(compat_conf, closed, "closed", 0, "a property that the reader does not know is in the way"),
    DP_OPT_ENUM(compat_conf, form, "to", 0, "FORM", "how reasons are printed", compat_forms),
    DP_OPT_END};

/* The versions before, with what to call each. */
struct versions {
    struct dp_contract *files;
    struct dp_compat_history history;
    const struct dp_contract **v;
    char **names;
    size_t n;
};

static enum dp_status read_history(struct dp_cli *cli, const char *object, struct versions *old, struct dp_err *err) {
    DP_TRY(dp_compat_history_read(cli->args[0], object, &old->history, err));
    old->n = old->history.n;
    old->v = dp_calloc(old->n + 1, sizeof *old->v);
    old->names = dp_calloc(old->n + 1, sizeof *old->names);
    for (size_t i = 0; i < old->n; i++) {
        struct dp_buf name = {0};
        dp_buf_addf(&name, "%s version %lld", cli->args[0], (long long)old->history.versions[i]);
        old->v[i] = &old->history.contracts[i];
        old->names[i] = dp_buf_detach(&name);
    }
    return DP_OK;
}

static enum dp_status read_files(struct dp_cli *cli, struct versions *old, struct dp_err *err) {
    size_t n = cli->n_args - 1;
    old->files = dp_calloc(n, sizeof *old->files);
    old->v = dp_calloc(n, sizeof *old->v);
    old->names = dp_calloc(n, sizeof *old->names);
    for (size_t i = 0; i < n; i++) {
        DP_TRY(dp_contract_read(cli->args[i], &old->files[i], err));
        old->v[i] = &old->files[i];
        old->names[i] = dp_strdup(cli->args[i]);
        old->n++;
    }
    return DP_OK;
}

static void release_versions(struct versions *old) {
    for (size_t i = 0; i < old->n; i++) {
        if (old->files) dp_contract_release(&old->files[i]);
        free(old->names[i]);
    }
    dp_compat_history_release(&old->history);
    free(old->files), free(old->v), free(old->names);
}

static const char *direction_word(enum dp_compat_direction d) {
    return d == DP_COMPAT_IS_BACKWARD ? "BACKWARD" : "FORWARD";
}

static void reason_json(const struct dp_compat_reason *r, const char *against, struct dp_buf *b) {
    static const char *const classes[] = {"data", "sla", "governance", "layout"};
    dp_buf_addf(b, "{\"level\":\"%s\",\"direction\":\"%s\",\"class\":\"%s\",\"key\":\"%s\",\"path\":", r->is_warning ? "warning" : "error", direction_word(r->direction),
                classes[r->class_], r->key);
    dp_json_add_string(b, dp_str_z(r->path));
    dp_buf_addz(b, ",\"text\":");
    dp_json_add_string(b, dp_str_z(r->text));
    dp_buf_addz(b, ",\"against\":");
    dp_json_add_string(b, dp_str_z(against));
    dp_buf_addc(b, '}');
}

/* The direction and the version stand behind a reason only where there are several. */
static void print_reasons(struct dp_cli *cli, const struct dp_compat *k, const struct versions *old, enum dp_compat_mode mode, struct dp_buf *b, struct dp_buf *all) {
    const struct compat_conf *conf = cli->conf;
    bool both = mode == DP_COMPAT_FULL || mode == DP_COMPAT_FULL_TRANSITIVE;
    bool many = old->n > 1 && (mode == DP_COMPAT_BACKWARD_TRANSITIVE || mode == DP_COMPAT_FORWARD_TRANSITIVE || mode == DP_COMPAT_FULL_TRANSITIVE);
    dp_buf_addc(all, '[');
    for (size_t i = 0; i < k->n; i++) {
        const struct dp_compat_reason *r = &k->v[i];
        if (i) dp_buf_addc(all, ',');
        reason_json(r, old->names[r->version], all);
        if (conf->form) {
            reason_json(r, old->names[r->version], b);
            dp_buf_addc(b, '\n');
        } else if (r->is_warning) {
            bool again = both && r->class_ == DP_COMPAT_GOVERNANCE && r->direction == DP_COMPAT_IS_FORWARD; /* it was said of BACKWARD */
            if (!again) dp_run_log(&cli->run, DP_LOG_WARN, "%s: %s", r->path, r->text);
        } else {
            dp_buf_addf(b, "%s: %s", r->path, r->text);
            if (both) dp_buf_addf(b, " [%s]", direction_word(r->direction));
            if (many) dp_buf_addf(b, " [%s]", old->names[r->version]);
            dp_buf_addc(b, '\n');
        }
    }
    dp_buf_addc(all, ']');
}

static enum dp_status judge(struct dp_cli *cli, const struct versions *old, const struct dp_contract *new_, enum dp_compat_mode mode, struct dp_err *err) {
    const struct compat_conf *conf = cli->conf;
    struct dp_compat k = {.closed = conf->closed, .schema_only = old->history.n > 0};
    struct dp_buf b = {0}, all = {0};
    bool right = dp_compat_check(old->v, old->n, new_, mode, &k);
    print_reasons(cli, &k, old, mode, &b, &all);
    dp_cli_report_str(cli, "mode", dp_str_z(dp_compat_mode_names[mode]));
    dp_cli_report(cli, "compatible", right ? DP_STR("true") : DP_STR("false"));
    dp_cli_report_u64(cli, "versions", old->n);
    dp_cli_report(cli, "reasons", dp_buf_str(&all));
    enum dp_status status = dp_out_write(cli->run.out, b.p, b.n, err);
    if (status == DP_OK && !right)
        status = dp_err_set(err, DP_SCHEMA, "%s is not %s compatible: %zu %s", cli->args[cli->n_args - 1], dp_compat_mode_names[mode], k.n_errors, k.n_errors == 1 ? "reason" : "reasons");
    dp_buf_release(&b), dp_buf_release(&all);
    dp_compat_release(&k);
    return status;
}

/* A table is compared with one object, by its columns alone. */
static enum dp_status compat_table(struct dp_cli *cli, enum dp_compat_mode mode, struct dp_err *err) {
    struct dp_contract c = {0};
    const struct dp_contract_object *o;
    struct versions old = {0};
    if (cli->n_args != 2) return dp_err_set(err, DP_USAGE, "a table has its own history: compat TABLE NEW takes one contract");
    DP_TRY(dp_contract_load(cli->args[1], &c, &o, err));
    struct dp_contract_object *all = c.objects;
    size_t n_all = c.n_objects, at = (size_t)(o - all);
    c.objects = all + at;
    c.n_objects = 1;
    enum dp_status status = read_history(cli, o->name, &old, err);
    for (size_t i = 0; i < old.n && status == DP_OK; i++) old.history.contracts[i].objects[0].physical_name = all[at].physical_name;
    if (status == DP_OK) status = judge(cli, &old, &c, mode, err);
    c.objects = all;
    c.n_objects = n_all;
    release_versions(&old);
    dp_contract_release(&c);
    return status;
}

static enum dp_status compat(struct dp_cli *cli, struct dp_err *err) {
    const struct compat_conf *conf = cli->conf;
    enum dp_compat_mode mode;
    struct dp_contract c = {0};
    struct versions old = {0};
    DP_TRY(find_mode(conf->mode, &mode, err));
    if (dp_delta_is_table(cli->args[0])) return compat_table(cli, mode, err);
    enum dp_status status = read_files(cli, &old, err);
    if (status == DP_OK) status = dp_contract_read(cli->args[cli->n_args - 1], &c, err);
    if (status == DP_OK) status = judge(cli, &old, &c, mode, err);
    release_versions(&old);
    dp_contract_release(&c);
    return status;
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
                                         .synopsis = "FILE...",
                                         .options = lint_options,
                                         .conf_size = sizeof(struct lint_conf),
                                         .common = DP_COMMON_JSON,
                                         .min_args = 1,
                                         .max_args = -1,
                                         .args = "FILE",
                                         .no_lineage = "*",
                                         .run = lint};
static const struct dp_tool diff_tool = {.name = "diff",
                                         .summary = "say what changed between two contracts",
                                         .synopsis = "OLD NEW",
                                         .options = diff_options,
                                         .conf_size = sizeof(struct diff_conf),
                                         .common = DP_COMMON_JSON,
                                         .min_args = 2,
                                         .max_args = 2,
                                         .args = "FILE",
                                         .no_lineage = "*",
                                         .run = diff};
static const struct dp_tool compat_tool = {.name = "compat",
                                           .summary = "can one contract read what another wrote",
                                           .synopsis = "[--mode MODE] OLD... NEW\n[--mode MODE] TABLE NEW",
                                           .options = compat_options,
                                           .conf_size = sizeof(struct compat_conf),
                                           .common = DP_COMMON_JSON,
                                           .min_args = 2,
                                           .max_args = -1,
                                           .args = "FILE",
                                           .no_lineage = "*",
                                           .run = compat};
static const struct dp_tool *const commands[] = {&infer_tool, &lint_tool, &diff_tool, &compat_tool, NULL};
static const struct dp_tool tool = {.name = "dp-contract",
                                    .summary = "data contracts: infer, lint, diff, compat",
                                    .synopsis = "infer [SOURCE...]\nlint FILE...\ndiff OLD NEW\ncompat [--mode MODE] OLD... NEW\ncompat [--mode MODE] TABLE NEW",
                                    .commands = commands};

DP_MAIN(tool)

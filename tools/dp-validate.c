/*
 * dp-validate: records against a contract.  A record that keeps every rule goes out as it came in; one that breaks a rule of severity error is a reject with
 * all the rules that it broke; rules about the whole set are judged at the end, and when one of them fails so does the run.
 *
 *   dp-ingest -c orders.yaml orders.csv | dp-validate -c orders.yaml --rejects bad.ndjson --max-rejects 1% | dp-partition -c orders.yaml -o lake/orders
 *   dp-validate -c orders.yaml --check orders.parquet
 *
 * With --check, findings go to standard output instead of records.  Keys that must be unique are looked up in the order of the input, in bounded memory:
 * the first record with a key holds it, good or bad.
 */
#include <dp/cli/cli.h>
#include <dp/io/datasets.h>
#include <dp/io/refset.h>
#include <dp/io/statistics.h>
#include <dp/io/typed.h>
#include <dp/record/lineage.h>
#include <dp/rules/check.h>
#include <dp/rules/check_screen.h>

#include <stdlib.h>
#include <unistd.h>

struct conf {
    bool check, closed;
    const char *junit;
    int between, duplicates, absent;
    struct dp_opt_list reference;
};

static const char *const betweens[] = {"closed", "open", NULL};
static const char *const countings[] = {"keys", "surplus", NULL};
static const char *const absents[] = {"null", "fail", NULL};

static const struct dp_opt options[] = {
    DP_OPT_FLAG(conf, check, "check", 0, "print findings instead of records"),
    DP_OPT_PATH(conf, junit, "junit", 0, "FILE", "write the verdict as JUnit XML"),
    DP_OPT_LIST(conf, reference, "reference", 0, "OBJECT=SOURCE", "where the data is that relationships to OBJECT point into"),
    DP_OPT_FLAG(conf, closed, "closed", 0, "a field that the contract does not know is a broken rule"),
    DP_OPT_ENUM(conf, absent, "absent-column", 0, "HOW", "a property that no record has counts as null, or fails the run", absents),
    DP_OPT_ENUM(conf, between, "between", 0, "HOW", "do the bounds of mustBeBetween belong to it", betweens),
    DP_OPT_ENUM(conf, duplicates, "duplicates", 0, "WHAT", "what duplicateValues counts: keys, or rows beyond the first", countings),
    DP_OPT_END};

/* Keys of one tuple: all that were seen, and those that were seen again. */
struct keys {
    const struct dp_check_tuple *tuple;
    struct dp_keyset *seen, *again;
};

/* Keys that must be somewhere else. */
struct foreign {
    const struct dp_check_tuple *tuple;
    struct dp_refset *set;
};

/* Of one chunk. */
struct bad { size_t held, first, n; };   /* a record on hold that broke rules: which of `why` */
struct job_keys { struct dp_key *v; uint32_t *held; bool *seen; size_t n, cap, cap_held, cap_seen, at; };
struct job {
    struct dp_check_tally tally;
    struct dp_arena arena;
    struct bad *bad;
    struct dp_reject_rule *why;
    size_t n_bad, cap_bad, n_why, cap_why;
    uint32_t n_held;
    struct job_keys *keys;
};

struct worker {
    struct dp_check_run *run;
    const struct dp_type *types;
    bool has_types;
    struct dp_reject_rule *why;
    size_t cap_why;
    struct dp_path_hint **hints, **foreign_hints;
    struct dp_buf key;
};

struct state {
    struct dp_cli *cli;
    const struct conf *conf;
    struct dp_contract contract;
    const struct dp_contract_object *object;
    struct dp_type *schema;
    struct dp_verdict verdict;
    struct dp_check *check;
    struct keys *keys;
    size_t n_keys;
    struct foreign *foreign;
    size_t n_foreign;
    uint64_t share;               /* memory of one set */
    struct dp_check_run *words;   /* for what is found in order */
    bool hides;                   /* it was told what the header calls classified */
    struct dp_scan *scan;
    struct dp_buf fields;
    bool is_settled, only_counts;
    struct dp_statistics *statistics;
    const char **columns;         /* that rules need of Parquet files and tables; NULL: all */
    size_t n_columns;
    bool is_answered;             /* by statistics: no record is looked at */
    struct screen { struct dp_check_screen *rows; const struct dp_type *schema; } *screens; /* by worker, for batches of this schema; NULL: none */
};

/* ---- a record ---- */

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    struct state *s = ctx;
    struct worker *w = mem;
    (void)err;
    w->run = dp_check_run_open(s->check);
    w->hints = dp_calloc(s->n_keys + 1, sizeof *w->hints);
    for (size_t i = 0; i < s->n_keys; i++) w->hints[i] = dp_calloc(s->keys[i].tuple->n_paths, sizeof **w->hints);
    w->foreign_hints = dp_calloc(s->n_foreign + 1, sizeof *w->foreign_hints);
    for (size_t i = 0; i < s->n_foreign; i++) w->foreign_hints[i] = dp_calloc(s->foreign[i].tuple->n_paths, sizeof **w->foreign_hints);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    struct state *s = ctx;
    struct worker *w = mem;
    for (size_t i = 0; w->hints && i < s->n_keys; i++) free(w->hints[i]);
    free(w->hints);
    for (size_t i = 0; w->foreign_hints && i < s->n_foreign; i++) free(w->foreign_hints[i]);
    free(w->foreign_hints);
    free(w->why);
    dp_check_run_close(w->run);
    dp_buf_release(&w->key);
}

static void job_close(void *ctx, void *mem) {
    struct state *s = ctx;
    struct job *x = mem;
    for (size_t i = 0; x->keys && i < s->n_keys; i++) {
        free(x->keys[i].v);
        free(x->keys[i].held);
        free(x->keys[i].seen);
    }
    free(x->keys);
    free(x->bad);
    free(x->why);
    dp_check_tally_release(&x->tally);
    dp_arena_release(&x->arena);
}

static bool header_hides(void *ctx, struct dp_str column) { return dp_stream_is_classified(ctx, column); }

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct worker *w = j->worker_mem;
    struct job *x = j->mem;
    const struct dp_type *types = dp_job_types(j);
    dp_arena_reset(&x->arena);
    x->n_bad = x->n_why = x->n_held = 0;
    if (!x->keys) x->keys = dp_calloc(s->n_keys + 1, sizeof *x->keys);
    for (size_t i = 0; i < s->n_keys; i++) x->keys[i].n = x->keys[i].at = 0;
    if (w->has_types && w->types == types) return DP_OK;
    const char *name = j->chunk->origin ? j->chunk->origin->name : "-";
    if (j->run->hide_raw && !j->run->rejects_clear) dp_check_hide(w->run, header_hides, j->stream);
    DP_TRY(dp_check_types(w->run, types, strcmp(name, "-") != 0 ? name : "the stream's header", err));
    w->types = types;
    w->has_types = true;
    return DP_OK;
}

/* The rules that make it a bad record, in words where somebody keeps them; what only counts is left out. */
static size_t explain(const struct state *s, struct worker *w, const struct dp_record *r, const struct dp_check_breach *b, size_t n, struct dp_arena *a) {
    size_t k = 0;
    w->why = dp_grow(w->why, &w->cap_why, n, sizeof *w->why);
    for (size_t i = 0; i < n; i++) {
        const struct dp_verdict_rule *v = &s->verdict.rules[b[i].rule];
        if (!v->per_record || v->severity != DP_SEVERITY_ERROR) continue;
        if (s->only_counts) {
            w->why[k++] = (struct dp_reject_rule){.rule = v->check, .path = v->property};
            continue;
        }
        struct dp_check_words x = dp_check_explain(w->run, r, &b[i]);
        w->why[k++] = (struct dp_reject_rule){x.rule, x.path ? dp_arena_strdup(a, x.path) : NULL, dp_arena_strdup(a, x.reason), x.expected};
    }
    return k;
}

/* Its keys, to be looked up when it is its turn. */
static void note_keys(const struct state *s, struct worker *w, struct job *x, const struct dp_record *r) {
    for (size_t i = 0; i < s->n_keys; i++) {
        const struct dp_check_tuple *t = s->keys[i].tuple;
        struct job_keys *k = &x->keys[i];
        dp_buf_reset(&w->key);
        if (!dp_tuple_bytes(t->paths, t->n_paths, w->hints[i], r, &w->key)) continue;
        k->v = dp_grow(k->v, &k->cap, k->n + 1, sizeof *k->v);
        k->held = dp_grow(k->held, &k->cap_held, k->n + 1, sizeof *k->held);
        k->v[k->n] = dp_keyset_key(s->keys[i].seen, dp_buf_str(&w->key));
        k->held[k->n++] = x->n_held;
    }
}

/* Foreign keys: any thread may look. */
static enum dp_status find_foreign(const struct state *s, struct worker *w, const struct dp_record *r, const struct dp_check_breach **b, size_t *n, struct dp_err *err) {
    for (size_t i = 0; i < s->n_foreign; i++) {
        const struct foreign *f = &s->foreign[i];
        bool has;
        dp_buf_reset(&w->key);
        if (!dp_tuple_bytes(f->tuple->paths, f->tuple->n_paths, w->foreign_hints[i], r, &w->key)) continue;
        const struct dp_key key = dp_refset_key(f->set, dp_buf_str(&w->key));
        DP_TRY(dp_refset_find(f->set, &key, 1, &has, err));
        if (!has) dp_check_break_tuple(w->run, f->tuple, b, n);
    }
    return DP_OK;
}

static void keep(struct state *s, struct dp_job *j, const struct dp_record *r) {
    if (s->conf->check) dp_job_use(j);
    else dp_job_pass(j, r);
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct state *s = ctx;
    struct worker *w = j->worker_mem;
    struct job *x = j->mem;
    const struct dp_check_breach *b;
    size_t n, bad = 0;
    DP_TRY(dp_check_record(w->run, r, &b, &n, err));
    if (s->n_foreign) DP_TRY(find_foreign(s, w, r, &b, &n, err));
    if (n) {
        uint64_t line, offset;
        dp_job_place(j, r, &line, &offset);
        dp_check_note(w->run, r, b, n, line);
        bad = explain(s, w, r, b, n, &x->arena);
    }
    if (!s->n_keys) {
        if (bad) dp_job_reject_rules(j, r, w->why, bad, false);
        else keep(s, j, r);
        return DP_OK;
    }
    if (bad) {
        x->bad = dp_grow(x->bad, &x->cap_bad, x->n_bad + 1, sizeof *x->bad);
        x->why = dp_grow(x->why, &x->cap_why, x->n_why + bad, sizeof *x->why);
        x->bad[x->n_bad++] = (struct bad){.held = x->n_held, .first = x->n_why, .n = bad};
        memcpy(x->why + x->n_why, w->why, bad * sizeof *x->why);
        x->n_why += bad;
    }
    note_keys(s, w, x, r);
    x->n_held++;
    dp_job_hold(j, r);
    return DP_OK;
}

static enum dp_status on_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct worker *w = j->worker_mem;
    struct job *x = j->mem;
    (void)ctx, (void)err;
    dp_check_take(w->run, &x->tally);
    x->tally.records += j->chunk->screened;
    return DP_OK;
}

/* ---- in order ---- */

static enum dp_status look_up(struct keys *k, struct job_keys *of, struct dp_err *err) {
    of->seen = dp_grow(of->seen, &of->cap_seen, of->n + 1, sizeof *of->seen);
    return dp_keyset_add(k->seen, of->v, of->n, of->seen, err);
}

/* A key that was there before: each rule that wants it once. */
static enum dp_status repeated(struct state *s, struct keys *k, struct dp_key key, struct dp_job *j, const struct dp_record *raw, struct dp_reject_rule *why, size_t *n,
                               struct dp_arena *a, struct dp_err *err) {
    struct dp_record r;
    struct dp_err own = DP_ERR_INIT;
    bool again;
    uint64_t line, offset;
    if (!s->hides && j->run->hide_raw && !j->run->rejects_clear) dp_check_hide(s->words, header_hides, j->stream), s->hides = true;
    if (!k->again) k->again = dp_keyset_open(s->share / 4);
    DP_TRY(dp_keyset_add(k->again, &key, 1, &again, err));
    dp_job_place(j, raw, &line, &offset);
    if (!s->scan) s->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    bool readable = dp_scan_value(s->scan, raw->raw, raw->raw_n, &r, &own) == DP_OK;
    for (size_t i = 0; i < k->tuple->n_rules; i++) {
        uint32_t rule = k->tuple->rules[i];
        struct dp_verdict_rule *v = &s->verdict.rules[rule];
        struct dp_check_words x = dp_check_explain_rule(s->words, readable ? &r : NULL, rule, "the key was there before");
        const char *values = strchr(x.reason, ':');
        dp_check_count_tuple(s->check, &s->verdict, rule, !again);
        dp_verdict_sample(v, j->chunk->origin ? j->chunk->origin->name : "-", line, dp_str_z(values ? values + 2 : ""));
        if (v->per_record && v->severity == DP_SEVERITY_ERROR)
            why[(*n)++] = (struct dp_reject_rule){x.rule, x.path ? dp_arena_strdup(a, x.path) : NULL, dp_arena_strdup(a, x.reason), x.expected};
    }
    return DP_OK;
}

static size_t most_rules(const struct state *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_keys; i++) n += s->keys[i].tuple->n_rules;
    return n;
}

static enum dp_status on_decide(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    struct dp_record r;
    size_t bad = 0, most = most_rules(s);
    for (size_t i = 0; i < s->n_keys; i++) DP_TRY(look_up(&s->keys[i], &x->keys[i], err));
    for (uint32_t h = 0; dp_job_next_held(j, &r); h++) {
        const struct bad *b = bad < x->n_bad && x->bad[bad].held == h ? &x->bad[bad] : NULL;
        size_t n = 0;
        struct dp_reject_rule *why = NULL;
        for (size_t i = 0; i < s->n_keys; i++) {
            struct job_keys *k = &x->keys[i];
            if (k->at == k->n || k->held[k->at] != h) continue;
            size_t at = k->at++;
            if (!k->seen[at]) continue;
            if (!why) why = dp_arena_calloc(&x->arena, most + (b ? b->n : 0), sizeof *why);
            DP_TRY(repeated(s, &s->keys[i], k->v[at], j, &r, why, &n, &x->arena, err));
        }
        if (b) {
            bad++;
            if (!why) why = dp_arena_calloc(&x->arena, b->n, sizeof *why);
            if (n) memmove(why + b->n, why, n * sizeof *why);
            memcpy(why, x->why + b->first, b->n * sizeof *why);
            n += b->n;
        }
        if (n) dp_job_reject_rules(j, &r, why, n, false);
        else keep(s, j, &r);
    }
    return DP_OK;
}

/* Rows that a reader of cells refused never became records: their rules are counted by what it says of them. */
static enum dp_status count_refused(struct state *s, const struct dp_chunk *c) {
    struct dp_record r;
    struct dp_buf lines = {0}, rule = {0}, path = {0};
    struct dp_err own = DP_ERR_INIT;
    dp_buf_adds(&lines, dp_buf_str(&c->bad_lines));
    memset(dp_buf_reserve(&lines, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (!s->scan) s->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    dp_scan_begin(s->scan, lines.p, lines.n);
    for (enum dp_status st; (st = dp_scan_next(s->scan, &r, &own)) != DP_END;) {
        if (st != DP_OK) continue;
        uint32_t reject = dp_json_member(&r, 0, "reject"), rules = reject ? dp_json_member(&r, reject, "rules") : 0;
        uint32_t first = rules && r.nodes[rules].next > rules + 1 ? rules + 1 : 0;
        uint32_t name = first ? dp_json_member(&r, first, "rule") : 0, field = first ? dp_json_member(&r, first, "path") : 0;
        dp_buf_reset(&rule);
        dp_buf_reset(&path);
        if (name) dp_json_get_string(&r, name, &rule);
        bool has_path = field && dp_json_get_string(&r, field, &path);
        dp_check_count_refused(s->check, &s->verdict, dp_buf_z(&rule), has_path ? dp_buf_z(&path) : NULL);
    }
    dp_buf_release(&lines);
    dp_buf_release(&rule);
    dp_buf_release(&path);
    return DP_OK;
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    (void)err;
    if (j->chunk->bad) DP_TRY(count_refused(s, j->chunk));
    dp_check_collect(s->check, &s->verdict, &x->tally, j->chunk->origin ? j->chunk->origin->name : "-");
    return DP_OK;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *m, struct dp_err *err) {
    struct state *s = ctx;
    (void)err;
    if (s->fields.n && !m->fields) m->fields = dp_strdup(dp_buf_z(&s->fields));
    return DP_OK;
}

/* Where records may be set aside, the columns that have rules decide which go on; where the first bad one ends the run, nothing is left out. */
static enum dp_status on_header(void *ctx, struct dp_mark *m, struct dp_err *err) {
    const struct state *s = ctx;
    const struct dp_rejects *rejects = s->cli->run.rejects;
    struct dp_lineage_on *on = dp_calloc(s->object->n_properties + 1, sizeof *on);
    size_t n = 0;
    (void)err;
    for (size_t i = 0; i < s->object->n_properties; i++) {
        struct dp_str name = dp_str_z(s->object->properties[i].name);
        if (!m->schema || dp_type_child(m->schema, name)) on[n++] = (struct dp_lineage_on){.field = name, .how = DP_HOW_FILTER};
    }
    if (rejects && !dp_rejects_tolerates_none(rejects)) dp_lineage_all(m, on, n);
    free(on);
    return DP_OK;
}

/* ---- the verdict ---- */

static void settle_verdict(struct state *s) {
    if (s->is_settled) return;
    dp_check_settle(s->check, &s->verdict);
    dp_verdict_judge(&s->verdict);
    s->is_settled = true;
}

/* A failure of the whole set: bad records are the rejects' business. */
static bool fails_run(const struct dp_verdict_rule *r) {
    return (r->outcome == DP_OUTCOME_FAIL || r->outcome == DP_OUTCOME_ERROR) && r->severity == DP_SEVERITY_ERROR && !r->per_record;
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct state *s = ctx;
    const struct dp_verdict_rule *first = NULL;
    size_t n = 0;
    settle_verdict(s);
    for (size_t i = 0; i < s->verdict.n; i++)
        if (fails_run(&s->verdict.rules[i]) && !n++) first = &s->verdict.rules[i];
    if (!n) return DP_OK;
    struct dp_buf text = {0};
    dp_buf_addf(&text, "%s%s%s", first->property ? first->property : first->object ? first->object : "", first->property || first->object ? ": " : "",
                first->name ? first->name : first->check);
    if (first->reason) dp_buf_addf(&text, ": %s", first->reason);
    else dp_buf_addf(&text, ": counted %llu in %llu records", (unsigned long long)first->count, (unsigned long long)first->rows);
    if (!first->reason && first->op != DP_OPERATOR_NONE) dp_buf_addz(&text, ", allowed: "), dp_verdict_allowed(first, &text);
    if (n > 1) dp_buf_addf(&text, " (and %zu more rules failed)", n - 1);
    dp_err_set(err, DP_RULE, "%s", dp_buf_z(&text));
    dp_buf_release(&text);
    return DP_RULE;
}

/* For lineage events: every rule as an assertion on what was read, and as a test of the run.  Counts are of all records: no one of several inputs had so many. */
static void tell_lineage(struct state *s, bool whole) {
    struct dp_run *run = &s->cli->run;
    struct dp_buf b = {0};
    if (!run->datasets) return;
    dp_verdict_print_facet(&s->verdict, DP_VERDICT_ASSERTIONS, whole, &b);
    dp_datasets_inputs_facet(run, true, "dataQualityAssertions", dp_buf_str(&b));
    dp_buf_reset(&b);
    dp_verdict_print_facet(&s->verdict, DP_VERDICT_TESTS, whole, &b);
    dp_datasets_run_facet(run, false, "test", dp_buf_str(&b));
    dp_buf_reset(&b);
    dp_verdict_print_facet(&s->verdict, DP_VERDICT_METRICS, whole, &b);
    if (whole && dp_datasets_inputs(run) == 1) dp_datasets_inputs_facet(run, true, "dataQualityMetrics", dp_buf_str(&b));
    dp_buf_release(&b);
}

static bool ends_with(const char *name, const char *end) { return name && dp_str_ends(dp_str_z(name), dp_str_z(end)); }

static enum dp_status report(struct state *s, struct dp_err *err) {
    const struct dp_common *c = &s->cli->common;
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (s->conf->check) {
        dp_verdict_print(&s->verdict, isatty(STDOUT_FILENO) ? DP_VERDICT_TEXT : DP_VERDICT_NDJSON, &b);
        status = dp_out_write(s->cli->run.out, b.p, b.n, err);
        dp_buf_reset(&b);
    }
    dp_verdict_print(&s->verdict, DP_VERDICT_JSON, &b);
    while (b.n && b.p[b.n - 1] == '\n') b.n--;
    dp_cli_report(s->cli, "verdict", dp_buf_str(&b));
    if (ends_with(c->report, ".md")) dp_verdict_print(&s->verdict, DP_VERDICT_MARKDOWN, &s->cli->story);
    else if (ends_with(c->report, ".txt")) dp_verdict_print(&s->verdict, DP_VERDICT_TEXT, &s->cli->story);
    if (c->metrics) dp_verdict_print(&s->verdict, DP_VERDICT_PROMETHEUS, &s->cli->figures);
    dp_buf_reset(&b);
    if (s->conf->junit && status == DP_OK) {
        dp_verdict_print(&s->verdict, DP_VERDICT_JUNIT, &b);
        status = dp_side_write(s->conf->junit, dp_buf_str(&b), err);
        if (status != DP_OK) dp_err_prefix(err, "--junit: ");
    }
    dp_buf_release(&b);
    return status;
}

static void say_unsupported(const struct state *s) {
    const char *why;
    size_t n = dp_check_in_libjq(s->check, &why);
    for (size_t i = 0; i < s->verdict.n; i++) {
        const struct dp_verdict_rule *r = &s->verdict.rules[i];
        if (r->outcome == DP_OUTCOME_UNSUPPORTED)
            dp_run_log(&s->cli->run, DP_LOG_VERBOSE, "%s: %s %s is not run: %s", r->path, r->property ? r->property : r->object, r->check, r->reason ? r->reason : "");
    }
    if (n) dp_run_log(&s->cli->run, DP_LOG_VERBOSE, "%zu expression%s run%s in libjq (%s)", n, n == 1 ? "" : "s", n == 1 ? "s" : "", why);
}

/* ---- the program ---- */

/* Into the header, so that programs behind hide what must be hidden. */
static void note_classified(struct state *s) {
    if (!dp_check_is_classified(s->check)) return;
    s->cli->run.hide_raw = true;
    dp_contract_header_fields(s->object, &s->fields);
}

static enum dp_status open_contract(struct state *s, struct dp_err *err) {
    const struct conf *f = s->conf;
    const struct dp_check_opts opts = {.between_open = f->between == 1, .duplicates_surplus = f->duplicates == 1, .absent_fails = f->absent == 1,
                                       .closed = f->closed, .now_micros = s->cli->run.now_micros};
    struct dp_err own = DP_ERR_INIT;
    DP_TRY(dp_side_check("--junit", f->junit, err));
    if (!s->cli->common.contract) return dp_err_set(err, DP_USAGE, "a contract is missing: give it with --contract FILE");
    if (s->cli->common.json && !f->check) return dp_err_set(err, DP_USAGE, "--json sums up the run where standard output is not records: with --check");
    if (f->check && s->cli->run.rejects_inline) return dp_err_set(err, DP_USAGE, "--rejects - leaves bad records in the output, and --check prints findings");
    DP_TRY(dp_contract_load(s->cli->common.contract, &s->contract, &s->object, err));
    DP_TRY(dp_check_compile(&s->contract, s->object, &opts, &s->verdict, &s->check, err));
    /* Properties without a type are no fault here: then cells are read as they look. */
    if (dp_contract_schema(&s->contract, s->object, &s->schema, &own) != DP_OK) s->schema = NULL;
    note_classified(s);
    return DP_OK;
}

/* The sets that relationships point to, read whole beforehand. */
static enum dp_status open_foreign(struct state *s, const struct dp_check_tuple *t, struct dp_err *err) {
    const struct dp_refset_opts opts = {.references = s->conf->reference.v, .n_references = s->conf->reference.n, .memory = s->share};
    const struct dp_contract_property *from = NULL;
    struct dp_refset *set = NULL;
    const char *why = NULL;
    for (size_t i = 0; i < s->object->n_properties && !t->relationship->from; i++)
        if (t->n_paths == 1 && !strcmp(s->object->properties[i].name, t->names[0])) from = &s->object->properties[i];
    DP_TRY(dp_refset_open(&s->cli->run, &s->contract, s->object, from, t->relationship, &opts, &s->verdict.arena, &set, &why, err));
    if (set) s->foreign[s->n_foreign++] = (struct foreign){.tuple = t, .set = set};
    for (size_t i = 0; !set && i < t->n_rules; i++) {
        struct dp_verdict_rule *r = &s->verdict.rules[t->rules[i]];
        r->outcome = DP_OUTCOME_UNSUPPORTED;
        r->reason = why;
        r->per_record = false;
    }
    return DP_OK;
}

/* An OBJECT that no relationship points to is a slip, or a check that is not made. */
static enum dp_status check_references(const struct state *s, const struct dp_check_tuple *t, size_t n, const struct dp_refset_opts *refs, struct dp_err *err) {
    const struct dp_contract_relationship **list = dp_calloc(n + 1, sizeof *list);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (t[i].kind == DP_TUPLE_FOREIGN) list[k++] = t[i].relationship;
    enum dp_status status = dp_refset_check(refs, err);
    if (status == DP_OK) status = dp_refset_check_used(&s->contract, list, k, refs, err);
    free(list);
    return status;
}

static enum dp_status open_keys(struct state *s, struct dp_err *err) {
    const struct dp_check_tuple *t;
    const struct dp_refset_opts refs = {.references = s->conf->reference.v, .n_references = s->conf->reference.n};
    size_t n = dp_check_tuples(s->check, &t);
    DP_TRY(check_references(s, t, n, &refs, err));
    s->keys = dp_calloc(n + 1, sizeof *s->keys);
    s->foreign = dp_calloc(n + 1, sizeof *s->foreign);
    s->words = dp_check_run_open(s->check);
    s->share = n ? s->cli->run.memory / 4 * 3 / n : 0;
    for (size_t i = 0; i < n; i++) {
        if (t[i].kind == DP_TUPLE_FOREIGN) {
            DP_TRY(open_foreign(s, &t[i], err));
            continue;
        }
        s->keys[s->n_keys].seen = dp_keyset_open(s->share);
        s->keys[s->n_keys++].tuple = &t[i];
    }
    return DP_OK;
}

static void release(struct state *s) {
    dp_statistics_close(s->statistics);
    for (unsigned i = 0; s->screens && i < s->cli->run.threads; i++) dp_check_screen_close(s->screens[i].rows);
    free(s->screens);
    free(s->columns);
    for (size_t i = 0; i < s->n_keys; i++) {
        dp_keyset_close(s->keys[i].seen);
        dp_keyset_close(s->keys[i].again);
    }
    free(s->keys);
    for (size_t i = 0; i < s->n_foreign; i++) dp_refset_close(s->foreign[i].set);
    free(s->foreign);
    if (s->words) dp_check_run_close(s->words);
    if (s->scan) dp_scan_close(s->scan);
    dp_check_free(s->check);
    dp_verdict_release(&s->verdict);
    dp_type_free(s->schema);
    dp_contract_release(&s->contract);
    dp_buf_release(&s->fields);
}

/* Of a set that is only judged, footers answer what they can: then only the columns that the rest needs are read, or none at all. */
static enum dp_status ask_statistics(struct state *s, struct dp_err *err) {
    const struct dp_cli *cli = s->cli;
    bool use = s->conf->check && cli->n_args && !cli->common.where && !cli->run.marks;
    for (size_t i = 0; use && i < cli->n_args; i++) use = dp_typed_is(cli->args[i]);
    if (!use) return DP_OK;
    DP_TRY(dp_statistics_open(&s->cli->run, cli->args, cli->n_args, &s->statistics, err));
    const struct dp_check_stats stats = dp_statistics_view(s->statistics);
    dp_check_answer(s->check, &s->verdict, &stats);
    bool known = dp_check_columns(s->check, &s->verdict, &s->columns, &s->n_columns);
    s->is_answered = known && !s->n_columns;
    if (s->is_answered) s->verdict.rows = stats.rows;
    if (!cli->common.rejects) s->screens = dp_calloc(cli->run.threads, sizeof *s->screens); /* else places stand in rejects */
    for (size_t i = 0; known && i < s->n_columns; i++) known = dp_statistics_everywhere(s->statistics, s->columns[i]);
    if (!known || s->is_answered) {
        free(s->columns);
        s->columns = NULL;
        s->n_columns = 0;
    }
    if (s->is_answered) dp_run_log(&cli->run, DP_LOG_VERBOSE, "statistics answer every rule: no record is read");
    else if (s->columns) dp_run_log(&cli->run, DP_LOG_VERBOSE, "statistics leave rules of %zu columns: only those are read", s->n_columns);
    return DP_OK;
}

/* Rows that surely keep every rule need not become records. */
static bool screen(void *ctx, unsigned worker, const struct dp_batch *b, int64_t from, uint8_t *look) {
    const struct state *s = ctx;
    struct screen *x = &s->screens[worker];
    if (x->schema != b->schema) {
        dp_check_screen_close(x->rows);
        x->rows = dp_check_screen_open(s->check, &s->verdict, b->schema);
        x->schema = b->schema;
    }
    if (x->rows) (void)dp_check_screen_rows(x->rows, b, from, look);
    return x->rows != NULL;
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *f = cli->conf;
    struct state s = {.cli = cli, .conf = f};
    const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .job_size = sizeof(struct job), .worker_open = worker_open, .worker_close = worker_close,
        .job_close = job_close, .chunk_begin = on_chunk, .record = on_record, .chunk_end = on_chunk_end, .decide = on_decide, .emit = on_emit, .begin = on_begin,
        .header = on_header, .finish = on_finish};
    struct dp_err own = DP_ERR_INIT;
    enum dp_status status;
    DP_TRY_OUT(open_contract(&s, err));
    DP_TRY_OUT(open_keys(&s, err));
    say_unsupported(&s);
    DP_TRY_OUT(ask_statistics(&s, err));
    const struct dp_stream_conf stream = {.decides = true, .sink = f->check, .read_all = f->check || f->junit || cli->common.report,
        .sources = {.schema = s.schema, .own_types = true, .columns = s.columns, .n_columns = s.n_columns, .screen = s.screens ? screen : NULL, .screen_ctx = &s, .by_groups = f->check && cli->run.rejects_unkept && !s.n_keys, .print = {.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1}}};
    s.only_counts = stream.read_all && cli->run.rejects_unkept;
    status = s.is_answered ? on_finish(&s, err) : dp_cli_stream(cli, &stream, &ops, &s, err);
    bool whole = status == DP_OK || (stream.read_all && (status == DP_RULE || status == DP_RECORD)); /* the input was read to its end */
    if (!whole) tell_lineage(&s, false);
    if (whole) {
        settle_verdict(&s);
        tell_lineage(&s, true);
        enum dp_status written = report(&s, &own);
        if (status == DP_OK && written != DP_OK) {
            status = written;
            if (err) *err = own;
        }
    }
out:
    release(&s);
    return status;
}

static const struct dp_tool tool = {.name = "dp-validate",
                                    .summary = "records against a contract",
                                    .synopsis = "-c CONTRACT [--check] [--junit FILE] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_FORMATS | DP_COMMON_JSON,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run};
DP_MAIN(tool)

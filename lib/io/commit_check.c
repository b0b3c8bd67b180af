/*
 * A contract inside a commit: the new files are read as the table will show them (partition values, names and types of the table), row group by row group,
 * and every rule is judged over them, before the first one is moved to its place.
 *
 * What it does not do: look at rows that are in the table already.  A key must be unique among the new rows, rowCount is theirs.  Foreign keys are not
 * supported here: dp-validate looks them up.
 */
#include "commit_priv.h"

#include <dp/delta/scan.h>
#include <dp/io/keyset.h>
#include <dp/rules/check.h>

#include <stdlib.h>

enum { ROWS = 4096 };

struct keys {
    const struct dp_check_tuple *tuple;
    struct dp_keyset *seen, *again;
};

struct check {
    struct dp_run *run;
    struct dp_contract contract;
    struct dp_verdict verdict;
    struct dp_check *rules;
    struct dp_delta_scan *scan;
    struct keys *keys;
    size_t n_keys;
    uint64_t share;                /* memory of one set */
    struct dp_check_run **runs;    /* by worker */
    struct dp_scan **json;
};

/* A row group. */
struct job {
    struct dp_delta_task *task;
    struct dp_check_tally tally;
    struct job_keys { struct dp_key *v; int64_t *row; size_t n, cap, cap_row; } *keys;
    struct dp_buf text, key;
};

/* ---- the rules ---- */

static enum dp_status parse_contract(struct check *c, const char *table, const struct dp_delta_snapshot *s, const struct dp_contract_object **object, struct dp_err *err) {
    struct dp_str text = s ? dp_delta_property(s, "dp.contract", "") : dp_str(NULL, 0);
    if (!text.n)
        return dp_err_set(err, DP_USAGE, "%s: --contract: the table keeps no contract (dp-table create TABLE -c CONTRACT makes one that does)", table);
    DP_TRY(dp_contract_parse(text, "dp.contract", &c->contract, err));
    struct dp_str name = dp_delta_property(s, "dp.contract.object", "");
    char *z = dp_strndup(name.p, name.n);
    enum dp_status status = dp_contract_object(&c->contract, name.n ? z : NULL, object, err);
    free(z);
    return status;
}

static void open_keys(struct check *c) {
    const struct dp_check_tuple *tuples;
    size_t n = dp_check_tuples(c->rules, &tuples);
    c->keys = dp_calloc(n + 1, sizeof *c->keys);
    for (size_t i = 0; i < n; i++) {
        if (tuples[i].kind == DP_TUPLE_UNIQUE) {
            c->keys[c->n_keys++].tuple = &tuples[i];
            continue;
        }
        for (size_t k = 0; k < tuples[i].n_rules; k++) {
            struct dp_verdict_rule *r = &c->verdict.rules[tuples[i].rules[k]];
            if (r->outcome != DP_OUTCOME_NONE) continue;
            r->outcome = DP_OUTCOME_UNSUPPORTED;
            r->reason = "foreign keys are not looked up by a commit: dp-validate --reference does";
        }
    }
    c->share = c->run->memory / 2 / (c->n_keys + 1);
    for (size_t i = 0; i < c->n_keys; i++) c->keys[i].seen = dp_keyset_open(c->share);
}

/* ---- a row group ---- */

static enum dp_status produce(void *ctx, void *mem, struct dp_err *err) {
    struct check *c = ctx;
    struct job *j = mem;
    if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
    return dp_delta_scan_next(c->scan, &j->task, err);
}

static void note_keys(struct check *c, struct job *j, const struct dp_record *r, int64_t row) {
    for (size_t i = 0; i < c->n_keys; i++) {
        const struct dp_check_tuple *t = c->keys[i].tuple;
        struct job_keys *k = &j->keys[i];
        dp_buf_reset(&j->key);
        if (!dp_tuple_bytes(t->paths, t->n_paths, NULL, r, &j->key)) continue;
        k->v = dp_grow(k->v, &k->cap, k->n + 1, sizeof *k->v);
        k->row = dp_grow(k->row, &k->cap_row, k->n + 1, sizeof *k->row);
        k->v[k->n] = dp_keyset_key(c->keys[i].seen, dp_buf_str(&j->key));
        k->row[k->n++] = row;
    }
}

static enum dp_status check_batch(struct check *c, unsigned worker, struct job *j, const struct dp_batch *b, int64_t row, struct dp_err *err) {
    struct dp_check_run *run = c->runs[worker];
    struct dp_record r;
    const struct dp_check_breach *breaches;
    size_t n;
    dp_buf_reset(&j->text);
    dp_batch_print(b, 0, b->length, NULL, &j->text);
    memset(dp_buf_reserve(&j->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(c->json[worker], j->text.p, j->text.n);
    for (;; row++) {
        enum dp_status status = dp_scan_next(c->json[worker], &r, err);
        if (status == DP_END) return DP_OK;
        if (status != DP_OK) return dp_err_prefix(err, "row %lld: ", (long long)row);
        DP_TRY(dp_check_record(run, &r, &breaches, &n, err));
        if (n) dp_check_note(run, &r, breaches, n, (uint64_t)row);
        note_keys(c, j, &r, row);
    }
}

static enum dp_status work(void *ctx, unsigned worker, void *mem, struct dp_err *err) {
    struct check *c = ctx;
    struct job *j = mem;
    struct dp_delta_read *read = NULL;
    struct dp_batch b;
    int64_t row = dp_delta_task_first_row(j->task) + 1;
    const struct dp_type *schema = dp_delta_scan_schema(c->scan);
    if (!c->runs[worker]) {
        c->runs[worker] = dp_check_run_open(c->rules);
        c->json[worker] = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
        DP_TRY(dp_check_types(c->runs[worker], schema, dp_delta_task_path(j->task), err));
    }
    if (!j->keys) j->keys = dp_calloc(c->n_keys + 1, sizeof *j->keys);
    for (size_t i = 0; i < c->n_keys; i++) j->keys[i].n = 0;
    dp_batch_init(&b, schema);
    enum dp_status status = dp_delta_read_open(j->task, &read, err);
    while (status == DP_OK && (status = dp_delta_read_next(read, ROWS, &b, err)) == DP_OK) {
        status = check_batch(c, worker, j, &b, row, err);
        row += b.length;
    }
    dp_delta_read_close(read);
    dp_batch_release(&b);
    dp_check_take(c->runs[worker], &j->tally);
    return status == DP_END ? DP_OK : status;
}

/* Keys of a row group, in order: which were there before. */
static enum dp_status look_up(struct check *c, struct keys *k, const struct job_keys *of, const char *path, struct dp_err *err) {
    bool seen[ROWS], again;
    for (size_t from = 0; from < of->n; from += ROWS) {
        size_t n = of->n - from < ROWS ? of->n - from : ROWS;
        DP_TRY(dp_keyset_add(k->seen, of->v + from, n, seen, err));
        for (size_t i = 0; i < n; i++) {
            if (!seen[i]) continue;
            if (!k->again) k->again = dp_keyset_open(c->share / 4);
            DP_TRY(dp_keyset_add(k->again, &of->v[from + i], 1, &again, err));
            for (size_t x = 0; x < k->tuple->n_rules; x++) {
                dp_check_count_tuple(c->rules, &c->verdict, k->tuple->rules[x], !again);
                dp_verdict_sample(&c->verdict.rules[k->tuple->rules[x]], path, (uint64_t)of->row[from + i], dp_str("", 0));
            }
        }
    }
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *mem, struct dp_err *err) {
    struct check *c = ctx;
    struct job *j = mem;
    const char *path = dp_delta_task_path(j->task);
    dp_check_collect(c->rules, &c->verdict, &j->tally, path);
    for (size_t i = 0; i < c->n_keys; i++) DP_TRY(look_up(c, &c->keys[i], &j->keys[i], path, err));
    dp_delta_task_release(j->task);
    j->task = NULL;
    return DP_OK;
}

static void release(void *ctx, void *mem) {
    struct check *c = ctx;
    struct job *j = mem;
    dp_delta_task_release(j->task);
    for (size_t i = 0; j->keys && i < c->n_keys; i++) {
        free(j->keys[i].v);
        free(j->keys[i].row);
    }
    free(j->keys);
    dp_check_tally_release(&j->tally);
    dp_buf_release(&j->text);
    dp_buf_release(&j->key);
}

/* ---- all files ---- */

static enum dp_status read_files(struct check *c, const struct dp_delta_snapshot *s, const struct dp_delta_landing *l, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    size_t n = dp_delta_landing_count(l);
    unsigned threads = c->run->pool ? dp_pool_threads(c->run->pool) : 1;
    const char **paths = dp_calloc(n + 1, sizeof *paths);
    struct dp_pool *own = c->run->pool ? NULL : dp_pool_open(1);
    for (size_t i = 0; i < n; i++) paths[i] = dp_delta_landing_path(l, i);
    c->runs = dp_calloc(threads, sizeof *c->runs);
    c->json = dp_calloc(threads, sizeof *c->json);
    enum dp_status status = dp_delta_scan_open(s, NULL, 0, NULL, &c->scan, err);
    if (status == DP_OK) {
        dp_delta_scan_bound(c->scan, c->run->memory);
        dp_delta_scan_only(c->scan, dp_delta_landing_files(l), paths, n);
        status = dp_pool_run(own ? own : c->run->pool, &ops, c, err);
    }
    dp_delta_scan_close(c->scan);
    dp_pool_close(own);
    for (unsigned i = 0; i < threads; i++) {
        dp_check_run_close(c->runs[i]);
        dp_scan_close(c->json[i]);
    }
    free(c->runs);
    free(c->json);
    free(paths);
    return status;
}

/* Each rule that failed in a message of its own; then the one that ends the run. */
static enum dp_status tell(const struct check *c, const char *table, struct dp_err *err) {
    struct dp_buf text = {0};
    size_t failed = 0;
    dp_verdict_print(&c->verdict, DP_VERDICT_TEXT, &text);
    for (char *p = text.p, *end = text.p + text.n, *line; p < end; p = line + 1) {
        line = memchr(p, '\n', (size_t)(end - p));
        struct dp_str s = {p, (size_t)(line - p)};
        bool is_failure = dp_str_starts(s, DP_STR("FAIL ")) || dp_str_starts(s, DP_STR("ERROR "));
        failed += is_failure;
        if (is_failure || dp_str_starts(s, DP_STR("WARN ")))
            dp_run_log(c->run, is_failure ? DP_LOG_ERROR : DP_LOG_WARN, "%s: %.*s", table, (int)(s.n < 2000 ? s.n : 2000), s.p);
    }
    dp_buf_release(&text);
    if (!failed) return DP_OK;
    return dp_err_set(err, DP_RULE, "%s: the new files break %zu rule%s of the table's contract: nothing was published", table, failed, failed == 1 ? "" : "s");
}

enum dp_status dp_commit_check(struct dp_run *run, const char *table, const struct dp_delta_snapshot *s, const struct dp_delta_landing *l, struct dp_buf *verdict,
                               struct dp_err *err) {
    struct check c = {.run = run};
    const struct dp_contract_object *object;
    struct dp_check_opts opts = {.now_micros = run->now_micros};
    enum dp_status status;
    DP_TRY_OUT(parse_contract(&c, table, s, &object, err));
    DP_TRY_OUT(dp_check_compile(&c.contract, object, &opts, &c.verdict, &c.rules, err));
    open_keys(&c);
    if (dp_delta_landing_count(l)) DP_TRY_OUT(read_files(&c, s, l, err));
    dp_check_settle(c.rules, &c.verdict);
    dp_verdict_judge(&c.verdict);
    if (verdict) {
        dp_buf_reset(verdict);
        dp_verdict_print(&c.verdict, DP_VERDICT_JSON, verdict);
        if (verdict->n && verdict->p[verdict->n - 1] == '\n') verdict->n--;
    }
    status = tell(&c, table, err);
out:
    for (size_t i = 0; i < c.n_keys; i++) {
        dp_keyset_close(c.keys[i].seen);
        dp_keyset_close(c.keys[i].again);
    }
    free(c.keys);
    dp_check_free(c.rules);
    dp_verdict_release(&c.verdict);
    dp_contract_release(&c.contract);
    return status;
}

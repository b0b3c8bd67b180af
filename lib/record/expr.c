/*
 * Expressions: compile once, run per thread.  The public face (dp/record/expr.h); the parts are expr_parse.c (grammar),
 * expr_check.c (what is refused, what is compiled), expr_eval.c and expr_each.c (evaluation), expr_print.c and jq.c (libjq),
 * expr_skip.c (statistics).
 */
#include "expr_priv.h"

static void add_result(struct dp_err *err, const char *what) { (void)dp_err_prefix(err, "%s", what); }

/* libjq's part: the program's text, compiled once here so that its errors are errors of usage. */
static enum dp_status compile_jq(struct dp_expr *e, struct dp_err *err) {
    struct dp_jq *q = NULL;
    DP_TRY(dp_expr_to_jq(e, err));
    enum dp_status status = dp_jq_open(e->jq_text, &q, err);
    if (status == DP_UNSUPPORTED && e->why) {
        char why[300];
        snprintf(why, sizeof why, "expression: %s needs libjq: ", e->why);
        add_result(err, why);
    }
    dp_jq_close(q);
    return status;
}

static enum dp_status compile(struct dp_str text, bool force_jq, struct dp_expr **out, struct dp_err *err) {
    struct dp_expr *e = dp_calloc(1, sizeof *e);
    enum dp_status status;
    *out = NULL;
    e->text = dp_arena_str(&e->arena, dp_str(text.p ? text.p : "", text.n > DP_LIMIT_EXPR_BYTES ? DP_LIMIT_EXPR_BYTES + 1 : text.n));
    DP_TRY_OUT(dp_expr_parse(e, err));
    DP_TRY_OUT(dp_expr_refuse(e, e->root, err));
    DP_TRY_OUT(dp_expr_check(e, err));
    if (force_jq) e->compiled = false;
    if (!e->compiled) DP_TRY_OUT(compile_jq(e, err));
    if (e->compiled) dp_eval_plan(e);
    dp_expr_find_fields(e);
    *out = e;
    return DP_OK;
out:
    dp_expr_free(e);
    return status;
}

enum dp_status dp_expr_compile(struct dp_str text, struct dp_expr **out, struct dp_err *err) { return compile(text, false, out, err); }

enum dp_status dp_expr_compile_jq(struct dp_str text, struct dp_expr **out, struct dp_err *err) { return compile(text, true, out, err); }

void dp_expr_free(struct dp_expr *e) {
    if (!e) return;
    for (size_t i = 0; i < e->n_paths; i++) {
        dp_path_release(e->paths[i]);
        free(e->paths[i]);
    }
    free(e->paths);
    for (size_t i = 0; i < e->n_res; i++) pcre2_code_free(e->res[i]);
    free(e->res);
    free(e->fields);
    free(e->why);
    free(e->jq_text);
    dp_arena_release(&e->arena);
    free(e);
}

bool dp_expr_is_compiled(const struct dp_expr *e) { return e->compiled; }

const char *dp_expr_why(const struct dp_expr *e) { return e->why; }

bool dp_expr_fields(const struct dp_expr *e, const char *const **fields, size_t *n) {
    *fields = e->fields;
    *n = e->n_fields;
    return !e->all_fields;
}

bool dp_expr_needs(const struct dp_expr *e, struct dp_str *name, struct dp_str *text) {
    for (size_t i = 0; i < e->n_quick; i++) {
        const struct dp_quick *q = &e->quick[i];
        const struct dp_path *path = q->field->path;
        if (path->n != 1 || path->steps[0].kind != DP_STEP_KEY) return false; /* a longer path can be an error */
        if (q->op != DP_CMP_EQ || q->k->val.kind != DP_KIND_STRING) continue;
        *name = dp_str(path->steps[0].key, path->steps[0].key_n);
        *text = q->k->val.s;
        return true;
    }
    return false;
}

struct dp_expr_run *dp_expr_run_open(const struct dp_expr *e) {
    struct dp_expr_run *run = dp_calloc(1, sizeof *run);
    run->e = e;
    if (!e->compiled) return run;
    run->hints = dp_calloc(e->n_paths + 1, sizeof *run->hints);
    run->vars = dp_calloc(e->n_vars + 1, sizeof *run->vars);
    if (e->n_res) {
        run->match = pcre2_match_data_create(1, NULL);
        run->match_ctx = pcre2_match_context_create(NULL);
        if (run->match_ctx) pcre2_set_match_limit(run->match_ctx, DP_LIMIT_PCRE_MATCH);
    }
    return run;
}

void dp_expr_run_close(struct dp_expr_run *run) {
    if (!run) return;
    free(run->hints);
    free(run->vars);
    pcre2_match_data_free(run->match);
    pcre2_match_context_free(run->match_ctx);
    dp_buf_release(&run->tmp);
    dp_arena_release(&run->arena);
    dp_jq_close(run->jq);
    free(run);
}

static enum dp_status begin(struct dp_expr_run *run, const struct dp_record *rec, struct dp_err *err) {
    run->r = rec;
    run->err = err;
    run->steps = 0;
    if (run->arena.used) dp_arena_reset(&run->arena);
    if (rec->duplicate_keys) {
        struct dp_str key = dp_node_str(rec, rec->dup_node);
        return dp_err_set(err, DP_RECORD, "the key \"%.*s\" stands twice in one object", (int)(key.n > 80 ? 80 : key.n), key.p);
    }
    if (!run->e->compiled && !run->jq) return dp_jq_open(run->e->jq_text, &run->jq, err);
    return DP_OK;
}

static enum dp_status any_true(void *ctx, const struct dp_val *v) {
    bool *out = ctx;
    *out = *out || dp_val_true(v);
    return DP_OK;
}

/* Lines of JSON: is one of them neither false nor null? */
static bool any_true_line(struct dp_str s) {
    while (s.n) {
        const char *end = memchr(s.p, '\n', s.n);
        size_t n = end ? (size_t)(end - s.p) : s.n;
        struct dp_str line = dp_str(s.p, n);
        if (!dp_str_eqz(line, "null") && !dp_str_eqz(line, "false")) return true;
        s.p += end ? n + 1 : n, s.n -= end ? n + 1 : n;
    }
    return false;
}

enum dp_status dp_expr_test(struct dp_expr_run *run, const struct dp_record *rec, bool *out, struct dp_err *err) {
    struct dp_val in;
    *out = false;
    DP_TRY(begin(run, rec, err));
    if (!run->e->compiled) {
        dp_buf_reset(&run->tmp);
        DP_TRY(dp_jq_apply(run->jq, rec, true, &run->tmp, NULL, err));
        *out = any_true_line(dp_buf_str(&run->tmp));
        return DP_OK;
    }
    if (dp_eval_quick(run, out)) return DP_OK;
    in = dp_val_node(rec, 0);
    if (run->e->root->single) return dp_eval_bool(run, run->e->root, &in, out);
    return dp_eval_each(run, run->e->root, &in, any_true, out);
}

struct print_ctx {
    struct dp_expr_run *run;
    struct dp_buf *out;
    size_t n, limit;
};

static enum dp_status print_output(void *ctx, const struct dp_val *v) {
    struct print_ctx *p = ctx;
    dp_val_print(p->run, v, false, p->out);
    dp_buf_addc(p->out, '\n');
    p->n++;
    if (p->out->n > p->limit) return dp_eval_fail(p->run, "its results are larger than %u MiB", DP_LIMIT_EXPR_MEMORY >> 20);
    return DP_OK;
}

enum dp_status dp_expr_apply(struct dp_expr_run *run, const struct dp_record *rec, struct dp_buf *out, size_t *n, struct dp_err *err) {
    size_t start = out->n, count = 0;
    enum dp_status status = begin(run, rec, err);
    if (status == DP_OK && !run->e->compiled) {
        status = dp_jq_apply(run->jq, rec, true, out, &count, err);
    } else if (status == DP_OK) {
        struct dp_val in = dp_val_node(rec, 0);
        struct print_ctx p = {.run = run, .out = out, .limit = start + DP_LIMIT_EXPR_MEMORY};
        const struct dp_enode *program = run->e->root;
        bool filtered = false;
        if (program->kind == DP_EK_PIPE && program->a->kind == DP_EK_CALL && program->a->func->special == DP_SP_SELECT &&
            program->a->list[0]->single && program->b->single) { /* select(f) | {..}: the common filter and projection */
            bool yes;
            status = dp_eval_bool(run, program->a->list[0], &in, &yes);
            filtered = status != DP_OK || !yes;
            program = program->b;
        }
        if (!filtered && program->single) {
            status = dp_eval_print(run, program, &in, out);
            dp_buf_addc(out, '\n');
            count = 1;
        } else if (!filtered) {
            status = dp_eval_each(run, program, &in, print_output, &p);
            count = p.n;
        }
    }
    if (status != DP_OK) out->n = start, count = 0;
    if (n) *n = count;
    return status;
}

/* Rules answered by statistics (dp/rules/check_stats.h): what is decided is taken out of the compiled checks. */
#include "check_priv.h"

#include <dp/rules/check_stats.h>

#include <stdlib.h>

struct answer {
    struct dp_check *k;
    struct dp_verdict *v;
    const struct dp_check_stats *stats;
    uint32_t *uses; /* by rule: places that ask for it */
};

/* ---- who asks for a rule ---- */

static void count_uses(struct answer *a) {
    for (size_t i = 0; i < a->k->n_fields; i++) {
        const struct check_field *f = a->k->fields[i];
        if (f->type_rule != CHECK_NONE) a->uses[f->type_rule]++;
        for (size_t j = 0; j < f->n_ops; j++) a->uses[f->ops[j].rule]++;
        for (size_t j = 0; j < f->n_null; j++) a->uses[f->null_rules[j]]++;
    }
    for (size_t i = 0; i < a->k->n_exprs; i++) a->uses[a->k->exprs[i].rule]++;
    for (size_t i = 0; i < a->k->n_tuples; i++)
        for (size_t j = 0; j < a->k->tuples[i].n_rules; j++) a->uses[a->k->tuples[i].rules[j]]++;
}

/* The count is known: is the rule decided by it?  Then it is. */
static bool decide(struct answer *a, uint32_t rule, uint64_t count) {
    struct dp_verdict_rule *r = &a->v->rules[rule];
    if (r->outcome != DP_OUTCOME_NONE || a->uses[rule] != 1 || (count && r->per_record)) return false;
    r->count = count;
    r->rows = a->stats->rows;
    r->from_statistics = true;
    dp_verdict_judge_rule(a->v, rule);
    return true;
}

/* ---- one column ---- */

bool check_holds_type(const struct check_field *f, const struct dp_type *t) {
    switch (f->logical) {
    case DP_LOGICAL_NONE: return true;
    case DP_LOGICAL_STRING: return t->id == DP_TYPE_STRING || t->id == DP_TYPE_ENUM || t->id == DP_TYPE_UUID;
    case DP_LOGICAL_BOOLEAN: return t->id == DP_TYPE_BOOLEAN;
    case DP_LOGICAL_INTEGER: return dp_type_is_integer(t);
    case DP_LOGICAL_NUMBER: return dp_type_is_integer(t) || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE || t->id == DP_TYPE_DECIMAL;
    case DP_LOGICAL_DATE: return t->id == DP_TYPE_DATE && !f->timeform;
    case DP_LOGICAL_TIMESTAMP: return t->id == DP_TYPE_TIMESTAMP && !f->timeform;
    case DP_LOGICAL_TIME:
    case DP_LOGICAL_OBJECT:
    case DP_LOGICAL_ARRAY:
    case DP_LOGICAL_MAP: return false;
    }
    return false;
}

static bool is_kept_by_number(const struct check_op *op, const struct dp_check_column *c) {
    struct check_number low = check_number_of(c->low), high = check_number_of(c->high);
    switch ((int)op->kind) {
    case CHECK_MINIMUM: return check_number_cmp(&low, &op->number) >= 0;
    case CHECK_ABOVE: return check_number_cmp(&low, &op->number) > 0;
    case CHECK_MAXIMUM: return check_number_cmp(&high, &op->number) <= 0;
    case CHECK_BELOW: return check_number_cmp(&high, &op->number) < 0;
    }
    return false;
}

static struct check_moment moment_of(int64_t micros, bool has_zone) {
    int64_t s = micros / 1000000 - (micros % 1000000 < 0);
    return (struct check_moment){.seconds = s, .nanos = (int32_t)(micros - s * 1000000) * 1000, .has_zone = has_zone};
}

static bool is_kept_by_time(const struct check_op *op, const struct dp_check_column *c) {
    struct check_moment low = moment_of(c->low_micros, c->type->utc), high = moment_of(c->high_micros, c->type->utc);
    switch ((int)op->kind) {
    case CHECK_TIME_MINIMUM: return check_moment_cmp(&low, &op->moment) >= 0;
    case CHECK_TIME_ABOVE: return check_moment_cmp(&low, &op->moment) > 0;
    case CHECK_TIME_MAXIMUM: return check_moment_cmp(&high, &op->moment) <= 0;
    case CHECK_TIME_BELOW: return check_moment_cmp(&high, &op->moment) < 0;
    case CHECK_ZONE: return c->type->id == DP_TYPE_TIMESTAMP && c->type->utc == (op->limit != 0);
    }
    return false;
}

/* The span that slaProperties ask for: judged when all is settled. */
static bool take_times(struct answer *a, const struct check_op *op, const struct dp_check_column *c, bool is_empty) {
    if (!is_empty && (!c->has_times || !c->exact_times)) return false;
    for (size_t i = 0; i < a->k->n_slas; i++) {
        struct check_sla *s = &a->k->slas[i];
        if (s->sla->rule != op->rule) continue;
        if (!is_empty) s->low = c->low_micros, s->high = c->high_micros;
        a->v->rules[op->rule].from_statistics = true;
    }
    return true;
}

static bool answer_op(struct answer *a, const struct check_field *f, const struct check_op *op, const struct dp_check_column *c) {
    bool is_empty = c->nulls >= 0 && (uint64_t)c->nulls == a->stats->rows;
    if (op->kind == CHECK_TIMES) return !f->timeform && take_times(a, op, c, is_empty);
    bool kept = is_empty;
    if (!kept && c->type && check_holds_type(f, c->type)) {
        kept = (c->has_numbers && (op->needs & CHECK_NEEDS_NUMBER) && is_kept_by_number(op, c)) ||
               ((op->needs & CHECK_NEEDS_TIME) && (c->has_times || op->kind == CHECK_ZONE) && is_kept_by_time(op, c));
    }
    return kept && decide(a, op->rule, 0);
}

static void op_release(struct check_op *op) {
    dp_pattern_free(op->pattern);
    check_set_close(op->set);
    check_set_close(op->missing);
}

static void answer_field(struct answer *a, struct check_field *f) {
    struct dp_check_column c = {.nulls = -1};
    size_t kept = 0;
    if (f->object || f->items || !a->stats->column(a->stats->ctx, f->name, &c)) return;
    bool is_empty = c.nulls >= 0 && (uint64_t)c.nulls == a->stats->rows;
    for (size_t i = 0; i < f->n_ops; i++) {
        if (answer_op(a, f, &f->ops[i], &c)) op_release(&f->ops[i]);
        else f->ops[kept++] = f->ops[i];
    }
    f->n_ops = kept;
    kept = 0;
    for (size_t i = 0; i < f->n_null; i++)
        if (c.nulls < 0 || !decide(a, f->null_rules[i], (uint64_t)c.nulls)) f->null_rules[kept++] = f->null_rules[i];
    f->n_null = kept;
    if (f->type_rule != CHECK_NONE && (is_empty || (c.type && check_holds_type(f, c.type))) && decide(a, f->type_rule, 0)) f->type_rule = CHECK_NONE;
}

void dp_check_answer(struct dp_check *k, struct dp_verdict *v, const struct dp_check_stats *stats) {
    if (k->present_rules) return; /* that a column is never there is for records to say */
    struct answer a = {.k = k, .v = v, .stats = stats, .uses = dp_calloc(v->n + 1, sizeof(uint32_t))};
    count_uses(&a);
    for (size_t i = 0; i < k->n_row_counts; i++) a.uses[k->row_counts[i]] = 1;
    size_t kept = 0;
    for (size_t i = 0; i < k->n_row_counts; i++) /* never a rule of one record */
        if (!decide(&a, k->row_counts[i], stats->rows)) k->row_counts[kept++] = k->row_counts[i];
    k->n_row_counts = kept;
    for (size_t i = 0; i < k->top->n; i++) answer_field(&a, k->top->children[i]);
    free(a.uses);
}

/* ---- what is left ---- */

struct names {
    const char **v;
    size_t n, cap;
};

static void add_name(struct names *list, const char *name) {
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->v[i], name)) return;
    list->v = dp_grow(list->v, &list->cap, list->n + 1, sizeof *list->v);
    list->v[list->n++] = name;
}

static bool is_open(const struct dp_verdict *v, uint32_t rule) { return v->rules[rule].outcome == DP_OUTCOME_NONE; }

static bool has_work(const struct check_field *f, unsigned depth) {
    if (f->type_rule != CHECK_NONE || f->n_ops || f->n_null || depth > DP_LIMIT_SCHEMA_DEPTH) return true;
    if (f->items && has_work(f->items, depth + 1)) return true;
    if (f->object && f->object->unknown_rule != CHECK_NONE) return true;
    for (size_t i = 0; f->object && i < f->object->n; i++)
        if (has_work(f->object->children[i], depth + 1)) return true;
    return false;
}

static bool add_expressions(const struct dp_check *k, const struct dp_verdict *v, struct names *list) {
    for (size_t i = 0; i < k->n_exprs; i++) {
        const char *const *fields;
        size_t n;
        if (!is_open(v, k->exprs[i].rule)) continue;
        if (!dp_expr_fields(k->exprs[i].expr, &fields, &n)) return false;
        for (size_t j = 0; j < n; j++) add_name(list, fields[j]);
    }
    return true;
}

bool dp_check_columns(const struct dp_check *k, const struct dp_verdict *v, const char ***columns, size_t *n) {
    struct names list = {0};
    *columns = NULL;
    *n = 0;
    if (k->present_rules || k->top->unknown_rule != CHECK_NONE || k->n_row_counts) return false;
    for (size_t i = 0; i < k->top->n; i++)
        if (has_work(k->top->children[i], 0)) add_name(&list, k->top->children[i]->name);
    bool known = add_expressions(k, v, &list);
    for (size_t i = 0; i < k->n_tuples && known; i++) {
        const struct dp_check_tuple *t = &k->tuples[i];
        bool open = false;
        for (size_t j = 0; j < t->n_rules; j++) open |= is_open(v, t->rules[j]);
        for (size_t j = 0; open && j < t->n_paths; j++) add_name(&list, t->paths[j].steps[0].key);
    }
    if (!known) {
        free(list.v);
        return false;
    }
    *columns = list.v;
    *n = list.n;
    return true;
}

/* Counts of chunks added up in the verdict, in the order of the input, and what is judged only when all were seen. */
#include "check_priv.h"

void dp_check_collect(const struct dp_check *k, struct dp_verdict *v, const struct dp_check_tally *t, const char *source) {
    v->rows += t->records;
    for (size_t i = k->first_rule; i < t->n; i++) {
        struct dp_verdict_rule *r = &v->rules[i];
        if (r->outcome != DP_OUTCOME_NONE) continue; /* unsupported */
        r->rows += t->records;
        if (!k->infos[i].is_tuple) r->count += t->count[i];
        if (t->undecided[i] && !r->reason)
            r->reason = dp_arena_printf(&v->arena, "not decided for some records%s%s", t->why == i ? ": " : "", t->why == i ? t->error : "");
    }
    for (size_t i = 0; i < k->n_row_counts; i++) v->rules[k->row_counts[i]].count += t->records;
    for (size_t i = 0; i < k->n_slas; i++) {
        struct check_sla *s = &k->slas[i]; /* ends of what was seen: only the collector's */
        if (t->low[s->sla->rule] < s->low) s->low = t->low[s->sla->rule];
        if (t->high[s->sla->rule] > s->high) s->high = t->high[s->sla->rule];
    }
    for (size_t i = 0; k->present_rules && i < t->n_seen; i++) {
        struct dp_verdict_rule *r = &v->rules[k->present_rules[i]];
        if (t->seen[i]) r->surplus = 1; /* it was there; put back by settle */
    }
    for (size_t i = 0; i < t->n_samples; i++)
        dp_verdict_sample(&v->rules[t->samples[i].rule], source, t->samples[i].line, dp_str_z(t->samples[i].value));
}

void dp_check_count_refused(const struct dp_check *k, struct dp_verdict *v, const char *check, const char *path) {
    bool found = false;
    v->rows++;
    for (size_t i = k->first_rule; i < k->n_rules; i++) {
        struct dp_verdict_rule *r = &v->rules[i];
        if (r->outcome != DP_OUTCOME_NONE) continue;
        r->rows++;
        if (found || !path || !r->property || strcmp(r->check, check) != 0 || strcmp(r->property, path) != 0) continue;
        r->count++;
        found = true;
    }
    for (size_t i = 0; i < k->n_row_counts; i++) v->rules[k->row_counts[i]].count++;
}

void dp_check_count_tuple(const struct dp_check *k, struct dp_verdict *v, uint32_t rule, bool first) {
    struct dp_verdict_rule *r = &v->rules[rule];
    r->surplus++;
    if (first || k->infos[rule].surplus_counts) r->count++;
}

size_t dp_check_tuples(const struct dp_check *k, const struct dp_check_tuple **tuples) {
    *tuples = k->tuples;
    return k->n_tuples;
}

void dp_check_settle(const struct dp_check *k, struct dp_verdict *v) {
    for (size_t i = 0; i < k->n_slas; i++) dp_sla_judge(k->slas[i].sla, k->slas[i].low, k->slas[i].high, k->opts.now_micros, v);
    for (size_t i = 0; k->present_rules && i < k->top->n; i++) {
        struct dp_verdict_rule *r = &v->rules[k->present_rules[i]];
        r->count = r->rows > 0 && !r->surplus;
        r->surplus = 0;
    }
    for (size_t i = k->first_rule; i < k->n_rules; i++)
        if (v->rules[i].outcome == DP_OUTCOME_NONE && v->rules[i].reason) v->rules[i].outcome = DP_OUTCOME_ERROR;
}

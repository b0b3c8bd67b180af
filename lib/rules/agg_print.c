/* Results (dp/rules/agg.h): members behind the window's own, in the order in which they were asked for; expressions read the object as it stands so far. */
#include "agg_priv.h"

struct dp_agg_printer {
    const struct dp_aggs *a;
    struct dp_scan *scan;       /* opened by the first expression */
    struct dp_expr_run **runs;  /* of each aggregate that is an expression */
    struct dp_buf object, result, scratch;
};

struct dp_agg_printer *dp_agg_printer_open(const struct dp_aggs *a) {
    struct dp_agg_printer *p = dp_calloc(1, sizeof *p);
    p->a = a;
    p->runs = dp_calloc(a->n_ones + 1, sizeof(struct dp_expr_run *));
    return p;
}

void dp_agg_printer_close(struct dp_agg_printer *p) {
    if (!p) return;
    for (size_t i = 0; i < p->a->n_ones; i++) dp_expr_run_close(p->runs[i]);
    free(p->runs);
    dp_scan_close(p->scan);
    dp_buf_release(&p->object), dp_buf_release(&p->result), dp_buf_release(&p->scratch);
    free(p);
}

/* To p->result; out[head..] are the members so far. */
static enum dp_status evaluate(struct dp_agg_printer *p, size_t i, size_t head, const struct dp_buf *out, struct dp_err *err) {
    struct dp_record rec;
    size_t n;
    struct dp_str members = dp_str(out->p + head, out->n - head);
    if (members.n && *members.p == ',') members.p++, members.n--; /* there were none before the aggregates */
    if (!p->scan) p->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    if (!p->runs[i]) p->runs[i] = dp_expr_run_open(p->a->ones[i].expr);
    p->object.n = p->result.n = 0;
    dp_buf_addc(&p->object, '{');
    dp_buf_adds(&p->object, members);
    dp_buf_addc(&p->object, '}');
    memset(dp_buf_reserve(&p->object, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    DP_TRY(dp_scan_value(p->scan, p->object.p, p->object.n, &rec, err));
    DP_TRY(dp_expr_apply(p->runs[i], &rec, &p->result, &n, err));
    return n == 1 ? DP_OK : dp_err_set(err, DP_RECORD, "the expression has %s", n ? "several results" : "no result");
}

static enum dp_status print_one(struct dp_agg_printer *p, size_t i, const void *state, size_t head, struct dp_buf *out, struct dp_err *err) {
    const struct agg_one *one = &p->a->ones[i];
    const struct agg_acc *acc = one->acc == SIZE_MAX ? NULL : &p->a->accs[one->acc];
    const void *s = acc ? (const char *)state + acc->offset : state;
    if (one->fn == AGG_FN_EXPRESSION) DP_TRY(evaluate(p, i, head, out, err));
    dp_buf_adds(out, dp_buf_str(&one->member));
    switch (one->fn) {
    case AGG_FN_COUNT: out->n += dp_print_u64(dp_buf_reserve(out, 20), agg_count_value(s)); break;
    case AGG_FN_SUM: agg_sum_print(s, out); break;
    case AGG_FN_MEAN: agg_mean_print(s, out); break;
    case AGG_FN_MIN: return agg_extreme_print(acc, s, false, out, err);
    case AGG_FN_MAX: return agg_extreme_print(acc, s, true, out, err);
    case AGG_FN_VAR_SAMP: agg_var_print(s, true, false, out); break;
    case AGG_FN_VAR_POP: agg_var_print(s, false, false, out); break;
    case AGG_FN_STDDEV_SAMP: agg_var_print(s, true, true, out); break;
    case AGG_FN_STDDEV_POP: agg_var_print(s, false, true, out); break;
    case AGG_FN_QUANTILE:
    case AGG_FN_MEDIAN: agg_vec_print(acc, s, one->q, &p->scratch, out); break;
    case AGG_FN_QUANTILE_APPROX: agg_approx_print(acc, s, one->q, &p->scratch, out); break;
    case AGG_FN_TOP: return agg_top_print(acc, s, one->k, out, err);
    case AGG_FN_MOST: agg_most_print(*(struct agg_bag *const *)s, one->k, out); break;
    case AGG_FN_DISTINCT: out->n += dp_print_u64(dp_buf_reserve(out, 20), agg_bag_distinct(*(struct agg_bag *const *)s)); break;
    case AGG_FN_DISTINCT_APPROX: out->n += dp_print_u64(dp_buf_reserve(out, 20), agg_hll_value(acc, s)); break;
    case AGG_FN_FIRST: agg_edge_print(acc, s, false, out); break;
    case AGG_FN_LAST: agg_edge_print(acc, s, true, out); break;
    case AGG_FN_COLLECT: agg_list_print(s, out); break;
    case AGG_FN_DELTA:
    case AGG_FN_RATE: {
        const struct agg_acc *last = &p->a->accs[one->acc2];
        agg_change_print(acc, s, last, (const char *)state + last->offset, one->fn == AGG_FN_RATE, out);
        break;
    }
    case AGG_FN_EXPRESSION: dp_buf_add(out, p->result.p, p->result.n - 1); break;
    }
    return DP_OK;
}

enum dp_status dp_agg_print(struct dp_agg_printer *p, const void *state, size_t head, struct dp_buf *out, struct dp_err *err) {
    size_t before = out->n;
    for (size_t i = 0; i < p->a->n_ones; i++) {
        enum dp_status status = print_one(p, i, state, head, out, err);
        if (status == DP_OK) continue;
        (void)dp_err_prefix(err, "%s: ", p->a->ones[i].name);
        out->n = before;
        return status;
    }
    return DP_OK;
}

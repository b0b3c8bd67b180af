/* Types of results (dp/rules/agg.h), as the stream's header tells them.  What is computed by an expression is left open, and what depends on a field whose type is not known. */
#include "agg_priv.h"

static struct dp_type *copy_as(const struct dp_type *t, struct dp_str name) {
    struct dp_type *c = t ? dp_type_copy(t) : dp_type_new(DP_TYPE_NONE, name);
    free(c->name), free(c->metadata);
    c->name = dp_strndup(name.p, name.n);
    c->name_n = name.n;
    c->metadata = NULL;
    c->field_id = -1;
    c->nullable = true;
    return c;
}

/* Integers are summed in 128 bits; a sum beyond 64 is the sink's error. */
static struct dp_type *sum_type(const struct dp_type *t, struct dp_str name) {
    if (!t) return dp_type_new(DP_TYPE_NONE, name);
    if (t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE) return dp_type_new(DP_TYPE_DOUBLE, name);
    struct dp_type *s = dp_type_new(DP_TYPE_NONE, name);
    if (t->id == DP_TYPE_DECIMAL || t->id == DP_TYPE_UINT64) {
        s->id = DP_TYPE_DECIMAL;
        s->precision = 38;
        s->scale = t->id == DP_TYPE_DECIMAL ? t->scale : 0;
    } else if (dp_type_is_integer(t)) {
        s->id = DP_TYPE_INT64;
    }
    return s;
}

static struct dp_type *list_of(struct dp_type *element, struct dp_str name) {
    struct dp_type *l = dp_type_new(DP_TYPE_LIST, name);
    dp_type_add(l, element);
    return l;
}

static struct dp_type *frequency(const struct dp_type *t) {
    struct dp_type *s = dp_type_new(DP_TYPE_STRUCT, DP_STR("element"));
    dp_type_add(s, copy_as(t, DP_STR("value")));
    dp_type_add(s, dp_type_new(DP_TYPE_INT64, DP_STR("count")));
    return s;
}

static struct dp_type *result_type(const struct agg_one *one, const struct dp_type *in, const struct dp_type *t, struct dp_str name) {
    struct dp_type *r;
    switch (one->fn) {
    case AGG_FN_COUNT:
    case AGG_FN_DISTINCT:
    case AGG_FN_DISTINCT_APPROX:
        r = dp_type_new(DP_TYPE_INT64, name);
        r->nullable = false;
        return r;
    case AGG_FN_DELTA:
    case AGG_FN_SUM: return sum_type(t, name);
    case AGG_FN_MEAN:
    case AGG_FN_VAR_SAMP:
    case AGG_FN_VAR_POP:
    case AGG_FN_STDDEV_SAMP:
    case AGG_FN_STDDEV_POP:
    case AGG_FN_QUANTILE_APPROX:
    case AGG_FN_RATE: return dp_type_new(DP_TYPE_DOUBLE, name);
    case AGG_FN_MIN:
    case AGG_FN_MAX:
    case AGG_FN_FIRST:
    case AGG_FN_LAST:
    case AGG_FN_QUANTILE:
    case AGG_FN_MEDIAN: return copy_as(t, name);
    case AGG_FN_TOP: return list_of(copy_as(t, DP_STR("element")), name);
    case AGG_FN_MOST: return list_of(frequency(t), name);
    case AGG_FN_COLLECT: return list_of(copy_as(one->path == SIZE_MAX ? in : t, DP_STR("element")), name);
    case AGG_FN_EXPRESSION: break;
    }
    return dp_type_new(DP_TYPE_NONE, name);
}

void dp_aggs_schema(const struct dp_aggs *a, const struct dp_type *in, struct dp_type *out) {
    for (size_t i = 0; i < a->n_ones; i++) {
        const struct agg_one *one = &a->ones[i];
        const struct dp_type *t = one->path == SIZE_MAX ? NULL : agg_type_of(in, &a->paths[one->path].path);
        dp_type_add(out, result_type(one, in, t, dp_str_z(one->name)));
    }
}

void dp_agg_reads(const struct dp_aggs *a, size_t i, struct dp_agg_reads *out) {
    const struct agg_one *one = &a->ones[i];
    *out = (struct dp_agg_reads){.expression = one->fn == AGG_FN_EXPRESSION ? one->describe : NULL};
    if (out->expression) return;
    const struct agg_input *in = one->acc == SIZE_MAX ? NULL : &a->inputs[a->accs[one->acc].input];
    if (in && in->where != SIZE_MAX) out->where = a->wheres[in->where].expr;
    if (one->path != SIZE_MAX) out->value = &a->paths[one->path].path;
    out->whole = one->path == SIZE_MAX && one->fn == AGG_FN_COLLECT;
    out->counts = one->fn == AGG_FN_COUNT || one->fn == AGG_FN_DISTINCT || one->fn == AGG_FN_DISTINCT_APPROX;
}

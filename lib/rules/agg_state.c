/* States of windows: a count of rows, then each accumulator in its place (dp/rules/agg.h).  A saved state is the count of rows and what each accumulator saves. */
#include "agg_priv.h"

#include <dp/base/mem.h>

static void *state_of(const struct agg_acc *acc, void *state) { return (char *)state + acc->offset; }
static const void *const_state_of(const struct agg_acc *acc, const void *state) { return (const char *)state + acc->offset; }
static uint64_t *rows_of(void *state) { return state; }

size_t dp_agg_size(const struct dp_aggs *a) { return a->size; }
uint64_t dp_agg_rows(const struct dp_aggs *a, const void *state) {
    (void)a;
    return *(const uint64_t *)state;
}

void dp_agg_add(const struct dp_aggs *a, void *state, struct dp_str row, struct dp_agg_at at, struct dp_agg_mem *mem) {
    const char *p = row.p;
    struct agg_val v;
    ++*rows_of(state);
    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct agg_input *in = &a->inputs[i];
        p = agg_val_decode(p, &v);
        if (v.tag == AGG_NULL) continue;
        const struct agg_acc *acc = &a->accs[in->first_acc];
        for (size_t k = in->n_acc; k; k--, acc++) acc->ops->add(acc, state_of(acc, state), &v, at, mem);
    }
}

/* Could the row be taken out of every accumulator? */
static bool has_row(const struct dp_aggs *a, const void *state, struct dp_str row, struct dp_agg_at at) {
    const char *p = row.p;
    struct agg_val v;
    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct agg_input *in = &a->inputs[i];
        p = agg_val_decode(p, &v);
        for (size_t k = in->first_acc; v.tag != AGG_NULL && k < in->first_acc + in->n_acc; k++)
            if (!a->accs[k].ops->has(&a->accs[k], const_state_of(&a->accs[k], state), &v, at)) return false;
    }
    return true;
}

bool dp_agg_sub(const struct dp_aggs *a, void *state, struct dp_str row, struct dp_agg_at at, struct dp_agg_mem *mem) {
    const char *p = row.p;
    struct agg_val v;
    if (!a->counted || !*rows_of(state) || !has_row(a, state, row, at)) return false;
    --*rows_of(state);
    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct agg_input *in = &a->inputs[i];
        p = agg_val_decode(p, &v);
        for (size_t k = in->first_acc; v.tag != AGG_NULL && k < in->first_acc + in->n_acc; k++)
            a->accs[k].ops->sub(&a->accs[k], state_of(&a->accs[k], state), &v, at, mem);
    }
    return true;
}

void dp_agg_release(const struct dp_aggs *a, void *state, struct dp_agg_mem *mem) {
    for (size_t i = 0; i < a->n_accs; i++) a->accs[i].ops->release(&a->accs[i], state_of(&a->accs[i], state), mem);
    memset(state, 0, a->size);
}

void dp_agg_merge(const struct dp_aggs *a, void *into, void *from, struct dp_agg_mem *mem) {
    *rows_of(into) += *rows_of(from);
    for (size_t i = 0; i < a->n_accs; i++) a->accs[i].ops->merge(&a->accs[i], state_of(&a->accs[i], into), state_of(&a->accs[i], from), mem);
    dp_agg_release(a, from, mem);
}

void dp_agg_save(const struct dp_aggs *a, const void *state, struct dp_buf *out) {
    agg_put64(dp_buf_reserve(out, 8), *(const uint64_t *)state);
    out->n += 8;
    for (size_t i = 0; i < a->n_accs; i++) a->accs[i].ops->save(&a->accs[i], const_state_of(&a->accs[i], state), out);
}

enum dp_status dp_agg_load(const struct dp_aggs *a, void *state, struct dp_str *in, struct dp_agg_mem *mem, struct dp_err *err) {
    if (in->n < 8) return dp_err_set(err, DP_FORMAT, "the state of a window is cut short");
    *rows_of(state) = agg_get64(in->p);
    *in = dp_str(in->p + 8, in->n - 8);
    if (*rows_of(state) > AGG_ROWS_MAX) return dp_err_set(err, DP_FORMAT, "the state of a window is damaged: it has %llu rows", (unsigned long long)*rows_of(state));
    for (size_t i = 0; i < a->n_accs; i++)
        if (!a->accs[i].ops->load(&a->accs[i], state_of(&a->accs[i], state), in, mem)) {
            dp_agg_release(a, state, mem);
            return dp_err_set(err, DP_FORMAT, "the state of a window is damaged");
        }
    return DP_OK;
}

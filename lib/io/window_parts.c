/*
 * Keys from other states (--from-state): a part of dp-window takes what is its own from a state of the whole, or from those of any other number of parts, and keeps it in
 * its own state from there on.
 *
 * All of them must be of one checkpoint and of the same query, and together have each of the keys once.  Parts are ranges of the keys' hashes, so that a part of four needs no
 * more than the part of two that it lies in.  The first thing that is written is a checkpoint with all that was taken, under the id that it had: from then on the other
 * states are not asked again, and may go.
 */
#include "window_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>

/* [i/n, (i+1)/n) of all hashes. */
struct part { uint32_t i, n; };

struct other {
    const char *dir;
    struct dp_state *state;
    struct part part;
};

struct taking {
    struct windowing *w;
    const struct other *from;
    struct dp_map shared; /* what all of them must say alike: key to value */
};

bool window_part_parse(const char *text, uint32_t *i, uint32_t *n) {
    const char *slash = strchr(text, '/');
    uint64_t a, b;
    if (!slash || !dp_parse_u64(dp_str(text, (size_t)(slash - text)), &a) || !dp_parse_u64(dp_str_z(slash + 1), &b) || !a || a > b || b > 65536) return false;
    *i = (uint32_t)a - 1, *n = (uint32_t)b;
    return true;
}

/* Is a/b below c/d? */
static bool is_below(uint64_t a, uint64_t b, uint64_t c, uint64_t d) { return a * d < c * b; }

static int by_place(const void *a, const void *b) {
    const struct part *x = &((const struct other *)a)->part, *y = &((const struct other *)b)->part;
    return is_below(x->i, x->n, y->i, y->n) ? -1 : is_below(y->i, y->n, x->i, x->n);
}

/* ---- which part is a state of? ---- */

static enum dp_status read_part(struct other *x, struct dp_err *err) {
    struct dp_buf text = {0};
    bool ok = true;
    x->part = (struct part){0, 1};
    if (dp_state_query_member(dp_state_query(x->state), "part", &text) && text.n > 2 && *text.p == '"') {
        text.p[text.n - 1] = '\0';
        ok = window_part_parse(text.p + 1, &x->part.i, &x->part.n);
    }
    dp_buf_release(&text);
    return ok ? DP_OK : dp_err_set(err, DP_FORMAT, "the state %s is damaged: its part", x->dir);
}

static enum dp_status open_other(struct windowing *w, struct other *x, struct dp_err *err) {
    static const char *const except[] = {"part", NULL};
    struct dp_buf what = {0};
    DP_TRY(dp_state_open(w->run, x->dir, "dp-window", DP_STR(""), true, &x->state, err));
    if (dp_state_is_held(x->state)) return dp_err_set(err, DP_AGAIN, "another process works on the state %s, from which keys are to be taken", x->dir);
    dp_buf_addf(&what, "the state %.200s", x->dir);
    enum dp_status status = dp_state_same_query(dp_buf_z(&what), dp_state_query(x->state), dp_state_query(w->durable.state), except, err);
    dp_buf_release(&what);
    return status == DP_OK ? read_part(x, err) : status;
}

/* Each hash of our part in exactly one of them. */
static enum dp_status check_cover(const struct windowing *w, struct other *x, size_t n, struct dp_err *err) {
    uint64_t from_i = w->part, from_n = w->parts; /* what is covered reaches to here */
    qsort(x, n, sizeof *x, by_place);
    for (size_t k = 0; k < n; k++) {
        uint64_t end = (uint64_t)x[k].part.i + 1;
        if (k && is_below(x[k].part.i, x[k].part.n, (uint64_t)x[k - 1].part.i + 1, x[k - 1].part.n))
            return dp_err_set(err, DP_USAGE, "the states %s and %s have the same keys: one of them is enough", x[k - 1].dir, x[k].dir);
        if (is_below(from_i, from_n, x[k].part.i, x[k].part.n)) break;
        if (is_below(from_i, from_n, end, x[k].part.n)) from_i = end, from_n = x[k].part.n;
    }
    if (!is_below(from_i, from_n, (uint64_t)w->part + 1, w->parts)) return DP_OK;
    return dp_err_set(err, DP_USAGE, "the states of --from-state don't have all keys of part %u/%u: those from %llu/%llu on are missing", w->part + 1, w->parts,
                      (unsigned long long)from_i, (unsigned long long)from_n);
}

/* ---- taking ---- */

static enum dp_status take(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) {
    struct taking *t = ctx;
    struct dp_str name;
    char kind;
    if (durable_is_own(key, &kind, &name)) { /* the windows' own clock is judged by them */
        bool is_new;
        if (kind == 'l') return DP_OK; /* late records are in a file of the part that met them */
        struct dp_map_item *it = dp_map_put(&t->shared, key, &is_new);
        if (!is_new && dp_str_eq(*(struct dp_str *)it->v.p, value)) return DP_OK;
        if (!is_new) return dp_err_set(err, DP_USAGE, "the state %s has read something else than the others of --from-state", t->from->dir);
        struct dp_str *copy = dp_alloc(sizeof *copy);
        *copy = dp_str(dp_strndup(value.p, value.n), value.n);
        it->v.p = copy;
    }
    return window_state_load(t->w, key, value, err);
}

static enum dp_status take_from(struct taking *t, const char *id, const struct other *x, bool is_first, char **common, struct dp_err *err) {
    struct dp_state_point point;
    t->from = x;
    DP_TRY(dp_state_restore(x->state, id, take, t, &point, err));
    if (!point.number) return dp_err_set(err, DP_USAGE, "the state %s has no checkpoint to take keys from", x->dir);
    if (is_first) *common = dp_strdup(point.id);
    else if (strcmp(*common, point.id) != 0) return dp_err_set(err, DP_USAGE, "the states of --from-state are of different checkpoints: %.60s in %s, %.60s before", point.id, x->dir, *common);
    dp_run_log(t->w->run, DP_LOG_VERBOSE, "--from-state %s: checkpoint %llu", x->dir, (unsigned long long)point.number);
    return DP_OK;
}

static void release_shared(struct dp_map *m) {
    for (size_t i = 0; i < m->n; i++) {
        struct dp_str *v = m->items[i].v.p;
        free((char *)(uintptr_t)v->p);
        free(v);
    }
    dp_map_release(m);
}

enum dp_status window_parts_take(struct windowing *w, const char *id, char **taken_id, struct dp_err *err) {
    size_t n = w->o->n_from_state;
    struct other *x = dp_calloc(n, sizeof *x);
    struct taking t = {.w = w};
    enum dp_status status = DP_OK;
    *taken_id = NULL;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        x[i].dir = w->o->from_state[i];
        status = open_other(w, &x[i], err);
    }
    if (status == DP_OK) status = check_cover(w, x, n, err);
    for (size_t i = 0; i < n && status == DP_OK; i++) status = take_from(&t, id, &x[i], i == 0, taken_id, err);
    for (size_t i = 0; i < n; i++) dp_state_close(x[i].state);
    release_shared(&t.shared);
    free(x);
    return status;
}

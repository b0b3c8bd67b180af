/*
 * Which data a run's processor time goes to: what it wrote; else what other reports of the same run wrote (stages of dp-run), or of the same job, where it has a name; else what it read.  Of several
 * each has the same part.  Data is named by its path, as far as it lies in files: a path that is there by the one that it resolves to.
 */
#include "cost_priv.h"

#include <dp/record/json.h>

#include <stdlib.h>

struct cost_list { size_t *v, n, cap; }; /* of paths, in order */

static bool is_default_job(struct dp_str job) { return !job.n || dp_str_eqz(job, "dp"); }

static size_t place_in(const struct cost_list *l, size_t path) {
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (l->v[mid] < path) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static void list_add(struct cost_list *l, size_t path) {
    size_t at = place_in(l, path);
    if (at < l->n && l->v[at] == path) return;
    l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
    l->v[at] = path;
    l->n++;
}

static size_t path_number(struct cost_data *d, const char *name) {
    bool is_new;
    char *real;
    struct dp_map_item *as_told = dp_map_put(&d->told, dp_str_z(name), &is_new);
    if (!is_new) return (size_t)as_told->v.u;
    real = realpath(name, NULL);
    struct dp_map_item *item = dp_map_put(&d->paths, dp_str_z(real ? real : name), &is_new);
    if (is_new) item->v.p = dp_calloc(1, sizeof(struct dp_cost_time));
    as_told->v.u = (uint64_t)(item - d->paths.items);
    free(real);
    return (size_t)as_told->v.u;
}

/* Paths of the datasets in the report's list `key`. */
static void read_list(struct cost_data *d, const struct dp_record *r, const char *key, struct cost_list *to) {
    struct dp_buf ns = {0}, name = {0};
    uint32_t list = dp_json_member(r, 0, key);
    to->n = 0;
    if (!list || r->nodes[list].kind != DP_KIND_ARRAY) return;
    for (uint32_t i = list + 1; i < r->nodes[list].next; i = r->nodes[i].next) {
        if (r->nodes[i].kind != DP_KIND_OBJECT) continue;
        uint32_t n = dp_json_member(r, i, "namespace"), m = dp_json_member(r, i, "name");
        dp_buf_reset(&ns), dp_buf_reset(&name);
        if (!n || !m || !dp_json_get_string(r, n, &ns) || !dp_json_get_string(r, m, &name) || !dp_str_eqz(dp_buf_str(&ns), "file") || !name.n) continue;
        list_add(to, path_number(d, dp_buf_z(&name)));
    }
    dp_buf_release(&ns);
    dp_buf_release(&name);
}

static struct cost_list *list_of(struct dp_map *m, struct dp_str key) {
    struct dp_map_item *item = dp_map_put(m, key, NULL);
    if (!item->v.p) item->v.p = dp_calloc(1, sizeof(struct cost_list));
    return item->v.p;
}

void cost_data_note(struct cost_data *d, const struct dp_record *r, struct dp_str run, struct dp_str job) {
    struct cost_list out = {0};
    read_list(d, r, "outputs", &out);
    for (size_t i = 0; i < out.n; i++) {
        if (run.n) list_add(list_of(&d->of_run, run), out.v[i]);
        if (!is_default_job(job)) list_add(list_of(&d->of_job, job), out.v[i]);
    }
    free(out.v);
}

static void share(struct cost_data *d, const struct cost_list *l, uint64_t user, uint64_t sys) {
    for (size_t i = 0; i < l->n; i++) {
        struct dp_cost_time *t = d->paths.items[l->v[i]].v.p;
        cost_add(&t->runs, 1);
        cost_add(&t->user_us, user / l->n + (i < user % l->n));
        cost_add(&t->system_us, sys / l->n + (i < sys % l->n));
    }
}

void cost_data_add(struct cost_data *d, const struct dp_record *r, struct dp_str run, struct dp_str job, uint64_t user, uint64_t sys) {
    struct cost_list own = {0};
    const struct cost_list *to = &own;
    read_list(d, r, "outputs", &own);
    for (int i = 0; i < 2 && !to->n; i++) {
        const struct dp_map_item *item = i ? dp_map_get(&d->of_job, job) : dp_map_get(&d->of_run, run);
        if (item) to = item->v.p;
    }
    if (!to->n) read_list(d, r, "inputs", &own), to = &own;
    if (to->n) share(d, to, user, sys);
    else cost_add(&d->none.runs, 1), cost_add(&d->none.user_us, user), cost_add(&d->none.system_us, sys);
    free(own.v);
}

enum dp_status cost_data_tell(const struct cost_data *d, const struct dp_cost_runs_opts *o, struct dp_err *err) {
    for (size_t i = 0; i < d->paths.n; i++) {
        const struct dp_cost_time *t = d->paths.items[i].v.p;
        if (t->runs) DP_TRY(o->each_data(o->ctx, d->paths.items[i].key.p, t, err));
    }
    return d->none.runs ? o->each_data(o->ctx, NULL, &d->none, err) : DP_OK;
}

static void lists_release(struct dp_map *m) {
    for (size_t i = 0; i < m->n; i++) {
        struct cost_list *l = m->items[i].v.p;
        if (l) free(l->v);
        free(l);
    }
    dp_map_release(m);
}

void cost_data_release(struct cost_data *d) {
    for (size_t i = 0; i < d->paths.n; i++) free(d->paths.items[i].v.p);
    dp_map_release(&d->paths);
    dp_map_release(&d->told);
    lists_release(&d->of_run);
    lists_release(&d->of_job);
}

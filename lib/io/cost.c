/* What tables hold and cost (dp/io/cost.h): tables side by side on all threads, told in the order of the walk. */
#include "cost_priv.h"

#include <stdlib.h>

struct costing {
    struct dp_run *run;
    const struct dp_cost_opts *o;
    struct dp_retain_rules rules;
    struct retain_place *places;
    size_t n, next;
    struct cost_who who;
    struct dp_map seen;          /* real paths of tables */
    enum dp_status *worst;
};

struct job {
    const struct retain_place *place;
    struct dp_cost_table t;
    struct dp_buf fault;
    enum dp_status status;
};

static void table_release(struct dp_cost_table *t) {
    free(t->real);
    cost_names_release(&t->tags);
    cost_names_release(&t->owners);
    for (int i = 0; i < DP_COST_WAYS; i++) free(t->savings[i].rule);
    *t = (struct dp_cost_table){0};
}

/* What a plan by the same rules would free, and which rules these are. */
static enum dp_status retention(struct costing *c, const struct retain_place *place, const struct dp_delta_snapshot *s, struct dp_cost_table *t, struct dp_err *err) {
    struct retain_table r = {.path = place->path, .below = place->below, .all = &c->rules, .now = c->run->now_micros};
    struct dp_cost_saving *save = &t->savings[DP_COST_RETENTION];
    const struct dp_retain_plan_opts o = {.rules = c->o->rules, .n_rules = c->o->n_rules, .contract = c->o->contract};
    struct dp_retain_totals sums;
    struct dp_buf ids = {0};
    enum dp_status status;
    if (!c->o->n_rules && !c->o->contract) return DP_OK;
    DP_TRY(retain_plan_sums(place, &o, &c->rules, c->run->now_micros, &sums, err));
    save->files = sums.files + sums.old_files + sums.leftovers, save->bytes = sums.bytes + sums.old_bytes;
    if (c->o->prices->n) save->month = dp_price_bytes(save->bytes, c->o->prices->tiers[t->tier].gb_month);
    if (!save->files) return DP_OK;
    DP_TRY_OUT(retain_table_open(&r, s, err));
    retain_ids(&r, RETAIN_ROWS | RETAIN_VERSIONS | RETAIN_LEFTOVERS, &ids);
    save->rule = dp_strdup(dp_buf_z(&ids));
out:
    retain_table_close(&r);
    dp_buf_release(&ids);
    return status;
}

static enum dp_status cost_table(struct costing *c, const struct retain_place *place, struct dp_cost_table *t, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    const char *real = t->real = realpath(place->path, NULL);
    uint64_t bytes = 0;
    enum dp_status status;
    if (!real) return dp_err_sys(err, DP_IO, "cannot open %s", place->path);
    DP_TRY_OUT(dp_delta_open(place->path, -1, &s, err));
    if (c->o->prices->n) DP_TRY_OUT(dp_prices_tier(c->o->prices, real, place->below, dp_delta_property(s, "dp.tier", ""), &t->tier, err));
    cost_who_ask(&c->who, real, s, t);
    DP_TRY_OUT(cost_measure(place->path, real, s, t, err));
    for (int i = 0; i < DP_COST_KINDS; i++) bytes += t->kinds[i].bytes;
    if (c->o->prices->n) t->month = dp_price_bytes(bytes, c->o->prices->tiers[t->tier].gb_month);
    cost_compaction(s, c->o, t);
    cost_tiering(s, c->o, c->run->now_micros / 1000, t);
    status = retention(c, place, s, t, err);
out:
    dp_delta_close(s);
    return status;
}

static enum dp_status produce(void *ctx, void *slot, struct dp_err *err) {
    struct costing *c = ctx;
    struct job *job = slot;
    if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
    for (bool is_new = false; !is_new;) {
        if (c->next == c->n) return DP_END;
        job->place = &c->places[c->next++];
        char *real = realpath(job->place->path, NULL);
        dp_map_put(&c->seen, dp_str_z(real ? real : job->place->path), &is_new);
        free(real);
    }
    table_release(&job->t);
    dp_buf_reset(&job->fault);
    job->t.path = job->place->path;
    return DP_OK;
}

static enum dp_status work(void *ctx, unsigned worker, void *slot, struct dp_err *err) {
    struct job *job = slot;
    struct dp_err why = DP_ERR_INIT;
    (void)worker, (void)err;
    job->status = cost_table(ctx, job->place, &job->t, &why);
    if (job->status == DP_OK) return DP_OK;
    table_release(&job->t);
    job->t.path = job->place->path;
    dp_buf_addz(&job->fault, why.msg);
    job->t.fault = dp_buf_z(&job->fault);
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *slot, struct dp_err *err) {
    struct costing *c = ctx;
    struct job *job = slot;
    if (job->status != DP_OK && *c->worst == DP_OK) *c->worst = job->status;
    if (c->run->tick) c->run->tick(c->run);
    return c->o->each(c->o->ctx, &job->t, err);
}

static void release(void *ctx, void *slot) {
    struct job *job = slot;
    (void)ctx;
    table_release(&job->t);
    dp_buf_release(&job->fault);
}

enum dp_status dp_cost_tables(struct dp_run *run, const struct dp_cost_opts *o, enum dp_status *worst, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    struct costing c = {.run = run, .o = o, .worst = worst};
    enum dp_status status;
    *worst = DP_OK;
    DP_TRY_OUT(retain_read_rules(o->rules, o->n_rules, o->contract, &c.rules, err));
    DP_TRY_OUT(retain_find(run, o->tables, o->n_tables, &c.places, &c.n, err));
    DP_TRY_OUT(cost_who_open(&c.who, c.places, c.n, o->store, err));
    status = dp_pool_run(run->pool, &ops, &c, err);
out:
    cost_who_close(&c.who);
    dp_map_release(&c.seen);
    retain_places_free(c.places, c.n);
    dp_retain_rules_release(&c.rules);
    return status;
}

/* What compaction and tiering would save of a table (dp/io/cost.h): from the log alone, so all of it is estimated. */
#include "cost_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* Small files of a partition. */
struct small { uint64_t files, bytes, dead; };

static void partition_key(const struct dp_delta_file *f, struct dp_buf *key) {
    dp_buf_reset(key);
    dp_delta_pairs_print(&f->partition_values, key);
}

/* Bytes of deleted rows, if all rows were of one size. */
static uint64_t dead_bytes(const struct dp_delta_file *f, int64_t rows) {
    if (!f->dv.storage.p || f->dv.cardinality <= 0 || rows <= 0 || f->dv.cardinality > rows) return 0;
    return (uint64_t)((dp_u128)(uint64_t)f->size * (uint64_t)f->dv.cardinality / (uint64_t)rows);
}

void cost_compaction(const struct dp_delta_snapshot *s, const struct dp_cost_opts *o, struct dp_cost_table *t) {
    struct dp_delta_skipper *rows = dp_delta_skipper_open(s, NULL);
    struct dp_map at = {0};
    struct small *v = NULL;
    struct dp_buf key = {0}, rule = {0};
    struct dp_cost_saving *save = &t->savings[DP_COST_COMPACTION];
    size_t n = 0, cap = 0;
    const struct dp_delta_file *f;
    bool is_new;
    for (size_t cursor = 0; (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        if (f->size < 0 || (uint64_t)f->size >= o->target_size - o->target_size / 4) continue;
        partition_key(f, &key);
        struct dp_map_item *item = dp_map_put(&at, dp_buf_str(&key), &is_new);
        if (is_new) {
            v = dp_grow(v, &cap, n + 1, sizeof *v);
            v[n] = (struct small){0};
            item->v.u = n++;
        }
        v[item->v.u].files++, v[item->v.u].bytes += (uint64_t)f->size;
        if (f->dv.storage.p) v[item->v.u].dead += dead_bytes(f, dp_delta_skipper_rows(rows, f));
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t left = v[i].bytes - v[i].dead, after = left / o->target_size + (left % o->target_size != 0);
        if (v[i].files < 2 || after >= v[i].files) continue;
        save->files += v[i].files - after, save->bytes += v[i].dead;
    }
    if (save->files) {
        dp_buf_addf(&rule, "files under %llu bytes of a partition into files of %llu", (unsigned long long)(o->target_size - o->target_size / 4), (unsigned long long)o->target_size);
        save->rule = dp_buf_detach(&rule);
        save->is_estimate = true;
    }
    if (o->prices->n) save->month = dp_price_bytes(save->bytes, o->prices->tiers[t->tier].gb_month);
    dp_delta_skipper_close(rows);
    dp_map_release(&at);
    dp_buf_release(&key);
    free(v);
}

void cost_tiering(const struct dp_delta_snapshot *s, const struct dp_cost_opts *o, int64_t now_ms, struct dp_cost_table *t) {
    const struct dp_prices *p = o->prices;
    struct dp_cost_saving *save = &t->savings[DP_COST_TIERING];
    struct dp_buf rule = {0};
    const struct dp_delta_file *f;
    uint64_t *bytes = dp_calloc(p->n + 1, sizeof *bytes);
    for (size_t cursor = 0; p->n && (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        int64_t age;
        if (f->size <= 0 || f->modification_time < 0 || dp_sub_overflow(now_ms, f->modification_time, &age)) continue;
        size_t to = dp_prices_colder(p, t->tier, age);
        if (to == t->tier) continue;
        bytes[to] += (uint64_t)f->size, save->bytes += (uint64_t)f->size, save->files++;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (!bytes[i]) continue;
        save->month = dp_price_add(save->month, dp_price_bytes(bytes[i], p->tiers[t->tier].gb_month - p->tiers[i].gb_month));
        dp_buf_addf(&rule, "%s%llu bytes from %s to %s after %lld days", rule.n ? ", " : "", (unsigned long long)bytes[i], p->tiers[t->tier].name, p->tiers[i].name,
                    (long long)(p->tiers[i].after_ms / 86400000));
    }
    if (save->files) save->rule = dp_buf_detach(&rule), save->is_estimate = true;
    dp_buf_release(&rule);
    free(bytes);
}

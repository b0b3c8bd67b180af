/*
 * Checkpoints of dp-dedupe (dp/io/state.h): an entry for each key that was kept, or with --within for each time of one, and what all programs with a state have there
 * (durable.h).  Keys are as their set holds them, so the seed of their hash is in the state's description.  Those that were kept since the last checkpoint are remembered while
 * they fit in a share of the memory; beyond it, and where the state asks for it, all are put again.
 */
#include "dedupe_priv.h"

#include <dp/record/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 17, BATCH = 512 };

/* ---- what is computed ---- */

static void add_text(struct dp_buf *b, const char *name, const char *text) {
    dp_buf_addf(b, ",\"%s\":", name);
    if (text) dp_json_add_string(b, dp_str_z(text));
    else dp_buf_addz(b, "null");
}

static void add_number(struct dp_buf *b, const char *name, bool has, int64_t v) {
    if (has) dp_buf_addf(b, ",\"%s\":%lld", name, (long long)v);
    else add_text(b, name, NULL);
}

/* One flat object; what does not alter the state (which keyless records pass, what is compared with, where late records go) is not in it. */
static void describe(const struct dp_dedupe *d, struct dp_buf *b) {
    uint64_t seed[3];
    dp_keyset_seed(d->set, seed);
    dp_buf_addf(b, "{\"seed\":\"%016llx%016llx%016llx\"", (unsigned long long)seed[0], (unsigned long long)seed[1], (unsigned long long)seed[2]);
    add_text(b, "key", d->o.key);
    add_number(b, "within_ms", d->o.has_within, d->o.within);
    add_text(b, "time", d->o.time);
    add_number(b, "delay_ms", d->o.has_delay, d->o.delay);
    add_text(b, "timezone", d->zone ? dp_zone_name(d->zone) : NULL);
    dp_buf_addc(b, '}');
}

static bool parse_seed(struct dp_str s, uint64_t seed[3]) {
    if (s.n != 50) return false; /* with its quotes */
    for (size_t i = 0; i < 3; i++) {
        seed[i] = 0;
        for (size_t k = 0; k < 16; k++) {
            const char c = s.p[1 + 16 * i + k];
            const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
            if (digit < 0) return false;
            seed[i] = seed[i] << 4 | (uint64_t)digit;
        }
    }
    return true;
}

/* The seed of a state that is there is ours. */
static void take_seed(struct dp_dedupe *d) {
    struct dp_state *s = NULL;
    struct dp_buf text = {0};
    uint64_t seed[3];
    if (dp_state_open(d->run, d->o.state, "dp-dedupe", DP_STR(""), true, &s, NULL) != DP_OK) return; /* what is wrong with it is told when it is opened */
    if (dp_state_query_member(dp_state_query(s), "seed", &text) && parse_seed(dp_buf_str(&text), seed)) dp_keyset_set_seed(d->set, seed);
    dp_buf_release(&text);
    dp_state_close(s);
}

enum dp_status dedupe_state_open(struct dp_dedupe *d, struct dp_err *err) {
    struct dp_buf query = {0};
    if (!d->o.state) return DP_OK;
    take_seed(d);
    describe(d, &query);
    enum dp_status status = durable_open(&d->durable, "dp-dedupe", dp_buf_str(&query), err);
    dp_buf_release(&query);
    d->fresh.most = (size_t)(d->run->memory / 16 / sizeof *d->fresh.v);
    return status;
}

/* ---- restoring ---- */

static void put64(char *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (char)(v >> (56 - 8 * i));
}

static uint64_t get64(const char *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | (unsigned char)p[i];
    return v;
}

struct loading { struct dp_dedupe *d; struct dp_key keys[BATCH]; size_t n; };

static enum dp_status load_keys(struct loading *x, struct dp_err *err) {
    bool seen[BATCH];
    size_t n = x->n;
    x->n = 0;
    return n ? dp_keyset_add(x->d->set, x->keys, n, seen, err) : DP_OK;
}

static enum dp_status load(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) {
    struct loading *x = ctx;
    struct dp_str name;
    char kind;
    if (durable_is_own(key, &kind, &name)) { /* the watermark comes first */
        DP_TRY(durable_load(&x->d->durable, kind, name, value, err));
        if (kind == 'w' && x->d->recent) dedupe_forget(x->d);
        return DP_OK;
    }
    if (key.n != KEY || *key.p != 'k' || value.n != (x->d->recent ? 8u : 0u)) return dp_err_set(err, DP_FORMAT, "an entry of the state is damaged");
    const uint64_t w[2] = {get64(key.p + 1), get64(key.p + 9)};
    if (x->d->recent) return dedupe_recent_load(x->d->recent, &(struct dedupe_entry){{w[0], w[1]}, (int64_t)get64(value.p)}, err);
    x->keys[x->n++] = (struct dp_key){{w[0], w[1]}};
    return x->n == BATCH ? load_keys(x, err) : DP_OK;
}

enum dp_status dedupe_state_restore(struct dp_dedupe *d, struct dp_err *err) {
    struct dp_state_point point;
    if (d->durable.is_restored || !d->o.state) return DP_OK;
    durable_check_resume(&d->durable, "keys");
    if (!d->durable.state) return DP_OK;
    struct loading x = {.d = d};
    DP_TRY(dp_state_restore(d->durable.state, durable_resume_id(&d->durable), load, &x, &point, err));
    DP_TRY(load_keys(&x, err));
    DP_TRY(late_cut(&d->durable.late, d->durable.late.restored, err));
    if (point.number)
        dp_run_log(d->run, DP_LOG_VERBOSE, "--state %s: checkpoint %llu%s%s", d->o.state, (unsigned long long)point.number, *point.id ? ", of mark " : "", point.id);
    return DP_OK;
}

/* ---- saving ---- */

void dedupe_state_note(struct dp_dedupe *d, const struct dedupe_entry *e) {
    struct dedupe_fresh *f = &d->fresh;
    if (!d->durable.state || f->is_lost) return;
    if (f->n == f->most) {
        f->is_lost = true;
        free(f->v);
        f->v = NULL, f->n = f->cap = 0;
        return;
    }
    f->v = dp_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
    f->v[f->n++] = *e;
}

static enum dp_status put_entry(void *ctx, const struct dedupe_entry *e, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    char key[KEY] = {'k'}, time[8];
    struct dp_str value = dp_str(time, d->recent ? sizeof time : 0);
    put64(key + 1, e->w[0]), put64(key + 9, e->w[1]), put64(time, (uint64_t)e->t);
    return dp_state_put(d->durable.state, dp_str(key, sizeof key), &value, err);
}

static enum dp_status put_keys(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err) {
    for (size_t i = 0; i < n; i++) DP_TRY(put_entry(ctx, &(struct dedupe_entry){{keys[i].w[0], keys[i].w[1]}, 0}, err));
    return DP_OK;
}

static enum dp_status put_all(void *ctx, bool all, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct dedupe_fresh *f = &d->fresh;
    if (!all && !f->is_lost) {
        for (size_t i = 0; i < f->n; i++) DP_TRY(put_entry(d, &f->v[i], err));
        return DP_OK;
    }
    return d->recent ? dedupe_recent_each(d->recent, put_entry, d, err) : dp_keyset_each(d->set, put_keys, d, err);
}

enum dp_status dedupe_state_save(struct dp_dedupe *d, const char *id, struct dp_err *err) {
    DP_TRY(durable_save(&d->durable, id, put_all, d, err));
    d->fresh.n = 0;
    d->fresh.is_lost = false;
    return DP_OK;
}

/*
 * Checkpoints told anew (dp/delta/amend.h): the state of their version is read, its files are exchanged for their twins, and it is written in the same form.  One in several parts becomes
 * one in one; rows that no reader of the protocol knows are not carried over.
 */
#include "amend_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>

/* ---- the state ---- */

struct exchange {
    struct amending *m;
    struct dp_delta_snapshot *s;
    struct dp_map fresh;
    struct dp_buf key;
};

static void put(struct exchange *x, struct dp_delta_file *f) {
    dp_buf_reset(&x->key);
    dp_delta_file_key(f, &x->key);
    dp_map_put(&x->fresh, dp_buf_str(&x->key), NULL)->v.p = f;
}

static enum dp_status exchange_map(struct exchange *x, struct dp_map *map, struct dp_err *err) {
    const struct dp_delta_amend *a = x->m->a;
    for (size_t i = 0; i < map->n; i++) {
        if (map->items[i].dead) continue;
        struct dp_delta_file *f = map->items[i].v.p;
        const struct dp_delta_twin *t = a->twin(a->ctx, f->path);
        if (t && !t->path.n) continue;
        if (t) {
            struct dp_delta_file *now = dp_arena_alloc(&x->s->arena, sizeof *now);
            DP_TRY(dp_delta_twin_action(f, t, x->m->vectors, &x->s->arena, now, err));
            f = now;
        }
        put(x, f);
    }
    dp_map_release(map);
    *map = x->fresh;
    x->fresh = (struct dp_map){0};
    return DP_OK;
}

/* A file that is live is no tombstone: the twin of one that was replaced by it. */
static void drop_live(struct dp_delta_snapshot *s) {
    for (size_t i = 0; i < s->tombstones.n; i++)
        if (!s->tombstones.items[i].dead && dp_map_get(&s->files, s->tombstones.items[i].key)) s->tombstones.items[i].dead = true;
}

static enum dp_status exchange_all(struct amending *m, struct dp_delta_snapshot *s, struct dp_err *err) {
    struct exchange x = {.m = m, .s = s};
    enum dp_status status = exchange_map(&x, &s->files, err);
    if (status == DP_OK) s->n_files = s->files.live;
    if (status == DP_OK) status = exchange_map(&x, &s->tombstones, err);
    if (status == DP_OK) drop_live(s);
    dp_map_release(&x.fresh);
    dp_buf_release(&x.key);
    return status;
}

/* ---- one checkpoint ---- */

static enum dp_status wrote(void *ctx, const char *name, struct dp_err *err) {
    (void)err;
    amend_wrote(ctx, name);
    return DP_OK;
}

static enum dp_status rewrite(struct amending *m, int64_t version, enum dp_delta_checkpoint_policy form, bool hint, struct dp_err *err) {
    const struct dp_delta_amend *a = m->a;
    struct dp_delta_snapshot *s = NULL;
    enum dp_status status = dp_delta_open(a->table, version, &s, err);
    if (status == DP_OK) status = exchange_all(m, s, err);
    const struct dp_delta_checkpoint_opts o = {.form = form, .now_ms = a->now_ms, .into = a->into, .no_hint = !hint, .each = wrote, .ctx = m};
    if (status == DP_OK) status = dp_delta_checkpoint_make(s, &o, err);
    dp_delta_close(s);
    return status;
}

struct asking { const struct dp_delta_amend *a; bool yes; };

static enum dp_status ask(void *ctx, const struct dp_delta_action *action, struct dp_err *err) {
    struct asking *q = ctx;
    (void)err;
    if ((action->kind == DP_DELTA_ADD || action->kind == DP_DELTA_REMOVE) && q->a->twin(q->a->ctx, action->u.file.path)) q->yes = true;
    return DP_OK;
}

static enum dp_status names_a_file(struct amending *m, const struct dp_delta_checkpoint_ref *c, bool *yes, struct dp_err *err) {
    struct asking q = {m->a, false};
    struct dp_arena arena = {0};
    enum dp_status status = dp_delta_checkpoint_read(m->a->table, c, &arena, ask, &q, err);
    *yes = q.yes;
    dp_arena_release(&arena);
    return status;
}

/* ---- all ---- */

static enum dp_status note_sidecar(void *ctx, struct dp_str name, struct dp_err *err) {
    (void)err;
    dp_map_put(ctx, name, NULL);
    return DP_OK;
}

/* Those that no checkpoint names any more. */
static void drop_sidecars(struct amending *m, const struct dp_map *of_old, const struct dp_map *of_kept) {
    for (size_t i = 0; i < of_old->n; i++) {
        struct dp_buf b = {0};
        if (dp_map_get(of_kept, of_old->items[i].key)) continue;
        dp_buf_addz(&b, "_sidecars/"), dp_buf_adds(&b, of_old->items[i].key);
        amend_obsolete(m, dp_buf_z(&b));
        dp_buf_release(&b);
    }
}

static bool is_written(const struct amending *m, const char *name) {
    for (size_t i = 0; i < m->out->n_files; i++)
        if (!strcmp(m->out->files[i], name)) return true;
    return false;
}

/* What takes the place of another by its name needs no other end of it. */
static void drop_names(struct amending *m, const struct dp_delta_checkpoint_ref *c) {
    for (size_t i = 0; i < c->n_names; i++)
        if (!is_written(m, c->names[i])) amend_obsolete(m, c->names[i]);
}

enum dp_status amend_latest(struct amending *m, struct dp_err *err) { return rewrite(m, m->a->upto, DP_DELTA_FORM_AUTO, true, err); }

/* Behind amend_latest and before the entries: of several of one version one is enough. */
enum dp_status amend_checkpoints(struct amending *m, const struct dp_delta_log *log, struct dp_err *err) {
    struct dp_map of_old = {0}, of_kept = {0};
    enum dp_status status = DP_OK;
    int64_t done = m->out->n_files ? m->a->upto : -1; /* the version of which there is one by now */
    for (size_t i = log->n_checkpoints; i-- > 0 && status == DP_OK;) {
        const struct dp_delta_checkpoint_ref *c = &log->checkpoints[i];
        bool is_old = false, is_v2 = c->form == DP_DELTA_UUID_PARQUET || c->form == DP_DELTA_UUID_JSON;
        if (c->version <= m->a->upto) status = names_a_file(m, c, &is_old, err);
        if (status == DP_OK) status = dp_delta_checkpoint_sidecars(m->a->table, c, note_sidecar, is_old ? &of_old : &of_kept, err);
        if (!is_old || status != DP_OK) continue;
        if (done != c->version) status = rewrite(m, c->version, is_v2 ? DP_DELTA_FORM_V2 : DP_DELTA_FORM_CLASSIC, false, err);
        done = c->version;
        drop_names(m, c);
    }
    if (status == DP_OK) drop_sidecars(m, &of_old, &of_kept);
    dp_map_release(&of_old), dp_map_release(&of_kept);
    return status;
}

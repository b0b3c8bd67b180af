/*
 * What becomes of the log (lib/io/erase_priv.h): the commit by which the latest version gets the twins, and every version told anew.
 */
#include "erase_priv.h"

#include "commit_priv.h"

#include <dp/base/file.h>
#include <dp/delta/commit.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/record/json.h>

#include <ctype.h>
#include <stdlib.h>

/* ---- twins by the names of one log ---- */

static struct dp_str spell(struct erase *x, const struct erase_table *t, const struct erase_file *f, struct dp_str log_path) {
    struct dp_buf b = {0};
    if (!f->twin_name) return (struct dp_str){0};
    if (!f->is_own) {
        if (f->table != t) dp_buf_addf(&b, "%s/", f->table->root);
    } else if (dp_delta_path_is_absolute(log_path)) {
        char *dir = dp_path_dir(f->path);
        dp_buf_addf(&b, "%s/", dir);
        free(dir);
    } else {
        dp_delta_path_decode(log_path, &b);
        while (b.n && b.p[b.n - 1] != '/') b.n--;
    }
    dp_buf_addz(&b, f->twin_name);
    struct dp_str s = dp_arena_str(&x->arena, dp_buf_str(&b));
    dp_buf_release(&b);
    return s;
}

struct naming { struct erase *x; struct erase_table *t; };

static const struct dp_delta_twin *twin_of(void *ctx, struct dp_str log_path) {
    struct naming *n = ctx;
    const struct dp_map_item *name = dp_map_get(&n->t->names, log_path);
    const struct erase_file *f = name ? name->v.p : NULL;
    bool is_new;
    if (!f || !f->is_done) return NULL;
    struct dp_map_item *it = dp_map_put(&n->t->twins, log_path, &is_new);
    if (is_new) {
        struct dp_delta_twin *t = it->v.p = dp_arena_alloc(&n->x->arena, sizeof *t);
        *t = f->twin;
        t->path = spell(n->x, n->t, f, log_path);
    }
    return it->v.p;
}

/* ---- the commit ---- */

static enum dp_status commit(struct erase *x, struct erase_table *t, const struct dp_delta_file **removes, struct dp_delta_file *adds, size_t n, size_t n_adds, struct dp_err *err) {
    struct dp_err after = DP_ERR_INIT;
    int64_t now_ms = x->run->now_micros / 1000;
    const struct dp_delta_change change = {.mode = DP_DELTA_APPEND, .alone = true, .rearranges = true, .keeps_row_ids = true, .checked = true, .removes = removes, .n_removes = n, .adds = adds, .n_adds = n_adds,
                                           .operation = "ERASE", .parameters = "{}", .rows = -1, .now_ms = now_ms, .after = &after};
    DP_TRY(dp_delta_vectors_finish(t->vectors, err));
    DP_TRY(dp_delta_publish(t->root, t->s, &change, &t->version, err));
    commit_after(x->run, t->root, now_ms, t->version, &after);
    return DP_OK;
}

enum dp_status erase_publish(struct erase *x, struct erase_table *t, bool *again, struct dp_err *err) {
    const struct dp_delta_file **removes = dp_calloc(t->s->n_files + 1, sizeof *removes), *f;
    struct dp_delta_file *adds = dp_calloc(t->s->n_files + 1, sizeof *adds);
    struct naming naming = {x, t};
    size_t n = 0, n_adds = 0;
    enum dp_status status = DP_OK;
    if (!t->vectors) t->vectors = dp_delta_vectors_open(t->root, &x->arena);
    t->rows_live = 0;
    for (size_t cursor = 0; status == DP_OK && (f = dp_delta_next_file(t->s, &cursor)) != NULL;) {
        const struct dp_delta_twin *twin = twin_of(&naming, f->path);
        if (!twin) continue;
        const struct erase_file *file = dp_map_get(&t->names, f->path)->v.p;
        t->rows_live += file->all ? (uint64_t)file->rows : file->n_gone;
        removes[n++] = f;
        if (x->run->dry_run || !twin->path.n) continue;
        status = dp_delta_twin_action(f, twin, t->vectors, &x->arena, &adds[n_adds++], err);
        adds[n_adds - 1].data_change = false;
    }
    if (status == DP_OK && n && !x->run->dry_run) status = commit(x, t, removes, adds, n, n_adds, err);
    *again = status == DP_AGAIN;
    free(removes), free(adds);
    return *again ? DP_OK : status;
}

/* ---- what commits said ---- */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Where a value stands by itself, and not as a part of a longer word or number. */
static bool put_out(struct dp_str value, bool is_free, struct dp_buf *text) {
    bool any = false;
    for (size_t at = 0; at < text->n;) {
        const char *hit = dp_str_find(dp_str(text->p + at, text->n - at), value);
        if (!hit) break;
        size_t from = (size_t)(hit - text->p), to = from + value.n;
        bool alone = (!from || !is_word(text->p[from - 1]) || !is_word(value.p[0])) && (to == text->n || !is_word(text->p[to]) || !is_word(value.p[value.n - 1]));
        if (!alone && !is_free) {
            at = from + 1;
            continue;
        }
        struct dp_buf rest = {0};
        dp_buf_add(&rest, text->p + to, text->n - to);
        text->n = from;
        dp_buf_addz(text, "***");
        at = text->n;
        dp_buf_adds(text, dp_buf_str(&rest));
        dp_buf_release(&rest);
        any = true;
    }
    return any;
}

/* Conditions that a commit tells may hold values of the person; all its other texts only such as nothing else is spelled like. */
static bool redact(void *ctx, struct dp_str text, bool is_parameter, struct dp_buf *out) {
    const struct naming *n = ctx;
    const struct dp_subject *s = n->x->o->subject;
    bool any = false;
    dp_buf_adds(out, text);
    for (size_t i = 0; i < s->n; i++) {
        struct dp_str value = dp_str_z(s->v[i].value);
        struct dp_buf escaped = {0};
        bool is_free = value.n >= DP_TRACE_FREE && strspn(s->v[i].value, "0123456789.-+eE") != value.n;
        if (!is_parameter && !is_free) continue;
        any |= put_out(value, is_free, out);
        dp_json_add_escaped(&escaped, value);
        if (!dp_str_eq(dp_buf_str(&escaped), value)) any |= put_out(dp_buf_str(&escaped), is_free, out);
        dp_buf_release(&escaped);
    }
    return any;
}

/* ---- every version ---- */

static bool has_twins(struct erase *x, struct erase_table *t) {
    struct naming n = {x, t};
    for (size_t i = 0; i < t->names.n; i++)
        if (twin_of(&n, t->names.items[i].key)) return true;
    return false;
}

enum dp_status erase_amend(struct erase *x, struct erase_table *t, const char *into, struct dp_err *err) {
    struct naming n = {x, t};
    const struct dp_delta_amend a = {.table = t->root, .upto = t->newest, .into = into, .twin = twin_of, .redact = redact, .ctx = &n, .vectors = t->vectors, .now_ms = x->run->now_micros / 1000};
    DP_TRY(dp_delta_amend(&a, has_twins(x, t), &t->amended, err));
    x->out->log_files += t->amended.n_files, x->out->redacted += t->amended.redacted;
    return dp_delta_vectors_finish(t->vectors, err);
}

/*
 * Rows of a person that only older versions of a table have (dp/io/export.h): those versions are read that together have every file which is there and live no more, the newest first, and a row
 * is told once, unless the latest version has the same.  Two rows are the same when the values that are shown of them are; nulls say nothing, for columns come and go.
 *
 * In memory are a digest of each row and the lives of the table's files.
 */
#include "export_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/num.h>
#include <dp/delta/lives.h>
#include <dp/delta/path.h>

#include <stdlib.h>
#include <unistd.h>

enum { DIGEST = 16, ENTRY = 128 }; /* bytes: of a digest, and of its place in the map */

/* ---- rows ---- */

enum dp_status export_note(struct export *x, const struct export_table *t, const struct dp_record *r, struct dp_map *told, bool *is_new, struct dp_err *err) {
    uint8_t sum[DP_SHA256_SIZE];
    struct dp_buf values = {0}, name = {0};
    for (uint32_t m = 0, at = 1; m < r->n_members; m++, at = r->nodes[at + 1].next) {
        const struct dp_node *v = &r->nodes[at + 1];
        if (v->kind == DP_KIND_NULL) continue;
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(r, at), &name);
        const struct dp_map_item *column = dp_map_get(&t->columns, dp_buf_str(&name));
        if (column && column->v.u) continue; /* not shown */
        dp_buf_addf(&values, "%u:%zu:%u:", (unsigned)v->kind, name.n, (unsigned)v->len);
        dp_buf_adds(&values, dp_buf_str(&name));
        dp_buf_add(&values, r->base + v->off, v->len);
    }
    dp_sha256(values.p, values.n, sum);
    dp_map_put(told, dp_str((char *)sum, DIGEST), is_new);
    dp_buf_release(&values), dp_buf_release(&name);
    if ((uint64_t)told->n * ENTRY > x->run->memory) return dp_err_set(err, DP_LIMIT, "the person has more rows in older versions than fit into --memory");
    return DP_OK;
}

struct latest { struct export *x; const struct export_table *t; struct dp_map *told; };

static enum dp_status on_latest(void *ctx, const struct dp_record *r, struct dp_err *err) {
    struct latest *l = ctx;
    bool is_new;
    return export_note(l->x, l->t, r, l->told, &is_new, err);
}

/* ---- versions ---- */

static bool is_there(const char *table, const struct dp_delta_life *l) {
    struct dp_buf path = {0};
    struct dp_err none = DP_ERR_INIT;
    bool yes = dp_delta_path_resolve(table, l->file->path, &path, &none) == DP_OK && access(dp_buf_z(&path), R_OK) == 0;
    dp_buf_release(&path);
    return yes;
}

static int by_end(const void *a, const void *b) {
    const struct dp_delta_life *x = a, *y = b;
    return x->to != y->to ? (x->to < y->to ? -1 : 1) : (x->from > y->from) - (x->from < y->from);
}

struct versions { int64_t *v; size_t n, cap; uint64_t lost; }; /* in order; files that no version which can be read has */

/* As few versions as have them all: of the file that goes first the last version that has it, and so on. */
static void choose(const char *table, struct dp_delta_lives *l, struct versions *out) {
    size_t n = (size_t)(l->latest - l->oldest + 1);
    bool *is_broken = dp_calloc(n + 1, sizeof *is_broken), *there = dp_calloc(l->n + 1, sizeof *there);
    if (l->n) qsort(l->v, l->n, sizeof *l->v, by_end);
    for (size_t i = 0; i < l->n; i++) {
        there[i] = is_there(table, &l->v[i]);
        for (int64_t v = l->v[i].from; !there[i] && v < l->v[i].to; v++)
            if (v >= l->oldest) is_broken[v - l->oldest] = true;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct dp_delta_life *f = &l->v[i];
        int64_t v = f->to - 1, from = f->from < l->oldest ? l->oldest : f->from;
        if (!there[i] || v < l->oldest || (out->n && out->v[out->n - 1] >= from)) continue;
        while (v >= from && is_broken[v - l->oldest]) v--;
        if (v < from) {
            out->lost++;
            continue;
        }
        out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = v;
    }
    free(is_broken), free(there);
}

static enum dp_status find_versions(const char *table, struct versions *out, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_delta_lives lives = {0};
    enum dp_status status = dp_delta_open_how(table, -1, &(struct dp_delta_how){.skip_stats = true}, &s, err);
    if (status == DP_OK) status = dp_delta_lives_read(s, &lives, err);
    if (status == DP_OK) choose(table, &lives, out);
    dp_delta_lives_release(&lives);
    dp_delta_close(s);
    return status;
}

enum dp_status export_history(struct export *x, struct export_table *t, struct dp_err *err) {
    struct dp_subject_place *place = &x->places.v[t - x->tables];
    struct versions versions = {0};
    struct dp_map told = {0};
    struct latest latest = {x, t->latest, &told};
    enum dp_status status = find_versions(place->name, &versions, err);
    t->from = t->to = x->spooled;
    if (status == DP_OK && versions.n) status = export_rows(x, t->latest, UINT64_MAX, on_latest, &latest, err);
    for (size_t i = versions.n; i-- > 0 && status == DP_OK;) {
        char text[24];
        text[dp_print_i64(text, versions.v[i])] = 0;
        place->as_of = text;
        status = export_collect(x, t, &told, versions.v[i], err);
        place->as_of = NULL;
    }
    if (status == DP_OK && versions.lost) {
        struct dp_buf b = {0};
        dp_buf_addf(&b, "%llu files of older versions were not searched: no version that can be read as a whole has them", (unsigned long long)versions.lost);
        place->fault = dp_buf_detach(&b);
    }
    free(versions.v);
    dp_map_release(&told);
    return status;
}

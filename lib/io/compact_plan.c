/*
 * What is worth rewriting in a table (dp/io/compact.h), partition by partition.
 *
 * Without an order: all small files of a partition, when there are two; with them, or alone, files of which many rows are deleted and files in another codec than the
 * one asked for.  Rows of one partition go on from file to file, so but for the last all that comes out has the target size, and the next run leaves it alone.
 *
 * With an order: files that do not have it (their add says which they have, TAG_ORDER).  What is ordered together is a cube (TAG_CUBE).  New files make a cube of
 * their own, and take earlier ones into it that are not more than twice as large as what is rewritten anyway, the smallest first: so the cubes of a partition grow
 * geometrically, few of them overlap, and a row is moved a logarithmic number of times.
 */
#include "compact_priv.h"

#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/parquet/reader.h>

#include <stdlib.h>

struct planning {
    const struct dp_delta_snapshot *s;
    const struct dp_compact_opts *o;
    const struct dp_map *seen;
    struct plan *p;
    struct dp_expr_run *where;
    struct dp_scan *scan;
    struct dp_buf key, path;
    enum dp_pq_codec codec;
    bool any_level;           /* --codec names no level */
};

enum dp_status plan_key(const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct dp_buf *out, struct dp_err *err) {
    dp_buf_reset(out);
    dp_buf_addc(out, '{');
    for (size_t i = 0; i < s->metadata.partition_columns.n; i++) {
        struct dp_str name = s->metadata.partition_columns.v[i];
        const struct dp_type *t = dp_type_child(s->schema, name);
        const struct dp_delta_pair *v = dp_delta_pairs_get(&f->partition_values, s->partition_keys.v[i]);
        if (i) dp_buf_addc(out, ',');
        dp_json_add_string(out, name);
        dp_buf_addc(out, ':');
        DP_TRY(dp_delta_partition_json(t, v ? v->value : DP_STR(""), !v || v->is_null, out, err));
    }
    dp_buf_addc(out, '}');
    return DP_OK;
}

static enum dp_status check_where(const struct planning *g, struct dp_err *err) {
    const char *const *fields;
    size_t n;
    if (!g->o->where) return DP_OK;
    if (!dp_expr_fields(g->o->where, &fields, &n)) return dp_err_set(err, DP_USAGE, "--where: only partition columns can be asked for, this asks for the whole record");
    for (size_t i = 0; i < n; i++)
        if (!dp_delta_is_partition(g->s, dp_str_z(fields[i])))
            return dp_err_set(err, DP_USAGE, "--where: .%s is no partition column of %s: whole files are chosen, not rows", fields[i], g->s->table);
    return DP_OK;
}

static enum dp_status is_wanted(struct planning *g, bool *yes, struct dp_err *err) {
    struct dp_record r;
    *yes = true;
    if (!g->where) return DP_OK;
    memset(dp_buf_reserve(&g->key, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    DP_TRY(dp_scan_value(g->scan, g->key.p, g->key.n, &r, err));
    enum dp_status status = dp_expr_test(g->where, &r, yes, err);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--where on partition %s: ", dp_buf_z(&g->key));
}

/* ---- what is wrong with a file ---- */

static uint64_t small_below(const struct dp_compact_opts *o) { return o->target_size - o->target_size / 4; }

static bool has_tag(const struct dp_delta_file *f, const char *key, const char *value) {
    return dp_str_eqz(dp_delta_pairs_text(&f->tags, key, DP_STR("")), value);
}

static bool is_deleted(const struct planning *g, const struct dp_delta_file *f) {
    if (!f->dv.storage.p) return false;
    int64_t rows = dp_delta_file_rows(f);
    return rows <= 0 || f->dv.cardinality >= (rows * (int64_t)g->o->deleted_percent + 99) / 100;
}

/* Is a column of the file compressed in another way than --codec asks for?  The level can't be told from a file: the tag says it. */
static enum dp_status is_other_codec(struct planning *g, const struct dp_delta_file *f, bool *yes, struct dp_err *err) {
    struct dp_pq_file *file = NULL;
    *yes = false;
    if (!g->o->codec || has_tag(f, TAG_CODEC, g->o->codec)) return DP_OK;
    *yes = true;
    if (!g->any_level) return DP_OK;
    *yes = false;
    dp_buf_reset(&g->path);
    DP_TRY(dp_delta_path_resolve(g->s->table, f->path, &g->path, err));
    DP_TRY(dp_pq_open(dp_buf_z(&g->path), &file, err));
    const struct dp_pq_meta *m = dp_pq_meta(file);
    for (size_t i = 0; i < m->n_row_groups && !*yes; i++) {
        const struct dp_pq_row_group *rg = &m->row_groups[i];
        for (size_t k = 0; k < rg->n_chunks && !*yes; k++) *yes = rg->chunks[k].codec != g->codec && rg->chunks[k].codec != DP_PQ_UNCOMPRESSED;
    }
    dp_pq_close(file);
    return DP_OK;
}

static enum dp_status judge(struct planning *g, const struct dp_delta_file *f, unsigned *why, struct dp_err *err) {
    bool recode;
    *why = WHY_NONE;
    if (f->size >= 0 && (uint64_t)f->size < small_below(g->o)) *why |= WHY_SMALL;
    if (is_deleted(g, f)) *why |= WHY_DELETED;
    DP_TRY(is_other_codec(g, f, &recode, err));
    if (recode) *why |= WHY_CODEC;
    if (g->o->order.kind != DP_ORDER_NONE && !has_tag(f, TAG_ORDER, g->o->order.text)) *why |= WHY_ORDER;
    return DP_OK;
}

/* ---- units ---- */

static void add_file(struct unit *u, const struct dp_delta_file *f, unsigned why) {
    u->files = dp_grow(u->files, &u->cap, u->n + 1, sizeof *u->files);
    u->files[u->n++] = (struct candidate){f, why};
}

static struct unit *unit_of(struct plan *p, struct dp_str key) {
    bool is_new;
    struct dp_map_item *item = dp_map_put(&p->index, key, &is_new);
    if (is_new) {
        item->v.u = p->n;
        p->units = dp_grow(p->units, &p->cap, p->n + 1, sizeof *p->units);
        p->units[p->n++] = (struct unit){.key = dp_strndup(key.p, key.n)};
    }
    return &p->units[item->v.u];
}

static enum dp_status collect(struct planning *g, struct dp_err *err) {
    const struct dp_delta_file *f;
    size_t cursor = 0;
    while ((f = dp_delta_next_file(g->s, &cursor)) != NULL) {
        bool wanted;
        unsigned why;
        g->p->n_files++;
        if (f->clustering_provider.p && !dp_str_eqz(f->clustering_provider, COMPACT_PROVIDER)) {
            g->p->n_foreign++;
            continue;
        }
        if (dp_delta_is_tiered(f)) continue; /* it was moved away, and may be out of reach */
        if (g->seen) {
            dp_buf_reset(&g->path);
            dp_delta_path_key(f->path, &g->path);
            if (!dp_map_get(g->seen, dp_buf_str(&g->path))) continue;
        }
        DP_TRY(plan_key(g->s, f, &g->key, err));
        DP_TRY(is_wanted(g, &wanted, err));
        if (!wanted) continue;
        DP_TRY(judge(g, f, &why, err));
        if (why != WHY_NONE || g->o->order.kind != DP_ORDER_NONE) add_file(unit_of(g->p, dp_buf_str(&g->key)), f, why);
    }
    return DP_OK;
}

/* ---- with an order: which cubes are taken along ---- */

struct cube { struct dp_str id; uint64_t bytes; size_t first; };

static int by_bytes(const void *a, const void *b) {
    const struct cube *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes > y->bytes) - (x->bytes < y->bytes) : (x->first > y->first) - (x->first < y->first);
}

static struct dp_str cube_of(const struct candidate *c) { return dp_delta_pairs_text(&c->file->tags, TAG_CUBE, DP_STR("")); }

static bool needs_order(const struct candidate *c) { return (c->why & (WHY_ORDER | WHY_DELETED | WHY_CODEC)) != 0; }

static void choose_cubes(struct unit *u) {
    struct dp_map index = {0};
    struct cube *cubes = dp_calloc(u->n + 1, sizeof *cubes);
    size_t n = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < u->n; i++) {
        bool is_new;
        uint64_t size = (uint64_t)u->files[i].file->size;
        if (needs_order(&u->files[i])) {
            bytes += size;
            continue;
        }
        struct dp_map_item *item = dp_map_put(&index, cube_of(&u->files[i]), &is_new);
        if (is_new) item->v.u = n, cubes[n++] = (struct cube){cube_of(&u->files[i]), 0, i};
        cubes[item->v.u].bytes += size;
    }
    qsort(cubes, n, sizeof *cubes, by_bytes);
    for (size_t k = 0; k < n && bytes && cubes[k].bytes <= 2 * bytes; k++) {
        bytes += cubes[k].bytes;
        for (size_t i = 0; i < u->n; i++)
            if (!needs_order(&u->files[i]) && dp_str_eq(cube_of(&u->files[i]), cubes[k].id)) u->files[i].why |= WHY_CUBE;
    }
    size_t kept = 0;
    for (size_t i = 0; i < u->n; i++)
        if (needs_order(&u->files[i]) || (u->files[i].why & WHY_CUBE)) u->files[kept++] = u->files[i];
    u->n = kept;
    free(cubes);
    dp_map_release(&index);
}

/* One small file alone stays as it is, whatever it is. */
static void weigh(const struct planning *g, struct unit *u) {
    bool other = false;
    if (g->o->order.kind != DP_ORDER_NONE) {
        choose_cubes(u);
        return;
    }
    for (size_t i = 0; i < u->n; i++) other |= (u->files[i].why & ~(unsigned)WHY_SMALL) != 0;
    if (!other && u->n < 2) u->n = 0;
}

static void sum(struct unit *u) {
    u->bytes = 0, u->rows = u->deleted = 0;
    for (size_t i = 0; i < u->n; i++) {
        const struct dp_delta_file *f = u->files[i].file;
        int64_t rows = dp_delta_file_rows(f);
        u->bytes += (uint64_t)f->size;
        u->rows = rows < 0 || u->rows < 0 ? -1 : u->rows + rows;
        if (f->dv.storage.p) u->deleted += f->dv.cardinality;
    }
}

/* As much as is to be published at once, in whole partitions; of a larger one without an order its first files, at least two. */
static void cut(const struct planning *g, struct plan *p) {
    uint64_t most = g->o->commit_size ? g->o->commit_size : UINT64_C(4) << 30, bytes = 0;
    size_t n = 0;
    for (; n < p->n; n++) {
        struct unit *u = &p->units[n];
        if (n && bytes + u->bytes > most) break;
        bytes += u->bytes;
    }
    for (size_t i = n; i < p->n; i++) free(p->units[i].key), free(p->units[i].files);
    p->n = n;
    if (n != 1 || p->units[0].bytes <= most || g->o->order.kind != DP_ORDER_NONE) return;
    struct unit *u = &p->units[0];
    size_t some = 0;
    for (bytes = 0; some < u->n && (some < 2 || bytes + (uint64_t)u->files[some].file->size <= most); some++) bytes += (uint64_t)u->files[some].file->size;
    u->in_part = some < u->n;
    u->n = some;
    sum(u);
}

static enum dp_status read_codec(struct planning *g, struct dp_err *err) {
    int level;
    if (!g->o->codec) return DP_OK;
    g->any_level = !strchr(g->o->codec, ':');
    return dp_codec_parse(dp_str_z(g->o->codec), &g->codec, &level, err);
}

enum dp_status plan_make(const struct dp_delta_snapshot *s, const struct dp_compact_opts *o, const struct dp_map *seen, struct plan *p, struct dp_err *err) {
    struct planning g = {.s = s, .o = o, .seen = seen, .p = p};
    size_t n = 0;
    *p = (struct plan){0};
    DP_TRY(check_where(&g, err));
    DP_TRY(read_codec(&g, err));
    g.scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    if (o->where) g.where = dp_expr_run_open(o->where);
    enum dp_status status = collect(&g, err);
    for (size_t i = 0; i < p->n && status == DP_OK; i++) {
        struct unit *u = &p->units[i];
        weigh(&g, u);
        if (u->n) sum(u), p->units[n++] = *u;
        else free(u->key), free(u->files);
    }
    if (status == DP_OK) p->n = n, cut(&g, p);
    if (g.where) dp_expr_run_close(g.where);
    dp_scan_close(g.scan);
    dp_buf_release(&g.key);
    dp_buf_release(&g.path);
    return status;
}

void plan_release(struct plan *p) {
    for (size_t i = 0; i < p->n; i++) free(p->units[i].key), free(p->units[i].files);
    free(p->units);
    dp_map_release(&p->index);
    *p = (struct plan){0};
}

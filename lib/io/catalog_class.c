/*
 * Classification that follows lineage (dp/io/catalog_note.h).
 *
 * First the datasets that the asked ones were made from are gathered, with what is said of them and the column edges between them; then classes go down these edges, the strictest
 * first, so that each column is settled once, whatever cycles there are.  A column of which something is said itself passes that on, and not what reached it.
 */
#include <dp/io/catalog_note.h>

#include "catalog_priv.h"

#include <stdlib.h>

enum { Q_FIELDS, Q_WORDS, Q_FLOWS, Q_SAME, Q_N };

static const char *const sqls[Q_N] = {
    [Q_FIELDS] = "SELECT id FROM field WHERE dataset = ?1",
    [Q_WORDS] = "SELECT k.field IS NULL, coalesce(f.id, 0), k.class, k.source, k.person FROM (SELECT field, class, source, 1 AS person FROM class WHERE dataset = ?1 AND until IS NULL UNION ALL"
                " SELECT field, value, coalesce(source, 'event'), 1 - event FROM tag WHERE kind = 'd' AND owner = ?1 AND key = 'classification' AND until IS NULL) k"
                " LEFT JOIN field f ON f.dataset = ?1 AND f.name = k.field",
    [Q_FLOWS] = "SELECT edges FROM flow f WHERE dataset = ?1 AND NOT EXISTS (SELECT 1 FROM flow g WHERE g.dataset = ?1 AND g.job = f.job AND g.last_at > f.last_at)",
    [Q_SAME] = "SELECT b.id, a.id FROM field a JOIN field b ON b.dataset = ?2 AND b.name = a.name WHERE a.dataset = ?1"};

struct link { uint32_t to, next; bool masked; };   /* next: index + 1 */
struct said { struct dp_str word, source; int rank; bool person; };
struct alias { uint32_t to, from; };
struct column { uint32_t dataset, first, own, word, inherited, from, masked, masked_word; bool is_settled, from_dataset; }; /* own, word, inherited, masked_word: index + 1 in said */

struct classing {
    struct dp_catalog *c;
    struct dp_err *err;
    struct dp_arena *arena;
    int64_t max_field, max_dataset;
    struct column *cols;      /* by field */
    uint32_t *of_dataset;     /* index + 1 in said */
    bool *is_queued;
    uint32_t *datasets, *queue;
    size_t n_datasets, cap_datasets, n_queue, cap_queue;
    struct link *links;
    size_t n_links, cap_links;
    struct said *said;
    size_t n_said, cap_said;
    struct alias *aliases;
    size_t n_aliases, cap_aliases;
};

/* ---- gathering ---- */

static void *start(struct classing *k, int q, int64_t a, int64_t b, enum dp_status *status) {
    void *st = dp_cat_ask(k->c, DP_CAT_ST_CLASSES + q, sqls[q], status, k->err);
    if (!st) return NULL;
    k->c->sq.bind_int64(st, 1, a);
    if (q == Q_SAME) k->c->sq.bind_int64(st, 2, b);
    return st;
}

static bool has_field(const struct classing *k, int64_t id) { return id > 0 && id <= k->max_field; }

static void ask_for(struct classing *k, int64_t dataset) {
    if (dataset <= 0 || dataset > k->max_dataset || k->is_queued[dataset]) return;
    k->is_queued[dataset] = true;
    k->datasets = dp_grow(k->datasets, &k->cap_datasets, k->n_datasets + 1, sizeof *k->datasets);
    k->datasets[k->n_datasets++] = (uint32_t)dataset;
}

static enum dp_status hang(struct classing *k, int64_t from, int64_t to, bool masked) {
    if (!has_field(k, from) || !has_field(k, to) || from == to) return DP_OK;
    if (k->n_links >= UINT32_MAX - 1) return dp_err_set(k->err, DP_LIMIT, "store %s: more than %u column edges", k->c->path, UINT32_MAX - 1);
    k->links = dp_grow(k->links, &k->cap_links, k->n_links + 1, sizeof *k->links);
    k->links[k->n_links++] = (struct link){(uint32_t)to, k->cols[from].first, masked};
    k->cols[from].first = (uint32_t)k->n_links;
    return DP_OK;
}

/* What a person says goes before what events say; of the same, the strictest. */
static void say(struct classing *k, uint32_t *at, struct said s) {
    if (*at) {
        const struct said *b = &k->said[*at - 1];
        if (b->person != s.person ? b->person : b->rank >= s.rank) return;
    }
    s.word = dp_arena_str(k->arena, s.word), s.source = dp_arena_str(k->arena, s.source);
    k->said = dp_grow(k->said, &k->cap_said, k->n_said + 1, sizeof *k->said);
    k->said[k->n_said++] = s;
    *at = (uint32_t)k->n_said;
}

static enum dp_status gather_words(struct classing *k, int64_t dataset) {
    enum dp_status status = DP_OK;
    void *st = start(k, Q_FIELDS, dataset, 0, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t f = dp_cat_i64(k->c, st, 0);
        if (has_field(k, f)) k->cols[f].dataset = (uint32_t)dataset;
    }
    if (status == DP_OK) st = start(k, Q_WORDS, dataset, 0, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) {
        int64_t f = dp_cat_i64(k->c, st, 1);
        struct said s = {.word = dp_cat_str(k->c, st, 2), .source = dp_cat_str(k->c, st, 3), .person = dp_cat_i64(k->c, st, 4) != 0};
        s.rank = dp_class_rank(s.word);
        if (dp_cat_i64(k->c, st, 0)) say(k, &k->of_dataset[dataset], s);
        else if (has_field(k, f)) say(k, &k->cols[f].own, s);
    }
    return status;
}

static enum dp_status gather_edges(struct classing *k, struct dp_str edges) {
    for (size_t i = 0; i + sizeof(struct dp_catalog_flow_edge) <= edges.n; i += sizeof(struct dp_catalog_flow_edge)) {
        struct dp_catalog_flow_edge e;
        memcpy(&e, edges.p + i, sizeof e);
        bool direct = e.how & (DP_HOW_IDENTITY | DP_HOW_TRANSFORMATION | DP_HOW_AGGREGATION) || !(e.how & DP_HOW_ALL_INDIRECT);
        if (!e.dst || !direct) continue;
        ask_for(k, e.src_dataset);
        DP_TRY(hang(k, e.src, e.dst, e.how & DP_HOW_MASKING));
    }
    return DP_OK;
}

static int by_target(const void *a, const void *b) {
    const struct alias *x = a, *y = b;
    return x->to != y->to ? (x->to < y->to ? -1 : 1) : (x->from > y->from) - (x->from < y->from);
}

/* Columns of the same name in what is the same dataset, or was it before. */
static enum dp_status gather_aliases(struct classing *k, int64_t dataset) {
    size_t low = 0, high = k->n_aliases;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (k->aliases[mid].to < dataset) low = mid + 1;
        else high = mid;
    }
    for (; low < k->n_aliases && k->aliases[low].to == dataset; low++) {
        enum dp_status status = DP_OK;
        ask_for(k, k->aliases[low].from);
        void *st = start(k, Q_SAME, dataset, k->aliases[low].from, &status);
        while (dp_cat_next_kept(k->c, st, &status, k->err)) status = hang(k, dp_cat_i64(k->c, st, 0), dp_cat_i64(k->c, st, 1), false);
        if (status) return status;
    }
    return DP_OK;
}

static enum dp_status load_aliases(struct classing *k) {
    void *st;
    enum dp_status status = dp_cat_query(k->c, &st, k->err, "SELECT dataset, other FROM symlink UNION SELECT other, dataset FROM symlink UNION SELECT new, old FROM rename", "");
    while (dp_cat_next(k->c, st, &status, k->err)) {
        int64_t to = dp_cat_i64(k->c, st, 0), from = dp_cat_i64(k->c, st, 1);
        if (to <= 0 || from <= 0 || to > k->max_dataset || from > k->max_dataset) continue;
        k->aliases = dp_grow(k->aliases, &k->cap_aliases, k->n_aliases + 1, sizeof *k->aliases);
        k->aliases[k->n_aliases++] = (struct alias){(uint32_t)to, (uint32_t)from};
    }
    k->c->sq.finalize(st);
    if (k->n_aliases) qsort(k->aliases, k->n_aliases, sizeof *k->aliases, by_target);
    return status;
}

static enum dp_status gather(struct classing *k) {
    for (size_t i = 0; i < k->n_datasets; i++) {
        enum dp_status status = DP_OK;
        int64_t d = k->datasets[i];
        DP_TRY(gather_words(k, d));
        void *st = start(k, Q_FLOWS, d, 0, &status);
        while (dp_cat_next_kept(k->c, st, &status, k->err)) status = gather_edges(k, dp_cat_str(k->c, st, 0));
        DP_TRY(status);
        DP_TRY(gather_aliases(k, d));
    }
    return DP_OK;
}

/* ---- down the edges ---- */

static void settle(struct classing *k, uint32_t field, uint32_t word, uint32_t from) {
    struct column *x = &k->cols[field];
    x->is_settled = true;
    x->word = word, x->from = from;
    k->queue = dp_grow(k->queue, &k->cap_queue, k->n_queue + 1, sizeof *k->queue);
    k->queue[k->n_queue++] = field;
}

static void go_on(struct classing *k, uint32_t field) {
    const struct column x = k->cols[field];
    uint32_t origin = x.own || x.from_dataset ? field : x.from;
    for (uint32_t i = x.first; i; i = k->links[i - 1].next) {
        const struct link *l = &k->links[i - 1];
        struct column *y = &k->cols[l->to];
        if (l->masked) {
            if (!y->masked && k->said[x.word - 1].rank >= 2) y->masked = field, y->masked_word = x.word;
        } else if (l->to != origin && !y->inherited) {
            y->inherited = x.word;
            if (y->own || y->from_dataset) y->from = origin;
            else if (!y->is_settled) settle(k, l->to, x.word, origin);
        }
    }
}

static void propagate(struct classing *k) {
    size_t done = 0;
    for (int rank = 4; rank >= 0; rank--) {
        for (int64_t f = 1; f <= k->max_field; f++) {
            struct column *x = &k->cols[f];
            uint32_t whole = x->dataset ? k->of_dataset[x->dataset] : 0, word = x->own ? x->own : whole;
            if (!word || x->is_settled || k->said[word - 1].rank != rank) continue;
            x->from_dataset = !x->own;
            settle(k, (uint32_t)f, word, x->from);
        }
        for (; done < k->n_queue; done++) go_on(k, k->queue[done]);
    }
}

/* ---- the answer ---- */

static void answer(struct classing *k, const bool *is_asked, struct dp_classes *out) {
    for (int64_t f = 1; f <= k->max_field; f++) {
        const struct column *x = &k->cols[f];
        if (!x->dataset || !is_asked[x->dataset] || (!x->word && !x->masked)) continue;
        struct dp_class v = {.field = f, .dataset = x->dataset, .from = x->from, .masked = x->masked};
        if (x->word) {
            v.how = x->own ? DP_CLASS_OWN : x->from_dataset ? DP_CLASS_DATASET : DP_CLASS_INHERITED;
            v.word = k->said[x->word - 1].word;
            if (v.how != DP_CLASS_INHERITED) v.source = k->said[x->word - 1].source;
        }
        if (x->inherited) v.inherited = k->said[x->inherited - 1].word;
        if (x->masked) v.masked_word = k->said[x->masked_word - 1].word;
        out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = v;
    }
}

static enum dp_status prepare(struct classing *k) {
    static const char *const most[] = {"SELECT max(id) FROM field", "SELECT max(id) FROM dataset"};
    long long v[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        DP_TRY(dp_cat_number(k->c, most[i], &v[i], k->err));
        if (v[i] < 0 || v[i] >= UINT32_MAX) return dp_err_set(k->err, DP_LIMIT, "store %s: ids up to %lld", k->c->path, v[i]);
    }
    k->max_field = v[0], k->max_dataset = v[1];
    k->cols = dp_calloc((size_t)v[0] + 1, sizeof *k->cols);
    k->of_dataset = dp_calloc((size_t)v[1] + 1, sizeof *k->of_dataset);
    k->is_queued = dp_calloc((size_t)v[1] + 1, sizeof *k->is_queued);
    return load_aliases(k);
}

static enum dp_status ask_for_all(struct classing *k) {
    void *st;
    enum dp_status status = dp_cat_query(k->c, &st, k->err, "SELECT id FROM dataset ORDER BY id", "");
    while (dp_cat_next(k->c, st, &status, k->err)) ask_for(k, dp_cat_i64(k->c, st, 0));
    k->c->sq.finalize(st);
    return status;
}

enum dp_status dp_catalog_classes(struct dp_catalog *c, const int64_t *datasets, size_t n, struct dp_classes *out, struct dp_err *err) {
    struct classing k = {.c = c, .err = err};
    bool *is_asked = NULL;
    *out = (struct dp_classes){.arena = dp_calloc(1, sizeof *out->arena)};
    k.arena = out->arena;
    enum dp_status status = prepare(&k);
    for (size_t i = 0; i < n && status == DP_OK; i++) ask_for(&k, datasets[i]);
    if (status == DP_OK && !n) status = ask_for_all(&k);
    if (status == DP_OK) {
        is_asked = dp_calloc((size_t)k.max_dataset + 1, sizeof *is_asked);
        memcpy(is_asked, k.is_queued, ((size_t)k.max_dataset + 1) * sizeof *is_asked);
        status = gather(&k);
    }
    if (status == DP_OK) {
        propagate(&k);
        answer(&k, is_asked, out);
    } else {
        dp_classes_release(out);
    }
    free(is_asked);
    free(k.cols), free(k.of_dataset), free(k.is_queued), free(k.datasets), free(k.queue), free(k.links), free(k.said), free(k.aliases);
    return status;
}

const struct dp_class *dp_classes_find(const struct dp_classes *cs, int64_t field) {
    size_t low = 0, high = cs->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cs->v[mid].field < field) low = mid + 1;
        else high = mid;
    }
    return low < cs->n && cs->v[low].field == field ? &cs->v[low] : NULL;
}

void dp_classes_release(struct dp_classes *cs) {
    if (cs->arena) dp_arena_release(cs->arena), free(cs->arena);
    free(cs->v);
    *cs = (struct dp_classes){0};
}

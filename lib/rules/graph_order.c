/*
 * Order and height of what stands in the layers of a graph: sweeps by the mean place of neighbours (Sugiyama, Tagawa, Toda 1981) from an order that keeps
 * trees together, the best of them kept; then heights, for each layer the nearest to what neighbours ask for (isotonic regression by pooling adjacent violators).
 * No exchange of single neighbours: on large graphs it costs more than it brings.
 */
#include "graph_priv.h"

#include <dp/base/mem.h>

#include <stdlib.h>

#define SWEEPS 10
#define WITHOUT_GAIN 4 /* sweeps that bring nothing end it */
#define RAISES 8
#define CARD_GAP 14.0
#define LINE_GAP 9.0

/* ---- order ---- */

struct want {
    double at;
    uint32_t place, item;
};

static int order_wants(const void *pa, const void *pb) {
    const struct want *a = pa, *b = pb;
    if (a->at < b->at || a->at > b->at) return a->at < b->at ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static void number_layer(struct graph_items *t, uint32_t k) {
    for (uint32_t i = t->layer_at[k]; i < t->layer_at[k + 1]; i++) t->place[t->slots[i]] = i - t->layer_at[k];
}

/* One layer by the mean place of its neighbours on one side; who has none keeps its place. */
static void order_layer(struct graph_items *t, uint32_t k, const struct graph_lists *side, struct want *wants) {
    uint32_t from = t->layer_at[k], n = t->layer_at[k + 1] - from;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = t->slots[from + i], degree = side->at[v + 1] - side->at[v];
        double sum = 0;
        for (uint32_t j = side->at[v]; j < side->at[v + 1]; j++) sum += t->place[side->list[j]];
        wants[i] = (struct want){degree ? sum / degree : i, i, v};
    }
    qsort(wants, n, sizeof *wants, order_wants);
    for (uint32_t i = 0; i < n; i++) t->slots[from + i] = wants[i].item;
    number_layer(t, k);
}

static int order_numbers(const void *pa, const void *pb) {
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return a < b ? -1 : a > b;
}

/* Pairs of lines between layer k and the next that cross: those that a Fenwick tree has seen end further down. */
static uint64_t count_crossings(const struct graph_items *t, uint32_t k, uint32_t *tree, uint32_t *ends) {
    uint32_t width = t->layer_at[k + 2] - t->layer_at[k + 1];
    uint64_t crossings = 0, seen = 0;
    memset(tree, 0, (width + (size_t)1) * sizeof *tree);
    for (uint32_t i = t->layer_at[k]; i < t->layer_at[k + 1]; i++) {
        uint32_t v = t->slots[i], n = 0;
        for (uint32_t j = t->down.at[v]; j < t->down.at[v + 1]; j++) ends[n++] = t->place[t->down.list[j]];
        qsort(ends, n, sizeof *ends, order_numbers);
        for (uint32_t j = 0; j < n; j++) {
            uint64_t before = 0;
            for (uint32_t p = ends[j] + 1; p; p &= p - 1) before += tree[p];
            crossings += seen - before;
        }
        for (uint32_t j = 0; j < n; j++)
            for (uint32_t p = ends[j] + 1; p <= width; p += p & (~p + 1)) tree[p]++;
        seen += n;
    }
    return crossings;
}

/* Depth first along the lines, so that what hangs together stands together. */
static void first_order(struct graph_items *t, uint32_t from, uint32_t to, uint32_t *stack, uint32_t *fill) {
    uint32_t base = t->layer_at[from], n = t->layer_at[to] - base;
    uint32_t *sorted = dp_alloc((n + (size_t)1) * sizeof *sorted);
    for (uint32_t k = from; k < to; k++) fill[k - from] = t->layer_at[k] - base;
    for (uint32_t i = base; i < base + n; i++) {
        size_t top = 0;
        if (t->met[t->slots[i]]) continue;
        t->met[t->slots[i]] = true;
        stack[top++] = t->slots[i];
        while (top) {
            uint32_t v = stack[--top];
            sorted[fill[t->layer[v] - from]++] = v;
            for (uint32_t j = t->down.at[v + 1]; j-- > t->down.at[v];)
                if (!t->met[t->down.list[j]]) t->met[t->down.list[j]] = true, stack[top++] = t->down.list[j];
        }
    }
    memcpy(t->slots + base, sorted, n * sizeof *sorted);
    for (uint32_t k = from; k < to; k++) number_layer(t, k);
    free(sorted);
}

uint64_t graph_order(struct graph_items *t, uint32_t from, uint32_t to) {
    uint32_t base = t->layer_at[from], n = t->layer_at[to] - base, widest = 1;
    uint64_t best = UINT64_MAX;
    if (to - from < 2) {
        if (to > from) number_layer(t, from);
        return 0;
    }
    for (uint32_t k = from; k < to; k++)
        if (t->layer_at[k + 1] - t->layer_at[k] > widest) widest = t->layer_at[k + 1] - t->layer_at[k];
    struct want *wants = dp_alloc(widest * sizeof *wants);
    uint32_t *tree = dp_alloc((widest + (size_t)2) * sizeof *tree), *ends = dp_alloc((widest + (size_t)2) * sizeof *ends);
    uint32_t *stack = dp_alloc((n + (size_t)1) * sizeof *stack), *fill = dp_alloc((to - from + (size_t)1) * sizeof *fill), *kept = dp_alloc((n + (size_t)1) * sizeof *kept);
    first_order(t, from, to, stack, fill);
    for (int sweep = 0, idle = 0; sweep <= SWEEPS && idle < WITHOUT_GAIN && best; sweep++) {
        if (sweep % 2)
            for (uint32_t k = from + 1; k < to; k++) order_layer(t, k, &t->up, wants);
        else if (sweep)
            for (uint32_t k = to - 1; k-- > from;) order_layer(t, k, &t->down, wants);
        uint64_t crossings = 0;
        for (uint32_t k = from; k + 1 < to; k++) crossings += count_crossings(t, k, tree, ends);
        idle = crossings < best ? 0 : idle + 1;
        if (crossings >= best) continue;
        best = crossings;
        memcpy(kept, t->slots + base, n * sizeof *kept);
    }
    memcpy(t->slots + base, kept, n * sizeof *kept);
    for (uint32_t k = from; k < to; k++) number_layer(t, k);
    free(wants);
    free(tree);
    free(ends);
    free(stack);
    free(fill);
    free(kept);
    return best;
}

/* ---- heights ---- */

static bool is_card(const struct graph_items *t, uint32_t v) { return v < t->n_cards; }
static double half(const struct graph_items *t, uint32_t v) { return is_card(t, v) ? (DP_GRAPH_CARD_HEIGHT + CARD_GAP) / 2 : LINE_GAP / 2; }

/* Items of one layer that are moved as one, since each wants past the other. */
struct pool {
    double sum, weight;
    uint32_t n;
};

/* Sum and weight of what v's neighbours on one side ask for; lines that go far are kept straight before others. */
static void ask(const struct graph_items *t, uint32_t v, const struct graph_lists *side, double *sum, double *weight) {
    for (uint32_t j = side->at[v]; j < side->at[v + 1]; j++) {
        uint32_t w = side->list[j];
        double by = is_card(t, v) && is_card(t, w) ? 1 : is_card(t, v) || is_card(t, w) ? 2 : 8;
        *sum += by * t->y[w];
        *weight += by;
    }
}

static void raise_layer(struct graph_items *t, uint32_t k, bool up, bool down, struct pool *pools) {
    uint32_t from = t->layer_at[k], to = t->layer_at[k + 1];
    size_t n = 0;
    double offset = 0;
    for (uint32_t i = from; i < to; i++) {
        uint32_t v = t->slots[i];
        double sum = 0, weight = 0;
        if (i > from) offset += half(t, t->slots[i - 1]) + half(t, v);
        if (up) ask(t, v, &t->up, &sum, &weight);
        if (down) ask(t, v, &t->down, &sum, &weight);
        double target = weight > 0 ? sum / weight : t->y[v];
        double w = weight > 0 ? weight : 0.1;
        pools[n++] = (struct pool){(target - offset) * w, w, 1};
        while (n > 1 && pools[n - 2].sum * pools[n - 1].weight > pools[n - 1].sum * pools[n - 2].weight) {
            pools[n - 2].sum += pools[n - 1].sum;
            pools[n - 2].weight += pools[n - 1].weight;
            pools[n - 2].n += pools[n - 1].n;
            n--;
        }
    }
    offset = 0;
    for (uint32_t i = from, p = 0, left = pools[0].n; i < to; i++, left--) {
        uint32_t v = t->slots[i];
        if (i > from) offset += half(t, t->slots[i - 1]) + half(t, v);
        if (!left) left = pools[++p].n;
        t->y[v] = pools[p].sum / pools[p].weight + offset;
    }
}

void graph_raise(struct graph_items *t, uint32_t from, uint32_t to) {
    uint32_t widest = 1;
    for (uint32_t k = from; k < to; k++) {
        uint32_t n = t->layer_at[k + 1] - t->layer_at[k];
        double y = 0, all = 0;
        if (n > widest) widest = n;
        for (uint32_t i = t->layer_at[k]; i < t->layer_at[k + 1]; i++) all += 2 * half(t, t->slots[i]);
        for (uint32_t i = t->layer_at[k]; i < t->layer_at[k + 1]; i++) {
            double h = half(t, t->slots[i]);
            t->y[t->slots[i]] = y + h - all / 2;
            y += 2 * h;
        }
    }
    if (to - from < 2) return;
    struct pool *pools = dp_alloc(widest * sizeof *pools);
    for (int i = 0; i < RAISES; i++) {
        bool both = i >= RAISES - 4;
        for (uint32_t k = from; k < to; k++) raise_layer(t, k, true, both, pools);
        for (uint32_t k = to; k-- > from;) raise_layer(t, k, both, true, pools);
    }
    free(pools);
}

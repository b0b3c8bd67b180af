/* The steps of a layout: private to graph.c and graph_fold.c (numbers of nodes), graph_layout.c (cycles, layers, parts, packing) and graph_order.c (order and height in the layers of one part). */
#ifndef DP_RULES_GRAPH_PRIV_H
#define DP_RULES_GRAPH_PRIV_H

#include <dp/rules/graph.h>

/* Nodes take the numbers that `to` says (DP_GRAPH_NONE: they go); what named one that went goes too, and edges that are not kept (NULL: all are). */
void graph_apply(struct dp_graph *g, const uint32_t *to, size_t n, const bool *keep_edge);

/* Lists of numbers, one for each i: list[at[i]..at[i + 1]). */
struct graph_lists {
    uint32_t *at, *list;
};
/* Lists of b by a (or of a by b where `turned`) of m pairs; n: both are below it. */
void graph_lists_make(struct graph_lists *l, size_t n, const struct dp_graph_point *pairs, size_t m, bool turned);
void graph_lists_release(struct graph_lists *l);

/*
 * What stands in the layers of all parts: cards (numbers below n_cards, those of the graph) and points of trunks.
 * `slots` holds the items of a layer in their order from above; layer k is slots[layer_at[k]..layer_at[k + 1]).
 */
struct graph_items {
    size_t n, n_cards;
    double *y;                /* middle */
    uint32_t *place;          /* in its layer */
    uint32_t *layer;
    bool *met;                /* for walks */
    struct graph_lists up, down; /* neighbours in the layer before and behind */
    uint32_t *slots;
    uint32_t *layer_at;
};
/* Orders layers [from, to), which make one part, for few crossings; their number is returned. */
uint64_t graph_order(struct graph_items *t, uint32_t from, uint32_t to);
/* Gives the items of those layers their y: near their neighbours, in order, not touching. */
void graph_raise(struct graph_items *t, uint32_t from, uint32_t to);

#endif

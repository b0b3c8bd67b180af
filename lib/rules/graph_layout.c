/*
 * The layout of a graph of lineage (dp/rules/graph.h): lines that close a cycle are set aside (Eades, Lin, Smyth 1993), nodes stand as far left as what they come
 * from lets them and sources next to what they feed, lines over several layers pass them in points that all lines of one node share (a trunk), graph_order.c orders
 * the layers, and the connected parts are packed in rows, large ones first.
 * The number of points is bounded: past it the longest trunks are left out, and their lines drawn straight.
 */
#include "graph_priv.h"

#include <dp/base/mem.h>

#include <math.h>
#include <stdlib.h>

#define POINTS_PER_THING 3 /* points of trunks for each node and line, at most */
#define GAP_LEAST 90.0     /* between two layers */
#define GAP_MOST 700.0
#define PART_GAP 70.0
#define ALONE_GAP 16.0     /* between nodes without lines */

void graph_lists_make(struct graph_lists *l, size_t n, const struct dp_graph_point *pairs, size_t m, bool turned) {
    l->at = dp_calloc(n + 2, sizeof *l->at);
    l->list = dp_alloc((m + 1) * sizeof *l->list);
    for (size_t i = 0; i < m; i++) l->at[(turned ? pairs[i].y : pairs[i].x) + 2]++;
    for (size_t v = 1; v <= n; v++) l->at[v + 1] += l->at[v];
    for (size_t i = 0; i < m; i++) l->list[l->at[(turned ? pairs[i].y : pairs[i].x) + 1]++] = (uint32_t)(turned ? pairs[i].x : pairs[i].y);
}

void graph_lists_release(struct graph_lists *l) {
    free(l->at);
    free(l->list);
}

/* What is known of the layout while it is made. Lines are pairs of cards: x left, y right. */
struct lay {
    const struct dp_graph *g;
    size_t n; /* cards */
    struct dp_graph_point *lines;
    size_t n_lines, n_back; /* those that close cycles stand behind n_lines */
    struct graph_lists out, in;
    uint32_t *sequence;     /* the cards so that each line goes forward */
    uint32_t *layer, *part, *last; /* last: layer before the farthest end of its lines */
    uint32_t n_parts;
    struct graph_items items;
    uint32_t *item_at;      /* trunk of card v: items item_at[v]..item_at[v + 1] */
    uint32_t *part_layers;  /* layers of part p: part_layers[p]..part_layers[p + 1] */
};

static int order_lines(const void *pa, const void *pb) {
    const struct dp_graph_point *a = pa, *b = pb;
    if (a->x != b->x) return a->x < b->x ? -1 : 1;
    return a->y < b->y ? -1 : a->y > b->y;
}

static void add_line(struct lay *l, uint32_t a, uint32_t b) {
    if (a != DP_GRAPH_NONE && b != DP_GRAPH_NONE && a != b) l->lines[l->n_lines++] = (struct dp_graph_point){(int32_t)a, (int32_t)b};
}

static void sort_lines(struct lay *l) {
    size_t n = 0;
    if (l->n_lines) qsort(l->lines, l->n_lines, sizeof *l->lines, order_lines);
    for (size_t i = 0; i < l->n_lines; i++)
        if (!n || order_lines(&l->lines[n - 1], &l->lines[i]) != 0) l->lines[n++] = l->lines[i];
    l->n_lines = n;
}

/* From dataset to job to dataset; without a job at once. */
static void collect_lines(struct lay *l) {
    l->lines = dp_alloc((2 * l->g->n_flows + 1) * sizeof *l->lines);
    for (size_t i = 0; i < l->g->n_flows; i++) {
        const struct dp_graph_edge *e = &l->g->edges[i];
        if (e->job == DP_GRAPH_NONE) add_line(l, e->src, e->dst);
        else add_line(l, e->src, e->job), add_line(l, e->job, e->dst);
    }
    sort_lines(l);
}

/* Moves lines that are dropped behind the others, both in their order. */
static void set_aside(struct lay *l, const bool *drop) {
    struct dp_graph_point *back = dp_alloc((l->n_lines + l->n_back + 1) * sizeof *back);
    size_t n = 0, n_back = 0;
    for (size_t i = 0; i < l->n_lines; i++)
        if (drop[i]) back[n_back++] = l->lines[i];
        else l->lines[n++] = l->lines[i];
    memcpy(back + n_back, l->lines + l->n_lines, l->n_back * sizeof *back);
    l->n_back += n_back;
    l->n_lines = n;
    memcpy(l->lines + n, back, l->n_back * sizeof *back);
    free(back);
}

/* A job that reads what it writes: that it writes shows where it stands. */
static void cut_pairs(struct lay *l) {
    bool *drop = dp_calloc(l->n_lines + 1, 1);
    for (size_t i = 0; i < l->n_lines; i++) {
        struct dp_graph_point turned = {l->lines[i].y, l->lines[i].x};
        bool may = l->g->nodes[turned.y].kind == DP_GRAPH_DATASET && (l->g->nodes[turned.x].kind == DP_GRAPH_JOB || turned.y > turned.x);
        drop[i] = may && bsearch(&turned, l->lines, l->n_lines, sizeof turned, order_lines);
    }
    set_aside(l, drop);
    free(drop);
}

/* ---- cycles: cards in a row, sinks to its end, sources to its start, else the one that gives most more than it takes ---- */

struct row {
    int32_t *out, *in;          /* lines to cards that are not yet placed */
    uint32_t *next, *before;    /* lists of cards of one difference; the heads stand at n + bucket */
    bool *placed;
    size_t n, most, top;
};

/* Sinks, sources, then by difference of outgoing and incoming lines. */
static size_t bucket_of(const struct row *r, uint32_t v) {
    if (!r->out[v]) return 0;
    if (!r->in[v]) return 1;
    return (size_t)(2 + (int64_t)r->most + r->out[v] - r->in[v]);
}

static void unlink_card(struct row *r, uint32_t v) {
    r->next[r->before[v]] = r->next[v];
    r->before[r->next[v]] = r->before[v];
}

static void link_card(struct row *r, uint32_t v) {
    size_t bucket = bucket_of(r, v);
    uint32_t head = (uint32_t)(r->n + bucket), last = r->before[head];
    r->next[last] = v;
    r->before[v] = last;
    r->next[v] = head;
    r->before[head] = v;
    if (bucket > r->top) r->top = bucket;
}

static uint32_t first_card(const struct row *r, size_t bucket) {
    uint32_t head = (uint32_t)(r->n + bucket);
    return r->next[head] == head ? DP_GRAPH_NONE : r->next[head];
}

static void place_card(struct row *r, const struct lay *l, uint32_t v) {
    unlink_card(r, v);
    r->placed[v] = true;
    for (uint32_t j = l->out.at[v]; j < l->out.at[v + 1]; j++) {
        uint32_t w = l->out.list[j];
        if (r->placed[w]) continue;
        unlink_card(r, w), r->in[w]--, link_card(r, w);
    }
    for (uint32_t j = l->in.at[v]; j < l->in.at[v + 1]; j++) {
        uint32_t w = l->in.list[j];
        if (r->placed[w]) continue;
        unlink_card(r, w), r->out[w]--, link_card(r, w);
    }
}

static void make_row(struct lay *l) {
    size_t n = l->n, head = 0, tail = n;
    struct row r = {.n = n, .out = dp_alloc((n + 1) * sizeof *r.out), .in = dp_alloc((n + 1) * sizeof *r.in), .placed = dp_calloc(n + 1, 1)};
    for (size_t v = 0; v < n; v++) {
        r.out[v] = (int32_t)(l->out.at[v + 1] - l->out.at[v]);
        r.in[v] = (int32_t)(l->in.at[v + 1] - l->in.at[v]);
        if ((size_t)(r.out[v] + r.in[v]) > r.most) r.most = (size_t)(r.out[v] + r.in[v]);
    }
    size_t n_buckets = 2 * r.most + 3;
    r.next = dp_alloc((n + n_buckets) * sizeof *r.next);
    r.before = dp_alloc((n + n_buckets) * sizeof *r.before);
    for (size_t b = 0; b < n_buckets; b++) r.next[n + b] = r.before[n + b] = (uint32_t)(n + b);
    for (uint32_t v = 0; v < n; v++) link_card(&r, v);
    while (head < tail) {
        uint32_t v = first_card(&r, 0);
        if (v != DP_GRAPH_NONE) l->sequence[--tail] = v;
        else {
            v = first_card(&r, 1);
            while (v == DP_GRAPH_NONE && r.top > 1 && (v = first_card(&r, r.top)) == DP_GRAPH_NONE) r.top--;
            if (v == DP_GRAPH_NONE) break;
            l->sequence[head++] = v;
        }
        place_card(&r, l, v);
    }
    free(r.out);
    free(r.in);
    free(r.placed);
    free(r.next);
    free(r.before);
}

/* The other way to a row: depth first from what has no source, who is done first comes last. */
static void walk_row(const struct lay *l, uint32_t *sequence) {
    uint32_t *stack = dp_alloc((l->n + 1) * sizeof *stack), *next = dp_alloc((l->n + 1) * sizeof *next);
    bool *met = dp_calloc(l->n + 1, 1);
    size_t tail = l->n;
    for (size_t i = 0; i < 2 * l->n; i++) {
        uint32_t root = (uint32_t)(i % l->n);
        size_t top = 0;
        if (met[root] || (i < l->n && l->in.at[root + 1] > l->in.at[root])) continue;
        met[root] = true;
        next[root] = l->out.at[root];
        stack[top++] = root;
        while (top) {
            uint32_t v = stack[top - 1];
            if (next[v] == l->out.at[v + 1]) {
                sequence[--tail] = v;
                top--;
                continue;
            }
            uint32_t w = l->out.list[next[v]++];
            if (met[w]) continue;
            met[w] = true;
            next[w] = l->out.at[w];
            stack[top++] = w;
        }
    }
    free(stack);
    free(next);
    free(met);
}

/* Marks the lines that lead back in a row; their number is returned. */
static size_t mark_back(const struct lay *l, const uint32_t *sequence, uint32_t *at, bool *drop) {
    size_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) at[sequence[i]] = i;
    for (size_t i = 0; i < l->n_lines; i++) {
        drop[i] = at[l->lines[i].x] > at[l->lines[i].y];
        n += drop[i];
    }
    return n;
}

/* Of two rows the one with fewer lines back: the first is good where there are many cycles, the second where a few run through everything. */
static void cut_cycles(struct lay *l) {
    uint32_t *at = dp_alloc((l->n + 1) * sizeof *at), *other = dp_alloc((l->n + 1) * sizeof *other);
    bool *drop = dp_calloc(l->n_lines + 1, 1);
    cut_pairs(l);
    graph_lists_make(&l->out, l->n, l->lines, l->n_lines, false);
    graph_lists_make(&l->in, l->n, l->lines, l->n_lines, true);
    make_row(l);
    size_t back = mark_back(l, l->sequence, at, drop);
    if (back) {
        walk_row(l, other);
        if (mark_back(l, other, at, drop) < back) memcpy(l->sequence, other, l->n * sizeof *other);
        else (void)mark_back(l, l->sequence, at, drop);
    }
    set_aside(l, drop);
    graph_lists_release(&l->out);
    graph_lists_release(&l->in);
    graph_lists_make(&l->out, l->n, l->lines, l->n_lines, false);
    graph_lists_make(&l->in, l->n, l->lines, l->n_lines, true);
    free(at);
    free(other);
    free(drop);
}

/* ---- parts and layers ---- */

static uint32_t root_of(uint32_t *parent, uint32_t v) {
    while (parent[v] != v) v = parent[v] = parent[parent[v]];
    return v;
}

/* Parts are numbered by their first card; lines that close cycles hold them together too. */
static void find_parts(struct lay *l) {
    uint32_t *parent = dp_alloc((l->n + 1) * sizeof *parent);
    for (uint32_t v = 0; v < l->n; v++) parent[v] = v;
    for (size_t i = 0; i < l->n_lines + l->n_back; i++) {
        uint32_t a = root_of(parent, (uint32_t)l->lines[i].x), b = root_of(parent, (uint32_t)l->lines[i].y);
        if (a < b) parent[b] = a;
        else parent[a] = b;
    }
    for (uint32_t v = 0; v < l->n; v++) {
        uint32_t root = root_of(parent, v);
        l->part[v] = root == v ? l->n_parts++ : l->part[root];
    }
    free(parent);
}

static void find_layers(struct lay *l) {
    for (size_t i = 0; i < l->n; i++) {
        uint32_t v = l->sequence[i], k = 0;
        for (uint32_t j = l->in.at[v]; j < l->in.at[v + 1]; j++)
            if (l->layer[l->in.list[j]] + 1 > k) k = l->layer[l->in.list[j]] + 1;
        l->layer[v] = k;
    }
    for (size_t i = l->n; i-- > 0;) { /* who feeds more than it is fed by moves to the right */
        uint32_t v = l->sequence[i], least = UINT32_MAX;
        if (l->out.at[v + 1] - l->out.at[v] <= l->in.at[v + 1] - l->in.at[v]) continue;
        for (uint32_t j = l->out.at[v]; j < l->out.at[v + 1]; j++)
            if (l->layer[l->out.list[j]] < least) least = l->layer[l->out.list[j]];
        l->layer[v] = least - 1;
    }
    uint32_t *least = dp_alloc((l->n_parts + (size_t)1) * sizeof *least);
    memset(least, 0xff, l->n_parts * sizeof *least);
    for (size_t v = 0; v < l->n; v++)
        if (l->layer[v] < least[l->part[v]]) least[l->part[v]] = l->layer[v];
    for (size_t v = 0; v < l->n; v++) l->layer[v] -= least[l->part[v]];
    free(least);
}

/* ---- items: cards and the points of trunks ---- */

/* How long a trunk may be, so that all together stay within bounds. */
static uint32_t longest_trunk(const struct lay *l) {
    uint64_t bound = POINTS_PER_THING * ((uint64_t)l->n + l->n_lines) + 1000, low = 0, high = l->n;
    while (low < high) {
        uint64_t middle = (low + high + 1) / 2, sum = 0;
        for (size_t v = 0; v < l->n; v++) sum += l->last[v] - l->layer[v] <= middle ? l->last[v] - l->layer[v] : 0;
        if (sum <= bound) low = middle;
        else high = middle - 1;
    }
    return (uint32_t)low;
}

static void make_trunks(struct lay *l) {
    for (uint32_t v = 0; v < l->n; v++) {
        l->last[v] = l->layer[v];
        for (uint32_t j = l->out.at[v]; j < l->out.at[v + 1]; j++)
            if (l->layer[l->out.list[j]] > l->last[v] + 1) l->last[v] = l->layer[l->out.list[j]] - 1;
    }
    uint32_t most = longest_trunk(l);
    size_t n = l->n;
    for (size_t v = 0; v < l->n; v++) {
        l->item_at[v] = (uint32_t)n;
        if (l->last[v] - l->layer[v] > most) l->last[v] = l->layer[v];
        n += l->last[v] - l->layer[v];
    }
    l->item_at[l->n] = (uint32_t)n;
    l->items.n = n;
    l->items.n_cards = l->n;
}

/* Lines from layer to next layer: along trunks, and from their points to where they end. */
static void link_items(struct lay *l) {
    struct dp_graph_point *pairs = dp_alloc((l->n_lines + l->items.n + 1) * sizeof *pairs);
    size_t m = 0;
    for (uint32_t v = 0; v < l->n; v++)
        for (uint32_t i = l->item_at[v]; i < l->item_at[v + 1]; i++)
            pairs[m++] = (struct dp_graph_point){(int32_t)(i == l->item_at[v] ? v : i - 1), (int32_t)i};
    for (size_t i = 0; i < l->n_lines; i++) {
        uint32_t a = (uint32_t)l->lines[i].x, b = (uint32_t)l->lines[i].y, span = l->layer[b] - l->layer[a];
        if (span == 1) pairs[m++] = l->lines[i];
        else if (l->item_at[a + 1] > l->item_at[a]) pairs[m++] = (struct dp_graph_point){(int32_t)(l->item_at[a] + span - 2), (int32_t)b};
    }
    graph_lists_make(&l->items.down, l->items.n, pairs, m, false);
    graph_lists_make(&l->items.up, l->items.n, pairs, m, true);
    free(pairs);
}

/* The layers of all parts one behind the other, and what stands in them. */
static void fill_layers(struct lay *l) {
    struct graph_items *t = &l->items;
    uint32_t *deepest = dp_calloc(l->n_parts + (size_t)1, sizeof *deepest);
    for (size_t v = 0; v < l->n; v++)
        if (l->layer[v] + 1 > deepest[l->part[v]]) deepest[l->part[v]] = l->layer[v] + 1;
    for (uint32_t p = 0; p < l->n_parts; p++) l->part_layers[p + 1] = l->part_layers[p] + deepest[p];
    uint32_t n_layers = l->part_layers[l->n_parts];
    struct dp_graph_point *pairs = dp_alloc((t->n + 1) * sizeof *pairs);
    size_t m = 0;
    for (uint32_t v = 0; v < l->n; v++) {
        uint32_t k = l->part_layers[l->part[v]] + l->layer[v];
        pairs[m++] = (struct dp_graph_point){(int32_t)k, (int32_t)v};
        for (uint32_t i = l->item_at[v]; i < l->item_at[v + 1]; i++) pairs[m++] = (struct dp_graph_point){(int32_t)(++k), (int32_t)i};
    }
    struct graph_lists lists;
    graph_lists_make(&lists, n_layers > t->n ? n_layers : t->n, pairs, m, false);
    t->layer_at = lists.at;
    t->slots = lists.list;
    t->y = dp_calloc(t->n + 1, sizeof *t->y);
    t->place = dp_calloc(t->n + 1, sizeof *t->place);
    t->layer = dp_calloc(t->n + 1, sizeof *t->layer);
    t->met = dp_calloc(t->n + 1, sizeof *t->met);
    for (size_t i = 0; i < m; i++) t->layer[pairs[i].y] = (uint32_t)pairs[i].x;
    free(pairs);
    free(deepest);
}

/* ---- where the parts stand ---- */

struct box {
    uint32_t part, n_layers;
    double width, height, top, x, y;
};

static int order_boxes(const void *pa, const void *pb) {
    const struct box *a = pa, *b = pb;
    if ((a->n_layers > 1) != (b->n_layers > 1)) return a->n_layers > 1 ? -1 : 1;
    if (a->height > b->height || a->height < b->height) return a->height > b->height ? -1 : 1;
    if (a->width > b->width || a->width < b->width) return a->width > b->width ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part;
}

/* Left edges of a part's layers: the steeper the lines between two of them, the wider the gap. */
static void measure_part(const struct lay *l, struct box *box, double *x_of) {
    const struct graph_items *t = &l->items;
    double x = 0, low = INFINITY, high = -INFINITY;
    for (uint32_t k = l->part_layers[box->part]; k < l->part_layers[box->part + 1]; k++) {
        double rise = 0;
        size_t n = 0;
        x_of[k] = x;
        for (uint32_t i = t->layer_at[k]; i < t->layer_at[k + 1]; i++) {
            uint32_t v = t->slots[i];
            double edge = v < t->n_cards ? DP_GRAPH_CARD_HEIGHT / 2.0 : 0;
            if (t->y[v] - edge < low) low = t->y[v] - edge;
            if (t->y[v] + edge > high) high = t->y[v] + edge;
            for (uint32_t j = t->down.at[v]; j < t->down.at[v + 1]; j++, n++) rise += fabs(t->y[t->down.list[j]] - t->y[v]);
        }
        double gap = n ? GAP_LEAST + rise / (double)n * 0.2 : GAP_LEAST;
        x += DP_GRAPH_CARD_WIDTH + (gap > GAP_MOST ? GAP_MOST : gap);
        box->width = x_of[k] + DP_GRAPH_CARD_WIDTH;
    }
    box->n_layers = l->part_layers[box->part + 1] - l->part_layers[box->part];
    box->top = low;
    box->height = high - low;
}

/* Rows of parts, as wide as makes the whole about half as high as wide; nodes without lines come last and closer. */
static void pack(struct box *boxes, size_t n, double *width, double *height) {
    double area = 0, bound = 0, x = 0, y = 0, row = 0;
    for (size_t i = 0; i < n; i++) {
        area += (boxes[i].width + PART_GAP) * (boxes[i].height + (boxes[i].n_layers > 1 ? PART_GAP : ALONE_GAP));
        if (boxes[i].width > bound) bound = boxes[i].width;
    }
    if (sqrt(area * 2) > bound) bound = sqrt(area * 2);
    if (n) qsort(boxes, n, sizeof *boxes, order_boxes);
    *width = *height = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_alone = boxes[i].n_layers < 2, was_alone = i && boxes[i - 1].n_layers < 2;
        if (x > 0 && (x + boxes[i].width > bound || is_alone != was_alone)) {
            y += row + (is_alone && was_alone ? ALONE_GAP : PART_GAP);
            x = row = 0;
        }
        boxes[i].x = x;
        boxes[i].y = y;
        x += boxes[i].width + (is_alone ? ALONE_GAP : PART_GAP);
        if (boxes[i].height > row) row = boxes[i].height;
        if (boxes[i].x + boxes[i].width > *width) *width = boxes[i].x + boxes[i].width;
        if (y + boxes[i].height > *height) *height = y + boxes[i].height;
    }
}

static void take_places(const struct lay *l, const struct box *boxes, const double *x_of, struct dp_graph_layout *out) {
    const struct box **by_part = dp_alloc((l->n_parts + (size_t)1) * sizeof *by_part);
    for (uint32_t p = 0; p < l->n_parts; p++) by_part[boxes[p].part] = &boxes[p];
    for (size_t v = 0; v < l->n; v++) {
        const struct box *box = by_part[l->part[v]];
        uint32_t k = l->part_layers[l->part[v]] + l->layer[v];
        double lift = box->y - box->top;
        out->spots[v] = (struct dp_graph_spot){l->part[v], l->layer[v], (int32_t)lround(box->x + x_of[k]),
            (int32_t)lround(l->items.y[v] + lift - DP_GRAPH_CARD_HEIGHT / 2.0)};
        out->trunk_at[v] = l->item_at[v] - (uint32_t)l->n;
        for (uint32_t i = l->item_at[v]; i < l->item_at[v + 1]; i++)
            out->trunk[i - l->n] = (struct dp_graph_point){(int32_t)lround(box->x + x_of[++k] + DP_GRAPH_CARD_WIDTH / 2.0), (int32_t)lround(l->items.y[i] + lift)};
    }
    out->trunk_at[l->n] = l->item_at[l->n] - (uint32_t)l->n;
    free(by_part);
}

static void lay_release(struct lay *l) {
    free(l->lines);
    graph_lists_release(&l->out);
    graph_lists_release(&l->in);
    free(l->sequence);
    free(l->layer);
    free(l->part);
    free(l->last);
    free(l->items.y);
    free(l->items.place);
    free(l->items.layer);
    free(l->items.met);
    graph_lists_release(&l->items.up);
    graph_lists_release(&l->items.down);
    free(l->items.slots);
    free(l->items.layer_at);
    free(l->item_at);
    free(l->part_layers);
}

void dp_graph_lay(const struct dp_graph *g, struct dp_graph_layout *out) {
    size_t n = g->n_drawn;
    struct lay l = {.g = g, .n = n, .sequence = dp_calloc(n + 1, sizeof *l.sequence), .layer = dp_calloc(n + 1, sizeof *l.layer),
        .part = dp_calloc(n + 1, sizeof *l.part), .last = dp_calloc(n + 1, sizeof *l.last), .item_at = dp_calloc(n + 2, sizeof *l.item_at)};
    double width = 0, height = 0;
    collect_lines(&l);
    cut_cycles(&l);
    find_parts(&l);
    find_layers(&l);
    make_trunks(&l);
    link_items(&l);
    l.part_layers = dp_calloc(l.n_parts + (size_t)1, sizeof *l.part_layers);
    fill_layers(&l);
    struct box *boxes = dp_calloc(l.n_parts + (size_t)1, sizeof *boxes);
    double *x_of = dp_calloc(l.part_layers[l.n_parts] + (size_t)1, sizeof *x_of);
    *out = (struct dp_graph_layout){.spots = dp_calloc(n + 1, sizeof *out->spots), .trunk_at = dp_calloc(n + 2, sizeof *out->trunk_at),
        .trunk = dp_calloc(l.items.n - n + 1, sizeof *out->trunk)};
    for (uint32_t p = 0; p < l.n_parts; p++) {
        out->crossings += graph_order(&l.items, l.part_layers[p], l.part_layers[p + 1]);
        graph_raise(&l.items, l.part_layers[p], l.part_layers[p + 1]);
        boxes[p].part = p;
        measure_part(&l, &boxes[p], x_of);
    }
    pack(boxes, l.n_parts, &width, &height);
    take_places(&l, boxes, x_of, out);
    out->width = (int32_t)ceil(width);
    out->height = (int32_t)ceil(height);
    free(boxes);
    free(x_of);
    lay_release(&l);
}

void dp_graph_layout_release(struct dp_graph_layout *l) {
    free(l->spots);
    free(l->trunk_at);
    free(l->trunk);
    *l = (struct dp_graph_layout){0};
}

/*
 * An automaton whose states are the prefixes of all patterns (dp/base/patterns.h).  A state's edges lie together in the order of their bytes; where a state has none for the next byte, the search
 * goes on from the longest suffix that is a prefix as well.  At the start a bit for each two bytes says whether a pattern begins so: most bytes of a text cost that look alone.
 */
#include <dp/base/patterns.h>

#include <dp/base/mem.h>

#include <stdlib.h>

enum { NONE = UINT32_MAX };

struct state {
    uint32_t edges;    /* where its edges begin; the next state's are behind them */
    uint32_t suffix;   /* the longest suffix that is a state */
    uint32_t ends;     /* a pattern that ends here, NONE */
    uint32_t shorter;  /* the longest suffix that a pattern ends at, 0 */
};
struct edge { uint32_t to; unsigned char byte; };
struct dp_patterns {
    uint32_t start[256];
    uint8_t pairs[8192];  /* a bit for each two bytes */
    struct state *states; /* one more than there are */
    struct edge *edges;
    uint32_t *same;       /* of a pattern: the next one that is equal, NONE */
};

/* ---- the tree of prefixes, while it grows ---- */

struct node { uint32_t child, sibling, ends; unsigned char byte; };
struct tree { struct node *v; size_t n, cap; };

static uint32_t child_of(struct tree *t, uint32_t at, unsigned char byte) {
    uint32_t *link = &t->v[at].child;
    while (*link && t->v[*link].byte < byte) link = &t->v[*link].sibling;
    if (*link && t->v[*link].byte == byte) return *link;
    uint32_t made = (uint32_t)t->n, next = *link;
    *link = made;
    t->v = dp_grow(t->v, &t->cap, t->n + 1, sizeof *t->v);
    t->v[t->n++] = (struct node){.sibling = next, .ends = NONE, .byte = byte};
    return made;
}

static void plant(struct tree *t, const struct dp_str *v, size_t n, uint32_t *same) {
    t->v = dp_grow(t->v, &t->cap, 1, sizeof *t->v);
    t->v[t->n++] = (struct node){.ends = NONE};
    for (size_t i = n; i-- > 0;) { /* backwards, so that equal ones are met in their order */
        uint32_t at = 0;
        for (size_t k = 0; k < v[i].n; k++) at = child_of(t, at, (unsigned char)v[i].p[k]);
        same[i] = NONE;
        if (!v[i].n) continue;
        same[i] = t->v[at].ends;
        t->v[at].ends = (uint32_t)i;
    }
}

/* ---- the automaton ---- */

static uint32_t edge_to(const struct dp_patterns *p, uint32_t at, unsigned char byte) {
    const struct edge *e = p->edges + p->states[at].edges, *end = p->edges + p->states[at + 1].edges;
    while (e < end && e->byte < byte) e++;
    return e < end && e->byte == byte ? e->to : 0;
}

static uint32_t step(const struct dp_patterns *p, uint32_t at, unsigned char byte) {
    for (; at; at = p->states[at].suffix) {
        uint32_t to = edge_to(p, at, byte);
        if (to) return to;
    }
    return p->start[byte];
}

/* States get their numbers in the order of their depth: edges lie together, and a suffix is made before what it is the suffix of. */
static void lay_out(struct dp_patterns *p, const struct tree *t) {
    uint32_t *nodes = dp_calloc(t->n, sizeof *nodes), made = 1, edges = 0; /* of each state */
    for (uint32_t s = 0; s < made; s++) {
        p->states[s].edges = edges;
        p->states[s].ends = t->v[nodes[s]].ends;
        for (uint32_t c = t->v[nodes[s]].child; c; c = t->v[c].sibling) {
            if (s == 0) p->start[t->v[c].byte] = made;
            p->edges[edges++] = (struct edge){made, t->v[c].byte};
            nodes[made++] = c;
        }
    }
    p->states[made].edges = edges;
    for (uint32_t s = 1; s < made; s++)
        for (uint32_t i = p->states[s].edges; i < p->states[s + 1].edges; i++) {
            const struct edge *e = &p->edges[i];
            struct state *to = &p->states[e->to];
            to->suffix = step(p, p->states[s].suffix, e->byte);
            to->shorter = p->states[to->suffix].ends != NONE ? to->suffix : p->states[to->suffix].shorter;
        }
    free(nodes);
}

static bool begins(const struct dp_patterns *p, const unsigned char *c) {
    unsigned pair = (unsigned)c[0] << 8 | c[1];
    return p->pairs[pair >> 3] >> (pair & 7) & 1;
}

static void note_pairs(struct dp_patterns *p) {
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; p->start[a] && b < 256; b++)
            if (p->states[p->start[a]].ends != NONE || edge_to(p, p->start[a], (unsigned char)b)) p->pairs[(a << 8 | b) >> 3] |= (uint8_t)(1u << (b & 7));
}

struct dp_patterns *dp_patterns_make(const struct dp_str *v, size_t n) {
    struct dp_patterns *p = dp_calloc(1, sizeof *p);
    struct tree t = {NULL, 0, 0};
    p->same = dp_calloc(n + 1, sizeof *p->same);
    plant(&t, v, n, p->same);
    p->states = dp_calloc(t.n + 1, sizeof *p->states);
    p->edges = dp_calloc(t.n, sizeof *p->edges);
    lay_out(p, &t);
    note_pairs(p);
    free(t.v);
    return p;
}

void dp_patterns_free(struct dp_patterns *p) {
    if (!p) return;
    free(p->states), free(p->edges), free(p->same);
    free(p);
}

void dp_patterns_find(const struct dp_patterns *p, struct dp_str text, void (*hit)(void *ctx, size_t which, size_t end), void *ctx) {
    const unsigned char *c = (const unsigned char *)text.p;
    uint32_t at = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (!at) {
            while (i + 1 < text.n && !begins(p, c + i)) i++;
            at = p->start[c[i]];
        } else {
            at = step(p, at, c[i]);
        }
        for (uint32_t s = p->states[at].ends != NONE ? at : p->states[at].shorter; s; s = p->states[s].shorter)
            for (uint32_t w = p->states[s].ends; w != NONE; w = p->same[w]) hit(ctx, w, i + 1);
    }
}

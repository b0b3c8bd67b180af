/*
 * Shapes: the nodes of lines whose tokens have the same classes, kept so that the next such line is laid out without a walk,
 * and the sets of top-level names that tell whether a record has the keys of the one before.
 * Does not look at strings' contents, except for keys.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "json_priv.h"

static void shape_free(struct json_shape *sh) {
    if (!sh) return;
    free(sh->cls);
    free(sh->raw_add);
    free(sh->place);
    free(sh->window);
    free(sh->raw_pick);
    free(sh->far);
    free(sh->key);
    free(sh->key_tok);
    free(sh->raw_head);
    dp_buf_release(&sh->keys);
    free(sh);
}

void json_shapes_release(struct json_shapes *s) {
    for (size_t i = 0; i < JSON_SHAPE_SETS; i++)
        for (size_t k = 0; k < JSON_SHAPE_WAYS; k++) shape_free(s->slot[i][k]);
    for (size_t i = 0; i < JSON_KEYSETS; i++) dp_buf_release(&s->keyset[i].text);
    memset(s, 0, sizeof *s);
}

/* recent[i] was found. Those that come often move to the front. */
static void note_recent(struct json_shapes *s, size_t i) {
    struct json_shape *sh = s->recent[i];
    size_t to = s->other == sh || !s->recent[0] ? 0 : i > 1 ? i - 1 : i;
    s->other = sh;
    s->recent[i] = s->recent[to];
    s->recent[to] = sh;
}

static void add_recent(struct json_shapes *s, struct json_shape *sh) {
    size_t i = 0;
    while (i < JSON_RECENT - 1 && s->recent[i] && s->recent[i] != sh) i++;
    s->recent[i] = sh;
    note_recent(s, i);
}

static void drop_recent(struct json_shapes *s, const struct json_shape *sh) {
    for (size_t i = 0; i < JSON_RECENT; i++)
        if (s->recent[i] == sh) s->recent[i] = NULL;
    if (s->other == sh) s->other = NULL;
}

struct json_shape *json_shapes_recent(struct json_shapes *s, const struct json_engine *e, const uint8_t *cls, size_t n_tok) {
    for (size_t i = 1; i < JSON_RECENT; i++) {
        struct json_shape *sh = s->recent[i];
        /* only line ends are an LF, so that one byte tells lines with fewer or more tokens */
        if (!sh || sh->n_tok > n_tok || cls[sh->n_tok - 1] != '\n' || !e->match(sh, cls)) continue;
        note_recent(s, i);
        return sh;
    }
    return NULL;
}

struct json_shape *json_shapes_find(struct json_shapes *s, const struct json_engine *e, const uint8_t *cls, size_t n_tok,
                                    uint64_t *hash) {
    uint64_t h = *hash = XXH3_64bits(cls, n_tok);
    struct json_shape **set = s->slot[h % JSON_SHAPE_SETS];
    for (size_t k = 0; k < JSON_SHAPE_WAYS; k++) {
        struct json_shape *sh = set[k];
        if (!sh || sh->hash != h || sh->n_tok != n_tok || !e->match(sh, cls)) continue;
        add_recent(s, sh);
        return sh;
    }
    return NULL;
}

bool json_shapes_seen(struct json_shapes *s, uint64_t hash) {
    uint32_t *slot = &s->seen[hash / JSON_SHAPE_SETS % JSON_SEEN], high = (uint32_t)(hash >> 32);
    bool seen = *slot == high;
    *slot = high;
    return seen;
}

/* Which tokens each vector of nodes is picked from. */
static void plan_groups(struct json_shape *sh, unsigned lanes) {
    uint32_t width = 4 * lanes;
    sh->n_groups = (sh->n_nodes + lanes - 1) / lanes;
    sh->window = dp_calloc(sh->n_groups, sizeof *sh->window);
    sh->pick = json_alloc_aligned((size_t)sh->n_groups * width * sizeof *sh->pick, &sh->raw_pick);
    memset(sh->pick, 0, (size_t)sh->n_groups * width * sizeof *sh->pick);
    for (uint32_t g = 0; g < sh->n_groups; g++) {
        uint32_t first = g * lanes, start = sh->place[first].a;
        sh->window[g] = start;
        for (uint32_t k = 0; k < lanes && first + k < sh->n_nodes; k++) {
            struct json_place pl = sh->place[first + k];
            if (pl.b - start >= width) {
                sh->far[sh->n_far++] = first + k;
                continue;
            }
            sh->pick[g * width + 4 * k] = pl.a - start;
            sh->pick[g * width + 4 * k + 1] = pl.b - start;
        }
    }
}

/* The keys as vectors compare them. */
static void set_heads(struct json_shape *sh) {
    sh->n_long = 0;
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct json_shape_key *k = &sh->key[i];
        uint32_t n = k->n < JSON_KEY_HEAD ? k->n : JSON_KEY_HEAD;
        char *head = sh->key_head + (size_t)i * 2 * JSON_KEY_HEAD;
        memset(head, 0, 2 * (size_t)JSON_KEY_HEAD);
        memcpy(head, sh->keys.p + k->off, n);
        memset(head + JSON_KEY_HEAD, 0xff, n);
        sh->key_tok[i] = k->tok;
        sh->n_long += k->n > JSON_KEY_HEAD;
    }
}

bool json_long_keys_are(const struct json_shape *sh, const uint32_t *pos, const char *base) {
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct json_shape_key *k = &sh->key[i];
        if (k->n > JSON_KEY_HEAD && memcmp(base + pos[k->tok], sh->keys.p + k->off, k->n) != 0) return false;
    }
    return true;
}

void json_shape_set_keys(struct json_shapes *s, struct json_shape *sh, const struct dp_record *r, uint64_t keyset) {
    if (++s->shape_id == 0) s->shape_id = 1;
    sh->id = s->shape_id;
    dp_buf_reset(&sh->keys);
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct dp_node *k = &r->nodes[sh->key[i].node];
        sh->key[i].off = (uint32_t)sh->keys.n;
        sh->key[i].n = k->len + 2;
        dp_buf_add(&sh->keys, r->base + k->off - 1, (size_t)k->len + 2);
    }
    set_heads(sh);
    sh->has_need = false;
    sh->dup = r->duplicate_keys;
    sh->dup_node = r->dup_node;
    sh->keyset = keyset;
}

void json_shapes_add(struct json_shapes *s, const struct json_engine *e, uint64_t hash, const uint8_t *cls, size_t n_tok,
                     const struct json_place *place, const struct dp_record *r, uint64_t keyset) {
    struct json_shape *sh = dp_calloc(1, sizeof *sh);
    sh->hash = hash;
    sh->n_tok = (uint32_t)n_tok;
    sh->n_nodes = r->n_nodes;
    sh->n_members = r->n_members;
    sh->cls = dp_calloc(n_tok / JSON_BLOCK + 1, JSON_BLOCK);
    memcpy(sh->cls, cls, n_tok);
    sh->add = json_alloc_aligned(((size_t)r->n_nodes + 8) * sizeof *sh->add, &sh->raw_add);
    memset(sh->add, 0, ((size_t)r->n_nodes + 8) * sizeof *sh->add);
    sh->place = dp_calloc(r->n_nodes, sizeof *sh->place);
    memcpy(sh->place, place, r->n_nodes * sizeof *place);
    sh->far = dp_calloc(r->n_nodes, sizeof *sh->far);
    sh->key = dp_calloc(r->n_nodes, sizeof *sh->key);
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        struct dp_node *a = &sh->add[i];
        *a = r->nodes[i];
        bool string = a->kind == DP_KIND_STRING, box = a->kind == DP_KIND_OBJECT || a->kind == DP_KIND_ARRAY;
        a->off = string;
        a->len = string ? UINT32_MAX : box; /* minus one, or plus one for the closing bracket */
        if (string) a->flags = (uint8_t)((a->flags & DP_NODE_KEY) | DP_NODE_ASCII);
        if (a->flags & DP_NODE_KEY) sh->key[sh->n_keys++] = (struct json_shape_key){.tok = place[i].a, .node = i};
    }
    sh->key_tok = dp_calloc((size_t)sh->n_keys + 1, sizeof *sh->key_tok);
    sh->key_head = json_alloc_aligned(((size_t)sh->n_keys + 1) * 2 * JSON_KEY_HEAD, &sh->raw_head);
    if (e->lanes) plan_groups(sh, e->lanes);
    json_shape_set_keys(s, sh, r, keyset);
    size_t set = hash % JSON_SHAPE_SETS;
    struct json_shape **slot = &s->slot[set][s->turn[set]++ % JSON_SHAPE_WAYS];
    drop_recent(s, *slot);
    shape_free(*slot);
    *slot = sh;
    add_recent(s, sh);
}

static bool keyset_is(const struct json_keyset *ks, const struct dp_record *r) {
    if (!ks->id || ks->n != r->n_members) return false;
    size_t at = 0;
    for (uint32_t i = 1; i < r->n_nodes; i = r->nodes[i].next) {
        size_t n = (size_t)r->nodes[i].len + 2;
        if (n > ks->text.n - at || memcmp(ks->text.p + at, r->base + r->nodes[i].off - 1, n) != 0) return false;
        at += n;
    }
    return at == ks->text.n;
}

struct json_keyset *json_keyset_of(struct json_shapes *s, const struct dp_record *r, bool *is_new) {
    *is_new = false;
    for (unsigned i = 0; i < JSON_KEYSETS; i++) {
        unsigned k = (s->last_keyset + i) % JSON_KEYSETS;
        if (keyset_is(&s->keyset[k], r)) {
            s->last_keyset = k;
            return &s->keyset[k];
        }
    }
    if (s->next_keyset == s->last_keyset) s->next_keyset = (s->next_keyset + 1) % JSON_KEYSETS; /* still to be compared with */
    s->last_keyset = s->next_keyset;
    struct json_keyset *ks = &s->keyset[s->next_keyset];
    s->next_keyset = (s->next_keyset + 1) % JSON_KEYSETS;
    ks->id = ++s->next_id;
    ks->n = r->n_members;
    dp_buf_reset(&ks->text);
    for (uint32_t i = 1; i < r->n_nodes; i = r->nodes[i].next)
        dp_buf_add(&ks->text, r->base + r->nodes[i].off - 1, (size_t)r->nodes[i].len + 2);
    *is_new = true;
    return ks;
}

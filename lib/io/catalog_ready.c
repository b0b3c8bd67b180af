/*
 * What can be done of an event before the store is asked anything (dp/io/catalog.h): so that it can be done on several threads, while one writes.
 */
#include "catalog_priv.h"

#include <stdlib.h>
#include <xxhash.h>

struct dp_catalog_reader { struct dp_codec *codec; };

/* The same for JSON values that are equal: order of members, blanks and escapes don't count. */
static XXH128_hash_t digest_of(const struct dp_cat_event *e, uint32_t node) {
    const struct dp_node *v = &e->r->nodes[node];
    XXH128_hash_t h = {.low64 = v->kind, .high64 = 0};
    if (v->kind == DP_KIND_OBJECT) {
        for (uint32_t k = node + 1; k < v->next; k = e->r->nodes[k].next) {
            struct dp_str key = dp_cat_text(e, k);
            XXH128_hash_t both[2] = {XXH3_128bits(key.p, key.n), digest_of(e, k + 1)}, one = XXH3_128bits(both, sizeof both);
            h.low64 += one.low64, h.high64 += one.high64;
        }
        return h;
    }
    if (v->kind == DP_KIND_ARRAY) {
        for (uint32_t k = node + 1; k < v->next; k = e->r->nodes[k].next) {
            XXH128_hash_t both[2] = {h, digest_of(e, k)};
            h = XXH3_128bits(both, sizeof both);
        }
        h.low64 ^= 0x5bd1e995;
        return h;
    }
    struct dp_str text = v->kind == DP_KIND_STRING ? dp_cat_text(e, node) : dp_node_str(e->r, node);
    return XXH3_128bits_withSeed(text.p, text.n, v->kind);
}

static enum dp_status keep_packed(struct dp_codec *codec, struct dp_cat_event *e, struct dp_err *err) {
    struct dp_buf packed = {0};
    enum dp_status status = dp_codec_compress(codec, DP_PQ_ZSTD, 1, e->r->raw, e->r->raw_n, &packed, err);
    e->packed = dp_arena_str(e->arena, dp_buf_str(&packed));
    dp_buf_release(&packed);
    return status;
}

enum dp_status dp_cat_event_ready(struct dp_codec *codec, const struct dp_record *r, struct dp_arena *arena, bool strict, struct dp_cat_event **out, struct dp_err *err) {
    struct dp_cat_event *e = *out = dp_arena_calloc(arena, 1, sizeof *e);
    DP_TRY(dp_cat_event_read(r, arena, strict, e, err));
    XXH128_hash_t h = digest_of(e, 0);
    memcpy(e->digest, &h, sizeof e->digest);
    return keep_packed(codec, e, err);
}

struct dp_catalog_reader *dp_catalog_reader_open(void) {
    struct dp_catalog_reader *reader = dp_calloc(1, sizeof *reader);
    reader->codec = dp_codec_open();
    return reader;
}

void dp_catalog_reader_close(struct dp_catalog_reader *reader) {
    if (reader) dp_codec_close(reader->codec);
    free(reader);
}

enum dp_status dp_catalog_read(struct dp_catalog_reader *reader, const struct dp_record *r, bool strict, struct dp_arena *arena, struct dp_cat_event **out, size_t *warnings, struct dp_err *err) {
    struct dp_record *own = dp_arena_alloc(arena, sizeof *own);
    struct dp_node *nodes = dp_arena_alloc(arena, r->n_nodes * sizeof *nodes);
    memcpy(nodes, r->nodes, r->n_nodes * sizeof *nodes);
    *own = *r;
    own->nodes = nodes;
    enum dp_status status = dp_cat_event_ready(reader->codec, own, arena, strict, out, err);
    *warnings = (*out)->warnings;
    (*out)->err = NULL; /* the caller's, who may be gone */
    return status;
}

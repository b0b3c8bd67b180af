/*
 * Inside of the NDJSON scanner, shared by json.c (lines, walk), json_shape.c (shapes) and simd_json.c (stage 1).
 *
 * Stage 1 turns text into tokens.  A token is a place and a class (one byte):
 *   - each quote that is not escaped: the opening and the closing one;
 *   - outside strings each byte that is neither blank nor digit, with itself as class;
 *   - where a number begins (its first digit, or the minus before), and the first digit of an exponent: class '0';
 *   - what stands behind such a minus or a point and is no digit: class '0' too (no text has a '0' there);
 *   - the second digit where the first is a zero that is not behind a point: class '0' again (`01`, `1e-05`);
 *   - the first blank behind a byte of a number or literal (so that every scalar ends at the next token);
 *   - control bytes inside strings;
 *   - in lines each LF.  An LF inside a string ends the string: the next line starts afresh.
 * So whether a line is a JSON text depends on its classes alone, but for what is inside strings (escapes, UTF-8),
 * and lines with the same classes have the same nodes at the same tokens.  That is what a shape remembers.
 */
#ifndef DP_RECORD_JSON_PRIV_H
#define DP_RECORD_JSON_PRIV_H

#include <dp/record/json.h>

#define JSON_BLOCK 64u

struct json_stage {
    const char *p;
    size_t n;
    bool lines;        /* LF ends a line; else it is a blank */
    size_t at;         /* first byte that stage 1 has not seen */
    /* what crosses from one block to the next; the last five are 0 or 1 */
    uint64_t in_string; /* all ones inside */
    uint64_t escape, scalar, needed, decimal, zero;
    /* tokens */
    uint32_t *pos;
    uint8_t *cls;
    size_t n_tok, cap_tok;
    /* for each block the bytes that are backslashes or above 0x7f; block 0 begins at byte origin */
    uint64_t *special;
    size_t origin, n_block, cap_block;
};

/* Where a node's bytes come from: tokens a and b of its line. */
struct json_place {
    uint32_t a, b;
};

struct json_shape_key {
    uint32_t tok, node; /* opening quote */
    uint32_t off, n;    /* in shape.keys, with both quotes */
};

#define JSON_KEY_HEAD 32u

/*
 * Nodes of all lines with the same classes.  node[i].off = pos[a] + add[i].off, len = pos[b] - pos[a] + add[i].len,
 * the rest as in add[i].  Engines with wide permutations fill `lanes` nodes at once from a window of 4 * lanes tokens
 * (group g starts at token window[g], its lanes are picked by pick); nodes that don't fit (containers) are in `far`.
 */
struct json_shape {
    uint64_t hash;
    uint64_t id;       /* of the shape with these keys: dp_record's */
    uint64_t keyset;   /* id of the top-level names */
    uint32_t n_tok, n_nodes, n_members, n_keys, n_groups, n_far;
    bool dup;
    uint32_t dup_node;
    bool has_need;     /* need is known for these keys */
    uint32_t need;     /* node of the string that is asked for (dp_scan_need); 0: no string, UINT32_MAX: can't tell */
    uint8_t *cls;      /* n_tok, and zeros behind: whole vectors are read */
    struct dp_node *add;
    struct json_place *place;
    uint32_t *window;
    uint32_t *pick;
    uint32_t *far;
    struct json_shape_key *key;
    struct dp_buf keys;
    uint32_t n_long;   /* keys that are longer than a head */
    uint32_t *key_tok; /* the same keys for vectors: tokens, */
    char *key_head;    /* and for each the first 32 bytes, then 32 bytes of 0xff where they count, else 0 */
    void *raw_add, *raw_pick, *raw_head; /* what add, pick and key_head are in */
};

/* Not cleared, aligned to a cache line: vectors that cross one cost twice.  Free *raw. */
static inline void *json_alloc_aligned(size_t n, void **raw) {
    *raw = dp_alloc(n + 63);
    return (void *)(((uintptr_t)*raw + 63) & ~(uintptr_t)63);
}

struct json_engine {
    const char *name;
    enum dp_scan_engine id;
    unsigned lanes; /* nodes filled at once, 0 = one by one */
    /* Scans up to `blocks` blocks from st->at; room has been made. */
    void (*scan)(struct json_stage *st, size_t blocks);
    /* True when the classes at c (64 readable behind) are the shape's. */
    bool (*match)(const struct json_shape *sh, const uint8_t *c);
    /* Lays out the nodes (aligned to 64); true when all keys are the shape's. pos[0..n_tok), 64 readable behind. */
    bool (*fill)(const struct json_shape *sh, const uint32_t *pos, const char *base, struct dp_node *nodes);
    /* The last part of that: are all keys the shape's? */
    bool (*keys)(const struct json_shape *sh, const uint32_t *pos, const char *base);
};

/* Bytes behind an odd run of backslashes; *carry: the first byte of the next block is one. */
static inline __attribute__((always_inline)) uint64_t json_escaped(uint64_t slash, uint64_t *carry) {
    uint64_t escaped = *carry;
    slash &= ~escaped;
    *carry = 0;
    while (slash) {
        uint64_t bit = slash & -slash;
        if (bit >> 63) *carry = 1;
        escaped |= bit << 1;
        slash &= ~(bit | bit << 1);
    }
    return escaped;
}

/* simd_json_wide.c: whole groups of blocks as long as they are plain; how many blocks that were.  And whether it runs where AVX-512's engine does. */
size_t json_scan_wide(struct json_stage *st, size_t blocks);
bool json_wide_runs(void);

/* The engine, or the best that runs here for AUTO; portable when the asked one does not run here. */
const struct json_engine *dp_json_engine(enum dp_scan_engine engine);

/* ---- shapes ---- */

#define JSON_SHAPE_SETS 32u     /* a shape's place is in the set of its hash */
#define JSON_SHAPE_WAYS 4u      /* so many are remembered in each */
#define JSON_SHAPE_TOKENS 1024u /* longer lines are walked each time */
#define JSON_SEEN 1024u
#define JSON_KEYSETS 8u
#define JSON_RECENT 8u

struct json_keyset {
    uint64_t id; /* 0: empty */
    uint32_t n;
    bool unique; /* no name twice */
    struct dp_buf text; /* names with their quotes, one after the other */
};

struct json_shapes {
    struct json_shape *slot[JSON_SHAPE_SETS][JSON_SHAPE_WAYS];
    uint8_t turn[JSON_SHAPE_SETS]; /* which one goes next */
    struct json_shape *recent[JSON_RECENT]; /* tried in this order, without a hash; most lines have the first */
    struct json_shape *other;               /* that of the line before; when another than the first has two lines in a row it becomes the first */
    uint32_t seen[JSON_SEEN]; /* high half of hashes of shapes seen once */
    struct json_keyset keyset[JSON_KEYSETS];
    uint64_t next_id;
    uint64_t shape_id; /* the latest; begins anywhere, so that no two scanners have the same */
    unsigned next_keyset, last_keyset;
};

void json_shapes_release(struct json_shapes *s);
/* All bytes of keys that are longer than a head. */
bool json_long_keys_are(const struct json_shape *sh, const uint32_t *pos, const char *base);
/* The shape of these classes, NULL when there is none; *hash is set. */
struct json_shape *json_shapes_find(struct json_shapes *s, const struct json_engine *e, const uint8_t *cls, size_t n_tok,
                                    uint64_t *hash);
/* The shape of the line that begins at c (n_tok tokens are there), of those that lines had lately, but for the first; NULL: none of them. */
struct json_shape *json_shapes_recent(struct json_shapes *s, const struct json_engine *e, const uint8_t *cls, size_t n_tok);
/* True when a line with this hash was seen before, so that a shape is worth making. */
bool json_shapes_seen(struct json_shapes *s, uint64_t hash);
/* Makes a shape from a line just walked; place[i] belongs to r->nodes[i]. */
void json_shapes_add(struct json_shapes *s, const struct json_engine *e, uint64_t hash, const uint8_t *cls, size_t n_tok,
                     const struct json_place *place, const struct dp_record *r, uint64_t keyset);
/* The shape's keys become those of r. */
void json_shape_set_keys(struct json_shapes *s, struct json_shape *sh, const struct dp_record *r, uint64_t keyset);
/* The set of the record's top-level names, in order; made when it is new (*is_new). */
struct json_keyset *json_keyset_of(struct json_shapes *s, const struct dp_record *r, bool *is_new);

#endif

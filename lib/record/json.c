/*
 * NDJSON scanner: lines, the walk from tokens to nodes, and what the tokens don't tell (escapes, UTF-8, equal keys).
 * Grammar: RFC 8259; strict but for one free choice, lone surrogate escapes, which are taken (and decode to U+FFFD).
 * Stage 1 is in simd_json.c; it runs over windows of the chunk, just ahead of the walk, so that tokens stay in the cache.
 * Does not convert values and does not strip a byte order mark.
 */
#include <dp/base/file.h>
#include <dp/base/map.h>
#include <stdio.h>

#include "json_priv.h"

#define WINDOW_BLOCKS 256u /* 16 KiB of text; with its tokens it stays in the first two caches */
#define SLACK 64u          /* vectors are read and stored whole */

struct dp_scan {
    const struct json_engine *engine;
    uint64_t max_record;
    struct json_stage lines, value;
    size_t tok;            /* first token not yet taken */
    uint32_t line_off, line_no;
    size_t long_end;       /* end of the line whose blanks make it longer than a record; 0: none */
    bool has_last;         /* the chunk had a record before */
    uint64_t last_keyset;
    struct dp_node *nodes; /* in raw_nodes */
    void *raw_nodes;
    size_t cap_nodes;
    struct json_place *place;
    size_t cap_place;
    struct json_shapes shapes;
    bool has_need; /* the string that a top-level field must be */
    struct dp_buf need_name, need_text;
    struct dp_buf text[2]; /* decoded keys */
    struct dp_map names;
    uint32_t open[DP_LIMIT_DEPTH + 1]; /* containers around the walk's place */
    uint32_t members[DP_LIMIT_DEPTH + 1];
};

static void stage_release(struct json_stage *st) {
    free(st->pos);
    free(st->cls);
    free(st->special);
}

static void stage_begin(struct json_stage *st, const char *p, size_t n, bool lines) {
    st->p = p;
    st->n = n;
    st->lines = lines;
    st->at = 0;
    st->in_string = st->escape = st->scalar = st->needed = st->decimal = st->zero = 0;
    st->n_tok = st->n_block = st->origin = 0;
}

/* Room for what `blocks` more blocks can yield, and one end token. */
static void stage_room(struct json_stage *st, size_t blocks) {
    size_t tokens = st->n_tok + blocks * JSON_BLOCK + SLACK + 1;
    if (tokens > st->cap_tok) {
        size_t cap = st->cap_tok;
        st->pos = dp_grow(st->pos, &cap, tokens, sizeof *st->pos);
        st->cls = dp_realloc_array(st->cls, cap, 1);
        st->cap_tok = cap;
    }
    st->special = dp_grow(st->special, &st->cap_block, st->n_block + blocks + 16, sizeof *st->special);
}

/* Ends the text: one more token at n. */
static void stage_end(struct json_stage *st) {
    uint8_t cls = st->lines ? '\n' : 0;
    /* a minus or a point with nothing behind it: say so as stage 1 does (a line can't end like that: it is an object) */
    if (!st->lines && st->n_tok && st->pos[st->n_tok - 1] == st->n - 1) {
        uint8_t last = st->cls[st->n_tok - 1];
        if (last == '.' || (last == '0' && st->p[st->n - 1] == '-')) cls = '0';
    }
    st->pos[st->n_tok] = (uint32_t)st->n;
    st->cls[st->n_tok++] = cls;
}

/* Is there a backslash or a byte above 0x7f in text[from..to)?  May also say yes for one in the blocks around. */
static inline bool stage_near(const struct json_stage *st, size_t from, size_t to) {
    const uint64_t *a = st->special + (from - st->origin) / JSON_BLOCK, *b = st->special + (to - 1 - st->origin) / JSON_BLOCK;
    uint64_t any = *b;
    for (; a < b; a++) any |= *a;
    return any != 0;
}

/* The same, exactly. */
static inline bool stage_any(const struct json_stage *st, size_t from, size_t to) {
    if (from >= to) return false;
    from -= st->origin;
    to -= st->origin;
    size_t a = from / JSON_BLOCK, b = (to - 1) / JSON_BLOCK;
    uint64_t first = ~UINT64_C(0) << from % JSON_BLOCK, last = ~UINT64_C(0) >> (JSON_BLOCK - 1 - (to - 1) % JSON_BLOCK);
    const uint64_t *mask = st->special;
    if (a == b) return (mask[a] & first & last) != 0;
    if (mask[a] & first) return true;
    for (size_t i = a + 1; i < b; i++)
        if (mask[i]) return true;
    return (mask[b] & last) != 0;
}

/* ---- errors ---- */

static enum dp_status bad(struct dp_err *err, uint32_t at, const char *what) {
    dp_err_set(err, DP_RECORD, "%s", what);
    if (err) err->offset = at;
    return DP_RECORD;
}

struct walk {
    struct dp_scan *s;
    const uint32_t *pos;
    const uint8_t *cls;
    uint32_t last;            /* number of the end token */
    uint32_t t;               /* next token */
    uint32_t n;               /* nodes made */
    struct json_place *place; /* NULL: not wanted */
    struct dp_err *err;
};

static unsigned char text_at(const struct walk *w, uint32_t at) {
    const struct json_stage *st = w->pos == w->s->value.pos ? &w->s->value : &w->s->lines;
    return (unsigned char)st->p[at];
}

/* "expected X, got Y" at the next token. */
static enum dp_status expected(const struct walk *w, const char *what) {
    char got[32];
    unsigned char c = w->t == w->last ? 0 : text_at(w, w->pos[w->t]);
    if (w->t == w->last) snprintf(got, sizeof got, "the end");
    else if (c > ' ' && c < 0x7f) snprintf(got, sizeof got, "'%c'", c);
    else snprintf(got, sizeof got, "byte 0x%02x", c);
    dp_err_set(w->err, DP_RECORD, "expected %s, got %s", what, got);
    if (w->err) w->err->offset = w->pos[w->t];
    return DP_RECORD;
}

/* ---- the walk ---- */

static inline __attribute__((always_inline)) struct dp_node *add_node(struct walk *w, uint32_t a, uint32_t b, unsigned kind,
                                                                      unsigned flags, uint32_t depth) {
    if (w->place) w->place[w->n] = (struct json_place){a, b};
    struct dp_node *node = &w->s->nodes[w->n++];
    node->off = w->pos[a];
    node->len = w->pos[b] - w->pos[a];
    node->next = w->n;
    node->kind = (uint8_t)kind;
    node->flags = (uint8_t)flags;
    node->depth = (uint16_t)depth;
    return node;
}

static enum dp_status bad_string(const struct walk *w) {
    uint32_t at = w->t + 1; /* the token where the closing quote should be */
    if (at >= w->last) return bad(w->err, w->pos[w->t], "a string is not closed");
    dp_err_set(w->err, DP_RECORD, "control byte 0x%02x in a string", w->cls[at]);
    if (w->err) w->err->offset = w->pos[at];
    return DP_RECORD;
}

static inline __attribute__((always_inline)) enum dp_status walk_string(struct walk *w, unsigned flags, uint32_t depth) {
    if (w->cls[w->t + 1] != '"') return bad_string(w);
    struct dp_node *node = add_node(w, w->t, w->t + 1, DP_KIND_STRING, flags | DP_NODE_ASCII, depth);
    node->off++;
    node->len--;
    w->t += 2;
    return DP_OK;
}

/* A scalar ends at the next token; a blank there is passed over. */
static inline __attribute__((always_inline)) void pass_blank(struct walk *w) {
    uint8_t c = w->cls[w->t];
    if (c <= ' ' && w->t != w->last && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) w->t++;
}

/* The number at `from` has a '0' token next: a second digit behind a zero, or no digit behind a minus. */
static enum dp_status bad_number(const struct walk *w, uint32_t from) {
    uint32_t at = w->pos[from];
    if (text_at(w, at) == '-' && w->pos[w->t] == at + 1) return expected(w, "a digit behind '-'");
    return bad(w->err, at, "a number begins with a zero");
}

static inline __attribute__((always_inline)) enum dp_status walk_number(struct walk *w, uint32_t depth) {
    const uint8_t *c = w->cls;
    uint32_t from = w->t++;
    unsigned flags = DP_NODE_INTEGER;
    if (c[w->t] == '0') return bad_number(w, from);
    if (c[w->t] == '.') {
        flags = 0;
        if (c[++w->t] == '0') return expected(w, "a digit behind the point");
    }
    if ((c[w->t] | 0x20) == 'e') {
        flags = 0;
        w->t++;
        if (c[w->t] == '+' || c[w->t] == '-') w->t++;
        if (c[w->t] != '0') return expected(w, "a digit in the exponent");
        w->t++;
        if (c[w->t] == '0') w->t++; /* zeros may lead there */
    }
    add_node(w, from, w->t, DP_KIND_NUMBER, flags, depth);
    pass_blank(w);
    return DP_OK;
}

static inline __attribute__((always_inline)) enum dp_status walk_literal(struct walk *w, uint32_t depth) {
    const uint8_t *c = w->cls + w->t;
    uint32_t from = w->t;
    unsigned kind = DP_KIND_NONE, n = 4;
    if (c[0] == 't' && c[1] == 'r' && c[2] == 'u' && c[3] == 'e') kind = DP_KIND_TRUE;
    else if (c[0] == 'n' && c[1] == 'u' && c[2] == 'l' && c[3] == 'l') kind = DP_KIND_NULL;
    else if (c[0] == 'f' && c[1] == 'a' && c[2] == 'l' && c[3] == 's' && c[4] == 'e') kind = DP_KIND_FALSE, n = 5;
    else if (c[0] == '-') return w->t++, expected(w, "a digit behind '-'");
    else return expected(w, "a value");
    w->t += n;
    add_node(w, from, w->t, kind, 0, depth);
    pass_blank(w);
    return DP_OK;
}

static inline __attribute__((always_inline)) enum dp_status walk_scalar(struct walk *w, uint32_t depth) {
    uint8_t c = w->cls[w->t];
    if (c == '"') return walk_string(w, 0, depth);
    if (c == '0') return walk_number(w, depth);
    return walk_literal(w, depth);
}

/* One JSON text from token w->t on.  The stack holds only what is open, so hostile depth costs nothing but an error. */
static enum dp_status walk_text(struct walk *w) {
    struct dp_scan *s = w->s;
    uint32_t depth = 0; /* containers open */
    bool in_object = false;
value:
    if (w->cls[w->t] != '{' && w->cls[w->t] != '[') {
        DP_TRY(walk_scalar(w, depth));
        goto behind;
    }
    if (depth == DP_LIMIT_DEPTH) return bad(w->err, w->pos[w->t], "nested too deeply (limit 512)");
    in_object = w->cls[w->t] == '{';
    s->open[depth] = w->n;
    s->members[depth] = 0;
    add_node(w, w->t, w->t, in_object ? DP_KIND_OBJECT : DP_KIND_ARRAY, 0, depth);
    depth++;
    w->t++;
    if (w->cls[w->t] == (in_object ? '}' : ']')) goto close;
    if (!in_object) goto value;
key:
    if (w->cls[w->t] != '"') return expected(w, s->members[depth - 1] ? "a key" : "a key or '}'");
    if (++s->members[depth - 1] > DP_LIMIT_KEYS) return bad(w->err, w->pos[w->t], "too many keys in one object (limit 65536)");
    DP_TRY(walk_string(w, DP_NODE_KEY, depth));
    if (w->cls[w->t] != ':') return expected(w, "':' after a key");
    w->t++;
    s->nodes[w->n - 1].next = w->n + 1; /* right for scalars; containers mend it when they close */
    goto value;
behind:
    if (depth == 0) goto end;
    if (w->cls[w->t] == ',') {
        w->t++;
        if (in_object) goto key;
        goto value;
    }
    if (w->cls[w->t] != (in_object ? '}' : ']')) return expected(w, in_object ? "',' or '}'" : "',' or ']'");
close:;
    uint32_t o = s->open[--depth];
    struct dp_node *box = &s->nodes[o];
    if (w->place) w->place[o].b = w->t;
    box->len = w->pos[w->t] + 1 - box->off;
    box->next = w->n;
    w->t++;
    in_object = false;
    if (depth) {
        in_object = s->nodes[s->open[depth - 1]].kind == DP_KIND_OBJECT;
        if (in_object) s->nodes[o - 1].next = w->n;
    }
    goto behind;
end:
    if (w->t != w->last) return expected(w, "the end of the text");
    return DP_OK;
}

/* ---- strings ---- */

static bool is_hex(unsigned char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/* Checks the escapes of a string (RFC 8259 section 7). */
static enum dp_status check_escapes(const char *base, const struct dp_node *node, struct dp_err *err) {
    const char *p = base + node->off, *end = p + node->len;
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        uint32_t at = (uint32_t)(p - base);
        char c = p[1]; /* the closing quote at the latest */
        if (c == 'u') {
            for (int i = 2; i < 6; i++)
                if (p + i >= end || !is_hex((unsigned char)p[i])) return bad(err, at, "\\u wants four hex digits");
            p += 6;
        } else if (c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' || c == 't') {
            p += 2;
        } else {
            return bad(err, at, "unknown escape in a string");
        }
    }
    return DP_OK;
}

static bool has_high(const char *p, size_t n) {
    uint64_t word, any = 0;
    for (; n >= 8; p += 8, n -= 8) memcpy(&word, p, 8), any |= word;
    for (; n; p++, n--) any |= (uint64_t)(unsigned char)*p;
    return (any & UINT64_C(0x8080808080808080)) != 0;
}

/* The first and the last such byte of text[from..to); false: there is none. */
static bool stage_span(const struct json_stage *st, size_t from, size_t to, size_t *first, size_t *last) {
    from -= st->origin;
    to -= st->origin;
    size_t a = from / JSON_BLOCK, b = (to - 1) / JSON_BLOCK;
    uint64_t head = ~UINT64_C(0) << from % JSON_BLOCK, tail = ~UINT64_C(0) >> (JSON_BLOCK - 1 - (to - 1) % JSON_BLOCK);
    const uint64_t *mask = st->special;
    for (; a < b && !(mask[a] & head); a++) head = ~UINT64_C(0);
    if (a == b) head &= tail;
    if (!(mask[a] & head)) return false;
    *first = st->origin + a * JSON_BLOCK + (size_t)__builtin_ctzll(mask[a] & head);
    for (; b > a && !(mask[b] & tail); b--) tail = ~UINT64_C(0);
    if (a == b) tail &= head;
    *last = st->origin + b * JSON_BLOCK + (JSON_BLOCK - 1 - (size_t)__builtin_clzll(mask[b] & tail));
    return true;
}

/* Flags of strings in text that has escapes or bytes above 0x7f, and what can be wrong there. */
static __attribute__((noinline)) enum dp_status check_strings(const struct json_stage *st, struct dp_node *nodes, uint32_t n,
                                                              struct dp_err *err) {
    size_t first, last;
    if (!stage_span(st, nodes[0].off, nodes[0].off + (size_t)nodes[0].len, &first, &last)) return DP_OK;
    for (uint32_t i = 0; i < n; i++) {
        struct dp_node *node = &nodes[i];
        size_t from = node->off, to = from + node->len;
        if (to <= first || from > last || node->kind != DP_KIND_STRING || !stage_any(st, from, to)) continue;
        if (has_high(st->p + from, node->len)) {
            node->flags &= (uint8_t)~DP_NODE_ASCII;
            size_t off;
            if (!dp_utf8_valid(st->p + from, node->len, &off)) return bad(err, (uint32_t)(from + off), "invalid UTF-8");
        }
        if (memchr(st->p + from, '\\', node->len)) {
            node->flags |= DP_NODE_ESCAPED;
            DP_TRY(check_escapes(st->p, node, err));
        }
    }
    return DP_OK;
}

/* ---- equal keys ---- */

static struct dp_str key_text(const struct dp_record *r, uint32_t i, struct dp_buf *b) {
    struct dp_str raw = dp_node_str(r, i);
    if (!(r->nodes[i].flags & DP_NODE_ESCAPED)) return raw;
    dp_buf_reset(b);
    dp_json_decode(raw, b);
    return dp_buf_str(b);
}

/* A few bytes tell most keys apart; equal prints are compared. */
static uint32_t key_print(struct dp_str k) {
    uint64_t a = 0, b = 0;
    if (k.n >= 8) memcpy(&a, k.p, 8), memcpy(&b, k.p + k.n - 8, 8);
    else if (k.n) memcpy(&a, k.p, k.n);
    uint64_t h = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15)) ^ k.n) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

#define FEW_KEYS 64u

/* The first key of object o that repeats one before it; 0: none. */
static uint32_t repeated_key(struct dp_scan *s, const struct dp_record *r, uint32_t o) {
    const struct dp_node *nodes = r->nodes;
    uint32_t end = nodes[o].next, print[FEW_KEYS], node[FEW_KEYS], n = 0, i;
    for (i = o + 1; i < end && n < FEW_KEYS; i = nodes[i].next, n++) {
        struct dp_str k = key_text(r, i, &s->text[0]);
        uint32_t h = key_print(k), same = 0;
        for (uint32_t j = 0; j < n; j++) same += print[j] == h;
        if (same)
            for (uint32_t j = 0; j < n; j++)
                if (print[j] == h && dp_str_eq(k, key_text(r, node[j], &s->text[1]))) return i;
        print[n] = h;
        node[n] = i;
    }
    if (i >= end) return 0;
    dp_map_reset(&s->names);
    for (i = o + 1; i < end; i = nodes[i].next) {
        bool is_new;
        dp_map_put(&s->names, key_text(r, i, &s->text[0]), &is_new);
        if (!is_new) return i;
    }
    return 0;
}

/* Looks at each object; `top_unique`: the record's own names are known to differ. */
static void find_repeats(struct dp_scan *s, struct dp_record *r, bool top_unique) {
    r->duplicate_keys = false;
    r->dup_node = 0;
    for (uint32_t i = top_unique ? 1 : 0; i < r->n_nodes; i++) {
        if (r->nodes[i].kind != DP_KIND_OBJECT || r->nodes[i].len < 11) continue; /* {"":0,"":0} has two */
        uint32_t k = repeated_key(s, r, i);
        if (!k || (r->duplicate_keys && k > r->dup_node)) continue;
        r->duplicate_keys = true;
        r->dup_node = k;
    }
}

/* The set of names of a record whose keys may be others than the last one's. */
static struct json_keyset *learn_names(struct dp_scan *s, const struct dp_record *r) {
    bool is_new;
    struct json_keyset *ks = json_keyset_of(&s->shapes, r, &is_new);
    if (is_new) ks->unique = repeated_key(s, r, 0) == 0;
    return ks;
}

/* That, and equal keys anywhere. */
static struct json_keyset *learn_keys(struct dp_scan *s, struct dp_record *r) {
    struct json_keyset *ks = learn_names(s, r);
    find_repeats(s, r, ks->unique);
    return ks;
}

/* ---- lines ---- */

struct dp_scan *dp_scan_open(uint64_t max_record, enum dp_scan_engine engine) {
    struct dp_scan *s = dp_calloc(1, sizeof *s);
    s->engine = dp_json_engine(engine);
    dp_random(&s->shapes.shape_id, sizeof s->shapes.shape_id);
    s->max_record = max_record ? max_record : DP_LIMIT_RECORD;
    return s;
}

void dp_scan_close(struct dp_scan *s) {
    if (!s) return;
    stage_release(&s->lines);
    stage_release(&s->value);
    json_shapes_release(&s->shapes);
    free(s->raw_nodes);
    free(s->place);
    dp_buf_release(&s->text[0]);
    dp_buf_release(&s->text[1]);
    dp_buf_release(&s->need_name);
    dp_buf_release(&s->need_text);
    dp_map_release(&s->names);
    free(s);
}

const char *dp_scan_engine_name(const struct dp_scan *s) { return s->engine->name; }

void dp_scan_begin(struct dp_scan *s, const char *p, size_t n) {
    stage_begin(&s->lines, p, n, true);
    s->tok = 0;
    s->line_off = s->line_no = 0;
    s->long_end = 0;
    s->has_last = false;
}

void dp_scan_need(struct dp_scan *s, struct dp_str name, struct dp_str text) {
    s->has_need = true;
    dp_buf_adds(&s->need_name, name);
    dp_buf_adds(&s->need_text, text);
}

/* Tokens of the line that has begun move to the front; what was taken is dropped. */
static void drop_taken(struct dp_scan *s) {
    struct json_stage *st = &s->lines;
    size_t left = st->n_tok - s->tok;
    memmove(st->pos, st->pos + s->tok, left * sizeof *st->pos);
    memmove(st->cls, st->cls + s->tok, left);
    st->n_tok = left;
    s->tok = 0;
    size_t drop = (s->line_off - st->origin) / JSON_BLOCK;
    if (drop > st->n_block) drop = st->n_block;
    st->n_block -= drop;
    st->origin += drop * JSON_BLOCK;
    memmove(st->special, st->special + drop, st->n_block * sizeof *st->special);
}

/* Bytes of the line without blanks around. */
static void trim(struct dp_record *rec, const char *p, size_t from, size_t to) {
    while (from < to && (p[from] == ' ' || p[from] == '\t' || p[from] == '\r')) from++;
    while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t' || p[to - 1] == '\r')) to--;
    rec->raw = p + from;
    rec->raw_n = to - from;
}

static enum dp_status too_long(struct dp_scan *s, const struct dp_record *rec, struct dp_err *err) {
    dp_err_set(err, DP_RECORD, "a record of %zu bytes (limit %llu)", rec->raw_n, (unsigned long long)s->max_record);
    if (err) err->offset = (uint64_t)(rec->raw - rec->base);
    return DP_RECORD;
}

/* The line that has begun is longer than a record may be.  DP_RECORD: it was passed over without keeping tokens. */
static enum dp_status skip_long(struct dp_scan *s, struct dp_record *rec, struct dp_err *err) {
    struct json_stage *st = &s->lines;
    const char *lf = memchr(st->p + st->at, '\n', st->n - st->at);
    size_t end = lf ? (size_t)(lf - st->p) : st->n;
    trim(rec, st->p, s->line_off, end);
    if (rec->raw_n <= s->max_record) { /* blanks around a record that is short enough */
        s->long_end = end;
        return DP_OK;
    }
    rec->index = s->line_no++;
    rec->line_off = s->line_off;
    /* stage 1 goes on as if the chunk began behind it */
    size_t next = lf ? end + 1 : st->n;
    st->in_string = st->escape = st->scalar = st->needed = st->decimal = st->zero = 0;
    st->n_tok = st->n_block = 0;
    s->tok = 0;
    s->line_off = (uint32_t)next;
    st->at = st->origin = next;
    return too_long(s, rec, err);
}

/* Tokens until the line that has begun is whole; *n_tok: how many it has. DP_END: no more lines. DP_RECORD: it is too long. */
static __attribute__((noinline)) enum dp_status next_line(struct dp_scan *s, uint32_t *n_tok, struct dp_record *rec,
                                                          struct dp_err *err) {
    struct json_stage *st = &s->lines;
    size_t seen = 0; /* tokens of the line that are no line end */
    for (;;) {
        const uint8_t *lf = st->n_tok > s->tok + seen ? memchr(st->cls + s->tok + seen, '\n', st->n_tok - s->tok - seen) : NULL;
        if (lf) {
            *n_tok = (uint32_t)(lf - (st->cls + s->tok)) + 1;
            return DP_OK;
        }
        seen = st->n_tok - s->tok;
        if (st->at >= st->n) {
            if (s->line_off >= st->n) return DP_END;
            stage_room(st, 0);
            stage_end(st);
            continue;
        }
        if (st->at - s->line_off > s->max_record && st->at > s->long_end) DP_TRY(skip_long(s, rec, err));
        if (s->tok) drop_taken(s);
        stage_room(st, WINDOW_BLOCKS);
        s->engine->scan(st, WINDOW_BLOCKS);
    }
}

/* Room for the nodes of so many tokens; what was there is lost. */
static inline void make_room(struct dp_scan *s, size_t tokens) {
    /* at most a node for two tokens, but for containers that a broken text leaves open; and whole vectors */
    size_t want = tokens / 2 + DP_LIMIT_DEPTH + 16;
    if (__builtin_expect(want <= s->cap_nodes, 1)) return;
    s->cap_nodes = want + want / 2;
    free(s->raw_nodes);
    s->nodes = json_alloc_aligned(s->cap_nodes * sizeof *s->nodes, &s->raw_nodes);
}

/* A line that no shape tells about. */
static __attribute__((noinline)) enum dp_status walk_line(struct dp_scan *s, struct dp_record *rec, uint32_t t0, uint32_t n_tok,
                                                          uint64_t hash, struct dp_err *err) {
    struct json_stage *st = &s->lines;
    struct walk w = {.s = s, .pos = st->pos + t0, .cls = st->cls + t0, .last = n_tok - 1, .err = err};
    if (w.cls[0] != '{') return bad(err, w.pos[0], "not an object");
    bool shape = n_tok <= JSON_SHAPE_TOKENS && json_shapes_seen(&s->shapes, hash);
    if (shape) {
        s->place = dp_grow(s->place, &s->cap_place, n_tok / 2 + DP_LIMIT_DEPTH + 16, sizeof *s->place);
        w.place = s->place;
    }
    DP_TRY(walk_text(&w));
    rec->nodes = s->nodes;
    rec->n_nodes = w.n;
    rec->n_members = s->members[0];
    rec->shape = 0;
    if (stage_near(st, s->nodes[0].off, s->nodes[0].off + s->nodes[0].len)) DP_TRY(check_strings(st, s->nodes, w.n, err));
    struct json_keyset *ks = learn_keys(s, rec);
    rec->same_keys = s->has_last && ks->id == s->last_keyset;
    s->last_keyset = ks->id;
    if (shape) json_shapes_add(&s->shapes, s->engine, hash, w.cls, n_tok, s->place, rec, ks->id);
    return DP_OK;
}

/* Where the string that is asked for stands in lines of this shape with these keys. */
static __attribute__((noinline)) void find_need(const struct dp_scan *s, struct json_shape *sh) {
    sh->has_need = true;
    sh->need = 0;
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct json_shape_key *k = &sh->key[i];
        struct dp_str name = dp_str(sh->keys.p + k->off + 1, k->n - 2);
        if (sh->add[k->node].depth != 1) continue;
        if (memchr(name.p, '\\', name.n)) sh->need = UINT32_MAX;
        if (sh->need == 0 && dp_str_eq(name, dp_buf_str(&s->need_name)) && sh->add[k->node + 1].kind == DP_KIND_STRING)
            sh->need = k->node + 1;
    }
    if (sh->dup) sh->need = UINT32_MAX;
}

/* Is the line of this shape another than is asked for?  Told without its nodes, so that a filter that few pass costs little. */
static inline bool skip_line(struct dp_scan *s, struct dp_record *rec, struct json_shape *sh, const uint32_t *pos) {
    const struct json_stage *st = &s->lines;
    if (!sh->has_need) find_need(s, sh);
    if (sh->need == UINT32_MAX || !s->has_last || sh->keyset != s->last_keyset) return false;
    struct json_place v = sh->place[sh->need], box = sh->place[0];
    uint32_t n = pos[v.b] - pos[v.a] - 1; /* between the quotes */
    if (sh->need && n == s->need_text.n && dp_bytes_eq(st->p + pos[v.a] + 1, s->need_text.p, n)) return false;
    uint32_t from = pos[box.a], to = pos[box.b] + 1;
    if (stage_near(st, from, to) || !s->engine->keys(sh, pos, st->p)) return false;
    rec->nodes = NULL;
    rec->n_nodes = 0;
    rec->n_members = sh->n_members;
    rec->shape = 0;
    rec->same_keys = rec->skipped = true;
    rec->duplicate_keys = false;
    rec->dup_node = 0;
    rec->raw = st->p + from;
    rec->raw_n = to - from;
    return true;
}

/* A line whose shape is known. */
static inline enum dp_status fill_line(struct dp_scan *s, struct dp_record *rec, struct json_shape *sh, uint32_t t0,
                                       struct dp_err *err) {
    struct json_stage *st = &s->lines;
    /* stage 1 has passed over the next line some KiB ago: the values there have left the first cache since */
    const char *next = st->p + s->line_off;
    for (uint32_t i = 0; i < 5; i++) __builtin_prefetch(next + 64 * i);
    if (s->has_need && skip_line(s, rec, sh, st->pos + t0)) return DP_OK;
    bool keys = s->engine->fill(sh, st->pos + t0, st->p, s->nodes);
    rec->nodes = s->nodes;
    rec->n_nodes = sh->n_nodes;
    rec->n_members = sh->n_members;
    if (__builtin_expect(stage_near(st, s->nodes[0].off, s->nodes[0].off + s->nodes[0].len), 0))
        DP_TRY(check_strings(st, s->nodes, sh->n_nodes, err));
    if (__builtin_expect(!keys, 0)) json_shape_set_keys(&s->shapes, sh, rec, learn_keys(s, rec)->id);
    rec->shape = sh->id;
    rec->duplicate_keys = sh->dup;
    rec->dup_node = sh->dup_node;
    /* the set may have been dropped and made again since the shape saw it */
    if (__builtin_expect(sh->keyset != s->last_keyset, 0)) sh->keyset = learn_names(s, rec)->id;
    rec->same_keys = s->has_last && sh->keyset == s->last_keyset;
    s->last_keyset = sh->keyset;
    return DP_OK;
}

static void set_line(struct dp_scan *s, struct dp_record *rec, uint32_t end) {
    rec->line_off = s->line_off;
    rec->index = s->line_no++;
    s->line_off = end + 1;
}

/* The record's bytes, when its nodes are there. */
static inline enum dp_status take_line(struct dp_scan *s, struct dp_record *rec) {
    s->has_last = true;
    if (rec->skipped) return DP_OK;
    rec->raw = rec->base + s->nodes[0].off;
    rec->raw_n = s->nodes[0].len;
    return DP_OK;
}

static enum dp_status refuse_line(struct dp_record *rec, uint32_t end, enum dp_status status) {
    trim(rec, rec->base, rec->line_off, end);
    rec->nodes = NULL;
    rec->n_nodes = rec->n_members = 0;
    return status;
}

/* A line that is not like the one before. */
static __attribute__((noinline)) enum dp_status other_line(struct dp_scan *s, struct dp_record *rec, struct dp_err *err) {
    struct json_stage *st = &s->lines;
    uint32_t n_tok = 0, t0, end;
    rec->nodes = NULL;
    rec->n_nodes = rec->n_members = rec->dup_node = 0;
    rec->same_keys = rec->duplicate_keys = false;
    do {
        DP_TRY(next_line(s, &n_tok, rec, err));
        t0 = (uint32_t)s->tok;
        s->tok += n_tok;
        end = st->pos[t0 + n_tok - 1];
        set_line(s, rec, end);
    } while (n_tok == 1); /* blank */
    enum dp_status status;
    uint64_t hash;
    if (end - rec->line_off > s->max_record) {
        trim(rec, st->p, rec->line_off, end);
        if (rec->raw_n > s->max_record) return too_long(s, rec, err);
    }
    make_room(s, n_tok);
    struct json_shape *sh = json_shapes_find(&s->shapes, s->engine, st->cls + t0, n_tok, &hash);
    if (sh) status = fill_line(s, rec, sh, t0, err);
    else status = walk_line(s, rec, t0, n_tok, hash, err);
    return status == DP_OK ? take_line(s, rec) : refuse_line(rec, end, status);
}

enum dp_status dp_scan_next(struct dp_scan *s, struct dp_record *rec, struct dp_err *err) {
    struct json_stage *st = &s->lines;
    struct json_shape *sh = s->shapes.recent[0];
    rec->base = st->p;
    rec->skipped = false;
    size_t t0 = s->tok;
    /* most lines look like the last one, or one before: then no line end needs to be sought */
    size_t left = st->n_tok - t0;
    if (!sh || left < sh->n_tok || !s->engine->match(sh, st->cls + t0)) {
        sh = left ? json_shapes_recent(&s->shapes, s->engine, st->cls + t0, left) : NULL;
        if (!sh) return other_line(s, rec, err);
    } else {
        s->shapes.other = sh;
    }
    uint32_t end = st->pos[t0 + sh->n_tok - 1];
    if (__builtin_expect(end - s->line_off > s->max_record, 0)) return other_line(s, rec, err);
    s->tok = t0 + sh->n_tok;
    set_line(s, rec, end);
    make_room(s, sh->n_tok);
    enum dp_status status = fill_line(s, rec, sh, (uint32_t)t0, err);
    if (__builtin_expect(status != DP_OK, 0)) return refuse_line(rec, end, status);
    return take_line(s, rec);
}

enum dp_status dp_scan_value(struct dp_scan *s, const char *p, size_t n, struct dp_record *rec, struct dp_err *err) {
    struct json_stage *st = &s->value;
    memset(rec, 0, sizeof *rec);
    rec->base = rec->raw = p;
    rec->raw_n = n;
    stage_begin(st, p, n, false);
    if (n > s->max_record) return too_long(s, rec, err);
    while (st->at < n) {
        stage_room(st, WINDOW_BLOCKS);
        s->engine->scan(st, WINDOW_BLOCKS);
    }
    stage_room(st, 0);
    stage_end(st);
    make_room(s, st->n_tok);
    struct walk w = {.s = s, .pos = st->pos, .cls = st->cls, .last = (uint32_t)st->n_tok - 1, .err = err};
    DP_TRY(walk_text(&w));
    uint32_t from = s->nodes[0].off, to = from + s->nodes[0].len;
    if (s->nodes[0].kind == DP_KIND_STRING) from--, to++;
    if (stage_near(st, from, to)) DP_TRY(check_strings(st, s->nodes, w.n, err));
    rec->nodes = s->nodes;
    rec->n_nodes = w.n;
    rec->n_members = s->nodes[0].kind == DP_KIND_OBJECT ? s->members[0] : 0;
    rec->raw = p + from;
    rec->raw_n = to - from;
    find_repeats(s, rec, false);
    return DP_OK;
}

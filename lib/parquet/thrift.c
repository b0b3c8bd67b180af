/*
 * Thrift compact protocol: cursor and appender (spec: thrift-compact-protocol; the subset that Parquet uses).
 * Bounds: every length against the bytes left, nesting against DP_LIMIT_THRIFT_DEPTH.  Does not know any Parquet struct.
 */
#include "thrift_priv.h"

#include <dp/base/limits.h>

void dp_tr_fail(struct dp_tr *t, const char *why) {
    if (!t->fault) t->fault = why;
    t->p = t->end;
}

static uint8_t byte(struct dp_tr *t) {
    if (t->p == t->end) {
        dp_tr_fail(t, "truncated");
        return 0;
    }
    return *t->p++;
}

static uint64_t varint_bytes(struct dp_tr *t, unsigned max_bytes) {
    uint64_t v = 0;
    for (unsigned i = 0; i < max_bytes; i++) {
        uint8_t c = byte(t);
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (!(c & 0x80)) return v;
    }
    dp_tr_fail(t, "number too long");
    return 0;
}

uint64_t dp_tr_varint(struct dp_tr *t) { return varint_bytes(t, 10); }

static int64_t zigzag(uint64_t u) { return (int64_t)(u >> 1 ^ -(u & 1)); }

static size_t length(struct dp_tr *t) {
    uint64_t n = varint_bytes(t, 5);
    if (n > (uint64_t)(t->end - t->p)) {
        dp_tr_fail(t, "length beyond the end");
        return 0;
    }
    return (size_t)n;
}

bool dp_tr_field(struct dp_tr *t, struct dp_tr_struct *s) {
    uint8_t h = byte(t);
    if (t->fault || h == 0) return false;
    s->type = h & 15;
    if (h >> 4) s->id += h >> 4;
    else s->id = (int32_t)(int16_t)zigzag(varint_bytes(t, 3));
    if (s->type == DP_TT_STOP || s->type > DP_TT_UUID) dp_tr_fail(t, "unknown wire type");
    if (s->id >= 0 && s->id < 64) {
        if (s->seen >> s->id & 1) dp_tr_fail(t, "a field stands twice");
        s->seen |= 1ull << s->id;
    }
    return !t->fault;
}

static void skip_bytes(struct dp_tr *t, size_t n) {
    if (n > (size_t)(t->end - t->p)) dp_tr_fail(t, "truncated");
    else t->p += n;
}

static void skip_value(struct dp_tr *t, unsigned type, bool in_list, unsigned depth);

static void skip_list(struct dp_tr *t, unsigned depth) {
    uint8_t h = byte(t);
    uint64_t n = h >> 4;
    if (n == 15) n = varint_bytes(t, 5);
    if (n > (uint64_t)(t->end - t->p)) {
        dp_tr_fail(t, "list longer than the bytes left");
        return;
    }
    while (n-- && !t->fault) skip_value(t, h & 15, true, depth + 1);
}

static void skip_map(struct dp_tr *t, unsigned depth) {
    uint64_t n = varint_bytes(t, 5);
    if (n == 0) return;
    if (n > (uint64_t)(t->end - t->p)) {
        dp_tr_fail(t, "map longer than the bytes left");
        return;
    }
    uint8_t kv = byte(t);
    while (n-- && !t->fault) {
        skip_value(t, kv >> 4, true, depth + 1);
        skip_value(t, kv & 15, true, depth + 1);
    }
}

static void skip_value(struct dp_tr *t, unsigned type, bool in_list, unsigned depth) {
    if (depth > DP_LIMIT_THRIFT_DEPTH) {
        dp_tr_fail(t, "nested too deep");
        return;
    }
    switch (type) {
    case DP_TT_TRUE:
    case DP_TT_FALSE:
        if (in_list) skip_bytes(t, 1);
        return;
    case DP_TT_I8: skip_bytes(t, 1); return;
    case DP_TT_I16:
    case DP_TT_I32:
    case DP_TT_I64: varint_bytes(t, 10); return;
    case DP_TT_DOUBLE: skip_bytes(t, 8); return;
    case DP_TT_BINARY: skip_bytes(t, length(t)); return;
    case DP_TT_LIST:
    case DP_TT_SET: skip_list(t, depth); return;
    case DP_TT_MAP: skip_map(t, depth); return;
    case DP_TT_STRUCT: {
        /* unknown structs may repeat ids for all we know: `seen` is cleared at each field */
        struct dp_tr_struct s = {0};
        while (dp_tr_field(t, &s)) {
            s.seen = 0;
            skip_value(t, s.type, false, depth + 1);
        }
        return;
    }
    case DP_TT_UUID: skip_bytes(t, 16); return;
    default: dp_tr_fail(t, "unknown wire type");
    }
}

void dp_tr_skip(struct dp_tr *t, const struct dp_tr_struct *s) { skip_value(t, s->type, false, 1); }

static bool is_type(struct dp_tr *t, const struct dp_tr_struct *s, unsigned type) {
    if (s->type == type) return true;
    dp_tr_skip(t, s);
    return false;
}

int32_t dp_tr_elem_i32(struct dp_tr *t) {
    uint64_t u = varint_bytes(t, 5);
    if (u > UINT32_MAX) dp_tr_fail(t, "number too large");
    return (int32_t)zigzag(u & UINT32_MAX);
}

int64_t dp_tr_elem_i64(struct dp_tr *t) { return zigzag(dp_tr_varint(t)); }

bool dp_tr_elem_bool(struct dp_tr *t) { return byte(t) == 1; }

struct dp_str dp_tr_elem_bytes(struct dp_tr *t) {
    size_t n = length(t);
    struct dp_str s = dp_str((const char *)t->p, n);
    t->p += n;
    return s;
}

bool dp_tr_i32(struct dp_tr *t, const struct dp_tr_struct *s, int32_t *out) {
    if (!is_type(t, s, DP_TT_I32)) return false;
    *out = dp_tr_elem_i32(t);
    return !t->fault;
}

bool dp_tr_i64(struct dp_tr *t, const struct dp_tr_struct *s, int64_t *out) {
    if (!is_type(t, s, DP_TT_I64)) return false;
    *out = dp_tr_elem_i64(t);
    return !t->fault;
}

bool dp_tr_i8(struct dp_tr *t, const struct dp_tr_struct *s, int8_t *out) {
    if (!is_type(t, s, DP_TT_I8)) return false;
    *out = (int8_t)byte(t);
    return !t->fault;
}

bool dp_tr_bool(struct dp_tr *t, const struct dp_tr_struct *s, bool *out) {
    if (s->type != DP_TT_TRUE && s->type != DP_TT_FALSE) {
        dp_tr_skip(t, s);
        return false;
    }
    *out = s->type == DP_TT_TRUE;
    return true;
}

bool dp_tr_bytes(struct dp_tr *t, const struct dp_tr_struct *s, struct dp_str *out) {
    if (!is_type(t, s, DP_TT_BINARY)) return false;
    *out = dp_tr_elem_bytes(t);
    return !t->fault;
}

bool dp_tr_is_struct(struct dp_tr *t, const struct dp_tr_struct *s) { return is_type(t, s, DP_TT_STRUCT); }

bool dp_tr_list(struct dp_tr *t, const struct dp_tr_struct *s, enum dp_tt type, size_t min_bytes, size_t *n) {
    *n = 0;
    if (s->type != DP_TT_LIST || t->p == t->end) {
        dp_tr_skip(t, s);
        return false;
    }
    unsigned elem = *t->p & 15, is_bool = type == DP_TT_TRUE && (elem == DP_TT_TRUE || elem == DP_TT_FALSE);
    /* some writers give the element type of an empty list as 0 */
    if (elem != type && !is_bool && *t->p >> 4 != 0) {
        dp_tr_skip(t, s);
        return false;
    }
    uint64_t count = *t->p++ >> 4;
    if (count == 15) count = varint_bytes(t, 5);
    if (count > (uint64_t)(t->end - t->p) / min_bytes) {
        dp_tr_fail(t, "list longer than the bytes left");
        return false;
    }
    *n = (size_t)count;
    return true;
}

/* ---- writing ---- */

void dp_tw_varint(struct dp_buf *b, uint64_t v) {
    char *p = dp_buf_reserve(b, 10);
    size_t i = 0;
    for (; v >= 0x80; v >>= 7) p[i++] = (char)(v | 0x80);
    p[i++] = (char)v;
    b->n += i;
}

static uint64_t unzigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }

void dp_tw_head(struct dp_buf *b, int *last, int id, enum dp_tt type) {
    int delta = id - *last;
    if (delta > 0 && delta <= 15) dp_buf_addc(b, (char)(delta << 4 | (int)type));
    else {
        dp_buf_addc(b, (char)type);
        dp_tw_varint(b, unzigzag(id));
    }
    *last = id;
}

void dp_tw_elem_i32(struct dp_buf *b, int32_t v) { dp_tw_varint(b, unzigzag(v)); }
void dp_tw_elem_i64(struct dp_buf *b, int64_t v) { dp_tw_varint(b, unzigzag(v)); }

void dp_tw_elem_bytes(struct dp_buf *b, struct dp_str v) {
    dp_tw_varint(b, v.n);
    dp_buf_adds(b, v);
}

void dp_tw_i32(struct dp_buf *b, int *last, int id, int32_t v) {
    dp_tw_head(b, last, id, DP_TT_I32);
    dp_tw_elem_i32(b, v);
}

void dp_tw_i64(struct dp_buf *b, int *last, int id, int64_t v) {
    dp_tw_head(b, last, id, DP_TT_I64);
    dp_tw_elem_i64(b, v);
}

void dp_tw_i16(struct dp_buf *b, int *last, int id, int16_t v) {
    dp_tw_head(b, last, id, DP_TT_I16);
    dp_tw_elem_i32(b, v);
}

void dp_tw_i8(struct dp_buf *b, int *last, int id, int8_t v) {
    dp_tw_head(b, last, id, DP_TT_I8);
    dp_buf_addc(b, (char)v);
}

void dp_tw_bool(struct dp_buf *b, int *last, int id, bool v) { dp_tw_head(b, last, id, v ? DP_TT_TRUE : DP_TT_FALSE); }

void dp_tw_bytes(struct dp_buf *b, int *last, int id, struct dp_str v) {
    dp_tw_head(b, last, id, DP_TT_BINARY);
    dp_tw_elem_bytes(b, v);
}

void dp_tw_list(struct dp_buf *b, int *last, int id, enum dp_tt type, size_t n) {
    dp_tw_head(b, last, id, DP_TT_LIST);
    if (n < 15) {
        dp_buf_addc(b, (char)(n << 4 | (size_t)type));
        return;
    }
    dp_buf_addc(b, (char)(0xf0 | (int)type));
    dp_tw_varint(b, n);
}

void dp_tw_empty(struct dp_buf *b, int *last, int id) {
    dp_tw_head(b, last, id, DP_TT_STRUCT);
    dp_tw_stop(b);
}

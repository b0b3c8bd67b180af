/*
 * Text of JSON strings: decoding, comparison, length; and reads of small documents by name.
 * RFC 8259 section 7.  A surrogate escape without its other half becomes U+FFFD.
 */
#include <dp/base/num.h>
#include <dp/record/json.h>

static unsigned hex4(const char *p) {
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v & 0xffff;
}

static char *put_utf8(char *o, uint32_t c) {
    if (c < 0x80) {
        *o++ = (char)c;
    } else if (c < 0x800) {
        *o++ = (char)(0xc0 | c >> 6);
        *o++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *o++ = (char)(0xe0 | c >> 12);
        *o++ = (char)(0x80 | (c >> 6 & 0x3f));
        *o++ = (char)(0x80 | (c & 0x3f));
    } else {
        *o++ = (char)(0xf0 | c >> 18);
        *o++ = (char)(0x80 | (c >> 12 & 0x3f));
        *o++ = (char)(0x80 | (c >> 6 & 0x3f));
        *o++ = (char)(0x80 | (c & 0x3f));
    }
    return o;
}

/* The escape at p (a backslash): its code point; *p moves behind it. Checked text, but never read past end. */
static uint32_t take_escape(const char **p, const char *end) {
    const char *q = *p;
    size_t left = (size_t)(end - q);
    if (left < 2) return *p = end, 0xfffd;
    if (q[1] != 'u') {
        *p = q + 2;
        switch (q[1]) {
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        default: return (unsigned char)q[1];
        }
    }
    if (left < 6) return *p = end, 0xfffd;
    uint32_t c = hex4(q + 2);
    *p = q + 6;
    if (c < 0xd800 || c > 0xdfff) return c;
    if (c < 0xdc00 && left >= 12 && q[6] == '\\' && q[7] == 'u') {
        uint32_t low = hex4(q + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *p = q + 12;
            return 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
        }
    }
    return 0xfffd;
}

/*
 * Never longer than the source, but that a cut escape of one byte gives three.  JSON within a string has an escape every few bytes, so eight are looked at
 * and copied at once (what is copied too much is written over, and stays within the source's length) and \" is taken without a call.
 */
size_t dp_json_decode_to(struct dp_str raw, char *to) {
    const uint64_t ones = UINT64_C(0x0101010101010101), slashes = ones * '\\';
    const char *p = raw.p, *end = p + raw.n;
    char *o = to;
    while (p < end) {
        while (end - p >= 8) {
            uint64_t w, x;
            memcpy(&w, p, 8);
            memcpy(o, &w, 8);
            x = w ^ slashes;
            x = (x - ones) & ~x & ones << 7; /* the lowest bit that is set is right; above it there may be others */
            size_t n = x ? (size_t)__builtin_ctzll(x) >> 3 : 8;
            p += n;
            o += n;
            if (x) break;
        }
        while (p < end && *p != '\\') *o++ = *p++;
        if (p == end) break;
        if (end - p > 1 && p[1] == '"') *o++ = '"', p += 2;
        else o = put_utf8(o, take_escape(&p, end));
    }
    return (size_t)(o - to);
}

void dp_json_decode(struct dp_str raw, struct dp_buf *b) {
    if (raw.n) b->n += dp_json_decode_to(raw, dp_buf_reserve(b, raw.n + 4));
}

bool dp_json_equal(struct dp_str raw, uint8_t flags, struct dp_str plain) {
    if (!(flags & DP_NODE_ESCAPED)) return dp_str_eq(raw, plain);
    const char *p = raw.p, *end = p + raw.n, *q = plain.p, *qend = q + plain.n;
    while (p < end) {
        char out[4];
        size_t n = 1;
        if (*p == '\\') n = (size_t)(put_utf8(out, take_escape(&p, end)) - out);
        else out[0] = *p++;
        if ((size_t)(qend - q) < n || memcmp(q, out, n) != 0) return false;
        q += n;
    }
    return q == qend;
}

size_t dp_json_length(struct dp_str raw, uint8_t flags) {
    if ((flags & DP_NODE_ASCII) && !(flags & DP_NODE_ESCAPED)) return raw.n;
    size_t n = 0;
    const char *p = raw.p, *end = p + raw.n;
    while (p < end) {
        if (*p == '\\') {
            take_escape(&p, end);
            n++;
        } else {
            n += ((unsigned char)*p++ & 0xc0) != 0x80;
        }
    }
    return n;
}

uint32_t dp_json_member(const struct dp_record *r, uint32_t object, const char *name) {
    if (object >= r->n_nodes || r->nodes[object].kind != DP_KIND_OBJECT) return 0;
    struct dp_str want = dp_str_z(name);
    for (uint32_t i = object + 1, end = r->nodes[object].next; i < end; i = r->nodes[i].next)
        if (dp_json_equal(dp_node_str(r, i), r->nodes[i].flags, want)) return i + 1;
    return 0;
}

bool dp_json_get_i64(const struct dp_record *r, uint32_t node, int64_t *out) {
    return node < r->n_nodes && r->nodes[node].kind == DP_KIND_NUMBER && dp_parse_i64(dp_node_str(r, node), out);
}

bool dp_json_get_bool(const struct dp_record *r, uint32_t node, bool *out) {
    if (node >= r->n_nodes) return false;
    uint8_t kind = r->nodes[node].kind;
    if (kind != DP_KIND_TRUE && kind != DP_KIND_FALSE) return false;
    *out = kind == DP_KIND_TRUE;
    return true;
}

bool dp_json_get_string(const struct dp_record *r, uint32_t node, struct dp_buf *b) {
    if (node >= r->n_nodes || r->nodes[node].kind != DP_KIND_STRING) return false;
    if (r->nodes[node].flags & DP_NODE_ESCAPED) dp_json_decode(dp_node_str(r, node), b);
    else dp_buf_adds(b, dp_node_str(r, node));
    return true;
}

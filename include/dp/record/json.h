/*
 * In-place scanner for NDJSON: strict RFC 8259, UTF-8 checked, depth bounded, numbers kept as spelled.
 *
 * A chunk is scanned in two steps.  The first runs over it with the widest SIMD that the processor has (a portable twin
 * gives the same result), some KiB ahead of the second, and finds structural bytes, string ends, line ends and control
 * bytes in strings.  dp_scan_next then lays the values of one record out as a tape of nodes in document order: lines
 * whose structure was met before are not parsed again.  Nothing is copied or converted: a node is a place in the chunk.
 * Lone surrogate escapes are taken.  An LF always ends a line, also where a string is open; the next line is not harmed.
 * A record of B bytes may need 16 bytes for each two of its tokens, so at worst 8 * B + 5 * B of memory.
 *
 * Call order: dp_scan_open; for each chunk dp_scan_begin, then dp_scan_next until DP_END; dp_scan_close.
 */
#ifndef DP_RECORD_JSON_H
#define DP_RECORD_JSON_H

#include <dp/base/buf.h>
#include <dp/base/limits.h>

/* A chunk must be followed by this many readable bytes (their content does not matter). */
#define DP_SCAN_PAD 64

enum dp_kind { DP_KIND_NONE, DP_KIND_NULL, DP_KIND_FALSE, DP_KIND_TRUE, DP_KIND_NUMBER, DP_KIND_STRING, DP_KIND_OBJECT, DP_KIND_ARRAY };

#define DP_NODE_KEY 1u      /* the name of a member; its value is the next node */
#define DP_NODE_ESCAPED 2u  /* string with a backslash: decode before comparing */
#define DP_NODE_INTEGER 4u  /* number spelled without fraction and exponent */
#define DP_NODE_ASCII 8u    /* string without bytes above 0x7f (only set where it is known) */

struct dp_node {
    uint32_t off;  /* from the chunk's start; strings: behind the opening quote */
    uint32_t len;  /* strings: without the quotes; containers: with their brackets */
    uint32_t next; /* index of the node behind this value (a key's next is behind its value) */
    uint8_t kind;  /* enum dp_kind; keys are DP_KIND_STRING with DP_NODE_KEY */
    uint8_t flags;
    uint16_t depth; /* 0 = the record itself */
};

/* One record: borrowed until the next dp_scan_next. */
struct dp_record {
    const char *base;            /* the chunk */
    const struct dp_node *nodes; /* nodes[0] is the object; its members are key, value, key, value ... */
    uint32_t n_nodes;
    uint32_t n_members;          /* of the top-level object */
    const char *raw;             /* the record's bytes: from `{` to `}`, without blanks around and the newline */
    size_t raw_n;
    uint32_t index;              /* number of the line in the chunk, from 0, counting bad and blank ones */
    uint32_t line_off;           /* where the line starts in the chunk */
    uint64_t shape;              /* not 0: all records with this number have the same keys at the same nodes, whichever scanner they come from */
    bool same_keys;              /* the top-level keys are those of the record before (since dp_scan_begin), in the same order */
    bool skipped;                /* it can't be what dp_scan_need asks for: nodes is NULL, same_keys is true, no key stands twice */
    bool duplicate_keys;         /* at any depth, compared decoded; first key that is one twice in dup_node */
    uint32_t dup_node;
};

static inline struct dp_str dp_node_str(const struct dp_record *r, uint32_t i) {
    return (struct dp_str){r->base + r->nodes[i].off, r->nodes[i].len};
}

struct dp_scan;

enum dp_scan_engine { DP_SCAN_AUTO, DP_SCAN_PORTABLE, DP_SCAN_SSE42, DP_SCAN_AVX2, DP_SCAN_AVX512, DP_SCAN_AVX512_WIDE, DP_SCAN_NEON };

/* max_record in bytes; engine other than AUTO is for tests (falls back to PORTABLE when not available). */
struct dp_scan *dp_scan_open(uint64_t max_record, enum dp_scan_engine engine);
void dp_scan_close(struct dp_scan *s);
const char *dp_scan_engine_name(const struct dp_scan *s);

/* Borrows p[0..n) until the next begin; p[n..n+DP_SCAN_PAD) must be readable. n < 4 GiB. */
void dp_scan_begin(struct dp_scan *s, const char *p, size_t n);

/*
 * Only records whose top-level field `name` is the string `text` are wanted (both decoded, copied).  Where another record is told by its
 * bytes at once it comes as `skipped`: read and found good, but without nodes.  Before the first begin; once.
 */
void dp_scan_need(struct dp_scan *s, struct dp_str name, struct dp_str text);

/*
 * DP_OK: *rec is a record.  DP_RECORD: this line is bad (err->msg says why, err->offset is the byte in the chunk,
 * rec->raw, raw_n, index and line_off hold the line); go on with the next call.  DP_END: no more lines.
 * Blank lines (only spaces, tabs, CR) are passed over.  A line may end in CRLF.  A line whose first byte is not `{`
 * (after blanks) is DP_RECORD "not an object".
 */
enum dp_status dp_scan_next(struct dp_scan *s, struct dp_record *rec, struct dp_err *err) DP_MUST_CHECK;

/*
 * One JSON text of any kind (not only an object), for documents, contracts' values and tests; the same grammar.
 * p[n..n+DP_SCAN_PAD) must be readable.  Blanks (LF among them) around it are allowed, anything else is DP_RECORD.
 * The record of an earlier call ends; the lines of dp_scan_begin go on afterwards.
 */
enum dp_status dp_scan_value(struct dp_scan *s, const char *p, size_t n, struct dp_record *rec, struct dp_err *err) DP_MUST_CHECK;

/* Decodes a string's content (between its quotes) to UTF-8 behind b's content. A lone surrogate escape becomes U+FFFD. */
void dp_json_decode(struct dp_str raw, struct dp_buf *b);
/* The same to raw.n + 4 bytes at `to`; the length is returned. */
size_t dp_json_decode_to(struct dp_str raw, char *to);
/* True when the decoded string equals `plain`. */
bool dp_json_equal(struct dp_str raw, uint8_t flags, struct dp_str plain);
/* Number of code points of the decoded string. */
size_t dp_json_length(struct dp_str raw, uint8_t flags);

/* Is it valid UTF-8 (no surrogates, no overlong forms)?  SIMD where there is. *bad (may be NULL) = first bad byte. */
bool dp_utf8_valid(const char *p, size_t n, size_t *bad);
/* Is no byte of it above 127? */
bool dp_is_ascii(const char *p, size_t n);

/* ---- writing ---- */

/* A JSON string with quotes: escapes quote, backslash and control bytes; text must be UTF-8. */
void dp_json_add_string(struct dp_buf *b, struct dp_str s);
/* The same without the quotes. */
void dp_json_add_escaped(struct dp_buf *b, struct dp_str s);
/* Number or, for NaN and infinities, the string of dp-records(5). */
void dp_json_add_double(struct dp_buf *b, double v);
void dp_json_add_i64(struct dp_buf *b, int64_t v);
/* base64 (or hex) string with quotes */
void dp_json_add_binary(struct dp_buf *b, struct dp_str s, bool hex);

/* ---- reading one small document by name (marks, Delta log lines, headers) ---- */

/* Value of member `name` of object node `object` (decoded comparison): node index, 0 = absent. */
uint32_t dp_json_member(const struct dp_record *r, uint32_t object, const char *name);
/* Typed reads of a node; false when the node has another kind (or does not fit). */
bool dp_json_get_i64(const struct dp_record *r, uint32_t node, int64_t *out);
bool dp_json_get_bool(const struct dp_record *r, uint32_t node, bool *out);
/* Decoded text, appended to `b` and returned as its part; false when it is not a string. */
bool dp_json_get_string(const struct dp_record *r, uint32_t node, struct dp_buf *b);

#endif

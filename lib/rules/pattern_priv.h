/* Inside of patterns: the translator to PCRE2 and the matcher of plain patterns. */
#ifndef DP_RULES_PATTERN_PRIV_H
#define DP_RULES_PATTERN_PRIV_H

#include <dp/base/buf.h>

/* ECMA-262 source to PCRE2 source (options: UTF, DOLLAR_ENDONLY, MATCH_UNSET_BACKREF; no UCP). DP_USAGE with the column. */
enum dp_status dp_pattern_translate(struct dp_str text, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

enum { DP_PLAIN_ELEMENTS = 32, DP_PLAIN_FAST_BYTES = 64 };
#define DP_PLAIN_NO_END UINT32_MAX

/* One character or class with its count. */
struct dp_plain_element {
    uint8_t takes[256]; /* 1: this byte belongs to it */
    uint32_t min, max;  /* max DP_PLAIN_NO_END: any number */
};

/*
 * Classes for the fast twin (simd_plain.c): a class is a union of products of high and low halves of bytes, each product has one bit of eight.
 * A byte belongs to a class when low[its low half] & high[its high half] has one of the class's bits.
 */
struct dp_plain_fast {
    bool usable;
    uint8_t low[16], high[16];
    uint8_t bits[8];                        /* by class */
    uint8_t n_classes, class_of[DP_PLAIN_ELEMENTS];
    size_t fixed;                           /* all counts are fixed: that many bytes; else 0 */
    uint8_t allowed[DP_PLAIN_FAST_BYTES];   /* then by position: its class's bits */
};

struct dp_plain {
    struct dp_plain_element *elements;
    size_t n;
    bool ends;     /* with $ */
    bool backward; /* read from the end */
    struct dp_plain_fast fast;
};

/* NULL: the pattern is not plain. */
struct dp_plain *dp_plain_compile(struct dp_str text);
void dp_plain_free(struct dp_plain *p);
bool dp_plain_match(const struct dp_plain *p, struct dp_str text);
/* The portable twin, byte by byte. */
bool dp_plain_match_bytes(const struct dp_plain *p, struct dp_str text);
/* simd_plain.c: fast.usable where this processor and these classes allow it; then texts of up to DP_PLAIN_FAST_BYTES may be asked there. */
void dp_plain_fast_init(struct dp_plain *p);
bool dp_plain_match_fast(const struct dp_plain *p, struct dp_str text);

#endif

/* Text forms of the rarer values, shared by shred.c, print.c and infer.c. */
#ifndef DP_RECORD_VALUES_PRIV_H
#define DP_RECORD_VALUES_PRIV_H

#include <dp/base/buf.h>

/* IEEE half precision, round to nearest even. */
double dp_half_to_double(uint16_t h);
uint16_t dp_half_from_double(double v);
/* Shortest text that reads back as the same half. */
size_t dp_half_print(char out[32], uint16_t h);

/*
 * The nearest float or half to the decimal text: `v` is its nearest double. Rounding twice is wrong only where v lies exactly
 * between two of the smaller type; there the text itself decides which way v is nudged.  low_bits: 29 for float, 42 for half.
 */
double dp_nudge_tie(double v, struct dp_str text, int low_bits);

bool dp_uuid_parse(struct dp_str s, uint8_t out[16]);
void dp_uuid_print(char out[36], const uint8_t in[16]);

/* ISO 8601 duration to months, days, milliseconds (each u32, little endian): Parquet's INTERVAL. */
bool dp_interval_parse(struct dp_str s, uint8_t out[12]);
void dp_interval_print(const uint8_t in[12], struct dp_buf *b);

/* Strict base64 (RFC 4648 section 4, padded, no stray bits); appends to b.  False: not one, b as it was. */
bool dp_base64_decode(struct dp_str s, struct dp_buf *b);

/* The escape of a byte that can't stand in a JSON string: six bytes at most; returns behind it. */
char *dp_json_put_escape(char *o, unsigned char c);

#endif

/* Numbers: checked arithmetic, parsing and printing in the C locale whatever the process's locale. */
#ifndef DP_BASE_NUM_H
#define DP_BASE_NUM_H

#include <dp/base/buf.h>

__extension__ typedef __int128 dp_i128;
__extension__ typedef unsigned __int128 dp_u128;

/* True on overflow. */
#define dp_add_overflow(a, b, out) __builtin_add_overflow(a, b, out)
#define dp_sub_overflow(a, b, out) __builtin_sub_overflow(a, b, out)
#define dp_mul_overflow(a, b, out) __builtin_mul_overflow(a, b, out)

/* Whole text is a decimal integer ([-+]?[0-9]+, no blanks) that fits; false otherwise. */
bool dp_parse_i64(struct dp_str s, int64_t *out);
bool dp_parse_u64(struct dp_str s, uint64_t *out);
/* Whole text is a JSON-like number (leading zeros allowed), NaN, Infinity or -Infinity; correctly rounded.
   A number beyond the largest double is false: it would be held as something else. */
bool dp_parse_double(struct dp_str s, double *out);

/* At most 20 bytes, no NUL; returns the length. */
extern const char dp_digit_pairs[201]; /* "00" to "99" */
size_t dp_print_u64(char out[20], uint64_t v);
size_t dp_print_i64(char out[20], int64_t v);
/* Shortest text that reads back equal, JSON number syntax ("1.0" prints as "1.0"); NaN and infinities
   print as NaN, Infinity, -Infinity without quotes.  From 1e16 on and below 1e-5 with an exponent.  At most 32 bytes. */
size_t dp_print_double(char out[32], double v);
size_t dp_print_float(char out[32], float v); /* shortest for a float */

/* "64K", "1.5G" (powers of 1024), plain bytes; DP_USAGE on a bare word, a negative or an overflow. */
enum dp_status dp_parse_size(struct dp_str s, uint64_t *bytes, struct dp_err *err) DP_MUST_CHECK;
/* "250ms" "10s" "5m" "2h" "7d" "1w" or ISO 8601 "PT5M" "P1DT2H", to milliseconds; months and years are refused. */
enum dp_status dp_parse_duration(struct dp_str s, int64_t *ms, struct dp_err *err) DP_MUST_CHECK;

#endif

/* Exact decimals: unscaled 128-bit integer and a scale, up to 38 digits; and exact comparison of numbers as spelled. */
#ifndef DP_BASE_DECIMAL_H
#define DP_BASE_DECIMAL_H

#include <dp/base/num.h>

#define DP_DECIMAL_MAX_PRECISION 38

extern const int64_t dp_power_of_ten[19]; /* 10^0 to 10^18 */
/* 10^n, n up to 38. */
static inline dp_i128 dp_power_of_ten_wide(int n) {
    dp_i128 p = dp_power_of_ten[n < 18 ? n : 18];
    if (n > 18) p *= dp_power_of_ten[n < 36 ? n - 18 : 18];
    return n > 36 ? p * dp_power_of_ten[n - 36] : p;
}

struct dp_decimal {
    dp_i128 unscaled; /* value = unscaled * 10^-scale */
    int scale;        /* 0..38 */
};

/* A JSON number (exponent allowed), exactly; false when it is not one or needs more than 38 digits. */
bool dp_decimal_parse(struct dp_str s, struct dp_decimal *out);
/* The same value at `scale`; false when digits other than zero would be lost, or on overflow of `precision` digits. */
bool dp_decimal_rescale(struct dp_decimal d, int precision, int scale, dp_i128 *unscaled);
/* Text with exactly `scale` digits behind the point; at most 48 bytes. */
size_t dp_decimal_print(char out[48], dp_i128 unscaled, int scale);
bool dp_decimal_add(struct dp_decimal a, struct dp_decimal b, struct dp_decimal *out); /* false on overflow */

/* Exact order of two JSON numbers as spelled, of any length and exponent: -1, 0, 1. Both must be valid. */
int dp_number_cmp(struct dp_str a, struct dp_str b);
/* True when the value is a whole number (5, 5.0, 5e3). */
bool dp_number_is_integer(struct dp_str a);

#endif

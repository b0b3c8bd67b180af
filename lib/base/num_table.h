/* Private to lib/base: the table of powers of five that num_double.c works with. */
#ifndef DP_BASE_NUM_TABLE_H
#define DP_BASE_NUM_TABLE_H

#include <stdint.h>

#define DP_POW_MIN (-342)
#define DP_POW_MAX 324

extern const uint64_t dp_pow5[DP_POW_MAX - DP_POW_MIN + 1][2]; /* hi, lo */

#endif

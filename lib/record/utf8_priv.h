/* The block-wise half of UTF-8 validation: simd_utf8.c does whole blocks, utf8.c the rest. */
#ifndef DP_RECORD_UTF8_PRIV_H
#define DP_RECORD_UTF8_PRIV_H

#include <dp/record/json.h>

/* A number of bytes from the start that are whole, valid sequences; the rest is to be looked at byte by byte. */
size_t dp_utf8_good_blocks(const char *p, size_t n);
/* The same for ASCII. */
size_t dp_ascii_blocks(const char *p, size_t n);

#endif

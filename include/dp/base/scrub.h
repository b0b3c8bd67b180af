/*
 * Text that may be shown: without the secrets that it repeats, most often those of a URL that the user gave.
 *
 * Of each URL go user and password (also where a password holds a slash, or the text was cut before the `@`), and the values of parameters whose name
 * announces a secret (token, sig, X-Amz-Signature, ...).  User and password leave nothing behind, a value leaves `***`.
 */
#ifndef DP_BASE_SCRUB_H
#define DP_BASE_SCRUB_H

#include <dp/base/buf.h>

/* DP_SCRUB_URLS: in URLs only, so that messages keep their words.  DP_SCRUB_WORDS: also behind every word that announces a secret (`password: x`), for text that leaves the machine. */
enum dp_scrub { DP_SCRUB_URLS, DP_SCRUB_WORDS };
void dp_scrub(struct dp_str s, enum dp_scrub how, struct dp_buf *out); /* appended to `out` */

#endif

/* MD5 (RFC 1321): a checksum that formats ask for.  It proves nothing against an adversary. */
#ifndef DP_BASE_MD5_H
#define DP_BASE_MD5_H

#include <dp/base/str.h>

/* 32 lower-case hexadecimal digits and NUL. */
void dp_md5_hex(struct dp_str text, char out[33]);

#endif

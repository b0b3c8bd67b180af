/* MD5 (RFC 1321) of a text that is whole in memory, by libcrypto's plain function: the EVP calls pull in the providers, and these may refuse it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <dp/base/crypto.h>
#include <dp/base/md5.h>

#include <openssl/md5.h>

void dp_md5_hex(struct dp_str text, char out[33]) {
    unsigned char sum[MD5_DIGEST_LENGTH];
    MD5((const unsigned char *)(text.n ? text.p : ""), text.n, sum);
    out[dp_hex_print(out, sum, sizeof sum)] = '\0';
}

/* Every codec's blocks from hostile bytes into memory of exactly the stated size.  input: codec, size (2 bytes), then the block. */
#include <dp/parquet/codec.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static struct dp_codec *c; /* contexts are reused from page to page, also after a fault */
    struct dp_err err = DP_ERR_INIT;
    if (n < 3) return 0;
    if (!c) c = dp_codec_open();
    size_t raw = p[1] | (size_t)p[2] << 8;
    uint8_t *out = raw ? malloc(raw) : NULL;
    enum dp_status status = dp_codec_decompress(c, (enum dp_pq_codec)(p[0] % 9), p + 3, n - 3, out, raw, &err);
    if (status != DP_OK && status != DP_FORMAT && status != DP_UNSUPPORTED) abort();
    free(out);
    return 0;
}

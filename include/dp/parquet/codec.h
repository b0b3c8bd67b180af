/*
 * Page compression.  zstd, LZ4_RAW and gzip are linked; snappy and brotli are opened at first use; Hadoop-framed
 * LZ4 is read, never written; LZO is refused by name.
 */
#ifndef DP_PARQUET_CODEC_H
#define DP_PARQUET_CODEC_H

#include <dp/parquet/meta.h>

struct dp_codec; /* contexts of one thread, made at first use */

struct dp_codec *dp_codec_open(void);
void dp_codec_close(struct dp_codec *c);

/*
 * zstd between its levels.  ENTROPY codes the bytes by their frequency and looks for no repeats: random hex digits, addresses and packed codes
 * shrink as much as at level 3, in a fifth of the time.  QUICK looks for repeats of five bytes with one small table: numbers.
 */
enum { DP_ZSTD_ENTROPY = 1001, DP_ZSTD_QUICK = 1002 };

/* Appends the compressed block to out. `level` < 0: the codec's default (zstd 3). */
enum dp_status dp_codec_compress(struct dp_codec *c, enum dp_pq_codec codec, int level, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;
/* The result must be exactly out_n bytes, else DP_FORMAT. */
enum dp_status dp_codec_decompress(struct dp_codec *c, enum dp_pq_codec codec, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) DP_MUST_CHECK;

/* "zstd:3", "snappy", "none" ... DP_USAGE names the nearest right word. */
enum dp_status dp_codec_parse(struct dp_str text, enum dp_pq_codec *codec, int *level, struct dp_err *err) DP_MUST_CHECK;
const char *dp_codec_name(enum dp_pq_codec codec);

#endif

/* What the files of lib/parquet share about metadata: numbers of logical and converted types, pieces of parse and write. */
#ifndef DP_PARQUET_META_PRIV_H
#define DP_PARQUET_META_PRIV_H

#include <dp/base/num.h>
#include <dp/parquet/meta.h>

#include "thrift_priv.h"

enum dp_pq_logical { DP_PQ_L_NONE, DP_PQ_L_STRING, DP_PQ_L_MAP, DP_PQ_L_LIST, DP_PQ_L_ENUM, DP_PQ_L_DECIMAL, DP_PQ_L_DATE, DP_PQ_L_TIME, DP_PQ_L_TIMESTAMP,
    DP_PQ_L_INTERVAL, DP_PQ_L_INTEGER, DP_PQ_L_UNKNOWN, DP_PQ_L_JSON, DP_PQ_L_BSON, DP_PQ_L_UUID, DP_PQ_L_FLOAT16, DP_PQ_L_VARIANT, DP_PQ_L_GEOMETRY,
    DP_PQ_L_GEOGRAPHY, DP_PQ_L_FILE };

enum dp_pq_converted { DP_PQ_C_NONE = -1, DP_PQ_C_UTF8, DP_PQ_C_MAP, DP_PQ_C_MAP_KEY_VALUE, DP_PQ_C_LIST, DP_PQ_C_ENUM, DP_PQ_C_DECIMAL, DP_PQ_C_DATE,
    DP_PQ_C_TIME_MILLIS, DP_PQ_C_TIME_MICROS, DP_PQ_C_TIMESTAMP_MILLIS, DP_PQ_C_TIMESTAMP_MICROS, DP_PQ_C_UINT_8, DP_PQ_C_UINT_16, DP_PQ_C_UINT_32,
    DP_PQ_C_UINT_64, DP_PQ_C_INT_8, DP_PQ_C_INT_16, DP_PQ_C_INT_32, DP_PQ_C_INT_64, DP_PQ_C_JSON, DP_PQ_C_BSON, DP_PQ_C_INTERVAL };

enum { DP_PQ_UNIT_MILLIS = 1, DP_PQ_UNIT_MICROS, DP_PQ_UNIT_NANOS };

/* Statistics; the strings are copied into the arena. The caller sets the absent values (-1) before. */
void dp_pq_read_stats(struct dp_tr *t, struct dp_arena *a, struct dp_pq_stats *x);
int64_t *dp_pq_read_i64_list(struct dp_tr *t, const struct dp_tr_struct *s, struct dp_arena *a, size_t *n);
/* Parents, levels, leaves; elements may be any list. */
enum dp_status dp_pq_derive(struct dp_pq_meta *m, struct dp_err *err) DP_MUST_CHECK;

/* bloom.c: may a value with this XXH64 be in a split-block filter? */
bool dp_pq_bloom_maybe(const uint8_t *bits, size_t n_bytes, uint64_t hash);

#endif

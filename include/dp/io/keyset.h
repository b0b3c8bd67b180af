/*
 * A set of keys of any number in bounded memory, for what must be unique: was this key seen before?
 *
 * A key of up to 15 bytes is held itself, a longer one as 128 bits of a hash with a random seed (n keys collide by accident with probability n^2 / 2^129:
 * 4 * 10^-26 for 5,000,000).  New keys go to a hash table that keeps their order; when it is full it is written to an unlinked file in $TMPDIR
 * as a sorted run, for which an index stays in memory, beside one filter for all runs; runs are merged as they grow in number.
 * Answers depend on the keys alone, never on the seed or the memory.  One thread at a time.
 */
#ifndef DP_IO_KEYSET_H
#define DP_IO_KEYSET_H

#include <dp/base/status.h>
#include <dp/base/str.h>

struct dp_keyset;

/* At most `memory` bytes, at least 1 MiB; nothing of it is taken before keys come. */
struct dp_keyset *dp_keyset_open(uint64_t memory);
void dp_keyset_close(struct dp_keyset *k); /* NULL is legal */

/* Before the first key: the seed of another set, whose keys are ours then; and ours. */
void dp_keyset_set_seed(struct dp_keyset *k, const uint64_t seed[3]);
void dp_keyset_seed(const struct dp_keyset *k, uint64_t seed[3]);

struct dp_key { uint64_t w[2]; };
/* What the set holds for these bytes. Any thread. */
struct dp_key dp_keyset_key(const struct dp_keyset *k, struct dp_str bytes);
/* Adds keys[0..n) in order; seen[i]: it was there before (also earlier in this call). Many keys in a call are faster. DP_IO: the spill could not be written or read. */
enum dp_status dp_keyset_add(struct dp_keyset *k, const struct dp_key *keys, size_t n, bool *seen, struct dp_err *err) DP_MUST_CHECK;
/* Is it there? After the last add, any number of threads. */
enum dp_status dp_keyset_has(struct dp_keyset *k, struct dp_key key, bool *has, struct dp_err *err) DP_MUST_CHECK;
/* The same for keys[0..n). */
enum dp_status dp_keyset_find(struct dp_keyset *k, const struct dp_key *keys, size_t n, bool *has, struct dp_err *err) DP_MUST_CHECK;
/* All keys, some at a time, in no order; the set stays as it is meanwhile. */
enum dp_status dp_keyset_each(const struct dp_keyset *k, enum dp_status (*some)(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err), void *ctx, struct dp_err *err) DP_MUST_CHECK;
uint64_t dp_keyset_count(const struct dp_keyset *k);   /* distinct keys */
uint64_t dp_keyset_spilled(const struct dp_keyset *k); /* bytes written to the spill, merges counted again */

#endif

/*
 * Which classification is the stricter: the one order that contracts, headers of streams, masks and the store of lineage go by (ODCS 3, property `classification`, leaves the words free).
 */
#ifndef DP_RECORD_CLASS_H
#define DP_RECORD_CLASS_H

#include <dp/base/buf.h>

/* From the weakest.  Other words (pii, secret, Public) count as more than these: what is not known is kept closest. */
enum dp_rank { DP_RANK_NONE = -1, DP_RANK_PUBLIC, DP_RANK_INTERNAL, DP_RANK_CONFIDENTIAL, DP_RANK_RESTRICTED, DP_RANK_OTHER };

/* Of a word, byte for byte; p NULL: no class, the empty word is one that is not known. Any thread. */
enum dp_rank dp_class_rank(struct dp_str word);
/* The same of a string that ends in NUL, where NULL and the empty one are no class. */
enum dp_rank dp_class_rank_z(const char *word);
/* Is it more than internal, so that values are not to be shown?  NULL and the empty one: no. */
bool dp_class_is_closed(const char *word);

#endif

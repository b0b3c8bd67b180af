/* The choice of a column chunk's encoding; see choose.c. */
#ifndef DP_PARQUET_CHOOSE_PRIV_H
#define DP_PARQUET_CHOOSE_PRIV_H

#include "enc_priv.h"

/* dict->n > 0: the dictionary that was chosen, in the scratch.  Levels that are compressed with the values, or NULL. */
enum dp_status dp_pq_choose(const struct dp_pq_leaf_opts *o, const struct dp_pq_levels *l, const struct dp_pq_values *v, size_t max_dict_bytes, struct dp_pq_choice *c,
                            struct dp_pq_scratch *s, struct dp_pq_dict *dict, struct dp_err *err) DP_MUST_CHECK;
size_t dp_pq_plain_size(const struct dp_pq_values *v);

#endif

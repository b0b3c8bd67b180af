/* What checkpoint_write.c and hint.c share. */
#ifndef DP_DELTA_CHECKPOINT_PRIV_H
#define DP_DELTA_CHECKPOINT_PRIV_H

#include <dp/record/json.h>

/* What _last_checkpoint says. */
struct dp_delta_checkpoint_hint {
    int64_t version, actions, adds, size_bytes;
    struct dp_str v2_path; /* p NULL: a classic one */
    int64_t v2_size, v2_modified;
};
/* The text, with its checksum. */
void dp_delta_hint_print(const struct dp_delta_checkpoint_hint *h, struct dp_buf *out);

/* The canonical form of a JSON object without its top-level member `checksum`, whose MD5 that is (digest section 6). */
void dp_delta_hint_canonical(const struct dp_record *r, struct dp_buf *out);

#endif

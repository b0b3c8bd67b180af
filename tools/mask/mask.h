/* What the commands of dp-mask share: keys (dp-mask.c, keys.c), and the way back (reveal.c). */
#ifndef MASK_H
#define MASK_H

#include <dp/cli/cli.h>
#include <dp/rules/keyring.h>

#define MASK_KEY_ENV "DP_MASK_KEY"
#define MASK_KEY_FILE_ENV "DP_MASK_KEY_FILE"

extern const struct dp_tool mask_keygen, mask_reveal;

/* The ring of --key-file (NULL: not given), else of the environment, whose text is wiped.  `column` needs it; NULL: none does, and *ring may be NULL.  Caller releases with dp_keyring_free. */
enum dp_status mask_read_ring(const char *file, const char *column, struct dp_keyring **ring, struct dp_err *err) DP_MUST_CHECK;

#endif

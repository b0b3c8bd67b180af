/* Private to lib/io/typed*.c. */
#ifndef DP_IO_TYPED_PRIV_H
#define DP_IO_TYPED_PRIV_H

#include <dp/io/typed.h>

/* Is `to` a type that a column of type `from` may have been widened to? */
bool dp_typed_widens(const struct dp_type *from, const struct dp_type *to);
/* Appends all of in to out, whose type is wider. */
enum dp_status dp_typed_widen(const struct dp_column *in, struct dp_column *out, struct dp_err *err) DP_MUST_CHECK;

#endif

/*
 * Marks that a program holds back because records before them are not out yet (dp(7)): of checkpoints and watermarks the latest of each source and partition.
 */
#ifndef DP_IO_KEPT_MARKS_H
#define DP_IO_KEPT_MARKS_H

#include <dp/io/stream.h>

/* Zero value is empty. */
struct dp_kept_marks {
    struct dp_map watermarks, checkpoints; /* -> the mark's line */
    char *id;                              /* of the latest checkpoint: it stands for the positions of all */
};

/* Copied. False, and nothing is done: it is neither a checkpoint nor a watermark. */
bool dp_kept_marks_add(struct dp_kept_marks *k, const struct dp_mark *m);
/* All go out, checkpoints last and as one row, which ends with the id of the latest; none is left then. */
enum dp_status dp_kept_marks_pass(struct dp_kept_marks *k, struct dp_stream *s, struct dp_err *err) DP_MUST_CHECK;
void dp_kept_marks_release(struct dp_kept_marks *k);

#endif

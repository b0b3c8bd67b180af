/* The header of a stream without marks, handed to the next program beside the pipe (handover.c says how and why). */
#ifndef DP_IO_HANDOVER_H
#define DP_IO_HANDOVER_H

#include <dp/io/run.h>

/* This header stands for what goes to run->out, if lineage is wanted, that is a pipe, and no begin says so in it: it is put down before the first byte goes out. Copied. */
void handover_offer(struct dp_run *run, const struct dp_mark *header);
/* The other end: what the first bytes of standard input (n 0: it is empty) came with.  False: nothing is known.  Caller releases with dp_mark_release. */
bool handover_take(struct dp_str first, struct dp_mark *header);

#endif

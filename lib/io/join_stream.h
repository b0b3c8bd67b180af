/* Private to lib/io/join*.c: the other source as a stream, read as far as the records at hand need it.  One thread, in the order of the records. */
#ifndef DP_IO_JOIN_STREAM_H
#define DP_IO_JOIN_STREAM_H

#include "join_priv.h"

struct join_stream;

/* *ref: columns and clock, the caller's; the stream's until close. */
enum dp_status join_stream_open(struct dp_run *run, const struct join_spec *s, bool follow, int64_t delay_ms, uint64_t memory, struct join_stream **out,
                                struct join_ref **ref, struct dp_err *err) DP_MUST_CHECK;
void join_stream_close(struct join_stream *st); /* NULL is legal */
/* Must the other source be read on, and perhaps waited for, for a record of this time? */
bool join_stream_waits(const struct join_stream *st, struct join_time t);
/* A record of the left side: *late, or all that can match it is there. */
enum dp_status join_stream_reach(struct join_stream *st, struct join_time t, bool *late, struct dp_err *err) DP_MUST_CHECK;
/* No record of the left side before this time will come. */
void join_stream_promise(struct join_stream *st, int64_t ms);
/* Matches by time, those of one time in the order of their arrival. */
enum dp_status join_stream_search(struct join_stream *st, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                                  join_take take, void *ctx, struct dp_err *err) DP_MUST_CHECK;
void join_stream_counts(const struct join_stream *st, struct dp_join_counts *c);

#endif

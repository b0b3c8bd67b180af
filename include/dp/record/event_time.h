/*
 * Event times: when a record says that it happened.  A whole number in a unit (seconds may have a fraction), RFC 3339 text, or a date, which is its midnight.
 * Digits below what is asked for are cut off, towards the past.  No unit and no offset is guessed.
 */
#ifndef DP_RECORD_EVENT_TIME_H
#define DP_RECORD_EVENT_TIME_H

#include <dp/base/zone.h>
#include <dp/record/json.h>

enum dp_event_unit { DP_EVENT_MS, DP_EVENT_S, DP_EVENT_US, DP_EVENT_NS };

struct dp_event_clock {
    enum dp_event_unit unit;    /* of numbers */
    const struct dp_zone *zone; /* of times without an offset; NULL: they are refused, or local */
    bool takes_local;
    int64_t least, most;        /* ms that are taken */
};
/* The milliseconds of the years 0 to 9999, which are all that RFC 3339 can say. */
#define DP_EVENT_LEAST_MS (INT64_C(-62167219200000))
#define DP_EVENT_MOST_MS INT64_C(253402300799999)

/* The latest minute that was read, yyyy-mm-ddThh:mm, and when its day and it began: records of a time come together.  Zero value is none. */
struct dp_event_day { char text[16]; bool is_set; int64_t day_ms, minute_ms; };

/* Milliseconds since 1970 and, within them, nanoseconds; is_local: without an offset, and no zone says where. */
struct dp_event_time { int64_t ms; uint32_t ns; bool is_local; };

/* NULL: *ms is the time.  Else why not.  node 0: it is missing. */
const char *dp_event_time_ms(const struct dp_event_clock *c, struct dp_event_day *day, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, int64_t *ms);
/* The same with all digits. */
const char *dp_event_time_read(const struct dp_event_clock *c, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, struct dp_event_time *t);
/* What is expected, for rejects. */
extern const char dp_event_time_expected[];

#endif

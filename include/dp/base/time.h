/*
 * Times: RFC 3339 (and what the data types of dp-records(5) print), proleptic Gregorian calendar, no
 * time zone database, no clock but the two at the end.  Microseconds since 1970-01-01T00:00:00 in int64.
 */
#ifndef DP_BASE_TIME_H
#define DP_BASE_TIME_H

#include <dp/base/buf.h>

enum dp_time_zone { DP_ZONE_NONE, DP_ZONE_UTC, DP_ZONE_OFFSET }; /* local; Z; +hh:mm (converted to UTC) */

struct dp_timestamp {
    int64_t seconds; /* since the epoch, UTC unless zone is NONE */
    int32_t nanos;   /* 0..999999999; digits beyond nine are refused */
    int digits;      /* digits of the fraction as spelled */
    enum dp_time_zone zone;
    bool leap;       /* spelled :60; seconds holds the following second */
};

/* date "T" (or t, or one blank when `lax`) time [fraction] [zone]; a missing zone only when `lax` or `local_ok`. False: not one. */
bool dp_time_parse(struct dp_str s, bool local_ok, bool lax, struct dp_timestamp *out);
bool dp_date_parse(struct dp_str s, int32_t *days);           /* yyyy-mm-dd */
bool dp_timeofday_parse(struct dp_str s, int64_t *nanos);     /* hh:mm:ss[.f], no zone */
bool dp_time_micros(const struct dp_timestamp *t, int64_t *micros); /* false: overflow, or digits below a microsecond that are not 0 */

/* Each writes at most 40 bytes, no NUL, and returns the length.  digits: 0, 3, 6 or 9 of fraction; -1: as few of 0, 3, 6 (, 9) as hold the value */
size_t dp_time_print_micros(char out[40], int64_t micros, bool utc, int digits);
size_t dp_time_print_nanos(char out[40], int64_t nanos, bool utc, int digits);
size_t dp_date_print(char out[40], int32_t days);
size_t dp_timeofday_print(char out[40], int64_t nanos, int digits);

void dp_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
int64_t dp_days_from_civil(int64_t year, unsigned month, unsigned day);

int64_t dp_time_now_micros(void); /* the wall clock; only cli and commit code may ask */
int64_t dp_time_monotonic_micros(void); /* since some moment, for what lasts or waits */
static inline int64_t dp_time_monotonic_ms(void) { return dp_time_monotonic_micros() / 1000; }

#endif

/*
 * Time zones: rules from the system's zoneinfo files (TZif, RFC 9636, with the footer's rule for later years), never the C library's TZ.
 * And calendar periods of a zone: days, weeks, months as instants.  Milliseconds and seconds since 1970-01-01T00:00:00Z.
 */
#ifndef DP_BASE_ZONE_H
#define DP_BASE_ZONE_H

#include <dp/base/time.h>

struct dp_zone;

/*
 * "Europe/Berlin", "UTC" (which needs no file), or a fixed offset "+08:00".  Names with "..", a leading "/" or odd bytes are DP_USAGE, as are those that are nowhere
 * (the nearest is told); looked for in $TZDIR, else in the usual directories.  DP_FORMAT: the file is damaged.  DP_UNSUPPORTED: its times count leap seconds.
 */
enum dp_status dp_zone_open(const char *name, struct dp_zone **out, struct dp_err *err) DP_MUST_CHECK;
/* The same from the bytes of a zoneinfo file, which are not needed afterwards. */
enum dp_status dp_zone_read(const char *name, struct dp_str bytes, struct dp_zone **out, struct dp_err *err) DP_MUST_CHECK;
void dp_zone_close(struct dp_zone *z); /* NULL is legal */
const char *dp_zone_name(const struct dp_zone *z);
/* What tells one edition of its rules from another, for checkpoints: a hash of what the rules say, whether the file spells years out or leaves them to its footer. */
uint64_t dp_zone_edition(const struct dp_zone *z);
/* Seconds to add to UTC at that instant: those of the file's first type before its first transition, of the footer's rule behind the last. */
int32_t dp_zone_offset(const struct dp_zone *z, int64_t seconds);
/* The first instant whose local date and time is at or behind this local one (seconds as if UTC): the earlier of two, the end of a gap for one that does not exist. */
int64_t dp_zone_instant(const struct dp_zone *z, int64_t local_seconds);

enum dp_calendar { DP_CALENDAR_DAY, DP_CALENDAR_WEEK, DP_CALENDAR_MONTH };
/*
 * The period that t is in, in ms: [*start, *end), never empty; periods follow each other without gaps.  A day is from the first instant of its date to that of the next
 * date that exists (where clocks go back over midnight, what is repeated of the old date belongs to the new day); week_start 1 (Monday) to 7.  False: beyond int64.
 * Some hundred ns: who asks for many times in a row keeps the last answer.
 */
bool dp_zone_period(const struct dp_zone *z, enum dp_calendar unit, int week_start, int64_t t, int64_t *start, int64_t *end) DP_MUST_CHECK;

#endif

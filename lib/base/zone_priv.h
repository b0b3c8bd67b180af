/* The two halves of zones: their rules (zone.c) and the files that these come from (zone_file.c). */
#ifndef DP_BASE_ZONE_PRIV_H
#define DP_BASE_ZONE_PRIV_H

#include <dp/base/zone.h>

/* More than clocks differ from UTC by anywhere, or may in a file (RFC 9636: less than 26 hours). */
#define DP_ZONE_OFFSET_MAX (26 * 3600)

/* The day of a year on which a rule changes the clock: POSIX's Jn (1 to 365, never the leap day), n (0 to 365), Mm.w.d. */
enum dp_zone_day { DP_ZONE_DAY_JULIAN, DP_ZONE_DAY_NUMBER, DP_ZONE_DAY_OF_MONTH };
struct dp_zone_change {
    enum dp_zone_day kind;
    unsigned day, month, week; /* day: of the year, or of the week from Sunday = 0 */
    int32_t time;              /* seconds of the local clock from midnight; may be below 0 and beyond a day */
};

/* What holds behind the last transition. */
struct dp_zone_rule {
    bool has_dst;
    int32_t std, dst; /* seconds to add to UTC */
    struct dp_zone_change to_dst, to_std;
};

struct dp_zone {
    char *name;
    uint64_t edition;
    int32_t first; /* before times[0] */
    bool has_rule;
    struct dp_zone_rule rule; /* from the last transition on, where there is one */
    size_t n;
    int64_t *times;   /* ascending */
    int32_t *offsets; /* from times[i] on */
};

/* A stretch of time with one offset: it ends before `end`, INT64_MAX: never.  Another with the same offset may follow. */
struct dp_zone_stretch { int32_t offset; int64_t end; };
struct dp_zone_stretch dp_zone_rule_at(const struct dp_zone_rule *r, int64_t t);

#endif

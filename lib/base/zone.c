/*
 * What the clocks of a zone show, and its calendar periods (dp/base/zone.h; rules of years behind the transitions: POSIX.1, TZ).  Periods are told by their first
 * instants alone, so days of 23, 24.5 or 25 hours and dates that do not exist need no case of their own.  Where zones come from is in zone_file.c.
 */
#include "zone_priv.h"

#include <stdlib.h>

enum { DAY = 86400 };
#define CYCLE (INT64_C(146097) * DAY) /* 400 years: the calendar and its weekdays repeat */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t add_or_max(int64_t a, int64_t b) {
    int64_t v;
    return __builtin_add_overflow(a, b, &v) ? (b < 0 ? INT64_MIN : INT64_MAX) : v;
}

void dp_zone_close(struct dp_zone *z) {
    if (!z) return;
    free(z->name), free(z->times), free(z->offsets);
    free(z);
}

const char *dp_zone_name(const struct dp_zone *z) { return z->name; }
uint64_t dp_zone_edition(const struct dp_zone *z) { return z->edition; }

/* ---- the rule of the footer ---- */

static bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* Local seconds at which the clock is changed in a year. */
static int64_t change_in(const struct dp_zone_change *c, int64_t year) {
    int64_t day = dp_days_from_civil(year, 1, 1);
    switch (c->kind) {
    case DP_ZONE_DAY_JULIAN: day += (int64_t)c->day - 1 + (c->day >= 60 && is_leap(year)); break;
    case DP_ZONE_DAY_NUMBER: day += c->day; break;
    case DP_ZONE_DAY_OF_MONTH: {
        int64_t next = c->month == 12 ? dp_days_from_civil(year + 1, 1, 1) : dp_days_from_civil(year, c->month + 1, 1);
        day = dp_days_from_civil(year, c->month, 1);
        day += (c->day + 7 - (unsigned)((day % 7 + 11) % 7)) % 7; /* 1970-01-01 was a Thursday */
        day += 7 * ((int64_t)c->week - 1);
        if (day >= next) day -= 7;
        break;
    }
    }
    return day * DAY + c->time;
}

/* t of the years 2370 to 2770. */
static struct dp_zone_stretch stretch_near(const struct dp_zone_rule *r, int64_t t) {
    int64_t year;
    unsigned month, day;
    dp_civil_from_days(floor_div(t + r->std, DAY), &year, &month, &day);
    int64_t to_dst = change_in(&r->to_dst, year) - r->std, to_std = change_in(&r->to_std, year) - r->dst;
    bool is_dst = to_dst < to_std ? t >= to_dst && t < to_std : t < to_std || t >= to_dst;
    int64_t end = dp_days_from_civil(year + 1, 1, 1) * DAY - r->std;
    if (to_dst > t && to_dst < end) end = to_dst;
    if (to_std > t && to_std < end) end = to_std;
    return (struct dp_zone_stretch){is_dst ? r->dst : r->std, end};
}

struct dp_zone_stretch dp_zone_rule_at(const struct dp_zone_rule *r, int64_t t) {
    if (!r->has_dst) return (struct dp_zone_stretch){r->std, INT64_MAX};
    int64_t within = t % CYCLE + (t % CYCLE < 0 ? 2 : 1) * CYCLE;
    struct dp_zone_stretch s = stretch_near(r, within);
    s.end = add_or_max(t, s.end - within);
    return s;
}

/* ---- clocks ---- */

/* Transitions at or before t. */
static size_t passed(const struct dp_zone *z, int64_t t) {
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->times[mid] <= t) low = mid + 1;
        else high = mid;
    }
    return low;
}

static struct dp_zone_stretch stretch_at(const struct dp_zone *z, int64_t t) {
    size_t i = passed(z, t);
    if (i == z->n && z->has_rule) return dp_zone_rule_at(&z->rule, t);
    return (struct dp_zone_stretch){i ? z->offsets[i - 1] : z->first, i < z->n ? z->times[i] : INT64_MAX};
}

int32_t dp_zone_offset(const struct dp_zone *z, int64_t seconds) { return stretch_at(z, seconds).offset; }

int64_t dp_zone_instant(const struct dp_zone *z, int64_t local_seconds) {
    int64_t from = add_or_max(local_seconds, -DP_ZONE_OFFSET_MAX); /* no clock is there before */
    for (;;) {
        struct dp_zone_stretch s = stretch_at(z, from);
        int64_t t = add_or_max(local_seconds, -(int64_t)s.offset);
        if (t < from) t = from; /* it is in the gap that ends here */
        if (t < s.end || s.end == INT64_MAX) return t;
        from = s.end;
    }
}

/* ---- periods ---- */

/* Periods are counted from that of 1970-01-01: which one is a date in, and on which date does one begin? */
static int64_t period_of(enum dp_calendar unit, int week_start, int64_t date) {
    int64_t year;
    unsigned month, day;
    switch (unit) {
    case DP_CALENDAR_DAY: return date;
    case DP_CALENDAR_WEEK: return floor_div(date - (week_start + 3), 7); /* 1970-01-05 was a Monday */
    case DP_CALENDAR_MONTH: dp_civil_from_days(date, &year, &month, &day); return (year - 1970) * 12 + (int64_t)month - 1;
    }
    return 0;
}

static int64_t first_date(enum dp_calendar unit, int week_start, int64_t period) {
    switch (unit) {
    case DP_CALENDAR_DAY: return period;
    case DP_CALENDAR_WEEK: return period * 7 + week_start + 3;
    case DP_CALENDAR_MONTH: {
        int64_t year = floor_div(period, 12);
        return dp_days_from_civil(year + 1970, (unsigned)(period - year * 12) + 1, 1);
    }
    }
    return 0;
}

bool dp_zone_period(const struct dp_zone *z, enum dp_calendar unit, int week_start, int64_t t, int64_t *start, int64_t *end) {
    int64_t seconds = floor_div(t, 1000);
    int64_t period = period_of(unit, week_start, floor_div(seconds + dp_zone_offset(z, seconds), DAY));
    int64_t from = dp_zone_instant(z, first_date(unit, week_start, period) * DAY), next;
    for (;; period++, from = next) { /* the next one has begun where clocks went back over its first midnight */
        next = dp_zone_instant(z, first_date(unit, week_start, period + 1) * DAY);
        if (next > seconds) break;
    }
    return !__builtin_mul_overflow(from, 1000, start) && !__builtin_mul_overflow(next, 1000, end);
}

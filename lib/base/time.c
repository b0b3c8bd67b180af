/*
 * Dates and times as text (dp/base/time.h): RFC 3339 section 5.6 with its leap seconds, and the local forms of
 * dp-records(5).  Proleptic Gregorian calendar, years 0000 to 9999 when parsing.  No time zone names.
 */
#include <dp/base/num.h>
#include <dp/base/time.h>

#include <time.h>

enum { DAY = 86400 };

void dp_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day) {
    /* Eras of 400 years from 0000-03-01, so that the leap day is the last day of a year. */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
    *day = doy - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

int64_t dp_days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

/* ---- parsing ---- */

static bool digits(const char *p, unsigned n, unsigned *out) {
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d > 9) return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

static unsigned days_in(unsigned year, unsigned month) {
    static const unsigned char n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    return n[month - 1] + (unsigned)(month == 2 && leap);
}

bool dp_date_parse(struct dp_str s, int32_t *days) {
    unsigned y, m, d;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-') return false;
    if (!digits(s.p, 4, &y) || !digits(s.p + 5, 2, &m) || !digits(s.p + 8, 2, &d)) return false;
    if (m < 1 || m > 12 || d < 1 || d > days_in(y, m)) return false;
    *days = (int32_t)dp_days_from_civil(y, m, d);
    return true;
}

struct clock {
    unsigned hour, minute, second; /* second may be 60 */
    int32_t nanos;
    int digits;
    size_t used;
};

static bool read_clock(struct dp_str s, struct clock *c) {
    *c = (struct clock){.used = 8};
    if (s.n < 8 || s.p[2] != ':' || s.p[5] != ':') return false;
    if (!digits(s.p, 2, &c->hour) || !digits(s.p + 3, 2, &c->minute) || !digits(s.p + 6, 2, &c->second)) return false;
    if (c->hour > 23 || c->minute > 59 || c->second > 60) return false;
    if (s.n > 8 && s.p[8] == '.') {
        size_t i = 9;
        int32_t unit = 100000000;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            if (!unit) return false; /* a tenth digit */
            c->nanos += (s.p[i] - '0') * unit;
            unit /= 10;
        }
        if (i == 9) return false;
        c->digits = (int)(i - 9);
        c->used = i;
    }
    return true;
}

/* Offset in seconds east; false when it is not one. */
static bool read_zone(struct dp_str s, struct dp_timestamp *out, int32_t *east) {
    *east = 0;
    if (s.n == 1 && (s.p[0] | 32) == 'z') return out->zone = DP_ZONE_UTC, true;
    unsigned h, m;
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':') return false;
    if (!digits(s.p + 1, 2, &h) || !digits(s.p + 4, 2, &m) || h > 23 || m > 59) return false;
    *east = (int32_t)(h * 3600 + m * 60) * (s.p[0] == '-' ? -1 : 1);
    out->zone = DP_ZONE_OFFSET;
    return true;
}

bool dp_time_parse(struct dp_str s, bool local_ok, bool lax, struct dp_timestamp *out) {
    int32_t days, east = 0;
    struct clock c;
    *out = (struct dp_timestamp){0};
    if (s.n < 19 || !dp_date_parse(dp_str(s.p, 10), &days)) return false;
    if ((s.p[10] | 32) != 't' && !(lax && s.p[10] == ' ')) return false;
    if (!read_clock(dp_str(s.p + 11, s.n - 11), &c)) return false;
    struct dp_str zone = dp_str(s.p + 11 + c.used, s.n - 11 - c.used);
    if (!zone.n ? !(lax || local_ok) : !read_zone(zone, out, &east)) return false;
    out->seconds = (int64_t)days * DAY + (int64_t)(c.hour * 3600 + c.minute * 60 + c.second) - east;
    out->nanos = c.nanos;
    out->digits = c.digits;
    if (c.second == 60) { /* only as the last second of a day in UTC; seconds is the one that follows */
        if (((out->seconds % DAY) + DAY) % DAY) return false;
        out->leap = true;
    }
    return true;
}

bool dp_timeofday_parse(struct dp_str s, int64_t *nanos) {
    struct clock c;
    if (!read_clock(s, &c) || c.used != s.n || c.second == 60) return false;
    *nanos = (int64_t)(c.hour * 3600 + c.minute * 60 + c.second) * 1000000000 + c.nanos;
    return true;
}

bool dp_time_micros(const struct dp_timestamp *t, int64_t *micros) {
    if (t->nanos % 1000) return false;
    return !dp_mul_overflow(t->seconds, 1000000, micros) && !dp_add_overflow(*micros, t->nanos / 1000, micros);
}

/* ---- printing ---- */

static char *put(char *p, unsigned v, int n) {
    for (int i = n - 1; i >= 0; i--) p[i] = (char)('0' + v % 10), v /= 10;
    return p + n;
}

/* Fraction of a second, nanoseconds in; digits as for the public functions. */
static char *put_fraction(char *p, unsigned nanos, int n) {
    if (n < 0) n = !nanos ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    if (!n) return p;
    *p++ = '.';
    for (int i = n; i < 9; i++) nanos /= 10;
    return put(p, nanos, n);
}

static char *put_date(char *p, int64_t days) {
    int64_t y;
    unsigned m, d;
    dp_civil_from_days(days, &y, &m, &d);
    if (y < 0 || y > 9999) *p++ = y < 0 ? '-' : '+'; /* beyond RFC 3339: a sign, as ISO 8601 asks */
    if (y < 0) y = -y;
    if (y > 9999) {
        p += dp_print_u64(p, (uint64_t)y);
    } else {
        p = put(p, (unsigned)y, 4);
    }
    *p++ = '-', p = put(p, m, 2);
    *p++ = '-', p = put(p, d, 2);
    return p;
}

static char *put_clock(char *p, unsigned s) {
    p = put(p, s / 3600, 2), *p++ = ':';
    p = put(p, s / 60 % 60, 2), *p++ = ':';
    return put(p, s % 60, 2);
}

static size_t print_instant(char *out, int64_t seconds, unsigned nanos, bool utc, int n) {
    int64_t days = seconds / DAY, s = seconds % DAY;
    if (s < 0) s += DAY, days--;
    char *p = put_date(out, days);
    *p++ = 'T';
    p = put_fraction(put_clock(p, (unsigned)s), nanos, n);
    if (utc) *p++ = 'Z';
    return (size_t)(p - out);
}

size_t dp_time_print_micros(char out[40], int64_t micros, bool utc, int n) {
    int64_t s = micros / 1000000, f = micros % 1000000;
    if (f < 0) f += 1000000, s--;
    return print_instant(out, s, (unsigned)f * 1000, utc, n);
}

size_t dp_time_print_nanos(char out[40], int64_t nanos, bool utc, int n) {
    int64_t s = nanos / 1000000000, f = nanos % 1000000000;
    if (f < 0) f += 1000000000, s--;
    return print_instant(out, s, (unsigned)f, utc, n);
}

size_t dp_date_print(char out[40], int32_t days) { return (size_t)(put_date(out, days) - out); }

size_t dp_timeofday_print(char out[40], int64_t nanos, int n) {
    int64_t s = nanos / 1000000000;
    return (size_t)(put_fraction(put_clock(out, (unsigned)(s % DAY)), (unsigned)(nanos % 1000000000), n) - out);
}

static int64_t ask(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t dp_time_now_micros(void) { return ask(CLOCK_REALTIME); }
int64_t dp_time_monotonic_micros(void) { return ask(CLOCK_MONOTONIC); }

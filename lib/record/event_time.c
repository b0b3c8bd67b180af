/* Event times of records (dp/record/event_time.h).  Nearly all are of one form, and of the minute of the one before: that is read without looking at the date again. */
#include <dp/record/event_time.h>

#include <dp/base/num.h>
#include <dp/base/time.h>

#include <string.h>

#define DAY_MS 86400000

const char dp_event_time_expected[] = "RFC 3339, a date, or a whole number";
static const char want_time[] = "expected a time: RFC 3339 or a whole number";
static const char want_zone[] = "a time without an offset: --timezone says where";
static const char out_of_range[] = "the time, or a window of it, is beyond the years 0 to 9999";

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

static bool two(const char *p, unsigned most, unsigned *out) {
    unsigned a = (unsigned)(unsigned char)p[0] - '0', b = (unsigned)(unsigned char)p[1] - '0';
    *out = a * 10 + b;
    return a < 10 && b < 10 && *out <= most;
}

/* Into day: the minute of a time that begins with yyyy-mm-ddThh:mm; *ms is so far behind it, and is the whole then. */
static __attribute__((noinline)) bool read_minute(struct dp_event_day *day, const char *p, int64_t *ms) {
    unsigned h, m;
    if (p[10] != 'T' || p[13] != ':' || !two(p + 11, 23, &h) || !two(p + 14, 59, &m)) return false;
    if (!day->is_set || memcmp(day->text, p, 10) != 0) {
        int32_t days;
        if (!dp_date_parse(dp_str(p, 10), &days)) return false;
        day->is_set = true;
        day->day_ms = (int64_t)days * DAY_MS;
    }
    memcpy(day->text, p, 16);
    day->minute_ms = day->day_ms + (int64_t)(h * 60 + m) * 60000;
    *ms += day->minute_ms;
    return true;
}

/* yyyy-mm-ddThh:mm:ss[.f]Z, which is what nearly all are; false: not that. */
static inline bool read_plain(struct dp_event_day *day, const char *p, size_t n, int64_t *ms) {
    unsigned s, frac = 0;
    if (n < 20 || n > 30 || p[16] != ':' || p[n - 1] != 'Z' || !two(p + 17, 59, &s)) return false;
    if (n == 24) { /* milliseconds, as most have */
        unsigned tens;
        if (p[19] != '.' || !two(p + 20, 99, &tens) || p[22] < '0' || p[22] > '9') return false;
        frac = tens * 10 + (unsigned)(p[22] - '0');
    } else if (n > 20) {
        unsigned scale = 100;
        if (p[19] != '.' || n < 22) return false;
        for (size_t i = 20; i + 1 < n; i++, scale /= 10) {
            unsigned d = (unsigned)(unsigned char)p[i] - '0';
            if (d > 9) return false;
            frac += d * scale;
        }
    }
    *ms = (int64_t)(s * 1000 + frac);
    if (!(day->is_set && dp_bytes_eq(day->text, p, 16))) return read_minute(day, p, ms);
    *ms += day->minute_ms;
    return true;
}

static const char *read_text(const struct dp_event_clock *c, struct dp_str s, struct dp_event_time *out) {
    struct dp_timestamp t;
    int32_t days;
    if (dp_date_parse(s, &days)) t = (struct dp_timestamp){.seconds = (int64_t)days * 86400, .zone = DP_ZONE_NONE};
    else if (!dp_time_parse(s, true, true, &t)) return want_time;
    bool has_zone = t.zone != DP_ZONE_NONE;
    if (!has_zone && !c->zone && !c->takes_local) return want_zone;
    if (!has_zone && c->zone) t.seconds = dp_zone_instant(c->zone, t.seconds), has_zone = true;
    *out = (struct dp_event_time){t.seconds * 1000 + t.nanos / 1000000, (uint32_t)(t.nanos % 1000000), !has_zone};
    return NULL;
}

/* Seconds may have a fraction: clocks of many languages say them so. */
static bool read_seconds(struct dp_str s, int64_t *ms) {
    const char *dot = memchr(s.p, '.', s.n);
    size_t whole = dot ? (size_t)(dot - s.p) : s.n;
    int64_t v, frac = 0, scale = 100;
    bool is_negative = s.n > 0 && s.p[0] == '-', has_rest = false;
    if (!dp_parse_i64(dp_str(s.p, whole), &v) || dp_mul_overflow(v, 1000, &v)) return false;
    for (size_t i = whole + 1; i < s.n; i++, scale /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        frac += scale * (s.p[i] - '0');
        has_rest = has_rest || (scale == 0 && s.p[i] != '0');
    }
    if (is_negative) frac = -frac - has_rest;
    return !dp_add_overflow(v, frac, ms);
}

static const char *read_number(const struct dp_event_clock *c, struct dp_str s, uint8_t flags, struct dp_event_time *t) {
    int64_t v, per = c->unit == DP_EVENT_US ? 1000 : 1000000;
    *t = (struct dp_event_time){0};
    if (c->unit == DP_EVENT_S) return read_seconds(s, &t->ms) ? NULL : want_time;
    if (!(flags & DP_NODE_INTEGER)) return want_time;
    if (!dp_parse_i64(s, &v)) return "the time is beyond a 64-bit integer";
    if (c->unit == DP_EVENT_MS) return t->ms = v, NULL;
    t->ms = floor_div(v, per);
    t->ns = (uint32_t)((v - t->ms * per) * (1000000 / per));
    return NULL;
}

const char *dp_event_time_read(const struct dp_event_clock *c, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, struct dp_event_time *t) {
    const char *why = want_time;
    if (!node) return "the time is missing";
    struct dp_str s = dp_node_str(r, node);
    switch ((enum dp_kind)r->nodes[node].kind) {
    case DP_KIND_NULL: return "the time is null";
    case DP_KIND_NUMBER: why = read_number(c, s, r->nodes[node].flags, t); break;
    case DP_KIND_STRING:
        if (r->nodes[node].flags & DP_NODE_ESCAPED) {
            dp_buf_reset(scratch);
            dp_json_decode(s, scratch);
            s = dp_buf_str(scratch);
        }
        why = read_text(c, s, t);
        break;
    case DP_KIND_NONE:
    case DP_KIND_FALSE:
    case DP_KIND_TRUE:
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: break;
    }
    return !why && (t->ms < c->least || t->ms > c->most) ? out_of_range : why;
}

/* What is not plain text, or out of range. */
static __attribute__((noinline)) const char *read_other(const struct dp_event_clock *c, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, int64_t *ms) {
    struct dp_event_time t = {0};
    const char *why = dp_event_time_read(c, r, node, scratch, &t);
    *ms = t.ms;
    return why;
}

const char *dp_event_time_ms(const struct dp_event_clock *c, struct dp_event_day *day, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, int64_t *ms) {
    const struct dp_node *n = &r->nodes[node];
    bool is_read = node && n->kind == DP_KIND_STRING && !(n->flags & DP_NODE_ESCAPED) && read_plain(day, r->base + n->off, n->len, ms);
    return is_read && *ms >= c->least && *ms <= c->most ? NULL : read_other(c, r, node, scratch, ms);
}

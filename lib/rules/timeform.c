/*
 * Forms of dates and times in the letters of the JDK's DateTimeFormatter (Java SE 21), read as its parser does in English: fields next to one another share
 * their digits by width, optional sections are taken when they fit.  Dates must exist (the JDK's default would make April 31 the 30th).  Not taken, by name: week
 * fields (Y w W e c F g), names of zones (z v V), eras other than AD, text of a locale (B), padding (p).
 */
#include <dp/rules/textform.h>

#include <dp/base/limits.h>
#include <dp/base/mem.h>
#include <dp/base/time.h>
#include <stdio.h>
#include <stdlib.h>

#define PARTS 64

enum part_kind { PART_LITERAL, PART_NUMBER, PART_YEAR, PART_FRACTION, PART_MONTH, PART_WEEKDAY, PART_AMPM, PART_ERA, PART_OFFSET, PART_OPTIONAL };

struct form_part {
    enum part_kind kind;
    char letter;
    uint8_t min, max;  /* digits */
    uint8_t count;     /* of the letter */
    char text;         /* LITERAL */
    size_t end;        /* OPTIONAL: the part behind its section */
    size_t reserved;   /* digits that the fields right behind it need */
};

struct dp_timeform {
    struct form_part parts[PARTS];
    size_t n;
    bool zone; /* some offset is in it */
};

/* ---- compiling ---- */

static enum dp_status wrong(struct dp_err *err, enum dp_status status, size_t at, const char *why, char letter) {
    return dp_err_set(err, status, "time format, column %zu: %s%s%.*s%s", at + 1, why, letter ? " \"" : "", letter != 0, &letter, letter ? "\"" : "");
}

/* Which field a letter means; false: none that is taken. */
static bool describe(struct form_part *f, char letter, size_t count) {
    *f = (struct form_part){.kind = PART_NUMBER, .letter = letter, .min = (uint8_t)count, .max = (uint8_t)count, .count = (uint8_t)count};
    if (count == 1) f->max = 2;
    switch (letter) {
    case 'y': case 'u':
        f->kind = PART_YEAR;
        if (count != 2) f->max = 9;
        return count <= 9;
    case 'M': case 'L':
        if (count > 2) f->kind = PART_MONTH;
        return count <= 4;
    case 'd': case 'H': case 'h': case 'K': case 'k': case 'm': case 's': return count <= 2;
    case 'Q': case 'q':
        f->max = f->min;
        return count <= 2;
    case 'D':
        if (count < 3) f->max = 3;
        return count <= 3;
    case 'n': case 'N': case 'A':
        f->max = letter == 'n' ? 9 : letter == 'A' ? 8 : 14;
        return count <= f->max;
    case 'S': f->kind = PART_FRACTION; f->max = (uint8_t)count; return count <= 9;
    case 'a': f->kind = PART_AMPM; return count == 1;
    case 'G': f->kind = PART_ERA; return count <= 3;
    case 'E': f->kind = PART_WEEKDAY; return count <= 4;
    case 'X': case 'x': case 'Z': case 'O': f->kind = PART_OFFSET; return letter == 'O' ? count == 1 || count == 4 : count <= 5;
    }
    return false;
}

static enum dp_status add_letters(struct dp_timeform *f, struct dp_str text, size_t *i, struct dp_err *err) {
    char letter = text.p[*i];
    size_t count = 1;
    while (*i + count < text.n && text.p[*i + count] == letter && count < 32) count++;
    if (!describe(&f->parts[f->n], letter, count)) {
        bool jdk = strchr("YwWecFgzvVBp", letter) != NULL;
        if (letter == 'Y') return wrong(err, DP_UNSUPPORTED, *i, "the year of a calendar of weeks, write yyyy:", letter);
        return jdk ? wrong(err, DP_UNSUPPORTED, *i, "not taken here:", letter) : wrong(err, DP_USAGE, *i, "no letter, or too often:", letter);
    }
    f->zone |= f->parts[f->n].kind == PART_OFFSET;
    f->n++;
    *i += count;
    return DP_OK;
}

/* 'text', with '' for a quote in it and alone. */
static enum dp_status add_quoted(struct dp_timeform *f, struct dp_str text, size_t *i, struct dp_err *err) {
    size_t start = (*i)++;
    if (*i < text.n && text.p[*i] == '\'') {
        f->parts[f->n++] = (struct form_part){.kind = PART_LITERAL, .text = '\''};
        (*i)++;
        return DP_OK;
    }
    for (; *i < text.n && f->n < PARTS; (*i)++) {
        bool quote = text.p[*i] == '\'';
        if (quote && (*i + 1 == text.n || text.p[*i + 1] != '\'')) {
            (*i)++;
            return DP_OK;
        }
        *i += quote;
        f->parts[f->n++] = (struct form_part){.kind = PART_LITERAL, .text = text.p[*i]};
    }
    return wrong(err, DP_USAGE, start, f->n == PARTS ? "too long" : "a quote is not closed", 0);
}

static bool is_digits(const struct form_part *p) { return p->kind == PART_NUMBER || p->kind == PART_YEAR || p->kind == PART_FRACTION; }

/* A field of open width leaves digits to the fields of fixed width that touch it. */
static void reserve(struct dp_timeform *f) {
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = i + 1; k < f->n && is_digits(&f->parts[i]) && is_digits(&f->parts[k]) && (f->parts[k].min == f->parts[k].max || f->parts[k].count > 1); k++)
            f->parts[i].reserved += f->parts[k].min;
}

enum dp_status dp_timeform_compile(struct dp_str text, struct dp_timeform **out, struct dp_err *err) {
    size_t open[8], depth = 0, i = 0;
    enum dp_status status = DP_OK;
    struct dp_timeform *f = dp_calloc(1, sizeof *f);
    *out = NULL;
    while (i < text.n && status == DP_OK) {
        char c = text.p[i];
        if (f->n >= PARTS) status = wrong(err, DP_USAGE, i, "too long", 0);
        else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) status = add_letters(f, text, &i, err);
        else if (c == '\'') status = add_quoted(f, text, &i, err);
        else if (c == '{' || c == '}' || c == '#') status = wrong(err, DP_USAGE, i, "reserved, write it in single quotes:", c);
        else if (c == '[' && depth == sizeof open / sizeof *open) status = wrong(err, DP_USAGE, i, "too many optional sections in one another", 0);
        else if (c == ']' && !depth) status = wrong(err, DP_USAGE, i, "a section is closed that was not opened", 0);
        else {
            if (c == '[') open[depth++] = f->n, f->parts[f->n++] = (struct form_part){.kind = PART_OPTIONAL};
            else if (c == ']') f->parts[open[--depth]].end = f->n;
            else f->parts[f->n++] = (struct form_part){.kind = PART_LITERAL, .text = c};
            i++;
        }
    }
    while (depth) f->parts[open[--depth]].end = f->n; /* as the JDK, which closes them itself */
    if (status == DP_OK && !f->n) status = wrong(err, DP_USAGE, 0, "empty", 0);
    if (status != DP_OK) {
        free(f);
        return status;
    }
    reserve(f);
    *out = f;
    return DP_OK;
}

void dp_timeform_free(struct dp_timeform *f) { free(f); }

/* ---- reading ---- */

struct reading {
    struct dp_str in;
    size_t at;
    int64_t year, month, day, day_of_year, quarter, weekday;
    int64_t hour, half_hour, minute, second, nanos, nano_of_day;
    int half;               /* 0 not said, 1 AM, 2 PM */
    int64_t offset;         /* seconds */
    bool has_zone, has_date;
};

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December", NULL};
static const char *const weekdays[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", NULL};

/* One of the names, whole or by its first three letters; 1 for the first, 0 for none. */
static int64_t read_name(struct reading *r, const char *const *names, bool whole) {
    for (size_t i = 0; names[i]; i++) {
        size_t n = whole ? strlen(names[i]) : 3;
        if (r->in.n - r->at >= n && !memcmp(r->in.p + r->at, names[i], n)) {
            r->at += n;
            return (int64_t)i + 1;
        }
    }
    return 0;
}

static size_t digits_at(const struct reading *r) {
    size_t n = 0;
    while (r->at + n < r->in.n && r->in.p[r->at + n] >= '0' && r->in.p[r->at + n] <= '9') n++;
    return n;
}

static bool read_digits(struct reading *r, size_t min, size_t max, size_t reserved, int64_t *v) {
    size_t n = digits_at(r);
    if (reserved) n = n >= min + reserved ? n - reserved : min;
    if (n > max) n = max;
    if (n < min || n > digits_at(r) || n > 18) return false;
    *v = 0;
    for (size_t i = 0; i < n; i++) *v = *v * 10 + (r->in.p[r->at + i] - '0');
    r->at += n;
    return true;
}

/* More digits than letters want a plus; a minus is a year before 0 of `u`. */
static bool read_year(struct reading *r, const struct form_part *f) {
    char sign = r->at < r->in.n ? r->in.p[r->at] : 0;
    bool is_signed = f->count != 2 && (sign == '+' || (sign == '-' && f->letter == 'u'));
    size_t start = (r->at += is_signed), max = f->count > 2 && !(sign == '+' && is_signed) ? f->count : f->max;
    if (!read_digits(r, f->min, max, f->reserved, &r->year)) return false;
    if (sign == '+' && is_signed && f->count > 2 && r->at - start <= f->count) return false;
    if (f->count == 2) r->year += 2000;
    if (sign == '-' && is_signed) r->year = -r->year;
    r->has_date = true;
    return r->year <= 99999 && r->year >= -9999 && (f->letter == 'u' || r->year > 0);
}

static bool in_range(int64_t v, int64_t low, int64_t high) { return v >= low && v <= high; }

static bool read_number(struct reading *r, const struct form_part *f) {
    int64_t v;
    if (!read_digits(r, f->min, f->max, f->reserved, &v)) return false;
    r->has_date |= strchr("MLdDQq", f->letter) != NULL;
    switch (f->letter) {
    case 'M': case 'L': r->month = v; return in_range(v, 1, 12);
    case 'd': r->day = v; return in_range(v, 1, 31);
    case 'D': r->day_of_year = v; return in_range(v, 1, 366);
    case 'Q': case 'q': r->quarter = v; return in_range(v, 1, 4);
    case 'H': r->hour = v; return in_range(v, 0, 23);
    case 'k': r->hour = v % 24; return in_range(v, 1, 24);
    case 'h': r->half_hour = v % 12; return in_range(v, 1, 12);
    case 'K': r->half_hour = v; return in_range(v, 0, 11);
    case 'm': r->minute = v; return in_range(v, 0, 59);
    case 's': r->second = v; return in_range(v, 0, 59);
    case 'n': r->nanos = v; return true;
    case 'A': r->nano_of_day = v * 1000000; return in_range(v, 0, 86399999);
    case 'N': r->nano_of_day = v; return in_range(v, 0, 86399999999999);
    }
    return false;
}

static bool read_fraction(struct reading *r, const struct form_part *f) {
    if (!read_digits(r, f->max, f->max, 0, &r->nanos)) return false;
    for (int i = f->max; i < 9; i++) r->nanos *= 10;
    return true;
}

/* Two digits of an offset, after a colon where there must be one. */
static bool read_two(struct reading *r, bool colon, int64_t high, int64_t *v) {
    if (colon && (r->at >= r->in.n || r->in.p[r->at++] != ':')) return false;
    return read_digits(r, 2, 2, 0, v) && *v <= high;
}

/* X x: hours, minutes unless one letter leaves them out, seconds from four letters; Z as xx, or as XXXXX. */
static bool read_offset(struct reading *r, const struct form_part *f) {
    size_t count = f->count;
    bool zulu = f->letter == 'X' || (f->letter == 'Z' && count == 5), gmt = f->letter == 'O' || (f->letter == 'Z' && count == 4);
    int64_t h = 0, m = 0, s = 0;
    r->has_zone = true;
    r->offset = 0;
    if (gmt) {
        if (r->in.n - r->at < 3 || memcmp(r->in.p + r->at, "GMT", 3) != 0) return false;
        r->at += 3;
        if (r->at == r->in.n || (r->in.p[r->at] != '+' && r->in.p[r->at] != '-')) return true;
    } else if (zulu && r->at < r->in.n && r->in.p[r->at] == 'Z') {
        r->at++;
        return true;
    }
    if (f->letter == 'Z' && count < 4) count = 2;
    if (r->at == r->in.n || (r->in.p[r->at] != '+' && r->in.p[r->at] != '-')) return false;
    int64_t sign = r->in.p[r->at++] == '-' ? -1 : 1;
    bool colon = gmt || count == 3 || count == 5;
    if (f->letter == 'O' && count == 1) { /* GMT+8, GMT+8:30 */
        if (!read_digits(r, 1, 2, 0, &h) || h > 18) return false;
        if (r->at < r->in.n && r->in.p[r->at] == ':' && !read_two(r, true, 59, &m)) return false;
    } else {
        if (!read_two(r, false, 18, &h)) return false;
        if ((count > 1 || digits_at(r) >= 2) && !read_two(r, colon, 59, &m)) return false;
        bool more = colon ? r->at < r->in.n && r->in.p[r->at] == ':' : digits_at(r) >= 2;
        if (count > 3 && more && !read_two(r, colon, 59, &s)) return false;
    }
    r->offset = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool read_part(struct reading *r, const struct form_part *f) {
    switch (f->kind) {
    case PART_LITERAL: return r->at < r->in.n && r->in.p[r->at++] == f->text;
    case PART_NUMBER: return read_number(r, f);
    case PART_YEAR: return read_year(r, f);
    case PART_FRACTION: return read_fraction(r, f);
    case PART_MONTH: r->has_date = true; return (r->month = read_name(r, months, f->count == 4)) > 0;
    case PART_WEEKDAY: return (r->weekday = read_name(r, weekdays, f->count == 4)) > 0;
    case PART_AMPM: {
        static const char *const halves[] = {"AM ", "PM ", NULL};
        for (int i = 0; i < 2; i++)
            if (r->in.n - r->at >= 2 && !memcmp(r->in.p + r->at, halves[i], 2)) r->half = i + 1;
        r->at += 2;
        return r->half > 0 && r->at <= r->in.n;
    }
    case PART_ERA: r->at += 2; return r->at <= r->in.n && !memcmp(r->in.p + r->at - 2, "AD", 2);
    case PART_OFFSET: return read_offset(r, f);
    case PART_OPTIONAL: break;
    }
    return false;
}

static bool read_parts(const struct dp_timeform *f, size_t from, size_t to, struct reading *r) {
    for (size_t i = from; i < to; i++) {
        if (f->parts[i].kind == PART_OPTIONAL) {
            struct reading saved = *r;
            if (!read_parts(f, i + 1, f->parts[i].end, r)) *r = saved;
            i = f->parts[i].end - 1;
        } else if (!read_part(r, &f->parts[i])) {
            return false;
        }
    }
    return true;
}

/* Days since the epoch; false: no such date. What is not said is the first. */
static bool resolve_date(const struct reading *r, int64_t *days) {
    int64_t year = r->year == INT64_MIN ? 1970 : r->year, y;
    unsigned m, d;
    if (r->day_of_year) {
        *days = dp_days_from_civil(year, 1, 1) + r->day_of_year - 1;
    } else {
        int64_t month = r->month ? r->month : r->quarter ? r->quarter * 3 - 2 : 1, day = r->day ? r->day : 1;
        *days = dp_days_from_civil(year, (unsigned)month, (unsigned)day);
        dp_civil_from_days(*days, &y, &m, &d);
        if (m != month || d != day || (r->quarter && (month + 2) / 3 != r->quarter)) return false;
    }
    dp_civil_from_days(*days, &y, &m, &d);
    int64_t weekday = ((*days + 3) % 7 + 7) % 7 + 1; /* day 0 was a Thursday */
    return y == year && (!r->weekday || r->weekday == weekday);
}

bool dp_timeform_read(const struct dp_timeform *f, struct dp_str text, int64_t *micros, bool *has_zone) {
    struct reading r = {.in = text, .year = INT64_MIN, .hour = -1, .half_hour = -1, .nano_of_day = -1};
    int64_t days = 0;
    if (!read_parts(f, 0, f->n, &r) || r.at != text.n) return false;
    if (r.has_date && !resolve_date(&r, &days)) return false;
    int64_t hour = r.hour >= 0 ? r.hour : r.half_hour >= 0 ? r.half_hour + (r.half == 2 ? 12 : 0) : r.half == 2 ? 12 : 0;
    if (r.hour >= 0 && r.half && (r.hour >= 12) != (r.half == 2)) return false;
    int64_t seconds = hour * 3600 + r.minute * 60 + r.second, nanos = r.nanos;
    if (r.nano_of_day >= 0) seconds = r.nano_of_day / 1000000000, nanos = r.nano_of_day % 1000000000;
    *micros = ((days * 86400 + seconds) - r.offset) * 1000000 + nanos / 1000;
    if (has_zone) *has_zone = r.has_zone;
    return true;
}

/*
 * Zones from zoneinfo files (TZif, RFC 9636) and from fixed offsets.
 *
 * Files are foreign bytes: every count is checked against the file's size and every index against its count.  Version 1 files, which have no footer, are read too.
 * Not read: abbreviations, and what tells standard from daylight-saving time, for periods need neither.  Files that count leap seconds ("right/...") are refused:
 * a time in a record never counts them.
 */
#include "zone_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <dirent.h>
#include <stdlib.h>
#include <xxhash.h>

static uint64_t big_endian(const char *p, unsigned n) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) v = v << 8 | (unsigned char)p[i];
    return v;
}

static enum dp_status damaged(const char *name, const char *what, struct dp_err *err) {
    return dp_err_set(err, DP_FORMAT, "the file of time zone %.100s is damaged: %s", name, what);
}

/* ---- the footer: a rule as POSIX spells it in TZ ---- */

struct text { const char *p, *end; };

static bool take(struct text *t, char c) {
    if (t->p == t->end || *t->p != c) return false;
    t->p++;
    return true;
}

static bool take_number(struct text *t, unsigned max, unsigned *out) {
    unsigned v = 0, n = 0;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9' && n < 4; t->p++, n++) v = v * 10 + (unsigned)(*t->p - '0');
    *out = v;
    return n && v <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct text *t, unsigned max_hours, int32_t *out) {
    unsigned h, m = 0, s = 0;
    bool minus = take(t, '-');
    if (!minus) (void)take(t, '+');
    if (!take_number(t, max_hours, &h)) return false;
    if (take(t, ':') && (!take_number(t, 59, &m) || (take(t, ':') && !take_number(t, 59, &s)))) return false;
    *out = (int32_t)(h * 3600 + m * 60 + s) * (minus ? -1 : 1);
    return true;
}

static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

static bool take_abbreviation(struct text *t) {
    const char *from = t->p;
    if (take(t, '<')) {
        while (t->p < t->end && *t->p != '>') t->p++;
        return take(t, '>');
    }
    while (t->p < t->end && is_letter(*t->p)) t->p++;
    return t->p > from;
}

static bool take_change(struct text *t, struct dp_zone_change *c) {
    if (!take(t, ',')) return false;
    c->time = 2 * 3600;
    if (take(t, 'M')) {
        c->kind = DP_ZONE_DAY_OF_MONTH;
        if (!take_number(t, 12, &c->month) || !c->month || !take(t, '.') || !take_number(t, 5, &c->week) || !c->week || !take(t, '.') ||
            !take_number(t, 6, &c->day))
            return false;
    } else if (take(t, 'J')) {
        c->kind = DP_ZONE_DAY_JULIAN;
        if (!take_number(t, 365, &c->day) || !c->day) return false;
    } else {
        c->kind = DP_ZONE_DAY_NUMBER;
        if (!take_number(t, 365, &c->day)) return false;
    }
    return !take(t, '/') || take_time(t, 167, &c->time);
}

/* "CET-1CEST,M3.5.0,M10.5.0/3" */
static bool read_rule(struct dp_str s, struct dp_zone_rule *r) {
    struct text t = {s.p, s.p + s.n};
    int32_t west;
    if (!take_abbreviation(&t) || !take_time(&t, 24, &west)) return false;
    r->std = r->dst = -west;
    if (t.p == t.end) return true;
    r->has_dst = true;
    if (!take_abbreviation(&t)) return false;
    r->dst = r->std + 3600;
    if (t.p < t.end && *t.p != ',') {
        if (!take_time(&t, 24, &west)) return false;
        r->dst = -west;
    }
    return take_change(&t, &r->to_dst) && take_change(&t, &r->to_std) && t.p == t.end;
}

/* ---- TZif ---- */

enum { HEADER = 44 };

struct counts { uint32_t isut, isstd, leap, time, type, chars; };

static enum dp_status read_header(const char *name, struct dp_str *b, char *version, struct counts *c, struct dp_err *err) {
    if (b->n < HEADER || memcmp(b->p, "TZif", 4) != 0) return dp_err_set(err, DP_FORMAT, "the file of time zone %.100s is no zoneinfo file", name);
    *version = b->p[4];
    uint32_t v[6];
    for (int i = 0; i < 6; i++) v[i] = (uint32_t)big_endian(b->p + 20 + 4 * i, 4);
    *c = (struct counts){v[0], v[1], v[2], v[3], v[4], v[5]};
    b->p += HEADER, b->n -= HEADER;
    return DP_OK;
}

static uint64_t data_size(const struct counts *c, unsigned width) {
    return (uint64_t)c->time * (width + 1) + (uint64_t)c->type * 6 + c->chars + (uint64_t)c->leap * (width + 4) + c->isstd + c->isut;
}

/* Moves *b behind the data block. */
static enum dp_status read_data(struct dp_zone *z, struct dp_str *b, const struct counts *c, unsigned width, struct dp_err *err) {
    int32_t types[256];
    uint64_t size = data_size(c, width);
    if (size > b->n) return damaged(z->name, "it ends early", err);
    if (!c->type || c->type > 256) return damaged(z->name, "its number of types", err);
    if (c->leap) return dp_err_set(err, DP_UNSUPPORTED, "the times of zone %.100s count leap seconds, those of records never do", z->name);
    const char *times = b->p, *index = times + (size_t)c->time * width, *type = index + c->time;
    for (uint32_t i = 0; i < c->type; i++) {
        types[i] = (int32_t)(uint32_t)big_endian(type + 6 * i, 4);
        if (types[i] <= -DP_ZONE_OFFSET_MAX || types[i] >= DP_ZONE_OFFSET_MAX) return damaged(z->name, "an offset of more than a day", err);
    }
    z->first = types[0];
    z->times = dp_calloc(c->time + 1u, sizeof *z->times);
    z->offsets = dp_calloc(c->time + 1u, sizeof *z->offsets);
    for (uint32_t i = 0; i < c->time; i++) {
        uint64_t t = big_endian(times + (size_t)i * width, width);
        z->times[i] = width == 4 ? (int64_t)(int32_t)(uint32_t)t : (int64_t)t;
        if (i && z->times[i] <= z->times[i - 1]) return damaged(z->name, "its transitions are out of order", err);
        if ((unsigned char)index[i] >= c->type) return damaged(z->name, "a transition to a type that is not there", err);
        z->offsets[i] = types[(unsigned char)index[i]];
    }
    z->n = c->time;
    b->p += size, b->n -= (size_t)size;
    return DP_OK;
}

static enum dp_status read_footer(struct dp_zone *z, struct dp_str b, struct dp_err *err) {
    const char *end = b.n ? memchr(b.p + 1, '\n', b.n - 1) : NULL;
    if (!end || *b.p != '\n') return damaged(z->name, "it has no footer", err);
    struct dp_str text = dp_str(b.p + 1, (size_t)(end - b.p) - 1);
    if (!text.n) return DP_OK;
    if (!read_rule(text, &z->rule)) return damaged(z->name, "the rule in its footer", err);
    z->has_rule = true;
    return DP_OK;
}

/* Is the last of n transitions one that the rule has too, and it alone since the one before? */
static bool is_implied(const struct dp_zone *z, size_t n) {
    const int64_t too_far = INT64_C(2) * 366 * 86400;
    int64_t t = z->times[n - 1], from = n > 1 ? z->times[n - 2] : t > INT64_MIN ? t - 1 : t;
    if (t < INT64_MIN + too_far || from < t - too_far) return false;
    if (dp_zone_rule_at(&z->rule, t).offset != z->offsets[n - 1]) return false;
    for (struct dp_zone_stretch s; from < t; from = s.end) {
        s = dp_zone_rule_at(&z->rule, from);
        if (s.offset != (n > 1 ? z->offsets[n - 2] : z->first)) return false;
    }
    return true;
}

/* What the rules say, not how the file says it: transitions that change no offset are left out, and those at the end that the rule implies. */
static uint64_t edition(const struct dp_zone *z) {
    struct dp_buf b = {0};
    size_t n = z->n;
    while (n && z->has_rule && is_implied(z, n)) n--;
    int32_t last = z->first;
    dp_buf_addf(&b, "%d", z->first);
    for (size_t i = 0; i < n; i++) {
        if (z->offsets[i] == last) continue;
        last = z->offsets[i];
        dp_buf_addf(&b, " %lld:%d", (long long)z->times[i], last);
    }
    const struct dp_zone_change *c[] = {&z->rule.to_dst, &z->rule.to_std};
    if (z->has_rule) dp_buf_addf(&b, " %d", z->rule.std);
    for (size_t i = 0; z->rule.has_dst && i < 2; i++)
        dp_buf_addf(&b, " %d:%d,%u,%u,%u,%d", z->rule.dst, (int)c[i]->kind, c[i]->month, c[i]->week, c[i]->day, c[i]->time);
    uint64_t hash = XXH3_64bits(b.p, b.n);
    dp_buf_release(&b);
    return hash;
}

static enum dp_status read_file(struct dp_zone *z, struct dp_str b, struct dp_err *err) {
    char version, again;
    struct counts c;
    DP_TRY(read_header(z->name, &b, &version, &c, err));
    if (version == '\0') return read_data(z, &b, &c, 4, err);
    if (version < '2' || version > '9') return damaged(z->name, "its version", err);
    uint64_t skip = data_size(&c, 4); /* the same for readers of version 1 */
    if (skip > b.n) return damaged(z->name, "it ends early", err);
    b.p += skip, b.n -= (size_t)skip;
    DP_TRY(read_header(z->name, &b, &again, &c, err));
    DP_TRY(read_data(z, &b, &c, 8, err));
    return read_footer(z, b, err);
}

enum dp_status dp_zone_read(const char *name, struct dp_str bytes, struct dp_zone **out, struct dp_err *err) {
    struct dp_zone *z = dp_calloc(1, sizeof *z);
    z->name = dp_strdup(name);
    *out = NULL;
    enum dp_status status = read_file(z, bytes, err);
    if (status != DP_OK) {
        dp_zone_close(z);
        return status;
    }
    z->edition = edition(z);
    *out = z;
    return DP_OK;
}

/* ---- by name ---- */

static struct dp_zone *fixed(const char *name, int32_t offset) {
    struct dp_zone *z = dp_calloc(1, sizeof *z);
    z->name = dp_strdup(name);
    z->first = offset;
    z->edition = edition(z);
    return z;
}

/* +hh:mm or -hh:mm */
static bool read_fixed(const char *s, int32_t *offset) {
    struct text t = {s + 1, s + strlen(s)};
    unsigned h, m;
    if ((*s != '+' && *s != '-') || strlen(s) != 6) return false;
    if (!take_number(&t, 23, &h) || t.p != s + 3 || !take(&t, ':') || !take_number(&t, 59, &m) || t.p != t.end) return false;
    *offset = (int32_t)(h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
    return true;
}

static bool is_name(const char *s) {
    if (!is_letter(*s) || strlen(s) > 100) return false;
    for (; *s; s++)
        if (!is_letter(*s) && !(*s >= '0' && *s <= '9') && !strchr("/_+-", *s)) return false;
    return true;
}

struct names { char **v; size_t n, cap; };

/* Names below a directory of zoneinfo files, for a nearest one. */
static void collect(const char *dir, const char *prefix, int depth, struct names *names) {
    DIR *d = opendir(dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) && names->n < 10000;) {
        if (!is_name(e->d_name) || strcmp(e->d_name, "posix") == 0 || strcmp(e->d_name, "right") == 0) continue;
        char *sub = dp_path_join(dir, e->d_name), *name = *prefix ? dp_path_join(prefix, e->d_name) : dp_strdup(e->d_name);
        names->v = dp_grow(names->v, &names->cap, names->n + 2, sizeof *names->v);
        names->v[names->n++] = name;
        if (depth < 2) collect(sub, name, depth + 1, names);
        free(sub);
    }
    closedir(d);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status unknown(const char *name, const char *const *dirs, struct dp_err *err) {
    struct names names = {0};
    enum dp_status status;
    for (size_t i = 0; dirs[i] && !names.n; i++) collect(dirs[i], "", 0, &names);
    if (!names.n) {
        status = dp_err_set(err, DP_IO, "time zone %.100s: no zoneinfo files in %s (package tzdata)", name, dirs[0]);
    } else {
        qsort(names.v, names.n, sizeof *names.v, by_name); /* of two that are as near, the same on every machine */
        names.v[names.n] = NULL;
        const char *near = dp_str_nearest(name, (const char *const *)names.v);
        status = dp_err_set(err, DP_USAGE, "there is no time zone %.100s%s%s%s", name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    for (size_t i = 0; i < names.n; i++) free(names.v[i]);
    free(names.v);
    return status;
}

enum dp_status dp_zone_open(const char *name, struct dp_zone **out, struct dp_err *err) {
    static const char *const usual[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo", NULL};
    const char *set = getenv("TZDIR"), *const own[] = {set, NULL}, *const *dirs = set && *set ? own : usual;
    int32_t offset;
    *out = NULL;
    if (strcmp(name, "UTC") == 0) return *out = fixed(name, 0), DP_OK;
    if (read_fixed(name, &offset)) return *out = fixed(name, offset), DP_OK;
    if (!is_name(name)) return dp_err_set(err, DP_USAGE, "\"%.100s\" is no name of a time zone, such as Europe/Berlin, UTC or +08:00", name);
    struct dp_buf bytes = {0};
    struct dp_err miss = DP_ERR_INIT;
    enum dp_status status = DP_IO;
    for (size_t i = 0; dirs[i] && status != DP_OK; i++) {
        char *path = dp_path_join(dirs[i], name);
        status = dp_file_read_regular(path, DP_LIMIT_ZONE, &bytes, &miss);
        free(path);
        if (status == DP_LIMIT) break;
    }
    if (status == DP_OK) status = dp_zone_read(name, dp_buf_str(&bytes), out, err);
    else if (status == DP_LIMIT) status = dp_err_set(err, DP_LIMIT, "%s", miss.msg);
    else status = unknown(name, dirs, err);
    dp_buf_release(&bytes);
    return status;
}

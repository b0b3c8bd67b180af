/*
 * What varies in the names of files (dp/rules/fold.h).  No dates are reckoned with: a part looks like one, with a month and a day that there can be, or it does not.
 */
#include <dp/base/map.h>
#include <dp/base/mem.h>
#include <dp/rules/fold.h>

#include <stdlib.h>
#include <string.h>

static const char *const words[] = {[DP_FOLD_DATE] = "{date}", [DP_FOLD_TIME] = "{time}", [DP_FOLD_N] = "{n}", [DP_FOLD_UUID] = "{uuid}", [DP_FOLD_ID] = "{id}"};
enum { N_KINDS = sizeof words / sizeof words[0] };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool is_word(char c) { return is_digit(c) || is_letter(c); }

/* Past either end stands what a slash would. */
static char at(struct dp_str s, size_t i) { return i < s.n ? s.p[i] : '/'; }
static char before(struct dp_str s, size_t i) { return i ? s.p[i - 1] : '/'; }

static size_t digits_at(struct dp_str s, size_t i) {
    size_t n = 0;
    while (i + n < s.n && is_digit(s.p[i + n])) n++;
    return n;
}

/* Two digits from least to most? */
static bool is_two(struct dp_str s, size_t i, int least, int most) {
    if (i + 2 > s.n || !is_digit(s.p[i]) || !is_digit(s.p[i + 1])) return false;
    int v = (s.p[i] - '0') * 10 + s.p[i + 1] - '0';
    return v >= least && v <= most;
}

static bool is_year(struct dp_str s, size_t i) { return digits_at(s, i) >= 4 && (is_two(s, i, 19, 20)); }

/* ---- ids ---- */

static size_t uuid_at(struct dp_str s, size_t i) {
    if (i + 36 > s.n || is_word(before(s, i)) || is_word(at(s, i + 36))) return 0;
    for (size_t k = 0; k < 36; k++) {
        bool dash = k == 8 || k == 13 || k == 18 || k == 23;
        if (dash ? s.p[i + k] != '-' : !is_hex(s.p[i + k])) return 0;
    }
    return 36;
}

/* A hash: sixteen hexadecimal digits or more, with some of both sorts. */
static size_t hash_at(struct dp_str s, size_t i) {
    size_t n = 0, digits = 0;
    if (is_word(before(s, i))) return 0;
    for (; i + n < s.n && is_hex(s.p[i + n]); n++) digits += is_digit(s.p[i + n]);
    return n >= 16 && digits && digits < n && !is_word(at(s, i + n)) ? n : 0;
}

/* ---- dates and times ---- */

/* 2026-11-01, 2026_11_01, 2026.11.01, 2026/11/01, 20261101; 2026-11, 2026_11, 2026/11/; 2026-W45, 2026-Q4, 2026Q4; 2026 as the whole of a directory or a file's name. */
static size_t date_at(struct dp_str s, size_t i) {
    size_t n = digits_at(s, i);
    char sep = at(s, i + 4), after;
    if (!is_year(s, i) || is_digit(before(s, i))) return 0;
    if (n >= 8) return (n == 8 || n == 10 || n == 12 || n == 14) && is_two(s, i + 4, 1, 12) && is_two(s, i + 6, 1, 31) ? 8 : 0;
    if (n != 4) return 0;
    size_t q = sep == 'Q' || sep == 'q' ? i + 4 : i + 5;
    if ((q == i + 4 || sep == '-' || sep == '_') && strchr("Qq", at(s, q)) && at(s, q + 1) >= '1' && at(s, q + 1) <= '4' && !is_word(at(s, q + 2))) return q + 2 - i;
    if (sep == '-' && at(s, i + 5) == 'W' && is_two(s, i + 6, 1, 53) && !is_word(at(s, i + 8))) return 8;
    bool month = strchr("-_./", sep) && is_two(s, i + 5, 1, 12) && !is_digit(at(s, i + 7));
    bool is_dir = before(s, i) == '/' && sep == '/';
    if (sep == '/' && !is_dir) month = false;
    after = at(s, i + 7);
    if (month && after == sep && is_two(s, i + 8, 1, 31) && !is_digit(at(s, i + 10)) && (sep != '/' || !is_word(at(s, i + 10)))) return 10;
    if (month && sep != '.' && !is_letter(after) && (sep != '/' || after == '/')) return 7;
    return before(s, i) == '/' && (sep == '/' || (sep == '.' && !is_digit(at(s, i + 5)))) ? 4 : 0;
}

/* HH, HHMM, HHMMSS with fractions, HH:MM and on (or with - or _), with Z or an offset. */
static size_t clock_at(struct dp_str s, size_t i) {
    size_t n = digits_at(s, i), end = i + n;
    if (n < 2 || !is_two(s, i, 0, 23)) return 0;
    if (n == 2 && strchr(":-_", at(s, end)) && is_two(s, end + 1, 0, 59) && digits_at(s, end + 1) == 2) {
        char sep = s.p[end];
        end += 3;
        if (at(s, end) == sep && is_two(s, end + 1, 0, 60) && digits_at(s, end + 1) == 2) end += 3;
    } else if ((n != 2 && n != 4 && n != 6 && n != 9) || (n >= 4 && !is_two(s, i + 2, 0, 59)) || (n >= 6 && !is_two(s, i + 4, 0, 60))) {
        return 0;
    }
    if (end - i >= 6 && at(s, end) == '.' && digits_at(s, end + 1) >= 3) end += 1 + digits_at(s, end + 1);
    if (at(s, end) == 'Z') end++;
    else if (strchr("+-", at(s, end)) && is_two(s, end + 1, 0, 14) && at(s, end + 3) == ':' && is_two(s, end + 4, 0, 59)) end += 6;
    return is_word(at(s, end)) ? 0 : end - i;
}

/* ---- numbers ---- */

/* Is what stands before a number a word that counts, with something between? */
static bool is_counted(struct dp_str s, size_t i, size_t n) {
    static const char *const counts[] = {"part", "chunk", "split", "shard", "batch", "run", "attempt", "seg", "segment", "block", "page", "task", "slice", "bucket", "offset", "seq",
        "year", "month", "day", "week", "hour", "minute", "yyyy", "mm", "dd", "hh"};
    char word[12];
    size_t end = i, from, len;
    if (end && strchr("-_.=", s.p[end - 1])) end--;
    else if (n < 3) return false;
    for (from = end; from && is_letter(s.p[from - 1]);) from--;
    len = end - from;
    if (!len || len >= sizeof word || is_digit(before(s, from))) return false;
    for (size_t k = 0; k < len; k++) word[k] = (char)(s.p[from + k] | 0x20);
    word[len] = 0;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
        if (!strcmp(word, counts[k])) return true;
    return false;
}

static size_t number_at(struct dp_str s, size_t i) {
    size_t n = digits_at(s, i);
    char prev = before(s, i), next = at(s, i + n);
    if (!n || is_digit(prev) || is_letter(next)) return 0;
    bool is_last = !memchr(s.p + i, '/', s.n - i);
    bool is_whole = prev == '/' && is_last && (i + n == s.n || next == '.') && i;
    bool is_padded = n >= 3 && s.p[i] == '0' && strchr("-_.", prev);
    return n >= 5 || is_whole || is_padded || is_counted(s, i, n) ? n : 0;
}

/* ---- names ---- */

bool dp_fold_is_of_files(struct dp_str ns) {
    static const char *const schemes[] = {"file:", "s3:", "s3a:", "s3n:", "gs:", "gcs:", "abfs:", "abfss:", "wasb:", "wasbs:", "hdfs:"};
    if (dp_str_eqz(ns, "file")) return true;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (dp_str_starts(ns, dp_str_z(schemes[i]))) return true;
    return false;
}

static bool add(struct dp_fold *f, size_t from, size_t n, enum dp_fold_kind kind) {
    if (f->n == DP_FOLD_PARTS) return false;
    f->part[f->n++] = (struct dp_fold_part){from, n, kind};
    return true;
}

/* A date and the time of day behind it, however they are joined; the length of both, 0: none is there. */
static size_t moment_at(struct dp_str s, size_t i, struct dp_fold *f, bool *fits) {
    size_t n = date_at(s, i), end = i + n, clock = 0;
    if (!n) return 0;
    bool is_day = n == 8 || n == 10;
    if (is_day && n == 8 && is_digit(at(s, end))) clock = clock_at(s, end);
    else if (is_day && end + 1 < s.n && strchr("Tt_-. /", s.p[end]) && (s.p[end] != '/' || s.p[i + 4] == '/')) end++, clock = clock_at(s, end);
    *fits = add(f, i, n, DP_FOLD_DATE) && (!clock || add(f, end, clock, DP_FOLD_TIME));
    return clock ? end + clock - i : n;
}

bool dp_fold_read(struct dp_str s, struct dp_fold *f) {
    bool fits = true;
    f->n = 0;
    if (s.n && (memchr(s.p, '{', s.n) || memchr(s.p, '}', s.n))) return false; /* so that a printed one is none */
    for (size_t i = 0; i < s.n && fits;) {
        size_t n = uuid_at(s, i);
        if (n) {
            fits = add(f, i, n, DP_FOLD_UUID);
            i += n;
            if (strchr("-.", at(s, i)) && at(s, i + 1) == 'c' && digits_at(s, i + 2) == 3) fits = fits && add(f, i + 2, 3, DP_FOLD_N), i += 5; /* of a writer's file the how manieth */
        } else if ((n = hash_at(s, i))) {
            fits = add(f, i, n, DP_FOLD_ID);
            i += n;
        } else if ((n = moment_at(s, i, f, &fits))) {
            i += n;
        } else if ((n = number_at(s, i))) {
            fits = add(f, i, n, DP_FOLD_N);
            i += n;
        } else {
            n = digits_at(s, i);
            i += n ? n : 1;
        }
    }
    return fits && f->n;
}

void dp_fold_print(struct dp_str name, const struct dp_fold *f, const bool *same, struct dp_buf *b) {
    size_t from = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (same && same[i]) continue;
        dp_buf_add(b, name.p + from, f->part[i].at - from);
        dp_buf_addz(b, words[f->part[i].kind]);
        from = f->part[i].at + f->part[i].n;
    }
    dp_buf_add(b, name.p + from, name.n - from);
}

/* What is left of the text behind `n` bytes that must be these; p NULL: they are not. */
static struct dp_str behind(struct dp_str text, const char *p, size_t n) {
    if (!text.p || text.n < n || memcmp(text.p, p, n) != 0) return dp_str(NULL, 0);
    return dp_str(text.p + n, text.n - n);
}

bool dp_fold_matches(struct dp_str printed, struct dp_str name) {
    struct dp_fold f;
    size_t from = 0;
    if (!dp_fold_read(name, &f)) return false;
    for (size_t i = 0; i < f.n; i++) {
        const char *word = words[f.part[i].kind];
        printed = behind(printed, name.p + from, f.part[i].at - from);
        struct dp_str rest = behind(printed, word, strlen(word));
        printed = rest.p ? rest : behind(printed, name.p + f.part[i].at, f.part[i].n);
        from = f.part[i].at + f.part[i].n;
    }
    printed = behind(printed, name.p + from, name.n - from);
    return printed.p && !printed.n;
}

bool dp_fold_is_printed(struct dp_str text) {
    for (size_t i = 0; i < text.n; i++)
        for (size_t k = 0; text.p[i] == '{' && k < N_KINDS; k++)
            if (dp_str_starts(dp_str(text.p + i, text.n - i), dp_str_z(words[k]))) return true;
    return false;
}

/* ---- groups ---- */

struct gathered { struct dp_fold_name *of; struct dp_fold fold; bool same[DP_FOLD_PARTS]; size_t n; };

/* Parts that are not as in the first of the group vary in it. */
static void gather(struct gathered *g, struct dp_fold_name *v, const struct dp_fold *f) {
    if (!g->n++) {
        g->of = v, g->fold = *f;
        memset(g->same, 1, sizeof g->same);
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        const struct dp_fold_part *p = &g->fold.part[i], *q = &f->part[i];
        g->same[i] = g->same[i] && p->n == q->n && !memcmp(g->of->name.p + p->at, v->name.p + q->at, p->n);
    }
}

/* Groups of one are none: the numbers of the others follow each other. */
static size_t keep_many(struct gathered *g, size_t n, uint32_t *number, struct dp_arena *a, struct dp_fold_group **out) {
    size_t kept = 0;
    struct dp_buf b = {0};
    *out = dp_calloc(n + 1, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        number[i] = DP_FOLD_ALONE;
        if (g[i].n < 2) continue;
        dp_buf_reset(&b);
        dp_fold_print(g[i].of->name, &g[i].fold, g[i].same, &b);
        (*out)[kept] = (struct dp_fold_group){dp_arena_str(a, dp_buf_str(&b)), g[i].n, g[i].of};
        number[i] = (uint32_t)kept++;
    }
    dp_buf_release(&b);
    return kept;
}

size_t dp_fold_group(struct dp_fold_name *v, size_t n, struct dp_arena *a, struct dp_fold_group **out) {
    struct dp_map met = {0};
    struct dp_buf key = {0};
    struct gathered *groups = NULL;
    size_t n_groups = 0, cap = 0;
    for (size_t i = 0; i < n; i++) {
        struct dp_fold f;
        bool is_new;
        v[i].group = DP_FOLD_ALONE;
        if (v[i].is_apart || !dp_fold_is_of_files(v[i].ns) || !dp_fold_read(v[i].name, &f)) continue;
        dp_buf_reset(&key);
        dp_buf_addf(&key, "%zu ", v[i].ns.n), dp_buf_adds(&key, v[i].ns);
        dp_fold_print(v[i].name, &f, NULL, &key);
        struct dp_map_item *it = dp_map_put(&met, dp_buf_str(&key), &is_new);
        if (is_new) {
            it->v.u = n_groups;
            groups = dp_grow(groups, &cap, n_groups + 1, sizeof *groups);
            groups[n_groups++] = (struct gathered){0};
        }
        v[i].group = (uint32_t)it->v.u;
        gather(&groups[it->v.u], &v[i], &f);
    }
    uint32_t *number = dp_alloc((n_groups + 1) * sizeof *number);
    size_t kept = keep_many(groups, n_groups, number, a, out);
    for (size_t i = 0; i < n; i++)
        if (v[i].group != DP_FOLD_ALONE) v[i].group = number[v[i].group];
    free(number), free(groups);
    dp_buf_release(&key);
    dp_map_release(&met);
    return kept;
}

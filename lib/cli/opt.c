/*
 * Parsing of option tables (HOUSE.md, section 4): GNU style words, exact long names, defaults and environment defaults as text,
 * error texts that name the option and the nearest right word.  It prints nothing; help and the dump are in help.c.
 */
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/cli/opt.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_WORDS 256 /* names that are offered for "did you mean" */

const char *dp_opt_kind_name(enum dp_opt_kind k) {
    switch (k) {
    case DP_OPT_KIND_FLAG: return "flag";
    case DP_OPT_KIND_SET: return "set";
    case DP_OPT_KIND_STRING: return "string";
    case DP_OPT_KIND_PATH: return "path";
    case DP_OPT_KIND_DIR: return "dir";
    case DP_OPT_KIND_INT: return "int";
    case DP_OPT_KIND_ENUM: return "enum";
    case DP_OPT_KIND_SIZE: return "size";
    case DP_OPT_KIND_DURATION: return "duration";
    case DP_OPT_KIND_LIST: return "list";
    case DP_OPT_KIND_TOLERANCE: return "tolerance";
    case DP_OPT_KIND_TIME: return "time";
    }
    return "?";
}

static bool takes_value(const struct dp_opt *o) { return o->kind != DP_OPT_KIND_FLAG && o->kind != DP_OPT_KIND_SET; }

/* "expected X, got Y" with the option's name in front. */
static enum dp_status bad_value(const struct dp_opt *o, const char *value, const char *expected, struct dp_err *err) {
    return dp_err_set(err, DP_USAGE, "--%s: expected %s, got \"%.100s\"", o->name, expected, value);
}

static enum dp_status set_int(const struct dp_opt *o, int64_t *field, const char *value, struct dp_err *err) {
    int64_t v;
    char range[80];
    if (o->min == INT64_MIN && o->max == INT64_MAX) snprintf(range, sizeof range, "a whole number");
    else if (o->max == INT64_MAX) snprintf(range, sizeof range, "a whole number from %lld", (long long)o->min);
    else snprintf(range, sizeof range, "a whole number from %lld to %lld", (long long)o->min, (long long)o->max);
    if (!dp_parse_i64(dp_str_z(value), &v) || v < o->min || v > o->max) return bad_value(o, value, range, err);
    *field = v;
    return DP_OK;
}

static enum dp_status set_enum(const struct dp_opt *o, int *field, const char *value, struct dp_err *err) {
    char list[200];
    size_t n = 0;
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *field = i;
            return DP_OK;
        }
        int w = snprintf(list + n, sizeof list - n, "%s%s", i ? "|" : "", o->choices[i]);
        if (w > 0 && (size_t)w < sizeof list - n) n += (size_t)w;
    }
    list[n] = '\0';
    const char *near = dp_str_nearest(value, o->choices);
    if (near) return dp_err_set(err, DP_USAGE, "--%s: no such choice \"%.60s\" (%s); did you mean \"%s\"?", o->name, value, list, near);
    return dp_err_set(err, DP_USAGE, "--%s: no such choice \"%.60s\" (%s)", o->name, value, list);
}

static enum dp_status set_size(const struct dp_opt *o, uint64_t *field, const char *value, struct dp_err *err) {
    uint64_t v;
    if (dp_parse_size(dp_str_z(value), &v, err) != DP_OK) return dp_err_prefix(err, "--%s: ", o->name);
    if (v < (uint64_t)o->min || (o->max && v > (uint64_t)o->max)) {
        char range[100];
        if (o->max) snprintf(range, sizeof range, "a size from %lld to %lld bytes", (long long)o->min, (long long)o->max);
        else snprintf(range, sizeof range, "a size of at least %lld bytes", (long long)o->min);
        return bad_value(o, value, range, err);
    }
    *field = v;
    return DP_OK;
}

static enum dp_status set_duration(const struct dp_opt *o, int64_t *field, const char *value, struct dp_err *err) {
    bool negative = o->min < 0 && value[0] == '-';
    int64_t v;
    if (dp_parse_duration(dp_str_z(value + negative), &v, err) != DP_OK) return dp_err_prefix(err, "--%s: ", o->name);
    if (negative) v = -v;
    if (v < o->min || (o->max && v > o->max)) {
        char range[100];
        if (o->max) snprintf(range, sizeof range, "a duration from %lld to %lld ms", (long long)o->min, (long long)o->max);
        else snprintf(range, sizeof range, "a duration of at least %lld ms", (long long)o->min);
        return bad_value(o, value, range, err);
    }
    *field = v;
    return DP_OK;
}

/* N, N% or N.NNNN% (parts per million are as fine as it gets). */
static enum dp_status set_tolerance(const struct dp_opt *o, struct dp_tolerance *field, const char *value, struct dp_err *err) {
    static const char expected[] = "a count (10) or a percentage from 0% to 100% (0.5%)";
    struct dp_tolerance t = {.is_percent = false};
    size_t n = strlen(value);
    if (n == 0 || value[n - 1] != '%') {
        if (!dp_parse_u64(dp_str_z(value), &t.count)) return bad_value(o, value, expected, err);
        *field = t;
        return DP_OK;
    }
    uint64_t ppm = 0, scale = 10000;
    bool point = false, digit = false;
    for (size_t i = 0; i + 1 < n; i++) {
        char c = value[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ppm > 1000000 || (point && scale == 1)) return bad_value(o, value, expected, err);
        digit = true;
        if (point) scale /= 10, ppm += (uint64_t)(c - '0') * scale;
        else ppm = ppm * 10 + (uint64_t)(c - '0') * 10000;
    }
    if (!digit || ppm > 1000000) return bad_value(o, value, expected, err);
    t.is_percent = true;
    t.ppm = (uint32_t)ppm;
    *field = t;
    return DP_OK;
}

static enum dp_status set_time(const struct dp_opt *o, int64_t *field, const char *value, struct dp_err *err) {
    const int64_t day = INT64_C(86400000000);
    struct dp_timestamp t;
    int64_t ms;
    int32_t days;
    if (dp_date_parse(dp_str_z(value), &days)) {
        *field = days * day + (o->up_to ? day - 1 : 0);
        return DP_OK;
    }
    if (dp_parse_i64(dp_str_z(value), &ms)) {
        if (dp_mul_overflow(ms, (int64_t)1000, field)) return bad_value(o, value, "a time", err);
        return DP_OK;
    }
    if (!dp_time_parse(dp_str_z(value), false, false, &t) || !dp_time_micros(&t, field))
        return bad_value(o, value, "a time (2026-01-02T03:04:05Z, 2026-01-02, or integer milliseconds)", err);
    return DP_OK;
}

static void list_add(struct dp_opt_list *l, const char *value) {
    l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = value;
}

enum dp_status dp_opt_set_value(const struct dp_opt *o, void *conf, const char *value, struct dp_err *err) {
    void *field = (char *)conf + o->offset;
    switch (o->kind) {
    case DP_OPT_KIND_FLAG: *(bool *)field = true; return DP_OK;
    case DP_OPT_KIND_SET: *(int *)field = (int)o->min; return DP_OK;
    case DP_OPT_KIND_PATH:
    case DP_OPT_KIND_DIR:
        if (!*value) return dp_err_set(err, DP_USAGE, "--%s: an empty name", o->name);
        *(const char **)field = value;
        return DP_OK;
    case DP_OPT_KIND_STRING: *(const char **)field = value; return DP_OK;
    case DP_OPT_KIND_INT: return set_int(o, field, value, err);
    case DP_OPT_KIND_ENUM: return set_enum(o, field, value, err);
    case DP_OPT_KIND_SIZE: return set_size(o, field, value, err);
    case DP_OPT_KIND_DURATION: return set_duration(o, field, value, err);
    case DP_OPT_KIND_LIST: list_add(field, value); return DP_OK;
    case DP_OPT_KIND_TOLERANCE: return set_tolerance(o, field, value, err);
    case DP_OPT_KIND_TIME: return set_time(o, field, value, err);
    }
    return dp_err_set(err, DP_BUG, "--%s: an option of no kind", o->name);
}

/* ---- finding rows ---- */

struct found {
    const struct dp_opt *o;
    const struct dp_opt_set *set;
    size_t row;
};

static bool find_long(const struct dp_opt_set *sets, size_t n_sets, struct dp_str name, struct found *f) {
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++)
            if (dp_str_eqz(name, sets[s].opts[i].name)) {
                *f = (struct found){&sets[s].opts[i], &sets[s], i};
                return true;
            }
    return false;
}

static bool find_letter(const struct dp_opt_set *sets, size_t n_sets, char letter, struct found *f) {
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++)
            if (sets[s].opts[i].letter == letter) {
                *f = (struct found){&sets[s].opts[i], &sets[s], i};
                return true;
            }
    return false;
}

static enum dp_status unknown_long(const struct dp_opt_set *sets, size_t n_sets, struct dp_str name, struct dp_err *err) {
    const char *words[MAX_WORDS + 1];
    size_t n = 0;
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++)
            if (!sets[s].opts[i].hidden && n < MAX_WORDS) words[n++] = sets[s].opts[i].name;
    words[n] = NULL;
    char z[64];
    snprintf(z, sizeof z, "%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
    const char *near = dp_str_nearest(z, words);
    if (near) return dp_err_set(err, DP_USAGE, "unknown option --%s; did you mean --%s?", z, near);
    return dp_err_set(err, DP_USAGE, "unknown option --%s (--help lists them)", z);
}

static enum dp_status apply(const struct found *f, const char *value, struct dp_err *err) {
    DP_TRY(dp_opt_set_value(f->o, f->set->conf, value, err));
    if (f->set->given) f->set->given[f->row] = true;
    return DP_OK;
}

static enum dp_status parse_long(const struct dp_opt_set *sets, size_t n_sets, int argc, char **argv, int *i, struct dp_err *err) {
    const char *word = argv[*i] + 2;
    const char *eq = strchr(word, '=');
    struct dp_str name = dp_str(word, eq ? (size_t)(eq - word) : strlen(word));
    struct found f;
    if (!find_long(sets, n_sets, name, &f)) return unknown_long(sets, n_sets, name, err);
    if (!takes_value(f.o)) {
        if (eq) return dp_err_set(err, DP_USAGE, "--%s takes no value", f.o->name);
        return apply(&f, NULL, err);
    }
    if (eq) return apply(&f, eq + 1, err);
    if (*i + 1 >= argc) return dp_err_set(err, DP_USAGE, "--%s needs a value: --%s=%s", f.o->name, f.o->name, f.o->arg);
    return apply(&f, argv[++*i], err);
}

/* What a letter means in most programs; one whose option is of another kind has the word without the letter. */
static const char *common_word(char letter) {
    static const struct { char letter; const char *word; } common[] = {{'c', "contract"}, {'o', "output"}, {'w', "where"}, {'j', "threads"}, {'m', "memory"}, {'n', "dry-run"}};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (common[i].letter == letter) return common[i].word;
    return NULL;
}

/* A word of letters: flags may be grouped, the last one may take the rest of the word or the next word as its value. */
static enum dp_status parse_letters(const struct dp_opt_set *sets, size_t n_sets, int argc, char **argv, int *i, struct dp_err *err) {
    const char *p = argv[*i] + 1;
    for (; *p; p++) {
        struct found f;
        if (!find_letter(sets, n_sets, *p, &f)) {
            if (find_long(sets, n_sets, dp_str_z(argv[*i] + 1), &f))
                return dp_err_set(err, DP_USAGE, "unknown option -%c; did you mean --%s?", *p, f.o->name);
            const char *common = common_word(*p);
            if (common && find_long(sets, n_sets, dp_str_z(common), &f)) return dp_err_set(err, DP_USAGE, "unknown option -%c; did you mean --%s?", *p, common);
            return dp_err_set(err, DP_USAGE, "unknown option -%c (--help lists them)", *p >= ' ' && *p < 127 ? *p : '?');
        }
        if (!takes_value(f.o)) {
            DP_TRY(apply(&f, NULL, err));
            continue;
        }
        if (p[1]) {
            struct found whole;
            enum dp_status status = apply(&f, p + 1, err);
            if (status != DP_OK && p == argv[*i] + 1 && find_long(sets, n_sets, dp_str_z(p), &whole))
                return dp_err_set(err, DP_USAGE, "unknown option -%s; did you mean --%s?", p, p);
            return status;
        }
        if (*i + 1 >= argc) return dp_err_set(err, DP_USAGE, "-%c needs a value: -%c %s", *p, *p, f.o->arg);
        return apply(&f, argv[++*i], err);
    }
    return DP_OK;
}

static enum dp_status defaults(const struct dp_opt_set *sets, size_t n_sets, struct dp_err *err) {
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++) {
            const struct dp_opt *o = &sets[s].opts[i];
            if (o->def) DP_TRY(dp_opt_set_value(o, sets[s].conf, o->def, err));
            const char *v = o->env ? getenv(o->env) : NULL;
            if (!v || !*v) continue;
            if (o->kind == DP_OPT_KIND_FLAG) {
                *(bool *)(void *)((char *)sets[s].conf + o->offset) = strcmp(v, "0") != 0;
            } else if (dp_opt_set_value(o, sets[s].conf, v, err) != DP_OK) {
                return dp_err_prefix(err, "environment variable %s: ", o->env);
            }
        }
    return DP_OK;
}

/* A name of a comma-separated list that was given, or NULL. */
static const char *given_of(const struct dp_opt_set *sets, size_t n_sets, const char *names) {
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, ",");
        struct found f;
        if (find_long(sets, n_sets, dp_str(p, n), &f) && f.set->given && f.set->given[f.row]) return f.o->name;
        p += n + (p[n] == ',');
    }
    return NULL;
}

enum dp_status dp_opt_check(const struct dp_opt_set *sets, size_t n_sets, struct dp_err *err) {
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++) {
            const struct dp_opt *o = &sets[s].opts[i];
            bool given = sets[s].given && sets[s].given[i];
            if (!given && o->required) return dp_err_set(err, DP_USAGE, "--%s %s is needed", o->name, o->arg ? o->arg : "");
            if (!given) continue;
            const char *other = o->conflicts ? given_of(sets, n_sets, o->conflicts) : NULL;
            if (other) return dp_err_set(err, DP_USAGE, "--%s and --%s can't be used together", o->name, other);
            if (o->needs && !given_of(sets, n_sets, o->needs)) return dp_err_set(err, DP_USAGE, "--%s needs --%s", o->name, o->needs);
        }
    return DP_OK;
}

enum dp_status dp_opt_parse(const struct dp_opt_set *sets, size_t n_sets, int argc, char **argv, size_t *n_args, struct dp_err *err) {
    size_t n = 0;
    *n_args = 0;
    DP_TRY(defaults(sets, n_sets, err));
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        if (w[0] != '-' || !w[1]) {
            argv[1 + n++] = argv[i];
        } else if (strcmp(w, "--") == 0) {
            while (++i < argc) argv[1 + n++] = argv[i];
        } else if (w[1] == '-') {
            DP_TRY(parse_long(sets, n_sets, argc, argv, &i, err));
        } else {
            DP_TRY(parse_letters(sets, n_sets, argc, argv, &i, err));
        }
    }
    *n_args = n;
    return DP_OK;
}

void dp_opt_release(const struct dp_opt_set *sets, size_t n_sets) {
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; sets[s].opts && sets[s].opts[i].name; i++)
            if (sets[s].opts[i].kind == DP_OPT_KIND_LIST) {
                struct dp_opt_list *l = (void *)((char *)sets[s].conf + sets[s].opts[i].offset);
                free(l->v);
                *l = (struct dp_opt_list){NULL, 0, 0};
            }
}

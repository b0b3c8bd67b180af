/*
 * slaProperties that data can show: freshness and latency (now - newest <= value), retention (now - oldest <= value).  The others are about deliveries and
 * people; they are in the verdict as not supported.  A year is 365 days, a month 30.
 */
#include "check_priv.h"

#include <stdlib.h>
#include <strings.h>

static bool is_word(const char *s, const char *const *words) {
    for (; s && *words; words++)
        if (!strcasecmp(s, *words)) return true;
    return false;
}

static const char *const fresh_words[] = {"freshness", "latency", "ly", NULL};
static const char *const retention_words[] = {"retention", "re", NULL};

static const struct unit { const char *const words[6]; int64_t seconds; } units[] = {
    {{"s", "sec", "second", "seconds", NULL}, 1},  {{"m", "min", "minute", "minutes", NULL}, 60},     {{"h", "hr", "hour", "hours", NULL}, 3600},
    {{"d", "day", "days", NULL}, 86400},           {{"w", "week", "weeks", NULL}, 604800},            {{"mo", "month", "months", NULL}, 2592000},
    {{"y", "yr", "year", "years", NULL}, 31536000}};

static bool read_most(const struct dp_contract_sla *s, int64_t *micros) {
    int64_t ms;
    struct dp_decimal d;
    if (!s->unit || !*s->unit || !strcasecmp(s->unit, "ISO")) {
        if (dp_parse_duration(s->value, &ms, NULL) != DP_OK || ms < 0) return false;
        return !__builtin_mul_overflow(ms, 1000, micros);
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!is_word(s->unit, units[i].words)) continue;
        dp_i128 v;
        if (!dp_decimal_parse(s->value, &d) || d.unscaled < 0 || !dp_decimal_rescale(d, 18, 6, &v)) return false;
        return !__builtin_mul_overflow((int64_t)v, units[i].seconds, micros);
    }
    return false;
}

/* The field of "table.column"; *other: it is of another object of the contract. */
static struct check_field *find_element(const struct check_compile *c, struct dp_str element, bool *other) {
    const char *dot = memchr(element.p, '.', element.n);
    struct dp_str table = dp_str(element.p, dot ? (size_t)(dot - element.p) : 0);
    *other = false;
    for (size_t i = 0; dot && i < c->c->n_objects; i++) {
        const struct dp_contract_object *o = &c->c->objects[i];
        if (!dp_str_eqz(table, o->name) && !(o->physical_name && dp_str_eqz(table, o->physical_name))) continue;
        *other = o != c->o;
        return *other ? NULL : check_find_field(c->k, dp_str(dot + 1, element.n - table.n - 1));
    }
    return check_find_field(c->k, element);
}

static bool is_time(const struct check_field *f) {
    return f->logical == DP_LOGICAL_DATE || f->logical == DP_LOGICAL_TIMESTAMP;
}

/* One element of one property. */
static void add_element(struct check_compile *c, const struct dp_contract_sla *s, struct dp_str element, bool is_fresh, bool is_retained) {
    bool other = false;
    struct check_field *f = element.n ? find_element(c, element, &other) : NULL;
    int64_t most = 0;
    if (other) return; /* a rule of its own run */
    const char *name = is_fresh ? "freshness" : is_retained ? "retention" : s->property ? s->property : "sla";
    uint32_t rule = check_add_rule(c, s->path, name, f, "%s %.*s %s", is_retained ? "none older than" : is_fresh ? "one not older than" : "", DP_STR_FMT(s->value), s->unit ? s->unit : "");
    check_rule(c, rule)->per_record = false;
    if (!is_fresh && !is_retained) check_unsupported(c, rule, "records do not show it");
    else if (!f) check_unsupported(c, rule, element.n ? "its element is no property of the contract" : "no element says which times are meant");
    else if (!is_time(f) || check_is_in_array(f)) check_unsupported(c, rule, "its element is no date and no timestamp");
    else if (!read_most(s, &most)) check_unsupported(c, rule, "its value and unit are no span of time");
    else {
        c->k->slas = dp_grow(c->k->slas, &c->k->cap_slas, c->k->n_slas + 1, sizeof *c->k->slas);
        c->k->slas[c->k->n_slas++] = (struct check_sla){.rule = rule, .is_oldest = is_retained, .most = most, .low = INT64_MAX, .high = INT64_MIN};
        check_add_op(f, CHECK_TIMES, CHECK_NEEDS_TIME, rule);
    }
}

enum dp_status check_compile_sla(struct check_compile *c) {
    for (size_t i = 0; i < c->c->n_sla; i++) {
        const struct dp_contract_sla *s = &c->c->sla[i];
        bool is_fresh = is_word(s->property, fresh_words), is_retained = is_word(s->property, retention_words);
        struct dp_str rest = s->element ? dp_str_z(s->element) : dp_str("", 0);
        do {
            const char *comma = rest.n ? memchr(rest.p, ',', rest.n) : NULL;
            struct dp_str one = dp_str(rest.p, comma ? (size_t)(comma - rest.p) : rest.n);
            rest = comma ? dp_str(comma + 1, rest.n - one.n - 1) : dp_str("", 0);
            while (one.n && one.p[0] == ' ') one.p++, one.n--;
            while (one.n && one.p[one.n - 1] == ' ') one.n--;
            add_element(c, s, one, is_fresh, is_retained);
        } while (rest.n);
    }
    return DP_OK;
}

/* slaProperties against times in the data (dp/rules/sla.h).  Entries that only a service can show (availability, throughput, timeToRepair ...) are unsupported. */
#include <dp/rules/sla.h>

#include <dp/base/decimal.h>
#include <dp/base/mem.h>
#include <dp/base/time.h>

#include <stdlib.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define MOST_MONTHS (12 * 10000)

/* Without regard to case, ASCII. */
static bool is_word(const char *z, const char *word) {
    for (; *z && *word; z++, word++) {
        char c = *z >= 'A' && *z <= 'Z' ? (char)(*z | 32) : *z, d = *word >= 'A' && *word <= 'Z' ? (char)(*word | 32) : *word;
        if (c != d) return false;
    }
    return *z == *word;
}

static const struct known {
    const char *name, *synonym;
    enum dp_sla_kind kind;
} known[] = {{"latency", "ly", DP_SLA_LATENCY}, {"freshness", "freshness", DP_SLA_LATENCY}, {"retention", "re", DP_SLA_RETENTION},
             {"frequency", "fy", DP_SLA_FREQUENCY}, {"timeOfAvailability", "timeOfAvailability", DP_SLA_AVAILABILITY}};

bool dp_sla_is_retention(const char *property) { return is_word(property, "retention") || is_word(property, "re"); }

static const struct known *find_kind(const char *name) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_word(name, known[i].name) || is_word(name, known[i].synonym)) return &known[i];
    return NULL;
}

/* ---- durations ---- */

struct unit {
    const char *words[5];
    int64_t micros, months;
};
static const struct unit units[] = {{{"ms", "millisecond", "milliseconds"}, 1000, 0}, {{"s", "sec", "second", "seconds"}, SECOND, 0},
                                    {{"m", "min", "minute", "minutes"}, 60 * SECOND, 0}, {{"h", "hr", "hour", "hours"}, 3600 * SECOND, 0},
                                    {{"d", "day", "days"}, DAY, 0}, {{"w", "wk", "week", "weeks"}, 7 * DAY, 0},
                                    {{"mo", "month", "months"}, 0, 1}, {{"y", "yr", "year", "years"}, 0, 12}};

static const struct unit *find_unit(const char *word) {
    if (!strcmp(word, "M")) return NULL; /* minutes or months: not for us to say */
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (size_t k = 0; k < 5 && units[i].words[k]; k++)
            if (is_word(word, units[i].words[k])) return &units[i];
    return NULL;
}

/* number * per, which must be whole and no more than 10,000 years. */
static bool times(struct dp_str number, int64_t per, int64_t *out) {
    struct dp_decimal d;
    dp_i128 whole;
    if (!dp_decimal_parse(number, &d) || d.unscaled < 0 || d.unscaled > (dp_i128)1 << 80) return false;
    d.unscaled *= per;
    if (!dp_decimal_rescale(d, DP_DECIMAL_MAX_PRECISION, 0, &whole) || whole > (dp_i128)3660000 * DAY) return false;
    *out = (int64_t)whole;
    return true;
}

/* P1Y2M3W4DT5H6M7.5S, each part once and in this order. */
static bool iso(struct dp_str s, int64_t *months, int64_t *micros) {
    static const struct { char letter; bool time; int64_t micros, months; } parts[] = {
        {'Y', false, 0, 12}, {'M', false, 0, 1}, {'W', false, 7 * DAY, 0}, {'D', false, DAY, 0},
        {'H', true, 3600 * SECOND, 0}, {'M', true, 60 * SECOND, 0}, {'S', true, SECOND, 0}};
    bool is_time = false;
    size_t next = 0, seen = 0;
    if (s.n < 2 || *s.p != 'P') return false;
    for (size_t i = 1; i < s.n;) {
        if (s.p[i] == 'T') {
            if (is_time) return false;
            is_time = true, i++;
            continue;
        }
        size_t from = i;
        while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.')) i++;
        if (i == s.n) return false;
        while (next < 7 && (parts[next].letter != s.p[i] || parts[next].time != is_time)) next++;
        if (next == 7) return false;
        int64_t n;
        if (!times(dp_str(s.p + from, i - from), parts[next].months ? parts[next].months : parts[next].micros, &n)) return false;
        if (dp_add_overflow(*(parts[next].months ? months : micros), n, parts[next].months ? months : micros)) return false;
        next++, seen++, i++;
    }
    return seen && s.p[s.n - 1] != 'T' && *months <= MOST_MONTHS;
}

const char *dp_sla_age(struct dp_str value, const char *unit, int64_t *months, int64_t *micros, struct dp_arena *a) {
    *months = *micros = 0;
    if (value.n && *value.p == 'P' && (!unit || is_word(unit, "iso")))
        return iso(value, months, micros) ? NULL : dp_arena_printf(a, "\"%.*s\" is not a duration of ISO 8601", DP_STR_FMT(value));
    const struct unit *u = unit ? find_unit(unit) : NULL;
    if (!unit) return "it has no unit (d, h, m, y ...)";
    if (!u) return dp_arena_printf(a, "unit \"%.100s\" is not one of s, m (minutes), h, d, w, mo, y", unit);
    if (!times(value, u->months ? u->months : u->micros, u->months ? months : micros) || *months > MOST_MONTHS)
        return dp_arena_printf(a, "\"%.*s\" %.20s is not a time that can be measured", DP_STR_FMT(value), unit);
    return NULL;
}

static const char *read_age(const struct dp_contract_sla *e, struct dp_sla *s, struct dp_arena *a) {
    return dp_sla_age(e->value, e->unit, &s->months, &s->micros, a);
}

/* 09:00-08:00, 09:00:30Z; without an offset UTC. */
static const char *read_time_of_day(const struct dp_contract_sla *e, struct dp_sla *s, struct dp_arena *a) {
    struct dp_buf b = {0};
    struct dp_timestamp t;
    size_t clock = 0;
    while (clock < e->value.n && strchr("0123456789:", e->value.p[clock])) clock++;
    dp_buf_addf(&b, "1970-01-02T%.*s%s", (int)clock, e->value.p, clock == 5 ? ":00" : "");
    if (clock == e->value.n) dp_buf_addc(&b, 'Z');
    else dp_buf_add(&b, e->value.p + clock, e->value.n - clock);
    bool fine = clock <= 8 && dp_time_parse(dp_buf_str(&b), false, false, &t) && dp_time_micros(&t, &s->micros);
    dp_buf_release(&b);
    if (!fine) return dp_arena_printf(a, "\"%.*s\" is not a time of day (09:00-08:00)", DP_STR_FMT(e->value));
    s->micros = ((s->micros % DAY) + DAY) % DAY;
    return NULL;
}

/* ---- compiling ---- */

struct list {
    struct dp_sla *items;
    size_t n, cap;
};

static const char *node_text(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind != DP_YAML_LIST && n->kind != DP_YAML_MAP && n->kind != DP_YAML_NULL ? n->text.p : NULL;
}

static uint32_t add_rule(struct dp_verdict *v, const struct dp_contract_object *o, const struct dp_contract_sla *e, const char *check, struct dp_str element) {
    struct dp_verdict_rule *r = dp_verdict_add(v);
    r->path = e->path, r->check = check, r->object = o->name;
    r->id = node_text(e->node, "id"), r->description = node_text(e->node, "description");
    if (element.n) r->property = dp_arena_str(&v->arena, element).p;
    return (uint32_t)(v->n - 1);
}

static void unsupported(struct dp_verdict *v, uint32_t rule, const char *why) {
    v->rules[rule].outcome = DP_OUTCOME_UNSUPPORTED;
    v->rules[rule].reason = why;
}

static const char *expected(const struct dp_contract_sla *e, enum dp_sla_kind kind, struct dp_arena *a) {
    int n = (int)(e->value.n > 100 ? 100 : e->value.n);
    const char *unit = e->unit ? e->unit : "", *blank = e->unit ? " " : "";
    switch (kind) {
    case DP_SLA_LATENCY: return dp_arena_printf(a, "newest at most %.*s%s%.20s old", n, e->value.p, blank, unit);
    case DP_SLA_RETENTION: return dp_arena_printf(a, "oldest at most %.*s%s%.20s old", n, e->value.p, blank, unit);
    case DP_SLA_FREQUENCY: return dp_arena_printf(a, "one every %.*s%s%.20s", n, e->value.p, blank, unit);
    case DP_SLA_AVAILABILITY: return dp_arena_printf(a, "data of the day before at %.*s", n, e->value.p);
    case DP_SLA_NONE: break;
    }
    return NULL;
}

static const char *no_column(const struct dp_reference *r, struct dp_str element, struct dp_arena *a) {
    if (!r->n) return dp_arena_printf(a, "\"%.*s\" names no property of the contract", DP_STR_FMT(element));
    const struct dp_contract_property *p = r->chain[r->n - 1];
    if (p->logical == DP_LOGICAL_DATE || p->logical == DP_LOGICAL_TIMESTAMP) return NULL;
    return dp_arena_printf(a, "\"%.*s\" is neither a date nor a timestamp", DP_STR_FMT(element));
}

/* One element of one entry. */
static void add_element(const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_contract_sla *e, const struct known *k,
                        struct dp_str element, struct dp_verdict *v, struct list *out) {
    const char *text = dp_arena_str(&v->arena, element).p;
    struct dp_reference ref = dp_reference_read(c, text, c->n_objects == 1 ? o : NULL);
    if (ref.object && ref.object != o) return;
    if (!ref.object && c->n_objects > 1 && ref.object_name.n && !ref.rest.n)
        for (size_t i = 0; i < c->n_objects; i++) { /* the name of an object alone */
            const struct dp_contract_object *other = &c->objects[i];
            if (other != o && other->name && dp_str_eqz(ref.object_name, other->name)) return;
        }
    uint32_t rule = add_rule(v, o, e, k->name, ref.n ? ref.rest : element);
    struct dp_sla s = {.kind = k->kind, .rule = rule};
    const char *why = no_column(&ref, element, &v->arena);
    if (!why) why = k->kind == DP_SLA_AVAILABILITY ? read_time_of_day(e, &s, &v->arena) : read_age(e, &s, &v->arena);
    if (why) {
        unsupported(v, rule, why);
        return;
    }
    v->rules[rule].expected = expected(e, k->kind, &v->arena);
    s.property = ref.chain[ref.n - 1];
    v->rules[rule].is_classified = dp_contract_is_classified(s.property);
    dp_reference_path(&ref, &s.path);
    out->items = dp_grow(out->items, &out->cap, out->n + 1, sizeof *out->items);
    out->items[out->n++] = s;
}

/* Of a comma list the next one, blanks around it taken off. */
static struct dp_str next_element(struct dp_str *text) {
    const char *comma = memchr(text->p, ',', text->n);
    size_t n = comma ? (size_t)(comma - text->p) : text->n;
    struct dp_str out = {text->p, n};
    *text = comma ? dp_str(comma + 1, text->n - n - 1) : dp_str(text->p + text->n, 0);
    while (out.n && *out.p == ' ') out.p++, out.n--;
    while (out.n && out.p[out.n - 1] == ' ') out.n--;
    return out;
}

/* Is this entry, which data can't show or which names no column, about another object? */
static bool is_of_another(const struct dp_contract *c, const struct dp_contract_object *o, const char *element) {
    if (!element || !*element) return false;
    struct dp_reference ref = dp_reference_read(c, element, NULL);
    return ref.object && ref.object != o;
}

void dp_sla_compile(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_verdict *v, struct dp_sla **out, size_t *n) {
    struct list list = {0};
    for (size_t i = 0; i < c->n_sla; i++) {
        const struct dp_contract_sla *e = &c->sla[i];
        const struct known *k = find_kind(e->property);
        const char *element = e->element ? e->element : node_text(c->doc.root, "slaDefaultElement");
        if (!k) {
            if (is_of_another(c, o, e->element)) continue;
            uint32_t rule = add_rule(v, o, e, e->property, e->element ? dp_str_z(e->element) : dp_str(NULL, 0));
            unsupported(v, rule, dp_arena_printf(&v->arena, "data can't show %.100s", e->property));
        } else if (!element || !*element) {
            unsupported(v, add_rule(v, o, e, k->name, dp_str(NULL, 0)), "no element names the column that it is measured by");
        } else {
            for (struct dp_str rest = dp_str_z(element); rest.n;) {
                struct dp_str one = next_element(&rest);
                if (one.n) add_element(c, o, e, k, one, v, &list);
            }
        }
    }
    *out = list.items, *n = list.n;
}

void dp_sla_free(struct dp_sla *s, size_t n) {
    for (size_t i = 0; i < n; i++) dp_path_release(&s[i].path);
    free(s);
}

/* ---- judging ---- */

/* now - months - micros; the day is the last of its month where the month is shorter. */
static int64_t back(int64_t now, int64_t months, int64_t micros) {
    int64_t days = now / DAY - (now % DAY < 0), year;
    unsigned month, day;
    dp_civil_from_days(days, &year, &month, &day);
    int64_t at = year * 12 + (int64_t)month - 1 - months;
    int64_t y = at / 12 - (at % 12 < 0);
    unsigned m = (unsigned)(at - y * 12) + 1;
    int64_t first = dp_days_from_civil(y, m, 1), after = dp_days_from_civil(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1);
    int64_t to = first + (int64_t)day - 1;
    return (to < after ? to : after - 1) * DAY + (now - days * DAY) - micros;
}

/* "3 d 4 h", "12 min", "-" in front of what lies ahead: the two largest units. */
static const char *age_words(int64_t micros, struct dp_arena *a) {
    static const struct { const char *word; int64_t micros; } steps[] = {{"d", DAY}, {"h", 3600 * SECOND}, {"min", 60 * SECOND}, {"s", SECOND}};
    const char *sign = micros < 0 ? "-" : "";
    uint64_t left = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
    for (size_t i = 0; i < 4; i++) {
        uint64_t step = (uint64_t)steps[i].micros;
        if (left < step && i < 3) continue;
        uint64_t rest = i < 3 ? left % step / (uint64_t)steps[i + 1].micros : 0;
        if (rest) return dp_arena_printf(a, "%s%llu %s %llu %s", sign, (unsigned long long)(left / step), steps[i].word, (unsigned long long)rest, steps[i + 1].word);
        return dp_arena_printf(a, "%s%llu %s", sign, (unsigned long long)(left / step), steps[i].word);
    }
    return "";
}

void dp_sla_judge(const struct dp_sla *s, int64_t low, int64_t high, int64_t now, struct dp_verdict *v) {
    struct dp_verdict_rule *r = &v->rules[s->rule];
    bool is_retention = s->kind == DP_SLA_RETENTION;
    r->rows = 1;
    if (low > high) {
        r->count = !is_retention;
        r->reason = "there is no value";
    } else {
        int64_t since = back(now, s->months, s->micros), at = is_retention ? low : high;
        if (s->kind == DP_SLA_AVAILABILITY) {
            int64_t today = now - ((now % DAY) + DAY) % DAY + s->micros;
            since = (today <= now ? today : today - DAY) - DAY;
        }
        r->count = at < since;
        /* of a classified column the age would tell the value */
        int64_t age;
        if (r->is_classified || dp_sub_overflow(now, at, &age)) r->reason = NULL;
        else r->reason = dp_arena_printf(&v->arena, "%s is %s old", is_retention ? "the oldest" : "the newest", age_words(age, &v->arena));
    }
    r->outcome = r->count ? DP_OUTCOME_FAIL : DP_OUTCOME_PASS;
}

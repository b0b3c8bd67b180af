/*
 * One value against the rules of its field.  Numbers compare in units of 10^-18 where they fit, else by their digits; times as seconds and nanoseconds,
 * in UTC where nothing else is said.
 */
#include "check_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/time.h>

void check_number_read(struct dp_str text, struct check_number *n) {
    const char *p = text.p, *end = text.p + text.n;
    bool negative = p < end && *p == '-';
    int64_t whole = 0, part = 0;
    p += negative;
    n->text = text;
    n->small = false;
    const char *from = p;
    for (; p < end && (unsigned char)(*p - '0') < 10; p++) {
        if (p - from >= 18) return;
        whole = whole * 10 + (*p - '0');
    }
    if (p < end && *p == '.') {
        for (from = ++p; p < end && (unsigned char)(*p - '0') < 10; p++) {
            if (p - from >= 18) return;
            part = part * 10 + (*p - '0');
        }
        part *= dp_power_of_ten[18 - (p - from)];
    }
    if (p < end) return; /* an exponent */
    n->v = whole * CHECK_ONE + part;
    if (negative) n->v = -n->v;
    n->small = true;
}

/* ---- times ---- */

int check_moment_cmp(const struct check_moment *a, const struct check_moment *b) {
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
    return a->nanos < b->nanos ? -1 : a->nanos > b->nanos;
}

static void of_micros(int64_t micros, struct check_moment *m) {
    int64_t s = micros / 1000000, rest = micros % 1000000;
    if (rest < 0) s--, rest += 1000000;
    m->seconds = s;
    m->nanos = (int32_t)(rest * 1000);
}

static bool read_date(struct dp_str t, struct check_moment *m) {
    int32_t days;
    if (!dp_date_parse(t, &days)) return false;
    *m = (struct check_moment){.seconds = (int64_t)days * 86400};
    return true;
}

static bool read_timestamp(struct dp_str t, struct check_moment *m) {
    struct dp_timestamp v;
    if (!dp_time_parse(t, true, true, &v) || v.leap) return false;
    *m = (struct check_moment){.seconds = v.seconds, .nanos = v.nanos, .has_zone = v.zone != DP_ZONE_NONE};
    return true;
}

/* hh:mm:ss[.f], and a zone behind it. */
static bool read_time(struct dp_str t, struct check_moment *m) {
    int64_t nanos, shift = 0;
    bool zone = false;
    if (t.n && (t.p[t.n - 1] == 'Z' || t.p[t.n - 1] == 'z')) {
        zone = true, t.n--;
    } else if (t.n > 6 && (t.p[t.n - 6] == '+' || t.p[t.n - 6] == '-') && t.p[t.n - 3] == ':') {
        const char *z = t.p + t.n - 6;
        for (int i = 1; i < 6; i++)
            if (i != 3 && (z[i] < '0' || z[i] > '9')) return false;
        int hours = (z[1] - '0') * 10 + z[2] - '0', minutes = (z[4] - '0') * 10 + z[5] - '0';
        if (hours > 23 || minutes > 59) return false;
        shift = (z[0] == '-' ? 1 : -1) * (hours * 3600 + minutes * 60);
        zone = true, t.n -= 6;
    }
    if (!dp_timeofday_parse(t, &nanos)) return false;
    *m = (struct check_moment){.seconds = nanos / 1000000000 + shift, .nanos = (int32_t)(nanos % 1000000000), .has_zone = zone};
    return true;
}

bool check_read_moment(const struct check_field *f, struct dp_str text, struct check_moment *m) {
    if (f->timeform) {
        int64_t micros;
        if (!dp_timeform_read(f->timeform, text, &micros, &m->has_zone)) return false;
        of_micros(micros, m);
        return true;
    }
    if (f->any_time) return read_date(text, m) || read_timestamp(text, m) || read_time(text, m);
    switch (f->logical) {
    case DP_LOGICAL_DATE: return read_date(text, m);
    case DP_LOGICAL_TIMESTAMP: return read_timestamp(text, m);
    case DP_LOGICAL_TIME: return read_time(text, m);
    default: return false;
    }
}

/* ---- multipleOf, decimals, floats ---- */

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t m) { return (uint64_t)((dp_u128)a * b % m); }

static uint64_t power_mod(uint64_t base, uint64_t e, uint64_t m) {
    uint64_t out = 1 % m;
    for (base %= m; e; e >>= 1) {
        if (e & 1) out = mul_mod(out, base, m);
        base = mul_mod(base, base, m);
    }
    return out;
}

/* op->limit is the divisor in units of 10^-scale.  Digits behind that scale can't be a multiple's. */
static bool is_multiple(const struct check_op *op, struct dp_str text) {
    struct check_digits d;
    if (!check_digits(text, &d)) return false;
    if (!d.n) return true;
    int64_t e = d.e + op->scale;
    if (e < 0) return false;
    uint64_t rest = 0;
    for (const char *p = d.p; p < d.end; p++)
        if (*p != '.') rest = (uint64_t)(((dp_u128)rest * 10 + (unsigned)(*p - '0')) % op->limit);
    return mul_mod(rest, power_mod(10, (uint64_t)e, op->limit), op->limit) == 0;
}

static bool fits_decimal(const struct check_op *op, struct dp_str text) {
    struct check_digits d;
    if (!check_digits(text, &d)) return false;
    if (!d.n) return true;
    return -d.e <= op->scale && (int64_t)d.n + d.e <= op->precision - op->scale;
}

static bool fits_float(const struct check_op *op, struct dp_str text) {
    static const struct check_number most = {.text = {"3.4028235677973366163753939545814e38", 35}};
    double v;
    if (!dp_parse_double(text, &v)) return false;
    if (op->limit == 64) return true;
    struct dp_str digits = text.p[0] == '-' ? dp_str(text.p + 1, text.n - 1) : text;
    return dp_number_cmp(digits, most.text) < 0; /* half a step above the largest float rounds to infinity */
}

/* ---- containers ---- */

static size_t count_members(const struct dp_record *rec, uint32_t node) {
    size_t n = 0;
    for (uint32_t i = node + 1; i < rec->nodes[node].next; i = rec->nodes[i].next) n++;
    return n;
}

static bool has_equal_items(struct dp_check_run *r, uint32_t node) {
    struct dp_map seen = {0};
    bool found = false;
    for (uint32_t i = node + 1; i < r->rec->nodes[node].next && !found; i = r->rec->nodes[i].next) {
        bool is_new;
        dp_buf_reset(&r->words);
        check_key_node(r->rec, i, &r->words);
        dp_map_put(&seen, dp_buf_str(&r->words), &is_new);
        found = !is_new;
    }
    dp_map_release(&seen);
    return found;
}

static bool has_member(const struct dp_record *rec, uint32_t node, struct dp_str name) {
    for (uint32_t k = node + 1; k < rec->nodes[node].next; k = rec->nodes[k].next)
        if (dp_json_equal(dp_node_str(rec, k), rec->nodes[k].flags, name)) return rec->nodes[k + 1].kind != DP_KIND_NULL;
    return false;
}

/* ---- texts ---- */

/* In code points; bytes alone often answer. */
static bool is_ascii(const struct dp_record *rec, const struct check_value *v) {
    return (rec->nodes[v->node].flags & (DP_NODE_ASCII | DP_NODE_ESCAPED)) == DP_NODE_ASCII;
}

static bool is_longer(const struct dp_record *rec, const struct check_value *v, uint64_t limit) {
    if (v->text.n <= limit) return false;
    if (is_ascii(rec, v)) return true;
    return dp_json_length(v->text, 0) > limit;
}

static bool is_shorter(const struct dp_record *rec, const struct check_value *v, uint64_t limit) {
    if (v->text.n < limit) return true;
    if (is_ascii(rec, v) || v->text.n / 4 >= limit) return false;
    return dp_json_length(v->text, 0) < limit;
}

static bool matches(struct dp_check_run *r, const struct check_op *op, struct dp_str text) {
    bool yes = false; /* no error is made ready for each value: there is one way to fail */
    if (dp_pattern_match(op->pattern, r->patterns, text, &yes, NULL) == DP_OK) return yes;
    check_undecided(r, op->rule, "the pattern takes too long on this text (match limit)");
    return false;
}

static bool is_in(const struct dp_check_run *r, const struct check_set *set, const struct check_value *v) {
    switch ((enum dp_kind)r->rec->nodes[v->node].kind) {
    case DP_KIND_TRUE: return check_set_has_bool(set, true);
    case DP_KIND_FALSE: return check_set_has_bool(set, false);
    case DP_KIND_NUMBER: return check_set_has_number(set, &v->number);
    case DP_KIND_STRING: return check_set_has_string(set, v->text);
    case DP_KIND_NONE:
    case DP_KIND_NULL:
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: break;
    }
    return false;
}

/* Not missing, and not valid. */
static bool is_invalid(struct dp_check_run *r, const struct check_op *op, const struct check_value *v) {
    if (op->missing && is_in(r, op->missing, v)) return false;
    if (op->set && !is_in(r, op->set, v)) return true;
    return op->pattern && ((v->is & (CHECK_NEEDS_STRING | CHECK_NEEDS_NUMBER)) == 0 || !matches(r, op, v->text));
}

/* ---- one rule ---- */

static bool keeps(struct dp_check_run *r, const struct check_op *op, const struct check_value *v) {
    const struct dp_record *rec = r->rec;
    switch ((enum check_kind)op->kind) {
    case CHECK_MINIMUM: return check_number_cmp(&v->number, &op->number) >= 0;
    case CHECK_MAXIMUM: return check_number_cmp(&v->number, &op->number) <= 0;
    case CHECK_ABOVE: return check_number_cmp(&v->number, &op->number) > 0;
    case CHECK_BELOW: return check_number_cmp(&v->number, &op->number) < 0;
    case CHECK_MULTIPLE: return is_multiple(op, v->text);
    case CHECK_FLOAT_RANGE: return fits_float(op, v->text);
    case CHECK_DECIMAL: return fits_decimal(op, v->text);
    case CHECK_TIME_MINIMUM: return check_moment_cmp(&v->moment, &op->moment) >= 0;
    case CHECK_TIME_MAXIMUM: return check_moment_cmp(&v->moment, &op->moment) <= 0;
    case CHECK_TIME_ABOVE: return check_moment_cmp(&v->moment, &op->moment) > 0;
    case CHECK_TIME_BELOW: return check_moment_cmp(&v->moment, &op->moment) < 0;
    case CHECK_ZONE: return v->moment.has_zone == (op->limit != 0);
    case CHECK_TIME_FORMAT: return (v->is & CHECK_NEEDS_TIME) != 0;
    case CHECK_MIN_LENGTH: return !is_shorter(rec, v, op->limit);
    case CHECK_MAX_LENGTH: return !is_longer(rec, v, op->limit);
    case CHECK_PATTERN: return matches(r, op, v->text);
    case CHECK_FORMAT: return dp_textform_matches(op->form, v->text);
    case CHECK_IN: return is_in(r, op->set, v);
    case CHECK_NOT_IN: return !is_in(r, op->set, v);
    case CHECK_INVALID: return !is_invalid(r, op, v);
    case CHECK_MIN_ITEMS:
    case CHECK_MIN_PROPERTIES: return count_members(rec, v->node) >= op->limit;
    case CHECK_MAX_ITEMS:
    case CHECK_MAX_PROPERTIES: return count_members(rec, v->node) <= op->limit;
    case CHECK_UNIQUE_ITEMS: return !has_equal_items(r, v->node);
    case CHECK_HAS: return has_member(rec, v->node, op->name);
    case CHECK_TIMES: break;
    }
    return true;
}

/* The span of times that slaProperties ask for. */
static void note_time(struct dp_check_run *r, uint32_t rule, const struct check_moment *m) {
    int64_t micros, *low = &r->tally.low[rule], *high = &r->tally.high[rule];
    if (__builtin_mul_overflow(m->seconds, 1000000, &micros) || __builtin_add_overflow(micros, m->nanos / 1000, &micros)) return;
    if (micros < *low) *low = micros;
    if (micros > *high) *high = micros;
}

/* ---- a value's type ---- */

static const unsigned kind_needs[] = {[DP_KIND_NUMBER] = CHECK_NEEDS_NUMBER | CHECK_NEEDS_SCALAR, [DP_KIND_STRING] = CHECK_NEEDS_STRING | CHECK_NEEDS_SCALAR,
                                      [DP_KIND_TRUE] = CHECK_NEEDS_SCALAR, [DP_KIND_FALSE] = CHECK_NEEDS_SCALAR, [DP_KIND_NULL] = 0, [DP_KIND_NONE] = 0,
                                      [DP_KIND_OBJECT] = CHECK_NEEDS_OBJECT, [DP_KIND_ARRAY] = CHECK_NEEDS_ARRAY};

/* In a column of floating point these strings are values; in one of decimals a string may hold the digits. */
static bool lenient_number(struct check_value *v, uint8_t lenient) {
    if (lenient & 1) return dp_str_eqz(v->text, "NaN") || dp_str_eqz(v->text, "Infinity") || dp_str_eqz(v->text, "-Infinity");
    struct dp_decimal d;
    if (!dp_decimal_parse(v->text, &d)) return false;
    v->is = CHECK_NEEDS_NUMBER | CHECK_NEEDS_SCALAR;
    v->number = check_number_of(v->text);
    return true;
}

static bool has_type(const struct check_field *f, const struct dp_record *rec, struct check_value *v, uint8_t lenient) {
    const struct dp_node *node = &rec->nodes[v->node];
    switch (f->logical) {
    case DP_LOGICAL_NONE: return true;
    case DP_LOGICAL_STRING: return node->kind == DP_KIND_STRING;
    case DP_LOGICAL_BOOLEAN: return node->kind == DP_KIND_TRUE || node->kind == DP_KIND_FALSE;
    case DP_LOGICAL_INTEGER:
        if (node->kind == DP_KIND_NUMBER) return (node->flags & DP_NODE_INTEGER) || dp_number_is_integer(v->text);
        return lenient == 2 && node->kind == DP_KIND_STRING && lenient_number(v, lenient) && dp_number_is_integer(v->text);
    case DP_LOGICAL_NUMBER:
        if (!lenient) lenient = f->is_floating;
        return node->kind == DP_KIND_NUMBER || (lenient && node->kind == DP_KIND_STRING && lenient_number(v, lenient));
    case DP_LOGICAL_DATE:
    case DP_LOGICAL_TIMESTAMP:
    case DP_LOGICAL_TIME:
        if (node->kind != DP_KIND_STRING || f->is_opaque) return node->kind == DP_KIND_STRING;
        if (check_read_moment(f, v->text, &v->moment)) v->is |= CHECK_NEEDS_TIME;
        return f->timeform || (v->is & CHECK_NEEDS_TIME); /* a text of another form breaks `format` */
    case DP_LOGICAL_OBJECT:
    case DP_LOGICAL_MAP: return node->kind == DP_KIND_OBJECT;
    case DP_LOGICAL_ARRAY: return node->kind == DP_KIND_ARRAY;
    }
    return false;
}

/* Behind an escape there may be anything: the text is made, with bytes readable behind it. */
static struct dp_str decoded(struct dp_check_run *r, uint32_t node) {
    dp_buf_reset(&r->text);
    dp_json_decode(dp_node_str(r->rec, node), &r->text);
    memset(dp_buf_reserve(&r->text, 8), 0, 8);
    return dp_buf_str(&r->text);
}

void check_value(struct dp_check_run *r, const struct check_field *f, uint32_t node, uint8_t lenient) {
    const struct dp_node *n = &r->rec->nodes[node];
    struct check_value v; /* number and moment are set where an op may ask for them: clearing them all costs more than the rules */
    v.node = node;
    v.is = (uint8_t)kind_needs[n->kind];
    v.text = dp_node_str(r->rec, node);
    v.number.small = false;
    if (n->flags & DP_NODE_ESCAPED) v.text = decoded(r, node);
    if (f->needs_number && n->kind == DP_KIND_NUMBER) check_number_read(v.text, &v.number);
    if (f->type_rule != CHECK_NONE && !has_type(f, r->rec, &v, lenient)) {
        check_break(r, f->type_rule, f, node, 0);
        v.is &= CHECK_NEEDS_SCALAR; /* what only asks for its value is asked all the same */
    }
    for (size_t i = 0; i < f->n_ops; i++) {
        const struct check_op *op = &f->ops[i];
        if (!(op->needs & v.is)) continue;
        if (op->kind == CHECK_TIMES) note_time(r, op->rule, &v.moment);
        else if (!keeps(r, op, &v)) check_break(r, op->rule, f, node, 0);
    }
}

/*
 * Rules of retention (dp/rules/retention.h): reading them from anywhere, how long "90 days" is, which rules are about a table, and what they say of rows and files.
 *
 * The calendar: months first (the last day where a month is shorter), then days, both of the rule's zone, then hours.  A time of which only the date is known is over when its
 * day is.
 */
#include "retention_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/delta/path.h>
#include <dp/format/input.h>
#include <dp/record/json.h>
#include <dp/rules/sla.h>

#include <stdlib.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

/* ---- building ---- */

struct dp_retain_rule *retain_add(struct retain_reading *in, const struct dp_yaml_node *at) {
    struct dp_retain_rules *r = in->r;
    r->v = dp_grow(r->v, &r->cap, r->n + 1, sizeof *r->v);
    r->v[r->n] = (struct dp_retain_rule){.source = in->source, .line = at ? at->line : 0, .enabled = true, .over = -1, .under = -1, .from = INT64_MIN, .most = -1};
    return &r->v[r->n++];
}

enum dp_status retain_take_id(struct retain_reading *in, struct dp_retain_rule *rule, const struct dp_yaml_node *at, const char *id) {
    if (!*id || strlen(id) > 255) return dp_yaml_error(in->doc, at, in->err, "an id has 1 to 255 bytes");
    for (size_t i = 0; i + 1 < in->r->n; i++)
        if (!strcmp(in->r->v[i].id, id)) return dp_yaml_error(in->doc, at, in->err, "there is a rule \"%.60s\" already (%.100s:%u)", id, in->r->v[i].source, in->r->v[i].line);
    rule->id = id;
    return DP_OK;
}

void retain_note(struct retain_reading *in, const struct dp_yaml_node *at, const char *rule, const char *fmt, ...) {
    struct dp_retain_rules *r = in->r;
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->notes = dp_grow(r->notes, &r->notes_cap, r->n_notes + 1, sizeof *r->notes);
    r->notes[r->n_notes++] = (struct dp_retain_note){.source = in->source, .rule = rule, .text = dp_arena_strdup(&r->arena, text), .line = at ? at->line : 0};
}

enum dp_status retain_zone(struct retain_reading *in, const struct dp_yaml_node *at, const char *name, const struct dp_zone **out) {
    struct dp_retain_rules *r = in->r;
    struct dp_zone *z = NULL;
    for (size_t i = 0; i < r->n_zones; i++)
        if (!strcmp(dp_zone_name(r->zones[i]), name)) return *out = r->zones[i], DP_OK;
    if (dp_zone_open(name, &z, in->err) != DP_OK) return at ? dp_yaml_error(in->doc, at, in->err, "no time zone \"%.60s\"", name) : in->err ? in->err->status : DP_USAGE;
    r->zones = dp_grow(r->zones, &r->zones_cap, r->n_zones + 1, sizeof *r->zones);
    r->zones[r->n_zones++] = z;
    *out = z;
    return DP_OK;
}

static void mix(struct dp_retain_rules *r, struct dp_str text) {
    struct dp_buf b = {0};
    dp_buf_add(&b, r->digest, sizeof r->digest);
    dp_buf_adds(&b, text);
    dp_sha256(b.p, b.n, r->digest);
    dp_buf_release(&b);
}

enum dp_status dp_retain_parse(struct dp_retain_rules *r, struct dp_str text, const char *source, struct dp_err *err) {
    struct dp_yaml doc = {0};
    struct dp_buf plain = {0};
    struct retain_reading in = {.r = r, .doc = &doc, .source = dp_arena_strdup(&r->arena, source), .err = err};
    size_t first = 0;
    while (first < text.n && strchr(" \t\r\n", text.p[first])) first++;
    dp_buf_adds(&plain, text);
    for (size_t i = 0; first < text.n && text.p[first] == '{' && i < plain.n; i++)
        if (plain.p[i] == '\t') plain.p[i] = ' '; /* JSON: a blank as any, which YAML does not take for one */
    mix(r, text);
    enum dp_status status = dp_yaml_parse(dp_buf_str(&plain), source, &doc, err);
    if (status == DP_OK && doc.root->kind != DP_YAML_MAP) status = dp_yaml_error(&doc, doc.root, err, "rules of retention are a map, got %s", dp_yaml_kind_name(doc.root->kind));
    if (status == DP_OK) status = dp_yaml_get(doc.root, "Rules") ? retain_read_s3(&in) : retain_read_yaml(&in);
    dp_yaml_release(&doc);
    dp_buf_release(&plain);
    return status;
}

enum dp_status dp_retain_read(struct dp_retain_rules *r, const char *path, struct dp_err *err) {
    struct dp_buf text = {0};
    enum dp_status status = dp_file_read(path, DP_LIMIT_YAML_BYTES, &text, err);
    if (status == DP_OK) status = dp_retain_parse(r, dp_buf_str(&text), path, err);
    dp_buf_release(&text);
    return status;
}

void dp_retain_rules_release(struct dp_retain_rules *r) {
    for (size_t i = 0; i < r->n_zones; i++) dp_zone_close(r->zones[i]);
    free(r->zones), free(r->v), free(r->classes), free(r->notes);
    dp_arena_release(&r->arena);
    memset(r, 0, sizeof *r);
}

/* ---- contracts ---- */

/* "a, b": the columns of an entry's element that are of this object; NULL at the end. */
static const char *next_column(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_str *rest, bool *other, struct dp_arena *a) {
    while (rest->n) {
        const char *comma = memchr(rest->p, ',', rest->n);
        struct dp_str one = {rest->p, comma ? (size_t)(comma - rest->p) : rest->n};
        *rest = comma ? dp_str(comma + 1, rest->n - one.n - 1) : dp_str(NULL, 0);
        while (one.n && *one.p == ' ') one.p++, one.n--;
        while (one.n && one.p[one.n - 1] == ' ') one.n--;
        if (!one.n) continue;
        struct dp_reference ref = dp_reference_read(c, dp_arena_str(a, one).p, c->n_objects == 1 ? o : NULL);
        if (ref.object && ref.object != o) {
            *other = true;
            continue;
        }
        if (ref.n == 1) return ref.chain[0]->name;
        if (o->name && dp_str_eqz(one, o->name)) return "";
        if (ref.n > 1) return dp_arena_str(a, one).p; /* a field inside of a column: told as no column */
        bool is_object = false;
        for (size_t i = 0; i < c->n_objects; i++) is_object |= c->objects[i].name && dp_str_eqz(one, c->objects[i].name);
        if (!is_object) return dp_arena_str(a, one).p;
        *other = true;
    }
    return NULL;
}

static enum dp_status add_sla(struct retain_reading *in, const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_contract_sla *e, size_t number) {
    struct dp_arena *a = &in->r->arena;
    const struct dp_yaml_node *standard = dp_yaml_get(c->doc.root, "slaDefaultElement");
    const char *element = e->element ? e->element : standard && standard->kind == DP_YAML_STRING ? standard->text.p : NULL;
    struct dp_str rest = element ? dp_str_z(element) : dp_str(NULL, 0);
    bool other = false;
    const char *column = rest.n ? next_column(c, o, &rest, &other, a) : "";
    if (!column && other) return DP_OK;
    struct dp_retain_rule *rule = retain_add(in, e->node);
    const char *why = dp_sla_age(e->value, e->unit, &rule->rows.months, &rule->rows.micros, a);
    if (why) return dp_yaml_error(in->doc, e->node, in->err, "retention: %s", why);
    if (column && next_column(c, o, &rest, &other, a)) return dp_yaml_error(in->doc, e->node, in->err, "retention: one column tells how old a row is, got \"%.100s\"", element);
    rule->has_rows = rule->rows.is_given = true;
    rule->time = column && *column ? dp_arena_strdup(a, column) : NULL;
    rule->by_name = true;
    rule->reason = e->driver ? dp_arena_strdup(a, e->driver) : NULL;
    rule->tables = dp_arena_calloc(a, 2, sizeof *rule->tables);
    if (o->physical_name) rule->tables[rule->n_tables++] = dp_arena_strdup(a, o->physical_name);
    if (o->name) rule->tables[rule->n_tables++] = dp_arena_strdup(a, o->name);
    DP_TRY(retain_zone(in, e->node, "UTC", &rule->zone));
    return retain_take_id(in, rule, e->node, dp_arena_printf(a, "%.100s/%.60s/sla/%zu", c->id ? c->id : "contract", o->name ? o->name : "object", number));
}

/* The rules of these objects (NULL: of all); is_own: they are about the table that keeps the contract, whatever it is called. */
static enum dp_status add_contract(struct dp_retain_rules *r, const struct dp_contract *c, const struct dp_contract_object *only, bool is_own, const char *source, struct dp_err *err) {
    struct retain_reading in = {.r = r, .doc = &c->doc, .source = dp_arena_strdup(&r->arena, source), .err = err};
    enum dp_status status = DP_OK;
    size_t before = r->n;
    for (size_t i = 0; i < c->n_objects && status == DP_OK; i++)
        for (size_t k = 0; k < c->n_sla && status == DP_OK; k++)
            if ((!only || only == &c->objects[i]) && dp_sla_is_retention(c->sla[k].property)) status = add_sla(&in, c, &c->objects[i], &c->sla[k], k);
    if (status == DP_OK && r->n == before && !is_own) retain_note(&in, NULL, NULL, "the contract has no slaProperties with the property retention");
    for (size_t i = before; i < r->n && status == DP_OK; i++) {
        struct dp_buf b = {0};
        if (is_own) r->v[i].n_tables = 0, r->v[i].by_name = false;
        dp_buf_addf(&b, "%s %s %lld %lld", r->v[i].id, r->v[i].time ? r->v[i].time : "", (long long)r->v[i].rows.months, (long long)r->v[i].rows.micros);
        mix(r, dp_buf_str(&b));
        dp_buf_release(&b);
    }
    return status;
}

enum dp_status dp_retain_contract(struct dp_retain_rules *r, const char *spec, struct dp_err *err) {
    struct dp_contract c = {0};
    const struct dp_contract_object *only = NULL;
    const char *hash = strrchr(spec, '#');
    DP_TRY(hash ? dp_contract_load(spec, &c, &only, err) : dp_contract_read(spec, &c, err));
    enum dp_status status = add_contract(r, &c, only, false, spec, err);
    dp_contract_release(&c);
    return status;
}

enum dp_status dp_retain_own(struct dp_retain_rules *r, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_str text = dp_delta_property(s, "dp.contract", ""), name = dp_delta_property(s, "dp.contract.object", "");
    struct dp_contract c = {0};
    const struct dp_contract_object *o = NULL;
    if (!text.n) return DP_OK;
    DP_TRY(dp_contract_parse(text, "dp.contract", &c, err));
    char *object = name.n ? dp_strndup(name.p, name.n) : NULL;
    enum dp_status status = dp_contract_object(&c, object, &o, err);
    if (status == DP_OK) status = add_contract(r, &c, o, true, "dp.contract", err);
    free(object);
    dp_contract_release(&c);
    return status;
}

/* ---- the calendar ---- */

static int64_t floor_of(int64_t n, int64_t per) { return n / per - (n % per < 0); }
static int64_t days_of(int64_t micros) { return floor_of(micros, DAY); }

/* The day `months` behind a day: the last of its month where that is shorter. */
static int64_t add_months(int64_t day, int64_t months) {
    int64_t year;
    unsigned month, of_month;
    dp_civil_from_days(day, &year, &month, &of_month);
    int64_t at = year * 12 + (int64_t)month - 1 + months, y = at / 12 - (at % 12 < 0);
    unsigned m = (unsigned)(at - y * 12) + 1;
    int64_t first = dp_days_from_civil(y, m, 1), after = dp_days_from_civil(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1);
    int64_t to = first + (int64_t)of_month - 1;
    return to < after ? to : after - 1;
}

static int64_t to_local(const struct dp_zone *z, int64_t micros) {
    int64_t s = floor_of(micros, SECOND);
    return micros + (z ? dp_zone_offset(z, s) : 0) * SECOND;
}

static int64_t to_instant(const struct dp_zone *z, int64_t local) {
    int64_t s = floor_of(local, SECOND);
    return (z ? dp_zone_instant(z, s) : s) * SECOND + (local - s * SECOND);
}

int64_t dp_retain_cut(const struct dp_retain_keep *k, const struct dp_zone *zone, int64_t now) {
    if (k->forever) return INT64_MIN;
    if (!k->is_given) return INT64_MAX;
    if (k->to_midnight) now = to_instant(zone, days_of(to_local(zone, now)) * DAY);
    int64_t local = to_local(zone, now - k->micros % DAY), day = days_of(local), clock = local - day * DAY, target = day - k->micros / DAY;
    if (!k->months) return to_instant(zone, target * DAY + clock);
    int64_t from = add_months(target, -k->months);
    while (add_months(from, k->months) >= target) from--;
    while (add_months(from + 1, k->months) < target) from++;
    /* `from` is the last day all of which is old enough; where the next ends at the very day, those of its times that are */
    return to_instant(zone, (from + 1) * DAY + (add_months(from + 1, k->months) == target ? clock : 0));
}

/* ---- which tables ---- */

static bool matches(const struct dp_retain_rule *rule, const char *path, const char *below, const struct dp_delta_snapshot *s) {
    if (!rule->n_tables) return true;
    for (size_t i = 0; i < rule->n_tables; i++) {
        const char *glob = rule->tables[i], *base = dp_path_base(path);
        if (rule->by_name ? !strcmp(glob, base) || dp_str_eqz(s->metadata.name, glob)
                          : dp_glob_match(glob, path) || dp_glob_match(glob, below) || dp_glob_match(glob, base))
            return true;
        if (rule->by_name || !s->metadata.name.n) continue;
        char *name = dp_strndup(s->metadata.name.p, s->metadata.name.n);
        bool hit = dp_glob_match(glob, name);
        free(name);
        if (hit) return true;
    }
    return false;
}

static bool has_tags(const struct dp_retain_rule *rule, const struct dp_delta_snapshot *s) {
    for (size_t i = 0; i < rule->n_tags; i++) {
        struct dp_buf key = {0};
        dp_buf_addf(&key, "dp.tag.%s", rule->tags[i].key);
        struct dp_str have = dp_delta_property(s, dp_buf_z(&key), "");
        dp_buf_release(&key);
        if (!dp_str_eqz(have, rule->tags[i].value)) return false;
    }
    return true;
}

enum dp_status dp_retain_covers(const struct dp_retain_rule *rule, const char *path, const char *below, const struct dp_delta_snapshot *s, bool *out, struct dp_err *err) {
    *out = false;
    if (!rule->enabled || !matches(rule, path, below, s) || !has_tags(rule, s)) return DP_OK;
    if (rule->prefix) {
        struct dp_str prefix = dp_str_z(rule->prefix), name = dp_str_z(below);
        if (prefix.n > name.n && dp_str_starts(prefix, name) && prefix.p[name.n] == '/' && prefix.n > name.n + 1)
            return dp_err_set(err, DP_UNSUPPORTED, "%s: rule %s (%s:%u): the prefix \"%s\" ends inside of the table: rows and files go by their values, not by their names", path, rule->id,
                              rule->source, rule->line, rule->prefix);
        if (!dp_str_starts(name, prefix) && !(prefix.n == name.n + 1 && dp_str_starts(prefix, name) && prefix.p[name.n] == '/')) return DP_OK;
    }
    *out = true;
    return DP_OK;
}

/* ---- rows ---- */

static const struct dp_type *column_of(const struct dp_delta_snapshot *s, const char *name) {
    for (size_t i = 0; i < s->schema->n_children; i++)
        if (!strcmp(s->schema->children[i]->name, name)) return s->schema->children[i];
    return NULL;
}

/* The first instant of the rule's day that is behind all days that are over at the cut, as a date. */
static size_t print_date(const struct dp_retain_rule *rule, int64_t cut, char out[40]) {
    int64_t day = days_of(to_local(rule->zone, cut));
    return dp_date_print(out, day < INT32_MIN ? INT32_MIN : day > INT32_MAX ? INT32_MAX : (int32_t)day);
}

/* Appends what is true of a row that was kept long enough. */
static enum dp_status add_old(const struct dp_retain_rule *rule, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) {
    const struct dp_type *t = column_of(s, rule->time);
    int64_t cut = dp_retain_cut(&rule->rows, rule->zone, now);
    struct dp_buf name = {0};
    char text[40];
    size_t n;
    if (!t) return dp_type_no_child(s->schema, "time", s->table, dp_str_z(rule->time), err);
    if (cut == INT64_MIN) return dp_buf_addz(out, "false"), DP_OK;
    dp_json_add_string(&name, dp_str_z(rule->time));
    const int wide = (int)name.n;
    /* A second's times begin with its 19 characters: what sorts before these is before the second. */
    switch (t->id) {
    case DP_TYPE_DATE:
        n = print_date(rule, cut, text);
        dp_buf_addf(out, ".[%.*s] < \"%.*s\"", wide, name.p, (int)n, text);
        break;
    case DP_TYPE_TIMESTAMP:
        n = dp_time_print_micros(text, floor_of(t->utc ? cut : to_local(rule->zone, cut), SECOND) * SECOND, false, 0);
        dp_buf_addf(out, ".[%.*s] < \"%.*s\"", wide, name.p, (int)(n < 19 ? n : 19), text);
        break;
    case DP_TYPE_STRING:
        n = print_date(rule, cut, text);
        dp_buf_addf(out, "(.[%.*s] < \"%.*s\" and (.[%.*s] | test(\"^[0-9]{4}-[0-9]{2}-[0-9]{2}\")))", wide, name.p, (int)n, text, wide, name.p);
        break;
    case DP_TYPE_INT32: case DP_TYPE_INT64:
        if (rule->unit != DP_RETAIN_UNIT_NONE) {
            int64_t per = rule->unit == DP_RETAIN_UNIT_S ? SECOND : rule->unit == DP_RETAIN_UNIT_MS ? 1000 : 1;
            dp_buf_addf(out, ".[%.*s] < %lld", wide, name.p, (long long)floor_of(cut, per));
            break;
        }
        dp_buf_release(&name);
        return dp_err_set(err, DP_USAGE, "%s: rule %s (%s:%u): column %s holds integers: `unit: s`, ms or us says what they count", s->table, rule->id, rule->source, rule->line, rule->time);
    default:
        dp_buf_release(&name);
        return dp_err_set(err, DP_USAGE, "%s: rule %s (%s:%u): column %s holds no times: dates, timestamps, texts that begin with a date, and integers with a unit do", s->table, rule->id,
                          rule->source, rule->line, rule->time);
    }
    dp_buf_release(&name);
    return DP_OK;
}

static bool is_of_rows(const struct dp_retain_rule *r) { return r->has_rows && (r->time || (r->where && !r->rows.is_given)); }

/* "(W and T)", or "((W | not) or T)": what the rule lets go, what it does not hold. */
static enum dp_status add_rule(const struct dp_retain_rule *rule, bool holds_not, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) {
    dp_buf_addc(out, '(');
    if (rule->where) dp_buf_addf(out, holds_not ? "((%s) | not) or " : "(%s) and ", rule->where);
    if (rule->time) DP_TRY(add_old(rule, s, now, out, err));
    else dp_buf_addz(out, "true");
    dp_buf_addc(out, ')');
    return DP_OK;
}

enum dp_status dp_retain_unheld(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) {
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_of_rows(rules[i]) || !rules[i]->time) continue;
        if (seen++) dp_buf_addz(out, " and ");
        DP_TRY(add_rule(rules[i], true, s, now, out, err));
    }
    return DP_OK;
}

enum dp_status dp_retain_where(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) {
    size_t seen = 0, held = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_of_rows(rules[i])) continue;
        dp_buf_addz(out, seen++ ? " or " : "(");
        DP_TRY(add_rule(rules[i], false, s, now, out, err));
        held += rules[i]->time != NULL;
    }
    if (!seen) return DP_OK;
    dp_buf_addc(out, ')');
    if (seen < 2 || !held) return DP_OK;
    dp_buf_addz(out, " and ");
    return dp_retain_unheld(rules, n, s, now, out, err);
}

enum dp_maybe dp_retain_file(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_file *f, int64_t now) {
    enum dp_maybe out = DP_MAYBE;
    for (size_t i = 0; i < n; i++) {
        const struct dp_retain_rule *r = rules[i];
        if (!r->has_rows || is_of_rows(r)) continue;
        if ((r->over >= 0 && f->size <= r->over) || (r->under >= 0 && f->size >= r->under)) continue;
        bool old = r->from != INT64_MIN ? now >= r->from : f->modification_time < floor_of(dp_retain_cut(&r->rows, r->zone, now), 1000);
        if (!old) return DP_NEVER;
        out = DP_ALWAYS;
    }
    return out;
}

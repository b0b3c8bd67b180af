/*
 * Rules of retention in YAML (dp-retain(1), RULES): `version: 1`, `zone`, `rules`, each with an id, the tables that it is about, and what it keeps: `rows`, `versions`, `leftovers`, or moves: `tier`.
 * Times to keep are "90d", "7y", ISO 8601 or forever.
 */
#include "retention_priv.h"

#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/record/expr.h>
#include <dp/rules/sla.h>

#define COUNT_MAX 100000

static enum dp_status wrong(struct retain_reading *in, const struct dp_yaml_node *at, const char *key, const char *want) {
    return dp_yaml_error(in->doc, at, in->err, "%s: %s is wanted, got %s", key, want, dp_yaml_kind_name(at->kind));
}

static enum dp_status text_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, const char **out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n || n->kind == DP_YAML_NULL) return DP_OK;
    if (n->kind != DP_YAML_STRING || !n->text.n) return wrong(in, n, key, "a string");
    *out = retain_text(in, n);
    return DP_OK;
}

static enum dp_status flag_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, bool *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_BOOL) return wrong(in, n, key, "true or false");
    *out = dp_str_eqz(n->text, "true");
    return DP_OK;
}

static enum dp_status count_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, int64_t *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_INT || !dp_parse_i64(n->text, out) || *out < 1 || *out > COUNT_MAX)
        return dp_yaml_error(in->doc, n, in->err, "%s: a number from 1 to %d is wanted", key, COUNT_MAX);
    return DP_OK;
}

/* "90d", "P1Y6M", "forever". */
static enum dp_status age_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, struct dp_retain_keep *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    const char *why;
    size_t digits = 0;
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_STRING) return dp_yaml_error(in->doc, n, in->err, "%s: a time with its unit is wanted (90d, 7y, P1Y6M, forever)", key);
    out->is_given = true;
    if (dp_str_eqz(n->text, "forever")) return out->forever = true, DP_OK;
    while (digits < n->text.n && n->text.p[digits] >= '0' && n->text.p[digits] <= '9') digits++;
    const char *unit = *n->text.p == 'P' ? NULL : n->text.p + digits;
    while (unit && *unit == ' ') unit++;
    why = dp_sla_age(unit ? dp_str(n->text.p, digits) : n->text, unit && *unit ? unit : NULL, &out->months, &out->micros, &in->r->arena);
    if (why) return dp_yaml_error(in->doc, n, in->err, "%s: %s", key, why);
    return flag_of(in, map, "to-midnight", &out->to_midnight);
}

static enum dp_status keep_of(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_keep *out) { return age_of(in, map, "keep", out); }

static enum dp_status unit_of(struct retain_reading *in, const struct dp_yaml_node *map, enum dp_retain_unit *out) {
    static const char *const units[] = {"", "s", "ms", "us"};
    const struct dp_yaml_node *unit = dp_yaml_get(map, "unit");
    for (int i = 1; unit && unit->kind == DP_YAML_STRING && i < 4; i++)
        if (dp_str_eqz(unit->text, units[i])) *out = (enum dp_retain_unit)i;
    return unit && *out == DP_RETAIN_UNIT_NONE ? dp_yaml_error(in->doc, unit, in->err, "unit: s, ms or us is wanted") : DP_OK;
}

static enum dp_status read_tables(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    const struct dp_yaml_node *n = dp_yaml_get(map, "tables");
    if (!n) return DP_OK;
    bool one = n->kind == DP_YAML_STRING;
    if (!one && (n->kind != DP_YAML_LIST || !n->n)) return wrong(in, n, "tables", "a glob or a list of them");
    rule->tables = dp_arena_calloc(&in->r->arena, one ? 1 : n->n, sizeof *rule->tables);
    for (size_t i = 0; i < (one ? 1 : n->n); i++) {
        const struct dp_yaml_node *item = one ? n : n->items[i];
        if (item->kind != DP_YAML_STRING || !item->text.n) return wrong(in, item, "tables", "a glob");
        rule->tables[rule->n_tables++] = retain_text(in, item);
    }
    return DP_OK;
}

static enum dp_status read_tags(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    const struct dp_yaml_node *n = dp_yaml_get(map, "tags");
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "tags", "a map of names to values");
    rule->tags = dp_arena_calloc(&in->r->arena, n->n + 1, sizeof *rule->tags);
    for (size_t i = 0; i < n->n; i++) {
        const struct dp_yaml_node *v = n->items[2 * i + 1];
        if (v->kind == DP_YAML_LIST || v->kind == DP_YAML_MAP || v->kind == DP_YAML_NULL) return wrong(in, v, "tags", "a value");
        rule->tags[rule->n_tags++] = (struct dp_retain_pair){retain_text(in, n->items[2 * i]), retain_text(in, v)};
    }
    return DP_OK;
}

static enum dp_status check_where(struct retain_reading *in, const struct dp_yaml_node *at, const char *text) {
    struct dp_expr *e = NULL;
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = dp_expr_compile(dp_str_z(text), &e, &why);
    dp_expr_free(e);
    return status == DP_OK ? DP_OK : dp_yaml_error(in->doc, at, in->err, "where: %.300s", why.msg);
}

static enum dp_status read_rows(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"keep", "time", "unit", "where", "to-midnight", "at-most", NULL};
    const struct dp_yaml_node *n = dp_yaml_get(map, "rows"), *most;
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "rows", "a map");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "rows", in->err));
    rule->has_rows = true;
    DP_TRY(keep_of(in, n, &rule->rows));
    DP_TRY(text_of(in, n, "time", &rule->time));
    DP_TRY(text_of(in, n, "where", &rule->where));
    if (rule->where) DP_TRY(check_where(in, dp_yaml_get(n, "where"), rule->where));
    if (!rule->rows.is_given && !rule->where) return dp_yaml_error(in->doc, n, in->err, "rows: keep or where is wanted");
    if (rule->time && !rule->rows.is_given) return dp_yaml_error(in->doc, n, in->err, "rows: time without keep says nothing");
    if (rule->where && rule->rows.is_given && !rule->time)
        return dp_yaml_error(in->doc, n, in->err, "rows: where with keep wants time, a column: when rows were written is known of whole files only");
    DP_TRY(unit_of(in, n, &rule->unit));
    most = dp_yaml_get(n, "at-most");
    if (!most) return DP_OK;
    struct dp_str text = most->text;
    if (most->kind != DP_YAML_STRING || text.n < 2 || text.p[text.n - 1] != '%' || !dp_parse_i64(dp_str(text.p, text.n - 1), &rule->most) || rule->most < 0 || rule->most > 100)
        return dp_yaml_error(in->doc, most, in->err, "at-most: a share of a table's rows is wanted (0%% to 100%%)");
    return DP_OK;
}

static enum dp_status read_versions(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"keep", "last", "daily", "weekly", "monthly", "yearly", "to-midnight", "below-table", NULL};
    const struct dp_yaml_node *n = dp_yaml_get(map, "versions");
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "versions", "a map");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "versions", in->err));
    rule->has_versions = true;
    DP_TRY(keep_of(in, n, &rule->versions));
    DP_TRY(count_of(in, n, "last", &rule->last));
    DP_TRY(count_of(in, n, "daily", &rule->daily));
    DP_TRY(count_of(in, n, "weekly", &rule->weekly));
    DP_TRY(count_of(in, n, "monthly", &rule->monthly));
    DP_TRY(count_of(in, n, "yearly", &rule->yearly));
    DP_TRY(flag_of(in, n, "below-table", &rule->below_table));
    if (!rule->versions.is_given) return dp_yaml_error(in->doc, n, in->err, "versions: keep is wanted (last, daily, weekly, monthly and yearly are kept besides)");
    return DP_OK;
}

static enum dp_status read_leftovers(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"keep", "to-midnight", NULL};
    const struct dp_yaml_node *n = dp_yaml_get(map, "leftovers");
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "leftovers", "a map");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "leftovers", in->err));
    rule->has_leftovers = true;
    DP_TRY(keep_of(in, n, &rule->leftovers));
    return rule->leftovers.is_given ? DP_OK : dp_yaml_error(in->doc, n, in->err, "leftovers: keep is wanted");
}

const char *retain_directory(struct retain_reading *in, struct dp_str text) {
    while (text.n > 1 && text.p[text.n - 1] == '/') text.n--;
    if (text.n < 2 || text.n > DP_LIMIT_PATH / 2 || text.p[0] != '/') return NULL;
    for (size_t i = 0, from = 1; i <= text.n; i++) {
        if (i < text.n && ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)) return NULL;
        if (i && (i == text.n || text.p[i] == '/')) {
            if (i - from == 0 || (i - from <= 2 && text.p[from] == '.' && text.p[i - 1] == '.')) return NULL;
            from = i + 1;
        }
    }
    return dp_arena_str(&in->r->arena, text).p;
}

static enum dp_status read_tier(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"after", "time", "unit", "to", "name", "codec", "sort", "cluster", "to-midnight", NULL};
    const struct dp_yaml_node *n = dp_yaml_get(map, "tier"), *to;
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "tier", "a map");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "tier", in->err));
    rule->has_tier = true;
    DP_TRY(age_of(in, n, "after", &rule->tier));
    if (!rule->tier.is_given) return dp_yaml_error(in->doc, n, in->err, "tier: after is wanted");
    DP_TRY(text_of(in, n, "time", &rule->tier_time));
    DP_TRY(unit_of(in, n, &rule->tier_unit));
    DP_TRY(text_of(in, n, "to", &rule->tier_to));
    if (!rule->tier_to) return dp_yaml_error(in->doc, n, in->err, "tier: to is wanted, a directory");
    to = dp_yaml_get(n, "to");
    if (!(rule->tier_to = retain_directory(in, to->text))) return dp_yaml_error(in->doc, to, in->err, "to: a directory by its whole path is wanted (/cold/lake), without . and ..");
    rule->tier_name = strrchr(rule->tier_to, '/') + 1;
    DP_TRY(text_of(in, n, "name", &rule->tier_name));
    DP_TRY(text_of(in, n, "codec", &rule->codec));
    DP_TRY(text_of(in, n, "sort", &rule->sort));
    DP_TRY(text_of(in, n, "cluster", &rule->cluster));
    if (rule->sort && rule->cluster) return dp_yaml_error(in->doc, n, in->err, "tier: sort or cluster, not both");
    return DP_OK;
}

static enum dp_status read_rule(struct retain_reading *in, const struct dp_yaml_node *n, const struct dp_zone *zone) {
    static const char *const keys[] = {"id", "description", "reason", "enabled", "tables", "tags", "zone", "rows", "versions", "leftovers", "tier", NULL};
    const char *id = NULL, *name = NULL;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "rules", "a list of maps");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "a rule", in->err));
    DP_TRY(text_of(in, n, "id", &id));
    if (!id) return dp_yaml_error(in->doc, n, in->err, "a rule has an id");
    struct dp_retain_rule *rule = retain_add(in, n);
    rule->zone = zone;
    DP_TRY(retain_take_id(in, rule, dp_yaml_get(n, "id"), id));
    DP_TRY(text_of(in, n, "description", &rule->description));
    DP_TRY(text_of(in, n, "reason", &rule->reason));
    DP_TRY(text_of(in, n, "zone", &name));
    if (name) DP_TRY(retain_zone(in, dp_yaml_get(n, "zone"), name, &rule->zone));
    DP_TRY(flag_of(in, n, "enabled", &rule->enabled));
    DP_TRY(read_tables(in, n, rule));
    DP_TRY(read_tags(in, n, rule));
    DP_TRY(read_rows(in, n, rule));
    DP_TRY(read_versions(in, n, rule));
    DP_TRY(read_leftovers(in, n, rule));
    DP_TRY(read_tier(in, n, rule));
    if (!rule->has_rows && !rule->has_versions && !rule->has_leftovers && !rule->has_tier)
        return dp_yaml_error(in->doc, n, in->err, "rule %.60s: rows, versions, leftovers or tier is wanted", id);
    return DP_OK;
}

static enum dp_status read_classes(struct retain_reading *in, const struct dp_yaml_node *root) {
    const struct dp_yaml_node *n = dp_yaml_get(root, "storage-classes");
    struct dp_retain_rules *r = in->r;
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "storage-classes", "a map");
    for (size_t i = 0; i < n->n; i++) {
        const struct dp_yaml_node *key = n->items[2 * i], *to = n->items[2 * i + 1];
        const char *dir = to->kind == DP_YAML_STRING ? retain_directory(in, to->text) : NULL;
        if (!dir) return dp_yaml_error(in->doc, to, in->err, "%.60s: a directory by its whole path is wanted (/cold/lake), without . and ..", key->text.p);
        r->classes = dp_grow(r->classes, &r->classes_cap, r->n_classes + 1, sizeof *r->classes);
        r->classes[r->n_classes++] = (struct dp_retain_pair){retain_text(in, key), dir};
    }
    return DP_OK;
}

enum dp_status retain_read_yaml(struct retain_reading *in) {
    static const char *const keys[] = {"version", "name", "description", "zone", "storage-classes", "rules", NULL};
    const struct dp_yaml_node *root = in->doc->root, *version = dp_yaml_get(root, "version"), *rules = dp_yaml_get(root, "rules");
    const struct dp_zone *zone = NULL;
    const char *name = "UTC";
    DP_TRY(dp_yaml_known_keys(in->doc, root, keys, "rules of retention", in->err));
    if (!version || version->kind != DP_YAML_INT || !dp_str_eqz(version->text, "1"))
        return dp_yaml_error(in->doc, version ? version : root, in->err, "rules of retention begin with `version: 1`");
    DP_TRY(read_classes(in, root));
    if (!rules && in->r->n_classes) return DP_OK;
    if (!rules || rules->kind != DP_YAML_LIST) return dp_yaml_error(in->doc, rules ? rules : root, in->err, "rules: a list is wanted");
    if (rules->n > DP_LIMIT_CONTRACT_RULES) return dp_yaml_error(in->doc, rules, in->err, "more than %u rules", DP_LIMIT_CONTRACT_RULES);
    DP_TRY(text_of(in, root, "zone", &name));
    DP_TRY(retain_zone(in, dp_yaml_get(root, "zone"), name, &zone));
    for (size_t i = 0; i < rules->n; i++) DP_TRY(read_rule(in, rules->items[i], zone));
    return DP_OK;
}

/*
 * The lifecycle configuration of an S3 bucket as rules of retention: the bucket is the directory that is planned over, an object's age is that of the data file, a noncurrent
 * version is a version of the table that was superseded, an upload that was never finished is what lies in staging.
 *
 * Days end at the next midnight of UTC, as there.  A transition to a storage class for which a directory is known is a tier; others, NoncurrentVersionTransitions and ExpiredObjectDeleteMarker, which
 * have no counterpart, become notes.
 */
#include "retention_priv.h"

#include <dp/base/limits.h>
#include <dp/base/num.h>

#define DAY INT64_C(86400000000)
#define MOST_DAYS 3660000

static enum dp_status wrong(struct retain_reading *in, const struct dp_yaml_node *at, const char *key, const char *want) {
    return dp_yaml_error(in->doc, at, in->err, "%s: %s is wanted, got %s", key, want, dp_yaml_kind_name(at->kind));
}

static enum dp_status number_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, int64_t min, int64_t max, int64_t *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_INT || !dp_parse_i64(n->text, out) || *out < min || *out > max)
        return dp_yaml_error(in->doc, n, in->err, "%s: a whole number from %lld to %lld is wanted", key, (long long)min, (long long)max);
    return DP_OK;
}

static enum dp_status string_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, const char **out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP || n->kind == DP_YAML_NULL) return wrong(in, n, key, "a string");
    *out = retain_text(in, n);
    return DP_OK;
}

static enum dp_status map_of(struct retain_reading *in, const struct dp_yaml_node *map, const char *key, const char *const *keys, const struct dp_yaml_node **out) {
    *out = dp_yaml_get(map, key);
    if (!*out) return DP_OK;
    if ((*out)->kind != DP_YAML_MAP) return wrong(in, *out, key, "an object");
    return dp_yaml_known_keys(in->doc, *out, keys, key, in->err);
}

/* ---- Filter ---- */

static enum dp_status read_tag(struct retain_reading *in, const struct dp_yaml_node *n, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"Key", "Value", NULL};
    struct dp_retain_pair *tag = &rule->tags[rule->n_tags];
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "Tag", "an object");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "Tag", in->err));
    DP_TRY(string_of(in, n, "Key", &tag->key));
    DP_TRY(string_of(in, n, "Value", &tag->value));
    if (!tag->key || !tag->value) return dp_yaml_error(in->doc, n, in->err, "Tag: Key and Value are wanted");
    rule->n_tags++;
    return DP_OK;
}

static enum dp_status read_sizes(struct retain_reading *in, const struct dp_yaml_node *n, struct dp_retain_rule *rule) {
    DP_TRY(string_of(in, n, "Prefix", &rule->prefix));
    DP_TRY(number_of(in, n, "ObjectSizeGreaterThan", 0, INT64_MAX, &rule->over));
    return number_of(in, n, "ObjectSizeLessThan", 1, INT64_MAX, &rule->under);
}

static enum dp_status read_filter(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"Prefix", "Tag", "And", "ObjectSizeGreaterThan", "ObjectSizeLessThan", NULL};
    static const char *const and_keys[] = {"Prefix", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan", NULL};
    const struct dp_yaml_node *filter, *both, *tag, *tags;
    DP_TRY(string_of(in, map, "Prefix", &rule->prefix)); /* the older place */
    DP_TRY(map_of(in, map, "Filter", keys, &filter));
    if (!filter) return DP_OK;
    if (rule->prefix) return dp_yaml_error(in->doc, filter, in->err, "Filter: the rule has a Prefix of its own already");
    if (filter->n > 1) return dp_yaml_error(in->doc, filter, in->err, "Filter: one condition; several stand inside of And");
    DP_TRY(read_sizes(in, filter, rule));
    tag = dp_yaml_get(filter, "Tag");
    if (tag) {
        rule->tags = dp_arena_calloc(&in->r->arena, 1, sizeof *rule->tags);
        DP_TRY(read_tag(in, tag, rule));
    }
    DP_TRY(map_of(in, filter, "And", and_keys, &both));
    if (!both) return DP_OK;
    DP_TRY(read_sizes(in, both, rule));
    tags = dp_yaml_get(both, "Tags");
    if (!tags) return DP_OK;
    if (tags->kind != DP_YAML_LIST) return wrong(in, tags, "Tags", "a list");
    rule->tags = dp_arena_calloc(&in->r->arena, tags->n + 1, sizeof *rule->tags);
    for (size_t i = 0; i < tags->n; i++) DP_TRY(read_tag(in, tags->items[i], rule));
    return DP_OK;
}

/* ---- what becomes of them ---- */

static struct dp_retain_keep days(int64_t n) { return (struct dp_retain_keep){.is_given = true, .micros = n * DAY, .to_midnight = true}; }

/* Date, a midnight. */
static enum dp_status date_of(struct retain_reading *in, const struct dp_yaml_node *map, int64_t *out) {
    const struct dp_yaml_node *date = dp_yaml_get(map, "Date");
    struct dp_timestamp t;
    struct dp_buf whole = {0};
    if (!date) return DP_OK;
    dp_buf_adds(&whole, date->text);
    if (date->text.n == 10) dp_buf_addz(&whole, "T00:00:00Z");
    bool fine = date->kind == DP_YAML_STRING && dp_time_parse(dp_buf_str(&whole), false, false, &t) && dp_time_micros(&t, out) && *out % DAY == 0;
    dp_buf_release(&whole);
    return fine ? DP_OK : dp_yaml_error(in->doc, date, in->err, "Date: a midnight of UTC is wanted (2026-01-01T00:00:00Z)");
}

static enum dp_status read_expiration(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"Days", "Date", "ExpiredObjectDeleteMarker", NULL};
    const struct dp_yaml_node *n, *date;
    int64_t count = 0;
    DP_TRY(map_of(in, map, "Expiration", keys, &n));
    if (!n) return DP_OK;
    date = dp_yaml_get(n, "Date");
    if (dp_yaml_get(n, "ExpiredObjectDeleteMarker")) retain_note(in, n, rule->id, "ExpiredObjectDeleteMarker: a table has no delete markers");
    DP_TRY(number_of(in, n, "Days", 1, MOST_DAYS, &count));
    if (count && date) return dp_yaml_error(in->doc, n, in->err, "Expiration: Days or Date, not both");
    if (count) rule->has_rows = true, rule->rows = days(count);
    if (!date) return DP_OK;
    DP_TRY(date_of(in, n, &rule->from));
    rule->has_rows = true;
    return DP_OK;
}

static enum dp_status read_noncurrent(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"NoncurrentDays", "NewerNoncurrentVersions", NULL};
    const struct dp_yaml_node *n;
    int64_t count = 0, newer = 0;
    DP_TRY(map_of(in, map, "NoncurrentVersionExpiration", keys, &n));
    if (!n) return DP_OK;
    DP_TRY(number_of(in, n, "NoncurrentDays", 1, MOST_DAYS, &count));
    DP_TRY(number_of(in, n, "NewerNoncurrentVersions", 1, 100, &newer));
    if (!count) return dp_yaml_error(in->doc, n, in->err, "NoncurrentVersionExpiration: NoncurrentDays is wanted");
    rule->has_versions = true, rule->versions = days(count);
    rule->last = newer ? newer + 1 : 0; /* and the current one */
    return DP_OK;
}

static enum dp_status read_abort(struct retain_reading *in, const struct dp_yaml_node *map, struct dp_retain_rule *rule) {
    static const char *const keys[] = {"DaysAfterInitiation", NULL};
    const struct dp_yaml_node *n;
    int64_t count = 0;
    DP_TRY(map_of(in, map, "AbortIncompleteMultipartUpload", keys, &n));
    if (!n) return DP_OK;
    DP_TRY(number_of(in, n, "DaysAfterInitiation", 1, MOST_DAYS, &count));
    if (!count) return dp_yaml_error(in->doc, n, in->err, "AbortIncompleteMultipartUpload: DaysAfterInitiation is wanted");
    rule->has_leftovers = true, rule->leftovers = days(count);
    return DP_OK;
}

/* ---- where they move ---- */

enum { SMALL = 128 << 10 }; /* objects of fewer bytes do not move, unless the rule speaks of sizes */

static const char *directory_of_class(const struct retain_reading *in, const char *class) {
    for (size_t i = 0; i < in->r->n_classes; i++)
        if (!strcmp(in->r->classes[i].key, class)) return in->r->classes[i].value;
    return NULL;
}

static bool moves_small(const struct retain_reading *in, const char *class) {
    const struct dp_yaml_node *n = dp_yaml_get(in->doc->root, "TransitionDefaultMinimumObjectSize");
    return n && dp_str_eqz(n->text, "varies_by_storage_class") && (!strcmp(class, "GLACIER") || !strcmp(class, "DEEP_ARCHIVE"));
}

/* A rule of its own, for the tables of rule number `of`. */
static enum dp_status add_transition(struct retain_reading *in, const struct dp_yaml_node *n, size_t of, const char *class, const char *dir) {
    int64_t count = -1, from = INT64_MIN;
    DP_TRY(number_of(in, n, "Days", 0, MOST_DAYS, &count));
    DP_TRY(date_of(in, n, &from));
    if ((count < 0) == (from == INT64_MIN)) return dp_yaml_error(in->doc, n, in->err, "Transition: Days or Date is wanted, one of them");
    struct dp_retain_rule *rule = retain_add(in, n), *base = &in->r->v[of];
    rule->enabled = base->enabled, rule->zone = base->zone;
    rule->prefix = base->prefix, rule->tags = base->tags, rule->n_tags = base->n_tags;
    rule->over = base->over, rule->under = base->under;
    if (rule->over < 0 && rule->under < 0 && !moves_small(in, class)) rule->over = SMALL - 1;
    rule->from = from;
    rule->has_tier = true, rule->tier_to = dir, rule->tier_name = class;
    rule->tier = count >= 0 ? days(count) : (struct dp_retain_keep){.is_given = true, .forever = true}; /* until the date */
    return retain_take_id(in, rule, n, dp_arena_printf(&in->r->arena, "%s/%s", base->id, class));
}

static enum dp_status read_transition(struct retain_reading *in, const struct dp_yaml_node *n, size_t of) {
    static const char *const keys[] = {"Days", "Date", "StorageClass", NULL};
    const char *class = NULL;
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "Transition", "an object");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "Transition", in->err));
    DP_TRY(string_of(in, n, "StorageClass", &class));
    if (!class) return dp_yaml_error(in->doc, n, in->err, "Transition: StorageClass is wanted");
    const char *dir = directory_of_class(in, class);
    if (dir) return add_transition(in, n, of, class, dir);
    retain_note(in, n, in->r->v[of].id, "Transitions: %.60s is not carried out: no directory stands for it (storage-classes in a YAML file of rules before this one)", class);
    return DP_OK;
}

static enum dp_status read_transitions(struct retain_reading *in, const struct dp_yaml_node *map, size_t of) {
    static const char *const keys[] = {"Transitions", "Transition"};
    for (size_t k = 0; k < 2; k++) {
        const struct dp_yaml_node *n = dp_yaml_get(map, keys[k]);
        if (n && n->kind != DP_YAML_LIST) DP_TRY(read_transition(in, n, of));
        for (size_t i = 0; n && n->kind == DP_YAML_LIST && i < n->n; i++) DP_TRY(read_transition(in, n->items[i], of));
    }
    return DP_OK;
}

static enum dp_status read_rule(struct retain_reading *in, const struct dp_yaml_node *n, size_t number) {
    static const char *const keys[] = {"ID", "Status", "Prefix", "Filter", "Expiration", "Transitions", "Transition", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions",
                                       "NoncurrentVersionTransition", "AbortIncompleteMultipartUpload", NULL};
    static const char *const old[] = {"NoncurrentVersionTransitions", "NoncurrentVersionTransition"};
    const size_t own = in->r->n;
    const char *id = NULL, *status = NULL;
    bool has_tiers = dp_yaml_get(n, "Transitions") || dp_yaml_get(n, "Transition");
    if (n->kind != DP_YAML_MAP) return wrong(in, n, "Rules", "a list of objects");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "a rule", in->err));
    DP_TRY(string_of(in, n, "ID", &id));
    DP_TRY(string_of(in, n, "Status", &status));
    struct dp_retain_rule *rule = retain_add(in, n);
    DP_TRY(retain_take_id(in, rule, n, id && *id ? id : dp_arena_printf(&in->r->arena, "Rules/%zu", number)));
    DP_TRY(retain_zone(in, n, "UTC", &rule->zone));
    if (!status || (strcmp(status, "Enabled") != 0 && strcmp(status, "Disabled") != 0))
        return dp_yaml_error(in->doc, dp_yaml_get(n, "Status") ? dp_yaml_get(n, "Status") : n, in->err, "Status: Enabled or Disabled is wanted");
    rule->enabled = !strcmp(status, "Enabled");
    DP_TRY(read_filter(in, n, rule));
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        const struct dp_yaml_node *t = dp_yaml_get(n, old[i]);
        if (t) retain_note(in, t, rule->id, "%s: is not carried out: what older versions need alone stays where it is", old[i]);
        has_tiers |= t != NULL;
    }
    DP_TRY(read_expiration(in, n, rule));
    DP_TRY(read_noncurrent(in, n, rule));
    DP_TRY(read_abort(in, n, rule));
    if (!rule->has_rows && !rule->has_versions && !rule->has_leftovers && !has_tiers && !dp_yaml_get(n, "Expiration"))
        return dp_yaml_error(in->doc, n, in->err, "rule %.60s: it says nothing to do", rule->id);
    return read_transitions(in, n, own);
}

enum dp_status retain_read_s3(struct retain_reading *in) {
    static const char *const keys[] = {"Rules", "TransitionDefaultMinimumObjectSize", NULL};
    const struct dp_yaml_node *root = in->doc->root, *rules = dp_yaml_get(root, "Rules");
    DP_TRY(dp_yaml_known_keys(in->doc, root, keys, "a lifecycle configuration", in->err));
    if (rules->kind != DP_YAML_LIST) return wrong(in, rules, "Rules", "a list");
    if (rules->n > DP_LIMIT_CONTRACT_RULES) return dp_yaml_error(in->doc, rules, in->err, "more than %u rules", DP_LIMIT_CONTRACT_RULES);
    for (size_t i = 0; i < rules->n; i++) DP_TRY(read_rule(in, rules->items[i], i));
    return DP_OK;
}

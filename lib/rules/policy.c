/*
 * Reading a masking policy (dp-policy(5)): views, rules and their parameters, each parameter one row of a table.  Which parameters a technique
 * takes is in its own row (mask_technique.c).  Files that rules name are not opened here.
 */
#include "mask_priv.h"

#include <dp/base/num.h>

struct reading {
    struct dp_policy *p;
    struct dp_err *err;
};

/* ---- parameters ---- */

enum param_kind { PARAM_INT, PARAM_STRING, PARAM_WORD, PARAM_DECIMAL, PARAM_NUMBER, PARAM_VALUE, PARAM_TEXT, PARAM_NORMALISE, PARAM_OTHERWISE };

struct param {
    const char *key;
    enum param_kind kind;
    size_t offset;
    int64_t min, max;
    const char *const *words;
};

static const char *const units[] = {"second", "minute", "hour", "day", "month", "quarter", "year", "decade", NULL};
static const char *const encodings[] = {"hex", "base64url", NULL};
#define AT(field) offsetof(struct dp_mask_rule, field)

static const struct param params[] = {
    {"domain", PARAM_STRING, AT(domain), 0, 0, NULL},
    {"bits", PARAM_INT, AT(bits), 128, 256, NULL},
    {"encoding", PARAM_WORD, AT(encoding), 0, 0, encodings},
    {"normalise", PARAM_NORMALISE, 0, 0, 0, NULL},
    {"first", PARAM_INT, AT(first), 0, 1000, NULL},
    {"last", PARAM_INT, AT(last), 0, 1000, NULL},
    {"text", PARAM_TEXT, AT(text), 0, 0, NULL},
    {"value", PARAM_VALUE, AT(value), 0, 0, NULL},
    {"width", PARAM_DECIMAL, AT(width), 0, 0, NULL},
    {"from", PARAM_DECIMAL, AT(from), 0, 0, NULL},
    {"to", PARAM_WORD, AT(unit), 0, 0, units},
    {"digits", PARAM_INT, AT(digits), 1, 32, NULL},
    {"file", PARAM_STRING, AT(file), 0, 0, NULL},
    {"level", PARAM_INT, AT(level), 1, 100, NULL},
    {"v4", PARAM_INT, AT(v4), 0, 32, NULL},
    {"v6", PARAM_INT, AT(v6), 0, 128, NULL},
    {"at", PARAM_NUMBER, AT(at), 0, 0, NULL},
    {"otherwise", PARAM_OTHERWISE, 0, 0, 0, NULL},
};

static const struct param *find_param(const char *key) {
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        if (!strcmp(params[i].key, key)) return &params[i];
    return NULL;
}

static enum dp_status wrong(struct reading *in, const struct dp_yaml_node *at, const char *key, const char *want) {
    return dp_yaml_error(&in->p->doc, at, in->err, "%s must be %s", key, want);
}

static enum dp_status set_word(struct reading *in, const struct param *p, const struct dp_yaml_node *v, int *out) {
    for (int i = 0; p->words[i]; i++)
        if (dp_str_eqz(v->text, p->words[i])) return *out = i, DP_OK;
    struct dp_buf b = {0};
    for (int i = 0; p->words[i]; i++) dp_buf_addf(&b, "%s%s", i ? ", " : "one of ", p->words[i]);
    enum dp_status status = wrong(in, v, p->key, dp_buf_z(&b));
    dp_buf_release(&b);
    return status;
}

static enum dp_status set_normalise(struct reading *in, const struct dp_yaml_node *v, struct dp_mask_rule *r) {
    if (v->kind != DP_YAML_LIST) return wrong(in, v, "normalise", "a list of trim, lower");
    for (size_t i = 0; i < v->n; i++) {
        const struct dp_str word = v->items[i]->text;
        if (v->items[i]->kind == DP_YAML_STRING && dp_str_eqz(word, "trim")) r->trim = true;
        else if (v->items[i]->kind == DP_YAML_STRING && dp_str_eqz(word, "lower")) r->lower = true;
        else return wrong(in, v->items[i], "normalise", "a list of trim, lower");
    }
    return DP_OK;
}

static enum dp_status set_text(struct reading *in, const struct param *p, const struct dp_yaml_node *v, const char **out) {
    if (v->kind != DP_YAML_STRING) return wrong(in, v, p->key, "a string (in quotes where it looks like something else)");
    if (memchr(v->text.p, 0, v->text.n)) return wrong(in, v, p->key, "a string without a NUL");
    if (p->kind == PARAM_STRING && (!v->text.n || v->text.n > 1000)) return wrong(in, v, p->key, "a string of 1 to 1000 bytes");
    *out = v->text.p;
    return DP_OK;
}

/* YAML spells numbers in ways that JSON has not (07, +1): they are spelled anew. */
static void set_number(struct reading *in, struct dp_decimal d, const char **out) {
    char text[48];
    *out = dp_arena_str(&in->p->arena, dp_str(text, dp_decimal_print(text, d.unscaled, d.scale))).p;
}

static enum dp_status set_param(struct reading *in, const struct param *p, const struct dp_yaml_node *v, struct dp_mask_rule *r) {
    char *field = (char *)r + p->offset, range[60];
    int64_t n;
    struct dp_decimal d;
    bool number = v->kind == DP_YAML_INT || v->kind == DP_YAML_FLOAT;
    switch (p->kind) {
    case PARAM_INT:
        (void)snprintf(range, sizeof range, "a whole number from %lld to %lld", (long long)p->min, (long long)p->max);
        if (v->kind != DP_YAML_INT || !dp_parse_i64(v->text, &n) || n < p->min || n > p->max) return wrong(in, v, p->key, range);
        memcpy(field, &n, sizeof n);
        return DP_OK;
    case PARAM_STRING:
    case PARAM_TEXT: return set_text(in, p, v, (const char **)(void *)field);
    case PARAM_WORD: return set_word(in, p, v, (int *)(void *)field);
    case PARAM_DECIMAL:
        if (!number || !dp_decimal_parse(v->text, &d) || d.scale > 18) return wrong(in, v, p->key, "a number of at most 18 decimal places");
        if (!strcmp(p->key, "width") && d.unscaled <= 0) return wrong(in, v, p->key, "a number above 0");
        memcpy(field, &d, sizeof d);
        return DP_OK;
    case PARAM_NUMBER:
        if (!number || !dp_decimal_parse(v->text, &d)) return wrong(in, v, p->key, "a number");
        set_number(in, d, (const char **)(void *)field);
        return DP_OK;
    case PARAM_VALUE:
        if (v->kind == DP_YAML_LIST || v->kind == DP_YAML_MAP || v->kind == DP_YAML_NULL) return wrong(in, v, p->key, "a string, a number, true or false");
        memcpy(field, &v, sizeof v);
        return DP_OK;
    case PARAM_NORMALISE: return set_normalise(in, v, r);
    case PARAM_OTHERWISE:
        r->or_null = v->kind == DP_YAML_NULL || dp_str_eqz(v->text, "null");
        return r->or_null || dp_str_eqz(v->text, "reject") ? DP_OK : wrong(in, v, p->key, "null or reject");
    }
    return DP_OK;
}

/* ---- rules ---- */

/* Names that ask for something else than they say. */
static enum dp_status no_technique(struct reading *in, const struct dp_yaml_node *at, const char *name) {
    static const char *const unkeyed[] = {"hash", "sha256", "sha-256", "sha512", "sha-512", "sha1", "sha-1", "md5", "crc32", "xxhash", "blake2", NULL};
    const char *names[32] = {NULL};
    for (int i = 0; unkeyed[i]; i++)
        if (!strcmp(name, unkeyed[i]))
            return dp_yaml_error(&in->p->doc, at, in->err, "%s: a hash without a key is undone by trying values; use hmac or token (`dp-mask keygen FILE` makes a key)", name);
    if (!strcmp(name, "generalise") || !strcmp(name, "generalize"))
        return dp_yaml_error(&in->p->doc, at, in->err, "%s: say how: band, top, date, truncate, zip, ip or hierarchy", name);
    for (size_t i = 0; dp_mask_techniques[i].name && i < 31; i++) names[i] = dp_mask_techniques[i].name;
    const char *near = dp_str_nearest(name, names);
    struct dp_buf b = {0};
    if (near) dp_buf_addf(&b, ", did you mean %s?", near);
    else for (size_t i = 0; names[i]; i++) dp_buf_addf(&b, "%s %s", i ? "," : "; there is", names[i]);
    dp_yaml_error(&in->p->doc, at, in->err, "no technique \"%.60s\"%s", name, dp_buf_z(&b));
    dp_buf_release(&b);
    return DP_USAGE;
}

static enum dp_status set_technique(struct reading *in, const struct dp_yaml_node *at, struct dp_mask_rule *r) {
    const char *name = at->kind == DP_YAML_NULL ? "null" : at->text.p;
    if (at->kind != DP_YAML_NULL && at->kind != DP_YAML_STRING) return wrong(in, at, "mask", "the name of a technique");
    r->technique = dp_mask_technique_find(name);
    return r->technique ? DP_OK : no_technique(in, at, name);
}

static bool takes(const struct dp_mask_technique *t, const char *key) {
    for (size_t i = 0; t->params && t->params[i]; i++)
        if (!strcmp(t->params[i], key)) return true;
    return false;
}

static enum dp_status no_param(struct reading *in, const struct dp_yaml_node *at, const struct dp_mask_technique *t) {
    static const char *const none[] = {NULL};
    const char *near = dp_str_nearest(at->text.p, t->params ? t->params : none);
    struct dp_buf b = {0};
    if (near) dp_buf_addf(&b, ", did you mean %s?", near);
    else for (size_t i = 0; t->params && t->params[i]; i++) dp_buf_addf(&b, "%s %s", i ? "," : "; it takes", t->params[i]);
    dp_yaml_error(&in->p->doc, at, in->err, "%s takes no \"%.60s\"%s", t->name, at->text.p, b.n ? dp_buf_z(&b) : "");
    dp_buf_release(&b);
    return DP_USAGE;
}

/* A map without the key mask: a key that nothing takes may be meant for it. */
static enum dp_status no_mask(struct reading *in, const struct dp_yaml_node *n) {
    const char *keys[sizeof params / sizeof *params + 2] = {"mask"};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) keys[i + 1] = params[i].key;
    for (size_t i = 0; i < n->n; i++) {
        const struct dp_yaml_node *key = n->items[2 * i];
        if (find_param(key->text.p)) continue;
        const char *near = dp_str_nearest(key->text.p, keys);
        return dp_yaml_error(&in->p->doc, key, in->err, "a rule has no key \"%.60s\"%s%s%s, and it needs the key \"mask\": the name of a technique", key->text.p,
                             near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return dp_yaml_error(&in->p->doc, n, in->err, "a rule needs the key \"mask\": the name of a technique");
}

static void set_defaults(struct dp_mask_rule *r, const struct dp_yaml_node *node) {
    *r = (struct dp_mask_rule){.node = node, .bits = 256, .digits = 3, .v4 = 24, .v6 = 48, .level = 1, .unit = -1};
}

static enum dp_status read_rule(struct reading *in, const struct dp_yaml_node *n, struct dp_mask_rule *r) {
    set_defaults(r, n);
    if (n->kind == DP_YAML_LIST) return wrong(in, n, "a rule", "the name of a technique, or a map with the key mask");
    if (n->kind != DP_YAML_MAP) {
        DP_TRY(set_technique(in, n, r));
    } else {
        const struct dp_yaml_node *mask = dp_yaml_get(n, "mask");
        if (!mask) return no_mask(in, n);
        DP_TRY(set_technique(in, mask, r));
    }
    if (!strcmp(r->technique->name, "token")) r->bits = 128;
    for (size_t i = 0; n->kind == DP_YAML_MAP && i < n->n; i++) {
        const struct dp_yaml_node *key = n->items[2 * i];
        if (dp_str_eqz(key->text, "mask")) continue;
        const struct param *p = find_param(key->text.p);
        if (!p || !takes(r->technique, key->text.p)) return no_param(in, key, r->technique);
        DP_TRY(set_param(in, p, n->items[2 * i + 1], r));
    }
    if (r->bits % 8) return wrong(in, n, "bits", "a multiple of 8");
    if (r->technique->need && (n->kind != DP_YAML_MAP || !dp_yaml_get(n, r->technique->need)))
        return dp_yaml_error(&in->p->doc, n, in->err, "%s needs the key \"%s\": {mask: %s, %s: ...}", r->technique->name, r->technique->need, r->technique->name,
                             r->technique->need);
    return DP_OK;
}

/* ---- views ---- */

static enum dp_status read_entries(struct reading *in, const struct dp_yaml_node *map, const char *key, struct dp_policy_entry **out, size_t *n) {
    const struct dp_yaml_node *list = dp_yaml_get(map, key);
    if (!list || list->kind == DP_YAML_NULL) return DP_OK;
    if (list->kind != DP_YAML_MAP) return wrong(in, list, key, "a map of names to rules");
    *out = dp_arena_calloc(&in->p->arena, list->n + 1, sizeof **out);
    *n = list->n;
    for (size_t i = 0; i < list->n; i++) {
        struct dp_policy_entry *e = &(*out)[i];
        e->name = list->items[2 * i]->text.p;
        e->at = list->items[2 * i];
        DP_TRY(read_rule(in, list->items[2 * i + 1], &e->rule));
    }
    return DP_OK;
}

static enum dp_status read_view(struct reading *in, const struct dp_yaml_node *map, struct dp_policy_view *v) {
    const struct dp_yaml_node *rows = dp_yaml_get(map, "rows");
    DP_TRY(read_entries(in, map, "columns", &v->columns, &v->n_columns));
    DP_TRY(read_entries(in, map, "tags", &v->tags, &v->n_tags));
    DP_TRY(read_entries(in, map, "classifications", &v->classifications, &v->n_classifications));
    if (rows && rows->kind != DP_YAML_STRING) return wrong(in, rows, "rows", "an expression, as a string");
    if (rows) v->rows = rows->text.p, v->rows_at = rows;
    return DP_OK;
}

static enum dp_status read_roles(struct reading *in, const struct dp_yaml_node *root) {
    static const char *const keys[] = {"description", "columns", "tags", "classifications", "rows", NULL};
    const struct dp_yaml_node *map = dp_yaml_get(root, "roles");
    if (!map || map->kind == DP_YAML_NULL) return DP_OK;
    if (map->kind != DP_YAML_MAP) return wrong(in, map, "roles", "a map of names to views");
    in->p->roles = dp_arena_calloc(&in->p->arena, map->n + 1, sizeof *in->p->roles);
    for (size_t i = 0; i < map->n; i++) {
        const struct dp_yaml_node *view = map->items[2 * i + 1];
        struct dp_policy_view *v = &in->p->roles[in->p->n_roles++];
        v->role = map->items[2 * i]->text.p;
        if (view->kind == DP_YAML_NULL) continue;
        DP_TRY(dp_yaml_known_keys(&in->p->doc, view, keys, "a role", in->err));
        DP_TRY(read_view(in, view, v));
    }
    return DP_OK;
}

static enum dp_status read_policy(struct dp_policy *p, struct dp_err *err) {
    static const char *const keys[] = {"version", "name", "description", "columns", "tags", "classifications", "rows", "roles", NULL};
    struct reading in = {.p = p, .err = err};
    const struct dp_yaml_node *root = p->doc.root, *version;
    if (root->kind != DP_YAML_MAP) return wrong(&in, root, "a policy", "a map");
    DP_TRY(dp_yaml_known_keys(&p->doc, root, keys, "a policy", err));
    version = dp_yaml_get(root, "version");
    if (!version || version->kind != DP_YAML_INT || !dp_str_eqz(version->text, "1"))
        return dp_yaml_error(&p->doc, version ? version : root, err, "a policy begins with `version: 1`");
    DP_TRY(read_view(&in, root, &p->all));
    return read_roles(&in, root);
}

static enum dp_status finish(struct dp_policy *p, enum dp_status status, struct dp_err *err) {
    if (status == DP_OK) status = read_policy(p, err);
    if (status != DP_OK) dp_policy_release(p);
    return status;
}

enum dp_status dp_policy_parse(struct dp_str text, const char *source, struct dp_policy *p, struct dp_err *err) {
    memset(p, 0, sizeof *p);
    return finish(p, dp_yaml_parse(text, source, &p->doc, err), err);
}

enum dp_status dp_policy_read(const char *path, struct dp_policy *p, struct dp_err *err) {
    memset(p, 0, sizeof *p);
    return finish(p, dp_yaml_read(path, &p->doc, err), err);
}

void dp_policy_release(struct dp_policy *p) {
    dp_arena_release(&p->arena);
    dp_yaml_release(&p->doc);
    memset(p, 0, sizeof *p);
}

enum dp_status dp_policy_role(const struct dp_policy *p, const char *role, const struct dp_policy_view **out, struct dp_err *err) {
    struct dp_buf b = {0};
    for (size_t i = 0; i < p->n_roles; i++) {
        if (!strcmp(p->roles[i].role, role)) return *out = &p->roles[i], dp_buf_release(&b), DP_OK;
        if (b.n < 300) dp_buf_addf(&b, "%s %.60s", i ? "," : "; there is", p->roles[i].role);
    }
    dp_yaml_error(&p->doc, NULL, err, "no role \"%.60s\"%s", role, b.n ? dp_buf_z(&b) : ": the policy has none");
    dp_buf_release(&b);
    return DP_USAGE;
}

/*
 * Policies for the catalog (dp/io/catalog_policy.h): reading of the rules, and looking at each node that one of them speaks of.
 */
#include <dp/io/catalog_policy.h>

#include "catalog_priv.h"

#include <dp/format/input.h>
#include <dp/format/yaml.h>
#include <dp/rules/pattern.h>

#include <stdlib.h>

struct rule {
    const char *name;
    const struct dp_yaml_node *datasets, *jobs; /* a glob or a list of them; NULL: it speaks of none */
    struct dp_str tag, value;                   /* `tagged`; p NULL: any */
    bool is_warning;
    struct dp_pattern *pattern, *columns;       /* NULL: any */
    const char *pattern_text, *columns_text;
    const struct dp_yaml_node *tags;            /* KEY or KEY=VALUE, a list */
    bool owner, description, column_descriptions, classified;
    int at_most;                                /* rank of classes; -1: any */
    const char *at_most_word;
};

struct dp_catalog_policy {
    struct dp_yaml doc;
    struct rule *rules; /* the first is that of weaker classes */
    size_t n, cap;
    bool classes_off;
    const char **names;
};

/* ---- reading ---- */

static enum dp_status get_text(const struct dp_catalog_policy *p, const struct dp_yaml_node *map, const char *key, const char **out, struct dp_err *err) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP || n->kind == DP_YAML_NULL || !n->text.n) return dp_yaml_error(&p->doc, n, err, "%s: expected a word, not %s", key, dp_yaml_kind_name(n->kind));
    *out = n->text.p;
    return DP_OK;
}

static enum dp_status get_bool(const struct dp_catalog_policy *p, const struct dp_yaml_node *map, const char *key, bool *out, struct dp_err *err) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_BOOL) return dp_yaml_error(&p->doc, n, err, "%s: expected true or false", key);
    *out = dp_str_eqz(n->text, "true");
    return DP_OK;
}

/* A word or a list of them. */
static enum dp_status get_words(const struct dp_catalog_policy *p, const struct dp_yaml_node *map, const char *key, const struct dp_yaml_node **out, struct dp_err *err) {
    const struct dp_yaml_node *n = *out = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    bool fits = n->kind == DP_YAML_LIST || (n->kind == DP_YAML_STRING && n->text.n);
    for (size_t i = 0; n->kind == DP_YAML_LIST && i < n->n; i++) fits = fits && n->items[i]->kind == DP_YAML_STRING && n->items[i]->text.n;
    return fits ? DP_OK : dp_yaml_error(&p->doc, n, err, "%s: expected a word or a list of words", key);
}

static size_t words_n(const struct dp_yaml_node *n) { return !n ? 0 : n->kind == DP_YAML_LIST ? n->n : 1; }
static struct dp_str word_at(const struct dp_yaml_node *n, size_t i) { return n->kind == DP_YAML_LIST ? n->items[i]->text : n->text; }

static enum dp_status get_pattern(const struct dp_catalog_policy *p, const struct dp_yaml_node *map, const char *key, struct dp_pattern **out, const char **text, struct dp_err *err) {
    struct dp_err why = DP_ERR_INIT;
    DP_TRY(get_text(p, map, key, text, err));
    if (!*text || dp_pattern_compile(dp_str_z(*text), out, &why) == DP_OK) return DP_OK;
    return dp_yaml_error(&p->doc, dp_yaml_get(map, key), err, "%s: %.200s", key, why.msg);
}

static void split_tag(struct dp_str word, struct dp_str *key, struct dp_str *value) {
    const char *eq = memchr(word.p, '=', word.n);
    *key = eq ? dp_str(word.p, (size_t)(eq - word.p)) : word;
    *value = eq ? dp_str(eq + 1, word.n - key->n - 1) : dp_str(NULL, 0);
}

static enum dp_status read_severity(const struct dp_catalog_policy *p, const struct dp_yaml_node *map, const char *key, bool may_be_off, bool *is_warning, bool *off, struct dp_err *err) {
    const char *word = "error";
    DP_TRY(get_text(p, map, key, &word, err));
    *is_warning = !strcmp(word, "warning");
    *off = may_be_off && !strcmp(word, "off");
    if (*is_warning || *off || !strcmp(word, "error")) return DP_OK;
    return dp_yaml_error(&p->doc, dp_yaml_get(map, key), err, "%s: \"%.60s\" is none of error, warning%s", key, word, may_be_off ? ", off" : "");
}

static enum dp_status read_rule(struct dp_catalog_policy *p, const struct dp_yaml_node *map, struct dp_err *err) {
    static const char *const keys[] = {"name", "datasets", "jobs", "tagged", "severity", "pattern", "columns", "tags", "owner", "description", "columnDescriptions", "classified", "atMost", NULL};
    const char *tagged = NULL;
    bool off;
    if (map->kind != DP_YAML_MAP) return dp_yaml_error(&p->doc, map, err, "expected a rule, not %s", dp_yaml_kind_name(map->kind));
    DP_TRY(dp_yaml_known_keys(&p->doc, map, keys, "a rule", err));
    p->rules = dp_grow(p->rules, &p->cap, p->n + 1, sizeof *p->rules);
    struct rule *r = &p->rules[p->n++];
    *r = (struct rule){.at_most = -1};
    DP_TRY(get_text(p, map, "name", &r->name, err));
    if (!r->name) return dp_yaml_error(&p->doc, map, err, "a rule needs a name");
    for (size_t i = 0; i + 1 < p->n; i++)
        if (!strcmp(p->rules[i].name, r->name)) return dp_yaml_error(&p->doc, map, err, "there is another rule of the name %.100s", r->name);
    DP_TRY(get_words(p, map, "datasets", &r->datasets, err));
    DP_TRY(get_words(p, map, "jobs", &r->jobs, err));
    if (!r->datasets && !r->jobs) return dp_yaml_error(&p->doc, map, err, "rule %.100s speaks of nothing: it needs datasets or jobs, such as datasets: \"*\"", r->name);
    DP_TRY(get_text(p, map, "tagged", &tagged, err));
    if (tagged) split_tag(dp_str_z(tagged), &r->tag, &r->value);
    DP_TRY(read_severity(p, map, "severity", false, &r->is_warning, &off, err));
    DP_TRY(get_pattern(p, map, "pattern", &r->pattern, &r->pattern_text, err));
    DP_TRY(get_pattern(p, map, "columns", &r->columns, &r->columns_text, err));
    DP_TRY(get_words(p, map, "tags", &r->tags, err));
    DP_TRY(get_bool(p, map, "owner", &r->owner, err));
    DP_TRY(get_bool(p, map, "description", &r->description, err));
    DP_TRY(get_bool(p, map, "columnDescriptions", &r->column_descriptions, err));
    DP_TRY(get_bool(p, map, "classified", &r->classified, err));
    DP_TRY(get_text(p, map, "atMost", &r->at_most_word, err));
    if (r->at_most_word) r->at_most = (int)dp_class_rank(dp_str_z(r->at_most_word));
    if (r->at_most > DP_RANK_RESTRICTED) return dp_yaml_error(&p->doc, dp_yaml_get(map, "atMost"), err, "atMost: \"%.60s\" is none of public, internal, confidential, restricted", r->at_most_word);
    return DP_OK;
}

static enum dp_status read_file(struct dp_catalog_policy *p, const char *path, struct dp_err *err) {
    static const char *const keys[] = {"rules", "weakerClasses", NULL};
    DP_TRY(dp_yaml_read(path, &p->doc, err));
    const struct dp_yaml_node *root = p->doc.root, *rules;
    if (!root || root->kind != DP_YAML_MAP) return dp_err_set(err, DP_USAGE, "%s: expected a map with rules", path);
    DP_TRY(dp_yaml_known_keys(&p->doc, root, keys, "a policy", err));
    DP_TRY(read_severity(p, root, "weakerClasses", true, &p->rules[0].is_warning, &p->classes_off, err));
    rules = dp_yaml_get(root, "rules");
    if (rules && rules->kind != DP_YAML_LIST) return dp_yaml_error(&p->doc, rules, err, "rules: expected a list, not %s", dp_yaml_kind_name(rules->kind));
    for (size_t i = 0; rules && i < rules->n; i++) DP_TRY(read_rule(p, rules->items[i], err));
    return DP_OK;
}

enum dp_status dp_catalog_policy_read(const char *path, struct dp_catalog_policy **out, struct dp_err *err) {
    struct dp_catalog_policy *p = dp_calloc(1, sizeof *p);
    p->rules = dp_grow(NULL, &p->cap, 1, sizeof *p->rules);
    p->rules[p->n++] = (struct rule){.name = "weakerClasses", .at_most = -1};
    enum dp_status status = path ? read_file(p, path, err) : DP_OK;
    *out = NULL;
    if (status) return dp_catalog_policy_free(p), status;
    p->names = dp_calloc(p->n + 1, sizeof *p->names);
    for (size_t i = 0; i < p->n; i++) p->names[i] = p->rules[i].name;
    *out = p;
    return DP_OK;
}

const char *const *dp_catalog_policy_rules(const struct dp_catalog_policy *p) { return p->names; }

void dp_catalog_policy_free(struct dp_catalog_policy *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) dp_pattern_free(p->rules[i].pattern), dp_pattern_free(p->rules[i].columns);
    dp_yaml_release(&p->doc);
    free(p->names), free(p->rules), free(p);
}

/* ---- looking ---- */

enum { Q_TAG, Q_OWNER, Q_TOLD, Q_COLUMNS, Q_N };
static const char *const sqls[Q_N] = {
    [Q_TAG] = "SELECT 1 FROM tag WHERE kind = ?1 AND owner = ?2 AND field IS NULL AND key = ?3 AND value = coalesce(?4, value) AND until IS NULL LIMIT 1",
    [Q_OWNER] = "SELECT 1 FROM owner WHERE kind = ?1 AND id = ?2 AND until IS NULL LIMIT 1",
    [Q_TOLD] = "SELECT length(json_extract(b.text, '$.description')) > 0 FROM body b WHERE b.id = (SELECT body FROM facet WHERE kind = ?1 AND owner = ?2 AND key = 'documentation' ORDER BY at DESC LIMIT 1)",
    [Q_COLUMNS] = "SELECT f.id, f.name, coalesce(length(f.description), 0) FROM field f JOIN dataset d ON d.id = f.dataset WHERE ?1 = 'd' AND d.id = ?2 AND (f.schema IS NULL OR f.schema IS d.schema) ORDER BY f.ordinal IS NULL, f.ordinal, f.name"};

struct checking {
    const struct dp_catalog_policy *p;
    struct dp_catalog *c;
    enum dp_status (*fn)(void *ctx, const struct dp_catalog_policy_finding *f, struct dp_err *err);
    void *ctx;
    struct dp_err *err;
    struct dp_classes classes;
    struct dp_pattern_run *run;
    struct dp_buf what;
    char kind; /* of the node that is looked at */
    int64_t id;
    uint64_t checked;
};

static enum dp_status find(struct checking *k, const struct rule *r, char kind, int64_t id) {
    const struct dp_catalog_policy_finding f = {.rule = (size_t)(r - k->p->rules), .is_warning = r->is_warning, .kind = kind, .id = id, .what = dp_buf_z(&k->what)};
    enum dp_status status = k->fn(k->ctx, &f, k->err);
    dp_buf_reset(&k->what);
    return status;
}

static void *start(struct checking *k, int q, struct dp_str key, struct dp_str value, enum dp_status *status) {
    struct dp_catalog *c = k->c;
    void *st = dp_cat_ask(c, DP_CAT_ST_POLICY + q, sqls[q], status, k->err);
    if (!st) return NULL;
    int rc = c->sq.bind_text(st, 1, k->kind == 'j' ? "j" : "d", 1, NULL);
    if (rc == SQ_OK) rc = c->sq.bind_int64(st, 2, k->id);
    if (rc == SQ_OK && q == Q_TAG) rc = c->sq.bind_text(st, 3, key.p, (int)key.n, NULL);
    if (rc == SQ_OK && q == Q_TAG) rc = value.p ? c->sq.bind_text(st, 4, value.p, (int)value.n, NULL) : c->sq.bind_null(st, 4);
    if (rc != SQ_OK) *status = dp_cat_failed(c, rc, k->err);
    return st;
}

static enum dp_status is_there(struct checking *k, int q, struct dp_str key, struct dp_str value, bool *there) {
    enum dp_status status = DP_OK;
    void *st = start(k, q, key, value, &status);
    *there = dp_cat_next(k->c, st, &status, k->err) && dp_cat_i64(k->c, st, 0);
    if (st) k->c->sq.reset(st);
    return status;
}

static enum dp_status look_at_name(struct checking *k, const struct rule *r, const struct dp_pattern *pattern, const char *text, struct dp_str name, char kind, int64_t id) {
    bool matches = true;
    if (!pattern) return DP_OK;
    DP_TRY(dp_pattern_match(pattern, k->run, name, &matches, k->err));
    if (matches) return DP_OK;
    dp_buf_addf(&k->what, "its name does not match %s", text);
    return find(k, r, kind, id);
}

static enum dp_status look_at_column(struct checking *k, const struct rule *r, int64_t id, struct dp_str name, bool is_told) {
    const struct dp_class *class = dp_classes_find(&k->classes, id);
    DP_TRY(look_at_name(k, r, r->columns, r->columns_text, name, 'c', id));
    if (r->column_descriptions && !is_told) {
        dp_buf_addz(&k->what, "no description");
        DP_TRY(find(k, r, 'c', id));
    }
    if (r->classified && (!class || !class->word.p)) {
        dp_buf_addz(&k->what, "no classification");
        DP_TRY(find(k, r, 'c', id));
    }
    if (r->at_most < 0 || !class || !class->word.p || (int)dp_class_rank(class->word) <= r->at_most) return DP_OK;
    dp_buf_addf(&k->what, "is %.*s, more than %s", DP_STR_FMT(class->word), r->at_most_word);
    return find(k, r, 'c', id);
}

static enum dp_status look_at_columns(struct checking *k, const struct rule *r) {
    enum dp_status status = DP_OK;
    if (!r->columns && !r->column_descriptions && !r->classified && r->at_most < 0) return DP_OK;
    void *st = start(k, Q_COLUMNS, (struct dp_str){0}, (struct dp_str){0}, &status);
    while (dp_cat_next_kept(k->c, st, &status, k->err)) status = look_at_column(k, r, dp_cat_i64(k->c, st, 0), dp_cat_str(k->c, st, 1), dp_cat_i64(k->c, st, 2) > 0);
    return status;
}

static enum dp_status speaks_of(struct checking *k, const struct rule *r, const char *printed, bool *does) {
    const struct dp_yaml_node *names = k->kind == 'j' ? r->jobs : r->datasets;
    *does = false;
    for (size_t i = 0; i < words_n(names) && !*does; i++) *does = dp_glob_match(word_at(names, i).p, printed);
    return *does && r->tag.p ? is_there(k, Q_TAG, r->tag, r->value, does) : DP_OK;
}

static enum dp_status look_at_node(struct checking *k, const struct rule *r, struct dp_str name) {
    static const struct dp_str none;
    bool there;
    DP_TRY(look_at_name(k, r, r->pattern, r->pattern_text, name, k->kind, k->id));
    for (size_t i = 0; i < words_n(r->tags); i++) {
        struct dp_str key, value, word = word_at(r->tags, i);
        split_tag(word, &key, &value);
        DP_TRY(is_there(k, Q_TAG, key, value, &there));
        if (there) continue;
        dp_buf_addf(&k->what, "no tag %.*s", DP_STR_FMT(word));
        DP_TRY(find(k, r, k->kind, k->id));
    }
    if (r->owner) DP_TRY(is_there(k, Q_OWNER, none, none, &there));
    if (r->owner && !there) {
        dp_buf_addz(&k->what, "no owner");
        DP_TRY(find(k, r, k->kind, k->id));
    }
    if (r->description) DP_TRY(is_there(k, Q_TOLD, none, none, &there));
    if (r->description && !there) {
        dp_buf_addz(&k->what, "no description");
        DP_TRY(find(k, r, k->kind, k->id));
    }
    return k->kind == 'd' ? look_at_columns(k, r) : DP_OK;
}

/* Columns that were given a weaker class than that of what they were made from. */
static enum dp_status look_at_classes(struct checking *k) {
    if (k->p->classes_off) return DP_OK;
    for (size_t i = 0; i < k->classes.n; i++) {
        const struct dp_class *v = &k->classes.v[i];
        if (v->how != DP_CLASS_OWN || !v->inherited.p || dp_class_rank(v->inherited) <= dp_class_rank(v->word)) continue;
        struct dp_catalog_node n;
        DP_TRY(dp_catalog_view(k->c, 'c', v->from, &n, k->err));
        dp_buf_addf(&k->what, "is %.*s, said by %.*s, and made without a mask from ", DP_STR_FMT(v->word), DP_STR_FMT(v->source));
        dp_catalog_node_print(&n, &k->what);
        dp_buf_addf(&k->what, ", which is %.*s", DP_STR_FMT(v->inherited));
        DP_TRY(find(k, &k->p->rules[0], 'c', v->field));
    }
    return DP_OK;
}

static enum dp_status look(struct checking *k) {
    void *st;
    struct dp_buf name = {0};
    enum dp_status status = dp_cat_query(k->c, &st, k->err, "SELECT 'd', id, name, " NAME("d") " FROM dataset d WHERE NOT " GONE("d") " UNION ALL SELECT 'j', id, name, " JOB_NAME("j") " FROM job j ORDER BY 1, 4", "");
    while (dp_cat_next(k->c, st, &status, k->err)) {
        bool any = false;
        k->kind = *dp_cat_str(k->c, st, 0).p, k->id = dp_cat_i64(k->c, st, 1);
        dp_buf_reset(&name);
        dp_buf_adds(&name, dp_cat_str(k->c, st, 3));
        for (size_t i = 1; i < k->p->n && status == DP_OK; i++) {
            bool does;
            status = speaks_of(k, &k->p->rules[i], dp_buf_z(&name), &does);
            if (status == DP_OK && does) any = true, status = look_at_node(k, &k->p->rules[i], dp_cat_str(k->c, st, 2));
        }
        k->checked += any;
    }
    k->c->sq.finalize(st);
    dp_buf_release(&name);
    return status;
}

enum dp_status dp_catalog_policy_check(const struct dp_catalog_policy *p, struct dp_catalog *c, enum dp_status (*fn)(void *ctx, const struct dp_catalog_policy_finding *f, struct dp_err *err), void *ctx, uint64_t *checked,
                               struct dp_err *err) {
    struct checking k = {.p = p, .c = c, .fn = fn, .ctx = ctx, .err = err};
    enum dp_status status = dp_catalog_classes(c, NULL, 0, &k.classes, err);
    k.run = dp_pattern_run_open();
    if (status == DP_OK) status = look_at_classes(&k);
    if (status == DP_OK) status = look(&k);
    *checked = k.checked;
    dp_pattern_run_close(k.run);
    dp_classes_release(&k.classes);
    dp_buf_release(&k.what);
    return status;
}

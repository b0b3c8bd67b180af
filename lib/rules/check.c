/*
 * Checks compiled from a contract: the tree of fields, and of each the rules that its keys declare, in the contract's order.  What logicalTypeOptions say
 * is in check_options.c, quality and relationships in check_quality.c, slaProperties in check_sla.c.
 */
#include "check_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- rules and ops ---- */

struct dp_verdict_rule *check_rule(struct check_compile *c, uint32_t rule) { return &c->v->rules[rule]; }

uint32_t check_add_rule(struct check_compile *c, const char *path, const char *check, const struct check_field *field, const char *expected, ...) {
    char text[400];
    va_list ap;
    va_start(ap, expected);
    vsnprintf(text, sizeof text, expected, ap);
    va_end(ap);
    struct dp_verdict_rule *r = dp_verdict_add(c->v);
    r->path = dp_arena_strdup(&c->v->arena, path);
    r->check = check;
    r->object = c->o->name;
    r->property = field ? field->path : NULL;
    r->expected = text[0] ? dp_arena_strdup(&c->v->arena, text) : NULL;
    r->is_classified = field && field->is_classified;
    r->per_record = true;
    return (uint32_t)(c->v->n - 1);
}

void check_unsupported(struct check_compile *c, uint32_t rule, const char *reason) {
    struct dp_verdict_rule *r = check_rule(c, rule);
    r->outcome = DP_OUTCOME_UNSUPPORTED;
    r->reason = dp_arena_strdup(&c->v->arena, reason);
    r->per_record = false;
}

struct check_op *check_add_op(struct check_field *f, enum check_kind kind, unsigned needs, uint32_t rule) {
    f->ops = dp_grow(f->ops, &f->cap_ops, f->n_ops + 1, sizeof *f->ops);
    struct check_op *op = &f->ops[f->n_ops++];
    *op = (struct check_op){.kind = (uint8_t)kind, .needs = (uint8_t)needs, .rule = rule};
    return op;
}

void check_add_null(struct check_field *f, uint32_t rule) {
    f->null_rules = dp_grow(f->null_rules, &f->cap_null, f->n_null + 1, sizeof *f->null_rules);
    f->null_rules[f->n_null++] = rule;
}

/* ---- tuples ---- */

static bool same_tuple(const struct dp_check_tuple *t, enum dp_check_tuple_kind kind, struct check_field *const *fields, size_t n) {
    if (t->kind != kind || kind == DP_TUPLE_FOREIGN || t->n_paths != n) return false;
    for (size_t i = 0; i < n; i++)
        if (t->names[i] != fields[i]->path) return false;
    return true;
}

static void add_tuple_rule(struct check_compile *c, struct dp_check_tuple *t, uint32_t rule) {
    uint32_t *rules = dp_arena_calloc(&c->v->arena, t->n_rules + 1, sizeof *rules);
    if (t->n_rules) memcpy(rules, t->rules, t->n_rules * sizeof *rules);
    rules[t->n_rules++] = rule;
    t->rules = rules;
}

/* From the top down to the field: one key each. */
static void path_of(const struct check_field *f, struct dp_path *path) {
    size_t depth = 0, at;
    for (const struct check_field *p = f; p; p = p->parent) depth++;
    *path = (struct dp_path){.steps = dp_calloc(depth, sizeof *path->steps), .n = depth};
    at = depth;
    for (const struct check_field *p = f; p; p = p->parent)
        path->steps[--at] = (struct dp_step){.kind = DP_STEP_KEY, .key = dp_strndup(p->name, p->name_n), .key_n = p->name_n};
}

void check_add_tuple(struct check_compile *c, enum dp_check_tuple_kind kind, const struct dp_contract_relationship *relationship, struct check_field *const *fields,
                     size_t n, uint32_t rule) {
    struct dp_check *k = c->k;
    for (size_t i = 0; i < k->n_tuples; i++)
        if (same_tuple(&k->tuples[i], kind, fields, n)) {
            add_tuple_rule(c, &k->tuples[i], rule);
            return;
        }
    k->tuples = dp_grow(k->tuples, &k->cap_tuples, k->n_tuples + 1, sizeof *k->tuples);
    struct dp_check_tuple *t = &k->tuples[k->n_tuples++];
    const char **names = dp_arena_calloc(&c->v->arena, n, sizeof *names);
    struct dp_path *paths = dp_arena_calloc(&c->v->arena, n, sizeof *paths);
    for (size_t i = 0; i < n; i++) {
        names[i] = fields[i]->path;
        path_of(fields[i], &paths[i]);
    }
    *t = (struct dp_check_tuple){.kind = kind, .relationship = relationship, .names = names, .paths = paths, .n_paths = n};
    add_tuple_rule(c, t, rule);
}

bool check_is_in_array(const struct check_field *f) {
    for (; f; f = f->parent)
        if (!f->name) return true;
    return false;
}

/* ---- fields ---- */

static const char *const type_words[] = {"", "a string", "a date (2026-01-02)", "a timestamp (2026-01-02T03:04:05Z)", "a time (03:04:05)", "a number",
                                         "an integer", "an object", "an array", "true or false", "an object"};

static bool is_time(enum dp_logical l) { return l == DP_LOGICAL_DATE || l == DP_LOGICAL_TIMESTAMP || l == DP_LOGICAL_TIME; }

static const char *part(struct check_compile *c, const struct check_field *f, const char *key) {
    return dp_arena_printf(&c->v->arena, "%s/%s", f->property->path, key);
}

static void declare_type(struct check_compile *c, struct check_field *f) {
    if (f->logical == DP_LOGICAL_NONE) return;
    f->any_time = f->logical == DP_LOGICAL_DATE && !c->c->is_31;
    const char *what = f->any_time ? "a date, a timestamp or a time" : type_words[f->logical];
    if (is_time(f->logical) && dp_yaml_get(f->property->options, "format")) what = "a string";
    f->type_rule = check_add_rule(c, part(c, f, "logicalType"), "type", f, "%s", what);
}

static void declare_keys(struct check_compile *c, struct check_field *f) {
    const struct dp_contract_property *p = f->property;
    if (p->required || p->primary_key)
        check_add_null(f, check_add_rule(c, part(c, f, p->required ? "required" : "primaryKey"), "required", f, "a value"));
    if (p->unique) {
        uint32_t rule = check_add_rule(c, part(c, f, "unique"), "unique", f, "each value once");
        if (check_is_in_array(f)) check_unsupported(c, rule, "a field inside an array can't be unique over records");
        else check_add_tuple(c, DP_TUPLE_UNIQUE, NULL, &f, 1, rule);
    }
    if (p->primary_key && f->parent) {
        uint32_t rule = check_add_rule(c, part(c, f, "primaryKey"), "primaryKey", f, "each key once");
        check_unsupported(c, rule, "a primary key is made of properties at the top");
    }
}

static enum dp_status declare_enum(struct check_compile *c, struct check_field *f) {
    const struct dp_yaml_node *list = f->property->enumeration;
    if (!list) return DP_OK;
    struct check_set *set = check_set_open();
    uint32_t rule = check_add_rule(c, part(c, f, "enum"), "enum", f, "one of %zu values", list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(list->items[i], "value");
        if (v) check_set_add_node(set, f, v);
    }
    check_set_seal(set);
    f->needs_number = true;
    check_add_op(f, CHECK_IN, CHECK_NEEDS_SCALAR, rule)->set = set;
    return DP_OK;
}

static enum dp_status make_object(struct check_compile *c, struct check_field *parent, const struct dp_contract_property *properties, size_t n, const char *path,
                                  struct check_object **out);

static char *path_text(struct check_compile *c, const struct check_field *parent, const char *name) {
    const char *up = parent ? parent->path : "";
    if (!name) return dp_arena_printf(&c->v->arena, "%s[]", up);
    return dp_arena_printf(&c->v->arena, "%s%s%s", up, parent ? "." : "", name);
}

static enum dp_status make_field(struct check_compile *c, struct check_field *parent, const struct dp_contract_property *p, uint32_t index, struct check_field **out) {
    struct check_field *f = dp_arena_calloc(&c->v->arena, 1, sizeof *f);
    struct dp_check *k = c->k;
    k->fields = dp_grow(k->fields, &k->cap_fields, k->n_fields + 1, sizeof(struct check_field *));
    k->fields[k->n_fields++] = f;
    *out = f;
    f->property = p;
    f->parent = parent;
    f->index = index;
    f->logical = p->logical;
    f->is_floating = dp_contract_is_floating(p);
    f->path = path_text(c, parent, p->name);
    f->type_rule = CHECK_NONE;
    f->is_classified = dp_contract_is_classified(p) || (parent && parent->is_classified);
    k->is_classified |= f->is_classified;
    if (p->name) {
        f->name_n = strlen(p->name);
        char *name = dp_arena_calloc(&c->v->arena, f->name_n + 8, 1);
        memcpy(name, p->name, f->name_n);
        f->name = name;
        memcpy(&f->head, name, 8);
    }
    declare_type(c, f);
    declare_keys(c, f);
    DP_TRY(check_compile_options(c, f));
    DP_TRY(declare_enum(c, f));
    for (size_t i = 0; i < p->n_quality; i++) DP_TRY(check_compile_quality(c, f, &p->quality[i]));
    for (size_t i = 0; i < p->n_relationships; i++) DP_TRY(check_compile_relationship(c, f, &p->relationships[i]));
    if (p->items) DP_TRY(make_field(c, f, p->items, 0, &f->items));
    if (p->map_value) DP_TRY(make_field(c, f, p->map_value, 0, &f->items));
    return p->n_properties ? make_object(c, f, p->properties, p->n_properties, p->path, &f->object) : DP_OK;
}

static void index_names(struct check_compile *c, struct check_object *o) {
    o->n_slots = 4;
    while (o->n_slots < 2 * o->n) o->n_slots *= 2;
    o->slots = dp_arena_calloc(&c->v->arena, o->n_slots, sizeof *o->slots);
    for (size_t i = 0; i < o->n; i++) {
        size_t at = check_name_hash(o->children[i]->head, o->children[i]->name_n) & (o->n_slots - 1);
        while (o->slots[at]) at = (at + 1) & (o->n_slots - 1);
        o->slots[at] = (uint32_t)i + 1;
    }
}

static enum dp_status make_object(struct check_compile *c, struct check_field *parent, const struct dp_contract_property *properties, size_t n, const char *path,
                                  struct check_object **out) {
    struct check_object *o = dp_arena_calloc(&c->v->arena, 1, sizeof *o);
    o->children = dp_arena_calloc(&c->v->arena, n + 1, sizeof(struct check_field *));
    o->n = n;
    o->unknown_rule = CHECK_NONE;
    *out = o;
    for (size_t i = 0; i < n; i++) {
        DP_TRY(make_field(c, parent, &properties[i], (uint32_t)i, &o->children[i]));
        if (parent || !c->k->opts.absent_fails) continue;
        uint32_t rule = check_add_rule(c, part(c, o->children[i], "name"), "present", o->children[i], "a column that is there");
        check_rule(c, rule)->per_record = false;
        c->k->present_rules[i] = rule;
    }
    if (c->k->opts.closed)
        o->unknown_rule = check_add_rule(c, dp_arena_printf(&c->v->arena, "%s/properties", path), "unknown", parent, "only fields of the contract");
    index_names(c, o);
    return DP_OK;
}

/* ---- the whole ---- */

static void declare_primary_key(struct check_compile *c) {
    size_t index[64], n = dp_contract_primary_key(c->o, index, 64);
    struct check_field *fields[64];
    struct dp_buf names = {0};
    if (!n) return;
    for (size_t i = 0; i < n && i < 64; i++) {
        fields[i] = c->k->top->children[index[i]];
        dp_buf_addf(&names, "%s%s", i ? "," : "", fields[i]->path);
    }
    uint32_t rule = check_add_rule(c, dp_arena_printf(&c->v->arena, "%s/primaryKey", c->o->path), "primaryKey", NULL, "each key once");
    struct dp_verdict_rule *r = check_rule(c, rule);
    r->property = dp_arena_strdup(&c->v->arena, dp_buf_z(&names));
    for (size_t i = 0; i < n && i < 64; i++) r->is_classified |= fields[i]->is_classified;
    if (n > 64) check_unsupported(c, rule, "a primary key of more than 64 properties");
    else check_add_tuple(c, DP_TUPLE_UNIQUE, NULL, fields, n, rule);
    dp_buf_release(&names);
}

static void note_infos(struct dp_check *k, const struct dp_verdict *v) {
    k->n_rules = v->n;
    k->infos = dp_calloc(v->n + 1, sizeof *k->infos);
    for (size_t i = 0; i < v->n; i++) {
        const struct dp_verdict_rule *r = &v->rules[i];
        k->infos[i] = (struct check_info){.check = r->check, .expected = r->expected, .property = r->property, .is_classified = r->is_classified};
    }
    for (size_t i = 0; i < k->n_tuples; i++)
        for (size_t j = 0; j < k->tuples[i].n_rules; j++) {
            struct check_info *info = &k->infos[k->tuples[i].rules[j]];
            info->is_tuple = k->tuples[i].kind == DP_TUPLE_UNIQUE;
            info->surplus_counts = k->opts.duplicates_surplus && !strcmp(info->check, "duplicateValues");
        }
}

enum dp_status dp_check_compile(const struct dp_contract *contract, const struct dp_contract_object *o, const struct dp_check_opts *opts, struct dp_verdict *v,
                                struct dp_check **out, struct dp_err *err) {
    struct dp_check *k = dp_calloc(1, sizeof *k);
    struct check_compile c = {.k = k, .v = v, .c = contract, .o = o, .err = err};
    enum dp_status status;
    *out = NULL;
    k->contract = contract;
    k->source = o;
    k->opts = *opts;
    k->first_rule = v->n;
    v->contract_id = contract->id;
    v->contract_version = contract->version;
    v->object = o->name;
    if (opts->absent_fails) k->present_rules = dp_arena_calloc(&v->arena, o->n_properties + 1, sizeof *k->present_rules);
    DP_TRY_OUT(make_object(&c, NULL, o->properties, o->n_properties, o->path, &k->top));
    declare_primary_key(&c);
    for (size_t i = 0; i < o->n_quality; i++) DP_TRY_OUT(check_compile_quality(&c, NULL, &o->quality[i]));
    for (size_t i = 0; i < o->n_relationships; i++) DP_TRY_OUT(check_compile_relationship(&c, NULL, &o->relationships[i]));
    status = check_compile_sla(&c);
out:
    if (status == DP_OK) {
        note_infos(k, v);
        *out = k;
    } else {
        dp_check_free(k);
    }
    return status;
}

void dp_check_free(struct dp_check *k) {
    if (!k) return;
    for (size_t i = 0; i < k->n_fields; i++) {
        struct check_field *f = k->fields[i];
        for (size_t j = 0; j < f->n_ops; j++) {
            dp_pattern_free(f->ops[j].pattern);
            check_set_close(f->ops[j].set);
            check_set_close(f->ops[j].missing);
        }
        free(f->ops);
        free(f->null_rules);
        dp_timeform_free(f->timeform);
    }
    for (size_t i = 0; i < k->n_exprs; i++) dp_expr_free(k->exprs[i].expr);
    for (size_t i = 0; i < k->n_tuples; i++)
        for (size_t j = 0; j < k->tuples[i].n_paths; j++) dp_path_release((struct dp_path *)(uintptr_t)&k->tuples[i].paths[j]);
    free(k->fields);
    free(k->exprs);
    free(k->tuples);
    dp_sla_free(k->sla_list, k->n_sla_list);
    free(k->row_counts);
    free(k->infos);
    free(k);
}

bool dp_check_is_classified(const struct dp_check *k) { return k->is_classified; }

size_t dp_check_in_libjq(const struct dp_check *k, const char **why) {
    size_t n = 0;
    *why = NULL;
    for (size_t i = 0; i < k->n_exprs; i++) {
        if (dp_expr_is_compiled(k->exprs[i].expr)) continue;
        if (!n++) *why = dp_expr_why(k->exprs[i].expr);
    }
    return n;
}

static bool is_called(const struct check_field *f, struct dp_str name) {
    const struct dp_contract_property *p = f->property;
    return (p->name && dp_str_eqz(name, p->name)) || (p->logical_name && dp_str_eqz(name, p->logical_name));
}

struct check_field *check_find_field(const struct dp_check *k, struct dp_str path) {
    const struct check_object *o = k->top;
    for (size_t i = 0; i < o->n; i++) /* a name may have a point in it */
        if (is_called(o->children[i], path)) return o->children[i];
    while (path.n) {
        const char *dot = memchr(path.p, '.', path.n);
        struct dp_str name = dp_str(path.p, dot ? (size_t)(dot - path.p) : path.n);
        struct check_field *found = NULL;
        for (size_t i = 0; o && i < o->n && !found; i++)
            if (is_called(o->children[i], name)) found = o->children[i];
        if (!found || !dot) return found;
        o = found->object;
        path = dp_str(dot + 1, path.n - name.n - 1);
    }
    return NULL;
}

/*
 * quality and relationships as rules.  Library metrics count records and are judged at the end; one that allows none of them and is an error is a rule of
 * each record too.  `custom` with engine dp is an expression.  What can't be run is in the verdict by name.
 */
#include "check_priv.h"

#include <stdio.h>
#include <stdlib.h>

static enum dp_status wrong(struct check_compile *c, const struct dp_yaml_node *at, const char *what, const struct dp_err *own) {
    return dp_yaml_error(&c->c->doc, at, c->err, "%s%s%s", what, own ? ": " : "", own ? own->msg : "");
}

static int against(struct dp_str a, const char *n) { return dp_number_cmp(a, dp_str_z(n)); }

/* Does the threshold let no record break it? */
static bool allows_none(const struct dp_contract_quality *q, bool open) {
    bool most = q->is_percent; /* one record may be any small part of all */
    switch (q->op) {
    case DP_OPERATOR_BE: return against(q->a, "0") == 0;
    case DP_OPERATOR_LESS: return !most && against(q->a, "0") > 0 && against(q->a, "1") <= 0;
    case DP_OPERATOR_LESS_EQUAL: return against(q->a, "0") == 0 || (!most && against(q->a, "0") > 0 && against(q->a, "1") < 0);
    case DP_OPERATOR_BETWEEN:
        if (open) return !most && against(q->a, "0") < 0 && against(q->b, "0") > 0 && against(q->b, "1") <= 0;
        return against(q->a, "0") <= 0 && (against(q->b, "0") == 0 || (!most && against(q->b, "0") > 0 && against(q->b, "1") < 0));
    case DP_OPERATOR_NONE:
    case DP_OPERATOR_NOT_BE:
    case DP_OPERATOR_GREATER:
    case DP_OPERATOR_GREATER_EQUAL:
    case DP_OPERATOR_NOT_BETWEEN: break;
    }
    return false;
}

static uint32_t add_rule(struct check_compile *c, const struct check_field *f, const struct dp_contract_quality *q, const char *check) {
    uint32_t rule = check_add_rule(c, q->path, check, f, "%s", "");
    struct dp_verdict_rule *r = check_rule(c, rule);
    r->id = q->id, r->name = q->name, r->description = q->description, r->dimension = q->dimension;
    r->severity = q->severity;
    r->op = q->op;
    r->a = q->a, r->b = q->b;
    r->is_percent = q->is_percent;
    r->between_open = c->k->opts.between_open;
    r->per_record = q->severity == DP_SEVERITY_ERROR && q->op != DP_OPERATOR_NONE && allows_none(q, c->k->opts.between_open);
    return rule;
}

static void expect(struct check_compile *c, uint32_t rule, const char *text) { check_rule(c, rule)->expected = dp_arena_strdup(&c->v->arena, text); }

/* ---- arguments ---- */

static enum dp_status read_list(struct check_compile *c, const struct check_field *f, const struct dp_yaml_node *n, const char *key, struct check_set **out) {
    const struct dp_yaml_node *list = dp_yaml_get(n, key);
    if (!list || list->kind == DP_YAML_NULL) return DP_OK;
    if (list->kind != DP_YAML_LIST) return dp_yaml_error(&c->c->doc, list, c->err, "%s: expected a list", key);
    *out = check_set_open();
    for (size_t i = 0; i < list->n; i++)
        if (!check_set_add_node(*out, f, list->items[i])) return dp_yaml_error(&c->c->doc, list->items[i], c->err, "%s: expected plain values", key);
    check_set_seal(*out);
    return DP_OK;
}

static enum dp_status read_pattern(struct check_compile *c, const struct dp_yaml_node *n, struct dp_pattern **out) {
    const struct dp_yaml_node *p = dp_yaml_get(n, "pattern");
    struct dp_err own = DP_ERR_INIT;
    if (!p || p->kind == DP_YAML_NULL) return DP_OK;
    if (p->kind != DP_YAML_STRING) return wrong(c, p, "pattern: expected a string", NULL);
    return dp_pattern_compile(p->text, out, &own) == DP_OK ? DP_OK : wrong(c, p, "pattern", &own);
}

/* ---- metrics ---- */

static enum dp_status missing_values(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q, uint32_t rule) {
    struct check_set *set = NULL;
    check_add_null(f, rule);
    expect(c, rule, "a value that is not missing");
    enum dp_status status = read_list(c, f, q->arguments, "missingValues", &set);
    if (set && (status != DP_OK || !check_set_count(set))) {
        check_set_close(set);
        set = NULL;
    }
    if (!set) return status;
    f->needs_number = true;
    check_add_op(f, CHECK_NOT_IN, CHECK_NEEDS_SCALAR, rule)->set = set;
    return DP_OK;
}

static enum dp_status invalid_values(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q, uint32_t rule) {
    struct check_op *op = check_add_op(f, CHECK_INVALID, CHECK_NEEDS_SCALAR, rule); /* what was read is the op's, also where the next list is wrong */
    char text[200];
    f->needs_number = true;
    DP_TRY(read_list(c, f, q->arguments, "validValues", &op->set));
    DP_TRY(read_list(c, f, q->arguments, "missingValues", &op->missing));
    DP_TRY(read_pattern(c, q->arguments, &op->pattern));
    if (!op->set && !op->pattern) {
        f->n_ops--;
        check_set_close(op->missing);
        check_unsupported(c, rule, "it has neither validValues nor a pattern");
        return DP_OK;
    }
    const struct dp_yaml_node *pattern = op->pattern ? dp_yaml_get(q->arguments, "pattern") : NULL;
    if (op->set && pattern) snprintf(text, sizeof text, "one of %zu values that matches /%.*s/", check_set_count(op->set), DP_STR_FMT(pattern->text));
    else if (pattern) snprintf(text, sizeof text, "a match of /%.*s/", DP_STR_FMT(pattern->text));
    else snprintf(text, sizeof text, "one of %zu values", check_set_count(op->set));
    expect(c, rule, text);
    return DP_OK;
}

static enum dp_status duplicates_of(struct check_compile *c, const struct dp_contract_quality *q, uint32_t rule) {
    const struct dp_yaml_node *list = dp_yaml_get(q->arguments, "properties");
    struct check_field *fields[64];
    struct dp_buf names = {0};
    if (!list || list->kind != DP_YAML_LIST || !list->n) {
        check_unsupported(c, rule, "it names no properties");
        return DP_OK;
    }
    if (list->n > 64) return wrong(c, list, "properties: at most 64 of them make a key", NULL);
    for (size_t i = 0; i < list->n; i++) {
        fields[i] = check_find_field(c->k, list->items[i]->text);
        if (!fields[i]) return dp_yaml_error(&c->c->doc, list->items[i], c->err, "properties: \"%.*s\" has no property \"%.*s\"", DP_STR_FMT(dp_str_z(c->o->name)), DP_STR_FMT(list->items[i]->text));
        if (check_is_in_array(fields[i])) {
            check_unsupported(c, rule, "a field inside an array can't be unique over records");
            return DP_OK;
        }
        check_rule(c, rule)->is_classified |= fields[i]->is_classified;
    }
    for (size_t i = 0; i < list->n; i++) dp_buf_addf(&names, "%s%s", i ? "," : "", fields[i]->path);
    check_rule(c, rule)->property = NULL;
    char text[200];
    snprintf(text, sizeof text, "each combination of %.150s once", dp_buf_z(&names));
    expect(c, rule, text);
    dp_buf_release(&names);
    check_add_tuple(c, DP_TUPLE_UNIQUE, NULL, fields, list->n, rule);
    return DP_OK;
}

static enum dp_status duplicate_values(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q, uint32_t rule) {
    if (!f) return duplicates_of(c, q, rule);
    if (check_is_in_array(f)) check_unsupported(c, rule, "a field inside an array can't be unique over records");
    else {
        expect(c, rule, "each value once");
        check_add_tuple(c, DP_TUPLE_UNIQUE, NULL, &f, 1, rule);
    }
    return DP_OK;
}

static const char *const metric_names[] = {"library", "nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"};

static enum dp_status library_rule(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q) {
    struct dp_err own = DP_ERR_INIT;
    if (dp_verdict_threshold(q->op, q->a, q->b, &own) != DP_OK) return wrong(c, q->node, "threshold", &own);
    uint32_t rule = add_rule(c, f, q, q->metric == DP_METRIC_NONE && q->word ? q->word : metric_names[q->metric]);
    struct dp_verdict_rule *r = check_rule(c, rule);
    bool of_object = q->metric == DP_METRIC_ROW_COUNT || q->metric == DP_METRIC_DUPLICATE_VALUES;
    if (q->metric == DP_METRIC_NONE) check_unsupported(c, rule, q->word ? "not a metric of the library" : "no metric is named");
    else if (q->op == DP_OPERATOR_NONE) check_unsupported(c, rule, "no operator (mustBe, mustBeLessThan ...) says what is allowed");
    else if (!f && !of_object) check_unsupported(c, rule, "a metric of properties, not of the object");
    if (r->outcome == DP_OUTCOME_UNSUPPORTED) return DP_OK;
    switch (q->metric) {
    case DP_METRIC_NONE: break;
    case DP_METRIC_NULL_VALUES:
        expect(c, rule, "a value");
        check_add_null(f, rule);
        break;
    case DP_METRIC_MISSING_VALUES: return missing_values(c, f, q, rule);
    case DP_METRIC_INVALID_VALUES: return invalid_values(c, f, q, rule);
    case DP_METRIC_DUPLICATE_VALUES: return duplicate_values(c, f, q, rule);
    case DP_METRIC_ROW_COUNT:
        r->per_record = false;
        r->is_percent = false; /* of itself it would always be 100 */
        r->property = NULL;
        c->k->row_counts = dp_grow(c->k->row_counts, &c->k->cap_row_counts, c->k->n_row_counts + 1, sizeof *c->k->row_counts);
        c->k->row_counts[c->k->n_row_counts++] = rule;
        break;
    }
    return DP_OK;
}

/* ---- expressions ---- */

static enum dp_status expression(struct check_compile *c, const struct check_field *f, const struct dp_contract_quality *q) {
    struct dp_err own = DP_ERR_INIT;
    uint32_t rule = add_rule(c, f, q, "expression");
    struct dp_verdict_rule *r = check_rule(c, rule);
    const struct dp_yaml_node *n = q->implementation;
    if (!n || n->kind != DP_YAML_STRING) return wrong(c, n ? n : q->node, "implementation: expected an expression", NULL);
    if (q->op == DP_OPERATOR_NONE) r->per_record = q->severity == DP_SEVERITY_ERROR;
    else if (dp_verdict_threshold(q->op, q->a, q->b, &own) != DP_OK) return wrong(c, q->node, "threshold", &own);
    struct dp_expr *e;
    enum dp_status status = dp_expr_compile(n->text, &e, &own);
    if (status == DP_UNSUPPORTED) {
        check_unsupported(c, rule, own.msg);
        return DP_OK;
    }
    if (status != DP_OK) return wrong(c, n, "implementation", &own);
    r->expected = dp_arena_str(&c->v->arena, n->text).p;
    c->k->exprs = dp_grow(c->k->exprs, &c->k->cap_exprs, c->k->n_exprs + 1, sizeof *c->k->exprs);
    c->k->exprs[c->k->n_exprs++] = (struct check_expr){.rule = rule, .expr = e};
    return DP_OK;
}

enum dp_status check_compile_quality(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q) {
    switch (q->type) {
    case DP_QUALITY_LIBRARY: return library_rule(c, f, q);
    case DP_QUALITY_TEXT: check_unsupported(c, add_rule(c, f, q, "text"), "text is for people to read"); return DP_OK;
    case DP_QUALITY_SQL: check_unsupported(c, add_rule(c, f, q, "sql"), "SQL needs an engine; write it as an expression (type custom, engine dp)"); return DP_OK;
    case DP_QUALITY_CUSTOM:
        if (q->engine && !strcmp(q->engine, "dp")) return expression(c, f, q);
        check_unsupported(c, add_rule(c, f, q, "custom"),
                          dp_arena_printf(&c->v->arena, "engine %.60s is not run here%s", q->engine ? q->engine : "(none)", q->engine ? "" : "; dp takes engine dp"));
        return DP_OK;
    }
    return DP_OK;
}

/* ---- relationships ---- */

/* "orders.customer_id", "schema/orders/properties/customer_id", or a property's name. */
static struct check_field *find_reference(struct check_compile *c, const char *ref) {
    static const char *const prefix = "schema/", *const middle = "/properties/";
    struct dp_str t = dp_str_z(ref);
    if (dp_str_starts(t, dp_str_z(prefix))) {
        const char *id = strstr(ref, middle);
        if (!id) return NULL;
        id += strlen(middle);
        for (size_t i = 0; i < c->o->n_properties; i++)
            if (c->o->properties[i].id && !strcmp(c->o->properties[i].id, id)) return c->k->top->children[i];
        return check_find_field(c->k, dp_str_z(id));
    }
    const char *names[2] = {c->o->name, c->o->physical_name};
    for (int i = 0; i < 2; i++) {
        size_t n = names[i] ? strlen(names[i]) : 0;
        if (n && t.n > n && !strncmp(ref, names[i], n) && ref[n] == '.') {
            struct check_field *f = check_find_field(c->k, dp_str(t.p + n + 1, t.n - n - 1));
            if (f) return f;
        }
    }
    return check_find_field(c->k, t);
}

enum dp_status check_compile_relationship(struct check_compile *c, struct check_field *f, const struct dp_contract_relationship *rel) {
    struct check_field *fields[64];
    struct dp_buf text = {0};
    const char *type = "foreignKey";
    const struct dp_yaml_node *kind = dp_yaml_get(rel->node, "type");
    if (kind && kind->kind == DP_YAML_STRING) type = kind->text.p;
    for (size_t i = 0; i < rel->n; i++) dp_buf_addf(&text, "%s%s", i ? ", " : "a value that is in ", rel->to[i]);
    uint32_t rule = check_add_rule(c, rel->path, "foreignKey", f, "%s", dp_buf_z(&text));
    dp_buf_reset(&text);
    if (strcmp(type, "foreignKey") != 0 || !rel->n || rel->n > 64) {
        check_unsupported(c, rule, rel->n > 64 ? "a key of more than 64 properties" : "not a foreign key");
        goto out;
    }
    for (size_t i = 0; i < rel->n; i++) {
        fields[i] = rel->from ? find_reference(c, rel->from[i]) : f;
        if (!fields[i] || check_is_in_array(fields[i])) {
            check_unsupported(c, rule, fields[i] ? "a field inside an array is not looked up" : "`from` names no property of this object");
            goto out;
        }
        dp_buf_addf(&text, "%s%s", i ? "," : "", fields[i]->path);
        check_rule(c, rule)->is_classified |= fields[i]->is_classified;
    }
    if (!f) check_rule(c, rule)->property = dp_arena_strdup(&c->v->arena, dp_buf_z(&text));
    check_add_tuple(c, DP_TUPLE_FOREIGN, rel, fields, rel->n, rule);
out:
    dp_buf_release(&text);
    return DP_OK;
}

/*
 * The rules over one record.  Members are walked once; which property each is for is a plan that holds as long as records keep their keys, and a guess
 * (the next one in the contract's order) in nested objects.  Nothing is allocated for a record that keeps the rules.
 */
#include "check_priv.h"

#include <stdlib.h>

/* ---- what was broken ---- */

void check_break(struct dp_check_run *r, uint32_t rule, const struct check_field *f, uint32_t node, uint32_t box) {
    if (r->stamp[rule] == r->serial) {
        r->breaches[r->slot[rule]].more++;
        return;
    }
    r->stamp[rule] = r->serial;
    r->slot[rule] = (uint32_t)r->n_breaches;
    r->tally.count[rule]++;
    r->breaches = dp_grow(r->breaches, &r->cap_breaches, r->n_breaches + 1, sizeof *r->breaches);
    r->items = dp_grow(r->items, &r->cap_items, r->n_breaches + 1, sizeof *r->items);
    r->breaches[r->n_breaches] = (struct dp_check_breach){.rule = rule, .node = node, .item = (uint32_t)r->n_breaches};
    r->items[r->n_breaches++] = (struct check_item){.field = f, .box = box};
}

void check_undecided(struct dp_check_run *r, uint32_t rule, const char *why) {
    size_t n = strlen(why);
    if (n >= sizeof r->undecided) n = sizeof r->undecided - 1;
    memcpy(r->undecided, why, n);
    r->undecided[n] = 0;
    r->undecided_at = r->serial;
    r->undecided_rule = rule;
    r->tally.undecided[rule]++;
    if (r->tally.why != CHECK_NONE) return;
    r->tally.why = rule;
    memcpy(r->tally.error, r->undecided, sizeof r->tally.error);
}

/* ---- fields of an object ---- */

static inline uint64_t head_of(const char *p, size_t n) {
    uint64_t h;
    memcpy(&h, p, 8); /* records have bytes to read behind them, names of fields too */
    return n >= 8 ? h : n ? h & (~UINT64_C(0) >> (64 - 8 * n)) : 0;
}

static inline bool is_field(const struct check_field *f, const struct dp_record *rec, uint32_t key) {
    const struct dp_node *n = &rec->nodes[key];
    if (n->flags & DP_NODE_ESCAPED) return dp_json_equal(dp_node_str(rec, key), n->flags, dp_str(f->name, f->name_n));
    if (n->len != f->name_n || head_of(rec->base + n->off, n->len) != f->head) return false;
    return n->len <= 8 || memcmp(rec->base + n->off, f->name, n->len) == 0;
}

uint32_t check_object_find(const struct check_object *o, const struct dp_record *rec, uint32_t key, uint32_t guess) {
    if (!o->n) return CHECK_NONE;
    if (guess < o->n && is_field(o->children[guess], rec, key)) return guess;
    const struct dp_node *n = &rec->nodes[key];
    if (n->flags & DP_NODE_ESCAPED) {
        for (uint32_t i = 0; i < o->n; i++)
            if (is_field(o->children[i], rec, key)) return i;
        return CHECK_NONE;
    }
    size_t at = check_name_hash(head_of(rec->base + n->off, n->len), n->len);
    for (;; at++) {
        uint32_t i = o->slots[at & (o->n_slots - 1)];
        if (!i) return CHECK_NONE;
        if (is_field(o->children[i - 1], rec, key)) return i - 1;
    }
}

static void is_null(struct dp_check_run *r, const struct check_field *f, uint32_t node, uint32_t box) {
    for (size_t i = 0; i < f->n_null; i++) check_break(r, f->null_rules[i], f, node, box);
}

static void visit(struct dp_check_run *r, const struct check_field *f, uint32_t node, uint8_t lenient);

/* A nested object: fields in any order, those that are not there, those that are too many. */
static void visit_object(struct dp_check_run *r, const struct check_field *f, const struct check_object *o, uint32_t node) {
    const struct dp_record *rec = r->rec;
    uint64_t few = 0, *seen = &few;
    uint32_t guess = 0;
    if (o->n > 64) seen = dp_calloc(o->n / 64 + 1, 8);
    for (uint32_t k = node + 1; k < rec->nodes[node].next; k = rec->nodes[k].next) {
        uint32_t i = check_object_find(o, rec, k, guess);
        if (i == CHECK_NONE) {
            if (o->unknown_rule != CHECK_NONE) check_break(r, o->unknown_rule, f, k + 1, 0);
            continue;
        }
        guess = i + 1;
        seen[i / 64] |= UINT64_C(1) << i % 64;
        visit(r, o->children[i], k + 1, 0);
    }
    for (uint32_t i = 0; i < o->n; i++)
        if (!(seen[i / 64] >> i % 64 & 1)) is_null(r, o->children[i], 0, node);
    if (seen != &few) free(seen);
}

static void visit(struct dp_check_run *r, const struct check_field *f, uint32_t node, uint8_t lenient) {
    const struct dp_record *rec = r->rec;
    if (rec->nodes[node].kind == DP_KIND_NULL) {
        is_null(r, f, node, 0);
        return;
    }
    check_value(r, f, node, lenient);
    if (f->object && rec->nodes[node].kind == DP_KIND_OBJECT) {
        visit_object(r, f, f->object, node);
    } else if (f->items && f->logical == DP_LOGICAL_MAP && rec->nodes[node].kind == DP_KIND_OBJECT) {
        for (uint32_t k = node + 1; k < rec->nodes[node].next; k = rec->nodes[k].next) visit(r, f->items, k + 1, 0);
    } else if (f->items && f->logical != DP_LOGICAL_MAP && rec->nodes[node].kind == DP_KIND_ARRAY) {
        for (uint32_t i = node + 1; i < rec->nodes[node].next; i = rec->nodes[i].next) visit(r, f->items, i, 0);
    }
}

/* ---- the record itself ---- */

/* A field that no rule looks at needs no visit. */
static bool minds(const struct check_field *f) {
    return f->type_rule != CHECK_NONE || f->n_ops || f->n_null || f->object || f->items;
}

static void make_plan(struct dp_check_run *r) {
    const struct check_object *o = r->k->top;
    const struct dp_record *rec = r->rec;
    uint32_t guess = 0, k = 1;
    if (rec->n_members > r->cap_plan) r->plan = dp_grow(r->plan, &r->cap_plan, rec->n_members, sizeof *r->plan);
    uint8_t *seen = r->tally.seen; /* of all records; this one's are marked with bit 1 */
    r->has_unknown = false;
    for (size_t i = 0; i < o->n; i++) seen[i] &= 1;
    for (uint32_t m = 0; m < rec->n_members; m++, k = rec->nodes[k].next) {
        uint32_t i = check_object_find(o, rec, k, guess);
        if (i != CHECK_NONE && (seen[i] & 2)) i = CHECK_NONE; /* the first of equal keys counts */
        r->plan[m] = i != CHECK_NONE && minds(o->children[i]) ? o->children[i] : NULL;
        if (i == CHECK_NONE) r->has_unknown = true;
        else seen[i] = 3, guess = i + 1;
    }
    r->n_plan = rec->n_members;
    r->n_absent = 0;
    for (size_t i = 0; i < o->n; i++)
        if (!(seen[i] & 2) && o->children[i]->n_null) r->absent[r->n_absent++] = o->children[i];
    r->planned = true;
}

static void find_unknown(struct dp_check_run *r) {
    const struct check_object *o = r->k->top;
    uint32_t k = 1;
    for (uint32_t m = 0; m < r->rec->n_members; m++, k = r->rec->nodes[k].next)
        if (check_object_find(o, r->rec, k, 0) == CHECK_NONE) check_break(r, o->unknown_rule, NULL, k + 1, 0);
}

static enum dp_status ask_expressions(struct dp_check_run *r, struct dp_err *err) {
    for (size_t i = 0; i < r->k->n_exprs; i++) {
        const struct check_expr *x = &r->k->exprs[i];
        struct dp_err own; /* of failures only */
        bool yes = false;
        if (!r->exprs[i]) r->exprs[i] = dp_expr_run_open(x->expr);
        enum dp_status status = dp_expr_test(r->exprs[i], r->rec, &yes, &own);
        if (status == DP_RECORD) {
            check_undecided(r, x->rule, r->k->is_classified || r->any_hidden ? "it errs on this record" : own.msg); /* the message may hold a value */
        } else if (status != DP_OK) {
            if (err) *err = own;
            return status;
        }
        if (!yes || status == DP_RECORD) check_break(r, x->rule, NULL, 0, 0);
    }
    return DP_OK;
}

enum dp_status dp_check_record(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach **breaches, size_t *n, struct dp_err *err) {
    r->rec = rec;
    r->serial++;
    r->n_breaches = 0;
    r->tally.records++;
    if (!rec->same_keys || !r->planned || r->n_plan != rec->n_members) make_plan(r);
    uint32_t k = 1;
    for (uint32_t m = 0; m < r->n_plan; m++) {
        const struct check_field *f = r->plan[m];
        if (f) visit(r, f, k + 1, r->lenient[f->index]);
        k = rec->nodes[k + 1].next;
    }
    for (size_t i = 0; i < r->n_absent; i++) is_null(r, r->absent[i], 0, 0);
    if (r->has_unknown && r->k->top->unknown_rule != CHECK_NONE) find_unknown(r);
    if (r->k->n_exprs) DP_TRY(ask_expressions(r, err));
    *breaches = r->breaches;
    *n = r->n_breaches;
    return DP_OK;
}

void dp_check_break_tuple(struct dp_check_run *r, const struct dp_check_tuple *t, const struct dp_check_breach **breaches, size_t *n) {
    uint32_t node = t->n_paths ? dp_path_find(&t->paths[0], NULL, r->rec) : 0;
    for (size_t i = 0; i < t->n_rules; i++) check_break(r, t->rules[i], NULL, node, 0);
    *breaches = r->breaches;
    *n = r->n_breaches;
}

/* ---- the run ---- */

static void tally_open(struct dp_check_tally *t, size_t rules, size_t seen) {
    t->n = rules;
    t->n_seen = seen;
    t->count = dp_calloc(rules + 1, sizeof *t->count);
    t->undecided = dp_calloc(rules + 1, sizeof *t->undecided);
    t->low = dp_calloc(rules + 1, sizeof *t->low);
    t->high = dp_calloc(rules + 1, sizeof *t->high);
    t->seen = dp_calloc(seen + 1, 1);
}

static void tally_clear(struct dp_check_tally *t) {
    t->records = 0;
    t->n_samples = 0;
    t->why = CHECK_NONE;
    memset(t->count, 0, t->n * sizeof *t->count);
    memset(t->undecided, 0, t->n * sizeof *t->undecided);
    memset(t->seen, 0, t->n_seen);
    for (size_t i = 0; i < t->n; i++) t->low[i] = INT64_MAX, t->high[i] = INT64_MIN;
}

void dp_check_tally_release(struct dp_check_tally *t) {
    free(t->count);
    free(t->undecided);
    free(t->samples);
    free(t->low);
    free(t->high);
    free(t->seen);
    *t = (struct dp_check_tally){0};
}

void dp_check_take(struct dp_check_run *r, struct dp_check_tally *t) {
    if (!t->count) tally_open(t, r->k->n_rules, r->k->top->n);
    tally_clear(t);
    struct dp_check_tally was = r->tally;
    r->tally = *t;
    *t = was;
    r->planned = false; /* the next record says anew which fields it has */
}

struct dp_check_run *dp_check_run_open(const struct dp_check *k) {
    struct dp_check_run *r = dp_calloc(1, sizeof *r);
    r->k = k;
    r->absent = dp_calloc(k->top->n + 1, sizeof *r->absent);
    r->lenient = dp_calloc(k->top->n + 1, 1);
    r->stamp = dp_calloc(k->n_rules + 1, sizeof *r->stamp);
    r->slot = dp_calloc(k->n_rules + 1, sizeof *r->slot);
    r->taken = dp_calloc(k->n_rules + 1, 1);
    r->exprs = dp_calloc(k->n_exprs + 1, sizeof(struct dp_expr_run *));
    r->patterns = dp_pattern_run_open();
    tally_open(&r->tally, k->n_rules, k->top->n);
    tally_clear(&r->tally);
    return r;
}

void dp_check_run_close(struct dp_check_run *r) {
    if (!r) return;
    for (size_t i = 0; i < r->k->n_exprs; i++)
        if (r->exprs[i]) dp_expr_run_close(r->exprs[i]);
    free(r->exprs);
    dp_pattern_run_close(r->patterns);
    dp_check_tally_release(&r->tally);
    free(r->plan);
    free(r->absent);
    free(r->lenient);
    free(r->stamp);
    free(r->slot);
    free(r->taken);
    free(r->hidden);
    free(r->breaches);
    free(r->items);
    dp_buf_release(&r->text);
    dp_buf_release(&r->words);
    free(r);
}

/* ---- types that the source tells ---- */

/* What JSON form a column has; NULL: any. */
static const char *form_of(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_NONE:
    case DP_TYPE_JSON: return NULL;
    case DP_TYPE_BOOLEAN: return "boolean";
    case DP_TYPE_LIST: return "array";
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: return "object";
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32:
    case DP_TYPE_UINT64: case DP_TYPE_FLOAT16: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: return "number";
    case DP_TYPE_DATE: return "date";
    case DP_TYPE_TIME: return "time";
    case DP_TYPE_TIMESTAMP: return "timestamp";
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_FIXED: case DP_TYPE_UUID: case DP_TYPE_INTERVAL: return "string";
    }
    return NULL;
}

static const char *const logical_words[] = {"", "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map"};

/* Can values of that form be what the property says?  A string may hold a time: then the values tell. */
static bool can_hold(const struct check_field *f, const char *form) {
    bool is_time = !strcmp(form, "date") || !strcmp(form, "time") || !strcmp(form, "timestamp");
    switch (f->logical) {
    case DP_LOGICAL_NONE: return true;
    case DP_LOGICAL_STRING: return is_time || !strcmp(form, "string");
    case DP_LOGICAL_DATE:
    case DP_LOGICAL_TIMESTAMP:
    case DP_LOGICAL_TIME:
        return !strcmp(form, "string") || (is_time && (f->any_time || f->timeform || !strcmp(form, logical_words[f->logical])));
    case DP_LOGICAL_NUMBER:
    case DP_LOGICAL_INTEGER: return !strcmp(form, "number");
    case DP_LOGICAL_OBJECT: return !strcmp(form, "object");
    case DP_LOGICAL_MAP: return !strcmp(form, "object") || !strcmp(form, "array");
    case DP_LOGICAL_ARRAY: return !strcmp(form, "array");
    case DP_LOGICAL_BOOLEAN: return !strcmp(form, "boolean");
    }
    return true;
}

enum dp_status dp_check_types(struct dp_check_run *r, const struct dp_type *schema, const char *who, struct dp_err *err) {
    const struct check_object *o = r->k->top;
    memset(r->lenient, 0, o->n);
    for (size_t i = 0; schema && i < o->n; i++) {
        const struct check_field *f = o->children[i];
        const struct dp_type *t = dp_type_child(schema, dp_str(f->name, f->name_n));
        if (!t) continue;
        const char *form = form_of(t);
        if (form && !can_hold(f, form)) {
            struct dp_buf text = {0};
            dp_type_print(t, &text);
            dp_err_set(err, DP_SCHEMA, "column %.80s: the contract says %s, %.100s says %.100s", f->name, logical_words[f->logical], who, dp_buf_z(&text));
            dp_buf_release(&text);
            return DP_SCHEMA;
        }
        if (t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE) r->lenient[i] = 1;
        if (t->id == DP_TYPE_DECIMAL) r->lenient[i] = 2;
    }
    return DP_OK;
}

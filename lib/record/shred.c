/*
 * Records to columns: one record becomes one row, or nothing does.  Members find their column by the name that followed
 * the one before last time; a value that does not fit takes back what its record had appended.
 */
#include "shred_priv.h"

#include <dp/base/num.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_STRANGE_NAMES 4096 /* names outside the schema that are remembered for prediction */

/* ---- why a record does not fit ---- */

static void why_path_prefix(struct dp_shred_reject *why, const char *p, size_t n) {
    size_t have = strlen(why->path), dot = have && why->path[0] != '[';
    size_t cap = sizeof why->path - 1;
    if (n > cap) n = cap;
    if (n + dot > cap) dot = 0;
    if (have > cap - n - dot) have = cap - n - dot;
    memmove(why->path + n + dot, why->path, have);
    if (n) memcpy(why->path, p, n);
    if (dot) why->path[n] = '.';
    why->path[n + dot + have] = 0;
}

/* Cut at 40 bytes, but not inside a character. */
static size_t cut_text(struct dp_str s) {
    if (s.n <= 40) return s.n;
    size_t n = 40;
    while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return n;
}

static void type_text(const struct dp_type *t, char *out, size_t cap) {
    struct dp_buf b = {0};
    dp_type_print_leaf(t, &b);
    snprintf(out, cap, "%s", dp_buf_z(&b));
    dp_buf_release(&b);
}

bool dp_shred_misfit(struct dp_shred *s, const struct dp_type *t, const char *rule, const struct dp_record *r, uint32_t node) {
    struct dp_shred_reject *why = s->why;
    const struct dp_node *n = &r->nodes[node];
    struct dp_str v = dp_node_str(r, node);
    size_t cut = cut_text(v);
    const char *quote = n->kind == DP_KIND_STRING ? "\"" : "", *more = cut < v.n ? "..." : "";
    why->path[0] = 0;
    why->rule = rule;
    type_text(t, why->expected, sizeof why->expected);
    if (n->kind == DP_KIND_OBJECT || n->kind == DP_KIND_ARRAY)
        snprintf(why->reason, sizeof why->reason, "expected %s, got %s", why->expected,
                 n->kind == DP_KIND_OBJECT ? "an object" : "an array");
    else
        snprintf(why->reason, sizeof why->reason, "expected %s, got %s%.*s%s%s", why->expected, quote, (int)cut, v.p, more, quote);
    return false;
}

static bool missing(struct dp_shred *s, const struct dp_type *t, const char *what) {
    struct dp_shred_reject *why = s->why;
    why->path[0] = 0;
    why->rule = "required";
    type_text(t, why->expected, sizeof why->expected);
    snprintf(why->reason, sizeof why->reason, "required, but %s", what);
    return false;
}

static bool refuse_name(struct dp_shred *s, const char *rule, const char *what, const char *expected, struct dp_str name) {
    struct dp_shred_reject *why = s->why;
    why->path[0] = 0;
    why->rule = rule;
    snprintf(why->expected, sizeof why->expected, "%s", expected);
    snprintf(why->reason, sizeof why->reason, "%s \"%.*s\"", what, (int)cut_text(name), name.p);
    why_path_prefix(why, name.p, cut_text(name));
    return false;
}

/* ---- one value, null or not ---- */

/* What dp_column_append_null does, without its calls where the bitmap is there already. */
static void append_null(struct dp_column *c) {
    size_t width = dp_type_width(c->type);
    bool room = c->validity && (size_t)(c->length >> 3) < c->validity_cap;
    if (room && width && c->data_cap - c->data_n >= width) {
        memset(c->data + c->data_n, 0, width);
        c->data_n += width;
    } else if (room && dp_type_is_bytes(c->type) && c->offsets_cap >= ((size_t)c->length + 2) * 4) {
        c->offsets[c->length + 1] = c->offsets[c->length];
    } else {
        dp_column_append_null(c);
        return;
    }
    dp_bit_put(c->validity, c->length, false);
    c->length++;
    c->null_count++;
}

static inline bool append_value(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    if (r->nodes[node].kind != DP_KIND_NULL) return p->append(s, p, c, r, node);
    if (!p->type->nullable) return missing(s, p->type, "null");
    append_null(c);
    return true;
}

/* ---- members ---- */

static inline uint64_t load8(const char *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* p has 16 readable bytes. */
static inline bool same_name(const struct shred_name *name, const char *p, uint32_t n) {
    uint64_t differ = ((load8(p) ^ name->head[0]) & name->mask[0]) | ((load8(p + 8) ^ name->head[1]) & name->mask[1]);
    return name->n == n && !differ && (n <= 16 || memcmp(name->text + 16, p + 16, n - 16) == 0);
}

static uint32_t add_name(struct dp_shred *s, struct shred_plan *p, struct dp_str name, uint32_t child) {
    bool is_new;
    struct dp_map_item *item = dp_map_put(&p->by_name, name, &is_new);
    if (!is_new) return (uint32_t)item->v.u;
    char *text = dp_arena_calloc(&s->arena, 1, name.n + 16);
    if (name.n) memcpy(text, name.p, name.n);
    p->names = dp_grow(p->names, &p->names_cap, p->n_names + 1, sizeof *p->names);
    item->v.u = p->n_names;
    struct shred_name *x = &p->names[p->n_names];
    *x = (struct shred_name){.text = text, .n = (uint32_t)name.n, .child = child, .successor = (uint32_t)p->n_names + 1};
    memcpy(x->head, text, 16); /* zeros behind the name: calloc */
    memset(x->mask, 0xff, name.n < 16 ? name.n : 16);
    return (uint32_t)p->n_names++;
}

/* The name's index, NO_NAME for one that is neither known nor worth keeping. */
static uint32_t find_name(struct dp_shred *s, struct shred_plan *p, struct dp_str raw, uint8_t flags) {
    if (flags & DP_NODE_ESCAPED) {
        dp_buf_reset(&s->scratch);
        dp_json_decode(raw, &s->scratch);
        raw = dp_buf_str(&s->scratch);
    }
    struct dp_map_item *item = dp_map_get(&p->by_name, raw);
    if (item) return (uint32_t)item->v.u;
    if (p->n_names >= p->n_children + MAX_STRANGE_NAMES) return NO_NAME;
    return add_name(s, p, raw, NO_NAME);
}

/* Index of the member's name; *link is where the prediction for it is kept. */
static inline uint32_t member_name(struct dp_shred *s, struct shred_plan *p, uint32_t previous, const struct dp_record *r, uint32_t key) {
    const struct dp_node *k = &r->nodes[key];
    const char *text = r->base + k->off;
    uint32_t guess = previous == NO_NAME ? p->first : p->names[previous].successor;
    if (guess < p->n_names && !(k->flags & DP_NODE_ESCAPED) && same_name(&p->names[guess], text, k->len)) return guess;
    uint32_t at = find_name(s, p, dp_str(text, k->len), k->flags);
    if (at == NO_NAME) return at;
    if (previous == NO_NAME) p->first = at;
    else p->names[previous].successor = at;
    return at;
}

static bool fill_absent(struct dp_shred *s, struct shred_plan *p, struct dp_column *columns, int64_t row) {
    for (size_t i = 0; i < p->n_children; i++) {
        if (columns[i].length != row) continue;
        const struct dp_type *t = p->children[i].type;
        if (!t->nullable) {
            missing(s, t, "absent");
            why_path_prefix(s->why, t->name, t->name_n);
            return false;
        }
        append_null(&columns[i]);
    }
    return true;
}

static bool append_members(struct dp_shred *s, struct shred_plan *p, struct dp_column *columns, int64_t row, const struct dp_record *r,
                           uint32_t object) {
    size_t seen = 0;
    uint32_t previous = NO_NAME;
    for (uint32_t i = object + 1, end = r->nodes[object].next; i < end; i = r->nodes[i].next) {
        uint32_t at = member_name(s, p, previous, r, i);
        uint32_t child = at == NO_NAME ? NO_NAME : p->names[at].child;
        if (at != NO_NAME) previous = at;
        if (child == NO_NAME) {
            if (s->closed) return refuse_name(s, "unknown-field", "the schema has no field", "a field of the schema", dp_node_str(r, i));
            s->unknown++;
            continue;
        }
        struct dp_column *c = &columns[child];
        if (c->length != row) return refuse_name(s, "duplicate-key", "duplicate key", "each key once", dp_node_str(r, i));
        if (!append_value(s, &p->children[child], c, r, i + 1)) {
            why_path_prefix(s->why, p->names[at].text, p->names[at].n);
            return false;
        }
        seen++;
    }
    return seen == p->n_children || fill_absent(s, p, columns, row);
}

/* ---- containers ---- */

static bool append_struct(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    if (r->nodes[node].kind != DP_KIND_OBJECT) return dp_shred_misfit(s, p->type, "type", r, node);
    if (!append_members(s, p, c->children, c->length, r, node)) return false;
    shred_push(c);
    return true;
}

static bool close_list(struct dp_shred *s, struct dp_column *c) {
    if (c->children[0].length > INT32_MAX) return s->full = true, false;
    shred_room_offset(c);
    c->offsets[c->length + 1] = (int32_t)c->children[0].length;
    shred_push(c);
    return true;
}

static bool append_list(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    if (r->nodes[node].kind != DP_KIND_ARRAY) return dp_shred_misfit(s, p->type, "type", r, node);
    for (uint32_t i = node + 1, end = r->nodes[node].next; i < end; i = r->nodes[i].next) {
        if (append_value(s, &p->children[0], &c->children[0], r, i)) continue;
        why_path_prefix(s->why, "[]", 2);
        return false;
    }
    return close_list(s, c);
}

/* An object's member names are strings: the key column takes them as a string value would be. */
static bool append_map_object(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    for (uint32_t i = node + 1, end = r->nodes[node].next; i < end; i = r->nodes[i].next) {
        if (append_value(s, &p->children[0], &c->children[0], r, i) && append_value(s, &p->children[1], &c->children[1], r, i + 1))
            continue;
        struct dp_str k = dp_node_str(r, i);
        why_path_prefix(s->why, k.p, cut_text(k));
        return false;
    }
    return close_list(s, c);
}

static bool append_map_entry(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    uint32_t key = 0, value = 0, end = r->nodes[node].next;
    if (r->nodes[node].kind == DP_KIND_OBJECT) {
        for (uint32_t i = node + 1; i < end; i = r->nodes[i].next) {
            const struct dp_node *n = &r->nodes[i];
            if (dp_json_equal(dp_node_str(r, i), n->flags, DP_STR("key"))) key = i + 1;
            else if (dp_json_equal(dp_node_str(r, i), n->flags, DP_STR("value"))) value = i + 1;
            else return refuse_name(s, "unknown-field", "a map entry has no field", "key and value", dp_node_str(r, i));
        }
    }
    if (!key) return dp_shred_misfit(s, p->type, "type", r, node);
    if (!append_value(s, &p->children[0], &c->children[0], r, key)) return false;
    if (value) return append_value(s, &p->children[1], &c->children[1], r, value);
    if (!p->children[1].type->nullable) return missing(s, p->children[1].type, "absent");
    append_null(&c->children[1]);
    return true;
}

static bool append_map(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    uint8_t kind = r->nodes[node].kind;
    enum dp_type_id key = p->children[0].type->id;
    if (kind == DP_KIND_OBJECT && (key == DP_TYPE_STRING || key == DP_TYPE_ENUM)) return append_map_object(s, p, c, r, node);
    if (kind != DP_KIND_ARRAY) return dp_shred_misfit(s, p->type, "type", r, node);
    for (uint32_t i = node + 1, end = r->nodes[node].next; i < end; i = r->nodes[i].next) {
        if (append_map_entry(s, p, c, r, i)) continue;
        why_path_prefix(s->why, "[]", 2);
        return false;
    }
    return close_list(s, c);
}

/* ---- opening and records ---- */

static void make_plan(struct dp_shred *s, struct shred_plan *p, const struct dp_type *t) {
    p->type = t;
    dp_shred_plan_leaf(p);
    if (t->id == DP_TYPE_STRUCT) p->append = append_struct;
    else if (t->id == DP_TYPE_LIST) p->append = append_list;
    else if (t->id == DP_TYPE_MAP) p->append = append_map;
    if (!t->n_children) return;
    p->children = dp_calloc(t->n_children, sizeof *p->children);
    p->n_children = t->n_children;
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        make_plan(s, &p->children[i], c);
        if (t->id == DP_TYPE_STRUCT) add_name(s, p, dp_str(c->name, c->name_n), (uint32_t)i);
    }
}

static void free_plan(struct shred_plan *p) {
    for (size_t i = 0; i < p->n_children; i++) free_plan(&p->children[i]);
    free(p->children);
    free(p->names);
    dp_map_release(&p->by_name);
}

struct dp_shred *dp_shred_open(const struct dp_type *schema, bool closed) {
    struct dp_shred *s = dp_calloc(1, sizeof *s);
    s->schema = schema;
    s->closed = closed;
    make_plan(s, &s->root, schema);
    return s;
}

void dp_shred_close(struct dp_shred *s) {
    if (!s) return;
    free_plan(&s->root);
    dp_arena_release(&s->arena);
    dp_buf_release(&s->text);
    dp_buf_release(&s->scratch);
    free(s);
}

uint64_t dp_shred_unknown(const struct dp_shred *s) { return s->unknown; }

static enum dp_status take_back(struct dp_shred *s, struct dp_batch *b, uint64_t unknown) {
    for (size_t i = 0; i < b->n_columns; i++) dp_column_truncate(&b->columns[i], b->length);
    s->unknown = unknown;
    if (!s->full) return DP_RECORD;
    s->why->rule = "limit";
    snprintf(s->why->reason, sizeof s->why->reason, "a column of the batch would pass 2 GiB");
    return DP_LIMIT;
}

enum dp_status dp_shred_record(struct dp_shred *s, const struct dp_record *r, struct dp_batch *b, struct dp_shred_reject *why) {
    uint64_t unknown = s->unknown;
    s->why = why;
    s->full = false;
    if (r->duplicate_keys) {
        refuse_name(s, "duplicate-key", "duplicate key", "each key once", dp_node_str(r, r->dup_node));
        return DP_RECORD;
    }
    if (!append_members(s, &s->root, b->columns, b->length, r, 0)) return take_back(s, b, unknown);
    b->length++;
    return DP_OK;
}

/*
 * A record through a mask, in place: bytes between the values that a rule touches are copied as they stand.  Names are compared decoded, so that no spelling of
 * a name passes its rule by; a value of another form than the contract's is never looked into and never passes.
 */
#include "mask_priv.h"

#include <stdlib.h>
#include <xxhash.h>

enum dp_kind dp_mask_form(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_NONE:
    case DP_TYPE_JSON:
    case DP_TYPE_MAP: return DP_KIND_NONE;
    case DP_TYPE_BOOLEAN: return DP_KIND_TRUE;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
    case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32: case DP_TYPE_UINT64:
    case DP_TYPE_FLOAT16: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
    case DP_TYPE_DECIMAL: return DP_KIND_NUMBER;
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_FIXED: case DP_TYPE_UUID:
    case DP_TYPE_DATE: case DP_TYPE_TIME: case DP_TYPE_TIMESTAMP:
    case DP_TYPE_INTERVAL: return DP_KIND_STRING;
    case DP_TYPE_LIST: return DP_KIND_ARRAY;
    case DP_TYPE_STRUCT: return DP_KIND_OBJECT;
    }
    return DP_KIND_NONE;
}

const char *dp_mask_form_name(enum dp_kind k) {
    switch (k) {
    case DP_KIND_NONE: return "a value";
    case DP_KIND_NULL: return "null";
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: return "a boolean";
    case DP_KIND_NUMBER: return "a number";
    case DP_KIND_STRING: return "a string";
    case DP_KIND_OBJECT: return "an object";
    case DP_KIND_ARRAY: return "an array";
    }
    return "a value";
}

/* ---- the run ---- */

struct dp_mask_run *dp_mask_run_open(const struct dp_mask *m) {
    struct dp_mask_run *r = dp_calloc(1, sizeof *r);
    r->mask = m;
    if (m->n_keyed) r->memory = dp_calloc(MASK_REMEMBERED, sizeof *r->memory);
    return r;
}

static void wipe_buf(struct dp_buf *b) {
    if (b->p) dp_wipe(b->p, b->cap);
    dp_buf_release(b);
}

void dp_mask_run_close(struct dp_mask_run *r) {
    if (!r) return;
    if (r->memory) dp_wipe(r->memory, MASK_REMEMBERED * sizeof *r->memory);
    free(r->memory);
    wipe_buf(&r->scratch);
    wipe_buf(&r->decoded);
    wipe_buf(&r->lines);
    wipe_buf(&r->masked);
    dp_scan_close(r->scan);
    free(r->top);
    free(r);
}

void dp_mask_run_reset(struct dp_mask_run *r) { r->top_known = false; }

/* ---- values ---- */

static const char *remembered(struct dp_mask_run *r, const struct mask_node *n, struct mask_value v, struct mask_result *out) {
    if (v.text.n > MASK_REMEMBERED_IN) return n->rule.technique->apply(n, &r->scratch, v, out);
    struct mask_memory *m = &r->memory[(XXH3_64bits(v.text.p, v.text.n) + (uintptr_t)n / sizeof *n) % MASK_REMEMBERED];
    if (m->node == n && m->n == v.text.n && memcmp(m->in, v.text.p, v.text.n) == 0) {
        *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = dp_str(m->out, m->out_n)};
        return NULL;
    }
    const char *why = n->rule.technique->apply(n, &r->scratch, v, out);
    if (why || out->text.n > MASK_REMEMBERED_OUT) return why;
    m->node = n;
    m->n = (uint32_t)v.text.n, m->out_n = (uint32_t)out->text.n;
    if (m->n) memcpy(m->in, v.text.p, m->n);
    if (m->out_n) memcpy(m->out, out->text.p, m->out_n);
    return NULL;
}

const char *dp_mask_value(struct dp_mask_run *r, const struct mask_node *n, struct mask_value v, struct mask_result *out) {
    const struct dp_mask_technique *t = n->rule.technique;
    const char *why = NULL;
    if (!t->apply) *out = (struct mask_result){.kind = DP_KIND_NULL};
    else if (t->keyed && v.kind == DP_KIND_STRING) why = remembered(r, n, v, out);
    else why = t->apply(n, &r->scratch, v, out);
    if (why && n->rule.or_null) *out = (struct mask_result){.kind = DP_KIND_NULL}, why = NULL;
    return why;
}

static void put(struct dp_buf *b, const struct mask_result *v) {
    switch (v->kind) {
    case DP_KIND_STRING: {
        if (!v->plain) return dp_json_add_string(b, v->text);
        char *o = dp_buf_reserve(b, v->text.n + 2);
        *o++ = '"';
        if (v->text.n) memcpy(o, v->text.p, v->text.n);
        o[v->text.n] = '"';
        b->n += v->text.n + 2;
        return;
    }
    case DP_KIND_NULL: dp_buf_add(b, "null", 4); return;
    case DP_KIND_NONE:
    case DP_KIND_FALSE:
    case DP_KIND_TRUE:
    case DP_KIND_NUMBER:
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: dp_buf_adds(b, v->text); return;
    }
}

/* ---- the walk ---- */

static enum dp_status refuse(struct dp_mask_run *r, const char *rule, const char *path, const char *expected, const char *reason) {
    struct dp_mask_reject *w = r->why;
    w->rule = rule;
    w->expected = expected;
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(w->reason, sizeof w->reason, "%s", reason);
    return DP_RECORD;
}

static inline size_t value_start(const struct dp_node *v) { return v->off - (v->kind == DP_KIND_STRING); }
static inline size_t value_end(const struct dp_node *v) { return (size_t)v->off + v->len + (v->kind == DP_KIND_STRING); }

static inline void copy_to(struct dp_mask_run *r, size_t at) {
    dp_buf_add(r->out, r->rec->base + r->cursor, at - r->cursor);
    r->cursor = at;
}

static enum dp_status wrong_form(struct dp_mask_run *r, const struct mask_node *n, enum dp_kind got) {
    char reason[100];
    const char *want = dp_mask_form_name(dp_mask_form(n->type));
    (void)snprintf(reason, sizeof reason, "expected %s, got %s", want, dp_mask_form_name(got));
    return refuse(r, "type", n->path, want, reason);
}

static bool has_form(const struct dp_type *t, enum dp_kind got) {
    enum dp_kind want = dp_mask_form(t);
    if (want == DP_KIND_NONE || want == got || (want == DP_KIND_TRUE && got == DP_KIND_FALSE)) return true;
    bool floating = t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE;
    return floating && got == DP_KIND_STRING; /* "NaN"; the technique looks */
}

static enum dp_status apply(struct dp_mask_run *r, const struct mask_node *n, const struct dp_node *v) {
    struct mask_value value = {(enum dp_kind)v->kind, dp_str(r->rec->base + v->off, v->len)};
    struct mask_result result;
    if (v->kind == DP_KIND_NULL) return DP_OK;
    if (!n->rule.technique->any_form && !has_form(n->type, value.kind)) return wrong_form(r, n, value.kind);
    if (value.kind == DP_KIND_STRING && (v->flags & DP_NODE_ESCAPED) && !n->rule.technique->any_form) {
        dp_buf_reset(&r->decoded);
        dp_json_decode(value.text, &r->decoded);
        value.text = dp_buf_str(&r->decoded);
    }
    const char *why = dp_mask_value(r, n, value, &result);
    if (why) {
        char reason[200];
        (void)snprintf(reason, sizeof reason, "%s: %s (%s of %zu bytes)", n->rule.technique->name, why, dp_mask_form_name(value.kind), value.text.n);
        return refuse(r, "mask", n->path, n->rule.technique->takes, reason);
    }
    copy_to(r, value_start(v));
    put(r->out, &result);
    r->cursor = value_end(v);
    return DP_OK;
}

const struct mask_node *dp_mask_child(const struct mask_node *n, struct dp_str name, size_t guess) {
    if (guess < n->n_children && n->children[guess].name_n == name.n && memcmp(n->children[guess].name, name.p, name.n) == 0) return &n->children[guess];
    if (n->by_name) {
        const struct dp_map_item *it = dp_map_get(n->by_name, name);
        return it ? &n->children[it->v.u] : NULL;
    }
    for (size_t i = 0; i < n->n_children; i++)
        if (n->children[i].name_n == name.n && memcmp(n->children[i].name, name.p, name.n) == 0) return &n->children[i];
    return NULL;
}

static const struct mask_node *child_of(struct dp_mask_run *r, const struct mask_node *n, uint32_t key, size_t guess) {
    const struct dp_node *k = &r->rec->nodes[key];
    struct dp_str name = dp_str(r->rec->base + k->off, k->len);
    if (k->flags & DP_NODE_ESCAPED) {
        dp_buf_reset(&r->decoded);
        dp_json_decode(name, &r->decoded);
        name = dp_buf_str(&r->decoded);
    }
    return dp_mask_child(n, name, guess);
}

static enum dp_status walk(struct dp_mask_run *r, const struct mask_node *n, uint32_t at);

static enum dp_status unknown_field(struct dp_mask_run *r, const struct mask_node *n, uint32_t key) {
    struct dp_buf path = {0};
    if (*n->path) dp_buf_addf(&path, "%s.", n->path);
    dp_json_decode(dp_node_str(r->rec, key), &path);
    enum dp_status status = refuse(r, "unknown-field", dp_buf_z(&path), "a field of the contract", "the contract does not know this field");
    dp_buf_release(&path);
    return status;
}

/* Takes a member out, with one of the commas beside it.  *kept_end: where the output ends behind the latest member that stays, 0: none. */
static void drop_member(struct dp_mask_run *r, uint32_t key, uint32_t next, uint32_t end, size_t kept_end) {
    const struct dp_node *nodes = r->rec->nodes;
    copy_to(r, (size_t)nodes[key].off - 1);
    if (next < end) {
        r->cursor = (size_t)nodes[next].off - 1;
    } else {
        if (kept_end) r->out->n = kept_end;
        r->cursor = value_end(&nodes[key + 1]);
    }
}

static enum dp_status into_object(struct dp_mask_run *r, const struct mask_node *n, uint32_t at) {
    const struct dp_node *nodes = r->rec->nodes;
    /* the names are those of the line before, and that line was ours */
    const bool is_top = at == 0, known = is_top && r->top_known && r->rec->same_keys && r->rec->index == r->next_index;
    uint32_t end = nodes[at].next;
    size_t kept_end = 0, i = 0;
    if (is_top) r->top_known = false;
    for (uint32_t key = at + 1, next; key < end; key = next, i++) {
        const struct mask_node *c = known ? r->top[i] : child_of(r, n, key, i);
        next = nodes[key + 1].next;
        if (is_top && !known) {
            r->top = dp_grow(r->top, &r->top_cap, i + 1, sizeof *r->top);
            r->top[i] = c;
        }
        if (!c && r->mask->unknown == DP_MASK_UNKNOWN_FAIL) return unknown_field(r, n, key);
        enum mask_act act = c ? c->act : r->mask->unknown == DP_MASK_UNKNOWN_DROP ? MASK_DROP : MASK_KEEP;
        switch (act) {
        case MASK_KEEP: break;
        case MASK_APPLY: DP_TRY(apply(r, c, &nodes[key + 1])); break;
        case MASK_INTO: DP_TRY(walk(r, c, key + 1)); break;
        case MASK_DROP: drop_member(r, key, next, end, kept_end); continue;
        }
        kept_end = r->out->n + (value_end(&nodes[key + 1]) - r->cursor);
    }
    if (is_top) r->top_known = true, r->next_index = r->rec->index + 1;
    return DP_OK;
}

static enum dp_status into_array(struct dp_mask_run *r, const struct mask_node *n, uint32_t at) {
    const struct dp_node *nodes = r->rec->nodes;
    for (uint32_t i = at + 1; i < nodes[at].next; i = nodes[i].next) {
        if (n->items->act == MASK_APPLY) DP_TRY(apply(r, n->items, &nodes[i]));
        else DP_TRY(walk(r, n->items, i));
    }
    return DP_OK;
}

static enum dp_status walk(struct dp_mask_run *r, const struct mask_node *n, uint32_t at) {
    enum dp_kind kind = (enum dp_kind)r->rec->nodes[at].kind;
    if (kind == DP_KIND_NULL) return DP_OK;
    if (kind != dp_mask_form(n->type)) return wrong_form(r, n, kind);
    return kind == DP_KIND_OBJECT ? into_object(r, n, at) : into_array(r, n, at);
}

enum dp_status dp_mask_record(struct dp_mask_run *r, const struct dp_record *rec, struct dp_buf *out, struct dp_mask_reject *why) {
    size_t start = out->n;
    r->rec = rec;
    r->out = out;
    r->why = why;
    r->cursor = (size_t)(rec->raw - rec->base);
    dp_buf_reserve(out, rec->raw_n + 256);
    enum dp_status status = into_object(r, &r->mask->root, 0);
    if (status != DP_OK) {
        out->n = start;
        return status;
    }
    copy_to(r, (size_t)(rec->raw - rec->base) + rec->raw_n);
    dp_buf_addc(out, '\n');
    return DP_OK;
}

/* Records of a join's other source to entries: key, time, and the text of the members that they add (join_load.h). */
#include "join_load.h"

#include <dp/rules/check.h>

#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { SEEN = 256 };

void join_parsed_release(struct join_parsed *p) {
    free(p->v), free(p->found);
    dp_buf_release(&p->text);
    dp_map_release(&p->shapes);
    *p = (struct join_parsed){0};
}

void join_parser_open(struct join_parser *p, const struct join_spec *s, uint64_t seed, uint64_t max_record) {
    *p = (struct join_parser){.spec = s, .seed = seed};
    p->scan = dp_scan_open(max_record, DP_SCAN_AUTO);
    p->hints = dp_calloc(s->n_keys + 1, sizeof *p->hints);
    p->take_hints = dp_calloc(s->n_take + 1, sizeof *p->take_hints);
    p->takes = dp_calloc(s->n_take + 1, sizeof *p->takes);
    for (size_t i = 0; i < s->n_take; i++) dp_path_key(&p->takes[i], dp_str_z(s->take[i]));
}

void join_parser_close(struct join_parser *p) {
    if (!p->spec) return;
    for (size_t i = 0; i < p->spec->n_take; i++) dp_path_release(&p->takes[i]);
    dp_scan_close(p->scan);
    dp_type_free(p->seen);
    dp_buf_release(&p->scratch), dp_buf_release(&p->names);
    free(p->hints), free(p->take_hints), free(p->takes), free(p->skip);
    *p = (struct join_parser){0};
}

static bool has_reserved(const struct dp_record *r) {
    uint32_t i = 1;
    for (uint32_t m = 0; m < r->n_members; m++, i = r->nodes[i + 1].next)
        if (dp_json_equal(dp_node_str(r, i), r->nodes[i].flags, DP_STR("$dp"))) return true;
    return false;
}

/* Which members go with this set of names. */
static void learn_shape(struct join_parser *p, const struct dp_record *r, struct join_parsed *out) {
    uint32_t i = 1;
    bool is_new;
    dp_buf_reset(&p->names);
    p->skip = dp_grow(p->skip, &p->cap_skip, r->n_members + 1, sizeof *p->skip);
    for (uint32_t m = 0; m < r->n_members; m++, i = r->nodes[i + 1].next) {
        size_t start = p->names.n;
        uint32_t n = 0;
        dp_buf_add(&p->names, &n, sizeof n);
        dp_json_decode(dp_node_str(r, i), &p->names);
        n = (uint32_t)(p->names.n - start - sizeof n);
        memcpy(p->names.p + start, &n, sizeof n);
        p->skip[m] = join_is_left_out(p->spec, dp_str(p->names.p + start + sizeof n, n));
        if (p->skip[m]) p->names.n = start;
    }
    struct dp_map_item *it = dp_map_put(&out->shapes, dp_buf_str(&p->names), &is_new);
    if (is_new) it->v.u = out->shapes.n - 1;
    p->shape = (uint32_t)it->v.u;
}

static void add_value(const struct dp_record *r, uint32_t node, struct dp_buf *b) {
    const struct dp_node *v = &r->nodes[node];
    bool quoted = v->kind == DP_KIND_STRING;
    dp_buf_add(b, r->base + v->off - quoted, v->len + 2u * quoted);
}

static void add_members(struct join_parser *p, const struct dp_record *r, struct dp_buf *b) {
    const char *prefix = p->spec->prefix;
    uint32_t i = 1;
    for (uint32_t m = 0; m < r->n_members; m++, i = r->nodes[i + 1].next) {
        if (p->skip[m]) continue;
        dp_buf_add(b, ",\"", 2);
        if (*prefix) dp_json_add_escaped(b, dp_str_z(prefix));
        dp_buf_adds(b, dp_node_str(r, i));
        dp_buf_add(b, "\":", 2);
        add_value(r, i + 1, b);
    }
}

static void add_taken(struct join_parser *p, const struct dp_record *r, struct dp_buf *b) {
    for (size_t i = 0; i < p->spec->n_take; i++) {
        uint32_t node = dp_path_find(&p->takes[i], &p->take_hints[i], r);
        join_add_name(b, p->spec, p->spec->take[i]);
        if (node) add_value(r, node, b);
        else dp_buf_addz(b, "null");
    }
}

static void note_names(struct join_parser *p, const struct dp_record *r) {
    uint32_t i = 1;
    p->seen = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (uint32_t m = 0; m < r->n_members && m < SEEN; m++, i = r->nodes[i + 1].next) {
        dp_buf_reset(&p->scratch);
        dp_json_decode(dp_node_str(r, i), &p->scratch);
        dp_type_add(p->seen, dp_type_new(DP_TYPE_NONE, dp_buf_str(&p->scratch)));
    }
}

static void look_for(struct join_parser *p, const struct dp_record *r, struct join_parsed *out) {
    const struct join_spec *s = p->spec;
    size_t at = 0;
    bool all = true;
    if (!p->seen) note_names(p, r);
    for (size_t i = 0; i < s->n_keys; i++, at++) out->found[at] |= dp_path_find(&s->right[i], NULL, r) != 0;
    if (s->has_time) out->found[at] |= dp_path_find(&s->right_time, NULL, r) != 0, at++;
    for (size_t i = 0; i < s->n_take; i++, at++) out->found[at] |= dp_path_find(&p->takes[i], NULL, r) != 0;
    for (size_t i = 0; i < at; i++) all = all && out->found[i];
    p->found_all = all;
}

/* DP_END: it has no key or no time, and so matches nothing. */
static enum dp_status add_record(struct join_parser *p, const struct dp_record *r, struct join_parsed *out, struct dp_err *err) {
    const struct join_spec *s = p->spec;
    struct join_time t = {0};
    struct join_head h = {0};
    size_t start = out->text.n;
    if (s->has_time) {
        enum join_clock clock = JOIN_CLOCK_NONE;
        uint32_t node = dp_path_find(&s->right_time, &p->time_hint, r);
        enum dp_status status = join_time_read(&p->spec->clock, r, node, &p->scratch, &t, &clock);
        if (status == DP_END) return DP_END;
        if (status != DP_OK) return dp_err_set(err, DP_FORMAT, "its time is none (RFC 3339, a date, or integer milliseconds)");
        out->mixed = out->mixed || (out->clock && out->clock != clock);
        out->clock = clock;
    }
    dp_buf_add(&out->text, &h, sizeof h);
    if (!dp_tuple_bytes(s->right, s->n_keys, p->hints, r, &out->text)) {
        out->text.n = start;
        return DP_END;
    }
    h = (struct join_head){(uint32_t)(out->text.n - start - sizeof h), p->shape};
    memcpy(out->text.p + start, &h, sizeof h);
    uint64_t hash = XXH3_64bits_withSeed(out->text.p + start + sizeof h, h.key_n, p->seed);
    if (s->kind == DP_JOIN_ANTI) (void)0; /* its key is all that counts */
    else if (s->takes) add_taken(p, r, &out->text);
    else add_members(p, r, &out->text);
    if (out->text.n - start > UINT32_MAX) return dp_err_set(err, DP_LIMIT, "a record of more than 4 GiB");
    out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
    out->v[out->n++] = (struct join_entry){hash, t.ms, t.ns, (uint32_t)(out->text.n - start), start};
    return DP_OK;
}

static enum dp_status at_line(const struct dp_chunk *c, const struct dp_record *r, enum dp_status status, struct dp_err *err) {
    uint64_t line = c->line ? c->line + (c->rec_line ? c->rec_line[r->index] : r->index) : 0;
    if (!err) return status;
    if (status == DP_RECORD) err->status = status = DP_FORMAT;
    err->offset = DP_NO_OFFSET;
    (void)dp_err_at(err, c->origin ? c->origin->name : NULL, line, DP_NO_OFFSET);
    return status;
}

enum dp_status join_parse(struct join_parser *p, const struct dp_chunk *c, struct join_parsed *out, struct dp_err *err) {
    struct dp_record r;
    out->n = out->text.n = 0;
    out->records = out->no_key = 0;
    out->clock = JOIN_CLOCK_NONE;
    out->mixed = false;
    dp_map_reset(&out->shapes);
    size_t n_found = p->spec->n_keys + p->spec->has_time + p->spec->n_take;
    if (!out->found) out->found = dp_calloc(n_found + 1, sizeof *out->found);
    memset(out->found, p->found_all, n_found * sizeof *out->found);
    bool shaped = p->spec->kind != DP_JOIN_ANTI && !p->spec->takes;
    dp_scan_begin(p->scan, c->text, c->n);
    for (;;) {
        enum dp_status status = dp_scan_next(p->scan, &r, err);
        if (status == DP_END) return DP_OK;
        if (status == DP_OK && r.duplicate_keys) status = dp_err_set(err, DP_FORMAT, "a name is there twice in one record");
        if (status != DP_OK) return at_line(c, &r, status, err);
        if (!r.same_keys && has_reserved(&r)) return at_line(c, &r, dp_err_set(err, DP_FORMAT, "the key \"$dp\" is kept for marks"), err);
        if (shaped && !r.same_keys) learn_shape(p, &r, out);
        out->records++;
        if (!p->found_all) look_for(p, &r, out);
        status = add_record(p, &r, out, err);
        if (status == DP_END) out->no_key++;
        else if (status != DP_OK) return at_line(c, &r, status, err);
    }
}

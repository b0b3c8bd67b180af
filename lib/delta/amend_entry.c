/*
 * One entry of the log told anew (dp/delta/amend.h).  Lines that say nothing of such a file stay byte for byte, and of those that do every member that is not the file's own: other
 * writers' members too.
 */
#include "amend_priv.h"

#include <dp/base/limits.h>
#include <dp/delta/tier.h>

#include <stdlib.h>

enum { DEEP = 16 };

/* A line; of one that names a file which it is by now, and whether that is another than it was. */
struct line {
    struct dp_str text;
    enum dp_delta_kind kind;
    struct dp_str path;
    bool is_other, dropped;
};

struct entry {
    struct amending *m;
    struct dp_scan *scan;
    struct dp_arena arena;
    struct line *lines;
    size_t n, cap;
    bool changed;
};

static bool is_key(const struct dp_record *r, uint32_t node, const char *name) { return dp_json_equal(dp_node_str(r, node), r->nodes[node].flags, dp_str_z(name)); }

/* A value as it stands. */
static void add_raw(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    bool quoted = r->nodes[node].kind == DP_KIND_STRING;
    if (quoted) dp_buf_addc(out, '"');
    dp_buf_adds(out, dp_node_str(r, node));
    if (quoted) dp_buf_addc(out, '"');
}

/* ---- what is said of a commit ---- */

static void redact_value(struct entry *e, const struct dp_record *r, uint32_t node, bool is_parameter, unsigned depth, struct dp_buf *out) {
    const struct dp_node *n = &r->nodes[node];
    if ((n->kind != DP_KIND_OBJECT && n->kind != DP_KIND_ARRAY) || depth == DEEP) {
        struct dp_buf text = {0}, instead = {0};
        if (n->kind == DP_KIND_STRING) dp_json_decode(dp_node_str(r, node), &text);
        if (text.n && e->m->a->redact && e->m->a->redact(e->m->a->ctx, dp_buf_str(&text), is_parameter, &instead)) {
            dp_json_add_string(out, dp_buf_str(&instead));
            e->m->out->redacted++;
            e->changed = true;
        } else {
            add_raw(r, node, out);
        }
        dp_buf_release(&text), dp_buf_release(&instead);
        return;
    }
    bool is_object = n->kind == DP_KIND_OBJECT;
    dp_buf_addc(out, is_object ? '{' : '[');
    for (uint32_t k = node + 1; k < n->next;) {
        uint32_t v = is_object ? k + 1 : k;
        if (k > node + 1) dp_buf_addc(out, ',');
        if (is_object) add_raw(r, k, out), dp_buf_addc(out, ':');
        redact_value(e, r, v, is_parameter || (is_object && is_key(r, k, "operationParameters")), depth + 1, out);
        k = r->nodes[v].next;
    }
    dp_buf_addc(out, is_object ? '}' : ']');
}

/* ---- what is said of a file ---- */

static enum dp_status keep_file(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    (void)err;
    *(struct dp_delta_file *)ctx = a->u.file;
    return DP_OK;
}

static void add_vector(const struct dp_delta_dv *dv, struct dp_buf *out) {
    dp_buf_addz(out, "{\"storageType\":");
    dp_json_add_string(out, dv->storage);
    dp_buf_addz(out, ",\"pathOrInlineDv\":");
    dp_json_add_string(out, dv->path);
    if (dv->offset != DP_DELTA_UNSET) dp_buf_addf(out, ",\"offset\":%lld", (long long)dv->offset);
    dp_buf_addf(out, ",\"sizeInBytes\":%lld,\"cardinality\":%lld}", (long long)dv->size_bytes, (long long)dv->cardinality);
}

/* The value of a member of the twin's action; false: it has none. */
static bool add_member(const struct dp_record *r, uint32_t key, const struct dp_delta_file *now, struct dp_buf *out) {
    if (is_key(r, key, "path")) dp_json_add_string(out, now->path);
    else if (is_key(r, key, "size")) dp_json_add_i64(out, now->size);
    else if (is_key(r, key, "stats")) {
        if (!now->stats.n) return false;
        dp_json_add_string(out, now->stats);
    } else if (is_key(r, key, "stats_parsed")) return false;
    else if (is_key(r, key, "tags") && r->nodes[key + 1].kind == DP_KIND_OBJECT) dp_delta_pairs_print(&now->tags, out);
    else if (is_key(r, key, "deletionVector")) {
        if (!now->dv.storage.p) return false;
        add_vector(&now->dv, out);
    } else add_raw(r, key + 1, out);
    return true;
}

static void print_file(const struct dp_record *r, uint32_t name, const struct dp_delta_file *now, struct dp_buf *out) {
    uint32_t object = name + 1;
    bool first = true;
    dp_buf_addc(out, '{');
    add_raw(r, name, out);
    dp_buf_addz(out, ":{");
    for (uint32_t k = object + 1; k < r->nodes[object].next; k = r->nodes[k + 1].next) {
        size_t mark = out->n;
        if (!first) dp_buf_addc(out, ',');
        add_raw(r, k, out);
        dp_buf_addc(out, ':');
        if (add_member(r, k, now, out)) first = false;
        else out->n = mark;
    }
    dp_buf_addz(out, "}}");
}

static enum dp_status parse_file(struct entry *e, struct dp_str text, const char *source, struct dp_delta_file *out, struct dp_err *err) {
    return dp_delta_actions_each(text, source, &e->arena, keep_file, out, err);
}

/* As an action is parsed: of several the last that is there; p NULL: none is, and so it is no action. */
static struct dp_str path_of(struct entry *e, const struct dp_record *r, uint32_t name) {
    struct dp_buf b = {0};
    struct dp_str s = {0};
    uint32_t path = 0;
    for (uint32_t k = name + 2; k < r->nodes[name + 1].next; k = r->nodes[k + 1].next)
        if (is_key(r, k, "path") && r->nodes[k + 1].kind == DP_KIND_STRING) path = k + 1;
    if (!path) return s;
    dp_json_decode(dp_node_str(r, path), &b);
    s = dp_arena_str(&e->arena, dp_buf_str(&b));
    dp_buf_release(&b);
    return s;
}

static enum dp_status take_file(struct entry *e, const struct dp_record *r, uint32_t name, struct line *l, const char *source, struct dp_err *err) {
    struct dp_delta_file f, now;
    struct dp_buf out = {0};
    const struct dp_delta_twin *t = e->m->a->twin(e->m->a->ctx, l->path);
    if (!t) return DP_OK;
    e->changed = l->is_other = true;
    l->dropped = !t->path.n;
    if (l->dropped) return DP_OK;
    DP_TRY(parse_file(e, dp_str(r->raw, r->raw_n), source, &f, err));
    DP_TRY(dp_delta_twin_action(&f, t, e->m->vectors, &e->arena, &now, err));
    print_file(r, name, &now, &out);
    l->text = dp_arena_str(&e->arena, dp_buf_str(&out));
    l->path = now.path;
    dp_buf_release(&out);
    return DP_OK;
}

/* ---- lines ---- */

static enum dp_status take_line(struct entry *e, const struct dp_record *r, const char *source, struct dp_err *err) {
    static const struct { const char *name; enum dp_delta_kind kind; } files[] = {{"add", DP_DELTA_ADD}, {"remove", DP_DELTA_REMOVE}, {"cdc", DP_DELTA_CDC}};
    e->lines = dp_grow(e->lines, &e->cap, e->n + 1, sizeof *e->lines);
    struct line *l = &e->lines[e->n++];
    *l = (struct line){.text = dp_arena_str(&e->arena, dp_str(r->raw, r->raw_n))};
    for (uint32_t k = 1; k < r->nodes[0].next; k = r->nodes[k + 1].next) {
        if (r->nodes[k + 1].kind != DP_KIND_OBJECT) continue;
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            if (is_key(r, k, files[i].name) && (l->path = path_of(e, r, k)).p) {
                l->kind = files[i].kind;
                return take_file(e, r, k, l, source, err);
            }
        if (is_key(r, k, "commitInfo")) {
            struct dp_buf out = {0};
            redact_value(e, r, 0, false, 0, &out);
            l->text = dp_arena_str(&e->arena, dp_buf_str(&out));
            dp_buf_release(&out);
        }
    }
    return DP_OK;
}

static bool same_vector(const struct dp_delta_dv *a, const struct dp_delta_dv *b) {
    return dp_str_eq(a->storage, b->storage) && dp_str_eq(a->path, b->path) && a->offset == b->offset;
}

/* A commit that took a file and put in its place what is now its twin says nothing any more. */
static enum dp_status cancel(struct entry *e, const char *name, struct dp_err *err) {
    struct dp_map gone = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < e->n; i++)
        if (e->lines[i].kind == DP_DELTA_REMOVE && !e->lines[i].dropped && e->lines[i].path.n) dp_map_put(&gone, e->lines[i].path, NULL)->v.u = i;
    for (size_t i = 0; i < e->n && status == DP_OK; i++) {
        struct line *came = &e->lines[i];
        struct dp_map_item *it = came->kind == DP_DELTA_ADD && !came->dropped ? dp_map_get(&gone, came->path) : NULL;
        struct dp_delta_file a, b;
        if (!it || (!came->is_other && !e->lines[it->v.u].is_other)) continue;
        status = parse_file(e, came->text, name, &a, err);
        if (status == DP_OK) status = parse_file(e, e->lines[it->v.u].text, name, &b, err);
        if (status == DP_OK && same_vector(&a.dv, &b.dv)) came->dropped = e->lines[it->v.u].dropped = true;
    }
    dp_map_release(&gone);
    return status;
}

static enum dp_status read_lines(struct entry *e, struct dp_buf *text, const char *name, struct dp_err *err) {
    struct dp_record r;
    memset(dp_buf_reserve(text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(e->scan, text->p, text->n);
    for (;;) {
        enum dp_status status = dp_scan_next(e->scan, &r, err);
        if (status == DP_END) return DP_OK;
        if (status == DP_RECORD) status = dp_err_set(err, DP_FORMAT, "%s", err ? err->msg : "");
        if (status == DP_OK) status = take_line(e, &r, name, err);
        if (status != DP_OK) return dp_err_at(err, name, (uint64_t)r.index + 1, DP_NO_OFFSET);
    }
}

enum dp_status amend_entry(struct amending *m, struct dp_str text, const char *name, struct dp_buf *out, bool *changed, struct dp_err *err) {
    struct entry e = {.m = m, .scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO)};
    struct dp_buf padded = {0};
    dp_buf_adds(&padded, text);
    enum dp_status status = read_lines(&e, &padded, name, err);
    *changed = e.changed;
    if (status == DP_OK && e.changed) {
        size_t start = out->n;
        status = cancel(&e, name, err);
        for (size_t i = 0; i < e.n; i++)
            if (!e.lines[i].dropped) dp_buf_adds(out, e.lines[i].text), dp_buf_addc(out, '\n');
        if (out->n == start) dp_buf_addz(out, "{\"commitInfo\":{}}\n"); /* an entry of no line is none to some readers */
    }
    dp_scan_close(e.scan);
    dp_arena_release(&e.arena);
    dp_buf_release(&padded);
    free(e.lines);
    return status;
}

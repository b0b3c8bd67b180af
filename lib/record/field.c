/*
 * Paths into records.  Syntax: the paths of jq's manual ("Object Identifier-Index", "Array Index"), but that names may
 * hold any byte except blanks, control bytes and the ones that mean something here.  Equal keys: the first one counts.
 * No slices, no iteration, no optional operator.
 */
#include <dp/base/num.h>
#include <dp/record/field.h>

static void add_step(struct dp_path *path, struct dp_step step) {
    path->steps = dp_realloc_array(path->steps, path->n + 1, sizeof *path->steps);
    path->steps[path->n++] = step;
}

void dp_path_key(struct dp_path *path, struct dp_str name) {
    *path = (struct dp_path){0};
    add_step(path, (struct dp_step){.kind = DP_STEP_KEY, .key = dp_strndup(name.p, name.n), .key_n = name.n});
}

void dp_path_release(struct dp_path *path) {
    for (size_t i = 0; i < path->n; i++) free(path->steps[i].key);
    free(path->steps);
    *path = (struct dp_path){0};
}

static bool is_name_byte(char c) {
    return (unsigned char)c > ' ' && c != 0x7f && !strchr(".[]\"\\'(){}|,;:=<>+*/?#", c);
}

struct parse {
    struct dp_str text;
    size_t at;
    struct dp_path *path;
    struct dp_err *err;
};

static enum dp_status wrong(const struct parse *p, const char *what) {
    dp_err_set(p->err, DP_USAGE, "path `%.*s`: %s at column %zu", DP_STR_FMT(p->text), what, p->at + 1);
    return DP_USAGE;
}

static bool at_byte(const struct parse *p, char c) { return p->at < p->text.n && p->text.p[p->at] == c; }

/* A JSON string at the opening quote; decoded into the new step. */
static enum dp_status parse_quoted(struct parse *p) {
    enum dp_status status = DP_OK;
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf copy = {0}, name = {0};
    struct dp_scan *scan = NULL;
    size_t end = p->at + 1;
    while (end < p->text.n && p->text.p[end] != '"') end += p->text.p[end] == '\\' ? 2 : 1;
    if (end >= p->text.n) return wrong(p, "a quote is not closed");
    end++;
    dp_buf_add(&copy, p->text.p + p->at, end - p->at);
    memset(dp_buf_reserve(&copy, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    scan = dp_scan_open(0, DP_SCAN_PORTABLE);
    if (dp_scan_value(scan, copy.p, copy.n, &r, &err) != DP_OK) {
        status = wrong(p, err.msg);
        goto out;
    }
    if (!dp_json_get_string(&r, 0, &name)) {
        status = wrong(p, "not a string");
        goto out;
    }
    size_t n = name.n;
    add_step(p->path, (struct dp_step){.kind = DP_STEP_KEY, .key = dp_buf_detach(&name), .key_n = n});
    p->at = end;
out:
    dp_scan_close(scan);
    dp_buf_release(&copy);
    dp_buf_release(&name);
    return status;
}

static enum dp_status parse_name(struct parse *p) {
    size_t from = p->at;
    while (p->at < p->text.n && is_name_byte(p->text.p[p->at])) p->at++;
    if (p->at == from) return wrong(p, "a name is missing");
    add_step(p->path, (struct dp_step){.kind = DP_STEP_KEY, .key = dp_strndup(p->text.p + from, p->at - from), .key_n = p->at - from});
    return DP_OK;
}

static enum dp_status parse_bracket(struct parse *p) {
    p->at++;
    if (at_byte(p, '"')) {
        DP_TRY(parse_quoted(p));
    } else {
        size_t from = p->at;
        while (p->at < p->text.n && p->text.p[p->at] != ']') p->at++;
        int64_t index;
        if (!dp_parse_i64(dp_str(p->text.p + from, p->at - from), &index)) {
            p->at = from;
            return wrong(p, "expected an index or a quoted name");
        }
        add_step(p->path, (struct dp_step){.kind = DP_STEP_INDEX, .index = index});
    }
    if (!at_byte(p, ']')) return wrong(p, "expected ']'");
    p->at++;
    return DP_OK;
}

enum dp_status dp_path_parse(struct dp_str text, struct dp_path *path, struct dp_err *err) {
    struct parse p = {.text = text, .path = path, .err = err};
    enum dp_status status = DP_OK;
    *path = (struct dp_path){0};
    if (!text.n) return wrong(&p, "it is empty");
    bool bare = !at_byte(&p, '.');
    while (p.at < text.n) {
        if (path->n == DP_LIMIT_DEPTH) DP_TRY_OUT(wrong(&p, "too many steps"));
        if (at_byte(&p, '.') || bare) {
            if (!bare) p.at++;
            if (at_byte(&p, '"')) DP_TRY_OUT(parse_quoted(&p));
            else if (at_byte(&p, '[') && !path->n && !bare) DP_TRY_OUT(parse_bracket(&p));
            else DP_TRY_OUT(parse_name(&p));
            bare = false;
        } else if (at_byte(&p, '[')) {
            DP_TRY_OUT(parse_bracket(&p));
        } else {
            DP_TRY_OUT(wrong(&p, "expected '.' or '['"));
        }
    }
out:
    if (status != DP_OK) dp_path_release(path);
    return status;
}

static bool is_same_path(const struct dp_path *a, const struct dp_path *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct dp_step *x = &a->steps[i], *y = &b->steps[i];
        if (x->kind != y->kind || x->index != y->index || !dp_str_eq(dp_str(x->key, x->key_n), dp_str(y->key, y->key_n))) return false;
    }
    return true;
}

/* Bytes up to the comma that ends the first path of a list, or all. */
static size_t until_comma(struct dp_str list) {
    bool quoted = false;
    for (size_t i = 0; i < list.n; i++) {
        if (list.p[i] == '"') quoted = !quoted;
        else if (quoted && list.p[i] == '\\') i++;
        else if (!quoted && list.p[i] == ',') return i;
    }
    return list.n;
}

enum dp_status dp_paths_parse(struct dp_str list, struct dp_path **out, size_t *n, struct dp_err *err) {
    *out = NULL, *n = 0;
    for (bool more = true; more;) {
        struct dp_path path;
        size_t end = until_comma(list);
        DP_TRY(dp_path_parse(dp_str(list.p, end), &path, err));
        *out = dp_realloc_array(*out, *n + 1, sizeof **out);
        (*out)[(*n)++] = path;
        for (size_t i = 0; i + 1 < *n; i++)
            if (is_same_path(&(*out)[i], &path)) return dp_err_set(err, DP_USAGE, "`%.*s` is named twice", DP_STR_FMT(dp_str(list.p, end)));
        more = end < list.n;
        if (more) list.p += end + 1, list.n -= end + 1;
    }
    return DP_OK;
}

void dp_paths_free(struct dp_path *paths, size_t n) {
    for (size_t i = 0; i < n; i++) dp_path_release(&paths[i]);
    free(paths);
}

/* Can the name stand behind a dot as it is? */
static bool is_plain_name(const struct dp_step *s) {
    for (size_t i = 0; i < s->key_n; i++) {
        char c = s->key[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return s->key_n > 0;
}

void dp_path_print(const struct dp_path *path, struct dp_buf *b) {
    for (size_t i = 0; i < path->n; i++) {
        const struct dp_step *s = &path->steps[i];
        if (s->kind == DP_STEP_INDEX) {
            dp_buf_addf(b, "%s[%lld]", i ? "" : ".", (long long)s->index);
        } else if (is_plain_name(s)) {
            dp_buf_addc(b, '.');
            dp_buf_add(b, s->key, s->key_n);
        } else {
            dp_buf_addz(b, i ? "[" : ".[");
            dp_json_add_string(b, dp_str(s->key, s->key_n));
            dp_buf_addc(b, ']');
        }
    }
}

static inline bool key_is(const struct dp_record *r, uint32_t k, const struct dp_step *s) {
    const struct dp_node *n = &r->nodes[k];
    if (!(n->flags & DP_NODE_ESCAPED)) return n->len == s->key_n && dp_bytes_eq(r->base + n->off, s->key, s->key_n);
    return dp_json_equal(dp_node_str(r, k), n->flags, dp_str(s->key, s->key_n));
}

/* The key's node; 0: absent. */
static uint32_t find_key(const struct dp_record *r, uint32_t o, const struct dp_step *s) {
    for (uint32_t k = o + 1, end = r->nodes[o].next; k < end; k = r->nodes[k].next)
        if (key_is(r, k, s)) return k;
    return 0;
}

static uint32_t find_index(const struct dp_record *r, uint32_t o, int64_t index) {
    uint32_t end = r->nodes[o].next;
    if (index < 0) {
        for (uint32_t i = o + 1; i < end; i = r->nodes[i].next) index++;
        if (index < 0) return 0;
    }
    for (uint32_t i = o + 1; i < end; i = r->nodes[i].next)
        if (index-- == 0) return i;
    return 0;
}

uint32_t dp_path_walk(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r) {
    uint32_t o = 0;
    for (size_t i = 0; i < path->n; i++) {
        const struct dp_step *s = &path->steps[i];
        const struct dp_node *box = &r->nodes[o];
        if (s->kind == DP_STEP_INDEX) {
            if (box->kind != DP_KIND_ARRAY || (o = find_index(r, o, s->index)) == 0) return 0;
            continue;
        }
        if (box->kind != DP_KIND_OBJECT) return 0;
        bool hinted = hint && i < sizeof hint->node / sizeof hint->node[0];
        uint32_t k = hinted ? hint->node[i] : 0;
        /* a key of this very object, by range and depth */
        if (!(k > o && k < box->next && (r->nodes[k].flags & DP_NODE_KEY) && r->nodes[k].depth == box->depth + 1 &&
              !r->duplicate_keys && key_is(r, k, s))) {
            k = find_key(r, o, s);
            if (!k) return 0;
            if (hinted) hint->node[i] = k;
        }
        o = k + 1;
    }
    return path->n ? o : 0;
}

/* A top-level field where it was in the record before, which nearly all are; 0: not there. */
static uint32_t where_it_was(const struct dp_path *path, const struct dp_path_hint *hint, const struct dp_record *r) {
    uint32_t k = path->n == 1 ? hint->node[0] : 0;
    if (!k || k >= r->n_nodes || r->duplicate_keys) return 0;
    const struct dp_step *s = path->steps;
    const struct dp_node *n = &r->nodes[k];
    bool is_key = (n->flags & (DP_NODE_KEY | DP_NODE_ESCAPED)) == DP_NODE_KEY && n->depth == 1;
    return is_key && s->kind == DP_STEP_KEY && n->len == s->key_n && dp_bytes_eq(r->base + n->off, s->key, s->key_n) ? k + 1 : 0;
}

uint32_t dp_path_seek(const struct dp_path *path, struct dp_path_hint *hint, const struct dp_record *r) {
    if (!hint) return dp_path_walk(path, NULL, r);
    uint32_t found = where_it_was(path, hint, r);
    if (!found) found = dp_path_walk(path, hint, r);
    hint->shape = r->shape;
    hint->found = found;
    return found;
}

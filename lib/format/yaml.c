/*
 * YAML documents as a bounded tree, by libyaml's events (YAML 1.1 syntax), with the types of the YAML 1.2 core schema (section 10.3).
 * An explicit stack, no recursion: depth is a number that is checked.  An alias shares the nodes that it names, but its weight and
 * height count in full, so that a small file can't stand for a huge tree.
 */
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/format/yaml.h>

#include <stdlib.h>
#include <yaml.h>

struct frame {
    struct dp_yaml_node *node;
    const struct dp_yaml_node **items;
    size_t n, cap;
    struct dp_map keys; /* of a map: to find duplicates */
};

struct parse {
    struct dp_yaml *doc;
    struct dp_str text;
    struct dp_err *err;
    yaml_parser_t parser;
    struct frame stack[DP_LIMIT_YAML_DEPTH];
    size_t depth;
    uint64_t weight; /* nodes so far, aliases written out */
    struct dp_map anchors;
};

const char *dp_yaml_kind_name(enum dp_yaml_kind kind) {
    switch (kind) {
    case DP_YAML_NULL: return "null";
    case DP_YAML_BOOL: return "a boolean";
    case DP_YAML_INT: return "an integer";
    case DP_YAML_FLOAT: return "a number";
    case DP_YAML_STRING: return "a string";
    case DP_YAML_LIST: return "a list";
    case DP_YAML_MAP: return "a map";
    }
    return "";
}

static enum dp_status place(struct dp_err *err, const char *source, uint32_t line) {
    return dp_err_at(err, source, line, DP_NO_OFFSET), DP_USAGE;
}

enum dp_status dp_yaml_error(const struct dp_yaml *doc, const struct dp_yaml_node *at, struct dp_err *err, const char *fmt, ...) {
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    dp_err_set(err, DP_USAGE, "%s", text);
    return place(err, doc->source, at ? at->line : 0);
}

static enum dp_status DP_PRINTF(4, 5) fail_at(struct parse *p, enum dp_status status, yaml_mark_t mark, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    dp_err_set(p->err, status, "%s (column %zu)", text, mark.column + 1);
    dp_err_at(p->err, p->doc->source, mark.line + 1, DP_NO_OFFSET);
    return status;
}

/* ---- the core schema ---- */

static bool is_one_of(struct dp_str s, const char *const *words) {
    for (; *words; words++)
        if (dp_str_eqz(s, *words)) return true;
    return false;
}

static size_t digits(struct dp_str s, size_t i) {
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
    return i - from;
}

static bool is_int(struct dp_str s) {
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'o')) {
        for (size_t i = 2; i < s.n; i++) {
            char c = s.p[i];
            bool octal = c >= '0' && c <= '7', hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            if (s.p[1] == 'o' ? !octal : !hex) return false;
        }
        return true;
    }
    size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    return s.n > sign && digits(s, sign) == s.n - sign;
}

static bool is_float(struct dp_str s) {
    static const char *const special[] = {".inf", ".Inf", ".INF", NULL}, *const nan[] = {".nan", ".NaN", ".NAN", NULL};
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    if (is_one_of(dp_str(s.p + i, s.n - i), special) || is_one_of(s, nan)) return true;
    size_t whole = digits(s, i), part = 0;
    i += whole;
    if (i < s.n && s.p[i] == '.') part = digits(s, ++i), i += part;
    if (!whole && !part) return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
        size_t exp = digits(s, i);
        if (!exp) return false;
        i += exp;
    }
    return i == s.n;
}

static enum dp_yaml_kind plain_kind(struct dp_str s) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (is_one_of(s, nulls)) return DP_YAML_NULL;
    if (is_one_of(s, bools)) return DP_YAML_BOOL;
    if (is_int(s)) return DP_YAML_INT;
    return is_float(s) ? DP_YAML_FLOAT : DP_YAML_STRING;
}

/* An explicit tag must agree with the text, "!" and !!str make a string of anything. */
static bool tagged_kind(const char *tag, struct dp_str s, enum dp_yaml_kind *kind) {
    static const struct {
        const char *tag;
        enum dp_yaml_kind kind;
    } tags[] = {{YAML_NULL_TAG, DP_YAML_NULL}, {YAML_BOOL_TAG, DP_YAML_BOOL}, {YAML_INT_TAG, DP_YAML_INT}, {YAML_FLOAT_TAG, DP_YAML_FLOAT}};
    *kind = DP_YAML_STRING;
    if (!strcmp(tag, "!") || !strcmp(tag, YAML_STR_TAG)) return true;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (strcmp(tag, tags[i].tag) != 0) continue;
        enum dp_yaml_kind is = plain_kind(s);
        *kind = tags[i].kind;
        return is == *kind || (is == DP_YAML_INT && *kind == DP_YAML_FLOAT);
    }
    return false;
}

/* ---- building ---- */

static struct dp_yaml_node *new_node(struct parse *p, enum dp_yaml_kind kind, yaml_mark_t mark) {
    struct dp_yaml_node *n = dp_arena_calloc(&p->doc->arena, 1, sizeof *n);
    n->kind = kind;
    n->line = (uint32_t)mark.line + 1;
    n->column = (uint32_t)mark.column + 1;
    n->weight = n->height = 1;
    return n;
}

static enum dp_status check_key(struct parse *p, struct frame *f, const struct dp_yaml_node *key, yaml_mark_t mark) {
    bool is_new;
    if (key->kind == DP_YAML_LIST || key->kind == DP_YAML_MAP) return fail_at(p, DP_USAGE, mark, "a key must be a scalar");
    dp_map_put(&f->keys, key->text, &is_new);
    if (is_new) return DP_OK;
    return fail_at(p, DP_USAGE, mark, "duplicate key \"%.100s\"", key->text.p);
}

/* Puts a finished node into what is open. */
static enum dp_status attach(struct parse *p, const struct dp_yaml_node *n, yaml_mark_t mark) {
    p->weight += n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP ? 1 : n->weight;
    if (p->weight > DP_LIMIT_YAML_NODES) return fail_at(p, DP_LIMIT, mark, "more than %u nodes, aliases written out", DP_LIMIT_YAML_NODES);
    if (p->depth + n->height > DP_LIMIT_YAML_DEPTH) return fail_at(p, DP_LIMIT, mark, "nested deeper than %u levels", DP_LIMIT_YAML_DEPTH);
    if (!p->depth) {
        p->doc->root = n;
        return DP_OK;
    }
    struct frame *f = &p->stack[p->depth - 1];
    if (f->node->kind == DP_YAML_MAP && f->n % 2 == 0) DP_TRY(check_key(p, f, n, mark));
    f->items = dp_grow(f->items, &f->cap, f->n + 1, sizeof *f->items);
    f->items[f->n++] = n;
    return DP_OK;
}

static void keep_anchor(struct parse *p, const yaml_char_t *anchor, struct dp_yaml_node *n) {
    if (anchor) dp_map_put(&p->anchors, dp_str_z((const char *)anchor), NULL)->v.p = n;
}

static enum dp_status on_scalar(struct parse *p, const yaml_event_t *e) {
    struct dp_str text = dp_str((const char *)e->data.scalar.value, e->data.scalar.length);
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum dp_yaml_kind kind = plain ? plain_kind(text) : DP_YAML_STRING;
    if (e->data.scalar.tag && !tagged_kind((const char *)e->data.scalar.tag, text, &kind))
        return fail_at(p, DP_USAGE, e->start_mark, "a tag that is not of the core schema, or does not fit its text");
    struct dp_yaml_node *n = new_node(p, kind, e->start_mark);
    n->text = dp_arena_str(&p->doc->arena, text);
    keep_anchor(p, e->data.scalar.anchor, n);
    return attach(p, n, e->start_mark);
}

static enum dp_status on_alias(struct parse *p, const yaml_event_t *e) {
    struct dp_map_item *item = dp_map_get(&p->anchors, dp_str_z((const char *)e->data.alias.anchor));
    if (!item) return fail_at(p, DP_USAGE, e->start_mark, "an alias without its anchor before it");
    struct dp_yaml_node *n = item->v.p;
    for (size_t i = 0; i < p->depth; i++)
        if (p->stack[i].node == n) return fail_at(p, DP_USAGE, e->start_mark, "an alias inside what it names");
    if (n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP) p->weight += n->weight - 1;
    return attach(p, n, e->start_mark);
}

static enum dp_status on_open(struct parse *p, const yaml_event_t *e, bool map, const yaml_char_t *anchor, const yaml_char_t *tag) {
    if (tag && strcmp((const char *)tag, map ? YAML_MAP_TAG : YAML_SEQ_TAG) != 0 && strcmp((const char *)tag, "!") != 0)
        return fail_at(p, DP_USAGE, e->start_mark, "a tag that is not of the core schema");
    struct dp_yaml_node *n = new_node(p, map ? DP_YAML_MAP : DP_YAML_LIST, e->start_mark);
    keep_anchor(p, anchor, n);
    DP_TRY(attach(p, n, e->start_mark));
    if (p->depth == DP_LIMIT_YAML_DEPTH) return fail_at(p, DP_LIMIT, e->start_mark, "nested deeper than %u levels", DP_LIMIT_YAML_DEPTH);
    p->stack[p->depth++] = (struct frame){.node = n};
    return DP_OK;
}

static void on_close(struct parse *p) {
    struct frame *f = &p->stack[--p->depth];
    struct dp_yaml_node *n = f->node;
    const struct dp_yaml_node **items = dp_arena_calloc(&p->doc->arena, f->n + 1, sizeof *items);
    uint64_t weight = 1;
    for (size_t i = 0; i < f->n; i++) {
        items[i] = f->items[i];
        weight += items[i]->weight;
        if (items[i]->height >= n->height) n->height = items[i]->height + 1;
    }
    n->items = items;
    n->n = n->kind == DP_YAML_MAP ? f->n / 2 : f->n;
    n->weight = (uint32_t)weight; /* at most what p->weight was checked for */
    free(f->items);
    dp_map_release(&f->keys);
}

/* Does the line's indentation hold a tab? */
static bool find_tab(struct dp_str text, size_t line, size_t *column) {
    const char *p = text.p, *end = text.p + text.n;
    for (; line; line--) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p) return false;
        p++;
    }
    const char *at = p;
    while (at < end && *at == ' ') at++;
    *column = (size_t)(at - p);
    return at < end && *at == '\t';
}

static enum dp_status parser_error(struct parse *p) {
    const yaml_parser_t *y = &p->parser;
    if (y->error == YAML_MEMORY_ERROR) return dp_err_set(p->err, DP_IO, "out of memory"), DP_IO;
    if (y->error == YAML_READER_ERROR) {
        dp_err_set(p->err, DP_USAGE, "%s at byte %zu", y->problem ? y->problem : "unreadable text", y->problem_offset);
        return place(p->err, p->doc->source, 0);
    }
    yaml_mark_t tab = y->problem_mark;
    if (find_tab(p->text, tab.line, &tab.column)) return fail_at(p, DP_USAGE, tab, "a tab can't indent YAML: write spaces instead");
    return fail_at(p, DP_USAGE, y->problem_mark, "%s%s%s", y->context ? y->context : "", y->context ? ": " : "", y->problem ? y->problem : "not YAML");
}

static enum dp_status on_event(struct parse *p, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_SCALAR_EVENT: return on_scalar(p, e);
    case YAML_ALIAS_EVENT: return on_alias(p, e);
    case YAML_SEQUENCE_START_EVENT: return on_open(p, e, false, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT: return on_open(p, e, true, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: on_close(p); return DP_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (p->doc->root) return fail_at(p, DP_USAGE, e->start_mark, "a second document");
        return DP_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return DP_OK;
}

static enum dp_status all_events(struct parse *p) {
    for (bool end = false; !end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p->parser, &e)) return parser_error(p);
        enum dp_status status = on_event(p, &e);
        end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        DP_TRY(status);
    }
    return DP_OK;
}

enum dp_status dp_yaml_parse(struct dp_str text, const char *source, struct dp_yaml *doc, struct dp_err *err) {
    struct parse *p = dp_calloc(1, sizeof *p);
    enum dp_status status = DP_OK;
    memset(doc, 0, sizeof *doc);
    doc->source = dp_arena_strdup(&doc->arena, source);
    p->doc = doc;
    p->text = dp_str(text.n ? text.p : "", text.n);
    p->err = err;
    bool opened = yaml_parser_initialize(&p->parser);
    if (!opened) DP_TRY_OUT(dp_err_set(err, DP_IO, "out of memory"));
    if (text.n > DP_LIMIT_YAML_BYTES) DP_TRY_OUT(dp_err_set(err, DP_LIMIT, "larger than %u bytes", DP_LIMIT_YAML_BYTES));
    yaml_parser_set_input_string(&p->parser, (const unsigned char *)p->text.p, p->text.n);
    DP_TRY_OUT(all_events(p));
    if (!doc->root) DP_TRY_OUT(dp_yaml_error(doc, NULL, err, "an empty document"));
out:
    while (p->depth) {
        struct frame *f = &p->stack[--p->depth];
        free(f->items);
        dp_map_release(&f->keys);
    }
    dp_map_release(&p->anchors);
    if (opened) yaml_parser_delete(&p->parser);
    free(p);
    if (status != DP_OK) {
        dp_err_at(err, source, 0, DP_NO_OFFSET);
        dp_yaml_release(doc);
    }
    return status;
}

enum dp_status dp_yaml_read(const char *path, struct dp_yaml *doc, struct dp_err *err) {
    struct dp_buf b = {0};
    memset(doc, 0, sizeof *doc);
    enum dp_status status = dp_file_read(path, DP_LIMIT_YAML_BYTES, &b, err);
    if (status == DP_OK) status = dp_yaml_parse(dp_buf_str(&b), path, doc, err);
    dp_buf_release(&b);
    return status;
}

void dp_yaml_release(struct dp_yaml *doc) {
    dp_arena_release(&doc->arena);
    memset(doc, 0, sizeof *doc);
}

const struct dp_yaml_node *dp_yaml_get(const struct dp_yaml_node *map, const char *key) {
    if (!map || map->kind != DP_YAML_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (dp_str_eqz(map->items[2 * i]->text, key)) return map->items[2 * i + 1];
    return NULL;
}

enum dp_status dp_yaml_known_keys(const struct dp_yaml *doc, const struct dp_yaml_node *map, const char *const *keys, const char *what,
                                  struct dp_err *err) {
    if (map->kind != DP_YAML_MAP) return dp_yaml_error(doc, map, err, "%s must be a map, not %s", what, dp_yaml_kind_name(map->kind));
    for (size_t i = 0; i < map->n; i++) {
        const struct dp_yaml_node *k = map->items[2 * i];
        if (is_one_of(k->text, keys)) continue;
        const char *near = dp_str_nearest(k->text.p, keys);
        return dp_yaml_error(doc, k, err, "%s has no key \"%.80s\"%s%s%s", what, k->text.p, near ? ", did you mean \"" : "", near ? near : "",
                             near ? "\"?" : "");
    }
    return DP_OK;
}

/* ---- writing ---- */

/* Words that YAML 1.1 readers take for booleans are quoted too. */
static bool bare_is_safe(struct dp_str s) {
    static const char *const old_bools[] = {"y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "<<", "=", NULL};
    if (!s.n || plain_kind(s) != DP_YAML_STRING || is_one_of(s, old_bools)) return false;
    char first = s.p[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    if (!letter || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':') return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-./() ;$%+", c));
        bool comma = c == ',' && i + 1 < s.n && s.p[i + 1] != ' ';
        if (!plain && !comma) return false;
    }
    return true;
}

/* Of two and three bytes: what readers take for the end of a line, for control or for a byte order mark.  Returns its length, 0: it is none of them. */
static size_t add_unprintable(struct dp_buf *b, const char *p, size_t n) {
    const unsigned char *u = (const unsigned char *)p;
    if (n >= 2 && u[0] == 0xc2 && u[1] < 0xa0) return dp_buf_addf(b, "\\x%02x", u[1]), 2;
    if (n < 3 || (u[0] != 0xe2 && u[0] != 0xef)) return 0;
    unsigned c = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    if (c != 0x2028 && c != 0x2029 && c != 0xfeff && c < 0xfffe) return 0;
    return dp_buf_addf(b, "\\u%04x", c), 3;
}

void dp_yaml_add_scalar(struct dp_buf *b, struct dp_str s) {
    if (bare_is_safe(s)) {
        dp_buf_adds(b, s);
        return;
    }
    dp_buf_addc(b, '"');
    for (size_t i = 0, skip; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') dp_buf_addc(b, '\\'), dp_buf_addc(b, (char)c);
        else if (c == '\n') dp_buf_addz(b, "\\n");
        else if (c < 0x20 || c == 0x7f) dp_buf_addf(b, "\\x%02x", c);
        else if (c >= 0xc2 && (skip = add_unprintable(b, s.p + i, s.n - i)) != 0) i += skip - 1;
        else dp_buf_addc(b, (char)c);
    }
    dp_buf_addc(b, '"');
}

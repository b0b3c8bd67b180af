/*
 * Traces in text (dp/io/traces.h): patterns that are searched for as bytes, and records that are looked at where one of them is met.
 */
#include "traces_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <dp/delta/path.h>

#include <stdlib.h>
#include <strings.h>

/* Bounds are cut to 16 bytes at the least (Parquet's writers: 16 to 64, Delta's: 32 characters); a cut upper bound has its last character raised, or a high one behind it. */
enum { CUT = 16, RAISED = 4 };

static bool is_number(struct dp_str s) {
    struct dp_decimal d;
    return s.n && dp_decimal_parse(s, &d);
}

bool trace_is_name(struct dp_str a, struct dp_str b) { return a.n == b.n && (!a.n || strncasecmp(a.p, b.p, a.n) == 0); }

/* ---- patterns ---- */

static void add_pattern(struct trace_set *s, struct dp_str bytes, size_t value, bool is_sure) {
    if (!bytes.n) return;
    for (size_t i = 0; i < s->n_patterns; i++)
        if (s->patterns[i].value == value && s->patterns[i].is_sure == is_sure && dp_str_eq(s->patterns[i].bytes, bytes)) return;
    s->patterns = dp_grow(s->patterns, &s->cap_patterns, s->n_patterns + 1, sizeof *s->patterns);
    s->patterns[s->n_patterns++] = (struct trace_pattern){dp_arena_str(&s->arena, bytes), value, is_sure};
    if (bytes.n > s->longest) s->longest = bytes.n;
}

/* The text as it stands in JSON, in a path of the log, in a directory's name and in that one's path. */
static void add_spellings(struct trace_set *s, struct dp_str text, size_t value, bool is_sure) {
    struct dp_buf hive = {0}, b = {0};
    add_pattern(s, text, value, is_sure);
    dp_json_add_escaped(&b, text);
    add_pattern(s, dp_buf_str(&b), value, is_sure);
    dp_buf_reset(&b), dp_delta_path_encode(text, &b);
    add_pattern(s, dp_buf_str(&b), value, is_sure);
    dp_delta_hive_escape(text, &hive);
    add_pattern(s, dp_buf_str(&hive), value, is_sure);
    dp_buf_reset(&b), dp_delta_path_encode(dp_buf_str(&hive), &b);
    add_pattern(s, dp_buf_str(&b), value, is_sure);
    dp_buf_release(&hive), dp_buf_release(&b);
}

static void add_value(struct trace_set *s, size_t value) {
    struct dp_str text = s->v[value].text;
    bool is_free = text.n >= DP_TRACE_FREE && !is_number(text);
    struct dp_buf part = {0}, path = {0};
    add_spellings(s, text, value, is_free);
    size_t cut = CUT;
    while (cut < text.n && ((unsigned char)text.p[cut] & 0xc0) == 0x80) cut--;
    if (text.n > CUT) add_spellings(s, dp_str(text.p, cut), value, false);
    dp_delta_hive_dir(s->v[value].name, text, false, &part);
    dp_buf_addc(&part, '/');
    add_pattern(s, dp_buf_str(&part), value, true);
    dp_delta_path_encode(dp_buf_str(&part), &path);
    add_pattern(s, dp_buf_str(&path), value, true);
    dp_buf_release(&part), dp_buf_release(&path);
}

void trace_set_make(struct trace_set *s, const struct dp_trace_value *values, size_t n, const struct dp_trace_value *aliases, const size_t *alias_of, size_t n_aliases) {
    s->v = dp_calloc(n + n_aliases + 1, sizeof *s->v);
    s->asked = dp_calloc(n + n_aliases + 1, sizeof *s->asked);
    s->n = n + n_aliases, s->n_asked = n;
    for (size_t i = 0; i < s->n; i++) {
        s->v[i] = i < n ? values[i] : aliases[i - n];
        s->asked[i] = i < n ? i : alias_of[i - n];
    }
    for (size_t i = 0; i < s->n; i++) add_value(s, i);
    struct dp_str *texts = dp_calloc(s->n_patterns + 1, sizeof *texts);
    for (size_t i = 0; i < s->n_patterns; i++) texts[i] = s->patterns[i].bytes;
    s->finder = dp_patterns_make(texts, s->n_patterns);
    free(texts);
}

void trace_set_release(struct trace_set *s) {
    free(s->v), free(s->asked), free(s->patterns);
    dp_patterns_free(s->finder);
    dp_arena_release(&s->arena);
    *s = (struct trace_set){0};
}

void trace_search_open(struct trace_search *s, const struct dp_run *run, const struct trace_set *set) {
    *s = (struct trace_search){.run = run, .set = set, .scan = dp_scan_open(run->max_record, DP_SCAN_AUTO), .inner = dp_scan_open(run->max_record, DP_SCAN_AUTO)};
    s->line_of = dp_calloc(set->n + 1, sizeof *s->line_of);
    s->met = dp_calloc(set->n + 1, sizeof *s->met);
    s->is_sure = dp_calloc(set->n + 1, sizeof *s->is_sure);
    s->last_end = dp_calloc(set->n_patterns + 1, sizeof *s->last_end);
}

void trace_search_close(struct trace_search *s) {
    dp_scan_close(s->scan), dp_scan_close(s->inner);
    dp_buf_release(&s->text), dp_buf_release(&s->decoded), dp_buf_release(&s->nested), dp_buf_release(&s->why);
    free(s->line_of), free(s->met), free(s->is_sure), free(s->last_end);
}

/* ---- bytes ---- */

struct bytes_at { struct trace_search *s; size_t before; enum dp_trace_kind kind; };

/* One that overlaps with itself counts once. */
static void on_bytes(void *ctx, size_t which, size_t end) {
    struct bytes_at *at = ctx;
    const struct trace_pattern *p = &at->s->set->patterns[which];
    if (!p->is_sure || end < at->s->last_end[which] + p->bytes.n) return;
    at->s->last_end[which] = end;
    if (end > at->before) trace_met(at->s, at->kind, p->value, 1);
}

void trace_bytes(struct trace_search *s, struct dp_str bytes, size_t before, enum dp_trace_kind kind) {
    memset(s->last_end, 0, s->set->n_patterns * sizeof *s->last_end);
    dp_patterns_find(s->set->finder, bytes, on_bytes, &(struct bytes_at){s, before, kind});
}

/* ---- records ---- */

/* Of one record: which value is meant, and is it there? */
struct look { struct trace_search *s; const struct dp_trace_value *value; bool is_free; unsigned depth; };

bool trace_is_bound(struct dp_str bound, struct dp_str value) {
    size_t same = 0, others = 0;
    while (same < bound.n && same < value.n && bound.p[same] == value.p[same]) same++;
    if (same == bound.n && same == value.n) return true;
    while (same && same < bound.n && ((unsigned char)bound.p[same] & 0xc0) == 0x80) same--;
    for (size_t i = same; i < bound.n; i++) others += ((unsigned char)bound.p[i] & 0xc0) != 0x80;
    return same >= CUT - RAISED && bound.n >= CUT && bound.n < value.n + RAISED && others <= 1;
}

static bool look_at(struct look *l, struct dp_scan *scan, const struct dp_record *r, uint32_t node, struct dp_str name);

/* Texts of JSON inside of a text: statistics in the log, schemas. */
static bool look_inside(struct look *l, struct dp_str text) {
    struct dp_record r;
    struct dp_err ignored = DP_ERR_INIT;
    if (l->depth || text.n < 2 || text.p[0] != '{') return false;
    dp_buf_reset(&l->s->nested);
    dp_buf_adds(&l->s->nested, text);
    memset(dp_buf_reserve(&l->s->nested, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(l->s->inner, l->s->nested.p, l->s->nested.n, &r, &ignored) != DP_OK) return false;
    l->depth++;
    bool yes = look_at(l, l->s->inner, &r, 0, dp_str(NULL, 0));
    l->depth--;
    return yes;
}

static bool look_at_text(struct look *l, const struct dp_record *r, uint32_t node, struct dp_str name) {
    struct dp_str raw = dp_node_str(r, node), want = l->value->text;
    bool is_named = trace_is_name(name, l->value->name);
    dp_buf_reset(&l->s->decoded);
    if (r->nodes[node].flags & DP_NODE_ESCAPED) dp_json_decode(raw, &l->s->decoded), raw = dp_buf_str(&l->s->decoded);
    if (is_named && trace_is_bound(raw, want)) return true;
    if (l->is_free && dp_str_find(raw, want)) return true;
    return look_inside(l, raw);
}

/* The value's own name where a member has it, in whatever case and spelling; else none. */
static struct dp_str name_of(struct look *l, const struct dp_record *r, uint32_t key) {
    struct dp_str raw = dp_node_str(r, key);
    if (r->nodes[key].flags & DP_NODE_ESCAPED) dp_buf_reset(&l->s->decoded), dp_json_decode(raw, &l->s->decoded), raw = dp_buf_str(&l->s->decoded);
    return trace_is_name(raw, l->value->name) ? l->value->name : dp_str(NULL, 0);
}

/* In statistics (numRecords, minValues ...) counts of nulls have the names of columns, and are no values of them. */
static bool is_count(const struct dp_record *r, uint32_t object, uint32_t key) {
    return dp_json_equal(dp_node_str(r, key), r->nodes[key].flags, DP_STR("nullCount")) && dp_json_member(r, object, "numRecords");
}

/* The member that a value is in has this name; an array's elements are in that of the array. */
static bool look_at(struct look *l, struct dp_scan *scan, const struct dp_record *r, uint32_t node, struct dp_str name) {
    const struct dp_node *n = &r->nodes[node];
    switch ((enum dp_kind)n->kind) {
    case DP_KIND_NUMBER: return trace_is_name(name, l->value->name) && is_number(l->value->text) && dp_number_cmp(dp_node_str(r, node), l->value->text) == 0;
    case DP_KIND_STRING: return look_at_text(l, r, node, name);
    case DP_KIND_TRUE:
    case DP_KIND_FALSE: return trace_is_name(name, l->value->name) && dp_str_eq(dp_node_str(r, node), l->value->text);
    case DP_KIND_ARRAY:
        for (uint32_t i = node + 1; i < n->next; i = r->nodes[i].next)
            if (look_at(l, scan, r, i, name)) return true;
        return false;
    case DP_KIND_OBJECT:
        for (uint32_t i = node + 1; i < n->next; i = r->nodes[i].next) {
            struct dp_str key = dp_node_str(r, i);
            if (is_count(r, node, i)) continue;
            if ((l->is_free && dp_str_find(key, l->value->text)) || look_at(l, scan, r, i + 1, name_of(l, r, i))) return true;
        }
        return false;
    case DP_KIND_NONE:
    case DP_KIND_NULL: return false;
    }
    return false;
}

/* Values that were met in a line as parts of some text; a line that is no record has none. */
static void look_at_line(struct trace_search *s, struct dp_str line) {
    struct dp_record r;
    struct dp_err ignored = DP_ERR_INIT;
    bool is_read = false, is_record = false;
    for (size_t i = 0; i < s->n_met; i++) {
        const struct dp_trace_value *v = &s->set->v[s->met[i]];
        struct look l = {s, v, v->text.n >= DP_TRACE_FREE && !is_number(v->text), 0};
        if (!s->is_sure[s->met[i]] && !is_read) {
            is_read = true;
            dp_buf_reset(&s->text);
            dp_buf_adds(&s->text, line);
            memset(dp_buf_reserve(&s->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
            is_record = dp_scan_value(s->scan, s->text.p, s->text.n, &r, &ignored) == DP_OK;
        }
        if (s->is_sure[s->met[i]] || (is_record && look_at(&l, s->scan, &r, 0, dp_str(NULL, 0)))) trace_met(s, DP_TRACE_ROW, s->met[i], 1);
    }
    s->n_met = 0;
}

struct lines_at { struct trace_search *s; struct dp_str lines; size_t begin, end; }; /* of the line at hand; end 0: of none */

static void on_line(void *ctx, size_t which, size_t end) {
    struct lines_at *at = ctx;
    struct trace_search *s = at->s;
    const struct trace_pattern *p = &s->set->patterns[which];
    if (end > at->end) { /* in another line */
        struct dp_str before = dp_str(at->lines.p, end - 1), behind = dp_str(at->lines.p + end - 1, at->lines.n - (end - 1));
        if (at->end) look_at_line(s, dp_str(at->lines.p + at->begin, at->end - at->begin));
        const char *begin = dp_str_last(before, '\n'), *stop = memchr(behind.p, '\n', behind.n);
        at->begin = begin ? (size_t)(begin - at->lines.p) + 1 : 0;
        at->end = stop ? (size_t)(stop - at->lines.p) : at->lines.n;
        s->line++;
    }
    if (s->line_of[p->value] != s->line) {
        s->line_of[p->value] = s->line;
        s->met[s->n_met++] = p->value;
        s->is_sure[p->value] = false;
    }
    s->is_sure[p->value] |= p->is_sure;
}

/* Counts a line once for each value, whichever of its patterns are met. */
void trace_lines(struct trace_search *s, struct dp_str lines) {
    struct lines_at at = {s, lines, 0, 0};
    dp_patterns_find(s->set->finder, lines, on_line, &at);
    if (at.end) look_at_line(s, dp_str(lines.p + at.begin, at.end - at.begin));
}

/* ---- names ---- */

static void on_name(void *ctx, size_t which, size_t end) {
    struct trace_search *s = ctx;
    const struct trace_pattern *p = &s->set->patterns[which];
    (void)end;
    if (!p->is_sure || s->line_of[p->value] == s->line) return;
    s->line_of[p->value] = s->line; /* a value counts once */
    trace_met(s, DP_TRACE_NAME, p->value, 1);
}

void trace_name(struct trace_search *s, struct dp_str path) {
    struct dp_buf plain = {0}, whole = {0};
    dp_buf_adds(&whole, path);
    dp_buf_addc(&whole, '/'); /* NAME=VALUE/ may be the last part */
    dp_delta_path_decode(dp_buf_str(&whole), &plain);
    s->line++;
    dp_patterns_find(s->set->finder, dp_buf_str(&whole), on_name, s);
    dp_patterns_find(s->set->finder, dp_buf_str(&plain), on_name, s);
    dp_buf_release(&plain), dp_buf_release(&whole);
}

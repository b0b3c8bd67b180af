/* JSON documents cut into records (dp/format/doc.h).  RFC 8259 as far as brackets, strings and commas between elements go. */
#include <dp/base/mem.h>
#include <dp/format/doc.h>

#include <stdlib.h>

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static enum dp_status refuse(const struct dp_doc_cut *c, size_t i, char got, struct dp_err *err) {
    if ((unsigned char)got < 0x20 || (unsigned char)got > 0x7e) dp_err_set(err, DP_FORMAT, "byte 0x%02x can't be between JSON values", (unsigned char)got);
    else if (c->want_comma) dp_err_set(err, DP_FORMAT, "expected , or ] behind an element of the array, got %c", got);
    else dp_err_set(err, DP_FORMAT, "expected a JSON value, got %c", got);
    (void)dp_err_at(err, NULL, c->line + 1, c->seen + i);
    return DP_FORMAT;
}

/* A byte outside of elements. */
static enum dp_status between(struct dp_doc_cut *c, char b, size_t i, struct dp_err *err) {
    if (c->in_array && (b == ',' || b == ']')) {
        if (b == ',' && !c->want_comma) return refuse(c, i, b, err);
        if (b == ']' && c->after_comma) return refuse(c, i, b, err);
        c->after_comma = b == ',';
        if (b == ']') c->in_array = false;
        c->want_comma = false;
        return DP_OK;
    }
    if (c->want_comma) return refuse(c, i, b, err);
    if (b == '[' && !c->in_array) return c->in_array = true, DP_OK;
    bool scalar = b == '-' || (b >= '0' && b <= '9') || b == 't' || b == 'f' || b == 'n' || b == '"';
    if (b != '{' && b != '[' && !scalar) return refuse(c, i, b, err);
    c->after_comma = false;
    c->in_element = true;
    c->in_string = b == '"';
    c->scalar = scalar && !c->in_string;
    c->depth = b == '{' || b == '[';
    return DP_OK;
}

static void element_ends(struct dp_doc_cut *c) {
    c->in_element = c->scalar = false;
    c->want_comma = c->in_array;
}

enum dp_status dp_doc_cut(struct dp_doc_cut *c, const char *p, size_t n, size_t *end, struct dp_err *err) {
    *end = 0;
    for (size_t i = 0; i < n; i++) {
        char b = p[i];
        if (b == '\n') c->line++;
        if (c->in_string) {
            if (c->escaped) c->escaped = false;
            else if (b == '\\') c->escaped = true;
            else if (b == '"') {
                c->in_string = false;
                if (!c->depth) element_ends(c), *end = i + 1, c->in_array_at_end = c->in_array;
            }
        } else if (c->scalar && (is_blank(b) || b == ',' || b == ']')) {
            element_ends(c);
            *end = i; /* what ended it belongs to what follows */
            c->in_array_at_end = c->in_array;
            if (!is_blank(b)) DP_TRY(between(c, b, i, err));
        } else if (c->scalar) {
        } else if (c->in_element) {
            if (b == '"') c->in_string = true;
            else if (b == '{' || b == '[') {
                if (++c->depth > DP_LIMIT_DEPTH) {
                    dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_DEPTH);
                    (void)dp_err_at(err, NULL, c->line + 1, c->seen + i);
                    return DP_LIMIT;
                }
            } else if ((b == '}' || b == ']') && !--c->depth) {
                element_ends(c), *end = i + 1, c->in_array_at_end = c->in_array;
            }
        } else if (!is_blank(b)) {
            DP_TRY(between(c, b, i, err));
        }
    }
    c->seen += n;
    return DP_OK;
}

enum dp_status dp_doc_end(const struct dp_doc_cut *c, struct dp_err *err) {
    if (c->scalar && !c->in_array) return DP_OK;
    if (!c->in_element && !c->in_array && !c->in_string) return DP_OK;
    dp_err_set(err, DP_FORMAT, "the input is cut off in the middle of a JSON %s", c->in_element ? "value" : "array");
    (void)dp_err_at(err, NULL, c->line + 1, c->seen);
    return DP_FORMAT;
}

static void note_place(struct dp_doc_result *r, uint64_t line, size_t offset) {
    if (r->rec_line && r->rec_offset) {
        if (r->records >= *r->cap) {
            size_t cap = *r->cap;
            *r->rec_line = dp_grow(*r->rec_line, &cap, r->records + 1, sizeof **r->rec_line);
            *r->rec_offset = dp_realloc_array(*r->rec_offset, cap, sizeof **r->rec_offset);
            *r->cap = cap;
        }
        (*r->rec_line)[r->records] = (uint32_t)line;
        (*r->rec_offset)[r->records] = (uint32_t)offset;
    }
    r->records++;
}

void dp_doc_convert(const char *p, size_t n, bool in_array, struct dp_buf *out, struct dp_doc_result *result) {
    char *first = dp_buf_reserve(out, n + n / 2 + 2), *w = first; /* each element, one byte at least, gets a newline */
    uint64_t line = 0;
    uint32_t depth = 0;
    bool in_string = false, escaped = false, scalar = false, in = false;
    for (size_t i = 0; i <= n; i++) {
        char b = i < n ? p[i] : '\n';
        bool ends = false;
        if (i < n && b == '\n') line++;
        if (in_string) {
            if (i == n) b = ' ', ends = true; /* only where the input was cut, which the reader of records will refuse */
            *w++ = b == '\n' ? '\r' : b; /* as wrong in a string, and it keeps the element on its line */
            if (escaped) escaped = false;
            else if (b == '\\') escaped = true;
            else if (b == '"') in_string = false, ends |= !depth;
        } else if (in && scalar && (is_blank(b) || b == ',' || b == ']')) {
            ends = true;
            if (b == ']') in_array = false;
        } else if (in) {
            *w++ = b == '\n' || b == '\r' ? ' ' : b;
            if (!scalar) in_string = b == '"', depth += b == '{' || b == '['; /* in a word they are what the reader of records will refuse */
            if ((b == '}' || b == ']') && depth && !--depth) ends = true;
            if (i == n) ends = true;
        } else if (b == ']' || (b == '[' && !in_array)) {
            in_array = b == '[';
        } else if (b == '{' || b == '[' || b == '"' || b == '-' || (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z')) {
            in = true;
            note_place(result, line, i);
            *w++ = b;
            in_string = b == '"', depth = b == '{' || b == '[', scalar = !depth && !in_string;
        }
        if (ends) {
            *w++ = '\n';
            in = scalar = in_string = escaped = false, depth = 0;
        }
    }
    out->n += (size_t)(w - first);
}

/* ---- sniffing ---- */

/* Walks one value from its bracket; returns the offset behind it, n + 1 when it is open at the end. */
static size_t value_end(const char *p, size_t n) {
    uint32_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\') i++;
            else if (p[i] == '"') in_string = false;
        } else if (p[i] == '"') {
            in_string = true;
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
        } else if ((p[i] == '}' || p[i] == ']') && depth && !--depth) {
            return i + 1;
        }
    }
    return n + 1;
}

enum dp_doc_kind dp_doc_sniff(struct dp_str s, bool whole) {
    size_t i = 0;
    while (i < s.n && is_blank(s.p[i])) i++;
    if (i == s.n) return DP_DOC_NONE;
    if (s.p[i] == '[') {
        size_t k = i + 1;
        while (k < s.n && is_blank(s.p[k])) k++;
        return k == s.n || strchr("{[\"]-0123456789tfn", s.p[k]) ? DP_DOC_DOCUMENTS : DP_DOC_NONE;
    }
    if (s.p[i] != '{') return DP_DOC_NONE;
    size_t k = i + 1;
    while (k < s.n && is_blank(s.p[k])) k++;
    if (k < s.n && s.p[k] != '"' && s.p[k] != '}') return DP_DOC_NONE;
    const char *newline = memchr(s.p + i, '\n', s.n - i);
    size_t end = i + value_end(s.p + i, s.n - i);
    if (!newline) { /* one line, or the start of a long one */
        if (end > s.n) return DP_DOC_LINES;
        while (end < s.n && is_blank(s.p[end])) end++;
        return end == s.n || s.p[end] != '{' ? DP_DOC_LINES : DP_DOC_DOCUMENTS;
    }
    (void)whole;
    size_t line_end = (size_t)(newline - s.p);
    if (end > line_end) {
        /* The first line is not closed: a pretty-printed document, unless the second line begins one of its own. */
        size_t next = line_end + 1;
        return next < s.n && s.p[next] == '{' && line_end > i + 1 ? DP_DOC_LINES : DP_DOC_DOCUMENTS;
    }
    while (end < line_end && is_blank(s.p[end])) end++;
    return end < line_end && s.p[end] == '{' ? DP_DOC_DOCUMENTS : DP_DOC_LINES;
}

bool dp_doc_is_cut(struct dp_str line) {
    size_t i = 0;
    while (i < line.n && is_blank(line.p[i])) i++;
    return i < line.n && (line.p[i] == '{' || line.p[i] == '[') && value_end(line.p + i, line.n - i) > line.n - i;
}

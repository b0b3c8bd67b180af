/*
 * JSON documents from any bytes: the first byte says where the text is cut in two.  No crash; the cut is the same in one piece and in two;
 * what is converted at a border of elements is what is converted in one piece, a line for each element, with every byte of it that is no
 * blank; a text that is one object is one record; what the scanner takes is not called cut off.
 */
#include <dp/format/doc.h>
#include <dp/record/json.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) abort();
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

struct places {
    uint32_t *line, *offset;
    size_t cap;
};

static uint64_t convert(const char *p, size_t n, bool in_array, struct dp_buf *out, struct places *at) {
    struct dp_doc_result r = {.rec_line = &at->line, .rec_offset = &at->offset, .cap = &at->cap};
    dp_doc_convert(p, n, in_array, out, &r);
    return r.records;
}

static bool same_cut(const struct dp_doc_cut *a, const struct dp_doc_cut *b) {
    return a->depth == b->depth && a->in_string == b->in_string && a->escaped == b->escaped && a->in_element == b->in_element && a->scalar == b->scalar &&
           a->in_array == b->in_array && a->want_comma == b->want_comma && a->after_comma == b->after_comma && a->seen == b->seen && a->line == b->line;
}

/* Each line of the output is the element at its place, blank for blank. */
static void check_lines(const char *p, size_t n, struct dp_buf *out, const struct places *at, uint64_t records) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE);
    struct dp_record r;
    size_t w = 0, end = out->n;
    uint32_t line = 0, last = 0;
    memset(dp_buf_reserve(out, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    for (uint64_t i = 0; i < records; i++) {
        uint32_t from = at->offset[i];
        size_t first = w;
        for (; last < from; last++) line += p[last] == '\n';
        must(from < n && at->line[i] == line);
        for (uint32_t k = from; w < end && out->p[w] != '\n'; w++, k++)
            must(k < n && (out->p[w] == p[k] || ((out->p[w] == ' ' || out->p[w] == '\r') && is_blank(p[k]))));
        must(w < end);
        if (dp_scan_value(scan, out->p + first, w - first, &r, NULL) == DP_OK) must(!dp_doc_is_cut(dp_str(out->p + first, w - first)));
        w++;
    }
    must(w == end);
    dp_scan_close(scan);
}

/* A text that the scanner takes as one object is one record of the same bytes. */
static void check_object(const char *p, size_t n, const struct dp_buf *out, uint64_t records) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE);
    struct dp_buf text = {0};
    struct dp_record r;
    dp_buf_add(&text, p, n);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(scan, text.p, n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        size_t k = 0;
        must(records == 1);
        for (size_t i = 0; i < out->n; i++) {
            if (is_blank(out->p[i])) continue;
            while (k < n && is_blank(p[k])) k++;
            must(k < n && out->p[i] == p[k++]);
        }
    }
    dp_buf_release(&text);
    dp_scan_close(scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_doc_cut one = {0}, two = {0};
    struct dp_buf whole = {0}, parts = {0};
    struct places at = {0}, rest = {0};
    size_t end, first, second;
    if (!size) return 0;
    const char *p = (const char *)data + 1;
    size_t n = size - 1, half = n * data[0] / 256;
    (void)dp_doc_sniff(dp_str(p, n), data[0] & 1);
    (void)dp_doc_is_cut(dp_str(p, n));
    enum dp_status s = dp_doc_cut(&one, p, n, &end, NULL), t = dp_doc_cut(&two, p, half, &first, NULL);
    bool in_array = two.in_array_at_end;
    if (t == DP_OK) t = dp_doc_cut(&two, p + half, n - half, &second, NULL);
    must(s == t);
    if (s == DP_OK) {
        must(same_cut(&one, &two) && end <= n && first <= half);
        if (second) must(end == half + second);
        else must(end == first || end == half); /* what ends a word at the border is not part of it */
        must(dp_doc_end(&one, NULL) == dp_doc_end(&two, NULL));
        if (dp_doc_end(&one, NULL) == DP_OK) end = n; /* a scalar may run up to the end */
        uint64_t records = convert(p, end, false, &whole, &at), sum = convert(p, first, false, &parts, &rest);
        sum += convert(p + first, end - first, first ? in_array : false, &parts, &rest);
        must(records == sum && dp_str_eq(dp_buf_str(&whole), dp_buf_str(&parts)));
        if (end == n) check_object(p, n, &whole, records);
        check_lines(p, end, &whole, &at, records);
    }
    dp_buf_release(&whole), dp_buf_release(&parts);
    free(at.line), free(at.offset), free(rest.line), free(rest.offset);
    return 0;
}

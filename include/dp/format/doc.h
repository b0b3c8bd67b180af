/*
 * JSON documents to NDJSON: a top-level array, several documents behind each other (on one line or over many), pretty-printed or not.
 *
 * dp_doc_cut goes over the bytes once, in order, and finds where elements end; dp_doc_convert puts each element on one line (blanks that
 * were newlines become spaces; no other byte changes).  Elements are not validated here: the scanner of records does that.
 */
#ifndef DP_FORMAT_DOC_H
#define DP_FORMAT_DOC_H

#include <dp/base/buf.h>
#include <dp/base/limits.h>

/* State between calls; zero at the start. */
struct dp_doc_cut {
    uint32_t depth;      /* inside the element: brackets open */
    bool in_string, escaped;
    bool in_element;     /* between its first and last byte */
    bool scalar;         /* the element is a number or a word: ends at a blank, comma or bracket */
    bool in_array;       /* inside a top-level array */
    bool want_comma;     /* an element of the array ended: `,` or `]` must follow */
    bool after_comma;
    bool in_array_at_end; /* in_array where *end was set: what follows starts there */
    uint64_t seen, line; /* bytes and newlines looked at */
};

/* Offset behind the last element (or document border) that ends in p[0..n), which follows what was looked at before; 0: none does.
   DP_FORMAT: something between elements that can't be there; DP_LIMIT: too deep.  err->line and offset are set. */
enum dp_status dp_doc_cut(struct dp_doc_cut *c, const char *p, size_t n, size_t *end, struct dp_err *err) DP_MUST_CHECK;
/* At the end of input: DP_FORMAT when something is still open. A scalar that runs up to the end is whole. */
enum dp_status dp_doc_end(const struct dp_doc_cut *c, struct dp_err *err) DP_MUST_CHECK;

/* Elements in p[0..n) (whole ones, with what stands between), one a line, behind out; places as in dp_csv_convert. `in_array`: they start inside a top-level array. */
struct dp_doc_result {
    uint64_t records;
    uint32_t **rec_line, **rec_offset;
    size_t *cap;
};
void dp_doc_convert(const char *p, size_t n, bool in_array, struct dp_buf *out, struct dp_doc_result *result);

/* Is this the start of NDJSON, of JSON documents, or neither?  `whole`: the sample is all there is. */
enum dp_doc_kind { DP_DOC_NONE, DP_DOC_LINES, DP_DOC_DOCUMENTS };
enum dp_doc_kind dp_doc_sniff(struct dp_str sample, bool whole);
/* Does this line (or rest of input) stop in the middle of a JSON value: open brackets or an open string? */
bool dp_doc_is_cut(struct dp_str line);

#endif

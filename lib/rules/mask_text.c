/* Techniques that put other text in a value's place: redact, fixed, keep. */
#include "mask_priv.h"

/* A constant: what stood there, and how long it was, does not show. */
const char *dp_mask_redact(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    (void)scratch, (void)v;
    if (n->rule.technique->is_null(n->type)) {
        *out = (struct mask_result){.kind = DP_KIND_NULL};
        return NULL;
    }
    *out = (struct mask_result){.kind = DP_KIND_STRING, .text = n->rule.text ? dp_str_z(n->rule.text) : DP_STR("***")};
    return NULL;
}

const char *dp_mask_fixed(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    (void)scratch, (void)v;
    *out = (struct mask_result){.kind = DP_KIND_NONE, .text = dp_str_z(n->constant)};
    return NULL;
}

static size_t code_points(struct dp_str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static size_t skip_points(struct dp_str s, size_t at, size_t n) {
    while (n && at < s.n) {
        at++;
        while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80) at++;
        n--;
    }
    return at;
}

/* The first and last characters; one mark for each of the others.  Where nothing would be left to mask, all is masked. */
const char *dp_mask_keep(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    size_t points = code_points(v.text), first = (size_t)n->rule.first, last = (size_t)n->rule.last;
    struct dp_str mark = n->rule.text ? dp_str_z(n->rule.text) : DP_STR("*");
    if (first + last >= points) first = last = 0;
    size_t head = skip_points(v.text, 0, first), tail = skip_points(v.text, head, points - first - last);
    dp_buf_reset(scratch);
    dp_buf_add(scratch, v.text.p, head);
    for (size_t i = first + last; i < points; i++) dp_buf_adds(scratch, mark);
    dp_buf_add(scratch, v.text.p + tail, v.text.n - tail);
    *out = (struct mask_result){.kind = DP_KIND_STRING, .text = dp_buf_str(scratch)};
    return NULL;
}

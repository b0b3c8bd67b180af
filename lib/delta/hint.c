/*
 * _last_checkpoint and its checksum (digest section 6): each scalar as a path of keys and indexes with its value, keys and strings percent-encoded, sorted by path,
 * hashed.
 */
#include "checkpoint_priv.h"

#include <dp/base/md5.h>
#include <stdlib.h>

struct line {
    size_t from, path_n, n; /* in `text` */
};

struct canonical {
    const struct dp_record *r;
    struct dp_buf path, text;
    struct line *lines;
    size_t n, cap;
};

static void add_quoted(struct dp_str raw, struct dp_buf *out) {
    struct dp_buf s = {0};
    dp_json_decode(raw, &s);
    dp_buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) dp_buf_addc(out, (char)c);
        else dp_buf_addf(out, "%%%02X", c);
    }
    dp_buf_addc(out, '"');
    dp_buf_release(&s);
}

static void add_scalar(struct canonical *c, uint32_t node) {
    struct line l = {.from = c->text.n, .path_n = c->path.n};
    dp_buf_adds(&c->text, dp_buf_str(&c->path));
    dp_buf_addc(&c->text, '=');
    if (c->r->nodes[node].kind == DP_KIND_STRING) add_quoted(dp_node_str(c->r, node), &c->text);
    else dp_buf_adds(&c->text, dp_node_str(c->r, node));
    l.n = c->text.n - l.from;
    c->lines = dp_grow(c->lines, &c->cap, c->n + 1, sizeof *c->lines);
    c->lines[c->n++] = l;
}

static void walk(struct canonical *c, uint32_t node) {
    const struct dp_node *nodes = c->r->nodes;
    size_t mark = c->path.n, index = 0;
    if (nodes[node].kind != DP_KIND_OBJECT && nodes[node].kind != DP_KIND_ARRAY) {
        add_scalar(c, node);
        return;
    }
    for (uint32_t k = node + 1; k < nodes[node].next; index++) {
        bool is_member = nodes[node].kind == DP_KIND_OBJECT;
        uint32_t v = is_member ? k + 1 : k;
        bool is_own = !node && is_member && dp_json_equal(dp_node_str(c->r, k), nodes[k].flags, DP_STR("checksum"));
        if (mark) dp_buf_addc(&c->path, '+');
        if (is_member) add_quoted(dp_node_str(c->r, k), &c->path);
        else dp_buf_addf(&c->path, "%zu", index);
        if (!is_own) walk(c, v);
        c->path.n = mark;
        k = nodes[v].next;
    }
}

/* By path; qsort has no context, so the paths are reached through the pieces themselves. */
struct piece {
    struct dp_str path, all;
};

static int cmp_piece(const void *a, const void *b) { return dp_str_cmp(((const struct piece *)a)->path, ((const struct piece *)b)->path); }

void dp_delta_hint_canonical(const struct dp_record *r, struct dp_buf *out) {
    struct canonical c = {.r = r};
    walk(&c, 0);
    struct piece *pieces = dp_calloc(c.n + 1, sizeof *pieces);
    for (size_t i = 0; i < c.n; i++) {
        pieces[i].all = dp_str(c.text.p + c.lines[i].from, c.lines[i].n);
        pieces[i].path = dp_str(pieces[i].all.p, c.lines[i].path_n);
    }
    qsort(pieces, c.n, sizeof *pieces, cmp_piece);
    for (size_t i = 0; i < c.n; i++) {
        if (i) dp_buf_addc(out, ',');
        dp_buf_adds(out, pieces[i].all);
    }
    free(pieces);
    free(c.lines);
    dp_buf_release(&c.path);
    dp_buf_release(&c.text);
}

void dp_delta_hint_print(const struct dp_delta_checkpoint_hint *h, struct dp_buf *out) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf canonical = {0}, text = {0};
    struct dp_record r;
    char sum[33];
    dp_buf_addf(&text, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%lld,\"numOfAddFiles\":%lld", (long long)h->version, (long long)h->actions,
                (long long)h->size_bytes, (long long)h->adds);
    if (h->v2_path.p)
        dp_buf_addf(&text, ",\"v2Checkpoint\":{\"path\":\"%.*s\",\"sizeInBytes\":%lld,\"modificationTime\":%lld}", DP_STR_FMT(h->v2_path), (long long)h->v2_size,
                    (long long)h->v2_modified);
    dp_buf_addc(&text, '}');
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_buf_add(out, text.p, text.n - 1);
    if (dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK) {
        dp_delta_hint_canonical(&r, &canonical);
        dp_md5_hex(dp_buf_str(&canonical), sum);
        dp_buf_addf(out, ",\"checksum\":\"%s\"", sum);
    }
    dp_buf_addc(out, '}');
    dp_scan_close(scan);
    dp_buf_release(&canonical);
    dp_buf_release(&text);
}

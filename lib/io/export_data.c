/*
 * The rows of a person on their way into the package: from their datasets to an unlinked file, and from there as CSV (RFC 4180) and JSON.
 *
 * Two ways, for the columns of records without types are known only when all were seen.  A text that begins with = + - @, a tab or a CR gets an apostrophe in CSV, since programs that open
 * such files run it as a formula; the JSON has it as it is.
 */
#include "export_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

/* ---- into the spool ---- */

struct collecting {
    struct export *x;
    struct export_table *t;
    struct dp_buf line;
    struct dp_map *told;  /* of older versions: rows that were told; NULL */
    int64_t version;
    uint64_t kept;
};

static bool is_hidden(const struct export *x, const struct export_table *t, struct dp_str column) {
    const char *place = t->place->name;
    for (size_t i = 0; i < x->o->n_redact; i++) {
        const char *word = x->o->redact[i], *hash = strrchr(word, '#');
        if (!dp_str_eqz(column, hash ? hash + 1 : word)) continue;
        size_t n = hash ? (size_t)(hash - word) : 0, k = strlen(place);
        if (!hash || (k >= n && !memcmp(place + k - n, word, n) && (k == n || place[k - n - 1] == '/'))) return true;
    }
    return false;
}

/* Notes the columns; true when one of them is not to be shown. */
static bool take_columns(struct collecting *c, const struct dp_record *r) {
    struct dp_buf name = {0};
    bool hides = false;
    for (uint32_t m = 0, at = 1; m < r->n_members; m++, at = r->nodes[at + 1].next) {
        bool is_new = false;
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(r, at), &name);
        struct dp_map_item *item = dp_map_put(&c->t->columns, dp_buf_str(&name), &is_new);
        if (is_new) item->v.u = is_hidden(c->x, c->t, dp_buf_str(&name));
        hides = hides || item->v.u;
    }
    dp_buf_release(&name);
    return hides;
}

static void add_redacted(struct collecting *c, const struct dp_record *r) {
    struct dp_buf name = {0};
    dp_buf_addc(&c->line, '{');
    for (uint32_t m = 0, at = 1; m < r->n_members; m++, at = r->nodes[at + 1].next) {
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(r, at), &name);
        const struct dp_map_item *item = dp_map_get(&c->t->columns, dp_buf_str(&name));
        const struct dp_node *v = &r->nodes[at + 1];
        size_t quote = v->kind == DP_KIND_STRING;
        if (m) dp_buf_addc(&c->line, ',');
        dp_json_add_string(&c->line, dp_buf_str(&name));
        dp_buf_addc(&c->line, ':');
        if (item && item->v.u && v->kind != DP_KIND_NULL) dp_buf_addz(&c->line, "\"[redacted]\"");
        else dp_buf_add(&c->line, r->base + v->off - quote, v->len + 2 * quote);
    }
    dp_buf_addc(&c->line, '}');
    dp_buf_release(&name);
}

static enum dp_status collect(void *ctx, struct dp_str lines, uint64_t n, struct dp_err *err) {
    struct collecting *c = ctx;
    struct dp_record r;
    struct dp_buf text = {0};
    bool hides = false;
    enum dp_status status;
    (void)n;
    dp_buf_adds(&text, lines);
    dp_buf_reserve(&text, DP_SCAN_PAD);
    dp_buf_reset(&c->line);
    dp_scan_begin(c->x->scan, text.p, text.n);
    while ((status = dp_scan_next(c->x->scan, &r, err)) == DP_OK) {
        bool is_new = true;
        if (!r.same_keys) hides = take_columns(c, &r);
        if (c->told && (status = export_note(c->x, c->t, &r, c->told, &is_new, err)) != DP_OK) break;
        if (!is_new) continue;
        c->kept++;
        if (hides) add_redacted(c, &r);
        else dp_buf_add(&c->line, r.raw, r.raw_n);
        if (c->told) c->line.n--, dp_buf_addf(&c->line, "%s\"" EXPORT_VERSION "\":%lld}", r.n_members ? "," : "", (long long)c->version);
        dp_buf_addc(&c->line, '\n');
    }
    dp_buf_release(&text);
    if (status != DP_END) return status;
    c->x->spooled += c->line.n;
    status = dp_fd_write(c->x->spool, c->line.p, c->line.n, err);
    c->x->spool_failed = status != DP_OK;
    return status;
}

enum dp_status export_collect(struct export *x, struct export_table *t, struct dp_map *told, int64_t version, struct dp_err *err) {
    struct collecting c = {.x = x, .t = t, .told = told, .version = version};
    struct dp_subject_seen seen;
    if (!told) t->from = x->spooled;
    enum dp_status status = dp_subject_read(x->run, x->o->subject, t->place, collect, &c, &seen, err);
    if (told && c.kept) dp_map_put(&t->columns, DP_STR(EXPORT_VERSION), NULL);
    t->seen.rows += seen.rows, t->seen.found += c.kept, t->seen.unreadable += seen.unreadable;
    t->to = x->spooled;
    dp_buf_release(&c.line);
    return status;
}

/* ---- out of it ---- */

/* More bytes behind those of b, which has no whole line, or none at all. */
static enum dp_status fill(const struct export *x, const struct export_table *t, uint64_t *at, struct dp_buf *b, struct dp_err *err) {
    size_t n = t->to - *at < BLOCK ? (size_t)(t->to - *at) : BLOCK;
    DP_TRY(dp_fd_pread(x->spool, dp_buf_reserve(b, n + DP_SCAN_PAD), n, *at, err));
    b->n += n, *at += n;
    return DP_OK;
}

/* Bytes up to and with the last newline; 0: there is none. */
static size_t whole_lines(const struct dp_buf *b) {
    size_t n = b->n;
    while (n && b->p[n - 1] != '\n') n--;
    return n;
}

enum dp_status export_rows(struct export *x, const struct export_table *t, uint64_t most, export_row_fn fn, void *ctx, struct dp_err *err) {
    struct dp_buf b = {0};
    uint64_t at = t->from;
    enum dp_status status = DP_OK;
    while (most && status == DP_OK && (at < t->to || b.n)) {
        size_t n = whole_lines(&b);
        if (!n) {
            status = fill(x, t, &at, &b, err);
            continue;
        }
        struct dp_record r;
        dp_buf_reserve(&b, DP_SCAN_PAD);
        dp_scan_begin(x->scan, b.p, n);
        while (most && status == DP_OK && (status = dp_scan_next(x->scan, &r, err)) == DP_OK) most--, status = fn(ctx, &r, err);
        if (status == DP_END) status = DP_OK;
        memmove(b.p, b.p + n, b.n - n);
        b.n -= n;
        if (dp_run_stopped(x->run, err)) status = DP_SIGNALLED;
    }
    dp_buf_release(&b);
    return status;
}

uint32_t export_value(const struct dp_record *r, struct dp_str column) {
    for (uint32_t m = 0, at = 1; m < r->n_members; m++, at = r->nodes[at + 1].next)
        if (dp_json_equal(dp_node_str(r, at), r->nodes[at].flags, column)) return at + 1;
    return 0;
}

void export_cell(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    if (!node || r->nodes[node].kind == DP_KIND_NULL) return;
    if (r->nodes[node].kind == DP_KIND_STRING) dp_json_decode(dp_node_str(r, node), out);
    else dp_buf_adds(out, dp_node_str(r, node));
}

/* ---- members ---- */

enum dp_status export_begin(struct export *x, const char *name, uint64_t most, struct dp_err *err) {
    x->files = dp_grow(x->files, &x->cap_files, x->n_files + 1, sizeof *x->files);
    x->files[x->n_files++] = (struct export_file){.name = dp_strdup(name)};
    dp_buf_reset(&x->text);
    return dp_zip_begin(x->zip, name, most, err);
}

enum dp_status export_flush(struct export *x, bool all, struct dp_err *err) {
    if (!x->text.n || (!all && x->text.n < BLOCK)) return DP_OK;
    DP_TRY(dp_zip_write(x->zip, x->text.p, x->text.n, err));
    dp_buf_reset(&x->text);
    return DP_OK;
}

enum dp_status export_end(struct export *x, struct dp_err *err) {
    DP_TRY(export_flush(x, true, err));
    return dp_zip_end(x->zip, &x->files[x->n_files - 1].m, err);
}

static void add_csv(struct dp_buf *out, struct dp_str cell, bool is_text) {
    bool guards = is_text && cell.n && memchr("=+-@\t\r", cell.p[0], 6);
    bool quotes = (is_text && !cell.n) || (cell.n && (cell.p[0] == ' ' || cell.p[cell.n - 1] == ' '));
    for (size_t i = 0; i < cell.n && !quotes; i++) quotes = cell.p[i] == ',' || cell.p[i] == '"' || cell.p[i] == '\n' || cell.p[i] == '\r';
    if (quotes) dp_buf_addc(out, '"');
    if (guards) dp_buf_addc(out, '\'');
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] == '"') dp_buf_addc(out, '"');
        dp_buf_addc(out, cell.p[i]);
    }
    if (quotes) dp_buf_addc(out, '"');
}

struct printing { struct export *x; const struct export_table *t; struct dp_buf cell; uint64_t n; };

static enum dp_status csv_row(void *ctx, const struct dp_record *r, struct dp_err *err) {
    struct printing *p = ctx;
    for (size_t i = 0; i < p->t->columns.n; i++) {
        uint32_t node = export_value(r, p->t->columns.items[i].key);
        dp_buf_reset(&p->cell);
        export_cell(r, node, &p->cell);
        if (i) dp_buf_addc(&p->x->text, ',');
        add_csv(&p->x->text, dp_buf_str(&p->cell), node && r->nodes[node].kind == DP_KIND_STRING);
    }
    dp_buf_addz(&p->x->text, "\r\n");
    return export_flush(p->x, false, err);
}

/* At most: each byte doubled, quotes and a comma around each cell. */
static uint64_t csv_most(const struct export_table *t) {
    uint64_t most;
    if (__builtin_mul_overflow(t->seen.found + 1, (uint64_t)t->columns.n * 4 + 2, &most) || __builtin_add_overflow(most, 2 * (t->to - t->from), &most)) return UINT64_MAX;
    for (size_t i = 0; i < t->columns.n; i++) most += 2 * t->columns.items[i].key.n;
    return most;
}

enum dp_status export_csv(struct export *x, const struct export_table *t, struct dp_err *err) {
    struct printing p = {.x = x, .t = t};
    struct dp_buf name = {0};
    dp_buf_addf(&name, "data/%s.csv", t->member);
    enum dp_status status = export_begin(x, dp_buf_z(&name), csv_most(t), err);
    for (size_t i = 0; i < t->columns.n; i++) {
        if (i) dp_buf_addc(&x->text, ',');
        add_csv(&x->text, t->columns.items[i].key, true);
    }
    dp_buf_addz(&x->text, "\r\n");
    if (status == DP_OK) status = export_rows(x, t, UINT64_MAX, csv_row, &p, err);
    if (status == DP_OK) status = export_end(x, err);
    dp_buf_release(&name);
    dp_buf_release(&p.cell);
    return status;
}

static enum dp_status json_row(void *ctx, const struct dp_record *r, struct dp_err *err) {
    struct printing *p = ctx;
    dp_buf_addz(&p->x->text, p->n++ ? ",\n" : "\n");
    dp_buf_add(&p->x->text, r->raw, r->raw_n);
    return export_flush(p->x, false, err);
}

enum dp_status export_json(struct export *x, const struct export_table *t, struct dp_err *err) {
    struct printing p = {.x = x, .t = t};
    struct dp_buf name = {0};
    dp_buf_addf(&name, "data/%s.json", t->member);
    enum dp_status status = export_begin(x, dp_buf_z(&name), t->to - t->from + t->seen.found + 16, err);
    dp_buf_addc(&x->text, '[');
    if (status == DP_OK) status = export_rows(x, t, UINT64_MAX, json_row, &p, err);
    dp_buf_addz(&x->text, "\n]\n");
    if (status == DP_OK) status = export_end(x, err);
    dp_buf_release(&name);
    return status;
}

/*
 * Rejects as a source (dp/io/source.h, retry_rejects; the line is that of dp/io/rejects.h): each line gives the record that was set aside.
 *
 *   raw is an object   the record itself, as it stands there
 *   raw is a string    the record's text: read as a row of its source where that is a CSV that is still there, else as JSON
 *   raw is null        the record is read again from its source, by member and offset (Parquet: by row)
 *
 * What is still bad is a reject again, with the place that it had, so that it can be tried once more.  A source that is read again is gone
 * through from its start, so that records begin where they began for the run that wrote the reject; one that has no record at that place
 * any more has changed, and nothing is taken from it.  Each worker keeps one source open: rejects of one file stand together.
 * What it does not do: read standard input, or a table, again; neither is the same a second time.
 */
#include "source_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

struct dp_retry {
    const struct dp_source_opts *outer;
    struct dp_run run; /* a copy for one thread */
    struct dp_scan *lines, *check;
    struct dp_buf name, member, text, json;
    /* the source that is open */
    char *open_name, *open_member, *glob;
    const char *names[1];
    struct dp_source_opts opts;
    struct dp_sources *s;
    struct dp_chunk chunk;  /* the latest */
    struct dp_chunk row;    /* for a row by itself */
    bool has_chunk, is_converted, ended;
    struct dp_err why;      /* that it can't be read */
    /* the line at hand */
    struct dp_origin origin; /* its name and member are those above */
    int64_t line, offset;    /* -1: not known */
};

struct dp_retry *dp_retry_open(const struct dp_run *run, const struct dp_source_opts *opts) {
    struct dp_retry *t = dp_calloc(1, sizeof *t);
    t->outer = opts;
    t->run = *run;
    t->run.threads = 1;
    t->run.pool = NULL;
    t->run.where = NULL;
    t->run.log = NULL;
    t->lines = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    t->check = dp_scan_open(run->max_record, DP_SCAN_AUTO);
    return t;
}

static void close_source(struct dp_retry *t) {
    dp_chunk_release(&t->chunk);
    dp_chunk_release(&t->row);
    dp_sources_close(t->s);
    t->s = NULL;
    t->has_chunk = t->is_converted = t->ended = false;
    t->why = (struct dp_err)DP_ERR_INIT;
    free(t->open_name), free(t->open_member), free(t->glob);
    t->open_name = t->open_member = t->glob = NULL;
}

void dp_retry_close(struct dp_retry *t) {
    if (!t) return;
    close_source(t);
    dp_scan_close(t->lines);
    dp_scan_close(t->check);
    dp_buf_release(&t->name), dp_buf_release(&t->member), dp_buf_release(&t->text), dp_buf_release(&t->json);
    free(t);
}

/* ---- what is still bad ---- */

static void still_bad(struct dp_retry *t, struct dp_chunk *c, const char *rule, const char *reason, struct dp_str raw, bool is_json) {
    struct dp_reject_rule why = {.rule = rule, .reason = reason};
    struct dp_reject r = {.origin = &t->origin, .line = t->line > 0 ? (uint64_t)t->line : 0, .offset = t->offset >= 0 ? (uint64_t)t->offset : DP_NO_OFFSET,
                          .rules = &why, .n_rules = 1, .raw = raw, .raw_is_json = is_json};
    dp_reject_print(&t->run, &r, &c->bad_lines);
    c->bad++, c->bad_malformed++;
}

static void cannot_read(struct dp_retry *t, struct dp_chunk *c, const char *words) {
    char reason[400];
    (void)snprintf(reason, sizeof reason, "the record can't be read again: %.300s", words);
    still_bad(t, c, "source", reason, dp_str(NULL, 0), false);
}

/* ---- the source of a reject ---- */

/* A member's name as a glob that matches nothing else; caller frees. */
static char *exact_glob(const char *name) {
    struct dp_buf b = {0};
    for (; *name; name++) {
        if (strchr("*?[]\\", *name)) dp_buf_addc(&b, '\\');
        dp_buf_addc(&b, *name);
    }
    return dp_buf_detach(&b);
}

static void next_chunk(struct dp_retry *t) {
    enum dp_status status = dp_sources_next(t->s, &t->chunk, &t->why);
    t->has_chunk = status == DP_OK;
    t->is_converted = false;
    t->ended = status == DP_END;
    if (t->ended) t->why = (struct dp_err)DP_ERR_INIT;
}

/* Opens it from its start and reads a first chunk; words in t->why where that fails. */
static void open_source(struct dp_retry *t) {
    struct stat st;
    close_source(t);
    t->open_name = dp_strdup(t->origin.name);
    t->open_member = t->origin.member ? dp_strdup(t->origin.member) : NULL;
    if (strcmp(t->open_name, "-") == 0) dp_err_set(&t->why, DP_IO, "its source was standard input");
    else if (strlen(t->open_name) > DP_LIMIT_PATH || stat(t->open_name, &st)) dp_err_sys(&t->why, DP_IO, "its source %.200s", t->open_name);
    else if (!S_ISREG(st.st_mode)) dp_err_set(&t->why, DP_IO, "its source %.200s is not a file", t->open_name);
    if (t->why.status) return;
    t->opts = *t->outer;
    t->opts.retry_rejects = false;
    t->opts.raw_stdin = true;
    t->opts.files_from = t->opts.as_of = NULL;
    t->opts.resume = NULL;
    t->opts.would_block = NULL;
    t->opts.member = t->glob = t->open_member ? exact_glob(t->open_member) : NULL;
    t->names[0] = t->open_name;
    if (dp_sources_open(&t->run, t->names, 1, &t->opts, &t->s, &t->why) != DP_OK) return;
    next_chunk(t);
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static void want_source(struct dp_retry *t, bool from_start) {
    bool same = t->open_name && same_text(t->open_name, t->origin.name) && same_text(t->open_member, t->origin.member);
    if (!same || (from_start && t->s)) open_source(t);
}

/* ---- records out ---- */

static void note_place(struct dp_chunk *c, size_t records, uint32_t line, uint32_t offset) {
    if (records >= c->rec_cap) {
        size_t cap = c->rec_cap;
        c->rec_line_buf = dp_grow(c->rec_line_buf, &cap, records + 1, sizeof *c->rec_line_buf);
        c->rec_offset_buf = dp_realloc_array(c->rec_offset_buf, cap, sizeof *c->rec_offset_buf);
        c->rec_cap = cap;
    }
    c->rec_line_buf[records] = line;
    c->rec_offset_buf[records] = offset;
}

/* One JSON text, perhaps over many lines, as one record. */
static void take_json(struct dp_retry *t, struct dp_chunk *c, struct dp_str text) {
    struct dp_doc_result res = {0};
    struct dp_record r;
    struct dp_err e = DP_ERR_INIT;
    dp_buf_reset(&t->json);
    dp_doc_convert(text.p, text.n, false, &t->json, &res);
    (void)dp_buf_reserve(&t->json, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(t->check, t->json.p, t->json.n, &r, &e);
    if (status == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        dp_buf_add(&c->converted, r.raw, r.raw_n);
        dp_buf_addc(&c->converted, '\n');
        return;
    }
    still_bad(t, c, "malformed", status ? e.msg : "not an object", text, false);
}

/* A row of a CSV, read as its source is. */
static enum dp_status take_row(struct dp_retry *t, struct dp_chunk *c, struct dp_str text, struct dp_err *err) {
    struct dp_chunk *x = &t->row;
    struct dp_err e = DP_ERR_INIT;
    x->kind = DP_CHUNK_RECORDS;
    x->source = t->chunk.source, x->origin = t->chunk.origin;
    x->line = t->line > 0 ? (uint64_t)t->line : 0, x->offset = t->offset >= 0 ? (uint64_t)t->offset : 0;
    x->bad = x->bad_malformed = x->coerced = 0;
    dp_buf_reset(&x->raw), dp_buf_reset(&x->bad_lines);
    dp_buf_adds(&x->raw, text);
    if (!text.n || text.p[text.n - 1] != '\n') dp_buf_addc(&x->raw, '\n');
    (void)dp_buf_reserve(&x->raw, DP_SCAN_PAD);
    enum dp_status status = dp_sources_convert(t->s, 0, x, &e);
    if (status == DP_FORMAT) return still_bad(t, c, "malformed", e.msg, text, false), DP_OK;
    if (status) return dp_err_set(err, status, "%s", e.msg);
    dp_buf_add(&c->converted, x->text, x->n);
    dp_buf_adds(&c->bad_lines, dp_buf_str(&x->bad_lines));
    c->bad += x->bad, c->bad_malformed += x->bad_malformed, c->coerced += x->coerced;
    if (!x->n && !x->bad) still_bad(t, c, "malformed", "a blank line", text, false);
    return DP_OK;
}

static enum dp_status take_text(struct dp_retry *t, struct dp_chunk *c, struct dp_err *err) {
    struct dp_str text = dp_buf_str(&t->text);
    if (strcmp(t->origin.name, "-") != 0) want_source(t, false);
    if (t->has_chunk && t->open_name && same_text(t->open_name, t->origin.name) && ((const struct dp_reading *)t->chunk.source)->format == DP_SOURCE_CSV)
        return take_row(t, c, text, err);
    take_json(t, c, text);
    return DP_OK;
}

/* ---- reading again ---- */

/* The line of converted text that came from `at` (an offset in the source, or a row); n == 0: none. */
static struct dp_str find_record(struct dp_retry *t, uint64_t at) {
    const struct dp_chunk *c = &t->chunk;
    const struct dp_reading *r = c->source;
    const char *p = c->text, *end = p + c->n;
    if (r->format == DP_SOURCE_LINES) {
        size_t from = (size_t)(at - c->offset);
        if (from >= c->n || (from && p[from - 1] != '\n')) return dp_str(NULL, 0);
        const char *nl = memchr(p + from, '\n', c->n - from);
        return dp_str(p + from, nl ? (size_t)(nl - p) - from : c->n - from);
    }
    for (size_t i = 0; p < end; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
        uint64_t here = c->offset + (c->rec_offset ? c->rec_offset[i] : i);
        bool line_holds = t->line <= 0 || !c->rec_line || c->line + c->rec_line[i] == (uint64_t)t->line;
        if (here == at) return line_holds ? dp_str(p, n) : dp_str(NULL, 0);
        if (here > at) break;
        p += n + 1;
    }
    return dp_str(NULL, 0);
}

/* The reject line that conversion wrote for the row at `at`, now; n == 0: none. */
static struct dp_str find_bad(struct dp_retry *t, uint64_t at) {
    struct dp_chunk *c = &t->chunk;
    struct dp_record r;
    int64_t offset;
    (void)dp_buf_reserve(&c->bad_lines, DP_SCAN_PAD);
    for (size_t i = 0, n; i < c->bad_lines.n; i += n + 1) {
        const char *p = c->bad_lines.p + i, *nl = memchr(p, '\n', c->bad_lines.n - i);
        n = nl ? (size_t)(nl - p) : c->bad_lines.n - i;
        if (dp_scan_value(t->check, p, n, &r, NULL) != DP_OK) continue;
        uint32_t reject = dp_json_member(&r, 0, "reject"), node = reject ? dp_json_member(&r, reject, "offset") : 0;
        if (node && dp_json_get_i64(&r, node, &offset) && offset >= 0 && (uint64_t)offset == at) return dp_str(p, n);
    }
    return dp_str(NULL, 0);
}

static bool by_rows(const struct dp_retry *t) { return t->has_chunk && ((const struct dp_reading *)t->chunk.source)->format == DP_SOURCE_PARQUET; }

static enum dp_status take_again(struct dp_retry *t, struct dp_chunk *c, struct dp_err *err) {
    want_source(t, false);
    if (t->has_chunk && (by_rows(t) ? t->line < 1 : t->offset < 0)) return cannot_read(t, c, "its place is not known"), DP_OK;
    uint64_t at = by_rows(t) ? (uint64_t)t->line - 1 : (uint64_t)t->offset;
    if (t->s && (t->ended || (t->has_chunk && t->chunk.offset > at))) want_source(t, true);
    while (t->has_chunk && t->chunk.end_offset <= at) next_chunk(t);
    if (t->why.status == DP_SIGNALLED) return *err = t->why, DP_SIGNALLED;
    if (!t->has_chunk) return cannot_read(t, c, t->why.status ? t->why.msg : "its source ends before"), DP_OK;
    if (!t->is_converted) {
        enum dp_status status = dp_sources_convert(t->s, 0, &t->chunk, &t->why);
        if (status == DP_FORMAT || status == DP_RECORD) t->has_chunk = false;
        if (!t->has_chunk) return cannot_read(t, c, t->why.msg), DP_OK;
        if (status) return *err = t->why, status;
        t->is_converted = true;
    }
    struct dp_str found = find_record(t, at), bad = found.n ? found : find_bad(t, at);
    if (found.n) {
        dp_buf_reset(&t->text);
        dp_buf_adds(&t->text, found); /* behind which can be read on */
        (void)dp_buf_reserve(&t->text, DP_SCAN_PAD);
        take_json(t, c, dp_buf_str(&t->text));
    } else if (bad.n) {
        dp_buf_adds(&c->bad_lines, bad);
        dp_buf_addc(&c->bad_lines, '\n');
        c->bad++, c->bad_malformed += t->chunk.bad_malformed > 0;
    } else {
        cannot_read(t, c, "no record begins there any more: its source has changed");
    }
    return DP_OK;
}

/* ---- lines ---- */

static const char *text_member(const struct dp_record *r, uint32_t object, const char *name, struct dp_buf *b) {
    uint32_t node = dp_json_member(r, object, name);
    dp_buf_reset(b);
    return node && dp_json_get_string(r, node, b) && !memchr(b->p ? b->p : "", '\0', b->n) ? dp_buf_z(b) : NULL;
}

static int64_t number_member(const struct dp_record *r, uint32_t object, const char *name) {
    uint32_t node = dp_json_member(r, object, name);
    int64_t v;
    return node && dp_json_get_i64(r, node, &v) && v >= 0 ? v : -1;
}

static enum dp_status take_line(struct dp_retry *t, struct dp_chunk *c, uint64_t line, uint64_t offset, const char *p, size_t n, struct dp_err *err) {
    struct dp_record r;
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = dp_scan_value(t->lines, p, n, &r, &e);
    uint32_t reject = !status && r.nodes[0].kind == DP_KIND_OBJECT ? dp_json_member(&r, 0, "reject") : 0, raw = reject ? dp_json_member(&r, 0, "raw") : 0;
    if (!raw || r.nodes[reject].kind != DP_KIND_OBJECT) {
        t->origin.name = c->origin->name, t->origin.member = c->origin->member;
        t->line = (int64_t)line, t->offset = (int64_t)offset;
        still_bad(t, c, "malformed", status ? e.msg : "not the line of a reject: it has no \"reject\" and \"raw\"", dp_str(p, n), false);
        return DP_OK;
    }
    const char *name = text_member(&r, reject, "source", &t->name);
    char dash[] = "-";
    t->origin.name = name ? t->name.p : dash;
    t->origin.member = text_member(&r, reject, "member", &t->member) ? t->member.p : NULL;
    t->line = number_member(&r, reject, "line"), t->offset = number_member(&r, reject, "offset");
    switch ((enum dp_kind)r.nodes[raw].kind) {
    case DP_KIND_OBJECT:
        dp_buf_adds(&c->converted, dp_node_str(&r, raw));
        dp_buf_addc(&c->converted, '\n');
        return DP_OK;
    case DP_KIND_STRING:
        dp_buf_reset(&t->text);
        (void)dp_json_get_string(&r, raw, &t->text);
        (void)dp_buf_reserve(&t->text, DP_SCAN_PAD);
        return take_text(t, c, err);
    case DP_KIND_NULL: return take_again(t, c, err);
    case DP_KIND_NONE: case DP_KIND_FALSE: case DP_KIND_TRUE: case DP_KIND_NUMBER: case DP_KIND_ARRAY: break;
    }
    still_bad(t, c, "malformed", "\"raw\" is neither an object, nor a string, nor null", dp_node_str(&r, raw), false);
    return DP_OK;
}

static bool is_blank(const char *p, size_t n) {
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r')) n--;
    return n == 0;
}

enum dp_status dp_retry_convert(struct dp_retry *t, struct dp_chunk *c, struct dp_err *err) {
    size_t records = 0;
    uint64_t line = 0;
    for (size_t at = 0, n; at < c->raw.n; at += n + 1, line++) {
        const char *p = c->raw.p + at, *nl = memchr(p, '\n', c->raw.n - at);
        size_t before = c->converted.n;
        n = nl ? (size_t)(nl - p) : c->raw.n - at;
        if (is_blank(p, n)) continue;
        DP_TRY(take_line(t, c, c->line + line, c->offset + at, p, n, err));
        if (c->converted.n == before) continue;
        for (size_t made = dp_count_byte(c->converted.p + before, c->converted.n - before, '\n'); made > 0; made--)
            note_place(c, records++, (uint32_t)line, (uint32_t)at);
    }
    return DP_OK;
}

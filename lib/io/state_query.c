/* What a durable state was made by: state.json (state_priv.h), and comparing two descriptions of a query. */
#include "state_priv.h"

#include <dp/record/json.h>

enum { FORMAT = 1, SHOWN = 60 };

void dp_state_describe(const char *program, const char *state, struct dp_str query, struct dp_buf *out) {
    dp_buf_addf(out, "{\"format\":%d,\"program\":", FORMAT);
    dp_json_add_string(out, dp_str_z(program));
    dp_buf_addf(out, ",\"state\":\"%s\",\"query\":", state);
    dp_buf_adds(out, query);
    dp_buf_addz(out, "}\n");
}

/* One text, padded as the scanner wants it. */
struct doc { struct dp_buf text; struct dp_scan *scan; struct dp_record rec; };

static enum dp_status doc_open(struct doc *d, struct dp_str text, struct dp_err *err) {
    *d = (struct doc){.scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO)};
    dp_buf_adds(&d->text, text);
    memset(dp_buf_reserve(&d->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(d->scan, d->text.p, d->text.n, &d->rec, err);
    if (status == DP_OK && (d->rec.nodes[0].kind != DP_KIND_OBJECT || d->rec.duplicate_keys)) status = dp_err_set(err, DP_RECORD, "no plain object");
    return status;
}

static void doc_close(struct doc *d) {
    dp_scan_close(d->scan);
    dp_buf_release(&d->text);
}

/* A value as it is spelled; strings with their quotes. */
static struct dp_str raw(const struct dp_record *r, uint32_t node) {
    struct dp_str s = dp_node_str(r, node);
    if (r->nodes[node].kind == DP_KIND_STRING) s.p--, s.n += 2;
    return s;
}

static enum dp_status read_members(const char *dir, const char *program, const struct doc *d, struct dp_buf *state, uint32_t *query, struct dp_err *err) {
    const struct dp_record *r = &d->rec;
    struct dp_buf word = {0};
    int64_t format;
    uint32_t p = dp_json_member(r, 0, "program"), s = dp_json_member(r, 0, "state");
    *query = dp_json_member(r, 0, "query");
    enum dp_status status = DP_OK;
    if (!dp_json_get_i64(r, dp_json_member(r, 0, "format"), &format) || !p || !dp_json_get_string(r, p, &word) || !s || !dp_json_get_string(r, s, state) || !*query ||
        r->nodes[*query].kind != DP_KIND_OBJECT)
        status = dp_err_set(err, DP_FORMAT, "%s/state.json is damaged: a member is not there", dir);
    else if (format != FORMAT)
        status = dp_err_set(err, DP_UNSUPPORTED, "%s is a state of format %lld, this program knows %d", dir, (long long)format, FORMAT);
    else if (*program && !dp_str_eqz(dp_buf_str(&word), program))
        status = dp_err_set(err, DP_USAGE, "%s is a state of %.*s, not of %s", dir, DP_STR_FMT(dp_buf_str(&word)), program);
    dp_buf_release(&word);
    return status;
}

enum dp_status dp_state_read_description(const char *dir, const char *program, const struct dp_buf *text, struct dp_buf *state, struct dp_str *query, struct dp_err *err) {
    struct doc d;
    struct dp_err why = DP_ERR_INIT;
    uint32_t node = 0;
    enum dp_status status = doc_open(&d, dp_buf_str(text), &why);
    if (status != DP_OK) status = dp_err_set(err, DP_FORMAT, "%s/state.json is damaged: %s", dir, why.msg);
    else status = read_members(dir, program, &d, state, &node, err);
    if (status == DP_OK) *query = dp_str(text->p + d.rec.nodes[node].off, d.rec.nodes[node].len);
    doc_close(&d);
    return status;
}

bool dp_state_query_member(struct dp_str query, const char *name, struct dp_buf *out) {
    struct doc d;
    uint32_t node = doc_open(&d, query, NULL) == DP_OK ? dp_json_member(&d.rec, 0, name) : 0;
    if (node) dp_buf_adds(out, raw(&d.rec, node));
    doc_close(&d);
    return node;
}

/* ---- comparing ---- */

static void say(struct dp_buf *out, struct dp_str name, struct dp_str was, struct dp_str is) {
    struct dp_str *v[] = {&was, &is};
    for (size_t i = 0; i < 2; i++)
        if (!v[i]->n) *v[i] = DP_STR("not there");
    dp_buf_addf(out, "%s%.*s was %.*s%s, is %.*s%s", out->n ? "; " : "", (int)(name.n > SHOWN ? SHOWN : name.n), name.p, (int)(was.n > SHOWN ? SHOWN : was.n), was.p,
                was.n > SHOWN ? "..." : "", (int)(is.n > SHOWN ? SHOWN : is.n), is.p, is.n > SHOWN ? "..." : "");
}

static bool is_one_of(struct dp_str name, const char *const *words) {
    for (; words && *words; words++)
        if (dp_str_eqz(name, *words)) return true;
    return false;
}

/* Members of a that b has not, or not so; only_missing: those that it has not at all. */
static void compare(const struct dp_record *a, const struct dp_record *b, bool only_missing, const char *const *except, struct dp_buf *out) {
    struct dp_buf name = {0};
    for (uint32_t k = 1; k < a->n_nodes; k = a->nodes[k + 1].next) {
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(a, k), &name);
        if (is_one_of(dp_buf_str(&name), except)) continue;
        uint32_t other = dp_json_member(b, 0, dp_buf_z(&name));
        struct dp_str was = raw(a, k + 1), is = other ? raw(b, other) : dp_str("", 0);
        if (only_missing && !other) say(out, dp_buf_str(&name), is, was);
        else if (!only_missing && !dp_str_eq(was, is)) say(out, dp_buf_str(&name), was, is);
    }
    dp_buf_release(&name);
}

enum dp_status dp_state_same_query(const char *what, struct dp_str was, struct dp_str is, const char *const *except, struct dp_err *err) {
    struct doc a, b;
    struct dp_buf diff = {0};
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = doc_open(&a, was, &why), status_b = doc_open(&b, is, &why);
    if (status == DP_OK) status = status_b;
    if (status != DP_OK) {
        status = dp_err_set(err, DP_BUG, "%s: a description that is no object: %s", what, why.msg);
    } else {
        compare(&a.rec, &b.rec, false, except, &diff);
        compare(&b.rec, &a.rec, true, except, &diff);
        if (diff.n) status = dp_err_set(err, DP_USAGE, "%s was made by another query: %s", what, dp_buf_z(&diff));
    }
    dp_buf_release(&diff);
    doc_close(&a), doc_close(&b);
    return status;
}

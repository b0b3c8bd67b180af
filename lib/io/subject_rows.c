/*
 * What a place has of a person (dp/io/subject.h): a condition over its columns, which passes over files, row groups and pages as --where does, and the rows that meet it.
 */
#include "subject_priv.h"

#include <dp/base/limits.h>
#include <dp/record/expr.h>

#include <stdlib.h>
#include <strings.h>

/* As JSON spells a number, without an exponent: what a key may look like. */
static bool is_number(const char *z) {
    const char *p = z + (*z == '-');
    if (*p == '0' && p[1] >= '0' && p[1] <= '9') return false;
    size_t n = strspn(p, "0123456789");
    if (!n) return false;
    p += n;
    if (!*p) return true;
    return *p == '.' && p[1] && strspn(p + 1, "0123456789") == strlen(p + 1);
}

void subject_path(struct dp_str column, struct dp_buf *out) {
    while (column.n) {
        const char *dot = memchr(column.p, '.', column.n);
        struct dp_str part = dp_str(column.p, dot ? (size_t)(dot - column.p) : column.n);
        column = dot ? dp_str(dot + 1, column.n - part.n - 1) : dp_str(NULL, 0);
        size_t lists = 0;
        while (dp_str_ends(part, DP_STR("[]"))) part.n -= 2, lists++;
        dp_buf_addc(out, '.');
        if (part.n) dp_json_add_string(out, part);
        dp_buf_addc(out, '?');
        while (lists--) dp_buf_addz(out, "[]?");
    }
}

/* Of the type of a column with a plain name; NULL: not known, or it is inside another. */
static const struct dp_type *type_of(const struct dp_subject_place *p, const char *column) {
    const struct dp_type *t = p->schema ? dp_type_child(p->schema, dp_str_z(column)) : NULL;
    return t && t->id != DP_TYPE_JSON && t->id != DP_TYPE_NONE ? t : NULL;
}

void subject_term(const struct dp_subject *s, const char *id, struct dp_str path, bool elements, struct dp_buf *out) {
    bool any = false;
    dp_buf_addz(out, "IN(");
    dp_buf_adds(out, path);
    if (elements) dp_buf_addz(out, ", "), dp_buf_adds(out, path), dp_buf_addz(out, "[]?");
    dp_buf_addz(out, "; ");
    for (size_t i = 0; i < s->n; i++) {
        if (!subject_same_name(s->v[i].name, id)) continue;
        if (any) dp_buf_addc(out, ',');
        any = true;
        if (is_number(s->v[i].value)) dp_buf_addz(out, s->v[i].value), dp_buf_addc(out, ',');
        dp_json_add_string(out, dp_str_z(s->v[i].value));
    }
    dp_buf_addc(out, ')');
}

static void add_column(const struct dp_subject *s, const struct dp_subject_place *p, const struct dp_subject_column *c, struct dp_buf *out) {
    const struct dp_type *t = type_of(p, c->column);
    bool is_plain = t && !dp_type_is_nested(t);
    struct dp_buf path = {0};
    if (is_plain) dp_buf_addc(&path, '.'), dp_json_add_string(&path, dp_str_z(c->column)); /* the form that statistics are asked with */
    else subject_path(dp_str_z(c->column), &path);
    if (out->n) dp_buf_addz(out, " or ");
    subject_term(s, c->id, dp_buf_str(&path), !is_plain && !dp_str_ends(dp_buf_str(&path), DP_STR("[]?")), out);
    dp_buf_release(&path);
}

enum dp_status subject_where(const struct dp_subject *s, const struct dp_subject_place *place, struct dp_buf *out, struct dp_err *err) {
    for (size_t i = 0; i < place->n_columns; i++) add_column(s, place, &place->columns[i], out);
    if (out->n <= DP_LIMIT_EXPR_BYTES) return DP_OK;
    return dp_err_set(err, DP_LIMIT, "too many identifiers for its %zu columns: a condition of %zu bytes, where %u are allowed", place->n_columns, out->n, DP_LIMIT_EXPR_BYTES);
}

enum dp_status subject_stream(struct dp_run *own, const char *name, const struct dp_stream_conf *conf, const struct dp_stream_ops *ops, void *ctx, struct dp_err *err) {
    DP_TRY(dp_rejects_open(own, NULL, (struct dp_tolerance){.count = UINT64_MAX}, &own->rejects, err));
    enum dp_status status = dp_stream_run(own, &name, 1, conf, ops, ctx, err);
    dp_rejects_drop(own->rejects);
    return status;
}

bool subject_is_csv(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (!strcasecmp(dot, ".csv") || !strcasecmp(dot, ".tsv"));
}

struct reading { dp_subject_fn fn; void *ctx; uint64_t found; };

static enum dp_status hand_out(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct reading *r = ctx;
    uint64_t n = 0;
    for (const char *p = j->out.p, *end = p ? p + j->out.n : NULL; p && p < end; n++) p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
    r->found += n;
    enum dp_status status = n ? r->fn(r->ctx, dp_buf_str(&j->out), n, err) : DP_OK;
    dp_buf_reset(&j->out);
    return status;
}

enum dp_status dp_subject_read(struct dp_run *run, const struct dp_subject *s, const struct dp_subject_place *place, dp_subject_fn fn, void *ctx, struct dp_subject_seen *seen, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.emit = hand_out};
    const struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_REFUSE, .own_types = true, .as_of = place->as_of}, .sink = true, .no_checkpoints = true};
    struct dp_run own = subject_run(run);
    struct reading r = {.fn = fn, .ctx = ctx};
    struct dp_buf where = {0};
    enum dp_status status;
    *seen = (struct dp_subject_seen){0};
    DP_TRY_OUT(subject_where(s, place, &where, err));
    own.where = dp_buf_z(&where);
    status = subject_stream(&own, place->name, &conf, &ops, &r, err);
    *seen = (struct dp_subject_seen){.rows = own.books.in, .found = r.found, .unreadable = own.books.rejected};
out:
    dp_buf_release(&where);
    return status;
}

/*
 * Demands of a table on its rows (dp/delta/constraint.h): found in the log's metadata, compiled, judged on batches.
 * What it does not do: required top-level columns and columns with a default (land.c: files tell of them without being read), identity columns.
 */
#include "constraint_priv.h"

#include <dp/delta/schema.h>
#include <dp/delta/sql.h>

#include <stdlib.h>

/* ---- finding ---- */

static struct check *push(struct dp_delta_checks *c, enum check_kind kind) {
    c->v = dp_grow(c->v, &c->cap, c->n + 1, sizeof *c->v);
    struct check *x = &c->v[c->n++];
    *x = (struct check){.kind = kind};
    return x;
}

static enum dp_status compile(struct dp_delta_checks *c, struct check *x, struct dp_err *err) {
    struct dp_buf filter = {0};
    DP_TRY(dp_sql_compile(dp_str_z(x->text), c->rows, &x->sql, err));
    if (x->kind != CHECK_GENERATED && !dp_sql_is_boolean(x->sql)) return dp_err_set(err, DP_UNSUPPORTED, "it is not a condition");
    if (x->kind != CHECK_GENERATED && dp_sql_filter(x->sql, &filter) && dp_expr_compile(dp_buf_str(&filter), &x->filter, NULL) != DP_OK) x->filter = NULL;
    dp_buf_release(&filter);
    return DP_OK;
}

static enum dp_status refuse(const struct check *x, struct dp_err *err) {
    return dp_err_prefix(err, "writing is not supported: %s %s (%.200s): ", check_words[x->kind], x->name, x->text);
}

/* {"expression":{"expression":"SQL"}} */
static bool invariant_text(struct dp_str json, struct dp_buf *out) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r;
    dp_buf_adds(&b, json);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    bool ok = dp_scan_value(scan, b.p, b.n, &r, NULL) == DP_OK;
    uint32_t outer = ok ? dp_json_member(&r, 0, "expression") : 0, inner = outer ? dp_json_member(&r, outer, "expression") : 0;
    ok = inner && dp_json_get_string(&r, inner, out);
    dp_scan_close(scan);
    dp_buf_release(&b);
    return ok;
}

struct place { struct dp_buf *path; size_t top; bool inside_list; }; /* inside_list: of a list or map */

static enum dp_status add_sql(struct dp_delta_checks *c, enum check_kind kind, const char *name, struct dp_str text, struct check **out, struct dp_err *err) {
    struct check *x = push(c, kind);
    x->name = dp_strdup(name);
    x->text = dp_strndup(text.p, text.n);
    *out = x;
    return compile(c, x, err) == DP_OK ? DP_OK : refuse(x, err);
}

/* "varchar(10)", "char(3)". */
static bool parse_length(struct dp_str s, int64_t *n) {
    const char *open = s.n ? memchr(s.p, '(', s.n) : NULL;
    if (!open || s.p[s.n - 1] != ')') return false;
    struct dp_str word = dp_str(s.p, (size_t)(open - s.p)), number = dp_str(open + 1, (size_t)(s.p + s.n - open) - 2);
    return (dp_str_eqz(word, "char") || dp_str_eqz(word, "varchar")) && dp_parse_i64(number, n) && *n > 0;
}

static enum dp_status add_length(struct dp_delta_checks *c, const struct dp_type *t, const struct place *at, struct dp_str words, struct dp_err *err) {
    int64_t n;
    if (t->id != DP_TYPE_STRING || at->inside_list || !parse_length(words, &n))
        return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: column %.200s has a bounded length (%.*s)", dp_buf_z(at->path), DP_STR_FMT(words));
    struct check *x = push(c, CHECK_LENGTH);
    x->name = dp_strdup(dp_buf_z(at->path));
    x->text = dp_strndup(words.p, words.n);
    x->length = n;
    x->column = at->top;
    return DP_OK;
}

static enum dp_status see_field(struct dp_delta_checks *c, const struct dp_type *t, const struct place *at, struct dp_err *err) {
    struct dp_buf b = {0}, text = {0};
    struct check *x;
    enum dp_status status = DP_OK;
    const char *name = dp_buf_z(at->path);
    if (!t->metadata) return DP_OK;
    if (dp_delta_has_feature(c->protocol, "invariants") && dp_delta_field_meta(t, "delta.invariants", &b)) {
        if (at->inside_list || !invariant_text(dp_buf_str(&b), &text)) status = dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: column %.200s has an invariant that can't be evaluated", name);
        else status = add_sql(c, CHECK_INVARIANT, name, dp_buf_str(&text), &x, err);
    }
    dp_buf_reset(&b), dp_buf_reset(&text);
    if (status == DP_OK && dp_delta_generated(c->protocol, t, &text)) {
        status = add_sql(c, CHECK_GENERATED, name, dp_buf_str(&text), &x, err);
        x->column = at->top;
        if (status == DP_OK && (at->path->n != t->name_n || !dp_sql_fits(x->sql, t)))
            status = dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: generated column %.200s (%.200s) has another type than its expression", name, x->text);
    }
    dp_buf_reset(&b);
    if (status == DP_OK && dp_delta_field_meta(t, "__CHAR_VARCHAR_TYPE_STRING", &b)) status = add_length(c, t, at, dp_buf_str(&b), err);
    dp_buf_release(&b), dp_buf_release(&text);
    return status;
}

static bool has_required(const struct dp_type *t) {
    for (size_t i = 0; i < t->n_children; i++) {
        bool is_key = t->id == DP_TYPE_MAP && i == 0;
        if ((!is_key && !t->children[i]->nullable) || has_required(t->children[i])) return true;
    }
    return false;
}

static enum dp_status see_fields(struct dp_delta_checks *c, const struct dp_type *t, const struct place *at, struct dp_err *err) {
    size_t mark = at->path->n;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < t->n_children && status == DP_OK; i++) {
        const struct dp_type *f = t->children[i];
        bool is_field = t->id == DP_TYPE_STRUCT;
        struct place below = {at->path, mark || at->inside_list ? at->top : i, at->inside_list || !is_field};
        at->path->n = mark;
        if (mark) dp_buf_addc(at->path, '.');
        dp_buf_add(at->path, f->name, f->name_n);
        if (is_field) status = see_field(c, f, &below, err);
        if (status == DP_OK && dp_type_is_nested(f)) status = see_fields(c, f, &below, err);
    }
    at->path->n = mark;
    return status;
}

static enum dp_status find(struct dp_delta_checks *c, const struct dp_delta_metadata *m, const struct dp_type *schema, struct dp_err *err) {
    struct dp_buf path = {0};
    struct place top = {&path, 0, false};
    struct check *x;
    enum dp_status status = see_fields(c, schema, &top, err);
    dp_buf_release(&path);
    for (size_t i = 0; i < schema->n_children && status == DP_OK; i++) {
        if (!dp_type_is_nested(schema->children[i]) || !has_required(schema->children[i])) continue;
        x = push(c, CHECK_REQUIRED);
        x->name = dp_strdup(schema->children[i]->name);
        x->text = dp_strdup("its required fields");
        x->column = i;
    }
    static const struct dp_str prefix = {"delta.constraints.", 18};
    for (size_t i = 0; i < m->configuration.n && status == DP_OK; i++) {
        struct dp_str key = m->configuration.v[i].key;
        if (!dp_str_starts(key, prefix) || !dp_delta_has_feature(c->protocol, "checkConstraints")) continue;
        char *name = dp_strndup(key.p + prefix.n, key.n - prefix.n);
        status = add_sql(c, CHECK_CONSTRAINT, name, m->configuration.v[i].value, &x, err);
        free(name);
    }
    return status;
}

/* ---- open ---- */

static enum dp_status open_checks(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema, const struct dp_type *rows,
                                  struct dp_delta_checks **out, struct dp_err *err) {
    struct dp_delta_checks *c = dp_calloc(1, sizeof *c);
    c->protocol = p;
    c->rows = rows;
    enum dp_status status = find(c, m, schema, err);
    for (size_t i = 0; i < c->n && status == DP_OK; i++) { /* columns of the table to those of the rows */
        struct check *x = &c->v[i];
        if (x->kind == CHECK_CONSTRAINT || x->kind == CHECK_INVARIANT) continue;
        const struct dp_type *t = schema->children[x->column];
        size_t k = 0;
        while (k < rows->n_children && !dp_str_eq(dp_str(t->name, t->name_n), dp_str(rows->children[k]->name, rows->children[k]->name_n))) k++;
        x->absent = k == rows->n_children;
        x->column = k;
    }
    *out = NULL;
    if (status != DP_OK || !c->n) dp_delta_checks_close(c);
    else *out = c;
    return status;
}

enum dp_status dp_delta_checks_open(const struct dp_delta_snapshot *s, const struct dp_type *rows, struct dp_delta_checks **out, struct dp_err *err) {
    return open_checks(&s->protocol, &s->metadata, s->schema, rows ? rows : s->schema, out, err);
}

enum dp_status dp_delta_checks_supported(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema, struct dp_err *err) {
    struct dp_delta_checks *c;
    enum dp_status status = open_checks(p, m, schema, schema, &c, err);
    dp_delta_checks_close(c);
    return status;
}

void dp_delta_checks_close(struct dp_delta_checks *c) {
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) {
        dp_sql_free(c->v[i].sql);
        dp_expr_free(c->v[i].filter);
        free(c->v[i].name);
        free(c->v[i].text);
    }
    free(c->v);
    free(c);
}

bool dp_delta_checks_read(const struct dp_delta_checks *c, size_t column) {
    for (size_t i = 0; i < c->n; i++) {
        const struct check *x = &c->v[i];
        bool own = x->kind == CHECK_GENERATED || x->kind == CHECK_LENGTH || x->kind == CHECK_REQUIRED;
        if ((own && x->column == column) || (x->sql && dp_sql_reads(x->sql, column))) return true;
    }
    return false;
}

bool dp_delta_generated(const struct dp_delta_protocol *p, const struct dp_type *column, struct dp_buf *out) {
    return column->metadata && dp_delta_has_feature(p, "generatedColumns") && dp_delta_field_meta(column, "delta.generationExpression", out);
}

/* ---- rows ---- */

struct dp_delta_checker {
    const struct dp_delta_checks *c;
    struct dp_sql_run **runs;
};

struct dp_delta_checker *dp_delta_checker_open(const struct dp_delta_checks *c) {
    struct dp_delta_checker *k = dp_calloc(1, sizeof *k);
    k->c = c;
    k->runs = dp_calloc(c->n, sizeof *k->runs);
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].sql) k->runs[i] = dp_sql_run_open(c->v[i].sql);
    return k;
}

void dp_delta_checker_close(struct dp_delta_checker *k) {
    if (!k) return;
    for (size_t i = 0; i < k->c->n; i++) dp_sql_run_close(k->runs[i]);
    free(k->runs);
    free(k);
}

/* The column at "a.b.c", a top-level one that is given; NULL where a struct is not there as such. */
static const struct dp_column *below(const struct dp_column *c, const char *path) {
    const char *dot;
    path += c->type->name_n;
    for (; *path == '.'; path = dot) {
        const struct dp_column *next = NULL;
        for (size_t i = 0; i < c->n_children && !next; i++) {
            const struct dp_type *t = c->children[i].type;
            bool same = !strncmp(path + 1, t->name, t->name_n) && (path[1 + t->name_n] == '.' || !path[1 + t->name_n]);
            if (same) next = &c->children[i];
        }
        if (!next) return NULL;
        dot = path + 1 + next->type->name_n;
        c = next;
    }
    return c;
}

static bool too_long(const struct dp_column *c, int64_t row, int64_t most) {
    int64_t n = 0;
    if (!c || !c->offsets || !dp_column_is_valid(c, row)) return false;
    if (c->offsets[row + 1] - c->offsets[row] <= most) return false;
    for (int32_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) n += (c->data[i] & 0xc0) != 0x80;
    return n > most;
}

/* The first row of a column that has a null where there may be none below it; -1: none. */
static int64_t first_null(const struct dp_column *c) {
    int64_t least = -1;
    for (size_t k = 0; k < c->n_children; k++) {
        const struct dp_column *child = &c->children[k];
        bool is_key = c->type->id == DP_TYPE_MAP && k == 0;
        int64_t at = first_null(child);
        if (!is_key && !child->type->nullable && child->null_count > 0)
            for (int64_t i = 0; i < child->length && (at < 0 || i < at); i++) {
                bool parent = c->type->id != DP_TYPE_STRUCT || dp_column_is_valid(c, i);
                if (parent && !dp_column_is_valid(child, i)) at = i;
            }
        if (at >= 0 && c->type->id != DP_TYPE_STRUCT) { /* of an element to that of its list */
            int64_t row = 0;
            while (row < c->length && c->offsets[row + 1] <= at) row++;
            at = row;
        }
        if (at >= 0 && (least < 0 || at < least)) least = at;
    }
    return least;
}

/* Does row number `row` break it? */
static enum dp_status breaks(struct dp_delta_checker *k, size_t i, const struct dp_batch *b, int64_t row, bool *out, struct dp_err *err) {
    const struct check *x = &k->c->v[i];
    enum dp_sql_truth truth = DP_SQL_TRUE;
    bool same = true;
    if (x->kind == CHECK_LENGTH) {
        *out = !x->absent && too_long(below(&b->columns[x->column], x->name), row, x->length);
        return DP_OK;
    }
    if (x->kind == CHECK_GENERATED) {
        if (!x->absent) DP_TRY(dp_sql_same(k->runs[i], b, row, &b->columns[x->column], &same, err));
        *out = !same;
        return DP_OK;
    }
    DP_TRY(dp_sql_test(k->runs[i], b, row, &truth, err));
    *out = truth != DP_SQL_TRUE;
    return DP_OK;
}

static enum dp_status tell(const struct check *x, int64_t row, struct dp_err *err) {
    static const char *const forms[] = {"row %lld breaks the constraint %s: %s", "row %lld breaks the invariant of column %s: %s", "row %lld: generated column %s is not %s",
                                        "row %lld: column %s is longer than %s", "row %lld: column %s has a null in %s"};
    struct dp_buf text = {0};
    dp_buf_addf(&text, forms[x->kind], (long long)row, x->name, x->text);
    dp_err_set(err, DP_RULE, "%.400s", dp_buf_z(&text));
    dp_buf_release(&text);
    return DP_RULE;
}

enum dp_status dp_delta_checker_batch(struct dp_delta_checker *k, const struct dp_batch *b, int64_t first_row, struct dp_err *err) {
    int64_t worst = b->length;
    const struct check *which = NULL;
    for (size_t i = 0; i < k->c->n; i++) {
        const struct check *x = &k->c->v[i];
        if (x->kind == CHECK_REQUIRED) {
            int64_t at = x->absent ? -1 : first_null(&b->columns[x->column]);
            if (at >= 0 && at < worst) worst = at, which = x;
            continue;
        }
        for (int64_t row = 0; row < worst; row++) {
            bool broken;
            enum dp_status status = breaks(k, i, b, row, &broken, err);
            if (status != DP_OK) return dp_err_prefix(err, "row %lld: %s %s: ", (long long)(first_row + row), check_words[x->kind], x->name);
            if (broken) worst = row, which = x;
        }
    }
    return which ? tell(which, first_row + worst, err) : DP_OK;
}

/*
 * What is the person's in a table (lib/io/erase_priv.h): conditions over columns by their physical names, which a file keeps whatever its columns are called by now.
 *
 * Columns are those of every schema that the log still tells, found by their names at any depth, and what --column and lineage say of the latest.
 */
#include "erase_priv.h"
#include "subject_priv.h"

#include <dp/record/json.h>

#include <stdlib.h>

static struct dp_str name_of(const struct dp_type *t) { return dp_str(t->name, t->name_n); }

/* `type`: of what stands at the path. */
static void add_term(struct erase *x, struct erase_table *t, struct dp_str path, const struct dp_type *type, const char *id) {
    struct dp_buf b = {0};
    subject_term(x->o->subject, id, path, dp_type_is_nested(type), &b);
    dp_map_put(&t->conditions, dp_buf_str(&b), NULL);
    dp_buf_release(&b);
}

/* A step to a member; the plain form is the one that statistics are asked with. */
static void add_step(struct dp_str name, bool is_plain, struct dp_buf *path) {
    dp_buf_addc(path, '.');
    dp_json_add_string(path, name);
    if (!is_plain) dp_buf_addc(path, '?');
}

/* Is the column `wanted` (a.b[].c) what stands at `shown`? */
static const char *named_by(const struct erase *x, const struct erase_table *t, bool is_latest, struct dp_str shown, struct dp_str name) {
    const struct dp_subject *s = x->o->subject;
    for (size_t i = 0; is_latest && t->place && i < t->place->n_columns; i++) {
        struct dp_str wanted = dp_str_z(t->place->columns[i].column);
        while (dp_str_ends(wanted, DP_STR("[]"))) wanted.n -= 2;
        if (dp_str_eq(wanted, shown)) return t->place->columns[i].id;
    }
    for (size_t i = 0; !x->o->where.only_columns && i < s->n; i++)
        if (strlen(s->v[i].name) == name.n && strncasecmp(s->v[i].name, name.p, name.n) == 0) return s->v[i].name;
    return NULL;
}

static void walk(struct erase *x, struct erase_table *t, const struct dp_type *schema, const struct dp_type *physical, bool is_latest, struct dp_buf *shown, struct dp_buf *path) {
    for (size_t i = 0; i < schema->n_children && i < physical->n_children; i++) {
        const struct dp_type *a = schema->children[i], *b = physical->children[i];
        size_t mark = path->n, shown_mark = shown->n;
        if (shown->n) dp_buf_addc(shown, '.');
        dp_buf_adds(shown, name_of(a));
        add_step(name_of(b), !mark && !dp_type_is_nested(b), path);
        const char *id = named_by(x, t, is_latest, dp_buf_str(shown), name_of(a));
        if (id) add_term(x, t, dp_buf_str(path), b, id);
        while (a->id == DP_TYPE_LIST && b->id == DP_TYPE_LIST && a->n_children && b->n_children) {
            a = a->children[0], b = b->children[0];
            dp_buf_addz(path, "[]?"), dp_buf_addz(shown, "[]");
        }
        if (a->id == DP_TYPE_STRUCT && b->id == DP_TYPE_STRUCT) walk(x, t, a, b, is_latest, shown, path);
        path->n = mark, shown->n = shown_mark;
    }
}

void erase_conditions(struct erase *x, struct erase_table *t, const struct dp_type *schema, const struct dp_type *physical, bool is_latest) {
    struct dp_buf shown = {0}, path = {0};
    walk(x, t, schema, physical, is_latest, &shown, &path);
    dp_buf_release(&shown), dp_buf_release(&path);
}

/* Does the term begin with this column? */
static bool is_over(struct dp_str term, struct dp_str column) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, "IN(.");
    dp_json_add_string(&b, column);
    dp_buf_addc(&b, ';');
    bool yes = dp_str_starts(term, dp_buf_str(&b));
    dp_buf_release(&b);
    return yes;
}

static bool is_partition(const struct erase_table *t, struct dp_str term) {
    for (size_t k = 0; k < t->s->partition_keys.n; k++)
        if (is_over(term, t->s->partition_keys.v[k])) return true;
    return false;
}

static void add_or(struct dp_buf *to, struct dp_str term) {
    if (to->n) dp_buf_addz(to, " or ");
    dp_buf_adds(to, term);
}

static enum dp_status compile(struct dp_buf *text, struct dp_expr **out, struct dp_err *err) {
    dp_expr_free(*out);
    *out = NULL;
    return text->n ? dp_expr_compile(dp_buf_str(text), out, err) : DP_OK;
}

enum dp_status erase_compile(struct erase_table *t, struct dp_err *err) {
    struct dp_buf of_file = {0}, of_partition = {0}, all = {0};
    struct dp_err why = DP_ERR_INIT;
    for (size_t i = 0; i < t->conditions.n; i++) {
        struct dp_str term = t->conditions.items[i].key;
        add_or(is_partition(t, term) ? &of_partition : &of_file, term);
        add_or(&all, term);
    }
    enum dp_status status = compile(&of_file, &t->where, &why);
    if (status == DP_OK) status = compile(&of_partition, &t->of_partition, &why);
    if (status == DP_OK) status = compile(&all, &t->of_all, &why);
    if (status != DP_OK) status = dp_err_set(err, DP_LIMIT, "%s: too many identifiers for its columns", t->name); /* the text has values */
    dp_buf_release(&of_file), dp_buf_release(&of_partition), dp_buf_release(&all);
    return status;
}

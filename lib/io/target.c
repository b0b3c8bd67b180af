/*
 * Table, contract and header about the same rows (dp/io/target.h).
 */
#include <dp/delta/evolve.h>
#include <dp/delta/schema.h>
#include <dp/io/target.h>

#include <string.h>

/* ---- types ---- */

/* What JSON form a type has; two types of different forms can never hold the same records. */
static const char *form(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_NONE:
    case DP_TYPE_JSON: return NULL;
    case DP_TYPE_BOOLEAN: return "boolean";
    case DP_TYPE_LIST: return "list";
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: return "object";
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
    case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32: case DP_TYPE_UINT64:
    case DP_TYPE_FLOAT16: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
    case DP_TYPE_DECIMAL: return "number";
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_FIXED: case DP_TYPE_UUID:
    case DP_TYPE_DATE: case DP_TYPE_TIME: case DP_TYPE_TIMESTAMP:
    case DP_TYPE_INTERVAL: return "string";
    }
    return NULL;
}

enum dp_status dp_target_conflict(const char *column, const char *a, const struct dp_type *ta, const char *b, const struct dp_type *tb, struct dp_err *err) {
    struct dp_buf x = {0}, y = {0};
    dp_type_print(ta, &x);
    dp_type_print(tb, &y);
    dp_err_set(err, DP_SCHEMA, "column %s: the %s says %s, the %s says %s", column, a, dp_buf_z(&x), b, dp_buf_z(&y));
    dp_buf_release(&x);
    dp_buf_release(&y);
    return DP_SCHEMA;
}

enum dp_status dp_target_check_header(const struct dp_type *fixed, const char *by, const struct dp_type *header, struct dp_err *err) {
    for (size_t i = 0; i < header->n_children; i++) {
        const struct dp_type *h = header->children[i], *t = dp_type_child(fixed, dp_str(h->name, h->name_n));
        if (!t) continue; /* a field too many is the records' fault: rejects */
        const char *a = form(t), *b = form(h);
        if (a && b && strcmp(a, b) != 0) return dp_target_conflict(h->name, by, t, "stream's header", h, err);
    }
    return DP_OK;
}

enum dp_status dp_target_check_contract(const struct dp_type *table, const struct dp_type *contract, struct dp_err *err) {
    struct dp_type *fit = NULL;
    struct dp_buf why = {0};
    enum dp_status status = dp_delta_schema_fit(contract, &fit, err);
    for (size_t i = 0; status == DP_OK && i < fit->n_children; i++) {
        const struct dp_type *c = fit->children[i], *t = dp_type_child(table, dp_str(c->name, c->name_n));
        if (!t) status = dp_err_set(err, DP_SCHEMA, "column %s: the contract has it, the table does not", c->name);
        else if (!dp_delta_file_fits(t, c, &why)) status = dp_target_conflict(c->name, "table", t, "contract", c, err);
    }
    dp_buf_release(&why);
    dp_type_free(fit);
    return status;
}

/* ---- evolution ---- */

/* Takes nothing over. */
static struct dp_type *wanted(const struct dp_type *t, const struct dp_type *r, bool widen) {
    bool both = t->id == r->id && dp_type_is_nested(t);
    if (!both) return dp_type_copy(widen && !dp_type_is_nested(r) && dp_delta_widens(r, t) ? r : t);
    struct dp_type *out = dp_type_copy(t);
    for (size_t i = 0; i < out->n_children; i++) {
        struct dp_type *c = out->children[i];
        const struct dp_type *other = t->id != DP_TYPE_STRUCT ? r->children[i] : dp_type_child(r, dp_str(c->name, c->name_n));
        if (!other) continue;
        out->children[i] = wanted(c, other, widen);
        dp_type_free(c);
    }
    for (size_t i = 0; t->id == DP_TYPE_STRUCT && i < r->n_children; i++) {
        const struct dp_type *c = r->children[i];
        if (!dp_type_child(t, dp_str(c->name, c->name_n))) dp_type_add(out, dp_type_copy(c));
    }
    return out;
}

enum dp_status dp_target_wanted(const struct dp_type *table, const struct dp_type *rows, bool widen, struct dp_type **out, struct dp_err *err) {
    struct dp_type *fit;
    DP_TRY(dp_delta_schema_fit(rows, &fit, err));
    *out = wanted(table, fit, widen);
    dp_type_free(fit);
    return DP_OK;
}

/* ---- partition columns ---- */

static const struct dp_layout_key *find_key(const struct dp_layout *l, struct dp_str name) {
    for (size_t i = 0; i < l->n; i++) {
        if (dp_str_eqz(name, l->keys[i].name)) return &l->keys[i];
    }
    return NULL;
}

/* What --by says of a column may be that it is taken as it stands, or what the table's layout says. */
static enum dp_status check_given(const struct dp_delta_snapshot *table, const struct dp_layout *layout, const struct dp_layout *kept, struct dp_err *err) {
    const struct dp_delta_strs *columns = &table->metadata.partition_columns;
    for (size_t i = 0; i < layout->n; i++) {
        const struct dp_layout_key *key = &layout->keys[i], *theirs = find_key(kept, dp_str_z(key->name));
        bool known = false;
        for (size_t k = 0; k < columns->n; k++) known |= dp_str_eqz(columns->v[k], key->name);
        if (!known) return dp_err_set(err, DP_USAGE, "--by %s: the table is not partitioned by it", key->name);
        if (!theirs || theirs->fn == DP_LAYOUT_VALUE || key->fn == DP_LAYOUT_VALUE || dp_layout_key_eq(theirs, key)) continue;
        struct dp_buf a = {0}, b = {0};
        dp_layout_key_print(key, &a);
        dp_layout_key_print(theirs, &b);
        dp_err_set(err, DP_SCHEMA, "--by %s: the table's layout has %s", dp_buf_z(&a), dp_buf_z(&b));
        dp_buf_release(&a);
        dp_buf_release(&b);
        return DP_SCHEMA;
    }
    return DP_OK;
}

static enum dp_status add_kept(struct dp_run *run, struct dp_layout *layout, const struct dp_layout_key *key, struct dp_err *err) {
    struct dp_buf spec = {0};
    dp_layout_key_print(key, &spec);
    enum dp_status status = dp_layout_add(layout, dp_buf_str(&spec), err);
    if (status == DP_OK) dp_run_log(run, DP_LOG_VERBOSE, "--by '%s', as the table's layout has it", dp_buf_z(&spec));
    dp_buf_release(&spec);
    return status;
}

enum dp_status dp_target_layout(struct dp_run *run, const struct dp_delta_snapshot *table, struct dp_layout *layout, struct dp_err *err) {
    const struct dp_delta_strs *columns = &table->metadata.partition_columns;
    struct dp_str text = dp_delta_property(table, DP_LAYOUT_PROPERTY, "");
    struct dp_layout kept = {0};
    enum dp_status status = text.n ? dp_layout_parse(&kept, text, err) : DP_OK;
    if (status == DP_OK) status = check_given(table, layout, &kept, err);
    for (size_t k = 0; status == DP_OK && k < columns->n; k++) {
        const struct dp_layout_key *key = find_key(&kept, columns->v[k]);
        if (find_key(layout, columns->v[k])) continue;
        status = key && key->fn != DP_LAYOUT_VALUE ? add_kept(run, layout, key, err) : dp_layout_add_column(layout, columns->v[k], err);
    }
    dp_layout_release(&kept);
    return status;
}

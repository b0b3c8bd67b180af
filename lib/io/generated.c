/* Generated columns and defaults of a table that is written into (dp/io/generated.h). */
#include <dp/io/generated.h>

#include <dp/delta/constraint.h>
#include <dp/delta/schema.h>
#include <dp/delta/sql.h>

#include <stdlib.h>

struct dp_generated {
    const struct dp_type *rows;
    struct made { size_t column; struct dp_sql *sql; } *made;
    size_t n_made, made_cap;
    const char **defaults;
    size_t n_defaults, defaults_cap;
};

static enum dp_status see(struct dp_generated *g, const struct dp_delta_snapshot *table, const struct dp_type *t, size_t column, struct dp_err *err) {
    struct dp_buf text = {0};
    enum dp_status status = DP_OK;
    if (dp_delta_generated(&table->protocol, t, &text)) {
        struct dp_sql *sql = NULL;
        status = dp_sql_compile(dp_buf_str(&text), g->rows, &sql, err);
        if (status == DP_OK && !dp_sql_fits(sql, g->rows->children[column])) status = dp_err_set(err, DP_UNSUPPORTED, "its type is not the column's");
        if (status != DP_OK) {
            dp_sql_free(sql);
            dp_err_prefix(err, "generated column %.100s (%.200s): ", t->name, dp_buf_z(&text));
        } else {
            g->made = dp_grow(g->made, &g->made_cap, g->n_made + 1, sizeof *g->made);
            g->made[g->n_made++] = (struct made){column, sql};
        }
    } else if (t->metadata && dp_delta_has_feature(&table->protocol, "allowColumnDefaults") && dp_delta_field_meta(t, "CURRENT_DEFAULT", &text)) {
        g->defaults = dp_grow(g->defaults, &g->defaults_cap, g->n_defaults + 1, sizeof *g->defaults);
        g->defaults[g->n_defaults++] = g->rows->children[column]->name;
    }
    dp_buf_release(&text);
    return status;
}

enum dp_status dp_generated_open(const struct dp_delta_snapshot *table, const struct dp_type *rows, struct dp_generated **out, struct dp_err *err) {
    struct dp_generated *g = dp_calloc(1, sizeof *g);
    enum dp_status status = DP_OK;
    g->rows = rows;
    for (size_t i = 0; i < rows->n_children && status == DP_OK; i++) {
        const struct dp_type *t = dp_type_child(table->schema, dp_str(rows->children[i]->name, rows->children[i]->name_n));
        if (t) status = see(g, table, t, i, err);
    }
    *out = NULL;
    if (status != DP_OK || !(g->n_made + g->n_defaults)) dp_generated_close(g);
    else *out = g;
    return status;
}

void dp_generated_close(struct dp_generated *g) {
    if (!g) return;
    for (size_t i = 0; i < g->n_made; i++) dp_sql_free(g->made[i].sql);
    free(g->made);
    free(g->defaults);
    free(g);
}

bool dp_generated_makes(const struct dp_generated *g, struct dp_str column) {
    for (size_t i = 0; g && i < g->n_made; i++)
        if (dp_str_eqz(column, g->rows->children[g->made[i].column]->name)) return true;
    return false;
}

void dp_generated_relax(const struct dp_delta_snapshot *table, struct dp_type *rows) {
    struct dp_buf text = {0};
    for (size_t i = 0; i < rows->n_children; i++) {
        const struct dp_type *t = dp_type_child(table->schema, dp_str(rows->children[i]->name, rows->children[i]->name_n));
        if (t && dp_delta_generated(&table->protocol, t, &text)) rows->children[i]->nullable = true;
        dp_buf_reset(&text);
    }
    dp_buf_release(&text);
}

const char *dp_generated_missing(const struct dp_generated *g, const struct dp_record *r) {
    for (size_t i = 0; g && i < g->n_defaults; i++)
        if (!dp_json_member(r, 0, g->defaults[i])) return g->defaults[i];
    return NULL;
}

/* The values of a column that are null, or all of them. */
static enum dp_status make(const struct made *m, bool all, struct dp_batch *b, struct dp_err *err) {
    struct dp_column *c = &b->columns[m->column], made;
    enum dp_status status = DP_OK;
    if (!all && !c->null_count) return DP_OK;
    struct dp_sql_run *run = dp_sql_run_open(m->sql);
    dp_column_init(&made, c->type);
    for (int64_t row = 0; row < b->length && status == DP_OK; row++) {
        if (!all && dp_column_is_valid(c, row)) dp_column_append(&made, c, row, 1);
        else status = dp_sql_append(run, b, row, &made, err);
    }
    dp_sql_run_close(run);
    if (status == DP_OK) {
        struct dp_column old = *c;
        *c = made;
        made = old;
    }
    dp_column_release(&made);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "generated column %s: ", c->type->name);
}

enum dp_status dp_generated_fill(const struct dp_generated *g, struct dp_batch *b, struct dp_err *err) {
    for (size_t i = 0; g && i < g->n_made; i++) DP_TRY(make(&g->made[i], false, b, err));
    return DP_OK;
}

static bool is_among(size_t column, const size_t *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (v[i] == column) return true;
    return false;
}

size_t dp_generated_follow(const struct dp_generated *g, const size_t *changed, size_t n, size_t *out) {
    size_t found = 0;
    for (size_t i = 0; g && i < g->n_made; i++) {
        bool reads = false;
        for (size_t k = 0; k < n; k++) reads |= dp_sql_reads(g->made[i].sql, changed[k]);
        if (reads && !is_among(g->made[i].column, changed, n)) out[found++] = g->made[i].column;
    }
    return found;
}

enum dp_status dp_generated_remake(const struct dp_generated *g, size_t column, struct dp_batch *b, struct dp_err *err) {
    for (size_t i = 0; i < g->n_made; i++)
        if (g->made[i].column == column) return make(&g->made[i], true, b, err);
    return DP_OK;
}

/*
 * Files of the store that are parts of one dataset (dp/io/catalog_query.h): those that a printed name stands for, and which datasets are no files at all.
 */
#include "catalog_priv.h"

#include <dp/rules/fold.h>

#include <stdlib.h>

enum { Q_IS_TABLE };

enum dp_status dp_catalog_is_table(struct dp_catalog *c, int64_t dataset, bool *is_table, struct dp_err *err) {
    static const char sql[] = "SELECT lower(json_extract(text, '$.storageLayer')) IN ('delta', 'iceberg', 'hudi', 'paimon') FROM (SELECT body FROM facet WHERE kind = 'd' AND owner = ?1 AND key = 'storage'"
                              " ORDER BY at DESC LIMIT 1) JOIN body ON body.id = body";
    enum dp_status status = DP_OK;
    void *st = dp_cat_ask(c, DP_CAT_ST_FOLDS + Q_IS_TABLE, sql, &status, err);
    *is_table = false;
    if (!st) return status;
    c->sq.bind_int64(st, 1, dataset);
    if (dp_cat_next(c, st, &status, err)) *is_table = dp_cat_i64(c, st, 0) == 1;
    c->sq.reset(st);
    return status;
}

/* All datasets, by name, that the text stands for. */
static enum dp_status find_datasets(struct dp_catalog *c, struct dp_str text, struct dp_catalog_node **v, size_t *n, struct dp_err *err) {
    size_t cap = 0, to_brace = 0;
    void *st;
    struct dp_buf printed = {0};
    enum dp_status status = dp_cat_query(c, &st, err, "SELECT id, ns, name FROM dataset ORDER BY name, ns", "");
    while (to_brace < text.n && text.p[to_brace] != '{') to_brace++;
    while (dp_cat_next(c, st, &status, err)) {
        struct dp_str ns = dp_cat_str(c, st, 1), name = dp_cat_str(c, st, 2);
        int64_t id = dp_cat_i64(c, st, 0);
        bool is_table = false;
        if (!dp_fold_is_of_files(ns)) continue;
        struct dp_catalog_node d = {.kind = 'd', .id = id, .dataset = id, .ns = dp_strndup(ns.p, ns.n), .name = dp_strndup(name.p, name.n)};
        dp_buf_reset(&printed);
        dp_catalog_node_print(&d, &printed);
        size_t head = printed.n - name.n;
        bool fits = printed.n >= to_brace && to_brace >= head && !memcmp(printed.p, text.p, to_brace) && dp_fold_matches(dp_str(text.p + head, text.n - head), name);
        if (fits) status = dp_catalog_is_table(c, id, &is_table, err);
        if (!fits || is_table || status) {
            dp_catalog_node_release(&d);
            continue;
        }
        *v = dp_grow(*v, &cap, *n + 1, sizeof **v);
        (*v)[(*n)++] = d;
    }
    c->sq.finalize(st);
    dp_buf_release(&printed);
    return status;
}

/* Those that have the column, as columns. */
static enum dp_status find_columns(struct dp_catalog *c, struct dp_str field, struct dp_catalog_node *v, size_t *n, struct dp_err *err) {
    size_t kept = 0;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < *n; i++) {
        void *st = NULL;
        if (status == DP_OK) status = dp_cat_query(c, &st, err, "SELECT id FROM field WHERE dataset = ?1 AND name = ?2", "is", v[i].id, field);
        bool is_there = dp_cat_next(c, st, &status, err);
        if (is_there) v[i].kind = 'c', v[i].id = dp_cat_i64(c, st, 0), v[i].field = dp_strndup(field.p, field.n);
        if (is_there) v[kept++] = v[i];
        else dp_catalog_node_release(&v[i]);
        c->sq.finalize(st);
    }
    *n = kept;
    return status;
}

enum dp_status dp_catalog_find_folded(struct dp_catalog *c, const char *text, struct dp_catalog_node **v, size_t *n, struct dp_err *err) {
    struct dp_str t = dp_str_z(text);
    *v = NULL, *n = 0;
    if (dp_str_starts(t, DP_STR("dataset:"))) t = dp_str(t.p + 8, t.n - 8);
    if (!dp_fold_is_printed(t)) return DP_OK;
    enum dp_status status = find_datasets(c, t, v, n, err);
    for (size_t i = t.n; status == DP_OK && !*n && i-- > 1;) {
        if (t.p[i] != '#') continue;
        status = find_datasets(c, dp_str(t.p, i), v, n, err);
        if (status == DP_OK && *n) status = find_columns(c, dp_str(t.p + i + 1, t.n - i - 1), *v, n, err);
        break;
    }
    if (status == DP_OK) return DP_OK;
    for (size_t i = 0; i < *n; i++) dp_catalog_node_release(&(*v)[i]);
    free(*v);
    *v = NULL, *n = 0;
    return status;
}

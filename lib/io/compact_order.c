/* The order that rows are to have (dp/io/compact.h): what --sort and --cluster say, and what a clustered table asks for (domain delta.clustering, digest section 12). */
#include "compact_priv.h"

#include <dp/delta/schema.h>
#include <dp/record/lineage.h>

#include <stdlib.h>

static void add_column(struct dp_order *o, struct dp_str name) {
    o->columns = dp_realloc(o->columns, (o->n + 1) * sizeof *o->columns);
    o->columns[o->n++] = dp_strndup(name.p, name.n);
}

static void set_text(struct dp_order *o, const char *fn) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s(", fn);
    if (o->sort) dp_buf_addz(&b, o->sort);
    for (size_t i = 0; i < o->n; i++) dp_buf_addf(&b, "%s%s", i ? "," : "", o->columns[i]);
    dp_buf_addc(&b, ')');
    o->text = dp_buf_detach(&b);
}

void dp_order_release(struct dp_order *o) {
    for (size_t i = 0; i < o->n; i++) free(o->columns[i]);
    free(o->columns), free(o->sort), free(o->text);
    *o = (struct dp_order){0};
}

void dp_order_set_sort(struct dp_order *o, const char *columns) {
    *o = (struct dp_order){.kind = DP_ORDER_SORT, .sort = dp_strdup(columns)};
    set_text(o, "sort");
}

void dp_order_lineage(const struct dp_order *o, struct dp_mark *begin) {
    struct dp_lineage_on *on = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < o->n; i++) {
        on = dp_grow(on, &cap, n + 1, sizeof *on);
        on[n++] = (struct dp_lineage_on){.field = dp_str_z(o->columns[i]), .how = DP_HOW_SORT};
    }
    for (const char *p = o->n ? NULL : o->sort; p && *p; p += strcspn(p, ","), p += *p == ',') {
        const char *name = p + strspn(p, " -");
        size_t len = strcspn(name, ",");
        while (len && name[len - 1] == ' ') len--;
        on = dp_grow(on, &cap, n + 1, sizeof *on);
        on[n++] = (struct dp_lineage_on){.field = dp_str(name, len), .how = DP_HOW_SORT};
    }
    dp_lineage_all(begin, on, n);
    free(on);
}

/* A curve through one column is its order. */
static void set_curve(struct dp_order *o) {
    o->kind = DP_ORDER_ZORDER;
    set_text(o, "zorder");
    if (o->n != 1) return;
    o->kind = DP_ORDER_SORT;
    o->sort = dp_strdup(o->columns[0]);
}

enum dp_status dp_order_parse_cluster(struct dp_order *o, const char *text, struct dp_err *err) {
    size_t n = strlen(text);
    *o = (struct dp_order){0};
    if (strncmp(text, "zorder(", 7) != 0 || text[n - 1] != ')') return dp_err_set(err, DP_USAGE, "--cluster %s: 'zorder(COLUMN,COLUMN...)' is wanted", text);
    for (const char *p = text + 7, *end = text + n - 1; p <= end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        struct dp_str word = dp_str(p, (size_t)((comma ? comma : end) - p));
        p = (comma ? comma : end) + 1;
        while (word.n && word.p[0] == ' ') word.p++, word.n--;
        while (word.n && word.p[word.n - 1] == ' ') word.n--;
        bool again = false;
        for (size_t i = 0; i < o->n; i++) again |= dp_str_eqz(word, o->columns[i]);
        if (!word.n || again) {
            dp_order_release(o);
            return dp_err_set(err, DP_USAGE, "--cluster %s: %s", text, again ? "a column stands there twice" : "a column's name is missing");
        }
        add_column(o, word);
    }
    set_curve(o);
    return DP_OK;
}

/* The display name of a column's physical one. */
static const char *display(const struct dp_delta_snapshot *s, struct dp_str physical) {
    for (size_t i = 0; i < s->physical->n_children; i++)
        if (dp_str_eqz(physical, s->physical->children[i]->name)) return s->schema->children[i]->name;
    return NULL;
}

static enum dp_status take_columns(struct dp_order *o, const struct dp_delta_snapshot *s, const struct dp_record *r, struct dp_err *err) {
    uint32_t list = dp_json_member(r, 0, "clusteringColumns");
    struct dp_buf name = {0};
    enum dp_status status = DP_OK;
    if (!list || r->nodes[list].kind != DP_KIND_ARRAY) return dp_err_set(err, DP_FORMAT, "domain delta.clustering: clusteringColumns is no array");
    for (uint32_t i = list + 1; i < r->nodes[list].next && status == DP_OK; i = r->nodes[i].next) {
        uint32_t leaf = r->nodes[i].kind == DP_KIND_ARRAY ? i + 1 : i;
        if (leaf > i && (leaf >= r->nodes[i].next || r->nodes[leaf].next != r->nodes[i].next)) {
            status = dp_err_set(err, DP_UNSUPPORTED, "%s is clustered by a nested field: name columns with --cluster", s->table);
            break;
        }
        dp_buf_reset(&name);
        if (!dp_json_get_string(r, leaf, &name)) status = dp_err_set(err, DP_FORMAT, "domain delta.clustering: a column's name is no string");
        const char *column = status == DP_OK ? display(s, dp_buf_str(&name)) : NULL;
        if (column) add_column(o, dp_str_z(column));
        else if (status == DP_OK) status = dp_err_set(err, DP_FORMAT, "domain delta.clustering names column %s, which the table has not", dp_buf_z(&name));
    }
    dp_buf_release(&name);
    return status;
}

enum dp_status dp_order_of_table(struct dp_order *o, const struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_map_item *item = dp_map_get(&s->domains, DP_STR(DP_DELTA_CLUSTERING));
    struct dp_buf text = {0};
    struct dp_record r;
    *o = (struct dp_order){0};
    if (!item || !dp_delta_has_feature(&s->protocol, "clustering")) return DP_OK;
    const struct dp_delta_domain *d = item->v.p;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    dp_buf_adds(&text, d->configuration);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(scan, text.p, text.n, &r, err);
    if (status == DP_OK) status = take_columns(o, s, &r, err);
    else dp_err_prefix(err, "domain delta.clustering: ");
    dp_scan_close(scan);
    dp_buf_release(&text);
    if (status == DP_OK && o->n) set_curve(o);
    else if (status != DP_OK) dp_order_release(o);
    return status;
}

/*
 * Tags and owners of tables: what the table's own contract says, else one that lies in the directories above it; with them the table's properties dp.tag.KEY, and what the store of lineage
 * has under the table's path.
 */
#include "cost_priv.h"

#include <dp/base/file.h>
#include <dp/io/catalog_query.h>
#include <dp/io/lineage_send.h>
#include <dp/record/json.h>

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

/* ---- lists of names ---- */

void cost_names_add(struct dp_cost_names *l, struct dp_str name) {
    size_t i = 0;
    int order = 1;
    if (!name.n) return;
    while (i < l->n && (order = dp_str_cmp(name, dp_str_z(l->v[i]))) > 0) i++;
    if (i < l->n && order == 0) return;
    l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    memmove(l->v + i + 1, l->v + i, (l->n - i) * sizeof *l->v);
    l->v[i] = dp_strndup(name.p, name.n);
    l->n++;
}

void cost_names_release(struct dp_cost_names *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i]);
    free(l->v);
    *l = (struct dp_cost_names){0};
}

/* KEY=VALUE; a tag that is only there is KEY. */
static void add_tag(struct dp_cost_names *l, struct dp_str key, struct dp_str value) {
    struct dp_buf b = {0};
    dp_buf_adds(&b, key);
    if (value.n && !dp_str_eqz(value, "true")) dp_buf_addc(&b, '='), dp_buf_adds(&b, value);
    cost_names_add(l, dp_buf_str(&b));
    dp_buf_release(&b);
}

/* ---- contracts ---- */

/* Members of the objects of a list. */
static void add_items(struct dp_cost_names *l, const struct dp_record *r, uint32_t list, bool tags) {
    struct dp_buf key = {0}, value = {0};
    if (!list && r->nodes[0].kind != DP_KIND_ARRAY) return;
    for (uint32_t i = list + 1; i < r->nodes[list].next; i = r->nodes[i].next) {
        uint32_t k = dp_json_member(r, i, tags ? "key" : "name"), v = dp_json_member(r, i, "value");
        dp_buf_reset(&key), dp_buf_reset(&value);
        if (!k || !dp_json_get_string(r, k, &key)) continue;
        if (v) (void)dp_json_get_string(r, v, &value);
        if (tags) add_tag(l, dp_buf_str(&key), dp_buf_str(&value));
        else cost_names_add(l, dp_buf_str(&key));
    }
    dp_buf_release(&key);
    dp_buf_release(&value);
}

static void add_json(struct dp_cost_names *l, char open, const struct dp_buf *items, char close, bool tags) {
    struct dp_buf b = {0};
    struct dp_record r;
    if (!items->n) return;
    struct dp_scan *scan = dp_scan_open(64u << 20, DP_SCAN_AUTO);
    size_t comma = items->p[0] == ',';
    dp_buf_addc(&b, open);
    dp_buf_add(&b, items->p + comma, items->n - comma);
    dp_buf_addc(&b, close);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(scan, b.p, b.n, &r, NULL) == DP_OK) {
        uint32_t facet = tags ? 0 : dp_json_member(&r, 0, "ownership"), list = facet ? dp_json_member(&r, facet, "owners") : 0;
        if (tags || list) add_items(l, &r, list, tags);
    }
    dp_scan_close(scan);
    dp_buf_release(&b);
}

static void take_about(const struct dp_ol_about *a, struct dp_cost_table *t) {
    add_json(&t->tags, '[', &a->tags, ']', true);
    add_json(&t->owners, '{', &a->facets, '}', false);
}

/* The contract that the table keeps itself; false: none that can be read. */
static bool take_own(const struct dp_delta_snapshot *s, struct dp_cost_table *t) {
    struct dp_str text = dp_delta_property(s, "dp.contract", ""), name = dp_delta_property(s, "dp.contract.object", "");
    struct dp_contract c = {.objects = NULL};
    const struct dp_contract_object *o = NULL;
    struct dp_err none = DP_ERR_INIT;
    if (!text.n || dp_contract_parse(text, "dp.contract", &c, &none) != DP_OK) return false;
    char *object = name.n ? dp_strndup(name.p, name.n) : NULL;
    bool found = dp_contract_object(&c, object, &o, &none) == DP_OK;
    if (found) {
        struct dp_ol_about about;
        dp_ol_about_read(&c, o, &about);
        take_about(&about, t);
        dp_ol_about_release(&about);
    }
    free(object);
    dp_contract_release(&c);
    return found;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status read_directory(struct cost_who *w, const char *dir, struct dp_err *err) {
    char **v = NULL;
    size_t n = 0, cap = 0;
    enum dp_status status = DP_OK;
    struct dp_err why = DP_ERR_INIT;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || !lake_names_contract(e->d_name) || (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)) continue;
        v = dp_grow(v, &cap, n + 1, sizeof *v);
        v[n++] = dp_path_join(dir, e->d_name);
    }
    if (d) closedir(d);
    if (n) qsort(v, n, sizeof *v, by_name);
    for (size_t i = 0; i < n; i++) {
        if (status == DP_OK) status = lake_contracts_add(&w->contracts, v[i], 0, &why, err);
        free(v[i]);
    }
    free(v);
    return status;
}

/* Directories above a table, up to the operand's (of an operand that is a table, the one that it lies in), each once. */
static enum dp_status read_above(struct cost_who *w, struct dp_map *seen, const struct retain_place *p, struct dp_err *err) {
    char *dir = realpath(p->path, NULL);
    size_t up = 1;
    enum dp_status status = DP_OK;
    for (const char *c = p->below; *c; c++) up += *c == '/';
    while (dir && up-- && status == DP_OK) {
        char *above = dp_path_dir(dir);
        bool is_new;
        free(dir), dir = above;
        dp_map_put(seen, dp_str_z(dir), &is_new);
        if (is_new) status = read_directory(w, dir, err);
    }
    free(dir);
    return status;
}

/* ---- the store ---- */

static enum dp_status on_row(void *ctx, const struct dp_catalog_cell *c, size_t n, struct dp_err *err) {
    struct cost_who *w = ctx;
    (void)n, (void)err;
    struct dp_map_item *item = dp_map_put(&w->store, c[0].text, NULL);
    struct cost_said *said = item->v.p;
    if (!said) item->v.p = said = dp_calloc(1, sizeof *said);
    if (dp_str_eqz(c[1].text, "tag")) add_tag(&said->tags, c[2].text, c[3].is_text ? c[3].text : dp_str("", 0));
    else cost_names_add(&said->owners, c[2].text);
    return DP_OK;
}

static enum dp_status read_store(struct cost_who *w, const char *path, struct dp_err *err) {
    struct dp_catalog *c = NULL;
    const struct dp_catalog_args args = {.from = INT64_MIN, .to = INT64_MAX};
    dp_lineage_take_in(path);
    DP_TRY(dp_catalog_open(path, DP_CATALOG_READ, 10000, &c, err));
    enum dp_status status = dp_catalog_ask(c, DP_ASK_MARKED, &args, on_row, w, err);
    dp_catalog_close(c);
    return status;
}

enum dp_status cost_who_open(struct cost_who *w, const struct retain_place *places, size_t n, const char *store, struct dp_err *err) {
    struct dp_map seen = {0};
    enum dp_status status = DP_OK;
    *w = (struct cost_who){.contracts = {.v = NULL}};
    for (size_t i = 0; i < n && status == DP_OK; i++) status = read_above(w, &seen, &places[i], err);
    dp_map_release(&seen);
    if (status == DP_OK && store) status = read_store(w, store, err);
    return status;
}

void cost_who_close(struct cost_who *w) {
    lake_contracts_release(&w->contracts);
    for (size_t i = 0; i < w->store.n; i++) {
        struct cost_said *said = w->store.items[i].v.p;
        cost_names_release(&said->tags);
        cost_names_release(&said->owners);
        free(said);
    }
    dp_map_release(&w->store);
}

static void take_names(struct dp_cost_names *to, const struct dp_cost_names *from) {
    for (size_t i = 0; i < from->n; i++) cost_names_add(to, dp_str_z(from->v[i]));
}

void cost_who_ask(const struct cost_who *w, const char *real, const struct dp_delta_snapshot *s, struct dp_cost_table *t) {
    static const char prefix[] = "dp.tag.";
    if (!take_own(s, t)) {
        const struct lake_contract *c = lake_contracts_find(&w->contracts, real, NULL);
        if (c) take_about(&c->about, t);
    }
    for (size_t i = 0; i < s->metadata.configuration.n; i++) {
        const struct dp_delta_pair *p = &s->metadata.configuration.v[i];
        if (p->key.n > sizeof prefix - 1 && dp_str_starts(p->key, dp_str_z(prefix))) add_tag(&t->tags, dp_str(p->key.p + sizeof prefix - 1, p->key.n - (sizeof prefix - 1)), p->value);
    }
    const struct dp_map_item *item = dp_map_get(&w->store, dp_str_z(real));
    const struct cost_said *said = item ? item->v.p : NULL;
    if (!said) return;
    take_names(&t->tags, &said->tags);
    take_names(&t->owners, &said->owners);
}

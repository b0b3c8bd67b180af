/*
 * dp-lineage impact: what breaks when a dataset, job or column changes or goes, or a contract's version does, and whom to tell.
 *
 * Of a change of contract count the columns that are gone, and those of which dp-contract diff says that it breaks who holds the old contract (types, ranges, required ...).
 * Exit 1 when anything depends on them, so that a pull request can be stopped.
 */
#include "lineage.h"

#include <dp/base/map.h>
#include <dp/rules/diff.h>

#include <stdlib.h>

struct impact_conf {
    const char *store, *dataset;
    int64_t depth, as_of;
    bool contract, current, with_failed, apart, direct, each;
};

static const struct dp_opt impact_options[] = {
    LINEAGE_STORE(impact_conf),
    DP_OPT_FLAG(impact_conf, contract, "contract", 'C', "the operands are two versions of a data contract, the old one and the new one"),
    DP_OPT_STRING(impact_conf, dataset, "dataset", 'D', "DATASET", "the dataset that the contract is for (default: by the names of its objects)", .needs = "contract"),
    LINEAGE_DIRECT(impact_conf),
    DP_OPT_INT(impact_conf, depth, "depth", 'd', "N", "at most N datasets away; 0: as far as it goes", 0, INT32_MAX),
    DP_OPT_TIME(impact_conf, as_of, "as-of", 0, "TIME", "only what was seen up to then", .def = "9999-12-31T23:59:59Z", .up_to = true),
    DP_OPT_FLAG(impact_conf, current, "current", 0, "only what the latest run of each job read and wrote"),
    LINEAGE_WITH_FAILED(impact_conf),
    LINEAGE_EACH(impact_conf),
    DP_OPT_FLAG(impact_conf, apart, "apart", 0, "names that symlinks call the same dataset are each their own"),
    DP_OPT_END};

/* What is asked about, and what a contract says of it. */
struct starts {
    struct lineage_nodes nodes;
    struct dp_buf json;  /* members of "changes" */
    uint64_t n_changes;
};

static void add_start(struct starts *s, struct dp_catalog_node n) {
    struct lineage_nodes *v = &s->nodes;
    v->v = dp_grow(v->v, &v->cap, v->n + 1, sizeof *v->v);
    v->v[v->n++] = n;
}

/* ---- contracts ---- */

static enum dp_status say_change(struct dp_cli *cli, struct starts *s, const char *dataset, const char *column, const char *what, struct dp_err *err) {
    dp_buf_addz(&s->json, s->n_changes++ ? ",{\"dataset\":" : "{\"dataset\":");
    dp_json_add_string(&s->json, dp_str_z(dataset));
    if (column) dp_buf_addz(&s->json, ",\"column\":"), dp_json_add_string(&s->json, dp_str_z(column));
    dp_buf_addz(&s->json, ",\"change\":");
    dp_json_add_string(&s->json, dp_str_z(what));
    dp_buf_addc(&s->json, '}');
    return dp_cli_say(cli, err, "change\t%.300s%s%.200s\t%.300s\n", dataset, column ? "#" : "", column ? column : "", what);
}

/* One column that is changed; a store that never saw it has nothing that depends on it. */
static enum dp_status add_column(struct dp_cli *cli, struct dp_catalog *c, struct starts *s, const struct dp_catalog_node *d, const char *column, const char *what, struct dp_err *err) {
    struct dp_buf b = {0};
    struct dp_catalog_node n = {0};
    struct dp_err none = DP_ERR_INIT;
    DP_TRY(say_change(cli, s, d->name, column, what, err));
    dp_buf_addf(&b, "%s/%s#%s", d->ns, d->name, column);
    enum dp_status status = lineage_find(c, dp_buf_z(&b), "dc", &n, &none);
    dp_buf_release(&b);
    if (status == DP_OK) add_start(s, n);
    else if (status != DP_USAGE) *err = none;
    return status == DP_USAGE ? DP_OK : status;
}

static const struct dp_contract_property *property_of(const struct dp_contract_object *o, const char *name) {
    for (size_t i = 0; o && i < o->n_properties; i++)
        if (!strcmp(o->properties[i].name, name)) return &o->properties[i];
    return NULL;
}

static const struct dp_contract_object *object_of(const struct dp_contract *k, const char *name) {
    for (size_t i = 0; i < k->n_objects; i++)
        if (!strcmp(k->objects[i].name, name)) return &k->objects[i];
    return NULL;
}

/* Does the change stand at this property or inside it?  Paths are OBJECT.PROPERTY... */
static bool is_at(const struct dp_change *x, const struct dp_contract_object *o, const struct dp_contract_property *p) {
    const char *names[] = {p->name, p->logical_name};
    size_t n = strlen(o->name);
    if (strncmp(x->path, o->name, n) != 0 || x->path[n] != '.') return false;
    for (size_t i = 0; i < 2; i++) {
        size_t m = names[i] ? strlen(names[i]) : 0;
        if (m && !strncmp(x->path + n + 1, names[i], m) && strchr(".[", x->path[n + 1 + m])) return true; /* strchr finds the end too */
    }
    return false;
}

static enum dp_status add_object(struct dp_cli *cli, struct dp_catalog *c, const struct dp_contract_object *o, const struct dp_contract *new_, const struct dp_diff *diff, struct starts *s, struct dp_err *err) {
    const struct impact_conf *conf = cli->conf;
    const struct dp_contract_object *now = object_of(new_, o->name);
    struct dp_catalog_node d = {0};
    struct dp_err none = DP_ERR_INIT;
    enum dp_status status;
    if (conf->dataset) {
        status = lineage_find(c, conf->dataset, "d", &d, err);
    } else {
        status = lineage_find(c, o->physical_name ? o->physical_name : o->name, "d", &d, &none);
        if (status == DP_USAGE && o->physical_name) status = lineage_find(c, o->name, "d", &d, &none);
        if (status == DP_USAGE) return dp_err_set(err, DP_USAGE, "object %.100s of the contract: %.300s; --dataset names it", o->name, none.msg);
        if (status) *err = none;
    }
    if (status == DP_OK && !now) {
        status = say_change(cli, s, d.name, NULL, "the object is removed", err);
        struct dp_catalog_node whole = {.kind = 'd', .id = d.id, .dataset = d.id, .ns = dp_strdup(d.ns), .name = dp_strdup(d.name)};
        add_start(s, whole);
    }
    for (size_t i = 0; now && i < o->n_properties && status == DP_OK; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        const struct dp_change *why = NULL;
        for (size_t k = 0; k < diff->n && !why; k++)
            if (diff->v[k].breaks_consumers && is_at(&diff->v[k], o, p)) why = &diff->v[k];
        if (!property_of(now, p->name)) status = add_column(cli, c, s, &d, p->name, "removed, or renamed", err);
        else if (why) status = add_column(cli, c, s, &d, p->name, why->text, err);
    }
    dp_catalog_node_release(&d);
    return status;
}

/* Members of the contract's team, in either form. */
static void add_team(const struct dp_contract *k, struct dp_map *tell) {
    const struct dp_yaml_node *team = dp_yaml_get(k->doc.root, "team"), *list = team && team->kind == DP_YAML_MAP ? dp_yaml_get(team, "members") : team;
    const struct dp_yaml_node *name = team && team->kind == DP_YAML_MAP ? dp_yaml_get(team, "name") : NULL;
    if (name && name->text.n) dp_map_put(tell, name->text, NULL);
    for (size_t i = 0; list && list->kind == DP_YAML_LIST && i < list->n; i++) {
        const struct dp_yaml_node *who = dp_yaml_get(list->items[i], "username");
        if (who && who->text.n && !dp_yaml_get(list->items[i], "dateOut")) dp_map_put(tell, who->text, NULL);
    }
}

static enum dp_status read_contracts(struct dp_cli *cli, struct dp_catalog *c, struct starts *s, struct dp_map *tell, struct dp_err *err) {
    const struct impact_conf *conf = cli->conf;
    struct dp_contract old = {0}, new_ = {0};
    struct dp_diff diff = {0};
    enum dp_status status = cli->n_args == 2 ? DP_OK : dp_err_set(err, DP_USAGE, "--contract takes two files: the old version and the new one");
    if (status == DP_OK) status = dp_contract_read(cli->args[0], &old, err);
    if (status == DP_OK) status = dp_contract_read(cli->args[1], &new_, err);
    if (status == DP_OK && conf->dataset && old.n_objects > 1) status = dp_err_set(err, DP_USAGE, "--dataset names one dataset, and %s has %zu objects", cli->args[0], old.n_objects);
    if (status == DP_OK) {
        dp_diff_contracts(&old, &new_, DP_COMPAT_FORWARD, &diff);
        add_team(&new_, tell);
        for (size_t i = 0; i < old.n_objects && status == DP_OK; i++) status = add_object(cli, c, &old.objects[i], &new_, &diff, s, err);
    }
    dp_diff_release(&diff);
    dp_contract_release(&old), dp_contract_release(&new_);
    return status;
}

/* ---- owners ---- */

struct telling {
    bool *of[2]; /* by id: is the dataset, the job affected? */
    size_t n[2];
    struct dp_map *tell;
};

static enum dp_status on_owner(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct telling *t = ctx;
    (void)err;
    if (n < 4 || !cells[0].text.n || cells[1].number < 0) return DP_OK;
    int is_job = cells[0].text.p[0] == 'j';
    if ((uint64_t)cells[1].number < t->n[is_job] && t->of[is_job][cells[1].number]) dp_map_put(t->tell, cells[2].text, NULL);
    return DP_OK;
}

static enum dp_status find_owners(struct dp_catalog *c, const struct dp_walk *w, struct dp_map *tell, struct dp_err *err) {
    struct telling t = {.tell = tell};
    const struct dp_catalog_args args = {0};
    for (size_t i = 0; i < w->n; i++) {
        size_t *n = &t.n[w->v[i].kind == 'j'];
        if (w->v[i].kind != 'c' && (size_t)w->v[i].id >= *n) *n = (size_t)w->v[i].id + 1;
    }
    for (int k = 0; k < 2; k++) t.of[k] = dp_calloc(t.n[k] + 1, sizeof(bool));
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].kind != 'c') t.of[w->v[i].kind == 'j'][w->v[i].id] = true;
    enum dp_status status = dp_catalog_ask(c, DP_ASK_OWNERS, &args, on_owner, &t, err);
    free(t.of[0]), free(t.of[1]);
    return status;
}

static int by_name(const void *a, const void *b) { return dp_str_cmp(*(const struct dp_str *)a, *(const struct dp_str *)b); }

static enum dp_status print_owners(struct dp_cli *cli, const struct dp_map *tell, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    struct dp_str *v = dp_calloc(tell->n + 1, sizeof *v);
    for (size_t i = 0; i < tell->n; i++) v[i] = tell->items[i].key;
    qsort(v, tell->n, sizeof *v, by_name);
    dp_buf_addc(&b, '[');
    for (size_t i = 0; i < tell->n && status == DP_OK; i++) {
        if (i) dp_buf_addc(&b, ',');
        dp_json_add_string(&b, v[i]);
        status = dp_cli_say(cli, err, "tell\t%.*s\n", DP_STR_FMT(v[i]));
    }
    dp_buf_addc(&b, ']');
    dp_cli_report(cli, "tell", dp_buf_str(&b));
    dp_buf_release(&b);
    free(v);
    return status;
}

/* ---- the answer ---- */

static enum dp_status answer(struct dp_cli *cli, struct dp_catalog *c, struct starts *s, struct dp_map *tell, struct dp_walk *w, struct dp_err *err) {
    const struct impact_conf *conf = cli->conf;
    bool columns = conf->contract;
    for (size_t i = 0; i < s->nodes.n; i++) columns = columns || s->nodes.v[i].kind == 'c';
    const struct dp_walk_conf wc = {.down = true, .columns = columns || (conf->direct && s->nodes.n && s->nodes.v[0].kind != 'j'), .values = conf->direct, .current = conf->current, .with_failed = conf->with_failed, .apart = conf->apart, .depth = lineage_depth(cli, conf->direct, conf->depth), .as_of = conf->as_of};
    if (s->nodes.n) DP_TRY(dp_catalog_walk(c, s->nodes.v, s->nodes.n, &wc, w, err));
    size_t n[3] = {0};
    if (!columns) lineage_whole(w);
    DP_TRY(lineage_print_walk(cli, c, w, columns, conf->each, n, err));
    if (w->n) DP_TRY(find_owners(c, w, tell, err));
    if (w->n) DP_TRY(print_owners(cli, tell, err));
    if (!w->n) return DP_OK;
    return dp_err_set(err, DP_RULE, "%zu dataset%s, %zu job%s and %zu column%s depend on it", n[0], n[0] == 1 ? "" : "s", n[1], n[1] == 1 ? "" : "s", n[2], n[2] == 1 ? "" : "s");
}

static enum dp_status run_impact(struct dp_cli *cli, struct dp_err *err) {
    const struct impact_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct starts s = {0};
    struct dp_map tell = {0};
    struct dp_walk w = {0};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK && conf->contract) status = read_contracts(cli, c, &s, &tell, err);
    for (size_t i = 0; !conf->contract && i < cli->n_args && status == DP_OK; i++) status = lineage_find_all(c, cli->args[i], "dcj", &s.nodes, err);
    for (size_t i = 1; i < s.nodes.n && status == DP_OK; i++)
        if ((s.nodes.v[i].kind == 'j') != (s.nodes.v[0].kind == 'j')) status = dp_err_set(err, DP_USAGE, "jobs and columns in one question: ask for each");
    if (status == DP_OK && conf->contract) {
        struct dp_buf b = {0};
        dp_buf_addf(&b, "[%s]", dp_buf_z(&s.json));
        dp_cli_report(cli, "changes", dp_buf_str(&b));
        dp_buf_release(&b);
    }
    if (status == DP_OK) status = answer(cli, c, &s, &tell, &w, err);
    lineage_nodes_release(&s.nodes);
    dp_buf_release(&s.json);
    dp_map_release(&tell);
    dp_walk_release(&w);
    dp_catalog_close(c);
    return status;
}

const struct dp_tool lineage_impact = {
    .name = "impact", .summary = "tell what breaks when a node or a contract changes, and whom to tell", .args = "NODE", .synopsis = "NODE... [--depth N] [--direct]\n--contract OLD NEW [--dataset DATASET]",
    .options = impact_options, .conf_size = sizeof(struct impact_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = -1, .run = run_impact};

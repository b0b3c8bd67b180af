/*
 * dp-lineage search: datasets and jobs by words in their names, columns, tags, owners and descriptions.
 *
 * The index of words is brought up to date first, where something came since; a store that can't be written is searched as it is.
 */
#include "lineage.h"

#include <dp/base/map.h>

#include <stdlib.h>

struct search_conf {
    const char *store, *tag, *owner, *class;
    int64_t limit;
    int kind;
};

static const char *const kinds[] = {"any", "dataset", "job", NULL};
static const struct dp_opt search_options[] = {
    LINEAGE_STORE(search_conf),
    DP_OPT_ENUM(search_conf, kind, "kind", 'k', "KIND", "only datasets, or only jobs", kinds),
    DP_OPT_STRING(search_conf, tag, "tag", 't', "KEY[=VALUE]", "only what has this tag, itself or in a column"),
    DP_OPT_STRING(search_conf, owner, "owner", 0, "NAME", "only what this owner answers for"),
    DP_OPT_STRING(search_conf, class, "class", 0, "CLASS", "only datasets with a column of this class, own or inherited"),
    DP_OPT_INT(search_conf, limit, "limit", 0, "N", "the best N; 0: all", 0, INT32_MAX, .def = "20"),
    DP_OPT_END};

static enum dp_status bring_up(struct dp_cli *cli, const char *store, bool words, bool classes, struct dp_err *err) {
    struct dp_catalog *c = NULL;
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = lineage_open(store, DP_CATALOG_WRITE, &c, &why);
    if (status == DP_OK && words) status = dp_catalog_index(c, &why);
    if (status == DP_OK && classes) status = dp_catalog_class_index(c, &why);
    if (status == DP_OK) status = dp_catalog_commit(c, &why);
    dp_catalog_close(c);
    if (status == DP_IO) {
        dp_run_log(&cli->run, DP_LOG_WARN, "%s: what came since the index was made is not found", why.msg);
        return DP_OK;
    }
    if (status && err) *err = why;
    return status;
}

/* The store to ask, its indexes as new as can be. */
static enum dp_status open_indexed(struct dp_cli *cli, const char *store, bool by_class, struct dp_catalog **c, struct dp_err *err) {
    bool is_old = false, classes_old = false;
    DP_TRY(lineage_open(store, DP_CATALOG_READ, c, err));
    DP_TRY(dp_catalog_index_is_old(*c, &is_old, err));
    if (by_class) DP_TRY(dp_catalog_class_index_is_old(*c, &classes_old, err));
    if (!is_old && !classes_old) return DP_OK;
    dp_catalog_close(*c), *c = NULL;
    DP_TRY(bring_up(cli, store, is_old, classes_old, err));
    return lineage_open(store, DP_CATALOG_READ, c, err);
}

static enum dp_status print_hits(struct dp_cli *cli, struct dp_catalog *c, const struct dp_search *s, struct dp_err *err) {
    static const char *const where[] = {"name", "column", "text"};
    struct dp_buf b = {0};
    bool json = cli->common.json;
    enum dp_status status = DP_OK;
    if (json) dp_buf_addc(&b, '[');
    for (size_t i = 0; i < s->n && status == DP_OK; i++) {
        struct dp_catalog_node n;
        status = dp_catalog_view(c, s->v[i].kind, s->v[i].id, &n, err);
        if (status) break;
        if (json) {
            dp_buf_addz(&b, i ? ",{" : "{"), lineage_add_json(&n, &b);
            dp_buf_addf(&b, ",\"where\":\"%s\"}", where[s->v[i].where]);
        } else {
            dp_buf_addf(&b, "%s\t%s\t", n.kind == 'd' ? "dataset" : "job", where[s->v[i].where]);
            lineage_add_name(&n, &b), dp_buf_addc(&b, '\n');
        }
    }
    if (json) dp_buf_addc(&b, ']'), dp_cli_report(cli, "found", dp_buf_str(&b));
    else if (status == DP_OK) status = lineage_write(cli, &b, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status run_search(struct dp_cli *cli, struct dp_err *err) {
    const struct search_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_search found = {0};
    const char *eq = conf->tag ? strchr(conf->tag, '=') : NULL;
    char *key = conf->tag ? dp_strndup(conf->tag, eq ? (size_t)(eq - conf->tag) : strlen(conf->tag)) : NULL;
    struct dp_search_conf how = {.words = cli->args, .n_words = cli->n_args, .kind = (char)(conf->kind == 1 || conf->class ? 'd' : conf->kind == 2 ? 'j' : 0), .tag = key, .value = eq ? eq + 1 : NULL,
                                 .owner = conf->owner, .limit = conf->limit};
    struct dp_map among = {0};
    enum dp_status status = DP_OK;
    if (!cli->n_args && !conf->tag && !conf->owner && !conf->class) status = dp_err_set(err, DP_USAGE, "what for? name words, --tag, --owner or --class");
    if (status == DP_OK && conf->class && conf->kind == 2) status = dp_err_set(err, DP_USAGE, "--class is of datasets, --kind job of none");
    if (status == DP_OK) status = open_indexed(cli, conf->store, conf->class, &c, err);
    if (status == DP_OK && conf->class) how.among = &among, status = dp_catalog_of_class(c, dp_str_z(conf->class), &among, err);
    if (status == DP_OK) status = dp_catalog_search(c, &how, &found, err);
    if (status == DP_OK) status = print_hits(cli, c, &found, err);
    free(key);
    dp_map_release(&among);
    dp_search_release(&found);
    dp_catalog_close(c);
    return status;
}

const struct dp_tool lineage_search = {
    .name = "search", .summary = "find datasets and jobs by words", .args = "WORD", .synopsis = "[WORD...] [--kind KIND] [--tag KEY[=VALUE]] [--owner NAME] [--class CLASS]", .options = search_options,
    .conf_size = sizeof(struct search_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = -1, .run = run_search};

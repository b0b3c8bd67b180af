/*
 * The commands of dp-lineage: each is a file of this directory with its options, its run function and its dp_tool; dp-lineage.c lists them.
 */
#ifndef LINEAGE_H
#define LINEAGE_H

#include <dp/cli/cli.h>
#include <dp/io/catalog_note.h>
#include <dp/io/catalog_search.h>

extern const struct dp_tool lineage_ingest, lineage_up, lineage_down, lineage_impact, lineage_path, lineage_runs, lineage_orphans, lineage_stale, lineage_diff, lineage_graph, lineage_export, lineage_send,
    lineage_search, lineage_show, lineage_tag, lineage_own, lineage_classify, lineage_policy, lineage_discover;

#define LINEAGE_STORE(conf) DP_OPT_PATH(conf, store, "store", 's', "FILE", "the store (default: $DP_LINEAGE where it names one, else $XDG_STATE_HOME/dp/lineage.db)")

#define LINEAGE_EACH(conf) DP_OPT_FLAG(conf, each, "each", 0, "each file by itself, also those that are parts of one dataset")
#define LINEAGE_WITH_FAILED(conf) DP_OPT_FLAG(conf, with_failed, "with-failed", 0, "also what only runs read and wrote that ended in FAIL or ABORT")

/* `path` NULL: the default. */
enum dp_status lineage_open(const char *path, enum dp_catalog_mode mode, struct dp_catalog **out, struct dp_err *err) DP_MUST_CHECK;
/* A node by the name that the user typed (dp_catalog_find), from the working directory. */
enum dp_status lineage_find(struct dp_catalog *c, const char *text, const char *kinds, struct dp_catalog_node *out, struct dp_err *err) DP_MUST_CHECK;
/* What the user named: a node, or all files that a name with {date}, {n} ... stands for.  Zero value is empty. */
struct lineage_nodes {
    struct dp_catalog_node *v;
    size_t n, cap;
};
/* Adds to them. */
enum dp_status lineage_find_all(struct dp_catalog *c, const char *text, const char *kinds, struct lineage_nodes *out, struct dp_err *err) DP_MUST_CHECK;
void lineage_nodes_release(struct lineage_nodes *s);
/* A name as it is printed, '?' for control bytes; as JSON members "kind", "namespace", "name" and, of a column, "column". */
void lineage_add_name(const struct dp_catalog_node *n, struct dp_buf *b);
void lineage_add_json(const struct dp_catalog_node *n, struct dp_buf *b);
/* A node of a walk as a line or as a JSON object; `how`: with the level. */
enum dp_status lineage_add_node(struct dp_catalog *c, const struct dp_walk_node *n, bool how, bool json, bool first, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;
#define LINEAGE_DIRECT(conf) DP_OPT_FLAG(conf, direct, "direct", 0, "only where values go, masked or not, and one dataset away unless --depth is given")
/* As --direct wants it: a dataset too is walked by columns, and lineage_whole leaves only datasets and jobs of that. */
static inline int64_t lineage_depth(const struct dp_cli *cli, bool direct, int64_t depth) { return direct && !dp_cli_given(cli, "depth") ? 1 : depth; }
void lineage_whole(struct dp_walk *w);
/* The same with its names, which are borrowed; `files`: how many it stands for, 0 of what is itself. */
enum dp_status lineage_add_named(struct dp_catalog *c, const struct dp_walk_node *n, const struct dp_catalog_node *names, size_t files, bool how, bool json, bool first, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;
/* All nodes of a walk: printed, or as member "nodes" of the report; n[3] (may be NULL): how many datasets, jobs and columns.  Files of one dataset are one, unless `each` is to be told. */
enum dp_status lineage_print_walk(struct dp_cli *cli, struct dp_catalog *c, const struct dp_walk *w, bool columns, bool each, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/* Nodes that were asked for, as a JSON object: of several files their dataset's. */
void lineage_add_asked(const struct lineage_nodes *s, struct dp_buf *b);
/* A class and, behind a tab, how a column came to it; or the JSON members "how", "class" and what else is known, with a comma before each. */
void lineage_add_class(struct dp_catalog *c, const struct dp_class *v, bool json, struct dp_buf *b);
/* Rows with tabs between, to standard output: as they are, or aligned where that is a terminal. */
enum dp_status lineage_write(struct dp_cli *cli, const struct dp_buf *rows, struct dp_err *err) DP_MUST_CHECK;
/* A value of a row as it is printed. */
void lineage_add_cell(struct dp_buf *b, const struct dp_catalog_cell *cell, bool json);
/* Prints the rows of a question: a line each with tabs between, or as member `key` of the report. */
enum dp_status lineage_answer(struct dp_cli *cli, struct dp_catalog *c, enum dp_catalog_question q, const struct dp_catalog_args *args, const char *key, uint64_t *n, struct dp_err *err) DP_MUST_CHECK;

#endif

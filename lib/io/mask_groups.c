/* Row groups of a Parquet file or a table, with the files that they are in: for masking, which copies what it does not change. */
#include "mask_priv.h"

#include <dp/delta/log.h>

#include <stdlib.h>

struct groups {
    struct dp_pq_file *file; /* or */
    struct dp_delta_snapshot *table;
    struct dp_delta_scan *scan;
    size_t next;
    const struct dp_type *set; /* of a file whose own schema differs; NULL: rows are as they stand */
    int *at;                   /* for each column of the set the file's that it is, -1: it is of another type, or missing */
    struct dp_type **alone; /* schemas of one column each, made when they are asked for */
};

/* The file's columns as those of a set. */
static void join_set(struct groups *g, const struct dp_type *set) {
    const struct dp_type *own = dp_pq_schema(g->file);
    g->set = set;
    g->at = dp_calloc(set->n_children + 1, sizeof *g->at);
    for (size_t i = 0; i < set->n_children; i++) {
        g->at[i] = -1;
        for (size_t k = 0; k < own->n_children && g->at[i] < 0; k++)
            if (dp_type_equal(own->children[k], set->children[i])) g->at[i] = (int)k;
    }
}

enum dp_status groups_open(const char *name, const struct dp_type *set, struct groups **out, struct dp_err *err) {
    struct groups *g = dp_calloc(1, sizeof *g);
    enum dp_status status = DP_OK;
    if (dp_delta_is_table(name)) {
        DP_TRY_OUT(dp_delta_open(name, -1, &g->table, err));
        DP_TRY_OUT(dp_delta_scan_open(g->table, NULL, 0, NULL, &g->scan, err));
    } else {
        DP_TRY_OUT(dp_pq_open(name, &g->file, err));
        if (set && !dp_type_equal(set, dp_pq_schema(g->file))) join_set(g, set);
    }
    g->alone = dp_calloc(groups_schema(g)->n_children + 1, sizeof *g->alone);
out:
    if (status == DP_OK) *out = g;
    else groups_close(g);
    return status;
}

void groups_close(struct groups *g) {
    if (!g) return;
    for (size_t i = 0; g->alone && i < groups_schema(g)->n_children; i++) dp_type_free(g->alone[i]);
    free(g->alone);
    free(g->at);
    dp_delta_scan_close(g->scan);
    dp_delta_close(g->table);
    dp_pq_close(g->file);
    free(g);
}

const struct dp_type *groups_schema(const struct groups *g) {
    if (g->set) return g->set;
    return g->file ? dp_pq_schema(g->file) : dp_delta_scan_schema(g->scan);
}

const struct dp_pq_file *groups_file(const struct groups *g) { return g->file; }
const struct dp_delta_snapshot *groups_table(const struct groups *g) { return g->table; }

enum dp_status groups_next(struct groups *g, struct group *out, struct dp_err *err) {
    *out = (struct group){.of = g, .file = g->file};
    if (g->scan) {
        DP_TRY(dp_delta_scan_next(g->scan, &out->task, err));
        out->file = dp_delta_task_file(out->task);
        out->number = dp_delta_task_row_group(out->task);
    } else {
        if (g->next == dp_pq_meta(g->file)->n_row_groups) return DP_END;
        out->number = g->next++;
    }
    out->rows = dp_pq_meta(out->file)->row_groups[out->number].num_rows;
    return DP_OK;
}

void group_release(struct group *g) {
    dp_delta_task_release(g->task);
    g->task = NULL;
}

int group_column(const struct group *g, size_t i) {
    if (g->task) return dp_delta_task_column(g->task, i);
    return g->of->set ? g->of->at[i] : (int)i;
}

bool group_is_whole(const struct group *g) { return !g->task || dp_delta_task_rows(g->task) == g->rows; }

enum dp_status group_rows_open(const struct group *g, size_t column, struct group_rows *out, struct dp_err *err) {
    const struct dp_type *schema = groups_schema(g->of);
    *out = (struct group_rows){0};
    if (g->task) return column == ALL_COLUMNS ? dp_delta_read_open(g->task, &out->read, err) : dp_delta_read_open_column(g->task, column, &out->read, err);
    const char *name = column == ALL_COLUMNS ? NULL : schema->children[column]->name;
    out->joins = !name && g->of->set;
    if (out->joins) dp_evolve_open(&out->join, g->of->set, dp_pq_schema(g->file));
    DP_TRY(dp_pq_reader_open(g->file, out->joins ? out->join.names : name ? &name : NULL, out->joins ? out->join.n_names : 1, &out->reader, err));
    return dp_pq_reader_seek(out->reader, g->number, err);
}

const struct dp_type *groups_column(struct groups *g, size_t i) {
    if (g->alone[i]) return g->alone[i];
    g->alone[i] = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    g->alone[i]->nullable = false;
    dp_type_add(g->alone[i], dp_type_copy(groups_schema(g)->children[i]));
    return g->alone[i];
}

enum dp_status group_rows_next(struct group_rows *r, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    if (r->joins) {
        struct dp_batch *raw = dp_evolve_target(&r->join, dp_pq_reader_schema(r->reader), b);
        DP_TRY(dp_pq_reader_next(r->reader, max_rows, raw, err));
        return dp_evolve_batch(&r->join, b, err);
    }
    return r->read ? dp_delta_read_next(r->read, max_rows, b, err) : dp_pq_reader_next(r->reader, max_rows, b, err);
}

void group_rows_close(struct group_rows *r) {
    dp_evolve_release(&r->join);
    dp_delta_read_close(r->read);
    dp_pq_reader_close(r->reader);
    *r = (struct group_rows){0};
}

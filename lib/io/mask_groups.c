/* Row groups of Parquet files or a table, with the files that they are in: for those who copy what they do not change. */
#include "mask_priv.h"

#include <dp/delta/log.h>

#include <stdatomic.h>
#include <stdlib.h>

/* One of files by name, shared by its row groups. */
struct member {
    atomic_uint refs;
    struct dp_pq_file *file;
    int *at; /* as groups.at; NULL: rows are as they stand */
};

struct groups {
    struct dp_pq_file *file; /* or */
    struct dp_delta_snapshot *own_table;
    const struct dp_delta_snapshot *table; /* that or a borrowed one */
    struct dp_delta_scan *scan;
    size_t next;
    const struct dp_type *set; /* of a file whose own schema differs; NULL: rows are as they stand */
    int *at;                   /* for each column of the set the file's that it is, -1: it is of another type, or missing */
    const char *const *names; /* files one behind the other, */
    size_t n_names, next_name;
    struct member *member;    /* and the one whose row groups come now */
    uint64_t memory;
    struct dp_type **alone; /* schemas of one column each, made when they are asked for */
};

/* For each column of a set the file's that it is. */
static int *join_set(const struct dp_type *set, const struct dp_type *own) {
    int *at = dp_calloc(set->n_children + 1, sizeof *at);
    for (size_t i = 0; i < set->n_children; i++) {
        at[i] = -1;
        for (size_t k = 0; k < own->n_children && at[i] < 0; k++)
            if (dp_type_equal(own->children[k], set->children[i])) at[i] = (int)k;
    }
    return at;
}

static void member_drop(struct member *m) {
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1) return;
    dp_pq_close(m->file);
    free(m->at);
    free(m);
}

enum dp_status groups_open(const char *name, const struct dp_type *set, struct groups **out, struct dp_err *err) {
    struct groups *g = dp_calloc(1, sizeof *g);
    enum dp_status status = DP_OK;
    if (dp_delta_is_table(name)) {
        DP_TRY_OUT(dp_delta_open(name, -1, &g->own_table, err));
        g->table = g->own_table;
        DP_TRY_OUT(dp_delta_scan_open(g->table, NULL, 0, NULL, &g->scan, err));
    } else {
        DP_TRY_OUT(dp_pq_open(name, &g->file, err));
        if (set && !dp_type_equal(set, dp_pq_schema(g->file))) g->set = set, g->at = join_set(set, dp_pq_schema(g->file));
    }
    g->alone = dp_calloc(groups_schema(g)->n_children + 1, sizeof *g->alone);
out:
    if (status == DP_OK) *out = g;
    else groups_close(g);
    return status;
}

enum dp_status groups_open_files(const struct dp_delta_snapshot *table, const struct dp_delta_file *files, const char *const *paths, size_t n, bool row_ids,
                                 uint64_t memory, struct groups **out, struct dp_err *err) {
    struct groups *g = dp_calloc(1, sizeof *g);
    g->table = table;
    enum dp_status status = dp_delta_scan_open(table, NULL, 0, NULL, &g->scan, err);
    if (status == DP_OK && row_ids) status = dp_delta_scan_row_ids(g->scan, err);
    if (status != DP_OK) return groups_close(g), status;
    dp_delta_scan_only(g->scan, files, paths, n);
    dp_delta_scan_bound(g->scan, memory);
    g->alone = dp_calloc(groups_schema(g)->n_children + 1, sizeof *g->alone);
    *out = g;
    return DP_OK;
}

enum dp_status groups_open_names(const char *const *names, size_t n, const struct dp_type *set, uint64_t memory, struct groups **out, struct dp_err *err) {
    struct groups *g = dp_calloc(1, sizeof *g);
    (void)err;
    g->names = names, g->n_names = n, g->set = set, g->memory = memory;
    g->alone = dp_calloc(set->n_children + 1, sizeof *g->alone);
    *out = g;
    return DP_OK;
}

void groups_close(struct groups *g) {
    if (!g) return;
    member_drop(g->member);
    for (size_t i = 0; g->alone && i < groups_schema(g)->n_children; i++) dp_type_free(g->alone[i]);
    free(g->alone);
    free(g->at);
    dp_delta_scan_close(g->scan);
    dp_delta_close(g->own_table);
    dp_pq_close(g->file);
    free(g);
}

const struct dp_type *groups_schema(const struct groups *g) {
    if (g->set) return g->set;
    return g->file ? dp_pq_schema(g->file) : dp_delta_scan_schema(g->scan);
}

const struct dp_pq_file *groups_file(const struct groups *g) { return g->file; }
const struct dp_delta_snapshot *groups_table(const struct groups *g) { return g->table; }

/* The next row group of files by name. */
static enum dp_status next_of_names(struct groups *g, struct group *out, struct dp_err *err) {
    while (!g->member || g->next == dp_pq_meta(g->member->file)->n_row_groups) {
        if (g->next_name == g->n_names) return DP_END;
        struct dp_pq_file *file;
        DP_TRY(dp_pq_open_bounded(g->names[g->next_name++], g->memory, &file, err));
        member_drop(g->member);
        g->member = dp_calloc(1, sizeof *g->member);
        atomic_init(&g->member->refs, 1);
        g->member->file = file;
        if (!dp_type_equal(g->set, dp_pq_schema(file))) g->member->at = join_set(g->set, dp_pq_schema(file));
        g->next = 0;
    }
    atomic_fetch_add(&g->member->refs, 1);
    out->member = g->member;
    out->file = g->member->file;
    out->number = g->next++;
    return DP_OK;
}

enum dp_status groups_next(struct groups *g, struct group *out, struct dp_err *err) {
    *out = (struct group){.of = g, .file = g->file};
    if (g->names) {
        DP_TRY(next_of_names(g, out, err));
    } else if (g->scan) {
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
    member_drop(g->member);
    g->task = NULL, g->member = NULL;
}

int group_column(const struct group *g, size_t i) {
    if (g->task) return dp_delta_task_column(g->task, i);
    const int *at = g->member ? g->member->at : g->of->at;
    return at ? at[i] : (int)i;
}

bool group_is_whole(const struct group *g) { return !g->task || dp_delta_task_rows(g->task) == g->rows; }

enum dp_status group_rows_open(const struct group *g, size_t column, struct group_rows *out, struct dp_err *err) {
    const struct dp_type *schema = groups_schema(g->of);
    *out = (struct group_rows){0};
    if (g->task) return column == ALL_COLUMNS ? dp_delta_read_open(g->task, &out->read, err) : dp_delta_read_open_column(g->task, column, &out->read, err);
    const char *name = column == ALL_COLUMNS ? NULL : schema->children[column]->name;
    const struct dp_type *set = g->member && name ? g->of->alone[column] : g->of->set; /* of files by name also a column that is of another type there, or missing */
    out->joins = g->member ? g->member->at != NULL : !name && set;
    if (out->joins) dp_evolve_open(&out->join, set, dp_pq_schema(g->file));
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

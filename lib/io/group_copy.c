/*
 * Row groups of a source that go into new files as they stand (dp/io/lay.h, "group_begin"): the partition that they belong to, whether they can, and how.
 * Of compaction, masking and edits of tables.
 */
#include "mask_priv.h"

#include <dp/parquet/writer.h>

struct group group_of_task(struct dp_delta_task *t) {
    struct group g = {.file = dp_delta_task_file(t), .task = t, .number = dp_delta_task_row_group(t)};
    g.rows = dp_pq_meta(g.file)->row_groups[g.number].num_rows;
    return g;
}

static struct dp_str name_of(const struct dp_type *t) { return dp_str(t->name, t->name_n); }
/* Is it in the files, or only in what they are partitioned by? */
static bool is_in_files(const struct dp_lay_opts *o, size_t i) { return !dp_layout_is_value(o->layout, name_of(o->schema->children[i])); }

enum dp_status group_key(const struct group *g, const struct dp_lay_opts *o, struct dp_lay_rows *key, struct dp_err *err) {
    if (!key->is_open) dp_lay_rows_open(o, key);
    dp_batch_reset(&key->rows);
    if (!o->layout->n) return DP_OK;
    const struct dp_batch *constants = dp_delta_task_constants(g->task);
    for (size_t i = 0; i < o->schema->n_children; i++) {
        struct dp_column *c = &key->rows.columns[i];
        size_t k = is_in_files(o, i) ? constants->n_columns : 0;
        while (k < constants->n_columns && !dp_str_eq(name_of(constants->schema->children[k]), name_of(o->schema->children[i]))) k++;
        if (k < constants->n_columns) dp_column_append(c, &constants->columns[k], 0, 1);
        else dp_column_append_null(c);
    }
    key->rows.length = 1;
    return dp_lay_group(o, key, err);
}

bool group_can_copy(const struct group *g, const struct dp_lay_opts *o, const struct dp_pq_encoder *e) {
    if (!group_is_whole(g)) return false;
    for (size_t i = 0, to = 0; i < o->schema->n_children; i++) {
        if (!is_in_files(o, i)) continue;
        int from = group_column(g, i);
        if (from < 0 || dp_pq_cant_copy(e, to++, g->file, g->number, (size_t)from)) return false;
    }
    return true;
}

enum dp_status group_copy(const struct group *g, const struct dp_lay_opts *o, struct dp_lay *lay, struct dp_lay_rows *key, struct dp_err *err) {
    struct dp_pq_writer *w;
    DP_TRY(group_key(g, o, key, err));
    DP_TRY(dp_lay_group_begin(lay, key, &w, err));
    DP_TRY(dp_pq_writer_begin(w, g->rows, err));
    for (size_t i = 0; i < o->schema->n_children; i++)
        if (is_in_files(o, i)) DP_TRY(dp_pq_writer_copy(w, g->file, g->number, (size_t)group_column(g, i), err));
    DP_TRY(dp_pq_writer_end(w, err));
    return dp_lay_group_end(lay, g->rows, err);
}

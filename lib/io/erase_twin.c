/*
 * Twins of files that have rows of a person (lib/io/erase_priv.h): the same file without these rows, beside it under a new name.
 *
 * Row groups that lose nothing are copied as they stand; the others keep their order, codec, filters and metadata.  Where rows have ids by their places, the twin says them, for the
 * places are others now (Delta: "Row Tracking").  A change data file of which nothing is left stays, empty: without any the change would be told by whole files.
 */
#include "erase_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/delta/stats.h>
#include <dp/delta/tier.h>
#include <dp/parquet/writer.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 8192, GROUP_BYTES = 26 << 20 };

struct twinning {
    struct erase *x;
    struct erase_file *file;
    struct dp_pq_file *from;
    struct dp_type *schema;       /* of the twin */
    struct dp_pq_column_opts *columns;
    struct dp_pq_writer_opts opts;
    struct dp_pq_writer *writer;
    struct dp_pq_encoder *encoder; /* only to ask what can be copied */
    struct dp_newfile out;
    bool adds_ids;
    size_t at;                    /* in file->gone */
};

static enum dp_status sink(void *ctx, const void *p, size_t n, struct dp_err *err) { return dp_fd_write(((struct dp_newfile *)ctx)->fd, p, n, err); }

/* ---- how ---- */

/* As the file was written: codec, filters, order, whoever's metadata. */
static void choose_options(struct twinning *t) {
    const struct dp_pq_meta *m = dp_pq_meta(t->from);
    struct dp_pq_writer_opts *o = &t->opts;
    *o = (struct dp_pq_writer_opts){.codec = DP_PQ_ZSTD, .level = -1, .keep_codec = true, .row_group_bytes = GROUP_BYTES, .kv = m->kv, .n_kv = m->n_kv};
    t->columns = dp_calloc(m->n_leaves + 1, sizeof *t->columns);
    if (!m->n_row_groups) return;
    const struct dp_pq_row_group *g = &m->row_groups[0];
    for (size_t l = 0; l < m->n_leaves && l < g->n_chunks; l++) {
        const struct dp_pq_chunk *c = &g->chunks[l];
        bool can = c->codec != DP_PQ_LZO && c->codec != DP_PQ_LZ4;
        t->columns[l] = (struct dp_pq_column_opts){.leaf = l, .n_leaves = 1, .set_codec = can, .codec = c->codec, .level = -1, .bloom = c->bloom_offset >= 0};
    }
    o->columns = t->columns, o->n_columns = m->n_leaves < g->n_chunks ? m->n_leaves : g->n_chunks;
    o->sorting = g->sorting, o->n_sorting = g->n_sorting;
    for (size_t i = 0; i < m->n_row_groups; i++)
        if (m->row_groups[i].num_rows > o->row_group_rows) o->row_group_rows = m->row_groups[i].num_rows;
}

static void add_id_column(struct dp_type *schema, struct dp_str name) { dp_type_add(schema, dp_type_new(DP_TYPE_INT64, name)); }

static void choose_schema(struct twinning *t) {
    const struct dp_delta_row_columns *ids = &t->file->table->row_columns;
    t->schema = dp_type_copy(dp_pq_schema(t->from));
    t->adds_ids = ids->id.n && ids->version.n && !t->file->is_change && t->file->base_row_id != DP_DELTA_UNSET && !dp_type_child(t->schema, ids->id) && !dp_type_child(t->schema, ids->version);
    if (t->adds_ids) add_id_column(t->schema, ids->id), add_id_column(t->schema, ids->version);
}

/* Ids that some rows have and others not, for these have one by their place, are not moved yet. */
static enum dp_status check_ids(const struct twinning *t, struct dp_err *err) {
    const struct erase_table *own = t->file->table;
    if (!own->s || !dp_delta_tracks_rows(&own->s->protocol, &own->s->metadata) || t->adds_ids || t->file->is_change || t->file->base_row_id == DP_DELTA_UNSET) return DP_OK;
    if (own->row_columns.id.n && dp_type_child(t->schema, own->row_columns.id)) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "%s: rows of %s have ids by their places, and the table names no column to keep them in (table feature rowTracking)", own->name, t->file->path);
}

/* ---- rows ---- */

static int64_t group_gone(struct twinning *t, int64_t first, int64_t rows) {
    const struct erase_file *f = t->file;
    size_t k = t->at;
    while (k < f->n_gone && f->gone[k] < first + rows) k++;
    return (int64_t)(k - t->at);
}

static bool can_copy(struct twinning *t, size_t group) {
    for (size_t i = 0; i < t->schema->n_children; i++)
        if (dp_pq_cant_copy(t->encoder, i, t->from, group, i)) return false;
    return true;
}

static enum dp_status copy_group(struct twinning *t, size_t group, struct dp_err *err) {
    DP_TRY(dp_pq_writer_begin(t->writer, dp_pq_meta(t->from)->row_groups[group].num_rows, err));
    for (size_t i = 0; i < t->schema->n_children; i++) DP_TRY(dp_pq_writer_copy(t->writer, t->from, group, i, err));
    return dp_pq_writer_end(t->writer, err);
}

/* The rows of `b` that stay; `first`: the number of its first row in the file. */
static void keep_rows(struct twinning *t, const struct dp_batch *b, int64_t first, struct dp_batch *out) {
    const struct erase_file *f = t->file;
    for (int64_t i = 0, n; i < b->length; i += n) {
        int64_t end = t->at < f->n_gone && f->gone[t->at] < first + b->length ? f->gone[t->at] - first : b->length;
        for (size_t c = 0; c < b->n_columns; c++) dp_column_append(&out->columns[c], &b->columns[c], i, end - i);
        for (int64_t k = i; t->adds_ids && k < end; k++) {
            int64_t id = f->base_row_id + first + k;
            dp_column_append_fixed(&out->columns[b->n_columns], &id, 1);
            if (f->row_version != DP_DELTA_UNSET) dp_column_append_fixed(&out->columns[b->n_columns + 1], &f->row_version, 1);
            else dp_column_append_null(&out->columns[b->n_columns + 1]);
        }
        out->length += end - i;
        n = end - i;
        if (end < b->length) n++, t->at++;
    }
}

static enum dp_status read_group(struct twinning *t, struct dp_pq_reader *r, size_t group, int64_t first, struct dp_err *err) {
    struct dp_batch in, out;
    dp_batch_init(&in, dp_pq_reader_schema(r));
    dp_batch_init(&out, t->schema);
    enum dp_status status = dp_pq_reader_seek(r, group, err);
    while (status == DP_OK && (status = dp_pq_reader_next(r, ROWS, &in, err)) == DP_OK) {
        dp_batch_reset(&out);
        keep_rows(t, &in, first, &out);
        first += in.length;
        if (out.length) status = dp_pq_writer_add(t->writer, &out, err);
        if (status == DP_OK && dp_run_stopped(t->x->run, err)) status = DP_SIGNALLED;
    }
    dp_batch_release(&in), dp_batch_release(&out);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status write_rows(struct twinning *t, struct dp_err *err) {
    const struct dp_pq_meta *m = dp_pq_meta(t->from);
    struct dp_pq_reader *r = NULL;
    enum dp_status status = DP_OK;
    int64_t first = 0;
    for (size_t g = 0; g < m->n_row_groups && status == DP_OK; g++) {
        int64_t rows = m->row_groups[g].num_rows, gone = t->file->all ? rows : group_gone(t, first, rows);
        if (!gone && !t->adds_ids && can_copy(t, g)) status = copy_group(t, g, err);
        else if (gone == rows) t->at += t->file->all ? 0 : (size_t)gone;
        else {
            if (!r) status = dp_pq_reader_open(t->from, NULL, 0, &r, err);
            if (status == DP_OK) status = read_group(t, r, g, first, err);
        }
        first += rows;
    }
    dp_pq_reader_close(r);
    return status == DP_OK ? dp_pq_writer_finish(t->writer, err) : status;
}

/* ---- what the log says of it ---- */

static struct dp_str make_stats(struct twinning *t) {
    const struct dp_delta_snapshot *s = t->file->table->s;
    struct dp_delta_stats_opts opts;
    struct dp_buf b = {0};
    struct dp_type *data, *names;
    dp_delta_data_columns(s->schema, s->physical, &s->metadata.partition_columns, &data, &names);
    dp_delta_stats_configure(&s->metadata.configuration, &t->x->arena, &opts);
    opts.names = names;
    dp_delta_stats_print(dp_pq_writer_meta(t->writer), data, &opts, &b);
    struct dp_str text = dp_arena_str(&t->x->arena, dp_buf_str(&b));
    dp_buf_release(&b);
    dp_type_free(data), dp_type_free(names);
    return text;
}

static enum dp_status make_digest(struct twinning *t, struct dp_err *err) {
    char *hex = dp_arena_alloc(&t->x->arena, 2 * DP_SHA256_SIZE + 1);
    int fd = open(t->out.tmp, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open %s", t->out.tmp);
    enum dp_status status = dp_sha256_file(fd, dp_pq_writer_size(t->writer), hex, err);
    close(fd);
    t->file->twin.sha256 = dp_str_z(hex);
    return status;
}

/* ---- one file ---- */

/* Files of other tables get their twins here. */
static char *twin_path(struct erase *x, struct erase_file *f) {
    char id[37];
    dp_uuid(id);
    f->twin_name = dp_arena_printf(&x->arena, "%s-%s.parquet", f->is_change ? "cdc" : "part-00000", id);
    char *dir = f->is_own ? dp_path_dir(f->path) : dp_strdup(f->table->root), *path = dp_path_join(dir, f->twin_name);
    free(dir);
    return path;
}

static enum dp_status open_twin(struct twinning *t, const char *to, unsigned mode, struct dp_err *err) {
    DP_TRY(dp_pq_open_bounded(t->file->path, t->x->run->memory / 4, &t->from, err));
    choose_schema(t);
    DP_TRY(check_ids(t, err));
    choose_options(t);
    DP_TRY(dp_pq_encoder_open(t->schema, &t->opts, &t->encoder, err));
    DP_TRY(dp_newfile_open(&t->out, to, mode, err));
    return dp_pq_writer_open(t->schema, &t->opts, t->x->run->pool, sink, &t->out, &t->writer, err);
}

static void close_twin(struct twinning *t) {
    if (t->writer) dp_pq_writer_close(t->writer);
    dp_pq_encoder_close(t->encoder);
    dp_pq_close(t->from);
    dp_type_free(t->schema);
    free(t->columns);
}

static bool is_in_home(const struct erase_file *f) { return f->is_own && !erase_is_below(f->path, f->table->root); }

static enum dp_status make_twin(struct erase *x, struct erase_file *f, struct dp_err *err) {
    struct twinning t = {.x = x, .file = f};
    char *to = twin_path(x, f);
    enum dp_status status = open_twin(&t, to, 0666, err);
    if (status == DP_OK) status = write_rows(&t, err);
    if (status == DP_OK) {
        f->twin.size = (int64_t)dp_pq_writer_size(t.writer);
        f->twin.rows = f->rows, f->twin.gone = f->gone, f->twin.n_gone = f->n_gone;
        if (!f->is_change) f->twin.stats = make_stats(&t);
        if (is_in_home(f)) status = make_digest(&t, err);
        x->out->bytes_written += (uint64_t)f->twin.size;
    }
    if (status == DP_OK) status = dp_newfile_commit(&t.out, err);
    if (status != DP_OK) dp_err_at(err, f->path, 0, DP_NO_OFFSET);
    dp_newfile_abort(&t.out);
    close_twin(&t);
    free(to);
    return status;
}

enum dp_status erase_rewrite(struct erase *x, const char *path, int64_t *gone, size_t n_gone, unsigned mode, struct dp_newfile *out, struct dp_err *err) {
    struct erase_table none = {.s = NULL};
    struct erase_file f = {.path = path, .table = &none, .base_row_id = DP_DELTA_UNSET, .row_version = DP_DELTA_UNSET, .gone = gone, .n_gone = n_gone};
    struct twinning t = {.x = x, .file = &f};
    struct stat st;
    enum dp_status status = open_twin(&t, path, mode, err);
    if (status == DP_OK) status = write_rows(&t, err);
    if (status == DP_OK && stat(path, &st) == 0) x->out->bytes_removed += (uint64_t)st.st_size;
    if (status == DP_OK) x->out->bytes_written += dp_pq_writer_size(t.writer);
    close_twin(&t);
    *out = t.out;
    if (status != DP_OK) dp_newfile_abort(out);
    return status;
}

static void count(struct erase *x, const struct erase_file *f) {
    struct dp_erased *d = x->out;
    d->rows += f->all ? (uint64_t)f->rows : f->n_gone;
    if (f->is_own) d->bytes_removed += f->bytes;
    else d->foreign++;
    if (f->is_change) d->change_files++;
    else if (f->all) d->files_removed++;
    else d->files_rewritten++;
}

enum dp_status erase_twins(struct erase *x, struct dp_err *err) {
    for (size_t i = 0; i < x->files.n; i++) {
        struct erase_file *f = x->files.items[i].v.p;
        if (!f->is_named || f->is_done || (!f->all && !f->n_gone)) continue;
        f->is_done = true;
        count(x, f);
        if (x->run->dry_run || (f->all && !f->is_change)) continue;
        DP_TRY(make_twin(x, f, err));
        if (x->run->tick) x->run->tick(x->run);
    }
    return DP_OK;
}

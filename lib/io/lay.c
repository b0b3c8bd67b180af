/*
 * Partitions and their files (dp-partition(1)).  Rows come into the stage, all partitions mixed; a full stage is dealt out, each partition's
 * rows as one extent to the store (lay_store.c), or to its file where a row group's worth is together.  One file is written at a time,
 * but for partitions that have begun theirs.  What each part may take of --memory is said in set_memory().  Rows of
 * a chunk: lay_rows.c; sorted partitions: lay_merge.c; along a curve: lay_cluster.c.
 */
#include "lay_priv.h"

#include <dp/delta/evolve.h>
#include <dp/delta/mapping.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TARGET_SIZE (128u << 20)
#define MAX_OPEN 64
#define ROWS_EACH 32               /* rows of a partition in a full stage, when there is memory for so many */
#define SYNC_FILES 64              /* complete files that are synced at once, */
#define SYNC_BYTES (32 << 20)      /* or bytes of them */
#define META_BYTES (2 << 20)       /* what a file's metadata may take before the file is complete: it grows with columns and row groups */
#define FRUGAL_BELOW (96u << 20)   /* of memory: then the writers give back what they can */
#define META_CHUNK 700             /* of it for a column of a row group, about */

/* ---- files ---- */

static enum dp_status to_file(void *ctx, const void *p, size_t n, struct dp_err *err) {
    struct dp_lay_file *f = ctx;
    return dp_fd_write(f->new.fd, p, n, err) == DP_OK ? DP_OK : dp_err_prefix(err, "%s: ", f->new.final);
}

/* A table has its types in its log. */
static bool is_for_table(const struct dp_lay *l) { return l->o.staging || l->run->marks; }

static enum dp_status open_file(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    char uuid[37], name[80];
    struct dp_pq_writer_opts o = l->writer;
    struct dp_pq_key_value kv[3] = {{DP_STR(DP_DELTA_KV_SCHEMA), dp_buf_str(&l->row_schema), true}, {DP_STR(DP_DELTA_KV_PARTITION), dp_str_z(p->values), true}};
    enum dp_status status;
    dp_uuid(uuid);
    snprintf(name, sizeof name, "part-%05zu-%s.parquet", l->n_files++, uuid);
    char *dir = p->subdir[0] ? dp_path_join(l->dir, p->subdir) : dp_strdup(l->dir), *path = dp_path_join(dir, name);
    struct dp_lay_file *f = dp_calloc(1, sizeof *f);
    f->new.slot = -1;
    DP_TRY_OUT(dp_mkdirs_unsynced(dir, err)); /* synced with the file's name */
    DP_TRY_OUT(dp_newfile_open(&f->new, path, 0666, err));
    o.kv = kv, o.n_kv = 2;
    if (l->o.evolved && l->o.table->mapping != DP_DELTA_MAPPING_NONE)
        kv[o.n_kv++] = (struct dp_pq_key_value){DP_STR(DP_DELTA_KV_EVOLVED), l->o.table->metadata.schema_string, true};
    o.json_as_string = is_for_table(l);
    DP_TRY_OUT(dp_pq_writer_open(l->file_schema, &o, l->run->pool, to_file, f, &f->writer, err));
    p->file = f;
    l->n_open++;
out:
    if (status != DP_OK) {
        dp_newfile_abort(&f->new);
        free(f);
    }
    free(path);
    free(dir);
    return status;
}

static void drop_file(struct dp_lay *l, struct dp_lay_part *p) {
    if (!p->file) return;
    dp_pq_writer_close(p->file->writer);
    dp_newfile_abort(&p->file->new);
    free(p->file);
    p->file = NULL;
    l->n_open--;
}

/* Files [from, n_finished) are synced; they need no descriptor any more. */
static enum dp_status sync_finished(struct dp_lay *l, struct dp_err *err) {
    size_t n = l->n_finished - l->n_synced;
    struct dp_newfile **f = dp_calloc(n + 1, sizeof *f);
    for (size_t i = 0; i < n; i++) f[i] = &l->finished[l->n_synced + i].new;
    enum dp_status status = dp_newfiles_sync(f, n, err);
    free(f);
    if (status == DP_OK) l->n_synced = l->n_finished, l->unsynced = 0;
    return status;
}

/* Those that are synced get their names, and are told. */
static enum dp_status name_finished(struct dp_lay *l, struct dp_err *err) {
    size_t first = l->n_named, n = l->n_synced - first;
    struct dp_newfile **f = dp_calloc(n + 1, sizeof *f);
    for (size_t i = 0; i < n; i++) f[i] = &l->finished[first + i].new;
    enum dp_status status = dp_newfiles_publish(f, n, l->dir, err);
    free(f);
    l->n_named = l->n_synced;
    for (size_t i = first; i < l->n_named && status == DP_OK; i++) {
        const struct dp_lay_finished *x = &l->finished[i];
        status = l->done(l->ctx, x->new.final, x->rows, x->bytes, err);
    }
    return status;
}

static enum dp_status complete_file(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    struct dp_lay_file *f = p->file;
    DP_TRY(dp_pq_writer_finish(f->writer, err));
    uint64_t bytes = dp_pq_writer_size(f->writer);
    l->finished = dp_grow(l->finished, &l->finished_cap, l->n_finished + 1, sizeof *l->finished);
    l->finished[l->n_finished++] = (struct dp_lay_finished){f->new, f->rows, bytes};
    l->unsynced += bytes;
    f->new = (struct dp_newfile){.fd = -1, .slot = -1};
    drop_file(l, p);
    if (l->n_finished - l->n_synced < SYNC_FILES && l->unsynced < SYNC_BYTES) return DP_OK;
    DP_TRY(sync_finished(l, err));
    return l->o.staging ? name_finished(l, err) : DP_OK;
}

/* What the metadata of a file takes in memory, by count: that must not differ from machine to machine. */
static size_t file_meta(const struct dp_lay *l, const struct dp_pq_writer *w) {
    return dp_pq_writer_meta(w)->n_row_groups * dp_type_leaves(l->file_schema) * META_CHUNK;
}

/* Rows on their way without the order column, as a view. */
static struct dp_batch file_rows(const struct dp_lay *l, const struct dp_batch *b) {
    struct dp_batch view = *b;
    view.schema = l->file_schema;
    view.n_columns = l->file_schema->n_children;
    return view;
}

/* Rows to the partition's file; a file that reached the target size at the end of a row group is complete. */
enum dp_status dp_lay_feed(struct dp_lay *l, struct dp_lay_part *p, const struct dp_batch *b, struct dp_err *err) {
    const struct dp_batch rows = file_rows(l, b);
    for (int64_t from = 0, taken; from < b->length; from += taken) {
        if (!p->file) DP_TRY(open_file(l, p, err));
        DP_TRY(dp_pq_writer_add_some(p->file->writer, &rows, from, b->length - from, &taken, err));
        p->file->rows += taken;
        const struct dp_pq_writer *w = p->file->writer;
        if (dp_pq_writer_pending(w) > 0) continue;
        if (dp_pq_writer_size(w) >= l->o.target_size || file_meta(l, w) >= META_BYTES) DP_TRY(complete_file(l, p, err));
    }
    return DP_OK;
}

/* ---- partitions ---- */

void dp_lay_drop_extents(struct dp_lay *l, struct dp_lay_part *p, size_t first, size_t n) {
    for (size_t i = first; i < first + n; i++) {
        p->rows -= p->extents[i].rows;
        p->bytes -= p->extents[i].n;
        dp_lay_store_drop(&l->store, &p->extents[i]);
    }
}

enum dp_status dp_lay_put_extent(struct dp_lay *l, struct dp_lay_part *p, const struct dp_batch *b, uint32_t level, struct dp_err *err) {
    p->extents = dp_grow(p->extents, &p->extents_cap, p->n_extents + 1, sizeof *p->extents);
    struct dp_lay_extent *x = &p->extents[p->n_extents];
    DP_TRY(dp_lay_store_put(&l->store, b, x, err));
    x->level = level;
    p->n_extents++;
    p->rows += x->rows;
    p->bytes += x->n;
    return DP_OK;
}

/* Many small extents cost more than their rows: the last ones, when they are so many of one level, become one of the next. */
static enum dp_status join_extents(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    while (p->n_extents >= DP_LAY_TIER) {
        struct dp_lay_extent *x = &p->extents[p->n_extents - DP_LAY_TIER];
        uint32_t level = x->level;
        size_t bytes = 0;
        for (size_t i = 0; i < DP_LAY_TIER; i++) bytes += x[i].level == level ? x[i].n : DP_LAY_TIER_BYTES;
        if (bytes >= DP_LAY_TIER_BYTES) break;
        dp_batch_reset(&l->piece);
        for (size_t i = 0; i < DP_LAY_TIER; i++) {
            DP_TRY(dp_lay_store_view(&l->store, &x[i], &l->view, NULL, err));
            dp_batch_append(&l->piece, &l->view, 0, l->view.length);
        }
        dp_lay_drop_extents(l, p, p->n_extents - DP_LAY_TIER, DP_LAY_TIER);
        p->n_extents -= DP_LAY_TIER;
        DP_TRY(dp_lay_put_extent(l, p, &l->piece, level + 1, err));
    }
    return DP_OK;
}

/* What the store has of an unsorted partition, in the order of arrival, to its file. */
static enum dp_status drain(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    for (size_t i = 0; i < p->n_extents; i++) {
        DP_TRY(dp_lay_store_view(&l->store, &p->extents[i], &l->view, NULL, err));
        DP_TRY(dp_lay_feed(l, p, &l->view, err));
    }
    dp_lay_drop_extents(l, p, 0, p->n_extents);
    p->n_extents = 0;
    return DP_OK;
}

/* As many rows of a batch as one piece has. */
static int64_t piece_rows(const struct dp_batch *b) {
    size_t each = b->length ? dp_batch_bytes(b) / (size_t)b->length : 0;
    size_t n = DP_LAY_PIECE_BYTES / (each ? each : 1);
    return n ? (int64_t)n : 1;
}

/* The piece in hand was of huge rows: its memory is not kept. */
void dp_lay_empty_piece(struct dp_lay *l) {
    bool is_huge = dp_batch_bytes(&l->piece) > 16 * DP_LAY_PIECE_BYTES;
    if (is_huge) dp_batch_release(&l->piece), dp_batch_init(&l->piece, l->stored);
    else dp_batch_reset(&l->piece);
}

/* Rows of the stage to the partition's file or to the store. */
static enum dp_status deal(struct dp_lay *l, struct dp_lay_part *p, const uint32_t *rows, size_t n, bool to_file, struct dp_err *err) {
    size_t step = (size_t)piece_rows(&l->stage);
    for (size_t i = 0; i < n; i += step) {
        dp_lay_empty_piece(l);
        dp_batch_gather(&l->piece, &l->stage, rows + i, n - i < step ? n - i : step);
        if (to_file) DP_TRY(dp_lay_feed(l, p, &l->piece, err));
        else DP_TRY(dp_lay_put_extent(l, p, &l->piece, 0, err));
    }
    return DP_OK;
}

enum dp_status dp_lay_put_run(struct dp_lay *l, struct dp_lay_part *p, uint32_t *rows, size_t n, struct dp_err *err) {
    size_t first = p->n_extents;
    dp_lay_sort_rows(&l->sort, &l->stage, rows, l->spare, n);
    DP_TRY(deal(l, p, rows, n, false, err));
    dp_lay_add_run(p, first);
    return dp_lay_join_small_runs(l, p, err);
}

/* Rows behind the last whole row group return to the partition: another one may need the writers' memory. */
static enum dp_status take_back(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    if (!p->file || dp_pq_writer_pending(p->file->writer) == 0) return DP_OK;
    const struct dp_batch *b = dp_pq_writer_pending_rows(p->file->writer);
    int64_t step = piece_rows(b);
    for (int64_t i = 0; i < b->length; i += step) {
        dp_lay_empty_piece(l);
        dp_batch_append(&l->piece, b, i, b->length - i < step ? b->length - i : step);
        DP_TRY(dp_lay_put_extent(l, p, &l->piece, 0, err));
    }
    p->file->rows -= b->length;
    dp_pq_writer_drop_pending(p->file->writer);
    return DP_OK;
}

/* ---- the stage ---- */

/* Is there a row group's worth, and may the file begin, or has it? */
static bool is_due(const struct dp_lay *l, const struct dp_lay_part *p) {
    bool enough = p->rows + (int64_t)p->staged >= l->writer.row_group_rows || p->bytes >= (size_t)l->writer.row_group_bytes;
    return enough && l->sort.n == 0 && (p->file || l->n_open < l->o.max_open);
}

static enum dp_status deal_part(struct dp_lay *l, struct dp_lay_part *p, uint32_t *rows, bool is_last, struct dp_err *err) {
    size_t n = p->staged;
    if (l->sort.n) {
        p->staged = 0;
        if (!n || !l->curve) return n ? dp_lay_put_run(l, p, rows, n, err) : DP_OK;
        DP_TRY(deal(l, p, rows, n, false, err)); /* in which order is not known before all have come */
        return join_extents(l, p, err);
    }
    bool to_file = is_last || is_due(l, p);
    p->staged = 0;
    if (to_file) DP_TRY(drain(l, p, err));
    DP_TRY(deal(l, p, rows, n, to_file, err));
    if (!to_file) DP_TRY(join_extents(l, p, err));
    if (is_last) return p->file ? complete_file(l, p, err) : DP_OK;
    return take_back(l, p, err);
}

/* The rows of the stage to their partitions. */
static enum dp_status deal_out(struct dp_lay *l, bool is_last, struct dp_err *err) {
    size_t n = (size_t)l->stage.length, at = 0;
    l->order = dp_grow(l->order, &l->order_cap, n + 1, sizeof *l->order);
    l->spare = dp_grow(l->spare, &l->spare_cap, (l->sort.n && n > l->n_parts ? n : l->n_parts) + 1, sizeof *l->spare);
    for (size_t i = 0; i < l->n_parts; i++) l->spare[i] = (uint32_t)at, at += l->parts[i].staged;
    for (size_t i = 0; i < n; i++) l->order[l->spare[l->stage_part[i]]++] = (uint32_t)i;
    at = 0;
    for (size_t i = 0; i < l->n_parts; i++) {
        struct dp_lay_part *p = &l->parts[i];
        uint32_t *rows = l->order + at;
        at += p->staged;
        if (dp_run_stopped(l->run, err)) return DP_SIGNALLED;
        if (p->staged || is_last) DP_TRY(deal_part(l, p, rows, is_last, err));
    }
    if (l->stage_bytes > 2 * l->stage_max) dp_batch_release(&l->stage), dp_batch_init(&l->stage, l->stored);
    else dp_batch_reset(&l->stage);
    l->stage_bytes = 0;
    return DP_OK;
}

/* So many rows that each partition has some, for each piece of few rows costs as much as one of many; but within the cache where that suffices. */
static bool stage_is_full(const struct dp_lay *l) {
    size_t least = 4u << 20;
    if (l->sort.n) return l->stage_bytes >= l->stage_max;
    return l->stage_bytes >= l->stage_max || (l->stage_bytes >= least && (size_t)l->stage.length >= ROWS_EACH * l->n_parts);
}

/* The values of a partition's key, for its files. */
static enum dp_status name_part(const struct dp_lay *l, const struct dp_batch *keys, int64_t row, struct dp_lay_part *p, struct dp_err *err) {
    struct dp_buf json = {0}, dir = {0}, text = {0};
    enum dp_status status = DP_OK;
    dp_buf_addc(&json, '{');
    for (size_t i = 0; i < l->o.layout->n; i++) {
        struct dp_str name = dp_str(l->keys->children[i]->name, l->keys->children[i]->name_n);
        bool is_null = false;
        dp_buf_reset(&text);
        DP_TRY_OUT(dp_delta_partition_text(&keys->columns[i], row, &text, &is_null, err));
        is_null = !dp_column_is_valid(&keys->columns[i], row);
        if (i) dp_buf_addc(&json, ',');
        dp_json_add_string(&json, name);
        dp_buf_addc(&json, ':');
        if (is_null) dp_buf_addz(&json, "null");
        else dp_json_add_string(&json, dp_buf_str(&text));
        if (i) dp_buf_addc(&dir, '/');
        dp_delta_hive_dir(name, dp_buf_str(&text), is_null, &dir);
    }
    dp_buf_addc(&json, '}');
    p->values = dp_buf_detach(&json);
    p->subdir = l->o.staging ? dp_strdup("") : dp_strdup(dp_buf_z(&dir));
out:
    dp_buf_release(&json);
    dp_buf_release(&dir);
    dp_buf_release(&text);
    return status;
}

static enum dp_status new_part(struct dp_lay *l, const struct dp_batch *keys, int64_t row, struct dp_err *err) {
    l->parts = dp_grow(l->parts, &l->parts_cap, l->n_parts + 1, sizeof *l->parts);
    l->parts[l->n_parts] = (struct dp_lay_part){0};
    DP_TRY(name_part(l, keys, row, &l->parts[l->n_parts], err));
    l->n_parts++;
    return DP_OK;
}

/* The columns of the incoming rows that go into files, and the order column, as a batch that borrows them. */
static void view_rows(struct dp_lay *l, const struct dp_batch *rows, struct dp_batch *view) {
    size_t n = l->stored->n_children - (l->curve != NULL);
    view->schema = l->stored;
    view->length = rows->length;
    view->n_columns = l->stored->n_children;
    view->columns = dp_calloc(view->n_columns + 1, sizeof *view->columns);
    for (size_t i = 0; i < n; i++) view->columns[i] = rows->columns[l->columns[i]];
    if (!l->curve) return;
    for (int64_t zero = 0; l->no_order.length < rows->length;) dp_column_append_fixed(&l->no_order, &zero, 1);
    view->columns[n] = l->no_order;
}

/* Numbers of a chunk's groups become those of partitions. */
static enum dp_status number_rows(struct dp_lay *l, const struct dp_lay_rows *r, uint32_t *part_of, struct dp_err *err) {
    size_t n = (size_t)r->rows.length, groups = r->groups.n;
    l->spare = dp_grow(l->spare, &l->spare_cap, groups + 1, sizeof *l->spare);
    for (size_t g = 0; g < groups; g++) {
        bool is_new;
        struct dp_map_item *item = dp_map_put(&l->index, r->groups.items[g].key, &is_new);
        if (is_new) {
            item->v.u = l->n_parts;
            DP_TRY(new_part(l, &r->keys, r->first[g], err));
        }
        l->spare[g] = (uint32_t)item->v.u;
    }
    for (size_t i = 0; i < n; i++) {
        part_of[i] = l->spare[r->group_of[i]];
        l->parts[part_of[i]].staged++;
    }
    return DP_OK;
}

static enum dp_status add_rows(struct dp_lay *l, const struct dp_lay_rows *r, const struct dp_batch *view, struct dp_err *err) {
    size_t n = (size_t)r->rows.length, at = (size_t)l->stage.length;
    bool is_single = l->o.layout->n == 0;
    if (is_single && l->n_parts == 0) DP_TRY(new_part(l, &r->keys, 0, err));
    if (is_single && l->sort.n == 0) return dp_lay_feed(l, &l->parts[0], view, err);
    l->stage_part = dp_grow(l->stage_part, &l->stage_part_cap, at + n, sizeof *l->stage_part);
    if (is_single) {
        memset(l->stage_part + at, 0, n * sizeof *l->stage_part);
        l->parts[0].staged += n;
    } else {
        DP_TRY(number_rows(l, r, l->stage_part + at, err));
    }
    dp_batch_append(&l->stage, view, 0, view->length);
    l->stage_bytes = dp_batch_bytes(&l->stage) + (l->sort.n ? DP_LAY_SORT_BYTES : 8) * (at + n);
    return stage_is_full(l) ? deal_out(l, false, err) : DP_OK;
}

/* ---- files that keep order and row groups ---- */

static void release_part(struct dp_lay *l, struct dp_lay_part *p) {
    drop_file(l, p);
    free(p->values), free(p->subdir), free(p->extents), free(p->runs);
}

/* Both kinds of files fill the same working memory, one at a time. */
static enum dp_status end_direct(struct dp_lay *l, struct dp_err *err) { return l->direct.file ? complete_file(l, &l->direct, err) : DP_OK; }

/* The file that rows of this partition go to. */
static enum dp_status go_on(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) {
    struct dp_str key = l->o.layout->n && r->groups.n ? r->groups.items[0].key : DP_STR("");
    bool same = l->direct.values && dp_str_eq(key, dp_buf_str(&l->direct_key));
    if (l->o.layout->n == 0 && l->n_parts && l->parts[0].file) DP_TRY(complete_file(l, &l->parts[0], err)); /* of dp_lay_add */
    if (!same) {
        DP_TRY(end_direct(l, err));
        release_part(l, &l->direct);
        l->direct = (struct dp_lay_part){0};
        dp_buf_reset(&l->direct_key);
        dp_buf_adds(&l->direct_key, key);
        DP_TRY(name_part(l, &r->keys, 0, &l->direct, err));
    }
    return l->direct.file ? DP_OK : open_file(l, &l->direct, err);
}

enum dp_status dp_lay_group_begin(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_pq_writer **w, struct dp_err *err) {
    DP_TRY(go_on(l, r, err));
    *w = l->direct.file->writer;
    return DP_OK;
}

enum dp_status dp_lay_group_end(struct dp_lay *l, int64_t rows, struct dp_err *err) {
    const struct dp_pq_writer *w = l->direct.file->writer;
    l->direct.file->rows += rows;
    return dp_pq_writer_size(w) >= l->o.target_size || file_meta(l, w) >= META_BYTES ? end_direct(l, err) : DP_OK;
}

enum dp_status dp_lay_group_undo(struct dp_lay *l, struct dp_err *err) {
    struct dp_lay_file *f = l->direct.file;
    dp_pq_writer_undo(f->writer);
    off_t size = (off_t)dp_pq_writer_size(f->writer);
    if (ftruncate(f->new.fd, size) || lseek(f->new.fd, size, SEEK_SET) != size) return dp_err_sys(err, DP_IO, "%s", f->new.final);
    return DP_OK;
}

enum dp_status dp_lay_follow(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) {
    struct dp_batch view;
    if (r->rows.length == 0) return DP_OK;
    DP_TRY(go_on(l, r, err));
    view_rows(l, &r->rows, &view);
    enum dp_status status = dp_lay_feed(l, &l->direct, &view, err);
    free(view.columns);
    return status;
}

enum dp_status dp_lay_encoder(const struct dp_lay *l, struct dp_pq_encoder **out, struct dp_err *err) {
    struct dp_pq_writer_opts o = l->writer;
    o.json_as_string = is_for_table(l);
    return dp_pq_encoder_open(l->file_schema, &o, out, err);
}

/* ---- rows in ---- */

enum dp_status dp_lay_add(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) {
    struct dp_batch view;
    if (r->rows.length == 0) return DP_OK;
    DP_TRY(end_direct(l, err));
    view_rows(l, &r->rows, &view);
    enum dp_status status = add_rows(l, r, &view, err);
    free(view.columns);
    return status;
}

/* ---- open, finish, close ---- */

/* T/_dp_staging/RUN, RUN-2 ...: the first that nobody holds. */
static enum dp_status lock_staging(struct dp_lay *l, struct dp_err *err) {
    struct dp_buf path = {0};
    enum dp_status status = DP_OK;
    for (unsigned i = 1; i <= 100; i++) {
        dp_buf_reset(&path);
        dp_buf_addf(&path, "%s/%s/", l->o.dir, DP_DELTA_STAGING);
        for (const char *c = l->run->run_id; *c; c++) dp_buf_addc(&path, *c == '/' || (*c == '.' && c == l->run->run_id) ? '_' : *c);
        if (i > 1) dp_buf_addf(&path, "-%u", i);
        DP_TRY_OUT(dp_mkdirs(dp_buf_z(&path), err));
        size_t n = path.n;
        dp_buf_addf(&path, "/%s", DP_DELTA_STAGING_LOCK);
        int fd = open(dp_buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            status = dp_err_sys(err, DP_IO, "%s", path.p);
            goto out;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            l->lock = fd;
            path.n = n;
            l->dir = dp_buf_detach(&path);
            goto out;
        }
        close(fd);
    }
    status = dp_err_set(err, DP_AGAIN, "%s: a hundred staging directories of this run are in use", l->o.dir);
out:
    dp_buf_release(&path);
    return status;
}

/* A column as files have it: the table's physical one where there is a mapped table. */
static struct dp_type *physical(const struct dp_lay *l, const struct dp_type *column) {
    const struct dp_delta_snapshot *t = l->o.table;
    for (size_t i = 0; t && t->mapping != DP_DELTA_MAPPING_NONE && i < t->schema->n_children; i++) {
        if (!dp_str_eqz(dp_str(column->name, column->name_n), t->schema->children[i]->name)) continue;
        return dp_type_copy(t->physical->children[i]);
    }
    return dp_type_copy(column);
}

static void make_schemas(struct dp_lay *l) {
    const struct dp_type *in = l->o.schema;
    struct dp_type *row = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    l->file_schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    l->names = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    l->keys = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    row->nullable = l->file_schema->nullable = l->names->nullable = false;
    l->columns = dp_calloc(in->n_children + 1, sizeof *l->columns);
    size_t n = in->n_children - (l->o.order_column != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct dp_type *c = in->children[i];
        if (!l->o.tracks_rows || i + 2 < n) dp_type_add(row, physical(l, c));
        if (dp_layout_is_value(l->o.layout, dp_str(c->name, c->name_n))) continue;
        l->columns[l->file_schema->n_children] = i;
        dp_type_add(l->file_schema, physical(l, c));
        dp_type_add(l->names, dp_type_copy(c));
    }
    l->stored = dp_type_copy(l->file_schema);
    l->columns[l->file_schema->n_children] = n;
    if (l->o.order_column) dp_type_add(l->stored, dp_type_copy(in->children[n]));
    if (l->o.n_cluster) dp_type_add(l->stored, dp_type_new(DP_TYPE_INT64, DP_STR(ORDER_COLUMN)));
    for (size_t i = 0; i < l->o.layout->n; i++) {
        dp_type_add(l->keys, physical(l, l->o.layout->schema->children[i]));
        if (l->o.layout->keys[i].fn != DP_LAYOUT_VALUE) dp_type_add(row, dp_type_copy(l->keys->children[i]));
    }
    if (l->o.table) dp_delta_mapping_strip(row); /* it says what is in the file: names and ids are physical already */
    dp_type_to_json(row, &l->row_schema);
    dp_type_free(row);
}

enum dp_status dp_lay_check_codec(const char *codec, struct dp_err *err) {
    enum dp_pq_codec c;
    int level;
    return dp_codec_parse(dp_str_z(codec), &c, &level, err);
}

static enum dp_status set_writer(struct dp_lay *l, struct dp_err *err) {
    struct dp_pq_writer_opts *w = &l->writer;
    DP_TRY(dp_lay_writer_opts(&l->o, l->names, w, &l->columns_asked, err));
    w->keep_codec = l->o.keep_codec;
    if (l->o.sort) DP_TRY(dp_lay_sort_parse(&l->sort, l->o.sort, l->names, err));
    if (l->o.n_cluster) {
        DP_TRY(curve_open(l->names, l->o.cluster, l->o.n_cluster, &l->curve, err));
        dp_column_init(&l->no_order, l->stored->children[l->file_schema->n_children]);
        dp_column_init(&l->places, l->stored->children[l->file_schema->n_children]);
    }
    if (l->o.order_column || l->curve) {
        l->sort.keys = dp_calloc(1, sizeof *l->sort.keys);
        l->sort.keys[l->sort.n++].column = l->file_schema->n_children;
        l->sort.is_head = true;
        return DP_OK; /* no column of the files says in which order they are */
    }
    l->sorting = dp_calloc(l->sort.n + 1, sizeof *l->sorting);
    for (size_t i = 0; i < l->sort.n; i++) {
        size_t leaf = 0;
        for (size_t k = 0; k < l->sort.keys[i].column; k++) leaf += dp_type_leaves(l->file_schema->children[k]);
        l->sorting[i] = (struct dp_pq_sorting){(int32_t)leaf, l->sort.keys[i].descending, false};
    }
    w->sorting = l->sorting, w->n_sorting = l->sort.n;
    return DP_OK;
}

/*
 * Of --memory: half of what is over 8 MB for rows that wait, a quarter of that for the stage; a thread that encodes for each 20 MB; for the
 * metadata of files that are begun a sixteenth.  The row group that is being filled, its encoding on one thread and the chunks on
 * their way stand in the rest and in the 32 MB that may be over --memory.
 */
static void set_memory(struct dp_lay *l) {
    uint64_t m = l->o.memory ? l->o.memory : UINT64_C(160) << 20, wait = m > (12u << 20) ? (m - (8u << 20)) / 2 : 2u << 20, lanes = (m + (20u << 20) - 1) / (20u << 20);
    size_t each = dp_type_leaves(l->file_schema) * META_CHUNK * 24, open = (size_t)(m / 16) / (each < META_BYTES ? each : META_BYTES);
    l->stage_max = (size_t)(wait / (l->sort.n ? 2 : 4));
    l->store.memory = (size_t)wait - l->stage_max;
    l->work = dp_pq_work_open(lanes > 1024 ? 1024 : (unsigned)lanes, m < FRUGAL_BELOW);
    if (l->o.max_open == 0) l->o.max_open = open < 1 ? 1 : open > MAX_OPEN ? MAX_OPEN : open;
    dp_batch_init(&l->stage, l->stored);
    dp_batch_init(&l->piece, l->stored);
    dp_batch_init(&l->view, l->stored);
    l->writer.work = l->work;
}

enum dp_status dp_lay_open(struct dp_run *run, const struct dp_lay_opts *o, dp_lay_done done, void *ctx, struct dp_lay **out, struct dp_err *err) {
    struct dp_lay *l = dp_calloc(1, sizeof *l);
    enum dp_status status;
    l->run = run, l->o = *o, l->done = done, l->ctx = ctx, l->lock = -1;
    if (l->o.target_size == 0) l->o.target_size = TARGET_SIZE;
    make_schemas(l);
    if (l->file_schema->n_children == 0) {
        status = dp_err_set(err, DP_USAGE, "--by takes every column: nothing is left for the files");
        goto out;
    }
    DP_TRY_OUT(set_writer(l, err));
    set_memory(l);
    if (o->staging) {
        DP_TRY_OUT(lock_staging(l, err));
    } else {
        l->dir = dp_strdup(o->dir);
        DP_TRY_OUT(dp_mkdirs(l->dir, err));
    }
    *out = l;
    return DP_OK;
out:
    dp_lay_close(l);
    return status;
}

enum dp_status dp_lay_finish(struct dp_lay *l, struct dp_err *err) {
    struct dp_lay_part *only = l->o.layout->n == 0 && l->sort.n == 0 && l->n_parts ? &l->parts[0] : NULL;
    DP_TRY(end_direct(l, err));
    if (only && only->file) DP_TRY(complete_file(l, only, err));
    if (!only) DP_TRY(deal_out(l, l->sort.n == 0, err));
    for (size_t i = 0; i < l->n_parts && l->sort.n; i++) {
        if (dp_run_stopped(l->run, err)) return DP_SIGNALLED;
        if (l->curve) DP_TRY(dp_lay_cluster(l, &l->parts[i], err));
        DP_TRY(dp_lay_merge(l, &l->parts[i], err));
        if (l->parts[i].file) DP_TRY(complete_file(l, &l->parts[i], err));
    }
    DP_TRY(sync_finished(l, err));
    return name_finished(l, err);
}

/* Partitions go too: an endless stream may have new ones every hour. */
enum dp_status dp_lay_cut(struct dp_lay *l, struct dp_err *err) {
    size_t memory = l->store.memory;
    DP_TRY(dp_lay_finish(l, err));
    for (size_t i = 0; i < l->n_finished; i++) free(l->finished[i].new.final);
    l->n_finished = l->n_synced = l->n_named = 0;
    for (size_t i = 0; i < l->n_parts; i++) release_part(l, &l->parts[i]);
    l->n_cut_parts += l->n_parts;
    l->n_parts = 0;
    dp_map_release(&l->index);
    l->index = (struct dp_map){0};
    l->spilled += l->store.spilled;
    dp_lay_store_close(&l->store);
    l->store.memory = memory;
    return DP_OK;
}

size_t dp_lay_partitions(const struct dp_lay *l) { return l->n_cut_parts + l->n_parts; }
uint64_t dp_lay_spilled(const struct dp_lay *l) { return l->spilled + l->store.spilled; }

void dp_lay_keep(struct dp_lay *l) {
    if (l) l->is_kept = true;
}

void dp_lay_close(struct dp_lay *l) {
    if (!l) return;
    for (size_t i = 0; i < l->n_parts; i++) release_part(l, &l->parts[i]);
    release_part(l, &l->direct);
    dp_buf_release(&l->direct_key);
    for (size_t i = 0; i < l->n_finished; i++) {
        struct dp_newfile *f = &l->finished[i].new;
        if (f->is_open) {
            dp_newfile_abort(f);
            continue;
        }
        if (!l->is_kept) (void)unlink(f->final); /* a run that failed publishes nothing */
        free(f->final);
    }
    dp_pq_work_close(l->work);
    if (l->stage.columns) dp_batch_release(&l->stage), dp_batch_release(&l->piece), dp_batch_release(&l->view);
    if (l->lock >= 0) close(l->lock);
    dp_lay_store_close(&l->store);
    if (l->curve) dp_column_release(&l->no_order), dp_column_release(&l->places);
    curve_close(l->curve);
    dp_map_release(&l->index);
    dp_type_free(l->file_schema);
    dp_type_free(l->stored);
    dp_type_free(l->names);
    dp_type_free(l->keys);
    dp_buf_release(&l->row_schema);
    free(l->columns_asked);
    free(l->parts), free(l->finished), free(l->columns), free(l->sort.keys), free(l->sorting), free(l->order), free(l->spare), free(l->stage_part), free(l->dir);
    free(l);
}

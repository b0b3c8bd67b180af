/*
 * Partitions in memory, spilled and in files (dp-partition(1)).  One spill file for all; one file is written at a time, but for partitions
 * that are large enough to have begun theirs.
 */
#include "lay_priv.h"

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
#define ROW_GROUP_ROWS 122880
#define ROW_GROUP_BYTES (32 << 20) /* less than the writer's own: several may be open, and contents must not depend on --memory */
#define SORTED_BLOCK 4096          /* rows of one block of a sorted run */

struct file {
    struct dp_newfile new;
    struct dp_pq_writer *writer;
    int64_t rows;
};

struct part {
    char *values;       /* JSON object for the file's metadata */
    char *subdir;       /* plain directories: "day=2026-01-02/...", else "" */
    struct dp_batch rows;
    size_t held;        /* bytes of rows */
    struct dp_lay_extent *extents;
    size_t n_extents, extents_cap;
    struct dp_lay_run *runs;
    size_t n_runs, runs_cap;
    int64_t spilled_rows;
    struct file *file;  /* begun and not complete, or NULL */
};

/* A file that is complete.  In plain directories it waits for its name, until tmp is NULL. */
struct waiting { char *tmp, *final; int slot; int64_t rows; uint64_t bytes; };

struct dp_lay {
    struct dp_run *run;
    struct dp_lay_opts o;
    dp_lay_done done;
    void *ctx;
    char *dir;               /* where files go: the directory, or the run's in staging */
    int lock;                /* of the staging directory, -1 */
    struct dp_type *file_schema;
    struct dp_type *names;   /* the same with the names that records have */
    struct dp_type *keys;    /* of the layout, as the files' metadata names them */
    size_t *columns;         /* of the incoming rows that are in the files */
    struct dp_pq_writer_opts writer;
    struct dp_pq_sorting *sorting;
    struct dp_buf row_schema; /* JSON */
    struct dp_lay_sort sort;
    struct dp_map index;     /* key bytes -> part number */
    struct part *parts;
    size_t n_parts, parts_cap, n_open, n_cut_parts;
    size_t held, n_files;
    uint64_t spilled;        /* before the latest cut */
    struct dp_lay_spill spill;
    uint32_t *order, *starts; /* rows of a chunk by group */
    size_t order_cap, starts_cap;
    struct waiting *waiting;
    size_t n_waiting, waiting_cap;
    bool is_kept;
};

/* ---- rows of a chunk, on any thread ---- */

void dp_lay_rows_open(const struct dp_lay_opts *o, struct dp_lay_rows *r) {
    dp_batch_init(&r->rows, o->schema);
    dp_batch_init(&r->keys, o->layout->schema);
    r->is_open = true;
}

void dp_lay_rows_release(struct dp_lay_rows *r) {
    if (!r->is_open) return;
    dp_batch_release(&r->rows);
    dp_batch_release(&r->keys);
    dp_map_release(&r->groups);
    dp_buf_release(&r->key);
    free(r->group_of);
    free(r->first);
    *r = (struct dp_lay_rows){0};
}

/* A partition's key as bytes: for each column a mark for null, else text and length. */
static enum dp_status key_bytes(const struct dp_batch *keys, int64_t row, struct dp_buf *out, struct dp_err *err) {
    dp_buf_reset(out);
    for (size_t i = 0; i < keys->n_columns; i++) {
        bool is_null = false;
        size_t at = out->n;
        uint32_t n = UINT32_MAX;
        dp_buf_add(out, &n, 4);
        DP_TRY(dp_delta_partition_text(&keys->columns[i], row, out, &is_null, err));
        bool valid = dp_column_is_valid(&keys->columns[i], row);
        if (valid) n = (uint32_t)(out->n - at - 4);
        memcpy(out->p + at, &n, 4);
    }
    return DP_OK;
}

static bool same_key(const struct dp_batch *keys, int64_t a, int64_t b) {
    for (size_t i = 0; i < keys->n_columns; i++) {
        const struct dp_column *c = &keys->columns[i];
        bool va = dp_column_is_valid(c, a), vb = dp_column_is_valid(c, b);
        if (va != vb) return false;
        if (!va) continue;
        if (c->offsets) {
            int32_t n = c->offsets[a + 1] - c->offsets[a];
            if (n != c->offsets[b + 1] - c->offsets[b] || (n && memcmp(c->data + c->offsets[a], c->data + c->offsets[b], (size_t)n) != 0)) return false;
        } else if (c->type->id == DP_TYPE_BOOLEAN) {
            if ((c->data[a >> 3] >> (a & 7) & 1) != (c->data[b >> 3] >> (b & 7) & 1)) return false;
        } else {
            size_t w = c->length ? c->data_n / (size_t)c->length : 0;
            if (memcmp(c->data + (size_t)a * w, c->data + (size_t)b * w, w) != 0) return false;
        }
    }
    return true;
}

enum dp_status dp_lay_group(const struct dp_lay_opts *o, struct dp_lay_rows *r, struct dp_err *err) {
    size_t n = (size_t)r->rows.length;
    dp_map_reset(&r->groups);
    if (o->layout->n == 0 || n == 0) return DP_OK;
    DP_TRY(dp_layout_keys(o->layout, &r->rows, &r->keys, err));
    r->group_of = dp_grow(r->group_of, &r->group_cap, n, sizeof *r->group_of);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && same_key(&r->keys, (int64_t)i, (int64_t)i - 1)) {
            r->group_of[i] = r->group_of[i - 1];
            continue;
        }
        bool is_new;
        DP_TRY(key_bytes(&r->keys, (int64_t)i, &r->key, err));
        struct dp_map_item *item = dp_map_put(&r->groups, dp_buf_str(&r->key), &is_new);
        if (is_new) {
            item->v.u = r->groups.n - 1;
            r->first = dp_grow(r->first, &r->first_cap, r->groups.n, sizeof *r->first);
            r->first[item->v.u] = (uint32_t)i;
        }
        r->group_of[i] = (uint32_t)item->v.u;
    }
    return DP_OK;
}

/* ---- files ---- */

static enum dp_status to_file(void *ctx, const void *p, size_t n, struct dp_err *err) {
    struct file *f = ctx;
    return dp_fd_write(f->new.fd, p, n, err) == DP_OK ? DP_OK : dp_err_prefix(err, "%s: ", f->new.final);
}

static enum dp_status open_file(struct dp_lay *l, struct part *p, struct dp_err *err) {
    char uuid[37], name[80];
    struct dp_pq_writer_opts o = l->writer;
    struct dp_pq_key_value kv[2] = {{DP_STR(DP_DELTA_KV_SCHEMA), dp_buf_str(&l->row_schema), true}, {DP_STR(DP_DELTA_KV_PARTITION), dp_str_z(p->values), true}};
    enum dp_status status;
    dp_uuid(uuid);
    snprintf(name, sizeof name, "part-%05zu-%s.parquet", l->n_files++, uuid);
    char *dir = p->subdir[0] ? dp_path_join(l->dir, p->subdir) : dp_strdup(l->dir), *path = dp_path_join(dir, name);
    struct file *f = dp_calloc(1, sizeof *f);
    f->new.slot = -1;
    DP_TRY_OUT(dp_mkdirs(dir, err));
    DP_TRY_OUT(dp_newfile_open(&f->new, path, 0666, err));
    o.kv = kv, o.n_kv = 2;
    o.json_as_string = l->o.staging || l->run->marks; /* for a table, which has its types in the log */
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

static void drop_file(struct dp_lay *l, struct part *p) {
    if (!p->file) return;
    dp_pq_writer_close(p->file->writer);
    dp_newfile_abort(&p->file->new);
    free(p->file);
    p->file = NULL;
    l->n_open--;
}

static void note_complete(struct dp_lay *l, struct waiting w) {
    l->waiting = dp_grow(l->waiting, &l->waiting_cap, l->n_waiting + 1, sizeof *l->waiting);
    l->waiting[l->n_waiting++] = w;
}

/* On disk, but without its name: the descriptor is not kept, for there may be thousands. */
static enum dp_status set_waiting(struct dp_lay *l, struct file *f, uint64_t bytes, struct dp_err *err) {
    if (fsync(f->new.fd) != 0) return dp_err_sys(err, DP_IO, "%s: fsync", f->new.tmp);
    close(f->new.fd);
    f->new.is_open = false;
    note_complete(l, (struct waiting){f->new.tmp, f->new.final, f->new.slot, f->rows, bytes});
    return DP_OK;
}

static enum dp_status complete_file(struct dp_lay *l, struct part *p, struct dp_err *err) {
    struct file *f = p->file;
    enum dp_status status = DP_OK;
    char *path = NULL;
    DP_TRY_OUT(dp_pq_writer_finish(f->writer, err));
    uint64_t bytes = dp_pq_writer_size(f->writer);
    if (!l->o.staging) {
        DP_TRY_OUT(set_waiting(l, f, bytes, err));
    } else {
        path = dp_strdup(f->new.final);
        DP_TRY_OUT(dp_newfile_commit(&f->new, err));
        note_complete(l, (struct waiting){NULL, dp_strdup(path), -1, f->rows, bytes});
        DP_TRY_OUT(l->done(l->ctx, path, f->rows, bytes, err));
    }
out:
    free(path);
    drop_file(l, p);
    return status;
}

/* Rows to the partition's file; a file that reached the target size at the end of a row group is complete. */
static enum dp_status feed(struct dp_lay *l, struct part *p, const struct dp_batch *b, struct dp_err *err) {
    for (int64_t from = 0, taken; from < b->length; from += taken) {
        if (!p->file) DP_TRY(open_file(l, p, err));
        DP_TRY(dp_pq_writer_add_some(p->file->writer, b, from, b->length - from, &taken, err));
        p->file->rows += taken;
        if (dp_pq_writer_pending(p->file->writer) == 0 && dp_pq_writer_size(p->file->writer) >= l->o.target_size) DP_TRY(complete_file(l, p, err));
    }
    return DP_OK;
}

/* ---- partitions ---- */

static void forget_spilled(struct part *p) { p->n_extents = 0, p->n_runs = 0, p->spilled_rows = 0; }

static void empty_rows(struct dp_lay *l, struct part *p) {
    l->held -= p->held;
    p->held = 0;
    dp_batch_release(&p->rows);
    dp_batch_init(&p->rows, l->file_schema);
}

/* All rows of an unsorted partition, in the order of their arrival. */
static enum dp_status drain(struct dp_lay *l, struct part *p, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_batch b;
    dp_batch_init(&b, l->file_schema);
    for (size_t i = 0; i < p->n_extents; i++) {
        DP_TRY_OUT(dp_lay_spill_read(&l->spill, &p->extents[i], &b, err));
        DP_TRY_OUT(feed(l, p, &b, err));
    }
    forget_spilled(p);
    DP_TRY_OUT(feed(l, p, &p->rows, err));
    empty_rows(l, p);
out:
    dp_batch_release(&b);
    return status;
}

/* Rows behind the last whole row group return to the partition: here they are counted, and can be spilled. */
static void take_back(struct dp_lay *l, struct part *p) {
    if (!p->file || dp_pq_writer_pending(p->file->writer) == 0) return;
    p->file->rows -= dp_pq_writer_pending(p->file->writer);
    dp_pq_writer_take_pending(p->file->writer, &p->rows);
    p->held = dp_batch_bytes(&p->rows);
    l->held += p->held;
}

static enum dp_status spill_part(struct dp_lay *l, struct part *p, struct dp_err *err) {
    int64_t step = p->rows.length;
    if (l->sort.n) {
        dp_lay_sort_batch(&l->sort, &p->rows);
        step = SORTED_BLOCK;
    }
    p->runs = dp_grow(p->runs, &p->runs_cap, p->n_runs + 1, sizeof *p->runs);
    struct dp_lay_run *run = &p->runs[p->n_runs++];
    *run = (struct dp_lay_run){.first = p->n_extents};
    for (int64_t i = 0; i < p->rows.length; i += step, run->n++) {
        p->extents = dp_grow(p->extents, &p->extents_cap, p->n_extents + 1, sizeof *p->extents);
        DP_TRY(dp_lay_spill_write(&l->spill, &p->rows, i, p->rows.length - i < step ? p->rows.length - i : step, &p->extents[p->n_extents], err));
        p->n_extents++;
    }
    p->spilled_rows += p->rows.length;
    empty_rows(l, p);
    return DP_OK;
}

/* Partitions above the average go first, then ever smaller ones, until half the bound is free. */
static enum dp_status make_room(struct dp_lay *l, struct dp_err *err) {
    size_t least = l->held / (l->n_parts ? l->n_parts : 1);
    for (; l->held > l->o.memory / 2; least /= 2) {
        for (size_t i = 0; i < l->n_parts && l->held > l->o.memory / 2; i++) {
            if (l->parts[i].held > 0 && l->parts[i].held >= least) DP_TRY(spill_part(l, &l->parts[i], err));
        }
    }
    return DP_OK;
}

struct cursor { struct dp_batch b; size_t extent, end; int64_t row; };

/* The sorted runs and the rows in memory, as one sorted sequence. Among equals the earlier run comes first. */
static enum dp_status merge(struct dp_lay *l, struct part *p, struct dp_err *err) {
    size_t n = p->n_runs + 1;
    struct cursor *c = dp_calloc(n, sizeof *c);
    struct dp_batch out;
    enum dp_status status = DP_OK;
    dp_batch_init(&out, l->file_schema);
    for (size_t i = 0; i < n; i++) dp_batch_init(&c[i].b, l->file_schema);
    dp_lay_sort_batch(&l->sort, &p->rows);
    for (size_t i = 0; i < p->n_runs; i++) {
        c[i].extent = p->runs[i].first, c[i].end = p->runs[i].first + p->runs[i].n;
        DP_TRY_OUT(dp_lay_spill_read(&l->spill, &p->extents[c[i].extent++], &c[i].b, err));
    }
    for (;;) {
        size_t best = n;
        const struct dp_batch *from = NULL;
        for (size_t i = 0; i < n; i++) {
            const struct dp_batch *b = i == n - 1 ? &p->rows : &c[i].b;
            if (c[i].row == b->length) continue;
            if (best == n || dp_lay_sort_cmp(&l->sort, b, c[i].row, from, c[best].row) < 0) best = i, from = b;
        }
        if (best == n) break;
        dp_batch_append(&out, from, c[best].row++, 1);
        if (out.length == SORTED_BLOCK) {
            DP_TRY_OUT(feed(l, p, &out, err));
            dp_batch_reset(&out);
        }
        if (best == n - 1 || c[best].row < c[best].b.length || c[best].extent == c[best].end) continue;
        DP_TRY_OUT(dp_lay_spill_read(&l->spill, &p->extents[c[best].extent++], &c[best].b, err));
        c[best].row = 0;
    }
    DP_TRY_OUT(feed(l, p, &out, err));
    forget_spilled(p);
    empty_rows(l, p);
out:
    for (size_t i = 0; i < n; i++) dp_batch_release(&c[i].b);
    dp_batch_release(&out);
    free(c);
    return status;
}

static enum dp_status new_part(struct dp_lay *l, const struct dp_batch *keys, int64_t row, struct dp_err *err) {
    struct dp_buf json = {0}, dir = {0}, text = {0};
    enum dp_status status = DP_OK;
    l->parts = dp_grow(l->parts, &l->parts_cap, l->n_parts + 1, sizeof *l->parts);
    struct part *p = &l->parts[l->n_parts];
    *p = (struct part){0};
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
    dp_batch_init(&p->rows, l->file_schema);
    l->n_parts++;
out:
    dp_buf_release(&json);
    dp_buf_release(&dir);
    dp_buf_release(&text);
    return status;
}

/* The columns of the incoming rows that go into files, as a batch that borrows them. */
static void view_rows(const struct dp_lay *l, const struct dp_batch *rows, struct dp_batch *view) {
    view->schema = l->file_schema;
    view->length = rows->length;
    view->n_columns = l->file_schema->n_children;
    view->columns = dp_calloc(view->n_columns + 1, sizeof *view->columns);
    for (size_t i = 0; i < view->n_columns; i++) view->columns[i] = rows->columns[l->columns[i]];
}

static enum dp_status add_group(struct dp_lay *l, struct part *p, const struct dp_batch *view, const uint32_t *rows, size_t n, struct dp_err *err) {
    dp_batch_gather(&p->rows, view, rows, n);
    size_t now = dp_batch_bytes(&p->rows);
    l->held += now - p->held;
    p->held = now;
    int64_t least = l->writer.row_group_rows;
    if (l->sort.n == 0 && p->rows.length + p->spilled_rows >= least && (p->file || l->n_open < l->o.max_open)) {
        DP_TRY(drain(l, p, err));
        take_back(l, p);
    }
    return DP_OK;
}

static enum dp_status add_groups(struct dp_lay *l, const struct dp_lay_rows *r, const struct dp_batch *view, struct dp_err *err) {
    size_t n = (size_t)r->rows.length, groups = r->groups.n;
    l->order = dp_grow(l->order, &l->order_cap, n, sizeof *l->order);
    l->starts = dp_grow(l->starts, &l->starts_cap, groups + 1, sizeof *l->starts);
    memset(l->starts, 0, (groups + 1) * sizeof *l->starts);
    for (size_t i = 0; i < n; i++) l->starts[r->group_of[i] + 1]++;
    for (size_t g = 0; g < groups; g++) l->starts[g + 1] += l->starts[g];
    for (size_t i = 0; i < n; i++) l->order[l->starts[r->group_of[i]]++] = (uint32_t)i;
    for (size_t g = 0; g < groups; g++) { /* starts[g] is now the end of group g */
        size_t from = g ? l->starts[g - 1] : 0;
        bool is_new;
        struct dp_map_item *item = dp_map_put(&l->index, r->groups.items[g].key, &is_new);
        if (is_new) {
            item->v.u = l->n_parts;
            DP_TRY(new_part(l, &r->keys, r->first[g], err));
        }
        DP_TRY(add_group(l, &l->parts[item->v.u], view, l->order + from, l->starts[g] - from, err));
    }
    return DP_OK;
}

enum dp_status dp_lay_add(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) {
    struct dp_batch view;
    enum dp_status status = DP_OK;
    if (r->rows.length == 0) return DP_OK;
    view_rows(l, &r->rows, &view);
    if (l->o.layout->n > 0) {
        DP_TRY_OUT(add_groups(l, r, &view, err));
    } else {
        if (l->n_parts == 0) DP_TRY_OUT(new_part(l, &r->keys, 0, err));
        struct part *p = &l->parts[0];
        if (l->sort.n == 0) DP_TRY_OUT(feed(l, p, &view, err));
        else {
            dp_batch_append(&p->rows, &view, 0, view.length);
            p->held = l->held = dp_batch_bytes(&p->rows);
        }
    }
    if (l->held > l->o.memory) DP_TRY_OUT(make_room(l, err));
out:
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
    for (size_t i = 0; i < in->n_children; i++) {
        const struct dp_type *c = in->children[i];
        dp_type_add(row, physical(l, c));
        if (dp_layout_is_value(l->o.layout, dp_str(c->name, c->name_n))) continue;
        l->columns[l->file_schema->n_children] = i;
        dp_type_add(l->file_schema, physical(l, c));
        dp_type_add(l->names, dp_type_copy(c));
    }
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
    DP_TRY(dp_codec_parse(dp_str_z(l->o.codec ? l->o.codec : "zstd:3"), &w->codec, &w->level, err));
    w->row_group_rows = l->o.row_group_rows > 0 ? l->o.row_group_rows : ROW_GROUP_ROWS;
    w->row_group_bytes = ROW_GROUP_BYTES;
    w->lean = l->o.layout->n > 0;
    if (l->o.sort) DP_TRY(dp_lay_sort_parse(&l->sort, l->o.sort, l->names, err));
    l->sorting = dp_calloc(l->sort.n + 1, sizeof *l->sorting);
    for (size_t i = 0; i < l->sort.n; i++) {
        size_t leaf = 0;
        for (size_t k = 0; k < l->sort.keys[i].column; k++) leaf += dp_type_leaves(l->file_schema->children[k]);
        l->sorting[i] = (struct dp_pq_sorting){(int32_t)leaf, l->sort.keys[i].descending, false};
    }
    w->sorting = l->sorting, w->n_sorting = l->sort.n;
    return DP_OK;
}

enum dp_status dp_lay_open(struct dp_run *run, const struct dp_lay_opts *o, dp_lay_done done, void *ctx, struct dp_lay **out, struct dp_err *err) {
    struct dp_lay *l = dp_calloc(1, sizeof *l);
    enum dp_status status;
    l->run = run, l->o = *o, l->done = done, l->ctx = ctx, l->lock = -1;
    if (l->o.target_size == 0) l->o.target_size = TARGET_SIZE;
    if (l->o.max_open == 0) l->o.max_open = MAX_OPEN;
    make_schemas(l);
    if (l->file_schema->n_children == 0) {
        status = dp_err_set(err, DP_USAGE, "--by takes every column: nothing is left for the files");
        goto out;
    }
    DP_TRY_OUT(set_writer(l, err));
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
    for (size_t i = 0; i < l->n_parts; i++) {
        struct part *p = &l->parts[i];
        if (dp_run_stopped(l->run, err)) return DP_SIGNALLED;
        DP_TRY(l->sort.n ? merge(l, p, err) : drain(l, p, err));
        if (p->file) DP_TRY(complete_file(l, p, err));
    }
    for (size_t i = 0; i < l->n_waiting; i++) {
        struct waiting *w = &l->waiting[i];
        if (!w->tmp) continue;
        DP_TRY(dp_file_rename(w->tmp, w->final, err));
        dp_unfinished_drop(w->slot);
        w->slot = -1;
        free(w->tmp);
        w->tmp = NULL;
        DP_TRY(l->done(l->ctx, w->final, w->rows, w->bytes, err));
    }
    return DP_OK;
}

static void release_part(struct dp_lay *l, struct part *p) {
    drop_file(l, p);
    dp_batch_release(&p->rows);
    free(p->values), free(p->subdir), free(p->extents), free(p->runs);
}

/* Partitions go too: an endless stream may have new ones every hour. */
enum dp_status dp_lay_cut(struct dp_lay *l, struct dp_err *err) {
    DP_TRY(dp_lay_finish(l, err));
    for (size_t i = 0; i < l->n_waiting; i++) free(l->waiting[i].final);
    l->n_waiting = 0;
    for (size_t i = 0; i < l->n_parts; i++) release_part(l, &l->parts[i]);
    l->n_cut_parts += l->n_parts;
    l->n_parts = l->held = 0;
    dp_map_release(&l->index);
    l->index = (struct dp_map){0};
    l->spilled += l->spill.size;
    dp_lay_spill_close(&l->spill);
    l->spill = (struct dp_lay_spill){0};
    return DP_OK;
}

size_t dp_lay_partitions(const struct dp_lay *l) { return l->n_cut_parts + l->n_parts; }
uint64_t dp_lay_spilled(const struct dp_lay *l) { return l->spilled + l->spill.size; }

void dp_lay_keep(struct dp_lay *l) {
    if (l) l->is_kept = true;
}

void dp_lay_close(struct dp_lay *l) {
    if (!l) return;
    for (size_t i = 0; i < l->n_parts; i++) release_part(l, &l->parts[i]);
    for (size_t i = 0; i < l->n_waiting; i++) {
        struct waiting *w = &l->waiting[i];
        if (w->tmp) {
            (void)unlink(w->tmp);
            dp_unfinished_drop(w->slot);
        } else if (!l->is_kept) {
            (void)unlink(w->final); /* a run that failed publishes nothing */
        }
        free(w->tmp), free(w->final);
    }
    if (l->lock >= 0) close(l->lock);
    dp_lay_spill_close(&l->spill);
    dp_map_release(&l->index);
    dp_type_free(l->file_schema);
    dp_type_free(l->names);
    dp_type_free(l->keys);
    dp_buf_release(&l->row_schema);
    free(l->parts), free(l->waiting), free(l->columns), free(l->sort.keys), free(l->sorting), free(l->order), free(l->starts), free(l->dir);
    free(l);
}

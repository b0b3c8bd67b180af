/*
 * The Parquet reader's public face: files, footers, projection, batches (spec: README.md of parquet-format, "File format").
 * Bytes come by pread, never by mapping: a file that shrinks while it is read is an error then, not a signal.  Encrypted footers are refused.
 */
#include "meta_priv.h"
#include "reader_priv.h"
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

enum dp_status pq_read_at(const struct dp_pq_file *f, void *p, size_t n, uint64_t off, struct dp_err *err) {
    if (f->fd >= 0) return dp_fd_pread(f->fd, p, n, off, err);
    memcpy(p, f->mem + off, n);
    return DP_OK;
}

/* parquet-mr before 1.8.0. */
static bool has_chained_prefixes(struct dp_str by) {
    static const char head[] = "parquet-mr version 1.";
    size_t n = sizeof head - 1;
    return by.n > n + 1 && !memcmp(by.p, head, n) && by.p[n] >= '0' && by.p[n] <= '7' && by.p[n + 1] == '.';
}

static bool is_magic(const char *p) { return !memcmp(p, "PAR1", 4) || !memcmp(p, "PARE", 4); }

bool dp_pq_is(int fd) {
    struct stat st;
    char four[4];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 4) return false;
    if (pread(fd, four, 4, 0) == 4 && is_magic(four)) return true;
    return st.st_size >= 8 && pread(fd, four, 4, st.st_size - 4) == 4 && is_magic(four);
}

static enum dp_status read_footer(struct dp_pq_file *f, struct dp_err *err) {
    uint8_t tail[8];
    if (f->size < 12) return dp_err_set(err, DP_FORMAT, "not a Parquet file: it has only %llu bytes", (unsigned long long)f->size);
    DP_TRY(pq_read_at(f, tail, 8, f->size - 8, err));
    if (!memcmp(tail + 4, "PARE", 4)) return dp_err_set(err, DP_UNSUPPORTED, "an encrypted Parquet file, which is not supported");
    if (memcmp(tail + 4, "PAR1", 4)) return dp_err_set(err, DP_FORMAT, "not a Parquet file, or one that was not written to its end: no PAR1 at the end");
    uint32_t n = dp_load32(tail);
    if (n > f->size - 12) return dp_err_set(err, DP_FORMAT, "the footer's length (%u) is larger than the file", n);
    if (n > DP_LIMIT_FOOTER) return dp_err_set(err, DP_LIMIT, "a footer of %u bytes; the limit is %u", n, DP_LIMIT_FOOTER);
    if (f->bound && n > f->bound) return dp_err_set(err, DP_LIMIT, "a footer of %u bytes; the memory allowed is %llu", n, (unsigned long long)f->bound);
    f->data_end = f->size - 8 - n;
    enum dp_status status = DP_OK;
    uint8_t *p = dp_alloc((size_t)n + 1);
    DP_TRY_OUT(pq_read_at(f, p, n, f->data_end, err));
    DP_TRY_OUT(dp_pq_meta_parse_within(p, n, f->size, f->bound, &f->meta, err));
    DP_TRY_OUT(dp_pq_map(&f->meta, &f->meta.arena, &f->schema, &f->root, err));
    f->chained_prefixes = has_chained_prefixes(f->meta.created_by);
out:
    free(p);
    return status;
}

static enum dp_status begin(struct dp_pq_file *f, struct dp_pq_file **out, struct dp_err *err) {
    enum dp_status status = read_footer(f, err);
    if (status == DP_OK) {
        *out = f;
        return DP_OK;
    }
    dp_err_at(err, f->name, 0, DP_NO_OFFSET);
    dp_pq_close(f);
    return status;
}

enum dp_status dp_pq_open(const char *path, struct dp_pq_file **out, struct dp_err *err) { return dp_pq_open_bounded(path, 0, out, err); }

enum dp_status dp_pq_open_bounded(const char *path, uint64_t memory, struct dp_pq_file **out, struct dp_err *err) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused below, not waited for */
    if (fd < 0 || fstat(fd, &st) != 0) {
        dp_err_sys(err, DP_IO, "cannot open");
    } else if (!S_ISREG(st.st_mode)) {
        dp_err_set(err, DP_UNSUPPORTED, "not a regular file: Parquet is read from its end");
    } else {
        struct dp_pq_file *f = dp_calloc(1, sizeof *f);
        f->name = dp_strdup(path);
        f->fd = fd;
        f->size = (uint64_t)st.st_size;
        f->bound = memory;
        return begin(f, out, err);
    }
    enum dp_status status = fd < 0 || S_ISREG(st.st_mode) ? DP_IO : DP_UNSUPPORTED;
    dp_err_at(err, path, 0, DP_NO_OFFSET);
    if (fd >= 0) close(fd);
    return status;
}

enum dp_status dp_pq_open_memory(const void *p, size_t n, const char *name, struct dp_pq_file **out, struct dp_err *err) {
    struct dp_pq_file *f = dp_calloc(1, sizeof *f);
    f->name = dp_strdup(name);
    f->fd = -1;
    f->mem = p;
    f->size = n;
    return begin(f, out, err);
}

void dp_pq_bound(struct dp_pq_file *f, uint64_t memory) { f->bound = memory; }

void dp_pq_close(struct dp_pq_file *f) {
    if (!f) return;
    dp_pq_unmap(f->root);
    dp_type_free(f->schema);
    dp_pq_meta_release(&f->meta);
    if (f->fd >= 0) close(f->fd);
    free(f->name);
    free(f);
}

const struct dp_pq_meta *dp_pq_meta(const struct dp_pq_file *f) { return &f->meta; }
const struct dp_type *dp_pq_schema(const struct dp_pq_file *f) { return f->schema; }

/* Leaves stand in the order of the elements: how many of them come before this one? */
static size_t leaves_before(const struct dp_pq_meta *m, int32_t element) {
    size_t lo = 0, hi = m->n_leaves;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->leaves[mid] < element) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

void dp_pq_column_leaves(const struct dp_pq_file *f, size_t column, size_t *first, size_t *n) {
    const struct dp_pq_node *root = f->root;
    *first = leaves_before(&f->meta, root->children[column].element);
    size_t end = column + 1 < root->n_children ? leaves_before(&f->meta, root->children[column + 1].element) : f->meta.n_leaves;
    *n = end - *first;
}

/* ---- what is read ---- */

static enum pq_form form_of_int32(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_UINT8: return PQ_FORM_TO8;
    case DP_TYPE_INT16: case DP_TYPE_UINT16: return PQ_FORM_TO16;
    case DP_TYPE_TIME: return PQ_FORM_TO64;
    case DP_TYPE_DECIMAL: return PQ_FORM_DECIMAL32;
    default: return PQ_FORM_COPY;
    }
}

static void set_form(struct pq_leaf *l, const struct dp_pq_element *e) {
    const struct dp_type *t = l->type;
    bool decimal = t->id == DP_TYPE_DECIMAL;
    l->form = PQ_FORM_COPY;
    switch (e->type) {
    case DP_PQ_BOOLEAN: l->form = PQ_FORM_BOOL, l->in_width = 1; break;
    case DP_PQ_INT32: l->form = form_of_int32(t), l->in_width = 4; break;
    case DP_PQ_INT64: l->form = decimal ? PQ_FORM_DECIMAL64 : PQ_FORM_COPY, l->in_width = 8; break;
    case DP_PQ_INT96: l->form = PQ_FORM_INT96, l->in_width = 12; break;
    case DP_PQ_FLOAT: l->in_width = 4; break;
    case DP_PQ_DOUBLE: l->in_width = 8; break;
    case DP_PQ_BYTE_ARRAY: l->form = decimal ? PQ_FORM_BYTES_DECIMAL : PQ_FORM_BYTES; break;
    case DP_PQ_FLBA: l->form = decimal ? PQ_FORM_DECIMAL_FIXED : PQ_FORM_COPY, l->in_width = (size_t)e->type_length; break;
    }
    l->out_width = l->in_width;
    if (l->form == PQ_FORM_TO8 || l->form == PQ_FORM_BOOL) l->out_width = 1;
    if (l->form == PQ_FORM_TO16) l->out_width = 2;
    if (l->form == PQ_FORM_TO64 || l->form == PQ_FORM_INT96) l->out_width = 8;
    if (decimal) l->out_width = 16;
    if (t->id == DP_TYPE_NONE) l->form = PQ_FORM_NONE;
    l->is_wide = t->id == DP_TYPE_JSON && (e->logical == DP_PQ_L_DECIMAL || e->converted == DP_PQ_C_DECIMAL);
    if (l->is_wide) l->form = PQ_FORM_BYTES;
    l->check_text = l->form == PQ_FORM_BYTES && t->id != DP_TYPE_BINARY;
}

static enum dp_status add_leaves(struct dp_pq_reader *r, const struct dp_pq_node *n, struct dp_err *err) {
    if (n->raw) {
        r->variants = dp_grow(r->variants, &r->variants_cap, r->n_variants + 1, sizeof *r->variants);
        DP_TRY(dp_variant_open(&r->variants[r->n_variants++], &r->file->meta, n, &r->arena, err));
    }
    for (size_t i = 0; i < n->n_children; i++) DP_TRY(add_leaves(r, &n->children[i], err));
    if (n->leaf < 0) return DP_OK;
    const struct dp_pq_element *e = &r->file->meta.elements[n->element];
    struct pq_leaf *l = &r->leaves[r->n_leaves];
    r->leaf_at[n->leaf] = (uint32_t)r->n_leaves++;
    l->file = r->file;
    l->reader = r;
    l->number = (size_t)n->leaf;
    l->type = n->type;
    l->max_def = (uint8_t)e->max_def;
    l->max_rep = (uint8_t)e->max_rep;
    if (e->type == DP_PQ_FLBA && e->type_length > (int32_t)DP_LIMIT_FIXED_WIDTH)
        return dp_err_set(err, DP_LIMIT, "column %.*s: values of %d bytes; the limit is %u", DP_STR_FMT(e->name), e->type_length, DP_LIMIT_FIXED_WIDTH);
    set_form(l, e);
    if (l->max_rep) {
        l->ahead_rep = dp_alloc(PQ_BLOCK);
        l->ahead_def = dp_alloc(PQ_BLOCK);
    }
    return DP_OK;
}

/* Takes column `i` of the file. */
static enum dp_status add_column(struct dp_pq_reader *r, size_t i, struct dp_err *err) {
    const struct dp_pq_node *top = &r->file->root->children[i];
    r->tops[r->schema->n_children] = top;
    dp_type_add(r->schema, dp_type_copy(r->file->schema->children[i]));
    DP_TRY(add_leaves(r, top, err));
    r->top_leaf[r->schema->n_children] = r->n_leaves;
    return DP_OK;
}

static enum dp_status add_named(struct dp_pq_reader *r, const char *name, struct dp_err *err) {
    const struct dp_type *s = r->file->schema;
    struct dp_str want = dp_str_z(name);
    for (size_t i = 0; i < s->n_children; i++) {
        if (!dp_str_eq(dp_str(s->children[i]->name, s->children[i]->name_n), want)) continue;
        for (size_t j = 0; j < r->schema->n_children; j++)
            if (r->tops[j] == &r->file->root->children[i]) return dp_err_set(err, DP_USAGE, "column %.200s is named twice", name);
        return add_column(r, i, err);
    }
    return dp_err_set(err, DP_SCHEMA, "no column %.200s", name);
}

enum dp_status dp_pq_reader_open(const struct dp_pq_file *f, const char *const *columns, size_t n_columns, struct dp_pq_reader **out, struct dp_err *err) {
    enum dp_status status = DP_OK;
    size_t n = f->schema->n_children, leaves = f->meta.n_leaves;
    struct dp_pq_reader *r = dp_calloc(1, sizeof *r);
    r->file = f;
    r->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    r->schema->nullable = false;
    r->tops = dp_calloc(n + 1, sizeof *r->tops);
    r->top_leaf = dp_calloc(n + 2, sizeof *r->top_leaf);
    r->leaves = dp_calloc(leaves + 1, sizeof *r->leaves);
    r->leaf_at = dp_calloc(leaves + 1, sizeof *r->leaf_at);
    r->marks = dp_calloc(leaves + 1, sizeof *r->marks);
    r->codec = dp_codec_open();
    if (columns) {
        for (size_t i = 0; i < n_columns; i++) DP_TRY_OUT(add_named(r, columns[i], err));
    } else {
        for (size_t i = 0; i < n; i++) DP_TRY_OUT(add_column(r, i, err));
    }
    size_t most = f->bound && f->bound / 4 < 64u << 20 ? (size_t)f->bound / 4 : 64u << 20, ahead = most / (r->n_leaves + 1);
    for (size_t i = 0; i < r->n_leaves; i++) r->leaves[i].read_ahead = ahead > 262144 ? 262144 : ahead < 16384 ? 16384 : ahead;
    pq_nodes_setup(r);
out:
    if (status == DP_OK) {
        *out = r;
    } else {
        dp_err_at(err, f->name, 0, DP_NO_OFFSET);
        dp_pq_reader_close(r);
    }
    return status;
}

void dp_pq_reader_close(struct dp_pq_reader *r) {
    if (!r) return;
    for (size_t i = 0; i < r->n_leaves; i++) pq_leaf_release(&r->leaves[i]);
    for (size_t i = 0; i < r->n_variants; i++) dp_variant_close(&r->variants[i]);
    free(r->variants);
    dp_arena_release(&r->arena);
    dp_codec_close(r->codec);
    dp_type_free(r->schema);
    dp_buf_release(&r->scratch);
    pq_drop_spares(r);
    dp_pq_ranges_release(&r->ranges);
    dp_arena_release(&r->indexes);
    free(r->tops);
    free(r->top_leaf);
    free(r->leaves);
    free(r->leaf_at);
    free(r->marks);
    free(r);
}

const struct dp_type *dp_pq_reader_schema(const struct dp_pq_reader *r) { return r->schema; }

size_t dp_pq_reader_bytes(const struct dp_pq_reader *r) {
    size_t n = r->spare;
    for (size_t i = 0; i < r->n_leaves; i++) {
        const struct pq_leaf *l = &r->leaves[i];
        n += l->win.cap + l->page.cap + l->previous.cap + l->reps.cap + l->defs.cap + l->dict.fixed.cap + l->dict.offsets.cap + l->dict.bytes.cap;
    }
    return n;
}

/* ---- rows ---- */

enum dp_status dp_pq_reader_seek(struct dp_pq_reader *r, size_t row_group, struct dp_err *err) {
    const struct dp_pq_meta *m = &r->file->meta;
    r->positioned = r->selected = false;
    if (row_group >= m->n_row_groups) return dp_err_set(err, DP_BUG, "row group %zu of %zu", row_group, m->n_row_groups);
    for (size_t i = 0; i < r->n_leaves; i++) DP_TRY(pq_chunk_begin(&r->leaves[i], row_group, err));
    r->row_group = row_group;
    r->rows_left = m->row_groups[row_group].num_rows;
    r->row = r->batch_row = 0;
    r->positioned = true;
    return DP_OK;
}

/* What a batch may hold at most; one row alone may take half of what is allowed. */
static uint64_t batch_room(const struct dp_pq_reader *r, bool one) {
    uint64_t bound = r->file->bound;
    return !bound ? UINT64_MAX : one ? bound / 2 : bound / 4 + PQ_BLOCK * 16;
}

static size_t leaf_bytes(const struct pq_leaf *l) {
    return l->col->data_n + l->reps.n + l->defs.n + (l->form == PQ_FORM_BYTES ? (size_t)l->slots * 4 : 0);
}

static void set_caps(struct pq_leaf *l, bool one, uint64_t room) {
    uint64_t bytes = one ? INT32_MAX : PQ_BATCH_BYTES, entries = one ? DP_LIMIT_ROW_VALUES : PQ_BATCH_ENTRIES;
    l->cap = (size_t)(room < bytes ? room : bytes);
    l->entry_cap = (size_t)(room / 2 < entries ? room / 2 : entries);
}

/* Reads `rows` rows of every leaf; where a cap is met, *rows becomes what is to be tried next and *again is set. */
static enum dp_status try_rows(struct dp_pq_reader *r, int64_t *rows, bool *again, struct dp_err *err) {
    bool one = *rows == 1;
    uint64_t room = batch_room(r, one), bound = r->file->bound;
    *again = false;
    for (size_t i = 0; i < r->n_leaves; i++) {
        struct pq_leaf *l = &r->leaves[i];
        int64_t whole;
        set_caps(l, one, room);
        if (l->shed || l->stale) DP_TRY(pq_leaf_rewind(l, r->marks[i], err));
        enum dp_status status = pq_leaf_read(l, *rows, &whole, err);
        if (status == DP_LIMIT && l->over && !one) {
            *rows = whole > 0 ? whole : *rows / 2;
            *again = true;
            return DP_OK;
        }
        DP_TRY(status);
        room -= leaf_bytes(l) < room ? leaf_bytes(l) : room;
        if (bound && !r->selected && r->held > bound - bound / 4) pq_leaf_shed(l); /* many columns: some are found again at each batch */
    }
    return DP_OK;
}

/* Lists, structs and Variants of the rows that were read; where Variants take too much text, fewer rows are to be tried. */
static enum dp_status assemble(struct dp_pq_reader *r, struct dp_batch *b, int64_t *rows, bool *again, struct dp_err *err) {
    r->over = false;
    enum dp_status status = pq_nodes_finish(r, b, *rows, err);
    if (status != DP_LIMIT || !r->over || *rows == 1) return status;
    *rows /= 2;
    *again = true;
    return DP_OK;
}

/* Nothing may be left of a row group's columns behind its last row. */
static enum dp_status check_end(struct dp_pq_reader *r, size_t from, size_t to, struct dp_err *err) {
    for (size_t i = from; i < to; i++) {
        const struct pq_leaf *l = &r->leaves[i];
        if (l->page_left || l->entries_left || l->ahead_pos < l->ahead_n)
            return pq_fail(l, err, DP_FORMAT, "the column has more rows than its row group");
    }
    return DP_OK;
}

enum dp_status dp_pq_reader_next(struct dp_pq_reader *r, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    if (!r->positioned) return dp_err_set(err, DP_BUG, "read without a position");
    dp_batch_reset(b);
    if (r->rows_left == 0) return DP_END;
    bool again;
    r->positioned = false; /* until all went well */
    if (r->selected) DP_TRY(pq_select_next(r, err));
    int64_t left = r->selected ? r->ranges.v[r->range].to - r->row : r->rows_left, rows = max_rows < left ? max_rows : left;
    if (r->row_hint && rows > r->row_hint) rows = r->row_hint;
    if (rows < 1) rows = 1;
    for (size_t i = 0; i < r->n_leaves; i++) r->marks[i] = pq_leaf_mark(&r->leaves[i]);
    for (;;) {
        pq_nodes_bind(r, b);
        DP_TRY(try_rows(r, &rows, &again, err));
        if (!again) DP_TRY(assemble(r, b, &rows, &again, err));
        if (!again) break;
        r->row_hint = rows;
        dp_batch_reset(b);
        for (size_t i = 0; i < r->n_leaves; i++) r->leaves[i].stale = true; /* one after the other goes back when it is read */
    }
    b->length = rows;
    r->batch_row = r->row;
    r->row += rows;
    r->rows_left -= rows;
    if (r->row_hint) r->row_hint += r->row_hint / 4 + 1; /* wide values may be followed by narrow ones */
    if (r->rows_left == 0 && !r->selected) DP_TRY(check_end(r, 0, r->n_leaves, err));
    r->positioned = true;
    return DP_OK;
}

enum dp_status pq_read_column(struct dp_pq_reader *r, size_t row_group, size_t column, struct dp_column *c, struct dp_err *err) {
    size_t from = r->top_leaf[column], to = r->top_leaf[column + 1];
    int64_t rows = r->file->meta.row_groups[row_group].num_rows, whole;
    r->positioned = r->selected = false;
    r->row_group = row_group;
    r->rows_left = rows;
    for (size_t i = from; i < to; i++) DP_TRY(pq_chunk_begin(&r->leaves[i], row_group, err));
    pq_node_bind(r, column, c);
    for (size_t i = from; i < to; i++) {
        struct pq_leaf *l = &r->leaves[i];
        l->cap = l->entry_cap = r->file->bound && r->file->bound < INT32_MAX ? (size_t)r->file->bound : INT32_MAX;
        enum dp_status status = pq_leaf_read(l, rows, &whole, err);
        if (status == DP_LIMIT && l->over) return pq_fail_chunk(l, err, DP_LIMIT, "more than %zu bytes in one row group: too much to be read as a whole", l->cap);
        DP_TRY(status);
    }
    DP_TRY(pq_node_finish(r, column, c, rows, err));
    return check_end(r, from, to, err);
}

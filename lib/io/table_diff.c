/*
 * Differences of two tables or versions (dp/io/table_diff.h): of their logs first, then, from the files that only one has and the deletion vectors in which one file
 * differs, of their rows.  What it does not do: tell that a row was changed: that is one row less here and one more there.
 */
#include <dp/io/table_diff.h>

#include <dp/base/file.h>
#include <dp/delta/dv.h>
#include <dp/delta/path.h>
#include <dp/delta/scan.h>
#include <dp/delta/schema.h>
#include <dp/io/evolve.h>
#include <dp/io/rows.h>
#include <dp/io/tally.h>
#include <dp/record/cast.h>

#include <limits.h>
#include <stdlib.h>

/* One of the two, and what is to be read of it. */
struct dp_table_diff_side {
    const struct dp_delta_snapshot *s;
    char *root;                    /* absolute */
    struct dp_map files;           /* absolute path -> struct dp_delta_file */
    struct dp_delta_file *only;
    char **paths;
    struct dp_delta_picked *picked;
    size_t n, cap_only, cap_paths, cap_picked;
    struct dp_arena arena;
};

static void add_item(struct dp_table_diff_list *l, enum dp_table_diff_sign sign, struct dp_buf *text) {
    l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = (struct dp_table_diff_item){sign, dp_strdup(dp_buf_z(text))};
    dp_buf_reset(text);
}

/* ---- schema and properties ---- */

static void add_name(struct dp_buf *b, const char *prefix, const struct dp_type *t) { dp_buf_addf(b, "column %s%.*s", prefix, (int)t->name_n, t->name); }

static void diff_types(struct dp_table_diff *d, const struct dp_type *a, const struct dp_type *b, const char *prefix);

static void diff_field(struct dp_table_diff *d, const struct dp_type *a, const struct dp_type *b, const char *prefix) {
    struct dp_buf x = {0}, y = {0}, text = {0};
    dp_delta_type_print(a, &x);
    dp_delta_type_print(b, &y);
    if (a->id == DP_TYPE_STRUCT && b->id == DP_TYPE_STRUCT) {
        dp_buf_addf(&text, "%s%.*s.", prefix, (int)a->name_n, a->name);
        diff_types(d, a, b, dp_buf_z(&text));
        dp_buf_reset(&text);
    } else if (!dp_str_eq(dp_buf_str(&x), dp_buf_str(&y))) {
        add_name(&text, prefix, a);
        dp_buf_addf(&text, ": %s -> %s", dp_buf_z(&x), dp_buf_z(&y));
        add_item(&d->schema, DP_TABLE_DIFF_CHANGED, &text);
    }
    if (a->nullable != b->nullable) {
        add_name(&text, prefix, a);
        dp_buf_addf(&text, ": %s", b->nullable ? "not null -> nullable" : "nullable -> not null");
        add_item(&d->schema, DP_TABLE_DIFF_CHANGED, &text);
    }
    dp_buf_release(&x), dp_buf_release(&y), dp_buf_release(&text);
}

/* Fields of a that b has not, or has otherwise; then those of b alone. */
static void diff_types(struct dp_table_diff *d, const struct dp_type *a, const struct dp_type *b, const char *prefix) {
    struct dp_buf text = {0};
    for (size_t i = 0; i < a->n_children + b->n_children; i++) {
        bool of_a = i < a->n_children;
        const struct dp_type *f = of_a ? a->children[i] : b->children[i - a->n_children], *other = dp_type_child(of_a ? b : a, dp_str(f->name, f->name_n));
        if (other && of_a) diff_field(d, f, other, prefix);
        if (other) continue;
        add_name(&text, prefix, f);
        dp_buf_addc(&text, ' ');
        dp_delta_type_print(f, &text);
        add_item(&d->schema, of_a ? DP_TABLE_DIFF_REMOVED : DP_TABLE_DIFF_ADDED, &text);
    }
    dp_buf_release(&text);
}

static void print_words(const struct dp_delta_strs *s, struct dp_buf *out) {
    if (!s->n) dp_buf_addz(out, "none");
    for (size_t i = 0; i < s->n; i++) dp_buf_addf(out, "%s%.*s", i ? ", " : "", DP_STR_FMT(s->v[i]));
}

static void diff_partitions(struct dp_table_diff *d) {
    struct dp_buf x = {0}, y = {0}, text = {0};
    print_words(&d->a->metadata.partition_columns, &x);
    print_words(&d->b->metadata.partition_columns, &y);
    if (!dp_str_eq(dp_buf_str(&x), dp_buf_str(&y))) {
        dp_buf_addf(&text, "partition columns: %s -> %s", dp_buf_z(&x), dp_buf_z(&y));
        add_item(&d->schema, DP_TABLE_DIFF_CHANGED, &text);
    }
    dp_buf_release(&x), dp_buf_release(&y), dp_buf_release(&text);
}

static void print_value(struct dp_str v, struct dp_buf *out) {
    enum { MOST = 60 };
    struct dp_buf cut = {0};
    dp_buf_add(&cut, v.p, v.n < MOST ? v.n : MOST);
    while (v.n > MOST && cut.n && ((unsigned char)v.p[cut.n] & 0xc0) == 0x80) cut.n--;
    dp_json_add_string(out, dp_buf_str(&cut));
    if (v.n > MOST) dp_buf_addz(out, "...");
    dp_buf_release(&cut);
}

static void diff_properties(struct dp_table_diff *d) {
    const struct dp_delta_pairs *a = &d->a->metadata.configuration, *b = &d->b->metadata.configuration;
    struct dp_buf text = {0};
    for (size_t i = 0; i < a->n + b->n; i++) {
        bool of_a = i < a->n;
        const struct dp_delta_pair *p = of_a ? &a->v[i] : &b->v[i - a->n], *other = dp_delta_pairs_get(of_a ? b : a, p->key);
        if (other && (!of_a || dp_str_eq(p->value, other->value))) continue;
        dp_buf_addf(&text, "property %.*s: ", DP_STR_FMT(p->key));
        print_value(p->value, &text);
        if (other) dp_buf_addz(&text, " -> ");
        if (other) print_value(other->value, &text);
        add_item(&d->properties, other ? DP_TABLE_DIFF_CHANGED : of_a ? DP_TABLE_DIFF_REMOVED : DP_TABLE_DIFF_ADDED, &text);
    }
    if (d->a->protocol.min_reader != d->b->protocol.min_reader || d->a->protocol.min_writer != d->b->protocol.min_writer) {
        dp_buf_addf(&text, "protocol: reader %lld, writer %lld -> reader %lld, writer %lld", (long long)d->a->protocol.min_reader, (long long)d->a->protocol.min_writer,
                    (long long)d->b->protocol.min_reader, (long long)d->b->protocol.min_writer);
        add_item(&d->properties, DP_TABLE_DIFF_CHANGED, &text);
    }
    dp_buf_release(&text);
}

/* ---- files ---- */

static enum dp_status list_files(struct dp_table_diff_side *x, struct dp_err *err) {
    char full[PATH_MAX];
    struct dp_buf path = {0};
    const struct dp_delta_file *f;
    enum dp_status status = DP_OK;
    if (!realpath(x->s->table, full)) return dp_err_sys(err, DP_IO, "%s", x->s->table);
    x->root = dp_strdup(full);
    for (size_t cursor = 0; status == DP_OK && (f = dp_delta_next_file(x->s, &cursor)) != NULL;) {
        dp_buf_reset(&path);
        status = dp_delta_path_resolve(x->root, f->path, &path, err);
        if (status == DP_OK) dp_map_put(&x->files, dp_buf_str(&path), NULL)->v.p = (void *)(uintptr_t)f;
    }
    dp_buf_release(&path);
    return status;
}

/* Where a vector is: the same text for the same one, whichever table speaks of it. */
static enum dp_status vector_place(const struct dp_table_diff_side *x, const struct dp_delta_dv *dv, struct dp_buf *out, struct dp_err *err) {
    if (!dv->storage.p) return DP_OK;
    dp_buf_addf(out, "%lld@", (long long)(dv->offset == DP_DELTA_UNSET ? 1 : dv->offset));
    if (!dp_str_eqz(dv->storage, "i")) return dp_delta_dv_path(x->root, dv, out, err);
    dp_buf_adds(out, dv->path);
    return DP_OK;
}

static enum dp_status same_vectors(const struct dp_table_diff_side *x, const struct dp_delta_dv *a, const struct dp_table_diff_side *y, const struct dp_delta_dv *b, bool *same,
                                   struct dp_err *err) {
    struct dp_buf p = {0}, q = {0};
    enum dp_status status = vector_place(x, a, &p, err);
    if (status == DP_OK) status = vector_place(y, b, &q, err);
    *same = dp_str_eq(dp_buf_str(&p), dp_buf_str(&q));
    dp_buf_release(&p), dp_buf_release(&q);
    return status;
}

/* The rows of a file of x; where the other side has the file too, those that its vector deletes. */
static enum dp_status pick(struct dp_table_diff_side *x, struct dp_str path, const struct dp_delta_file *f, const struct dp_table_diff_side *y, const struct dp_delta_file *other, struct dp_err *err) {
    struct dp_buf place = {0}, uri = {0};
    struct dp_delta_picked p = {.is_pair = other != NULL, .deleted = f->dv};
    enum dp_status status = DP_OK;
    if (other) {
        p.wanted = other->dv;
        status = dp_delta_dv_path(y->root, &other->dv, &place, err);
        if (status == DP_OK && place.n) { /* by its absolute path: x is read from another table, perhaps */
            dp_delta_path_encode(dp_buf_str(&place), &uri);
            p.wanted.storage = DP_STR("p");
            p.wanted.path = dp_arena_str(&x->arena, dp_buf_str(&uri));
        }
    }
    x->only = dp_grow(x->only, &x->cap_only, x->n + 1, sizeof *x->only);
    x->paths = dp_grow(x->paths, &x->cap_paths, x->n + 1, sizeof *x->paths);
    x->picked = dp_grow(x->picked, &x->cap_picked, x->n + 1, sizeof *x->picked);
    x->only[x->n] = *f;
    x->paths[x->n] = dp_strndup(path.p, path.n);
    x->picked[x->n++] = p;
    dp_buf_release(&place), dp_buf_release(&uri);
    return status;
}

/* Of each file of x: does y have it as it is? */
static enum dp_status diff_side(struct dp_table_diff *d, struct dp_table_diff_side *x, const struct dp_table_diff_side *y, enum dp_table_diff_sign sign, struct dp_err *err) {
    struct dp_buf text = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < x->files.n && status == DP_OK; i++) {
        const struct dp_map_item *it = &x->files.items[i], *there = dp_map_get(&y->files, it->key);
        const struct dp_delta_file *f = it->v.p, *other = there ? there->v.p : NULL;
        bool same = false;
        if (other) status = same_vectors(x, &f->dv, y, &other->dv, &same, err);
        if (status != DP_OK || same) continue;
        dp_buf_reset(&text);
        if (status == DP_OK) status = dp_delta_path_resolve(x->s->table, f->path, &text, err);
        if (!other) add_item(&d->files, sign, &text);
        else if (sign == DP_TABLE_DIFF_REMOVED) add_item(&d->files, DP_TABLE_DIFF_CHANGED, &text);
        if (!other && sign == DP_TABLE_DIFF_REMOVED) d->files_removed++;
        else if (!other) d->files_added++;
        else if (sign == DP_TABLE_DIFF_REMOVED) d->files_changed++;
        if (status == DP_OK && (!other || other->dv.storage.p)) status = pick(x, it->key, f, y, other, err);
    }
    dp_buf_release(&text);
    return status;
}

enum dp_status dp_table_diff_open(struct dp_run *run, const struct dp_delta_snapshot *a, const struct dp_delta_snapshot *b, struct dp_table_diff **out, struct dp_err *err) {
    struct dp_table_diff *d = dp_calloc(1, sizeof *d);
    d->run = run;
    d->a = a, d->b = b;
    d->sides = dp_calloc(2, sizeof *d->sides);
    d->sides[0].s = a, d->sides[1].s = b;
    enum dp_status status = list_files(&d->sides[0], err);
    if (status == DP_OK) status = list_files(&d->sides[1], err);
    if (status == DP_OK) {
        diff_types(d, a->schema, b->schema, "");
        diff_partitions(d);
        diff_properties(d);
        status = diff_side(d, &d->sides[0], &d->sides[1], DP_TABLE_DIFF_REMOVED, err);
    }
    if (status == DP_OK) status = diff_side(d, &d->sides[1], &d->sides[0], DP_TABLE_DIFF_ADDED, err);
    if (status == DP_OK) *out = d;
    else dp_table_diff_close(d);
    return status;
}

static void close_list(struct dp_table_diff_list *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i].text);
    free(l->v);
}

void dp_table_diff_close(struct dp_table_diff *d) {
    if (!d) return;
    for (size_t i = 0; i < 2; i++) {
        struct dp_table_diff_side *x = &d->sides[i];
        for (size_t k = 0; k < x->n; k++) free(x->paths[k]);
        free(x->paths), free(x->only), free(x->picked), free(x->root);
        dp_map_release(&x->files);
        dp_arena_release(&x->arena);
    }
    close_list(&d->schema), close_list(&d->properties), close_list(&d->files);
    dp_type_free(d->both);
    free(d->sides);
    free(d);
}

/* ---- rows ---- */

enum dp_status dp_table_diff_schema(struct dp_table_diff *d, struct dp_err *err) {
    if (d->both) return DP_OK;
    struct dp_type *a = dp_delta_schema_unfit(d->a->schema), *b = dp_delta_schema_unfit(d->b->schema);
    struct dp_cast_clash clash = {0};
    enum dp_status status = DP_OK;
    d->both = dp_cast_common(a, b, &clash);
    if (!d->both)
        status = dp_err_set(err, DP_SCHEMA, "rows can't be compared: column %s is %s here and %s there", dp_buf_z(&clash.path), dp_buf_z(&clash.a), dp_buf_z(&clash.b));
    dp_cast_clash_release(&clash);
    dp_type_free(a);
    dp_type_free(b);
    return status;
}

static enum dp_status add_lines(struct dp_tally_lines *t, struct dp_str text, int64_t sign, struct dp_err *err) {
    for (size_t at = 0; at < text.n;) {
        const char *nl = memchr(text.p + at, '\n', text.n - at);
        size_t n = nl ? (size_t)(nl - text.p) - at : text.n - at;
        DP_TRY(dp_tally_lines_add(t, dp_str(text.p + at, n), sign, err));
        at += n + 1;
    }
    return DP_OK;
}

/* All rows that were picked of a side, as lines of the columns of both. */
static enum dp_status read_side(struct dp_table_diff *d, struct dp_table_diff_side *x, struct dp_tally_lines *t, int64_t sign, struct dp_err *err) {
    if (!x->n) return DP_OK;
    struct dp_type *own = dp_delta_schema_unfit(x->s->schema);
    struct dp_evolve e = {0};
    struct dp_delta_scan *scan = NULL;
    struct dp_delta_task *task = NULL;
    struct dp_delta_read *read = NULL;
    struct dp_batch b;
    struct dp_buf text = {0};
    struct dp_rows sized = {0};
    dp_evolve_open(&e, d->both, own);
    dp_batch_init(&b, d->both);
    enum dp_status status = dp_delta_scan_open(x->s, e.whole ? NULL : e.names, e.n_names, NULL, &scan, err);
    if (status == DP_OK) {
        dp_delta_scan_only(scan, x->only, (const char *const *)x->paths, x->n);
        dp_delta_scan_pick(scan, x->picked);
        dp_delta_scan_bound(scan, d->run->memory / 4);
    }
    while (status == DP_OK && (status = dp_delta_scan_next(scan, &task, err)) == DP_OK) {
        status = dp_delta_read_open(task, &read, err);
        while (status == DP_OK) {
            if (dp_run_stopped(d->run, err)) status = DP_SIGNALLED;
            struct dp_batch *raw = dp_evolve_target(&e, dp_delta_scan_schema(scan), &b);
            if (status == DP_OK) status = dp_delta_read_next(read, dp_rows_next(&sized, d->run, 2), raw, err);
            if (status == DP_OK) status = dp_evolve_batch(&e, &b, err);
            if (status != DP_OK) break;
            dp_rows_see(&sized, &b);
            dp_buf_reset(&text);
            dp_batch_print(&b, 0, b.length, NULL, &text);
            status = add_lines(t, dp_buf_str(&text), sign, err);
        }
        dp_evolve_release(&e); /* its batch is the reader's */
        dp_evolve_open(&e, d->both, own);
        dp_delta_read_close(read);
        dp_delta_task_release(task);
        read = NULL, task = NULL;
        if (status == DP_END) status = DP_OK;
    }
    dp_batch_release(&b);
    dp_evolve_release(&e);
    dp_delta_scan_close(scan);
    dp_type_free(own);
    dp_buf_release(&text);
    return status == DP_END ? DP_OK : status;
}

enum dp_status dp_table_diff_rows(struct dp_table_diff *d, dp_table_diff_row_fn fn, void *ctx, struct dp_err *err) {
    struct dp_tally_lines *t = dp_tally_lines_open(d->run->memory / 2);
    enum dp_status status = dp_table_diff_schema(d, err);
    if (status == DP_OK) status = read_side(d, &d->sides[0], t, -1, err);
    if (status == DP_OK) status = read_side(d, &d->sides[1], t, 1, err);
    if (status == DP_OK) status = dp_tally_lines_each(t, fn, ctx, err);
    if (status == DP_OK && dp_tally_lines_spilled(t)) dp_run_log(d->run, DP_LOG_VERBOSE, "%llu bytes of rows were spilled", (unsigned long long)dp_tally_lines_spilled(t));
    dp_tally_lines_close(t);
    return status;
}

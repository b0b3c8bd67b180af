/*
 * Sets of keys that relationships point to (dp/io/refset.h).  Of Parquet and Delta only the columns of the key are read.  CSV cells are read by the types
 * that the contract gives to the key's columns: those of the target where it is described, else those of the properties that point to it.
 */
#include "join_load.h"

#include <dp/base/file.h>
#include <dp/io/refset.h>
#include <dp/io/source.h>
#include <dp/io/typed.h>
#include <dp/rules/check.h>

#include <stdlib.h>

enum { BATCH = 1024, ROWS = 4096 };

struct dp_refset {
    struct dp_keyset *keys;
    char *name;
    const struct dp_path *paths;
    struct dp_path *own;  /* the same, where they are not the caller's */
    struct dp_path_hint *hints;
    bool *found;          /* by path: some record had it, be it null */
    size_t n_paths;
    struct dp_expr *where; /* NULL: all records */
    struct dp_expr_run *test;
    struct dp_type *types; /* of the key's columns, nullable; a struct, perhaps without children */
    struct dp_scan *scan;
    struct dp_buf bytes;
    struct dp_key batch[BATCH];
    size_t n_batch;
    uint64_t records;
};

/* ---- --reference ---- */

static const char *source_of(const struct dp_refset_opts *o, struct dp_str name) {
    for (size_t i = 0; name.n && i < o->n_references; i++) {
        const char *z = o->references[i];
        if (!strncmp(z, name.p, name.n) && z[name.n] == '=') return z + name.n + 1;
    }
    return NULL;
}

/* ---- what the relationship points to ---- */

/* The other contract that references name by ids, once read. */
struct other {
    struct dp_contract contract;
    char *path;
    bool is_open;
};

static void other_release(struct other *x) {
    if (x->is_open) dp_contract_release(&x->contract);
    free(x->path);
    *x = (struct other){0};
}

/* A plain file of the contract's folder or below: no URL, no way up. */
static bool is_beside(struct dp_str file) {
    if (!file.n || file.p[0] == '/' || memchr(file.p, ':', file.n)) return false;
    for (size_t i = 0; i + 1 < file.n; i++)
        if (file.p[i] == '.' && file.p[i + 1] == '.' && (i == 0 || file.p[i - 1] == '/') && (i + 2 == file.n || file.p[i + 2] == '/')) return false;
    return true;
}

static bool open_other(const struct dp_contract *c, struct dp_str file, struct other *x) {
    struct dp_err unused = DP_ERR_INIT;
    if (!is_beside(file)) return false;
    char *name = dp_strndup(file.p, file.n), *dir = dp_path_dir(c->doc.source ? c->doc.source : ""), *path = dp_path_join(dir, name);
    free(name);
    free(dir);
    if (x->is_open && !strcmp(path, x->path)) {
        free(path);
        return true;
    }
    other_release(x);
    x->path = path;
    x->is_open = dp_contract_read(path, &x->contract, &unused) == DP_OK;
    return x->is_open;
}

static struct dp_reference read_target(const struct dp_contract *c, const char *text, struct other *x) {
    struct dp_reference r = dp_reference_read(c, text, NULL), inner;
    if (!r.file.n || !open_other(c, r.file, x)) return r;
    inner = dp_reference_read(&x->contract, strchr(text, '#') + 1, NULL);
    inner.file = r.file;
    return inner;
}

/* The way in the target's records: by the columns' names where they are known, else as written. */
static bool target_path(const struct dp_reference *r, struct dp_path *path) {
    if (r->n) {
        dp_reference_path(r, path);
        return true;
    }
    if (r->by_id || !r->rest.n) return false;
    struct dp_err unused = DP_ERR_INIT;
    struct dp_buf b = {0};
    bool has_dot = memchr(r->rest.p, '.', r->rest.n) != NULL;
    if (!has_dot) {
        dp_path_key(path, r->rest);
        return true;
    }
    dp_buf_addc(&b, '.');
    dp_buf_adds(&b, r->rest);
    bool fine = dp_path_parse(dp_buf_str(&b), path, &unused) == DP_OK;
    dp_buf_release(&b);
    return fine;
}

static const char *object_name(const struct dp_reference *r) {
    return r->object ? r->object->name ? r->object->name : r->object->physical_name : NULL;
}

static const char *find_source(const struct dp_refset_opts *o, const struct dp_reference *r) {
    const char *source = source_of(o, r->object_name);
    const char *const names[] = {r->object ? r->object->name : NULL, r->object ? r->object->physical_name : NULL, r->object ? r->object->id : NULL};
    for (size_t i = 0; i < 3 && !source; i++)
        if (names[i]) source = source_of(o, dp_str_z(names[i]));
    return source;
}

enum dp_status dp_refset_check(const struct dp_refset_opts *o, struct dp_err *err) {
    for (size_t i = 0; i < o->n_references; i++) {
        const char *z = o->references[i], *eq = strchr(z, '=');
        if (!eq || eq == z || !eq[1] || !strcmp(eq + 1, "-")) return dp_err_set(err, DP_USAGE, "--reference %.200s: OBJECT=SOURCE is wanted (a file or a table)", z);
        for (size_t k = 0; k < i; k++)
            if (!strncmp(o->references[k], z, (size_t)(eq - z) + 1)) return dp_err_set(err, DP_USAGE, "--reference %.*s is given twice", (int)(eq - z), z);
    }
    return DP_OK;
}

enum dp_status dp_refset_check_used(const struct dp_contract *c, const struct dp_contract_relationship *const *rels, size_t n_rels,
                                    const struct dp_refset_opts *opts, struct dp_err *err) {
    struct other x = {0};
    size_t n = 0, most = 0;
    if (!opts->n_references) return DP_OK;
    for (size_t i = 0; i < n_rels; i++) most += rels[i]->n;
    const char **names = dp_calloc(most + 1, sizeof *names); /* of the objects that are pointed to */
    char **owned = dp_calloc(most + 1, sizeof *owned);
    bool *used = dp_calloc(opts->n_references, sizeof *used);
    for (size_t i = 0; i < n_rels; i++)
        for (size_t k = 0; k < rels[i]->n; k++) {
            struct dp_reference t = read_target(c, rels[i]->to[k], &x);
            const char *object = object_name(&t);
            names[n] = owned[n] = object ? dp_strdup(object) : dp_strndup(t.object_name.p, t.object_name.n);
            n++;
            for (size_t j = 0; j < opts->n_references; j++) {
                const struct dp_refset_opts one = {.references = &opts->references[j], .n_references = 1};
                used[j] = used[j] || find_source(&one, &t);
            }
        }
    enum dp_status status = DP_OK;
    for (size_t j = 0; j < opts->n_references && status == DP_OK; j++) {
        if (used[j]) continue;
        char *word = dp_strndup(opts->references[j], strcspn(opts->references[j], "="));
        const char *near = n == 1 ? names[0] : dp_str_nearest(word, names);
        status = dp_err_set(err, DP_USAGE, "--reference %.200s: no relationship that is checked points to it%s%s%s", word, near ? "; did you mean " : "", near ? near : "",
                            near ? "?" : "");
        free(word);
    }
    for (size_t i = 0; i < n; i++) free(owned[i]);
    free(owned);
    free(names);
    free(used);
    other_release(&x);
    return status;
}

/* The column's type in its object's schema; NULL: not known, or nested. */
static struct dp_type *column_type(const struct dp_contract *c, const struct dp_contract_object *o, const char *column) {
    struct dp_type *schema = NULL, *found;
    struct dp_err unused = DP_ERR_INIT;
    if (!o || dp_contract_schema(c, o, &schema, &unused) != DP_OK) return NULL;
    found = dp_type_child(schema, dp_str_z(column));
    if (found) found = dp_type_copy(found);
    dp_type_free(schema);
    return found;
}

static struct dp_type *renamed(const struct dp_type *t, struct dp_str name) {
    struct dp_type *copy = dp_type_copy(t);
    free(copy->name);
    copy->name = dp_strndup(name.p, name.n);
    copy->name_n = name.n;
    copy->nullable = true;
    return copy;
}

/* Adds the type of a key's column that is not nested. */
static void add_type(struct dp_refset *r, const struct dp_contract *c, const struct dp_contract *target_contract, const struct dp_reference *target,
                     const struct dp_contract_object *o, const char *from, const struct dp_path *path) {
    struct dp_str name = {path->steps[0].key, path->steps[0].key_n};
    if (path->n != 1 || dp_type_child(r->types, name)) return;
    struct dp_type *t = target->n ? column_type(target_contract, target->object, target->chain[0]->name) : NULL;
    if (!t && from) t = column_type(c, o, from);
    if (t) dp_type_add(r->types, renamed(t, name));
    dp_type_free(t);
}

/* Everything but the keys. *why: what can't be done. */
static void prepare(struct dp_refset *r, const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_contract_property *from,
                    const struct dp_contract_relationship *rel, const struct dp_refset_opts *opts, struct dp_arena *a, const char **source, const char **why) {
    struct other x = {0};
    struct dp_buf name = {0};
    r->paths = r->own = dp_calloc(rel->n + 1, sizeof *r->own);
    r->hints = dp_calloc(rel->n + 1, sizeof *r->hints);
    r->found = dp_calloc(rel->n + 1, sizeof *r->found);
    r->types = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (size_t i = 0; i < rel->n && !*why; i++) {
        struct dp_reference t = read_target(c, rel->to[i], &x);
        const char *at = find_source(opts, &t), *object = object_name(&t);
        struct dp_str shown = object ? dp_str_z(object) : t.object_name;
        if (!at) {
            *why = dp_arena_printf(a, "--reference %.*s=SOURCE would say where its keys are", DP_STR_FMT(shown));
        } else if (*source && strcmp(at, *source) != 0) {
            *why = "its columns are in more than one object";
        } else if (!target_path(&t, &r->own[r->n_paths])) {
            *why = dp_arena_printf(a, "%.200s names no property%s", rel->to[i], t.by_id && t.file.n && !x.is_open ? ": that contract is not in this one's folder" : "");
        } else {
            *source = at;
            const struct dp_reference own = rel->from && rel->from[i] ? dp_reference_read(c, rel->from[i], o) : (struct dp_reference){0};
            const char *own_name = own.n == 1 ? own.chain[0]->name : from ? from->name : NULL;
            add_type(r, c, t.file.n ? &x.contract : c, &t, o, own_name, &r->paths[r->n_paths++]);
            if (!i) dp_buf_adds(&name, shown);
            dp_buf_addz(&name, i ? "," : "");
            dp_path_print(&r->paths[i], &name);
        }
    }
    if (!rel->n) *why = "it points to nothing";
    r->name = dp_buf_detach(&name);
    other_release(&x);
}

/* ---- reading ---- */

static enum dp_status flush(struct dp_refset *r, struct dp_err *err) {
    bool seen[BATCH];
    DP_TRY(dp_keyset_add(r->keys, r->batch, r->n_batch, seen, err));
    r->n_batch = 0;
    return DP_OK;
}

static void look_for(struct dp_refset *r, const struct dp_record *rec) {
    for (size_t i = 0; i < r->n_paths; i++) r->found[i] = r->found[i] || dp_path_find(&r->paths[i], NULL, rec);
}

static bool is_missing(const struct dp_refset *r) {
    for (size_t i = 0; i < r->n_paths; i++)
        if (!r->found[i]) return true;
    return false;
}

static enum dp_status is_wanted(const struct dp_refset *r, const struct dp_record *rec, bool *yes, struct dp_err *err) {
    *yes = true;
    if (!r->test) return DP_OK;
    enum dp_status status = dp_expr_test(r->test, rec, yes, err);
    if (status == DP_RECORD && err) err->status = DP_FORMAT;
    return status == DP_RECORD ? DP_FORMAT : status;
}

/* Lines of records, DP_SCAN_PAD bytes readable behind them; err->line is set from the first line's number. */
static enum dp_status add_lines(struct dp_refset *r, const char *text, size_t n, uint64_t line, struct dp_err *err) {
    struct dp_record rec;
    bool missing = is_missing(r), wanted;
    dp_scan_begin(r->scan, text, n);
    for (;;) {
        enum dp_status status = dp_scan_next(r->scan, &rec, err);
        if (status == DP_END) return DP_OK;
        if (status == DP_RECORD || (status == DP_OK && rec.duplicate_keys)) {
            if (status == DP_OK) (void)dp_err_set(err, DP_FORMAT, "a name is there twice in one record");
            if (err) err->status = DP_FORMAT, err->line = line + rec.index, err->offset = DP_NO_OFFSET;
            return DP_FORMAT;
        }
        if (status != DP_OK) return status;
        r->records++;
        if (missing) {
            look_for(r, &rec);
            missing = is_missing(r);
        }
        status = is_wanted(r, &rec, &wanted, err);
        if (status != DP_OK) return status;
        if (!wanted) continue;
        dp_buf_reset(&r->bytes);
        if (!dp_tuple_bytes(r->paths, r->n_paths, r->hints, &rec, &r->bytes)) continue;
        r->batch[r->n_batch++] = dp_keyset_key(r->keys, dp_buf_str(&r->bytes));
        if (r->n_batch == BATCH) DP_TRY(flush(r, err));
    }
}

/* Columns that hold the key, each once. Caller frees. */
static const char **key_columns(const struct dp_refset *r, size_t *n) {
    const char **columns = dp_calloc(r->n_paths, sizeof *columns);
    *n = 0;
    for (size_t i = 0, k; i < r->n_paths; i++) {
        for (k = 0; k < *n && strcmp(columns[k], r->paths[i].steps[0].key) != 0; k++) {}
        if (k == *n) columns[(*n)++] = r->paths[i].steps[0].key;
    }
    return columns;
}

static enum dp_status read_typed(struct dp_refset *r, struct dp_run *run, const char *source, struct dp_err *err) {
    struct dp_typed_opts opts = {.where = r->where};
    const char **columns = key_columns(r, &opts.n_columns);
    struct dp_typed *t = NULL;
    struct dp_batch b = {0};
    struct dp_buf text = {0};
    enum dp_status status;
    opts.columns = columns;
    if (r->where && !dp_expr_fields(r->where, &opts.extra, &opts.n_extra)) opts.columns = NULL, opts.n_columns = 0; /* it may read all */
    DP_TRY_OUT(dp_typed_open(run, &source, 1, &opts, &t, err));
    for (;;) {
        status = dp_typed_next(t, ROWS, &b, err);
        if (status != DP_OK) break;
        if (dp_run_stopped(run, err)) {
            status = DP_SIGNALLED;
            break;
        }
        dp_buf_reset(&text);
        dp_batch_print(&b, 0, b.length, NULL, &text);
        memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        DP_TRY_OUT(add_lines(r, text.p, text.n, r->records + 1, err));
    }
    if (status == DP_END) status = DP_OK;
out:
    dp_batch_release(&b);
    dp_typed_close(t);
    dp_buf_release(&text);
    free(columns);
    return status;
}

static enum dp_status read_chunk(struct dp_refset *r, struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    if (c->kind != DP_CHUNK_RECORDS) return dp_err_set(err, DP_FORMAT, "a mark, where records are wanted");
    DP_TRY(dp_sources_convert(s, 0, c, err));
    if (c->bad) {
        (void)dp_err_set(err, DP_FORMAT, "a record that can't be read by the contract's types");
        return dp_err_at(err, c->origin->name, c->line, DP_NO_OFFSET);
    }
    enum dp_status status = add_lines(r, c->text, c->n, c->line, err);
    return status == DP_OK ? DP_OK : dp_err_at(err, c->origin->name, 0, DP_NO_OFFSET);
}

static enum dp_status read_records(struct dp_refset *r, struct dp_run *run, const char *source, struct dp_err *err) {
    struct dp_run own = *run; /* its filter and its books are for the records that are checked */
    struct dp_sources *s = NULL;
    struct dp_chunk chunk = {0};
    struct dp_source_opts opts = {.paths = DP_PATHS_REFUSE, .schema = r->types->n_children ? r->types : NULL};
    enum dp_status status;
    own.where = NULL;
    own.marks = false;
    DP_TRY_OUT(dp_sources_open(&own, &source, 1, &opts, &s, err));
    while ((status = dp_sources_next(s, &chunk, err)) == DP_OK) {
        DP_TRY_OUT(read_chunk(r, s, &chunk, err));
        if (dp_run_stopped(run, err)) {
            status = DP_SIGNALLED;
            goto out;
        }
    }
    if (status == DP_END) status = DP_OK;
out:
    dp_chunk_release(&chunk);
    dp_sources_close(s);
    return status;
}

static enum dp_status read_sqlite(struct dp_refset *r, struct dp_run *run, const char *source, struct dp_err *err) {
    struct join_sqlite *q = NULL;
    struct dp_chunk chunk = {0};
    enum dp_status status;
    DP_TRY_OUT(join_sqlite_open(source, &q, err));
    while ((status = join_sqlite_next(q, &chunk, err)) == DP_OK) {
        DP_TRY_OUT(add_lines(r, chunk.text, chunk.n, chunk.line, err));
        if (dp_run_stopped(run, err)) {
            status = DP_SIGNALLED;
            goto out;
        }
    }
    if (status == DP_END) status = DP_OK;
out:
    dp_chunk_release(&chunk);
    join_sqlite_close(q);
    return status;
}

/* A column that no record has is a mistake in the contract or in the option, and would fail every key. */
static enum dp_status check_found(const struct dp_refset *r, const char *source, struct dp_err *err) {
    for (size_t i = 0; r->records && i < r->n_paths; i++) {
        if (r->found[i]) continue;
        struct dp_buf b = {0};
        dp_path_print(&r->paths[i], &b);
        (void)dp_err_set(err, DP_SCHEMA, "%.200s: no record has %.200s", source, dp_buf_z(&b));
        dp_buf_release(&b);
        return DP_SCHEMA;
    }
    return DP_OK;
}

static enum dp_status load(struct dp_refset *r, struct dp_run *run, const char *source, uint64_t memory, struct dp_err *err) {
    r->keys = dp_keyset_open(memory);
    if (r->where) r->test = dp_expr_run_open(r->where);
    r->scan = dp_scan_open(run->max_record, DP_SCAN_AUTO);
    enum dp_status status = DP_OK;
    if (dp_typed_is(source)) status = read_typed(r, run, source, err);
    else if (join_sqlite_is(source)) status = read_sqlite(r, run, source, err);
    else status = read_records(r, run, source, err);
    if (status == DP_OK) status = flush(r, err);
    if (status == DP_OK) status = check_found(r, source, err);
    dp_scan_close(r->scan);
    if (r->test) dp_expr_run_close(r->test);
    r->scan = NULL, r->test = NULL;
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "reading the keys of %.200s: ", r->name);
}

enum dp_status dp_refset_open(struct dp_run *run, const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_contract_property *from,
                              const struct dp_contract_relationship *rel, const struct dp_refset_opts *opts, struct dp_arena *arena,
                              struct dp_refset **out, const char **why, struct dp_err *err) {
    struct dp_refset *r = dp_calloc(1, sizeof *r);
    const char *source = NULL;
    enum dp_status status = DP_OK;
    *out = NULL;
    *why = NULL;
    prepare(r, c, o, from, rel, opts, arena, &source, why);
    if (!*why) status = load(r, run, source, opts->memory, err);
    if (*why || status != DP_OK) {
        dp_refset_close(r);
        return status;
    }
    *out = r;
    return DP_OK;
}

enum dp_status dp_refset_read(struct dp_run *run, const char *source, const struct dp_path *paths, size_t n, const char *where, uint64_t memory,
                              struct dp_refset **out, struct dp_err *err) {
    struct dp_refset *r = dp_calloc(1, sizeof *r);
    r->paths = paths;
    r->n_paths = n;
    r->hints = dp_calloc(n + 1, sizeof *r->hints);
    r->found = dp_calloc(n + 1, sizeof *r->found);
    r->types = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    r->name = dp_strdup(source);
    enum dp_status status = where ? dp_expr_compile(dp_str_z(where), &r->where, err) : DP_OK;
    if (status == DP_OK) status = load(r, run, source, memory, err);
    if (status != DP_OK) {
        dp_refset_close(r);
        return status;
    }
    *out = r;
    return DP_OK;
}

void dp_refset_close(struct dp_refset *r) {
    if (!r) return;
    if (r->own) dp_paths_free(r->own, r->n_paths);
    dp_expr_free(r->where);
    free(r->hints);
    free(r->found);
    free(r->name);
    dp_type_free(r->types);
    dp_scan_close(r->scan);
    dp_buf_release(&r->bytes);
    dp_keyset_close(r->keys);
    free(r);
}

struct dp_key dp_refset_key(const struct dp_refset *r, struct dp_str bytes) { return dp_keyset_key(r->keys, bytes); }

enum dp_status dp_refset_find(struct dp_refset *r, const struct dp_key *keys, size_t n, bool *has, struct dp_err *err) {
    return dp_keyset_find(r->keys, keys, n, has, err);
}

uint64_t dp_refset_count(const struct dp_refset *r) { return dp_keyset_count(r->keys); }
uint64_t dp_refset_spilled(const struct dp_refset *r) { return dp_keyset_spilled(r->keys); }
const char *dp_refset_name(const struct dp_refset *r) { return r->name; }

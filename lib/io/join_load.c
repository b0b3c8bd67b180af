/*
 * The other source of a join, read to its end into a run (join_priv.h): chunks in, on all threads, keys and texts of their records out, in order.
 *
 * A record's text is the members that it adds, each with a comma in front, in its own order and bytes; what it lacks of the columns that others have stands behind as
 * nulls, which is known only at the end: records of one set of columns have a shape, and each shape one tail.
 */
#include "join_load.h"

#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { RUNS_OF_LEVEL = 32, EACH_SORTING = 2 * sizeof(struct join_entry) + 2 * sizeof(uint32_t) };

struct level_run { struct join_run run; unsigned level; };

struct load {
    struct dp_run run; /* its own: filter and books are of the records that are joined */
    struct join_feed *feed;
    struct join_ref *ref;
    struct join_parser *parsers;
    unsigned n_parsers;
    uint64_t memory;
    struct join_entry *v; size_t n, cap;
    struct join_texts texts;
    struct level_run *runs; size_t n_runs, cap_runs;
};

struct load_job { struct dp_chunk chunk; struct join_parsed parsed; };

/* ---- columns ---- */

static void add_out_name(struct join_ref *ref, const struct join_spec *s, const char *name) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, s->prefix), dp_buf_addz(&b, name);
    dp_map_put(&ref->out_names, dp_buf_str(&b), NULL);
    dp_buf_release(&b);
}

size_t join_ref_column(struct join_ref *ref, const struct join_spec *s, struct dp_str name, const struct dp_type *type) {
    bool is_new;
    struct dp_map_item *it = dp_map_put(&ref->names, name, &is_new);
    if (!is_new) return (size_t)it->v.u;
    it->v.u = ref->n_columns;
    ref->columns = dp_grow(ref->columns, &ref->cap_columns, ref->n_columns + 1, sizeof *ref->columns);
    ref->columns[ref->n_columns++] = (struct join_column){dp_strndup(name.p, name.n), type ? dp_type_copy(type) : NULL};
    add_out_name(ref, s, ref->columns[ref->n_columns - 1].name);
    return ref->n_columns - 1;
}

/* Is it a key, or a time that is dropped? */
bool join_is_left_out(const struct join_spec *s, struct dp_str name) {
    for (size_t i = 0; i < s->n_keys; i++)
        if (s->right[i].n == 1 && dp_str_eq(name, dp_str(s->right[i].steps[0].key, s->right[i].steps[0].key_n))) return true;
    return s->drops_time && dp_str_eq(name, dp_str(s->right_time.steps[0].key, s->right_time.steps[0].key_n));
}

void join_ref_columns(struct join_ref *ref, const struct join_spec *s, const struct dp_type *schema) {
    if (s->kind == DP_JOIN_ANTI) return;
    for (size_t i = 0; i < s->n_take; i++)
        (void)join_ref_column(ref, s, dp_str_z(s->take[i]), schema ? dp_type_child(schema, dp_str_z(s->take[i])) : NULL);
    for (size_t i = 0; !s->takes && schema && i < schema->n_children; i++) {
        const struct dp_type *t = schema->children[i];
        if (!join_is_left_out(s, dp_str(t->name, t->name_n))) (void)join_ref_column(ref, s, dp_str(t->name, t->name_n), t);
    }
}

void join_add_name(struct dp_buf *b, const struct join_spec *s, const char *name) {
    dp_buf_addz(b, ",\"");
    dp_json_add_escaped(b, dp_str_z(s->prefix));
    dp_json_add_escaped(b, dp_str_z(name));
    dp_buf_addz(b, "\":");
}

static void add_null(struct dp_buf *b, const struct join_spec *s, const char *name) {
    join_add_name(b, s, name);
    dp_buf_addz(b, "null");
}

/* By shape the columns that are not in it. */
enum dp_status join_ref_tails(struct join_ref *ref, const struct join_spec *s, struct dp_err *err) {
    struct dp_buf b = {0};
    bool *has = dp_calloc(ref->n_columns + 1, sizeof *has);
    size_t total = 0;
    for (size_t i = 0; i < ref->n_columns; i++) add_null(&b, s, ref->columns[i].name);
    ref->nulls = dp_buf_detach(&b);
    ref->n_tails = ref->shapes.n ? ref->shapes.n : 1;
    ref->tails = dp_calloc(ref->n_tails, sizeof *ref->tails);
    for (size_t k = 0; k < ref->n_tails; k++) {
        struct dp_str names = k < ref->shapes.n ? ref->shapes.items[k].key : DP_STR("");
        memset(has, s->takes, ref->n_columns * sizeof *has);
        for (size_t at = 0; at < names.n;) {
            uint32_t n;
            memcpy(&n, names.p + at, sizeof n);
            has[dp_map_get(&ref->names, dp_str(names.p + at + sizeof n, n))->v.u] = true;
            at += sizeof n + n;
        }
        for (size_t i = 0; i < ref->n_columns; i++)
            if (!has[i]) add_null(&b, s, ref->columns[i].name);
        total += b.n;
        ref->tails[k] = dp_buf_detach(&b);
    }
    free(has);
    if (total > DP_LIMIT_JOIN_NULLS) return dp_err_set(err, DP_LIMIT, "its records differ too much in their fields: --take chooses columns");
    return DP_OK;
}

/* ---- the driver's steps ---- */

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct load *l = ctx;
    struct load_job *j = job;
    if (dp_run_stopped(&l->run, err)) return DP_SIGNALLED;
    return join_feed_next(l->feed, &j->chunk, err);
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct load *l = ctx;
    struct load_job *j = job;
    DP_TRY(join_feed_convert(l->feed, worker, &j->chunk, err));
    return join_parse(&l->parsers[worker], &j->chunk, &j->parsed, err);
}

/* The shapes of a chunk by their numbers in the whole. */
enum dp_status join_ref_shapes(struct join_ref *ref, const struct join_spec *s, struct join_parsed *p, struct dp_err *err) {
    for (size_t i = 0; i < p->shapes.n; i++) {
        struct dp_str names = p->shapes.items[i].key;
        bool is_new;
        struct dp_map_item *it = dp_map_put(&ref->shapes, names, &is_new);
        if (is_new) it->v.u = ref->shapes.n - 1;
        p->shapes.items[i].v.u = it->v.u;
        for (size_t at = 0; is_new && at < names.n;) {
            uint32_t n;
            memcpy(&n, names.p + at, sizeof n);
            (void)join_ref_column(ref, s, dp_str(names.p + at + sizeof n, n), NULL);
            at += sizeof n + n;
        }
        if (ref->shapes.n > DP_LIMIT_JOIN_SHAPES) return dp_err_set(err, DP_LIMIT, "its records have more than %u different sets of fields: --take chooses columns", DP_LIMIT_JOIN_SHAPES);
        if (ref->n_columns > DP_LIMIT_COLUMNS) return dp_err_set(err, DP_LIMIT, "it has more than %u columns: --take chooses some", DP_LIMIT_COLUMNS);
    }
    return DP_OK;
}

enum dp_status join_ref_clock(struct join_ref *ref, enum join_clock clock, struct dp_err *err) {
    if (!clock || clock == ref->clock) return DP_OK;
    if (ref->clock) return dp_err_set(err, DP_FORMAT, "some of its times are instants and some are local");
    ref->clock = clock;
    return DP_OK;
}

void join_copy_entry(const struct join_parsed *p, size_t i, struct join_texts *texts, struct join_entry *out) {
    struct join_head h;
    *out = p->v[i];
    char *to = join_texts_room(texts, out->n, &out->at);
    memcpy(to, p->text.p + p->v[i].at, out->n);
    memcpy(&h, to, sizeof h);
    h.shape = p->shapes.n ? (uint32_t)p->shapes.items[h.shape].v.u : 0;
    memcpy(to, &h, sizeof h);
}

static enum dp_status merge_last(struct load *l, size_t n, unsigned level, struct dp_err *err) {
    struct join_run **from = dp_calloc(n, sizeof *from), out = {.fd = -1};
    struct level_run *first = &l->runs[l->n_runs - n];
    for (size_t i = 0; i < n; i++) from[i] = &first[i].run;
    enum dp_status status = join_run_merge(from, n, INT64_MIN, &out, err);
    free(from);
    if (status != DP_OK) return status;
    l->ref->spilled += out.bytes;
    for (size_t i = 0; i < n; i++) join_run_release(&first[i].run);
    l->n_runs -= n - 1;
    *first = (struct level_run){out, level};
    return DP_OK;
}

static enum dp_status spill(struct load *l, struct dp_err *err) {
    struct join_run whole = {.fd = -1};
    l->runs = dp_grow(l->runs, &l->cap_runs, l->n_runs + 1, sizeof *l->runs);
    join_run_build(&whole, &l->v, &l->n, &l->texts);
    l->cap = 0;
    l->runs[l->n_runs++] = (struct level_run){whole, 0};
    DP_TRY(merge_last(l, 1, 0, err));
    for (;;) {
        size_t n = 1;
        unsigned level = l->runs[l->n_runs - 1].level;
        while (n < l->n_runs && n < RUNS_OF_LEVEL && l->runs[l->n_runs - 1 - n].level == level) n++;
        if (n < RUNS_OF_LEVEL) return DP_OK;
        DP_TRY(merge_last(l, n, level + 1, err));
    }
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct load *l = ctx;
    struct join_parsed *p = &((struct load_job *)job)->parsed;
    struct join_ref *ref = l->ref;
    const struct join_spec *s = l->parsers[0].spec;
    DP_TRY(join_ref_shapes(ref, s, p, err));
    DP_TRY(join_ref_clock(ref, p->clock, err));
    if (p->mixed) return dp_err_set(err, DP_FORMAT, "some of its times are instants and some are local");
    for (size_t i = 0; i < ref->n_found; i++) ref->found[i] = ref->found[i] || p->found[i];
    ref->records += p->records;
    ref->no_key += p->no_key;
    l->v = dp_grow(l->v, &l->cap, l->n + p->n + 1, sizeof *l->v);
    for (size_t i = 0; i < p->n; i++) join_copy_entry(p, i, &l->texts, &l->v[l->n++]);
    if (l->texts.bytes + l->n * EACH_SORTING <= l->memory) return DP_OK;
    return spill(l, err);
}

static void release(void *ctx, void *job) {
    struct load_job *j = job;
    (void)ctx;
    dp_chunk_release(&j->chunk);
    join_parsed_release(&j->parsed);
}

/* ---- the whole ---- */

static const char *nearest(const struct join_parser *p, unsigned n, struct dp_str name) {
    const char *near = NULL;
    for (unsigned i = 0; i < n && !near; i++) near = p[i].seen ? dp_type_nearest(p[i].seen, name) : NULL;
    return near;
}

enum dp_status join_ref_found(const struct join_ref *ref, const struct join_spec *s, const struct join_parser *parsers, unsigned n_parsers, struct dp_err *err) {
    for (size_t i = 0; ref->records && i < ref->n_found; i++) {
        if (ref->found[i]) continue;
        struct dp_buf b = {0};
        const struct dp_path *path = i < s->n_keys ? &s->right[i] : i == s->n_keys && s->has_time ? &s->right_time : NULL;
        const char *take = path ? NULL : s->take[i - s->n_keys - s->has_time];
        if (path) dp_path_print(path, &b);
        else dp_buf_addz(&b, take);
        const char *near = nearest(parsers, n_parsers, path ? dp_str(path->steps[0].key, path->steps[0].key_n) : dp_str_z(take));
        (void)dp_err_set(err, DP_SCHEMA, "no record has %.200s%s%.200s%s", dp_buf_z(&b), near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        dp_buf_release(&b);
        return DP_SCHEMA;
    }
    return DP_OK;
}

static enum dp_status finish(struct load *l, const struct join_spec *s, bool unique, struct dp_err *err) {
    struct join_ref *ref = l->ref;
    uint64_t id = ref->run.id;
    DP_TRY(join_ref_found(ref, s, l->parsers, l->n_parsers, err));
    DP_TRY(join_ref_tails(ref, s, err));
    if (!l->n_runs) {
        join_run_build(&ref->run, &l->v, &l->n, &l->texts);
    } else {
        if (l->n) DP_TRY(spill(l, err));
        if (l->n_runs > 1) DP_TRY(merge_last(l, l->n_runs, 0, err));
        ref->run = l->runs[0].run;
        l->n_runs = 0;
    }
    ref->run.id = id;
    if (!unique) return DP_OK;
    struct dp_buf key = {0};
    bool twice = false;
    enum dp_status status = join_run_twice(&ref->run, &twice, &key, err);
    dp_buf_release(&key);
    return status == DP_OK && twice ? dp_err_set(err, DP_RULE, "a key stands there twice (--unique)") : status;
}

struct join_ref *join_ref_new(const struct join_spec *s, uint64_t id) {
    struct join_ref *ref = dp_calloc(1, sizeof *ref);
    ref->refs = 1;
    ref->run = (struct join_run){.id = id, .fd = -1};
    ref->n_found = s->n_keys + s->has_time + s->n_take;
    ref->found = dp_calloc(ref->n_found + 1, sizeof *ref->found);
    dp_random(&ref->hash_seed, sizeof ref->hash_seed);
    return ref;
}

enum dp_status join_ref_load(struct dp_run *run, struct dp_pool *pool, unsigned threads, const struct join_spec *s, bool unique, uint64_t memory, uint64_t id,
                             struct join_ref **out, struct dp_err *err) {
    struct load l = {.run = *run, .memory = memory, .n_parsers = threads, .ref = join_ref_new(s, id)};
    const struct dp_pool_ops ops = {.job_size = sizeof(struct load_job), .produce = produce, .work = work, .consume = consume, .release = release};
    struct dp_type *schema = NULL;
    enum dp_status status;
    l.run.where = NULL;
    l.run.marks = false;
    l.run.threads = threads;
    l.parsers = dp_calloc(threads, sizeof *l.parsers);
    for (unsigned i = 0; i < threads; i++) join_parser_open(&l.parsers[i], s, l.ref->hash_seed, run->max_record);
    DP_TRY_OUT(join_feed_open(&l.run, s, false, &l.feed, err));
    DP_TRY_OUT(join_feed_schema(l.feed, &schema, err));
    join_ref_columns(l.ref, s, schema);
    DP_TRY_OUT(dp_pool_run(pool, &ops, &l, err));
    status = finish(&l, s, unique, err);
out:
    join_feed_close(l.feed);
    for (unsigned i = 0; i < threads; i++) join_parser_close(&l.parsers[i]);
    for (size_t i = 0; i < l.n_runs; i++) join_run_release(&l.runs[i].run);
    free(l.parsers), free(l.runs), free(l.v);
    join_texts_release(&l.texts);
    dp_type_free(schema);
    if (status != DP_OK) join_ref_free(l.ref);
    else *out = l.ref;
    return status == DP_OK || status == DP_SIGNALLED ? status : dp_err_prefix(err, "reading %.200s: ", s->with);
}

void join_ref_free(struct join_ref *ref) {
    if (!ref) return;
    join_run_release(&ref->run);
    for (size_t i = 0; i < ref->n_columns; i++) free(ref->columns[i].name), dp_type_free(ref->columns[i].type);
    for (size_t i = 0; i < ref->n_tails; i++) free(ref->tails[i]);
    dp_map_release(&ref->names);
    dp_map_release(&ref->shapes);
    dp_map_release(&ref->out_names);
    free(ref->columns), free(ref->tails), free(ref->nulls), free(ref->found);
    free(ref);
}

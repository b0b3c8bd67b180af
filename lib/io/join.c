/*
 * Joins (dp/io/join.h): each record's key and time are looked up on any thread in what was read of the other source, and its matches are written where it stands.
 *
 * What one chunk's matches make is bounded: from some size on its records wait (dp_job_hold) and are looked up in order, output going out as it grows.  The same path
 * serves two streams (join_stream.c), where each record needs the other side read up to its time.
 */
#include "join_load.h"
#include "join_stream.h"

#include <dp/io/datasets.h>
#include <dp/record/lineage.h>
#include <dp/rules/check.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { OUT_LEAST = 64 << 10, OUT_MOST = 1 << 20 };

struct worker {
    struct dp_path_hint *hints, time_hint;
    struct join_reader reader;
    struct dp_buf key, scratch;
    uint64_t keys_seen;          /* as the join's, as far as this thread knows */
    uint64_t checked;            /* id of a reference, no column of which has the name of a member of these records */
};

/* A record on hold. */
struct pending { struct join_time time; enum join_clock clock; size_t key_at; uint32_t key_n; bool has_key, is_empty; };
struct job { struct join_ref *ref; struct pending *v; size_t n, cap; struct dp_buf keys; };

struct dp_join {
    struct dp_run *run;
    struct dp_join_words words;
    struct join_spec spec;
    pthread_mutex_t lock;        /* of ref and its refs */
    struct join_ref *ref;
    struct join_stream *stream;  /* two streams; NULL */
    struct join_reader reader;   /* of what runs in order */
    size_t most_out;
    /* newer versions */
    int64_t reload_ms, next_look; /* clock in ms */
    bool is_looking;
    struct dp_buf identity;
    uint64_t memory, next_id, reloads;
    _Atomic uint64_t keys_seen;  /* by key: some record had a value there; of the first 64 */
    _Atomic bool has_records;
};

/* ---- the reference at hand ---- */

static struct join_ref *take_ref(struct dp_join *d) {
    pthread_mutex_lock(&d->lock);
    struct join_ref *ref = d->ref;
    ref->refs++;
    pthread_mutex_unlock(&d->lock);
    return ref;
}

static void drop_ref(struct dp_join *d, struct join_ref *ref) {
    if (!ref) return;
    pthread_mutex_lock(&d->lock);
    bool last = --ref->refs == 0;
    pthread_mutex_unlock(&d->lock);
    if (last) join_ref_free(ref);
}

static int64_t clock_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Is it time to look whether there is a newer one, and is it ours to do? */
static bool begin_look(struct dp_join *d) {
    if (!d->reload_ms) return false;
    int64_t now = clock_ms();
    pthread_mutex_lock(&d->lock);
    bool mine = !d->is_looking && now >= d->next_look;
    if (mine) d->is_looking = true;
    pthread_mutex_unlock(&d->lock);
    return mine;
}

/* A source that can't be read now is one that is being written: what was read of it stays until it can. */
static enum dp_status look(struct dp_join *d, struct dp_err *err) {
    struct dp_buf id = {0};
    struct dp_err own = DP_ERR_INIT;
    struct join_ref *ref = NULL;
    enum dp_status status = DP_OK;
    if (join_feed_identity(d->run, d->spec.with, &id) && !dp_str_eq(dp_buf_str(&id), dp_buf_str(&d->identity))) {
        struct dp_pool *pool = dp_pool_open(1);
        status = join_ref_load(d->run, pool, 1, &d->spec, d->words.unique, d->memory, d->next_id++, &ref, &own);
        dp_pool_close(pool);
        struct dp_buf was = d->identity;
        d->identity = id, id = was;
    }
    dp_buf_release(&id);
    pthread_mutex_lock(&d->lock);
    struct join_ref *old = NULL;
    if (ref) old = d->ref, d->ref = ref, d->reloads++;
    d->next_look = clock_ms() + d->reload_ms;
    d->is_looking = false;
    pthread_mutex_unlock(&d->lock);
    drop_ref(d, old);
    if (ref) dp_run_log(d->run, DP_LOG_VERBOSE, "%s has changed and was read anew: %llu records", d->spec.with, (unsigned long long)ref->records);
    if (status == DP_OK) return DP_OK;
    if (status == DP_SIGNALLED || status == DP_PIPE || status == DP_RULE) {
        if (err) *err = own;
        return status;
    }
    dp_run_log(d->run, DP_LOG_WARN, "%s has changed and can't be read, so it stays as it was: %s", d->spec.with, own.msg);
    return DP_OK;
}

/* ---- writing ---- */

struct writing {
    struct dp_join *d;
    const struct join_ref *ref;
    struct dp_stream *stream;    /* NULL: on a worker, where what grows too large is put off */
    struct dp_buf *out;
    struct dp_str left;          /* the record without its last brace */
    bool is_empty;               /* no members */
    uint64_t n;                  /* matches so far */
};

/* One text behind the record's members; tail may be "". */
static void put_joined(struct writing *w, struct dp_str text, const char *tail) {
    size_t tail_n = strlen(tail);
    if (w->is_empty && text.n) text.p++, text.n--;
    else if (w->is_empty && tail_n) tail++, tail_n--;
    char *p = dp_buf_reserve(w->out, w->left.n + text.n + tail_n + 2);
    memcpy(p, w->left.p, w->left.n), p += w->left.n;
    memcpy(p, text.p, text.n), p += text.n;
    memcpy(p, tail, tail_n), p += tail_n;
    *p++ = '}', *p = '\n';
    w->out->n += w->left.n + text.n + tail_n + 2;
}

/* DP_END: no more matches are wanted. DP_AGAIN: it is to wait for its turn. */
static enum dp_status take_match(void *ctx, const struct join_match *m, struct dp_err *err) {
    struct writing *w = ctx;
    w->n++;
    if (w->d->spec.kind == DP_JOIN_ANTI) return DP_END;
    if (w->out->n > w->d->most_out) {
        if (!w->stream) return DP_AGAIN;
        DP_TRY(dp_stream_write(w->stream, w->out->p, w->out->n, err));
        dp_buf_reset(w->out);
    }
    put_joined(w, m->text, m->shape < w->ref->n_tails ? w->ref->tails[m->shape] : "");
    return DP_OK;
}

static enum dp_status search(struct dp_join *d, const struct join_ref *ref, struct join_reader *reader, const struct join_key *key, struct join_time t, join_take take,
                             void *ctx, struct dp_err *err) {
    const struct join_spec *s = &d->spec;
    struct join_time from = s->from_ms == INT64_MIN ? JOIN_TIME_LEAST : join_time_add(t, s->from_ms);
    switch (s->how) {
    case DP_JOIN_KEYS: return join_run_range(&ref->run, reader, key, JOIN_TIME_LEAST, JOIN_TIME_MOST, take, ctx, err);
    case DP_JOIN_WITHIN:
        if (d->stream) return join_stream_search(d->stream, reader, key, from, join_time_add(t, s->to_ms), take, ctx, err);
        return join_run_range(&ref->run, reader, key, from, join_time_add(t, s->to_ms), take, ctx, err);
    case DP_JOIN_AS_OF: return join_run_last(&ref->run, reader, key, from, t, take, ctx, err);
    }
    return DP_OK;
}

/* What becomes of a record whose matches were written. */
static void settle(struct dp_job *j, const struct dp_record *r, struct writing *w) {
    const struct join_spec *s = &w->d->spec;
    if (s->kind == DP_JOIN_ANTI) {
        if (w->n) dp_job_filter(j);
        else dp_job_pass(j, r);
    } else if (w->n) {
        dp_job_use(j);
    } else if (s->kind == DP_JOIN_LEFT) {
        put_joined(w, DP_STR(""), w->ref->nulls);
        dp_job_use(j);
    } else if (w->d->words.require) {
        dp_job_reject(j, r, "join", NULL, "a match", "no match in %.200s", s->with);
    } else {
        dp_job_filter(j);
    }
}

/* ---- records ---- */

static enum dp_status check_names(struct dp_join *d, struct worker *w, const struct dp_job *j, const struct dp_record *r, const struct join_ref *ref, struct dp_err *err) {
    if ((!j->new_keys && w->checked == ref->run.id) || d->spec.kind == DP_JOIN_ANTI) return DP_OK;
    uint32_t i = 1;
    for (uint32_t m = 0; m < r->n_members; m++, i = r->nodes[i + 1].next) {
        dp_buf_reset(&w->scratch);
        dp_json_decode(dp_node_str(r, i), &w->scratch);
        if (!dp_map_get(&ref->out_names, dp_buf_str(&w->scratch))) continue;
        return dp_err_set(err, DP_USAGE, "both sides have a column %.200s: --prefix P puts P in front of the names of %.200s, --take chooses among them",
                          dp_buf_z(&w->scratch), d->spec.with);
    }
    w->checked = ref->run.id;
    return DP_OK;
}

static void reject_time(struct dp_join *d, struct dp_job *j, const struct dp_record *r, enum dp_status status, enum join_clock clock) {
    struct dp_buf path = {0};
    dp_path_print(&d->spec.left_time, &path);
    const char *expected = "RFC 3339, a date, or integer milliseconds";
    if (status == DP_END) dp_job_reject(j, r, "time", dp_buf_z(&path), expected, "the record has no time");
    else if (status != DP_OK) dp_job_reject(j, r, "time", dp_buf_z(&path), expected, "it is no time");
    else dp_job_reject(j, r, "time", dp_buf_z(&path), expected, "%s, where the times of %.200s are %s", clock == JOIN_CLOCK_LOCAL ? "a local time" : "an instant",
                       d->spec.with, clock == JOIN_CLOCK_LOCAL ? "instants" : "local");
    dp_buf_release(&path);
}

/* False: it is a reject. */
static bool read_time(struct dp_join *d, struct worker *w, struct dp_job *j, const struct dp_record *r, struct join_ref *ref, struct join_time *t, enum join_clock *clock) {
    if (!d->spec.has_time) return true;
    enum dp_status status = join_time_read(&d->spec.clock, r, dp_path_find(&d->spec.left_time, &w->time_hint, r), &w->scratch, t, clock);
    enum join_clock theirs = d->stream ? JOIN_CLOCK_NONE : ref->clock; /* of a stream it is known in order only */
    if (status == DP_OK && (!theirs || theirs == *clock)) return true;
    reject_time(d, j, r, status, *clock);
    return false;
}

static void hold(struct dp_job *j, const struct dp_record *r, struct dp_str key, bool has_key, struct join_time t, enum join_clock clock) {
    struct job *jj = j->mem;
    jj->v = dp_grow(jj->v, &jj->cap, jj->n + 1, sizeof *jj->v);
    jj->v[jj->n++] = (struct pending){t, clock, jj->keys.n, (uint32_t)key.n, has_key, r->n_members == 0};
    dp_buf_adds(&jj->keys, key);
    dp_job_hold(j, r);
}

/* A key field that no record has is a slip, and would be silent: nothing matches. */
static void look_for_keys(struct dp_join *d, struct worker *w, const struct dp_record *r) {
    const size_t n = d->spec.n_keys < 64 ? d->spec.n_keys : 64;
    const uint64_t all = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
    if (w->keys_seen == all) return;
    for (size_t i = 0; i < n; i++)
        if (dp_path_find(&d->spec.left[i], NULL, r)) w->keys_seen |= UINT64_C(1) << i;
    w->keys_seen |= atomic_fetch_or(&d->keys_seen, w->keys_seen);
    atomic_store(&d->has_records, true);
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct dp_join *d = ctx;
    (void)err;
    for (size_t i = 0; atomic_load(&d->has_records) && i < d->spec.n_keys && i < 64; i++) {
        if (atomic_load(&d->keys_seen) >> i & 1) continue;
        struct dp_buf b = {0};
        dp_path_print(&d->spec.left[i], &b);
        dp_run_log(d->run, DP_LOG_WARN, "--on: no record has %s, so none has a match", dp_buf_z(&b));
        dp_buf_release(&b);
    }
    return DP_OK;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct dp_join *d = ctx;
    struct worker *w = j->worker_mem;
    struct join_ref *ref = ((struct job *)j->mem)->ref;
    struct join_time t = {0};
    enum join_clock clock = JOIN_CLOCK_NONE;
    size_t start = j->out.n;
    DP_TRY(check_names(d, w, j, r, ref, err));
    if (!read_time(d, w, j, r, ref, &t, &clock)) return DP_OK;
    dp_buf_reset(&w->key);
    look_for_keys(d, w, r);
    bool has_key = dp_tuple_bytes(d->spec.left, d->spec.n_keys, w->hints, r, &w->key);
    struct dp_str bytes = dp_buf_str(&w->key);
    if (d->stream || start > d->most_out) return hold(j, r, bytes, has_key, t, clock), DP_OK;
    struct writing writing = {.d = d, .ref = ref, .out = &j->out, .left = dp_str(r->raw, r->raw_n - 1), .is_empty = r->n_members == 0};
    enum dp_status status = DP_OK;
    if (has_key) {
        const struct join_key key = {XXH3_64bits_withSeed(bytes.p, bytes.n, ref->hash_seed), bytes};
        status = search(d, ref, &w->reader, &key, t, take_match, &writing, err);
    }
    if (status == DP_AGAIN) {
        j->out.n = start;
        return hold(j, r, bytes, has_key, t, clock), DP_OK;
    }
    if (status != DP_OK && status != DP_END) return status;
    settle(j, r, &writing);
    return DP_OK;
}

static enum dp_status decide_one(struct dp_join *d, struct dp_job *j, const struct dp_record *r, const struct pending *p, struct dp_err *err) {
    const struct job *jj = j->mem;
    struct dp_str bytes = dp_str(jj->keys.p + p->key_at, p->key_n);
    struct writing writing = {.d = d, .ref = jj->ref, .stream = j->stream, .out = &j->out, .left = dp_str(r->raw, r->raw_n - 1), .is_empty = p->is_empty};
    if (d->stream) {
        bool late = false;
        if (join_stream_waits(d->stream, p->time)) { /* what is ready goes out before */
            DP_TRY(dp_stream_write(j->stream, j->out.p, j->out.n, err));
            dp_buf_reset(&j->out);
        }
        DP_TRY(join_stream_reach(d->stream, p->time, &late, err));
        if (late) return dp_job_count(j, DP_TALLY_LATE), DP_OK;
        if (jj->ref->clock && jj->ref->clock != p->clock) return reject_time(d, j, r, DP_OK, p->clock), DP_OK;
    }
    if (p->has_key) {
        const struct join_key key = {XXH3_64bits_withSeed(bytes.p, bytes.n, jj->ref->hash_seed), bytes};
        enum dp_status status = search(d, jj->ref, &d->reader, &key, p->time, take_match, &writing, err);
        if (status != DP_OK && status != DP_END) return status;
    }
    settle(j, r, &writing);
    return DP_OK;
}

static enum dp_status on_decide(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_join *d = ctx;
    struct job *jj = j->mem;
    struct dp_record r;
    enum dp_status status = DP_OK;
    for (size_t i = 0; status == DP_OK && dp_job_next_held(j, &r); i++) status = decide_one(d, j, &r, &jj->v[i], err);
    drop_ref(d, jj->ref);
    jj->ref = NULL;
    return status;
}

/* ---- chunks, workers ---- */

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_join *d = ctx;
    struct job *jj = j->mem;
    if (begin_look(d)) DP_TRY(look(d, err));
    drop_ref(d, jj->ref);
    jj->ref = take_ref(d);
    jj->n = jj->keys.n = 0;
    return DP_OK;
}

static void job_close(void *ctx, void *mem) {
    struct job *jj = mem;
    drop_ref(ctx, jj->ref);
    dp_buf_release(&jj->keys);
    free(jj->v);
}

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    struct dp_join *d = ctx;
    struct worker *w = mem;
    (void)err;
    w->hints = dp_calloc(d->spec.n_keys + 1, sizeof *w->hints);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    struct worker *w = mem;
    (void)ctx;
    join_reader_release(&w->reader);
    dp_buf_release(&w->key), dp_buf_release(&w->scratch);
    free(w->hints);
}

/* ---- the header ---- */

static struct dp_type *out_column(const struct join_spec *s, const struct join_column *c) {
    struct dp_buf name = {0};
    dp_buf_addz(&name, s->prefix), dp_buf_addz(&name, c->name);
    struct dp_type *t = c->type ? dp_type_copy(c->type) : dp_type_new(DP_TYPE_NONE, DP_STR(""));
    free(t->name);
    t->name_n = name.n;
    t->name = dp_buf_detach(&name);
    t->nullable = t->nullable || s->kind == DP_JOIN_LEFT;
    t->field_id = -1;
    return t;
}

static size_t add_key(struct dp_lineage_on *on, size_t n, const struct dp_path *path, const char *source) {
    if (path->n && path->steps[0].kind == DP_STEP_KEY) on[n++] = (struct dp_lineage_on){dp_str(path->steps[0].key, path->steps[0].key_n), source, DP_HOW_JOIN};
    return n;
}

/* Which records there are, and what is beside them, is decided by the keys and times of both sides. */
static void amend_keys(const struct join_spec *s, struct dp_mark *begin) {
    struct dp_lineage_on *on = dp_calloc(2 * s->n_keys + 2, sizeof *on);
    size_t n = 0;
    for (size_t i = 0; i < s->n_keys; i++) n = add_key(on, n, &s->left[i], NULL);
    if (s->has_time) n = add_key(on, n, &s->left_time, NULL);
    for (size_t i = 0; i < s->n_keys; i++) n = add_key(on, n, &s->right[i], s->with);
    if (s->has_time) n = add_key(on, n, &s->right_time, s->with);
    dp_lineage_all(begin, on, n);
    free(on);
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct dp_join *d = ctx;
    const struct join_spec *s = &d->spec;
    struct join_ref *ref = take_ref(d);
    size_t n = s->kind == DP_JOIN_ANTI ? 0 : ref->n_columns;
    struct dp_lineage_made *joined = dp_calloc(n + 1, sizeof *joined);
    struct dp_lineage_on *from = dp_calloc(n + 1, sizeof *from);
    char **names = dp_calloc(n + 1, sizeof *names);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        struct dp_type *t = out_column(s, &ref->columns[i]);
        struct dp_str name = dp_str(t->name, t->name_n);
        names[i] = dp_strndup(name.p, name.n);
        from[i] = (struct dp_lineage_on){dp_str_z(ref->columns[i].name), s->with, DP_HOW_IDENTITY};
        joined[i] = (struct dp_lineage_made){dp_str_z(names[i]), "joined", &from[i], 1};
        if (begin->schema && dp_type_child(begin->schema, name))
            status = dp_err_set(err, DP_USAGE, "both sides have a column %.200s: --prefix P puts P in front of the names of %.200s, --take chooses among them", names[i], s->with);
        if (begin->schema && status == DP_OK) dp_type_add(begin->schema, t);
        else dp_type_free(t);
    }
    if (status == DP_OK) dp_lineage_make(begin, d->run->program, joined, n, false);
    if (status == DP_OK) amend_keys(s, begin);
    if (status == DP_OK) dp_datasets_origin(begin, s->with, s->with, NULL);
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names), free(joined), free(from);
    drop_ref(d, ref);
    return status;
}

/* A promise of the records' own source: what it rules out need not be kept. */
static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct dp_join *d = ctx;
    int64_t ms;
    (void)pass, (void)err;
    if (d->stream && m->kind == DP_MARK_WATERMARK && !m->source && dp_mark_time(m, &ms)) join_stream_promise(d->stream, ms);
    return DP_OK;
}

const struct dp_stream_ops *dp_join_ops(void) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .job_size = sizeof(struct job), .worker_open = worker_open, .worker_close = worker_close,
                                             .job_close = job_close, .chunk_begin = on_chunk, .record = on_record, .decide = on_decide, .header = on_header, .mark = on_mark, .finish = on_finish};
    return &ops;
}

/* ---- open and close ---- */

static size_t most_out(const struct dp_run *run) {
    uint64_t jobs = run->threads > 1 ? 2 * (uint64_t)run->threads + 1 : 1, n = run->memory / 8 / jobs;
    return n < OUT_LEAST ? OUT_LEAST : n > OUT_MOST ? OUT_MOST : (size_t)n;
}

static enum dp_status open_ref(struct dp_join *d, struct dp_err *err) {
    if (d->words.delay_ms >= 0) return join_stream_open(d->run, &d->spec, d->words.follow, d->words.delay_ms, d->memory, &d->stream, &d->ref, err);
    if (d->reload_ms) (void)join_feed_identity(d->run, d->spec.with, &d->identity);
    d->next_look = clock_ms() + d->reload_ms;
    return join_ref_load(d->run, d->run->pool, d->run->threads, &d->spec, d->words.unique, d->memory, d->next_id++, &d->ref, err);
}

enum dp_status dp_join_open(struct dp_run *run, const struct dp_join_words *words, struct dp_join **out, struct dp_err *err) {
    struct dp_join *d = *out = dp_calloc(1, sizeof *d);
    d->run = run;
    d->words = *words;
    d->next_id = 1;
    d->most_out = most_out(run);
    d->reload_ms = words->reload_ms >= 0 ? words->reload_ms : words->piped ? 1000 : 0;
    if (words->within || words->with_version) d->reload_ms = 0;
    /* an eighth is for chunks; while a source is read anew there are two of it, and of two streams one each */
    d->memory = d->reload_ms ? run->memory / 8 * 3 : words->delay_ms >= 0 ? run->memory / 2 : run->memory / 8 * 7;
    pthread_mutex_init(&d->lock, NULL);
    enum dp_status status = join_spec_read(words, &d->spec, err);
    if (status == DP_OK && words->delay_ms >= 0 && d->spec.kind != DP_JOIN_ANTI && !d->spec.takes)
        status = dp_err_set(err, DP_USAGE, "--delay needs --take: the columns of a source that is read as it comes must be known");
    if (status == DP_OK) status = open_ref(d, err);
    if (status == DP_OK) return DP_OK;
    dp_join_close(d);
    *out = NULL;
    return status;
}

void dp_join_close(struct dp_join *d) {
    if (!d) return;
    join_stream_close(d->stream);
    join_ref_free(d->ref);
    join_reader_release(&d->reader);
    dp_buf_release(&d->identity);
    join_spec_release(&d->spec);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct dp_join_counts dp_join_counts(const struct dp_join *d) {
    const struct join_ref *r = d->ref;
    struct dp_join_counts c = {.records = r->records, .no_key = r->no_key, .spilled = r->spilled, .reloads = d->reloads};
    if (d->stream) join_stream_counts(d->stream, &c);
    return c;
}

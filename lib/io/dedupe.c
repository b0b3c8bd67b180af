/*
 * Each key once (dp/io/dedupe.h): keys, times and values are read on all threads, and who is let through is decided in the order of the input.
 *
 * A chunk's records are printed by the thread that read them; where one of them is a duplicate its line is cut out of the chunk's output, so that the step that is done in
 * order is the look into the set and no more.
 */
#include "dedupe_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <dp/io/datasets.h>
#include <dp/record/lineage.h>
#include <dp/rules/check.h>

#include <stdlib.h>

/* ---- values that are compared ---- */

/* In this order, before their own; a class and one below it are never in one column but for NOTHING and the infinities. */
enum class { NOTHING, BELOW, NUMBER, ABOVE, INSTANT, LOCAL, TEXT };
enum { IS_NUMBER = 1, IS_TEXT = 2 };

static int compare_values(struct dp_str a, struct dp_str b) {
    if (a.p[0] != b.p[0]) return a.p[0] < b.p[0] ? -1 : 1;
    struct dp_str x = dp_str(a.p + 1, a.n - 1), y = dp_str(b.p + 1, b.n - 1);
    return a.p[0] == NUMBER ? dp_number_cmp(x, y) : dp_str_cmp(x, y);
}

static int compare_values_down(struct dp_str a, struct dp_str b) {
    bool none = a.p[0] == NOTHING || b.p[0] == NOTHING; /* is the worst one here too */
    return none ? compare_values(a, b) : compare_values(b, a);
}

static int compare_nothing(struct dp_str a, struct dp_str b) {
    (void)a, (void)b;
    return 0;
}

/* Big endian, so that bytes are in the order of the times. */
static void add_time(const struct dp_timestamp *t, struct dp_buf *out) {
    uint64_t s = (uint64_t)t->seconds ^ UINT64_C(1) << 63;
    for (int i = 56; i >= 0; i -= 8) dp_buf_addc(out, (char)(s >> i));
    for (int i = 24; i >= 0; i -= 8) dp_buf_addc(out, (char)((uint32_t)t->nanos >> i));
}

static void add_text(struct dp_str s, bool is_float, struct dp_buf *out) {
    struct dp_timestamp t;
    if (is_float && (dp_str_eqz(s, "NaN") || dp_str_eqz(s, "Infinity") || dp_str_eqz(s, "-Infinity"))) {
        dp_buf_addc(out, s.p[0] == 'N' ? NOTHING : s.p[0] == '-' ? BELOW : ABOVE);
    } else if (dp_time_parse(s, true, false, &t)) {
        dp_buf_addc(out, t.zone == DP_ZONE_NONE ? LOCAL : INSTANT);
        add_time(&t, out);
    } else {
        dp_buf_addc(out, TEXT);
        dp_buf_adds(out, s);
    }
}

static bool is_float(const struct dp_type *types, const struct dp_path *path) {
    const struct dp_type *t = types && types->id == DP_TYPE_STRUCT && path->n == 1 && path->steps[0].key
                                  ? dp_type_child(types, dp_str(path->steps[0].key, path->steps[0].key_n)) : NULL;
    return t && (t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE);
}

/* ---- one record, any thread ---- */

/* A record that was passed: its line in the output, what is asked of it. */
struct mine { size_t from, to; struct dp_key key; int64_t time; size_t value, value_n; bool keyless; };

struct job {
    struct mine *v;
    size_t n, cap;
    struct dp_key *keys;
    bool *seen;
    uint8_t *fate;
    size_t cap_keys, cap_seen, cap_fate;
    struct dp_buf values;
    struct dp_key *there;         /* their keys as the other source spells them */
    size_t cap_there;
    int kinds;
    bool has_field;
    int64_t future;               /* times behind it are rejected */
};

enum fate { STAYS, DUPLICATE, LATE };

struct worker {
    struct dp_path_hint *hints, time, field;
    struct dp_buf key, text;
    struct dp_event_day day;
    const struct dp_type *checked;  /* types that have the fields that are asked for */
};

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct worker *w = mem;
    (void)err;
    w->hints = dp_calloc(d->n_keys + 1, sizeof *w->hints);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    struct worker *w = mem;
    (void)ctx;
    free(w->hints);
    dp_buf_release(&w->key);
    dp_buf_release(&w->text);
}

static void job_close(void *ctx, void *mem) {
    struct job *x = mem;
    (void)ctx;
    free(x->v);
    free(x->keys);
    free(x->seen);
    free(x->fate);
    free(x->there);
    dp_buf_release(&x->values);
}

/* A column that a typed source does not have is a slip, and would be a reject in every record. */
static enum dp_status check_column(const struct dp_type *types, const char *option, const struct dp_path *p, const char *source, struct dp_err *err) {
    if (!p->n || !p->steps[0].key) return DP_OK;
    struct dp_str name = dp_str(p->steps[0].key, p->steps[0].key_n);
    if (dp_type_child(types, name)) return DP_OK;
    const char *near = dp_type_nearest(types, name);
    return dp_err_set(err, DP_SCHEMA, "%s: %s has no column %.*s%s%s%s", option, source, DP_STR_FMT(name), near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct worker *w = j->worker_mem;
    struct job *x = j->mem;
    const struct dp_origin *from = j->chunk->origin;
    x->n = 0;
    x->kinds = 0;
    x->has_field = false;
    x->future = INT64_MAX;
    if (d->o.max_future >= 0) {
        int64_t now = (d->run->now_fixed ? d->run->now_micros : dp_time_now_micros()) / 1000;
        if (dp_add_overflow(now, d->o.max_future, &x->future)) x->future = INT64_MAX;
    }
    dp_buf_reset(&x->values);
    if (!from || !from->schema || from->schema == w->checked) return DP_OK;
    for (size_t i = 0; i < d->n_keys; i++) DP_TRY(check_column(from->schema, "--key", &d->keys[i], from->name, err));
    DP_TRY(check_column(from->schema, "--time", &d->time, from->name, err));
    DP_TRY(check_column(from->schema, "--keep", &d->field, from->name, err));
    w->checked = from->schema;
    return DP_OK;
}

static void reject_keyless(const struct dp_dedupe *d, struct dp_job *j, const struct dp_record *r) {
    struct dp_buf b = {0};
    size_t i = 0;
    while (i + 1 < d->n_keys) {
        uint32_t node = dp_path_find(&d->keys[i], NULL, r);
        if (!node || r->nodes[node].kind == DP_KIND_NULL) break;
        i++;
    }
    dp_path_print(&d->keys[i], &b);
    dp_job_reject(j, r, "key", dp_buf_z(&b) + 1, "a value", "a key must have a value");
    dp_buf_release(&b);
}

/* Milliseconds; false: it was rejected. */
static bool read_time(const struct dp_dedupe *d, struct worker *w, struct dp_job *j, const struct job *x, const struct dp_record *r, int64_t *ms) {
    const char *why = dp_event_time_ms(&d->clock, &w->day, r, dp_path_find(&d->time, &w->time, r), &w->text, ms);
    if (!why && *ms <= x->future) return true;
    struct dp_buf b = {0};
    dp_path_print(&d->time, &b);
    if (why) dp_job_reject(j, r, "time", dp_buf_z(&b) + 1, dp_event_time_expected, "%s", why);
    else dp_job_reject(j, r, "future", dp_buf_z(&b) + 1, "a time that is not beyond --max-future", "the time is too far in the future");
    dp_buf_release(&b);
    return false;
}

/* Its class and bytes behind x->values; false: it was rejected. */
static bool read_value(const struct dp_dedupe *d, struct worker *w, struct dp_job *j, struct job *x, const struct dp_record *r) {
    uint32_t node = dp_path_find(&d->field, &w->field, r);
    x->has_field |= node != 0;
    enum dp_kind kind = node ? (enum dp_kind)r->nodes[node].kind : DP_KIND_NULL;
    if (kind == DP_KIND_NULL) {
        dp_buf_addc(&x->values, NOTHING);
    } else if (kind == DP_KIND_NUMBER) {
        dp_buf_addc(&x->values, NUMBER);
        dp_buf_adds(&x->values, dp_node_str(r, node));
        x->kinds |= IS_NUMBER;
    } else if (kind == DP_KIND_STRING) {
        size_t at = x->values.n;
        dp_buf_reset(&w->text);
        (void)dp_json_get_string(r, node, &w->text);
        add_text(dp_buf_str(&w->text), is_float(dp_job_types(j), &d->field), &x->values);
        if (x->values.p[at] > ABOVE) x->kinds |= IS_TEXT;
    } else {
        struct dp_buf b = {0};
        dp_path_print(&d->field, &b);
        dp_job_reject(j, r, "order", dp_buf_z(&b) + 1, "a number or a string", "it has no order");
        dp_buf_release(&b);
        return false;
    }
    return true;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct worker *w = j->worker_mem;
    struct job *x = j->mem;
    struct mine m = {.from = j->out.n, .value = x->values.n};
    (void)err;
    dp_buf_reset(&w->key);
    if (d->is_whole) {
        dp_record_bytes(r, &w->key);
    } else if (!dp_tuple_bytes(d->keys, d->n_keys, w->hints, r, &w->key)) {
        if (!d->o.null_passes) return reject_keyless(d, j, r), DP_OK;
        m.keyless = true;
    }
    if (!m.keyless) {
        if (d->time.n && !read_time(d, w, j, x, r, &m.time)) return DP_OK;
        if (d->field.n && !read_value(d, w, j, x, r)) return DP_OK;
        m.key = dp_keyset_key(d->set, dp_buf_str(&w->key));
    } else if (!d->best) {
        dp_job_pass(j, r);
        return DP_OK;
    }
    dp_job_pass(j, r);
    m.to = j->out.n, m.value_n = x->values.n - m.value;
    if (d->against) {
        x->there = dp_grow(x->there, &x->cap_there, x->n + 1, sizeof *x->there);
        x->there[x->n] = dp_refset_key(d->against, dp_buf_str(&w->key));
    }
    x->v = dp_grow(x->v, &x->cap, x->n + 1, sizeof *x->v);
    x->v[x->n++] = m;
    return DP_OK;
}

/* Lines of those that don't stay are taken out, and so are they from the list. */
static void cut(struct job *x, struct dp_job *j) {
    size_t n = 0, from = 0, to = 0, lost = 0; /* bytes from `from` on are not moved yet */
    for (size_t i = 0; i < x->n; i++) {
        struct mine m = x->v[i];
        if (x->fate[i] == STAYS) {
            m.from -= lost, m.to -= lost;
            x->v[n++] = m;
            continue;
        }
        if (to != from) memmove(j->out.p + to, j->out.p + from, m.from - from);
        to += m.from - from, from = m.to, lost += m.to - m.from;
        dp_job_withdraw(j, x->fate[i] == LATE ? DP_TALLY_LATE : DP_TALLY_DEDUPLICATED);
    }
    if (lost) {
        memmove(j->out.p + to, j->out.p + from, j->out.n - from);
        j->out.n -= lost;
    }
    x->n = n;
}

/* The keys of those on the list, in a row. */
static void gather(struct job *x) {
    x->keys = dp_grow(x->keys, &x->cap_keys, x->n + 1, sizeof *x->keys);
    x->seen = dp_grow(x->seen, &x->cap_seen, x->n + 1, sizeof *x->seen);
    x->fate = dp_grow(x->fate, &x->cap_fate, x->n + 1, sizeof *x->fate);
    for (size_t i = 0; i < x->n; i++) x->keys[i] = x->v[i].key;
}

/* Keys that are in the other source already. */
static enum dp_status on_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct job *x = j->mem;
    gather(x);
    if (!d->against || !x->n) return DP_OK;
    DP_TRY(dp_refset_find(d->against, x->there, x->n, x->seen, err));
    for (size_t i = 0; i < x->n; i++) x->fate[i] = x->seen[i] && !x->v[i].keyless ? DUPLICATE : STAYS;
    cut(x, j);
    gather(x);
    return DP_OK;
}

/* ---- in order ---- */

void dedupe_forget(struct dp_dedupe *d) {
    int64_t before;
    if (!dp_sub_overflow(d->water.now, d->o.within, &before)) dedupe_recent_forget(d->recent, before);
}

static enum dp_status decide_by_time(struct dp_dedupe *d, struct job *x, const struct dp_job *j, struct dp_err *err) {
    for (size_t i = 0; i < x->n; i++) {
        const struct mine *m = &x->v[i];
        bool near;
        if (m->time < d->water.now) {
            x->fate[i] = LATE;
            d->late++;
            late_add(&d->durable.late, j->out.p + m->from, m->to - m->from);
            continue;
        }
        DP_TRY(dedupe_recent_add(d->recent, m->key, m->time, &near, err));
        x->fate[i] = near ? DUPLICATE : STAYS;
        if (!near && d->durable.state) {
            const struct dedupe_entry e = dedupe_recent_entry(d->recent, m->key, m->time);
            dedupe_state_note(d, &e);
        }
        if (d->o.has_delay && dp_watermark_see(&d->water, 0, m->time)) dedupe_forget(d);
    }
    return DP_OK;
}

static enum dp_status on_decide(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct job *x = j->mem;
    durable_note(&d->durable, j->chunk->origin, j->chunk->end_offset);
    if (d->best || !x->n) return DP_OK;
    DP_TRY(dedupe_state_restore(d, err));
    if (d->recent) {
        DP_TRY(decide_by_time(d, x, j, err));
    } else {
        DP_TRY(dp_keyset_add(d->set, x->keys, x->n, x->seen, err));
        for (size_t i = 0; i < x->n; i++) {
            x->fate[i] = x->seen[i] ? DUPLICATE : STAYS;
            if (!x->seen[i]) dedupe_state_note(d, &(struct dedupe_entry){{x->keys[i].w[0], x->keys[i].w[1]}, 0});
        }
    }
    cut(x, j);
    return DP_OK;
}

/* A number and a text have no order between them. */
static enum dp_status check_kinds(struct dp_dedupe *d, const struct job *x, const struct dp_job *j, struct dp_err *err) {
    d->kinds |= x->kinds;
    d->has_field |= x->has_field;
    if (d->kinds != (IS_NUMBER | IS_TEXT)) return DP_OK;
    struct dp_buf b = {0};
    dp_path_print(&d->field, &b);
    (void)dp_err_set(err, DP_SCHEMA, "--keep: %s is a number in some records and text in others, so none is the highest", dp_buf_z(&b) + 1);
    (void)dp_err_at(err, j->chunk->origin ? j->chunk->origin->name : "-", j->chunk->line, DP_NO_OFFSET);
    dp_buf_release(&b);
    return DP_SCHEMA;
}

/* The chunk's lines wait; what else it printed (rejects in their place) stays in the output. */
static enum dp_status put_away(struct dp_dedupe *d, struct job *x, struct dp_job *j, struct dp_err *err) {
    size_t from = 0, to = 0; /* what stays */
    uint64_t number = d->lines.n;
    DP_TRY(check_kinds(d, x, j, err));
    for (size_t i = 0; i < x->n; i++, number++) {
        const struct mine *m = &x->v[i];
        if (m->keyless) dedupe_bits_set(&d->kept, number);
        else DP_TRY(dedupe_best_add(d->best, m->key, m->value_n ? dp_str(x->values.p + m->value, m->value_n) : dp_str("", 0), number, err));
    }
    for (size_t i = 0, k; i < x->n; i = k) {
        for (k = i + 1; k < x->n && x->v[k].from == x->v[k - 1].to; k++) {}
        DP_TRY(dedupe_lines_add(&d->lines, dp_str(j->out.p + x->v[i].from, x->v[k - 1].to - x->v[i].from), k - i, err));
        memmove(j->out.p + to, j->out.p + from, x->v[i].from - from);
        to += x->v[i].from - from, from = x->v[k - 1].to;
    }
    if (!x->n) return DP_OK;
    memmove(j->out.p + to, j->out.p + from, j->out.n - from);
    j->out.n = to + (j->out.n - from);
    return DP_OK;
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    return d->best ? put_away(d, j->mem, j, err) : DP_OK;
}

/* watermark, idle and active, of a source or of all. */
static enum dp_status move_watermark(struct dp_dedupe *d, const struct dp_mark *m, struct dp_err *err) {
    bool moved = false;
    DP_TRY(dp_watermark_take(&d->water, m, 0, &moved, err));
    if (moved) dedupe_forget(d);
    return DP_OK;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    (void)begin, (void)err;
    d->durable.has_begin = true;
    return DP_OK;
}

/* What is before it is in the state when it goes on. */
static enum dp_status on_checkpoint(struct dp_dedupe *d, const struct dp_mark *m, struct dp_err *err) {
    dp_kept_marks_add(&d->marks, m);
    if (m->more) return DP_OK;
    DP_TRY(dp_out_flush(d->run->out, err)); /* who goes by the state (dp-ingest --since-state) has the records before it says that they went out */
    DP_TRY(dedupe_state_save(d, m->id ? m->id : "", err));
    if (d->run->rejects) DP_TRY(dp_rejects_flush(d->run->rejects, err));
    return dp_kept_marks_pass(&d->marks, dp_stream_of(d->run), err);
}

static enum dp_status on_wait(void *ctx, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    return late_flush(&d->durable.late, false, err);
}

static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    DP_TRY(dedupe_state_restore(d, err));
    if (m->kind == DP_MARK_CHECKPOINT && d->durable.state) {
        *pass = false;
        return on_checkpoint(d, m, err);
    }
    if (d->best) {
        bool waits = dp_kept_marks_add(&d->marks, m);
        *pass = !waits && m->kind == DP_MARK_HEARTBEAT; /* who is idle at the time matters to nobody at the end */
    } else if (d->recent && (m->kind == DP_MARK_WATERMARK || m->kind == DP_MARK_IDLE || m->kind == DP_MARK_ACTIVE)) {
        DP_TRY(move_watermark(d, m, err));
    }
    return DP_OK;
}

/* Without a begin the end of input is a checkpoint. */
static enum dp_status finish_state(struct dp_dedupe *d, struct dp_err *err) {
    DP_TRY(late_flush(&d->durable.late, false, err));
    DP_TRY(dedupe_state_restore(d, err));
    if (!d->durable.state || d->durable.has_begin) return DP_OK;
    DP_TRY(dp_out_flush(d->run->out, err));
    return dedupe_state_save(d, "", err);
}

void dp_dedupe_stopped(struct dp_dedupe *d) {
    struct dp_err err = DP_ERR_INIT;
    if (!d->durable.state || d->durable.has_begin || !d->durable.is_restored) return;
    enum dp_status status = dp_out_flush(d->run->out, &err);
    if (status == DP_OK) status = dedupe_state_save(d, "", &err);
    if (status != DP_OK) dp_run_log(d->run, DP_LOG_WARN, "no checkpoint was written: %s", err.msg);
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct dp_dedupe *d = ctx;
    struct dp_stream *s = dp_stream_of(d->run);
    uint64_t n = d->lines.n, passed = 0;
    if (d->late)
        dp_run_log(d->run, DP_LOG_WARN, "%llu records were behind the watermark, so that it can't be told whether they are duplicates: they were dropped (--delay D waits longer%s)",
                   (unsigned long long)d->late, d->o.late ? "" : ", --late FILE keeps them");
    if (!d->best) return finish_state(d, err);
    if (d->field.n && n && !d->has_field) {
        struct dp_buf b = {0};
        dp_path_print(&d->field, &b);
        dp_run_log(d->run, DP_LOG_WARN, "--keep %s: no record has %s, so of each key the last one was kept", d->o.keep, dp_buf_z(&b) + 1);
        dp_buf_release(&b);
    }
    DP_TRY(dedupe_best_finish(d->best, &d->kept, err));
    DP_TRY(dedupe_lines_pass(&d->lines, &d->kept, s, &passed, err));
    d->run->books.used -= n - passed;
    d->run->books.deduplicated += n - passed;
    return dp_kept_marks_pass(&d->marks, s, err);
}

/* ---- options ---- */

static enum dp_status read_keep(struct dp_dedupe *d, struct dp_err *err) {
    static const struct { const char *word; enum dp_dedupe_keep keep; bool takes; } words[] = {
        {"first", DP_DEDUPE_FIRST, false}, {"last", DP_DEDUPE_LAST, false}, {"max:", DP_DEDUPE_MAX, true}, {"min:", DP_DEDUPE_MIN, true}};
    const char *z = d->o.keep ? d->o.keep : "first";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if (words[i].takes ? strncmp(z, words[i].word, n) != 0 : strcmp(z, words[i].word) != 0) continue;
        d->keep = words[i].keep;
        if (!words[i].takes || dp_path_parse(dp_str_z(z + n), &d->field, err) == DP_OK) return DP_OK;
        return dp_err_prefix(err, "--keep: ");
    }
    return dp_err_set(err, DP_USAGE, "--keep %.200s: first, last, max:FIELD or min:FIELD is wanted", z);
}

static enum dp_status read_keys(struct dp_dedupe *d, struct dp_err *err) {
    if (!d->o.key) return dp_err_set(err, DP_USAGE, "a key is missing: name its fields with --key A,B (--key . is the whole record)");
    d->is_whole = strcmp(d->o.key, ".") == 0;
    if (!d->is_whole && dp_paths_parse(dp_str_z(d->o.key), &d->keys, &d->n_keys, err) != DP_OK) return dp_err_prefix(err, "--key: ");
    if (d->is_whole && d->o.against)
        return dp_err_set(err, DP_USAGE, "--against: rows of a table are told by their key: name its fields with --key instead of the whole record");
    for (size_t i = 0; d->o.against && i < d->n_keys; i++)
        if (!d->keys[i].steps[0].key) return dp_err_set(err, DP_USAGE, "--key: with --against each field begins with the name of a column");
    return DP_OK;
}

static enum dp_status read_times(struct dp_dedupe *d, struct dp_err *err) {
    const struct dp_dedupe_opts *o = &d->o;
    if (o->has_within && d->keep != DP_DEDUPE_FIRST)
        return dp_err_set(err, DP_USAGE, "--within keeps the first record of each key: the last or the highest is known at the end of input only, without a time");
    if (o->has_within && !o->time) return dp_err_set(err, DP_USAGE, "--within is about event time: name its field with --time FIELD");
    if (o->time && !o->has_within) return dp_err_set(err, DP_USAGE, "--time is the event time for --within D");
    if (o->has_delay && !o->has_within) return dp_err_set(err, DP_USAGE, "--delay is about event time: it goes with --within D");
    if (o->against_where && !o->against) return dp_err_set(err, DP_USAGE, "--against-where chooses rows of --against TABLE");
    if ((o->late || o->timezone || o->max_future >= 0) && !o->has_within)
        return dp_err_set(err, DP_USAGE, "--%s is about event time: it goes with --within D", o->late ? "late" : o->timezone ? "timezone" : "max-future");
    if (o->state && d->keep != DP_DEDUPE_FIRST)
        return dp_err_set(err, DP_USAGE, "--state keeps the keys that went out, for --keep first: the last or the highest of each is known at the end of input only");
    if (o->timezone && dp_zone_open(o->timezone, &d->zone, err) != DP_OK) return dp_err_prefix(err, "--timezone: ");
    d->clock = (struct dp_event_clock){.zone = d->zone, .least = INT64_MIN, .most = INT64_MAX};
    if (o->within < 0 || o->within > INT64_MAX / 4) return dp_err_set(err, DP_USAGE, "--within is longer than event times reach");
    if (o->time && dp_path_parse(dp_str_z(o->time), &d->time, err) != DP_OK) return dp_err_prefix(err, "--time: ");
    return DP_OK;
}

static enum dp_status open_against(struct dp_dedupe *d, uint64_t memory, struct dp_err *err) {
    if (!d->o.against) return DP_OK;
    enum dp_status status = dp_refset_read(d->run, d->o.against, d->keys, d->n_keys, d->o.against_where, memory, &d->against, err);
    if (status == DP_OK) return DP_OK;
    return status == DP_USAGE ? dp_err_prefix(err, "--against-where: ") : status;
}

static size_t add_path(struct dp_lineage_on *on, size_t n, const struct dp_path *p, const char *source) {
    bool named = p->n && p->steps[0].kind == DP_STEP_KEY;
    on[n] = (struct dp_lineage_on){named ? dp_str(p->steps[0].key, p->steps[0].key_n) : dp_str(NULL, 0), source, DP_HOW_FILTER};
    return n + 1;
}

/* Records are handed on as they are; their key, what chooses among them, and the keys that they are compared with say which. */
static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    const struct dp_dedupe *d = ctx;
    struct dp_lineage_on *on = dp_calloc(2 * d->n_keys + 4, sizeof *on);
    size_t n = 0;
    (void)err;
    for (size_t i = 0; i < d->n_keys; i++) n = add_path(on, n, &d->keys[i], NULL);
    if (d->is_whole) on[n++] = (struct dp_lineage_on){.how = DP_HOW_FILTER};
    if (d->time.n) n = add_path(on, n, &d->time, NULL);
    if (d->field.n) n = add_path(on, n, &d->field, NULL);
    for (size_t i = 0; d->o.against && i < d->n_keys; i++) n = add_path(on, n, &d->keys[i], d->o.against);
    dp_lineage_all(begin, on, n);
    if (d->o.against) dp_datasets_origin(begin, d->o.against, d->o.against, NULL);
    free(on);
    return DP_OK;
}

enum dp_status dp_dedupe_open(struct dp_run *run, const struct dp_dedupe_opts *o, struct dp_dedupe **out, struct dp_err *err) {
    struct dp_dedupe *d = dp_calloc(1, sizeof *d);
    uint64_t memory = run->memory / 8 * 7; /* the rest is for chunks */
    enum dp_status status;
    d->run = run;
    d->o = *o;
    dp_watermark_init(&d->water, o->has_delay, o->delay);
    d->durable = (struct durable){.run = run, .dir = o->state, .watermark = &d->water};
    d->ops = (struct dp_stream_ops){.worker_size = sizeof(struct worker), .job_size = sizeof(struct job), .worker_open = worker_open, .worker_close = worker_close, .job_close = job_close,
        .chunk_begin = on_chunk, .record = on_record, .chunk_end = on_chunk_end, .decide = on_decide, .emit = on_emit, .begin = on_begin, .header = on_header, .mark = on_mark, .wait = on_wait,
        .finish = on_finish};
    DP_TRY_OUT(read_keep(d, err));
    DP_TRY_OUT(read_keys(d, err));
    DP_TRY_OUT(read_times(d, err));
    if (d->o.against) memory /= 2;
    if (d->o.state) memory = memory / 7 * 5; /* what is new since a checkpoint, and its entries while they are sorted */
    DP_TRY_OUT(late_open(&d->durable.late, run, o->late, o->state != NULL, o->names, o->n_names, err));
    DP_TRY_OUT(open_against(d, memory, err));
    d->set = dp_keyset_open(memory);
    d->lines.most = (size_t)(memory / 8);
    if (o->has_within) d->recent = dedupe_recent_open(memory, o->within);
    else if (d->keep != DP_DEDUPE_FIRST)
        d->best = dedupe_best_open(memory / 8 * 7, d->keep == DP_DEDUPE_LAST ? compare_nothing : d->keep == DP_DEDUPE_MAX ? compare_values : compare_values_down);
    DP_TRY_OUT(dedupe_state_open(d, err));
    *out = d;
    return DP_OK;
out:
    dp_dedupe_close(d);
    return status;
}

void dp_dedupe_close(struct dp_dedupe *d) {
    if (!d) return;
    dp_paths_free(d->keys, d->n_keys);
    dp_path_release(&d->time);
    dp_path_release(&d->field);
    dp_keyset_close(d->set);
    dedupe_recent_close(d->recent);
    dedupe_best_close(d->best);
    dedupe_lines_release(&d->lines);
    free(d->kept.p);
    dp_refset_close(d->against);
    dp_kept_marks_release(&d->marks);
    dp_watermark_release(&d->water);
    dp_zone_close(d->zone);
    durable_release(&d->durable);
    free(d->fresh.v);
    free(d);
}

enum dp_status dp_dedupe_sources(struct dp_dedupe *d, struct dp_source_opts *sources, struct dp_err *err) {
    bool is_piped = !d->o.n_names || (d->o.n_names == 1 && !strcmp(d->o.names[0], "-"));
    if (!d->o.state || is_piped || d->run->marks) return DP_OK;
    DP_TRY(dedupe_state_restore(d, err));
    d->durable.keeps_positions = true;
    sources->resume = durable_resume, sources->resume_ctx = &d->durable;
    return DP_OK;
}

const struct dp_stream_ops *dp_dedupe_ops(const struct dp_dedupe *d) { return &d->ops; }

struct dp_dedupe_counts dp_dedupe_count(const struct dp_dedupe *d) {
    struct dp_dedupe_counts c = {.late = d->late, .checkpoints = d->durable.checkpoints, .against = d->against ? dp_refset_count(d->against) : 0};
    c.keys = d->recent ? dedupe_recent_count(d->recent) : d->best ? dedupe_best_count(d->best) : dp_keyset_count(d->set);
    c.spilled = d->lines.spilled + dp_keyset_spilled(d->set) + (d->against ? dp_refset_spilled(d->against) : 0) + (d->recent ? dedupe_recent_spilled(d->recent) : 0) +
                (d->best ? dedupe_best_spilled(d->best) : 0);
    double n = (double)(c.keys + c.against);
    c.odds = n * n / 0x1p129;
    return c;
}

/*
 * The driver of every program that goes through records in order; what it promises is in the header.  Marks are in stream_marks.c.
 *
 * Three steps on the pool: produce (read a chunk, keep count and hash of the input), work (convert, scan, the tool's record function; any
 * thread), consume (books, rejects, output; in order).  Output is written when a block is full, and whenever the input makes us wait.
 */
#include "stream_priv.h"

#include <dp/io/datasets.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_LEAST = 32 << 10, CHUNK_MOST = 256 << 10, KEEP_TEXT = 2 << 20, SURVEYED_FOR_LINEAGE = 100 };

/* ---- workers ---- */

static enum dp_status worker_of(struct dp_stream *s, unsigned n, struct dp_stream_worker **out, struct dp_err *err) {
    struct dp_stream_worker *w = &s->workers[n];
    *out = w;
    if (w->is_open) return DP_OK;
    w->scan = dp_scan_open(s->run->max_record, DP_SCAN_AUTO);
    if (s->where) w->where = dp_expr_run_open(s->where);
    struct dp_str name, text;
    if (s->where && dp_expr_needs(s->where, &name, &text)) dp_scan_need(w->scan, name, text);
    if (s->ops->worker_size) w->mem = dp_calloc(1, s->ops->worker_size);
    w->err = (struct dp_err)DP_ERR_INIT;
    w->is_open = true;
    if (s->ops->worker_open) DP_TRY(s->ops->worker_open(s->ctx, w->mem, err));
    w->is_ready = true;
    return DP_OK;
}

static void workers_close(struct dp_stream *s) {
    for (unsigned i = 0; i < s->run->threads; i++) {
        struct dp_stream_worker *w = &s->workers[i];
        if (w->is_ready && s->ops->worker_close) s->ops->worker_close(s->ctx, w->mem);
        if (w->scan) dp_scan_close(w->scan);
        if (w->where) dp_expr_run_close(w->where);
        free(w->mem);
    }
    free(s->workers);
}

/* ---- one job ---- */

void dp_job_place(const struct dp_job *j, const struct dp_record *r, uint64_t *line, uint64_t *offset) {
    const struct dp_chunk *c = j->chunk;
    *line = c->line ? c->line + (c->rec_line ? c->rec_line[r->index] : r->index) : 0;
    *offset = c->offset + (c->rec_offset ? c->rec_offset[r->index] : r->line_off);
}

void dp_job_pass(struct dp_job *j, const struct dp_record *r) {
    char *p = dp_buf_reserve(&j->out, r->raw_n + 1);
    memcpy(p, r->raw, r->raw_n);
    p[r->raw_n] = '\n';
    j->out.n += r->raw_n + 1;
    j->books_.used++;
}

void dp_job_count(struct dp_job *j, enum dp_tally tally) {
    switch (tally) {
    case DP_TALLY_USED: j->books_.used++; return;
    case DP_TALLY_FILTERED: j->books_.filtered++; return;
    case DP_TALLY_DEDUPLICATED: j->books_.deduplicated++; return;
    case DP_TALLY_LATE: j->books_.late++; return;
    case DP_TALLY_UNASSIGNED: j->books_.unassigned++; return;
    }
}

void dp_job_withdraw(struct dp_job *j, enum dp_tally tally) {
    j->books_.used--;
    dp_job_count(j, tally);
}

const struct dp_type *dp_job_types(const struct dp_job *j) {
    return j->chunk->origin && j->chunk->origin->schema ? j->chunk->origin->schema : j->stream->in_types;
}

bool dp_stream_is_classified(const struct dp_stream *s, struct dp_str column) {
    return s && (s->in_all_classified || dp_map_get(&s->in_classified, column));
}

static void origin_text(const struct dp_origin *o, char *out, size_t size) {
    if (!o) snprintf(out, size, "-");
    else if (o->member) snprintf(out, size, "%s(%s)", o->name, o->member);
    else snprintf(out, size, "%s", o->name);
}

static bool is_malformed(const struct dp_reject_rule *rules, size_t n) {
    return n > 0 && rules[0].rule && (strcmp(rules[0].rule, "malformed") == 0 || strcmp(rules[0].rule, "reserved-key") == 0);
}

/* Nobody keeps the lines: what they would say is only counted. */
static void count_reasons(struct dp_job *j, const struct dp_reject_rule *rules, size_t n) {
    struct dp_buf *key = &j->held_rejects_; /* not in use: nothing is printed */
    for (size_t i = 0; i < n; i++) {
        dp_reject_key(&rules[i], key);
        dp_map_put(&j->reasons_, dp_buf_str(key), NULL)->v.u++;
    }
    dp_buf_reset(key);
}

void dp_job_reject_rules(struct dp_job *j, const struct dp_record *r, const struct dp_reject_rule *rules, size_t n, bool hide_raw) {
    bool malformed = is_malformed(rules, n);
    struct dp_reject reject = {.origin = j->chunk->origin, .rules = rules, .n_rules = n, .raw = dp_str(r->raw, r->raw_n),
                               .raw_is_json = !malformed || strcmp(rules[0].rule, "malformed") != 0, .hide_raw = hide_raw};
    dp_job_place(j, r, &reject.line, &reject.offset);
    j->books_.rejected++;
    j->books_.rejected_malformed += malformed;
    j->malformed_ = malformed;
    if (j->stream->stop_first) j->rejected_ = true;
    if (j->run->rejects_unkept && !j->stream->stop_first) count_reasons(j, rules, n);
    else dp_reject_print(j->run, &reject, j->run->rejects_inline ? &j->out : &j->rejects_);
    bool earlier = reject.line != 0 && reject.line < j->first_reject_.line; /* than a row that conversion refused */
    if (j->first_reject_.status != DP_OK && !earlier) return;
    char source[sizeof j->first_reject_.source];
    const char *reason = n > 0 && rules[0].reason ? rules[0].reason : "a bad record", *path = n > 0 ? rules[0].path : NULL;
    origin_text(j->chunk->origin, source, sizeof source);
    dp_err_set(&j->first_reject_, malformed ? DP_RECORD : DP_RULE, "%s%s%s", path ? path : "", path ? ": " : "", reason);
    dp_err_at(&j->first_reject_, source, reject.line, reject.offset);
}

void dp_job_reject(struct dp_job *j, const struct dp_record *r, const char *rule, const char *path, const char *expected, const char *fmt, ...) {
    char reason[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    const struct dp_reject_rule one = {rule, path, reason, expected};
    dp_job_reject_rules(j, r, &one, 1, false);
}

/* ---- records on hold ---- */

static void add_books(struct dp_books *to, const struct dp_books *b) {
    to->in += b->in;
    to->used += b->used;
    to->rejected += b->rejected;
    to->filtered += b->filtered;
    to->deduplicated += b->deduplicated;
    to->late += b->late;
    to->unassigned += b->unassigned;
    to->rejected_malformed += b->rejected_malformed;
    to->coerced += b->coerced;
}

void dp_job_hold(struct dp_job *j, const struct dp_record *r) {
    j->held_ = dp_grow(j->held_, &j->cap_held_, j->n_held_ + 1, sizeof *j->held_);
    j->held_[j->n_held_++] = (struct dp_job_held_){.raw = r->raw, .raw_n = r->raw_n, .out_at = j->out.n, .rejects_at = j->rejects_.n, .index = r->index,
                                                   .line_off = r->line_off, .books = j->books_};
}

static void swap_bufs(struct dp_buf *a, struct dp_buf *b) {
    struct dp_buf was = *a;
    *a = *b;
    *b = was;
}

/* What the worker wrote goes behind `held_`; the decisions write it anew, in order. */
static void decide_begin(struct dp_job *j) {
    j->next_held_ = 0;
    swap_bufs(&j->out, &j->held_out_);
    swap_bufs(&j->rejects_, &j->held_rejects_);
    dp_buf_reset(&j->out);
    dp_buf_reset(&j->rejects_);
    j->held_books_ = j->books_;
    j->books_ = (struct dp_books){.in = 0};
}

/* Worker's output and rejects between the record before and this place. */
static void splice(struct dp_job *j, size_t out_at, size_t rejects_at) {
    const struct dp_job_held_ *last = j->next_held_ ? &j->held_[j->next_held_ - 1] : NULL;
    size_t from = last ? last->out_at : 0, rejects_from = last ? last->rejects_at : 0;
    if (out_at > from) dp_buf_add(&j->out, j->held_out_.p + from, out_at - from);
    if (rejects_at > rejects_from) dp_buf_add(&j->rejects_, j->held_rejects_.p + rejects_from, rejects_at - rejects_from);
}

bool dp_job_next_held(struct dp_job *j, struct dp_record *r) {
    if (j->next_held_ == j->n_held_ || j->rejected_) return false;
    const struct dp_job_held_ *h = &j->held_[j->next_held_];
    splice(j, h->out_at, h->rejects_at);
    j->next_held_++;
    *r = (struct dp_record){.raw = h->raw, .raw_n = h->raw_n, .index = h->index, .line_off = h->line_off};
    return true;
}

static enum dp_status decide(struct dp_stream *s, struct dp_job *j, struct dp_err *err) {
    if (!s->ops->decide) return DP_OK;
    if (!j->n_held_) return s->ops->decide(s->ctx, j, err);
    bool worker_rejected = j->rejected_;
    decide_begin(j);
    j->rejected_ = false;
    DP_TRY(s->ops->decide(s->ctx, j, err));
    bool is_cut = j->rejected_; /* what stands behind a reject where none is tolerated was not looked at */
    const struct dp_books *before = is_cut ? &j->held_[j->next_held_ - 1].books : &j->held_books_;
    if (!is_cut) splice(j, j->held_out_.n, j->held_rejects_.n);
    add_books(&j->books_, before);
    if (is_cut) j->books_.coerced = j->held_books_.coerced;
    j->rejected_ = j->rejected_ || worker_rejected;
    return DP_OK;
}

/* ---- work ---- */

/* A top-level key "$dp", decoded, in any position: data that would pass for a mark. */
static bool has_reserved_key(const struct dp_record *r) {
    uint32_t i = 1;
    for (uint32_t m = 0; m < r->n_members; m++) {
        const struct dp_node *key = &r->nodes[i];
        if ((key->len == 3 || (key->flags & DP_NODE_ESCAPED)) && dp_json_equal(dp_node_str(r, i), key->flags, DP_STR("$dp"))) return true;
        i = r->nodes[i + 1].next;
    }
    return false;
}

static bool hides(const struct dp_run *run) { return run->hide_raw && !run->rejects_clear; }

static void reject_duplicate(struct dp_job *j, const struct dp_record *r) {
    struct dp_buf name = {NULL, 0, 0};
    /* below the top a key may be data, as of a map: where values are hidden it is too */
    if (hides(j->run) && r->nodes[r->dup_node].depth > 1) {
        dp_job_reject(j, r, "duplicate-key", NULL, "each key once", "a key stands twice in an object inside the record");
        return;
    }
    dp_json_decode(dp_node_str(r, r->dup_node), &name);
    dp_job_reject(j, r, "duplicate-key", dp_buf_z(&name), "each key once", "the key \"%.100s\" stands twice", dp_buf_z(&name));
    dp_buf_release(&name);
}

static enum dp_status one_record(struct dp_stream *s, struct dp_stream_worker *w, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    j->new_keys = j->new_keys || !r->same_keys;
    if (!r->same_keys) w->reserved = has_reserved_key(r);
    if (w->reserved) {
        dp_job_reject(j, r, "reserved-key", NULL, NULL, "the key \"$dp\" is kept for marks");
        return DP_OK;
    }
    if (r->duplicate_keys && s->decides) {
        reject_duplicate(j, r);
        return DP_OK;
    }
    if (r->skipped) {
        j->books_.filtered++;
        return DP_OK;
    }
    if (w->where) {
        bool yes = false;
        enum dp_status st = dp_expr_test(w->where, r, &yes, &w->err);
        if (st == DP_RECORD) {
            /* what an expression says may quote a value */
            dp_job_reject(j, r, "where", NULL, NULL, "--where: %s", hides(s->run) ? "the expression errs on this record" : w->err.msg);
            return DP_OK;
        }
        if (st != DP_OK) {
            if (err) *err = w->err;
            return st;
        }
        if (!yes) {
            j->books_.filtered++;
            return DP_OK;
        }
    }
    if (!s->ops->record) return dp_job_pass(j, r), DP_OK;
    enum dp_status st = s->ops->record(s->ctx, j, r, err);
    j->new_keys = false;
    return st;
}

/* The last line of an input, without a newline and not whole: a stream that was cut, not a bad record. */
static bool is_cut(const struct dp_job *j, const struct dp_record *r) {
    const struct dp_chunk *c = j->chunk;
    if (c->converted.n || c->n == 0 || c->text[c->n - 1] == '\n') return false;
    return r->raw_n > 0 && r->raw[0] == '{' && (size_t)(r->raw - c->text) + r->raw_n >= c->n;
}

static enum dp_status bad_line(struct dp_job *j, const struct dp_record *r, const struct dp_err *why, struct dp_err *err) {
    if (is_cut(j, r)) {
        char source[200];
        uint64_t line, offset;
        dp_job_place(j, r, &line, &offset);
        origin_text(j->chunk->origin, source, sizeof source);
        dp_err_set(err, DP_FORMAT, "the input was cut in the middle of its last record (%s)", why->msg);
        dp_err_at(err, source, line, offset);
        return DP_FORMAT;
    }
    const struct dp_reject_rule rule = {"malformed", NULL, why->msg, "a JSON object"};
    dp_job_reject_rules(j, r, &rule, 1, false);
    return DP_OK;
}

static enum dp_status scan_chunk(struct dp_stream *s, struct dp_stream_worker *w, struct dp_job *j, struct dp_err *err) {
    struct dp_record r;
    struct dp_err e = DP_ERR_INIT;
    uint64_t line, offset;
    j->new_keys = true;
    dp_scan_begin(w->scan, j->chunk->text, j->chunk->n);
    for (;;) {
        enum dp_status st = dp_scan_next(w->scan, &r, &e);
        if (st == DP_END) break;
        if (s->stop_first && j->bad_line_) {
            dp_job_place(j, &r, &line, &offset);
            if (line >= j->bad_line_) break; /* behind a row that ends the run */
        }
        j->books_.in++;
        if (st == DP_RECORD) {
            DP_TRY(bad_line(j, &r, &e, err));
        } else if (st != DP_OK) {
            if (err) *err = e;
            return st;
        } else {
            DP_TRY(one_record(s, w, j, &r, err));
        }
        if (j->rejected_) break;
    }
    return DP_OK;
}

/* The text as it is, or piece by piece where the chunk is a row group. */
static enum dp_status scan_pieces(struct dp_stream *s, struct dp_stream_worker *w, struct dp_job *j, struct dp_err *err) {
    struct dp_chunk *c = &j->chunk_;
    size_t bytes = 0;
    if (s->ops->chunk_begin) DP_TRY(s->ops->chunk_begin(s->ctx, j, err));
    for (;;) {
        DP_TRY(scan_chunk(s, w, j, err));
        bytes += c->n;
        if (!c->more || j->rejected_ || atomic_load_explicit(&s->stopped, memory_order_relaxed)) break;
        if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
        DP_TRY(dp_sources_convert(s->sources, j->worker, c, err));
    }
    c->n = bytes; /* for the books; of pieces only the last one's text is there, and nobody asks for it */
    j->books_.in += c->screened;
    j->books_.used += c->screened;
    return s->ops->chunk_end ? s->ops->chunk_end(s->ctx, j, err) : DP_OK;
}

/* Rows that conversion refused come as printed rejects: the words of the first one are the error's. */
static void first_bad_row(struct dp_job *j) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE); /* its own: these lines know no --max-record */
    struct dp_chunk *c = &j->chunk_;
    struct dp_record r;
    struct dp_buf text = {NULL, 0, 0}, path = {NULL, 0, 0};
    char source[200];
    int64_t line = 0;
    bool is_elsewhere = false;
    const char *nl = memchr(c->bad_lines.p, '\n', c->bad_lines.n);
    size_t n = nl ? (size_t)(nl - c->bad_lines.p) : c->bad_lines.n;
    dp_buf_reserve(&c->bad_lines, DP_SCAN_PAD);
    origin_text(c->origin, source, sizeof source);
    if (dp_scan_value(scan, c->bad_lines.p, n, &r, NULL) == DP_OK) {
        uint32_t reject = dp_json_member(&r, 0, "reject");
        uint32_t rules = reject ? dp_json_member(&r, reject, "rules") : 0;
        uint32_t rule = rules && r.nodes[rules].next > rules + 1 ? rules + 1 : 0;
        uint32_t name = reject ? dp_json_member(&r, reject, "source") : 0;
        if (name && !dp_json_equal(dp_node_str(&r, name), r.nodes[name].flags, dp_str_z(c->origin->name)) && dp_json_get_string(&r, name, &text))
            snprintf(source, sizeof source, "%s", dp_buf_z(&text)), is_elsewhere = true; /* a reject that was tried again keeps its place */
        dp_buf_reset(&text);
        uint32_t at = reject ? dp_json_member(&r, reject, "line") : 0, reason = rule ? dp_json_member(&r, rule, "reason") : 0;
        if (!at || !dp_json_get_i64(&r, at, &line)) line = 0;
        uint32_t field = rule ? dp_json_member(&r, rule, "path") : 0;
        if (!reason || !dp_json_get_string(&r, reason, &text)) dp_buf_reset(&text);
        if (!field || !dp_json_get_string(&r, field, &path)) dp_buf_reset(&path);
    }
    dp_scan_close(scan);
    dp_err_set(&j->first_reject_, c->bad_malformed ? DP_RECORD : DP_RULE, "%s%s%s", path.n ? dp_buf_z(&path) : "", path.n ? ": " : "",
               text.n ? dp_buf_z(&text) : "a bad record");
    dp_err_at(&j->first_reject_, source, (uint64_t)line, DP_NO_OFFSET);
    j->bad_line_ = is_elsewhere ? 0 : (uint64_t)line;
    dp_buf_release(&text);
    dp_buf_release(&path);
}

/* Another thread may be waiting for input that no longer matters: it polls the other end of this pipe. */
static enum dp_status wake(struct dp_stream *s, enum dp_status status) {
    if (status != DP_OK && s->run->threads > 1 && s->run->wake_fd > 0 && write(s->run->wake_fd, "!", 1) < 0) return status;
    return status;
}

/* The text of a huge record is not kept while what was made of it goes its way; its length is still told. */
static void give_back_text(struct dp_job *j) {
    struct dp_chunk *c = &j->chunk_;
    if (c->raw.cap + c->converted.cap < KEEP_TEXT || j->n_held_) return; /* records on hold are told by their bytes */
    dp_buf_release(&c->raw);
    dp_buf_release(&c->converted);
    c->text = "";
}

static enum dp_status work_chunk(struct dp_stream *s, unsigned worker, struct dp_job *j, struct dp_err *err) {
    struct dp_stream_worker *w;
    DP_TRY(worker_of(s, worker, &w, err));
    j->worker_mem = w->mem;
    DP_TRY(dp_sources_convert(s->sources, worker, &j->chunk_, err));
    j->books_.coerced += j->chunk_.coerced;
    j->data_ = true;
    j->books_.coerced = j->chunk_.coerced;
    if (s->conf->keep_text) {
        j->books_.in = j->books_.used = dp_count_byte(j->chunk->text, j->chunk->n, '\n');
        if (j->chunk->n && j->chunk->text[j->chunk->n - 1] != '\n') j->books_.in++, j->books_.used++;
    }
    if (j->chunk_.bad) {
        first_bad_row(j);
        j->books_.in += j->chunk_.bad;
        j->books_.rejected += j->chunk_.bad;
        j->books_.rejected_malformed += j->chunk_.bad_malformed;
        j->malformed_ = j->chunk_.bad_malformed > 0;
        struct dp_buf *to = j->run->rejects_inline ? &j->out : &j->rejects_;
        dp_buf_adds(to, dp_buf_str(&j->chunk_.bad_lines));
    }
    if (s->conf->keep_text) return DP_OK;
    enum dp_status status = scan_pieces(s, w, j, err);
    if (!s->conf->keeps_chunks && !j->n_held_) give_back_text(j);
    return status;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct dp_stream *s = ctx;
    struct dp_job *j = job;
    j->worker = worker;
    if (j->chunk_.kind != DP_CHUNK_RECORDS || atomic_load_explicit(&s->stopped, memory_order_relaxed)) return DP_OK;
    return wake(s, work_chunk(s, worker, j, err));
}

/* ---- produce ---- */

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct dp_stream *s = ctx;
    struct dp_job *j = job;
    if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
    if (atomic_load(&s->stopped) && !s->piped) return DP_END;
    j->stream = s;
    j->run = s->run;
    j->mem = (char *)job + DP_STREAM_JOB_HEAD;
    j->chunk = &j->chunk_;
    dp_buf_reset(&j->out);
    dp_buf_reset(&j->rejects_);
    j->books_ = (struct dp_books){.in = 0};
    j->first_reject_ = (struct dp_err)DP_ERR_INIT;
    j->data_ = j->rejected_ = j->malformed_ = false;
    j->n_held_ = j->next_held_ = 0;
    j->bad_line_ = 0;
    enum dp_status status = dp_sources_next(s->sources, &j->chunk_, err);
    pthread_mutex_lock(&s->lock);
    s->waiting = false;
    s->produced += status == DP_OK;
    pthread_mutex_unlock(&s->lock);
    if (status == DP_OK) DP_TRY(dp_marks_note_input(s, &j->chunk_, err));
    return status;
}

/* The source is about to wait: what is ready goes out, at once or as soon as the jobs under way are through. */
static enum dp_status would_block(void *ctx, struct dp_err *err) {
    struct dp_stream *s = ctx;
    enum dp_status status = DP_OK;
    pthread_mutex_lock(&s->lock);
    s->waiting = true;
    bool is_through = s->consumed == s->produced;
    if (is_through && s->ops->wait && !atomic_load(&s->stopped)) status = s->ops->wait(s->ctx, err);
    /* A failure stays in the output and is returned by the next write. */
    if (is_through && dp_out_flush(s->run->out, NULL) != DP_OK) s->waiting = false;
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- consume ---- */

static enum dp_status judge(struct dp_stream *s, struct dp_job *j, struct dp_err *err) {
    if (j->books_.rejected == 0) return DP_OK;
    if (s->run->rejects) return dp_rejects_judge(s->run->rejects, j->malformed_, false, &j->first_reject_, err);
    if (err) *err = j->first_reject_; /* a program without --rejects tolerates none */
    return j->first_reject_.status;
}

static enum dp_status consume_records(struct dp_stream *s, struct dp_job *j, struct dp_err *err) {
    struct dp_run *run = s->run;
    if (!j->data_ || atomic_load(&s->stopped)) return DP_OK;
    if (j->chunk->origin != s->last_origin) {
        if (!s->conf->sources.follow) DP_TRY(dp_marks_origin_done(s, err)); /* files that are followed take turns, and bring their own */
        if (run->rejects) dp_rejects_source(run->rejects, j->chunk->origin);
        s->last_origin = j->chunk->origin;
    }
    s->last_end = j->chunk->end_offset;
    DP_TRY(decide(s, j, err));
    run->books.bytes_in += j->chunk->n;
    add_books(&run->books, &j->books_);
    if (j->chunk->origin && j->chunk->origin->dataset) dp_dataset_count(j->chunk->origin->dataset, j->books_.in, UINT64_MAX, UINT64_MAX);
    if (run->rejects) DP_TRY(dp_rejects_write(run->rejects, j->rejects_.p, j->rejects_.n, err));
    for (size_t i = 0; run->rejects && i < j->reasons_.n; i++) dp_rejects_count(run->rejects, j->reasons_.items[i].key, j->reasons_.items[i].v.u);
    if (j->reasons_.n) dp_map_reset(&j->reasons_);
    DP_TRY(dp_marks_open(s, j->chunk->origin, err));
    if (s->ops->emit) DP_TRY(s->ops->emit(s->ctx, j, err));
    if (j->out.n) DP_TRY(dp_stream_write(s, j->out.p, j->out.n, err));
    return judge(s, j, err);
}

static enum dp_status consume_paths(struct dp_stream *s, struct dp_job *j, struct dp_err *err) {
    const char *p = j->chunk->text, *end = p + j->chunk->n;
    if (s->conf->sources.paths == DP_PATHS_OPEN || atomic_load(&s->stopped)) return DP_OK;
    DP_TRY(dp_marks_open(s, j->chunk->origin, err));
    s->run->books.bytes_in += j->chunk->n;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
        if (n > 0) {
            dp_buf_reset(&j->out);
            dp_buf_add(&j->out, p, n);
            dp_buf_z(&j->out);
            s->run->books.in++;
            DP_TRY(s->ops->path(s->ctx, dp_buf_str(&j->out), err));
            s->run->books.used++;
        }
        p += n + 1;
    }
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct dp_stream *s = ctx;
    struct dp_job *j = job;
    enum dp_status status = DP_OK;
    switch (j->chunk_.kind) {
    case DP_CHUNK_RECORDS: status = consume_records(s, j, err); break;
    case DP_CHUNK_PATHS: status = consume_paths(s, j, err); break;
    case DP_CHUNK_MARK: status = s->piped ? dp_marks_take(s, &j->chunk_.mark, err) : dp_marks_own(s, &j->chunk_.mark, err); break;
    }
    if (s->run->tick) s->run->tick(s->run);
    pthread_mutex_lock(&s->lock);
    s->consumed++;
    bool is_through = s->waiting && s->consumed == s->produced;
    if (status == DP_OK && is_through && s->ops->wait && !atomic_load(&s->stopped)) status = s->ops->wait(s->ctx, err);
    if (status == DP_OK && (is_through || s->run->line_buffered)) status = dp_out_flush(s->run->out, err);
    pthread_mutex_unlock(&s->lock);
    return wake(s, status);
}

static void release(void *ctx, void *job) {
    struct dp_stream *s = ctx;
    struct dp_job *j = job;
    if (s->ops->job_close && j->stream) s->ops->job_close(s->ctx, (char *)job + DP_STREAM_JOB_HEAD);
    dp_buf_release(&j->out);
    dp_buf_release(&j->rejects_);
    dp_buf_release(&j->held_out_);
    dp_buf_release(&j->held_rejects_);
    dp_map_release(&j->reasons_);
    free(j->held_);
    dp_chunk_release(&j->chunk_);
}

/* ---- the run ---- */

enum dp_status dp_stream_write(struct dp_stream *s, const void *p, size_t n, struct dp_err *err) {
    if (n == 0) return DP_OK;
    DP_TRY(dp_marks_open(s, s->last_origin, err));
    if (s->run->marks_open) dp_marks_note_output(s, p, n);
    return dp_out_write(s->run->out, p, n, err);
}

void dp_stream_stop(struct dp_stream *s) { atomic_store(&s->stopped, true); }
bool dp_stream_is_piped(const struct dp_stream *s) { return s->piped; }
struct dp_stream *dp_stream_of(const struct dp_run *run) { return run->stream; }

static enum dp_status open_where(struct dp_stream *s, struct dp_err *err) {
    struct dp_run *run = s->run;
    if (!run->where) return DP_OK;
    if (dp_expr_compile(dp_str_z(run->where), &s->where, err) != DP_OK) return dp_err_prefix(err, "--where: ");
    if (!dp_expr_is_compiled(s->where)) dp_run_log(run, DP_LOG_VERBOSE, "--where runs in libjq");
    return DP_OK;
}

/* The end of the input: the stream was whole, bad records were few enough, last output, our own end. */
static enum dp_status finish(struct dp_stream *s, struct dp_err *err) {
    const struct dp_books *b = &s->run->books;
    if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
    DP_TRY(dp_marks_input_ended(s, err));
    if (s->run->rejects) DP_TRY(dp_rejects_judge(s->run->rejects, false, true, NULL, err));
    DP_TRY(dp_marks_open(s, NULL, err));
    DP_TRY(dp_marks_origin_done(s, err));
    if (s->ops->finish) DP_TRY(s->ops->finish(s->ctx, err));
    uint64_t out = b->used + b->rejected + b->filtered + b->deduplicated + b->late + b->unassigned;
    if (b->in != out)
        return dp_err_set(err, DP_BUG, "the books don't balance: %llu records came in, and %llu are accounted for", (unsigned long long)b->in,
                          (unsigned long long)out);
    DP_TRY(dp_marks_end(s, err));
    return dp_out_flush(s->run->out, err);
}

/* An eighth of --memory for the chunks that are under way: with text, its conversion and what is made of it, five times each. */
static size_t chunk_bytes(const struct dp_run *run) {
    uint64_t chunks = run->threads > 1 ? 2 * (uint64_t)run->threads + 1 : 1, n = run->memory / 8 / 5 / chunks;
    return run->memory == 0 || n >= CHUNK_MOST ? CHUNK_MOST : n < CHUNK_LEAST ? CHUNK_LEAST : (size_t)n;
}

/* Which columns each of a few sources has, where only lineage asks: a conflict is none of its business. */
static void survey_for_lineage(struct dp_stream *s) {
    size_t n = dp_sources_count(s->sources);
    struct dp_err ignored = DP_ERR_INIT;
    if (s->run->datasets && !s->piped && n > 1 && n <= SURVEYED_FOR_LINEAGE && dp_sources_survey(s->sources, &s->schema, &ignored) != DP_OK) s->schema = NULL;
}

enum dp_status dp_stream_run(struct dp_run *run, const char *const *names, size_t n, const struct dp_stream_conf *conf,
                             const struct dp_stream_ops *ops, void *ctx, struct dp_err *err) {
    struct dp_stream stream = {.run = run, .conf = conf, .ops = ops, .ctx = ctx, .n_names = n, .names = names}, *s = &stream;
    struct dp_source_opts sources = conf->sources;
    const struct dp_pool_ops pool_ops = {.job_size = DP_STREAM_JOB_HEAD + ops->job_size, .produce = produce, .work = work, .consume = consume,
                                         .release = release};
    enum dp_status status;
    if (sources.paths == DP_PATHS_PASS && !ops->path) sources.paths = DP_PATHS_REFUSE;
    if (!sources.chunk_bytes) sources.chunk_bytes = chunk_bytes(run);
    sources.would_block = would_block;
    sources.would_block_ctx = s;
    sources.wake_ms = conf->wake_ms;
    s->decides = conf->decides || run->where;
    s->stop_first = !conf->read_all && (!run->rejects || dp_rejects_tolerates_none(run->rejects));
    if (conf->read_all && run->rejects) dp_rejects_defer(run->rejects);
    pthread_mutex_init(&s->lock, NULL);
    s->workers = dp_calloc(run->threads, sizeof *s->workers);
    run->stream = s;
    DP_TRY_OUT(open_where(s, err));
    DP_TRY_OUT(dp_sources_open(run, names, n, &sources, &s->sources, err));
    s->piped = dp_sources_piped(s->sources);
    dp_marks_start(s);
    s->is_surveyed = run->marks && !s->piped && !conf->sink && dp_sources_count(s->sources) > 1;
    if (s->is_surveyed && !sources.follow) DP_TRY_OUT(dp_sources_survey(s->sources, &s->schema, err));
    else if (!sources.follow) survey_for_lineage(s);
    DP_TRY_OUT(dp_pool_run(run->pool, &pool_ops, s, err));
    status = finish(s, err);
out:
    if (status != DP_OK && status != DP_PIPE && !conf->sink) dp_run_abort(run, err);
    workers_close(s);
    dp_marks_release(s);
    dp_sources_close(s->sources);
    if (s->where) dp_expr_free(s->where);
    pthread_mutex_destroy(&s->lock);
    run->stream = NULL;
    return status;
}

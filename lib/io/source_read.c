/*
 * Chunks of an open source: raw bytes up to a record border (in order), and their conversion (any thread).  A regular file is read in
 * chunks of the wanted size into memory that stays in cache; a pipe's bytes are handed on as they come, as soon as a record is whole.
 */
#include "source_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, PQ_ROWS = 4096, SAMPLE_LEAST = 1 << 20, COPIES = 4 /* rows, their text, and what is made of it */ };

size_t dp_sources_chunk_bytes(const struct dp_sources *s) { return s->opts->chunk_bytes ? s->opts->chunk_bytes : CHUNK; }

enum dp_status dp_sources_find_end(struct dp_sources *s, const char *raw, size_t from, size_t n, size_t *end, struct dp_err *err) {
    *end = 0;
    if (s->reading->format == DP_SOURCE_CSV) {
        *end = dp_csv_cut(dp_csv_table_dialect(s->reading->table), &s->csv_cut, raw + from, n - from);
        if (*end) *end += from;
    } else if (s->reading->format == DP_SOURCE_DOCUMENTS) {
        enum dp_status status = dp_doc_cut(&s->doc_cut, raw + from, n - from, end, err);
        if (*end) *end += from;
        if (status && err && err->offset != DP_NO_OFFSET) err->offset += s->cut_from;
        return status;
    } else {
        for (size_t i = n; i > from; i--)
            if (raw[i - 1] == '\n') return *end = i, DP_OK;
    }
    return DP_OK;
}

/* The end of input in the middle of something. */
static enum dp_status check_tail(struct dp_sources *s, struct dp_err *err) {
    if (s->reading->format == DP_SOURCE_DOCUMENTS) {
        enum dp_status status = dp_doc_end(&s->doc_cut, err);
        if (status && err) err->offset += s->cut_from;
        return status;
    }
    return DP_OK;
}

static void emit_bad(const struct dp_sources *s, struct dp_chunk *c, const char *rule, const char *reason, struct dp_str raw) {
    struct dp_reject_rule why = {.rule = rule, .reason = reason};
    struct dp_reject r = {.origin = c->origin, .line = c->line, .offset = c->offset, .rules = &why, .n_rules = 1, .raw = raw};
    dp_reject_print(s->run, &r, &c->bad_lines);
    c->bad++, c->bad_malformed++;
}

void dp_sources_begin_chunk(struct dp_sources *s, struct dp_chunk *c) {
    c->kind = DP_CHUNK_RECORDS;
    c->origin = s->reading->origin;
    c->raw.n = c->converted.n = c->bad_lines.n = 0;
    c->text = "", c->n = 0;
    c->line = s->line;
    c->offset = c->end_offset = s->offset;
    c->rec_line = NULL, c->rec_offset = NULL;
    c->last_of_origin = false;
    c->bad = c->bad_malformed = c->coerced = c->screened = 0;
    c->more = false;
    c->passed_over = dp_str(NULL, 0);
    c->source = s->reading;
    c->in_array = s->doc_in_array;
}

void dp_sources_too_long(const struct dp_sources *s, struct dp_chunk *c) {
    char reason[96];
    (void)snprintf(reason, sizeof reason, "a record of more than %llu bytes (--max-record)", (unsigned long long)s->run->max_record);
    emit_bad(s, c, "malformed", reason, dp_str(NULL, 0));
}

/* A line that is longer than a record may be: one bad record, and on with the next line. */
static enum dp_status skip_long(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    dp_sources_too_long(s, c);
    s->offset += c->raw.n;
    c->raw.n = 0;
    while (!s->ended) {
        size_t n;
        char *p = dp_buf_reserve(&c->raw, CHUNK + DP_SCAN_PAD);
        DP_TRY(dp_text_read(s->text, p, CHUNK, &n, err));
        s->ended = !n;
        char *nl = n ? memchr(p, '\n', n) : NULL;
        size_t take = nl ? (size_t)(nl - p) + 1 : n;
        s->offset += take;
        if (!nl) continue;
        s->line++;
        dp_buf_add(&s->carry, p + take, n - take);
        break;
    }
    c->end_offset = s->offset;
    return DP_OK;
}

enum dp_status dp_sources_endless_record(const struct dp_sources *s, struct dp_err *err) {
    dp_err_set(err, DP_LIMIT, "a record of more than %llu bytes begins here (--max-record%s)", (unsigned long long)s->run->max_record,
               s->reading->format == DP_SOURCE_CSV && s->csv_cut.in_quotes ? "; a quote that is never closed?" : "");
    return dp_err_at(err, NULL, s->line, s->offset);
}

/* A sample that was read ahead is given back half by half, as it is used up. */
static void shrink_carry(struct dp_sources *s) {
    size_t left = s->carry.n - s->carry_at;
    if (s->carry.cap < SAMPLE_LEAST || left > s->carry.cap / 2) return;
    if (left == 0) {
        dp_buf_release(&s->carry);
        s->carry_at = 0;
        return;
    }
    memmove(s->carry.p, s->carry.p + s->carry_at, left);
    s->carry.n = left, s->carry_at = 0;
    s->carry.cap = left + DP_SCAN_PAD;
    s->carry.p = dp_realloc(s->carry.p, s->carry.cap);
}

/* Puts carry and what read gives into raw until a record ends in it. */
static enum dp_status gather(struct dp_sources *s, struct dp_chunk *c, size_t *end, struct dp_err *err) {
    size_t want = dp_sources_chunk_bytes(s), have = s->carry.n - s->carry_at, looked = 0;
    uint64_t size;
    bool patient = dp_input_fd(s->in, &size) >= 0 || *dp_input_layers(s->in);
    size_t take = have < want ? have : want;
    dp_buf_reserve(&c->raw, want + DP_SCAN_PAD);
    if (take) {
        dp_buf_add(&c->raw, s->carry.p + s->carry_at, take);
        s->carry_at += take;
        if (s->carry_at == s->carry.n) s->carry_at = s->carry.n = 0;
        shrink_carry(s);
        looked = s->cut_seen > s->offset ? (size_t)(s->cut_seen - s->offset) : 0; /* the tail of the chunk before, seen already */
        if (looked > take) looked = take;
    }
    *end = 0;
    for (;;) {
        bool full = c->raw.n >= want || s->ended || (!patient && c->raw.n > looked);
        if (full && c->raw.n > looked) {
            size_t e;
            DP_TRY(dp_sources_find_end(s, c->raw.p, looked, c->raw.n, &e, err));
            looked = c->raw.n;
            s->cut_seen = s->offset + looked;
            if (e) *end = e;
        }
        if (*end || (s->ended && s->carry_at == s->carry.n)) return DP_OK;
        if (looked == c->raw.n && looked > s->run->max_record)
            return s->reading->format == DP_SOURCE_LINES ? skip_long(s, c, err) : dp_sources_endless_record(s, err);
        size_t step = want > c->raw.n ? want - c->raw.n : want, n;
        char *p = dp_buf_reserve(&c->raw, step + DP_SCAN_PAD);
        if (s->carry_at < s->carry.n) {
            n = s->carry.n - s->carry_at < step ? s->carry.n - s->carry_at : step;
            memcpy(p, s->carry.p + s->carry_at, n);
            s->carry_at += n;
            if (s->carry_at == s->carry.n) s->carry_at = s->carry.n = 0;
        } else {
            DP_TRY(dp_text_read(s->text, p, step, &n, err));
            s->ended = !n;
        }
        c->raw.n += n;
    }
}

/* What follows the last whole record waits in front of carry. */
static void keep_tail(struct dp_sources *s, const char *p, size_t n) {
    if (!n) return;
    if (s->carry_at >= n) {
        s->carry_at -= n;
        memmove(s->carry.p + s->carry_at, p, n);
        return;
    }
    size_t rest = s->carry.n - s->carry_at;
    dp_buf_reserve(&s->carry, n + DP_SCAN_PAD);
    memmove(s->carry.p + n, s->carry.p + s->carry_at, rest);
    memcpy(s->carry.p, p, n);
    s->carry.n = n + rest;
    s->carry_at = 0;
}

void dp_sources_end_chunk(struct dp_sources *s, struct dp_chunk *c, size_t end) {
    c->raw.n = end;
    dp_buf_reserve(&c->raw, DP_SCAN_PAD);
    c->text = c->raw.p, c->n = end;
    s->line += dp_count_byte(c->raw.p, end, s->reading->format == DP_SOURCE_CSV ? dp_csv_newline_byte(s->reading->table) : '\n');
    s->offset += end;
    c->end_offset = s->offset;
}

static enum dp_status read_text(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    size_t end;
    if (s->ended && s->carry_at == s->carry.n) return check_tail(s, err) ? err ? err->status : DP_FORMAT : DP_END;
    DP_TRY(gather(s, c, &end, err));
    if (c->bad) return DP_OK;
    if (!end) { /* the last record, without a newline */
        end = c->raw.n;
        if (!end) return check_tail(s, err) ? err ? err->status : DP_FORMAT : DP_END;
        if (s->reading->format == DP_SOURCE_DOCUMENTS) {
            DP_TRY(check_tail(s, err));
        } else if (s->reading->format == DP_SOURCE_CSV && s->csv_cut.in_quotes) {
            uint64_t at = s->cut_from + s->csv_cut.open_at;
            size_t in_raw = at > s->offset && at - s->offset < c->raw.n ? (size_t)(at - s->offset) : 0;
            dp_err_set(err, DP_FORMAT, "the input ends inside a quoted cell; its quote opens here");
            return dp_err_at(err, NULL, s->line + dp_count_byte(c->raw.p, in_raw, '\n'), at);
        }
    }
    keep_tail(s, c->raw.p + end, c->raw.n - end);
    dp_sources_end_chunk(s, c, end);
    s->doc_in_array = s->doc_cut.in_array_at_end;
    return DP_OK;
}

/* ---- Parquet: batches are decoded in order, printed by the workers ---- */

struct pq_state {
    struct dp_group *group; /* that convert reads, or NULL */
    uint64_t first, done;   /* rows in front of it, and those read of it */
    struct dp_batch batch;
    const struct dp_type *schema;
    int64_t from;
};

static void pq_release(void *state) {
    struct pq_state *p = state;
    dp_group_close(p->group);
    dp_batch_release(&p->batch);
    free(p);
}

static struct pq_state *state_of(struct dp_sources *s, struct dp_chunk *c) {
    struct pq_state *p = c->release_state == pq_release ? c->format_state : NULL;
    if (!p) {
        if (c->release_state) c->release_state(c->format_state);
        c->format_state = p = dp_calloc(1, sizeof *p);
        c->release_state = pq_release;
    }
    if (p->schema != s->reading->schema) {
        if (p->schema) dp_batch_release(&p->batch);
        dp_batch_init(&p->batch, s->reading->schema);
        p->schema = s->reading->schema;
    }
    return p;
}

struct dp_batch *dp_sources_batch(struct dp_sources *s, struct dp_chunk *c) {
    dp_sources_begin_chunk(s, c);
    struct pq_state *p = state_of(s, c);
    p->from = 0;
    return &p->batch;
}

bool dp_sources_by_groups(const struct dp_sources *s, size_t groups) {
    return s->opts->by_groups && (groups > 1 || s->n_names > 1 || s->run->threads < 2);
}

void dp_sources_group(struct dp_sources *s, struct dp_chunk *c, struct dp_group *g, uint64_t rows) {
    struct pq_state *p = state_of(s, c);
    dp_group_close(p->group); /* of a run that had stopped */
    p->group = g;
    p->first = s->rows;
    p->done = 0;
    p->from = 0;
    c->line = s->rows + 1;
    c->offset = s->rows;
    s->rows += rows;
    s->offset = c->end_offset = s->rows;
}

uint64_t dp_sources_bound(const struct dp_sources *s) { return s->run->memory / 2; }

int64_t dp_sources_rows(const struct dp_sources *s) {
    int64_t rows = dp_rows_next(&s->sized, s->run, COPIES);
    return rows < PQ_ROWS ? rows : PQ_ROWS;
}

static enum dp_status read_parquet(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    const struct dp_pq_meta *m = dp_pq_meta(s->reading->parquet);
    if (dp_sources_by_groups(s, m->n_row_groups)) {
        if (s->row_group == m->n_row_groups) return DP_END;
        size_t group = s->row_group++;
        dp_sources_group(s, c, dp_group_new(s->gate, s->reading->shared, group, NULL, s->reading->schema, dp_pq_schema(s->reading->parquet)), (uint64_t)m->row_groups[group].num_rows);
        return DP_OK;
    }
    struct pq_state *p = state_of(s, c);
    uint64_t skip = s->offset; /* rows that an earlier run took */
    for (;;) {
        if (!s->n_row_groups) { /* none is begun */
            if (s->row_group == m->n_row_groups) return DP_END;
            DP_TRY(dp_pq_reader_seek(s->pq, s->row_group++, err));
            s->n_row_groups = 1;
        }
        struct dp_batch *raw = dp_evolve_target(&s->evolve, dp_pq_reader_schema(s->pq), &p->batch);
        enum dp_status status = dp_pq_reader_next(s->pq, dp_sources_rows(s), raw, err);
        if (status == DP_END) {
            s->n_row_groups = 0;
            continue;
        }
        if (!status) status = dp_evolve_batch(&s->evolve, &p->batch, err);
        if (status) return status;
        dp_rows_see(&s->sized, &p->batch);
        uint64_t before = s->rows;
        s->rows += (uint64_t)p->batch.length;
        if (s->rows <= skip) continue;
        p->from = before < skip ? (int64_t)(skip - before) : 0;
        c->line = before + (uint64_t)p->from + 1;
        c->offset = before + (uint64_t)p->from;
        s->offset = c->end_offset = s->rows;
        return DP_OK;
    }
}

enum dp_status dp_sources_read(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    dp_sources_begin_chunk(s, c);
    if (s->reading->format == DP_SOURCE_EMPTY) return DP_END;
    return s->reading->format == DP_SOURCE_PARQUET ? read_parquet(s, c, err) : read_text(s, c, err);
}

/* ---- conversion ---- */

struct reject_ctx {
    struct dp_sources *s;
    struct dp_chunk *c;
};

static void csv_reject(void *ctx, const struct dp_csv_reject *r) {
    struct reject_ctx *x = ctx;
    struct dp_reject_rule why = {.rule = r->rule, .path = r->path, .reason = r->reason, .expected = r->expected};
    struct dp_reject o = {.origin = x->c->origin, .line = x->c->line + r->line, .offset = x->c->offset + r->offset, .rules = &why, .n_rules = 1, .raw = r->raw};
    dp_reject_print(x->s->run, &o, &x->c->bad_lines);
    if (r->rule[0] != 't') x->c->bad_malformed++; /* all but "type" */
}

static enum dp_status convert_csv(struct dp_sources *s, unsigned worker, struct dp_chunk *c, const struct dp_reading *r, struct dp_err *err) {
    if (s->converter_of[worker] != r->table) {
        dp_csv_converter_close(s->converters[worker]);
        s->converters[worker] = dp_csv_converter_open(r->table);
        s->converter_of[worker] = r->table;
    }
    struct reject_ctx x = {s, c};
    struct dp_csv_result res = {.rec_line = &c->rec_line_buf, .rec_offset = &c->rec_offset_buf, .cap = &c->rec_cap};
    enum dp_status status = dp_csv_convert(s->converters[worker], c->raw.p, c->raw.n, &c->converted, &res, csv_reject, &x, err);
    if (status && err) {
        err->line += c->line, err->offset += c->offset;
        (void)dp_err_at(err, c->origin->name, 0, DP_NO_OFFSET);
    }
    c->bad += res.rejects;
    c->coerced = res.coerced;
    return status;
}

/* Only rows that the screen wants to see, with their places. */
static bool print_screened(struct dp_sources *s, unsigned worker, struct dp_chunk *c, const struct pq_state *p) {
    size_t n = (size_t)(p->batch.length - p->from), k = 0;
    uint8_t *look = dp_calloc(n + 1, 1);
    uint32_t *rows = dp_alloc((n + 1) * sizeof *rows);
    bool screened = s->opts->screen(s->opts->screen_ctx, worker, &p->batch, p->from, look);
    if (screened) {
        if (n > c->rec_cap) {
            c->rec_line_buf = dp_realloc_array(c->rec_line_buf, n, sizeof *c->rec_line_buf);
            c->rec_offset_buf = dp_realloc_array(c->rec_offset_buf, n, sizeof *c->rec_offset_buf);
            c->rec_cap = n;
        }
        for (size_t i = 0; i < n; i++) {
            if (!look[i]) continue;
            c->rec_line_buf[k] = c->rec_offset_buf[k] = (uint32_t)i;
            rows[k++] = (uint32_t)(p->from + (int64_t)i);
        }
        struct dp_batch few;
        dp_batch_init(&few, p->batch.schema);
        dp_batch_gather(&few, &p->batch, rows, k);
        dp_batch_print(&few, 0, few.length, &s->opts->print, &c->converted);
        dp_batch_release(&few);
        c->rec_line = c->rec_line_buf, c->rec_offset = c->rec_offset_buf;
        c->screened += n - k;
    }
    free(look);
    free(rows);
    return screened;
}

/* The next rows of a row group; none are left: an empty batch. */
static enum dp_status next_piece(unsigned worker, struct dp_chunk *c, struct pq_state *p, struct dp_err *err) {
    enum dp_status status = dp_group_next(p->group, worker, PQ_ROWS, &p->batch, err);
    c->more = status == DP_OK;
    if (status) {
        dp_group_close(p->group);
        p->group = NULL;
        dp_batch_reset(&p->batch);
        return status == DP_END ? DP_OK : dp_err_at(err, c->origin->name, 0, DP_NO_OFFSET);
    }
    c->line = p->first + p->done + 1;
    c->offset = p->first + p->done;
    p->done += (uint64_t)p->batch.length;
    return DP_OK;
}

enum dp_status dp_sources_convert(struct dp_sources *s, unsigned worker, struct dp_chunk *c, struct dp_err *err) {
    const struct dp_reading *r = c->source;
    if (c->kind != DP_CHUNK_RECORDS || !r || r->format == DP_SOURCE_LINES || (c->bad && !c->raw.n)) return DP_OK;
    c->converted.n = 0;
    if (r->format == DP_SOURCE_CSV) {
        DP_TRY(convert_csv(s, worker, c, r, err));
        c->rec_line = c->rec_line_buf, c->rec_offset = c->rec_offset_buf;
    } else if (r->format == DP_SOURCE_DOCUMENTS) {
        struct dp_doc_result res = {.rec_line = &c->rec_line_buf, .rec_offset = &c->rec_offset_buf, .cap = &c->rec_cap};
        dp_doc_convert(c->raw.p, c->raw.n, c->in_array, &c->converted, &res);
        c->rec_line = c->rec_line_buf, c->rec_offset = c->rec_offset_buf;
    } else if (r->format == DP_SOURCE_REJECTS) {
        if (!s->retries[worker]) s->retries[worker] = dp_retry_open(s->run, s->opts);
        DP_TRY(dp_retry_convert(s->retries[worker], c, err));
        c->rec_line = c->rec_line_buf, c->rec_offset = c->rec_offset_buf;
    } else if (r->format == DP_SOURCE_PARQUET || r->format == DP_SOURCE_TABLE) {
        struct pq_state *p = c->format_state;
        if (p->group) DP_TRY(next_piece(worker, c, p, err));
        if (!s->opts->screen || !print_screened(s, worker, c, p))
            dp_batch_print(&p->batch, p->from, p->batch.length - p->from, &s->opts->print, &c->converted);
    }
    dp_buf_reserve(&c->converted, DP_SCAN_PAD);
    c->text = c->converted.p;
    c->n = c->converted.n;
    return DP_OK;
}

void dp_chunk_release(struct dp_chunk *c) {
    if (c->release_state) c->release_state(c->format_state);
    dp_buf_release(&c->raw);
    dp_buf_release(&c->converted);
    dp_buf_release(&c->bad_lines);
    dp_mark_release(&c->mark);
    free(c->rec_line_buf);
    free(c->rec_offset_buf);
    *c = (struct dp_chunk){0};
}

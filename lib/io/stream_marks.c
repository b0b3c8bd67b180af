/*
 * Marks as they pass through a program (DESIGN.md, section 1; grammar in dp-records(5)): a stream is whole when `begin` came first, `end` last,
 * and the count and hash of `end` are those of the data lines between.  Whoever opens the input writes both; whoever is piped takes over
 * the begin, adds itself to the chain, and writes an end of its own over what it wrote.
 */
#include "handover.h"
#include "stream_priv.h"

#include <dp/base/time.h>
#include <dp/delta/commit.h>
#include <dp/io/datasets.h>
#include <dp/record/lineage.h>
#include <dp/rules/contract.h>

#include <stdio.h>
#include <stdlib.h>

enum { HEAD = 4096 }; /* of the input, for handover_take */

void dp_marks_start(struct dp_stream *s) {
    s->in_hash = s->piped ? dp_linehash_open() : NULL;
    s->begin.table_version = s->end.table_version = -1;
}

void dp_marks_release(struct dp_stream *s) {
    if (s->in_hash) dp_linehash_close(s->in_hash);
    if (s->out_hash) dp_linehash_close(s->out_hash);
    dp_type_free(s->schema);
    dp_type_free(s->in_types);
    dp_map_release(&s->in_classified);
    dp_positions_release(&s->positions);
    dp_buf_release(&s->first);
    dp_mark_release(&s->begin);
    dp_mark_release(&s->end);
}

const struct dp_mark *dp_stream_begin(const struct dp_stream *s) { return s->begin.kind == DP_MARK_BEGIN ? &s->begin : NULL; }
const struct dp_mark *dp_stream_end(const struct dp_stream *s) { return s->end.kind == DP_MARK_END ? &s->end : NULL; }

/* ---- the input side ---- */

static enum dp_status note_end(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) {
    char hash[48];
    s->in_end = true;
    if (m->records != s->in_lines)
        return dp_err_set(err, DP_FORMAT, "the stream is not whole: its end counts %llu lines, and %llu came", (unsigned long long)m->records,
                          (unsigned long long)s->in_lines);
    dp_linehash_text(s->in_hash, hash);
    if (!m->hash || strcmp(m->hash, hash) != 0)
        return dp_err_set(err, DP_FORMAT, "the stream was changed on its way: the hash of its end is %s, and that of what came %s",
                          m->hash ? m->hash : "missing", hash);
    return DP_OK;
}

/* Does this entry of the header's fields say more than public or internal? */
static bool entry_is_classified(const struct dp_record *r, uint32_t entry) {
    uint32_t v = dp_json_member(r, entry, "classification");
    if (!v || r->nodes[v].kind == DP_KIND_NULL) return false;
    struct dp_buf word = {NULL, 0, 0};
    bool hides = !dp_json_get_string(r, v, &word) || !word.n || memchr(word.p, 0, word.n) || dp_classification_hides(dp_buf_z(&word));
    dp_buf_release(&word);
    return hides;
}

/* Which columns the header calls classified: rejects here show no raw record then, and no value of such a column. */
static void note_classified(struct dp_stream *s, const char *fields) {
    if (!fields || !strstr(fields, "classification")) return;
    struct dp_buf b = {NULL, 0, 0}, name = {NULL, 0, 0};
    struct dp_record r;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_MARK, DP_SCAN_PORTABLE);
    dp_buf_addz(&b, fields);
    dp_buf_reserve(&b, DP_SCAN_PAD);
    s->in_all_classified = dp_scan_value(scan, b.p, b.n, &r, NULL) != DP_OK || r.nodes[0].kind != DP_KIND_ARRAY;
    for (uint32_t i = 1; !s->in_all_classified && i < r.n_nodes; i = r.nodes[i].next) {
        if (r.nodes[i].kind == DP_KIND_OBJECT && !entry_is_classified(&r, i)) continue;
        dp_buf_reset(&name);
        uint32_t at = r.nodes[i].kind == DP_KIND_OBJECT ? dp_json_member(&r, i, "name") : 0;
        if (at && dp_json_get_string(&r, at, &name)) dp_map_put(&s->in_classified, dp_buf_str(&name), NULL);
        else s->in_all_classified = true;
    }
    if (s->in_all_classified || s->in_classified.n) s->run->hide_raw = true;
    dp_scan_close(scan);
    dp_buf_release(&name);
    dp_buf_release(&b);
}

static enum dp_status note_run(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) {
    if (!m->run || !*m->run) return dp_err_set(err, DP_FORMAT, "a begin without a run id");
    if (strlen(m->run) >= sizeof s->run->run_id) return dp_err_set(err, DP_LIMIT, "a run id of %zu bytes", strlen(m->run));
    snprintf(s->run->run_id, sizeof s->run->run_id, "%s", m->run);
    return DP_OK;
}

static enum dp_status note_mark(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) {
    switch (m->kind) {
    case DP_MARK_ABORT: return DP_OK;
    case DP_MARK_BEGIN:
        if (s->in_begin || s->in_data) return dp_err_set(err, DP_FORMAT, "a begin in the middle of a stream");
        s->in_begin = true;
        /* here, not when it goes out: records behind it may be looked at before that, by another thread */
        note_classified(s, m->fields);
        return note_run(s, m, err);
    case DP_MARK_END:
        if (!s->in_begin) return dp_err_set(err, DP_FORMAT, "an end in a stream without begin");
        return note_end(s, m, err);
    case DP_MARK_NONE:
    case DP_MARK_CHECKPOINT:
    case DP_MARK_WATERMARK:
    case DP_MARK_IDLE:
    case DP_MARK_ACTIVE:
    case DP_MARK_HEARTBEAT: s->in_data = true; return DP_OK;
    }
    return DP_OK;
}

enum dp_status dp_marks_note_input(struct dp_stream *s, const struct dp_chunk *c, struct dp_err *err) {
    if (!s->piped) return DP_OK;
    if (s->run->datasets && !s->has_first) {
        s->has_first = true;
        dp_buf_add(&s->first, c->text, c->n < HEAD ? c->n : HEAD);
    }
    if (s->in_end) return dp_err_set(err, DP_FORMAT, "the stream goes on behind its end");
    if (c->kind == DP_CHUNK_MARK) {
        if (c->mark.kind == DP_MARK_BEGIN && c->mark.schema && !s->in_types) s->in_types = dp_type_copy(c->mark.schema);
        return note_mark(s, &c->mark, err);
    }
    s->in_data = true;
    /* Records of sources whose paths came in the stream are not part of the stream. */
    bool of_stream = c->kind == DP_CHUNK_PATHS || !c->origin || strcmp(c->origin->name, "-") == 0;
    if (!s->in_begin || !of_stream) return DP_OK;
    const struct dp_str text = c->passed_over.n ? c->passed_over : dp_str(c->text, c->n);
    dp_linehash_add(s->in_hash, text.p, text.n);
    s->in_lines += dp_count_byte(text.p, text.n, '\n');
    return DP_OK;
}

/* ---- the header ---- */

static void replace_text(char **field, const char *text) {
    free(*field);
    *field = text ? dp_strdup(text) : NULL;
}

/* The begin, ours or taken over, with this program in its chain. */
static enum dp_status begin_out(struct dp_stream *s, struct dp_err *err) {
    struct dp_mark *m = &s->begin;
    m->chain = dp_realloc_array(m->chain, m->n_chain + 1, sizeof *m->chain);
    m->chain[m->n_chain++] = dp_strdup(s->run->program);
    if (s->where) dp_lineage_where(s->where, m);
    if (s->ops->begin) DP_TRY(s->ops->begin(s->ctx, m, err));
    if (s->ops->header) DP_TRY(s->ops->header(s->ctx, m, err));
    if (s->conf->sink) return DP_OK;
    s->out_hash = dp_linehash_open();
    s->run->marks_open = true;
    return dp_out_mark(s->run->out, m, err);
}

/*
 * Lineage without marks: the header that a begin would carry, of our own sources or as the program before handed it over beside the pipe.  It is amended, noted and handed
 * on; nothing else hears of it.
 */
static void open_header(struct dp_stream *s, const struct dp_origin *origin) {
    struct dp_mark m = {.kind = DP_MARK_BEGIN, .table_version = -1};
    struct dp_err own = DP_ERR_INIT;
    if (!s->run->datasets || s->begin.kind == DP_MARK_BEGIN) return;
    if (!s->piped) {
        replace_text(&m.run, s->run->run_id);
        replace_text(&m.job, s->run->job);
        if (s->n_names == 1) replace_text(&m.source, s->names[0]);
        if (origin && origin->schema && dp_sources_count(s->sources) == 1) m.schema = dp_type_copy(origin->schema);
        else m.schema = s->schema, s->schema = NULL;
        dp_sources_origins(s->sources, &m);
    } else if (!handover_take(dp_buf_str(&s->first), &m)) {
        return;
    }
    dp_datasets_of_header(s->run, &m);
    m.chain = dp_realloc_array(m.chain, m.n_chain + 1, sizeof *m.chain);
    m.chain[m.n_chain++] = dp_strdup(s->run->program);
    if (s->where) dp_lineage_where(s->where, &m);
    bool ok = !s->ops->header || s->ops->header(s->ctx, &m, &own) == DP_OK;
    if (ok && !s->conf->sink) handover_offer(s->run, &m);
    dp_mark_release(&m);
}

enum dp_status dp_marks_open(struct dp_stream *s, const struct dp_origin *origin, struct dp_err *err) {
    if (s->tried_open) return DP_OK;
    s->tried_open = true;
    if (s->piped || !s->run->marks || s->conf->sink) return open_header(s, origin), DP_OK;
    s->begin.kind = DP_MARK_BEGIN;
    replace_text(&s->begin.run, s->run->run_id);
    replace_text(&s->begin.job, s->run->job);
    if (s->conf->resumes) {
        char id[24];
        dp_positions_copy(&s->positions, s->conf->resumes);
        dp_positions_id(&s->positions, id);
        replace_text(&s->begin.id, id);
    }
    if (s->n_names == 1) replace_text(&s->begin.source, s->names[0]);
    if (s->is_surveyed) s->begin.schema = s->schema, s->schema = NULL;
    else if (origin && origin->schema && !s->begin.schema) s->begin.schema = dp_type_copy(origin->schema);
    dp_sources_origins(s->sources, &s->begin);
    return begin_out(s, err);
}

static enum dp_status take_begin(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) {
    s->begin = *m;
    *m = (struct dp_mark){.kind = DP_MARK_NONE, .table_version = -1};
    if (s->begin.job) snprintf(s->run->job, sizeof s->run->job, "%s", s->begin.job);
    dp_datasets_of_header(s->run, &s->begin);
    return begin_out(s, err);
}

/* ---- marks on their way ---- */

/* Freshness stage by stage: each program adds itself and its clock to a heartbeat's "stages". */
static void add_stage(const struct dp_run *run, struct dp_mark *m) {
    struct dp_buf stage = {NULL, 0, 0}, b = {NULL, 0, 0};
    struct dp_record r;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_MARK, DP_SCAN_PORTABLE);
    char when[40];
    size_t n = dp_time_print_micros(when, run->now_fixed ? run->now_micros : dp_time_now_micros(), true, 3);
    dp_buf_addf(&stage, "{\"program\":\"%s\",\"time\":\"%.*s\"}", run->program, (int)n, when);
    dp_buf_addz(&b, m->extra ? m->extra : "{}");
    dp_buf_reserve(&b, DP_SCAN_PAD);
    if (dp_scan_value(scan, b.p, b.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        uint32_t stages = dp_json_member(&r, 0, "stages");
        bool is_array = stages && r.nodes[stages].kind == DP_KIND_ARRAY;
        uint32_t node = is_array ? stages : 0;
        size_t close = (size_t)r.nodes[node].off + r.nodes[node].len - 1; /* of the bracket or brace before which we go in */
        bool is_empty = r.nodes[node].next == node + 1;
        struct dp_buf out = {NULL, 0, 0};
        if (is_array || !stages) {
            dp_buf_add(&out, b.p, close);
            if (!is_empty) dp_buf_addc(&out, ',');
            if (!is_array) dp_buf_addz(&out, "\"stages\":[");
            dp_buf_adds(&out, dp_buf_str(&stage));
            if (!is_array) dp_buf_addc(&out, ']');
            dp_buf_add(&out, b.p + close, b.n - close);
            free(m->extra);
            m->extra = dp_buf_detach(&out);
        }
    }
    dp_scan_close(scan);
    dp_buf_release(&b);
    dp_buf_release(&stage);
}

static enum dp_status pass_mark(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) {
    bool pass = true;
    if (s->ops->mark) DP_TRY(s->ops->mark(s->ctx, m, &pass, err));
    if (!pass || s->conf->sink) return DP_OK;
    if (m->kind == DP_MARK_HEARTBEAT) add_stage(s->run, m);
    return dp_out_mark(s->run->out, m, err);
}

static enum dp_status take_abort(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) {
    if (!s->conf->sink) {
        DP_TRY(dp_out_mark(s->run->out, m, err));
        s->run->marks_closed = true;
    }
    dp_err_set(err, DP_ABORTED, "%s failed: %s", m->program ? m->program : "a program upstream", m->reason ? m->reason : "no reason given");
    if (err) err->exit_code = m->exit_code > 0 && m->exit_code < 256 ? m->exit_code : 4;
    return DP_ABORTED;
}

enum dp_status dp_marks_take(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) {
    const char *run = s->begin.kind == DP_MARK_BEGIN ? s->begin.run : NULL;
    if (m->kind == DP_MARK_BEGIN) return take_begin(s, m, err);
    if (m->kind == DP_MARK_NONE) return DP_OK;
    if (run && (!m->run || strcmp(m->run, run) != 0))
        return dp_err_set(err, DP_FORMAT, "a %s of another run (%.100s, not %.100s)", dp_mark_kind_name(m->kind), m->run ? m->run : "none", run);
    if (m->kind == DP_MARK_ABORT) return take_abort(s, m, err);
    bool anywhere = m->kind == DP_MARK_WATERMARK || m->kind == DP_MARK_IDLE || m->kind == DP_MARK_ACTIVE;
    if (!run && (m->run || !anywhere))
        return dp_err_set(err, DP_FORMAT, "a %s in a stream without begin", dp_mark_kind_name(m->kind));
    if (m->kind == DP_MARK_END) {
        s->end = *m;
        *m = (struct dp_mark){.kind = DP_MARK_NONE, .table_version = -1};
        return DP_OK;
    }
    if (atomic_load(&s->stopped)) return DP_OK; /* no position behind what was left out */
    return pass_mark(s, m, err);
}

enum dp_status dp_stream_mark(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) {
    if (s->conf->sink || !s->run->marks_open) return DP_OK;
    struct dp_mark own = *m; /* borrows its strings */
    own.run = s->begin.run;
    return dp_out_mark(s->run->out, &own, err);
}

/* The id of a checkpoint of ours names the positions of all sources (dp/io/positions.h). */
static void name_checkpoint(struct dp_stream *s, const struct dp_mark *m, char id[24]) {
    struct dp_buf app = {0};
    dp_delta_app_id(s->run->job, m->source, m->partition, &app);
    dp_positions_put(&s->positions, dp_buf_str(&app), dp_str_z(m->position));
    dp_positions_id(&s->positions, id);
    dp_buf_release(&app);
}

/* The tool hears of it also where no marks are written: its ledger and its rejects go by them. */
enum dp_status dp_marks_own(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) {
    char id[24];
    bool pass = true;
    if (m->kind == DP_MARK_CHECKPOINT) {
        name_checkpoint(s, m, id);
        replace_text(&m->id, id);
    }
    replace_text(&m->run, s->begin.run);
    if (s->ops->mark) DP_TRY(s->ops->mark(s->ctx, m, &pass, err));
    if (!pass || s->conf->sink || !s->run->marks_open) return DP_OK; /* before the first record there is no begin, and nothing to say */
    if (m->kind == DP_MARK_HEARTBEAT) add_stage(s->run, m);
    return dp_out_mark(s->run->out, m, err);
}

/* Where to go on in a source that we opened: behind its last whole record. */
enum dp_status dp_marks_origin_done(struct dp_stream *s, struct dp_err *err) {
    const struct dp_origin *o = s->last_origin;
    char position[24], id[24], partition[] = "0";
    if (s->piped || !s->run->marks_open || s->conf->no_checkpoints || !o || !o->position_id || atomic_load(&s->stopped)) return DP_OK;
    snprintf(position, sizeof position, "%llu", (unsigned long long)s->last_end);
    struct dp_mark m = {.kind = DP_MARK_CHECKPOINT, .run = s->begin.run, .source = o->position_id, .partition = partition,
                        .position = position, .id = id, .table_version = -1};
    name_checkpoint(s, &m, id);
    return pass_mark(s, &m, err);
}

/* ---- the end ---- */

enum dp_status dp_marks_input_ended(struct dp_stream *s, struct dp_err *err) {
    if (s->piped && s->in_begin && s->end.kind != DP_MARK_END)
        return dp_err_set(err, DP_FORMAT, "the stream was cut: it has a begin and no end");
    if (s->conf->strict && s->piped && !s->in_begin)
        return dp_err_set(err, DP_FORMAT, "the stream has no marks, so that its end can't be told from a cut (--marks or dp-run turns them on)");
    return DP_OK;
}

void dp_marks_note_output(struct dp_stream *s, const void *p, size_t n) {
    dp_linehash_add(s->out_hash, p, n);
    s->out_lines += dp_count_byte(p, n, '\n');
}

enum dp_status dp_marks_end(struct dp_stream *s, struct dp_err *err) {
    char hash[48];
    if (s->conf->sink || !s->run->marks_open) return DP_OK;
    dp_linehash_text(s->out_hash, hash);
    struct dp_mark m = {.kind = DP_MARK_END, .run = s->begin.run, .records = s->out_lines, .hash = hash, .table_version = -1};
    DP_TRY(dp_out_mark(s->run->out, &m, err));
    s->run->marks_closed = true;
    return DP_OK;
}

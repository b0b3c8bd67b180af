/* Opening a source: its bytes, its format by content, its origin with the fingerprint of its head (dp/io/source.h). */
#include "source_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

/* ---- origins ---- */

static void fingerprint(const struct dp_origin *o, size_t length, char out[64]) {
    (void)snprintf(out, 64, "@%zu:%016llx", length, (unsigned long long)XXH3_64bits(o->head, length));
}

static char *plain_id(const struct dp_origin *o) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, o->name);
    if (o->member) dp_buf_addf(&b, "#%s", o->member);
    return dp_buf_detach(&b);
}

struct dp_origin *dp_origin_new(const char *name, const char *member, struct dp_str head) {
    struct dp_origin *o = dp_calloc(1, sizeof *o);
    char print[64];
    o->name = dp_strdup(name);
    o->member = member ? dp_strdup(member) : NULL;
    o->head_n = head.n < sizeof o->head ? head.n : sizeof o->head;
    memcpy(o->head, head.p, o->head_n);
    fingerprint(o, o->head_n, print);
    struct dp_buf b = {0};
    char *id = plain_id(o);
    dp_buf_addz(&b, id), dp_buf_addz(&b, print);
    free(id);
    o->position_id = dp_buf_detach(&b);
    return o;
}

void dp_origin_free(struct dp_origin *o) {
    if (!o) return;
    free(o->name), free(o->member), free(o->position_id);
    free(o);
}

bool dp_origin_adopt(struct dp_origin *o, const char *id) {
    char *plain = plain_id(o), print[64];
    size_t n = strlen(plain);
    const char *at = strncmp(id, plain, n) == 0 && id[n] == '@' ? id + n : NULL, *colon = at ? strchr(at, ':') : NULL;
    uint64_t length;
    bool same = colon && dp_parse_u64(dp_str(at + 1, (size_t)(colon - at) - 1), &length) && length <= o->head_n;
    if (same) {
        fingerprint(o, (size_t)length, print);
        same = strcmp(at, print) == 0;
    }
    if (same) {
        free(o->position_id);
        o->position_id = dp_strdup(id);
    }
    free(plain);
    return same;
}

uint64_t dp_origin_reach(const char *id) {
    const char *at = strrchr(id, '@'), *colon = at ? strchr(at, ':') : NULL;
    uint64_t n = 0;
    return colon && dp_parse_u64(dp_str(at + 1, (size_t)(colon - at) - 1), &n) ? n : 0;
}

/* ---- words ---- */

enum dp_status dp_sources_place(const struct dp_sources *s, struct dp_err *err) {
    if (!err) return DP_OK;
    char name[256];
    const char *member = s->in ? dp_input_member(s->in) : NULL;
    (void)snprintf(name, sizeof name, "%.120s%s%.120s", s->name ? s->name : "-", member ? ":" : "", member ? member : "");
    return dp_err_at(err, name, 0, DP_NO_OFFSET);
}

void dp_sources_say(struct dp_sources *s, const char *fmt, ...) {
    struct dp_buf b = {0};
    const char *member = s->in ? dp_input_member(s->in) : NULL;
    char text[2048];
    va_list ap;
    if (s->surveying) return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Options that force what was told by content are those of dp-ingest; others lack most of them. */
    const char *whose = text[0] == '-' && strcmp(s->run->program, "dp-ingest") != 0 ? "as with dp-ingest " : "";
    dp_buf_addf(&b, "%s%s%s: %s%s", s->name ? s->name : "-", member ? ":" : "", member ? member : "", whose, text);
    dp_run_log(s->run, DP_LOG_VERBOSE, "%s", dp_buf_z(&b));
    dp_buf_release(&b);
}

/* ---- waiting ---- */

bool dp_sources_is_live(const struct dp_sources *s) {
    uint64_t size;
    return dp_input_fd(s->in, &size) < 0 && !*dp_input_layers(s->in);
}

enum dp_status dp_sources_wait(void *ctx, int fd, struct dp_err *err) {
    struct dp_sources *s = ctx;
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->run->stop_fd > 0 ? s->run->stop_fd : -1, .events = POLLIN}};
    int64_t wake = s->opts->wake_ms;
    for (bool told = false;;) {
        int r = poll(p, 2, !told ? 0 : wake && wake < 200 ? (int)wake : 200);
        if (r < 0 && errno != EINTR) return dp_err_sys(err, DP_IO, "can't wait for input");
        if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
        if (r > 0 && p[0].revents) return DP_OK;
        if (r > 0 && p[1].revents) p[1].fd = -1; /* woken, and no signal: a stage of the run has failed, or soon will */
        if (s->run->pool && dp_pool_stopping(s->run->pool)) return dp_err_set(err, DP_PIPE, "the run has failed elsewhere");
        if (s->patience && dp_sources_clock() >= s->patience) return dp_err_set(err, DP_AGAIN, "no more input yet");
        if ((!told || wake) && s->opts->would_block) DP_TRY(s->opts->would_block(s->opts->would_block_ctx, err));
        told = true;
    }
}

/* ---- opening ---- */

enum dp_status dp_sources_open_name(struct dp_sources *s, const char *name, struct dp_err *err) {
    struct dp_input_opts o = {.member = s->opts->member, .wait = dp_sources_wait, .wait_ctx = s};
    s->name = name;
    if (s->follow && s->n_operands == 1) s->dataset = dp_dataset_input(s->run, s->operands[0]); /* of several nobody says here which this is of */
    if (s->opts->resume && strcmp(name, "-") == 0)
        return dp_err_set(err, DP_USAGE, "standard input has no position to go on from: --since and --ledger need named sources");
    return dp_input_open(name, &o, &s->in, err);
}

void dp_sources_close_member(struct dp_sources *s) {
    dp_text_close(s->text);
    s->text = NULL;
    dp_evolve_release(&s->evolve);
    if (s->pq) dp_pq_reader_close(s->pq), s->pq = NULL;
    if (s->reading) {
        dp_shared_drop(s->reading->shared);
        s->reading->shared = NULL, s->reading->parquet = NULL;
    }
    s->reading = NULL;
    s->carry.n = s->carry_at = 0;
    if (s->carry.cap > 4u << 20) dp_buf_release(&s->carry); /* a sample's worth */
    s->ended = s->skipping = s->doc_in_array = false;
    s->patience = 0;
    s->line = 1, s->offset = s->cut_from = s->cut_seen = s->rows = 0;
    s->csv_cut = (struct dp_csv_cut){0};
    s->doc_cut = (struct dp_doc_cut){0};
}

enum { FILL_STEP = 64 << 10 };

enum dp_status dp_sources_fill(struct dp_sources *s, size_t want, struct dp_err *err) {
    while (!s->ended && s->carry.n - s->carry_at < want) {
        size_t n, step = want - (s->carry.n - s->carry_at);
        if (step < FILL_STEP) step = FILL_STEP;
        char *p = dp_buf_reserve(&s->carry, step + DP_SCAN_PAD);
        DP_TRY(dp_text_read(s->text, p, step, &n, err)); /* no more, though there be room: a sample has its size */
        s->carry.n += n;
        s->ended = !n;
    }
    return DP_OK;
}

static void close_parquet(void *p) { dp_pq_close(p); }

/* Parquet wants to seek: what is not a plain file is written to a temporary one first. */
static enum dp_status open_parquet(struct dp_sources *s, struct dp_err *err) {
    uint64_t size;
    struct dp_reading *r = s->reading;
    if (dp_input_fd(s->in, &size) >= 0) {
        DP_TRY(dp_pq_open_bounded(s->name, dp_sources_bound(s), &r->parquet, err));
    } else {
        int fd;
        char path[64], *b = dp_alloc(1 << 18);
        enum dp_status status = dp_spill_open(&fd, err);
        for (size_t n = 1; !status && n;) {
            status = dp_input_read(s->in, b, 1 << 18, &n, err);
            if (!status) status = dp_fd_write(fd, b, n, err);
        }
        free(b);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (!status) status = dp_pq_open_bounded(path, dp_sources_bound(s), &r->parquet, err);
        if (fd >= 0) close(fd);
        if (status) return status;
    }
    r->shared = dp_shared_new(r->parquet, close_parquet);
    s->n_row_groups = 0; /* found out by seeking */
    s->row_group = 0;
    DP_TRY(dp_sources_evolve(s, dp_pq_schema(r->parquet), dp_input_fd(s->in, &size) >= 0, err));
    return dp_pq_reader_open(r->parquet, s->evolve.whole ? NULL : s->evolve.names, s->evolve.n_names, &s->pq, err);
}

static enum dp_status format_by_name(const char *name, enum dp_source_format *f, struct dp_err *err) {
    static const struct {
        const char *name;
        enum dp_source_format format;
    } known[] = {{"csv", DP_SOURCE_CSV}, {"tsv", DP_SOURCE_CSV}, {"json", DP_SOURCE_DOCUMENTS}, {"ndjson", DP_SOURCE_LINES},
                 {"jsonl", DP_SOURCE_LINES}, {"parquet", DP_SOURCE_PARQUET}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) return *f = known[i].format, DP_OK;
    return dp_err_set(err, DP_USAGE, "no format \"%s\" (csv, tsv, json, ndjson, parquet)", name);
}

/* A line is there, and it does not begin as JSON does. */
static bool is_text_line(const struct dp_sources *s) {
    const char *p = s->carry.p, *end = p + s->carry.n;
    while (p < end && memchr(" \t\r\n", *p, 4)) p++;
    return p < end && *p != '{' && *p != '[' && memchr(p, '\n', (size_t)(end - p));
}

/* What the content is, from its first bytes (binary formats) or its first text. */
static enum dp_status tell_format(struct dp_sources *s, enum dp_source_format *f, struct dp_err *err) {
    struct dp_str head;
    const char *named = s->opts->format && strcmp(s->opts->format, "auto") != 0 ? s->opts->format : NULL;
    if (s->opts->retry_rejects) named = "ndjson";
    if (named) DP_TRY(format_by_name(named, f, err));
    DP_TRY(dp_input_peek(s->in, 4, &head, err));
    uint64_t size;
    int fd = dp_input_fd(s->in, &size);
    if (!named && ((head.n >= 4 && memcmp(head.p, "PAR1", 4) == 0) || (fd >= 0 && dp_pq_is(fd)))) *f = DP_SOURCE_PARQUET;
    if (!named && head.n >= 4 && memcmp(head.p, "PARE", 4) == 0) return dp_err_set(err, DP_UNSUPPORTED, "encrypted Parquet");
    if (!named && head.n >= 4 && memcmp(head.p, "Obj\x01", 4) == 0) return dp_err_set(err, DP_UNSUPPORTED, "Avro files");
    if (*f == DP_SOURCE_PARQUET) return DP_OK;
    /* JSON is UTF-8 (RFC 8259), or UTF-16 by its zeros or mark; and NDJSON may be live: no waiting for more bytes to judge by. */
    const char *encoding = s->opts->encoding && strcmp(s->opts->encoding, "auto") != 0 && !s->opts->retry_rejects ? s->opts->encoding : NULL;
    bool json = *f == DP_SOURCE_LINES || *f == DP_SOURCE_DOCUMENTS || (head.n && (head.p[0] == '{' || head.p[0] == '['));
    bool wide = head.n >= 2 && (!head.p[0] || !head.p[1] || (unsigned char)head.p[0] >= 0xfe);
    s->look_until = dp_sources_clock() + DP_SOURCE_LOOK_MS;
    if (dp_sources_is_live(s)) s->patience = s->look_until;
    enum dp_status status = dp_text_open(s->in, json && !wide && !encoding ? "utf-8" : encoding, &s->text, err);
    s->patience = 0;
    if (status) return status;
    if (dp_text_was_guessed(s->text)) dp_sources_say(s, "--encoding=%s", dp_text_encoding(s->text));
    DP_TRY(dp_sources_fill(s, 1, err));
    if (s->ended && !s->carry.n) return *f = DP_SOURCE_EMPTY, DP_OK;
    if (named) return DP_OK;
    enum dp_doc_kind kind;
    for (size_t want = s->carry.n;;) {
        kind = dp_doc_sniff(dp_buf_str(&s->carry), s->ended);
        bool has_line = memchr(s->carry.p, '\n', s->carry.n) != NULL;
        if (s->ended || s->carry.n >= 1 << 20 || (kind && has_line) || (!kind && (s->carry.n > 16 || is_text_line(s)))) break;
        want = s->carry.n + 1;
        DP_TRY(dp_sources_fill(s, want, err));
    }
    *f = kind == DP_DOC_LINES ? DP_SOURCE_LINES : kind == DP_DOC_DOCUMENTS ? DP_SOURCE_DOCUMENTS : DP_SOURCE_CSV;
    return DP_OK;
}

/* Goes to where an earlier run stopped. */
static enum dp_status resume_at(struct dp_sources *s, uint64_t to, struct dp_err *err) {
    while (s->offset < to) {
        DP_TRY(dp_sources_fill(s, 1, err));
        size_t have = s->carry.n - s->carry_at;
        if (!have) return dp_err_set(err, DP_FORMAT, "the source ends before byte %llu, where an earlier run stopped", (unsigned long long)to);
        size_t take = to - s->offset < have ? (size_t)(to - s->offset) : have;
        s->line += dp_count_byte(s->carry.p + s->carry_at, take, '\n');
        s->offset += take;
        s->carry_at += take;
        if (s->carry_at == s->carry.n) s->carry_at = s->carry.n = 0;
    }
    return DP_OK;
}

enum dp_status dp_sources_open_member(struct dp_sources *s, struct dp_err *err) {
    dp_sources_close_member(s);
    enum dp_status next = dp_input_next(s->in, err);
    if (s->follow && *dp_input_layers(s->in)) return dp_follow_check(s, DP_SOURCE_NONE, err);
    if (next) return next;
    if (*dp_input_layers(s->in)) dp_sources_say(s, "read through %s", dp_input_layers(s->in));
    struct dp_str head;
    struct dp_reading *r = dp_calloc(1, sizeof *r);
    r->next = s->readings;
    s->readings = s->reading = r;
    enum dp_source_format format = DP_SOURCE_NONE;
    bool is_pipe = strcmp(s->name, "-") == 0 || (dp_sources_is_live(s) && !s->opts->resume); /* its first records are not kept waiting for more */
    DP_TRY(dp_input_peek(s->in, is_pipe ? 1 : sizeof ((struct dp_origin *)0)->head, &head, err));
    r->origin = dp_origin_new(s->name, dp_input_member(s->in), head);
    r->origin->foreign = true;
    if (!s->surveying) r->origin->dataset = s->dataset;
    DP_TRY(tell_format(s, &format, err));
    r->format = s->opts->retry_rejects && format == DP_SOURCE_LINES ? DP_SOURCE_REJECTS : format;
    uint64_t from = 0;
    if (s->follow) {
        DP_TRY(dp_follow_check(s, format, err));
        DP_TRY(dp_follow_resume(s, r->origin, &from, err));
    } else if (s->opts->resume && !s->surveying) DP_TRY(s->opts->resume(s->opts->resume_ctx, r->origin, &from, err));
    r->origin->from = from;
    if (from == UINT64_MAX || format == DP_SOURCE_EMPTY) {
        r->format = DP_SOURCE_EMPTY;
        return DP_OK;
    }
    if (format != DP_SOURCE_CSV && !s->opts->retry_rejects && (!s->opts->format || strcmp(s->opts->format, "auto") == 0))
        dp_sources_say(s, "-f %s", format == DP_SOURCE_LINES ? "ndjson" : format == DP_SOURCE_DOCUMENTS ? "json" : "parquet");
    if (format == DP_SOURCE_PARQUET) {
        DP_TRY(open_parquet(s, err));
        s->offset = from; /* rows */
    } else if (format == DP_SOURCE_CSV) {
        DP_TRY(dp_sources_open_csv(s, err));
    } else if (s->opts->schema) {
        r->schema = dp_type_copy(s->opts->schema);
        r->origin->schema = r->schema;
    }
    if (format != DP_SOURCE_PARQUET) DP_TRY(resume_at(s, from, err));
    s->cut_from = s->cut_seen = s->offset;
    if (r->origin->schema) dp_dataset_schema(r->origin->dataset, r->origin->schema);
    return DP_OK;
}

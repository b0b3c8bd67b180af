/*
 * Standard input as a stream of ours: records or paths, with marks among them (DESIGN section 1).  What one read gave is handed on as soon as a
 * line in it is whole.  Each mark is a chunk of its own; the first line that is no mark fixes the mode.
 */
#include "source_priv.h"

#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 256 << 10, AHEAD = 8 << 20 };

static const char kind_words[2][24] = {"a path", "a record"};

static enum dp_status other_kind(struct dp_sources *s, size_t at, struct dp_err *err) {
    bool records = s->mode == '{';
    dp_err_set(err, DP_FORMAT, "%s in a stream of %s: a line begins with { or it names a path", kind_words[!records], records ? "records" : "paths");
    return dp_err_at(err, "-", s->stream_line + dp_count_byte(s->block.p + s->block_at, at - s->block_at, '\n'), s->stream_offset + (at - s->block_at));
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* First byte of the line that is no blank; '\n' for a blank line. */
static char first_byte(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] != '\n' && is_blank(p[i])) i++;
    return i < n ? p[i] : '\n';
}

static uint64_t longest_line(const struct dp_sources *s) { return s->run->max_record > DP_LIMIT_MARK ? s->run->max_record : DP_LIMIT_MARK; }

/* Reads until a whole line is in the block, or the end, or more than a line may have: then block_lines stays 0. */
static enum dp_status more(struct dp_sources *s, struct dp_err *err) {
    if (s->block_at) {
        memmove(s->block.p, s->block.p + s->block_at, s->block.n - s->block_at);
        s->block.n -= s->block_at;
        s->block_lines -= s->block_at;
        s->block_at = 0;
    }
    while (!s->stream_ended && s->block_lines == 0) {
        size_t n, before = s->block.n, room = s->opts->chunk_bytes > BLOCK ? s->opts->chunk_bytes : BLOCK;
        char *p = dp_buf_reserve(&s->block, room + DP_SCAN_PAD);
        DP_TRY(dp_input_read(s->stdin_in, p, room, &n, err));
        s->block.n += n;
        s->stream_ended = !n;
        for (size_t i = s->block.n; i > before && !s->block_lines; i--)
            if (s->block.p[i - 1] == '\n') s->block_lines = i;
        if (!s->block_lines && s->block.n > longest_line(s) + room) return DP_OK;
    }
    if (s->stream_ended && !s->block_lines) s->block_lines = s->block.n; /* a last line without its newline */
    return DP_OK;
}

/* Gives block[block_at, end) to the chunk. */
static void hand_out(struct dp_sources *s, struct dp_chunk *c, enum dp_chunk_kind kind, size_t end) {
    size_t n = end - s->block_at;
    c->kind = kind;
    c->origin = s->stdin_origin;
    c->source = NULL;
    c->raw.n = c->converted.n = c->bad_lines.n = 0;
    c->rec_line = NULL, c->rec_offset = NULL;
    c->bad = c->bad_malformed = c->coerced = 0;
    c->passed_over = dp_str(NULL, 0);
    c->last_of_origin = false;
    c->line = s->stream_line;
    c->offset = s->stream_offset;
    if (s->block_at == 0 && end == s->block.n) { /* all of it: no copy */
        struct dp_buf b = c->raw;
        c->raw = s->block;
        s->block = b;
        s->block.n = s->block_at = s->block_lines = 0;
        dp_buf_reserve(&c->raw, DP_SCAN_PAD);
    } else {
        dp_buf_reserve(&c->raw, n + DP_SCAN_PAD);
        dp_buf_add(&c->raw, s->block.p + s->block_at, n);
        s->block_at = end;
    }
    c->text = c->raw.p, c->n = n;
    s->stream_line += dp_count_byte(c->text, n, '\n');
    s->stream_offset += n;
    c->end_offset = s->stream_offset;
}

static void pass_over(struct dp_sources *s, struct dp_chunk *c, size_t end) {
    hand_out(s, c, DP_CHUNK_RECORDS, end);
    c->passed_over = dp_str(c->text, c->n);
    c->n = 0;
}

/* The block is the head of a line that is too long: of a record, it is one bad record; of anything else, the end of the run. */
static enum dp_status long_line(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    bool mark = dp_mark_find(s->block.p, s->block.n, 0) == 0;
    if (s->mode == 'p' || first_byte(s->block.p, s->block.n) != '{' || mark) {
        dp_err_set(err, DP_LIMIT, "a line of more than %llu bytes (--max-record)", (unsigned long long)longest_line(s));
        return dp_err_at(err, "-", s->stream_line, s->stream_offset);
    }
    s->mode = '{';
    s->skipping = true;
    pass_over(s, c, s->block.n);
    dp_sources_too_long(s, c);
    return DP_OK;
}

/* On with it, to its newline.  The block is empty here. */
static enum dp_status rest_of_long_line(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    char *p = dp_buf_reserve(&s->block, BLOCK + DP_SCAN_PAD);
    DP_TRY(dp_input_read(s->stdin_in, p, BLOCK, &s->block.n, err));
    s->stream_ended = !s->block.n;
    const char *nl = s->block.n ? memchr(p, '\n', s->block.n) : NULL;
    size_t end = nl ? (size_t)(nl - p) + 1 : s->block.n;
    s->block_lines = s->block.n;
    while (nl && p[s->block_lines - 1] != '\n') s->block_lines--;
    s->skipping = !nl && !s->stream_ended;
    pass_over(s, c, end);
    return DP_OK;
}

static enum dp_status mark_chunk(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    const char *p = s->block.p + s->block_at, *nl = memchr(p, '\n', s->block_lines - s->block_at);
    hand_out(s, c, DP_CHUNK_MARK, nl ? s->block_at + (size_t)(nl - p) + 1 : s->block_lines);
    dp_mark_release(&c->mark);
    size_t n = c->n && c->text[c->n - 1] == '\n' ? c->n - 1 : c->n;
    if (n && c->text[n - 1] == '\r') n--;
    enum dp_status status = dp_mark_parse(dp_str(c->text, n), &c->mark, err);
    return status && err ? dp_err_at(err, "-", c->line, c->offset) : status;
}

/* Up to the next line of the other kind, which is an error as soon as it is reached. */
static size_t same_kind(const struct dp_sources *s, size_t end) {
    for (size_t at = s->block_at; at < end;) {
        const char *p = s->block.p + at, *nl = memchr(p, '\n', end - at);
        char b = *p == '{' ? '{' : first_byte(p, end - at);
        if (b != '\n' && (b == '{') != (s->mode == '{')) return at;
        if (!nl) break;
        at += (size_t)(nl - p) + 1;
    }
    return end;
}

/* Reads on, to the next mark, the end, or as much as may wait; *end: where the lines stop that are paths. */
static enum dp_status read_ahead(struct dp_sources *s, size_t *end, struct dp_err *err) {
    for (size_t from = s->block_at;;) {
        *end = from + dp_mark_find(s->block.p + from, s->block_lines - from, 0);
        if (*end < s->block_lines || s->stream_ended || s->block.n - s->block_at > AHEAD) return DP_OK;
        size_t n;
        char *p = dp_buf_reserve(&s->block, BLOCK + DP_SCAN_PAD);
        DP_TRY(dp_input_read(s->stdin_in, p, BLOCK, &n, err));
        from = s->block_lines;
        s->block.n += n;
        s->stream_ended = !n;
        size_t lines = s->block.n;
        while (lines > from && s->block.p[lines - 1] != '\n') lines--;
        s->block_lines = s->stream_ended ? s->block.n : lines;
    }
}

/* The paths up to the next mark join the set: their files must be known before the first of them is read. */
static enum dp_status join_paths(struct dp_sources *s, struct dp_err *err) {
    char **names = NULL;
    size_t end = 0, n = 0, cap = 0;
    DP_TRY(read_ahead(s, &end, err));
    for (size_t at = s->block_at; at < end;) {
        const char *p = s->block.p + at, *nl = memchr(p, '\n', end - at);
        size_t len = nl ? (size_t)(nl - p) : end - at;
        at += len + 1;
        if (len && p[len - 1] == '\r') len--;
        if (!len || len > DP_LIMIT_PATH || *p == '{' || memchr(p, '\0', len)) continue;
        names = dp_grow(names, &cap, n + 1, sizeof *names);
        names[n++] = dp_strndup(p, len);
    }
    s->set_end = s->stream_offset + (end - s->block_at);
    enum dp_status status = n ? dp_sources_join(s, (const char *const *)names, n, err) : DP_OK;
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    return status;
}

/* The next path line as a chunk of its own, for the count and hash of `end`; what it names is opened at the next call. */
static void path_chunk(struct dp_sources *s, struct dp_chunk *c) {
    const char *p = s->block.p + s->block_at, *nl = memchr(p, '\n', s->block_lines - s->block_at);
    size_t n = nl ? (size_t)(nl - p) : s->block_lines - s->block_at, step = nl ? n + 1 : n;
    if (n && p[n - 1] == '\r') n--;
    free(s->path_line);
    s->path_line = n ? dp_strndup(p, n) : NULL;
    s->path_n = n;
    hand_out(s, c, DP_CHUNK_PATHS, s->block_at + step);
    s->path_at_line = c->line, s->path_at = c->offset;
}

/* Opens what the latest path line names; blank lines are passed over. */
static enum dp_status open_path(struct dp_sources *s, struct dp_err *err) {
    size_t n = s->path_n;
    s->path_n = 0;
    if (!n) return DP_OK;
    bool hide = s->run->hide_raw && !s->run->rejects_clear; /* a line that is no path may be a row of data */
    if (n > DP_LIMIT_PATH) dp_err_set(err, DP_LIMIT, "a path of more than %u bytes", DP_LIMIT_PATH);
    else if (memchr(s->path_line, '\0', n)) dp_err_set(err, DP_FORMAT, "a path with a NUL byte");
    else if (hide && access(s->path_line, F_OK) != 0) dp_err_set(err, DP_IO, "the line names no file that is there: a record begins with {, and raw data goes through dp-ingest");
    else if (strstr(s->path_line, "://")) dp_err_set(err, DP_FORMAT, "'%.200s' is a URL: a line in a pipe names a local file", s->path_line);
    else {
        s->has_learnt = true; /* paths come one by one: each file is its own sample */
        s->dataset = dp_dataset_input(s->run, s->path_line);
        dp_sources_note_file(s, s->path_line);
        return dp_sources_open_name(s, s->path_line, err);
    }
    return dp_err_at(err, "-", s->path_at_line, s->path_at);
}

enum dp_status dp_sources_stream(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    DP_TRY(open_path(s, err));
    if (s->in) return DP_AGAIN; /* the caller reads from it now */
    if (s->skipping) return rest_of_long_line(s, c, err);
    for (;;) {
        if (s->block_at == s->block_lines) {
            DP_TRY(more(s, err));
            if (!s->block_lines && !s->stream_ended) return long_line(s, c, err);
            if (s->block_at == s->block_lines) return DP_END;
        }
        size_t lines = s->block_lines, mark = s->block_at + dp_mark_find(s->block.p + s->block_at, lines - s->block_at, 0);
        if (mark == s->block_at && mark < lines) return mark_chunk(s, c, err);
        if (!s->mode) {
            const char *p = s->block.p + s->block_at, *nl = memchr(p, '\n', lines - s->block_at);
            char b = first_byte(p, lines - s->block_at);
            if (b == '\n' && nl) { /* a blank line fixes nothing */
                s->stream_line++;
                s->stream_offset += (size_t)(nl - p) + 1;
                s->block_at += (size_t)(nl - p) + 1;
                continue;
            }
            if (b == '\n') return s->block_at = s->block_lines, DP_END;
            s->mode = b == '{' ? '{' : 'p';
        }
        if (s->mode == 'p' && s->opts->paths == DP_PATHS_REFUSE) {
            dp_err_set(err, DP_FORMAT, "standard input holds no records: a record begins with {");
            return dp_err_at(err, "-", s->stream_line, s->stream_offset);
        }
        size_t end = same_kind(s, mark);
        if (end == s->block_at) return other_kind(s, end, err);
        if (s->mode == '{' || s->opts->paths == DP_PATHS_PASS) return hand_out(s, c, s->mode == '{' ? DP_CHUNK_RECORDS : DP_CHUNK_PATHS, end), DP_OK;
        if (s->stream_offset >= s->set_end) DP_TRY(join_paths(s, err));
        return path_chunk(s, c), DP_OK;
    }
}

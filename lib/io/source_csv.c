/*
 * CSV sources: dialect and types.  Types are learnt before anything is put out, over all operands together, since files of one set
 * that have the same header must agree: a column of codes that happens to hold only digits in one of the files is text in all of them.
 * At most DP_LIMIT_SAMPLE bytes are looked at.  Standard input can't be read twice, so its own first bytes are the sample.
 */
#include "source_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { DIALECT_BYTES = 256 << 10, LEAST_SHARE = 256 << 10, MAX_PIECES = 16, LEAST_PIECE = 512 << 10 };

static struct dp_str sample_of(const struct dp_sources *s) { return dp_str(s->carry.p + s->carry_at, s->carry.n - s->carry_at); }

/* Fills up to `want` bytes; of a live source what comes until `patience`, and at least `lines` lines. */
static enum dp_status fill_some(struct dp_sources *s, size_t want, size_t lines, uint64_t patience, struct dp_err *err) {
    s->patience = dp_sources_is_live(s) ? patience : 0;
    enum dp_status status = dp_sources_fill(s, want, err);
    s->patience = 0;
    while (status == DP_AGAIN) {
        struct dp_str got = sample_of(s);
        if (s->ended || dp_count_byte(got.p, got.n, '\n') + dp_count_byte(got.p, got.n, '\r') >= lines) return DP_OK;
        status = dp_sources_fill(s, got.n + 1, err);
        if (!status) status = DP_AGAIN;
    }
    return status;
}

static bool all_told(const struct dp_csv_dialect *d) {
    return d->delimiter && d->quote && d->escape && d->newline != DP_CSV_NEWLINE_AUTO && d->header != DP_CSV_HEADER_AUTO && d->skip >= 0;
}

static enum dp_status sniff(struct dp_sources *s, struct dp_csv_dialect *d, struct dp_err *err) {
    *d = s->dialect;
    if (s->opts->format && strcmp(s->opts->format, "tsv") == 0 && !d->delimiter) d->delimiter = '\t';
    /* A header and a record are enough where nothing is to be told from them. */
    size_t lines = 2 + (d->skip > 0 ? (size_t)d->skip : 0);
    DP_TRY(fill_some(s, DIALECT_BYTES, lines, all_told(d) ? 1 : s->look_until, err));
    return dp_csv_sniff(d, sample_of(s), s->ended, err);
}

/* ---- learning on all threads ---- */

struct lesson {
    struct dp_csv_table *pieces[MAX_PIECES];
    size_t ends[MAX_PIECES]; /* of each piece in p */
    const char *p;
};

static enum dp_status learn_piece(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct lesson *l = ctx;
    size_t from = i ? l->ends[i - 1] : 0;
    (void)worker, (void)err;
    if (l->ends[i] > from) dp_csv_table_learn(l->pieces[i], l->p + from, l->ends[i] - from);
    return DP_OK;
}

/* p[0..n): records, 64 bytes behind readable. What is learnt does not depend on the pieces: joining is and, or and max. */
static enum dp_status learn_records(struct dp_sources *s, struct dp_csv_table *t, const char *p, size_t n, bool ended, struct dp_err *err) {
    struct lesson l = {.p = p};
    struct dp_csv_cut cut = {0};
    size_t k = 0, at = 0, end = 0, step = n / MAX_PIECES > LEAST_PIECE ? n / MAX_PIECES : LEAST_PIECE;
    while (at < n && k < MAX_PIECES - 1) {
        size_t take = n - at < step ? n - at : step, e = dp_csv_cut(dp_csv_table_dialect(t), &cut, p + at, take);
        if (e) end = at + e, l.ends[k++] = end;
        at += take;
    }
    size_t e = at < n ? dp_csv_cut(dp_csv_table_dialect(t), &cut, p + at, n - at) : 0;
    if (e) end = at + e;
    if (ended && !s->follow) end = n; /* a file that grows may end in the middle of a record */
    l.ends[k++] = end;
    for (size_t i = 0; i < k; i++) l.pieces[i] = dp_csv_table_twin(t);
    enum dp_status status = DP_OK;
    if (s->run->pool) status = dp_pool_for(s->run->pool, k, learn_piece, &l, err);
    else for (size_t i = 0; i < k && !status; i++) status = learn_piece(&l, 0, i, err);
    for (size_t i = 0; i < k; i++) {
        if (!status) dp_csv_table_join(t, l.pieces[i]);
        dp_csv_table_close(l.pieces[i]);
    }
    return status;
}

/* Learns from what is in carry from `data` on. */
static enum dp_status learn_from_carry(struct dp_sources *s, struct dp_csv_table *t, size_t data, struct dp_err *err) {
    dp_buf_reserve(&s->carry, DP_SCAN_PAD);
    return learn_records(s, t, s->carry.p + s->carry_at + data, s->carry.n - s->carry_at - data, s->ended, err);
}

/* ---- learning beforehand ---- */

static bool has_record(const struct dp_sources *s, const struct dp_csv_dialect *d, size_t data) {
    struct dp_csv_cut cut = {0};
    return dp_csv_cut(d, &cut, sample_of(s).p + data, sample_of(s).n - data) > 0;
}

/* One member of one operand; a failure here says nothing: the real pass meets it again, and then it counts. */
static uint64_t learn_member(struct dp_sources *s, uint64_t share) {
    struct dp_csv_dialect d;
    struct dp_str head;
    struct dp_csv_table *t = NULL;
    size_t data;
    uint64_t lines;
    const char *named = s->opts->format && strcmp(s->opts->format, "auto") != 0 ? s->opts->format : NULL;
    if (dp_input_peek(s->in, 64, &head, NULL) || (!named && dp_doc_sniff(head, false)) || (!named && head.n > 3 && memcmp(head.p, "PAR1", 4) == 0))
        return 0;
    s->look_until = 0; /* regular files do not wait */
    if (dp_text_open(s->in, s->opts->encoding, &s->text, NULL)) return 0;
    bool is_open = sniff(s, &d, NULL) == DP_OK && dp_csv_table_open(&d, sample_of(s), &t, &data, &lines, NULL, NULL) == DP_OK;
    if (is_open && s->follow && !has_record(s, &d, data)) is_open = false; /* nothing to learn from yet */
    if (is_open && dp_csv_table_must_learn(t, s->opts->schema) && dp_sources_fill(s, share, NULL) == DP_OK &&
        learn_from_carry(s, t, data, NULL) == DP_OK) {
        bool is_new;
        struct dp_map_item *it = dp_map_put(&s->learnt, dp_csv_table_key(t), &is_new);
        if (is_new) it->v.p = t, t = NULL;
        else dp_csv_table_join(it->v.p, t);
    }
    dp_csv_table_close(t);
    return s->carry.n;
}

enum dp_status dp_sources_learn(struct dp_sources *s, struct dp_err *err) {
    (void)err;
    if (s->has_learnt) return DP_OK;
    s->has_learnt = true;
    if (s->opts->retry_rejects || s->dialect.all_strings || (s->opts->format && strcmp(s->opts->format, "csv") && strcmp(s->opts->format, "tsv") && strcmp(s->opts->format, "auto")))
        return DP_OK;
    uint64_t left = DP_LIMIT_SAMPLE, share = s->n_names ? DP_LIMIT_SAMPLE / s->n_names : DP_LIMIT_SAMPLE;
    if (share < LEAST_SHARE) share = LEAST_SHARE;
    for (size_t i = 0; i < s->n_names && left; i++) {
        struct stat st;
        if (strcmp(s->names[i], "-") == 0 || stat(s->names[i], &st) || !S_ISREG(st.st_mode)) continue;
        if (dp_sources_open_name(s, s->names[i], NULL)) continue;
        uint64_t part = share < left ? share : left;
        while (part && dp_input_next(s->in, NULL) == DP_OK) {
            uint64_t used = learn_member(s, part);
            dp_sources_close_member(s);
            part -= used < part ? used : part;
            left -= used < left ? used : left;
        }
        dp_sources_close_member(s);
        dp_input_close(s->in);
        s->in = NULL;
    }
    s->name = NULL;
    return DP_OK;
}

static void say_dialect(struct dp_sources *s, const struct dp_csv_dialect *d, struct dp_buf *notes) {
    struct dp_buf b = {0};
    dp_csv_dialect_print(d, &b);
    dp_sources_say(s, "-f csv%s", dp_buf_z(&b));
    for (char *p = notes->n ? (char *)(uintptr_t)dp_buf_z(notes) : NULL, *nl; p && (nl = strchr(p, '\n')); p = nl + 1) {
        *nl = '\0';
        dp_sources_say(s, "%s", p);
    }
    const struct dp_type *schema = dp_csv_table_schema(s->reading->table);
    b.n = 0;
    for (size_t i = 0; i < schema->n_children; i++) {
        dp_buf_addf(&b, "%s%s=", i ? "," : "", schema->children[i]->name);
        dp_type_print(schema->children[i], &b);
    }
    if (b.n < 1800) dp_sources_say(s, "--types '%s'", dp_buf_z(&b));
    dp_buf_release(&b);
}

/* A column that the contract requires and the header lacks: no record could pass. */
static enum dp_status check_required(const struct dp_type *wanted, const struct dp_type *columns, struct dp_err *err) {
    struct dp_buf names = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; wanted && i < wanted->n_children && !status; i++) {
        const struct dp_type *w = wanted->children[i];
        if (w->nullable || dp_type_child(columns, dp_str(w->name, w->name_n))) continue;
        for (size_t k = 0; k < columns->n_children && names.n < 200; k++) dp_buf_addf(&names, "%s%s", k ? ", " : "", columns->children[k]->name);
        status = dp_err_set(err, DP_SCHEMA, "the contract requires column %.100s, and this CSV has none (its columns: %.200s)", w->name, dp_buf_z(&names));
    }
    dp_buf_release(&names);
    return status;
}

/* Files that come later with the same header get the same types. */
static void keep_learnt(struct dp_sources *s, const struct dp_csv_table *t) {
    struct dp_csv_table *twin = dp_csv_table_twin(t);
    dp_csv_table_join(twin, t);
    dp_map_put(&s->learnt, dp_csv_table_key((struct dp_csv_table *)(uintptr_t)t), NULL)->v.p = twin;
}

enum dp_status dp_sources_open_csv(struct dp_sources *s, struct dp_err *err) {
    struct dp_csv_dialect d;
    struct dp_reading *r = s->reading;
    struct dp_buf notes = {0};
    size_t data;
    uint64_t lines;
    DP_TRY(sniff(s, &d, err));
    enum dp_status status = dp_csv_table_open(&d, sample_of(s), &r->table, &data, &lines, &notes, err);
    bool is_begun = s->follow && sample_of(s).n < DIALECT_BYTES; /* and perhaps not written any further yet */
    if (is_begun && (status == DP_FORMAT || (!status && !has_record(s, &d, data)))) status = DP_AGAIN;
    if (!status && dp_csv_table_must_learn(r->table, s->opts->schema)) {
        const struct dp_map_item *it = dp_map_get(&s->learnt, dp_csv_table_key(r->table));
        if (it) {
            dp_csv_table_join(r->table, it->v.p);
        } else {
            status = fill_some(s, DP_LIMIT_SAMPLE, 0, dp_sources_clock() + DP_SOURCE_LEARN_MS, err);
            if (!status) status = learn_from_carry(s, r->table, data, err);
            if (!status && s->follow) keep_learnt(s, r->table);
        }
    }
    if (!status) status = dp_csv_table_decide(r->table, s->opts->schema, err);
    if (!status) status = check_required(s->opts->schema, dp_csv_table_schema(r->table), err);
    if (!status) {
        r->origin->schema = dp_csv_table_schema(r->table);
        say_dialect(s, &d, &notes);
        s->carry_at += data;
        s->offset += data;
        s->line += lines;
    }
    dp_buf_release(&notes);
    return status;
}

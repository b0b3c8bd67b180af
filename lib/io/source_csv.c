/*
 * CSV sources: dialect and types.  Types are learnt before anything is put out, over all operands together, since files of one set
 * that have the same header must agree: a column of codes that happens to hold only digits in one of the files is text in all of them.
 * At most DP_LIMIT_SAMPLE bytes are looked at.  Standard input can't be read twice, so its own first bytes are the sample.
 */
#include "source_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { DIALECT_BYTES = 256 << 10, LEAST_SHARE = 256 << 10 };

/* Whole records in the sample: all of it at the end of input. */
static size_t whole_records(const struct dp_csv_dialect *d, const char *p, size_t n, bool ended) {
    struct dp_csv_cut cut = {0};
    return ended ? n : dp_csv_cut(d, &cut, p, n);
}

static enum dp_status sniff(struct dp_sources *s, struct dp_csv_dialect *d, struct dp_err *err) {
    *d = s->dialect;
    if (s->opts->format && strcmp(s->opts->format, "tsv") == 0 && !d->delimiter) d->delimiter = '\t';
    DP_TRY(dp_sources_fill(s, DIALECT_BYTES, err));
    return dp_csv_sniff(d, dp_str(s->carry.p + s->carry_at, s->carry.n - s->carry_at), s->ended, err);
}

/* Learns from what is in carry; what was learnt of other files with the same header comes along. */
static enum dp_status learn_from_carry(struct dp_sources *s, const struct dp_csv_dialect *d, struct dp_csv_table **out, struct dp_err *err) {
    size_t data;
    uint64_t lines;
    struct dp_str sample = dp_str(s->carry.p + s->carry_at, s->carry.n - s->carry_at);
    DP_TRY(dp_csv_table_open(d, sample, out, &data, &lines, NULL, err));
    dp_buf_reserve(&s->carry, DP_SCAN_PAD);
    const char *p = s->carry.p + s->carry_at;
    dp_csv_table_learn(*out, p + data, whole_records(d, p + data, sample.n - data, s->ended));
    return DP_OK;
}

/* One member of one operand; a failure here says nothing: the real pass meets it again, and then it counts. */
static uint64_t learn_member(struct dp_sources *s, uint64_t share) {
    struct dp_csv_dialect d;
    struct dp_str head;
    struct dp_csv_table *t = NULL;
    const char *named = s->opts->format && strcmp(s->opts->format, "auto") != 0 ? s->opts->format : NULL;
    if (dp_input_peek(s->in, 64, &head, NULL) || (!named && dp_doc_sniff(head, false)) || (!named && head.n > 3 && memcmp(head.p, "PAR1", 4) == 0))
        return 0;
    if (dp_text_open(s->in, s->opts->encoding, &s->text, NULL)) return 0;
    uint64_t used = 0;
    if (sniff(s, &d, NULL) == DP_OK && dp_sources_fill(s, share, NULL) == DP_OK) {
        used = s->carry.n;
        if (learn_from_carry(s, &d, &t, NULL) == DP_OK) {
            bool is_new;
            struct dp_map_item *it = dp_map_put(&s->learnt, dp_csv_table_key(t), &is_new);
            if (is_new) it->v.p = t, t = NULL;
            else dp_csv_table_join(it->v.p, t);
        }
    }
    dp_csv_table_close(t);
    return used;
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

enum dp_status dp_sources_open_csv(struct dp_sources *s, struct dp_err *err) {
    struct dp_csv_dialect d;
    struct dp_reading *r = s->reading;
    struct dp_buf notes = {0};
    size_t data;
    uint64_t lines;
    DP_TRY(sniff(s, &d, err));
    struct dp_str sample = dp_str(s->carry.p + s->carry_at, s->carry.n - s->carry_at);
    enum dp_status status = dp_csv_table_open(&d, sample, &r->table, &data, &lines, &notes, err);
    if (!status && !d.all_strings) {
        const struct dp_map_item *it = dp_map_get(&s->learnt, dp_csv_table_key(r->table));
        if (it) {
            dp_csv_table_join(r->table, it->v.p);
        } else {
            status = dp_sources_fill(s, DP_LIMIT_SAMPLE, err);
            dp_buf_reserve(&s->carry, DP_SCAN_PAD);
            const char *p = s->carry.p + s->carry_at + data;
            size_t n = s->carry.n - s->carry_at - data;
            if (!status) dp_csv_table_learn(r->table, p, whole_records(&d, p, n, s->ended));
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

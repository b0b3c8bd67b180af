/*
 * One leaf, read by rows: levels are taken in blocks, rows counted, values appended to the leaf's column (spec: README.md of
 * parquet-format, "Nested Encoding").  A batch that would grow past its caps is given up, and read again with fewer rows from a mark.
 */
#include "reader_priv.h"
#include <stdlib.h>

static void keep(struct pq_leaf *l, const uint8_t *rep, const uint8_t *def, size_t n) {
    if (l->max_rep) dp_buf_add(&l->reps, rep, n);
    dp_buf_add(&l->defs, def, n);
}

static enum dp_status too_many(struct pq_leaf *l, struct dp_err *err) {
    l->over = true;
    return pq_fail(l, err, DP_LIMIT, "one row has more than %zu values", l->entry_cap);
}

static enum dp_status level_fault(struct pq_leaf *l, const char *why, struct dp_err *err) { return pq_fail(l, err, DP_FORMAT, "%s", why); }

/* ---- without lists ---- */

/* Most optional columns have long runs of values that are all there: no level is looked at then. */
static enum dp_status flat_run(struct pq_leaf *l, size_t k, uint32_t level, struct dp_err *err) {
    struct dp_pq_reader *r = l->reader;
    if (level > l->max_def) return level_fault(l, "a level above its maximum", err);
    if (l->keep_levels) {
        memset(r->levels, (int)level, k);
        keep(l, NULL, r->levels, k);
    }
    if (level == l->max_def) return pq_values_append(l, NULL, k, k, err);
    memset(r->valid, 0, k);
    return pq_values_append(l, r->valid, k, 0, err);
}

static enum dp_status flat_block(struct pq_leaf *l, size_t *k, struct dp_err *err) {
    struct dp_pq_reader *r = l->reader;
    const char *why;
    if (l->max_def == 0) return pq_values_append(l, NULL, *k, *k, err);
    if (l->def.kind == DP_LEVELS_HYBRID) {
        uint32_t level;
        size_t run = dp_hybrid_run(&l->def.h, *k, &level);
        if (run) return *k = run, flat_run(l, run, level, err);
    }
    if (!dp_levels_get(&l->def, r->levels, *k, &why)) return level_fault(l, why, err);
    if (l->keep_levels) keep(l, NULL, r->levels, *k);
    if (l->max_def == 1) return pq_values_append(l, r->levels, *k, pq_count_ones(r->levels, *k), err); /* a level is what is valid */
    pq_equal(r->levels, l->max_def, *k, r->valid);
    return pq_values_append(l, r->valid, *k, pq_count_ones(r->valid, *k), err);
}

static enum dp_status read_flat(struct pq_leaf *l, int64_t rows, int64_t *whole, struct dp_err *err) {
    while (*whole < rows) {
        if (!l->page_left) {
            if (!l->entries_left) return pq_fail(l, err, DP_FORMAT, "the column has fewer values than its row group has rows");
            DP_TRY(pq_page_next(l, err));
        }
        int64_t k = rows - *whole < l->page_left ? rows - *whole : l->page_left;
        size_t n = (size_t)k < PQ_BLOCK ? (size_t)k : PQ_BLOCK;
        DP_TRY(flat_block(l, &n, err));
        *whole += (int64_t)n;
        l->page_left -= (int64_t)n;
    }
    return DP_OK;
}

/* ---- with lists ---- */

/* A further entry of a list needs that list to have one already, and to be one. */
static bool levels_agree(struct pq_leaf *l, const uint8_t *rep, const uint8_t *def, size_t n) {
    unsigned before = l->last_def, bad = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned need = l->list_def[rep[i]]; /* 0 for repetition level 0 */
        bad |= (before < need) | (def[i] < need);
        before = def[i];
    }
    l->last_def = (uint8_t)before;
    return !bad;
}

static enum dp_status look_ahead(struct pq_leaf *l, struct dp_err *err) {
    const char *why;
    if (!l->page_left) DP_TRY(pq_page_next(l, err));
    size_t k = (size_t)l->page_left < PQ_BLOCK ? (size_t)l->page_left : PQ_BLOCK;
    if (!dp_levels_get(&l->rep, l->ahead_rep, k, &why) || !dp_levels_get(&l->def, l->ahead_def, k, &why)) return level_fault(l, why, err);
    l->page_left -= (int64_t)k;
    l->ahead_pos = 0;
    l->ahead_n = k;
    if (l->jumps) DP_TRY(pq_select_rows(l, k, err));
    if (!l->row_begun && l->ahead_rep[0]) return pq_fail(l, err, DP_FORMAT, "the first repetition level is not 0");
    if (!l->row_begun) l->last_def = UINT8_MAX;
    l->row_begun = true;
    return levels_agree(l, l->ahead_rep, l->ahead_def, k) ? DP_OK : pq_fail(l, err, DP_FORMAT, "levels that describe no list");
}

static enum dp_status nested_block(struct pq_leaf *l, size_t n, struct dp_err *err) {
    struct dp_pq_reader *r = l->reader;
    const uint8_t *rep = l->ahead_rep + l->ahead_pos, *def = l->ahead_def + l->ahead_pos;
    size_t k = 0, nn = 0;
    if (l->defs.n + n > l->entry_cap) return too_many(l, err);
    keep(l, rep, def, n);
    if (l->slot_def == 0) {
        k = n;
        pq_equal(def, l->max_def, n, r->valid);
    } else {
        for (size_t i = 0; i < n; i++) { /* what is no slot is overwritten: lists of random lengths would mislead a branch */
            r->valid[k] = def[i] == l->max_def;
            k += def[i] >= l->slot_def;
        }
    }
    nn = pq_count_ones(r->valid, k);
    l->ahead_pos += n;
    return pq_values_append(l, r->valid, k, nn, err);
}

/* Where row number `more` begins (0: the next that does). */
static size_t up_to_row(const uint8_t *rep, int64_t more) {
    size_t n = 0;
    while (rep[n] || more-- > 0) n++;
    return n;
}

static enum dp_status read_nested(struct pq_leaf *l, int64_t rows, int64_t *whole, struct dp_err *err) {
    int64_t begun = 0;
    for (;;) {
        if (l->ahead_pos == l->ahead_n) {
            if (!l->page_left && (!l->entries_left || (l->jumps && begun == rows))) break; /* pages of an offset index begin with rows */
            DP_TRY(look_ahead(l, err));
        }
        size_t n = l->ahead_n - l->ahead_pos;
        int64_t more = (int64_t)(n - pq_count_nonzero(l->ahead_rep + l->ahead_pos, n));
        if (begun + more <= rows) begun += more;
        else n = up_to_row(l->ahead_rep + l->ahead_pos, rows - begun), begun = rows;
        if (n == 0) break;
        enum dp_status status = nested_block(l, n, err);
        if (status != DP_OK) return status;
        *whole = begun - 1; /* the last one may go on */
    }
    if (begun < rows) return pq_fail(l, err, DP_FORMAT, "the column has fewer rows than its row group");
    *whole = begun;
    return DP_OK;
}

/*
 * Room for all slots at once: memory that grows by doubling is moved, and touched, again and again.  Within the batch's caps, whatever the file says;
 * below lists the levels bound the slots, and only a region, where what is left over is given back, has room for so many.
 */
static void reserve(struct pq_leaf *l, int64_t rows) {
    size_t width = l->form == PQ_FORM_BYTES ? 4 : l->out_width;
    int64_t slots = l->expected = l->max_rep ? l->entries_total : rows;
    if (slots < (int64_t)PQ_BLOCK || (size_t)slots > l->cap / (width ? width : 1) || (l->max_rep && !l->region)) return;
    if (l->form == PQ_FORM_BYTES) (void)pq_column_offsets(l->col, l->region, (size_t)slots + 1, 1);
    else if (l->form != PQ_FORM_BOOL && l->form != PQ_FORM_NONE) (void)pq_column_data(l->col, l->region, (size_t)slots * width);
}

enum dp_status pq_leaf_read(struct pq_leaf *l, int64_t rows, int64_t *whole, struct dp_err *err) {
    *whole = 0;
    l->slots = l->nulls = 0;
    l->over = false;
    dp_buf_reset(&l->reps);
    dp_buf_reset(&l->defs);
    reserve(l, rows);
    DP_TRY(l->max_rep ? read_nested(l, rows, whole, err) : read_flat(l, rows, whole, err));
    l->col->length = l->slots;
    l->col->null_count = l->nulls;
    if (!l->page_left && !l->entries_left && l->ahead_pos == l->ahead_n && !l->reader->selected) pq_leaf_done(l);
    return DP_OK;
}

/* ---- passing over ---- */

/* Passes over entries of the chunk without making anything of them. */
static enum dp_status skip_entries(struct pq_leaf *l, int64_t n, struct dp_err *err) {
    struct dp_pq_reader *r = l->reader;
    const char *why;
    while (n > 0) {
        if (!l->page_left) DP_TRY(pq_page_next(l, err));
        size_t k = n < l->page_left ? (size_t)n : (size_t)l->page_left, nn = 0;
        if (k > PQ_BLOCK) k = PQ_BLOCK;
        if (!dp_levels_get(&l->rep, r->levels, k, &why) || !dp_levels_get(&l->def, r->levels, k, &why)) return level_fault(l, why, err);
        for (size_t i = 0; i < k; i++) nn += r->levels[i] == l->max_def;
        DP_TRY(pq_values_skip(l, nn, err));
        l->last_def = r->levels[k - 1];
        l->row_begun = true;
        l->page_left -= (int64_t)k;
        n -= (int64_t)k;
    }
    return DP_OK;
}

static enum dp_status pass_flat(struct pq_leaf *l, int64_t rows, struct dp_err *err) {
    while (rows > 0) {
        int64_t n = rows < l->page_left ? rows : l->page_left;
        if (!l->page_left && !l->jumps && !l->file->chained_prefixes) {
            DP_TRY(pq_page_pass(l, rows, &n, err));
            if (!n) DP_TRY(pq_page_next(l, err));
        } else if (!l->page_left) {
            if (!l->entries_left) return pq_fail(l, err, DP_FORMAT, "the column has fewer values than its row group has rows");
            DP_TRY(pq_page_next(l, err));
        } else {
            DP_TRY(skip_entries(l, n, err));
        }
        rows -= n;
    }
    return DP_OK;
}

/* Entries up to the next row's first, whichever page it is in. */
static enum dp_status pass_nested(struct pq_leaf *l, int64_t rows, struct dp_err *err) {
    for (int64_t begun = 0;;) {
        if (l->ahead_pos == l->ahead_n) {
            if (!l->page_left && (!l->entries_left || (l->jumps && begun == rows))) return DP_OK; /* fewer rows: whoever reads on will see */
            DP_TRY(look_ahead(l, err));
        }
        size_t n = 0, nn = 0, most = l->ahead_n - l->ahead_pos;
        const uint8_t *rep = l->ahead_rep + l->ahead_pos, *def = l->ahead_def + l->ahead_pos;
        for (; n < most; n++) {
            if (!rep[n] && begun++ == rows) break;
            nn += def[n] == l->max_def;
        }
        DP_TRY(pq_values_skip(l, nn, err));
        l->ahead_pos += n;
        if (begun > rows) return DP_OK;
    }
}

enum dp_status pq_leaf_pass(struct pq_leaf *l, int64_t rows, struct dp_err *err) {
    if (rows == 0) return DP_OK;
    return l->max_rep ? pass_nested(l, rows, err) : pass_flat(l, rows, err);
}

/* ---- coming back ---- */

struct pq_mark pq_leaf_mark(const struct pq_leaf *l) {
    struct pq_mark m = {.page_off = l->page_off, .next_off = l->next_off, .page_no = l->page_no};
    m.consumed = l->page_entries - l->page_left - (int64_t)(l->ahead_n - l->ahead_pos);
    m.entries_left = l->entries_left;
    if (m.consumed < l->page_entries) { /* within a page: begin with that page */
        m.next_off = l->page_off;
        m.page_no--;
        m.entries_left += l->page_entries;
    } else {
        m.consumed = 0;
    }
    return m;
}

enum dp_status pq_leaf_rewind(struct pq_leaf *l, struct pq_mark m, struct dp_err *err) {
    int64_t skip = m.consumed;
    l->page_left = l->page_entries = 0;
    l->ahead_pos = l->ahead_n = 0;
    if (m.next_off <= l->dict.off) l->dict.present = false, l->dict.off = 0; /* its page comes again */
    else if (l->shed && l->dict.off && !l->file->chained_prefixes) DP_TRY(pq_dictionary_again(l, err));
    l->shed = l->stale = false;
    if (l->file->chained_prefixes) { /* values hang on the page before: from the chunk's beginning */
        skip += l->entries_total - m.entries_left;
        return pq_chunk_begin(l, l->row_group, err) == DP_OK ? skip_entries(l, skip, err) : DP_FORMAT;
    }
    bool begun = l->entries_total > m.entries_left;
    if (!begun) l->row_begun = false;
    l->next_off = m.next_off;
    l->page_off = m.page_off;
    l->page_no = m.page_no;
    l->entries_left = m.entries_left;
    /* A mark lies at a row's start, where the entry before does not matter. */
    l->last_def = UINT8_MAX;
    if (!l->jumps) return skip_entries(l, skip, err);
    pq_select_again(l);
    DP_TRY(skip_entries(l, skip, err));
    l->page_rows = -1;
    return DP_OK;
}

void pq_leaf_release(struct pq_leaf *l) {
    dp_buf_release(&l->dict.fixed);
    dp_buf_release(&l->dict.offsets);
    dp_buf_release(&l->dict.bytes);
    dp_buf_release(&l->win);
    dp_buf_release(&l->page);
    dp_buf_release(&l->previous);
    dp_buf_release(&l->reps);
    dp_buf_release(&l->defs);
    free(l->ahead_rep);
    free(l->ahead_def);
}

/*
 * Records that come to a merge (dp/io/merge.h): typed by the table and keyed on all threads, then kept in order: rows in the store of dp-partition, keys in a
 * set for the scan of the table, key, sequence and number in a sort for the decision.
 */
#include "merge_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/changes.h>
#include <dp/delta/schema.h>
#include <dp/io/datasets.h>
#include <dp/record/lineage.h>
#include <dp/rules/contract.h>

#include <stdlib.h>
#include <strings.h>

#define DELETES 1u /* lowest bit of a record's place */

struct job {
    struct dp_batch rows;
    struct merge_entry *entries;
    struct dp_key *keys;
    size_t entries_cap, keys_cap;
    uint8_t *deletes; /* by row */
    size_t deletes_cap;
};

struct worker { struct dp_shred *shred; struct dp_buf key; };

/* ---- keys and sequences ---- */

bool merge_key(const struct merge *m, const struct dp_column *const *columns, int64_t row, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t i = 0; i < m->n_keys; i++) {
        const struct dp_column *c = columns[i];
        if (!dp_column_is_valid(c, row)) return false;
        if (c->offsets) {
            uint32_t n = (uint32_t)(c->offsets[row + 1] - c->offsets[row]);
            if (i + 1 < m->n_keys) dp_buf_add(out, &n, 4); /* the last one ends with the key */
            dp_buf_add(out, c->data + c->offsets[row], n);
        } else if (c->type->id == DP_TYPE_BOOLEAN) {
            dp_buf_addc(out, (char)(c->data[row >> 3] >> (row & 7) & 1));
        } else {
            size_t w = dp_type_width(c->type);
            dp_buf_add(out, c->data + (size_t)row * w, w);
        }
    }
    return true;
}

static uint64_t flip(int64_t v) { return (uint64_t)v ^ UINT64_C(1) << 63; }

void merge_sequence(const struct dp_column *c, int64_t row, uint64_t out[2]) {
    out[0] = out[1] = 0;
    if (!dp_column_is_valid(c, row)) return;
    const uint8_t *p = c->data + (size_t)row * dp_type_width(c->type);
    int64_t v = 0;
    double d;
    float f;
    switch (c->type->id) {
    case DP_TYPE_DECIMAL:
        memcpy(&v, p + 8, 8), memcpy(&out[1], p, 8);
        out[0] = flip(v);
        return;
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
        if (c->type->id == DP_TYPE_FLOAT) memcpy(&f, p, 4), d = (double)f;
        else memcpy(&d, p, 8);
        memcpy(&out[0], &d, 8);
        out[0] = out[0] >> 63 ? ~out[0] : out[0] | UINT64_C(1) << 63;
        return;
    case DP_TYPE_INT8: v = (int8_t)*p; break;
    case DP_TYPE_INT16: { int16_t x; memcpy(&x, p, 2); v = x; break; }
    case DP_TYPE_INT32: case DP_TYPE_DATE: { int32_t x; memcpy(&x, p, 4); v = x; break; }
    default: memcpy(&v, p, 8);
    }
    out[0] = flip(v);
}

static bool is_sequence(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_DECIMAL: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
    case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP: return true;
    default: return false;
    }
}

/* ---- what is asked ---- */

static enum dp_status no_column(const struct merge *m, const char *option, struct dp_str name, struct dp_err *err) {
    return dp_type_no_child(m->schema, option, m->o->table, name, err);
}

static enum dp_status add_key(struct merge *m, const char *by, struct dp_str name, struct dp_err *err) {
    size_t i = 0;
    while (i < m->schema->n_children && !dp_str_eqz(name, m->schema->children[i]->name)) i++;
    if (i == m->schema->n_children) return no_column(m, by, name, err);
    const struct dp_type *t = m->schema->children[i];
    if (dp_type_is_nested(t) || t->id == DP_TYPE_NONE || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE || t->id == DP_TYPE_JSON)
        return dp_err_set(err, DP_USAGE, "%s: column %s is of a type that can't be a key", by, t->name);
    for (size_t k = 0; k < m->n_keys; k++)
        if (m->keys[k] == i) return dp_err_set(err, DP_USAGE, "%s: column %s is named twice", by, t->name);
    m->keys[m->n_keys++] = i;
    return DP_OK;
}

/* The contract that the table keeps: its primary key, and whether values may be shown. */
static enum dp_status read_contract(struct merge *m, const struct dp_delta_snapshot *s, bool wants_key, struct dp_err *err) {
    struct dp_contract c = {0};
    const struct dp_contract_object *o;
    struct dp_str text = dp_delta_property(s, "dp.contract", ""), name = dp_delta_property(s, "dp.contract.object", "");
    size_t index[64];
    if (!text.n) return wants_key ? dp_err_set(err, DP_USAGE, "--key is needed: %s keeps no contract with a primary key", m->o->table) : DP_OK;
    char *z = dp_strndup(name.p, name.n);
    enum dp_status status = dp_contract_parse(text, "dp.contract", &c, err);
    if (status == DP_OK) status = dp_contract_object(&c, name.n ? z : NULL, &o, err);
    if (status != DP_OK) goto out;
    for (size_t i = 0; i < o->n_properties; i++) m->run->hide_raw |= dp_contract_holds_classified(&o->properties[i]);
    size_t n = wants_key ? dp_contract_primary_key(o, index, 64) : 0;
    if (wants_key && !n) status = dp_err_set(err, DP_USAGE, "--key is needed: the contract of %s names no primary key", m->o->table);
    for (size_t i = 0; i < n && i < 64 && status == DP_OK; i++) status = add_key(m, "primary key of the contract", dp_str_z(o->properties[index[i]].name), err);
out:
    free(z);
    dp_contract_release(&c);
    return status;
}

static size_t add_control(struct merge *m, const char *name, enum dp_type_id id) {
    if (dp_type_child(m->schema, dp_str_z(name))) return SIZE_MAX;
    dp_type_add(m->in_schema, dp_type_new(id, dp_str_z(name)));
    return m->in_schema->n_children - 1;
}

static enum dp_status choose_sequence(struct merge *m, size_t version, struct dp_err *err) {
    const char *name = m->o->sequence;
    m->sequence = SIZE_MAX;
    if (!name) return DP_OK;
    size_t i = 0;
    while (i < m->schema->n_children && strcmp(m->schema->children[i]->name, name) != 0) i++;
    if (i == m->schema->n_children && version != SIZE_MAX && !strcmp(name, DP_DELTA_COMMIT_VERSION)) i = version;
    else if (i == m->schema->n_children) return no_column(m, "--sequence", dp_str_z(name), err);
    if (!is_sequence(m->in_schema->children[i]))
        return dp_err_set(err, DP_USAGE, "--sequence: column %s has no order of sequences: a number, a date or a timestamp is wanted", name);
    m->sequence = i;
    return DP_OK;
}

static enum dp_status prepare(struct merge *m, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    DP_TRY(dp_delta_open(m->o->table, -1, &s, err));
    enum dp_status status = DP_OK;
    m->schema = dp_delta_schema_unfit(s->schema);
    m->schema->nullable = false;
    m->keys = dp_calloc(m->schema->n_children + 1, sizeof *m->keys);
    for (struct dp_str rest = m->o->key ? dp_str_z(m->o->key) : DP_STR(""); rest.n && status == DP_OK;) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        status = add_key(m, "--key", dp_str(rest.p, n), err);
        rest = comma ? dp_str(comma + 1, rest.n - n - 1) : DP_STR("");
    }
    if (status == DP_OK) status = read_contract(m, s, m->n_keys == 0, err);
    if (status == DP_OK) status = dp_generated_open(s, m->schema, &m->generated, err);
    m->in_schema = dp_type_copy(m->schema);
    for (size_t i = 0; i < m->schema->n_children; i++) m->in_schema->children[i]->nullable = true; /* what must be there is judged behind the kind of record */
    m->change_type = add_control(m, DP_DELTA_CHANGE_TYPE, DP_TYPE_STRING);
    m->op = add_control(m, "op", DP_TYPE_STRING);
    size_t version = add_control(m, DP_DELTA_COMMIT_VERSION, DP_TYPE_INT64);
    add_control(m, DP_DELTA_COMMIT_TIMESTAMP, DP_TYPE_JSON);
    add_control(m, "pane", DP_TYPE_JSON); /* beside the op of dp-window(1) */
    if (status == DP_OK) status = choose_sequence(m, version, err);
    dp_dataset_about(dp_dataset_output(m->run, m->o->table), s);
    dp_delta_close(s);
    return status;
}

/* ---- one record, any thread ---- */

enum kind { PUT, DELETE, PASS, UNKNOWN };

static enum kind kind_of(const struct dp_column *c, int64_t row) {
    static const struct { const char *word; enum kind kind; } words[] = {
        {"insert", PUT}, {"update_postimage", PUT}, {"update", PUT}, {"update_after", PUT}, {"upsert", PUT}, {"c", PUT}, {"r", PUT}, {"u", PUT}, {"i", PUT},
        {"emit", PUT}, {"early", PUT},
        {"delete", DELETE}, {"d", DELETE}, {"retract", DELETE}, {"update_preimage", PASS}, {"update_before", PASS}};
    struct dp_str s = dp_str((const char *)c->data + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row]));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (s.n == strlen(words[i].word) && strncasecmp(s.p, words[i].word, s.n) == 0) return words[i].kind; /* "D" is what some write */
    return UNKNOWN;
}

/* What is wrong with the last row; NULL: nothing. */
static const char *judge_row(const struct merge *m, const struct dp_batch *b, enum kind kind, const char **path, const char **rule) {
    int64_t row = b->length - 1;
    *rule = "required";
    for (size_t i = 0; i < m->n_keys; i++)
        if (!dp_column_is_valid(&b->columns[m->keys[i]], row)) return *path = m->schema->children[m->keys[i]]->name, "a key must have a value";
    if (m->sequence != SIZE_MAX && !dp_column_is_valid(&b->columns[m->sequence], row))
        return *path = m->in_schema->children[m->sequence]->name, "the sequence must have a value";
    for (size_t i = 0; kind == PUT && i < m->schema->n_children; i++)
        if (!m->schema->children[i]->nullable && !dp_column_is_valid(&b->columns[i], row) && !dp_generated_makes(m->generated, dp_str_z(m->schema->children[i]->name)))
            return *path = m->schema->children[i]->name, "it must have a value";
    return NULL;
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct merge *m = ctx;
    struct job *x = j->mem;
    (void)err;
    if (!x->rows.schema) dp_batch_init(&x->rows, m->in_schema);
    dp_batch_reset(&x->rows);
    return DP_OK;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct merge *m = ctx;
    struct job *x = j->mem;
    struct worker *w = j->worker_mem;
    struct dp_shred_reject why;
    const char *path = "", *rule;
    if (!w->shred) w->shred = dp_shred_open(m->in_schema, true);
    enum dp_status status = dp_shred_record(w->shred, r, &x->rows, &why);
    if (status == DP_LIMIT) return dp_err_set(err, DP_LIMIT, "records of a chunk are larger than 2 GiB in columns");
    if (status != DP_OK) {
        bool hide = m->run->hide_raw && !m->run->rejects_clear && strcmp(why.rule, "required") != 0;
        dp_job_reject(j, r, why.rule, why.path, why.expected, hide ? "expected %s" : "%s", hide ? why.expected : why.reason);
        return DP_OK;
    }
    int64_t row = x->rows.length - 1;
    size_t says = m->change_type != SIZE_MAX && dp_column_is_valid(&x->rows.columns[m->change_type], row) ? m->change_type : m->op;
    enum kind kind = says != SIZE_MAX && dp_column_is_valid(&x->rows.columns[says], row) ? kind_of(&x->rows.columns[says], row) : PUT;
    const char *reason = kind == UNKNOWN || kind == PASS ? NULL : judge_row(m, &x->rows, kind, &path, &rule);
    const char *missing = kind == PUT && !reason ? dp_generated_missing(m->generated, r) : NULL;
    if (missing) path = missing, rule = "required", reason = "the table has a default for it, which is not made here";
    if (kind == PUT || kind == DELETE) {
        if (!reason) {
            x->deletes = dp_grow(x->deletes, &x->deletes_cap, (size_t)row + 1, 1);
            x->deletes[row] = kind == DELETE;
            dp_job_use(j);
            return DP_OK;
        }
        dp_job_reject(j, r, rule, path, "a value", "%s", reason);
    } else if (kind == PASS) {
        dp_job_filter(j);
    } else {
        dp_job_reject(j, r, "op", m->in_schema->children[says]->name, "insert, update or delete", "it says neither insert nor update nor delete");
    }
    dp_batch_drop_last(&x->rows);
    return DP_OK;
}

static enum dp_status on_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct merge *m = ctx;
    struct job *x = j->mem;
    struct worker *w = j->worker_mem;
    size_t n = (size_t)x->rows.length;
    struct dp_batch rows = {.schema = m->schema, .length = x->rows.length, .columns = x->rows.columns, .n_columns = m->schema->n_children};
    DP_TRY(dp_generated_fill(m->generated, &rows, err));
    const struct dp_column **columns = dp_calloc(m->n_keys + 1, sizeof *columns);
    x->entries = dp_grow(x->entries, &x->entries_cap, n + 1, sizeof *x->entries);
    x->keys = dp_grow(x->keys, &x->keys_cap, n + 1, sizeof *x->keys);
    for (size_t i = 0; i < m->n_keys; i++) columns[i] = &x->rows.columns[m->keys[i]];
    for (size_t i = 0; i < n; i++) {
        struct merge_entry *e = &x->entries[i];
        (void)merge_key(m, columns, (int64_t)i, &w->key);
        x->keys[i] = dp_keyset_key(m->hasher, dp_buf_str(&w->key));
        *e = (struct merge_entry){.key = {x->keys[i].w[0], x->keys[i].w[1]}};
        if (m->sequence != SIZE_MAX) merge_sequence(&x->rows.columns[m->sequence], (int64_t)i, e->seq);
    }
    free(columns);
    return DP_OK;
}

/* ---- in order ---- */

/* The least and the greatest of each key that has bounds, by which files of the table are passed over. */
static void see_bounds(struct merge *m, const struct dp_batch *rows) {
    struct dp_batch next;
    dp_batch_init(&next, m->schema);
    for (size_t side = 0; side < 2; side++)
        for (size_t c = 0; c < m->schema->n_children; c++) {
            size_t k = 0;
            while (k < m->n_keys && m->keys[k] != c) k++;
            if (k == m->n_keys || !merge_has_bounds(m->schema->children[c])) {
                dp_column_append_null(&next.columns[c]);
                continue;
            }
            struct dp_lay_sort_key by = {c, false};
            const struct dp_lay_sort order = {.keys = &by, .n = 1};
            const struct dp_batch *from = m->has_bounds ? &m->bounds : rows;
            int64_t at = m->has_bounds ? (int64_t)side : 0;
            for (int64_t i = 0; i < rows->length; i++) {
                int d = dp_lay_sort_cmp(&order, rows, i, from, at);
                if (side ? d > 0 : d < 0) from = rows, at = i;
            }
            dp_column_append(&next.columns[c], &from->columns[c], at, 1);
        }
    next.length = 2;
    if (m->has_bounds) dp_batch_release(&m->bounds);
    m->bounds = next;
    m->has_bounds = true;
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct merge *m = ctx;
    struct job *x = j->mem;
    size_t n = (size_t)x->rows.length;
    if (!n) return DP_OK;
    struct dp_batch rows = {.schema = m->schema, .length = x->rows.length, .columns = x->rows.columns, .n_columns = m->schema->n_children};
    m->extents = dp_grow(m->extents, &m->extents_cap, m->n_extents + 1, sizeof *m->extents);
    DP_TRY(dp_lay_store_put(&m->store, &rows, &m->extents[m->n_extents], err));
    m->n_extents++;
    for (size_t i = 0; i < n; i++) x->entries[i].where = (m->n + i) << 1 | (x->deletes[i] ? DELETES : 0);
    DP_TRY(merge_sort_add(&m->entries, x->entries, n, err));
    m->seen = dp_grow(m->seen, &m->seen_cap, n, sizeof *m->seen);
    DP_TRY(dp_keyset_add(m->set, x->keys, n, m->seen, err));
    see_bounds(m, &rows);
    m->n += n;
    m->covered = false;
    return DP_OK;
}

static void on_worker_close(void *ctx, void *worker_mem) {
    struct worker *w = worker_mem;
    (void)ctx;
    dp_shred_close(w->shred);
    dp_buf_release(&w->key);
}

static void on_job_close(void *ctx, void *job_mem) {
    struct job *x = job_mem;
    (void)ctx;
    if (x->rows.schema) dp_batch_release(&x->rows);
    free(x->entries), free(x->keys), free(x->deletes);
}

/* ---- batches ---- */

static void begin_batch(struct merge *m) {
    uint64_t share = m->run->memory / 10;
    m->set = dp_keyset_open(share);
    merge_sort_open(&m->entries, share);
    m->store = (struct dp_lay_store){.memory = (size_t)share};
}

static void end_batch(struct merge *m) {
    merge_sort_release(&m->entries);
    dp_keyset_close(m->set);
    dp_lay_store_close(&m->store);
    if (m->has_bounds) dp_batch_release(&m->bounds);
    m->has_bounds = false;
    m->n_extents = 0;
    m->n = 0;
    commit_batch_forget(&m->batch);
}

static enum dp_status apply(struct merge *m, struct dp_err *err) {
    if (!m->run->now_fixed) m->batch.now_ms = dp_time_now_micros() / 1000;
    if (!m->n && !m->batch.n_txns) return dp_err_set(err, DP_EMPTY, "no records came");
    m->side = *m->run;
    m->side.tick = NULL; /* which is for the run itself */
    if (m->pool) m->side.pool = m->pool;
    DP_TRY(merge_apply(m, err));
    if (m->out->result == DP_MERGE_DONE) {
        const struct dp_edited *d = &m->out->edited;
        m->batch.seen_version = m->out->version, m->out->commits++;
        dp_dataset_version(m->output, m->out->version);
        dp_dataset_count(m->output, (uint64_t)(d->updated + d->inserted), d->bytes_added, d->files_added);
    }
    return DP_OK;
}

/* Everything before here is covered by positions, and it is time: a commit of its own. */
static enum dp_status apply_part(struct merge *m, struct dp_err *err) {
    int64_t now = dp_time_monotonic_ms();
    if (!m->o->in_parts || !m->covered || !m->batch.n_txns || now < m->next_part) return DP_OK;
    enum dp_status status = apply(m, err);
    if (status == DP_OK && m->out->result != DP_MERGE_ALREADY && m->o->each) status = m->o->each(m->o->each_ctx, m->out, err);
    end_batch(m);
    begin_batch(m);
    m->next_part = now + m->o->commit_every;
    return status;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct merge *m = ctx;
    (void)err;
    commit_batch_begin(&m->batch, begin);
    return DP_OK;
}

/* Each column from the records' and, of rows that none replaces, from itself; keys, sequence and what says delete decide which. */
static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    const struct merge *m = ctx;
    const char *table = m->o->table;
    size_t n = m->schema->n_children, n_all = 0;
    struct dp_lineage_made *made = dp_calloc(n + 1, sizeof *made);
    struct dp_lineage_on *on = dp_calloc(2 * n + 1, sizeof *on), *all = dp_calloc(2 * m->n_keys + 4, sizeof *all);
    (void)err;
    for (size_t i = 0; i < n; i++) {
        struct dp_str name = dp_str(m->schema->children[i]->name, m->schema->children[i]->name_n);
        bool comes = !begin->schema || dp_type_child(begin->schema, name);
        size_t k = 0;
        made[i] = (struct dp_lineage_made){.name = name, .what = "merged", .on = on + 2 * i};
        if (comes) on[2 * i + k++] = (struct dp_lineage_on){name, NULL, DP_HOW_IDENTITY};
        on[2 * i + k++] = (struct dp_lineage_on){name, table, DP_HOW_IDENTITY};
        made[i].n = k;
    }
    for (size_t i = 0; i < m->n_keys; i++) {
        struct dp_str name = dp_str(m->schema->children[m->keys[i]]->name, m->schema->children[m->keys[i]]->name_n);
        all[n_all++] = (struct dp_lineage_on){name, NULL, DP_HOW_JOIN};
        all[n_all++] = (struct dp_lineage_on){name, table, DP_HOW_JOIN};
    }
    const size_t words[] = {m->change_type, m->op, m->sequence};
    for (size_t i = 0; i < 3; i++) {
        const struct dp_type *t = words[i] != SIZE_MAX && words[i] < m->in_schema->n_children ? m->in_schema->children[words[i]] : NULL;
        if (t && (words[i] == m->sequence || (begin->schema && dp_type_child(begin->schema, dp_str(t->name, t->name_n)))))
            all[n_all++] = (struct dp_lineage_on){dp_str(t->name, t->name_n), NULL, DP_HOW_FILTER};
    }
    dp_lineage_all(begin, all, n_all); /* in the records' words */
    dp_lineage_make(begin, "dp-table", made, n, true);
    dp_datasets_origin(begin, table, table, NULL);
    dp_dataset_header(m->output, begin);
    free(made), free(on), free(all);
    return DP_OK;
}

static enum dp_status on_mark(void *ctx, const struct dp_mark *mark, bool *pass, struct dp_err *err) {
    struct merge *m = ctx;
    *pass = false;
    if (mark->kind == DP_MARK_CHECKPOINT) {
        DP_TRY(commit_batch_position(&m->batch, mark, err));
        m->covered = !mark->more;
    }
    return apply_part(m, err);
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct merge *m = ctx;
    (void)err;
    commit_batch_end(&m->batch, dp_stream_end(dp_stream_of(m->run)));
    return DP_OK;
}

static enum dp_status apply_rest(struct merge *m, struct dp_err *err) {
    m->out->has_rest = true;
    DP_TRY(commit_batch_name(&m->batch, m->o->txn, m->n > 0, err));
    bool had_parts = m->out->commits > 0;
    enum dp_status status = apply(m, err);
    if (status != DP_EMPTY || !had_parts) return status;
    m->out->has_rest = false;
    return DP_OK;
}

enum dp_status dp_merge_stream(struct dp_run *run, const char *const *sources, size_t n, const struct dp_merge_opts *o, struct dp_merged *out, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .job_size = sizeof(struct job), .worker_close = on_worker_close,
        .job_close = on_job_close, .chunk_begin = on_chunk, .record = on_record, .chunk_end = on_chunk_end, .emit = on_emit, .begin = on_begin, .header = on_header, .mark = on_mark,
        .finish = on_finish};
    struct merge m = {.run = run, .o = o, .out = out, .batch = {.run = run, .now_ms = run->now_micros / 1000, .seen_version = -1}};
    bool is_pipe = n == 0 || (n == 1 && !strcmp(sources[0], "-"));
    const struct dp_stream_conf conf = {.decides = true, .sink = true, .strict = is_pipe && !o->eof_commits};
    *out = (struct dp_merged){.version = -1};
    enum dp_status status = prepare(&m, err);
    (void)dp_dataset_input(run, o->table);
    m.output = dp_dataset_output(run, o->table);
    dp_dataset_schema(m.output, m.schema);
    dp_dataset_storage(m.output, "delta", "parquet");
    m.hasher = dp_keyset_open(1 << 20);
    begin_batch(&m);
    m.next_part = dp_time_monotonic_ms() + o->commit_every;
    if (o->in_parts) m.pool = dp_pool_open(run->threads);
    if (status == DP_OK) status = dp_stream_run(run, sources, n, &conf, &ops, &m, err);
    if (status == DP_OK) status = apply_rest(&m, err);
    end_batch(&m);
    dp_keyset_close(m.hasher);
    dp_pool_close(m.pool);
    dp_generated_close(m.generated);
    commit_batch_release(&m.batch);
    dp_type_free(m.schema);
    dp_type_free(m.in_schema);
    free(m.keys), free(m.extents), free(m.seen);
    return status;
}

/*
 * A merge decided and published (dp/io/merge.h): the key columns of the table are read on all threads, rows whose key came in a record go to a sort of their
 * own, and both sorts are walked side by side, key by key.  What loses its row is rewritten by edit_rewrite; records that count go to new files.
 */
#include "merge_priv.h"

#include <pthread.h>
#include <stdlib.h>

enum { READ_ROWS = 4096, HAND_OVER = 4096 };
#define ROW_BITS 40 /* of a row's place; above them the file's number */

struct file { const struct dp_delta_file *action; int64_t rows; size_t slot; /* of edit->files + 1 */ };

struct worker {
    bool is_open;
    struct dp_batch rows;
    struct dp_buf key;
    struct dp_key *keys;
    int64_t *row;
    bool *has;
    size_t keys_cap, row_cap, has_cap;
    struct merge_entry *found;
    size_t n_found, found_cap;
};

struct apply {
    struct merge *m;
    struct edit *e;
    struct dp_expr *where;       /* bounds of the keys */
    struct dp_delta_scan *scan;
    const char **columns;        /* keys, and the sequence where the table has it */
    size_t n_columns;
    size_t sequence;             /* of the scan; SIZE_MAX: none */
    struct file *files;
    size_t n_files, files_cap;
    struct merge_sort rows;      /* of the table, whose keys came */
    struct merge_sort ids;       /* of rows that are replaced, by the number of the record that does it (key[0]); where the table keeps ids */
    int64_t id;                  /* of the first row with the key at hand */
    pthread_mutex_t lock;        /* of `rows` */
    struct worker *workers;
    unsigned n_workers;
    uint8_t *wins, *matched;     /* by record: it becomes a row; and its key was there */
    uint64_t updated, inserted, deleted;
    struct merge_entry *group;   /* rows of one key */
    size_t n_group, group_cap;
};

struct job { struct dp_delta_task *task; size_t file; };

/* ---- the table's rows ---- */

bool merge_has_bounds(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_DATE: case DP_TYPE_STRING: return true;
    default: return false;
    }
}

static enum dp_status make_where(struct apply *a, struct dp_err *err) {
    const struct merge *m = a->m;
    struct dp_buf text = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < m->n_keys; i++) {
        const struct dp_column *c = &m->bounds.columns[m->keys[i]];
        if (!merge_has_bounds(c->type)) continue;
        if (c->type->id == DP_TYPE_STRING && c->offsets[2] > 2048) continue;
        for (int64_t side = 0; side < 2; side++) {
            if (text.n) dp_buf_addz(&text, " and ");
            dp_buf_addc(&text, '.');
            dp_json_add_string(&text, dp_str_z(c->type->name));
            dp_buf_addz(&text, side ? " <= " : " >= ");
            dp_column_print(c, side, NULL, &text);
        }
    }
    if (text.n) status = dp_expr_compile(dp_buf_str(&text), &a->where, err);
    dp_buf_release(&text);
    return status;
}

static void choose_columns(struct apply *a) {
    const struct merge *m = a->m;
    a->columns = dp_calloc(m->n_keys + 1, sizeof *a->columns);
    a->sequence = SIZE_MAX;
    for (size_t i = 0; i < m->n_keys; i++) {
        a->columns[a->n_columns++] = m->schema->children[m->keys[i]]->name;
        if (m->keys[i] == m->sequence) a->sequence = i;
    }
    if (m->sequence < m->schema->n_children && a->sequence == SIZE_MAX) {
        a->sequence = a->n_columns;
        a->columns[a->n_columns++] = m->schema->children[m->sequence]->name;
    }
}

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct apply *a = ctx;
    struct job *j = job;
    if (dp_run_stopped(&a->m->side, err)) return DP_SIGNALLED;
    DP_TRY(dp_delta_scan_next(a->scan, &j->task, err));
    const struct dp_delta_file *action = dp_delta_task_action(j->task);
    if (!a->n_files || a->files[a->n_files - 1].action != action) {
        int64_t rows = edit_file_rows(j->task);
        if (rows >> ROW_BITS || a->n_files >> (63 - ROW_BITS)) return dp_err_set(err, DP_LIMIT, "%s: too many files or rows", a->m->o->table);
        a->files = dp_grow(a->files, &a->files_cap, a->n_files + 1, sizeof *a->files);
        a->files[a->n_files++] = (struct file){.action = action, .rows = rows};
    }
    j->file = a->n_files - 1;
    return DP_OK;
}

static enum dp_status hand_over(struct apply *a, struct worker *w, struct dp_err *err) {
    pthread_mutex_lock(&a->lock);
    enum dp_status status = merge_sort_add(&a->rows, w->found, w->n_found, err);
    pthread_mutex_unlock(&a->lock);
    w->n_found = 0;
    return status;
}

/* Rows of a batch whose key came. */
static enum dp_status look(struct apply *a, struct worker *w, const struct dp_delta_read *read, size_t file, struct dp_err *err) {
    size_t n = 0, rows = (size_t)w->rows.length;
    const struct dp_column **columns = dp_calloc(a->m->n_keys + 1, sizeof *columns);
    for (size_t i = 0; i < a->m->n_keys; i++) columns[i] = &w->rows.columns[i];
    w->keys = dp_grow(w->keys, &w->keys_cap, rows, sizeof *w->keys);
    w->row = dp_grow(w->row, &w->row_cap, rows, sizeof *w->row);
    w->has = dp_grow(w->has, &w->has_cap, rows, sizeof *w->has);
    for (size_t i = 0; i < rows; i++) {
        if (!merge_key(a->m, columns, (int64_t)i, &w->key)) continue;
        w->keys[n] = dp_keyset_key(a->m->hasher, dp_buf_str(&w->key));
        w->row[n++] = (int64_t)i;
    }
    free(columns);
    DP_TRY(dp_keyset_find(a->m->set, w->keys, n, w->has, err));
    for (size_t i = 0; i < n; i++) {
        if (!w->has[i]) continue;
        w->found = dp_grow(w->found, &w->found_cap, w->n_found + 1, sizeof *w->found);
        struct merge_entry *e = &w->found[w->n_found++];
        *e = (struct merge_entry){.key = {w->keys[i].w[0], w->keys[i].w[1]}, .where = (uint64_t)file << ROW_BITS | (uint64_t)dp_delta_read_row(read, w->row[i])};
        if (a->e->keeps_ids) memcpy(&e->id, w->rows.columns[a->n_columns].data + 8 * w->row[i], 8);
        if (a->sequence != SIZE_MAX) merge_sequence(&w->rows.columns[a->sequence], w->row[i], e->seq);
    }
    return w->n_found >= HAND_OVER ? hand_over(a, w, err) : DP_OK;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct apply *a = ctx;
    struct job *j = job;
    struct worker *w = &a->workers[worker];
    struct dp_delta_read *read = NULL;
    DP_TRY(dp_delta_read_open(j->task, &read, err));
    if (!w->is_open) dp_batch_init(&w->rows, dp_delta_scan_schema(a->scan)), w->is_open = true;
    enum dp_status status;
    while ((status = dp_delta_read_next(read, READ_ROWS, &w->rows, err)) == DP_OK)
        if (w->rows.length && (status = look(a, w, read, j->file, err)) != DP_OK) break;
    dp_delta_read_close(read);
    return status == DP_END ? hand_over(a, w, err) : status;
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct apply *a = ctx;
    struct job *j = job;
    (void)err;
    if (a->m->side.tick) a->m->side.tick(&a->m->side);
    dp_delta_task_release(j->task);
    j->task = NULL;
    return DP_OK;
}

static void release_job(void *ctx, void *job) {
    (void)ctx;
    dp_delta_task_release(((struct job *)job)->task);
}

static enum dp_status scan_table(struct apply *a, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release_job};
    merge_sort_open(&a->rows, a->m->side.memory / 10);
    if (!a->m->n) return DP_OK;
    DP_TRY(make_where(a, err));
    choose_columns(a);
    if (a->e->keeps_ids) merge_sort_open(&a->ids, a->m->side.memory / 20);
    DP_TRY(dp_delta_scan_open(a->e->s, a->columns, a->n_columns, a->where, &a->scan, err));
    if (a->e->keeps_ids) DP_TRY(dp_delta_scan_row_ids(a->scan, err));
    dp_delta_scan_bound(a->scan, a->m->side.memory / 4 / (a->n_workers ? a->n_workers : 1));
    DP_TRY(dp_pool_run(a->m->side.pool, &ops, a, err));
    a->e->counts->files_skipped = dp_delta_scan_counts(a->scan).files_skipped;
    return DP_OK;
}

/* ---- key by key ---- */

static int key_cmp(const struct merge_entry *a, const struct merge_entry *b) {
    for (int i = 0; i < 2; i++)
        if (a->key[i] != b->key[i]) return a->key[i] < b->key[i] ? -1 : 1;
    return 0;
}
static bool is_later(const struct merge_entry *a, const struct merge_entry *b) {
    return a->seq[0] != b->seq[0] ? a->seq[0] > b->seq[0] : a->seq[1] > b->seq[1];
}

static void take_row(struct apply *a, const struct merge_entry *row, bool is_delete) {
    struct file *f = &a->files[row->where >> ROW_BITS];
    int64_t at = (int64_t)(row->where & ((UINT64_C(1) << ROW_BITS) - 1));
    if (!f->slot) {
        (void)edit_hits(a->e, f->action, f->rows);
        f->slot = a->e->n_files;
        a->e->files[f->slot - 1].number = (size_t)(f - a->files);
    }
    struct edit_file *x = &a->e->files[f->slot - 1];
    dp_delta_deleted_add(&x->hits, at);
    if (!is_delete) return;
    a->deleted++;
    if (!x->gone.bits) dp_delta_deleted_open(&x->gone, f->rows);
    dp_delta_deleted_add(&x->gone, at);
}

/* The record that counts of one key, against the rows that have it. */
static enum dp_status decide(struct apply *a, const struct merge_entry *record, struct dp_err *err) {
    uint64_t n = record->where >> 1;
    bool is_delete = record->where & 1;
    if (a->sequence != SIZE_MAX) {
        for (size_t i = 0; i < a->n_group; i++)
            if (is_later(&a->group[i], record)) {
                a->m->out->stale++;
                return DP_OK;
            }
        for (size_t i = 0; i < a->n_group; i++) take_row(a, &a->group[i], is_delete);
    }
    if (is_delete) {
        a->m->out->unmatched += a->n_group == 0;
        return DP_OK;
    }
    a->wins[n >> 3] |= (uint8_t)(1u << (n & 7));
    if (a->n_group) a->matched[n >> 3] |= (uint8_t)(1u << (n & 7));
    if (a->n_group) a->updated++, a->m->out->collapsed += a->n_group - 1;
    else a->inserted++;
    const struct merge_entry id = {.key = {n}, .id = a->id};
    return a->n_group && a->e->keeps_ids ? merge_sort_add(&a->ids, &id, 1, err) : DP_OK;
}

/* One row of those with the record's key: without a sequence it goes at once, else all of them have a say first. */
static void take_match(struct apply *a, const struct merge_entry *row, const struct merge_entry *record) {
    if (!a->n_group) a->id = row->id;
    if (a->sequence == SIZE_MAX) {
        take_row(a, row, record->where & 1);
    } else {
        a->group = dp_grow(a->group, &a->group_cap, a->n_group + 1, sizeof *a->group);
        a->group[a->n_group] = *row;
    }
    a->n_group++;
}

static enum dp_status decide_all(struct apply *a, struct dp_err *err) {
    struct merge *m = a->m;
    struct merge_entry record, next, row;
    bool more, more_rows;
    m->out->records = m->n, m->out->superseded = m->out->stale = m->out->unmatched = m->out->collapsed = 0;
    a->wins = dp_calloc((size_t)(m->n / 8) + 1, 1);
    a->matched = dp_calloc((size_t)(m->n / 8) + 1, 1);
    DP_TRY(merge_sort_begin(&m->entries, err));
    DP_TRY(merge_sort_begin(&a->rows, err));
    DP_TRY(merge_sort_next(&m->entries, &record, &more, err));
    DP_TRY(merge_sort_next(&a->rows, &row, &more_rows, err));
    while (more) {
        for (;;) { /* the last one of a key counts */
            DP_TRY(merge_sort_next(&m->entries, &next, &more, err));
            if (!more || key_cmp(&next, &record) != 0) break;
            record = next;
            m->out->superseded++;
        }
        for (a->n_group = 0; more_rows && key_cmp(&row, &record) <= 0;) {
            if (key_cmp(&row, &record) == 0) take_match(a, &row, &record);
            DP_TRY(merge_sort_next(&a->rows, &row, &more_rows, err));
        }
        DP_TRY(decide(a, &record, err));
        record = next;
    }
    edit_sort(a->e);
    return DP_OK;
}

/* ---- new rows ---- */

static bool bit(const uint8_t *bits, uint64_t i) { return bits[i >> 3] >> (i & 7) & 1; }

/* The id of the row that a record replaces, asked for in the order of the records. */
static enum dp_status id_of(struct apply *a, uint64_t record, int64_t *id, struct dp_err *err) {
    struct merge_entry e = {.id = -1};
    bool more = false;
    *id = -1;
    if (!a->e->keeps_ids || !bit(a->matched, record)) return DP_OK;
    DP_TRY(merge_sort_next(&a->ids, &e, &more, err));
    if (!more || e.key[0] != record) return dp_err_set(err, DP_BUG, "%s: the id of a row that is replaced got lost", a->m->o->table);
    *id = e.id;
    return DP_OK;
}

static enum dp_status insert_rows(struct apply *a, struct dp_err *err) {
    struct merge *m = a->m;
    struct dp_batch view;
    uint32_t *rows = NULL;
    uint8_t *types = NULL;
    int64_t *ids = NULL;
    size_t rows_cap = 0, types_cap = 0, ids_cap = 0;
    uint64_t first = 0;
    enum dp_status status = a->e->keeps_ids && m->n ? merge_sort_begin(&a->ids, err) : DP_OK;
    dp_batch_init(&view, m->schema);
    for (size_t x = 0; x < m->n_extents && status == DP_OK; x++) {
        size_t n = 0;
        if (dp_run_stopped(&m->side, err)) {
            status = DP_SIGNALLED;
            break;
        }
        status = dp_lay_store_view(&m->store, &m->extents[x], &view, NULL, err);
        if (status != DP_OK) break;
        rows = dp_grow(rows, &rows_cap, (size_t)view.length + 1, sizeof *rows);
        types = dp_grow(types, &types_cap, (size_t)view.length + 1, 1);
        ids = dp_grow(ids, &ids_cap, (size_t)view.length + 1, sizeof *ids);
        for (int64_t i = 0; i < view.length && status == DP_OK; i++) {
            if (!bit(a->wins, first + (uint64_t)i)) continue;
            status = id_of(a, first + (uint64_t)i, &ids[n], err);
            types[n] = bit(a->matched, first + (uint64_t)i) ? EDIT_AFTER : EDIT_INSERT;
            rows[n++] = (uint32_t)i;
        }
        if (status != DP_OK) break;
        first += (uint64_t)view.length;
        dp_batch_reset(&a->e->rows.rows);
        struct dp_batch to = edit_columns(a->e, &a->e->rows.rows);
        dp_batch_gather(&to, &view, rows, n);
        a->e->rows.rows.length = to.length;
        status = edit_insert(a->e, types, ids, err);
    }
    dp_batch_release(&view);
    free(rows);
    free(types);
    free(ids);
    return status;
}

/* ---- the commit ---- */

static void print_parameters(const struct apply *a, struct dp_buf *out) {
    struct dp_buf predicate = {0};
    for (size_t i = 0; i < a->m->n_keys; i++) {
        const char *name = a->m->schema->children[a->m->keys[i]]->name;
        dp_buf_addf(&predicate, "%s(t.`%s` = s.`%s`)", i ? " AND " : "", name, name);
    }
    dp_buf_addz(out, "{\"predicate\":");
    dp_json_add_string(out, dp_buf_str(&predicate));
    dp_buf_addz(out, ",\"matchedPredicates\":\"[{\\\"actionType\\\":\\\"delete\\\"},{\\\"actionType\\\":\\\"update\\\"}]\","
                     "\"notMatchedPredicates\":\"[{\\\"actionType\\\":\\\"insert\\\"}]\",\"notMatchedBySourcePredicates\":\"[]\"}");
    dp_buf_release(&predicate);
}

static void print_metrics(void *ctx, const struct dp_edited *c, struct dp_buf *out) {
    const struct apply *a = ctx;
    dp_buf_addf(out, ",\"numSourceRows\":\"%llu\",\"numTargetRowsInserted\":\"%llu\",\"numTargetRowsUpdated\":\"%llu\",\"numTargetRowsDeleted\":\"%llu\"",
                (unsigned long long)a->m->n, (unsigned long long)a->inserted, (unsigned long long)a->updated, (unsigned long long)a->deleted);
    dp_buf_addf(out, ",\"numTargetRowsCopied\":\"%lld\",\"numTargetFilesAdded\":\"%llu\",\"numTargetFilesRemoved\":\"%llu\"", (long long)c->copied,
                (unsigned long long)c->files_added, (unsigned long long)c->files_removed);
    dp_buf_addf(out, ",\"numTargetChangeFilesAdded\":\"%llu\",\"numTargetDeletionVectorsAdded\":\"%llu\"", (unsigned long long)c->change_files,
                (unsigned long long)c->vectors);
}

static enum dp_status publish(struct apply *a, struct dp_err *err) {
    struct merge *m = a->m;
    struct dp_buf parameters = {0}, extra = {0};
    struct dp_delta_change c = {.reads = !m->n ? DP_DELTA_READ_NOTHING : a->where ? DP_DELTA_READ_WHERE : DP_DELTA_READ_TABLE, .where = a->where,
                                .keeps_row_ids = true,
                                .operation = "MERGE", .txns = m->batch.txns, .n_txns = m->batch.n_txns,
                                .rows = (int64_t)(a->updated + a->inserted) + a->e->counts->copied};
    print_parameters(a, &parameters);
    commit_batch_print(&m->batch, &extra);
    c.parameters = dp_buf_z(&parameters);
    c.extra = dp_buf_z(&extra);
    enum dp_status status = edit_publish(a->e, &c, print_metrics, a, &m->out->version, err);
    if (status == DP_OK) m->out->result = DP_MERGE_DONE, m->out->edited.version = m->out->version;
    dp_buf_release(&parameters);
    dp_buf_release(&extra);
    return status;
}

/* *go: the batch is new. */
static enum dp_status judge(struct apply *a, bool *go, struct dp_err *err) {
    struct merge *m = a->m;
    enum dp_delta_batch verdict;
    size_t which = 0;
    int64_t have = 0;
    *go = true;
    if (!m->batch.n_txns) return DP_OK;
    DP_TRY(dp_delta_judge(a->e->s, m->batch.txns, m->batch.n_txns, m->batch.seen_version, m->batch.now_ms, &verdict, &which, &have, err));
    if (verdict == DP_DELTA_BATCH_NEW) return DP_OK;
    *go = false;
    if (verdict == DP_DELTA_BATCH_OLDER)
        return dp_err_set(err, DP_RULE, "%s: batch %.*s:%lld is older than the table's %lld%s", m->o->table, DP_STR_FMT(m->batch.txns[which].app_id),
                          (long long)m->batch.txns[which].version, (long long)have, m->o->txn ? "" : " (--since, where the stream begins, goes on from there)");
    if (!m->n && !m->o->txn) return dp_err_set(err, DP_EMPTY, "nothing new");
    m->out->result = DP_MERGE_ALREADY;
    return dp_delta_txn_commit(m->o->table, m->batch.txns[0].app_id, m->batch.txns[0].version, a->e->s->version, &m->out->version, err);
}

static enum dp_status attempt(struct apply *a, struct dp_err *err) {
    struct merge *m = a->m;
    bool go;
    DP_TRY(edit_open(&m->side, m->o->table, &m->out->edited, &a->e, err));
    if (!dp_type_equal(a->e->schema, m->schema)) return dp_err_set(err, DP_SCHEMA, "%s: another commit changed the schema meanwhile", m->o->table);
    DP_TRY(judge(a, &go, err));
    if (!go) return DP_OK;
    DP_TRY(scan_table(a, err));
    DP_TRY(decide_all(a, err));
    const struct edit_plan plan = {.type = EDIT_BEFORE, .has_others = a->e->n_files && a->updated + a->inserted > 0};
    DP_TRY(edit_rewrite(a->e, &plan, err));
    struct dp_edited *done = &m->out->edited;
    done->updated = (int64_t)a->updated, done->inserted = (int64_t)a->inserted, done->deleted = (int64_t)a->deleted;
    bool changes = a->updated || a->inserted || a->deleted;
    if (m->side.dry_run || (!changes && !m->batch.n_txns)) {
        m->out->result = m->side.dry_run ? DP_MERGE_DRY : DP_MERGE_NOTHING;
        return DP_OK;
    }
    DP_TRY(insert_rows(a, err));
    return publish(a, err);
}

static void forget(struct apply *a) {
    for (unsigned i = 0; i < a->n_workers; i++) {
        struct worker *w = &a->workers[i];
        if (w->is_open) dp_batch_release(&w->rows);
        dp_buf_release(&w->key);
        free(w->keys), free(w->row), free(w->has), free(w->found);
    }
    merge_sort_release(&a->rows);
    merge_sort_release(&a->ids);
    dp_delta_scan_close(a->scan);
    edit_close(a->e);
    dp_expr_free(a->where);
    pthread_mutex_destroy(&a->lock);
    free(a->workers), free(a->columns), free(a->files), free(a->wins), free(a->matched), free(a->group);
}

enum dp_status merge_apply(struct merge *m, struct dp_err *err) {
    enum dp_status status = DP_AGAIN;
    /* DP_END: a concurrent commit carries one of our transactions, which the next look at the table will judge. */
    for (unsigned tries = 0; (status == DP_AGAIN || status == DP_END) && tries < EDIT_TRIES; tries++) {
        struct apply a = {.m = m, .n_workers = dp_pool_threads(m->side.pool), .rows = {.fd = -1}, .ids = {.fd = -1}};
        a.workers = dp_calloc(a.n_workers + 1, sizeof *a.workers);
        pthread_mutex_init(&a.lock, NULL);
        status = attempt(&a, err);
        forget(&a);
    }
    return status == DP_END ? dp_err_set(err, DP_AGAIN, "%s: concurrent commits carry the same transactions", m->o->table) : status;
}

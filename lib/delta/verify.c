/*
 * Verification of a table (dp/delta/verify.h): first the log, then the live files, some thousand at a time on all threads, findings in the order of the log.
 * What it does not do: look at files that only older versions need, or at files that nothing names (vacuum does).
 */
#include "verify_priv.h"

#include <dp/delta/dv.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/parquet/reader.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BATCH 1024 /* files whose findings wait for their turn */

struct looked {
    const struct dp_delta_file *f;
    struct dp_buf path, found; /* a line for each finding */
    int64_t rows;
};

struct files {
    struct verify *v;
    const struct dp_delta_snapshot *s;
    struct looked *v_files;
    size_t n;
    uint64_t memory;  /* for each reader */
};

enum dp_status verify_found(struct verify *v, const char *what, struct dp_err *err, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->out->findings++;
    return v->o->found(v->o->ctx, what, text, err);
}

/* ---- one file, on any thread ---- */

static void check_partition_values(const struct files *w, struct looked *l) {
    const struct dp_delta_snapshot *s = w->s;
    struct dp_buf json = {0};
    for (size_t i = 0; i < s->partition_keys.n; i++) {
        const struct dp_delta_pair *p = dp_delta_pairs_get(&l->f->partition_values, s->partition_keys.v[i]);
        struct dp_err bad = DP_ERR_INIT;
        const struct dp_type *t = dp_type_child(s->physical, s->partition_keys.v[i]);
        dp_buf_reset(&json);
        if (t && dp_delta_partition_json(t, p ? p->value : DP_STR(""), !p || p->is_null, &json, &bad) != DP_OK)
            dp_buf_addf(&l->found, "partition column %.*s: %s\n", DP_STR_FMT(s->partition_keys.v[i]), bad.msg);
    }
    dp_buf_release(&json);
}

static void check_vector(const struct files *w, struct looked *l, int64_t said_rows) {
    struct dp_delta_deleted deleted = {0};
    struct dp_err bad = DP_ERR_INIT;
    if (said_rows < 0) dp_buf_addz(&l->found, "it has a deletion vector, and the log does not say how many rows it has\n");
    if (dp_delta_dv_read(w->s->table, &l->f->dv, l->rows, &deleted, &bad) != DP_OK) dp_buf_addf(&l->found, "deletion vector: %s\n", bad.msg);
    dp_delta_deleted_release(&deleted);
}

static void check_contents(const struct files *w, struct looked *l, const struct dp_pq_file *pq) {
    struct file_stats stats;
    struct dp_err bad = DP_ERR_INIT;
    bool broken = false;
    bool there = file_stats_open(l->f, &stats, &broken);
    l->rows = dp_pq_meta_rows(dp_pq_meta(pq));
    if (broken) dp_buf_addz(&l->found, "statistics: they are no JSON object\n");
    if (there && stats.rows >= 0 && stats.rows != l->rows)
        dp_buf_addf(&l->found, "it has %lld rows, the log says %lld\n", (long long)l->rows, (long long)stats.rows);
    if (l->f->dv.storage.p) check_vector(w, l, stats.rows);
    check_partition_values(w, l);
    if (!there) file_stats_close(&stats); /* rows are decoded all the same */
    if (w->v->o->deep) {
        int64_t decoded = 0;
        if (file_stats_against_rows(w->s, &stats, l->f, dp_buf_z(&l->path), w->memory, &decoded, &l->found, &bad) != DP_OK) dp_buf_addf(&l->found, "%s\n", bad.msg);
        else if (decoded != l->rows) dp_buf_addf(&l->found, "%lld rows can be read, the footer says %lld\n", (long long)decoded, (long long)l->rows);
    } else if (there) {
        file_stats_against_footer(w->s, &stats, pq, &l->found);
    }
    file_stats_close(&stats);
}

static enum dp_status check_file(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct files *w = ctx;
    struct looked *l = &w->v_files[i];
    struct dp_err bad = DP_ERR_INIT;
    struct dp_pq_file *pq = NULL;
    struct stat st;
    (void)worker;
    (void)err;
    if (dp_delta_path_resolve(w->s->table, l->f->path, &l->path, &bad) != DP_OK) {
        dp_buf_reset(&l->path);
        dp_buf_adds(&l->path, l->f->path);
        dp_buf_addf(&l->found, "%s\n", bad.msg);
        return DP_OK;
    }
    if (stat(dp_buf_z(&l->path), &st) != 0) {
        dp_err_sys(&bad, DP_IO, "cannot look at it");
        dp_buf_addf(&l->found, "%s\n", errno == ENOENT ? "it is missing" : bad.msg);
        return DP_OK;
    }
    if (l->f->size >= 0 && st.st_size != l->f->size) dp_buf_addf(&l->found, "it has %lld bytes, the log says %lld\n", (long long)st.st_size, (long long)l->f->size);
    if (dp_pq_open_bounded(dp_buf_z(&l->path), w->memory, &pq, &bad) != DP_OK) dp_buf_addf(&l->found, "%s\n", bad.msg);
    else check_contents(w, l, pq);
    dp_pq_close(pq);
    return DP_OK;
}

/* ---- all files ---- */

static enum dp_status print_findings(struct files *w, struct looked *l, struct dp_err *err) {
    struct dp_delta_verified *out = w->v->out;
    enum dp_status status = DP_OK;
    out->files++;
    out->bytes += l->f->size > 0 ? (uint64_t)l->f->size : 0;
    out->rows += (uint64_t)l->rows;
    out->vectors += l->f->dv.storage.p != NULL;
    const char *at = dp_buf_z(&l->found);
    for (const char *end; status == DP_OK && (end = strchr(at, '\n')) != NULL; at = end + 1)
        status = verify_found(w->v, dp_buf_z(&l->path), err, "%.*s", (int)(end - at), at);
    return status;
}

static enum dp_status run_batch(struct files *w, struct dp_err *err) {
    enum dp_status status = dp_pool_for(w->v->o->pool, w->n, check_file, w, err);
    for (size_t i = 0; i < w->n; i++) {
        if (status == DP_OK) status = print_findings(w, &w->v_files[i], err);
        dp_buf_release(&w->v_files[i].path);
        dp_buf_release(&w->v_files[i].found);
        w->v_files[i] = (struct looked){0};
    }
    w->n = 0;
    if (status == DP_OK && w->v->o->tick) status = w->v->o->tick(w->v->o->ctx, err);
    return status;
}

static enum dp_status check_files(struct verify *v, const struct dp_delta_snapshot *s, struct dp_err *err) {
    uint64_t threads = dp_pool_threads(v->o->pool);
    struct files w = {.v = v, .s = s, .v_files = dp_calloc(BATCH, sizeof *w.v_files), .memory = v->o->memory ? v->o->memory / threads : 0};
    size_t cursor = 0;
    const struct dp_delta_file *f;
    enum dp_status status = DP_OK;
    while (status == DP_OK && (f = dp_delta_next_file(s, &cursor)) != NULL) {
        w.v_files[w.n++].f = f;
        if (w.n == BATCH) status = run_batch(&w, err);
    }
    if (status == DP_OK) status = run_batch(&w, err);
    free(w.v_files);
    return status;
}

enum dp_status dp_delta_verify(const char *table, const struct dp_delta_verify_opts *o, struct dp_delta_verified *out, struct dp_err *err) {
    struct verify v = {.table = table, .o = o, .out = out};
    struct dp_delta_snapshot *s = NULL;
    struct dp_err bad = DP_ERR_INIT;
    *out = (struct dp_delta_verified){.version = -1};
    DP_TRY(verify_log(&v, o->version, err));
    enum dp_status status = dp_delta_open_how(table, out->version, &(struct dp_delta_how){.pool = o->pool}, &s, &bad); /* entries that came since are not verified */
    if (status == DP_FORMAT || status == DP_LIMIT) {
        if (out->findings) return DP_OK; /* why is told already */
        size_t n = strlen(table);
        return verify_found(&v, table, err, "%s", !strncmp(bad.msg, table, n) && !strncmp(bad.msg + n, ": ", 2) ? bad.msg + n + 2 : bad.msg);
    }
    if (status != DP_OK) {
        if (err) *err = bad;
        return status;
    }
    out->version = s->version;
    status = check_files(&v, s, err);
    dp_delta_close(s);
    return status;
}

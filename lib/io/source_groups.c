/*
 * Row groups as chunks: what is cut is a row group, and the thread that converts the chunk reads, screens and prints it, a piece at a time (chunk->more).
 * So decompression and decoding are spread over the threads, and no thread holds more of a row group than its pages and one piece.
 *
 * How many row groups are read at once is held to half of --memory: the first one tells, by the pages that it holds, what the next is likely to need.
 * What it does not do: part a row group among threads; a source that has only one is read in order as for those who want no row groups.
 */
#include "source_priv.h"

#include <dp/delta/scan.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What several chunks read: a file, or a table. */
struct dp_shared {
    atomic_uint refs;
    void *p;
    void (*close)(void *p);
};

/* Who may read: memory of the row groups that are being read. */
struct dp_group_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t budget, held, most; /* most: of one of them, so far */
    unsigned readers, threads;
    struct kept { struct dp_shared *source; struct dp_pq_reader *reader; } *kept; /* by worker: that of its latest row group */
};

struct dp_group {
    struct dp_group_gate *gate;
    unsigned worker;              /* who reads it */
    struct dp_shared *source;
    size_t number;                /* of a file's row group, or */
    struct dp_delta_task *task;   /* a table's */
    struct dp_pq_reader *reader;
    struct dp_delta_read *read;
    const struct dp_type *schema, *own; /* what comes out; the source's */
    struct dp_evolve evolve;
    bool is_open, is_known;
    uint64_t held;                /* counted at the gate */
};

/* ---- what is shared ---- */

struct dp_shared *dp_shared_new(void *p, void (*close)(void *p)) {
    struct dp_shared *s = dp_calloc(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->p = p;
    s->close = close;
    return s;
}

void dp_shared_drop(struct dp_shared *s) {
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1) return;
    s->close(s->p);
    free(s);
}

/* ---- the gate ---- */

static void drop_kept(struct kept *k) {
    dp_pq_reader_close(k->reader);
    dp_shared_drop(k->source);
    *k = (struct kept){NULL, NULL};
}

struct dp_group_gate *dp_group_gate_open(uint64_t memory, unsigned threads) {
    struct dp_group_gate *g = dp_calloc(1, sizeof *g);
    g->threads = threads;
    g->kept = dp_calloc(threads, sizeof *g->kept);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    g->budget = memory / 2;
    return g;
}

void dp_group_gate_close(struct dp_group_gate *g) {
    if (!g) return;
    for (unsigned i = 0; i < g->threads; i++) drop_kept(&g->kept[i]);
    free(g->kept);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->changed);
    free(g);
}

/* The only one that reads is never held up, and it tells what it holds as soon as it has read a piece. */
static void enter(struct dp_group *x) {
    struct dp_group_gate *g = x->gate;
    pthread_mutex_lock(&g->lock);
    while (g->readers && (!g->most || g->held + g->most > g->budget)) {
        drop_kept(&g->kept[x->worker]); /* its memory is wanted elsewhere */
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->readers++;
    g->held += x->held = g->most;
    pthread_mutex_unlock(&g->lock);
}

static void tell(struct dp_group *x, uint64_t bytes) {
    struct dp_group_gate *g = x->gate;
    pthread_mutex_lock(&g->lock);
    g->held += bytes - x->held;
    x->held = bytes;
    if (bytes > g->most) g->most = bytes;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void leave(struct dp_group *x) {
    struct dp_group_gate *g = x->gate;
    pthread_mutex_lock(&g->lock);
    g->readers--;
    g->held -= x->held;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* ---- a row group ---- */

struct dp_group *dp_group_new(struct dp_group_gate *gate, struct dp_shared *source, size_t number, struct dp_delta_task *task, const struct dp_type *schema,
                              const struct dp_type *own) {
    struct dp_group *x = dp_calloc(1, sizeof *x);
    atomic_fetch_add(&source->refs, 1);
    *x = (struct dp_group){.gate = gate, .source = source, .number = number, .task = task, .schema = schema, .own = own};
    return x;
}

void dp_group_close(struct dp_group *x) {
    if (!x) return;
    dp_evolve_release(&x->evolve);
    dp_pq_reader_close(x->reader);
    dp_delta_read_close(x->read);
    dp_delta_task_release(x->task);
    dp_shared_drop(x->source);
    if (x->is_open) leave(x);
    free(x);
}

static enum dp_status open_group(struct dp_group *x, struct dp_err *err) {
    struct kept *k = &x->gate->kept[x->worker];
    dp_evolve_open(&x->evolve, x->schema, x->own);
    if (x->task) return dp_delta_read_open(x->task, &x->read, err);
    if (k->source == x->source) x->reader = k->reader, k->reader = NULL;
    drop_kept(k);
    if (!x->reader) DP_TRY(dp_pq_reader_open(x->source->p, x->evolve.whole ? NULL : x->evolve.names, x->evolve.n_names, &x->reader, err));
    return dp_pq_reader_seek(x->reader, x->number, err);
}

/* The row group is done: its reader, with the memory that it has, waits for the next one of the file. */
static void keep_reader(struct dp_group *x) {
    if (!x->reader) return;
    atomic_fetch_add(&x->source->refs, 1);
    x->gate->kept[x->worker] = (struct kept){x->source, x->reader};
    x->reader = NULL;
}

enum dp_status dp_group_next(struct dp_group *x, unsigned worker, int64_t rows, struct dp_batch *b, struct dp_err *err) {
    enum dp_status status;
    if (!x->is_open) {
        x->worker = worker;
        enter(x);
        x->is_open = true;
        DP_TRY(open_group(x, err));
    }
    struct dp_batch *raw = dp_evolve_target(&x->evolve, x->task ? x->own : dp_pq_reader_schema(x->reader), b);
    do {
        status = x->task ? dp_delta_read_next(x->read, rows, raw, err) : dp_pq_reader_next(x->reader, rows, raw, err);
    } while (!status && !raw->length); /* deletion vectors may delete all of them */
    if (status == DP_END) keep_reader(x);
    if (!status) status = dp_evolve_batch(&x->evolve, b, err);
    if (status) return status;
    if (!x->is_known) tell(x, x->task ? dp_delta_read_bytes(x->read) : dp_pq_reader_bytes(x->reader));
    x->is_known = true;
    return DP_OK;
}

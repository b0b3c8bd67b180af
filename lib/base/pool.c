/*
 * The ordered pool (dp/base/pool.h).  There is no master: each thread, the caller's included, takes whatever is most
 * urgent (a piece of a dp_pool_for, the next chunk to consume, a chunk to work on, the next chunk to produce) and so a
 * producer that blocks holds nobody up who has something to do.  One lock guards all state; it is taken a few times
 * for each chunk, and chunks are large.
 */
#include <dp/base/mem.h>
#include <dp/base/pool.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_EMPTY, SLOT_READY, SLOT_WORKING, SLOT_DONE };

struct slot {
    enum slot_state state;
    enum dp_status status; /* of produce or work */
    struct dp_err err;
    void *job;
};

struct run {
    const struct dp_pool_ops *ops;
    void *ctx;
    struct slot *slots;
    uint64_t n_slots;
    uint64_t produced, taken, consumed; /* chunks so far; taken: given to a worker */
    unsigned busy;                      /* threads inside a callback */
    bool producing, consuming;
    bool no_more;                       /* produce said END, or a failure makes more of it pointless */
    bool stopped;                       /* result is final */
    enum dp_status result;
    struct dp_err err;
};

struct loop {
    struct loop *next;
    enum dp_status (*fn)(void *, unsigned, size_t, struct dp_err *);
    void *ctx;
    size_t n, taken, done, failed_at;
    enum dp_status result;
    struct dp_err err;
};

struct dp_pool {
    unsigned threads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned waiting;
    pthread_t *ids; /* of workers 1..threads-1 at [0..threads-2] */
    unsigned started;
    bool closing;
    struct run *run;
    struct loop *loops; /* the innermost first */
    atomic_bool stopping;
};

struct dp_pool *dp_pool_open(unsigned threads) {
    struct dp_pool *p = dp_calloc(1, sizeof *p);
    p->threads = threads ? threads : 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    return p;
}

unsigned dp_pool_threads(const struct dp_pool *p) { return p->threads; }
bool dp_pool_stopping(const struct dp_pool *p) { return atomic_load_explicit(&p->stopping, memory_order_relaxed); }

static void wake(struct dp_pool *p) {
    if (p->waiting) pthread_cond_broadcast(&p->changed);
}

static void wait_for_change(struct dp_pool *p) {
    p->waiting++;
    pthread_cond_wait(&p->changed, &p->lock);
    p->waiting--;
}

/* ---- one step; all are called with the lock held and return with it held ---- */

static void loop_piece(struct dp_pool *p, struct loop *l, unsigned worker) {
    size_t i = l->taken++;
    if (i < l->failed_at) { /* behind a failure nothing matters any more */
        struct dp_err err = DP_ERR_INIT;
        pthread_mutex_unlock(&p->lock);
        enum dp_status status = l->fn(l->ctx, worker, i, &err);
        pthread_mutex_lock(&p->lock);
        if (status && i < l->failed_at) l->failed_at = i, l->result = status, l->err = err;
    }
    if (++l->done == l->n) wake(p);
}

static bool step_loop(struct dp_pool *p, unsigned worker) {
    for (struct loop *l = p->loops; l; l = l->next)
        if (l->taken < l->n) return loop_piece(p, l, worker), true;
    return false;
}

static void stop(struct dp_pool *p, struct run *r, enum dp_status status, const struct dp_err *err) {
    r->stopped = r->no_more = true;
    r->result = status;
    if (status) {
        r->err = *err;
        atomic_store(&p->stopping, true);
    }
}

static bool step_consume(struct dp_pool *p, struct run *r) {
    struct slot *s = &r->slots[r->consumed % r->n_slots];
    if (r->stopped || r->consuming || r->consumed == r->produced || s->state != SLOT_DONE) return false;
    if (s->status) {
        stop(p, r, s->status, &s->err);
        wake(p);
        return true;
    }
    r->consuming = true, r->busy++;
    pthread_mutex_unlock(&p->lock);
    enum dp_status status = r->ops->consume(r->ctx, s->job, &s->err);
    pthread_mutex_lock(&p->lock);
    r->consuming = false, r->busy--;
    s->state = SLOT_EMPTY;
    r->consumed++;
    if (status) stop(p, r, status, &s->err);
    wake(p);
    return true;
}

static bool step_work(struct dp_pool *p, struct run *r, unsigned worker) {
    if (r->stopped || r->taken == r->produced) return false;
    struct slot *s = &r->slots[r->taken % r->n_slots];
    r->taken++;
    if (s->state != SLOT_READY) return true; /* the place of a failed produce */
    s->state = SLOT_WORKING, r->busy++;
    pthread_mutex_unlock(&p->lock);
    enum dp_status status = r->ops->work(r->ctx, worker, s->job, &s->err);
    pthread_mutex_lock(&p->lock);
    s->status = status;
    s->state = SLOT_DONE, r->busy--;
    if (status) {
        r->no_more = true; /* what is behind will never be consumed */
        atomic_store(&p->stopping, true);
    }
    wake(p);
    return true;
}

static bool step_produce(struct dp_pool *p, struct run *r) {
    if (r->no_more || r->producing || r->produced - r->consumed == r->n_slots) return false;
    struct slot *s = &r->slots[r->produced % r->n_slots];
    if (!s->job) s->job = dp_calloc(1, r->ops->job_size);
    s->err = (struct dp_err)DP_ERR_INIT;
    r->producing = true, r->busy++;
    pthread_mutex_unlock(&p->lock);
    enum dp_status status = r->ops->produce(r->ctx, s->job, &s->err);
    pthread_mutex_lock(&p->lock);
    r->producing = false, r->busy--;
    s->status = status;
    if (status) r->no_more = true;
    if (status != DP_END) {
        s->state = status ? SLOT_DONE : SLOT_READY; /* a failure waits for its turn like any chunk */
        r->produced++;
    }
    wake(p);
    return true;
}

static bool step_run(struct dp_pool *p, unsigned worker) {
    struct run *r = p->run;
    return r && (step_consume(p, r) || step_work(p, r, worker) || step_produce(p, r));
}

/* ---- threads ---- */

struct start {
    struct dp_pool *pool;
    unsigned worker;
};

static void *thread_main(void *arg) {
    struct start st = *(struct start *)arg;
    struct dp_pool *p = st.pool;
    free(arg);
    pthread_mutex_lock(&p->lock);
    while (!p->closing)
        if (!step_loop(p, st.worker) && !step_run(p, st.worker)) wait_for_change(p);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Fewer threads than asked for are slower, not wrong: a system that gives no more of them is no error. */
static void start_threads(struct dp_pool *p) {
    if (p->ids || p->threads < 2) return;
    p->ids = dp_calloc(p->threads - 1, sizeof *p->ids);
    while (p->started < p->threads - 1) {
        struct start *st = dp_alloc(sizeof *st);
        *st = (struct start){p, p->started + 1};
        if (pthread_create(&p->ids[p->started], NULL, thread_main, st)) {
            free(st);
            return;
        }
        p->started++;
    }
}

static unsigned worker_of_caller(const struct dp_pool *p) {
    pthread_t self = pthread_self();
    for (unsigned i = 0; i < p->started; i++)
        if (pthread_equal(p->ids[i], self)) return i + 1;
    return 0;
}

void dp_pool_close(struct dp_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++) pthread_join(p->ids[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p->ids);
    free(p);
}

/* ---- runs ---- */

static enum dp_status run_inline(const struct dp_pool_ops *ops, void *ctx, struct dp_err *err) {
    void *job = dp_calloc(1, ops->job_size);
    enum dp_status status;
    while ((status = ops->produce(ctx, job, err)) == DP_OK) {
        DP_TRY_OUT(ops->work(ctx, 0, job, err));
        DP_TRY_OUT(ops->consume(ctx, job, err));
    }
    if (status == DP_END) status = DP_OK;
out:
    if (ops->release) ops->release(ctx, job);
    free(job);
    return status;
}

enum dp_status dp_pool_run(struct dp_pool *p, const struct dp_pool_ops *ops, void *ctx, struct dp_err *err) {
    if (p->threads == 1) return run_inline(ops, ctx, err);
    struct run r = {.ops = ops, .ctx = ctx, .n_slots = (uint64_t)p->threads * 2 + 1};
    r.slots = dp_calloc(r.n_slots, sizeof *r.slots);
    pthread_mutex_lock(&p->lock);
    start_threads(p);
    atomic_store(&p->stopping, false);
    p->run = &r;
    wake(p);
    for (;;) {
        bool finished = r.stopped || (r.no_more && r.consumed == r.produced);
        if (finished && !r.busy) break;
        if (!step_loop(p, 0) && !step_run(p, 0)) wait_for_change(p);
    }
    p->run = NULL;
    pthread_mutex_unlock(&p->lock);
    for (uint64_t i = 0; i < r.n_slots; i++) {
        if (r.slots[i].job && ops->release) ops->release(ctx, r.slots[i].job);
        free(r.slots[i].job);
    }
    free(r.slots);
    if (r.result && err) *err = r.err;
    return r.result;
}

enum dp_status dp_pool_for(struct dp_pool *p, size_t n,
                           enum dp_status (*fn)(void *ctx, unsigned worker, size_t i, struct dp_err *err), void *ctx,
                           struct dp_err *err) {
    if (p->threads == 1 || n < 2) {
        unsigned w = p->threads == 1 ? 0 : worker_of_caller(p);
        for (size_t i = 0; i < n; i++) DP_TRY(fn(ctx, w, i, err));
        return DP_OK;
    }
    struct loop l = {.fn = fn, .ctx = ctx, .n = n, .failed_at = SIZE_MAX};
    pthread_mutex_lock(&p->lock);
    start_threads(p);
    unsigned w = worker_of_caller(p);
    l.next = p->loops;
    p->loops = &l;
    wake(p);
    while (l.taken < l.n) loop_piece(p, &l, w);
    while (l.done < l.n) wait_for_change(p);
    struct loop **at = &p->loops;
    while (*at != &l) at = &(*at)->next;
    *at = l.next;
    pthread_mutex_unlock(&p->lock);
    if (l.result && err) *err = l.err;
    return l.result;
}

/* The ordered pool: order, first error, a blocked producer, loops inside consume. */
#include "dpt.h"

#include <dp/base/pool.h>
#include <poll.h>
#include <stdatomic.h>

struct job {
    unsigned seq;
    unsigned result;
};

struct ctx {
    struct dp_pool *pool;
    unsigned n, fail_produce, fail_work, fail_consume; /* chunk numbers; UINT_MAX: none */
    unsigned produced, consumed, released;
    atomic_uint in_worker[16];
    atomic_uint consuming;
    unsigned loop;
    int pipe_in;
};

static enum dp_status produce(void *c, void *j, struct dp_err *err) {
    struct ctx *x = c;
    struct job *job = j;
    if (x->produced == x->fail_produce) return dp_err_set(err, DP_FORMAT, "produce %u", x->produced);
    if (x->produced == x->n) return DP_END;
    job->seq = x->produced++;
    return DP_OK;
}

static enum dp_status work(void *c, unsigned worker, void *j, struct dp_err *err) {
    struct ctx *x = c;
    struct job *job = j;
    assert_int_equal(atomic_fetch_add(&x->in_worker[worker], 1), 0);
    unsigned v = job->seq;
    for (unsigned i = 0; i < (job->seq * 7919) % 3000; i++) v = v * 1664525 + 1013904223;
    job->result = job->seq + (v & 0);
    atomic_fetch_sub(&x->in_worker[worker], 1);
    if (job->seq == x->fail_work || job->seq == x->fail_work + 3)
        return dp_err_set(err, DP_RECORD, "work %u", job->seq);
    return DP_OK;
}

static enum dp_status piece(void *c, unsigned worker, size_t i, struct dp_err *err) {
    (void)worker;
    atomic_uint *sum = c;
    atomic_fetch_add(sum, (unsigned)i);
    return i == 40 || i == 70 ? dp_err_set(err, DP_RULE, "piece %zu", i) : DP_OK;
}

static enum dp_status consume(void *c, void *j, struct dp_err *err) {
    struct ctx *x = c;
    struct job *job = j;
    assert_int_equal(atomic_fetch_add(&x->consuming, 1), 0);
    assert_int_equal(job->result, x->consumed);
    if (x->loop) {
        atomic_uint sum = 0;
        struct dp_err e = DP_ERR_INIT;
        assert_int_equal(dp_pool_for(x->pool, x->loop, piece, &sum, &e), x->loop > 40 ? DP_RULE : DP_OK);
        if (x->loop > 40) assert_string_equal(e.msg, "piece 40");
        else assert_int_equal(sum, x->loop * (x->loop - 1) / 2);
    }
    x->consumed++;
    atomic_fetch_sub(&x->consuming, 1);
    return job->seq == x->fail_consume ? dp_err_set(err, DP_IO, "consume %u", job->seq) : DP_OK;
}

static void release(void *c, void *j) {
    (void)j;
    ((struct ctx *)c)->released++;
}

static const struct dp_pool_ops ops = {sizeof(struct job), produce, work, consume, release};

static void run_case(unsigned fail_produce, unsigned fail_work, unsigned fail_consume, enum dp_status want, unsigned consumed,
                     const char *msg) {
    for (unsigned threads = 1; threads <= 5; threads++) {
        struct ctx x = {.n = 300, .fail_produce = fail_produce, .fail_work = fail_work, .fail_consume = fail_consume};
        struct dp_err e = DP_ERR_INIT;
        x.pool = dp_pool_open(threads);
        for (int again = 0; again < 3; again++) {
            x.produced = x.consumed = 0;
            assert_int_equal(dp_pool_run(x.pool, &ops, &x, &e), want);
            assert_int_equal(x.consumed, consumed);
            if (msg) assert_string_equal(e.msg, msg);
        }
        dp_pool_close(x.pool);
        assert_true(x.released >= 3);
    }
}

static void order(void **state) { (void)state, run_case(~0u, ~0u - 9, ~0u, DP_OK, 300, NULL); }
static void work_fails(void **state) { (void)state, run_case(~0u, 100, ~0u, DP_RECORD, 100, "work 100"); }
static void consume_fails(void **state) { (void)state, run_case(~0u, 100, 50, DP_IO, 51, "consume 50"); }
static void produce_fails(void **state) { (void)state, run_case(20, ~0u - 9, ~0u, DP_FORMAT, 20, "produce 20"); }
static void first_failure_wins(void **state) { (void)state, run_case(101, 100, ~0u, DP_RECORD, 100, "work 100"); }

static void loops_inside_consume(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++)
        for (unsigned loop = 1; loop <= 100; loop += 33) {
            struct ctx x = {.n = 40, .fail_produce = ~0u, .fail_work = ~0u - 9, .fail_consume = ~0u, .loop = loop};
            x.pool = dp_pool_open(threads);
            assert_int_equal(dp_pool_run(x.pool, &ops, &x, NULL), DP_OK);
            assert_int_equal(x.consumed, 40);
            atomic_uint sum = 0;
            assert_int_equal(dp_pool_for(x.pool, 30, piece, &sum, NULL), DP_OK); /* and outside of a run */
            assert_int_equal(sum, 435);
            dp_pool_close(x.pool);
        }
}

/* The producer waits for what consume writes: it must get there although produce blocks. */
static enum dp_status produce_from_pipe(void *c, void *j, struct dp_err *err) {
    struct ctx *x = c;
    char b;
    if (x->produced && read(x->pipe_in, &b, 1) != 1) return dp_err_set(err, DP_IO, "pipe");
    return produce(c, j, err);
}
static int pipe_out;
static enum dp_status consume_to_pipe(void *c, void *j, struct dp_err *err) {
    DP_TRY(consume(c, j, err));
    return write(pipe_out, "x", 1) == 1 ? DP_OK : dp_err_set(err, DP_IO, "pipe");
}
static void blocked_producer(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        struct ctx x = {.n = 200, .fail_produce = ~0u, .fail_work = ~0u - 9, .fail_consume = ~0u, .pipe_in = fd[0]};
        pipe_out = fd[1];
        struct dp_pool_ops o = ops;
        o.produce = produce_from_pipe;
        o.consume = consume_to_pipe;
        x.pool = dp_pool_open(threads);
        assert_int_equal(dp_pool_run(x.pool, &o, &x, NULL), DP_OK);
        assert_int_equal(x.consumed, 200);
        dp_pool_close(x.pool);
        close(fd[0]), close(fd[1]);
    }
}

/* A producer that waits for input sees that the run has failed. */
static enum dp_status produce_until_stopping(void *c, void *j, struct dp_err *err) {
    struct ctx *x = c;
    while (x->produced > 2 && !dp_pool_stopping(x->pool)) poll(NULL, 0, 1);
    return produce(c, j, err);
}
static void waiting_producer_is_told(void **state) {
    (void)state;
    struct ctx x = {.n = 200, .fail_produce = ~0u, .fail_work = ~0u - 9, .fail_consume = 1};
    struct dp_pool_ops o = ops;
    o.produce = produce_until_stopping;
    x.pool = dp_pool_open(2);
    assert_int_equal(dp_pool_run(x.pool, &o, &x, NULL), DP_IO);
    dp_pool_close(x.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),         cmocka_unit_test(work_fails),         cmocka_unit_test(consume_fails),
        cmocka_unit_test(produce_fails), cmocka_unit_test(first_failure_wins), cmocka_unit_test(loops_inside_consume),
        cmocka_unit_test(blocked_producer), cmocka_unit_test(waiting_producer_is_told),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

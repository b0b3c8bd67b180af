/*
 * Lineage events to their receivers (dp/io/lineage_send.h).
 *
 * A file and the console are written at once, by the caller.  A store and a receiver of HTTP have a thread each, which begins with the first event: an event is
 * first put into our file of the spool, then queued, then sent and marked there as sent, so a process that dies at any instant leaves behind what it had to say.
 * Before its own events a receiver gets those that others left behind.  A run has one budget of time for all that the caller does here or waits for, of all receivers
 * together: at the end the threads have what is left of it, and what is not taken by then, or is known to have failed twice, waits in the spool.
 * An event that was on its way when time was up is sent again: receivers get each event at least once.  A store is opened when the run ends or has gone on for a
 * moment: a short run costs one transaction, and none while it works.  So is every receiver by a program that dp-run has started, when dp-run sends to it too: a stage that is short
 * leaves its events in the spool, and dp-run sends those of all stages, once.
 * What can't be spooled (no home, a disk that is full) is sent all the same, and is lost with a warning when that fails.
 */
#include "lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>
#include <dp/io/catalog.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define BUDGET_MS 50       /* of a run, from its first event to when it leaves: the promise is 100, on a machine that has other work too */
#define BUDGET_LED_MS 10   /* for a program that dp-run has started: that sends what is left, and the 100 ms are for both */
#define LEAST_MS 4         /* at the end, where all of it is spent */
#define TAKE_IN_MS 2000    /* for what waits for a store, before it is read */
#define STOP_MS 6          /* behind it, for a thread to notice */
#define LINGER_MS 250      /* before a store is opened, unless the run ends */
#define LATER_MS 1500      /* the same where a short run leaves its events to later (DP_LINEAGE_LATER) */
#define LATER_FILES 48     /* that wait for such a store: then a run sends them all */
#define BATCH 100          /* events in one transaction of a store */
#define SOME_BYTES (1u << 20) /* of files that are read for one */
#define FRESH_BYTES (256u << 10) /* a file of the spool that is smaller is not written anew */
#define STORE_WAIT_MS 40   /* for a store that another holds, each time */
#define PAUSE_MS 30000     /* after the last retry of an event, before it is tried anew */
#define REAP_MS 15         /* for what others left, where the caller waits for it; all receivers together */
#define TRIM_MS 10         /* to drop what is too much */

struct event {
    struct event *next;
    int64_t at; /* in the spool; -1: not there */
    size_t n;
    char text[];
};

struct held {
    char run[64];
    int64_t at;
    char *event;
};

struct post {
    struct dp_lineage_sender *s;
    const struct lineage_receiver *r;
    char *dir;
    struct lineage_spool spool;
    struct held *held;
    size_t n_held, cap_held;
    struct lineage_answer trouble; /* the first, for the warning */
    size_t lost, rejected, rejected_lost, dropped, waiting;
    bool behind; /* a file that failed: later events wait behind that one */
    int64_t until; /* monotonic ms, for what the caller waits for */
    size_t most;   /* files that others left, to look at */
    size_t sent_left; /* events of others that were sent */

    /* receivers with a thread; the lock guards what follows, and the spool above */
    pthread_t thread;
    bool has_thread, done;
    pthread_mutex_t lock;
    pthread_cond_t wake, calm;
    int wake_fd[2];
    struct event *head, **tail;
    size_t bytes; /* of the queue */
    bool stop, closing, away, caught_up;
    bool orphan;  /* the caller has left: the thread frees */
    size_t flight; /* the first of the queue, which are on their way */
    int64_t linger_until; /* monotonic ms */
    bool later;    /* a run that ends soon leaves its events in the spool: for who reads the store, for a later run, or for dp-run, which sends those of its stages */
    bool is_led;   /* for dp-run */
    bool is_left;  /* and so it did */
    bool reap;    /* look at what others left before the next event */
    struct lineage_poster *poster;
    struct dp_catalog *store;
};

struct dp_lineage_sender {
    _Atomic size_t holders; /* the caller, and threads that it could not wait for: the last frees */
    struct dp_run *run;
    struct dp_lineage_conf *c;
    struct post *posts;
    size_t n;
    int64_t spent; /* microseconds of the budget */
};

/* ---- one event, once ---- */

static enum lineage_result put_console(struct dp_str event, struct lineage_answer *a) {
    ssize_t n;
    do n = write(STDERR_FILENO, event.p, event.n);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)event.n) return LINEAGE_TAKEN;
    *a = (struct lineage_answer){.trouble = LINEAGE_NOT_POSSIBLE, .why = "can't write"};
    return LINEAGE_AWAY;
}

/* All of them, or none where one is refused or the store is away. */
static enum lineage_result put_store(struct post *p, const struct dp_str *events, size_t n, struct lineage_answer *a) {
    struct dp_err e = DP_ERR_INIT;
    bool refused = false;
    enum dp_status status = p->store ? DP_OK : dp_catalog_open(p->r->path, DP_CATALOG_BRIEF, STORE_WAIT_MS, &p->store, &e);
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        status = dp_catalog_add(p->store, dp_str(events[i].p, events[i].n - 1), false, NULL, &e);
        refused = status == DP_FORMAT; /* else it is the store that is damaged, and somebody may bring it back */
    }
    if (status == DP_OK) status = dp_catalog_commit(p->store, &e);
    if (status == DP_OK) return LINEAGE_TAKEN;
    dp_catalog_close(p->store); /* and what was begun is undone */
    p->store = NULL;
    a->trouble = status == DP_AGAIN ? LINEAGE_NO_CONNECT : LINEAGE_NOT_POSSIBLE;
    snprintf(a->why, sizeof a->why, "%.250s", e.msg);
    return refused ? LINEAGE_REFUSED : LINEAGE_AWAY;
}

static enum lineage_result deliver(struct post *p, struct dp_str event, struct lineage_answer *a) {
    *a = (struct lineage_answer){.trouble = LINEAGE_NO_TROUBLE};
    switch (p->r->kind) {
    case LINEAGE_FILE: return lineage_file_put(p->r, event, a);
    case LINEAGE_CONSOLE: return put_console(event, a);
    case LINEAGE_STORE: return put_store(p, &event, 1, a);
    case LINEAGE_HTTP:
        if (!p->poster) p->poster = lineage_poster_open(&p->r->http, p->wake_fd[0]);
        return lineage_post(p->poster, event, a);
    }
    return LINEAGE_REFUSED;
}

static void note_trouble(struct post *p, const struct lineage_answer *a) {
    if (!p->trouble.why[0] && a->trouble != LINEAGE_INTERRUPTED) p->trouble = *a;
}

/* Keeps what was refused, so that somebody can look at it. */
static void reject(struct post *p, struct dp_str event) {
    if (lineage_spool_reject(p->dir, event)) p->rejected++;
    else p->rejected_lost++;
}

/* ---- what others left ---- */

/* Events that others left, on their way: of a store many in one transaction, whichever files they stand in. */
struct some {
    struct dp_buf text;
    size_t n, end[BATCH], of[BATCH]; /* in text; the file */
    int64_t place[BATCH];            /* in it */
    struct lineage_left left[BATCH];
    size_t n_left;
    bool is_done; /* the last of the files has no more */
};

static struct dp_str of_some(const struct some *x, size_t i) {
    size_t from = i ? x->end[i - 1] : 0;
    return dp_str(x->text.p + from, x->end[i] - from);
}

/* False: it has no more. */
static bool read_event(struct some *x) {
    struct dp_buf event = {NULL, 0, 0};
    bool found = lineage_left_event(&x->left[x->n_left - 1], dp_time_now_micros(), &event, &x->place[x->n]);
    if (found) {
        dp_buf_adds(&x->text, dp_buf_str(&event));
        x->of[x->n] = x->n_left - 1;
        x->end[x->n++] = x->text.n;
    }
    dp_buf_release(&event);
    return found;
}

static void read_some(struct post *p, struct lineage_names *names, struct some *x) {
    size_t most = p->r->kind == LINEAGE_STORE ? BATCH : 1, bytes = 0;
    dp_buf_reset(&x->text);
    x->n = 0;
    while (x->n < most) {
        if (x->n_left && !x->is_done) {
            x->is_done = !read_event(x);
            continue;
        }
        if (x->n_left == BATCH || bytes > SOME_BYTES || !lineage_left_next(p->dir, names, &x->left[x->n_left])) return;
        bytes += x->left[x->n_left++].text.n;
        x->is_done = false;
    }
}

/* Closes the files that were read to their end; all of them when the receiver is away. */
static void close_some(struct some *x, bool good) {
    size_t kept = good && x->n_left && !x->is_done ? 1 : 0;
    for (size_t i = 0; i + kept < x->n_left; i++) lineage_left_close(&x->left[i], good);
    if (kept) x->left[0] = x->left[x->n_left - 1];
    x->n_left = kept;
}

/* False: the receiver is away. */
static bool deliver_one(struct post *p, struct some *x, size_t i) {
    struct lineage_answer a = {.trouble = LINEAGE_NO_TROUBLE};
    enum lineage_result result = deliver(p, of_some(x, i), &a);
    if (result == LINEAGE_AWAY) return note_trouble(p, &a), false;
    if (result == LINEAGE_REFUSED) reject(p, of_some(x, i));
    if (result == LINEAGE_TAKEN) p->sent_left++;
    lineage_left_mark(&x->left[x->of[i]], x->place[i]);
    return true;
}

/* The same: all at once, and where one is refused each by itself. */
static bool deliver_some(struct post *p, struct some *x, bool (*may_go_on)(struct post *)) {
    struct lineage_answer a = {.trouble = LINEAGE_NO_TROUBLE};
    struct dp_str events[BATCH];
    for (size_t i = 0; i < x->n; i++) events[i] = of_some(x, i);
    enum lineage_result result = x->n > 1 ? put_store(p, events, x->n, &a) : LINEAGE_REFUSED;
    if (result == LINEAGE_AWAY) return note_trouble(p, &a), false;
    for (size_t i = 0; i < x->n; i++) {
        if (result == LINEAGE_TAKEN) p->sent_left++, lineage_left_mark(&x->left[x->of[i]], x->place[i]);
        else if (!may_go_on(p) || !deliver_one(p, x, i)) return false;
    }
    return true;
}

/* True: all that was there is sent. */
static bool catch_up(struct post *p, bool (*may_go_on)(struct post *)) {
    struct lineage_names names = {.at = NULL};
    bool all = p->dir != NULL && lineage_names_load(p->dir, p->most, &names), good = p->dir != NULL, is_end = false;
    struct some *x = dp_calloc(1, sizeof *x);
    while (good && may_go_on(p)) {
        read_some(p, &names, x);
        is_end = !x->n_left;
        if (is_end) break;
        good = may_go_on(p) && deliver_some(p, x, may_go_on);
        close_some(x, good);
    }
    close_some(x, false);
    dp_buf_release(&x->text);
    free(x);
    lineage_names_release(&names);
    return all && is_end;
}

/* ---- threads ---- */

static bool not_stopped(struct post *p) {
    pthread_mutex_lock(&p->lock);
    bool yes = !p->stop;
    pthread_mutex_unlock(&p->lock);
    return yes;
}

/* With the lock held: until there is something to do, or time is up. */
static void pause_for(struct post *p, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &until) != ETIMEDOUT) continue;
}

static bool is_worth_another(const struct post *p, const struct lineage_answer *a, const int failed[4]) {
    const struct lineage_http *h = &p->r->http;
    if (p->r->kind != LINEAGE_HTTP) return true;
    int total = failed[0] + failed[1] + failed[2];
    if (a->trouble == LINEAGE_NOT_POSSIBLE || total > h->retries) return false;
    if (a->trouble == LINEAGE_NO_CONNECT) return failed[0] <= h->connect_retries;
    if (!h->retry_post) return false; /* the receiver may have it */
    return a->trouble == LINEAGE_NO_READ ? failed[1] <= h->read_retries : h->status_retries < 0 || failed[2] <= h->status_retries;
}

/* The first retry is at once, as in the clients. */
static int64_t backoff_ms(const struct post *p, int failures) {
    double factor = p->r->kind == LINEAGE_HTTP ? p->r->http.backoff : 0.05, ms = factor * 1000;
    if (failures <= 1) return 0;
    for (int i = 1; i < failures && ms < 120000; i++) ms *= 2;
    return (int64_t)(ms < 120000 ? ms : 120000);
}

/* With the lock held: the first of the queue has been dealt with. */
static void pop(struct post *p) {
    struct event *e = p->head;
    lineage_spool_mark(&p->spool, e->at, LINEAGE_SENT);
    p->head = e->next;
    if (!p->head) p->tail = &p->head;
    p->bytes -= e->n;
    p->away = false;
    free(e);
}

/* With the lock held, before and after: the first of the queue to a store in one transaction, of others the first one. *n: how many. */
static enum lineage_result deliver_first(struct post *p, bool one, size_t *n, struct lineage_answer *a) {
    struct dp_str events[BATCH];
    size_t most = one || p->r->kind != LINEAGE_STORE ? 1 : BATCH;
    *n = 0;
    for (struct event *e = p->head; e && *n < most; e = e->next) events[(*n)++] = dp_str(e->text, e->n);
    p->flight = *n;
    pthread_mutex_unlock(&p->lock);
    *a = (struct lineage_answer){.trouble = LINEAGE_NO_TROUBLE};
    enum lineage_result result = *n > 1 ? put_store(p, events, *n, a) : deliver(p, events[0], a);
    if (result == LINEAGE_REFUSED && *n == 1) reject(p, events[0]);
    pthread_mutex_lock(&p->lock);
    p->flight = 0;
    return result;
}

/* With the lock held, before and after.  Tries the first events of the queue until they are taken, refused, or we are to stop. */
static void send_first(struct post *p) {
    int failed[4] = {0, 0, 0, 0}, failures = 0;
    bool one = false;
    while (!p->stop && p->head) {
        struct lineage_answer a;
        size_t n;
        enum lineage_result result = deliver_first(p, one, &n, &a);
        if (result == LINEAGE_REFUSED && n > 1) {
            one = true; /* which of them? */
            continue;
        }
        if (result != LINEAGE_TAKEN) note_trouble(p, &a);
        if (result != LINEAGE_AWAY) {
            for (size_t i = 0; i < n; i++) pop(p);
            return;
        }
        if (a.trouble == LINEAGE_INTERRUPTED) return;
        failures++;
        failed[a.trouble == LINEAGE_NO_CONNECT ? 0 : a.trouble == LINEAGE_NO_READ ? 1 : 2]++;
        bool again = is_worth_another(p, &a, failed);
        int64_t ms = again ? backoff_ms(p, failures) : PAUSE_MS;
        if (ms > 0) {
            p->away = true;
            pthread_cond_broadcast(&p->calm);
            pause_for(p, ms);
        }
        if (!again) return;
    }
}

static void free_post(struct post *p) {
    for (struct event *e = p->head, *next; e; e = next) next = e->next, free(e);
    if (p->wake_fd[0] >= 0) close(p->wake_fd[0]), close(p->wake_fd[1]);
    lineage_poster_close(p->poster);
    dp_catalog_leave(p->store);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->calm);
    for (size_t i = 0; i < p->n_held; i++) free(p->held[i].event);
    free(p->held);
    free(p->dir);
}

static void leave(struct dp_lineage_sender *s) {
    if (atomic_fetch_sub(&s->holders, 1) != 1) return;
    free(s->posts);
    dp_lineage_conf_free(s->c);
    free(s);
}

/* With the lock held: a store, and who else can wait, is left alone until the run has gone on for a moment, or ends.  False: it ended, and all can wait. */
static bool linger(struct post *p) {
    bool is_kept = true;
    struct timespec until = {.tv_sec = (time_t)(p->linger_until / 1000), .tv_nsec = (long)(p->linger_until % 1000) * 1000000};
    while ((p->later || p->r->kind == LINEAGE_STORE) && !p->stop && !p->closing && pthread_cond_timedwait(&p->wake, &p->lock, &until) != ETIMEDOUT) continue;
    for (const struct event *e = p->head; e; e = e->next) is_kept = is_kept && e->at >= 0;
    p->is_left = p->later && p->closing && is_kept;
    return !p->is_left;
}

static void *work(void *ctx) {
    struct post *p = ctx;
    pthread_mutex_lock(&p->lock);
    if (!linger(p)) p->stop = true;
    while (!p->stop) {
        if (p->reap) {
            p->reap = false;
            pthread_mutex_unlock(&p->lock);
            bool good = catch_up(p, not_stopped);
            pthread_mutex_lock(&p->lock);
            if (!good && p->dir && !p->stop) p->away = true;
            p->caught_up = true;
            continue;
        }
        if (p->head) {
            send_first(p);
            continue;
        }
        pthread_cond_broadcast(&p->calm);
        if (p->closing) break;
        pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    lineage_poster_close(p->poster);
    dp_catalog_leave(p->store);
    pthread_mutex_lock(&p->lock);
    p->poster = NULL;
    p->store = NULL;
    p->done = true;
    bool orphan = p->orphan;
    pthread_cond_broadcast(&p->calm);
    pthread_mutex_unlock(&p->lock);
    if (!orphan) return NULL;
    struct dp_lineage_sender *s = p->s;
    free_post(p);
    leave(s);
    return NULL;
}

/* With the lock held.  Signals are for the thread that works on data. */
static void start_thread(struct post *p) {
    sigset_t all, before;
    if (p->has_thread) return;
    sigfillset(&all);
    if (pipe(p->wake_fd) == 0) {
        (void)fcntl(p->wake_fd[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(p->wake_fd[1], F_SETFD, FD_CLOEXEC);
    } else {
        p->wake_fd[0] = p->wake_fd[1] = -1;
    }
    p->linger_until = dp_time_monotonic_ms() + (p->later && !p->is_led ? LATER_MS : LINGER_MS);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    p->has_thread = pthread_create(&p->thread, NULL, work, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool has_own_thread(const struct post *p) { return p->r->kind == LINEAGE_STORE || p->r->kind == LINEAGE_HTTP; }

/* With the lock held: the oldest goes where a receiver that is away for long is told very much. */
static void bound_queue(struct post *p) {
    struct event *kept = p->head;
    for (size_t i = 1; i < p->flight && kept; i++) kept = kept->next;
    while (p->bytes > DP_LIMIT_SPOOL && kept && kept->next) {
        struct event *second = kept->next;
        kept->next = second->next;
        if (p->tail == &second->next) p->tail = &kept->next;
        lineage_spool_mark(&p->spool, second->at, LINEAGE_SENT);
        p->bytes -= second->n;
        p->dropped++;
        free(second);
    }
}

/* is_new: nothing was told of the run yet, and what will be goes through this file first. */
static int64_t add_hold(struct lineage_spool *spool, bool is_new, const char *run_id, const char *event) {
    struct dp_buf head = {NULL, 0, 0};
    dp_buf_addf(&head, "%c%.63s ", is_new ? LINEAGE_NEW : LINEAGE_HELD, run_id);
    int64_t at = lineage_spool_add(spool, dp_buf_z(&head), dp_str_z(event));
    dp_buf_release(&head);
    return at;
}

/* With the lock held.  A program that never ends goes over to a new file, where most of the old one is of the past. */
static void freshen(struct post *p) {
    struct lineage_spool fresh = {.fd = -1};
    size_t live = p->bytes;
    for (size_t i = 0; i < p->n_held; i++) live += strlen(p->held[i].event);
    if (!p->spool.is_open || p->behind || p->spool.end < FRESH_BYTES || p->spool.end / 4 < live || !lineage_spool_open(&fresh, p->dir)) return;
    for (size_t i = 0; i < p->n_held; i++) p->held[i].at = add_hold(&fresh, false, p->held[i].run, p->held[i].event);
    for (struct event *e = p->head; e; e = e->next) e->at = lineage_spool_add(&fresh, "", dp_str(e->text, e->n));
    p->spool.waiting = 0;
    lineage_spool_close(&p->spool);
    p->spool = fresh;
}

static void queue(struct post *p, struct dp_str event) {
    struct event *e = dp_alloc(sizeof *e + event.n);
    *e = (struct event){.at = -1, .n = event.n};
    memcpy(e->text, event.p, event.n);
    pthread_mutex_lock(&p->lock);
    freshen(p);
    if (lineage_spool_open(&p->spool, p->dir)) e->at = lineage_spool_add(&p->spool, "", event);
    *p->tail = e;
    p->tail = &e->next;
    p->bytes += e->n;
    bound_queue(p);
    start_thread(p);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* ---- sending ---- */

/* An event that could not be delivered at once; false: it is lost. */
static bool keep_for_later(struct post *p, struct dp_str event) {
    bool kept = p->r->kind != LINEAGE_CONSOLE && lineage_spool_open(&p->spool, p->dir) && p->spool.end <= DP_LIMIT_SPOOL && lineage_spool_add(&p->spool, "", event) >= 0;
    if (kept) p->behind = true, p->waiting++;
    else p->lost++;
    return kept;
}

/* Has the receiver taken it, or will it? */
static bool send_to(struct post *p, struct dp_str event) {
    if (has_own_thread(p)) return queue(p, event), true;
    struct lineage_answer a;
    if (p->behind) return keep_for_later(p, event), false;
    if (deliver(p, event, &a) == LINEAGE_TAKEN) return true;
    note_trouble(p, &a);
    keep_for_later(p, event);
    return false;
}

static void spend(struct dp_lineage_sender *s, int64_t since) { s->spent += dp_time_monotonic_micros() - since; }

void dp_lineage_send(struct dp_lineage_sender *s, struct dp_str event) {
    struct dp_buf amended = {NULL, 0, 0};
    int64_t since = dp_time_monotonic_micros();
    size_t skipped = 0; /* group that has had enough */
    if (lineage_amends(s->c)) {
        if (!lineage_amend(s->c, event, &amended)) goto out;
        event = dp_buf_str(&amended);
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct lineage_receiver *r = s->posts[i].r;
        if (r->group && r->group == skipped) continue;
        bool taken = send_to(&s->posts[i], event);
        if (taken ? r->stop_on_success : r->stop_on_failure) skipped = r->group;
    }
out:
    dp_buf_release(&amended);
    spend(s, since);
}

/* ---- runs that are held open ---- */

static void hold_at(struct post *p, const char *run_id, struct dp_str event) {
    struct held *h = NULL;
    if (p->r->kind == LINEAGE_CONSOLE || !lineage_spool_open(&p->spool, p->dir)) return;
    freshen(p);
    for (size_t i = 0; i < p->n_held; i++)
        if (strcmp(p->held[i].run, run_id) == 0) h = &p->held[i];
    char *text = dp_strndup(event.p, event.n);
    int64_t at = add_hold(&p->spool, !h && has_own_thread(p), run_id, text); /* before the older one goes */
    if (at < 0) {
        free(text);
        return;
    }
    if (h) {
        lineage_spool_mark(&p->spool, h->at, LINEAGE_ENDED);
        free(h->event);
    } else {
        p->held = dp_grow(p->held, &p->cap_held, p->n_held + 1, sizeof *p->held);
        h = &p->held[p->n_held++];
        snprintf(h->run, sizeof h->run, "%.63s", run_id);
    }
    h->at = at;
    h->event = text;
}

void dp_lineage_hold(struct dp_lineage_sender *s, const char *run_id, struct dp_str abort_event) {
    struct dp_buf amended = {NULL, 0, 0};
    int64_t since = dp_time_monotonic_micros();
    bool told = !lineage_amends(s->c) || lineage_amend(s->c, abort_event, &amended);
    if (amended.n) abort_event = dp_buf_str(&amended);
    for (size_t i = 0; i < s->n && told; i++) {
        pthread_mutex_lock(&s->posts[i].lock);
        hold_at(&s->posts[i], run_id, abort_event);
        pthread_mutex_unlock(&s->posts[i].lock);
    }
    dp_buf_release(&amended);
    spend(s, since);
}

void dp_lineage_unhold(struct dp_lineage_sender *s, const char *run_id) {
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        pthread_mutex_lock(&p->lock);
        for (size_t k = 0; k < p->n_held; k++)
            if (strcmp(p->held[k].run, run_id) == 0) {
                lineage_spool_mark(&p->spool, p->held[k].at, LINEAGE_ENDED);
                free(p->held[k].event);
                p->held[k] = p->held[--p->n_held];
                break;
            }
        pthread_mutex_unlock(&p->lock);
    }
}

static bool in_time(struct post *p) { return dp_time_monotonic_ms() < p->until; }

void dp_lineage_reap(struct dp_lineage_sender *s) {
    int64_t since = dp_time_monotonic_micros(), now = since / 1000;
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        if (!p->dir || access(p->dir, F_OK) != 0) continue;
        if (has_own_thread(p)) {
            pthread_mutex_lock(&p->lock);
            p->reap = true;
            p->caught_up = false;
            start_thread(p);
            pthread_cond_broadcast(&p->wake);
            pthread_mutex_unlock(&p->lock);
        } else {
            p->until = now + REAP_MS;
            if (in_time(p)) (void)catch_up(p, in_time);
        }
    }
    spend(s, since);
}

/* ---- the sender ---- */

/* What names a receiver's place in the spool to the stages of a pipeline. */
static void add_place(const struct post *p, struct dp_buf *b) {
    if (p->dir) dp_buf_addf(b, "%s%016llx", b->n ? " " : "", (unsigned long long)XXH3_64bits(p->dir, strlen(p->dir)));
}

void dp_lineage_places(const struct dp_lineage_sender *s, struct dp_buf *b) {
    for (size_t i = 0; i < s->n; i++)
        if (has_own_thread(&s->posts[i])) add_place(&s->posts[i], b);
}

/* Does dp-run, which started us, send what we leave for this receiver? */
static bool is_led_here(const struct post *p) {
    const char *led = getenv(DP_LINEAGE_PLACES);
    struct dp_buf own = {NULL, 0, 0};
    if (!p->s->run->led || !led || !has_own_thread(p)) return false;
    add_place(p, &own);
    bool yes = own.n && strstr(led, dp_buf_z(&own));
    dp_buf_release(&own);
    return yes;
}

/* Does this store's own user want it to be cheap rather than up to date?  Not where so many wait that somebody should send them. */
static bool is_for_later(const struct post *p) {
    const char *later = getenv("DP_LINEAGE_LATER");
    struct lineage_names names;
    if (p->r->kind != LINEAGE_STORE || !p->dir || !later || strcmp(later, "1") != 0) return false;
    if (p->s->run->led) return true;
    (void)lineage_names_load(p->dir, LATER_FILES, &names);
    size_t n = names.n;
    lineage_names_release(&names);
    return n < LATER_FILES;
}

static void open_post(struct post *p, struct dp_lineage_sender *s, const struct lineage_receiver *r) {
    pthread_condattr_t monotonic;
    *p = (struct post){.s = s, .r = r, .wake_fd = {-1, -1}, .caught_up = true, .most = LINEAGE_NAMES};
    p->dir = lineage_spool_dir(r);
    p->tail = &p->head;
    p->is_led = is_led_here(p);
    p->later = p->is_led || is_for_later(p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_cond_init(&p->calm, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static struct dp_lineage_sender *open_sender(struct dp_run *run, struct dp_lineage_conf *conf) {
    struct dp_lineage_sender *s = dp_calloc(1, sizeof *s);
    s->run = run;
    s->c = conf;
    s->n = conf->n;
    s->holders = 1;
    s->posts = dp_calloc(conf->n ? conf->n : 1, sizeof *s->posts);
    for (size_t i = 0; i < s->n; i++) open_post(&s->posts[i], s, &conf->receivers[i]);
    for (size_t i = 0; i < conf->warnings.n && !conf->is_quiet; i++) dp_run_log(run, DP_LOG_WARN, "lineage: %s", conf->warnings.at[i]);
    return s;
}

struct dp_lineage_sender *dp_lineage_open(struct dp_run *run, struct dp_lineage_conf *conf) {
    struct dp_lineage_sender *s = open_sender(run, conf);
    if (!run->led) dp_lineage_reap(s); /* dp-run does it for its stages */
    return s;
}

/* Until the thread has nothing to do any more, is known to get nowhere, or it is late.  With the lock held. */
static void wait_calm(struct post *p, int64_t until_ms, bool also_away) {
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
    while (!p->done && !(also_away && p->away) && pthread_cond_timedwait(&p->calm, &p->lock, &until) != ETIMEDOUT) continue;
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

/* One warning for each receiver that is not told all; that events wait is one an hour. */
static void tell(const struct dp_lineage_sender *s, const struct post *p) {
    struct dp_buf b = {NULL, 0, 0};
    size_t refused = p->rejected + p->rejected_lost;
    size_t gone = refused + p->lost + p->dropped;
    if (p->waiting) dp_buf_addf(&b, "; %zu event%s wait%s in the spool", p->waiting, plural(p->waiting), p->waiting == 1 ? "s" : "");
    if (p->lost) dp_buf_addf(&b, "; %zu event%s %s lost%s%s", p->lost, plural(p->lost), p->lost == 1 ? "is" : "are", p->spool.sys_errno ? ", for the spool can't be written: " : "", p->spool.sys_errno ? strerror(p->spool.sys_errno) : "");
    if (refused) dp_buf_addf(&b, "; %zu event%s %s refused%s%s", refused, plural(refused), refused == 1 ? "was" : "were", p->rejected ? " and kept in " : "", p->rejected ? p->dir : "");
    if (p->dropped) dp_buf_addf(&b, "; %zu older event%s dropped, for the spool is full", p->dropped, p->dropped == 1 ? " was" : "s were");
    /* That some wait is no news each minute, and of a pipeline dp-run says it for all. */
    bool aloud = gone || (p->waiting && !p->is_left && !s->run->led && lineage_spool_may_tell(p->dir));
    if (b.n && !s->c->is_quiet && (gone || !p->is_left)) dp_run_log(s->run, aloud ? DP_LOG_WARN : DP_LOG_VERBOSE, "lineage: %s: %s%s", p->r->name, p->trouble.why[0] ? p->trouble.why : "no answer in time", dp_buf_z(&b));
    dp_buf_release(&b);
}

static void signal_stop(struct post *p) {
    if (!p->has_thread) return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    if (p->wake_fd[1] >= 0 && write(p->wake_fd[1], "", 1) < 0) p->stop = true;
    pthread_mutex_unlock(&p->lock);
}

static void await_stop(struct post *p, int64_t late_ms) {
    pthread_mutex_lock(&p->lock);
    wait_calm(p, late_ms, false);
    pthread_mutex_unlock(&p->lock);
}

/* A thread in a call that can't be ended, as the look-up of a name, is left alone: what it holds is its own then.  False: so it is. */
static bool part(struct dp_lineage_sender *s, struct post *p) {
    pthread_t thread = p->thread;
    if (p->has_thread) {
        pthread_mutex_lock(&p->lock);
        bool done = p->done;
        if (!done) p->orphan = true, atomic_fetch_add(&s->holders, 1);
        pthread_mutex_unlock(&p->lock);
        if (!done) {
            pthread_detach(thread);
            return false;
        }
        pthread_join(thread, NULL);
    }
    free_post(p);
    return true;
}

static void count_queue(struct post *p) {
    for (struct event *e = p->head; e; e = e->next) {
        if (e->at >= 0) p->waiting++;
        else p->lost++;
    }
}

static void close_post(struct dp_lineage_sender *s, struct post *p) {
    pthread_mutex_lock(&p->lock);
    count_queue(p);
    char *path = p->waiting && p->spool.path ? p->spool.path : NULL;
    if (path) {
        lineage_spool_close(&p->spool); /* unlocked, so that it counts among the oldest */
        if (!s->run->led) p->dropped += lineage_spool_trim(p->dir, dp_time_monotonic_ms() + TRIM_MS / (int64_t)s->n);
    }
    tell(s, p);
    lineage_spool_close(&p->spool);
    pthread_mutex_unlock(&p->lock);
}

/* When the caller has waited enough; monotonic ms. */
static int64_t end_of_budget(const struct dp_lineage_sender *s) {
    int64_t left = (s->run->led ? BUDGET_LED_MS : BUDGET_MS) - s->spent / 1000;
    return dp_time_monotonic_ms() + (left > LEAST_MS ? left : LEAST_MS);
}

bool dp_lineage_close(struct dp_lineage_sender *s) {
    if (!s) return true;
    int64_t until = end_of_budget(s);
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        pthread_mutex_lock(&p->lock);
        p->closing = true;
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        if (!p->has_thread) continue;
        pthread_mutex_lock(&p->lock);
        wait_calm(p, until, true);
        pthread_mutex_unlock(&p->lock);
    }
    int64_t late = dp_time_monotonic_ms() + STOP_MS;
    bool whole = true;
    for (size_t i = 0; i < s->n; i++) signal_stop(&s->posts[i]);
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        if (p->has_thread) await_stop(p, late);
        close_post(s, p);
        if (!part(s, p)) whole = false;
    }
    leave(s);
    return whole;
}

/* ---- the spool alone ---- */

static size_t count_left(const char *dir) {
    struct lineage_left l;
    struct lineage_names names = {.at = NULL};
    struct dp_buf event = {NULL, 0, 0};
    size_t n = 0;
    if (dir) (void)lineage_names_load(dir, SIZE_MAX, &names);
    while (dir && lineage_left_next(dir, &names, &l)) {
        int64_t place;
        while (lineage_left_event(&l, 0, &event, &place)) n++;
        lineage_left_close(&l, false);
    }
    lineage_names_release(&names);
    dp_buf_release(&event);
    return n;
}

enum dp_status dp_lineage_flush(struct dp_run *run, struct dp_lineage_conf *conf, int64_t wait_ms, struct dp_lineage_flushed *out, struct dp_err *err) {
    struct dp_lineage_sender *s = open_sender(run, conf);
    enum dp_status status = DP_OK;
    *out = (struct dp_lineage_flushed){0, 0, 0};
    for (size_t i = 0; i < s->n; i++) {
        struct post *p = &s->posts[i];
        p->until = dp_time_monotonic_ms() + wait_ms;
        p->most = SIZE_MAX;
        if (p->dir && wait_ms > 0) (void)catch_up(p, in_time);
        size_t waiting = count_left(p->dir);
        out->sent += p->sent_left;
        out->rejected += p->rejected + p->rejected_lost;
        out->waiting += waiting;
        if (waiting && wait_ms > 0 && status == DP_OK) status = dp_err_set(err, DP_AGAIN, "%s: %s", p->r->name, p->trouble.why[0] ? p->trouble.why : "no answer in time");
        free_post(p);
    }
    leave(s);
    return status;
}

static bool has_spool(const struct dp_lineage_conf *c) {
    char *dir = c ? lineage_spool_dir(&c->receivers[0]) : NULL;
    bool yes = dir && access(dir, F_OK) == 0;
    free(dir);
    return yes;
}

bool dp_lineage_waits(const char *store) {
    struct dp_lineage_conf *c = lineage_conf_of_store(store);
    bool yes = has_spool(c);
    dp_lineage_conf_free(c);
    return yes;
}

void dp_lineage_take_in(const char *store) {
    struct dp_run silent = {.program = "dp-lineage"};
    struct dp_lineage_flushed f;
    struct dp_err ignored = DP_ERR_INIT;
    struct dp_lineage_conf *c = lineage_conf_of_store(store);
    if (!has_spool(c)) dp_lineage_conf_free(c);
    else if (dp_lineage_flush(&silent, c, TAKE_IN_MS, &f, &ignored) != DP_OK) return; /* the store is read as it is */
}

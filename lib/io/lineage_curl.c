/*
 * A POST with libcurl, for https and where a proxy is named; opened with dlopen at the first one (7 ms and more, so not for plain HTTP nearby).  The few
 * functions and numbers of its ABI that are used are declared here and in lineage_priv.h.  Its multi interface, so that a wait can be ended.
 */
#include "lineage_priv.h"

#include <dp/base/time.h>

#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>

enum { /* CURLOPT_ */
    OPT_URL = 10002, OPT_POST = 47, OPT_POSTFIELDS = 10015, OPT_POSTFIELDSIZE = 30120, OPT_HTTPHEADER = 10023, OPT_WRITEDATA = 10001, OPT_WRITEFUNCTION = 20011,
    OPT_TIMEOUT_MS = 155, OPT_CONNECTTIMEOUT_MS = 156, OPT_NOSIGNAL = 99, OPT_VERIFYPEER = 64, OPT_VERIFYHOST = 81, OPT_PROTOCOLS = 181, OPT_CAINFO = 10065, OPT_ERRORBUFFER = 10010,
    OPT_QUICK_EXIT = 322
};
enum { INFO_STATUS = 0x200002, INFO_REDIRECT = 0x10001f, MSG_DONE = 1, GLOBAL_DEFAULT = 3, PROTOCOLS_HTTP = 3, ERROR_SIZE = 256 };
enum { E_PROXY = 5, E_HOST = 6, E_CONNECT = 7, E_TIMEOUT = 28, E_SSL_CONNECT = 35, E_PEER = 60, E_CERT_PROBLEM = 58, E_CA = 77 };

struct wait_fd { int fd; short events, revents; };            /* struct curl_waitfd */
struct message { int kind; void *easy; union { void *any; int result; } data; }; /* struct CURLMsg */

static bool failed(struct lineage_answer *a, enum lineage_trouble trouble, const char *why) {
    a->trouble = trouble;
    snprintf(a->why, sizeof a->why, "%s", why);
    return false;
}

static bool load(struct lineage_curl *c, struct lineage_answer *a) {
    const struct {
        const char *name;
        void *where;
    } names[] = {{"curl_global_init", &c->global_init}, {"curl_easy_init", &c->easy_init}, {"curl_easy_setopt", &c->setopt}, {"curl_easy_getinfo", &c->getinfo},
                 {"curl_easy_cleanup", &c->easy_cleanup}, {"curl_easy_strerror", &c->strerror}, {"curl_slist_append", &c->slist_append}, {"curl_slist_free_all", &c->slist_free},
                 {"curl_multi_init", &c->multi_init}, {"curl_multi_add_handle", &c->multi_add}, {"curl_multi_remove_handle", &c->multi_remove},
                 {"curl_multi_perform", &c->multi_perform}, {"curl_multi_wait", &c->multi_wait}, {"curl_multi_info_read", &c->multi_info}, {"curl_multi_cleanup", &c->multi_cleanup}};
    if (c->multi) return true;
    if (!c->failed) c->lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!c->failed && !c->lib) c->lib = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    bool good = !c->failed && c->lib;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && good; i++) {
        void *f = dlsym(c->lib, names[i].name);
        good = f != NULL;
        if (good) memcpy(names[i].where, &f, sizeof f);
    }
    good = good && c->global_init(GLOBAL_DEFAULT) == 0 && (c->easy = c->easy_init()) != NULL && (c->multi = c->multi_init()) != NULL;
    c->failed = !good;
    return good ? true : failed(a, LINEAGE_NOT_POSSIBLE, "https and proxies need libcurl.so.4 (package libcurl4 or libcurl3-gnutls), which can't be loaded");
}

static size_t take(char *p, size_t size, size_t n, void *to) {
    struct dp_buf *b = to;
    size_t room = b->n < LINEAGE_ANSWER ? LINEAGE_ANSWER - b->n : 0;
    dp_buf_add(b, p, n * size < room ? n * size : room);
    return n * size;
}

static void *make_header(struct lineage_curl *c, const char *head) {
    void *list = c->slist_append(NULL, "Expect:");
    for (const char *p = head, *end = strstr(p, "\r\n"); end; p = end + 2, end = strstr(p, "\r\n")) {
        char *line = dp_strndup(p, (size_t)(end - p));
        list = c->slist_append(list, line);
        memset(line, 0, (size_t)(end - p));
        free(line);
    }
    return list;
}

static const char *ca_file(void) {
    static const char *const names[] = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]) && *getenv(names[i])) return getenv(names[i]);
    return NULL;
}

static void set_up(struct lineage_curl *c, const struct lineage_request *rq, struct lineage_response *rs, void *header, char *error) {
    void *h = c->easy;
    c->setopt(h, OPT_URL, rq->url);
    c->setopt(h, OPT_POST, 1L);
    c->setopt(h, OPT_POSTFIELDS, rq->body.p);
    c->setopt(h, OPT_POSTFIELDSIZE, (int64_t)rq->body.n);
    c->setopt(h, OPT_HTTPHEADER, header);
    c->setopt(h, OPT_WRITEFUNCTION, take);
    c->setopt(h, OPT_WRITEDATA, &rs->body);
    c->setopt(h, OPT_TIMEOUT_MS, (long)rq->timeout_ms * 2);
    c->setopt(h, OPT_CONNECTTIMEOUT_MS, (long)rq->timeout_ms);
    c->setopt(h, OPT_NOSIGNAL, 1L);
    c->setopt(h, OPT_VERIFYPEER, rq->verify ? 1L : 0L);
    c->setopt(h, OPT_VERIFYHOST, rq->verify ? 2L : 0L);
    c->setopt(h, OPT_PROTOCOLS, (long)PROTOCOLS_HTTP);
    c->setopt(h, OPT_ERRORBUFFER, error);
    c->setopt(h, OPT_QUICK_EXIT, 1L); /* where it is older and knows it not: a name being looked up is waited for */
    if (ca_file()) c->setopt(h, OPT_CAINFO, ca_file());
}

static enum lineage_trouble trouble_of(int result) {
    switch (result) {
    case E_PEER: case E_CERT_PROBLEM: case E_CA: return LINEAGE_NOT_POSSIBLE;
    case E_PROXY: case E_HOST: case E_CONNECT: case E_SSL_CONNECT: return LINEAGE_NO_CONNECT;
    default: return LINEAGE_NO_READ;
    }
}

/* Curl's result, or -1: we were to stop. */
static int run(struct lineage_curl *c, const struct lineage_request *rq) {
    for (int running = 1; running;) {
        struct wait_fd wake = {.fd = rq->wake_fd, .events = POLLIN};
        int left = 0;
        if (c->multi_perform(c->multi, &running)) return E_CONNECT;
        for (struct message *m = c->multi_info(c->multi, &left); m; m = c->multi_info(c->multi, &left))
            if (m->kind == MSG_DONE) return m->data.result;
        if (running && c->multi_wait(c->multi, &wake, rq->wake_fd >= 0 ? 1 : 0, 1000, NULL)) return E_CONNECT;
        if (rq->wake_fd >= 0) {
            struct pollfd p = {.fd = rq->wake_fd, .events = POLLIN};
            if (poll(&p, 1, 0) > 0) return -1;
        }
    }
    return E_CONNECT;
}

bool lineage_curl_post(struct lineage_curl *c, const struct lineage_request *rq, struct lineage_response *rs, struct lineage_answer *a) {
    char error[ERROR_SIZE] = "", *redirect = NULL;
    long status = 0;
    if (!load(c, a)) return false;
    void *header = make_header(c, rq->head);
    set_up(c, rq, rs, header, error);
    c->multi_add(c->multi, c->easy);
    int result = run(c, rq);
    if (result == 0) {
        c->getinfo(c->easy, INFO_STATUS, &status);
        c->getinfo(c->easy, INFO_REDIRECT, &redirect);
        if (redirect) dp_buf_addz(&rs->location, redirect);
    }
    c->multi_remove(c->multi, c->easy);
    c->setopt(c->easy, OPT_ERRORBUFFER, NULL);
    c->setopt(c->easy, OPT_HTTPHEADER, NULL);
    c->slist_free(header);
    rs->status = (int)status;
    if (result == 0) return true;
    if (result < 0) return failed(a, LINEAGE_INTERRUPTED, "no answer in time");
    return failed(a, trouble_of(result), error[0] ? error : c->strerror(result));
}

void lineage_curl_close(struct lineage_curl *c) {
    if (c->easy) c->easy_cleanup(c->easy);
    if (c->multi) c->multi_cleanup(c->multi);
    *c = (struct lineage_curl){.lib = NULL};
}

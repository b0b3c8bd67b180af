/*
 * HTTP/1.1 (RFC 9112) as far as one POST and its answer need it, over a plain socket that is kept for the next: loading libcurl costs more than the whole
 * exchange with a receiver nearby.  Every wait ends when the wake descriptor is readable; only the look-up of a name can't be ended.
 * Not here: TLS and proxies (lineage_curl.c), trailers (passed over), pipelining.
 */
#include "lineage_priv.h"

#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 65536

static bool failed(struct lineage_answer *a, enum lineage_trouble trouble, const char *why) {
    a->trouble = trouble;
    snprintf(a->why, sizeof a->why, "%s", why);
    return false;
}

/* ---- waiting ---- */

/* False: time is up, or we are to stop. */
static bool wait_for(int fd, short events, int wake_fd, int64_t until, enum lineage_trouble late, struct lineage_answer *a) {
    for (;;) {
        int64_t left = until - dp_time_monotonic_ms();
        struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = wake_fd, .events = POLLIN}};
        int n = poll(p, wake_fd >= 0 ? 2 : 1, left > 0 ? left < 3600000 ? (int)left : 3600000 : 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(a, LINEAGE_NO_READ, strerror(errno));
        if (wake_fd >= 0 && p[1].revents) return failed(a, LINEAGE_INTERRUPTED, "no answer in time");
        if (p[0].revents) return true;
        if (left <= 0) return failed(a, late, late == LINEAGE_NO_CONNECT ? "no connection in time" : "no answer in time");
    }
}

/* ---- connecting ---- */

struct place { char *host, *port, *origin; const char *path; };

/* http://HOST[:PORT][/PATH][?QUERY]; the URL was checked when it was read. */
static void split(const char *url, struct place *p) {
    const char *host = url + strlen("http://"), *end = host + strcspn(host, "/?#"), *colon = NULL;
    const char *name = host, *name_end = end;
    if (*host == '[') {
        name = host + 1;
        name_end = memchr(host, ']', (size_t)(end - host));
        if (!name_end) name_end = end;
        colon = name_end < end && name_end[1] == ':' ? name_end + 1 : NULL;
    } else {
        colon = memchr(host, ':', (size_t)(end - host));
        if (colon) name_end = colon;
    }
    p->host = dp_strndup(name, (size_t)(name_end - name));
    p->port = colon && colon + 1 < end ? dp_strndup(colon + 1, (size_t)(end - colon) - 1) : dp_strdup("80");
    p->origin = dp_strndup(url, (size_t)(end - url));
    p->path = end;
}

static void release(struct place *p) {
    free(p->host);
    free(p->port);
    free(p->origin);
}

static bool connect_one(const struct addrinfo *ai, const struct lineage_request *rq, int64_t until, int *out, struct lineage_answer *a) {
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol), error = 0, one = 1;
    socklen_t size = sizeof error;
    if (fd < 0) return failed(a, LINEAGE_NO_CONNECT, strerror(errno));
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0) goto good;
    if (errno != EINPROGRESS) {
        failed(a, LINEAGE_NO_CONNECT, strerror(errno));
        goto bad;
    }
    if (!wait_for(fd, POLLOUT, rq->wake_fd, until, LINEAGE_NO_CONNECT, a)) goto bad;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)) error = errno;
    if (error) {
        failed(a, LINEAGE_NO_CONNECT, strerror(error));
        goto bad;
    }
good:
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *out = fd;
    return true;
bad:
    close(fd);
    return false;
}

static bool connect_to(struct lineage_wire *w, const struct place *p, const struct lineage_request *rq, struct lineage_answer *a) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int64_t until = dp_time_monotonic_ms() + rq->timeout_ms;
    int rc = getaddrinfo(p->host, p->port, &hints, &list);
    if (rc) return failed(a, LINEAGE_NO_CONNECT, gai_strerror(rc));
    for (struct addrinfo *ai = list; ai && !w->is_open; ai = ai->ai_next) {
        w->is_open = connect_one(ai, rq, until, &w->fd, a);
        if (!w->is_open && a->trouble == LINEAGE_INTERRUPTED) break;
    }
    freeaddrinfo(list);
    if (w->is_open) w->origin = dp_strdup(p->origin);
    return w->is_open;
}

void lineage_wire_close(struct lineage_wire *w) {
    if (w->is_open) close(w->fd);
    free(w->origin);
    *w = (struct lineage_wire){.is_open = false};
}

/* ---- the exchange ---- */

static bool send_all(const struct lineage_wire *w, const struct lineage_request *rq, struct dp_str text, int64_t until, struct lineage_answer *a) {
    while (text.n) {
        ssize_t n = send(w->fd, text.p, text.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return failed(a, LINEAGE_NO_READ, strerror(errno));
        if (n < 0 && !wait_for(w->fd, POLLOUT, rq->wake_fd, until, LINEAGE_NO_READ, a)) return false;
        if (n > 0) text.p += n, text.n -= (size_t)n;
    }
    return true;
}

/* More bytes behind b's; 0: the other side has closed; -1: failed. */
static int receive(const struct lineage_wire *w, const struct lineage_request *rq, struct dp_buf *b, int64_t until, struct lineage_answer *a) {
    for (;;) {
        if (!wait_for(w->fd, POLLIN, rq->wake_fd, until, LINEAGE_NO_READ, a)) return -1;
        ssize_t n = recv(w->fd, dp_buf_reserve(b, 16384), 16384, 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) continue;
        if (n < 0) return failed(a, LINEAGE_NO_READ, strerror(errno)), -1;
        b->n += (size_t)n;
        return n > 0;
    }
}

static bool header_is(struct dp_str line, const char *name, struct dp_str *value) {
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':') return false;
    for (size_t i = 0; i < n; i++)
        if ((line.p[i] | 32) != name[i] && line.p[i] != name[i]) return false;
    line.p += n + 1, line.n -= n + 1;
    while (line.n && (*line.p == ' ' || *line.p == '\t')) line.p++, line.n--;
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t' || line.p[line.n - 1] == '\r')) line.n--;
    *value = line;
    return true;
}

static bool has_word(struct dp_str list, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= list.n; i++) {
        size_t k = 0;
        while (k < n && (list.p[i + k] | 32) == word[k]) k++;
        if (k == n) return true;
    }
    return false;
}

struct shape { bool chunked, closes, has_length; uint64_t length; };

/* Head of an answer up to and with its blank line, or not yet all of it (0), or none (-1). */
static int64_t read_head(struct dp_str text, struct lineage_response *rs, struct shape *s) {
    size_t at = 0;
    *s = (struct shape){.closes = false};
    for (int line = 0;; line++) {
        const char *p = text.p + at, *end = memchr(p, '\n', text.n - at);
        if (!end) return text.n > HEAD_MAX ? -1 : 0;
        struct dp_str l = dp_str(p, (size_t)(end - p)), value;
        at += l.n + 1;
        if (l.n && l.p[l.n - 1] == '\r') l.n--;
        if (line == 0) {
            if (l.n < 12 || memcmp(l.p, "HTTP/1.", 7) != 0) return -1;
            rs->status = 0;
            for (int i = 9; i < 12; i++) {
                if (l.p[i] < '0' || l.p[i] > '9') return -1;
                rs->status = rs->status * 10 + (l.p[i] - '0');
            }
            s->closes = l.p[7] == '0';
            continue;
        }
        if (!l.n) return (int64_t)at;
        if (header_is(l, "content-length", &value)) {
            s->has_length = true;
            s->length = 0;
            for (size_t i = 0; i < value.n; i++) {
                if (value.p[i] < '0' || value.p[i] > '9' || s->length > 1000000000000) return -1;
                s->length = s->length * 10 + (uint64_t)(value.p[i] - '0');
            }
        }
        if (header_is(l, "transfer-encoding", &value)) s->chunked = has_word(value, "chunked");
        if (header_is(l, "connection", &value)) s->closes = has_word(value, "close") || (s->closes && !has_word(value, "keep-alive"));
        if (header_is(l, "location", &value)) dp_buf_reset(&rs->location), dp_buf_adds(&rs->location, value);
    }
}

/* Chunks of a body: 1 it is whole (joined in `out`), 0 not yet, -1 it is none. */
static int read_chunks(struct dp_str text, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t at = 0;;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        uint64_t size = 0;
        size_t digits = 0;
        if (!end) return 0;
        for (const char *p = text.p + at; p < end; p++, digits++) {
            int v = *p >= '0' && *p <= '9' ? *p - '0' : (*p | 32) >= 'a' && (*p | 32) <= 'f' ? (*p | 32) - 'a' + 10 : -1;
            if (v < 0) break;
            size = size * 16 + (uint64_t)v;
            if (size > LINEAGE_ANSWER) return -1;
        }
        if (!digits) return -1;
        at = (size_t)(end - text.p) + 1;
        if (!size) return text.n - at >= 2 || memchr(text.p + at, '\n', text.n - at) ? 1 : 0;
        if (text.n - at < size + 2) return 0;
        dp_buf_add(out, text.p + at, (size_t)size);
        at += (size_t)size;
        at += text.p[at] == '\r' ? 2 : 1;
    }
}

/* The body, as far as we want it; what is longer ends the connection. */
static bool read_body(struct lineage_wire *w, const struct lineage_request *rq, struct dp_buf *raw, const struct shape *s, struct lineage_response *rs, int64_t until, struct lineage_answer *a) {
    bool until_close = !s->chunked && !s->has_length, closes = s->closes || until_close;
    if (rs->status == 204 || rs->status == 304) return true;
    for (;;) {
        int whole = s->chunked ? read_chunks(dp_buf_str(raw), &rs->body) : s->has_length && raw->n >= s->length;
        if (whole < 0 || raw->n > LINEAGE_ANSWER) closes = true, whole = 1;
        if (!whole) {
            int n = receive(w, rq, raw, until, a);
            if (n < 0) return false;
            if (n > 0) continue;
            if (!until_close) return failed(a, LINEAGE_NO_READ, "the answer is cut off");
            whole = 1;
        }
        if (!s->chunked) dp_buf_add(&rs->body, raw->p, s->has_length && s->length < raw->n ? (size_t)s->length : raw->n);
        if (closes) lineage_wire_close(w);
        return true;
    }
}

/* False with *stale: the kept connection was closed before it answered anything. */
static bool exchange(struct lineage_wire *w, const struct lineage_request *rq, struct dp_str text, struct lineage_response *rs, bool *stale, struct lineage_answer *a) {
    int64_t until = dp_time_monotonic_ms() + rq->timeout_ms;
    struct dp_buf raw = {NULL, 0, 0};
    struct shape s;
    bool good = false, early = true;
    if (!send_all(w, rq, text, until, a)) goto out;
    for (;;) {
        int64_t head = raw.n ? read_head(dp_buf_str(&raw), rs, &s) : 0;
        if (head > 0) {
            memmove(raw.p, raw.p + head, raw.n - (size_t)head);
            raw.n -= (size_t)head;
            if (rs->status >= 200) break;
            continue; /* 1xx: the answer comes behind it */
        }
        if (head < 0) {
            failed(a, LINEAGE_NO_READ, "the answer is no HTTP");
            goto out;
        }
        int n = receive(w, rq, &raw, until, a);
        if (n == 0) failed(a, LINEAGE_NO_READ, "the connection was closed without an answer");
        if (n <= 0) goto out;
        early = false;
    }
    good = read_body(w, rq, &raw, &s, rs, until, a);
out:
    *stale = !good && early && a->trouble == LINEAGE_NO_READ && dp_time_monotonic_ms() < until;
    dp_buf_release(&raw);
    return good;
}

bool lineage_wire_post(struct lineage_wire *w, const struct lineage_request *rq, struct lineage_response *rs, struct lineage_answer *a) {
    struct place p;
    struct dp_buf text = {NULL, 0, 0};
    bool good = false, stale = false;
    split(rq->url, &p);
    const char *host = p.origin + strlen("http://");
    dp_buf_addf(&text, "POST %s%.*s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\n\r\n", *p.path == '/' ? "" : "/", (int)strcspn(p.path, "#"), p.path, host, rq->head, rq->body.n);
    dp_buf_adds(&text, rq->body);
    for (int tries = 0; tries < 2 && !good; tries++) {
        if (w->is_open && strcmp(w->origin, p.origin) != 0) lineage_wire_close(w);
        bool kept = w->is_open;
        if (!kept && !connect_to(w, &p, rq, a)) break;
        good = exchange(w, rq, dp_buf_str(&text), rs, &stale, a);
        if (!good) lineage_wire_close(w);
        if (!kept || !stale) break;
    }
    if (text.p) memset(text.p, 0, text.n);
    dp_buf_release(&text);
    release(&p);
    return good;
}

/*
 * One event to a receiver of HTTP: its header, the token, gzip, and what the answer means (spec lineage, section 4).
 *
 * 2xx: taken.  307 and 308 are followed, to another host without the secret.  A status of the retry list, and what never got an answer, is tried again.
 * 408, 425 and 429 ask for patience, and a 5xx that is not on the list may pass: the event waits.  Every other status, and so every other 4xx, refuses the event for good.
 * A key that is to be changed for a token (jwt, oauth2) is changed once and the token used until shortly before it ends.
 */
#include "lineage_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <stdlib.h>
#include <zlib.h>

#define REDIRECTS 5
#define TOKEN_MARGIN_MS 120000

struct lineage_poster {
    const struct lineage_http *h;
    int wake_fd;
    struct lineage_wire wire;
    struct lineage_curl curl;
    char *token;          /* secret; NULL: none yet */
    int64_t token_until;  /* monotonic ms; 0: one event only */
    bool has_proxy;
};

struct lineage_poster *lineage_poster_open(const struct lineage_http *h, int wake_fd) {
    struct lineage_poster *p = dp_calloc(1, sizeof *p);
    const char *proxy = getenv("http_proxy"), *all = getenv("all_proxy"), *upper = getenv("ALL_PROXY");
    p->h = h;
    p->wake_fd = wake_fd;
    p->has_proxy = (proxy && *proxy) || (all && *all) || (upper && *upper);
    return p;
}

static void forget(char **secret) {
    if (*secret) dp_wipe(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void lineage_poster_close(struct lineage_poster *p) {
    if (!p) return;
    lineage_wire_close(&p->wire);
    lineage_curl_close(&p->curl);
    forget(&p->token);
    free(p);
}

/* ---- exchange ---- */

static bool post(struct lineage_poster *p, struct lineage_request *rq, struct lineage_response *rs, struct lineage_answer *a) {
    rq->timeout_ms = p->h->timeout_ms;
    rq->verify = p->h->verify;
    rq->wake_fd = p->wake_fd;
    rs->status = 0;
    dp_buf_reset(&rs->body);
    dp_buf_reset(&rs->location);
    if (strncmp(rq->url, "http://", 7) == 0 && !p->has_proxy) return lineage_wire_post(&p->wire, rq, rs, a);
    return lineage_curl_post(&p->curl, rq, rs, a);
}

static bool same_origin(const char *a, const char *b) {
    const char *x = strstr(a, "://"), *y = strstr(b, "://");
    if (!x || !y) return false;
    size_t n = (size_t)(x + 3 - a) + strcspn(x + 3, "/?#"), m = (size_t)(y + 3 - b) + strcspn(y + 3, "/?#");
    return n == m && memcmp(a, b, n) == 0;
}

/* Where an answer sends us; NULL: nowhere that we go. Caller frees. */
static char *follow(const char *from, struct dp_buf *location) {
    const char *to = dp_buf_z(location);
    if (strncmp(to, "http://", 7) == 0 || (strncmp(to, "https://", 8) == 0)) return strchr(to, '@') ? NULL : dp_strdup(to);
    const char *host = strstr(from, "://");
    if (*to != '/' || to[1] == '/' || !host) return NULL;
    size_t n = (size_t)(host + 3 - from) + strcspn(host + 3, "/?#");
    char *out = dp_alloc(n + strlen(to) + 1);
    memcpy(out, from, n);
    memcpy(out + n, to, strlen(to) + 1);
    return out;
}

/* ---- tokens ---- */

static void add_form(struct dp_buf *b, const char *key, const char *value) {
    if (!value) return;
    dp_buf_addf(b, "%s%s=", b->n ? "&" : "", key);
    for (const char *p = value; *p; p++) {
        bool bare = (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr("-._*", *p);
        if (bare) dp_buf_addc(b, *p);
        else dp_buf_addf(b, "%%%02X", (unsigned)(unsigned char)*p);
    }
}

static void add_basic(struct dp_buf *b, const char *pair) {
    dp_buf_addz(b, "Authorization: Basic ");
    size_t from = b->n;
    dp_json_add_binary(b, dp_str_z(pair), false); /* base64 in quotes */
    memmove(b->p + from, b->p + from + 1, b->n - from - 1);
    b->n -= 2;
    dp_buf_addz(b, "\r\n");
}

/* Names of tokens are the same without regard to case and underscores. */
static uint32_t token_member(const struct dp_record *r, const char *name) {
    struct dp_buf key = {NULL, 0, 0};
    uint32_t found = 0;
    for (uint32_t i = 1; r->nodes[0].kind == DP_KIND_OBJECT && i < r->nodes[0].next && !found; i = r->nodes[i].next) {
        dp_buf_reset(&key);
        dp_json_decode(dp_node_str(r, i), &key);
        if (lineage_key_is(dp_buf_z(&key), name)) found = i + 1;
    }
    dp_buf_release(&key);
    return found;
}

static bool scan(struct dp_scan *s, struct dp_buf *text, struct dp_record *r) {
    struct dp_err ignored = DP_ERR_INIT;
    memset(dp_buf_reserve(text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    return dp_scan_value(s, text->p, text->n, r, &ignored) == DP_OK;
}

/* Seconds since 1970 at which a JSON web token ends; 0: it does not say. */
static int64_t jwt_end(struct dp_scan *s, const char *token) {
    const char *from = strchr(token, '.'), *to = from ? strchr(from + 1, '.') : NULL;
    struct dp_buf body = {NULL, 0, 0};
    struct dp_record r;
    int64_t end = 0;
    size_t n = 0;
    if (!to) return 0;
    size_t room = (size_t)(to - from);
    dp_buf_reserve(&body, room + DP_SCAN_PAD);
    if (dp_base64url_parse(dp_str(from + 1, room - 1), (uint8_t *)body.p, room, &n)) {
        body.n = n;
        uint32_t at = scan(s, &body, &r) ? token_member(&r, "exp") : 0;
        if (at && !dp_json_get_i64(&r, at, &end)) end = 0;
    }
    dp_buf_release(&body);
    return end;
}

static bool take_token(struct lineage_poster *p, struct lineage_response *rs, struct lineage_answer *a) {
    struct dp_scan *s = dp_scan_open(LINEAGE_ANSWER, DP_SCAN_AUTO);
    struct dp_record r;
    struct dp_buf token = {NULL, 0, 0};
    int64_t seconds = 0, now_s = dp_time_now_micros() / 1000000;
    bool good = false;
    if (scan(s, &rs->body, &r)) {
        for (size_t i = 0; i < p->h->token_fields.n && !good; i++) {
            uint32_t at = token_member(&r, p->h->token_fields.at[i]);
            good = at && dp_json_get_string(&r, at, &token) && token.n;
        }
        uint32_t at = token_member(&r, p->h->expires_field);
        if (at && !dp_json_get_i64(&r, at, &seconds)) seconds = 0;
    }
    for (size_t i = 0; i < token.n; i++) good = good && (unsigned char)token.p[i] > ' ' && token.p[i] != 127;
    if (good) {
        p->token = dp_buf_detach(&token);
        if (!seconds) seconds = jwt_end(s, p->token) - now_s;
        p->token_until = seconds > 0 ? dp_time_monotonic_ms() + seconds * 1000 - TOKEN_MARGIN_MS : 0;
    } else {
        a->trouble = LINEAGE_NOT_POSSIBLE;
        snprintf(a->why, sizeof a->why, "the answer of the token endpoint has no token");
    }
    if (token.p) dp_wipe(token.p, token.n);
    dp_buf_release(&token);
    dp_scan_close(s);
    return good;
}

static bool get_token(struct lineage_poster *p, struct lineage_answer *a) {
    const struct lineage_http *h = p->h;
    struct lineage_response rs = {0, {NULL, 0, 0}, {NULL, 0, 0}};
    struct dp_buf body = {NULL, 0, 0}, head = {NULL, 0, 0}, pair = {NULL, 0, 0};
    if (p->token && p->token_until > dp_time_monotonic_ms()) return true;
    forget(&p->token);
    dp_buf_addz(&head, "User-Agent: dp/" DP_VERSION "\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    if (h->auth == LINEAGE_AUTH_JWT) {
        add_form(&body, "grant_type", h->grant_type);
        add_form(&body, "response_type", h->response_type);
        add_form(&body, "apikey", h->secret);
    } else {
        add_form(&body, "grant_type", "client_credentials");
        add_form(&body, "scope", h->scope);
        if (h->secret_in_body) {
            add_form(&body, "client_id", h->client_id);
            add_form(&body, "client_secret", h->secret);
        } else { /* RFC 6749, 2.3.1: both are form-urlencoded first */
            struct dp_buf id = {NULL, 0, 0}, secret = {NULL, 0, 0};
            add_form(&id, "", h->client_id);
            add_form(&secret, "", h->secret);
            dp_buf_addf(&pair, "%s:%s", dp_buf_z(&id) + 1, dp_buf_z(&secret) + 1);
            add_basic(&head, dp_buf_z(&pair));
            dp_wipe(secret.p, secret.n);
            dp_buf_release(&id);
            dp_buf_release(&secret);
        }
    }
    struct lineage_request rq = {.url = h->token_url, .head = dp_buf_z(&head), .body = dp_buf_str(&body)};
    bool good = post(p, &rq, &rs, a);
    if (good && (rs.status < 200 || rs.status > 299)) {
        good = false;
        a->trouble = rs.status >= 500 ? LINEAGE_BAD_STATUS : LINEAGE_NOT_POSSIBLE;
        snprintf(a->why, sizeof a->why, "the token endpoint answered %d", rs.status);
    }
    good = good && take_token(p, &rs, a);
    struct dp_buf *all[] = {&rs.body, &rs.location, &body, &head, &pair};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->p) dp_wipe(all[i]->p, all[i]->n);
        dp_buf_release(all[i]);
    }
    return good;
}

/* ---- events ---- */

static bool has_header(const struct lineage_http *h, const char *name) {
    for (size_t i = 0; i < h->headers.n; i++)
        if (lineage_key_is(h->headers.at[i].key, name)) return true;
    return false;
}

static void add_head(const struct lineage_poster *p, bool with_secret, struct dp_buf *b) {
    const struct lineage_http *h = p->h;
    if (!has_header(h, "User-Agent")) dp_buf_addz(b, "User-Agent: dp/" DP_VERSION "\r\n");
    if (!has_header(h, "Accept")) dp_buf_addz(b, "Accept: application/json\r\n");
    if (!has_header(h, "Content-Type")) dp_buf_addz(b, "Content-Type: application/json\r\n");
    if (h->gzip) dp_buf_addz(b, "Content-Encoding: gzip\r\n");
    if (with_secret && !has_header(h, "Authorization")) {
        if (h->auth == LINEAGE_AUTH_BEARER) dp_buf_addf(b, "Authorization: Bearer %s\r\n", h->secret);
        else if (p->token) dp_buf_addf(b, "Authorization: Bearer %s\r\n", p->token);
        else if (h->basic) add_basic(b, h->basic);
    }
    for (size_t i = 0; i < h->headers.n; i++) {
        const struct lineage_pair *x = &h->headers.at[i];
        bool own = lineage_key_is(x->key, "Content-Length") || lineage_key_is(x->key, "Host") || lineage_key_is(x->key, "Transfer-Encoding") || (h->gzip && lineage_key_is(x->key, "Content-Encoding"));
        if (!own && (with_secret || !lineage_key_is(x->key, "Authorization"))) dp_buf_addf(b, "%s: %s\r\n", x->key, x->value);
    }
}

static bool compress_gzip(struct dp_str text, struct dp_buf *out) {
    z_stream z = {.zalloc = NULL};
    if (text.n > UINT32_MAX / 2 || deflateInit2(&z, 3, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    size_t room = deflateBound(&z, (unsigned long)text.n);
    union { const char *c; unsigned char *u; } in = {.c = text.p};
    z.next_in = in.u;
    z.avail_in = (unsigned)text.n;
    z.next_out = (unsigned char *)dp_buf_reserve(out, room);
    z.avail_out = (unsigned)room;
    bool good = deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->n += room - z.avail_out;
    deflateEnd(&z);
    return good;
}

static enum lineage_result judge(const struct lineage_http *h, int status, struct lineage_answer *a) {
    if (status >= 200 && status <= 299) return LINEAGE_TAKEN;
    snprintf(a->why, sizeof a->why, "it answered %d", status);
    a->trouble = LINEAGE_BAD_STATUS;
    for (size_t i = 0; i < h->n_status; i++)
        if (h->status[i] == status) return LINEAGE_AWAY;
    a->trouble = LINEAGE_NOT_POSSIBLE;
    return status == 408 || status == 425 || status == 429 || status >= 500 ? LINEAGE_AWAY : LINEAGE_REFUSED;
}

enum lineage_result lineage_post(struct lineage_poster *p, struct dp_str event, struct lineage_answer *a) {
    struct dp_buf packed = {NULL, 0, 0}, head = {NULL, 0, 0};
    struct lineage_response rs = {0, {NULL, 0, 0}, {NULL, 0, 0}};
    enum lineage_result result = LINEAGE_AWAY;
    char *url = dp_strdup(p->h->url);
    if (event.n && event.p[event.n - 1] == '\n') event.n--;
    if (p->h->gzip && compress_gzip(event, &packed)) event = dp_buf_str(&packed);
    if (p->h->auth > LINEAGE_AUTH_BEARER && !get_token(p, a)) goto out;
    for (int hop = 0; hop <= REDIRECTS; hop++) {
        dp_buf_reset(&head);
        add_head(p, same_origin(url, p->h->url), &head);
        struct lineage_request rq = {.url = url, .head = dp_buf_z(&head), .body = event};
        if (!post(p, &rq, &rs, a)) {
            result = LINEAGE_AWAY; /* whatever sent us here */
            break;
        }
        result = judge(p->h, rs.status, a);
        if (rs.status == 401 && p->h->auth > LINEAGE_AUTH_BEARER) p->token_until = 0;
        char *next = rs.status == 307 || rs.status == 308 ? follow(url, &rs.location) : NULL;
        if (!next) break;
        free(url);
        url = next;
    }
out:
    if (head.p) dp_wipe(head.p, head.n);
    dp_buf_release(&head);
    dp_buf_release(&packed);
    dp_buf_release(&rs.body);
    dp_buf_release(&rs.location);
    free(url);
    return result;
}

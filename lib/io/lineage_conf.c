/*
 * The tree of an OpenLineage configuration as receivers and what goes with them (spec lineage, section 4; the clients' own pages of their keys).
 *
 * DP_LINEAGE names one receiver and weighs more than any transport; tags, facets and filters count for it too.  A key that nobody knows is a
 * warning with the nearest word, a wrong value turns lineage off with one warning that names place and key: the run goes on.  What a client in a
 * JVM or an event loop has and a program of some milliseconds does not (circuit breakers, meters, thread pools, queue sizes) is passed over.
 * Not there: Kafka, Kinesis, Pub/Sub, NATS, object stores and vendors' own transports, transports of foreign classes, `transform`, key stores, trimming of
 * dataset names.  Each is told by name, and nothing is sent to it.
 */
#include "lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/path.h>
#include <dp/io/catalog.h>
#include <dp/rules/pattern.h>

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDPOINT "api/v1/lineage"
#define JWT_GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"

struct build {
    struct dp_lineage_conf *c;
    struct dp_err *err;
    const char *file;
    size_t depth; /* of composites */
};

void lineage_warn(struct dp_lineage_conf *c, const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c->warnings.n == c->warnings.cap) c->warnings.at = dp_grow(c->warnings.at, &c->warnings.cap, c->warnings.n + 1, sizeof *c->warnings.at);
    c->warnings.at[c->warnings.n++] = dp_arena_strdup(&c->arena, text);
}

/* ---- values ---- */

/* DP_USAGE at a node: "FILE:LINE: KEY: ..." or "VARIABLE: ..." */
static enum dp_status DP_PRINTF(4, 5) wrong(struct build *b, const struct lineage_node *at, const char *key, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    dp_err_set(b->err, DP_USAGE, "%s: %s", key, text);
    return dp_err_at(b->err, at->source, at->line, DP_NO_OFFSET), DP_USAGE;
}

static const char *where(const struct lineage_node *at, char out[320]) {
    if (at->line) snprintf(out, 320, "%.280s:%u", at->source, at->line);
    else snprintf(out, 320, "%.300s", at->source);
    return out;
}

static const char *kind_words(const struct lineage_node *n) {
    static const char *const words[] = {"null", "a boolean", "a number", "a string", "a list", "a map"};
    return words[n->kind];
}

static enum dp_status get_text(struct build *b, const struct lineage_node *map, const char *key, const char **out) {
    const struct lineage_node *n = lineage_get(map, key);
    if (!n) return DP_OK;
    if (n->kind >= LINEAGE_LIST) return wrong(b, n, key, "expected a text, got %s", kind_words(n));
    *out = n->text;
    return DP_OK;
}

static enum dp_status get_bool(struct build *b, const struct lineage_node *map, const char *key, bool *out) {
    const struct lineage_node *n = lineage_get(map, key);
    if (!n) return DP_OK;
    bool yes = n->kind < LINEAGE_LIST && lineage_key_is(n->text, "true"), no = n->kind < LINEAGE_LIST && lineage_key_is(n->text, "false");
    if (!yes && !no) return wrong(b, n, key, "expected true or false, got %.60s", n->text ? n->text : kind_words(n));
    *out = yes;
    return DP_OK;
}

static enum dp_status number_of(struct build *b, const struct lineage_node *n, const char *key, double low, double high, double *out) {
    double v = 0;
    if (n->kind >= LINEAGE_LIST || !dp_parse_double(dp_str_z(n->text), &v) || !(v >= low && v <= high))
        return wrong(b, n, key, "expected a number from %g to %g, got %.60s", low, high, n->text ? n->text : kind_words(n));
    *out = v;
    return DP_OK;
}

static enum dp_status get_number(struct build *b, const struct lineage_node *map, const char *key, double low, double high, double *out) {
    const struct lineage_node *n = lineage_get(map, key);
    return n ? number_of(b, n, key, low, high, out) : DP_OK;
}

static enum dp_status get_int(struct build *b, const struct lineage_node *map, const char *key, int low, int high, int *out) {
    double v = *out;
    const struct lineage_node *n = lineage_get(map, key);
    if (n && n->kind == LINEAGE_BOOL && lineage_key_is(n->text, "false")) return *out = 0, DP_OK; /* as in retry.read: false */
    DP_TRY(get_number(b, map, key, low, high, &v));
    if (v != (int)v) return wrong(b, n, key, "expected a whole number, got %.60s", n->text);
    *out = (int)v;
    return DP_OK;
}

static void add_word(struct lineage_words *w, const char *text) {
    if (w->n == w->cap) w->at = dp_grow(w->at, &w->cap, w->n + 1, sizeof *w->at);
    w->at[w->n++] = text;
}

static void add_pair(struct lineage_pairs *p, const char *key, const char *value, const char *source) {
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->at[i].key, key) == 0) {
            p->at[i] = (struct lineage_pair){key, value, source};
            return;
        }
    if (p->n == p->cap) p->at = dp_grow(p->at, &p->cap, p->n + 1, sizeof *p->at);
    p->at[p->n++] = (struct lineage_pair){key, value, source};
}

/* A list of texts, or one text with them in "[A;B]", "A;B" or "A,B". */
static enum dp_status get_words(struct build *b, const struct lineage_node *map, const char *key, struct lineage_words *out) {
    const struct lineage_node *n = lineage_get(map, key);
    if (!n) return DP_OK;
    if (n->kind == LINEAGE_MAP) return wrong(b, n, key, "expected a list, got a map");
    for (size_t i = 0; n->kind == LINEAGE_LIST && i < n->n; i++) {
        if (n->items[i].value->kind >= LINEAGE_LIST) return wrong(b, n->items[i].value, key, "expected a list of texts");
        if (n->items[i].value->kind != LINEAGE_NULL) add_word(out, n->items[i].value->text);
    }
    if (n->kind == LINEAGE_LIST) return DP_OK;
    char *text = dp_arena_strdup(&b->c->arena, n->text), *next = text;
    for (char *p = text; p; p = next) {
        next = strpbrk(p, ";,");
        if (next) *next++ = '\0';
        while (*p == ' ' || *p == '[') p++;
        size_t end = strlen(p);
        while (end && (p[end - 1] == ' ' || p[end - 1] == ']')) p[--end] = '\0';
        if (end) add_word(out, p);
    }
    return DP_OK;
}

/* A map of texts. */
static enum dp_status get_pairs(struct build *b, const struct lineage_node *map, const char *key, const char *source, struct lineage_pairs *out) {
    const struct lineage_node *n = lineage_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != LINEAGE_MAP) return wrong(b, n, key, "expected a map, got %s", kind_words(n));
    for (size_t i = 0; i < n->n; i++) {
        const struct lineage_node *v = n->items[i].value;
        if (v->kind >= LINEAGE_LIST) return wrong(b, v, key, "%.60s: expected a text, got %s", n->items[i].key, kind_words(v));
        if (v->kind != LINEAGE_NULL) add_pair(out, n->items[i].key, v->text, source);
    }
    return DP_OK;
}

static enum dp_status get_map(struct build *b, const struct lineage_node *map, const char *key, const struct lineage_node **out) {
    *out = lineage_get(map, key);
    return *out && (*out)->kind != LINEAGE_MAP ? wrong(b, *out, key, "expected a map, got %s", kind_words(*out)) : DP_OK;
}

/* Warns of keys that are none of `keys`. */
static void check_keys(struct build *b, const struct lineage_node *map, const char *what, const char *const *keys) {
    for (size_t i = 0; map && map->kind == LINEAGE_MAP && i < map->n; i++) {
        bool known = false;
        for (const char *const *k = keys; *k && !known; k++) known = lineage_key_is(map->items[i].key, *k);
        if (known) continue;
        const char *near = dp_str_nearest(map->items[i].key, keys);
        char place[320];
        lineage_warn(b->c, "%s: %s has no key %.60s%s%s%s", where(map->items[i].value, place), what, map->items[i].key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

/* ---- receivers ---- */

/* NULL: a file URL of another host, or without an absolute path. */
static char *absolute(struct dp_arena *a, const char *path) {
    char *local = dp_path_of_url(path), cwd[4096];
    if (!local) return NULL;
    bool whole = *local == '/' || !getcwd(cwd, sizeof cwd);
    char *out = whole ? dp_arena_strdup(a, local) : dp_arena_printf(a, "%s/%s", cwd, strncmp(local, "./", 2) == 0 ? local + 2 : local);
    free(local);
    return out;
}

static struct lineage_receiver *new_receiver(struct dp_lineage_conf *c, enum lineage_kind kind) {
    if (c->n == c->cap) c->receivers = dp_grow(c->receivers, &c->cap, c->n + 1, sizeof *c->receivers);
    struct lineage_receiver *r = &c->receivers[c->n++];
    c->n_made = c->n;
    *r = (struct lineage_receiver){.kind = kind, .append = true, .name = "console"};
    return r;
}

static void http_defaults(struct lineage_http *h) {
    static const int status[] = {500, 502, 503, 504};
    *h = (struct lineage_http){.timeout_ms = 5000, .verify = true, .retries = 5, .connect_retries = 5, .read_retries = 5, .status_retries = -1, .backoff = 0.3,
                               .retry_post = true, .n_status = 4, .grant_type = JWT_GRANT, .response_type = "token", .expires_field = "expires_in"};
    memcpy(h->status, status, sizeof status);
}

/* The address from scheme to the first of "/?#". */
static size_t origin_length(const char *url) {
    const char *host = strstr(url, "://");
    return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

/*
 * Where events are posted.  An endpoint is joined to the URL as a browser follows a link.  Without one, a URL whose path ends in no slash is
 * whole, as the Java client has it; else api/v1/lineage is joined.
 */
static const char *join_url(struct dp_arena *a, const char *url, const char *endpoint) {
    size_t origin = origin_length(url), n = origin + strcspn(url + origin, "?#");
    if (!endpoint && n > origin && url[n - 1] != '/') return dp_arena_strdup(a, url);
    if (!endpoint) endpoint = ENDPOINT;
    if (strstr(endpoint, "://")) return dp_arena_strdup(a, endpoint);
    if (*endpoint == '/') return dp_arena_printf(a, "%.*s%s", (int)origin, url, endpoint);
    while (n > origin && url[n - 1] != '/') n--;
    return dp_arena_printf(a, "%.*s%s%s", (int)n, url, n > origin ? "" : "/", endpoint);
}

static const char *decoded(struct dp_arena *a, const char *text, size_t n) {
    struct dp_buf b = {NULL, 0, 0};
    dp_delta_path_decode(dp_str(text, n), &b);
    const char *out = dp_arena_str(a, dp_buf_str(&b)).p;
    dp_buf_release(&b);
    return out;
}

/* Is what follows the host's colon a number?  Where it is not, a password with a slash in it is taken for host and path, and would be shown. */
static bool is_port_good(const char *from, const char *end) {
    const char *host = from, *colon = NULL;
    for (const char *p = from; p < end; p++)
        if (*p == '@') host = p + 1;
    for (const char *p = host; p < end; p++) {
        if (*p == ']') colon = NULL;
        else if (*p == ':') colon = p;
    }
    for (const char *p = colon ? colon + 1 : end; p < end; p++)
        if (*p < '0' || *p > '9') return false;
    return true;
}

/* Of http or https, with a host, and with nothing in it that would end the line of a request. */
static bool is_url(const char *url) {
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127) return false;
    return scheme && origin_length(url) > scheme && is_port_good(url + scheme, url + origin_length(url));
}

/* False: it is no http or https URL.  Sets url and basic, and the name to show. */
static bool set_url(struct dp_lineage_conf *c, struct lineage_receiver *r, const char *url, const char *endpoint) {
    struct dp_arena *a = &c->arena;
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t origin = scheme ? origin_length(url) : 0;
    if (!is_url(url)) return false;
    const char *at = NULL;
    for (size_t i = scheme; i < origin; i++)
        if (url[i] == '@') at = url + i;
    if (at) {
        r->http.basic = decoded(a, url + scheme, (size_t)(at - url) - scheme);
        url = dp_arena_printf(a, "%.*s%s", (int)scheme, url, at + 1);
        if (origin_length(url) <= scheme) return false;
    }
    r->http.url = join_url(a, url, endpoint);
    if (!is_url(r->http.url)) return false;
    r->name = dp_arena_printf(a, "%.*s", (int)strcspn(r->http.url, "?#"), r->http.url);
    return true;
}

static enum dp_status secret_from_file(struct build *b, const struct lineage_node *at, const char *path, const char **out) {
    struct dp_buf text = {NULL, 0, 0};
    struct stat st;
    if (stat(path, &st)) return wrong(b, at, "api_key_file", "can't look at %.200s: %s", path, strerror(errno));
    if (st.st_mode & 077) return wrong(b, at, "api_key_file", "%.200s can be read by others (mode %03o): chmod 600 it", path, (unsigned)(st.st_mode & 0777));
    struct dp_err e = DP_ERR_INIT;
    if (dp_file_read_regular(path, 65536, &text, &e) != DP_OK) {
        dp_buf_release(&text);
        return wrong(b, at, "api_key_file", "%.200s", e.msg);
    }
    size_t n = text.n;
    while (n && (unsigned char)text.p[n - 1] <= ' ') n--;
    *out = dp_arena_str(&b->c->arena, dp_str(text.p, n)).p;
    memset(text.p, 0, text.n);
    dp_buf_release(&text);
    return DP_OK;
}

/* A secret that stands in a file which others can read is used, as the clients do, and told of. */
static void check_secret_place(struct build *b, const struct lineage_node *at) {
    struct stat st;
    if (at && at->line && stat(at->source, &st) == 0 && (st.st_mode & 077))
        lineage_warn(b->c, "%s holds a secret and can be read by others (mode %03o): chmod 600 it", at->source, (unsigned)(st.st_mode & 0777));
}

static enum dp_status get_oauth2(struct build *b, const struct lineage_node *auth, struct lineage_http *h) {
    static const char *const keys[] = {"type", "client_id", "client_secret", "token_endpoint", "scope", "client_auth_method", "token_fields", "expires_in_field", "token_refresh_buffer", NULL};
    const char *method = "client_secret_basic";
    check_keys(b, auth, "auth", keys);
    DP_TRY(get_text(b, auth, "client_id", &h->client_id));
    DP_TRY(get_text(b, auth, "client_secret", &h->secret));
    DP_TRY(get_text(b, auth, "scope", &h->scope));
    DP_TRY(get_text(b, auth, "client_auth_method", &method));
    if (!h->client_id || !h->secret) return wrong(b, auth, "auth", "oauth2 needs client_id and client_secret");
    h->secret_in_body = strcmp(method, "client_secret_post") == 0;
    if (!h->secret_in_body && strcmp(method, "client_secret_basic") != 0)
        return wrong(b, lineage_get(auth, "client_auth_method"), "client_auth_method", "expected client_secret_basic or client_secret_post, got %.60s", method);
    h->auth = LINEAGE_AUTH_OAUTH2;
    check_secret_place(b, lineage_get(auth, "client_secret"));
    return DP_OK;
}

static enum dp_status get_key(struct build *b, const struct lineage_node *auth, struct lineage_http *h) {
    static const char *const keys[] = {"type", "api_key", "api_key_file", NULL};
    static const char *const jwt_keys[] = {"type", "api_key", "api_key_file", "token_endpoint", "token_fields", "expires_in_field", "grant_type", "response_type", "token_refresh_buffer", NULL};
    const char *path = NULL;
    bool jwt = h->auth == LINEAGE_AUTH_JWT;
    check_keys(b, auth, "auth", jwt ? jwt_keys : keys);
    DP_TRY(get_text(b, auth, "api_key", &h->secret));
    DP_TRY(get_text(b, auth, "api_key_file", &path));
    if (!h->secret && path) DP_TRY(secret_from_file(b, lineage_get(auth, "api_key_file"), path, &h->secret));
    else check_secret_place(b, lineage_get(auth, "api_key"));
    if (!h->secret || !*h->secret) return wrong(b, auth, "auth", "an apiKey is needed");
    if (!jwt) return DP_OK;
    DP_TRY(get_text(b, auth, "grant_type", &h->grant_type));
    return get_text(b, auth, "response_type", &h->response_type);
}

static enum dp_status get_auth(struct build *b, const struct lineage_node *transport, struct lineage_http *h) {
    const struct lineage_node *auth;
    const char *type = NULL;
    DP_TRY(get_map(b, transport, "auth", &auth));
    if (!auth || !auth->n) return DP_OK;
    DP_TRY(get_text(b, auth, "type", &type));
    if (!type) return DP_OK;
    if (strcmp(type, "oauth2") == 0) {
        DP_TRY(get_oauth2(b, auth, h));
    } else if (lineage_key_is(type, "api_key") || strcmp(type, "jwt") == 0) {
        h->auth = strcmp(type, "jwt") == 0 ? LINEAGE_AUTH_JWT : LINEAGE_AUTH_BEARER;
        DP_TRY(get_key(b, auth, h));
    } else {
        return wrong(b, lineage_get(auth, "type"), "auth.type", "expected api_key, jwt or oauth2, got %.60s", type);
    }
    for (const char *p = h->secret; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) return wrong(b, auth, "auth", "the secret holds a control character");
    if (h->auth == LINEAGE_AUTH_BEARER) return DP_OK;
    DP_TRY(get_text(b, auth, "token_endpoint", &h->token_url));
    DP_TRY(get_text(b, auth, "expires_in_field", &h->expires_field));
    DP_TRY(get_words(b, auth, "token_fields", &h->token_fields));
    if (!h->token_url) return wrong(b, auth, "auth", "%s needs a token_endpoint", type);
    if (!is_url(h->token_url))
        return wrong(b, lineage_get(auth, "token_endpoint"), "token_endpoint", "expected an http or https URL");
    if (!h->token_fields.n && h->auth == LINEAGE_AUTH_JWT) add_word(&h->token_fields, "token");
    if (h->token_fields.n < 2 && !lineage_get(auth, "token_fields")) add_word(&h->token_fields, "access_token");
    return DP_OK;
}

static enum dp_status get_retry(struct build *b, const struct lineage_node *transport, struct lineage_http *h) {
    static const char *const keys[] = {"total", "read", "connect", "backoff_factor", "status_forcelist", "allowed_methods", "status", "redirect", "other",
                                       "backoff_max", "backoff_jitter", "raise_on_status", "raise_on_redirect", "respect_retry_after_header", "remove_headers_on_redirect", NULL};
    const struct lineage_node *retry, *list;
    struct lineage_words methods = {NULL, 0, 0};
    DP_TRY(get_map(b, transport, "retry", &retry));
    if (!retry) return DP_OK;
    check_keys(b, retry, "retry", keys);
    DP_TRY(get_int(b, retry, "total", 0, 1000, &h->retries));
    DP_TRY(get_int(b, retry, "read", 0, 1000, &h->read_retries));
    DP_TRY(get_int(b, retry, "connect", 0, 1000, &h->connect_retries));
    DP_TRY(get_int(b, retry, "status", 0, 1000, &h->status_retries));
    DP_TRY(get_number(b, retry, "backoff_factor", 0, 3600, &h->backoff));
    list = lineage_get(retry, "status_forcelist");
    if (list && list->kind != LINEAGE_LIST) return wrong(b, list, "status_forcelist", "expected a list of status codes, got %s", kind_words(list));
    if (list) h->n_status = 0;
    for (size_t i = 0; list && i < list->n; i++) {
        double v = 0;
        if (h->n_status == sizeof h->status / sizeof h->status[0]) return wrong(b, list, "status_forcelist", "more than %zu status codes", h->n_status);
        DP_TRY(number_of(b, list->items[i].value, "status_forcelist", 100, 999, &v));
        h->status[h->n_status++] = (int)v;
    }
    enum dp_status status = get_words(b, retry, "allowed_methods", &methods);
    if (status == DP_OK && lineage_get(retry, "allowed_methods")) {
        h->retry_post = false;
        for (size_t i = 0; i < methods.n; i++) h->retry_post = h->retry_post || lineage_key_is(methods.at[i], "POST");
    }
    free(methods.at);
    return status;
}

static void add_parameters(struct dp_arena *a, struct lineage_http *h, const struct lineage_pairs *params) {
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addz(&b, h->url);
    for (size_t i = 0; i < params->n; i++) {
        const char *part[2] = {params->at[i].key, params->at[i].value};
        if (strncmp(part[0], "url.param.", 10) == 0) part[0] += 10;
        for (int k = 0; k < 2; k++) {
            dp_buf_addc(&b, k ? '=' : i || strchr(h->url, '?') ? '&' : '?');
            for (const char *p = part[k]; *p; p++) {
                bool bare = (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr("-._~", *p);
                if (bare) dp_buf_addc(&b, *p);
                else dp_buf_addf(&b, "%%%02X", (unsigned)(unsigned char)*p);
            }
        }
    }
    h->url = dp_arena_str(a, dp_buf_str(&b)).p;
    dp_buf_release(&b);
}

static enum dp_status get_timeout(struct build *b, const struct lineage_node *t, struct lineage_http *h) {
    double seconds = 5, millis = -1;
    DP_TRY(get_number(b, t, "timeout", 0.001, 3600, &seconds));
    DP_TRY(get_number(b, t, "timeout_in_millis", 1, 3600000, &millis));
    h->timeout_ms = millis > 0 ? (int64_t)millis : (int64_t)(seconds * 1000);
    return DP_OK;
}

/* A header that would end its line, or set what is ours to set, is none. */
static enum dp_status check_headers(struct build *b, const struct lineage_node *t, const struct lineage_http *h) {
    for (size_t i = 0; i < h->headers.n; i++) {
        bool good = h->headers.at[i].key[0] != '\0';
        for (const char *p = h->headers.at[i].key; *p; p++) good = good && (unsigned char)*p > ' ' && *p != ':' && *p != 127;
        for (const char *p = h->headers.at[i].value; *p; p++) good = good && ((unsigned char)*p >= ' ' || *p == '\t') && *p != 127;
        if (!good) return wrong(b, t, "custom_headers", "%.60s is no header", h->headers.at[i].key);
    }
    return DP_OK;
}

static enum dp_status add_http(struct build *b, const struct lineage_node *t, struct lineage_receiver *r) {
    static const char *const keys[] = {"type", "name", "priority", "url", "endpoint", "timeout", "timeout_in_millis", "verify", "auth", "compression", "custom_headers", "headers",
                                       "url_params", "retry", "max_queue_size", "max_concurrent_requests", "ssl_context_config", "session", "adapter", NULL};
    struct lineage_http *h = &r->http;
    struct lineage_pairs params = {NULL, 0, 0};
    const char *url = NULL, *endpoint = NULL, *compression = NULL;
    check_keys(b, t, "an http transport", keys);
    http_defaults(h);
    DP_TRY(get_text(b, t, "url", &url));
    DP_TRY(get_text(b, t, "endpoint", &endpoint));
    if (!url) return wrong(b, t, "transport", "http needs a url");
    if (!set_url(b->c, r, url, endpoint && *endpoint ? endpoint : NULL)) return wrong(b, lineage_get(t, "url"), "url", "expected an http or https URL");
    if (lineage_get(t, "ssl_context_config")) return wrong(b, lineage_get(t, "ssl_context_config"), "sslContextConfig", "Java key stores are not supported");
    DP_TRY(get_timeout(b, t, h));
    DP_TRY(get_bool(b, t, "verify", &h->verify));
    DP_TRY(get_text(b, t, "compression", &compression));
    if (compression && !lineage_key_is(compression, "gzip")) return wrong(b, lineage_get(t, "compression"), "compression", "expected gzip, got %.60s", compression);
    h->gzip = compression != NULL;
    DP_TRY(get_pairs(b, t, "custom_headers", NULL, &h->headers));
    DP_TRY(get_pairs(b, t, "headers", NULL, &h->headers));
    DP_TRY(check_headers(b, t, h));
    DP_TRY(get_auth(b, t, h));
    DP_TRY(get_retry(b, t, h));
    enum dp_status status = get_pairs(b, t, "url_params", NULL, &params);
    if (status == DP_OK) add_parameters(&b->c->arena, h, &params);
    free(params.at);
    return status;
}

static enum dp_status add_file(struct build *b, const struct lineage_node *t, struct lineage_receiver *r) {
    static const char *const keys[] = {"type", "name", "priority", "log_file_path", "location", "append", "debug_mode", "storage_options", "filesystem", "fs_kwargs", NULL};
    const char *path = NULL, *location = NULL;
    check_keys(b, t, "a file transport", keys);
    DP_TRY(get_text(b, t, "log_file_path", &path));
    DP_TRY(get_text(b, t, "location", &location));
    if (!path && !location) return wrong(b, t, "transport", "file needs a log_file_path");
    r->append = !path; /* the Java client appends to its location */
    DP_TRY(get_bool(b, t, "append", &r->append));
    DP_TRY(get_bool(b, t, "debug_mode", &r->pretty));
    if (r->append) r->pretty = false;
    if (!path) path = location;
    const struct lineage_node *fs = lineage_get(t, "filesystem");
    if (fs) return wrong(b, fs, "filesystem", "file systems of Python are not supported");
    const struct lineage_node *at = lineage_get(t, lineage_get(t, "log_file_path") ? "log_file_path" : "location");
    if (strstr(path, "://") && strncasecmp(path, "file:", 5) != 0) return wrong(b, at, "log_file_path", "object stores are not supported: %.*s", (int)strcspn(path, ":"), path);
    r->path = absolute(&b->c->arena, path);
    if (!r->path) return wrong(b, at, "log_file_path", "expected file:/PATH or file:///PATH, an absolute path of this machine, got %.200s", path);
    r->name = dp_arena_printf(&b->c->arena, "file %s", r->path);
    return DP_OK;
}

static enum dp_status add_transport(struct build *b, const struct lineage_node *t, const char *name);

static int by_priority(const void *a, const void *b) {
    const struct lineage_receiver *x = a, *y = b;
    return x->priority != y->priority ? (x->priority > y->priority ? -1 : 1) : strcmp(x->name, y->name);
}

static enum dp_status add_composite(struct build *b, const struct lineage_node *t) {
    static const char *const keys[] = {"type", "name", "priority", "transports", "continue_on_failure", "continue_on_success", "sort_transports", "with_thread_pool", NULL};
    const struct lineage_node *list = lineage_get(t, "transports");
    bool on_failure = true, on_success = true, sort = false;
    check_keys(b, t, "a composite transport", keys);
    if (!list || list->kind < LINEAGE_LIST) return wrong(b, list ? list : t, "transports", "expected a list or a map of transports");
    DP_TRY(get_bool(b, t, "continue_on_failure", &on_failure));
    DP_TRY(get_bool(b, t, "continue_on_success", &on_success));
    DP_TRY(get_bool(b, t, "sort_transports", &sort));
    if (++b->depth > 8) return wrong(b, t, "transports", "composite transports are nested more than 8 deep");
    size_t from = b->c->n, group = ++b->c->n_groups;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].value->kind != LINEAGE_NULL && !(list->items[i].value->kind == LINEAGE_MAP && !list->items[i].value->n))
            DP_TRY(add_transport(b, list->items[i].value, list->items[i].key));
    b->depth--;
    if (sort && b->c->n > from) qsort(b->c->receivers + from, b->c->n - from, sizeof *b->c->receivers, by_priority);
    for (size_t i = from; i < b->c->n; i++) {
        struct lineage_receiver *r = &b->c->receivers[i];
        if (!r->group) r->group = group, r->stop_on_success = !on_success, r->stop_on_failure = !on_failure;
    }
    return DP_OK;
}

static const char *const transport_types[] = {"http", "async_http", "file", "console", "composite", "noop", "kafka", "kinesis", "msk-iam", "nats", "pubsub", "gcplineage", "gcs", "s3",
                                              "dataplex", "datadog", "amazon_datazone_api", "datazone", "transform", NULL};

static enum dp_status no_transport(struct build *b, const struct lineage_node *type) {
    char place[320];
    for (const char *const *t = transport_types; *t; t++)
        if (lineage_key_is(type->text, *t)) {
            lineage_warn(b->c, "%s: the OpenLineage transport %s is not supported: nothing is sent to it", where(type, place), *t);
            return DP_OK;
        }
    const char *near = dp_str_nearest(type->text, transport_types);
    return wrong(b, type, "transport.type", "there is no transport %.60s%s%s%s", type->text, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum dp_status add_transport(struct build *b, const struct lineage_node *t, const char *name) {
    static const char *const console_keys[] = {"type", "name", "priority", NULL};
    if (t->kind != LINEAGE_MAP) return wrong(b, t, name ? name : "transport", "expected a map, got %s", kind_words(t));
    const struct lineage_node *type = lineage_get(t, "type");
    if (!type) return wrong(b, t, name ? name : "transport", "a transport needs a type");
    b->c->is_told = true;
    if (type->kind >= LINEAGE_LIST) return wrong(b, type, "type", "expected a text, got %s", kind_words(type));
    if (lineage_key_is(type->text, "noop")) return DP_OK;
    if (lineage_key_is(type->text, "composite")) return add_composite(b, t);
    bool http = lineage_key_is(type->text, "http") || lineage_key_is(type->text, "async_http"), file = lineage_key_is(type->text, "file");
    if (!http && !file && !lineage_key_is(type->text, "console")) return no_transport(b, type);
    struct lineage_receiver r = {.kind = http ? LINEAGE_HTTP : file ? LINEAGE_FILE : LINEAGE_CONSOLE, .append = true, .name = "console"};
    double priority = 0;
    enum dp_status status = get_number(b, t, "priority", -1e9, 1e9, &priority);
    r.priority = (int64_t)priority;
    if (status == DP_OK && http) status = add_http(b, t, &r);
    else if (status == DP_OK && file) status = add_file(b, t, &r);
    else if (status == DP_OK) check_keys(b, t, "a console transport", console_keys);
    *new_receiver(b->c, r.kind) = r; /* also where it is wrong: who frees the configuration frees its lists */
    return status;
}

/* ---- what goes with them ---- */

/* Java's spelling: "key:value:source", several parted by ";". */
static enum dp_status get_tag_words(struct build *b, const struct lineage_node *map, struct lineage_pairs *out) {
    struct lineage_words words = {NULL, 0, 0};
    enum dp_status status = get_words(b, map, "tags", &words);
    for (size_t i = 0; i < words.n && status == DP_OK; i++) {
        char *key = dp_arena_strdup(&b->c->arena, words.at[i]), *value = strchr(key, ':'), *source = value ? strchr(value + 1, ':') : NULL;
        if (value) *value++ = '\0';
        if (source) *source++ = '\0';
        add_pair(out, key, value ? value : "true", source ? source : "USER");
    }
    free(words.at);
    return status;
}

static enum dp_status get_tags(struct build *b, const struct lineage_node *root) {
    static const char *const tag_keys[] = {"job", "run", NULL}, *const job_keys[] = {"namespace", "name", "tags", "owners", "ownership", NULL}, *const run_keys[] = {"tags", NULL};
    const struct lineage_node *tags, *job, *run;
    struct dp_lineage_conf *c = b->c;
    DP_TRY(get_map(b, root, "tags", &tags));
    DP_TRY(get_map(b, root, "job", &job));
    DP_TRY(get_map(b, root, "run", &run));
    check_keys(b, tags, "tags", tag_keys);
    check_keys(b, job, "job", job_keys);
    check_keys(b, run, "run", run_keys);
    DP_TRY(get_pairs(b, tags, "job", "USER", &c->job_tags));
    DP_TRY(get_pairs(b, tags, "run", "USER", &c->run_tags));
    DP_TRY(get_tag_words(b, job, &c->job_tags));
    DP_TRY(get_tag_words(b, run, &c->run_tags));
    DP_TRY(get_text(b, job, "namespace", &c->ns));
    DP_TRY(get_pairs(b, job, "owners", NULL, &c->owners));
    return get_pairs(b, job, "ownership", NULL, &c->owners);
}

static enum dp_status get_location(struct build *b, const struct lineage_node *facets) {
    static const char *const keys[] = {"disabled", "repo_url", "version", "tag", "branch", "pull_request_number", NULL};
    static const struct { const char *key, *member; } members[] = {{"repo_url", "repoUrl"}, {"version", "version"}, {"tag", "tag"}, {"branch", "branch"}, {"pull_request_number", "pullRequestNumber"}};
    const struct lineage_node *scl;
    bool disabled = true;
    DP_TRY(get_map(b, facets, "source_code_location", &scl));
    if (!scl) return DP_OK;
    check_keys(b, scl, "source_code_location", keys);
    DP_TRY(get_bool(b, scl, "disabled", &disabled));
    for (size_t i = 0; i < sizeof members / sizeof members[0] && !disabled; i++) {
        const char *text = NULL;
        DP_TRY(get_text(b, scl, members[i].key, &text));
        if (text && *text) add_pair(&b->c->location, members[i].member, text, NULL);
    }
    return DP_OK;
}

static enum dp_status get_facets(struct build *b, const struct lineage_node *root) {
    static const char *const keys[] = {"environment_variables", "custom_environment_variables", "disabled", "source_code_location", NULL};
    const struct lineage_node *facets;
    DP_TRY(get_map(b, root, "facets", &facets));
    if (!facets) return DP_OK;
    DP_TRY(get_words(b, facets, "environment_variables", &b->c->variables));
    DP_TRY(get_words(b, facets, "custom_environment_variables", &b->c->variables));
    DP_TRY(get_words(b, facets, "disabled", &b->c->facets_off));
    DP_TRY(get_location(b, facets));
    for (size_t i = 0; i < facets->n; i++) {
        const struct lineage_item *f = &facets->items[i];
        bool off = false, own = false;
        for (const char *const *k = keys; *k; k++) own = own || lineage_key_is(f->key, *k);
        if (own) continue;
        if (f->value->kind != LINEAGE_MAP) { /* a facet by its name has a map, anything else is a slip */
            struct lineage_node one = *facets;
            one.items = &facets->items[i];
            one.n = 1;
            check_keys(b, &one, "facets", keys);
            continue;
        }
        DP_TRY(get_bool(b, f->value, "disabled", &off));
        if (off) add_word(&b->c->facets_off, f->key);
    }
    return DP_OK;
}

static enum dp_status add_filter(struct build *b, const struct lineage_node *f) {
    static const char *const keys[] = {"type", "match", "regex", NULL};
    const char *type = NULL, *match = NULL, *regex = NULL;
    struct lineage_filter made = {NULL, NULL};
    char place[320];
    if (f->kind != LINEAGE_MAP) return wrong(b, f, "filters", "expected a map, got %s", kind_words(f));
    check_keys(b, f, "a filter", keys);
    DP_TRY(get_text(b, f, "type", &type));
    DP_TRY(get_text(b, f, "match", &match));
    DP_TRY(get_text(b, f, "regex", &regex));
    if (type && strcmp(type, "exact") == 0 && match) {
        made.exact = match;
    } else if (type && strcmp(type, "regex") == 0 && regex) {
        char *anchored = dp_arena_printf(&b->c->arena, "^(?:%s)", regex); /* from the start of the name, as the client matches */
        struct dp_err e = DP_ERR_INIT;
        if (dp_pattern_compile(dp_str_z(anchored), &made.regex, &e) != DP_OK) return wrong(b, f, "filters", "%.200s", e.msg);
    } else {
        lineage_warn(b->c, "%s: filters: expected type exact with match, or type regex with regex; this one keeps nothing back", where(f, place));
        return DP_OK;
    }
    struct dp_lineage_conf *c = b->c;
    if (c->n_filters == c->cap_filters) c->filters = dp_grow(c->filters, &c->cap_filters, c->n_filters + 1, sizeof *c->filters);
    c->filters[c->n_filters++] = made;
    return DP_OK;
}

static enum dp_status get_filters(struct build *b, const struct lineage_node *root) {
    const struct lineage_node *filters = lineage_get(root, "filters");
    if (!filters) return DP_OK;
    if (filters->kind != LINEAGE_LIST) return wrong(b, filters, "filters", "expected a list, got %s", kind_words(filters));
    for (size_t i = 0; i < filters->n; i++) DP_TRY(add_filter(b, filters->items[i].value));
    return DP_OK;
}

/* ---- DP_LINEAGE ---- */

static enum dp_status from_dp_lineage(struct dp_lineage_conf *c, const char *what, struct dp_err *err) {
    struct stat st;
    if (strcmp(what, "console") == 0) {
        new_receiver(c, LINEAGE_CONSOLE);
        return DP_OK;
    }
    size_t scheme = strspn(what, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (strncmp(what + scheme, "://", 3) == 0 && strncasecmp(what, "file:", 5) != 0) {
        struct lineage_receiver *r = new_receiver(c, LINEAGE_HTTP);
        http_defaults(&r->http);
        if (strncmp(what, "http://", 7) != 0 && strncmp(what, "https://", 8) != 0)
            return dp_err_set(err, DP_USAGE, "DP_LINEAGE: %.*s is no receiver of lineage (a file, a store NAME.db, an http or https URL, console or none)", (int)scheme, what);
        if (!set_url(c, r, what, NULL)) return dp_err_set(err, DP_USAGE, "DP_LINEAGE: expected http://HOST[:PORT][/PATH]");
        const char *key = getenv("OPENLINEAGE_API_KEY");
        if (key && *key) r->http.auth = LINEAGE_AUTH_BEARER, r->http.secret = dp_arena_strdup(&c->arena, key);
        return DP_OK;
    }
    bool store = dp_catalog_is_store(what);
    struct lineage_receiver *r = new_receiver(c, store ? LINEAGE_STORE : LINEAGE_FILE);
    r->path = absolute(&c->arena, what);
    if (!r->path) return dp_err_set(err, DP_USAGE, "DP_LINEAGE: expected file:/PATH or file:///PATH, an absolute path of this machine, got %.300s", what);
    r->name = dp_arena_printf(&c->arena, "%s %s", store ? "store" : "file", r->path);
    if (stat(r->path, &st) == 0 && S_ISDIR(st.st_mode)) return dp_err_set(err, DP_USAGE, "DP_LINEAGE: %.300s is a directory (a file of events, a store NAME.db, a URL, console or none)", what);
    return DP_OK;
}

struct dp_lineage_conf *lineage_conf_of_store(const char *path) {
    struct dp_lineage_conf *c = dp_calloc(1, sizeof *c);
    struct lineage_receiver *r = new_receiver(c, LINEAGE_STORE);
    c->is_quiet = true;
    r->path = absolute(&c->arena, path);
    r->name = "store";
    if (r->path) return c;
    dp_lineage_conf_free(c);
    return NULL;
}

enum dp_status dp_lineage_check(struct dp_err *err) {
    const char *own = getenv("DP_LINEAGE");
    if (!own || !*own || strcmp(own, "none") == 0 || strcmp(own, "noop") == 0) return DP_OK;
    struct dp_lineage_conf *c = dp_calloc(1, sizeof *c);
    enum dp_status status = from_dp_lineage(c, own, err);
    dp_lineage_conf_free(c);
    return status;
}

/* ---- all ---- */

static bool is_off(void) {
    const char *off = getenv("OPENLINEAGE_DISABLED"), *own = getenv("DP_LINEAGE");
    if (own && (strcmp(own, "none") == 0 || strcmp(own, "noop") == 0)) return true;
    while (off && *off == ' ') off++;
    return off && lineage_key_is(off, "true");
}

/* One look at the environment: does a variable name a receiver, or parts of one? */
static bool is_named(void) {
    extern char **environ;
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "OPENLINEAGE_", 12) == 0 && (strncmp(*e + 12, "_", 1) == 0 || strncmp(*e + 12, "URL=", 4) == 0 || strncmp(*e + 12, "CONFIG=", 7) == 0)) return true;
    return false;
}

/* What OPENLINEAGE_URL stands for in a composite has no place in another transport. */
static void drop_alias(struct lineage_node *transport) {
    const struct lineage_node *type = lineage_get(transport, "type"), *members = lineage_get(transport, "transports");
    if (!members || strcmp(members->source, "OPENLINEAGE_URL") != 0 || (type->text && lineage_key_is(type->text, "composite"))) return;
    for (size_t i = 0; i < transport->n; i++)
        if (transport->items[i].value == members) {
            transport->items[i] = transport->items[--transport->n];
            return;
        }
}

static enum dp_status from_tree(struct build *b, bool has_receiver) {
    static const char *const keys[] = {"transport", "facets", "filters", "tags", "job", "run", "dataset", "circuit_breaker", "metrics", "lineage", NULL};
    struct dp_lineage_conf *c = b->c;
    struct lineage_node *root = NULL;
    const struct lineage_node *transport;
    char place[320];
    DP_TRY(lineage_tree_load(&c->arena, &root, &b->file, b->err));
    check_keys(b, root, "an OpenLineage configuration", keys);
    if (lineage_get(root, "dataset")) lineage_warn(c, "%s: dataset: trimming of dataset names is not supported", where(lineage_get(root, "dataset"), place));
    DP_TRY(get_tags(b, root));
    DP_TRY(get_facets(b, root));
    DP_TRY(get_filters(b, root));
    if (has_receiver) return DP_OK;
    DP_TRY(get_map(b, root, "transport", &transport));
    if (lineage_get(transport, "type")) {
        drop_alias(lineage_get(root, "transport"));
        return add_transport(b, transport, NULL);
    }
    const struct lineage_node *plain = lineage_get(lineage_get(transport, "transports"), "default_http");
    if (getenv("OPENLINEAGE_URL") && plain) return add_transport(b, plain, NULL);
    if (transport && transport->n) return wrong(b, transport, "transport", "a transport needs a type");
    return DP_OK;
}

enum dp_lineage_told dp_lineage_told(void) {
    if (is_off()) return DP_LINEAGE_OFF;
    const char *own = getenv("DP_LINEAGE");
    struct dp_lineage_conf *c = NULL;
    struct dp_err ignored = DP_ERR_INIT;
    if (own && *own) return DP_LINEAGE_ON;
    enum dp_lineage_told told = dp_lineage_conf_load(&c, &ignored) != DP_OK || (c && c->n) ? DP_LINEAGE_ON : c && c->is_told ? DP_LINEAGE_OFF : DP_LINEAGE_UNTOLD;
    dp_lineage_conf_free(c);
    return told;
}

enum dp_status dp_lineage_conf_load(struct dp_lineage_conf **out, struct dp_err *err) {
    const char *own = getenv("DP_LINEAGE");
    struct dp_err e = DP_ERR_INIT;
    *out = NULL;
    if (is_off()) return DP_OK;
    bool has_own = own && *own;
    if (!has_own && !is_named()) {
        struct dp_arena a = {0};
        bool none = !lineage_file(&a);
        dp_arena_release(&a);
        if (none) return DP_OK;
    }
    struct dp_lineage_conf *c = dp_calloc(1, sizeof *c);
    struct build b = {.c = c, .err = &e};
    enum dp_status status = has_own ? from_dp_lineage(c, own, err) : DP_OK;
    if (status != DP_OK) {
        dp_lineage_conf_free(c);
        return status;
    }
    const char *ns = getenv("OPENLINEAGE_NAMESPACE"), *level = getenv("OPENLINEAGE_CLIENT_LOGGING");
    if (from_tree(&b, has_own) != DP_OK) {
        c->n = has_own ? c->n : 0;
        c->is_told = true;
        c->warnings.n = 0; /* one, the reason, and not its companions */
        char line[32] = "";
        if (e.line) snprintf(line, sizeof line, ":%llu", (unsigned long long)e.line);
        lineage_warn(c, "%s%s%s%s; %s", e.source, line, e.source[0] ? ": " : "", e.msg, has_own ? "what else it says is not used" : "lineage is off");
    }
    if (ns && *ns) c->ns = dp_arena_strdup(&c->arena, ns);
    if (!c->ns || !*c->ns) c->ns = "default";
    if (level && (lineage_key_is(level, "ERROR") || lineage_key_is(level, "CRITICAL") || lineage_key_is(level, "FATAL"))) c->is_quiet = true;
    if (!c->n && !c->warnings.n && !c->is_told) {
        dp_lineage_conf_free(c);
        return DP_OK;
    }
    *out = c;
    return DP_OK;
}

const char *dp_lineage_conf_namespace(const struct dp_lineage_conf *c) { return c->ns; }

void dp_lineage_conf_free(struct dp_lineage_conf *c) {
    if (!c) return;
    for (size_t i = 0; i < c->n_filters; i++) dp_pattern_free(c->filters[i].regex);
    for (size_t i = 0; i < c->n_made; i++) free(c->receivers[i].http.headers.at), free(c->receivers[i].http.token_fields.at);
    free(c->receivers);
    free(c->warnings.at);
    free(c->job_tags.at);
    free(c->run_tags.at);
    free(c->owners.at);
    free(c->variables.at);
    free(c->facets_off.at);
    free(c->location.at);
    free(c->filters);
    dp_arena_release(&c->arena);
    free(c);
}

/*
 * Names and ids of OpenLineage 2-0-2: datasets after the naming table of its specification, runs as UUIDs (RFC 9562, versions 5 and 7).
 * Names are made in text alone: nothing is opened, no link is followed.
 */
#include <dp/base/file.h>
#include <dp/base/sha1.h>
#include <dp/base/time.h>
#include <dp/rules/openlineage.h>

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

void dp_ol_name_release(struct dp_ol_name *n) {
    free(n->ns);
    free(n->name);
    *n = (struct dp_ol_name){NULL, NULL};
}

/* ---- names ---- */

/* Where a key of the store stands: as a path from the root, without its slash, or as parts with dots between them. */
enum name_form { FORM_PATH, FORM_KEY, FORM_DOTS };

static const struct scheme {
    const char *name, *ns; /* as written; as it is called */
    int port;              /* that is written out; 0: none */
    enum name_form form;
    bool user;             /* what stands before @ is part of the store's name, not a user */
    bool first_host;       /* of several, the first counts */
    bool bare;             /* the namespace is the scheme alone, what stands first is part of the name */
} schemes[] = {
    {"s3", "s3", 0, FORM_KEY, false, false, false},
    {"s3a", "s3", 0, FORM_KEY, false, false, false},
    {"s3n", "s3", 0, FORM_KEY, false, false, false},
    {"gs", "gs", 0, FORM_KEY, false, false, false},
    {"gcs", "gs", 0, FORM_KEY, false, false, false},
    {"abfss", "abfss", 0, FORM_PATH, true, false, false},
    {"abfs", "abfss", 0, FORM_PATH, true, false, false},
    {"wasbs", "wasbs", 0, FORM_KEY, true, false, false},
    {"wasb", "wasbs", 0, FORM_KEY, true, false, false},
    {"hdfs", "hdfs", 8020, FORM_PATH, false, false, false},
    {"dbfs", "dbfs", 0, FORM_PATH, false, false, false},
    {"kafka", "kafka", 9092, FORM_KEY, false, true, false},
    {"postgres", "postgres", 5432, FORM_DOTS, false, true, false},
    {"postgresql", "postgres", 5432, FORM_DOTS, false, true, false},
    {"mysql", "mysql", 3306, FORM_DOTS, false, true, false},
    {"redshift", "redshift", 5439, FORM_DOTS, false, false, false},
    {"snowflake", "snowflake", 0, FORM_DOTS, false, false, false},
    {"trino", "trino", 8080, FORM_DOTS, false, false, false},
    {"bigquery", "bigquery", 0, FORM_DOTS, false, false, true},
    {"http", "http", 80, FORM_PATH, false, false, false},
    {"https", "https", 443, FORM_PATH, false, false, false},
    {"ftp", "ftp", 21, FORM_PATH, false, false, false},
    {"sftp", "sftp", 22, FORM_PATH, false, false, false},
};

static bool is_scheme(struct dp_str s) {
    if (!s.n || !isalpha((unsigned char)s.p[0])) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("+-.", s.p[i])) return false;
    return true;
}

static const struct scheme *scheme_of(struct dp_str s) {
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const char *n = schemes[i].name;
        size_t k = 0;
        while (k < s.n && n[k] && tolower((unsigned char)s.p[k]) == n[k]) k++;
        if (k == s.n && !n[k]) return &schemes[i];
    }
    return NULL;
}

static void add_lower(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) dp_buf_addc(b, (char)tolower((unsigned char)s.p[i]));
}

/* Adds the parts of a path, each with its slash before it; "." is nothing and ".." takes the one before away.  What stands in b before `root` stays. */
static void add_clean(struct dp_buf *b, size_t root, struct dp_str path) {
    for (size_t i = 0; i < path.n;) {
        size_t n = 0;
        while (i + n < path.n && path.p[i + n] != '/') n++;
        struct dp_str part = dp_str(path.p + i, n);
        if (dp_str_eqz(part, "..")) {
            while (b->n > root && b->p[b->n - 1] != '/') b->n--;
            if (b->n > root) b->n--;
        } else if (n && !dp_str_eqz(part, ".")) {
            dp_buf_addc(b, '/');
            dp_buf_adds(b, part);
        }
        i += n + 1;
    }
}

static char *clean_path(const char *cwd, struct dp_str path) {
    struct dp_buf b = {NULL, 0, 0};
    if (path.p[0] != '/' && cwd) add_clean(&b, 0, dp_str_z(cwd));
    add_clean(&b, 0, path);
    if (!b.n) dp_buf_addc(&b, '/');
    return dp_buf_detach(&b);
}

/* %41 is A; what is no such escape, or a NUL, stays. */
static void add_unescaped(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? dp_hex_digit(s.p[i + 1]) : -1, lo = hi >= 0 ? dp_hex_digit(s.p[i + 2]) : -1;
        bool escape = lo >= 0 && (hi || lo);
        dp_buf_addc(b, escape ? (char)(hi << 4 | lo) : s.p[i]);
        if (escape) i += 2;
    }
}

static enum dp_status file_url(struct dp_str rest, const char *cwd, struct dp_ol_name *out, struct dp_err *err) {
    struct dp_buf ns = {NULL, 0, 0}, path = {NULL, 0, 0};
    size_t host = 0;
    if (dp_str_starts(rest, DP_STR("//"))) {
        rest = dp_str(rest.p + 2, rest.n - 2);
        while (host < rest.n && rest.p[host] != '/') host++;
    }
    add_lower(&ns, DP_STR("file"));
    if (host && !dp_str_eqz(dp_str(rest.p, host), "localhost")) {
        dp_buf_addz(&ns, "://");
        add_lower(&ns, dp_str(rest.p, host));
    }
    add_unescaped(&path, dp_str(rest.p + host, rest.n - host));
    if (path.n) *out = (struct dp_ol_name){dp_buf_detach(&ns), clean_path(cwd, dp_buf_str(&path))};
    dp_buf_release(&ns);
    dp_buf_release(&path);
    return out->ns ? DP_OK : dp_err_set(err, DP_USAGE, "no dataset is named by a file: URL without a path");
}

/* Host to lower case, the port written out, no user. */
static void add_authority(struct dp_buf *b, const struct scheme *s, struct dp_str a) {
    size_t at = a.n;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] == '@') at = i;
    if (at < a.n && s && s->user) { /* a container's name has lower-case letters only */
        add_lower(b, dp_str(a.p, at + 1));
    }
    if (at < a.n) a = dp_str(a.p + at + 1, a.n - at - 1);
    for (size_t i = 0; s && s->first_host && i < a.n; i++)
        if (a.p[i] == ',') a.n = i;
    size_t colon = a.n;
    for (size_t i = a.n; i-- > 0 && a.p[i] != ']';) /* an address of IPv6 stands in brackets */
        if (a.p[i] == ':') colon = i;
    add_lower(b, dp_str(a.p, colon));
    if (colon + 1 < a.n) dp_buf_adds(b, dp_str(a.p + colon, a.n - colon));
    else if (s && s->port && colon) dp_buf_addf(b, ":%d", s->port);
}

static void add_name(struct dp_buf *b, enum name_form form, struct dp_str path) {
    for (size_t i = 0; i < path.n; i++) /* what is asked of it is not its name, and may be a secret */
        if (path.p[i] == '?' || path.p[i] == '#') path.n = i;
    bool slash = path.n && path.p[0] == '/';
    if (form == FORM_PATH) {
        add_clean(b, b->n, path);
        if (!b->n) dp_buf_addc(b, '/');
        return;
    }
    if (slash) path = dp_str(path.p + 1, path.n - 1);
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    size_t from = b->n;
    dp_buf_adds(b, path);
    for (size_t i = from; form == FORM_DOTS && i < b->n; i++)
        if (b->p[i] == '/') b->p[i] = '.';
}

static enum dp_status other_url(struct dp_str scheme, struct dp_str rest, struct dp_ol_name *out, struct dp_err *err) {
    struct dp_buf ns = {NULL, 0, 0}, name = {NULL, 0, 0};
    const struct scheme *s = scheme_of(scheme);
    enum name_form form = s ? s->form : FORM_PATH;
    size_t n = 0;
    while (n < rest.n && !strchr("/?#", rest.p[n])) n++;
    if (s) dp_buf_addz(&ns, s->ns);
    else add_lower(&ns, scheme);
    if (s && s->bare) n = 0;
    else dp_buf_addz(&ns, "://"), add_authority(&ns, s, dp_str(rest.p, n));
    add_name(&name, form, dp_str(rest.p + n, rest.n - n));
    if (!name.n && s && form == FORM_KEY && !s->first_host) dp_buf_addc(&name, '/'); /* the bucket itself */
    enum dp_status status = DP_OK;
    if (!name.n) status = dp_err_set(err, DP_USAGE, "no dataset is named by a URL of %.*s without a path", DP_STR_FMT(scheme));
    else *out = (struct dp_ol_name){dp_buf_detach(&ns), dp_buf_detach(&name)};
    dp_buf_release(&ns);
    dp_buf_release(&name);
    return status;
}

enum dp_status dp_ol_name_of(const char *what, const char *cwd, struct dp_ol_name *out, struct dp_err *err) {
    *out = (struct dp_ol_name){NULL, NULL};
    if (!*what || strcmp(what, "-") == 0) return dp_err_set(err, DP_USAGE, "a stream has no name");
    const char *colon = strchr(what, ':');
    struct dp_str scheme = dp_str(what, colon ? (size_t)(colon - what) : 0);
    bool is_url = colon && is_scheme(scheme) && strncmp(colon, "://", 3) == 0;
    if (colon && scheme_of(scheme) && scheme_of(scheme)->bare && !is_url && scheme.n > 1 && strchr(colon, '.'))
        return other_url(scheme, dp_str_z(colon + 1), out, err);
    if (strncasecmp(what, "file:/", 6) == 0)
        return file_url(dp_str_z(colon + 1), cwd, out, err);
    if (is_url) return other_url(scheme, dp_str_z(colon + 3), out, err);
    *out = (struct dp_ol_name){dp_strdup("file"), clean_path(cwd, dp_str_z(what))};
    return DP_OK;
}

/* ---- ids ---- */

static void print_uuid(const uint8_t u[16], char out[37]) {
    static const char digits[] = "0123456789abcdef";
    char *o = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *o++ = '-';
        *o++ = digits[u[i] >> 4];
        *o++ = digits[u[i] & 15];
    }
    *o = '\0';
}

/* The time in milliseconds goes into the first six bytes, version and variant over what stands behind them. */
static void finish_uuid7(uint8_t u[16], int64_t micros, char out[37]) {
    uint64_t ms = (uint64_t)(micros >= 0 ? micros / 1000 : 0);
    for (int i = 0; i < 6; i++) u[i] = (uint8_t)(ms >> (40 - 8 * i));
    u[6] = (uint8_t)(0x70 | (u[6] & 0x0f));
    u[8] = (uint8_t)(0x80 | (u[8] & 0x3f));
    print_uuid(u, out);
}

void dp_ol_uuid7(int64_t now_micros, char out[37]) {
    uint8_t u[16];
    dp_random(u, sizeof u);
    finish_uuid7(u, now_micros, out);
}

static bool is_uuid(struct dp_str s) {
    if (s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : dp_hex_digit(s.p[i]) < 0) return false;
    }
    return true;
}

void dp_ol_uuid_of(struct dp_str text, char out[37]) {
    static const char url_space[] = "\x6b\xa7\xb8\x11\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8";
    uint8_t sum[DP_SHA1_SIZE];
    if (is_uuid(text)) {
        for (size_t i = 0; i < 36; i++) out[i] = (char)tolower((unsigned char)text.p[i]);
        out[36] = '\0';
        return;
    }
    dp_sha1(dp_str(url_space, 16), text, sum);
    sum[6] = (uint8_t)(0x50 | (sum[6] & 0x0f));
    sum[8] = (uint8_t)(0x80 | (sum[8] & 0x3f));
    print_uuid(sum, out);
}

void dp_ol_uuid_at(int64_t micros, struct dp_str text, char out[37]) {
    uint8_t sum[DP_SHA1_SIZE], u[16] = {0};
    char at[48];
    size_t n = dp_time_print_micros(at, micros, false, micros % 1000000 ? 6 : 0);
    memcpy(at + n, "+00:00", 6);
    dp_sha1(dp_str(at, n + 6), text, sum);
    /* the first 76 bits of the hash are the last 76 of the id, and four bits before them stay 0 until the version is put there */
    for (int i = 0; i < 10; i++) u[6 + i] = (uint8_t)((i ? sum[i - 1] << 4 : 0) | sum[i] >> 4);
    finish_uuid7(u, micros, out);
}

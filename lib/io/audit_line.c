/*
 * Lines of the audit log (dp/io/audit.h): sealing one, taking one apart by its bytes, tombstones, names of segments.
 * A line is only taken in the one spelling that is written: fixed keys at fixed places, so every byte of it is either hashed or compared.
 */
#include "audit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/num.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define HEX 64u
#define PREV ",\"prev\":\""
#define HASH "\",\"hash\":\""
#define TAIL_BYTES (sizeof PREV - 1 + HEX + sizeof HASH - 1 + HEX + 2) /* from the comma before prev to the brace */

void audit_name(char out[AUDIT_NAME], uint64_t segment) { snprintf(out, AUDIT_NAME, "segment-%06llu.ndjson", (unsigned long long)segment); }

char *audit_path(const char *dir, uint64_t segment) {
    char name[AUDIT_NAME];
    audit_name(name, segment);
    return dp_path_join(dir, name);
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum dp_status audit_list(const char *dir, struct audit_list *l, struct dp_err *err) {
    DIR *d = opendir(dir);
    struct dirent *e;
    if (!d) return dp_err_sys(err, DP_IO, "can't read the audit log %s", dir);
    l->n = 0;
    for (errno = 0; (e = readdir(d)) != NULL; errno = 0) {
        uint64_t number;
        char again[AUDIT_NAME];
        struct dp_str name = dp_str_z(e->d_name), prefix = DP_STR("segment-"), suffix = DP_STR(".ndjson");
        if (!dp_str_starts(name, prefix) || !dp_str_ends(name, suffix) || name.n <= prefix.n + suffix.n) continue;
        if (!dp_parse_u64(dp_str(name.p + prefix.n, name.n - prefix.n - suffix.n), &number) || !number) continue;
        audit_name(again, number);
        if (strcmp(again, e->d_name) != 0) continue;
        l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
        l->v[l->n++] = number;
    }
    int failed = errno;
    closedir(d);
    if (failed) return errno = failed, dp_err_sys(err, DP_IO, "can't read the audit log %s", dir);
    if (l->n) qsort(l->v, l->n, sizeof *l->v, by_number);
    return DP_OK;
}

/* ---- lines ---- */

void audit_copy(char *to, size_t cap, struct dp_str s) {
    size_t n = s.n < cap ? s.n : cap - 1;
    if (n) memcpy(to, s.p, n);
    to[n] = 0;
}

void audit_seal(struct dp_buf *b, size_t from, const char *prev, char hash[DP_AUDIT_HASH]) {
    uint8_t sum[DP_SHA256_SIZE];
    dp_buf_addf(b, "%s%s\"", PREV, prev);
    dp_sha256(b->p + from, b->n - from, sum);
    hash[dp_hex_print(hash, sum, sizeof sum)] = 0;
    dp_buf_addf(b, ",\"hash\":\"%s\"}\n", hash);
}

/* Takes `text` off the front of *s. */
static bool take(struct dp_str *s, struct dp_str text) {
    if (!dp_str_starts(*s, text)) return false;
    s->p += text.n, s->n -= text.n;
    return true;
}

/* Digits as they are printed: no sign, no zero in front. */
static bool take_number(struct dp_str *s, uint64_t *v) {
    size_t n = 0;
    while (n < s->n && n < 20 && s->p[n] >= '0' && s->p[n] <= '9') n++;
    if (!n || (s->p[0] == '0' && n > 1) || !dp_parse_u64(dp_str(s->p, n), v)) return false;
    s->p += n, s->n -= n;
    return true;
}

/* A string without escapes, and its closing quote. */
static bool take_text(struct dp_str *s, size_t most, struct dp_str *out) {
    size_t n = 0;
    while (n < s->n && s->p[n] != '"' && s->p[n] != '\\' && (unsigned char)s->p[n] >= 0x20) n++;
    if (!n || n > most || n == s->n || s->p[n] != '"') return false;
    *out = dp_str(s->p, n);
    s->p += n + 1, s->n -= n + 1;
    return true;
}

static bool is_hex(struct dp_str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return true;
}

static bool parse_head(struct dp_str s, struct audit_line *out) {
    out->is_head = true;
    return take_text(&s, DP_AUDIT_ID - 1, &out->log) && take(&s, DP_STR(",\"segment\":")) && take_number(&s, &out->segment) && out->segment &&
           take(&s, DP_STR(",\"seq\":")) && take_number(&s, &out->seq) && out->seq && take(&s, DP_STR(",\"time\":\"")) && take_text(&s, 40, &out->time) && !s.n;
}

static bool parse_entry(struct dp_str s, struct audit_line *out) {
    return take_number(&s, &out->seq) && out->seq && take(&s, DP_STR(",\"time\":\"")) && take_text(&s, 40, &out->time) && take(&s, DP_STR(",\"kind\":\"")) &&
           take_text(&s, 16, &out->kind) && take(&s, DP_STR(",\"action\":\"")) && take_text(&s, 256, &out->action);
}

const char *audit_parse(struct dp_str line, struct audit_line *out) {
    uint8_t sum[DP_SHA256_SIZE];
    char hex[2 * DP_SHA256_SIZE];
    struct dp_str s = line;
    memset(out, 0, sizeof *out);
    if (line.n < TAIL_BYTES + 2) return "it is too short for an entry";
    struct dp_str tail = dp_str(line.p + line.n - TAIL_BYTES, TAIL_BYTES), prev, hash;
    bool has_tail = take(&tail, DP_STR(PREV));
    prev = dp_str(tail.p, HEX);
    if (has_tail) tail.p += HEX, tail.n -= HEX, has_tail = take(&tail, DP_STR(HASH));
    hash = dp_str(tail.p, HEX);
    has_tail = has_tail && tail.n == HEX + 2 && memcmp(tail.p + HEX, "\"}", 2) == 0 && is_hex(prev) && is_hex(hash);
    s.n -= TAIL_BYTES;
    bool ok = take(&s, DP_STR("{\"dp_audit\":1,\"log\":\"")) ? parse_head(s, out) : take(&s, DP_STR("{\"seq\":")) && parse_entry(s, out);
    if (has_tail) out->prev = prev, out->hash = hash;
    if (!has_tail) return "it does not end in the hashes of an entry";
    if (!ok) return "it does not begin as an entry does";
    dp_sha256(line.p, line.n - (HEX + 2 + 9), sum);
    dp_hex_print(hex, sum, sizeof sum);
    return memcmp(hex, hash.p, HEX) == 0 ? NULL : "it is not what its hash says";
}

/* ---- tombstones ---- */

void audit_tomb_print(struct dp_buf *b, const struct audit_tomb *t) {
    dp_buf_addf(b, "{\"expired\":%llu,\"log\":\"%s\",\"first\":%llu,\"last\":%llu,\"from\":\"%s\",\"to\":\"%s\",\"prev\":\"%s\",\"end\":\"%s\"}\n",
                (unsigned long long)t->segment, t->log, (unsigned long long)t->first, (unsigned long long)t->last, t->from, t->to, t->prev, t->end);
}

static bool take_copy(struct dp_str *s, struct dp_str key, char *to, size_t cap) {
    struct dp_str text;
    if (!take(s, key) || !take_text(s, cap - 1, &text)) return false;
    audit_copy(to, cap, text);
    return true;
}

const char *audit_tomb_parse(struct dp_str s, struct audit_tomb *t) {
    memset(t, 0, sizeof *t);
    bool ok = take(&s, DP_STR("{\"expired\":")) && take_number(&s, &t->segment) && t->segment && take_copy(&s, DP_STR(",\"log\":\""), t->log, sizeof t->log) &&
              take(&s, DP_STR(",\"first\":")) && take_number(&s, &t->first) && t->first && take(&s, DP_STR(",\"last\":")) && take_number(&s, &t->last) &&
              take_copy(&s, DP_STR(",\"from\":\""), t->from, sizeof t->from) && take_copy(&s, DP_STR(",\"to\":\""), t->to, sizeof t->to) &&
              take_copy(&s, DP_STR(",\"prev\":\""), t->prev, sizeof t->prev) && take_copy(&s, DP_STR(",\"end\":\""), t->end, sizeof t->end) && dp_str_eqz(s, "}");
    ok = ok && strlen(t->prev) == HEX && strlen(t->end) == HEX && is_hex(dp_str_z(t->prev)) && is_hex(dp_str_z(t->end)) && t->last >= t->first - 1;
    return ok ? NULL : "it is no tombstone of a segment";
}

enum dp_status audit_tombs_read(const char *dir, struct dp_buf *b, struct dp_err *err) {
    char *path = dp_path_join(dir, AUDIT_EXPIRED);
    enum dp_status status = DP_OK;
    if (access(path, F_OK) == 0 || errno != ENOENT) status = dp_file_read_regular(path, DP_LIMIT_AUDIT_EXPIRED, b, err);
    free(path);
    return status;
}

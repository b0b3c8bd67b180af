/* Anchors of the audit log (dp/io/audit.h): one line that says what an entry was, to be kept where the log's owner can't reach.  Signed with the tag "dp-audit-anchor". */
#include <dp/io/audit.h>

#include <dp/base/crypto.h>
#include <dp/base/num.h>
#include <dp/base/sign.h>
#include <dp/base/time.h>

#define TAG "dp-audit-anchor"
#define SIGNED " ed25519 "

enum dp_status dp_audit_anchor_print(const struct dp_audit_seen *seen, const struct dp_sign_key *key, struct dp_buf *out, struct dp_err *err) {
    uint8_t signature[DP_SIGN_SIZE];
    char text[DP_SIGN_SIZE * 2];
    size_t from = out->n;
    if (!seen->last) return dp_err_set(err, DP_IO, "the audit log has no entry yet: there is nothing to anchor");
    dp_buf_addf(out, "dp-audit 1 %s %llu %s %s", seen->log, (unsigned long long)seen->last, seen->hash, seen->time);
    if (key) {
        DP_TRY(dp_sign(key, TAG, dp_str(out->p + from, out->n - from), signature, err));
        size_t n = dp_base64url_print(text, signature, sizeof signature);
        dp_buf_addf(out, "%s%s %.*s", SIGNED, dp_sign_key_public(key)->id, (int)n, text);
    }
    dp_buf_addc(out, '\n');
    return DP_OK;
}

/* The next word and the blank behind it. */
static struct dp_str word(struct dp_str *s) {
    struct dp_str w = {s->p, 0};
    while (w.n < s->n && w.p[w.n] != ' ') w.n++;
    s->p += w.n, s->n -= w.n;
    if (s->n) s->p++, s->n--;
    return w;
}

/* Letters, digits and what stands in ids and times. */
static bool copy_word(struct dp_str *s, char *to, size_t least, size_t cap) {
    struct dp_str w = word(s);
    if (w.n < least || w.n >= cap) return false;
    for (size_t i = 0; i < w.n; i++) {
        bool is_plain = (w.p[i] >= '0' && w.p[i] <= ':') || ((w.p[i] | 32) >= 'a' && (w.p[i] | 32) <= 'z') || w.p[i] == '-' || w.p[i] == '.' || w.p[i] == '+';
        if (!is_plain) return false;
    }
    memcpy(to, w.p, w.n);
    to[w.n] = 0;
    return true;
}

static enum dp_status check_signature(struct dp_str body, struct dp_str rest, const struct dp_sign_public *key, struct dp_err *err) {
    uint8_t signature[DP_SIGN_SIZE];
    size_t n = 0;
    if (!word(&rest).n) return dp_err_set(err, DP_FORMAT, "this anchor has no signature, and --public-key asks for one");
    struct dp_str id = word(&rest), text = word(&rest);
    if (!dp_str_eqz(id, key->id)) return dp_err_set(err, DP_FORMAT, "this anchor is signed with key %.*s, not with %s", DP_STR_FMT(id), key->id);
    if (!dp_base64url_parse(text, signature, sizeof signature, &n) || n != sizeof signature) return dp_err_set(err, DP_FORMAT, "this anchor's signature is none");
    return dp_sign_verify(key, TAG, body, signature, err);
}

static enum dp_status add_line(struct dp_audit_anchors *a, struct dp_str line, const char *source, uint64_t at, const struct dp_sign_public *key, struct dp_err *err) {
    struct dp_audit_anchor k = {.source = source, .line = at};
    struct dp_str s = line;
    struct dp_timestamp t;
    bool ok = dp_str_eqz(word(&s), "dp-audit") && dp_str_eqz(word(&s), "1") && copy_word(&s, k.log, DP_AUDIT_ID - 1, sizeof k.log) && dp_parse_u64(word(&s), &k.seq) && k.seq &&
              copy_word(&s, k.hash, DP_AUDIT_HASH - 1, sizeof k.hash) && copy_word(&s, k.time, 1, sizeof k.time) && dp_time_parse(dp_str_z(k.time), false, false, &t);
    struct dp_str body = dp_str(line.p, s.n ? (size_t)(s.p - line.p) - 1 : line.n), rest = s;
    if (ok && s.n) { /* all of a signature, or nothing */
        struct dp_str kind = word(&s), id = word(&s), text = word(&s);
        ok = dp_str_eqz(kind, "ed25519") && id.n == DP_SIGN_ID - 1 && text.n && !s.n;
    }
    if (!ok) return dp_err_set(err, DP_FORMAT, "this is no anchor as dp-retain audit anchor prints it");
    if (key) DP_TRY(check_signature(body, rest, key, err));
    a->v = dp_grow(a->v, &a->cap, a->n + 1, sizeof *a->v);
    a->v[a->n++] = k;
    return DP_OK;
}

enum dp_status dp_audit_anchors_add(struct dp_audit_anchors *a, struct dp_str text, const char *source, const struct dp_sign_public *key, struct dp_err *err) {
    for (uint64_t at = 1; text.n; at++) {
        const char *end = memchr(text.p, '\n', text.n);
        struct dp_str line = dp_str(text.p, end ? (size_t)(end - text.p) : text.n);
        text.p += line.n + (end != NULL), text.n -= line.n + (end != NULL);
        while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ')) line.n--;
        if (!line.n || line.p[0] == '#') continue;
        enum dp_status status = add_line(a, line, source, at, key, err);
        if (status) return dp_err_at(err, source, at, DP_NO_OFFSET), status;
    }
    return DP_OK;
}

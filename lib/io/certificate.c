/* Certificates of erasures (dp/io/certificate.h). */
#include <dp/io/certificate.h>

#include <dp/base/crypto.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>
#include <dp/io/audit.h>
#include <dp/record/json.h>

#include <stdlib.h>

#define TAG "dp-erasure"
#define HEAD "{\"dp_certificate\":1,\"report\":"
#define SIGNATURE ",\"signature\":\""

/* ---- what a report says ---- */

static int64_t number_at(const struct dp_record *r, uint32_t object, const char *name) {
    int64_t v;
    uint32_t node = r->nodes[object].kind == DP_KIND_OBJECT ? dp_json_member(r, object, name) : 0;
    return node && dp_json_get_i64(r, node, &v) ? v : -1;
}

static enum dp_status judge(const struct dp_record *r, struct dp_err *err) {
    bool verified = false;
    uint32_t node = dp_json_member(r, 0, "verified"), search = dp_json_member(r, 0, "search");
    if (number_at(r, 0, "dp_erasure") != 1) return dp_err_set(err, DP_FORMAT, "it is no report of an erasure");
    if (!node || !dp_json_get_bool(r, node, &verified) || !verified || !search) return dp_err_set(err, DP_RULE, "the erasure was not verified: erase again, with --verify");
    if (number_at(r, search, "found") != 0) return dp_err_set(err, DP_RULE, "the report says that the person is in %lld files", (long long)number_at(r, search, "found"));
    if (number_at(r, search, "unread") != 0) return dp_err_set(err, DP_RULE, "the report says that %lld files could not be read", (long long)number_at(r, search, "unread"));
    if (number_at(r, 0, "orphans_left") != 0 || number_at(r, 0, "unreachable") != 0) return dp_err_set(err, DP_RULE, "the report says that not everything was reached");
    return DP_OK;
}

static enum dp_status read_report(struct dp_str text, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf padded = {0};
    struct dp_record r;
    struct dp_err why = DP_ERR_INIT;
    dp_buf_adds(&padded, text);
    memset(dp_buf_reserve(&padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(scan, padded.p, padded.n, &r, &why);
    if (status != DP_OK || r.nodes[0].kind != DP_KIND_OBJECT) status = dp_err_set(err, DP_FORMAT, "it is no report of an erasure");
    else status = judge(&r, err);
    dp_scan_close(scan);
    dp_buf_release(&padded);
    return status;
}

/* ---- where the audit log has it ---- */

struct looking { char want[2 * DP_SHA256_SIZE + 32]; uint64_t seq; char hash[DP_AUDIT_HASH]; };

static enum dp_status look(void *ctx, const struct dp_audit_entry *e, struct dp_err *err) {
    struct looking *l = ctx;
    (void)err;
    struct dp_str hash = DP_STR(",\"hash\":\"");
    if (!dp_str_find(e->text, DP_STR("\"retain.erase\"")) || !dp_str_find(e->text, dp_str_z(l->want))) return DP_OK;
    const char *at = e->text.p + e->text.n - (DP_AUDIT_HASH - 1) - 2 - hash.n;
    l->seq = e->seq;
    if (e->text.n > DP_AUDIT_HASH + hash.n && dp_str_eq(dp_str(at, hash.n), hash)) memcpy(l->hash, at + hash.n, DP_AUDIT_HASH - 1);
    return DP_OK;
}

static enum dp_status find_entry(struct dp_str report, const char *audit, struct looking *l, struct dp_audit_seen *seen, struct dp_err *err) {
    const struct dp_audit_reader r = {.ctx = l, .entry = look};
    char hex[2 * DP_SHA256_SIZE + 1], *dir = dp_audit_directory(audit);
    if (!dir) return dp_err_set(err, DP_IO, "nobody knows where the audit log is: --audit DIR");
    dp_sha256_hex(report, hex);
    *l = (struct looking){.seq = 0};
    snprintf(l->want, sizeof l->want, "\"report\":\"%s\"", hex);
    enum dp_status status = dp_audit_read(dir, &r, seen, err);
    free(dir);
    if (status == DP_OK && !l->seq) status = dp_err_set(err, DP_RULE, "the audit log does not have this report as it is: it was altered, or is of another log");
    return status;
}

/* ---- both ---- */

enum dp_status dp_certify(const struct dp_run *run, struct dp_str report, const char *audit, const struct dp_sign_key *key, struct dp_buf *out, struct dp_err *err) {
    struct looking l;
    struct dp_audit_seen seen;
    uint8_t signature[DP_SIGN_SIZE];
    char hex[2 * DP_SIGN_SIZE + 1], time[41];
    size_t start = out->n;
    DP_TRY(read_report(report, err));
    DP_TRY(find_entry(report, audit, &l, &seen, err));
    while (report.n && (report.p[report.n - 1] == '\n' || report.p[report.n - 1] == '\r')) report.n--;
    time[dp_time_print_micros(time, run->now_fixed ? run->now_micros : dp_time_now_micros(), true, 6)] = 0;
    dp_buf_addz(out, HEAD);
    dp_buf_adds(out, report);
    dp_buf_addf(out, ",\"audit\":{\"log\":\"%s\",\"seq\":%llu,\"hash\":\"%s\"},\"time\":\"%s\",\"key\":\"%s\"", seen.log, (unsigned long long)l.seq, l.hash, time, dp_sign_key_public(key)->id);
    DP_TRY(dp_sign(key, TAG, dp_str(out->p + start, out->n - start), signature, err));
    hex[dp_hex_print(hex, signature, sizeof signature)] = 0;
    dp_buf_addf(out, SIGNATURE "%s\"}\n", hex);
    return DP_OK;
}

static bool parse_hex(struct dp_str text, uint8_t *out, size_t n) {
    for (size_t i = 0; i < 2 * n; i++) {
        if (text.n != 2 * n || dp_hex_digit(text.p[i]) < 0 || (text.p[i] >= 'A' && text.p[i] <= 'F')) return false;
        out[i / 2] = (uint8_t)((i & 1 ? out[i / 2] << 4 : 0) | dp_hex_digit(text.p[i]));
    }
    return true;
}

enum dp_status dp_certificate_check(struct dp_str text, const struct dp_sign_public *key, struct dp_str *report, struct dp_err *err) {
    static const struct dp_str mark = {SIGNATURE, sizeof SIGNATURE - 1}, behind = {",\"audit\":{", 10};
    uint8_t signature[DP_SIGN_SIZE];
    size_t tail = mark.n + 2 * DP_SIGN_SIZE + 3;
    if (!dp_str_starts(text, DP_STR(HEAD)) || text.n < sizeof HEAD + tail) return dp_err_set(err, DP_FORMAT, "it is no certificate of an erasure");
    size_t n = text.n - tail;
    if (!dp_str_eq(dp_str(text.p + n, mark.n), mark) || !dp_str_eq(dp_str(text.p + text.n - 3, 3), DP_STR("\"}\n")) ||
        !parse_hex(dp_str(text.p + n + mark.n, 2 * DP_SIGN_SIZE), signature, DP_SIGN_SIZE))
        return dp_err_set(err, DP_FORMAT, "it is no certificate of an erasure, or was altered: it does not end as one");
    DP_TRY(dp_sign_verify(key, TAG, dp_str(text.p, n), signature, err));
    struct dp_str inner = dp_str(text.p + sizeof HEAD - 1, n - (sizeof HEAD - 1));
    const char *end = dp_str_find(inner, behind);
    *report = dp_str(inner.p, end ? (size_t)(end - inner.p) : inner.n);
    return DP_OK;
}

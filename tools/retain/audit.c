/*
 * dp-retain audit: reads, checks, anchors and expires the audit log.  Its first word says which; an option that is not of that one is refused.
 *
 * list prints a line for each entry, show the entries themselves.  Whatever reads checks the chain on its way, and stops where it does not hold; verify goes on and tells all.
 */
#include "retain.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/base/sign.h>
#include <dp/base/time.h>
#include <dp/io/audit.h>
#include <dp/record/json.h>

#include <stdlib.h>
#include <unistd.h>

#define ULL(v) ((unsigned long long)(v))

enum act { LIST = 1, SHOW = 2, VERIFY = 4, ANCHOR = 8, EXPIRE = 16 };

struct audit_conf {
    const char *audit, *action, *object, *actor, *public_key, *key_file, *reason;
    int64_t since, until, before, older;
    struct dp_opt_list anchors;
    bool open;
};

static const struct dp_opt audit_options[] = {
    RETAIN_AUDIT(audit_conf),
    DP_OPT_TIME(audit_conf, since, "since", 0, "TIME", "list, show: only entries from this time on"),
    DP_OPT_TIME(audit_conf, until, "until", 0, "TIME", "list, show: only entries up to this time", .up_to = true),
    DP_OPT_STRING(audit_conf, action, "action", 0, "NAME", "list, show: only this action (table.vacuum), or all of a kind (table)"),
    DP_OPT_STRING(audit_conf, object, "object", 0, "TEXT", "list, show: only what was done to an object with this text in its name"),
    DP_OPT_STRING(audit_conf, actor, "actor", 0, "NAME", "list, show: only what this one did: a login, a user id or what DP_ACTOR said"),
    DP_OPT_FLAG(audit_conf, open, "open", 0, "list, show: only what began and did not end"),
    DP_OPT_LIST(audit_conf, anchors, "anchor", 0, "FILE", "verify: anchors that were kept elsewhere, a line each (- is standard input)"),
    DP_OPT_PATH(audit_conf, public_key, "public-key", 0, "FILE", "verify: each anchor must be signed with this key", .needs = "anchor"),
    DP_OPT_PATH(audit_conf, key_file, "key-file", 0, "FILE", "anchor: sign it with this key"),
    DP_OPT_TIME(audit_conf, before, "before", 0, "TIME", "expire: segments whose entries are all from before this time", .conflicts = "older"),
    DP_OPT_DURATION(audit_conf, older, "older", 0, "D", "expire: segments whose entries are all older than this", 1, 0),
    DP_OPT_STRING(audit_conf, reason, "reason", 0, "TEXT", "expire: why, for the log"),
    DP_OPT_END};

/* Which option is of which. */
static const struct {
    const char *option;
    int of;
} belongs[] = {{"since", LIST | SHOW}, {"until", LIST | SHOW}, {"action", LIST | SHOW}, {"object", LIST | SHOW}, {"actor", LIST | SHOW}, {"open", LIST | SHOW},
               {"anchor", VERIFY}, {"public-key", VERIFY}, {"key-file", ANCHOR}, {"before", EXPIRE}, {"older", EXPIRE}, {"reason", EXPIRE}, {"dry-run", EXPIRE}};

/* ---- list and show ---- */

struct listing {
    struct dp_cli *cli;
    const struct audit_conf *conf;
    struct dp_scan *scan;
    struct dp_buf text, line, json;
    bool shows, finds_open;
    uint64_t *open;      /* begun and not ended, ascending */
    size_t n_open, cap_open;
    uint64_t wanted[64]; /* of show */
    size_t n_wanted, n_met;
    uint64_t n;
};

static enum dp_status scan_entry(struct listing *l, const struct dp_audit_entry *e, struct dp_record *rec, struct dp_err *err) {
    dp_buf_reset(&l->text);
    dp_buf_adds(&l->text, e->text);
    memset(dp_buf_reserve(&l->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(l->scan, l->text.p, l->text.n, rec, err) == DP_OK) return DP_OK;
    dp_err_set(err, DP_FORMAT, "entry %llu of the audit log is no JSON", ULL(e->seq));
    return dp_err_at(err, e->segment, e->line, DP_NO_OFFSET), DP_FORMAT;
}

static size_t find_open(const struct listing *l, uint64_t seq) {
    size_t from = 0, to = l->n_open;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (l->open[mid] < seq) from = mid + 1;
        else to = mid;
    }
    return from;
}

static bool is_open(const struct listing *l, uint64_t seq) {
    size_t k = find_open(l, seq);
    return k < l->n_open && l->open[k] == seq;
}

/* First time through, where --open asks. */
static enum dp_status note_open(void *ctx, const struct dp_audit_entry *e, struct dp_err *err) {
    struct listing *l = ctx;
    struct dp_record rec;
    int64_t of;
    DP_TRY(scan_entry(l, e, &rec, err));
    struct dp_buf kind = {0};
    (void)dp_json_get_string(&rec, dp_json_member(&rec, 0, "kind"), &kind);
    if (dp_str_eqz(dp_buf_str(&kind), "begin")) {
        l->open = dp_grow(l->open, &l->cap_open, l->n_open + 1, sizeof *l->open);
        l->open[l->n_open++] = e->seq;
    } else if (dp_str_eqz(dp_buf_str(&kind), "end") && dp_json_get_i64(&rec, dp_json_member(&rec, 0, "of"), &of) && of > 0 && is_open(l, (uint64_t)of)) {
        size_t k = find_open(l, (uint64_t)of);
        memmove(l->open + k, l->open + k + 1, (l->n_open - k - 1) * sizeof *l->open);
        l->n_open--;
    }
    dp_buf_release(&kind);
    return DP_OK;
}

/* A member's text behind b's content, as its part; empty when it is none. */
static struct dp_str text_of(const struct dp_record *rec, uint32_t object, const char *name, struct dp_buf *b) {
    size_t from = b->n;
    uint32_t node = dp_json_member(rec, object, name);
    if (node) (void)dp_json_get_string(rec, node, b);
    return dp_str(b->n > from ? b->p + from : "", b->n - from);
}

static bool holds(struct dp_str text, const char *part) {
    size_t n = strlen(part);
    for (size_t i = 0; n <= text.n && i <= text.n - n; i++)
        if (!memcmp(text.p + i, part, n)) return true;
    return false;
}

static bool is_by(const struct dp_record *rec, const char *name) {
    uint32_t actor = dp_json_member(rec, 0, "actor");
    struct dp_buf b = {0};
    char uid[24];
    int64_t id = -1;
    if (!actor) return false;
    bool yes = dp_str_eqz(text_of(rec, actor, "login", &b), name);
    dp_buf_reset(&b);
    yes = yes || dp_str_eqz(text_of(rec, actor, "as", &b), name);
    (void)dp_json_get_i64(rec, dp_json_member(rec, actor, "uid"), &id);
    snprintf(uid, sizeof uid, "%lld", (long long)id);
    dp_buf_release(&b);
    return yes || !strcmp(uid, name);
}

static bool is_within(const struct listing *l, struct dp_str time) {
    struct dp_timestamp t;
    int64_t micros = 0;
    bool ok = dp_time_parse(time, false, false, &t) && dp_time_micros(&t, &micros);
    if (dp_cli_given(l->cli, "since") && (!ok || micros < l->conf->since)) return false;
    return !dp_cli_given(l->cli, "until") || (ok && micros <= l->conf->until);
}

/* An end is shown with what it is of. */
static bool is_wanted(struct listing *l, const struct dp_audit_entry *e, const struct dp_record *rec) {
    const struct audit_conf *c = l->conf;
    struct dp_buf b = {0};
    int64_t of = 0;
    (void)dp_json_get_i64(rec, dp_json_member(rec, 0, "of"), &of);
    bool yes = !l->n_wanted;
    for (size_t i = 0; i < l->n_wanted; i++) {
        if (l->wanted[i] == e->seq) l->n_met++;
        if (l->wanted[i] == e->seq || (of > 0 && l->wanted[i] == (uint64_t)of)) yes = true;
    }
    yes = yes && (!c->open || is_open(l, e->seq)) && is_within(l, text_of(rec, 0, "time", &b));
    if (yes && c->action) {
        dp_buf_reset(&b);
        struct dp_str a = text_of(rec, 0, "action", &b), want = dp_str_z(c->action);
        yes = dp_str_eq(a, want) || (dp_str_starts(a, want) && a.p[want.n] == '.');
    }
    if (yes && c->object) dp_buf_reset(&b), yes = holds(text_of(rec, 0, "object", &b), c->object);
    if (yes && c->actor) yes = is_by(rec, c->actor);
    dp_buf_release(&b);
    return yes;
}

/* A field of a line: no control bytes, `-` where there is nothing. */
static void add_field(struct dp_buf *b, struct dp_str s) {
    if (b->n) dp_buf_addc(b, '\t');
    if (!s.n) dp_buf_addc(b, '-');
    for (size_t i = 0; i < s.n; i++) dp_buf_addc(b, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
}

static void add_line(struct listing *l, const struct dp_audit_entry *e, const struct dp_record *rec) {
    static const char *const fields[] = {"time", "", "kind", "action", "object", "outcome", "why", NULL};
    struct dp_buf b = {0};
    dp_buf_addf(&l->line, "%llu", ULL(e->seq));
    for (size_t i = 0; fields[i]; i++) {
        uint32_t actor = *fields[i] ? 0 : dp_json_member(rec, 0, "actor");
        dp_buf_reset(&b);
        add_field(&l->line, text_of(rec, actor, actor ? "login" : fields[i], &b));
    }
    dp_buf_addc(&l->line, '\n');
    dp_buf_release(&b);
}

static enum dp_status list_entry(void *ctx, const struct dp_audit_entry *e, struct dp_err *err) {
    struct listing *l = ctx;
    struct dp_record rec;
    if (dp_run_stopped(&l->cli->run, err)) return DP_SIGNALLED;
    DP_TRY(scan_entry(l, e, &rec, err));
    if (!is_wanted(l, e, &rec)) return DP_OK;
    l->n++;
    if (l->cli->common.json) {
        dp_buf_addc(&l->json, l->json.n ? ',' : '[');
        dp_buf_adds(&l->json, e->text);
        return DP_OK;
    }
    dp_buf_reset(&l->line);
    if (l->shows) dp_buf_adds(&l->line, e->text), dp_buf_addc(&l->line, '\n');
    else add_line(l, e, &rec);
    return dp_out_write(l->cli->run.out, l->line.p, l->line.n, err);
}

static enum dp_status take_numbers(struct dp_cli *cli, struct listing *l, struct dp_err *err) {
    for (size_t i = 1; i < cli->n_args; i++) {
        if (l->n_wanted == sizeof l->wanted / sizeof *l->wanted) return dp_err_set(err, DP_USAGE, "show takes at most 64 numbers");
        if (!dp_parse_u64(dp_str_z(cli->args[i]), &l->wanted[l->n_wanted]) || !l->wanted[l->n_wanted]) return dp_err_set(err, DP_USAGE, "expected the number of an entry, got \"%s\"", cli->args[i]);
        l->n_wanted++;
    }
    return DP_OK;
}

static enum dp_status run_list(struct dp_cli *cli, const char *dir, bool shows, struct dp_err *err) {
    struct listing l = {.cli = cli, .conf = cli->conf, .shows = shows};
    struct dp_audit_seen seen;
    DP_TRY(take_numbers(cli, &l, err));
    l.scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    enum dp_status status = DP_OK;
    if (l.conf->open) status = dp_audit_read(dir, &(struct dp_audit_reader){.ctx = &l, .entry = note_open}, &seen, err);
    if (status == DP_OK) status = dp_audit_read(dir, &(struct dp_audit_reader){.ctx = &l, .entry = list_entry}, &seen, err);
    if (status == DP_OK && cli->common.json) {
        dp_buf_addz(&l.json, l.json.n ? "]" : "[]");
        dp_cli_report(cli, "entries", dp_buf_str(&l.json));
    }
    if (status == DP_OK && l.n_met < l.n_wanted) status = dp_err_set(err, DP_RULE, "not all of these entries are there: the log has %llu to %llu", ULL(seen.first), ULL(seen.last));
    if (status == DP_OK && !l.n && cli->common.skip_empty) status = dp_err_set(err, DP_EMPTY, "no entry is so");
    dp_scan_close(l.scan);
    dp_buf_release(&l.text), dp_buf_release(&l.line), dp_buf_release(&l.json);
    free(l.open);
    return status;
}

/* ---- verify and anchor ---- */

#define MOST_TOLD 1000u /* findings by their words; all are counted */

struct findings {
    struct dp_cli *cli;
    struct dp_buf json;
    uint64_t n;
};

static enum dp_status tell_finding(void *ctx, const char *source, uint64_t line, const char *text, struct dp_err *err) {
    struct findings *f = ctx;
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (f->n++ >= MOST_TOLD) return DP_OK;
    if (f->cli->common.json) {
        dp_buf_addz(&f->json, f->json.n ? ",{\"source\":" : "[{\"source\":");
        dp_json_add_string(&f->json, dp_str_z(source));
        if (line) dp_buf_addf(&f->json, ",\"line\":%llu", ULL(line));
        dp_buf_addz(&f->json, ",\"finding\":"), dp_json_add_string(&f->json, dp_str_z(text)), dp_buf_addc(&f->json, '}');
        return DP_OK;
    }
    dp_buf_addz(&b, source);
    if (line) dp_buf_addf(&b, ":%llu", ULL(line));
    dp_buf_addf(&b, ": %s\n", text);
    for (size_t i = 0; i + 1 < b.n; i++)
        if ((unsigned char)b.p[i] < 0x20) b.p[i] = '?';
    status = dp_out_write(f->cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status read_anchors(const struct audit_conf *c, struct dp_audit_anchors *a, struct dp_err *err) {
    struct dp_sign_public key;
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (c->public_key) status = dp_sign_read_public(c->public_key, &key, err);
    for (size_t i = 0; status == DP_OK && i < c->anchors.n; i++) {
        bool is_stdin = !strcmp(c->anchors.v[i], "-");
        dp_buf_reset(&b);
        status = dp_file_read(is_stdin ? "/dev/stdin" : c->anchors.v[i], DP_LIMIT_AUDIT_EXPIRED, &b, err);
        if (status == DP_OK) status = dp_audit_anchors_add(a, dp_buf_str(&b), is_stdin ? "standard input" : c->anchors.v[i], c->public_key ? &key : NULL, err);
    }
    if (status == DP_OK && c->anchors.n && !a->n) status = dp_err_set(err, DP_FORMAT, "there is no anchor in what --anchor names");
    dp_buf_release(&b);
    return status;
}

static void report_seen(struct dp_cli *cli, const struct dp_audit_seen *s) {
    dp_cli_report_str(cli, "log", dp_str_z(s->log));
    dp_cli_report_u64(cli, "segments", s->segments);
    dp_cli_report_u64(cli, "entries", s->entries);
    dp_cli_report_u64(cli, "first", s->first);
    dp_cli_report_u64(cli, "last", s->last);
    dp_cli_report_str(cli, "hash", dp_str_z(s->hash));
    dp_cli_report_str(cli, "time", dp_str_z(s->time));
    dp_cli_report_u64(cli, "expired_segments", s->expired_segments);
    dp_cli_report_u64(cli, "expired_entries", s->expired_entries);
    dp_cli_report_u64(cli, "repairs", s->repairs);
}

static enum dp_status say_seen(struct dp_cli *cli, const char *dir, const struct dp_audit_seen *s, bool anchored, struct dp_err *err) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%llu entries", ULL(s->entries));
    if (s->entries) dp_buf_addf(&b, " (%llu to %llu)", ULL(s->first), ULL(s->last));
    dp_buf_addf(&b, " in %llu segments hold", ULL(s->segments));
    if (s->expired_segments) dp_buf_addf(&b, ", %llu entries in %llu segments expired", ULL(s->expired_entries), ULL(s->expired_segments));
    if (s->repairs) dp_buf_addf(&b, ", %llu torn lines were repaired", ULL(s->repairs));
    if (anchored) dp_buf_addf(&b, ", %llu anchors hold", ULL(s->anchors));
    if (s->anchors_expired) dp_buf_addf(&b, ", %llu anchors are of expired entries", ULL(s->anchors_expired));
    if (!anchored) dp_buf_addz(&b, "; no anchor, so what may have been cut from the end is not known");
    enum dp_status status = dp_cli_say(cli, err, "%s: %s\n", dir, dp_buf_z(&b));
    dp_buf_release(&b);
    return status;
}

static enum dp_status run_verify(struct dp_cli *cli, const char *dir, struct dp_err *err) {
    const struct audit_conf *c = cli->conf;
    struct findings f = {.cli = cli};
    struct dp_audit_anchors a = {0};
    struct dp_audit_seen s;
    enum dp_status status = read_anchors(c, &a, err);
    struct dp_audit_reader r = {.ctx = &f, .finding = tell_finding, .anchors = a.v, .n_anchors = a.n};
    if (status == DP_OK) status = dp_audit_read(dir, &r, &s, err);
    if (status == DP_OK) {
        report_seen(cli, &s);
        dp_cli_report_u64(cli, "anchors", s.anchors);
        dp_cli_report_u64(cli, "anchors_expired", s.anchors_expired);
        dp_cli_report_u64(cli, "finding_count", s.findings);
        dp_buf_addz(&f.json, f.json.n ? "]" : "[]");
        dp_cli_report(cli, "findings", dp_buf_str(&f.json));
        if (s.findings) status = dp_err_set(err, DP_FORMAT, "%s: the audit log does not hold: %llu findings", dir, ULL(s.findings));
        else status = say_seen(cli, dir, &s, c->anchors.n > 0, err);
    }
    dp_buf_release(&f.json);
    free(a.v);
    return status;
}

static enum dp_status run_anchor(struct dp_cli *cli, const char *dir, struct dp_err *err) {
    const struct audit_conf *c = cli->conf;
    struct dp_sign_key *key = NULL;
    struct dp_audit_seen s;
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (c->key_file) dp_secret_guard(), status = dp_sign_read_key(c->key_file, &key, err);
    if (status == DP_OK) status = dp_audit_read(dir, &(struct dp_audit_reader){0}, &s, err); /* what does not hold is not anchored */
    if (status == DP_OK) status = dp_audit_anchor_print(&s, key, &b, err);
    if (status == DP_OK) {
        report_seen(cli, &s);
        dp_cli_report_str(cli, "anchor", dp_str(b.p, b.n - 1));
        if (!cli->common.json) status = dp_out_write(cli->run.out, b.p, b.n, err);
    }
    dp_sign_key_free(key);
    dp_buf_release(&b);
    return status;
}

/* ---- expire ---- */

static enum dp_status run_expire(struct dp_cli *cli, const char *dir, struct dp_err *err) {
    const struct audit_conf *c = cli->conf;
    struct dp_audit_expired x = {0};
    struct dp_audit *a = NULL;
    bool dry = cli->run.dry_run;
    if (!dp_cli_given(cli, "before") && !dp_cli_given(cli, "older")) return dp_err_set(err, DP_USAGE, "audit expire needs --before TIME or --older D");
    int64_t before = dp_cli_given(cli, "before") ? c->before : cli->run.now_micros - c->older * 1000;
    if (access(dir, F_OK) != 0) return dp_err_set(err, DP_IO, "there is no audit log in %s", dir); /* none is made for this */
    DP_TRY(dp_audit_open(&cli->run, dir, &a, err));
    enum dp_status status = dp_audit_expire(a, before, c->reason, dry, &x, err);
    dp_audit_close(a);
    DP_TRY(status);
    dp_cli_report_u64(cli, "segments", x.segments);
    dp_cli_report_u64(cli, "entries", x.entries);
    dp_cli_report_u64(cli, "bytes", x.bytes);
    DP_TRY(dp_cli_say(cli, err, "%s: %s %llu segments with %llu entries, %llu bytes\n", dir, dry ? "would remove" : "removed", ULL(x.segments), ULL(x.entries), ULL(x.bytes)));
    if (!x.segments && !x.bytes && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing is that old");
    return DP_OK;
}

static enum dp_status run_audit(struct dp_cli *cli, struct dp_err *err) {
    static const char *const names[] = {"list", "show", "verify", "anchor", "expire", NULL};
    const struct audit_conf *c = cli->conf;
    int k = 0;
    while (names[k] && strcmp(names[k], cli->args[0]) != 0) k++;
    if (!names[k]) {
        const char *near = dp_str_nearest(cli->args[0], names);
        return dp_err_set(err, DP_USAGE, "audit: \"%s\" is none of list, show, verify, anchor, expire%s%s%s", cli->args[0], near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    }
    if (cli->n_args > 1 && (1 << k) != SHOW) return dp_err_set(err, DP_USAGE, "audit %s takes no further word", names[k]);
    for (size_t i = 0; i < sizeof belongs / sizeof *belongs; i++)
        if (dp_cli_given(cli, belongs[i].option) && !(belongs[i].of & (1 << k))) return dp_err_set(err, DP_USAGE, "--%s is not for audit %s", belongs[i].option, names[k]);
    char *dir = dp_audit_directory(c->audit);
    if (!dir) return dp_err_set(err, DP_IO, "nobody knows a home for the audit log: --audit or DP_AUDIT names its directory");
    enum dp_status status = DP_OK;
    switch ((enum act)(1 << k)) {
    case LIST: status = run_list(cli, dir, false, err); break;
    case SHOW: status = run_list(cli, dir, true, err); break;
    case VERIFY: status = run_verify(cli, dir, err); break;
    case ANCHOR: status = run_anchor(cli, dir, err); break;
    case EXPIRE: status = run_expire(cli, dir, err); break;
    }
    free(dir);
    return status;
}

const struct dp_tool retain_audit = {
    .name = "audit", .summary = "the audit log: list, show, verify, anchor, expire", .args = "WORD",
    .synopsis = "list | show [SEQ...] [--open] [--since TIME] [--until TIME] [--action NAME] [--object TEXT] [--actor NAME]\n"
                "verify [--anchor FILE]... [--public-key FILE]\nanchor [--key-file FILE]\nexpire --before TIME | --older D [--reason TEXT]",
    .options = audit_options, .conf_size = sizeof(struct audit_conf), .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY, .min_args = 1, .max_args = -1, .no_lineage = "*", .run = run_audit};

/*
 * Carrying a plan of retention out (dp/io/retain_plan.h), one table after the other: its rows as one version, then what moves to a tier, then leftovers, then what no version needs.
 *
 * The plan's rules are read again and judged against the table as it is now, as of the plan's time.  The commit carries a transaction with the plan's time and the digest of what
 * it does, so that a table whose rows are gone is known by its log; what follows the commit can be done any number of times.
 */
#include "retain_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>
#include <dp/io/audit.h>
#include <dp/io/edit.h>
#include <dp/record/json.h>

#include <stdlib.h>

enum { PLAN_MAX = 1 << 30 };

struct item {
    const char *table, *below, *id;
    int64_t version;
    const char *rows;             /* digest; NULL: no rows go */
    const char *tier;             /* digest; NULL: nothing moves */
    const char *own;              /* of the rules in the table's own contract; NULL: it goes by those of the plan */
    bool has_versions, has_leftovers, is_sure; /* is_sure: some rows go, whatever files hold that lose a part */
    const char **rules;
    size_t n_rules;
};

struct applying {
    struct dp_run *run;
    const struct dp_retain_apply_opts *o;
    struct dp_retain_applied *out;
    struct dp_arena arena;
    struct dp_retain_rules rules;
    struct item *items;
    size_t n, cap;
    int64_t now;
    const char **files;
    size_t n_files;
    const char *contract, *digest;
    struct dp_audit *audit;
    /* of the table at hand */
    struct retain_table t;
    struct retain_judge judge;
    bool judges;
    const struct item *item;
    bool is_stale, is_held;
    struct dp_buf words;
};

/* ---- reading the plan ---- */

static enum dp_status damaged(const struct applying *a, uint64_t line, const char *what, struct dp_err *err) {
    dp_err_set(err, DP_FORMAT, "%s: line %llu: %s", a->o->plan, (unsigned long long)line, what);
    return DP_FORMAT;
}

static const char *text_of(struct applying *a, const struct dp_record *r, uint32_t object, const char *name) {
    struct dp_buf b = {0};
    uint32_t node = dp_json_member(r, object, name);
    const char *z = NULL;
    if (node && dp_json_get_string(r, node, &b)) z = dp_arena_str(&a->arena, dp_buf_str(&b)).p;
    dp_buf_release(&b);
    return z;
}

static const char **texts_of(struct applying *a, const struct dp_record *r, const char *name, size_t *n) {
    uint32_t node = dp_json_member(r, 0, name);
    const char **out = NULL;
    *n = 0;
    if (!node || r->nodes[node].kind != DP_KIND_ARRAY) return NULL;
    out = dp_arena_calloc(&a->arena, r->n_nodes, sizeof *out);
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) {
        struct dp_buf b = {0};
        if (dp_json_get_string(r, i, &b)) out[(*n)++] = dp_arena_str(&a->arena, dp_buf_str(&b)).p;
        dp_buf_release(&b);
    }
    return out;
}

static enum dp_status read_item(struct applying *a, const struct dp_record *r, uint64_t line, struct dp_err *err) {
    struct item item = {.table = text_of(a, r, 0, "table"), .below = text_of(a, r, 0, "below"), .id = text_of(a, r, 0, "id"), .own = text_of(a, r, 0, "own")};
    uint32_t version = dp_json_member(r, 0, "version"), rows = dp_json_member(r, 0, "rows");
    if (!item.table || !item.below || !item.id || !version || !dp_json_get_i64(r, version, &item.version)) return damaged(a, line, "this is no line of a plan", err);
    if (rows && !(item.rows = text_of(a, r, rows, "digest"))) return damaged(a, line, "rows without a digest", err);
    int64_t files = 0;
    uint32_t node = rows ? dp_json_member(r, rows, "files") : 0;
    if (node) item.is_sure = dp_json_get_i64(r, node, &files) && files > 0;
    uint32_t tier = dp_json_member(r, 0, "tier");
    if (tier && !(item.tier = text_of(a, r, tier, "digest"))) return damaged(a, line, "a tier without a digest", err);
    item.has_versions = dp_json_member(r, 0, "versions") != 0;
    item.has_leftovers = dp_json_member(r, 0, "leftovers") != 0;
    item.rules = texts_of(a, r, "rules", &item.n_rules);
    a->items = dp_grow(a->items, &a->cap, a->n + 1, sizeof *a->items);
    a->items[a->n++] = item;
    return DP_OK;
}

static enum dp_status read_head(struct applying *a, const struct dp_record *r, struct dp_err *err) {
    uint32_t form = dp_json_member(r, 0, "dp_retain_plan"), now = dp_json_member(r, 0, "now");
    int64_t n = 0;
    if (!form || !dp_json_get_i64(r, form, &n)) return dp_err_set(err, DP_FORMAT, "%s is no plan of dp-retain plan", a->o->plan);
    if (n != 1) return dp_err_set(err, DP_UNSUPPORTED, "%s: plans of form %lld are not known", a->o->plan, (long long)n);
    if (!now || !dp_json_get_i64(r, now, &a->now) || !(a->digest = text_of(a, r, 0, "digest"))) return damaged(a, 1, "this is no head of a plan", err);
    a->files = texts_of(a, r, "rules", &a->n_files);
    a->contract = text_of(a, r, 0, "contract");
    return DP_OK;
}

static enum dp_status check_end(const struct applying *a, struct dp_str before, const struct dp_record *r, uint64_t line, struct dp_err *err) {
    uint8_t hash[DP_SHA256_SIZE];
    char hex[65];
    struct applying copy = *a;
    copy.arena = (struct dp_arena){0};
    const char *digest = text_of(&copy, r, 0, "digest");
    dp_sha256(before.p, before.n, hash);
    hex[dp_hex_print(hex, hash, sizeof hash)] = 0;
    bool fine = digest && !strcmp(digest, hex);
    dp_arena_release(&copy.arena);
    return fine ? DP_OK : damaged(a, line, "the plan was changed since it was made", err);
}

static enum dp_status read_lines(struct applying *a, struct dp_str text, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(PLAN_MAX, DP_SCAN_AUTO);
    struct dp_record r;
    struct dp_buf one = {0};
    enum dp_status status = DP_OK;
    uint64_t line = 0;
    bool ended = false;
    for (size_t at = 0; status == DP_OK && at < text.n && !ended;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        struct dp_err ignored = DP_ERR_INIT;
        line++;
        if (!end) break;
        size_t n = (size_t)(end - text.p) - at;
        dp_buf_reset(&one);
        dp_buf_add(&one, text.p + at, n);
        memset(dp_buf_reserve(&one, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        if (!n || dp_scan_value(scan, one.p, one.n, &r, &ignored) != DP_OK || r.nodes[0].kind != DP_KIND_OBJECT) status = damaged(a, line, "this is no JSON object", err);
        else if (line == 1) status = read_head(a, &r, err);
        else if (dp_json_member(&r, 0, "end")) ended = true, status = check_end(a, dp_str(text.p, at), &r, line, err);
        else status = read_item(a, &r, line, err);
        at += n + 1;
    }
    if (status == DP_OK && !ended) status = damaged(a, line + 1, "the plan has no end", err);
    dp_scan_close(scan);
    dp_buf_release(&one);
    return status;
}

static enum dp_status read_plan(struct applying *a, struct dp_err *err) {
    struct dp_buf text = {0};
    char hex[65];
    enum dp_status status = dp_file_read(a->o->plan, PLAN_MAX, &text, err);
    if (status == DP_OK) status = read_lines(a, dp_buf_str(&text), err);
    dp_buf_release(&text);
    if (status == DP_OK) status = retain_read_rules(a->files, a->n_files, a->contract, &a->rules, err);
    hex[dp_hex_print(hex, a->rules.digest, 32)] = 0;
    if (status == DP_OK && strcmp(hex, a->digest) != 0) status = dp_err_set(err, DP_AGAIN, "%s is out of date: its rules were changed since; make it anew", a->o->plan);
    return status;
}

/* ---- one table ---- */

static enum dp_status stale(struct applying *a, const char *why, struct dp_err *err) {
    a->is_stale = true;
    return dp_err_set(err, DP_AGAIN, "%s: the plan is out of date: %s", a->item->table, why);
}

static enum dp_status held(struct applying *a, struct dp_err *err) {
    a->is_held = true;
    return dp_legal_refuse(&a->t.legal, a->item->table, "the plan is not carried out", err);
}

/* Of each version that the rows are deleted from. */
static enum dp_status check(void *ctx, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct applying *a = ctx;
    struct retain_rows rows;
    if (!dp_str_eqz(s->metadata.id, a->item->id)) return stale(a, "another table is in its place", err);
    DP_TRY(retain_rows_count(&a->t, s, &rows, err));
    if (strcmp(rows.digest, a->item->rows) != 0 && a->t.legal.n) return held(a, err); /* for it, most likely: a plan that is made now leaves out what is held */
    if (strcmp(rows.digest, a->item->rows) != 0) return stale(a, "files that it touches were changed, or others came that it would touch", err);
    if (a->judges) retain_judge_close(&a->judge);
    retain_judge_open(&a->judge, &a->t, s);
    a->judges = true;
    return DP_OK;
}

static enum dp_maybe judge(void *ctx, const struct dp_delta_file *f) {
    struct applying *a = ctx;
    return retain_judge_ask(&a->judge, f);
}

static enum dp_status delete_rows(struct applying *a, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_buf app = {0}, predicate = {0};
    struct dp_edited done = {.version = -1};
    enum dp_status status = DP_OK;
    int64_t version;
    dp_buf_addf(&app, "dp-retain/%lld/%s", (long long)a->now, a->item->rows);
    dp_buf_addz(&predicate, "retention: ");
    for (size_t i = 0, n = 0; i < a->t.n; i++)
        if (a->t.rules[i]->has_rows) dp_buf_addf(&predicate, "%s%s", n++ ? ", " : "", a->t.rules[i]->id);
    const struct dp_delta_txn txn = {.app_id = dp_buf_str(&app), .version = 1, .last_updated = DP_DELTA_UNSET};
    if (dp_delta_txn_version(s, txn.app_id, a->run->now_micros / 1000, &version)) {
        a->out->done_before++;
        dp_buf_addf(&a->words, "%s: its rows were deleted before\n", a->item->table);
    } else {
        struct dp_edit_opts o = {.table = a->item->table, .where = a->t.where_text.n ? dp_buf_z(&a->t.where_text) : NULL, .judge = judge, .check = check, .ctx = a, .txn = &txn,
                                 .predicate = dp_buf_z(&predicate)};
        status = dp_edit_delete(a->run, &o, &done, err);
        if (status == DP_END) { /* another run of the same plan was faster */
            status = DP_OK;
            a->out->done_before++;
        } else if (status == DP_OK) {
            a->out->commits += done.version >= 0, a->out->files_removed += done.files_removed, a->out->files_added += done.files_added, a->out->vectors += done.vectors;
            if (done.deleted > 0) a->out->rows += (uint64_t)done.deleted;
            dp_buf_addf(&a->words, "%s: %lld rows %s", a->item->table, (long long)done.deleted, a->run->dry_run ? "would go" : "deleted");
            if (done.version >= 0) dp_buf_addf(&a->words, ", version %lld", (long long)done.version);
            dp_buf_addc(&a->words, '\n');
        }
    }
    if (a->judges) retain_judge_close(&a->judge);
    a->judges = false;
    dp_buf_release(&app);
    dp_buf_release(&predicate);
    return status;
}

static enum dp_status look_for_signals(void *ctx, const char *path, int64_t bytes, struct dp_err *err) {
    struct applying *a = ctx;
    (void)path, (void)bytes;
    return dp_run_stopped(a->run, err) ? DP_SIGNALLED : DP_OK;
}

static void tell_held(struct applying *a, const struct dp_delta_vacuumed *done) {
    struct dp_legal l;
    dp_legal_read(a->item->table, &l); /* as of now: a hold may have come meanwhile */
    dp_buf_addf(&a->words, "%s: %llu old files of %llu bytes stay: held by ", a->item->table, (unsigned long long)done->held_files, (unsigned long long)done->held_bytes);
    dp_legal_names(&l, &a->words);
    dp_buf_addc(&a->words, '\n');
    dp_legal_release(&l);
}

static enum dp_status delete_old(struct applying *a, struct dp_err *err) {
    struct retain_versions v;
    struct dp_delta_snapshot *s = NULL;
    struct dp_delta_vacuumed done;
    enum dp_status status = dp_delta_open_how(a->item->table, -1, &(struct dp_delta_how){.skip_stats = true}, &s, err);
    if (status == DP_OK) status = retain_versions_read(&a->t, s, a->item->version, a->item->is_sure, &v, err);
    if (status == DP_OK) {
        int64_t now_ms = a->now / 1000, clock_ms = (a->run->now_fixed ? a->run->now_micros : dp_time_now_micros()) / 1000 + 1;
        struct dp_delta_vacuum_opts o = retain_vacuum(&v, v.purges && clock_ms > now_ms ? clock_ms : now_ms);
        o.dry_run = a->run->dry_run, o.latest = s, o.each = look_for_signals, o.ctx = a;
        status = dp_delta_vacuum(a->item->table, &o, &done, err);
        a->out->old_files += done.files, a->out->old_bytes += done.bytes;
        a->out->held_files += done.held_files, a->out->held_bytes += done.held_bytes;
        if (status == DP_OK && done.held_files) tell_held(a, &done);
        if (status == DP_OK) dp_buf_addf(&a->words, "%s: %llu old files of %llu bytes %s\n", a->item->table, (unsigned long long)done.files, (unsigned long long)done.bytes,
                                         a->run->dry_run ? "would go" : "deleted");
        retain_versions_release(&v);
    }
    dp_delta_close(s);
    return status;
}

/* Before anything is done to the table: are the files those of the plan?  Not asked where it has begun already. */
static enum dp_status check_tiers(struct applying *a, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct retain_tiers x;
    struct dp_buf app = {0};
    int64_t version;
    bool begun = retain_tiers_begun(&a->t, s, a->item->tier, a->run->now_micros);
    dp_buf_addf(&app, "dp-retain/%lld/%s", (long long)a->now, a->item->rows ? a->item->rows : "");
    begun |= a->item->rows && dp_delta_txn_version(s, dp_buf_str(&app), a->run->now_micros / 1000, &version);
    dp_buf_release(&app);
    if (begun) return DP_OK;
    enum dp_status status = retain_tiers_open(&x, &a->t, s, err);
    if (status == DP_OK && strcmp(x.digest, a->item->tier) != 0) status = stale(a, "files that would move to a tier were changed, or others came", err);
    retain_tiers_close(&x);
    return status;
}

static enum dp_status move_cold(struct applying *a, struct dp_err *err) {
    struct retain_moved m;
    enum dp_status status = retain_tiers_move(a->run, &a->t, a->item->tier, &m, err);
    a->out->tier_files += m.files, a->out->tier_bytes += m.bytes, a->out->rewritten += m.rewritten, a->out->commits += m.commits;
    if (status == DP_OK) dp_buf_addf(&a->words, "%s: %llu files of %llu bytes %s to a tier\n", a->item->table, (unsigned long long)m.files, (unsigned long long)m.bytes,
                                     a->run->dry_run ? "would move" : "moved");
    return status;
}

static enum dp_status check_own(struct applying *a, struct dp_err *err) {
    char hex[65];
    hex[dp_hex_print(hex, a->t.own.digest, sizeof a->t.own.digest)] = 0;
    return strcmp(hex, a->item->own) ? stale(a, "its own contract says something else of retention now", err) : DP_OK;
}

static enum dp_status act(struct applying *a, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    enum dp_status status = dp_delta_open(a->item->table, -1, &s, err);
    if (status == DP_OK && !dp_str_eqz(s->metadata.id, a->item->id)) status = stale(a, "another table is in its place", err);
    if (status == DP_OK && s->version < a->item->version) status = stale(a, "its log is shorter than it was", err);
    if (status == DP_OK) status = retain_table_open(&a->t, s, err);
    if (status == DP_OK && a->item->own) status = check_own(a, err);
    if (status == DP_OK && a->item->tier) status = check_tiers(a, s, err);
    if (status == DP_OK && a->item->rows && a->t.legal.whole) status = held(a, err);
    if (status == DP_OK && a->item->rows) status = delete_rows(a, s, err);
    dp_delta_close(s);
    if (status == DP_OK && a->item->tier) status = move_cold(a, err);
    if (status == DP_OK && a->item->has_leftovers && !a->t.legal.n) {
        uint64_t n = retain_leftovers(&a->t, !a->run->dry_run);
        a->out->leftovers += n;
        dp_buf_addf(&a->words, "%s: %llu leftovers of writers %s\n", a->item->table, (unsigned long long)n, a->run->dry_run ? "would go" : "removed");
    }
    if (status == DP_OK && a->item->has_versions) status = delete_old(a, err);
    return status;
}

/* What the log of who did what says of it before it is done: the plan's time, and the rules by their ids. */
static void print_intent(const struct applying *a, struct dp_buf *b) {
    dp_buf_addf(b, "{\"plan_now\":%lld,\"version\":%lld,\"rules\":[", (long long)a->now, (long long)a->item->version);
    for (size_t i = 0; i < a->item->n_rules && i < 100; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(a->item->rules[i]));
    }
    dp_buf_addf(b, "],\"rows\":%s,\"versions\":%s,\"leftovers\":%s,\"tier\":%s}", a->item->rows ? "true" : "false", a->item->has_versions ? "true" : "false",
                a->item->has_leftovers ? "true" : "false", a->item->tier ? "true" : "false");
}

static enum dp_status apply_table(struct applying *a, struct dp_err *err) {
    struct dp_buf intent = {0}, result = {0};
    char *object = dp_audit_object(a->item->table);
    uint64_t ticket = 0, rows = a->out->rows, files = a->out->files_removed, old = a->out->old_files, cold = a->out->tier_files;
    enum dp_status status = DP_OK;
    a->t = (struct retain_table){.path = a->item->table, .below = a->item->below, .all = a->item->own ? NULL : &a->rules, .now = a->now};
    a->is_stale = a->is_held = false;
    print_intent(a, &intent);
    if (a->audit) status = dp_audit_begin(a->audit, &(struct dp_audit_intent){.action = "retain.apply", .object = object, .why = a->o->why, .what = dp_buf_str(&intent)}, &ticket, err);
    bool began = status == DP_OK;
    if (began) status = act(a, err);
    if (a->audit && began) {
        dp_buf_addf(&result, "{\"rows\":%llu,\"files\":%llu,\"old_files\":%llu,\"tier_files\":%llu}", (unsigned long long)(a->out->rows - rows), (unsigned long long)(a->out->files_removed - files),
                    (unsigned long long)(a->out->old_files - old), (unsigned long long)(a->out->tier_files - cold));
        status = dp_audit_end(a->audit, ticket, status, dp_buf_str(&result), err);
    }
    retain_table_close(&a->t);
    dp_buf_release(&intent);
    dp_buf_release(&result);
    free(object);
    return status;
}

enum dp_status dp_retain_apply(struct dp_run *run, const struct dp_retain_apply_opts *o, struct dp_retain_applied *out, struct dp_err *err) {
    struct applying a = {.run = run, .o = o, .out = out};
    struct dp_err why = DP_ERR_INIT, held_why = DP_ERR_INIT;
    enum dp_status status;
    *out = (struct dp_retain_applied){0};
    DP_TRY_OUT(read_plan(&a, err));
    if (!run->dry_run) DP_TRY_OUT(dp_audit_open(run, o->audit, &a.audit, err));
    for (size_t i = 0; i < a.n && status == DP_OK; i++) {
        if (dp_run_stopped(run, err)) {
            status = DP_SIGNALLED;
            break;
        }
        a.item = &a.items[i];
        out->tables++;
        dp_buf_reset(&a.words);
        status = apply_table(&a, &why);
        if (a.is_stale && status == DP_AGAIN) {
            out->stale++;
            dp_buf_addf(&a.words, "%s\n", why.msg);
            status = DP_OK;
        } else if (a.is_held && status == DP_RULE) {
            out->held++;
            dp_buf_addf(&a.words, "%s\n", why.msg);
            held_why = why;
            status = DP_OK;
        } else if (status != DP_OK && err) {
            *err = why;
        }
        if (a.words.n && o->say && status == DP_OK) status = o->say(o->ctx, dp_buf_str(&a.words), err);
        if (run->tick) run->tick(run);
    }
    if (status == DP_OK && out->held) status = dp_err_set(err, DP_RULE, "%llu of %llu tables are held: %s", (unsigned long long)out->held, (unsigned long long)out->tables, held_why.msg);
    if (status == DP_OK && out->stale)
        status = dp_err_set(err, DP_AGAIN, "%s is out of date for %llu of %llu tables: make it anew", o->plan, (unsigned long long)out->stale, (unsigned long long)out->tables);
out:
    dp_audit_close(a.audit);
    free(a.items);
    dp_buf_release(&a.words);
    dp_retain_rules_release(&a.rules);
    dp_arena_release(&a.arena);
    return status;
}

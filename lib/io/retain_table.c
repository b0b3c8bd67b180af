/*
 * What rules of retention say of one table (lib/io/retain_priv.h): which files go, lose rows or are left alone, which versions stay, what no version needs.
 *
 * A file is judged by when it was written, by its partition values and its statistics; where two measures meet, none lets go what the other holds.
 */
#include "retain_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/land.h>

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS INT64_C(86400000)

/* ---- rows ---- */

/* Rows of held subjects stay, whatever the rules say; where that can't be told of rows, all do. */
static enum dp_status spare_subjects(struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_buf *where, struct dp_err *err) {
    struct dp_buf held = {0}, all = {0};
    enum dp_status status = DP_OK;
    if (!dp_legal_rows(&t->legal, s->schema, &held)) t->legal.whole = t->legal.n > 0;
    else if (held.n) status = dp_expr_compile(dp_buf_str(&held), &t->held, err);
    if (t->held && where->n) {
        dp_buf_addf(&all, "(%.*s) and ((%.*s) | not)", DP_STR_FMT(dp_buf_str(where)), DP_STR_FMT(dp_buf_str(&held)));
        dp_buf_reset(where);
        dp_buf_adds(where, dp_buf_str(&all));
    }
    dp_buf_release(&held);
    dp_buf_release(&all);
    return status;
}

static enum dp_status compile(struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_buf where = {0}, unheld = {0};
    enum dp_status status = dp_retain_where(t->rules, t->n, s, t->now, &where, err);
    if (status == DP_OK) status = dp_retain_unheld(t->rules, t->n, s, t->now, &unheld, err);
    if (status == DP_OK && t->legal.n) status = spare_subjects(t, s, &where, err);
    if (status == DP_OK && where.n) status = dp_expr_compile(dp_buf_str(&where), &t->where, err);
    if (status == DP_OK && unheld.n) status = dp_expr_compile(dp_buf_str(&unheld), &t->unheld, err);
    dp_buf_adds(&t->where_text, dp_buf_str(&where));
    dp_buf_adds(&t->text, dp_buf_str(&where));
    dp_buf_addc(&t->text, '\n');
    dp_buf_adds(&t->text, dp_buf_str(&unheld));
    dp_buf_release(&where);
    dp_buf_release(&unheld);
    return status;
}

/* A misspelled column in a condition would read as null, of which much is true. */
static enum dp_status check_fields(const struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) {
    const char *const *fields;
    size_t n = 0;
    if (!t->where || !dp_expr_fields(t->where, &fields, &n)) return DP_OK;
    for (size_t i = 0; i < n; i++)
        if (!dp_type_child(s->schema, dp_str_z(fields[i]))) return dp_type_no_child(s->schema, "where", t->path, dp_str_z(fields[i]), err);
    return DP_OK;
}

enum dp_status retain_table_open(struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) {
    if (!t->all) DP_TRY(dp_retain_own(&t->own, s, err));
    const struct dp_retain_rules *all = t->all ? t->all : &t->own;
    t->rules = dp_calloc(all->n + 1, sizeof *t->rules);
    t->most = -1;
    for (size_t i = 0; i < all->n; i++) {
        const struct dp_retain_rule *r = &all->v[i];
        bool covers;
        DP_TRY(dp_retain_covers(r, t->path, t->below, s, &covers, err));
        if (!covers) continue;
        t->rules[t->n++] = r;
        t->has_rows |= r->has_rows, t->has_versions |= r->has_versions, t->has_leftovers |= r->has_leftovers, t->has_tier |= r->has_tier;
        if (r->most >= 0 && (t->most < 0 || r->most < t->most)) t->most = r->most;
    }
    dp_legal_read(t->path, &t->legal);
    if (!t->has_rows) return DP_OK;
    DP_TRY(compile(t, s, err));
    return check_fields(t, s, err);
}

void retain_table_close(struct retain_table *t) {
    free(t->rules);
    dp_retain_rules_release(&t->own);
    dp_expr_free(t->where);
    dp_expr_free(t->unheld);
    dp_expr_free(t->held);
    dp_legal_release(&t->legal);
    dp_buf_release(&t->text);
    dp_buf_release(&t->where_text);
}

void retain_judge_open(struct retain_judge *j, struct retain_table *t, const struct dp_delta_snapshot *s) {
    *j = (struct retain_judge){.t = t, .s = s, .held = t->held ? dp_delta_skipper_open(s, t->held) : NULL, .where = t->where ? dp_delta_skipper_open(s, t->where) : NULL, .unheld = t->unheld ? dp_delta_skipper_open(s, t->unheld) : NULL};
}

void retain_judge_close(struct retain_judge *j) {
    dp_delta_skipper_close(j->where);
    dp_delta_skipper_close(j->unheld);
    dp_delta_skipper_close(j->held);
}

enum dp_maybe retain_judge_ask(struct retain_judge *j, const struct dp_delta_file *f) {
    enum dp_maybe whole = dp_retain_file(j->t->rules, j->t->n, f, j->t->now);
    if (whole == DP_NEVER || (j->t->legal.n && dp_legal_holds_file(&j->t->legal, j->s, f))) return DP_NEVER;
    if (j->held && dp_delta_skipper_ask(j->held, f) != DP_NEVER) return j->where ? dp_delta_skipper_ask(j->where, f) : DP_NEVER;
    if (whole == DP_ALWAYS && (!j->unheld || dp_delta_skipper_ask(j->unheld, f) == DP_ALWAYS)) return DP_ALWAYS;
    return j->where ? dp_delta_skipper_ask(j->where, f) : DP_NEVER;
}

/* Adds the file's digest to a sum, which no order changes. */
static void mix_file(uint64_t sum[4], const struct dp_delta_file *f, enum dp_maybe answer, struct dp_buf *key) {
    uint64_t part[4];
    dp_buf_reset(key);
    dp_buf_addc(key, answer == DP_ALWAYS ? 'a' : 'm');
    dp_delta_file_key(f, key);
    dp_sha256(key->p, key->n, (uint8_t *)part);
    for (int i = 0; i < 4; i++) sum[i] += part[i];
}

static void finish_digest(struct retain_table *t, const struct dp_delta_snapshot *s, const uint64_t sum[4], struct retain_rows *out) {
    struct dp_buf all = {0};
    uint8_t hash[DP_SHA256_SIZE];
    dp_buf_adds(&all, s->metadata.id);
    dp_buf_addc(&all, 0);
    dp_buf_adds(&all, s->metadata.schema_string);
    dp_buf_addc(&all, 0);
    dp_buf_adds(&all, dp_buf_str(&t->text));
    for (int i = 0; i < 4; i++) dp_buf_addf(&all, "\n%016llx", (unsigned long long)sum[i]);
    dp_sha256(all.p, all.n, hash);
    out->digest[dp_hex_print(out->digest, hash, 16)] = 0;
    dp_buf_release(&all);
}

enum dp_status retain_rows_count(struct retain_table *t, const struct dp_delta_snapshot *s, struct retain_rows *out, struct dp_err *err) {
    struct retain_judge j;
    struct dp_delta_skipper *rows = dp_delta_skipper_open(s, NULL);
    struct dp_buf key = {0};
    const struct dp_delta_file *f;
    uint64_t sum[4] = {0};
    *out = (struct retain_rows){.is_known = true};
    retain_judge_open(&j, t, s);
    for (size_t cursor = 0; (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        enum dp_maybe answer = retain_judge_ask(&j, f);
        if (answer == DP_NEVER && t->most < 0) continue;
        int64_t n = dp_delta_skipper_rows(answer == DP_MAYBE && j.where ? j.where : rows, f), dead = f->dv.storage.p && f->dv.cardinality > 0 ? f->dv.cardinality : 0;
        uint64_t live = n > dead ? (uint64_t)(n - dead) : 0, size = f->size > 0 ? (uint64_t)f->size : 0;
        if (n < 0) out->is_known = false;
        out->all_rows += live;
        if (answer == DP_NEVER) continue;
        mix_file(sum, f, answer, &key);
        out->most += live;
        if (answer == DP_ALWAYS) out->files++, out->bytes += size, out->least += live;
        else out->rewrites++, out->rewrite_bytes += size;
    }
    retain_judge_close(&j);
    dp_delta_skipper_close(rows);
    dp_buf_release(&key);
    finish_digest(t, s, sum, out);
    if (t->most >= 0 && (out->files || out->rewrites) && !out->is_known)
        return dp_err_set(err, DP_RULE, "%s: at-most: the log doesn't tell the rows of all files", t->path);
    if (t->most >= 0 && (dp_i128)out->most * 100 > (dp_i128)out->all_rows * t->most)
        return dp_err_set(err, DP_RULE, "%s: up to %llu of %llu rows would go, more than the %lld%% that at-most allows", t->path, (unsigned long long)out->most,
                          (unsigned long long)out->all_rows, (long long)t->most);
    return DP_OK;
}

/* ---- versions ---- */

/* The period of a version's time, for daily .. yearly. */
static int64_t period_of(const struct dp_zone *z, int64_t ms, int what) {
    int64_t seconds = ms / 1000 - (ms % 1000 < 0), local = seconds + dp_zone_offset(z, seconds), day = local / 86400 - (local % 86400 < 0), year;
    unsigned month, of_month;
    if (what == 0) return day;
    if (what == 1) return (day + 3) / 7 - ((day + 3) % 7 < 0); /* weeks begin on Monday */
    dp_civil_from_days(day, &year, &month, &of_month);
    return what == 2 ? year * 12 + month : year;
}

/* The newest version of each of so many periods. */
static void keep_periods(const struct dp_retain_rule *r, int what, int64_t count, struct retain_versions *v, size_t n, bool rows_go, int64_t now_ms) {
    int64_t last = rows_go ? period_of(r->zone, now_ms, what) : INT64_MIN; /* the version that is made now is the newest of its period */
    if (rows_go) count--;
    for (size_t i = n; i-- > 0 && count > 0;) {
        int64_t p = period_of(r->zone, v->lives.times[i], what);
        if (p == last) continue;
        v->stays[i] = true;
        last = p, count--;
    }
}

static void keep_by_rule(const struct dp_retain_rule *r, struct retain_versions *v, size_t n, bool rows_go, int64_t now) {
    int64_t cut = dp_retain_cut(&r->versions, r->zone, now), last = r->last - (rows_go ? 1 : 0), now_ms = now / 1000;
    const int64_t counts[] = {r->daily, r->weekly, r->monthly, r->yearly};
    int64_t cut_ms = cut == INT64_MIN ? INT64_MIN : cut / 1000 - (cut % 1000 < 0);
    if (cut_ms < v->cut_ms) v->cut_ms = cut_ms;
    for (size_t i = 0; i < n; i++)
        if (last > 0 && (int64_t)(n - i) <= last) v->stays[i] = true;
    for (int i = 0; i < 4; i++) keep_periods(r, i, counts[i], v, n, rows_go, now_ms);
}

static enum dp_status settle_cut(const struct retain_table *t, const struct dp_delta_snapshot *s, struct retain_versions *v, struct dp_err *err) {
    struct dp_str text = dp_delta_property(s, "delta.deletedFileRetentionDuration", "");
    int64_t wanted = 7 * DAY_MS, table_cut;
    if (text.n && !dp_delta_interval_parse(text, &wanted))
        return dp_err_set(err, DP_UNSUPPORTED, "%s: delta.deletedFileRetentionDuration \"%.*s\" is not a duration", t->path, DP_STR_FMT(text));
    if (dp_sub_overflow(t->now / 1000, wanted, &table_cut)) table_cut = INT64_MIN;
    bool below = true;
    for (size_t i = 0; i < t->n; i++) below &= !t->rules[i]->has_versions || t->rules[i]->below_table;
    if (below) v->force = v->cut_ms > table_cut;
    else if (v->cut_ms > table_cut) v->cut_ms = table_cut;
    v->purges = v->cut_ms >= t->now / 1000;
    return DP_OK;
}

/* Files that versions which stay need, and all that the log named. */
static void sort_files(struct retain_versions *v, size_t n) {
    const struct dp_delta_lives *l = &v->lives;
    size_t *next = dp_calloc(n + 2, sizeof *next); /* the first version from i on that stays; n: none */
    v->keep = dp_calloc(l->n + 1, sizeof *v->keep);
    v->known = dp_calloc(l->n + 1, sizeof *v->known);
    next[n] = n;
    for (size_t i = n; i-- > 0;) next[i] = v->stays[i] ? i : next[i + 1];
    for (size_t i = 0; i < l->n; i++) {
        size_t from = (size_t)(l->v[i].from - l->oldest), to = (size_t)(l->v[i].to - l->oldest);
        v->known[i] = l->v[i].file;
        if (next[from] < to) v->keep[v->n_keep++] = l->v[i].file;
    }
    free(next);
}

enum dp_status retain_versions_read(struct retain_table *t, const struct dp_delta_snapshot *s, int64_t base, bool rows_go, struct retain_versions *v, struct dp_err *err) {
    *v = (struct retain_versions){.cut_ms = INT64_MAX};
    DP_TRY(dp_delta_lives_read(s, &v->lives, err));
    const struct dp_delta_lives *l = &v->lives;
    size_t n = (size_t)(l->latest - l->oldest) + 1, known = base < l->oldest ? 0 : (size_t)(base - l->oldest) + 1;
    if (known > n) known = n;
    v->stays = dp_calloc(n + 1, sizeof *v->stays);
    for (size_t i = known; i < n; i++) v->stays[i] = true;
    if (known && !(rows_go && known == n)) v->stays[n - 1] = true; /* the latest */
    for (size_t i = 0; i < t->n; i++)
        if (t->rules[i]->has_versions) keep_by_rule(t->rules[i], v, known, rows_go, t->now);
    DP_TRY(settle_cut(t, s, v, err));
    for (size_t i = 0; i < known; i++) {
        int64_t superseded = i + 1 < n ? l->times[i + 1] : rows_go ? t->now / 1000 : INT64_MAX;
        if (i + 1 == known && rows_go && superseded > t->now / 1000) superseded = t->now / 1000; /* whenever the plan was carried out */
        if (superseded > v->cut_ms || (superseded == v->cut_ms && !v->purges)) v->stays[i] = true;
    }
    sort_files(v, n);
    return DP_OK;
}

void retain_versions_release(struct retain_versions *v) {
    dp_delta_lives_release(&v->lives);
    free(v->stays), free(v->keep), free(v->known);
    memset(v, 0, sizeof *v);
}

struct dp_delta_vacuum_opts retain_vacuum(const struct retain_versions *v, int64_t now_ms) {
    int64_t retain = 0;
    if (!v->purges && dp_sub_overflow(now_ms, v->cut_ms, &retain)) retain = INT64_MAX;
    return (struct dp_delta_vacuum_opts){.retain_ms = retain, .force = v->force, .now_ms = now_ms, .keep = v->keep, .n_keep = v->n_keep, .known = v->known, .n_known = v->lives.n};
}

/* ---- leftovers ---- */

int64_t retain_leftovers_cut(const struct retain_table *t) {
    int64_t cut = INT64_MAX;
    for (size_t i = 0; i < t->n; i++) {
        if (!t->rules[i]->has_leftovers) continue;
        int64_t c = dp_retain_cut(&t->rules[i]->leftovers, t->rules[i]->zone, t->now);
        if (c < cut) cut = c;
    }
    return cut;
}

/* Entries of a directory that were changed last before `before` (seconds): all, or files under the names of dp's temporary ones. */
static uint64_t count_old(const char *dir, bool temporary, int64_t before, bool take) {
    uint64_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (temporary && !dp_newfile_is_tmp(dp_str_z(e->d_name)))) continue;
        char *path = dp_path_join(dir, e->d_name);
        if (lstat(path, &st) == 0 && st.st_mtim.tv_sec < before && (!temporary || S_ISREG(st.st_mode))) {
            n++;
            if (take) (void)unlink(path);
        }
        free(path);
    }
    if (d) closedir(d);
    return n;
}

uint64_t retain_leftovers(const struct retain_table *t, bool take) {
    int64_t cut = retain_leftovers_cut(t), before = cut == INT64_MIN ? INT64_MIN : cut / 1000000 - (cut % 1000000 < 0);
    char *staging = dp_path_join(t->path, "_dp_staging"), *log = dp_path_join(t->path, "_delta_log");
    uint64_t n = 0;
    if (before > INT64_MIN) {
        n = count_old(staging, false, before, false);
        if (take) dp_delta_staging_sweep(t->path, before, 0), n -= count_old(staging, false, before, false);
        n += count_old(t->path, true, before, take) + count_old(log, true, before, take);
    }
    free(staging), free(log);
    return n;
}

/* ---- words ---- */

void retain_ids(const struct retain_table *t, unsigned what, struct dp_buf *out) {
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct dp_retain_rule *r = t->rules[i];
        if (!((what & RETAIN_ROWS && r->has_rows) || (what & RETAIN_VERSIONS && r->has_versions) || (what & RETAIN_LEFTOVERS && r->has_leftovers))) continue;
        dp_buf_addf(out, "%s%s", n++ ? ", " : "", r->id);
        if (r->reason) dp_buf_addf(out, " (%.200s)", r->reason);
    }
}

enum dp_status retain_read_rules(const char *const *files, size_t n, const char *contract, struct dp_retain_rules *out, struct dp_err *err) {
    for (size_t i = 0; i < n; i++) DP_TRY(dp_retain_read(out, files[i], err));
    if (contract) DP_TRY(dp_retain_contract(out, contract, err));
    return DP_OK;
}

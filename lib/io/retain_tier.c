/*
 * Cold files of a table: which tier they move to by the rules, and moving them (lib/io/retain_priv.h).
 *
 * A file is cold where a rule of rows with the same age would let go of all its rows; of several tiers that is the one with the longest age.  Where a codec or an order
 * is asked for and whole partitions are cold, they are written anew in the table first (dp/io/compact.h), then moved (lib/io/tier_move.h), tier by tier.
 *
 * Carrying it out leaves a transaction in the log, "dp-retain/TIME/tier/DIGEST", with the first commit: from then on the files are no longer those that were planned, and
 * what is cold as of the plan's time is what moves.
 */
#include "retain_priv.h"
#include "tier_move.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/delta/commit.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/io/compact.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- which ---- */

static int by_cut(const void *a, const void *b) {
    const struct retain_tier *x = a, *y = b;
    return x->cut != y->cut ? (x->cut > y->cut) - (x->cut < y->cut) : strcmp(x->rule->id, y->rule->id);
}

static enum dp_status open_tier(struct retain_tier *tier, const struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_retain_rule *r = tier->rule;
    struct dp_buf home = {0};
    DP_TRY(dp_delta_tier_check(t->path, s->metadata.id, r->tier_to, err));
    dp_buf_addf(&home, "%s/%.*s", r->tier_to, DP_STR_FMT(s->metadata.id));
    tier->home = dp_buf_detach(&home);
    tier->age = *r;
    tier->age.has_rows = true, tier->age.rows = r->tier, tier->age.time = r->tier_time, tier->age.unit = r->tier_unit, tier->age.where = NULL, tier->age.most = -1;
    tier->one = (struct dp_retain_rules){.v = &tier->age, .n = 1};
    tier->t = (struct retain_table){.path = t->path, .below = t->below, .all = &tier->one, .now = t->now};
    DP_TRY(retain_table_open(&tier->t, s, err));
    tier->rewrites = (r->codec || r->sort || r->cluster) && r->tier_time && dp_delta_is_partition(s, dp_str_z(r->tier_time));
    retain_judge_open(&tier->judge, &tier->t, s);
    return DP_OK;
}

struct retain_tier *retain_tier_of(struct retain_tiers *x, const struct dp_delta_file *f) {
    struct retain_tier *tier = NULL;
    for (size_t i = 0; i < x->n && !tier; i++)
        if (retain_judge_ask(&x->v[i].judge, f) == DP_ALWAYS) tier = &x->v[i];
    if (!tier || (x->table->has_rows && retain_judge_ask(&x->rows, f) == DP_ALWAYS)) return NULL;
    if (!dp_delta_path_is_absolute(f->path)) return tier;
    struct dp_buf path = {0};
    size_t n = strlen(tier->home);
    bool moves = dp_delta_path_resolve(x->table->path, f->path, &path, NULL) == DP_OK;
    if (moves && path.n > n && !memcmp(path.p, tier->home, n) && path.p[n] == '/') moves = false; /* it is there */
    if (moves && access(dp_buf_z(&path), F_OK) != 0) moves = false; /* out of reach, so it stays where it is */
    dp_buf_release(&path);
    return moves ? tier : NULL;
}

static void count(struct retain_tiers *x, const struct dp_delta_snapshot *s) {
    struct dp_buf text = {0};
    const struct dp_delta_file *f;
    uint64_t sum[4] = {0}, part[4];
    uint8_t hash[DP_SHA256_SIZE];
    for (size_t cursor = 0; (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        struct retain_tier *tier = retain_tier_of(x, f);
        if (!tier) continue;
        uint64_t size = f->size > 0 ? (uint64_t)f->size : 0;
        tier->files++, tier->bytes += size;
        x->files++, x->bytes += size;
        dp_buf_reset(&text);
        dp_buf_addf(&text, "%s\n", tier->home);
        dp_delta_file_key(f, &text);
        dp_sha256(text.p, text.n, (uint8_t *)part);
        for (int i = 0; i < 4; i++) sum[i] += part[i];
    }
    dp_buf_reset(&text);
    dp_buf_adds(&text, s->metadata.id);
    dp_buf_addc(&text, 0);
    dp_buf_adds(&text, s->metadata.schema_string);
    for (size_t i = 0; i < x->n; i++) {
        const struct dp_retain_rule *r = x->v[i].rule;
        dp_buf_addf(&text, "\n%s\n%s\n%s %s %s", x->v[i].home, r->tier_name, r->codec ? r->codec : "", r->sort ? r->sort : "", r->cluster ? r->cluster : "");
    }
    for (int i = 0; i < 4; i++) dp_buf_addf(&text, "\n%016llx", (unsigned long long)sum[i]);
    dp_sha256(text.p, text.n, hash);
    x->digest[dp_hex_print(x->digest, hash, 16)] = 0;
    dp_buf_release(&text);
}

enum dp_status retain_tiers_open(struct retain_tiers *x, struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) {
    *x = (struct retain_tiers){.table = t, .v = dp_calloc(t->n + 1, sizeof *x->v)};
    if (t->has_rows) retain_judge_open(&x->rows, t, s);
    for (size_t i = 0; i < t->n; i++)
        if (t->rules[i]->has_tier) x->v[x->n++] = (struct retain_tier){.rule = t->rules[i], .cut = dp_retain_cut(&t->rules[i]->tier, t->rules[i]->zone, t->now)};
    if (x->n) qsort(x->v, x->n, sizeof *x->v, by_cut);
    for (size_t i = 0; i < x->n; i++) DP_TRY(open_tier(&x->v[i], t, s, err));
    count(x, s);
    return DP_OK;
}

void retain_tiers_close(struct retain_tiers *x) {
    retain_judge_close(&x->rows);
    for (size_t i = 0; i < x->n; i++) {
        retain_judge_close(&x->v[i].judge);
        retain_table_close(&x->v[i].t);
        free(x->v[i].home);
    }
    free(x->v);
}

/* ---- moving ---- */

static void app_id(const struct retain_table *t, const char *digest, struct dp_buf *out) { dp_buf_addf(out, "dp-retain/%lld/tier/%s", (long long)t->now, digest); }

bool retain_tiers_begun(const struct retain_table *t, const struct dp_delta_snapshot *s, const char *digest, int64_t now_micros) {
    struct dp_buf app = {0};
    int64_t version;
    app_id(t, digest, &app);
    bool yes = dp_delta_txn_version(s, dp_buf_str(&app), now_micros / 1000, &version);
    dp_buf_release(&app);
    return yes;
}

struct moving_cold {
    struct retain_table *t;
    struct dp_run *run;
    struct dp_buf app;
    struct retain_moved *out;
    const char *id;          /* of the rule whose tier it is */
    char *home, *drafts;
};

static enum dp_status choose(void *ctx, struct tier_moving *m, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct moving_cold *c = ctx;
    struct retain_tiers x;
    struct dp_buf path = {0}, rel = {0};
    const struct dp_delta_file *f;
    enum dp_status status = retain_tiers_open(&x, c->t, s, err);
    for (size_t cursor = 0; status == DP_OK && (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        const struct retain_tier *tier = retain_tier_of(&x, f);
        struct dp_str dir, below;
        if (!tier || strcmp(tier->rule->id, c->id) != 0) continue;
        dp_buf_reset(&path), dp_buf_reset(&rel);
        if ((status = dp_delta_path_resolve(s->table, f->path, &path, err)) != DP_OK) break;
        if (!dp_delta_path_is_absolute(f->path)) dp_delta_path_key(f->path, &rel);
        else if (dp_delta_tier_split(dp_buf_str(&path), s->metadata.id, &dir, &below)) dp_buf_adds(&rel, below);
        if (!rel.n || !dp_delta_tier_fits(dp_buf_str(&rel))) dp_buf_reset(&rel), dp_buf_addz(&rel, dp_path_base(dp_buf_z(&path)));
        tier_moving_add(m, &(struct tier_item){.file = f, .from = dp_buf_z(&path), .root = tier->home, .rel = dp_buf_z(&rel), .drafts = c->drafts, .tier = tier->rule->tier_name});
    }
    retain_tiers_close(&x);
    dp_buf_release(&path), dp_buf_release(&rel);
    return status;
}

static enum dp_status move_tier(struct moving_cold *c, const struct retain_tier *tier, int64_t txn, struct dp_err *err) {
    struct dp_buf parameters = {0};
    struct tier_moving m = {.run = c->run, .table = c->t->path, .operation = "TIER", .app_id = dp_buf_str(&c->app), .txn_version = txn, .choose = choose, .ctx = c};
    dp_buf_addz(&parameters, "{\"tier\":");
    dp_json_add_string(&parameters, dp_str_z(tier->rule->tier_name));
    dp_buf_addz(&parameters, ",\"rule\":");
    dp_json_add_string(&parameters, dp_str_z(tier->rule->id));
    dp_buf_addc(&parameters, '}');
    m.parameters = dp_buf_z(&parameters);
    enum dp_status status = tier_move(&m, err);
    if (status == DP_OK) c->out->files += m.files, c->out->bytes += m.bytes, c->out->commits += m.version >= 0;
    dp_buf_release(&parameters);
    return status == DP_END ? DP_OK : status;
}

/* In the log before the first file is written anew: the plan is under way. */
static enum dp_status begin(struct moving_cold *c, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    const struct dp_delta_txn txn = {.app_id = dp_buf_str(&c->app), .version = 1, .last_updated = c->run->now_micros / 1000};
    const struct dp_delta_change change = {.mode = DP_DELTA_APPEND, .rearranges = true, .checked = true, .txns = &txn, .n_txns = 1, .operation = "TIER", .parameters = "{}", .rows = -1,
                                           .now_ms = c->run->now_micros / 1000};
    int64_t version;
    enum dp_status status = dp_delta_open(c->t->path, -1, &s, err);
    if (status == DP_OK && !dp_delta_txn_version(s, txn.app_id, change.now_ms, &version)) status = dp_delta_publish(c->t->path, s, &change, &version, err);
    dp_delta_close(s);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status rewrite(struct moving_cold *c, const struct retain_tier *tier, struct dp_err *err) {
    struct dp_compact_opts o = {.codec = tier->rule->codec, .where = tier->t.where};
    struct dp_compacted done = {0};
    enum dp_status status = DP_OK;
    if (o.codec) DP_TRY(dp_lay_check_codec(o.codec, err));
    if (tier->rule->cluster) status = dp_order_parse_cluster(&o.order, tier->rule->cluster, err);
    else if (tier->rule->sort) dp_order_set_sort(&o.order, tier->rule->sort);
    if (status == DP_OK) status = dp_compact_table(c->run, c->t->path, &o, &done, err);
    if (status == DP_EMPTY) status = DP_OK;
    if (status == DP_OK) c->out->rewritten += done.files_in, c->out->commits += done.commits;
    dp_order_release(&o.order);
    return status;
}

static enum dp_status do_tier(struct moving_cold *c, const struct retain_tier *tier, struct dp_str id, int64_t txn, struct dp_err *err) {
    int home_lock = -1, lock = -1;
    enum dp_status status;
    c->id = tier->rule->id;
    c->drafts = dp_path_join(tier->home, ".dp-drafts");
    if (c->run->dry_run) {
        status = move_tier(c, tier, txn, err);
        free(c->drafts);
        return status;
    }
    DP_TRY_OUT(dp_delta_tier_claim(c->t->path, id, tier->rule->tier_to, &c->home, &home_lock, err));
    DP_TRY_OUT(tier_drafts_open(c->drafts, &lock, err));
    if (tier->rewrites && tier->files) DP_TRY_OUT(begin(c, err));
    if (tier->rewrites && tier->files) DP_TRY_OUT(rewrite(c, tier, err));
    status = move_tier(c, tier, txn, err);
out:
    tier_drafts_close(c->drafts, lock);
    if (home_lock >= 0) close(home_lock);
    free(c->drafts), free(c->home);
    c->home = NULL;
    return status;
}

enum dp_status retain_tiers_move(struct dp_run *run, struct retain_table *t, const char *digest, struct retain_moved *out, struct dp_err *err) {
    struct moving_cold c = {.t = t, .run = run, .out = out};
    struct dp_delta_snapshot *s = NULL;
    struct retain_tiers x = {0};
    *out = (struct retain_moved){0};
    app_id(t, digest, &c.app);
    enum dp_status status = dp_delta_open(t->path, -1, &s, err);
    if (status == DP_OK) {
        status = retain_tiers_open(&x, t, s, err);
        for (size_t i = 0; status == DP_OK && i < x.n; i++)
            if (x.v[i].files || access(x.v[i].home, F_OK) == 0) status = do_tier(&c, &x.v[i], s->metadata.id, 2 + (int64_t)i, err);
        retain_tiers_close(&x);
    }
    dp_delta_close(s);
    dp_buf_release(&c.app);
    return status;
}

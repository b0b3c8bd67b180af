/*
 * Making a plan of retention (dp/io/retain_plan.h): tables side by side on all threads, each from its log; their lines in order.
 */
#include "retain_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/map.h>
#include <dp/delta/dv.h>
#include <dp/delta/path.h>
#include <dp/io/out.h>
#include <dp/record/json.h>

#include <stdlib.h>
#include <unistd.h>

struct planning {
    struct dp_run *run;
    const struct dp_retain_plan_opts *o;
    const struct dp_retain_rules *rules;
    struct retain_place *places;
    size_t n, next;
    struct dp_buf text;            /* of the plan, from its beginning */
    struct dp_retain_totals *totals;
    enum dp_status *worst;
    int64_t now;
};

/* What comes of one table. */
struct job {
    const struct retain_place *place;
    struct dp_buf line, words;     /* of the plan; for people */
    struct dp_retain_totals sums;
    enum dp_status refused;
};

/* ---- versions ---- */

struct loss {
    struct dp_map names;           /* files that the vacuum would take */
    uint64_t files, bytes;
};

static enum dp_status lose(void *ctx, const char *path, int64_t bytes, struct dp_err *err) {
    struct loss *l = ctx;
    (void)err;
    dp_map_put(&l->names, dp_str_z(path), NULL);
    l->files++, l->bytes += (uint64_t)bytes;
    return DP_OK;
}

/* The names of a file and of its vector, each asked: is one of them lost? is one of them not there? */
static void ask_file(const char *table, const struct dp_delta_file *f, const struct dp_map *names, bool *lost, bool *missing) {
    struct dp_buf path[2] = {{0}, {0}};
    *lost = *missing = false;
    for (int i = 0; i < 2; i++) {
        enum dp_status status = i ? dp_delta_dv_path(table, &f->dv, &path[i], NULL) : dp_delta_path_resolve(table, f->path, &path[i], NULL);
        if (status != DP_OK || !path[i].n) continue;
        const char *z = dp_buf_z(&path[i]);
        if (dp_map_get(names, dp_buf_str(&path[i]))) *lost = true;
        else if (access(z, F_OK) != 0) *missing = true;
    }
    dp_buf_release(&path[0]);
    dp_buf_release(&path[1]);
}

struct ranges { struct dp_buf json, words; uint64_t n; };

static void add_range(struct ranges *r, int64_t from, int64_t to) {
    dp_buf_addf(&r->json, "%s[%lld,%lld]", r->json.n ? "," : "", (long long)from, (long long)to);
    dp_buf_addf(&r->words, from == to ? "%s%lld" : "%s%lld-%lld", r->words.n ? ", " : "", (long long)from, (long long)to);
    r->n += (uint64_t)(to - from) + 1;
}

/* state: 0 can be read and stays so, 1 goes, 2 can't be read now. */
static void add_ranges(const uint8_t *state, size_t n, int64_t oldest, uint8_t want, struct ranges *out) {
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && state[k] == state[i]) k++;
        if (state[i] == want) add_range(out, oldest + (int64_t)i, oldest + (int64_t)k - 1);
        i = k;
    }
}

static void mark(uint8_t *state, const struct retain_versions *v, const struct dp_delta_life *life, uint8_t what) {
    int64_t to = life->to == INT64_MAX ? v->lives.latest + 1 : life->to;
    for (int64_t i = life->from; i < to; i++)
        if (state[i - v->lives.oldest] < what) state[i - v->lives.oldest] = what;
}

/* What goes at once where nothing is kept for a time: what the plan's own rows leave behind. */
static void mark_purged(struct retain_table *t, const struct dp_delta_snapshot *s, const struct retain_versions *v, uint8_t *state) {
    struct retain_judge j;
    struct dp_map keys = {0};
    struct dp_buf key = {0};
    const struct dp_delta_file *f;
    retain_judge_open(&j, t, s);
    for (size_t cursor = 0; (f = dp_delta_next_file(s, &cursor)) != NULL;) {
        if (retain_judge_ask(&j, f) == DP_NEVER) continue;
        dp_buf_reset(&key);
        dp_delta_file_key(f, &key);
        dp_map_put(&keys, dp_buf_str(&key), NULL);
    }
    retain_judge_close(&j);
    for (size_t i = 0; i < v->lives.n_all; i++) {
        if (v->lives.all[i].to != INT64_MAX) continue;
        dp_buf_reset(&key);
        dp_delta_file_key(v->lives.all[i].file, &key);
        bool needed = false;
        for (int64_t k = v->lives.all[i].from; k <= v->lives.latest; k++) needed |= v->stays[k - v->lives.oldest];
        if (!needed && dp_map_get(&keys, dp_buf_str(&key))) mark(state, v, &v->lives.all[i], 1);
    }
    dp_map_release(&keys);
    dp_buf_release(&key);
}

static enum dp_status plan_versions(struct retain_table *t, const struct dp_delta_snapshot *s, bool rows_go, struct job *job, struct dp_err *err) {
    struct retain_versions v;
    struct loss loss = {0};
    uint64_t held_files = 0, held_bytes = 0;
    struct ranges stay = {0}, go = {0};
    enum dp_status status = retain_versions_read(t, s, s->version, rows_go, &v, err);
    size_t n = status == DP_OK ? (size_t)(v.lives.latest - v.lives.oldest) + 1 : 0;
    uint8_t *state = dp_calloc(n + 1, 1);
    if (status == DP_OK) {
        struct dp_delta_vacuum_opts o = retain_vacuum(&v, t->now / 1000);
        struct dp_delta_vacuumed done;
        o.dry_run = true, o.latest = s, o.each = lose, o.ctx = &loss;
        status = dp_delta_vacuum(t->path, &o, &done, err);
        held_files = done.held_files, held_bytes = done.held_bytes;
    }
    for (size_t i = 0; status == DP_OK && i < v.lives.n; i++) {
        bool lost, missing;
        ask_file(t->path, v.lives.v[i].file, &loss.names, &lost, &missing);
        if (missing || lost) mark(state, &v, &v.lives.v[i], missing ? 2 : 1);
    }
    if (status == DP_OK && rows_go && v.purges && !t->legal.whole && !t->legal.subjects) mark_purged(t, s, &v, state);
    if (status == DP_OK) {
        add_ranges(state, n, v.lives.oldest, 0, &stay);
        add_ranges(state, n, v.lives.oldest, 1, &go);
        dp_buf_addf(&job->line, ",\"versions\":{\"cut\":%lld,\"stay\":[", (long long)v.cut_ms);
        dp_buf_adds(&job->line, dp_buf_str(&stay.json));
        dp_buf_addz(&job->line, "],\"go\":[");
        dp_buf_adds(&job->line, dp_buf_str(&go.json));
        dp_buf_addf(&job->line, "],\"files\":%llu,\"bytes\":%llu}", (unsigned long long)loss.files, (unsigned long long)loss.bytes);
        dp_buf_addf(&job->words, "%s: versions %s stay readable", t->path, stay.n ? dp_buf_z(&stay.words) : "(none)");
        if (go.n) dp_buf_addf(&job->words, ", %s go", dp_buf_z(&go.words));
        dp_buf_addf(&job->words, "; %llu old files of %llu bytes are deleted: ", (unsigned long long)loss.files, (unsigned long long)loss.bytes);
        retain_ids(t, RETAIN_VERSIONS, &job->words);
        dp_buf_addc(&job->words, '\n');
        job->sums.held_files = held_files, job->sums.held_bytes = held_bytes;
        job->sums.versions_stay = stay.n, job->sums.versions_go = go.n, job->sums.old_files = loss.files, job->sums.old_bytes = loss.bytes;
        retain_versions_release(&v);
    }
    free(state);
    dp_map_release(&loss.names);
    dp_buf_release(&stay.json), dp_buf_release(&stay.words), dp_buf_release(&go.json), dp_buf_release(&go.words);
    return status;
}

/* ---- rows ---- */

static void tell_rows(struct retain_table *t, const struct retain_rows *r, struct job *job) {
    bool is_exact = r->is_known && r->least == r->most;
    dp_buf_addf(&job->line, ",\"rows\":{\"digest\":\"%s\",\"files\":%llu,\"bytes\":%llu,\"rewrites\":%llu,\"rewrite_bytes\":%llu,\"least\":%llu,\"most\":%llu,\"exact\":%s}", r->digest,
                (unsigned long long)r->files, (unsigned long long)r->bytes, (unsigned long long)r->rewrites, (unsigned long long)r->rewrite_bytes, (unsigned long long)r->least,
                (unsigned long long)r->most, is_exact ? "true" : "false");
    dp_buf_addf(&job->words, "%s: ", t->path);
    if (!r->is_known) dp_buf_addf(&job->words, "rows that the log doesn't count go");
    else if (is_exact) dp_buf_addf(&job->words, "%llu rows go", (unsigned long long)r->most);
    else dp_buf_addf(&job->words, "%llu to %llu rows go", (unsigned long long)r->least, (unsigned long long)r->most);
    dp_buf_addf(&job->words, "; %llu files of %llu bytes whole, %llu of %llu bytes in part: ", (unsigned long long)r->files, (unsigned long long)r->bytes, (unsigned long long)r->rewrites,
                (unsigned long long)r->rewrite_bytes);
    retain_ids(t, RETAIN_ROWS, &job->words);
    dp_buf_addc(&job->words, '\n');
    job->sums.files = r->files, job->sums.bytes = r->bytes, job->sums.rewrites = r->rewrites, job->sums.rewrite_bytes = r->rewrite_bytes;
    job->sums.rows_least = r->least, job->sums.rows_most = r->most, job->sums.rows_unknown = !r->is_known;
}

/* After what goes: what does not.  Not in the plan itself, which is judged again. */
static void tell_held(struct retain_table *t, struct job *job) {
    dp_buf_addf(&job->words, "%s: held by ", t->path);
    dp_legal_names(&t->legal, &job->words);
    dp_buf_addf(&job->words, ": %s stay; %llu old files of %llu bytes that would go stay\n", t->legal.whole ? "all rows" : "rows of these", (unsigned long long)job->sums.held_files, (unsigned long long)job->sums.held_bytes);
    job->sums.held = 1;
}

static void tell_leftovers(struct retain_table *t, uint64_t n, struct job *job) {
    dp_buf_addf(&job->line, ",\"leftovers\":{\"entries\":%llu}", (unsigned long long)n);
    dp_buf_addf(&job->words, "%s: %llu leftovers of writers go: ", t->path, (unsigned long long)n);
    retain_ids(t, RETAIN_LEFTOVERS, &job->words);
    dp_buf_addc(&job->words, '\n');
    job->sums.leftovers = n;
}

static enum dp_status plan_tiers(struct retain_table *t, const struct dp_delta_snapshot *s, struct job *job, struct dp_err *err) {
    struct retain_tiers x;
    enum dp_status status = retain_tiers_open(&x, t, s, err);
    if (status == DP_OK && x.files) dp_buf_addf(&job->line, ",\"tier\":{\"digest\":\"%s\",\"files\":%llu,\"bytes\":%llu}", x.digest, (unsigned long long)x.files, (unsigned long long)x.bytes);
    for (size_t i = 0; status == DP_OK && i < x.n; i++) {
        const struct retain_tier *tier = &x.v[i];
        bool is_asked = tier->rule->codec || tier->rule->sort || tier->rule->cluster;
        if (!tier->files) continue;
        dp_buf_addf(&job->words, "%s: %llu files of %llu bytes move to %s, %s: %s", t->path, (unsigned long long)tier->files, (unsigned long long)tier->bytes, tier->rule->tier_to,
                    tier->rewrites ? "written anew before" : is_asked ? "as they are (whole partitions alone are written anew)" : "as they are", tier->rule->id);
        if (tier->rule->reason) dp_buf_addf(&job->words, " (%.200s)", tier->rule->reason);
        dp_buf_addc(&job->words, '\n');
    }
    if (status == DP_OK) job->sums.tier_files = x.files, job->sums.tier_bytes = x.bytes;
    retain_tiers_close(&x);
    return status;
}

/* A name that means the same wherever the plan is applied from. */
static void add_path(struct dp_buf *b, const char *path) {
    char *real = realpath(path, NULL);
    dp_json_add_string(b, dp_str_z(real ? real : path));
    free(real);
}

/* ---- one table ---- */

static bool has_rules(const struct dp_retain_plan_opts *o) { return o->n_rules || o->contract; }

static enum dp_status plan_table(struct planning *p, struct job *job, struct dp_err *err) {
    struct retain_table t = {.path = job->place->path, .below = job->place->below, .all = has_rules(p->o) ? p->rules : NULL, .now = p->now};
    struct dp_delta_snapshot *s = NULL;
    struct retain_rows rows = {0};
    enum dp_status status;
    DP_TRY_OUT(dp_delta_open(t.path, -1, &s, err));
    DP_TRY_OUT(retain_table_open(&t, s, err));
    dp_buf_addz(&job->line, "{\"table\":");
    add_path(&job->line, t.path);
    dp_buf_addz(&job->line, ",\"below\":");
    dp_json_add_string(&job->line, dp_str_z(t.below));
    dp_buf_addz(&job->line, ",\"id\":");
    dp_json_add_string(&job->line, s->metadata.id);
    dp_buf_addf(&job->line, ",\"version\":%lld,\"rules\":[", (long long)s->version);
    for (size_t i = 0; i < t.n; i++) {
        if (i) dp_buf_addc(&job->line, ',');
        dp_json_add_string(&job->line, dp_str_z(t.rules[i]->id));
    }
    dp_buf_addc(&job->line, ']');
    if (!t.all) {
        char hex[65];
        hex[dp_hex_print(hex, t.own.digest, sizeof t.own.digest)] = 0;
        dp_buf_addf(&job->line, ",\"own\":\"%s\"", hex);
        for (size_t i = 0; i < t.own.n_notes; i++) dp_buf_addf(&job->words, "%s: %s:%u: %s\n", t.path, t.own.notes[i].source, t.own.notes[i].line, t.own.notes[i].text);
    }
    job->sums.ruled = t.n > 0;
    if (t.has_rows) DP_TRY_OUT(retain_rows_count(&t, s, &rows, err));
    bool rows_go = rows.files || rows.rewrites;
    if (rows_go) tell_rows(&t, &rows, job);
    if (t.has_tier) DP_TRY_OUT(plan_tiers(&t, s, job, err));
    if (t.has_versions) DP_TRY_OUT(plan_versions(&t, s, rows.files > 0, job, err)); /* with rows of which only a part may go no version is sure to come */
    if (t.legal.n) tell_held(&t, job);
    uint64_t leftovers = t.has_leftovers && !t.legal.n ? retain_leftovers(&t, false) : 0;
    if (leftovers) tell_leftovers(&t, leftovers, job);
    dp_buf_addz(&job->line, "}\n");
    job->sums.to_do = rows_go || job->sums.tier_files || job->sums.old_files || leftovers || job->sums.versions_go;
out:
    retain_table_close(&t);
    dp_delta_close(s);
    return status;
}

enum dp_status retain_plan_sums(const struct retain_place *place, const struct dp_retain_plan_opts *o, const struct dp_retain_rules *rules, int64_t now, struct dp_retain_totals *sums, struct dp_err *err) {
    struct planning p = {.o = o, .rules = rules, .now = now};
    struct job job = {.place = place};
    enum dp_status status = plan_table(&p, &job, err);
    *sums = job.sums;
    dp_buf_release(&job.line), dp_buf_release(&job.words);
    return status;
}

static enum dp_status produce(void *ctx, void *slot, struct dp_err *err) {
    struct planning *p = ctx;
    struct job *job = slot;
    if (dp_run_stopped(p->run, err)) return DP_SIGNALLED;
    if (p->next == p->n) return DP_END;
    dp_buf_reset(&job->line), dp_buf_reset(&job->words);
    job->sums = (struct dp_retain_totals){0};
    job->refused = DP_OK;
    job->place = &p->places[p->next++];
    return DP_OK;
}

static enum dp_status work(void *ctx, unsigned worker, void *slot, struct dp_err *err) {
    struct planning *p = ctx;
    struct job *job = slot;
    struct dp_err why = DP_ERR_INIT;
    (void)worker, (void)err;
    job->refused = plan_table(p, job, &why);
    if (job->refused == DP_OK) return DP_OK;
    job->sums = (struct dp_retain_totals){.refused = 1};
    dp_buf_reset(&job->line), dp_buf_reset(&job->words);
    if (strstr(why.msg, job->place->path)) dp_buf_addf(&job->words, "refused: %s\n", why.msg);
    else dp_buf_addf(&job->words, "%s: refused: %s\n", job->place->path, why.msg);
    return DP_OK;
}

static void add_sums(struct dp_retain_totals *to, const struct dp_retain_totals *s) {
    to->tables++, to->ruled += s->ruled, to->to_do += s->to_do, to->refused += s->refused;
    to->held += s->held, to->held_files += s->held_files, to->held_bytes += s->held_bytes;
    to->files += s->files, to->rewrites += s->rewrites, to->bytes += s->bytes, to->rewrite_bytes += s->rewrite_bytes;
    to->rows_least += s->rows_least, to->rows_most += s->rows_most, to->rows_unknown += s->rows_unknown;
    to->versions_stay += s->versions_stay, to->versions_go += s->versions_go;
    to->old_files += s->old_files, to->old_bytes += s->old_bytes, to->leftovers += s->leftovers;
    to->tier_files += s->tier_files, to->tier_bytes += s->tier_bytes;
}

static enum dp_status consume(void *ctx, void *slot, struct dp_err *err) {
    struct planning *p = ctx;
    struct job *job = slot;
    if (job->refused != DP_OK && *p->worst == DP_OK) *p->worst = job->refused;
    add_sums(p->totals, &job->sums);
    if (job->sums.to_do) dp_buf_adds(&p->text, dp_buf_str(&job->line));
    if (p->run->tick) p->run->tick(p->run);
    return p->o->say && job->words.n ? p->o->say(p->o->ctx, dp_buf_str(&job->words), err) : DP_OK;
}

static void release(void *ctx, void *slot) {
    struct job *job = slot;
    (void)ctx;
    dp_buf_release(&job->line);
    dp_buf_release(&job->words);
}

/* ---- the plan ---- */

static void add_head(struct planning *p) {
    char hex[65];
    dp_buf_addf(&p->text, "{\"dp_retain_plan\":1,\"now\":%lld,\"rules\":[", (long long)p->now);
    for (size_t i = 0; i < p->o->n_rules; i++) {
        if (i) dp_buf_addc(&p->text, ',');
        add_path(&p->text, p->o->rules[i]);
    }
    dp_buf_addc(&p->text, ']');
    if (p->o->contract) {
        const char *hash = strrchr(p->o->contract, '#');
        char *file = dp_strndup(p->o->contract, hash ? (size_t)(hash - p->o->contract) : strlen(p->o->contract)), *real = realpath(file, NULL);
        struct dp_buf whole = {0};
        dp_buf_addf(&whole, "%s%s", real ? real : file, hash ? hash : "");
        dp_buf_addz(&p->text, ",\"contract\":");
        dp_json_add_string(&p->text, dp_buf_str(&whole));
        dp_buf_release(&whole);
        free(file), free(real);
    }
    hex[dp_hex_print(hex, p->rules->digest, 32)] = 0;
    dp_buf_addf(&p->text, ",\"digest\":\"%s\"}\n", hex);
}

static enum dp_status write_plan(struct planning *p, struct dp_err *err) {
    char hex[2 * DP_SHA256_SIZE + 1];
    dp_sha256_hex(dp_buf_str(&p->text), hex);
    dp_buf_addf(&p->text, "{\"end\":%llu,\"digest\":\"%s\"}\n", (unsigned long long)p->totals->to_do, hex);
    return dp_side_write(p->o->output, dp_buf_str(&p->text), err);
}

enum dp_status dp_retain_plan(struct dp_run *run, const struct dp_retain_plan_opts *o, struct dp_retain_totals *out, enum dp_status *worst, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    struct dp_retain_rules rules = {0};
    struct planning p = {.run = run, .o = o, .rules = &rules, .totals = out, .worst = worst, .now = run->now_micros};
    enum dp_status status;
    *out = (struct dp_retain_totals){0};
    *worst = DP_OK;
    DP_TRY_OUT(retain_read_rules(o->rules, o->n_rules, o->contract, &rules, err));
    for (size_t i = 0; i < rules.n_notes; i++)
        dp_run_log(run, DP_LOG_WARN, "%s:%u: %s%s%s", rules.notes[i].source, rules.notes[i].line, rules.notes[i].rule ? rules.notes[i].rule : "", rules.notes[i].rule ? ": " : "", rules.notes[i].text);
    DP_TRY_OUT(retain_find(run, o->tables, o->n_tables, &p.places, &p.n, err));
    add_head(&p);
    DP_TRY_OUT(dp_pool_run(run->pool, &ops, &p, err));
    if (o->output && !run->dry_run) status = write_plan(&p, err);
out:
    retain_places_free(p.places, p.n);
    dp_buf_release(&p.text);
    dp_retain_rules_release(&rules);
    return status;
}

/*
 * A person out of tables (dp/io/erase.h): audit log, who, where, holds, rows, twins, commits, history, proof, audit log.
 */
#include "erase_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/delta/legal.h>
#include <dp/io/audit.h>
#include <dp/io/out.h>

#include <stdlib.h>
#include <sys/stat.h>

enum { TRIES = 20 };

/* ---- where ---- */

/* Is it named, or in a directory that is?  What lineage knows besides says only which columns are copies. */
static bool is_named(const struct erase *x, const char *path) {
    char of[PATH_MAX], real[PATH_MAX];
    if (!x->o->where.n_operands) return true;
    if (!realpath(path, of)) return false;
    for (size_t i = 0; i < x->o->where.n_operands; i++) {
        if (realpath(x->o->where.operands[i], real) && (!strcmp(of, real) || erase_is_below(of, real))) return true;
    }
    return false;
}

/* Those that are not, are passed over. */
static void choose_places(struct erase *x) {
    size_t n = 0;
    for (size_t i = 0; i < x->places.n; i++) {
        struct dp_subject_place *p = &x->places.v[i];
        if (is_named(x, p->name)) continue;
        n += p->state == DP_SUBJECT_SEARCHED || p->state == DP_SUBJECT_UNREACHABLE;
        p->state = DP_SUBJECT_GONE;
    }
    if (n) dp_run_log(x->run, DP_LOG_VERBOSE, "%zu other datasets that lineage knows may have the person", n);
}

static int by_root(const void *a, const void *b) { return strcmp(((const struct erase_table *)a)->root, ((const struct erase_table *)b)->root); }

/* In one order whoever erases, so that two wait for each other in none. */
static enum dp_status choose_tables(struct erase *x, struct dp_err *err) {
    size_t n = 0;
    x->tables = dp_calloc(x->places.n + 1, sizeof *x->tables);
    for (size_t i = 0; i < x->places.n; i++) {
        const struct dp_subject_place *p = &x->places.v[i];
        struct erase_table *t = &x->tables[n];
        if (p->state == DP_SUBJECT_UNREACHABLE) x->out->unreachable++;
        if (p->state == DP_SUBJECT_GONE || p->state == DP_SUBJECT_UNREACHABLE || !dp_delta_is_table(p->name)) continue;
        *t = (struct erase_table){.name = p->name, .place = p, .hold = DP_DELTA_HOLD_INIT, .newest = -1, .version = -1};
        if (!realpath(p->name, t->root)) return dp_err_sys(err, DP_IO, "%s", p->name);
        n++;
    }
    if (n) qsort(x->tables, n, sizeof *x->tables, by_root);
    for (size_t i = 0; i < n; i++) {
        if (x->n_tables && !strcmp(x->tables[x->n_tables - 1].root, x->tables[i].root)) continue; /* two names of one */
        x->tables[x->n_tables++] = x->tables[i];
    }
    return DP_OK;
}

static enum dp_status find_places(struct erase *x, struct dp_err *err) {
    struct dp_subject *s = x->o->subject;
    for (size_t i = 0; i < x->o->n_graphs; i++) DP_TRY(dp_subject_close_over(x->run, s, x->o->graphs[i], err));
    x->out->identifiers = s->n;
    DP_TRY(dp_subject_find(x->run, s, &x->o->where, &x->places, err));
    if (!x->places.n) return dp_err_set(err, DP_USAGE, "there is nothing to erase from: name tables, or a store of lineage that knows some");
    choose_places(x);
    return choose_tables(x, err);
}

/* ---- holds ---- */

static enum dp_status ask_hold(const struct erase_table *t, struct dp_err *err, const struct dp_subject *s) {
    struct dp_legal legal = {0};
    struct dp_buf cases = {0};
    bool held = false;
    dp_legal_read(t->root, &legal);
    for (size_t i = 0; i < s->n && !held; i++) held = dp_legal_holds_subject(&legal, dp_str_z(s->v[i].name), dp_str_z(s->v[i].value), &cases);
    for (size_t i = 0; t->place && i < t->place->n_columns && !held; i++)
        for (size_t k = 0; k < s->n && !held; k++)
            if (strcasecmp(s->v[k].name, t->place->columns[i].id) == 0) held = dp_legal_holds_subject(&legal, dp_str_z(t->place->columns[i].column), dp_str_z(s->v[k].value), &cases);
    enum dp_status status = held ? dp_err_set(err, DP_RULE, "%s: the person's rows are kept: held by %.*s", t->name, (int)cases.n, cases.p) : DP_OK;
    dp_buf_release(&cases);
    dp_legal_release(&legal);
    return status;
}

static enum dp_status ask_holds(struct erase *x, struct dp_err *err) {
    for (size_t i = 0; i < x->n_tables; i++) DP_TRY(ask_hold(&x->tables[i], err, x->o->subject));
    return DP_OK;
}

static enum dp_status lock_all(struct erase *x, struct dp_err *err) {
    dp_fd_raise_limit(); /* two descriptors a table */
    for (size_t i = 0; i < x->n_tables; i++) DP_TRY(dp_delta_hold_alone(x->tables[i].root, &x->tables[i].hold, err));
    return DP_OK;
}

/* ---- tables ---- */

/* Rows, twins, commits: until nobody was faster. */
static enum dp_status settle(struct erase *x, struct dp_err *err) {
    for (int i = 0; i < TRIES; i++) {
        bool any = false;
        for (size_t k = 0; k < x->n_tables; k++) DP_TRY(erase_gather(x, &x->tables[k], err));
        DP_TRY(erase_find(x, err));
        DP_TRY(erase_twins(x, err));
        for (size_t k = 0; k < x->n_tables; k++) {
            bool again = false;
            if (x->tables[k].version >= 0 && x->tables[k].newest == x->tables[k].version) continue;
            DP_TRY(erase_publish(x, &x->tables[k], &again, err));
            any |= again;
        }
        if (!any) break;
        if (i + 1 == TRIES) return dp_err_set(err, DP_AGAIN, "other writers were faster, %d times", TRIES);
    }
    return DP_OK;
}

/* What the commits added is known, too. */
static enum dp_status look_again(struct erase *x, struct dp_err *err) {
    for (size_t i = 0; i < x->n_tables; i++) {
        struct erase_table *t = &x->tables[i];
        struct dp_delta_log log;
        if (t->version >= 0) DP_TRY(erase_gather(x, t, err));
        DP_TRY(dp_delta_log_list(t->root, &log, err));
        x->out->versions += (uint64_t)(t->s->version - dp_delta_log_oldest(&log, t->s->version)) + 1;
        x->out->rows_live += t->rows_live;
        dp_delta_log_release(&log);
    }
    return DP_OK;
}

static enum dp_status erase_tables(struct erase *x, struct dp_err *err) {
    uint64_t done;
    DP_TRY(lock_all(x, err));
    DP_TRY(ask_holds(x, err));
    DP_TRY(erase_replay(x, &x->out->resumed, err));
    for (size_t i = 0; i < x->n_tables; i++) erase_sweep(&x->tables[i]);
    DP_TRY(settle(x, err));
    DP_TRY(look_again(x, err));
    DP_TRY(erase_prepare(x, err));
    return erase_replay(x, &done, err);
}

static enum dp_status plan_tables(struct erase *x, struct dp_err *err) {
    DP_TRY(ask_holds(x, err));
    DP_TRY(settle(x, err));
    return look_again(x, err);
}

/* A file that is no table's, and there. */
static bool is_plain(const struct dp_subject_place *p) {
    struct stat st;
    bool is_known = p->state != DP_SUBJECT_GONE && p->state != DP_SUBJECT_UNREACHABLE;
    return is_known && stat(p->name, &st) == 0 && S_ISREG(st.st_mode);
}

static enum dp_status erase_places(struct erase *x, struct dp_err *err) {
    x->out->tables = x->n_tables;
    if (x->n_tables) DP_TRY(x->run->dry_run ? plan_tables(x, err) : erase_tables(x, err));
    for (size_t i = 0; i < x->places.n; i++) {
        const struct dp_subject_place *p = &x->places.v[i];
        if (p->state == DP_SUBJECT_GONE || p->state == DP_SUBJECT_UNREACHABLE || dp_delta_is_table(p->name)) continue;
        struct dp_err why = DP_ERR_INIT;
        enum dp_status status = erase_has_records(p) ? erase_records(x, p, &why) : erase_plain(x, p, &why);
        if (status == DP_UNSUPPORTED) {
            x->out->unreachable++;
            dp_run_log(x->run, DP_LOG_WARN, "%s", why.msg);
        } else if (status != DP_OK) {
            if (err) *err = why;
            return status;
        }
    }
    return DP_OK;
}

/* ---- proof ---- */

static enum dp_status verify(struct erase *x, struct dp_err *err) {
    const struct dp_subject *s = x->o->subject;
    struct dp_trace_value *values = dp_traces_of(s);
    const char **tables = dp_calloc(x->n_tables + x->places.n + 1, sizeof *tables);
    size_t n = x->n_tables;
    for (size_t i = 0; i < x->n_tables; i++) tables[i] = x->tables[i].root;
    for (size_t i = 0; i < x->places.n; i++)
        if (is_plain(&x->places.v[i])) tables[n++] = x->places.v[i].name;
    enum dp_status status = dp_traces_find(x->run, tables, n, values, s->n, x->o->say, x->o->ctx, &x->out->left, err);
    free(values), free(tables);
    return status;
}

/* ---- the whole ---- */

static void release(struct erase *x) {
    for (size_t i = 0; i < x->n_tables; i++) {
        struct erase_table *t = &x->tables[i];
        dp_delta_vectors_close(t->vectors);
        dp_delta_amended_release(&t->amended);
        dp_expr_free(t->where), dp_expr_free(t->of_partition), dp_expr_free(t->of_all);
        for (size_t k = 0; k < t->n_homes; k++) free(t->homes[k]);
        free(t->homes);
        dp_map_release(&t->names), dp_map_release(&t->twins), dp_map_release(&t->conditions);
        dp_delta_close(t->s);
        dp_delta_hold_release(&t->hold);
    }
    free(x->tables);
    dp_map_release(&x->files);
    dp_subject_places_release(&x->places);
    dp_arena_release(&x->arena);
}

static void print_intent(const struct erase *x, struct dp_buf *b) {
    char salt[33], sum[65];
    dp_subject_digest(x->o->subject, salt, sum);
    dp_buf_addf(b, "{\"verify\":%s,\"subject\":{\"salt\":\"%s\",\"digest\":\"%s\",\"identifiers\":%zu}}", x->o->verify ? "true" : "false", salt, sum, x->o->subject->n);
}

static enum dp_status act(struct erase *x, struct dp_buf *report, struct dp_err *err) {
    DP_TRY(find_places(x, err));
    DP_TRY(erase_places(x, err));
    for (size_t i = 0; i < x->n_tables; i++) dp_delta_hold_release(&x->tables[i].hold); /* a search takes its time, and changes nothing */
    if (x->o->verify && !x->run->dry_run) DP_TRY(verify(x, err));
    if (x->run->dry_run) return DP_OK;
    erase_report(x, report);
    return x->o->evidence ? dp_side_write(x->o->evidence, dp_buf_str(report), err) : DP_OK;
}

static void print_outcome(const struct erase *x, struct dp_str report, struct dp_buf *b) {
    char hex[2 * DP_SHA256_SIZE + 1];
    const struct dp_erased *d = x->out;
    dp_sha256_hex(report, hex);
    dp_buf_addf(b, "{\"tables\":%llu,\"rows\":%llu,\"files_rewritten\":%llu,\"files_removed\":%llu,\"change_files\":%llu,\"log_files\":%llu", (unsigned long long)d->tables, (unsigned long long)d->rows,
                (unsigned long long)d->files_rewritten, (unsigned long long)d->files_removed, (unsigned long long)d->change_files, (unsigned long long)d->log_files);
    if (report.n) dp_buf_addf(b, ",\"report\":\"%s\"", hex);
    dp_buf_addc(b, '}');
}

enum dp_status dp_erase(struct dp_run *run, const struct dp_erase_opts *o, struct dp_erased *out, struct dp_err *err) {
    struct erase x = {.run = run, .o = o, .out = out};
    struct dp_audit *audit = NULL;
    struct dp_buf intent = {0}, outcome = {0}, report = {0};
    uint64_t ticket = 0;
    enum dp_status status = DP_OK;
    *out = (struct dp_erased){0};
    DP_TRY(dp_side_check("--evidence", o->evidence, err));
    if (run->dry_run) {
        status = act(&x, &report, err);
        release(&x);
        return status;
    }
    print_intent(&x, &intent);
    status = dp_audit_open(run, o->audit, &audit, err);
    if (status == DP_OK) status = dp_audit_begin(audit, &(struct dp_audit_intent){.action = "retain.erase", .why = o->why, .what = dp_buf_str(&intent)}, &ticket, err);
    if (status == DP_OK) {
        status = act(&x, &report, err);
        print_outcome(&x, status == DP_OK ? dp_buf_str(&report) : (struct dp_str){0}, &outcome);
        status = dp_audit_end(audit, ticket, status, dp_buf_str(&outcome), err);
    }
    dp_audit_close(audit);
    release(&x);
    dp_buf_release(&intent), dp_buf_release(&outcome), dp_buf_release(&report);
    return status;
}

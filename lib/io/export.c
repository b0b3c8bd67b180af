/*
 * A person's data as one package (dp/io/export.h): audit log, who, where, what, zip, audit log.
 */
#include "export_priv.h"

#include <dp/base/file.h>
#include <dp/delta/log.h>
#include <dp/io/audit.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names in the package ---- */

/* The dataset's last name in letters, digits, _ and - alone: no way out of the folder, and no name that a system keeps for itself. */
static char *member_name(struct export *x, const char *place) {
    struct dp_buf b = {0};
    const char *base = dp_path_base(place);
    bool is_new = false;
    for (size_t i = 0; base[i] && b.n < 60; i++) {
        char c = base[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        dp_buf_addc(&b, fine && !(c == '-' && !b.n) ? c : '_');
    }
    size_t n = b.n;
    for (unsigned k = 2; !is_new; k++) {
        struct dp_buf lower = {0};
        for (size_t i = 0; i < b.n; i++) dp_buf_addc(&lower, (char)(b.p[i] >= 'A' && b.p[i] <= 'Z' ? b.p[i] + 32 : b.p[i])); /* systems that do not tell case apart */
        dp_map_put(&x->members, dp_buf_str(&lower), &is_new);
        dp_buf_release(&lower);
        if (is_new) break;
        b.n = n;
        dp_buf_addf(&b, "-%u", k);
    }
    return dp_buf_detach(&b);
}

/* ---- what is found ---- */

/* A dataset that breaks in the middle is told as one that could not be searched: nothing of it is in the package. */
static enum dp_status search(struct export *x, struct export_table *t, struct dp_err *err) {
    struct dp_subject_place *p = &x->places.v[t - x->tables];
    struct dp_err why = DP_ERR_INIT;
    uint64_t was = x->spooled;
    if (p->state != DP_SUBJECT_SEARCHED) return DP_OK;
    enum dp_status status = t->latest ? export_history(x, t, &why) : export_collect(x, t, NULL, 0, &why);
    if (status == DP_OK) return DP_OK;
    if (status == DP_SIGNALLED || status == DP_BUG || x->spool_failed) {
        if (err) *err = why;
        return status;
    }
    if (ftruncate(x->spool, (off_t)was) != 0 || lseek(x->spool, (off_t)was, SEEK_SET) < 0) return dp_err_sys(err, DP_IO, "a temporary file can't be cut");
    x->spooled = was;
    t->seen = (struct dp_subject_seen){0};
    p->state = DP_SUBJECT_UNREACHABLE;
    p->fault = dp_strdup(why.msg);
    return DP_OK;
}

/* Tables that were searched get a place more, for their older versions, behind all others.  The first of them. */
static size_t add_histories(struct export *x) {
    struct dp_subject_places *p = &x->places;
    size_t n = p->n;
    for (size_t i = 0; x->o->history && i < n; i++) {
        const struct dp_subject_place *of = &p->v[i];
        if (of->state != DP_SUBJECT_SEARCHED || !dp_delta_is_table(of->name)) continue;
        p->v = dp_grow(p->v, &p->cap, p->n + 1, sizeof *p->v);
        of = &p->v[i];
        struct dp_subject_place *to = &p->v[p->n++];
        *to = (struct dp_subject_place){.name = dp_strdup(of->name), .dataset = of->dataset, .state = of->state, .schema = of->schema ? dp_type_copy(of->schema) : NULL};
        for (size_t k = 0; k < of->n_columns; k++) {
            const struct dp_subject_column *c = &of->columns[k];
            to->columns = dp_grow(to->columns, &to->cap_columns, k + 1, sizeof *to->columns);
            to->columns[to->n_columns++] = (struct dp_subject_column){dp_strdup(c->column), dp_strdup(c->id), c->why};
        }
    }
    return n;
}

static char *history_name(struct export *x, const char *place) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s-history", dp_path_base(place));
    char *name = member_name(x, dp_buf_z(&b));
    dp_buf_release(&b);
    return name;
}

static enum dp_status search_all(struct export *x, struct dp_err *err) {
    struct dp_export_result *r = x->out;
    size_t n = add_histories(x), of = 0; /* older versions are in the order of their tables */
    x->tables = dp_calloc(x->places.n + 1, sizeof *x->tables);
    for (size_t i = 0; i < x->places.n; i++) {
        struct export_table *t = &x->tables[i];
        t->place = &x->places.v[i];
        while (i >= n && strcmp(x->places.v[of].name, t->place->name) != 0) of++;
        t->latest = i < n ? NULL : &x->tables[of];
        if (t->latest && t->latest->place->state != DP_SUBJECT_SEARCHED)
            x->places.v[i].state = DP_SUBJECT_UNREACHABLE, x->places.v[i].fault = dp_strdup("its latest version could not be searched");
        DP_TRY(search(x, t, err));
        if (t->seen.found) t->member = t->latest ? history_name(x, t->place->name) : member_name(x, t->place->name);
        DP_TRY(export_about(x, t, err));
        if (t->latest) {
            r->rows += t->seen.found, r->history_rows += t->seen.found, r->unreadable += t->seen.unreadable;
            r->unreachable += t->place->fault || t->seen.unreadable;
            continue;
        }
        r->rows += t->seen.found, r->tables += t->seen.found > 0, r->unreadable += t->seen.unreadable;
        switch (t->place->state) {
        case DP_SUBJECT_SEARCHED: r->searched++, r->unreachable += t->seen.unreadable > 0; break;
        case DP_SUBJECT_NO_COLUMN: r->without_column++; break;
        case DP_SUBJECT_GONE: r->gone++; break;
        case DP_SUBJECT_UNREACHABLE: r->unreachable++; break;
        }
        if (x->run->tick) x->run->tick(x->run);
    }
    return DP_OK;
}

/* ---- the package ---- */

static enum dp_status digest(struct export *x, int fd, struct dp_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return dp_err_sys(err, DP_IO, "%s", x->o->output);
    DP_TRY(dp_sha256_file(fd, (uint64_t)st.st_size, x->out->sha256, err));
    x->out->bytes = (uint64_t)st.st_size;
    return DP_OK;
}

static enum dp_status write_members(struct export *x, struct dp_err *err) {
    DP_TRY(export_page(x, err));
    for (size_t i = 0; i < x->places.n; i++) {
        if (!x->tables[i].seen.found) continue;
        DP_TRY(export_csv(x, &x->tables[i], err));
        DP_TRY(export_json(x, &x->tables[i], err));
    }
    DP_TRY(export_manifest(x, err));
    return dp_zip_finish(x->zip, err);
}

static enum dp_status exists(const char *path, struct dp_err *err) { return dp_err_set(err, DP_USAGE, "%s is there already: a package takes the place of no file", path); }

static enum dp_status write_package(struct export *x, struct dp_err *err) {
    struct dp_newfile f = {0};
    enum dp_status status = dp_newfile_open(&f, x->o->output, 0600, err);
    if (status == DP_OK) status = dp_zip_open(f.fd, x->run->now_micros, &x->zip, err);
    if (status == DP_OK) status = write_members(x, err);
    if (status == DP_OK) status = digest(x, f.fd, err);
    if (status == DP_OK) status = dp_newfile_commit_new(&f, err);
    if (status == DP_AGAIN) status = exists(x->o->output, err);
    dp_newfile_abort(&f);
    return status;
}

/* ---- all ---- */

/* What the audit log is told before: nothing of the person but a salted digest. */
static void print_intent(const struct export *x, struct dp_buf *b) {
    char salt[33], sum[65];
    dp_subject_digest(x->o->subject, salt, sum);
    dp_buf_addf(b, "{\"law\":\"%s\",\"received\":\"%s\",\"due\":\"%s\",\"subject\":{\"salt\":\"%s\",\"digest\":\"%s\",\"identifiers\":%zu}", x->o->law == DP_EXPORT_GDPR ? "gdpr" : "ccpa", x->out->received,
                x->out->due, salt, sum, x->o->subject->n);
    if (x->o->history) dp_buf_addz(b, ",\"history\":true");
    if (x->o->request) dp_buf_addz(b, ",\"request\":"), dp_json_add_string(b, dp_str_z(x->o->request));
    dp_buf_addc(b, '}');
}

static enum dp_status act(struct export *x, struct dp_err *err) {
    for (size_t i = 0; i < x->o->n_graphs; i++) DP_TRY(dp_subject_close_over(x->run, x->o->subject, x->o->graphs[i], err));
    x->out->identifiers = x->o->subject->n;
    DP_TRY(dp_subject_find(x->run, x->o->subject, &x->o->where, &x->places, err));
    DP_TRY(dp_spill_open(&x->spool, err));
    DP_TRY(search_all(x, err));
    return write_package(x, err);
}

static void names_release(struct export_names *v) {
    for (size_t i = 0; i < v->n; i++) free(v->v[i]);
    free(v->v);
}

static void release(struct export *x) {
    for (size_t i = 0; x->tables && i < x->places.n; i++) {
        struct export_table *t = &x->tables[i];
        dp_map_release(&t->columns);
        names_release(&t->sources), names_release(&t->recipients);
        free(t->member), free(t->description), free(t->purpose), free(t->retention);
    }
    for (size_t i = 0; x->contracts && i < x->o->n_contracts; i++) dp_contract_release(&x->contracts[i]);
    for (size_t i = 0; i < x->n_files; i++) free(x->files[i].name);
    free(x->tables), free(x->contracts), free(x->objects), free(x->files);
    dp_map_release(&x->members);
    dp_subject_places_release(&x->places);
    dp_zip_close(x->zip);
    dp_scan_close(x->scan);
    dp_buf_release(&x->text);
    if (x->spool >= 0) close(x->spool);
}

enum dp_status dp_export(struct dp_run *run, const struct dp_export_opts *o, struct dp_export_result *out, struct dp_err *err) {
    struct export x = {.run = run, .o = o, .out = out, .spool = -1, .scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO)};
    struct dp_audit *log = NULL;
    struct dp_buf what = {0};
    struct stat st;
    uint64_t ticket = 0;
    enum dp_status status;
    *out = (struct dp_export_result){0};
    if (!o->where.store && !o->where.n_operands) DP_TRY_OUT(dp_err_set(err, DP_USAGE, "nothing to search: there is no store of lineage, and no table or file was named"));
    if (lstat(o->output, &st) == 0) DP_TRY_OUT(exists(o->output, err));
    DP_TRY_OUT(export_contracts(&x, err));
    export_clock(&x);
    print_intent(&x, &what);
    DP_TRY_OUT(dp_audit_open(run, o->audit, &log, err));
    DP_TRY_OUT(dp_audit_begin(log, &(struct dp_audit_intent){.action = "subject.export", .why = o->why, .what = dp_buf_str(&what)}, &ticket, err));
    status = act(&x, err);
    dp_buf_reset(&what);
    dp_buf_addf(&what, "{\"rows\":%llu,\"tables\":%llu,\"searched\":%llu,\"unreachable\":%llu,\"sha256\":\"%s\"}", (unsigned long long)out->rows, (unsigned long long)out->tables,
                (unsigned long long)out->searched, (unsigned long long)out->unreachable, out->sha256);
    status = dp_audit_end(log, ticket, status, dp_buf_str(&what), err);
out:
    dp_audit_close(log);
    dp_buf_release(&what);
    release(&x);
    return status;
}

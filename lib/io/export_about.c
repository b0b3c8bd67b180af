/*
 * What is told of a dataset beside its rows: from contracts (description, purpose, retention) and from lineage (where it comes from, where it goes); and the request's clock.
 *
 * The clock: GDPR article 12(3), one month by the calendar, to be extended by two (Regulation 1182/71: the period ends with the day of the same number, or the month's last);
 * 11 CCR 7021, 45 days and 45 more.  Days are those of UTC; that the last one may be a holiday is not looked at.
 */
#include "export_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/delta/snapshot.h>
#include <dp/rules/sla.h>

#include <stdlib.h>
#include <unistd.h>

/* ---- contracts ---- */

enum dp_status export_contracts(struct export *x, struct dp_err *err) {
    size_t n = x->o->n_contracts;
    x->contracts = dp_calloc(n + 1, sizeof *x->contracts);
    x->objects = dp_calloc(n + 1, sizeof *x->objects);
    for (size_t i = 0; i < n; i++) {
        const char *spec = x->o->contracts[i];
        if (strchr(spec, '#') && access(spec, F_OK) != 0) DP_TRY(dp_contract_load(spec, &x->contracts[i], &x->objects[i], err));
        else DP_TRY(dp_contract_read(spec, &x->contracts[i], err));
    }
    return DP_OK;
}

/* The path's last name, as it is or without what stands behind a dot. */
static bool is_named(const char *path, const char *name) {
    const char *base = dp_path_base(path);
    size_t n = name ? strlen(name) : 0;
    return n && !strncmp(base, name, n) && (!base[n] || base[n] == '.');
}

static void set(char **to, const char *text) {
    if (*to || !text || !*text) return;
    *to = dp_strdup(text);
}

static const char *text_of(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = map ? dp_yaml_get(map, key) : NULL;
    return n && n->kind == DP_YAML_STRING ? n->text.p : NULL;
}

static void take_retention(const struct dp_contract *c, const struct dp_contract_object *o, struct export_table *t) {
    for (size_t i = 0; i < c->n_sla && !t->retention; i++) {
        const struct dp_contract_sla *s = &c->sla[i];
        struct dp_buf b = {0};
        size_t n = s->element && strchr(s->element, '.') ? (size_t)(strchr(s->element, '.') - s->element) : 0;
        bool is_other = n && !(o->name && strlen(o->name) == n && !memcmp(o->name, s->element, n)) && !(o->physical_name && strlen(o->physical_name) == n && !memcmp(o->physical_name, s->element, n));
        if (is_other || !dp_sla_is_retention(s->property)) continue;
        dp_buf_addf(&b, "%.*s %s%s%s%s", DP_STR_FMT(s->value), s->unit ? s->unit : "", s->driver ? " (" : "", s->driver ? s->driver : "", s->driver ? ")" : "");
        t->retention = dp_strdup(dp_buf_z(&b));
        dp_buf_release(&b);
    }
}

static void take_object(const struct dp_contract *c, const struct dp_contract_object *o, struct export_table *t) {
    const struct dp_yaml_node *of_all = dp_yaml_get(c->doc.root, "description");
    set(&t->description, o->description);
    set(&t->purpose, text_of(of_all, "purpose"));
    set(&t->description, text_of(of_all, "usage"));
    take_retention(c, o, t);
}

static bool take_contract(const struct dp_contract *c, const struct dp_contract_object *only, struct export_table *t) {
    bool found = false;
    for (size_t i = 0; i < c->n_objects; i++) {
        const struct dp_contract_object *o = &c->objects[i];
        if ((only && only != o) || (!is_named(t->place->name, o->name) && !is_named(t->place->name, o->physical_name))) continue;
        take_object(c, o, t);
        found = true;
    }
    return found;
}

/* The contract that a table keeps itself. */
static void take_own(struct export_table *t) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_contract c = {.objects = NULL};
    const struct dp_contract_object *o = NULL;
    struct dp_err none = DP_ERR_INIT;
    if (dp_delta_open_how(t->place->name, -1, &(struct dp_delta_how){.skip_stats = true}, &s, &none) == DP_OK) {
        struct dp_str text = dp_delta_property(s, "dp.contract", ""), name = dp_delta_property(s, "dp.contract.object", "");
        char *object = name.n ? dp_strndup(name.p, name.n) : NULL;
        if (text.n && dp_contract_parse(text, "dp.contract", &c, &none) == DP_OK && dp_contract_object(&c, object, &o, &none) == DP_OK) take_object(&c, o, t);
        dp_contract_release(&c);
        free(object);
    }
    dp_delta_close(s);
}

/* ---- lineage ---- */

/* Other datasets, each once; the jobs that read or wrote without one, where nothing else is known. */
struct listing { struct export_names *datasets, jobs; };

static void add_name(struct export_names *v, struct dp_str name) {
    for (size_t i = 0; i < v->n; i++)
        if (dp_str_eqz(name, v->v[i])) return;
    v->v = dp_grow(v->v, &v->cap, v->n + 1, sizeof *v->v);
    v->v[v->n++] = dp_strndup(name.p, name.n);
}

static enum dp_status on_edge(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct listing *l = ctx;
    (void)n, (void)err;
    if (!cells[0].is_null) add_name(l->datasets, cells[0].text);
    else if (!cells[1].is_null) add_name(&l->jobs, cells[1].text);
    return DP_OK;
}

static enum dp_status ask_edges(struct export *x, enum dp_catalog_question q, const struct dp_catalog_args *args, struct export_names *out, struct dp_err *err) {
    struct listing l = {.datasets = out};
    enum dp_status status = dp_catalog_ask(x->o->where.store, q, args, on_edge, &l, err);
    if (!out->n) {
        *out = l.jobs;
        return status;
    }
    for (size_t i = 0; i < l.jobs.n; i++) free(l.jobs.v[i]);
    free(l.jobs.v);
    return status;
}

static enum dp_status on_about(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct export_table *t = ctx;
    (void)n, (void)err;
    if (cells[0].is_text && cells[0].text.n && !t->description) t->description = dp_strndup(cells[0].text.p, cells[0].text.n);
    return DP_OK;
}

enum dp_status export_about(struct export *x, struct export_table *t, struct dp_err *err) {
    const struct dp_catalog_args args = {.dataset = t->place->dataset, .from = INT64_MIN, .to = INT64_MAX, .limit = 100};
    bool found = false;
    for (size_t i = 0; i < x->o->n_contracts; i++) found = take_contract(&x->contracts[i], x->objects[i], t) || found;
    if (!found) take_own(t);
    if (!t->place->dataset || !x->o->where.store) return DP_OK;
    DP_TRY(dp_catalog_ask(x->o->where.store, DP_ASK_ABOUT, &args, on_about, t, err));
    DP_TRY(ask_edges(x, DP_ASK_FROM, &args, &t->sources, err));
    return ask_edges(x, DP_ASK_TO, &args, &t->recipients, err);
}

/* ---- the clock ---- */

enum { DAY = 86400 };

static int64_t day_of(int64_t micros) {
    int64_t seconds = micros / 1000000 - (micros % 1000000 < 0);
    return seconds / DAY - (seconds % DAY < 0);
}

static int64_t add_months(int64_t day, unsigned months) {
    int64_t year;
    unsigned month, of_month;
    dp_civil_from_days(day, &year, &month, &of_month);
    year += (month - 1 + months) / 12, month = (month - 1 + months) % 12 + 1;
    int64_t next = month == 12 ? dp_days_from_civil(year + 1, 1, 1) : dp_days_from_civil(year, month + 1, 1), same = dp_days_from_civil(year, month, 1) + of_month - 1;
    return same < next ? same : next - 1;
}

static void print_day(char out[41], int64_t day) {
    out[dp_date_print(out, (int32_t)day)] = 0;
}

void export_clock(struct export *x) {
    int64_t received = day_of(x->o->received != INT64_MIN ? x->o->received : x->run->now_micros), due = received, extended = received;
    switch (x->o->law) {
    case DP_EXPORT_GDPR: due = add_months(received, 1), extended = add_months(received, 3); break;
    case DP_EXPORT_CCPA: due = received + 45, extended = received + 90; break;
    }
    print_day(x->out->received, received);
    print_day(x->out->due, due);
    print_day(x->out->extended, extended);
    x->out->days_left = due - day_of(x->run->now_micros);
}

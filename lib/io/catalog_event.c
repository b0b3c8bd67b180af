/*
 * One OpenLineage event read out of its JSON (catalog_priv.h): spec 2-0-2, core schema, section "Events" of the project's digest.
 *
 * An event fits exactly one of RunEvent, JobEvent and DatasetEvent.  Strict: as the schemas say, dates and ids checked too, which JSON Schema leaves open.  Lenient: what emitters in use
 * lack passes with a count: an offset in eventTime (UTC is taken), producer and schemaURL, _producer and _schemaURL of facets, a runId that is no UUID, a list or facets that are null,
 * a known facet that is not as its schema says (what can't be read of it is passed over, and kept).
 */
#include "catalog_priv.h"

#include <dp/base/time.h>

#include <stdarg.h>
#include <stdio.h>

enum dp_status dp_cat_lack(struct dp_cat_event *e, const char *fmt, ...) {
    char words[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    if (e->strict) return dp_err_set(e->err, DP_FORMAT, "%s", words);
    if (!e->warnings++) dp_err_set(e->err, DP_OK, "%s", words);
    return DP_OK;
}

struct dp_str dp_cat_text(const struct dp_cat_event *e, uint32_t node) {
    if (!node || e->r->nodes[node].kind != DP_KIND_STRING) return dp_str(NULL, 0);
    struct dp_str raw = dp_node_str(e->r, node);
    if (!(e->r->nodes[node].flags & DP_NODE_ESCAPED)) return raw.n ? raw : DP_STR("");
    char *to = dp_arena_alloc(e->arena, raw.n + 5);
    return dp_str(to, dp_json_decode_to(raw, to));
}

static bool is_uuid(struct dp_str s) {
    if (s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        char c = s.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
}

/* Ids of runs are the same in either case; other texts stay as they are. */
static struct dp_str lower_uuid(struct dp_arena *a, struct dp_str s) {
    if (!is_uuid(s)) return s;
    char *p = dp_arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'F' ? s.p[i] + 32 : s.p[i]);
    return dp_str(p, s.n);
}

static enum dp_status bad(struct dp_cat_event *e, const char *what, const char *words) { return dp_err_set(e->err, DP_FORMAT, "%s: %s", what, words); }

/* A string that must be there. */
static enum dp_status need_text(struct dp_cat_event *e, uint32_t object, const char *what, const char *name, struct dp_str *out) {
    uint32_t node = dp_json_member(e->r, object, name);
    *out = dp_cat_text(e, node);
    if (out->p) return DP_OK;
    return dp_err_set(e->err, DP_FORMAT, "%s.%s: %s", what, name, node ? "no string" : "is not there");
}

static enum dp_status read_time(struct dp_cat_event *e) {
    struct dp_str text;
    struct dp_timestamp t;
    DP_TRY(need_text(e, 0, "event", "eventTime", &text));
    if (!dp_time_parse(text, true, false, &t)) return dp_err_set(e->err, DP_FORMAT, "eventTime: \"%.*s\" is no RFC 3339 time", DP_STR_FMT(text));
    if (t.zone == DP_ZONE_NONE) DP_TRY(dp_cat_lack(e, "eventTime: \"%.*s\" has no offset from UTC", DP_STR_FMT(text)));
    t.nanos -= t.nanos % 1000;
    return dp_time_micros(&t, &e->at) ? DP_OK : bad(e, "eventTime", "out of range");
}

static enum dp_status read_type(struct dp_cat_event *e) {
    static const struct { const char *word; enum dp_catalog_state state; } types[] = {{"START", DP_STATE_START}, {"RUNNING", DP_STATE_RUNNING}, {"COMPLETE", DP_STATE_COMPLETE},
        {"FAIL", DP_STATE_FAIL}, {"ABORT", DP_STATE_ABORT}, {"OTHER", DP_STATE_OTHER}};
    uint32_t node = dp_json_member(e->r, 0, "eventType");
    e->type = DP_STATE_OTHER;
    if (!node) return DP_OK;
    if (dp_cat_is(e, node, DP_KIND_NULL)) return dp_cat_lack(e, "eventType: is null");
    struct dp_str word = dp_cat_text(e, node);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (word.p && dp_str_eqz(word, types[i].word)) return e->type = types[i].state, DP_OK;
    if (!word.p) return bad(e, "eventType", "no string");
    return dp_err_set(e->err, DP_FORMAT, "eventType: \"%.*s\" is none of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER", DP_STR_FMT(word));
}

/* An object of facets: its node, 0 where there is none. */
static enum dp_status read_facets(struct dp_cat_event *e, uint32_t owner, const char *what, const char *name, char place, uint32_t *out) {
    uint32_t node = dp_json_member(e->r, owner, name);
    *out = 0;
    if (!node) return DP_OK;
    if (e->r->nodes[node].kind == DP_KIND_NULL) return dp_cat_lack(e, "%s.%s: is null", what, name);
    if (e->r->nodes[node].kind != DP_KIND_OBJECT) return dp_err_set(e->err, DP_FORMAT, "%s.%s: no object", what, name);
    for (uint32_t k = node + 1, end = e->r->nodes[node].next; k < end; k = e->r->nodes[k].next) {
        struct dp_str key = dp_node_str(e->r, k);
        uint32_t f = k + 1;
        if (dp_cat_is(e, f, DP_KIND_NULL)) {
            DP_TRY(dp_cat_lack(e, "%s.%s.%.*s: is null", what, name, DP_STR_FMT(key)));
            continue;
        }
        if (!dp_cat_is(e, f, DP_KIND_OBJECT)) return dp_err_set(e->err, DP_FORMAT, "%s.%s.%.*s: a facet is an object", what, name, DP_STR_FMT(key));
        if (!dp_cat_member_text(e, f, "_producer").p) DP_TRY(dp_cat_lack(e, "%s.%s.%.*s: has no _producer", what, name, DP_STR_FMT(key)));
        if (!dp_cat_member_text(e, f, "_schemaURL").p) DP_TRY(dp_cat_lack(e, "%s.%s.%.*s: has no _schemaURL", what, name, DP_STR_FMT(key)));
    }
    *out = node;
    return dp_cat_facets_check(e, place, node);
}

bool dp_cat_is_deleted(const struct dp_cat_event *e, uint32_t facet) {
    bool gone = false;
    uint32_t node = dp_json_member(e->r, facet, "_deleted");
    return node && dp_json_get_bool(e->r, node, &gone) && gone;
}

struct dp_cat_dataset *dp_cat_event_dataset(struct dp_cat_event *e, struct dp_cat_name id, enum dp_catalog_side side) {
    e->datasets = dp_arena_grow(e->arena, e->datasets, &e->cap_datasets, e->n_datasets + 1, sizeof *e->datasets); /* in the arena: events are short-lived */
    struct dp_cat_dataset *d = &e->datasets[e->n_datasets++];
    *d = (struct dp_cat_dataset){.id = id, .side = side};
    return d;
}

static enum dp_status read_dataset(struct dp_cat_event *e, uint32_t node, const char *what, enum dp_catalog_side side) {
    struct dp_cat_name id;
    if (!dp_cat_is(e, node, DP_KIND_OBJECT)) return bad(e, what, "a dataset is an object");
    DP_TRY(need_text(e, node, what, "namespace", &id.ns));
    DP_TRY(need_text(e, node, what, "name", &id.name));
    size_t at = e->n_datasets;
    dp_cat_event_dataset(e, id, side);
    DP_TRY(read_facets(e, node, what, "facets", 'd', &e->datasets[at].facets));
    if (e->kind != DP_CAT_DATASET_EVENT)
        DP_TRY(read_facets(e, node, what, side == DP_SIDE_IN ? "inputFacets" : "outputFacets", side == DP_SIDE_IN ? 'i' : 'o', &e->datasets[at].io_facets));
    return dp_cat_flow_read(e, &e->datasets[at]);
}

static enum dp_status read_datasets(struct dp_cat_event *e, const char *name, enum dp_catalog_side side) {
    char what[40];
    uint32_t node = dp_json_member(e->r, 0, name), i = 0;
    if (!node) return DP_OK;
    if (dp_cat_is(e, node, DP_KIND_NULL)) return dp_cat_lack(e, "%s: is null", name);
    if (!dp_cat_is(e, node, DP_KIND_ARRAY)) return bad(e, name, "no array");
    for (uint32_t k = node + 1, end = e->r->nodes[node].next; k < end; k = e->r->nodes[k].next, i++) {
        snprintf(what, sizeof what, "%s[%u]", name, i);
        DP_TRY(read_dataset(e, k, what, side));
    }
    return DP_OK;
}

static void read_parent(struct dp_cat_event *e) {
    uint32_t parent = e->run_facets ? dp_json_member(e->r, e->run_facets, "parent") : 0;
    const struct { const char *key; struct dp_str *id; struct dp_cat_name *job; } both[] = {{NULL, &e->parent, &e->parent_job}, {"root", &e->root, &e->root_job}};
    if (!dp_cat_is(e, parent, DP_KIND_OBJECT)) return;
    for (size_t i = 0; i < 2; i++) {
        uint32_t at = both[i].key ? dp_json_member(e->r, parent, both[i].key) : parent;
        uint32_t run = dp_cat_is(e, at, DP_KIND_OBJECT) ? dp_json_member(e->r, at, "run") : 0, job = run ? dp_json_member(e->r, at, "job") : 0;
        if (!dp_cat_is(e, run, DP_KIND_OBJECT)) continue;
        struct dp_str id = dp_cat_member_text(e, run, "runId");
        if (!id.p || !id.n) continue;
        *both[i].id = lower_uuid(e->arena, id);
        if (!dp_cat_is(e, job, DP_KIND_OBJECT)) continue;
        struct dp_cat_name n = {dp_cat_member_text(e, job, "namespace"), dp_cat_member_text(e, job, "name")};
        if (n.ns.p && n.name.p) *both[i].job = n;
    }
}

static enum dp_status read_job(struct dp_cat_event *e, uint32_t job) {
    if (!dp_cat_is(e, job, DP_KIND_OBJECT)) return bad(e, "job", "no object");
    DP_TRY(need_text(e, job, "job", "namespace", &e->job.ns));
    DP_TRY(need_text(e, job, "job", "name", &e->job.name));
    return read_facets(e, job, "job", "facets", 'j', &e->job_facets);
}

static enum dp_status read_run(struct dp_cat_event *e, uint32_t run) {
    if (!dp_cat_is(e, run, DP_KIND_OBJECT)) return bad(e, "run", "no object");
    DP_TRY(need_text(e, run, "run", "runId", &e->uuid));
    if (!e->uuid.n) return bad(e, "run.runId", "is empty");
    if (!is_uuid(e->uuid)) DP_TRY(dp_cat_lack(e, "run.runId: \"%.*s\" is no UUID", DP_STR_FMT(e->uuid)));
    e->uuid = lower_uuid(e->arena, e->uuid);
    DP_TRY(read_type(e));
    DP_TRY(read_facets(e, run, "run", "facets", 'r', &e->run_facets));
    read_parent(e);
    return DP_OK;
}

static enum dp_status read_kind(struct dp_cat_event *e, uint32_t run, uint32_t job, uint32_t dataset) {
    if (run && job) return e->kind = DP_CAT_RUN_EVENT, DP_OK;
    if (job && dataset) return bad(e, "event", "with a job and a dataset, without a run, it is a JobEvent and a DatasetEvent in one");
    if (job) return e->kind = DP_CAT_JOB_EVENT, DP_OK;
    if (dataset) return e->kind = DP_CAT_DATASET_EVENT, DP_OK;
    return bad(e, "event", run ? "a run without its job" : "it has no job and no dataset, so it is no event of OpenLineage");
}

enum dp_status dp_cat_event_read(const struct dp_record *r, struct dp_arena *arena, bool strict, struct dp_cat_event *e, struct dp_err *err) {
    struct dp_err none = DP_ERR_INIT;
    *e = (struct dp_cat_event){.r = r, .arena = arena, .strict = strict, .err = err ? err : &none};
    if (r->nodes[0].kind != DP_KIND_OBJECT) return bad(e, "event", "no JSON object");
    if (r->duplicate_keys) {
        struct dp_str key = dp_node_str(r, r->dup_node);
        return dp_err_set(e->err, DP_FORMAT, "key \"%.*s\" stands twice in one object", DP_STR_FMT(key));
    }
    uint32_t run = dp_json_member(r, 0, "run"), job = dp_json_member(r, 0, "job"), dataset = dp_json_member(r, 0, "dataset");
    DP_TRY(read_kind(e, run, job, dataset));
    DP_TRY(read_time(e));
    if (!dp_cat_member_text(e, 0, "producer").p) DP_TRY(dp_cat_lack(e, "event has no producer"));
    if (!dp_cat_member_text(e, 0, "schemaURL").p) DP_TRY(dp_cat_lack(e, "event has no schemaURL"));
    if (e->kind == DP_CAT_DATASET_EVENT) return read_dataset(e, dataset, "dataset", DP_SIDE_OUT);
    DP_TRY(read_job(e, job));
    if (e->kind == DP_CAT_RUN_EVENT) DP_TRY(read_run(e, run));
    DP_TRY(read_datasets(e, "inputs", DP_SIDE_IN));
    DP_TRY(read_datasets(e, "outputs", DP_SIDE_OUT));
    return dp_cat_links_read(e);
}

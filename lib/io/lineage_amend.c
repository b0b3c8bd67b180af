/*
 * What a configuration changes in the events of a run: tags, owners, chosen variables and the place of the source code come in, facets that are
 * turned off go out, and jobs that a filter names are not told of.  Everything else of an event stays byte for byte.
 * A tag of the configuration takes the place of one of the same key (letter case aside), whose spelling it keeps; a facet that the event has already is
 * added to where it is a list of tags or variables, and is left as it is otherwise.
 */
#include "lineage_priv.h"

#include <dp/record/json.h>
#include <dp/rules/openlineage.h>
#include <dp/rules/pattern.h>

#include <stdlib.h>

struct amend {
    const struct dp_lineage_conf *c;
    const struct dp_record *r;
    struct dp_buf *b;
    uint32_t run, run_facets, job, job_facets; /* nodes; 0: not there */
};

bool lineage_amends(const struct dp_lineage_conf *c) {
    return c->job_tags.n || c->run_tags.n || c->owners.n || c->variables.n || c->facets_off.n || c->location.n || c->n_filters;
}

static bool is_filtered(const struct dp_lineage_conf *c, struct dp_str name) {
    struct dp_pattern_run *run = NULL;
    bool yes = false;
    for (size_t i = 0; i < c->n_filters && !yes; i++) {
        struct dp_err ignored = DP_ERR_INIT;
        bool matches = false;
        if (c->filters[i].exact) {
            yes = dp_str_eqz(name, c->filters[i].exact);
        } else {
            if (!run) run = dp_pattern_run_open();
            yes = dp_pattern_match(c->filters[i].regex, run, name, &matches, &ignored) == DP_OK && matches;
        }
    }
    if (run) dp_pattern_run_close(run);
    return yes;
}

static bool same_letters(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char x = a[i], y = b[i];
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
    }
    return true;
}

static void add_member(struct dp_buf *b, const char *key, const char *value, bool *first) {
    dp_buf_addf(b, "%s\"%s\":", *first ? "" : ",", key);
    dp_json_add_string(b, dp_str_z(value));
    *first = false;
}

/* The bytes of a value, a string's with its quotes. */
static struct dp_str raw(const struct dp_record *r, uint32_t i) {
    struct dp_str s = dp_node_str(r, i);
    return r->nodes[i].kind == DP_KIND_STRING ? dp_str(s.p - 1, s.n + 2) : s;
}

/* ---- lists that a facet of the event may have begun ---- */

/* Items of the event's own list, those aside whose `by` is the key of one of ours; our spelling then becomes theirs. */
static bool own_items(struct amend *a, uint32_t facet, const char *list, const char *by, const struct lineage_pairs *ours, struct dp_str *spelling, bool keep_own) {
    uint32_t at = facet ? dp_json_member(a->r, facet, list) : 0;
    bool any = false;
    if (!at || a->r->nodes[at].kind != DP_KIND_ARRAY) return false;
    for (uint32_t i = at + 1; i < a->r->nodes[at].next; i = a->r->nodes[i].next) {
        uint32_t key = a->r->nodes[i].kind == DP_KIND_OBJECT ? dp_json_member(a->r, i, by) : 0;
        struct dp_str name = key ? dp_node_str(a->r, key) : (struct dp_str){NULL, 0};
        bool replaced = false;
        for (size_t k = 0; k < ours->n && key; k++)
            if (name.n == strlen(ours->at[k].key) && same_letters(name.p, ours->at[k].key, name.n)) spelling[k] = name, replaced = true;
        if (replaced && !keep_own) continue;
        if (any) dp_buf_addc(a->b, ',');
        dp_buf_adds(a->b, raw(a->r, i));
        any = true;
    }
    return any;
}

static void facet_head(struct amend *a, enum dp_ol_place place, const char *key, bool first) {
    size_t from = a->b->n;
    dp_ol_facet(a->b, place, key); /* begins with a comma */
    if (first) memmove(a->b->p + from, a->b->p + from + 1, a->b->n - from - 1), a->b->n--;
}

static void add_tags(struct amend *a, uint32_t facets, enum dp_ol_place place, const struct lineage_pairs *tags, bool first) {
    struct dp_str *spelling = dp_calloc(tags->n, sizeof *spelling);
    facet_head(a, place, "tags", first);
    dp_buf_addz(a->b, ",\"tags\":[");
    bool any = own_items(a, facets ? dp_json_member(a->r, facets, "tags") : 0, "tags", "key", tags, spelling, false);
    for (size_t i = 0; i < tags->n; i++) {
        bool none = true;
        dp_buf_addz(a->b, any ? ",{\"key\":" : "{\"key\":");
        if (spelling[i].p) dp_buf_addc(a->b, '"'), dp_buf_adds(a->b, spelling[i]), dp_buf_addc(a->b, '"');
        else dp_json_add_string(a->b, dp_str_z(tags->at[i].key));
        none = false;
        add_member(a->b, "value", tags->at[i].value, &none);
        add_member(a->b, "source", tags->at[i].source ? tags->at[i].source : "USER", &none);
        dp_buf_addc(a->b, '}');
        any = true;
    }
    dp_buf_addz(a->b, "]}");
    free(spelling);
}

static void add_variables(struct amend *a, bool first) {
    struct lineage_pairs set = {NULL, 0, 0};
    for (size_t i = 0; i < a->c->variables.n; i++) {
        const char *value = getenv(a->c->variables.at[i]);
        size_t bad;
        if (!value || !dp_utf8_valid(value, strlen(value), &bad)) continue;
        if (set.n == set.cap) set.at = dp_grow(set.at, &set.cap, set.n + 1, sizeof *set.at);
        set.at[set.n++] = (struct lineage_pair){a->c->variables.at[i], value, NULL};
    }
    struct dp_str *theirs = dp_calloc(set.n + 1, sizeof *theirs);
    facet_head(a, DP_OL_OF_RUN, "environmentVariables", first);
    dp_buf_addz(a->b, ",\"environmentVariables\":[");
    bool any = own_items(a, a->run_facets ? dp_json_member(a->r, a->run_facets, "environmentVariables") : 0, "environmentVariables", "name", &set, theirs, true);
    for (size_t i = 0; i < set.n; i++) {
        bool none = true;
        if (theirs[i].p) continue; /* what the event says of itself weighs more */
        dp_buf_addz(a->b, any ? ",{" : "{");
        add_member(a->b, "name", set.at[i].key, &none);
        add_member(a->b, "value", set.at[i].value, &none);
        dp_buf_addc(a->b, '}');
        any = true;
    }
    dp_buf_addz(a->b, "]}");
    free(theirs);
    free(set.at);
}

static void add_owners(struct amend *a, bool first) {
    facet_head(a, DP_OL_OF_JOB, "ownership", first);
    dp_buf_addz(a->b, ",\"owners\":[");
    for (size_t i = 0; i < a->c->owners.n; i++) {
        bool none = true;
        dp_buf_addz(a->b, i ? ",{" : "{");
        add_member(a->b, "name", a->c->owners.at[i].value, &none);
        add_member(a->b, "type", a->c->owners.at[i].key, &none);
        dp_buf_addc(a->b, '}');
    }
    dp_buf_addz(a->b, "]}");
}

static bool has(const struct amend *a, uint32_t facets, const char *key) { return facets && dp_json_member(a->r, facets, key); }

static void add_location(struct amend *a, bool first) {
    const char *url = NULL;
    bool none = false;
    for (size_t i = 0; i < a->c->location.n; i++)
        if (strcmp(a->c->location.at[i].key, "repoUrl") == 0) url = a->c->location.at[i].value;
    if (!url) return;
    facet_head(a, DP_OL_OF_JOB, "sourceCodeLocation", first);
    add_member(a->b, "type", "git", &none);
    add_member(a->b, "url", url, &none);
    for (size_t i = 0; i < a->c->location.n; i++) add_member(a->b, a->c->location.at[i].key, a->c->location.at[i].value, &none);
    dp_buf_addc(a->b, '}');
}

/* ---- facets ---- */

static bool is_off(const struct dp_lineage_conf *c, const struct dp_record *r, uint32_t key) {
    for (size_t i = 0; i < c->facets_off.n; i++)
        if (dp_json_equal(dp_node_str(r, key), r->nodes[key].flags, dp_str_z(c->facets_off.at[i]))) return true;
    return false;
}

/* Is this member made anew below? */
static bool is_rebuilt(const struct amend *a, uint32_t facets, struct dp_str key) {
    const struct lineage_pairs *tags = facets == a->job_facets ? &a->c->job_tags : &a->c->run_tags;
    if (facets != a->job_facets && facets != a->run_facets) return false;
    return (tags->n && dp_str_eqz(key, "tags")) || (facets == a->run_facets && a->c->variables.n && dp_str_eqz(key, "environmentVariables"));
}

static bool wanted(const struct amend *a, const char *key) {
    for (size_t i = 0; i < a->c->facets_off.n; i++)
        if (strcmp(a->c->facets_off.at[i], key) == 0) return false;
    return true;
}

static void add_new(struct amend *a, bool of_job, bool first) {
    const struct dp_lineage_conf *c = a->c;
    uint32_t facets = of_job ? a->job_facets : a->run_facets;
    size_t from = a->b->n;
    const struct lineage_pairs *tags = of_job ? &c->job_tags : &c->run_tags;
    if (tags->n && wanted(a, "tags")) add_tags(a, facets, of_job ? DP_OL_OF_JOB : DP_OL_OF_RUN, tags, first);
    first = first && a->b->n == from;
    if (!of_job && c->variables.n && wanted(a, "environmentVariables")) add_variables(a, first);
    if (of_job && c->owners.n && !has(a, facets, "ownership") && wanted(a, "ownership")) add_owners(a, first);
    first = first && a->b->n == from;
    if (of_job && c->location.n && !has(a, facets, "sourceCodeLocation") && wanted(a, "sourceCodeLocation")) add_location(a, first);
}

static bool is_facets(struct dp_str key) { return dp_str_eqz(key, "facets") || dp_str_eqz(key, "inputFacets") || dp_str_eqz(key, "outputFacets"); }

/* Copies a value, and changes facets on the way.  Deep only as far as an event has facets: root, run or job, list of datasets, dataset. */
static void copy(struct amend *a, uint32_t at, bool of_facets, int depth) {
    const struct dp_node *n = &a->r->nodes[at];
    if ((n->kind != DP_KIND_OBJECT && n->kind != DP_KIND_ARRAY) || depth > 5) {
        dp_buf_adds(a->b, raw(a->r, at));
        return;
    }
    bool first = true, object = n->kind == DP_KIND_OBJECT;
    dp_buf_addc(a->b, object ? '{' : '[');
    for (uint32_t i = at + 1; i < n->next; i = a->r->nodes[i].next) {
        uint32_t value = object ? i + 1 : i;
        struct dp_str key = object ? dp_node_str(a->r, i) : (struct dp_str){NULL, 0};
        if (of_facets && (is_off(a->c, a->r, i) || is_rebuilt(a, at, key))) continue;
        if (!first) dp_buf_addc(a->b, ',');
        first = false;
        if (object) dp_buf_adds(a->b, raw(a->r, i)), dp_buf_addc(a->b, ':');
        if (of_facets) dp_buf_adds(a->b, raw(a->r, value));
        else copy(a, value, object && is_facets(key), depth + 1);
    }
    if (at == a->run_facets && of_facets) add_new(a, false, first);
    if (at == a->job_facets && of_facets) add_new(a, true, first);
    bool bare_run = at == a->run && at && !a->run_facets, bare_job = at == a->job && at && !a->job_facets;
    if (bare_run || bare_job) {
        size_t from = a->b->n;
        dp_buf_addz(a->b, first ? "\"facets\":{" : ",\"facets\":{");
        size_t empty = a->b->n;
        add_new(a, bare_job, true);
        if (a->b->n == empty) a->b->n = from;
        else dp_buf_addc(a->b, '}');
    }
    dp_buf_addc(a->b, object ? '}' : ']');
}

static uint32_t object_member(const struct dp_record *r, uint32_t of, const char *key) {
    uint32_t at = dp_json_member(r, of, key);
    return at && r->nodes[at].kind == DP_KIND_OBJECT ? at : 0;
}

bool lineage_amend(const struct dp_lineage_conf *c, struct dp_str event, struct dp_buf *b) {
    struct dp_scan *s = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    struct dp_buf padded = {NULL, 0, 0}, name = {NULL, 0, 0};
    struct dp_err ignored = DP_ERR_INIT;
    struct dp_record r;
    bool keep = true;
    dp_buf_adds(&padded, event);
    memset(dp_buf_reserve(&padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(s, padded.p, padded.n, &r, &ignored) != DP_OK || r.nodes[0].kind != DP_KIND_OBJECT) {
        dp_buf_adds(b, event);
        goto out;
    }
    struct amend a = {.c = c, .r = &r, .b = b, .run = object_member(&r, 0, "run"), .job = object_member(&r, 0, "job")};
    if (a.run) a.run_facets = object_member(&r, a.run, "facets");
    if (a.job) a.job_facets = object_member(&r, a.job, "facets");
    uint32_t job_name = a.job ? dp_json_member(&r, a.job, "name") : 0;
    if (a.run && job_name && dp_json_get_string(&r, job_name, &name)) keep = !is_filtered(c, dp_buf_str(&name));
    if (keep) {
        copy(&a, 0, false, 0);
        dp_buf_addc(b, '\n');
    }
out:
    dp_scan_close(s);
    dp_buf_release(&padded);
    dp_buf_release(&name);
    return keep;
}

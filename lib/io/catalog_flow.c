/*
 * Column lineage out of facets (catalog_priv.h): columnLineage 1-2-0 with `dataset`, and the older form with transformationType beside inputFields; `lineage` 1-0-0 of datasets and of
 * jobs; jobDependencies.  Names of columns are kept as they are.  What is not as it should be was said by the check of facets, and is passed over here.
 */
#include "catalog_priv.h"

static uint32_t next_of(const struct dp_cat_event *e, uint32_t k) { return e->r->nodes[k].next; }

static uint32_t how_of(struct dp_str type, struct dp_str subtype) {
    static const struct { const char *word; uint32_t how; } words[] = {{"IDENTITY", DP_HOW_IDENTITY}, {"TRANSFORMATION", DP_HOW_TRANSFORMATION}, {"AGGREGATION", DP_HOW_AGGREGATION},
        {"JOIN", DP_HOW_JOIN}, {"GROUP_BY", DP_HOW_GROUP_BY}, {"FILTER", DP_HOW_FILTER}, {"SORT", DP_HOW_SORT}, {"WINDOW", DP_HOW_WINDOW}, {"CONDITIONAL", DP_HOW_CONDITIONAL}};
    bool indirect = type.p && dp_str_eqz(type, "INDIRECT");
    for (size_t i = 0; i < sizeof words / sizeof words[0] && subtype.p; i++)
        if (dp_str_eqz(subtype, words[i].word)) return words[i].how;
    return indirect ? DP_HOW_INDIRECT : DP_HOW_TRANSFORMATION;
}

/* Of several ways the values take, all direct ones must mask for none to be clear. */
static uint32_t read_transformations(const struct dp_cat_event *e, uint32_t list) {
    uint32_t how = 0;
    bool direct = false, direct_masks = true, masks = true, any = false;
    if (!dp_cat_is(e, list, DP_KIND_ARRAY)) return 0;
    for (uint32_t k = list + 1; k < next_of(e, list); k = next_of(e, k)) {
        bool masking = false;
        if (!dp_cat_is(e, k, DP_KIND_OBJECT)) continue;
        uint32_t one = how_of(dp_cat_member_text(e, k, "type"), dp_cat_member_text(e, k, "subtype")), node = dp_json_member(e->r, k, "masking");
        if (node) dp_json_get_bool(e->r, node, &masking);
        any = true;
        how |= one;
        masks = masks && masking;
        if (!(one & DP_HOW_ALL_INDIRECT)) direct = true, direct_masks = direct_masks && masking;
    }
    return how | (any && (direct ? direct_masks : masks) ? DP_HOW_MASKING : 0);
}

/* The older form says it once for a column. */
static uint32_t read_old_form(const struct dp_cat_event *e, uint32_t column) {
    struct dp_str type = dp_cat_member_text(e, column, "transformationType");
    if (type.p && dp_str_eqz(type, "MASKED")) return DP_HOW_TRANSFORMATION | DP_HOW_MASKING;
    return type.p && dp_str_eqz(type, "IDENTITY") ? DP_HOW_IDENTITY : DP_HOW_TRANSFORMATION;
}

static void add_ref(struct dp_cat_event *e, struct dp_cat_dataset *d, struct dp_cat_ref ref) {
    d->refs = dp_arena_grow(e->arena, d->refs, &d->cap_refs, d->n_refs + 1, sizeof *d->refs);
    d->refs[d->n_refs++] = ref;
}

static void add_from(struct dp_cat_event *e, struct dp_cat_dataset *d, struct dp_cat_name from) {
    d->from = dp_arena_grow(e->arena, d->from, &d->cap_from, d->n_from + 1, sizeof *d->from);
    d->from[d->n_from++] = from;
}

static void add_link(struct dp_cat_event *e, struct dp_cat_link link) {
    e->links = dp_arena_grow(e->arena, e->links, &e->cap_links, e->n_links + 1, sizeof *e->links);
    e->links[e->n_links++] = link;
}

static bool read_name(const struct dp_cat_event *e, uint32_t node, struct dp_cat_name *n) {
    if (!dp_cat_is(e, node, DP_KIND_OBJECT)) return false;
    *n = (struct dp_cat_name){dp_cat_member_text(e, node, "namespace"), dp_cat_member_text(e, node, "name")};
    return n->ns.p && n->name.p;
}

/* Entries of inputFields, of `dataset`, and of `inputs` of a lineage facet with a field. `to` p NULL: all rows. */
static void read_inputs(struct dp_cat_event *e, struct dp_cat_dataset *d, uint32_t list, struct dp_str to, uint32_t how_else) {
    if (!dp_cat_is(e, list, DP_KIND_ARRAY)) return;
    for (uint32_t k = list + 1; k < next_of(e, list); k = next_of(e, k)) {
        struct dp_cat_ref ref = {.to = to};
        struct dp_str type = dp_cat_is(e, k, DP_KIND_OBJECT) ? dp_cat_member_text(e, k, "type") : dp_str(NULL, 0);
        bool named = read_name(e, k, &ref.from);
        if (type.p && dp_str_eqz(type, "JOB")) {
            struct dp_cat_link link = {.to = d->id, .from_job = true};
            if (named) link.from = ref.from;
            add_link(e, link);
            continue;
        }
        if (!named) continue;
        ref.field = dp_cat_member_text(e, k, "field");
        if (!ref.field.p) {
            add_from(e, d, ref.from);
            continue;
        }
        ref.how = read_transformations(e, dp_json_member(e->r, k, "transformations"));
        if (!ref.how) ref.how = to.p ? how_else : DP_HOW_INDIRECT;
        add_ref(e, d, ref);
    }
}

static void read_columns(struct dp_cat_event *e, struct dp_cat_dataset *d, uint32_t fields, const char *list) {
    if (!dp_cat_is(e, fields, DP_KIND_OBJECT)) return;
    for (uint32_t k = fields + 1; k < next_of(e, fields); k = next_of(e, k)) {
        struct dp_str to = dp_cat_text(e, k);
        if (dp_cat_is(e, k + 1, DP_KIND_OBJECT)) read_inputs(e, d, dp_json_member(e->r, k + 1, list), to, read_old_form(e, k + 1));
    }
}

enum dp_status dp_cat_flow_read(struct dp_cat_event *e, struct dp_cat_dataset *d) {
    uint32_t columns = d->facets ? dp_json_member(e->r, d->facets, "columnLineage") : 0, lineage = d->facets ? dp_json_member(e->r, d->facets, "lineage") : 0;
    if (dp_cat_is(e, columns, DP_KIND_OBJECT)) {
        d->says_flow = true;
        if (!dp_cat_is_deleted(e, columns)) {
            read_columns(e, d, dp_json_member(e->r, columns, "fields"), "inputFields");
            read_inputs(e, d, dp_json_member(e->r, columns, "dataset"), dp_str(NULL, 0), DP_HOW_INDIRECT);
        }
    }
    if (dp_cat_is(e, lineage, DP_KIND_OBJECT)) {
        d->says_flow = true;
        if (!dp_cat_is_deleted(e, lineage)) {
            read_columns(e, d, dp_json_member(e->r, lineage, "fields"), "inputs");
            read_inputs(e, d, dp_json_member(e->r, lineage, "inputs"), dp_str(NULL, 0), DP_HOW_INDIRECT);
        }
    }
    return DP_OK;
}

/* ---- between jobs, and between jobs and datasets ---- */

/* One target with its inputs, of a lineage facet of a job. */
static void read_entry(struct dp_cat_event *e, uint32_t entry) {
    struct dp_cat_name to = {0};
    struct dp_str type = dp_cat_member_text(e, entry, "type");
    uint32_t inputs = dp_json_member(e->r, entry, "inputs"), fields = dp_json_member(e->r, entry, "fields");
    bool to_job = type.p && dp_str_eqz(type, "JOB");
    if (!read_name(e, entry, &to) && !to_job) return;
    if (!to.ns.p || !to.name.p) to = (struct dp_cat_name){0};
    if (!to_job) {
        struct dp_cat_dataset *d = dp_cat_event_dataset(e, to, DP_SIDE_OUT);
        d->inner = d->says_flow = true;
        read_columns(e, d, fields, "inputs");
    }
    size_t at = e->n_datasets - 1;
    for (uint32_t k = inputs + 1; dp_cat_is(e, inputs, DP_KIND_ARRAY) && k < next_of(e, inputs); k = next_of(e, k)) {
        struct dp_cat_name from = {0};
        if (!dp_cat_is(e, k, DP_KIND_OBJECT)) continue;
        struct dp_str kind = dp_cat_member_text(e, k, "type"), field = dp_cat_member_text(e, k, "field");
        bool from_job = kind.p && dp_str_eqz(kind, "JOB"), named = read_name(e, k, &from);
        if (!named && !from_job) continue;
        if (!named) from = (struct dp_cat_name){0};
        if (!to_job && !from_job && field.p) {
            struct dp_cat_ref ref = {.from = from, .field = field, .how = read_transformations(e, dp_json_member(e->r, k, "transformations"))};
            if (!ref.how) ref.how = DP_HOW_INDIRECT;
            add_ref(e, &e->datasets[at], ref);
        }
        add_link(e, (struct dp_cat_link){.from = from, .to = to, .from_job = from_job, .to_job = to_job});
    }
}

static void read_dependencies(struct dp_cat_event *e, uint32_t list, bool upstream) {
    if (!dp_cat_is(e, list, DP_KIND_ARRAY)) return;
    for (uint32_t k = list + 1; k < next_of(e, list); k = next_of(e, k)) {
        struct dp_cat_name job;
        if (!dp_cat_is(e, k, DP_KIND_OBJECT) || !read_name(e, dp_json_member(e->r, k, "job"), &job)) continue;
        struct dp_cat_name own = {0};
        add_link(e, (struct dp_cat_link){.from = upstream ? job : own, .to = upstream ? own : job, .from_job = true, .to_job = true});
    }
}

enum dp_status dp_cat_links_read(struct dp_cat_event *e) {
    uint32_t lineage = e->job_facets ? dp_json_member(e->r, e->job_facets, "lineage") : 0, depends = e->run_facets ? dp_json_member(e->r, e->run_facets, "jobDependencies") : 0;
    uint32_t entries = dp_cat_is(e, lineage, DP_KIND_OBJECT) && !dp_cat_is_deleted(e, lineage) ? dp_json_member(e->r, lineage, "entries") : 0;
    for (uint32_t k = entries + 1; dp_cat_is(e, entries, DP_KIND_ARRAY) && k < next_of(e, entries); k = next_of(e, k))
        if (dp_cat_is(e, k, DP_KIND_OBJECT)) read_entry(e, k);
    if (dp_cat_is(e, depends, DP_KIND_OBJECT)) {
        read_dependencies(e, dp_json_member(e->r, depends, "upstream"), true);
        read_dependencies(e, dp_json_member(e->r, depends, "downstream"), false);
    }
    return DP_OK;
}

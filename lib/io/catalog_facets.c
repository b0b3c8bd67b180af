/*
 * Known facets against their schemas (catalog_priv.h): what must be there, and of which kind.  Facets that are not known, and members that are not, pass.
 *
 * A rule is a path with the kind of its last member behind a sign: `!` it must be there, `?` it may.  `[]` is each element, `{}` each member's value.  Kinds: s string, i integer, n number,
 * b boolean, a array, o object, t time, u UUID; `=A|B` a string out of these.
 */
#include "catalog_priv.h"

#include <dp/base/time.h>

#include <string.h>

struct known {
    const char *key, *places;
    const char *rules; /* blanks between */
};

static const struct known known[] = {
    {"schema", "d", "fields?a fields[].name!s fields[].type?s fields[].description?s fields[].ordinal_position?i fields[].fields?a fields[].fields[].name!s"},
    {"columnLineage", "d", "fields!o fields{}.inputFields!a fields{}.inputFields[].namespace!s fields{}.inputFields[].name!s fields{}.inputFields[].field!s"
                           " fields{}.inputFields[].transformations?a fields{}.inputFields[].transformations[].type!s fields{}.inputFields[].transformations[].subtype?s"
                           " fields{}.inputFields[].transformations[].masking?b fields{}.transformationType?s"
                           " dataset?a dataset[].namespace!s dataset[].name!s dataset[].field!s dataset[].transformations?a dataset[].transformations[].type!s"},
    {"lineage", "d", "inputs?a inputs[].type!=DATASET|JOB fields?o fields{}.inputs!a fields{}.inputs[].type!=DATASET|JOB"},
    {"lineage", "j", "entries!a entries[].type!=DATASET|JOB entries[].inputs?a entries[].inputs[].type!=DATASET|JOB"},
    {"dataQualityAssertions", "di", "assertions!a assertions[].assertion!s assertions[].success!b assertions[].column?s assertions[].severity?s"},
    {"dataQualityMetrics", "di", "columnMetrics!o rowCount?i bytes?i fileCount?i"},
    {"datasetType", "d", "datasetType!s subType?s"},
    {"version", "d", "datasetVersion!s"},
    {"catalog", "d", "framework!s type!s name!s"},
    {"dataSource", "d", "name?s uri?s"},
    {"documentation", "dj", "description!s"},
    {"ownership", "dj", "owners?a owners[].name!s owners[].type?s"},
    {"hierarchy", "d", "hierarchy!a hierarchy[].type!s hierarchy[].name!s"},
    {"lifecycleStateChange", "d", "lifecycleStateChange!=ALTER|CREATE|DROP|OVERWRITE|RENAME|TRUNCATE previousIdentifier?o previousIdentifier.name!s previousIdentifier.namespace!s"},
    {"storage", "d", "storageLayer!s fileFormat?s"},
    {"symlinks", "d", "identifiers?a identifiers[].namespace!s identifiers[].name!s identifiers[].type!s"},
    {"tags", "djr", "tags?a tags[].key!s tags[].value!s tags[].source?s"},
    {"inputStatistics", "i", "rowCount?i size?i fileCount?i"},
    {"outputStatistics", "o", "rowCount?i size?i fileCount?i"},
    {"subset", "io", "inputCondition?o outputCondition?o"},
    {"sql", "j", "query!s dialect?s"},
    {"sourceCode", "j", "language!s sourceCode!s"},
    {"sourceCodeLocation", "j", "type!s url!s repoUrl?s path?s version?s tag?s branch?s"},
    {"jobType", "j", "processingType!s integration!s jobType?s emissionPattern?o"},
    {"parent", "r", "run!o run.runId!u job!o job.namespace!s job.name!s root?o root.run!o root.run.runId!u root.job!o root.job.namespace!s root.job.name!s"},
    {"nominalTime", "r", "nominalStartTime!t nominalEndTime?t"},
    {"errorMessage", "r", "message!s programmingLanguage!s stackTrace?s"},
    {"processing_engine", "r", "version!s name?s openlineageAdapterVersion?s"},
    {"environmentVariables", "r", "environmentVariables!a environmentVariables[].name!s environmentVariables[].value!s"},
    {"externalQuery", "r", "externalQueryId!s source!s"},
    {"extractionError", "r", "totalTasks!i failedTasks!i errors!a errors[].errorMessage!s"},
    {"executionParameters", "r", "parameters?a parameters[].key!s"},
    {"jobDependencies", "r", "upstream?a upstream[].job!o upstream[].job.namespace!s upstream[].job.name!s downstream?a downstream[].job!o downstream[].job.namespace!s downstream[].job.name!s"},
    {"test", "r", "tests!a tests[].name!s tests[].status!s"},
};

struct rule {
    struct dp_cat_event *e;
    struct dp_str key;       /* of the facet */
    struct dp_str text;      /* the whole rule, for messages */
};

static bool is_one_of(struct dp_str text, struct dp_str words) {
    while (words.n) {
        const char *bar = memchr(words.p, '|', words.n);
        size_t n = bar ? (size_t)(bar - words.p) : words.n;
        if (dp_str_eq(text, dp_str(words.p, n))) return true;
        words = dp_str(words.p + n + (bar != NULL), words.n - n - (bar != NULL));
    }
    return false;
}

static bool is_hex_id(struct dp_str s) {
    size_t hex = 0;
    for (size_t i = 0; i < s.n; i++) hex += strchr("0123456789abcdefABCDEF", s.p[i]) && s.p[i];
    return s.n == 36 && hex == 32 && s.p[8] == '-' && s.p[13] == '-' && s.p[18] == '-' && s.p[23] == '-';
}

static bool fits(const struct dp_cat_event *e, uint32_t node, struct dp_str kind) {
    const struct dp_node *v = &e->r->nodes[node];
    struct dp_timestamp t;
    int64_t i;
    switch (kind.p[0]) {
    case 's': return v->kind == DP_KIND_STRING;
    case 'i': return v->kind == DP_KIND_NUMBER && dp_json_get_i64(e->r, node, &i);
    case 'n': return v->kind == DP_KIND_NUMBER;
    case 'b': return v->kind == DP_KIND_TRUE || v->kind == DP_KIND_FALSE;
    case 'a': return v->kind == DP_KIND_ARRAY;
    case 'o': return v->kind == DP_KIND_OBJECT;
    case 't': return v->kind == DP_KIND_STRING && dp_time_parse(dp_cat_text(e, node), false, false, &t);
    case 'u': return v->kind == DP_KIND_STRING && is_hex_id(dp_cat_text(e, node));
    default: return v->kind == DP_KIND_STRING && is_one_of(dp_cat_text(e, node), dp_str(kind.p + 1, kind.n - 1));
    }
}

static bool is_sign(char c) { return c == '.' || c == '[' || c == '{' || c == '!' || c == '?'; }

static uint32_t member_of(const struct dp_record *r, uint32_t object, struct dp_str name) {
    for (uint32_t k = object + 1, end = r->nodes[object].next; k < end; k = r->nodes[k + 1].next)
        if ((r->nodes[k].len == name.n || (r->nodes[k].flags & DP_NODE_ESCAPED)) && dp_json_equal(dp_node_str(r, k), r->nodes[k].flags, name)) return k + 1;
    return 0;
}

/* Follows what is left of the path from a node; a container that is not there or of another kind was told by a rule of its own. */
static enum dp_status follow(const struct rule *u, uint32_t node, struct dp_str path) {
    struct dp_cat_event *e = u->e;
    if (path.n && (path.p[0] == '[' || path.p[0] == '{')) {
        bool map = path.p[0] == '{';
        if (!dp_cat_is(e, node, map ? DP_KIND_OBJECT : DP_KIND_ARRAY)) return DP_OK;
        for (uint32_t k = node + 1; k < e->r->nodes[node].next; k = e->r->nodes[k].next) DP_TRY(follow(u, map ? k + 1 : k, dp_str(path.p + 3, path.n - 3)));
        return DP_OK;
    }
    size_t n = 0;
    while (n < path.n && !is_sign(path.p[n])) n++;
    if (!dp_cat_is(e, node, DP_KIND_OBJECT))
        return dp_cat_lack(e, "facet %.*s: %.*s: no object there", DP_STR_FMT(u->key), DP_STR_FMT(u->text));
    uint32_t member = member_of(e->r, node, dp_str(path.p, n));
    char sign = path.p[n];
    if (sign == '!' || sign == '?') {
        struct dp_str kind = dp_str(path.p + n + 1, path.n - n - 1);
        if (member && e->r->nodes[member].kind == DP_KIND_NULL && sign == '?') return DP_OK;
        if (!member) return sign == '?' ? DP_OK : dp_cat_lack(e, "facet %.*s: %.*s is missing", DP_STR_FMT(u->key), (int)(u->text.n - kind.n - 1), u->text.p);
        return fits(e, member, kind) ? DP_OK : dp_cat_lack(e, "facet %.*s: %.*s is not what it should be", DP_STR_FMT(u->key), (int)(u->text.n - kind.n - 1), u->text.p);
    }
    if (!member) return DP_OK;
    return follow(u, member, dp_str(path.p + n + (sign == '.'), path.n - n - (sign == '.')));
}

static enum dp_status check_one(struct dp_cat_event *e, const struct known *k, uint32_t facet) {
    for (const char *p = k->rules; *p;) {
        size_t n = strcspn(p, " ");
        struct rule u = {.e = e, .key = dp_str_z(k->key), .text = dp_str(p, n)};
        DP_TRY(follow(&u, facet, u.text));
        p += n + (p[n] == ' ');
    }
    return DP_OK;
}

enum dp_status dp_cat_facets_check(struct dp_cat_event *e, char place, uint32_t facets) {
    for (uint32_t k = facets + 1; k < e->r->nodes[facets].next; k = e->r->nodes[k].next) {
        bool deleted = false;
        if (!dp_cat_is(e, k + 1, DP_KIND_OBJECT)) continue;
        uint32_t node = dp_json_member(e->r, k + 1, "_deleted");
        if (node && dp_json_get_bool(e->r, node, &deleted) && deleted) continue;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (dp_json_equal(dp_node_str(e->r, k), e->r->nodes[k].flags, dp_str_z(known[i].key)) && strchr(known[i].places, place)) DP_TRY(check_one(e, &known[i], k + 1));
    }
    return DP_OK;
}

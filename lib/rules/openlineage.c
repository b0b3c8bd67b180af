/*
 * OpenLineage 2-0-2: a run's event as one line of JSON, with the facets that a run, its job and its datasets carry.
 * A facet's key, the file of its schema, its version and its name there are one row of the table below.  Events of jobs alone are not written.
 */
#include <dp/base/time.h>
#include <dp/record/json.h>
#include <dp/rules/openlineage.h>

#include <stdlib.h>

#define SPEC "https://openlineage.io/spec/"
#define PRODUCER "urn:dp:toolkit:" DP_VERSION

static const struct facet {
    enum dp_ol_place place;
    const char *key, *version, *file, *name; /* name: NULL where it is that of the file */
} facets[] = {
    {DP_OL_OF_DATASET, "catalog", "1-1-0", "CatalogDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "columnLineage", "1-2-0", "ColumnLineageDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "dataQualityAssertions", "1-1-0", "DataQualityAssertionsDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "dataQualityMetrics", "1-0-0", "DataQualityMetricsDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "datasetType", "1-0-1", "DatasetTypeDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "version", "1-0-1", "DatasetVersionDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "dataSource", "1-0-1", "DatasourceDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "documentation", "1-1-0", "DocumentationDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "hierarchy", "1-0-0", "HierarchyDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "lifecycleStateChange", "1-0-1", "LifecycleStateChangeDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "ownership", "1-0-1", "OwnershipDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "schema", "1-2-0", "SchemaDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "storage", "1-0-1", "StorageDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "symlinks", "1-0-1", "SymlinksDatasetFacet", NULL},
    {DP_OL_OF_DATASET, "tags", "1-0-0", "TagsDatasetFacet", NULL},
    {DP_OL_OF_INPUT, "dataQualityAssertions", "1-1-0", "DataQualityAssertionsDatasetFacet", NULL},
    {DP_OL_OF_INPUT, "dataQualityMetrics", "1-0-3", "DataQualityMetricsInputDatasetFacet", NULL},
    {DP_OL_OF_INPUT, "inputStatistics", "1-0-0", "InputStatisticsInputDatasetFacet", NULL},
    {DP_OL_OF_INPUT, "subset", "1-0-0", "BaseSubsetDatasetFacet", "InputSubsetInputDatasetFacet"},
    {DP_OL_OF_OUTPUT, "outputStatistics", "1-0-2", "OutputStatisticsOutputDatasetFacet", NULL},
    {DP_OL_OF_OUTPUT, "subset", "1-0-0", "BaseSubsetDatasetFacet", "OutputSubsetOutputDatasetFacet"},
    {DP_OL_OF_RUN, "environmentVariables", "1-0-0", "EnvironmentVariablesRunFacet", NULL},
    {DP_OL_OF_RUN, "errorMessage", "1-0-1", "ErrorMessageRunFacet", NULL},
    {DP_OL_OF_RUN, "executionParameters", "1-0-0", "ExecutionParametersRunFacet", NULL},
    {DP_OL_OF_RUN, "externalQuery", "1-0-2", "ExternalQueryRunFacet", NULL},
    {DP_OL_OF_RUN, "nominalTime", "1-0-1", "NominalTimeRunFacet", NULL},
    {DP_OL_OF_RUN, "parent", "1-2-0", "ParentRunFacet", NULL},
    {DP_OL_OF_RUN, "processing_engine", "1-1-1", "ProcessingEngineRunFacet", NULL},
    {DP_OL_OF_RUN, "tags", "1-0-0", "TagsRunFacet", NULL},
    {DP_OL_OF_RUN, "test", "1-0-1", "TestRunFacet", NULL},
    {DP_OL_OF_JOB, "documentation", "1-1-0", "DocumentationJobFacet", NULL},
    {DP_OL_OF_JOB, "jobType", "2-0-4", "JobTypeJobFacet", NULL},
    {DP_OL_OF_JOB, "ownership", "1-0-1", "OwnershipJobFacet", NULL},
    {DP_OL_OF_JOB, "sourceCode", "1-0-1", "SourceCodeJobFacet", NULL},
    {DP_OL_OF_JOB, "sourceCodeLocation", "1-1-0", "SourceCodeLocationJobFacet", NULL},
    {DP_OL_OF_JOB, "sql", "1-1-0", "SQLJobFacet", NULL},
    {DP_OL_OF_JOB, "tags", "1-0-0", "TagsJobFacet", NULL},
};

/* ---- what is owned ---- */

static void release_ref(struct dp_ol_ref *r) {
    free(r->run);
    free(r->ns);
    free(r->job);
    *r = (struct dp_ol_ref){NULL, NULL, NULL};
}

void dp_ol_dataset_release(struct dp_ol_dataset *d) {
    dp_ol_name_release(&d->id);
    dp_ol_name_release(&d->previous);
    dp_type_free(d->schema);
    free(d->columns);
    free(d->columns_all);
    free(d->version);
    free(d->layer);
    free(d->format);
    for (size_t i = 0; i < d->n_parts; i++) free(d->parts[i]);
    free(d->parts);
    dp_buf_release(&d->facets);
    dp_buf_release(&d->io_facets);
    *d = (struct dp_ol_dataset){.rows = UINT64_MAX, .bytes = UINT64_MAX, .files = UINT64_MAX};
}

void dp_ol_run_release(struct dp_ol_run *r) {
    free(r->ns);
    free(r->job);
    release_ref(&r->parent);
    release_ref(&r->root);
    free(r->error);
    dp_buf_release(&r->facets);
    dp_buf_release(&r->job_facets);
    *r = (struct dp_ol_run){.ns = NULL};
}

/* ---- pieces ---- */

/* Names of files are bytes, JSON is UTF-8: what is none becomes U+FFFD. */
void dp_ol_text(struct dp_buf *b, const char *text) {
    struct dp_str s = dp_str_z(text);
    size_t bad;
    dp_buf_addc(b, '"');
    while (!dp_utf8_valid(s.p, s.n, &bad)) {
        dp_json_add_escaped(b, dp_str(s.p, bad));
        dp_buf_addz(b, "\xef\xbf\xbd");
        s = dp_str(s.p + bad + 1, s.n - bad - 1);
    }
    dp_json_add_escaped(b, s);
    dp_buf_addc(b, '"');
}

/* ,"key":"text" */
static void add_member(struct dp_buf *b, const char *key, const char *text) {
    dp_buf_addf(b, ",\"%s\":", key);
    dp_ol_text(b, text);
}

static void add_time(struct dp_buf *b, int64_t micros) {
    char t[40];
    dp_buf_addc(b, '"');
    dp_buf_add(b, t, dp_time_print_micros(t, micros, true, micros % 1000 ? 6 : 3));
    dp_buf_addc(b, '"');
}

/* Opens the next event's object of facets, where that of another stands: `,"name":{`; what is written behind begins with a comma, which close takes away. */
static size_t open_facets(struct dp_buf *b, const char *name) {
    dp_buf_addf(b, ",\"%s\":{", name);
    return b->n;
}
static void close_facets(struct dp_buf *b, const char *name, size_t from) {
    if (b->n == from) {
        b->n -= strlen(name) + 5;
        return;
    }
    memmove(b->p + from, b->p + from + 1, b->n - from - 1);
    b->p[b->n - 1] = '}';
}

void dp_ol_facet(struct dp_buf *b, enum dp_ol_place place, const char *key) {
    const struct facet *f = NULL;
    for (size_t i = 0; i < sizeof facets / sizeof *facets && !f; i++)
        if (facets[i].place == place && strcmp(facets[i].key, key) == 0) f = &facets[i];
    dp_buf_addf(b, ",\"%s\":{\"_producer\":\"" PRODUCER "\",\"_schemaURL\":\"" SPEC, key);
    if (f) dp_buf_addf(b, "facets/%s/%s.json#/$defs/%s\"", f->version, f->file, f->name ? f->name : f->file);
    else dp_buf_addz(b, "2-0-2/OpenLineage.json#/$defs/BaseFacet\"");
}

bool dp_ol_has_facet(const struct dp_buf *further, const char *key) {
    char head[80];
    int n = snprintf(head, sizeof head, ",\"%s\":{\"_producer\":", key);
    for (size_t i = 0; n > 0 && i + (size_t)n <= further->n; i++)
        if (further->p[i] == ',' && memcmp(further->p + i, head, (size_t)n) == 0) return true;
    return false;
}

/* ---- facets of a dataset ---- */

/* The comment in a column's metadata, as Delta keeps it. */
static void add_comment(struct dp_buf *b, const struct dp_type *t) {
    struct dp_buf text = {NULL, 0, 0}, padded = {NULL, 0, 0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_record r;
    if (!t->metadata || !strstr(t->metadata, "\"comment\"")) return;
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_buf_addz(&padded, t->metadata);
    dp_buf_reserve(&padded, DP_SCAN_PAD);
    if (dp_scan_value(scan, padded.p, padded.n, &r, &err) == DP_OK) {
        uint32_t node = dp_json_member(&r, 0, "comment");
        if (node && dp_json_get_string(&r, node, &text) && text.n) add_member(b, "description", dp_buf_z(&text));
    }
    dp_scan_close(scan);
    dp_buf_release(&text);
    dp_buf_release(&padded);
}

static void add_fields(struct dp_buf *b, const struct dp_type *t) {
    static const char *const inside[] = {"_element", "key", "value"};
    struct dp_buf word = {NULL, 0, 0};
    dp_buf_addz(b, "\"fields\":[");
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        const char *name = t->id == DP_TYPE_LIST ? inside[0] : t->id == DP_TYPE_MAP ? inside[1 + (i & 1)] : c->name ? c->name : "";
        dp_buf_addz(b, i ? ",{\"name\":" : "{\"name\":");
        dp_ol_text(b, name);
        dp_buf_reset(&word);
        dp_type_print_leaf(c, &word);
        if (c->id != DP_TYPE_NONE) add_member(b, "type", dp_buf_z(&word));
        if (t->id == DP_TYPE_STRUCT) dp_buf_addf(b, ",\"ordinal_position\":%zu", i + 1);
        add_comment(b, c);
        if (c->n_children) dp_buf_addc(b, ','), add_fields(b, c);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, ']');
    dp_buf_release(&word);
}

static const char *const lifecycles[] = {"", "ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"};

static void add_lifecycle(struct dp_buf *b, const struct dp_ol_dataset *d) {
    dp_ol_facet(b, DP_OL_OF_DATASET, "lifecycleStateChange");
    dp_buf_addf(b, ",\"lifecycleStateChange\":\"%s\"", lifecycles[d->lifecycle]);
    if (d->lifecycle == DP_OL_RENAME && d->previous.ns) {
        dp_buf_addz(b, ",\"previousIdentifier\":{\"namespace\":");
        dp_ol_text(b, d->previous.ns);
        add_member(b, "name", d->previous.name);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, '}');
}

/* What it is, where that is known: a table, a topic, a file. */
static const char *kind_of(const struct dp_ol_dataset *d) {
    if (d->layer && strcmp(d->layer, "delta") == 0) return "TABLE";
    if (strncmp(d->id.ns, "kafka:", 6) == 0) return "TOPIC";
    return strncmp(d->id.ns, "file", 4) == 0 && (d->format || d->layer) ? "FILE" : NULL;
}

static void add_dataset_facets(struct dp_buf *b, const struct dp_ol_dataset *d) {
    const char *kind = kind_of(d);
    if (d->schema && !dp_ol_has_facet(&d->facets, "schema")) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "schema");
        dp_buf_addc(b, ',');
        add_fields(b, d->schema);
        dp_buf_addc(b, '}');
    }
    if (strchr(d->id.ns, ':') && !dp_ol_has_facet(&d->facets, "dataSource")) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "dataSource");
        add_member(b, "name", d->id.ns);
        add_member(b, "uri", d->id.ns);
        dp_buf_addc(b, '}');
    }
    if (d->is_output && (d->columns || d->columns_all) && !dp_ol_has_facet(&d->facets, "columnLineage")) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "columnLineage");
        dp_buf_addf(b, ",\"fields\":%s", d->columns ? "" : "{}");
        if (d->columns) dp_buf_addz(b, d->columns);
        if (d->columns_all) dp_buf_addz(b, ",\"dataset\":"), dp_buf_addz(b, d->columns_all);
        dp_buf_addc(b, '}');
    }
    if (kind && !dp_ol_has_facet(&d->facets, "datasetType")) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "datasetType");
        add_member(b, "datasetType", kind);
        dp_buf_addc(b, '}');
    }
    if (d->layer || d->format) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "storage");
        add_member(b, "storageLayer", d->layer ? d->layer : "file");
        if (d->format) add_member(b, "fileFormat", d->format);
        dp_buf_addc(b, '}');
    }
    if (d->version) {
        dp_ol_facet(b, DP_OL_OF_DATASET, "version");
        add_member(b, "datasetVersion", d->version);
        dp_buf_addc(b, '}');
    }
    if (d->lifecycle != DP_OL_LIFE_NONE) add_lifecycle(b, d);
    dp_buf_adds(b, dp_buf_str(&d->facets));
}

/* Of a dataset as input or output: its figures, and which part of it. */
static void add_io_facets(struct dp_buf *b, const struct dp_ol_dataset *d) {
    enum dp_ol_place place = d->is_output ? DP_OL_OF_OUTPUT : DP_OL_OF_INPUT;
    static const char *const keys[] = {"rowCount", "size", "fileCount"};
    const uint64_t figures[] = {d->rows, d->bytes, d->files};
    const char *statistics = d->is_output ? "outputStatistics" : "inputStatistics";
    if ((d->rows & d->bytes & d->files) != UINT64_MAX && !dp_ol_has_facet(&d->io_facets, statistics)) {
        dp_ol_facet(b, place, statistics);
        for (int i = 0; i < 3; i++)
            if (figures[i] <= INT64_MAX) dp_buf_addf(b, ",\"%s\":%llu", keys[i], (unsigned long long)figures[i]);
        dp_buf_addc(b, '}');
    }
    if (d->n_parts && !dp_ol_has_facet(&d->io_facets, "subset")) {
        dp_ol_facet(b, place, "subset");
        dp_buf_addf(b, ",\"%s\":{\"type\":\"location\",\"locations\":[", d->is_output ? "outputCondition" : "inputCondition");
        for (size_t i = 0; i < d->n_parts; i++) {
            if (i) dp_buf_addc(b, ',');
            dp_ol_text(b, d->parts[i]);
        }
        dp_buf_addz(b, "]}}");
    }
    dp_buf_adds(b, dp_buf_str(&d->io_facets));
}

static void add_datasets(struct dp_buf *b, const char *key, bool is_output, const struct dp_ol_dataset *d, size_t n) {
    bool any = false;
    dp_buf_addf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        if (d[i].is_output != is_output) continue;
        dp_buf_addz(b, any ? ",{\"namespace\":" : "{\"namespace\":");
        dp_ol_text(b, d[i].id.ns);
        add_member(b, "name", d[i].id.name);
        size_t at = open_facets(b, "facets");
        add_dataset_facets(b, &d[i]);
        close_facets(b, "facets", at);
        const char *side = is_output ? "outputFacets" : "inputFacets";
        at = open_facets(b, side);
        add_io_facets(b, &d[i]);
        close_facets(b, side, at);
        dp_buf_addc(b, '}');
        any = true;
    }
    dp_buf_addc(b, ']');
}

/* ---- facets of a run and of its job ---- */

static void add_ref(struct dp_buf *b, const struct dp_ol_ref *r) {
    dp_buf_addz(b, "\"run\":{\"runId\":");
    dp_ol_text(b, r->run);
    dp_buf_addz(b, "},\"job\":{\"namespace\":");
    dp_ol_text(b, r->ns);
    add_member(b, "name", r->job);
    dp_buf_addc(b, '}');
}

static void add_run_facets(struct dp_buf *b, const struct dp_ol_run *r, enum dp_ol_event type) {
    if (r->parent.run) {
        dp_ol_facet(b, DP_OL_OF_RUN, "parent");
        dp_buf_addc(b, ',');
        add_ref(b, &r->parent);
        if (r->root.run) {
            dp_buf_addz(b, ",\"root\":{");
            add_ref(b, &r->root);
            dp_buf_addc(b, '}');
        }
        dp_buf_addc(b, '}');
    }
    if (r->nominal_start) {
        dp_ol_facet(b, DP_OL_OF_RUN, "nominalTime");
        dp_buf_addz(b, ",\"nominalStartTime\":");
        add_time(b, r->nominal_start);
        if (r->nominal_end) dp_buf_addz(b, ",\"nominalEndTime\":"), add_time(b, r->nominal_end);
        dp_buf_addc(b, '}');
    }
    dp_ol_facet(b, DP_OL_OF_RUN, "processing_engine");
    dp_buf_addz(b, ",\"version\":\"" DP_VERSION "\",\"name\":\"dp\",\"openlineageAdapterVersion\":\"" DP_VERSION "\"}");
    if (r->error && (type == DP_OL_FAIL || type == DP_OL_ABORT)) {
        dp_ol_facet(b, DP_OL_OF_RUN, "errorMessage");
        add_member(b, "message", r->error);
        dp_buf_addz(b, ",\"programmingLanguage\":\"C\"}");
    }
    dp_buf_adds(b, dp_buf_str(&r->facets));
}

static void add_job_facets(struct dp_buf *b, const struct dp_ol_run *r) {
    dp_ol_facet(b, DP_OL_OF_JOB, "jobType");
    dp_buf_addf(b, ",\"processingType\":\"%s\",\"integration\":\"DP\",\"jobType\":\"COMMAND\"", r->streaming ? "STREAMING" : "BATCH");
    dp_buf_addf(b, ",\"emissionPattern\":{\"eventTrigger\":\"%s\",\"eventContentMode\":\"%s\"}}", r->streaming ? "PERIODIC" : "EVENT_BASED", "ACCUMULATIVE");
    dp_buf_adds(b, dp_buf_str(&r->job_facets));
}

/* ---- the event ---- */

void dp_ol_print(const struct dp_ol_run *r, enum dp_ol_event type, int64_t at_micros, const struct dp_ol_dataset *datasets, size_t n, struct dp_buf *b) {
    static const char *const types[] = {"START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"};
    dp_buf_addf(b, "{\"eventType\":\"%s\",\"eventTime\":", types[type]);
    add_time(b, at_micros);
    dp_buf_addz(b, ",\"run\":{\"runId\":");
    dp_ol_text(b, r->id);
    size_t at = open_facets(b, "facets");
    add_run_facets(b, r, type);
    close_facets(b, "facets", at);
    dp_buf_addz(b, "},\"job\":{\"namespace\":");
    dp_ol_text(b, r->ns);
    add_member(b, "name", r->job);
    at = open_facets(b, "facets");
    add_job_facets(b, r);
    close_facets(b, "facets", at);
    dp_buf_addc(b, '}');
    add_datasets(b, "inputs", false, datasets, n);
    add_datasets(b, "outputs", true, datasets, n);
    dp_buf_addz(b, ",\"producer\":\"" PRODUCER "\",\"schemaURL\":\"" SPEC "2-0-2/OpenLineage.json#/$defs/RunEvent\"}\n");
}

void dp_ol_print_dataset(const struct dp_ol_dataset *d, int64_t at_micros, struct dp_buf *b) {
    dp_buf_addz(b, "{\"eventTime\":");
    add_time(b, at_micros);
    dp_buf_addz(b, ",\"dataset\":{\"namespace\":");
    dp_ol_text(b, d->id.ns);
    add_member(b, "name", d->id.name);
    size_t at = open_facets(b, "facets");
    add_dataset_facets(b, d);
    close_facets(b, "facets", at);
    dp_buf_addz(b, "},\"producer\":\"" PRODUCER "\",\"schemaURL\":\"" SPEC "2-0-2/OpenLineage.json#/$defs/DatasetEvent\"}\n");
}

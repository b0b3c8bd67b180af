/*
 * Protocol versions and table features (digest section 4).  A feature that dp does not know is refused by name; one that it knows but
 * can't honour when writing is refused when it is active, and named with the column that activates it.
 */
#include <dp/base/num.h>
#include <dp/delta/changes.h>
#include <dp/delta/constraint.h>
#include <dp/delta/feature.h>
#include <dp/delta/schema.h>

enum support { NO, YES };

/* read, write: may dp do it; rw: the feature binds readers too; legacy: the writer version that implied it. */
static const struct feature {
    const char *name;
    uint8_t rw, read, write, legacy_writer, legacy_reader;
} features[] = {
    {"appendOnly", 0, YES, YES, 2, 1},
    {"invariants", 0, YES, YES, 2, 1},
    {"checkConstraints", 0, YES, YES, 3, 1},
    {"changeDataFeed", 0, YES, YES, 4, 1},
    {"generatedColumns", 0, YES, YES, 4, 1},
    {"allowColumnDefaults", 0, YES, YES, 0, 0},
    {"columnMapping", 1, YES, YES, 5, 2},
    {"identityColumns", 0, YES, YES, 6, 1},
    {"deletionVectors", 1, YES, YES, 0, 0},
    {"rowTracking", 0, YES, YES, 0, 0},
    {"timestampNtz", 1, YES, YES, 0, 0},
    {"timestampWithoutTimezone", 1, YES, YES, 0, 0},
    {"domainMetadata", 0, YES, YES, 0, 0},
    {"v2Checkpoint", 1, YES, YES, 0, 0},
    {"clustering", 0, YES, YES, 0, 0},
    {"inCommitTimestamp", 0, YES, YES, 0, 0},
    {"vacuumProtocolCheck", 1, YES, YES, 0, 0},
    {"typeWidening", 1, YES, YES, 0, 0},
    {"typeWidening-preview", 1, YES, YES, 0, 0},
    {"variantType", 1, NO, NO, 0, 0},
    {"variantType-preview", 1, NO, NO, 0, 0},
    {"variantShredding", 1, NO, NO, 0, 0},
    {"variantShredding-preview", 1, NO, NO, 0, 0},
    {"icebergCompatV1", 0, YES, YES, 0, 0},
    {"icebergCompatV2", 0, YES, YES, 0, 0},
    {"icebergCompatV3", 0, YES, YES, 0, 0},
    {"materializePartitionColumns", 0, YES, NO, 0, 0},
    {"checkpointProtection", 0, YES, YES, 0, 0},
    {"catalogManaged", 1, NO, NO, 0, 0},
    {"catalogOwned", 1, NO, NO, 0, 0},
    {"catalogOwned-preview", 1, NO, NO, 0, 0},
    {"coordinatedCommits-preview", 0, YES, NO, 0, 0},
    {"collations", 0, YES, NO, 0, 0},
    {"collations-preview", 0, YES, NO, 0, 0},
};
#define N_FEATURES (sizeof features / sizeof *features)

static const struct feature *find_feature(struct dp_str name) {
    for (size_t i = 0; i < N_FEATURES; i++)
        if (dp_str_eqz(name, features[i].name)) return &features[i];
    return NULL;
}

bool dp_delta_has_feature(const struct dp_delta_protocol *p, const char *name) {
    const struct feature *f = find_feature(dp_str_z(name));
    if (p->min_writer >= 7) {
        if (!dp_delta_strs_has(&p->writer_features, name)) return false;
        /* Reader 3 must list it as well; old tables are met with columnMapping in the writer's list alone. */
        return !f || !f->rw || p->min_reader < 3 || dp_delta_strs_has(&p->reader_features, name) || !strcmp(name, "columnMapping");
    }
    return f && f->legacy_writer && p->min_writer >= f->legacy_writer && p->min_reader >= f->legacy_reader;
}

enum dp_status dp_delta_protocol_check(const struct dp_delta_protocol *p, struct dp_err *err) {
    if (p->min_reader < 1 || p->min_writer < 1)
        return dp_err_set(err, DP_FORMAT, "protocol versions (%lld, %lld) are not legal", (long long)p->min_reader, (long long)p->min_writer);
    if (p->min_reader == 3 && p->min_writer < 7) return dp_err_set(err, DP_FORMAT, "protocol: reader version 3 needs writer version 7");
    if (p->min_reader != 3 || p->min_writer != 7) return DP_OK;
    for (size_t i = 0; i < p->reader_features.n; i++) {
        char name[128];
        struct dp_str s = p->reader_features.v[i];
        if (s.n >= sizeof name) return dp_err_set(err, DP_FORMAT, "protocol: a feature's name is too long");
        memcpy(name, s.p, s.n), name[s.n] = 0;
        if (!dp_delta_strs_has(&p->writer_features, name))
            return dp_err_set(err, DP_FORMAT, "protocol: feature %s is listed for readers and not for writers", name);
    }
    for (size_t i = 0; i < p->writer_features.n; i++) {
        const struct feature *f = find_feature(p->writer_features.v[i]);
        if (f && f->rw && !dp_delta_strs_has(&p->reader_features, f->name) && strcmp(f->name, "columnMapping") != 0)
            return dp_err_set(err, DP_FORMAT, "protocol: feature %s is listed for writers and not for readers", f->name);
    }
    return DP_OK;
}

enum dp_status dp_delta_check_read(const struct dp_delta_protocol *p, struct dp_err *err) {
    DP_TRY(dp_delta_protocol_check(p, err));
    if (p->min_reader > 3)
        return dp_err_set(err, DP_UNSUPPORTED, "the table needs reader version %lld, dp knows up to 3", (long long)p->min_reader);
    if (p->min_reader < 3) {
        /* Writer features that bind readers all the same: nobody but the catalog knows the latest version. */
        static const char *const owned[] = {"catalogManaged", "catalogOwned", "catalogOwned-preview"};
        for (size_t i = 0; i < 3; i++)
            if (dp_delta_strs_has(&p->writer_features, owned[i]))
                return dp_err_set(err, DP_UNSUPPORTED, "table feature not supported: %s", owned[i]);
        return DP_OK;
    }
    struct dp_buf names = {0};
    for (size_t i = 0; i < p->reader_features.n; i++) {
        const struct feature *f = find_feature(p->reader_features.v[i]);
        if (f && f->read) continue;
        if (names.n) dp_buf_addz(&names, ", ");
        dp_buf_adds(&names, p->reader_features.v[i]);
    }
    enum dp_status status = DP_OK;
    if (names.n) status = dp_err_set(err, DP_UNSUPPORTED, "table feature not supported: %s", dp_buf_z(&names));
    dp_buf_release(&names);
    return status;
}

/* ---- upgrading ---- */

/* What a feature can't be without. */
static const char *needs(const char *name) {
    static const char *const pairs[][2] = {{"rowTracking", "domainMetadata"}, {"clustering", "domainMetadata"}, {"icebergCompatV1", "columnMapping"},
                                           {"icebergCompatV2", "columnMapping"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strcmp(name, pairs[i][0])) return pairs[i][1];
    return NULL;
}

/* Which features of the table are carried, by index. */
struct feature_set {
    bool has[N_FEATURES];
};

static enum dp_status want_features(const struct dp_delta_protocol *from, const char *const *names, size_t n, struct feature_set *set, bool *changed,
                                    struct dp_err *err) {
    for (size_t i = 0; i < n; i++)
        for (const char *name = names[i]; name; name = needs(name)) {
            const struct feature *f = find_feature(dp_str_z(name));
            if (!f || !f->write) return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: table feature %s", name);
            if (dp_delta_has_feature(from, name)) continue;
            set->has[f - features] = *changed = true;
        }
    return DP_OK;
}

/* The versions by which a number says all of the set; false when only names can. */
static bool legacy_versions(const struct dp_delta_protocol *from, const struct feature_set *set, int64_t *reader, int64_t *writer) {
    *reader = from->min_reader, *writer = from->min_writer;
    if (from->min_writer >= 7) return false;
    for (size_t i = 0; i < N_FEATURES; i++) {
        if (!set->has[i]) continue;
        if (!features[i].legacy_writer) return false;
        if (features[i].legacy_writer > *writer) *writer = features[i].legacy_writer;
        if (features[i].legacy_reader > *reader) *reader = features[i].legacy_reader;
    }
    if (*writer >= 5 && *reader < 2) *reader = 2; /* (1,5) is no protocol to be written */
    return true;
}

static void list_name(struct dp_delta_strs *list, struct dp_str name) {
    for (size_t i = 0; i < list->n; i++)
        if (dp_str_eq(list->v[i], name)) return;
    list->v[list->n++] = name;
}

static struct dp_delta_strs copy_list(const struct dp_delta_strs *from, struct dp_arena *arena) {
    struct dp_delta_strs list = {dp_arena_calloc(arena, from->n + N_FEATURES, sizeof *list.v), from->n, true};
    if (from->n) memcpy(list.v, from->v, from->n * sizeof *list.v);
    return list;
}

enum dp_status dp_delta_upgrade_protocol(const struct dp_delta_protocol *from, const char *const *names, size_t n, struct dp_arena *arena,
                                         struct dp_delta_protocol *out, bool *changed, struct dp_err *err) {
    struct feature_set set = {0};
    *changed = false;
    *out = *from;
    DP_TRY(want_features(from, names, n, &set, changed, err));
    if (!*changed || legacy_versions(from, &set, &out->min_reader, &out->min_writer)) return DP_OK;
    for (size_t i = 0; from->min_writer < 7 && i < N_FEATURES; i++)
        if (features[i].legacy_writer && dp_delta_has_feature(from, features[i].name)) set.has[i] = true;
    out->min_reader = from->min_reader, out->min_writer = 7;
    out->writer_features = copy_list(&from->writer_features, arena);
    for (size_t i = 0; i < N_FEATURES; i++) {
        if (!set.has[i]) continue;
        list_name(&out->writer_features, dp_str_z(features[i].name));
        if (features[i].rw) out->min_reader = features[i].legacy_reader && out->min_reader < 3 ? 2 : 3; /* columnMapping alone: (2,7) */
    }
    if (out->min_reader < 3) return DP_OK;
    out->reader_features = copy_list(&from->reader_features, arena);
    for (size_t i = 0; i < out->writer_features.n; i++) {
        const struct feature *f = find_feature(out->writer_features.v[i]);
        if (f && f->rw) list_name(&out->reader_features, out->writer_features.v[i]);
    }
    return DP_OK;
}

bool dp_delta_protocol_widens(const struct dp_delta_protocol *from, const struct dp_delta_protocol *to) {
    /* These bind a writer as soon as they are listed (clustering: by its columns); all others wait for a property, or are given anew at each attempt. */
    static const char *const binding[] = {"materializePartitionColumns", "clustering"};
    for (size_t i = 0; i < N_FEATURES; i++)
        if (dp_delta_has_feature(from, features[i].name) && !dp_delta_has_feature(to, features[i].name)) return false;
    for (size_t i = 0; i < to->writer_features.n; i++) {
        const struct feature *f = find_feature(to->writer_features.v[i]);
        if (!f || !f->write) return false;
    }
    for (size_t i = 0; i < sizeof binding / sizeof *binding; i++)
        if (dp_delta_has_feature(to, binding[i]) && !dp_delta_has_feature(from, binding[i])) return false;
    return to->min_reader <= 3 && to->min_writer <= 7 && to->min_reader >= from->min_reader && to->min_writer >= from->min_writer;
}

size_t dp_delta_property_features(const struct dp_delta_pairs *configuration, struct dp_arena *arena, const char **names) {
    static const struct {
        const char *key, *value, *feature;
    } keys[] = {{"delta.enableChangeDataFeed", "true", "changeDataFeed"}, {"delta.enableDeletionVectors", "true", "deletionVectors"},
                {"delta.enableRowTracking", "true", "rowTracking"}, {"delta.enableInCommitTimestamps", "true", "inCommitTimestamp"},
                {"delta.checkpointPolicy", "v2", "v2Checkpoint"}, {"delta.enableTypeWidening", "true", "typeWidening"},
                {"delta.columnMapping.mode", "name", "columnMapping"}, {"delta.columnMapping.mode", "id", "columnMapping"},
                {"delta.appendOnly", "true", "appendOnly"}, {"delta.enableIcebergCompatV1", "true", "icebergCompatV1"},
                {"delta.enableIcebergCompatV2", "true", "icebergCompatV2"}, {"delta.enableVariantShredding", "true", "variantShredding"}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (dp_str_eqz(dp_delta_pairs_text(configuration, keys[i].key, DP_STR("")), keys[i].value)) names[n++] = keys[i].feature;
    for (size_t i = 0; i < configuration->n && n < DP_DELTA_MAX_FEATURES; i++) {
        struct dp_str key = configuration->v[i].key, prefix = DP_STR("delta.feature.");
        if (!dp_str_starts(key, prefix)) continue;
        char *name = dp_arena_alloc(arena, key.n - prefix.n + 1);
        memcpy(name, key.p + prefix.n, key.n - prefix.n);
        name[key.n - prefix.n] = 0;
        names[n++] = name;
    }
    return n;
}

/* ---- mapping ---- */

enum dp_status dp_delta_mapping_mode(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, enum dp_delta_mapping *out,
                                     struct dp_err *err) {
    *out = DP_DELTA_MAPPING_NONE;
    if (!dp_delta_has_feature(p, "columnMapping")) return DP_OK;
    struct dp_str mode = dp_delta_pairs_text(&m->configuration, "delta.columnMapping.mode", DP_STR("none"));
    if (dp_str_eqz(mode, "name")) *out = DP_DELTA_MAPPING_NAME;
    else if (dp_str_eqz(mode, "id")) *out = DP_DELTA_MAPPING_ID;
    else if (!dp_str_eqz(mode, "none")) return dp_err_set(err, DP_UNSUPPORTED, "column mapping mode \"%.*s\" is not supported", DP_STR_FMT(mode));
    return DP_OK;
}

bool dp_delta_is_on(const struct dp_delta_metadata *m, const char *key) {
    return m && dp_str_eqz(dp_delta_pairs_text(&m->configuration, key, DP_STR("")), "true");
}

bool dp_delta_tracks_rows(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m) {
    return dp_delta_has_feature(p, "rowTracking") && dp_delta_is_on(m, "delta.enableRowTracking");
}

struct dp_delta_row_columns dp_delta_row_columns(const struct dp_delta_metadata *m) {
    return (struct dp_delta_row_columns){dp_delta_pairs_text(&m->configuration, DP_DELTA_KEY_ROW_ID, DP_STR("")),
                                         dp_delta_pairs_text(&m->configuration, DP_DELTA_KEY_ROW_VERSION, DP_STR(""))};
}

/* Field metadata that puts a duty on writers which dp does not take, or which this one does not. */
static enum dp_status check_columns(const struct dp_delta_protocol *p, const struct dp_type *t, bool checks, struct dp_err *err) {
    static const struct {
        const char *key, *feature, *words;
    } duties[] = {
        {"delta.identity.start", "identityColumns", "identity values"}, /* the rest is done by those who check */
        {"delta.invariants", "invariants", "an invariant"},
        {"delta.generationExpression", "generatedColumns", "a generation expression"},
        {"CURRENT_DEFAULT", "allowColumnDefaults", "a default value"},
        {"__CHAR_VARCHAR_TYPE_STRING", NULL, "a bounded length (char or varchar)"},
    };
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        for (size_t d = 0; d < (checks ? 1 : sizeof duties / sizeof *duties) && c->metadata; d++) {
            struct dp_buf b = {0};
            bool there = strstr(c->metadata, duties[d].key) && dp_delta_field_meta(c, duties[d].key, &b);
            dp_buf_release(&b);
            if (there && (!duties[d].feature || dp_delta_has_feature(p, duties[d].feature)))
                return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: column %s has %s%s%s", c->name, duties[d].words,
                                  duties[d].feature ? ": table feature " : "", duties[d].feature ? duties[d].feature : "");
        }
        DP_TRY(check_columns(p, c, checks, err));
    }
    return DP_OK;
}

/* What the files that are written can't be, whatever rows are in them. */
static enum dp_status check_files(const struct dp_delta_metadata *m, const struct dp_type *t, struct dp_err *err) {
    static const char *const iceberg[] = {"delta.enableIcebergCompatV1", "delta.enableIcebergCompatV2", "delta.enableIcebergCompatV3"};
    for (size_t i = 0; i < 3; i++)
        if (dp_delta_is_on(m, iceberg[i])) return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: %s is on", iceberg[i]);
    for (size_t i = 0; i < t->n_children; i++) {
        if (t->children[i]->id == DP_TYPE_NONE && t->id != DP_TYPE_STRUCT)
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: type void inside an array or map");
        DP_TRY(check_files(m, t->children[i], err));
    }
    return DP_OK;
}

/* Readers of changes could not tell a column of the table from their own. */
enum dp_status dp_delta_check_feed(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema, struct dp_err *err) {
    static const char *const names[] = {DP_DELTA_CHANGE_TYPE, DP_DELTA_COMMIT_VERSION, DP_DELTA_COMMIT_TIMESTAMP};
    if (!dp_delta_has_feature(p, "changeDataFeed") || !dp_delta_is_on(m, "delta.enableChangeDataFeed")) return DP_OK;
    for (size_t i = 0; i < 3; i++)
        if (dp_type_child(schema, dp_str_z(names[i])))
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: delta.enableChangeDataFeed is on and a column is called %s", names[i]);
    return DP_OK;
}

static enum dp_status check_properties(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, bool checks, struct dp_err *err) {
    for (size_t i = 0; !checks && i < m->configuration.n; i++) {
        struct dp_str key = m->configuration.v[i].key;
        if (dp_str_starts(key, DP_STR("delta.constraints.")) && dp_delta_has_feature(p, "checkConstraints"))
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: the table has the constraint %.*s", DP_STR_FMT(key));
    }
    return DP_OK;
}

enum dp_status dp_delta_check_write(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema,
                                    const struct dp_delta_intent *intent, struct dp_err *err) {
    if (p->min_writer > 7) return dp_err_set(err, DP_UNSUPPORTED, "the table needs writer version %lld, dp knows up to 7", (long long)p->min_writer);
    DP_TRY(dp_delta_check_read(p, err));
    for (size_t i = 0; p->min_writer == 7 && i < p->writer_features.n; i++) {
        const struct feature *f = find_feature(p->writer_features.v[i]);
        if (!f || !f->write)
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: table feature %.*s", DP_STR_FMT(p->writer_features.v[i]));
    }
    if (intent->removes && dp_delta_has_feature(p, "appendOnly") && dp_delta_is_on(m, "delta.appendOnly"))
        return dp_err_set(err, DP_RULE, "the table is append-only (delta.appendOnly)");
    if (!intent->writes && !intent->copies) return DP_OK;
    DP_TRY(check_files(m, schema, err));
    DP_TRY(dp_delta_check_feed(p, m, schema, err));
    if (!intent->writes) return DP_OK;
    DP_TRY(check_properties(p, m, intent->checks, err));
    DP_TRY(check_columns(p, schema, intent->checks, err));
    return intent->checks ? dp_delta_checks_supported(p, m, schema, err) : DP_OK;
}

bool dp_delta_interval_parse(struct dp_str s, int64_t *ms) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"millisecond", 1}, {"second", 1000}, {"minute", 60000}, {"hour", 3600000}, {"day", 86400000}, {"week", 604800000}};
    int64_t total = 0;
    bool any = false;
    size_t i = 0;
    if (dp_str_starts(s, DP_STR("interval "))) i = 9;
    while (i < s.n) {
        while (i < s.n && s.p[i] == ' ') i++;
        size_t a = i;
        while (i < s.n && s.p[i] != ' ') i++;
        if (a == i) break;
        int64_t count, part;
        if (!dp_parse_i64(dp_str(s.p + a, i - a), &count) || count < 0) return false;
        while (i < s.n && s.p[i] == ' ') i++;
        a = i;
        while (i < s.n && s.p[i] != ' ') i++;
        struct dp_str word = dp_str(s.p + a, i - a);
        if (word.n > 1 && word.p[word.n - 1] == 's') word.n--;
        size_t u = 0;
        while (u < 6 && !dp_str_eqz(word, units[u].name)) u++;
        if (u == 6 || dp_mul_overflow(count, units[u].ms, &part) || dp_add_overflow(total, part, &total)) return false;
        any = true;
    }
    *ms = total;
    return any;
}

/*
 * Protocol versions and table features (digest section 4).  A feature that dp does not know is refused by name; one that it knows but
 * can't honour when writing is refused when it is active, and named with the column that activates it.
 */
#include <dp/base/num.h>
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
    {"rowTracking", 0, YES, NO, 0, 0},
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

static bool is_on(const struct dp_delta_metadata *m, const char *key) {
    return dp_str_eqz(dp_delta_pairs_text(&m->configuration, key, DP_STR("")), "true");
}

/* Field metadata that puts a duty on writers which dp does not take. */
static enum dp_status check_columns(const struct dp_delta_protocol *p, const struct dp_type *t, struct dp_err *err) {
    static const struct {
        const char *key, *feature, *words;
    } duties[] = {
        {"delta.invariants", "invariants", "an invariant"},
        {"delta.generationExpression", "generatedColumns", "a generation expression"},
        {"delta.identity.start", "identityColumns", "identity values"},
        {"CURRENT_DEFAULT", "allowColumnDefaults", "a default value"},
        {"__CHAR_VARCHAR_TYPE_STRING", NULL, "a bounded length (char or varchar)"},
    };
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        for (size_t d = 0; d < sizeof duties / sizeof *duties && c->metadata; d++) {
            struct dp_buf b = {0};
            bool there = strstr(c->metadata, duties[d].key) && dp_delta_field_meta(c, duties[d].key, &b);
            dp_buf_release(&b);
            if (there && (!duties[d].feature || dp_delta_has_feature(p, duties[d].feature)))
                return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: column %s has %s", c->name, duties[d].words);
        }
        if (c->id == DP_TYPE_NONE && t->id != DP_TYPE_STRUCT)
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: type void inside an array or map");
        DP_TRY(check_columns(p, c, err));
    }
    return DP_OK;
}

static enum dp_status check_properties(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, struct dp_err *err) {
    static const char *const iceberg[] = {"delta.enableIcebergCompatV1", "delta.enableIcebergCompatV2", "delta.enableIcebergCompatV3"};
    for (size_t i = 0; i < m->configuration.n; i++) {
        struct dp_str key = m->configuration.v[i].key;
        if (dp_str_starts(key, DP_STR("delta.constraints.")) && dp_delta_has_feature(p, "checkConstraints"))
            return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: the table has the constraint %.*s", DP_STR_FMT(key));
    }
    for (size_t i = 0; i < 3; i++)
        if (is_on(m, iceberg[i])) return dp_err_set(err, DP_UNSUPPORTED, "writing is not supported: %s is on", iceberg[i]);
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
    if (intent->removes && dp_delta_has_feature(p, "appendOnly") && is_on(m, "delta.appendOnly"))
        return dp_err_set(err, DP_RULE, "the table is append-only (delta.appendOnly)");
    if (!intent->writes) return DP_OK;
    DP_TRY(check_properties(p, m, err));
    return check_columns(p, schema, err);
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

/*
 * Actions of the Delta log (digest section 2): parsing and printing by one table of fields per action.
 * What it does not do: decide which action wins (snapshot.c), or read the columns of a checkpoint (action_rows.c, by the same tables).
 */
#include "action_priv.h"
#include <dp/base/file.h>
#include <errno.h>
#include <stdlib.h>

#define FIELD(type, name, kind, flags, member) {name, kind, flags, (uint16_t)offsetof(struct type, member)}

const struct delta_field delta_dv_fields[] = {
    FIELD(dp_delta_dv, "storageType", F_TEXT, F_REQUIRED, storage),
    FIELD(dp_delta_dv, "pathOrInlineDv", F_TEXT, F_REQUIRED, path),
    FIELD(dp_delta_dv, "offset", F_LONG, 0, offset),
    FIELD(dp_delta_dv, "sizeInBytes", F_LONG, F_REQUIRED, size_bytes),
    FIELD(dp_delta_dv, "cardinality", F_LONG, F_REQUIRED, cardinality),
    {NULL, 0, 0, 0},
};
static const struct delta_field protocol_fields[] = {
    FIELD(dp_delta_protocol, "minReaderVersion", F_LONG, F_REQUIRED, min_reader),
    FIELD(dp_delta_protocol, "minWriterVersion", F_LONG, F_REQUIRED, min_writer),
    FIELD(dp_delta_protocol, "readerFeatures", F_LIST, 0, reader_features),
    FIELD(dp_delta_protocol, "writerFeatures", F_LIST, 0, writer_features),
    {NULL, 0, 0, 0},
};
static const struct delta_field metadata_fields[] = {
    FIELD(dp_delta_metadata, "id", F_TEXT, F_REQUIRED, id),
    FIELD(dp_delta_metadata, "name", F_TEXT, 0, name),
    FIELD(dp_delta_metadata, "description", F_TEXT, 0, description),
    FIELD(dp_delta_metadata, "format", F_FORMAT, F_REQUIRED, provider),
    FIELD(dp_delta_metadata, "schemaString", F_TEXT, 0, schema_string),
    FIELD(dp_delta_metadata, "partitionColumns", F_LIST, 0, partition_columns),
    FIELD(dp_delta_metadata, "configuration", F_PAIRS, 0, configuration),
    FIELD(dp_delta_metadata, "createdTime", F_LONG, 0, created_time),
    {NULL, 0, 0, 0},
};
static const struct delta_field add_fields[] = {
    FIELD(dp_delta_file, "path", F_TEXT, F_REQUIRED, path),
    FIELD(dp_delta_file, "partitionValues", F_PAIRS, 0, partition_values),
    FIELD(dp_delta_file, "size", F_LONG, F_REQUIRED, size),
    FIELD(dp_delta_file, "modificationTime", F_LONG, 0, modification_time),
    FIELD(dp_delta_file, "dataChange", F_BOOL, 0, data_change),
    FIELD(dp_delta_file, "stats", F_TEXT, F_STATS, stats),
    FIELD(dp_delta_file, "stats_parsed", F_RAW, F_STATS, stats_parsed),
    FIELD(dp_delta_file, "tags", F_PAIRS, 0, tags),
    FIELD(dp_delta_file, "deletionVector", F_DV, 0, dv),
    FIELD(dp_delta_file, "baseRowId", F_LONG, 0, base_row_id),
    FIELD(dp_delta_file, "defaultRowCommitVersion", F_LONG, 0, default_row_commit_version),
    FIELD(dp_delta_file, "clusteringProvider", F_TEXT, 0, clustering_provider),
    {NULL, 0, 0, 0},
};
static const struct delta_field cdc_fields[] = { /* as it is printed: dataChange is false in each */
    FIELD(dp_delta_file, "path", F_TEXT, F_REQUIRED, path),
    FIELD(dp_delta_file, "partitionValues", F_PAIRS, 0, partition_values),
    FIELD(dp_delta_file, "size", F_LONG, F_REQUIRED, size),
    FIELD(dp_delta_file, "dataChange", F_BOOL, 0, data_change),
    FIELD(dp_delta_file, "tags", F_PAIRS, 0, tags),
    {NULL, 0, 0, 0},
};
static const struct delta_field remove_fields[] = {
    FIELD(dp_delta_file, "path", F_TEXT, F_REQUIRED, path),
    FIELD(dp_delta_file, "deletionTimestamp", F_LONG, 0, deletion_timestamp),
    FIELD(dp_delta_file, "dataChange", F_BOOL, 0, data_change),
    FIELD(dp_delta_file, "extendedFileMetadata", F_BOOL, 0, extended),
    FIELD(dp_delta_file, "partitionValues", F_PAIRS, 0, partition_values),
    FIELD(dp_delta_file, "size", F_LONG, 0, size),
    FIELD(dp_delta_file, "stats", F_TEXT, F_STATS, stats),
    FIELD(dp_delta_file, "tags", F_PAIRS, 0, tags),
    FIELD(dp_delta_file, "deletionVector", F_DV, 0, dv),
    FIELD(dp_delta_file, "baseRowId", F_LONG, 0, base_row_id),
    FIELD(dp_delta_file, "defaultRowCommitVersion", F_LONG, 0, default_row_commit_version),
    {NULL, 0, 0, 0},
};
static const struct delta_field txn_fields[] = {
    FIELD(dp_delta_txn, "appId", F_TEXT, F_REQUIRED, app_id),
    FIELD(dp_delta_txn, "version", F_LONG, F_REQUIRED, version),
    FIELD(dp_delta_txn, "lastUpdated", F_LONG, 0, last_updated),
    {NULL, 0, 0, 0},
};
static const struct delta_field domain_fields[] = {
    FIELD(dp_delta_domain, "domain", F_TEXT, F_REQUIRED, domain),
    FIELD(dp_delta_domain, "configuration", F_TEXT, 0, configuration),
    FIELD(dp_delta_domain, "removed", F_BOOL, 0, removed),
    {NULL, 0, 0, 0},
};
static const struct delta_field sidecar_fields[] = {
    FIELD(dp_delta_sidecar, "path", F_TEXT, F_REQUIRED, path),
    FIELD(dp_delta_sidecar, "sizeInBytes", F_LONG, 0, size_bytes),
    FIELD(dp_delta_sidecar, "modificationTime", F_LONG, 0, modification_time),
    {NULL, 0, 0, 0},
};

const struct delta_action_form delta_actions[] = {
    {"add", DP_DELTA_ADD, add_fields},
    {"remove", DP_DELTA_REMOVE, remove_fields},
    {"protocol", DP_DELTA_PROTOCOL, protocol_fields},
    {"metaData", DP_DELTA_METADATA, metadata_fields},
    {"txn", DP_DELTA_TXN, txn_fields},
    {"domainMetadata", DP_DELTA_DOMAIN, domain_fields},
    {"cdc", DP_DELTA_CDC, add_fields},
    {"commitInfo", DP_DELTA_COMMIT_INFO, NULL},
    {"sidecar", DP_DELTA_SIDECAR, sidecar_fields},
    {"checkpointMetadata", DP_DELTA_CHECKPOINT, NULL},
    {NULL, DP_DELTA_NONE, NULL},
};

/* ---- parsing ---- */

static bool is_key(const struct dp_record *r, uint32_t node, const char *name) {
    return dp_json_equal(dp_node_str(r, node), r->nodes[node].flags, dp_str_z(name));
}

static struct dp_str copy_text(const struct dp_record *r, uint32_t node, struct dp_arena *arena) {
    struct dp_str raw = dp_node_str(r, node);
    if (!(r->nodes[node].flags & DP_NODE_ESCAPED)) return dp_arena_str(arena, raw);
    char *to = dp_arena_alloc(arena, raw.n + 4); /* what is decoded is no longer, but for a cut escape */
    struct dp_str s = dp_str(to, dp_json_decode_to(raw, to));
    to[s.n] = '\0';
    dp_arena_trim(arena, to, s.n + 1);
    return s;
}

enum dp_status delta_wrong_kind(const char *name, const char *want, struct dp_err *err) {
    return dp_err_set(err, DP_FORMAT, "%s is not %s", name, want);
}

static uint32_t count_members(const struct dp_record *r, uint32_t node) {
    uint32_t n = 0, step = r->nodes[node].kind == DP_KIND_OBJECT;
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i + step].next) n++;
    return n;
}

enum dp_status dp_delta_pairs_parse(const struct dp_record *r, uint32_t node, struct dp_arena *arena,
                                    struct dp_delta_pairs *out, struct dp_err *err) {
    if (r->nodes[node].kind != DP_KIND_OBJECT) return delta_wrong_kind("a map", "an object", err);
    out->n = 0;
    out->v = dp_arena_calloc(arena, count_members(r, node) + 1u, sizeof *out->v);
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k + 1].next) {
        struct dp_delta_pair *p = &out->v[out->n++];
        p->key = copy_text(r, k, arena);
        if (r->nodes[k + 1].kind == DP_KIND_STRING) p->value = copy_text(r, k + 1, arena);
        else if (r->nodes[k + 1].kind == DP_KIND_NULL) p->is_null = true;
        else return dp_err_set(err, DP_FORMAT, "the value of \"%.*s\" is neither a string nor null", DP_STR_FMT(p->key));
    }
    return DP_OK;
}

static enum dp_status parse_list(const struct dp_record *r, uint32_t node, struct dp_arena *arena, const char *name,
                                 struct dp_delta_strs *out, struct dp_err *err) {
    if (r->nodes[node].kind != DP_KIND_ARRAY) return delta_wrong_kind(name, "an array", err);
    out->v = dp_arena_calloc(arena, count_members(r, node) + 1u, sizeof *out->v);
    out->n = 0;
    out->is_set = true;
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) {
        if (r->nodes[i].kind != DP_KIND_STRING) return delta_wrong_kind(name, "an array of strings", err);
        out->v[out->n++] = copy_text(r, i, arena);
    }
    return DP_OK;
}

static enum dp_status parse_fields(const struct dp_record *r, uint32_t node, const struct delta_field *fields, unsigned without,
                                   struct dp_arena *arena, void *out, struct dp_err *err);

static enum dp_status parse_format(const struct dp_record *r, uint32_t node, struct dp_arena *arena,
                                   struct dp_delta_metadata *m, struct dp_err *err) {
    if (r->nodes[node].kind != DP_KIND_OBJECT) return delta_wrong_kind("format", "an object", err);
    uint32_t provider = dp_json_member(r, node, "provider");
    if (!provider || r->nodes[provider].kind != DP_KIND_STRING) return delta_wrong_kind("format.provider", "a string", err);
    m->provider = copy_text(r, provider, arena);
    uint32_t options = dp_json_member(r, node, "options");
    if (!options || r->nodes[options].kind == DP_KIND_NULL) return DP_OK;
    return dp_delta_pairs_parse(r, options, arena, &m->options, err);
}

static enum dp_status parse_field(const struct dp_record *r, uint32_t node, const struct delta_field *f, struct dp_arena *arena,
                                  void *base, struct dp_err *err) {
    void *to = (char *)base + f->off;
    switch ((enum delta_field_kind)f->kind) {
    case F_TEXT:
        if (r->nodes[node].kind != DP_KIND_STRING) return delta_wrong_kind(f->name, "a string", err);
        *(struct dp_str *)to = copy_text(r, node, arena);
        return DP_OK;
    case F_LONG:
        if (!dp_json_get_i64(r, node, to)) return delta_wrong_kind(f->name, "a 64-bit integer", err);
        return DP_OK;
    case F_BOOL:
        if (!dp_json_get_bool(r, node, to)) return delta_wrong_kind(f->name, "a boolean", err);
        return DP_OK;
    case F_PAIRS:
        return dp_delta_pairs_parse(r, node, arena, to, err);
    case F_LIST:
        return parse_list(r, node, arena, f->name, to, err);
    case F_DV:
        if (r->nodes[node].kind != DP_KIND_OBJECT) return delta_wrong_kind(f->name, "an object", err);
        ((struct dp_delta_dv *)to)->offset = DP_DELTA_UNSET;
        {
            /* A struct column of a checkpoint can be present with nothing in it. */
            uint32_t storage = dp_json_member(r, node, "storageType");
            if (!storage || r->nodes[storage].kind == DP_KIND_NULL) return DP_OK;
        }
        return parse_fields(r, node, delta_dv_fields, 0, arena, to, err);
    case F_FORMAT:
        return parse_format(r, node, arena, base, err);
    case F_RAW:
        *(struct dp_str *)to = dp_arena_str(arena, dp_node_str(r, node));
        return DP_OK;
    }
    return dp_err_set(err, DP_BUG, "unknown kind of field");
}

static enum dp_status parse_fields(const struct dp_record *r, uint32_t node, const struct delta_field *fields, unsigned without,
                                   struct dp_arena *arena, void *out, struct dp_err *err) {
    unsigned passed_over = without & DP_DELTA_NO_STATS ? F_STATS : 0;
    uint32_t seen = 0;
    if (r->nodes[node].kind != DP_KIND_OBJECT) return delta_wrong_kind("an action", "an object", err);
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k + 1].next) {
        if (r->nodes[k + 1].kind == DP_KIND_NULL) continue;
        for (const struct delta_field *f = fields; f->name; f++) {
            if (!is_key(r, k, f->name)) continue;
            if (!(f->flags & passed_over)) DP_TRY(parse_field(r, k + 1, f, arena, out, err));
            seen |= 1u << (f - fields);
            break;
        }
    }
    for (const struct delta_field *f = fields; f->name; f++)
        if (f->flags & F_REQUIRED && !(seen >> (f - fields) & 1)) return dp_err_set(err, DP_FORMAT, "%s is missing", f->name);
    return DP_OK;
}

/* Fields of an odd kind are passed over: commitInfo is free form. */
static void parse_commit_info(const struct dp_record *r, uint32_t node, struct dp_arena *arena, struct dp_delta_commit_info *ci) {
    ci->timestamp = ci->in_commit_timestamp = DP_DELTA_UNSET;
    ci->raw = dp_arena_str(arena, dp_node_str(r, node));
    if (r->nodes[node].kind != DP_KIND_OBJECT) return;
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k + 1].next) {
        uint32_t v = k + 1;
        if (r->nodes[v].kind == DP_KIND_STRING) {
            if (is_key(r, k, "operation")) ci->operation = copy_text(r, v, arena);
            else if (is_key(r, k, "txnId")) ci->txn_id = copy_text(r, v, arena);
            else if (is_key(r, k, "userName")) ci->user_name = copy_text(r, v, arena);
            else if (is_key(r, k, "engineInfo")) ci->engine_info = copy_text(r, v, arena);
        } else if (r->nodes[v].kind == DP_KIND_OBJECT) {
            if (is_key(r, k, "operationParameters")) ci->parameters = dp_arena_str(arena, dp_node_str(r, v));
            else if (is_key(r, k, "operationMetrics")) ci->metrics = dp_arena_str(arena, dp_node_str(r, v));
        } else if (r->nodes[v].kind == DP_KIND_NUMBER) {
            int64_t n;
            if (!dp_json_get_i64(r, v, &n)) continue;
            if (is_key(r, k, "timestamp")) ci->timestamp = n;
            else if (is_key(r, k, "inCommitTimestamp")) ci->in_commit_timestamp = n;
        } else if (is_key(r, k, "isBlindAppend")) {
            bool b;
            if (dp_json_get_bool(r, v, &b)) ci->blind_append = b;
        }
    }
}

/* The child by which a checkpoint row shows that its struct column is really there. */
static bool has_content(const struct dp_record *r, uint32_t node, const struct delta_field *fields) {
    if (r->nodes[node].kind != DP_KIND_OBJECT || !fields) return true;
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k + 1].next)
        if (is_key(r, k, fields[0].name)) return r->nodes[k + 1].kind != DP_KIND_NULL;
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k + 1].next)
        if (r->nodes[k + 1].kind != DP_KIND_NULL) return true;
    return false;
}

void delta_action_init(enum dp_delta_kind kind, struct dp_delta_action *out) {
    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (kind == DP_DELTA_ADD || kind == DP_DELTA_REMOVE || kind == DP_DELTA_CDC) {
        struct dp_delta_file *f = &out->u.file;
        f->size = f->deletion_timestamp = f->base_row_id = f->default_row_commit_version = f->dv.offset = DP_DELTA_UNSET;
    } else if (kind == DP_DELTA_TXN) {
        out->u.txn.last_updated = DP_DELTA_UNSET;
    } else if (kind == DP_DELTA_METADATA) {
        out->u.metadata.created_time = DP_DELTA_UNSET;
    }
}

static enum dp_status parse_action(const struct dp_record *r, uint32_t node, const struct delta_action_form *a, unsigned without, struct dp_arena *arena,
                                   struct dp_delta_action *out, struct dp_err *err) {
    if (without & DP_DELTA_STATE && (a->kind == DP_DELTA_COMMIT_INFO || a->kind == DP_DELTA_CDC)) return DP_OK;
    if (!has_content(r, node, a->fields)) return DP_OK;
    if (out->kind != DP_DELTA_NONE) return dp_err_set(err, DP_FORMAT, "two actions in one line");
    delta_action_init(a->kind, out);
    if (a->kind == DP_DELTA_COMMIT_INFO) parse_commit_info(r, node, arena, &out->u.commit_info);
    else if (a->fields && parse_fields(r, node, a->fields, without, arena, &out->u, err) != DP_OK) return dp_err_prefix(err, "%s: ", a->name);
    return DP_OK;
}

static enum dp_status parse_line(const struct dp_record *r, unsigned without, struct dp_arena *arena, struct dp_delta_action *out, struct dp_err *err) {
    delta_action_init(DP_DELTA_NONE, out);
    for (uint32_t k = 1; k < r->nodes[0].next; k = r->nodes[k + 1].next) {
        if (r->nodes[k + 1].kind == DP_KIND_NULL) continue;
        const struct delta_action_form *a = delta_actions;
        while (a->name && !is_key(r, k, a->name)) a++;
        if (a->name) DP_TRY(parse_action(r, k + 1, a, without, arena, out, err));
    }
    return DP_OK;
}

/* ---- files of them ---- */

struct dp_delta_lines {
    struct dp_scan *scan;
    struct dp_buf text;
    unsigned without;
};

struct dp_delta_lines *dp_delta_lines_open(unsigned without) {
    struct dp_delta_lines *l = dp_calloc(1, sizeof *l);
    l->scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    l->without = without;
    return l;
}

void dp_delta_lines_close(struct dp_delta_lines *l) {
    if (!l) return;
    dp_scan_close(l->scan);
    dp_buf_release(&l->text);
    free(l);
}

static enum dp_status each_line(struct dp_delta_lines *l, const char *name, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx, struct dp_err *err) {
    enum dp_status status = DP_OK;
    memset(dp_buf_reserve(&l->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(l->scan, l->text.p, l->text.n);
    for (;;) {
        struct dp_record rec;
        struct dp_delta_action action;
        status = dp_scan_next(l->scan, &rec, err);
        if (status == DP_END) break;
        if (status == DP_RECORD) status = dp_err_set(err, DP_FORMAT, "%s", err ? err->msg : "");
        if (status == DP_OK) status = parse_line(&rec, l->without, arena, &action, err);
        if (status == DP_OK && action.kind != DP_DELTA_NONE) status = fn(ctx, &action, err);
        if (status != DP_OK) {
            dp_err_at(err, name, (uint64_t)rec.index + 1, DP_NO_OFFSET);
            break;
        }
    }
    return status == DP_END ? DP_OK : status;
}

enum dp_status dp_delta_lines_file(struct dp_delta_lines *l, const char *path, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx, struct dp_err *err) {
    dp_buf_reset(&l->text);
    DP_TRY(dp_file_read_regular(path, DP_LIMIT_COMMIT_BYTES, &l->text, err));
    return each_line(l, path, arena, fn, ctx, err);
}

enum dp_status dp_delta_actions_each(struct dp_str text, const char *name, struct dp_arena *arena, dp_delta_action_fn fn,
                                     void *ctx, struct dp_err *err) {
    struct dp_delta_lines *l = dp_delta_lines_open(0);
    dp_buf_adds(&l->text, text);
    enum dp_status status = each_line(l, name, arena, fn, ctx, err);
    dp_delta_lines_close(l);
    return status;
}

enum dp_status dp_delta_actions_file(const char *path, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx,
                                     struct dp_err *err) {
    struct dp_delta_lines *l = dp_delta_lines_open(0);
    enum dp_status status = dp_delta_lines_file(l, path, arena, fn, ctx, err);
    dp_delta_lines_close(l);
    return status;
}

/* ---- printing ---- */

void dp_delta_pairs_print(const struct dp_delta_pairs *p, struct dp_buf *b) {
    dp_buf_addc(b, '{');
    for (size_t i = 0; i < p->n; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, p->v[i].key);
        dp_buf_addc(b, ':');
        if (p->v[i].is_null) dp_buf_addz(b, "null");
        else dp_json_add_string(b, p->v[i].value);
    }
    dp_buf_addc(b, '}');
}

static void print_list(const struct dp_delta_strs *s, struct dp_buf *b) {
    dp_buf_addc(b, '[');
    for (size_t i = 0; i < s->n; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, s->v[i]);
    }
    dp_buf_addc(b, ']');
}

static void print_fields(const void *from, const struct delta_field *fields, struct dp_buf *b);

/* False: absent, nothing printed. */
static bool print_value(const void *base, const struct delta_field *f, struct dp_buf *b) {
    const void *p = (const char *)base + f->off;
    switch ((enum delta_field_kind)f->kind) {
    case F_TEXT:
        if (!((const struct dp_str *)p)->p) return false;
        dp_json_add_string(b, *(const struct dp_str *)p);
        return true;
    case F_LONG:
        if (*(const int64_t *)p == DP_DELTA_UNSET) return false;
        dp_json_add_i64(b, *(const int64_t *)p);
        return true;
    case F_BOOL:
        dp_buf_addz(b, *(const bool *)p ? "true" : "false");
        return true;
    case F_PAIRS:
        if (!strcmp(f->name, "tags") && !((const struct dp_delta_pairs *)p)->n) return false;
        dp_delta_pairs_print(p, b);
        return true;
    case F_LIST:
        if (!((const struct dp_delta_strs *)p)->is_set) return false;
        print_list(p, b);
        return true;
    case F_DV:
        if (!((const struct dp_delta_dv *)p)->storage.p) return false;
        print_fields(p, delta_dv_fields, b);
        return true;
    case F_FORMAT:
        dp_buf_addz(b, "{\"provider\":");
        dp_json_add_string(b, ((const struct dp_delta_metadata *)base)->provider);
        dp_buf_addz(b, ",\"options\":");
        dp_delta_pairs_print(&((const struct dp_delta_metadata *)base)->options, b);
        dp_buf_addc(b, '}');
        return true;
    case F_RAW:
        return false;
    }
    return false;
}

static void print_fields(const void *from, const struct delta_field *fields, struct dp_buf *b) {
    bool first = true;
    dp_buf_addc(b, '{');
    for (const struct delta_field *f = fields; f->name; f++) {
        size_t mark = b->n;
        if (!first) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(f->name));
        dp_buf_addc(b, ':');
        if (print_value(from, f, b)) first = false;
        else b->n = mark;
    }
    dp_buf_addc(b, '}');
}

static void print_action(const char *name, const void *from, const struct delta_field *fields, struct dp_buf *b) {
    dp_buf_addf(b, "{\"%s\":", name);
    print_fields(from, fields, b);
    dp_buf_addz(b, "}\n");
}

void dp_delta_protocol_print(const struct dp_delta_protocol *p, struct dp_buf *b) { print_action("protocol", p, protocol_fields, b); }
void dp_delta_metadata_print(const struct dp_delta_metadata *m, struct dp_buf *b) { print_action("metaData", m, metadata_fields, b); }
void dp_delta_add_print(const struct dp_delta_file *f, struct dp_buf *b) { print_action("add", f, add_fields, b); }
void dp_delta_remove_print(const struct dp_delta_file *f, struct dp_buf *b) { print_action("remove", f, remove_fields, b); }
void dp_delta_cdc_print(const struct dp_delta_file *f, struct dp_buf *b) {
    struct dp_delta_file cdc = *f;
    cdc.data_change = false;
    print_action("cdc", &cdc, cdc_fields, b);
}
void dp_delta_txn_print(const struct dp_delta_txn *t, struct dp_buf *b) { print_action("txn", t, txn_fields, b); }
void dp_delta_domain_print(const struct dp_delta_domain *d, struct dp_buf *b) { print_action("domainMetadata", d, domain_fields, b); }

/* ---- small look-ups ---- */

const struct dp_delta_pair *dp_delta_pairs_get(const struct dp_delta_pairs *p, struct dp_str key) {
    for (size_t i = 0; i < p->n; i++)
        if (dp_str_eq(p->v[i].key, key)) return &p->v[i];
    return NULL;
}

struct dp_str dp_delta_pairs_text(const struct dp_delta_pairs *p, const char *key, struct dp_str absent) {
    const struct dp_delta_pair *pair = dp_delta_pairs_get(p, dp_str_z(key));
    return pair && !pair->is_null ? pair->value : absent;
}

bool dp_delta_pairs_has(const struct dp_delta_pairs *p, const struct dp_delta_pair *pair) {
    const struct dp_delta_pair *q = dp_delta_pairs_get(p, pair->key);
    return q && q->is_null == pair->is_null && dp_str_eq(q->value, pair->value);
}

bool dp_delta_strs_equal(const struct dp_delta_strs *a, const struct dp_delta_strs *b) {
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = dp_str_eq(a->v[i], b->v[i]);
    return same;
}

bool dp_delta_strs_has(const struct dp_delta_strs *s, const char *word) {
    for (size_t i = 0; i < s->n; i++)
        if (dp_str_eqz(s->v[i], word)) return true;
    return false;
}

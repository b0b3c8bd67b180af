/*
 * The techniques, one row each: name, parameters, what types it takes and makes, how it is applied.  A new one is a row here and a function.
 * How each works is in dp-policy(5); encrypt alone can be undone with the key (mask_reveal.c).
 */
#include "mask_priv.h"

#include <dp/base/file.h>
#include <stdlib.h>

static bool is_number(const struct dp_type *t) { return dp_type_is_integer(t) || t->id == DP_TYPE_DECIMAL || t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE; }
static bool is_text(const struct dp_type *t) { return t->id == DP_TYPE_STRING || t->id == DP_TYPE_ENUM; }

/* ---- types ---- */

static enum mask_fit fit_any(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r, (void)t;
    return MASK_FIT_SAME;
}

static enum mask_fit fit_text(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r;
    return is_text(t) ? MASK_FIT_TEXT : MASK_FIT_NOT;
}

/* What has one exact value, whatever file it comes from: not floating point, not times, whose spelling varies. */
static enum mask_fit fit_keyed(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r;
    bool ok = is_text(t) || dp_type_is_integer(t) || t->id == DP_TYPE_DECIMAL || t->id == DP_TYPE_UUID || t->id == DP_TYPE_DATE;
    return ok ? MASK_FIT_TEXT : MASK_FIT_NOT;
}

static enum mask_fit fit_number_to_text(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r;
    return is_number(t) ? MASK_FIT_TEXT : MASK_FIT_NOT;
}

/* The bound must be a value of the type: it stands in its place. */
static enum mask_fit fit_top(const struct dp_mask_rule *r, const struct dp_type *t) {
    if (!is_number(t)) return MASK_FIT_NOT;
    return !dp_type_is_integer(t) || dp_number_is_integer(dp_str_z(r->at)) ? MASK_FIT_SAME : MASK_FIT_NOT;
}

static enum mask_fit fit_date(const struct dp_mask_rule *r, const struct dp_type *t) {
    bool ok = is_text(t) || t->id == DP_TYPE_DATE || t->id == DP_TYPE_TIMESTAMP;
    return ok && r->unit >= DP_MASK_DAY ? MASK_FIT_TEXT : MASK_FIT_NOT;
}

static enum mask_fit fit_truncate(const struct dp_mask_rule *r, const struct dp_type *t) {
    if (r->unit == DP_MASK_DECADE) return MASK_FIT_NOT;
    if (t->id == DP_TYPE_DATE) return r->unit > DP_MASK_DAY ? MASK_FIT_SAME : MASK_FIT_NOT;
    return is_text(t) || t->id == DP_TYPE_TIMESTAMP ? MASK_FIT_SAME : MASK_FIT_NOT;
}

static enum mask_fit fit_hierarchy(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r;
    return is_text(t) || dp_type_is_integer(t) || t->id == DP_TYPE_DATE ? MASK_FIT_TEXT : MASK_FIT_NOT;
}

static bool always(const struct dp_type *t) {
    (void)t;
    return true;
}
static bool not_text(const struct dp_type *t) { return !is_text(t) && t->id != DP_TYPE_JSON; }

/* ---- the table ---- */

static const char *const none[] = {NULL};
static const char *const redact_params[] = {"text", NULL};
static const char *const keep_params[] = {"first", "last", "text", NULL};
static const char *const fixed_params[] = {"value", NULL};
static const char *const token_params[] = {"domain", "bits", "normalise", NULL};
static const char *const encrypt_params[] = {"domain", NULL};
static const char *const hmac_params[] = {"domain", "bits", "encoding", "normalise", NULL};
static const char *const band_params[] = {"width", "from", "otherwise", NULL};
static const char *const top_params[] = {"at", "otherwise", NULL};
static const char *const unit_params[] = {"to", "otherwise", NULL};
static const char *const zip_params[] = {"digits", "file", NULL};
static const char *const ip_params[] = {"v4", "v6", "otherwise", NULL};
static const char *const hierarchy_params[] = {"file", "level", "otherwise", NULL};

const struct dp_mask_technique dp_mask_techniques[] = {
    {.name = "pass", .params = none, .any_form = true, .leaves_clear = true, .fit = fit_any},
    {.name = "drop", .params = none, .any_form = true, .anonymous = true, .fit = fit_any},
    {.name = "null", .params = none, .any_form = true, .anonymous = true, .fit = fit_any, .is_null = always},
    {.name = "redact", .params = redact_params, .any_form = true, .anonymous = true, .fit = fit_any, .is_null = not_text, .apply = dp_mask_redact},
    {.name = "fixed", .params = fixed_params, .need = "value", .any_form = true, .anonymous = true, .fit = fit_any, .apply = dp_mask_fixed},
    {.name = "keep", .params = keep_params, .fit = fit_text, .takes = "strings", .apply = dp_mask_keep},
    {.name = "token", .params = token_params, .keyed = true, .fit = fit_keyed, .takes = "strings, integers, decimals and dates", .apply = dp_mask_token},
    {.name = "hmac", .params = hmac_params, .keyed = true, .fit = fit_keyed, .takes = "strings, integers, decimals and dates", .apply = dp_mask_hmac},
    {.name = "encrypt", .params = encrypt_params, .keyed = true, .fit = fit_keyed, .takes = "strings, integers, decimals and dates", .apply = dp_mask_encrypt},
    {.name = "band", .params = band_params, .need = "width", .fit = fit_number_to_text, .takes = "numbers", .apply = dp_mask_band},
    {.name = "top", .params = top_params, .need = "at", .leaves_clear = true, .fit = fit_top, .takes = "numbers (and of integers a whole bound)", .apply = dp_mask_top},
    {.name = "date", .params = unit_params, .need = "to", .fit = fit_date, .takes = "dates, timestamps and strings that hold them, to day, month, quarter, year or decade", .apply = dp_mask_date},
    {.name = "truncate", .params = unit_params, .need = "to", .leaves_clear = true, .fit = fit_truncate, .takes = "timestamps, dates (from month on) and strings that hold them, to second ... year", .apply = dp_mask_truncate},
    {.name = "zip", .params = zip_params, .fit = fit_text, .takes = "strings", .apply = dp_mask_zip},
    {.name = "ip", .params = ip_params, .fit = fit_text, .takes = "strings", .apply = dp_mask_ip},
    {.name = "hierarchy", .params = hierarchy_params, .need = "file", .fit = fit_hierarchy, .takes = "strings, integers and dates", .apply = dp_mask_hierarchy},
    {.name = NULL},
};

const struct dp_mask_technique *dp_mask_technique_find(const char *name) {
    for (const struct dp_mask_technique *t = dp_mask_techniques; t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}

/* ---- files that rules name ---- */

#define HIERARCHY_BYTES (64u << 20)

/* Beside the policy, unless it is absolute. */
static char *beside(const struct dp_policy *policy, const char *file) {
    if (file[0] == '/' || !policy || !policy->doc.source) return dp_strdup(file);
    char *dir = dp_path_dir(policy->doc.source), *path = dp_path_join(dir, file);
    free(dir);
    return path;
}

struct cells {
    struct dp_str text;
    size_t at;
    struct dp_buf cell;
};

/* The next cell of RFC 4180 text; true: it ends its row. */
static bool next_cell(struct cells *c) {
    dp_buf_reset(&c->cell);
    bool quoted = c->at < c->text.n && c->text.p[c->at] == '"';
    if (quoted) c->at++;
    while (c->at < c->text.n) {
        char b = c->text.p[c->at++];
        if (quoted && b == '"') {
            if (c->at < c->text.n && c->text.p[c->at] == '"') c->at++;
            else { quoted = false; continue; }
        } else if (!quoted && b == ',') {
            return false;
        } else if (!quoted && b == '\n') {
            break;
        } else if (!quoted && b == '\r') {
            continue;
        }
        dp_buf_addc(&c->cell, b);
    }
    return true;
}

/* Rows of value, level 1, level 2, ...: value to the text of a level.  Level 0: the values alone. */
static enum dp_status read_rows(const char *path, struct dp_str text, int64_t level, struct dp_arena *arena, struct dp_map *map, struct dp_err *err) {
    struct cells c = {.text = text};
    struct dp_buf value = {0};
    enum dp_status status = DP_OK;
    for (uint64_t line = 1; c.at < text.n && status == DP_OK; line++) {
        bool ends = next_cell(&c), is_new = true;
        if (ends && !c.cell.n) continue; /* a blank line */
        dp_buf_reset(&value);
        dp_buf_adds(&value, dp_buf_str(&c.cell));
        struct dp_str found = {NULL, 0};
        for (int64_t at = 1; !ends; at++) {
            ends = next_cell(&c);
            if (at == level) found = dp_arena_str(arena, dp_buf_str(&c.cell));
        }
        bool utf8 = dp_utf8_valid(value.p, value.n, NULL) && dp_utf8_valid(found.p, found.n, NULL);
        if (level && !found.p) status = dp_err_set(err, DP_USAGE, "the row has no level %lld", (long long)level);
        else if (!utf8) status = dp_err_set(err, DP_USAGE, "the row is not UTF-8");
        struct dp_str *kept = dp_arena_calloc(arena, 1, sizeof *kept);
        *kept = found;
        if (status == DP_OK) dp_map_put(map, dp_buf_str(&value), &is_new)->v.p = kept;
        if (status == DP_OK && !is_new) status = dp_err_set(err, DP_USAGE, "the value of the row is there twice");
        if (status != DP_OK) dp_err_at(err, path, line, DP_NO_OFFSET);
    }
    dp_buf_release(&value);
    dp_buf_release(&c.cell);
    return status;
}

static enum dp_status read_table(const struct dp_policy *policy, struct dp_arena *arena, struct mask_node *n, int64_t level, struct dp_err *err) {
    char *path = beside(policy, n->rule.file);
    struct dp_buf text = {0};
    enum dp_status status = dp_file_read(path, HIERARCHY_BYTES, &text, err);
    n->table = dp_calloc(1, sizeof *n->table);
    if (status == DP_OK) status = read_rows(path, dp_buf_str(&text), level, arena, n->table, err);
    if (status == DP_OK && !n->table->live) status = dp_err_set(err, DP_USAGE, "%s: the file is empty", path);
    if (status != DP_OK && err && err->line) { /* the place in the policy is told too */
        char why[200];
        (void)snprintf(why, sizeof why, "%.190s", err->msg);
        dp_err_set(err, DP_USAGE, "%s:%llu: %s", path, (unsigned long long)err->line, why);
    }
    if (status != DP_OK && status != DP_LIMIT && status != DP_IO) status = DP_USAGE;
    dp_buf_release(&text);
    free(path);
    return status;
}

/* ---- binding ---- */

/* The value as JSON, as it stands in every record. */
static const char *constant_of(struct dp_arena *arena, const struct dp_yaml_node *v) {
    struct dp_buf b = {0};
    if (v->kind == DP_YAML_STRING) dp_json_add_string(&b, v->text);
    else if (v->kind == DP_YAML_BOOL) dp_buf_addz(&b, v->text.p[0] == 't' || v->text.p[0] == 'T' ? "true" : "false");
    else dp_buf_adds(&b, v->text);
    const char *text = dp_arena_str(arena, dp_buf_str(&b)).p;
    dp_buf_release(&b);
    return text;
}

enum dp_status dp_mask_bind(const struct dp_policy *policy, struct dp_arena *arena, struct mask_node *n, struct dp_err *err) {
    const struct dp_mask_rule *r = &n->rule;
    if (r->technique->keyed) {
        struct dp_str s = dp_arena_str(arena, dp_str_z(r->domain ? r->domain : n->label));
        n->rule.domain = s.p;
        n->prefix = dp_str(s.p, s.n + 1); /* with its NUL */
    }
    if (r->value) n->constant = constant_of(arena, r->value);
    if (r->file) return read_table(policy, arena, n, !strcmp(r->technique->name, "zip") ? 0 : r->level, err);
    return DP_OK;
}

/*
 * Legal holds of a table (dp/delta/legal.h): what holds, and what it holds.
 *
 * Every doubt holds: a file that can't be read, a value that can't be compared, a column that is gone.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/legal.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

bool dp_legal_case_ok(struct dp_str name) {
    if (!name.n || name.n > DP_LIMIT_HOLD_CASE) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (i == 0 || (c != '.' && c != '_' && c != '-'))) return false;
    }
    return true;
}

/* ---- a file ---- */

static bool take_text(const struct dp_record *r, uint32_t object, const char *name, struct dp_arena *arena, struct dp_str *out) {
    struct dp_buf b = {0};
    uint32_t node = dp_json_member(r, object, name);
    bool fine = node && dp_json_get_string(r, node, &b);
    if (fine) *out = dp_arena_str(arena, dp_buf_str(&b));
    dp_buf_release(&b);
    return fine;
}

static bool take_scopes(const struct dp_record *r, const char *name, struct dp_arena *arena, struct dp_legal_scope **out, size_t *n) {
    uint32_t node = dp_json_member(r, 0, name);
    if (!node || r->nodes[node].kind != DP_KIND_ARRAY) return false;
    size_t most = 0;
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) most++;
    *out = dp_arena_calloc(arena, most + 1, sizeof **out);
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) {
        struct dp_legal_scope *s = &(*out)[(*n)++];
        if (r->nodes[i].kind != DP_KIND_OBJECT || !take_text(r, i, "column", arena, &s->column) || !take_text(r, i, "value", arena, &s->value)) return false;
    }
    return true;
}

static enum dp_status take_hold(const struct dp_record *r, struct dp_arena *arena, struct dp_legal_hold *out, struct dp_err *err) {
    int64_t version;
    uint32_t node = r->nodes[0].kind == DP_KIND_OBJECT ? dp_json_member(r, 0, "dp_legal_hold") : 0;
    if (!node || !dp_json_get_i64(r, node, &version)) return dp_err_set(err, DP_FORMAT, "this is no legal hold");
    if (version != 1) return dp_err_set(err, DP_UNSUPPORTED, "legal holds of version %lld are not known", (long long)version);
    uint32_t whole = dp_json_member(r, 0, "whole");
    bool fine = whole && dp_json_get_bool(r, whole, &out->whole) && take_text(r, 0, "case", arena, &out->name) && take_text(r, 0, "reason", arena, &out->reason) &&
                take_text(r, 0, "who", arena, &out->who) && take_text(r, 0, "time", arena, &out->time) && take_scopes(r, "partitions", arena, &out->partitions, &out->n_partitions) &&
                take_scopes(r, "subjects", arena, &out->subjects, &out->n_subjects);
    if (!fine || !dp_legal_case_ok(out->name)) return dp_err_set(err, DP_FORMAT, "a member of this legal hold is missing or wrong");
    if (!out->whole && !out->n_partitions && !out->n_subjects) return dp_err_set(err, DP_FORMAT, "this legal hold holds nothing");
    return DP_OK;
}

enum dp_status dp_legal_parse(struct dp_str text, struct dp_arena *arena, struct dp_legal_hold *out, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_HOLD_FILE, DP_SCAN_AUTO);
    struct dp_buf padded = {0};
    struct dp_record r;
    *out = (struct dp_legal_hold){0};
    dp_buf_adds(&padded, text);
    memset(dp_buf_reserve(&padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = text.n > DP_LIMIT_HOLD_FILE ? dp_err_set(err, DP_LIMIT, "a legal hold of more than %u bytes", DP_LIMIT_HOLD_FILE) : dp_scan_value(scan, padded.p, padded.n, &r, err);
    if (status == DP_RECORD) status = DP_FORMAT;
    if (status == DP_OK && r.duplicate_keys) status = dp_err_set(err, DP_FORMAT, "a key stands twice");
    if (status == DP_OK) status = take_hold(&r, arena, out, err);
    dp_scan_close(scan);
    dp_buf_release(&padded);
    return status;
}

static void print_text(struct dp_buf *b, const char *before, struct dp_str text) {
    dp_buf_addz(b, before);
    dp_json_add_string(b, text);
}

static void print_scopes(struct dp_buf *b, const char *name, const struct dp_legal_scope *v, size_t n) {
    dp_buf_addf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        print_text(b, i ? ",{\"column\":" : "{\"column\":", v[i].column);
        print_text(b, ",\"value\":", v[i].value);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, ']');
}

void dp_legal_print(const struct dp_legal_hold *h, struct dp_buf *b) {
    print_text(b, "{\"dp_legal_hold\":1,\"case\":", h->name);
    print_text(b, ",\"reason\":", h->reason);
    print_text(b, ",\"who\":", h->who);
    print_text(b, ",\"time\":", h->time);
    dp_buf_addf(b, ",\"whole\":%s", h->whole ? "true" : "false");
    print_scopes(b, "partitions", h->partitions, h->n_partitions);
    print_scopes(b, "subjects", h->subjects, h->n_subjects);
    dp_buf_addz(b, "}\n");
}

/* ---- the holds of a table ---- */

static struct dp_legal_hold *add(struct dp_legal *l) {
    l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n] = (struct dp_legal_hold){0};
    return &l->v[l->n++];
}

static void add_trouble(struct dp_legal *l, const char *file, const char *why) {
    struct dp_legal_hold *h = add(l);
    h->name = dp_arena_str(&l->arena, dp_str_z(file));
    h->trouble = dp_arena_str(&l->arena, dp_str_z(why)).p;
    h->whole = true;
}

static void read_one(struct dp_legal *l, const char *dir, const char *name) {
    struct dp_buf text = {0};
    struct dp_err why = DP_ERR_INIT;
    struct dp_legal_hold h;
    struct dp_str stem = dp_str_z(name);
    char *path = dp_path_join(dir, name);
    enum dp_status status = dp_file_read_regular(path, DP_LIMIT_HOLD_FILE, &text, &why);
    bool gone = status != DP_OK && why.sys_errno == ENOENT; /* released since the directory was read */
    if (status == DP_OK) status = dp_legal_parse(dp_buf_str(&text), &l->arena, &h, &why);
    if (status == DP_OK && (!dp_str_ends(stem, DP_STR(".json")) || !dp_str_eq(h.name, dp_str(stem.p, stem.n - 5)))) status = dp_err_set(&why, DP_FORMAT, "it is of another case than its name says");
    if (status == DP_OK) *add(l) = h;
    else if (!gone) add_trouble(l, name, why.msg);
    dp_buf_release(&text);
    free(path);
}

static int by_name(const void *a, const void *b) {
    return dp_str_cmp(((const struct dp_legal_hold *)a)->name, ((const struct dp_legal_hold *)b)->name);
}

void dp_legal_read(const char *table, struct dp_legal *out) {
    char *dir = dp_path_join(table, DP_LEGAL_DIR);
    *out = (struct dp_legal){0};
    DIR *d = opendir(dir);
    if (!d && errno != ENOENT) add_trouble(out, ".", "its directory can't be read");
    errno = 0;
    for (struct dirent *e; d && (errno = 0, e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') read_one(out, dir, e->d_name);
    if (d && errno) add_trouble(out, ".", "its directory can't be read to its end");
    if (d) closedir(d);
    free(dir);
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_name);
    for (size_t i = 0; i < out->n; i++) out->whole |= out->v[i].whole, out->subjects |= out->v[i].n_subjects > 0;
}

void dp_legal_release(struct dp_legal *l) {
    free(l->v);
    dp_arena_release(&l->arena);
    *l = (struct dp_legal){0};
}

static void add_name(const struct dp_legal_hold *h, bool is_first, struct dp_buf *b) {
    if (!is_first) dp_buf_addz(b, ", ");
    if (h->trouble) dp_buf_addf(b, DP_LEGAL_DIR "/%.*s, which can't be read (%s)", DP_STR_FMT(h->name), h->trouble);
    else dp_buf_addf(b, "case %.*s", DP_STR_FMT(h->name));
}

void dp_legal_names(const struct dp_legal *l, struct dp_buf *b) {
    for (size_t i = 0; i < l->n; i++) add_name(&l->v[i], i == 0, b);
}

enum dp_status dp_legal_refuse(const struct dp_legal *l, const char *table, const char *what, struct dp_err *err) {
    struct dp_buf b = {0};
    dp_legal_names(l, &b);
    dp_err_set(err, DP_RULE, "%s: %s: held by %s", table, what, dp_buf_z(&b));
    dp_buf_release(&b);
    return DP_RULE;
}

/* ---- what is held ---- */

static bool is_integer(enum dp_type_id id) { return id >= DP_TYPE_INT8 && id <= DP_TYPE_UINT64; }

static bool is_day(struct dp_str s) {
    bool fine = s.n == 10;
    for (size_t i = 0; fine && i < 10; i++) fine = i == 4 || i == 7 ? s.p[i] == '-' : s.p[i] >= '0' && s.p[i] <= '9';
    return fine;
}

/* Are two texts of a partition sure to be other values?  Only where each value has one text. */
static bool differ(const struct dp_type *t, struct dp_str a, struct dp_str b) {
    int64_t x, y;
    if (t->id == DP_TYPE_STRING) return !dp_str_eq(a, b);
    if (!a.n != !b.n) return true; /* null and a value */
    if (is_integer(t->id)) return dp_parse_i64(a, &x) && dp_parse_i64(b, &y) && x != y;
    if (t->id == DP_TYPE_DATE) return is_day(a) && is_day(b) && !dp_str_eq(a, b);
    return false;
}

static struct dp_str held_value(const struct dp_legal_scope *p) { return dp_str_eqz(p->value, "__HIVE_DEFAULT_PARTITION__") ? dp_str("", 0) : p->value; }

/* Sure to be of another partition? */
static bool is_other(const struct dp_delta_snapshot *s, const struct dp_legal_scope *p, const struct dp_delta_file *f) {
    const struct dp_type *t = dp_type_child(s->schema, p->column);
    for (size_t i = 0; t && i < s->metadata.partition_columns.n; i++) {
        if (!dp_str_eq(s->metadata.partition_columns.v[i], p->column)) continue;
        const struct dp_delta_pair *has = dp_delta_pairs_get(&f->partition_values, s->partition_keys.v[i]);
        return has && differ(t, has->is_null ? dp_str("", 0) : has->value, held_value(p));
    }
    return false;
}

bool dp_legal_holds_file(const struct dp_legal *l, const struct dp_delta_snapshot *s, const struct dp_delta_file *f) {
    if (l->whole) return true;
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i].n_partitions; k++)
            if (!is_other(s, &l->v[i].partitions[k], f)) return true;
    return false;
}

bool dp_legal_rows(const struct dp_legal *l, const struct dp_type *schema, struct dp_buf *out) {
    size_t n = 0;
    if (l->whole) return false;
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i].n_subjects; k++) {
            const struct dp_legal_scope *x = &l->v[i].subjects[k];
            const struct dp_type *t = dp_type_child(schema, x->column);
            int64_t number;
            if (!t || (t->id != DP_TYPE_STRING && !(is_integer(t->id) && dp_parse_i64(x->value, &number)))) return false;
            dp_buf_addz(out, n++ ? " or .[" : ".[");
            dp_json_add_string(out, x->column);
            dp_buf_addz(out, "] == ");
            if (t->id == DP_TYPE_STRING) dp_json_add_string(out, x->value);
            else dp_buf_addf(out, "%lld", (long long)number);
        }
    return true;
}

static bool same_value(struct dp_str a, struct dp_str b) {
    int64_t x, y;
    return dp_str_eq(a, b) || (dp_parse_i64(a, &x) && dp_parse_i64(b, &y) && x == y);
}

bool dp_legal_holds_subject(const struct dp_legal *l, struct dp_str column, struct dp_str value, struct dp_buf *cases) {
    bool held = false;
    for (size_t i = 0; i < l->n; i++) {
        const struct dp_legal_hold *h = &l->v[i];
        bool by = h->whole || h->n_partitions > 0;
        for (size_t k = 0; k < h->n_subjects && !by; k++)
            by = !dp_str_eq(h->subjects[k].column, column) || same_value(h->subjects[k].value, value); /* who is held by another column may be this one */
        if (by && cases) add_name(h, !held, cases);
        held |= by;
    }
    return held;
}

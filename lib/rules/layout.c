/* Partition keys: parsing of --by, binding to a schema, values of rows (dp-partition(1)).  Knows nothing of files. */
#include <dp/rules/layout.h>

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const fn_names[] = {"value", "year", "month", "day", "hour", "hash", "truncate", "range", NULL};

static struct dp_str trim(struct dp_str s) {
    while (s.n && s.p[0] == ' ') s.p++, s.n--;
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

static enum dp_status find_fn(struct dp_str word, enum dp_layout_fn *fn, struct dp_err *err) {
    char text[32];
    for (size_t i = 0; fn_names[i]; i++) {
        if (!dp_str_eqz(word, fn_names[i])) continue;
        *fn = (enum dp_layout_fn)i;
        return DP_OK;
    }
    size_t n = word.n < sizeof text ? word.n : sizeof text - 1;
    if (n) memcpy(text, word.p, n);
    text[n] = 0;
    const char *near = dp_str_nearest(text, fn_names);
    return dp_err_set(err, DP_USAGE, "--by: no function \"%s\"%s%s%s", text, near ? "; did you mean " : " (year, month, day, hour, hash, truncate, range)",
                      near ? near : "", near ? "?" : "");
}

/* The next of a list with commas; the list goes on behind it. */
static struct dp_str take_item(struct dp_str *list) {
    const char *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
    struct dp_str item = trim(dp_str(list->p, comma ? (size_t)(comma - list->p) : list->n));
    *list = comma ? dp_str(comma + 1, (size_t)(list->p + list->n - comma) - 1) : dp_str(list->p, 0);
    return item;
}

/* COLUMN, BOUND...: the bounds without blanks around them. */
static enum dp_status split_bounds(struct dp_layout_key *k, struct dp_str spec, struct dp_str *inside, struct dp_err *err) {
    struct dp_str list = *inside, column = take_item(&list);
    struct dp_buf b = {0};
    bool empty = false;
    for (; list.n; k->n++) {
        struct dp_str item = take_item(&list);
        empty |= !item.n;
        if (k->n) dp_buf_addc(&b, ',');
        dp_buf_adds(&b, item);
    }
    k->bounds = dp_buf_detach(&b);
    *inside = column;
    return k->n && !empty ? DP_OK : dp_err_set(err, DP_USAGE, "--by \"%.*s\": expected range(COLUMN, BOUND, BOUND...)", DP_STR_FMT(spec));
}

/* COLUMN, N; also N, COLUMN, as some engines spell it. */
static enum dp_status split_count(struct dp_layout_key *k, struct dp_str spec, struct dp_str *inside, struct dp_err *err) {
    size_t first = 0, last = 0;
    for (size_t i = 0; i < inside->n; i++)
        if (inside->p[i] == ',') last = i, first = first ? first : i;
    struct dp_str head = dp_str(inside->p, last), tail = dp_str(inside->p + last + 1, last ? inside->n - last - 1 : 0);
    if (!last || !dp_parse_i64(trim(tail), &k->n)) {
        head = dp_str(inside->p + first + 1, first ? inside->n - first - 1 : 0);
        if (!first || !dp_parse_i64(trim(dp_str(inside->p, first)), &k->n)) k->n = 0;
    }
    *inside = head;
    return k->n >= 1 && k->n <= INT32_MAX ? DP_OK : dp_err_set(err, DP_USAGE, "--by \"%.*s\": expected %s(COLUMN, N) with N from 1 to %d", DP_STR_FMT(spec),
                                                               fn_names[k->fn], INT32_MAX);
}

/* FN(COLUMN), FN(COLUMN, N) or FN(COLUMN, BOUND...). */
static enum dp_status parse_call(struct dp_layout_key *k, struct dp_str spec, struct dp_str call, struct dp_err *err) {
    const char *open = call.n ? memchr(call.p, '(', call.n) : NULL;
    if (!open || call.p[call.n - 1] != ')') return dp_err_set(err, DP_USAGE, "--by \"%.*s\": expected NAME=FUNCTION(COLUMN)", DP_STR_FMT(spec));
    DP_TRY(find_fn(trim(dp_str(call.p, (size_t)(open - call.p))), &k->fn, err));
    struct dp_str inside = dp_str(open + 1, (size_t)(call.p + call.n - open) - 2);
    if (k->fn == DP_LAYOUT_HASH || k->fn == DP_LAYOUT_TRUNCATE) DP_TRY(split_count(k, spec, &inside, err));
    if (k->fn == DP_LAYOUT_RANGE) DP_TRY(split_bounds(k, spec, &inside, err));
    inside = trim(inside);
    if (inside.n == 0) return dp_err_set(err, DP_USAGE, "--by \"%.*s\": names no column", DP_STR_FMT(spec));
    k->column = dp_strndup(inside.p, inside.n);
    return DP_OK;
}

/* What a function's column is called where nobody says: "day"; "id_hash" of those that say nothing without their column. */
static char *default_name(const struct dp_layout_key *k) {
    struct dp_buf b = {0};
    bool is_time = k->fn == DP_LAYOUT_YEAR || k->fn == DP_LAYOUT_MONTH || k->fn == DP_LAYOUT_DAY || k->fn == DP_LAYOUT_HOUR;
    if (!is_time) dp_buf_addf(&b, "%s_", k->column);
    dp_buf_addz(&b, fn_names[k->fn]);
    return dp_buf_detach(&b);
}

static enum dp_status check_new(const struct dp_layout *l, struct dp_str name, struct dp_err *err) {
    for (size_t i = 0; i < l->n; i++) {
        if (dp_str_eqz(name, l->keys[i].name)) return dp_err_set(err, DP_USAGE, "--by: \"%.*s\" is given twice", DP_STR_FMT(name));
    }
    return DP_OK;
}

static void push(struct dp_layout *l, struct dp_layout_key k) {
    l->keys = dp_grow(l->keys, &l->cap, l->n + 1, sizeof *l->keys);
    l->keys[l->n++] = k;
}

enum dp_status dp_layout_add(struct dp_layout *l, struct dp_str spec, struct dp_err *err) {
    struct dp_layout_key k = {0};
    struct dp_str text = trim(spec);
    const char *eq = text.n ? memchr(text.p, '=', text.n) : NULL, *open = text.n ? memchr(text.p, '(', text.n) : NULL;
    bool is_named = eq && (!open || eq < open);
    struct dp_str name = trim(dp_str(text.p, is_named ? (size_t)(eq - text.p) : open ? 0 : text.n));
    enum dp_status status = DP_OK;
    if (is_named || open) status = parse_call(&k, spec, is_named ? trim(dp_str(eq + 1, text.n - (size_t)(eq - text.p) - 1)) : text, err);
    else k.column = dp_strndup(name.p, name.n);
    if (status == DP_OK) k.name = name.n || is_named || !open ? dp_strndup(name.p, name.n) : default_name(&k);
    if (status == DP_OK && !*k.name) status = dp_err_set(err, DP_USAGE, "--by \"%.*s\": expected a column or NAME=FUNCTION(COLUMN)", DP_STR_FMT(spec));
    if (status == DP_OK) status = check_new(l, dp_str_z(k.name), err);
    if (status == DP_OK) return push(l, k), DP_OK;
    free(k.name), free(k.column), free(k.bounds);
    return status;
}

enum dp_status dp_layout_add_column(struct dp_layout *l, struct dp_str name, struct dp_err *err) {
    DP_TRY(check_new(l, name, err));
    push(l, (struct dp_layout_key){.name = dp_strndup(name.p, name.n), .column = dp_strndup(name.p, name.n)});
    return DP_OK;
}

/* ---- as text ---- */

void dp_layout_key_print(const struct dp_layout_key *k, struct dp_buf *out) {
    dp_buf_addz(out, k->name);
    if (k->fn == DP_LAYOUT_VALUE) return;
    dp_buf_addf(out, "=%s(", fn_names[k->fn]);
    dp_buf_addz(out, k->column);
    if (k->fn == DP_LAYOUT_HASH || k->fn == DP_LAYOUT_TRUNCATE) dp_buf_addf(out, ",%lld", (long long)k->n);
    if (k->fn == DP_LAYOUT_RANGE) dp_buf_addf(out, ","), dp_buf_addz(out, k->bounds);
    dp_buf_addc(out, ')');
}

bool dp_layout_key_eq(const struct dp_layout_key *a, const struct dp_layout_key *b) {
    return a->fn == b->fn && a->n == b->n && strcmp(a->name, b->name) == 0 && strcmp(a->column, b->column) == 0 &&
           (a->fn != DP_LAYOUT_RANGE || strcmp(a->bounds, b->bounds) == 0);
}

void dp_layout_print(const struct dp_layout *l, struct dp_buf *out) {
    struct dp_buf key = {0};
    dp_buf_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        dp_buf_reset(&key);
        dp_layout_key_print(&l->keys[i], &key);
        if (i) dp_buf_addc(out, ',');
        if (l->keys[i].fn == DP_LAYOUT_VALUE) dp_buf_addz(out, "{\"column\":");
        dp_json_add_string(out, dp_buf_str(&key));
        if (l->keys[i].fn == DP_LAYOUT_VALUE) dp_buf_addc(out, '}');
    }
    dp_buf_addc(out, ']');
    dp_buf_release(&key);
}

static enum dp_status parse_item(struct dp_layout *l, const struct dp_record *r, uint32_t node, struct dp_err *err) {
    struct dp_buf text = {0};
    uint32_t column = r->nodes[node].kind == DP_KIND_OBJECT ? dp_json_member(r, node, "column") : 0;
    enum dp_status status = DP_FORMAT;
    if (!dp_json_get_string(r, column ? column : node, &text) || memchr(dp_buf_z(&text), 0, text.n))
        dp_err_set(err, DP_FORMAT, "a key is a text, or {\"column\":NAME}");
    else status = column ? dp_layout_add_column(l, dp_buf_str(&text), err) : dp_layout_add(l, dp_buf_str(&text), err);
    dp_buf_release(&text);
    return status;
}

enum dp_status dp_layout_parse(struct dp_layout *l, struct dp_str text, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_PORTABLE);
    struct dp_buf b = {0};
    struct dp_record r;
    dp_buf_adds(&b, text);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(scan, b.p, b.n, &r, err);
    if (status == DP_OK && r.nodes[0].kind != DP_KIND_ARRAY) status = dp_err_set(err, DP_FORMAT, "not an array");
    for (uint32_t i = 1; status == DP_OK && i < r.n_nodes; i = r.nodes[i].next) status = parse_item(l, &r, i, err);
    if (status != DP_OK) {
        if (err) err->status = DP_FORMAT; /* whoever wrote it, it was not the command line */
        dp_err_prefix(err, "property " DP_LAYOUT_PROPERTY ": ");
    }
    dp_scan_close(scan);
    dp_buf_release(&b);
    return status == DP_OK ? DP_OK : DP_FORMAT;
}

void dp_layout_release(struct dp_layout *l) {
    for (size_t i = 0; i < l->n; i++) free(l->keys[i].name), free(l->keys[i].column), free(l->keys[i].bounds), free(l->keys[i].parsed);
    free(l->keys);
    dp_type_free(l->schema);
    *l = (struct dp_layout){0};
}

bool dp_layout_is_value(const struct dp_layout *l, struct dp_str column) {
    for (size_t i = 0; i < l->n; i++) {
        if (l->keys[i].fn == DP_LAYOUT_VALUE && dp_str_eqz(column, l->keys[i].name)) return true;
    }
    return false;
}

/* ---- binding ---- */

static bool is_integer(enum dp_type_id id) { return id >= DP_TYPE_INT8 && id <= DP_TYPE_UINT64; }
static bool is_text(enum dp_type_id id) { return id == DP_TYPE_STRING || id == DP_TYPE_ENUM; }

static bool takes(enum dp_layout_fn fn, const struct dp_type *t) {
    switch (fn) {
    case DP_LAYOUT_VALUE: return !dp_type_is_nested(t) && t->id != DP_TYPE_NONE && t->id != DP_TYPE_JSON;
    case DP_LAYOUT_HOUR: return t->id == DP_TYPE_TIMESTAMP;
    case DP_LAYOUT_YEAR:
    case DP_LAYOUT_MONTH:
    case DP_LAYOUT_DAY: return t->id == DP_TYPE_TIMESTAMP || t->id == DP_TYPE_DATE;
    case DP_LAYOUT_HASH: return !dp_type_is_nested(t) && t->id != DP_TYPE_NONE && t->id != DP_TYPE_BOOLEAN;
    case DP_LAYOUT_TRUNCATE: return is_text(t->id) || (is_integer(t->id) && t->id != DP_TYPE_UINT64);
    case DP_LAYOUT_RANGE:
        return is_text(t->id) || (is_integer(t->id) && t->id != DP_TYPE_UINT64) || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE || t->id == DP_TYPE_DATE ||
               t->id == DP_TYPE_TIMESTAMP;
    }
    return false;
}

static enum dp_type_id result_id(const struct dp_layout_key *k, const struct dp_type *t) {
    switch (k->fn) {
    case DP_LAYOUT_VALUE: return t->id;
    case DP_LAYOUT_YEAR:
    case DP_LAYOUT_RANGE:
    case DP_LAYOUT_HASH: return DP_TYPE_INT32;
    case DP_LAYOUT_DAY: return DP_TYPE_DATE;
    case DP_LAYOUT_MONTH:
    case DP_LAYOUT_HOUR: return DP_TYPE_STRING;
    case DP_LAYOUT_TRUNCATE: return is_integer(t->id) ? DP_TYPE_INT64 : DP_TYPE_STRING;
    }
    return DP_TYPE_NONE;
}

static bool parse_bound(const struct dp_type *t, struct dp_str s, struct dp_layout_bound *out) {
    struct dp_timestamp time;
    int32_t days;
    if (is_text(t->id)) return out->s = s, true;
    if (is_integer(t->id)) return dp_parse_i64(s, &out->i);
    if (t->id == DP_TYPE_DATE) return dp_date_parse(s, &days) ? (out->i = days, true) : false;
    if (t->id != DP_TYPE_TIMESTAMP) return dp_parse_double(s, &out->d) && out->d == out->d;
    if (!dp_time_parse(s, true, true, &time) || (time.zone == DP_ZONE_NONE) == t->utc || !dp_time_micros(&time, &out->i)) return false;
    if (t->unit == DP_UNIT_NANOS) return !dp_mul_overflow(out->i, 1000, &out->i);
    return t->unit != DP_UNIT_MILLIS || (out->i % 1000 == 0 ? (out->i /= 1000, true) : false);
}

static enum dp_status bind_bounds(struct dp_layout_key *k, const struct dp_type *t, struct dp_err *err) {
    struct dp_str list = dp_str_z(k->bounds);
    free(k->parsed);
    k->parsed = dp_calloc((size_t)k->n, sizeof *k->parsed);
    for (int64_t i = 0; i < k->n; i++) {
        struct dp_str item = take_item(&list);
        struct dp_layout_bound *b = &k->parsed[i];
        if (!parse_bound(t, item, b)) {
            struct dp_buf text = {0};
            dp_type_print(t, &text);
            dp_err_set(err, DP_USAGE, "--by %s: bound %.*s is not a value of column %s, which is %s", k->name, DP_STR_FMT(item), k->column, dp_buf_z(&text));
            dp_buf_release(&text);
            return DP_USAGE;
        }
        bool up = !i || (is_text(t->id) ? dp_str_cmp(b[-1].s, b->s) < 0 : b[-1].i < b->i || b[-1].d < b->d);
        if (!up) return dp_err_set(err, DP_USAGE, "--by %s: the bounds must ascend, %.*s does not", k->name, DP_STR_FMT(item));
    }
    return DP_OK;
}

static enum dp_status bind_key(struct dp_layout *l, struct dp_layout_key *k, const struct dp_type *schema, struct dp_err *err) {
    size_t i = 0;
    while (i < schema->n_children && strcmp(schema->children[i]->name, k->column) != 0) i++;
    if (i == schema->n_children) {
        const char *near = dp_type_nearest(schema, dp_str_z(k->column));
        return dp_err_set(err, DP_USAGE, "--by %s: there is no column \"%s\"%s%s%s", k->name, k->column, near ? "; did you mean \"" : "", near ? near : "",
                          near ? "\"?" : "");
    }
    const struct dp_type *t = schema->children[i];
    if (!takes(k->fn, t)) {
        struct dp_buf text = {0};
        dp_type_print(t, &text);
        dp_err_set(err, DP_SCHEMA, "--by %s: %s does not take column %s, which is %s", k->name, fn_names[k->fn], k->column, dp_buf_z(&text));
        dp_buf_release(&text);
        return DP_SCHEMA;
    }
    if (k->fn != DP_LAYOUT_VALUE && dp_type_child(schema, dp_str_z(k->name)))
        return dp_err_set(err, DP_SCHEMA, "--by %s: the records have a column of that name: give the derived one another", k->name);
    if (k->fn == DP_LAYOUT_RANGE) DP_TRY(bind_bounds(k, t, err));
    k->index = i;
    struct dp_type *made = k->fn == DP_LAYOUT_VALUE ? dp_type_copy(t) : dp_type_new(result_id(k, t), dp_str_z(k->name));
    made->nullable = true;
    dp_type_add(l->schema, made);
    return DP_OK;
}

enum dp_status dp_layout_bind(struct dp_layout *l, const struct dp_type *schema, struct dp_err *err) {
    dp_type_free(l->schema);
    l->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    l->schema->nullable = false;
    for (size_t i = 0; i < l->n; i++) DP_TRY(bind_key(l, &l->keys[i], schema, err));
    return DP_OK;
}

/* ---- values ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static int64_t int_at(const struct dp_column *c, int64_t row) {
    switch (c->type->id) {
    case DP_TYPE_INT8: return ((const int8_t *)c->data)[row];
    case DP_TYPE_UINT8: return c->data[row];
    case DP_TYPE_INT16: return ((const int16_t *)(const void *)c->data)[row];
    case DP_TYPE_UINT16: return ((const uint16_t *)(const void *)c->data)[row];
    case DP_TYPE_INT32:
    case DP_TYPE_DATE: return ((const int32_t *)(const void *)c->data)[row];
    case DP_TYPE_UINT32: return ((const uint32_t *)(const void *)c->data)[row];
    default: return ((const int64_t *)(const void *)c->data)[row];
    }
}

static int64_t seconds_at(const struct dp_column *c, int64_t row) {
    if (c->type->id == DP_TYPE_DATE) return int_at(c, row) * 86400;
    return floor_div(int_at(c, row), c->type->unit == DP_UNIT_MILLIS ? 1000 : c->type->unit == DP_UNIT_NANOS ? 1000000000 : 1000000);
}

static void append_i32(struct dp_column *c, int64_t v) {
    int32_t x = (int32_t)v;
    dp_column_append_fixed(c, &x, 1);
}

static enum dp_status append_time(const struct dp_layout_key *k, const struct dp_column *in, int64_t row, struct dp_column *out, struct dp_err *err) {
    int64_t seconds = seconds_at(in, row), days = floor_div(seconds, 86400), year;
    unsigned month, day;
    char text[40];
    dp_civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999) return dp_err_set(err, DP_SCHEMA, "--by %s: year %lld of column %s is outside 0 to 9999", k->name, (long long)year, k->column);
    int n = 0;
    if (k->fn == DP_LAYOUT_YEAR) append_i32(out, year);
    else if (k->fn == DP_LAYOUT_DAY) append_i32(out, days);
    else if (k->fn == DP_LAYOUT_MONTH) n = snprintf(text, sizeof text, "%04d-%02u", (int)year, month);
    else n = snprintf(text, sizeof text, "%04d-%02u-%02uT%02d", (int)year, month, day, (int)((seconds - days * 86400) / 3600));
    if (n > 0) dp_column_append_bytes(out, text, (size_t)n);
    return DP_OK;
}

static size_t fixed_width(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_FLOAT16: return 2;
    case DP_TYPE_FLOAT: return 4;
    case DP_TYPE_DECIMAL:
    case DP_TYPE_UUID: return 16;
    case DP_TYPE_INTERVAL: return 12;
    case DP_TYPE_FIXED: return (size_t)t->width;
    default: return 8;
    }
}

/* Integers of any width hash alike, as eight bytes. */
static uint64_t hash_at(const struct dp_column *c, int64_t row) {
    if (c->offsets) return XXH64(c->data + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row]), 0);
    if (is_integer(c->type->id) || c->type->id == DP_TYPE_DATE) {
        int64_t v = int_at(c, row);
        return XXH64(&v, 8, 0);
    }
    size_t w = fixed_width(c->type);
    return XXH64(c->data + (size_t)row * w, w, 0);
}

static void append_truncated(const struct dp_layout_key *k, const struct dp_column *in, int64_t row, struct dp_column *out) {
    if (!in->offsets) {
        int64_t v;
        if (dp_mul_overflow(floor_div(int_at(in, row), k->n), k->n, &v)) v = INT64_MIN; /* the multiple below the least integer */
        dp_column_append_fixed(out, &v, 1);
        return;
    }
    const uint8_t *p = in->data + in->offsets[row];
    size_t n = (size_t)(in->offsets[row + 1] - in->offsets[row]), at = 0;
    for (int64_t left = k->n; at < n; at++) {
        if ((p[at] & 0xc0) != 0x80 && left-- == 0) break;
    }
    dp_column_append_bytes(out, p, at);
}

/* How many bounds are at or below the value. */
static int64_t range_of(const struct dp_layout_key *k, const struct dp_column *in, int64_t row) {
    int64_t low = 0, high = k->n;
    struct dp_layout_bound v = {0};
    bool text = in->offsets != NULL, real = in->type->id == DP_TYPE_FLOAT || in->type->id == DP_TYPE_DOUBLE;
    if (text) v.s = dp_str((const char *)in->data + in->offsets[row], (size_t)(in->offsets[row + 1] - in->offsets[row]));
    else if (in->type->id == DP_TYPE_FLOAT) v.d = (double)((const float *)(const void *)in->data)[row];
    else if (real) v.d = ((const double *)(const void *)in->data)[row];
    else v.i = int_at(in, row);
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        const struct dp_layout_bound *b = &k->parsed[mid];
        bool above = text ? dp_str_cmp(v.s, b->s) < 0 : real ? v.d < b->d : v.i < b->i;
        if (above) high = mid;
        else low = mid + 1;
    }
    return low;
}

static enum dp_status key_column(const struct dp_layout_key *k, const struct dp_column *in, int64_t n, struct dp_column *out, struct dp_err *err) {
    if (k->fn == DP_LAYOUT_VALUE) {
        dp_column_append(out, in, 0, n);
        return DP_OK;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!dp_column_is_valid(in, i)) dp_column_append_null(out);
        else if (k->fn == DP_LAYOUT_HASH) append_i32(out, (int64_t)(hash_at(in, i) % (uint64_t)k->n));
        else if (k->fn == DP_LAYOUT_RANGE) append_i32(out, range_of(k, in, i));
        else if (k->fn == DP_LAYOUT_TRUNCATE) append_truncated(k, in, i, out);
        else DP_TRY(append_time(k, in, i, out, err));
    }
    return DP_OK;
}

enum dp_status dp_layout_keys(const struct dp_layout *l, const struct dp_batch *rows, struct dp_batch *keys, struct dp_err *err) {
    dp_batch_reset(keys);
    for (size_t i = 0; i < l->n; i++) DP_TRY(key_column(&l->keys[i], &rows->columns[l->keys[i].index], rows->length, &keys->columns[i], err));
    keys->length = rows->length;
    return DP_OK;
}

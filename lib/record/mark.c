/*
 * Marks and the running hash of data lines, as in dp-records(5).  A member that the kind does not know is kept as it
 * is spelled and passed on.  Does not check run ids or counts: that is for the stream.
 */
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/mark.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

static const char *const kind_names[] = {
    [DP_MARK_NONE] = "none",           [DP_MARK_BEGIN] = "begin",   [DP_MARK_CHECKPOINT] = "checkpoint",
    [DP_MARK_WATERMARK] = "watermark", [DP_MARK_IDLE] = "idle",     [DP_MARK_ACTIVE] = "active",
    [DP_MARK_HEARTBEAT] = "heartbeat", [DP_MARK_END] = "end",       [DP_MARK_ABORT] = "abort",
};
#define N_KINDS (sizeof kind_names / sizeof kind_names[0])

const char *dp_mark_kind_name(enum dp_mark_kind k) { return (size_t)k < N_KINDS ? kind_names[k] : "none"; }

bool dp_mark_time(const struct dp_mark *m, int64_t *ms) {
    struct dp_timestamp t;
    if (!m->time) return false;
    if (dp_parse_i64(dp_str_z(m->time), ms)) return true;
    if (!dp_time_parse(dp_str_z(m->time), false, false, &t)) return false;
    *ms = t.seconds * 1000 + t.nanos / 1000000;
    return true;
}

#define ON(kind) (1u << DP_MARK_##kind)
#define ON_ALL 0xffffu

enum member_type { TEXT, TIME, FLAG, COUNT, CODE, VERSION, CHAIN, SCHEMA, FIELDS };

struct member {
    const char *name;
    enum member_type type;
    unsigned kinds, needed; /* kinds that have it; that must have it */
    size_t at;              /* offset of the field */
};

#define AT(field) offsetof(struct dp_mark, field)

/* In the order in which they are printed. */
static const struct member members[] = {
    {"run", TEXT, ON_ALL, ON(BEGIN), AT(run)},
    {"job", TEXT, ON(BEGIN), 0, AT(job)},
    {"source", TEXT, ON(BEGIN) | ON(CHECKPOINT) | ON(WATERMARK) | ON(IDLE) | ON(ACTIVE) | ON(HEARTBEAT), 0, AT(source)},
    {"partition", TEXT, ON(CHECKPOINT), 0, AT(partition)},
    {"position", TEXT, ON(CHECKPOINT), ON(CHECKPOINT), AT(position)},
    {"id", TEXT, ON(CHECKPOINT) | ON(BEGIN), 0, AT(id)},
    {"more", FLAG, ON(CHECKPOINT), 0, AT(more)},
    {"time", TIME, ON(WATERMARK) | ON(HEARTBEAT), ON(WATERMARK) | ON(HEARTBEAT), AT(time)},
    {"program", TEXT, ON(ABORT), 0, AT(program)},
    {"exit_code", CODE, ON(ABORT), ON(ABORT), AT(exit_code)},
    {"reason", TEXT, ON(ABORT), 0, AT(reason)},
    {"records", COUNT, ON(END), ON(END), AT(records)},
    {"hash", TEXT, ON(END), 0, AT(hash)},
    {"chain", CHAIN, ON(BEGIN), 0, AT(chain)},
    {"table_version", VERSION, ON(BEGIN), 0, AT(table_version)},
    {"schema", SCHEMA, ON(BEGIN), 0, AT(schema)},
    {"fields", FIELDS, ON(BEGIN), 0, AT(fields)},
    {"origins", FIELDS, ON(BEGIN), 0, AT(origins)},
};
#define N_MEMBERS (sizeof members / sizeof members[0])

static size_t skip_blanks(const char *p, size_t n, size_t i) {
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r')) i++;
    return i;
}

bool dp_mark_is(struct dp_str line) {
    size_t i = skip_blanks(line.p, line.n, 0);
    if (i == line.n || line.p[i] != '{') return false;
    i = skip_blanks(line.p, line.n, i + 1);
    return line.n - i >= 5 && memcmp(line.p + i, "\"$dp\"", 5) == 0;
}

size_t dp_mark_find(const char *p, size_t n, size_t from) {
    const char *at = p + from, *end = p + n, *dollar;
    while (at < end && (dollar = memchr(at, '$', (size_t)(end - at))) != NULL) {
        at = dollar + 1;
        if (dollar == p + from || dollar[-1] != '"' || end - dollar < 4 || memcmp(dollar, "$dp\"", 4) != 0) continue;
        const char *start = dollar - 1;
        while (start > p + from && start[-1] != '\n') {
            char c = *--start;
            if (c != ' ' && c != '\t' && c != '\r' && c != '{') {
                start = NULL;
                break;
            }
        }
        if (start && dp_mark_is(dp_str(start, (size_t)(end - start)))) return (size_t)(start - p);
    }
    return n;
}

/* ---- reading ---- */

struct reading {
    const struct dp_record *r;
    struct dp_mark *m;
    struct dp_err *err;
};

static enum dp_status wrong(const struct reading *rd, const char *name, const char *what) {
    return dp_err_set(rd->err, DP_RECORD, "mark `%s`: %s: %s", dp_mark_kind_name(rd->m->kind), name, what);
}

/* NULL: not a string, or one with a NUL in it. */
static char *text_of(const struct dp_record *r, uint32_t v) {
    struct dp_buf b = {0};
    if (dp_json_get_string(r, v, &b) && (!b.n || !memchr(b.p, 0, b.n))) return dp_buf_detach(&b);
    dp_buf_release(&b);
    return NULL;
}

static enum dp_status read_time(const struct reading *rd, uint32_t v, char **out) {
    const struct dp_node *n = &rd->r->nodes[v];
    int64_t ms;
    struct dp_timestamp t;
    if (n->kind == DP_KIND_NUMBER && dp_json_get_i64(rd->r, v, &ms)) {
        *out = dp_strndup(rd->r->base + n->off, n->len);
        return DP_OK;
    }
    char *text = text_of(rd->r, v);
    if (text && dp_time_parse(dp_str_z(text), false, false, &t)) {
        *out = text;
        return DP_OK;
    }
    free(text);
    return wrong(rd, "time", "expected an RFC 3339 time or integer milliseconds");
}

static enum dp_status read_chain(const struct reading *rd, uint32_t v) {
    const struct dp_record *r = rd->r;
    size_t cap = 0;
    if (r->nodes[v].kind != DP_KIND_ARRAY) return wrong(rd, "chain", "expected an array of strings");
    for (uint32_t i = v + 1; i < r->nodes[v].next; i = r->nodes[i].next) {
        char *text = text_of(r, i);
        if (!text) return wrong(rd, "chain", "expected an array of strings");
        rd->m->chain = dp_grow(rd->m->chain, &cap, rd->m->n_chain + 1, sizeof *rd->m->chain);
        rd->m->chain[rd->m->n_chain++] = text;
    }
    return DP_OK;
}

static enum dp_status read_member(const struct reading *rd, const struct member *mb, uint32_t v) {
    const struct dp_node *n = &rd->r->nodes[v];
    char *field = (char *)rd->m + mb->at;
    int64_t i;
    switch (mb->type) {
    case TEXT:
        if ((*(char **)(void *)field = text_of(rd->r, v)) == NULL) return wrong(rd, mb->name, "expected a string");
        return DP_OK;
    case TIME: return read_time(rd, v, (char **)(void *)field);
    case FLAG:
        if (n->kind != DP_KIND_TRUE && n->kind != DP_KIND_FALSE) return wrong(rd, mb->name, "expected true or false");
        *(bool *)(void *)field = n->kind == DP_KIND_TRUE;
        return DP_OK;
    case COUNT:
        if (n->kind != DP_KIND_NUMBER || !dp_parse_u64(dp_node_str(rd->r, v), (uint64_t *)(void *)field))
            return wrong(rd, mb->name, "expected a count");
        return DP_OK;
    case CODE:
        if (!dp_json_get_i64(rd->r, v, &i) || i < 0 || i > 255) return wrong(rd, mb->name, "expected 0 to 255");
        *(int *)(void *)field = (int)i;
        return DP_OK;
    case VERSION:
        if (!dp_json_get_i64(rd->r, v, &i) || i < 0) return wrong(rd, mb->name, "expected a version");
        *(int64_t *)(void *)field = i;
        return DP_OK;
    case CHAIN: return read_chain(rd, v);
    case SCHEMA:
        if (n->kind == DP_KIND_NULL) return DP_OK;
        return dp_type_from_json(rd->r, v, &rd->m->schema, rd->err);
    case FIELDS:
        if (n->kind != DP_KIND_ARRAY) return wrong(rd, mb->name, "expected an array");
        *(char **)(void *)field = dp_strndup(rd->r->base + n->off, n->len);
        return DP_OK;
    }
    return DP_OK;
}

static const struct member *member_of(const struct reading *rd, uint32_t key) {
    for (size_t i = 0; i < N_MEMBERS; i++)
        if ((members[i].kinds >> rd->m->kind & 1) && dp_json_equal(dp_node_str(rd->r, key), rd->r->nodes[key].flags, dp_str_z(members[i].name)))
            return &members[i];
    return NULL;
}

static enum dp_status read_kind(const struct reading *rd) {
    const struct dp_record *r = rd->r;
    if (r->n_members == 0 || !dp_str_eq(dp_node_str(r, 1), DP_STR("$dp")))
        return dp_err_set(rd->err, DP_RECORD, "not a mark: the first key is not \"$dp\"");
    if (r->duplicate_keys) return dp_err_set(rd->err, DP_RECORD, "a mark with a key that is there twice");
    for (size_t k = DP_MARK_BEGIN; k < N_KINDS; k++)
        if (r->nodes[2].kind == DP_KIND_STRING && dp_json_equal(dp_node_str(r, 2), r->nodes[2].flags, dp_str_z(kind_names[k]))) {
            rd->m->kind = (enum dp_mark_kind)k;
            return DP_OK;
        }
    return dp_err_set(rd->err, DP_RECORD, "unknown mark %.*s", (int)(r->nodes[2].len < 40 ? r->nodes[2].len : 40), r->base + r->nodes[2].off);
}

static enum dp_status read_mark(const struct reading *rd) {
    const struct dp_record *r = rd->r;
    unsigned seen = 0;
    struct dp_buf extra = {0};
    enum dp_status status = DP_OK;
    DP_TRY(read_kind(rd));
    for (uint32_t k = 3; k < r->n_nodes; k = r->nodes[k].next) {
        const struct member *mb = member_of(rd, k);
        if (mb) {
            seen |= 1u << (mb - members);
            DP_TRY_OUT(read_member(rd, mb, k + 1));
            continue;
        }
        const struct dp_node *v = &r->nodes[k + 1];
        uint32_t end = v->off + v->len + (v->kind == DP_KIND_STRING);
        dp_buf_addc(&extra, extra.n ? ',' : '{');
        dp_buf_add(&extra, r->base + r->nodes[k].off - 1, end - (r->nodes[k].off - 1)); /* name, colon, value as spelled */
    }
    for (size_t i = 0; i < N_MEMBERS; i++)
        if ((members[i].needed >> rd->m->kind & 1) && !(seen >> i & 1)) DP_TRY_OUT(wrong(rd, members[i].name, "missing"));
    if (extra.n) {
        dp_buf_addc(&extra, '}');
        rd->m->extra = dp_buf_detach(&extra);
    }
out:
    dp_buf_release(&extra);
    return status;
}

enum dp_status dp_mark_parse(struct dp_str line, struct dp_mark *m, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_buf text = {0};
    struct dp_record r;
    struct reading rd = {.r = &r, .m = m, .err = err};
    *m = (struct dp_mark){.table_version = -1};
    if (line.n > DP_LIMIT_MARK) return dp_err_set(err, DP_RECORD, "a mark of %zu bytes (limit %u)", line.n, DP_LIMIT_MARK);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_MARK, DP_SCAN_AUTO);
    dp_buf_adds(&text, line);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    DP_TRY_OUT(dp_scan_value(scan, text.p, text.n, &r, err));
    DP_TRY_OUT(read_mark(&rd));
out:
    if (status != DP_OK) dp_mark_release(m);
    dp_scan_close(scan);
    dp_buf_release(&text);
    return status;
}

/* ---- writing ---- */

static void print_chain(const struct dp_mark *m, struct dp_buf *b) {
    dp_buf_addc(b, '[');
    for (size_t i = 0; i < m->n_chain; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(m->chain[i]));
    }
    dp_buf_addc(b, ']');
}

/* The time is an integer or RFC 3339, and only the latter has a 'T', 't' or ':'. */
static void print_time(const char *time, struct dp_buf *b) {
    int64_t ms;
    if (dp_parse_i64(dp_str_z(time), &ms)) dp_json_add_i64(b, ms);
    else dp_json_add_string(b, dp_str_z(time));
}

static bool is_set(const struct dp_mark *m, const struct member *mb) {
    const char *field = (const char *)m + mb->at;
    if (!(mb->kinds >> m->kind & 1)) return false;
    switch (mb->type) {
    case COUNT:
    case CODE: return true;
    case FLAG: return *(const bool *)(const void *)field;
    case VERSION: return *(const int64_t *)(const void *)field >= 0;
    case CHAIN: return m->n_chain > 0;
    case SCHEMA: return m->schema != NULL;
    case TEXT:
    case TIME:
    case FIELDS: return *(char *const *)(const void *)field != NULL;
    }
    return false;
}

static void print_value(const struct dp_mark *m, const struct member *mb, struct dp_buf *b) {
    const char *field = (const char *)m + mb->at;
    char number[20];
    switch (mb->type) {
    case TEXT: dp_json_add_string(b, dp_str_z(*(char *const *)(const void *)field)); break;
    case TIME: print_time(*(char *const *)(const void *)field, b); break;
    case FLAG: dp_buf_addz(b, "true"); break;
    case FIELDS: dp_buf_addz(b, *(char *const *)(const void *)field); break;
    case COUNT: dp_buf_add(b, number, dp_print_u64(number, *(const uint64_t *)(const void *)field)); break;
    case CODE: dp_json_add_i64(b, *(const int *)(const void *)field); break;
    case VERSION: dp_json_add_i64(b, *(const int64_t *)(const void *)field); break;
    case CHAIN: print_chain(m, b); break;
    case SCHEMA: dp_type_to_json(m->schema, b); break;
    }
}

void dp_mark_print(const struct dp_mark *m, struct dp_buf *b) {
    dp_buf_addz(b, "{\"$dp\":\"");
    dp_buf_addz(b, dp_mark_kind_name(m->kind));
    dp_buf_addc(b, '"');
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (!is_set(m, &members[i])) continue;
        dp_buf_addz(b, ",\"");
        dp_buf_addz(b, members[i].name);
        dp_buf_addz(b, "\":");
        print_value(m, &members[i], b);
    }
    if (m->extra && strlen(m->extra) > 2) { /* its members, without the braces around */
        dp_buf_addc(b, ',');
        dp_buf_add(b, m->extra + 1, strlen(m->extra) - 2);
    }
    dp_buf_addz(b, "}\n");
}

void dp_mark_release(struct dp_mark *m) {
    for (size_t i = 0; i < N_MEMBERS; i++)
        if (members[i].type == TEXT || members[i].type == TIME || members[i].type == FIELDS)
            free(*(char **)(void *)((char *)m + members[i].at));
    for (size_t i = 0; i < m->n_chain; i++) free(m->chain[i]);
    free(m->chain);
    dp_type_free(m->schema);
    free(m->extra);
    *m = (struct dp_mark){.table_version = -1};
}

/* ---- the running hash ---- */

struct dp_linehash {
    XXH3_state_t *state; /* in the same allocation, aligned to 64 as it wants to be */
};

struct dp_linehash *dp_linehash_open(void) {
    struct dp_linehash *h = dp_alloc(sizeof *h + 63 + sizeof *h->state);
    h->state = (void *)(((uintptr_t)(h + 1) + 63) & ~(uintptr_t)63);
    XXH3_INITSTATE(h->state);
    XXH3_128bits_reset(h->state);
    return h;
}

void dp_linehash_close(struct dp_linehash *h) { free(h); }

void dp_linehash_add(struct dp_linehash *h, const void *p, size_t n) {
    if (n) XXH3_128bits_update(h->state, p, n);
}

void dp_linehash_text(const struct dp_linehash *h, char out[48]) {
    XXH128_hash_t v = XXH3_128bits_digest(h->state);
    memcpy(out, "xxh3:", 5);
    uint64_t half[2] = {v.high64, v.low64};
    for (unsigned i = 0; i < 32; i++) out[5 + i] = "0123456789abcdef"[half[i / 16] >> (60 - 4 * (i % 16)) & 15];
    out[37] = 0;
}

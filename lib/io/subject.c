/*
 * Who a person is (dp/io/subject.h): identifiers, and what a graph of them says of the same person.
 *
 * The graph is read again until nothing new comes: in memory are the person's own identifiers alone, however large the graph is.
 */
#include "subject_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/io/stream.h>

#include <ctype.h>
#include <stdlib.h>

/* ---- identifiers ---- */

void subject_key(struct dp_str name, struct dp_str value, struct dp_buf *out) {
    for (size_t i = 0; i < name.n; i++) dp_buf_addc(out, (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]));
    dp_buf_addc(out, 0);
    dp_buf_adds(out, value);
}

bool subject_same_name(const char *a, const char *b) { return strcasecmp(a, b) == 0; }

void dp_subject_release(struct dp_subject *s) {
    for (size_t i = 0; i < s->n; i++) {
        dp_wipe(s->v[i].value, strlen(s->v[i].value));
        free(s->v[i].name), free(s->v[i].value);
    }
    free(s->v);
    dp_map_release(&s->known);
    *s = (struct dp_subject){0};
}

static bool is_text(struct dp_str t) {
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f) return false;
    return t.n && dp_utf8_valid(t.p, t.n, NULL);
}

static size_t count_names(const struct dp_subject *s, const char *also) {
    size_t n = also ? 1 : 0;
    for (size_t i = 0; i < s->n; i++) {
        bool is_new = !also || !subject_same_name(also, s->v[i].name);
        for (size_t k = 0; k < i && is_new; k++) is_new = !subject_same_name(s->v[k].name, s->v[i].name);
        n += is_new;
    }
    return n;
}

/* Messages name fields, never values. */
enum dp_status dp_subject_add(struct dp_subject *s, struct dp_str name, struct dp_str value, struct dp_err *err) {
    if (!is_text(name)) return dp_err_set(err, DP_USAGE, "an identifier has no name, or one that is no text");
    if (!is_text(value)) return dp_err_set(err, DP_USAGE, "the identifier %.*s has no value, or one that is no text", DP_STR_FMT(name));
    if (value.n > DP_LIMIT_SUBJECT_VALUE) return dp_err_set(err, DP_LIMIT, "a value of the identifier %.*s has more than %u bytes", DP_STR_FMT(name), DP_LIMIT_SUBJECT_VALUE);
    struct dp_buf key = {0};
    bool is_new = false;
    subject_key(name, value, &key);
    if (s->n == DP_LIMIT_SUBJECT_IDS && !dp_map_get(&s->known, dp_buf_str(&key))) {
        dp_buf_release(&key);
        return dp_err_set(err, DP_LIMIT, "more than %u identifiers", DP_LIMIT_SUBJECT_IDS);
    }
    struct dp_map_item *item = dp_map_put(&s->known, dp_buf_str(&key), &is_new);
    dp_buf_release(&key);
    if (!is_new) return DP_OK;
    item->v.u = s->n;
    s->v = dp_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n++] = (struct dp_subject_id){.name = dp_strndup(name.p, name.n), .value = dp_strndup(value.p, value.n)};
    if (count_names(s, NULL) > DP_LIMIT_SUBJECT_NAMES) return dp_err_set(err, DP_LIMIT, "identifiers have more than %u names", DP_LIMIT_SUBJECT_NAMES);
    return DP_OK;
}

enum dp_status dp_subject_add_word(struct dp_subject *s, struct dp_str word, struct dp_err *err) {
    const char *eq = word.n ? memchr(word.p, '=', word.n) : NULL;
    if (!eq) return dp_err_set(err, DP_USAGE, "an identifier is NAME=VALUE");
    struct dp_str name = dp_str(word.p, (size_t)(eq - word.p));
    size_t before = s->n;
    enum dp_status status = dp_subject_add(s, name, dp_str(eq + 1, word.n - name.n - 1), err);
    if (s->n > before) s->v[s->n - 1].is_given = true;
    return status;
}

enum dp_status dp_subject_add_file(struct dp_subject *s, const char *path, struct dp_err *err) {
    struct dp_buf b = {0};
    uint64_t line = 0;
    enum dp_status status = dp_file_read(strcmp(path, "-") != 0 ? path : "/dev/stdin", DP_LIMIT_SUBJECT_FILE, &b, err);
    for (size_t at = 0, n; at < b.n && status == DP_OK; at += n + 1) {
        const char *p = b.p + at, *nl = memchr(p, '\n', b.n - at);
        n = nl ? (size_t)(nl - p) : b.n - at;
        struct dp_str word = dp_str(p, n && p[n - 1] == '\r' ? n - 1 : n);
        line++;
        if (!word.n || word.p[0] == '#') continue;
        status = dp_subject_add_word(s, word, err);
        if (status != DP_OK) status = dp_err_at(err, path, line, DP_NO_OFFSET);
    }
    if (b.n) dp_wipe(b.p, b.n);
    dp_buf_release(&b);
    return status;
}

static int by_key(const void *a, const void *b) { return dp_str_cmp(*(const struct dp_str *)a, *(const struct dp_str *)b); }

void dp_subject_digest(const struct dp_subject *s, char salt[33], char digest[65]) {
    struct dp_str *keys = dp_calloc(s->n + 1, sizeof *keys);
    struct dp_buf all = {0};
    struct dp_hmac h;
    uint8_t key[16], sum[DP_SHA256_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < s->known.n; i++)
        if (s->v[s->known.items[i].v.u].is_given) keys[n++] = s->known.items[i].key;
    if (n) qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 0; i < n; i++) dp_buf_adds(&all, keys[i]), dp_buf_addc(&all, '\n');
    dp_random(key, sizeof key);
    dp_hmac_init(&h, key, sizeof key);
    dp_hmac_sum(&h, dp_buf_str(&all), dp_str(NULL, 0), sum);
    salt[dp_hex_print(salt, key, sizeof key)] = 0;
    digest[dp_hex_print(digest, sum, sizeof sum)] = 0;
    if (all.n) dp_wipe(all.p, all.n);
    dp_buf_release(&all);
    free(keys);
}

/* ---- the graph ---- */

struct closing {
    struct dp_subject *s, fresh;  /* known before this pass, read by all threads; what it found */
    struct dp_map fields;         /* name -> records that came in by it */
    struct dp_scan *scan;
};

typedef bool (*value_fn)(void *ctx, struct dp_str name, struct dp_str value);

/* Strings and numbers of the members, and of arrays in them; fn's true ends it. */
static bool each_value(const struct dp_record *r, value_fn fn, void *ctx) {
    struct dp_buf name = {0}, value = {0};
    bool ended = false;
    for (uint32_t m = 0, at = 1; m < r->n_members && !ended; m++) {
        uint32_t v = at + 1, end = r->nodes[v].next;
        bool is_list = r->nodes[v].kind == DP_KIND_ARRAY;
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(r, at), &name);
        for (uint32_t i = is_list ? v + 1 : v; i < end && !ended; i = r->nodes[i].next) {
            dp_buf_reset(&value);
            if (r->nodes[i].kind == DP_KIND_STRING) dp_json_decode(dp_node_str(r, i), &value);
            else if (r->nodes[i].kind == DP_KIND_NUMBER) dp_buf_adds(&value, dp_node_str(r, i));
            if (value.n) ended = fn(ctx, dp_buf_str(&name), dp_buf_str(&value));
        }
        at = end;
    }
    dp_buf_release(&name);
    dp_buf_release(&value);
    return ended;
}

struct looking { const struct dp_subject *s; struct dp_buf key; struct dp_map *fields; };
static bool is_known(void *ctx, struct dp_str name, struct dp_str value) {
    struct looking *l = ctx;
    dp_buf_reset(&l->key);
    subject_key(name, value, &l->key);
    if (!dp_map_get(&l->s->known, dp_buf_str(&l->key))) return false;
    if (l->fields) dp_map_put(l->fields, name, NULL)->v.u++;
    return true;
}

static enum dp_status match_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct closing *c = ctx;
    struct looking l = {.s = c->s};
    (void)err;
    if (each_value(r, is_known, &l)) dp_job_pass(j, r);
    else dp_job_filter(j);
    dp_buf_release(&l.key);
    return DP_OK;
}

struct adding { struct closing *c; struct dp_err *err; enum dp_status status; };
static bool add_value(void *ctx, struct dp_str name, struct dp_str value) {
    struct adding *a = ctx;
    struct dp_buf key = {0};
    subject_key(name, value, &key);
    bool is_old = dp_map_get(&a->c->s->known, dp_buf_str(&key)) != NULL;
    dp_buf_release(&key);
    if (is_old || !is_text(value) || !is_text(name)) return false;
    a->status = dp_subject_add(&a->c->fresh, name, value, a->err);
    if (a->status == DP_OK && a->c->s->n + a->c->fresh.n > DP_LIMIT_SUBJECT_IDS) a->status = dp_err_set(a->err, DP_LIMIT, "more than %u identifiers", DP_LIMIT_SUBJECT_IDS);
    return a->status != DP_OK;
}

static enum dp_status too_many(const struct closing *c, struct dp_err *err) {
    const struct dp_map_item *most = NULL;
    for (size_t i = 0; i < c->fields.n; i++)
        if (!most || c->fields.items[i].v.u > most->v.u) most = &c->fields.items[i];
    return dp_err_set(err, DP_LIMIT, "more than %u identifiers belong together, too many for one person: a value of the field %.*s is in %llu of the records that do", DP_LIMIT_SUBJECT_IDS,
                      most ? (int)most->key.n : 1, most ? most->key.p : "-", (unsigned long long)(most ? most->v.u : 0));
}

/* In order: what a record that matched adds. */
static enum dp_status take_records(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct closing *c = ctx;
    struct dp_record r;
    struct adding a = {.c = c, .err = err};
    struct looking l = {.s = c->s, .fields = &c->fields};
    dp_buf_reserve(&j->out, DP_SCAN_PAD);
    dp_scan_begin(c->scan, j->out.p, j->out.n);
    while (a.status == DP_OK && dp_scan_next(c->scan, &r, err) == DP_OK) {
        (void)each_value(&r, is_known, &l);
        (void)each_value(&r, add_value, &a);
    }
    dp_buf_release(&l.key);
    if (j->out.n) dp_wipe(j->out.p, j->out.n);
    dp_buf_reset(&j->out);
    return a.status == DP_LIMIT ? too_many(c, err) : a.status;
}

enum dp_status dp_subject_close_over(struct dp_run *run, struct dp_subject *s, const char *source, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.record = match_record, .emit = take_records};
    const struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_REFUSE, .own_types = true}, .sink = true, .decides = true, .no_checkpoints = true};
    enum dp_status status = DP_OK;
    if (strcmp(source, "-") == 0) return dp_err_set(err, DP_USAGE, "a graph of identifiers is read several times: standard input can't be one");
    for (size_t before = 0; status == DP_OK && before != s->n;) {
        struct dp_run own = subject_run(run);
        struct closing c = {.s = s, .scan = dp_scan_open(run->max_record, DP_SCAN_AUTO)};
        before = s->n;
        status = dp_stream_run(&own, &source, 1, &conf, &ops, &c, err);
        for (size_t i = 0; i < c.fresh.n && status == DP_OK; i++) status = dp_subject_add(s, dp_str_z(c.fresh.v[i].name), dp_str_z(c.fresh.v[i].value), err);
        dp_subject_release(&c.fresh);
        dp_map_release(&c.fields);
        dp_scan_close(c.scan);
    }
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "the graph of identifiers: ");
}

/*
 * Programs that are beyond the compiled part, in libjq, opened with dlopen at the first one.  The few functions of its ABI
 * that are needed are declared here (soname libjq.so.1: jq 1.5 to 1.8), so neither its header nor a link is needed.
 * One compiled program belongs to one thread.  A record goes in as JSON text; values come out through the jv functions and
 * are written here, so that size, depth and the spelling of numbers are ours.  Does not fence libjq's own stack.
 */
#include "expr_priv.h"

#include <dlfcn.h>
#include <dp/base/decimal.h>
#include <math.h>
#include <time.h>

struct jv {
    unsigned char kind_flags, pad;
    unsigned short offset;
    int size;
    union {
        void *ptr;
        double number;
    } u;
};

enum { JV_INVALID, JV_NULL, JV_FALSE, JV_TRUE, JV_NUMBER, JV_STRING, JV_ARRAY, JV_OBJECT };

struct jq_state;

struct api {
    void *lib;
    struct jq_state *(*jq_init)(void);
    void (*jq_teardown)(struct jq_state **);
    void (*jq_set_error_cb)(struct jq_state *, void (*)(void *, struct jv), void *);
    void (*jq_set_input_cb)(struct jq_state *, struct jv (*)(struct jq_state *, void *), void *);
    int (*jq_compile)(struct jq_state *, const char *);
    void (*jq_start)(struct jq_state *, struct jv, int);
    struct jv (*jq_next)(struct jq_state *);
    int (*jv_get_kind)(struct jv);
    struct jv (*jv_copy)(struct jv);
    void (*jv_free)(struct jv);
    struct jv (*jv_null)(void);
    struct jv (*jv_string)(const char *);
    struct jv (*jv_invalid_with_msg)(struct jv);
    struct jv (*jv_invalid_get_msg)(struct jv);
    double (*jv_number_value)(struct jv);
    const char *(*jv_string_value)(struct jv);
    int (*jv_string_length_bytes)(struct jv);
    int (*jv_array_length)(struct jv);
    struct jv (*jv_array_get)(struct jv, int);
    int (*jv_object_iter)(struct jv);
    int (*jv_object_iter_next)(struct jv, int);
    int (*jv_object_iter_valid)(struct jv, int);
    struct jv (*jv_object_iter_key)(struct jv, int);
    struct jv (*jv_object_iter_value)(struct jv, int);
    struct jv (*jv_parse_sized)(const char *, int);
};

struct dp_jq {
    struct api api;
    struct jq_state *jq;
    uint64_t ticks, most;  /* turns of this record, and how many it may take */
    uint64_t began, spent; /* clock and this thread's processor time when it began, ns */
    uint64_t allowed;      /* ns */
    char message[300]; /* of the compilation */
    struct dp_buf text;
};

static enum dp_status open_api(struct api *a, struct dp_err *err) {
    const struct {
        const char *name;
        void *slot;
    } names[] = {
#define F(f) {#f, &a->f}
        F(jq_init),         F(jq_teardown),           F(jq_set_error_cb),     F(jq_set_input_cb),       F(jq_compile),
        F(jq_start),        F(jq_next),               F(jv_get_kind),         F(jv_copy),               F(jv_free),
        F(jv_null),         F(jv_string),             F(jv_invalid_with_msg), F(jv_invalid_get_msg),    F(jv_number_value),
        F(jv_string_value), F(jv_string_length_bytes), F(jv_array_length),    F(jv_array_get),          F(jv_object_iter),
        F(jv_object_iter_next), F(jv_object_iter_valid), F(jv_object_iter_key), F(jv_object_iter_value), F(jv_parse_sized),
#undef F
    };
    /* stays in memory: the destructors of its thread data run when a thread ends, after the last close */
    a->lib = dlopen("libjq.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!a->lib) return dp_err_set(err, DP_UNSUPPORTED, "libjq.so.1 cannot be opened (Debian: libjq1)");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *f = dlsym(a->lib, names[i].name);
        if (!f) return dp_err_set(err, DP_UNSUPPORTED, "libjq.so.1 has no function %s", names[i].name);
        memcpy(names[i].slot, &f, sizeof f);
    }
    return DP_OK;
}

/* Consumes v, which is a string or not. */
static void copy_text(struct api *a, struct jv v, char *out, size_t n) {
    snprintf(out, n, "%s", a->jv_get_kind(v) == JV_STRING ? a->jv_string_value(v) : "an error without a text");
    a->jv_free(v);
}

/* jq's messages of the compilation: the first is kept, up to the program's text that follows it. */
static void on_error(void *ctx, struct jv msg) {
    struct dp_jq *q = ctx;
    char text[sizeof q->message];
    copy_text(&q->api, msg, text, sizeof text);
    char *end = strpbrk(text, "\n");
    if (end) *end = 0;
    char *tail = strstr(text, " at <top-level>");
    if (tail) *tail = 0;
    const char *from = !strncmp(text, "jq: error: ", 11) ? text + 11 : text;
    if (!q->message[0]) snprintf(q->message, sizeof q->message, "%s", from);
}

static uint64_t clock_ns(clockid_t which) {
    struct timespec t = {0, 0};
    (void)clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Turns are counted, which says the same on every machine; a turn that takes long (a list that grows with each) is stopped by the clock.  The wall's
   clock is cheap to ask, and where it has not yet passed the limit the processor's has not either. */
static bool is_late(const struct dp_jq *q) {
    return clock_ns(CLOCK_MONOTONIC) - q->began > q->allowed && clock_ns(CLOCK_THREAD_CPUTIME_ID) - q->spent > q->allowed;
}

/* `input` in a program is a turn of a loop; see expr_print.c. */
static struct jv on_tick(struct jq_state *jq, void *ctx) {
    struct dp_jq *q = ctx;
    (void)jq;
    bool late = is_late(q);
    if (++q->ticks <= q->most && !late) return q->api.jv_null();
    char text[96];
    if (late) snprintf(text, sizeof text, "it takes more than %llu ms of processor time for one record", (unsigned long long)(q->allowed / 1000000));
    else snprintf(text, sizeof text, "it takes more than %llu turns for one record", (unsigned long long)q->most);
    return q->api.jv_invalid_with_msg(q->api.jv_string(text));
}

/* Oniguruma and jq's own tables are set up at first use, which threads must not do at once. */
static void warm_up(struct dp_jq *q) {
    struct jq_state *jq = q->api.jq_init();
    if (!jq) return;
    if (q->api.jq_compile(jq, "\"a\" | test(\"a\")")) {
        q->api.jq_start(jq, q->api.jv_null(), 0);
        q->api.jv_free(q->api.jq_next(jq));
    }
    q->api.jq_teardown(&jq);
}

enum dp_status dp_jq_open(const char *program, struct dp_jq **out, struct dp_err *err) {
    struct dp_jq *q = dp_calloc(1, sizeof *q);
    enum dp_status status;
    DP_TRY_OUT(open_api(&q->api, err));
    q->jq = q->api.jq_init();
    if (!q->jq) {
        status = dp_err_set(err, DP_UNSUPPORTED, "libjq cannot start");
        goto out;
    }
    q->api.jq_set_error_cb(q->jq, on_error, q);
    q->api.jq_set_input_cb(q->jq, on_tick, q);
    if (strstr(program, "test") || strstr(program, "match") || strstr(program, "sub") || strstr(program, "scan") ||
        strstr(program, "capture") || strstr(program, "split"))
        warm_up(q);
    if (!q->api.jq_compile(q->jq, program)) {
        status = dp_err_set(err, DP_USAGE, "expression: %s", q->message[0] ? q->message : "libjq refuses it");
        goto out;
    }
    *out = q;
    q = NULL;
out:
    dp_jq_close(q);
    return status;
}

void dp_jq_close(struct dp_jq *q) {
    if (!q) return;
    if (q->jq) q->api.jq_teardown(&q->jq);
    if (q->api.lib) dlclose(q->api.lib);
    dp_buf_release(&q->text);
    free(q);
}

/* ---- values out ---- */

struct writer {
    struct api *a;
    struct dp_buf *b;
    size_t limit; /* of b->n */
    struct dp_err *err;
};

static enum dp_status write_number(struct writer *w, double d) {
    if (!isfinite(d)) return dp_err_set(w->err, DP_RECORD, "a number is out of range");
    if (d == floor(d) && fabs(d) < 1e17) dp_json_add_i64(w->b, (int64_t)d);
    else dp_json_add_double(w->b, d);
    return DP_OK;
}

static void write_string(struct writer *w, struct jv v) {
    dp_json_add_string(w->b, dp_str(w->a->jv_string_value(v), (size_t)w->a->jv_string_length_bytes(w->a->jv_copy(v))));
}

/* Consumes v. */
static enum dp_status write_value(struct writer *w, struct jv v, unsigned depth) {
    struct api *a = w->a;
    int kind = a->jv_get_kind(v);
    enum dp_status status = DP_OK;
    if (depth > DP_LIMIT_DEPTH) status = dp_err_set(w->err, DP_RECORD, "its result is nested deeper than %u", DP_LIMIT_DEPTH);
    else if (w->b->n > w->limit) status = dp_err_set(w->err, DP_RECORD, "its result is larger than %u MiB", DP_LIMIT_RECORD >> 20);
    else if (kind == JV_NUMBER) status = write_number(w, a->jv_number_value(v));
    else if (kind == JV_STRING) write_string(w, v);
    else if (kind < JV_NUMBER) dp_buf_addz(w->b, kind == JV_TRUE ? "true" : kind == JV_FALSE ? "false" : "null");
    else if (kind == JV_ARRAY) {
        int n = a->jv_array_length(a->jv_copy(v));
        dp_buf_addc(w->b, '[');
        for (int i = 0; status == DP_OK && i < n; i++) {
            if (i) dp_buf_addc(w->b, ',');
            status = write_value(w, a->jv_array_get(a->jv_copy(v), i), depth + 1);
        }
        dp_buf_addc(w->b, ']');
    } else {
        bool first = true;
        dp_buf_addc(w->b, '{');
        for (int i = a->jv_object_iter(v); status == DP_OK && a->jv_object_iter_valid(v, i); i = a->jv_object_iter_next(v, i)) {
            struct jv key = a->jv_object_iter_key(v, i);
            if (!first) dp_buf_addc(w->b, ',');
            first = false;
            write_string(w, key);
            a->jv_free(key);
            dp_buf_addc(w->b, ':');
            status = write_value(w, a->jv_object_iter_value(v, i), depth + 1);
        }
        dp_buf_addc(w->b, '}');
    }
    a->jv_free(v);
    return status;
}

/* ---- records in ---- */

/* Does the nearest double read back as this number? */
static bool is_exact(struct dp_str s) {
    double d;
    char text[32];
    bool plain = s.n <= 15;
    for (size_t i = 0; plain && i < s.n; i++) plain = s.p[i] == '-' || s.p[i] == '.' || (s.p[i] >= '0' && s.p[i] <= '9');
    if (plain) return true; /* up to 15 digits always do */
    if (!dp_parse_double(s, &d) || !isfinite(d)) return false;
    size_t n = dp_print_double(text, d);
    return dp_number_cmp(dp_str(text, n), s) == 0;
}

static enum dp_status check_numbers(const struct dp_record *rec, struct dp_err *err) {
    for (uint32_t i = 0; i < rec->n_nodes; i++)
        if (rec->nodes[i].kind == DP_KIND_NUMBER && !is_exact(dp_node_str(rec, i)))
            return dp_err_set(err, DP_RECORD, "a number is not exact as a double, and this program runs in libjq");
    return DP_OK;
}

enum dp_status dp_jq_apply(struct dp_jq *q, const struct dp_record *rec, bool checked, struct dp_buf *b, size_t *n, struct dp_err *err) {
    struct api *a = &q->api;
    struct writer w = {.a = a, .b = b, .limit = b->n + DP_LIMIT_RECORD, .err = err};
    size_t count = 0;
    char text[200];
    enum dp_status status = DP_OK;
    if (checked) DP_TRY(check_numbers(rec, err));
    if (rec->raw_n > DP_LIMIT_RECORD_MAX) return dp_err_set(err, DP_RECORD, "the record is too large for libjq");
    struct jv v = a->jv_parse_sized(rec->raw, (int)rec->raw_n);
    if (a->jv_get_kind(v) == JV_INVALID) {
        copy_text(a, a->jv_invalid_get_msg(v), text, sizeof text);
        char *quote = strstr(text, " (while parsing"); /* what follows is the record, which a message must not show */
        if (quote) *quote = 0;
        return dp_err_set(err, DP_RECORD, "libjq cannot read the record: %s", text);
    }
    q->ticks = 0;
    q->most = (uint64_t)rec->n_nodes * 4 > DP_LIMIT_EXPR_LOOPS ? (uint64_t)rec->n_nodes * 4 : DP_LIMIT_EXPR_LOOPS;
    q->allowed = ((uint64_t)rec->raw_n / (1u << 20) + 1) * DP_LIMIT_EXPR_MILLIS * 1000000;
    q->began = clock_ns(CLOCK_MONOTONIC);
    q->spent = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    a->jq_start(q->jq, v, 0);
    for (;;) {
        v = a->jq_next(q->jq);
        if (a->jv_get_kind(v) == JV_INVALID) break;
        status = write_value(&w, v, 0);
        if (status == DP_OK && ++count > DP_LIMIT_EXPR_LOOPS) status = dp_err_set(err, DP_RECORD, "it has more than %u outputs", DP_LIMIT_EXPR_LOOPS);
        if (status != DP_OK) break;
        dp_buf_addc(b, '\n');
    }
    if (n) *n = count;
    if (status != DP_OK) return status;
    struct jv msg = a->jv_invalid_get_msg(v);
    if (a->jv_get_kind(msg) == JV_NULL) {
        a->jv_free(msg);
        return DP_OK;
    }
    copy_text(a, msg, text, sizeof text);
    return dp_err_set(err, DP_RECORD, "%s", text);
}

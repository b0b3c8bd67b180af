/*
 * Expressions on any bytes: the text up to the first NUL is a program, what follows is a record.  What compiles must run within its limits,
 * twice alike, and print JSON; what it reads must not change its result when asked again as a condition; a header must come out of it that
 * reads back.  Programs beyond the compiled part go as far as their text for libjq: its own parser is not what is tested here.
 */
#include "../../lib/record/expr_priv.h"
#include <dp/record/lineage.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) abort();
}

struct doc {
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record r;
};

static bool read_doc(struct doc *d, const char *p, size_t n) {
    dp_buf_reset(&d->text);
    dp_buf_add(&d->text, p, n);
    memset(dp_buf_reserve(&d->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    return dp_scan_value(d->scan, d->text.p, d->text.n, &d->r, NULL) == DP_OK;
}

static void close_doc(struct doc *d) {
    dp_scan_close(d->scan);
    dp_buf_release(&d->text);
}

static bool never(void *ctx, const struct dp_str *path, size_t n, struct dp_expr_bounds *out) {
    struct dp_str field = path[n - 1];
    (void)ctx;
    *out = (struct dp_expr_bounds){.known = field.n % 2, .kind = DP_KIND_NUMBER, .min = DP_STR("1"), .max = DP_STR("2"), .rows = 3, .nulls = (int64_t)(field.n % 3) - 1};
    return out->known;
}

/* Each line of the output is one JSON text, but for blanks the record has between its tokens. */
static void check_output(struct dp_str lines, size_t n) {
    struct doc d = {.scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_PORTABLE)};
    size_t count = 0;
    for (size_t at = 0; at < lines.n; count++) {
        const char *end = memchr(lines.p + at, '\n', lines.n - at);
        must(end != NULL);
        size_t len = (size_t)(end - lines.p) - at;
        must(read_doc(&d, lines.p + at, len));
        at += len + 1;
    }
    must(count == n);
    close_doc(&d);
}

static void run(const struct dp_expr *e, const struct dp_record *r) {
    struct dp_expr_run *one = dp_expr_run_open(e), *two = dp_expr_run_open(e);
    struct dp_buf a = {0}, b = {0};
    struct dp_err err = DP_ERR_INIT;
    size_t n = 0, m = 0;
    bool yes = false, again = false;
    enum dp_status s = dp_expr_apply(one, r, &a, &n, &err), t = dp_expr_apply(two, r, &b, &m, &err);
    must(s == t && n == m && dp_str_eq(dp_buf_str(&a), dp_buf_str(&b)));
    must(s == DP_OK || (s == DP_RECORD && !n && !a.n));
    if (s == DP_OK) check_output(dp_buf_str(&a), n);
    s = dp_expr_test(one, r, &yes, &err), t = dp_expr_test(two, r, &again, &err);
    must(s == t && yes == again);
    dp_buf_release(&a), dp_buf_release(&b);
    dp_expr_run_close(one), dp_expr_run_close(two);
}

static void lineage(const struct dp_expr *e) {
    static const char line[] = "{\"$dp\":\"begin\",\"run\":\"r\",\"schema\":{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(9,2)\"},{\"name\":\"s\",\"type\":\"struct\",\"fields\":"
                               "[{\"name\":\"x\",\"type\":\"int64\"}]},{\"name\":\"l\",\"type\":\"list\",\"fields\":[{\"name\":\"element\",\"type\":\"string\"}]}]},"
                               "\"fields\":[{\"name\":\"a\",\"from\":[{\"field\":\"z\",\"how\":\"identity\"}],\"classification\":\"secret\"}]}";
    for (int where = 0; where < 2; where++) {
        struct dp_mark m, back;
        struct dp_buf b = {0};
        must(dp_mark_parse(DP_STR(line), &m, NULL) == DP_OK);
        if (where) dp_lineage_where(e, &m);
        else dp_lineage_map(e, "fuzz", &m);
        dp_mark_print(&m, &b);
        must(dp_mark_parse(dp_str(b.p, b.n - 1), &back, NULL) == DP_OK);
        dp_mark_release(&back), dp_mark_release(&m);
        dp_buf_release(&b);
    }
}

/* As dp_expr_compile does it, without opening libjq. */
static void beyond(struct dp_str text) {
    struct dp_expr *e = dp_calloc(1, sizeof *e);
    struct dp_err err = DP_ERR_INIT;
    e->text = dp_arena_str(&e->arena, text);
    if (dp_expr_parse(e, &err) == DP_OK && dp_expr_refuse(e, e->root, &err) == DP_OK && dp_expr_check(e, &err) == DP_OK) {
        must(e->compiled || e->why);
        if (dp_expr_to_jq(e, &err) == DP_OK) must(e->jq_text && strlen(e->jq_text) > 0);
        dp_expr_find_fields(e);
        (void)dp_expr_skip(e, &(struct dp_expr_facts){.bounds = never});
        lineage(e);
    }
    dp_expr_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *p = (const char *)data;
    const char *nul = size ? memchr(p, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - p) : size;
    struct doc d = {.scan = dp_scan_open(1u << 20, DP_SCAN_AUTO)};
    struct dp_expr *e = NULL;
    struct dp_err err = DP_ERR_INIT;
    beyond(dp_str(p, n));
    struct dp_expr probe = {.text = dp_str(p, n)}; /* only what is compiled runs: libjq is slow to open and has limits of its own */
    bool compiled = dp_expr_parse(&probe, &err) == DP_OK && dp_expr_refuse(&probe, probe.root, &err) == DP_OK && dp_expr_check(&probe, &err) == DP_OK && probe.compiled;
    bool runs = compiled && dp_expr_compile(dp_str(p, n), &e, &err) == DP_OK;
    must(runs == compiled);
    if (runs && read_doc(&d, nul ? nul + 1 : "{}", nul ? size - n - 1 : 2) && d.r.nodes[0].kind == DP_KIND_OBJECT) run(e, &d.r);
    dp_expr_free(e);
    for (size_t i = 0; i < probe.n_paths; i++) dp_path_release(probe.paths[i]), free(probe.paths[i]);
    free(probe.paths);
    for (size_t i = 0; i < probe.n_res; i++) pcre2_code_free(probe.res[i]);
    free(probe.res), free(probe.why);
    dp_arena_release(&probe.arena);
    close_doc(&d);
    return 0;
}

/*
 * Graphs of lineage: what filling, a part and order make of them, that layouts hold their promises (lines to the right, cards that don't touch, what closes a cycle aside,
 * soon done), that pictures are well formed whatever the names are, and the same bytes however the graph was filled.
 */
#include <dp/base/limits.h>
#include <dp/base/mem.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <sys/wait.h>
#include <time.h>

#include "dpt.h"
#include "graphgen.h"

#define NASTY "</script><img src=x onerror=alert(1)>\"\\N`{}[]|#;\n\x01--> e\xcc\x81"

static uint32_t dataset(struct dp_graph *g, const char *name) { return dp_graph_node(g, DP_GRAPH_DATASET, DP_STR("file"), dp_str_z(name)); }
static uint32_t job(struct dp_graph *g, const char *name) { return dp_graph_node(g, DP_GRAPH_JOB, DP_STR("default"), dp_str_z(name)); }
static void flow(struct dp_graph *g, const char *src, const char *by, const char *dst) {
    uint32_t a = src ? dataset(g, src) : DP_GRAPH_NONE, j = by ? job(g, by) : DP_GRAPH_NONE, b = dst ? dataset(g, dst) : DP_GRAPH_NONE;
    dp_graph_edge(g, &(struct dp_graph_edge){.src = a, .dst = b, .job = j, .runs = 1});
}
static void thread(struct dp_graph *g, const char *src, const char *a, const char *dst, const char *b, unsigned how, bool masking) {
    uint32_t from = dp_graph_column(g, dataset(g, src), dp_str_z(a)), to = b ? dp_graph_column(g, dataset(g, dst), dp_str_z(b)) : dataset(g, dst);
    dp_graph_edge(g, &(struct dp_graph_edge){.src = from, .dst = to, .job = DP_GRAPH_NONE, .how = how, .masking = masking});
}
/* Names of cards in order, for comparing. */
static const char *cards(const struct dp_graph *g, struct dp_buf *b) {
    dp_buf_reset(b);
    for (size_t v = 0; v < g->n_drawn; v++) dp_buf_adds(b, g->nodes[v].name), dp_buf_addc(b, ' ');
    return dp_buf_z(b);
}
static const struct dp_graph_spot *spot(const struct dp_graph *g, const struct dp_graph_layout *l, const char *name) {
    for (size_t v = 0; v < g->n_drawn; v++)
        if (dp_str_eqz(g->nodes[v].name, name)) return &l->spots[v];
    fail_msg("no %s", name);
    return NULL;
}

/* a -> j1 -> b -> j2 -> c; d -> j3 -> e; j4 writes f out of nothing */
static void small(struct dp_graph *g) {
    flow(g, "a", "j1", "b");
    flow(g, "b", "j2", "c");
    flow(g, "d", "j3", "e");
    flow(g, NULL, "j4", "f");
    thread(g, "a", "x", "b", "x", DP_GRAPH_IDENTITY, false);
    thread(g, "a", "mail", "b", "mail", DP_GRAPH_TRANSFORMATION, true);
    thread(g, "b", "x", "c", NULL, DP_GRAPH_FILTER, false);
    (void)dp_graph_column(g, dataset(g, "c"), DP_STR("z"));
}

static void test_part(void **unused) {
    static const struct { const char *focus, *column; enum dp_graph_ways ways; uint32_t depth; const char *want; } cases[] = {
        {"b", NULL, DP_GRAPH_BOTH, 0, "a b c j1 j2 "},  {"b", NULL, DP_GRAPH_UP, 0, "a b j1 "},  {"a", NULL, DP_GRAPH_DOWN, 1, "a b j1 "},
        {"a", NULL, DP_GRAPH_DOWN, 0, "a b c j1 j2 "},  {"f", NULL, DP_GRAPH_UP, 0, "f j4 "},    {"c", "z", DP_GRAPH_UP, 0, "a b c j1 j2 "},
        {"b", "mail", DP_GRAPH_BOTH, 0, "a b j1 "},     {"e", NULL, DP_GRAPH_DOWN, 0, "e "},
    };
    struct dp_buf b = {0};
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_graph g = {0};
        small(&g);
        uint32_t v = dataset(&g, cases[i].focus);
        if (cases[i].column) v = dp_graph_find_column(&g, v, dp_str_z(cases[i].column));
        assert_int_not_equal(v, DP_GRAPH_NONE);
        g.nodes[v].is_focus = true;
        dp_graph_select(&g, cases[i].ways, cases[i].depth);
        dp_graph_settle(&g);
        if (strcmp(cards(&g, &b), cases[i].want) != 0) fail_msg("case %zu: %s, not %s", i, dp_buf_z(&b), cases[i].want);
        dp_graph_release(&g);
    }
    dp_buf_release(&b);
}

/* Files of days become one with united columns and edges; what was asked for itself, and a table, don't. */
static void test_fold(void **unused) {
    struct dp_buf b = {0};
    (void)unused;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct dp_graph g = {0};
        for (int i = 1; i <= 4; i++) {
            char in[40], out[40];
            int d = backwards ? 5 - i : i;
            (void)snprintf(in, sizeof in, "/in/2026-11-0%d.csv", d);
            (void)snprintf(out, sizeof out, "/t/2026-11-0%d", d);
            flow(&g, in, "load", "all");
            flow(&g, "all", "split", out);
            thread(&g, in, "x", "all", "x", d == 2 ? DP_GRAPH_JOIN : DP_GRAPH_IDENTITY, false);
            uint32_t v = dataset(&g, in), w = dataset(&g, out);
            dp_graph_note(&g, v, DP_GRAPH_OWNER, DP_STR("me"), DP_STR(""));
            g.nodes[w].type = DP_STR("delta");
            g.nodes[v].first_at = d, g.nodes[v].last_at = 10 * d, g.nodes[v].state = d == 1 ? DP_STR("dropped") : DP_STR("live");
            g.nodes[v].is_apart = d == 4;
            for (int r = 0; r < 3; r++) {
                char id[8];
                (void)snprintf(id, sizeof id, "%d.%d", d, r);
                dp_graph_run(&g, &(struct dp_graph_run){.node = v, .id = dp_str_z(id), .started_at = 10 * d + r, .rows = UINT64_MAX, .bytes = UINT64_MAX});
            }
        }
        g.most_runs = 4;
        dp_graph_fold(&g);
        dp_graph_settle(&g);
        assert_string_equal(cards(&g, &b), "/in/2026-11-04.csv /in/{date}.csv /t/2026-11-01 /t/2026-11-02 /t/2026-11-03 /t/2026-11-04 all load split ");
        const struct dp_graph_node *n = &g.nodes[1];
        assert_int_equal(n->files, 3);
        assert_true(n->first_at == 1 && n->last_at == 30 && dp_str_eqz(n->state, "live"));
        assert_int_equal(g.columns[2] - g.columns[1], 1);
        assert_int_equal(g.n_flows, 6); /* two into all, four out of it */
        assert_int_equal(g.edges[1].runs, 3);
        assert_int_equal(g.n_edges - g.n_flows, 2);
        assert_int_equal(g.edges[7].how, DP_GRAPH_IDENTITY | DP_GRAPH_JOIN);
        size_t n_notes = 0, n_runs = 0;
        for (size_t i = 0; i < g.n_notes; i++) n_notes += g.notes[i].node == 1;
        for (size_t i = 0; i < g.n_runs; i++) n_runs += g.runs[i].node == 1;
        assert_int_equal(n_notes, 1);
        assert_int_equal(n_runs, 4);
        assert_true(dp_str_eqz(g.runs[g.n_runs - 4].id, "3.2")); /* the newest first */
        dp_graph_release(&g);
    }
    dp_buf_release(&b);
}

/* Programs of a pipeline become its job, with edges once and no halves of what is whole; others stay. */
static void test_group(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    flow(&g, "in", "hourly.dp-partition", "tab");
    flow(&g, "in", "hourly.dp-table-commit", "tab");
    flow(&g, "in", "hourly.dp-ingest", NULL);
    flow(&g, "rest", "hourly.dp-ingest", NULL);
    flow(&g, "tab", "daily.dp-cat", NULL); /* a program alone stays what it is */
    flow(&g, "tab", "dag.task", "x");
    flow(&g, "tab", "two.dp-cat", NULL);
    flow(&g, "tab", "two.dp-map", "x");
    uint32_t own = job(&g, "hourly"), stage = job(&g, "hourly.dp-ingest");
    g.nodes[own].state = DP_STR("complete"), g.nodes[stage].state = DP_STR("fail");
    dp_graph_run(&g, &(struct dp_graph_run){.node = own, .id = DP_STR("1"), .rows = UINT64_MAX, .bytes = UINT64_MAX});
    dp_graph_run(&g, &(struct dp_graph_run){.node = stage, .id = DP_STR("2"), .rows = UINT64_MAX, .bytes = UINT64_MAX});
    dp_graph_note(&g, stage, DP_GRAPH_OWNER, DP_STR("me"), DP_STR(""));
    dp_graph_group(&g);
    dp_graph_settle(&g);
    assert_string_equal(cards(&g, &b), "in rest tab x dag.task daily.dp-cat hourly two ");
    const struct dp_graph_node *n = &g.nodes[6];
    assert_true(dp_str_eqz(n->programs, "dp-ingest, dp-partition, dp-table-commit") && n->n_programs == 3 && dp_str_eqz(n->state, "complete"));
    assert_int_equal(g.n_flows, 5);
    assert_int_equal(g.edges[0].runs, 1);
    assert_int_equal(g.n_runs, 1);
    assert_int_equal(g.notes[0].node, 6);
    dp_graph_release(&g);
    dp_buf_release(&b);
}

/* A job that two runs used apart: what went into the one never leads to what came out of the other. */
static void test_runs_apart(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    flow(&g, "in1", "shared", "out1");
    flow(&g, "in2", "shared", "out2");
    g.nodes[dataset(&g, "in1")].is_focus = true;
    dp_graph_select(&g, DP_GRAPH_BOTH, 0);
    dp_graph_settle(&g);
    assert_string_equal(cards(&g, &b), "in1 out1 shared ");
    dp_graph_release(&g);
    dp_buf_release(&b);
}

static void test_order(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    flow(&g, "z", "j", "a");
    flow(&g, "z", "j", "a"); /* seen twice: one edge */
    uint32_t a = dataset(&g, "a");
    g.nodes[dp_graph_column(&g, a, DP_STR("second"))].ordinal = 2;
    g.nodes[dp_graph_column(&g, a, DP_STR("first"))].ordinal = 1;
    (void)dp_graph_column(&g, a, DP_STR("any"));
    thread(&g, "z", "k", "a", "first", DP_GRAPH_IDENTITY, true);
    thread(&g, "z", "k", "a", "first", DP_GRAPH_AGGREGATION, false);
    dp_graph_note(&g, a, DP_GRAPH_TAG, DP_STR("pii"), DP_STR(""));
    dp_graph_note(&g, a, DP_GRAPH_TAG, DP_STR("pii"), DP_STR(""));
    dp_graph_settle(&g);
    assert_string_equal(cards(&g, &b), "a z j ");
    assert_int_equal(g.n_flows, 1);
    assert_int_equal(g.edges[0].runs, 2);
    assert_int_equal(g.n_edges, 2);
    assert_int_equal(g.edges[1].how, DP_GRAPH_IDENTITY | DP_GRAPH_AGGREGATION);
    assert_false(g.edges[1].masking); /* seen clear once */
    assert_int_equal(g.n_notes, 1);
    assert_int_equal(g.columns[1] - g.columns[0], 3);
    assert_true(dp_str_eqz(g.nodes[g.columns[0]].name, "first") && dp_str_eqz(g.nodes[g.columns[0] + 1].name, "second") && dp_str_eqz(g.nodes[g.columns[0] + 2].name, "any"));
    dp_graph_release(&g);
    dp_buf_release(&b);
}

/* Lines lead to the right but for those that must not, and no two cards touch. */
static void check_layout(const struct dp_graph *g, const struct dp_graph_layout *l, size_t most_back) {
    size_t back = 0;
    for (size_t i = 0; i < g->n_flows; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (e->src != DP_GRAPH_NONE && e->job != DP_GRAPH_NONE) back += l->spots[e->src].layer >= l->spots[e->job].layer;
        if (e->job != DP_GRAPH_NONE && e->dst != DP_GRAPH_NONE) back += l->spots[e->job].layer >= l->spots[e->dst].layer;
        if (e->src != DP_GRAPH_NONE && e->job != DP_GRAPH_NONE) assert_int_equal(l->spots[e->src].part, l->spots[e->job].part);
    }
    if (back > most_back) fail_msg("%zu lines lead back, more than %zu", back, most_back);
    for (size_t a = 0; a < g->n_drawn; a++) {
        const struct dp_graph_spot *p = &l->spots[a];
        assert_true(p->x >= 0 && p->y >= 0 && p->x + DP_GRAPH_CARD_WIDTH <= l->width && p->y + DP_GRAPH_CARD_HEIGHT <= l->height + 1);
        for (size_t b = a + 1; b < g->n_drawn && g->n_drawn < 3000; b++) {
            const struct dp_graph_spot *q = &l->spots[b];
            if (abs(p->x - q->x) < DP_GRAPH_CARD_WIDTH && abs(p->y - q->y) < DP_GRAPH_CARD_HEIGHT) fail_msg("cards %zu and %zu touch", a, b);
        }
        for (uint32_t i = l->trunk_at[a]; i < l->trunk_at[a + 1]; i++) assert_true(l->trunk[i].x > p->x);
    }
}

static void test_layout(void **unused) {
    struct dp_graph g = {0};
    struct dp_graph_layout l;
    (void)unused;
    small(&g);
    dp_graph_settle(&g);
    dp_graph_lay(&g, &l);
    check_layout(&g, &l, 0);
    assert_int_equal(l.crossings, 0);
    assert_int_equal(spot(&g, &l, "c")->layer, 4);
    assert_int_equal(spot(&g, &l, "a")->part, spot(&g, &l, "c")->part);
    assert_int_not_equal(spot(&g, &l, "a")->part, spot(&g, &l, "d")->part);
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
    dp_graph_settle(&g); /* nothing at all */
    dp_graph_lay(&g, &l);
    assert_int_equal(l.width, 0);
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
}

static void test_cycles(void **unused) {
    struct dp_graph g = {0};
    struct dp_graph_layout l;
    (void)unused;
    flow(&g, "log", "append", "log"); /* reads what it writes */
    flow(&g, "raw", "append", "log");
    flow(&g, "x", "f", "y");
    flow(&g, "y", "h", "w");
    flow(&g, "w", "k", "x"); /* a ring */
    flow(&g, "same", NULL, "same");
    dp_graph_settle(&g);
    dp_graph_lay(&g, &l);
    check_layout(&g, &l, 2);
    assert_true(spot(&g, &l, "append")->layer < spot(&g, &l, "log")->layer);
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
}

/* A tree and a ladder can be drawn without a crossing, and long lines pass what stands between. */
static void test_crossings(void **unused) {
    struct dp_graph g = {0};
    struct dp_graph_layout l;
    char a[20], b[20];
    (void)unused;
    for (int i = 1; i < 200; i++) {
        (void)snprintf(a, sizeof a, "t%d", (i - 1) / 3);
        (void)snprintf(b, sizeof b, "t%d", i);
        flow(&g, a, NULL, b);
    }
    dp_graph_settle(&g);
    dp_graph_lay(&g, &l);
    check_layout(&g, &l, 0);
    assert_int_equal(l.crossings, 0);
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
    flow(&g, "one", NULL, "two");
    flow(&g, "two", NULL, "three");
    flow(&g, "three", NULL, "four");
    flow(&g, "one", NULL, "four");
    dp_graph_settle(&g);
    dp_graph_lay(&g, &l);
    uint32_t v = 0;
    while (!dp_str_eqz(g.nodes[v].name, "one")) v++;
    assert_int_equal(l.trunk_at[v + 1] - l.trunk_at[v], 2);
    for (uint32_t i = l.trunk_at[v]; i < l.trunk_at[v + 1]; i++) {
        const struct dp_graph_spot *p = spot(&g, &l, i == l.trunk_at[v] ? "two" : "three");
        assert_true(l.trunk[i].y < p->y || l.trunk[i].y > p->y + DP_GRAPH_CARD_HEIGHT);
    }
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
}

/* Ten thousand nodes and thirty thousand lines; processor time, so that a busy machine does not count. */
static void test_large(void **unused) {
    struct dp_graph g = {0};
    struct dp_graph_layout l;
    (void)unused;
    graphgen_fill(&g, 7, 5000, 5000, 0, 10);
    dp_graph_settle(&g);
    assert_int_equal(g.n_drawn, 10000);
    clock_t from = clock();
    dp_graph_lay(&g, &l);
    double lasted = (double)(clock() - from) / CLOCKS_PER_SEC;
    print_message("%zu flows laid out in %.2f s of processor time\n", g.n_flows, lasted);
    check_layout(&g, &l, g.n_flows / 4); /* three in a hundred flows lead far back: each makes a ring of much */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
    assert_true(lasted < 4);
#endif
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
}

/* ---- pictures ---- */

static const struct dp_graph_view with_columns = {.title = {NASTY, sizeof NASTY - 1}, .columns = true};

static void nasty(struct dp_graph *g) {
    flow(g, NASTY, NASTY, "");
    flow(g, "", "\\", "\"");
    thread(g, NASTY, NASTY, "", NASTY, DP_GRAPH_TRANSFORMATION, true);
    thread(g, NASTY, "", "\"", NULL, DP_GRAPH_JOIN, false);
    uint32_t v = dataset(g, NASTY);
    struct dp_str s = dp_str_z(NASTY);
    dp_graph_note(g, v, DP_GRAPH_TAG, s, s);
    dp_graph_note(g, v, DP_GRAPH_OWNER, s, s);
    dp_graph_note(g, v, DP_GRAPH_CLASS, s, s);
    dp_graph_run(g, &(struct dp_graph_run){.node = v, .id = s, .state = s, .rows = 3, .bytes = UINT64_MAX});
    g->nodes[v].text = g->nodes[v].type = g->nodes[v].state = dp_graph_text(g, s);
    g->as_of = 1760000000000000;
}

enum form { DOT, MERMAID, JSON, HTML };
static void print_as(const struct dp_graph *g, enum form form, struct dp_buf *b) {
    struct dp_graph_layout l;
    struct dp_err err = DP_ERR_INIT;
    dp_graph_lay(g, &l);
    if (form == DOT) dp_graph_dot(g, &l, &with_columns, b);
    else if (form == JSON) dp_graph_json(g, &l, &with_columns, b);
    else if (form == HTML) dp_graph_html(g, &l, &with_columns, b);
    else assert_int_equal(dp_graph_mermaid(g, &with_columns, b, &err), DP_OK);
    dp_graph_layout_release(&l);
}

/* DOT's own grammar of words: quoted strings and HTML-like ones end, brackets pair, nothing else than what we write. */
static void check_dot(struct dp_str s) {
    int braces = 0, brackets = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++) i += s.p[i] == '\\';
            assert_true(i < s.n);
        } else if (c == '<') {
            int depth = 0;
            for (; i < s.n; i++) {
                if (s.p[i] == '&') assert_non_null(memchr(s.p + i, ';', s.n - i < 8 ? s.n - i : 8));
                depth += s.p[i] == '<' ? 1 : s.p[i] == '>' ? -1 : 0;
                if (!depth) break;
            }
            assert_int_equal(depth, 0);
        } else {
            braces += c == '{' ? 1 : c == '}' ? -1 : 0;
            brackets += c == '[' ? 1 : c == ']' ? -1 : 0;
            assert_true((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("{}[]=,;:->_ \n", c, 14));
        }
    }
    assert_int_equal(braces, 0);
    assert_int_equal(brackets, 0);
}

static void test_dot(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    char name[] = "/tmp/dp-t-graph-XXXXXX";
    (void)unused;
    nasty(&g);
    dp_graph_settle(&g);
    print_as(&g, DOT, &b);
    check_dot(dp_buf_str(&b));
    int fd = mkstemp(name), state = 0;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.p, b.n), (long)b.n);
    close(fd);
    pid_t pid = fork(); /* Graphviz takes it too */
    if (pid == 0) {
        execlp("dot", "dot", "-Tsvg", "-o/dev/null", name, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &state, 0), pid);
    unlink(name);
    if (WIFEXITED(state) && WEXITSTATUS(state) == 127) print_message("SKIP: Graphviz is not there\n");
    else assert_int_equal(state, 0);
    dp_buf_release(&b);
    dp_graph_release(&g);
}

static void test_mermaid(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    nasty(&g);
    dp_graph_settle(&g);
    print_as(&g, MERMAID, &b);
    for (const char *line = dp_buf_z(&b), *end; *line; line = end + 1) { /* each line is one of ours: a name has no way out of its quotes */
        end = strchr(line, '\n');
        assert_non_null(end);
        struct dp_str s = dp_str(line, (size_t)(end - line));
        const char *open = memchr(s.p, '"', s.n);
        if (!open) continue;
        const char *close_quote = memchr(open + 1, '"', s.n - (size_t)(open + 1 - s.p));
        assert_non_null(close_quote);
        assert_true(!memchr(close_quote + 1, '"', s.n - (size_t)(close_quote + 1 - s.p)));
        for (const char *p = open + 1; p < close_quote; p++) assert_null(memchr("<>`[](){}|\\", *p, 11));
    }
    dp_buf_release(&b);
    dp_graph_release(&g);
}

/* DP_LIMIT_MERMAID_EDGES and DP_LIMIT_MERMAID_BYTES: met, and passed by one. */
static void test_mermaid_limits(void **unused) {
    struct dp_graph_view v = {.title = DP_STR("t")};
    struct dp_err err = DP_ERR_INIT;
    (void)unused;
    for (unsigned more = 0; more < 2; more++) {
        struct dp_graph g = {0};
        struct dp_buf b = {0};
        char t[20];
        for (unsigned i = 0; i < DP_LIMIT_MERMAID_EDGES + more; i++) {
            (void)snprintf(t, sizeof t, "t%u", i);
            flow(&g, "hub", NULL, t);
        }
        dp_graph_settle(&g);
        assert_int_equal(dp_graph_mermaid(&g, &v, &b, &err), more ? DP_LIMIT : DP_OK);
        assert_int_equal(b.n > 0, !more);
        dp_buf_release(&b);
        dp_graph_release(&g);
    }
    assert_non_null(strstr(err.msg, "--depth"));
    for (unsigned more = 0; more < 2; more++) { /* a name makes up the bytes */
        struct dp_graph g = {0};
        struct dp_buf b = {0}, name = {0};
        static size_t rest;
        dp_buf_addz(&name, "n");
        while (more && name.n < DP_LIMIT_MERMAID_BYTES - rest + 2) dp_buf_addc(&name, 'x');
        flow(&g, NULL, "j", dp_buf_z(&name));
        dp_graph_settle(&g);
        if (!more) {
            assert_int_equal(dp_graph_mermaid(&g, &v, &b, &err), DP_OK);
            rest = b.n;
        } else assert_int_equal(dp_graph_mermaid(&g, &v, &b, &err), DP_LIMIT);
        dp_buf_release(&b);
        dp_graph_release(&g);
        if (more) { /* one byte fewer fits exactly */
            struct dp_graph h = {0};
            name.n--;
            flow(&h, NULL, "j", dp_buf_z(&name));
            dp_graph_settle(&h);
            assert_int_equal(dp_graph_mermaid(&h, &v, &b, &err), DP_OK);
            assert_int_equal(b.n, DP_LIMIT_MERMAID_BYTES);
            dp_buf_release(&b);
            dp_graph_release(&h);
        }
        dp_buf_release(&name);
    }
}

/* Parses s as JSON; true when it is. */
static bool is_json(struct dp_str s, size_t *n_nodes) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf padded = {0};
    dp_buf_adds(&padded, s);
    (void)dp_buf_reserve(&padded, DP_SCAN_PAD);
    bool ok = dp_scan_value(scan, padded.p, padded.n, &r, &err) == DP_OK;
    if (ok && n_nodes) {
        uint32_t nodes = dp_json_member(&r, 0, "nodes");
        for (uint32_t i = nodes + 1; i < r.nodes[nodes].next; i = r.nodes[i].next) ++*n_nodes;
    }
    dp_scan_close(scan);
    dp_buf_release(&padded);
    return ok;
}

static void test_json(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    size_t n = 0;
    (void)unused;
    nasty(&g);
    dp_graph_settle(&g);
    print_as(&g, JSON, &b);
    assert_true(is_json(dp_buf_str(&b), &n));
    assert_int_equal(n, g.n_nodes);
    assert_non_null(strstr(dp_buf_z(&b), "\"how\":[\"TRANSFORMATION\"],\"masking\":true"));
    dp_buf_release(&b);
    dp_graph_release(&g);
}

static size_t count_of(const char *s, const char *what) {
    size_t n = 0;
    for (; (s = strstr(s, what)); s += strlen(what)) n++;
    return n;
}

static void test_html(void **unused) {
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    nasty(&g);
    dp_graph_settle(&g);
    print_as(&g, HTML, &b);
    const char *page = dp_buf_z(&b);
    assert_int_equal(count_of(page, "</script>"), 2); /* the data's and the script's own */
    assert_int_equal(count_of(page, "<script"), 2);
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    assert_null(strstr(page, "innerHTML"));
    assert_null(strstr(page, "eval("));
    assert_null(strstr(page, "url("));
    assert_non_null(strstr(page, "default-src 'none'; script-src 'sha256-"));
    const char *data = strstr(page, "id=\"data\">") + 10;
    assert_true(is_json(dp_str(data, (size_t)(strstr(data, "</script>") - data)), NULL));
    dp_buf_release(&b);
    dp_graph_release(&g);
}

/* Filled from the other end: the same bytes in every form. */
static void test_same_bytes(void **unused) {
    static const char *const flows[][3] = {{"a", "j1", "b"}, {"b", "j2", "c"}, {"a", "j2", "c"}, {"x", "j3", "b"}, {"c", "j3", "a"}};
    struct dp_buf b[2] = {{0}, {0}};
    (void)unused;
    for (int form = DOT; form <= HTML; form++) {
        for (int turn = 0; turn < 2; turn++) {
            struct dp_graph g = {0};
            for (int i = 0; i < 5; i++) {
                const char *const *f = flows[turn ? 4 - i : i];
                flow(&g, f[0], f[1], f[2]);
                dp_graph_note(&g, dataset(&g, f[0]), DP_GRAPH_TAG, dp_str_z(f[2]), DP_STR(""));
                thread(&g, f[0], "k", f[2], "k", DP_GRAPH_IDENTITY, false);
            }
            dp_graph_settle(&g);
            dp_buf_reset(&b[turn]);
            print_as(&g, (enum form)form, &b[turn]);
            dp_graph_release(&g);
        }
        assert_int_equal(b[0].n, b[1].n);
        assert_memory_equal(b[0].p, b[1].p, b[0].n);
    }
    dp_buf_release(&b[0]);
    dp_buf_release(&b[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part), cmocka_unit_test(test_fold), cmocka_unit_test(test_group),      cmocka_unit_test(test_runs_apart), cmocka_unit_test(test_order),          cmocka_unit_test(test_layout),
        cmocka_unit_test(test_cycles),    cmocka_unit_test(test_crossings),  cmocka_unit_test(test_large),          cmocka_unit_test(test_dot),
        cmocka_unit_test(test_mermaid),   cmocka_unit_test(test_mermaid_limits), cmocka_unit_test(test_json),       cmocka_unit_test(test_html),
        cmocka_unit_test(test_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

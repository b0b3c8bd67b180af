/* Classes that follow lineage, against a slow model: random graphs with circles, masks, indirect edges, words of people, of events and of whole datasets. */
#include "dpt.h"

#include <dp/io/catalog_note.h>

#include <sys/wait.h>

enum { DATASETS = 7, FIELDS = 4, N = DATASETS * FIELDS, GRAPHS = 40 };

static char dir[] = "/tmp/dp-t-class-XXXXXX";

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -1;
}

static const char *const words[] = {"public", "internal", "confidential", "restricted", "secret"};

struct edge { int src, dst, how; }; /* how: 0 copied, 1 masked, 2 indirect */

struct model {
    struct edge edges[3 * N];
    size_t n_edges;
    int person[N], event[N], whole[DATASETS]; /* rank, or -1 */
    int want[N], masked[N];
};

static uint32_t seed;
static int below(int n) {
    seed = seed * 1664525u + 1013904223u;
    return (int)((seed >> 8) % (uint32_t)n);
}

static void make(struct model *m) {
    *m = (struct model){.n_edges = (size_t)below(3 * N)};
    for (size_t i = 0; i < m->n_edges; i++) m->edges[i] = (struct edge){below(N), below(N), below(6) > 2 ? 0 : below(3)};
    for (int i = 0; i < N; i++) m->person[i] = below(6) ? -1 : below(5), m->event[i] = below(6) ? -1 : below(5);
    for (int i = 0; i < DATASETS; i++) m->whole[i] = below(4) ? -1 : below(5);
}

/* One event for each dataset: a job of its own that makes its columns, and the tags of a contract. */
static void add_dataset(const struct model *m, struct dp_catalog *c, int d) {
    struct dp_buf b = {0};
    struct dp_err e = DP_ERR_INIT;
    bool any = false;
    dp_buf_addf(&b, "{\"eventType\":\"COMPLETE\",\"eventTime\":\"2026-01-01T00:00:%02dZ\",\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"00000000-0000-7000-8000-00000000000%d\"},"
                    "\"job\":{\"namespace\":\"j\",\"name\":\"%d\"},\"outputs\":[{\"namespace\":\"n\",\"name\":\"%d\",\"facets\":{\"schema\":{\"_producer\":\"p\",\"_schemaURL\":\"s\",\"fields\":[", d, d, d, d);
    for (int f = 0; f < FIELDS; f++) dp_buf_addf(&b, "%s{\"name\":\"%d\"}", f ? "," : "", f);
    dp_buf_addz(&b, "]},\"tags\":{\"_producer\":\"p\",\"_schemaURL\":\"s\",\"tags\":[");
    for (int f = 0; f < FIELDS; f++) {
        int rank = m->event[d * FIELDS + f];
        if (rank < 0) continue;
        dp_buf_addf(&b, "%s{\"key\":\"classification\",\"value\":\"%s\",\"field\":\"%d\"}", any ? "," : "", words[rank], f);
        any = true;
    }
    dp_buf_addz(&b, "]},\"columnLineage\":{\"_producer\":\"p\",\"_schemaURL\":\"s\",\"fields\":{");
    for (int f = 0; f < FIELDS; f++) {
        bool first = true;
        dp_buf_addf(&b, "%s\"%d\":{\"inputFields\":[", f ? "," : "", f);
        for (size_t i = 0; i < m->n_edges; i++) {
            const struct edge *x = &m->edges[i];
            if (x->dst != d * FIELDS + f) continue;
            dp_buf_addf(&b, "%s{\"namespace\":\"n\",\"name\":\"%d\",\"field\":\"%d\",\"transformations\":[{\"type\":\"%s\",\"subtype\":\"%s\",\"masking\":%s}]}", first ? "" : ",", x->src / FIELDS, x->src % FIELDS,
                        x->how == 2 ? "INDIRECT" : "DIRECT", x->how == 2 ? "FILTER" : x->how == 1 ? "TRANSFORMATION" : "IDENTITY", x->how == 1 ? "true" : "false");
            first = false;
        }
        dp_buf_addz(&b, "]}");
    }
    dp_buf_addz(&b, "}}}}]}");
    if (dp_catalog_add(c, dp_buf_str(&b), false, NULL, &e) != DP_OK) fail_msg("%s: %s", e.msg, dp_buf_z(&b));
    dp_buf_release(&b);
}

static void say(struct dp_catalog *c, const char *name, int rank) {
    struct dp_catalog_node n = {0};
    struct dp_err e = DP_ERR_INIT;
    const struct dp_note note = {.kind = DP_NOTE_CLASS, .value = dp_str_z(words[rank]), .source = DP_STR("t"), .at = 1};
    enum dp_note_done done = DP_NOTE_SAME;
    if (dp_catalog_find(c, name, "dc", "/", &n, &e) != DP_OK || dp_catalog_note(c, &n, &note, &done, &e) != DP_OK) fail_msg("%s", e.msg);
    assert_int_equal(done, DP_NOTE_ADDED);
    dp_catalog_node_release(&n);
}

/* Up from nothing until nothing changes.  Between the same two columns a mask holds when nothing is copied beside it; what only chooses rows takes nothing from it. */
static void solve(struct model *m) {
    int how[N][N] = {{0}};
    for (size_t i = 0; i < m->n_edges; i++) how[m->edges[i].src][m->edges[i].dst] |= 1 << m->edges[i].how;
    for (int i = 0; i < N; i++) {
        int own = m->person[i] >= 0 ? m->person[i] : m->event[i];
        m->want[i] = own >= 0 ? own : m->whole[i / FIELDS];
    }
    for (bool more = true; more;) {
        more = false;
        for (int s = 0; s < N; s++)
            for (int t = 0; t < N; t++) {
                bool own = m->person[t] >= 0 || m->event[t] >= 0;
                if (!(how[s][t] & 1) || own || m->want[s] <= m->want[t]) continue;
                m->want[t] = m->want[s];
                more = true;
            }
    }
    for (int t = 0; t < N; t++) {
        m->masked[t] = -1;
        for (int s = 0; s < N; s++)
            if (s != t && how[s][t] & 2 && !(how[s][t] & 1) && m->want[s] >= 2 && m->want[s] > m->masked[t]) m->masked[t] = m->want[s];
    }
}

static void compare(const struct model *m, struct dp_catalog *c, int graph) {
    struct dp_err e = DP_ERR_INIT;
    struct dp_classes all, one;
    if (dp_catalog_classes(c, NULL, 0, &all, &e) != DP_OK) fail_msg("%s", e.msg);
    for (int i = 0; i < N; i++) {
        char name[32];
        struct dp_catalog_node n = {0};
        snprintf(name, sizeof name, "n/%d#%d", i / FIELDS, i % FIELDS);
        assert_int_equal(dp_catalog_find(c, name, "c", "/", &n, &e), DP_OK);
        assert_int_equal(dp_catalog_classes(c, &n.dataset, 1, &one, &e), DP_OK);
        const struct dp_class *got = dp_classes_find(&all, n.id), *alone = dp_classes_find(&one, n.id);
        int rank = got && got->word.p ? dp_class_rank(got->word) : -1, masked = got && got->masked ? dp_class_rank(got->masked_word) : -1;
        if (rank != m->want[i] || masked != m->masked[i]) fail_msg("graph %d, column %s: %d and masked %d, not %d and %d", graph, name, rank, masked, m->want[i], m->masked[i]);
        assert_int_equal(!got, !alone);
        if (got) assert_true(got->how == alone->how && dp_str_eq(got->word, alone->word) && got->from == alone->from);
        dp_classes_release(&one);
        dp_catalog_node_release(&n);
    }
    dp_classes_release(&all);
}

static void random_graphs(void **state) {
    (void)state;
    for (int g = 0; g < GRAPHS; g++) {
        static struct model m;
        char path[128];
        struct dp_catalog *c = NULL;
        struct dp_err e = DP_ERR_INIT;
        seed = (uint32_t)g * 7919u + 1;
        make(&m);
        solve(&m);
        snprintf(path, sizeof path, "%s/%d.db", dir, g);
        if (dp_catalog_open(path, DP_CATALOG_WRITE, 20000, &c, &e) != DP_OK) fail_msg("%s", e.msg);
        for (int d = 0; d < DATASETS; d++) add_dataset(&m, c, d);
        assert_int_equal(dp_catalog_commit(c, &e), DP_OK);
        for (int i = 0; i < N; i++) {
            char name[32];
            snprintf(name, sizeof name, "n/%d#%d", i / FIELDS, i % FIELDS);
            if (m.person[i] >= 0) say(c, name, m.person[i]);
        }
        for (int d = 0; d < DATASETS; d++) {
            char name[32];
            snprintf(name, sizeof name, "n/%d", d);
            if (m.whole[d] >= 0) say(c, name, m.whole[d]);
        }
        assert_int_equal(dp_catalog_commit(c, &e), DP_OK);
        dp_catalog_close(c);
        assert_int_equal(dp_catalog_open(path, DP_CATALOG_READ, 20000, &c, &e), DP_OK);
        compare(&m, c, g);
        dp_catalog_close(c);
    }
}

static void ranks(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) assert_int_equal(dp_class_rank(dp_str_z(words[i])), i);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks), cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

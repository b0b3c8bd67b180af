/* What the commands of dp-lineage share. */
#include "lineage.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/io/grid.h>
#include <dp/io/lineage_send.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 30 * 1000 };

/* Does a file begin as JSON does? */
static bool is_json(const char *path) {
    struct stat st;
    char head[64];
    int fd = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0, i = 0;
    if (fd >= 0) close(fd);
    while (i < n && strchr(" \t\r\n", head[i])) i++;
    return i < n && (head[i] == '{' || head[i] == '[');
}

enum dp_status lineage_open(const char *path, enum dp_catalog_mode mode, struct dp_catalog **out, struct dp_err *err) {
    char *usual = dp_catalog_default();
    const char *own = path ? NULL : getenv("DP_LINEAGE");
    char *named = own ? dp_path_of_url(own) : NULL;
    if (mode == DP_CATALOG_READ) dp_lineage_take_in(path ? path : usual);
    enum dp_status status = dp_catalog_open(path ? path : usual, mode, WAIT_MS, out, err);
    if (status == DP_IO && mode == DP_CATALOG_READ && named && access(named, R_OK) == 0 && access(usual, F_OK) != 0)
        status = dp_err_set(err, DP_IO, "%s is a file of events: dp-lineage ingest %s takes it into a store at %s", named, named, usual);
    if (status == DP_USAGE && path && is_json(path)) status = dp_err_set(err, DP_USAGE, "%s is a file of events, no store: dp-lineage ingest %s takes it into %s", path, path, usual);
    if (status == DP_USAGE && !path && is_json(usual)) status = dp_err_set(err, DP_USAGE, "%s is a file of events, no store: dp-lineage ingest --store FILE %s takes it into one", usual, usual);
    free(usual);
    free(named);
    return status;
}

enum dp_status lineage_find(struct dp_catalog *c, const char *text, const char *kinds, struct dp_catalog_node *out, struct dp_err *err) {
    char cwd[4096];
    if (!getcwd(cwd, sizeof cwd)) return dp_err_sys(err, DP_IO, "can't tell the working directory");
    return dp_catalog_find(c, text, kinds, cwd, out, err);
}

enum dp_status lineage_find_all(struct dp_catalog *c, const char *text, const char *kinds, struct lineage_nodes *out, struct dp_err *err) {
    struct dp_catalog_node one = {0}, *v = NULL;
    size_t n = 0;
    if (strpbrk(kinds, "dc")) DP_TRY(dp_catalog_find_folded(c, text, &v, &n, err));
    if (!n) {
        free(v);
        DP_TRY(lineage_find(c, text, kinds, &one, err));
    }
    out->v = dp_grow(out->v, &out->cap, out->n + n + 1, sizeof *out->v);
    for (size_t i = 0; i < n; i++) out->v[out->n++] = v[i];
    if (n) free(v);
    else out->v[out->n++] = one;
    return DP_OK;
}

void lineage_nodes_release(struct lineage_nodes *s) {
    for (size_t i = 0; i < s->n; i++) dp_catalog_node_release(&s->v[i]);
    free(s->v);
    *s = (struct lineage_nodes){0};
}

static void add_clean(struct dp_buf *b, size_t from) {
    for (size_t i = from; i < b->n; i++)
        if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f) b->p[i] = '?';
}

void lineage_add_name(const struct dp_catalog_node *n, struct dp_buf *b) {
    size_t from = b->n;
    dp_catalog_node_print(n, b);
    add_clean(b, from);
}

void lineage_add_json(const struct dp_catalog_node *n, struct dp_buf *b) {
    dp_buf_addf(b, "\"kind\":\"%s\",\"namespace\":", n->kind == 'd' ? "dataset" : n->kind == 'j' ? "job" : "column");
    dp_json_add_string(b, dp_str_z(n->ns));
    dp_buf_addz(b, ",\"name\":");
    dp_json_add_string(b, dp_str_z(n->name));
    if (!n->field) return;
    dp_buf_addz(b, ",\"column\":");
    dp_json_add_string(b, dp_str_z(n->field));
}

/* ---- rows ---- */

static size_t cells_in(struct dp_str row) {
    size_t n = 1;
    for (const char *p = row.p; (p = memchr(p, '\t', (size_t)(row.p + row.n - p))) != NULL; p++) n++;
    return n;
}

static void align(const struct dp_buf *rows, size_t columns, struct dp_buf *out) {
    struct dp_grid *g = dp_grid_open();
    size_t most = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass) dp_grid_rows(g, most, columns);
        for (const char *p = rows->p, *end = rows->p + rows->n; p < end;) {
            const char *nl = memchr(p, '\n', (size_t)(end - p));
            struct dp_str row = dp_str(p, (size_t)((nl ? nl : end) - p));
            size_t n = cells_in(row);
            if (n > most) most = n;
            for (size_t i = 0; pass && i < most; i++) {
                const char *tab = i < n ? memchr(row.p, '\t', row.n) : NULL;
                size_t m = i >= n ? 0 : tab ? (size_t)(tab - row.p) : row.n;
                dp_grid_cell(g, dp_str(row.p, m));
                if (tab) m++;
                row = dp_str(row.p + m, row.n - m);
            }
            p = nl ? nl + 1 : end;
        }
    }
    dp_grid_print(g, true, out);
    dp_grid_close(g);
}

enum dp_status lineage_write(struct dp_cli *cli, const struct dp_buf *rows, struct dp_err *err) {
    size_t columns = dp_cli_columns();
    struct dp_buf text = {0};
    if (!columns || !rows->n) return dp_out_write(cli->run.out, rows->p, rows->n, err);
    align(rows, columns, &text);
    enum dp_status status = dp_out_write(cli->run.out, text.p, text.n, err);
    dp_buf_release(&text);
    return status;
}

struct answer {
    struct dp_cli *cli;
    struct dp_buf text;
    uint64_t n;
};

void lineage_add_cell(struct dp_buf *b, const struct dp_catalog_cell *c, bool json) {
    char when[40];
    if (c->is_null) {
        dp_buf_addz(b, json ? "null" : "-");
    } else if (c->is_text && json) {
        dp_json_add_string(b, c->text);
    } else if (c->is_text) {
        size_t from = b->n;
        dp_buf_adds(b, c->text);
        add_clean(b, from);
    } else if (dp_str_ends(dp_str_z(c->name), DP_STR("_at"))) {
        size_t n = dp_time_print_micros(when, c->number, true, -1);
        dp_buf_addf(b, json ? "\"%.*s\"" : "%.*s", (int)n, when);
    } else {
        dp_buf_addf(b, "%lld", (long long)c->number);
    }
}

static enum dp_status on_row(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct answer *a = ctx;
    bool json = a->cli->common.json;
    if (json) dp_buf_addz(&a->text, a->n ? ",{" : "{");
    for (size_t i = 0; i < n; i++) {
        if (json) dp_buf_addf(&a->text, "%s\"%s\":", i ? "," : "", cells[i].name);
        else if (i) dp_buf_addc(&a->text, '\t');
        lineage_add_cell(&a->text, &cells[i], json);
    }
    dp_buf_addc(&a->text, json ? '}' : '\n');
    a->n++;
    if (json || a->text.n < (1 << 16)) return DP_OK;
    enum dp_status status = lineage_write(a->cli, &a->text, err);
    dp_buf_reset(&a->text);
    return status;
}

enum dp_status lineage_answer(struct dp_cli *cli, struct dp_catalog *c, enum dp_catalog_question q, const struct dp_catalog_args *args, const char *key, uint64_t *n, struct dp_err *err) {
    struct answer a = {.cli = cli};
    if (cli->common.json) dp_buf_addc(&a.text, '[');
    enum dp_status status = dp_catalog_ask(c, q, args, on_row, &a, err);
    if (cli->common.json) dp_buf_addc(&a.text, ']'), dp_cli_report(cli, key, dp_buf_str(&a.text));
    else if (status == DP_OK) status = lineage_write(cli, &a.text, err);
    if (n) *n = a.n;
    dp_buf_release(&a.text);
    return status;
}

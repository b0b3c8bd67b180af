/*
 * Sums of run reports by job and by data (dp/io/cost.h).  Read twice: first for the runs of dp-run, whose reports hold what their stages took, and for what runs and jobs write, then for the sums.
 * In memory are a line, the ids of those runs and of those that write, and a sum for each job and each table or file.
 */
#include "cost_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/record/json.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256u << 10)

struct summing {
    const struct dp_run *run;
    struct dp_scan *scan;
    struct dp_map led, jobs;     /* ids of runs of dp-run; job -> struct dp_cost_pipeline * */
    struct cost_data data;
    struct dp_buf a, b, c, text;
    bool is_first;
    struct dp_err *err;
};

static struct dp_str text_of(const struct dp_record *r, const char *key, struct dp_buf *to) {
    uint32_t node = dp_json_member(r, 0, key);
    dp_buf_reset(to);
    return node && dp_json_get_string(r, node, to) ? dp_buf_str(to) : dp_str("", 0);
}

static bool number_of(const struct dp_record *r, uint32_t object, const char *key, uint64_t *out) {
    int64_t v;
    uint32_t node = dp_json_member(r, object, key);
    if (!node || !dp_json_get_i64(r, node, &v) || v < 0) return false;
    *out = (uint64_t)v;
    return true;
}

/* Files that it wrote to data. */
static uint64_t files_of(const struct dp_record *r) {
    uint64_t sum = 0, n;
    uint32_t list = dp_json_member(r, 0, "outputs");
    if (!list || r->nodes[list].kind != DP_KIND_ARRAY) return 0;
    for (uint32_t i = list + 1; i < r->nodes[list].next; i = r->nodes[i].next)
        if (r->nodes[i].kind == DP_KIND_OBJECT && number_of(r, i, "files", &n)) cost_add(&sum, n);
    return sum;
}

static struct dp_cost_pipeline *pipeline_of(struct summing *g, struct dp_str job) {
    struct dp_map_item *item = dp_map_put(&g->jobs, job, NULL);
    if (!item->v.p) item->v.p = dp_calloc(1, sizeof(struct dp_cost_pipeline));
    return item->v.p;
}

static bool add_report(struct summing *g, const struct dp_record *r) {
    uint64_t user = 0, sys = 0, peak = 0, in = 0, out = 0, rows = 0;
    struct dp_str program = text_of(r, "program", &g->a), run = text_of(r, "run", &g->b), job = text_of(r, "job", &g->c);
    if (!program.n || !dp_json_member(r, 0, "run") || !dp_json_member(r, 0, "exit")) return false;
    bool leads = dp_str_eqz(program, "dp-run");
    if (g->is_first) {
        if (leads && run.n) dp_map_put(&g->led, run, NULL);
        cost_data_note(&g->data, r, run, job);
        return true;
    }
    bool is_known = number_of(r, 0, "cpu_user_us", &user) && number_of(r, 0, "cpu_system_us", &sys);
    (void)number_of(r, 0, "peak_memory_bytes", &peak);
    (void)number_of(r, 0, "bytes_in", &in), (void)number_of(r, 0, "bytes_out", &out);
    uint32_t records = dp_json_member(r, 0, "records");
    if (records && r->nodes[records].kind == DP_KIND_OBJECT) (void)number_of(r, records, "in", &rows);
    struct dp_cost_pipeline *p = pipeline_of(g, job);
    cost_add(&p->bytes_in, in), cost_add(&p->bytes_out, out), cost_add(&p->rows, rows);
    if (peak > p->peak) p->peak = peak;
    if (!leads && dp_map_get(&g->led, run)) return true; /* a stage */
    p->runs++;
    if (!dp_str_eqz(text_of(r, "command", &g->a), "commit")) cost_add(&p->files, files_of(r));
    if (!is_known) p->unmeasured++;
    else cost_add(&p->cpu_user_us, user), cost_add(&p->cpu_system_us, sys);
    if (is_known) cost_data_add(&g->data, r, run, job, user, sys);
    return true;
}

static enum dp_status too_long(struct summing *g, const char *path, uint64_t line) {
    (void)dp_err_set(g->err, DP_LIMIT, "a line of more than %u bytes", DP_LIMIT_REPORT_LINE);
    dp_err_at(g->err, path, line, DP_NO_OFFSET);
    return DP_LIMIT;
}

/* Whole lines in text[0..n). */
static enum dp_status add_lines(struct summing *g, const char *path, size_t n, uint64_t *line) {
    struct dp_record r;
    struct dp_err why = DP_ERR_INIT;
    (void)dp_buf_reserve(&g->text, DP_SCAN_PAD);
    for (size_t i = 0; i < n;) {
        const char *end = memchr(g->text.p + i, '\n', n - i);
        size_t k = end ? (size_t)(end - g->text.p) : n, w = i;
        ++*line;
        if (k - i > DP_LIMIT_REPORT_LINE) return too_long(g, path, *line);
        while (w < k && strchr(" \t\r", g->text.p[w]) && g->text.p[w]) w++;
        if (w < k) {
            bool ok = dp_scan_value(g->scan, g->text.p + i, k - i, &r, &why) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT && add_report(g, &r);
            if (!ok) {
                (void)dp_err_set(g->err, DP_FORMAT, "this is no report of a run, as --report writes it");
                dp_err_at(g->err, path, *line, DP_NO_OFFSET);
                return DP_FORMAT;
            }
        }
        i = k + 1;
    }
    return DP_OK;
}

static enum dp_status add_file(struct summing *g, const char *path) {
    uint64_t line = 0;
    enum dp_status status = DP_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) return dp_err_sys(g->err, DP_IO, "cannot open %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return close(fd), dp_err_set(g->err, DP_USAGE, "%s is no regular file: reports are read twice", path);
    dp_buf_reset(&g->text);
    for (ssize_t got = 1; got > 0 && status == DP_OK;) {
        if (dp_run_stopped(g->run, g->err)) status = DP_SIGNALLED;
        else if (g->text.n > DP_LIMIT_REPORT_LINE) status = too_long(g, path, line + 1);
        if (status != DP_OK) break;
        do got = read(fd, dp_buf_reserve(&g->text, PIECE), PIECE);
        while (got < 0 && errno == EINTR);
        if (got < 0) status = dp_err_sys(g->err, DP_IO, "cannot read %s", path);
        if (got <= 0) break;
        g->text.n += (size_t)got;
        size_t n = g->text.n;
        while (n && g->text.p[n - 1] != '\n' && n > g->text.n - (size_t)got) n--;
        if (!n || g->text.p[n - 1] != '\n') continue; /* no line ends in what came */
        status = add_lines(g, path, n, &line);
        memmove(g->text.p, g->text.p + n, g->text.n - n);
        g->text.n -= n;
    }
    if (status == DP_OK) status = add_lines(g, path, g->text.n, &line);
    close(fd);
    return status;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status add_directory(struct summing *g, const char *dir) {
    static const char *const ends[] = {".json", ".ndjson", ".jsonl"};
    char **v = NULL;
    size_t n = 0, cap = 0;
    enum dp_status status = DP_OK;
    DIR *d = opendir(dir);
    if (!d) return dp_err_sys(g->err, DP_IO, "can't read directory %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        bool is_wanted = false;
        for (int i = 0; i < 3; i++) is_wanted |= dp_str_ends(dp_str_z(e->d_name), dp_str_z(ends[i]));
        if (!is_wanted || e->d_name[0] == '.') continue;
        v = dp_grow(v, &cap, n + 1, sizeof *v);
        v[n++] = dp_path_join(dir, e->d_name);
    }
    closedir(d);
    if (n) qsort(v, n, sizeof *v, by_name);
    for (size_t i = 0; i < n; i++) {
        if (status == DP_OK) status = add_file(g, v[i]);
        free(v[i]);
    }
    free(v);
    return status;
}

static int by_job(const void *a, const void *b) {
    const struct dp_map_item *const *x = a, *const *y = b;
    return dp_str_cmp((*x)->key, (*y)->key);
}

static enum dp_status tell(struct summing *g, const struct dp_cost_runs_opts *o) {
    const struct dp_map_item **v = dp_calloc(g->jobs.n + 1, sizeof(struct dp_map_item *));
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < g->jobs.n; i++) v[i] = &g->jobs.items[i];
    qsort(v, g->jobs.n, sizeof *v, by_job);
    for (size_t i = 0; i < g->jobs.n && status == DP_OK; i++) status = o->each(o->ctx, v[i]->key.p, v[i]->v.p, g->err);
    free(v);
    return status == DP_OK ? cost_data_tell(&g->data, o, g->err) : status;
}

enum dp_status dp_cost_runs(const struct dp_run *run, const struct dp_cost_runs_opts *o, struct dp_err *err) {
    struct summing g = {.run = run, .scan = dp_scan_open(DP_LIMIT_REPORT_LINE, DP_SCAN_AUTO), .err = err};
    enum dp_status status = DP_OK;
    for (int pass = 0; pass < 2; pass++) {
        g.is_first = pass == 0;
        for (size_t i = 0; i < o->n && status == DP_OK; i++) {
            struct stat st;
            status = stat(o->names[i], &st) == 0 && S_ISDIR(st.st_mode) ? add_directory(&g, o->names[i]) : add_file(&g, o->names[i]);
        }
    }
    if (status == DP_OK) status = tell(&g, o);
    for (size_t i = 0; i < g.jobs.n; i++) free(g.jobs.items[i].v.p);
    dp_map_release(&g.led), dp_map_release(&g.jobs);
    cost_data_release(&g.data);
    dp_buf_release(&g.a), dp_buf_release(&g.b), dp_buf_release(&g.c), dp_buf_release(&g.text);
    dp_scan_close(g.scan);
    return status;
}

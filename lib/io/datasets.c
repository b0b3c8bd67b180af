/*
 * What a run reads and writes (dp/io/datasets.h): a short list under a lock, found by name.  Calls come once a source or sink, not once a record, so
 * a list is enough up to the hundreds that a command line holds; beyond that a map finds them.  What makes a facet's text is done when the list is asked for.
 * Does not know: events (rules/openlineage.h), where they go (cli).
 */
#include "datasets_priv.h"

#include <dp/base/file.h>
#include <dp/base/map.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS = 100, DATASETS = 1000, LEVELS = 32 };

struct dp_datasets {
    pthread_mutex_t lock;
    struct dp_dataset **v;
    size_t n, cap;
    struct dp_map by_name; /* "I" or "O", namespace, LF, name: to its place in v */
    struct datasets_facets run_facets, job_facets;
    char *cwd;
};

static char *working_directory(void) {
    char *p = getcwd(NULL, 0);
    return p ? p : dp_strdup("/");
}

/* ---- facets ---- */

static void facet_put(struct datasets_facets *f, const char *key, struct dp_str members) {
    size_t i = 0;
    while (i < f->n && strcmp(f->v[i].key, key) != 0) i++;
    if (i == f->n) {
        f->v = dp_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
        f->v[f->n++] = (struct datasets_facet){.key = dp_strdup(key)};
    }
    free(f->v[i].members);
    f->v[i].members = dp_strndup(members.n ? members.p : "", members.n);
}

static void facets_release(struct datasets_facets *f) {
    for (size_t i = 0; i < f->n; i++) free(f->v[i].key), free(f->v[i].members);
    free(f->v);
    *f = (struct datasets_facets){.v = NULL};
}

static void facets_print(const struct datasets_facets *f, enum dp_ol_place place, struct dp_buf *b) {
    for (size_t i = 0; i < f->n; i++) {
        dp_ol_facet(b, place, f->v[i].key);
        if (*f->v[i].members) dp_buf_addc(b, ','), dp_buf_addz(b, f->v[i].members);
        dp_buf_addc(b, '}');
    }
}

/* ---- the list ---- */

struct dp_datasets *dp_datasets_open(void) {
    struct dp_datasets *d = dp_calloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->cwd = working_directory();
    return d;
}

static void dataset_free(struct dp_dataset *d) {
    dp_ol_about_release(&d->about);
    dp_ol_dataset_release(&d->d);
    facets_release(&d->facets);
    facets_release(&d->side_facets);
    free(d->fields), free(d->origins);
    dp_type_free(d->names);
    free(d);
}

void dp_datasets_close(struct dp_datasets *d) {
    if (!d) return;
    for (size_t i = 0; i < d->n; i++) dataset_free(d->v[i]);
    free(d->v);
    dp_map_release(&d->by_name);
    facets_release(&d->run_facets);
    facets_release(&d->job_facets);
    pthread_mutex_destroy(&d->lock);
    free(d->cwd);
    free(d);
}

/* A file of a table stands for the table.  Caller frees; NULL: it is in none. */
static char *table_around(const char *file) {
    struct stat st;
    if (strstr(file, "://") || stat(file, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
    char *dir = dp_path_dir(file);
    for (int i = 0; i < LEVELS; i++) {
        char *log = dp_path_join(dir, "_delta_log");
        bool is_table = access(log, F_OK) == 0;
        free(log);
        if (is_table) return dir;
        if (strcmp(dir, ".") == 0 || strcmp(dir, "/") == 0) break;
        char *up = dp_path_dir(dir);
        free(dir);
        dir = up;
    }
    free(dir);
    return NULL;
}

static enum dp_status name_of(const char *what, const char *cwd, bool is_output, struct dp_ol_name *id) {
    char *table = is_output ? NULL : table_around(what);
    enum dp_status status = dp_ol_name_of(table ? table : what, cwd, id, NULL);
    free(table);
    return status;
}

static void key_of(const struct dp_ol_name *id, bool is_output, struct dp_buf *key) { dp_buf_addf(key, "%c%s\n%s", is_output ? 'O' : 'I', id->ns, id->name); }

/* Takes ownership of the name.  NULL: there are so many already that nobody would follow them. */
static struct dp_dataset *note(struct dp_datasets *all, struct dp_ol_name id, bool is_output) {
    struct dp_buf key = {NULL, 0, 0};
    bool is_new = false;
    key_of(&id, is_output, &key);
    pthread_mutex_lock(&all->lock);
    struct dp_map_item *at = all->n < DATASETS ? dp_map_put(&all->by_name, dp_buf_str(&key), &is_new) : dp_map_get(&all->by_name, dp_buf_str(&key));
    if (is_new) {
        struct dp_dataset *d = dp_calloc(1, sizeof *d);
        d->all = all;
        d->d = (struct dp_ol_dataset){.id = id, .is_output = is_output, .rows = UINT64_MAX, .bytes = UINT64_MAX, .files = UINT64_MAX};
        at->v.u = all->n;
        all->v = dp_grow(all->v, &all->cap, all->n + 1, sizeof *all->v);
        all->v[all->n++] = d;
    } else {
        dp_ol_name_release(&id);
    }
    struct dp_dataset *found = at ? all->v[at->v.u] : NULL;
    pthread_mutex_unlock(&all->lock);
    dp_buf_release(&key);
    return found;
}

static struct dp_dataset *note_path(struct dp_run *run, const char *what, bool is_output) {
    struct dp_ol_name id = {NULL, NULL};
    if (!run->datasets || !what || !*what || strcmp(what, "-") == 0) return NULL;
    if (name_of(what, run->datasets->cwd, is_output, &id) != DP_OK) return NULL; /* what has no name is in no graph */
    return note(run->datasets, id, is_output);
}

struct dp_dataset *dp_dataset_noted(struct dp_run *run, const char *what) {
    struct dp_ol_name id = {NULL, NULL};
    struct dp_buf key = {NULL, 0, 0};
    if (!run->datasets || name_of(what, run->datasets->cwd, false, &id) != DP_OK) return NULL;
    key_of(&id, false, &key);
    pthread_mutex_lock(&run->datasets->lock);
    const struct dp_map_item *at = dp_map_get(&run->datasets->by_name, dp_buf_str(&key));
    struct dp_dataset *found = at ? run->datasets->v[at->v.u] : NULL;
    pthread_mutex_unlock(&run->datasets->lock);
    dp_buf_release(&key);
    dp_ol_name_release(&id);
    return found;
}

struct dp_dataset *dp_dataset_input(struct dp_run *run, const char *what) { return note_path(run, what, false); }
struct dp_dataset *dp_dataset_output(struct dp_run *run, const char *what) { return note_path(run, what, true); }

/* ---- what is known of one ---- */

static void replace(char **field, const char *text) {
    char *copy = text ? dp_strdup(text) : NULL;
    free(*field);
    *field = copy;
}

void dp_dataset_header(struct dp_dataset *d, const struct dp_mark *begin) {
    if (!d || !begin) return;
    pthread_mutex_lock(&d->all->lock);
    replace(&d->fields, begin->fields);
    replace(&d->origins, begin->origins);
    dp_type_free(d->names);
    d->names = begin->schema ? dp_type_copy(begin->schema) : NULL;
    d->has_header = true;
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_schema(struct dp_dataset *d, const struct dp_type *schema) {
    if (!d || !schema) return;
    struct dp_type *copy = dp_type_copy(schema);
    pthread_mutex_lock(&d->all->lock);
    dp_type_free(d->d.schema);
    d->d.schema = copy;
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_storage(struct dp_dataset *d, const char *layer, const char *format) {
    if (!d) return;
    pthread_mutex_lock(&d->all->lock);
    if (layer) replace(&d->d.layer, layer);
    if (format) replace(&d->d.format, format);
    pthread_mutex_unlock(&d->all->lock);
}

void datasets_set_about(struct dp_dataset *d, struct dp_ol_about *about) {
    pthread_mutex_lock(&d->all->lock);
    dp_ol_about_release(&d->about);
    d->about = *about, d->has_about = true;
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_version(struct dp_dataset *d, int64_t version) {
    char text[32];
    if (!d || version < 0) return;
    snprintf(text, sizeof text, "%lld", (long long)version);
    pthread_mutex_lock(&d->all->lock);
    replace(&d->d.version, text);
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_lifecycle(struct dp_dataset *d, enum dp_ol_lifecycle what) {
    if (!d) return;
    pthread_mutex_lock(&d->all->lock);
    d->d.lifecycle = what;
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_part(struct dp_dataset *d, const char *name) {
    if (!d) return;
    pthread_mutex_lock(&d->all->lock);
    size_t i = 0;
    while (i < d->d.n_parts && strcmp(d->d.parts[i], name) != 0) i++;
    if (i == d->d.n_parts && i < PARTS) {
        d->d.parts = dp_realloc_array(d->d.parts, i + 1, sizeof *d->d.parts);
        d->d.parts[d->d.n_parts++] = dp_strdup(name);
    }
    pthread_mutex_unlock(&d->all->lock);
}

static void add(uint64_t *to, uint64_t n) {
    if (n == UINT64_MAX) return;
    *to = *to == UINT64_MAX ? n : *to + n;
}

void dp_dataset_count(struct dp_dataset *d, uint64_t rows, uint64_t bytes, uint64_t files) {
    if (!d) return;
    pthread_mutex_lock(&d->all->lock);
    add(&d->d.rows, rows);
    add(&d->d.bytes, bytes);
    add(&d->d.files, files);
    pthread_mutex_unlock(&d->all->lock);
}

void dp_dataset_facet(struct dp_dataset *d, bool of_side, const char *key, struct dp_str members) {
    if (!d) return;
    pthread_mutex_lock(&d->all->lock);
    facet_put(of_side ? &d->side_facets : &d->facets, key, members);
    pthread_mutex_unlock(&d->all->lock);
}

size_t dp_datasets_inputs(struct dp_run *run) {
    struct dp_datasets *d = run->datasets;
    size_t n = 0;
    if (!d) return 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) n += !d->v[i]->d.is_output;
    pthread_mutex_unlock(&d->lock);
    return n;
}

void dp_datasets_inputs_facet(struct dp_run *run, bool of_side, const char *key, struct dp_str members) {
    struct dp_datasets *d = run->datasets;
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        if (!d->v[i]->d.is_output) facet_put(of_side ? &d->v[i]->side_facets : &d->v[i]->facets, key, members);
    pthread_mutex_unlock(&d->lock);
}

void dp_datasets_run_facet(struct dp_run *run, bool of_job, const char *key, struct dp_str members) {
    struct dp_datasets *d = run->datasets;
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    facet_put(of_job ? &d->job_facets : &d->run_facets, key, members);
    pthread_mutex_unlock(&d->lock);
}

/* ---- the header's origins ---- */

/* Columns that it has, where the stream's schema has others too. */
static void add_columns(const struct dp_mark *begin, const struct dp_type *has, struct dp_buf *item) {
    if (!has || !begin->schema || has->n_children >= begin->schema->n_children) return;
    dp_buf_addz(item, ",\"columns\":[");
    for (size_t i = 0; i < has->n_children; i++) {
        if (i) dp_buf_addc(item, ',');
        dp_json_add_string(item, dp_str(has->children[i]->name, has->children[i]->name_n));
    }
    dp_buf_addc(item, ']');
}

void dp_datasets_origin(struct dp_mark *begin, const char *source, const char *what, const struct dp_type *has) {
    struct dp_ol_name id = {NULL, NULL};
    struct dp_buf item = {NULL, 0, 0}, b = {NULL, 0, 0};
    if (!what || !*what || strcmp(what, "-") == 0 || (begin->origins && strlen(begin->origins) >= DP_LIMIT_ORIGINS - DP_LIMIT_PATH)) return;
    char *cwd = working_directory();
    if (name_of(what, cwd, false, &id) == DP_OK) {
        dp_buf_addz(&item, "{\"namespace\":"), dp_json_add_string(&item, dp_str_z(id.ns));
        dp_buf_addz(&item, ",\"name\":"), dp_json_add_string(&item, dp_str_z(id.name));
        if (source) dp_buf_addz(&item, ",\"source\":"), dp_json_add_string(&item, dp_str_z(source));
        add_columns(begin, has, &item);
        dp_buf_addc(&item, '}');
        size_t had = begin->origins ? strlen(begin->origins) : 0;
        if ((!begin->origins || !strstr(begin->origins, dp_buf_z(&item))) && had + item.n < DP_LIMIT_ORIGINS) {
            if (had > 2) dp_buf_add(&b, begin->origins, had - 1), dp_buf_addc(&b, ',');
            else dp_buf_addc(&b, '[');
            dp_buf_adds(&b, dp_buf_str(&item));
            dp_buf_addc(&b, ']');
            free(begin->origins);
            begin->origins = dp_buf_detach(&b);
        }
    }
    dp_ol_name_release(&id);
    dp_buf_release(&item);
    free(cwd);
}

void dp_datasets_of_header(struct dp_run *run, const struct dp_mark *begin) {
    size_t n = 0;
    if (!run->datasets || !begin || !begin->origins) return;
    struct datasets_origin *o = datasets_origins(begin->origins, &n);
    for (size_t i = 0; i < n; i++) note(run->datasets, (struct dp_ol_name){dp_strdup(o[i].ns), dp_strdup(o[i].name)}, false);
    datasets_origins_free(o, n);
}

void dp_datasets_operands(struct dp_run *run, const char *const *names, size_t n, struct dp_mark *begin) {
    if (!run->datasets && !run->marks) return;
    for (size_t i = 0; i < n; i++) {
        (void)dp_dataset_input(run, names[i]);
        dp_datasets_origin(begin, NULL, names[i], NULL);
    }
}

struct dp_dataset *dp_dataset_copied(struct dp_run *run, const char *from, const char *to, const struct dp_type *schema) {
    struct dp_mark begin = {.kind = DP_MARK_BEGIN, .table_version = -1};
    if (!run->datasets) return NULL;
    dp_datasets_operands(run, &from, 1, &begin);
    begin.schema = schema ? dp_type_copy(schema) : NULL;
    struct dp_dataset *d = dp_dataset_output(run, to);
    dp_dataset_header(d, &begin);
    dp_dataset_schema(d, schema);
    dp_dataset_storage(d, "delta", "parquet");
    dp_mark_release(&begin);
    return d;
}

/* ---- for cli ---- */

static char *copy_of(const char *text) { return text ? dp_strdup(text) : NULL; }

static void copy_dataset(const struct dp_dataset *from, struct dp_ol_dataset *to) {
    const struct dp_ol_dataset *d = &from->d;
    *to = *d;
    to->id = (struct dp_ol_name){dp_strdup(d->id.ns), dp_strdup(d->id.name)};
    to->schema = d->schema ? dp_type_copy(d->schema) : NULL;
    to->version = copy_of(d->version), to->layer = copy_of(d->layer), to->format = copy_of(d->format);
    to->previous = (struct dp_ol_name){copy_of(d->previous.ns), copy_of(d->previous.name)};
    to->parts = d->n_parts ? dp_calloc(d->n_parts, sizeof *to->parts) : NULL;
    for (size_t i = 0; i < d->n_parts; i++) to->parts[i] = dp_strdup(d->parts[i]);
    to->columns = to->columns_all = NULL;
    to->facets = to->io_facets = (struct dp_buf){NULL, 0, 0};
    facets_print(&from->facets, DP_OL_OF_DATASET, &to->facets);
    facets_print(&from->side_facets, d->is_output ? DP_OL_OF_OUTPUT : DP_OL_OF_INPUT, &to->io_facets);
    if (from->has_header && d->is_output) datasets_columns(from, &to->columns, &to->columns_all);
}

static int by_side_and_name(const void *a, const void *b) {
    const struct dp_dataset *x = *(struct dp_dataset *const *)a, *y = *(struct dp_dataset *const *)b;
    if (x->d.is_output != y->d.is_output) return x->d.is_output ? 1 : -1;
    int by_ns = strcmp(x->d.id.ns, y->d.id.ns);
    return by_ns ? by_ns : strcmp(x->d.id.name, y->d.id.name);
}

/* Caller frees. */
static struct dp_dataset **in_order(const struct dp_datasets *d) {
    struct dp_dataset **sorted = dp_calloc(d->n + 1, sizeof *sorted);
    if (d->n) memcpy(sorted, d->v, d->n * sizeof *sorted);
    if (d->n) qsort(sorted, d->n, sizeof *sorted, by_side_and_name);
    return sorted;
}

struct dp_ol_dataset *dp_datasets_list(struct dp_datasets *d, size_t *n) {
    *n = 0;
    if (!d) return NULL;
    pthread_mutex_lock(&d->lock);
    struct dp_dataset **sorted = in_order(d);
    struct dp_ol_dataset *out = dp_calloc(d->n + 1, sizeof *out);
    for (size_t i = 0; i < d->n; i++) {
        copy_dataset(sorted[i], &out[i]);
        if (sorted[i]->has_about) dp_ol_about_dataset(&sorted[i]->about, &out[i]);
    }
    *n = d->n;
    pthread_mutex_unlock(&d->lock);
    free(sorted);
    return out;
}

void dp_datasets_facets(struct dp_datasets *d, struct dp_ol_run *r) {
    if (!d) return;
    pthread_mutex_lock(&d->lock);
    facets_print(&d->run_facets, DP_OL_OF_RUN, &r->facets);
    facets_print(&d->job_facets, DP_OL_OF_JOB, &r->job_facets);
    facets_release(&d->run_facets);
    facets_release(&d->job_facets);
    pthread_mutex_unlock(&d->lock);
}

/* ---- in reports ---- */

static void print_figure(const char *key, uint64_t v, struct dp_buf *out) {
    if (v != UINT64_MAX) dp_buf_addf(out, ",\"%s\":%llu", key, (unsigned long long)v);
}

void dp_datasets_print(const struct dp_datasets *d, struct dp_buf *out) {
    struct dp_dataset **sorted = in_order(d);
    for (int side = 0; side < 2; side++) {
        size_t n = 0;
        dp_buf_addz(out, side ? "],\"outputs\":[" : "\"inputs\":[");
        for (size_t i = 0; i < d->n; i++) {
            const struct dp_ol_dataset *s = &sorted[i]->d;
            if (s->is_output != (side == 1)) continue;
            dp_buf_addz(out, n++ ? ",{\"namespace\":" : "{\"namespace\":"), dp_ol_text(out, s->id.ns);
            dp_buf_addz(out, ",\"name\":"), dp_ol_text(out, s->id.name);
            print_figure("rows", s->rows, out), print_figure("bytes", s->bytes, out), print_figure("files", s->files, out);
            dp_buf_addc(out, '}');
        }
    }
    dp_buf_addc(out, ']');
    free(sorted);
}

static void take_figure(const struct dp_record *r, uint32_t of, const char *key, uint64_t *to) {
    int64_t v;
    uint32_t at = dp_json_member(r, of, key);
    if (at && dp_json_get_i64(r, at, &v) && v >= 0 && (*to == UINT64_MAX || *to < (uint64_t)v)) *to = (uint64_t)v;
}

static void take_dataset(struct dp_datasets *d, const struct dp_record *r, uint32_t at, bool is_output) {
    struct dp_ol_name id = {datasets_text(r, at, "namespace"), datasets_text(r, at, "name")};
    struct dp_dataset *to = NULL;
    if (id.ns && id.name) to = note(d, id, is_output);
    else dp_ol_name_release(&id);
    if (!to) return;
    take_figure(r, at, "rows", &to->d.rows), take_figure(r, at, "bytes", &to->d.bytes), take_figure(r, at, "files", &to->d.files);
}

void dp_datasets_take(struct dp_datasets *d, struct dp_str json) {
    static const char *const sides[] = {"inputs", "outputs"};
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_REPORT_LINE, DP_SCAN_PORTABLE);
    struct dp_buf text = {NULL, 0, 0};
    struct dp_record r;
    dp_buf_adds(&text, json);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (text.n <= DP_LIMIT_REPORT_LINE && dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        for (int side = 0; side < 2; side++) {
            uint32_t list = dp_json_member(&r, 0, sides[side]);
            if (!list || r.nodes[list].kind != DP_KIND_ARRAY) continue;
            for (uint32_t i = list + 1; i < r.nodes[list].next; i = r.nodes[i].next)
                if (r.nodes[i].kind == DP_KIND_OBJECT) take_dataset(d, &r, i, side == 1);
        }
    }
    dp_scan_close(scan);
    dp_buf_release(&text);
}

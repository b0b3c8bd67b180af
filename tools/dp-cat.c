/*
 * dp-cat: look at any of it.
 *
 * Prints what SOURCEs hold (Parquet, Delta tables, CSV, JSON, NDJSON in any compression or archive; standard input as records or paths) as records, CSV or
 * an aligned table; or their schema, or the metadata of files and tables.  Parquet files and tables are read by columns: only those that are
 * asked for, and no row group or file that statistics exclude; rows become text on all threads, in order.  All else goes through
 * the stream driver.  It changes nothing but the form.
 *
 *     dp-table files lake/orders --where '.day == "2026-01-02"' | dp-cat --to csv --columns id,price
 */
#include <dp/base/num.h>
#include <dp/cli/cli.h>
#include <dp/io/datasets.h>
#include <dp/io/grid.h>
#include <dp/io/lines.h>
#include <dp/io/rows.h>
#include <dp/io/typed.h>
#include <dp/record/field.h>
#include <dp/record/infer.h>
#include <dp/record/lineage.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TERMINAL_ROWS 40 /* of a table on a terminal, unless --rows says more */

enum form { TO_RECORDS, TO_CSV, TO_TABLE };
static const char *const per_names[] = {"column", "file", "row-group", "page", NULL}; /* enum dp_typed_per */
static const char *const form_names[] = {"records", "csv", "table", NULL};

struct conf {
    int to, per;
    const char *columns, *rows, *as_of;
    bool schema, meta;
};

static const struct dp_opt options[] = {
    DP_OPT_ENUM(conf, to, "to", 0, "FORM", "records, csv or table (default on a terminal)", form_names),
    DP_OPT_STRING(conf, columns, "columns", 0, "A,B", "only these columns, in this order"),
    DP_OPT_STRING(conf, rows, "rows", 0, "A:B", "only rows A to B, counted from 1, both included; either may be left out"),
    DP_OPT_FLAG(conf, schema, "schema", 0, "print the columns and their types instead", .conflicts = "meta"),
    DP_OPT_FLAG(conf, meta, "meta", 0, "print the metadata of Parquet files and tables instead"),
    DP_OPT_ENUM(conf, per, "per", 0, "WHAT", "of a Parquet file --meta has a record for each column of a row group, for the file, each row-group, or each page", per_names,
                .needs = "meta"),
    DP_OPT_STRING(conf, as_of, "as-of", 0, "VERSION|TIME", "tables as they were then"),
    DP_OPT_END};

struct cat {
    struct dp_cli *cli;
    struct dp_run *run;
    const struct conf *conf;
    enum form form;
    struct dp_print_opts print;
    char *names;                 /* conf->columns, cut at commas */
    const char **columns;        /* NULL: all */
    size_t n_columns;
    int64_t first, last;         /* rows to print, from 1 */
    bool has_begun;              /* the header went out, or beside the output */
    bool counted;                /* --rows, or a terminal's limit */
    int64_t row;                 /* rows seen so far */
    atomic_bool done;            /* the last row that is wanted was printed */
    struct dp_rows rows;         /* of typed sources, on their way */
    struct dp_grid *grid;
    struct dp_buf text;          /* of the consumer */
    char **header;               /* CSV, table: the columns of the output */
    size_t n_header;
    /* typed sources */
    char **files;                /* operands, directories and globs expanded */
    size_t n_files;
    struct dp_typed *typed;
    struct dp_expr *where;
    const char *const *where_fields;
    size_t n_where_fields;
    bool where_all;              /* the expression may read any field */
    struct worker *workers;
    struct dp_lines lines;       /* of the output */
    /* records */
    struct dp_scan *scan;
    struct dp_infer *infer;
    struct dp_type *found;       /* --schema: what the stream or the source says */
};

struct worker {
    struct dp_scan *scan;
    struct dp_expr_run *where;
    struct dp_buf text, cell;
    uint32_t *rows;
    size_t cap;
};

/* ---- options ---- */

static enum dp_status parse_columns(struct cat *c, struct dp_err *err) {
    if (!c->conf->columns) return DP_OK;
    size_t n = 1;
    for (const char *p = c->conf->columns; *p; p++) n += *p == ',';
    c->names = dp_strdup(c->conf->columns);
    c->columns = dp_calloc(n, sizeof *c->columns);
    for (char *p = c->names; p;) {
        char *comma = strchr(p, ',');
        if (comma) *comma = '\0';
        if (!*p) return dp_err_set(err, DP_USAGE, "--columns: an empty name in '%.200s'", c->conf->columns);
        for (size_t i = 0; i < c->n_columns; i++)
            if (!strcmp(c->columns[i], p)) return dp_err_set(err, DP_USAGE, "--columns: %.200s is named twice", p);
        c->columns[c->n_columns++] = p;
        p = comma ? comma + 1 : NULL;
    }
    return DP_OK;
}

static enum dp_status parse_rows(struct cat *c, struct dp_err *err) {
    c->first = 1;
    c->last = INT64_MAX;
    const char *text = c->conf->rows, *colon = text ? strchr(text, ':') : NULL;
    if (!text) return DP_OK;
    c->counted = true;
    struct dp_str a = dp_str(text, colon ? (size_t)(colon - text) : 0), b = dp_str_z(colon ? colon + 1 : "");
    bool ok = colon && (a.n || b.n) && (!a.n || dp_parse_i64(a, &c->first)) && (!b.n || dp_parse_i64(b, &c->last));
    if (!ok || c->first < 1 || c->last < c->first)
        return dp_err_set(err, DP_USAGE, "--rows: expected A:B with 1 <= A <= B, got '%.100s'", text);
    return DP_OK;
}

static void set_form(struct cat *c) {
    c->form = (enum form)c->conf->to;
    if (!dp_cli_given(c->cli, "to") && isatty(STDOUT_FILENO)) c->form = TO_TABLE;
    bool terminal = c->form == TO_TABLE && isatty(STDOUT_FILENO);
    if (terminal && !c->conf->rows && !c->conf->schema && !c->conf->meta) c->last = TERMINAL_ROWS, c->counted = true;
    if (c->form == TO_TABLE) c->grid = dp_grid_open();
}

/* Which part of the next n rows is wanted: [*from, *to); all of them are counted. */
static void wanted(struct cat *c, int64_t n, int64_t *from, int64_t *to) {
    *from = c->first - 1 - c->row;
    *to = c->last == INT64_MAX ? n : c->last - c->row;
    if (*from < 0) *from = 0;
    if (*from > n) *from = n;
    if (*to > n) *to = n;
    if (*to < *from) *to = *from;
    c->row += n;
    if (c->row >= c->last) atomic_store(&c->done, true);
}

/* ---- header ---- */

static void add_header(struct cat *c, struct dp_str name, bool right) {
    c->header = dp_realloc_array(c->header, c->n_header + 1, sizeof *c->header);
    c->header[c->n_header++] = dp_strndup(name.p, name.n);
    if (c->form == TO_TABLE) dp_grid_column(c->grid, name, right);
}

static void print_csv_header(const struct cat *c, struct dp_buf *out) {
    for (size_t i = 0; i < c->n_header; i++) {
        if (i) dp_buf_addc(out, ',');
        dp_csv_add(out, dp_str_z(c->header[i]));
    }
    if (c->n_header) dp_buf_addc(out, '\n');
}

static bool is_number(const struct dp_type *t) { return t->id >= DP_TYPE_INT8 && t->id <= DP_TYPE_DECIMAL; }

static enum dp_status check_header(struct cat *c, const struct dp_type *schema, struct dp_buf *out, struct dp_err *err) {
    if (!c->n_header) {
        for (size_t i = 0; i < schema->n_children; i++)
            add_header(c, dp_str(schema->children[i]->name, schema->children[i]->name_n), is_number(schema->children[i]));
        if (c->form == TO_CSV) print_csv_header(c, out);
        return DP_OK;
    }
    bool same = c->n_header == schema->n_children;
    for (size_t i = 0; same && i < c->n_header; i++) same = !strcmp(c->header[i], schema->children[i]->name);
    return same ? DP_OK : dp_err_set(err, DP_SCHEMA, "sources with different columns don't fit in one %s: name those that are wanted with --columns", form_names[c->form]);
}

/* ---- typed sources: jobs ---- */

/* Some columns of a batch. */
struct view {
    struct dp_type *schema;
    const struct dp_type *of; /* the batch's schema that this was made for */
    struct dp_column *columns;
    size_t *at;
};

struct job {
    struct dp_batch b, kept; /* kept: rows that --where lets through */
    bool filtered;
    struct view wanted, asked; /* columns to print; columns that --where reads */
    struct dp_buf text;
    size_t *ends;            /* of each row in text, where rows are counted */
    size_t cap_ends;
};

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct cat *c = ctx;
    struct job *j = job;
    if (atomic_load(&c->done)) return DP_END;
    if (dp_run_stopped(c->run, err)) return DP_SIGNALLED;
    DP_TRY(dp_typed_next(c->typed, dp_rows_next(&c->rows, c->run, 2), &j->b, err));
    dp_rows_see(&c->rows, &j->b);
    return DP_OK;
}

/* Columns of b by name, those that it has, as a batch that borrows them. */
static struct dp_batch view_by(struct view *w, const char *const *names, size_t n, const struct dp_batch *b) {
    struct dp_batch v = *b;
    if (w->of != b->schema) {
        dp_type_free(w->schema);
        w->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
        w->columns = dp_realloc_array(w->columns, n + 1, sizeof *w->columns);
        w->at = dp_realloc_array(w->at, n + 1, sizeof *w->at);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < b->n_columns; k++) {
                if (strcmp(b->schema->children[k]->name, names[i])) continue;
                w->at[w->schema->n_children] = k;
                dp_type_add(w->schema, dp_type_copy(b->schema->children[k]));
                break;
            }
        w->of = b->schema;
    }
    for (size_t i = 0; i < w->schema->n_children; i++) w->columns[i] = b->columns[w->at[i]];
    v.schema = w->schema;
    v.columns = w->columns;
    v.n_columns = w->schema->n_children;
    return v;
}

/* What is printed of b. */
static struct dp_batch view_of(const struct cat *c, struct job *j, const struct dp_batch *b) {
    return c->columns ? view_by(&j->wanted, c->columns, c->n_columns, b) : *b;
}

/* Rows for which --where is true go to j->kept. */
static enum dp_status filter(struct cat *c, struct worker *w, struct job *j, struct dp_err *err) {
    size_t n = 0;
    struct dp_record r;
    enum dp_status status;
    dp_buf_reset(&w->text);
    struct dp_batch asked = c->where_all ? j->b : view_by(&j->asked, c->where_fields, c->n_where_fields, &j->b);
    dp_batch_print(&asked, 0, asked.length, &(struct dp_print_opts){0}, &w->text);
    dp_buf_reserve(&w->text, DP_SCAN_PAD);
    dp_scan_begin(w->scan, w->text.p, w->text.n);
    w->rows = dp_grow(w->rows, &w->cap, (size_t)j->b.length, sizeof *w->rows);
    while ((status = dp_scan_next(w->scan, &r, err)) == DP_OK) {
        bool yes = false;
        status = dp_expr_test(w->where, &r, &yes, err);
        if (status == DP_RECORD) {
            char why[400];
            (void)snprintf(why, sizeof why, "%.390s", err->msg);
            return dp_err_set(err, DP_RULE, "--where: %s", why);
        }
        DP_TRY(status);
        if (yes) w->rows[n++] = r.index;
    }
    if (status != DP_END) return status == DP_RECORD ? DP_FORMAT : status;
    if (j->kept.schema != j->b.schema) {
        if (j->kept.schema) dp_batch_release(&j->kept);
        dp_batch_init(&j->kept, j->b.schema);
    }
    dp_batch_reset(&j->kept);
    dp_batch_gather(&j->kept, &j->b, w->rows, n);
    return DP_OK;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct cat *c = ctx;
    struct job *j = job;
    struct worker *w = &c->workers[worker];
    j->filtered = c->where != NULL;
    if (c->where) {
        if (!w->scan) w->scan = dp_scan_open(c->run->max_record, DP_SCAN_AUTO), w->where = dp_expr_run_open(c->where);
        DP_TRY(filter(c, w, j, err));
    }
    struct dp_batch v = view_of(c, j, j->filtered ? &j->kept : &j->b);
    dp_buf_reset(&j->text);
    if (c->form == TO_TABLE) return DP_OK;
    if (c->form == TO_RECORDS && !c->counted) {
        dp_batch_print(&v, 0, v.length, &c->print, &j->text);
        return DP_OK;
    }
    if (c->counted) j->ends = dp_grow(j->ends, &j->cap_ends, (size_t)v.length + 1, sizeof *j->ends);
    if (c->form == TO_CSV) {
        dp_batch_print_csv(&v, 0, v.length, &c->print, c->counted ? j->ends : NULL, &j->text);
        return DP_OK;
    }
    for (int64_t i = 0; i < v.length; i++) {
        dp_batch_print(&v, i, 1, &c->print, &j->text);
        j->ends[i] = j->text.n;
    }
    return DP_OK;
}

static void table_rows(struct cat *c, const struct dp_batch *v, int64_t from, int64_t to, struct dp_buf *cell) {
    for (int64_t i = from; i < to; i++)
        for (size_t k = 0; k < v->n_columns; k++) {
            dp_buf_reset(cell);
            bool there = v->columns[k].type->id != DP_TYPE_NONE && dp_column_is_valid(&v->columns[k], i);
            if (there) dp_column_print_text(&v->columns[k], i, &c->print, cell);
            dp_grid_cell(c->grid, there ? dp_str(cell->n ? cell->p : "", cell->n) : dp_str(NULL, 0));
        }
}

/* Does one go out with the records, or beside them? */
static bool has_header(const struct cat *c) { return (c->run->marks || c->run->datasets) && c->form == TO_RECORDS; }

static enum dp_status begin_mark(struct cat *c, const struct dp_type *schema, struct dp_err *err) {
    struct dp_mark m = {.table_version = -1};
    c->has_begun = true;
    m.schema = dp_type_copy(schema);
    if (c->cli->n_args == 1) m.source = dp_strdup(c->cli->args[0]);
    dp_datasets_operands(c->run, c->cli->args, c->cli->n_args, &m);
    if (c->where) dp_lineage_where(c->where, &m);
    enum dp_status status = dp_lines_begin(&c->lines, &m, err);
    dp_type_free(m.schema);
    free(m.source), free(m.origins), free(m.fields);
    return status;
}

static enum dp_status end_mark(struct cat *c, struct dp_err *err) {
    if (!c->has_begun) {
        struct dp_type *none = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
        enum dp_status status = begin_mark(c, none, err);
        dp_type_free(none);
        DP_TRY(status);
    }
    return dp_lines_end(&c->lines, err);
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct cat *c = ctx;
    struct job *j = job;
    struct dp_batch v = view_of(c, j, j->filtered ? &j->kept : &j->b);
    int64_t from, to;
    dp_buf_reset(&c->text);
    if (has_header(c) && !c->has_begun) DP_TRY(begin_mark(c, v.schema, err));
    if (c->form != TO_RECORDS) DP_TRY(check_header(c, v.schema, &c->text, err));
    wanted(c, v.length, &from, &to);
    c->run->books.in += (uint64_t)(j->b.length - v.length + to - from);
    c->run->books.filtered += (uint64_t)(j->b.length - v.length);
    c->run->books.used += (uint64_t)(to - from);
    if (c->form == TO_TABLE) {
        table_rows(c, &v, from, to, &c->workers[0].cell);
        dp_grid_print(c->grid, false, &c->text);
    }
    if (c->text.n) DP_TRY(dp_out_write(c->run->out, c->text.p, c->text.n, err));
    if (c->form == TO_TABLE || from == to) return DP_OK;
    size_t a = c->counted && from ? j->ends[from - 1] : 0, b = c->counted ? j->ends[to - 1] : j->text.n;
    return dp_lines_write(&c->lines, j->text.p + a, b - a, (uint64_t)(to - from), err);
}

static void release_view(struct view *w) {
    dp_type_free(w->schema);
    free(w->columns);
    free(w->at);
}

static void release_job(void *ctx, void *job) {
    struct job *j = job;
    (void)ctx;
    if (j->b.schema) dp_batch_release(&j->b);
    if (j->kept.schema) dp_batch_release(&j->kept);
    release_view(&j->wanted);
    release_view(&j->asked);
    free(j->ends);
    dp_buf_release(&j->text);
}

/* A source without rows has columns all the same. */
static enum dp_status header_alone(struct cat *c, struct dp_err *err) {
    const struct dp_type *schema = dp_typed_schema(c->typed);
    if (c->form == TO_RECORDS || c->n_header) return DP_OK;
    dp_buf_reset(&c->text);
    for (size_t i = 0; c->columns && i < c->n_columns; i++) add_header(c, dp_str_z(c->columns[i]), false);
    for (size_t i = 0; !c->columns && i < schema->n_children; i++) add_header(c, dp_str(schema->children[i]->name, schema->children[i]->name_n), false);
    if (c->form == TO_CSV) print_csv_header(c, &c->text);
    return c->text.n ? dp_out_write(c->run->out, c->text.p, c->text.n, err) : DP_OK;
}

static enum dp_status finish_table(struct cat *c, struct dp_err *err) {
    if (c->form != TO_TABLE) return DP_OK;
    dp_buf_reset(&c->text);
    dp_grid_print(c->grid, true, &c->text);
    if (c->counted && !c->conf->rows && c->row > c->last) dp_buf_addf(&c->text, "(first %lld rows; --rows 1: prints all)\n", (long long)c->last);
    return dp_out_write(c->run->out, c->text.p ? c->text.p : "", c->text.n, err);
}

static void say_skipped(const struct cat *c) {
    if (!c->where && !c->conf->rows) return;
    struct dp_typed_counts n = dp_typed_counts(c->typed);
    dp_run_log(c->run, DP_LOG_VERBOSE, "skipped: %llu of %llu files, %llu of %llu row groups of the rest, %llu of %llu pages of the rest; %llu bytes not read",
               (unsigned long long)n.files_skipped, (unsigned long long)n.files, (unsigned long long)n.groups_skipped, (unsigned long long)n.groups,
               (unsigned long long)n.pages_skipped, (unsigned long long)n.pages, (unsigned long long)n.bytes_skipped);
}

static enum dp_status run_typed(struct cat *c, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_typed_opts opts = {.as_of = c->conf->as_of};
    unsigned threads = dp_pool_threads(c->run->pool);
    c->workers = dp_calloc(threads ? threads : 1, sizeof *c->workers);
    if (c->run->where) {
        if (dp_expr_compile(dp_str_z(c->run->where), &c->where, err) != DP_OK) return dp_err_prefix(err, "--where: ");
        if (!dp_expr_is_compiled(c->where)) dp_run_log(c->run, DP_LOG_VERBOSE, "--where runs in libjq");
        c->where_all = !dp_expr_fields(c->where, &c->where_fields, &c->n_where_fields);
        opts.where = c->where;
    }
    if (c->columns && !(c->where && c->where_all)) {
        opts.columns = c->columns, opts.n_columns = c->n_columns;
        opts.extra = c->where_fields, opts.n_extra = c->n_where_fields;
    }
    for (size_t i = 0; i < c->cli->n_args; i++) (void)dp_dataset_input(c->run, c->cli->args[i]);
    DP_TRY_OUT(dp_typed_open(c->run, (const char *const *)c->files, c->n_files, &opts, &c->typed, err));
    int64_t skipped = 0;
    int64_t want = c->last == INT64_MAX ? INT64_MAX : c->last - c->first + 1;
    if (c->conf->rows && !c->where) DP_TRY_OUT(dp_typed_window(c->typed, c->first - 1, want, &skipped, err));
    c->row = skipped;
    struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release_job};
    DP_TRY_OUT(dp_pool_run(c->run->pool, &ops, c, err));
    DP_TRY_OUT(header_alone(c, err));
    DP_TRY_OUT(finish_table(c, err));
    if (has_header(c)) DP_TRY_OUT(end_mark(c, err));
    if (c->cli->n_args == 1) dp_dataset_count(dp_dataset_input(c->run, c->cli->args[0]), c->run->books.in, UINT64_MAX, UINT64_MAX);
    say_skipped(c);
out:
    for (unsigned i = 0; c->workers && i < (threads ? threads : 1); i++) {
        dp_scan_close(c->workers[i].scan);
        if (c->workers[i].where) dp_expr_run_close(c->workers[i].where);
        dp_buf_release(&c->workers[i].text);
        dp_buf_release(&c->workers[i].cell);
        free(c->workers[i].rows);
    }
    free(c->workers);
    dp_typed_close(c->typed);
    dp_expr_free(c->where);
    dp_lines_release(&c->lines);
    return status;
}

/* ---- records: through the stream driver ---- */

/* Node of a member with this exact name; 0: absent. */
static uint32_t member(const struct dp_record *r, const char *name) { return dp_json_member(r, 0, name); }

static struct dp_str node_text(const struct dp_record *r, uint32_t node) {
    const struct dp_node *n = &r->nodes[node];
    bool quoted = n->kind == DP_KIND_STRING;
    return dp_str(r->base + n->off - quoted, n->len + (quoted ? 2u : 0u));
}

/* Any thread: the record with the columns that are asked for. */
static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct cat *c = ctx;
    (void)err;
    if (!c->columns) {
        dp_job_pass(j, r);
        return DP_OK;
    }
    bool first = true;
    dp_buf_addc(&j->out, '{');
    for (size_t i = 0; i < c->n_columns; i++) {
        uint32_t node = member(r, c->columns[i]);
        if (!node) continue;
        if (!first) dp_buf_addc(&j->out, ',');
        first = false;
        dp_json_add_string(&j->out, dp_str_z(c->columns[i]));
        dp_buf_addc(&j->out, ':');
        dp_buf_adds(&j->out, node_text(r, node));
    }
    dp_buf_addz(&j->out, "}\n");
    dp_job_use(j);
    return DP_OK;
}

static void header_of_record(struct cat *c, const struct dp_record *r) {
    struct dp_buf name = {0};
    for (uint32_t i = 1; i < r->n_nodes; i = r->nodes[i].next) {
        if (!(r->nodes[i].flags & DP_NODE_KEY)) continue;
        dp_buf_reset(&name);
        dp_json_decode(dp_str(r->base + r->nodes[i].off, r->nodes[i].len), &name);
        add_header(c, dp_str(name.n ? name.p : "", name.n), r->nodes[i + 1].kind == DP_KIND_NUMBER);
    }
    dp_buf_release(&name);
}

/* Text of a cell; p == NULL: null or absent. */
static struct dp_str cell_text(const struct dp_record *r, uint32_t node, struct dp_buf *tmp) {
    if (!node || r->nodes[node].kind == DP_KIND_NULL) return dp_str(NULL, 0);
    if (r->nodes[node].kind != DP_KIND_STRING) return node_text(r, node);
    dp_buf_reset(tmp);
    dp_json_decode(dp_str(r->base + r->nodes[node].off, r->nodes[node].len), tmp);
    return dp_str(tmp->n ? tmp->p : "", tmp->n);
}

static enum dp_status record_cells(struct cat *c, const struct dp_record *r, struct dp_buf *out, struct dp_err *err) {
    struct dp_buf tmp = {0};
    uint32_t known = 0;
    for (size_t i = 0; i < c->n_header; i++) {
        uint32_t node = member(r, c->header[i]);
        struct dp_str s = cell_text(r, node, &tmp);
        known += node != 0;
        if (c->form == TO_TABLE) {
            dp_grid_cell(c->grid, s);
            continue;
        }
        if (i) dp_buf_addc(out, ',');
        if (s.p) dp_csv_add(out, s);
    }
    if (c->form == TO_CSV) dp_buf_addc(out, '\n');
    dp_buf_release(&tmp);
    if (known < r->n_members)
        return dp_err_set(err, DP_SCHEMA, "a record has fields that the first one did not have: name those that are wanted with --columns");
    return DP_OK;
}

static void settle_header(struct cat *c, const struct dp_type *schema, const struct dp_record *r, struct dp_buf *out) {
    if (c->columns)
        for (size_t i = 0; i < c->n_columns; i++) {
            uint32_t node = member(r, c->columns[i]);
            add_header(c, dp_str_z(c->columns[i]), node && r->nodes[node].kind == DP_KIND_NUMBER);
        }
    else if (schema && schema->n_children)
        for (size_t i = 0; i < schema->n_children; i++)
            add_header(c, dp_str(schema->children[i]->name, schema->children[i]->name_n), is_number(schema->children[i]));
    else
        header_of_record(c, r);
    if (c->form == TO_CSV) print_csv_header(c, out);
}

/* The lines of `in` that are wanted, in the form that is wanted, behind out's content. */
static enum dp_status reshape(struct cat *c, struct dp_buf *in, const struct dp_type *schema, struct dp_buf *out, struct dp_err *err) {
    struct dp_record r;
    enum dp_status status;
    if (!c->scan) c->scan = dp_scan_open(c->run->max_record, DP_SCAN_AUTO);
    dp_buf_reserve(in, DP_SCAN_PAD);
    dp_scan_begin(c->scan, in->p, in->n);
    while ((status = dp_scan_next(c->scan, &r, err)) == DP_OK) {
        int64_t from, to;
        if (c->infer) {
            dp_infer_record(c->infer, &r);
            continue;
        }
        wanted(c, 1, &from, &to);
        if (from == to) continue;
        if (c->form == TO_RECORDS) {
            dp_buf_add(out, r.raw, r.raw_n);
            dp_buf_addc(out, '\n');
            continue;
        }
        if (!c->n_header) settle_header(c, schema, &r, out);
        DP_TRY(record_cells(c, &r, out, err));
    }
    if (c->form == TO_TABLE) dp_grid_print(c->grid, false, out);
    return status == DP_END ? DP_OK : status;
}

/* In order. */
static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct cat *c = ctx;
    if (c->infer && !c->found && j->chunk->origin && j->chunk->origin->schema) c->found = dp_type_copy(j->chunk->origin->schema);
    if (c->form == TO_RECORDS && !c->counted && !c->infer) return DP_OK;
    dp_buf_reset(&c->text);
    if (!atomic_load(&c->done)) DP_TRY(reshape(c, &j->out, j->chunk->origin ? j->chunk->origin->schema : NULL, &c->text, err));
    struct dp_buf swap = j->out;
    j->out = c->text;
    c->text = swap;
    if (atomic_load(&c->done)) dp_stream_stop(dp_stream_of(c->run));
    return DP_OK;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct cat *c = ctx;
    (void)err;
    if (c->infer && !c->found && begin->schema && dp_type_is_complete(begin->schema)) c->found = dp_type_copy(begin->schema);
    return DP_OK;
}

static enum dp_status run_records(struct cat *c, struct dp_err *err) {
    struct dp_stream_conf conf = {.sink = c->form != TO_RECORDS || c->conf->schema};
    struct dp_stream_ops ops = {.record = on_record, .emit = on_emit, .begin = on_begin};
    if (c->conf->as_of) return dp_err_set(err, DP_USAGE, "--as-of needs a table as SOURCE");
    DP_TRY(dp_cli_stream(c->cli, &conf, &ops, c, err));
    return c->infer ? DP_OK : finish_table(c, err);
}

/* ---- schema and metadata ---- */

/* Records in c->text come out in the form that is wanted. */
static enum dp_status print_about(struct cat *c, struct dp_buf *lines, struct dp_err *err) {
    struct dp_buf out = {0};
    enum dp_status status = DP_OK;
    if (c->form == TO_RECORDS) dp_buf_adds(&out, dp_buf_str(lines));
    else if (lines->n) status = reshape(c, lines, NULL, &out, err);
    if (status == DP_OK && out.n) status = dp_out_write(c->run->out, out.p, out.n, err);
    dp_buf_release(&out);
    return status == DP_OK ? finish_table(c, err) : status;
}

static enum dp_status run_about(struct cat *c, bool typed, struct dp_err *err) {
    struct dp_buf lines = {0};
    enum dp_status status = DP_OK;
    if (!typed && c->conf->meta) return dp_err_set(err, DP_UNSUPPORTED, "--meta is for Parquet files and tables named as SOURCE");
    if (!typed) {
        c->infer = dp_infer_open();
        status = run_records(c, err);
        struct dp_type *schema = c->found ? c->found : dp_infer_schema(c->infer);
        c->found = NULL;
        dp_typed_print_schema(schema, &lines);
        dp_type_free(schema);
        dp_infer_close(c->infer);
        c->infer = NULL;
    }
    if (typed && c->conf->schema) {
        struct dp_type *schema = NULL;
        status = dp_evolve_schema(c->run, (const char *const *)c->files, c->n_files, c->conf->as_of, false, &schema, err);
        if (status == DP_OK && c->n_files == 1) status = dp_typed_describe_schema(c->files[0], schema, &lines, err);
        else if (status == DP_OK) dp_typed_print_schema(schema, &lines);
        dp_type_free(schema);
    }
    for (size_t i = 0; typed && c->conf->meta && status == DP_OK && i < c->n_files; i++)
        status = dp_typed_describe_meta(c->files[i], c->conf->as_of, (enum dp_typed_per)c->conf->per, &lines, err);
    if (status == DP_OK) status = print_about(c, &lines, err);
    dp_buf_release(&lines);
    return status;
}

/* ---- the program ---- */

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    struct cat c = {.cli = cli, .run = &cli->run, .conf = cli->conf, .lines = {.run = &cli->run}};
    enum dp_status status;
    c.print = (struct dp_print_opts){.binary_hex = cli->common.binary == 1, .decimal_string = cli->common.decimal == 1};
    DP_TRY_OUT(parse_columns(&c, err));
    DP_TRY_OUT(parse_rows(&c, err));
    set_form(&c);
    DP_TRY_OUT(dp_typed_expand(c.run, cli->args, cli->n_args, &c.files, &c.n_files, err));
    bool typed = c.n_files > 0;
    if (c.conf->schema || c.conf->meta) status = run_about(&c, typed, err);
    else status = typed ? run_typed(&c, err) : run_records(&c, err);
out:
    for (size_t i = 0; i < c.n_files; i++) free(c.files[i]);
    free(c.files);
    for (size_t i = 0; i < c.n_header; i++) free(c.header[i]);
    free(c.header);
    free(c.names);
    free(c.columns);
    dp_grid_close(c.grid);
    dp_scan_close(c.scan);
    dp_type_free(c.found);
    dp_buf_release(&c.text);
    return status;
}

static const struct dp_tool tool = {.name = "dp-cat", .summary = "look at records, tables and files",
    .synopsis = "[--to records|csv|table] [--columns A,B] [--rows A:B] [--schema | --meta [--per column|file|row-group|page]] [--as-of VERSION|TIME] [SOURCE...]",
    .options = options, .conf_size = sizeof(struct conf), .common = DP_COMMON_FILTER | DP_COMMON_FORMATS, .is_stream = true, .min_args = 0,
    .max_args = -1, .args = "SOURCE", .no_lineage = "schema,meta", .run = run};

DP_MAIN(tool)

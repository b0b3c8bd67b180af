/*
 * dp-partition: records to Parquet files, laid out by value, time or hash.
 *
 *   dp-ingest orders.csv | dp-partition -c orders.yaml --by 'day=day(ts)' -o lake/orders | dp-table commit lake/orders
 *
 * Reads records, prints the path of each file that is whole and on disk.  Into a table (a directory with _delta_log) files go to its staging
 * area, where no reader sees them before dp-table commit; into a plain directory they get their names when the input has ended and was whole.
 * Types come from the table, else the contract, else the stream's header, else from the first records; two of them in conflict end the run.
 * A record that does not fit is a reject.  Checkpoints are held back until the files that hold their rows are written: at the end, or, with
 * --commit-every, on the way.
 */
#include <dp/base/time.h>
#include <dp/cli/cli.h>
#include <dp/delta/evolve.h>
#include <dp/delta/partition.h>
#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>
#include <dp/io/compact.h>
#include <dp/io/datasets.h>
#include <dp/io/generated.h>
#include <dp/io/held.h>
#include <dp/io/kept_marks.h>
#include <dp/io/lay.h>
#include <dp/io/skew.h>
#include <dp/io/target.h>
#include <dp/record/infer.h>
#include <dp/record/json.h>
#include <dp/record/lineage.h>
#include <dp/rules/contract.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct conf {
    struct dp_opt_list by, encodings, blooms;
    const char *sort, *cluster, *codec;
    uint64_t target_size, row_group_size;
    int64_t row_group_rows, page_version, commit_every;
    bool page_checksums, skew;
    int evolve;
};

static const char *const evolve_names[] = {"no", "add", "widen", NULL};

static const struct dp_opt options[] = {
    DP_OPT_LIST(conf, by, "by", 0, "SPEC", "partition by a column, or [NAME=]year|month|day|hour(COLUMN), hash(COLUMN,N), truncate(COLUMN,N), range(COLUMN,BOUND,...)"),
    DP_OPT_STRING(conf, sort, "sort", 0, "COLS", "order a partition's rows by columns; -COL is descending", .conflicts = "cluster"),
    DP_OPT_STRING(conf, cluster, "cluster", 0, "'zorder(A,B)'", "order a partition's rows along a Z-curve through columns"),
    DP_OPT_SIZE(conf, target_size, "target-size", 0, "SIZE", "complete a file at this size", 1, 0, .def = "128M"),
    DP_OPT_INT(conf, row_group_rows, "row-group-rows", 0, "N", "rows of a row group at most", 1, 100000000, .def = "122880"),
    DP_OPT_SIZE(conf, row_group_size, "row-group-size", 0, "SIZE", "bytes of rows in memory of a row group at most", 1 << 16, 1 << 30, .def = "26M"),
    DP_OPT_INT(conf, page_version, "page-version", 0, "N", "version of data pages: 1, which every reader takes, or 2", 1, 2, .def = "1"),
    DP_OPT_FLAG(conf, page_checksums, "page-checksums", 0, "pages carry a checksum"),
    DP_OPT_LIST(conf, encodings, "encoding", 0, "COLUMN=NAME",
                "encoding of a column instead of a choice by its data: plain, dictionary, delta_binary_packed, delta_length_byte_array, delta_byte_array, byte_stream_split, rle"),
    DP_OPT_LIST(conf, blooms, "bloom", 0, "COLUMN[=SHARE]", "a bloom filter for a column, with this share of false hits (0.01)"),
    DP_OPT_FLAG(conf, skew, "skew", 0, "say which partitions are large, which values make them so, and what helps"),
    DP_OPT_ENUM(conf, evolve, "evolve", 0, "HOW",
                "of a table: no, add (columns that it lacks are written too), widen (that, and its types are widened), for dp-table commit --evolve", evolve_names),
    DP_OPT_DURATION(conf, commit_every, "commit-every", 0, "D", "finish files and pass checkpoints on every D, not only at the end", 0, 0),
    DP_OPT_STRING(conf, codec, "codec", 0, "NAME", "compression: zstd[:LEVEL], snappy, gzip, lz4_raw, brotli, none", .def = "zstd:3"),
    DP_OPT_END};

struct job { struct dp_lay_rows rows; struct dp_held raw; }; /* raw: records of a chunk that began before the types were known */
struct worker { struct dp_shred *shred; };

struct state {
    struct dp_cli *cli;
    struct dp_layout layout;
    struct dp_order order;        /* of --cluster */
    size_t n_given;               /* keys that --by names, the first of the layout */
    atomic_bool *met;             /* by key: some row's record has its field */
    atomic_bool all_met, any_row;
    struct dp_delta_snapshot *table;
    struct dp_delta_evolved *evolved; /* of the table, with --evolve; types that it lacks are not known before the rows' are */
    struct dp_generated *generated;   /* columns of the table that are made, or have a default; NULL: none */
    struct dp_contract contract;
    struct dp_type *fixed;        /* of the table or contract, until the types are settled */
    const char *fixed_by;         /* "table", "contract" */
    struct dp_type *schema;       /* of the rows, settled */
    struct dp_lay_opts lay_opts;
    struct dp_lay *lay;
    bool asks_skew;
    struct dp_skew *skew;         /* NULL: nobody asks */
    atomic_bool ready;            /* schema and layout may be used by all threads */
    struct dp_held_store sample;  /* records by which types are inferred */
    struct dp_infer *infer;
    struct dp_type *header;      /* of the stream, when it leaves types open: they are inferred */
    struct dp_scan *scan;
    struct dp_shred *shred;       /* for rows that are made in order */
    struct dp_lay_rows rows;
    const struct dp_origin *last_origin;
    struct dp_dataset *output;
    struct dp_map classified;     /* top-level columns whose values must not be shown */
    struct dp_kept_marks marks;   /* checkpoints that wait for the files */
    bool cuts;                    /* --commit-every */
    bool covered;                 /* checkpoints cover every row so far */
    int64_t next_cut;             /* clock in ms */
    uint64_t files, written_rows, bytes;
};

/* ---- types ---- */

/* A copy without the columns that --by derives. */
static struct dp_type *without_derived(const struct state *s, const struct dp_type *base) {
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    t->nullable = false;
    for (size_t i = 0; i < base->n_children; i++) {
        const struct dp_type *c = base->children[i];
        bool derived = false;
        for (size_t k = 0; k < s->layout.n; k++) derived |= s->layout.keys[k].fn != DP_LAYOUT_VALUE && strcmp(s->layout.keys[k].name, c->name) == 0;
        if (!derived) dp_type_add(t, dp_type_copy(c));
    }
    return t;
}

static enum dp_status check_derived(const struct state *s, struct dp_err *err) {
    for (size_t k = 0; s->fixed && k < s->layout.n; k++) {
        const struct dp_type *made = s->layout.schema->children[k], *t = dp_type_child(s->fixed, dp_str(made->name, made->name_n));
        if (!t) {
            if (s->table) return dp_err_set(err, DP_SCHEMA, "--by %s: the table has no such column", made->name);
        } else if (s->layout.keys[k].fn != DP_LAYOUT_VALUE && t->id != made->id) {
            return dp_target_conflict(made->name, s->fixed_by, t, "option --by", made, err);
        }
        if (!dp_delta_partition_type_ok(made)) return dp_err_set(err, DP_SCHEMA, "--by %s: a column of this type can't partition", made->name);
    }
    return DP_OK;
}

/* The types are known: everything that depends on them. */
static enum dp_status settle(struct state *s, const struct dp_type *base, struct dp_err *err) {
    const struct conf *c = s->cli->conf;
    s->schema = s->fixed ? without_derived(s, base) : dp_type_copy(base);
    s->met = dp_calloc(s->layout.n + 1, sizeof *s->met);
    if (s->table) {
        dp_generated_relax(s->table, s->schema);
        DP_TRY(dp_generated_open(s->table, s->schema, &s->generated, err));
    }
    for (size_t k = 0; k < s->layout.n; k++) atomic_store(&s->met[k], dp_generated_makes(s->generated, dp_str_z(s->layout.keys[k].column)));
    DP_TRY(dp_layout_bind(&s->layout, s->schema, err));
    DP_TRY(check_derived(s, err));
    s->lay_opts = (struct dp_lay_opts){.dir = s->cli->common.output, .staging = s->table != NULL, .table = s->evolved ? dp_delta_evolve_snapshot(s->evolved) : s->table,
        .evolved = s->evolved && dp_delta_evolve_metadata(s->evolved), .layout = &s->layout, .schema = s->schema,
        .codec = dp_cli_given(s->cli, "codec") ? c->codec : NULL, .row_group_rows = c->row_group_rows, .row_group_bytes = c->row_group_size,
        .page_version = dp_cli_given(s->cli, "page-version") ? (int)c->page_version : 0, .page_checksums = c->page_checksums,
        .encodings = (const char *const *)c->encodings.v, .n_encodings = c->encodings.n, .blooms = (const char *const *)c->blooms.v, .n_blooms = c->blooms.n,
        .target_size = c->target_size, .memory = s->cli->run.memory, .sort = c->cluster ? s->order.sort : c->sort};
    if (s->order.kind == DP_ORDER_ZORDER) s->lay_opts.cluster = (const char *const *)s->order.columns, s->lay_opts.n_cluster = s->order.n;
    DP_TRY(dp_lay_check(&s->lay_opts, err));
    s->shred = dp_shred_open(s->schema, true);
    dp_lay_rows_open(&s->lay_opts, &s->rows);
    atomic_store(&s->ready, true);
    return DP_OK;
}

/* Types that the rows have; said: by a contract or header, not inferred.  Where the table evolves they make it what it will be. */
static enum dp_status settle_rows(struct state *s, const struct dp_type *rows, bool said, struct dp_err *err) {
    const struct conf *c = s->cli->conf;
    struct dp_type *wanted = NULL;
    struct dp_buf words = {0};
    if (!s->evolved) return settle(s, rows, err);
    DP_TRY(dp_target_wanted(s->table->schema, rows, said && c->evolve == DP_EVOLVE_WIDEN, &wanted, err));
    enum dp_status status = dp_delta_evolve_with(s->evolved, wanted, NULL, err);
    dp_type_free(wanted);
    DP_TRY(status);
    dp_delta_evolve_print(s->evolved, &words);
    if (words.n) dp_run_log(&s->cli->run, DP_LOG_INFO, "%s: %s: dp-table commit --evolve %s makes it so", s->cli->common.output, dp_buf_z(&words), evolve_names[c->evolve]);
    dp_buf_release(&words);
    dp_type_free(s->fixed);
    s->fixed = dp_delta_schema_unfit(dp_delta_evolve_snapshot(s->evolved)->schema);
    return settle(s, s->fixed, err);
}

static enum dp_status done(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct state *s = ctx;
    struct dp_buf line = {0};
    s->files++, s->written_rows += (uint64_t)rows, s->bytes += bytes;
    dp_buf_addf(&line, "%s%s\n", path[0] == '{' ? "./" : "", path);
    enum dp_status status = dp_stream_write(dp_stream_of(&s->cli->run), line.p, line.n, err);
    dp_buf_release(&line);
    return status;
}

/* Values of classified columns are not shown. */
static bool hides(void *ctx, const char *column) {
    struct state *s = ctx;
    return s->cli->run.hide_raw && (dp_map_get(&s->classified, dp_str_z(column)) || dp_stream_is_classified(dp_stream_of(&s->cli->run), dp_str_z(column)));
}

static enum dp_status add_rows(struct state *s, const struct dp_lay_rows *r, struct dp_err *err) {
    if (s->asks_skew && s->layout.n && !s->skew) s->skew = dp_skew_open(&s->layout, hides, s);
    if (s->skew) dp_skew_add(s->skew, r);
    if (s->cli->run.dry_run) {
        s->written_rows += (uint64_t)r->rows.length;
        return DP_OK;
    }
    if (r->rows.length == 0) return DP_OK;
    if (!s->lay) DP_TRY(dp_lay_open(&s->cli->run, &s->lay_opts, done, s, &s->lay, err));
    return dp_lay_add(s->lay, r, err);
}

/* ---- one record ---- */

/* In a table an empty string as a partition value reads back as null: such a row is refused rather than changed. */
static bool empty_partition(const struct state *s, const struct dp_batch *b, struct dp_shred_reject *why) {
    for (size_t k = 0; s->table && k < s->layout.n; k++) {
        const struct dp_layout_key *key = &s->layout.keys[k];
        const struct dp_column *c = &b->columns[key->index];
        int64_t row = b->length - 1;
        if ((key->fn != DP_LAYOUT_VALUE && key->fn != DP_LAYOUT_TRUNCATE) || !c->offsets || !dp_column_is_valid(c, row) || c->offsets[row] != c->offsets[row + 1])
            continue;
        *why = (struct dp_shred_reject){.rule = "partition", .expected = "a value or null",
            .reason = "an empty string can't be told from null as a partition value of a Delta table"};
        snprintf(why->path, sizeof why->path, "%s", key->column);
        return true;
    }
    return false;
}

/* The reason may quote the value: not that of a classified column. */
static void hide_value(const struct state *s, struct dp_shred_reject *why) {
    const struct dp_stream *in = dp_stream_of(&s->cli->run);
    if (!s->cli->run.hide_raw || s->cli->run.rejects_clear) return;
    if (!strcmp(why->rule, "required")) return; /* no value in it */
    struct dp_str top = dp_str(why->path, strcspn(why->path, ".["));
    bool classified = dp_map_get(&s->classified, top) || dp_map_get(&s->classified, dp_str_z(why->path)) || dp_stream_is_classified(in, top) ||
                      dp_stream_is_classified(in, dp_str_z(why->path));
    if (classified) snprintf(why->reason, sizeof why->reason, "expected %s", why->expected);
}

/* Which partition columns that nobody asked for by --by have a field in the records?  Asked until each has had one. */
static void meet(struct state *s, const struct dp_record *r) {
    bool all = true;
    if (atomic_load_explicit(&s->all_met, memory_order_relaxed)) return;
    for (size_t k = s->n_given; k < s->layout.n; k++) {
        bool met = s->layout.keys[k].fn != DP_LAYOUT_VALUE || atomic_load_explicit(&s->met[k], memory_order_relaxed) ||
                   dp_json_member(r, 0, s->layout.keys[k].name) != 0;
        if (met) atomic_store_explicit(&s->met[k], true, memory_order_relaxed);
        all &= met;
    }
    atomic_store_explicit(&s->any_row, true, memory_order_relaxed);
    if (all) atomic_store_explicit(&s->all_met, true, memory_order_relaxed);
}

/* A column that no record has was meant to be made from another: null in every row would be a guess. */
static enum dp_status check_met(const struct state *s, struct dp_err *err) {
    if (!atomic_load(&s->any_row) || atomic_load(&s->all_met)) return DP_OK;
    for (size_t k = s->n_given; k < s->layout.n; k++) {
        const char *name = s->layout.keys[k].name;
        if (!atomic_load(&s->met[k]))
            return dp_err_set(err, DP_SCHEMA, "partition column %s: no record has it: --by '%s=FUNCTION(COLUMN)' makes it, --by %s takes it as null", name, name, name);
    }
    return DP_OK;
}

/* A field that the layout makes, in the record: say how to take it as it stands. */
static void explain_derived(const struct state *s, struct dp_shred_reject *why) {
    for (size_t k = 0; k < s->layout.n; k++) {
        const struct dp_layout_key *key = &s->layout.keys[k];
        if (key->fn != DP_LAYOUT_VALUE && strcmp(why->path, key->name) == 0 && strcmp(why->rule, "unknown-field") == 0)
            snprintf(why->reason, sizeof why->reason, "it is made from %s; --by %s takes it from the records", key->column, key->name);
    }
}

static enum dp_status shred(struct state *s, struct dp_shred *sh, const struct dp_record *r, struct dp_batch *b, struct dp_shred_reject *why) {
    enum dp_status status = dp_shred_record(sh, r, b, why);
    if (status == DP_RECORD) hide_value(s, why), explain_derived(s, why);
    if (status == DP_OK && s->layout.n > s->n_given) meet(s, r);
    const char *missing = status == DP_OK ? dp_generated_missing(s->generated, r) : NULL;
    if (missing) {
        *why = (struct dp_shred_reject){.rule = "required", .expected = "a value or null", .reason = "the table has a default for it, which is not made here"};
        snprintf(why->path, sizeof why->path, "%s", missing);
        dp_batch_drop_last(b);
        return DP_RECORD;
    }
    if (status != DP_OK || !empty_partition(s, b, why)) return status;
    dp_batch_drop_last(b);
    return DP_RECORD;
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    (void)err;
    dp_held_reset(&x->raw);
    if (!atomic_load(&s->ready)) return DP_OK;
    if (!x->rows.is_open) dp_lay_rows_open(&s->lay_opts, &x->rows);
    dp_batch_reset(&x->rows.rows);
    return DP_OK;
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    struct worker *w = j->worker_mem;
    struct dp_shred_reject why;
    (void)err;
    if (!x->rows.is_open) { /* the types were not known when this chunk began */
        struct dp_held_record h = {.origin = j->chunk->origin};
        dp_job_place(j, r, &h.line, &h.offset);
        dp_held_add(&x->raw, h, dp_str(r->raw, r->raw_n));
        dp_job_use(j);
        return DP_OK;
    }
    if (!w->shred) w->shred = dp_shred_open(s->schema, true);
    if (shred(s, w->shred, r, &x->rows.rows, &why) == DP_OK) dp_job_use(j);
    else dp_job_reject(j, r, why.rule, why.path, why.expected, "%s", why.reason);
    return DP_OK;
}

static enum dp_status on_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    if (!x->rows.is_open) return DP_OK;
    DP_TRY(dp_generated_fill(s->generated, &x->rows.rows, err));
    return dp_lay_group(&s->lay_opts, &x->rows, err);
}

/* ---- in order ---- */

/* A held record that does not fit: the books had it as used. */
static enum dp_status late_reject(struct state *s, const struct dp_held_record *h, struct dp_str raw, const struct dp_shred_reject *why, struct dp_err *err) {
    struct dp_run *run = &s->cli->run;
    struct dp_reject_rule rule = {why->rule, why->path, why->reason, why->expected};
    struct dp_reject r = {.origin = h->origin, .line = h->line, .offset = h->offset, .rules = &rule, .n_rules = 1, .raw = raw, .raw_is_json = true};
    struct dp_err first = DP_ERR_INIT;
    struct dp_buf line = {0};
    run->books.used--;
    run->books.rejected++;
    dp_err_set(&first, DP_RULE, "%s%s%s", why->path, why->path[0] ? ": " : "", why->reason);
    dp_err_at(&first, h->origin ? h->origin->name : "-", h->line, h->offset);
    dp_reject_print(run, &r, &line);
    enum dp_status status = run->rejects ? dp_rejects_write(run->rejects, line.p, line.n, err) : DP_OK;
    if (status == DP_OK && run->rejects) status = dp_rejects_judge(run->rejects, false, false, &first, err);
    dp_buf_release(&line);
    return status;
}

/* Columns from held records, in pieces, so that memory stays small. */
static enum dp_status release_held(void *ctx, struct dp_held *h, struct dp_err *err) {
    struct state *s = ctx;
    size_t bytes = h->text.n, i = 0;
    struct dp_record r;
    struct dp_shred_reject why;
    if (h->n == 0) return DP_OK;
    memset(dp_buf_reserve(&h->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_batch_reset(&s->rows.rows);
    dp_scan_begin(s->scan, h->text.p, bytes);
    for (; i < h->n; i++) {
        DP_TRY(dp_scan_next(s->scan, &r, err));
        if (shred(s, s->shred, &r, &s->rows.rows, &why) != DP_OK) DP_TRY(late_reject(s, &h->v[i], dp_str(r.raw, r.raw_n), &why, err));
        if (s->rows.rows.length < 8192 && i + 1 < h->n) continue;
        if (i + 1 == h->n) dp_held_free_text(h);
        DP_TRY(dp_generated_fill(s->generated, &s->rows.rows, err));
        DP_TRY(dp_lay_group(&s->lay_opts, &s->rows, err));
        DP_TRY(add_rows(s, &s->rows, err));
        dp_batch_reset(&s->rows.rows);
    }
    dp_held_reset(h);
    return DP_OK;
}

static void say_inferred(const struct state *s) {
    struct dp_buf text = {0};
    dp_type_print(s->schema, &text);
    dp_run_log(&s->cli->run, DP_LOG_VERBOSE, "types from the first %llu records (-c with what dp-contract infer prints of them forces such): %s",
               (unsigned long long)dp_infer_count(s->infer), dp_buf_z(&text));
    dp_buf_release(&text);
}

static enum dp_status settle_inferred(struct state *s, struct dp_err *err) {
    struct dp_type *t = dp_infer_schema(s->infer);
    if (s->header) {
        struct dp_type *filled = dp_type_fill(s->header, t);
        dp_type_free(t);
        t = filled;
    }
    enum dp_status status = settle_rows(s, t, false, err);
    dp_type_free(t);
    DP_TRY(status);
    say_inferred(s);
    return dp_held_store_take(&s->sample, release_held, s, err);
}

/* Adds records of a chunk to the sample; the record that fills it ends it, wherever chunks end. */
static enum dp_status sample(struct state *s, struct dp_held *raw, struct dp_err *err) {
    struct dp_record r;
    size_t bytes = raw->text.n;
    const uint64_t most = DP_LIMIT_SAMPLE; /* whatever --memory says: the types must not depend on it */
    memset(dp_buf_reserve(&raw->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(s->scan, raw->text.p, bytes);
    size_t i = 0;
    for (; i < raw->n && s->sample.text < most; i++) {
        DP_TRY(dp_scan_next(s->scan, &r, err));
        dp_infer_record(s->infer, &r);
        DP_TRY(dp_held_store_add(&s->sample, raw->v[i], dp_str(r.raw, r.raw_n), err));
    }
    if (s->sample.text < most) return DP_OK;
    DP_TRY(settle_inferred(s, err));
    struct dp_held rest = {0};
    for (; i < raw->n; i++) dp_held_add(&rest, raw->v[i], dp_str(raw->text.p + raw->v[i].at, raw->v[i].n));
    enum dp_status status = release_held(s, &rest, err);
    dp_held_release(&rest);
    return status;
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct state *s = ctx;
    struct job *x = j->mem;
    const struct dp_type *typed = j->chunk->origin ? j->chunk->origin->schema : NULL;
    if (typed && j->chunk->origin != s->last_origin) {
        if (s->fixed) DP_TRY(dp_target_check_header(s->fixed, s->fixed_by, typed, err));
        else if (s->schema) DP_TRY(dp_target_check_header(s->schema, "input so far", typed, err));
    }
    s->last_origin = j->chunk->origin;
    s->covered = false;
    if (x->rows.is_open && x->raw.n == 0) return add_rows(s, &x->rows, err);
    if (!atomic_load(&s->ready) && typed) DP_TRY(settle_rows(s, typed, true, err));
    if (atomic_load(&s->ready)) return release_held(s, &x->raw, err);
    DP_TRY(sample(s, &x->raw, err));
    dp_held_free_text(&x->raw);
    return DP_OK;
}

/* What the files' columns are made of: those that --by derives beside the stream's, all in the order that was asked for. */
static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct state *s = ctx;
    const struct conf *c = s->cli->conf;
    struct dp_lineage_made *made = dp_calloc(s->layout.n + 1, sizeof *made);
    struct dp_lineage_on *on = dp_calloc(s->layout.n + 1, sizeof *on);
    struct dp_order order = {.kind = DP_ORDER_NONE};
    size_t n = 0;
    (void)err;
    for (size_t i = 0; i < s->layout.n; i++) {
        const struct dp_layout_key *k = &s->layout.keys[i];
        if (k->fn == DP_LAYOUT_VALUE) continue;
        on[n] = (struct dp_lineage_on){.field = dp_str_z(k->column), .how = DP_HOW_TRANSFORMATION};
        made[n] = (struct dp_lineage_made){.name = dp_str_z(k->name), .what = "derived", .on = &on[n], .n = 1};
        n++;
    }
    dp_lineage_make(begin, "dp-partition", made, n, false);
    if (c->sort) dp_order_set_sort(&order, c->sort);
    dp_order_lineage(c->cluster ? &s->order : &order, begin);
    dp_dataset_header(s->output, begin);
    dp_order_release(&order);
    free(made), free(on);
    return DP_OK;
}

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct state *s = ctx;
    if (!begin->schema || begin->schema->n_children == 0) return DP_OK;
    if (s->fixed) DP_TRY(dp_target_check_header(s->fixed, s->fixed_by, begin->schema, err));
    if (atomic_load(&s->ready)) return DP_OK;
    if (dp_type_is_complete(begin->schema)) return settle_rows(s, begin->schema, true, err);
    s->header = dp_type_copy(begin->schema);
    return DP_OK;
}

/* Where checkpoints cover every row that came, and D has passed: files, then the checkpoints.  From here on the files stay, since a commit may have them. */
static enum dp_status cut(struct state *s, struct dp_err *err) {
    const struct conf *c = s->cli->conf;
    int64_t now = dp_time_monotonic_ms();
    if (!s->cuts || !s->covered || s->marks.checkpoints.n == 0 || now < s->next_cut) return DP_OK;
    if (!atomic_load(&s->ready) && s->sample.n > 0) DP_TRY(settle_inferred(s, err));
    DP_TRY(check_met(s, err));
    if (s->lay) DP_TRY(dp_lay_cut(s->lay, err));
    if (s->cli->run.rejects) DP_TRY(dp_rejects_flush(s->cli->run.rejects, err));
    DP_TRY(dp_kept_marks_pass(&s->marks, dp_stream_of(&s->cli->run), err));
    s->next_cut = now + c->commit_every;
    return dp_out_flush(s->cli->run.out, err);
}

/* Checkpoints wait for the files: only the latest of each source and partition matters. */
static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct state *s = ctx;
    if (m->kind != DP_MARK_CHECKPOINT) return cut(s, err); /* time has passed */
    *pass = false;
    (void)dp_kept_marks_add(&s->marks, m);
    s->covered = !m->more;
    return cut(s, err);
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct state *s = ctx;
    if (!atomic_load(&s->ready) && s->sample.n > 0) DP_TRY(settle_inferred(s, err));
    DP_TRY(check_met(s, err));
    if (s->lay) DP_TRY(dp_lay_finish(s->lay, err));
    return dp_kept_marks_pass(&s->marks, dp_stream_of(&s->cli->run), err);
}

static void on_worker_close(void *ctx, void *worker_mem) {
    (void)ctx;
    dp_shred_close(((struct worker *)worker_mem)->shred);
}

static void on_job_close(void *ctx, void *job_mem) {
    struct job *x = job_mem;
    (void)ctx;
    dp_lay_rows_release(&x->rows);
    dp_held_release(&x->raw);
}

/* ---- the run ---- */

static enum dp_status read_contract(struct state *s, struct dp_type **schema, struct dp_err *err) {
    const struct dp_contract_object *o;
    size_t index[64];
    DP_TRY(dp_contract_load(s->cli->common.contract, &s->contract, &o, err));
    DP_TRY(dp_contract_schema(&s->contract, o, schema, err));
    for (size_t i = 0; i < o->n_properties; i++) {
        if (!dp_contract_holds_classified(&o->properties[i])) continue;
        s->cli->run.hide_raw = true;
        dp_map_put(&s->classified, dp_str_z(o->properties[i].name), NULL);
    }
    if (s->layout.n > 0 || s->table) return DP_OK;
    size_t n = dp_contract_partitions(o, index, 64);
    for (size_t i = 0; i < n && i < 64; i++) DP_TRY(dp_layout_add_column(&s->layout, dp_str_z(o->properties[index[i]].name), err));
    return DP_OK;
}

/* What the table and the contract say; settled at once where they say anything. */
static enum dp_status fix_types(struct state *s, struct dp_err *err) {
    const struct conf *c = s->cli->conf;
    struct dp_type *contract = NULL;
    enum dp_status status = DP_OK;
    if (s->cli->common.contract) DP_TRY_OUT(read_contract(s, &contract, err));
    if (s->table) {
        const struct dp_delta_intent intent = {.writes = true, .checks = true};
        DP_TRY_OUT(dp_delta_check_write(&s->table->protocol, &s->table->metadata, s->table->schema, &intent, err));
        DP_TRY_OUT(dp_target_layout(&s->cli->run, s->table, &s->layout, err));
        s->fixed = dp_delta_schema_unfit(s->table->schema), s->fixed_by = "table";
        if (c->evolve) {
            s->evolved = dp_delta_evolve_open(s->table, (enum dp_delta_evolve)c->evolve);
            status = contract ? settle_rows(s, contract, true, err) : DP_OK;
            goto out;
        }
        if (contract) DP_TRY_OUT(dp_target_check_contract(s->table->schema, contract, err));
    } else if (contract) {
        s->fixed = dp_type_copy(contract), s->fixed_by = "contract";
    }
    if (s->fixed) status = settle(s, s->fixed, err);
out:
    dp_type_free(contract);
    return status;
}

static void report_skew(struct state *s) {
    const struct conf *c = s->cli->conf;
    struct dp_buf json = {0}, text = {0};
    dp_skew_print(s->skew, &json, c->skew || s->cli->run.dry_run ? &text : NULL);
    dp_cli_report(s->cli, "skew", dp_buf_str(&json));
    for (size_t at = 0; at < text.n;) {
        const char *line = text.p + at, *end = memchr(line, '\n', text.n - at);
        dp_run_log(&s->cli->run, DP_LOG_INFO, "%.*s", (int)(end - line), line);
        at += (size_t)(end - line) + 1;
    }
    dp_buf_release(&json), dp_buf_release(&text);
}

static void report(struct state *s) {
    dp_cli_report_u64(s->cli, "files", s->files);
    dp_cli_report_u64(s->cli, "rows", s->written_rows);
    dp_cli_report_u64(s->cli, "bytes", s->bytes);
    dp_cli_report_u64(s->cli, "partitions", s->lay ? dp_lay_partitions(s->lay) : 0);
    dp_cli_report_u64(s->cli, "spilled_bytes", s->lay ? dp_lay_spilled(s->lay) : 0);
    if (s->skew) report_skew(s);
    dp_dataset_count(s->output, s->written_rows, s->bytes, s->files);
}

/* Of the files that were written: the rows' columns, those that --by derives behind them. */
static void note_schema(const struct state *s) {
    if (!s->schema || !s->layout.schema) return;
    struct dp_type *t = dp_type_copy(s->schema);
    for (size_t i = 0; i < s->layout.schema->n_children; i++) {
        const struct dp_type *key = s->layout.schema->children[i];
        if (!dp_type_child(t, dp_str(key->name, key->name_n))) dp_type_add(t, dp_type_copy(key));
    }
    dp_dataset_schema(s->output, t);
    dp_type_free(t);
}

static void release(struct state *s) {
    dp_lay_close(s->lay);
    dp_lay_rows_release(&s->rows);
    dp_layout_release(&s->layout);
    dp_order_release(&s->order);
    free(s->met);
    dp_skew_close(s->skew);
    dp_generated_close(s->generated);
    dp_delta_evolve_close(s->evolved);
    dp_delta_close(s->table);
    dp_contract_release(&s->contract);
    dp_type_free(s->fixed);
    dp_type_free(s->schema);
    dp_shred_close(s->shred);
    dp_scan_close(s->scan);
    dp_infer_close(s->infer);
    dp_type_free(s->header);
    dp_held_store_release(&s->sample);
    dp_kept_marks_release(&s->marks);
    dp_map_release(&s->classified);
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct worker), .job_size = sizeof(struct job), .worker_close = on_worker_close,
        .job_close = on_job_close, .chunk_begin = on_chunk, .record = on_record, .chunk_end = on_chunk_end, .emit = on_emit, .begin = on_begin, .header = on_header,
        .mark = on_mark, .finish = on_finish};
    const struct conf *c = cli->conf;
    struct dp_stream_conf stream = {.decides = true};
    struct state s = {.cli = cli};
    enum dp_status status = DP_OK;
    if (!cli->common.output) return dp_err_set(err, DP_USAGE, "-o DIR is needed: a table, or a directory for the files");
    s.cuts = dp_cli_given(cli, "commit-every");
    s.asks_skew = c->skew || cli->common.report || cli->run.dry_run;
    s.next_cut = dp_time_monotonic_ms() + c->commit_every;
    if (strchr(cli->common.output, '\n')) return dp_err_set(err, DP_USAGE, "-o: a name that holds a newline can't be a line of the output");
    s.scan = dp_scan_open(cli->run.max_record, DP_SCAN_AUTO);
    s.infer = dp_infer_open();
    for (size_t i = 0; i < c->by.n; i++) DP_TRY_OUT(dp_layout_add(&s.layout, dp_str_z(c->by.v[i]), err));
    s.n_given = s.layout.n;
    DP_TRY_OUT(dp_lay_check_codec(c->codec, err));
    if (c->cluster) DP_TRY_OUT(dp_order_parse_cluster(&s.order, c->cluster, err));
    if (dp_delta_is_table(cli->common.output)) DP_TRY_OUT(dp_delta_open(cli->common.output, -1, &s.table, err));
    s.output = dp_dataset_output(&cli->run, cli->common.output);
    dp_dataset_storage(s.output, s.table ? "delta" : NULL, "parquet");
    DP_TRY_OUT(fix_types(&s, err));
    stream.sources.schema = s.fixed; /* CSV is read by these types, and nothing is inferred */
    DP_TRY_OUT(dp_cli_stream(cli, &stream, &ops, &s, err));
    dp_lay_keep(s.lay);
    if (cli->run.dry_run) dp_run_log(&cli->run, DP_LOG_INFO, "would write %llu rows", (unsigned long long)s.written_rows);
    report(&s);
    if (s.written_rows == 0 && cli->common.skip_empty) status = dp_err_set(err, DP_EMPTY, "no rows");
out:
    if (s.output) note_schema(&s);
    release(&s);
    return status;
}

static const struct dp_tool tool = {
    .name = "dp-partition",
    .summary = "records to Parquet files, laid out by time, hash or value",
    .synopsis = "-o DIR [-c CONTRACT] [--by SPEC]... [--sort COLS | --cluster 'zorder(A,B)'] [--target-size SIZE] [--row-group-rows N] [--row-group-size SIZE] [--codec NAME] [--page-version N] "
                "[--page-checksums] [--encoding COLUMN=NAME]... [--bloom COLUMN[=SHARE]]... [--skew] [--evolve no|add|widen] [--commit-every D] [SOURCE...]",
    .options = options,
    .conf_size = sizeof(struct conf),
    .common = DP_COMMON_FILTER | DP_COMMON_CONTRACT | DP_COMMON_OUTPUT,
    .is_stream = true,
    .min_args = 0,
    .max_args = -1,
    .args = "SOURCE",
    .run = run,
};

DP_MAIN(tool)

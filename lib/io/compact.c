/*
 * Compaction of a live table (dp/io/compact.h), in rounds: look at the newest version, plan, rewrite, publish; until a plan is empty.  Files that were not there when the run began
 * are left to the next one, so a run ends however fast others append.
 *
 * Where the commit is in conflict, the newest version says which partitions have lost an input: their new files are removed, the others are published on
 * top of it; what was left out is planned anew in the next round.
 */
#include "commit_priv.h"
#include "compact_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/delta/land.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/io/datasets.h>
#include <dp/record/lineage.h>

#include <stdlib.h>
#include <unistd.h>

#define MOST_CONFLICTS 10 /* rounds, one behind the other, in which nothing could be published; and attempts of a round */

struct compacting {
    struct dp_run *run;
    const char *table;
    struct dp_compact_opts o;
    struct dp_compacted *out;
    int64_t now_ms;
    struct dp_map seen;       /* paths of the files that this run may touch */
    bool has_seen;
};

/* One commit in the making. */
struct round {
    struct compacting *c;
    struct dp_delta_snapshot *base; /* that it was planned on, */
    struct dp_delta_snapshot *now;  /* and the newer one that it is published on, NULL: the same */
    struct plan plan;
    bool *lost;               /* by unit: an input is gone */
    struct dp_layout layout;
    struct dp_type *schema;   /* of rows: the table's, and behind it the order column */
    struct rewrite rewrite;
    struct { char **v; size_t n, cap; } made;
    struct dp_delta_landing *landing;
    const struct dp_delta_file *placed;
    size_t n_placed;
    size_t *unit_of;          /* of each placed file */
    struct dp_buf buf;
};

/* ---- rewriting ---- */

static enum dp_status on_made(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct round *r = ctx;
    (void)rows, (void)bytes, (void)err;
    r->made.v = dp_grow(r->made.v, &r->made.cap, r->made.n + 1, sizeof *r->made.v);
    r->made.v[r->made.n++] = dp_strdup(path);
    return DP_OK;
}

static enum dp_status open_lay(struct round *r, struct dp_err *err) {
    const struct dp_delta_snapshot *s = r->base;
    const struct dp_order *order = &r->c->o.order;
    struct dp_run *run = r->c->run;
    r->schema = dp_delta_schema_unfit(s->schema);
    r->schema->nullable = false;
    for (size_t i = 0; i < s->metadata.partition_columns.n; i++) DP_TRY(dp_layout_add_column(&r->layout, s->metadata.partition_columns.v[i], err));
    DP_TRY(dp_layout_bind(&r->layout, r->schema, err));
    r->rewrite.run = run;
    r->rewrite.sorts = order->kind != DP_ORDER_NONE;
    struct dp_delta_row_columns names = dp_delta_row_columns(&s->metadata);
    DP_TRY(rewrite_open(&r->rewrite, &r->c->o, r->schema, &r->layout, dp_delta_tracks_rows(&s->protocol, &s->metadata) ? &names : NULL, err));
    r->rewrite.lay_opts.dir = r->c->table, r->rewrite.lay_opts.staging = true, r->rewrite.lay_opts.table = s;
    DP_TRY(dp_lay_open(run, &r->rewrite.lay_opts, on_made, r, &r->rewrite.lay, err));
    return r->rewrite.sorts ? DP_OK : dp_lay_encoder(r->rewrite.lay, &r->rewrite.encoder, err);
}

static enum dp_status rewrite_unit(struct round *r, const struct unit *u, struct dp_err *err) {
    struct inputs in = {.table = r->base, .memory = r->c->run->memory / 3, .rows = u->rows > 0 ? u->rows : (int64_t)(u->bytes / 64)};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < u->n && status == DP_OK; i++) status = inputs_add(&in, u->files[i].file, err);
    if (status == DP_OK) status = rewrite_inputs(&r->rewrite, &in, err);
    inputs_release(&in);
    return status;
}

static enum dp_status rewrite(struct round *r, struct dp_err *err) {
    DP_TRY(open_lay(r, err));
    for (size_t i = 0; i < r->plan.n; i++) DP_TRY(rewrite_unit(r, &r->plan.units[i], err));
    DP_TRY(dp_lay_finish(r->rewrite.lay, err));
    int64_t rows = 0;
    for (size_t i = 0; i < r->plan.n && rows >= 0; i++) rows = r->plan.units[i].rows < 0 ? -1 : rows + r->plan.units[i].rows - r->plan.units[i].deleted;
    if (rows >= 0 && (uint64_t)rows != r->rewrite.rows)
        return dp_err_set(err, DP_FORMAT, "%s: the log counts %lld rows in the files to be rewritten, there are %llu: nothing was changed", r->c->table, (long long)rows,
                          (unsigned long long)r->rewrite.rows);
    return DP_OK;
}

/* ---- landing ---- */

/* Whose rows each new file has. */
static enum dp_status find_units(struct round *r, struct dp_err *err) {
    struct dp_map units = {0};
    enum dp_status status = DP_OK;
    r->unit_of = dp_calloc(r->n_placed + 1, sizeof *r->unit_of);
    for (size_t i = 0; i < r->plan.n; i++) dp_map_put(&units, dp_str_z(r->plan.units[i].key), NULL)->v.u = i;
    for (size_t i = 0; i < r->n_placed && status == DP_OK; i++) {
        status = plan_key(r->base, &r->placed[i], &r->buf, err);
        const struct dp_map_item *item = status == DP_OK ? dp_map_get(&units, dp_buf_str(&r->buf)) : NULL;
        if (item) r->unit_of[i] = item->v.u;
        else if (status == DP_OK) status = dp_err_set(err, DP_BUG, "%s: a new file is of partition %s, which was not rewritten", r->c->table, dp_buf_z(&r->buf));
    }
    dp_map_release(&units);
    return status;
}

static enum dp_status place(struct round *r, struct dp_err *err) {
    r->landing = dp_delta_landing_open(r->c->table, r->base);
    for (size_t i = 0; i < r->made.n; i++) DP_TRY(dp_delta_landing_add(r->landing, r->made.v[i], err));
    if (dp_run_stopped(r->c->run, err)) return DP_SIGNALLED;
    DP_TRY(dp_delta_landing_place(r->landing, &r->placed, &r->n_placed, err));
    dp_lay_keep(r->rewrite.lay);
    return find_units(r, err);
}

/* What the add actions say beside what landing knows of the files. */
static struct dp_delta_file *tag(const struct round *r, struct dp_arena *a) {
    const struct dp_order *order = &r->c->o.order;
    bool is_clustered = order->kind != DP_ORDER_NONE && dp_delta_has_feature(&r->base->protocol, "clustering") && dp_map_get(&r->base->domains, DP_STR(DP_DELTA_CLUSTERING));
    struct dp_delta_file *adds = dp_arena_calloc(a, r->n_placed + 1, sizeof *adds);
    char **cubes = dp_arena_calloc(a, r->plan.n + 1, sizeof *cubes);
    for (size_t i = 0; i < r->plan.n; i++) {
        char uuid[37];
        dp_uuid(uuid);
        cubes[i] = dp_arena_strdup(a, uuid);
    }
    for (size_t i = 0; i < r->n_placed; i++) {
        struct dp_delta_pair *v = dp_arena_calloc(a, 3, sizeof *v);
        adds[i] = r->placed[i];
        adds[i].tags = (struct dp_delta_pairs){v, 0};
        if (order->kind != DP_ORDER_NONE) {
            v[adds[i].tags.n++] = (struct dp_delta_pair){.key = DP_STR(TAG_ORDER), .value = dp_str_z(order->text)};
            v[adds[i].tags.n++] = (struct dp_delta_pair){.key = DP_STR(TAG_CUBE), .value = dp_str_z(cubes[r->unit_of[i]])};
        }
        if (r->c->o.codec) v[adds[i].tags.n++] = (struct dp_delta_pair){.key = DP_STR(TAG_CODEC), .value = dp_str_z(r->c->o.codec)};
        if (is_clustered) adds[i].clustering_provider = DP_STR(COMPACT_PROVIDER);
    }
    return adds;
}

/* ---- publishing ---- */

static int by_size(const void *a, const void *b) {
    int64_t x, y;
    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The reference's metrics of OPTIMIZE, beside those that every commit has. */
static void print_metrics(const struct dp_delta_change *c, uint64_t removed_bytes, uint64_t vectors, struct dp_buf *b) {
    int64_t *sizes = dp_calloc(c->n_adds + 1, sizeof *sizes), total = 0;
    for (size_t i = 0; i < c->n_adds; i++) total += sizes[i] = c->adds[i].size;
    if (c->n_adds) qsort(sizes, c->n_adds, sizeof *sizes, by_size);
    dp_buf_addf(b, ",\"numAddedFiles\":\"%zu\",\"numAddedBytes\":\"%lld\",\"numRemovedBytes\":\"%llu\",\"numDeletionVectorsRemoved\":\"%llu\"", c->n_adds, (long long)total,
                (unsigned long long)removed_bytes, (unsigned long long)vectors);
    static const struct { const char *name; size_t percent; } at[] = {{"minFileSize", 0}, {"p25FileSize", 25}, {"p50FileSize", 50}, {"p75FileSize", 75}, {"maxFileSize", 100}};
    for (size_t i = 0; i < 5; i++)
        dp_buf_addf(b, ",\"%s\":\"%lld\"", at[i].name, (long long)(c->n_adds ? sizes[(c->n_adds - 1) * at[i].percent / 100] : 0));
    free(sizes);
}

/* The columns of the order as a JSON array, in a string. */
static void print_columns(const struct dp_order *o, bool wanted, struct dp_buf *b) {
    struct dp_buf list = {0};
    dp_buf_addc(&list, '[');
    for (size_t i = 0; wanted && i < o->n; i++) {
        if (i) dp_buf_addc(&list, ',');
        dp_json_add_string(&list, dp_str_z(o->columns[i]));
    }
    dp_buf_addc(&list, ']');
    dp_json_add_string(b, dp_buf_str(&list));
    dp_buf_release(&list);
}

static void print_parameters(const struct round *r, struct dp_buf *b) {
    const struct dp_order *o = &r->c->o.order;
    bool is_table = dp_map_get(&r->base->domains, DP_STR(DP_DELTA_CLUSTERING)) != NULL;
    dp_buf_addz(b, "{\"predicate\":\"[]\",\"auto\":\"false\",\"zOrderBy\":");
    print_columns(o, !is_table, b);
    dp_buf_addz(b, ",\"clusterBy\":");
    print_columns(o, is_table, b);
    if (o->sort) dp_buf_addz(b, ",\"sortBy\":"), dp_json_add_string(b, dp_str_z(o->sort));
    dp_buf_addc(b, '}');
}

/* What is published of a round: the units that have lost nothing. */
struct entry { struct dp_delta_change change; const struct dp_delta_file **removes; struct dp_delta_file *adds; uint64_t removed_bytes, vectors; };

static void make_entry(const struct round *r, const struct dp_delta_file *tagged, struct dp_arena *a, struct entry *e) {
    const struct dp_delta_snapshot *s = r->now ? r->now : r->base;
    struct dp_buf key = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->plan.n; i++) n += r->plan.units[i].n;
    *e = (struct entry){.removes = dp_arena_calloc(a, n + 1, sizeof *e->removes), .adds = dp_arena_calloc(a, r->n_placed + 1, sizeof *e->adds)};
    size_t n_removes = 0, n_adds = 0;
    for (size_t i = 0; i < r->plan.n; i++) {
        for (size_t k = 0; k < r->plan.units[i].n && !r->lost[i]; k++) {
            const struct dp_delta_file *f = r->plan.units[i].files[k].file;
            dp_buf_reset(&key);
            dp_delta_file_key(f, &key);
            const struct dp_map_item *item = dp_map_get(&s->files, dp_buf_str(&key));
            e->removes[n_removes++] = item->v.p;
            e->removed_bytes += (uint64_t)f->size;
            e->vectors += f->dv.storage.p != NULL;
        }
    }
    for (size_t i = 0; i < r->n_placed; i++)
        if (!r->lost[r->unit_of[i]]) e->adds[n_adds++] = tagged[i];
    dp_buf_release(&key);
    e->change = (struct dp_delta_change){.mode = DP_DELTA_APPEND, .rearranges = true, .keeps_row_ids = true, .removes = e->removes, .n_removes = n_removes, .adds = e->adds, .n_adds = n_adds,
                                         .operation = "OPTIMIZE", .rows = -1, .now_ms = r->c->now_ms};
}

/* Does the newer version have another schema or other rules?  Then nothing of the round fits it for sure. */
static bool is_altered(const struct dp_delta_snapshot *a, const struct dp_delta_snapshot *b) {
    struct dp_buf x = {0}, y = {0};
    dp_delta_protocol_print(&a->protocol, &x), dp_delta_metadata_print(&a->metadata, &x);
    dp_delta_protocol_print(&b->protocol, &y), dp_delta_metadata_print(&b->metadata, &y);
    bool differs = !dp_str_eq(dp_buf_str(&x), dp_buf_str(&y));
    dp_buf_release(&x), dp_buf_release(&y);
    return differs;
}

/* Which units have lost an input in the newest version?  *left: some have not. */
static enum dp_status look_again(struct round *r, bool *left, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    DP_TRY(dp_delta_open(r->c->table, -1, &s, err));
    bool altered = is_altered(r->base, s);
    *left = false;
    for (size_t i = 0; i < r->plan.n; i++) {
        bool was_lost = r->lost[i];
        for (size_t k = 0; k < r->plan.units[i].n && !r->lost[i]; k++) {
            dp_buf_reset(&r->buf);
            dp_delta_file_key(r->plan.units[i].files[k].file, &r->buf);
            const struct dp_map_item *item = dp_map_get(&s->files, dp_buf_str(&r->buf));
            r->lost[i] = altered || !item || item->dead;
        }
        r->c->out->conflicts += r->lost[i] && !was_lost;
        *left |= !r->lost[i];
    }
    dp_delta_close(r->now);
    r->now = s;
    return DP_OK;
}

/* New files of what was not published. */
static void remove_lost(struct round *r) {
    for (size_t i = 0; i < r->n_placed; i++) {
        struct dp_err ignored = DP_ERR_INIT;
        if (!r->lost[r->unit_of[i]]) continue;
        dp_buf_reset(&r->buf);
        if (dp_delta_path_resolve(r->c->table, r->placed[i].path, &r->buf, &ignored) == DP_OK) (void)unlink(dp_buf_z(&r->buf));
    }
}

static void count(struct round *r, const struct entry *e, int64_t version) {
    struct dp_compacted *out = r->c->out;
    out->commits++;
    out->version = version;
    out->files_in += e->change.n_removes, out->files_out += e->change.n_adds;
    out->bytes_in += e->removed_bytes, out->vectors += e->vectors;
    for (size_t i = 0; i < e->change.n_adds; i++) out->bytes_out += (uint64_t)e->adds[i].size;
    for (size_t i = 0; i < r->plan.n; i++) {
        const struct unit *u = &r->plan.units[i];
        if (r->lost[i]) continue;
        out->partitions += !u->in_part;
        out->rows_deleted += u->deleted;
    }
    for (size_t i = 0; i < e->change.n_adds; i++) {
        int64_t rows = dp_delta_file_rows(&e->adds[i]);
        out->rows += rows > 0 ? rows : 0;
    }
    out->groups_copied += r->rewrite.groups_copied;
}

/* What of a partition is done belongs to what is left of it: the last file is small. */
static void see_made(struct round *r) {
    for (size_t i = 0; i < r->n_placed; i++) {
        if (r->lost[r->unit_of[i]] || !r->plan.units[r->unit_of[i]].in_part) continue;
        dp_buf_reset(&r->buf);
        dp_delta_path_key(r->placed[i].path, &r->buf);
        dp_map_put(&r->c->seen, dp_buf_str(&r->buf), NULL);
    }
}

static enum dp_status publish(struct round *r, bool *published, struct dp_err *err) {
    struct dp_arena arena = {0};
    struct dp_buf parameters = {0}, metrics = {0};
    struct dp_delta_file *tagged = tag(r, &arena);
    enum dp_status status = DP_AGAIN;
    bool left = true;
    print_parameters(r, &parameters);
    for (unsigned tries = 0; left && tries < MOST_CONFLICTS && status == DP_AGAIN; tries++) {
        struct entry e;
        int64_t version = -1;
        make_entry(r, tagged, &arena, &e);
        dp_buf_reset(&metrics);
        print_metrics(&e.change, e.removed_bytes, e.vectors, &metrics);
        struct dp_err after = DP_ERR_INIT;
        e.change.after = &after;
        e.change.parameters = dp_buf_z(&parameters), e.change.metrics = dp_buf_z(&metrics);
        status = dp_delta_publish(r->c->table, r->now ? r->now : r->base, &e.change, &version, err);
        if (status == DP_OK) {
            *published = true;
            count(r, &e, version);
            see_made(r);
            commit_after(r->c->run, r->c->table, r->c->now_ms, version, &after);
        } else if (status == DP_AGAIN) {
            dp_run_log(r->c->run, DP_LOG_VERBOSE, "%s", err->msg);
            enum dp_status again = look_again(r, &left, err);
            if (again != DP_OK) status = again;
        }
    }
    if (status == DP_AGAIN)
        for (size_t i = 0; i < r->plan.n; i++) r->lost[i] = true;
    if (status == DP_OK || status == DP_AGAIN) remove_lost(r);
    dp_buf_release(&parameters), dp_buf_release(&metrics);
    dp_arena_release(&arena);
    return status == DP_AGAIN ? DP_OK : status;
}

/* ---- rounds ---- */

static void round_release(struct round *r) {
    if (r->rewrite.lay) dp_lay_close(r->rewrite.lay);
    if (r->landing) dp_delta_landing_tidy(r->landing), dp_delta_landing_close(r->landing);
    rewrite_release(&r->rewrite);
    dp_layout_release(&r->layout);
    dp_type_free(r->schema);
    for (size_t i = 0; i < r->made.n; i++) free(r->made.v[i]);
    free(r->made.v), free(r->unit_of), free(r->lost);
    plan_release(&r->plan);
    dp_delta_close(r->now);
    dp_delta_close(r->base);
    dp_buf_release(&r->buf);
}

static void see_all(struct compacting *c, const struct dp_delta_snapshot *s) {
    const struct dp_delta_file *f;
    size_t cursor = 0;
    struct dp_buf key = {0};
    while ((f = dp_delta_next_file(s, &cursor)) != NULL) {
        dp_buf_reset(&key);
        dp_delta_path_key(f->path, &key);
        dp_map_put(&c->seen, dp_buf_str(&key), NULL);
    }
    c->has_seen = true;
    dp_buf_release(&key);
}

/* What the table asks of those who rewrite its rows. */
static enum dp_status check_table(const struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_delta_intent intent = {.copies = true};
    return dp_delta_check_write(&s->protocol, &s->metadata, s->schema, &intent, err);
}

/* Rows that move keep their ids in columns that the table has to name first: a version of its own, where whoever turned row ids on has not. */
static enum dp_status name_row_columns(struct compacting *c, const struct dp_delta_snapshot *s, bool *named, struct dp_err *err) {
    const struct dp_delta_row_columns names = dp_delta_row_columns(&s->metadata);
    struct dp_delta_metadata m = s->metadata;
    struct dp_arena arena = {0};
    struct dp_err after = DP_ERR_INIT;
    struct dp_buf set = {0}, parameters = {0};
    int64_t version = -1;
    *named = false;
    if (!dp_delta_tracks_rows(&s->protocol, &s->metadata) || (names.id.n && names.version.n) || c->run->dry_run) return DP_OK;
    m.configuration.v = dp_arena_calloc(&arena, s->metadata.configuration.n + 2, sizeof *m.configuration.v);
    memcpy(m.configuration.v, s->metadata.configuration.v, s->metadata.configuration.n * sizeof *m.configuration.v);
    dp_delta_name_row_columns(&m.configuration, &arena);
    const struct dp_delta_pairs fresh = {m.configuration.v + s->metadata.configuration.n, m.configuration.n - s->metadata.configuration.n};
    dp_delta_pairs_print(&fresh, &set);
    dp_buf_addz(&parameters, "{\"properties\":");
    dp_json_add_string(&parameters, dp_buf_str(&set));
    dp_buf_addc(&parameters, '}');
    const struct dp_delta_change change = {.mode = DP_DELTA_APPEND, .metadata = &m, .operation = "SET TBLPROPERTIES", .parameters = dp_buf_z(&parameters), .rows = -1, .now_ms = c->now_ms, .after = &after};
    enum dp_status status = dp_delta_publish(c->table, s, &change, &version, err);
    if (status == DP_OK) commit_after(c->run, c->table, c->now_ms, version, &after);
    *named = status == DP_OK || status == DP_AGAIN; /* it is looked at again */
    dp_arena_release(&arena);
    dp_buf_release(&set), dp_buf_release(&parameters);
    return status == DP_AGAIN ? DP_OK : status;
}

static enum dp_status check_order(const struct compacting *c, const struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_order *o = &c->o.order;
    for (size_t i = 0; i < o->n; i++)
        if (dp_delta_is_partition(s, dp_str_z(o->columns[i]))) return dp_err_set(err, DP_USAGE, "--cluster: %s is a partition column: all rows of a file have one value of it", o->columns[i]);
    return DP_OK;
}

static void tell_plan(const struct compacting *c, const struct plan *p) {
    struct dp_compacted *out = c->out;
    for (size_t i = 0; i < p->n; i++) {
        const struct unit *u = &p->units[i];
        uint64_t files = u->bytes / c->o.target_size + (u->bytes % c->o.target_size != 0);
        out->partitions++;
        out->files_in += u->n, out->bytes_in += u->bytes, out->files_out += files ? files : 1;
        out->rows_deleted += u->deleted;
        for (size_t k = 0; k < u->n; k++) out->vectors += u->files[k].file->dv.storage.p != NULL;
    }
}

static enum dp_status open_round(struct compacting *c, struct round *r, struct dp_err *err) {
    bool again = true;
    for (unsigned tries = 0; again && tries < MOST_CONFLICTS; tries++) {
        dp_delta_close(r->base);
        r->base = NULL;
        DP_TRY(dp_delta_open(c->table, -1, &r->base, err));
        DP_TRY(check_table(r->base, err));
        DP_TRY(name_row_columns(c, r->base, &again, err));
    }
    if (!c->has_seen && c->o.order.kind == DP_ORDER_NONE) DP_TRY(dp_order_of_table(&c->o.order, r->base, err));
    DP_TRY(check_order(c, r->base, err));
    if (!c->has_seen) see_all(c, r->base);
    DP_TRY(plan_make(r->base, &c->o, &c->seen, &r->plan, err));
    c->out->files = r->plan.n_files, c->out->files_foreign = r->plan.n_foreign;
    r->lost = dp_calloc(r->plan.n + 1, sizeof *r->lost);
    return DP_OK;
}

/* DP_END: the plan was empty. */
static enum dp_status do_round(struct compacting *c, bool *published, struct dp_err *err) {
    struct round r = {.c = c};
    enum dp_status status = open_round(c, &r, err);
    if (!c->run->now_fixed) c->now_ms = dp_time_now_micros() / 1000;
    if (status == DP_OK && r.plan.n == 0) status = DP_END;
    if (status == DP_OK && c->run->dry_run) {
        tell_plan(c, &r.plan);
    } else if (status == DP_OK) {
        status = rewrite(&r, err);
        if (status == DP_OK) status = place(&r, err);
        if (status == DP_OK) status = publish(&r, published, err);
    }
    round_release(&r);
    return status;
}

/* For lineage: the table, made of itself, in another order. */
static void note(const struct compacting *c) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_mark begin = {.kind = DP_MARK_BEGIN, .table_version = -1};
    if (!c->run->datasets || dp_delta_open(c->table, c->out->version, &s, NULL) != DP_OK) return;
    struct dp_dataset *d = dp_dataset_copied(c->run, c->table, c->table, s->schema);
    dp_datasets_operands(c->run, &c->table, 1, &begin);
    begin.schema = dp_type_copy(s->schema);
    dp_order_lineage(&c->o.order, &begin);
    dp_dataset_header(d, &begin);
    dp_dataset_version(d, c->out->version);
    dp_dataset_about(d, s);
    dp_dataset_count(d, c->out->rows >= 0 ? (uint64_t)c->out->rows : UINT64_MAX, c->out->bytes_out, c->out->files_out);
    dp_mark_release(&begin);
    dp_delta_close(s);
}

enum dp_status dp_compact_table(struct dp_run *run, const char *table, const struct dp_compact_opts *o, struct dp_compacted *out, struct dp_err *err) {
    struct compacting c = {.run = run, .table = table, .o = *o, .out = out, .now_ms = run->now_micros / 1000};
    struct dp_order given = o->order;
    unsigned conflicts = 0;
    enum dp_status status = DP_OK;
    *out = (struct dp_compacted){.version = -1};
    if (c.o.target_size == 0) c.o.target_size = 128u << 20;
    if (run->dry_run) c.o.commit_size = UINT64_MAX;
    while (status == DP_OK) {
        bool published = false;
        status = do_round(&c, &published, err);
        if (run->dry_run) break;
        conflicts = published ? 0 : conflicts + 1;
        if (status == DP_OK && conflicts == MOST_CONFLICTS)
            status = dp_err_set(err, DP_AGAIN, "%s: concurrent commits changed what was being rewritten, %u times one behind the other", table, conflicts);
    }
    if (out->commits) note(&c);
    if (status == DP_END) status = out->commits ? DP_OK : dp_err_set(err, DP_EMPTY, "%s: nothing is worth it", table);
    if (given.kind == DP_ORDER_NONE) dp_order_release(&c.o.order);
    dp_map_release(&c.seen);
    return status;
}

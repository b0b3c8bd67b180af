/*
 * Who won the race to a version, and may this entry go behind it (digest section 5)?  In the order of the rules: protocol, metaData, domains,
 * transactions, files added to what was read, files removed that were read, files removed twice.
 *
 * A protocol or metaData that only makes a feature possible, or turns one on that puts no duty on a commit already made, is taken over: row ids and in-commit
 * timestamps are given anew at every attempt, and deletion vectors, checkpoints and column mapping by present names change nothing of an entry.
 * Everything else is DP_AGAIN: read the table again, decide again.
 */
#include "commit_priv.h"
#include "mtime_priv.h"

#include <dp/delta/mapping.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <stdlib.h>

/* What the check needs to know of a commit that won. */
struct winner {
    struct dp_delta_publication *p;
    int64_t version;
    enum dp_delta_level level;
    bool has_protocol, has_metadata, same_txn, domain;
    bool added;    /* to what was read */
    bool removed;  /* of what was read */
    bool twice;    /* what this change removes */
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_delta_commit_info info;
    int64_t high_water;
};

bool dp_delta_is_blind(const struct dp_delta_change *c) {
    return c->mode == DP_DELTA_APPEND && !c->metadata && !c->protocol && !c->n_removes && c->reads == DP_DELTA_READ_NOTHING && !c->rearranges;
}

/* What rearranges rows, and does nothing else, disturbs nobody and is disturbed only where its own files go. */
enum dp_delta_level dp_delta_level_of(const struct dp_delta_publication *p) {
    const struct dp_delta_change *c = p->change;
    bool others = c->protocol || c->metadata || c->n_txns || c->mode != DP_DELTA_APPEND;
    for (size_t i = 0; i < c->n_domains; i++) others |= !dp_str_eqz(c->domains[i].domain, DP_DELTA_ROW_DOMAIN);
    if (c->rearranges && !others) return DP_DELTA_SNAPSHOT_ISOLATION;
    struct dp_str level = p->metadata ? dp_delta_pairs_text(&p->metadata->configuration, "delta.isolationLevel", DP_STR("")) : DP_STR("");
    return dp_str_eqz(level, "WriteSerializable") ? DP_DELTA_WRITE_SERIALIZABLE : DP_DELTA_SERIALIZABLE;
}

/* ---- what was read ---- */

static bool has_path(const struct dp_map *paths, const struct dp_delta_file *f) {
    struct dp_buf path = {0};
    if (!paths->live) return false;
    dp_delta_path_key(f->path, &path);
    bool is = dp_map_get(paths, dp_buf_str(&path)) != NULL;
    dp_buf_release(&path);
    return is;
}

/* The file of the base that a removal means; the removal itself where it can't be found (then nothing is known of it but its partition). */
static const struct dp_delta_file *removed_file(const struct dp_delta_publication *p, const struct dp_delta_file *f) {
    struct dp_buf key = {0};
    dp_delta_file_key(f, &key);
    const struct dp_map_item *item = p->base ? dp_map_get(&p->base->files, dp_buf_str(&key)) : NULL;
    dp_buf_release(&key);
    return item ? item->v.p : f;
}

static bool is_read(struct dp_delta_publication *p, const struct dp_delta_file *f) {
    switch (p->change->reads) {
    case DP_DELTA_READ_NOTHING: return false;
    case DP_DELTA_READ_WHERE:
        if (!p->base) return true;
        if (!p->skipper) p->skipper = dp_delta_skipper_open(p->base, p->change->where);
        return dp_delta_skipper_ask(p->skipper, f) != DP_NEVER;
    case DP_DELTA_READ_TABLE: return true;
    }
    return true;
}

/* Was it added by a commit between the base and this one?  Then nothing of it was read. */
static bool came_between(const struct winner *w, const struct dp_delta_file *f) {
    struct dp_buf path = {0};
    dp_delta_path_key(f->path, &path);
    const struct dp_map_item *item = dp_map_get(&w->p->won, dp_buf_str(&path));
    dp_buf_release(&path);
    return item && item->v.i < w->version;
}

static void see_add(struct winner *w, const struct dp_delta_file *f) {
    struct dp_delta_publication *p = w->p;
    struct dp_buf path = {0};
    bool is_new;
    if (has_path(&p->removed, f)) w->twice = true;
    else if (dp_delta_is_touched(p, f)) w->added = true;
    else if (w->level != DP_DELTA_SNAPSHOT_ISOLATION && is_read(p, f)) w->added = true;
    dp_delta_path_key(f->path, &path);
    struct dp_map_item *item = dp_map_put(&p->won, dp_buf_str(&path), &is_new);
    if (is_new) item->v.i = w->version;
    dp_buf_release(&path);
}

static void see_remove(struct winner *w, const struct dp_delta_file *f) {
    struct dp_delta_publication *p = w->p;
    if (has_path(&p->removed, f)) w->twice = true;
    else if (came_between(w, f)) return;
    else if (dp_delta_is_touched(p, f)) w->twice = true;
    else if (w->level != DP_DELTA_SNAPSHOT_ISOLATION && is_read(p, removed_file(p, f))) w->removed = true;
}

static void see_domain(struct winner *w, const struct dp_delta_domain *d) {
    const struct dp_delta_change *c = w->p->change;
    if (dp_str_eqz(d->domain, DP_DELTA_ROW_DOMAIN)) {
        int64_t mark = d->removed ? -1 : dp_delta_high_water(d->configuration);
        if (mark > w->high_water) w->high_water = mark;
        return; /* every commit moves it, and it is given anew */
    }
    for (size_t i = 0; i < c->n_domains; i++)
        if (dp_str_eq(c->domains[i].domain, d->domain)) w->domain = true;
}

static enum dp_status see_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct winner *w = ctx;
    (void)err;
    switch (a->kind) {
    case DP_DELTA_PROTOCOL: w->has_protocol = true, w->protocol = a->u.protocol; break;
    case DP_DELTA_METADATA: w->has_metadata = true, w->metadata = a->u.metadata; break;
    case DP_DELTA_COMMIT_INFO: w->info = a->u.commit_info; break;
    case DP_DELTA_TXN:
        for (size_t i = 0; i < w->p->change->n_txns; i++)
            if (dp_str_eq(w->p->change->txns[i].app_id, a->u.txn.app_id)) w->same_txn = true;
        break;
    case DP_DELTA_ADD: see_add(w, &a->u.file); break;
    case DP_DELTA_REMOVE: see_remove(w, &a->u.file); break;
    case DP_DELTA_DOMAIN: see_domain(w, &a->u.domain); break;
    case DP_DELTA_NONE: case DP_DELTA_CDC: case DP_DELTA_SIDECAR: case DP_DELTA_CHECKPOINT: break;
    }
    return DP_OK;
}

/* ---- protocol and metaData of a winner ---- */

/* Properties that a commit already made need not have known of. */
static bool is_harmless(struct dp_str key) {
    static const char *const keys[] = {"delta.enableRowTracking", "delta.rowTracking.materializedRowIdColumnName",
        "delta.rowTracking.materializedRowCommitVersionColumnName", "delta.enableDeletionVectors", "delta.checkpointPolicy", "delta.enableInCommitTimestamps",
        "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp", DP_DELTA_KEY_MODE, DP_DELTA_KEY_MAX_ID};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (dp_str_eqz(key, keys[i])) return true;
    return false;
}

static bool same_configuration(const struct dp_delta_pairs *a, const struct dp_delta_pairs *b) {
    for (size_t i = 0; i < a->n; i++)
        if (!dp_delta_pairs_has(b, &a->v[i]) && !is_harmless(a->v[i].key)) return false;
    for (size_t i = 0; i < b->n; i++)
        if (!dp_delta_pairs_has(a, &b->v[i]) && !is_harmless(b->v[i].key)) return false;
    return true;
}

/* Mapping by name has been turned on, and every column is still called in files what it was. */
static bool maps_present_names(const struct dp_delta_metadata *before, const struct dp_delta_metadata *after) {
    struct dp_type *a = NULL, *b = NULL, *physical = NULL;
    struct dp_buf x = {0}, y = {0}, z = {0};
    bool same = dp_str_eqz(dp_delta_pairs_text(&before->configuration, DP_DELTA_KEY_MODE, DP_STR("none")), "none") &&
                dp_str_eqz(dp_delta_pairs_text(&after->configuration, DP_DELTA_KEY_MODE, DP_STR("none")), "name") &&
                dp_delta_schema_parse(before->schema_string, &a, NULL) == DP_OK && dp_delta_schema_parse(after->schema_string, &b, NULL) == DP_OK &&
                dp_delta_schema_physical(b, DP_DELTA_MAPPING_NAME, &physical, NULL) == DP_OK;
    if (same) {
        dp_delta_mapping_strip(a), dp_delta_mapping_strip(b), dp_delta_mapping_strip(physical);
        dp_delta_schema_print(a, &x), dp_delta_schema_print(b, &y), dp_delta_schema_print(physical, &z);
        same = dp_str_eq(dp_buf_str(&x), dp_buf_str(&y)) && dp_str_eq(dp_buf_str(&x), dp_buf_str(&z));
    }
    dp_type_free(a), dp_type_free(b), dp_type_free(physical);
    dp_buf_release(&x), dp_buf_release(&y), dp_buf_release(&z);
    return same;
}

static bool metadata_passes(const struct dp_delta_publication *p, const struct dp_delta_metadata *w) {
    const struct dp_delta_metadata *had = p->metadata;
    if (p->change->metadata || p->change->protocol) return false;
    if (!dp_str_eq(had->id, w->id) || !dp_delta_strs_equal(&had->partition_columns, &w->partition_columns) ||
        !same_configuration(&had->configuration, &w->configuration))
        return false;
    bool same_mode = dp_str_eq(dp_delta_pairs_text(&had->configuration, DP_DELTA_KEY_MODE, DP_STR("none")),
                               dp_delta_pairs_text(&w->configuration, DP_DELTA_KEY_MODE, DP_STR("none")));
    return same_mode ? dp_str_eq(had->schema_string, w->schema_string) : maps_present_names(had, w);
}

/* Takes over what the winner made of the table; false: this entry can't follow. */
static bool take_over(struct winner *w) {
    struct dp_delta_publication *p = w->p;
    struct dp_err ignored = DP_ERR_INIT;
    if (w->has_protocol) p->protocol = memcpy(dp_arena_alloc(&p->arena, sizeof w->protocol), &w->protocol, sizeof w->protocol);
    if (w->has_metadata) p->metadata = memcpy(dp_arena_alloc(&p->arena, sizeof w->metadata), &w->metadata, sizeof w->metadata);
    if (dp_delta_check_intent(p, &ignored) != DP_OK) return false;
    dp_delta_settle_duties(p);
    return true;
}

static const char *judge(struct winner *w) {
    const struct dp_delta_publication *p = w->p;
    const struct dp_delta_change *c = p->change;
    if (!p->base) return "created the table";
    if (w->has_protocol && (c->protocol || c->metadata || !dp_delta_protocol_widens(p->protocol, &w->protocol))) return "changed the protocol";
    if (w->has_metadata && !metadata_passes(p, &w->metadata)) return "changed the table's metadata";
    if (w->domain) return "changed a domain that this commit changes";
    if (w->same_txn) return NULL;
    if (w->twice) return "changed files that this commit replaces";
    if (w->added && !(w->level == DP_DELTA_WRITE_SERIALIZABLE && w->info.blind_append && !c->metadata)) return "added files to what this commit has read";
    if (w->removed) return "changed files that this commit has read";
    if ((w->has_protocol || w->has_metadata) && !take_over(w)) return "changed the protocol";
    return NULL;
}

enum dp_status dp_delta_check_winner(struct dp_delta_publication *p, int64_t version, bool *ours, struct dp_err *err) {
    struct winner w = {.p = p, .version = version, .level = dp_delta_level_of(p), .info = {.in_commit_timestamp = DP_DELTA_UNSET}, .high_water = -1};
    char *path = dp_delta_commit_path(p->table, version);
    enum dp_status status = dp_delta_actions_file(path, &p->arena, see_action, &w, err);
    int64_t time = w.info.in_commit_timestamp != DP_DELTA_UNSET ? w.info.in_commit_timestamp : delta_mtime_ms(path, DP_DELTA_UNSET);
    free(path);
    if (status != DP_OK) return status;
    *ours = dp_str_eqz(w.info.txn_id, p->txn_id);
    if (*ours) return DP_OK;
    const char *why = judge(&w);
    if (why) return dp_err_set(err, DP_AGAIN, "%s: a concurrent commit (version %lld) %s", p->table, (long long)version, why);
    if (w.same_txn) return dp_err_set(err, DP_END, "%s: version %lld carries one of our transactions", p->table, (long long)version);
    p->read_version = version;
    p->previous_time = time;
    if (w.high_water > p->high_water) p->high_water = w.high_water;
    return DP_OK;
}

/*
 * Questions to the store whose answers are rows, and its events (dp/io/catalog_query.h): the SQL stands here, but for that of a node's page (catalog_page.c).
 */
#include "catalog_priv.h"

#include <stdlib.h>

/* ?1 job, ?2 dataset, ?3 from, ?4 to, ?5 failed, ?6 unread, ?7 unwritten, ?8 limit */
static const char *const runs_sql =
    "SELECT r.uuid AS run, " JOB_NAME("j") " AS job, CASE r.state WHEN 1 THEN 'OTHER' WHEN 2 THEN 'START' WHEN 3 THEN 'RUNNING' WHEN 4 THEN 'COMPLETE' WHEN 5 THEN 'FAIL' WHEN 6 THEN 'ABORT' END"
    " AS state, coalesce(r.started_at, r.first_at) AS started_at, r.ended_at AS ended_at, (r.ended_at - coalesce(r.started_at, r.first_at)) / 1000 AS milliseconds,"
    " (SELECT sum(rows) FROM run_io WHERE run = r.id AND side = 0) AS rows_in, (SELECT sum(rows) FROM run_io WHERE run = r.id AND side = 1) AS rows_out,"
    " (SELECT uuid FROM run p WHERE p.id = r.parent) AS parent,"
    " (SELECT json_extract(text, '$.message') FROM facet f JOIN body b ON b.id = f.body WHERE f.kind = 'r' AND f.owner = r.id AND f.key = 'errorMessage' ORDER BY f.at DESC LIMIT 1) AS error"
    " FROM run r JOIN job j ON j.id = r.job WHERE r.state > 0 AND r.state_at IS NOT NULL AND (?1 = 0 OR r.job = ?1) AND (?2 = 0 OR r.id IN (SELECT run FROM run_io WHERE dataset = ?2))"
    " AND r.last_at >= ?3 AND r.first_at <= ?4 AND (?5 = 0 OR r.state >= 5) ORDER BY coalesce(r.started_at, r.first_at) DESC, r.uuid LIMIT CASE ?8 WHEN 0 THEN -1 ELSE ?8 END";

static const char *const orphans_sql =
    "SELECT dataset, why, last_at FROM (SELECT " NAME("d") " AS dataset, d.last_at AS last_at,"
    " CASE WHEN NOT EXISTS (SELECT 1 FROM job_io WHERE dataset = d.id) AND NOT EXISTS (SELECT 1 FROM edge WHERE src = d.id) AND NOT EXISTS (SELECT 1 FROM edge WHERE dst = d.id) THEN 'neither read nor written'"
    " WHEN NOT EXISTS (SELECT 1 FROM job_io WHERE dataset = d.id AND side = 0) AND NOT EXISTS (SELECT 1 FROM edge WHERE src = d.id) THEN 'not read'"
    " WHEN NOT EXISTS (SELECT 1 FROM job_io WHERE dataset = d.id AND side = 1) AND NOT EXISTS (SELECT 1 FROM edge WHERE dst = d.id) THEN 'not written' END AS why"
    " FROM dataset d WHERE NOT " GONE("d") ") WHERE why IS NOT NULL AND (why <> 'not read' OR ?7 = 0) AND (why <> 'not written' OR ?6 = 0) ORDER BY dataset";

static const char *const stale_sql =
    "SELECT dataset, written_at, CASE WHEN written_at IS NOT NULL THEN (?3 - written_at) / 1000000 END AS seconds FROM (SELECT " NAME("d") " AS dataset,"
    " (SELECT max(coalesce(r.ended_at, r.last_at)) FROM run_io io JOIN run r ON r.id = io.run WHERE io.dataset = d.id AND io.side = 1 AND r.state IN (3, 4)) AS written_at"
    " FROM dataset d WHERE (?2 = 0 OR d.id = ?2) AND NOT " GONE("d") " AND EXISTS (SELECT 1 FROM run_io io JOIN run r ON r.id = io.run WHERE io.dataset = d.id AND io.side = 1 AND r.state > 0))"
    " WHERE written_at IS NULL OR written_at < ?4 ORDER BY written_at, dataset";

static const char *const owners_sql = "SELECT DISTINCT kind, id, name, coalesce(type, '') AS type FROM owner WHERE until IS NULL ORDER BY name, type, kind, id";

/* ?1 job, ?2 dataset, ?9 column */
static const char *const tags_sql =
    "SELECT CASE t.kind WHEN 'j' THEN (SELECT " JOB_NAME("j") " FROM job j WHERE j.id = t.owner) ELSE (SELECT " NAME("d") " FROM dataset d WHERE d.id = t.owner) END || coalesce('#' || t.field, '') AS node,"
    " key, value, coalesce(source, CASE event WHEN 1 THEN 'event' END) AS source, at AS since_at FROM tag t WHERE until IS NULL AND (kind = 'd' OR ?1 <> 0) AND (kind = 'j' OR ?2 <> 0)"
    " AND owner = CASE kind WHEN 'j' THEN ?1 ELSE ?2 END AND (?9 = 0 OR field = (SELECT name FROM field WHERE id = ?9)) ORDER BY field IS NOT NULL, field, key, value, source";

static const char *const owned_sql =
    "SELECT CASE o.kind WHEN 'j' THEN (SELECT " JOB_NAME("j") " FROM job j WHERE j.id = o.id) ELSE (SELECT " NAME("d") " FROM dataset d WHERE d.id = o.id) END AS node,"
    " name AS owner, type, coalesce(source, CASE event WHEN 1 THEN 'event' END) AS source, at AS since_at FROM owner o WHERE until IS NULL AND (kind = 'd' OR ?1 <> 0) AND (kind = 'j' OR ?2 <> 0)"
    " AND o.id = CASE kind WHEN 'j' THEN ?1 ELSE ?2 END ORDER BY name, type, source";

static const char *const marked_sql =
    "SELECT d.name AS name, 'tag' AS what, t.key AS key, t.value AS value FROM tag t JOIN dataset d ON d.id = t.owner WHERE t.kind = 'd' AND t.field IS NULL AND t.until IS NULL AND d.ns = 'file'"
    " AND NOT " GONE("d") " UNION ALL SELECT d.name, 'owner', o.name, NULL FROM owner o JOIN dataset d ON d.id = o.id WHERE o.kind = 'd' AND o.until IS NULL AND d.ns = 'file' AND NOT " GONE("d");

/* What the latest run of each job read and wrote, at two times; schemas and owners as of them. */
#define LATEST(t) "(SELECT id, job FROM (SELECT id, job, row_number() OVER (PARTITION BY job ORDER BY first_at DESC, id DESC) AS n FROM run WHERE state > 0 AND (?5 OR state < 5) AND state_at IS NOT NULL AND first_at <= " t ") WHERE n = 1)"
#define EDGES(t) "SELECT i.dataset AS src, o.dataset AS dst, l.job AS job FROM " LATEST(t) " l JOIN run_io i ON i.run = l.id AND i.side = 0 JOIN run_io o ON o.run = l.id AND o.side = 1"
#define EDGE_ROWS(change, a, b) "SELECT 'edge', '" change "', " NAME("s") " || ' -> ' || " NAME("d") ", " JOB_NAME("j") " FROM (" EDGES(a) " EXCEPT " EDGES(b) ") e JOIN dataset s ON s.id = src" \
                                " JOIN dataset d ON d.id = dst JOIN job j ON j.id = e.job"
#define FACET_AT(key, t) "SELECT kind, owner, body FROM (SELECT kind, owner, body, row_number() OVER (PARTITION BY kind, owner ORDER BY at DESC) AS n FROM facet WHERE kind IN ('d', 'j') AND key = '" key "'" \
                         " AND at <= " t ") WHERE n = 1"
/* Only of owners whose body is another one. */
#define CHANGED(key) "changed_" key "(kind, owner, old, new) AS (SELECT b.kind, b.owner, a.body, b.body FROM (" FACET_AT(key, "?4") ") b LEFT JOIN (" FACET_AT(key, "?3") ") a USING (kind, owner)" \
                     " WHERE a.body IS NOT b.body)"
#define FIELDS(side) "SELECT c.kind AS kind, c.owner AS owner, json_extract(f.value, '$.name') AS name, coalesce(json_extract(f.value, '$.type'), '') AS type FROM changed_schema c JOIN body b ON b.id = c." side \
                     ", json_each(b.text, '$.fields') f WHERE json_extract(f.value, '$.name') IS NOT NULL"
#define OWNERS(side) "SELECT c.kind AS kind, c.owner AS owner, json_extract(f.value, '$.name') AS name FROM changed_ownership c JOIN body b ON b.id = c." side \
                     ", json_each(b.text, '$.owners') f WHERE json_extract(f.value, '$.name') IS NOT NULL"
#define OWNER_ROWS(change, a, b) "SELECT 'owner', '" change "', CASE x.kind WHEN 'd' THEN (SELECT " NAME("d") " FROM dataset d WHERE d.id = x.owner) ELSE (SELECT " JOB_NAME("j") " FROM job j WHERE j.id = x.owner)" \
                                 " END, x.name FROM (" OWNERS(a) " EXCEPT " OWNERS(b) ") x"

static const char *const diff_sql =
    "WITH " CHANGED("schema") ", " CHANGED("ownership") ", old_fields AS (" FIELDS("old") "), new_fields AS (" FIELDS("new") ")"
    " SELECT what, change, name, detail FROM ("
    "SELECT 'dataset' AS what, 'came' AS change, " NAME("d") " AS name, NULL AS detail FROM dataset d WHERE first_at > ?3 AND first_at <= ?4"
    " UNION ALL SELECT 'dataset', 'went', " NAME("d") ", d.life FROM dataset d WHERE first_at <= ?3 AND dropped_at > ?3 AND dropped_at <= ?4 AND " GONE("d")
    " UNION ALL SELECT 'job', 'came', " JOB_NAME("j") ", NULL FROM job j WHERE first_at > ?3 AND first_at <= ?4"
    " UNION ALL " EDGE_ROWS("came", "?4", "?3") " UNION ALL " EDGE_ROWS("went", "?3", "?4")
    " UNION ALL SELECT 'column', 'came', " NAME("d") " || '#' || n.name, n.type FROM new_fields n JOIN dataset d ON d.id = n.owner LEFT JOIN old_fields o USING (kind, owner, name)"
    " WHERE o.name IS NULL AND EXISTS (SELECT 1 FROM changed_schema c WHERE c.owner = n.owner AND c.old IS NOT NULL)"
    " UNION ALL SELECT 'column', 'went', " NAME("d") " || '#' || o.name, o.type FROM old_fields o JOIN dataset d ON d.id = o.owner LEFT JOIN new_fields n USING (kind, owner, name) WHERE n.name IS NULL"
    " UNION ALL SELECT 'column', 'changed', " NAME("d") " || '#' || o.name, o.type || ' -> ' || n.type FROM old_fields o JOIN new_fields n USING (kind, owner, name) JOIN dataset d ON d.id = o.owner"
    " WHERE o.type <> n.type"
    " UNION ALL " OWNER_ROWS("came", "new", "old") " UNION ALL " OWNER_ROWS("went", "old", "new")
    ") ORDER BY CASE what WHEN 'dataset' THEN 1 WHEN 'job' THEN 2 WHEN 'edge' THEN 3 WHEN 'column' THEN 4 ELSE 5 END, name, change, detail";

enum dp_status dp_catalog_ask(struct dp_catalog *c, enum dp_catalog_question q, const struct dp_catalog_args *args,
                              enum dp_status (*fn)(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err), void *ctx, struct dp_err *err) {
    const char *sql = NULL;
    void *st;
    struct dp_catalog_cell cells[16];
    switch (q) {
    case DP_ASK_RUNS: sql = runs_sql; break;
    case DP_ASK_ORPHANS: sql = orphans_sql; break;
    case DP_ASK_STALE: sql = stale_sql; break;
    case DP_ASK_DIFF: sql = diff_sql; break;
    case DP_ASK_OWNERS: sql = owners_sql; break;
    case DP_ASK_TAGS: sql = tags_sql; break;
    case DP_ASK_FILES: sql = "SELECT d.name AS name FROM dataset d WHERE d.ns = 'file' AND NOT " GONE("d") " ORDER BY d.name"; break;
    case DP_ASK_FILES_GONE: sql = "SELECT d.name AS name FROM dataset d WHERE d.ns = 'file' AND " GONE("d"); break;
    case DP_ASK_DATASETS: sql = "SELECT d.ns AS namespace, d.name AS name, d.id AS dataset, " GONE("d") " AS gone FROM dataset d ORDER BY d.ns, d.name"; break;
    case DP_ASK_MARKED: sql = marked_sql; break;
    case DP_ASK_OWNED: sql = owned_sql; break;
    case DP_ASK_ABOUT: case DP_ASK_COLUMNS: case DP_ASK_CHECKS: case DP_ASK_METRICS: case DP_ASK_SCHEMAS: case DP_ASK_FROM: case DP_ASK_TO: sql = dp_cat_page_sql(q, args->job != 0); break;
    }
    enum dp_status status = dp_cat_query(c, &st, err, sql, "");
    const int64_t values[] = {args->job, args->dataset, args->from, args->to, args->failed, args->unread, args->unwritten, args->limit, args->field};
    for (int i = 0; i < 9 && status == DP_OK; i++) c->sq.bind_int64(st, i + 1, values[i]); /* those that it has not are passed over */
    size_t n = status == DP_OK ? (size_t)c->sq.column_count(st) : 0;
    while (n <= 16 && dp_cat_next(c, st, &status, err)) {
        for (size_t i = 0; i < n; i++) {
            int type = c->sq.column_type(st, (int)i);
            cells[i] = (struct dp_catalog_cell){.name = c->sq.column_name(st, (int)i), .is_null = type == SQ_NULL, .is_text = type == SQ_TEXT || type == SQ_BLOB};
            if (cells[i].is_text) cells[i].text = dp_cat_str(c, st, (int)i);
            else cells[i].number = dp_cat_i64(c, st, (int)i);
        }
        status = fn(ctx, cells, n, err);
    }
    c->sq.finalize(st);
    return status;
}

/* ---- events ---- */

enum dp_status dp_catalog_events(struct dp_catalog *c, const struct dp_catalog_args *args, enum dp_status (*fn)(void *ctx, struct dp_str event, struct dp_err *err), void *ctx, struct dp_err *err) {
    void *st;
    struct dp_buf text = {0};
    enum dp_status status = dp_cat_query(c, &st, err,
        "SELECT id, size, body FROM event e WHERE at >= ?1 AND at <= ?2 AND (?3 = 0 OR job = ?3) AND (?4 = 0 OR dataset = ?4 OR run IN (SELECT run FROM run_io WHERE dataset = ?4)"
        " OR (run IS NULL AND job IN (SELECT job FROM job_io WHERE dataset = ?4))) ORDER BY at, id", "iiii", args->from, args->to, args->job, args->dataset);
    if (!c->codec) c->codec = dp_codec_open();
    while (dp_cat_next(c, st, &status, err)) {
        int64_t size = dp_cat_i64(c, st, 1);
        struct dp_str body = dp_cat_str(c, st, 2);
        if (size < 0 || size > (int64_t)DP_LIMIT_RECORD_MAX) {
            status = dp_err_set(err, DP_LIMIT, "store %s: event %lld is %lld bytes", c->path, (long long)dp_cat_i64(c, st, 0), (long long)size);
            break;
        }
        dp_buf_reset(&text);
        char *to = dp_buf_reserve(&text, (size_t)size + 1);
        status = dp_codec_decompress(c->codec, DP_PQ_ZSTD, body.p, body.n, to, (size_t)size, err);
        if (status) break;
        for (char *p = to; p < to + size; p++)
            if (*p == '\n' || *p == '\r') *p = ' '; /* between values: inside strings they are escaped */
        status = fn(ctx, dp_str(to, (size_t)size), err);
    }
    c->sq.finalize(st);
    dp_buf_release(&text);
    return status;
}

/* ---- the graph ---- */

enum dp_status dp_catalog_edges(struct dp_catalog *c, int64_t as_of, enum dp_status (*fn)(void *ctx, int64_t src, int64_t dst, int64_t job, int64_t first_at, int64_t last_at, struct dp_err *err),
                                void *ctx, struct dp_err *err) {
    void *st;
    enum dp_status status = dp_cat_query(c, &st, err, "SELECT src, dst, job, first_at, last_at FROM edge WHERE first_at <= ?1", "i", as_of);
    while (dp_cat_next(c, st, &status, err))
        status = fn(ctx, dp_cat_i64(c, st, 0), dp_cat_i64(c, st, 1), dp_cat_i64(c, st, 2), dp_cat_i64(c, st, 3), dp_cat_i64(c, st, 4), err);
    c->sq.finalize(st);
    return status;
}

enum dp_status dp_catalog_flows(struct dp_catalog *c, int64_t as_of, enum dp_status (*fn)(void *ctx, int64_t dataset, int64_t job, const struct dp_catalog_flow_edge *edges, size_t n, struct dp_err *err),
                                void *ctx, struct dp_err *err) {
    void *st;
    struct dp_buf b = {0};
    enum dp_status status = dp_cat_query(c, &st, err, "SELECT dataset, job, edges FROM flow WHERE first_at <= ?1 ORDER BY id", "i", as_of);
    while (dp_cat_next(c, st, &status, err)) {
        struct dp_str edges = dp_cat_str(c, st, 2); /* copied: SQLite's may lie at any address */
        dp_buf_reset(&b);
        dp_buf_adds(&b, edges);
        status = fn(ctx, dp_cat_i64(c, st, 0), dp_cat_i64(c, st, 1), (const struct dp_catalog_flow_edge *)(const void *)b.p, edges.n / sizeof(struct dp_catalog_flow_edge), err);
    }
    c->sq.finalize(st);
    dp_buf_release(&b);
    return status;
}

/*
 * What the store knows of one node, for its page (dp/io/catalog_query.h, DP_ASK_ABOUT and those behind it): the SQL.
 *
 * ?1 job, ?2 dataset, ?8 limit.  Facets are read with SQLite's JSON functions: they were checked when they came.
 */
#include "catalog_priv.h"

/* A member of the latest facet; null where that was deleted. */
#define FACET(kind, id, key, path) "(SELECT (SELECT json_extract(text, '" path "') FROM body WHERE body.id = f.body) FROM facet f WHERE f.kind = '" kind "' AND f.owner = " id " AND f.key = '" key "' ORDER BY f.at DESC LIMIT 1)"
#define LATEST(key) "(SELECT at, body FROM facet WHERE kind IN ('d', 'i') AND owner = ?2 AND key = '" key "' ORDER BY at DESC LIMIT 1)"
#define LIMITED " LIMIT CASE ?8 WHEN 0 THEN -1 ELSE ?8 END"
#define MILLIS(r) "(" r ".ended_at - coalesce(" r ".started_at, " r ".first_at)) / 1000"

static const char *const dataset_sql =
    "WITH w AS (SELECT coalesce(r.ended_at, r.last_at) AS at, r.job AS job, io.rows AS n, io.bytes AS bytes, io.files AS files, " MILLIS("r") " AS ms FROM run_io io JOIN run r ON r.id = io.run"
    " WHERE io.dataset = ?2 AND io.side = 1 AND r.state IN (3, 4) ORDER BY at DESC, r.uuid)"
    " SELECT " FACET("d", "?2", "documentation", "$.description") " AS description, " FACET("d", "?2", "storage", "$.storageLayer") " AS storage, " FACET("d", "?2", "storage", "$.fileFormat") " AS format,"
    " (SELECT version FROM run_io WHERE dataset = ?2 AND version IS NOT NULL ORDER BY version_at DESC LIMIT 1) AS version, d.first_at AS first_at, d.last_at AS last_at,"
    " CASE WHEN " GONE("d") " THEN d.dropped_at END AS dropped_at, (SELECT at FROM w) AS written_at, (SELECT " JOB_NAME("j") " FROM job j WHERE j.id = (SELECT job FROM w)) AS written_by,"
    " (SELECT n FROM w WHERE n IS NOT NULL) AS rows, (SELECT bytes FROM w WHERE bytes IS NOT NULL) AS bytes, (SELECT files FROM w WHERE files IS NOT NULL) AS files, (SELECT ms FROM w) AS milliseconds,"
    " (SELECT CAST(avg(ms) AS INTEGER) FROM (SELECT ms FROM w WHERE ms IS NOT NULL LIMIT 100)) AS usual_milliseconds, (SELECT count(*) FROM w) AS writes FROM dataset d WHERE d.id = ?2";

static const char *const job_sql =
    "SELECT " FACET("j", "?1", "documentation", "$.description") " AS description, " FACET("j", "?1", "jobType", "$.processingType") " AS type, " FACET("j", "?1", "jobType", "$.integration") " AS integration,"
    " " FACET("j", "?1", "sourceCodeLocation", "$.url") " AS code, " FACET("j", "?1", "sourceCodeLocation", "$.version") " AS code_version, j.first_at AS first_at, j.last_at AS last_at,"
    " (SELECT max(ended_at) FROM run WHERE job = ?1 AND state = 4) AS completed_at, (SELECT count(*) FROM run WHERE job = ?1 AND state > 0 AND state_at IS NOT NULL) AS run_count,"
    " (SELECT count(*) FROM run WHERE job = ?1 AND state >= 5) AS failed_count,"
    " (SELECT CAST(avg(ms) AS INTEGER) FROM (SELECT " MILLIS("r") " AS ms FROM run r WHERE job = ?1 AND state = 4 AND ended_at IS NOT NULL ORDER BY first_at DESC LIMIT 100)) AS usual_milliseconds"
    " FROM job j WHERE j.id = ?1";

/* Nested columns stand behind the one that they are in. */
static const char *const columns_sql =
    "SELECT ordinal AS position, f.name AS column, type, description, f.id AS field FROM field f JOIN dataset d ON d.id = f.dataset WHERE d.id = ?2 AND (f.schema IS NULL OR f.schema IS d.schema)"
    " ORDER BY (SELECT t.ordinal FROM field t WHERE t.dataset = f.dataset AND t.name = substr(f.name, 1, instr(f.name || '.', '.') - 1)) IS NULL,"
    " (SELECT t.ordinal FROM field t WHERE t.dataset = f.dataset AND t.name = substr(f.name, 1, instr(f.name || '.', '.') - 1)), instr(f.name, '.') > 0, ordinal, f.name";

static const char *const checks_sql =
    "SELECT CASE json_extract(a.value, '$.success') WHEN 1 THEN 'pass' ELSE 'fail' END AS result, json_extract(a.value, '$.assertion') AS assertion, json_extract(a.value, '$.column') AS column,"
    " json_extract(a.value, '$.expected') AS expected, json_extract(a.value, '$.actual') AS actual, f.at AS checked_at FROM " LATEST("dataQualityAssertions") " f JOIN body b ON b.id = f.body,"
    " json_each(b.text, '$.assertions') a ORDER BY result, a.key";

static const char *const metrics_sql =
    "SELECT m.key AS column, json_extract(m.value, '$.nullCount') AS nulls, json_extract(m.value, '$.distinctCount') AS \"distinct\", f.at AS measured_at FROM " LATEST("dataQualityMetrics") " f"
    " JOIN body b ON b.id = f.body, json_each(b.text, '$.columnMetrics') m";

#define PARTS(body) "(SELECT c.at AS at, json_extract(x.value, '$.name') AS name, coalesce(json_extract(x.value, '$.type'), '') AS type FROM c JOIN body b ON b.id = c." body ", json_each(b.text, '$.fields') x" \
                    " WHERE c.old IS NOT NULL)"
static const char *const schemas_sql =
    "WITH s AS (SELECT at, body, lag(body) OVER (ORDER BY at) AS old FROM facet WHERE kind = 'd' AND owner = ?2 AND key = 'schema' AND body IS NOT NULL), c AS (SELECT at, body, old FROM s WHERE body IS NOT old)"
    " SELECT changed_at, change, column, detail FROM ("
    "SELECT c.at AS changed_at, 'first' AS change, NULL AS column, (SELECT count(*) FROM body b, json_each(b.text, '$.fields') WHERE b.id = c.body) || ' columns' AS detail FROM c WHERE c.old IS NULL"
    " UNION ALL SELECT n.at, 'came', n.name, n.type FROM " PARTS("body") " n LEFT JOIN " PARTS("old") " o ON o.at = n.at AND o.name = n.name WHERE o.name IS NULL"
    " UNION ALL SELECT o.at, 'went', o.name, o.type FROM " PARTS("old") " o LEFT JOIN " PARTS("body") " n ON o.at = n.at AND o.name = n.name WHERE n.name IS NULL"
    " UNION ALL SELECT n.at, 'changed', n.name, o.type || ' -> ' || n.type FROM " PARTS("body") " n JOIN " PARTS("old") " o ON o.at = n.at AND o.name = n.name AND o.type <> n.type"
    ") ORDER BY changed_at DESC, change, column" LIMITED;

/* By jobs, also such as wrote it and read nothing (or read it and wrote nothing). */
#define EDGES(end, other, side) \
    "SELECT " NAME("d") " AS dataset, CASE WHEN j.id IS NOT NULL THEN " JOB_NAME("j") " END AS job, e.last_at AS last_at FROM edge e JOIN dataset d ON d.id = e." other " LEFT JOIN job j ON j.id = e.job WHERE e." end " = ?2 AND " HOLDS("e") \
    " UNION ALL SELECT NULL, " JOB_NAME("j") ", x.last_at FROM job_io x JOIN job j ON j.id = x.job WHERE x.dataset = ?2 AND x.side = " side " AND " HOLDS("x") " AND NOT EXISTS (SELECT 1 FROM edge e WHERE e." end " = ?2 AND e.job = x.job)" \
    " ORDER BY last_at DESC, 1, 2" LIMITED
#define OF_JOB(side) "SELECT " NAME("d") " AS dataset, NULL AS job, x.last_at AS last_at FROM job_io x JOIN dataset d ON d.id = x.dataset WHERE x.job = ?1 AND x.side = " side " AND " HOLDS("x") " ORDER BY last_at DESC, 1" LIMITED

const char *dp_cat_page_sql(enum dp_catalog_question q, bool is_job) {
    if (q == DP_ASK_ABOUT) return is_job ? job_sql : dataset_sql;
    if (q == DP_ASK_COLUMNS) return columns_sql;
    if (q == DP_ASK_CHECKS) return checks_sql;
    if (q == DP_ASK_METRICS) return metrics_sql;
    if (q == DP_ASK_SCHEMAS) return schemas_sql;
    if (q == DP_ASK_FROM) return is_job ? OF_JOB("0") : EDGES("dst", "src", "1");
    return is_job ? OF_JOB("1") : EDGES("src", "dst", "0");
}

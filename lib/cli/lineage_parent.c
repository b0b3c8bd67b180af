/*
 * Whose part a run is.  In this order: OPENLINEAGE_CONTEXT (a JSON object: parent with run, job and root), OPENLINEAGE_PARENT_ID and OPENLINEAGE_ROOT_PARENT_ID
 * (namespace/job/runId), Airflow's own task by the AIRFLOW_CTX_ variables that it gives commands.  dp-run names itself in the first two for its stages.
 *
 * An Airflow task's id is made as its OpenLineage provider makes it: of the logical date, and namespace, DAG, task, try and map index; a DAG run's of namespace, DAG and how often
 * it was cleared.  Neither index is in the variables: they are taken as -1 and 0, so mapped tasks and cleared runs need OPENLINEAGE_PARENT_ID.
 */
#include "lineage_priv.h"

#include <dp/base/time.h>

#include <stdlib.h>

const char *lineage_env(const char *name) {
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static bool env_time(const char *name, int64_t *micros) {
    const char *v = lineage_env(name);
    struct dp_timestamp t;
    return v && dp_time_parse(dp_str_z(v), false, true, &t) && t.zone != DP_ZONE_NONE && dp_time_micros(&t, micros);
}

static void release_ref(struct dp_ol_ref *r) {
    free(r->run);
    free(r->ns);
    free(r->job);
    *r = (struct dp_ol_ref){NULL, NULL, NULL};
}

static void set_ref(struct dp_ol_ref *r, struct dp_str run, struct dp_str ns, struct dp_str job) {
    char id[37];
    dp_ol_uuid_of(run, id);
    release_ref(r);
    *r = (struct dp_ol_ref){dp_strdup(id), dp_strndup(ns.p, ns.n), dp_strndup(job.p, job.n)};
}

/* ---- OPENLINEAGE_CONTEXT ---- */

/* {"run":{"runId"},"job":{"namespace","name"}} */
static bool read_ref(const struct dp_record *r, uint32_t node, struct dp_ol_ref *ref) {
    struct dp_buf run = {NULL, 0, 0}, ns = {NULL, 0, 0}, job = {NULL, 0, 0};
    uint32_t a = node ? dp_json_member(r, node, "run") : 0, b = node ? dp_json_member(r, node, "job") : 0;
    uint32_t id = a ? dp_json_member(r, a, "runId") : 0, in = b ? dp_json_member(r, b, "namespace") : 0, name = b ? dp_json_member(r, b, "name") : 0;
    bool ok = id && in && name && dp_json_get_string(r, id, &run) && dp_json_get_string(r, in, &ns) && dp_json_get_string(r, name, &job) && run.n && job.n;
    if (ok) set_ref(ref, dp_buf_str(&run), dp_buf_str(&ns), dp_buf_str(&job));
    dp_buf_release(&run);
    dp_buf_release(&ns);
    dp_buf_release(&job);
    return ok;
}

static bool by_context(struct dp_ol_run *out) {
    const char *text = lineage_env("OPENLINEAGE_CONTEXT");
    struct dp_buf b = {NULL, 0, 0};
    struct dp_record r;
    bool found = false;
    if (!text) return false;
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_buf_addz(&b, text);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(scan, b.p, b.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT) {
        uint32_t parent = dp_json_member(&r, 0, "parent");
        found = read_ref(&r, parent, &out->parent);
        if (found && !read_ref(&r, dp_json_member(&r, parent, "root"), &out->root)) read_ref(&r, dp_json_member(&r, 0, "root"), &out->root);
    }
    dp_scan_close(scan);
    dp_buf_release(&b);
    return found;
}

/* ---- OPENLINEAGE_PARENT_ID ---- */

/* A namespace may be a URL, a run's id has no slash: of what stands between, the last part is the job. */
static bool by_id(const char *name, struct dp_ol_ref *ref) {
    const char *text = lineage_env(name), *last = text ? strrchr(text, '/') : NULL, *first = text ? strchr(text, '/') : NULL;
    if (text && strstr(text, "://") && last) {
        first = last;
        while (first > text && *--first != '/') continue;
    }
    if (!last || first >= last || first == text || !last[1]) return false;
    set_ref(ref, dp_str_z(last + 1), dp_str(text, (size_t)(first - text)), dp_str(first + 1, (size_t)(last - first - 1)));
    return true;
}

/* ---- Airflow ---- */

static bool by_airflow(struct dp_ol_run *out) {
    const char *dag = lineage_env("AIRFLOW_CTX_DAG_ID"), *task = lineage_env("AIRFLOW_CTX_TASK_ID"), *dag_run = lineage_env("AIRFLOW_CTX_DAG_RUN_ID");
    const char *attempt = lineage_env("AIRFLOW_CTX_TRY_NUMBER"), *ns = lineage_env("OPENLINEAGE_NAMESPACE");
    struct dp_buf task_text = {NULL, 0, 0}, dag_text = {NULL, 0, 0}, job = {NULL, 0, 0};
    char task_id[37], dag_id[37];
    int64_t date;
    if (!dag || !task) return false;
    if (!ns) ns = "default";
    if (!attempt) attempt = "1";
    if (env_time("AIRFLOW_CTX_LOGICAL_DATE", &date) || env_time("AIRFLOW_CTX_EXECUTION_DATE", &date)) {
        dp_buf_addf(&task_text, "%s.%s.%s.%s.-1", ns, dag, task, attempt);
        dp_buf_addf(&dag_text, "%s.%s.0", ns, dag);
        dp_ol_uuid_at(date, dp_buf_str(&task_text), task_id);
        dp_ol_uuid_at(date, dp_buf_str(&dag_text), dag_id);
    } else {
        dp_buf_addf(&task_text, "%s/%s/%s/%s/%s", ns, dag, task, dag_run ? dag_run : "", attempt);
        dp_buf_addf(&dag_text, "%s/%s/%s", ns, dag, dag_run ? dag_run : "");
        dp_ol_uuid_of(dp_buf_str(&task_text), task_id);
        dp_ol_uuid_of(dp_buf_str(&dag_text), dag_id);
    }
    dp_buf_addf(&job, "%s.%s", dag, task);
    set_ref(&out->parent, dp_str_z(task_id), dp_str_z(ns), dp_buf_str(&job));
    set_ref(&out->root, dp_str_z(dag_id), dp_str_z(ns), dp_str_z(dag));
    dp_buf_release(&task_text);
    dp_buf_release(&dag_text);
    dp_buf_release(&job);
    return true;
}

/* ---- both ways ---- */

/* The time that the run is for, not when it is. */
static void find_nominal(const struct dp_cli *cli, struct dp_ol_run *r) {
    int64_t date;
    if (cli->run.now_fixed) r->nominal_start = cli->run.now_micros;
    else if (env_time("AIRFLOW_CTX_DATA_INTERVAL_START", &date)) {
        r->nominal_start = date;
        if (env_time("AIRFLOW_CTX_DATA_INTERVAL_END", &date)) r->nominal_end = date;
    } else if (env_time("AIRFLOW_CTX_LOGICAL_DATE", &date) || env_time("AIRFLOW_CTX_EXECUTION_DATE", &date)) r->nominal_start = date;
}

void lineage_find_parent(const struct dp_cli *cli, struct dp_ol_run *r) {
    find_nominal(cli, r);
    bool found = by_context(r);
    if (!found && by_id("OPENLINEAGE_PARENT_ID", &r->parent)) found = true, by_id("OPENLINEAGE_ROOT_PARENT_ID", &r->root);
    if (!found && !by_airflow(r)) return;
    if (!r->root.run) set_ref(&r->root, dp_str_z(r->parent.run), dp_str_z(r->parent.ns), dp_str_z(r->parent.job));
}

static void add_ref(struct dp_buf *b, const char *run, const char *ns, const char *job) {
    dp_buf_addf(b, "\"run\":{\"runId\":\"%s\"},\"job\":{\"namespace\":", run);
    dp_ol_text(b, ns);
    dp_buf_addz(b, ",\"name\":");
    dp_ol_text(b, job);
    dp_buf_addc(b, '}');
}

void lineage_lead(const struct dp_ol_run *r) {
    bool is_root = !r->root.run;
    const char *run = is_root ? r->id : r->root.run, *ns = is_root ? r->ns : r->root.ns, *job = is_root ? r->job : r->root.job;
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addz(&b, "{\"parent\":{");
    add_ref(&b, r->id, r->ns, r->job);
    dp_buf_addz(&b, ",\"root\":{");
    add_ref(&b, run, ns, job);
    dp_buf_addz(&b, "}}}");
    setenv("OPENLINEAGE_CONTEXT", dp_buf_z(&b), 1);
    dp_buf_reset(&b);
    dp_buf_addf(&b, "%s/%s/%s", r->ns, r->job, r->id);
    setenv("OPENLINEAGE_PARENT_ID", dp_buf_z(&b), 1);
    dp_buf_reset(&b);
    dp_buf_addf(&b, "%s/%s/%s", ns, job, run);
    setenv("OPENLINEAGE_ROOT_PARENT_ID", dp_buf_z(&b), 1);
    dp_buf_release(&b);
}

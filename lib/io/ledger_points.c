/*
 * Points of a ledger: each commit of a job, by a number and the id of the checkpoint that it was made at, and of each source that it moved the row before.  They tell
 * the id of the latest, and take the job back to an earlier one: where what stands behind the pipe has an older checkpoint than the ledger, it is that which counts.
 * Points older than the last KEEP are forgotten.
 */
#include "ledger_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/commit.h>

enum { KEEP = DP_LEDGER_KEEP };

const char ledger_points_tables[] = "CREATE TABLE point(job TEXT NOT NULL, seq INTEGER NOT NULL, checkpoint TEXT NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL,"
                                    " PRIMARY KEY(job, seq)) WITHOUT ROWID;"
                                    "CREATE TABLE before(job TEXT NOT NULL, seq INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, old_id TEXT NOT NULL,"
                                    " old_position INTEGER, PRIMARY KEY(job, seq, source)) WITHOUT ROWID;"
                                    "PRAGMA user_version=2";

static enum dp_status latest(struct dp_ledger *l, long long *seq, struct dp_err *err) {
    return ledger_number(l, "SELECT coalesce(max(seq), 0) FROM point WHERE job = ?1", NULL, 0, seq, err);
}

enum dp_status ledger_point_next(struct dp_ledger *l, long long *seq, struct dp_err *err) {
    enum dp_status status = latest(l, seq, err);
    ++*seq;
    return status;
}

/* A statement of the job and a number. */
static enum dp_status change(struct dp_ledger *l, const char *sql, long long seq, struct dp_err *err) {
    long long none;
    return ledger_number(l, sql, NULL, seq, &none, err);
}

enum dp_status ledger_point_add(struct dp_ledger *l, long long seq, const char *id, const char *run, const char *time, struct dp_err *err) {
    void *st = NULL;
    int rc = l->sq.prepare(l->db, "INSERT INTO point(job, seq, checkpoint, run, time) VALUES (?1, ?2, ?3, ?4, ?5)", -1, &st, NULL);
    if (rc == SQ_OK) {
        l->sq.bind_text(st, 1, l->job, -1, NULL), l->sq.bind_int64(st, 2, seq), l->sq.bind_text(st, 3, id, -1, NULL);
        l->sq.bind_text(st, 4, run, -1, NULL), l->sq.bind_text(st, 5, time, -1, NULL);
        rc = l->sq.step(st);
    }
    enum dp_status status = rc == SQ_DONE ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(st);
    DP_TRY(status);
    DP_TRY(change(l, "DELETE FROM point WHERE job = ?1 AND seq <= ?3", seq - KEEP, err));
    return change(l, "DELETE FROM before WHERE job = ?1 AND seq <= ?3", seq - KEEP, err);
}

enum dp_status ledger_check_moved(struct dp_ledger *l, const char *source, struct dp_err *err) {
    long long moved = 0;
    if (!l->db || l->version < 2) return DP_OK;
    DP_TRY(ledger_number(l, "SELECT 1 FROM before WHERE job = ?1 AND source = ?2 AND seq > ?3", source, l->told, &moved, err));
    return moved ? dp_err_set(err, DP_AGAIN, "%.200s: another run with ledger %.200s has read it meanwhile", source, l->path) : DP_OK;
}

/* ---- where the job is ---- */

static enum dp_status add_positions(struct dp_ledger *l, struct dp_positions *p, const char *job, struct dp_err *err) {
    void *st = NULL;
    struct dp_buf app = {0};
    int rc = l->sq.prepare(l->db, "SELECT id, position FROM position WHERE job = ?1", -1, &st, NULL);
    if (rc == SQ_OK) rc = l->sq.bind_text(st, 1, l->job, -1, NULL);
    while (rc == SQ_OK || rc == SQ_ROW) {
        char text[24];
        rc = l->sq.step(st);
        if (rc != SQ_ROW) break;
        const char *id = (const char *)l->sq.column_text(st, 0);
        dp_buf_reset(&app);
        dp_delta_app_id(job, id ? id : "", NULL, &app);
        dp_positions_put(p, dp_buf_str(&app), dp_str(text, dp_print_i64(text, l->sq.column_int64(st, 1))));
    }
    enum dp_status status = rc == SQ_DONE ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(st);
    dp_buf_release(&app);
    return status;
}

/* The id that the latest commit was made at: names of files that have grown since are others, so it can't be made of the rows again. */
static enum dp_status name_positions(struct dp_ledger *l, struct dp_positions *p, struct dp_err *err) {
    void *st = NULL;
    int rc = l->sq.prepare(l->db, "SELECT checkpoint FROM point WHERE job = ?1 ORDER BY seq DESC LIMIT 1", -1, &st, NULL);
    if (rc == SQ_OK) rc = l->sq.bind_text(st, 1, l->job, -1, NULL);
    if (rc == SQ_OK) rc = l->sq.step(st);
    const char *id = rc == SQ_ROW ? (const char *)l->sq.column_text(st, 0) : NULL;
    if (id && *id) dp_positions_name(p, dp_str_z(id));
    enum dp_status status = rc == SQ_ROW || rc == SQ_DONE ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(st);
    return status;
}

enum dp_status dp_ledger_positions(struct dp_ledger *l, const char *job, struct dp_positions *p, struct dp_err *err) {
    l->told = 0;
    if (!l->db || !l->version) return DP_OK;
    DP_TRY(ledger_sql(l, "BEGIN", err));
    enum dp_status status = add_positions(l, p, job, err);
    if (!status && l->version > 1) status = latest(l, &l->told, err);
    if (!status && l->version > 1) status = name_positions(l, p, err);
    enum dp_status ended = ledger_sql(l, "COMMIT", status ? NULL : err);
    return status ? status : ended;
}

/* ---- going back ---- */

/* Backwards, one commit at a time. */
static enum dp_status undo(struct dp_ledger *l, long long to, struct dp_err *err) {
    static const char *const steps[] = {
        "DELETE FROM position WHERE job = ?1 AND EXISTS (SELECT 1 FROM before b WHERE b.job = ?1 AND b.seq = ?3 AND b.source = position.source AND b.id = position.id)",
        ("INSERT OR REPLACE INTO position(job, source, id, position, run, time) SELECT job, source, old_id, old_position, '', '' FROM before"
         " WHERE job = ?1 AND seq = ?3 AND old_position IS NOT NULL"),
        "DELETE FROM before WHERE job = ?1 AND seq = ?3",
        "DELETE FROM point WHERE job = ?1 AND seq = ?3"};
    long long seq = 0;
    for (;;) {
        DP_TRY(latest(l, &seq, err));
        if (seq <= to) return DP_OK;
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) DP_TRY(change(l, steps[i], seq, err));
    }
}

/* Who only looks works on tables of its own, which hide the others. */
static enum dp_status begin_change(struct dp_ledger *l, struct dp_err *err) {
    if (l->read_only)
        DP_TRY(ledger_sql(l, "CREATE TEMP TABLE IF NOT EXISTS position AS SELECT * FROM main.position; CREATE TEMP TABLE IF NOT EXISTS point AS SELECT * FROM main.point;"
                             " CREATE TEMP TABLE IF NOT EXISTS before AS SELECT * FROM main.before", err));
    return ledger_sql(l, l->read_only ? "BEGIN" : "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err);
}

static enum dp_status end_change(struct dp_ledger *l, enum dp_status status, struct dp_err *err) {
    if (status == DP_OK) status = ledger_sql(l, "COMMIT", err);
    if (status) l->sq.exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static enum dp_status go_back(struct dp_ledger *l, const char *id, bool *found, struct dp_err *err) {
    long long to = 0;
    if (*id) DP_TRY(ledger_number(l, "SELECT max(seq) FROM point WHERE job = ?1 AND checkpoint = ?2", id, 0, &to, err));
    else DP_TRY(ledger_number(l, "SELECT seq FROM point WHERE job = ?1 AND seq = 1 AND checkpoint = ''", NULL, 0, &to, err));
    *found = to > 0;
    return *found ? undo(l, to, err) : DP_OK;
}

enum dp_status dp_ledger_back(struct dp_ledger *l, const char *id, bool *found, struct dp_err *err) {
    *found = false;
    if (!l->db || l->version < 2) return DP_OK;
    DP_TRY(begin_change(l, err));
    return end_change(l, go_back(l, id, found, err), err);
}

static enum dp_status add_first(struct dp_ledger *l, const char *run, const char *time, bool *is_first, struct dp_err *err) {
    long long seq = 0;
    DP_TRY(latest(l, &seq, err));
    *is_first = !seq;
    return *is_first ? ledger_point_add(l, 1, "", run, time, err) : DP_OK;
}

enum dp_status dp_ledger_begin(struct dp_ledger *l, const char *run, int64_t now, bool *is_first, struct dp_err *err) {
    char time[40];
    *is_first = true;
    if (!l->db || l->version < 2) return DP_OK;
    time[dp_time_print_micros(time, now, true, 3)] = '\0';
    DP_TRY(begin_change(l, err));
    return end_change(l, add_first(l, run, time, is_first, err), err);
}

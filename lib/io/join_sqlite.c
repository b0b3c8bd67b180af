/*
 * A table or view of SQLite as records (join_load.h): FILE, where it has one table, or FILE#TABLE.  Read only, in one statement, so in one state of the database.
 * Values by their own storage class: integers, reals (shortest), texts, blobs as base64.
 */
#include "join_load.h"
#include "sqlite_priv.h"

#include <dp/base/num.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, WAIT_MS = 5000 };

struct join_sqlite {
    struct dp_sqlite sq;
    char *file, *table;
    void *db, *st;
    struct dp_origin *origin;
    struct dp_buf *names; size_t n; /* each column's `"name":` */
    struct dp_type *schema;
    uint64_t rows;
    bool ended; /* another step would begin anew */
};

static bool has_magic(const char *name, size_t n) {
    char head[16], *path = dp_strndup(name, n);
    struct stat st;
    bool is = false;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        is = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", 16) == 0;
        if (fd >= 0) close(fd);
    }
    free(path);
    return is;
}

/* Bytes of the file's name; 0: it is no database. */
static size_t file_part(const char *name) {
    const char *hash = strrchr(name, '#');
    size_t n = strlen(name);
    if (has_magic(name, n)) return n;
    return hash && has_magic(name, (size_t)(hash - name)) ? (size_t)(hash - name) : 0;
}

bool join_sqlite_is(const char *name) { return file_part(name) != 0; }

static enum dp_status failed(const struct join_sqlite *q, int rc, struct dp_err *err) {
    rc &= 0xff;
    if (rc == SQ_BUSY || rc == SQ_LOCKED) return dp_err_set(err, DP_AGAIN, "%s: another process holds the database", q->file);
    return dp_err_set(err, rc == SQ_CORRUPT || rc == SQ_NOTADB ? DP_FORMAT : DP_IO, "SQLite: %s: %s", q->file, q->db ? q->sq.errmsg(q->db) : "can't be opened");
}

static void add_name(struct dp_buf *b, const char *name) {
    dp_buf_addc(b, '"');
    for (; *name; name++) {
        if (*name == '"') dp_buf_addc(b, '"');
        dp_buf_addc(b, *name);
    }
    dp_buf_addc(b, '"');
}

/* The one table where none is named; *plain: it is no view. */
static enum dp_status choose_table(struct join_sqlite *q, bool *plain, struct dp_err *err) {
    struct dp_buf all = {0};
    char *found = NULL;
    void *st = NULL;
    size_t n = 0;
    *plain = true;
    int rc = q->sq.prepare(q->db, "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", -1, &st, NULL);
    while (rc == SQ_OK || rc == SQ_ROW) {
        rc = q->sq.step(st);
        if (rc != SQ_ROW) break;
        const char *name = (const char *)q->sq.column_text(st, 0), *type = (const char *)q->sq.column_text(st, 1);
        if (!name || !type) continue;
        bool is_it = q->table ? strcmp(q->table, name) == 0 : !n;
        if (is_it) free(found), found = dp_strdup(name), *plain = strcmp(type, "table") == 0;
        dp_buf_addf(&all, "%s%s", n++ ? ", " : "", name);
    }
    q->sq.finalize(st);
    enum dp_status status = DP_OK;
    if (rc != SQ_DONE) status = failed(q, rc, err);
    else if (q->table && !found) status = dp_err_set(err, DP_USAGE, "%s has no table %.100s; there are: %.200s", q->file, q->table, n ? dp_buf_z(&all) : "none");
    else if (!n) status = dp_err_set(err, DP_USAGE, "%s has no table", q->file);
    else if (!q->table && n > 1) status = dp_err_set(err, DP_USAGE, "%s has several tables: say which as %s#TABLE; there are: %.200s", q->file, q->file, dp_buf_z(&all));
    free(q->table);
    q->table = found;
    dp_buf_release(&all);
    return status;
}

static enum dp_status begin_rows(struct join_sqlite *q, bool plain, struct dp_err *err) {
    struct dp_buf sql = {0};
    dp_buf_addz(&sql, "SELECT * FROM ");
    add_name(&sql, q->table);
    if (plain) dp_buf_addz(&sql, " NOT INDEXED"); /* in the order of the table, not of an index that has all columns */
    int rc = q->sq.prepare(q->db, dp_buf_z(&sql), -1, &q->st, NULL);
    dp_buf_release(&sql);
    if (rc != SQ_OK) return failed(q, rc, err);
    q->n = (size_t)q->sq.column_count(q->st);
    q->names = dp_calloc(q->n + 1, sizeof *q->names);
    q->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (size_t i = 0; i < q->n; i++) {
        const char *name = q->sq.column_name(q->st, (int)i);
        struct dp_str text = dp_str_z(name ? name : "");
        if (!dp_utf8_valid(text.p, text.n, NULL)) return dp_err_set(err, DP_FORMAT, "%s: the name of a column is not UTF-8", q->file);
        dp_json_add_string(&q->names[i], text);
        dp_buf_addc(&q->names[i], ':');
        dp_type_add(q->schema, dp_type_new(DP_TYPE_NONE, text));
    }
    return DP_OK;
}

enum dp_status join_sqlite_open(const char *name, struct join_sqlite **out, struct dp_err *err) {
    struct join_sqlite *q = *out = dp_calloc(1, sizeof *q);
    size_t n = file_part(name);
    bool plain;
    q->file = dp_strndup(name, n);
    if (name[n] == '#') q->table = dp_strdup(name + n + 1);
    q->origin = dp_origin_new(name, NULL, DP_STR(""));
    DP_TRY(dp_sqlite_load(&q->sq, "a table of SQLite", err));
    int rc = q->sq.open(q->file, &q->db, SQ_OPEN_READONLY, NULL);
    if (rc != SQ_OK) return failed(q, rc, err);
    q->sq.busy_timeout(q->db, WAIT_MS);
    DP_TRY(choose_table(q, &plain, err));
    return begin_rows(q, plain, err);
}

struct dp_type *join_sqlite_schema(const struct join_sqlite *q) { return dp_type_copy(q->schema); }

static enum dp_status add_value(struct join_sqlite *q, int i, struct dp_buf *b, struct dp_err *err) {
    switch (q->sq.column_type(q->st, i)) {
    case SQ_INTEGER: dp_json_add_i64(b, q->sq.column_int64(q->st, i)); return DP_OK;
    case SQ_FLOAT: dp_json_add_double(b, q->sq.column_double(q->st, i)); return DP_OK;
    case SQ_NULL: dp_buf_addz(b, "null"); return DP_OK;
    default: break;
    }
    bool is_text = q->sq.column_type(q->st, i) == SQ_TEXT;
    const char *p = q->sq.column_blob(q->st, i);
    struct dp_str v = dp_str(p ? p : "", (size_t)q->sq.column_bytes(q->st, i));
    if (!is_text) return dp_json_add_binary(b, v, false), DP_OK;
    if (!dp_utf8_valid(v.p, v.n, NULL)) return dp_err_set(err, DP_FORMAT, "row %llu of %.200s: a text is not UTF-8", (unsigned long long)q->rows, q->table);
    dp_json_add_string(b, v);
    return DP_OK;
}

enum dp_status join_sqlite_next(struct join_sqlite *q, struct dp_chunk *c, struct dp_err *err) {
    struct dp_buf *b = &c->converted;
    int rc = SQ_ROW;
    dp_buf_reset(b);
    c->line = q->rows + 1;
    while (!q->ended && b->n < CHUNK && (rc = q->sq.step(q->st)) == SQ_ROW) {
        q->rows++;
        for (size_t i = 0; i < q->n; i++) {
            dp_buf_addc(b, i ? ',' : '{');
            dp_buf_adds(b, dp_buf_str(&q->names[i]));
            DP_TRY(add_value(q, (int)i, b, err));
        }
        dp_buf_addz(b, "}\n");
    }
    if (rc != SQ_ROW && rc != SQ_DONE) return failed(q, rc, err);
    q->ended = q->ended || rc == SQ_DONE;
    if (!b->n) return DP_END;
    memset(dp_buf_reserve(b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    c->kind = DP_CHUNK_RECORDS;
    c->origin = q->origin;
    c->text = b->p, c->n = b->n;
    c->rec_line = NULL;
    return DP_OK;
}

void join_sqlite_close(struct join_sqlite *q) {
    if (!q) return;
    if (q->st) q->sq.finalize(q->st);
    if (q->db) q->sq.close(q->db);
    dp_sqlite_unload(&q->sq);
    for (size_t i = 0; i < q->n && q->names; i++) dp_buf_release(&q->names[i]);
    dp_type_free(q->schema);
    dp_origin_free(q->origin);
    free(q->names), free(q->file), free(q->table);
    free(q);
}

/* The store of lineage: what its files share (dp/io/catalog.h).  Private to lib/io. */
#ifndef DP_IO_CATALOG_PRIV_H
#define DP_IO_CATALOG_PRIV_H

#include "sqlite_priv.h"

#include <dp/base/arena.h>
#include <dp/base/map.h>
#include <dp/io/catalog_query.h>
#include <dp/parquet/codec.h>
#include <dp/record/json.h>

#define DP_CATALOG_ID 0x64706c6e /* "dpln" */
#define DP_CATALOG_FORM 2
#define DP_CATALOG_STATEMENTS 128

struct dp_cat_names { char **v; int64_t *dataset; int64_t n, asked; struct dp_str last_ns; bool is_loaded; }; /* v: NULL until one is asked for; last_ns: of the name that was looked up last */

struct dp_catalog {
    struct dp_sqlite sq;
    void *db;
    char *path;
    int64_t wait_ms;
    int64_t waited_from; /* since when for a lock */
    bool in_transaction, is_reader;
    uint64_t repeated;
    void *st[DP_CATALOG_STATEMENTS]; /* prepared at first use; by enum of catalog_add.c, and DP_CAT_ST_* below */
    /* while events are added */
    struct dp_scan *scan;
    struct dp_codec *codec;
    struct dp_buf text, work;
    struct dp_arena event_arena, cache_arena;
    struct dp_map datasets, jobs, fields, bodies, flows, facets; /* rows that this transaction may trust */
    struct dp_map job_ios, edges; /* what is written when it ends, and datasets and jobs that changed */
    void **dirty;
    size_t n_dirty, cap_dirty;
    long long data_version;
    /* while names are asked for: two of datasets and jobs (namespace, name), one of columns, by id */
    struct dp_cat_names names[3];
    struct dp_arena name_arena;
};

/* ---- SQL ---- */

enum dp_status dp_cat_failed(const struct dp_catalog *c, int rc, struct dp_err *err);
enum dp_status dp_cat_sql(struct dp_catalog *c, const char *sql, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_cat_number(struct dp_catalog *c, const char *sql, long long *v, struct dp_err *err) DP_MUST_CHECK;
/* Binds by `form`: i int64_t, s struct dp_str as text (p NULL: null), b the same as blob. */
int dp_cat_bind(struct dp_catalog *c, void *st, const char *form, va_list ap);
/* Prepared anew each time: for those who ask.  *st is to be finalized; it is there also where the status is not DP_OK, or NULL. */
enum dp_status dp_cat_query(struct dp_catalog *c, void **st, struct dp_err *err, const char *sql, const char *form, ...) DP_MUST_CHECK;
/* A statement that is kept: c->st[slot], prepared at first use. */
int dp_cat_kept(struct dp_catalog *c, int slot, const char *sql);
/* Slots of questions; those below are of catalog_add.c. */
enum { DP_CAT_ST_NAMES = 64, DP_CAT_ST_WALKS = 72, DP_CAT_ST_CLASSES = 96, DP_CAT_ST_POLICY = 104, DP_CAT_ST_FOLDS = 120 };
/* One of them, at its beginning; NULL: *status is set, or was. */
void *dp_cat_ask(struct dp_catalog *c, int slot, const char *sql, enum dp_status *status, struct dp_err *err);
/* True: a row is there.  False: the end, or *status is set. */
bool dp_cat_next(struct dp_catalog *c, void *st, enum dp_status *status, struct dp_err *err);
/* The same of a kept one, which is let go of behind its last row; `st` NULL is legal where *status is set. */
bool dp_cat_next_kept(struct dp_catalog *c, void *st, enum dp_status *status, struct dp_err *err);
struct dp_str dp_cat_str(struct dp_catalog *c, void *st, int column); /* text or blob; borrowed until the next row; p NULL: null */
static inline int64_t dp_cat_i64(struct dp_catalog *c, void *st, int column) { return c->sq.column_int64(st, column); }
void dp_cat_forget(struct dp_catalog *c); /* empties what is kept in memory of rows, written or not */
/* Writes what the transaction keeps for its end (catalog_add.c). */
enum dp_status dp_cat_flush(struct dp_catalog *c, struct dp_err *err) DP_MUST_CHECK;

/* ---- words of SQL ---- */

/* A node as it is printed: of namespace `file` the path alone. */
#define NAME(t) "CASE WHEN " t ".ns = 'file' THEN " t ".name WHEN " t ".ns = '' OR substr(" t ".name, 1, 1) = '/' THEN " t ".ns || " t ".name ELSE " t ".ns || '/' || " t ".name END"
#define JOB_NAME(t) "CASE WHEN " t ".ns = '' THEN " t ".name ELSE " t ".ns || '/' || " t ".name END"
/* A dataset that was dropped, and that no other run wrote since; nor did anybody say since that it is there. */
#define GONE(d) "(" d ".dropped_at IS NOT NULL AND coalesce(" d ".life_at, " d ".dropped_at) <= " d ".dropped_at AND NOT EXISTS (SELECT 1 FROM run_io wio JOIN run wr ON wr.id = wio.run" \
                " WHERE wio.dataset = " d ".id AND wio.side = 1 AND wio.run IS NOT " d ".dropped_run AND wr.last_at > " d ".dropped_at))"
/* An edge, or a job and its dataset, that not only runs had that failed. */
#define HOLDS(t) "(" t ".runs > " t ".failed OR " t ".said)"
/* The same of column edges. */
#define FLOW_HOLDS(t) "EXISTS (SELECT 1 FROM run_io fio JOIN run frun ON frun.id = fio.run WHERE fio.flow = " t ".id AND frun.state < 5)"
/* What is asked for a node's page (catalog_page.c). */
const char *dp_cat_page_sql(enum dp_catalog_question q, bool is_job);

/* ---- events, as read (catalog_event.c) ---- */

struct dp_cat_name { struct dp_str ns, name; };

/* An edge between columns as an event names it. */
struct dp_cat_ref {
    struct dp_cat_name from;
    struct dp_str field;   /* of `from` */
    struct dp_str to;      /* p NULL: all rows */
    uint32_t how;          /* enum dp_catalog_how */
};

struct dp_cat_dataset {
    struct dp_cat_name id;
    enum dp_catalog_side side;
    uint32_t facets, io_facets; /* object nodes; 0: none */
    bool says_flow;             /* a columnLineage or lineage facet with fields: refs are all that it says */
    struct dp_cat_ref *refs;
    size_t n_refs, cap_refs;
    struct dp_cat_name *from;   /* inputs of a lineage facet */
    size_t n_from, cap_from;
    bool inner;                 /* only a lineage facet of the job names it */
};

enum dp_cat_kind { DP_CAT_RUN_EVENT, DP_CAT_JOB_EVENT, DP_CAT_DATASET_EVENT };

struct dp_cat_link { struct dp_cat_name from, to; bool from_job, to_job; }; /* of a lineage facet of a job, or jobDependencies; names with ns.p NULL: the event's own job */

struct dp_cat_event {
    const struct dp_record *r;
    struct dp_arena *arena;
    enum dp_cat_kind kind;
    enum dp_catalog_state type;
    int64_t at;
    struct dp_str uuid;
    struct dp_cat_name job;
    uint32_t job_facets, run_facets;
    struct dp_str parent, root;           /* uuids; p NULL */
    struct dp_cat_name parent_job, root_job;
    struct dp_cat_dataset *datasets;
    size_t n_datasets, cap_datasets;
    struct dp_cat_link *links;
    size_t n_links, cap_links;
    bool strict;
    size_t warnings;
    struct dp_err *err;
    uint64_t digest[2];   /* of the JSON value */
    struct dp_str packed; /* the text, zstd */
};

/* Reads one whole event out of a record without writing anything. */
enum dp_status dp_cat_event_read(const struct dp_record *r, struct dp_arena *arena, bool strict, struct dp_cat_event *e, struct dp_err *err) DP_MUST_CHECK;
/* The same with its digest and its packed text (catalog_ready.c). */
enum dp_status dp_cat_event_ready(struct dp_codec *codec, const struct dp_record *r, struct dp_arena *arena, bool strict, struct dp_cat_event **out, struct dp_err *err) DP_MUST_CHECK;
/* A fault that lenient reading passes over: counted, or DP_FORMAT. */
enum dp_status dp_cat_lack(struct dp_cat_event *e, const char *fmt, ...) DP_PRINTF(2, 3) DP_MUST_CHECK;
/* Known facets by key and place against their schemas (catalog_facets.c).  `place` of letters: d dataset, i and o as input and output, j job, r run. */
enum dp_status dp_cat_facets_check(struct dp_cat_event *e, char place, uint32_t facets) DP_MUST_CHECK;
/* Column lineage of a dataset's facets into refs and from, and links of the job's (catalog_flow.c). */
enum dp_status dp_cat_flow_read(struct dp_cat_event *e, struct dp_cat_dataset *d) DP_MUST_CHECK;
enum dp_status dp_cat_links_read(struct dp_cat_event *e) DP_MUST_CHECK;
struct dp_cat_dataset *dp_cat_event_dataset(struct dp_cat_event *e, struct dp_cat_name id, enum dp_catalog_side side);
/* Decoded text of a string node (in place where it has no escapes); p NULL where it is none. */
struct dp_str dp_cat_text(const struct dp_cat_event *e, uint32_t node);
static inline struct dp_str dp_cat_member_text(const struct dp_cat_event *e, uint32_t object, const char *name) {
    return dp_cat_text(e, dp_json_member(e->r, object, name));
}
/* A facet that takes back what one of its name said. */
bool dp_cat_is_deleted(const struct dp_cat_event *e, uint32_t facet);
static inline bool dp_cat_is(const struct dp_cat_event *e, uint32_t node, enum dp_kind kind) { return node && e->r->nodes[node].kind == kind; }

#endif

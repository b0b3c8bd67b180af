/*
 * What the files of the window operator (dp/rules/window.h) share.
 *
 *   window.c          the calls of the header: checks, records one by one, the watermark's steps, checkpoints
 *   window_grid.c     states by (end, start, key): tumbling, hopping and calendar windows; and sorting of whatever must come out in that order
 *   window_keyed.c    units by key, what is due next of each: sessions, sliding and count windows
 *   window_ahead.c    pieces of units that begin behind the bound, in files, in order of time
 *   window_session.c, window_slide.c, window_count.c   what a unit is
 *   window_run.c      sorted runs in unlinked files, what does not fit in memory
 *   window_mem.c      slabs, heaps, lists of rows
 *
 * Bound: all windows that end at or before it are done with.  That is W, but with DP_WINDOW_FINAL it is W - lateness, and `holds` (what windows are kept for behind their end) is 0.
 */
#ifndef DP_RULES_WINDOW_PRIV_H
#define DP_RULES_WINDOW_PRIV_H

#include <dp/base/buf.h>
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/record/json.h>
#include <dp/rules/window.h>

/* ---- memory ---- */

#define DP_WINDOW_CLASSES 64 /* of 16 bytes: 16, 32 ... 1024 */

/* Pieces of few sizes, given back one by one; what is larger is the heap's. */
struct dp_window_slab {
    struct dp_window_chunk *chunks;
    char *at, *end;
    void *free[DP_WINDOW_CLASSES + 1];
    size_t chunk_bytes, bytes; /* held from the system */
    size_t unused;             /* of these, what was given back */
};
static inline size_t dp_window_chunk(size_t memory) { return memory < 1u << 14 ? 1024 : memory < 1u << 22 ? memory / 16 : 262144; }
void *dp_window_slab_get(struct dp_window_slab *s, size_t n); /* cleared, aligned to 16 */
void dp_window_slab_put(struct dp_window_slab *s, void *p, size_t n);
void dp_window_slab_reset(struct dp_window_slab *s); /* every piece was given back */

/* The least first: by due, start, and then the key bytes where there are some. */
struct dp_window_due {
    int64_t due, start;
    void *what;
};
struct dp_window_heap {
    struct dp_window_due *v;
    size_t n, cap;
    struct dp_str (*key)(const void *what); /* NULL: ties are as they come */
};
void dp_window_heap_push(struct dp_window_heap *h, int64_t due, int64_t start, void *what);
struct dp_window_due dp_window_heap_pop(struct dp_window_heap *h);

/* Rows as they were read, sorted by time and arrival. */
struct dp_window_record {
    int64_t time;
    uint64_t arrival;
    size_t n;
    char row[];
};
struct dp_window_records {
    struct dp_window_record **v;
    size_t n, cap;
    size_t gone;   /* places before v that are free */
    size_t sorted; /* so many from v on are in order */
};
struct dp_window;
void dp_window_records_add(struct dp_window *w, struct dp_window_records *r, int64_t time, uint64_t arrival, struct dp_str row);
/* Adds without a look at the order, which dp_window_records_sort brings about before anything else is asked. */
void dp_window_records_append(struct dp_window *w, struct dp_window_records *r, int64_t time, uint64_t arrival, struct dp_str row);
void dp_window_records_sort(struct dp_window *w, struct dp_window_records *r);
bool dp_window_records_find(const struct dp_window_records *r, int64_t time, struct dp_str row, size_t *at);
size_t dp_window_records_from(const struct dp_window_records *r, int64_t time); /* the first that is not before */
void dp_window_records_cut(struct dp_window *w, struct dp_window_records *r, size_t from, size_t n);
void dp_window_records_release(struct dp_window *w, struct dp_window_records *r);
void dp_window_records_save(const struct dp_window_records *r, struct dp_buf *out);
void dp_window_record_free(struct dp_window *w, struct dp_window_record *r); /* one that was taken out of them */
enum dp_status dp_window_records_load(struct dp_window *w, struct dp_window_records *r, struct dp_str *in, struct dp_err *err) DP_MUST_CHECK;
static inline struct dp_str dp_window_record_row(const struct dp_window_record *r) { return dp_str(r->row, r->n); }

/* ---- numbers in bytes ---- */

static inline void dp_window_put64(struct dp_buf *b, uint64_t v) {
    char *p = dp_buf_reserve(b, 8);
    for (int i = 0; i < 8; i++) p[i] = (char)(v >> (56 - 8 * i) & 0xff);
    b->n += 8;
}
static inline uint64_t dp_window_peek64(const char *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | (unsigned char)p[i];
    return v;
}
/* Times so that their bytes are in their order. */
static inline void dp_window_put_time(struct dp_buf *b, int64_t t) { dp_window_put64(b, (uint64_t)t ^ (uint64_t)1 << 63); }
static inline int64_t dp_window_peek_time(const char *p) { return (int64_t)(dp_window_peek64(p) ^ (uint64_t)1 << 63); }
/* From the front of *in; false: it is too short. */
static inline bool dp_window_take64(struct dp_str *in, uint64_t *v) {
    if (in->n < 8) return false;
    *v = dp_window_peek64(in->p), in->p += 8, in->n -= 8;
    return true;
}
static inline bool dp_window_take_time(struct dp_str *in, int64_t *t) {
    uint64_t v;
    if (!dp_window_take64(in, &v)) return false;
    *t = (int64_t)(v ^ (uint64_t)1 << 63);
    return true;
}
static inline int64_t dp_window_add_sat(int64_t a, int64_t b) {
    int64_t v;
    return dp_add_overflow(a, b, &v) ? (b > 0 ? INT64_MAX : INT64_MIN) : v;
}
static inline int64_t dp_window_sub_sat(int64_t a, int64_t b) {
    int64_t v;
    return dp_sub_overflow(a, b, &v) ? (b > 0 ? INT64_MIN : INT64_MAX) : v;
}

/* ---- runs ---- */

#define DP_WINDOW_DIRTY 1u  /* changed since the last save */
#define DP_WINDOW_FRESH 2u  /* changed since the last early rows */
#define DP_WINDOW_WHOLE 4u  /* older runs have nothing of it that counts */
#define DP_WINDOW_SAVED 8u  /* an entry of it is in a checkpoint */
#define DP_WINDOW_BELOW 16u /* keyed: older runs have something of it */
#define DP_WINDOW_MANY 64   /* pieces of a key that checkpoints have each by itself */
#define DP_WINDOW_FANIN 8   /* runs of a level before they become one of the next */

/* Entries sorted by key, in an unlinked file. */
struct dp_window_run {
    int fd;
    uint64_t bytes, entries;
    uint64_t *blocks; /* where they start */
    uint64_t *heads;  /* the first eight bytes of their first keys */
    size_t n_blocks, cap_blocks, cap_heads, block; /* block: bytes of one, or a little more */
    struct dp_buf out;
    unsigned level, refs; /* refs: who else has it */
    uint32_t passed; /* DP_WINDOW_DIRTY, FRESH: what its entries say of that is past */
    bool is_saved;   /* keyed: a checkpoint has what it has */
    int64_t last;    /* grid: the end of its last window */
    uint64_t *filter; /* keyed: of the hashes of its keys */
    uint64_t filter_bits;
};
struct dp_window_item {
    struct dp_str key, value;
    uint32_t flags;
};
enum dp_status dp_window_run_open(struct dp_window_run **out, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_run_put(struct dp_window_run *r, const struct dp_window_item *item, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_run_end(struct dp_window_run *r, struct dp_err *err) DP_MUST_CHECK;
void dp_window_run_free(struct dp_window_run *r);
/* The entry of that key, borrowed in buf; *found false: there is none. */
enum dp_status dp_window_run_find(const struct dp_window_run *r, struct dp_str key, struct dp_buf *buf, struct dp_window_item *item, bool *found,
                                  struct dp_err *err) DP_MUST_CHECK;

/* Through a run from the first entry that is not before `from`. */
struct dp_window_cursor {
    const struct dp_window_run *run;
    struct dp_buf buf;
    uint64_t at; /* of what is behind buf */
    size_t pos;
    struct dp_window_item item; /* borrowed until next */
    bool is_end;
};
enum dp_status dp_window_cursor_open(struct dp_window_cursor *c, const struct dp_window_run *r, struct dp_str from, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_cursor_next(struct dp_window_cursor *c, struct dp_err *err) DP_MUST_CHECK;
/* Another one at the same entry. */
enum dp_status dp_window_cursor_fork(struct dp_window_cursor *c, const struct dp_window_cursor *of, struct dp_err *err) DP_MUST_CHECK;
void dp_window_cursor_close(struct dp_window_cursor *c);
/* The cursor with the least key, of equal ones the last; NULL: all are at their end. */
struct dp_window_cursor *dp_window_cursor_least(struct dp_window_cursor *c, size_t n);

/* ---- the grid ---- */

struct dp_window_grid;
/* What a window has: its state, and what was said about it. */
struct dp_window_seen {
    int64_t start, end;
    struct dp_str key;
    uint64_t hash; /* of one that is to be taken or loaded; visits do not need it */
    uint64_t fires;
    uint32_t flags;
    void *state;
};
typedef enum dp_status (*dp_window_visit)(void *ctx, const struct dp_window_seen *seen, struct dp_err *err);

struct dp_window_grid *dp_window_grid_open(struct dp_window *w, bool is_sorter);
void dp_window_grid_free(struct dp_window_grid *g);
size_t dp_window_grid_bytes(const struct dp_window_grid *g);
enum dp_status dp_window_grid_add(struct dp_window_grid *g, int64_t start, int64_t end, const struct dp_window_event *ev, enum dp_window_fate *fate,
                                  struct dp_err *err) DP_MUST_CHECK;
/* Of a sorter: takes what is in state, which is empty then. */
enum dp_status dp_window_grid_take(struct dp_window_grid *g, const struct dp_window_seen *seen, struct dp_err *err) DP_MUST_CHECK;
int64_t dp_window_grid_due(const struct dp_window_grid *g); /* INT64_MAX: nothing, as far as it is known */
enum dp_status dp_window_grid_fire(struct dp_window_grid *g, int64_t bound, bool is_early, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_grid_spill(struct dp_window_grid *g, struct dp_err *err) DP_MUST_CHECK;
/* Windows that are held, in order where `sorted`; where no run has a flag of `wants` (0: any) perhaps only those that have one.  Flags in clears are past behind it. */
enum dp_status dp_window_grid_each(struct dp_window_grid *g, bool sorted, uint32_t wants, uint32_t clears, dp_window_visit visit, void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* Entries of checkpoints whose windows were dropped since the last call; put NULL: they are forgotten. */
enum dp_status dp_window_grid_gone(struct dp_window_grid *g, dp_window_put put, void *ctx, struct dp_err *err) DP_MUST_CHECK;
void dp_window_grid_key(struct dp_buf *b, uint64_t hash, int64_t start, int64_t end, struct dp_str key);
/* in: the state. */
enum dp_status dp_window_grid_load(struct dp_window_grid *g, const struct dp_window_seen *seen, struct dp_str in, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_grid_start(struct dp_window_grid *g, int64_t bound, struct dp_err *err) DP_MUST_CHECK;
struct dp_window_counts dp_window_grid_counts(const struct dp_window_grid *g);

/* ---- pieces that begin behind the bound ---- */

struct dp_window_place {
    int64_t start;
    size_t at;
};
/* Runs in order of time.  What begins first is taken first; what is of one time comes in any order. */
struct dp_window_ahead {
    struct dp_window_run **runs;
    struct dp_window_cursor *cursors;
    size_t n, cap, cap_cursors, least; /* least: the cursor that is at `first` */
    int64_t first;                     /* INT64_MAX: there is nothing, for no piece begins then */
    struct dp_window_run *open;        /* that is being written */
    struct dp_buf key, value;
    struct dp_buf loaded;              /* of a checkpoint: entries that wait to be sorted */
    struct dp_window_place *places;    /* where they are in it */
    size_t n_places, cap_places;
    uint64_t *spilled;                 /* bytes, ever */
};
struct dp_window_piece {
    int64_t start;
    uint64_t hash, number;  /* number: no other piece of this key and start has, nor had, it */
    struct dp_str key, body; /* body: what its kind says of it */
    uint32_t flags;
};
void dp_window_ahead_init(struct dp_window_ahead *a, uint64_t *spilled);
void dp_window_ahead_release(struct dp_window_ahead *a);
/* begin, put ... in order of start, end. */
enum dp_status dp_window_ahead_begin(struct dp_window_ahead *a, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_ahead_put(struct dp_window_ahead *a, const struct dp_window_piece *p, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_ahead_end(struct dp_window_ahead *a, struct dp_err *err) DP_MUST_CHECK;
/* The first, where there is one; borrowed until it is passed. */
enum dp_status dp_window_ahead_get(struct dp_window_ahead *a, struct dp_window_piece *p, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_ahead_pass(struct dp_window_ahead *a, struct dp_err *err) DP_MUST_CHECK;
/* Another one that is at the same place. */
enum dp_status dp_window_ahead_fork(const struct dp_window_ahead *of, struct dp_window_ahead *a, struct dp_err *err) DP_MUST_CHECK;
uint64_t dp_window_ahead_entries(const struct dp_window_ahead *a);
void dp_window_ahead_passed(struct dp_window_ahead *a, uint32_t flag);
/* Checkpoints: an entry for each piece, which says nothing any more once the bound has come to its start. */
enum dp_status dp_window_ahead_save(struct dp_window_ahead *a, bool all, dp_window_put put, void *ctx, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_ahead_load(struct dp_window_ahead *a, const struct dp_window_piece *p, size_t memory, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_ahead_start(struct dp_window_ahead *a, int64_t bound, struct dp_err *err) DP_MUST_CHECK;

/* ---- units by key ---- */

struct dp_window_unit {
    struct dp_window_unit *next;
    uint64_t hash;
    int64_t due, start; /* of its item in the heap that counts; INT64_MAX where none does */
    union {
        struct dp_window_session *sessions;
        struct dp_window_slides *slides;
        struct dp_window_tally *tally;
    } u; /* NULL: nothing is in it */
    struct dp_window_session *latest; /* the session that a record was put into last; NULL: not known */
    struct dp_window_tower *tower;    /* to find one of many sessions; NULL: they are few */
    uint32_t items, flags, key_n, n;  /* n: sessions, or rows of sliding windows */
    char key[];
};

/* OPEN: that have not fired; at the end of count windows. FRESH: and changed since the last early rows. */
enum dp_window_which { DP_WINDOW_ALL, DP_WINDOW_OPEN, DP_WINDOW_CHANGED };

/* A piece of a unit that is taken out of it, to be written to a file. */
struct dp_window_part {
    int64_t start;
    const struct dp_window_unit *u;
    void *what;
    uint32_t flags;
};
struct dp_window_pieces {
    struct dp_window_part *v;
    size_t n, cap;
};

/* What a kind does with a unit. */
struct dp_window_kind_ops {
    enum dp_status (*add)(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err);
    bool (*next)(const struct dp_window *w, const struct dp_window_unit *u, int64_t *due, int64_t *start); /* false: nothing is ever due */
    enum dp_status (*fire)(struct dp_window *w, struct dp_window_unit *u, int64_t due, int64_t start, struct dp_err *err); /* what next said */
    void (*save)(const struct dp_window *w, const struct dp_window_unit *u, struct dp_buf *out);
    enum dp_status (*load)(struct dp_window *w, struct dp_window_unit *u, struct dp_str in, struct dp_err *err); /* into an empty one; its flags tell whether what is fresh in it still is */
    void (*release)(struct dp_window *w, struct dp_window_unit *u);
    /* Some of its windows, with states that may be taken. */
    enum dp_status (*each)(struct dp_window *w, struct dp_window_unit *u, enum dp_window_which which, dp_window_visit visit, void *ctx, struct dp_err *err);
    uint64_t (*windows)(const struct dp_window *w, const struct dp_window_unit *u);
    /* Pieces that begin behind a time; NULL: this kind has no such thing, as these three are there or not together. */
    void (*cut)(struct dp_window *w, struct dp_window_unit *u, int64_t behind, struct dp_window_pieces *out);
    void (*body)(struct dp_window *w, const struct dp_window_part *part, struct dp_window_piece *p, struct dp_buf *out); /* what is left of it is given back */
    enum dp_status (*join)(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_piece *p, struct dp_err *err); /* puts it back */
    void (*order)(struct dp_window *w, struct dp_window_unit *u); /* before `next` is taken for exact; NULL: it is anyway */
};
extern const struct dp_window_kind_ops dp_window_session_ops, dp_window_slide_ops, dp_window_count_ops;

struct dp_window_keyed;
struct dp_window_keyed *dp_window_keyed_open(struct dp_window *w, const struct dp_window_kind_ops *ops);
void dp_window_keyed_free(struct dp_window_keyed *k);
struct dp_window_slab *dp_window_keyed_slab(const struct dp_window *w); /* for what units hold */
size_t dp_window_keyed_bytes(const struct dp_window_keyed *k);
void dp_window_keyed_prefetch(const struct dp_window_keyed *k, uint64_t hash, bool deep);
void dp_window_grid_prefetch(const struct dp_window_grid *g, int64_t start, uint64_t hash, bool deep);
enum dp_status dp_window_keyed_add(struct dp_window_keyed *k, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) DP_MUST_CHECK;
int64_t dp_window_keyed_due(const struct dp_window_keyed *k);
enum dp_status dp_window_keyed_fire(struct dp_window_keyed *k, int64_t bound, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_keyed_spill(struct dp_window_keyed *k, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_keyed_save(struct dp_window_keyed *k, bool all, dp_window_put put, void *ctx, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_keyed_load(struct dp_window_keyed *k, uint64_t hash, struct dp_str key, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_keyed_load_ahead(struct dp_window_keyed *k, const struct dp_window_piece *p, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_window_keyed_start(struct dp_window_keyed *k, int64_t bound, struct dp_err *err) DP_MUST_CHECK;
/* Windows of units that have what is fresh, or of all, through a sorter to emit as early rows or, where `last`, as what is left. */
enum dp_status dp_window_keyed_show(struct dp_window_keyed *k, bool last, struct dp_err *err) DP_MUST_CHECK;
/* Every window of every unit, for inspection. */
enum dp_status dp_window_keyed_each(struct dp_window_keyed *k, dp_window_visit visit, void *ctx, struct dp_err *err) DP_MUST_CHECK;
struct dp_window_counts dp_window_keyed_counts(const struct dp_window_keyed *k);

/* ---- the operator ---- */

struct dp_window {
    struct dp_window_conf conf;
    struct dp_window_grid *grid;   /* one of these two */
    struct dp_window_keyed *keyed;
    size_t state_size;
    int64_t bound;                 /* see above; what is due by it has fired */
    int64_t holds;                 /* lateness where windows are held behind their end, else 0 */
    int64_t due;                   /* nothing fires before the bound is here */
    int64_t seen;                  /* W when the bound was set */
    int64_t offset;                /* of the grid, from 0 to below its step */
    bool is_final, is_discarding, is_changelog, is_started, is_loaded;
    bool is_looking;               /* one entry is loaded, to be seen */
    bool is_showing;               /* what fires is early, and stays */
    uint64_t dice;                 /* of skip lists */
    uint64_t arrivals;
    struct dp_agg_mem mem;         /* of aggregates */
    size_t record_bytes;           /* of rows that are kept */
    size_t memory;                 /* of tables, states and rows, before they are written out */
    void *scratch;                 /* an empty state */
    struct dp_buf bytes;           /* for whoever needs some between two calls */
    int64_t cell_start, cell_end;  /* the last calendar period, or tumbling window */
    uint64_t spilled;              /* bytes, ever */
};

enum dp_status dp_window_emit(struct dp_window *w, enum dp_window_op op, int64_t start, int64_t end, struct dp_str key, uint64_t pane, const void *state, bool is_early,
                              struct dp_err *err) DP_MUST_CHECK;
static inline struct dp_agg_at dp_window_at(const struct dp_window *w, const struct dp_window_event *ev) { return (struct dp_agg_at){ev->time, w->arrivals}; }
/* Is a window with this end dropped? */
static inline bool dp_window_is_closed(const struct dp_window *w, int64_t end) { return dp_window_add_sat(end, w->holds) <= w->bound; }
/* Has it fired, or does it at once? */
static inline bool dp_window_is_due(const struct dp_window *w, int64_t end) { return end <= w->bound; }
static inline enum dp_status dp_window_damaged(struct dp_err *err) { return dp_err_set(err, DP_FORMAT, "an entry of the state of windows is damaged"); }

#endif

/* The parts of dedupe (dp/io/dedupe.h): keys with their times (dedupe_recent.c), the best record of each key (dedupe_best.c), records that wait (dedupe_lines.c), checkpoints
   (dedupe_state.c), the run (dedupe.c). */
#ifndef DP_IO_DEDUPE_PRIV_H
#define DP_IO_DEDUPE_PRIV_H

#include "durable.h"

#include <dp/base/num.h>
#include <dp/io/dedupe.h>
#include <dp/io/kept_marks.h>
#include <dp/io/keyset.h>
#include <dp/io/refset.h>
#include <dp/record/event_time.h>
#include <dp/rules/watermark.h>

/* ---- keys with times, of which the old ones are forgotten ---- */

struct dedupe_recent;
/* Two times of a key are near when they are at most `within` ms apart. */
struct dedupe_recent *dedupe_recent_open(uint64_t memory, int64_t within);
void dedupe_recent_close(struct dedupe_recent *r); /* NULL is legal */
/* *near: a time of this key is kept that is near t.  Else t is kept. */
enum dp_status dedupe_recent_add(struct dedupe_recent *r, struct dp_key key, int64_t t, bool *near, struct dp_err *err) DP_MUST_CHECK;
/* For checkpoints: the entry under which t was kept just now; an entry that was kept once; all that need be known. */
struct dedupe_entry { uint64_t w[2]; int64_t t; };
struct dedupe_entry dedupe_recent_entry(const struct dedupe_recent *r, struct dp_key key, int64_t t);
enum dp_status dedupe_recent_load(struct dedupe_recent *r, const struct dedupe_entry *e, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dedupe_recent_each(const struct dedupe_recent *r, enum dp_status (*one)(void *ctx, const struct dedupe_entry *e, struct dp_err *err), void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* Times before this one need not be known any more. */
void dedupe_recent_forget(struct dedupe_recent *r, int64_t before);
uint64_t dedupe_recent_count(const struct dedupe_recent *r);   /* kept so far, forgotten ones too */
uint64_t dedupe_recent_spilled(const struct dedupe_recent *r);

/* ---- the best record of each key ---- */

/* Bits by number of record. Zero value is empty. */
struct dedupe_bits { uint8_t *p; size_t bytes; };
void dedupe_bits_set(struct dedupe_bits *b, uint64_t i);
static inline bool dedupe_bits_has(const struct dedupe_bits *b, uint64_t i) { return i / 8 < b->bytes && (b->p[i / 8] >> (i & 7) & 1); }

struct dedupe_best;
/* Order of two values; of equals the later record is the better one. */
typedef int (*dedupe_compare)(struct dp_str a, struct dp_str b);
struct dedupe_best *dedupe_best_open(uint64_t memory, dedupe_compare compare);
void dedupe_best_close(struct dedupe_best *b); /* NULL is legal */
/* Record `number` has this key and value (less than 4 GiB, copied); numbers ascend. */
enum dp_status dedupe_best_add(struct dedupe_best *b, struct dp_key key, struct dp_str value, uint64_t number, struct dp_err *err) DP_MUST_CHECK;
/* Once, at the end: sets the number of the best record of each key. */
enum dp_status dedupe_best_finish(struct dedupe_best *b, struct dedupe_bits *out, struct dp_err *err) DP_MUST_CHECK;
uint64_t dedupe_best_count(const struct dedupe_best *b);   /* keys; behind finish */
uint64_t dedupe_best_spilled(const struct dedupe_best *b);

/* ---- lines that wait ---- */

/* Zero value is empty; `most` bytes wait in memory, the rest in a file without a name. */
struct dedupe_lines { struct dp_buf block; size_t most; int fd; bool is_open; uint64_t size, spilled, n; };
/* So many whole lines. */
enum dp_status dedupe_lines_add(struct dedupe_lines *l, struct dp_str text, uint64_t lines, struct dp_err *err) DP_MUST_CHECK;
/* Those whose number is in the set go to the stream, in order; *n counts them.  None is left. */
enum dp_status dedupe_lines_pass(struct dedupe_lines *l, const struct dedupe_bits *which, struct dp_stream *s, uint64_t *n, struct dp_err *err) DP_MUST_CHECK;
void dedupe_lines_release(struct dedupe_lines *l);

/* ---- the run ---- */

/* Entries that were kept since the last checkpoint; is_lost: there were more than `most`. */
struct dedupe_fresh { struct dedupe_entry *v; size_t n, cap, most; bool is_lost; };

struct dp_dedupe {
    struct dp_run *run;
    struct dp_dedupe_opts o;
    enum dp_dedupe_keep keep;
    struct dp_path *keys;
    size_t n_keys;
    bool is_whole;               /* the key is the record */
    struct dp_path time, field;  /* n 0: none */
    struct dp_zone *zone;
    struct dp_event_clock clock;
    struct dp_stream_ops ops;
    struct dp_keyset *set;       /* FIRST without `within`; else it makes keys only */
    struct dedupe_recent *recent;
    struct dp_watermark water;   /* of `recent` */
    struct dp_refset *against;
    struct dedupe_best *best;
    struct dedupe_lines lines;
    struct dedupe_bits kept;
    int kinds;                   /* of values that were seen: bits of enum class */
    bool has_field;              /* some record had the field of MAX or MIN */
    struct dp_kept_marks marks;
    uint64_t late;
    struct durable durable;
    struct dedupe_fresh fresh;
};

/* The watermark moved: no record from before it is judged any more. */
void dedupe_forget(struct dp_dedupe *d);

/* dedupe_state.c: before keys are made; before the first of them is looked for; each key that was kept; a checkpoint. Nothing without a state. */
enum dp_status dedupe_state_open(struct dp_dedupe *d, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dedupe_state_restore(struct dp_dedupe *d, struct dp_err *err) DP_MUST_CHECK;
void dedupe_state_note(struct dp_dedupe *d, const struct dedupe_entry *e);
enum dp_status dedupe_state_save(struct dp_dedupe *d, const char *id, struct dp_err *err) DP_MUST_CHECK;

#endif

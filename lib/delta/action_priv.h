/* The fields of each action: one table from which lines are parsed and printed (action.c) and columns are read (action_rows.c). */
#ifndef DP_DELTA_ACTION_PRIV_H
#define DP_DELTA_ACTION_PRIV_H

#include <dp/delta/action.h>
#include <dp/record/batch.h>

enum delta_field_kind { F_TEXT, F_LONG, F_BOOL, F_PAIRS, F_LIST, F_DV, F_FORMAT, F_RAW };

#define F_REQUIRED 1u
#define F_STATS 2u /* left out by DP_DELTA_NO_STATS */

struct delta_field {
    const char *name; /* NULL behind the last */
    uint8_t kind;
    uint8_t flags;
    uint16_t off;     /* in the struct of the action, or of dp_delta_dv */
};

struct delta_action_form {
    const char *name; /* NULL behind the last */
    enum dp_delta_kind kind;
    const struct delta_field *fields; /* the first one tells whether a checkpoint's row holds the action at all */
};

extern const struct delta_action_form delta_actions[];
extern const struct delta_field delta_dv_fields[];

/* An action with nothing in it. */
void delta_action_init(enum dp_delta_kind kind, struct dp_delta_action *out);
/* "NAME is not WANT" */
enum dp_status delta_wrong_kind(const char *name, const char *want, struct dp_err *err) DP_MUST_CHECK;

/* ---- rows of a checkpoint ---- */

struct delta_rows; /* how the columns of one schema are read; shared by threads */

/* schema is borrowed.  `without` as in dp_delta_lines_open. */
struct delta_rows *delta_rows_open(const struct dp_type *schema, unsigned without);
void delta_rows_close(struct delta_rows *r);
/* Calls fn for each action of the batch; its texts are copied into the arena, the action itself is borrowed until fn returns. */
enum dp_status delta_rows_each(const struct delta_rows *r, const struct dp_batch *b, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx,
                               struct dp_err *err) DP_MUST_CHECK;

#endif

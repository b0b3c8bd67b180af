/*
 * What shred.c (plans, members, containers, rejects) and shred_leaf.c (values of one type each) share.
 *
 * A plan is a column's recipe: made once, then each value costs one indirect call.  Members are predicted by the member
 * that came before them: `successor` is the name that followed last time, so a left-out field costs one lookup, not a run of them.
 */
#ifndef DP_RECORD_SHRED_PRIV_H
#define DP_RECORD_SHRED_PRIV_H

#include <dp/base/arena.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/record/batch.h>

#define NO_NAME UINT32_MAX

struct shred_name {
    uint64_t head[2]; /* the first 16 bytes, 0 behind the end */
    uint64_t mask[2]; /* which of them count */
    const char *text;
    uint32_t n;
    uint32_t child;     /* index of the column; NO_NAME: a field that the schema does not have */
    uint32_t successor; /* index of the name that followed last time */
};

struct shred_plan {
    const struct dp_type *type;
    /* Appends one row from the value at `node` (not null); false: it does not fit, and s->why or s->full says why. */
    bool (*append)(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node);
    struct shred_plan *children;
    size_t n_children;
    struct shred_name *names; /* STRUCT: fields first, then names met that the schema lacks */
    size_t n_names, names_cap;
    uint32_t first;           /* name that was first last time */
    struct dp_map by_name;
    /* the date that was parsed last: most records of a file share few days */
    char last_date[16];
    int64_t last_days;
    dp_i128 limit;            /* DECIMAL: 10^precision */
};

struct dp_shred {
    const struct dp_type *schema;
    bool closed;
    bool full;      /* a column would pass 2 GiB */
    uint64_t unknown;
    struct shred_plan root;
    struct dp_arena arena;
    struct dp_buf text;    /* a decoded string */
    struct dp_buf scratch; /* a decoded name */
    struct dp_shred_reject *why;
};

/* Sets what was expected and got; always false. */
bool dp_shred_misfit(struct dp_shred *s, const struct dp_type *t, const char *rule, const struct dp_record *r, uint32_t node);
/* The append function of a leaf type. */
void dp_shred_plan_leaf(struct shred_plan *p);

/* Marks the row that was just written as valid. */
static inline void shred_push(struct dp_column *c) {
    if (c->validity) {
        if (__builtin_expect((size_t)(c->length >> 3) >= c->validity_cap, 0)) dp_column_reserve(c, 1);
        dp_bit_put(c->validity, c->length, true);
    }
    c->length++;
}

/* Room for one value of a fixed width. */
static inline uint8_t *shred_room_fixed(struct dp_column *c, size_t width) {
    if (c->data_cap - c->data_n < width || !c->data_cap) return dp_column_room(c, width);
    return c->data + c->data_n;
}

/* Room for one more offset. */
static inline void shred_room_offset(struct dp_column *c) {
    if (c->offsets_cap < ((size_t)c->length + 2) * 4) dp_column_reserve(c, 1);
}

#endif

/*
 * Variants as JSON text (spec: VariantEncoding.md, VariantShredding.md of parquet-format): variant.c reads one encoded value,
 * variant_column.c puts shredded columns together.  Objects come out with their keys in bytewise order, however they are stored.
 */
#ifndef DP_PARQUET_VARIANT_PRIV_H
#define DP_PARQUET_VARIANT_PRIV_H

#include <dp/parquet/meta.h>
#include <dp/record/batch.h>

/* The names of one value's keys; borrowed from its metadata. */
struct dp_variant_dict {
    const uint8_t *offsets, *names;
    size_t names_n;
    uint32_t n;
    unsigned width; /* bytes of an offset */
};

struct dp_variant_field {
    struct dp_str name;
    const uint8_t *p; /* its value begins here and ends within n bytes */
    size_t n;
};

struct dp_variant_out {
    struct dp_variant_dict dict;
    struct dp_buf *to;
    size_t most;          /* bytes that `to` may hold: a few names can make much text */
    bool over;            /* they were not enough */
    const char *why;      /* after a refusal */
    struct dp_buf fields; /* struct dp_variant_field: of the objects at hand, innermost last */
};

/* The value's names; false: o->why. */
bool dp_variant_begin(struct dp_variant_out *o, struct dp_str metadata);
/* Appends the value that begins at p, as JSON; false: o->why, and what was appended is of no use. */
bool dp_variant_put(struct dp_variant_out *o, const uint8_t *p, size_t n, unsigned depth);
/* Pushes the fields of the object at p on o->fields, by name; *from is the number of the first.  The caller takes them off again. */
bool dp_variant_push_fields(struct dp_variant_out *o, const uint8_t *p, size_t n, size_t *from);
static inline bool dp_variant_is_object(const uint8_t *p, size_t n) { return n > 0 && (p[0] & 3) == 2; }
/* A key with its quotes and colon. */
bool dp_variant_put_name(struct dp_variant_out *o, struct dp_str name);
/* A shredded value: row of a column of one of the types that shredding knows. */
bool dp_variant_put_cell(struct dp_variant_out *o, const struct dp_column *c, int64_t row);

static inline size_t dp_variant_n_fields(const struct dp_variant_out *o) { return o->fields.n / sizeof(struct dp_variant_field); }
static inline struct dp_variant_field dp_variant_field(const struct dp_variant_out *o, size_t i) {
    return ((const struct dp_variant_field *)(const void *)o->fields.p)[i];
}
static inline void dp_variant_pop_fields(struct dp_variant_out *o, size_t from) { o->fields.n = from * sizeof(struct dp_variant_field); }

/* How a group of `value` and `typed_value` becomes one value. */
struct dp_variant_plan {
    enum { DP_VARIANT_PLAIN, DP_VARIANT_CELL, DP_VARIANT_OBJECT, DP_VARIANT_ARRAY } kind; /* of typed_value; PLAIN: there is none */
    int value, typed; /* child numbers of the group's column; -1: none */
    struct dp_variant_member *members; /* OBJECT: by name */
    size_t n_members;
    struct dp_variant_plan *element;   /* ARRAY */
};
struct dp_variant_member {
    struct dp_str name;
    size_t child; /* of typed_value's column */
    struct dp_variant_plan plan;
};

/* A Variant column while it is read: its groups as columns, and what becomes of them. */
struct dp_variant_column {
    const struct dp_pq_node *node; /* its only child is the group as a struct */
    struct dp_variant_plan plan;
    int metadata;
    struct dp_column raw;
    struct dp_variant_out out;
    struct dp_buf text;
};

/* Can the group be a Variant at all? */
bool dp_variant_fits(const struct dp_pq_meta *m, int32_t element);
/* The plan lies in the arena.  DP_FORMAT: shredded in a way that shredding does not allow. */
enum dp_status dp_variant_open(struct dp_variant_column *v, const struct dp_pq_meta *m, const struct dp_pq_node *node, struct dp_arena *a, struct dp_err *err) DP_MUST_CHECK;
void dp_variant_close(struct dp_variant_column *v);
/* All rows of v->raw to JSON values of `c`, which is empty.  False: row *at is no Variant, v->out.why; with v->out.over its text would pass `most` bytes. */
bool dp_variant_finish(struct dp_variant_column *v, struct dp_column *c, size_t most, int64_t *at) DP_MUST_CHECK;

#endif

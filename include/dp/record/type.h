/*
 * Types and schemas: what a column is, in the words that Parquet, Delta and the contract share.
 * A schema is a struct type whose children are the columns.
 */
#ifndef DP_RECORD_TYPE_H
#define DP_RECORD_TYPE_H

#include <dp/base/buf.h>
#include <dp/record/json.h>

enum dp_type_id {
    DP_TYPE_NONE,       /* not known; in inference: only nulls seen. Parquet UNKNOWN, Delta void */
    DP_TYPE_BOOLEAN,
    DP_TYPE_INT8, DP_TYPE_INT16, DP_TYPE_INT32, DP_TYPE_INT64,
    DP_TYPE_UINT8, DP_TYPE_UINT16, DP_TYPE_UINT32, DP_TYPE_UINT64,
    DP_TYPE_FLOAT16, DP_TYPE_FLOAT, DP_TYPE_DOUBLE,
    DP_TYPE_DECIMAL,    /* precision 1..38, scale 0..precision; stored as 128-bit little endian in batches */
    DP_TYPE_STRING,     /* UTF-8 */
    DP_TYPE_JSON,       /* a JSON text of any kind; in Parquet a string annotated JSON */
    DP_TYPE_ENUM,
    DP_TYPE_BINARY,
    DP_TYPE_FIXED,      /* `width` bytes */
    DP_TYPE_UUID,       /* 16 bytes, big endian */
    DP_TYPE_DATE,       /* int32 days */
    DP_TYPE_TIME,       /* int64 in `unit` since midnight */
    DP_TYPE_TIMESTAMP,  /* int64 in `unit`; `utc`: an instant, else local */
    DP_TYPE_INTERVAL,   /* 12 bytes: months, days, milliseconds, u32 little endian */
    DP_TYPE_LIST,       /* one child, the element */
    DP_TYPE_STRUCT,     /* children = fields */
    DP_TYPE_MAP         /* two children: key (not nullable), value */
};

enum dp_time_unit { DP_UNIT_MICROS, DP_UNIT_MILLIS, DP_UNIT_NANOS };

struct dp_type {
    char *name;             /* column or field name, owned, NUL behind it */
    size_t name_n;
    enum dp_type_id id;
    bool nullable;
    bool utc;               /* TIMESTAMP, TIME */
    enum dp_time_unit unit; /* TIMESTAMP, TIME */
    int precision, scale;   /* DECIMAL */
    int width;              /* FIXED */
    int32_t field_id;       /* Parquet field_id / column mapping id; -1 = none */
    char *metadata;         /* Delta field metadata as JSON text (kept byte-true), or NULL; owned */
    struct dp_type **children; /* owned */
    size_t n_children;
};

/* A new type with name copied (nullable, no children, field_id -1); caller releases with dp_type_free. */
struct dp_type *dp_type_new(enum dp_type_id id, struct dp_str name);
struct dp_type *dp_type_copy(const struct dp_type *t);
void dp_type_free(struct dp_type *t); /* children too; NULL is legal */
void dp_type_add(struct dp_type *parent, struct dp_type *child); /* takes ownership */
/* Child by exact name, NULL when absent. */
struct dp_type *dp_type_child(const struct dp_type *t, struct dp_str name);
/* The child whose name is nearest to a word that is none, for "did you mean"; NULL when none is near.  Borrowed. */
const char *dp_type_nearest(const struct dp_type *t, struct dp_str name);
/* DP_USAGE: "OPTION: TABLE has no column NAME", and the nearest that it has. */
enum dp_status dp_type_no_child(const struct dp_type *schema, const char *option, const char *table, struct dp_str name, struct dp_err *err);
bool dp_type_equal(const struct dp_type *a, const struct dp_type *b); /* ids, parameters, names, nullability, at every depth */
/* Is the type of each column known?  A header may leave some open: the sink infers them. */
bool dp_type_is_complete(const struct dp_type *schema);
/* The schema with the types that it leaves open taken from another; columns of the other that it does not have stand behind. */
struct dp_type *dp_type_fill(const struct dp_type *schema, const struct dp_type *other);
/* Number of leaves below (1 for a leaf). */
size_t dp_type_leaves(const struct dp_type *t);
bool dp_type_is_nested(const struct dp_type *t);
/* Bytes of one value in a batch; 0: bits (BOOLEAN), variable, nested, or none. */
size_t dp_type_width(const struct dp_type *t);
bool dp_type_is_bytes(const struct dp_type *t);   /* STRING, JSON, ENUM, BINARY: int32 offsets into bytes */
bool dp_type_is_integer(const struct dp_type *t); /* INT8 .. UINT64 */

/*
 * Short words for messages and --types: void boolean int8 .. uint64 float16 float double decimal(12,2) string json enum binary
 * fixed(16) uuid date time (local) time_utc timestamp (UTC instant) timestamp_ntz (local) interval list<..> struct<a:..>
 * map<..,..>.  Units as timestamp(ms|ns), none for us; odd names in back-ticks; " not null" behind a child that is required.
 */
void dp_type_print(const struct dp_type *t, struct dp_buf *b);
/* The word and its parameters without the children: list, decimal(12,2). */
void dp_type_print_leaf(const struct dp_type *t, struct dp_buf *b);
enum dp_status dp_type_parse(struct dp_str text, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;

/*
 * Schema as the JSON of a stream's header: {"fields":[F..]}, F = {"name":"id","type":"int64","nullable":false}.  "type" is the text form;
 * for list, struct and map the bare word, with the children in "fields" (list: element; map: key, value).  "id" (field_id) and
 * "metadata" (an object, kept byte-true) stand there when set; from_json passes over keys that it does not know, such as "origin".
 */
void dp_type_to_json(const struct dp_type *schema, struct dp_buf *b);
enum dp_status dp_type_from_json(const struct dp_record *r, uint32_t node, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;

/* Adds to t the fields of b that a lacks; the others' rows have null there. */
void dp_type_add_others(struct dp_type *t, const struct dp_type *a, const struct dp_type *b);
/*
 * The narrowest type that holds both without loss; NULL: none but string or JSON.  void gives way to the other; integers widen
 * (int64 with uint64: decimal(20,0)); a floating type holds integers of up to 11, 24 or 53 bits, so int64 with double is NULL, and
 * so is decimal with double; time units become the finer one (timestamps: not to nanoseconds, whose range is smaller);
 * struct fields are the union by name, those of one side nullable; JSON holds everything.  Name and metadata are a's.
 */
struct dp_type *dp_type_unify(const struct dp_type *a, const struct dp_type *b);

#endif

/* Private to lib/io/join*.c: reading the other source.  A feed gives chunks, a parser makes entries of their records. */
#ifndef DP_IO_JOIN_LOAD_H
#define DP_IO_JOIN_LOAD_H

#include "join_priv.h"

#include <dp/base/file.h>

/* ---- chunks, of a source or of SQLite ---- */

struct join_feed;
enum dp_status join_feed_open(struct dp_run *run, const struct join_spec *s, bool follow, struct join_feed **out, struct dp_err *err) DP_MUST_CHECK;
/* Columns and types, as far as they are known before the first record; *schema NULL: they are not.  Caller frees. */
enum dp_status join_feed_schema(struct join_feed *f, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
enum dp_status join_feed_next(struct join_feed *f, struct dp_chunk *c, struct dp_err *err) DP_MUST_CHECK;
enum dp_status join_feed_convert(struct join_feed *f, unsigned worker, struct dp_chunk *c, struct dp_err *err) DP_MUST_CHECK;
void join_feed_close(struct join_feed *f); /* NULL is legal */
/* What tells one state of the source from another; false: nothing does. */
bool join_feed_identity(const struct dp_run *run, const char *with, struct dp_buf *id);

/* A table of SQLite (join_sqlite.c). */
struct join_sqlite;
/* Is it FILE or FILE#TABLE of a database? */
bool join_sqlite_is(const char *name);
enum dp_status join_sqlite_open(const char *name, struct join_sqlite **out, struct dp_err *err) DP_MUST_CHECK;
/* Column names, types not known. */
struct dp_type *join_sqlite_schema(const struct join_sqlite *q);
/* Some rows as records; DP_END: no more. */
enum dp_status join_sqlite_next(struct join_sqlite *q, struct dp_chunk *c, struct dp_err *err) DP_MUST_CHECK;
void join_sqlite_close(struct join_sqlite *q); /* NULL is legal */

/* ---- records to entries ---- */

/* Of one chunk: entry.at is a place in text. */
struct join_parsed {
    struct join_entry *v; size_t n, cap;
    struct dp_buf text;
    struct dp_map shapes;    /* names of the members that a record adds, each with its length in front -> number, see join_ref_shapes */
    enum join_clock clock;
    bool mixed;              /* instants and local times */
    uint64_t records, no_key;
    bool *found;             /* as ref->found */
};
void join_parsed_release(struct join_parsed *p);

/* One a thread. */
struct join_parser {
    const struct join_spec *spec;
    struct dp_scan *scan;
    struct dp_path_hint *hints, time_hint, *take_hints; /* by key; by taken column */
    struct dp_path *takes;
    struct dp_buf scratch, names;
    bool *skip; size_t cap_skip; /* members of the shape at hand that are left out */
    uint32_t shape;
    bool found_all;
    struct dp_type *seen;        /* names that its first record has, for "did you mean"; NULL: there was none */
    uint64_t seed;
};
void join_parser_open(struct join_parser *p, const struct join_spec *s, uint64_t seed, uint64_t max_record);
void join_parser_close(struct join_parser *p);
/* What was parsed before is dropped.  DP_FORMAT: a record that is bad, with its place. */
enum dp_status join_parse(struct join_parser *p, const struct dp_chunk *c, struct join_parsed *out, struct dp_err *err) DP_MUST_CHECK;

/* ---- into the reference ---- */

struct join_ref *join_ref_new(const struct join_spec *s, uint64_t id);
/* Columns that are known before the first record. */
void join_ref_columns(struct join_ref *ref, const struct join_spec *s, const struct dp_type *schema);
enum dp_status join_ref_shapes(struct join_ref *ref, const struct join_spec *s, struct join_parsed *p, struct dp_err *err) DP_MUST_CHECK;
enum dp_status join_ref_clock(struct join_ref *ref, enum join_clock clock, struct dp_err *err) DP_MUST_CHECK;
enum dp_status join_ref_found(const struct join_ref *ref, const struct join_spec *s, const struct join_parser *parsers, unsigned n_parsers, struct dp_err *err) DP_MUST_CHECK;
/* Behind join_ref_shapes: an entry, its content copied. */
void join_copy_entry(const struct join_parsed *p, size_t i, struct join_texts *texts, struct join_entry *out);
bool join_is_left_out(const struct join_spec *s, struct dp_str name);
void join_add_name(struct dp_buf *b, const struct join_spec *s, const char *name);
/* The number of a column; one that is new is added. */
size_t join_ref_column(struct join_ref *ref, const struct join_spec *s, struct dp_str name, const struct dp_type *type);
enum dp_status join_ref_tails(struct join_ref *ref, const struct join_spec *s, struct dp_err *err) DP_MUST_CHECK;

#endif

/*
 * What a program of expressions does to a stream's header: names and types of its fields, and for each field where it comes from.
 * Form of the begin mark's `schema` and `fields`: dp-records(5).
 */
#ifndef DP_RECORD_LINEAGE_H
#define DP_RECORD_LINEAGE_H

#include <dp/record/expr.h>
#include <dp/record/mark.h>

/*
 * How a field depends on another, in OpenLineage's words: flags, since it may do so in several ways.  A way through two programs is told as one: what was
 * indirect stays as it was, a direct one takes what is indirect behind it, and of two that are direct the later here holds.  Stores of lineage keep the
 * numbers (dp/io/catalog.h).
 */
enum {
    DP_HOW_IDENTITY = 1,
    DP_HOW_TRANSFORMATION = 2,
    DP_HOW_AGGREGATION = 4,
    DP_HOW_DIRECT = 7,
    DP_HOW_JOIN = 8,
    DP_HOW_GROUP_BY = 16,
    DP_HOW_FILTER = 32,
    DP_HOW_SORT = 64,
    DP_HOW_WINDOW = 128,
    DP_HOW_CONDITIONAL = 256
};
#define DP_HOW_MASKED(how) ((unsigned)(how) << 16) /* the same with masking: the clear value can no longer be seen; it stays, whatever comes behind */

/*
 * Amends the begin mark of the records that go into `e` to that of the records that come out.  Where their names can't be told, the schema
 * goes and `fields` stays as it was (what is classified stays so, whatever its name) but says so; it stays too where it would outgrow a mark.
 */
void dp_lineage_map(const struct dp_expr *e, const char *program, struct dp_mark *begin);
/* The same for a condition that records must meet (--where): all fields depend on what it reads. */
void dp_lineage_where(const struct dp_expr *e, struct dp_mark *begin);

/* What a program did to one field, or to what is inside it. */
struct dp_lineage_done {
    struct dp_str field;        /* its column */
    const char *path;           /* inside it ("items[].email"); NULL: the column itself */
    const char *what;           /* "masked", "revealed"; NULL: nothing, it has its classification */
    const char *technique;      /* and how; NULL */
    const char *domain;         /* and under which name; NULL */
    const char *classification; /* that its values have still; NULL: none from here */
    bool open;                  /* nothing of the values is left: what the header said of their classification ends */
    bool dropped;               /* the field is gone */
    bool masks;                 /* no clear value of the whole column is left */
    bool reveals;               /* values that were masked are clear again */
};
/* Amends `fields`; several may name one field, together.  Origins stay, told as transformations, with masking where one of them masks. */
void dp_lineage_done(struct dp_mark *begin, const char *program, const struct dp_lineage_done *done, size_t n);

/* A field that something depends on: of the stream, or of another source (as `origins` of the begin names it). */
struct dp_lineage_on {
    struct dp_str field;  /* no pointer: the whole record */
    const char *source;   /* NULL: the stream's */
    unsigned how;         /* DP_HOW_... */
};
/* A field that a program makes.  `what` is NULL for one that is handed on, else "derived", "joined"... */
struct dp_lineage_made {
    struct dp_str name;
    const char *what;
    const struct dp_lineage_on *on;
    size_t n;
};
/* Adds them to `fields`, in place of those of their names; closed: there are no others behind this. The schema is the caller's to amend. */
void dp_lineage_make(struct dp_mark *begin, const char *program, const struct dp_lineage_made *made, size_t n, bool closed);
/* All fields depend on these: what decides which records there are, and their order. */
void dp_lineage_all(struct dp_mark *begin, const struct dp_lineage_on *on, size_t n);

#endif

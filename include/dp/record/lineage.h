/*
 * What a program of expressions does to a stream's header: names and types of its fields, and for each field where it comes from.
 * Form of the begin mark's `schema` and `fields`: dp-records(5).
 */
#ifndef DP_RECORD_LINEAGE_H
#define DP_RECORD_LINEAGE_H

#include <dp/record/expr.h>
#include <dp/record/mark.h>

/*
 * Amends the begin mark of the records that go into `e` to that of the records that come out.  Where their names can't be told, the schema
 * goes and `fields` stays as it was (what is classified stays so, whatever its name); it stays too where it would outgrow a mark.
 */
void dp_lineage_map(const struct dp_expr *e, const char *program, struct dp_mark *begin);
/* The same for a condition that records must meet (--where): all fields depend on what it reads. */
void dp_lineage_where(const struct dp_expr *e, struct dp_mark *begin);

/* What a program did to one field, or to what is inside it. */
struct dp_lineage_done {
    struct dp_str field;        /* its column */
    const char *path;           /* inside it ("items[].email"); NULL: the column itself */
    const char *what;           /* "masked"; NULL: nothing, it has its classification */
    const char *technique;      /* and how; NULL */
    const char *domain;         /* and under which name; NULL */
    const char *classification; /* that its values have still; NULL: none from here */
    bool open;                  /* nothing of the values is left: what the header said of their classification ends */
    bool dropped;               /* the field is gone */
};
/* Amends `fields`; several may name one field, together.  Origins stay, told as transformations. */
void dp_lineage_done(struct dp_mark *begin, const char *program, const struct dp_lineage_done *done, size_t n);

#endif

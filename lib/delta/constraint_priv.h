/* What a table demands of its rows, one by one: between constraint.c (rows) and constraint_files.c (files). */
#ifndef DELTA_CONSTRAINT_PRIV_H
#define DELTA_CONSTRAINT_PRIV_H

#include <dp/base/num.h>
#include <dp/delta/constraint.h>
#include <dp/record/expr.h>

enum check_kind { CHECK_CONSTRAINT, CHECK_INVARIANT, CHECK_GENERATED, CHECK_LENGTH, CHECK_REQUIRED };
static const char *const check_words[] = {"constraint", "invariant of column", "generated column", "length of column", "required fields of column"};

struct check {
    enum check_kind kind;
    char *name, *text;     /* of the constraint or column; what it says */
    struct dp_sql *sql;    /* CONSTRAINT, INVARIANT, GENERATED */
    struct dp_expr *filter; /* what proves it from statistics; NULL: nothing */
    size_t column;         /* of the rows: GENERATED, LENGTH (the top-level one), REQUIRED */
    bool absent;           /* the rows have no such column */
    int64_t length;
};

struct dp_delta_checks {
    const struct dp_delta_protocol *protocol;
    const struct dp_type *rows;
    struct check *v;
    size_t n, cap;
};

#endif

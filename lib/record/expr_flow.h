/*
 * What an expression makes of a record's fields, told from its tree alone: the result of expr_flow.c, which lineage.c turns into a
 * stream's header.  Everything lives in the caller's arena.
 */
#ifndef DP_RECORD_EXPR_FLOW_H
#define DP_RECORD_EXPR_FLOW_H

#include <dp/base/arena.h>
#include <dp/record/lineage.h>
#include <dp/record/type.h>

/* How a value depends on a field of the input: the flags of dp/record/lineage.h, by what an expression can do. */
enum { DP_FLOW_COPY = DP_HOW_IDENTITY, DP_FLOW_DIRECT = DP_HOW_TRANSFORMATION, DP_FLOW_CONDITION = DP_HOW_CONDITIONAL, DP_FLOW_FILTER = DP_HOW_FILTER };
#define DP_FLOW_DEPS_MAX 1000u /* names; more are "all fields" */

struct dp_flow_dep {
    struct dp_str name;
    unsigned how;
};

struct dp_flow_deps {
    struct dp_flow_dep *v;
    size_t n, cap;
    unsigned all; /* how it depends on every field; 0: it does not */
};

/* Immutable once made. */
struct dp_flow {
    enum { DP_FLOW_NOTHING, DP_FLOW_VALUE, DP_FLOW_RECORD } kind; /* NOTHING: no output */
    struct dp_flow_deps deps;     /* VALUE: all of them; RECORD: what lets it through or chooses it */
    bool is_copy;                 /* VALUE: exactly the input's field deps.v[0] */
    bool is_null;                 /* VALUE: null */
    bool nullable;
    const struct dp_type *type;   /* VALUE: NULL: not known */
    bool open;                    /* RECORD: the members of the input that are not listed are there too */
    bool loose;                   /* RECORD: these may be missing */
    struct dp_flow_field *fields; /* RECORD: members, in order */
    size_t n;
};

struct dp_flow_field {
    struct dp_str name;
    const struct dp_flow *value; /* NULL: taken out of an open record */
};

/* A dependency through a dependency (dp/record/lineage.h says by which rules). */
unsigned dp_flow_through(unsigned how, unsigned by);
/* The field of the input, as it is. */
const struct dp_flow *dp_flow_copy(struct dp_arena *a, const struct dp_type *schema, struct dp_str name, bool loose);
void dp_flow_add(struct dp_arena *a, struct dp_flow_deps *to, const struct dp_flow_deps *from, unsigned how);

/* The program's output over records of `schema` (may be NULL); NULL: it can't be told (it runs in libjq). */
const struct dp_flow *dp_expr_flow(const struct dp_expr *e, const struct dp_type *schema, struct dp_arena *a);

#endif

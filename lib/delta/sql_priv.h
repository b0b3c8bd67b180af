/* The tree of an expression: between sql_parse.c (text to nodes), sql_bind.c (columns and types) and sql_eval.c (values). */
#ifndef DELTA_SQL_PRIV_H
#define DELTA_SQL_PRIV_H

#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/limits.h>
#include <dp/delta/sql.h>

enum sql_kind { SQL_NULL, SQL_BOOL, SQL_INT, SQL_DECIMAL, SQL_DOUBLE, SQL_STRING, SQL_BINARY, SQL_DATE, SQL_INSTANT, SQL_LOCAL };

struct sql_value {
    enum sql_kind kind; /* NULL: no value */
    int scale;          /* DECIMAL */
    int64_t i;          /* BOOL, INT; DATE in days, INSTANT and LOCAL in microseconds */
    double d;
    dp_i128 dec;
    struct dp_str s;    /* STRING, BINARY */
};

enum sql_op {
    SQL_LITERAL, SQL_COLUMN, SQL_AND, SQL_OR, SQL_NOT, SQL_EQ, SQL_NE, SQL_LT, SQL_LE, SQL_GT, SQL_GE, SQL_SAME, SQL_IS_NULL, SQL_IS_TRUE, SQL_IS_FALSE,
    SQL_IN, SQL_LIKE, SQL_ADD, SQL_SUB, SQL_MUL, SQL_DIV, SQL_MOD, SQL_NEG, SQL_CONCAT, SQL_CASE, SQL_CAST, SQL_FN
};

enum sql_fn {
    FN_ABS, FN_COALESCE, FN_NULLIF, FN_IF, FN_ISNAN, FN_LENGTH, FN_UPPER, FN_LOWER, FN_TRIM, FN_LTRIM, FN_RTRIM, FN_SUBSTRING, FN_STARTSWITH, FN_ENDSWITH,
    FN_CONTAINS, FN_YEAR, FN_MONTH, FN_DAY, FN_HOUR, FN_MINUTE, FN_SECOND, FN_DATE_TRUNC, FN_DATE_FORMAT
};

struct sql_node {
    enum sql_op op;
    enum sql_fn fn;
    enum sql_kind kind;       /* of the value, once bound */
    uint32_t at;              /* column of the text, from 1 */
    uint32_t depth;
    struct sql_node **kids;   /* CASE: condition, value, ..., [else]; LIKE: text, pattern, [escape] */
    size_t n_kids;
    struct sql_value value;   /* LITERAL */
    struct dp_str *names;     /* COLUMN, before it is bound */
    size_t *path;             /* and bound: child by child */
    size_t n_path;
    const struct dp_type *type; /* COLUMN */
    enum sql_kind to;         /* CAST */
    int64_t least, greatest;  /* CAST to an integer */
};

struct dp_sql {
    struct dp_arena arena;
    struct sql_node *root;
    const struct dp_type *schema;
    size_t n_nodes;
};

enum dp_status sql_parse(struct dp_sql *s, struct dp_str text, struct dp_err *err) DP_MUST_CHECK;
enum dp_status sql_bind(struct dp_sql *s, struct sql_node *n, struct dp_err *err) DP_MUST_CHECK;

/* A node with room for kids; DP_LIMIT names the bound. */
enum dp_status sql_node_new(struct dp_sql *s, enum sql_op op, uint32_t at, struct sql_node *const *kids, size_t n, struct sql_node **out, struct dp_err *err) DP_MUST_CHECK;
/* Order of two values that are not null, of kinds that compare: -1, 0, 1. */
int sql_compare(const struct sql_value *a, const struct sql_value *b);
static inline bool sql_is_number(enum sql_kind k) { return k == SQL_INT || k == SQL_DECIMAL || k == SQL_DOUBLE; }
static inline bool sql_is_time(enum sql_kind k) { return k == SQL_DATE || k == SQL_INSTANT || k == SQL_LOCAL; }

#endif

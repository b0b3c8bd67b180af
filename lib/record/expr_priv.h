/*
 * What the files of the expression engine share: the tree that the parser makes, values at run time, and the run.
 * The tree holds jq's whole grammar, so that what is not compiled can be printed again for libjq; which nodes are
 * compiled is decided in expr_check.c.
 */
#ifndef DP_RECORD_EXPR_PRIV_H
#define DP_RECORD_EXPR_PRIV_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <dp/base/arena.h>
#include <dp/record/expr.h>
#include <dp/record/field.h>

/* ---- values ---- */

#define DP_VAL_TEXT 0x40u /* string: decoded text that must be escaped when printed */

/*
 * A value of the record (its bytes, or its node) or one that was made.  Scalars carry their spelling; containers of the
 * record are a node, made ones point to their members.  Everything lives until the next record.
 */
struct dp_val {
    uint8_t kind;  /* enum dp_kind */
    uint8_t flags; /* DP_NODE_ESCAPED, DP_NODE_INTEGER, DP_VAL_TEXT */
    uint32_t node; /* containers without c */
    union {
        struct dp_str s;         /* NUMBER: as spelled; STRING: between the quotes */
        const struct dp_cont *c; /* OBJECT, ARRAY: made; NULL: of the record */
    };
};

struct dp_memb {
    struct dp_val key; /* objects only */
    struct dp_val v;
    uint32_t src; /* node of the member (key or element) in the base, when its place and key are those; else 0 */
};

/* Immutable once made. */
struct dp_cont {
    uint32_t n;
    uint32_t base; /* the node that it is an edition of, when has_base: its bytes between members are kept */
    bool has_base;
    struct dp_memb *m;
};

/* ---- the tree ---- */

enum dp_ek {
    DP_EK_IDENTITY, DP_EK_RECURSE, DP_EK_CONST, DP_EK_VAR, DP_EK_INDEX, DP_EK_SLICE, DP_EK_ITERATE,
    DP_EK_STRING, DP_EK_FORMAT, DP_EK_ARRAY, DP_EK_OBJECT, DP_EK_NEG, DP_EK_PIPE, DP_EK_COMMA, DP_EK_ALT,
    DP_EK_AND, DP_EK_OR, DP_EK_CMP, DP_EK_ARITH, DP_EK_ASSIGN, DP_EK_IF, DP_EK_TRY, DP_EK_REDUCE, DP_EK_FOREACH,
    DP_EK_DEF, DP_EK_CALL, DP_EK_AS, DP_EK_LABEL, DP_EK_BREAK
};

enum dp_cmp { DP_CMP_EQ, DP_CMP_NE, DP_CMP_LT, DP_CMP_LE, DP_CMP_GT, DP_CMP_GE };

/* Destructuring: `$x`, `[p, ...]`, `{k: p, ...}`. */
struct dp_pat {
    int kind;           /* DP_KIND_NONE: a variable; ARRAY; OBJECT */
    struct dp_str name; /* variable; in an OBJECT's entry `$name` or `$name: p`, the entry's variable */
    bool key_is_var;
    struct dp_enode *key; /* entry of an object: its key expression */
    struct dp_pat *value; /* entry of an object: may be NULL with key_is_var */
    struct dp_pat **list;
    size_t n;
};

struct dp_func;

struct dp_enode {
    uint8_t kind;
    uint8_t op;    /* CMP: enum dp_cmp; ARITH: the character; ASSIGN: '=', '|', '+', '-', '*', '/', '%' or 'd' for //= */
    bool opt;      /* INDEX, SLICE, ITERATE: `?` */
    bool single;   /* exactly one output, or an error */
    bool folded;   /* val holds it */
    uint32_t col;  /* from 1 */
    uint32_t height;
    uint32_t slot; /* VAR, AS: number of the variable; INDEX: number of the hint */
    struct dp_enode *a, *b, *c, *d;
    struct dp_enode **list; /* STRING parts, OBJECT key/value pairs, IF cond/then pairs (else in a), CALL args */
    size_t n;
    struct dp_str name; /* VAR, CALL, FORMAT, LABEL, BREAK, DEF; STRING: the format or empty */
    struct dp_str *params; /* DEF */
    size_t n_params;
    struct dp_pat **pats; /* AS, REDUCE, FOREACH */
    size_t n_pats;
    struct dp_val val;          /* CONST, folded */
    const struct dp_path *path; /* INDEX: the whole chain from `.` by constant steps */
    const struct dp_func *func; /* CALL */
    pcre2_code *re;             /* CALL of test */
    const struct dp_val *set;   /* CALL of IN among many constants: n_set of them in dp_val_cmp's order; NULL: of few, or of what is no scalar constant */
    uint32_t n_set;
    struct dp_str ktext;        /* CONST string: its JSON text; OBJECT: see expr_eval.c */
    double dval;                /* CONST number: for the quick compare */
    int64_t ival;
    bool has_ival;
};

/* `field op constant`, which looks at the record's bytes only. */
struct dp_quick {
    const struct dp_enode *field, *k;
    enum dp_cmp op;
};

struct dp_expr {
    struct dp_arena arena;
    struct dp_str text;
    struct dp_enode *root;
    bool compiled;
    char *why;          /* not compiled: the first thing that is beyond; NULL */
    struct dp_path **paths;
    size_t n_paths;
    size_t n_vars;
    struct dp_quick *quick; /* what a filter begins with: comparisons joined by `and`, in their order */
    size_t n_quick;
    bool is_quick;          /* that is all of it */
    pcre2_code **res;
    size_t n_res;
    const char **fields;
    size_t n_fields;
    bool all_fields;
    char *jq_text;      /* the program for libjq */
};

struct dp_jq;

struct dp_expr_run {
    const struct dp_expr *e;
    const struct dp_record *r;
    struct dp_err *err;
    struct dp_arena arena;
    struct dp_path_hint *hints;
    struct dp_val *vars;
    pcre2_match_data *match;
    pcre2_match_context *match_ctx;
    struct dp_buf tmp;
    uint64_t steps;
    struct dp_jq *jq;
};

/* ---- expr_lex.c, expr_parse.c ---- */
enum dp_status dp_expr_parse(struct dp_expr *e, struct dp_err *err) DP_MUST_CHECK;

/* ---- expr_check.c ---- */
/* Names that are refused, wherever they stand. */
enum dp_status dp_expr_refuse(const struct dp_expr *e, const struct dp_enode *n, struct dp_err *err) DP_MUST_CHECK;
/* Decides whether the program is compiled, folds constants, numbers variables and paths. */
enum dp_status dp_expr_check(struct dp_expr *e, struct dp_err *err) DP_MUST_CHECK;

/* ---- expr_skip.c ---- */
void dp_expr_find_fields(struct dp_expr *e);

/* ---- expr_print.c ---- */
/* The program as jq text with orderings, loops and growth replaced by bounded ones. */
enum dp_status dp_expr_to_jq(struct dp_expr *e, struct dp_err *err) DP_MUST_CHECK;

/* ---- expr_val.c ---- */
static inline struct dp_val dp_val_of(enum dp_kind kind) { return (struct dp_val){.kind = (uint8_t)kind}; }
static inline struct dp_val dp_val_bool(bool b) { return dp_val_of(b ? DP_KIND_TRUE : DP_KIND_FALSE); }
static inline bool dp_val_true(const struct dp_val *v) { return v->kind > DP_KIND_FALSE; }
static inline struct dp_val dp_val_text(struct dp_str s) {
    return (struct dp_val){.kind = DP_KIND_STRING, .flags = DP_VAL_TEXT, .s = s};
}
struct dp_val dp_val_node(const struct dp_record *r, uint32_t i);
struct dp_val dp_val_i64(struct dp_expr_run *run, int64_t v);
/* Decoded text: borrowed from the record, or in the arena. */
struct dp_str dp_val_decode(struct dp_expr_run *run, const struct dp_val *v);
uint32_t dp_val_length(const struct dp_expr_run *run, const struct dp_val *v); /* members of a container */
/* Walks a container's members. */
struct dp_vit {
    const struct dp_record *r;
    const struct dp_cont *c;
    uint32_t at, end;
    bool object;
};
void dp_vit_open(const struct dp_expr_run *run, const struct dp_val *v, struct dp_vit *it);
bool dp_vit_next(struct dp_vit *it, struct dp_val *key, struct dp_val *v, uint32_t *src);
/* Member by decoded name, element by number (negative from the end); false: there is none. */
bool dp_val_member(struct dp_expr_run *run, const struct dp_val *v, struct dp_str name, struct dp_val *out);
bool dp_val_element(struct dp_expr_run *run, const struct dp_val *v, int64_t i, struct dp_val *out);
bool dp_val_key_is(const struct dp_val *key, struct dp_str name);
struct dp_cont *dp_cont_new(struct dp_expr_run *run, size_t n);
/* An edition of v: the same members, room for one more. */
struct dp_cont *dp_cont_edit(struct dp_expr_run *run, const struct dp_val *v, size_t extra);
struct dp_val dp_val_cont(enum dp_kind kind, const struct dp_cont *c);
bool dp_val_equal(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b);
/* jq's order of all values, numbers exactly. */
int dp_val_cmp(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b);
int dp_val_kind_rank(uint8_t kind);
/* JSON text; `compact`: without the blanks that the record has between its tokens. */
void dp_val_print(struct dp_expr_run *run, const struct dp_val *v, bool compact, struct dp_buf *b);
const char *dp_val_kind_name(uint8_t kind);
/* Sorted copy of an array's elements by dp_val_cmp, stable; *n of them. */
struct dp_val *dp_val_sorted(struct dp_expr_run *run, const struct dp_val *v, uint32_t *n);
void dp_val_sort(struct dp_expr_run *run, struct dp_val *v, struct dp_val *tmp, size_t n); /* stable; tmp: room for as many */
/* First of sorted values that is not before v. */
size_t dp_val_place(struct dp_expr_run *run, const struct dp_val *sorted, size_t n, const struct dp_val *v);
/* Keys of an object, sorted by their bytes. */
struct dp_memb *dp_val_sorted_members(struct dp_expr_run *run, const struct dp_val *v, uint32_t *n);

/* ---- expr_num.c ---- */
enum dp_status dp_num_arith(struct dp_expr_run *run, char op, const struct dp_val *a, const struct dp_val *b, struct dp_val *out)
    DP_MUST_CHECK;
enum dp_status dp_num_negate(struct dp_expr_run *run, const struct dp_val *a, struct dp_val *out) DP_MUST_CHECK;
enum dp_status dp_num_round(struct dp_expr_run *run, int how, const struct dp_val *a, struct dp_val *out) DP_MUST_CHECK; /* -1 floor, 0 round, 1 ceil */
enum dp_status dp_num_from_double(struct dp_expr_run *run, double d, struct dp_val *out) DP_MUST_CHECK;
/* A whole number for an index; false: it has a fraction or is out of range. */
bool dp_num_index(const struct dp_val *v, int64_t *out);
/* The place that has() looks at and assignments and del() change: a fraction is cut off. */
bool dp_num_place(const struct dp_val *v, int64_t *out);
/* Text of tonumber to a number's spelling; false: it is none. */
bool dp_num_from_text(struct dp_expr_run *run, struct dp_str s, struct dp_val *out);

/* ---- expr_func.c ---- */
enum dp_special { DP_SP_NONE, DP_SP_EMPTY, DP_SP_SELECT, DP_SP_MAP, DP_SP_MAP_VALUES, DP_SP_ANY, DP_SP_ALL, DP_SP_FIRST, DP_SP_IN, DP_SP_DEL,
                  DP_SP_TEST, DP_SP_KINDS };

struct dp_func {
    const char *name;
    uint8_t arity;
    uint8_t special; /* how its arguments are taken; NONE: as values */
    uint8_t aux;
    enum dp_status (*fn)(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *args,
                         struct dp_val *out);
};
const struct dp_func *dp_func_find(struct dp_str name, size_t arity);
enum dp_status dp_func_test(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) DP_MUST_CHECK;
enum dp_status dp_func_tostring(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *args,
                                struct dp_val *out) DP_MUST_CHECK;
enum dp_status dp_func_tojson(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *args,
                              struct dp_val *out) DP_MUST_CHECK;
/* + - * / % of any two values. */
enum dp_status dp_val_arith(struct dp_expr_run *run, char op, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) DP_MUST_CHECK;
bool dp_val_cmp_op(struct dp_expr_run *run, enum dp_cmp op, const struct dp_val *a, const struct dp_val *b);

/* ---- expr_eval.c ---- */
/* Called for each output; DP_END stops without an error. */
typedef enum dp_status dp_emit(void *ctx, const struct dp_val *v);
enum dp_status dp_eval(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) DP_MUST_CHECK;
enum dp_status dp_eval_each(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, dp_emit *emit, void *ctx) DP_MUST_CHECK;
enum dp_status dp_eval_bool(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, bool *out) DP_MUST_CHECK;
/* Finds the comparisons that a filter begins with. */
void dp_eval_plan(struct dp_expr *e);
/* Does the record pass?  False: those comparisons don't tell. */
bool dp_eval_quick(struct dp_expr_run *run, bool *out);
enum dp_status dp_eval_print(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_buf *out) DP_MUST_CHECK;
enum dp_status dp_eval_index(struct dp_expr_run *run, const struct dp_val *t, const struct dp_val *key, struct dp_val *out) DP_MUST_CHECK;
enum dp_status dp_eval_fail(struct dp_expr_run *run, const char *fmt, ...) DP_PRINTF(2, 3);
/* Counts work; DP_RECORD when this record has cost too much. */
enum dp_status dp_eval_step(struct dp_expr_run *run) DP_MUST_CHECK;

/* ---- expr_update.c ---- */
bool dp_update_is_path(const struct dp_enode *n);
enum dp_status dp_update_assign(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *rhs,
                                struct dp_val *out) DP_MUST_CHECK;
/* Paths that del() takes here: constant names, the last step may be a constant number. */
bool dp_update_is_deletable(const struct dp_enode *n);
enum dp_status dp_update_del(struct dp_expr_run *run, const struct dp_enode *paths, const struct dp_val *in, struct dp_val *out) DP_MUST_CHECK;

/* ---- jq.c ---- */
/* DP_UNSUPPORTED: libjq can't be opened; DP_USAGE: jq's message. */
enum dp_status dp_jq_open(const char *program, struct dp_jq **out, struct dp_err *err) DP_MUST_CHECK;
void dp_jq_close(struct dp_jq *q);
/* Outputs as JSON text, one a line, behind b's content.  `checked`: refuse records with numbers that a double does not hold. */
enum dp_status dp_jq_apply(struct dp_jq *q, const struct dp_record *rec, bool checked, struct dp_buf *b, size_t *n, struct dp_err *err) DP_MUST_CHECK;

#endif

/* What the parts of the checks share: check.c (compiling), check_options.c, check_quality.c, check_sla.c, check_run.c (records), check_value.c (one value
   against one rule), check_words.c, check_tally.c, check_set.c (lists of values), check_key.c (canonical bytes). */
#ifndef DP_RULES_CHECK_PRIV_H
#define DP_RULES_CHECK_PRIV_H

#include <dp/base/map.h>
#include <dp/base/decimal.h>
#include <dp/record/expr.h>
#include <dp/rules/check.h>
#include <dp/rules/sla.h>
#include <dp/rules/pattern.h>
#include <dp/rules/textform.h>

#define CHECK_NONE UINT32_MAX
#define CHECK_ONE ((dp_i128)1000000000000000000) /* numbers are held in units of 10^-18 */

/* ---- numbers as spelled ---- */

struct check_digits {
    struct dp_str text;
    const char *p, *end;  /* from the first digit that is not 0 to the last one; a point may stand among them */
    size_t n;             /* digits; 0: the number is 0 */
    int64_t e;            /* value = digits * 10^e */
    bool negative;
};
/* False: the exponent is too long to look at. */
bool check_digits(struct dp_str s, struct check_digits *d);

struct check_number {
    struct dp_str text;
    bool small;  /* v holds it exactly; else it is not set */
    dp_i128 v;
};
void check_number_read(struct dp_str text, struct check_number *n);
static inline struct check_number check_number_of(struct dp_str text) {
    struct check_number n;
    check_number_read(text, &n);
    return n;
}
static inline int check_number_cmp(const struct check_number *a, const struct check_number *b) {
    if (a->small && b->small) return a->v < b->v ? -1 : a->v > b->v;
    return dp_number_cmp(a->text, b->text);
}

struct check_moment {
    int64_t seconds;
    int32_t nanos;
    bool has_zone;
};

/* ---- lists of values ---- */

struct check_set;
struct check_set *check_set_open(void);
void check_set_close(struct check_set *s);
void check_set_add_string(struct check_set *s, struct dp_str text);
void check_set_add_number(struct check_set *s, struct dp_str text);
void check_set_add_bool(struct check_set *s, bool v);
void check_set_add_null(struct check_set *s);
bool check_set_has_null(const struct check_set *s);
size_t check_set_count(const struct check_set *s);
bool check_set_has_string(const struct check_set *s, struct dp_str text); /* 8 bytes readable behind its start */
bool check_set_has_number(const struct check_set *s, const struct check_number *n);
bool check_set_has_bool(const struct check_set *s, bool v);
void check_set_seal(struct check_set *s); /* behind the last add */

/* ---- canonical bytes ---- */

void check_key_node(const struct dp_record *r, uint32_t node, struct dp_buf *out);
void check_key_text(bool is_number, struct dp_str text, struct dp_buf *out);

/* ---- compiled ---- */

enum check_kind { CHECK_MINIMUM, CHECK_MAXIMUM, CHECK_ABOVE, CHECK_BELOW, CHECK_MULTIPLE, CHECK_FLOAT_RANGE, CHECK_DECIMAL,
                  CHECK_TIME_MINIMUM, CHECK_TIME_MAXIMUM, CHECK_TIME_ABOVE, CHECK_TIME_BELOW, CHECK_ZONE, CHECK_TIME_FORMAT, CHECK_TIMES,
                  CHECK_MIN_LENGTH, CHECK_MAX_LENGTH, CHECK_PATTERN, CHECK_FORMAT,
                  CHECK_IN, CHECK_NOT_IN, CHECK_INVALID,
                  CHECK_MIN_ITEMS, CHECK_MAX_ITEMS, CHECK_UNIQUE_ITEMS, CHECK_MIN_PROPERTIES, CHECK_MAX_PROPERTIES, CHECK_HAS };

/* What a value must be for an op to be asked. */
enum check_needs { CHECK_NEEDS_NUMBER = 1, CHECK_NEEDS_STRING = 2, CHECK_NEEDS_TIME = 4, CHECK_NEEDS_ARRAY = 8, CHECK_NEEDS_OBJECT = 16, CHECK_NEEDS_SCALAR = 32 };

struct check_op {
    uint8_t kind;  /* enum check_kind */
    uint8_t needs; /* enum check_needs: one of them is enough */
    uint32_t rule;
    struct check_number number;         /* bounds, multipleOf */
    struct check_moment moment;         /* bounds of times */
    uint64_t limit;                     /* lengths, numbers of items and properties; zone: 1 wanted, 0 refused; float: 32, 64 */
    int precision, scale;               /* decimals */
    struct dp_pattern *pattern;
    enum dp_textform form;
    struct check_set *set, *missing;
    struct dp_str name;                 /* HAS */
};

struct check_object;

struct check_field {
    const char *name;                   /* NULL: an array's items, a map's values */
    size_t name_n;
    uint64_t head;                      /* its first 8 bytes */
    const char *path;                   /* "items[].qty" */
    const struct dp_contract_property *property;
    struct check_field *parent;         /* NULL: at the top */
    uint32_t index;                     /* among those of its object */
    enum dp_logical logical;
    bool is_classified;                 /* it, or what holds it */
    bool any_time;                      /* 3.0's date: a date, a timestamp or a time */
    bool is_opaque;                     /* times in a form that is not read here: any string will do */
    bool is_floating;                   /* physicalType double, float, ...: "NaN" is a value */
    bool needs_number;                  /* an op compares its number */
    uint32_t type_rule;                 /* CHECK_NONE: anything may stand there */
    struct check_op *ops;
    size_t n_ops, cap_ops;
    uint32_t *null_rules;               /* broken by null and by absence */
    size_t n_null, cap_null;
    struct dp_timeform *timeform;
    struct check_object *object;
    struct check_field *items;          /* of an array, and of a map's values */
};

struct check_object {
    struct check_field **children;
    size_t n;
    uint32_t *slots;                    /* n_slots, a power of two: index + 1 by hash of the name */
    size_t n_slots;
    uint32_t unknown_rule;              /* --closed */
};

struct check_expr {
    uint32_t rule;
    struct dp_expr *expr;
};

struct check_sla {
    const struct dp_sla *sla;
    int64_t low, high;                  /* of all records that were collected */
};

/* What a message says of a rule: the verdict's strings. */
struct check_info {
    const char *check, *expected, *property;
    bool is_classified, is_tuple, surplus_counts;
};

struct dp_check {
    struct dp_arena *arena;             /* the verdict's */
    const struct dp_contract *contract;
    const struct dp_contract_object *source;
    struct dp_check_opts opts;
    struct check_object *top;
    struct check_field **fields;        /* all of them, at any depth */
    size_t n_fields, cap_fields;
    struct check_expr *exprs;
    size_t n_exprs, cap_exprs;
    struct dp_check_tuple *tuples;
    size_t n_tuples, cap_tuples;
    struct dp_sla *sla_list;            /* as compiled; those that records show are in slas */
    size_t n_sla_list;
    struct check_sla *slas;
    size_t n_slas;
    uint32_t *present_rules;            /* by top-level property, with --absent-column=fail; NULL */
    struct check_info *infos;           /* by rule */
    size_t n_rules;                     /* of the verdict when compiling ended; the object's own begin at first_rule */
    size_t first_rule;
    uint32_t *row_counts;               /* rules whose count is the number of records */
    size_t n_row_counts, cap_row_counts;
    bool is_classified;
};

/* ---- compiling ---- */

struct check_compile {
    struct dp_check *k;
    struct dp_verdict *v;
    const struct dp_contract *c;
    const struct dp_contract_object *o;
    struct dp_err *err;
};

/* A rule of the verdict; `field` NULL: of the object. */
uint32_t check_add_rule(struct check_compile *c, const char *path, const char *check, const struct check_field *field, const char *expected, ...) DP_PRINTF(5, 6);
struct dp_verdict_rule *check_rule(struct check_compile *c, uint32_t rule);
/* It is in the verdict, and was not run. */
void check_unsupported(struct check_compile *c, uint32_t rule, const char *reason);
struct check_op *check_add_op(struct check_field *f, enum check_kind kind, unsigned needs, uint32_t rule);
void check_add_null(struct check_field *f, uint32_t rule);
/* The rule is one of a tuple of fields, none inside an array. */
void check_add_tuple(struct check_compile *c, enum dp_check_tuple_kind kind, const struct dp_contract_relationship *relationship, struct check_field *const *fields,
                     size_t n, uint32_t rule);
/* A field by a dotted path of names, physical or logical; NULL: none. */
struct check_field *check_find_field(const struct dp_check *k, struct dp_str path);
bool check_is_in_array(const struct check_field *f);
enum dp_status check_compile_options(struct check_compile *c, struct check_field *f) DP_MUST_CHECK;
enum dp_status check_compile_quality(struct check_compile *c, struct check_field *f, const struct dp_contract_quality *q) DP_MUST_CHECK;
enum dp_status check_compile_relationship(struct check_compile *c, struct check_field *f, const struct dp_contract_relationship *r) DP_MUST_CHECK;
enum dp_status check_compile_sla(struct check_compile *c) DP_MUST_CHECK;
/* A value of a list, read as the field's type has it. False: it is of no kind that a value could be. */
bool check_set_add_node(struct check_set *s, const struct check_field *f, const struct dp_yaml_node *n);

/* ---- running ---- */

struct check_value {
    uint32_t node;
    uint8_t is;                         /* enum check_needs that it meets */
    struct dp_str text;                 /* strings: decoded; numbers: as spelled */
    struct check_number number;
    struct check_moment moment;
};

struct check_item {
    const struct check_field *field;
    uint32_t box;                       /* the object that lacks the field, where the node is 0 */
};

struct dp_check_run {
    const struct dp_check *k;
    struct check_field **plan;          /* by member of the record, NULL: not in the contract */
    size_t n_plan, cap_plan;
    struct check_field **absent;        /* that the record lacks and that mind */
    size_t n_absent;
    bool planned, has_unknown;
    uint8_t *lenient;                   /* by top-level property: 1 "NaN" is a value, 2 digits in a string are a number */
    uint64_t serial;                    /* of the record */
    uint64_t *stamp;                    /* by rule: the last record that broke it */
    uint32_t *slot;                     /* and where its breach is */
    struct dp_check_breach *breaches;
    struct check_item *items;
    size_t n_breaches, cap_breaches, cap_items;
    struct dp_expr_run **exprs;
    struct dp_pattern_run *patterns;
    struct dp_buf text, words;
    struct dp_check_tally tally;
    uint8_t *taken;                     /* by rule: samples that this run took */
    bool *hidden;                       /* by rule: its values are not shown; NULL: as the contract says */
    bool any_hidden;
    const struct dp_record *rec;
    uint64_t undecided_at;              /* serial of the latest record with a rule that could not be decided, which rule, and why */
    uint32_t undecided_rule;
    char undecided[200];
};

void check_break(struct dp_check_run *r, uint32_t rule, const struct check_field *f, uint32_t node, uint32_t box);
void check_undecided(struct dp_check_run *r, uint32_t rule, const char *why);
/* A value that is there and not null. */
void check_value(struct dp_check_run *r, const struct check_field *f, uint32_t node, uint8_t lenient);
/* Are all values of a column of this type what the field wants?  Of those that a record spells as themselves. */
bool check_holds_type(const struct check_field *f, const struct dp_type *t);
bool check_read_moment(const struct check_field *f, struct dp_str text, struct check_moment *m);
int check_moment_cmp(const struct check_moment *a, const struct check_moment *b);
/* Of a name by its first 8 bytes and its length. */
static inline size_t check_name_hash(uint64_t head, size_t n) { return (size_t)(((head ^ n) * UINT64_C(0x9E3779B97F4A7C15)) >> 40); }
uint32_t check_object_find(const struct check_object *o, const struct dp_record *rec, uint32_t key, uint32_t guess);

#endif

/* What the files of masking share: the tree of fields, a technique's row, a value on its way. */
#ifndef DP_RULES_MASK_PRIV_H
#define DP_RULES_MASK_PRIV_H

#include <dp/base/map.h>
#include <dp/base/siv.h>
#include <dp/rules/mask.h>

enum mask_act { MASK_KEEP, MASK_APPLY, MASK_INTO, MASK_DROP };

/* A field of the contract. */
struct mask_node {
    const char *name;  /* NULL: element of a list */
    size_t name_n;
    const char *label; /* its name, or that of the list that it is in */
    const char *path;
    enum mask_act act;
    struct dp_mask_rule rule;
    const struct dp_type *type;     /* the contract's */
    struct mask_node *children;     /* of an object */
    size_t n_children;
    struct dp_map *by_name;         /* of many children: name to number */
    struct mask_node *items;        /* of a list */
    /* bound parameters */
    const struct dp_hmac *hmac;     /* once keys are set: of token and hmac, */
    const struct dp_siv *siv;       /* of encrypt; */
    const struct mask_opener *openers; /* of the way back, one for each key: n_openers */
    size_t n_openers;
    struct dp_str prefix;           /* domain and a NUL, in front of the value */
    char head[48];                  /* "v1:ID:", "e1:ID:" */
    size_t head_n;
    struct dp_map *table;           /* hierarchy: value to text; zip: areas */
    const char *constant;           /* fixed: JSON */
};

/* A scalar as text: strings decoded, numbers as spelled. */
struct mask_value {
    enum dp_kind kind;
    struct dp_str text;
};

struct mask_result {
    enum dp_kind kind;  /* STRING, NUMBER, NULL; NONE: text is JSON */
    bool plain;         /* STRING: nothing in it has to be escaped */
    struct dp_str text; /* borrowed from the value, the rule or the scratch buffer */
};

/* What a technique makes of a type. */
enum mask_fit { MASK_FIT_NOT, MASK_FIT_SAME, MASK_FIT_TEXT };

/* NULL: done.  Else why not, in words that hold no value. */
typedef const char *(*mask_apply)(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);

struct dp_mask_technique {
    const char *name;
    const char *const *params;   /* NULL-terminated */
    const char *need;            /* the parameter that must be given; NULL */
    bool keyed;                  /* needs a key; results are remembered */
    bool anonymous;              /* nothing of the value is left */
    bool leaves_clear;           /* some values, or all, come out as they are */
    bool any_form;               /* takes values of every JSON form, containers too: it does not look at them */
    enum mask_fit (*fit)(const struct dp_mask_rule *r, const struct dp_type *t);
    bool (*is_null)(const struct dp_type *t); /* does it make null of every value of the type?  NULL: never */
    const char *takes;           /* "strings and integers", for messages */
    mask_apply apply;            /* NULL: null, drop, pass */
};

extern const struct dp_mask_technique dp_mask_techniques[]; /* the last has no name */
const struct dp_mask_technique *dp_mask_technique_find(const char *name);
/* Text for a node: hierarchy and area files are read, domains and constants made. */
enum dp_status dp_mask_bind(const struct dp_policy *policy, struct dp_arena *arena, struct mask_node *n, struct dp_err *err) DP_MUST_CHECK;

struct dp_mask {
    struct dp_arena arena;
    struct dp_type *schema;
    const struct dp_policy *policy;
    const struct dp_policy_view *view; /* the role's, NULL */
    struct mask_node root;
    enum dp_mask_unknown unknown;
    struct dp_mask_column *columns;
    size_t n_columns, columns_cap;
    struct mask_node **keyed;
    size_t n_keyed, keyed_cap;
    struct dp_hmac *hmacs; /* secret, */
    struct dp_siv *sivs;   /* secret: one of both for each of keyed */
    struct mask_opener *openers; /* secret */
    size_t n_openers, cap_openers;
    struct dp_type *string; /* of what is to be revealed; NULL */
    struct dp_map **tables; /* to be released */
    size_t n_tables, tables_cap;
    const char **unused; /* words about rules that nothing is under */
    size_t n_unused, unused_cap;
    bool classified;
};

/* techniques: text */
const char *dp_mask_redact(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_keep(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_fixed(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
/* keyed */
const char *dp_mask_token(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_hmac(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
/* A number's exact value in plain decimals, behind b's content. */
void mask_canonical_number(struct dp_str s, struct dp_buf *b);
/* and back */
const char *dp_mask_encrypt(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
void mask_openers_free(struct dp_mask *m);
/* coarser */
const char *dp_mask_band(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_top(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_date(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_truncate(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_zip(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_ip(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);
const char *dp_mask_hierarchy(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out);

/* The JSON form that values of a type have; NONE: any. */
enum dp_kind dp_mask_form(const struct dp_type *t);
const char *dp_mask_form_name(enum dp_kind k);
/* One scalar through a node's technique, with the memory of the run. */
const char *dp_mask_value(struct dp_mask_run *r, const struct mask_node *n, struct mask_value v, struct mask_result *out);
/* The field with this name in an object; NULL: not known. */
const struct mask_node *dp_mask_child(const struct mask_node *n, struct dp_str name, size_t guess);

#define MASK_REMEMBERED 4096u /* values */
#define MASK_REMEMBERED_IN 56u
#define MASK_REMEMBERED_OUT 80u

struct mask_memory {
    const struct mask_node *node;
    uint32_t n, out_n;
    char in[MASK_REMEMBERED_IN], out[MASK_REMEMBERED_OUT];
};

struct dp_mask_run {
    const struct dp_mask *mask;
    struct dp_buf scratch, decoded;
    struct mask_memory *memory; /* by hash of the value */
    const struct mask_node **top; /* of the latest record's members */
    size_t n_top, top_cap;
    bool top_known;
    uint32_t next_index;          /* of the line behind the latest record */
    struct dp_mask_reject *why;
    /* the record on its way */
    const struct dp_record *rec;
    struct dp_buf *out;
    size_t cursor;
    struct dp_scan *scan;        /* batches: nested columns go through records */
    struct dp_buf lines, masked;
};

#endif

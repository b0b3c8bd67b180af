/*
 * Data contracts: ODCS v3 (apiVersion v3.0.0, v3.0.1, v3.0.2, v3.1.0, and v3.2.0 as in preparation), YAML or JSON.  Read into a tree of objects and
 * properties that keeps the document's nodes, so that a rule is found beside the property that it is for.
 *
 * The whole document is checked, each version by its own rules: 3.0.x knows the keys at the top, of schema objects and of properties and is lax
 * below, 3.1 knows every key.  The first fault is DP_USAGE with file, line, key and the nearest right word; dp/rules/lint.h finds all of them.
 */
#ifndef DP_RULES_CONTRACT_H
#define DP_RULES_CONTRACT_H

#include <dp/format/yaml.h>
#include <dp/record/infer.h>
#include <dp/record/type.h>

enum dp_logical { DP_LOGICAL_NONE, DP_LOGICAL_STRING, DP_LOGICAL_DATE, DP_LOGICAL_TIMESTAMP, DP_LOGICAL_TIME, DP_LOGICAL_NUMBER,
                  DP_LOGICAL_INTEGER, DP_LOGICAL_OBJECT, DP_LOGICAL_ARRAY, DP_LOGICAL_BOOLEAN, DP_LOGICAL_MAP };

enum dp_quality_type { DP_QUALITY_LIBRARY, DP_QUALITY_TEXT, DP_QUALITY_SQL, DP_QUALITY_CUSTOM };
enum dp_metric { DP_METRIC_NONE, DP_METRIC_NULL_VALUES, DP_METRIC_MISSING_VALUES, DP_METRIC_INVALID_VALUES, DP_METRIC_DUPLICATE_VALUES, DP_METRIC_ROW_COUNT };
enum dp_operator { DP_OPERATOR_NONE, DP_OPERATOR_BE, DP_OPERATOR_NOT_BE, DP_OPERATOR_GREATER, DP_OPERATOR_GREATER_EQUAL, DP_OPERATOR_LESS,
                   DP_OPERATOR_LESS_EQUAL, DP_OPERATOR_BETWEEN, DP_OPERATOR_NOT_BETWEEN };
enum dp_severity { DP_SEVERITY_ERROR, DP_SEVERITY_WARNING, DP_SEVERITY_INFO };

/* One entry of a `quality` list.  Strings are borrowed from the contract; absent ones are NULL. */
struct dp_contract_quality {
    const struct dp_yaml_node *node;
    const char *path;            /* "/schema/0/properties/2/quality/0" */
    const char *id, *name, *description, *dimension;
    enum dp_quality_type type;
    enum dp_metric metric;       /* LIBRARY; of 3.0's `rule` too, mapped; NONE: a word that is no metric (in `word`) */
    const char *word;            /* metric or rule as written */
    enum dp_severity severity;
    bool is_percent;             /* unit percent, % */
    enum dp_operator op;         /* NONE: none was given */
    struct dp_str a, b;          /* its operands as spelled: numbers, or a text for BE and NOT_BE; b only of the two BETWEEN */
    const struct dp_yaml_node *arguments; /* a map; in 3.0, where they stand beside the rule, the entry itself */
    const char *query, *engine;  /* SQL; CUSTOM */
    const struct dp_yaml_node *implementation;
};

/* One entry of `relationships`: every non-null tuple of `from` is in `to`. References as written. */
struct dp_contract_relationship {
    const struct dp_yaml_node *node;
    const char *path;
    const char **from, **to;     /* from NULL: the property that it stands at */
    size_t n;                    /* of to (and of from); 1 where from is NULL */
};

/* One entry of slaProperties. */
struct dp_contract_sla {
    const struct dp_yaml_node *node;
    const char *path;            /* "/slaProperties/0" */
    const char *property, *unit, *element, *driver;
    struct dp_str value, value_ext; /* as spelled; n == 0: absent */
};

/* All strings and nodes are borrowed from the contract; absent strings are NULL. */
struct dp_contract_property {
    const struct dp_yaml_node *node;
    const char *path;           /* "/schema/0/properties/2" */
    const char *name;           /* physicalName, else name: the column; NULL for items */
    const char *logical_name;   /* name */
    const char *id;
    enum dp_logical logical;
    const char *physical_type;
    const char *description;
    const char *classification, *encrypted_name;
    const struct dp_yaml_node *options; /* logicalTypeOptions, or NULL */
    const struct dp_yaml_node *enumeration; /* 3.2 `enum`: a list of maps with a scalar `value`, or NULL */
    bool required, unique, primary_key, partitioned;
    int primary_key_position;   /* from 1; 0: not given */
    int partition_position;
    struct dp_contract_property *items;      /* of an array, or NULL */
    struct dp_contract_property *map_key, *map_value; /* 3.2, of a map, or NULL */
    struct dp_contract_property *properties; /* of an object */
    size_t n_properties;
    struct dp_contract_quality *quality;
    size_t n_quality;
    struct dp_contract_relationship *relationships;
    size_t n_relationships;
};

struct dp_contract_object {
    const struct dp_yaml_node *node;
    const char *path;           /* "/schema/0" */
    const char *name, *physical_name, *description, *id;
    struct dp_contract_property *properties;
    size_t n_properties;
    struct dp_contract_quality *quality;
    size_t n_quality;
    struct dp_contract_relationship *relationships;
    size_t n_relationships;
};

struct dp_contract {
    struct dp_yaml doc;
    struct dp_arena arena;
    const char *api_version, *id, *name, *version, *status; /* status may be NULL in 3.2 */
    bool is_31;                 /* v3.1.0 or later, else 3.0.x */
    bool is_32;
    struct dp_contract_object *objects;
    size_t n_objects;
    struct dp_contract_sla *sla;
    size_t n_sla;
};

enum dp_status dp_contract_parse(struct dp_str text, const char *source, struct dp_contract *c, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_contract_read(const char *path, struct dp_contract *c, struct dp_err *err) DP_MUST_CHECK;
void dp_contract_release(struct dp_contract *c);
/* An object by name or physicalName; NULL: the only one.  DP_USAGE lists the names there are. */
enum dp_status dp_contract_object(const struct dp_contract *c, const char *name, const struct dp_contract_object **o, struct dp_err *err) DP_MUST_CHECK;
/* --contract FILE[#OBJECT]: a file of that whole name wins over a part behind `#`. */
enum dp_status dp_contract_load(const char *spec, struct dp_contract *c, const struct dp_contract_object **o, struct dp_err *err) DP_MUST_CHECK;

/*
 * The columns of an object: names, types (table in dp-contract(5)), nullable unless required or primaryKey; a description becomes the
 * metadata's comment.  Caller releases with dp_type_free.  DP_USAGE for a property that has no type.
 */
enum dp_status dp_contract_schema(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
/* Indexes of top-level properties in the order of their positions (those without one behind, in document order); returns how many, at most cap are written. */
size_t dp_contract_primary_key(const struct dp_contract_object *o, size_t *index, size_t cap);
size_t dp_contract_partitions(const struct dp_contract_object *o, size_t *index, size_t cap);
/* Does physicalType say floating point, whose values "NaN" and "Infinity" are strings? */
bool dp_contract_is_floating(const struct dp_contract_property *p);
/* Classified: any classification but public and internal. */
bool dp_contract_is_classified(const struct dp_contract_property *p);
/* The same for a classification as written; NULL and "" are none. */
bool dp_classification_hides(const char *classification);
/* Is it, or anything in it, classified? */
bool dp_contract_holds_classified(const struct dp_contract_property *p);
/* Appends the `fields` of a stream's header: [{"name","classification"}] of the columns that hold something classified; nothing when none does. */
void dp_contract_header_fields(const struct dp_contract_object *o, struct dp_buf *out);

/* ---- writing ---- */

/*
 * Rules that a draft holds beside types and required: unique, logicalTypeOptions (minimum, maximum, pattern, format), enumerations as metric invalidValues.
 * LOOSE: what tomorrow's data will most likely keep to: bounds are rounded outward to a power of ten; EXACT: just what was seen.
 * Each stands beside a comment with the evidence.  Text is shown only as lengths and in enumerations.
 */
enum dp_contract_rules { DP_CONTRACT_RULES_NONE, DP_CONTRACT_RULES_LOOSE, DP_CONTRACT_RULES_EXACT };

struct dp_contract_draft {
    const char *id, *name;         /* of the contract; name is also the object's */
    const struct dp_type *schema;
    const struct dp_infer_field *fields; /* evidence by path (dp_infer_fields), or NULL: the schema's own nullability is told */
    size_t n_fields;
    uint64_t records;              /* that were looked at; 0: not told */
    enum dp_contract_rules rules;  /* only with evidence that was watched (dp/rules/profile.h) */
};

/*
 * Appends ODCS 3.1 YAML: required where the schema says so or a field was always there, types, rules, and comments that name columns fit for partitions
 * and for keys.  Keys and classifications are never guessed.  What comes out reads back with dp_contract_schema as the same types (but
 * enum, uuid and interval as string, fixed as binary, map as JSON; unsigned integers and float16 as what holds them; time units are microseconds).
 */
void dp_contract_write(const struct dp_contract_draft *d, struct dp_buf *b);

#endif

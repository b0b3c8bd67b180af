/*
 * Data contracts: ODCS v3 (apiVersion v3.0.0, v3.0.1, v3.0.2, v3.1.0), YAML or JSON.  Read into a tree of objects and properties that keeps
 * the document's nodes, so that a rule that a later stage reads (quality, slaProperties) is found beside the property that it is for.
 *
 * Checked here: the keys at the top, of schema objects and of properties, their kinds, and what types need.  The first fault is DP_USAGE
 * with file, line, key and the nearest right word.  What stands under other keys (servers, team, quality ...) is kept unread.
 */
#ifndef DP_RULES_CONTRACT_H
#define DP_RULES_CONTRACT_H

#include <dp/format/yaml.h>
#include <dp/record/infer.h>
#include <dp/record/type.h>

enum dp_logical { DP_LOGICAL_NONE, DP_LOGICAL_STRING, DP_LOGICAL_DATE, DP_LOGICAL_TIMESTAMP, DP_LOGICAL_TIME, DP_LOGICAL_NUMBER,
                  DP_LOGICAL_INTEGER, DP_LOGICAL_OBJECT, DP_LOGICAL_ARRAY, DP_LOGICAL_BOOLEAN };

/* All strings and nodes are borrowed from the contract; absent strings are NULL. */
struct dp_contract_property {
    const struct dp_yaml_node *node;
    const char *name;           /* physicalName, else name: the column; NULL for items */
    const char *logical_name;   /* name */
    enum dp_logical logical;
    const char *physical_type;
    const char *description;
    const char *classification;
    const struct dp_yaml_node *options; /* logicalTypeOptions, or NULL */
    bool required, unique, primary_key, partitioned;
    int primary_key_position;   /* from 1; 0: not given */
    int partition_position;
    struct dp_contract_property *items;      /* of an array, or NULL */
    struct dp_contract_property *properties; /* of an object */
    size_t n_properties;
};

struct dp_contract_object {
    const struct dp_yaml_node *node;
    const char *name, *physical_name, *description;
    struct dp_contract_property *properties;
    size_t n_properties;
};

struct dp_contract {
    struct dp_yaml doc;
    struct dp_arena arena;
    const char *api_version, *id, *name, *version, *status;
    bool is_31;                 /* v3.1.0, else 3.0.x */
    struct dp_contract_object *objects;
    size_t n_objects;
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
/* Classified: any classification but public and internal. */
bool dp_contract_is_classified(const struct dp_contract_property *p);

/* ---- writing ---- */

struct dp_contract_draft {
    const char *id, *name;         /* of the contract; name is also the object's */
    const struct dp_type *schema;
    const struct dp_infer_field *fields; /* evidence by path (dp_infer_fields), or NULL: the schema's own nullability is told */
    size_t n_fields;
    uint64_t records;              /* that were looked at; 0: not told */
};

/*
 * Appends ODCS 3.1 YAML: required where the schema says so or a field was always there, types, and a comment that names columns fit for partitions.  Keys,
 * uniqueness, classifications are never guessed.  What comes out reads back with dp_contract_schema as the same types (but
 * enum, uuid and interval as string, fixed as binary, map as JSON; unsigned integers and float16 as what holds them; time units are microseconds).
 */
void dp_contract_write(const struct dp_contract_draft *d, struct dp_buf *b);

#endif

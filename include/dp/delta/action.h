/*
 * Actions of the Delta log: one struct for each, parsed from a line of a commit and printed as one.
 *
 * A row of a Parquet checkpoint is read by the same description of the fields.
 * Unknown actions and fields are passed over; a known field of the wrong kind is DP_FORMAT.  Integers never pass through a double.
 */
#ifndef DP_DELTA_ACTION_H
#define DP_DELTA_ACTION_H

#include <dp/base/arena.h>
#include <dp/record/json.h>

enum dp_delta_kind {
    DP_DELTA_NONE, /* an empty line, an action that is not known, a checkpoint row without content */
    DP_DELTA_PROTOCOL, DP_DELTA_METADATA, DP_DELTA_ADD, DP_DELTA_REMOVE, DP_DELTA_CDC, DP_DELTA_TXN,
    DP_DELTA_COMMIT_INFO, DP_DELTA_DOMAIN, DP_DELTA_SIDECAR, DP_DELTA_CHECKPOINT
};

#define DP_DELTA_UNSET INT64_MIN /* an optional integer that is absent */

/* Strings are in the arena that the action was parsed into; p == NULL: absent. */
struct dp_delta_pair {
    struct dp_str key, value;
    bool is_null;
};
struct dp_delta_pairs {
    struct dp_delta_pair *v;
    size_t n;
};
struct dp_delta_strs {
    struct dp_str *v;
    size_t n;
    bool is_set; /* an empty list is not an absent one */
};

struct dp_delta_dv {
    struct dp_str storage; /* "u", "i", "p"; p == NULL: no deletion vector */
    struct dp_str path;    /* pathOrInlineDv */
    int64_t offset;        /* or UNSET */
    int64_t size_bytes;
    int64_t cardinality;
};

struct dp_delta_protocol {
    int64_t min_reader, min_writer;
    struct dp_delta_strs reader_features, writer_features;
};

struct dp_delta_metadata {
    struct dp_str id, name, description;
    struct dp_str provider;
    struct dp_delta_pairs options;
    struct dp_str schema_string; /* kept byte-true */
    struct dp_delta_strs partition_columns;
    int64_t created_time;
    struct dp_delta_pairs configuration;
};

/* add, remove and cdc. */
struct dp_delta_file {
    struct dp_str path; /* as in the log: URI-encoded */
    struct dp_delta_pairs partition_values;
    int64_t size;                /* bytes, or UNSET */
    int64_t modification_time;   /* add: ms */
    int64_t deletion_timestamp;  /* remove: ms, or UNSET */
    bool data_change;
    bool extended;               /* remove: extendedFileMetadata */
    struct dp_str stats;         /* JSON text */
    struct dp_str stats_parsed;  /* JSON text of a checkpoint's struct, used where stats is absent */
    struct dp_delta_pairs tags;
    struct dp_delta_dv dv;
    int64_t base_row_id, default_row_commit_version; /* or UNSET */
    struct dp_str clustering_provider;
};

struct dp_delta_txn {
    struct dp_str app_id;
    int64_t version;
    int64_t last_updated; /* ms, or UNSET */
};

struct dp_delta_domain {
    struct dp_str domain, configuration;
    bool removed;
};

/* commitInfo is free form: the text, and those fields that dp reads where they have the usual kind. */
struct dp_delta_commit_info {
    struct dp_str raw; /* the object's text */
    int64_t timestamp, in_commit_timestamp; /* ms, or UNSET */
    struct dp_str operation, txn_id, user_name, engine_info;
    bool blind_append;
    struct dp_str parameters, metrics; /* object texts */
};

struct dp_delta_sidecar {
    struct dp_str path;
    int64_t size_bytes, modification_time;
};

struct dp_delta_action {
    enum dp_delta_kind kind;
    union {
        struct dp_delta_protocol protocol;
        struct dp_delta_metadata metadata;
        struct dp_delta_file file; /* ADD, REMOVE, CDC */
        struct dp_delta_txn txn;
        struct dp_delta_commit_info commit_info;
        struct dp_delta_domain domain;
        struct dp_delta_sidecar sidecar;
    } u;
};

/*
 * Calls fn for each action of an NDJSON text; p needs no padding.  `name` is for messages.  fn's failure ends it.  Texts are copied into the arena;
 * the action itself is borrowed until fn returns.
 */
typedef enum dp_status (*dp_delta_action_fn)(void *ctx, const struct dp_delta_action *action, struct dp_err *err);
enum dp_status dp_delta_actions_each(struct dp_str text, const char *name, struct dp_arena *arena, dp_delta_action_fn fn,
                                     void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* The same for a file of the log; DP_IO with sys_errno ENOENT when it is not there. */
enum dp_status dp_delta_actions_file(const char *path, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx,
                                     struct dp_err *err) DP_MUST_CHECK;

/* What a reader has no use for. */
#define DP_DELTA_NO_STATS 1u /* stats and stats_parsed stay absent */
#define DP_DELTA_STATE 2u    /* fn is not called for commitInfo and cdc, which are no part of a table's state */

/* Many files, one after the other, for one thread; buffers are kept. */
struct dp_delta_lines;
struct dp_delta_lines *dp_delta_lines_open(unsigned without);
void dp_delta_lines_close(struct dp_delta_lines *l);
enum dp_status dp_delta_lines_file(struct dp_delta_lines *l, const char *path, struct dp_arena *arena, dp_delta_action_fn fn, void *ctx,
                                   struct dp_err *err) DP_MUST_CHECK;

/* Each appends one line with its newline. */
void dp_delta_protocol_print(const struct dp_delta_protocol *p, struct dp_buf *b);
void dp_delta_metadata_print(const struct dp_delta_metadata *m, struct dp_buf *b);
void dp_delta_add_print(const struct dp_delta_file *f, struct dp_buf *b);
void dp_delta_remove_print(const struct dp_delta_file *f, struct dp_buf *b);
void dp_delta_cdc_print(const struct dp_delta_file *f, struct dp_buf *b);
void dp_delta_txn_print(const struct dp_delta_txn *t, struct dp_buf *b);
void dp_delta_domain_print(const struct dp_delta_domain *d, struct dp_buf *b);

/* Value of a key; NULL when absent. */
const struct dp_delta_pair *dp_delta_pairs_get(const struct dp_delta_pairs *p, struct dp_str key);
/* Value of a key as text, `absent` when it is not there or null. */
struct dp_str dp_delta_pairs_text(const struct dp_delta_pairs *p, const char *key, struct dp_str absent);
/* Is this very pair among them? */
bool dp_delta_pairs_has(const struct dp_delta_pairs *p, const struct dp_delta_pair *pair);
bool dp_delta_strs_has(const struct dp_delta_strs *s, const char *word);
/* The same words in the same order? */
bool dp_delta_strs_equal(const struct dp_delta_strs *a, const struct dp_delta_strs *b);
/* A JSON object of strings and nulls. */
void dp_delta_pairs_print(const struct dp_delta_pairs *p, struct dp_buf *b);
/* Reads such an object; DP_FORMAT when a value is something else than a string or null. */
enum dp_status dp_delta_pairs_parse(const struct dp_record *r, uint32_t node, struct dp_arena *arena,
                                    struct dp_delta_pairs *out, struct dp_err *err) DP_MUST_CHECK;

#endif

/*
 * The commands of dp-table: each is a file of this directory with its options, its run function and its dp_tool; dp-table.c lists them.
 */
#ifndef TABLE_H
#define TABLE_H

#include <dp/cli/cli.h>
#include <dp/delta/snapshot.h>
#include <dp/io/edit.h>

#define TABLE_COMMON (DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY)

extern const struct dp_tool table_create, table_commit, table_files, table_log, table_checkpoint;
extern const struct dp_tool table_changes, table_restore, table_clone, table_branch, table_diff, table_convert;
extern const struct dp_tool table_delete, table_update, table_merge;
extern const struct dp_tool table_vacuum;
extern const struct dp_tool table_verify;
extern const struct dp_tool table_replicate;

/* A name as part of a line: '?' stands for line breaks and other control bytes. */
void table_add_name(struct dp_buf *b, const char *name);
/* The table as of what --as-of names (NULL: latest). */
enum dp_status table_open(const char *table, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err) DP_MUST_CHECK;
/* A misspelled name in --where would read as null: what the table does not have, nor `also` (NULL at its end, or NULL), is DP_USAGE. */
enum dp_status table_check_where(const char *table, const struct dp_type *schema, const struct dp_expr *where, const char *const *also, struct dp_err *err);
/* What delete, update and merge did, as a line and in the report. */
void table_report_edited(struct dp_cli *cli, const struct dp_edited *d); /* the report alone */
enum dp_status table_say_edited_line(struct dp_cli *cli, const struct dp_edited *d, struct dp_err *err); /* the line alone */
enum dp_status table_say_edited(struct dp_cli *cli, const struct dp_edited *d, struct dp_err *err);

#endif

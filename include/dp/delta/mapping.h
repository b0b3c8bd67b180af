/*
 * Column mapping of new tables (digest section 9): names that tables without it can't have get a physical name, which is what data files,
 * partition values and statistics are keyed by.
 *
 * Physical names are legible: the characters that are refused become '_', and what is then equal ignoring case is numbered.  A legal name is its
 * own physical name.  Ids count from 1 in the order of the schema, a struct before its fields.
 */
#ifndef DP_DELTA_MAPPING_H
#define DP_DELTA_MAPPING_H

#include <dp/delta/schema.h>

#define DP_DELTA_KEY_MODE "delta.columnMapping.mode"
#define DP_DELTA_KEY_MAX_ID "delta.columnMapping.maxColumnId"

/* The first field (nested ones too) whose name needs mapping: it holds one of " ,;{}()=", a tab or a newline.  NULL: none. */
const struct dp_type *dp_delta_mapping_cause(const struct dp_type *schema);

/* Gives each field its id and physical name, in its metadata.  keep_names: data files exist already, their names are the physical ones.  Returns the highest id. */
int32_t dp_delta_mapping_assign(struct dp_type *schema, bool keep_names);

/* Takes ids and physical names out of the metadata of all fields; other keys stay byte-true. */
void dp_delta_mapping_strip(struct dp_type *schema);

#endif

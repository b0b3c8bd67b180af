/*
 * What changed between two contracts, as a person would write it: breaking changes first, then compatible ones, governance, documentation; and the
 * step of the version (semantic versioning) that the changes ask for.
 *
 * Breaking is what dp/rules/compat.h finds in a direction of the mode: for data written before (BACKWARD), for consumers who still hold the old
 * contract (FORWARD), or for both (FULL).
 */
#ifndef DP_RULES_DIFF_H
#define DP_RULES_DIFF_H

#include <dp/rules/compat.h>

enum dp_change_class { DP_CHANGE_BREAKING, DP_CHANGE_COMPATIBLE, DP_CHANGE_GOVERNANCE, DP_CHANGE_DOCS };
enum dp_version_step { DP_VERSION_NONE, DP_VERSION_PATCH, DP_VERSION_MINOR, DP_VERSION_MAJOR };

/* Strings live in the diff's arena. */
struct dp_change {
    enum dp_change_class class_;
    const char *path;                   /* "orders.items[].qty"; "" for the contract as a whole */
    const char *key;                    /* what changed: "type", "required", "maxLength", "column", "quality" ... */
    const char *text;                   /* "maxLength 20 was 10" */
    bool breaks_data, breaks_consumers; /* data written before; who holds the old contract */
    uint32_t old_line, new_line;        /* 0: not there */
};

/* Zero value is empty. */
struct dp_diff {
    struct dp_arena arena;
    struct dp_change *v; /* by class, then in the order of the documents */
    size_t n, cap;
    size_t n_class[DP_CHANGE_DOCS + 1];
    enum dp_version_step needed, made;  /* by the changes; by the version. made NONE where it did not rise */
    bool versions_known;        /* both are semantic versions */
    const char *suggested;      /* the version that the changes ask for, or NULL */
    bool version_is_right;      /* it rose far enough; true where nothing changed */
};

void dp_diff_contracts(const struct dp_contract *old, const struct dp_contract *new_, enum dp_compat_mode mode, struct dp_diff *d);
void dp_diff_release(struct dp_diff *d);

enum dp_diff_form { DP_DIFF_TEXT, DP_DIFF_MARKDOWN, DP_DIFF_JSON };
/* The whole report; names are of the files, for its head. */
void dp_diff_print(enum dp_diff_form form, const struct dp_contract *old, const struct dp_contract *new_, const char *old_name, const char *new_name,
                   const struct dp_diff *d, struct dp_buf *b);
const char *dp_version_step_name(enum dp_version_step step); /* "none" "patch" "minor" "major" */

#endif

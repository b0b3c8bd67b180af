/*
 * Everything that is wrong, or not as meant, in a contract, in the order of the document.
 *
 * Errors are what makes dp_contract_parse refuse a contract, and rules that no program could run (a pattern that is none, a threshold that is no number, a
 * foreign key to nothing).  Warnings are words that will go or that mean less than they seem to.  Notes name what dp does not act upon.
 */
#ifndef DP_RULES_LINT_H
#define DP_RULES_LINT_H

#include <dp/rules/contract.h>

enum dp_finding_level { DP_FINDING_ERROR, DP_FINDING_WARNING, DP_FINDING_NOTE };

#define DP_FINDINGS_MAX 2000 /* of one contract; the next one says that there are more */

/* Strings live in the findings' arena. */
struct dp_finding {
    enum dp_finding_level level;
    uint32_t line, column; /* from 1; 0: of the file as a whole */
    const char *rule;      /* a name for the kind of fault: "unknown-key"; static text */
    const char *path;      /* JSON pointer: "/schema/0/properties/2/required" */
    const char *key;       /* the key at fault, or "" */
    const char *text;      /* what is wrong */
    const char *meant;     /* what was meant, or NULL */
};

/* Zero value is empty. */
struct dp_findings {
    struct dp_arena arena;
    struct dp_finding *v;
    size_t n, cap;
    size_t n_levels[DP_FINDING_NOTE + 1];
    bool first_only; /* stop at the first error */
};

void dp_findings_release(struct dp_findings *f);
/* "key: what is wrong; what was meant" behind b's content. */
void dp_finding_print(const struct dp_finding *f, struct dp_buf *b);

/* All findings of one contract; a text that is no YAML is one finding.  Fails only where the file can't be read. */
enum dp_status dp_contract_lint(const char *path, struct dp_findings *out, struct dp_err *err) DP_MUST_CHECK;
void dp_contract_lint_text(struct dp_str text, const char *source, struct dp_findings *out);

/* ---- printing ---- */

enum dp_lint_form { DP_LINT_TEXT, DP_LINT_JSON, DP_LINT_GITHUB, DP_LINT_SARIF };

/* What stands before the findings of all files, the findings of one, what stands behind. *printed counts from 0 over all files. */
void dp_lint_print_begin(enum dp_lint_form form, struct dp_buf *b);
void dp_lint_print(enum dp_lint_form form, const char *file, const struct dp_findings *f, bool notes, size_t *printed, struct dp_buf *b);
void dp_lint_print_end(enum dp_lint_form form, struct dp_buf *b);
const char *dp_finding_level_name(enum dp_finding_level level); /* error, warning, note */

#endif

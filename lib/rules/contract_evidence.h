/* Inside of writing contracts: rules of one property, from what inference saw. */
#ifndef DP_RULES_CONTRACT_EVIDENCE_H
#define DP_RULES_CONTRACT_EVIDENCE_H

#include <dp/rules/contract.h>

static inline void indent(struct dp_buf *b, int n) {
    for (int i = 0; i < n; i++) dp_buf_addc(b, ' ');
}

/* Is it of a type that identifies, and were all values different, of enough? */
bool dp_contract_seems_unique(const struct dp_type *t, const struct dp_infer_field *e);
/* unique, logicalTypeOptions, quality, and the comment with the evidence, each line indented by `at`. */
void dp_contract_write_rules(const struct dp_contract_draft *d, const struct dp_type *t, const struct dp_infer_field *e, bool in_list, int at, struct dp_buf *b);

#endif

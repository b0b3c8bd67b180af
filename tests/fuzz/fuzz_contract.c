/*
 * Contracts from any bytes: what parse refuses lint has an error for; a contract is compatible with itself in every mode and no different from
 * itself; two contracts (the bytes before and behind a line of eight dashes) are compared both ways without a crash.
 */
#include <dp/rules/diff.h>
#include <dp/rules/lint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct dp_findings *found) {
    struct dp_buf b = {0};
    size_t printed = 0;
    for (int form = DP_LINT_TEXT; form <= DP_LINT_SARIF; form++) dp_lint_print((enum dp_lint_form)form, "c", found, true, &printed, &b);
    dp_buf_release(&b);
}

/* Errors of keys: what makes parse refuse, and a little more. */
static bool lint_says_wrong(struct dp_str text) {
    struct dp_findings found = {0};
    dp_contract_lint_text(text, "fuzz", &found);
    bool wrong = found.n_levels[DP_FINDING_ERROR] > 0;
    print_all(&found);
    dp_findings_release(&found);
    return wrong;
}

static void with_itself(const struct dp_contract *c) {
    struct dp_compat k = {.closed = true};
    struct dp_diff d = {0};
    if (!dp_compat_check(&c, 1, c, DP_COMPAT_FULL, &k)) abort();
    dp_diff_contracts(c, c, DP_COMPAT_FULL, &d);
    if (d.n) abort();
    dp_diff_release(&d);
    dp_compat_release(&k);
}

static void with_other(const struct dp_contract *a, const struct dp_contract *b) {
    struct dp_compat k = {0};
    struct dp_diff d = {0};
    struct dp_buf out = {0};
    (void)dp_compat_check(&a, 1, b, DP_COMPAT_FULL, &k);
    dp_diff_contracts(a, b, DP_COMPAT_FULL, &d);
    if ((k.n_errors > 0) != (d.n_class[DP_CHANGE_BREAKING] > 0)) abort();
    for (int form = DP_DIFF_TEXT; form <= DP_DIFF_JSON; form++) dp_diff_print((enum dp_diff_form)form, a, b, "a", "b", &d, &out);
    dp_buf_release(&out);
    dp_diff_release(&d);
    dp_compat_release(&k);
}

static bool read_one(struct dp_str text, struct dp_contract *c) {
    if (dp_contract_parse(text, "fuzz", c, NULL) == DP_OK) {
        (void)lint_says_wrong(text);
        return true;
    }
    if (!lint_says_wrong(text)) abort();
    return false;
}

static const char cut[] = "\n--------\n";

static const char *find_cut(const char *text, size_t n) {
    for (size_t i = 0; i + sizeof cut - 1 <= n; i++)
        if (!memcmp(text + i, cut, sizeof cut - 1)) return text + i;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data, *at = find_cut(text, size);
    size_t n = at ? (size_t)(at - text) : size;
    struct dp_contract a = {0}, b = {0};
    bool first = read_one(dp_str(text, n), &a);
    if (first) with_itself(&a);
    if (at && read_one(dp_str(at + sizeof cut - 1, size - n - (sizeof cut - 1)), &b) && first) with_other(&a, &b);
    dp_contract_release(&a), dp_contract_release(&b);
    return 0;
}

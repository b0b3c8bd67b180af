/* Patterns from any bytes: the first line is a pattern, the rest a text.  No crash, no hang; a plain pattern says what PCRE2 says. */
#include "../../lib/rules/pattern_priv.h"
#include <dp/record/json.h>
#include <dp/rules/pattern.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(struct dp_str source, const struct dp_plain *plain, struct dp_str text) {
    struct dp_buf grouped = {0};
    struct dp_pattern *p = NULL;
    struct dp_pattern_run *r = dp_pattern_run_open();
    bool yes = false;
    dp_buf_addz(&grouped, "(?:");
    dp_buf_adds(&grouped, source);
    dp_buf_addc(&grouped, ')');
    if (dp_pattern_compile(dp_buf_str(&grouped), &p, NULL) == DP_OK && dp_pattern_match(p, r, text, &yes, NULL) == DP_OK && dp_plain_match(plain, text) != yes)
        abort();
    dp_pattern_free(p);
    dp_pattern_run_close(r);
    dp_buf_release(&grouped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *line = size ? memchr(data, '\n', size) : NULL;
    size_t n = line ? (size_t)(line - (const char *)data) : size;
    struct dp_str source = dp_str((const char *)data, n), text = line ? dp_str(line + 1, size - n - 1) : dp_str("", 0);
    struct dp_pattern *p = NULL;
    struct dp_pattern_run *r;
    bool yes;
    if (!dp_utf8_valid(text.p, text.n, NULL) || dp_pattern_compile(source, &p, NULL) != DP_OK) return 0;
    r = dp_pattern_run_open();
    (void)!dp_pattern_match(p, r, text, &yes, NULL);
    dp_pattern_run_close(r);
    dp_pattern_free(p);
    struct dp_plain *plain = dp_plain_compile(source);
    if (plain) compare(source, plain, text);
    dp_plain_free(plain);
    return 0;
}

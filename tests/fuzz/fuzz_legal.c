/* The file of a legal hold from any bytes: no crash; what is read holds something, and is read again as what it was printed. */
#include <dp/delta/legal.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_arena arena = {0};
    struct dp_legal_hold h, again;
    struct dp_buf one = {0}, two = {0};
    if (dp_legal_parse(dp_str((const char *)data, size), &arena, &h, NULL) == DP_OK) {
        if (!dp_legal_case_ok(h.name) || h.trouble || (!h.whole && !h.n_partitions && !h.n_subjects)) abort();
        dp_legal_print(&h, &one);
        if (dp_legal_parse(dp_buf_str(&one), &arena, &again, NULL) != DP_OK) abort();
        dp_legal_print(&again, &two);
        if (!dp_str_eq(dp_buf_str(&one), dp_buf_str(&two))) abort();
    }
    dp_buf_release(&one);
    dp_buf_release(&two);
    dp_arena_release(&arena);
    return 0;
}

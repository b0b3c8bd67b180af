/* The order of classifications (dp/record/class.h). */
#include <dp/record/class.h>

enum dp_rank dp_class_rank(struct dp_str word) {
    static const char *const words[] = {[DP_RANK_PUBLIC] = "public", [DP_RANK_INTERNAL] = "internal", [DP_RANK_CONFIDENTIAL] = "confidential", [DP_RANK_RESTRICTED] = "restricted"};
    if (!word.p) return DP_RANK_NONE;
    for (int i = DP_RANK_PUBLIC; i < DP_RANK_OTHER; i++)
        if (dp_str_eqz(word, words[i])) return (enum dp_rank)i;
    return DP_RANK_OTHER;
}

enum dp_rank dp_class_rank_z(const char *word) { return dp_class_rank(word && *word ? dp_str_z(word) : dp_str(NULL, 0)); }

bool dp_class_is_closed(const char *word) { return dp_class_rank_z(word) > DP_RANK_INTERNAL; }

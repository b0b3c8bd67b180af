/* Who an export or a search is about: the identifiers that options give. */
#include "retain.h"

#include <dp/io/subject.h>

enum dp_status retain_read_whom(const struct retain_whom *w, struct dp_subject *s, struct dp_err *err) {
    for (size_t i = 0; i < w->subject.n; i++)
        if (dp_subject_add_word(s, dp_str_z(w->subject.v[i]), err) != DP_OK) return dp_err_prefix(err, "--subject: ");
    for (size_t i = 0; i < w->from.n; i++) DP_TRY(dp_subject_add_file(s, w->from.v[i], err));
    return s->n ? DP_OK : dp_err_set(err, DP_USAGE, "--subject or --subjects-from is needed: who it is about");
}

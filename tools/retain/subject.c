/* Who a command is about, and where that may be: the identifiers that options give, the store of lineage. */
#include "retain.h"

#include <dp/io/catalog.h>
#include <dp/io/lineage_send.h>
#include <dp/io/subject.h>

#include <stdlib.h>
#include <unistd.h>

enum dp_status retain_read_whom(const struct retain_whom *w, struct dp_subject *s, struct dp_err *err) {
    for (size_t i = 0; i < w->subject.n; i++)
        if (dp_subject_add_word(s, dp_str_z(w->subject.v[i]), err) != DP_OK) return dp_err_prefix(err, "--subject: ");
    for (size_t i = 0; i < w->from.n; i++) DP_TRY(dp_subject_add_file(s, w->from.v[i], err));
    return s->n ? DP_OK : dp_err_set(err, DP_USAGE, "--subject or --subjects-from is needed: who it is about");
}

enum dp_status retain_open_store(const struct dp_cli *cli, const char *given, struct dp_catalog **out, struct dp_err *err) {
    char *path = given ? NULL : dp_catalog_default();
    enum dp_status status = DP_OK;
    if (given || path) dp_lineage_take_in(given ? given : path); /* what waits for it may name datasets that nothing else does */
    if (given || (path && access(path, F_OK) == 0)) status = dp_catalog_open(given ? given : path, DP_CATALOG_READ, 5000, out, err);
    else dp_run_log(&cli->run, DP_LOG_WARN, "no store of lineage: only what is named is searched");
    free(path);
    return status;
}

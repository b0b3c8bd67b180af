/* A stream of lines that begins and ends here: counted and hashed for its marks. */
#include "handover.h"

#include <dp/io/lines.h>

#include <stdlib.h>

enum dp_status dp_lines_begin(struct dp_lines *l, struct dp_mark *m, struct dp_err *err) {
    if (!l->run->marks && !l->run->datasets) return DP_OK;
    char *chain[] = {dp_strdup(l->run->program)};
    m->kind = DP_MARK_BEGIN;
    m->run = l->run->run_id, m->job = l->run->job;
    m->chain = chain, m->n_chain = 1;
    enum dp_status status = DP_OK;
    if (l->run->marks) {
        l->hash = dp_linehash_open();
        l->run->marks_open = true;
        status = dp_out_mark(l->run->out, m, err);
    } else {
        handover_offer(l->run, m);
    }
    m->chain = NULL, m->n_chain = 0;
    free(chain[0]);
    return status;
}

enum dp_status dp_lines_write(struct dp_lines *l, const void *p, size_t n, uint64_t lines, struct dp_err *err) {
    l->n += lines;
    if (l->hash) dp_linehash_add(l->hash, p, n);
    return dp_out_write(l->run->out, p, n, err);
}

enum dp_status dp_lines_end(struct dp_lines *l, struct dp_err *err) {
    char hash[48];
    if (!l->hash) return DP_OK;
    dp_linehash_text(l->hash, hash);
    struct dp_mark m = {.kind = DP_MARK_END, .run = l->run->run_id, .records = l->n, .hash = hash, .table_version = -1};
    l->run->marks_closed = true;
    return dp_out_mark(l->run->out, &m, err);
}

void dp_lines_release(struct dp_lines *l) {
    if (l->hash) dp_linehash_close(l->hash);
    l->hash = NULL;
}

/* Marks that are held back (dp/io/kept_marks.h). */
#include <dp/io/kept_marks.h>

#include <stdlib.h>

static void drop(struct dp_map *m) {
    for (size_t i = 0; i < m->n; i++) free(m->items[i].v.p);
    dp_map_release(m);
    *m = (struct dp_map){0};
}

bool dp_kept_marks_add(struct dp_kept_marks *k, const struct dp_mark *m) {
    struct dp_buf key = {0}, line = {0};
    if (m->kind != DP_MARK_CHECKPOINT && m->kind != DP_MARK_WATERMARK) return false;
    dp_buf_addf(&key, "%s\n%s", m->source ? m->source : "", m->partition ? m->partition : "");
    dp_mark_print(m, &line);
    line.n--; /* its newline */
    struct dp_map_item *item = dp_map_put(m->kind == DP_MARK_CHECKPOINT ? &k->checkpoints : &k->watermarks, dp_buf_str(&key), NULL);
    free(item->v.p);
    item->v.p = dp_buf_detach(&line);
    dp_buf_release(&key);
    if (m->kind == DP_MARK_CHECKPOINT) {
        free(k->id);
        k->id = m->id ? dp_strdup(m->id) : NULL;
    }
    return true;
}

static enum dp_status pass(const struct dp_map *marks, const char *id, struct dp_stream *s, struct dp_err *err) {
    for (size_t i = 0; i < marks->n; i++) {
        struct dp_mark m = {0};
        DP_TRY(dp_mark_parse(dp_str_z(marks->items[i].v.p), &m, err));
        m.more = m.kind == DP_MARK_CHECKPOINT && i + 1 < marks->n;
        if (id && !m.more) {
            free(m.id);
            m.id = dp_strdup(id);
        }
        enum dp_status status = dp_stream_mark(s, &m, err);
        dp_mark_release(&m);
        DP_TRY(status);
    }
    return DP_OK;
}

enum dp_status dp_kept_marks_pass(struct dp_kept_marks *k, struct dp_stream *s, struct dp_err *err) {
    DP_TRY(pass(&k->watermarks, NULL, s, err));
    DP_TRY(pass(&k->checkpoints, k->id, s, err));
    dp_kept_marks_release(k);
    return DP_OK;
}

void dp_kept_marks_release(struct dp_kept_marks *k) {
    drop(&k->watermarks);
    drop(&k->checkpoints);
    free(k->id);
    k->id = NULL;
}

/*
 * Watermarks (dp/rules/watermark.h): the least promise of the sources that are not idle.  spec: windows.md 3.
 * No clock: who runs it tells which sources are idle.
 */
#include <dp/base/limits.h>
#include <dp/base/mem.h>
#include <dp/base/num.h>
#include <dp/rules/watermark.h>

#include <stdlib.h>

enum { FORMAT = 1 };

void dp_watermark_init(struct dp_watermark *w, bool has_delay, int64_t delay) {
    *w = (struct dp_watermark){.has_delay = has_delay, .delay = delay, .now = DP_WATERMARK_NONE, .n = 1, .cap = 1};
    w->v = dp_calloc(1, sizeof *w->v);
    w->v[0] = (struct dp_watermark_source){.name = dp_strdup(""), .promise = DP_WATERMARK_NONE};
}

void dp_watermark_release(struct dp_watermark *w) {
    for (size_t i = 0; i < w->n; i++) free(w->v[i].name);
    free(w->v);
    dp_map_release(&w->names);
    *w = (struct dp_watermark){0};
}

enum dp_status dp_watermark_source(struct dp_watermark *w, struct dp_str name, size_t *number, struct dp_err *err) {
    const struct dp_map_item *have = dp_map_get(&w->names, name);
    if (have) {
        *number = (size_t)have->v.u;
        return DP_OK;
    }
    if (w->n > DP_LIMIT_WATERMARK_SOURCES) return dp_err_set(err, DP_LIMIT, "more than %u sources of a watermark", DP_LIMIT_WATERMARK_SOURCES);
    w->v = dp_grow(w->v, &w->cap, w->n + 1, sizeof *w->v);
    w->v[w->n] = (struct dp_watermark_source){.name = dp_strndup(name.n ? name.p : "", name.n), .promise = DP_WATERMARK_NONE};
    dp_map_put(&w->names, name, NULL)->v.u = w->n;
    *number = w->n++;
    return DP_OK;
}

/* The nameless source counts where there is no other, or where it was heard. */
static bool counts(const struct dp_watermark *w, size_t i) { return !w->v[i].is_idle && (i || w->n == 1 || w->v[0].is_heard); }

static bool move(struct dp_watermark *w) {
    int64_t least = INT64_MAX;
    bool is_any = false;
    if (w->n == 1 && !w->v->is_idle) { /* as nearly always */
        if (w->v->promise <= w->now) return false;
        w->now = w->v->promise;
        return true;
    }
    for (size_t i = 0; i < w->n; i++)
        if (counts(w, i)) {
            is_any = true;
            if (w->v[i].promise < least) least = w->v[i].promise;
        }
    if (!is_any || least <= w->now) return false;
    w->now = least;
    return true;
}

bool dp_watermark_see(struct dp_watermark *w, size_t source, int64_t time) {
    struct dp_watermark_source *s = &w->v[source];
    bool was_quiet = s->is_idle || !s->is_heard;
    int64_t had = s->promise;
    s->is_idle = false;
    s->is_heard = true;
    if (w->has_delay) {
        int64_t promise;
        if (dp_sub_overflow(time, w->delay, &promise)) promise = w->delay > 0 ? INT64_MIN : INT64_MAX;
        if (promise > s->promise) s->promise = promise;
    }
    /* a source that was ahead of W did not hold it */
    if (!was_quiet && (s->promise == had || had > w->now)) return false;
    return move(w);
}

bool dp_watermark_set(struct dp_watermark *w, size_t source, int64_t time) {
    for (size_t i = source == SIZE_MAX ? 0 : source; i < w->n && (source == SIZE_MAX || i == source); i++) {
        struct dp_watermark_source *s = &w->v[i];
        if (time > s->promise) s->promise = time;
        s->is_idle = false;
        if (source != SIZE_MAX) s->is_heard = true;
    }
    return move(w);
}

bool dp_watermark_idle(struct dp_watermark *w, size_t source, bool is_idle) {
    for (size_t i = source == SIZE_MAX ? 0 : source; i < w->n && (source == SIZE_MAX || i == source); i++) w->v[i].is_idle = is_idle;
    return move(w);
}

enum dp_status dp_watermark_take(struct dp_watermark *w, const struct dp_mark *m, int64_t now, bool *moved, struct dp_err *err) {
    size_t source = SIZE_MAX;
    int64_t t = 0;
    if (m->kind == DP_MARK_WATERMARK && !dp_mark_time(m, &t)) return dp_err_set(err, DP_FORMAT, "a watermark without a time");
    if (m->source && *m->source) {
        DP_TRY(dp_watermark_source(w, dp_str_z(m->source), &source, err));
        w->v[source].heard_at = now;
    }
    *moved = m->kind == DP_MARK_WATERMARK ? dp_watermark_set(w, source, t) : dp_watermark_idle(w, source, m->kind == DP_MARK_IDLE);
    return DP_OK;
}

/* ---- checkpoints ---- */

static void put64(struct dp_buf *b, uint64_t v) {
    for (int i = 0; i < 8; i++) dp_buf_addc(b, (char)(v >> (56 - 8 * i) & 0xff));
}

static bool take64(struct dp_str *in, uint64_t *v) {
    if (in->n < 8) return false;
    *v = 0;
    for (int i = 0; i < 8; i++) *v = *v << 8 | (unsigned char)in->p[i];
    in->p += 8, in->n -= 8;
    return true;
}

/* W, number of sources; of each: bytes of its name, name, promise, heard_at, idle and heard */
void dp_watermark_save(const struct dp_watermark *w, struct dp_buf *out) {
    put64(out, FORMAT);
    put64(out, (uint64_t)w->now);
    put64(out, w->n);
    for (size_t i = 0; i < w->n; i++) {
        const struct dp_watermark_source *s = &w->v[i];
        size_t n = strlen(s->name);
        put64(out, n);
        dp_buf_add(out, s->name, n);
        put64(out, (uint64_t)s->promise);
        put64(out, (uint64_t)s->heard_at);
        put64(out, (uint64_t)s->is_idle | (uint64_t)s->is_heard << 1);
    }
}

enum dp_status dp_watermark_load(struct dp_watermark *w, struct dp_str *in, struct dp_err *err) {
    uint64_t format, now, n, size, promise, heard_at, bits;
    size_t at;
    if (!take64(in, &format) || !take64(in, &now) || !take64(in, &n) || format != FORMAT) return dp_err_set(err, DP_FORMAT, "the watermark's entry is damaged");
    for (uint64_t i = 0; i < n; i++) {
        if (!take64(in, &size) || size > in->n) return dp_err_set(err, DP_FORMAT, "the watermark's entry is damaged");
        struct dp_str name = dp_str(in->p, (size_t)size);
        in->p += size, in->n -= (size_t)size;
        if (!take64(in, &promise) || !take64(in, &heard_at) || !take64(in, &bits)) return dp_err_set(err, DP_FORMAT, "the watermark's entry is damaged");
        if (i) DP_TRY(dp_watermark_source(w, name, &at, err));
        else at = 0;
        struct dp_watermark_source *s = &w->v[at];
        s->promise = (int64_t)promise, s->heard_at = (int64_t)heard_at, s->is_idle = bits & 1, s->is_heard = bits >> 1 & 1;
    }
    w->now = (int64_t)now;
    return DP_OK;
}

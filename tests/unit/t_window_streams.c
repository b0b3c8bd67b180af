/*
 * The window operator: random streams of every kind against a model that keeps whole lists of records and is slow on purpose; with little memory, checkpoints in the middle, early rows, and
 * the order of rows.  The model is written from spec/windows.md.
 */
#include "window_rig.h"

/* ---- a model ---- */

enum { KEYS = 5, RECORDS = 220 };

struct rec {
    int64_t time;
    int key, value;
    bool subtract;
};
struct list {
    int *v; /* numbers of records */
    size_t n, cap;
};
struct mw {
    int64_t start, end;
    int key;
    struct list all, fresh;
    bool has_fired, is_changed;
    uint64_t pane;
};
struct model {
    const struct dp_window_spec *spec;
    const struct rec *recs;
    struct mw *w;
    size_t n, cap;
    struct list held[KEYS];
    int64_t now;
    struct dp_buf out;
};

static const char *const key_names[KEYS] = {"", "a", "b", "b long key that is no short one", "\xc3\xa9"};

static void list_add(struct list *l, int i) {
    if (l->n == l->cap) l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = i;
}
static void list_cut(struct list *l, size_t i) {
    memmove(l->v + i, l->v + i + 1, (--l->n - i) * sizeof *l->v);
}
static void list_release(struct list *l) {
    free(l->v);
    *l = (struct list){0};
}
/* A record that is equal to i; a state of aggregates does not know the times in it. */
static bool list_take(const struct model *m, struct list *l, int i, int *taken) {
    for (size_t j = 0; j < l->n; j++)
        if ((m->recs[l->v[j]].time == m->recs[i].time || m->spec->kind == DP_WINDOW_TUMBLE || m->spec->kind == DP_WINDOW_HOP) && m->recs[l->v[j]].value == m->recs[i].value) {
            *taken = l->v[j];
            list_cut(l, j);
            return true;
        }
    return false;
}
static void list_drop(struct list *l, int i) {
    for (size_t j = 0; j < l->n; j++)
        if (l->v[j] == i) {
            list_cut(l, j);
            return;
        }
}

static int64_t due_at(const struct model *m, int64_t end) { return m->spec->kind == DP_WINDOW_SLIDE ? end + 1 : end; }
static bool closed(const struct model *m, int64_t end) { return m->now != INT64_MIN && m->now >= due_at(m, end) + m->spec->lateness; }
static bool due(const struct model *m, int64_t end) { return m->now != INT64_MIN && m->now >= due_at(m, end); }

static void say(struct model *m, const char *op, struct mw *w) {
    bool is_retract = !strcmp(op, "retract"), is_early = !strcmp(op, "early");
    if (is_retract && m->spec->emit != DP_WINDOW_CHANGELOG) return;
    if (!is_early) w->pane = !strcmp(op, "update") ? w->pane + 1 : 0;
    dp_buf_addf(&m->out, "%s {\"start\":%lld,\"end\":%lld,\"key\":\"%s\",\"pane\":%lld", op, (long long)w->start, (long long)w->end, key_names[w->key], is_retract ? -1LL : (long long)w->pane);
    if (!is_retract) {
        const struct list *l = m->spec->panes == DP_WINDOW_DISCARDING && m->spec->emit != DP_WINDOW_FINAL ? &w->fresh : &w->all;
        long long sum = 0, most = 0;
        for (size_t i = 0; i < l->n; i++) {
            sum += m->recs[l->v[i]].value;
            if (m->recs[l->v[i]].value > most) most = m->recs[l->v[i]].value;
        }
        dp_buf_addf(&m->out, ",\"n\":%zu,\"s\":%lld,\"hi\":%lld", l->n, sum, most);
        if (!is_early) w->fresh.n = 0, w->has_fired = true;
    }
    dp_buf_addz(&m->out, "}\n");
}

static struct mw *mw_find(struct model *m, int key, int64_t start, int64_t end) {
    for (size_t i = 0; i < m->n; i++)
        if (m->w[i].key == key && m->w[i].start == start && m->w[i].end == end) return &m->w[i];
    return NULL;
}
static struct mw *mw_new(struct model *m, int key, int64_t start, int64_t end) {
    if (m->n == m->cap) m->w = dp_grow(m->w, &m->cap, m->n + 1, sizeof *m->w);
    m->w[m->n] = (struct mw){.start = start, .end = end, .key = key, .is_changed = true};
    return &m->w[m->n++];
}
static void mw_free(struct model *m, struct mw *w) {
    list_release(&w->all), list_release(&w->fresh);
    *w = m->w[--m->n];
}
static void mw_add(struct mw *w, int i) {
    list_add(&w->all, i), list_add(&w->fresh, i);
    w->is_changed = true;
}

static void model_refire(struct model *m, struct mw *w) {
    if (m->spec->emit != DP_WINDOW_FINAL && due(m, w->end)) say(m, w->has_fired ? "update" : "emit", w);
}

static int mw_order(const void *a, const void *b) {
    const struct mw *x = a, *y = b;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return strcmp(key_names[x->key], key_names[y->key]);
}

static void model_fire(struct model *m) {
    if (m->spec->kind == DP_WINDOW_COUNT) return;
    if (m->n) qsort(m->w, m->n, sizeof *m->w, mw_order);
    for (size_t i = 0; i < m->n; i++)
        if (m->spec->emit == DP_WINDOW_FINAL ? closed(m, m->w[i].end) : due(m, m->w[i].end) && !m->w[i].has_fired) say(m, "emit", &m->w[i]);
    for (size_t i = m->n; i--;)
        if (closed(m, m->w[i].end)) mw_free(m, &m->w[i]);
    if (m->spec->kind != DP_WINDOW_SLIDE) return;
    for (int k = 0; k < KEYS; k++)
        for (size_t i = m->held[k].n; i--;)
            if (closed(m, m->recs[m->held[k].v[i]].time + 1 + m->spec->size)) list_cut(&m->held[k], i);
}

static enum dp_window_fate place_grid(struct model *m, int i) {
    const struct dp_window_spec *s = m->spec;
    const struct rec *r = &m->recs[i];
    int64_t step = s->kind == DP_WINDOW_HOP ? s->slide : s->size;
    enum dp_window_fate fate = DP_WINDOW_UNASSIGNED;
    for (int64_t start = r->time - s->size + 1; start <= r->time; start++) {
        int64_t off = (start - s->offset) % step;
        if (off) continue;
        if (closed(m, start + s->size)) {
            if (fate == DP_WINDOW_UNASSIGNED) fate = DP_WINDOW_LATE;
            continue;
        }
        struct mw *w = mw_find(m, r->key, start, start + s->size);
        int taken;
        if (!r->subtract) {
            if (!w) w = mw_new(m, r->key, start, start + s->size);
            mw_add(w, i);
        } else if (!w || !list_take(m, &w->all, i, &taken)) {
            if (fate != DP_WINDOW_USED) fate = DP_WINDOW_UNKNOWN;
            continue;
        } else {
            list_drop(&w->fresh, taken);
            w->is_changed = true;
            if (!w->all.n) {
                if (w->has_fired) say(m, "retract", w);
                mw_free(m, w);
                fate = DP_WINDOW_USED;
                continue;
            }
        }
        fate = DP_WINDOW_USED;
        model_refire(m, w);
    }
    return fate;
}

static bool touches(const struct model *m, int64_t a, int64_t b) { return m->spec->gap_exclusive ? b - a < m->spec->size : b - a <= m->spec->size; }

static enum dp_window_fate cut_session(struct model *m, int i) {
    const struct rec *r = &m->recs[i];
    struct mw *w = NULL;
    int taken;
    for (size_t j = 0; j < m->n && !w; j++)
        if (m->w[j].key == r->key && m->w[j].start <= r->time && r->time <= m->w[j].end - m->spec->size) w = &m->w[j];
    if (!w) return closed(m, r->time + m->spec->size) ? DP_WINDOW_LATE : DP_WINDOW_UNKNOWN;
    if (!list_take(m, &w->all, i, &taken)) return DP_WINDOW_UNKNOWN;
    struct mw old = *w;
    *w = m->w[--m->n];
    /* in order of time */
    for (size_t a = 0; a < old.all.n; a++)
        for (size_t b = a + 1; b < old.all.n; b++)
            if (m->recs[old.all.v[b]].time < m->recs[old.all.v[a]].time || (m->recs[old.all.v[b]].time == m->recs[old.all.v[a]].time && old.all.v[b] < old.all.v[a])) {
                int x = old.all.v[a];
                old.all.v[a] = old.all.v[b], old.all.v[b] = x;
            }
    size_t n_parts = old.all.n != 0;
    for (size_t a = 1; a < old.all.n; a++) n_parts += !touches(m, m->recs[old.all.v[a - 1]].time, m->recs[old.all.v[a]].time);
    bool is_same = n_parts == 1 && m->recs[old.all.v[0]].time == old.start && m->recs[old.all.v[old.all.n - 1]].time + m->spec->size == old.end;
    if (!is_same && old.has_fired) say(m, "retract", &old);
    struct mw *part = NULL;
    for (size_t a = 0; a < old.all.n; a++) {
        int64_t t = m->recs[old.all.v[a]].time;
        if (a && !touches(m, m->recs[old.all.v[a - 1]].time, t)) model_refire(m, part), part = NULL;
        if (!part) {
            part = mw_new(m, r->key, t, t + m->spec->size);
            if (is_same) part->has_fired = old.has_fired, part->pane = old.pane;
        }
        part->end = t + m->spec->size;
        mw_add(part, old.all.v[a]);
    }
    if (part) model_refire(m, part);
    list_release(&old.all), list_release(&old.fresh);
    return DP_WINDOW_USED;
}

static enum dp_window_fate place_session(struct model *m, int i) {
    const struct rec *r = &m->recs[i];
    if (r->subtract) return cut_session(m, i);
    int64_t start = r->time, last = r->time, size = m->spec->size;
    struct mw *one = NULL;
    size_t n = 0;
    for (bool is_growing = true; is_growing;) {
        is_growing = false;
        n = 0;
        for (size_t j = 0; j < m->n; j++) {
            struct mw *w = &m->w[j];
            if (w->key != r->key || !touches(m, w->end - size, start) || !touches(m, last, w->start)) continue;
            n++, one = w;
            if (w->start < start) start = w->start, is_growing = true;
            if (w->end - size > last) last = w->end - size, is_growing = true;
        }
    }
    if (closed(m, last + size)) return DP_WINDOW_LATE;
    if (n == 1 && one->start == start && one->end == last + size) {
        mw_add(one, i);
        model_refire(m, one);
        return DP_WINDOW_USED;
    }
    struct mw all = {.start = start, .end = last + size, .key = r->key, .is_changed = true};
    if (m->n) qsort(m->w, m->n, sizeof *m->w, mw_order);
    for (size_t j = 0; j < m->n; j++) {
        struct mw *w = &m->w[j];
        if (w->key != r->key || w->start < start || w->end > last + size) continue;
        if (w->has_fired) say(m, "retract", w);
        for (size_t x = 0; x < w->all.n; x++) list_add(&all.all, w->all.v[x]);
        for (size_t x = 0; x < w->fresh.n; x++) list_add(&all.fresh, w->fresh.v[x]);
    }
    for (size_t j = m->n; j--;)
        if (m->w[j].key == r->key && m->w[j].start >= start && m->w[j].end <= last + size) mw_free(m, &m->w[j]);
    struct mw *w = mw_new(m, r->key, start, last + size);
    *w = all;
    mw_add(w, i);
    model_refire(m, w);
    return DP_WINDOW_USED;
}

/* Does [end - D, end] exist among the records that are held, and what is in it? */
static bool slide_at(const struct model *m, int key, int64_t end, struct list *in) {
    bool is_there = false;
    in->n = 0;
    for (size_t i = 0; i < m->held[key].n; i++) {
        int64_t t = m->recs[m->held[key].v[i]].time;
        if (t == end || t + 1 + m->spec->size == end) is_there = true;
        if (t >= end - m->spec->size && t <= end) list_add(in, m->held[key].v[i]);
    }
    return is_there && in->n;
}

static enum dp_window_fate place_slide(struct model *m, int i) {
    const struct rec *r = &m->recs[i];
    int64_t d = m->spec->size;
    struct list before = {0}, after = {0};
    int taken = i;
    if (closed(m, r->time + d)) return DP_WINDOW_LATE;
    if (r->subtract) {
        if (!list_take(m, &m->held[r->key], i, &taken)) return DP_WINDOW_UNKNOWN;
    } else {
        list_add(&m->held[r->key], i);
    }
    for (int64_t end = r->time; end <= r->time + d + 1; end++) {
        bool now = slide_at(m, r->key, end, &after);
        struct mw *w = mw_find(m, r->key, end - d, end);
        if (closed(m, end) || (!now && !w)) continue;
        if (!now) {
            if (w->has_fired) say(m, "retract", w);
            mw_free(m, w);
            continue;
        }
        if (w && end == r->time + d + 1) continue; /* it is not in it */
        if (!w) w = mw_new(m, r->key, end - d, end);
        for (size_t x = 0; x < after.n; x++) {
            bool is_new = true;
            for (size_t y = 0; y < w->all.n; y++) is_new &= w->all.v[y] != after.v[x];
            if (is_new) list_add(&w->fresh, after.v[x]);
        }
        w->all.n = 0;
        for (size_t x = 0; x < after.n; x++) list_add(&w->all, after.v[x]);
        model_refire(m, w);
    }
    list_release(&before), list_release(&after);
    return DP_WINDOW_USED;
}

static void say_count(struct model *m, int key, size_t from, size_t n, const char *op) {
    struct mw w = {.start = INT64_MAX, .end = INT64_MIN, .key = key};
    for (size_t i = from; i < from + n; i++) {
        int64_t t = m->recs[m->held[key].v[i]].time;
        if (t < w.start) w.start = t;
        if (t > w.end) w.end = t;
        mw_add(&w, m->held[key].v[i]);
    }
    say(m, op, &w);
    list_release(&w.all), list_release(&w.fresh);
}

static enum dp_window_fate model_place(struct model *m, int i) {
    const struct rec *r = &m->recs[i];
    struct list *l = &m->held[r->key];
    switch (m->spec->kind) {
    case DP_WINDOW_TUMBLE:
    case DP_WINDOW_HOP:
    case DP_WINDOW_CALENDAR: return place_grid(m, i);
    case DP_WINDOW_SESSION: return place_session(m, i);
    case DP_WINDOW_SLIDE: return place_slide(m, i);
    case DP_WINDOW_COUNT:
        list_add(l, i);
        if (l->n >= (size_t)m->spec->count && (l->n - (size_t)m->spec->count) % (size_t)m->spec->every == 0)
            say_count(m, r->key, l->n - (size_t)m->spec->count, (size_t)m->spec->count, "emit");
        return DP_WINDOW_USED;
    }
    return DP_WINDOW_UNKNOWN;
}

static void model_early(struct model *m) {
    if (m->n) qsort(m->w, m->n, sizeof *m->w, mw_order);
    for (size_t i = 0; i < m->n; i++) {
        struct mw *w = &m->w[i];
        if (w->is_changed && !(m->spec->emit == DP_WINDOW_FINAL ? closed(m, w->end) : due(m, w->end))) say(m, "early", w);
        w->is_changed = false;
    }
}

static void model_release(struct model *m) {
    while (m->n) mw_free(m, m->w);
    free(m->w);
    for (int k = 0; k < KEYS; k++) list_release(&m->held[k]);
    dp_buf_release(&m->out);
}

/* ---- random streams ---- */

static void random_spec(struct dice *d, enum dp_window_kind kind, struct dp_window_spec *s) {
    *s = (struct dp_window_spec){.kind = kind, .size = 1 + (int64_t)roll(d, 30), .slide = 1 + (int64_t)roll(d, 25), .offset = (int64_t)roll(d, 50) - 25, .week_start = 1};
    s->gap_exclusive = roll(d, 3) == 0;
    s->count = 1 + (int64_t)roll(d, 6), s->every = roll(d, 2) ? s->count : 1 + (int64_t)roll(d, 8);
    s->lateness = roll(d, 2) ? (int64_t)roll(d, 40) : 0;
    s->emit = (enum dp_window_emit)roll(d, 3);
    s->panes = (enum dp_window_panes)(roll(d, 3) == 0);
    s->changes = kind != DP_WINDOW_COUNT && roll(d, 3) == 0;
    if (s->changes) s->panes = DP_WINDOW_ACCUMULATING;
}

static void random_records(struct dice *d, struct rec *v, size_t n, bool changes) {
    int64_t now = (int64_t)roll(d, 100) - 120;
    uint64_t step = 1 + roll(d, 6), back = 1 + roll(d, 60), values = 1 + roll(d, 50);
    for (size_t i = 0; i < n; i++) {
        now += (int64_t)roll(d, step);
        if (roll(d, 40) == 0) now += 60;
        v[i] = (struct rec){now, (int)roll(d, KEYS), (int)roll(d, values), false};
        if (roll(d, 3) == 0) v[i].time -= (int64_t)roll(d, back);
        if (changes && i && roll(d, 3) == 0) {
            v[i] = v[roll(d, i)];
            if (roll(d, 8) == 0) v[i].value++;
            v[i].subtract = !v[i].subtract || roll(d, 4);
        }
    }
}

static void compare(const struct rig *r, const struct model *m, uint64_t seed, const char *when) {
    if (dp_str_eq(dp_buf_str(&r->out), dp_buf_str(&m->out))) return;
    const struct dp_window_spec *s = m->spec;
    size_t i = 0, start = 0;
    while (i < r->out.n && i < m->out.n && r->out.p[i] == m->out.p[i]) i++;
    for (size_t j = 0; j < i; j++)
        if (r->out.p[j] == '\n') start = j + 1;
    fail_msg("seed %llu, %s, kind %d size %lld slide %lld count %lld/%lld lateness %lld emit %d panes %d changes %d exclusive %d memory %llu:\nis     %.*s\nand not %.*s", (unsigned long long)seed, when,
             s->kind, (long long)s->size, (long long)s->slide, (long long)s->count, (long long)s->every, (long long)s->lateness, s->emit, s->panes, s->changes, s->gap_exclusive,
             (unsigned long long)r->conf.memory, (int)(r->out.n - start > 400 ? 400 : r->out.n - start), r->out.p + start, (int)(m->out.n - start > 400 ? 400 : m->out.n - start), m->out.p + start);
}

static void one_stream(enum dp_window_kind kind, uint64_t seed, struct dp_agg_reader *reader) {
    struct dice d = {seed * 977 + (uint64_t)kind};
    struct dp_window_spec spec;
    struct rec recs[RECORDS];
    struct dp_window_event events[RECORDS];
    struct dp_buf rows[RECORDS] = {{0}};
    enum dp_window_fate fates[RECORDS], want[RECORDS];
    struct rig r;
    struct dp_map store = {0};
    random_spec(&d, kind, &spec);
    random_records(&d, recs, RECORDS, spec.changes);
    struct model m = {.spec = &spec, .recs = recs, .now = INT64_MIN};
    int64_t delay = roll(&d, 2) ? (int64_t)roll(&d, 50) : 0, most = INT64_MIN;
    bool has_delay = roll(&d, 5) != 0, is_saved = false, is_early = kind != DP_WINDOW_SLIDE && kind != DP_WINDOW_COUNT && roll(&d, 3) == 0 && spec.panes == DP_WINDOW_ACCUMULATING;
    rig_open(&r, AGGS, &spec, roll(&d, 2) ? 1 : 64 << 20, has_delay, delay);
    for (int i = 0; i < RECORDS; i++) {
        dp_buf_addf(&rows[i], "{\"v\":%d}", recs[i].value);
        struct dp_buf text = rows[i];
        rows[i] = (struct dp_buf){0};
        read_row(reader, dp_buf_str(&text), &rows[i]);
        dp_buf_release(&text);
        struct dp_str key = dp_str_z(key_names[recs[i].key]);
        events[i] = (struct dp_window_event){recs[i].time, dp_window_hash(key), key, dp_buf_str(&rows[i]), 0, recs[i].subtract};
    }
    for (int i = 0; i < RECORDS;) {
        int n = 1 + (int)roll(&d, 40);
        if (n > RECORDS - i) n = RECORDS - i;
        OK(dp_window_add(r.w, events + i, (size_t)n, fates + i, err));
        for (int j = i; j < i + n; j++) {
            want[j] = model_place(&m, j);
            if (recs[j].time > most) most = recs[j].time;
            if (has_delay && most - delay > m.now) m.now = most - delay;
            model_fire(&m);
            if (fates[j] != want[j]) fail_msg("seed %llu kind %d: record %d at %lld is %d, not %d", (unsigned long long)seed, kind, j, (long long)recs[j].time, fates[j], want[j]);
        }
        i += n;
        if (!has_delay && roll(&d, 2)) {
            int64_t to = most - (int64_t)roll(&d, 20);
            (void)dp_watermark_set(&r.mark, SIZE_MAX, to);
            OK(dp_window_advance(r.w, err));
            if (to > m.now) m.now = to;
            model_fire(&m);
        }
        compare(&r, &m, seed, "on the way");
        if (is_early && roll(&d, 3) == 0) {
            OK(dp_window_early(r.w, err));
            model_early(&m);
            compare(&r, &m, seed, "early");
        }
        if (roll(&d, 3) == 0) {
            rig_save(&r, &store, !is_saved || roll(&d, 6) == 0);
            is_saved = true;
            compare(&r, &m, seed, "behind a save");
            if (roll(&d, 2) && !is_early) rig_restore(&r, &store); /* early rows may come once more behind it */
        }
    }
    if (kind == DP_WINDOW_COUNT) m.out.n = r.out.n = 0;
    OK(dp_window_flush(r.w, true, err));
    m.now = INT64_MAX / 2;
    model_fire(&m);
    if (kind == DP_WINDOW_COUNT) {
        /* what is left, by end, start and key */
        for (int k = 0; k < KEYS; k++) {
            struct list *l = &m.held[k];
            size_t first = 0;
            while (first + (size_t)spec.count <= l->n) first += (size_t)spec.every;
            if (first >= l->n) continue;
            struct mw *w = mw_new(&m, k, INT64_MAX, INT64_MIN);
            for (size_t i = first; i < l->n; i++) {
                int64_t t = recs[l->v[i]].time;
                if (t < w->start) w->start = t;
                if (t > w->end) w->end = t;
                mw_add(w, l->v[i]);
            }
        }
        if (m.n) qsort(m.w, m.n, sizeof *m.w, mw_order);
        for (size_t i = 0; i < m.n; i++) say(&m, "emit", &m.w[i]);
    }
    compare(&r, &m, seed, "at the end");
    for (int i = 0; i < RECORDS; i++) dp_buf_release(&rows[i]);
    store_clear(&store);
    model_release(&m);
    rig_close(&r);
}

static void streams(enum dp_window_kind kind) {
    const char *z = getenv("DP_WINDOW_STREAMS");
    uint64_t n = z ? strtoull(z, NULL, 10) : 150;
    struct dp_aggs *aggs = NULL;
    const char *text = AGGS;
    OK(dp_aggs_parse(&text, 1, NULL, &aggs, err));
    struct dp_agg_reader *reader = dp_agg_reader_open(aggs);
    for (uint64_t seed = 1; seed <= n; seed++) one_stream(kind, seed, reader);
    dp_agg_reader_close(reader);
    dp_aggs_free(aggs);
}

static void tumble_streams(void **state) { (void)state, streams(DP_WINDOW_TUMBLE); }
static void hop_streams(void **state) { (void)state, streams(DP_WINDOW_HOP); }
static void session_streams(void **state) { (void)state, streams(DP_WINDOW_SESSION); }
static void slide_streams(void **state) { (void)state, streams(DP_WINDOW_SLIDE); }
static void count_streams(void **state) { (void)state, streams(DP_WINDOW_COUNT); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tumble_streams), cmocka_unit_test(hop_streams), cmocka_unit_test(session_streams), cmocka_unit_test(slide_streams),
                                       cmocka_unit_test(count_streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Skew of partitions (dp/io/skew.h). */
#include <dp/io/skew.h>

#include <dp/record/json.h>

#include <stdlib.h>

enum { KEEP = 4096, SHOWN = 10 };

struct dp_skew {
    const struct dp_layout *layout;
    bool (*hides)(void *ctx, const char *column);
    void *ctx;
    struct dp_map parts;  /* key bytes of dp_lay_group -> rows */
    struct dp_map values; /* "number of the key", partition's number, value as JSON -> rows */
    uint64_t rows, error; /* error: what a count of values may be short of */
    struct dp_buf key;
};

struct dp_skew *dp_skew_open(const struct dp_layout *l, bool (*hides)(void *ctx, const char *column), void *ctx) {
    struct dp_skew *s = dp_calloc(1, sizeof *s);
    s->layout = l, s->hides = hides, s->ctx = ctx;
    return s;
}

void dp_skew_close(struct dp_skew *s) {
    if (!s) return;
    dp_map_release(&s->parts);
    dp_map_release(&s->values);
    dp_buf_release(&s->key);
    free(s);
}

/* ---- counting ---- */

static int by_count(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Half of the values go: the least frequent ones, and as much of the others. */
static void shrink(struct dp_skew *s) {
    struct dp_map kept = {0};
    uint64_t *counts = dp_calloc(s->values.n, sizeof *counts);
    for (size_t i = 0; i < s->values.n; i++) counts[i] = s->values.items[i].v.u;
    qsort(counts, s->values.n, sizeof *counts, by_count);
    uint64_t cut = counts[s->values.n / 2];
    for (size_t i = 0; i < s->values.n; i++)
        if (s->values.items[i].v.u > cut) dp_map_put(&kept, s->values.items[i].key, NULL)->v.u = s->values.items[i].v.u - cut;
    free(counts);
    dp_map_release(&s->values);
    s->values = kept;
    s->error += cut;
}

static void add_value(struct dp_skew *s, uint32_t key, uint32_t part, const struct dp_column *c, int64_t row) {
    dp_buf_reset(&s->key);
    dp_buf_add(&s->key, &key, 4);
    dp_buf_add(&s->key, &part, 4);
    dp_column_print(c, row, NULL, &s->key);
    dp_map_put(&s->values, dp_buf_str(&s->key), NULL)->v.u++;
    if (s->values.n >= KEEP) shrink(s);
}

void dp_skew_add(struct dp_skew *s, const struct dp_lay_rows *r) {
    if (!s->layout->n || !r->rows.length) return;
    uint32_t *number = dp_calloc(r->groups.n + 1, sizeof *number);
    for (size_t g = 0; g < r->groups.n; g++) {
        bool is_new;
        struct dp_map_item *item = dp_map_put(&s->parts, r->groups.items[g].key, &is_new);
        number[g] = (uint32_t)(item - s->parts.items);
    }
    for (int64_t row = 0; row < r->rows.length; row++) {
        uint32_t part = number[r->group_of[row]];
        s->parts.items[part].v.u++;
        for (size_t k = 0; k < s->layout->n; k++)
            if (s->layout->keys[k].fn != DP_LAYOUT_VALUE) add_value(s, (uint32_t)k, part, &r->rows.columns[s->layout->keys[k].index], row);
    }
    s->rows += (uint64_t)r->rows.length;
    free(number);
}

/* ---- telling ---- */

struct top { uint64_t rows; size_t at; };

static int by_rows(const void *a, const void *b) {
    const struct top *x = a, *y = b;
    if (x->rows != y->rows) return x->rows < y->rows ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at); /* the one that came first */
}

static struct top *sorted(const struct dp_map *m) {
    struct top *t = dp_calloc(m->n + 1, sizeof *t);
    for (size_t i = 0; i < m->n; i++) t[i] = (struct top){m->items[i].v.u, i};
    qsort(t, m->n, sizeof *t, by_rows);
    return t;
}

/* "day=2026-01-02/b=3"; values that must not be shown are a sign. */
static void print_part(const struct dp_skew *s, struct dp_str key, struct dp_buf *out) {
    for (size_t k = 0; k < s->layout->n && key.n >= 4; k++) {
        uint32_t n;
        memcpy(&n, key.p, 4);
        size_t size = n == UINT32_MAX ? 0 : n;
        const struct dp_layout_key *by = &s->layout->keys[k];
        dp_buf_addf(out, "%s%s=", k ? "/" : "", by->name);
        if (n == UINT32_MAX) dp_buf_addz(out, "null");
        else if (s->hides && s->hides(s->ctx, by->column)) dp_buf_addz(out, "(classified)");
        else dp_buf_add(out, key.p + 4, size);
        key = dp_str(key.p + 4 + size, key.n - 4 - size);
    }
}

static void print_value(const struct dp_skew *s, struct dp_str item, struct dp_buf *out) {
    uint32_t key;
    memcpy(&key, item.p, 4);
    const char *column = s->layout->keys[key].column;
    dp_buf_addf(out, "%s = ", column);
    if (s->hides && s->hides(s->ctx, column)) dp_buf_addz(out, "(classified)");
    else dp_buf_add(out, item.p + 8, item.n - 8);
}

/* What to do about the largest partition. */
static void advise(const struct dp_skew *s, const struct top *parts, const struct top *values, struct dp_buf *out) {
    uint64_t mean = s->parts.n ? s->rows / s->parts.n : 0;
    if (s->parts.n < 2 || parts[0].rows <= 2 * mean) {
        if (s->parts.n > 100 && mean < 10000) dp_buf_addf(out, "%zu partitions of %llu rows on average: a coarser key makes fewer and larger files", s->parts.n, (unsigned long long)mean);
        else dp_buf_addz(out, "even: no partition has more than twice the rows of the mean");
        return;
    }
    print_part(s, s->parts.items[parts[0].at].key, out);
    dp_buf_addf(out, " has %.1f times the rows of the mean", (double)parts[0].rows / (double)(mean ? mean : 1));
    for (size_t i = 0; i < s->values.n; i++) {
        struct dp_str item = s->values.items[values[i].at].key;
        uint32_t part;
        memcpy(&part, item.p + 4, 4);
        if (part != parts[0].at || values[i].rows * 2 < parts[0].rows) continue;
        dp_buf_addz(out, ", most of them of ");
        print_value(s, item, out);
        dp_buf_addz(out, ": no more partitions by this key divide it; a further --by of another column does");
        return;
    }
    dp_buf_addf(out, ": a further key, as --by 'part=hash(COLUMN,%llu)' of a column with many values, divides it", (unsigned long long)((parts[0].rows + mean - 1) / (mean ? mean : 1)));
}

void dp_skew_print(struct dp_skew *s, struct dp_buf *json, struct dp_buf *text) {
    struct top *parts = sorted(&s->parts), *values = sorted(&s->values);
    struct dp_buf b = {0}, j = {0};
    uint64_t mean = s->parts.n ? s->rows / s->parts.n : 0;
    dp_buf_addf(&j, "{\"partitions\":%zu,\"rows\":%llu,\"mean\":%llu,\"largest\":[", s->parts.n, (unsigned long long)s->rows, (unsigned long long)mean);
    for (size_t i = 0; i < s->parts.n && i < SHOWN; i++) {
        dp_buf_reset(&b);
        print_part(s, s->parts.items[parts[i].at].key, &b);
        dp_buf_addz(&j, i ? ",{\"partition\":" : "{\"partition\":");
        dp_json_add_string(&j, dp_buf_str(&b));
        dp_buf_addf(&j, ",\"rows\":%llu}", (unsigned long long)parts[i].rows);
        if (text) dp_buf_addf(text, "skew: %llu rows in ", (unsigned long long)parts[i].rows), dp_buf_adds(text, dp_buf_str(&b)), dp_buf_addc(text, '\n');
    }
    dp_buf_addz(&j, "],\"heavy\":[");
    for (size_t i = 0, n = 0; i < s->values.n && n < SHOWN; i++) {
        if (values[i].rows * 10 < mean) break; /* it weighs nothing */
        dp_buf_reset(&b);
        print_value(s, s->values.items[values[i].at].key, &b);
        dp_buf_addz(&j, n++ ? ",{\"value\":" : "{\"value\":");
        dp_json_add_string(&j, dp_buf_str(&b));
        dp_buf_addf(&j, ",\"rows\":%llu}", (unsigned long long)values[i].rows);
    }
    dp_buf_addf(&j, "],\"heavy_error\":%llu,\"advice\":", (unsigned long long)s->error);
    dp_buf_reset(&b);
    advise(s, parts, values, &b);
    dp_json_add_string(&j, dp_buf_str(&b));
    dp_buf_addc(&j, '}');
    if (text) dp_buf_addz(text, "skew: "), dp_buf_adds(text, dp_buf_str(&b)), dp_buf_addc(text, '\n');
    if (json) dp_buf_adds(json, dp_buf_str(&j));
    dp_buf_release(&b), dp_buf_release(&j);
    free(parts), free(values);
}

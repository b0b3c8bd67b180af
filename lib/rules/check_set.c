/*
 * Lists of values that a field may or may not hold: strings by their length and both ends, numbers by value.  Most lists are a few short words,
 * and then the ends are the whole string.
 */
#include "check_priv.h"

#include <stdlib.h>

struct word {
    uint64_t head, tail; /* first and last 8 bytes; shorter strings: zeros behind, and no tail */
    struct dp_str text;
};

struct check_set {
    struct dp_arena arena;
    struct word *words;
    size_t n_words, cap_words;
    uint32_t *slots; /* index + 1 */
    size_t n_slots;
    struct check_number *numbers;
    size_t n_numbers, cap_numbers;
    bool has_null, has_true, has_false;
};

struct check_set *check_set_open(void) { return dp_calloc(1, sizeof(struct check_set)); }

void check_set_close(struct check_set *s) {
    if (!s) return;
    dp_arena_release(&s->arena);
    free(s->words);
    free(s->slots);
    free(s->numbers);
    free(s);
}

/* At least 8 bytes are readable behind the start of text. */
static inline struct word word_of(struct dp_str text) {
    struct word w = {.text = text};
    memcpy(&w.head, text.p, 8);
    if (text.n >= 8) memcpy(&w.tail, text.p + text.n - 8, 8);
    else w.head &= text.n ? ~UINT64_C(0) >> (64 - 8 * text.n) : 0;
    return w;
}

static inline size_t place(const struct check_set *s, const struct word *w) {
    uint64_t h = (w->head ^ (w->tail << 29 | w->tail >> 35) ^ w->text.n) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (s->n_slots - 1);
}

static inline bool same(const struct word *a, const struct word *b) {
    if (a->head != b->head || a->tail != b->tail || a->text.n != b->text.n) return false;
    return a->text.n <= 16 || memcmp(a->text.p, b->text.p, a->text.n) == 0;
}

/* Masks assume that the first byte of a string is the lowest of its word. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");

void check_set_add_string(struct check_set *s, struct dp_str text) {
    char *p = dp_arena_calloc(&s->arena, text.n + 8, 1);
    if (text.n) memcpy(p, text.p, text.n);
    s->words = dp_grow(s->words, &s->cap_words, s->n_words + 1, sizeof *s->words);
    s->words[s->n_words++] = word_of(dp_str(p, text.n));
}

void check_set_add_number(struct check_set *s, struct dp_str text) {
    s->numbers = dp_grow(s->numbers, &s->cap_numbers, s->n_numbers + 1, sizeof *s->numbers);
    s->numbers[s->n_numbers++] = check_number_of(dp_arena_str(&s->arena, text));
}

void check_set_add_bool(struct check_set *s, bool v) {
    if (v) s->has_true = true;
    else s->has_false = true;
}

void check_set_add_null(struct check_set *s) { s->has_null = true; }
bool check_set_has_null(const struct check_set *s) { return s->has_null; }
size_t check_set_count(const struct check_set *s) { return s->n_words + s->n_numbers + s->has_null + s->has_true + s->has_false; }

static int by_value(const void *a, const void *b) { return check_number_cmp(a, b); }

void check_set_seal(struct check_set *s) {
    s->n_slots = 4;
    while (s->n_slots < 4 * s->n_words) s->n_slots *= 2;
    s->slots = dp_calloc(s->n_slots, sizeof *s->slots);
    for (size_t i = 0; i < s->n_words; i++) {
        size_t at = place(s, &s->words[i]);
        while (s->slots[at]) at = (at + 1) & (s->n_slots - 1);
        s->slots[at] = (uint32_t)i + 1;
    }
    if (s->n_numbers) qsort(s->numbers, s->n_numbers, sizeof *s->numbers, by_value);
}

bool check_set_has_string(const struct check_set *s, struct dp_str text) {
    if (!s->n_words) return false;
    struct word w = word_of(text);
    for (size_t at = place(s, &w); s->slots[at]; at = (at + 1) & (s->n_slots - 1))
        if (same(&s->words[s->slots[at] - 1], &w)) return true;
    return false;
}

bool check_set_has_number(const struct check_set *s, const struct check_number *n) {
    size_t lo = 0, hi = s->n_numbers;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = check_number_cmp(&s->numbers[mid], n);
        if (c == 0) return true;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return false;
}

bool check_set_has_bool(const struct check_set *s, bool v) { return v ? s->has_true : s->has_false; }

static bool is_number(struct dp_str s) {
    struct dp_buf b = {0};
    struct dp_scan *scan = dp_scan_open(0, DP_SCAN_PORTABLE);
    struct dp_record r;
    dp_buf_adds(&b, s);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    bool yes = s.n && dp_scan_value(scan, b.p, b.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_NUMBER && r.nodes[0].len == s.n;
    dp_scan_close(scan);
    dp_buf_release(&b);
    return yes;
}

/* What YAML writes of a list says less than the field's type: 1 in a list of strings is "1", "1" in one of numbers is 1. */
bool check_set_add_node(struct check_set *s, const struct check_field *f, const struct dp_yaml_node *n) {
    enum dp_logical l = f ? f->logical : DP_LOGICAL_NONE;
    bool wants_number = l == DP_LOGICAL_NUMBER || l == DP_LOGICAL_INTEGER;
    bool wants_text = l == DP_LOGICAL_STRING || l == DP_LOGICAL_DATE || l == DP_LOGICAL_TIMESTAMP || l == DP_LOGICAL_TIME;
    switch (n->kind) {
    case DP_YAML_NULL: check_set_add_null(s); return true;
    case DP_YAML_LIST:
    case DP_YAML_MAP: return false;
    case DP_YAML_BOOL:
        if (wants_text) check_set_add_string(s, n->text);
        else check_set_add_bool(s, n->text.p[0] == 't' || n->text.p[0] == 'T');
        return true;
    case DP_YAML_INT:
    case DP_YAML_FLOAT:
        if (wants_text || !is_number(n->text)) check_set_add_string(s, n->text);
        else check_set_add_number(s, n->text);
        return true;
    case DP_YAML_STRING:
        if (wants_number && is_number(n->text)) check_set_add_number(s, n->text);
        check_set_add_string(s, n->text);
        return true;
    }
    return false;
}

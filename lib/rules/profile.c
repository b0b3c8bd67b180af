/*
 * Evidence about the values of one field.  Uniqueness is a set of 64-bit hashes that is thrown away at the first value met again; an enumeration is the first few
 * different strings; a pattern is the row of runs that a string falls into (letters and digits, or one punctuation character), widened by each string
 * that has the same row and given up at the first that has another.
 */
#include <dp/rules/profile.h>

#include <dp/base/mem.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define RUNS 12
#define RUN_BYTES 40
#define VALUE_BYTES 40

enum char_class { CLASS_DIGIT = 1, CLASS_LOWER = 2, CLASS_UPPER = 4, CLASS_LOWER_HEX = 8, CLASS_UPPER_HEX = 16, CLASS_PUNCTUATION = 32 };

struct run {
    unsigned classes;      /* that its characters belong to; LOWER and UPPER also for a to f */
    bool beyond_hex;       /* a letter behind f was met */
    bool is_literal;       /* the same in all values so far, in `text` */
    uint8_t text_n;
    char text[RUN_BYTES];
    size_t min, max;
};

struct value {
    uint64_t count;
    uint8_t n;
    char text[VALUE_BYTES];
};

struct dp_profile {
    uint64_t strings, numbers;
    uint64_t *hashes;      /* open addressing, 0 = free; NULL when a value came twice or there were too many */
    size_t n_hashes, cap;
    bool repeated;
    struct value *values;  /* the different strings, NULL when there are too many */
    size_t n_values;
    bool many;
    unsigned not_forms;    /* bit by enum dp_textform */
    struct run runs[RUNS];
    size_t n_runs;
    bool no_pattern;
};

/* ---- uniqueness ---- */

static bool put_hash(uint64_t *table, size_t cap, uint64_t h) {
    size_t i = h & (cap - 1);
    for (; table[i]; i = (i + 1) & (cap - 1))
        if (table[i] == h) return false;
    table[i] = h;
    return true;
}

static void forget_hashes(struct dp_profile *p) {
    free(p->hashes);
    p->hashes = NULL;
}

static void watch_unique(struct dp_profile *p, struct dp_str v) {
    uint64_t h = XXH3_64bits(v.n ? v.p : "", v.n);
    if (!h) h = 1;
    if (p->n_hashes * 2 >= p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        uint64_t *table = dp_calloc(cap, sizeof *table);
        for (size_t i = 0; i < p->cap; i++)
            if (p->hashes[i]) (void)put_hash(table, cap, p->hashes[i]);
        free(p->hashes);
        p->hashes = table;
        p->cap = cap;
    }
    if (!put_hash(p->hashes, p->cap, h)) p->repeated = true;
    p->n_hashes++;
    if (p->repeated || p->n_hashes == DP_PROFILE_DISTINCT) forget_hashes(p);
}

/* ---- enumerations ---- */

static void watch_values(struct dp_profile *p, struct dp_str v) {
    if (!p->values) p->values = dp_calloc(DP_PROFILE_VALUES, sizeof *p->values);
    for (size_t i = 0; i < p->n_values; i++)
        if (dp_str_eq(v, dp_str(p->values[i].text, p->values[i].n))) {
            p->values[i].count++;
            return;
        }
    if (v.n > VALUE_BYTES || p->n_values == DP_PROFILE_VALUES) {
        p->many = true;
        free(p->values);
        p->values = NULL;
        return;
    }
    struct value *new = &p->values[p->n_values++];
    new->count = 1;
    new->n = (uint8_t)v.n;
    if (v.n) memcpy(new->text, v.p, v.n);
}

/* ---- formats ---- */

static void watch_forms(struct dp_profile *p, struct dp_str v) {
    static const enum dp_textform forms[] = {DP_TEXTFORM_EMAIL, DP_TEXTFORM_UUID, DP_TEXTFORM_URI, DP_TEXTFORM_IPV4, DP_TEXTFORM_IPV6};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (!(p->not_forms >> forms[i] & 1) && !dp_textform_matches(forms[i], v)) p->not_forms |= 1u << forms[i];
}

/* ---- patterns ---- */

static unsigned classify(unsigned char c) {
    if (c >= '0' && c <= '9') return CLASS_DIGIT;
    if (c >= 'a' && c <= 'z') return c <= 'f' ? CLASS_LOWER | CLASS_LOWER_HEX : CLASS_LOWER;
    if (c >= 'A' && c <= 'Z') return c <= 'F' ? CLASS_UPPER | CLASS_UPPER_HEX : CLASS_UPPER;
    return c > ' ' && c < 127 ? CLASS_PUNCTUATION : 0;
}

/* The run that begins at v.p[from], its length; 0: a character that no pattern is made for. */
static size_t take_run(struct dp_str v, size_t from, struct run *r) {
    size_t n = 0;
    *r = (struct run){.is_literal = true};
    for (; from + n < v.n; n++) {
        unsigned c = classify((unsigned char)v.p[from + n]);
        if (!c) return 0;
        if (n && (c | r->classes) & CLASS_PUNCTUATION) break;
        r->classes |= c;
        r->beyond_hex |= (c & (CLASS_LOWER | CLASS_UPPER)) && !(c & (CLASS_LOWER_HEX | CLASS_UPPER_HEX));
    }
    r->min = r->max = n;
    r->is_literal = n <= RUN_BYTES;
    r->text_n = (uint8_t)(r->is_literal ? n : 0);
    memcpy(r->text, v.p + from, r->text_n);
    return n;
}

/* Widens the run to hold another; false: they are of two kinds. */
static bool widen(struct run *r, const struct run *other) {
    bool same = r->is_literal && other->is_literal && dp_str_eq(dp_str(r->text, r->text_n), dp_str(other->text, other->text_n));
    if ((r->classes | other->classes) & CLASS_PUNCTUATION) return same;
    r->is_literal = same;
    r->classes |= other->classes;
    r->beyond_hex |= other->beyond_hex;
    if (other->min < r->min) r->min = other->min;
    if (other->max > r->max) r->max = other->max;
    return true;
}

static bool watch_runs(struct dp_profile *p, struct dp_str v) {
    struct run r;
    size_t n = 0, at = 0;
    while (at < v.n) {
        size_t len = take_run(v, at, &r);
        if (!len || n == RUNS) return false;
        if (p->strings == 1) p->runs[p->n_runs++] = r;
        else if (n == p->n_runs || !widen(&p->runs[n], &r)) return false;
        n++;
        at += len;
    }
    return n && n == p->n_runs;
}

/* ---- watching ---- */

static void watch(void **mine, enum dp_kind kind, struct dp_str v) {
    struct dp_profile *p = *mine;
    if (!p) p = *mine = dp_calloc(1, sizeof *p);
    if (kind == DP_KIND_NUMBER) p->numbers++;
    else p->strings++;
    if (!p->repeated && p->n_hashes < DP_PROFILE_DISTINCT) watch_unique(p, v);
    if (kind != DP_KIND_STRING) return;
    if (!p->many) watch_values(p, v);
    watch_forms(p, v);
    if (!p->no_pattern && !watch_runs(p, v)) p->no_pattern = true;
}

static void drop(void *mine) {
    struct dp_profile *p = mine;
    free(p->hashes);
    free(p->values);
    free(p);
}

const struct dp_infer_watch dp_profile_watch = {watch, drop};

/* ---- telling ---- */

uint64_t dp_profile_count(const struct dp_profile *p) { return p->strings + p->numbers; }
bool dp_profile_is_unique(const struct dp_profile *p) { return !p->repeated && p->n_hashes > 0; }

static int by_bytes(const void *a, const void *b) { return dp_str_cmp(*(const struct dp_str *)a, *(const struct dp_str *)b); }

size_t dp_profile_values(const struct dp_profile *p, uint64_t each, struct dp_str out[DP_PROFILE_VALUES]) {
    if (p->many || p->numbers) return 0;
    for (size_t i = 0; i < p->n_values; i++) {
        if (p->values[i].count < each) return 0;
        out[i] = dp_str(p->values[i].text, p->values[i].n);
    }
    qsort(out, p->n_values, sizeof *out, by_bytes);
    return p->n_values;
}

enum dp_textform dp_profile_format(const struct dp_profile *p) {
    static const enum dp_textform forms[] = {DP_TEXTFORM_UUID, DP_TEXTFORM_EMAIL, DP_TEXTFORM_IPV4, DP_TEXTFORM_IPV6, DP_TEXTFORM_URI};
    for (size_t i = 0; p->strings && !p->numbers && i < sizeof forms / sizeof *forms; i++)
        if (!(p->not_forms >> forms[i] & 1)) return forms[i];
    return DP_TEXTFORM_NONE;
}

static void add_literal(struct dp_buf *out, const struct run *r) {
    for (size_t i = 0; i < r->text_n; i++) {
        if (strchr("^$\\.*+?()[]{}|/", r->text[i])) dp_buf_addc(out, '\\');
        dp_buf_addc(out, r->text[i]);
    }
}

static void add_class(struct dp_buf *out, const struct run *r) {
    unsigned letters = r->classes & (CLASS_LOWER | CLASS_UPPER);
    bool hex = letters && !r->beyond_hex && r->classes & CLASS_DIGIT && r->min >= 8;
    if (!letters) dp_buf_addz(out, "[0-9]");
    else dp_buf_addf(out, "[%s%s%s]", r->classes & CLASS_DIGIT ? "0-9" : "", letters & CLASS_UPPER ? hex ? "A-F" : "A-Z" : "",
                     letters & CLASS_LOWER ? hex ? "a-f" : "a-z" : "");
}

bool dp_profile_pattern(const struct dp_profile *p, struct dp_buf *out) {
    bool says = false;
    if (p->no_pattern || p->numbers || !p->n_runs) return false;
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct run *r = &p->runs[i];
        bool letters = r->classes & (CLASS_LOWER | CLASS_UPPER);
        if (!r->is_literal && letters && r->min != r->max) return false; /* words, names */
        says |= r->is_literal || r->min == r->max;
    }
    if (!says) return false;
    dp_buf_addc(out, '^');
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct run *r = &p->runs[i];
        if (r->is_literal) {
            add_literal(out, r);
            continue;
        }
        add_class(out, r);
        if (r->min != r->max) dp_buf_addc(out, '+');
        else if (r->min > 1) dp_buf_addf(out, "{%zu}", r->min);
    }
    dp_buf_addc(out, '$');
    return true;
}

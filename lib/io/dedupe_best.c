/*
 * The best record of each key (dedupe_priv.h).  A table of keys in the order of their hash, each with the number of its best record so far and that one's value; when it is full
 * it becomes a sorted run in an unlinked file.  Runs of one size are merged into one of the next when there are FAN of them; at the end all are, and what is best
 * of each key is told.
 *
 * A run's entry: 16 bytes of key, 8 of number, 4 of length, the value.
 */
#include "dedupe_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { FAN = 16, HEAD = 28, BLOCK = 64 << 10, FIRST = 4096, SLACK = 512, LEAST = 1 << 20 };

struct slot { struct dp_key key; uint64_t number; size_t at; }; /* at: of the value's length in `values`; number + 1 is held, 0 is free */
struct run { int fd; unsigned tier; uint64_t size; };

struct dedupe_best {
    dedupe_compare compare;
    uint64_t memory, spilled, count;
    struct slot *slots;  /* n_slots homes and SLACK more */
    size_t n_slots, used;
    struct dp_buf values;
    struct run *runs;
    size_t n_runs, cap_runs;
};

struct entry { struct dp_key key; uint64_t number; struct dp_str value; };

void dedupe_bits_set(struct dedupe_bits *b, uint64_t i) {
    if (i / 8 >= b->bytes) {
        size_t had = b->bytes;
        b->p = dp_grow(b->p, &b->bytes, (size_t)(i / 8) + 1, 1);
        memset(b->p + had, 0, b->bytes - had);
    }
    b->p[i / 8] |= (uint8_t)(1u << (i & 7));
}

struct dedupe_best *dedupe_best_open(uint64_t memory, dedupe_compare compare) {
    struct dedupe_best *b = dp_calloc(1, sizeof *b);
    b->memory = memory < LEAST ? LEAST : memory;
    b->compare = compare;
    return b;
}

static void drop_run(const struct run *r) { close(r->fd); }

void dedupe_best_close(struct dedupe_best *b) {
    if (!b) return;
    for (size_t i = 0; i < b->n_runs; i++) drop_run(&b->runs[i]);
    free(b->runs);
    free(b->slots);
    dp_buf_release(&b->values);
    free(b);
}

uint64_t dedupe_best_count(const struct dedupe_best *b) { return b->count; }
uint64_t dedupe_best_spilled(const struct dedupe_best *b) { return b->spilled; }

static int key_order(const struct dp_key *a, const struct dp_key *b) {
    for (int i = 0; i < 2; i++)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* Is the second one, which came later, better? */
static bool beats(const struct dedupe_best *b, struct dp_str old, struct dp_str new) { return b->compare(new, old) >= 0; }

/* ---- the table ---- */

static struct dp_str value_of(const struct dedupe_best *b, const struct slot *s) {
    uint32_t n;
    memcpy(&n, b->values.p + s->at, sizeof n);
    return dp_str(b->values.p + s->at + sizeof n, n);
}

/* The key's slot, or the free one for it; NULL: the table ends in front of one. */
static struct slot *place(const struct dedupe_best *b, const struct dp_key *key) {
    struct slot *s = b->slots + (size_t)(((dp_u128)key->w[0] * b->n_slots) >> 64), *end = b->slots + b->n_slots + SLACK;
    while (s < end && s->number && key_order(&s->key, key) != 0) s++;
    return s < end ? s : NULL;
}

static void grow(struct dedupe_best *b, size_t n) {
    struct slot *old = b->slots, *end = old ? old + b->n_slots + SLACK : old;
    b->slots = dp_calloc(n + SLACK, sizeof *b->slots);
    b->n_slots = n;
    for (struct slot *s = old; s < end; s++)
        if (s->number) *place(b, &s->key) = *s; /* half as dense: there is room */
    free(old);
}

/* ---- runs ---- */

static void print_entry(struct dp_buf *out, const struct entry *e) {
    uint32_t n = (uint32_t)e->value.n;
    dp_buf_add(out, &e->key, sizeof e->key);
    dp_buf_add(out, &e->number, sizeof e->number);
    dp_buf_add(out, &n, sizeof n);
    dp_buf_adds(out, e->value);
}

static enum dp_status write_block(struct dedupe_best *b, struct run *r, struct dp_buf *block, size_t least, struct dp_err *err) {
    if (block->n < least) return DP_OK;
    if (dp_fd_write(r->fd, block->p, block->n, err) != DP_OK) return dp_err_prefix(err, "spilling keys: ");
    r->size += block->n, b->spilled += block->n;
    dp_buf_reset(block);
    return DP_OK;
}

static int by_key(const void *x, const void *y) { return key_order(&((const struct slot *)x)->key, &((const struct slot *)y)->key); }

/* Slots to the front of the table, in order: only within a row of slots without a gap are they not in order already. */
static size_t gather(struct dedupe_best *b) {
    size_t all = b->n_slots + SLACK, n = 0;
    for (size_t i = 0; i < all;) {
        size_t start = n;
        for (; i < all && b->slots[i].number; i++) b->slots[n++] = b->slots[i];
        if (n - start > 1) qsort(b->slots + start, n - start, sizeof *b->slots, by_key);
        if (n == start) i++;
    }
    return n;
}

static enum dp_status merge_tier(struct dedupe_best *b, struct dp_err *err);

static enum dp_status spill(struct dedupe_best *b, struct dp_err *err) {
    struct run r = {0};
    struct dp_buf block = {0};
    enum dp_status status = DP_OK;
    if (!b->used) return DP_OK;
    DP_TRY(dp_spill_open(&r.fd, err));
    size_t n = gather(b);
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        const struct slot *s = &b->slots[i];
        print_entry(&block, &(struct entry){s->key, s->number - 1, value_of(b, s)});
        status = write_block(b, &r, &block, BLOCK, err);
    }
    if (status == DP_OK) status = write_block(b, &r, &block, 1, err);
    dp_buf_release(&block);
    if (status != DP_OK) {
        drop_run(&r);
        return status;
    }
    b->runs = dp_grow(b->runs, &b->cap_runs, b->n_runs + 1, sizeof *b->runs);
    b->runs[b->n_runs++] = r;
    memset(b->slots, 0, (b->n_slots + SLACK) * sizeof *b->slots);
    b->used = 0;
    dp_buf_reset(&b->values);
    return merge_tier(b, err);
}

/* ---- merging ---- */

struct cursor {
    const struct run *run;
    uint64_t at;         /* of the run, behind what is in the block */
    struct dp_buf block;
    size_t next;         /* in the block */
    struct entry now;    /* borrowed from the block */
    bool ended;
};

/* n bytes from `next` on. */
static enum dp_status fill(struct cursor *c, size_t n, struct dp_err *err) {
    size_t have = c->block.n - c->next;
    if (have >= n) return DP_OK;
    if (have) memmove(c->block.p, c->block.p + c->next, have);
    c->block.n = have, c->next = 0;
    uint64_t left = c->run->size - c->at;
    size_t want = n - have > BLOCK ? n - have : BLOCK;
    if (want > left) want = (size_t)left;
    enum dp_status status = want + have < n ? DP_FORMAT : dp_fd_pread(c->run->fd, dp_buf_reserve(&c->block, want), want, c->at, err);
    if (status != DP_OK) return dp_err_set(err, DP_IO, "reading spilled keys: the file ends early or can't be read");
    c->block.n += want, c->at += want;
    return DP_OK;
}

static enum dp_status advance(struct cursor *c, struct dp_err *err) {
    uint32_t n;
    if (c->at == c->run->size && c->next == c->block.n) {
        c->ended = true;
        return DP_OK;
    }
    DP_TRY(fill(c, HEAD, err));
    memcpy(&n, c->block.p + c->next + 24, sizeof n);
    DP_TRY(fill(c, (size_t)HEAD + n, err));
    const char *p = c->block.p + c->next;
    memcpy(&c->now.key, p, 16);
    memcpy(&c->now.number, p + 16, 8);
    c->now.value = dp_str(p + HEAD, n);
    c->next += (size_t)HEAD + n;
    return DP_OK;
}

/* What becomes of the best of a key: into a run, or told. */
struct target { struct run *run; struct dp_buf block; struct dedupe_bits *bits; };

static enum dp_status settle(struct dedupe_best *b, struct target *t, const struct entry *e, struct dp_err *err) {
    if (t->bits) {
        dedupe_bits_set(t->bits, e->number);
        b->count++;
        return DP_OK;
    }
    print_entry(&t->block, e);
    return write_block(b, t->run, &t->block, BLOCK, err);
}

static enum dp_status merge(struct dedupe_best *b, const struct run *runs, size_t n, struct target *t, struct dp_err *err) {
    struct cursor *c = dp_calloc(n, sizeof *c);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        c[i].run = &runs[i];
        DP_TRY_OUT(advance(&c[i], err));
    }
    for (;;) {
        struct cursor *best = NULL;
        for (size_t i = 0; i < n; i++) { /* runs in the order of their records, so that the later one of equals wins */
            int d = c[i].ended ? 1 : best ? key_order(&c[i].now.key, &best->now.key) : -1;
            if (d < 0 || (d == 0 && beats(b, best->now.value, c[i].now.value))) best = &c[i];
        }
        if (!best) break;
        const struct dp_key key = best->now.key;
        DP_TRY_OUT(settle(b, t, &best->now, err));
        for (size_t i = 0; i < n; i++)
            if (!c[i].ended && key_order(&c[i].now.key, &key) == 0) DP_TRY_OUT(advance(&c[i], err));
    }
    if (t->run) status = write_block(b, t->run, &t->block, 1, err);
out:
    for (size_t i = 0; i < n; i++) dp_buf_release(&c[i].block);
    dp_buf_release(&t->block);
    free(c);
    return status;
}

/* The last FAN runs become one where they are of one size. */
static enum dp_status merge_tier(struct dedupe_best *b, struct dp_err *err) {
    while (b->n_runs >= FAN && b->runs[b->n_runs - FAN].tier == b->runs[b->n_runs - 1].tier) {
        struct run *from = b->runs + b->n_runs - FAN, r = {.tier = from->tier + 1};
        struct target t = {.run = &r};
        DP_TRY(dp_spill_open(&r.fd, err));
        enum dp_status status = merge(b, from, FAN, &t, err);
        if (status != DP_OK) {
            drop_run(&r);
            return status;
        }
        for (size_t i = 0; i < FAN; i++) drop_run(&from[i]);
        b->n_runs -= FAN;
        b->runs[b->n_runs++] = r;
    }
    return DP_OK;
}

/* ---- records ---- */

/* Room for one more slot and value. */
static enum dp_status make_room(struct dedupe_best *b, const struct dp_key *key, size_t value, struct dp_err *err) {
    size_t held = (b->n_slots + SLACK) * sizeof *b->slots;
    if (b->used && b->values.n + sizeof(uint32_t) + value > b->memory / 3) DP_TRY(spill(b, err));
    while (!b->slots || b->used >= b->n_slots / 10 * 7 || !place(b, key)) {
        if (!b->slots) grow(b, FIRST);
        else if (3 * held <= b->memory / 3 * 2) grow(b, b->n_slots * 2), held = (b->n_slots + SLACK) * sizeof *b->slots; /* both are there for a while */
        else DP_TRY(spill(b, err));
    }
    return DP_OK;
}

static void put_value(struct dedupe_best *b, struct slot *s, struct dp_str value) {
    uint32_t n = (uint32_t)value.n;
    s->at = b->values.n;
    dp_buf_add(&b->values, &n, sizeof n);
    dp_buf_adds(&b->values, value);
}

enum dp_status dedupe_best_add(struct dedupe_best *b, struct dp_key key, struct dp_str value, uint64_t number, struct dp_err *err) {
    DP_TRY(make_room(b, &key, value.n, err));
    struct slot *s = place(b, &key);
    if (!s->number) {
        *s = (struct slot){.key = key, .number = number + 1};
        put_value(b, s, value);
        b->used++;
        return DP_OK;
    }
    struct dp_str old = value_of(b, s);
    if (!beats(b, old, value)) return DP_OK;
    s->number = number + 1;
    if (value.n > old.n) {
        put_value(b, s, value);
        return DP_OK;
    }
    uint32_t n = (uint32_t)value.n;
    memcpy(b->values.p + s->at, &n, sizeof n);
    if (n) memcpy(b->values.p + s->at + sizeof n, value.p, n);
    return DP_OK;
}

enum dp_status dedupe_best_finish(struct dedupe_best *b, struct dedupe_bits *out, struct dp_err *err) {
    struct target t = {.bits = out};
    if (b->n_runs) {
        DP_TRY(spill(b, err));
        return merge(b, b->runs, b->n_runs, &t, err);
    }
    for (size_t i = 0; b->slots && i < b->n_slots + SLACK; i++)
        if (b->slots[i].number) dedupe_bits_set(out, b->slots[i].number - 1), b->count++;
    return DP_OK;
}

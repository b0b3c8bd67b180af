/*
 * The id of a set of positions (dp/io/positions.h): the sum of one hash for each, so that a position that moves costs two additions, however many there are.
 */
#include <dp/io/positions.h>

#include <dp/base/num.h>

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void dp_positions_put(struct dp_positions *p, struct dp_str app_id, struct dp_str position) {
    struct dp_map_item *item = dp_map_put(&p->at, app_id, NULL);
    p->sum -= item->v.u;
    item->v.u = XXH3_64bits_withSeed(position.p, position.n, XXH3_64bits(app_id.p, app_id.n));
    p->sum += item->v.u;
}

void dp_positions_of_table(struct dp_positions *p, const struct dp_delta_snapshot *s, const char *job, const struct dp_str *only, int64_t now_ms) {
    size_t n = strlen(job);
    for (size_t i = 0; i < s->txns.n; i++) {
        const struct dp_map_item *item = &s->txns.items[i];
        int64_t version;
        char text[24];
        if (item->dead || (only && !dp_str_eq(item->key, *only))) continue;
        if (item->key.n <= n || memcmp(item->key.p, job, n) != 0 || item->key.p[n] != '/') continue;
        if (!dp_delta_txn_version(s, item->key, now_ms, &version)) continue;
        dp_positions_put(p, item->key, dp_str(text, dp_print_i64(text, version)));
    }
}

void dp_positions_id(const struct dp_positions *p, char out[24]) {
    if (p->at.n) (void)snprintf(out, 24, "%016llx", (unsigned long long)p->sum);
    else out[0] = 0;
}

void dp_positions_name(struct dp_positions *p, struct dp_str id) {
    uint64_t sum = 0;
    for (size_t i = 0; i < id.n; i++) {
        const char *digits = "0123456789abcdef", *at = id.n == 16 && id.p[i] ? strchr(digits, id.p[i]) : NULL;
        if (!at) return;
        sum = sum << 4 | (uint64_t)(at - digits);
    }
    if (id.n) p->sum = sum;
}

void dp_positions_copy(struct dp_positions *to, const struct dp_positions *from) {
    for (size_t i = 0; i < from->at.n; i++) dp_map_put(&to->at, from->at.items[i].key, NULL)->v.u = from->at.items[i].v.u;
    to->sum = from->sum;
}

void dp_positions_release(struct dp_positions *p) { dp_map_release(&p->at); }

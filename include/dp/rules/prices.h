/*
 * Prices of storage and of processor time, from a YAML file (dp-retain(1), PRICES), and exact arithmetic with them.
 *
 * A price is an integer of billionths of the currency; what something costs is kept as a sum of products (bytes by price, microseconds by price) that nothing is rounded of, and becomes
 * millionths of the currency once, when it is printed: half a millionth is rounded up.
 */
#ifndef DP_RULES_PRICES_H
#define DP_RULES_PRICES_H

#include <dp/base/num.h>
#include <dp/format/yaml.h>

#define DP_PRICE_NANO INT64_C(1000000000)

/* Where data lies, and what that costs.  Strings are borrowed from the prices. */
struct dp_price_tier {
    const char *name;
    int64_t gb_month;      /* billionths of the currency, for a gigabyte for a month */
    const char **prefixes; /* of paths behind the operand, or absolute */
    size_t n_prefixes;
    int64_t after_ms;      /* data that is older may be moved here; -1: nothing is */
};

/* Zero value is empty: nothing has a price. */
struct dp_prices {
    const char *currency;       /* three capital letters */
    int64_t bytes_of_gb;        /* 10^9 or 2^30 */
    int64_t cpu_hour;           /* billionths of the currency; -1: not given */
    struct dp_price_tier *tiers;
    size_t n;
    size_t standard;            /* index of the tier of tables that nothing else puts elsewhere */
    struct dp_arena arena;
};

/* DP_USAGE: with file, line and column; DP_LIMIT: more than DP_LIMIT_PRICE_TIERS tiers. */
enum dp_status dp_prices_read(struct dp_prices *p, const char *path, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_prices_parse(struct dp_prices *p, struct dp_str text, const char *source, struct dp_err *err) DP_MUST_CHECK;
void dp_prices_release(struct dp_prices *p);

/* The tier of a table: the one that its property `dp.tier` names, else that with the longest prefix of its path, else the standard one.  DP_USAGE: the property names none. */
enum dp_status dp_prices_tier(const struct dp_prices *p, const char *real, const char *below, struct dp_str property, size_t *out, struct dp_err *err) DP_MUST_CHECK;
/* Where bytes of tier `from` that are so old (ms) cost least; `from` itself where no other tier that takes them is cheaper. */
size_t dp_prices_colder(const struct dp_prices *p, size_t from, int64_t age_ms);

/* A decimal number without sign or exponent, of at most nine digits on each side of the point, as billionths; false: it is none. */
bool dp_price_parse(struct dp_str text, int64_t *nano);

/* What some bytes cost for a month, in billionths by bytes; of more than can be held, the most that can. */
dp_u128 dp_price_bytes(uint64_t bytes, int64_t gb_month);
dp_u128 dp_price_add(dp_u128 a, dp_u128 b);
/* Such a sum, in whole millionths of the currency. */
uint64_t dp_price_month(const struct dp_prices *p, dp_u128 sum);
/* What so many microseconds of a processor cost, in millionths of the currency. */
uint64_t dp_price_cpu(const struct dp_prices *p, uint64_t micros);
/* Millionths as a decimal number with six digits behind the point; at most 24 bytes with the NUL. */
void dp_price_print(char out[24], uint64_t micro);

#endif

/*
 * Prices (dp/rules/prices.h): the file, strictly read, and the arithmetic.
 *
 *     version: 1
 *     currency: EUR
 *     unit: GiB                 # or GB, the default
 *     cpu-hour: 0.042
 *     tiers:
 *       - {name: hot, gb-month: 0.023}
 *       - {name: cold, gb-month: 0.004, prefix: archive, after: 180d}
 *     standard: hot             # else the first one without a prefix
 */
#include <dp/rules/prices.h>

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <stdio.h>
#include <string.h>

struct reading {
    struct dp_prices *p;
    const struct dp_yaml *doc;
    struct dp_err *err;
};

static enum dp_status fault(struct reading *in, const struct dp_yaml_node *at, const char *what) {
    return dp_yaml_error(in->doc, at, in->err, "%s (column %u)", what, at->column);
}

/* ---- numbers ---- */

bool dp_price_parse(struct dp_str text, int64_t *nano) {
    int64_t whole = 0, part = 0, unit = DP_PRICE_NANO;
    size_t i = 0, digits;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        if (i == 9) return false;
        whole = whole * 10 + (text.p[i] - '0');
    }
    digits = i;
    if (i < text.n && text.p[i] == '.') {
        for (i++; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
            if (unit == 1) return false;
            unit /= 10, part += (text.p[i] - '0') * unit, digits++;
        }
        if (text.p[i - 1] == '.') return false;
    }
    if (i != text.n || !digits || text.p[0] == '.') return false;
    *nano = whole * DP_PRICE_NANO + part;
    return true;
}

dp_u128 dp_price_add(dp_u128 a, dp_u128 b) {
    dp_u128 sum;
    return __builtin_add_overflow(a, b, &sum) ? ~(dp_u128)0 : sum;
}

dp_u128 dp_price_bytes(uint64_t bytes, int64_t gb_month) { return (dp_u128)bytes * (uint64_t)gb_month; }

/* sum / divisor, half a unit up. */
static uint64_t rounded(dp_u128 sum, dp_u128 divisor) {
    dp_u128 q = sum / divisor;
    if (sum % divisor >= divisor - divisor / 2) q++;
    return q > UINT64_MAX ? UINT64_MAX : (uint64_t)q;
}

uint64_t dp_price_month(const struct dp_prices *p, dp_u128 sum) { return p->n ? rounded(sum, (dp_u128)1000 * (uint64_t)p->bytes_of_gb) : 0; }

uint64_t dp_price_cpu(const struct dp_prices *p, uint64_t micros) {
    return p->n && p->cpu_hour >= 0 ? rounded((dp_u128)micros * (uint64_t)p->cpu_hour, (dp_u128)1000 * UINT64_C(3600000000)) : 0;
}

void dp_price_print(char out[24], uint64_t micro) {
    (void)snprintf(out, 24, "%llu.%06llu", (unsigned long long)(micro / 1000000), (unsigned long long)(micro % 1000000));
}

/* ---- which tier ---- */

/* Whole parts of a path: how many bytes of it, 0 where it does not begin so. */
static size_t begins(const char *path, const char *prefix) {
    size_t n = strlen(prefix);
    while (n > 1 && prefix[n - 1] == '/') n--;
    return strncmp(path, prefix, n) == 0 && (path[n] == 0 || path[n] == '/' || prefix[n - 1] == '/') ? n : 0;
}

enum dp_status dp_prices_tier(const struct dp_prices *p, const char *real, const char *below, struct dp_str property, size_t *out, struct dp_err *err) {
    size_t most = 0;
    *out = p->standard;
    for (size_t i = 0; i < p->n && property.n; i++)
        if (dp_str_eqz(property, p->tiers[i].name)) return *out = i, DP_OK;
    if (property.n && p->n) return dp_err_set(err, DP_USAGE, "property dp.tier: the prices have no tier \"%.*s\"", DP_STR_FMT(property));
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->tiers[i].n_prefixes; k++) {
            const char *prefix = p->tiers[i].prefixes[k];
            size_t n = begins(*prefix == '/' ? real : below, prefix);
            if (n > most) most = n, *out = i;
        }
    }
    return DP_OK;
}

size_t dp_prices_colder(const struct dp_prices *p, size_t from, int64_t age_ms) {
    size_t best = from;
    for (size_t i = 0; i < p->n; i++)
        if (p->tiers[i].after_ms >= 0 && age_ms > p->tiers[i].after_ms && p->tiers[i].gb_month < p->tiers[best].gb_month) best = i;
    return best;
}

/* ---- the file ---- */

static enum dp_status price_of(struct reading *in, const struct dp_yaml_node *map, const char *key, int64_t *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    char what[128];
    if (!n) return DP_OK;
    (void)snprintf(what, sizeof what, "%s: a price is wanted: digits, at most nine on each side of the point", key);
    bool is_number = n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT;
    return is_number && dp_price_parse(n->text, out) ? DP_OK : fault(in, n, what);
}

static enum dp_status prefixes_of(struct reading *in, const struct dp_yaml_node *map, struct dp_price_tier *t) {
    const struct dp_yaml_node *n = dp_yaml_get(map, "prefix");
    if (!n) return DP_OK;
    bool one = n->kind == DP_YAML_STRING;
    if (!one && (n->kind != DP_YAML_LIST || !n->n)) return fault(in, n, "prefix: a path or a list of them is wanted");
    t->prefixes = dp_arena_calloc(&in->p->arena, one ? 1 : n->n, sizeof *t->prefixes);
    for (size_t i = 0; i < (one ? 1 : n->n); i++) {
        const struct dp_yaml_node *item = one ? n : n->items[i];
        if (item->kind != DP_YAML_STRING || !item->text.n) return fault(in, item, "prefix: a path is wanted");
        t->prefixes[t->n_prefixes++] = dp_arena_str(&in->p->arena, item->text).p;
    }
    return DP_OK;
}

static enum dp_status read_tier(struct reading *in, const struct dp_yaml_node *n) {
    static const char *const keys[] = {"name", "gb-month", "prefix", "after", NULL};
    struct dp_prices *p = in->p;
    struct dp_price_tier *t = &p->tiers[p->n];
    if (n->kind != DP_YAML_MAP) return fault(in, n, "tiers: a list of maps is wanted");
    DP_TRY(dp_yaml_known_keys(in->doc, n, keys, "a tier", in->err));
    const struct dp_yaml_node *name = dp_yaml_get(n, "name"), *after = dp_yaml_get(n, "after");
    *t = (struct dp_price_tier){.gb_month = -1, .after_ms = -1};
    if (!name || name->kind != DP_YAML_STRING || !name->text.n) return fault(in, name ? name : n, "a tier has a name, a string");
    for (size_t i = 0; i < p->n; i++)
        if (dp_str_eqz(name->text, p->tiers[i].name)) return fault(in, name, "there is a tier of this name already");
    t->name = dp_arena_str(&p->arena, name->text).p;
    DP_TRY(price_of(in, n, "gb-month", &t->gb_month));
    if (t->gb_month < 0) return fault(in, n, "a tier has a price: gb-month");
    DP_TRY(prefixes_of(in, n, t));
    if (after && (after->kind != DP_YAML_STRING || dp_parse_duration(after->text, &t->after_ms, NULL) != DP_OK || t->after_ms < 0))
        return fault(in, after, "after: an age is wanted (90d, 26w, P180D)");
    p->n++;
    return DP_OK;
}

static enum dp_status read_standard(struct reading *in, const struct dp_yaml_node *root, const struct dp_yaml_node *tiers) {
    const struct dp_yaml_node *n = dp_yaml_get(root, "standard");
    struct dp_prices *p = in->p;
    for (size_t i = 0; i < p->n; i++) {
        if (n ? dp_str_eqz(n->text, p->tiers[i].name) : !p->tiers[i].n_prefixes) return p->standard = i, DP_OK;
    }
    return fault(in, n ? n : tiers, n ? "standard: there is no tier of this name" : "one tier has no prefix, or `standard` names the tier of all other tables");
}

static enum dp_status read_unit(struct reading *in, const struct dp_yaml_node *root) {
    const struct dp_yaml_node *n = dp_yaml_get(root, "unit"), *currency = dp_yaml_get(root, "currency");
    in->p->bytes_of_gb = 1000000000;
    if (n && dp_str_eqz(n->text, "GiB")) in->p->bytes_of_gb = INT64_C(1) << 30;
    else if (n && !dp_str_eqz(n->text, "GB")) return fault(in, n, "unit: GB (10^9 bytes) or GiB (2^30) is wanted");
    bool ok = currency && currency->kind == DP_YAML_STRING && currency->text.n == 3;
    for (size_t i = 0; ok && i < 3; i++) ok = currency->text.p[i] >= 'A' && currency->text.p[i] <= 'Z';
    if (!ok) return fault(in, currency ? currency : root, "currency: three capital letters are wanted (ISO 4217)");
    in->p->currency = dp_arena_str(&in->p->arena, currency->text).p;
    return DP_OK;
}

static enum dp_status read_root(struct reading *in) {
    static const char *const keys[] = {"version", "currency", "unit", "cpu-hour", "tiers", "standard", NULL};
    const struct dp_yaml_node *root = in->doc->root;
    if (root->kind != DP_YAML_MAP) return fault(in, root, "prices: a map is wanted");
    DP_TRY(dp_yaml_known_keys(in->doc, root, keys, "prices", in->err));
    const struct dp_yaml_node *version = dp_yaml_get(root, "version"), *tiers = dp_yaml_get(root, "tiers");
    if (!version || version->kind != DP_YAML_INT || !dp_str_eqz(version->text, "1")) return fault(in, version ? version : root, "prices begin with `version: 1`");
    DP_TRY(read_unit(in, root));
    DP_TRY(price_of(in, root, "cpu-hour", &in->p->cpu_hour));
    if (!tiers || tiers->kind != DP_YAML_LIST || !tiers->n) return fault(in, tiers ? tiers : root, "tiers: a list is wanted");
    if (tiers->n > DP_LIMIT_PRICE_TIERS) return dp_err_set(in->err, DP_LIMIT, "%s:%u: more than %u tiers", in->doc->source, tiers->line, DP_LIMIT_PRICE_TIERS);
    in->p->tiers = dp_arena_calloc(&in->p->arena, tiers->n, sizeof *in->p->tiers);
    for (size_t i = 0; i < tiers->n; i++) DP_TRY(read_tier(in, tiers->items[i]));
    return read_standard(in, root, tiers);
}

enum dp_status dp_prices_parse(struct dp_prices *p, struct dp_str text, const char *source, struct dp_err *err) {
    struct dp_yaml doc = {0};
    struct reading in = {p, &doc, err};
    *p = (struct dp_prices){.cpu_hour = -1};
    enum dp_status status = dp_yaml_parse(text, source, &doc, err);
    if (status == DP_OK) status = read_root(&in);
    dp_yaml_release(&doc);
    if (status != DP_OK) dp_prices_release(p);
    return status;
}

enum dp_status dp_prices_read(struct dp_prices *p, const char *path, struct dp_err *err) {
    struct dp_buf text = {0};
    *p = (struct dp_prices){.cpu_hour = -1};
    enum dp_status status = dp_file_read(path, DP_LIMIT_YAML_BYTES, &text, err);
    if (status == DP_OK) status = dp_prices_parse(p, dp_buf_str(&text), path, err);
    dp_buf_release(&text);
    return status;
}

void dp_prices_release(struct dp_prices *p) {
    dp_arena_release(&p->arena);
    *p = (struct dp_prices){.cpu_hour = -1};
}

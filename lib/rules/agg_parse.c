/*
 * The text of aggregates to struct dp_aggs (dp/rules/agg.h).
 *
 *   items  = item *("," item)            a comma inside of brackets or quotes does not count
 *   item   = name "=" (call [ "where" condition ] | expression)
 *   name   = letters, digits, "_", "-", "." and bytes above 127, or a JSON string
 *   call   = function "(" [ field [ "," number ] ] ")"
 *
 * What a call is is told by the function's name; everything else is an expression over the results before it.
 */
#include "agg_priv.h"

#include <dp/base/decimal.h>

#include <stdarg.h>

struct function {
    const char *name;
    enum agg_fn fn;
    bool field_optional;
    char number; /* a second argument: 'q' a share, 'k' a count; 0: none */
};

static const struct function functions[] = {
    {"count", AGG_FN_COUNT, true, 0},
    {"sum", AGG_FN_SUM, false, 0},
    {"mean", AGG_FN_MEAN, false, 0},
    {"min", AGG_FN_MIN, false, 0},
    {"max", AGG_FN_MAX, false, 0},
    {"var_samp", AGG_FN_VAR_SAMP, false, 0},
    {"var_pop", AGG_FN_VAR_POP, false, 0},
    {"stddev_samp", AGG_FN_STDDEV_SAMP, false, 0},
    {"stddev_pop", AGG_FN_STDDEV_POP, false, 0},
    {"quantile", AGG_FN_QUANTILE, false, 'q'},
    {"median", AGG_FN_MEDIAN, false, 0},
    {"quantile_approx", AGG_FN_QUANTILE_APPROX, false, 'q'},
    {"top", AGG_FN_TOP, false, 'k'},
    {"most", AGG_FN_MOST, false, 'k'},
    {"distinct", AGG_FN_DISTINCT, false, 0},
    {"distinct_approx", AGG_FN_DISTINCT_APPROX, false, 0},
    {"first", AGG_FN_FIRST, false, 0},
    {"last", AGG_FN_LAST, false, 0},
    {"collect", AGG_FN_COLLECT, true, 0},
    {"delta", AGG_FN_DELTA, false, 0},
    {"rate", AGG_FN_RATE, false, 0},
};
#define N_FUNCTIONS (sizeof functions / sizeof *functions)

/* What others call them. */
static const char *const other_names[][2] = {
    {"avg", "mean"},           {"average", "mean"},        {"var", "var_samp"},       {"variance", "var_samp"},
    {"stddev", "stddev_samp"}, {"std", "stddev_samp"},     {"percentile", "quantile"}, {"total", "sum"},
    {"count_distinct", "distinct"}, {"approx_distinct", "distinct_approx"}, {"list", "collect"}, {"array_agg", "collect"}, {"mode", "most"}, {"topk", "top"},
};

struct parse {
    struct dp_aggs *a;
    const char *const *reserved;
    struct dp_str text; /* one of the texts */
    size_t at;
    struct dp_err *err;
};

static enum dp_status wrong(const struct parse *p, size_t at, const char *fmt, ...) DP_PRINTF(3, 4);
static enum dp_status wrong(const struct parse *p, size_t at, const char *fmt, ...) {
    char what[300];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return dp_err_set(p->err, DP_USAGE, "aggregate `%.*s`, column %zu: %s", DP_STR_FMT(p->text), at + 1, what);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static struct dp_str trim(struct dp_str s) {
    while (s.n && is_blank(*s.p)) s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

/* Behind the string that opens at `at`; s.n when it is not closed. `\( )` inside holds anything with its own brackets and strings. */
static size_t skip_string(struct dp_str s, size_t at, unsigned depth) {
    size_t level = 0;
    for (at++; at < s.n; at++) {
        char c = s.p[at];
        if (!level && c == '"') return at + 1;
        if (!level && c == '\\' && at + 1 < s.n) {
            if (s.p[++at] == '(') level = 1;
        } else if (level && c == '(') {
            level++;
        } else if (level && c == ')') {
            level--;
        } else if (level && c == '"') {
            if (depth == DP_LIMIT_EXPR_DEPTH) return s.n;
            at = skip_string(s, at, depth + 1) - 1;
        }
    }
    return s.n;
}

/* The first `stop` that is outside of brackets and quotes; s.n: there is none. */
static size_t find_outside(struct dp_str s, size_t at, char stop) {
    size_t level = 0;
    while (at < s.n) {
        char c = s.p[at];
        if (!level && c == stop) return at;
        if (c == '"') {
            at = skip_string(s, at, 0);
            continue;
        }
        if (c == '(' || c == '[' || c == '{') level++;
        if ((c == ')' || c == ']' || c == '}') && level) level--;
        at++;
    }
    return s.n;
}

/* ---- what functions share ---- */

static enum dp_status find_path(struct parse *p, struct dp_str text, size_t *out) {
    struct dp_aggs *a = p->a;
    struct dp_path path;
    struct dp_buf canonical = {0};
    struct dp_err err = DP_ERR_INIT;
    if (dp_path_parse(text, &path, &err) != DP_OK) return wrong(p, (size_t)(text.p - p->text.p), "%s", err.msg);
    if (!path.n) {
        dp_path_release(&path);
        return wrong(p, (size_t)(text.p - p->text.p), "expected a field");
    }
    dp_path_print(&path, &canonical);
    for (*out = 0; *out < a->n_paths; ++*out)
        if (dp_str_eqz(dp_buf_str(&canonical), a->paths[*out].text)) {
            dp_path_release(&path);
            dp_buf_release(&canonical);
            return DP_OK;
        }
    a->paths = dp_realloc_array(a->paths, a->n_paths + 1, sizeof *a->paths);
    char *z = dp_buf_detach(&canonical);
    bool is_field = path.n == 1 && path.steps[0].kind == DP_STEP_KEY;
    a->paths[a->n_paths++] = (struct agg_path){path, z, is_field ? dp_strdup(path.steps[0].key) : dp_strdup(z)};
    return DP_OK;
}

static enum dp_status find_where(struct parse *p, struct dp_str text, size_t *out) {
    struct dp_aggs *a = p->a;
    for (*out = 0; *out < a->n_wheres; ++*out)
        if (dp_str_eqz(text, a->wheres[*out].text)) return DP_OK;
    struct dp_expr *e = NULL;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_expr_compile(text, &e, &err);
    if (status != DP_OK) {
        if (p->err) *p->err = err;
        return p->err ? dp_err_prefix(p->err, "aggregate `%.*s`, behind where: ", DP_STR_FMT(p->text)) : status;
    }
    a->wheres = dp_realloc_array(a->wheres, a->n_wheres + 1, sizeof *a->wheres);
    a->wheres[a->n_wheres++] = (struct agg_where){e, dp_strndup(text.p, text.n)};
    return DP_OK;
}

static bool is_plain_class(enum agg_class c) { return c == AGG_CLASS_PRESENT || c == AGG_CLASS_ORDERED || c == AGG_CLASS_NUMBER; }

static size_t find_input(struct dp_aggs *a, size_t path, size_t where, enum agg_class class, const char *function) {
    for (size_t i = 0; i < a->n_inputs; i++) {
        struct agg_input *in = &a->inputs[i];
        if (in->path != path || in->where != where || (in->class != class && !(is_plain_class(in->class) && is_plain_class(class)))) continue;
        if (class > in->class) in->class = class, in->function = function;
        return i;
    }
    a->inputs = dp_realloc_array(a->inputs, a->n_inputs + 1, sizeof *a->inputs);
    a->inputs[a->n_inputs] = (struct agg_input){.path = path, .where = where, .class = class, .function = function};
    return a->n_inputs++;
}

static size_t find_acc(struct dp_aggs *a, struct agg_acc want) {
    for (size_t i = 0; i < a->n_accs; i++) {
        const struct agg_acc *b = &a->accs[i];
        if (b->ops == want.ops && b->input == want.input && b->k == want.k && b->largest == want.largest) return i;
    }
    a->accs = dp_realloc_array(a->accs, a->n_accs + 1, sizeof *a->accs);
    a->accs[a->n_accs] = want;
    return a->n_accs++;
}

/* In order of their inputs; those that are the same by now become one. */
void agg_lay_out(struct dp_aggs *a) {
    struct agg_acc *old = a->accs;
    size_t n = a->n_accs, *to = dp_alloc((n + 1) * sizeof *to);
    a->accs = NULL, a->n_accs = 0, a->size = sizeof(uint64_t);
    for (size_t i = 0; i < a->n_inputs; i++) {
        a->inputs[i].first_acc = a->n_accs;
        for (size_t k = 0; k < n; k++) {
            if (old[k].input != i) continue;
            size_t before = a->n_accs;
            to[k] = find_acc(a, old[k]);
            if (to[k] < before) continue;
            a->accs[to[k]].offset = a->size;
            a->accs[to[k]].class = a->inputs[i].class;
            a->size += old[k].ops->size;
        }
        a->inputs[i].n_acc = a->n_accs - a->inputs[i].first_acc;
    }
    for (size_t i = 0; i < a->n_ones; i++) {
        struct agg_one *one = &a->ones[i];
        if (one->acc != SIZE_MAX) one->acc = to[one->acc];
        if (one->acc2 != SIZE_MAX) one->acc2 = to[one->acc2];
    }
    free(to), free(old);
}

bool dp_aggs_are_small(const struct dp_aggs *a) {
    bool has_extremes = false;
    for (size_t i = 0; i < a->n_accs; i++) {
        const struct agg_acc_ops *ops = a->accs[i].ops;
        bool is_extreme = ops == &agg_ops_extreme || ops == &agg_ops_edge;
        if (!is_extreme && ops != &agg_ops_count && ops != &agg_ops_sum && ops != &agg_ops_var) return false;
        has_extremes |= is_extreme;
    }
    return has_extremes;
}

void dp_aggs_allow_sub(struct dp_aggs *a) {
    a->counted = true;
    for (size_t i = 0; i < a->n_accs; i++) {
        struct agg_acc *acc = &a->accs[i];
        const struct agg_acc_ops *ops = acc->ops;
        acc->counted = true;
        if (ops == &agg_ops_extreme || ops == &agg_ops_top || ops == &agg_ops_vec || ops == &agg_ops_approx || ops == &agg_ops_hll) acc->ops = &agg_ops_bag;
        if (ops == &agg_ops_edge) acc->ops = &agg_ops_list;
        acc->largest = false, acc->k = 0;
    }
    agg_lay_out(a);
}

/* ---- one item ---- */

static enum dp_status take_name(struct parse *p, struct dp_str item, size_t *behind, char **name) {
    size_t n = 0;
    if (item.n && *item.p == '"') {
        struct dp_buf b = {0};
        n = skip_string(item, 0, 0);
        if (n < 2 || item.p[n - 1] != '"') return wrong(p, (size_t)(item.p - p->text.p), "a quote is not closed");
        dp_json_decode(dp_str(item.p + 1, n - 2), &b);
        *name = dp_buf_detach(&b);
    } else {
        while (n < item.n && (is_letter(item.p[n]) || is_digit(item.p[n]) || (unsigned char)item.p[n] > 127 || strchr("-.", item.p[n]))) n++;
        *name = dp_strndup(item.p, n);
    }
    *behind = n;
    while (*behind < item.n && is_blank(item.p[*behind])) ++*behind;
    size_t at = (size_t)(item.p - p->text.p);
    if (!n) return wrong(p, at, "expected NAME=FUNCTION(FIELD) or NAME=EXPRESSION");
    if (*behind >= item.n || item.p[*behind] != '=') return wrong(p, at, "expected a name and `=` in front of it, as in n=count()");
    if (!**name || dp_str_eqz(DP_STR("$dp"), *name)) return wrong(p, at, "a result can't have this name");
    if (!dp_utf8_valid(*name, strlen(*name), NULL)) return wrong(p, at, "the name is not UTF-8");
    for (const char *const *r = p->reserved; r && *r; r++)
        if (!strcmp(*r, *name)) return wrong(p, at, "the name %s is taken", *name);
    for (size_t i = 0; i < p->a->n_ones; i++)
        if (!strcmp(p->a->ones[i].name, *name)) return wrong(p, at, "the name %s is there twice", *name);
    ++*behind;
    return DP_OK;
}

static const struct function *find_function(struct dp_str name) {
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (dp_str_eqz(name, functions[i].name)) return &functions[i];
    return NULL;
}

/* The function that a word that is none may mean; NULL: none. */
static const char *nearest(struct dp_str word) {
    const char *names[N_FUNCTIONS + 1] = {0}, *found;
    for (size_t i = 0; i < N_FUNCTIONS; i++) names[i] = functions[i].name;
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (dp_str_eqz(word, other_names[i][0])) return other_names[i][1];
    char *z = dp_strndup(word.p, word.n);
    found = dp_str_nearest(z, names);
    free(z);
    return found;
}

static enum dp_status take_share(struct parse *p, struct dp_str text, struct agg_quantile *q) {
    struct dp_decimal d;
    size_t at = (size_t)(text.p - p->text.p);
    if (!dp_decimal_parse(text, &d)) return wrong(p, at, "expected a share from 0 to 1, such as 0.95");
    while (d.scale && d.unscaled % 10 == 0) d.unscaled /= 10, d.scale--;
    if (d.scale > AGG_DEC_DIGITS || d.unscaled < 0 || d.unscaled > dp_power_of_ten[d.scale]) return wrong(p, at, "expected a share from 0 to 1, such as 0.95");
    *q = (struct agg_quantile){(uint64_t)d.unscaled, d.scale};
    return DP_OK;
}

static enum dp_status take_count(struct parse *p, struct dp_str text, uint64_t *k) {
    if (dp_parse_u64(text, k) && *k >= 1 && *k <= DP_LIMIT_AGG_VALUES) return DP_OK;
    return wrong(p, (size_t)(text.p - p->text.p), "expected a number from 1 to %u", DP_LIMIT_AGG_VALUES);
}

/* What stands between the brackets of a call. */
static enum dp_status take_arguments(struct parse *p, const struct function *f, struct dp_str inner, struct agg_one *one) {
    size_t at = (size_t)(inner.p - p->text.p), comma = find_outside(inner, 0, ',');
    struct dp_str field = trim(dp_str(inner.p, comma));
    one->path = SIZE_MAX;
    if (!field.n && !(f->field_optional && comma == inner.n)) return wrong(p, at, "%s wants a field", f->name);
    if (field.n) DP_TRY(find_path(p, field, &one->path));
    if (!f->number) return comma == inner.n ? DP_OK : wrong(p, at + comma, "%s wants one field", f->name);
    if (comma == inner.n) return wrong(p, at + comma, "%s wants a field and %s", f->name, f->number == 'q' ? "a share, such as 0.95" : "a number");
    struct dp_str number = trim(dp_str(inner.p + comma + 1, inner.n - comma - 1));
    return f->number == 'q' ? take_share(p, number, &one->q) : take_count(p, number, &one->k);
}

/* Which input and accumulators it needs. */
static void bind(struct dp_aggs *a, struct agg_one *one, size_t where, const char *function) {
    static const struct {
        const struct agg_acc_ops *ops;
        enum agg_class class;
        bool largest, both; /* both: and the largest */
    } needs[] = {
        [AGG_FN_COUNT] = {&agg_ops_count, AGG_CLASS_PRESENT, false, false},
        [AGG_FN_SUM] = {&agg_ops_sum, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_MEAN] = {&agg_ops_sum, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_MIN] = {&agg_ops_extreme, AGG_CLASS_ORDERED, false, false},
        [AGG_FN_MAX] = {&agg_ops_extreme, AGG_CLASS_ORDERED, true, false},
        [AGG_FN_VAR_SAMP] = {&agg_ops_var, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_VAR_POP] = {&agg_ops_var, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_STDDEV_SAMP] = {&agg_ops_var, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_STDDEV_POP] = {&agg_ops_var, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_QUANTILE] = {&agg_ops_vec, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_MEDIAN] = {&agg_ops_vec, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_QUANTILE_APPROX] = {&agg_ops_approx, AGG_CLASS_NUMBER, false, false},
        [AGG_FN_TOP] = {&agg_ops_top, AGG_CLASS_ORDERED, false, false},
        [AGG_FN_MOST] = {&agg_ops_bag, AGG_CLASS_CANONICAL, false, false},
        [AGG_FN_DISTINCT] = {&agg_ops_bag, AGG_CLASS_CANONICAL, false, false},
        [AGG_FN_DISTINCT_APPROX] = {&agg_ops_hll, AGG_CLASS_CANONICAL, false, false},
        [AGG_FN_FIRST] = {&agg_ops_edge, AGG_CLASS_JSON, false, false},
        [AGG_FN_LAST] = {&agg_ops_edge, AGG_CLASS_JSON, true, false},
        [AGG_FN_COLLECT] = {&agg_ops_list, AGG_CLASS_JSON, false, false},
        [AGG_FN_DELTA] = {&agg_ops_edge, AGG_CLASS_NUMBER, false, true},
        [AGG_FN_RATE] = {&agg_ops_edge, AGG_CLASS_NUMBER, false, true},
    };
    const struct agg_acc_ops *ops = needs[one->fn].ops;
    one->acc = one->acc2 = SIZE_MAX;
    if (one->fn == AGG_FN_COUNT && one->path == SIZE_MAX && where == SIZE_MAX) return; /* the rows of the state */
    if (one->fn == AGG_FN_MEDIAN) one->q = (struct agg_quantile){5, 1};
    size_t input = find_input(a, one->path, where, needs[one->fn].class, function);
    bool adds_up = ops == &agg_ops_sum || ops == &agg_ops_var || needs[one->fn].both;
    if (adds_up && !a->inputs[input].summed) a->inputs[input].summed = function;
    struct agg_acc acc = {.ops = ops, .input = input, .k = one->fn == AGG_FN_TOP ? one->k : 0, .largest = needs[one->fn].largest};
    one->acc = find_acc(a, acc);
    acc.largest = true;
    if (needs[one->fn].both) one->acc2 = find_acc(a, acc);
}

static void describe_call(struct dp_aggs *a, struct agg_one *one, const struct function *f, size_t where) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s(%s", f->name, one->path == SIZE_MAX ? "" : a->paths[one->path].text);
    if (f->number == 'q') {
        char digits[48];
        size_t n = dp_decimal_print(digits, (dp_i128)one->q.num, one->q.scale);
        dp_buf_addf(&b, ",%.*s", (int)n, digits);
    } else if (f->number) {
        dp_buf_addf(&b, ",%llu", (unsigned long long)one->k);
    }
    dp_buf_addc(&b, ')');
    if (where != SIZE_MAX) dp_buf_addf(&b, " where %s", a->wheres[where].text);
    one->describe = dp_buf_detach(&b);
}

/* `body` begins with the name of f and a bracket, which closes at `close`. */
static enum dp_status take_call(struct parse *p, const struct function *f, struct dp_str body, size_t open, size_t close, struct agg_one *one) {
    size_t where = SIZE_MAX, at = (size_t)(body.p - p->text.p);
    if (close == body.n) return wrong(p, at + open, "the bracket is not closed");
    one->fn = f->fn;
    DP_TRY(take_arguments(p, f, dp_str(body.p + open + 1, close - open - 1), one));
    struct dp_str rest = trim(dp_str(body.p + close + 1, body.n - close - 1));
    if (rest.n) {
        if (!dp_str_starts(rest, DP_STR("where")) || (rest.n > 5 && (is_letter(rest.p[5]) || is_digit(rest.p[5]))))
            return wrong(p, (size_t)(rest.p - p->text.p), "expected `where` or a comma; what is computed from results has a name of its own, as in s=sum(a),n=count(),m=.s / .n");
        struct dp_str condition = trim(dp_str(rest.p + 5, rest.n - 5));
        if (!condition.n) return wrong(p, (size_t)(rest.p - p->text.p), "a condition is missing behind `where`");
        DP_TRY(find_where(p, condition, &where));
    }
    bind(p->a, one, where, f->name);
    describe_call(p->a, one, f, where);
    return DP_OK;
}

static enum dp_status take_expression(struct parse *p, struct dp_str word, struct dp_str body, struct agg_one *one) {
    struct dp_err err = DP_ERR_INIT;
    one->fn = AGG_FN_EXPRESSION;
    one->acc = one->acc2 = one->path = SIZE_MAX;
    enum dp_status status = dp_expr_compile(body, &one->expr, &err);
    if (status == DP_OK) {
        one->describe = dp_strndup(body.p, body.n);
        return DP_OK;
    }
    const char *near = word.n ? nearest(word) : NULL;
    if (near) return wrong(p, (size_t)(word.p - p->text.p), "no aggregate has the name %.*s; did you mean %s?", DP_STR_FMT(word), near);
    if (!p->err) return status;
    *p->err = err;
    return dp_err_prefix(p->err, "aggregate `%.*s`: ", DP_STR_FMT(p->text));
}

static enum dp_status take_item(struct parse *p, struct dp_str item) {
    struct agg_one one = {0};
    size_t behind = 0, word = 0;
    enum dp_status status = take_name(p, item, &behind, &one.name);
    if (status != DP_OK) goto out;
    struct dp_str body = trim(dp_str(item.p + behind, item.n - behind));
    if (!body.n) {
        status = wrong(p, (size_t)(body.p - p->text.p), "expected FUNCTION(FIELD) or an expression");
        goto out;
    }
    while (word < body.n && (is_letter(body.p[word]) || (word && is_digit(body.p[word])))) word++;
    size_t open = word;
    while (open < body.n && is_blank(body.p[open])) open++;
    const struct function *f = open < body.n && body.p[open] == '(' ? find_function(dp_str(body.p, word)) : NULL;
    size_t close = f ? open + 1 + find_outside(dp_str(body.p + open + 1, body.n - open - 1), 0, ')') : 0;
    status = f ? take_call(p, f, body, open, close, &one) : take_expression(p, dp_str(body.p, word), body, &one);
out:
    if (status != DP_OK) {
        free(one.name), free(one.describe);
        dp_expr_free(one.expr);
        return status;
    }
    dp_buf_addc(&one.member, ',');
    dp_json_add_string(&one.member, dp_str_z(one.name));
    dp_buf_addc(&one.member, ':');
    p->a->ones = dp_realloc_array(p->a->ones, p->a->n_ones + 1, sizeof *p->a->ones);
    p->a->ones[p->a->n_ones++] = one;
    return DP_OK;
}

/* ---- all ---- */

static void add_field(struct dp_aggs *a, const char *name) {
    for (size_t i = 0; i < a->n_fields; i++)
        if (!strcmp(a->fields[i], name)) return;
    a->fields = dp_realloc_array(a->fields, a->n_fields + 1, sizeof *a->fields);
    a->fields[a->n_fields++] = name;
}

static void collect_fields(struct dp_aggs *a) {
    for (size_t i = 0; i < a->n_paths; i++) {
        const struct dp_step *s = a->paths[i].path.steps;
        if (s->kind == DP_STEP_KEY) add_field(a, s->key);
    }
    for (size_t i = 0; i < a->n_wheres; i++) {
        const char *const *fields;
        size_t n;
        if (!dp_expr_fields(a->wheres[i].expr, &fields, &n)) a->all_fields = true;
        else
            for (size_t k = 0; k < n; k++) add_field(a, fields[k]);
    }
    for (size_t i = 0; i < a->n_inputs; i++)
        if (a->inputs[i].path == SIZE_MAX && a->inputs[i].class == AGG_CLASS_JSON) a->all_fields = true;
}

enum dp_status dp_aggs_parse(const char *const *texts, size_t n, const char *const *reserved, struct dp_aggs **out, struct dp_err *err) {
    struct dp_aggs *a = dp_calloc(1, sizeof *a);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        struct parse p = {.a = a, .reserved = reserved, .text = dp_str_z(texts[i]), .err = err};
        size_t odd;
        if (!dp_utf8_valid(p.text.p, p.text.n, &odd)) DP_TRY_OUT(wrong(&p, odd, "not UTF-8"));
        while (p.at <= p.text.n) {
            size_t end = find_outside(p.text, p.at, ',');
            struct dp_str item = trim(dp_str(p.text.p + p.at, end - p.at));
            if (!item.n) DP_TRY_OUT(wrong(&p, p.at, "an aggregate is missing"));
            if (a->n_ones == DP_LIMIT_AGGREGATES) DP_TRY_OUT(wrong(&p, p.at, "more than %u aggregates", DP_LIMIT_AGGREGATES));
            DP_TRY_OUT(take_item(&p, item));
            p.at = end + 1;
        }
    }
    agg_lay_out(a);
    collect_fields(a);
    *out = a;
    return DP_OK;
out:
    dp_aggs_free(a);
    return status;
}

void dp_aggs_free(struct dp_aggs *a) {
    if (!a) return;
    for (size_t i = 0; i < a->n_ones; i++) {
        free(a->ones[i].name), free(a->ones[i].describe);
        dp_buf_release(&a->ones[i].member);
        dp_expr_free(a->ones[i].expr);
    }
    for (size_t i = 0; i < a->n_paths; i++) {
        dp_path_release(&a->paths[i].path);
        free(a->paths[i].text), free(a->paths[i].label);
    }
    for (size_t i = 0; i < a->n_wheres; i++) dp_expr_free(a->wheres[i].expr), free(a->wheres[i].text);
    free(a->ones), free(a->paths), free(a->wheres), free(a->inputs), free(a->accs), free(a->fields);
    free(a);
}

void dp_aggs_describe(const struct dp_aggs *a, struct dp_buf *out) {
    for (size_t i = 0; i < a->n_ones; i++) {
        if (i) dp_buf_addc(out, ',');
        dp_json_add_string(out, dp_str_z(a->ones[i].name));
        dp_buf_addf(out, "=%s", a->ones[i].describe);
    }
}

size_t dp_aggs_count(const struct dp_aggs *a) { return a->n_ones; }
const char *dp_aggs_name(const struct dp_aggs *a, size_t i) { return a->ones[i].name; }

bool dp_aggs_fields(const struct dp_aggs *a, const char *const **fields, size_t *n) {
    *fields = a->fields;
    *n = a->n_fields;
    return !a->all_fields;
}

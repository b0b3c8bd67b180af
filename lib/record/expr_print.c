/*
 * The tree as jq text for libjq, every operator in parentheses.  What is replaced on the way:
 *   - orderings, by functions that are false when a side is null;
 *   - `+`, `*` and assignments, by functions that bound the size of what they make;
 *   - what makes jq 1.6 abort (% of the smallest integer, times out of range, code points that are none), by functions that check;
 *   - loops (functions of the program, range, repeat, while, until, recurse, `..`) and whatever else gives many outputs or is asked often (`.[]`, `,`,
 *     arguments of functions), by ones that count their steps.  Steps are counted through `input`, whose callback is jq.c's, which also looks at
 *     the time there; the program itself may not name it.
 * Number literals that a double does not hold are refused here.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>
#include <math.h>

static const char prelude[] =
    "def __dp_tick: input as $__dp_tick | .;"
    "def __dp_less(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a < $b end;"
    "def __dp_lesseq(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a <= $b end;"
    "def __dp_greater(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a > $b end;"
    "def __dp_greatereq(a; b): b as $b | a as $a | if $a == null or $b == null then false else $a >= $b end;"
    "def __dp_plus1($a; $b): if ($a|type) == \"string\" and ($b|type) == \"string\" and ($a|length) + ($b|length) > 16777216"
    "  then error(\"a string is too long\") else $a + $b end;"
    "def __dp_plus(a; b): b as $b | a as $a | __dp_plus1($a; $b);"
    "def __dp_times1($a; $b):"
    "  if ($a|type) == \"string\" and ($b|type) == \"number\" and ($a|length) * $b > 16777216 then error(\"a string is too long\")"
    "  elif ($a|type) == \"number\" and ($b|type) == \"string\" and ($b|length) * $a > 16777216 then error(\"a string is too long\")"
    "  else $a * $b end;"
    "def __dp_times(a; b): b as $b | a as $a | __dp_times1($a; $b);"
    "def __dp_mod1($a; $b): if ($a|type) == \"number\" and ($b|type) == \"number\" and ($a >= 9e18 or $a <= -9e18)"
    "  then error(\"a number is out of range for %\") else $a % $b end;"
    "def __dp_mod(a; b): b as $b | a as $a | __dp_mod1($a; $b);"
    "def __dp_path: map(if type == \"number\" and . > 1048576 then error(\"an index is over 1048576\") else . end);"
    "def __dp_assign(paths; $value): reduce path(paths) as $p (.; ($p | __dp_path) as $p | setpath($p; $value));"
    "def __dp_modify(paths; f): reduce path(paths) as $p (.; ($p | __dp_path) as $q | label $__dp"
    "  | (setpath($q; getpath($q) | f) | ., break $__dp), delpaths([$q]));"
    "def __dp_to(paths; $v; op): reduce path(paths) as $p (.; ($p | __dp_path) as $q | setpath($q; getpath($q) | op));"
    "def __dp_plus_to(paths; $v): __dp_to(paths; $v; __dp_plus1(.; $v));"
    "def __dp_minus_to(paths; $v): __dp_to(paths; $v; . - $v);"
    "def __dp_times_to(paths; $v): __dp_to(paths; $v; __dp_times1(.; $v));"
    "def __dp_divide_to(paths; $v): __dp_to(paths; $v; . / $v);"
    "def __dp_mod_to(paths; $v): __dp_to(paths; $v; __dp_mod1(.; $v));"
    "def __dp_alt_to(paths; $v): __dp_to(paths; $v; . // $v);"
    "def add: reduce (.[] | __dp_tick) as $x (null; __dp_plus1(.; $x));"
    "def while(cond; update): def w: __dp_tick | if cond then ., (update | w) else empty end; w;"
    "def range($from; $to): $from | while(. < $to; . + 1);"
    "def range(n): range(0; n);"
    "def range($from; $to; $by): if $by > 0 then $from | while(. < $to; . + $by)"
    "  elif $by < 0 then $from | while(. > $to; . + $by) else empty end;"
    "def until(cond; update): def u: __dp_tick | if cond then . else (update | u) end; u;"
    "def repeat(f): def r: __dp_tick | ., (f | r); r;"
    "def recurse(f): def r: __dp_tick | ., (f | r); r;"
    "def recurse(f; cond): def r: __dp_tick | ., (f | select(cond) | r); r;"
    "def recurse: recurse(.[]?);"
    "def recurse_down: recurse;"
    "def __dp_paths: paths; def paths: __dp_paths | __dp_tick;"
    "def __dp_combinations: combinations; def combinations: __dp_combinations | __dp_tick;"
    "def __dp_combinations(n): combinations(n); def combinations(n): __dp_combinations(n) | __dp_tick;"
    "def __dp_tostream: tostream; def tostream: __dp_tostream | __dp_tick;"
    "def __dp_implode: implode;"
    "def implode: if all(.[]; type == \"number\" and . >= 0 and . < 1114112 and (. < 55296 or . > 57343)) then __dp_implode"
    "  else error(\"implode needs code points\") end;"
    "def __dp_time: if type == \"number\" and (. >= 253402300800 or . < -62167219200)"
    "  then error(\"a time is outside the years 0 to 9999\") else . end;"
    "def __dp_strftime(f): strftime(f);"
    "def strftime(f): __dp_time | __dp_strftime(f);"
    "def __dp_gmtime: gmtime;"
    "def gmtime: __dp_time | __dp_gmtime;"
    "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\");"
    "def todate: todateiso8601;"
    "def date: todate;"
    "def __dp_setpath($p; $v): setpath($p; $v);"
    "def setpath(p; v): v as $v | p as $p | ($p | __dp_path) as $q | __dp_setpath($q; $v);";

struct out {
    struct dp_buf b;
    struct dp_err *err;
};

static enum dp_status print(struct out *o, const struct dp_enode *n);

static enum dp_status print_const(struct out *o, const struct dp_enode *n) {
    double d;
    char text[32];
    switch ((enum dp_kind)n->val.kind) {
    case DP_KIND_NUMBER:
        if (!dp_parse_double(n->val.s, &d) || !isfinite(d)) d = 0, text[0] = '0', text[1] = 0;
        size_t len = dp_print_double(text, d);
        if (dp_number_cmp(dp_str(text, len), n->val.s) != 0)
            return dp_err_set(o->err, DP_USAGE, "expression: column %u: %.*s is not exact as a double, and this program needs libjq", n->col,
                              DP_STR_FMT(n->val.s));
        dp_buf_addc(&o->b, '(');
        dp_buf_adds(&o->b, n->val.s);
        dp_buf_addc(&o->b, ')');
        return DP_OK;
    case DP_KIND_STRING: dp_json_add_string(&o->b, n->val.s); return DP_OK;
    case DP_KIND_FALSE: dp_buf_addz(&o->b, "false"); return DP_OK;
    case DP_KIND_TRUE: dp_buf_addz(&o->b, "true"); return DP_OK;
    case DP_KIND_NONE:
    case DP_KIND_NULL:
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: dp_buf_addz(&o->b, "null"); return DP_OK;
    }
    return DP_OK;
}

static enum dp_status print_in(struct out *o, const char *before, const struct dp_enode *n, const char *after) {
    dp_buf_addz(&o->b, before);
    DP_TRY(print(o, n));
    dp_buf_addz(&o->b, after);
    return DP_OK;
}

static enum dp_status print_two(struct out *o, const struct dp_enode *n, const char *before, const char *op) {
    DP_TRY(print_in(o, before, n->a, op));
    return print_in(o, "", n->b, ")");
}

static enum dp_status print_pattern(struct out *o, const struct dp_pat *p) {
    if (p->kind == DP_KIND_NONE) {
        dp_buf_addc(&o->b, '$');
        dp_buf_adds(&o->b, p->name);
        return DP_OK;
    }
    dp_buf_addc(&o->b, p->kind == DP_KIND_ARRAY ? '[' : '{');
    for (size_t i = 0; i < p->n; i++) {
        const struct dp_pat *entry = p->list[i];
        if (i) dp_buf_addc(&o->b, ',');
        if (p->kind == DP_KIND_ARRAY) {
            DP_TRY(print_pattern(o, entry));
            continue;
        }
        if (entry->key_is_var) {
            dp_buf_addc(&o->b, '$');
            dp_buf_adds(&o->b, entry->name);
        } else {
            DP_TRY(print_in(o, "(", entry->key, ")"));
        }
        if (!entry->value) continue;
        dp_buf_addc(&o->b, ':');
        DP_TRY(print_pattern(o, entry->value));
    }
    dp_buf_addc(&o->b, p->kind == DP_KIND_ARRAY ? ']' : '}');
    return DP_OK;
}

static enum dp_status print_patterns(struct out *o, const struct dp_enode *n) {
    dp_buf_addz(&o->b, " as ");
    for (size_t i = 0; i < n->n_pats; i++) {
        if (i) dp_buf_addz(&o->b, " ?// ");
        DP_TRY(print_pattern(o, n->pats[i]));
    }
    return DP_OK;
}

static enum dp_status print_string(struct out *o, const struct dp_enode *n) {
    if (n->name.n) {
        dp_buf_addc(&o->b, '@');
        dp_buf_adds(&o->b, n->name);
        dp_buf_addc(&o->b, ' ');
    }
    dp_buf_addc(&o->b, '"');
    for (size_t i = 0; i < n->n; i++) {
        if (n->list[i]->kind == DP_EK_CONST) dp_json_add_escaped(&o->b, n->list[i]->val.s);
        else DP_TRY(print_in(o, "\\(", n->list[i]->b, ")"));
    }
    dp_buf_addc(&o->b, '"');
    return DP_OK;
}

static enum dp_status print_object(struct out *o, const struct dp_enode *n) {
    dp_buf_addc(&o->b, '{');
    for (size_t i = 0; i < n->n; i += 2) {
        if (i) dp_buf_addc(&o->b, ',');
        DP_TRY(print_in(o, "(", n->list[i], "):"));
        DP_TRY(print_in(o, "(", n->list[i + 1], ")"));
    }
    dp_buf_addc(&o->b, '}');
    return DP_OK;
}

static enum dp_status print_assign(struct out *o, const struct dp_enode *n) {
    switch (n->op) {
    case '|': return print_two(o, n, "__dp_modify(", ";");
    case '+': return print_two(o, n, "__dp_plus_to(", ";");
    case '-': return print_two(o, n, "__dp_minus_to(", ";");
    case '*': return print_two(o, n, "__dp_times_to(", ";");
    case '/': return print_two(o, n, "__dp_divide_to(", ";");
    case '%': return print_two(o, n, "__dp_mod_to(", ";");
    case 'd': return print_two(o, n, "__dp_alt_to(", ";");
    default: return print_two(o, n, "__dp_assign(", ";");
    }
}

static enum dp_status print_cmp(struct out *o, const struct dp_enode *n) {
    switch ((enum dp_cmp)n->op) {
    case DP_CMP_EQ: return print_two(o, n, "(", " == ");
    case DP_CMP_NE: return print_two(o, n, "(", " != ");
    case DP_CMP_LT: return print_two(o, n, "__dp_less(", ";");
    case DP_CMP_LE: return print_two(o, n, "__dp_lesseq(", ";");
    case DP_CMP_GT: return print_two(o, n, "__dp_greater(", ";");
    case DP_CMP_GE: return print_two(o, n, "__dp_greatereq(", ";");
    }
    return DP_OK;
}

static enum dp_status print_arith(struct out *o, const struct dp_enode *n) {
    char op[4] = {' ', (char)n->op, ' ', 0};
    if (n->op == '+') return print_two(o, n, "__dp_plus(", ";");
    if (n->op == '*') return print_two(o, n, "__dp_times(", ";");
    if (n->op == '%') return print_two(o, n, "__dp_mod(", ";");
    return print_two(o, n, "(", op);
}

static enum dp_status print_if(struct out *o, const struct dp_enode *n) {
    for (size_t i = 0; i < n->n; i += 2) {
        DP_TRY(print_in(o, i ? " elif " : "(if ", n->list[i], " then "));
        DP_TRY(print(o, n->list[i + 1]));
    }
    return print_in(o, " else ", n->a, " end)");
}

static enum dp_status print_fold(struct out *o, const struct dp_enode *n) {
    DP_TRY(print_in(o, n->kind == DP_EK_REDUCE ? "(reduce (" : "(foreach (", n->a, ")"));
    DP_TRY(print_patterns(o, n));
    DP_TRY(print_in(o, " (", n->b, "; "));
    DP_TRY(print(o, n->c));
    if (n->d) DP_TRY(print_in(o, "; ", n->d, ""));
    dp_buf_addz(&o->b, "))");
    return DP_OK;
}

static enum dp_status print_def(struct out *o, const struct dp_enode *n) {
    dp_buf_addz(&o->b, "(def ");
    dp_buf_adds(&o->b, n->name);
    for (size_t i = 0; i < n->n_params; i++) {
        dp_buf_addc(&o->b, i ? ';' : '(');
        dp_buf_adds(&o->b, n->params[i]);
    }
    if (n->n_params) dp_buf_addc(&o->b, ')');
    DP_TRY(print_in(o, ": __dp_tick | ", n->a, "; "));
    return print_in(o, "", n->b, ")");
}

/* The prelude's loops; of others it is not known how often they ask their arguments (map, sort_by, any). */
static bool counts_itself(struct dp_str name) {
    static const char *const loops[] = {"range", "while", "until", "repeat", "recurse"};
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++)
        if (dp_str_eqz(name, loops[i])) return true;
    return false;
}

static enum dp_status print_call(struct out *o, const struct dp_enode *n) {
    dp_buf_adds(&o->b, n->name);
    bool counts = counts_itself(n->name);
    for (size_t i = 0; i < n->n; i++) {
        dp_buf_addc(&o->b, i ? ';' : '(');
        DP_TRY(print_in(o, counts ? "" : "__dp_tick | ", n->list[i], ""));
    }
    if (n->n) dp_buf_addc(&o->b, ')');
    return DP_OK;
}

static enum dp_status print_suffix(struct out *o, const struct dp_enode *n) {
    bool many = n->kind == DP_EK_ITERATE;
    DP_TRY(print_in(o, many ? "((" : "(", n->a, ")["));
    if (n->b) DP_TRY(print(o, n->b));
    if (n->kind == DP_EK_SLICE) dp_buf_addc(&o->b, ':');
    if (n->c) DP_TRY(print(o, n->c));
    dp_buf_addz(&o->b, n->opt ? "]?" : "]");
    if (many) dp_buf_addz(&o->b, " | __dp_tick)");
    return DP_OK;
}

static enum dp_status print_named(struct out *o, const char *before, struct dp_str name, const char *after) {
    dp_buf_addz(&o->b, before);
    dp_buf_adds(&o->b, name);
    dp_buf_addz(&o->b, after);
    return DP_OK;
}

static enum dp_status print(struct out *o, const struct dp_enode *n) {
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: dp_buf_addc(&o->b, '.'); return DP_OK;
    case DP_EK_RECURSE: dp_buf_addz(&o->b, "recurse"); return DP_OK;
    case DP_EK_CONST: return print_const(o, n);
    case DP_EK_VAR: return print_named(o, "$", n->name, "");
    case DP_EK_INDEX:
    case DP_EK_SLICE:
    case DP_EK_ITERATE: return print_suffix(o, n);
    case DP_EK_STRING: return print_string(o, n);
    case DP_EK_FORMAT: return print_named(o, "@", n->name, "");
    case DP_EK_ARRAY:
        if (!n->a) return print_named(o, "[]", dp_str("", 0), "");
        return print_in(o, "[", n->a, "]");
    case DP_EK_OBJECT: return print_object(o, n);
    case DP_EK_NEG: return print_in(o, "(-", n->a, ")");
    case DP_EK_PIPE: return print_two(o, n, "(", " | ");
    case DP_EK_COMMA:
        DP_TRY(print_in(o, "(", n->a, ", (__dp_tick | "));
        return print_in(o, "", n->b, "))");
    case DP_EK_ALT: return print_two(o, n, "(", " // ");
    case DP_EK_AND: return print_two(o, n, "(", " and ");
    case DP_EK_OR: return print_two(o, n, "(", " or ");
    case DP_EK_CMP: return print_cmp(o, n);
    case DP_EK_ARITH: return print_arith(o, n);
    case DP_EK_ASSIGN: return print_assign(o, n);
    case DP_EK_IF: return print_if(o, n);
    case DP_EK_TRY:
        DP_TRY(print_in(o, "(try (", n->a, ")"));
        if (n->b) DP_TRY(print_in(o, " catch (", n->b, ")"));
        dp_buf_addc(&o->b, ')');
        return DP_OK;
    case DP_EK_REDUCE:
    case DP_EK_FOREACH: return print_fold(o, n);
    case DP_EK_DEF: return print_def(o, n);
    case DP_EK_CALL: return print_call(o, n);
    case DP_EK_AS:
        DP_TRY(print_in(o, "((", n->a, ")"));
        DP_TRY(print_patterns(o, n));
        return print_in(o, " | ", n->b, ")");
    case DP_EK_LABEL:
        DP_TRY(print_named(o, "(label $", n->name, " | "));
        return print_in(o, "", n->a, ")");
    case DP_EK_BREAK: return print_named(o, "(break $", n->name, ")");
    }
    return DP_OK;
}

enum dp_status dp_expr_to_jq(struct dp_expr *e, struct dp_err *err) {
    struct out o = {.err = err};
    dp_buf_addz(&o.b, prelude);
    dp_buf_addc(&o.b, '\n');
    enum dp_status status = print(&o, e->root);
    if (status == DP_OK) e->jq_text = dp_buf_detach(&o.b);
    dp_buf_release(&o.b);
    return status;
}

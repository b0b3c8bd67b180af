/*
 * Records to rows (dp/rules/agg.h): the value of each input, encoded one behind another.  A path is looked for once for all inputs that read it, a condition is
 * asked once.  A schema says what a string in a column of numbers is: NaN and the infinities of floats, the digits of a decimal.
 */
#include "agg_priv.h"

#include <math.h>

struct read_path {
    struct dp_path_hint hint;
    uint32_t node;      /* in this record, where `found` */
    bool found;
    bool is_float, is_decimal;
    enum dp_kind only;  /* what its schema says of it: NUMBER, STRING; NONE: nothing */
};

struct dp_agg_reader {
    const struct dp_aggs *a;
    struct read_path *paths;
    struct dp_expr_run **wheres; /* opened when first asked */
    signed char *answers;        /* -1: not asked */
    const struct dp_type *types; /* that the paths were looked up in */
    struct dp_buf text;
};

struct dp_agg_reader *dp_agg_reader_open(const struct dp_aggs *a) {
    struct dp_agg_reader *r = dp_calloc(1, sizeof *r);
    r->a = a;
    r->paths = dp_calloc(a->n_paths + 1, sizeof *r->paths);
    r->wheres = dp_calloc(a->n_wheres + 1, sizeof(struct dp_expr_run *));
    r->answers = dp_calloc(a->n_wheres + 1, 1);
    return r;
}

void dp_agg_reader_close(struct dp_agg_reader *r) {
    if (!r) return;
    for (size_t i = 0; i < r->a->n_wheres; i++) dp_expr_run_close(r->wheres[i]);
    free(r->paths), free(r->wheres), free(r->answers);
    dp_buf_release(&r->text);
    free(r);
}

const struct dp_type *agg_type_of(const struct dp_type *types, const struct dp_path *path) {
    const struct dp_type *t = types;
    for (size_t i = 0; t && i < path->n; i++) {
        const struct dp_step *s = &path->steps[i];
        if (s->kind == DP_STEP_INDEX) t = t->id == DP_TYPE_LIST && t->n_children ? t->children[0] : NULL;
        else t = t->id == DP_TYPE_STRUCT ? dp_type_child(t, dp_str(s->key, s->key_n)) : NULL;
    }
    return t;
}

static enum dp_kind kind_of_type(enum dp_type_id id) {
    switch (id) {
    case DP_TYPE_INT8:
    case DP_TYPE_INT16:
    case DP_TYPE_INT32:
    case DP_TYPE_INT64:
    case DP_TYPE_UINT8:
    case DP_TYPE_UINT16:
    case DP_TYPE_UINT32:
    case DP_TYPE_UINT64:
    case DP_TYPE_FLOAT16:
    case DP_TYPE_FLOAT:
    case DP_TYPE_DOUBLE:
    case DP_TYPE_DECIMAL: return DP_KIND_NUMBER;
    case DP_TYPE_STRING:
    case DP_TYPE_ENUM:
    case DP_TYPE_UUID:
    case DP_TYPE_DATE:
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP:
    case DP_TYPE_INTERVAL:
    case DP_TYPE_BINARY:
    case DP_TYPE_FIXED: return DP_KIND_STRING;
    case DP_TYPE_NONE:
    case DP_TYPE_BOOLEAN:
    case DP_TYPE_JSON:
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: return DP_KIND_NONE;
    }
    return DP_KIND_NONE;
}

static void learn_types(struct dp_agg_reader *r, const struct dp_type *types) {
    r->types = types;
    for (size_t i = 0; i < r->a->n_paths; i++) {
        const struct dp_type *t = agg_type_of(types, &r->a->paths[i].path);
        struct read_path *p = &r->paths[i];
        p->is_float = t && (t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE);
        p->is_decimal = t && t->id == DP_TYPE_DECIMAL;
        p->only = t ? kind_of_type(t->id) : DP_KIND_NONE;
    }
}

static enum dp_status ask(struct dp_agg_reader *r, size_t where, const struct dp_record *rec, bool *out, struct dp_err *err) {
    if (r->answers[where] < 0) {
        if (!r->wheres[where]) r->wheres[where] = dp_expr_run_open(r->a->wheres[where].expr);
        DP_TRY(dp_expr_test(r->wheres[where], rec, out, err));
        r->answers[where] = *out;
    }
    *out = r->answers[where] > 0;
    return DP_OK;
}

static const char *const kind_words[] = {"nothing", "null", "a boolean", "a boolean", "a number", "a string", "an object", "an array"};

static enum dp_status wrong_kind(const struct dp_agg_reader *r, const struct agg_input *in, const char *wanted, enum dp_kind kind, struct dp_err *err) {
    return dp_err_set(err, DP_RECORD, "%s: %s wants %s, got %s", r->a->paths[in->path].label, in->function, wanted, kind_words[kind]);
}

static bool is_digits(struct dp_str s) {
    struct dp_str rest = s;
    if (rest.n && *rest.p == '-') rest.p++, rest.n--;
    if (!rest.n || (rest.n > 1 && *rest.p == '0' && rest.p[1] != '.')) return false;
    size_t points = 0;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '.' && i && i + 1 < rest.n) points++;
        else if (rest.p[i] < '0' || rest.p[i] > '9') return false;
    }
    return points < 2;
}

/* A string where a number may be meant: true when it was taken. */
static bool take_as_number(const struct read_path *p, struct dp_str text, struct dp_buf *row) {
    if (p->is_float && (dp_str_eqz(text, "NaN") || dp_str_eqz(text, "Infinity") || dp_str_eqz(text, "-Infinity"))) {
        dp_buf_addc(row, (char)AGG_NAN);
        return true;
    }
    if (!p->is_decimal || !is_digits(text)) return false;
    agg_val_add_number(row, text, false);
    return true;
}

/* Numbers, and strings where they have an order. */
static enum dp_status put_ordered(struct dp_agg_reader *r, const struct agg_input *in, const struct dp_record *rec, struct dp_buf *row, struct dp_err *err) {
    const struct read_path *p = &r->paths[in->path];
    const struct dp_node *node = &rec->nodes[p->node];
    struct dp_str text = dp_node_str(rec, p->node);
    bool strings = in->class == AGG_CLASS_ORDERED;
    if (node->kind == DP_KIND_NUMBER && (!strings || p->only != DP_KIND_STRING)) {
        size_t from = row->n;
        agg_val_add_number(row, text, p->is_float);
        if ((unsigned char)row->p[from] != AGG_TEXT || !in->summed || isfinite(agg_bits_double(agg_get64(row->p + from + 1)))) return DP_OK;
        return dp_err_set(err, DP_RECORD, "%s: %s wants a number that a double holds", r->a->paths[in->path].label, in->summed);
    }
    if (node->kind == DP_KIND_STRING) {
        if (take_as_number(p, text, row)) return DP_OK;
        if (strings && p->only != DP_KIND_NUMBER) {
            if (node->flags & DP_NODE_ESCAPED) {
                r->text.n = 0;
                dp_json_decode(text, &r->text);
                text = dp_buf_str(&r->text);
            }
            agg_val_add_bytes(row, AGG_STR, text);
            return DP_OK;
        }
    }
    const char *wanted = !strings || p->only == DP_KIND_NUMBER ? "a number" : p->only == DP_KIND_STRING ? "a string" : "a number or a string";
    return wrong_kind(r, in, wanted, (enum dp_kind)node->kind, err);
}

static struct dp_str raw_value(const struct dp_record *rec, uint32_t node) {
    struct dp_str s = dp_node_str(rec, node);
    return rec->nodes[node].kind == DP_KIND_STRING ? dp_str(s.p - 1, s.n + 2) : s;
}

static uint32_t find_path(struct dp_agg_reader *r, size_t path, const struct dp_record *rec) {
    struct read_path *p = &r->paths[path];
    if (!p->found) {
        p->node = dp_path_find(&r->a->paths[path].path, &p->hint, rec);
        p->found = true;
    }
    return p->node;
}

static enum dp_status put_input(struct dp_agg_reader *r, const struct agg_input *in, const struct dp_record *rec, struct dp_buf *row, struct dp_err *err) {
    if (in->where != SIZE_MAX) {
        bool is_met;
        DP_TRY(ask(r, in->where, rec, &is_met, err));
        if (!is_met) {
            dp_buf_addc(row, AGG_NULL);
            return DP_OK;
        }
    }
    if (in->path == SIZE_MAX) {
        if (in->class == AGG_CLASS_PRESENT) dp_buf_addc(row, AGG_TRUE);
        else agg_val_add_bytes(row, AGG_JSON, dp_str(rec->raw, rec->raw_n));
        return DP_OK;
    }
    uint32_t node = find_path(r, in->path, rec);
    if (!node || rec->nodes[node].kind == DP_KIND_NULL) {
        dp_buf_addc(row, AGG_NULL);
        return DP_OK;
    }
    switch (in->class) {
    case AGG_CLASS_PRESENT: dp_buf_addc(row, AGG_TRUE); break;
    case AGG_CLASS_ORDERED:
    case AGG_CLASS_NUMBER: return put_ordered(r, in, rec, row, err);
    case AGG_CLASS_JSON: agg_val_add_bytes(row, AGG_JSON, raw_value(rec, node)); break;
    case AGG_CLASS_CANONICAL:
        r->text.n = 0;
        agg_canonical(&r->text, rec, node);
        agg_val_add_bytes(row, AGG_JSON, dp_buf_str(&r->text));
        break;
    }
    return DP_OK;
}

enum dp_status dp_agg_read(struct dp_agg_reader *r, const struct dp_record *rec, const struct dp_type *types, struct dp_buf *row, struct dp_err *err) {
    const struct dp_aggs *a = r->a;
    size_t before = row->n;
    if (types != r->types) learn_types(r, types);
    for (size_t i = 0; i < a->n_paths; i++) r->paths[i].found = false;
    if (a->n_wheres) memset(r->answers, -1, a->n_wheres);
    for (size_t i = 0; i < a->n_inputs; i++) {
        enum dp_status status = put_input(r, &a->inputs[i], rec, row, err);
        if (status != DP_OK) {
            row->n = before;
            return status;
        }
    }
    return DP_OK;
}

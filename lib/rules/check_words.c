/* Breaches in words: the path of the value, what was expected and what stood there; of classified fields no more than type and length. */
#include "check_priv.h"

#define SHOWN 60

/* A name in a path: bare, or quoted where it could be read as something else. */
static void add_name(struct dp_buf *b, struct dp_str name, bool is_first) {
    bool bare = name.n > 0;
    for (size_t i = 0; i < name.n && bare; i++) bare = (unsigned char)name.p[i] > ' ' && !strchr(".[]\"\\", name.p[i]);
    if (bare) {
        if (!is_first) dp_buf_addc(b, '.');
        dp_buf_adds(b, name);
    } else {
        dp_buf_addc(b, '[');
        dp_json_add_string(b, name);
        dp_buf_addc(b, ']');
    }
}

/* From the record down to the node. */
static void add_path(const struct dp_record *rec, uint32_t node, struct dp_buf *b) {
    uint32_t at = 0;
    struct dp_buf name = {0};
    size_t start = b->n;
    while (at != node) {
        bool is_object = rec->nodes[at].kind == DP_KIND_OBJECT;
        uint32_t i = at + 1, index = 0;
        while (i < rec->nodes[at].next && node >= rec->nodes[i].next) i = rec->nodes[i].next, index++;
        if (i >= rec->nodes[at].next) break;
        if (is_object) {
            dp_buf_reset(&name);
            dp_json_decode(dp_node_str(rec, i), &name);
            add_name(b, dp_buf_str(&name), b->n == start);
            at = i + 1;
        } else {
            dp_buf_addf(b, "[%u]", index);
            at = i;
        }
    }
    dp_buf_release(&name);
}

/* Cut where a character ends. */
static size_t cut(struct dp_str s, size_t most) {
    if (s.n <= most) return s.n;
    while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80) most--;
    return most;
}

static const char *const kinds[] = {[DP_KIND_NONE] = "nothing", [DP_KIND_NULL] = "null", [DP_KIND_FALSE] = "a boolean", [DP_KIND_TRUE] = "a boolean",
                                    [DP_KIND_NUMBER] = "a number", [DP_KIND_STRING] = "a string", [DP_KIND_OBJECT] = "an object", [DP_KIND_ARRAY] = "an array"};

static void add_value(const struct dp_record *rec, uint32_t node, bool hide, struct dp_buf *b) {
    const struct dp_node *n = &rec->nodes[node];
    struct dp_str text = dp_node_str(rec, node);
    bool is_text = n->kind == DP_KIND_STRING;
    if (hide && n->kind != DP_KIND_NULL) {
        size_t length = is_text ? dp_json_length(text, n->flags) : text.n;
        dp_buf_addf(b, "%s of %zu character%s", kinds[n->kind], length, length == 1 ? "" : "s");
        return;
    }
    size_t shown = cut(text, SHOWN);
    if (is_text) dp_buf_addc(b, '"');
    dp_buf_add(b, text.p, shown);
    if (shown < text.n) dp_buf_addz(b, "...");
    if (is_text) dp_buf_addc(b, '"');
}

static bool hides(const struct dp_check_run *r, uint32_t rule) { return r->k->infos[rule].is_classified || (r->hidden && r->hidden[rule]); }

/* Top-level names in "a.b", "items[].x", and in the "a,b" of a tuple. */
static bool property_is(const char *property, bool is_tuple, dp_check_hides is_classified, void *ctx) {
    while (property && *property) {
        size_t n = is_tuple ? strcspn(property, ",") : strlen(property), top = strcspn(property, ".[");
        if (is_classified(ctx, dp_str(property, n)) || is_classified(ctx, dp_str(property, top < n ? top : n))) return true;
        property += n + (property[n] == ',');
    }
    return false;
}

void dp_check_hide(struct dp_check_run *r, dp_check_hides is_classified, void *ctx) {
    if (!r->hidden) r->hidden = dp_calloc(r->k->n_rules + 1, sizeof *r->hidden);
    for (size_t i = 0; i < r->k->n_rules; i++) {
        const struct check_info *info = &r->k->infos[i];
        r->hidden[i] = property_is(info->property, info->is_tuple, is_classified, ctx);
    }
    r->any_hidden = true;
}

struct dp_check_words dp_check_explain(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach *breach) {
    const struct check_info *info = &r->k->infos[breach->rule];
    const struct check_item *item = &r->items[breach->item];
    struct dp_check_words w = {.rule = info->check, .expected = info->expected};
    struct dp_buf *b = &r->words;
    bool undecided = r->undecided_at == r->serial && r->undecided_rule == breach->rule;
    size_t reason;
    dp_buf_reset(b);
    if (breach->node || item->box) add_path(rec, breach->node ? breach->node : item->box, b);
    if (!breach->node && item->field) add_name(b, dp_str_z(item->field->name ? item->field->name : ""), b->n == 0);
    bool has_path = b->n > 0;
    dp_buf_addc(b, 0);
    reason = b->n;
    if (!strcmp(info->check, "unknown")) dp_buf_addz(b, "the contract does not know this field");
    else if (!item->field && undecided) dp_buf_addf(b, "the expression failed: %s", r->undecided);
    else if (!item->field && !breach->node) dp_buf_addf(b, "it is not true of the record: %s", info->expected ? info->expected : "");
    else if (!breach->node) dp_buf_addf(b, "expected %s, and the field is absent", info->expected ? info->expected : "a value");
    else {
        dp_buf_addf(b, "expected %s, got ", info->expected ? info->expected : "another value");
        add_value(rec, breach->node, hides(r, breach->rule), b);
        if (undecided) dp_buf_addf(b, " (not decided: %s)", r->undecided);
    }
    if (breach->more) dp_buf_addf(b, " (and %u more)", breach->more);
    w.reason = dp_buf_z(b) + reason;
    w.path = has_path ? b->p : NULL;
    return w;
}

struct dp_check_words dp_check_explain_rule(struct dp_check_run *r, const struct dp_record *rec, uint32_t rule, const char *what) {
    const struct check_info *info = &r->k->infos[rule];
    const struct dp_check_tuple *t = NULL;
    struct dp_buf *b = &r->words;
    dp_buf_reset(b);
    for (size_t i = 0; i < r->k->n_tuples && !t; i++)
        for (size_t k = 0; k < r->k->tuples[i].n_rules; k++)
            if (r->k->tuples[i].rules[k] == rule) t = &r->k->tuples[i];
    dp_buf_addf(b, "%s", what);
    for (size_t i = 0; rec && t && i < t->n_paths; i++) {
        uint32_t node = dp_path_find(&t->paths[i], NULL, rec);
        dp_buf_addz(b, i ? ", " : ": ");
        if (node) add_value(rec, node, hides(r, rule), b);
    }
    return (struct dp_check_words){.rule = info->check, .path = info->property, .expected = info->expected, .reason = dp_buf_z(b)};
}

void dp_check_note(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach *breaches, size_t n, uint64_t line) {
    for (size_t i = 0; i < n; i++) {
        const struct dp_check_breach *b = &breaches[i];
        struct dp_check_tally *t = &r->tally;
        if (r->taken[b->rule] >= DP_VERDICT_SAMPLES) continue;
        r->taken[b->rule]++;
        t->samples = dp_grow(t->samples, &t->cap_samples, t->n_samples + 1, sizeof *t->samples);
        struct dp_check_tally_sample *s = &t->samples[t->n_samples++];
        s->rule = b->rule;
        s->line = line;
        dp_buf_reset(&r->words);
        if (b->node) add_value(rec, b->node, hides(r, b->rule), &r->words);
        size_t len = cut(dp_buf_str(&r->words), sizeof s->value - 1);
        memcpy(s->value, r->words.p ? r->words.p : "", len);
        s->value[len] = 0;
    }
}

/*
 * The way back: what the technique encrypt made of a value, and the mask that undoes it (dp/rules/mask.h).
 *
 * An encrypted value is  e1:ID:BASE64URL , ID that of the key, behind it AES-SIV (dp/base/siv.h) of a letter for the JSON form (s, n) and the canonical value (mask_keyed.c); the associated string is
 * the domain.  A value of another domain, technique or ring does not open, nor one that was changed.
 */
#include "mask_priv.h"

#include <dp/record/lineage.h>

#include <stdlib.h>

#define HEAD "e1:"

struct mask_opener { char id[33]; struct dp_siv siv; };

/* ---- the technique ---- */

const char *dp_mask_encrypt(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    struct dp_buf text = {0};
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true};
    if (!v.text.n) return NULL;
    dp_buf_addc(&text, v.kind == DP_KIND_NUMBER ? 'n' : 's');
    if (v.kind == DP_KIND_NUMBER) mask_canonical_number(v.text, &text);
    else dp_buf_adds(&text, v.text);
    size_t sealed = text.n + DP_SIV_EXTRA;
    dp_buf_reset(scratch);
    char *p = dp_buf_reserve(scratch, n->head_n + sealed * 2 + sealed);
    memcpy(p, n->head, n->head_n);
    uint8_t *bytes = (uint8_t *)p + n->head_n + sealed * 2; /* behind where its text ends */
    dp_siv_seal(n->siv, dp_buf_str(&text), bytes);
    scratch->n = n->head_n + dp_base64url_print(p + n->head_n, bytes, sealed);
    out->text = dp_buf_str(scratch);
    dp_wipe(text.p, text.n);
    dp_buf_release(&text);
    return NULL;
}

/* ---- the way back ---- */

static const struct mask_opener *opener_of(const struct mask_node *n, struct dp_str id) {
    for (size_t i = 0; i < n->n_openers; i++)
        if (dp_str_eqz(id, n->openers[i].id)) return &n->openers[i];
    return NULL;
}

static const char *reveal(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    struct dp_str rest = v.text;
    size_t got;
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true};
    if (!rest.n) return NULL;
    if (!dp_str_starts(rest, DP_STR(HEAD))) return "it is not an encrypted value";
    rest = dp_str(rest.p + sizeof HEAD - 1, rest.n - (sizeof HEAD - 1));
    const char *colon = memchr(rest.p, ':', rest.n);
    if (!colon) return "it is not an encrypted value";
    const struct mask_opener *o = opener_of(n, dp_str(rest.p, (size_t)(colon - rest.p)));
    if (!o) return "the ring does not have its key";
    struct dp_str text = dp_str(colon + 1, rest.n - (size_t)(colon + 1 - rest.p));
    dp_buf_reset(scratch);
    uint8_t *sealed = (uint8_t *)dp_buf_reserve(scratch, 2 * text.n + 2), *clear = sealed + text.n;
    if (!dp_base64url_parse(text, sealed, text.n, &got) || got <= DP_SIV_EXTRA || !dp_siv_open(&o->siv, dp_str((char *)sealed, got), clear))
        return "it was not encrypted with this key in this domain, or was changed since";
    got -= DP_SIV_EXTRA;
    bool is_number = clear[0] == 'n';
    *out = (struct mask_result){.kind = is_number ? DP_KIND_NUMBER : DP_KIND_STRING, .text = dp_str((char *)clear + 1, got - 1)};
    return NULL;
}

static enum mask_fit fit_string(const struct dp_mask_rule *r, const struct dp_type *t) {
    (void)r;
    return t->id == DP_TYPE_STRING ? MASK_FIT_SAME : MASK_FIT_NOT;
}

static const struct dp_mask_technique reveals = {.name = "encrypt", .leaves_clear = true, .fit = fit_string, .takes = "encrypted values", .apply = reveal};

/* ---- the mask that undoes it ---- */

static void add_openers(struct dp_mask *m, const struct dp_keyring *ring, struct mask_node *n) {
    for (size_t i = 0; i < ring->n; i++) {
        const struct dp_keyring_key *k = &ring->keys[i];
        uint8_t key[DP_SIV_KEY];
        if (k->state == DP_KEY_DESTROYED) continue;
        struct mask_opener *o = &m->openers[m->n_openers++];
        dp_key_derive(k, n->rule.technique->name, dp_str(n->prefix.p, n->prefix.n - 1), key);
        dp_siv_init(&o->siv, key, n->prefix);
        dp_wipe(key, sizeof key);
        snprintf(o->id, sizeof o->id, "%s", k->id);
        if (!n->n_openers++) n->openers = o;
    }
}

/* All that is not encrypted stays as it comes: a masked value has no other way back. */
static bool turn(struct dp_mask *m, const struct dp_keyring *ring, const struct dp_type *string, struct mask_node *n) {
    bool any = false;
    for (size_t i = 0; i < n->n_children; i++) any |= turn(m, ring, string, &n->children[i]);
    if (n->items) any |= turn(m, ring, string, n->items);
    if (n->act == MASK_APPLY && n->rule.technique == dp_mask_technique_find("encrypt")) {
        add_openers(m, ring, n);
        n->rule.technique = &reveals;
        n->type = string;
        return true;
    }
    n->act = any ? MASK_INTO : MASK_KEEP;
    return any;
}

enum dp_status dp_mask_reverse(struct dp_mask *m, const struct dp_keyring *ring, struct dp_err *err) {
    size_t kept = 0;
    for (size_t i = 0; i < m->n_columns; i++)
        if (!strcmp(m->columns[i].technique, reveals.name)) m->columns[kept++] = m->columns[i];
    m->n_columns = kept;
    if (!kept) return dp_err_set(err, DP_USAGE, "no column of this contract, policy and role is encrypted: what other techniques mask has no way back");
    struct dp_type *string = m->string = dp_type_new(DP_TYPE_STRING, DP_STR(""));
    m->cap_openers = m->n_keyed * ring->n;
    m->openers = dp_secret_alloc(m->cap_openers * sizeof *m->openers);
    turn(m, ring, string, &m->root);
    m->root.act = MASK_INTO;
    m->unknown = DP_MASK_UNKNOWN_PASS;
    m->n_keyed = 0; /* nothing clear is remembered */
    return DP_OK;
}

void mask_openers_free(struct dp_mask *m) {
    dp_secret_free(m->openers, m->cap_openers * sizeof *m->openers);
    dp_type_free(m->string);
}

/* The type of a column as the contract has it. */
static void take_type(const struct dp_mask *m, struct dp_type *schema, const char *name) {
    struct dp_str key = dp_str_z(name);
    const struct dp_type *clear = dp_type_child(m->schema, key);
    for (size_t i = 0; clear && i < schema->n_children; i++) {
        struct dp_type *t = schema->children[i];
        if (!dp_str_eq(dp_str(t->name, t->name_n), key)) continue;
        struct dp_type *made = dp_type_copy(clear);
        made->nullable = t->nullable;
        dp_type_free(t);
        schema->children[i] = made;
    }
}

void dp_mask_reverse_header(const struct dp_mask *m, const char *program, struct dp_mark *begin) {
    struct dp_lineage_done *done = dp_calloc(m->n_columns + 1, sizeof *done);
    for (size_t i = 0; i < m->n_columns; i++) {
        const struct dp_mask_column *c = &m->columns[i];
        bool nested = strcmp(c->path, c->top) != 0;
        done[i] = (struct dp_lineage_done){.field = dp_str_z(c->top), .path = nested ? c->path : NULL, .what = "revealed", .technique = c->technique, .domain = c->domain,
                                           .classification = c->classification, .reveals = true};
        if (begin->schema && !nested) take_type(m, begin->schema, c->top);
    }
    dp_lineage_done(begin, program, done, m->n_columns);
    free(done);
}

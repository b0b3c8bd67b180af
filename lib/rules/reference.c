/* References of contracts (dp/rules/reference.h).  Names may hold dots themselves, so each part is looked for among the names that there are. */
#include <dp/rules/reference.h>

#include <dp/base/mem.h>

static bool is_name(struct dp_str s, const char *name) { return name && dp_str_eqz(s, name); }

/* The text behind `name` and the separator; false: it does not begin so. */
static bool behind(struct dp_str s, const char *name, char separator, struct dp_str *rest) {
    size_t n = name ? strlen(name) : 0;
    if (!n || s.n <= n || memcmp(s.p, name, n) != 0 || s.p[n] != separator) return false;
    *rest = dp_str(s.p + n + 1, s.n - n - 1);
    return true;
}

/* ---- by names, with dots ---- */

static bool by_names(struct dp_reference *r, const struct dp_contract_property *list, size_t n, struct dp_str text) {
    struct dp_str rest;
    if (r->n == DP_REFERENCE_DEPTH) return false;
    for (size_t i = 0; i < n; i++) {
        const struct dp_contract_property *p = &list[i];
        r->chain[r->n++] = p;
        if (is_name(text, p->logical_name) || is_name(text, p->name)) return true;
        if ((behind(text, p->logical_name, '.', &rest) || behind(text, p->name, '.', &rest)) && by_names(r, p->properties, p->n_properties, rest)) return true;
        r->n--;
    }
    return false;
}

static void read_names(struct dp_reference *r, const struct dp_contract *c, struct dp_str text, const struct dp_contract_object *only) {
    for (size_t i = 0; c && i < c->n_objects; i++) {
        const struct dp_contract_object *o = &c->objects[i];
        const char *names[] = {o->name, o->physical_name};
        for (size_t k = 0; k < 2; k++) {
            struct dp_str rest;
            if (!behind(text, names[k], '.', &rest)) continue;
            r->object = o, r->object_name = dp_str(text.p, text.n - rest.n - 1), r->rest = rest;
            if (by_names(r, o->properties, o->n_properties, rest)) return;
        }
    }
    if (r->object) return; /* the object is there, the property is not */
    if (only && by_names(r, only->properties, only->n_properties, text)) {
        r->object = only, r->rest = text;
        return;
    }
    const char *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
    size_t n = dot ? (size_t)(dot - text.p) : text.n;
    r->object_name = dp_str(text.p, n);
    r->rest = dot ? dp_str(dot + 1, text.n - n - 1) : dp_str(NULL, 0);
}

/* ---- by ids, with slashes ---- */

/* The part up to the next slash, taken off. */
static struct dp_str part(struct dp_str *text) {
    const char *slash = text->n ? memchr(text->p, '/', text->n) : NULL;
    size_t n = slash ? (size_t)(slash - text->p) : text->n;
    struct dp_str out = {text->p, n};
    *text = slash ? dp_str(slash + 1, text->n - n - 1) : dp_str(text->p + text->n, 0);
    return out;
}

static void read_properties(struct dp_reference *r, struct dp_str text) {
    const struct dp_contract_property *list = r->object->properties;
    size_t n = r->object->n_properties;
    while (text.n && r->n < DP_REFERENCE_DEPTH) {
        const struct dp_contract_property *found = NULL;
        bool is_properties = dp_str_eqz(part(&text), "properties");
        struct dp_str id = part(&text);
        for (size_t i = 0; is_properties && i < n && !found; i++)
            if (is_name(id, list[i].id)) found = &list[i];
        if (!found) {
            r->n = 0;
            return;
        }
        r->chain[r->n++] = found;
        list = found->properties, n = found->n_properties;
    }
}

static void read_ids(struct dp_reference *r, const struct dp_contract *c, struct dp_str text) {
    r->by_id = true;
    (void)part(&text); /* schema */
    r->object_name = part(&text);
    r->rest = text;
    for (size_t i = 0; c && i < c->n_objects && !r->object; i++)
        if (is_name(r->object_name, c->objects[i].id)) r->object = &c->objects[i];
    if (r->object) read_properties(r, text);
}

struct dp_reference dp_reference_read(const struct dp_contract *c, const char *z, const struct dp_contract_object *only) {
    struct dp_reference r = {0};
    struct dp_str text = dp_str_z(z);
    const char *hash = strchr(z, '#');
    if (hash) {
        r.file = dp_str(z, (size_t)(hash - z));
        text = dp_str_z(hash + 1);
        if (r.file.n) c = NULL, only = NULL;
    }
    if (text.n && *text.p == '/') text.p++, text.n--;
    if (dp_str_starts(text, DP_STR("schema/"))) read_ids(&r, c, text);
    else read_names(&r, c, text, only);
    return r;
}

void dp_reference_path(const struct dp_reference *r, struct dp_path *path) {
    *path = (struct dp_path){dp_calloc(r->n + 1, sizeof *path->steps), r->n};
    for (size_t i = 0; i < r->n; i++) {
        const char *name = r->chain[i]->name ? r->chain[i]->name : "";
        path->steps[i] = (struct dp_step){.kind = DP_STEP_KEY, .key = dp_strdup(name), .key_n = strlen(name)};
    }
}

/* The changes between two contracts as text, Markdown and JSON. */
#include <dp/record/json.h>
#include <dp/rules/diff.h>

static const char *const class_names[] = {"breaking", "compatible", "governance", "documentation"};
static const char *const titles[] = {"Breaking", "Compatible", "Governance", "Documentation"};

const char *dp_version_step_name(enum dp_version_step step) {
    static const char *const words[] = {"none", "patch", "minor", "major"};
    return words[step];
}

static const char *whom(const struct dp_change *c) {
    if (c->breaks_data && c->breaks_consumers) return "breaks reading of earlier data, and consumers";
    return c->breaks_data ? "breaks reading of earlier data" : c->breaks_consumers ? "breaks consumers" : NULL;
}

/* What Markdown would take for its own. */
static void add_plain(struct dp_buf *b, const char *text, bool markdown) {
    for (; *text; text++) {
        if (markdown && strchr("\\`*_{}[]<>#|", *text)) dp_buf_addc(b, '\\');
        dp_buf_addc(b, *text == '\n' || *text == '\r' ? ' ' : *text);
    }
}

static void print_change(const struct dp_change *c, bool markdown, struct dp_buf *b) {
    dp_buf_addz(b, markdown ? "- " : "  ");
    if (*c->path) {
        dp_buf_addz(b, markdown ? "**" : "");
        add_plain(b, c->path, markdown);
        dp_buf_addz(b, markdown ? "**: " : ": ");
    }
    add_plain(b, c->text, markdown);
    if (whom(c)) dp_buf_addf(b, markdown ? " *(%s)*" : " (%s)", whom(c));
    dp_buf_addc(b, '\n');
}

/* One sentence on the version. */
static void print_version(const struct dp_contract *old, const struct dp_contract *new_, const struct dp_diff *d, bool markdown, struct dp_buf *b) {
    dp_buf_addz(b, markdown ? "\n**Version** " : "\nVersion ");
    dp_buf_addf(b, "%s, was %s", new_->version, old->version);
    if (d->needed == DP_VERSION_NONE) dp_buf_addz(b, ": nothing changed, no step is needed");
    else if (!d->versions_known) dp_buf_addf(b, ": not semantic versions; the changes are a %s step%s", dp_version_step_name(d->needed),
                                             d->version_is_right ? "" : ", and the version is the same");
    else if (d->version_is_right) dp_buf_addf(b, ": a %s step was needed, this is enough", dp_version_step_name(d->needed));
    else dp_buf_addf(b, ": a %s step is needed, write %s%s", dp_version_step_name(d->needed), d->suggested,
                     d->made == DP_VERSION_NONE ? " (it did not rise)" : "");
    dp_buf_addz(b, ".\n");
}

static void print_words(const struct dp_contract *old, const struct dp_contract *new_, const char *old_name, const char *new_name,
                        const struct dp_diff *d, bool markdown,
                        struct dp_buf *b) {
    const char *name = new_->name ? new_->name : new_->id;
    if (markdown) dp_buf_addz(b, "# Changes of ");
    add_plain(b, name, markdown);
    dp_buf_addf(b, markdown ? "\n\n`%s` to `%s`\n" : ": %s to %s\n", old_name, new_name);
    if (!d->n) dp_buf_addz(b, markdown ? "\nNo changes.\n" : "No changes.\n");
    for (int class_ = 0; class_ <= DP_CHANGE_DOCS; class_++) {
        if (!d->n_class[class_]) continue;
        dp_buf_addf(b, markdown ? "\n## %s (%zu)\n\n" : "\n%s (%zu)\n", titles[class_], d->n_class[class_]);
        for (size_t i = 0; i < d->n; i++)
            if (d->v[i].class_ == (enum dp_change_class)class_) print_change(&d->v[i], markdown, b);
    }
    print_version(old, new_, d, markdown, b);
}

static void add_member(struct dp_buf *b, const char *key, const char *value) {
    dp_buf_addf(b, ",\"%s\":", key);
    if (value) dp_json_add_string(b, dp_str_z(value));
    else dp_buf_addz(b, "null");
}

static void add_side(struct dp_buf *b, const char *key, const struct dp_contract *c, const char *name) {
    dp_buf_addf(b, "\"%s\":{\"file\":", key);
    dp_json_add_string(b, dp_str_z(name));
    add_member(b, "id", c->id);
    add_member(b, "version", c->version);
    add_member(b, "apiVersion", c->api_version);
    dp_buf_addc(b, '}');
}

static void print_json(const struct dp_contract *old, const struct dp_contract *new_, const char *old_name, const char *new_name,
                       const struct dp_diff *d, struct dp_buf *b) {
    dp_buf_addc(b, '{');
    add_side(b, "old", old, old_name);
    dp_buf_addc(b, ',');
    add_side(b, "new", new_, new_name);
    dp_buf_addz(b, ",\"counts\":{");
    for (int i = 0; i <= DP_CHANGE_DOCS; i++) dp_buf_addf(b, "%s\"%s\":%zu", i ? "," : "", class_names[i], d->n_class[i]);
    dp_buf_addf(b, "},\"needed\":\"%s\",\"made\":\"%s\"", dp_version_step_name(d->needed), dp_version_step_name(d->made));
    add_member(b, "suggested", d->suggested);
    dp_buf_addf(b, ",\"version_is_right\":%s,\"changes\":[", d->version_is_right ? "true" : "false");
    for (size_t i = 0; i < d->n; i++) {
        const struct dp_change *c = &d->v[i];
        dp_buf_addf(b, "%s{\"class\":\"%s\"", i ? "," : "", class_names[c->class_]);
        add_member(b, "path", c->path);
        add_member(b, "key", c->key);
        add_member(b, "text", c->text);
        dp_buf_addf(b, ",\"breaks_data\":%s,\"breaks_consumers\":%s,\"old_line\":%u,\"new_line\":%u}", c->breaks_data ? "true" : "false",
                    c->breaks_consumers ? "true" : "false",
                    c->old_line, c->new_line);
    }
    dp_buf_addz(b, "]}\n");
}

void dp_diff_print(enum dp_diff_form form, const struct dp_contract *old, const struct dp_contract *new_, const char *old_name, const char *new_name,
                   const struct dp_diff *d, struct dp_buf *b) {
    if (form == DP_DIFF_JSON) print_json(old, new_, old_name, new_name, d, b);
    else print_words(old, new_, old_name, new_name, d, form == DP_DIFF_MARKDOWN, b);
}

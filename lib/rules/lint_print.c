/*
 * Findings of lint for those who read them: text (one line each), JSON (one object a line), GitHub annotations (workflow commands), SARIF 2.1.0.
 */
#include <dp/rules/lint.h>

#include <dp/record/json.h>

static const char *const level_words[] = {"error", "warning", "note"};

const char *dp_finding_level_name(enum dp_finding_level level) {
    return level_words[level];
}

static void print_text(const char *file, const struct dp_finding *f, struct dp_buf *b) {
    dp_buf_addz(b, file);
    if (f->line) dp_buf_addf(b, ":%u", f->line);
    dp_buf_addz(b, ": ");
    if (f->level != DP_FINDING_ERROR) dp_buf_addf(b, "%s: ", level_words[f->level]);
    dp_finding_print(f, b);
    dp_buf_addc(b, '\n');
}

static void add_member(struct dp_buf *b, const char *key, const char *value) {
    dp_buf_addf(b, ",\"%s\":", key);
    if (value) dp_json_add_string(b, dp_str_z(value));
    else dp_buf_addz(b, "null");
}

static void print_json(const char *file, const struct dp_finding *f, struct dp_buf *b) {
    dp_buf_addz(b, "{\"file\":");
    dp_json_add_string(b, dp_str_z(file));
    dp_buf_addf(b, ",\"line\":%u,\"column\":%u", f->line, f->column);
    add_member(b, "level", level_words[f->level]);
    add_member(b, "rule", f->rule);
    add_member(b, "path", f->path);
    add_member(b, "key", f->key);
    add_member(b, "text", f->text);
    add_member(b, "meant", f->meant);
    dp_buf_addz(b, "}\n");
}

/* Data of a workflow command: % and line ends are escaped, in a property : and , too. */
static void add_command_text(struct dp_buf *b, const char *text, bool property) {
    for (; *text; text++) {
        bool escape = *text == '%' || *text == '\r' || *text == '\n' || (property && (*text == ':' || *text == ','));
        if (escape) dp_buf_addf(b, "%%%02X", (unsigned)*text);
        else dp_buf_addc(b, *text);
    }
}

static void print_github(const char *file, const struct dp_finding *f, struct dp_buf *b) {
    struct dp_buf text = {0};
    dp_finding_print(f, &text);
    dp_buf_addf(b, "::%s file=", f->level == DP_FINDING_NOTE ? "notice" : level_words[f->level]);
    add_command_text(b, file, true);
    if (f->line) dp_buf_addf(b, ",line=%u,col=%u", f->line, f->column ? f->column : 1);
    dp_buf_addf(b, ",title=%s::", f->rule);
    add_command_text(b, dp_buf_z(&text), false);
    dp_buf_addc(b, '\n');
    dp_buf_release(&text);
}

/* A path as a relative reference of RFC 3986. */
static void add_uri(struct dp_buf *b, const char *file) {
    struct dp_buf uri = {0};
    for (; *file; file++) {
        bool plain = (*file >= 'a' && *file <= 'z') || (*file >= 'A' && *file <= 'Z') || (*file >= '0' && *file <= '9') || strchr("-._~/", *file);
        if (plain) dp_buf_addc(&uri, *file);
        else dp_buf_addf(&uri, "%%%02X", (unsigned)(unsigned char)*file);
    }
    dp_json_add_string(b, dp_buf_str(&uri));
    dp_buf_release(&uri);
}

static void print_sarif(const char *file, const struct dp_finding *f, struct dp_buf *b) {
    struct dp_buf text = {0};
    dp_finding_print(f, &text);
    dp_buf_addf(b, "{\"ruleId\":\"%s\",\"level\":\"%s\",\"message\":{\"text\":", f->rule, level_words[f->level]);
    dp_json_add_string(b, dp_buf_str(&text));
    dp_buf_addz(b, "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
    add_uri(b, file);
    dp_buf_addc(b, '}');
    if (f->line) dp_buf_addf(b, ",\"region\":{\"startLine\":%u,\"startColumn\":%u}", f->line, f->column ? f->column : 1);
    dp_buf_addz(b, "},\"logicalLocations\":[{\"fullyQualifiedName\":");
    dp_json_add_string(b, dp_str_z(f->path));
    dp_buf_addz(b, "}]}]}");
    dp_buf_release(&text);
}

void dp_lint_print_begin(enum dp_lint_form form, struct dp_buf *b) {
    if (form != DP_LINT_SARIF) return;
    dp_buf_addz(b, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"dp-contract\"}},"
                   "\"results\":[");
}

void dp_lint_print(enum dp_lint_form form, const char *file, const struct dp_findings *f, bool notes, size_t *printed, struct dp_buf *b) {
    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].level == DP_FINDING_NOTE && !notes) continue;
        switch (form) {
        case DP_LINT_TEXT: print_text(file, &f->v[i], b); break;
        case DP_LINT_JSON: print_json(file, &f->v[i], b); break;
        case DP_LINT_GITHUB: print_github(file, &f->v[i], b); break;
        case DP_LINT_SARIF:
            if (*printed) dp_buf_addc(b, ',');
            print_sarif(file, &f->v[i], b);
            break;
        }
        ++*printed;
    }
}

void dp_lint_print_end(enum dp_lint_form form, struct dp_buf *b) {
    if (form == DP_LINT_SARIF) dp_buf_addz(b, "]}]}\n");
}

/*
 * index.html of a package: what it is, the request's clock, where was looked and where not, and each dataset with the first of its rows.  One page without script, pictures or fonts from
 * elsewhere, light or dark as the reader's system is.  Everything that comes from data is text: escaped, and control bytes shown as U+FFFD.  And manifest.json, for programs.
 */
#include "export_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>

enum { ROWS = 100, COLUMNS = 60, CELL = 400, PAGE = 64 << 20 };

/* The text itself where it is UTF-8, else with a question mark for each byte that is no ASCII. */
static void clean_name(const char *z, struct dp_buf *out) {
    bool fine = dp_utf8_valid(z, strlen(z), NULL);
    for (; *z; z++) dp_buf_addc(out, fine || !(*z & 0x80) ? *z : '?');
}

static void add_text(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&') dp_buf_addz(b, "&amp;");
        else if (c == '<') dp_buf_addz(b, "&lt;");
        else if (c == '>') dp_buf_addz(b, "&gt;");
        else if (c == '"') dp_buf_addz(b, "&quot;");
        else if (c == '\'') dp_buf_addz(b, "&#39;");
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) dp_buf_addz(b, "\xef\xbf\xbd");
        else dp_buf_addc(b, (char)c);
    }
}
/* Names of files may be any bytes. */
static void add_z(struct dp_buf *b, const char *z) {
    struct dp_buf clean = {0};
    clean_name(z, &clean);
    add_text(b, dp_buf_str(&clean));
    dp_buf_release(&clean);
}

static void row(struct dp_buf *b, const char *head, const char *text) {
    if (!text || !*text) return;
    dp_buf_addf(b, "<tr><th>%s</th><td>", head);
    add_z(b, text);
    dp_buf_addz(b, "</td></tr>\n");
}

static void list_row(struct dp_buf *b, const char *head, const struct export_names *v) {
    if (!v->n) return;
    dp_buf_addf(b, "<tr><th>%s</th><td><ul>", head);
    for (size_t i = 0; i < v->n; i++) dp_buf_addz(b, "<li>"), add_z(b, v->v[i]), dp_buf_addz(b, "</li>");
    dp_buf_addz(b, "</ul></td></tr>\n");
}

/* ---- a dataset ---- */

struct page { struct export *x; const struct export_table *t; struct dp_buf cell; };

static enum dp_status page_row(void *ctx, const struct dp_record *r, struct dp_err *err) {
    struct page *p = ctx;
    dp_buf_addz(&p->x->text, "<tr>");
    for (size_t i = 0; i < p->t->columns.n && i < COLUMNS; i++) {
        dp_buf_reset(&p->cell);
        export_cell(r, export_value(r, p->t->columns.items[i].key), &p->cell);
        size_t n = p->cell.n < CELL ? p->cell.n : CELL;
        while (n < p->cell.n && n && ((unsigned char)p->cell.p[n] & 0xc0) == 0x80) n--;
        dp_buf_addz(&p->x->text, "<td>");
        add_text(&p->x->text, dp_str(p->cell.p, n));
        dp_buf_addz(&p->x->text, n < p->cell.n ? "\xe2\x80\xa6</td>" : "</td>");
    }
    dp_buf_addz(&p->x->text, "</tr>\n");
    return export_flush(p->x, false, err);
}

static enum dp_status page_rows(struct export *x, const struct export_table *t, struct dp_err *err) {
    struct page p = {.x = x, .t = t};
    dp_buf_addz(&x->text, "<div class=\"rows\"><table><thead><tr>");
    for (size_t i = 0; i < t->columns.n && i < COLUMNS; i++) dp_buf_addz(&x->text, "<th>"), add_text(&x->text, t->columns.items[i].key), dp_buf_addz(&x->text, "</th>");
    dp_buf_addz(&x->text, "</tr></thead><tbody>\n");
    enum dp_status status = export_rows(x, t, ROWS, page_row, &p, err);
    dp_buf_addz(&x->text, "</tbody></table></div>\n");
    if (t->seen.found > ROWS || t->columns.n > COLUMNS)
        dp_buf_addf(&x->text, "<p>Shown are the first %llu of %llu rows and the first %zu of %zu columns; all are in the files.</p>\n", (unsigned long long)(t->seen.found < ROWS ? t->seen.found : ROWS),
                    (unsigned long long)t->seen.found, t->columns.n < COLUMNS ? t->columns.n : COLUMNS, t->columns.n);
    dp_buf_release(&p.cell);
    return status;
}

static const char *const why_words[] = {"by its name", "as it was told", "its values are copies"};

static void add_columns(struct dp_buf *b, const struct dp_subject_place *p) {
    for (size_t i = 0; i < p->n_columns; i++) {
        dp_buf_addz(b, i ? "; " : "");
        add_z(b, p->columns[i].column);
        dp_buf_addz(b, " (");
        if (strcmp(p->columns[i].column, p->columns[i].id) != 0) add_z(b, p->columns[i].id), dp_buf_addz(b, ", ");
        dp_buf_addf(b, "%s)", why_words[p->columns[i].why]);
    }
    for (size_t i = 0; i < p->n_masked; i++) dp_buf_addz(b, i || p->n_columns ? "; " : ""), add_z(b, p->masked[i]), dp_buf_addz(b, " (pseudonymised: nobody is found in it by a clear value)");
}

static enum dp_status add_table(struct export *x, const struct export_table *t, bool with_rows, struct dp_err *err) {
    struct dp_buf *b = &x->text;
    dp_buf_addz(b, "<section><h3>");
    add_z(b, t->member);
    dp_buf_addf(b, "</h3>\n<p>%llu rows about you: <a href=\"data/%s.csv\">table (CSV)</a>, <a href=\"data/%s.json\">for programs (JSON)</a></p>\n<table class=\"facts\">\n", (unsigned long long)t->seen.found, t->member, t->member);
    if (t->latest) row(b, "What these are", "Rows that older versions of the table had, and that its present one has not, or not so. The column " EXPORT_VERSION " says in which version each was found.");
    row(b, "What it is", t->description);
    row(b, "What it is for", t->purpose);
    row(b, "How long it is kept", t->retention);
    row(b, "Where it is", t->place->name);
    list_row(b, "Where it comes from", &t->sources);
    list_row(b, "Where it goes", &t->recipients);
    dp_buf_addz(b, "<tr><th>Columns that were searched</th><td>");
    add_columns(b, t->place);
    dp_buf_addz(b, "</td></tr>\n</table>\n");
    DP_TRY(export_flush(x, false, err));
    if (with_rows) DP_TRY(page_rows(x, t, err));
    else dp_buf_addz(b, "<p>Its rows are in the files alone: this page would be too long.</p>\n");
    dp_buf_addz(b, "</section>\n");
    return export_flush(x, false, err);
}

/* ---- the page ---- */

static const char *const head =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>Your personal data</title>\n<style>\n"
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .7rem;border-bottom:1px solid #8886}.facts th{white-space:nowrap}td{overflow-wrap:anywhere;white-space:pre-wrap}"
    ".rows{overflow-x:auto}.rows td{overflow-wrap:normal;max-width:30rem}section{margin:2rem 0}.note{border-left:.3rem solid #c60;padding-left:.8rem}ul{margin:0;padding-left:1.2rem}\n"
    "</style></head><body>\n<h1>Your personal data</h1>\n";

static void add_request(const struct export *x, struct dp_buf *b) {
    const struct dp_export_result *r = x->out;
    bool gdpr = x->o->law == DP_EXPORT_GDPR;
    char n[192];
    dp_buf_addf(b, "<p>This package holds what was found about you in the systems listed below, as %s asks for. Each part is there twice: as a table that any spreadsheet opens (CSV), and for"
                   " other programs (JSON).</p>\n<table class=\"facts\">\n", gdpr ? "the General Data Protection Regulation (articles 15 and 20)" : "the California Consumer Privacy Act");
    row(b, "Request", x->o->request);
    row(b, "Received", r->received);
    (void)snprintf(n, sizeof n, "%s; %s if you were told that it takes longer (%s)", r->due, r->extended, gdpr ? "GDPR article 12(3)" : "45 days more");
    row(b, "Answer due by", n);
    dp_buf_addz(b, "<tr><th>You were looked for by</th><td><ul>");
    for (size_t i = 0; i < x->o->subject->n; i++) {
        const struct dp_subject_id *id = &x->o->subject->v[i];
        dp_buf_addz(b, "<li>"), add_z(b, id->name), dp_buf_addz(b, ": "), add_z(b, id->value), dp_buf_addz(b, id->is_given ? "</li>" : " (known to be yours)</li>");
    }
    dp_buf_addf(b, "</ul></td></tr>\n<tr><th>Found</th><td>%llu rows in %llu of %llu places that were searched</td></tr>\n</table>\n", (unsigned long long)r->rows, (unsigned long long)r->tables,
                (unsigned long long)r->searched);
    if (!r->rows) dp_buf_addz(b, "<p class=\"note\"><strong>Nothing was found about you.</strong></p>\n");
}

static void add_place(struct dp_buf *b, const struct export_table *t) {
    dp_buf_addz(b, "<li>");
    add_z(b, t->place->name);
    if (t->latest) dp_buf_addz(b, ", its older versions");
    if (t->place->fault) dp_buf_addz(b, ": "), add_z(b, t->place->fault);
    if (t->place->n_columns || t->place->n_masked) dp_buf_addz(b, ": "), add_columns(b, t->place);
    if (t->seen.unreadable) dp_buf_addf(b, "; %llu records could not be read", (unsigned long long)t->seen.unreadable);
    dp_buf_addz(b, "</li>\n");
}

static enum dp_status add_places(struct export *x, const char *title, const char *text, enum dp_subject_state state, struct dp_err *err) {
    bool any = false;
    for (size_t i = 0; i < x->places.n; i++) {
        if (x->places.v[i].state != state) continue;
        if (!any) dp_buf_addf(&x->text, "<h3>%s</h3>\n<p>%s</p>\n<ul>\n", title, text);
        any = true;
        add_place(&x->text, &x->tables[i]);
        DP_TRY(export_flush(x, false, err));
    }
    if (any) dp_buf_addz(&x->text, "</ul>\n");
    return DP_OK;
}

static enum dp_status add_search(struct export *x, struct dp_err *err) {
    dp_buf_addz(&x->text, "<section><h2>Where was looked</h2>\n");
    DP_TRY(add_places(x, "Could not be searched", "What they hold about you is not in this package.", DP_SUBJECT_UNREACHABLE, err));
    DP_TRY(add_places(x, "Searched", "The rows whose named columns hold one of the identifiers above.", DP_SUBJECT_SEARCHED, err));
    DP_TRY(add_places(x, "Have no column with these identifiers", "They were not searched.", DP_SUBJECT_NO_COLUMN, err));
    DP_TRY(add_places(x, "Are not there any more", "They were known once.", DP_SUBJECT_GONE, err));
    dp_buf_addf(&x->text, "<p>Searched is what the systems hold now%s free texts were not searched; in columns where your identifiers were replaced by pseudonyms you can't be found.</p></section>\n",
                x->o->history ? ", and what older versions of tables held, as far as they are kept;" : ". Older versions of tables, which are kept for a limited time so that mistakes can be undone, and");
    return DP_OK;
}

enum dp_status export_page(struct export *x, struct dp_err *err) {
    DP_TRY(export_begin(x, "index.html", (uint64_t)1 << 31, err));
    dp_buf_addz(&x->text, head);
    add_request(x, &x->text);
    if (x->out->unreachable) dp_buf_addf(&x->text, "<p class=\"note\"><strong>%llu places could not be searched, or not wholly</strong>; they are listed below.</p>\n", (unsigned long long)x->out->unreachable);
    if (x->out->rows) dp_buf_addz(&x->text, "<h2>What was found</h2>\n");
    uint64_t shown = 0;
    for (size_t i = 0; i < x->places.n; i++) {
        const struct export_table *t = &x->tables[i];
        uint64_t most = (t->seen.found < ROWS ? t->seen.found : ROWS) * (t->columns.n < COLUMNS ? t->columns.n : COLUMNS) * CELL;
        if (!t->seen.found) continue;
        shown += t->to - t->from < most ? t->to - t->from : most;
        DP_TRY(add_table(x, t, shown <= PAGE, err));
    }
    DP_TRY(add_search(x, err));
    dp_buf_addz(&x->text, "<section><h2>Your rights</h2>\n<p>You may ask for what is wrong to be corrected and, unless the law requires that it is kept, for all of it to be erased. You may complain to the"
                          " authority that supervises data protection.</p></section>\n</body></html>\n");
    return export_end(x, err);
}

/* ---- for programs ---- */

static void add_string(struct dp_buf *b, const char *z) {
    struct dp_buf clean = {0};
    clean_name(z, &clean);
    dp_json_add_string(b, dp_buf_str(&clean));
    dp_buf_release(&clean);
}

static void member(struct dp_buf *b, const char *key, const char *text, bool first) {
    dp_buf_addf(b, "%s\"%s\":", first ? "" : ",", key);
    if (text) add_string(b, text);
    else dp_buf_addz(b, "null");
}

static void add_names(struct dp_buf *b, const char *key, char *const *v, size_t n) {
    dp_buf_addf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) dp_buf_addz(b, i ? "," : ""), add_string(b, v[i]);
    dp_buf_addc(b, ']');
}

static void manifest_place(struct dp_buf *b, const struct export_table *t) {
    static const char *const states[] = {"searched", "no-column", "gone", "unreachable"}, *const whys[] = {"name", "told", "lineage"};
    const struct dp_subject_place *p = t->place;
    dp_buf_addz(b, "\n{");
    member(b, "dataset", p->name, true), member(b, "state", states[p->state], false), member(b, "fault", p->fault, false);
    dp_buf_addf(b, ",\"rows\":%llu,\"unreadable\":%llu", (unsigned long long)t->seen.found, (unsigned long long)t->seen.unreadable);
    if (t->latest) dp_buf_addz(b, ",\"history\":true");
    member(b, "data", t->member, false);
    member(b, "description", t->description, false), member(b, "purpose", t->purpose, false), member(b, "retention", t->retention, false);
    dp_buf_addz(b, ",\"columns\":[");
    for (size_t i = 0; i < p->n_columns; i++) {
        dp_buf_addz(b, i ? ",{" : "{");
        member(b, "column", p->columns[i].column, true), member(b, "identifier", p->columns[i].id, false), member(b, "why", whys[p->columns[i].why], false);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, ']');
    add_names(b, "pseudonymised", p->masked, p->n_masked);
    add_names(b, "sources", t->sources.v, t->sources.n), add_names(b, "recipients", t->recipients.v, t->recipients.n);
    dp_buf_addc(b, '}');
}

enum dp_status export_manifest(struct export *x, struct dp_err *err) {
    struct dp_buf *b = &x->text;
    size_t n_files = x->n_files;
    DP_TRY(export_begin(x, "manifest.json", (uint64_t)1 << 31, err));
    dp_buf_addz(b, "{\"dp_export\":1");
    member(b, "request", x->o->request, false), member(b, "law", x->o->law == DP_EXPORT_GDPR ? "gdpr" : "ccpa", false);
    member(b, "received", x->out->received, false), member(b, "due", x->out->due, false), member(b, "due_extended", x->out->extended, false);
    dp_buf_addf(b, ",\"rows\":%llu,\"identifiers\":[", (unsigned long long)x->out->rows);
    for (size_t i = 0; i < x->o->subject->n; i++) {
        const struct dp_subject_id *id = &x->o->subject->v[i];
        dp_buf_addz(b, i ? ",{" : "{");
        member(b, "name", id->name, true), member(b, "value", id->value, false);
        dp_buf_addf(b, ",\"given\":%s}", id->is_given ? "true" : "false");
    }
    dp_buf_addz(b, "],\"datasets\":[");
    for (size_t i = 0; i < x->places.n; i++) {
        if (i) dp_buf_addc(b, ',');
        manifest_place(b, &x->tables[i]);
        DP_TRY(export_flush(x, false, err));
    }
    dp_buf_addz(b, "],\"files\":[");
    for (size_t i = 0; i < n_files; i++) {
        char hex[2 * DP_SHA256_SIZE + 1];
        hex[dp_hex_print(hex, x->files[i].m.sha256, DP_SHA256_SIZE)] = 0;
        dp_buf_addz(b, i ? ",\n{" : "\n{");
        member(b, "name", x->files[i].name, true), member(b, "sha256", hex, false);
        dp_buf_addf(b, ",\"bytes\":%llu}", (unsigned long long)x->files[i].m.bytes);
    }
    dp_buf_addz(b, "]}\n");
    return export_end(x, err);
}

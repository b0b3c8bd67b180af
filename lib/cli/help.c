/*
 * --help, --version and --dump-options out of the option tables.  Everything is printed into a buffer; main writes it.
 */
#include "cli_priv.h"

#include <stdio.h>

#define HELP_COLUMN 28 /* where the help text of an option starts */

/* Words of `text` from column `at`, wrapped at `width`, further lines indented by `indent`. */
static void wrap(struct dp_buf *out, const char *text, size_t at, size_t indent, size_t width) {
    size_t col = at;
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!first && col + 1 + n > width) {
            dp_buf_addf(out, "\n%*s", (int)indent, "");
            col = indent;
        } else if (!first) {
            dp_buf_addc(out, ' ');
            col++;
        }
        dp_buf_add(out, text, n);
        col += n;
        text += n + (text[n] == ' ');
        first = false;
    }
    dp_buf_addc(out, '\n');
}

static void print_option(const struct dp_opt *o, size_t width, struct dp_buf *out) {
    char left[120];
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
    dp_buf_addz(out, left);
    size_t col = n > 0 ? (size_t)n : 0;
    if (col + 2 > HELP_COLUMN) dp_buf_addf(out, "\n%*s", HELP_COLUMN, "");
    else dp_buf_addf(out, "%*s", (int)(HELP_COLUMN - col), "");
    struct dp_buf text = {NULL, 0, 0};
    dp_buf_addz(&text, o->help);
    for (size_t i = 0; o->choices && o->choices[i]; i++) dp_buf_addf(&text, "%s%s", i ? "|" : ": ", o->choices[i]);
    if (o->def) dp_buf_addf(&text, " (default %s)", o->def);
    if (o->kind == DP_OPT_KIND_LIST) dp_buf_addz(&text, "; may be repeated");
    wrap(out, dp_buf_z(&text), HELP_COLUMN, HELP_COLUMN, width);
    dp_buf_release(&text);
}

static const char *group_of(const struct dp_opt *o) { return o->group ? o->group : "Options"; }

/* The groups in the order in which they are first named. */
static void print_groups(const struct dp_opt *const tables[2], size_t width, struct dp_buf *out) {
    const char *done[32];
    size_t n_done = 0;
    for (int t = 0; t < 2; t++)
        for (const struct dp_opt *o = tables[t]; o && o->name; o++) {
            bool seen = o->hidden;
            for (size_t d = 0; d < n_done; d++) seen = seen || strcmp(done[d], group_of(o)) == 0;
            if (seen || n_done == 32) continue;
            done[n_done++] = group_of(o);
            dp_buf_addf(out, "\n%s:\n", group_of(o));
            for (int u = 0; u < 2; u++)
                for (const struct dp_opt *p = tables[u]; p && p->name; p++)
                    if (!p->hidden && strcmp(group_of(p), group_of(o)) == 0) print_option(p, width, out);
        }
}

static void print_usage(const struct dp_tool *root, const struct dp_tool *tool, size_t width, struct dp_buf *out) {
    const char *p = tool->synopsis ? tool->synopsis : "";
    do {
        size_t n = strcspn(p, "\n");
        char head[80];
        int h = snprintf(head, sizeof head, "%s %s%s%s ", p == tool->synopsis || !tool->synopsis ? "Usage:" : "      ", root->name,
                         tool == root ? "" : " ", tool == root ? "" : tool->name);
        struct dp_buf line = {NULL, 0, 0};
        dp_buf_addf(&line, "[OPTION...] %.*s", (int)n, p);
        dp_buf_addz(out, head);
        wrap(out, dp_buf_z(&line), h > 0 ? (size_t)h : 0, h > 0 ? (size_t)h : 0, width);
        dp_buf_release(&line);
        p += n + (p[n] == '\n');
    } while (*p);
}

void dp_help_print(const struct dp_tool *root, const struct dp_tool *tool, size_t width, struct dp_buf *out) {
    if (width < 50) width = 50;
    if (width > 120) width = 120;
    if (tool->run) print_usage(root, tool, width, out);
    if (tool->commands) dp_buf_addf(out, "%s %s COMMAND [OPTION...] ...\n", tool->run ? "      " : "Usage:", root->name);
    dp_buf_addc(out, '\n');
    if (tool->summary[0] >= 'a' && tool->summary[0] <= 'z') {
        char s[200];
        snprintf(s, sizeof s, "%c%s.", tool->summary[0] - 32, tool->summary + 1);
        wrap(out, s, 0, 0, width);
    } else {
        wrap(out, tool->summary, 0, 0, width);
    }
    if (tool->commands) dp_buf_addz(out, "\nCommands:\n");
    for (const struct dp_tool *const *c = tool->commands; c && *c; c++) {
        dp_buf_addf(out, "  %-12s ", (*c)->name);
        wrap(out, (*c)->summary, 15, 15, width);
    }
    struct dp_opt common[DP_COMMON_MAX];
    dp_common_rows(tool, common);
    const struct dp_opt *const tables[2] = {tool->options, common};
    print_groups(tables, width, out);
    if (tool->commands) dp_buf_addf(out, "\n`%s COMMAND --help` tells more of a command, `man %s` all.\n", root->name, root->name);
    else dp_buf_addf(out, "\n`man %s` tells more.\n", root->name);
}

void dp_version_print(const struct dp_tool *root, bool json, struct dp_buf *out) {
    if (!json) {
        dp_buf_addf(out, "%s (dp) %s\n", root->name, DP_VERSION);
        return;
    }
    dp_buf_addf(out, "{\"program\":\"%s\",\"version\":\"%s\",\"compiler\":\"%s\",\"arch\":\"%s\"", root->name, DP_VERSION,
#ifdef __clang__
                "clang " __clang_version__,
#else
                "gcc " __VERSION__,
#endif
#if defined(__x86_64__)
                "x86-64"
#elif defined(__aarch64__)
                "arm64"
#else
                "other"
#endif
    );
    /* What the files that this build writes and reads may contain, for a driver that checks all its nodes. */
    dp_buf_addz(out, ",\"formats\":[\"ndjson\",\"json\",\"csv\",\"tsv\",\"parquet\",\"delta\"]"
                     ",\"marks\":[\"begin\",\"checkpoint\",\"watermark\",\"idle\",\"active\",\"heartbeat\",\"end\",\"abort\"]}\n");
}

/* ---- the dump: one fact a line, fields by tab ---- */

static void dump_option(const struct dp_opt *o, const char *command, struct dp_buf *out) {
    if (o->hidden) return;
    char letter[2] = {o->letter ? o->letter : '-', '\0'};
    dp_buf_addf(out, "option\t%s\t%s\t%s\t%s\t%s\t", command, o->name, letter, dp_opt_kind_name(o->kind), o->arg ? o->arg : "-");
    for (size_t i = 0; o->choices && o->choices[i]; i++) dp_buf_addf(out, "%s%s", i ? "," : "", o->choices[i]);
    if (!o->choices) dp_buf_addc(out, '-');
    dp_buf_addf(out, "\t%s\t%s\t%s\n", o->def ? o->def : "-", group_of(o), o->help);
}

static void dump_tool(const struct dp_tool *tool, const char *command, struct dp_buf *out) {
    if (tool->run) dp_buf_addf(out, "operands\t%s\t%s\t%d\t%d\n", command, tool->args ? tool->args : "-", tool->min_args, tool->max_args);
    if (tool->run) dp_buf_addf(out, "stream\t%s\t%s\n", command, tool->is_stream ? "yes" : "no");
    struct dp_opt common[DP_COMMON_MAX];
    dp_common_rows(tool, common);
    for (const struct dp_opt *o = tool->options; o && o->name; o++) dump_option(o, command, out);
    for (const struct dp_opt *o = common; o->name; o++) dump_option(o, command, out);
}

void dp_dump_print(const struct dp_tool *root, struct dp_buf *out) {
    dp_buf_addf(out, "tool\t%s\t%s\n", root->name, root->summary);
    dump_tool(root, "-", out);
    for (const struct dp_tool *const *c = root->commands; c && *c; c++) {
        dp_buf_addf(out, "command\t%s\t%s\n", (*c)->name, (*c)->summary);
        dump_tool(*c, (*c)->name, out);
    }
}

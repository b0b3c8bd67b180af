/*
 * Pipelines that need no shell (dp/cli/plain.h): words as POSIX's shell language splits and quotes them ("Shell Command Language", 2.2),
 * as far as nothing is expanded.  Everything else is refused, not understood: assignments, redirections, lists, globs, escapes.
 */
#include <dp/cli/plain.h>

#include <dp/base/buf.h>
#include <dp/base/file.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes that mean nothing to a shell wherever they stand in a word, but for `=` in the first one of a stage. */
static bool is_plain_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("_./:,@%+=-", c));
}

struct parse {
    const char *p;
    char *to;
    struct dp_plain *out;
    size_t n_words;
};

/* What stands between quotes; p is at the opening one. */
static bool take_quoted(struct parse *s) {
    char quote = *s->p++;
    for (; *s->p != quote; s->p++) {
        if (*s->p == '\0' || (quote == '"' && strchr("$`\\", *s->p))) return false;
        *s->to++ = *s->p;
    }
    s->p++;
    return true;
}

static bool take_word(struct parse *s) {
    struct dp_plain_stage *stage = &s->out->stage[s->out->n];
    if (stage->n == 0) stage->argv = s->out->words + s->n_words;
    s->out->words[s->n_words++] = s->to;
    while (*s->p && !strchr(" \t\n|", *s->p)) {
        if (*s->p == '\'' || *s->p == '"') {
            if (!take_quoted(s)) return false;
        } else if (!is_plain_byte(*s->p) || (stage->n == 0 && *s->p == '=')) {
            return false;
        } else {
            *s->to++ = *s->p++;
        }
    }
    *s->to++ = '\0';
    stage->n++;
    return true;
}

static bool take_all(struct parse *s) {
    for (;; s->p++) {
        struct dp_plain_stage *stage = &s->out->stage[s->out->n];
        s->p += strspn(s->p, stage->n ? " \t" : " \t\n"); /* behind a bar the pipeline may go on in the next line */
        if (*s->p == '\n' && s->p[strspn(s->p, " \t\n")] == '\0') s->p += strlen(s->p);
        if (*s->p == '\n') return false;
        if (*s->p == '\0' || *s->p == '|') {
            if (stage->n == 0 || (*s->p == '|' && strchr("|&", s->p[1]) && s->p[1])) return false;
            s->out->words[s->n_words++] = NULL;
            s->out->n++;
            if (*s->p == '\0') return true;
        } else if (!take_word(s)) {
            return false;
        } else {
            s->p--; /* the blank or bar behind a word is looked at anew */
        }
    }
}

bool dp_plain_parse(const char *text, struct dp_plain *out) {
    size_t n = strlen(text);
    *out = (struct dp_plain){.n = 0};
    out->bytes = dp_alloc(2 * n + 2);
    out->words = dp_calloc(2 * n + 2, sizeof *out->words);
    out->stage = dp_calloc(n + 2, sizeof *out->stage);
    struct parse s = {.p = text, .to = out->bytes, .out = out};
    if (take_all(&s)) return true;
    dp_plain_release(out);
    return false;
}

void dp_plain_release(struct dp_plain *p) {
    for (size_t i = 0; i < p->n; i++) free(p->stage[i].path);
    free(p->stage);
    free(p->words);
    free(p->bytes);
    *p = (struct dp_plain){.n = 0};
}

/* A file that execve takes; a shell would read other text as its own. */
static bool is_program(const char *path) {
    struct stat st;
    char head[2];
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || access(path, X_OK) != 0) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read(fd, head, 2) == 2 && (memcmp(head, "#!", 2) == 0 || memcmp(head, "\177E", 2) == 0);
    if (fd >= 0) close(fd);
    return ok;
}

static char *find(const char *name, const char *path) {
    if (strchr(name, '/')) return is_program(name) ? dp_strdup(name) : NULL;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, ":");
        char *dir = dp_strndup(p, n), *file = dp_path_join(n ? dir : ".", name);
        free(dir);
        if (access(file, F_OK) == 0) {
            if (is_program(file)) return file;
            free(file);
            return NULL; /* a shell may go on searching or not: let it */
        }
        free(file);
        p += n + (p[n] == ':');
    }
    return NULL;
}

bool dp_plain_find(struct dp_plain *p, const char *path) {
    for (size_t i = 0; i < p->n; i++) {
        const char *name = p->stage[i].argv[0];
        if (!strchr(name, '/') && strncmp(name, "dp-", 3) != 0) return false;
        if (!(p->stage[i].path = find(name, path))) return false;
    }
    return true;
}

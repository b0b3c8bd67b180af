/*
 * What a job is called, so that tomorrow's run is a run of the same job; and what of an error may be told to others.
 * Messages of dp never hold values of classified fields.  Here all other values go too: an event outlives the run, in other hands.
 */
#include "lineage_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- names of jobs ---- */

/* Does it change from run to run: a date, a number of five digits or more, a descriptor? */
static bool is_passing(struct dp_str part) {
    size_t digits = 0;
    for (size_t i = 0; i < part.n; i++) {
        digits = isdigit((unsigned char)part.p[i]) ? digits + 1 : 0;
        if (digits >= 5) return true;
        if (digits == 4 && i + 3 < part.n && strchr("-_.", part.p[i + 1]) && isdigit((unsigned char)part.p[i + 2]) && isdigit((unsigned char)part.p[i + 3])) return true;
    }
    return false;
}

/* A dataset's name down to the first part that changes from run to run or is a pattern; empty: nothing is left. */
static struct dp_str lasting(const char *name) {
    struct dp_str s = dp_str_z(name);
    if (dp_str_starts(s, DP_STR("/dev/")) || dp_str_starts(s, DP_STR("/proc/"))) return dp_str("", 0);
    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i + n < s.n && s.p[i + n] != '/') n++;
        struct dp_str part = dp_str(s.p + i, n);
        if (is_passing(part) || memchr(part.p, '*', part.n) || memchr(part.p, '?', part.n)) return dp_str(s.p, i ? i - 1 : 0);
        i += n + 1;
    }
    return dp_str_eqz(s, "/") ? dp_str("", 0) : s;
}

/* The word that names the dataset that the job is about: what it writes, else the first of what it reads; NULL: none. */
static const char *about(const struct dp_cli *cli) {
    const struct dp_tool *t = cli->tool;
    if (cli->common.output) return cli->common.output;
    if (t->second && strcmp(t->second, "DEST") == 0 && cli->n_args > 1) return cli->args[1];
    if (t->args && strcmp(t->args, "TABLE") == 0) return cli->n_args ? cli->args[0] : NULL;
    for (size_t i = t->first_for && !dp_cli_given(cli, t->first_for); i < cli->n_args; i++)
        if (strstr(cli->args[i], "://") || strpbrk(cli->args[i], "*?") || access(cli->args[i], F_OK) == 0) return cli->args[i];
    return NULL;
}

char *lineage_job_name(const struct dp_cli *cli) {
    struct dp_buf b = {NULL, 0, 0};
    bool has_job = strcmp(cli->run.job, "dp") != 0; /* which is that of runs without a name */
    struct dp_ol_name id = {NULL, NULL};
    if (has_job) dp_buf_addf(&b, "%s.", cli->run.job);
    dp_buf_addz(&b, cli->root->name);
    if (cli->tool != cli->root) dp_buf_addf(&b, "-%s", cli->tool->name);
    const char *what = has_job ? NULL : about(cli);
    char *cwd = what ? getcwd(NULL, 0) : NULL;
    if (what && dp_ol_name_of(what, cwd ? cwd : "/", &id, NULL) == DP_OK) {
        struct dp_str name = lasting(id.name);
        if (name.n) dp_buf_addc(&b, ':'), dp_buf_adds(&b, name);
    }
    dp_ol_name_release(&id);
    free(cwd);
    return dp_buf_detach(&b);
}

/* ---- errors ---- */

/* Is it data that is at fault, which the message may quote? */
static bool is_of_data(enum dp_status status) {
    return status == DP_RECORD || status == DP_RULE || status == DP_FORMAT || status == DP_SCHEMA || status == DP_LIMIT || status == DP_ABORTED;
}

/* What the message says up to where it may quote data. */
static void add_message(const struct dp_cli *cli, const struct dp_err *err, struct dp_buf *b) {
    static const char *const before_values[] = {"\"", " (", ", got ", ", not ", "; ", "error: "};
    const char *msg = err->msg[0] ? err->msg : dp_status_name(err->status);
    size_t n = strlen(msg);
    if ((err->status == DP_RECORD || err->status == DP_RULE) && cli->set_aside.n && (err->line || strstr(msg, "records are bad"))) {
        dp_buf_addf(b, "%llu of %llu records are bad: ", (unsigned long long)cli->run.books.rejected, (unsigned long long)cli->run.books.in);
        dp_buf_adds(b, dp_buf_str(&cli->set_aside));
        return;
    }
    for (size_t i = 0; is_of_data(err->status) && i < sizeof before_values / sizeof *before_values; i++) {
        const char *at = strstr(msg, before_values[i]);
        if (at && (size_t)(at - msg) < n) n = (size_t)(at - msg);
    }
    dp_buf_add(b, msg, n);
    while (b->n && strchr(" :,", b->p[b->n - 1])) b->n--;
    if (msg[n]) dp_buf_addz(b, " ...");
}

char *lineage_error_text(const struct dp_cli *cli, const struct dp_err *err) {
    struct dp_buf b = {NULL, 0, 0}, out = {NULL, 0, 0};
    if (err->source[0]) dp_buf_addf(&b, "%s:", err->source);
    if (err->source[0] && err->line) dp_buf_addf(&b, "%llu:", (unsigned long long)err->line);
    if (err->source[0]) dp_buf_addc(&b, ' ');
    add_message(cli, err, &b);
    for (size_t i = 0; i < b.n; i++)
        if ((unsigned char)b.p[i] < ' ' || b.p[i] == 127) b.p[i] = ' ';
    dp_scrub(dp_buf_str(&b), DP_SCRUB_WORDS, &out);
    dp_buf_release(&b);
    return dp_buf_detach(&out);
}

/*
 * The options that programs share (DESIGN.md, section 2): one word means one thing everywhere, so their rows stand here and nowhere else.
 */
#include "cli_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIN_MEMORY (16 << 20)

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const binaries[] = {"base64", "hex", NULL};
static const char *const decimals[] = {"number", "string", NULL};

struct row {
    unsigned bits; /* 0: every program */
    struct dp_opt opt;
};

#define G_INPUT "Input"
#define G_OUTPUT "Output"
#define G_REJECTS "Bad records"
#define G_RUN "Resources and reports"
#define G_HELP "Help"

/* In the order of --help. */
static const struct row rows[] = {
    {DP_COMMON_CONTRACT, DP_OPT_PATH(dp_common, contract, "contract", 'c', "FILE[#OBJECT]",
                                     "data contract (ODCS v3 YAML) and which of its schema objects", .group = G_INPUT)},
    {DP_COMMON_WHERE, DP_OPT_STRING(dp_common, where, "where", 'w', "EXPR", "only records for which the expression is true", .group = G_INPUT)},
    {DP_COMMON_RECORDS, DP_OPT_SIZE(dp_common, max_record, "max-record", 0, "SIZE", "a longer record is a bad one", 1, DP_LIMIT_RECORD_MAX,
                                    .def = "64M", .group = G_INPUT)},
    {DP_COMMON_OUTPUT, DP_OPT_DIR(dp_common, output, "output", 'o', "DIR", "write Parquet into DIR and print paths", .group = G_OUTPUT)},
    {DP_COMMON_FORMATS, DP_OPT_ENUM(dp_common, binary, "binary", 0, "FORM", "spelling of binary values", binaries, .group = G_OUTPUT)},
    {DP_COMMON_FORMATS, DP_OPT_ENUM(dp_common, decimal, "decimal", 0, "FORM", "spelling of decimals", decimals, .group = G_OUTPUT)},
    {DP_COMMON_MARKS, DP_OPT_FLAG(dp_common, marks, "marks", 0, "emit marks: begin, checkpoints, end", .env = "DP_MARKS", .group = G_OUTPUT)},
    {DP_COMMON_RECORDS, DP_OPT_FLAG(dp_common, line_buffered, "line-buffered", 0, "write each record as soon as it is ready", .group = G_OUTPUT)},
    {DP_COMMON_REJECTS, DP_OPT_PATH(dp_common, rejects, "rejects", 0, "FILE",
                                    "put bad records here, each with its reason; - leaves them in the output", .group = G_REJECTS)},
    {DP_COMMON_REJECTS, DP_OPT_TOLERANCE(dp_common, max_rejects, "max-rejects", 0, "N|N%",
                                         "how many bad records are tolerated; a percentage is judged at the end", .def = "0", .group = G_REJECTS)},
    {DP_COMMON_REJECTS, DP_OPT_FLAG(dp_common, rejects_clear, "rejects-clear", 0,
                                    "keep bad records as they are even if they have classified fields", .needs = "rejects", .group = G_REJECTS)},
    {DP_COMMON_THREADS, DP_OPT_INT(dp_common, threads, "threads", 'j', "N", "threads (default: the processors that this process may use)", 1, 1024,
                                   .env = "DP_THREADS", .group = G_RUN)},
    {DP_COMMON_MEMORY, DP_OPT_SIZE(dp_common, memory, "memory", 'm', "SIZE", "bound on working memory; what does not fit spills to $TMPDIR",
                                   MIN_MEMORY, 0, .def = "160M", .env = "DP_MEMORY", .group = G_RUN)},
    {DP_COMMON_DRY_RUN, DP_OPT_FLAG(dp_common, dry_run, "dry-run", 'n', "say what would happen, change nothing", .group = G_RUN)},
    {DP_COMMON_EMPTY, DP_OPT_FLAG(dp_common, skip_empty, "skip-empty", 0, "exit 99 when there was nothing to do", .group = G_RUN)},
    {0, DP_OPT_PATH(dp_common, report, "report", 0, "FILE", "what the run did: JSON, or Markdown (.md), or text (.txt)", .group = G_RUN)},
    {0, DP_OPT_PATH(dp_common, metrics, "metrics", 0, "FILE", "the same as Prometheus text", .group = G_RUN)},
    {DP_COMMON_JSON, DP_OPT_FLAG(dp_common, json, "json", 0, "end standard output with one line of JSON that sums up the run", .group = G_RUN)},
    {DP_COMMON_PROGRESS, DP_OPT_SET(dp_common, progress, "progress", 0, "a progress line on standard error (default: on a terminal)", 1,
                                    .conflicts = "no-progress", .group = G_RUN)},
    {DP_COMMON_PROGRESS, DP_OPT_SET(dp_common, progress, "no-progress", 0, "no progress line", 2, .group = G_RUN)},
    {0, DP_OPT_ENUM(dp_common, log_format, "log-format", 0, "FORM", "form of messages", log_formats, .group = G_RUN)},
    {0, DP_OPT_TIME(dp_common, now, "now", 0, "TIME", "take this for the current time (RFC 3339 or integer ms)", .group = G_RUN)},
    {0, DP_OPT_FLAG(dp_common, quiet, "quiet", 'q', "only errors", .conflicts = "verbose", .group = G_RUN)},
    {0, DP_OPT_FLAG(dp_common, verbose, "verbose", 'v', "say what was inferred, as the options that would force it", .group = G_RUN)},
    {0, DP_OPT_FLAG(dp_common, help, "help", 'h', "print this help", .group = G_HELP)},
    {0, DP_OPT_FLAG(dp_common, version, "version", 'V', "print the version", .group = G_HELP)},
    {0, DP_OPT_FLAG(dp_common, dump_options, "dump-options", 0, "print the option table", .hidden = true, .group = G_HELP)},
};

void dp_common_rows(const struct dp_tool *tool, struct dp_opt out[DP_COMMON_MAX]) {
    static const struct dp_opt end = DP_OPT_END;
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].bits == 0 || (tool->common & rows[i].bits)) {
            bool own = false; /* a tool may say more about a word than the shared row does (dp-table files --where) */
            for (const struct dp_opt *o = tool->options; o && o->name; o++) own = own || strcmp(o->name, rows[i].opt.name) == 0;
            if (!own) out[n++] = rows[i].opt;
        }
    out[n] = end;
}

/* The control group's share of processor time in whole processors, rounded up; 0 = no bound known. */
static unsigned cgroup_cpus(void) {
    struct dp_buf b = {NULL, 0, 0};
    unsigned cpus = 0;
    unsigned long long quota, period;
    if (dp_file_read("/sys/fs/cgroup/cpu.max", 4096, &b, NULL) == DP_OK && sscanf(dp_buf_z(&b), "%llu %llu", &quota, &period) == 2 && period > 0)
        cpus = (unsigned)((quota + period - 1) / period);
    dp_buf_release(&b);
    return cpus;
}

static unsigned processors(void) {
    unsigned n = 0;
#ifdef SYS_sched_getaffinity
    unsigned long mask[128]; /* the wrapper of the C library is a GNU extension */
    long got = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (long i = 0; i < got / (long)sizeof *mask; i++) n += (unsigned)__builtin_popcountl(mask[i]);
#endif
    if (n == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        n = online > 0 ? (unsigned)online : 1;
    }
    unsigned share = n > 1 ? cgroup_cpus() : 0;
    if (share > 0 && share < n) n = share;
    return n < 1 ? 1 : n > 1024 ? 1024 : n;
}

/* DP_MEMORY_PARTITION for dp-partition: the share that dp-run has for it. */
static const char *own_share(const struct dp_cli *cli, const char *what) {
    char key[64];
    int n = snprintf(key, sizeof key, "DP_%s_%s", what, cli->root->name + (strncmp(cli->root->name, "dp-", 3) == 0 ? 3 : 0));
    for (int i = 0; i < n && i < (int)sizeof key - 1; i++) key[i] = key[i] == '-' ? '_' : key[i] >= 'a' && key[i] <= 'z' ? (char)(key[i] - 32) : key[i];
    const char *v = getenv(key);
    return v && *v ? v : NULL;
}

static enum dp_status take_share(struct dp_cli *cli, const char *long_name, const char *what, bool is_given, struct dp_err *err) {
    const char *v = is_given ? NULL : own_share(cli, what);
    for (size_t i = 0; v && i < sizeof rows / sizeof *rows; i++)
        if ((cli->tool->common & rows[i].bits) && strcmp(rows[i].opt.name, long_name) == 0)
            return dp_opt_set_value(&rows[i].opt, &cli->common, v, err) == DP_OK ? DP_OK : dp_err_prefix(err, "environment variable DP_%s_...: ", what);
    return DP_OK;
}

enum dp_status dp_common_finish(struct dp_cli *cli, struct dp_err *err) {
    struct dp_common *c = &cli->common;
    DP_TRY(take_share(cli, "threads", "THREADS", dp_cli_on_line(cli, "threads"), err));
    DP_TRY(take_share(cli, "memory", "MEMORY", dp_cli_on_line(cli, "memory"), err));
    if (c->threads == 0) c->threads = cli->tool->common & DP_COMMON_THREADS ? processors() : 1;
    if (c->memory == 0) c->memory = 160u << 20;
    if (c->max_record == 0) c->max_record = DP_LIMIT_RECORD;
    if (c->rejects && c->output && strcmp(c->rejects, "-") == 0)
        return dp_err_set(err, DP_USAGE, "--rejects - leaves bad records in the output, and --output prints paths");
    return DP_OK;
}

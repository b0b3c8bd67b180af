/*
 * A program: its table, and the one-line main that runs it.
 *
 *   static const struct dp_tool tool = {.name = "dp-map", .summary = "run a jq program over each record", .synopsis = "(-f FILE | PROGRAM) [SOURCE...]",
 *       .options = options, .conf_size = sizeof(struct conf), .common = DP_COMMON_FILTER, .is_stream = true, .min_args = 0, .max_args = -1, .run = run};
 *   DP_MAIN(tool)
 *
 * main parses, sets up struct dp_run, installs signal handlers, calls run(), closes books, rejects and standard output, writes reports
 * and turns the status into the exit code of DESIGN section 2.  Only this floor prints, reads argv or exits.
 */
#ifndef DP_CLI_CLI_H
#define DP_CLI_CLI_H

#include <dp/cli/opt.h>
#include <dp/io/stream.h>

/* Which of the common options a program takes; help, version, messages, --report, --metrics, --now are in every one. */
enum dp_common_bits {
    DP_COMMON_CONTRACT = 1 << 0,
    DP_COMMON_OUTPUT = 1 << 1,    /* -o DIR */
    DP_COMMON_WHERE = 1 << 2,
    DP_COMMON_THREADS = 1 << 3,
    DP_COMMON_MEMORY = 1 << 4,
    DP_COMMON_REJECTS = 1 << 5,   /* --rejects --max-rejects --rejects-clear */
    DP_COMMON_DRY_RUN = 1 << 6,
    DP_COMMON_JSON = 1 << 7,      /* summary as the last line of standard output */
    DP_COMMON_PROGRESS = 1 << 8,
    DP_COMMON_EMPTY = 1 << 9,     /* --skip-empty */
    DP_COMMON_MARKS = 1 << 10,
    DP_COMMON_RECORDS = 1 << 11,  /* --max-record --line-buffered */
    DP_COMMON_FORMATS = 1 << 12,  /* --binary --decimal: how typed sources are printed as records */
    /* A filter that reads records and prints records. */
    DP_COMMON_FILTER = DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_REJECTS | DP_COMMON_DRY_RUN |
                       DP_COMMON_PROGRESS | DP_COMMON_EMPTY | DP_COMMON_MARKS | DP_COMMON_RECORDS
};

/* Values of the common options. */
struct dp_common {
    const char *contract;
    const char *output;
    const char *where;
    int64_t threads;         /* 0: the processors that we may use */
    uint64_t memory;
    const char *rejects;
    struct dp_tolerance max_rejects;
    bool rejects_clear;
    bool dry_run;
    const char *report, *metrics;
    bool json;
    int progress;            /* 0: when standard error is a terminal, 1: yes, 2: no */
    int log_format;          /* 0 text, 1 json */
    bool quiet, verbose;
    bool skip_empty;
    bool marks;
    bool line_buffered;
    uint64_t max_record;
    int64_t now;             /* microseconds; INT64_MIN: the clock */
    int binary, decimal;     /* 0 base64, 1 hex; 0 number, 1 string */
    bool help, version, dump_options;
};

struct dp_cli;

struct dp_tool {
    const char *name;        /* "dp-table", of a command "commit" */
    const char *summary;     /* one line, lower case, no full stop */
    const char *synopsis;    /* operands and the options that matter, as in the man page; lines */
    const struct dp_opt *options; /* NULL: only common ones */
    size_t conf_size;
    unsigned common;         /* enum dp_common_bits */
    bool is_stream;          /* standard output is records or paths: a failure writes abort when marks are on */
    int min_args, max_args;  /* operands; max -1: any number */
    const char *too_many;    /* said behind "one word too many", or NULL */
    const char *args;        /* "SOURCE": what operands are, for messages and completion (SOURCE, FILE, TABLE: files; else words) */
    const char *second;      /* what the second operand is, where the first alone is not enough */
    enum dp_status (*run)(struct dp_cli *cli, struct dp_err *err);
    /* NULL, or called behind run, with its status or that of a later failure: rejects are published and standard output is flushed. A failure fails the run. */
    enum dp_status (*settle)(struct dp_cli *cli, enum dp_status status, struct dp_err *err);
    const struct dp_tool *const *commands; /* NULL-terminated; a first word that names one chooses it */
    const char *first_for;   /* the option whose value the first operand is where that is not given; NULL: none */
    const char *no_lineage;  /* options, with commas between, with which it only looks at metadata, so that no lineage event is sent; "*": always, of a program with all its commands */
    bool leads;              /* it runs others, and calls dp_cli_lineage_lead before the first: their runs are parts of its own */
};

struct dp_lineage_run;

struct dp_cli {
    const struct dp_tool *root; /* the program */
    const struct dp_tool *tool; /* the command, or the program again */
    void *conf;                 /* the tool's struct */
    struct dp_common common;
    struct dp_run run;
    const char *const *args;    /* operands */
    size_t n_args;
    struct dp_buf report;       /* members that the tool adds to --report, --json: dp_cli_report_* */
    struct dp_rejects *rejects; /* NULL where the program has none, and once they are published */
    struct dp_buf story;        /* what the tool says in a --report that is text or Markdown (by its name), in that form */
    struct dp_buf set_aside;    /* why records were, in words */
    struct dp_buf metrics, figures; /* samples of --metrics: rejects by rule; what the report counts beside records */
    int exit_code;              /* of the run, once known */
    struct dp_lineage_run *lineage; /* this run as lineage events tell it; NULL: nobody is told */
    struct dp_datasets *book;   /* of a tool that leads: what its stages read and write; NULL: not known */
    int book_fd;                /* where they tell it; 0: nowhere */
};

/* Adds a member to the report (and the --json line).  `json` is any JSON text. */
void dp_cli_report(struct dp_cli *cli, const char *key, struct dp_str json);
void dp_cli_report_str(struct dp_cli *cli, const char *key, struct dp_str text);
void dp_cli_report_u64(struct dp_cli *cli, const char *key, uint64_t v);
void dp_cli_report_i64(struct dp_cli *cli, const char *key, int64_t v);
/* Prints a line of at most 1,023 bytes for people on standard output; nothing under --json, whose summary says it. */
enum dp_status dp_cli_say(struct dp_cli *cli, struct dp_err *err, const char *fmt, ...) DP_PRINTF(3, 4);
/* Was the option given on the command line (or by its environment variable)? */
/* Columns of the terminal that standard output is (80 where it does not say); 0: it is none. */
size_t dp_cli_columns(void);
bool dp_cli_given(const struct dp_cli *cli, const char *long_name);

/* Sends the START of a tool that leads, and names its run as the parent of those that it starts from here on, in its environment. Takes ownership of the job's name. */
void dp_cli_lineage_lead(struct dp_cli *cli, char *job);
/* Closes the runs of processes that died. */
void dp_cli_lineage_reap(struct dp_cli *cli);
/* For a tool that leads and has to report: where those that it starts from here on tell what they read and write, in its environment; */
void dp_cli_book_open(struct dp_cli *cli);
/* what an earlier try told is forgotten; what the stages told is taken for the report. */
void dp_cli_book_begin_try(struct dp_cli *cli);
void dp_cli_book_take(struct dp_cli *cli);

/* dp_stream_run over the operands with the common options applied. */
enum dp_status dp_cli_stream(struct dp_cli *cli, const struct dp_stream_conf *conf, const struct dp_stream_ops *ops, void *ctx,
                             struct dp_err *err) DP_MUST_CHECK;

int dp_cli_main(const struct dp_tool *tool, int argc, char **argv);

#define DP_MAIN(tool_)                                                                                              \
    int main(int argc, char **argv) { return dp_cli_main(&(tool_), argc, argv); }

#endif

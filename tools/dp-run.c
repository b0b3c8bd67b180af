/*
 * dp-run: a pipeline as one unit.
 *
 * Runs its one operand in bash with pipefail (by itself where that is a plain pipeline, which saves bash's start), marks on, one run id for all stages and all tries, and ends with the exit code of the stage that is
 * the cause: a failing program's own code rather than the cut stream (4) or the closed pipe (141) that its neighbours saw, 137 for a stage
 * that was killed.  Holds a lock, limits time, tries again, and shares --memory and --threads out among the stages (dp_pipeline_*).
 * It reads and writes no records itself; standard input and output are the pipeline's.
 *
 *     dp-run --name orders --lock /run/orders.lock --retries 2 -- 'dp-ingest orders.csv | dp-partition -o lake/orders | dp-table commit lake/orders'
 *
 * Limits: PIPESTATUS is that of the last pipeline that ran, so a run is best one pipeline.
 */
#include <dp/cli/cli.h>
#include <dp/cli/plain.h>

#include <dp/base/file.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define STATUS_FD 9           /* where bash tells how the stages ended */
#define GRACE_MS 10000        /* from TERM to KILL */
#define MAX_STAGES 64
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

struct conf {
    const char *name, *lock;
    int64_t timeout, retries;
    int64_t threads;
    uint64_t memory;
};

static const struct dp_opt options[] = {
    DP_OPT_STRING(conf, name, "name", 0, "JOB", "name of the job: the first part of its positions in a table", .env = "DP_JOB"),
    DP_OPT_PATH(conf, lock, "lock", 0, "FILE", "hold a lock on FILE; exit 75 where another holds it"),
    DP_OPT_DURATION(conf, timeout, "timeout", 0, "D", "stop each try after D, exit 143", 1, 0),
    DP_OPT_INT(conf, retries, "retries", 0, "N", "try again up to N times where that may help", 0, 1000, .def = "0"),
    DP_OPT_INT(conf, threads, "threads", 'j', "N", "threads for all stages together (default: the processors that this process may use)", 1, 1024),
    DP_OPT_SIZE(conf, memory, "memory", 'm', "SIZE", "memory for all stages together (default: each its own)", 16 << 20, 0),
    DP_OPT_END};

/* ---- stages: first words between the bars of the last pipeline, for names and shares ---- */

struct stage {
    char name[64];
    unsigned weight;
};

struct stages {
    struct stage s[MAX_STAGES];
    size_t n;
};

/* Programs that gather rows need the memory, the others hand them on. */
static unsigned weight_of(const char *name) {
    static const char *const heavy[] = {"dp-partition", "dp-compact", "dp-window", "dp-join", "dp-dedupe"};
    for (size_t i = 0; i < sizeof heavy / sizeof *heavy; i++)
        if (strcmp(name, heavy[i]) == 0) return 4;
    return 1;
}

/* One more letter of the present stage's first word; an assignment before a command is not its name. */
static void add_letter(struct stage *s, char c, bool *done) {
    size_t n = strlen(s->name);
    if (*done) return;
    if (c && n + 1 < sizeof s->name) {
        s->name[n] = c;
    } else if (!c && strchr(s->name, '=')) {
        memset(s->name, 0, sizeof s->name);
    } else if (!c && n > 0) {
        *done = true;
    }
}

static void keep_longest(struct stages *best, struct stages *now) {
    now->n += now->s[now->n].name[0] != '\0';
    if (now->n >= best->n) *best = *now;
    memset(now, 0, sizeof *now);
}

/*
 * The longest pipeline of the text.  Quotes, backslashes and brackets are honoured; what bash would expand is not: this is for names in
 * messages and for shares, not for running anything.
 */
static void find_stages(const char *p, struct stages *best) {
    struct stages now;
    char quote = '\0', before = '\0';
    int depth = 0;
    bool done = false;
    memset(best, 0, sizeof *best);
    memset(&now, 0, sizeof now);
    for (; *p; before = *p++) {
        bool redirects = *p == '&' && (before == '>' || before == '<' || before == '|' || p[1] == '>'); /* 2>&1, |&, &>file */
        bool top = !quote && depth == 0;
        if (*p == '\\' && quote != '\'' && p[1]) {
            add_letter(&now.s[now.n], *++p, &done);
        } else if (quote ? *p == quote : (*p == '\'' || *p == '"')) {
            quote = quote ? '\0' : *p;
        } else if (top && *p == '|' && p[1] != '|') {
            if (now.n + 1 < MAX_STAGES) now.n++;
            done = false;
        } else if (top && !redirects && strchr("|;&\n", *p)) {
            if (*p == '|') p++;
            keep_longest(best, &now);
            done = false;
        } else if (!quote && strchr(" \t\n(){};|&", *p)) {
            depth += (*p == '(' || *p == '{') - (*p == ')' || *p == '}');
            add_letter(&now.s[now.n], '\0', &done);
        } else {
            add_letter(&now.s[now.n], *p, &done);
        }
    }
    keep_longest(best, &now);
    for (size_t i = 0; i < best->n; i++) {
        const char *base = strrchr(best->s[i].name, '/');
        if (base) memmove(best->s[i].name, base + 1, strlen(base + 1) + 1);
        best->s[i].weight = weight_of(best->s[i].name);
    }
}

/* DP_MEMORY_PARTITION and DP_THREADS_PARTITION for dp-partition, and the least share for whoever is not named. */
static void share(const struct stages *st, const char *what, uint64_t total, uint64_t least) {
    char key[80], value[32];
    uint64_t parts = 0;
    for (size_t i = 0; i < st->n; i++) parts += st->s[i].weight;
    if (parts == 0) parts = 1;
    for (size_t i = 0; i <= st->n; i++) {
        bool all = i == st->n;
        if (!all && strncmp(st->s[i].name, "dp-", 3) != 0) continue;
        uint64_t part = (total / parts * (all ? 1 : st->s[i].weight)) + (total % parts * (all ? 1 : st->s[i].weight) + parts - 1) / parts;
        snprintf(value, sizeof value, "%llu", (unsigned long long)(part < least ? least : part));
        snprintf(key, sizeof key, "DP_%s%s%s", what, all ? "" : "_", all ? "" : st->s[i].name + 3);
        for (char *c = key; *c; c++) *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c == '-' ? '_' : *c;
        setenv(key, value, 1);
    }
}

/* ---- surroundings ---- */

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* bash on PATH or where systems keep it; NULL: none. */
static char *find_bash(void) {
    const char *path = getenv("PATH");
    for (const char *p = path && *path ? path : DEFAULT_PATH; *p;) {
        size_t n = strcspn(p, ":");
        char *dir = dp_strndup(p, n), *file = dp_path_join(n ? dir : ".", "bash");
        free(dir);
        if (is_program(file)) return file;
        free(file);
        p += n + (p[n] == ':');
    }
    if (is_program("/bin/bash")) return dp_strdup("/bin/bash");
    return is_program("/usr/bin/bash") ? dp_strdup("/usr/bin/bash") : NULL;
}

/* Stages are found beside this program too, so that a crontab needs no PATH. */
static void extend_path(void) {
    char self[PATH_MAX];
    const char *path = getenv("PATH");
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return;
    self[n] = '\0';
    char *dir = dp_path_dir(self);
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addf(&b, "%s:%s", path && *path ? path : DEFAULT_PATH, dir);
    setenv("PATH", dp_buf_z(&b), 1);
    dp_buf_release(&b);
    free(dir);
}

static void set_environment(const struct dp_cli *cli, const struct stages *st) {
    const struct conf *c = cli->conf;
    setenv("DP_RUN_ID", cli->run.run_id, 1);
    setenv("DP_JOB", c->name ? c->name : cli->run.job, 1);
    setenv("DP_MARKS", "1", 1);
    if (c->memory) share(st, "MEMORY", c->memory, 16 << 20);
    if (c->threads) share(st, "THREADS", (uint64_t)c->threads, 1);
    extend_path();
}

/* Held until the last stage ends: the stages inherit the descriptor, so that not even a killed dp-run lets a second run in too early. */
static enum dp_status take_lock(const char *path, int *fd, struct dp_err *err) {
    *fd = open(path, O_RDWR | O_CREAT, 0644);
    if (*fd < 0) return dp_err_sys(err, DP_IO, "--lock: cannot open %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return DP_OK;
    if (errno == EWOULDBLOCK) return dp_err_set(err, DP_AGAIN, "--lock: another run holds %s", path);
    return dp_err_sys(err, DP_IO, "--lock: %s", path);
}

/* ---- one try ---- */

struct attempt {
    pid_t pid;
    int status_fd;
    int codes[MAX_STAGES + 1]; /* of the whole, then of each stage */
    size_t n_codes;            /* 0: bash did not get to tell */
    int wait_status;
    bool timed_out;
};

/* In the child: head of a group of its own, with the terminal when it is ours. */
static void head_group(bool tty) {
    setpgid(0, 0);
    if (tty) tcsetpgrp(STDIN_FILENO, getpid());
    signal(SIGTTOU, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
}

static void start_bash(const char *bash, const char *script, int status_w) {
    if (status_w == STATUS_FD) fcntl(status_w, F_SETFD, 0);
    else if (dup2(status_w, STATUS_FD) != STATUS_FD) _exit(3);
    char *const argv[] = {(char *)(uintptr_t)"bash", (char *)(uintptr_t)"-c", (char *)(uintptr_t)script, NULL};
    execv(bash, argv);
    _exit(3);
}

/* One stage of a plain pipeline; its process, or less than 0. */
static pid_t start_stage(const struct dp_plain_stage *s, int in, int out, const posix_spawnattr_t *attr) {
    posix_spawn_file_actions_t fa;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&fa);
    if (in >= 0) posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
    if (out >= 0) posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
    if (posix_spawn(&pid, s->path, &fa, attr, s->argv, environ) != 0) pid = -1;
    posix_spawn_file_actions_destroy(&fa);
    return pid;
}

/* Signals that end a pipeline are for the stages: who heads them waits for how they end.  What was ignored before stays so. */
static void leave_signals(posix_spawnattr_t *attr) {
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};
    sigset_t defaults;
    sigemptyset(&defaults);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (signal(ending[i], SIG_IGN) != SIG_IGN) sigaddset(&defaults, ending[i]);
    posix_spawnattr_init(attr);
    posix_spawnattr_setsigdefault(attr, &defaults);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF);
}

/* What bash does for a plain pipeline under pipefail, in its place: all stages, then their codes behind that of the last that failed. */
static void run_plain(const struct dp_plain *plain, int status_w) {
    pid_t pids[MAX_STAGES];
    int codes[MAX_STAGES], all = 0, in = -1;
    posix_spawnattr_t attr;
    struct dp_buf told = {NULL, 0, 0};
    leave_signals(&attr);
    for (size_t i = 0; i < plain->n; i++) {
        int p[2] = {-1, -1};
        if (i + 1 < plain->n && pipe(p) != 0) _exit(3);
        for (int k = 0; k < 2; k++)
            if (p[k] >= 0) fcntl(p[k], F_SETFD, FD_CLOEXEC);
        pids[i] = start_stage(&plain->stage[i], in, p[1], &attr);
        if (in >= 0) close(in);
        if (p[1] >= 0) close(p[1]);
        in = p[0];
    }
    for (size_t i = 0; i < plain->n; i++) {
        int status = 126 << 8;
        while (pids[i] > 0 && waitpid(pids[i], &status, 0) < 0 && errno == EINTR) continue;
        codes[i] = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (codes[i]) all = codes[i];
    }
    dp_buf_addf(&told, "%d", all);
    for (size_t i = 0; i < plain->n; i++) dp_buf_addf(&told, " %d", codes[i]);
    if (write(status_w, told.p, told.n) < 0) _exit(3);
    _exit(all);
}

static enum dp_status spawn(const char *bash, const struct dp_plain *plain, const char *pipeline, struct attempt *a, struct dp_err *err) {
    struct dp_buf script = {NULL, 0, 0};
    int p[2];
    bool tty = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
    if (pipe(p) != 0) return dp_err_sys(err, DP_IO, "pipe");
    fcntl(p[0], F_SETFD, FD_CLOEXEC);
    fcntl(p[1], F_SETFD, FD_CLOEXEC);
    dp_buf_addf(&script, "set -e -o pipefail\ntrap 'dp_status=($? \"${PIPESTATUS[@]}\"); echo \"${dp_status[*]}\" >&%d' EXIT\n%s\n", STATUS_FD, pipeline);
    const char *text = dp_buf_z(&script);
    signal(SIGTTOU, SIG_IGN); /* giving the terminal away and taking it back must not stop us */
    a->pid = fork();
    if (a->pid == 0) {
        head_group(tty);
        if (plain->n) run_plain(plain, p[1]);
        start_bash(bash, text, p[1]);
    }
    dp_buf_release(&script);
    close(p[1]);
    a->status_fd = p[0];
    if (a->pid < 0) {
        close(p[0]);
        return dp_err_sys(err, DP_IO, "fork");
    }
    setpgid(a->pid, a->pid); /* also here, so that it is done before either goes on */
    return DP_OK;
}

static void read_codes(struct attempt *a) {
    char text[1024];
    ssize_t n;
    fcntl(a->status_fd, F_SETFL, O_NONBLOCK);
    while ((n = read(a->status_fd, text, sizeof text - 1)) < 0 && errno == EINTR) continue;
    close(a->status_fd);
    text[n > 0 ? n : 0] = '\0';
    for (char *p = text, *end; a->n_codes <= MAX_STAGES; p = end) {
        long v = strtol(p, &end, 10);
        if (end == p) return;
        a->codes[a->n_codes++] = (int)v;
    }
}

/* Until bash is gone.  A signal to us, or the end of the time, goes to the whole group: TERM, then KILL. */
static void supervise(struct dp_run *run, int64_t timeout, struct attempt *a) {
    int64_t now = dp_time_monotonic_ms(), deadline = timeout ? now + timeout : INT64_MAX, kill_at = INT64_MAX;
    struct pollfd fds[2] = {{.fd = a->status_fd, .events = POLLIN}, {.fd = run->stop_fd, .events = POLLIN}};
    bool forwarded = false;
    for (;;) {
        pid_t got = waitpid(a->pid, &a->wait_status, WNOHANG);
        if (got == a->pid || (got < 0 && errno != EINTR)) break;
        now = dp_time_monotonic_ms();
        int64_t next = deadline < kill_at ? deadline : kill_at, wait = next - now;
        int ready = poll(fds, 2, wait < 0 ? 0 : wait < 500 ? (int)wait : 500);
        if (run->tick) run->tick(run);
        if (ready > 0 && fds[0].revents) { /* bash has spoken, or closed: it ends now */
            fds[0].fd = -1;
            while (waitpid(a->pid, &a->wait_status, 0) < 0 && errno == EINTR && !*run->stop_signal) continue;
            if (!*run->stop_signal) break;
        }
        now = dp_time_monotonic_ms();
        if (*run->stop_signal && !forwarded) {
            alarm(0); /* the stages get more time to put themselves in order than a single program */
            forwarded = true;
            fds[1].fd = -1;
            kill(-a->pid, *run->stop_signal);
            kill_at = now + GRACE_MS;
        }
        if (now >= deadline) {
            a->timed_out = true;
            deadline = INT64_MAX;
            kill(-a->pid, SIGTERM);
            kill_at = now + GRACE_MS;
        }
        if (now >= kill_at) {
            kill(-a->pid, SIGKILL);
            kill_at = INT64_MAX;
        }
    }
    if (a->timed_out || forwarded) kill(-a->pid, SIGKILL); /* who outlived bash */
    read_codes(a);
}

/* The stage whose code is the cause: the first that failed of itself.  141 is what a stage gets when its reader left. 0: none failed. */
static int cause(const struct attempt *a, size_t *stage) {
    *stage = 0;
    if (a->timed_out) return 128 + SIGTERM;
    if (a->n_codes == 0) {
        if (WIFSIGNALED(a->wait_status)) return 128 + WTERMSIG(a->wait_status);
        return WIFEXITED(a->wait_status) ? WEXITSTATUS(a->wait_status) : 70;
    }
    if (a->codes[0] == 0) return 0;
    int last = 0;
    for (size_t i = 1; i < a->n_codes; i++)
        if (a->codes[i] != 0) last = a->codes[i];
    if (a->codes[0] != last) return a->codes[0]; /* an `exit N` behind the pipeline, not what pipefail made of it */
    for (size_t i = 1; i < a->n_codes; i++)
        if (a->codes[i] != 0 && a->codes[i] != 141) {
            *stage = i;
            return a->codes[i];
        }
    if (a->codes[0] == 141 && a->n_codes > 1 && a->codes[a->n_codes - 1] == 0) return 0; /* head(1) had enough */
    return a->codes[0];
}

/* ---- tries ---- */

/* Data that failed a check, usage and bugs fail again; what is cut, away, killed or late may do better. */
static bool may_help(int code) { return code != 0 && code != 1 && code != 2 && code != 70 && code != 99 && code != 126 && code != 127; }

/* Standard input can be had again from a file only. */
static bool rewind_input(off_t start) {
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0) return true;
    if (S_ISREG(st.st_mode)) return lseek(STDIN_FILENO, start, SEEK_SET) == start;
    return !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode);
}

/* One second, then twice as long each time, a minute at most; a signal ends it. */
static bool pause_before(const struct dp_run *run, int64_t n, struct dp_err *err) {
    struct pollfd fd = {.fd = run->stop_fd, .events = POLLIN};
    int seconds = n > 6 ? 60 : 1 << (n - 1);
    if (*run->stop_signal == 0) poll(&fd, 1, (seconds > 60 ? 60 : seconds) * 1000);
    return !dp_run_stopped(run, err);
}

static void report_attempt(struct dp_cli *cli, const struct attempt *a, int64_t tries) {
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addc(&b, '[');
    for (size_t i = 1; i < a->n_codes; i++) dp_buf_addf(&b, "%s%d", i > 1 ? "," : "", a->codes[i]);
    dp_buf_addc(&b, ']');
    cli->report.n = 0; /* the last try is the one that counts */
    dp_cli_report_i64(cli, "tries", tries);
    dp_cli_report(cli, "stages", dp_buf_str(&b));
    dp_buf_release(&b);
}

static enum dp_status fail(const struct attempt *a, const struct stages *st, int code, size_t stage, int64_t timeout, struct dp_err *err) {
    if (code == 141) return dp_err_set(err, DP_PIPE, "the reader of the output went away");
    if (a->timed_out) dp_err_set(err, DP_ABORTED, "stopped after %lld ms (--timeout)", (long long)timeout);
    else if (stage && st->n == a->n_codes - 1 && st->s[stage - 1].name[0])
        dp_err_set(err, DP_ABORTED, "%s, stage %zu of %zu, ended with exit code %d%s", st->s[stage - 1].name, stage, st->n, code,
                   code == 137 ? ": it was killed" : "");
    else dp_err_set(err, DP_ABORTED, "the pipeline ended with exit code %d", code);
    err->exit_code = code;
    return DP_ABORTED;
}

static enum dp_status try_all(struct dp_cli *cli, const char *bash, const struct dp_plain *plain, const struct stages *st, struct dp_err *err) {
    const struct conf *c = cli->conf;
    off_t start = lseek(STDIN_FILENO, 0, SEEK_CUR);
    for (int64_t n = 1;; n++) {
        struct attempt a = {.pid = -1};
        char text[24];
        size_t stage;
        snprintf(text, sizeof text, "%lld", (long long)n);
        setenv("DP_ATTEMPT", text, 1);
        dp_cli_book_begin_try(cli);
        DP_TRY(spawn(bash, plain, cli->args[0], &a, err));
        supervise(&cli->run, c->timeout, &a);
        if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == a.pid) tcsetpgrp(STDIN_FILENO, getpgrp());
        report_attempt(cli, &a, n);
        dp_cli_book_take(cli);
        dp_cli_lineage_reap(cli);
        if (dp_run_stopped(&cli->run, err)) return DP_SIGNALLED;
        int code = cause(&a, &stage);
        if (code == 0) return DP_OK;
        enum dp_status status = fail(&a, st, code, stage, c->timeout, err);
        if (n > c->retries || !may_help(code) || code == 141) return status;
        if (!rewind_input(start)) {
            dp_run_log(&cli->run, DP_LOG_WARN, "no further try: standard input is a pipe and can't be read again");
            return status;
        }
        dp_run_log(&cli->run, DP_LOG_WARN, "%s; try %lld of %lld follows", err->msg, (long long)n + 1, (long long)c->retries + 1);
        if (!pause_before(&cli->run, n, err)) return DP_SIGNALLED;
    }
}

/* Does the environment give bash more to do than to start these programs: options, a file to read first, functions of their names? */
static bool is_bash_changed(const struct dp_plain *p) {
    if (getenv("BASH_ENV") || getenv("SHELLOPTS") || getenv("BASHOPTS")) return true;
    for (char **e = environ; *e; e++) {
        if (strncmp(*e, "BASH_FUNC_", 10) != 0) continue;
        for (size_t i = 0; i < p->n; i++) {
            size_t n = strlen(p->stage[i].argv[0]);
            if (strncmp(*e + 10, p->stage[i].argv[0], n) == 0 && strncmp(*e + 10 + n, "%%", 2) == 0) return true;
        }
    }
    return false;
}

/* The stages, when the pipeline needs no shell; PATH is as it will be. */
static void find_plain(const char *pipeline, struct dp_plain *plain) {
    *plain = (struct dp_plain){.n = 0};
    if (!dp_plain_parse(pipeline, plain)) return;
    if (plain->n > MAX_STAGES || is_bash_changed(plain) || !dp_plain_find(plain, getenv("PATH"))) dp_plain_release(plain);
}

/* What lineage events call it: its name, or without one the programs of the pipeline. */
static char *job_name(const struct dp_cli *cli, const struct stages *st) {
    struct dp_buf b = {NULL, 0, 0};
    if (strcmp(cli->run.job, "dp") != 0) return dp_strdup(cli->run.job);
    dp_buf_addz(&b, "dp-run");
    for (size_t i = 0; i < st->n; i++) dp_buf_addf(&b, "%c%s", i ? '|' : ':', st->s[i].name);
    return dp_buf_detach(&b);
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    const struct conf *c = cli->conf;
    struct stages st;
    int lock = -1;
    if (c->name && strlen(c->name) >= sizeof cli->run.job)
        return dp_err_set(err, DP_USAGE, "--name: longer than %zu bytes", sizeof cli->run.job - 1);
    if (c->name) snprintf(cli->run.job, sizeof cli->run.job, "%s", c->name);
    find_stages(cli->args[0], &st);
    set_environment(cli, &st);
    struct dp_plain plain;
    find_plain(cli->args[0], &plain);
    char *bash = plain.n ? NULL : find_bash();
    enum dp_status status = DP_OK;
    if (!plain.n && !bash) DP_TRY_OUT(dp_err_set(err, DP_IO, "bash was not found: it is needed for pipefail"));
    if (cli->run.dry_run) {
        dp_run_log(&cli->run, DP_LOG_INFO, "would run %zu stages as job %s, run %s%s%s", st.n, cli->run.job, cli->run.run_id, bash ? ", in " : "",
                   bash ? bash : "");
        goto out;
    }
    if (c->lock) DP_TRY_OUT(take_lock(c->lock, &lock, err));
    dp_cli_lineage_lead(cli, job_name(cli, &st));
    dp_cli_book_open(cli);
    status = try_all(cli, bash, &plain, &st, err);
out:
    if (lock >= 0) close(lock);
    dp_plain_release(&plain);
    free(bash);
    return status;
}

static const struct dp_tool tool = {
    .name = "dp-run",
    .summary = "run a pipeline as one unit",
    .synopsis = "[--name JOB] [--lock FILE] [--timeout D] [--retries N] -- 'PIPELINE'",
    .options = options,
    .conf_size = sizeof(struct conf),
    .common = DP_COMMON_DRY_RUN,
    .min_args = 1,
    .max_args = 1,
    .args = "PIPELINE",
    .leads = true,
    .run = run,
};

DP_MAIN(tool)

/*
 * Signals and the end of memory.  A handler sets a flag and makes a pipe readable; the loops of io see one or the other and unwind, so that
 * temporaries go and `abort` is written.  Where a program hangs in a write that nobody reads, an alarm ends it all the same.
 * Handlers are installed, not left at their default, because process 1 of a container has no defaults.
 */
#include "cli_priv.h"

#include <dp/base/file.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GRACE_SECONDS 5 /* from the first signal to the last resort; what orchestrators grant is longer */

/* A handler has nothing but file-scope data. */
static volatile int stop_signal;
static int wake_fd = -1;
static const char *oom_program = "dp";

static void last_resort(int sig) {
    (void)sig;
    dp_unfinished_remove();
    _exit(128 + stop_signal);
}

static void on_signal(int sig) {
    int saved = errno;
    if (stop_signal) last_resort(sig); /* asked twice */
    stop_signal = sig;
    if (wake_fd >= 0 && write(wake_fd, "!", 1) < 0) errno = saved; /* a full pipe is readable already */
    alarm(GRACE_SECONDS);
    errno = saved;
}

static void handle(int sig, void (*handler)(int)) {
    struct sigaction old, sa = {.sa_handler = handler};
    sigemptyset(&sa.sa_mask);
    /* What a parent ignores stays ignored: nohup, and jobs in the background of a shell without job control. */
    if ((sig == SIGINT || sig == SIGHUP) && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN) return;
    sigaction(sig, &sa, NULL);
}

void dp_signal_install(struct dp_run *run) {
    int p[2];
    run->stop_fd = run->wake_fd = -1;
    if (pipe(p) == 0) {
        for (int i = 0; i < 2; i++) {
            fcntl(p[i], F_SETFD, FD_CLOEXEC);
            fcntl(p[i], F_SETFL, O_NONBLOCK);
        }
        run->stop_fd = p[0];
        run->wake_fd = wake_fd = p[1];
    }
    run->stop_signal = &stop_signal;
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    handle(SIGHUP, on_signal);
    handle(SIGALRM, last_resort);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past `ulimit -f` then fails, with a message */
    /* A parent may have blocked them. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_oom(size_t wanted) {
    char line[160];
    dp_unfinished_remove();
    int n = snprintf(line, sizeof line, "%s: out of memory (%zu bytes wanted)\n", oom_program, wanted);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) _exit(3);
    _exit(3);
}

void dp_signal_oom(const char *program) {
    oom_program = program;
    dp_mem_set_oom_hook(on_oom);
}

/*
 * Preloaded into a program under test: kills it (SIGKILL, as a power cut would) before or after its n-th call that
 * changes what is on disk: write, pwrite, fsync, fdatasync, rename, link, unlink, and their *at forms.  Or the disk is
 * full from that call on: what needs room (write, pwrite, link) fails with ENOSPC, but for the three standard streams.
 *
 *   DP_FAULT_PROGRAM   only in the program of this name
 *   DP_FAULT_AT        number of the call, from 1; 0 = never
 *   DP_FAULT_WHEN      before | after | torn (a write gets half of its bytes to the disk, and the program dies) | full
 *   DP_FAULT_COUNT     file that gets the number of calls when the program ends by itself
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;
static long at;
static bool after, torn, full, active;

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

__attribute__((constructor)) static void start(void) {
    const char *program = getenv("DP_FAULT_PROGRAM"), *n = getenv("DP_FAULT_AT"), *when = getenv("DP_FAULT_WHEN");
    active = program && strcmp(program_invocation_short_name, program) == 0;
    at = n ? strtol(n, NULL, 10) : 0;
    after = when && strcmp(when, "after") == 0;
    torn = when && strcmp(when, "torn") == 0;
    full = when && strcmp(when, "full") == 0;
}

__attribute__((destructor)) static void finish(void) {
    const char *path = getenv("DP_FAULT_COUNT");
    if (!active || !path) return;
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0) {
        syscall(SYS_write, fd, text, (size_t)n);
        close(fd);
    }
}

#define INTERPOSE(ret, name, params, args, room, part)                                                       \
    ret name params {                                                                                        \
        static ret(*real) params;                                                                            \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);                                                \
        long mine = active ? atomic_fetch_add(&calls, 1) + 1 : -1;                                           \
        if (full && at > 0 && mine >= at && (room)) {                                                        \
            errno = ENOSPC;                                                                                  \
            return -1;                                                                                       \
        }                                                                                                    \
        if (mine == at && torn) {                                                                            \
            part;                                                                                            \
            (void)real args;                                                                                 \
            die();                                                                                           \
        }                                                                                                    \
        if (mine == at && !after && !full) die();                                                            \
        ret result = real args;                                                                              \
        int e = errno;                                                                                       \
        if (mine == at && after) die();                                                                      \
        errno = e;                                                                                           \
        return result;                                                                                       \
    }

INTERPOSE(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), fd > 2, n /= 2)
INTERPOSE(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o), fd > 2, n /= 2)
INTERPOSE(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o), fd > 2, n /= 2)
INTERPOSE(int, fsync, (int fd), (fd), 0, (void)0)
INTERPOSE(int, fdatasync, (int fd), (fd), 0, (void)0)
INTERPOSE(int, rename, (const char *a, const char *b), (a, b), 0, (void)0)
INTERPOSE(int, renameat, (int d, const char *a, int f, const char *b), (d, a, f, b), 0, (void)0)
INTERPOSE(int, link, (const char *a, const char *b), (a, b), 1, (void)0)
INTERPOSE(int, linkat, (int d, const char *a, int f, const char *b, int g), (d, a, f, b, g), 1, (void)0)
INTERPOSE(int, unlink, (const char *a), (a), 0, (void)0)
INTERPOSE(int, unlinkat, (int d, const char *a, int f), (d, a, f), 0, (void)0)
INTERPOSE(int, rmdir, (const char *a), (a), 0, (void)0)

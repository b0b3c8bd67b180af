/*
 * Who places files, and who deletes them, keep out of each other's way (dp/delta/hold.h).
 *
 * Two locks: the table's directory is what is held, _delta_log is the gate before it.  Holders pass the gate and leave it; who wants to be alone
 * shuts it and waits for those inside.  So a vacuum waits for the commits that are on their way, never for an endless row of them.
 * What it does not do: bind other engines' writers, which know nothing of it.
 */
#include <dp/base/file.h>
#include <dp/delta/hold.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static int open_dir(const char *dir) { return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

static int lock(int fd, int how) {
    int failed;
    do failed = flock(fd, how);
    while (failed && errno == EINTR);
    return failed;
}

void dp_delta_hold_release(struct dp_delta_hold *h) {
    if (h->table >= 0) close(h->table);
    if (h->log >= 0) close(h->log);
    *h = (struct dp_delta_hold)DP_DELTA_HOLD_INIT;
}

static enum dp_status take(const char *table, int how, struct dp_delta_hold *h, bool *no_locks, struct dp_err *err) {
    char *log = dp_path_join(table, "_delta_log");
    *h = (struct dp_delta_hold){open_dir(table), open_dir(log)};
    int e = errno;
    free(log);
    *no_locks = false;
    if (h->table < 0) return dp_err_sys(err, DP_IO, "cannot open %s", table);
    if (h->log < 0 && e != ENOENT) {
        dp_delta_hold_release(h);
        errno = e;
        return dp_err_sys(err, DP_IO, "cannot open the log of %s", table);
    }
    if ((h->log < 0 || !lock(h->log, how)) && !lock(h->table, how)) return DP_OK; /* without a log there is no vacuum */
    *no_locks = true;
    enum dp_status status = dp_err_sys(err, DP_IO, "cannot lock %s", table);
    dp_delta_hold_release(h);
    return status;
}

enum dp_status dp_delta_hold(const char *table, struct dp_delta_hold *h, struct dp_err *err) {
    bool no_locks;
    enum dp_status status = take(table, LOCK_SH, h, &no_locks, err);
    if (no_locks) return DP_OK;
    if (h->log >= 0) close(h->log);
    h->log = -1;
    return status;
}

enum dp_status dp_delta_hold_alone(const char *table, struct dp_delta_hold *h, struct dp_err *err) {
    bool no_locks;
    return take(table, LOCK_EX, h, &no_locks, err);
}

enum dp_status dp_delta_hold_log(const char *table, struct dp_delta_hold *h, struct dp_err *err) {
    char *log = dp_path_join(table, "_delta_log");
    *h = (struct dp_delta_hold){-1, open_dir(log)};
    free(log);
    if (h->log < 0) return dp_err_sys(err, DP_IO, "cannot open the log of %s", table);
    if (!lock(h->log, LOCK_SH | LOCK_NB) || errno != EWOULDBLOCK) return DP_OK; /* no locks here: nothing is held */
    dp_delta_hold_release(h);
    return dp_err_set(err, DP_AGAIN, "%s: somebody else is at work on its files", table);
}

/*
 * News of directories, by inotify(7).  One watch on a directory tells of writes to its files too.  What it does not do: see what another machine writes
 * over a network file system, or through a link from elsewhere; its user looks by itself now and then.
 */
#include "source_priv.h"

#include <dp/io/out.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/inotify.h>

void dp_watch_open(struct dp_watch *w) {
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->is_sure = w->fd >= 0;
}

void dp_watch_dir(struct dp_watch *w, const char *dir) {
    bool is_new = false;
    if (w->fd < 0) return;
    struct dp_map_item *it = dp_map_put(&w->dirs, dp_str_z(dir), &is_new);
    if (it->v.u) return;
    int wd = inotify_add_watch(w->fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    it->v.u = wd >= 0;
    if (wd < 0 && errno != ENOENT) w->is_sure = false; /* no more watches, or no permission */
}

bool dp_watch_news(struct dp_watch *w) {
    _Alignas(struct inotify_event) char block[4096];
    bool names = false, lost = false;
    for (ssize_t n; w->fd >= 0 && (n = read(w->fd, block, sizeof block)) > 0;) {
        for (char *p = block; p < block + n;) {
            struct inotify_event e;
            memcpy(&e, p, sizeof e);
            names |= (e.mask & ~(uint32_t)IN_MODIFY) != 0;
            lost |= (e.mask & (IN_IGNORED | IN_MOVE_SELF)) != 0;
            p += sizeof e + e.len;
        }
    }
    for (size_t i = 0; lost && i < w->dirs.n; i++) w->dirs.items[i].v.u = 0; /* adding one twice is no harm */
    return names;
}

#else

void dp_watch_open(struct dp_watch *w) { w->fd = -1, w->is_sure = false; }
void dp_watch_dir(struct dp_watch *w, const char *dir) { (void)w, (void)dir; }
bool dp_watch_news(struct dp_watch *w) { return (void)w, false; }

#endif

void dp_watch_close(struct dp_watch *w) {
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    dp_map_release(&w->dirs);
}

enum dp_status dp_watch_wait(struct dp_watch *w, struct dp_sources *s, uint64_t until, struct dp_err *err) {
    struct pollfd p[3] = {{.fd = s->run->stop_fd > 0 ? s->run->stop_fd : -1, .events = POLLIN}, {.fd = w->fd, .events = POLLIN},
                          {.fd = s->run->out ? dp_out_fd(s->run->out) : -1}};
    uint64_t now = dp_sources_clock();
    if (!w->is_sure && until > now + 200) until = now + 200;
    if (until <= now) until = now + 1;
    if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
    uint64_t wake = s->opts->wake_ms > 0 ? (uint64_t)s->opts->wake_ms : UINT64_MAX;
    for (bool told = false;; told = true) {
        if ((!told || wake != UINT64_MAX) && s->opts->would_block) DP_TRY(s->opts->would_block(s->opts->would_block_ctx, err));
        int r = poll(p, 3, until <= now ? 0 : until - now < wake ? (int)(until - now) : (int)wake);
        if (r < 0 && errno != EINTR) return dp_err_sys(err, DP_IO, "can't wait for input");
        if (dp_run_stopped(s->run, err)) return DP_SIGNALLED;
        if (s->run->pool && dp_pool_stopping(s->run->pool)) return dp_err_set(err, DP_PIPE, "the run has failed elsewhere");
        now = dp_sources_clock();
        if (r > 0 && (p[2].revents & (POLLERR | POLLHUP))) return dp_err_set(err, DP_PIPE, "standard output: its reader went away");
        if (r > 0 && p[2].revents) p[2].fd = -1;
        if (r > 0 && p[1].revents) return DP_OK;
        if (r > 0 && p[0].revents) p[0].fd = -1; /* woken, and no signal: a stage of the run has failed, or soon will */
        if (now >= until) return DP_OK;
    }
}

/*
 * News of directories, by inotify(7).  One watch on a directory tells of writes to its files too.  What it does not do: see what another machine writes
 * over a network file system, or through a link from elsewhere; its user looks by itself now and then.
 */
#include "source_priv.h"

#include <errno.h>
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

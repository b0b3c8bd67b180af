/* When a file was changed, in the milliseconds that the log counts in. */
#ifndef DP_DELTA_MTIME_PRIV_H
#define DP_DELTA_MTIME_PRIV_H

#include <stdint.h>
#include <sys/stat.h>

static inline int64_t delta_stat_ms(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000; }

/* `absent` when it can't be looked at. */
static inline int64_t delta_mtime_ms(const char *path, int64_t absent) {
    struct stat st;
    return stat(path, &st) == 0 ? delta_stat_ms(&st) : absent;
}

#endif

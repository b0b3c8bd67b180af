/*
 * Tiers (dp/delta/tier.h): homes, their markers, and files that are out of reach.
 * What it does not do: move files (lib/io/retain_tier.c), bring archives back.
 */
#include <dp/delta/tier.h>

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/path.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST "_dp_tiers"
#define MARKER ".dp-tier"
#define HEAD "dp-tier 1\n"

enum { LIST_MAX = 1 << 20 };

/* ---- paths ---- */

bool dp_delta_path_is_absolute(struct dp_str p) {
    return p.n && (p.p[0] == '/' || dp_str_starts(p, DP_STR("file:")));
}

bool dp_delta_is_tiered(const struct dp_delta_file *f) {
    return dp_delta_path_is_absolute(f->path) && dp_delta_pairs_get(&f->tags, DP_STR(DP_DELTA_TAG_TIER));
}

bool dp_delta_tier_fits(struct dp_str rel) {
    if (dp_str_starts(rel, DP_STR("_delta_log/")) || dp_str_starts(rel, DP_STR("_dp_staging/")) || dp_str_eqz(rel, LIST)) return false;
    for (size_t i = 0, j; i <= rel.n; i = j + 1) {
        for (j = i; j < rel.n && rel.p[j] != '/'; j++) {}
        struct dp_str part = {rel.p + i, j - i};
        if (!part.n || dp_str_eqz(part, ".") || dp_str_eqz(part, "..")) return false;
    }
    return true;
}

bool dp_delta_tier_split(struct dp_str path, struct dp_str id, struct dp_str *dir, struct dp_str *rel) {
    if (!id.n) return false;
    for (size_t i = 1; i + id.n + 1 < path.n; i++) {
        if (path.p[i - 1] != '/' || path.p[i + id.n] != '/' || memcmp(path.p + i, id.p, id.n) != 0) continue;
        *dir = dp_str(path.p, i > 1 ? i - 1 : 1);
        *rel = dp_str(path.p + i + id.n + 1, path.n - i - id.n - 1);
        return dp_delta_tier_fits(*rel);
    }
    return false;
}

void dp_delta_path_uri(struct dp_str path, struct dp_buf *out) {
    dp_buf_addz(out, "file://");
    dp_delta_path_encode(path, out);
}

/* ---- homes ---- */

static bool is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *home_in(const char *dir, struct dp_str id) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s/%.*s", dir, DP_STR_FMT(id));
    return dp_buf_detach(&b);
}

/* An id becomes the name of a directory. */
static enum dp_status check_id(const char *table, struct dp_str id, struct dp_err *err) {
    bool fine = id.n > 0 && id.n <= 200 && id.p[0] != '.';
    for (size_t i = 0; i < id.n; i++) fine &= id.p[i] != '/' && (unsigned char)id.p[i] > 0x20 && id.p[i] != 0x7f;
    return fine ? DP_OK : dp_err_set(err, DP_UNSUPPORTED, "%s: its id is no name for a directory: it can have no tiers", table);
}

/* What a home's marker says: the path of its table.  *path NULL: there is no marker. */
static enum dp_status read_marker(const char *home, struct dp_str id, char **path, struct dp_err *err) {
    struct dp_buf text = {0}, head = {0};
    struct dp_err why = DP_ERR_INIT;
    char *name = dp_path_join(home, MARKER);
    enum dp_status status = dp_file_read_regular(name, PATH_MAX + 512, &text, &why);
    *path = NULL;
    dp_buf_addf(&head, HEAD "%.*s\n", DP_STR_FMT(id));
    if (status != DP_OK) status = why.sys_errno == ENOENT || why.sys_errno == ENOTDIR ? DP_OK : dp_err_set(err, DP_IO, "%s", why.msg);
    else if (!dp_str_starts(dp_buf_str(&text), dp_buf_str(&head)) || text.n < head.n + 2) status = dp_err_set(err, DP_FORMAT, "%s is no marker of a tier", name);
    else *path = dp_strndup(text.p + head.n, text.n - head.n - 1);
    dp_buf_release(&text);
    dp_buf_release(&head);
    free(name);
    return status;
}

static enum dp_status write_file(const char *path, struct dp_str text, struct dp_err *err) {
    struct dp_newfile f = {0};
    DP_TRY(dp_newfile_open(&f, path, 0666, err));
    enum dp_status status = dp_fd_write(f.fd, text.p, text.n, err);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    return status;
}

static enum dp_status read_list(const char *table, struct dp_buf *out, struct dp_err *err) {
    char *name = dp_path_join(table, LIST);
    struct dp_err why = DP_ERR_INIT;
    enum dp_status status = dp_file_read_regular(name, LIST_MAX, out, &why);
    if (status != DP_OK) status = why.sys_errno == ENOENT ? DP_OK : dp_err_set(err, why.status, "%s", why.msg);
    free(name);
    return status;
}

/* The next line of the list; false: no more. */
static bool next_line(struct dp_str *rest, struct dp_str *line) {
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end) return false;
    *line = dp_str(rest->p, (size_t)(end - rest->p));
    *rest = dp_str(end + 1, rest->n - line->n - 1);
    return true;
}

static bool is_listed(struct dp_str list, const char *home) {
    for (struct dp_str line; next_line(&list, &line);)
        if (dp_str_eqz(line, home)) return true;
    return false;
}

enum dp_status dp_delta_tier_homes(const char *table, struct dp_str id, char ***out, size_t *n, struct dp_err *err) {
    struct dp_buf list = {0};
    char root[PATH_MAX], **v = NULL;
    size_t cap = 0;
    *out = NULL, *n = 0;
    enum dp_status status = read_list(table, &list, err);
    if (status == DP_OK && list.n && !realpath(table, root)) status = dp_err_sys(err, DP_IO, "%s", table);
    struct dp_str rest = dp_buf_str(&list);
    for (struct dp_str line; status == DP_OK && next_line(&rest, &line);) {
        if (!line.n || line.p[0] != '/' || line.n <= id.n || !dp_str_ends(line, id) || line.p[line.n - id.n - 1] != '/') continue;
        char *home = dp_strndup(line.p, line.n), *owner = NULL;
        struct dp_err ignored = DP_ERR_INIT;
        bool own = read_marker(home, id, &owner, &ignored) == DP_OK && owner && !strcmp(owner, root); /* a damaged marker protects what is there */
        free(owner);
        if (!own) {
            free(home);
            continue;
        }
        v = dp_grow(v, &cap, *n + 1, sizeof *v);
        v[(*n)++] = home;
    }
    *out = v;
    dp_buf_release(&list);
    return status;
}

/* What lies inside of a table is that table's, and its vacuum takes it. */
static enum dp_status check_outside(const char *dir, struct dp_err *err) {
    char real[PATH_MAX];
    if (!realpath(dir, real)) return dp_err_sys(err, DP_IO, "tier %s", dir);
    for (char *end = real + strlen(real); end > real; *end = 0) {
        if (dp_delta_is_table(real)) return dp_err_set(err, DP_USAGE, "tier %s is inside of the table %s, whose vacuum would delete its files", dir, real);
        while (end > real && *end != '/') end--;
    }
    return DP_OK;
}

/* Is there another table of this id where the marker says? */
static bool is_other(const char *owner, struct dp_str id) {
    struct dp_delta_snapshot *s = NULL;
    bool yes = dp_delta_is_table(owner) && dp_delta_open_how(owner, -1, &(struct dp_delta_how){.skip_stats = true}, &s, NULL) == DP_OK && dp_str_eq(s->metadata.id, id);
    dp_delta_close(s);
    return yes;
}

/* *marked: the home is there, with the marker of this table at this path; *listed: the table's list names it. */
static enum dp_status look(const char *table, struct dp_str id, const char *dir, const char *root, bool *marked, bool *listed, struct dp_err *err) {
    struct dp_buf list = {0};
    char *owner = NULL, *home = NULL;
    enum dp_status status;
    DP_TRY(check_id(table, id, err));
    if (!is_directory(dir)) return dp_err_set(err, DP_IO, "tier %s is not there: mount it, or make the directory", dir);
    DP_TRY(check_outside(dir, err));
    home = home_in(dir, id);
    DP_TRY_OUT(read_list(table, &list, err));
    *listed = is_listed(dp_buf_str(&list), home);
    DP_TRY_OUT(read_marker(home, id, &owner, err));
    *marked = owner && !strcmp(owner, root);
    if (!owner && *listed) status = dp_err_set(err, DP_IO, "tier %s is empty, and files of %s were moved there: mount it", dir, table);
    else if (owner && !*marked && is_other(owner, id)) status = dp_err_set(err, DP_USAGE, "%s belongs to the table %s, of which %s is a copy: it needs a tier of its own", home, owner, table);
out:
    dp_buf_release(&list);
    free(owner), free(home);
    return status;
}

enum dp_status dp_delta_tier_check(const char *table, struct dp_str id, const char *dir, struct dp_err *err) {
    char root[PATH_MAX];
    bool marked, listed;
    if (!realpath(table, root)) return dp_err_sys(err, DP_IO, "%s", table);
    return look(table, id, dir, root, &marked, &listed, err);
}

static enum dp_status mark_home(const char *home, struct dp_str id, const char *root, struct dp_err *err) {
    struct dp_buf text = {0};
    char *marker = dp_path_join(home, MARKER);
    dp_buf_addf(&text, HEAD "%.*s\n%s\n", DP_STR_FMT(id), root);
    enum dp_status status = write_file(marker, dp_buf_str(&text), err);
    dp_buf_release(&text);
    free(marker);
    return status;
}

static enum dp_status list_home(const char *table, const char *home, struct dp_err *err) {
    struct dp_buf list = {0};
    char *name = dp_path_join(table, LIST);
    enum dp_status status = read_list(table, &list, err);
    dp_buf_addf(&list, "%s\n", home);
    if (status == DP_OK) status = write_file(name, dp_buf_str(&list), err);
    dp_buf_release(&list);
    free(name);
    return status;
}

enum dp_status dp_delta_tier_claim(const char *table, struct dp_str id, const char *dir, char **out, int *lock, struct dp_err *err) {
    char root[PATH_MAX], *home = home_in(dir, id);
    bool marked, listed;
    int fd = -1;
    enum dp_status status;
    if (!realpath(table, root)) status = dp_err_sys(err, DP_IO, "%s", table);
    else status = look(table, id, dir, root, &marked, &listed, err);
    if (status == DP_OK) status = dp_mkdirs(home, err);
    if (status == DP_OK && (fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) status = dp_err_sys(err, DP_IO, "can't open %s", home);
    if (status == DP_OK && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) status = dp_err_set(err, DP_AGAIN, "%s: another process moves files there", home);
    if (status == DP_OK) dp_newfile_sweep(home);
    if (status == DP_OK && !marked) status = mark_home(home, id, root, err);
    if (status == DP_OK && !listed) status = list_home(table, home, err);
    if (status == DP_OK) {
        *out = home, *lock = fd;
        return DP_OK;
    }
    if (fd >= 0) close(fd);
    free(home);
    return status;
}

/* ---- out of reach ---- */

struct lost { uint64_t files, bytes; struct dp_buf first; bool is_tier; };

static enum dp_status look_for(const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct lost *l, struct dp_buf *path, struct dp_err *err) {
    dp_buf_reset(path);
    DP_TRY(dp_delta_path_resolve(s->table, f->path, path, err));
    if (access(dp_buf_z(path), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)) return DP_OK; /* what else hinders is told when it is opened */
    l->files++, l->bytes += f->size > 0 ? (uint64_t)f->size : 0;
    if (l->first.n) return DP_OK;
    struct dp_str dir, rel;
    l->is_tier = dp_delta_is_tiered(f) && dp_delta_tier_split(dp_buf_str(path), s->metadata.id, &dir, &rel);
    dp_buf_adds(&l->first, l->is_tier ? dir : dp_buf_str(path));
    return DP_OK;
}

enum dp_status dp_delta_tier_reach(const struct dp_delta_snapshot *s, struct dp_delta_skipper *skipper, struct dp_err *err) {
    struct lost l = {0};
    struct dp_buf path = {0};
    const struct dp_delta_file *f;
    enum dp_status status = DP_OK;
    for (size_t cursor = 0; status == DP_OK && (f = dp_delta_next_file(s, &cursor)) != NULL;)
        if (dp_delta_path_is_absolute(f->path) && (!skipper || dp_delta_skipper_ask(skipper, f) != DP_NEVER)) status = look_for(s, f, &l, &path, err);
    if (status == DP_OK && l.files && l.is_tier)
        status = dp_err_set(err, DP_IO, "%s: %llu files of %llu bytes of tier %s are out of reach; dp-retain restore --list %s tells them", s->table, (unsigned long long)l.files,
                            (unsigned long long)l.bytes, dp_buf_z(&l.first), s->table);
    else if (status == DP_OK && l.files)
        status = dp_err_set(err, DP_IO, "%s: %llu files of %llu bytes that stand outside of the table are not there, the first %s", s->table, (unsigned long long)l.files,
                            (unsigned long long)l.bytes, dp_buf_z(&l.first));
    dp_buf_release(&l.first);
    dp_buf_release(&path);
    return status;
}

/*
 * Contracts that lie in a lake, and of which dataset each speaks (dp/io/lake.h).
 */
#include "lake_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool lake_names_contract(const char *name) {
    static const char *const ends[] = {".yaml", ".yml", ".odcs.json"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (dp_str_ends(dp_str_z(name), dp_str_z(ends[i]))) return true;
    return false;
}

/* YAML files have many uses: the kind stands among the first lines of a contract. */
static bool is_contract(const char *path) {
    char head[16384];
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    for (ssize_t got; n < sizeof head && (got = read(fd, head + n, sizeof head - n)) > 0;) n += (size_t)got;
    close(fd);
    static const char kind[] = "kind", what[] = "DataContract";
    for (size_t i = 0; i + sizeof kind - 1 + sizeof what - 1 <= n; i++) {
        if (memcmp(head + i, kind, sizeof kind - 1) != 0) continue;
        size_t k = i + sizeof kind - 1;
        while (k < n && strchr("\"': \t", head[k]) && head[k]) k++;
        if (n - k >= sizeof what - 1 && !memcmp(head + k, what, sizeof what - 1)) return true;
    }
    return false;
}

enum dp_status lake_contracts_add(struct lake_contracts *l, const char *path, int64_t at, struct dp_err *why, struct dp_err *err) {
    struct dp_contract c = {.objects = NULL};
    if (!is_contract(path)) return DP_OK;
    if (dp_contract_read(path, &c, why) != DP_OK) return DP_OK;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < c.n_objects && status == DP_OK; i++) {
        const struct dp_contract_object *o = &c.objects[i];
        const char *name = o->physical_name ? o->physical_name : o->name;
        if (!name || !*name) continue;
        if (l->n == DP_LIMIT_LAKE_CONTRACTS) {
            status = dp_err_set(err, DP_LIMIT, "%s: the lake's contracts have more than %u objects", path, DP_LIMIT_LAKE_CONTRACTS);
            break;
        }
        l->v = dp_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
        struct lake_contract *k = &l->v[l->n++];
        *k = (struct lake_contract){.path = dp_strdup(path), .name = dp_strdup(name), .at = at};
        dp_ol_about_read(&c, o, &k->about);
    }
    dp_contract_release(&c);
    return status;
}

/* Does the path end with the name, as a whole part of it?  Dots of a qualified name may be slashes. */
static bool ends_with(const char *path, size_t n, const char *name) {
    size_t m = strlen(name);
    if (m >= n || path[n - m - 1] != '/') return false;
    bool as_is = !memcmp(path + n - m, name, m), by_slash = true;
    for (size_t i = 0; i < m && by_slash; i++) by_slash = path[n - m + i] == (name[i] == '.' ? '/' : name[i]);
    return as_is || by_slash;
}

static size_t common(const char *a, const char *b) {
    size_t last = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '/') last = i + 1;
    return last;
}

const struct lake_contract *lake_contracts_find(const struct lake_contracts *l, const char *path, const char *suffix) {
    const struct lake_contract *best = NULL;
    size_t n = strlen(path), m = suffix ? strlen(suffix) : 0, most = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct lake_contract *c = &l->v[i];
        size_t k;
        if (!ends_with(path, n, c->name) && !(m && ends_with(path, n - m, c->name))) continue;
        k = common(c->path, path);
        if (!best || k > most) best = c, most = k;
    }
    return best;
}

void lake_contracts_release(struct lake_contracts *l) {
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].path), free(l->v[i].name);
        dp_ol_about_release(&l->v[i].about);
    }
    free(l->v);
    *l = (struct lake_contracts){.v = NULL};
}

/*
 * Rejects (DESIGN.md, section 2): the line that every program writes, the file that a pipeline shares, and the tolerance.
 * What a re-run replaces is said in the header.
 */
#include <dp/io/out.h>
#include <dp/io/rejects.h>

#include <dp/base/arena.h>
#include <dp/base/file.h>
#include <dp/base/map.h>
#include <dp/base/num.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BLOCK (256u << 10)
#define MAX_REASONS 1000      /* rule and path pairs that are counted apart */
#define HOLD_BYTES (1u << 20) /* lines that are held before they go to the file */

/* ---- the line ---- */

/* Text that may be anything: what is no UTF-8 is shown as '?'. */
static void add_text(struct dp_buf *out, const char *text) {
    size_t n = strlen(text);
    if (dp_utf8_valid(text, n, NULL)) {
        dp_json_add_string(out, dp_str(text, n));
        return;
    }
    struct dp_buf b = {NULL, 0, 0};
    for (size_t at = 0, bad; at < n; at += bad + 1) {
        if (dp_utf8_valid(text + at, n - at, &bad)) bad = n - at;
        dp_buf_add(&b, text + at, bad);
        if (at + bad < n) dp_buf_addc(&b, '?');
    }
    dp_json_add_string(out, dp_buf_str(&b));
    dp_buf_release(&b);
}

static void add_member(struct dp_buf *out, const char *key, const char *text) {
    dp_buf_addf(out, ",\"%s\":", key);
    if (text) add_text(out, text);
    else dp_buf_addz(out, "null");
}

static void add_raw(const struct dp_run *run, const struct dp_reject *r, struct dp_buf *out) {
    bool hide = (run->hide_raw || r->hide_raw) && !run->rejects_clear;
    if (hide || !r->raw.p || run->rejects_unkept) {
        dp_buf_addz(out, ",\"raw\":null");
    } else if (r->raw_is_json) {
        dp_buf_addz(out, ",\"raw\":");
        dp_buf_adds(out, r->raw);
    } else if (dp_utf8_valid(r->raw.p, r->raw.n, NULL)) {
        dp_buf_addz(out, ",\"raw\":");
        dp_json_add_string(out, r->raw);
    } else {
        dp_buf_addz(out, ",\"raw\":null,\"raw_base64\":");
        dp_json_add_binary(out, r->raw, false);
    }
}

void dp_reject_print(const struct dp_run *run, const struct dp_reject *r, struct dp_buf *out) {
    dp_buf_addf(out, "{\"reject\":{\"program\":\"%s\"", run->program);
    add_member(out, "run", run->run_id);
    add_member(out, "source", r->origin ? r->origin->name : "-");
    add_member(out, "member", r->origin ? r->origin->member : NULL);
    if (r->line) dp_buf_addf(out, ",\"line\":%llu", (unsigned long long)r->line);
    else dp_buf_addz(out, ",\"line\":null");
    if (r->offset != DP_NO_OFFSET) dp_buf_addf(out, ",\"offset\":%llu", (unsigned long long)r->offset);
    else dp_buf_addz(out, ",\"offset\":null");
    dp_buf_addz(out, ",\"rules\":[");
    for (size_t i = 0; i < r->n_rules; i++) {
        dp_buf_addz(out, i ? ",{\"rule\":" : "{\"rule\":");
        add_text(out, r->rules[i].rule ? r->rules[i].rule : "");
        add_member(out, "path", r->rules[i].path);
        add_member(out, "reason", r->rules[i].reason);
        add_member(out, "expected", r->rules[i].expected);
        dp_buf_addc(out, '}');
    }
    dp_buf_addz(out, "]}");
    add_raw(run, r, out);
    dp_buf_addz(out, "}\n");
}

/* ---- the file ---- */

struct dp_rejects {
    struct dp_run *run;
    char *path; /* what is replaced; NULL: nobody keeps them */
    struct dp_tolerance max;
    bool deferred;
    bool direct;           /* a FIFO or device: lines go there at once */
    int fd;                /* of the device */
    struct dp_buf held;
    struct dp_newfile own; /* the lines of this run beyond what is held */
    struct dp_map sources; /* "source\0member" of what this run read -> the position where it began */
    bool is_flushed;       /* dp_rejects_flush was called: the run is committed piece by piece */
    bool is_published;     /* the file has all of `sources` replaced: what comes now is appended */
    struct dp_arena arena;
    struct dp_map reasons; /* "rule\0path" to how often */
    struct dp_scan *scan;
};

enum dp_status dp_rejects_open(struct dp_run *run, const char *path, struct dp_tolerance max, struct dp_rejects **out, struct dp_err *err) {
    struct dp_rejects *r = dp_calloc(1, sizeof *r);
    r->run = run;
    r->max = max;
    r->fd = -1;
    *out = r;
    run->rejects_inline = path && strcmp(path, "-") == 0;
    run->rejects_unkept = !path;
    if (!path || run->rejects_inline) return DP_OK;
    DP_TRY(dp_side_check("--rejects", path, err)); /* what can't be kept is said before the work, not after it */
    bool direct;
    dp_side_file(path, &direct, &r->path);
    if (!direct) return DP_OK;
    r->fd = dp_side_open(path);
    if (r->fd < 0) return dp_err_sys(err, DP_IO, "--rejects: cannot open %s", path);
    r->direct = true;
    return DP_OK;
}

static enum dp_status spill(struct dp_rejects *r, struct dp_err *err) {
    if (!r->direct && !r->own.is_open) DP_TRY(dp_newfile_open(&r->own, r->path, 0600, err));
    DP_TRY(dp_fd_write(r->direct ? r->fd : r->own.fd, r->held.p, r->held.n, err));
    dp_buf_reset(&r->held);
    return DP_OK;
}

/* Two texts as one key. */
static struct dp_str source_key(struct dp_arena *a, struct dp_str name, struct dp_str member) {
    char *p = dp_arena_alloc(a, name.n + member.n + 1);
    if (name.n) memcpy(p, name.p, name.n);
    p[name.n] = '\0';
    if (member.n) memcpy(p + name.n + 1, member.p, member.n);
    return dp_str(p, name.n + member.n + 1);
}

/* Counts the rules of one printed line; DP_SCAN_PAD bytes stand behind it. */
static void count_reasons(struct dp_rejects *r, const char *line, size_t n) {
    struct dp_record rec;
    if (!r->scan) r->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    if (dp_scan_value(r->scan, line, n, &rec, NULL) != DP_OK) return;
    uint32_t reject = dp_json_member(&rec, 0, "reject"), rules = reject ? dp_json_member(&rec, reject, "rules") : 0;
    if (!rules || rec.nodes[rules].kind != DP_KIND_ARRAY) return;
    for (uint32_t i = rules + 1; i < rec.nodes[rules].next; i = rec.nodes[i].next) {
        struct dp_buf t = {NULL, 0, 0};
        uint32_t rule = dp_json_member(&rec, i, "rule"), path = dp_json_member(&rec, i, "path");
        if (!rule || !dp_json_get_string(&rec, rule, &t)) dp_buf_reset(&t);
        size_t rule_n = t.n;
        if (path && rec.nodes[path].kind == DP_KIND_STRING && !dp_json_get_string(&rec, path, &t)) t.n = rule_n;
        struct dp_str key = source_key(&r->arena, dp_str(t.p, rule_n), dp_str(t.p + rule_n, t.n - rule_n));
        if (r->reasons.live >= MAX_REASONS && !dp_map_get(&r->reasons, key)) key = dp_str("other\0", 6);
        dp_map_put(&r->reasons, key, NULL)->v.u++;
        dp_buf_release(&t);
        dp_arena_reset(&r->arena);
    }
}

void dp_reject_key(const struct dp_reject_rule *rule, struct dp_buf *key) {
    dp_buf_reset(key);
    dp_buf_add(key, rule->rule ? rule->rule : "", strlen(rule->rule ? rule->rule : "") + 1);
    if (rule->path) dp_buf_addz(key, rule->path);
}

void dp_rejects_count(struct dp_rejects *r, struct dp_str key, uint64_t n) {
    if (r->reasons.live >= MAX_REASONS && !dp_map_get(&r->reasons, key)) key = dp_str("other\0", 6);
    dp_map_put(&r->reasons, key, NULL)->v.u += n;
}

static int by_count(const void *a, const void *b) {
    const struct dp_map_item *x = *(const struct dp_map_item *const *)a, *y = *(const struct dp_map_item *const *)b;
    if (x->v.u != y->v.u) return x->v.u < y->v.u ? 1 : -1;
    return dp_str_cmp(x->key, y->key);
}

/* The most frequent first; caller frees. */
static const struct dp_map_item **sorted_reasons(const struct dp_rejects *r) {
    const struct dp_map_item **v = dp_calloc(r->reasons.n + 1, sizeof *v);
    for (size_t i = 0; i < r->reasons.n; i++) v[i] = &r->reasons.items[i];
    qsort(v, r->reasons.n, sizeof *v, by_count);
    return v;
}

void dp_rejects_each_rule(const struct dp_rejects *r, void (*fn)(void *ctx, const char *rule, uint64_t count), void *ctx) {
    struct dp_map rules = {0};
    for (size_t i = 0; i < r->reasons.n; i++) {
        bool made;
        const char *rule = r->reasons.items[i].key.p;
        struct dp_map_item *it = dp_map_put(&rules, dp_str(rule, strlen(rule) + 1), &made); /* with its NUL */
        it->v.u = (made ? 0 : it->v.u) + r->reasons.items[i].v.u;
    }
    for (size_t i = 0; i < rules.n; i++) fn(ctx, rules.items[i].key.p, rules.items[i].v.u);
    dp_map_release(&rules);
}

void dp_rejects_summary(const struct dp_rejects *r, struct dp_buf *json) {
    const struct dp_map_item **v = sorted_reasons(r);
    dp_buf_addc(json, '[');
    for (size_t i = 0; i < r->reasons.n; i++) {
        const char *rule = v[i]->key.p, *path = rule + strlen(rule) + 1;
        dp_buf_addz(json, i ? ",{\"rule\":" : "{\"rule\":");
        add_text(json, rule);
        add_member(json, "path", *path ? path : NULL);
        dp_buf_addf(json, ",\"count\":%llu}", (unsigned long long)v[i]->v.u);
    }
    dp_buf_addc(json, ']');
    free(v);
}

void dp_rejects_words(const struct dp_rejects *r, size_t most, struct dp_buf *text) {
    const struct dp_map_item **v = sorted_reasons(r);
    for (size_t i = 0; i < r->reasons.n; i++) {
        const char *rule = v[i]->key.p, *path = rule + strlen(rule) + 1;
        if (most && i == most) {
            dp_buf_addz(text, ", ...");
            break;
        }
        dp_buf_addf(text, "%s%.60s%s%.100s %llu", i ? ", " : "", rule, *path ? " " : "", path, (unsigned long long)v[i]->v.u);
    }
    free(v);
}

enum dp_status dp_rejects_write(struct dp_rejects *r, const void *lines, size_t n, struct dp_err *err) {
    if (n == 0) return DP_OK;
    size_t at = r->held.n;
    dp_buf_add(&r->held, lines, n);
    dp_buf_reserve(&r->held, DP_SCAN_PAD);
    for (const char *nl; at < r->held.n && (nl = memchr(r->held.p + at, '\n', r->held.n - at)) != NULL; at = (size_t)(nl - r->held.p) + 1)
        count_reasons(r, r->held.p + at, (size_t)(nl - r->held.p) - at);
    if (!r->path) dp_buf_reset(&r->held);
    if (!r->path) return DP_OK;
    if ((r->direct || r->held.n >= HOLD_BYTES) && spill(r, err) != DP_OK) return dp_err_prefix(err, "--rejects: ");
    return DP_OK;
}

void dp_rejects_source(struct dp_rejects *r, const struct dp_origin *origin) {
    if (!r->path || r->direct || !origin || !origin->name || strcmp(origin->name, "-") == 0) return;
    bool is_new;
    struct dp_map_item *it =
        dp_map_put(&r->sources, source_key(&r->arena, dp_str_z(origin->name), dp_str_z(origin->member ? origin->member : "")), &is_new);
    if (is_new || origin->from < it->v.u) {
        it->v.u = origin->from;
        r->is_published = false;
    }
    dp_arena_reset(&r->arena);
}

void dp_rejects_defer(struct dp_rejects *r) { r->deferred = true; }

static enum dp_status breach(const struct dp_rejects *r, const struct dp_err *first, bool malformed, struct dp_err *err) {
    const struct dp_books *b = &r->run->books;
    enum dp_status status = malformed ? DP_RECORD : DP_RULE;
    if (first && first->msg[0]) {
        if (err) *err = *first, err->status = status;
        return status;
    }
    struct dp_buf words = {NULL, 0, 0};
    dp_rejects_words(r, 4, &words);
    dp_err_set(err, status, "%llu of %llu records are bad (%s), more than --max-rejects allows; %s%.200s", (unsigned long long)b->rejected,
               (unsigned long long)b->in, words.n ? dp_buf_z(&words) : "no rule", r->path ? "they are in " : "--rejects FILE keeps them with the reasons",
               r->path ? r->path : "");
    dp_buf_release(&words);
    return status;
}

enum dp_status dp_rejects_judge(struct dp_rejects *r, bool malformed, bool at_end, const struct dp_err *first, struct dp_err *err) {
    const struct dp_books *b = &r->run->books;
    if (r->max.is_percent) {
        if (!at_end || b->rejected == 0) return DP_OK;
        dp_u128 allowed = (dp_u128)b->in * r->max.ppm;
        if ((dp_u128)b->rejected * 1000000 <= allowed) return DP_OK;
        bool by_form = (dp_u128)b->rejected_malformed * 1000000 > allowed || b->rejected_malformed * 2 > b->rejected;
        return breach(r, NULL, by_form, err);
    }
    if (b->rejected <= r->max.count) return DP_OK;
    if (!at_end && r->deferred) return DP_OK;
    return breach(r, r->max.count == 0 && !r->deferred ? first : NULL, at_end ? b->rejected_malformed > r->max.count : malformed, err);
}

/* ---- publishing: what others wrote, then our own ---- */

/* Is this line of the file one that this run (or an earlier run over the same sources) wrote? */
static bool is_own(struct dp_rejects *r, struct dp_scan *scan, const char *line, size_t n) {
    struct dp_record rec;
    struct dp_buf t = {NULL, 0, 0};
    bool own = false;
    if (dp_scan_value(scan, line, n, &rec, NULL) != DP_OK || rec.nodes[0].kind != DP_KIND_OBJECT) return false;
    uint32_t reject = dp_json_member(&rec, 0, "reject");
    if (!reject || rec.nodes[reject].kind != DP_KIND_OBJECT) return false;
    uint32_t program = dp_json_member(&rec, reject, "program"), run = dp_json_member(&rec, reject, "run");
    uint32_t source = dp_json_member(&rec, reject, "source"), member = dp_json_member(&rec, reject, "member");
    if (!program || !dp_json_equal(dp_node_str(&rec, program), rec.nodes[program].flags, dp_str_z(r->run->program))) goto out;
    if (run && dp_json_equal(dp_node_str(&rec, run), rec.nodes[run].flags, dp_str_z(r->run->run_id))) {
        own = !r->is_flushed;
        goto out;
    }
    if (!source || !dp_json_get_string(&rec, source, &t)) goto out;
    size_t name_n = t.n;
    if (member && rec.nodes[member].kind == DP_KIND_STRING && !dp_json_get_string(&rec, member, &t)) goto out;
    struct dp_str key = source_key(&r->arena, dp_str(t.p, name_n), dp_str(t.p + name_n, t.n - name_n));
    const struct dp_map_item *it = dp_map_get(&r->sources, key);
    int64_t offset;
    uint32_t at = dp_json_member(&rec, reject, "offset");
    own = it && !(at && dp_json_get_i64(&rec, at, &offset) && offset >= 0 && (uint64_t)offset < it->v.u);
out:
    dp_arena_reset(&r->arena);
    dp_buf_release(&t);
    return own;
}

/* Copies the lines of the present file that are not our own to `to`. A line without an end gets one. */
static enum dp_status copy_others(struct dp_rejects *r, int from, int to, struct dp_err *err) {
    struct dp_buf in = {NULL, 0, 0}, keep = {NULL, 0, 0};
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    enum dp_status status = DP_OK;
    bool eof = false;
    while (!eof) {
        dp_buf_reserve(&in, COPY_BLOCK + DP_SCAN_PAD);
        ssize_t got = read(from, in.p + in.n, COPY_BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            status = dp_err_sys(err, DP_IO, "reading %s", r->path);
            goto out;
        }
        in.n += (size_t)got;
        eof = got == 0;
        if (eof && in.n > 0 && in.p[in.n - 1] != '\n') {
            dp_buf_addc(&in, '\n');
            dp_buf_reserve(&in, DP_SCAN_PAD);
        }
        size_t at = 0;
        for (char *nl; at < in.n && (nl = memchr(in.p + at, '\n', in.n - at)) != NULL; at = (size_t)(nl - in.p) + 1)
            if (!is_own(r, scan, in.p + at, (size_t)(nl - in.p) - at)) dp_buf_add(&keep, in.p + at, (size_t)(nl - in.p) + 1 - at);
        memmove(in.p, in.p + at, in.n - at);
        in.n -= at;
        DP_TRY_OUT(dp_fd_write(to, keep.p, keep.n, err));
        dp_buf_reset(&keep);
    }
out:
    dp_scan_close(scan);
    dp_buf_release(&in);
    dp_buf_release(&keep);
    return status;
}

static enum dp_status copy_all(int from, int to, const char *name, struct dp_err *err) {
    char *block = dp_alloc(COPY_BLOCK);
    enum dp_status status = DP_OK;
    uint64_t at = 0;
    for (;;) {
        ssize_t got = pread(from, block, COPY_BLOCK, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = dp_err_sys(err, DP_IO, "reading %s", name);
        if (got <= 0) break;
        at += (uint64_t)got;
        status = dp_fd_write(to, block, (size_t)got, err);
        if (status != DP_OK) break;
    }
    free(block);
    return status;
}

/* Programs of one pipeline end at about the same time: the directory's lock puts them in a row, and leaves nothing behind. */
static enum dp_status publish(struct dp_rejects *r, struct dp_err *err) {
    struct dp_newfile whole = {.is_open = false};
    char *dir = dp_path_dir(r->path);
    int lock = open(dir, O_RDONLY | O_CLOEXEC), old = -1;
    enum dp_status status = DP_OK;
    if (lock < 0) {
        status = dp_err_sys(err, DP_IO, "cannot open directory %s", dir);
        goto out;
    }
    while (flock(lock, LOCK_EX) != 0)
        if (errno != EINTR) break; /* a file system without locks: one writer is all that it can take */
    old = open(r->path, O_RDONLY | O_CLOEXEC);
    if (old < 0 && errno != ENOENT) {
        status = dp_err_sys(err, DP_IO, "cannot read %s", r->path);
        goto out;
    }
    if (old < 0 && r->held.n == 0 && !r->own.is_open) goto out;
    DP_TRY_OUT(dp_newfile_open(&whole, r->path, 0600, err));
    if (old >= 0) DP_TRY_OUT(copy_others(r, old, whole.fd, err));
    if (r->own.is_open) DP_TRY_OUT(copy_all(r->own.fd, whole.fd, r->own.tmp, err));
    DP_TRY_OUT(dp_fd_write(whole.fd, r->held.p, r->held.n, err));
    status = dp_newfile_commit(&whole, err);
out:
    dp_newfile_abort(&whole);
    if (old >= 0) close(old);
    if (lock >= 0) close(lock);
    free(dir);
    return status;
}

/* Behind the lines that are there, however many runs have the file. */
static enum dp_status append(struct dp_rejects *r, struct dp_err *err) {
    char *dir = dp_path_dir(r->path);
    int lock = open(dir, O_RDONLY | O_CLOEXEC), fd = -1;
    enum dp_status status = DP_OK;
    while (lock >= 0 && flock(lock, LOCK_EX) != 0)
        if (errno != EINTR) break;
    fd = open(r->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        status = dp_err_sys(err, DP_IO, "cannot open %s", r->path);
        goto out;
    }
    if (r->own.is_open) DP_TRY_OUT(copy_all(r->own.fd, fd, r->own.tmp, err));
    DP_TRY_OUT(dp_fd_write(fd, r->held.p, r->held.n, err));
    if (fsync(fd) != 0) status = dp_err_sys(err, DP_IO, "cannot sync %s", r->path);
out:
    if (fd >= 0) close(fd);
    if (lock >= 0) close(lock);
    free(dir);
    return status;
}

enum dp_status dp_rejects_flush(struct dp_rejects *r, struct dp_err *err) {
    r->is_flushed = true;
    if (!r->path || r->direct || r->run->dry_run || (r->held.n == 0 && !r->own.is_open)) return DP_OK;
    if ((r->is_published ? append(r, err) : publish(r, err)) != DP_OK) return dp_err_prefix(err, "--rejects: ");
    dp_newfile_abort(&r->own);
    dp_buf_reset(&r->held);
    r->is_published = true;
    return DP_OK;
}

bool dp_rejects_are_kept(const struct dp_rejects *r) { return r->path || r->run->rejects_inline; }
bool dp_rejects_tolerates_none(const struct dp_rejects *r) { return !r->max.is_percent && r->max.count == 0 && !r->deferred; }

void dp_rejects_drop(struct dp_rejects *r) {
    if (!r) return;
    if (r->direct) close(r->fd);
    dp_newfile_abort(&r->own);
    dp_buf_release(&r->held);
    dp_map_release(&r->sources);
    dp_map_release(&r->reasons);
    if (r->scan) dp_scan_close(r->scan);
    free(r->path);
    dp_arena_release(&r->arena);
    free(r);
}

enum dp_status dp_rejects_close(struct dp_rejects *r, struct dp_err *err) {
    if (!r) return DP_OK;
    enum dp_status status = DP_OK;
    if (r->path && !r->direct && !r->run->dry_run) {
        if (!r->is_published) status = publish(r, err);
        else if (r->held.n || r->own.is_open) status = append(r, err);
    }
    if (r->direct && close(r->fd) != 0) status = dp_err_sys(err, DP_IO, "cannot write %s", r->path);
    if (status != DP_OK) dp_err_prefix(err, "--rejects: ");
    r->direct = false;
    dp_rejects_drop(r);
    return status;
}

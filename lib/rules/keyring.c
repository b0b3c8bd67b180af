/*
 * Key rings: reading with all checks, making, adding (format in the header).  Every buffer that held key material is wiped.
 * No passphrases: what can be remembered can be guessed.
 */
#include <dp/rules/keyring.h>

#include <dp/base/buf.h>
#include <dp/base/file.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define RING_BYTES 32768u
#define HEADING "# dp key ring 1\n"

static const char *const states[] = {"active", "retired", "destroyed"};

void dp_key_derive(const struct dp_keyring_key *k, const char *technique, struct dp_str domain, uint8_t out[DP_SHA256_SIZE]) {
    struct dp_buf info = {0};
    dp_buf_addf(&info, "dp|%s|", technique);
    dp_buf_adds(&info, domain);
    dp_buf_addf(&info, "|%s", k->id);
    dp_hkdf(dp_str((const char *)k->bytes, k->n), dp_str("", 0), dp_buf_str(&info), out, DP_SHA256_SIZE);
    dp_buf_release(&info);
}

void dp_keyring_free(struct dp_keyring *r) { dp_secret_free(r, sizeof *r); }

const struct dp_keyring_key *dp_keyring_active(const struct dp_keyring *r) {
    for (size_t i = 0; r && i < r->n; i++)
        if (r->keys[i].state == DP_KEY_ACTIVE) return &r->keys[i];
    return NULL;
}

/* ---- text to ring ---- */

static bool is_id(struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!ok) return false;
    }
    return s.n >= 1 && s.n <= 32;
}

/* Why these are no key; NULL: they are one. */
static const char *take_key(struct dp_str text, struct dp_keyring_key *k) {
    bool parsed = dp_hex_parse(text, k->bytes, sizeof k->bytes, &k->n) || dp_base64url_parse(text, k->bytes, sizeof k->bytes, &k->n);
    if (!parsed) return "the key is neither hex nor base64url of 16 to 64 bytes";
    if (k->n < DP_KEY_MIN) return "the key has less than 128 bits";
    for (size_t i = 1; i < k->n; i++)
        if (k->bytes[i] != k->bytes[0]) return NULL;
    return "all bytes of the key are equal";
}

static void copy_text(char *to, size_t cap, struct dp_str s) {
    size_t n = s.n < cap ? s.n : cap - 1;
    memcpy(to, s.p, n);
    to[n] = 0;
}

static struct dp_str word(struct dp_str *line) {
    while (line->n && (*line->p == ' ' || *line->p == '\t')) line->p++, line->n--;
    struct dp_str w = {line->p, 0};
    while (w.n < line->n && w.p[w.n] != ' ' && w.p[w.n] != '\t') w.n++;
    line->p += w.n, line->n -= w.n;
    return w;
}

static const char *take_line(struct dp_str line, struct dp_keyring_key *k) {
    struct dp_str id = word(&line), created = word(&line), state = word(&line), key = word(&line), more = word(&line);
    struct dp_timestamp t;
    if (!key.n || more.n) return "expected four words: id, created, state, key";
    if (!is_id(id)) return "the id is not 1 to 32 letters, digits, _ or -";
    if (created.n > 32 || !dp_time_parse(created, false, false, &t)) return "the second word is not a time (RFC 3339)";
    copy_text(k->id, sizeof k->id, id);
    copy_text(k->created, sizeof k->created, created);
    for (int i = 0; i < 3; i++)
        if (dp_str_eqz(state, states[i])) {
            k->state = (enum dp_key_state)i;
            if (k->state == DP_KEY_DESTROYED) return dp_str_eqz(key, "-") ? NULL : "a destroyed key has \"-\" in place of its bytes";
            return take_key(key, k);
        }
    return "the state is none of active, retired, destroyed";
}

/* KEY or ID:KEY; the id of a bare key is made from it by derivation, so it tells nothing. */
static const char *take_bare(struct dp_str text, struct dp_keyring_key *k) {
    const char *colon = memchr(text.p, ':', text.n);
    copy_text(k->created, sizeof k->created, DP_STR("1970-01-01T00:00:00Z"));
    if (colon) {
        struct dp_str id = {text.p, (size_t)(colon - text.p)};
        if (!is_id(id)) return "the id in front of the colon is not 1 to 32 letters, digits, _ or -";
        copy_text(k->id, sizeof k->id, id);
        text.n -= id.n + 1, text.p = colon + 1;
        return take_key(text, k);
    }
    uint8_t id[4];
    const char *why = take_key(text, k);
    if (why) return why;
    dp_hkdf(dp_str((const char *)k->bytes, k->n), dp_str("", 0), DP_STR("dp|key-id"), id, sizeof id);
    k->id[dp_hex_print(k->id, id, sizeof id)] = 0;
    return NULL;
}

static const char *check_ring(const struct dp_keyring *r) {
    size_t active = 0;
    for (size_t i = 0; i < r->n; i++) {
        active += r->keys[i].state == DP_KEY_ACTIVE;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(r->keys[i].id, r->keys[k].id)) return "a key id is there twice";
    }
    if (!r->n) return "it holds no key";
    return active > 1 ? "more than one key is active" : NULL;
}

static const char *parse_lines(struct dp_str text, struct dp_keyring *r, uint64_t *at) {
    uint64_t line_no = 0;
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        struct dp_str line = {text.p, end ? (size_t)(end - text.p) : text.n};
        text.p += line.n + (end != NULL), text.n -= line.n + (end != NULL);
        while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' ')) line.n--;
        *at = ++line_no;
        if (!line.n || line.p[0] == '#') continue;
        if (r->n == DP_KEYRING_MAX) return "a ring holds at most 64 keys";
        bool bare = !memchr(line.p, ' ', line.n) && !memchr(line.p, '\t', line.n);
        if (bare && r->n) return "a key without an id stands alone in its file";
        const char *why = bare ? take_bare(line, &r->keys[r->n]) : take_line(line, &r->keys[r->n]);
        if (why) return why;
        r->n++;
    }
    *at = 0;
    return check_ring(r);
}

enum dp_status dp_keyring_parse(struct dp_str text, const char *name, struct dp_keyring **out, struct dp_err *err) {
    struct dp_keyring *r = dp_secret_alloc(sizeof *r);
    uint64_t line = 0;
    const char *why = parse_lines(text, r, &line);
    if (!why) {
        *out = r;
        return DP_OK;
    }
    dp_keyring_free(r);
    dp_err_set(err, DP_USAGE, "%s: `dp-mask keygen FILE` makes a key ring", why);
    dp_err_at(err, name, line, DP_NO_OFFSET);
    return DP_USAGE;
}

/* ---- files ---- */

/* Is this a key, where the name of its file should stand?  It must not be told in a message.  A name in a folder that is there is a name. */
static bool is_key(const char *path) {
    if (strchr(path, '/')) {
        char *dir = dp_path_dir(path);
        bool there = access(dir, F_OK) == 0;
        free(dir);
        if (there) return false;
    }
    struct dp_keyring_key *k = dp_secret_alloc(sizeof *k);
    bool yes = !take_bare(dp_str_z(path), k);
    dp_secret_free(k, sizeof *k);
    return yes;
}

enum dp_status dp_keyring_read(const char *path, struct dp_keyring **out, struct dp_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno != EACCES && is_key(path)) return dp_err_set(err, DP_USAGE, "what is named as key file is a key itself: keys never stand on the command line (DP_MASK_KEY or a file holds them), take a new one");
    if (fd < 0 && errno == ENOENT) return dp_err_set(err, DP_IO, "there is no key file %s: `dp-mask keygen %s` makes it", path, path);
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open key file %s", path);
    char *text = dp_secret_alloc(RING_BYTES);
    size_t n = 0;
    enum dp_status status = dp_secret_read(fd, path, "key ring", text, RING_BYTES, &n, err);
    if (status == DP_OK) status = dp_keyring_parse(dp_str(text, n), path, out, err);
    dp_secret_free(text, RING_BYTES);
    close(fd);
    return status;
}

static void new_key(struct dp_keyring_key *k, int64_t now_micros) {
    uint8_t id[4];
    char when[40];
    dp_random(id, sizeof id);
    k->id[dp_hex_print(k->id, id, sizeof id)] = 0;
    copy_text(k->created, sizeof k->created, dp_str(when, dp_time_print_micros(when, now_micros / 1000000 * 1000000, true, 0)));
    k->state = DP_KEY_ACTIVE;
    k->n = 32;
    dp_random(k->bytes, k->n);
}

/* The ring as text, in secret memory of RING_BYTES. */
static size_t print_ring(const struct dp_keyring *r, char *text) {
    size_t n = sizeof HEADING - 1;
    memcpy(text, HEADING, n);
    for (size_t i = 0; i < r->n; i++) {
        const struct dp_keyring_key *k = &r->keys[i];
        n += (size_t)snprintf(text + n, RING_BYTES - n, "%s %s %s ", k->id, k->created, states[k->state]);
        if (k->n) n += dp_hex_print(text + n, k->bytes, k->n);
        else text[n++] = '-';
        text[n++] = '\n';
    }
    return n;
}

static enum dp_status write_ring(const struct dp_keyring *r, const char *path, bool is_new, struct dp_err *err) {
    struct dp_newfile f = {.slot = -1};
    char *text = dp_secret_alloc(RING_BYTES);
    size_t n = print_ring(r, text);
    enum dp_status status = dp_newfile_open(&f, path, 0600, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, text, n, err);
    if (status == DP_OK) status = is_new ? dp_newfile_commit_new(&f, err) : dp_newfile_commit(&f, err);
    if (status == DP_AGAIN) status = dp_err_set(err, DP_USAGE, "%s is there already: a key file is never overwritten (keygen --add adds a key to it)", path);
    dp_newfile_abort(&f);
    dp_secret_free(text, RING_BYTES);
    return status;
}

enum dp_status dp_keyring_create(const char *path, int64_t now_micros, char id[33], struct dp_err *err) {
    if (access(path, F_OK) == 0) return dp_err_set(err, DP_USAGE, "%s is there already: a key file is never overwritten (keygen --add adds a key to it)", path);
    struct dp_keyring *r = dp_secret_alloc(sizeof *r);
    r->n = 1;
    new_key(&r->keys[0], now_micros);
    enum dp_status status = write_ring(r, path, true, err);
    copy_text(id, 33, dp_str_z(r->keys[0].id));
    dp_keyring_free(r);
    return status;
}

enum dp_status dp_keyring_add(const char *path, int64_t now_micros, char id[33], struct dp_err *err) {
    struct dp_keyring *r = NULL;
    enum dp_status status = dp_keyring_read(path, &r, err);
    if (status != DP_OK) return status;
    char *file = realpath(path, NULL); /* a link stays one: the ring that it points to is written */
    if (r->n == DP_KEYRING_MAX) {
        status = dp_err_set(err, DP_USAGE, "%s: a ring holds at most 64 keys", path);
    } else {
        memmove(&r->keys[1], &r->keys[0], r->n * sizeof r->keys[0]);
        for (size_t i = 1; i <= r->n; i++)
            if (r->keys[i].state == DP_KEY_ACTIVE) r->keys[i].state = DP_KEY_RETIRED;
        memset(&r->keys[0], 0, sizeof r->keys[0]);
        new_key(&r->keys[0], now_micros);
        r->n++;
        status = write_ring(r, file ? file : path, false, err);
        copy_text(id, 33, dp_str_z(r->keys[0].id));
    }
    free(file);
    dp_keyring_free(r);
    return status;
}

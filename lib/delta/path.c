/*
 * Paths of a Delta table (digest sections 2 and 8): percent-decoding, the two escapes of the ladder, canonical keys.
 * What it does not do: look at the file system.
 */
#include <dp/delta/path.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>

void dp_delta_path_decode(struct dp_str s, struct dp_buf *out) {
    if (!s.n || !memchr(s.p, '%', s.n)) {
        dp_buf_adds(out, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && dp_hex_digit(s.p[i + 1]) >= 0 && dp_hex_digit(s.p[i + 2]) >= 0) {
            dp_buf_addc(out, (char)(dp_hex_digit(s.p[i + 1]) * 16 + dp_hex_digit(s.p[i + 2])));
            i += 2;
        } else {
            dp_buf_addc(out, s.p[i]);
        }
    }
}

static void escape(struct dp_str s, const char *special, bool blank, struct dp_buf *out) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || (blank && c == ' ') || strchr(special, c)) {
            char x[3] = {'%', hex[c >> 4], hex[c & 15]};
            dp_buf_add(out, x, 3);
        } else {
            dp_buf_addc(out, (char)c);
        }
    }
}

void dp_delta_path_encode(struct dp_str s, struct dp_buf *out) { escape(s, "\"#%<>?[\\]^`{|}", true, out); }

void dp_delta_hive_escape(struct dp_str s, struct dp_buf *out) { escape(s, "\"#%'*/:=?\\{[]^", false, out); }

/* FNV-1a: only tells two cut names apart, nothing is looked up by it. */
static uint64_t name_hash(struct dp_str s) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h;
}

void dp_delta_hive_dir(struct dp_str column, struct dp_str value, bool is_null, struct dp_buf *out) {
    const size_t max_name = 200; /* file systems allow 255 bytes in a name */
    size_t start = out->n;
    dp_delta_hive_escape(column, out);
    dp_buf_addc(out, '=');
    if (is_null || !value.n) dp_buf_addz(out, "__HIVE_DEFAULT_PARTITION__");
    else dp_delta_hive_escape(value, out);
    if (out->n - start <= max_name) return;
    uint64_t h = name_hash(dp_str(out->p + start, out->n - start));
    size_t cut = start + max_name;
    /* Neither in the middle of a character nor of an escape. */
    while (cut > start && ((unsigned char)out->p[cut] & 0xc0) == 0x80) cut--;
    if (cut > start && out->p[cut - 1] == '%') cut--;
    else if (cut > start + 1 && out->p[cut - 2] == '%') cut -= 2;
    out->n = cut;
    dp_buf_addf(out, "-%016llx", (unsigned long long)h);
}

/* Length of a URI scheme with its colon, 0 when there is none. */
static size_t scheme_length(struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':' && i > 0) return i + 1;
        if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))) return 0;
    }
    return 0;
}

/* Strips file: and file://, so that the rest begins with one slash; false when another scheme is there. */
static bool strip_scheme(struct dp_str *s) {
    size_t n = scheme_length(*s);
    if (!n) return true;
    if (n != 5 || memcmp(s->p, "file:", 5) != 0) return false;
    *s = dp_str(s->p + 5, s->n - 5);
    if (s->n > 2 && s->p[0] == '/' && s->p[1] == '/' && s->p[2] == '/') *s = dp_str(s->p + 2, s->n - 2);
    return s->n > 0 && s->p[0] == '/';
}

void dp_delta_path_key(struct dp_str log_path, struct dp_buf *out) {
    struct dp_str s = log_path;
    if (!strip_scheme(&s)) s = log_path;
    dp_delta_path_decode(s, out);
}

static bool climbs(struct dp_str s) {
    size_t i = 0;
    while (i < s.n) {
        size_t j = i;
        while (j < s.n && s.p[j] != '/') j++;
        if (j - i == 2 && s.p[i] == '.' && s.p[i + 1] == '.') return true;
        i = j + 1;
    }
    return false;
}

enum dp_status dp_delta_path_resolve(const char *table, struct dp_str log_path, struct dp_buf *out, struct dp_err *err) {
    struct dp_str s = log_path;
    if (!strip_scheme(&s))
        return dp_err_set(err, DP_UNSUPPORTED, "file \"%.*s\": only local files can be read", DP_STR_FMT(log_path));
    size_t start = out->n;
    if (s.n == 0 || s.p[0] != '/') {
        dp_buf_addz(out, table);
        if (out->n > start && out->p[out->n - 1] != '/') dp_buf_addc(out, '/');
    }
    size_t from = out->n;
    dp_delta_path_decode(s, out);
    struct dp_str name = dp_str(out->p + from, out->n - from);
    if (name.n == 0 || memchr(name.p, 0, name.n) || name.n > DP_LIMIT_PATH)
        return dp_err_set(err, DP_FORMAT, "a path in the log is empty, too long or holds a NUL");
    if (name.p[0] != '/' && climbs(name))
        return dp_err_set(err, DP_FORMAT, "path \"%.*s\" leads out of the table", DP_STR_FMT(log_path));
    return DP_OK;
}

char *dp_delta_commit_path(const char *table, int64_t version) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s/_delta_log/%020lld.json", table, (long long)version);
    return dp_buf_detach(&b);
}

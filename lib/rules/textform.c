/*
 * Formats of strings: RFC 5321 (mailbox), RFC 9562 (UUID), RFC 3986 (URI), RFC 1123 section 2.1 (host name), RFC 4291 section 2.2 (IPv6), RFC 4648 (base64).
 * Grammar only: nothing is looked up.  Addresses and URIs outside of ASCII are taken where RFC 6531 and RFC 3987 take them.
 */
#include <dp/rules/textform.h>

const char *const dp_textform_names[] = {"", "email", "uuid", "uri", "hostname", "ipv4", "ipv6", "byte", "binary", "password", NULL};

enum dp_textform dp_textform_find(const char *name) {
    for (int i = 1; dp_textform_names[i]; i++)
        if (!strcmp(name, dp_textform_names[i])) return (enum dp_textform)i;
    return DP_TEXTFORM_NONE;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_alpha(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_hex(int c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static int byte_at(struct dp_str s, size_t i) { return i < s.n ? (unsigned char)s.p[i] : -1; }
static struct dp_str part(struct dp_str s, size_t from, size_t to) { return dp_str(s.p + from, to - from); }

/* Labels of letters, digits and inner hyphens, 63 at most, 253 together; one dot at the end may stand for the root. */
static bool is_hostname(struct dp_str s) {
    size_t label = 0;
    if (s.n > 1 && s.p[s.n - 1] == '.') s.n--;
    if (!s.n || s.n > 253) return false;
    for (size_t i = 0; i <= s.n; i++) {
        int c = byte_at(s, i);
        if (c == '.' || c < 0) {
            if (!label || label > 63 || s.p[i - 1] == '-') return false;
            label = 0;
        } else if (is_alpha(c) || is_digit(c) || (c == '-' && label)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

static bool is_ipv4(struct dp_str s) {
    size_t i = 0;
    for (int group = 0; group < 4; group++) {
        size_t start = i;
        unsigned v = 0;
        if (group && byte_at(s, i++) != '.') return false;
        if (group) start = i;
        while (is_digit(byte_at(s, i)) && i - start < 4) v = v * 10 + (unsigned)(s.p[i++] - '0');
        if (i == start || i - start > 3 || v > 255 || (i - start > 1 && s.p[start] == '0')) return false;
    }
    return i == s.n;
}

/* Eight groups of up to four hex digits, one run of them left out as `::`, the last two perhaps as IPv4. */
static bool is_ipv6(struct dp_str s) {
    size_t i = 0, groups = 0;
    bool gap = false;
    if (byte_at(s, 0) == ':' && byte_at(s, 1) != ':') return false;
    while (i < s.n) {
        if (s.p[i] == ':' && byte_at(s, i + 1) == ':') {
            if (gap) return false;
            gap = true;
            i += 2;
            continue;
        }
        if (groups && s.p[i] == ':') i++;
        else if (groups && s.p[i - 1] != ':') return false;
        size_t start = i;
        while (is_hex(byte_at(s, i)) && i - start < 5) i++;
        if (byte_at(s, i) == '.') {
            groups += 2;
            return is_ipv4(part(s, start, s.n)) && (gap ? groups < 8 : groups == 8);
        }
        if (i == start || i - start > 4) return false;
        groups++;
    }
    return gap ? groups < 8 : groups == 8;
}

static bool is_uuid(struct dp_str s) {
    if (s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !is_hex(s.p[i])) return false;
    }
    return true;
}

static bool is_atext(int c) { return is_alpha(c) || is_digit(c) || c >= 128 || (c > 0 && strchr("!#$%&'*+-/=?^_`{|}~", c)); }

/* Local part: atoms with dots between, or a quoted string; at most 64 bytes. */
static bool is_local_part(struct dp_str s) {
    if (!s.n || s.n > 64) return false;
    if (s.p[0] == '"') {
        if (s.n < 2 || s.p[s.n - 1] != '"') return false;
        for (size_t i = 1; i + 1 < s.n; i++) {
            int c = byte_at(s, i);
            if (c == '\\' ? ++i + 1 >= s.n : c < 32 || c == 127 || c == '"') return false;
        }
        return true;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool dot = s.p[i] == '.' && i && i + 1 < s.n && s.p[i - 1] != '.';
        if (!dot && !is_atext(byte_at(s, i))) return false;
    }
    return true;
}

/* A domain of at least two labels whose last is no number, an address in brackets, or one outside of ASCII. */
static bool is_mail_domain(struct dp_str s) {
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        struct dp_str in = part(s, 1, s.n - 1);
        return dp_str_starts(in, DP_STR("IPv6:")) ? is_ipv6(part(in, 5, in.n)) : is_ipv4(in);
    }
    size_t dot = s.n;
    bool ascii = true, letter = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') dot = i, letter = false;
        else if (!is_digit(byte_at(s, i))) letter = true;
        if (byte_at(s, i) >= 128) ascii = false;
        if (byte_at(s, i) <= ' ' || s.p[i] == '@' || (s.p[i] == '.' && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))) return false;
    }
    return dot < s.n && letter && s.n <= 253 && (!ascii || is_hostname(s));
}

static bool is_email(struct dp_str s) {
    size_t at = s.n;
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == '@') {
            at = i;
            break;
        }
    return at < s.n && is_local_part(part(s, 0, at)) && is_mail_domain(part(s, at + 1, s.n));
}

/* Characters of a URI's parts, escapes checked; `more` are those that this part takes beside unreserved and sub-delims. */
static bool is_uri_text(struct dp_str s, const char *more) {
    for (size_t i = 0; i < s.n; i++) {
        int c = byte_at(s, i);
        if (c == '%') {
            if (!is_hex(byte_at(s, i + 1)) || !is_hex(byte_at(s, i + 2))) return false;
            i += 2;
        } else if (!is_alpha(c) && !is_digit(c) && c < 128 && (c == 0 || (!strchr("-._~!$&'()*+,;=", c) && !strchr(more, c)))) {
            return false;
        }
    }
    return true;
}

static size_t find(struct dp_str s, size_t from, const char *any) {
    while (from < s.n && (s.p[from] == 0 || !strchr(any, s.p[from]))) from++;
    return from;
}

/* [userinfo@] host [:port] */
static bool is_authority(struct dp_str s) {
    size_t at = find(s, 0, "@");
    if (at < s.n) {
        if (!is_uri_text(part(s, 0, at), ":")) return false;
        s = part(s, at + 1, s.n);
    }
    size_t end = s.n;
    if (byte_at(s, 0) == '[') {
        size_t close = find(s, 0, "]");
        if (close == s.n || !is_ipv6(part(s, 1, close))) return false;
        if (close + 1 < s.n && s.p[close + 1] != ':') return false;
        end = close + 1;
    } else {
        end = find(s, 0, ":");
        if (!is_uri_text(part(s, 0, end), "")) return false;
    }
    for (size_t i = end + 1; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return true;
}

static bool is_uri(struct dp_str s) {
    size_t colon = find(s, 0, ":");
    if (colon == s.n || !is_alpha(byte_at(s, 0))) return false;
    for (size_t i = 1; i < colon; i++)
        if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !strchr("+-.", s.p[i])) return false;
    struct dp_str rest = part(s, colon + 1, s.n);
    size_t hash = find(rest, 0, "#");
    if (hash < rest.n && !is_uri_text(part(rest, hash + 1, rest.n), ":@/?")) return false;
    rest.n = hash;
    size_t query = find(rest, 0, "?");
    if (query < rest.n && !is_uri_text(part(rest, query + 1, rest.n), ":@/?")) return false;
    rest.n = query;
    if (dp_str_starts(rest, DP_STR("//"))) {
        size_t slash = find(rest, 2, "/");
        if (!is_authority(part(rest, 2, slash))) return false;
        rest = part(rest, slash, rest.n);
    }
    return is_uri_text(rest, ":@/");
}

static bool is_base64(struct dp_str s) {
    if (s.n % 4) return false;
    size_t pad = s.n && s.p[s.n - 1] == '=' ? s.p[s.n - 2] == '=' ? 2 : 1 : 0;
    for (size_t i = 0; i < s.n - pad; i++)
        if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '+' && s.p[i] != '/') return false;
    return true;
}

bool dp_textform_matches(enum dp_textform form, struct dp_str text) {
    switch (form) {
    case DP_TEXTFORM_EMAIL: return is_email(text);
    case DP_TEXTFORM_UUID: return is_uuid(text);
    case DP_TEXTFORM_URI: return is_uri(text);
    case DP_TEXTFORM_HOSTNAME: return is_hostname(text);
    case DP_TEXTFORM_IPV4: return is_ipv4(text);
    case DP_TEXTFORM_IPV6: return is_ipv6(text);
    case DP_TEXTFORM_BYTE: return is_base64(text);
    case DP_TEXTFORM_NONE: case DP_TEXTFORM_BINARY: case DP_TEXTFORM_PASSWORD: break;
    }
    return true;
}

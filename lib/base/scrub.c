/*
 * Text without secrets (dp/base/scrub.h), byte by byte: no URL is parsed for what it is, for those in messages may be wrong, cut, or quoted.
 * Does not know: secrets that nothing announces, as a key that was pasted for a file's name.
 */
#include <dp/base/scrub.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CUT 200 /* a message as long as this may have been cut */

static const char *const secrets[] = {"password", "passwd", "pwd", "secret", "token", "apikey", "api_key", "api-key", "access_key", "signature", "credential", "authorization", "sig", NULL};
static const char *const parameters[] = {"pass", "auth", "key", "code", NULL}; /* which are plain words elsewhere: the whole name of a parameter */

static bool ends_word(char c) { return strchr(" \t\r\n\"'<>()[]{},;", c) != NULL; }
static bool ends_url(char c) { return strchr(" \t\r\n\"'<>", c) != NULL; }

/* Length of the word of the list that s begins with; 0: none. */
static size_t word_length(struct dp_str s, const char *const *words) {
    for (; *words; words++)
        if (s.n > strlen(*words) && strncasecmp(s.p, *words, strlen(*words)) == 0) return strlen(*words);
    return 0;
}

/* Does a name begin here that announces a secret?  Its length, with what stands between it and the secret; 0: no. */
static size_t secret_name(struct dp_str s, bool in_url) {
    size_t n = word_length(s, secrets), whole = in_url ? word_length(s, parameters) : 0;
    if (!n && whole && s.p[whole] == '=') return whole + 1;
    while (n && n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_' || s.p[n] == '-')) n++;
    if (!n || n >= s.n || (s.p[n] != '=' && (in_url || s.p[n] != ':'))) return 0;
    if (in_url) return n + 1;
    do n++;
    while (n < s.n && strchr(" \"'", s.p[n]));
    return s.n - n > 7 && strncasecmp(s.p + n, "bearer ", 7) == 0 ? n + 7 : n;
}

static bool starts_word(struct dp_str s, size_t i) { return i == 0 || !isalnum((unsigned char)s.p[i - 1]); }

/* Length of user and password of the authority that begins here, with their @; *cut: it is they, and they have no end. */
static size_t user_length(struct dp_str s, bool *cut) {
    size_t word = 0, host, at = 0;
    while (word < s.n && !ends_url(s.p[word])) word++;
    for (host = 0; host < word && !strchr("/?#", s.p[host]); host++)
        if (s.p[host] == '@') at = host + 1;
    const char *colon = memchr(s.p, ':', host);
    bool no_port = !at && *s.p != '[' && colon && colon + 1 < s.p + host && !isdigit((unsigned char)colon[1]);
    for (size_t i = host; no_port && i < word; i++) /* a password with a slash in it */
        if (s.p[i] == '@') at = i + 1;
    *cut = no_port && !at && word == s.n;
    return at;
}

/* A URL from behind its "://"; how much of s it is. */
static size_t scrub_url(struct dp_str s, bool may_be_cut, struct dp_buf *out) {
    bool cut = false, in_query = false;
    size_t i = s.n ? user_length(s, &cut) : 0;
    if (cut && may_be_cut) return dp_buf_addz(out, "***"), s.n;
    while (i < s.n && !ends_url(s.p[i])) {
        in_query = in_query || s.p[i] == '?' || s.p[i] == '#';
        size_t name = in_query && starts_word(s, i) ? secret_name(dp_str(s.p + i, s.n - i), true) : 0;
        if (!name) {
            dp_buf_addc(out, s.p[i++]);
            continue;
        }
        dp_buf_add(out, s.p + i, name);
        for (i += name; i < s.n && s.p[i] != '&' && s.p[i] != '#' && !ends_url(s.p[i]);) i++;
        dp_buf_addz(out, "***");
    }
    return i;
}

void dp_scrub(struct dp_str s, enum dp_scrub how, struct dp_buf *out) {
    for (size_t i = 0; i < s.n;) {
        size_t name = how == DP_SCRUB_WORDS && starts_word(s, i) ? secret_name(dp_str(s.p + i, s.n - i), false) : 0;
        if (name) {
            dp_buf_add(out, s.p + i, name);
            for (i += name; i < s.n && s.p[i] != '&' && !ends_word(s.p[i]);) i++;
            dp_buf_addz(out, "***");
        } else if (s.n - i > 3 && memcmp(s.p + i, "://", 3) == 0) {
            dp_buf_addz(out, "://");
            i += 3 + scrub_url(dp_str(s.p + i + 3, s.n - i - 3), s.n >= CUT, out);
        } else {
            dp_buf_addc(out, s.p[i++]);
        }
    }
}

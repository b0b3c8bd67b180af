/* Encodings (dp/format/text.h).  The four that spreadsheets write are tables and shifts; iconv serves those that --encoding names. */
#include <dp/format/text.h>

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

enum { RAW = 64 << 10 };
enum encoding { UTF8, UTF16LE, UTF16BE, LATIN1, CP1252, OTHER };

struct dp_text {
    struct dp_input *in;
    enum encoding enc;
    char *name;
    bool guessed;
    size_t skip;       /* bytes of the byte order mark, still to be dropped */
    size_t bom;
    iconv_t cd;
    bool has_cd, ended;
    size_t at, n;      /* of raw */
    unsigned char raw[RAW];
};

static const struct {
    const char *name;
    enum encoding enc;
} names[] = {{"utf-8", UTF8},       {"utf8", UTF8},          {"ascii", UTF8},        {"us-ascii", UTF8},      {"utf-16le", UTF16LE},
             {"utf-16be", UTF16BE}, {"latin-1", LATIN1},     {"latin1", LATIN1},     {"iso-8859-1", LATIN1},  {"windows-1252", CP1252},
             {"cp1252", CP1252}};

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static bool same_word(const char *a, const char *b) {
    while (*a && lower(*a) == lower(*b)) a++, b++;
    return lower(*a) == lower(*b);
}

/* Length of the valid UTF-8 at the start of s; a character cut off by the end counts as valid. */
static size_t utf8_span(struct dp_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        unsigned char c = p[i];
        size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
        if (!len) return i;
        for (size_t k = 1; k < len && i + k < s.n; k++)
            if ((p[i + k] & 0xc0) != 0x80) return i;
        i += len;
    }
    return s.n;
}

/* UTF-16 without a mark: text in it has a zero in every other byte of its blanks, digits and separators. */
static bool looks_utf16(struct dp_str s, unsigned odd) {
    size_t zeros[2] = {0, 0}, n = s.n < 4096 ? s.n & ~(size_t)1 : 4096;
    if (n < 4) return false;
    for (size_t i = 0; i < n; i++) zeros[i & 1] += !s.p[i];
    return zeros[odd] > n / 5 && zeros[!odd] * 20 < zeros[odd];
}

static void guess(struct dp_text *t, struct dp_str head) {
    const unsigned char *p = (const unsigned char *)head.p;
    t->guessed = true;
    if (head.n >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) {
        t->enc = UTF8, t->skip = 3, t->guessed = false;
    } else if (head.n >= 2 && p[0] == 0xff && p[1] == 0xfe) {
        t->enc = UTF16LE, t->skip = 2;
    } else if (head.n >= 2 && p[0] == 0xfe && p[1] == 0xff) {
        t->enc = UTF16BE, t->skip = 2;
    } else if (looks_utf16(head, 1)) {
        t->enc = UTF16LE;
    } else if (looks_utf16(head, 0)) {
        t->enc = UTF16BE;
    } else if (utf8_span(head) == head.n) {
        t->enc = UTF8, t->guessed = false;
    } else {
        size_t c1 = 0, high = 0, multi = 0;
        for (size_t i = 0; i < head.n; i++) {
            c1 += p[i] >= 0x80 && p[i] < 0xa0;
            high += p[i] >= 0x80;
            multi += p[i] >= 0xc2 && p[i] < 0xf5 && i + 1 < head.n && (p[i + 1] & 0xc0) == 0x80;
        }
        bool text = true; /* binary is not given an encoding */
        for (size_t i = 0; i < head.n && text; i++) text = p[i] || false;
        if (!text || multi * 3 > high) t->enc = UTF8, t->guessed = false; /* UTF-8 with damage: the damage is refused, not respelled */
        else t->enc = c1 ? CP1252 : LATIN1;
    }
}

static void skip_mark(struct dp_text *t, struct dp_str head) {
    const unsigned char *p = (const unsigned char *)head.p;
    if (t->enc == UTF8 && head.n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) t->skip = 3;
    if (t->enc == UTF16LE && head.n >= 2 && p[0] == 0xff && p[1] == 0xfe) t->skip = 2;
    if (t->enc == UTF16BE && head.n >= 2 && p[0] == 0xfe && p[1] == 0xff) t->skip = 2;
}

enum dp_status dp_text_open(struct dp_input *in, const char *encoding, struct dp_text **out, struct dp_err *err) {
    static const char *const words[] = {"utf-8", "utf-16le", "utf-16be", "latin-1", "windows-1252"};
    struct dp_str head;
    *out = NULL;
    enum dp_status status = dp_input_peek(in, encoding && same_word(encoding, "utf-8") ? 4 : RAW, &head, err);
    if (status == DP_AGAIN) status = dp_input_peek(in, 1, &head, err); /* no more yet: what is there tells */
    if (status) return status;
    struct dp_text *t = dp_calloc(1, sizeof *t);
    t->in = in;
    t->enc = OTHER;
    if (encoding && same_word(encoding, "utf-16")) {
        bool be = head.n >= 2 && (unsigned char)head.p[0] == 0xfe && (unsigned char)head.p[1] == 0xff;
        encoding = be || (!looks_utf16(head, 1) && looks_utf16(head, 0)) ? "utf-16be" : "utf-16le";
    }
    if (!encoding || same_word(encoding, "auto")) {
        guess(t, head);
        t->name = dp_strdup(words[t->enc]);
    } else {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (same_word(encoding, names[i].name)) t->enc = names[i].enc;
        t->name = dp_strdup(encoding);
        if (t->enc == OTHER) {
            t->cd = iconv_open("UTF-8", encoding);
            if (t->cd == (iconv_t)-1) {
                dp_text_close(t);
                return dp_err_set(err, DP_USAGE, "--encoding: nobody here knows '%s'", encoding);
            }
            t->has_cd = true;
        }
        skip_mark(t, head);
    }
    t->bom = t->skip;
    *out = t;
    return DP_OK;
}

void dp_text_close(struct dp_text *t) {
    if (!t) return;
    if (t->has_cd) iconv_close(t->cd);
    free(t->name);
    free(t);
}

const char *dp_text_encoding(const struct dp_text *t) { return t->name; }
bool dp_text_was_guessed(const struct dp_text *t) { return t->guessed; }
bool dp_text_is_plain(const struct dp_text *t, size_t *skip) { return *skip = t->bom, t->enc == UTF8; }

static char *put_utf8(char *p, uint32_t c) {
    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xc0 | c >> 6);
        *p++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *p++ = (char)(0xe0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    } else {
        *p++ = (char)(0xf0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 63));
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    }
    return p;
}

static char *decode_utf16(struct dp_text *t, char *p, const char *end) {
    unsigned big = t->enc == UTF16BE;
    while (end - p >= 4 && t->n - t->at >= 2) {
        const unsigned char *s = t->raw + t->at;
        uint32_t c = (uint32_t)s[!big] << 8 | s[big];
        if (c >= 0xd800 && c < 0xdc00) {
            if (t->n - t->at < 4 && !t->ended) break;
            uint32_t d = t->n - t->at >= 4 ? (uint32_t)s[2 + !big] << 8 | s[2 + big] : 0;
            if (d >= 0xdc00 && d < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00);
                t->at += 2;
            }
        }
        p = put_utf8(p, c);
        t->at += 2;
    }
    return p;
}

static char *decode_bytes(struct dp_text *t, char *p, const char *end) {
    static const uint16_t high[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
                                      0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
                                      0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
    while (end - p >= 4 && t->at < t->n) {
        unsigned char c = t->raw[t->at++];
        p = put_utf8(p, t->enc == CP1252 && c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c);
    }
    return p;
}

static enum dp_status decode_iconv(struct dp_text *t, char **p, char *end, struct dp_err *err) {
    char *in = (char *)t->raw + t->at;
    size_t in_n = t->n - t->at, out_n = (size_t)(end - *p);
    size_t r = iconv(t->cd, &in, &in_n, p, &out_n);
    t->at = t->n - in_n;
    if (r == (size_t)-1 && errno == EILSEQ) return dp_err_set(err, DP_FORMAT, "a byte that is not %s (see --encoding)", t->name);
    return DP_OK;
}

static enum dp_status refill(struct dp_text *t, struct dp_err *err) {
    memmove(t->raw, t->raw + t->at, t->n - t->at);
    t->n -= t->at, t->at = 0;
    size_t n;
    DP_TRY(dp_input_read(t->in, t->raw + t->n, sizeof t->raw - t->n, &n, err));
    t->n += n;
    t->ended = !n;
    size_t drop = t->skip < t->n ? t->skip : t->n;
    t->at += drop, t->skip -= drop;
    return DP_OK;
}

enum dp_status dp_text_read(struct dp_text *t, void *out, size_t cap, size_t *n, struct dp_err *err) {
    while (t->enc == UTF8) {
        DP_TRY(dp_input_read(t->in, out, cap, n, err));
        if (!t->skip || !*n) return DP_OK;
        size_t drop = t->skip < *n ? t->skip : *n;
        memmove(out, (char *)out + drop, *n - drop);
        *n -= drop, t->skip -= drop;
        if (*n) return DP_OK;
    }
    char *p = out;
    for (;;) {
        if (t->enc == OTHER) DP_TRY(decode_iconv(t, &p, (char *)out + cap, err));
        else p = t->enc == LATIN1 || t->enc == CP1252 ? decode_bytes(t, p, (char *)out + cap) : decode_utf16(t, p, (char *)out + cap);
        *n = (size_t)(p - (char *)out);
        if (*n) return DP_OK;
        if (t->ended) return t->at == t->n ? DP_OK : dp_err_set(err, DP_FORMAT, "the text is cut in the middle of a character");
        DP_TRY(refill(t, err));
    }
}

/*
 * Formats of strings and of times that contracts name: logicalTypeOptions.format.
 *
 * Strings: email (RFC 5321 addr-spec without comments, an ASCII or UTF-8 local part), uuid (RFC 9562 text, any version), uri (RFC 3986, with a scheme),
 * hostname (RFC 1123), ipv4 (four decimals without leading zeros), ipv6 (RFC 4291, zone refused), byte (padded base64), binary and password (any text).
 * Times: letters of the JDK's DateTimeFormatter: y u M d D H h K k m s S n a E Q q w e X x Z z V O, quotes, optional sections [ ].
 */
#ifndef DP_RULES_TEXTFORM_H
#define DP_RULES_TEXTFORM_H

#include <dp/base/str.h>
#include <dp/base/status.h>

enum dp_textform { DP_TEXTFORM_NONE, DP_TEXTFORM_EMAIL, DP_TEXTFORM_UUID, DP_TEXTFORM_URI, DP_TEXTFORM_HOSTNAME, DP_TEXTFORM_IPV4, DP_TEXTFORM_IPV6,
                   DP_TEXTFORM_BYTE, DP_TEXTFORM_BINARY, DP_TEXTFORM_PASSWORD };

extern const char *const dp_textform_names[]; /* by enum, [0] is "", NULL at the end */
enum dp_textform dp_textform_find(const char *name); /* NONE: no such format */
bool dp_textform_matches(enum dp_textform form, struct dp_str text);

struct dp_timeform; /* immutable, shared by threads */
/* DP_USAGE: not a format, with the column and the letter; DP_UNSUPPORTED names a letter that is the JDK's and not taken here. */
enum dp_status dp_timeform_compile(struct dp_str text, struct dp_timeform **out, struct dp_err *err) DP_MUST_CHECK;
void dp_timeform_free(struct dp_timeform *f);
/* Is `text` in this form, and a date (time) that exists?  *micros: since the epoch, of the wall clock where the form has no zone; of a
   form without date: since midnight.  *has_zone may be NULL. */
bool dp_timeform_read(const struct dp_timeform *f, struct dp_str text, int64_t *micros, bool *has_zone);

#endif

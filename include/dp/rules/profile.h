/*
 * What values of one field have in common, for a first contract: are all different, are there only a few, do they follow a format or a pattern?
 * Fed by inference (dp/record/infer.h) value by value; bounded memory for each field.
 */
#ifndef DP_RULES_PROFILE_H
#define DP_RULES_PROFILE_H

#include <dp/base/buf.h>
#include <dp/record/infer.h>
#include <dp/rules/textform.h>

#define DP_PROFILE_VALUES 24         /* more different strings are no enumeration */
#define DP_PROFILE_DISTINCT (1u << 22) /* values of one field that are compared with one another */

struct dp_profile;

/* Watches inference; what it makes of a field (dp_infer_field.watched) is a struct dp_profile. */
extern const struct dp_infer_watch dp_profile_watch;

uint64_t dp_profile_count(const struct dp_profile *p);
/* Are all values different (as far as DP_PROFILE_DISTINCT)?  Never said by mistake. */
bool dp_profile_is_unique(const struct dp_profile *p);
/*
 * The different strings, sorted by bytes, when there are at most DP_PROFILE_VALUES of at most 40 bytes and each was met `each` times or more;
 * 0: no such set, or not only strings. Borrowed.
 */
size_t dp_profile_values(const struct dp_profile *p, uint64_t each, struct dp_str out[DP_PROFILE_VALUES]);
/* The format that every string follows: email, uuid, ipv4, ipv6 or uri; NONE: none of them, or not only strings. */
enum dp_textform dp_profile_format(const struct dp_profile *p);
/*
 * The pattern that every string follows: runs of letters, digits and hexadecimal digits of fixed length (digits: of any) between the same
 * punctuation, with what is the same in all of them spelled out.  False: no pattern that says anything.
 */
bool dp_profile_pattern(const struct dp_profile *p, struct dp_buf *out);

#endif

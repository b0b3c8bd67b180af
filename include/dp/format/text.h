/*
 * Text of an input as UTF-8: the encoding is told by its first 64 KiB (what is there of them when
 * the input's wait says DP_AGAIN) or named.
 *
 * UTF-8 passes as it is (a byte order mark is dropped; bytes that are not UTF-8 are left for the reader of records to refuse, with their
 * place).  UTF-16, Latin-1 and Windows-1252 are decoded here, others by iconv.  A lone surrogate comes out as bytes that are not UTF-8,
 * so that its record is refused and not altered.
 */
#ifndef DP_FORMAT_TEXT_H
#define DP_FORMAT_TEXT_H

#include <dp/format/input.h>

struct dp_text;

/* Reads the current member of `in` (borrowed until close). encoding NULL or "auto": told. DP_USAGE: nobody knows that encoding. */
enum dp_status dp_text_open(struct dp_input *in, const char *encoding, struct dp_text **out, struct dp_err *err) DP_MUST_CHECK;
void dp_text_close(struct dp_text *t);
/* *n = 0: the end.  cap at least 16. */
enum dp_status dp_text_read(struct dp_text *t, void *p, size_t cap, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/* "utf-8", "utf-16le", ...; and whether it had to be told by content and is not plain UTF-8 (worth a word with -v). */
const char *dp_text_encoding(const struct dp_text *t);
bool dp_text_was_guessed(const struct dp_text *t);
/* Bytes read are the input's own (UTF-8); *skip is the length of the byte order mark in front. */
bool dp_text_is_plain(const struct dp_text *t, size_t *skip);

#endif

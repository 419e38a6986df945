/*
 * utf8: is a text UTF-8 (RFC 3629), and does it hold control characters? Any thread.
 */
#ifndef INTROSPECTD_UTF8_H
#define INTROSPECTD_UTF8_H

#include "introspectd/slice.h"

#include <stdint.h>

/* The bytes of the character that begins with lead, 1 to 4; lead must begin one. */
size_t utf8_char_len(unsigned char lead);

/* The bytes of the character that text begins with, 1 to 4; 0 when text is empty or begins with none. */
size_t utf8_valid_char_len(slice_t text);

bool utf8_is_valid(slice_t text);

/* Whether text, which must be valid, holds U+0000 to U+001F or U+007F to U+009F. */
bool utf8_has_control(slice_t text);

enum { UTF8_CHAR_MAX = 4 };

/* Writes a character, which must be no surrogate and at most U+10FFFF; the bytes written. */
size_t utf8_encode(uint32_t character, char out[UTF8_CHAR_MAX]);

#endif

/*
 * utf8: is a text UTF-8 (RFC 3629), and does it hold control characters? Internal to policy; any thread.
 */
#ifndef INTROSPECTD_POLICY_UTF8_H
#define INTROSPECTD_POLICY_UTF8_H

#include "introspectd/slice.h"

/* The bytes of the character that begins with lead, 1 to 4; lead must begin one. */
size_t utf8_char_len(unsigned char lead);

bool utf8_is_valid(slice_t text);

/* Whether text, which must be valid, holds U+0000 to U+001F or U+007F to U+009F. */
bool utf8_has_control(slice_t text);

#endif

/*
 * form: decoding application/x-www-form-urlencoded text (WHATWG URL section 5; RFC 6749 appendix B).
 * Any thread; the caller owns the buffers.
 */
#ifndef INTROSPECTD_FORM_H
#define INTROSPECTD_FORM_H

#include "introspectd/slice.h"

/* Whether text has a character that decoding changes (`%` or `+`). */
bool form_is_encoded(slice_t text);

/*
 * Decodes text into out, which holds text.len bytes; out may be text.base itself. False when a `%` is not
 * followed by two hex digits: out then holds rubbish and *out_len is untouched.
 */
bool form_decode(slice_t text, char *out, size_t *out_len) __attribute__((warn_unused_result));

#endif

/*
 * base64url: RFC 4648 section 5 without padding, as RFC 7515 section 2 uses it, strictly.
 *
 * One value has one spelling: no padding, no white space, no `+` or `/`, no non-zero trailing bits, no length
 * of 1 modulo
 * 4. Otherwise one token would have many spellings, each with a cache entry of its own. Any thread.
 */
#ifndef INTROSPECTD_BASE64URL_H
#define INTROSPECTD_BASE64URL_H

#include "introspectd/slice.h"

/* An upper bound of the bytes that len characters decode to. */
static inline size_t base64url_decoded_max(size_t len)
{
    return len / 4 * 3 + 3;
}

/* The characters that len bytes encode to, without a NUL. */
static inline size_t base64url_encoded_len(size_t len)
{
    return (len * 4 + 2) / 3;
}

/*
 * Decodes text into out, which holds base64url_decoded_max(text.len) bytes. False, with *out_len untouched,
 * when text is not strict base64url. The empty text is legal and gives 0 bytes.
 */
bool base64url_decode(slice_t text, unsigned char *out, size_t *out_len) __attribute__((warn_unused_result));

/* Whether text is strict base64url, without decoding it. */
bool base64url_is_strict(slice_t text);

/* Encodes len bytes into out, which holds base64url_encoded_len(len) + 1 bytes; a NUL is written behind. */
void base64url_encode(const unsigned char *bytes, size_t len, char *out);

#endif

/*
 * slice: a borrowed run of bytes.
 *
 * Text that comes from the network is never NUL-terminated and may hold NUL, so it travels as a base and a
 * length. A slice owns nothing: whoever hands one out says how long its bytes live. Any thread may use one.
 */
#ifndef INTROSPECTD_SLICE_H
#define INTROSPECTD_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct slice {
    const char *base; /* NULL means absent; an empty text has a base and the length 0 */
    size_t len;
} slice_t;

/* The slice over a NUL-terminated text, without its NUL; NULL gives the absent slice. */
static inline slice_t slice_of(const char *text)
{
    return (slice_t){text, text == NULL ? 0 : strlen(text)};
}

/* Whether both hold the same bytes. Not for secrets: the time taken depends on the bytes. */
static inline bool slice_equal(slice_t a, slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

#endif

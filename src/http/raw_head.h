/*
 * raw_head: what of an HTTP/1 request's head the library does not show, and what makes it ambiguous.
 *
 * The library keeps the last of two Host headers and the first of two Content-Length headers, prefers
 * Transfer-Encoding where both say how long the body is, and takes a bare LF for the end of a line. A proxy
 * in front of us may read such a request in another way, and then takes a part of it for another request
 * (request smuggling; RFC 9112 section 11.2). Knows no HTTP library. Any thread.
 */
#ifndef INTROSPECTD_HTTP_RAW_HEAD_H
#define INTROSPECTD_HTTP_RAW_HEAD_H

#include "introspectd/slice.h"

/*
 * Looks at a head that the library has accepted, from its first byte to the blank line or beyond. NULL, or a
 * static sentence that says what is ambiguous; then the connection must be closed behind the answer. So it
 * must where *is_chunked is set: of what the library takes for chunks nothing can be seen any more, and it
 * takes more than RFC 9112 section 7.1 allows.
 */
const char *raw_head_problem(slice_t bytes, bool *is_chunked) __attribute__((warn_unused_result));

#endif

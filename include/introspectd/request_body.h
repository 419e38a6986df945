/*
 * request_body: the token, and credentials if they are there, out of an introspection request's body.
 *
 * RFC 7662 section 2.1 wants a form; Front's callers send JSON with the same members. Parameters are never
 * repeated (RFC 6749 section 3.2), and one without a value counts as left out. Knows no HTTP library. Any
 * thread.
 */
#ifndef INTROSPECTD_REQUEST_BODY_H
#define INTROSPECTD_REQUEST_BODY_H

#include "introspectd/slice.h"

#include <jansson.h>

typedef enum request_body_type { REQUEST_BODY_FORM, REQUEST_BODY_JSON } request_body_type_t;

enum { REQUEST_BODY_MAX_PARAMETERS = 32 };

/* Slices borrow from the body's bytes or from json; an absent slice was not sent. */
typedef struct request_body {
    slice_t token;
    slice_t client_id;     /* forms only: client_secret_post of RFC 6749 section 2.3.1 */
    slice_t client_secret; /* forms only */
    json_t *json;          /* owned; NULL unless the slices need it */
} request_body_t;

/*
 * Finds the media type of a Content-Type header's value, whatever its parameters (`;charset=UTF-8`). False
 * when it is none of the two.
 */
bool request_body_type_from_content_type(slice_t content_type, request_body_type_t *out)
    __attribute__((warn_unused_result));

/*
 * Parses bytes, decoding a form in place. NULL when *out is filled, and request_body_deinit is then due; else
 * a static sentence that says what is wrong, with *out untouched. A missing token is no error here.
 */
const char *request_body_parse(request_body_type_t type, char *bytes, size_t len, request_body_t *out)
    __attribute__((warn_unused_result));
void request_body_deinit(request_body_t *body);

#endif

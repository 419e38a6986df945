/* reply: answers on a request of the HTTP library. To be called on the request's own thread, once per
 * request. */
#ifndef INTROSPECTD_HTTP_REPLY_H
#define INTROSPECTD_HTTP_REPLY_H

#include "introspectd/slice.h"

#include <h2o.h>

/* An error of RFC 6749 section 5.2's form. All texts are static and need no JSON escapes. */
typedef struct reply_error {
    int status;
    const char *error;       /* the member `error` */
    const char *description; /* the member `error_description` */
} reply_error_t;

/* Answers with body, which is copied; the library sets the length. content_type is static. */
void reply_typed(h2o_req_t *req, int status, const char *content_type, slice_t body);

/* Sends body, which is copied, with its length, content-type application/json and cache-control no-store (RFC
 * 6749 section 5.1). */
void reply_json(h2o_req_t *req, int status, slice_t body);

void reply_error(h2o_req_t *req, const reply_error_t *error);

/* Writes the error's body into a buffer of the request's pool. */
slice_t reply_error_body(h2o_mem_pool_t *pool, const reply_error_t *error);

/* Adds a response header; both texts must be static. */
void reply_add_header(h2o_req_t *req, const h2o_token_t *name, const char *value);

#endif

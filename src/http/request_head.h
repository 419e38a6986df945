/* request_head: what an introspection request's headers say, and which of them make it one to refuse. */
#ifndef INTROSPECTD_HTTP_REQUEST_HEAD_H
#define INTROSPECTD_HTTP_REQUEST_HEAD_H

#include "reply.h"

#include "introspectd/config.h"
#include "introspectd/request_body.h"

/* Slices borrow from the request; absent ones were not sent. */
typedef struct request_head {
    slice_t authorization;
    request_body_type_t body_type;
} request_head_t;

/*
 * Checks path, method, size, and headers against what the endpoint takes. True with *out filled, false with
 * the *error to answer with. Of a request that can be read in two ways the connection is closed behind the
 * answer: what follows on it may not be what its sender means.
 */
bool request_head_check(h2o_req_t *req, const config_t *config, request_head_t *out, reply_error_t *error)
    __attribute__((warn_unused_result));

#endif

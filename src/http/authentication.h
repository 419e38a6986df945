/*
 * authentication: who sends a request (RFC 6749 section 2.3.1), with failures throttled; see throttle.h for
 * how. Credentials that are remembered as proved are not concerned and cost nothing here.
 */
#ifndef INTROSPECTD_HTTP_AUTHENTICATION_H
#define INTROSPECTD_HTTP_AUTHENTICATION_H

#include "reply.h"

#include "introspectd/client.h"
#include "introspectd/log.h"
#include "introspectd/request_body.h"
#include "introspectd/throttle.h"

/* One for all threads and configs of a server. */
typedef struct authentication {
    throttle_t *throttle;
    log_gate_t log_gate; /* of the lines about what was throttled */
} authentication_t;

/* False when memory, OpenSSL or random numbers cannot be had. */
bool authentication_init(authentication_t *authentication) __attribute__((warn_unused_result));
/* Zero-initialised is legal. */
void authentication_deinit(authentication_t *authentication);

/*
 * The client that sent the request, or NULL with *error, the one to answer with. If that is 429, Retry-After
 * is among the answer's headers by then, and the connection ends behind it, as
 * connection_note_failed_authentication says. authorization is the
 * header's value, absent when there is none, and body the request's. On the request's thread, whose worker
 * must have an introspect_worker_t.
 */
const client_t *authentication_check(authentication_t *authentication, h2o_req_t *req, slice_t authorization,
                                     const request_body_t *body, const reply_error_t **error)
    __attribute__((warn_unused_result));

#endif

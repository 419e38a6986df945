/*
 * worker_setup: what a worker serves: listening sockets and an introspector. Prepared whole by the server's
 * thread (all that can fail), then handed to the worker, whose thread puts it in the place of the present
 * one.
 */
#ifndef INTROSPECTD_HTTP_WORKER_SETUP_H
#define INTROSPECTD_HTTP_WORKER_SETUP_H

#include "listener.h"

#include "introspectd/introspect.h"

#include <h2o.h>

typedef struct worker_listener {
    uint64_t id;          /* the listener's */
    int fd;               /* a duplicate, until the worker listens on it; then -1 */
    h2o_socket_t *socket; /* while the worker listens */
    SSL_CTX *tls;         /* held; NULL: cleartext */
    bool has_proxy_protocol;
    bool keeps_queue; /* see listener_t */
    struct worker *worker;
} worker_listener_t;

typedef struct worker_setup {
    introspector_t *introspector;    /* held */
    introspect_worker_t *introspect; /* NULL for the operations thread */
    size_t listener_count;
    worker_listener_t listeners[];
} worker_setup_t;

/* is_deciding: with an introspect_worker_t. NULL when memory or descriptors cannot be had. */
worker_setup_t *worker_setup_new(introspector_t *introspector, bool is_deciding, const listener_t *listeners,
                                 size_t listener_count) __attribute__((warn_unused_result));

/* Its sockets must be closed, or another setup's by now. NULL is legal. */
void worker_setup_free(worker_setup_t *setup);

#endif

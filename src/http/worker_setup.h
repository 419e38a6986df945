/*
 * worker_setup: what a worker serves: listening sockets and an introspector. Prepared whole by the server's
 * thread (all that can fail), then handed to the worker, whose thread puts it in the place of the present
 * one.
 */
#ifndef INTROSPECTD_HTTP_WORKER_SETUP_H
#define INTROSPECTD_HTTP_WORKER_SETUP_H

#include "client_tallies.h"
#include "listener.h"

#include "introspectd/introspect.h"

#include <h2o.h>

typedef struct worker_listener {
    uint64_t id;          /* the listener's */
    int fd;               /* a duplicate, until the worker listens on it; then -1 */
    h2o_socket_t *socket; /* while the worker listens */
    SSL_CTX *tls;         /* held; NULL: cleartext */
    bool has_proxy_protocol;
    struct worker *worker;
} worker_listener_t;

typedef struct worker_setup {
    introspector_t *introspector;    /* held */
    introspect_worker_t *introspect; /* NULL for the operations thread */
    client_tally_t **client_tallies; /* by the index of a client of introspector; owned, what they point to is
                                        not. NULL for the operations thread */
    size_t listener_count;
    worker_listener_t listeners[];
} worker_setup_t;

/* NULL when memory or descriptors cannot be had. */
worker_setup_t *worker_setup_new(introspector_t *introspector, const listener_t *listeners,
                                 size_t listener_count) __attribute__((warn_unused_result));

/* Lets it decide tokens, for thread number `thread` of tallies. False when memory cannot be had. */
bool worker_setup_add_introspection(worker_setup_t *setup, client_tallies_t *tallies, size_t thread)
    __attribute__((warn_unused_result));

/* Its sockets must be closed, or another setup's by now. NULL is legal. */
void worker_setup_free(worker_setup_t *setup);

#endif

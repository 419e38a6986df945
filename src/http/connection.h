/*
 * connection: the life of an accepted connection until the library serves it, and the end of it in a drain.
 *
 * The library would do the opening by itself; it is done here because some of its ways let a peer end the
 * process: see connection.c. A set of connections belongs to one event loop and its thread.
 */
#ifndef INTROSPECTD_HTTP_CONNECTION_H
#define INTROSPECTD_HTTP_CONNECTION_H

#include "introspectd/config.h"
#include "introspectd/ip_address.h"

#include <h2o.h>
#include <stdbool.h>

typedef struct connection_set {
    h2o_context_t *context;
    h2o_hostconf_t **hosts; /* NULL-terminated */
    const config_t *config; /* the one that is served by, borrowed: set before the first connection_open */
    h2o_linklist_t all;
    h2o_linklist_t paused; /* HTTP/2 connections that are not read from until their write is through */
    h2o_linklist_t
        touched; /* HTTP/2 connections that the library may have stopped reading from in this turn */
    size_t count;
} connection_set_t;

/* Borrows context and hosts. */
void connection_set_init(connection_set_t *set, h2o_context_t *context, h2o_hostconf_t **hosts);

/*
 * Takes an accepted socket over: the PROXY protocol's header if has_proxy_protocol, from a trusted proxy
 * only; TLS if tls is not NULL; then HTTP/2 if the client chose it by ALPN or by its preface, else HTTP/1.
 * The connection holds tls for itself.
 */
void connection_open(connection_set_t *set, SSL_CTX *tls, bool has_proxy_protocol, h2o_socket_t *take_socket);

/* Who sent req; the none for the peer of a Unix socket. */
ip_address_t connection_peer(const h2o_req_t *req);

/*
 * Whether there are connections for connection_set_resume. Call before each turn of the loop: what the
 * library has done to its sockets in the last one is set right.
 */
bool connection_set_can_resume(connection_set_t *set);

/* To be called for a request that is answered later than it came: the library may stop reading then. */
void connection_touch(h2o_req_t *req);

/* Reads again from connections whose write is through: call from within the event loop. */
void connection_set_resume(connection_set_t *set);

/*
 * For a drain: ends the reading of connections that have no request in flight, so that the library closes
 * them once it has answered what had arrived. Those that may still be sending what was on its way are left
 * for CONNECTION_GRACE_MS. drained_ms is the time since the drain began.
 */
void connection_set_close_idle(connection_set_t *set, int64_t drained_ms);

/* Cuts off every connection. The number of requests that were in flight. */
size_t connection_set_cut_off(connection_set_t *set);

/*
 * How long a client may take to send what it believed to be in time: the first request on a new connection,
 * or one that crossed with the GOAWAY frame (RFC 9113 section 6.8).
 */
enum { CONNECTION_GRACE_MS = 1000 };

#endif

/*
 * peer: on whose behalf a connection was made, and a request sent.
 *
 * Limits and log lines go by it; nothing is granted by it. Whom to believe is the present config's to say, so
 * that a reload holds for connections too. Belongs to its connection and the thread of that.
 */
#ifndef INTROSPECTD_HTTP_PEER_H
#define INTROSPECTD_HTTP_PEER_H

#include "proxy_protocol.h"

#include "introspectd/config.h"

#include <h2o.h>

typedef enum peer_kind {
    PEER_HIDDEN,      /* nobody is known behind `address`, so it speaks for nobody */
    PEER_ADDRESS,     /* has `address`, which may be a trusted proxy's */
    PEER_UNIX_SOCKET, /* trusted: the socket file's mode says who may connect */
} peer_kind_t;

typedef struct peer {
    ip_address_t address; /* the none for a Unix socket, or where the system does not tell it any more */
    peer_kind_t kind;
} peer_t;

/* Who is on the other side of an accepted socket. */
peer_t peer_of_socket(h2o_socket_t *socket);

/* Whether the peer is a proxy that is believed about whom it speaks for. */
bool peer_is_trusted(const peer_t *peer, const config_t *config);

/* Changes peer, which must be trusted, to whom its PROXY protocol header, which is done, tells. */
void peer_follow_proxy_header(peer_t *peer, const proxy_header_t *header);

/*
 * Who sent req on a connection of peer: by X-Forwarded-For if peer is trusted, else peer itself. req must
 * have no trailers (connection_has_trailers): a proxy may pass them on as the client sent them.
 */
ip_address_t peer_of_request(const peer_t *peer, const h2o_req_t *req, const config_t *config);

#endif

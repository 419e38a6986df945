/*
 * passed_sockets: the listening sockets that the process was started with. They stay open as long as the
 * server lives, whether or not the present config has a listener for them. Used by the server's starting and
 * stopping thread only.
 */
#ifndef INTROSPECTD_HTTP_PASSED_SOCKETS_H
#define INTROSPECTD_HTTP_PASSED_SOCKETS_H

#include "introspectd/config.h"
#include "introspectd/server.h"

typedef struct passed_socket {
    uint64_t id; /* see listener_t */
    server_socket_t socket;
} passed_socket_t;

typedef struct passed_sockets {
    passed_socket_t *sockets;
    size_t count;
} passed_sockets_t;

/* Copies the count first of sockets, whose descriptors are borrowed. False out of memory. */
bool passed_sockets_init(passed_sockets_t *passed, const server_socket_t *sockets, size_t count)
    __attribute__((warn_unused_result));
void passed_sockets_deinit(passed_sockets_t *passed);

/* The socket for the admin listener, or for the one on that address; NULL when there is none. */
const passed_socket_t *passed_sockets_find(const passed_sockets_t *passed, const config_address_t *address,
                                           bool is_admin);

#endif

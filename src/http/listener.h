/* listener: a listening socket, bound once for all threads. Used by the server's starting and stopping thread
 * only. */
#ifndef INTROSPECTD_HTTP_LISTENER_H
#define INTROSPECTD_HTTP_LISTENER_H

#include "introspectd/config.h"

#include <openssl/ssl.h>
#include <stdbool.h>

typedef struct listener {
    uint64_t id;  /* the socket's: the same for its duplicates, and never given again */
    int fd;       /* -1: not bound */
    SSL_CTX *tls; /* NULL: cleartext */
    const config_address_t *address;
    bool keeps_queue;        /* connections that were not taken wait for whoever has the socket next */
    bool owns_unix_path;     /* the socket file is ours to remove */
    bool has_proxy_protocol; /* as config_listener_t; set by whoever bound or shared it */
} listener_t;

/* "127.0.0.1:8080", "[::1]:8443", "unix:/run/x.sock" as bound, so that port 0 shows the real port. */
enum { LISTENER_NAME_SIZE = 160 };

/*
 * Binds and listens, non-blocking; tls may be NULL and is taken, also on failure: call listener_close either
 * way. address is borrowed. False with a line in error (of error_size bytes) that names the address. A socket
 * file that nobody listens on is replaced.
 */
bool listener_bind(listener_t *listener, const config_address_t *address, SSL_CTX *take_tls, char *error,
                   size_t error_size) __attribute__((warn_unused_result));

/* A number that no socket has yet. */
uint64_t listener_new_id(void);

/* Whether the socket fd is bound to address; never to one of port 0. */
bool listener_is_bound_to(int fd, const config_address_t *address);

/* As listener_bind, with a duplicate of fd, a listening socket whose id is given: nothing is done to its
 * queue or to its file at the end. */
bool listener_take(listener_t *listener, uint64_t id, int fd, const config_address_t *address,
                   SSL_CTX *take_tls) __attribute__((warn_unused_result));

/* The same with the socket of present, which listens on that address already; the socket file stays
 * present's. */
bool listener_share(listener_t *listener, const listener_t *present, const config_address_t *address,
                    SSL_CTX *take_tls, char *error, size_t error_size) __attribute__((warn_unused_result));

/* Bounds what the kernel keeps of each connection that is accepted from now on (socket(7), SO_RCVBUF and
 * SO_SNDBUF): of what was not read yet, and of what was not taken. */
void listener_set_buffers(const listener_t *listener, size_t receive_bytes, size_t send_bytes);

/* Closes the socket and removes a Unix socket's file; duplicates of the socket go on until they are closed.
 */
void listener_stop(listener_t *listener);

/* listener_stop, and frees the TLS context. */
void listener_close(listener_t *listener);

/* The address of a bound socket. */
void listener_get_name(int fd, char name[LISTENER_NAME_SIZE]);

#endif

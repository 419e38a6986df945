/*
 * transport: the bytes of a connection, in cleartext or over TLS.
 */
#ifndef INTROSPECTD_BENCH_TRANSPORT_H
#define INTROSPECTD_BENCH_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

typedef struct transport transport_t;

/* Connects to 127.0.0.1. alpn NULL: cleartext; else TLS that settles on this protocol. The server's
 * certificate is not looked at. */
transport_t *transport_open(uint16_t port, const char *alpn);
void transport_close(transport_t *transport);

int transport_fd(const transport_t *transport);

/* Sends what can be sent now; 0: nothing, the socket takes no more. After 0, the same bytes come first again.
 */
size_t transport_send(transport_t *transport, const char *bytes, size_t len);

/* Receives what is there; 0: no more at present. */
size_t transport_receive(transport_t *transport, char *buffer, size_t size);

#endif

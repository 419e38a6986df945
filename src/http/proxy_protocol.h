/*
 * proxy_protocol: the header that a proxy puts before the first byte of a connection to tell whose it is, in
 * the forms 1 (a line) and 2 (binary) of HAProxy's specification, doc/proxy-protocol.txt, section 2. Knows no
 * HTTP library and no socket. Any thread.
 */
#ifndef INTROSPECTD_HTTP_PROXY_PROTOCOL_H
#define INTROSPECTD_HTTP_PROXY_PROTOCOL_H

#include "introspectd/ip_address.h"
#include "introspectd/slice.h"

enum {
    /* Section 2.1: the longest line with its CR LF. */
    PROXY_PROTOCOL_V1_MAX_BYTES = 107,
    /*
     * The format allows 64 KiB; the specification wants a header to fit into 536 bytes, and what proxies add
     * (ALPN, a server name of 255 bytes, a client certificate's name) leaves it under a kilobyte or two. As
     * much as a socket's first buffer holds, so that waiting for the rest costs no memory more.
     */
    PROXY_PROTOCOL_V2_MAX_BYTES = 4096
};

typedef enum proxy_header_status {
    PROXY_HEADER_NEED_MORE,
    PROXY_HEADER_DONE,
    PROXY_HEADER_BAD /* the connection must be closed */
} proxy_header_status_t;

/* For whom the connection stands. */
typedef enum proxy_header_origin {
    PROXY_HEADER_ORIGIN_LOCAL,  /* the proxy itself: a health check (version 2, LOCAL) */
    PROXY_HEADER_ORIGIN_CLIENT, /* `source` */
    PROXY_HEADER_ORIGIN_UNKNOWN /* somebody whose address the proxy does not tell */
} proxy_header_origin_t;

typedef struct proxy_header {
    proxy_header_status_t status;
    size_t len;                   /* done: the header's bytes; what the client sent begins behind them */
    proxy_header_origin_t origin; /* done */
    ip_address_t source;          /* done: a client's address, else the none */
    const char *problem;          /* bad: a static sentence */
} proxy_header_t;

/*
 * Looks at all bytes that have arrived on a connection; of those behind the header none is read. Bytes that
 * cannot become a header are bad at once. TLVs are skipped, their checksum (CRC32C) too: it is for receivers
 * that support it (section 2.2.3).
 */
proxy_header_t proxy_protocol_parse(slice_t bytes) __attribute__((warn_unused_result));

#endif

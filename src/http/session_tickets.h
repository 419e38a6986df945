/*
 * session_tickets: how a TLS context seals and opens its session tickets, and how long a session can be
 * resumed. Contexts are set up by one thread, then used by all.
 */
#ifndef INTROSPECTD_HTTP_SESSION_TICKETS_H
#define INTROSPECTD_HTTP_SESSION_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Gives context its ticket keys: those of predecessor (NULL: there is none) if it has the same lifetime, else
 * new ones. From then on a session can be resumed until lifetime_s after its full handshake, however often it
 * was resumed in between, and never beyond the expiry of the client's certificate (RFC 8446 section 4.6.1).
 * False without memory or random numbers.
 */
bool session_tickets_enable(SSL_CTX *context, int64_t lifetime_s, const SSL_CTX *predecessor)
    __attribute__((warn_unused_result));

#endif

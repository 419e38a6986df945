/* client_authorities: who must vouch for the certificates of a listener's clients. */
#ifndef INTROSPECTD_HTTP_CLIENT_AUTHORITIES_H
#define INTROSPECTD_HTTP_CLIENT_AUTHORITIES_H

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * Lets context take only clients with a certificate that an authority in the PEM file vouches for, and names
 * these authorities to clients; with NULL for file none is asked for. A session is resumed only where the
 * file has the same text, in this context or a successor. False with a line in error (of error_size bytes)
 * that names the file.
 */
bool client_authorities_require(SSL_CTX *context, const char *file, char *error, size_t error_size)
    __attribute__((warn_unused_result));

#endif

/* tls: the TLS context of a listener. Built by one thread, then shared by all. */
#ifndef INTROSPECTD_HTTP_TLS_H
#define INTROSPECTD_HTTP_TLS_H

#include "introspectd/config.h"

#include <openssl/ssl.h>

/*
 * TLS 1.2 and 1.3 as RFC 9325 asks for it, with the files of listener, which has a certificate_file, offering
 * h2 and http/1.1 by ALPN. It resumes the sessions of predecessor, which may be NULL, when the lifetime of
 * tickets and the authorities of clients are the same.
 * NULL with a line in error (of error_size bytes) that names the file. The caller frees it with SSL_CTX_free.
 */
SSL_CTX *tls_context_new(const config_listener_t *listener, const SSL_CTX *predecessor, char *error,
                         size_t error_size) __attribute__((warn_unused_result));

#endif

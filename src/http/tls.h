/* tls: the TLS context of a listener. Built by one thread, then shared by all. */
#ifndef INTROSPECTD_HTTP_TLS_H
#define INTROSPECTD_HTTP_TLS_H

#include <openssl/ssl.h>

/*
 * TLS 1.2 and 1.3 with the certificate chain and key of the two PEM files, offering h2 and http/1.1 by ALPN.
 * It resumes the sessions of predecessor, which may be NULL.
 * NULL with a line in error (of error_size bytes) that names the file. The caller frees it with SSL_CTX_free.
 */
SSL_CTX *tls_context_new(const char *certificate_file, const char *private_key_file, SSL_CTX *predecessor,
                         char *error, size_t error_size) __attribute__((warn_unused_result));

#endif

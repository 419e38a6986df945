/* tls_fixture: certificates made for a test, and handshakes in memory with a listener's TLS context. */
#ifndef INTROSPECTD_TESTS_TLS_FIXTURE_H
#define INTROSPECTD_TESTS_TLS_FIXTURE_H

#include "tls.h"

#include <stdbool.h>

typedef struct identity {
    EVP_PKEY *key;
    X509 *certificate;
} identity_t;

/* With a key of its own, on P-256, vouched for by issuer or, with NULL, by itself. It expires in valid_s. */
identity_t identity_new(const char *name, const identity_t *issuer, long valid_s);
void identity_free(identity_t *identity);

enum { TLS_FIXTURE_PATH_SIZE = 64 };

typedef struct tls_fixture {
    char directory[TLS_FIXTURE_PATH_SIZE];
    char certificate_file[TLS_FIXTURE_PATH_SIZE + 16];
    char private_key_file[TLS_FIXTURE_PATH_SIZE + 16];
    char client_ca_file[TLS_FIXTURE_PATH_SIZE + 16];
    identity_t server;
    config_listener_t listener; /* with the first two files and a ticket lifetime of 10 minutes */
} tls_fixture_t;

void tls_fixture_start(tls_fixture_t *fixture);
void tls_fixture_stop(tls_fixture_t *fixture);
/* Writes the certificate of authority into the client_ca_file, and lets the listener ask for it. */
void tls_fixture_require_clients(tls_fixture_t *fixture, const identity_t *authority);
/* A context of the listener, which must be had. */
SSL_CTX *tls_fixture_context(const tls_fixture_t *fixture, const SSL_CTX *predecessor);

typedef struct tls_caller {
    int version;              /* TLS1_2_VERSION or TLS1_3_VERSION */
    const identity_t *client; /* NULL: without a certificate */
    SSL_SESSION *session;     /* NULL: a new one; else freed, and replaced by what a handshake gives */
} tls_caller_t;

typedef enum tls_outcome { TLS_REFUSED, TLS_NEW, TLS_RESUMED } tls_outcome_t;

/* Both ends of a connection, before its handshake. */
typedef struct tls_pair {
    SSL *client;
    SSL *server;
} tls_pair_t;

tls_pair_t tls_pair_new(SSL_CTX *server, const tls_caller_t *caller);
void tls_pair_free(tls_pair_t *pair);
/* The handshake and a byte from the server; false when it fails. */
bool tls_pair_connect(const tls_pair_t *pair);

/* One connection, with a byte sent to the caller so that it has its tickets. */
tls_outcome_t tls_call(SSL_CTX *server, tls_caller_t *caller);

#endif

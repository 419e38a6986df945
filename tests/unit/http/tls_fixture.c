#include "tls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum { TICKET_LIFETIME_S = 600 };

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

identity_t identity_new(const char *name, const identity_t *issuer, long valid_s)
{
    static long last_serial;
    identity_t made = {EVP_EC_gen("P-256"), X509_new()};
    assert_non_null(made.key);
    assert_non_null(made.certificate);
    X509 *certificate = made.certificate;
    X509_NAME *subject = X509_get_subject_name(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++last_serial), 1);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(
                         certificate, issuer == NULL ? subject : X509_get_subject_name(issuer->certificate)),
                     1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), valid_s));
    assert_int_equal(X509_set_pubkey(certificate, made.key), 1);
    add_extension(certificate, NID_basic_constraints, issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    assert_true(X509_sign(certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256()) > 0);
    return made;
}

void identity_free(identity_t *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static void write_certificate(const char *path, X509 *certificate)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
}

static void write_private_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

void tls_fixture_start(tls_fixture_t *fixture)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/introspectd-XXXXXX",
             temporary == NULL ? P_tmpdir : temporary);
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->certificate_file, sizeof(fixture->certificate_file), "%s/tls.crt", fixture->directory);
    snprintf(fixture->private_key_file, sizeof(fixture->private_key_file), "%s/tls.key", fixture->directory);
    snprintf(fixture->client_ca_file, sizeof(fixture->client_ca_file), "%s/ca.pem", fixture->directory);
    fixture->server = identity_new("localhost", NULL, 86400);
    write_certificate(fixture->certificate_file, fixture->server.certificate);
    write_private_key(fixture->private_key_file, fixture->server.key);
    fixture->listener = (config_listener_t){.certificate_file = fixture->certificate_file,
                                            .private_key_file = fixture->private_key_file,
                                            .ticket_lifetime_s = TICKET_LIFETIME_S};
}

void tls_fixture_stop(tls_fixture_t *fixture)
{
    identity_free(&fixture->server);
    unlink(fixture->certificate_file);
    unlink(fixture->private_key_file);
    unlink(fixture->client_ca_file);
    rmdir(fixture->directory);
}

void tls_fixture_require_clients(tls_fixture_t *fixture, const identity_t *authority)
{
    write_certificate(fixture->client_ca_file, authority->certificate);
    fixture->listener.client_ca_file = fixture->client_ca_file;
}

SSL_CTX *tls_fixture_context(const tls_fixture_t *fixture, const SSL_CTX *predecessor)
{
    char error[512] = "";
    SSL_CTX *context = tls_context_new(&fixture->listener, predecessor, error, sizeof(error));
    if (context == NULL)
        fail_msg("%s", error);
    return context;
}

static SSL *new_client(const tls_caller_t *caller)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, caller->version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, caller->version), 1);
    if (caller->client != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(context, caller->client->certificate), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(context, caller->client->key), 1);
    }
    SSL *client = SSL_new(context);
    SSL_CTX_free(context);
    assert_non_null(client);
    SSL_set_connect_state(client);
    if (caller->session != NULL)
        assert_int_equal(SSL_set_session(client, caller->session), 1);
    return client;
}

/* False when it has failed. */
static bool step(SSL *ssl, bool *is_done)
{
    int result = SSL_do_handshake(ssl);
    *is_done = result == 1;
    return result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;
}

/* In TLS 1.3 a client is done before the server has looked at its certificate. */
bool tls_pair_connect(const tls_pair_t *pair)
{
    bool client_is_done = false;
    bool server_is_done = false;
    while (!client_is_done || !server_is_done) {
        if (!step(pair->client, &client_is_done) || !step(pair->server, &server_is_done))
            return false;
    }
    char byte = 'x';
    return SSL_write(pair->server, &byte, 1) == 1 && SSL_read(pair->client, &byte, 1) == 1;
}

tls_pair_t tls_pair_new(SSL_CTX *server, const tls_caller_t *caller)
{
    tls_pair_t pair = {new_client(caller), SSL_new(server)};
    BIO *near;
    BIO *far;
    assert_non_null(pair.server);
    assert_int_equal(BIO_new_bio_pair(&near, 0, &far, 0), 1);
    SSL_set_bio(pair.client, near, near);
    SSL_set_bio(pair.server, far, far);
    SSL_set_accept_state(pair.server);
    return pair;
}

void tls_pair_free(tls_pair_t *pair)
{
    SSL_free(pair->client);
    SSL_free(pair->server);
}

tls_outcome_t tls_call(SSL_CTX *server, tls_caller_t *caller)
{
    tls_pair_t pair = tls_pair_new(server, caller);
    tls_outcome_t outcome = TLS_REFUSED;
    if (tls_pair_connect(&pair)) {
        outcome = SSL_session_reused(pair.server) ? TLS_RESUMED : TLS_NEW;
        SSL_SESSION_free(caller->session);
        caller->session = SSL_get1_session(pair.client);
        /* Else OpenSSL takes the session for one that failed. */
        SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    tls_pair_free(&pair);
    return outcome;
}

#include "tls.h"

#include "client_authorities.h"
#include "key_updates.h"
#include "session_tickets.h"

#include "introspectd/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>

enum { MAX_KEY_BYTES = 1 << 20 };

/* RFC 9325 section 4.5, and SHA-1 in no signature. */
enum { SECURITY_LEVEL_112_BITS = 2 };

/* RFC 9325 section 4.2: forward secrecy and AEAD only. TLS 1.3 has no others. */
static const char TLS12_CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char TLS13_CIPHERS[] =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
static const char GROUPS[] = "X25519:P-256:P-384";

/* In the form of ALPN (RFC 7301 section 3.1), the preferred one first. */
static const unsigned char PROTOCOLS[] = "\x02h2\x08http/1.1";

/* What OpenSSL's last error is about, if words of ours say more about it. */
static const char *weakness(unsigned long error)
{
    switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
    case SSL_R_EE_KEY_TOO_SMALL:
        return "must have a key of at least 2048 bits (RSA) or 224 bits (elliptic curves)";
    case SSL_R_CA_KEY_TOO_SMALL:
        return "must have no key below 2048 bits (RSA) or 224 bits (elliptic curves) in its chain";
    case SSL_R_CA_MD_TOO_WEAK:
        return "must have no signature by SHA-1 or MD5 in its chain";
    default:
        return NULL;
    }
}

static void describe(const char *what, const char *file, char *error, size_t error_size)
{
    unsigned long last = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(last);
    if (weakness(last) != NULL)
        snprintf(error, error_size, "the certificate %s: %s", weakness(last), file);
    else
        snprintf(error, error_size, "%s%s%s%s: %s", what, reason == NULL ? "" : " (",
                 reason == NULL ? "" : reason, reason == NULL ? "" : ")", file);
    ERR_clear_error();
}

/* RFC 9325 section 3.8: a client that offers other protocols only is no client of ours. One that offers none
 * speaks HTTP/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned offered_len, void *data)
{
    (void)ssl;
    (void)data;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, PROTOCOLS, sizeof(PROTOCOLS) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key under a passphrase must fail, not stop the start at a prompt. */
static int refuse_passphrase(char *buffer, int size, int is_for_writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)is_for_writing;
    (void)data;
    return -1;
}

/* OpenSSL's own reader of files would leave the text in a buffer of the C library's. */
static bool use_private_key(SSL_CTX *context, const char *file)
{
    char *text;
    size_t len;
    if (file_read(file, MAX_KEY_BYTES, &text, &len) != 0)
        return false;
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);
    bool is_used = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    file_free_secret(text, len);
    return is_used;
}

/* All of it is said here, since a system's openssl.cnf may say otherwise. */
static bool set_policy(SSL_CTX *context)
{
    SSL_CTX_set_security_level(context, SECURITY_LEVEL_112_BITS);
    SSL_CTX_clear_options(context, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | SSL_OP_ALLOW_NO_DHE_KEX |
                                       SSL_OP_NO_EXTENDED_MASTER_SECRET | SSL_OP_NO_TICKET);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, TLS12_CIPHERS) == 1 &&
           SSL_CTX_set_ciphersuites(context, TLS13_CIPHERS) == 1 &&
           SSL_CTX_set1_groups_list(context, GROUPS) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
}

static bool set_up(SSL_CTX *context, const config_listener_t *listener, const SSL_CTX *predecessor,
                   char *error, size_t error_size)
{
    if (!set_policy(context)) {
        snprintf(error, error_size, "OpenSSL refuses TLS 1.2, its ciphers or its groups");
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(context, listener->certificate_file) != 1) {
        describe("not a PEM certificate chain", listener->certificate_file, error, error_size);
        return false;
    }
    if (!use_private_key(context, listener->private_key_file)) {
        describe("not the certificate's PEM private key", listener->private_key_file, error, error_size);
        return false;
    }
    if (!key_updates_bound(context)) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    if (!session_tickets_enable(context, listener->ticket_lifetime_s, predecessor)) {
        snprintf(error, error_size, "no keys for session tickets: out of memory or random numbers");
        return false;
    }
    return client_authorities_require(context, listener->client_ca_file, error, error_size);
}

SSL_CTX *tls_context_new(const config_listener_t *listener, const SSL_CTX *predecessor, char *error,
                         size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        snprintf(error, error_size, "OpenSSL gives no TLS context");
        return NULL;
    }
    if (!set_up(context, listener, predecessor, error, error_size)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

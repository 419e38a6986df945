#include "tls.h"

#include "introspectd/file.h"

#include <h2o.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>

/* A name, a MAC key and a cipher key, as OpenSSL 3 lays them out. */
enum { TICKET_KEYS_SIZE = 80 };

enum { MAX_KEY_BYTES = 1 << 20 };

/* RFC 9325 section 4.2: forward secrecy and AEAD only. TLS 1.3 has no others. */
static const char TLS12_CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static void describe(const char *what, const char *file, char *error, size_t error_size)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, error_size, "%s%s%s%s: %s", what, reason == NULL ? "" : " (",
             reason == NULL ? "" : reason, reason == NULL ? "" : ")", file);
    ERR_clear_error();
}

/* The library's own list has no http/1.1, and drafts of HTTP/2 that nobody speaks. */
static const h2o_iovec_t ALPN_PROTOCOLS[] = {{H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};

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

/* The keys under which session tickets are sealed: with those of its predecessor a context resumes its
 * sessions. */
static bool copy_ticket_keys(SSL_CTX *to, SSL_CTX *from)
{
    unsigned char keys[TICKET_KEYS_SIZE];
    bool is_copied = SSL_CTX_get_tlsext_ticket_keys(from, keys, sizeof(keys)) == 1 &&
                     SSL_CTX_set_tlsext_ticket_keys(to, keys, sizeof(keys)) == 1;
    OPENSSL_cleanse(keys, sizeof(keys));
    return is_copied;
}

SSL_CTX *tls_context_new(const char *certificate_file, const char *private_key_file, SSL_CTX *predecessor,
                         char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        snprintf(error, error_size, "OpenSSL gives no TLS context");
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Sessions are in the clients' tickets alone, so that they outlive the context and cost no memory. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    bool is_usable = false;
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, TLS12_CIPHERS) != 1)
        snprintf(error, error_size, "OpenSSL refuses TLS 1.2 or its ciphers");
    else if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1)
        describe("not a PEM certificate chain", certificate_file, error, error_size);
    else if (!use_private_key(context, private_key_file))
        describe("not the certificate's PEM private key", private_key_file, error, error_size);
    else if (predecessor != NULL && !copy_ticket_keys(context, predecessor))
        snprintf(error, error_size, "OpenSSL refuses the session tickets' keys");
    else
        is_usable = true;
    if (!is_usable) {
        SSL_CTX_free(context);
        return NULL;
    }
    h2o_ssl_register_alpn_protocols(context, ALPN_PROTOCOLS);
    return context;
}

#include "client_authorities.h"

#include "introspectd/file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 4 << 20 };

/* Adds one authority to those that are trusted and to those that are named. */
static bool add_authority(SSL_CTX *context, X509 *authority)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1 &&
           SSL_CTX_add_client_CA(context, authority) == 1;
}

/* False without a certificate, or with one that does not parse. */
static bool add_all(SSL_CTX *context, BIO *pem)
{
    size_t count = 0;
    bool is_added = true;
    X509 *authority;
    ERR_clear_error();
    while (is_added && (authority = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL)) != NULL) {
        is_added = add_authority(context, authority);
        X509_free(authority);
        count++;
    }
    /* This is how the reader says that there is no more. */
    bool is_whole = is_added && count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (is_whole)
        ERR_clear_error();
    return is_whole;
}

/* OpenSSL resumes a session only in the context that it was made in, by this name (at most 32 bytes). */
static bool name_context(SSL_CTX *context, const char *authorities, size_t len)
{
    unsigned char name[EVP_MAX_MD_SIZE];
    unsigned name_len;
    return EVP_Digest(authorities, len, name, &name_len, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(context, name, name_len) == 1;
}

static bool require(SSL_CTX *context, const char *text, size_t len)
{
    BIO *pem = BIO_new_mem_buf(text, (int)len);
    bool is_set = pem != NULL && name_context(context, text, len) && add_all(context, pem);
    BIO_free(pem);
    if (is_set)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return is_set;
}

bool client_authorities_require(SSL_CTX *context, const char *file, char *error, size_t error_size)
{
    if (file == NULL) {
        if (name_context(context, "", 0))
            return true;
        snprintf(error, error_size, "OpenSSL gives no name for sessions");
        return false;
    }
    char *text;
    size_t len;
    int read_error = file_read(file, MAX_BYTES, &text, &len);
    if (read_error != 0) {
        snprintf(error, error_size, "cannot read %s: %s", file, strerror(read_error));
        return false;
    }
    bool is_required = require(context, text, len);
    free(text);
    if (!is_required) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        snprintf(error, error_size, "not authorities' PEM certificates (%s): %s",
                 reason == NULL ? "none" : reason, file);
        ERR_clear_error();
    }
    return is_required;
}

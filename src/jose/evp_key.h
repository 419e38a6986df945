/*
 * evp_key: OpenSSL keys out of their parameters.
 *
 * Any thread; the caller frees what it gets.
 */
#ifndef INTROSPECTD_JOSE_EVP_KEY_H
#define INTROSPECTD_JOSE_EVP_KEY_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/param_build.h>

/*
 * Makes a key of type ("RSA", "EC", "Ed25519", ...) from what was pushed into builder; selection is
 * EVP_PKEY_PUBLIC_KEY or EVP_PKEY_KEYPAIR. NULL when OpenSSL refuses it, a point off its curve included.
 */
EVP_PKEY *evp_key_build(const char *type, int selection, OSSL_PARAM_BLD *builder)
    __attribute__((warn_unused_result));

/*
 * Whether OpenSSL gets memory now. Where it says nothing about why it failed, the failure is looked at again
 * with memory known to be there.
 */
bool evp_has_memory(void);

#endif

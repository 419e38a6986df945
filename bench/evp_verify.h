/*
 * evp_verify: the signature alone, with OpenSSL on a context that is set up once: what a decision is held
 * against. Belongs to one thread; the owner frees it.
 */
#ifndef INTROSPECTD_BENCH_EVP_VERIFY_H
#define INTROSPECTD_BENCH_EVP_VERIFY_H

#include "introspectd/private_key.h"

typedef struct evp_verify evp_verify_t;

/* With key's public half, or its secret. NULL when memory or OpenSSL fails. */
evp_verify_t *evp_verify_new(const private_key_t *key, algorithm_t algorithm);
void evp_verify_free(evp_verify_t *verify);

/* A token, split and its signature decoded. */
typedef struct evp_token {
    slice_t input;            /* borrowed from the token */
    unsigned char *signature; /* as EVP wants it: DER for ES256, ES384 and ES512 */
    size_t signature_len;
} evp_token_t;

/* False when token is malformed or memory cannot be had. The caller frees out->signature. */
bool evp_token_read(const evp_verify_t *verify, slice_t token, evp_token_t *out);

/* Whether the signature is good. */
bool evp_verify_token(evp_verify_t *verify, const evp_token_t *token);

#endif

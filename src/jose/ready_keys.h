/*
 * ready_keys: the contexts of the keys that a verifier used last, set up and waiting.
 *
 * A context is found by the key's number, never by its address, and holds what it needs of the key by
 * itself: a key set may be freed, and another key may come to lie at the same address, at any time. Belongs
 * to its verifier.
 */
#ifndef INTROSPECTD_JOSE_READY_KEYS_H
#define INTROSPECTD_JOSE_READY_KEYS_H

#include "jwk_internal.h"

/* Enough for the keys of several issuers during a rotation; a look-up reads all of them. */
enum { READY_KEYS = 16 };

typedef struct ready_key {
    uint64_t number; /* 0: empty */
    algorithm_t algorithm;
    EVP_PKEY_CTX *verifying; /* RSA and ECDSA */
    EVP_MD_CTX *eddsa;
    EVP_MAC_CTX *mac; /* HMAC */
} ready_key_t;

typedef struct ready_keys {
    ready_key_t keys[READY_KEYS];
    size_t oldest; /* the place that the next newcomer takes */
} ready_keys_t;

/* The context of jwk for algorithm, made when there is none. NULL when OpenSSL fails. Borrowed until the next
 * call. */
ready_key_t *ready_keys_get(ready_keys_t *ready, const jwk_t *jwk, algorithm_t algorithm,
                            const EVP_MD *digest, EVP_MAC *hmac) __attribute__((warn_unused_result));

/* Forgets a context that OpenSSL failed on. */
void ready_key_deinit(ready_key_t *key);
void ready_keys_deinit(ready_keys_t *ready);

#endif

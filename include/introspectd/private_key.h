/*
 * private_key: making and using signing keys, for `introspectd mint` and `introspectd keygen`.
 *
 * Nothing on the request path signs. A private_key_t belongs to one thread at a time; its owner frees it,
 * which cleanses it.
 */
#ifndef INTROSPECTD_PRIVATE_KEY_H
#define INTROSPECTD_PRIVATE_KEY_H

#include "introspectd/algorithm.h"
#include "introspectd/slice.h"

#include <jansson.h>

typedef struct private_key private_key_t;

/*
 * A new key for algorithm: RSA of 2048 bits, the algorithm's curve, Ed25519 for EdDSA, a random secret of the
 * hash's length for HS*. kid NULL: none. NULL when OpenSSL fails.
 */
private_key_t *private_key_generate(algorithm_t algorithm, const char *kid)
    __attribute__((warn_unused_result));

/* Reads a private JWK (one, not a set) or a PEM private key. NULL with a static text in *error. */
private_key_t *private_key_parse(slice_t text, const char **error) __attribute__((warn_unused_result));
void private_key_free(private_key_t *key);

/* The key's `kid`, NULL when it has none. */
const char *private_key_kid(const private_key_t *key);

/* The algorithm that the key is meant for: its `alg`, else what its type suggests (RS256, ES256/384/512,
 * EdDSA, HS*). */
algorithm_t private_key_algorithm(const private_key_t *key);

/* Whether the key can sign with algorithm. */
bool private_key_fits(const private_key_t *key, algorithm_t algorithm);

/*
 * The key as a JWK; with_private says whether its private members are in it. An `oct` key has no public half:
 * it is given whole either way. NULL out of memory. The caller releases it.
 */
json_t *private_key_to_jwk(const private_key_t *key, bool with_private) __attribute__((warn_unused_result));

/*
 * What a library that signs with PEM or raw secrets wants: the PKCS#8 PEM of an asymmetric key, the raw bytes
 * of an `oct` key. *out is freed with file_free_secret(*out, *out_len); false when OpenSSL fails.
 */
bool private_key_export(const private_key_t *key, char **out, size_t *out_len)
    __attribute__((warn_unused_result));

/*
 * Signs input with algorithm and gives the JWS signature bytes (r||s for ES*). *out is freed with free().
 * False when the key does not fit or OpenSSL fails.
 */
bool private_key_sign(const private_key_t *key, algorithm_t algorithm, slice_t input, unsigned char **out,
                      size_t *out_len) __attribute__((warn_unused_result));

#endif

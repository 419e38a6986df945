/*
 * private_key_internal: a signing key, as the files of this layer see it, and its way to and from JWK.
 */
#ifndef INTROSPECTD_JOSE_PRIVATE_KEY_INTERNAL_H
#define INTROSPECTD_JOSE_PRIVATE_KEY_INTERNAL_H

#include "introspectd/private_key.h"

#include "jwk_internal.h"

struct private_key {
    jwk_t jwk;      /* the public half, or the secret */
    EVP_PKEY *pkey; /* the whole pair; NULL for `oct` */
};

/* The members of the pair's `kty` and nothing else; NULL when OpenSSL fails or the type has no JWK. */
json_t *evp_key_to_jwk(const EVP_PKEY *pkey, bool with_private) __attribute__((warn_unused_result));

/* The pair of a private JWK that jwk_load has accepted as public; NULL when its private members are missing
 * or wrong. */
EVP_PKEY *evp_key_from_private_jwk(const json_t *json, const jwk_t *public_half)
    __attribute__((warn_unused_result));

#endif

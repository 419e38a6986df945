/*
 * algorithm_internal: what each JWS algorithm is made of, for the files of this layer only.
 *
 * One table, so that a key's curve, a signature's length and a digest's name stand in one place.
 */
#ifndef INTROSPECTD_JOSE_ALGORITHM_INTERNAL_H
#define INTROSPECTD_JOSE_ALGORITHM_INTERNAL_H

#include "introspectd/algorithm.h"

typedef enum algorithm_family {
    FAMILY_HMAC,
    FAMILY_RSA_PKCS1,
    FAMILY_RSA_PSS,
    FAMILY_ECDSA,
    FAMILY_EDDSA
} algorithm_family_t;

/* The digests in the order of verifier tables. */
typedef enum algorithm_hash { HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_COUNT } algorithm_hash_t;

typedef struct algorithm_info {
    const char *name; /* as in `alg` */
    algorithm_family_t family;
    algorithm_hash_t hash;   /* meaningless for EdDSA */
    const char *curve;       /* `crv`; NULL when not ECDSA */
    const char *group;       /* OpenSSL's name of the curve; NULL when not ECDSA */
    unsigned coordinate_len; /* bytes of a coordinate and of r and s; 0 when not ECDSA */
} algorithm_info_t;

const algorithm_info_t *algorithm_info(algorithm_t algorithm);

/* OpenSSL's name of a digest, and its length in bytes. */
const char *algorithm_hash_name(algorithm_hash_t hash);
size_t algorithm_hash_len(algorithm_hash_t hash);

/* The ECDSA algorithm whose curve has this `crv`; ALGORITHM_COUNT when there is none. */
algorithm_t algorithm_of_curve(slice_t curve);
/* The same by OpenSSL's name of the curve. */
algorithm_t algorithm_of_group(slice_t group);

static inline algorithm_set_t algorithm_set_of(algorithm_t algorithm)
{
    return (algorithm_set_t)1 << algorithm;
}

/* Curves of RFC 8037 that sign. */
typedef struct edwards_curve {
    const char *name; /* `crv` and OpenSSL's name of the key type */
    unsigned key_len; /* bytes of the public key and of the private key */
    unsigned signature_len;
} edwards_curve_t;

enum { EDWARDS_KEY_MAX = 57 };

/* NULL when name is none of them. */
const edwards_curve_t *edwards_curve(slice_t name);

#endif

/*
 * algorithm: the JWS algorithms that are verified (RFC 7518 section 3, RFC 8037), and sets of them.
 *
 * Names are case-sensitive (RFC 7515 section 4.1.1). `none` is not in the list, so it cannot be allowed by
 * mistake.
 */
#ifndef INTROSPECTD_ALGORITHM_H
#define INTROSPECTD_ALGORITHM_H

#include "introspectd/slice.h"

#include <stdint.h>

typedef enum algorithm {
    ALGORITHM_HS256,
    ALGORITHM_HS384,
    ALGORITHM_HS512,
    ALGORITHM_RS256,
    ALGORITHM_RS384,
    ALGORITHM_RS512,
    ALGORITHM_PS256,
    ALGORITHM_PS384,
    ALGORITHM_PS512,
    ALGORITHM_ES256,
    ALGORITHM_ES384,
    ALGORITHM_ES512,
    ALGORITHM_EDDSA, /* Ed25519 and Ed448: the key says which */
    ALGORITHM_COUNT
} algorithm_t;

/* A set of algorithms: bit 1 << algorithm_t. */
typedef uint32_t algorithm_set_t;

enum { ALGORITHM_SET_ALL = (1u << ALGORITHM_COUNT) - 1u };

/* Finds an algorithm by its exact name; false, with *out untouched, when there is none. */
bool algorithm_from_name(slice_t name, algorithm_t *out) __attribute__((warn_unused_result));

/* The registered name ("RS256"), static. */
const char *algorithm_name(algorithm_t algorithm);

static inline bool algorithm_set_has(algorithm_set_t set, algorithm_t algorithm)
{
    return (set >> algorithm & 1u) != 0;
}

#endif

/*
 * edwards: whether an Ed25519 or Ed448 public key is a point that can serve as one.
 *
 * OpenSSL takes any bytes of the right length as such a key and only fails when it verifies, or, for a point
 * of small order, verifies signatures that nobody made. Any thread.
 */
#ifndef INTROSPECTD_JOSE_EDWARDS_H
#define INTROSPECTD_JOSE_EDWARDS_H

#include "algorithm_internal.h"

typedef enum edwards_status {
    EDWARDS_OK,
    EDWARDS_OFF_CURVE,   /* does not decode to a point: RFC 8032 sections 5.1.3, 5.2.3 */
    EDWARDS_SMALL_ORDER, /* a point that the cofactor takes to the neutral element */
    EDWARDS_ERROR        /* out of memory */
} edwards_status_t;

/* key holds curve->key_len bytes. */
edwards_status_t edwards_check(const edwards_curve_t *curve, const unsigned char *key);

#endif

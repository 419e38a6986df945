/*
 * ecdsa_der: the two spellings of an ECDSA signature.
 *
 * JWS has r and s side by side at full length (RFC 7518 section 3.4), OpenSSL wants and gives ASN.1 DER.
 */
#ifndef INTROSPECTD_JOSE_ECDSA_DER_H
#define INTROSPECTD_JOSE_ECDSA_DER_H

#include <stdbool.h>
#include <stddef.h>

enum { ECDSA_DER_MAX = 144 }; /* two integers of 66 bytes with what DER puts around them */

/* Writes r||s of 2 * coordinate_len bytes as DER and gives its length. */
size_t ecdsa_raw_to_der(const unsigned char *raw, size_t coordinate_len, unsigned char out[ECDSA_DER_MAX]);

/* Writes DER as r||s into raw, which holds 2 * coordinate_len bytes; false when der is none or too large. */
bool ecdsa_der_to_raw(const unsigned char *der, size_t der_len, unsigned char *raw, size_t coordinate_len)
    __attribute__((warn_unused_result));

#endif

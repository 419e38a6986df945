/*
 * rsa_weakness: RSA moduli that can be factored, as far as the modulus alone shows it.
 */
#ifndef INTROSPECTD_JOSE_RSA_WEAKNESS_H
#define INTROSPECTD_JOSE_RSA_WEAKNESS_H

#include <openssl/bn.h>

/*
 * NULL, or a static text: n is divisible by a small prime, or has the fingerprint of the generator that made
 * its primes as powers of 65537 modulo a primorial (ROCA, CVE-2017-15361). One good modulus in about 2^27 has
 * that fingerprint too. Any thread.
 */
const char *rsa_weakness(const BIGNUM *n) __attribute__((warn_unused_result));

#endif

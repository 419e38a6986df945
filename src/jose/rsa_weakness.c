#include "rsa_weakness.h"

#include <stdbool.h>
#include <stddef.h>

/* The odd primes of the smallest primorial that the generator used, for keys of 512 bits; larger ones contain
 * it. */
static const unsigned PRIMES[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                  47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                  107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

enum { GENERATOR = 65537 };

/* Whether remainder is a power of the generator modulo prime. */
static bool is_power(unsigned remainder, unsigned prime)
{
    unsigned power = 1;
    do {
        if (power == remainder)
            return true;
        power = power * (GENERATOR % prime) % prime;
    } while (power != 1);
    return false;
}

const char *rsa_weakness(const BIGNUM *n)
{
    bool has_fingerprint = true;
    for (size_t i = 0; i < sizeof(PRIMES) / sizeof(PRIMES[0]); i++) {
        unsigned remainder = (unsigned)BN_mod_word(n, PRIMES[i]);
        if (remainder == 0)
            return "RSA modulus is divisible by a small prime";
        has_fingerprint = has_fingerprint && is_power(remainder, PRIMES[i]);
    }
    return has_fingerprint ? "RSA modulus has the fingerprint of ROCA (CVE-2017-15361)" : NULL;
}

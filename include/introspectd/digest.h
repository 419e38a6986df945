/*
 * digest: SHA-256 over tokens and secrets, with the context kept between calls.
 *
 * Tokens are named in logs by digest only, secrets are compared by digest only; what tokens are looked up by
 * is lookup_digest.h's, which comes back to this one for long ones. A digester belongs to one thread at a
 * time; the free functions may be called from any.
 */
#ifndef INTROSPECTD_DIGEST_H
#define INTROSPECTD_DIGEST_H

#include "introspectd/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_SEED_SIZE = 32, DIGEST_NAME_SIZE = 13 };

typedef struct digest {
    unsigned char bytes[DIGEST_SIZE];
} digest_t;

typedef struct digest_seed {
    unsigned char bytes[DIGEST_SEED_SIZE];
} digest_seed_t;

typedef struct digester digester_t;

/* Fills a seed from the system's generator of random numbers; false when there is none. */
bool digest_seed_random(digest_seed_t *seed) __attribute__((warn_unused_result));

/* NULL when memory or SHA-256 cannot be had. */
digester_t *digester_new(void) __attribute__((warn_unused_result));
void digester_free(digester_t *digester);

/*
 * SHA-256 over seed, label (8 bytes, little-endian) and text, in this order. With a random seed this is a
 * keyed digest: nobody outside the process can aim at a value. label separates uses and clients. False when
 * OpenSSL fails.
 */
bool digest_keyed(digester_t *digester, const digest_seed_t *seed, uint64_t label, slice_t text,
                  digest_t *out) __attribute__((warn_unused_result));

/*
 * The name of a token for people: the first 12 hex digits of its plain SHA-256, NUL-terminated. The same in
 * every process, and what `printf %s "$TOKEN" | sha256sum | cut -c1-12` prints. Writes "-" when OpenSSL
 * fails.
 */
void digest_name(digester_t *digester, slice_t text, char out[DIGEST_NAME_SIZE]);

/* Compares in constant time. */
bool digest_equal(const digest_t *a, const digest_t *b);

#endif

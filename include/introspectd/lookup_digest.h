/*
 * lookup_digest: a keyed digest to look things up by, several times faster than SHA-256.
 *
 * The construction of Carter and Wegman: a universal hash under a secret key, then a block cipher. The hash
 * is NH over words of 64 bits (RFC 4418 section 5.2.2 has it with words of 32), twice under keys that are
 * shifted by one pair (the Toeplitz construction there), the cipher AES-128, whose input is added to its
 * output. Two texts that are chosen without knowing the key share a digest with a chance of at most 2^-126,
 * and a digest tells nothing about the next one. It is no replacement for a hash without a key: whoever knows
 * the key can make collisions.
 *
 * A digester belongs to one thread at a time; digesters of one seed give the same digests. The owner frees.
 */
#ifndef INTROSPECTD_LOOKUP_DIGEST_H
#define INTROSPECTD_LOOKUP_DIGEST_H

#include "introspectd/digest.h"

/* A longer text is digested by digest_keyed, at the price of SHA-256. */
enum { LOOKUP_DIGEST_FAST_BYTES = 4096 };

typedef struct lookup_digester lookup_digester_t;

/* Takes a copy of seed. NULL when memory or OpenSSL fails. */
lookup_digester_t *lookup_digester_new(const digest_seed_t *seed) __attribute__((warn_unused_result));
void lookup_digester_free(lookup_digester_t *digester);

/* The digest of text under label, which separates uses and clients. False when OpenSSL fails. */
bool lookup_digest(lookup_digester_t *digester, uint64_t label, slice_t text, digest_t *out)
    __attribute__((warn_unused_result));

#endif

/*
 * verify: does this key's holder vouch for these bytes?
 *
 * OpenSSL EVP on keys that were parsed once; per-thread contexts are kept between calls, because setting them
 * up costs a fifth of an RS256 verification. A verifier belongs to one thread at a time; key sets are shared.
 */
#ifndef INTROSPECTD_VERIFY_H
#define INTROSPECTD_VERIFY_H

#include "introspectd/compact.h"
#include "introspectd/keyset.h"

/* How an issuer's tokens may be verified. */
typedef struct verify_rules {
    algorithm_set_t allowed;
    unsigned max_keys_tried; /* of the keys that fit a token (many when it has no `kid`), so that a large set
                                does not buy a caller much work */
} verify_rules_t;

enum { VERIFY_DEFAULT_KEYS_TRIED = 8 };

typedef struct verifier verifier_t;

/* NULL when memory or an algorithm cannot be had. */
verifier_t *verifier_new(void) __attribute__((warn_unused_result));
void verifier_free(verifier_t *verifier);

/*
 * Verifies signature (raw bytes: r||s of exact length for ES*, RFC 7518 section 3.4) over signing_input with
 * one key. REASON_NONE, REASON_UNKNOWN_KEY (the key does not fit the algorithm), REASON_BAD_SIGNATURE or
 * REASON_INTERNAL_ERROR.
 */
reason_t verify_signature(verifier_t *verifier, const jwk_t *jwk, algorithm_t algorithm,
                          slice_t signing_input, slice_t signature) __attribute__((warn_unused_result));

/*
 * Verifies a split token with the keys of a set: the allow-list first (REASON_ALGORITHM_NOT_ALLOWED), then
 * the keys that fit `kid` and `alg` (REASON_UNKNOWN_KEY when none does), then the signature, with at most
 * rules->max_keys_tried keys. On REASON_NONE *used is the key that verified it, borrowed from keyset; used
 * may be NULL.
 */
reason_t verify_compact(verifier_t *verifier, const keyset_t *keyset, const verify_rules_t *rules,
                        const compact_t *compact, const compact_header_t *header, const jwk_t **used)
    __attribute__((warn_unused_result));

#endif

/*
 * keyset: a JWK Set (RFC 7517 section 5) parsed once into keys that OpenSSL can use at once.
 *
 * A set is immutable and counted, so that any number of threads verify with it while a newer one takes its
 * place. Keys that cannot be used are skipped and never fail the set. Every function may be called from any
 * thread.
 */
#ifndef INTROSPECTD_KEYSET_H
#define INTROSPECTD_KEYSET_H

#include "introspectd/algorithm.h"
#include "introspectd/slice.h"

#include <stdint.h>

typedef struct keyset keyset_t;
typedef struct jwk jwk_t; /* one usable key; lives as long as its set */

/* Something to tell the operator about one key of a set. */
typedef struct keyset_note {
    size_t index;     /* the key's place in `keys`, from 0 */
    slice_t kid;      /* absent when it has none; borrowed for the call */
    bool is_skipped;  /* false: the key is used, the text is a warning (a private key was published) */
    const char *text; /* static: why */
} keyset_note_t;

typedef void keyset_note_cb(void *data, const keyset_note_t *note);

/*
 * Parses a JWK Set, or a single JWK, which makes a set of one. Public halves are loaded, private members are
 * ignored with a warning note. Skipped, each with a note: unknown `kty` or `crv`, `use` other than `sig`,
 * `key_ops` without `verify` (the private half of a pair may have `sign` instead), `alg` that is not verified
 * here or contradicts the key, RSA under 2048 or over 16384 bits, a modulus that is even, divisible by a
 * small prime or has ROCA's fingerprint (CVE-2017-15361), an exponent that is even, under 3, or over 256 bits
 * (64 where the modulus has more than 3072; 3 to 65535 is used with a warning note), a point off its curve or
 * of small order, wrong lengths, bad base64url, an `oct` key under 32 bytes (RFC 7518 section 3.2), an `oct`
 * key beside public ones, different keys for one algorithm under one `kid` (RFC 7517 section 4.5). NULL when
 * text is not a strict JSON object with an array `keys` or a `kty`, or memory cannot be had; then *error is a
 * static text. A set without a usable key is legal here. note may be NULL.
 */
keyset_t *keyset_parse(slice_t text, keyset_note_cb *note, void *note_data, const char **error)
    __attribute__((warn_unused_result));

/* Counts one more holder; gives keyset back. */
keyset_t *keyset_acquire(keyset_t *keyset);
/* Drops one holder; the last frees the keys and cleanses symmetric ones. NULL is legal. */
void keyset_release(keyset_t *keyset);

/* The number of usable keys. */
size_t keyset_size(const keyset_t *keyset);
/* The usable key at place i of the set's own order (sorted by kid). */
const jwk_t *keyset_at(const keyset_t *keyset, size_t i);

/*
 * The next key after `after` (NULL for the first) that fits algorithm and, when kid is present, has exactly
 * this kid. Without kid every key that fits is given. NULL when there is no more. A kid costs one binary
 * search.
 */
const jwk_t *keyset_find(const keyset_t *keyset, slice_t kid, algorithm_t algorithm, const jwk_t *after);

/* The key's `kid`; absent when it has none. */
slice_t jwk_kid(const jwk_t *jwk);
/* A word for people: "RSA 2048", "EC P-256", "OKP Ed25519", "oct 256". Static or owned by the key. */
const char *jwk_describe(const jwk_t *jwk);
/* Whether the key's type, curve, size and own `alg` allow it to verify algorithm. */
bool jwk_fits(const jwk_t *jwk, algorithm_t algorithm);

/* Whether some key fits some algorithm of allowed: without one, no token can be verified. */
bool keyset_is_usable(const keyset_t *keyset, algorithm_set_t allowed);

/* Whether both hold the same usable keys: kid, material, and what each may be used for. The order of the
 * texts does not matter where kids differ. */
bool keyset_equal(const keyset_t *a, const keyset_t *b);

#endif

/*
 * jwk_internal: one key, as the files of this layer see it.
 *
 * Loading judges a JWK (RFC 7517 section 4, RFC 7518 section 6) and leaves what OpenSSL verifies with. A key
 * is immutable once loaded; whoever holds the structure deinits it.
 */
#ifndef INTROSPECTD_JOSE_JWK_INTERNAL_H
#define INTROSPECTD_JOSE_JWK_INTERNAL_H

#include "introspectd/algorithm.h"
#include "introspectd/keyset.h"

#include "algorithm_internal.h"

#include <jansson.h>
#include <openssl/evp.h>

enum { JWK_DESCRIPTION_SIZE = 16 };

struct jwk {
    uint64_t number;       /* unique in this process and never used again: what verifiers know a key by */
    size_t index;          /* the key's place in `keys` */
    slice_t kid;           /* owned, with a NUL behind; absent when it has none */
    algorithm_t algorithm; /* its own `alg`; ALGORITHM_COUNT when it has none */
    algorithm_set_t fits;  /* what it may verify, its own `alg` respected */
    EVP_PKEY *pkey;        /* the public half; NULL for `oct` */
    unsigned char *secret; /* the bytes of an `oct` key; NULL for others */
    size_t secret_len;
    size_t signature_len; /* bytes of every signature; 0 for `oct`, where the algorithm says */
    char description[JWK_DESCRIPTION_SIZE];
    const char *fault; /* while its set is made: why it is taken out again, static; NULL for good keys */
};

typedef enum jwk_purpose { JWK_TO_VERIFY, JWK_TO_SIGN } jwk_purpose_t;

/* What a usable key still deserves to be told about. */
enum { JWK_WARNING_PRIVATE = 1u, JWK_WARNING_SMALL_EXPONENT = 2u };

/* The text that jwk_load gives when memory cannot be had: not a fault of the key. */
extern const char JWK_OUT_OF_MEMORY[];

/*
 * Loads json as a key for purpose. NULL on success; otherwise a static text that says why the key cannot be
 * used, and *out is untouched. *warnings is a set of JWK_WARNING_*.
 */
const char *jwk_load(const json_t *json, jwk_purpose_t purpose, jwk_t *out, unsigned *warnings)
    __attribute__((warn_unused_result));
void jwk_deinit(jwk_t *jwk);

/* Whether both are the same key: kid, material and what it may verify. */
bool jwk_equal(const jwk_t *a, const jwk_t *b);
bool jwk_is_same_material(const jwk_t *a, const jwk_t *b);

/* Overwrites the private members of a parsed JWK before its memory goes back to the heap. */
void jwk_cleanse_json(json_t *json);

/* Fills in pkey or secret, fits, signature_len and description from the members of its `kty`. */
const char *jwk_load_material(const json_t *json, jwk_t *jwk, unsigned *warnings)
    __attribute__((warn_unused_result));

/* The most bytes that a base64url member of a key may hold. */
enum { JWK_MEMBER_MAX = 4096 };

/* Decodes a base64url member into out, which holds JWK_MEMBER_MAX bytes. False when it is missing or bad. */
bool jwk_decode_member(const json_t *json, const char *name, unsigned char *out, size_t *out_len)
    __attribute__((warn_unused_result));
/* The same as an unsigned big-endian number; NULL when it is missing, bad or too long. */
BIGNUM *jwk_decode_number(const json_t *json, const char *name) __attribute__((warn_unused_result));
/* The uncompressed point 04 || x || y of an EC key; false when a coordinate has not exactly coordinate_len
 * bytes. */
bool jwk_decode_point(const json_t *json, unsigned coordinate_len, unsigned char *out)
    __attribute__((warn_unused_result));

enum { JWK_POINT_MAX = 1 + 2 * 66 };

#endif

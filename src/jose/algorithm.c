#include "introspectd/algorithm.h"

#include "algorithm_internal.h"

static const algorithm_info_t ALGORITHMS[ALGORITHM_COUNT] = {
    [ALGORITHM_HS256] = {"HS256", FAMILY_HMAC, HASH_SHA256, NULL, NULL, 0},
    [ALGORITHM_HS384] = {"HS384", FAMILY_HMAC, HASH_SHA384, NULL, NULL, 0},
    [ALGORITHM_HS512] = {"HS512", FAMILY_HMAC, HASH_SHA512, NULL, NULL, 0},
    [ALGORITHM_RS256] = {"RS256", FAMILY_RSA_PKCS1, HASH_SHA256, NULL, NULL, 0},
    [ALGORITHM_RS384] = {"RS384", FAMILY_RSA_PKCS1, HASH_SHA384, NULL, NULL, 0},
    [ALGORITHM_RS512] = {"RS512", FAMILY_RSA_PKCS1, HASH_SHA512, NULL, NULL, 0},
    [ALGORITHM_PS256] = {"PS256", FAMILY_RSA_PSS, HASH_SHA256, NULL, NULL, 0},
    [ALGORITHM_PS384] = {"PS384", FAMILY_RSA_PSS, HASH_SHA384, NULL, NULL, 0},
    [ALGORITHM_PS512] = {"PS512", FAMILY_RSA_PSS, HASH_SHA512, NULL, NULL, 0},
    [ALGORITHM_ES256] = {"ES256", FAMILY_ECDSA, HASH_SHA256, "P-256", "prime256v1", 32},
    [ALGORITHM_ES384] = {"ES384", FAMILY_ECDSA, HASH_SHA384, "P-384", "secp384r1", 48},
    [ALGORITHM_ES512] = {"ES512", FAMILY_ECDSA, HASH_SHA512, "P-521", "secp521r1", 66},
    [ALGORITHM_EDDSA] = {"EdDSA", FAMILY_EDDSA, HASH_SHA512, NULL, NULL, 0},
};

static const edwards_curve_t EDWARDS_CURVES[] = {{"Ed25519", 32, 64}, {"Ed448", EDWARDS_KEY_MAX, 114}};

enum { EDWARDS_CURVE_COUNT = sizeof(EDWARDS_CURVES) / sizeof(EDWARDS_CURVES[0]) };

bool algorithm_from_name(slice_t name, algorithm_t *out)
{
    if (name.base == NULL)
        return false;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        if (slice_equal(name, slice_of(ALGORITHMS[i].name))) {
            *out = (algorithm_t)i;
            return true;
        }
    }
    return false;
}

const char *algorithm_name(algorithm_t algorithm)
{
    return ALGORITHMS[algorithm].name;
}

const algorithm_info_t *algorithm_info(algorithm_t algorithm)
{
    return &ALGORITHMS[algorithm];
}

const char *algorithm_hash_name(algorithm_hash_t hash)
{
    static const char *const NAMES[HASH_COUNT] = {"SHA2-256", "SHA2-384", "SHA2-512"};
    return NAMES[hash];
}

size_t algorithm_hash_len(algorithm_hash_t hash)
{
    static const size_t LENGTHS[HASH_COUNT] = {32, 48, 64};
    return LENGTHS[hash];
}

algorithm_t algorithm_of_curve(slice_t curve)
{
    for (unsigned i = ALGORITHM_ES256; i <= ALGORITHM_ES512; i++) {
        if (curve.base != NULL && slice_equal(curve, slice_of(ALGORITHMS[i].curve)))
            return (algorithm_t)i;
    }
    return ALGORITHM_COUNT;
}

algorithm_t algorithm_of_group(slice_t group)
{
    for (unsigned i = ALGORITHM_ES256; i <= ALGORITHM_ES512; i++) {
        if (group.base != NULL && slice_equal(group, slice_of(ALGORITHMS[i].group)))
            return (algorithm_t)i;
    }
    return ALGORITHM_COUNT;
}

const edwards_curve_t *edwards_curve(slice_t name)
{
    for (size_t i = 0; name.base != NULL && i < EDWARDS_CURVE_COUNT; i++) {
        if (slice_equal(name, slice_of(EDWARDS_CURVES[i].name)))
            return &EDWARDS_CURVES[i];
    }
    return NULL;
}

#include "jwk_internal.h"

#include "introspectd/base64url.h"
#include "introspectd/json.h"

#include "edwards.h"
#include "evp_key.h"
#include "rsa_weakness.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>

/*
 * RSA: RFC 7518 section 3.3 asks for 2,048 bits. OpenSSL verifies up to 16,384 bits, and over 3,072 bits only
 * with an exponent of at most 64 bits; a key beyond that would load and then refuse every token. Below, the
 * bound is that of FIPS 186-5 appendix A.1.1: an exponent as long as the modulus would make each token far
 * more work than its size pays for.
 */
enum {
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 16384,
    RSA_SMALL_MODULUS_BITS = 3072,
    RSA_MAX_EXPONENT_BITS = 64,
    RSA_MAX_EXPONENT_BITS_OF_SMALL_MODULUS = 256
};

/* 65537, the exponent that nearly every key has; smaller odd ones are legal (RFC 8017 section 3.1). */
enum { RSA_USUAL_EXPONENT = 65537, RSA_MIN_EXPONENT = 3 };

static const char OPENSSL_REFUSES[] = "OpenSSL refuses the key";

bool jwk_decode_member(const json_t *json, const char *name, unsigned char *out, size_t *out_len)
{
    slice_t text = json_get_string(json, name);
    return text.base != NULL && base64url_decoded_max(text.len) <= JWK_MEMBER_MAX &&
           base64url_decode(text, out, out_len);
}

BIGNUM *jwk_decode_number(const json_t *json, const char *name)
{
    unsigned char bytes[JWK_MEMBER_MAX];
    size_t len = 0;
    if (!jwk_decode_member(json, name, bytes, &len))
        return NULL;
    BIGNUM *number = BN_bin2bn(bytes, (int)len, NULL);
    OPENSSL_cleanse(bytes, len);
    return number;
}

bool jwk_decode_point(const json_t *json, unsigned coordinate_len, unsigned char *out)
{
    unsigned char x[JWK_MEMBER_MAX];
    unsigned char y[JWK_MEMBER_MAX];
    size_t x_len = 0;
    size_t y_len = 0;
    if (!jwk_decode_member(json, "x", x, &x_len) || !jwk_decode_member(json, "y", y, &y_len) ||
        x_len != coordinate_len || y_len != coordinate_len)
        return false;
    out[0] = 0x04;
    memcpy(out + 1, x, x_len);
    memcpy(out + 1 + x_len, y, y_len);
    return true;
}

static const char *check_rsa(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    if (bits < RSA_MIN_BITS)
        return "RSA modulus under 2048 bits";
    if (bits > RSA_MAX_BITS)
        return "RSA modulus over 16384 bits";
    if (!BN_is_odd(n))
        return "RSA modulus is even";
    const char *weakness = rsa_weakness(n);
    if (weakness != NULL)
        return weakness;
    if (!BN_is_odd(e))
        return "RSA exponent is even";
    if (BN_num_bits(e) <= 1)
        return "RSA exponent under 3";
    if (BN_num_bits(e) >
        (bits > RSA_SMALL_MODULUS_BITS ? RSA_MAX_EXPONENT_BITS : RSA_MAX_EXPONENT_BITS_OF_SMALL_MODULUS))
        return "RSA exponent too large";
    return NULL;
}

static EVP_PKEY *build_rsa(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pkey = evp_key_build("RSA", EVP_PKEY_PUBLIC_KEY, builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static const char *load_rsa(const json_t *json, jwk_t *jwk, unsigned *warnings)
{
    const char *error = NULL;
    BIGNUM *n = jwk_decode_number(json, "n");
    BIGNUM *e = jwk_decode_number(json, "e");
    if (n == NULL || e == NULL) {
        error = "`n` or `e` is missing or not base64url";
        goto cleanup;
    }
    error = check_rsa(n, e);
    if (error != NULL)
        goto cleanup;
    jwk->pkey = build_rsa(n, e);
    if (jwk->pkey == NULL) {
        error = OPENSSL_REFUSES;
        goto cleanup;
    }
    jwk->fits = algorithm_set_of(ALGORITHM_RS256) | algorithm_set_of(ALGORITHM_RS384) |
                algorithm_set_of(ALGORITHM_RS512) | algorithm_set_of(ALGORITHM_PS256) |
                algorithm_set_of(ALGORITHM_PS384) | algorithm_set_of(ALGORITHM_PS512);
    jwk->signature_len = (size_t)BN_num_bytes(n);
    if (BN_num_bits(e) <= BN_num_bits_word(RSA_USUAL_EXPONENT) && BN_get_word(e) < RSA_USUAL_EXPONENT)
        *warnings |= JWK_WARNING_SMALL_EXPONENT;
    snprintf(jwk->description, sizeof(jwk->description), "RSA %d", BN_num_bits(n));
cleanup:
    BN_free(e);
    BN_free(n);
    return error;
}

static const char *load_ec(const json_t *json, jwk_t *jwk)
{
    slice_t curve = json_get_string(json, "crv");
    algorithm_t algorithm = algorithm_of_curve(curve);
    if (algorithm == ALGORITHM_COUNT)
        return "`crv` is not P-256, P-384 or P-521";
    const algorithm_info_t *info = algorithm_info(algorithm);
    unsigned char point[JWK_POINT_MAX];
    if (!jwk_decode_point(json, info->coordinate_len, point))
        return "`x` or `y` is missing, not base64url or not of the curve's length";

    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, info->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)info->coordinate_len) == 1)
        jwk->pkey = evp_key_build("EC", EVP_PKEY_PUBLIC_KEY, builder);
    OSSL_PARAM_BLD_free(builder);
    if (jwk->pkey == NULL)
        return "the point is not on its curve";
    jwk->fits = algorithm_set_of(algorithm);
    jwk->signature_len = 2 * (size_t)info->coordinate_len;
    snprintf(jwk->description, sizeof(jwk->description), "EC %s", info->curve);
    return NULL;
}

static const char *load_okp(const json_t *json, jwk_t *jwk)
{
    const edwards_curve_t *curve = edwards_curve(json_get_string(json, "crv"));
    if (curve == NULL)
        return "`crv` is not Ed25519 or Ed448";
    unsigned char key[JWK_MEMBER_MAX];
    size_t len = 0;
    if (!jwk_decode_member(json, "x", key, &len) || len != curve->key_len)
        return "`x` is missing, not base64url or not of the curve's length";
    switch (edwards_check(curve, key)) {
    case EDWARDS_OK:
        break;
    case EDWARDS_OFF_CURVE:
        return "the point is not on its curve";
    case EDWARDS_SMALL_ORDER:
        return "the point has a small order, so anyone could sign";
    case EDWARDS_ERROR:
        return JWK_OUT_OF_MEMORY;
    }
    jwk->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, curve->name, NULL, key, len);
    if (jwk->pkey == NULL)
        return OPENSSL_REFUSES;
    jwk->fits = algorithm_set_of(ALGORITHM_EDDSA);
    jwk->signature_len = curve->signature_len;
    snprintf(jwk->description, sizeof(jwk->description), "OKP %s", curve->name);
    return NULL;
}

static const char *load_oct(const json_t *json, jwk_t *jwk)
{
    unsigned char secret[JWK_MEMBER_MAX];
    size_t len = 0;
    if (!jwk_decode_member(json, "k", secret, &len))
        return "`k` is missing, not base64url or too long";
    const char *error = NULL;
    /* RFC 7518 section 3.2: a key at least as long as the hash. */
    for (unsigned i = ALGORITHM_HS256; i <= ALGORITHM_HS512; i++) {
        if (len >= algorithm_hash_len(algorithm_info((algorithm_t)i)->hash))
            jwk->fits |= algorithm_set_of((algorithm_t)i);
    }
    if (jwk->fits == 0) {
        error = "`k` is shorter than 32 bytes";
    } else {
        jwk->secret = malloc(len);
        if (jwk->secret == NULL) {
            error = JWK_OUT_OF_MEMORY;
        } else {
            memcpy(jwk->secret, secret, len);
            jwk->secret_len = len;
            snprintf(jwk->description, sizeof(jwk->description), "oct %zu", len * 8);
        }
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    return error;
}

const char *jwk_load_material(const json_t *json, jwk_t *jwk, unsigned *warnings)
{
    slice_t type = json_get_string(json, "kty");
    if (type.base == NULL)
        return "`kty` is missing or not a string";
    if (slice_equal(type, slice_of("RSA")))
        return load_rsa(json, jwk, warnings);
    if (slice_equal(type, slice_of("EC")))
        return load_ec(json, jwk);
    if (slice_equal(type, slice_of("OKP")))
        return load_okp(json, jwk);
    if (slice_equal(type, slice_of("oct")))
        return load_oct(json, jwk);
    return "`kty` is not RSA, EC, OKP or oct";
}

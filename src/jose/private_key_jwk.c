#include "private_key_internal.h"

#include "introspectd/base64url.h"
#include "introspectd/json.h"

#include "evp_key.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

typedef struct rsa_member {
    const char *jwk;
    const char *param;
} rsa_member_t;

/* RFC 7518 section 6.3; the first three are enough to sign, the rest come together or not at all. */
static const rsa_member_t RSA_MEMBERS[] = {
    {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
    {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

enum { RSA_PUBLIC_MEMBERS = 2, RSA_PLAIN_MEMBERS = 3, RSA_ALL_MEMBERS = 8 };

static bool set_bytes(json_t *json, const char *name, const unsigned char *bytes, size_t len)
{
    char *text = malloc(base64url_encoded_len(len) + 1);
    if (text == NULL)
        return false;
    base64url_encode(bytes, len, text);
    bool is_set = json_object_set_new(json, name, json_string(text)) == 0;
    OPENSSL_cleanse(text, base64url_encoded_len(len));
    free(text);
    return is_set;
}

/* len 0: as short as the number is. */
static bool set_number(json_t *json, const char *name, const EVP_PKEY *pkey, const char *param, size_t len)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, param, &number) != 1)
        return false;
    unsigned char bytes[JWK_MEMBER_MAX];
    if (len == 0)
        len = (size_t)BN_num_bytes(number);
    bool is_set = len <= sizeof(bytes) && BN_bn2binpad(number, bytes, (int)len) == (int)len &&
                  set_bytes(json, name, bytes, len);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    BN_clear_free(number);
    return is_set;
}

static bool has_number(const EVP_PKEY *pkey, const char *param)
{
    BIGNUM *number = NULL;
    bool has = EVP_PKEY_get_bn_param(pkey, param, &number) == 1;
    BN_clear_free(number);
    return has;
}

static bool set_rsa(json_t *json, const EVP_PKEY *pkey, bool with_private)
{
    size_t count = RSA_PUBLIC_MEMBERS;
    if (with_private)
        count = has_number(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1) ? RSA_ALL_MEMBERS : RSA_PLAIN_MEMBERS;
    /* A third factor has no place in the members below. */
    if (has_number(pkey, OSSL_PKEY_PARAM_RSA_FACTOR3) ||
        json_object_set_new(json, "kty", json_string("RSA")) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!set_number(json, RSA_MEMBERS[i].jwk, pkey, RSA_MEMBERS[i].param, 0))
            return false;
    }
    return true;
}

static bool set_ec(json_t *json, const EVP_PKEY *pkey, bool with_private)
{
    char group[32];
    size_t group_len = 0;
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &group_len) !=
        1)
        return false;
    algorithm_t algorithm = algorithm_of_group((slice_t){group, group_len});
    if (algorithm == ALGORITHM_COUNT)
        return false;
    const algorithm_info_t *info = algorithm_info(algorithm);
    size_t len = info->coordinate_len;
    return json_object_set_new(json, "kty", json_string("EC")) == 0 &&
           json_object_set_new(json, "crv", json_string(info->curve)) == 0 &&
           set_number(json, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, len) &&
           set_number(json, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, len) &&
           (!with_private || set_number(json, "d", pkey, OSSL_PKEY_PARAM_PRIV_KEY, len));
}

static bool set_okp(json_t *json, const EVP_PKEY *pkey, const char *curve, bool with_private)
{
    unsigned char bytes[EDWARDS_KEY_MAX];
    size_t len = sizeof(bytes);
    bool is_set = json_object_set_new(json, "kty", json_string("OKP")) == 0 &&
                  json_object_set_new(json, "crv", json_string(curve)) == 0 &&
                  EVP_PKEY_get_raw_public_key(pkey, bytes, &len) == 1 && set_bytes(json, "x", bytes, len);
    if (is_set && with_private) {
        len = sizeof(bytes);
        is_set = EVP_PKEY_get_raw_private_key(pkey, bytes, &len) == 1 && set_bytes(json, "d", bytes, len);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return is_set;
}

json_t *evp_key_to_jwk(const EVP_PKEY *pkey, bool with_private)
{
    json_t *json = json_object();
    bool is_set = false;
    if (json != NULL && EVP_PKEY_is_a(pkey, "RSA"))
        is_set = set_rsa(json, pkey, with_private);
    else if (json != NULL && EVP_PKEY_is_a(pkey, "EC"))
        is_set = set_ec(json, pkey, with_private);
    else if (json != NULL && EVP_PKEY_is_a(pkey, "Ed25519"))
        is_set = set_okp(json, pkey, "Ed25519", with_private);
    else if (json != NULL && EVP_PKEY_is_a(pkey, "Ed448"))
        is_set = set_okp(json, pkey, "Ed448", with_private);
    ERR_clear_error();
    if (is_set)
        return json;
    json_decref(json);
    return NULL;
}

static bool is_whole(const json_t *json, size_t *count)
{
    size_t present = 0;
    for (size_t i = RSA_PLAIN_MEMBERS; i < RSA_ALL_MEMBERS; i++)
        present += json_object_get(json, RSA_MEMBERS[i].jwk) != NULL;
    *count = present == 0 ? RSA_PLAIN_MEMBERS : RSA_ALL_MEMBERS;
    return (present == 0 || present == RSA_ALL_MEMBERS - RSA_PLAIN_MEMBERS) &&
           json_object_get(json, "oth") == NULL;
}

static EVP_PKEY *private_rsa(const json_t *json)
{
    size_t count = 0;
    if (!is_whole(json, &count))
        return NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *numbers[RSA_ALL_MEMBERS] = {0};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool is_pushed = builder != NULL;
    for (size_t i = 0; is_pushed && i < count; i++) {
        numbers[i] = jwk_decode_number(json, RSA_MEMBERS[i].jwk);
        is_pushed =
            numbers[i] != NULL && OSSL_PARAM_BLD_push_BN(builder, RSA_MEMBERS[i].param, numbers[i]) == 1;
    }
    if (is_pushed)
        pkey = evp_key_build("RSA", EVP_PKEY_KEYPAIR, builder);
    OSSL_PARAM_BLD_free(builder);
    for (size_t i = 0; i < count; i++)
        BN_clear_free(numbers[i]);
    return pkey;
}

static EVP_PKEY *private_ec(const json_t *json, const algorithm_info_t *info)
{
    unsigned char point[JWK_POINT_MAX];
    unsigned char scalar[JWK_MEMBER_MAX];
    size_t scalar_len = 0;
    if (!jwk_decode_point(json, info->coordinate_len, point) ||
        !jwk_decode_member(json, "d", scalar, &scalar_len) || scalar_len != info->coordinate_len)
        return NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *d = BN_bin2bn(scalar, (int)scalar_len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (d != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, info->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)info->coordinate_len) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1)
        pkey = evp_key_build("EC", EVP_PKEY_KEYPAIR, builder);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(d);
    OPENSSL_cleanse(scalar, sizeof(scalar));
    return pkey;
}

static EVP_PKEY *private_okp(const json_t *json)
{
    const edwards_curve_t *curve = edwards_curve(json_get_string(json, "crv"));
    unsigned char seed[JWK_MEMBER_MAX];
    size_t len = 0;
    if (curve == NULL || !jwk_decode_member(json, "d", seed, &len) || len != curve->key_len)
        return NULL;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, curve->name, NULL, seed, len);
    OPENSSL_cleanse(seed, sizeof(seed));
    return pkey;
}

EVP_PKEY *evp_key_from_private_jwk(const json_t *json, const jwk_t *public_half)
{
    EVP_PKEY *pkey = NULL;
    if (EVP_PKEY_is_a(public_half->pkey, "RSA")) {
        pkey = private_rsa(json);
    } else if (EVP_PKEY_is_a(public_half->pkey, "EC")) {
        algorithm_t algorithm = algorithm_of_curve(json_get_string(json, "crv"));
        if (algorithm != ALGORITHM_COUNT)
            pkey = private_ec(json, algorithm_info(algorithm));
    } else {
        pkey = private_okp(json);
    }
    ERR_clear_error();
    return pkey;
}

#include "private_key_internal.h"

#include "ecdsa_der.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

static bool sign_hmac(const private_key_t *key, const algorithm_info_t *info, slice_t input,
                      unsigned char **out, size_t *out_len)
{
    size_t len = 0;
    unsigned char *mac = malloc(EVP_MAX_MD_SIZE);
    if (mac == NULL || EVP_Q_mac(NULL, "HMAC", NULL, algorithm_hash_name(info->hash), NULL, key->jwk.secret,
                                 key->jwk.secret_len, (const unsigned char *)input.base, input.len, mac,
                                 EVP_MAX_MD_SIZE, &len) == NULL) {
        free(mac);
        return false;
    }
    *out = mac;
    *out_len = len;
    return true;
}

static bool init_signing(EVP_MD_CTX *ctx, const private_key_t *key, const algorithm_info_t *info)
{
    EVP_PKEY_CTX *pkey_ctx = NULL; /* owned by ctx */
    const char *digest = info->family == FAMILY_EDDSA ? NULL : algorithm_hash_name(info->hash);
    if (EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest, NULL, NULL, key->pkey, NULL) != 1)
        return false;
    return info->family != FAMILY_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool sign_pair(const private_key_t *key, const algorithm_info_t *info, slice_t input,
                      unsigned char **out, size_t *out_len)
{
    const unsigned char *bytes = (const unsigned char *)input.base;
    size_t len = 0;
    unsigned char *signature = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_signed = ctx != NULL && init_signing(ctx, key, info) &&
                     EVP_DigestSign(ctx, NULL, &len, bytes, input.len) == 1 &&
                     (signature = malloc(len)) != NULL &&
                     EVP_DigestSign(ctx, signature, &len, bytes, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (is_signed && info->family == FAMILY_ECDSA) {
        unsigned char *raw = malloc(key->jwk.signature_len);
        is_signed = raw != NULL && ecdsa_der_to_raw(signature, len, raw, info->coordinate_len);
        free(signature);
        signature = raw;
        len = key->jwk.signature_len;
    }
    if (!is_signed) {
        free(signature);
        ERR_clear_error();
        return false;
    }
    *out = signature;
    *out_len = len;
    return true;
}

bool private_key_sign(const private_key_t *key, algorithm_t algorithm, slice_t input, unsigned char **out,
                      size_t *out_len)
{
    if (!private_key_fits(key, algorithm))
        return false;
    const algorithm_info_t *info = algorithm_info(algorithm);
    if (info->family == FAMILY_HMAC)
        return sign_hmac(key, info, input, out, out_len);
    return sign_pair(key, info, input, out, out_len);
}

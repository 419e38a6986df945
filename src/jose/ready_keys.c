#include "ready_keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

static bool set_padding(EVP_PKEY_CTX *ctx, algorithm_family_t family)
{
    if (family == FAMILY_RSA_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    if (family == FAMILY_RSA_PSS)
        /* RFC 7518 section 3.5: the salt is as long as the hash, and no other length is accepted. */
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    return true;
}

static EVP_PKEY_CTX *new_verifying(const jwk_t *jwk, algorithm_family_t family, const EVP_MD *digest)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, jwk->pkey, NULL);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 || !set_padding(ctx, family) ||
        EVP_PKEY_CTX_set_signature_md(ctx, digest) != 1 ||
        (family == FAMILY_RSA_PSS && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, digest) != 1)) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static EVP_MD_CTX *new_eddsa(const jwk_t *jwk)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, jwk->pkey, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static EVP_MAC_CTX *new_mac(const jwk_t *jwk, algorithm_hash_t hash, EVP_MAC *hmac)
{
    /* OpenSSL only reads it. */
    char *name = (char *)algorithm_hash_name(hash);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    if (ctx == NULL || EVP_MAC_init(ctx, jwk->secret, jwk->secret_len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

ready_key_t *ready_keys_get(ready_keys_t *ready, const jwk_t *jwk, algorithm_t algorithm,
                            const EVP_MD *digest, EVP_MAC *hmac)
{
    for (size_t i = 0; i < READY_KEYS; i++) {
        ready_key_t *key = &ready->keys[i];
        if (key->number == jwk->number && key->algorithm == algorithm)
            return key;
    }
    const algorithm_info_t *info = algorithm_info(algorithm);
    ready_key_t made = {.number = jwk->number, .algorithm = algorithm};
    if (info->family == FAMILY_HMAC)
        made.mac = new_mac(jwk, info->hash, hmac);
    else if (info->family == FAMILY_EDDSA)
        made.eddsa = new_eddsa(jwk);
    else
        made.verifying = new_verifying(jwk, info->family, digest);
    if (made.mac == NULL && made.eddsa == NULL && made.verifying == NULL)
        return NULL;
    ready_key_t *place = &ready->keys[ready->oldest];
    ready->oldest = (ready->oldest + 1) % READY_KEYS;
    ready_key_deinit(place);
    *place = made;
    return place;
}

void ready_key_deinit(ready_key_t *key)
{
    EVP_PKEY_CTX_free(key->verifying);
    EVP_MD_CTX_free(key->eddsa);
    EVP_MAC_CTX_free(key->mac);
    *key = (ready_key_t){0};
}

void ready_keys_deinit(ready_keys_t *ready)
{
    for (size_t i = 0; i < READY_KEYS; i++)
        ready_key_deinit(&ready->keys[i]);
}

#include "introspectd/verify.h"

#include "introspectd/base64url.h"

#include "ecdsa_der.h"
#include "evp_key.h"
#include "ready_keys.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

/* The longest signature there is: RSA of 16,384 bits. */
enum { SIGNATURE_MAX = 2048 };

struct verifier {
    EVP_MD *digests[HASH_COUNT];
    EVP_MD_CTX *digest_ctx;
    EVP_MAC *hmac;
    ready_keys_t ready;
};

verifier_t *verifier_new(void)
{
    verifier_t *verifier = calloc(1, sizeof(*verifier));
    if (verifier == NULL)
        return NULL;
    verifier->digest_ctx = EVP_MD_CTX_new();
    verifier->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool is_complete = verifier->digest_ctx != NULL && verifier->hmac != NULL;
    for (unsigned i = 0; i < HASH_COUNT; i++) {
        verifier->digests[i] = EVP_MD_fetch(NULL, algorithm_hash_name((algorithm_hash_t)i), NULL);
        is_complete = is_complete && verifier->digests[i] != NULL;
    }
    if (!is_complete) {
        verifier_free(verifier);
        ERR_clear_error();
        return NULL;
    }
    return verifier;
}

void verifier_free(verifier_t *verifier)
{
    if (verifier == NULL)
        return;
    ready_keys_deinit(&verifier->ready);
    for (size_t i = 0; i < HASH_COUNT; i++)
        EVP_MD_free(verifier->digests[i]);
    EVP_MD_CTX_free(verifier->digest_ctx);
    EVP_MAC_free(verifier->hmac);
    free(verifier);
}

/*
 * Empties the thread's error queue after a verification that did not succeed, and says whose fault it was.
 * OpenSSL's return values do not tell a bad signature from a failure of its own, but its queue does: a bad
 * signature leaves nothing, or an error of the RSA or EC code that examined it. Running out of memory leaves
 * an error that says so, or one of the layers around that code alone.
 */
static reason_t reason_of_failure(void)
{
    bool is_about_signature = ERR_peek_error() == 0;
    bool is_out_of_memory = false;
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error()) {
        int library = ERR_GET_LIB(error);
        is_about_signature = is_about_signature || library == ERR_LIB_RSA || library == ERR_LIB_EC;
        is_out_of_memory = is_out_of_memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }
    return is_about_signature && !is_out_of_memory ? REASON_BAD_SIGNATURE : REASON_INTERNAL_ERROR;
}

static reason_t internal_error(ready_key_t *key)
{
    if (key != NULL)
        ready_key_deinit(key);
    ERR_clear_error();
    return REASON_INTERNAL_ERROR;
}

static reason_t verify_hmac(ready_key_t *key, slice_t input, slice_t signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t mac_len = 0;
    /* Without a key the context starts again with the one that it has. */
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(key->mac, (const unsigned char *)input.base, input.len) != 1 ||
        EVP_MAC_final(key->mac, mac, &mac_len, sizeof(mac)) != 1)
        return internal_error(key);
    bool is_equal = mac_len == signature.len && CRYPTO_memcmp(mac, signature.base, mac_len) == 0;
    OPENSSL_cleanse(mac, sizeof(mac));
    return is_equal ? REASON_NONE : REASON_BAD_SIGNATURE;
}

static reason_t verify_digest(verifier_t *verifier, ready_key_t *key, const algorithm_info_t *info,
                              slice_t input, slice_t signature)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    if (EVP_DigestInit_ex2(verifier->digest_ctx, verifier->digests[info->hash], NULL) != 1 ||
        EVP_DigestUpdate(verifier->digest_ctx, input.base, input.len) != 1 ||
        EVP_DigestFinal_ex(verifier->digest_ctx, digest, &digest_len) != 1)
        return internal_error(key);
    unsigned char der[ECDSA_DER_MAX];
    const unsigned char *bytes = (const unsigned char *)signature.base;
    size_t len = signature.len;
    if (info->family == FAMILY_ECDSA) {
        len = ecdsa_raw_to_der(bytes, info->coordinate_len, der);
        bytes = der;
    }
    if (EVP_PKEY_verify(key->verifying, bytes, len, digest, digest_len) == 1)
        return REASON_NONE;
    return reason_of_failure();
}

static reason_t verify_eddsa_once(ready_key_t *key, slice_t input, slice_t signature)
{
    /* Without a key the context starts again with the one that it has. */
    if (EVP_DigestVerifyInit_ex(key->eddsa, NULL, NULL, NULL, NULL, NULL, NULL) != 1)
        return internal_error(key);
    if (EVP_DigestVerify(key->eddsa, (const unsigned char *)signature.base, signature.len,
                         (const unsigned char *)input.base, input.len) == 1)
        return REASON_NONE;
    return reason_of_failure();
}

/*
 * OpenSSL 3.0 says nothing when memory runs out inside the verification itself: that reads as a bad
 * signature. So a bad one is looked at again, with memory known to be there.
 */
static reason_t verify_eddsa(ready_key_t *key, slice_t input, slice_t signature)
{
    reason_t reason = verify_eddsa_once(key, input, signature);
    if (reason != REASON_BAD_SIGNATURE)
        return reason;
    if (!evp_has_memory())
        return internal_error(NULL);
    return verify_eddsa_once(key, input, signature);
}

static size_t signature_len(const jwk_t *jwk, const algorithm_info_t *info)
{
    return info->family == FAMILY_HMAC ? algorithm_hash_len(info->hash) : jwk->signature_len;
}

static reason_t verify_bytes(verifier_t *verifier, const jwk_t *jwk, algorithm_t algorithm, slice_t input,
                             slice_t signature)
{
    const algorithm_info_t *info = algorithm_info(algorithm);
    ready_key_t *key =
        ready_keys_get(&verifier->ready, jwk, algorithm, verifier->digests[info->hash], verifier->hmac);
    if (key == NULL)
        return internal_error(NULL);
    if (info->family == FAMILY_HMAC)
        return verify_hmac(key, input, signature);
    if (info->family == FAMILY_EDDSA)
        return verify_eddsa(key, input, signature);
    return verify_digest(verifier, key, info, input, signature);
}

static void empty_error_queue(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

reason_t verify_signature(verifier_t *verifier, const jwk_t *jwk, algorithm_t algorithm,
                          slice_t signing_input, slice_t signature)
{
    if (!jwk_fits(jwk, algorithm))
        return REASON_UNKNOWN_KEY;
    if (signature.len != signature_len(jwk, algorithm_info(algorithm)))
        return REASON_BAD_SIGNATURE;
    /* What somebody else left in the queue must not be taken for the verification's own. */
    empty_error_queue();
    reason_t reason = verify_bytes(verifier, jwk, algorithm, signing_input, signature);
    empty_error_queue();
    return reason;
}

reason_t verify_compact(verifier_t *verifier, const keyset_t *keyset, const verify_rules_t *rules,
                        const compact_t *compact, const compact_header_t *header, const jwk_t **used)
{
    if (!header->has_algorithm || !algorithm_set_has(rules->allowed, header->algorithm))
        return REASON_ALGORITHM_NOT_ALLOWED;
    const jwk_t *jwk = keyset_find(keyset, header->kid, header->algorithm, NULL);
    if (jwk == NULL)
        return REASON_UNKNOWN_KEY;

    unsigned char bytes[SIGNATURE_MAX + 3];
    size_t len = 0;
    if (base64url_decoded_max(compact->signature.len) > sizeof(bytes))
        return REASON_BAD_SIGNATURE;
    if (!base64url_decode(compact->signature, bytes, &len))
        return REASON_MALFORMED;
    const slice_t signature = {(const char *)bytes, len};

    reason_t reason = REASON_BAD_SIGNATURE;
    for (unsigned tried = 0; jwk != NULL && tried < rules->max_keys_tried; tried++) {
        reason_t result =
            verify_signature(verifier, jwk, header->algorithm, compact->signing_input, signature);
        if (result == REASON_NONE) {
            if (used != NULL)
                *used = jwk;
            return REASON_NONE;
        }
        if (result == REASON_INTERNAL_ERROR)
            reason = result;
        jwk = keyset_find(keyset, header->kid, header->algorithm, jwk);
    }
    return reason;
}

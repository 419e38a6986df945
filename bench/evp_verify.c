#include "evp_verify.h"

#include "introspectd/base64url.h"
#include "introspectd/compact.h"
#include "introspectd/file.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

struct evp_verify {
    algorithm_t algorithm;
    EVP_MD *digest;
    EVP_MD_CTX *digest_ctx;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verifying; /* RSA and ECDSA */
    EVP_MAC_CTX *mac;        /* HMAC */
};

static bool is_ecdsa(algorithm_t algorithm)
{
    return algorithm == ALGORITHM_ES256 || algorithm == ALGORITHM_ES384 || algorithm == ALGORITHM_ES512;
}

static const char *digest_of(algorithm_t algorithm)
{
    switch (algorithm) {
    case ALGORITHM_HS384:
    case ALGORITHM_RS384:
    case ALGORITHM_PS384:
    case ALGORITHM_ES384:
        return "SHA384";
    case ALGORITHM_HS512:
    case ALGORITHM_RS512:
    case ALGORITHM_PS512:
    case ALGORITHM_ES512:
        return "SHA512";
    default:
        return "SHA256";
    }
}

/* Replaces r and s by the DER of both. */
static bool to_der(evp_token_t *token)
{
    int half = (int)(token->signature_len / 2);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(token->signature, half, NULL);
    BIGNUM *s = BN_bin2bn(token->signature + half, half, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return false;
    }
    int len = i2d_ECDSA_SIG(pair, NULL);
    unsigned char *der = len <= 0 ? NULL : malloc((size_t)len);
    unsigned char *end = der;
    bool is_written = der != NULL && i2d_ECDSA_SIG(pair, &end) == len;
    ECDSA_SIG_free(pair);
    if (!is_written) {
        free(der);
        return false;
    }
    free(token->signature);
    token->signature = der;
    token->signature_len = (size_t)len;
    return true;
}

bool evp_token_read(const evp_verify_t *verify, slice_t token, evp_token_t *out)
{
    compact_t compact;
    if (compact_split(token, &compact) != REASON_NONE)
        return false;
    evp_token_t read = {.input = compact.signing_input};
    read.signature = malloc(base64url_decoded_max(compact.signature.len));
    if (read.signature == NULL || !base64url_decode(compact.signature, read.signature, &read.signature_len) ||
        (is_ecdsa(verify->algorithm) && !to_der(&read))) {
        free(read.signature);
        return false;
    }
    *out = read;
    return true;
}

static bool set_up_mac(evp_verify_t *verify, const char *secret, size_t len)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_of(verify->algorithm), 0),
        OSSL_PARAM_construct_end()};
    verify->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    return verify->mac != NULL &&
           EVP_MAC_init(verify->mac, (const unsigned char *)secret, len, parameters) == 1;
}

static bool set_up_padding(evp_verify_t *verify)
{
    bool is_pss = verify->algorithm >= ALGORITHM_PS256 && verify->algorithm <= ALGORITHM_PS512;
    return is_ecdsa(verify->algorithm) ||
           (EVP_PKEY_CTX_set_rsa_padding(verify->verifying,
                                         is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
            EVP_PKEY_CTX_set_signature_md(verify->verifying, verify->digest) == 1 &&
            (!is_pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(verify->verifying, RSA_PSS_SALTLEN_DIGEST) == 1));
}

static bool set_up_key(evp_verify_t *verify, const char *pem, size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    verify->pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (verify->pkey == NULL)
        return false;
    if (verify->algorithm == ALGORITHM_EDDSA)
        return EVP_DigestVerifyInit_ex(verify->digest_ctx, NULL, NULL, NULL, NULL, verify->pkey, NULL) == 1;
    verify->verifying = EVP_PKEY_CTX_new_from_pkey(NULL, verify->pkey, NULL);
    return verify->verifying != NULL && EVP_PKEY_verify_init(verify->verifying) == 1 &&
           set_up_padding(verify);
}

evp_verify_t *evp_verify_new(const private_key_t *key, algorithm_t algorithm)
{
    evp_verify_t *verify = calloc(1, sizeof(*verify));
    char *material = NULL;
    size_t len = 0;
    if (verify == NULL || !private_key_export(key, &material, &len)) {
        free(verify);
        return NULL;
    }
    verify->algorithm = algorithm;
    verify->digest = EVP_MD_fetch(NULL, digest_of(algorithm), NULL);
    verify->digest_ctx = EVP_MD_CTX_new();
    bool is_set_up = verify->digest != NULL && verify->digest_ctx != NULL &&
                     (algorithm <= ALGORITHM_HS512 ? set_up_mac(verify, material, len)
                                                   : set_up_key(verify, material, len));
    file_free_secret(material, len);
    if (!is_set_up) {
        evp_verify_free(verify);
        return NULL;
    }
    return verify;
}

void evp_verify_free(evp_verify_t *verify)
{
    if (verify == NULL)
        return;
    EVP_PKEY_CTX_free(verify->verifying);
    EVP_PKEY_free(verify->pkey);
    EVP_MAC_CTX_free(verify->mac);
    EVP_MD_CTX_free(verify->digest_ctx);
    EVP_MD_free(verify->digest);
    free(verify);
}

static bool verify_mac(evp_verify_t *verify, const evp_token_t *token)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    return EVP_MAC_init(verify->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(verify->mac, (const unsigned char *)token->input.base, token->input.len) == 1 &&
           EVP_MAC_final(verify->mac, mac, &len, sizeof(mac)) == 1 && len == token->signature_len &&
           CRYPTO_memcmp(mac, token->signature, len) == 0;
}

/* The context stays as it is set up: OpenSSL 3.0 verifies with it again and again. */
static bool verify_eddsa(evp_verify_t *verify, const evp_token_t *token)
{
    return EVP_DigestVerify(verify->digest_ctx, token->signature, token->signature_len,
                            (const unsigned char *)token->input.base, token->input.len) == 1;
}

static bool verify_digest(evp_verify_t *verify, const evp_token_t *token)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return EVP_DigestInit_ex2(verify->digest_ctx, verify->digest, NULL) == 1 &&
           EVP_DigestUpdate(verify->digest_ctx, token->input.base, token->input.len) == 1 &&
           EVP_DigestFinal_ex(verify->digest_ctx, digest, &len) == 1 &&
           EVP_PKEY_verify(verify->verifying, token->signature, token->signature_len, digest, len) == 1;
}

bool evp_verify_token(evp_verify_t *verify, const evp_token_t *token)
{
    if (verify->mac != NULL)
        return verify_mac(verify, token);
    if (verify->verifying != NULL)
        return verify_digest(verify, token);
    return verify_eddsa(verify, token);
}

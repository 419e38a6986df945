#include "private_key_internal.h"

#include "introspectd/base64url.h"
#include "introspectd/json.h"
#include "introspectd/verify.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

enum { RSA_BITS = 2048 };

static const char BAD_PRIVATE[] =
    "the private members are missing or wrong, or do not belong to the public half";

/* The whole key as a JWK, from which jwk_load judges generated and PEM keys by the same rules as any other.
 */
static json_t *describe(const EVP_PKEY *pkey, const char *kid, algorithm_t algorithm)
{
    json_t *json = evp_key_to_jwk(pkey, false);
    if (json != NULL && ((kid != NULL && json_object_set_new(json, "kid", json_string(kid)) != 0) ||
                         (algorithm != ALGORITHM_COUNT &&
                          json_object_set_new(json, "alg", json_string(algorithm_name(algorithm))) != 0))) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static private_key_t *adopt(EVP_PKEY *take_pkey, const json_t *json, const char **error)
{
    unsigned warnings = 0;
    private_key_t *key = calloc(1, sizeof(*key));
    *error = key == NULL ? JWK_OUT_OF_MEMORY : jwk_load(json, JWK_TO_SIGN, &key->jwk, &warnings);
    if (*error != NULL) {
        EVP_PKEY_free(take_pkey);
        free(key);
        return NULL;
    }
    key->pkey = take_pkey;
    return key;
}

static json_t *generate_secret(algorithm_t algorithm, const char *kid)
{
    size_t len = algorithm_hash_len(algorithm_info(algorithm)->hash);
    unsigned char secret[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE];
    if (RAND_priv_bytes(secret, (int)len) != 1)
        return NULL;
    base64url_encode(secret, len, text);
    json_t *json = json_pack("{s:s, s:s*, s:s, s:s}", "kty", "oct", "kid", kid, "alg",
                             algorithm_name(algorithm), "k", text);
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(text, sizeof(text));
    return json;
}

static EVP_PKEY *generate_pair(const algorithm_info_t *info)
{
    switch (info->family) {
    case FAMILY_RSA_PKCS1:
    case FAMILY_RSA_PSS:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
    case FAMILY_ECDSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", info->group);
    case FAMILY_EDDSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case FAMILY_HMAC:
        break;
    }
    return NULL;
}

private_key_t *private_key_generate(algorithm_t algorithm, const char *kid)
{
    const algorithm_info_t *info = algorithm_info(algorithm);
    EVP_PKEY *pkey = NULL;
    json_t *json = NULL;
    if (info->family == FAMILY_HMAC) {
        json = generate_secret(algorithm, kid);
    } else {
        pkey = generate_pair(info);
        if (pkey != NULL)
            json = describe(pkey, kid, algorithm);
    }
    private_key_t *key = NULL;
    const char *error = NULL;
    if (json != NULL)
        key = adopt(pkey, json, &error);
    else
        EVP_PKEY_free(pkey);
    if (key == NULL)
        ERR_clear_error();
    jwk_cleanse_json(json);
    json_decref(json);
    return key;
}

/* Whether the two halves belong together: what the private one signs, the public one verifies. */
static bool is_pair(const private_key_t *key)
{
    const slice_t input = slice_of("introspectd");
    algorithm_t algorithm = private_key_algorithm(key);
    unsigned char *signature = NULL;
    size_t len = 0;
    if (!private_key_sign(key, algorithm, input, &signature, &len))
        return false;
    verifier_t *verifier = verifier_new();
    bool is_verified =
        verifier != NULL && verify_signature(verifier, &key->jwk, algorithm, input,
                                             (slice_t){(const char *)signature, len}) == REASON_NONE;
    verifier_free(verifier);
    free(signature);
    return is_verified;
}

static private_key_t *checked(private_key_t *take_key, const char **error)
{
    if (take_key != NULL && !is_pair(take_key)) {
        private_key_free(take_key);
        *error = BAD_PRIVATE;
        return NULL;
    }
    return take_key;
}

static private_key_t *parse_jwk(const json_t *json, const char **error)
{
    private_key_t *key = adopt(NULL, json, error);
    if (key == NULL || key->jwk.secret != NULL)
        return key;
    key->pkey = evp_key_from_private_jwk(json, &key->jwk);
    if (key->pkey == NULL) {
        private_key_free(key);
        *error = BAD_PRIVATE;
        return NULL;
    }
    return checked(key, error);
}

/* Nobody sits at the terminal of a script: an encrypted key is an error, not a prompt. */
static int refuse_passphrase(char *out, int size, int is_writing, void *data)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)data;
    return -1;
}

static private_key_t *parse_pem(slice_t text, const char **error)
{
    BIO *bio = text.len > INT_MAX ? NULL : BIO_new_mem_buf(text.base, (int)text.len);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (pkey == NULL) {
        *error = "neither a JSON object nor a PEM private key without a passphrase";
        return NULL;
    }
    json_t *json = describe(pkey, NULL, ALGORITHM_COUNT);
    if (json == NULL) {
        EVP_PKEY_free(pkey);
        *error = "not an RSA key, a key on P-256, P-384 or P-521, or an Ed25519 or Ed448 key";
        return NULL;
    }
    private_key_t *key = adopt(pkey, json, error);
    json_decref(json);
    return checked(key, error);
}

private_key_t *private_key_parse(slice_t text, const char **error)
{
    const char *problem = NULL;
    private_key_t *key = NULL;
    json_t *json = json_parse_object(text);
    if (json == NULL)
        key = parse_pem(text, &problem);
    else if (json_object_get(json, "keys") != NULL)
        problem = "a JWK Set, not one private JWK";
    else
        key = parse_jwk(json, &problem);
    jwk_cleanse_json(json);
    json_decref(json);
    if (key == NULL)
        *error = problem;
    return key;
}

void private_key_free(private_key_t *key)
{
    if (key == NULL)
        return;
    jwk_deinit(&key->jwk);
    EVP_PKEY_free(key->pkey);
    free(key);
}

const char *private_key_kid(const private_key_t *key)
{
    return key->jwk.kid.base;
}

algorithm_t private_key_algorithm(const private_key_t *key)
{
    /* The list of algorithms begins with what is most common for each type of key. */
    unsigned algorithm = 0;
    while (!jwk_fits(&key->jwk, (algorithm_t)algorithm))
        algorithm++;
    return (algorithm_t)algorithm;
}

bool private_key_fits(const private_key_t *key, algorithm_t algorithm)
{
    return jwk_fits(&key->jwk, algorithm);
}

static bool set_oct(json_t *json, const jwk_t *jwk)
{
    char *text = malloc(base64url_encoded_len(jwk->secret_len) + 1);
    if (text == NULL)
        return false;
    base64url_encode(jwk->secret, jwk->secret_len, text);
    bool is_set = json_object_set_new(json, "kty", json_string("oct")) == 0 &&
                  json_object_set_new(json, "k", json_string(text)) == 0;
    OPENSSL_cleanse(text, base64url_encoded_len(jwk->secret_len));
    free(text);
    return is_set;
}

json_t *private_key_to_jwk(const private_key_t *key, bool with_private)
{
    const jwk_t *jwk = &key->jwk;
    json_t *json = json_object();
    bool is_set = json != NULL && json_object_set_new(json, "use", json_string("sig")) == 0;
    if (is_set && jwk->algorithm != ALGORITHM_COUNT)
        is_set = json_object_set_new(json, "alg", json_string(algorithm_name(jwk->algorithm))) == 0;
    if (is_set && jwk->kid.base != NULL)
        is_set = json_object_set_new(json, "kid", json_stringn(jwk->kid.base, jwk->kid.len)) == 0;
    if (is_set && jwk->secret != NULL) {
        is_set = set_oct(json, jwk);
    } else if (is_set) {
        json_t *material = evp_key_to_jwk(key->pkey, with_private);
        is_set = material != NULL && json_object_update(json, material) == 0;
        json_decref(material);
    }
    if (is_set)
        return json;
    json_decref(json);
    return NULL;
}

static bool copy_out(const void *bytes, size_t len, char **out, size_t *out_len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    *out = copy;
    *out_len = len;
    return true;
}

bool private_key_export(const private_key_t *key, char **out, size_t *out_len)
{
    if (key->jwk.secret != NULL)
        return copy_out(key->jwk.secret, key->jwk.secret_len, out, out_len);
    bool is_copied = false;
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(bio, &pem);
        is_copied = len > 0 && copy_out(pem, (size_t)len, out, out_len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return is_copied;
}

#include "jwk_internal.h"

#include "introspectd/json.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

const char JWK_OUT_OF_MEMORY[] = "out of memory";

static const char *const PRIVATE_MEMBERS[] = {"k", "d", "p", "q", "dp", "dq", "qi"};

enum { PRIVATE_MEMBER_COUNT = sizeof(PRIVATE_MEMBERS) / sizeof(PRIVATE_MEMBERS[0]) };

static uint64_t next_number(void)
{
    static atomic_uint_least64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* RFC 7517 section 4.2. */
static const char *check_use(const json_t *json)
{
    const json_t *use = json_object_get(json, "use");
    if (use == NULL || slice_equal(json_get_string(json, "use"), slice_of("sig")))
        return NULL;
    return "`use` is not `sig`";
}

static bool is_repeated(const json_t *array, size_t i)
{
    for (size_t before = 0; before < i; before++) {
        if (json_equal(json_array_get(array, before), json_array_get(array, i)))
            return true;
    }
    return false;
}

/* RFC 7517 section 4.3 registers eight operations; a longer list holds strangers and only costs time. */
enum { KEY_OPS_MAX = 32 };

static const char *check_key_ops(const json_t *json, jwk_purpose_t purpose, bool has_private)
{
    const json_t *operations = json_object_get(json, "key_ops");
    if (operations == NULL)
        return NULL;
    if (!json_is_array(operations) || json_array_size(operations) > KEY_OPS_MAX)
        return "`key_ops` is not a short array";
    bool may_verify = false;
    bool may_sign = false;
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const json_t *operation = json_array_get(operations, i);
        if (!json_is_string(operation))
            return "`key_ops` holds something other than strings";
        if (is_repeated(operations, i))
            return "`key_ops` repeats an operation";
        slice_t name = {json_string_value(operation), json_string_length(operation)};
        may_verify = may_verify || slice_equal(name, slice_of("verify"));
        may_sign = may_sign || slice_equal(name, slice_of("sign"));
    }
    if (purpose == JWK_TO_SIGN)
        return may_sign ? NULL : "`key_ops` does not allow `sign`";
    /* The operations of a private key are those of its private half; its public half then verifies. */
    return may_verify || (has_private && may_sign) ? NULL : "`key_ops` does not allow `verify`";
}

static const char *load_algorithm(const json_t *json, jwk_t *jwk)
{
    const json_t *value = json_object_get(json, "alg");
    if (value == NULL)
        return NULL;
    algorithm_t algorithm = ALGORITHM_COUNT;
    if (!algorithm_from_name(json_get_string(json, "alg"), &algorithm))
        return "`alg` is not a signature algorithm that is verified here";
    if (!algorithm_set_has(jwk->fits, algorithm))
        return "`alg` contradicts the key's type, curve or size";
    /* RFC 8725 section 3.1: one algorithm per key. */
    jwk->algorithm = algorithm;
    jwk->fits = algorithm_set_of(algorithm);
    return NULL;
}

static const char *load_kid(const json_t *json, jwk_t *jwk)
{
    const json_t *value = json_object_get(json, "kid");
    if (value == NULL)
        return NULL;
    slice_t kid = json_get_string(json, "kid");
    if (kid.base == NULL)
        return "`kid` is not a string";
    char *copy = malloc(kid.len + 1);
    if (copy == NULL)
        return JWK_OUT_OF_MEMORY;
    memcpy(copy, kid.base, kid.len);
    copy[kid.len] = '\0';
    jwk->kid = (slice_t){copy, kid.len};
    return NULL;
}

const char *jwk_load(const json_t *json, jwk_purpose_t purpose, jwk_t *out, unsigned *warnings)
{
    if (!json_is_object(json))
        return "not a JSON object";
    bool has_private = json_object_get(json, "d") != NULL;
    unsigned found = has_private ? JWK_WARNING_PRIVATE : 0;
    jwk_t jwk = {.algorithm = ALGORITHM_COUNT};
    const char *error = check_use(json);
    if (error == NULL)
        error = check_key_ops(json, purpose, has_private);
    if (error == NULL)
        error = jwk_load_material(json, &jwk, &found);
    if (error == NULL)
        error = load_algorithm(json, &jwk);
    if (error == NULL)
        error = load_kid(json, &jwk);
    if (error != NULL) {
        jwk_deinit(&jwk);
        ERR_clear_error();
        return error;
    }
    jwk.number = next_number();
    *out = jwk;
    *warnings = found;
    return NULL;
}

void jwk_deinit(jwk_t *jwk)
{
    EVP_PKEY_free(jwk->pkey);
    if (jwk->secret != NULL)
        OPENSSL_cleanse(jwk->secret, jwk->secret_len);
    free(jwk->secret);
    free((char *)jwk->kid.base);
    *jwk = (jwk_t){0};
}

/* An absent kid is not the empty one: tokens find these keys in different ways. */
static bool is_same_kid(slice_t a, slice_t b)
{
    if (a.base == NULL || b.base == NULL)
        return a.base == b.base;
    return slice_equal(a, b);
}

bool jwk_is_same_material(const jwk_t *a, const jwk_t *b)
{
    if (a->secret != NULL || b->secret != NULL)
        return a->secret != NULL && b->secret != NULL && a->secret_len == b->secret_len &&
               CRYPTO_memcmp(a->secret, b->secret, a->secret_len) == 0;
    bool is_same = EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error();
    return is_same;
}

bool jwk_equal(const jwk_t *a, const jwk_t *b)
{
    return is_same_kid(a->kid, b->kid) && a->algorithm == b->algorithm && a->fits == b->fits &&
           a->signature_len == b->signature_len && jwk_is_same_material(a, b);
}

void jwk_cleanse_json(json_t *json)
{
    for (size_t i = 0; i < PRIVATE_MEMBER_COUNT; i++) {
        const json_t *value = json_object_get(json, PRIVATE_MEMBERS[i]);
        if (json_is_string(value))
            OPENSSL_cleanse((char *)json_string_value(value), json_string_length(value));
    }
}

slice_t jwk_kid(const jwk_t *jwk)
{
    return jwk->kid;
}

const char *jwk_describe(const jwk_t *jwk)
{
    return jwk->description;
}

bool jwk_fits(const jwk_t *jwk, algorithm_t algorithm)
{
    return algorithm_set_has(jwk->fits, algorithm);
}

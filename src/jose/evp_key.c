#include "evp_key.h"

#include <openssl/crypto.h>

#include <openssl/err.h>

EVP_PKEY *evp_key_build(const char *type, int selection, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, selection, params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
        ERR_clear_error();
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* More than one step of any key or signature allocates. */
enum { SOME_MEMORY = 16384 };

bool evp_has_memory(void)
{
    void *block = OPENSSL_malloc(SOME_MEMORY);
    OPENSSL_free(block);
    return block != NULL;
}

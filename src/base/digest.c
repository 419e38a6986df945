#include "introspectd/digest.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

struct digester {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

bool digest_seed_random(digest_seed_t *seed)
{
    digest_seed_t fresh;

    if (RAND_priv_bytes(fresh.bytes, sizeof fresh.bytes) != 1)
        return false;
    *seed = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return true;
}

digester_t *digester_new(void)
{
    digester_t *digester = calloc(1, sizeof *digester);

    if (digester == NULL)
        return NULL;
    /* Fetched once: a look-up of the algorithm by name on each call would cost more than the digest. */
    digester->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digester->context = EVP_MD_CTX_new();
    if (digester->sha256 == NULL || digester->context == NULL) {
        digester_free(digester);
        return NULL;
    }
    return digester;
}

void digester_free(digester_t *digester)
{
    if (digester == NULL)
        return;
    EVP_MD_CTX_free(digester->context);
    EVP_MD_free(digester->sha256);
    free(digester);
}

static bool sha256(digester_t *digester, slice_t prefix, slice_t text, digest_t *out)
{
    EVP_MD_CTX *context = digester->context;
    digest_t made;
    bool is_made = EVP_DigestInit_ex2(context, digester->sha256, NULL) == 1 &&
                   (prefix.len == 0 || EVP_DigestUpdate(context, prefix.base, prefix.len) == 1) &&
                   (text.len == 0 || EVP_DigestUpdate(context, text.base, text.len) == 1) &&
                   EVP_DigestFinal_ex(context, made.bytes, NULL) == 1;

    if (is_made)
        *out = made;
    else
        ERR_clear_error(); /* or a TLS connection of this thread would take it for its own */
    return is_made;
}

bool digest_keyed(digester_t *digester, const digest_seed_t *seed, uint64_t label, slice_t text,
                  digest_t *out)
{
    unsigned char prefix[DIGEST_SEED_SIZE + 8];
    bool done;

    memcpy(prefix, seed->bytes, DIGEST_SEED_SIZE);
    for (unsigned i = 0; i < 8; i++)
        prefix[DIGEST_SEED_SIZE + i] = (unsigned char)(label >> (8 * i));
    done = sha256(digester, (slice_t){(const char *)prefix, sizeof prefix}, text, out);
    OPENSSL_cleanse(prefix, sizeof prefix);
    return done;
}

void digest_name(digester_t *digester, slice_t text, char out[DIGEST_NAME_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    digest_t digest;

    if (!sha256(digester, (slice_t){NULL, 0}, text, &digest)) {
        memcpy(out, "-", 2);
        return;
    }
    for (size_t i = 0; i < (DIGEST_NAME_SIZE - 1) / 2; i++) {
        out[2 * i] = hex[digest.bytes[i] >> 4];
        out[2 * i + 1] = hex[digest.bytes[i] & 15];
    }
    out[DIGEST_NAME_SIZE - 1] = '\0';
}

bool digest_equal(const digest_t *a, const digest_t *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

#include "introspectd/lookup_digest.h"

#include <assert.h>
#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128_t;

/* A pair is what NH multiplies; the first one of a text is its length and label. */
enum {
    WORD_BYTES = 8,
    PAIR_BYTES = 2 * WORD_BYTES,
    STEP_BYTES = 2 * PAIR_BYTES,
    MAX_PAIRS = 1 + LOOKUP_DIGEST_FAST_BYTES / PAIR_BYTES,
    SHIFT_WORDS = 2,
    KEY_WORDS = 2 * MAX_PAIRS + SHIFT_WORDS,
    CIPHER_KEY_BYTES = 16
};

struct lookup_digester {
    uint64_t key[KEY_WORDS];
    EVP_CIPHER_CTX *cipher;
    digest_seed_t seed; /* with digester: for long texts */
    digester_t *digester;
};

typedef struct key_material {
    uint64_t words[KEY_WORDS];
    unsigned char cipher_key[CIPHER_KEY_BYTES];
} key_material_t;

/* Starts ctx over with an algorithm that needs no padding. */
static bool start_cipher(EVP_CIPHER_CTX *ctx, const char *name, const unsigned char *key)
{
    static const unsigned char zero_iv[EVP_MAX_IV_LENGTH];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    bool has_started = cipher != NULL && EVP_EncryptInit_ex2(ctx, cipher, key, zero_iv, NULL) == 1 &&
                       EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;

    EVP_CIPHER_free(cipher);
    return has_started;
}

/* The key stream of AES-256 in counter mode is what a seed becomes. */
static bool expand(EVP_CIPHER_CTX *ctx, const digest_seed_t *seed, key_material_t *out)
{
    int len = 0;

    static_assert(DIGEST_SEED_SIZE == 32, "a seed is a key of AES-256");
    memset(out, 0, sizeof *out);
    return start_cipher(ctx, "AES-256-CTR", seed->bytes) &&
           EVP_EncryptUpdate(ctx, (unsigned char *)out, &len, (const unsigned char *)out, sizeof *out) == 1 &&
           len == (int)sizeof *out;
}

static bool set_keys(lookup_digester_t *digester, const digest_seed_t *seed)
{
    key_material_t material;
    bool is_set = expand(digester->cipher, seed, &material) &&
                  start_cipher(digester->cipher, "AES-128-ECB", material.cipher_key);

    if (is_set)
        memcpy(digester->key, material.words, sizeof digester->key);
    OPENSSL_cleanse(&material, sizeof material);
    return is_set;
}

lookup_digester_t *lookup_digester_new(const digest_seed_t *seed)
{
    lookup_digester_t *digester = calloc(1, sizeof *digester);

    if (digester == NULL)
        return NULL;
    digester->seed = *seed;
    digester->cipher = EVP_CIPHER_CTX_new();
    digester->digester = digester_new();
    if (digester->cipher == NULL || digester->digester == NULL || !set_keys(digester, seed)) {
        lookup_digester_free(digester);
        ERR_clear_error();
        return NULL;
    }
    return digester;
}

void lookup_digester_free(lookup_digester_t *digester)
{
    if (digester == NULL)
        return;
    EVP_CIPHER_CTX_free(digester->cipher);
    digester_free(digester->digester);
    OPENSSL_cleanse(digester, sizeof *digester);
    free(digester);
}

static uint64_t read_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* The word at offset of a text that ends within it or before it, with zeros behind the end. */
static uint64_t read_last_word(slice_t text, size_t offset)
{
    if (offset >= text.len)
        return 0;
    size_t len = text.len - offset;
    if (len >= WORD_BYTES)
        return read_word(text.base + offset);
    /* Read together with what stands before it, which is then shifted out. */
    if (text.len >= WORD_BYTES)
        return read_word(text.base + text.len - WORD_BYTES) >> (8 * (WORD_BYTES - len));
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)text.base[offset + i] << (8 * i);
    return word;
}

typedef struct sums {
    uint128_t first;
    uint128_t second;
} sums_t;

static inline void add_pair(sums_t *sums, const uint64_t *key, uint64_t left, uint64_t right)
{
    sums->first += (uint128_t)(left + key[0]) * (right + key[1]);
    sums->second += (uint128_t)(left + key[SHIFT_WORDS]) * (right + key[SHIFT_WORDS + 1]);
}

/* Length and label come in as the first pair, so a text and the same with zeros behind it are not alike. */
static sums_t nh(const uint64_t *key, uint64_t label, slice_t text)
{
    sums_t even = {0};
    sums_t odd = {0};
    size_t at = 0;

    add_pair(&even, key, text.len, label);
    key += 2;
    /* Two chains of additions: one would wait for each other's end. */
    for (; at + STEP_BYTES <= text.len; at += STEP_BYTES, key += 4) {
        const char *base = text.base + at;
        add_pair(&even, key, read_word(base), read_word(base + WORD_BYTES));
        add_pair(&odd, key + 2, read_word(base + PAIR_BYTES), read_word(base + PAIR_BYTES + WORD_BYTES));
    }
    for (; at < text.len; at += PAIR_BYTES, key += 2)
        add_pair(&odd, key, read_last_word(text, at), read_last_word(text, at + WORD_BYTES));
    return (sums_t){even.first + odd.first, even.second + odd.second};
}

/* Adding what went in makes it a function that the key does not turn around. */
static bool encrypt(EVP_CIPHER_CTX *cipher, const sums_t *sums, digest_t *out)
{
    unsigned char encrypted[DIGEST_SIZE];
    unsigned char plain[DIGEST_SIZE];
    int len = 0;

    static_assert(sizeof *sums == DIGEST_SIZE, "two blocks of AES");
    memcpy(plain, sums, sizeof plain);
    if (EVP_EncryptUpdate(cipher, encrypted, &len, plain, DIGEST_SIZE) != 1 || len != DIGEST_SIZE) {
        ERR_clear_error();
        return false;
    }
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        out->bytes[i] = encrypted[i] ^ plain[i];
    return true;
}

bool lookup_digest(lookup_digester_t *digester, uint64_t label, slice_t text, digest_t *out)
{
    if (text.len > LOOKUP_DIGEST_FAST_BYTES)
        return digest_keyed(digester->digester, &digester->seed, label, text, out);
    sums_t sums = nh(digester->key, label, text);
    return encrypt(digester->cipher, &sums, out);
}

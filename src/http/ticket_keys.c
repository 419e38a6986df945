#include "ticket_keys.h"

#include "introspectd/clock.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct ticket_key {
    unsigned char name[TICKET_KEY_NAME_SIZE];
    unsigned char cipher_key[32];
    unsigned char mac_key[32];
} ticket_key_t;

struct ticket_keys {
    atomic_uint references;
    int64_t lifetime_s;
    pthread_mutex_t mutex;
    /* Under the mutex: */
    ticket_key_t current;  /* seals and opens */
    ticket_key_t previous; /* opens */
    bool has_previous;
    int64_t current_since_ms;
};

static bool make_key(ticket_key_t *key)
{
    return RAND_bytes(key->name, sizeof(key->name)) == 1 &&
           RAND_priv_bytes(key->cipher_key, sizeof(key->cipher_key)) == 1 &&
           RAND_priv_bytes(key->mac_key, sizeof(key->mac_key)) == 1;
}

ticket_keys_t *ticket_keys_new(int64_t lifetime_s)
{
    ticket_keys_t *keys = calloc(1, sizeof(*keys));
    if (keys == NULL)
        return NULL;
    atomic_init(&keys->references, 1);
    keys->lifetime_s = lifetime_s;
    keys->current_since_ms = clock_monotonic_ms();
    if (!make_key(&keys->current) || pthread_mutex_init(&keys->mutex, NULL) != 0) {
        OPENSSL_cleanse(&keys->current, sizeof(keys->current));
        free(keys);
        return NULL;
    }
    return keys;
}

ticket_keys_t *ticket_keys_acquire(ticket_keys_t *keys)
{
    atomic_fetch_add(&keys->references, 1);
    return keys;
}

void ticket_keys_release(ticket_keys_t *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->references, 1) != 1)
        return;
    pthread_mutex_destroy(&keys->mutex);
    OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
}

int64_t ticket_keys_lifetime_s(const ticket_keys_t *keys)
{
    return keys->lifetime_s;
}

/* Brings the keys to what they must be now. False without random numbers; then no key is used beyond its
 * time. */
static bool rotate(ticket_keys_t *keys)
{
    const int64_t lifetime_ms = keys->lifetime_s * 1000;
    int64_t age_ms = clock_monotonic_ms() - keys->current_since_ms;
    if (age_ms < lifetime_ms)
        return true;
    ticket_key_t next;
    bool is_made = make_key(&next);
    if (is_made) {
        /* After a long silence the current key opens no more either. */
        keys->has_previous = age_ms < 2 * lifetime_ms;
        if (keys->has_previous)
            keys->previous = keys->current;
        else
            OPENSSL_cleanse(&keys->previous, sizeof(keys->previous));
        keys->current = next;
        keys->current_since_ms += keys->has_previous ? lifetime_ms : age_ms;
    }
    OPENSSL_cleanse(&next, sizeof(next));
    return is_made;
}

static bool set_mac(EVP_MAC_CTX *mac, ticket_key_t *key)
{
    static char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key, sizeof(key->mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static ticket_keys_result_t seal(ticket_keys_t *keys, unsigned char *name, unsigned char *iv,
                                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    ticket_key_t *key = &keys->current;
    if (!rotate(keys) || RAND_bytes(iv, TICKET_IV_SIZE) != 1 ||
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher_key, iv) != 1 || !set_mac(mac, key))
        return TICKET_KEYS_FAILED;
    memcpy(name, key->name, TICKET_KEY_NAME_SIZE);
    return TICKET_KEYS_READY;
}

static ticket_key_t *find(ticket_keys_t *keys, const unsigned char *name)
{
    if (memcmp(name, keys->current.name, TICKET_KEY_NAME_SIZE) == 0)
        return &keys->current;
    if (keys->has_previous && memcmp(name, keys->previous.name, TICKET_KEY_NAME_SIZE) == 0)
        return &keys->previous;
    return NULL;
}

static ticket_keys_result_t open_ticket(ticket_keys_t *keys, const unsigned char *name,
                                        const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    if (!rotate(keys))
        return TICKET_KEYS_FAILED;
    ticket_key_t *key = find(keys, name);
    if (key == NULL)
        return TICKET_KEYS_UNKNOWN;
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher_key, iv) != 1 || !set_mac(mac, key))
        return TICKET_KEYS_FAILED;
    return key == &keys->current ? TICKET_KEYS_READY : TICKET_KEYS_RENEW;
}

ticket_keys_result_t ticket_keys_seal(ticket_keys_t *keys, unsigned char name[TICKET_KEY_NAME_SIZE],
                                      unsigned char iv[TICKET_IV_SIZE], EVP_CIPHER_CTX *cipher,
                                      EVP_MAC_CTX *mac)
{
    pthread_mutex_lock(&keys->mutex);
    ticket_keys_result_t result = seal(keys, name, iv, cipher, mac);
    pthread_mutex_unlock(&keys->mutex);
    return result;
}

ticket_keys_result_t ticket_keys_open(ticket_keys_t *keys, const unsigned char name[TICKET_KEY_NAME_SIZE],
                                      const unsigned char iv[TICKET_IV_SIZE], EVP_CIPHER_CTX *cipher,
                                      EVP_MAC_CTX *mac)
{
    pthread_mutex_lock(&keys->mutex);
    ticket_keys_result_t result = open_ticket(keys, name, iv, cipher, mac);
    pthread_mutex_unlock(&keys->mutex);
    return result;
}

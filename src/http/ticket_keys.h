/*
 * ticket_keys: the keys under which the session tickets of a listener are sealed (RFC 5077, RFC 8446 section
 * 4.6.1), exchanged as time goes by (RFC 9325 section 3.4: tickets are only as good as their keys are fresh).
 *
 * A key seals for one lifetime and opens for one more, so that a ticket can be used for one lifetime at
 * least. Keys are exchanged at the first use that finds them due; a key that goes is wiped. Any thread.
 */
#ifndef INTROSPECTD_HTTP_TICKET_KEYS_H
#define INTROSPECTD_HTTP_TICKET_KEYS_H

#include <openssl/evp.h>
#include <stdint.h>

enum { TICKET_KEY_NAME_SIZE = 16, TICKET_IV_SIZE = 16 };

typedef struct ticket_keys ticket_keys_t;

/* NULL without memory or random numbers. The caller holds the only reference. */
ticket_keys_t *ticket_keys_new(int64_t lifetime_s) __attribute__((warn_unused_result));
/* One more reference; gives keys. */
ticket_keys_t *ticket_keys_acquire(ticket_keys_t *keys);
/* Wipes and frees with the last reference. NULL is legal. */
void ticket_keys_release(ticket_keys_t *keys);

int64_t ticket_keys_lifetime_s(const ticket_keys_t *keys);

/* What came of a ticket: the values that OpenSSL's callback for ticket keys gives. */
typedef enum ticket_keys_result {
    TICKET_KEYS_FAILED = -1,
    TICKET_KEYS_UNKNOWN = 0, /* no key of that name, or no longer */
    TICKET_KEYS_READY = 1,
    TICKET_KEYS_RENEW = 2 /* it opens, under a key that no longer seals */
} ticket_keys_result_t;

/* Readies cipher (AES-256-CBC) and mac (HMAC-SHA256) to seal a ticket, and writes the key's name and a fresh
 * iv: READY or FAILED. */
ticket_keys_result_t ticket_keys_seal(ticket_keys_t *keys, unsigned char name[TICKET_KEY_NAME_SIZE],
                                      unsigned char iv[TICKET_IV_SIZE], EVP_CIPHER_CTX *cipher,
                                      EVP_MAC_CTX *mac) __attribute__((warn_unused_result));

/* Readies them to open the ticket that names a key and an iv. */
ticket_keys_result_t ticket_keys_open(ticket_keys_t *keys, const unsigned char name[TICKET_KEY_NAME_SIZE],
                                      const unsigned char iv[TICKET_IV_SIZE], EVP_CIPHER_CTX *cipher,
                                      EVP_MAC_CTX *mac) __attribute__((warn_unused_result));

#endif

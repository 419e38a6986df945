/* key_updates: a bound on how often a client of a TLS 1.3 connection changes its keys. */
#ifndef INTROSPECTD_HTTP_KEY_UPDATES_H
#define INTROSPECTD_HTTP_KEY_UPDATES_H

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * Good clients change keys after some 2^24 records (RFC 8446 section 5.5), if ever. Each change costs the
 * server a decryption and a derivation, and the client a few dozen bytes.
 */
enum { KEY_UPDATES_MAX = 16 };

/* On connections of context, reading fails behind the KEY_UPDATES_MAX-th change. False without memory. */
bool key_updates_bound(SSL_CTX *context) __attribute__((warn_unused_result));

#endif

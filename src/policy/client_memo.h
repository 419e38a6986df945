/*
 * client_memo: which Authorization headers proved which client, so that a caller who comes again costs one
 * digest instead of Base64, a search and a digest of the secret.
 *
 * Headers are known by their keyed digest alone. A memo is bounded, belongs to one thread, and to the client
 * set whose clients it names.
 */
#ifndef INTROSPECTD_POLICY_CLIENT_MEMO_H
#define INTROSPECTD_POLICY_CLIENT_MEMO_H

#include "introspectd/client.h"

enum { CLIENT_MEMO_PLACES = 64 };

/* Zero-initialised it is empty. */
typedef struct client_memo {
    struct {
        digest_t header;
        const client_t *client; /* NULL: the place is free */
    } places[CLIENT_MEMO_PLACES];
} client_memo_t;

/* The client that the header of this digest proved, NULL when it is not remembered. */
const client_t *client_memo_get(const client_memo_t *memo, const digest_t *header);

/* Remembers it, in place of another header if need be. */
void client_memo_put(client_memo_t *memo, const digest_t *header, const client_t *client);

#endif

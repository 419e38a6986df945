/*
 * client: who is asking? The callers of the endpoint and their credentials (RFC 6749 section 2.3.1).
 *
 * Secrets are kept and compared as keyed digests in constant time, and an unknown client_id costs the same as
 * a wrong secret. A client set is built with the config and immutable then; any thread may authenticate with
 * a digester of its own.
 */
#ifndef INTROSPECTD_CLIENT_H
#define INTROSPECTD_CLIENT_H

#include "introspectd/digest.h"
#include "introspectd/mapping.h"
#include "introspectd/profile.h"

enum { CLIENT_MAX_SECRETS = 4, CLIENT_MAX_ID_BYTES = 255, CLIENT_MAX_SECRET_BYTES = 1024 };

typedef struct client {
    char *client_id;
    size_t index; /* place in the set */
    profile_t profile;
    int inactive_status;
    mapping_t *mapping;                   /* the profile's members and the config's `fields` */
    bool *issuer_is_allowed;              /* by index into the config's issuers */
    digest_t secrets[CLIENT_MAX_SECRETS]; /* unused places hold random digests */
} client_t;

typedef struct client_set {
    client_t *clients; /* sorted by client_id once client_set_finish ran; owned, and all in them */
    size_t count;
    digest_seed_t seed;                  /* of the secrets' digests */
    digest_t decoys[CLIENT_MAX_SECRETS]; /* what an unknown client_id is compared with */
} client_set_t;

/* Draws the seed and the decoys. False when the system gives no random numbers. */
bool client_set_init(client_set_t *set) __attribute__((warn_unused_result));
/* A zero-initialised set is legal. */
void client_set_deinit(client_set_t *set);

/* Fills client->secrets: digests of the given secrets (1 to CLIENT_MAX_SECRETS), random digests in the other
 * places. False when count is out of range, a secret is empty or over CLIENT_MAX_SECRET_BYTES, or OpenSSL
 * fails. */
bool client_set_secrets(const client_set_t *set, client_t *client, digester_t *digester,
                        const slice_t *secrets, size_t count) __attribute__((warn_unused_result));

/* Sorts the clients and numbers them: call once, when all are in. */
void client_set_finish(client_set_t *set);

/* The client of that id, NULL when there is none. */
const client_t *client_set_find(const client_set_t *set, slice_t client_id);

/*
 * Credentials as a request gave them. Basic has two spellings: RFC 6749 section 2.3.1 has id and secret
 * form-encoded before Base64, many callers send them raw. Both are tried when they differ.
 */
typedef struct client_credentials {
    slice_t client_id;
    slice_t client_secret;
    slice_t decoded_client_id; /* absent when there is no second spelling */
    slice_t decoded_client_secret;
} client_credentials_t;

typedef enum client_basic {
    CLIENT_BASIC_OK,
    CLIENT_BASIC_OTHER_SCHEME, /* the header is of another scheme */
    CLIENT_BASIC_MALFORMED     /* not base64, no colon, an empty id, a control character, or too long */
} client_basic_t;

/* Room for client_parse_basic: both spellings of the longest credentials. */
enum { CLIENT_BASIC_BUFFER_SIZE = 8192 };

/*
 * Reads the value of an Authorization header (RFC 7617 section 2; the scheme's case does not matter). *out
 * borrows from buffer, of CLIENT_BASIC_BUFFER_SIZE bytes, which the caller cleanses when done: no more than
 * the first two bytes for each byte of header_value are written to.
 */
client_basic_t client_parse_basic(slice_t header_value, char *buffer, client_credentials_t *out)
    __attribute__((warn_unused_result));

/* The client that these credentials prove, NULL when they prove none. */
const client_t *client_authenticate(const client_set_t *set, digester_t *digester,
                                    const client_credentials_t *credentials)
    __attribute__((warn_unused_result));

#endif

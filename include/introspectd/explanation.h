/*
 * explanation: what becomes of one token, and why, for operators: as JSON for machines and as text for
 * people.
 *
 * Nothing in it is cached, and neither the token nor its signature is part of it; claims are. The thread of
 * its worker.
 */
#ifndef INTROSPECTD_EXPLANATION_H
#define INTROSPECTD_EXPLANATION_H

#include "introspectd/digest.h"
#include "introspectd/introspect.h"

#include <stdio.h>

/* The decision for one client. */
typedef struct explained_client {
    const client_t *client; /* borrowed */
    introspect_story_t story;
} explained_client_t;

typedef struct explanation {
    char token_name[DIGEST_NAME_SIZE]; /* digest_name */
    int64_t now_s;                     /* what it was decided by */
    size_t headline; /* the client whose decision came furthest: it says most of the token */
    size_t client_count;
    explained_client_t clients[];
} explanation_t;

/* The token without white space around it, which a shell's pipe or a person's hand adds. */
slice_t explanation_trim(slice_t text);

/* Decides token for each of clients (one at least), which are borrowed. NULL when memory cannot be had. */
explanation_t *explanation_new(introspect_worker_t *worker, slice_t token, const client_t *clients,
                               size_t client_count, int64_t now_s) __attribute__((warn_unused_result));
/* NULL is legal. */
void explanation_free(explanation_t *explanation);

/* Whether the token is active for one client at least. */
bool explanation_is_active(const explanation_t *explanation);

/* "active", "inactive" or "unavailable"; static. */
const char *explanation_verdict(const explained_client_t *explained);
/* The HTTP status that the client would get. */
int explanation_status(const explained_client_t *explained);
/* The body that the client would get. The caller releases it; NULL when memory cannot be had. */
json_t *explanation_answer(const explained_client_t *explained) __attribute__((warn_unused_result));
/* A date claim as whole seconds; false when it is no number that a date can be. */
bool explanation_date(const json_t *payload, const char *claim, int64_t *out)
    __attribute__((warn_unused_result));

enum { EXPLANATION_DISTANCE_SIZE = 64 };

/* "in 4 minutes", "2 hours ago": the largest unit that is there once at least. NUL-terminated. */
void explanation_distance(int64_t time_s, int64_t now_s, char out[EXPLANATION_DISTANCE_SIZE]);

/*
 * A new object: the headline's "client", "profile", "active", "verdict", "reason", "missing_member" (or
 * null), "status" and "answer"; of the token "token" (its name), "issuer", "algorithm", "typ", "kid" and
 * "key" (each a string or null), "signature_is_good", and "times" with those of "iat", "nbf" and "exp" that
 * it has, in RFC 3339; "clients", an array with the first eight for each client. NULL when memory cannot be
 * had.
 */
json_t *explanation_to_json(const explanation_t *explanation) __attribute__((warn_unused_result));

/* Writes it for people, a few lines. False when memory cannot be had; what the stream cannot take shows in
 * its error. */
bool explanation_print(const explanation_t *explanation, FILE *out) __attribute__((warn_unused_result));

#endif

/*
 * refresher: fetches the key sets of issuers and keeps them fresh, on a thread of its own.
 *
 * A source is fetched at once, then again before what it sent goes stale (RFC 9111 section 4.2), and when a
 * token names a key that is not there; never twice at a time. While its provider fails the last good set
 * stays, up to stale_max. Each set is put into the source's slot, which is all that the request threads see.
 *
 * One log line for each change of a set, for each failed attempt, and for keys that are given up. URLs are
 * logged without their query.
 */
#ifndef INTROSPECTD_REFRESHER_H
#define INTROSPECTD_REFRESHER_H

#include "introspectd/keyset_slot.h"

typedef struct refresher refresher_t;

/* Where the keys of one issuer come from. */
typedef struct key_source_settings {
    const char *issuer;
    const char
        *jwks_url; /* NULL: discovered from the issuer (OpenID Connect Discovery 1.0 section 4, RFC 8414) */
    bool allow_http;
    const char *ca_file;        /* PEM; NULL: the system's authorities */
    algorithm_set_t algorithms; /* a set is good only if a key of it fits one of these */
    int64_t connect_timeout_s;
    int64_t fetch_timeout_s; /* of one request */
    size_t max_bytes;        /* of one response's body */
    int64_t refresh_min_s;   /* bounds of the time between two fetches, whatever the provider says */
    int64_t refresh_max_s;
    int64_t cooldown_s;  /* between two fetches that unknown keys cause */
    int64_t stale_max_s; /* how long keys are used after they were last known to be current */
} key_source_settings_t;

/* One refresher a process. It takes a thread and libcurl when the first source is opened. NULL when memory
 * cannot be had. */
refresher_t *refresher_new(void) __attribute__((warn_unused_result));
/* Ends the thread and what it fetches. Nobody may use a slot of it any more. NULL is legal. */
void refresher_free(refresher_t *refresher);

/*
 * The slot of the source with these settings, acquired: the one that there is, if its settings are the same,
 * else a new one. A new one of the same issuer and the same place starts with the keys that the old one has.
 * A source ends when nobody but the refresher holds its slot. settings is copied. NULL when memory, libcurl
 * or a thread cannot be had. Any thread.
 */
keyset_slot_t *refresher_open(refresher_t *refresher, const key_source_settings_t *settings)
    __attribute__((warn_unused_result));

/* Whether every source has been tried once. Any thread. */
bool refresher_is_settled(refresher_t *refresher);

#endif

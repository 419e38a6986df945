/*
 * introspect: the decision. A token and the client that asks go in, a verdict with a reason and an answer
 * come out.
 *
 * An introspector is one config with the verdicts that were decided under it, shared by all threads and
 * counted. Another config is another introspector, so that nothing decided under the old one is served under
 * the new one. What a thread needs for itself, OpenSSL's contexts and buffers, is an introspect_worker_t,
 * which belongs to one thread at a time.
 */
#ifndef INTROSPECTD_INTROSPECT_H
#define INTROSPECTD_INTROSPECT_H

#include "introspectd/cache.h"
#include "introspectd/claims.h"
#include "introspectd/config.h"
#include "introspectd/reason.h"

typedef struct introspector introspector_t;
typedef struct introspect_worker introspect_worker_t;

/* Takes config over, whose issuers all must have a slot for keys. NULL when memory cannot be had; config is
 * then still the caller's. */
introspector_t *introspector_new(config_t *take_config) __attribute__((warn_unused_result));
/* Counts one more holder; gives introspector back. Any thread. */
introspector_t *introspector_acquire(introspector_t *introspector);
/* Drops one holder; the last frees it with its config. Any thread. NULL is legal. */
void introspector_release(introspector_t *introspector);
const config_t *introspector_config(const introspector_t *introspector);

typedef struct introspect_cache_stats {
    cache_stats_t active;
    cache_stats_t inactive;
} introspect_cache_stats_t;

/* Of its two caches, for metrics. Any thread. */
void introspector_get_cache_stats(const introspector_t *introspector, introspect_cache_stats_t *stats);

/* Holds introspector until it is freed. NULL when memory or OpenSSL fails. */
introspect_worker_t *introspect_worker_new(introspector_t *introspector) __attribute__((warn_unused_result));
void introspect_worker_free(introspect_worker_t *worker);
/* Borrowed from worker. */
const config_t *introspect_worker_config(const introspect_worker_t *worker);

/* The client that credentials prove, NULL when they prove none. */
const client_t *introspect_authenticate(introspect_worker_t *worker, const client_credentials_t *credentials)
    __attribute__((warn_unused_result));

/*
 * The client that an Authorization header's value proves by Basic (RFC 7617), NULL when it proves none. A
 * value that proved one is remembered by its keyed digest, and costs no more than that while it has its
 * place.
 */
const client_t *introspect_authenticate_basic(introspect_worker_t *worker, slice_t authorization)
    __attribute__((warn_unused_result));

/*
 * The client that the value is remembered to have proved, NULL when it is not, which says nothing about it:
 * what introspect_authenticate_basic begins with, by itself.
 */
const client_t *introspect_recall_basic(introspect_worker_t *worker, slice_t authorization)
    __attribute__((warn_unused_result));

/* The client that the value names, whether it proves it or not. NULL when it names none of ours. */
const client_t *introspect_named_by_basic(introspect_worker_t *worker, slice_t authorization)
    __attribute__((warn_unused_result));

typedef enum introspect_outcome {
    INTROSPECT_ACTIVE,
    INTROSPECT_INACTIVE,
    INTROSPECT_UNAVAILABLE /* no verdict: REASON_KEYS_UNAVAILABLE or REASON_INTERNAL_ERROR */
} introspect_outcome_t;

enum { INTROSPECT_KID_SIZE = 64, INTROSPECT_MAX_ANSWER = 16384 };

/* What was decided. Valid until the next call with the same worker. */
typedef struct introspect_verdict {
    introspect_outcome_t outcome;
    reason_t reason;               /* REASON_NONE when active */
    const config_issuer_t *issuer; /* NULL when the token names none of ours */
    /* The token's, cut to fit on a character's boundary; empty when it has none, or active and from the
     * cache. */
    char kid[INTROSPECT_KID_SIZE];
    bool is_from_cache;
    slice_t answer; /* the introspection response (RFC 7662 section 2.2), for active and inactive verdicts */
} introspect_verdict_t;

/*
 * Looks for an answer in the cache alone. True with *verdict when there is one; it costs one digest and at
 * most two look-ups. Otherwise false, and *key is what introspect_decide wants.
 */
bool introspect_lookup(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                       digest_t *key, introspect_verdict_t *verdict) __attribute__((warn_unused_result));

/*
 * Decides by verifying the token, and keeps what was decided under key, which introspect_lookup gave for the
 * token. Where newer keys could turn the verdict (the token names a key that is not there, or names none and
 * no key that is there made it), newer ones are asked for; introspect_lookup does the same when it finds such
 * a verdict. Its JSON lies in the arena of json.h, which must not be open.
 */
void introspect_decide(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                       const digest_t *key, introspect_verdict_t *verdict);

/* The token's name for logs: digest_name. */
void introspect_token_name(introspect_worker_t *worker, slice_t token, char out[DIGEST_NAME_SIZE]);

/*
 * The whole story of one decision, for `explain`; nothing is cached. The caller calls
 * introspect_story_deinit.
 */
typedef struct introspect_story {
    introspect_outcome_t outcome;
    reason_t reason;
    const config_issuer_t *issuer;
    json_t *header;      /* NULL when unreadable */
    slice_t kid;         /* the token's, borrowed from header; absent when it has none */
    json_t *payload;     /* NULL when unreadable; not to be trusted unless signature_is_good */
    const char *key;     /* what the verifying key is ("RSA 2048"), borrowed from keys; NULL when none did */
    keyset_t *keys;      /* the issuer's keys at that moment; NULL when it did not come so far */
    uint64_t generation; /* of these keys, see keyset_slot.h; 0 when it did not come so far */
    bool signature_is_good;
    claims_times_t times;       /* exp_s is 0 when unreadable */
    const char *missing_member; /* with REASON_MAPPING_MISSING; borrowed from the config */
    json_t *answer;             /* NULL unless active */
} introspect_story_t;

void introspect_tell(introspect_worker_t *worker, const client_t *client, slice_t token, int64_t now_s,
                     introspect_story_t *story);
void introspect_story_deinit(introspect_story_t *story);

#endif

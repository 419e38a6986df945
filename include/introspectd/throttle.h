/*
 * throttle: how many failed authentications are free before the answer is 429 (RFC 6585 section 4).
 *
 * A failure is charged to two buckets: that of the peer's address (ip_address_of_host's) and
 * that of the client that was named, if there is one of that id. A bucket holds
 * `limits.failed_authentications` failures and is refilled evenly over one minute. An empty one locks no
 * right credential out: it is for the caller of these functions to evaluate the first credentials of every
 * connection, and to ask throttle_refuses only for a peer whose attempt failed on the same connection while
 * a bucket was empty.
 *
 * State is bounded, and known by keyed digests alone. Where there are more addresses than places, the fullest
 * bucket makes room; clients have a table of their own with room for all that a config may have. It belongs
 * to no config, so it lives on across reloads. All functions may be called from any thread.
 */
#ifndef INTROSPECTD_THROTTLE_H
#define INTROSPECTD_THROTTLE_H

#include "introspectd/ip_address.h"
#include "introspectd/slice.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct throttle throttle_t;

/* NULL when memory, OpenSSL or random numbers cannot be had. */
throttle_t *throttle_new(void) __attribute__((warn_unused_result));
/* NULL is legal. */
void throttle_free(throttle_t *throttle);

/* Who tries to authenticate. */
typedef struct throttle_attempt {
    ip_address_t peer;          /* the none: no address to charge */
    slice_t client_id;          /* absent: no client of ours was named */
    unsigned failures_a_minute; /* of the present config; 0: nothing is throttled */
    int64_t now_ms;             /* clock_monotonic_ms */
} throttle_attempt_t;

/*
 * For credentials on a connection that had a failed attempt while a bucket was empty: 0 when they are to be
 * evaluated all the same, since both buckets have room. Else they are to be refused without being evaluated,
 * with 429 and a Retry-After of so many seconds. Charges nothing.
 */
unsigned throttle_refuses(throttle_t *throttle, const throttle_attempt_t *attempt)
    __attribute__((warn_unused_result));

/*
 * Charges a failed authentication. 0 when both buckets had room: the answer is 401. Else it is 429 with a
 * Retry-After of so many seconds, and the connection is one where an attempt failed.
 */
unsigned throttle_charge(throttle_t *throttle, const throttle_attempt_t *attempt)
    __attribute__((warn_unused_result));

#endif

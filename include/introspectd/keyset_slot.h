/*
 * keyset_slot: where an issuer's current key set stands.
 *
 * Whoever decides takes a counted copy of the set while whoever fetches puts a newer one in its place. The
 * slot also carries messages between the two: that a token names a key which is not there, and what is wrong
 * with the keys. Counted; every function may be called from any thread.
 */
#ifndef INTROSPECTD_KEYSET_SLOT_H
#define INTROSPECTD_KEYSET_SLOT_H

#include "introspectd/keyset.h"

typedef struct keyset_slot keyset_slot_t;

/* Told once when a newer set is wanted. May be called from any thread, and must return at once. */
typedef void keyset_slot_wake_cb(void *data);

/*
 * Takes the set over (NULL: no keys yet). wake is what keyset_slot_want calls; NULL for keys that nobody
 * fetches. NULL when memory cannot be had; the set is then still the caller's.
 */
keyset_slot_t *keyset_slot_new(keyset_t *take_keyset, keyset_slot_wake_cb *wake, void *wake_data)
    __attribute__((warn_unused_result));
/* Counts one more holder; gives slot back. */
keyset_slot_t *keyset_slot_acquire(keyset_slot_t *slot);
/* Drops one holder; the last frees it. NULL is legal. */
void keyset_slot_release(keyset_slot_t *slot);
/* The number of holders at this moment. */
size_t keyset_slot_holders(const keyset_slot_t *slot);

/* The current set, acquired: release it. NULL when there is none. */
keyset_t *keyset_slot_acquire_keys(keyset_slot_t *slot) __attribute__((warn_unused_result));

/*
 * Puts take_keyset (NULL: none) in the place of the current set, which is released, and counts the generation
 * up after: a verdict that was decided under the current generation was decided with the current keys, if the
 * generation was read before the keys were taken.
 */
void keyset_slot_set_keys(keyset_slot_t *slot, keyset_t *take_keyset);
uint64_t keyset_slot_generation(const keyset_slot_t *slot);

/* Whether somebody fetches these keys, so that a verdict about an unknown key may change any time. */
bool keyset_slot_is_fetched(const keyset_slot_t *slot);

/* Asks for a newer set: a token names a key that is not there. Costs one atomic read until the wish is taken.
 */
void keyset_slot_want(keyset_slot_t *slot);
bool keyset_slot_is_wanted(const keyset_slot_t *slot);
/* Takes the wish: the next keyset_slot_want wakes again. */
void keyset_slot_take_want(keyset_slot_t *slot);

enum { KEYSET_SLOT_PROBLEM_SIZE = 512 };

/* For supervisors. */
typedef struct keyset_slot_status {
    size_t key_count;
    int64_t changed_s;                      /* when the keys became what they are */
    int64_t refreshed_s;                    /* when the keys were last known to be current */
    uint64_t attempts;                      /* to get newer ones */
    uint64_t failures;                      /* of these */
    char problem[KEYSET_SLOT_PROBLEM_SIZE]; /* why the last attempt to get newer ones failed; empty when it
                                               did not */
} keyset_slot_status_t;

void keyset_slot_get_status(keyset_slot_t *slot, keyset_slot_status_t *status);
/* Neither has usable keys: slot lacks them since predecessor did. */
void keyset_slot_keep_time(keyset_slot_t *slot, keyset_slot_t *predecessor);
/* An attempt has ended. problem is cut to fit; NULL: the keys were found to be current now. */
void keyset_slot_set_outcome(keyset_slot_t *slot, const char *problem);

#endif

/*
 * key_source: one issuer's keys, from where they are fetched to the slot that they are put into.
 *
 * An attempt is one request after the other: the metadata documents if the place has to be discovered, then
 * the JWK Set. Its first failure ends it, and leaves the keys as they are until they are stale. All functions
 * belong to the refresher's thread but for those that say otherwise.
 */
#ifndef KEYS_KEY_SOURCE_H
#define KEYS_KEY_SOURCE_H

#include "fetch.h"

#include "introspectd/refresher.h"

typedef struct key_source key_source_t;

/*
 * wake is what the slot calls when a newer set is wanted. like is a source of the same place whose keys it
 * starts with if they are of use for it; NULL: none. NULL when memory cannot be had. Any thread.
 */
key_source_t *key_source_new(const key_source_settings_t *settings, fetcher_t *fetcher,
                             keyset_slot_wake_cb *wake, void *wake_data, key_source_t *like)
    __attribute__((warn_unused_result));
/* Cancels what it fetches; drops the slot. NULL is legal. */
void key_source_free(key_source_t *source);

/* Borrowed. Any thread. */
keyset_slot_t *key_source_slot(const key_source_t *source);
const key_source_settings_t *key_source_settings(const key_source_t *source);
/* Whether it has been tried. Any thread. */
bool key_source_is_settled(const key_source_t *source);

/* Does what is due: gives up stale keys, starts an attempt. */
void key_source_step(key_source_t *source, int64_t now_ms);
/* When key_source_step has something to do again, as far as is known now; may lie in the past. */
int64_t key_source_due_ms(const key_source_t *source);

#endif

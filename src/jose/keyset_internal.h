/*
 * keyset_internal: a key set while it is being made.
 */
#ifndef INTROSPECTD_JOSE_KEYSET_INTERNAL_H
#define INTROSPECTD_JOSE_KEYSET_INTERNAL_H

#include "jwk_internal.h"

#include <stdatomic.h>

struct keyset {
    atomic_size_t holders;
    size_t size;
    size_t capacity;
    jwk_t *keys; /* sorted by kid, keys without one first, equal ones in the order of the text */
};

typedef struct keyset_reporter {
    keyset_note_cb *note; /* NULL: nobody listens */
    void *data;
} keyset_reporter_t;

/*
 * Takes keys out of a sorted set that are good alone and not together, with a note each: symmetric ones
 * beside public ones (whoever may read the set could sign), and different ones under one kid that verify the
 * same algorithm, or of which one of the same `kty` cannot be used (RFC 7517 section 4.5: nobody can tell
 * which is meant). texts is the array that the set was made of, NULL for a single key. False when memory
 * cannot be had.
 */
bool keyset_apply_rules(keyset_t *keyset, const json_t *texts, const keyset_reporter_t *reporter)
    __attribute__((warn_unused_result));

/* The place of the first key with that kid, or where it would stand. */
size_t keyset_first_with_kid(const keyset_t *keyset, slice_t kid);

#endif

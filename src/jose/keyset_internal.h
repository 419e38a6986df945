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
 * same algorithm (RFC 7517 section 4.5: nobody can tell which is meant). has_public: a public key of any use
 * stands in the text.
 */
void keyset_apply_rules(keyset_t *keyset, bool has_public, const keyset_reporter_t *reporter);

#endif

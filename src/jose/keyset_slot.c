#include "introspectd/keyset.h"

#include <pthread.h>
#include <stdlib.h>

struct keyset_slot {
    pthread_mutex_t mutex; /* held only to read or change the pointer and to count a holder */
    keyset_t *keyset;
};

keyset_slot_t *keyset_slot_new(keyset_t *take_keyset)
{
    keyset_slot_t *slot = malloc(sizeof(*slot));
    if (slot == NULL)
        return NULL;
    if (pthread_mutex_init(&slot->mutex, NULL) != 0) {
        free(slot);
        return NULL;
    }
    slot->keyset = take_keyset;
    return slot;
}

void keyset_slot_free(keyset_slot_t *slot)
{
    if (slot == NULL)
        return;
    keyset_release(slot->keyset);
    pthread_mutex_destroy(&slot->mutex);
    free(slot);
}

keyset_t *keyset_slot_acquire(keyset_slot_t *slot)
{
    pthread_mutex_lock(&slot->mutex);
    keyset_t *keyset = slot->keyset == NULL ? NULL : keyset_acquire(slot->keyset);
    pthread_mutex_unlock(&slot->mutex);
    return keyset;
}

void keyset_slot_swap(keyset_slot_t *slot, keyset_t *take_keyset)
{
    pthread_mutex_lock(&slot->mutex);
    keyset_t *old = slot->keyset;
    slot->keyset = take_keyset;
    pthread_mutex_unlock(&slot->mutex);
    /* Freeing many keys takes long, so it happens outside the lock. */
    keyset_release(old);
}

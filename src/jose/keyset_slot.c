#include "introspectd/keyset_slot.h"

#include "introspectd/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct keyset_slot {
    atomic_size_t holders;
    _Atomic uint64_t generation;
    atomic_bool is_wanted;
    keyset_slot_wake_cb *wake; /* NULL: nobody fetches */
    void *wake_data;
    pthread_mutex_t mutex; /* of what follows; held only to read or change it, and to count a holder */
    keyset_t *keyset;
    int64_t changed_s;
    int64_t refreshed_s;
    uint64_t attempts;
    uint64_t failures;
    char problem[KEYSET_SLOT_PROBLEM_SIZE];
};

keyset_slot_t *keyset_slot_new(keyset_t *take_keyset, keyset_slot_wake_cb *wake, void *wake_data)
{
    keyset_slot_t *slot = calloc(1, sizeof(*slot));
    if (slot == NULL)
        return NULL;
    if (pthread_mutex_init(&slot->mutex, NULL) != 0) {
        free(slot);
        return NULL;
    }
    atomic_init(&slot->holders, 1);
    slot->wake = wake;
    slot->wake_data = wake_data;
    slot->keyset = take_keyset;
    slot->changed_s = slot->refreshed_s = clock_now_s();
    return slot;
}

keyset_slot_t *keyset_slot_acquire(keyset_slot_t *slot)
{
    atomic_fetch_add_explicit(&slot->holders, 1, memory_order_relaxed);
    return slot;
}

void keyset_slot_release(keyset_slot_t *slot)
{
    /* Every holder's use comes before the free. */
    if (slot == NULL || atomic_fetch_sub_explicit(&slot->holders, 1, memory_order_acq_rel) != 1)
        return;
    keyset_release(slot->keyset);
    pthread_mutex_destroy(&slot->mutex);
    free(slot);
}

size_t keyset_slot_holders(const keyset_slot_t *slot)
{
    return atomic_load_explicit(&slot->holders, memory_order_acquire);
}

keyset_t *keyset_slot_acquire_keys(keyset_slot_t *slot)
{
    pthread_mutex_lock(&slot->mutex);
    keyset_t *keyset = slot->keyset == NULL ? NULL : keyset_acquire(slot->keyset);
    pthread_mutex_unlock(&slot->mutex);
    return keyset;
}

void keyset_slot_set_keys(keyset_slot_t *slot, keyset_t *take_keyset)
{
    pthread_mutex_lock(&slot->mutex);
    keyset_t *old = slot->keyset;
    slot->keyset = take_keyset;
    slot->changed_s = clock_now_s();
    pthread_mutex_unlock(&slot->mutex);
    /* In this order a verdict under the new generation can only come from the new keys. */
    atomic_fetch_add(&slot->generation, 1);
    /* Freeing many keys takes long, so it happens outside the lock. */
    keyset_release(old);
}

uint64_t keyset_slot_generation(const keyset_slot_t *slot)
{
    return atomic_load(&slot->generation);
}

bool keyset_slot_is_fetched(const keyset_slot_t *slot)
{
    return slot->wake != NULL;
}

void keyset_slot_want(keyset_slot_t *slot)
{
    if (slot->wake == NULL || atomic_load_explicit(&slot->is_wanted, memory_order_relaxed))
        return;
    if (!atomic_exchange(&slot->is_wanted, true))
        slot->wake(slot->wake_data);
}

bool keyset_slot_is_wanted(const keyset_slot_t *slot)
{
    return atomic_load(&slot->is_wanted);
}

void keyset_slot_take_want(keyset_slot_t *slot)
{
    atomic_store(&slot->is_wanted, false);
}

void keyset_slot_get_status(keyset_slot_t *slot, keyset_slot_status_t *status)
{
    pthread_mutex_lock(&slot->mutex);
    status->key_count = slot->keyset == NULL ? 0 : keyset_size(slot->keyset);
    status->changed_s = slot->changed_s;
    status->refreshed_s = slot->refreshed_s;
    status->attempts = slot->attempts;
    status->failures = slot->failures;
    memcpy(status->problem, slot->problem, sizeof(status->problem));
    pthread_mutex_unlock(&slot->mutex);
}

void keyset_slot_set_outcome(keyset_slot_t *slot, const char *problem)
{
    pthread_mutex_lock(&slot->mutex);
    snprintf(slot->problem, sizeof(slot->problem), "%s", problem == NULL ? "" : problem);
    slot->attempts++;
    if (problem == NULL)
        slot->refreshed_s = clock_now_s();
    else
        slot->failures++;
    pthread_mutex_unlock(&slot->mutex);
}

void keyset_slot_keep_time(keyset_slot_t *slot, keyset_slot_t *predecessor)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(predecessor, &status);
    pthread_mutex_lock(&slot->mutex);
    slot->changed_s = status.changed_s;
    pthread_mutex_unlock(&slot->mutex);
}

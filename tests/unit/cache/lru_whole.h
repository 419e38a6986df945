/* lru_whole: the steps of lru.h put together, as one thread alone takes them. */
#ifndef INTROSPECTD_TESTS_LRU_WHOLE_H
#define INTROSPECTD_TESTS_LRU_WHOLE_H

#include "introspectd/lru.h"

/* Looks key up and makes it the most recent. */
static inline bool lru_get(lru_t *lru, const digest_t *key, lru_value_t *value)
{
    lru_entry_t *entry = lru_find(lru, key, value);

    if (entry != NULL)
        lru_use(lru, entry, value->used_s);
    return entry != NULL;
}

static inline bool lru_remove(lru_t *lru, const digest_t *key)
{
    lru_entry_t *gone = NULL;
    bool was_there = lru_remove_entry(lru, key, &gone);

    lru_entries_free(gone);
    return was_there;
}

/* False when the value was not kept; the key is absent then. */
static inline bool lru_put(lru_t *lru, const digest_t *key, const lru_value_t *value)
{
    lru_entry_t *entry = lru_entry_new(lru, key, value);
    lru_entry_t *gone = NULL;
    bool is_kept = entry != NULL && lru_put_entry(lru, entry, &gone);

    if (entry == NULL)
        (void)lru_remove_entry(lru, key, &gone);
    lru_entries_free(gone);
    return is_kept;
}

#endif

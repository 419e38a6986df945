/*
 * lru: one stripe of the cache: a hash table and a recency list, without a lock.
 *
 * True LRU, bounded in bytes. Keys are keyed digests, so their first bytes are already evenly spread and
 * cannot be aimed at a bucket. Not thread-safe: the cache keeps threads apart. The owner frees it with
 * lru_free.
 */
#ifndef INTROSPECTD_LRU_H
#define INTROSPECTD_LRU_H

#include "introspectd/digest.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lru lru_t;
typedef struct lru_entry lru_entry_t; /* what is kept under one key */

/* What is kept for a key. bytes points into the stripe and is good until the next call on it. */
typedef struct lru_value {
    int64_t not_after_s; /* the first second at which the value is dead */
    uint64_t generation; /* the state of keys and config that it was decided under */
    uint32_t tag;        /* the caller's own */
    const char *bytes;
    uint32_t len;
    uint32_t used_s; /* the entry's mark, see lru_use; lru_entry_new does not read it */
} lru_value_t;

typedef struct lru_stats {
    uint64_t entries;
    uint64_t bytes;     /* what the entries and the table cost; never above max_bytes */
    uint64_t evictions; /* entries pushed out for room, since the start */
} lru_stats_t;

/*
 * A stripe that keeps at most max_bytes, its table and per-entry cost included: an entry costs at most 128
 * bytes beyond those of its value, in a table that is at least half full. With 0 nothing is kept. NULL when
 * memory cannot be had.
 */
lru_t *lru_new(size_t max_bytes) __attribute__((warn_unused_result));
void lru_free(lru_t *lru);

/*
 * Looks key up and gives its entry, good until the stripe is next put to or removed from, with its value;
 * NULL when it is not there. Says nothing about expiry, and writes nothing: any number of threads may find at
 * once, while one of them uses.
 */
lru_entry_t *lru_find(const lru_t *lru, const digest_t *key, lru_value_t *value);

/* Makes an entry the most recent and marks it with now_s; what is put after it has this mark, too. One thread
 * at a time; all that follows but lru_entry_new and lru_entries_free wants the stripe for itself. */
void lru_use(lru_t *lru, lru_entry_t *entry, uint32_t now_s);

/*
 * An entry of a copy of value, for lru_put_entry of the same stripe. While other threads use the stripe it
 * may be made, too. NULL when the value alone is over the bound or memory cannot be had.
 */
lru_entry_t *lru_entry_new(const lru_t *lru, const digest_t *key, const lru_value_t *value)
    __attribute__((warn_unused_result));

/*
 * Puts take_entry in place of an older one of its key, as the most recent; evicts from the least recent end
 * for room. What leaves the stripe is added to *gone, a list that begins as NULL and that lru_entries_free
 * frees when no lock is held any more. False when take_entry was not kept: it is in the list then, and the
 * key absent.
 */
bool lru_put_entry(lru_t *lru, lru_entry_t *take_entry, lru_entry_t **gone);

/* Removes key, likewise; false when it was not there. */
bool lru_remove_entry(lru_t *lru, const digest_t *key, lru_entry_t **gone);
void lru_entries_free(lru_entry_t *gone);

void lru_get_stats(const lru_t *lru, lru_stats_t *stats);

#endif

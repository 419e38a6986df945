/*
 * lru: one stripe of the cache: a hash table and a recency list, without a lock.
 *
 * True LRU, bounded in bytes. Keys are keyed digests, so their first bytes are already evenly spread and
 * cannot be aimed at a bucket. Not thread-safe: the cache locks around it. The owner frees it with lru_free.
 */
#ifndef INTROSPECTD_LRU_H
#define INTROSPECTD_LRU_H

#include "introspectd/digest.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lru lru_t;

/* What is kept for a key. bytes points into the stripe and is good until the next call on it. */
typedef struct lru_value {
    int64_t not_after_s; /* the first second at which the value is dead */
    uint64_t generation; /* the state of keys and config that it was decided under */
    uint32_t tag;        /* the caller's own */
    const char *bytes;
    uint32_t len;
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

/* Looks key up, makes it the most recent, and gives its value; false when it is not there. Says nothing about
 * expiry. */
bool lru_get(lru_t *lru, const digest_t *key, lru_value_t *value);

/*
 * Puts a copy of value under key, in place of an older one, as the most recent; evicts from the least recent
 * end for room. False when the value alone is over the bound or memory cannot be had: the key is then absent.
 */
bool lru_put(lru_t *lru, const digest_t *key, const lru_value_t *value);

/* Removes key; false when it was not there. */
bool lru_remove(lru_t *lru, const digest_t *key);

void lru_get_stats(const lru_t *lru, lru_stats_t *stats);

#endif

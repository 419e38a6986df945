/*
 * cache: finished answers by token digest, for many threads.
 *
 * Stripes of lru.h, each under its own lock, chosen by the digest. A value is served only before its
 * not_after_s (RFC 7662 section 4: expiry is checked on cache hits too), with the generation that it was
 * decided under, which the caller must find to be the current one. Every function may be called from any
 * thread. No lock is held when a function returns, and none but the one stripe's is ever taken.
 *
 * Many threads may look up in one stripe at once. So that a hit need not write there, an entry becomes the
 * most recent when it is put and at its first hit of each second (of now_s) only: what was last used in an
 * earlier second is evicted first, and of what was last used in the same second, what was used in it first.
 */
#ifndef INTROSPECTD_CACHE_H
#define INTROSPECTD_CACHE_H

#include "introspectd/digest.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cache cache_t;

typedef struct cache_stats {
    uint64_t entries;
    uint64_t bytes;
    uint64_t hits;   /* of any generation */
    uint64_t misses; /* every cache_get that gave false */
    uint64_t evictions;
} cache_stats_t;

/* A value as the caller reads it: a copy in the caller's own buffer. */
typedef struct cache_hit {
    int64_t not_after_s;
    uint64_t generation;
    uint32_t tag;
    uint32_t len; /* bytes copied */
} cache_hit_t;

/*
 * max_bytes bounds all stripes together, their tables included; 0 gives a cache that keeps nothing. stripes
 * is rounded up to a power of two, at least 1, and then halved until each stripe has at least 64 KiB, so that
 * a small cache still keeps a useful number of large values. NULL when memory cannot be had.
 */
cache_t *cache_new(size_t max_bytes, unsigned stripes) __attribute__((warn_unused_result));
void cache_free(cache_t *cache);

/*
 * Copies the value of key into buffer. True only if there is one, now_s < its not_after_s, and it fits into
 * buffer_size. An entry found dead is removed. Outputs untouched on false.
 */
bool cache_get(cache_t *cache, const digest_t *key, int64_t now_s, char *buffer, size_t buffer_size,
               cache_hit_t *hit) __attribute__((warn_unused_result));

/* Keeps a copy of bytes under key until not_after_s, replacing what was there. Dropping it is legal: returns
 * nothing. */
void cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation, uint32_t tag,
               slice_t bytes);

/* The sums over all stripes; each stripe is read at its own moment. */
void cache_get_stats(cache_t *cache, cache_stats_t *stats);

#endif

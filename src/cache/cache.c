#include "introspectd/cache.h"

#include "introspectd/lru.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_SIZE = 64, STRIPE_MIN_BYTES = 64 * 1024 };

/* One cache line each, so that a lock taken on one stripe slows no thread on another. */
typedef struct stripe {
    alignas(CACHE_LINE_SIZE) pthread_mutex_t lock;
    lru_t *lru;
    uint64_t hits;
    uint64_t misses;
} stripe_t;

struct cache {
    size_t stripe_count; /* a power of two */
    stripe_t *stripes;
};

static size_t choose_stripe_count(size_t max_bytes, unsigned stripes)
{
    size_t count = 1;

    while (count < stripes && max_bytes / STRIPE_MIN_BYTES >= 2 * count)
        count *= 2;
    return count;
}

cache_t *cache_new(size_t max_bytes, unsigned stripes)
{
    size_t count = choose_stripe_count(max_bytes, stripes);
    cache_t *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->stripes = aligned_alloc(CACHE_LINE_SIZE, count * sizeof(stripe_t));
    if (cache->stripes == NULL) {
        free(cache);
        return NULL;
    }
    while (cache->stripe_count < count) {
        stripe_t *stripe = &cache->stripes[cache->stripe_count];

        *stripe = (stripe_t){.lru = lru_new(max_bytes / count)};
        if (stripe->lru == NULL || pthread_mutex_init(&stripe->lock, NULL) != 0) {
            lru_free(stripe->lru);
            cache_free(cache);
            return NULL;
        }
        cache->stripe_count++;
    }
    return cache;
}

void cache_free(cache_t *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->stripe_count; i++) {
        pthread_mutex_destroy(&cache->stripes[i].lock);
        lru_free(cache->stripes[i].lru);
    }
    free(cache->stripes);
    free(cache);
}

static stripe_t *stripe_of(cache_t *cache, const digest_t *key)
{
    uint32_t hash;

    /* The last bytes: the table inside the stripe is indexed by the first ones. */
    memcpy(&hash, key->bytes + DIGEST_SIZE - sizeof hash, sizeof hash);
    return &cache->stripes[hash & (cache->stripe_count - 1)];
}

bool cache_get(cache_t *cache, const digest_t *key, int64_t now_s, char *buffer, size_t buffer_size,
               cache_hit_t *hit)
{
    stripe_t *stripe = stripe_of(cache, key);
    lru_value_t value;
    bool usable = false;

    pthread_mutex_lock(&stripe->lock);
    if (lru_get(stripe->lru, key, &value)) {
        if (now_s >= value.not_after_s) {
            lru_remove(stripe->lru, key);
        } else if (value.len <= buffer_size) {
            usable = true;
            if (value.len > 0)
                memcpy(buffer, value.bytes, value.len);
            *hit = (cache_hit_t){.not_after_s = value.not_after_s,
                                 .generation = value.generation,
                                 .tag = value.tag,
                                 .len = value.len};
        }
    }
    if (usable)
        stripe->hits++;
    else
        stripe->misses++;
    pthread_mutex_unlock(&stripe->lock);
    return usable;
}

void cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation, uint32_t tag,
               slice_t bytes)
{
    stripe_t *stripe = stripe_of(cache, key);

    pthread_mutex_lock(&stripe->lock);
    if (bytes.len > UINT32_MAX) {
        lru_remove(stripe->lru, key);
    } else {
        lru_value_t value = {.not_after_s = not_after_s,
                             .generation = generation,
                             .tag = tag,
                             .bytes = bytes.base,
                             .len = (uint32_t)bytes.len};
        /* A value that was not kept is only decided again. */
        (void)lru_put(stripe->lru, key, &value);
    }
    pthread_mutex_unlock(&stripe->lock);
}

void cache_get_stats(cache_t *cache, cache_stats_t *stats)
{
    cache_stats_t sum = {0};

    for (size_t i = 0; i < cache->stripe_count; i++) {
        stripe_t *stripe = &cache->stripes[i];
        lru_stats_t part;

        pthread_mutex_lock(&stripe->lock);
        lru_get_stats(stripe->lru, &part);
        sum.entries += part.entries;
        sum.bytes += part.bytes;
        sum.evictions += part.evictions;
        sum.hits += stripe->hits;
        sum.misses += stripe->misses;
        pthread_mutex_unlock(&stripe->lock);
    }
    *stats = sum;
}

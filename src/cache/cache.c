#include "introspectd/cache.h"

#include "introspectd/lru.h"

#include "gate.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_SIZE = 64, STRIPE_MIN_BYTES = 64 * 1024 };

/* One cache line each, so that a writer of one stripe slows no thread on another. */
typedef struct stripe {
    alignas(CACHE_LINE_SIZE) gate_t gate;
    lru_t *lru;
} stripe_t;

struct cache {
    size_t stripe_count; /* a power of two */
    stripe_t *stripes;
    gate_place_t places[GATE_PLACES]; /* of all stripes' gates */
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
    cache_t *cache = aligned_alloc(alignof(cache_t), sizeof *cache);

    if (cache == NULL)
        return NULL;
    *cache = (cache_t){0};
    cache->stripes = aligned_alloc(CACHE_LINE_SIZE, count * sizeof(stripe_t));
    if (cache->stripes == NULL) {
        free(cache);
        return NULL;
    }
    while (cache->stripe_count < count) {
        stripe_t *stripe = &cache->stripes[cache->stripe_count];

        *stripe = (stripe_t){.lru = lru_new(max_bytes / count)};
        if (stripe->lru == NULL) {
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
    for (size_t i = 0; i < cache->stripe_count; i++)
        lru_free(cache->stripes[i].lru);
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

/* The reader's place is its own, so that no addition is lost. */
static void count_one(_Atomic uint64_t *counter)
{
    uint64_t count = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, count + 1, memory_order_relaxed);
}

/* Once a second is enough, so that the threads that ask for an entry rarely write to it. */
static void note_use(stripe_t *stripe, lru_entry_t *entry, uint32_t used_s, uint32_t now_s)
{
    if (used_s == now_s)
        return;
    gate_hold(&stripe->gate);
    lru_use(stripe->lru, entry, now_s);
    gate_release(&stripe->gate);
}

static void remove_dead(cache_t *cache, stripe_t *stripe, const digest_t *key, int64_t now_s)
{
    lru_entry_t *gone = NULL;
    lru_value_t value;

    gate_close(cache->places, &stripe->gate);
    /* It may have been replaced since it was found. */
    if (lru_find(stripe->lru, key, &value) != NULL && now_s >= value.not_after_s)
        (void)lru_remove_entry(stripe->lru, key, &gone);
    gate_open(&stripe->gate);
    lru_entries_free(gone);
}

bool cache_get(cache_t *cache, const digest_t *key, int64_t now_s, char *buffer, size_t buffer_size,
               cache_hit_t *hit)
{
    stripe_t *stripe = stripe_of(cache, key);
    lru_value_t value;
    gate_place_t *place = gate_enter(cache->places, &stripe->gate);
    lru_entry_t *entry = lru_find(stripe->lru, key, &value);
    bool is_dead = entry != NULL && now_s >= value.not_after_s;
    bool is_usable = entry != NULL && !is_dead && value.len <= buffer_size;

    /* Copied first: the processor would not begin to fetch the bytes before the gate is held. */
    if (is_usable && value.len > 0)
        memcpy(buffer, value.bytes, value.len);
    if (entry != NULL && !is_dead)
        note_use(stripe, entry, value.used_s, (uint32_t)now_s);
    count_one(is_usable ? &place->hits : &place->misses);
    gate_leave(place);

    if (is_dead)
        remove_dead(cache, stripe, key, now_s);
    if (is_usable)
        *hit = (cache_hit_t){.not_after_s = value.not_after_s,
                             .generation = value.generation,
                             .tag = value.tag,
                             .len = value.len};
    return is_usable;
}

void cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation, uint32_t tag,
               slice_t bytes)
{
    stripe_t *stripe = stripe_of(cache, key);
    lru_entry_t *entry = NULL;
    lru_entry_t *gone = NULL;

    if (bytes.len <= UINT32_MAX) {
        lru_value_t value = {.not_after_s = not_after_s,
                             .generation = generation,
                             .tag = tag,
                             .bytes = bytes.base,
                             .len = (uint32_t)bytes.len};
        entry = lru_entry_new(stripe->lru, key, &value);
    }
    gate_close(cache->places, &stripe->gate);
    /* A value that is not kept is only decided again. */
    if (entry != NULL)
        (void)lru_put_entry(stripe->lru, entry, &gone);
    else
        (void)lru_remove_entry(stripe->lru, key, &gone);
    gate_open(&stripe->gate);
    lru_entries_free(gone);
}

void cache_get_stats(cache_t *cache, cache_stats_t *stats)
{
    cache_stats_t sum = {0};

    for (size_t i = 0; i < cache->stripe_count; i++) {
        stripe_t *stripe = &cache->stripes[i];
        gate_place_t *place = gate_enter(cache->places, &stripe->gate);
        lru_stats_t part;

        lru_get_stats(stripe->lru, &part);
        gate_leave(place);
        sum.entries += part.entries;
        sum.bytes += part.bytes;
        sum.evictions += part.evictions;
    }
    for (size_t i = 0; i < GATE_PLACES; i++) {
        sum.hits += atomic_load_explicit(&cache->places[i].hits, memory_order_relaxed);
        sum.misses += atomic_load_explicit(&cache->places[i].misses, memory_order_relaxed);
    }
    *stats = sum;
}

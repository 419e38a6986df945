/*
 * cache-pool: all threads ask for the same 10,000 entries at random, and how the throughput grows with the
 * threads. Time goes on as it does: an entry becomes the most recent once a second.
 */
#include "entries.h"

#include "introspectd/clock.h"

enum { POOL_ENTRIES = 10000, POOL_OPERATIONS = 1000000, POOL_CLOCK_EVERY = 256 };

typedef struct pool {
    cache_t *cache;
    order_t *orders;
} pool_t;

static void ask(void *data, unsigned thread)
{
    pool_t *pool = data;
    const order_t *order = &pool->orders[thread];
    char buffer[ENTRIES_BODY_MAX];
    int64_t now_s = 0;
    for (size_t i = 0; i < order->count; i++) {
        cache_hit_t hit;
        if (i % POOL_CLOCK_EVERY == 0)
            now_s = ENTRIES_NOW_S + clock_monotonic_ms() / 1000;
        if (!cache_get(pool->cache, &order->digests[i], now_s, buffer, sizeof(buffer), &hit))
            micro_fail("cache-pool: a miss");
    }
}

void cache_pool_group(const micro_options_t *options)
{
    static entries_result_t results[MICRO_MAX_SIZES];
    pool_t pool = {.cache = entries_new_cache(POOL_ENTRIES, entries_roomy_bytes(POOL_ENTRIES))};
    size_t operations = options->is_quick ? POOL_OPERATIONS / 2 : POOL_OPERATIONS;
    for (unsigned r = 0; r < options->repetitions; r++) {
        for (size_t t = 0; t < options->threads_count; t++) {
            unsigned threads = options->threads[t];
            pool.orders = entries_new_orders(threads, operations, r);
            entries_shuffle(pool.orders, threads, 0, POOL_ENTRIES);
            entries_add_result(&results[t], measure_team(threads, ask, &pool), operations * threads);
            entries_free_orders(pool.orders, threads);
        }
    }
    double single = 0;
    for (size_t t = 0; t < options->threads_count; t++) {
        double per_second = entries_report(options, "cache-pool", "hit", POOL_ENTRIES, options->threads[t],
                                           &results[t], single);
        if (options->threads[t] == 1)
            single = per_second;
    }
    cache_free(pool.cache);
}

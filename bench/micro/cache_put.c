/* cache-put: inserts into a cache that grows, and into one that is full, where each evicts another entry. */
#include "entries.h"

#include <stdlib.h>

typedef struct putting {
    cache_t *cache;
    order_t *orders;
} putting_t;

static void put_all(void *data, unsigned thread)
{
    putting_t *putting = data;
    const order_t *order = &putting->orders[thread];
    for (size_t i = 0; i < order->count; i++)
        entries_put(putting->cache, &order->digests[i]);
}

/* From empty to that many entries; small caches are filled several times. */
static void fill(unsigned threads, size_t entries, entries_result_t *result)
{
    size_t share = entries / threads > 0 ? entries / threads : 1;
    size_t rounds = 100000 / entries + 1;
    order_t *orders = entries_new_orders(threads, share, 0);
    team_cost_t sum = {0};
    entries_number(orders, threads, 0);
    for (size_t i = 0; i < rounds; i++) {
        cache_stats_t stats;
        putting_t putting = {entries_new_cache(0, entries_roomy_bytes(entries)), orders};
        team_cost_t cost = measure_team(threads, put_all, &putting);
        cache_get_stats(putting.cache, &stats);
        if (stats.entries != share * threads || stats.evictions != 0)
            micro_fail("cache-put: not every entry was kept");
        sum.cpu_ns += cost.cpu_ns;
        sum.wall_ns += cost.wall_ns;
        sum.allocations += cost.allocations;
        cache_free(putting.cache);
    }
    entries_free_orders(orders, threads);
    entries_add_result(result, sum, rounds * share * threads);
}

/* What that many entries take. */
static size_t full_bytes(size_t entries)
{
    cache_t *cache = entries_new_cache(entries, entries_roomy_bytes(entries));
    cache_stats_t stats;
    cache_get_stats(cache, &stats);
    cache_free(cache);
    return (size_t)stats.bytes;
}

static void evict(cache_t *cache, unsigned threads, size_t operations, uint64_t *next,
                  entries_result_t *result)
{
    putting_t putting = {cache, entries_new_orders(threads, operations, 0)};
    cache_stats_t before, after;
    entries_number(putting.orders, threads, *next);
    *next += threads * operations;
    cache_get_stats(cache, &before);
    team_cost_t cost = measure_team(threads, put_all, &putting);
    cache_get_stats(cache, &after);
    /* A stripe that was not quite full takes some more at first. */
    if (after.evictions - before.evictions < threads * operations / 10 * 9)
        micro_fail("cache-put: too few evictions");
    entries_free_orders(putting.orders, threads);
    entries_add_result(result, cost, threads * operations);
}

static void measure_size(const micro_options_t *options, size_t entries)
{
    static entries_result_t fills[MICRO_MAX_SIZES], evictions[MICRO_MAX_SIZES];
    uint64_t next = entries + entries / 2;
    cache_t *full = entries_new_cache(next, full_bytes(entries));

    memset(fills, 0, sizeof(fills));
    memset(evictions, 0, sizeof(evictions));
    for (unsigned r = 0; r < options->repetitions; r++) {
        for (size_t t = 0; t < options->threads_count; t++) {
            fill(options->threads[t], entries, &fills[t]);
            evict(full, options->threads[t], 100000, &next, &evictions[t]);
        }
    }
    for (size_t t = 0; t < options->threads_count; t++) {
        entries_report(options, "cache-put", "insert growing", entries, options->threads[t], &fills[t], 0);
        entries_report(options, "cache-put", "insert evicting", entries, options->threads[t], &evictions[t],
                       0);
    }
    cache_free(full);
}

void cache_put_group(const micro_options_t *options)
{
    for (size_t i = 0; i < options->entries_count; i++)
        measure_size(options, options->entries[i]);
}

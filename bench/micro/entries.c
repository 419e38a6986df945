#include "entries.h"

#include <stdio.h>
#include <stdlib.h>

static const char BODY[] = "{\"active\":true,\"front_channel_name\":\"Acme Support (EU)\","
                           "\"front_channel_address\":\"tenant-0001:channel-00000017\"}";

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

digest_t entries_digest(uint64_t number)
{
    digest_t digest;
    for (size_t i = 0; i < DIGEST_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = mix((number * 4 + i / sizeof(uint64_t) + 1) * UINT64_C(0x9e3779b97f4a7c15));
        memcpy(digest.bytes + i, &word, sizeof(word));
    }
    return digest;
}

void entries_put(cache_t *cache, const digest_t *key)
{
    cache_put(cache, key, INT64_MAX, 1, 1, (slice_t){BODY, sizeof(BODY) - 1});
}

size_t entries_roomy_bytes(size_t entries)
{
    return entries * 512 + ((size_t)64 << 20);
}

cache_t *entries_new_cache(size_t entries, size_t max_bytes)
{
    cache_t *cache = cache_new(max_bytes, ENTRIES_STRIPES);
    if (cache == NULL)
        micro_fail("no memory");
    for (size_t i = 0; i < entries; i++) {
        digest_t key = entries_digest(i);
        entries_put(cache, &key);
    }
    return cache;
}

order_t *entries_new_orders(unsigned threads, size_t count, uint64_t seed)
{
    order_t *orders = calloc(threads, sizeof(*orders));
    if (orders == NULL)
        micro_fail("no memory");
    for (unsigned i = 0; i < threads; i++) {
        orders[i].digests = malloc(count * sizeof(digest_t));
        orders[i].count = count;
        orders[i].random = mix(seed << 32 | (i + 1));
        if (orders[i].digests == NULL)
            micro_fail("no memory");
    }
    return orders;
}

void entries_free_orders(order_t *orders, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++)
        free(orders[i].digests);
    free(orders);
}

void entries_shuffle(order_t *orders, unsigned threads, uint64_t first, uint64_t range)
{
    for (unsigned t = 0; t < threads; t++) {
        for (size_t i = 0; i < orders[t].count; i++) {
            orders[t].random += UINT64_C(0x9e3779b97f4a7c15);
            orders[t].digests[i] = entries_digest(first + mix(orders[t].random) % range);
        }
    }
}

void entries_number(order_t *orders, unsigned threads, uint64_t first)
{
    for (unsigned t = 0; t < threads; t++) {
        for (size_t i = 0; i < orders[t].count; i++)
            orders[t].digests[i] = entries_digest(first++);
    }
}

void entries_add_result(entries_result_t *result, team_cost_t cost, size_t operations)
{
    result->ns[result->count] = cost.cpu_ns / (double)operations;
    result->per_second[result->count] = (double)operations / cost.wall_ns * 1e9;
    result->allocations = (double)cost.allocations / (double)operations;
    result->count++;
}

double entries_report(const micro_options_t *options, const char *group, const char *name, size_t entries,
                      unsigned threads, entries_result_t *result, double single_per_second)
{
    char parameters[64];
    snprintf(parameters, sizeof(parameters), "entries=%zu threads=%u", entries, threads);
    const micro_row_t row = {.group = group,
                             .name = name,
                             .parameters = parameters,
                             .ns = measure_median(result->ns, result->count),
                             .allocations = result->allocations,
                             .per_second = measure_median(result->per_second, result->count)};
    micro_row_t shown = row;
    if (single_per_second > 0) {
        shown.ratio = row.per_second / single_per_second;
        shown.ratio_of = "throughput over one thread";
    }
    micro_report(options, &shown);
    return row.per_second;
}

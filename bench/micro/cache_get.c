/*
 * cache-get: hits and misses, by the number of entries and of threads. A hit that is the first of its second
 * makes its entry the most recent; the others only read.
 */
#include "entries.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct asking {
    cache_t *cache;
    order_t *orders;
    int64_t step_s; /* by which the time goes on from one look-up to the next */
    _Atomic size_t hits;
} asking_t;

static void ask(void *data, unsigned thread)
{
    asking_t *asking = data;
    const order_t *order = &asking->orders[thread];
    /* Threads never agree on a time that moves. */
    int64_t now_s = ENTRIES_NOW_S + ((int64_t)thread << 28) * asking->step_s;
    char buffer[ENTRIES_BODY_MAX];
    size_t hits = 0;
    for (size_t i = 0; i < order->count; i++) {
        cache_hit_t hit;
        hits += cache_get(asking->cache, &order->digests[i], now_s, buffer, sizeof(buffer), &hit);
        now_s += asking->step_s;
    }
    atomic_fetch_add(&asking->hits, hits);
}

static void ask_once(asking_t *asking, unsigned threads, size_t expected_hits, entries_result_t *result)
{
    size_t operations = asking->orders[0].count * threads;
    asking->hits = 0;
    team_cost_t cost = measure_team(threads, ask, asking);
    if (asking->hits != expected_hits)
        micro_fail("cache-get: not the hits that there must be");
    entries_add_result(result, cost, operations);
}

/* As many as give each entry of a large cache a chance, so that no part of it stays in the processor. */
static size_t operations_for(const micro_options_t *options, size_t entries)
{
    size_t most = options->is_quick ? 200000 : 1000000;
    return entries < 200000 ? 200000 : entries < most ? entries : most;
}

/* Has every entry used in the second ENTRIES_NOW_S. */
static void use_all(cache_t *cache, size_t entries)
{
    char buffer[ENTRIES_BODY_MAX];
    for (size_t i = 0; i < entries; i++) {
        digest_t key = entries_digest(i);
        cache_hit_t hit;
        if (!cache_get(cache, &key, ENTRIES_NOW_S, buffer, sizeof(buffer), &hit))
            micro_fail("cache-get: an entry is missing");
    }
}

typedef struct kind {
    const char *name;
    bool is_hit;
    int64_t step_s;
} kind_t;

static const kind_t KINDS[] = {
    {"hit", true, 0},
    {"miss", false, 0},
    {"hit first of its second", true, 1},
};

static void measure_kind(const micro_options_t *options, asking_t *asking, size_t entries, const kind_t *kind)
{
    static entries_result_t results[MICRO_MAX_SIZES];
    size_t operations = operations_for(options, entries);

    memset(results, 0, sizeof(results));
    asking->step_s = kind->step_s;
    for (unsigned r = 0; r < options->repetitions; r++) {
        for (size_t t = 0; t < options->threads_count; t++) {
            unsigned threads = options->threads[t];
            asking->orders = entries_new_orders(threads, operations, r);
            entries_shuffle(asking->orders, threads, kind->is_hit ? 0 : entries, entries);
            ask_once(asking, threads, kind->is_hit ? operations * threads : 0, &results[t]);
            entries_free_orders(asking->orders, threads);
        }
    }
    for (size_t t = 0; t < options->threads_count; t++)
        entries_report(options, "cache-get", kind->name, entries, options->threads[t], &results[t], 0);
}

void cache_get_group(const micro_options_t *options)
{
    for (size_t i = 0; i < options->entries_count; i++) {
        size_t entries = options->entries[i];
        asking_t asking = {.cache = entries_new_cache(entries, entries_roomy_bytes(entries))};
        use_all(asking.cache, entries);
        for (size_t k = 0; k < sizeof(KINDS) / sizeof(KINDS[0]); k++)
            measure_kind(options, &asking, entries, &KINDS[k]);
        cache_free(asking.cache);
    }
}

/*
 * entries: what the cache is measured with: digests by number, answers of the usual length, filled caches.
 */
#ifndef INTROSPECTD_BENCH_ENTRIES_H
#define INTROSPECTD_BENCH_ENTRIES_H

#include "introspectd/cache.h"

#include "measure.h"

enum { ENTRIES_STRIPES = 64, ENTRIES_BODY_MAX = 256 };

/* A time to get entries at; they never expire. */
enum { ENTRIES_NOW_S = 1700000000 };

/* The digest of an entry: the same number gives the same one, evenly spread. */
digest_t entries_digest(uint64_t number);

/* Puts an answer of about 110 bytes under key. */
void entries_put(cache_t *cache, const digest_t *key);

/* More than that many entries take, for a cache that never evicts. */
size_t entries_roomy_bytes(size_t entries);

/* A cache with the entries 0 to entries - 1, put in random order of their digests. */
cache_t *entries_new_cache(size_t entries, size_t max_bytes);

/*
 * Digests in the order in which one thread of a team asks for them, lying side by side: a row of fixed reads
 * that the processor foresees, so that what is measured are the cache's own misses.
 */
typedef struct order {
    digest_t *digests;
    size_t count;
    uint64_t random;
} order_t;

/* Orders of count digests, one for each of threads, at random by seed. */
order_t *entries_new_orders(unsigned threads, size_t count, uint64_t seed);
void entries_free_orders(order_t *orders, unsigned threads);
/* Fills them anew at random out of the numbers from first to first + range - 1. */
void entries_shuffle(order_t *orders, unsigned threads, uint64_t first, uint64_t range);
/* Fills them with the numbers from first on, each once. */
void entries_number(order_t *orders, unsigned threads, uint64_t first);

/* What a team did again and again. */
typedef struct entries_result {
    double ns[MICRO_MAX_REPETITIONS];
    double per_second[MICRO_MAX_REPETITIONS];
    double allocations;
    size_t count;
} entries_result_t;

void entries_add_result(entries_result_t *result, team_cost_t cost, size_t operations);
/* The medians as a row, and the median of the operations per second. */
double entries_report(const micro_options_t *options, const char *group, const char *name, size_t entries,
                      unsigned threads, entries_result_t *result, double single_per_second);

#endif

#include "latency.h"

/* Exact below LATENCY_STEPS; from there on each power of two has LATENCY_STEPS buckets. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < LATENCY_STEPS)
        return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - LATENCY_STEP_BITS;
    return (shift + 1) * LATENCY_STEPS + (unsigned)(ns >> shift) - LATENCY_STEPS;
}

/* The middle of a bucket. */
static double bucket_ns(unsigned bucket)
{
    if (bucket < LATENCY_STEPS)
        return bucket;
    unsigned shift = bucket / LATENCY_STEPS - 1;
    uint64_t low = (uint64_t)(bucket % LATENCY_STEPS + LATENCY_STEPS) << shift;
    return (double)low + (double)((uint64_t)1 << shift) / 2;
}

void latency_add(latency_t *latency, uint64_t ns)
{
    latency->count++;
    latency->buckets[bucket_of(ns)]++;
}

double latency_quantile_us(const latency_t *latency, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * (double)latency->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted)
            return bucket_ns(i) / 1000;
    }
    return 0;
}

/*
 * latency: how many requests took how long, in steps of at most one part in 128.
 */
#ifndef INTROSPECTD_BENCH_LATENCY_H
#define INTROSPECTD_BENCH_LATENCY_H

#include <stdint.h>

enum { LATENCY_STEP_BITS = 7, LATENCY_STEPS = 1 << LATENCY_STEP_BITS, LATENCY_BUCKETS = 64 * LATENCY_STEPS };

typedef struct latency {
    uint64_t count;
    uint64_t buckets[LATENCY_BUCKETS];
} latency_t;

void latency_add(latency_t *latency, uint64_t ns);

/* The time in microseconds that this fraction (0 to 1) of the requests did not exceed; 0 without requests. */
double latency_quantile_us(const latency_t *latency, double fraction);

#endif

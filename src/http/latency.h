/* latency: what a tally's histogram says about how long requests took. Any thread. */
#ifndef INTROSPECTD_HTTP_LATENCY_H
#define INTROSPECTD_HTTP_LATENCY_H

#include "tally.h"

uint64_t latency_count(const tally_histogram_t *histogram);

/*
 * The time that the part `quantile` (0 to 1) of the requests took at most, as Prometheus' histogram_quantile
 * reckons it: evenly spread within a bucket, and the last bound for what is above it. Below 0 when there were
 * none.
 */
double latency_quantile_us(const tally_histogram_t *histogram, double quantile);

#endif

#include "latency.h"

uint64_t latency_count(const tally_histogram_t *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= TALLY_BUCKETS; i++)
        count += tally_read(&histogram->buckets[i]);
    return count;
}

double latency_quantile_us(const tally_histogram_t *histogram, double quantile)
{
    uint64_t count = latency_count(histogram);
    if (count == 0)
        return -1;
    double rank = quantile * (double)count;
    double below = 0;
    double lower_us = 0;
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        double inside = (double)tally_read(&histogram->buckets[i]);
        double upper_us = (double)TALLY_BUCKET_MAX_US[i];
        if (inside > 0 && below + inside >= rank)
            return lower_us + (upper_us - lower_us) * (rank - below) / inside;
        below += inside;
        lower_us = upper_us;
    }
    return lower_us;
}

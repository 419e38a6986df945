/*
 * process_stats: what the system says this process uses, for the standard process_* metrics. Any thread.
 */
#ifndef INTROSPECTD_PROCESS_STATS_H
#define INTROSPECTD_PROCESS_STATS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct process_stats {
    double cpu_s;        /* of all threads, user and system */
    double start_time_s; /* since 1970-01-01T00:00:00Z; 0: not known */
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t threads;
    uint64_t open_fds;
    uint64_t max_fds; /* the soft limit; UINT64_MAX: none */
} process_stats_t;

/* Reads /proc; false when it is not to be read there. */
bool process_stats_read(process_stats_t *stats) __attribute__((warn_unused_result));

#endif

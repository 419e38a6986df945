/*
 * descriptors: how many files the process may have open, and how many it needs to serve at all. libh2o ends
 * the process when there are too few for an event loop, so that is looked at before. Main thread only.
 */
#ifndef INTROSPECTD_CLI_DESCRIPTORS_H
#define INTROSPECTD_CLI_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a config asks for. */
typedef struct descriptor_demand {
    unsigned threads; /* for requests; the operations thread comes on top */
    size_t public_listeners;
    size_t admin_listeners;
    size_t fetched_issuers; /* whose keys are fetched */
    size_t log_files;       /* beside standard error */
} descriptor_demand_t;

/* The least that anything can be served with. */
#define DESCRIPTOR_DEMAND_LEAST ((descriptor_demand_t){.threads = 1, .public_listeners = 1})

/*
 * How many descriptors are opened from the reading of the config on: for listening, serving a few
 * connections, fetching all keys at once, and a reload.
 */
uint64_t descriptors_needed(const descriptor_demand_t *demand);

/* Raises the limit (RLIMIT_NOFILE) to the highest that is allowed; gives what holds then. */
uint64_t descriptors_raise_limit(void);

/* How many connections there is room for beside what demand needs, before any of that is open. */
uint64_t descriptors_for_connections(const descriptor_demand_t *demand);

enum { DESCRIPTORS_ERROR_SIZE = 256 };

/* Whether the limit leaves what demand needs. False with *error, of that size, filled: one line. */
bool descriptors_suffice(const descriptor_demand_t *demand, char *error) __attribute__((warn_unused_result));

#endif

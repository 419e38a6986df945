#include "descriptors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
    /* A loop's epoll and the two ends of the pipe that wakes it. */
    PER_LOOP = 3,
    /* A file of the config, and what NSS opens to look a user up. */
    READING = 2,
    /* The two ends of what wakes libcurl's poll. */
    PER_FETCHER = 2,
    /*
     * Of one transfer: two connections (IPv6 and IPv4 are raced), the pair by which the thread that resolves
     * the name reports, its socket to the name server, and a file of authorities.
     */
    PER_FETCH = 6,
    /* The old one is closed when the new one is open. */
    PER_LOG_FILE = 2,
    /* As many as are open at once there (CONNECTION_MAX_OPERATORS of http, and those of a turn). */
    PER_ADMIN_LISTENER = 36,
    /* What is served must be of some use. */
    CONNECTIONS = 16
};

uint64_t descriptors_needed(const descriptor_demand_t *demand)
{
    uint64_t listeners = (uint64_t)demand->public_listeners + demand->admin_listeners;
    /* Each thread has a duplicate. */
    uint64_t duplicates = (uint64_t)demand->threads * demand->public_listeners + demand->admin_listeners;
    uint64_t loops = ((uint64_t)demand->threads + 1) * PER_LOOP;
    uint64_t fetching =
        demand->fetched_issuers == 0 ? 0 : PER_FETCHER + (uint64_t)demand->fetched_issuers * PER_FETCH;
    /* The old ones are closed when the new ones are there. */
    uint64_t reloading = READING + listeners + duplicates;
    return listeners + duplicates + loops + fetching + reloading +
           (uint64_t)demand->log_files * PER_LOG_FILE +
           (uint64_t)demand->admin_listeners * PER_ADMIN_LISTENER + CONNECTIONS;
}

static uint64_t present_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

uint64_t descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return present_limit();
}

/* Of the first ones, up to where nothing is open any more. */
static uint64_t count_open(uint64_t limit)
{
    enum { BEYOND = 1024 };
    uint64_t open_count = 0;
    for (int fd = 0; fd < BEYOND && (uint64_t)fd < limit; fd++)
        open_count += fcntl(fd, F_GETFD) != -1;
    return open_count;
}

uint64_t descriptors_for_connections(const descriptor_demand_t *demand)
{
    uint64_t limit = present_limit();
    uint64_t others = count_open(limit) + descriptors_needed(demand) - CONNECTIONS;
    return limit > others ? limit - others : 0;
}

bool descriptors_suffice(const descriptor_demand_t *demand, char *error)
{
    uint64_t limit = present_limit();
    uint64_t needed = descriptors_needed(demand);
    uint64_t open_count = count_open(limit);
    if (limit >= open_count + needed)
        return true;
    snprintf(error, DESCRIPTORS_ERROR_SIZE,
             "the limit of open files (RLIMIT_NOFILE) is %" PRIu64 ", at least %" PRIu64
             " are needed: %" PRIu64 " are open, and %u threads with %zu listeners and %zu issuers whose "
             "keys are fetched need %" PRIu64,
             limit, open_count + needed, open_count, demand->threads,
             demand->public_listeners + demand->admin_listeners, demand->fetched_issuers, needed);
    return false;
}

/*
 * connection_counts: how many connections there are, in all and of each peer address, over all threads.
 */
#ifndef INTROSPECTD_HTTP_CONNECTION_COUNTS_H
#define INTROSPECTD_HTTP_CONNECTION_COUNTS_H

#include "introspectd/ip_address.h"

#include <stdbool.h>

typedef struct connection_counts connection_counts_t;

/* For at most max_connections, whatever is asked for later. NULL when memory cannot be had. */
connection_counts_t *connection_counts_new(unsigned max_connections) __attribute__((warn_unused_result));
void connection_counts_free(connection_counts_t *counts);

/* As what one connection is counted: zero-initialised, and its owner's alone. */
typedef struct connection_count {
    bool is_counted;
    bool is_counted_for_address;
    ip_address_t address;
} connection_count_t;

/*
 * Counts a connection in; false when max are there. Any thread. With counts NULL nothing is counted, and it
 * is always true: so for the others here.
 */
bool connection_count_in(connection_counts_t *counts, connection_count_t *count, unsigned max)
    __attribute__((warn_unused_result));

/* Counts it for its peer's address (IPv6: for the address's first 64 bits); false when that has max. */
bool connection_count_for_address(connection_counts_t *counts, connection_count_t *count,
                                  ip_address_t address, unsigned max) __attribute__((warn_unused_result));

/* Takes it out of all that it was counted in. */
void connection_count_leave(connection_counts_t *counts, connection_count_t *count);

/* How many are counted in. */
unsigned connection_counts_total(const connection_counts_t *counts);

#endif

/*
 * client_tallies: what each client of the config has asked, for the metrics.
 *
 * A client keeps its counts over reloads, and after it has gone from the config. Counts are by thread, like
 * those of tally.h: each has one writer.
 */
#ifndef INTROSPECTD_HTTP_CLIENT_TALLIES_H
#define INTROSPECTD_HTTP_CLIENT_TALLIES_H

#include "tally.h"

#include "introspectd/client.h"

/* Of one client, on one thread: how its requests for a verdict ended. */
typedef struct client_tally {
    tally_count_t outcomes[OUTCOME_UNAVAILABLE + 1];
} client_tally_t;

typedef struct client_tallies client_tallies_t;

/* For that many threads. NULL when memory cannot be had. */
client_tallies_t *client_tallies_new(size_t thread_count) __attribute__((warn_unused_result));
void client_tallies_free(client_tallies_t *tallies);

/*
 * The counts of each client of clients, by its index, that thread number `thread` writes to; borrowed but for
 * the array, which the caller frees with free(). NULL when memory cannot be had. Any thread.
 */
client_tally_t **client_tallies_of(client_tallies_t *tallies, const client_set_t *clients, size_t thread)
    __attribute__((warn_unused_result));

typedef void client_tallies_cb(void *data, const char *client_id, const client_tally_t *sum);

/* Calls back for every client that there has been, with the sums over all threads. Any thread. */
void client_tallies_each(client_tallies_t *tallies, client_tallies_cb *each, void *data);

#endif

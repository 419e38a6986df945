/*
 * observed: what the operations endpoints report of the server beside its config.
 */
#ifndef INTROSPECTD_HTTP_OBSERVED_H
#define INTROSPECTD_HTTP_OBSERVED_H

#include "client_tallies.h"
#include "connection_counts.h"
#include "recent_refusals.h"
#include "tally.h"

#include "introspectd/server.h"

#include <stdalign.h>

/* How configs came and went. */
typedef struct reload_counts {
    _Atomic uint64_t applied;
    _Atomic uint64_t refused;
    _Atomic bool last_was_refused;
    _Atomic int64_t applied_s; /* when the present config was taken */
} reload_counts_t;

/* A tally by itself, so that threads which count do not take lines of memory from each other. */
typedef struct tally_place {
    alignas(64) tally_t tally;
} tally_place_t;

/* All of it borrowed from the server, and alive while it serves. */
typedef struct observed {
    const server_t *server; /* for server_ms_since_turn */
    const _Atomic bool *is_draining;
    const tally_place_t *tallies; /* of the request threads */
    size_t tally_count;
    client_tallies_t *clients;
    const connection_counts_t *connections;
    const reload_counts_t *reloads;
    recent_refusals_t *recent;
} observed_t;

/* What all threads have counted. */
void observed_sum(const observed_t *observed, tally_t *sum);

#endif

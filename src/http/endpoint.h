/*
 * endpoint: the introspection endpoint (RFC 7662 section 2; Front's "Token introspection for channel
 * identification").
 */
#ifndef INTROSPECTD_HTTP_ENDPOINT_H
#define INTROSPECTD_HTTP_ENDPOINT_H

#include "authentication.h"
#include "recent_refusals.h"

#include "introspectd/log.h"

#include <h2o.h>

/* What the handlers of all threads use together; all of it borrowed. */
typedef struct endpoint_shared {
    log_gate_t *log_gate; /* thins what is told about refused tokens, in the log and in recent */
    authentication_t *authentication;
    recent_refusals_t *recent;
} endpoint_shared_t;

/*
 * Registers the handler on path, which must be "/" of a host of its own. Serves on threads whose worker has
 * a tally and a setup with introspection, by that one's config. Borrows shared. Before the thread serves.
 */
void endpoint_register(h2o_pathconf_t *path, const endpoint_shared_t *shared);

#endif

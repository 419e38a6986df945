/*
 * endpoint: the introspection endpoint (RFC 7662 section 2; Front's "Token introspection for channel
 * identification").
 */
#ifndef INTROSPECTD_HTTP_ENDPOINT_H
#define INTROSPECTD_HTTP_ENDPOINT_H

#include "access_log.h"
#include "authentication.h"

#include "introspectd/log.h"

#include <h2o.h>

/*
 * Registers the handler on path, which must be "/" of a host of its own. Serves on threads whose worker has
 * an introspect_worker_t, by that one's config. Borrows log_gate, which thins the lines about refused tokens,
 * access_log, in which every answer is noted, and authentication. Before the thread serves.
 */
void endpoint_register(h2o_pathconf_t *path, log_gate_t *log_gate, access_log_t *access_log,
                       authentication_t *authentication);

#endif

/* operations: what the admin listener serves to supervisors: /livez, /readyz and /metrics. */
#ifndef INTROSPECTD_HTTP_OPERATIONS_H
#define INTROSPECTD_HTTP_OPERATIONS_H

#include "observed.h"

#include <h2o.h>

/*
 * Registers the handler on path, which must be "/" of a host of its own. /readyz is 200 while as many issuers
 * of the worker's config as its `ready` asks for have usable keys, and the server does not drain. Borrows
 * observed. Before the thread serves.
 */
void operations_register(h2o_pathconf_t *path, const observed_t *observed);

#endif

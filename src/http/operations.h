/* operations: what the admin listener serves to supervisors: /livez and /readyz. */
#ifndef INTROSPECTD_HTTP_OPERATIONS_H
#define INTROSPECTD_HTTP_OPERATIONS_H

#include "introspectd/introspect.h"

#include <h2o.h>
#include <stdatomic.h>

/*
 * Registers the handler on path, which must be "/" of a host of its own. /readyz is 200 while every issuer
 * has a usable key and *is_draining is false. Borrows both. Before any thread serves.
 */
void operations_register(h2o_pathconf_t *path, introspector_t *introspector, const _Atomic bool *is_draining);

#endif

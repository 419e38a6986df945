/* operations: what the admin listener serves to supervisors: /livez and /readyz. */
#ifndef INTROSPECTD_HTTP_OPERATIONS_H
#define INTROSPECTD_HTTP_OPERATIONS_H

#include <h2o.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * Registers the handler on path, which must be "/" of a host of its own. /readyz is 200 while every issuer of
 * the worker's config (or any, if the config says so) has usable keys and *is_draining, which is borrowed, is
 * false. Before the thread serves.
 */
void operations_register(h2o_pathconf_t *path, const _Atomic bool *is_draining);

#endif

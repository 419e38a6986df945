/*
 * library_errors: gives the errors that the HTTP library answers by itself (a broken Content-Length, an
 * entity over its own bound) the same JSON form as ours.
 */
#ifndef INTROSPECTD_HTTP_LIBRARY_ERRORS_H
#define INTROSPECTD_HTTP_LIBRARY_ERRORS_H

#include <h2o.h>

/* Registers the filter for the paths of host. Before any thread serves. */
void library_errors_register(h2o_hostconf_t *host, h2o_pathconf_t *path);

#endif

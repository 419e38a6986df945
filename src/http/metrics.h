/* metrics: what the process does, in Prometheus' text format, version 0.0.4. Any thread. */
#ifndef INTROSPECTD_HTTP_METRICS_H
#define INTROSPECTD_HTTP_METRICS_H

#include "observed.h"

#include "introspectd/introspect.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * All metrics as they are now, for free(). Values of labels come from closed lists and from the config of
 * introspector, never from a request. NULL when memory cannot be had.
 */
char *metrics_text(const observed_t *observed, const introspector_t *introspector)
    __attribute__((warn_unused_result));

#endif

/* metrics: the counters of the process in Prometheus' text format, version 0.0.4. Any thread. */
#ifndef INTROSPECTD_HTTP_METRICS_H
#define INTROSPECTD_HTTP_METRICS_H

#include "introspectd/slice.h"

#include <h2o.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All metrics as they are now, in the memory of pool. */
slice_t metrics_write(h2o_mem_pool_t *pool);

#endif

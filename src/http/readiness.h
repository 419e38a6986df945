/*
 * readiness: whether a config's issuers have keys, as /readyz, the metrics and the status page tell it.
 */
#ifndef INTROSPECTD_HTTP_READINESS_H
#define INTROSPECTD_HTTP_READINESS_H

#include "introspectd/config.h"

#include <jansson.h>
#include <stdbool.h>

/* How many issuers lack usable keys now. Any thread. */
size_t readiness_count_lacking(const config_t *config);

/* Whether it is ready when so many issuers lack keys: the config's `ready`. */
bool readiness_of(const config_t *config, size_t lacking_count);

/*
 * A new array with an object for each issuer that lacks keys: "issuer", "problem", "detail" (or null) and
 * "since". NULL when memory cannot be had.
 */
json_t *readiness_problems(const config_t *config) __attribute__((warn_unused_result));

#endif

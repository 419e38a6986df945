/*
 * recent_refusals: the last tokens that were refused, as the log told them, for the status page. Any thread.
 */
#ifndef INTROSPECTD_HTTP_RECENT_REFUSALS_H
#define INTROSPECTD_HTTP_RECENT_REFUSALS_H

#include <jansson.h>
#include <stddef.h>

typedef struct recent_refusals recent_refusals_t;

/* Keeps that many. NULL when memory cannot be had. */
recent_refusals_t *recent_refusals_new(size_t max_count) __attribute__((warn_unused_result));
void recent_refusals_free(recent_refusals_t *recent);

/* Keeps a copy of fields, an object, with "time" (RFC 3339) before them, and drops the oldest. Without memory
 * nothing is kept. */
void recent_refusals_add(recent_refusals_t *recent, const json_t *fields);

/* A new array of copies, the newest first; NULL when memory cannot be had. */
json_t *recent_refusals_list(recent_refusals_t *recent) __attribute__((warn_unused_result));

#endif

/*
 * deferred: requests that wait for the next turn of the event loop, because their connection has had its
 * share of this one. An entry dies with its request. Belongs to one thread.
 */
#ifndef INTROSPECTD_HTTP_DEFERRED_H
#define INTROSPECTD_HTTP_DEFERRED_H

#include <h2o.h>
#include <stdbool.h>

typedef struct deferred {
    h2o_linklist_t waiting; /* oldest first */
} deferred_t;

void deferred_init(deferred_t *deferred);

/* came_us: what deferred_push was given. */
typedef void deferred_cb(h2o_handler_t *handler, h2o_req_t *req, int64_t came_us);

/* Has run called with the rest by deferred_run. */
void deferred_push(deferred_t *deferred, deferred_cb *run, h2o_handler_t *handler, h2o_req_t *req,
                   int64_t came_us);

bool deferred_is_empty(deferred_t *deferred);

/* Runs those that wait now, oldest first, one at least and until budget_us are over. From
 * within the event loop. */
void deferred_run(deferred_t *deferred, int64_t budget_us);

#endif

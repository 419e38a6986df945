/*
 * worker: one thread with one event loop: accepts, serves, drains.
 *
 * Everything in it belongs to its thread once that runs; others only call worker_request_stop. Created,
 * joined and freed by the server's starting and stopping thread.
 */
#ifndef INTROSPECTD_HTTP_WORKER_H
#define INTROSPECTD_HTTP_WORKER_H

#include "connection.h"
#include "listener.h"
#include "miss_queue.h"

#include "introspectd/introspect.h"

#include <h2o.h>
#include <pthread.h>
#include <semaphore.h>

typedef struct worker worker_t;

/* What a worker serves on one listening socket. */
typedef struct worker_listener {
    h2o_accept_ctx_t accept;
    int fd;               /* until the thread runs; then -1 */
    h2o_socket_t *socket; /* while the thread accepts */
} worker_listener_t;

struct worker {
    h2o_context_t h2o; /* first: a request's context is its worker */
    h2o_globalconf_t *config;
    h2o_hostconf_t *hosts[2];
    int64_t accept_again_ms; /* 0 while accepting; else when to try again, after the process ran out of
                                descriptors */
    connection_set_t connections;
    miss_queue_t misses;
    introspect_worker_t *introspect; /* NULL for the operations thread */
    h2o_multithread_receiver_t stop_receiver;
    h2o_multithread_message_t stop_message;
    bool stop_is_requested;
    int64_t drain_started_ms;
    int64_t drain_timeout_ms;
    size_t cut_off_count; /* requests in flight when the drain ran out of time */
    sem_t is_open;        /* posted when the thread has its loop */
    pthread_t thread;
    bool thread_is_started;
    size_t listener_count;
    worker_listener_t listeners[];
};

/*
 * A worker that serves host on duplicates of the given listeners' sockets. introspect is taken; NULL is
 * legal. NULL when memory or descriptors cannot be had; introspect is then freed.
 */
worker_t *worker_new(h2o_globalconf_t *config, h2o_hostconf_t *host, const listener_t *listeners,
                     size_t listener_count, introspect_worker_t *take_introspect)
    __attribute__((warn_unused_result));

/* Starts the thread, which accepts from then on; false when there is none to be had. */
bool worker_start(worker_t *worker) __attribute__((warn_unused_result));

/*
 * Asks the thread to stop accepting and to end when its connections have, or timeout_ms from now. Without
 * effect on a thread that was not started. Any thread; call once.
 */
void worker_request_stop(worker_t *worker, int64_t timeout_ms);

/* Waits for the thread's end. The number of requests that were cut off. */
size_t worker_join(worker_t *worker);
void worker_free(worker_t *worker);

/* The worker that serves req. */
static inline worker_t *worker_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(worker_t, h2o, req->conn->ctx);
}

#endif

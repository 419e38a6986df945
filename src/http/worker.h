/*
 * worker: one thread with one event loop: accepts, serves, changes its setup, drains.
 *
 * Everything in it belongs to its thread once that runs, the library's config included; others only call
 * worker_change, worker_request_stop and worker_cut_off. Created, joined and freed by the server's starting
 * and stopping thread.
 */
#ifndef INTROSPECTD_HTTP_WORKER_H
#define INTROSPECTD_HTTP_WORKER_H

#include "connection.h"
#include "deferred.h"
#include "miss_queue.h"
#include "tally.h"
#include "worker_setup.h"

#include <h2o.h>
#include <pthread.h>
#include <semaphore.h>

typedef struct worker worker_t;

struct worker {
    h2o_context_t h2o; /* first: a request's context is its worker */
    h2o_globalconf_t config;
    h2o_hostconf_t *hosts[2];
    worker_setup_t *setup;
    int64_t accept_again_ms; /* 0 while accepting; else when to try again, after the process ran out of
                                descriptors */
    connection_set_t connections;
    int64_t enforce_next_ms; /* when connection_set_enforce is due */
    deferred_t deferred;
    miss_queue_t misses;
    tally_t *tally;          /* borrowed; this thread counts in it. NULL for the operations thread */
    int64_t turn_began_us;   /* 0: nobody has asked yet */
    size_t answered_in_turn; /* requests that needed no verification */
    bool has_answered;       /* in this turn or the last one */
    int64_t
        miss_credit_us; /* what misses may take while others are answered; below 0: what they took too much */
    int64_t answered_us;      /* when requests without verification were last answered */
    int64_t work_ended_us;    /* when on_work last ended */
    h2o_timeout_entry_t work; /* of the next turn: misses, and connections that are read from again */
    bool has_worked;          /* in this turn */
    h2o_multithread_receiver_t receiver;
    h2o_multithread_message_t change_message;
    worker_setup_t *next_setup;  /* with change_message */
    worker_setup_t *old_setup;   /* while what was asked under it is decided */
    miss_marker_t change_marker; /* behind that in the queue */
    h2o_multithread_message_t stop_message;
    bool stop_is_requested;
    _Atomic bool is_to_cut_off; /* whatever is left of the drain's time */
    int64_t drain_started_ms;   /* 0: serves */
    int64_t close_idle_next_ms; /* when connection_set_close_idle is due, in a drain */
    int64_t drain_timeout_ms;
    size_t cut_off_count; /* requests in flight when the drain ran out of time */
    sem_t is_set_up;      /* posted when the thread serves by a new setup */
    pthread_t thread;
    bool thread_is_started;
    _Atomic int64_t turned_ms; /* when a turn last began; any thread may read it */
};

/* Registers what is served at "/" of the worker's host. */
typedef void worker_register_cb(h2o_pathconf_t *path, void *data);

/*
 * A worker that serves what register_handlers registers, by setup, which is taken. NULL when memory cannot be
 * had; setup is then freed. Its connections count in counts, which may be NULL: then nothing bounds them.
 * What it answers is counted in tally, if that is not NULL.
 */
worker_t *worker_new(worker_register_cb *register_handlers, void *data, worker_setup_t *take_setup,
                     connection_counts_t *counts, tally_t *tally) __attribute__((warn_unused_result));

/* Starts the thread, which accepts from then on; false when there is none to be had. */
bool worker_start(worker_t *worker) __attribute__((warn_unused_result));

/*
 * Puts setup, which is taken, in the place of the present one. On return the thread serves by it: connections
 * live on, and what waited was decided by the old one. Only while the thread runs.
 */
void worker_change(worker_t *worker, worker_setup_t *take_setup);

/* When, by the monotonic clock, the loop last began a turn, or was started. Any thread. */
int64_t worker_turned_ms(worker_t *worker);

/* Says that the thread will be asked to stop: see connection_set_announce_end. Any thread. */
void worker_announce_stop(worker_t *worker);

/*
 * Asks the thread to stop accepting and to end when its connections have, or timeout_ms from now. Without
 * effect on a thread that was not started. Any thread; call once, and no worker_change after.
 */
void worker_request_stop(worker_t *worker, int64_t timeout_ms);

/* Has what is left of the drain, now or once it begins, not waited for. Any thread; the worker is not freed.
 */
void worker_cut_off(worker_t *worker);

/* Whether the thread has ended, or none was started. worker_join is called all the same. */
bool worker_has_ended(worker_t *worker);

/* Waits for the thread's end. The number of requests that were cut off. */
size_t worker_join(worker_t *worker);
void worker_free(worker_t *worker);

/*
 * Has misses decided before this turn of the loop ends, if none were yet: a socket whose request waits longer
 * is taken out of the poll and put back. On the worker's thread.
 */
void worker_schedule_work(worker_t *worker);

/* When the present turn of the loop began, by clock_monotonic_us: read when first asked for in a turn. On the
 * worker's thread. */
int64_t worker_turn_began_us(worker_t *worker);

/* The worker that serves req. */
static inline worker_t *worker_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(worker_t, h2o, req->conn->ctx);
}

#endif

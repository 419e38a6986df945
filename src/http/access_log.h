/*
 * access_log: a line for a request, for one in so many, or for none, written by a thread of its own.
 *
 * Opened, changed and closed by the server's starting and stopping thread; answers are noted by the event
 * loops. What is written to standard error, or to a standard output that is the same, goes by the thread of
 * the events log, so that lines of both stay whole.
 */
#ifndef INTROSPECTD_HTTP_ACCESS_LOG_H
#define INTROSPECTD_HTTP_ACCESS_LOG_H

#include "answer_note.h"

#include "introspectd/server.h"

#include <h2o.h>
#include <stdatomic.h>

/* Where lines go, and which. Immutable but for its gate. */
typedef struct access_sink access_sink_t;

/* Zero-initialised: off. */
typedef struct access_log {
    _Atomic(access_sink_t *) sink; /* NULL: off */
    access_sink_t *opened;         /* until access_log_start */
} access_log_t;

/*
 * Opens the file that config names, while that may take root's rights: one that is created is given to the
 * config's user. Nothing is noted yet, and there is no thread. False with *error filled.
 */
bool access_log_open(access_log_t *log, const config_t *config, server_error_t *error)
    __attribute__((warn_unused_result));

/* Starts the thread, if there is anything to write to; from then on answers are noted. False without memory
 * or threads. */
bool access_log_start(access_log_t *log) __attribute__((warn_unused_result));

/*
 * Prepares what config asks for in the place of what log does, with all that can fail: *next, which goes to
 * access_log_change or access_log_discard, is NULL for an access log that is off. False with *error filled. A
 * file that stays is not opened anew.
 */
bool access_log_prepare(const access_log_t *log, const config_t *config, access_sink_t **next,
                        server_error_t *error) __attribute__((warn_unused_result));
void access_log_discard(const access_log_t *log, access_sink_t *take_next);

/* Notes into next from now on. What was there before is given back, for access_log_discard, once no event
 * loop uses it any more. */
access_sink_t *access_log_change(access_log_t *log, access_sink_t *take_next);

/* Has the file opened anew; what comes of it is logged. */
void access_log_reopen(access_log_t *log);

/* Writes what is left, for which there is a second. No event loop may run any more. */
void access_log_close(access_log_t *log);

/* How many lines were lost in the process's life. Any thread. */
uint64_t access_log_lost_total(void);

/* What access_log_note does when the log is on. */
void access_sink_note(access_sink_t *sink, h2o_req_t *req, const answer_note_t *note);

/* Whether answers are noted, for whoever gathers what is to be noted. */
static inline bool access_log_is_on(access_log_t *log)
{
    return atomic_load_explicit(&log->sink, memory_order_relaxed) != NULL;
}

/* Notes an answer of the endpoint, before or after it is sent. On req's thread, whose worker must have an
 * introspect_worker_t. */
static inline void access_log_note(access_log_t *log, h2o_req_t *req, const answer_note_t *note)
{
    access_sink_t *sink = atomic_load_explicit(&log->sink, memory_order_acquire);
    if (sink != NULL)
        access_sink_note(sink, req, note);
}

#endif

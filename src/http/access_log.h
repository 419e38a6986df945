/*
 * access_log: a line for a request, for one in so many, or for none, written by a thread of its own.
 *
 * Changed and closed by the server's starting and stopping thread; answers are noted by the event loops. What
 * is written to standard error, or to a standard output that is the same, goes by the thread of the events
 * log, so that lines of both stay whole.
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
} access_log_t;

/*
 * Prepares what config asks for in the place of what log does: opens the file, as whoever the process is, and
 * starts the thread. *next, which goes to access_log_change, is NULL for an access log that is off. False
 * with *error filled. A file that stays is not opened anew; when nothing changes *next is what there is.
 */
bool access_log_prepare(const access_log_t *log, const config_t *config, access_sink_t **next,
                        server_error_t *error) __attribute__((warn_unused_result));

/* Notes into next from now on. What was there before is given back, for access_log_discard. */
access_sink_t *access_log_change(access_log_t *log, access_sink_t *take_next);

/* Frees what was there before, unless it still is, once no event loop uses it any more. */
void access_log_discard(const access_log_t *log, access_sink_t *take_before);

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

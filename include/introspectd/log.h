/*
 * log: JSON lines on standard error.
 *
 * One line an event: {"time":"...","level":"...","event":"...", then the fields that the caller gives}. The
 * core returns reasons and does not log; http, keys and cli log once. Never hand a token, a secret or an
 * Authorization header to it. All functions may be called from any thread; a line is written whole.
 */
#ifndef INTROSPECTD_LOG_H
#define INTROSPECTD_LOG_H

#include "introspectd/slice.h"

#include <jansson.h>
#include <stdint.h>

typedef enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR } log_level_t;

/*
 * Writes one line. event is a short snake_case name ("listening"). take_fields is a JSON object whose members
 * are appended in their order; it is released here, also when nothing can be written; NULL means no fields.
 * A member named time, level or event is dropped. Fields that hold text which is not UTF-8 are replaced by
 * "fields_left_out":true.
 */
void log_event(log_level_t level, const char *event, json_t *take_fields);

/* From now on log_event writes nothing: for commands that report to people. */
void log_silence(void);

/*
 * From now on lines are handed to a thread that writes them, so that no caller waits for whoever reads them:
 * for as long as there are event loops. A line that finds no room is dropped and counted. False when memory
 * or threads cannot be had; lines are then written as before. Main thread.
 */
bool log_start_writer(void) __attribute__((warn_unused_result));

/* Waits until what was logged is written, for a second at most. Any thread, before log_stop_writer. */
void log_flush(void);

/*
 * Ends that: what was logged is written first, for which there is a second. From then on lines are written by
 * their callers again, or, when the second was not enough, dropped and counted. Main thread; lines that
 * others log meanwhile may stand among those that still wait. Legal without log_start_writer.
 */
void log_stop_writer(void);

/*
 * Hands a line of another kind over, with its newline, to be written among the events. It leaves a quarter of
 * the room to them. False when it finds no room: it is lost, which is the caller's to count, and told among
 * the events. Any thread.
 */
bool log_write_line(slice_t line);

/* How many events were lost, and lines of another kind that were taken and then not written. Any thread. */
uint64_t log_lost_total(void);

/*
 * A thinning gate: lets burst lines (at most 16777215) through in each period of period_ms and counts what it
 * held back. Periods begin at the multiples of period_ms.
 * One object serves any number of threads. Zero-initialise, then call log_gate_init.
 */
typedef struct log_gate {
    uint32_t burst;
    int64_t period_ms;
    _Atomic uint64_t period_and_passed;
    _Atomic uint64_t left_out;
} log_gate_t;

void log_gate_init(log_gate_t *gate, uint32_t burst, int64_t period_ms);

/*
 * Whether a line may be written at now_ms (clock_monotonic_ms). When it may, *left_out is the number of lines
 * held back since the last one that passed, and that count starts again at 0; the caller adds it to its line
 * when it is not 0.
 */
_Bool log_gate_pass(log_gate_t *gate, int64_t now_ms, uint64_t *left_out);

#endif

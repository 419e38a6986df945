/*
 * line_writer: lines that are handed over in memory, and written by a thread of its own, so that whoever
 * has one never waits for a disk or a reader.
 *
 * A line that finds no room is dropped, and so is one that cannot be written, which is counted. Lines are
 * written in the order in which they were pushed, many with one write. All functions may be called from any
 * thread, line_writer_end once and last.
 */
#ifndef INTROSPECTD_LINE_WRITER_H
#define INTROSPECTD_LINE_WRITER_H

#include "introspectd/slice.h"

#include <fcntl.h>
#include <stdint.h>

/*
 * How line_writer_open opens. Appending, a file that somebody cuts short goes on at its new end. Without
 * waiting, a FIFO that nobody reads is an error, and one that is not read does not keep its writer.
 */
enum {
    LINE_WRITER_OPEN_FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
    LINE_WRITER_OPEN_MODE = 0640
};

typedef struct line_writer line_writer_t;

typedef enum line_writer_event {
    LINE_WRITER_REOPENED,
    LINE_WRITER_REOPEN_FAILED, /* the old file goes on */
    LINE_WRITER_WRITE_FAILED,  /* what was to be written is lost */
    LINE_WRITER_FULL,          /* lines find no room; told again and again while that is so */
    LINE_WRITER_LOST           /* lines found no room, and there is room again */
} line_writer_event_t;

/* Told on the writer's thread; error is an errno value, or 0. It must not wait. */
typedef void line_writer_event_cb(void *data, line_writer_event_t event, int error);

typedef struct line_writer_settings {
    const char *name;       /* the thread's, for ps and top: up to 15 bytes */
    int fd;                 /* what to write to */
    const char *path;       /* what line_writer_reopen opens; fd is then taken over. NULL: fd is borrowed */
    size_t max_bytes;       /* that may wait; as many may be on their way beside them */
    int gather_ms;          /* how long a line may wait for others to be written with it */
    _Atomic uint64_t *lost; /* counts the lines that were taken and not written; must live as long as the
                               process */
    line_writer_event_cb *on_event; /* may be NULL */
    void *data;                     /* of on_event; must live as long as the process, or be NULL */
} line_writer_settings_t;

/*
 * A descriptor for path, which is created if it is not there, or -1 with errno set: ENOTSUP for what is
 * neither a regular file, nor a FIFO, nor a character device.
 */
int line_writer_open(const char *path) __attribute__((warn_unused_result));

/*
 * Starts a writer and its thread, in which all signals are blocked. NULL when memory or threads cannot be
 * had; a descriptor that would have been taken over is then still the caller's.
 */
line_writer_t *line_writer_new(const line_writer_settings_t *settings) __attribute__((warn_unused_result));

/*
 * Hands a line over, with its newline. Never waits for what is written: a lock is held for as long as it
 * takes to copy a line. False when the line found no room: it is lost, which is the caller's to count, since
 * lines of several kinds may share a writer.
 */
bool line_writer_push(line_writer_t *writer, slice_t line);

/* The same for a line that must not crowd out others: it leaves a quarter of the room to them. */
bool line_writer_push_minor(line_writer_t *writer, slice_t line);

/*
 * Has the file at the path opened anew. Lines that were pushed before this call go to the old file or to the
 * new one, whole. Without a path nothing happens.
 */
void line_writer_reopen(line_writer_t *writer);

/* Waits until all that was pushed before is written or lost, for timeout_ms at most. Whether it is. */
bool line_writer_flush(line_writer_t *writer, int timeout_ms);

/*
 * Ends the writer: what was pushed is written first, for which there are timeout_ms. False when that was not
 * enough: what is left is lost, and the thread, which may hang in a write, frees all when it comes back; a
 * borrowed descriptor is then never to be closed.
 */
bool line_writer_end(line_writer_t *take_writer, int timeout_ms);

#endif

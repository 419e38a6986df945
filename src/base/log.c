#include "introspectd/log.h"

#include "introspectd/clock.h"
#include "introspectd/line_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Only ASCII leaves: no terminal sees a C1 control, no tool splits a line at U+0085 or U+2028. */
static const size_t dump_flags = JSON_COMPACT | JSON_ENSURE_ASCII;

static const char *level_name(log_level_t level)
{
    switch (level) {
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        break;
    }
    return "error";
}

static json_t *current_time(void)
{
    char seconds[CLOCK_RFC3339_SIZE];
    char text[CLOCK_RFC3339_SIZE + 16];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_format_rfc3339(now.tv_sec, seconds);
    seconds[strcspn(seconds, "Z")] = '\0';
    snprintf(text, sizeof text, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
    return json_string(text);
}

static bool append_fields(json_t *line, json_t *fields)
{
    const char *name;
    json_t *value;

    if (!json_is_object(fields))
        return false;
    json_object_foreach(fields, name, value)
    {
        /* json_object_set checks the name: json_dumps would write one that is not UTF-8 half and succeed. */
        if (json_object_get(line, name) == NULL && json_object_set(line, name, value) != 0)
            return false;
    }
    return true;
}

/* The line's text without its newline, or NULL; free with free(). */
static char *format_line(log_level_t level, const char *event, json_t *fields)
{
    json_t *line = json_object();
    json_t *name = json_string(event);
    char *text = NULL;

    /* Not UTF-8: the rest of the line is still worth having. */
    if (name == NULL)
        name = json_string("unnamed");
    if (json_object_set_new(line, "time", current_time()) != 0 ||
        json_object_set_new(line, "level", json_string(level_name(level))) != 0) {
        json_decref(name);
        goto cleanup;
    }
    if (json_object_set_new(line, "event", name) != 0)
        goto cleanup;
    if (fields == NULL || append_fields(line, fields))
        text = json_dumps(line, dump_flags);
cleanup:
    json_decref(line);
    return text;
}

/*
 * The lock keeps lines whole where one write cannot: a line above PIPE_BUF may go into a full pipe in pieces.
 */
static void write_directly(const char *line, size_t len)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t written = 0;

    pthread_mutex_lock(&lock);
    while (written < len) {
        ssize_t n = write(STDERR_FILENO, line + written, len - written);

        if (n > 0) {
            written += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&writable, 1, -1);
        }
    }
    pthread_mutex_unlock(&lock);
}

enum { QUEUE_BYTES = 256 * 1024, STOP_TIMEOUT_MS = 1000 };

/* Of line_writer, while it is used: a thread that was left behind may log when it is freed. */
static pthread_mutex_t line_writer_lock = PTHREAD_MUTEX_INITIALIZER;
static line_writer_t *line_writer; /* NULL: lines are written directly */
static atomic_bool is_stuck;       /* the writer was left behind, in a write that does not end */
static _Atomic uint64_t lost_total;
static _Atomic uint64_t lost_others_total; /* lines of another kind that found no room */

static void on_writer_event(void *data, line_writer_event_t event, int error)
{
    (void)data;
    (void)error;
    /* What cannot be written cannot be told here; it is counted. */
    if (event == LINE_WRITER_LOST)
        log_event(LOG_LEVEL_WARN, "log_lines_lost",
                  json_pack("{s:I}", "lost",
                            (json_int_t)(atomic_load(&lost_total) + atomic_load(&lost_others_total))));
}

/* What was there before. */
static line_writer_t *exchange_writer(line_writer_t *writer)
{
    pthread_mutex_lock(&line_writer_lock);
    line_writer_t *before = line_writer;
    line_writer = writer;
    pthread_mutex_unlock(&line_writer_lock);
    return before;
}

bool log_start_writer(void)
{
    line_writer_settings_t settings = {.name = "log",
                                       .fd = STDERR_FILENO,
                                       .max_bytes = QUEUE_BYTES,
                                       .lost = &lost_total,
                                       .on_event = on_writer_event};
    line_writer_t *writer = line_writer_new(&settings);
    (void)exchange_writer(writer);
    return writer != NULL;
}

void log_flush(void)
{
    pthread_mutex_lock(&line_writer_lock);
    line_writer_t *writer = line_writer;
    pthread_mutex_unlock(&line_writer_lock);
    if (writer != NULL)
        (void)line_writer_flush(writer, STOP_TIMEOUT_MS);
}

void log_stop_writer(void)
{
    line_writer_t *writer = exchange_writer(NULL);
    if (writer != NULL && !line_writer_end(writer, STOP_TIMEOUT_MS))
        atomic_store(&is_stuck, true);
}

typedef bool line_push_t(line_writer_t *writer, slice_t line);

/* False when the line is lost. */
static bool hand_over(line_push_t *push, slice_t line)
{
    pthread_mutex_lock(&line_writer_lock);
    bool has_writer = line_writer != NULL;
    bool is_taken = has_writer && push(line_writer, line);
    pthread_mutex_unlock(&line_writer_lock);
    if (has_writer || atomic_load(&is_stuck))
        return is_taken;
    write_directly(line.base, line.len);
    return true;
}

bool log_write_line(slice_t line)
{
    bool is_taken = hand_over(line_writer_push_minor, line);
    if (!is_taken)
        atomic_fetch_add_explicit(&lost_others_total, 1, memory_order_relaxed);
    return is_taken;
}

uint64_t log_lost_total(void)
{
    return atomic_load_explicit(&lost_total, memory_order_relaxed);
}

static atomic_bool is_silent;

void log_silence(void)
{
    atomic_store(&is_silent, true);
}

void log_event(log_level_t level, const char *event, json_t *take_fields)
{
    if (atomic_load(&is_silent)) {
        json_decref(take_fields);
        return;
    }
    char *line = format_line(level, event, take_fields);

    if (line == NULL && take_fields != NULL) {
        json_t *instead = json_pack("{s:b}", "fields_left_out", 1);
        line = format_line(level, event, instead);
        json_decref(instead);
    }
    json_decref(take_fields);
    if (line == NULL)
        return;

    /* The newline takes the place of the NUL, so that the whole line is one buffer and one write. */
    size_t len = strlen(line);
    line[len] = '\n';
    if (!hand_over(line_writer_push, (slice_t){line, len + 1}))
        atomic_fetch_add_explicit(&lost_total, 1, memory_order_relaxed);
    free(line);
}

enum { PASSED_BITS = 24, PASSED_MAX = (1 << PASSED_BITS) - 1 };

void log_gate_init(log_gate_t *gate, uint32_t burst, int64_t period_ms)
{
    gate->burst = burst < PASSED_MAX ? burst : PASSED_MAX;
    gate->period_ms = period_ms > 0 ? period_ms : 1;
    atomic_init(&gate->period_and_passed, 0);
    atomic_init(&gate->left_out, 0);
}

/*
 * The number of the period and the count of lines that passed in it change together in one word, or two
 * threads at the turn of a period could let more than burst lines through.
 */
_Bool log_gate_pass(log_gate_t *gate, int64_t now_ms, uint64_t *left_out)
{
    uint64_t period = now_ms > 0 ? (uint64_t)(now_ms / gate->period_ms) : 0;
    uint64_t seen = atomic_load_explicit(&gate->period_and_passed, memory_order_relaxed);
    uint64_t next;

    do {
        /* A thread that read the clock before another began a new period counts in the new one. */
        next = period > seen >> PASSED_BITS ? period << PASSED_BITS : seen;
        if ((next & PASSED_MAX) >= gate->burst) {
            atomic_fetch_add_explicit(&gate->left_out, 1, memory_order_relaxed);
            return false;
        }
        next++;
    } while (!atomic_compare_exchange_weak_explicit(&gate->period_and_passed, &seen, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    *left_out = atomic_exchange_explicit(&gate->left_out, 0, memory_order_relaxed);
    return true;
}

#include "access_output.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUEUE_BYTES = 1024 * 1024,
    GATHER_MS = 100,
    END_TIMEOUT_MS = 1000,
    /* Lines about what goes wrong with writing, of each kind. */
    TROUBLE_BURST = 1,
    TROUBLE_PERIOD_MS = 10000
};

static _Atomic uint64_t lost_total;
static _Atomic uint64_t told_total; /* of those, in an event */

static const char LINES_LOST[] = "access_log_lines_lost";

static log_gate_t write_failed_gate, lost_gate;
static pthread_once_t gates_are_made = PTHREAD_ONCE_INIT;

static void make_gates(void)
{
    log_gate_init(&write_failed_gate, TROUBLE_BURST, TROUBLE_PERIOD_MS);
    log_gate_init(&lost_gate, TROUBLE_BURST, TROUBLE_PERIOD_MS);
}

/* error: an errno value, or 0 */
static void log_lost(const char *event, int error)
{
    uint64_t lost = access_output_lost_total();
    atomic_store(&told_total, lost);
    json_t *fields = json_pack("{s:I}", "lost", (json_int_t)lost);
    if (error != 0)
        json_object_set_new(fields, "error", json_string(strerrordesc_np(error)));
    log_event(LOG_LEVEL_ERROR, event, fields);
}

static void log_trouble(log_gate_t *gate, const char *event, int error)
{
    uint64_t left_out; /* what counts is the lines lost */
    pthread_once(&gates_are_made, make_gates);
    if (log_gate_pass(gate, clock_monotonic_ms(), &left_out))
        log_lost(event, error);
}

static void on_writer_event(void *data, line_writer_event_t event, int error)
{
    (void)data;
    switch (event) {
    case LINE_WRITER_REOPENED:
        log_event(LOG_LEVEL_INFO, "access_log_reopened", NULL);
        return;
    case LINE_WRITER_REOPEN_FAILED:
        log_event(LOG_LEVEL_ERROR, "access_log_reopen_failed",
                  json_pack("{s:s}", "error", strerrordesc_np(error)));
        return;
    case LINE_WRITER_WRITE_FAILED:
        log_trouble(&write_failed_gate, "access_log_write_failed", error);
        return;
    case LINE_WRITER_FULL:
    case LINE_WRITER_LOST:
        log_trouble(&lost_gate, LINES_LOST, 0);
        return;
    }
}

static bool stdout_is_stderr(void)
{
    struct stat out;
    struct stat err;
    return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
           out.st_ino == err.st_ino;
}

void access_output_free(access_output_t *output)
{
    if (output == NULL)
        return;
    if (output->writer != NULL) {
        /* A writer that was given up tells nothing any more; another has perhaps not told the last of it. */
        (void)line_writer_end(output->writer, END_TIMEOUT_MS);
        if (access_output_lost_total() != atomic_load(&told_total))
            log_lost(LINES_LOST, 0);
    }
    free(output->path);
    free(output);
}

static bool fail_memory(server_error_t *error)
{
    snprintf(error->text, sizeof(error->text), "cannot start the access log: out of memory or threads");
    return false;
}

static bool fail_open(const config_t *config, int reason, server_error_t *error)
{
    char who[64] = "";
    if (reason == EACCES)
        snprintf(who, sizeof(who), " for uid %u, gid %u", geteuid(), getegid());
    snprintf(error->text, sizeof(error->text),
             "%s:%u: access_log.file: %s: cannot be opened for writing: %s%s", config->file,
             config->access_log.line, config->access_log.file, strerrordesc_np(reason), who);
    return false;
}

/* With what it writes to. */
static bool start_writer(access_output_t *output, const config_t *config, server_error_t *error)
{
    const char *path = config->access_log.file;
    line_writer_settings_t settings = {.name = "access-log",
                                       .fd = STDOUT_FILENO,
                                       .path = path,
                                       .max_bytes = QUEUE_BYTES,
                                       .gather_ms = GATHER_MS,
                                       .lost = &lost_total,
                                       .on_event = on_writer_event};
    if (path != NULL) {
        output->path = strdup(path);
        if (output->path == NULL)
            return fail_memory(error);
        settings.fd = line_writer_open(path);
        if (settings.fd == -1)
            return fail_open(config, errno, error);
    }
    output->writer = line_writer_new(&settings);
    if (output->writer != NULL)
        return true;
    if (path != NULL)
        close(settings.fd);
    return fail_memory(error);
}

access_output_t *access_output_start(const config_t *config, server_error_t *error)
{
    config_log_target_t target = config->access_log.target;
    access_output_t *output = calloc(1, sizeof(*output));
    if (output == NULL) {
        (void)fail_memory(error);
        return NULL;
    }
    output->target = target;
    output->is_among_events =
        target == CONFIG_LOG_STDERR || (target == CONFIG_LOG_STDOUT && stdout_is_stderr());
    if (output->is_among_events || start_writer(output, config, error))
        return output;
    access_output_free(output);
    return NULL;
}

bool access_output_is_wanted(const access_output_t *output, const config_access_log_t *wanted)
{
    return output->target == wanted->target &&
           (output->path == NULL || strcmp(output->path, wanted->file) == 0);
}

void access_output_reopen(access_output_t *output)
{
    if (output->writer != NULL)
        line_writer_reopen(output->writer);
}

void access_output_write(access_output_t *output, slice_t line)
{
    if (!(output->is_among_events ? log_write_line(line) : line_writer_push(output->writer, line)))
        atomic_fetch_add_explicit(&lost_total, 1, memory_order_relaxed);
}

uint64_t access_output_lost_total(void)
{
    return atomic_load_explicit(&lost_total, memory_order_relaxed);
}

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

static log_gate_t write_failed_gate, lost_gate;
static pthread_once_t gates_are_made = PTHREAD_ONCE_INIT;

static void make_gates(void)
{
    log_gate_init(&write_failed_gate, TROUBLE_BURST, TROUBLE_PERIOD_MS);
    log_gate_init(&lost_gate, TROUBLE_BURST, TROUBLE_PERIOD_MS);
}

static void log_trouble(log_gate_t *gate, const char *event, int error)
{
    uint64_t left_out; /* what counts is the lines lost */
    pthread_once(&gates_are_made, make_gates);
    if (!log_gate_pass(gate, clock_monotonic_ms(), &left_out))
        return;
    json_t *fields = json_pack("{s:I}", "lost", (json_int_t)access_output_lost_total());
    if (error != 0)
        json_object_set_new(fields, "error", json_string(strerrordesc_np(error)));
    log_event(LOG_LEVEL_ERROR, event, fields);
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
        log_trouble(&lost_gate, "access_log_lines_lost", 0);
        return;
    }
}

/* The file at path, or -1 with errno set. */
static int open_file(const char *path, const config_user_t *user)
{
    if (!user->is_given || geteuid() != 0)
        return line_writer_open(path);
    /* Who may write into the directory must not have root open or give away what is elsewhere. */
    int fd = open(path, LINE_WRITER_OPEN_FLAGS | O_NOFOLLOW | O_EXCL, LINE_WRITER_OPEN_MODE);
    if (fd == -1)
        return errno == EEXIST ? open(path, LINE_WRITER_OPEN_FLAGS | O_NOFOLLOW, LINE_WRITER_OPEN_MODE) : -1;
    if (fchown(fd, user->uid, user->gid) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
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
    if (output->writer != NULL)
        (void)line_writer_end(output->writer, END_TIMEOUT_MS);
    if (output->fd != -1)
        close(output->fd);
    free(output->path);
    free(output);
}

access_output_t *access_output_open(const config_t *config, server_error_t *error)
{
    const config_access_log_t *wanted = &config->access_log;
    access_output_t *output = calloc(1, sizeof(*output));
    if (output == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return NULL;
    }
    output->fd = -1;
    output->target = wanted->target;
    output->is_among_events =
        wanted->target == CONFIG_LOG_STDERR || (wanted->target == CONFIG_LOG_STDOUT && stdout_is_stderr());
    if (wanted->target != CONFIG_LOG_FILE)
        return output;
    output->path = strdup(wanted->file);
    if (output->path == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
    } else {
        output->fd = open_file(wanted->file, &config->user);
        if (output->fd == -1)
            snprintf(error->text, sizeof(error->text),
                     "%s:%u: access_log.file: cannot be opened for writing: %s", config->file, wanted->line,
                     strerrordesc_np(errno));
    }
    if (output->fd != -1)
        return output;
    access_output_free(output);
    return NULL;
}

bool access_output_start(access_output_t *output)
{
    if (output->is_among_events || output->writer != NULL)
        return true;
    line_writer_settings_t settings = {.name = "access-log",
                                       .fd = output->path == NULL ? STDOUT_FILENO : output->fd,
                                       .path = output->path,
                                       .max_bytes = QUEUE_BYTES,
                                       .gather_ms = GATHER_MS,
                                       .lost = &lost_total,
                                       .on_event = on_writer_event};
    output->writer = line_writer_new(&settings);
    if (output->writer != NULL)
        output->fd = -1;
    return output->writer != NULL;
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

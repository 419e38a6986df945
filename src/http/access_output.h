/*
 * access_output: what lines of the access log are written to: a file or standard output by a thread of its
 * own, or the events log. Opened, started and freed by the server's starting and stopping thread.
 */
#ifndef INTROSPECTD_HTTP_ACCESS_OUTPUT_H
#define INTROSPECTD_HTTP_ACCESS_OUTPUT_H

#include "introspectd/config.h"
#include "introspectd/line_writer.h"
#include "introspectd/server.h"

typedef struct access_output {
    config_log_target_t target;
    char *path;            /* with CONFIG_LOG_FILE */
    int fd;                /* -1 once the writer has it, and without a file */
    bool is_among_events;  /* there is no writer: lines go by the events log's */
    line_writer_t *writer; /* NULL until it is started */
} access_output_t;

/*
 * Opens what config asks for, which is not CONFIG_LOG_OFF, while that may take root's rights: a file that is
 * created is given to the config's user. NULL with *error filled.
 */
access_output_t *access_output_open(const config_t *config, server_error_t *error)
    __attribute__((warn_unused_result));

/* Starts the thread, if it has none and needs one. False when memory or threads cannot be had. */
bool access_output_start(access_output_t *output) __attribute__((warn_unused_result));

/* Whether wanted, which is not CONFIG_LOG_OFF, asks for the same. */
bool access_output_is_wanted(const access_output_t *output, const config_access_log_t *wanted);

/* Has the file opened anew, if there is one; what comes of it is logged. */
void access_output_reopen(access_output_t *output);

/* Hands a line over; a lost one is counted. Any thread, once it is started. */
void access_output_write(access_output_t *output, slice_t line);

/* Writes what is left, for which there is a second. NULL is legal. */
void access_output_free(access_output_t *output);

/* How many lines were lost in the process's life. Any thread. */
uint64_t access_output_lost_total(void);

#endif

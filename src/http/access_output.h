/*
 * access_output: what lines of the access log are written to: a file or standard output by a thread of its
 * own, or the events log. Started and freed by the server's starting and stopping thread.
 */
#ifndef INTROSPECTD_HTTP_ACCESS_OUTPUT_H
#define INTROSPECTD_HTTP_ACCESS_OUTPUT_H

#include "introspectd/config.h"
#include "introspectd/line_writer.h"
#include "introspectd/server.h"

typedef struct access_output {
    config_log_target_t target;
    char *path;           /* with CONFIG_LOG_FILE */
    bool is_among_events; /* there is no writer: lines go by the events log's */
    line_writer_t *writer;
} access_output_t;

/*
 * Opens what config asks for, which is not CONFIG_LOG_OFF, and starts the thread, if it needs one. NULL with
 * *error filled.
 */
access_output_t *access_output_start(const config_t *config, server_error_t *error)
    __attribute__((warn_unused_result));

/* Whether wanted, which is not CONFIG_LOG_OFF, asks for the same. */
bool access_output_is_wanted(const access_output_t *output, const config_access_log_t *wanted);

/* Has the file opened anew, if there is one; what comes of it is logged. */
void access_output_reopen(access_output_t *output);

/* Hands a line over; a lost one is counted. Any thread. */
void access_output_write(access_output_t *output, slice_t line);

/* Writes what is left, for which there is a second, and logs what was lost and not logged yet. NULL is legal.
 */
void access_output_free(access_output_t *output);

/* How many lines were lost in the process's life. Any thread. */
uint64_t access_output_lost_total(void);

#endif

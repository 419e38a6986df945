/*
 * input: what a command reads from a file or from standard input.
 *
 * Everything has an upper bound, because anything may stand in a pipe.
 */
#ifndef INTROSPECTD_CLI_INPUT_H
#define INTROSPECTD_CLI_INPUT_H

#include "introspectd/slice.h"

/*
 * Reads the whole file, or standard input when path is "-". 0, or an errno value as of file_read. Free with
 * file_free_secret.
 */
int input_read(const char *path, size_t max_bytes, char **out, size_t *out_len)
    __attribute__((warn_unused_result));

/* Lines of a file descriptor. */
typedef struct line_reader line_reader_t;

typedef enum line_status {
    LINE_READ,
    LINE_TOO_LONG, /* skipped to its end */
    LINE_END,      /* nothing more to read */
    LINE_FAILED    /* errno says why */
} line_status_t;

/* NULL when memory cannot be had. fd stays the caller's. */
line_reader_t *line_reader_new(int fd, size_t max_line) __attribute__((warn_unused_result));
void line_reader_free(line_reader_t *reader);

/* The next line without its "\n" or "\r\n", as soon as it is there; borrowed until the next call. */
line_status_t line_reader_next(line_reader_t *reader, slice_t *line) __attribute__((warn_unused_result));

#endif

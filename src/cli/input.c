#include "input.h"

#include "introspectd/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_SIZE = 64 * 1024 };

struct line_reader {
    int fd;
    size_t max_line;
    size_t chunk_at; /* what of the chunk has been given out */
    size_t chunk_len;
    char *line;
    size_t line_len;
    size_t line_capacity;
    char chunk[CHUNK_SIZE];
};

static ssize_t read_some(int fd, char *out, size_t size)
{
    ssize_t got;
    do
        got = read(fd, out, size);
    while (got < 0 && errno == EINTR);
    return got;
}

int input_read(const char *path, size_t max_bytes, char **out, size_t *out_len)
{
    return strcmp(path, "-") == 0 ? file_read_fd(STDIN_FILENO, max_bytes, out, out_len)
                                  : file_read(path, max_bytes, out, out_len);
}

line_reader_t *line_reader_new(int fd, size_t max_line)
{
    line_reader_t *reader = calloc(1, sizeof(*reader));
    if (reader != NULL) {
        reader->fd = fd;
        reader->max_line = max_line;
    }
    return reader;
}

void line_reader_free(line_reader_t *reader)
{
    if (reader == NULL)
        return;
    file_free_secret(reader->line, reader->line_len);
    explicit_bzero(reader->chunk, sizeof(reader->chunk));
    free(reader);
}

static bool append(line_reader_t *reader, const char *bytes, size_t len)
{
    if (len > reader->line_capacity - reader->line_len) {
        size_t capacity = reader->line_capacity * 2 + len;
        char *line = realloc(reader->line, capacity);
        if (line == NULL)
            return false;
        reader->line = line;
        reader->line_capacity = capacity;
    }
    if (len > 0)
        memcpy(reader->line + reader->line_len, bytes, len);
    reader->line_len += len;
    return true;
}

static line_status_t finish(line_reader_t *reader, bool has_newline, bool is_too_long, slice_t *line)
{
    size_t len = reader->line_len;
    if (has_newline && len > 0 && reader->line[len - 1] == '\r')
        len--;
    if (is_too_long || len > reader->max_line)
        return LINE_TOO_LONG;
    *line = (slice_t){len == 0 ? "" : reader->line, len};
    return LINE_READ;
}

line_status_t line_reader_next(line_reader_t *reader, slice_t *line)
{
    bool is_started = false;
    bool is_too_long = false;
    reader->line_len = 0;
    for (;;) {
        if (reader->chunk_at == reader->chunk_len) {
            ssize_t got = read_some(reader->fd, reader->chunk, sizeof(reader->chunk));
            if (got < 0)
                return LINE_FAILED;
            if (got == 0)
                return is_started ? finish(reader, false, is_too_long, line) : LINE_END;
            reader->chunk_at = 0;
            reader->chunk_len = (size_t)got;
        }
        is_started = true;
        const char *from = reader->chunk + reader->chunk_at;
        size_t left = reader->chunk_len - reader->chunk_at;
        const char *newline = memchr(from, '\n', left);
        size_t len = newline == NULL ? left : (size_t)(newline - from);
        /* One byte more than a line may have, for a "\r" that is not part of it. */
        is_too_long = is_too_long || len > reader->max_line + 1 - reader->line_len;
        if (!is_too_long && !append(reader, from, len))
            return LINE_FAILED;
        reader->chunk_at += len + (newline != NULL);
        if (newline != NULL)
            return finish(reader, true, is_too_long, line);
    }
}

#include "introspectd/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 4096 };

typedef struct buffer {
    char *bytes;
    size_t len;
    size_t capacity;
} buffer_t;

/* Not realloc: what it leaves behind when it moves may be part of a secret. */
static bool grow(buffer_t *buffer, size_t limit)
{
    size_t capacity = buffer->capacity < limit / 2 ? 2 * buffer->capacity : limit;
    char *bytes = malloc(capacity);

    if (bytes == NULL)
        return false;
    memcpy(bytes, buffer->bytes, buffer->len);
    file_free_secret(buffer->bytes, buffer->len);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

/* Fills buffer, which leaves at least one byte free behind its contents. */
static int read_all(int fd, size_t max_bytes, buffer_t *buffer)
{
    /* The byte that is kept for the NUL is also the one that shows that the file is too big. */
    size_t limit = max_bytes < SIZE_MAX ? max_bytes + 1 : SIZE_MAX;

    buffer->capacity = limit < FIRST_CAPACITY ? limit : FIRST_CAPACITY;
    buffer->bytes = malloc(buffer->capacity);
    if (buffer->bytes == NULL)
        return ENOMEM;
    for (;;) {
        ssize_t got = read(fd, buffer->bytes + buffer->len, buffer->capacity - buffer->len);

        if (got == 0)
            return 0;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        buffer->len += (size_t)got;
        if (buffer->len == limit)
            return EFBIG;
        if (buffer->len == buffer->capacity && !grow(buffer, limit))
            return ENOMEM;
    }
}

int file_read_fd(int fd, size_t max_bytes, char **out, size_t *out_len)
{
    buffer_t buffer = {NULL, 0, 0};
    int error = read_all(fd, max_bytes, &buffer);

    if (error != 0) {
        file_free_secret(buffer.bytes, buffer.len);
        return error;
    }
    buffer.bytes[buffer.len] = '\0';
    *out = buffer.bytes;
    *out_len = buffer.len;
    return 0;
}

int file_read(const char *path, size_t max_bytes, char **out, size_t *out_len)
{
    int error;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return errno;
    error = file_read_fd(fd, max_bytes, out, out_len);
    close(fd);
    return error;
}

void file_free_secret(char *secret, size_t len)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, len);
    free(secret);
}

/*
 * file: reading a whole small file, with an upper bound.
 *
 * Keys, secrets and configs are small; an endless or huge file must be an error, not an allocation.
 * Any thread. The caller frees what it got.
 */
#ifndef INTROSPECTD_FILE_H
#define INTROSPECTD_FILE_H

#include <stddef.h>

/*
 * Reads the file at path into *out (one NUL is added behind it and not counted in *out_len; free with
 * free()). Returns 0, or an errno value: EFBIG when the file holds more than max_bytes, EISDIR for a
 * directory. Outputs untouched on failure.
 */
int file_read(const char *path, size_t max_bytes, char **out, size_t *out_len)
    __attribute__((warn_unused_result));

/* As file_read, from a descriptor that stays open: standard input, for example. */
int file_read_fd(int fd, size_t max_bytes, char **out, size_t *out_len) __attribute__((warn_unused_result));

/* Overwrites and frees what file_read gave; for secrets. NULL is legal. */
void file_free_secret(char *secret, size_t len);

#endif

/*
 * memory_scan: where in this process does a secret lie?
 *
 * The secret is held masked, so that the search does not find itself, and is written to files byte by byte.
 * What is
 * searched is all writable memory, the freed heap and globals included, but for the stack: what OpenSSL's
 * digests leave in dead frames is not ours to overwrite, and soon overwritten.
 */
#ifndef INTROSPECTD_TESTS_MEMORY_SCAN_H
#define INTROSPECTD_TESTS_MEMORY_SCAN_H

#include <stddef.h>

enum { MASKED_SECRET_LEN = 48 };

typedef struct masked_secret {
    unsigned char bytes[MASKED_SECRET_LEN];    /* each XORed */
    unsigned char text[2 * MASKED_SECRET_LEN]; /* the same secret in base64url, each character XORed */
    size_t text_len;
} masked_secret_t;

/* Draws a secret. */
void masked_secret_init(masked_secret_t *secret);

/* Copies the base64url text out, unmasked; out has room for text_len bytes. */
void masked_secret_unmask_text(const masked_secret_t *secret, char *out);
/* Writes the text, unmasked, to a descriptor, one byte after the other. */
void masked_secret_write_text(const masked_secret_t *secret, int fd);

/* How many places hold a piece of the secret's text, or of its bytes. Threads must stand still. */
size_t memory_scan_text(const masked_secret_t *secret);
size_t memory_scan_bytes(const masked_secret_t *secret);

#endif

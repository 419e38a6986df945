/*
 * bodies: the request bodies of a run, one token each, in the order that a run asks for.
 *
 * The tokens come from a file with one a line, all of one length (bench/tokens.c writes it). It is mapped, so
 * that a million of them cost nothing to open.
 */
#ifndef INTROSPECTD_BENCH_BODIES_H
#define INTROSPECTD_BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum bodies_choice {
    BODIES_SEQUENTIAL, /* in the file's order, from offset on, and round again */
    BODIES_UNIFORM,
    BODIES_ZIPF, /* the k-th token with a probability of k^-exponent */
} bodies_choice_t;

typedef struct bodies_settings {
    const char *file;
    size_t pool; /* only the first tokens of the file; 0: all */
    size_t offset;
    bodies_choice_t choice;
    double exponent;
    uint64_t seed;
    bool is_json; /* {"token":"..."}; else token=... */
} bodies_settings_t;

typedef struct bodies {
    bodies_settings_t settings;
    char *lines;
    size_t lines_size;
    size_t token_len;
    size_t len; /* of each body */
    size_t next;
    uint64_t random;
    double *cumulated; /* BODIES_ZIPF: the probability of this token or one before it */
} bodies_t;

/* NULL, or what is wrong (static). */
const char *bodies_init(bodies_t *bodies, const bodies_settings_t *settings);
/* Only after bodies_init gave NULL. */
void bodies_deinit(bodies_t *bodies);

/* Writes the next body, bodies->len bytes. */
void bodies_write_next(bodies_t *bodies, char *out);

#endif

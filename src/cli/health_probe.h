/*
 * health_probe: asks an admin listener one thing over HTTP/1.1 (RFC 9112), blocking, within a bound of time.
 * What answers may be anything. Any thread.
 */
#ifndef INTROSPECTD_CLI_HEALTH_PROBE_H
#define INTROSPECTD_CLI_HEALTH_PROBE_H

#include "introspectd/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct health_answer {
    int status; /* 100 to 599 */
    char *text; /* owned: head and body */
    const char *body;
    size_t body_len;
} health_answer_t;

enum { HEALTH_ERROR_SIZE = 256 };

/*
 * Sends GET path to address, whose port is not 0, and reads the answer until the peer closes. A host that
 * stands for all (0.0.0.0, ::) is asked by loopback. False with a line in error, of HEALTH_ERROR_SIZE bytes,
 * when there is no whole answer of at most 1 MiB within three seconds; answer then holds nothing.
 */
bool health_probe_ask(const config_address_t *address, const char *path, health_answer_t *answer, char *error)
    __attribute__((warn_unused_result));
void health_probe_answer_deinit(health_answer_t *answer);

/* Writes text, each control character of which becomes a question mark, to out. */
void health_probe_print(FILE *out, const char *text);

#endif

/*
 * access_line: the text of one line of the access log. Knows no HTTP library. Any thread.
 */
#ifndef INTROSPECTD_HTTP_ACCESS_LINE_H
#define INTROSPECTD_HTTP_ACCESS_LINE_H

#include "answer_note.h"

#include "introspectd/ip_address.h"

#include <time.h>

enum { ACCESS_LINE_SIZE = 4096 };

/* What a line says beside the note of the answer. */
typedef struct access_line {
    struct timespec time;
    ip_address_t peer;
    bool is_http2;
    bool is_among_events;   /* it begins like a line of the events log, where it stands */
    const char *token_name; /* see introspect_token_name; NULL: none */
    unsigned sample;        /* one request in so many has a line */
    uint64_t left_out;      /* lines that max_per_second held back since the last one */
} access_line_t;

/*
 * Writes the line, JSON in ASCII (RFC 8259) with its newline and no NUL, and gives its length. Members
 * without a value are left out, but client, which is null then. An issuer of more than a thousand bytes is
 * cut.
 */
size_t access_line_format(const access_line_t *line, const answer_note_t *note, char out[ACCESS_LINE_SIZE]);

#endif

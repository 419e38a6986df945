/* HTTP/1.1, with pipelining where more than one request is in flight. Answers must have a Content-Length. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 16 * 1024 };

typedef struct http1 {
    char *head; /* of every request */
    size_t head_len;
    uint64_t *begun_ns; /* of the requests in flight, a ring */
    size_t oldest;
    char *in; /* the part of an answer's head that has arrived */
    size_t in_len;
    size_t body_left; /* of the answer that is being read */
    int status;       /* of the answer that is being read; 0 while its head is */
} http1_t;

static void build_head(http1_t *http1, const run_t *run)
{
    FILE *file = open_memstream(&http1->head, &http1->head_len);
    if (file == NULL)
        run_fail("out of memory");
    fprintf(file, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%u\r\n", run->settings->path,
            (unsigned)run->settings->port);
    for (size_t i = 0; i < run->settings->header_count; i++)
        fprintf(file, "%s: %s\r\n", run->settings->headers[i].name, run->settings->headers[i].value);
    fprintf(file, "content-length: %zu\r\n\r\n", run->bodies->len);
    if (fclose(file) != 0)
        run_fail("out of memory");
}

static void http1_open(connection_t *connection)
{
    http1_t *http1 = calloc(1, sizeof(*http1));
    if (http1 == NULL)
        run_fail("out of memory");
    build_head(http1, connection->run);
    http1->begun_ns = calloc(connection->run->settings->in_flight, sizeof(uint64_t));
    http1->in = malloc(HEAD_MAX + 1);
    if (http1->begun_ns == NULL || http1->in == NULL)
        run_fail("out of memory");
    connection->state = http1;
}

static void http1_fill(connection_t *connection)
{
    http1_t *http1 = connection->state;
    run_t *run = connection->run;
    size_t room = run->settings->in_flight;
    size_t len = http1->head_len + run->bodies->len;
    while (connection->in_flight < room && run_begin_request(run)) {
        char *out = connection_reserve(connection, len);
        memcpy(out, http1->head, http1->head_len);
        bodies_write_next(run->bodies, out + http1->head_len);
        connection->out_len += len;
        http1->begun_ns[(http1->oldest + connection->in_flight) % room] = run_now_ns();
        connection->in_flight++;
    }
}

static void end_answer(connection_t *connection)
{
    http1_t *http1 = connection->state;
    if (connection->in_flight == 0)
        run_fail("an answer to no request");
    run_end_request(connection->run, http1->status, http1->begun_ns[http1->oldest]);
    http1->oldest = (http1->oldest + 1) % connection->run->settings->in_flight;
    connection->in_flight--;
    http1->status = 0;
}

/* Reads the head that is complete in `in`. */
static void read_head(http1_t *http1)
{
    http1->in[http1->in_len] = '\0';
    const char *length = strcasestr(http1->in, "\r\ncontent-length:");
    if (strncmp(http1->in, "HTTP/1.1 ", 9) != 0 || length == NULL)
        run_fail("an answer without status or Content-Length");
    http1->status = (int)strtol(http1->in + 9, NULL, 10);
    http1->body_left = (size_t)strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    http1->in_len = 0;
}

/* Takes the bytes of one head, as far as they are there; gives how many. */
static size_t take_head(http1_t *http1, const char *bytes, size_t len)
{
    size_t had = http1->in_len;
    size_t taken = len < HEAD_MAX - had ? len : HEAD_MAX - had;
    memcpy(http1->in + had, bytes, taken);
    const char *end = memmem(http1->in, had + taken, "\r\n\r\n", 4);
    if (end == NULL) {
        http1->in_len += taken;
        if (http1->in_len == HEAD_MAX)
            run_fail("an answer's head is too long");
        return taken;
    }
    http1->in_len = (size_t)(end + 4 - http1->in);
    size_t used = http1->in_len - had;
    read_head(http1);
    return used;
}

static void http1_receive(connection_t *connection, const char *bytes, size_t len)
{
    http1_t *http1 = connection->state;
    while (len > 0) {
        size_t taken;
        if (http1->status == 0) {
            taken = take_head(http1, bytes, len);
        } else {
            taken = len < http1->body_left ? len : http1->body_left;
            http1->body_left -= taken;
        }
        bytes += taken;
        len -= taken;
        if (http1->status != 0 && http1->body_left == 0)
            end_answer(connection);
    }
}

static void http1_close(connection_t *connection)
{
    http1_t *http1 = connection->state;
    free(http1->head);
    free(http1->begun_ns);
    free(http1->in);
    free(http1);
}

const protocol_t HTTP1_PROTOCOL = {"http/1.1", http1_open, http1_fill, http1_receive, http1_close};

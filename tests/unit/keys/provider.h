/*
 * provider: an HTTP server on loopback, on a thread of its own, that does to each path what the test says.
 *
 * Every function fails the running test when it cannot do its work. Any thread.
 */
#ifndef KEYS_PROVIDER_H
#define KEYS_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct provider provider_t;

provider_t *provider_start(void);
void provider_stop(provider_t *provider);

/* "http://127.0.0.1:PORT" and then path; lives as long as the provider. */
const char *provider_url(provider_t *provider, const char *path);

/* From now on a GET of path is answered with this status line's rest ("200 OK"), these header lines (each
 * with its CRLF, "" for none) and this body, under a right Content-Length. */
void provider_answer(provider_t *provider, const char *path, const char *status, const char *headers,
                     const char *body);
/* The same, but a request that sends this ETag gets a 304; the ETag is in every answer. */
void provider_answer_tagged(provider_t *provider, const char *path, const char *etag, const char *headers,
                            const char *body);
/* Answered with exactly these bytes; behind them comes filler until the client hangs up, if any is given. */
void provider_answer_raw(provider_t *provider, const char *path, const char *bytes, const char *filler);
/* Not answered until provider_let_go. */
void provider_hold(provider_t *provider, const char *path);
/* Answers what is held with what its path says now. */
void provider_let_go(provider_t *provider);

/* The requests for path so far. */
size_t provider_count(provider_t *provider, const char *path);
/* Whether the last request for path held this text, its letters' case aside. */
bool provider_was_sent(provider_t *provider, const char *path, const char *text);

#endif

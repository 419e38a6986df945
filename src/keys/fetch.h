/*
 * fetch: many HTTP GETs at a time on one thread; the only file that knows libcurl.
 *
 * A slow provider holds nobody else up. Only http and https, redirects only within the scheme, no cookies, no
 * credentials, TLS from 1.2 on with the peer always verified. A proxy is taken from the environment, as
 * libcurl does. All functions belong to one thread, but for fetcher_wake.
 */
#ifndef KEYS_FETCH_H
#define KEYS_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fetcher fetcher_t;
typedef struct fetch fetch_t; /* one request that runs; owned by its fetcher */

/* Copied by fetcher_start, all of it. */
typedef struct fetch_request {
    const char *url;
    const char *etag; /* sent as If-None-Match; NULL: none */
    bool allow_http;  /* else only https is fetched */
    const char *ca_file;
    int64_t connect_timeout_s;
    int64_t timeout_s; /* of all, redirects included */
    size_t max_bytes;
} fetch_request_t;

enum { FETCH_PROBLEM_SIZE = 320, FETCH_ETAG_SIZE = 512 };

typedef struct fetch_result {
    long status; /* of the last response; 0 when none came */
    char *body;  /* of a 200, not NUL-terminated; else NULL. Borrowed for the callback, then cleansed */
    size_t body_len;
    char etag[FETCH_ETAG_SIZE]; /* empty when there is none to send back */
    bool has_lifetime;          /* the response says how long it stays fresh */
    int64_t lifetime_s;
    int64_t retry_after_s;            /* of a 429 or 503; 0: not said */
    char problem[FETCH_PROBLEM_SIZE]; /* why no whole response came; empty when one did. Without the URL */
} fetch_result_t;

/* Called by fetcher_poll once for each request that is not cancelled; may start others. */
typedef void fetch_done_cb(void *data, const fetch_result_t *result);

/* NULL when memory, descriptors or libcurl cannot be had. Before other threads are made. */
fetcher_t *fetcher_new(void) __attribute__((warn_unused_result));
/* Cancels what runs. NULL is legal. */
void fetcher_free(fetcher_t *fetcher);

/* NULL when memory cannot be had or libcurl refuses a setting. */
fetch_t *fetcher_start(fetcher_t *fetcher, const fetch_request_t *request, fetch_done_cb *done, void *data)
    __attribute__((warn_unused_result));
/* Ends a request without its callback. NULL is legal. */
void fetcher_cancel(fetcher_t *fetcher, fetch_t *fetch);

/* Waits until something happens, somebody wakes it or timeout_ms are over, and calls the callbacks of what
 * ended. */
void fetcher_poll(fetcher_t *fetcher, int timeout_ms);

/* Ends a wait of fetcher_poll, the next one if none is going on. Any thread; returns at once. */
void fetcher_wake(fetcher_t *fetcher);

#endif

/*
 * run: one run of requests: how many are still to be begun, what came back, and the connections that carry
 * them.
 *
 * One thread. Whatever goes wrong with a connection ends the process: a benchmark that lost requests says
 * nothing.
 */
#ifndef INTROSPECTD_BENCH_RUN_H
#define INTROSPECTD_BENCH_RUN_H

#include "bodies.h"
#include "latency.h"
#include "transport.h"

enum { RUN_STATUS_MAX = 599, RUN_HEADERS_MAX = 8 };

typedef struct run_header {
    const char *name; /* in lower case */
    const char *value;
} run_header_t;

typedef struct run_settings {
    uint16_t port; /* of 127.0.0.1 */
    bool is_tls;
    const char *path;
    size_t connections;
    size_t in_flight; /* on each connection */
    uint64_t requests;
    double seconds; /* no request is begun later; 0: no such bound */
    run_header_t headers[RUN_HEADERS_MAX];
    size_t header_count;
} run_settings_t;

typedef struct run {
    const run_settings_t *settings;
    bodies_t *bodies;
    uint64_t start_ns;
    uint64_t begun;
    uint64_t answered;
    uint64_t by_status[RUN_STATUS_MAX + 1];
    latency_t latency;
    double seconds; /* that it took */
} run_t;

typedef struct connection {
    run_t *run;
    transport_t *transport;
    bool is_blocked; /* waits for the socket to take more */
    size_t in_flight;
    char *out; /* what is to be written */
    size_t out_len;
    size_t out_sent;
    size_t out_capacity;
    void *state; /* the protocol's */
} connection_t;

/* What a protocol does for a connection. */
typedef struct protocol {
    const char *alpn;
    void (*open)(connection_t *connection);
    /* Begins requests while the connection has room and the run has some, and puts them into `out`. */
    void (*fill)(connection_t *connection);
    void (*receive)(connection_t *connection, const char *bytes, size_t len);
    void (*close)(connection_t *connection);
} protocol_t;

extern const protocol_t HTTP1_PROTOCOL;
extern const protocol_t HTTP2_PROTOCOL;

/* Room for len more bytes behind what `out` holds; the caller adds to out_len. */
char *connection_reserve(connection_t *connection, size_t len);

/* Counts one request as begun; false when no more are. */
bool run_begin_request(run_t *run);
/* Counts one request, begun at begun_ns, as answered. */
void run_end_request(run_t *run, int status, uint64_t begun_ns);

uint64_t run_now_ns(void);
_Noreturn void run_fail(const char *what);

/* Runs it to its end. */
void run_all(run_t *run, const protocol_t *protocol);

#endif

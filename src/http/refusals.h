/*
 * refusals: how often each limit was reached: counters of the process for the metrics, and a thinned line in
 * the log. Any thread.
 */
#ifndef INTROSPECTD_HTTP_REFUSALS_H
#define INTROSPECTD_HTTP_REFUSALS_H

#include <stdint.h>

typedef enum refusal {
    REFUSAL_CONNECTIONS,
    REFUSAL_CONNECTIONS_PER_ADDRESS,
    REFUSAL_ADMIN_CONNECTIONS, /* of the admin listener: the oldest ended */
    REFUSAL_OPEN_FILES,
    REFUSAL_REQUESTS_PER_CONNECTION,
    REFUSAL_HEADERS, /* their number or their bytes */
    REFUSAL_BODY,
    REFUSAL_BUFFERED,
    REFUSAL_WAITING,
    REFUSAL_HTTP2_RESETS,
    REFUSAL_HTTP2_CONTROL_FRAMES,
    REFUSAL_FAILED_AUTHENTICATIONS,
    REFUSAL_AMBIGUOUS_REQUEST,
    REFUSAL_MALFORMED_REQUEST, /* that the HTTP library refused, or frames in an order that is none */
    REFUSAL_UNTRUSTED_PROXY,
    REFUSAL_PROXY_HEADER, /* that is none */
    REFUSAL_HANDSHAKE_TIMEOUT,
    REFUSAL_REQUEST_TIMEOUT,
    REFUSAL_RESPONSE_TIMEOUT,
    REFUSAL_IDLE_TIMEOUT,
    REFUSAL_COUNT
} refusal_t;

/* The limit's name in the metrics and in the log: "connections_per_address". Static. */
const char *refusals_name(refusal_t refusal);

/* Counts one. */
void refusals_count(refusal_t refusal);

/* Counts one and logs it, a few times a second at most; peer, the address, may be NULL. */
void refusals_report(refusal_t refusal, const char *peer);

uint64_t refusals_total(refusal_t refusal);

#endif

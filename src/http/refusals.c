#include "refusals.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOG_BURST = 5, LOG_PERIOD_MS = 1000 };

static const char *const NAMES[REFUSAL_COUNT] = {
    [REFUSAL_CONNECTIONS] = "connections",
    [REFUSAL_CONNECTIONS_PER_ADDRESS] = "connections_per_address",
    [REFUSAL_ADMIN_CONNECTIONS] = "admin_connections",
    [REFUSAL_OPEN_FILES] = "open_files",
    [REFUSAL_REQUESTS_PER_CONNECTION] = "requests_per_connection",
    [REFUSAL_HEADERS] = "headers",
    [REFUSAL_BODY] = "body",
    [REFUSAL_BUFFERED] = "buffered",
    [REFUSAL_WAITING] = "waiting",
    [REFUSAL_HTTP2_RESETS] = "http2_resets",
    [REFUSAL_HTTP2_CONTROL_FRAMES] = "http2_control_frames",
    [REFUSAL_FAILED_AUTHENTICATIONS] = "failed_authentications",
    [REFUSAL_AMBIGUOUS_REQUEST] = "ambiguous_request",
    [REFUSAL_MALFORMED_REQUEST] = "malformed_request",
    [REFUSAL_UNTRUSTED_PROXY] = "untrusted_proxy",
    [REFUSAL_PROXY_HEADER] = "proxy_header",
    [REFUSAL_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [REFUSAL_REQUEST_TIMEOUT] = "request_timeout",
    [REFUSAL_RESPONSE_TIMEOUT] = "response_timeout",
    [REFUSAL_IDLE_TIMEOUT] = "idle_timeout",
};

static _Atomic uint64_t totals[REFUSAL_COUNT];

/* One a limit, so that a flood at one does not hide another. */
static log_gate_t log_gates[REFUSAL_COUNT];
static pthread_once_t log_gates_are_made = PTHREAD_ONCE_INIT;

static void make_log_gates(void)
{
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        log_gate_init(&log_gates[i], LOG_BURST, LOG_PERIOD_MS);
}

const char *refusals_name(refusal_t refusal)
{
    return NAMES[refusal];
}

void refusals_count(refusal_t refusal)
{
    atomic_fetch_add_explicit(&totals[refusal], 1, memory_order_relaxed);
}

void refusals_report(refusal_t refusal, const char *peer)
{
    uint64_t left_out;
    refusals_count(refusal);
    pthread_once(&log_gates_are_made, make_log_gates);
    if (!log_gate_pass(&log_gates[refusal], clock_monotonic_ms(), &left_out))
        return;
    json_t *fields = json_pack("{s:s, s:s*}", "limit", NAMES[refusal], "peer", peer);
    if (left_out > 0)
        json_object_set_new(fields, "left_out", json_integer((json_int_t)left_out));
    log_event(LOG_LEVEL_WARN, "limit_reached", fields);
}

uint64_t refusals_total(refusal_t refusal)
{
    return atomic_load_explicit(&totals[refusal], memory_order_relaxed);
}

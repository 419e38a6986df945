#include "connection_internal.h"

#include "refusals.h"

#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include <sys/socket.h>

enum {
    /* A step of the system's clock, by which the library times requests, is told from a slow turn. */
    CLOCK_STEP_MS = 1000,
    /* How long a connection that was ended may take for what was still to be written. */
    ENDING_S = 1,
    /* Streams that are ended in one walk; the next one goes on. */
    MAX_STREAMS_ENDED = 256
};

/* One walk over a set. */
typedef struct walk {
    connection_set_t *set;
    int64_t now_ms;
    struct timeval now; /* by the clock that the library times requests by */
    size_t slow_count;
    h2o_http2_stream_t *slow[MAX_STREAMS_ENDED];
} walk_t;

static int64_t ms_between(struct timeval from, struct timeval to)
{
    return (int64_t)(to.tv_sec - from.tv_sec) * 1000 + (to.tv_usec - from.tv_usec) / 1000;
}

/* What began before the clock was set has an age that nobody knows: it begins anew. */
static void look_for_clock_step(walk_t *walk)
{
    connection_set_t *set = walk->set;
    int64_t by_clock_ms = ms_between(set->walked_at, walk->now);
    int64_t passed_ms = walk->now_ms - set->walked_ms;
    int64_t difference_ms = by_clock_ms - passed_ms;
    if (difference_ms > CLOCK_STEP_MS || difference_ms < -CLOCK_STEP_MS)
        set->clock_stepped_at = walk->now;
    set->walked_at = walk->now;
    set->walked_ms = walk->now_ms;
}

static bool has_begun(struct timeval at)
{
    return at.tv_sec != 0;
}

static int64_t age_ms(const walk_t *walk, struct timeval at)
{
    int64_t since_step_ms = ms_between(walk->set->clock_stepped_at, walk->now);
    int64_t age = ms_between(at, walk->now);
    bool is_from_before = age < -CLOCK_STEP_MS || age > since_step_ms;
    return is_from_before ? since_step_ms : age;
}

static void cut_off(connection_t *connection)
{
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static bool is_over(const walk_t *walk, int64_t since_ms, int64_t timeout_s)
{
    return walk->now_ms - since_ms >= timeout_s * 1000;
}

/* Whether the connection has been without a request for too long. */
static bool is_idle_too_long(const walk_t *walk, connection_t *connection, bool has_request)
{
    if (has_request)
        connection->idle_since_ms = 0;
    else if (connection->idle_since_ms == 0)
        connection->idle_since_ms = walk->now_ms;
    return !has_request && is_over(walk, connection->idle_since_ms, walk->set->config->timeouts.idle_s);
}

/*
 * Whether a connection on which no caller ever proved who it is has had the time of an idle one, whatever it
 * asks: else strangers could keep all the places. It serves nothing further then.
 */
static bool has_stayed_too_long(const walk_t *walk, connection_t *connection)
{
    /* The admin listener has no callers to prove, and its connections are not counted. */
    if (connection->has_callers_buffer || walk->set->counts == NULL ||
        !is_over(walk, connection->connected_ms, walk->set->config->timeouts.idle_s))
        return false;
    connection->is_to_leave = true;
    return true;
}

/* Whether a timeout of a request is over, and which. */
static bool is_request_over(const walk_t *walk, const h2o_req_t *req, bool is_whole, refusal_t *refusal)
{
    const config_timeouts_t *timeouts = &walk->set->config->timeouts;
    if (has_begun(req->timestamps.response_start_at)) {
        *refusal = REFUSAL_RESPONSE_TIMEOUT;
        return age_ms(walk, req->timestamps.response_start_at) >= timeouts->response_s * 1000;
    }
    *refusal = REFUSAL_REQUEST_TIMEOUT;
    return !is_whole && age_ms(walk, req->timestamps.request_begin_at) >= timeouts->request_s * 1000;
}

static int enforce_http1(h2o_req_t *req, void *data)
{
    const walk_t *walk = data;
    connection_t *connection = connection_of_request(req);
    refusal_t refusal;
    /* A connection between two requests shows one that has not begun. */
    bool has_request = has_begun(req->timestamps.request_begin_at);
    connection->is_seen = true;
    bool is_over_time = has_request && is_request_over(walk, req, req->pathconf != NULL, &refusal);
    if (is_over_time) {
        connection_report(connection, refusal);
        cut_off(connection);
    } else if (is_idle_too_long(walk, connection, has_request) ||
               (has_stayed_too_long(walk, connection) && !has_request)) {
        refusals_count(REFUSAL_IDLE_TIMEOUT);
        cut_off(connection);
    }
    return 0;
}

static int find_slow_stream(h2o_req_t *req, void *data)
{
    walk_t *walk = data;
    h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    refusal_t refusal;
    const h2o_http2_conn_t *http2 = (const h2o_http2_conn_t *)req->conn;
    if (http2->state == H2O_HTTP2_CONN_STATE_IS_CLOSING || stream->state == H2O_HTTP2_STREAM_STATE_IDLE ||
        stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM ||
        !is_request_over(walk, req, stream->state > H2O_HTTP2_STREAM_STATE_RECV_BODY, &refusal))
        return 0;
    connection_report(connection_of_request(req), refusal);
    walk->slow[walk->slow_count++] = stream;
    return walk->slow_count == MAX_STREAMS_ENDED;
}

/* One stream of many may be slow: the others, which may be other people's behind a proxy, go on. */
static void end_slow_streams(walk_t *walk)
{
    h2o_context_t *context = walk->set->context;
    context->globalconf->http2.callbacks.foreach_request(context, find_slow_stream, walk);
    for (size_t i = 0; i < walk->slow_count; i++) {
        h2o_http2_stream_t *stream = walk->slow[i];
        h2o_http2_conn_t *http2 = (h2o_http2_conn_t *)stream->req.conn;
        connection_touch(&stream->req);
        h2o_http2_encode_rst_stream_frame(&http2->_write.buf, stream->stream_id, -H2O_HTTP2_ERROR_CANCEL);
        h2o_http2_conn_request_write(http2);
        h2o_http2_stream_reset(http2, stream);
    }
}

/* Whether one write of the connection's has not been through for too long. */
static bool is_stuck(const walk_t *walk, connection_t *connection)
{
    connection_http2_t *state = &connection->http2;
    const h2o_socket_t *socket = connection->socket;
    if (state->writing_since_ms == 0 || state->bytes_written != socket->bytes_written)
        state->writing_since_ms = walk->now_ms;
    state->bytes_written = socket->bytes_written;
    if (!h2o_socket_is_writing(connection->socket))
        state->writing_since_ms = 0;
    return state->writing_since_ms != 0 &&
           is_over(walk, state->writing_since_ms, walk->set->config->timeouts.response_s);
}

static void enforce_http2(const walk_t *walk, connection_t *connection, h2o_http2_conn_t *http2)
{
    const config_timeouts_t *timeouts = &walk->set->config->timeouts;
    const connection_http2_t *state = &connection->http2;
    bool has_request = http2->num_streams.pull.open > 0;
    if (http2->state == H2O_HTTP2_CONN_STATE_IS_CLOSING) {
        if (connection->ending_since_ms == 0)
            connection->ending_since_ms = walk->now_ms;
        else if (is_over(walk, connection->ending_since_ms,
                         connection->is_to_leave ? timeouts->response_s : ENDING_S))
            cut_off(connection);
    } else if (is_stuck(walk, connection)) {
        connection_report(connection, REFUSAL_RESPONSE_TIMEOUT);
        cut_off(connection);
    } else if (!state->scanner.has_preface &&
               is_over(walk, connection->connected_ms, timeouts->handshake_s)) {
        connection_report(connection, REFUSAL_HANDSHAKE_TIMEOUT);
        cut_off(connection);
    } else if (is_idle_too_long(walk, connection, has_request)) {
        refusals_count(REFUSAL_IDLE_TIMEOUT);
        connection_end_http2(connection, H2O_HTTP2_ERROR_NONE);
    } else if (has_stayed_too_long(walk, connection) && state->scanner.final_stream_id == 0) {
        refusals_count(REFUSAL_IDLE_TIMEOUT);
        connection_leave_http2(connection);
    } else if (!has_request && state->scanner.final_stream_id != 0) {
        connection_end_http2(connection, H2O_HTTP2_ERROR_NONE);
    }
}

static void enforce_all_http2(const walk_t *walk)
{
    h2o_linklist_t *anchor = &walk->set->context->http2._conns;
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = anchor->next; node != anchor; node = next) {
        h2o_http2_conn_t *http2 = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, node);
        connection_t *connection = connection_of_socket(http2->sock);
        next = node->next;
        connection->is_seen = true;
        enforce_http2(walk, connection, http2);
    }
}

/* Those that the library does not know yet, or any more. */
static void enforce_others(const walk_t *walk)
{
    const config_timeouts_t *timeouts = &walk->set->config->timeouts;
    for (h2o_linklist_t *node = walk->set->all.next; node != &walk->set->all; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        if (connection->is_seen)
            continue;
        if (connection->protocol == CONNECTION_OPENING) {
            if (is_over(walk, connection->connected_ms, timeouts->handshake_s)) {
                connection_report(connection, REFUSAL_HANDSHAKE_TIMEOUT);
                cut_off(connection);
            }
        } else if (connection->ending_since_ms == 0) {
            connection->ending_since_ms = walk->now_ms;
        } else if (is_over(walk, connection->ending_since_ms, ENDING_S)) {
            cut_off(connection);
        }
    }
}

void connection_set_enforce(connection_set_t *set)
{
    walk_t walk = {
        .set = set, .now_ms = clock_monotonic_ms(), .now = *h2o_get_timestamp(set->context, NULL, NULL)};
    look_for_clock_step(&walk);
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next)
        H2O_STRUCT_FROM_MEMBER(connection_t, link, node)->is_seen = false;
    set->context->globalconf->http1.callbacks.foreach_request(set->context, enforce_http1, &walk);
    end_slow_streams(&walk);
    enforce_all_http2(&walk);
    enforce_others(&walk);
}

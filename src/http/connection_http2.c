#include "connection_internal.h"

#include "refusals.h"

#include <h2o/http2.h>
#include <h2o/http2_internal.h>

enum {
    /* What a connection may cost in one turn of the loop, see frame_scan.h. A caller's may have all its
     * streams handled; anybody else's four requests. */
    CALLERS_ALLOWANCE = 2048,
    ALLOWANCE = 4 * FRAME_COST_REQUEST,
    /* Of bodies and window updates, mostly: what clients are known to send along with a request. */
    FRAMES_PER_ANSWER = 8,
    /* Within these a request gets a 431 of ours. */
    HEADERS_MARGIN = 2
};

static h2o_http2_conn_t *library_connection(const connection_t *connection)
{
    return connection->socket->data;
}

static void pause_reading(connection_t *connection)
{
    h2o_socket_read_stop(connection->socket);
    if (h2o_linklist_is_linked(&connection->paused))
        return;
    h2o_linklist_insert(&connection->set->paused, &connection->paused);
}

static void on_http2_read(h2o_socket_t *socket, const char *error);

/*
 * When a TLS connection ends, its socket outlives what the library had for it, until its last write is
 * through. Where the library has stopped reading meanwhile, only its own list tells which it is.
 */
static bool is_served(const connection_t *connection)
{
    const h2o_socket_t *socket = connection->socket;
    if (socket->ssl == NULL || socket->_cb.read == on_http2_read || socket->_cb.write == NULL)
        return true;
    const h2o_linklist_t *anchor = &connection->set->context->http2._conns;
    for (const h2o_linklist_t *node = anchor->next; node != anchor; node = node->next) {
        if (H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, node)->sock == socket)
            return true;
    }
    return false;
}

/* Calls the library with what is in the socket's buffer. Whether the connection is still there. */
static bool call_library(connection_t *connection)
{
    bool is_gone = false;
    connection->http2.is_gone = &is_gone;
    connection->http2.library_read(connection->socket, NULL);
    if (!is_gone)
        connection->http2.is_gone = NULL;
    return !is_gone;
}

/* The same with the first len bytes alone; drop bytes behind them are lost. */
static bool call_library_with(connection_t *connection, size_t len, size_t drop)
{
    h2o_socket_t *socket = connection->socket;
    h2o_buffer_t *all = socket->input;
    h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    h2o_buffer_reserve(&socket->input, len);
    memcpy(socket->input->bytes, all->bytes, len);
    socket->input->size = len;
    if (!call_library(connection)) {
        h2o_buffer_dispose(&all);
        return false;
    }
    h2o_buffer_dispose(&socket->input);
    socket->input = all;
    h2o_buffer_consume(&socket->input, len + drop);
    return true;
}

/* Whether the library still serves the connection. */
static bool hand_over(connection_t *connection, const frame_scan_t *scan)
{
    h2o_socket_t *socket = connection->socket;
    bool is_last = scan->stop == FRAME_STOP_INCOMPLETE || scan->pass == socket->input->size;
    connection->http2.trailers_stream_id = scan->trailers_stream_id;
    if (is_last && scan->drop == 0)
        return call_library(connection) && is_served(connection);
    if (scan->pass > 0)
        return call_library_with(connection, scan->pass, scan->drop) && is_served(connection);
    h2o_buffer_consume(&socket->input, scan->drop);
    return true;
}

static void end_offender(connection_t *connection, refusal_t refusal)
{
    connection_report(connection, refusal);
    connection_end_http2(connection, H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM);
}

/* Streams that were opened and that the library knows: those that are answered too, until that is written. */
static uint64_t present_streams(const h2o_http2_conn_t *http2)
{
    return kh_size(http2->streams) - http2->num_streams.priority.open;
}

/* Charges what the connection has cost since the last time. False when it was ended for it. */
static bool charge(connection_t *connection)
{
    connection_http2_t *http2 = &connection->http2;
    const config_limits_t *limits = &connection->set->config->limits;
    uint64_t aborted =
        http2->scanner.opened - http2->answered - present_streams(library_connection(connection));
    uint64_t answered = http2->answered - http2->answered_seen;
    uint64_t other_frames = http2->scanner.other_frames - http2->other_frames_seen;
    uint64_t newly_aborted = aborted > http2->aborted_seen ? aborted - http2->aborted_seen : 0;
    http2->aborted_seen = aborted;
    http2->answered_seen = http2->answered;
    http2->other_frames_seen = http2->scanner.other_frames;
    leaky_budget_refund(&http2->resets, answered);
    leaky_budget_refund(&http2->control_frames, answered * FRAMES_PER_ANSWER);
    if (newly_aborted > 0)
        connection->is_callers = false;
    if (!leaky_budget_spend(&http2->resets, newly_aborted, limits->http2_resets)) {
        end_offender(connection, REFUSAL_HTTP2_RESETS);
        return false;
    }
    if (!leaky_budget_spend(&http2->control_frames, other_frames, limits->http2_control_frames)) {
        end_offender(connection, REFUSAL_HTTP2_CONTROL_FRAMES);
        return false;
    }
    return true;
}

/* One connection's bodies. */
typedef struct bodies {
    const h2o_conn_t *of;
    size_t bytes;
    size_t answered_bytes; /* of these: what goes with the write that is under way */
} bodies_t;

static int add_body(h2o_req_t *req, void *data)
{
    bodies_t *bodies = data;
    const h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    if (req->conn != bodies->of || stream->_req_body == NULL)
        return 0;
    bodies->bytes += stream->_req_body->size;
    if (stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM)
        bodies->answered_bytes += stream->_req_body->size;
    return 0;
}

/*
 * False when the connection was ended for what it keeps in memory. What is counted is too much where streams
 * ended before they were requests; so it is added up anew before anybody is blamed.
 */
static bool check_bodies(connection_t *connection)
{
    connection_http2_t *http2 = &connection->http2;
    size_t max_bytes = connection->set->config->limits.max_buffered_bytes;
    if (http2->scanner.data_bytes - http2->data_bytes_done <= max_bytes)
        return true;
    bodies_t bodies = {.of = &library_connection(connection)->super};
    h2o_context_t *context = connection->set->context;
    context->globalconf->http2.callbacks.foreach_request(context, add_body, &bodies);
    http2->data_bytes_done = http2->scanner.data_bytes - bodies.bytes;
    if (bodies.bytes - bodies.answered_bytes <= max_bytes)
        return true;
    end_offender(connection, REFUSAL_BUFFERED);
    return false;
}

void connection_leave_http2(connection_t *connection)
{
    frame_scanner_t *scanner = &connection->http2.scanner;
    h2o_http2_conn_t *http2 = library_connection(connection);
    connection->is_to_leave = true;
    if (scanner->final_stream_id != 0 || scanner->last_stream_id == 0 ||
        http2->state != H2O_HTTP2_CONN_STATE_OPEN)
        return;
    scanner->final_stream_id = scanner->last_stream_id;
    h2o_http2_encode_goaway_frame(&http2->_write.buf, scanner->final_stream_id, H2O_HTTP2_ERROR_NONE,
                                  h2o_iovec_init(NULL, 0));
    h2o_http2_conn_request_write(http2);
}

static void check_whether_to_leave(connection_t *connection)
{
    bool has_had_all =
        connection->http2.scanner.opened >= connection->set->config->limits.max_requests_per_connection;
    if (has_had_all && !connection->is_to_leave)
        refusals_count(REFUSAL_REQUESTS_PER_CONNECTION);
    if (has_had_all || connection->is_to_leave)
        connection_leave_http2(connection);
}

/* Gives the library what this turn's allowance lets through. */
static void feed(connection_t *connection)
{
    h2o_socket_t *socket = connection->socket;
    const config_limits_t *limits = &connection->set->config->limits;
    const frame_limits_t frame_limits = {.max_block_bytes = HEADERS_MARGIN * limits->max_header_bytes,
                                         .max_fields = HEADERS_MARGIN * limits->max_headers};
    int allowance = connection->is_callers ? CALLERS_ALLOWANCE : ALLOWANCE;
    frame_scan_t scan;
    do {
        scan = frame_scan(&connection->http2.scanner, &frame_limits,
                          (slice_t){socket->input->bytes, socket->input->size}, &allowance);
        if (scan.stop == FRAME_STOP_TOO_LARGE) {
            end_offender(connection, REFUSAL_HEADERS);
            return;
        }
        if (scan.stop == FRAME_STOP_BROKEN) {
            connection_report(connection, REFUSAL_MALFORMED_REQUEST);
            connection_end_http2(connection, H2O_HTTP2_ERROR_PROTOCOL);
            return;
        }
        if (!hand_over(connection, &scan))
            return;
        /* What is written must be through before the library reads on. */
    } while ((scan.stop == FRAME_STOP_TRAILERS || scan.stop == FRAME_STOP_DROP) &&
             !h2o_socket_is_writing(socket));
    if (!charge(connection) || !check_bodies(connection))
        return;
    check_whether_to_leave(connection);
    if (scan.stop != FRAME_STOP_INCOMPLETE)
        pause_reading(connection);
}

static void touch(connection_t *connection)
{
    if (!h2o_linklist_is_linked(&connection->touched))
        h2o_linklist_insert(&connection->set->touched, &connection->touched);
}

/*
 * With an answer stuck in the socket, the library fails an assertion when the client opens the window of a
 * stream that is answered already, and it collects answers to PING frames without bound. So nothing is read
 * while a write is not through.
 */
static void on_http2_read(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = connection_of_socket(socket);
    bool is_to_wait = h2o_socket_is_writing(socket) || connection_is_one_stranger_too_many(connection);
    if (error == NULL && is_to_wait) {
        pause_reading(connection);
        return;
    }
    touch(connection);
    if (error != NULL)
        connection->http2.library_read(socket, error);
    else
        feed(connection);
}

void connection_end_http2(connection_t *connection, int error)
{
    h2o_http2_conn_t *http2 = library_connection(connection);
    if (http2->state == H2O_HTTP2_CONN_STATE_OPEN) {
        h2o_http2_encode_goaway_frame(&http2->_write.buf, http2->pull_stream_ids.max_open, error,
                                      h2o_iovec_init(NULL, 0));
        h2o_http2_conn_request_write(http2);
    }
    /* As if the peer had closed: the library writes what there is, if it can, and closes. */
    connection->http2.library_read(connection->socket, "ended");
}

void connection_touch(h2o_req_t *req)
{
    connection_t *connection = connection_of_request(req);
    if (connection->protocol == CONNECTION_HTTP2)
        touch(connection);
}

bool connection_has_trailers(h2o_req_t *req)
{
    if (req->version < 0x200)
        return false;
    const connection_t *connection = connection_of_request(req);
    return connection->http2.trailers_stream_id != 0 &&
           connection->http2.trailers_stream_id ==
               H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req)->stream_id;
}

/* Where the library stopped reading, it would start again past on_http2_read. */
static void take_over_stopped(connection_set_t *set)
{
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = set->touched.next; node != &set->touched; node = next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, touched, node);
        next = node->next;
        h2o_linklist_unlink(&connection->touched);
        if (connection->socket->_cb.read != on_http2_read && is_served(connection))
            pause_reading(connection);
    }
}

bool connection_set_can_resume(connection_set_t *set)
{
    bool can_resume = false;
    h2o_linklist_t *next;
    take_over_stopped(set);
    for (h2o_linklist_t *node = set->paused.next; node != &set->paused; node = next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, paused, node);
        h2o_socket_t *socket = connection->socket;
        next = node->next;
        /* The library starts reading again when one write is through and the next under way. */
        if (h2o_socket_is_reading(socket))
            h2o_socket_read_stop(socket);
        can_resume = can_resume || !h2o_socket_is_writing(socket);
    }
    return can_resume;
}

/* Whether it was time for it. */
static bool resume(connection_t *connection, int64_t end_us)
{
    h2o_socket_t *socket = connection->socket;
    if (h2o_socket_is_writing(socket) || (!connection->is_callers && clock_monotonic_us() >= end_us))
        return false;
    h2o_socket_read_start(socket, on_http2_read);
    touch(connection);
    feed(connection);
    return true;
}

void connection_set_resume(connection_set_t *set, int64_t budget_us)
{
    if (h2o_linklist_is_empty(&set->paused))
        return;
    int64_t end_us = clock_monotonic_us() + budget_us;
    h2o_linklist_t paused;
    h2o_linklist_t still_paused;
    h2o_linklist_init_anchor(&paused);
    h2o_linklist_init_anchor(&still_paused);
    /* Those that are paused again meanwhile have had their turn. */
    h2o_linklist_insert_list(&paused, &set->paused);
    while (!h2o_linklist_is_empty(&paused)) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, paused, paused.next);
        h2o_linklist_unlink(&connection->paused);
        if (!resume(connection, end_us))
            h2o_linklist_insert(&still_paused, &connection->paused);
    }
    /* First the next time. */
    h2o_linklist_insert_list(set->paused.next, &still_paused);
}

void connection_start_http2(connection_t *connection)
{
    h2o_socket_t *socket = connection->socket;
    /* The library may close the socket while it looks at what came early; set aside, that comes after its
     * start. */
    h2o_buffer_t *early = socket->input;
    h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    h2o_http2_accept(&connection->accept, socket, connection->connected_at);
    h2o_buffer_dispose(&socket->input);
    socket->input = early;
    connection->http2.library_read = socket->_cb.read;
    socket->_cb.read = on_http2_read;
    if (early->size != 0)
        on_http2_read(socket, NULL);
}

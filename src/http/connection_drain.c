#include "connection_internal.h"

#include "introspectd/clock.h"

#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int mark_http1(h2o_req_t *req, void *data)
{
    size_t *in_flight = data;
    /* A connection between two requests shows a request that has not begun. */
    bool has_begun = req->timestamps.request_begin_at.tv_sec != 0;
    connection_of_request(req)->has_request = has_begun;
    connection_of_request(req)->is_idle_http1 = !has_begun;
    *in_flight += has_begun;
    return 0;
}

static int mark_http2(h2o_req_t *req, void *data)
{
    size_t *in_flight = data;
    /* Of which a PRIORITY frame has told, and no more (RFC 7540 section 5.1). */
    if (H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req)->state == H2O_HTTP2_STREAM_STATE_IDLE)
        return 0;
    connection_of_request(req)->has_request = true;
    ++*in_flight;
    return 0;
}

/* Finds out which connections have requests in flight, and gives the number of these. */
static size_t mark_requests(connection_set_t *set)
{
    h2o_context_t *context = set->context;
    size_t in_flight = 0;
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        connection->has_request = false;
        connection->is_idle_http1 = false;
    }
    context->globalconf->http1.callbacks.foreach_request(context, mark_http1, &in_flight);
    context->globalconf->http2.callbacks.foreach_request(context, mark_http2, &in_flight);
    return in_flight;
}

/* What was read and waits for its turn, or was not read yet. */
static bool has_unread(connection_t *connection)
{
    int bytes = 0;
    return h2o_linklist_is_linked(&connection->paused) ||
           (ioctl(h2o_socket_get_fd(connection->socket), FIONREAD, &bytes) == 0 && bytes > 0);
}

void connection_set_announce_end(connection_set_t *set)
{
    atomic_store_explicit(&set->is_ending, true, memory_order_relaxed);
}

void connection_set_begin_drain(connection_set_t *set)
{
    h2o_context_t *context = set->context;
    /* The library's HTTP/1 looks at this. */
    context->shutdown_requested = 1;
    /*
     * What h2o_context_request_shutdown would do for HTTP/2, but not to a connection that was told of its
     * last stream: the number may not increase (RFC 9113 section 6.8). Nor is there a second frame a second
     * later, with which the library would ignore the bodies that are still arriving, and loop for ever in a
     * header block that is cut in two.
     */
    for (h2o_linklist_t *node = context->http2._conns.next; node != &context->http2._conns;
         node = node->next) {
        h2o_http2_conn_t *http2 = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, node);
        if (http2->state != H2O_HTTP2_CONN_STATE_OPEN ||
            connection_of_socket(http2->sock)->http2.scanner.final_stream_id != 0)
            continue;
        h2o_http2_encode_goaway_frame(&http2->_write.buf, INT32_MAX, H2O_HTTP2_ERROR_NONE,
                                      h2o_iovec_init(H2O_STRLIT("graceful shutdown")));
        h2o_http2_conn_request_write(http2);
    }
}

/* Whether the connection has nothing that is to be answered, now or, as far as one can know, soon. What has
 * arrived is read and answered first: at the end the library drops what is not decided. */
static bool had_its_time(connection_t *connection, int64_t now_ms, int64_t drained_ms)
{
    return now_ms - connection->connected_ms >= CONNECTION_GRACE_MS &&
           (connection->is_idle_http1 || drained_ms >= CONNECTION_GRACE_MS) && !connection->has_request &&
           !has_unread(connection);
}

static void close_idle_http2(connection_set_t *set, int64_t now_ms, int64_t drained_ms)
{
    h2o_linklist_t *anchor = &set->context->http2._conns;
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = anchor->next; node != anchor; node = next) {
        h2o_http2_conn_t *http2 = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, node);
        connection_t *connection = connection_of_socket(http2->sock);
        next = node->next;
        if (http2->state != H2O_HTTP2_CONN_STATE_IS_CLOSING && had_its_time(connection, now_ms, drained_ms))
            connection_end_http2(connection, H2O_HTTP2_ERROR_NONE);
    }
}

void connection_set_close_idle(connection_set_t *set, int64_t drained_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    mark_requests(set);
    close_idle_http2(set, now_ms, drained_ms);
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        if (connection->protocol != CONNECTION_HTTP2 && had_its_time(connection, now_ms, drained_ms))
            shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
    }
}

size_t connection_set_cut_off(connection_set_t *set)
{
    size_t in_flight = mark_requests(set);
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next)
        shutdown(h2o_socket_get_fd(H2O_STRUCT_FROM_MEMBER(connection_t, link, node)->socket), SHUT_RDWR);
    return in_flight;
}

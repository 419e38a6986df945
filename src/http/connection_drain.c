#include "connection_internal.h"

#include "introspectd/clock.h"

#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
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

void connection_set_close_idle(connection_set_t *set, int64_t drained_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    mark_requests(set);
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        bool had_its_time = now_ms - connection->connected_ms >= CONNECTION_GRACE_MS &&
                            (connection->is_idle_http1 || drained_ms >= CONNECTION_GRACE_MS);
        /* What has arrived is read and answered first: at the end the library drops what is not decided. */
        if (had_its_time && !connection->has_request && !has_unread(connection))
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

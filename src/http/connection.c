#include "connection.h"

#include "peer.h"

#include "introspectd/clock.h"

#include <h2o/http1.h>
#include <h2o/http2.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef struct connection {
    h2o_linklist_t link;
    h2o_linklist_t paused;
    h2o_linklist_t touched;
    connection_set_t *set;
    h2o_socket_t *socket;
    peer_t peer;
    h2o_accept_ctx_t accept;
    struct timeval connected_at;
    int64_t connected_ms;
    h2o_timeout_entry_t opening; /* runs until the protocol is known */
    h2o_socket_cb library_read;  /* HTTP/2 only */
    /* Set while draining. */
    bool has_request;
    bool is_idle_http1;
} connection_t;

/* RFC 9113 section 3.4 */
static const char HTTP2_PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { HTTP2_PREFACE_LEN = sizeof(HTTP2_PREFACE) - 1 };

void connection_set_init(connection_set_t *set, h2o_context_t *context, h2o_hostconf_t **hosts)
{
    set->context = context;
    set->hosts = hosts;
    h2o_linklist_init_anchor(&set->all);
    h2o_linklist_init_anchor(&set->paused);
    h2o_linklist_init_anchor(&set->touched);
    set->count = 0;
}

static void on_close(void *data)
{
    connection_t *connection = data;
    h2o_timeout_unlink(&connection->opening);
    h2o_linklist_unlink(&connection->link);
    if (h2o_linklist_is_linked(&connection->paused))
        h2o_linklist_unlink(&connection->paused);
    if (h2o_linklist_is_linked(&connection->touched))
        h2o_linklist_unlink(&connection->touched);
    connection->set->count--;
    SSL_CTX_free(connection->accept.ssl_ctx);
    free(connection);
}

static connection_t *connection_of(h2o_socket_t *socket)
{
    return socket->on_close.data;
}

static void pause_reading(connection_t *connection)
{
    h2o_socket_read_stop(connection->socket);
    if (!h2o_linklist_is_linked(&connection->paused))
        h2o_linklist_insert(&connection->set->paused, &connection->paused);
}

/*
 * With an answer stuck in the socket, the library fails an assertion when the client opens the window of a
 * stream that is answered already, and it collects answers to PING frames without bound. So nothing is read
 * while a write is not through.
 */
static void on_http2_read(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = connection_of(socket);
    if (error == NULL && h2o_socket_is_writing(socket)) {
        pause_reading(connection);
        return;
    }
    if (!h2o_linklist_is_linked(&connection->touched))
        h2o_linklist_insert(&connection->set->touched, &connection->touched);
    connection->library_read(socket, error);
}

void connection_touch(h2o_req_t *req)
{
    connection_t *connection = connection_of(req->conn->callbacks->get_socket(req->conn));
    if (connection->library_read != NULL && !h2o_linklist_is_linked(&connection->touched))
        h2o_linklist_insert(&connection->set->touched, &connection->touched);
}

/* Where the library stopped reading, it would start again past on_http2_read. */
static void take_over_stopped(connection_set_t *set)
{
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = set->touched.next; node != &set->touched; node = next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, touched, node);
        next = node->next;
        h2o_linklist_unlink(&connection->touched);
        if (connection->socket->_cb.read != on_http2_read)
            pause_reading(connection);
    }
}

bool connection_set_can_resume(connection_set_t *set)
{
    bool can_resume = false;
    take_over_stopped(set);
    for (h2o_linklist_t *node = set->paused.next; node != &set->paused; node = node->next) {
        h2o_socket_t *socket = H2O_STRUCT_FROM_MEMBER(connection_t, paused, node)->socket;
        /* The library starts reading again when one write is through and the next under way. */
        if (h2o_socket_is_reading(socket))
            h2o_socket_read_stop(socket);
        can_resume = can_resume || !h2o_socket_is_writing(socket);
    }
    return can_resume;
}

void connection_set_resume(connection_set_t *set)
{
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = set->paused.next; node != &set->paused; node = next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, paused, node);
        next = node->next;
        if (h2o_socket_is_writing(connection->socket))
            continue;
        h2o_linklist_unlink(&connection->paused);
        h2o_socket_read_start(connection->socket, on_http2_read);
        on_http2_read(connection->socket, NULL);
    }
}

static void start_http2(connection_t *connection)
{
    h2o_socket_t *socket = connection->socket;
    /* The library may close the socket while it looks at what came early; set aside, that comes after its
     * start. */
    h2o_buffer_t *early = socket->input;
    h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    h2o_http2_accept(&connection->accept, socket, connection->connected_at);
    h2o_buffer_dispose(&socket->input);
    socket->input = early;
    connection->library_read = socket->_cb.read;
    socket->_cb.read = on_http2_read;
    if (early->size != 0)
        on_http2_read(socket, NULL);
}

static void start_http(connection_t *connection, bool is_http2)
{
    h2o_timeout_unlink(&connection->opening);
    if (is_http2)
        start_http2(connection);
    else
        h2o_http1_accept(&connection->accept, connection->socket, connection->connected_at);
}

static void on_opening_timeout(h2o_timeout_entry_t *entry)
{
    h2o_socket_close(H2O_STRUCT_FROM_MEMBER(connection_t, opening, entry)->socket);
}

/*
 * The preface is looked for here, because the library looks for it only with its `Upgrade: h2c` turned on,
 * and a stop while an upgrade is under way crashes it.
 */
static void on_first_bytes(h2o_socket_t *socket, const char *error)
{
    if (error != NULL) {
        h2o_socket_close(socket);
        return;
    }
    size_t len = socket->input->size < HTTP2_PREFACE_LEN ? socket->input->size : HTTP2_PREFACE_LEN;
    bool is_preface = memcmp(socket->input->bytes, HTTP2_PREFACE, len) == 0;
    if (is_preface && len < HTTP2_PREFACE_LEN)
        return;
    h2o_socket_read_stop(socket);
    start_http(connection_of(socket), is_preface);
}

static void on_handshake_complete(h2o_socket_t *socket, const char *error)
{
    if (error != NULL) {
        h2o_socket_close(socket);
        return;
    }
    h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(socket);
    start_http(connection_of(socket), h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2")));
}

/* The library keeps a bare pointer to the TLS context until the ClientHello, when a reload may have replaced
 * it. */
static SSL_CTX *hold_tls(SSL_CTX *tls)
{
    if (tls != NULL)
        SSL_CTX_up_ref(tls);
    return tls;
}

/* On return the connection may be gone: the bytes that are there already may end it. */
static void start_protocol(connection_t *connection)
{
    h2o_socket_t *socket = connection->socket;
    /* The library takes what lies in the socket's input for the beginning of the handshake. */
    if (connection->accept.ssl_ctx != NULL) {
        h2o_socket_ssl_handshake(socket, connection->accept.ssl_ctx, NULL, on_handshake_complete);
        return;
    }
    h2o_socket_read_start(socket, on_first_bytes);
    if (socket->input->size != 0)
        on_first_bytes(socket, NULL);
}

static void on_proxy_header(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = connection_of(socket);
    proxy_header_t header = {.status = PROXY_HEADER_BAD};
    if (error == NULL)
        header = proxy_protocol_parse((slice_t){socket->input->bytes, socket->input->size});
    if (header.status == PROXY_HEADER_NEED_MORE)
        return;
    if (header.status == PROXY_HEADER_BAD) {
        h2o_socket_close(socket);
        return;
    }
    peer_follow_proxy_header(&connection->peer, &header);
    h2o_buffer_consume(&socket->input, header.len);
    h2o_socket_read_stop(socket);
    start_protocol(connection);
}

ip_address_t connection_peer(const h2o_req_t *req)
{
    const connection_t *connection = connection_of(req->conn->callbacks->get_socket(req->conn));
    return peer_of_request(&connection->peer, req, connection->set->config);
}

void connection_open(connection_set_t *set, SSL_CTX *tls, bool has_proxy_protocol, h2o_socket_t *take_socket)
{
    peer_t peer = peer_of_socket(take_socket);
    if (has_proxy_protocol && !peer_is_trusted(&peer, set->config)) {
        h2o_socket_close(take_socket);
        return;
    }
    connection_t *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        h2o_socket_close(take_socket);
        return;
    }
    connection->set = set;
    connection->socket = take_socket;
    connection->peer = peer;
    connection->accept.ctx = set->context;
    connection->accept.hosts = set->hosts;
    connection->accept.ssl_ctx = hold_tls(tls);
    connection->connected_at = *h2o_get_timestamp(set->context, NULL, NULL);
    connection->connected_ms = clock_monotonic_ms();
    connection->opening.cb = on_opening_timeout;
    h2o_linklist_insert(&set->all, &connection->link);
    set->count++;
    take_socket->on_close.cb = on_close;
    take_socket->on_close.data = connection;

    h2o_timeout_link(set->context->loop, &set->context->handshake_timeout, &connection->opening);
    if (has_proxy_protocol)
        h2o_socket_read_start(take_socket, on_proxy_header);
    else
        start_protocol(connection);
}

static connection_t *connection_of_request(h2o_req_t *req)
{
    return connection_of(req->conn->callbacks->get_socket(req->conn));
}

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

void connection_set_close_idle(connection_set_t *set, int64_t drained_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    mark_requests(set);
    for (h2o_linklist_t *node = set->all.next; node != &set->all; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        bool had_its_time = now_ms - connection->connected_ms >= CONNECTION_GRACE_MS &&
                            (connection->is_idle_http1 || drained_ms >= CONNECTION_GRACE_MS);
        /* What has arrived can still be read, and is answered; then the library sees the end. */
        if (had_its_time && !connection->has_request)
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

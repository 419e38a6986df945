#include "connection_internal.h"

#include "cache_digests.h"
#include "refusals.h"

#include "introspectd/clock.h"

#include <h2o/http1.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

/* RFC 9113 section 3.4 */
static const char HTTP2_PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { HTTP2_PREFACE_LEN = sizeof(HTTP2_PREFACE) - 1 };

/* What an HTTP/1 connection may have handled in one turn of the loop. */
enum { CALLERS_PIPELINED_REQUESTS = 16, PIPELINED_REQUESTS = 1 };

void connection_set_init(connection_set_t *set, h2o_context_t *context, h2o_hostconf_t **hosts,
                         connection_counts_t *counts)
{
    set->counts = counts;
    set->context = context;
    set->hosts = hosts;
    h2o_linklist_init_anchor(&set->all);
    h2o_linklist_init_anchor(&set->paused);
    h2o_linklist_init_anchor(&set->touched);
    h2o_linklist_init_anchor(&set->handshakes);
    set->count = 0;
}

static void on_close(void *data)
{
    connection_t *connection = data;
    h2o_linklist_unlink(&connection->link);
    if (h2o_linklist_is_linked(&connection->paused))
        h2o_linklist_unlink(&connection->paused);
    if (h2o_linklist_is_linked(&connection->touched))
        h2o_linklist_unlink(&connection->touched);
    if (h2o_linklist_is_linked(&connection->handshake))
        h2o_linklist_unlink(&connection->handshake);
    if (connection->http2.is_gone != NULL)
        *connection->http2.is_gone = true;
    connection->set->count--;
    miss_flow_deinit(&connection->misses);
    connection_count_leave(connection->set->counts, &connection->count);
    SSL_CTX_free(connection->accept.ssl_ctx);
    free(connection);
}

static void start_http(connection_t *connection, bool is_http2)
{
    if (is_http2) {
        connection->protocol = CONNECTION_HTTP2;
        connection_start_http2(connection);
    } else {
        connection->protocol = CONNECTION_HTTP1;
        h2o_http1_accept(&connection->accept, connection->socket, connection->connected_at);
    }
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
    start_http(connection_of_socket(socket), is_preface);
}

static void on_handshake_complete(h2o_socket_t *socket, const char *error)
{
    if (error != NULL) {
        h2o_socket_close(socket);
        return;
    }
    h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(socket);
    start_http(connection_of_socket(socket), h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2")));
}

/* The library keeps a bare pointer to the TLS context until the ClientHello, when a reload may have replaced
 * it. */
static SSL_CTX *hold_tls(SSL_CTX *tls)
{
    if (tls != NULL)
        SSL_CTX_up_ref(tls);
    return tls;
}

/* Whether the first TLS record is there (RFC 8446 section 5.1), or what is none. */
static bool has_client_hello(const h2o_buffer_t *input)
{
    enum { HANDSHAKE = 22, HEADER_SIZE = 5, MAX_RECORD_LEN = 1 << 14 };
    const uint8_t *bytes = (const uint8_t *)input->bytes;
    if (input->size > 0 && bytes[0] != HANDSHAKE)
        return true;
    if (input->size < HEADER_SIZE)
        return false;
    size_t len = (size_t)bytes[3] << 8 | bytes[4];
    return len > MAX_RECORD_LEN || input->size >= HEADER_SIZE + len;
}

/* The server's signature is what a handshake costs, so the beginning of many is spread over turns. */
static void on_client_hello(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = connection_of_socket(socket);
    if (error != NULL) {
        h2o_socket_close(socket);
    } else if (has_client_hello(socket->input)) {
        h2o_socket_read_stop(socket);
        h2o_linklist_insert(&connection->set->handshakes, &connection->handshake);
    }
}

bool connection_set_has_handshakes(connection_set_t *set)
{
    return !h2o_linklist_is_empty(&set->handshakes);
}

void connection_set_handshake(connection_set_t *set, unsigned max)
{
    h2o_linklist_t *next;
    for (h2o_linklist_t *node = set->handshakes.next; node != &set->handshakes && max > 0; node = next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, handshake, node);
        next = node->next;
        h2o_linklist_unlink(node);
        max--;
        /* The library takes what lies in the socket's input for the beginning of the handshake. */
        h2o_socket_ssl_handshake(connection->socket, connection->accept.ssl_ctx, NULL, on_handshake_complete);
    }
}

/* On return the connection may be gone: the bytes that are there already may end it. */
static void start_protocol(connection_t *connection)
{
    h2o_socket_t *socket = connection->socket;
    h2o_socket_cb on_bytes = connection->accept.ssl_ctx != NULL ? on_client_hello : on_first_bytes;
    h2o_socket_read_start(socket, on_bytes);
    if (socket->input->size != 0)
        on_bytes(socket, NULL);
}

/* Proxies are many peers, and are not bound as one. */
static bool count_for_address(connection_t *connection)
{
    const connection_set_t *set = connection->set;
    if (connection->peer.kind != PEER_ADDRESS || peer_is_trusted(&connection->peer, set->config))
        return true;
    return connection_count_for_address(set->counts, &connection->count, connection->peer.address,
                                        set->config->limits.max_connections_per_address);
}

void connection_report(const connection_t *connection, refusal_t refusal)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    refusals_report(refusal, ip_address_text(connection->peer.address, text));
}

static void refuse(connection_t *connection, refusal_t refusal)
{
    connection_report(connection, refusal);
    h2o_socket_close(connection->socket);
}

static void on_proxy_header(h2o_socket_t *socket, const char *error)
{
    connection_t *connection = connection_of_socket(socket);
    if (error != NULL) {
        h2o_socket_close(socket);
        return;
    }
    proxy_header_t header = proxy_protocol_parse((slice_t){socket->input->bytes, socket->input->size});
    if (header.status == PROXY_HEADER_NEED_MORE)
        return;
    if (header.status == PROXY_HEADER_BAD) {
        refuse(connection, REFUSAL_PROXY_HEADER);
        return;
    }
    peer_follow_proxy_header(&connection->peer, &header);
    if (!count_for_address(connection)) {
        refuse(connection, REFUSAL_CONNECTIONS_PER_ADDRESS);
        return;
    }
    h2o_buffer_consume(&socket->input, header.len);
    h2o_socket_read_stop(socket);
    start_protocol(connection);
}

static connection_t *new_connection(connection_set_t *set, SSL_CTX *tls, h2o_socket_t *socket)
{
    connection_t *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->set = set;
    connection->socket = socket;
    connection->peer = peer_of_socket(socket);
    connection->accept.ctx = set->context;
    connection->accept.hosts = set->hosts;
    connection->accept.ssl_ctx = hold_tls(tls);
    connection->connected_at = *h2o_get_timestamp(set->context, NULL, NULL);
    connection->connected_ms = clock_monotonic_ms();
    miss_flow_init(&connection->misses);
    connection->http2.resets.since_ms = connection->connected_ms;
    connection->http2.control_frames.since_ms = connection->connected_ms;
    h2o_linklist_insert(&set->all, &connection->link);
    set->count++;
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
    return connection;
}

/* Their end is noticed in the next turn. */
static void end_oldest_beyond(connection_set_t *set, size_t max)
{
    const h2o_linklist_t *node = set->all.next;
    for (size_t excess = set->count > max ? set->count - max : 0; excess > 0; excess--, node = node->next) {
        connection_t *oldest = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        connection_report(oldest, REFUSAL_ADMIN_CONNECTIONS);
        shutdown(h2o_socket_get_fd(oldest->socket), SHUT_RDWR);
    }
}

void connection_open(connection_set_t *set, SSL_CTX *tls, bool has_proxy_protocol, h2o_socket_t *take_socket)
{
    connection_t *connection = new_connection(set, tls, take_socket);
    if (set->counts == NULL)
        end_oldest_beyond(set, CONNECTION_MAX_OPERATORS);
    if (connection == NULL)
        h2o_socket_close(take_socket);
    else if (!connection_count_in(set->counts, &connection->count, set->config->limits.max_connections))
        refuse(connection, REFUSAL_CONNECTIONS);
    else if (has_proxy_protocol && !peer_is_trusted(&connection->peer, set->config))
        refuse(connection, REFUSAL_UNTRUSTED_PROXY);
    else if (has_proxy_protocol)
        h2o_socket_read_start(take_socket, on_proxy_header);
    else if (!count_for_address(connection))
        refuse(connection, REFUSAL_CONNECTIONS_PER_ADDRESS);
    else
        start_protocol(connection);
}

ip_address_t connection_peer(const h2o_req_t *req)
{
    const connection_t *connection = connection_of_request(req);
    return peer_of_request(&connection->peer, req, connection->set->config);
}

miss_flow_t *connection_miss_flow(h2o_req_t *req)
{
    return &connection_of_request(req)->misses;
}

void connection_report_refusal(h2o_req_t *req, refusal_t refusal)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    refusals_report(refusal, ip_address_text(connection_peer(req), text));
}

static bool is_ending(const connection_t *connection)
{
    return atomic_load_explicit(&connection->set->is_ending, memory_order_relaxed) &&
           clock_monotonic_ms() - connection->connected_ms >= CONNECTION_GRACE_MS;
}

void connection_count_request(h2o_req_t *req)
{
    connection_t *connection = connection_of_request(req);
    connection->request_count++;
    /* An HTTP/2 connection's are counted by their frames. */
    if (req->version >= 0x200 || !req->http1_is_persistent)
        return;
    if (connection->request_count >= connection->set->config->limits.max_requests_per_connection) {
        refusals_count(REFUSAL_REQUESTS_PER_CONNECTION);
        connection->is_to_leave = true;
    }
    if (connection->is_to_leave || is_ending(connection))
        req->http1_is_persistent = 0;
}

bool connection_had_its_turn(h2o_req_t *req)
{
    connection_t *connection = connection_of_request(req);
    if (req->version >= 0x200)
        return false;
    if (connection->turn != connection->set->turn)
        connection->turn_requests = 0;
    connection->turn = connection->set->turn;
    return connection->turn_requests++ >=
               (connection->is_callers ? CALLERS_PIPELINED_REQUESTS : PIPELINED_REQUESTS) ||
           connection_is_one_stranger_too_many(connection);
}

bool connection_is_one_stranger_too_many(connection_t *connection)
{
    enum { STRANGERS_PER_TURN = 16 };
    return !connection->is_callers && connection->set->strangers_in_turn++ >= STRANGERS_PER_TURN;
}

void connection_set_begin_turn(connection_set_t *set)
{
    set->turn++;
    set->strangers_in_turn = 0;
}

/* Strangers get less, because all that arrives at once is also read at once. */
static void enlarge_receive_buffer(const connection_t *connection)
{
    size_t bytes = connection->set->config->limits.receive_buffer_bytes;
    int size = bytes > INT_MAX ? INT_MAX : (int)bytes;
    int fd = h2o_socket_get_fd(connection->socket);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    /* The window was bound by the buffer that there was at first. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &size, sizeof(size));
}

void connection_note_caller(h2o_req_t *req, bool is_proved)
{
    connection_t *connection = connection_of_request(req);
    connection->is_callers = is_proved;
    if (is_proved && !connection->has_callers_buffer) {
        connection->has_callers_buffer = true;
        enlarge_receive_buffer(connection);
    }
}

bool connection_authentication_has_failed(h2o_req_t *req)
{
    const connection_t *connection = connection_of_request(req);
    if (connection->failed_host_count == 0)
        return false;
    ip_address_t host = ip_address_of_host(connection_peer(req));
    for (size_t i = 0; i < connection->failed_host_count && i < CONNECTION_FAILED_HOSTS; i++) {
        if (ip_address_equal(connection->failed_hosts[i], host))
            return true;
    }
    return false;
}

void connection_note_failed_authentication(h2o_req_t *req)
{
    connection_t *connection = connection_of_request(req);
    ip_address_t peer = connection_peer(req);
    if (!connection_authentication_has_failed(req))
        connection->failed_hosts[connection->failed_host_count++ % CONNECTION_FAILED_HOSTS] =
            ip_address_of_host(peer);
    /* Where nobody tells the callers on a connection apart, another gives each of them an attempt. */
    if (ip_address_equal(peer, connection->peer.address))
        connection->is_to_leave = true;
}

static bool is_answered_whole(const h2o_req_t *req)
{
    if (req->res.status == 0)
        return false;
    return req->res.content_length == SIZE_MAX || req->bytes_sent >= req->res.content_length ||
           h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

static void on_request_end(h2o_logger_t *logger, h2o_req_t *req)
{
    (void)logger;
    connection_t *connection = connection_of_request(req);
    connection->idle_since_ms = 0;
    if (req->version < 0x200)
        return;
    connection_http2_t *http2 = &connection->http2;
    http2->answered += is_answered_whole(req);
    http2->data_bytes_done += req->entity.len;
}

void connection_register(h2o_pathconf_t *path)
{
    cache_digests_ignore();
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = on_request_end;
}

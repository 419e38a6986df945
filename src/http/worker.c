#include "worker.h"

#include "introspectd/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Misses that may wait per thread: at 60 us each about a tenth of a second of work. */
    MAX_WAITING_MISSES = 2048,
    /* Misses worked off between two turns of the loop, about a millisecond of work. */
    MISSES_PER_TURN = 16,
    /* New connections taken in one turn: few, so that threads that share a socket get their share of them. */
    ACCEPTS_PER_TURN = 4,
    IDLE_TURN_MS = 1000,
    DRAIN_TURN_MS = 20,
    /* Between the two GOAWAY frames of a graceful HTTP/2 shutdown the library waits for one second. */
    HTTP2_GOODBYE_MS = 1200,
    /* How long connections that were cut off may take to be torn down. */
    TEAR_DOWN_MS = 500
};

typedef struct connection {
    h2o_linklist_t link;
    worker_t *worker;
    h2o_socket_t *socket;
    bool has_request; /* marked while draining */
    bool is_idle_http1;
} connection_t;

static void on_connection_close(void *data)
{
    connection_t *connection = data;
    h2o_linklist_unlink(&connection->link);
    connection->worker->connection_count--;
    free(connection);
}

static bool track(worker_t *worker, h2o_socket_t *socket)
{
    connection_t *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return false;
    connection->worker = worker;
    connection->socket = socket;
    h2o_linklist_insert(&worker->connections, &connection->link);
    worker->connection_count++;
    socket->on_close.cb = on_connection_close;
    socket->on_close.data = connection;
    return true;
}

/* Whether there was a connection to take. */
static bool accept_one(worker_listener_t *listener, h2o_socket_t *socket)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, h2o, listener->accept.ctx);
    h2o_socket_t *accepted = h2o_evloop_socket_accept(socket);
    if (accepted == NULL)
        return false;
    if (track(worker, accepted))
        h2o_accept(&listener->accept, accepted);
    else
        h2o_socket_close(accepted);
    return true;
}

static void on_accept(h2o_socket_t *socket, const char *error)
{
    if (error != NULL)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(socket->data, socket); i++)
        ;
}

static void on_wake_up(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    (void)messages;
}

static bool add_listener(worker_t *worker, const listener_t *from)
{
    int fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (fd == -1)
        return false;
    worker_listener_t *listener = &worker->listeners[worker->listener_count++];
    listener->accept.ctx = &worker->h2o;
    listener->accept.hosts = worker->hosts;
    listener->accept.ssl_ctx = from->tls;
    listener->socket = h2o_evloop_socket_create(worker->h2o.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_accept);
    return true;
}

static void close_listeners(worker_t *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        h2o_socket_t *socket = worker->listeners[i].socket;
        if (socket != NULL)
            h2o_socket_close(socket);
        worker->listeners[i].socket = NULL;
    }
}

worker_t *worker_new(h2o_globalconf_t *config, h2o_hostconf_t *host, const listener_t *listeners,
                     size_t listener_count, introspect_worker_t *take_introspect)
{
    worker_t *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        introspect_worker_free(take_introspect);
        return NULL;
    }
    worker->introspect = take_introspect;
    worker->hosts[0] = host;
    h2o_linklist_init_anchor(&worker->connections);
    miss_queue_init(&worker->misses, MAX_WAITING_MISSES);
    h2o_context_init(&worker->h2o, h2o_evloop_create(), config);
    h2o_multithread_register_receiver(worker->h2o.queue, &worker->wake_up, on_wake_up);

    bool is_complete = (worker->listeners = calloc(listener_count, sizeof(*worker->listeners))) != NULL;
    for (size_t i = 0; is_complete && i < listener_count; i++)
        is_complete = add_listener(worker, &listeners[i]);
    if (!is_complete) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

void worker_free(worker_t *worker)
{
    if (worker == NULL)
        return;
    close_listeners(worker);
    /* A turn lets the library free the sockets that were closed. */
    h2o_evloop_run(worker->h2o.loop, 0);
    h2o_multithread_unregister_receiver(worker->h2o.queue, &worker->wake_up);
    /* The library's second GOAWAY may still be due; a context with a timer left cannot be disposed of. */
    h2o_timeout_unlink(&worker->h2o.http2._graceful_shutdown_timeout);
    /* With a connection left the library would touch freed memory; the process ends soon. */
    if (worker->connection_count == 0) {
        h2o_context_dispose(&worker->h2o);
        free(worker->h2o.queue); /* the library's own destructor leaves the block itself */
        h2o_evloop_destroy(worker->h2o.loop);
    }
    introspect_worker_free(worker->introspect);
    free(worker->listeners);
    free(worker);
}

static connection_t *connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

static int mark_http1(h2o_req_t *req, void *data)
{
    size_t *in_flight = data;
    connection_t *connection = connection_of(req);
    /* A connection between two requests shows a request that has not begun. */
    if (req->timestamps.request_begin_at.tv_sec == 0) {
        connection->is_idle_http1 = true;
    } else {
        connection->has_request = true;
        ++*in_flight;
    }
    return 0;
}

static int mark_http2(h2o_req_t *req, void *data)
{
    size_t *in_flight = data;
    connection_of(req)->has_request = true;
    ++*in_flight;
    return 0;
}

static size_t mark_connections(worker_t *worker)
{
    size_t in_flight = 0;
    for (h2o_linklist_t *node = worker->connections.next; node != &worker->connections; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        connection->has_request = false;
        connection->is_idle_http1 = false;
    }
    h2o_globalconf_t *config = worker->h2o.globalconf;
    config->http1.callbacks.foreach_request(&worker->h2o, mark_http1, &in_flight);
    config->http2.callbacks.foreach_request(&worker->h2o, mark_http2, &in_flight);
    return in_flight;
}

/*
 * The library closes no connection by itself, so those without a request are closed here: HTTP/1 ones at
 * once, HTTP/2 ones (and what is still in a TLS handshake) when both GOAWAY frames are out. shutdown() makes
 * the library see the peer's end.
 */
static void close_connections(worker_t *worker, bool all)
{
    bool goodbye_is_over = clock_monotonic_ms() - worker->drain_started_ms >= HTTP2_GOODBYE_MS;
    for (h2o_linklist_t *node = worker->connections.next; node != &worker->connections; node = node->next) {
        connection_t *connection = H2O_STRUCT_FROM_MEMBER(connection_t, link, node);
        if (all || connection->is_idle_http1 || (goodbye_is_over && !connection->has_request))
            shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
    }
}

static void start_draining(worker_t *worker)
{
    worker->is_draining = true;
    worker->drain_started_ms = clock_monotonic_ms();
    /* Whoever is in the backlog was told that the connection stands. */
    for (size_t i = 0; i < worker->listener_count; i++) {
        while (accept_one(&worker->listeners[i], worker->listeners[i].socket))
            ;
    }
    close_listeners(worker);
    h2o_context_request_shutdown(&worker->h2o);
}

static void turn(worker_t *worker, int32_t max_wait_ms)
{
    bool has_run = miss_queue_run(&worker->misses, MISSES_PER_TURN);
    h2o_evloop_run(worker->h2o.loop, has_run ? 0 : max_wait_ms);
}

static void drain(worker_t *worker)
{
    start_draining(worker);
    /* What has arrived before must be seen before connections count as idle. */
    turn(worker, 0);
    int64_t deadline_ms = worker->drain_started_ms + worker->drain_timeout_ms;
    while (worker->connection_count > 0 && clock_monotonic_ms() < deadline_ms) {
        mark_connections(worker);
        close_connections(worker, false);
        turn(worker, DRAIN_TURN_MS);
    }
    worker->cut_off_count = mark_connections(worker);
    close_connections(worker, true);
    deadline_ms = clock_monotonic_ms() + TEAR_DOWN_MS;
    while (worker->connection_count > 0 && clock_monotonic_ms() < deadline_ms)
        turn(worker, DRAIN_TURN_MS);
}

static void *run(void *data)
{
    worker_t *worker = data;
    while (!atomic_load(&worker->stop_is_requested))
        turn(worker, IDLE_TURN_MS);
    drain(worker);
    return NULL;
}

bool worker_start(worker_t *worker)
{
    worker->thread_is_started = pthread_create(&worker->thread, NULL, run, worker) == 0;
    return worker->thread_is_started;
}

void worker_request_stop(worker_t *worker, int64_t timeout_ms)
{
    worker->drain_timeout_ms = timeout_ms;
    atomic_store(&worker->stop_is_requested, true);
    h2o_multithread_send_message(&worker->wake_up, NULL);
}

size_t worker_join(worker_t *worker)
{
    if (worker->thread_is_started)
        pthread_join(worker->thread, NULL);
    worker->thread_is_started = false;
    return worker->cut_off_count;
}

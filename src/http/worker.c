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
    /* How long no connection is taken when the process has no descriptor left. */
    ACCEPT_PAUSE_MS = 100,
    /* How long connections that were cut off may take to be torn down. */
    TEAR_DOWN_MS = 500
};

static bool is_out_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The socket would wake the loop at once, again and again: it is left alone for a while. */
static void pause_accepting(worker_t *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        h2o_socket_read_stop(worker->listeners[i].socket);
    worker->accept_again_ms = clock_monotonic_ms() + ACCEPT_PAUSE_MS;
}

/* Whether there was a connection to take. */
static bool accept_one(worker_listener_t *listener)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, h2o, listener->accept.ctx);
    h2o_socket_t *accepted = h2o_evloop_socket_accept(listener->socket);
    if (accepted == NULL) {
        if (is_out_of_descriptors(errno))
            pause_accepting(worker);
        return false;
    }
    connection_open(&worker->connections, &listener->accept, accepted);
    return true;
}

static void on_accept(h2o_socket_t *socket, const char *error)
{
    if (error != NULL)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(socket->data); i++)
        ;
}

static void resume_accepting(worker_t *worker)
{
    if (worker->accept_again_ms == 0 || clock_monotonic_ms() < worker->accept_again_ms)
        return;
    worker->accept_again_ms = 0;
    for (size_t i = 0; i < worker->listener_count; i++)
        h2o_socket_read_start(worker->listeners[i].socket, on_accept);
}

static void on_stop_request(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, stop_receiver, receiver);
    (void)messages; /* it is the one that there is */
    h2o_linklist_unlink(&worker->stop_message.link);
    worker->stop_is_requested = true;
}

static bool add_listener(worker_t *worker, const listener_t *from)
{
    worker_listener_t *listener = &worker->listeners[worker->listener_count];
    listener->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (listener->fd == -1)
        return false;
    listener->accept.ctx = &worker->h2o;
    listener->accept.hosts = worker->hosts;
    listener->accept.ssl_ctx = from->tls;
    worker->listener_count++;
    return true;
}

static void open_loop(worker_t *worker)
{
    h2o_context_init(&worker->h2o, h2o_evloop_create(), worker->config);
    h2o_multithread_register_receiver(worker->h2o.queue, &worker->stop_receiver, on_stop_request);
    for (size_t i = 0; i < worker->listener_count; i++) {
        worker_listener_t *listener = &worker->listeners[i];
        listener->socket =
            h2o_evloop_socket_create(worker->h2o.loop, listener->fd, H2O_SOCKET_FLAG_DONT_READ);
        listener->fd = -1;
        listener->socket->data = listener;
        h2o_socket_read_start(listener->socket, on_accept);
    }
}

static void close_listeners(worker_t *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        h2o_socket_close(worker->listeners[i].socket);
        worker->listeners[i].socket = NULL;
    }
}

static void close_loop(worker_t *worker)
{
    /* A turn lets the library free the sockets that were closed. */
    h2o_evloop_run(worker->h2o.loop, 0);
    h2o_multithread_unregister_receiver(worker->h2o.queue, &worker->stop_receiver);
    /* With a connection left the library would touch freed memory; the process ends soon. */
    if (worker->connections.count > 0)
        return;
    h2o_context_dispose(&worker->h2o);
    free(worker->h2o.queue); /* the library's own destructor leaves the block itself */
    h2o_evloop_destroy(worker->h2o.loop);
}

worker_t *worker_new(h2o_globalconf_t *config, h2o_hostconf_t *host, const listener_t *listeners,
                     size_t listener_count, introspect_worker_t *take_introspect)
{
    worker_t *worker = calloc(1, sizeof(*worker) + listener_count * sizeof(worker->listeners[0]));
    if (worker == NULL) {
        introspect_worker_free(take_introspect);
        return NULL;
    }
    worker->introspect = take_introspect;
    worker->config = config;
    worker->hosts[0] = host;
    connection_set_init(&worker->connections);
    miss_queue_init(&worker->misses, MAX_WAITING_MISSES);
    sem_init(&worker->is_open, 0, 0);

    for (size_t i = 0; i < listener_count; i++) {
        if (!add_listener(worker, &listeners[i])) {
            worker_free(worker);
            return NULL;
        }
    }
    return worker;
}

void worker_free(worker_t *worker)
{
    if (worker == NULL)
        return;
    for (size_t i = 0; i < worker->listener_count; i++) {
        if (worker->listeners[i].fd != -1)
            close(worker->listeners[i].fd);
    }
    sem_destroy(&worker->is_open);
    introspect_worker_free(worker->introspect);
    free(worker);
}

static void start_draining(worker_t *worker)
{
    worker->drain_started_ms = clock_monotonic_ms();
    /* Whoever is in the backlog was told that the connection stands. */
    for (size_t i = 0; i < worker->listener_count; i++) {
        for (int taken = 0; taken < SOMAXCONN && accept_one(&worker->listeners[i]); taken++)
            ;
    }
    close_listeners(worker);
    h2o_context_request_shutdown(&worker->h2o);
    /*
     * The first GOAWAY is out. With the second one the library would ignore the bodies that are still
     * arriving, and a header block that is cut in two would make it loop for ever.
     */
    h2o_timeout_unlink(&worker->h2o.http2._graceful_shutdown_timeout);
}

static void turn(worker_t *worker, int32_t max_wait_ms)
{
    bool has_run = miss_queue_run(&worker->misses, MISSES_PER_TURN);
    bool has_resumed = connection_set_resume(&worker->connections);
    h2o_evloop_run(worker->h2o.loop, has_run || has_resumed ? 0 : max_wait_ms);
}

static void drain(worker_t *worker)
{
    start_draining(worker);
    int64_t drained_ms = 0;
    while (worker->connections.count > 0 && drained_ms < worker->drain_timeout_ms) {
        connection_set_close_idle(&worker->connections, &worker->h2o, drained_ms);
        turn(worker, DRAIN_TURN_MS);
        drained_ms = clock_monotonic_ms() - worker->drain_started_ms;
    }
    worker->cut_off_count = connection_set_cut_off(&worker->connections, &worker->h2o);
    int64_t deadline_ms = clock_monotonic_ms() + TEAR_DOWN_MS;
    while (worker->connections.count > 0 && clock_monotonic_ms() < deadline_ms)
        turn(worker, DRAIN_TURN_MS);
}

static void *run(void *data)
{
    worker_t *worker = data;
    /* In this thread: the library keeps lists of free buffers for the thread that opens a loop. */
    open_loop(worker);
    sem_post(&worker->is_open);
    while (!worker->stop_is_requested) {
        resume_accepting(worker);
        turn(worker, worker->accept_again_ms == 0 ? IDLE_TURN_MS : ACCEPT_PAUSE_MS);
    }
    drain(worker);
    close_loop(worker);
    return NULL;
}

bool worker_start(worker_t *worker)
{
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        return false;
    worker->thread_is_started = true;
    while (sem_wait(&worker->is_open) != 0)
        ;
    return true;
}

void worker_request_stop(worker_t *worker, int64_t timeout_ms)
{
    if (!worker->thread_is_started)
        return;
    worker->drain_timeout_ms = timeout_ms;
    /* The last that is done to the worker from here: its thread may take its loop down right after. */
    h2o_multithread_send_message(&worker->stop_receiver, &worker->stop_message);
}

size_t worker_join(worker_t *worker)
{
    if (worker->thread_is_started)
        pthread_join(worker->thread, NULL);
    worker->thread_is_started = false;
    return worker->cut_off_count;
}

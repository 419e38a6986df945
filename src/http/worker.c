#include "worker.h"

#include "library_errors.h"
#include "refusals.h"

#include "introspectd/clock.h"
#include "introspectd/server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* How long misses are worked off in one turn of the loop: what else has arrived waits as long. */
    MISSES_PER_TURN_US = 1000,
    /* How long after an answer its caller is looked out for. */
    ANSWERED_LATELY_US = 2000,
    /* New connections taken in one turn: few, so that threads that share a socket get their share of them. */
    ACCEPTS_PER_TURN = 4,
    /* How long those who did not prove to be callers are served, beyond the first few of them in a turn. */
    STRANGERS_PER_TURN_US = 200,
    HANDSHAKES_PER_TURN = 4,
    IDLE_TURN_MS = SERVER_LONGEST_TURN_MS,
    /* The library's own timeouts go by the system's clock, which may be set; ours are exact. */
    LIBRARY_TIMEOUT_MS = 7 * 24 * 3600 * 1000,
    DRAIN_TURN_MS = 20,
    /* How long no connection is taken when the process has no descriptor left. */
    ACCEPT_PAUSE_MS = 100,
    /* How long connections that were cut off may take to be torn down. */
    TEAR_DOWN_MS = 500,
    /*
     * How far the library's bound on a body lies above ours: within it a caller gets our 413, beyond it the
     * library resets an HTTP/2 stream with an error that invites a retry. A hundred streams of a connection
     * can hold as much before anybody has authenticated.
     */
    BODY_MARGIN_BYTES = 2 * 1024 * 1024
};

static bool is_out_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The socket would wake the loop at once, again and again: it is left alone for a while. */
static void pause_accepting(worker_t *worker)
{
    for (size_t i = 0; i < worker->setup->listener_count; i++) {
        h2o_socket_t *socket = worker->setup->listeners[i].socket;
        /* In a drain some are closed by now. */
        if (socket != NULL)
            h2o_socket_read_stop(socket);
    }
    worker->accept_again_ms = clock_monotonic_ms() + ACCEPT_PAUSE_MS;
}

/* Whether there was a connection to take. */
static bool accept_one(worker_listener_t *listener)
{
    h2o_socket_t *accepted = h2o_evloop_socket_accept(listener->socket);
    if (accepted == NULL) {
        if (is_out_of_descriptors(errno)) {
            refusals_report(REFUSAL_OPEN_FILES, NULL);
            pause_accepting(listener->worker);
        }
        return false;
    }
    if (listener->worker->tally != NULL)
        tally_count(&listener->worker->tally->accepted, 1);
    connection_open(&listener->worker->connections, listener->tls, listener->has_proxy_protocol, accepted);
    return true;
}

static void on_accept(h2o_socket_t *socket, const char *error)
{
    if (error != NULL)
        return;
    const worker_listener_t *listener = socket->data;
    /* A connection costs as much as some requests: where these are answered, those who come and go wait. */
    int max = listener->worker->has_answered ? 1 : ACCEPTS_PER_TURN;
    for (int i = 0; i < max && accept_one(socket->data); i++)
        ;
}

static void resume_accepting(worker_t *worker)
{
    if (worker->accept_again_ms == 0 || clock_monotonic_ms() < worker->accept_again_ms)
        return;
    worker->accept_again_ms = 0;
    for (size_t i = 0; i < worker->setup->listener_count; i++)
        h2o_socket_read_start(worker->setup->listeners[i].socket, on_accept);
}

static void start_listening(worker_t *worker, worker_listener_t *listener)
{
    listener->worker = worker;
    listener->socket = h2o_evloop_socket_create(worker->h2o.loop, listener->fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->fd = -1;
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_accept);
}

static void stop_listening(worker_listener_t *listener)
{
    /* Whoever is in the backlog was told that the connection stands. */
    for (int taken = 0; !listener->keeps_queue && taken < SOMAXCONN && accept_one(listener); taken++)
        ;
    h2o_socket_close(listener->socket);
    listener->socket = NULL;
}

/* Moves the socket of the listener with the same id over, if there is one. */
static bool keep_listening(worker_setup_t *old, worker_listener_t *listener)
{
    for (size_t i = 0; i < old->listener_count; i++) {
        worker_listener_t *present = &old->listeners[i];
        if (present->id != listener->id || present->socket == NULL)
            continue;
        listener->worker = present->worker;
        /* The one in use is enough: another would keep the socket open when that is closed. */
        close(listener->fd);
        listener->fd = -1;
        listener->socket = present->socket;
        listener->socket->data = listener;
        present->socket = NULL;
        return true;
    }
    return false;
}

static void open_listeners(worker_t *worker)
{
    for (size_t i = 0; i < worker->setup->listener_count; i++)
        start_listening(worker, &worker->setup->listeners[i]);
}

static void close_listeners(worker_t *worker)
{
    for (size_t i = 0; i < worker->setup->listener_count; i++)
        stop_listening(&worker->setup->listeners[i]);
}

static void change_listeners(worker_t *worker, worker_setup_t *old)
{
    for (size_t i = 0; i < worker->setup->listener_count; i++) {
        worker_listener_t *listener = &worker->setup->listeners[i];
        if (!keep_listening(old, listener))
            start_listening(worker, listener);
    }
    for (size_t i = 0; i < old->listener_count; i++) {
        if (old->listeners[i].socket != NULL)
            stop_listening(&old->listeners[i]);
    }
}

static void follow_limits(worker_t *worker)
{
    const config_t *config = introspector_config(worker->setup->introspector);
    worker->config.max_request_entity_size = config->limits.max_body_bytes + BODY_MARGIN_BYTES;
    worker->h2o.http1.req_timeout.timeout = LIBRARY_TIMEOUT_MS;
    worker->h2o.http2.idle_timeout.timeout = LIBRARY_TIMEOUT_MS;
    worker->connections.config = config;
    miss_queue_set_max_len(&worker->misses, config->limits.max_waiting);
}

static void finish_change(miss_marker_t *marker)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, change_marker, marker);
    worker_setup_free(worker->old_setup);
    worker->old_setup = NULL;
    sem_post(&worker->is_set_up);
}

static void change_setup(worker_t *worker)
{
    worker->old_setup = worker->setup;
    worker->setup = worker->next_setup;
    worker->next_setup = NULL;
    follow_limits(worker);
    change_listeners(worker, worker->old_setup);
    /* What waits points into the old config, which is given up when all that is decided. */
    miss_queue_mark(&worker->misses, &worker->change_marker);
}

static bool take_message(h2o_multithread_message_t *message)
{
    if (!h2o_linklist_is_linked(&message->link))
        return false;
    h2o_linklist_unlink(&message->link);
    return true;
}

static void on_message(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, receiver, receiver);
    (void)messages; /* there are two that they can be */
    if (take_message(&worker->stop_message))
        worker->stop_is_requested = true;
    /* Last: from its end on the server's thread may send again. */
    if (take_message(&worker->change_message))
        change_setup(worker);
}

static void open_loop(worker_t *worker)
{
    h2o_context_init(&worker->h2o, h2o_evloop_create(), &worker->config);
    h2o_multithread_register_receiver(worker->h2o.queue, &worker->receiver, on_message);
    follow_limits(worker);
    open_listeners(worker);
}

static void close_loop(worker_t *worker)
{
    h2o_timeout_unlink(&worker->work);
    /* A turn lets the library free the sockets that were closed. */
    h2o_evloop_run(worker->h2o.loop, 0);
    h2o_multithread_unregister_receiver(worker->h2o.queue, &worker->receiver);
    /* With a connection left the library would touch freed memory; the process ends soon. */
    if (worker->connections.count > 0)
        return;
    h2o_context_dispose(&worker->h2o);
    free(worker->h2o.queue); /* the library's own destructor leaves the block itself */
    h2o_evloop_destroy(worker->h2o.loop);
}

static void configure(worker_t *worker, worker_register_cb *register_handlers, void *data)
{
    h2o_config_init(&worker->config);
    worker->config.server_name = h2o_iovec_init(NULL, 0);
    worker->config.http1.upgrade_to_http2 = 0; /* see connection.c */
    worker->hosts[0] =
        h2o_config_register_host(&worker->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(worker->hosts[0], "/", 0);
    library_errors_register(worker->hosts[0], path);
    connection_register(path);
    connection_register(&worker->hosts[0]->fallback_path);
    register_handlers(path, data);
}

/*
 * While others are answered, misses get as much time as these take, so that a few tokens that are dear to
 * verify do not keep everybody else waiting. Who was answered a moment ago may be about to ask again: then
 * misses run one by one, to look for that in between.
 */
static int64_t misses_budget_us(worker_t *worker, int64_t now_us)
{
    worker->miss_credit_us += now_us - worker->work_ended_us;
    if (worker->miss_credit_us > MISSES_PER_TURN_US)
        worker->miss_credit_us = MISSES_PER_TURN_US;
    if (worker->has_answered)
        return worker->miss_credit_us;
    if (worker->miss_credit_us < 0)
        worker->miss_credit_us = 0;
    return now_us - worker->answered_us < ANSWERED_LATELY_US ? 1 : MISSES_PER_TURN_US;
}

static void run_misses(worker_t *worker)
{
    int64_t began_us = clock_monotonic_us();
    if (worker->answered_in_turn > 0) {
        worker->has_answered = true;
        worker->answered_us = began_us;
    }
    int64_t budget_us = misses_budget_us(worker, began_us);
    if (budget_us > 0) {
        miss_queue_run(&worker->misses, budget_us);
        worker->miss_credit_us -= clock_monotonic_us() - began_us;
    }
}

static bool is_to_close_idle(const worker_t *worker)
{
    return worker->drain_started_ms != 0 && worker->connections.count > 0 &&
           clock_monotonic_ms() >= worker->close_idle_next_ms;
}

static void on_work(h2o_timeout_entry_t *entry)
{
    worker_t *worker = H2O_STRUCT_FROM_MEMBER(worker_t, work, entry);
    worker->has_worked = true;
    deferred_run(&worker->deferred, STRANGERS_PER_TURN_US);
    run_misses(worker);
    connection_set_handshake(&worker->connections, worker->has_answered ? 1 : HANDSHAKES_PER_TURN);
    connection_set_resume(&worker->connections, STRANGERS_PER_TURN_US);
    if (clock_monotonic_ms() >= worker->enforce_next_ms) {
        worker->enforce_next_ms = clock_monotonic_ms() + CONNECTION_ENFORCE_PERIOD_MS;
        connection_set_enforce(&worker->connections);
    }
    if (is_to_close_idle(worker)) {
        worker->close_idle_next_ms = clock_monotonic_ms() + DRAIN_TURN_MS;
        connection_set_close_idle(&worker->connections, clock_monotonic_ms() - worker->drain_started_ms);
    }
    worker->work_ended_us = clock_monotonic_us();
}

worker_t *worker_new(worker_register_cb *register_handlers, void *data, worker_setup_t *take_setup,
                     connection_counts_t *counts, tally_t *tally)
{
    worker_t *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        worker_setup_free(take_setup);
        return NULL;
    }
    worker->setup = take_setup;
    worker->tally = tally;
    configure(worker, register_handlers, data);
    connection_set_init(&worker->connections, &worker->h2o, worker->hosts, counts);
    deferred_init(&worker->deferred);
    miss_queue_init(&worker->misses, 0); /* follow_limits sets it */
    worker->change_marker.run = finish_change;
    worker->work.cb = on_work;
    sem_init(&worker->is_set_up, 0, 0);
    return worker;
}

void worker_free(worker_t *worker)
{
    if (worker == NULL)
        return;
    worker_setup_free(worker->setup);
    sem_destroy(&worker->is_set_up);
    h2o_config_dispose(&worker->config);
    free(worker);
}

static void start_draining(worker_t *worker)
{
    worker->drain_started_ms = clock_monotonic_ms();
    close_listeners(worker);
    connection_set_begin_drain(&worker->connections);
}

/*
 * Work that writes is done by a timer of the loop's and never between two turns: the library would not notice
 * that a socket which it polls has nothing to write any more, and fails an assertion when there is room
 * again.
 */
static void turn(worker_t *worker, int32_t max_wait_ms)
{
    /* One that is left from before a step of the clock would wait until the clock is there again. */
    h2o_timeout_unlink(&worker->work);
    worker->has_worked = false;
    atomic_store_explicit(&worker->turned_ms, clock_monotonic_ms(), memory_order_relaxed);
    connection_set_begin_turn(&worker->connections);
    worker->has_answered = worker->answered_in_turn > 0;
    worker->answered_in_turn = 0;
    worker->turn_began_us = 0;
    if (worker->tally != NULL)
        atomic_store_explicit(&worker->tally->waiting, miss_queue_len(&worker->misses), memory_order_relaxed);
    bool can_resume = connection_set_can_resume(&worker->connections);
    bool is_to_enforce = worker->connections.count > 0 && clock_monotonic_ms() >= worker->enforce_next_ms;
    if (can_resume || is_to_enforce || is_to_close_idle(worker) || !deferred_is_empty(&worker->deferred) ||
        connection_set_has_handshakes(&worker->connections) || !miss_queue_is_empty(&worker->misses))
        worker_schedule_work(worker);
    if (worker->connections.count > 0 && max_wait_ms > CONNECTION_ENFORCE_PERIOD_MS)
        max_wait_ms = CONNECTION_ENFORCE_PERIOD_MS;
    h2o_evloop_run(worker->h2o.loop, max_wait_ms);
}

static void drain(worker_t *worker)
{
    start_draining(worker);
    int64_t drained_ms = 0;
    while (worker->connections.count > 0 && drained_ms < worker->drain_timeout_ms &&
           !atomic_load_explicit(&worker->is_to_cut_off, memory_order_relaxed)) {
        turn(worker, DRAIN_TURN_MS);
        drained_ms = clock_monotonic_ms() - worker->drain_started_ms;
    }
    worker->cut_off_count = connection_set_cut_off(&worker->connections);
    int64_t deadline_ms = clock_monotonic_ms() + TEAR_DOWN_MS;
    while (worker->connections.count > 0 && clock_monotonic_ms() < deadline_ms)
        turn(worker, DRAIN_TURN_MS);
}

static void *run(void *data)
{
    worker_t *worker = data;
    /* In this thread: the library keeps lists of free buffers for the thread that opens a loop. */
    open_loop(worker);
    sem_post(&worker->is_set_up);
    while (!worker->stop_is_requested) {
        resume_accepting(worker);
        turn(worker, worker->accept_again_ms == 0 ? IDLE_TURN_MS : ACCEPT_PAUSE_MS);
    }
    drain(worker);
    close_loop(worker);
    /* Nobody waits for a turn of it any more. */
    atomic_store_explicit(&worker->turned_ms, INT64_MAX, memory_order_relaxed);
    return NULL;
}

static void wait_until_set_up(worker_t *worker)
{
    while (sem_wait(&worker->is_set_up) != 0)
        ;
}

int64_t worker_turn_began_us(worker_t *worker)
{
    if (worker->turn_began_us == 0)
        worker->turn_began_us = clock_monotonic_us();
    return worker->turn_began_us;
}

void worker_schedule_work(worker_t *worker)
{
    /* Once a turn: pipelined requests, each of them a miss, would keep the loop from looking at anybody else.
     */
    if (!worker->has_worked && !h2o_timeout_is_linked(&worker->work))
        h2o_timeout_link(worker->h2o.loop, &worker->h2o.zero_timeout, &worker->work);
}

bool worker_start(worker_t *worker)
{
    atomic_store(&worker->turned_ms, clock_monotonic_ms());
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        return false;
    worker->thread_is_started = true;
    wait_until_set_up(worker);
    return true;
}

void worker_change(worker_t *worker, worker_setup_t *take_setup)
{
    worker->next_setup = take_setup;
    h2o_multithread_send_message(&worker->receiver, &worker->change_message);
    wait_until_set_up(worker);
}

int64_t worker_turned_ms(worker_t *worker)
{
    return atomic_load_explicit(&worker->turned_ms, memory_order_relaxed);
}

void worker_announce_stop(worker_t *worker)
{
    connection_set_announce_end(&worker->connections);
}

void worker_request_stop(worker_t *worker, int64_t timeout_ms)
{
    if (!worker->thread_is_started)
        return;
    worker->drain_timeout_ms = timeout_ms;
    /* The last that is done to the worker from here: its thread may take its loop down right after. */
    h2o_multithread_send_message(&worker->receiver, &worker->stop_message);
}

void worker_cut_off(worker_t *worker)
{
    atomic_store_explicit(&worker->is_to_cut_off, true, memory_order_relaxed);
}

bool worker_has_ended(worker_t *worker)
{
    if (worker->thread_is_started && pthread_tryjoin_np(worker->thread, NULL) == 0)
        worker->thread_is_started = false;
    return !worker->thread_is_started;
}

size_t worker_join(worker_t *worker)
{
    if (worker->thread_is_started)
        pthread_join(worker->thread, NULL);
    worker->thread_is_started = false;
    return worker->cut_off_count;
}

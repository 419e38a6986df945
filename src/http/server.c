#include "introspectd/server.h"

#include "access_log.h"
#include "authentication.h"
#include "client_tallies.h"
#include "endpoint.h"
#include "listener_set.h"
#include "operations.h"
#include "worker.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    introspector_t *introspector; /* held */
    log_gate_t log_gate;
    access_log_t access_log;
    authentication_t authentication; /* what it knows outlives a config */
    _Atomic bool is_draining;
    passed_sockets_t passed;
    listener_set_t listeners;
    unsigned max_connections;    /* that there are descriptors for */
    connection_counts_t *counts; /* of the request threads */
    tally_place_t *tallies;      /* of each of them */
    client_tallies_t *client_tallies;
    recent_refusals_t *recent;
    reload_counts_t reloads;
    endpoint_shared_t shared; /* borrows what is above */
    observed_t observed;      /* likewise */
    worker_t **workers;       /* the request threads, then the operations thread */
    size_t worker_count;
};

enum {
    /* Lines about refused tokens per second. */
    LOG_BURST = 100,
    LOG_PERIOD_MS = 1000,
    /* As many as a config may allow. */
    MAX_CONNECTIONS = 1000000,
    /* Refused tokens that the status page shows. */
    MAX_RECENT_REFUSALS = 50
};

bool server_check(const config_t *config, server_error_t *error)
{
    return listener_set_check(config, error);
}

static void register_endpoint(h2o_pathconf_t *path, void *data)
{
    server_t *server = data;
    endpoint_register(path, &server->shared);
}

static void register_operations(h2o_pathconf_t *path, void *data)
{
    server_t *server = data;
    operations_register(path, &server->observed);
}

/* For request thread number `thread`. */
static worker_setup_t *new_request_setup(const server_t *server, const listener_set_t *listeners,
                                         introspector_t *introspector, size_t thread)
{
    worker_setup_t *setup = worker_setup_new(introspector, listeners->listeners, listeners->public_count);
    if (setup == NULL || worker_setup_add_introspection(setup, server->client_tallies, thread))
        return setup;
    worker_setup_free(setup);
    return NULL;
}

static worker_setup_t *new_operations_setup(const listener_set_t *listeners, introspector_t *introspector)
{
    return worker_setup_new(introspector, listeners->listeners + listeners->public_count,
                            listeners->count - listeners->public_count);
}

/* Takes worker, which may be NULL: then it is false. */
static bool add_worker(server_t *server, worker_t *worker)
{
    if (worker == NULL)
        return false;
    server->workers[server->worker_count++] = worker;
    return true;
}

static bool add_request_worker(server_t *server, size_t thread)
{
    worker_setup_t *setup = new_request_setup(server, &server->listeners, server->introspector, thread);
    return setup != NULL && add_worker(server, worker_new(register_endpoint, server, setup, server->counts,
                                                          &server->tallies[thread].tally));
}

static bool add_operations_worker(server_t *server)
{
    worker_setup_t *setup = new_operations_setup(&server->listeners, server->introspector);
    return setup != NULL && add_worker(server, worker_new(register_operations, server, setup, NULL, NULL));
}

/* What the threads count in, and what they share. */
static bool prepare_counts(server_t *server, unsigned threads)
{
    size_t size = threads * sizeof(*server->tallies);
    server->counts = connection_counts_new(server->max_connections);
    server->client_tallies = client_tallies_new(threads);
    server->recent = recent_refusals_new(MAX_RECENT_REFUSALS);
    server->tallies = aligned_alloc(alignof(tally_place_t), size);
    if (server->counts == NULL || server->client_tallies == NULL || server->recent == NULL ||
        server->tallies == NULL)
        return false;
    memset(server->tallies, 0, size);
    server->shared = (endpoint_shared_t){.access_log = &server->access_log,
                                         .log_gate = &server->log_gate,
                                         .authentication = &server->authentication,
                                         .recent = server->recent};
    server->observed = (observed_t){.server = server,
                                    .is_draining = &server->is_draining,
                                    .tallies = server->tallies,
                                    .tally_count = threads,
                                    .clients = server->client_tallies,
                                    .connections = server->counts,
                                    .reloads = &server->reloads,
                                    .recent = server->recent};
    return true;
}

static bool start_workers(server_t *server, unsigned threads, server_error_t *error)
{
    server->workers = calloc((size_t)threads + 1, sizeof(*server->workers));
    bool is_complete = server->workers != NULL && prepare_counts(server, threads);
    for (unsigned i = 0; is_complete && i < threads; i++)
        is_complete = add_request_worker(server, i);
    is_complete = is_complete && add_operations_worker(server);
    for (size_t i = 0; is_complete && i < server->worker_count; i++)
        is_complete = worker_start(server->workers[i]);
    if (!is_complete)
        snprintf(error->text, sizeof(error->text),
                 "cannot start %u threads: out of memory, descriptors or threads", threads);
    return is_complete;
}

static bool is_public(const listener_set_t *set, const listener_t *listener)
{
    return listener < set->listeners + set->public_count;
}

/* Whether set has the listener, and serves the same on it in the same way. */
static bool has_alike(const listener_set_t *set, const listener_t *listener, bool listener_is_public)
{
    const listener_t *same = listener_set_find(set, listener->id);
    return same != NULL && (same->tls == NULL) == (listener->tls == NULL) &&
           is_public(set, same) == listener_is_public;
}

/* Logs the listeners of set that other does not have alike. */
static void log_listeners(const char *event, const listener_set_t *set, const listener_set_t *other)
{
    for (size_t i = 0; i < set->count; i++) {
        char name[LISTENER_NAME_SIZE];
        if (has_alike(other, &set->listeners[i], i < set->public_count))
            continue;
        listener_get_name(set->listeners[i].fd, name);
        log_event(LOG_LEVEL_INFO, event,
                  json_pack("{s:s, s:b, s:s}", "address", name, "tls", set->listeners[i].tls != NULL,
                            "serves", i < set->public_count ? "introspection" : "operations"));
    }
}

static void request_stop(worker_t **workers, size_t count, int64_t timeout_ms)
{
    for (size_t i = 0; i < count; i++)
        worker_request_stop(workers[i], timeout_ms);
}

static size_t join(worker_t **workers, size_t count)
{
    size_t cut_off_count = 0;
    for (size_t i = 0; i < count; i++)
        cut_off_count += worker_join(workers[i]);
    return cut_off_count;
}

static void server_free(server_t *server)
{
    for (size_t i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    access_log_close(&server->access_log);
    connection_counts_free(server->counts);
    free(server->tallies);
    client_tallies_free(server->client_tallies);
    recent_refusals_free(server->recent);
    listener_set_close(&server->listeners);
    passed_sockets_deinit(&server->passed);
    introspector_release(server->introspector);
    authentication_deinit(&server->authentication);
    free(server);
}

static bool open_listeners(server_t *server, const config_t *config, server_sockets_t passed,
                           server_error_t *error)
{
    if (!passed_sockets_init(&server->passed, passed.sockets, passed.count)) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return false;
    }
    const listener_sources_t sources = {.passed = &server->passed};
    return listener_set_open(&server->listeners, config, &sources, error) &&
           listener_set_has_all(&server->listeners, &server->passed, error);
}

server_t *server_open(const config_t *config, server_sockets_t passed, server_error_t *error)
{
    server_t *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return NULL;
    }
    server->max_connections = MAX_CONNECTIONS;
    if (!open_listeners(server, config, passed, error)) {
        server_close(server);
        return NULL;
    }
    listener_set_apply_buffers(&server->listeners, config);
    return server;
}

void server_bound_connections(server_t *server, uint64_t max)
{
    server->max_connections = max < MAX_CONNECTIONS ? (unsigned)max : MAX_CONNECTIONS;
}

void server_close(server_t *server)
{
    if (server == NULL)
        return;
    request_stop(server->workers, server->worker_count, 0);
    join(server->workers, server->worker_count);
    server_free(server);
}

bool server_start(server_t *server, introspector_t *introspector, unsigned threads, server_error_t *error)
{
    /* The library would put larger buffers, with tokens in them, into files. */
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
    server->introspector = introspector_acquire(introspector);
    log_gate_init(&server->log_gate, LOG_BURST, LOG_PERIOD_MS);
    if (!authentication_init(&server->authentication)) {
        snprintf(error->text, sizeof(error->text), "out of memory or random numbers");
        return false;
    }
    access_sink_t *access_sink;
    if (!access_log_prepare(&server->access_log, introspector_config(introspector), &access_sink, error))
        return false;
    (void)access_log_change(&server->access_log, access_sink);
    atomic_store(&server->reloads.applied_s, clock_now_s());
    if (!start_workers(server, threads, error))
        return false;
    log_listeners("listening", &server->listeners, &(listener_set_t){0});
    return true;
}

static void free_setups(const server_t *server, worker_setup_t **setups)
{
    for (size_t i = 0; setups != NULL && i < server->worker_count; i++)
        worker_setup_free(setups[i]);
    free(setups);
}

/* One setup a worker, in their order. NULL when not all can be had. */
static worker_setup_t **new_setups(const server_t *server, const listener_set_t *listeners,
                                   introspector_t *introspector)
{
    worker_setup_t **setups = calloc(server->worker_count, sizeof(*setups));
    bool is_complete = setups != NULL;
    for (size_t i = 0; is_complete && i < server->worker_count; i++) {
        setups[i] = i + 1 < server->worker_count ? new_request_setup(server, listeners, introspector, i)
                                                 : new_operations_setup(listeners, introspector);
        is_complete = setups[i] != NULL;
    }
    if (is_complete)
        return setups;
    free_setups(server, setups);
    return NULL;
}

bool server_reload(server_t *server, introspector_t *introspector, server_error_t *error)
{
    const config_t *config = introspector_config(introspector);
    const listener_sources_t sources = {.present = &server->listeners, .passed = &server->passed};
    listener_set_t listeners;
    access_sink_t *access_sink;
    if (!listener_set_open(&listeners, config, &sources, error))
        return false;
    worker_setup_t **setups = new_setups(server, &listeners, introspector);
    if (setups == NULL)
        snprintf(error->text, sizeof(error->text), "out of memory or descriptors");
    /* The last that can fail: a file that was created stays. */
    if (setups == NULL || !access_log_prepare(&server->access_log, config, &access_sink, error)) {
        free_setups(server, setups);
        listener_set_close(&listeners);
        return false;
    }
    /* From here on nothing can fail. */
    listener_set_apply_buffers(&listeners, config);
    access_sink = access_log_change(&server->access_log, access_sink);
    log_listeners("no_longer_listening", &server->listeners, &listeners);
    log_listeners("listening", &listeners, &server->listeners);
    listener_set_take_over(&listeners, &server->listeners);
    /* Before the workers', who take what is in the backlog first: the last to close a socket resets the rest.
     */
    listener_set_close(&server->listeners);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_change(server->workers[i], setups[i]);
    free(setups);
    /* Every loop has had a turn since. */
    access_log_discard(&server->access_log, access_sink);
    server->listeners = listeners;
    introspector_release(server->introspector);
    server->introspector = introspector_acquire(introspector);
    atomic_fetch_add(&server->reloads.applied, 1);
    atomic_store(&server->reloads.applied_s, clock_now_s());
    atomic_store(&server->reloads.last_was_refused, false);
    return true;
}

void server_reopen_logs(server_t *server)
{
    access_log_reopen(&server->access_log);
}

void server_note_refused_reload(server_t *server)
{
    atomic_fetch_add(&server->reloads.refused, 1);
    atomic_store(&server->reloads.last_was_refused, true);
}

bool server_owns_socket_file(const server_t *server, const char *path)
{
    for (size_t i = 0; i < server->listeners.count; i++) {
        const listener_t *listener = &server->listeners.listeners[i];
        if (listener->owns_unix_path && strcmp(listener->address->unix_path, path) == 0)
            return true;
    }
    return false;
}

int64_t server_ms_since_turn(const server_t *server)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t longest_ms = 0;
    for (size_t i = 0; i < server->worker_count; i++) {
        int64_t since_ms = now_ms - worker_turned_ms(server->workers[i]);
        if (since_ms > longest_ms)
            longest_ms = since_ms;
    }
    return longest_ms;
}

void server_announce_stop(server_t *server)
{
    atomic_store(&server->is_draining, true);
    for (size_t i = 0; i + 1 < server->worker_count; i++)
        worker_announce_stop(server->workers[i]);
}

void server_begin_stop(server_t *server)
{
    const config_t *config = introspector_config(server->introspector);
    server_announce_stop(server);
    /* Whoever connects from now on is refused, and may go to another instance. */
    for (size_t i = 0; i < server->listeners.public_count; i++)
        listener_stop(&server->listeners.listeners[i]);
    request_stop(server->workers, server->worker_count - 1, config->shutdown_timeout_s * 1000);
}

bool server_has_stopped(server_t *server)
{
    for (size_t i = 0; i + 1 < server->worker_count; i++) {
        if (!worker_has_ended(server->workers[i]))
            return false;
    }
    return true;
}

void server_cut_off(server_t *server)
{
    for (size_t i = 0; i + 1 < server->worker_count; i++)
        worker_cut_off(server->workers[i]);
}

size_t server_finish_stop(server_t *server)
{
    size_t request_worker_count = server->worker_count - 1;
    size_t cut_off_count = join(server->workers, request_worker_count);
    /* Probes are answered until the last request is. */
    request_stop(server->workers + request_worker_count, 1, 0);
    join(server->workers + request_worker_count, 1);
    server_free(server);
    return cut_off_count;
}

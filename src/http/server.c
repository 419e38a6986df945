#include "introspectd/server.h"

#include "endpoint.h"
#include "library_errors.h"
#include "listener.h"
#include "operations.h"
#include "tls.h"
#include "worker.h"

#include "introspectd/log.h"

#include <stdio.h>
#include <stdlib.h>

struct server {
    const config_t *config;
    introspector_t *introspector;
    h2o_globalconf_t h2o;
    h2o_hostconf_t *public_host;
    h2o_hostconf_t *admin_host;
    log_gate_t log_gate;
    _Atomic bool is_draining;
    listener_t *listeners; /* the config's, then the admin's if there is one */
    size_t listener_count;
    worker_t **workers; /* the request threads, then the operations thread if there is one */
    size_t worker_count;
};

enum {
    /* Lines about refused tokens per second. */
    LOG_BURST = 100,
    LOG_PERIOD_MS = 1000,
    /*
     * How far the library's bound on a body lies above ours: within it a caller gets our 413, beyond it the
     * library resets an HTTP/2 stream with an error that invites a retry. A hundred streams of a connection
     * can hold as much before anybody has authenticated.
     */
    BODY_MARGIN_BYTES = 2 * 1024 * 1024
};

static h2o_pathconf_t *add_host(server_t *server, h2o_hostconf_t **host, const char *name)
{
    *host = h2o_config_register_host(&server->h2o, h2o_iovec_init(name, strlen(name)), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(*host, "/", 0);
    library_errors_register(*host, path);
    return path;
}

static void configure(server_t *server)
{
    const config_t *config = server->config;
    h2o_config_init(&server->h2o);
    server->h2o.server_name = h2o_iovec_init(NULL, 0);
    server->h2o.max_request_entity_size = config->limits.max_body_bytes + BODY_MARGIN_BYTES;
    server->h2o.http1.upgrade_to_http2 = 0; /* see connection.c */
    /* The library would put larger buffers, with tokens in them, into files. */
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
    endpoint_register(add_host(server, &server->public_host, "public"), config, &server->log_gate);
    operations_register(add_host(server, &server->admin_host, "admin"), server->introspector,
                        &server->is_draining);
}

/* NULL with a line in error that has the form of a config's errors. */
static SSL_CTX *new_tls_context(const config_t *config, const config_listener_t *from, server_error_t *error)
{
    char reason[SERVER_ERROR_SIZE / 2];
    SSL_CTX *tls = tls_context_new(from->certificate_file, from->private_key_file, reason, sizeof(reason));
    if (tls == NULL)
        snprintf(error->text, sizeof(error->text), "%s:%u: listen[%zu].tls: %s", config->file, from->line,
                 (size_t)(from - config->listeners), reason);
    return tls;
}

bool server_check(const config_t *config, server_error_t *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].certificate_file == NULL)
            continue;
        SSL_CTX *tls = new_tls_context(config, &config->listeners[i], error);
        if (tls == NULL)
            return false;
        SSL_CTX_free(tls);
    }
    return true;
}

static bool bind_listener(server_t *server, const config_listener_t *from, server_error_t *error)
{
    listener_t *listener = &server->listeners[server->listener_count++];
    SSL_CTX *tls = NULL;
    listener->fd = -1;
    if (from->certificate_file != NULL && (tls = new_tls_context(server->config, from, error)) == NULL)
        return false;
    return listener_init(listener, &from->address, tls, error->text, sizeof(error->text));
}

static bool bind_listeners(server_t *server, server_error_t *error)
{
    const config_t *config = server->config;
    server->listeners = calloc(config->listener_count + 1, sizeof(*server->listeners));
    if (server->listeners == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return false;
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!bind_listener(server, &config->listeners[i], error))
            return false;
    }
    return !config->has_admin || listener_init(&server->listeners[server->listener_count++], &config->admin,
                                               NULL, error->text, sizeof(error->text));
}

static bool add_request_worker(server_t *server)
{
    introspect_worker_t *introspect = introspect_worker_new(server->introspector);
    if (introspect == NULL)
        return false;
    worker_t *worker = worker_new(&server->h2o, server->public_host, server->listeners,
                                  server->config->listener_count, introspect);
    if (worker == NULL)
        return false;
    server->workers[server->worker_count++] = worker;
    return true;
}

static bool add_operations_worker(server_t *server)
{
    worker_t *worker = worker_new(&server->h2o, server->admin_host,
                                  &server->listeners[server->config->listener_count], 1, NULL);
    if (worker == NULL)
        return false;
    server->workers[server->worker_count++] = worker;
    return true;
}

static bool start_workers(server_t *server, unsigned threads, server_error_t *error)
{
    server->workers = calloc((size_t)threads + 1, sizeof(*server->workers));
    bool is_complete = server->workers != NULL;
    for (unsigned i = 0; is_complete && i < threads; i++)
        is_complete = add_request_worker(server);
    if (is_complete && server->config->has_admin)
        is_complete = add_operations_worker(server);
    for (size_t i = 0; is_complete && i < server->worker_count; i++)
        is_complete = worker_start(server->workers[i]);
    if (!is_complete)
        snprintf(error->text, sizeof(error->text),
                 "cannot start %u threads: out of memory, descriptors or threads", threads);
    return is_complete;
}

static void log_listeners(const server_t *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        char name[LISTENER_NAME_SIZE];
        listener_get_name(&server->listeners[i], name);
        log_event(LOG_LEVEL_INFO, "listening",
                  json_pack("{s:s, s:b, s:s}", "address", name, "tls", server->listeners[i].tls != NULL,
                            "serves", i < server->config->listener_count ? "introspection" : "operations"));
    }
}

static size_t stop_workers(worker_t **workers, size_t count, int64_t timeout_ms)
{
    size_t cut_off_count = 0;
    for (size_t i = 0; i < count; i++)
        worker_request_stop(workers[i], timeout_ms);
    for (size_t i = 0; i < count; i++)
        cut_off_count += worker_join(workers[i]);
    return cut_off_count;
}

static void server_free(server_t *server)
{
    for (size_t i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    for (size_t i = 0; i < server->listener_count; i++)
        listener_deinit(&server->listeners[i]);
    free(server->listeners);
    h2o_config_dispose(&server->h2o);
    free(server);
}

server_t *server_start(const config_t *config, introspector_t *introspector, unsigned threads,
                       server_error_t *error)
{
    server_t *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return NULL;
    }
    server->config = config;
    server->introspector = introspector;
    log_gate_init(&server->log_gate, LOG_BURST, LOG_PERIOD_MS);
    configure(server);
    if (!bind_listeners(server, error) || !start_workers(server, threads, error)) {
        stop_workers(server->workers, server->worker_count, 0);
        server_free(server);
        return NULL;
    }
    log_listeners(server);
    return server;
}

size_t server_stop(server_t *server)
{
    atomic_store(&server->is_draining, true);
    /* Whoever connects from now on is refused, and may go to another instance. */
    for (size_t i = 0; i < server->config->listener_count; i++)
        listener_close(&server->listeners[i]);
    size_t request_worker_count = server->worker_count - (server->config->has_admin ? 1 : 0);
    size_t cut_off_count =
        stop_workers(server->workers, request_worker_count, server->config->shutdown_timeout_s * 1000);
    /* Probes are answered until the last request is. */
    stop_workers(server->workers + request_worker_count, server->worker_count - request_worker_count, 0);
    server_free(server);
    return cut_off_count;
}

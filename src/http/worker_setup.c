#include "worker_setup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool add_listener(worker_setup_t *setup, const listener_t *from)
{
    worker_listener_t *listener = &setup->listeners[setup->listener_count];
    listener->id = from->id;
    listener->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (listener->fd == -1)
        return false;
    if (from->tls != NULL)
        SSL_CTX_up_ref(from->tls);
    listener->tls = from->tls;
    listener->has_proxy_protocol = from->has_proxy_protocol;
    setup->listener_count++;
    return true;
}

worker_setup_t *worker_setup_new(introspector_t *introspector, const listener_t *listeners,
                                 size_t listener_count)
{
    worker_setup_t *setup = calloc(1, sizeof(*setup) + listener_count * sizeof(setup->listeners[0]));
    if (setup == NULL)
        return NULL;
    setup->introspector = introspector_acquire(introspector);
    bool is_complete = true;
    for (size_t i = 0; is_complete && i < listener_count; i++)
        is_complete = add_listener(setup, &listeners[i]);
    if (!is_complete) {
        worker_setup_free(setup);
        return NULL;
    }
    return setup;
}

bool worker_setup_add_introspection(worker_setup_t *setup, client_tallies_t *tallies, size_t thread)
{
    const config_t *config = introspector_config(setup->introspector);
    setup->introspect = introspect_worker_new(setup->introspector);
    setup->client_tallies = client_tallies_of(tallies, &config->clients, thread);
    return setup->introspect != NULL && setup->client_tallies != NULL;
}

void worker_setup_free(worker_setup_t *setup)
{
    if (setup == NULL)
        return;
    for (size_t i = 0; i < setup->listener_count; i++) {
        if (setup->listeners[i].fd != -1)
            close(setup->listeners[i].fd);
        SSL_CTX_free(setup->listeners[i].tls);
    }
    introspect_worker_free(setup->introspect);
    free(setup->client_tallies);
    introspector_release(setup->introspector);
    free(setup);
}

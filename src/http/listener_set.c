#include "listener_set.h"

#include "tls.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_same_address(const config_address_t *a, const config_address_t *b)
{
    if (a->unix_path != NULL || b->unix_path != NULL)
        return a->unix_path != NULL && b->unix_path != NULL && strcmp(a->unix_path, b->unix_path) == 0;
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The listener of present on that address whose socket set does not have yet (port 0 may stand there often).
 */
static listener_t *find_present(const listener_set_t *present, const listener_set_t *set,
                                const config_address_t *address)
{
    for (size_t i = 0; present != NULL && i < present->count; i++) {
        listener_t *listener = &present->listeners[i];
        if (is_same_address(listener->address, address) && listener_set_find(set, listener->id) == NULL)
            return listener;
    }
    return NULL;
}

/* NULL with a line in error that has the form of a config's errors. */
static SSL_CTX *new_tls_context(const config_t *config, const config_listener_t *from, SSL_CTX *predecessor,
                                server_error_t *error)
{
    char reason[SERVER_ERROR_SIZE / 2];
    SSL_CTX *tls =
        tls_context_new(from->certificate_file, from->private_key_file, predecessor, reason, sizeof(reason));
    if (tls == NULL)
        snprintf(error->text, sizeof(error->text), "%s:%u: listen[%zu].tls: %s", config->file, from->line,
                 (size_t)(from - config->listeners), reason);
    return tls;
}

/* Adds a listener on address, bound or shared. */
static bool add(listener_set_t *set, const config_address_t *address, const listener_t *present,
                SSL_CTX *take_tls, server_error_t *error)
{
    listener_t *listener = &set->listeners[set->count++];
    if (present != NULL)
        return listener_share(listener, present, address, take_tls, error->text, sizeof(error->text));
    return listener_bind(listener, address, take_tls, error->text, sizeof(error->text));
}

static bool add_public(listener_set_t *set, const config_t *config, const config_listener_t *from,
                       const listener_set_t *present_set, server_error_t *error)
{
    const listener_t *present = find_present(present_set, set, &from->address);
    SSL_CTX *tls = NULL;
    if (from->certificate_file != NULL) {
        tls = new_tls_context(config, from, present == NULL ? NULL : present->tls, error);
        if (tls == NULL)
            return false;
    }
    set->public_count++;
    return add(set, &from->address, present, tls, error);
}

static bool add_all(listener_set_t *set, const config_t *config, const listener_set_t *present,
                    server_error_t *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!add_public(set, config, &config->listeners[i], present, error))
            return false;
    }
    return !config->has_admin ||
           add(set, &config->admin, find_present(present, set, &config->admin), NULL, error);
}

bool listener_set_open(listener_set_t *set, const config_t *config, const listener_set_t *present,
                       server_error_t *error)
{
    *set = (listener_set_t){.listeners = calloc(config->listener_count + 1, sizeof(*set->listeners))};
    if (set->listeners == NULL) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return false;
    }
    if (!add_all(set, config, present, error)) {
        listener_set_close(set);
        return false;
    }
    return true;
}

static listener_t *find_by_id(const listener_set_t *set, uint64_t id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->listeners[i].id == id)
            return &set->listeners[i];
    }
    return NULL;
}

const listener_t *listener_set_find(const listener_set_t *set, uint64_t id)
{
    return find_by_id(set, id);
}

void listener_set_take_over(listener_set_t *set, listener_set_t *old)
{
    for (size_t i = 0; i < old->count; i++) {
        listener_t *successor = find_by_id(set, old->listeners[i].id);
        if (successor == NULL)
            continue;
        successor->owns_unix_path = old->listeners[i].owns_unix_path;
        old->listeners[i].owns_unix_path = false;
    }
}

void listener_set_close(listener_set_t *set)
{
    for (size_t i = 0; i < set->count; i++)
        listener_close(&set->listeners[i]);
    free(set->listeners);
    *set = (listener_set_t){0};
}

bool listener_set_check(const config_t *config, server_error_t *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].certificate_file == NULL)
            continue;
        SSL_CTX *tls = new_tls_context(config, &config->listeners[i], NULL, error);
        if (tls == NULL)
            return false;
        SSL_CTX_free(tls);
    }
    return true;
}

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

static const listener_t *find_free(const listener_t *begin, const listener_t *end, const listener_set_t *set,
                                   const config_address_t *address)
{
    for (const listener_t *listener = begin; listener < end; listener++) {
        if (is_same_address(listener->address, address) && listener_set_find(set, listener->id) == NULL)
            return listener;
    }
    return NULL;
}

/* The listener of present on that address whose socket set does not have yet: port 0 may stand there often,
 * and then one that served the same is the right one. */
static const listener_t *find_present(const listener_set_t *present, const listener_set_t *set,
                                      const config_address_t *address, bool is_public)
{
    if (present == NULL)
        return NULL;
    const listener_t *begin = present->listeners;
    const listener_t *admin = begin + present->public_count;
    const listener_t *end = begin + present->count;
    const listener_t *same =
        is_public ? find_free(begin, admin, set, address) : find_free(admin, end, set, address);
    return same != NULL ? same : find_free(begin, end, set, address);
}

/* Writes what is wrong with listen[i].MEMBER, or with admin.MEMBER, in the form of a config's errors. */
static void place_error(const config_t *config, const config_listener_t *from, const char *member,
                        const char *reason, server_error_t *error)
{
    if (from == NULL && config->has_default_admin)
        snprintf(error->text, sizeof(error->text), "%s: admin: %s, which is the default: " CONFIG_ADMIN_HINT,
                 config->file, reason);
    else if (from == NULL)
        snprintf(error->text, sizeof(error->text), "%s: admin.%s: %s", config->file, member, reason);
    else
        snprintf(error->text, sizeof(error->text), "%s:%u: listen[%zu].%s: %s", config->file, from->line,
                 (size_t)(from - config->listeners), member, reason);
}

static SSL_CTX *new_tls_context(const config_t *config, const config_listener_t *from,
                                const SSL_CTX *predecessor, server_error_t *error)
{
    char reason[SERVER_ERROR_SIZE / 2];
    SSL_CTX *tls = tls_context_new(from, predecessor, reason, sizeof(reason));
    if (tls == NULL)
        place_error(config, from, "tls", reason, error);
    return tls;
}

/* Adds a listener, bound or shared; from is NULL for the admin's. */
static bool add(listener_set_t *set, const config_t *config, const config_listener_t *from,
                const listener_set_t *present_set, server_error_t *error)
{
    char reason[SERVER_ERROR_SIZE / 2];
    const config_address_t *address = from == NULL ? &config->admin : &from->address;
    const listener_t *present = find_present(present_set, set, address, from != NULL);
    SSL_CTX *tls = NULL;
    if (from != NULL && from->certificate_file != NULL) {
        tls = new_tls_context(config, from, present == NULL ? NULL : present->tls, error);
        if (tls == NULL)
            return false;
    }
    listener_t *listener = &set->listeners[set->count++];
    set->public_count += from != NULL;
    bool is_added = present != NULL ? listener_share(listener, present, address, tls, reason, sizeof(reason))
                                    : listener_bind(listener, address, tls, reason, sizeof(reason));
    listener->has_proxy_protocol = from != NULL && from->has_proxy_protocol;
    if (!is_added)
        place_error(config, from, "address", reason, error);
    return is_added;
}

static bool add_all(listener_set_t *set, const config_t *config, const listener_set_t *present,
                    server_error_t *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!add(set, config, &config->listeners[i], present, error))
            return false;
    }
    return !config->has_admin || add(set, config, NULL, present, error);
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

/* Until a connection turns out to be a caller's. */
static size_t strangers_buffer(const config_t *config)
{
    enum { STRANGERS_BYTES = 16 * 1024 };
    size_t bytes = config->limits.receive_buffer_bytes;
    return bytes < STRANGERS_BYTES ? bytes : STRANGERS_BYTES;
}

void listener_set_apply_buffers(const listener_set_t *set, const config_t *config)
{
    for (size_t i = 0; i < set->public_count; i++)
        listener_set_buffers(&set->listeners[i], strangers_buffer(config), config->limits.send_buffer_bytes);
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

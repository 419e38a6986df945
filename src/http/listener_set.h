/*
 * listener_set: the listening sockets of one config. The set of the next config takes over the sockets whose
 * address stays. Used by the server's starting and stopping thread only.
 */
#ifndef INTROSPECTD_HTTP_LISTENER_SET_H
#define INTROSPECTD_HTTP_LISTENER_SET_H

#include "listener.h"
#include "passed_sockets.h"

#include "introspectd/server.h"

typedef struct listener_set {
    listener_t *listeners; /* the config's, then the admin's if there is one */
    size_t count;
    size_t public_count; /* without the admin's */
} listener_set_t;

/* Where there are sockets already. */
typedef struct listener_sources {
    const listener_set_t *present; /* NULL: there is none */
    const passed_sockets_t *passed;
} listener_sources_t;

/*
 * Loads every certificate and binds every address of config, which is borrowed. Where the present set listens
 * on an address, its socket is shared, and its TLS sessions can be resumed; else a socket that was passed is
 * taken, if there is one. All or nothing: false with *error filled; sources are as before either way.
 */
bool listener_set_open(listener_set_t *set, const config_t *config, const listener_sources_t *sources,
                       server_error_t *error) __attribute__((warn_unused_result));

/* Whether every socket that was passed has its listener in set. False with *error filled. */
bool listener_set_has_all(const listener_set_t *set, const passed_sockets_t *passed, server_error_t *error)
    __attribute__((warn_unused_result));

/* Hands the socket files of shared sockets from old to set: old can then be closed. */
void listener_set_take_over(listener_set_t *set, listener_set_t *old);

/* Bounds what the kernel keeps of the public listeners' connections, as config has it. */
void listener_set_apply_buffers(const listener_set_t *set, const config_t *config);

/* The listener with that id, NULL when there is none. */
const listener_t *listener_set_find(const listener_set_t *set, uint64_t id);

void listener_set_close(listener_set_t *set);

/* Loads every certificate of config as listener_set_open does, and binds nothing. */
bool listener_set_check(const config_t *config, server_error_t *error) __attribute__((warn_unused_result));

#endif

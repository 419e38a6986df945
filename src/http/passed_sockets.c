#include "passed_sockets.h"

#include "listener.h"

#include <stdlib.h>

bool passed_sockets_init(passed_sockets_t *passed, const server_socket_t *sockets, size_t count)
{
    *passed = (passed_sockets_t){.sockets = calloc(count + 1, sizeof(*passed->sockets)), .count = count};
    if (passed->sockets == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        passed->sockets[i] = (passed_socket_t){.id = listener_new_id(), .socket = sockets[i]};
    return true;
}

void passed_sockets_deinit(passed_sockets_t *passed)
{
    free(passed->sockets);
    *passed = (passed_sockets_t){0};
}

const passed_socket_t *passed_sockets_find(const passed_sockets_t *passed, const config_address_t *address,
                                           bool is_admin)
{
    for (size_t i = 0; is_admin && i < passed->count; i++) {
        if (passed->sockets[i].socket.is_for_admin)
            return &passed->sockets[i];
    }
    for (size_t i = 0; i < passed->count; i++) {
        const server_socket_t *socket = &passed->sockets[i].socket;
        if (!socket->is_for_admin && listener_is_bound_to(socket->fd, address))
            return &passed->sockets[i];
    }
    return NULL;
}

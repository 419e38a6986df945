#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
} address_t;

static socklen_t fill_address(const config_address_t *from, address_t *to)
{
    memset(to, 0, sizeof(*to));
    if (from->unix_path != NULL) {
        to->un.sun_family = AF_UNIX;
        snprintf(to->un.sun_path, sizeof(to->un.sun_path), "%s", from->unix_path);
        return sizeof(to->un);
    }
    if (inet_pton(AF_INET, from->host, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(from->port);
        return sizeof(to->v4);
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(from->port);
    return inet_pton(AF_INET6, from->host, &to->v6.sin6_addr) == 1 ? sizeof(to->v6) : 0;
}

/* A daemon that was killed leaves its socket file behind; one that still answers must not lose its own. */
static void remove_stale_socket_file(const address_t *address, socklen_t address_len)
{
    struct stat status;
    if (lstat(address->un.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    /* Non-blocking: one that is alive and busy shows as EAGAIN. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return;
    if (connect(fd, &address->any, address_len) == -1 && errno == ECONNREFUSED)
        unlink(address->un.sun_path);
    close(fd);
}

static bool set_options(int fd, int family)
{
    int on = 1;
    if (family == AF_UNIX)
        return true;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return false;
    /* So that 0.0.0.0 and [::] can stand beside each other, and what is written is what is bound. */
    return family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
}

static bool fail(const config_address_t *address, const char *why, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: %s", address->text, why);
    return false;
}

uint64_t listener_new_id(void)
{
    static uint64_t last_id;
    return ++last_id;
}

bool listener_is_bound_to(int fd, const config_address_t *address)
{
    address_t wanted;
    address_t bound = {0};
    socklen_t bound_len = sizeof(bound);
    if (fill_address(address, &wanted) == 0 || getsockname(fd, &bound.any, &bound_len) != 0 ||
        bound.any.sa_family != wanted.any.sa_family)
        return false;
    switch (bound.any.sa_family) {
    case AF_UNIX:
        return strcmp(bound.un.sun_path, wanted.un.sun_path) == 0;
    case AF_INET:
        return bound.v4.sin_port == wanted.v4.sin_port &&
               bound.v4.sin_addr.s_addr == wanted.v4.sin_addr.s_addr;
    default:
        return bound.v6.sin6_port == wanted.v6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&bound.v6.sin6_addr, &wanted.v6.sin6_addr);
    }
}

bool listener_take(listener_t *listener, uint64_t id, int fd, const config_address_t *address,
                   SSL_CTX *take_tls)
{
    *listener = (listener_t){.id = id, .tls = take_tls, .address = address, .keeps_queue = true};
    listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return listener->fd != -1;
}

bool listener_bind(listener_t *listener, const config_address_t *address, SSL_CTX *take_tls, char *error,
                   size_t error_size)
{
    *listener = (listener_t){.id = listener_new_id(), .fd = -1, .tls = take_tls, .address = address};
    address_t to;
    socklen_t to_len = fill_address(address, &to);
    if (to_len == 0)
        return fail(address, "not an address", error, error_size);
    if (address->unix_path != NULL)
        remove_stale_socket_file(&to, to_len);
    listener->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd == -1 || !set_options(listener->fd, to.any.sa_family) ||
        bind(listener->fd, &to.any, to_len) != 0)
        return fail(address, strerror(errno), error, error_size);
    listener->owns_unix_path = address->unix_path != NULL;
    if (listen(listener->fd, SOMAXCONN) != 0)
        return fail(address, strerror(errno), error, error_size);
    return true;
}

bool listener_share(listener_t *listener, const listener_t *present, const config_address_t *address,
                    SSL_CTX *take_tls, char *error, size_t error_size)
{
    *listener = (listener_t){
        .id = present->id, .tls = take_tls, .address = address, .keeps_queue = present->keeps_queue};
    listener->fd = fcntl(present->fd, F_DUPFD_CLOEXEC, 0);
    return listener->fd != -1 || fail(address, strerror(errno), error, error_size);
}

static void set_buffer(const listener_t *listener, int option, size_t bytes)
{
    int size = bytes > INT_MAX ? INT_MAX : (int)bytes;
    (void)setsockopt(listener->fd, SOL_SOCKET, option, &size, sizeof(size));
}

void listener_set_buffers(const listener_t *listener, size_t receive_bytes, size_t send_bytes)
{
    set_buffer(listener, SO_RCVBUF, receive_bytes);
    set_buffer(listener, SO_SNDBUF, send_bytes);
}

void listener_stop(listener_t *listener)
{
    /* In this order: a successor that finds the file gone may bind it anew, and must not lose its own. */
    if (listener->owns_unix_path)
        unlink(listener->address->unix_path);
    if (listener->fd != -1)
        close(listener->fd);
    listener->fd = -1;
    listener->owns_unix_path = false;
}

void listener_close(listener_t *listener)
{
    listener_stop(listener);
    SSL_CTX_free(listener->tls);
    *listener = (listener_t){.fd = -1};
}

void listener_get_name(int fd, char name[LISTENER_NAME_SIZE])
{
    address_t bound = {0};
    socklen_t bound_len = sizeof(bound);
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, &bound.any, &bound_len) != 0) {
        snprintf(name, LISTENER_NAME_SIZE, "?");
    } else if (bound.any.sa_family == AF_UNIX) {
        snprintf(name, LISTENER_NAME_SIZE, "unix:%.*s", (int)sizeof(bound.un.sun_path), bound.un.sun_path);
    } else if (bound.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &bound.v4.sin_addr, host, sizeof(host));
        snprintf(name, LISTENER_NAME_SIZE, "%s:%u", host, ntohs(bound.v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &bound.v6.sin6_addr, host, sizeof(host));
        snprintf(name, LISTENER_NAME_SIZE, "[%s]:%u", host, ntohs(bound.v6.sin6_port));
    }
}

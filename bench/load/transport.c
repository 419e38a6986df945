#include "transport.h"

#include "run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { PART_MAX = 1 << 30 };

struct transport {
    int fd;
    SSL *tls; /* NULL: cleartext */
};

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        run_fail(strerror(errno));
    return fd;
}

static SSL *start_tls(int fd, const char *alpn)
{
    unsigned char protocols[32];
    size_t len = strlen(alpn);
    if (len >= sizeof(protocols))
        run_fail("the protocol's name is too long");
    protocols[0] = (unsigned char)len;
    memcpy(protocols + 1, alpn, len);
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    SSL *tls = settings == NULL ? NULL : SSL_new(settings);
    SSL_CTX_free(settings);
    const unsigned char *chosen = NULL;
    unsigned chosen_len = 0;
    if (tls == NULL || SSL_set_fd(tls, fd) != 1 ||
        SSL_set_alpn_protos(tls, protocols, (unsigned)len + 1) != 0 || SSL_connect(tls) != 1)
        run_fail("no TLS connection");
    SSL_get0_alpn_selected(tls, &chosen, &chosen_len);
    /* A server that names none speaks HTTP/1.1. */
    bool is_chosen =
        chosen_len == 0 ? strcmp(alpn, "http/1.1") == 0 : chosen_len == len && memcmp(chosen, alpn, len) == 0;
    if (!is_chosen)
        run_fail("the server settles on another protocol");
    SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

transport_t *transport_open(uint16_t port, const char *alpn)
{
    transport_t *transport = malloc(sizeof(*transport));
    if (transport == NULL)
        run_fail("out of memory");
    *transport = (transport_t){.fd = connect_to(port)};
    if (alpn != NULL)
        transport->tls = start_tls(transport->fd, alpn);
    if (fcntl(transport->fd, F_SETFL, O_NONBLOCK) != 0)
        run_fail(strerror(errno));
    return transport;
}

void transport_close(transport_t *transport)
{
    SSL_free(transport->tls);
    close(transport->fd);
    free(transport);
}

int transport_fd(const transport_t *transport)
{
    return transport->fd;
}

/* What a call that gave result has moved; 0 when it has to wait for the socket. */
static size_t count_tls(const transport_t *transport, int result)
{
    if (result > 0)
        return (size_t)result;
    int error = SSL_get_error(transport->tls, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return 0;
    run_fail(error == SSL_ERROR_ZERO_RETURN ? "the server closed a connection" : "TLS failed");
}

static size_t count_plain(ssize_t result)
{
    if (result > 0)
        return (size_t)result;
    if (result < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    run_fail(result == 0 ? "the server closed a connection" : strerror(errno));
}

size_t transport_send(transport_t *transport, const char *bytes, size_t len)
{
    if (transport->tls != NULL)
        return count_tls(transport,
                         SSL_write(transport->tls, bytes, len < PART_MAX ? (int)len : (int)PART_MAX));
    return count_plain(send(transport->fd, bytes, len, MSG_NOSIGNAL));
}

size_t transport_receive(transport_t *transport, char *buffer, size_t size)
{
    if (transport->tls != NULL)
        return count_tls(transport,
                         SSL_read(transport->tls, buffer, size < PART_MAX ? (int)size : (int)PART_MAX));
    return count_plain(recv(transport->fd, buffer, size, 0));
}

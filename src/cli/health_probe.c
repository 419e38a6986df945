#include "health_probe.h"

#include "introspectd/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_MS = 3000, MAX_ANSWER_BYTES = 1 << 20, CHUNK_BYTES = 4096 };

typedef union peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
} peer_t;

/* One request on its way. */
typedef struct probe {
    const char *name; /* of who is asked, for people */
    int fd;
    int64_t deadline_ms;
    char *error;
} probe_t;

static bool fail(const probe_t *probe, const char *why)
{
    snprintf(probe->error, HEALTH_ERROR_SIZE, "%s: %s", probe->name, why);
    return false;
}

static socklen_t fill_peer(const config_address_t *from, peer_t *to)
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
        if (to->v4.sin_addr.s_addr == htonl(INADDR_ANY))
            to->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(to->v4);
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(from->port);
    if (inet_pton(AF_INET6, from->host, &to->v6.sin6_addr) != 1)
        return 0;
    if (IN6_IS_ADDR_UNSPECIFIED(&to->v6.sin6_addr))
        to->v6.sin6_addr = in6addr_loopback;
    return sizeof(to->v6);
}

/* Waits until the socket can be written to, or read from; false when the time is over. */
static bool wait_for(const probe_t *probe, short events)
{
    for (;;) {
        int64_t left_ms = probe->deadline_ms - clock_monotonic_ms();
        struct pollfd fd = {.fd = probe->fd, .events = events};
        if (left_ms <= 0)
            return fail(probe, "no answer within three seconds");
        int count = poll(&fd, 1, (int)left_ms);
        if (count > 0)
            return true;
        if (count < 0 && errno != EINTR)
            return fail(probe, strerror(errno));
    }
}

static bool connect_to(const probe_t *probe, const peer_t *peer, socklen_t peer_len)
{
    /* EAGAIN: the backlog of a Unix socket is full. */
    while (connect(probe->fd, &peer->any, peer_len) != 0) {
        if (errno == EINPROGRESS)
            break;
        if (errno != EAGAIN && errno != EINTR)
            return fail(probe, strerror(errno));
        if (clock_monotonic_ms() >= probe->deadline_ms)
            return fail(probe, "no answer within three seconds");
        (void)poll(NULL, 0, 10);
    }
    int error = 0;
    socklen_t error_len = sizeof(error);
    if (!wait_for(probe, POLLOUT))
        return false;
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
        error = errno;
    return error == 0 || fail(probe, strerror(error));
}

static bool send_request(const probe_t *probe, const char *path)
{
    char request[128];
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    /* So little fits into the buffer of a new connection. */
    if (send(probe->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        return fail(probe, "the request cannot be sent");
    return true;
}

/* Gives the answer, with a NUL behind it; NULL when there is none. */
static char *read_answer(const probe_t *probe, size_t *len)
{
    char *text = NULL;
    *len = 0;
    while (*len < MAX_ANSWER_BYTES) {
        char *larger = realloc(text, *len + CHUNK_BYTES + 1);
        if (larger == NULL) {
            fail(probe, "out of memory");
            break;
        }
        text = larger;
        if (!wait_for(probe, POLLIN))
            break;
        ssize_t count = recv(probe->fd, text + *len, CHUNK_BYTES, 0);
        if (count == 0) {
            text[*len] = '\0';
            return text;
        }
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            fail(probe, strerror(errno));
            break;
        }
        *len += count < 0 ? 0 : (size_t)count;
    }
    if (*len >= MAX_ANSWER_BYTES)
        fail(probe, "the answer is over 1 MiB");
    free(text);
    return NULL;
}

/* Takes the answer apart, which is NUL-terminated (RFC 9112 section 4). */
static bool parse_answer(const probe_t *probe, char *text, size_t len, health_answer_t *answer)
{
    static const char VERSION[] = "HTTP/1.1 ";
    enum { VERSION_LEN = sizeof(VERSION) - 1, STATUS_LEN = 3 };
    const char *end = strstr(text, "\r\n\r\n");
    if (strncmp(text, VERSION, VERSION_LEN) != 0 || end == NULL ||
        strspn(text + VERSION_LEN, "0123456789") != STATUS_LEN)
        return fail(probe, len == 0 ? "closed without an answer" : "what answers does not speak HTTP/1.1");
    int status = (int)strtol(text + VERSION_LEN, NULL, 10);
    if (status < 100 || status > 599)
        return fail(probe, "what answers does not speak HTTP/1.1");
    const char *body = end + strlen("\r\n\r\n");
    *answer = (health_answer_t){
        .status = status, .text = text, .body = body, .body_len = len - (size_t)(body - text)};
    return true;
}

bool health_probe_ask(const config_address_t *address, const char *path, health_answer_t *answer, char *error)
{
    peer_t peer;
    socklen_t peer_len = fill_peer(address, &peer);
    probe_t probe = {.name = address->text,
                     .deadline_ms = clock_monotonic_ms() + TIMEOUT_MS,
                     .error = error,
                     .fd = socket(peer.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (probe.fd == -1)
        return fail(&probe, strerror(errno));
    size_t len = 0;
    char *text = NULL;
    if (connect_to(&probe, &peer, peer_len) && send_request(&probe, path))
        text = read_answer(&probe, &len);
    close(probe.fd);
    if (text == NULL)
        return false;
    if (!parse_answer(&probe, text, len, answer)) {
        free(text);
        return false;
    }
    return true;
}

void health_probe_answer_deinit(health_answer_t *answer)
{
    free(answer->text);
    *answer = (health_answer_t){0};
}

void health_probe_print(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool is_control = (unsigned char)*text < ' ' || *text == 0x7F;
        putc(is_control ? '?' : *text, out);
    }
}

#include "provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_ROUTES = 16, MAX_HELD = 64, REQUEST_SIZE = 8192 };

typedef struct route {
    char path[128];
    char *answer; /* NULL: held */
    char *tagged; /* the 304; NULL: none */
    char etag[64];
    const char *filler;
    size_t count;
    char request[REQUEST_SIZE];
} route_t;

struct provider {
    int listener;
    int end;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    route_t routes[MAX_ROUTES];
    size_t route_count;
    struct {
        int fd;
        route_t *route;
    } held[MAX_HELD];
    size_t held_count;
    char *urls[MAX_ROUTES * 4];
    size_t url_count;
};

static route_t *route_of(provider_t *provider, const char *path)
{
    for (size_t i = 0; i < provider->route_count; i++) {
        if (strcmp(provider->routes[i].path, path) == 0)
            return &provider->routes[i];
    }
    if (provider->route_count == MAX_ROUTES)
        abort();
    route_t *route = &provider->routes[provider->route_count++];
    snprintf(route->path, sizeof(route->path), "%s", path);
    route->answer = strdup("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return route;
}

/* False when the client hung up. */
static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static void answer(int fd, const char *text, const char *filler)
{
    bool is_open = send_all(fd, text, strlen(text));
    while (is_open && filler != NULL)
        is_open = send_all(fd, filler, strlen(filler));
    shutdown(fd, SHUT_WR);
    close(fd);
}

static bool read_request(int fd, char *request)
{
    size_t len = 0;
    request[0] = '\0';
    while (strstr(request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(fd, request + len, REQUEST_SIZE - 1 - len, 0);
        if (got <= 0)
            return false;
        len += (size_t)got;
        request[len] = '\0';
    }
    return true;
}

static void serve(provider_t *provider, int fd)
{
    char request[REQUEST_SIZE];
    char path[128];
    if (!read_request(fd, request) || sscanf(request, "GET %127s", path) != 1) {
        close(fd);
        return;
    }
    path[strcspn(path, "?")] = '\0';
    pthread_mutex_lock(&provider->mutex);
    route_t *route = route_of(provider, path);
    const char *filler = route->filler;
    bool is_known = route->etag[0] != '\0' && strstr(request, route->etag) != NULL;
    char *text = NULL;
    route->count++;
    memcpy(route->request, request, sizeof(request));
    if (route->answer != NULL) {
        text = strdup(is_known ? route->tagged : route->answer);
    } else {
        if (provider->held_count == MAX_HELD)
            abort();
        provider->held[provider->held_count].fd = fd;
        provider->held[provider->held_count++].route = route;
    }
    pthread_mutex_unlock(&provider->mutex);
    if (text != NULL)
        answer(fd, text, filler);
    free(text);
}

static void *run(void *data)
{
    provider_t *provider = data;
    struct pollfd fds[] = {{.fd = provider->listener, .events = POLLIN},
                           {.fd = provider->end, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        int fd = accept(provider->listener, NULL, NULL);
        if (fd >= 0)
            serve(provider, fd);
    }
    return NULL;
}

provider_t *provider_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    provider_t *provider = calloc(1, sizeof(*provider));
    assert_non_null(provider);
    provider->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    provider->end = eventfd(0, EFD_CLOEXEC);
    assert_true(provider->listener >= 0 && provider->end >= 0);
    assert_int_equal(bind(provider->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(provider->listener, 128), 0);
    assert_int_equal(getsockname(provider->listener, (struct sockaddr *)&address, &len), 0);
    provider->port = ntohs(address.sin_port);
    assert_int_equal(pthread_mutex_init(&provider->mutex, NULL), 0);
    assert_int_equal(pthread_create(&provider->thread, NULL, run, provider), 0);
    return provider;
}

void provider_stop(provider_t *provider)
{
    if (provider == NULL)
        return;
    assert_int_equal(eventfd_write(provider->end, 1), 0);
    pthread_join(provider->thread, NULL);
    close(provider->listener);
    close(provider->end);
    for (size_t i = 0; i < provider->held_count; i++)
        close(provider->held[i].fd);
    for (size_t i = 0; i < provider->route_count; i++) {
        free(provider->routes[i].answer);
        free(provider->routes[i].tagged);
    }
    for (size_t i = 0; i < provider->url_count; i++)
        free(provider->urls[i]);
    pthread_mutex_destroy(&provider->mutex);
    free(provider);
}

const char *provider_url(provider_t *provider, const char *path)
{
    char *url;
    assert_true(asprintf(&url, "http://127.0.0.1:%u%s", provider->port, path) > 0);
    pthread_mutex_lock(&provider->mutex);
    assert_true(provider->url_count < sizeof(provider->urls) / sizeof(provider->urls[0]));
    provider->urls[provider->url_count++] = url;
    pthread_mutex_unlock(&provider->mutex);
    return url;
}

static void set_route(provider_t *provider, const char *path, char *text, char *tagged, const char *etag,
                      const char *filler)
{
    pthread_mutex_lock(&provider->mutex);
    route_t *route = route_of(provider, path);
    free(route->answer);
    free(route->tagged);
    route->answer = text;
    route->tagged = tagged;
    route->filler = filler;
    snprintf(route->etag, sizeof(route->etag), "%s", etag);
    pthread_mutex_unlock(&provider->mutex);
}

void provider_answer(provider_t *provider, const char *path, const char *status, const char *headers,
                     const char *body)
{
    char *text;
    assert_true(asprintf(&text, "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                         headers, strlen(body), body) > 0);
    set_route(provider, path, text, NULL, "", NULL);
}

void provider_answer_tagged(provider_t *provider, const char *path, const char *etag, const char *headers,
                            const char *body)
{
    char *text;
    char *tagged;
    assert_true(
        asprintf(&text, "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
                 etag, headers, strlen(body), body) > 0);
    assert_true(asprintf(&tagged, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: %s\r\n%s\r\n",
                         etag, headers) > 0);
    set_route(provider, path, text, tagged, etag, NULL);
}

void provider_answer_raw(provider_t *provider, const char *path, const char *bytes, const char *filler)
{
    char *text = strdup(bytes);
    assert_non_null(text);
    set_route(provider, path, text, NULL, "", filler);
}

void provider_hold(provider_t *provider, const char *path)
{
    set_route(provider, path, NULL, NULL, "", NULL);
}

void provider_let_go(provider_t *provider)
{
    pthread_mutex_lock(&provider->mutex);
    for (size_t i = 0; i < provider->held_count; i++)
        answer(provider->held[i].fd, provider->held[i].route->answer, NULL);
    provider->held_count = 0;
    pthread_mutex_unlock(&provider->mutex);
}

size_t provider_count(provider_t *provider, const char *path)
{
    pthread_mutex_lock(&provider->mutex);
    size_t count = route_of(provider, path)->count;
    pthread_mutex_unlock(&provider->mutex);
    return count;
}

bool provider_was_sent(provider_t *provider, const char *path, const char *text)
{
    pthread_mutex_lock(&provider->mutex);
    bool was_sent = strcasestr(route_of(provider, path)->request, text) != NULL;
    pthread_mutex_unlock(&provider->mutex);
    return was_sent;
}

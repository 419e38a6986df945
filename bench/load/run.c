#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, READ_SIZE = 128 * 1024, STALL_MS = 20000 };

void run_fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

uint64_t run_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool run_begin_request(run_t *run)
{
    const run_settings_t *settings = run->settings;
    if (run->begun == settings->requests)
        return false;
    if (settings->seconds > 0 && (double)(run_now_ns() - run->start_ns) > settings->seconds * 1e9)
        return false;
    run->begun++;
    return true;
}

void run_end_request(run_t *run, int status, uint64_t begun_ns)
{
    if (status < 100 || status > RUN_STATUS_MAX)
        run_fail("an answer has no status");
    run->answered++;
    run->by_status[status]++;
    latency_add(&run->latency, run_now_ns() - begun_ns);
}

char *connection_reserve(connection_t *connection, size_t len)
{
    if (connection->out_len + len > connection->out_capacity) {
        size_t capacity = 2 * (connection->out_len + len);
        char *larger = realloc(connection->out, capacity);
        if (larger == NULL)
            run_fail("out of memory");
        connection->out = larger;
        connection->out_capacity = capacity;
    }
    return connection->out + connection->out_len;
}

static void watch(int epoll, int operation, connection_t *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection->is_blocked)
        event.events |= EPOLLOUT;
    if (epoll_ctl(epoll, operation, transport_fd(connection->transport), &event) != 0)
        run_fail(strerror(errno));
}

static void flush(int epoll, connection_t *connection)
{
    bool was_blocked = connection->is_blocked;
    connection->is_blocked = false;
    while (connection->out_sent < connection->out_len && !connection->is_blocked) {
        size_t sent = transport_send(connection->transport, connection->out + connection->out_sent,
                                     connection->out_len - connection->out_sent);
        connection->out_sent += sent;
        connection->is_blocked = sent == 0;
    }
    if (!connection->is_blocked)
        connection->out_len = connection->out_sent = 0;
    if (was_blocked != connection->is_blocked)
        watch(epoll, EPOLL_CTL_MOD, connection);
}

static void receive(connection_t *connection, const protocol_t *protocol)
{
    static char buffer[READ_SIZE];
    size_t len;
    while ((len = transport_receive(connection->transport, buffer, sizeof(buffer))) > 0)
        protocol->receive(connection, buffer, len);
}

/* What comes in is waited for in vain when nothing comes for STALL_MS. */
static void serve_events(int epoll, const protocol_t *protocol)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, STALL_MS);
    if (count == 0)
        run_fail("the server does not answer");
    for (int i = 0; i < count; i++) {
        connection_t *connection = events[i].data.ptr;
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            receive(connection, protocol);
        protocol->fill(connection);
        flush(epoll, connection);
    }
}

void run_all(run_t *run, const protocol_t *protocol)
{
    size_t count = run->settings->connections;
    connection_t *connections = calloc(count, sizeof(*connections));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll < 0)
        run_fail(strerror(errno));
    for (size_t i = 0; i < count; i++) {
        const char *alpn = run->settings->is_tls ? protocol->alpn : NULL;
        connections[i] = (connection_t){.run = run, .transport = transport_open(run->settings->port, alpn)};
        watch(epoll, EPOLL_CTL_ADD, &connections[i]);
        protocol->open(&connections[i]);
    }
    run->start_ns = run_now_ns();
    for (size_t i = 0; i < count; i++) {
        protocol->fill(&connections[i]);
        flush(epoll, &connections[i]);
    }
    while (run->answered < run->begun)
        serve_events(epoll, protocol);
    run->seconds = (double)(run_now_ns() - run->start_ns) / 1e9;
    for (size_t i = 0; i < count; i++) {
        protocol->close(&connections[i]);
        transport_close(connections[i].transport);
        free(connections[i].out);
    }
    free(connections);
    close(epoll);
}

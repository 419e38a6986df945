#include "systemd.h"

#include "introspectd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_PASSED_FD = 3, /* SD_LISTEN_FDS_START */
    MESSAGE_SIZE = 1024,
    /* How long a supervisor that does not read may hold the main thread up. */
    SEND_TIMEOUT_S = 1,
    /* When it is looked again whether a loop that is stuck has gone on. */
    STUCK_WAIT_MS = 100,
    /* When a sign of life that did not go is tried again. */
    RETRY_MS = 1000,
    /* Half of it is a millisecond, in which the main thread can do something else. */
    MIN_WATCHDOG_MS = 2,
    /* What the end takes beside the drain. */
    STOP_MARGIN_S = 5
};

static bool parse(const char *text, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = text == NULL || text[0] < '0' || text[0] > '9' ? -1 : strtoll(text, &end, 10);
    if (value < 0 || errno != 0 || *end != '\0' || value > max)
        return false;
    *out = value;
    return true;
}

/* Whether the variable that names a process names this one. */
static bool is_ours(const char *pid_text)
{
    int64_t pid;
    return parse(pid_text, INT_MAX, &pid) && pid == getpid();
}

static bool is_listening(int fd)
{
    int type = 0;
    int is_accepting = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_accepting, &size) == 0 && is_accepting != 0;
}

/* The i-th of names, which colons part. */
static bool is_named(const char *names, size_t i, const char *name)
{
    for (; names != NULL && i > 0; i--) {
        names = strchr(names, ':');
        names = names == NULL ? NULL : names + 1;
    }
    return names != NULL && strcspn(names, ":") == strlen(name) && strncmp(names, name, strlen(name)) == 0;
}

static bool take_socket(systemd_t *systemd, int fd, bool is_for_admin)
{
    if (!is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        return false;
    systemd->sockets[systemd->socket_count++] = (server_socket_t){.fd = fd, .is_for_admin = is_for_admin};
    return true;
}

static bool take_sockets(systemd_t *systemd, const char *count_text, const char *names, char *error)
{
    int64_t count;
    if (!parse(count_text, SYSTEMD_MAX_SOCKETS, &count)) {
        snprintf(error, SYSTEMD_ERROR_SIZE, "LISTEN_FDS must be an integer from 0 to %d",
                 SYSTEMD_MAX_SOCKETS);
        return false;
    }
    for (int i = 0; i < (int)count; i++) {
        if (!take_socket(systemd, FIRST_PASSED_FD + i, is_named(names, (size_t)i, "admin"))) {
            snprintf(error, SYSTEMD_ERROR_SIZE, "LISTEN_FDS: descriptor %d is no listening stream socket",
                     FIRST_PASSED_FD + i);
            return false;
        }
    }
    return true;
}

/* A socket whose datagrams go to path, `@` standing for the NUL of an abstract name (unix(7)); -1 with errno.
 */
static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path)) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
    if (fd != -1 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
                     connect(fd, (struct sockaddr *)&to,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void note_sent(systemd_t *systemd, bool is_sent)
{
    int error = errno;
    if (!is_sent && !systemd->is_unheard)
        log_event(LOG_LEVEL_WARN, "supervisor_not_told", json_pack("{s:s}", "error", strerror(error)));
    systemd->is_unheard = !is_sent;
}

static void take_notify_socket(systemd_t *systemd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL)
        return;
    systemd->notify_fd = connect_to(path);
    if (systemd->notify_fd == -1)
        note_sent(systemd, false);
    else
        memcpy(systemd->notify_path, path, strlen(path) + 1);
}

static void take_watchdog(systemd_t *systemd)
{
    int64_t watchdog_us;
    const char *pid = getenv("WATCHDOG_PID");
    if ((pid == NULL || is_ours(pid)) && parse(getenv("WATCHDOG_USEC"), INT64_MAX, &watchdog_us) &&
        watchdog_us > 0) {
        int64_t watchdog_ms = watchdog_us / 1000;
        systemd->watchdog_ms = watchdog_ms > MIN_WATCHDOG_MS ? watchdog_ms : MIN_WATCHDOG_MS;
    }
}

static void clean_environment(void)
{
    static const char *const NAMES[] = {"LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES",
                                        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        unsetenv(NAMES[i]);
}

bool systemd_init(systemd_t *systemd, char *error)
{
    *systemd = (systemd_t){.notify_fd = -1};
    /* First: a descriptor of ours could otherwise stand where one that was promised does not. */
    bool is_good = !is_ours(getenv("LISTEN_PID")) ||
                   take_sockets(systemd, getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), error);
    take_notify_socket(systemd);
    take_watchdog(systemd);
    clean_environment();
    return is_good;
}

void systemd_deinit(systemd_t *systemd)
{
    for (size_t i = 0; i < systemd->socket_count; i++)
        close(systemd->sockets[i].fd);
    if (systemd->notify_fd != -1)
        close(systemd->notify_fd);
    *systemd = (systemd_t){.notify_fd = -1};
}

static bool send_message(const systemd_t *systemd, const char *message)
{
    return send(systemd->notify_fd, message, strlen(message), MSG_NOSIGNAL) >= 0;
}

/* The supervisor's socket may have been made anew, as when it was restarted. */
static bool connect_again(systemd_t *systemd)
{
    if (errno != ECONNREFUSED && errno != ENOTCONN)
        return false;
    int fd = connect_to(systemd->notify_path);
    if (fd == -1)
        return false;
    close(systemd->notify_fd);
    systemd->notify_fd = fd;
    return true;
}

/* Whether the message went. */
static bool tell(systemd_t *systemd, const char *message)
{
    if (systemd->notify_fd == -1)
        return false;
    bool is_sent =
        send_message(systemd, message) || (connect_again(systemd) && send_message(systemd, message));
    note_sent(systemd, is_sent);
    return is_sent;
}

void systemd_tell_ready(systemd_t *systemd, const char *refusal)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof(message), "READY=1\nSTATUS=serving%s%s",
             refusal == NULL ? "" : "; refused: ", refusal == NULL ? "" : refusal);
    (void)tell(systemd, message);
}

/* The clock that the protocol names; clock_monotonic_us goes on while the machine sleeps. */
static int64_t protocol_time_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void systemd_tell_reloading(systemd_t *systemd)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reloading",
             protocol_time_us());
    (void)tell(systemd, message);
}

void systemd_tell_stopping(systemd_t *systemd, int64_t timeout_s)
{
    int64_t timeout_us = (timeout_s + STOP_MARGIN_S) * 1000000;
    char message[MESSAGE_SIZE];
    int len = snprintf(message, sizeof(message),
                       "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=stopping", timeout_us);
    if (systemd->watchdog_ms != 0)
        snprintf(message + len, sizeof(message) - (size_t)len, "\nWATCHDOG_USEC=%" PRId64, timeout_us);
    (void)tell(systemd, message);
}

int systemd_feed_watchdog(systemd_t *systemd, const server_t *server, int64_t now_ms)
{
    if (systemd->watchdog_ms == 0 || systemd->notify_fd == -1)
        return INT_MAX;
    int64_t period_ms = systemd->watchdog_ms / 2;
    int64_t next_ms = systemd->fed_ms + period_ms;
    if (now_ms < next_ms)
        return next_ms - now_ms < INT_MAX ? (int)(next_ms - now_ms) : INT_MAX;
    if (server_ms_since_turn(server) > SERVER_LONGEST_TURN_MS + period_ms)
        return STUCK_WAIT_MS;
    if (!tell(systemd, "WATCHDOG=1"))
        return period_ms < RETRY_MS ? (int)period_ms : RETRY_MS;
    systemd->fed_ms = now_ms;
    return period_ms < INT_MAX ? (int)period_ms : INT_MAX;
}

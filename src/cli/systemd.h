/*
 * systemd: what a supervisor that speaks systemd's protocols passes to the process, and is told by it:
 * LISTEN_FDS (sd_listen_fds(3)), NOTIFY_SOCKET (sd_notify(3)) and WATCHDOG_USEC (sd_watchdog_enabled(3)).
 *
 * Spoken without libsystemd: two variables and one datagram, for which the library would bring three
 * libraries of compression and one of cryptography into the process. Main thread only.
 */
#ifndef INTROSPECTD_CLI_SYSTEMD_H
#define INTROSPECTD_CLI_SYSTEMD_H

#include "introspectd/server.h"

#include <sys/un.h>

enum { SYSTEMD_MAX_SOCKETS = 128, SYSTEMD_ERROR_SIZE = 256 };

typedef struct systemd {
    int notify_fd;                                                    /* -1: nobody is told anything */
    char notify_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* where it goes, `@` for a NUL */
    bool is_unheard;     /* the last message did not go, which was logged */
    int64_t watchdog_ms; /* within which a sign of life is awaited; 0: none is */
    int64_t fed_ms;      /* when the last one was given */
    server_socket_t sockets[SYSTEMD_MAX_SOCKETS];
    size_t socket_count;
} systemd_t;

/*
 * Takes what is in the environment, and removes it from there. Variables that are meant for another process
 * (LISTEN_PID, WATCHDOG_PID) count as not there; so does a NOTIFY_SOCKET that cannot be reached, which is
 * logged. False with a line in error, of SYSTEMD_ERROR_SIZE bytes, when the sockets are not what they should
 * be. systemd_deinit may be called either way.
 */
bool systemd_init(systemd_t *systemd, char *error) __attribute__((warn_unused_result));
void systemd_deinit(systemd_t *systemd);

/*
 * What follows tells the supervisor. When it has made its socket anew it is connected to again; a message
 * that does not go is lost, and the first of several is logged.
 */

/* The server serves, by the newest config that it could take; why not by a newer one (NULL: there is none).
 */
void systemd_tell_ready(systemd_t *systemd, const char *refusal);

/* A reload begins; systemd_tell_ready ends it. */
void systemd_tell_reloading(systemd_t *systemd);

/* The end begins, and takes timeout_s at most. No other sign of life is awaited until then. */
void systemd_tell_stopping(systemd_t *systemd, int64_t timeout_s);

/*
 * Gives the sign of life if it is due, unless an event loop is stuck: then it is withheld, so that the
 * supervisor ends the process. How many milliseconds to wait at most until the next call.
 */
int systemd_feed_watchdog(systemd_t *systemd, const server_t *server, int64_t now_ms);

#endif

/*
 * server: the HTTP side: listeners, one event loop per thread, the introspection endpoint and the operations
 * endpoints.
 *
 * Started and stopped by one thread (the cli's), which must have blocked the signals that it waits for
 * before, so that the server's threads inherit that.
 */
#ifndef INTROSPECTD_SERVER_H
#define INTROSPECTD_SERVER_H

#include "introspectd/config.h"
#include "introspectd/introspect.h"

typedef struct server server_t;

enum { SERVER_ERROR_SIZE = 512 };

/* Why a server cannot be started: one line, NUL-terminated. */
typedef struct server_error {
    char text[SERVER_ERROR_SIZE];
} server_error_t;

/*
 * Loads every certificate and key that config names, as server_start will, and binds nothing. False with
 * *error filled: "FILE:LINE: listen[0].tls: ...", a fault of the config.
 */
bool server_check(const config_t *config, server_error_t *error) __attribute__((warn_unused_result));

/* A listening stream socket that whoever started the process has opened for it. */
typedef struct server_socket {
    int fd;            /* non-blocking, close-on-exec; open, and the caller's, until the server's end */
    bool is_for_admin; /* for the admin listener, whatever its address is; else for whichever has the address
                        */
} server_socket_t;

/* Those that were passed. */
typedef struct server_sockets {
    const server_socket_t *sockets; /* may be NULL when there are none */
    size_t count;
} server_sockets_t;

/*
 * Binds every listener of config, which is borrowed until the server's end, and starts no thread: what only
 * root may do is done then. A socket of passed is taken in the place of one that would be bound; each must
 * have its listener now, and may lose it by a reload. All or nothing: NULL with *error filled.
 */
server_t *server_open(const config_t *config, server_sockets_t passed, server_error_t *error)
    __attribute__((warn_unused_result));

/* Whether the server has made the Unix socket's file at path, which it will remove. */
bool server_owns_socket_file(const server_t *server, const char *path);

/* Never more than max connections from then on, whatever a config allows. Before server_start. */
void server_bound_connections(server_t *server, uint64_t max);

/*
 * Opens the access log's file, as whoever the process is now, and starts `threads` loops on an open server,
 * once. introspector, which is acquired, must be the one of the config that the server was opened with. One
 * line "listening" is logged per listener. On false, with *error filled, the server can only be closed.
 */
bool server_start(server_t *server, introspector_t *introspector, unsigned threads, server_error_t *error)
    __attribute__((warn_unused_result));

/* Frees a server that does not serve, since server_start was not called or gave false. NULL is legal. */
void server_close(server_t *server);

/*
 * Puts introspector in the place of the present one, with its config's listeners and certificates. All or
 * nothing: on false, with *error filled, everything is as before. Listeners whose address stays keep their
 * sockets, and TLS sessions can be resumed on them; connections live on, also those of listeners that go. On
 * return every request is decided by introspector. The number of threads stays.
 */
bool server_reload(server_t *server, introspector_t *introspector, server_error_t *error)
    __attribute__((warn_unused_result));

/* Has the access log's file opened anew, which its own thread does; what comes of it is logged. */
void server_reopen_logs(server_t *server);

/* A new config was refused, whoever did: for the metrics. Any thread. */
void server_note_refused_reload(server_t *server);

/* How long an event loop waits at most when it has nothing to do. */
enum { SERVER_LONGEST_TURN_MS = 1000 };

/* The longest time since one of the event loops began a turn: a loop that is stuck is one that has not. */
int64_t server_ms_since_turn(const server_t *server);

/*
 * Says that the server is going to stop, and lets it serve on: /readyz answers 503, and HTTP/1 connections
 * end one after the other. A reload may still be finished.
 */
void server_announce_stop(server_t *server);

/*
 * Stops accepting, and lets what is in flight finish for at most the config's shutdown_timeout, then closes
 * what is left. Does not wait for that: server_finish_stop does. The logs may be reopened meanwhile, and
 * nothing be reloaded.
 */
void server_begin_stop(server_t *server);

/* Whether that is over, so that server_finish_stop has nothing to wait for but what is done at once. */
bool server_has_stopped(server_t *server);

/* Has what is still in flight closed now. */
void server_cut_off(server_t *server);

/*
 * Waits for the end of what server_begin_stop has begun, and of all threads, then frees everything. The
 * number of requests that were cut off is returned.
 */
size_t server_finish_stop(server_t *server);

#endif

/*
 * connection: the life of an accepted connection: its opening until the library serves it, what is held
 * against its peer meanwhile, and its end.
 *
 * The library would do some of this by itself, and lets a peer end the process or keep the thread to itself:
 * see the files connection*.c. A set of connections belongs to one event loop and its thread.
 */
#ifndef INTROSPECTD_HTTP_CONNECTION_H
#define INTROSPECTD_HTTP_CONNECTION_H

#include "connection_counts.h"
#include "miss_queue.h"
#include "refusals.h"

#include "introspectd/config.h"
#include "introspectd/ip_address.h"

#include <h2o.h>
#include <stdbool.h>

typedef struct connection connection_t;

typedef struct connection_set {
    h2o_context_t *context;
    h2o_hostconf_t **hosts; /* NULL-terminated */
    const config_t *config; /* the one that is served by, borrowed: set before the first connection_open */
    connection_counts_t *counts; /* NULL: of operators, see CONNECTION_MAX_OPERATORS */
    h2o_linklist_t all;
    h2o_linklist_t paused;     /* HTTP/2 connections that are not read from until their write is through, or
                                  until the next turn */
    h2o_linklist_t handshakes; /* connections whose ClientHello has come */
    h2o_linklist_t
        touched; /* HTTP/2 connections that the library may have stopped reading from in this turn */
    size_t count;
    uint64_t turn;              /* of the loop */
    _Atomic bool is_ending;     /* see connection_set_announce_end; any thread */
    unsigned strangers_in_turn; /* requests, or pieces of HTTP/2, of those who did not prove to be callers */
    struct timeval walked_at;   /* by the system's clock, and by the monotonic one */
    int64_t walked_ms;
    struct timeval clock_stepped_at; /* nothing is taken to have begun before */
} connection_set_t;

/*
 * How many connections a set without counts has: beyond that the oldest ends for a new one, so that neither
 * the descriptors of callers nor the places of probes can be used up there.
 */
enum { CONNECTION_MAX_OPERATORS = 32 };

/* Borrows all of them; counts may be NULL. */
void connection_set_init(connection_set_t *set, h2o_context_t *context, h2o_hostconf_t **hosts,
                         connection_counts_t *counts);

/*
 * Takes an accepted socket over: the PROXY protocol's header if has_proxy_protocol, from a trusted proxy
 * only; TLS if tls is not NULL; then HTTP/2 if the client chose it by ALPN or by its preface, else HTTP/1.
 * The connection holds tls for itself. Above a limit it is closed at once.
 */
void connection_open(connection_set_t *set, SSL_CTX *tls, bool has_proxy_protocol, h2o_socket_t *take_socket);

/* Who sent req; the none for the peer of a Unix socket. */
ip_address_t connection_peer(const h2o_req_t *req);

/*
 * Whether there are connections for connection_set_resume. Call before each turn of the loop: what the
 * library has done to its sockets in the last one is set right.
 */
bool connection_set_can_resume(connection_set_t *set);

/* To be called when a turn of the loop begins: everybody has a share again. */
void connection_set_begin_turn(connection_set_t *set);

/*
 * Reads again from connections whose write is through, or who had their share of a turn: from callers' all,
 * from others' until budget_us are over. Call from within the event loop.
 */
void connection_set_resume(connection_set_t *set, int64_t budget_us);

/*
 * Whether there are clients whose TLS handshake can begin, and the beginning of at most max, which costs a
 * signature each. Call from within the event loop.
 */
bool connection_set_has_handshakes(connection_set_t *set);
void connection_set_handshake(connection_set_t *set, unsigned max);

/* How often connection_set_enforce is to be called. */
enum { CONNECTION_ENFORCE_PERIOD_MS = 250 };

/* Ends what has outlasted its timeout or uses up too much. Call from within the event loop. */
void connection_set_enforce(connection_set_t *set);

/* To be called for a request that is answered later than it came: the library may stop reading then. */
void connection_touch(h2o_req_t *req);

/* Where the misses of req's connection wait. It ends with the connection. */
miss_flow_t *connection_miss_flow(h2o_req_t *req);

/* Counts and logs that a limit was reached, with who sent req. */
void connection_report_refusal(h2o_req_t *req, refusal_t refusal);

/* Counts a request of the connection; closes an HTTP/1 connection behind it when it was the last allowed. */
void connection_count_request(h2o_req_t *req);

/*
 * Whether an HTTP/1 connection has had its share of this turn of the loop: pipelined requests would be
 * handled one after the other, and nobody else's between them. Call once a request. HTTP/2 has its share
 * elsewhere.
 */
bool connection_had_its_turn(h2o_req_t *req);

/* Notes that a caller proved who it is, or failed to: the connections of callers get more done in a turn. */
void connection_note_caller(h2o_req_t *req, bool is_proved);

/*
 * Whether req's peer failed to authenticate on its connection while failures were throttled, and the noting
 * of it, which holds until the connection's end; see throttle.h. Where no proxy tells the connection's peers
 * apart, nothing further is served on it.
 */
bool connection_authentication_has_failed(h2o_req_t *req);
void connection_note_failed_authentication(h2o_req_t *req);

/* Whether headers of req came behind its body (RFC 9113 section 8.1), where the library hides them among the
 * others. */
bool connection_has_trailers(h2o_req_t *req);

/* Makes the connections of path count what is answered: call once before the thread serves. */
void connection_register(h2o_pathconf_t *path);

/*
 * From then on an HTTP/1 connection that is older than CONNECTION_GRACE_MS ends with its next answer: between
 * two requests nobody can be told, and one that is sent while its connection is closed is lost. Those that
 * are new may have come back before anybody was told not to; so a client connects once a second at most.
 * HTTP/2 has GOAWAY. Any thread.
 */
void connection_set_announce_end(connection_set_t *set);

/* For a drain: tells every peer to open no further requests. Call from within the event loop, or between two
 * of its turns. */
void connection_set_begin_drain(connection_set_t *set);

/*
 * For a drain: ends connections that have no request in flight, once what had arrived is answered: HTTP/1
 * ones by ending their reading, HTTP/2 ones by a GOAWAY frame that names the last request that was served.
 * Those that may still be sending what was on its way are left for CONNECTION_GRACE_MS. drained_ms is the
 * time since the drain began. Call from within the event loop.
 */
void connection_set_close_idle(connection_set_t *set, int64_t drained_ms);

/* Cuts off every connection. The number of requests that were in flight. */
size_t connection_set_cut_off(connection_set_t *set);

/*
 * How long a client may take to send what it believed to be in time: the first request on a new connection,
 * or one that crossed with the GOAWAY frame (RFC 9113 section 6.8).
 */
enum { CONNECTION_GRACE_MS = 1000 };

#endif

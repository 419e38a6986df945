/*
 * connection_internal: what the files connection*.c share. A connection belongs to one event loop and its
 * thread.
 */
#ifndef INTROSPECTD_HTTP_CONNECTION_INTERNAL_H
#define INTROSPECTD_HTTP_CONNECTION_INTERNAL_H

#include "connection.h"

#include "frame_scan.h"
#include "leaky_budget.h"
#include "peer.h"
#include "refusals.h"

typedef enum connection_protocol {
    CONNECTION_OPENING, /* not known yet */
    CONNECTION_HTTP1,
    CONNECTION_HTTP2
} connection_protocol_t;

/* What only HTTP/2 has. */
typedef struct connection_http2 {
    h2o_socket_cb library_read;
    frame_scanner_t scanner;
    uint32_t trailers_stream_id; /* whose trailers the library is being given; else 0 */
    uint64_t answered;           /* requests whose answer went out whole */
    uint64_t aborted_seen;       /* streams that ended without one, as charged so far */
    uint64_t answered_seen;      /* and those that were set against them */
    uint64_t other_frames_seen;  /* as charged so far */
    uint64_t data_bytes_done;    /* of bodies that are complete or gone, as far as is known */
    leaky_budget_t resets;
    leaky_budget_t control_frames;
    uint64_t bytes_written;   /* as seen in the last walk */
    int64_t writing_since_ms; /* since when the same write was seen under way; 0: none */
    bool *is_gone;            /* set by the connection's end while the library is called; may be NULL */
} connection_http2_t;

/* Behind a proxy a connection has requests of many hosts; the oldest makes room. */
enum { CONNECTION_FAILED_HOSTS = 4 };

struct connection {
    h2o_linklist_t link;
    h2o_linklist_t paused;
    h2o_linklist_t touched;
    h2o_linklist_t handshake;
    connection_set_t *set;
    h2o_socket_t *socket;
    peer_t peer;
    connection_count_t count;
    h2o_accept_ctx_t accept;
    struct timeval connected_at;
    int64_t connected_ms;
    connection_protocol_t protocol;
    connection_http2_t http2;
    miss_flow_t misses;
    uint64_t request_count;  /* that came to the endpoint */
    uint64_t turn;           /* of its latest HTTP/1 request */
    unsigned turn_requests;  /* in that */
    int64_t idle_since_ms;   /* since when it was seen without a request; 0 with one, and after one */
    int64_t ending_since_ms; /* since when it was seen without the library; 0: it is served */
    bool is_callers;         /* the last of its requests that said who asks proved it */
    bool has_callers_buffer; /* the receive buffer that the config gives callers */
    bool is_seen;            /* in this walk */
    ip_address_t
        failed_hosts[CONNECTION_FAILED_HOSTS]; /* whose authentication failed while that was throttled */
    unsigned failed_host_count;
    bool is_to_leave; /* serves nothing further than what is under way */
    /* Set while draining. */
    bool has_request;
    bool is_idle_http1;
};

static inline connection_t *connection_of_socket(h2o_socket_t *socket)
{
    return socket->on_close.data;
}

static inline connection_t *connection_of_request(const h2o_req_t *req)
{
    return connection_of_socket(req->conn->callbacks->get_socket(req->conn));
}

/*
 * Whether there have been so many strangers in this turn that one more is to wait; else it counts. Callers
 * never wait for that.
 */
bool connection_is_one_stranger_too_many(connection_t *connection);

/* Counts and logs that a limit was reached, with the connection's peer. */
void connection_report(const connection_t *connection, refusal_t refusal);

/* connection_http2.c */

void connection_start_http2(connection_t *connection);

/*
 * Tells the peer that no further stream is served (RFC 9113 section 6.8); those that are open go on. Within
 * the loop's turn.
 */
void connection_leave_http2(connection_t *connection);

/*
 * Ends an HTTP/2 connection that the library still serves, with a GOAWAY frame of that error (RFC 9113
 * section 7). Within the loop's turn; the connection may be gone on return.
 */
void connection_end_http2(connection_t *connection, int error);

#endif

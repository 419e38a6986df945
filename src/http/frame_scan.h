/*
 * frame_scan: looks at HTTP/2 frames (RFC 9113 section 4) before the HTTP library does, and tells how many of
 * them it may have now.
 *
 * The library handles whatever has arrived in one go, whole floods of it, and has no bound on what a
 * connection makes it do. So its input is cut into pieces that cost about the same. Pure: no input or output,
 * no clock. A scanner belongs to one connection.
 */
#ifndef INTROSPECTD_HTTP_FRAME_SCAN_H
#define INTROSPECTD_HTTP_FRAME_SCAN_H

#include "hpack_count.h"

#include <stdbool.h>

/* What a frame costs of a turn's allowance: one that opens a stream, any other, and besides each KiB of a
 * body and each KiB of a header block. */
enum { FRAME_COST_REQUEST = 16, FRAME_COST_OTHER = 1, FRAME_COST_BODY_KIB = 1, FRAME_COST_HEADER_KIB = 8 };

typedef struct frame_limits {
    size_t max_block_bytes; /* of a header block, as it is sent */
    unsigned max_fields;    /* in a header block */
} frame_limits_t;

/* Zero-initialised at the start of a connection. The counts only grow. */
typedef struct frame_scanner {
    uint64_t opened;       /* streams that HEADERS frames opened */
    uint64_t other_frames; /* than HEADERS */
    uint64_t data_bytes;
    uint32_t last_stream_id;  /* the highest one opened */
    uint32_t final_stream_id; /* when not 0: frames of streams above are dropped */
    bool has_preface;         /* the connection's first bytes are passed */
    bool is_in_block;         /* CONTINUATION frames of block_stream_id follow */
    bool is_in_trailers;
    bool is_dropping_block;
    uint32_t block_stream_id;
    size_t block_bytes;
    hpack_count_t block;
} frame_scanner_t;

typedef enum frame_stop {
    FRAME_STOP_INCOMPLETE, /* what is behind is no whole frame; may be passed as well, the library waits */
    FRAME_STOP_ALLOWANCE,  /* the turn's allowance is used up */
    FRAME_STOP_TRAILERS,   /* trailers end at the end of what may be passed; scan on after that */
    FRAME_STOP_DROP,       /* frames to be dropped are next; scan on after that */
    FRAME_STOP_TOO_LARGE,  /* a header block is above the limits: end the connection */
    FRAME_STOP_BROKEN      /* a header block breaks off (RFC 9113 section 6.10): end the connection */
} frame_stop_t;

typedef struct frame_scan {
    frame_stop_t stop;
    size_t pass;                 /* bytes for the library */
    size_t drop;                 /* bytes behind them that are not */
    uint32_t trailers_stream_id; /* with FRAME_STOP_TRAILERS */
} frame_scan_t;

/*
 * Scans input, which begins with the connection's preface or with a frame, within *allowance, and takes what
 * it costs from that. The caller passes and drops what the result says before it scans again. An allowance
 * above 0 lets at least one frame through.
 */
frame_scan_t frame_scan(frame_scanner_t *scanner, const frame_limits_t *limits, slice_t input,
                        int *allowance);

#endif

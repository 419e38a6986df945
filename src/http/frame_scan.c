#include "frame_scan.h"

/* RFC 9113 sections 4.1 and 6 */
enum {
    PREFACE_SIZE = 24, /* section 3.4 */
    HEADER_SIZE = 9,
    MAX_FRAME_LEN = 16384, /* what the library announces; above, it ends the connection */
    DATA = 0,
    HEADERS = 1,
    PRIORITY_FRAME = 2,
    CONTINUATION = 9,
    LAST_KNOWN = CONTINUATION,
    END_STREAM = 0x1,
    END_HEADERS = 0x4,
    PADDED = 0x8,
    PRIORITY = 0x20,
    PRIORITY_SIZE = 5
};

typedef struct frame {
    size_t len; /* of the payload */
    uint8_t type;
    uint8_t flags;
    uint32_t stream_id;
    const uint8_t *payload;
} frame_t;

static frame_t read_frame(const uint8_t *at)
{
    return (frame_t){.len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2],
                     .type = at[3],
                     .flags = at[4],
                     .stream_id = ((uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 |
                                   (uint32_t)at[8]) &
                                  0x7fffffff,
                     .payload = at + HEADER_SIZE};
}

/* The part of a HEADERS or CONTINUATION frame's payload that is header block. Empty when it is malformed. */
static slice_t block_fragment(const frame_t *frame)
{
    size_t begin = 0;
    size_t padding = 0;
    if (frame->type == HEADERS && (frame->flags & PADDED) != 0 && frame->len > 0) {
        padding = frame->payload[0];
        begin = 1;
    }
    if (frame->type == HEADERS && (frame->flags & PRIORITY) != 0)
        begin += PRIORITY_SIZE;
    if (begin + padding > frame->len)
        return (slice_t){(const char *)frame->payload, 0};
    return (slice_t){(const char *)frame->payload + begin, frame->len - begin - padding};
}

/* False when the block is above the limits. */
static bool add_to_block(frame_scanner_t *scanner, const frame_limits_t *limits, const frame_t *frame)
{
    slice_t fragment = block_fragment(frame);
    scanner->block_bytes += fragment.len;
    if (scanner->block_bytes > limits->max_block_bytes)
        return false;
    bool is_whole = frame->type == HEADERS && (frame->flags & END_HEADERS) != 0;
    /* No field takes less than a byte. */
    if (!is_whole || fragment.len > limits->max_fields)
        hpack_count_add(&scanner->block, fragment);
    return scanner->block.fields <= limits->max_fields;
}

static bool take_headers(frame_scanner_t *scanner, const frame_limits_t *limits, const frame_t *frame)
{
    scanner->block_bytes = 0;
    scanner->block = (hpack_count_t){0};
    scanner->block_stream_id = frame->stream_id;
    scanner->is_in_trailers = frame->stream_id <= scanner->last_stream_id;
    if (frame->stream_id > scanner->last_stream_id && !scanner->is_dropping_block) {
        scanner->opened++;
        scanner->last_stream_id = frame->stream_id;
    }
    return add_to_block(scanner, limits, frame);
}

/* Frames of streams that the peer was told not to open. */
static bool is_beyond_final(frame_scanner_t *scanner, const frame_t *frame)
{
    if (scanner->is_in_block && frame->type == CONTINUATION)
        return scanner->is_dropping_block;
    scanner->is_dropping_block = scanner->final_stream_id != 0 && frame->stream_id > scanner->final_stream_id;
    return scanner->is_dropping_block;
}

/*
 * RFC 9113 section 5.3.2 lets priorities be ignored. The library would open a stream for one, whose HEADERS
 * frame then looks like trailers. What is malformed is left for it to refuse.
 */
static bool is_priority(const frame_t *frame)
{
    return frame->type == PRIORITY_FRAME && frame->len == PRIORITY_SIZE && frame->stream_id != 0;
}

static bool is_to_be_dropped(frame_scanner_t *scanner, const frame_t *frame)
{
    return frame->type > LAST_KNOWN || is_priority(frame) || is_beyond_final(scanner, frame);
}

/*
 * Within a header block nothing but its own CONTINUATION frames may come. The library takes those of any
 * stream that is open, and so a request's block for the trailers of another stream.
 */
static bool breaks_block(const frame_scanner_t *scanner, const frame_t *frame)
{
    return scanner->is_in_block &&
           (frame->type != CONTINUATION || frame->stream_id != scanner->block_stream_id);
}

static int cost(const frame_t *frame)
{
    int kib = (int)(frame->len / 1024);
    switch (frame->type) {
    case HEADERS:
        return FRAME_COST_REQUEST + FRAME_COST_HEADER_KIB * kib;
    case CONTINUATION:
        return FRAME_COST_OTHER + FRAME_COST_HEADER_KIB * kib;
    case DATA:
        return FRAME_COST_OTHER + FRAME_COST_BODY_KIB * kib;
    default:
        return FRAME_COST_OTHER;
    }
}

/* Notes what the frame does. False when it makes a header block too large. */
static bool take_frame(frame_scanner_t *scanner, const frame_limits_t *limits, const frame_t *frame)
{
    bool is_within_limits = true;
    if (frame->type == HEADERS)
        is_within_limits = take_headers(scanner, limits, frame);
    else if (frame->type == CONTINUATION)
        is_within_limits = add_to_block(scanner, limits, frame);
    if (frame->type == HEADERS || frame->type == CONTINUATION)
        scanner->is_in_block = (frame->flags & END_HEADERS) == 0;
    if (frame->type == DATA)
        scanner->data_bytes += frame->len;
    scanner->other_frames += frame->type != HEADERS;
    return is_within_limits;
}

static bool is_whole(slice_t rest)
{
    return rest.len >= HEADER_SIZE && rest.len - HEADER_SIZE >= read_frame((const uint8_t *)rest.base).len;
}

/* One that the library refuses by its header alone. */
static bool is_oversized(slice_t rest)
{
    return rest.len >= HEADER_SIZE && read_frame((const uint8_t *)rest.base).len > MAX_FRAME_LEN;
}

static slice_t rest_of(slice_t input, const frame_scan_t *scan)
{
    size_t done = scan->pass + scan->drop;
    return (slice_t){input.base + done, input.len - done};
}

static frame_scan_t stop(frame_scan_t scan, frame_stop_t why)
{
    scan.stop = why;
    return scan;
}

frame_scan_t frame_scan(frame_scanner_t *scanner, const frame_limits_t *limits, slice_t input, int *allowance)
{
    frame_scan_t scan = {0};
    if (!scanner->has_preface && input.len < PREFACE_SIZE)
        return stop(scan, FRAME_STOP_INCOMPLETE);
    if (!scanner->has_preface)
        scan.pass = PREFACE_SIZE;
    scanner->has_preface = true;
    for (;;) {
        slice_t rest = rest_of(input, &scan);
        if (!is_whole(rest) || is_oversized(rest))
            return stop(scan, scan.drop > 0 ? FRAME_STOP_DROP : FRAME_STOP_INCOMPLETE);
        if (*allowance <= 0)
            return stop(scan, FRAME_STOP_ALLOWANCE);
        frame_t frame = read_frame((const uint8_t *)rest.base);
        if (breaks_block(scanner, &frame))
            return stop(scan, FRAME_STOP_BROKEN);
        bool is_dropped = is_to_be_dropped(scanner, &frame);
        if (!is_dropped && scan.drop > 0)
            return stop(scan, FRAME_STOP_DROP);
        *allowance -= cost(&frame);
        if (is_dropped)
            scan.drop += HEADER_SIZE + frame.len;
        else
            scan.pass += HEADER_SIZE + frame.len;
        if (!take_frame(scanner, limits, &frame))
            return stop(scan, FRAME_STOP_TOO_LARGE);
        if (scanner->is_in_trailers && !scanner->is_in_block && !is_dropped &&
            (frame.type == HEADERS || frame.type == CONTINUATION)) {
            scan.trailers_stream_id = frame.stream_id;
            return stop(scan, FRAME_STOP_TRAILERS);
        }
    }
}

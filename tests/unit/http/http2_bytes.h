/* http2_bytes: frames (RFC 9113 section 4.1) for the tests to put one behind the other. Header only. */
#ifndef INTROSPECTD_TESTS_HTTP2_BYTES_H
#define INTROSPECTD_TESTS_HTTP2_BYTES_H

#include "introspectd/slice.h"

#include <stdint.h>
#include <string.h>

enum {
    DATA = 0,
    HEADERS = 1,
    PRIORITY_FRAME = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9,
    UNKNOWN = 10,
    END_STREAM = 0x1,
    END_HEADERS = 0x4,
    PADDED = 0x8,
    PRIORITY = 0x20
};

typedef struct http2_bytes {
    size_t len;
    uint8_t bytes[1 << 18];
} http2_bytes_t;

static inline void http2_put(http2_bytes_t *bytes, const void *data, size_t len)
{
    memcpy(bytes->bytes + bytes->len, data, len);
    bytes->len += len;
}

static inline void http2_put_preface(http2_bytes_t *bytes)
{
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    http2_put(bytes, PREFACE, sizeof(PREFACE) - 1);
}

static inline void http2_put_frame(http2_bytes_t *bytes, int type, int flags, uint32_t stream_id,
                                   slice_t payload)
{
    const uint8_t head[] = {(uint8_t)(payload.len >> 16),
                            (uint8_t)(payload.len >> 8),
                            (uint8_t)payload.len,
                            (uint8_t)type,
                            (uint8_t)flags,
                            (uint8_t)(stream_id >> 24),
                            (uint8_t)(stream_id >> 16),
                            (uint8_t)(stream_id >> 8),
                            (uint8_t)stream_id};
    http2_put(bytes, head, sizeof(head));
    if (payload.len > 0)
        http2_put(bytes, payload.base, payload.len);
}

/* A payload of len bytes that are all the same. */
static inline void http2_put_filled(http2_bytes_t *bytes, int type, int flags, uint32_t stream_id, int byte,
                                    size_t len)
{
    char payload[1 << 15];
    memset(payload, byte, sizeof(payload));
    http2_put_frame(bytes, type, flags, stream_id, (slice_t){payload, len});
}

static inline slice_t http2_slice(const http2_bytes_t *bytes)
{
    return (slice_t){(const char *)bytes->bytes, bytes->len};
}

#endif
